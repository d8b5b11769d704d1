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

use super::length::{Length, length, length_or_mark, short_length, write_length};
use crate::element::Str;
use crate::encoding::lzf;
use crate::encoding::number::{self, MAX_I64_TEXT};
use crate::error::{Fault, Parse};
use crate::finding::Code;

/// The string at the start of `i` if it is plain and its length takes one or two bytes, as nearly all are, and
/// what follows it.
#[inline(always)]
pub fn short_string(i: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = short_length(i)?;
    split(rest, len)
}

/// Reads a string as it is stored. Does not look inside compressed bytes.
///
/// All of it is inlined, and what is not returns other types: a result that comes through memory is written word
/// by word and read two words at once, and for that a core waits longer than all of the reading takes.
#[inline(always)]
pub fn string(i: &[u8]) -> Parse<'_, Str<'_>> {
    match *i {
        [0xc0, n, ref rest @ ..] => Ok((rest, Str::Int((n as i8).into()))),
        [0xc1, a, b, ref rest @ ..] => Ok((rest, Str::Int(i16::from_le_bytes([a, b]).into()))),
        [0xc2, a, b, c, d, ref rest @ ..] => {
            Ok((rest, Str::Int(i32::from_le_bytes([a, b, c, d]).into())))
        }
        [0xc3, ref rest @ ..] => {
            let (rest, (compressed, len)) = compressed(i, rest)?;
            Ok((rest, Str::Lzf { compressed, len }))
        }
        _ => {
            let (rest, bytes) = match short_string(i) {
                Some((bytes, rest)) => (rest, bytes),
                None => long_string(i)?,
            };
            Ok((rest, Str::Raw(bytes)))
        }
    }
}

/// Compressed bytes and the length of the string that they stand for.
#[inline]
fn compressed<'a>(i: &'a [u8], rest: &'a [u8]) -> Parse<'a, (&'a [u8], u64)> {
    let (rest, (clen, len)) = (length, length).parse(rest)?;
    match split(rest, clen) {
        Some((compressed, rest)) => Ok((rest, (compressed, len))),
        None => short(i, clen),
    }
}

/// A plain string of any length; or why there is no string.
#[cold]
fn long_string(i: &[u8]) -> Parse<'_, &[u8]> {
    match length_or_mark(i)? {
        (rest, Length::Plain(len)) => match split(rest, len) {
            Some((bytes, rest)) => Ok((rest, bytes)),
            None => short(i, len),
        },
        (rest, Length::Encoded(0..=2)) => Fault::truncated(rest, "more bytes"),
        (_, Length::Encoded(mark)) => {
            let found = format!("unknown string encoding {mark}");
            Fault::err(Code::StringEncoding, i, 1, "a string", found)
        }
    }
}

#[inline(always)]
fn split(i: &[u8], len: u64) -> Option<(&[u8], &[u8])> {
    i.split_at_checked(usize::try_from(len).ok()?)
}

#[cold]
fn short<T>(i: &[u8], len: u64) -> Parse<'_, T> {
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

/// Writes strings as servers do: as a number where the text is one of 32 bits, compressed where that
/// saves four bytes, else as they are.
#[derive(Debug)]
pub struct Strings {
    /// `rdbcompression`; `None` for no.
    lzf: Option<lzf::Encoder>,
    text: Vec<u8>,
}

impl Strings {
    /// A writer of strings; `compress` is `rdbcompression`.
    pub fn new(compress: bool) -> Strings {
        Strings { lzf: compress.then(lzf::Encoder::new), text: Vec::new() }
    }

    /// Appends a string.
    pub fn write(&mut self, text: &[u8], out: &mut Vec<u8>) {
        if let Some(number) = small(text) {
            return write_number(number, out);
        }
        if let Some(lzf) = &mut self.lzf
            && lzf.compress(text, &mut self.text)
        {
            return write_lzf(&self.text, text.len() as u64, out);
        }
        write_length(text.len() as u64, out);
        out.extend_from_slice(text);
    }

