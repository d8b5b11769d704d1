//! Ziplist, the packed list that Redis wrote up to 6.2 and every server still reads (FORMATS A.6).
//!
//! ```text
//! u32le total bytes | u32le offset of the last entry | u16le count | entry … | FF     count 65535: unknown
//! entry = size of the entry before | encoding | data
//!         one byte below 254, or FE and u32le; 0 for the first
//!
//! 00llllll                data  string, 6-bit length      C0+2 D0+4 E0+8   i16 i32 i64 le
//! 01llllll llllllll       data  14-bit length BE          F0+3 FE+1        i24 le, i8     (from RDB 6 on)
//! 10______ llllllll×4     data  32-bit length BE          F1..FD           0..12          (from RDB 6 on)
//! ```

mod writer;

use crate::error::{Fault, Parse};
use crate::finding::Code;

pub use super::Entry;
pub use writer::{Encodings, Writer};

/// Bytes before the first entry.
const HEADER: usize = 10;

/// The first size of an entry that the one after it states in five bytes, and the byte that says so.
const WIDE_PREVLEN: u8 = 0xfe;

/// A count in the header that says nothing.
const UNKNOWN_COUNT: u16 = u16::MAX;

/// What stands before the entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Where the last entry should start.
    pub tail: u32,
    /// How many entries there should be, unless that did not fit.
    pub count: Option<u16>,
}

/// The header of a ziplist that fills `blob`; what is left are the entries and the end byte.
pub fn header(blob: &[u8]) -> Parse<'_, Header> {
    let bad = |expected: String, found| Fault::err(Code::ZlHeader, blob, HEADER, expected, found);
    let Some((&[a, b, c, d, e, f, g, h, low, high], entries)) =
        blob.split_first_chunk::<HEADER>().filter(|(_, entries)| !entries.is_empty())
    else {
        return bad("11 bytes or more".into(), format!("{} bytes", blob.len()));
    };
    let total = u32::from_le_bytes([a, b, c, d]);
    if total as usize != blob.len() {
        return bad(format!("a total of {} bytes", blob.len()), format!("a total of {total}"));
    }
    if let Some(&last) = entries.last().filter(|&&last| last != 0xff) {
        return bad("ff as last byte".into(), format!("{last:02x}"));
    }
    let tail = u32::from_le_bytes([e, f, g, h]);
    if tail as usize >= blob.len() {
        return bad("a tail offset inside".into(), format!("{tail}"));
    }
    let count = u16::from_le_bytes([low, high]);
    let count = (count != UNKNOWN_COUNT).then_some(count);
    Ok((entries, Header { tail, count }))
}

/// One entry, which must state `before` as the size of the entry before it. `i` goes on to the end of the
/// ziplist, and the end byte must be left over.
#[inline]
pub fn entry(i: &[u8], before: usize) -> Parse<'_, Entry<'_>> {
    if let Some((stated, encoded)) = prevlen(i)
        && stated as usize == before
        && let Some((entry, rest)) = decode(encoded)
        && !rest.is_empty()
    {
        return Ok((rest, entry));
    }
    Err(entry_fault(i, before))
}

/// The size an entry states for the one before it. The five-byte form serves for small sizes too: an
/// entry that was replaced by a shorter one leaves it behind.
#[inline]
fn prevlen(i: &[u8]) -> Option<(u32, &[u8])> {
    let (&first, tail) = i.split_first()?;
    if first < WIDE_PREVLEN {
        return Some((first.into(), tail));
    }
    let (&size, tail) = tail.split_first_chunk()?;
    (first == WIDE_PREVLEN).then_some((u32::from_le_bytes(size), tail))
}

