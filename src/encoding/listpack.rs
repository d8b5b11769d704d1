//! Listpack, the packed list of Redis 5.0 and later and of Valkey (FORMATS A.6).
//!
//! ```text
//! u32le total bytes | u16le count | entry … | FF        count 65535: unknown, walk to find it
//! entry = encoding and data | back length
//!
//! 0xxxxxxx                           0..127             10llllll           data   string, 6-bit length
//! 110xxxxx xxxxxxxx                  13-bit signed BE   1110llll llllllll  data   12-bit length BE
//! F1+2 F2+3 F3+4 F4+8                i16 i24 i32 i64 le F0 llllllll×4 le   data   32-bit length
//! ```
//!
//! The back length is the size of encoding and data, 7 bits a byte, highest group first; every byte but
//! the first has its high bit set, so that it can be read backwards. Entries of exactly 16383, 2097151
//! and 268435455 bytes have one byte more from writers before Redis 8.8 and Valkey 9.1 than from those;
//! each refuses or misreads the other's. Both are read here, and told apart ([`Backlen`]).

mod step;
mod writer;

use crate::error::{Fault, Parse};
use crate::finding::Code;

pub use super::Entry;
pub use step::{stored_as, stored_len};
pub use writer::{BacklenWidth, Writer, append_entry, entry_room};

/// Bytes before the first entry.
const HEADER: usize = 6;

/// Longest listpack a server makes, in bytes; far from what its header could state.
pub const MAX_LEN: usize = 1 << 30;

/// A count in the header that says nothing.
const UNKNOWN_COUNT: u16 = u16::MAX;

/// What stands before the entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// How many entries there should be, unless that did not fit.
    pub count: Option<u16>,
}

/// Which of its two possible widths an entry's back length has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Backlen {
    /// There is only one for an entry of this size.
    Exact,
    /// The longer, as every Redis up to 8.6 and Valkey up to 8.1 writes it.
    Wide,
    /// The shorter, as Redis 8.8 and Valkey 9.1 write it.
    Narrow,
}

/// Bytes that the back length of an entry of `size` bytes takes, in its shorter form.
const fn backlen_width(size: usize) -> usize {
    match size {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        0x20_0000..=0xfff_ffff => 4,
        _ => 5,
    }
}

/// Whether `size` is one for which writers disagree about the width.
const fn has_two_widths(size: usize) -> bool {
    matches!(size, 0x3fff | 0x1f_ffff | 0xfff_ffff)
}

/// Whether a listpack is long enough to hold an entry for which writers disagree about the width.
pub fn may_have_two_widths(blob: &[u8]) -> bool {
    blob.len() >= 0x3fff
}

/// The header of a listpack that fills `blob`; what is left are the entries and the end byte.
pub fn header(blob: &[u8]) -> Parse<'_, Header> {
    let Some((&[a, b, c, d, low, high], entries)) = blob.split_first_chunk::<HEADER>() else {
        return bad_header(blob, "7 bytes or more", format!("{} bytes", blob.len()));
    };
    let total = u32::from_le_bytes([a, b, c, d]);
    if total as usize != blob.len() {
        let found = format!("a total of {total}");
        return bad_header(blob, format!("a total of {} bytes", blob.len()), found);
    }
    match entries.last() {
        Some(0xff) => {}
        Some(last) => return bad_header(blob, "ff as last byte", format!("{last:02x}")),
        None => return bad_header(blob, "7 bytes or more", "6 bytes"),
    }
    let count = u16::from_le_bytes([low, high]);
    Ok((entries, Header { count: (count != UNKNOWN_COUNT).then_some(count) }))
}

#[cold]
fn bad_header<'a>(
    blob: &'a [u8],
    expected: impl Into<std::borrow::Cow<'static, str>>,
    found: impl Into<std::borrow::Cow<'static, str>>,
) -> Parse<'a, Header> {
    Fault::err(Code::LpHeader, blob, HEADER, expected, found)
}

