//! Parts of lines: strings, ids, scores, cells.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use crate::element::StreamId;

/// A string, or `{"base64": "…"}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text<'a>(pub(super) Cow<'a, [u8]>);

/// Bytes in base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base64(pub(super) Vec<u8>);

/// A stream's id, `"ms-seq"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id(pub(super) StreamId);

/// A score: a number, or `"inf"` or `"-inf"`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Score(pub(super) f64);

/// A node of a list: how many items it packs, or `"plain"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NodeLen {
    Packed(u64),
    Plain,
}

/// A cell of an array.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum CellValue<'a> {
    Text(Text<'a>),
    Int(i64),
    Double(f64),
}

/// What a line may be, by one of its names.
const KINDS: [&str; 9] = [
    "key",
    "aux",
    "function",
    "function_pre_ga",
    "module_aux",
    "slot_info",
    "slot_import",
    "opaque",
    "rdbtool_jsonl",
];

/// Which of them a line is.
pub(super) fn kind_of(line: &str) -> serde_json::Result<&'static str> {
    struct Names;
    impl<'de> Visitor<'de> for Names {
        type Value = &'static str;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<&'static str, A::Error> {
            let mut found = None;
            while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                map.next_value::<IgnoredAny>()?;
                found = found.or(KINDS.into_iter().find(|kind| *kind == name));
            }
            let expected =
                || A::Error::custom(format_args!("expected one of {}", KINDS.join(", ")));
            found.ok_or_else(expected)
        }
    }
    let mut json = serde_json::Deserializer::from_str(line);
    let kind = json.deserialize_map(Names)?;
    json.end()?;
    Ok(kind)
}

fn decode<E: de::Error>(text: &str) -> Result<Vec<u8>, E> {
    STANDARD.decode(text).map_err(|err| E::custom(format_args!("expected base64: {err}")))
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct OfText;
        impl<'de> Visitor<'de> for OfText {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or {\"base64\": \"…\"}")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text.as_bytes())))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.as_bytes().to_vec())))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Text<'de>, A::Error> {
                let Base64(bytes) = only(map, "base64")?;
                Ok(Text(Cow::Owned(bytes)))
            }
        }
        json.deserialize_any(OfText)
    }
}

/// The value of an object's only member.
fn only<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    mut map: A,
    name: &str,
) -> Result<T, A::Error> {
    match map.next_key::<Cow<'de, str>>()? {
        Some(found) if found == name => {}
        found => {
            let found = found.unwrap_or_default();
            return Err(A::Error::custom(format_args!("expected \"{name}\", found {found:?}")));
        }
    }
    let value = map.next_value()?;
    match map.next_key::<Cow<'de, str>>()? {
        None => Ok(value),
        Some(more) => Err(A::Error::custom(format_args!("expected nothing more, found {more:?}"))),
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(json)?;
        decode(&text).map(Base64)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(json)?;
        let numbers = text.split_once('-').and_then(|(ms, seq)| Some((digits(ms)?, digits(seq)?)));
        let (ms, seq) = numbers.ok_or_else(|| {
            D::Error::custom(format_args!("expected an id such as \"5-0\", found {text:?}"))
        })?;
        Ok(Id(StreamId { ms, seq }))
    }
}

/// A number as it is written: no sign, no leading zero.
fn digits(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct OfScore;
        impl Visitor<'_> for OfScore {
            type Value = Score;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, \"inf\" or \"-inf\"")
            }

            fn visit_f64<E: de::Error>(self, score: f64) -> Result<Score, E> {
                Ok(Score(score))
            }

            fn visit_i64<E: de::Error>(self, score: i64) -> Result<Score, E> {
                Ok(Score(score as f64))
            }

            fn visit_u64<E: de::Error>(self, score: u64) -> Result<Score, E> {
                Ok(Score(score as f64))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Score, E> {
                infinity(text)
                    .map(Score)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        json.deserialize_any(OfScore)
    }
}

fn infinity(text: &str) -> Option<f64> {
    match text {
        "inf" => Some(f64::INFINITY),
        "-inf" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

impl<'de> Deserialize<'de> for NodeLen {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct OfNode;
        impl Visitor<'_> for OfNode {
            type Value = NodeLen;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of items or \"plain\"")
            }

            fn visit_u64<E: de::Error>(self, items: u64) -> Result<NodeLen, E> {
                Ok(NodeLen::Packed(items))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<NodeLen, E> {
                match text {
                    "plain" => Ok(NodeLen::Plain),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }
        json.deserialize_any(OfNode)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for CellValue<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct OfCell;
        impl<'de> Visitor<'de> for OfCell {
            type Value = CellValue<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, {\"base64\": \"…\"}, a number or {\"double\": \"inf\"}")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(CellValue::Text(Text(Cow::Borrowed(text.as_bytes()))))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(CellValue::Text(Text(Cow::Owned(text.as_bytes().to_vec()))))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
                Ok(CellValue::Int(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
                let small = i64::try_from(number);
                let wrong =
                    |_| E::invalid_value(de::Unexpected::Unsigned(number), &"a number of 64 bits");
                small.map(CellValue::Int).map_err(wrong)
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
                Ok(CellValue::Double(number))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let name = map.next_key::<Cow<'de, str>>()?.unwrap_or_default();
                let value = map.next_value::<Cow<'de, str>>()?;
                let more = map.next_key::<Cow<'de, str>>()?;
                match (&name[..], infinity(&value), more) {
                    ("double", Some(double), None) => Ok(CellValue::Double(double)),
                    ("double", None, None) if value == "nan" => Ok(CellValue::Double(f64::NAN)),
                    ("base64", _, None) => Ok(CellValue::Text(Text(Cow::Owned(decode(&value)?)))),
                    _ => Err(A::Error::invalid_type(de::Unexpected::Map, &self)),
                }
            }
        }
        json.deserialize_any(OfCell)
    }
}

/// Takes the elements of a list one by one.
pub(super) struct Each<T, F> {
    each: F,
    of: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>, F: FnMut(T) -> Result<(), String>> Each<T, F> {
    /// Hands every element of a list to a function, whose errors are told with the place.
    pub(super) fn of(text: &'de str, each: F) -> serde_json::Result<()> {
        let mut json = serde_json::Deserializer::from_str(text);
        Each { each, of: PhantomData }.deserialize(&mut json)?;
        json.end()
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(T) -> Result<(), String>> DeserializeSeed<'de>
    for Each<T, F>
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(T) -> Result<(), String>> Visitor<'de> for Each<T, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element::<T>()? {
            (self.each)(element).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}
