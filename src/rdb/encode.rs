//! Encoding a value: the elements that a walk (or a value of the engine) hands out are gathered, then
//! written as the payload of a row that the target reads. Each data type gathers and writes in its file of
//! [`super::object`], beside its walk; what they share is here.
//!
//! A value keeps its form where the target has it: what was packed stays packed, a table stays a table. A
//! value without a form of its own is packed within the usual limits.

use super::length::length;
use super::object::{array, hash, list, module, set, stream_write, string as text, zset};
use super::string::{Strings, string};
use super::target::Target;
use super::types::{DataType, RdbType};
use crate::element::{Element, Str, Visit};
use crate::encoding::{listpack, ziplist};
use crate::limits::PackedLimits;
use crate::loss::Loss;

/// The form of a value whose elements do not come packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A table, which stays one.
    Table,
    /// Packed all the same.
    Packed,
    /// The same, with room for an expire time behind each pair.
    Triples,
    /// Numbers, packed.
    Intset,
    /// None of its own.
    ByLimits,
}

/// What encoding needs beside the value.
#[derive(Debug)]
pub struct Pen {
    /// Whom it is for.
    pub target: Target,
    /// Writes strings.
    pub strings: Strings,
    /// Up to where a value without a form is packed.
    pub limits: PackedLimits,
    /// What the target cannot hold of the value at hand.
    pub losses: Vec<Loss>,
    /// Added to expire times of fields, in ms.
    pub shift_ttl_ms: i64,
    /// The graph of a vector set that commands built is made, which takes about as long as it took the
    /// server; without it such a set is [`Loss::VectorGraph`].
    pub makes_graphs: bool,
    form: Form,
    /// The row that the value comes from.
    source: Option<&'static RdbType>,
    packed: bool,
    blob: Vec<u8>,
}

impl Pen {
    /// The row that a value comes from, if the target reads it.
    pub fn kept(&self) -> Option<&'static RdbType> {
        self.source.filter(|row| self.target.takes(row))
    }

    /// Whether the value is to be packed; `fits` says whether it is within the limits.
    pub fn packs(&self, fits: impl FnOnce(&PackedLimits) -> bool) -> bool {
        self.is_packed() || (self.form == Form::ByLimits && fits(&self.limits))
    }

    /// Whether the value came packed, or is to be as if it had.
    pub fn is_packed(&self) -> bool {
        self.packed || matches!(self.form, Form::Packed | Form::Triples | Form::Intset)
    }

    /// Whether a packed hash has room for expire times, although it may have none.
    pub fn is_triples(&self) -> bool {
        let kept = self.kept().is_some_and(|row| row.encoding == "listpackex");
        (kept || self.form == Form::Triples) && self.target.row(&[25]).is_some()
    }

    /// Whether it is to be an intset, if it is one of numbers.
    pub fn is_intset(&self) -> bool {
        self.form == Form::Intset
    }

    /// Notes a loss, once a value.
    pub fn lose(&mut self, loss: Loss) {
        if !self.losses.contains(&loss) {
            self.losses.push(loss);
        }
    }

    /// Appends texts packed: in a ziplist for servers before 7.0, else in a listpack.
    pub fn put_packed<'a>(
        &mut self,
        as_ziplist: bool,
        texts: impl Iterator<Item = &'a [u8]>,
        out: &mut Vec<u8>,
    ) {
        self.blob.clear();
        if as_ziplist {
            let mut writer = ziplist::Writer::new(self.target.ziplist());
            texts.for_each(|text| writer.push(text));
            writer.finish_into(&mut self.blob);
        } else {
            let mut writer = listpack::Writer::new(self.target.backlen());
            texts.for_each(|text| writer.push(text));
            writer.finish_into(&mut self.blob);
        }
        self.strings.write(&self.blob, out);
    }

    /// Appends a listpack, its back lengths as the target wants them.
    pub fn put_listpack(&mut self, blob: &[u8], out: &mut Vec<u8>) {
        if !listpack::may_have_two_widths(blob) {
            return self.strings.write(blob, out);
        }
        let mut writer = listpack::Writer::new(self.target.backlen());
        if let Ok(mut entries) = listpack::Entries::new(blob) {
            // One that is damaged was told of by the walk, and such a value is not written.
            while let Ok(Some((entry, _))) = entries.next_entry() {
                writer.push_entry(entry);
            }
        }
        self.blob.clear();
        writer.finish_into(&mut self.blob);
        self.strings.write(&self.blob, out);
    }
}

/// Texts one behind the other in one buffer.
#[derive(Debug, Default)]
pub struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    scratch: Vec<u8>,
}

