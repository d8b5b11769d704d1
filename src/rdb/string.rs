//! Strings (FORMATS A.3):
//!
//! ```text
//! len bytes              plain
//! 0xC0 i8 | 0xC1 i16le | 0xC2 i32le      the decimal text of a number
//! 0xC3 len-compressed len bytes          LZF
//! ```

use nom::Parser;
use nom::bytes::complete::take;
use nom::combinator::map;
use nom::number::complete::{i8, le_i16, le_i32};

use super::length::{Length, length, length_or_mark};
use crate::element::Str;
use crate::error::{Fault, Parse};
use crate::finding::Code;

/// Reads a string as it is stored. Does not look inside compressed bytes.
#[inline]
pub fn string(i: &[u8]) -> Parse<'_, Str<'_>> {
    match length_or_mark(i)? {
        (rest, Length::Plain(len)) => match split(rest, len) {
            Some((bytes, rest)) => Ok((rest, Str::Raw(bytes))),
            None => short(i, len),
        },
        (rest, Length::Encoded(mark)) => encoded(i, rest, mark),
    }
}

fn encoded<'a>(i: &'a [u8], rest: &'a [u8], mark: u8) -> Parse<'a, Str<'a>> {
    match mark {
        0 => map(i8, |n| Str::Int(i64::from(n))).parse(rest),
        1 => map(le_i16, |n| Str::Int(i64::from(n))).parse(rest),
        2 => map(le_i32, |n| Str::Int(i64::from(n))).parse(rest),
        3 => {
            let (rest, (clen, len)) = (length, length).parse(rest)?;
            match split(rest, clen) {
                Some((compressed, rest)) => Ok((rest, Str::Lzf { compressed, len })),
                None => short(i, clen),
            }
        }
        _ => Fault::err(
            Code::StringEncoding,
            i,
            1,
            "a string",
            format!("unknown string encoding {mark}"),
        ),
    }
}

#[inline]
fn split(i: &[u8], len: u64) -> Option<(&[u8], &[u8])> {
    i.split_at_checked(usize::try_from(len).ok()?)
}

#[cold]
fn short(i: &[u8], len: u64) -> Parse<'_, Str<'_>> {
    Fault::err(
        Code::RdbTruncated,
        i,
        i.len(),
        format!("a string of {len} bytes"),
        format!("{} bytes, then the end", i.len()),
    )
}

/// Reads a score in text form (type 3): one byte of length, then the text; 253..255 stand for NaN,
/// +inf and -inf. The text itself is not looked at.
pub fn text_double(i: &[u8]) -> Parse<'_, TextDouble<'_>> {
    match *i {
        [] => Fault::truncated(i, "a score"),
        [253, ref rest @ ..] => Ok((rest, TextDouble::Special(f64::NAN))),
        [254, ref rest @ ..] => Ok((rest, TextDouble::Special(f64::INFINITY))),
        [255, ref rest @ ..] => Ok((rest, TextDouble::Special(f64::NEG_INFINITY))),
        [len, ref rest @ ..] => map(take(len), TextDouble::Text).parse(rest),
    }
}

/// A score in text form.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TextDouble<'a> {
    /// NaN or an infinity, by its mark.
    Special(f64),
    /// A number's text.
    Text(&'a [u8]),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_form() {
        let rows: &[(&[u8], Str)] = &[
            (b"\x00", Str::Raw(b"")),
            (b"\x03abc", Str::Raw(b"abc")),
            (b"\x40\x03abc", Str::Raw(b"abc")),
            (b"\xc0\xff", Str::Int(-1)),
            (b"\xc1\x00\x80", Str::Int(-32768)),
            (b"\xc2\xff\xff\xff\x7f", Str::Int(2147483647)),
            (b"\xc3\x02\x40\x80ab", Str::Lzf { compressed: b"ab", len: 128 }),
        ];
        for &(bytes, want) in rows {
            assert_eq!(string(bytes).unwrap(), (&[][..], want), "{bytes:02x?}");
            for cut in 0..bytes.len() {
                let fault = crate::error::fault_of(string(&bytes[..cut]).unwrap_err());
                assert_eq!(fault.code(), Code::RdbTruncated, "{:02x?}", &bytes[..cut]);
            }
        }
        let fault = crate::error::fault_of(string(&[0xc4, 0]).unwrap_err());
        assert_eq!(fault.code(), Code::StringEncoding);
        let fault = crate::error::fault_of(string(&[0x81; 9]).unwrap_err());
        assert_eq!(fault.code(), Code::RdbTruncated);
    }
}