    /// Appends a string that may be compressed already.
    pub fn write_stored(&mut self, text: Str<'_>, out: &mut Vec<u8>) {
        match text {
            Str::Raw(text) => self.write(text, out),
            Str::Int(number) => self.write(number::i64_text(number, &mut [0; MAX_I64_TEXT]), out),
            Str::Lzf { compressed, len } => write_lzf(compressed, len, out),
        }
    }
}

/// The number that a text is, if it is stored as one.
fn small(text: &[u8]) -> Option<i32> {
    const LONGEST: usize = 11;
    (text.len() <= LONGEST).then(|| number::parse_i64(text)).flatten()?.try_into().ok()
}

fn write_number(number: i32, out: &mut Vec<u8>) {
    if let Ok(number) = i8::try_from(number) {
        out.extend_from_slice(&[0xc0, number.to_le_bytes()[0]]);
    } else if let Ok(number) = i16::try_from(number) {
        out.push(0xc1);
        out.extend_from_slice(&number.to_le_bytes());
    } else {
        out.push(0xc2);
        out.extend_from_slice(&number.to_le_bytes());
    }
}

fn write_lzf(compressed: &[u8], len: u64, out: &mut Vec<u8>) {
    out.push(0xc3);
    write_length(compressed.len() as u64, out);
    write_length(len, out);
    out.extend_from_slice(compressed);
}

/// Appends a score in text form (type 3). Servers wrote whole numbers plainly; -0, of which that would
/// lose the sign, is written like the others.
pub fn write_text_double(score: f64, out: &mut Vec<u8>) {
    let mark = match score {
        _ if score.is_nan() => 253,
        f64::INFINITY => 254,
        f64::NEG_INFINITY => 255,
        _ => {
            let start = out.len();
            out.push(0);
            match number::whole(score).filter(|_| score != 0.0 || score.is_sign_positive()) {
                Some(whole) => number::write_i64(whole, out),
                None => number::double_17g(score, out),
            }
            let len = out.len() - start - 1;
            // The longest has 24 characters.
            if let (Ok(len), Some(place)) = (u8::try_from(len), out.get_mut(start)) {
                *place = len;
            }
            return;
        }
    };
    out.push(mark);
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

    #[test]
    fn writes_what_it_reads() {
        let rows: &[(&[u8], &[u8])] = &[
            (b"", b"\x00"),
            (b"abc", b"\x03abc"),
            (b"-1", b"\xc0\xff"),
            (b"-0", b"\x02-0"),
            (b"01", b"\x0201"),
            (b"128", b"\xc1\x80\x00"),
            (b"-32769", b"\xc2\xff\x7f\xff\xff"),
            (b"-2147483648", b"\xc2\x00\x00\x00\x80"),
            (b"2147483648", b"\x0a2147483648"),
        ];
        let mut strings = Strings::new(true);
        for (text, bytes) in rows {
            let mut out = Vec::new();
            strings.write(text, &mut out);
            assert_eq!(out, *bytes);
            assert_eq!(string(&out).unwrap().1.bytes(&mut Vec::new()).unwrap(), *text);
        }
        for (compress, mark) in [(true, 0xc3), (false, 0x40)] {
            let mut out = Vec::new();
            Strings::new(compress).write(&[b'a'; 100], &mut out);
            assert_eq!(out[0], mark);
            assert_eq!(string(&out).unwrap().1.bytes(&mut Vec::new()).unwrap(), [b'a'; 100]);
        }
    }

    #[test]
    fn text_scores_read_back() {
        for score in [0.0, -0.0, 1.5, -3.0, 1e300, 5e-324, f64::INFINITY, f64::NEG_INFINITY, 0.1] {
            let mut out = Vec::new();
            write_text_double(score, &mut out);
            let read = match text_double(&out).unwrap().1 {
                TextDouble::Special(score) => score,
                TextDouble::Text(text) => number::parse_double(text).unwrap(),
            };
            assert_eq!(read.to_bits(), score.to_bits(), "{score}");
        }
    }
}