/// One entry, and which width its back length has. `i` goes on to the end of the listpack, and the end
/// byte must be left over.
#[inline(always)]
pub fn entry(i: &[u8]) -> Parse<'_, (Entry<'_>, Backlen)> {
    if let Some((entry, tail)) = decode(i)
        && let Some((backlen, rest)) = skip_backlen(i.len() - tail.len(), tail)
        && !rest.is_empty()
    {
        return Ok((rest, (entry, backlen)));
    }
    Err(entry_fault(i))
}

/// The value at the start of `i`, and what follows its data. `None` for an encoding that does not exist
/// or data that is not there.
#[inline(always)]
fn decode(i: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let (&first, tail) = i.split_first()?;
    let (value, tail) = match first {
        0..=0x7f => (i64::from(first), tail),
        0x80..=0xbf => return string(usize::from(first & 0x3f), tail),
        0xc0..=0xdf => {
            let (&low, tail) = tail.split_first()?;
            // The sign is bit 12: moved up to bit 15 and back.
            let bits = u16::from_be_bytes([first, low]) << 3;
            (i64::from(bits as i16 >> 3), tail)
        }
        0xe0..=0xef => {
            let (&low, tail) = tail.split_first()?;
            return string(usize::from(first & 0x0f) << 8 | usize::from(low), tail);
        }
        0xf0 => {
            let (&len, tail) = tail.split_first_chunk()?;
            return string(u32::from_le_bytes(len) as usize, tail);
        }
        0xf1 => {
            let (&bytes, tail) = tail.split_first_chunk()?;
            (i16::from_le_bytes(bytes).into(), tail)
        }
        0xf2 => {
            let (&[a, b, c], tail) = tail.split_first_chunk()?;
            ((i32::from_le_bytes([0, a, b, c]) >> 8).into(), tail)
        }
        0xf3 => {
            let (&bytes, tail) = tail.split_first_chunk()?;
            (i32::from_le_bytes(bytes).into(), tail)
        }
        0xf4 => {
            let (&bytes, tail) = tail.split_first_chunk()?;
            (i64::from_le_bytes(bytes), tail)
        }
        0xf5.. => return None,
    };
    Some((Entry::Int(value), tail))
}

#[inline(always)]
fn string(len: usize, tail: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let (text, tail) = tail.split_at_checked(len)?;
    Some((Entry::Str(text), tail))
}

/// What follows the back length of an entry of `size` bytes; `None` if it is another or not there.
#[inline(always)]
fn skip_backlen(size: usize, tail: &[u8]) -> Option<(Backlen, &[u8])> {
    if size <= 0x7f {
        let (&stated, rest) = tail.split_first()?;
        return (usize::from(stated) == size).then_some((Backlen::Exact, rest));
    }
    if size < 0x3fff {
        let (stated, rest) = tail.split_first_chunk()?;
        let right = [(size >> 7) as u8, size as u8 | 0x80];
        return (*stated == right).then_some((Backlen::Exact, rest));
    }
    skip_long_backlen(size, tail)
}

fn skip_long_backlen(size: usize, tail: &[u8]) -> Option<(Backlen, &[u8])> {
    let width = backlen_width(size);
    let narrow = skip_backlen_of(size, width, tail);
    if !has_two_widths(size) {
        return narrow.map(|rest| (Backlen::Exact, rest));
    }
    match narrow {
        Some(rest) => Some((Backlen::Narrow, rest)),
        None => skip_backlen_of(size, width + 1, tail).map(|rest| (Backlen::Wide, rest)),
    }
}

fn skip_backlen_of(size: usize, width: usize, tail: &[u8]) -> Option<&[u8]> {
    let (stated, rest) = tail.split_at_checked(width)?;
    let same = stated.iter().enumerate().all(|(at, &byte)| byte == backlen_byte(size, width, at));
    same.then_some(rest)
}

/// The byte at `at` of the back length of an entry of `size` bytes, written in `width` bytes.
#[inline]
fn backlen_byte(size: usize, width: usize, at: usize) -> u8 {
    let group = (size >> (7 * (width - 1 - at))) as u8 & 0x7f;
    if at == 0 { group } else { group | 0x80 }
}

