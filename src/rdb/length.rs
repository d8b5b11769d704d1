//! Lengths (FORMATS A.2):
//!
//! ```text
//! 00xxxxxx            6 bits
//! 01xxxxxx +1        14 bits, big endian
//! 0x80 +4            32 bits, big endian
//! 0x81 +8            64 bits, big endian (RDB 8 and later)
//! 11xxxxxx           not a length: the low 6 bits say how a string is encoded (A.3)
//! ```

use nom::Parser;
use nom::combinator::map;
use nom::number::complete::{be_u32, be_u64};

use crate::error::{Fault, Parse};
use crate::finding::Code;

/// A length, or the mark of an encoded string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// A plain length.
    Plain(u64),
    /// The low six bits of an 11xxxxxx byte.
    Encoded(u8),
}

/// The length at the start of `i` if it takes one or two bytes, as nearly all do, and what follows it.
#[inline(always)]
pub fn short_length(i: &[u8]) -> Option<(u64, &[u8])> {
    match *i {
        [first @ 0x00..=0x3f, ref rest @ ..] => Some((u64::from(first), rest)),
        [first @ 0x40..=0x7f, second, ref rest @ ..] => {
            Some((u64::from(first & 0x3f) << 8 | u64::from(second), rest))
        }
        _ => None,
    }
}

/// Reads a length or a string's mark.
#[inline]
pub fn length_or_mark(i: &[u8]) -> Parse<'_, Length> {
    if let Some((len, rest)) = short_length(i) {
        return Ok((rest, Length::Plain(len)));
    }
    match *i {
        [first @ 0xc0..=0xff, ref rest @ ..] => Ok((rest, Length::Encoded(first & 0x3f))),
        _ => long(i),
    }
}

fn long(i: &[u8]) -> Parse<'_, Length> {
    match *i {
        [0x80, ref rest @ ..] => map(be_u32, |n| Length::Plain(u64::from(n))).parse(rest),
        [0x81, ref rest @ ..] => map(be_u64, Length::Plain).parse(rest),
        [first @ 0x82..=0xbf, ..] => Fault::err(
            Code::LengthEncoding,
            i,
            1,
            "a length",
            format!("byte {first:#04x}, which begins none"),
        ),
        _ => Fault::truncated(i, "a length"),
    }
}

/// Reads a plain length.
#[inline]
pub fn length(i: &[u8]) -> Parse<'_, u64> {
    match length_or_mark(i)? {
        (rest, Length::Plain(n)) => Ok((rest, n)),
        (_, Length::Encoded(mark)) => Fault::err(
            Code::LengthEncoding,
            i,
            1,
            "a length",
            format!("the mark of an encoded string ({mark})"),
        ),
    }
}

/// Appends a length in the shortest form. The 64-bit one came with RDB 8.
#[inline]
pub fn write_length(len: u64, out: &mut Vec<u8>) {
    match len {
        0..0x40 => out.push(len as u8),
        0x40..0x4000 => out.extend_from_slice(&(len as u16 | 0x4000).to_be_bytes()),
        0x4000..0x1_0000_0000 => {
            out.push(0x80);
            out.extend_from_slice(&(len as u32).to_be_bytes());
        }
        _ => {
            out.push(0x81);
            out.extend_from_slice(&len.to_be_bytes());
        }
    }
}

/// Whether the length at the start of `i` is written longer than a server writes it.
#[inline]
pub fn is_longer_than_needed(i: &[u8]) -> bool {
    match i.first() {
        Some(0x40..=0x81) => is_long(i),
        _ => false,
    }
}

fn is_long(i: &[u8]) -> bool {
    match (i, length(i)) {
        ([0x40..=0x7f, ..], Ok((_, n))) => n < 1 << 6,
        ([0x80, ..], Ok((_, n))) => n < 1 << 14,
        ([0x81, ..], Ok((_, n))) => n < 1 << 32,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_form() {
        let rows: &[(&[u8], u64, bool)] = &[
            (&[0x00], 0, false),
            (&[0x3f], 63, false),
            (&[0x40, 0x3f], 63, true),
            (&[0x40, 0x40], 64, false),
            (&[0x7f, 0xff], 16383, false),
            (&[0x80, 0, 0, 0x3f, 0xff], 16383, true),
            (&[0x80, 0xff, 0xff, 0xff, 0xff], 0xffff_ffff, false),
            (&[0x81, 0, 0, 0, 0, 0, 0, 0, 1], 1, true),
            (&[0x81, 0, 0, 0, 1, 0, 0, 0, 0], 1 << 32, false),
        ];
        for &(bytes, want, long) in rows {
            assert_eq!(length(bytes).unwrap(), (&[][..], want), "{bytes:02x?}");
            assert_eq!(is_longer_than_needed(bytes), long, "{bytes:02x?}");
            for cut in 0..bytes.len() {
                let fault = crate::error::fault_of(length(&bytes[..cut]).unwrap_err());
                assert_eq!(fault.code(), Code::RdbTruncated);
            }
        }
    }

    #[test]
    fn bytes_that_begin_no_length() {
        for first in 0x82..=0xbf {
            let fault = crate::error::fault_of(length(&[first, 0, 0]).unwrap_err());
            assert_eq!(fault.code(), Code::LengthEncoding, "{first:#x}");
            assert_eq!(fault.rest(), 3);
        }
        assert_eq!(length_or_mark(&[0xc3]).unwrap().1, Length::Encoded(3));
        assert!(length(&[0xc0, 0]).is_err());
    }
}