impl Texts {
    /// Appends a string's text.
    pub fn push(&mut self, text: Str<'_>) {
        // What does not expand was told of by the walk, and such a value is not written.
        self.bytes.extend_from_slice(text.bytes(&mut self.scratch).unwrap_or_default());
        self.ends.push(self.bytes.len());
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// None?
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The text of this number.
    pub fn get(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before).copied());
        let end = self.ends.get(index).copied().unwrap_or_default();
        self.bytes.get(start.unwrap_or(0)..end).unwrap_or_default()
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        (0..self.len()).map(|index| self.get(index))
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

/// Bytes of the longest listpack in a payload of this row, at most: what decides whether an entry of which
/// servers disagree about the back length can be in it.
pub fn longest_listpack(row: &RdbType, payload: &[u8]) -> u64 {
    let text = |at| text_at(at).map_or(0, |(_, len)| len);
    let whole = payload.len() as u64;
    match (row.encoding, row.code) {
        ("listpack", _) => text(payload),
        ("listpackex", 25) => payload.get(8..).map_or(0, text),
        ("listpackex", _) => text(payload),
        // Nodes of a quicklist follow a container, those of a stream an id.
        (_, 18) => {
            longest_node(payload, |at| length(at).ok().map(|(rest, _)| rest)).unwrap_or(whole)
        }
        ("stream", _) => longest_node(payload, |at| Some(text_at(at)?.0)).unwrap_or(whole),
        _ => 0,
    }
}

/// A string: what follows it, and its length.
fn text_at(at: &[u8]) -> Option<(&[u8], u64)> {
    string(at).ok().map(|(rest, text)| (rest, text.len()))
}

fn longest_node(payload: &[u8], before: impl Fn(&[u8]) -> Option<&[u8]>) -> Option<u64> {
    let (mut rest, nodes) = length(payload).ok()?;
    let mut longest = 0;
    for _ in 0..nodes {
        let (after, len) = text_at(before(rest)?)?;
        longest = longest.max(len);
        rest = after;
    }
    Some(longest)
}

/// Encodes values, one after the other: [`Encoder::begin`], the elements, [`Encoder::finish`].
#[derive(Debug)]
pub struct Encoder {
    /// What all values share.
    pub pen: Pen,
    data: DataType,
    text: text::Draft,
    list: list::Draft,
    set: set::Draft,
    zset: zset::Draft,
    hash: hash::Draft,
    stream: stream_write::Draft,
    array: array::Draft,
    module: module::Draft,
}

/// Does the same with the draft of the data type at hand.
macro_rules! draft {
    ($encoder:ident, $draft:ident => $do:expr) => {
        match $encoder.data {
            DataType::String => {
                let $draft = &mut $encoder.text;
                $do
            }
            DataType::List => {
                let $draft = &mut $encoder.list;
                $do
            }
            DataType::Set => {
                let $draft = &mut $encoder.set;
                $do
            }
            DataType::Zset => {
                let $draft = &mut $encoder.zset;
                $do
            }
            DataType::Hash => {
                let $draft = &mut $encoder.hash;
                $do
            }
            DataType::Stream => {
                let $draft = &mut $encoder.stream;
                $do
            }
            DataType::Array => {
                let $draft = &mut $encoder.array;
                $do
            }
            DataType::Module => {
                let $draft = &mut $encoder.module;
                $do
            }
        }
    };
}

impl Encoder {
    /// For a target; `compress` is `rdbcompression`.
    pub fn new(target: Target, compress: bool, limits: PackedLimits) -> Encoder {
        let pen = Pen {
            target,
            strings: Strings::new(compress),
            limits,
            losses: Vec::new(),
            shift_ttl_ms: 0,
            makes_graphs: false,
            form: Form::ByLimits,
            source: None,
            packed: false,
            blob: Vec::new(),
        };
        Encoder {
            pen,
            data: DataType::String,
            text: text::Draft::default(),
            list: list::Draft::default(),
            set: set::Draft::default(),
            zset: zset::Draft::default(),
            hash: hash::Draft::default(),
            stream: stream_write::Draft::default(),
            array: array::Draft::default(),
            module: module::Draft::default(),
        }
    }

    /// Starts a value of a data type, in this form unless its elements come packed.
    pub fn begin(&mut self, data: DataType, form: Form) {
        self.data = data;
        self.pen.form = form;
        self.pen.source = None;
        self.pen.packed = false;
        self.pen.losses.clear();
        draft!(self, draft => draft.clear());
    }

    /// Starts a value that comes from a payload of this row.
    pub fn begin_from(&mut self, row: &'static RdbType) {
        self.begin(row.data, Form::ByLimits);
        self.pen.source = Some(row);
    }

    /// Appends the payload of the value gathered. What of it the target does not hold is in
    /// [`Pen::losses`].
    ///
    /// # Errors
    /// When the target cannot hold the value at all; nothing is appended then.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<&'static RdbType, Loss> {
        let pen = &mut self.pen;
        draft!(self, draft => draft.write(pen, out))
    }
}

impl Visit for Encoder {
    fn element(&mut self, element: Element<'_>) {
        match element {
            Element::Packed { .. } => self.pen.packed = true,
            // They are copied for a graph alone.
            Element::Vector { .. } if !self.pen.makes_graphs => return,
            _ => {}
        }
        draft!(self, draft => draft.element(element));
    }
}
