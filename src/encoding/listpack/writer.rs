//! Builds a listpack.

use super::{Entry, HEADER, UNKNOWN_COUNT, backlen_byte, backlen_width, has_two_widths};

/// How wide to write the back length of entries for which servers disagree: see [`super::Backlen`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BacklenWidth {
    /// For Redis up to 8.6 and Valkey up to 8.1.
    Wide,
    /// For Redis 8.8 and Valkey 9.1.
    Narrow,
}

/// A listpack being built. The caller keeps it below [`super::MAX_LEN`] bytes, as servers do.
#[derive(Debug)]
pub struct Writer {
    width: BacklenWidth,
    /// The listpack without its end byte; the header is written last.
    bytes: Vec<u8>,
    count: usize,
}

impl Writer {
    /// An empty one.
    pub fn new(width: BacklenWidth) -> Self {
        Writer { width, bytes: vec![0; HEADER], count: 0 }
    }

    /// Appends `text`, as an integer if it is the canonical decimal of one.
    pub fn push(&mut self, text: &[u8]) {
        self.push_entry(Entry::from_text(text));
    }

    /// Appends an entry in the way it says, in the shortest form.
    pub fn push_entry(&mut self, entry: Entry<'_>) {
        append_entry(entry, self.width, &mut self.bytes);
        self.count += 1;
    }