/// Why there is no good entry at `i`.
#[cold]
fn entry_fault(i: &[u8]) -> nom::Err<Fault> {
    const ENTRY: Code = Code::LpEntry;
    let fault = if let Some((_, tail)) = decode(i) {
        let size = i.len() - tail.len();
        let width = backlen_width(size);
        match tail.get(..width) {
            Some(stated) if tail.len() > width => {
                let right = spell((0..width).map(|at| backlen_byte(size, width, at)));
                let expected = format!("back length {right} of {size} bytes");
                Fault::new(Code::LpBacklen, tail, width, expected, spell(stated.iter().copied()))
            }
            _ => Fault::new(ENTRY, i, i.len(), "an entry that ends before the end byte", {
                format!("{size} bytes and a back length of {width} with {} left", i.len())
            }),
        }
    } else {
        match i.first() {
            None => Fault::new(ENTRY, i, 0, "an entry", "the end"),
            Some(0xff) => Fault::new(ENTRY, i, 1, "no end byte before the last byte", "ff"),
            Some(first @ 0xf5..) => {
                Fault::new(ENTRY, i, 1, "an encoding byte", format!("{first:02x}"))
            }
            Some(_) => Fault::new(ENTRY, i, i.len(), "an entry that ends before the end byte", {
                format!("one that needs more than the {} bytes left", i.len())
            }),
        }
    };
    nom::Err::Error(fault)
}

/// Bytes in hex.
fn spell(bytes: impl Iterator<Item = u8>) -> String {
    let words: Vec<String> = bytes.map(|byte| format!("{byte:02x}")).collect();
    words.join(" ")
}

/// Walks a listpack, checking all of it on the way.
#[derive(Debug, Clone)]
pub struct Entries<'a> {
    blob: &'a [u8],
    rest: &'a [u8],
    header: Header,
    seen: usize,
}

impl<'a> Entries<'a> {
    /// The entries of the listpack that fills `blob`, whose header must be right.
    pub fn new(blob: &'a [u8]) -> Result<Self, nom::Err<Fault>> {
        let (rest, header) = header(blob)?;
        Ok(Entries { blob, rest, header, seen: 0 })
    }

    /// The next entry; `None` at the end, if there were as many as the header says. After an error it
    /// returns that error again.
    #[inline(always)]
    pub fn next_entry(&mut self) -> Result<Option<(Entry<'a>, Backlen)>, nom::Err<Fault>> {
        // The last byte is the end byte, or there would be no `Entries`.
        if self.rest.len() <= 1 {
            return self.end();
        }
        let (rest, entry) = entry(self.rest)?;
        self.rest = rest;
        self.seen += 1;
        Ok(Some(entry))
    }

    fn end(&self) -> Result<Option<(Entry<'a>, Backlen)>, nom::Err<Fault>> {
        match self.header.count {
            Some(count) if usize::from(count) != self.seen => {
                let at = self.blob.get(4..).unwrap_or_default();
                let expected = format!("a count of {}, as there are entries", self.seen);
                Fault::err(Code::LpCount, at, 2, expected, format!("{count}"))
            }
            _ => Ok(None),
        }
    }

