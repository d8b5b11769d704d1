//! The string value (`OBJECT ENCODING`: int, embstr, raw).
//!
//! A text that is the canonical decimal of an i64 is kept as that number, as servers do when a value
//! is set; texts up to 30 bytes lie in the value itself. What `APPEND`, `SETRANGE`, `SETBIT` and their
//! like have touched becomes a growable buffer and stays one ("raw"), so that a million appends cost
//! what they append.

use std::borrow::Cow;

use super::digest::Fold;
use super::{DataType, Type, block};
use crate::encoding::number::{MAX_I64_TEXT, i64_text, i64_text_len, parse_i64};

/// Longest text kept in the value itself.
const SHORT: usize = 30;
/// Longest text that servers call embstr.
const EMBSTR: usize = 44;

/// A string value.
#[derive(Debug, Clone)]
pub struct Str(Repr);

#[derive(Debug, Clone)]
enum Repr {
    Int(i64),
    Short(u8, [u8; SHORT]),
    Long(Box<[u8]>),
    Raw(Vec<u8>),
}

impl Str {
    /// The value `SET` makes of a text: a number if it is the canonical text of one.
    pub fn new(text: &[u8]) -> Str {
        parse_i64(text).map_or_else(|| Str::text(text), Str::int)
    }

    /// A number.
    pub fn int(number: i64) -> Str {
        Str(Repr::Int(number))
    }

    /// A text that stays one even if it looks like a number (what `INCRBYFLOAT` leaves behind).
    pub fn text(text: &[u8]) -> Str {
        let mut short = [0; SHORT];
        match (short.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(len)) => {
                place.copy_from_slice(text);
                Str(Repr::Short(len, short))
            }
            _ => Str(Repr::Long(text.into())),
        }
    }

    /// A buffer that was built in place, as `SETRANGE` and `SETBIT` do on a new key.
    pub fn raw(text: Vec<u8>) -> Str {
        Str(Repr::Raw(text))
    }

    /// The number, when the value is kept as one.
    pub fn as_int(&self) -> Option<i64> {
        match self.0 {
            Repr::Int(number) => Some(number),
            _ => None,
        }
    }

    /// The text.
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        match &self.0 {
            Repr::Int(number) => Cow::Owned(i64_text(*number, &mut [0; MAX_I64_TEXT]).to_vec()),
            Repr::Short(len, text) => {
                Cow::Borrowed(text.get(..usize::from(*len)).unwrap_or_default())
            }
            Repr::Long(text) => Cow::Borrowed(text),
            Repr::Raw(text) => Cow::Borrowed(text),
        }
    }

    /// Changes the text in place, as a growable buffer; from then on the encoding is raw.
    pub fn edit<R>(&mut self, change: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let mut text = match std::mem::replace(&mut self.0, Repr::Int(0)) {
            Repr::Raw(text) => text,
            Repr::Long(text) => text.into_vec(),
            other => Str(other).bytes().into_owned(),
        };
        let result = change(&mut text);
        self.0 = Repr::Raw(text);
        result
    }
}

impl Default for Str {
    fn default() -> Str {
        Str::text(b"")
    }
}

impl DataType for Str {
    const TYPE: Type = Type::String;
    super::arm!(Str);

    fn len(&self) -> usize {
        match &self.0 {
            Repr::Int(number) => i64_text_len(*number),
            Repr::Short(len, _) => usize::from(*len),
            Repr::Long(text) => text.len(),
            Repr::Raw(text) => text.len(),
        }
    }

    fn memory(&self) -> usize {
        match &self.0 {
            Repr::Int(_) | Repr::Short(..) => 0,
            Repr::Long(text) => block(text.len()),
            Repr::Raw(text) => block(text.capacity()),
        }
    }

    fn encoding(&self) -> &'static str {
        match &self.0 {
            Repr::Int(_) => "int",
            Repr::Short(..) => "embstr",
            Repr::Long(text) if text.len() <= EMBSTR => "embstr",
            Repr::Long(_) | Repr::Raw(_) => "raw",
        }
    }

    fn digest(&self, fold: &mut Fold) {
        match self.0 {
            Repr::Int(number) => fold.mix_int(number),
            _ => fold.mix(&self.bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings() {
        let cases: &[(Str, &[u8], &str)] = &[
            (Str::new(b"12"), b"12", "int"),
            (Str::new(b"-9223372036854775808"), b"-9223372036854775808", "int"),
            (Str::new(b"012"), b"012", "embstr"),
            (Str::text(b"12"), b"12", "embstr"),
            (Str::new(&[b'x'; 30]), &[b'x'; 30], "embstr"),
            (Str::new(&[b'x'; 44]), &[b'x'; 44], "embstr"),
            (Str::new(&[b'x'; 45]), &[b'x'; 45], "raw"),
            (Str::raw(b"1".to_vec()), b"1", "raw"),
            (Str::default(), b"", "embstr"),
        ];
        for (value, text, encoding) in cases {
            assert_eq!(
                (&*value.bytes(), value.len(), value.encoding()),
                (*text, text.len(), *encoding)
            );
            let mut value = value.clone();
            value.edit(|text| text.push(b'!'));
            assert_eq!(&*value.bytes(), [*text, b"!"].concat());
            assert_eq!(value.encoding(), "raw");
        }
    }
}