    /// Appends an integer.
    pub fn push_int(&mut self, value: i64) {
        self.push_entry(Entry::Int(value));
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many bytes the finished listpack would have.
    pub fn byte_len(&self) -> usize {
        self.bytes.len() + 1
    }

    /// The finished listpack.
    pub fn finish(mut self) -> Vec<u8> {
        self.seal();
        self.bytes
    }

    /// Appends the finished listpack to `out` and starts an empty one in the same memory.
    pub fn finish_into(&mut self, out: &mut Vec<u8>) {
        self.seal();
        out.extend_from_slice(&self.bytes);
        self.bytes.truncate(HEADER);
        self.count = 0;
    }

    fn seal(&mut self) {
        self.bytes.push(0xff);
        let total = (self.bytes.len() as u32).to_le_bytes();
        let count = u16::try_from(self.count).unwrap_or(UNKNOWN_COUNT).to_le_bytes();
        self.bytes[..4].copy_from_slice(&total);
        self.bytes[4..HEADER].copy_from_slice(&count);
    }
}

/// Appends the bytes of one entry, in the way it says and in the shortest form: encoding, data and back
/// length. For those who change a listpack in place.
#[inline]
pub fn append_entry(entry: Entry<'_>, width: BacklenWidth, out: &mut Vec<u8>) {
    let start = out.len();
    match entry {
        Entry::Int(value) => append_int(value, out),
        Entry::Str(text) => append_str(text, out),
    }
    let size = out.len() - start;
    if let 0..=0x7f = size {
        return out.push(size as u8);
    }
    let wider = width == BacklenWidth::Wide && has_two_widths(size);
    let width = backlen_width(size) + usize::from(wider);
    out.extend((0..width).map(|at| backlen_byte(size, width, at)));
}

/// Bytes that [`append_entry`] adds, at most.
#[inline]
pub fn entry_room(entry: &Entry<'_>) -> usize {
    match entry {
        Entry::Int(_) => 10,
        Entry::Str(text) => text.len() + 10,
    }
}

fn append_int(value: i64, out: &mut Vec<u8>) {
    let le = value.to_le_bytes();
    let (encoding, bytes) = match value {
        0..=0x7f => return out.push(le[0]),
        -0x1000..=0xfff => return out.extend_from_slice(&[0xc0 | le[1] & 0x1f, le[0]]),
        -0x8000..=0x7fff => (0xf1, &le[..2]),
        -0x80_0000..=0x7f_ffff => (0xf2, &le[..3]),
        -0x8000_0000..=0x7fff_ffff => (0xf3, &le[..4]),
        _ => (0xf4, &le[..]),
    };
    out.push(encoding);
    out.extend_from_slice(bytes);
}

fn append_str(text: &[u8], out: &mut Vec<u8>) {
    let [low, high, ..] = text.len().to_le_bytes();
    match text.len() {
        0..=0x3f => out.push(0x80 | low),
        0x40..=0xfff => out.extend_from_slice(&[0xe0 | high, low]),
        len => {
            out.push(0xf0);
            out.extend_from_slice(&(len as u32).to_le_bytes());
        }
    }
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::encoding::listpack::{Backlen, Entries};
    use crate::encoding::testing::packed_rows;

    const SERVER: &str = include_str!("../../../testdata/listpack/redis-7.0.15.tsv");

    #[test]
    fn writes_what_a_server_wrote() {
        let mut reused = Writer::new(BacklenWidth::Narrow);
        let mut out = Vec::new();
        for (blob, elements) in packed_rows(SERVER) {
            let mut writer = Writer::new(BacklenWidth::Wide);
            for element in &elements {
                writer.push(element);
                reused.push(element);
            }
            assert_eq!(writer.len(), elements.len());
            assert_eq!(writer.byte_len(), blob.len());
            assert_eq!(writer.finish(), blob);
            out.clear();
            reused.finish_into(&mut out);
            assert_eq!(out, blob);
            assert!(reused.is_empty());
        }
        assert_eq!(Writer::new(BacklenWidth::Wide).finish(), b"\x07\0\0\0\0\0\xff");
    }

    #[test]
    fn the_width_asked_for() {
        for size in [127, 128, 16_382, 16_383, 16_384, 2_097_150, 2_097_151, 2_097_152] {
            let text = vec![b'x'; size - if size < 4098 { 2 } else { 5 }];
            let read = |width| {
                let mut writer = Writer::new(width);
                writer.push(&text);
                writer.push(b"1");
                let blob = writer.finish();
                let mut entries = Entries::new(&blob).unwrap();
                let (entry, backlen) = entries.next_entry().unwrap().unwrap();
                assert!(entry == Entry::Str(&text), "{size}");
                assert!(entries.next_entry().unwrap().is_some());
                assert!(entries.next_entry().unwrap().is_none());
                backlen
            };
            let widths = (read(BacklenWidth::Wide), read(BacklenWidth::Narrow));
            let expected = match size {
                16_383 | 2_097_151 => (Backlen::Wide, Backlen::Narrow),
                _ => (Backlen::Exact, Backlen::Exact),
            };
            assert_eq!(widths, expected, "{size}");
        }
    }

    #[test]
    fn a_count_that_does_not_fit_is_not_stated() {
        for (count, stated) in [(65_534, Some(65_534)), (65_535, None), (65_536, None)] {
            let mut writer = Writer::new(BacklenWidth::Wide);
            (0..count).for_each(|_| writer.push_int(1));
            let blob = writer.finish();
            let mut entries = Entries::new(&blob).unwrap();
            assert_eq!(entries.header_count(), stated);
            while entries.next_entry().unwrap().is_some() {}
            assert_eq!(entries.seen(), count);
        }
    }

    proptest! {
        #[test]
        fn round_trips(
            elements in vec(
                prop_oneof![
                    vec(any::<u8>(), 0..300),
                    "-?[0-9]{1,21}".prop_map(String::into_bytes),
                    (any::<i64>(), 0..64u32).prop_map(|(n, s)| (n >> s).to_string().into_bytes()),
                    (4000..4200usize).prop_map(|len| vec![b'y'; len]),
                ],
                0..20,
            ),
        ) {
            let mut writer = Writer::new(BacklenWidth::Wide);
            elements.iter().for_each(|element| writer.push(element));
            let blob = writer.finish();
            let mut entries = Entries::new(&blob).unwrap();
            for element in &elements {
                let (entry, _) = entries.next_entry().unwrap().unwrap();
                prop_assert_eq!(entry, Entry::from_text(element));
            }
            prop_assert!(entries.next_entry().unwrap().is_none());
        }
    }
}
