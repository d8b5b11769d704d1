//! Zipmap, the small hash of Redis 2.4 and before (FORMATS A.6): every server reads it, none writes it.
//!
//! ```text
//! u8 count | { length field | length free:u8 value, free unused bytes } … | FF      count 254: unknown
//! length = one byte below 254, or FE and u32le
//! ```

use crate::error::{Fault, Parse};
use crate::finding::Code;

/// The first length that is written in five bytes, the byte that says so, and the first count that does
/// not fit.
const WIDE: u8 = 0xfe;

/// A field and its value.
pub type Pair<'a> = (&'a [u8], &'a [u8]);

/// Walks a zipmap, checking all of it on the way.
#[derive(Debug, Clone)]
pub struct Pairs<'a> {
    blob: &'a [u8],
    rest: &'a [u8],
    count: Option<u8>,
    seen: usize,
}

/// What ends a zipmap.
const END: u8 = 0xff;

impl<'a> Pairs<'a> {
    /// The pairs of the zipmap that fills `blob`.
    pub fn new(blob: &'a [u8]) -> Result<Self, nom::Err<Fault>> {
        let Some((&count, rest)) = blob.split_first().filter(|(_, rest)| !rest.is_empty()) else {
            let found = format!("{} bytes", blob.len());
            return Fault::err(Code::ZipmapEntry, blob, 1, "2 bytes or more", found);
        };
        if let [.., last] = *rest
            && last != 0xff
        {
            let at = &rest[rest.len() - 1..];
            return Fault::err(Code::ZipmapEntry, at, 1, "ff as last byte", format!("{last:02x}"));
        }
        Ok(Pairs { blob, rest, count: (count < WIDE).then_some(count), seen: 0 })
    }

    /// The next field and its value; `None` at the end, if there were as many as the first byte says and
    /// at least one. After an error it returns that error again.
    #[inline]
    pub fn next_pair(&mut self) -> Result<Option<Pair<'a>>, nom::Err<Fault>> {
        if self.rest.len() <= 1 {
            return self.end();
        }
        if self.rest.first() == Some(&END) {
            let found = format!("{} bytes more", self.rest.len() - 1);
            let len = self.rest.len();
            return Fault::err(
                Code::ValueTrailing,
                self.rest,
                len,
                "nothing after the end byte",
                found,
            );
        }
        let (rest, pair) = pair(self.rest)?;
        self.rest = rest;
        self.seen += 1;
        Ok(Some(pair))
    }

    fn end(&self) -> Result<Option<Pair<'a>>, nom::Err<Fault>> {
        if self.seen == 0 {
            return Fault::err(Code::ZipmapCount, self.blob, 1, "a pair or more", "none");
        }
        match self.count {
            Some(count) if usize::from(count) != self.seen => {
                let expected = format!("a count of {}, as there are pairs", self.seen);
                Fault::err(Code::ZipmapCount, self.blob, 1, expected, format!("{count}"))
            }
            _ => Ok(None),
        }
    }

    /// What has not been read: a suffix of the zipmap that starts with the next pair or the end byte.
    pub fn remaining(&self) -> &'a [u8] {
        self.rest
    }

    /// How many pairs the first byte says there are, unless that did not fit.
    pub fn header_count(&self) -> Option<u8> {
        self.count
    }

    /// How many pairs have been read.
    pub fn seen(&self) -> usize {
        self.seen
    }
}

/// One pair. `i` goes on to the end of the zipmap, and the end byte must be left over.
fn pair(i: &[u8]) -> Parse<'_, Pair<'_>> {
    let (rest, len) = length(i)?;
    let Some((field, rest)) = rest.split_at_checked(len) else { return outside(i) };
    let (rest, len) = length(rest)?;
    let Some((&free, rest)) = rest.split_first() else { return outside(i) };
    let Some((value, rest)) = rest.split_at_checked(len) else { return outside(i) };
    match rest.get(free.into()..) {
        None | Some([]) => outside(i),
        Some(rest) => Ok((rest, (field, value))),
    }
}