/// The value at the start of `i`, behind its prevlen, and what follows it. `None` for an encoding that
/// does not exist or data that is not there.
#[inline]
fn decode(i: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let (&first, tail) = i.split_first()?;
    let (value, tail) = match first {
        0..=0x3f => return string(first.into(), tail),
        0x40..=0x7f => {
            let (&low, tail) = tail.split_first()?;
            return string(usize::from(first & 0x3f) << 8 | usize::from(low), tail);
        }
        0x80..=0xbf => {
            let (&len, tail) = tail.split_first_chunk()?;
            return string(u32::from_be_bytes(len) as usize, tail);
        }
        0xc0 => {
            let (&bytes, tail) = tail.split_first_chunk()?;
            (i16::from_le_bytes(bytes).into(), tail)
        }
        0xd0 => {
            let (&bytes, tail) = tail.split_first_chunk()?;
            (i32::from_le_bytes(bytes).into(), tail)
        }
        0xe0 => {
            let (&bytes, tail) = tail.split_first_chunk()?;
            (i64::from_le_bytes(bytes), tail)
        }
        0xf0 => {
            let (&[a, b, c], tail) = tail.split_first_chunk()?;
            ((i32::from_le_bytes([0, a, b, c]) >> 8).into(), tail)
        }
        0xf1..=0xfd => (i64::from(first & 0x0f) - 1, tail),
        0xfe => {
            let (&byte, tail) = tail.split_first()?;
            ((byte as i8).into(), tail)
        }
        _ => return None,
    };
    Some((Entry::Int(value), tail))
}

#[inline]
fn string(len: usize, tail: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let (text, tail) = tail.split_at_checked(len)?;
    Some((Entry::Str(text), tail))
}

/// Why there is no good entry at `i`.
#[cold]
fn entry_fault(i: &[u8], before: usize) -> nom::Err<Fault> {
    let fault = |at: &[u8], len, expected: &'static str, found: String| {
        Fault::new(Code::ZlEntry, at, len, expected, found)
    };
    let ends = "an entry that ends before the end byte";
    nom::Err::Error(match (i.first(), prevlen(i)) {
        (None, _) => fault(i, 0, "an entry", "the end".into()),
        (Some(0xff), _) => fault(i, 1, "no end byte before the last byte", "ff".into()),
        (_, None) => fault(i, i.len(), ends, format!("{} bytes left", i.len())),
        (_, Some((stated, encoded))) if stated as usize != before => {
            let (len, expected) = (i.len() - encoded.len(), format!("{before} as size before"));
            Fault::new(Code::ZlPrevlen, i, len, expected, format!("{stated}"))
        }
        (_, Some((_, encoded))) => match encoded.first() {
            Some(first @ (0xc1..=0xcf | 0xd1..=0xdf | 0xe1..=0xef | 0xff)) => {
                fault(encoded, 1, "an encoding byte", format!("{first:02x}"))
            }
            _ => fault(i, i.len(), ends, format!("one that needs more than {} bytes", i.len())),
        },
    })
}

/// Walks a ziplist, checking all of it on the way.
#[derive(Debug, Clone)]
pub struct Entries<'a> {
    blob: &'a [u8],
    rest: &'a [u8],
    header: Header,
    /// The size of the entry before `rest`, 0 if there is none.
    before: usize,
    seen: usize,
}

impl<'a> Entries<'a> {
    /// The entries of the ziplist that fills `blob`, whose header must be right.
    pub fn new(blob: &'a [u8]) -> Result<Self, nom::Err<Fault>> {
        let (rest, header) = header(blob)?;
        Ok(Entries { blob, rest, header, before: 0, seen: 0 })
    }