    /// What has not been read: a suffix of the listpack that starts with the next entry or the end byte.
    #[inline]
    pub fn remaining(&self) -> &'a [u8] {
        self.rest
    }

    /// How many entries the header says there are, unless that did not fit.
    #[inline]
    pub fn header_count(&self) -> Option<u16> {
        self.header.count
    }

    /// How many entries have been read.
    #[inline]
    pub fn seen(&self) -> usize {
        self.seen
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::encoding::testing::{damaged, packed_rows, place};

    const SERVER: &str = include_str!("../../testdata/listpack/redis-7.0.15.tsv");

    /// All of a listpack, or the fault and its place.
    fn read(blob: &[u8]) -> Result<Vec<(Entry<'_>, Backlen)>, (Code, usize)> {
        let fault = |err| place(err, blob);
        let mut entries = Entries::new(blob).map_err(fault)?;
        let mut all = Vec::new();
        while let Some(entry) = entries.next_entry().map_err(fault)? {
            all.push(entry);
        }
        assert_eq!(entries.seen(), all.len());
        assert_eq!(entries.remaining(), [0xff]);
        Ok(all)
    }

    /// A listpack around `entries`, with the right header.
    fn around(count: u16, entries: &[u8]) -> Vec<u8> {
        let total = (entries.len() + 7) as u32;
        [&total.to_le_bytes()[..], &count.to_le_bytes(), entries, &[0xff]].concat()
    }

    #[test]
    fn reads_what_a_server_wrote() {
        for (blob, elements) in packed_rows(SERVER) {
            let entries = read(&blob).unwrap();
            assert_eq!(entries.len(), elements.len());
            for ((entry, backlen), element) in entries.iter().zip(&elements) {
                assert_eq!(*entry, Entry::from_text(element));
                assert_eq!(*backlen, Backlen::Exact);
            }
        }
    }

    #[test]
    fn every_encoding() {
        let long = |len: usize, head: &[u8], tail: &[u8]| [head, &vec![b'x'; len], tail].concat();
        let int = Entry::Int;
        let table: &[(&[u8], Entry<'_>)] = &[
            (b"\x00\x01", int(0)),
            (b"\x7f\x01", int(127)),
            (b"\xc0\x05\x02", int(5)),
            (b"\xcf\xff\x02", int(4095)),
            (b"\xd0\x00\x02", int(-4096)),
            (b"\xdf\xff\x02", int(-1)),
            (b"\xf1\x00\x80\x03", int(-32768)),
            (b"\xf2\xff\xff\x7f\x04", int(8_388_607)),
            (b"\xf2\x00\x00\x80\x04", int(-8_388_608)),
            (b"\xf3\x01\x00\x00\x00\x05", int(1)),
            (b"\xf3\x00\x00\x00\x80\x05", int(-2_147_483_648)),
            (b"\xf4\xff\xff\xff\xff\xff\xff\xff\x7f\x09", int(i64::MAX)),
            (b"\x80\x01", Entry::Str(b"")),
            (b"\x81a\x02", Entry::Str(b"a")),
            (b"\xe0\x01a\x03", Entry::Str(b"a")),
            (b"\xf0\x01\x00\x00\x00a\x06", Entry::Str(b"a")),
            (&long(125, b"\xe0\x7d", b"\x7f"), Entry::Str(&[b'x'; 125])),
            (&long(126, b"\xe0\x7e", b"\x01\x80"), Entry::Str(&[b'x'; 126])),
            (&long(4096, b"\xf0\0\x10\0\0", b"\x20\x85"), Entry::Str(&[b'x'; 4096])),
        ];
        for (bytes, value) in table {
            let blob = around(1, bytes);
            assert_eq!(read(&blob), Ok(vec![(*value, Backlen::Exact)]), "{:x?}", &bytes[..2]);
        }
    }

    #[test]
    fn both_widths_of_the_disputed_sizes() {
        for (size, narrow, wide) in [
            (16_383usize, &b"\x7f\xff"[..], &b"\x00\xff\xff"[..]),
            (2_097_151, b"\x7f\xff\xff", b"\x00\xff\xff\xff"),
        ] {
            let head = [&[0xf0][..], &(size as u32 - 5).to_le_bytes()].concat();
            let with =
                |backlen: &[u8]| around(1, &[&head, &vec![b'x'; size - 5], backlen].concat());
            assert_eq!(read(&with(narrow)).unwrap()[0].1, Backlen::Narrow);
            assert_eq!(read(&with(wide)).unwrap()[0].1, Backlen::Wide);
            // Any other size has one width.
            let wrong = [&[0x00], narrow].concat();
            assert_eq!(read(&with(&wrong)), Err((Code::LpBacklen, 6 + size)));
        }
        let wide_128 = around(1, &[&b"\xe0\x7e"[..], &[b'x'; 126], b"\x00\x81\x80"].concat());
        assert_eq!(read(&wide_128), Err((Code::LpBacklen, 6 + 128)));
    }

    #[test]
    fn faults() {
        use Code::{LpBacklen, LpCount, LpEntry, LpHeader};
        // A back length of 01 ff, of which the end byte takes the second place.
        let end_byte_in_backlen = [&b"\xe0\xfd"[..], &[b'x'; 253], b"\x01"].concat();
        let table: &[(&str, &[u8], Code, usize)] = &[
            ("no bytes", b"", LpHeader, 0),
            ("end byte in back length", &around(1, &end_byte_in_backlen), LpEntry, 6),
            ("six bytes", b"\x06\0\0\0\0\0", LpHeader, 0),
            ("total too low", b"\x06\0\0\0\0\0\xff", LpHeader, 0),
            ("total too high", b"\x08\0\0\0\0\0\xff", LpHeader, 0),
            ("no end byte", b"\x07\0\0\0\0\0\xfe", LpHeader, 0),
            ("count too low", &around(0, b"\x01\x01"), LpCount, 4),
            ("count too high", &around(3, b"\x01\x01\x01\x01"), LpCount, 4),
            ("end byte too early", &around(1, b"\x01\x01\xff\x01"), LpEntry, 8),
            ("encoding f5", &around(1, b"\xf5\x01"), LpEntry, 6),
            ("encoding fe", &around(1, b"\xfe\x01"), LpEntry, 6),
            ("string to the end", &around(1, b"\x82a"), LpEntry, 6),
            ("string past the end", &around(1, b"\x8aa\x02"), LpEntry, 6),
            ("12-bit length cut", &around(1, b"\xe0"), LpEntry, 6),
            ("12-bit length past the end", &around(1, b"\xef\xffa\x02"), LpEntry, 6),
            ("32-bit length cut", &around(1, b"\xf0\x01\0\0"), LpEntry, 6),
            ("32-bit length of all ones", &around(1, b"\xf0\xff\xff\xff\xffa\x06"), LpEntry, 6),
            ("13-bit integer over the end byte", &around(1, b"\xc0"), LpEntry, 6),
            ("i64 cut", &around(1, b"\xf4\0\0\0\0\0\0"), LpEntry, 6),
            ("end byte as back length", &around(1, b"\x01"), LpEntry, 6),
            ("back length 0", &around(1, b"\x01\x00"), LpBacklen, 7),
            ("back length high", &around(2, b"\x01\x01\x81a\x03"), LpBacklen, 10),
            ("back length too wide", &around(1, b"\x01\x00\x81"), LpBacklen, 7),
        ];
        for (name, blob, code, pos) in table {
            assert_eq!(read(blob), Err((*code, *pos)), "{name}");
        }
        assert_eq!(place(entry(b"").unwrap_err(), b""), (LpEntry, 0));
    }

    #[test]
    fn an_error_stays() {
        let blob = around(2, b"\x01\x01\xf5\x01");
        let mut entries = Entries::new(&blob).unwrap();
        assert_eq!(entries.header_count(), Some(2));
        assert_eq!(entries.next_entry().unwrap(), Some((Entry::Int(1), Backlen::Exact)));
        for _ in 0..2 {
            let err = entries.next_entry().unwrap_err();
            assert_eq!(place(err, &blob), (Code::LpEntry, 8));
            assert_eq!(entries.remaining(), b"\xf5\x01\xff");
        }
    }

    #[test]
    fn a_count_of_65535_says_nothing() {
        let blob = around(u16::MAX, b"\x01\x01");
        assert_eq!(Entries::new(&blob).unwrap().header_count(), None);
        assert_eq!(read(&blob).unwrap().len(), 1);
    }

    #[test]
    fn no_damage_panics() {
        let shorter = |blob: &Vec<u8>| blob.len() < 300;
        for blob in packed_rows(SERVER).map(|(blob, _)| blob).filter(shorter) {
            for damaged in damaged(&blob) {
                let _ = read(&damaged);
            }
        }
    }
}