#[cold]
fn outside(i: &[u8]) -> Parse<'_, Pair<'_>> {
    let found = format!("one that needs more than the {} bytes left", i.len());
    Fault::err(Code::ZipmapEntry, i, i.len(), "a pair that ends before the end byte", found)
}

/// The length of a field or value.
fn length(i: &[u8]) -> Parse<'_, usize> {
    const ENTRY: Code = Code::ZipmapEntry;
    let Some((&first, rest)) = i.split_first() else {
        return Fault::err(ENTRY, i, 0, "a length", "the end");
    };
    match first {
        0xff => Fault::err(ENTRY, i, 1, "a length", "ff, the end byte"),
        WIDE => {
            let Some((&bytes, rest)) = rest.split_first_chunk() else {
                return Fault::err(ENTRY, i, i.len(), "a length of 5 bytes", "the end");
            };
            let len = u32::from_le_bytes(bytes);
            // Servers of today refuse a short length in the long form.
            if len < WIDE.into() {
                return Fault::err(
                    ENTRY,
                    i,
                    5,
                    "a length from 254 on",
                    format!("{len} in 5 bytes"),
                );
            }
            Ok((rest, len as usize))
        }
        len => Ok((rest, len.into())),
    }
}

/// A zipmap being built.
#[derive(Debug)]
pub struct Writer {
    /// The zipmap without its end byte; the first byte is written last.
    bytes: Vec<u8>,
    count: usize,
}

impl Default for Writer {
    fn default() -> Self {
        Writer::new()
    }
}

impl Writer {
    /// An empty one, which no server reads before it has a pair.
    pub fn new() -> Self {
        Writer { bytes: vec![0], count: 0 }
    }

    /// Appends a field, which is not in it yet, and its value.
    pub fn push(&mut self, field: &[u8], value: &[u8]) {
        self.push_length(field.len());
        self.bytes.extend_from_slice(field);
        self.push_length(value.len());
        self.bytes.push(0);
        self.bytes.extend_from_slice(value);
        self.count += 1;
    }

    fn push_length(&mut self, len: usize) {
        match u8::try_from(len) {
            Ok(len) if len < WIDE => self.bytes.push(len),
            _ => {
                self.bytes.push(WIDE);
                self.bytes.extend_from_slice(&(len as u32).to_le_bytes());
            }
        }
    }

    /// How many pairs it has.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The finished zipmap.
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.push(0xff);
        self.bytes[0] = u8::try_from(self.count).unwrap_or(WIDE).min(WIDE);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::encoding::testing::{damaged, packed_rows, place};

    const SERVER: &str = include_str!("../../testdata/zipmap/redis-2.4.18.tsv");