    /// The next entry; `None` at the end, if that is where the header says and there were as many. After
    /// an error it returns that error again.
    #[inline]
    pub fn next_entry(&mut self) -> Result<Option<Entry<'a>>, nom::Err<Fault>> {
        // The last byte is the end byte, or there would be no `Entries`.
        if self.rest.len() <= 1 {
            return self.end();
        }
        let (rest, entry) = entry(self.rest, self.before)?;
        self.before = self.rest.len() - rest.len();
        self.rest = rest;
        self.seen += 1;
        Ok(Some(entry))
    }

    fn end(&self) -> Result<Option<Entry<'a>>, nom::Err<Fault>> {
        let tail = self.blob.len() - self.rest.len() - self.before;
        if self.header.tail as usize != tail {
            let at = self.blob.get(4..).unwrap_or_default();
            let expected = format!("{tail} as offset of the last entry");
            return Fault::err(Code::ZlTail, at, 4, expected, format!("{}", self.header.tail));
        }
        match self.header.count {
            Some(count) if usize::from(count) != self.seen => {
                let at = self.blob.get(8..).unwrap_or_default();
                let expected = format!("a count of {}, as there are entries", self.seen);
                Fault::err(Code::ZlCount, at, 2, expected, format!("{count}"))
            }
            _ => Ok(None),
        }
    }

    /// What has not been read: a suffix of the ziplist that starts with the next entry or the end byte.
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

    const SERVER: &str = include_str!("../../testdata/ziplist/redis-6.2.5.tsv");

    /// All of a ziplist, or the fault and its place.
    fn read(blob: &[u8]) -> Result<Vec<Entry<'_>>, (Code, usize)> {
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

    /// A ziplist around `entries`.
    fn around(tail: u32, count: u16, entries: &[u8]) -> Vec<u8> {
        let total = (entries.len() + 11) as u32;
        let header = [&total.to_le_bytes()[..], &tail.to_le_bytes(), &count.to_le_bytes()].concat();
        [&header, entries, &[0xff]].concat()
    }

    #[test]
    fn reads_what_a_server_wrote() {
        for (blob, elements) in packed_rows(SERVER) {
            let entries: Vec<_> =
                elements.iter().map(|element| Entry::from_text(element)).collect();
            assert_eq!(read(&blob), Ok(entries));
        }
    }

    #[test]
    fn every_encoding() {
        let long = |len: usize, head: &[u8]| [head, &vec![b'x'; len]].concat();
        let int = Entry::Int;
        let table: &[(&[u8], Entry<'_>)] = &[
            (b"\0\x00", Entry::Str(b"")),
            (&long(63, b"\0\x3f"), Entry::Str(&[b'x'; 63])),
            (b"\0\x40\x01a", Entry::Str(b"a")),
            (&long(0x3fff, b"\0\x7f\xff"), Entry::Str(&[b'x'; 0x3fff])),
            (b"\0\x80\0\0\0\x01a", Entry::Str(b"a")),
            (b"\0\xbf\0\0\0\x01a", Entry::Str(b"a")),
            (&long(0x4000, b"\0\x80\0\0\x40\0"), Entry::Str(&[b'x'; 0x4000])),
            (b"\0\xc0\x00\x80", int(-32768)),
            (b"\0\xd0\x00\x00\x00\x80", int(-2_147_483_648)),
            (b"\0\xe0\xff\xff\xff\xff\xff\xff\xff\x7f", int(i64::MAX)),
            (b"\0\xf0\x00\x00\x80", int(-8_388_608)),
            (b"\0\xf0\x05\x00\x00", int(5)),
            (b"\0\xfe\x80", int(-128)),
            (b"\0\xf1", int(0)),
            (b"\0\xfd", int(12)),
            (b"\xfe\0\0\0\0\xfd", int(12)),
        ];
        for (bytes, value) in table {
            assert_eq!(read(&around(10, 1, bytes)), Ok(vec![*value]), "{:x?}", &bytes[..2]);
        }
    }

    #[test]
    fn a_prevlen_may_be_wide_without_need_and_must_be_from_254_on() {
        let first = |len: u8| [&[0, 0x40, len][..], &vec![b'x'; len.into()]].concat();
        let read = |len: u8, prevlen: &[u8]| {
            let blob = around(13 + u32::from(len), 2, &[&first(len), prevlen, b"\xf1"].concat());
            read(&blob).map(|entries| entries.len())
        };
        assert_eq!(read(250, b"\xfd"), Ok(2));
        assert_eq!(read(250, b"\xfe\xfd\0\0\0"), Ok(2));
        assert_eq!(read(251, b"\xfe\xfe\0\0\0"), Ok(2));
        assert_eq!(read(251, b"\xfe\xff\0\0\0"), Err((Code::ZlPrevlen, 10 + 254)));
        assert_eq!(read(250, b"\xfc"), Err((Code::ZlPrevlen, 10 + 253)));
    }

    #[test]
    fn faults() {
        use Code::{ZlCount, ZlEntry, ZlHeader, ZlPrevlen, ZlTail};
        let table: &[(&str, &[u8], Code, usize)] = &[
            ("no bytes", b"", ZlHeader, 0),
            ("ten bytes", b"\x0a\0\0\0\x0a\0\0\0\0\0", ZlHeader, 0),
            ("total too low", b"\x0a\0\0\0\x0a\0\0\0\0\0\xff", ZlHeader, 0),
            ("total too high", b"\x0c\0\0\0\x0a\0\0\0\0\0\xff", ZlHeader, 0),
            ("no end byte", b"\x0b\0\0\0\x0a\0\0\0\0\0\xfe", ZlHeader, 0),
            ("tail of none", &around(11, 0, b""), ZlHeader, 0),
            ("tail at the first of two", &around(10, 2, b"\0\xf1\x02\xf1"), ZlTail, 4),
            ("tail past the end", &around(99, 1, b"\0\xf1"), ZlHeader, 0),
            ("count too low", &around(10, 0, b"\0\xf1"), ZlCount, 8),
            ("count too high", &around(12, 3, b"\0\xf1\x02\xf1"), ZlCount, 8),
            ("prevlen of the first", &around(10, 1, b"\x01\xf1"), ZlPrevlen, 10),
            ("prevlen of the second", &around(12, 2, b"\0\xf1\x03\xf1"), ZlPrevlen, 12),
            ("wide prevlen cut", &around(10, 1, b"\xfe\0\0"), ZlEntry, 10),
            ("wide prevlen wrong", &around(10, 1, b"\xfe\0\0\0\x01\xf1"), ZlPrevlen, 10),
            ("end byte too early", &around(12, 2, b"\0\xf1\xff\xf1"), ZlEntry, 12),
            ("no encoding", &around(10, 1, b"\0"), ZlEntry, 11),
            ("encoding c1", &around(10, 1, b"\0\xc1\0\0"), ZlEntry, 11),
            ("encoding ff", &around(10, 1, b"\0\xff\0\0"), ZlEntry, 11),
            ("string to the end", &around(10, 1, b"\0\x02a"), ZlEntry, 10),
            ("string past the end", &around(10, 1, b"\0\x3fa"), ZlEntry, 10),
            ("14-bit length cut", &around(10, 1, b"\0\x40"), ZlEntry, 10),
            ("32-bit length cut", &around(10, 1, b"\0\x80\0\0"), ZlEntry, 10),
            ("32-bit length of all ones", &around(10, 1, b"\0\x80\xff\xff\xff\xff"), ZlEntry, 10),
            ("i64 cut", &around(10, 1, b"\0\xe0\0\0\0\0\0\0"), ZlEntry, 10),
            ("i8 over the end byte", &around(10, 1, b"\0\xfe"), ZlEntry, 10),
        ];
        for (name, blob, code, pos) in table {
            assert_eq!(read(blob), Err((*code, *pos)), "{name}");
        }
        assert_eq!(place(entry(b"", 0).unwrap_err(), b""), (ZlEntry, 0));
    }

    #[test]
    fn an_empty_one_and_a_count_of_65535() {
        assert_eq!(read(&around(10, 0, b"")), Ok(vec![]));
        let blob = around(10, u16::MAX, b"\0\xf1");
        assert_eq!(Entries::new(&blob).unwrap().header_count(), None);
        assert_eq!(read(&blob), Ok(vec![Entry::Int(0)]));
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
