//! The value of a key's line as elements, for an encoder.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::part::{Base64, CellValue, Each, NodeLen, Score, Text};
use super::{Anything, KeyLine, Kind, Wrong, raw, stream};
use crate::element::{Cell, Element, ModuleId, Packing, Visit};
use crate::rdb::encode::{Encoder, Form};
use crate::rdb::object::hash::EXPIRE_MAX_MS;
use crate::rdb::types::DataType;

/// Field, value, and perhaps an expire time.
#[derive(Deserialize)]
struct Field<'a>(
    #[serde(borrow)] Text<'a>,
    #[serde(borrow)] Text<'a>,
    #[serde(default)] Option<i64>,
);

#[derive(Deserialize)]
struct Scored<'a>(#[serde(borrow)] Text<'a>, Score);

#[derive(Deserialize)]
struct Indexed<'a>(u64, #[serde(borrow)] CellValue<'a>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Array<'a> {
    insert_index: Option<u64>,
    #[serde(borrow)]
    cells: &'a RawValue,
}

/// The encoding version of a module's type, which has ten bits.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "u16")]
pub(super) struct Encver(pub(super) u16);

impl TryFrom<u16> for Encver {
    type Error = &'static str;

    fn try_from(number: u16) -> Result<Encver, &'static str> {
        if number < 1 << 10 { Ok(Encver(number)) } else { Err("expected an encver below 1024") }
    }
}

/// A module's data; what shows the elements of a vector set is passed over.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Module {
    encver: Option<Encver>,
    data: Option<Base64>,
    #[serde(rename = "dimension")]
    _dimension: Anything,
    #[serde(rename = "quantization")]
    _quantization: Anything,
    #[serde(rename = "m")]
    _m: Anything,
    #[serde(rename = "input_dimension")]
    _input_dimension: Anything,
    #[serde(rename = "elements")]
    _elements: Anything,
}

/// Hands the elements of a line's value to an encoder. The value begins behind `before` bytes of the line.
pub(super) fn read(
    encoder: &mut Encoder,
    line: &KeyLine<'_>,
    kind: Kind,
    form: Form,
    before: usize,
) -> Result<(), Wrong> {
    let text = line.value.get();
    encoder.begin(kind.data(), form);
    let read = match kind {
        Kind::Plain(DataType::Stream) => return stream::read(encoder, text, before),
        Kind::Plain(DataType::Array) => return array(encoder, text, before),
        Kind::Module(name) => module(encoder, name, text),
        Kind::Plain(DataType::String) => serde_json::from_str(text)
            .map(|value: Text<'_>| encoder.element(Element::Text(raw(&value)))),
        Kind::Plain(DataType::List) => list(encoder, line, text),
        Kind::Plain(DataType::Set) => Each::of(text, |member: Text<'_>| {
            encoder.element(Element::Member(raw(&member)));
            Ok(())
        }),
        Kind::Plain(DataType::Zset) => Each::of(text, |Scored(member, Score(score))| {
            encoder.element(Element::Scored { member: raw(&member), score });
            Ok(())
        }),
        Kind::Plain(DataType::Hash | DataType::Module) => {
            Each::of(text, |Field(field, value, expire_at_ms)| {
                let is_redis = encoder.pen.target.is_redis();
                if is_redis && expire_at_ms.is_some_and(|at| !(1..=EXPIRE_MAX_MS).contains(&at)) {
                    return Err("expected an expire time of 1 to 2^48-1 ms".to_owned());
                }
                if expire_at_ms.is_some_and(|at| at < 0) {
                    return Err("expected an expire time of 0 or more, in ms".to_owned());
                }
                let (field, value) = (raw(&field), raw(&value));
                encoder.element(Element::Field { field, value, expire_at_ms });
                Ok(())
            })
        }
    };
    read.map_err(|err| Wrong::of(&err, before))
}

/// A list, in its nodes if they are told.
fn list(encoder: &mut Encoder, line: &KeyLine<'_>, text: &str) -> serde_json::Result<()> {
    let Some(nodes) = &line.nodes else {
        return Each::of(text, |item: Text<'_>| {
            encoder.element(Element::Item(raw(&item)));
            Ok(())
        });
    };
    let mut nodes = nodes.iter();
    // Items that the node at hand still takes.
    let mut left = 0u64;
    Each::of(text, |item: Text<'_>| {
        let mut packed = left > 0;
        if !packed {
            match nodes.next() {
                Some(NodeLen::Packed(items @ 1..)) => {
                    (left, packed) = (*items, true);
                    encoder.element(Element::Packed { packing: Packing::Listpack, blob: &[] });
                }
                Some(NodeLen::Plain) => {}
                _ => return Err("expected as many items as \"nodes\" have".to_owned()),
            }
        }
        encoder.element(Element::Item(raw(&item)));
        if packed {
            left -= 1;
            if left == 0 {
                encoder.element(Element::Unpacked);
            }
        }
        Ok(())
    })?;
    match (left, nodes.next()) {
        (0, None) => Ok(()),
        _ => Err(serde::de::Error::custom("expected as many items as \"nodes\" have")),
    }
}

fn array(encoder: &mut Encoder, text: &str, before: usize) -> Result<(), Wrong> {
    let array: Array<'_> = serde_json::from_str(text).map_err(|err| Wrong::of(&err, before))?;
    let (insert_index, cells) = (array.insert_index, array.cells.get());
    let before = before + (cells.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    encoder.element(Element::Array { count: 0, insert_index });
    let read = Each::of(cells, |Indexed(index, cell)| {
        let value = match &cell {
            CellValue::Text(text) => Cell::Text(raw(text)),
            CellValue::Int(number) => Cell::Int(*number),
            CellValue::Double(number) => Cell::Double(*number),
        };
        encoder.element(Element::Cell { index, value });
        Ok(())
    });
    read.map_err(|err| Wrong::of(&err, before))
}

fn module(encoder: &mut Encoder, name: [u8; 9], text: &str) -> serde_json::Result<()> {
    let Module { encver, data, .. } = serde_json::from_str(text)?;
    let missing = || {
        serde::de::Error::custom("expected \"data\": without it a module's value cannot be made")
    };
    let Base64(data) = data.ok_or_else(missing)?;
    let id = ModuleId::new(name, encver.map_or(0, |encver| encver.0));
    encoder.element(Element::Module { id, data: &data });
    Ok(())
}