    fn read(blob: &[u8]) -> Result<Vec<Pair<'_>>, (Code, usize)> {
        let fault = |err| place(err, blob);
        let mut pairs = Pairs::new(blob).map_err(fault)?;
        let mut all = Vec::new();
        while let Some(pair) = pairs.next_pair().map_err(fault)? {
            all.push(pair);
        }
        assert_eq!(pairs.seen(), all.len());
        assert_eq!(pairs.remaining(), [0xff]);
        Ok(all)
    }

    #[test]
    fn reads_and_writes_what_a_server_wrote() {
        for (blob, elements) in packed_rows(SERVER) {
            let pairs: Vec<_> = elements.chunks(2).map(|pair| (&*pair[0], &*pair[1])).collect();
            assert_eq!(read(&blob), Ok(pairs.clone()));
            let mut writer = Writer::new();
            pairs.iter().for_each(|(field, value)| writer.push(field, value));
            assert_eq!(writer.finish(), blob);
        }
    }

    #[test]
    fn free_bytes_and_long_lengths() {
        let x = [b'x'; 254];
        let long = [&b"\x01\x01a\xfe\xfe\0\0\0\x01"[..], &x, b"!\xff"].concat();
        let table: &[(&[u8], &[u8], &[u8])] = &[
            (b"\x01\x01a\x01\x00b\xff", b"a", b"b"),
            (b"\x01\x01a\x01\x03b\0\0\0\xff", b"a", b"b"),
            (b"\x01\x00\x00\x00\xff", b"", b""),
            (b"\xfe\x01a\x01\x00b\xff", b"a", b"b"),
            (b"\xff\x01a\x01\x00b\xff", b"a", b"b"),
            (&long, b"a", &x),
        ];
        for (blob, field, value) in table {
            assert_eq!(read(blob), Ok(vec![(*field, *value)]), "{blob:x?}");
        }
    }

    #[test]
    fn faults() {
        use Code::{ValueTrailing, ZipmapCount, ZipmapEntry};
        let short_in_long_form =
            [&b"\x01\xfe\xfd\0\0\0"[..], &[b'x'; 253], b"\x01\0b\xff"].concat();
        let table: &[(&str, &[u8], Code, usize)] = &[
            ("no bytes", b"", ZipmapEntry, 0),
            ("one byte", b"\xff", ZipmapEntry, 0),
            ("no end byte", b"\x01\x01a\x01\0b\xfe", ZipmapEntry, 6),
            ("empty", b"\x00\xff", ZipmapCount, 0),
            ("empty, unknown count", b"\xfe\xff", ZipmapCount, 0),
            ("count too low", b"\x00\x01a\x01\0b\xff", ZipmapCount, 0),
            ("count too high", b"\x02\x01a\x01\0b\xff", ZipmapCount, 0),
            ("end byte too early", b"\x01\x01a\x01\0b\xff\xff", ValueTrailing, 6),
            ("field past the end", b"\x01\x09a\x01\0b\xff", ZipmapEntry, 1),
            ("no value", b"\x01\x01a\xff", ZipmapEntry, 3),
            ("value past the end", b"\x01\x01a\x02\0b\xff", ZipmapEntry, 1),
            ("end byte as free", b"\x01\x01a\x01\xff", ZipmapEntry, 1),
            ("free past the end", b"\x01\x01a\x01\x01b\xff", ZipmapEntry, 1),
            ("long length over the end", b"\x01\xfe\0\0\xff", ZipmapEntry, 1),
            ("short length in long form", b"\x01\xfe\x01\0\0\0a\x01\0b\xff", ZipmapEntry, 1),
            ("253 in long form", &short_in_long_form, ZipmapEntry, 1),
            ("length of all ones", b"\x01\xfe\xff\xff\xff\xff\xff", ZipmapEntry, 1),
        ];
        for (name, blob, code, pos) in table {
            assert_eq!(read(blob), Err((*code, *pos)), "{name}");
        }
    }

    #[test]
    fn no_damage_panics() {
        for (blob, _) in packed_rows(SERVER) {
            for damaged in damaged(&blob) {
                let _ = read(&damaged);
            }
        }
    }

    proptest! {
        #[test]
        fn round_trips(elements in vec((vec(any::<u8>(), 0..300), vec(any::<u8>(), 0..300)), 1..20)) {
            let mut writer = Writer::new();
            elements.iter().for_each(|(field, value)| writer.push(field, value));
            prop_assert_eq!(writer.len(), elements.len());
            let blob = writer.finish();
            let pairs: Vec<_> = elements.iter().map(|(field, value)| (&**field, &**value)).collect();
            prop_assert_eq!(read(&blob), Ok(pairs));
        }

        #[test]
        fn counts(count in 250..260usize) {
            let mut writer = Writer::new();
            (0..count).for_each(|_| writer.push(b"", b""));
            let blob = writer.finish();
            prop_assert_eq!(blob[0], count.min(254) as u8);
            prop_assert_eq!(read(&blob).map(|pairs| pairs.len()), Ok(count));
        }
    }
}
