//! Builds a ziplist, for servers before 7.0.

use super::{Entry, HEADER, UNKNOWN_COUNT, WIDE_PREVLEN};

/// Which integer encodings the reader of a ziplist knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encodings {
    /// All: RDB versions from 6 on.
    All,
    /// Those of 16, 32 and 64 bits: RDB versions up to 5.
    Old,
}

/// A ziplist being built. Its offsets have 32 bits; servers keep it far shorter.
#[derive(Debug)]
pub struct Writer {
    encodings: Encodings,
    /// The ziplist without its end byte; the header is written last.
    bytes: Vec<u8>,
    /// Where the last entry starts.
    tail: usize,
    count: usize,
}

impl Writer {
    /// An empty one.
    pub fn new(encodings: Encodings) -> Self {
        Writer { encodings, bytes: vec![0; HEADER], tail: HEADER, count: 0 }
    }

    /// Appends `text`, as an integer if it is the canonical decimal of one.
    pub fn push(&mut self, text: &[u8]) {
        self.push_entry(Entry::from_text(text));
    }

    /// Appends an entry in the way it says, in the shortest form.
    pub fn push_entry(&mut self, entry: Entry<'_>) {
        let before = self.bytes.len() - self.tail;
        self.tail = self.bytes.len();
        match u8::try_from(before) {
            Ok(size) if size < WIDE_PREVLEN => self.bytes.push(size),
            _ => {
                self.bytes.push(WIDE_PREVLEN);
                self.bytes.extend_from_slice(&(before as u32).to_le_bytes());
            }
        }
        match entry {
            Entry::Int(value) => self.encode_int(value),
            Entry::Str(text) => self.encode_str(text),
        }
        self.count += 1;
    }

    fn encode_int(&mut self, value: i64) {
        let all = self.encodings == Encodings::All;
        let le = value.to_le_bytes();
        let (encoding, width) = match value {
            0..=12 if all => (0xf1 + le[0], 0),
            -0x80..=0x7f if all => (0xfe, 1),
            -0x8000..=0x7fff => (0xc0, 2),
            -0x80_0000..=0x7f_ffff if all => (0xf0, 3),
            -0x8000_0000..=0x7fff_ffff => (0xd0, 4),
            _ => (0xe0, 8),
        };
        self.bytes.push(encoding);
        self.bytes.extend_from_slice(&le[..width]);
    }

    fn encode_str(&mut self, text: &[u8]) {
        let [low, high, ..] = text.len().to_le_bytes();
        match text.len() {
            0..=0x3f => self.bytes.push(low),
            0x40..=0x3fff => self.bytes.extend_from_slice(&[0x40 | high, low]),
            len => {
                self.bytes.push(0x80);
                self.bytes.extend_from_slice(&(len as u32).to_be_bytes());
            }
        }
        self.bytes.extend_from_slice(text);
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many bytes the finished ziplist would have.
    pub fn byte_len(&self) -> usize {
        self.bytes.len() + 1
    }

    /// The finished ziplist.
    pub fn finish(mut self) -> Vec<u8> {
        self.seal();
        self.bytes
    }

    /// Appends the finished ziplist to `out` and starts an empty one in the same memory.
    pub fn finish_into(&mut self, out: &mut Vec<u8>) {
        self.seal();
        out.extend_from_slice(&self.bytes);
        self.bytes.truncate(HEADER);
        self.tail = HEADER;
        self.count = 0;
    }

    fn seal(&mut self) {
        self.bytes.push(0xff);
        let total = (self.bytes.len() as u32).to_le_bytes();
        let count = u16::try_from(self.count).unwrap_or(UNKNOWN_COUNT).to_le_bytes();
        self.bytes[..4].copy_from_slice(&total);
        self.bytes[4..8].copy_from_slice(&(self.tail as u32).to_le_bytes());
        self.bytes[8..HEADER].copy_from_slice(&count);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::encoding::testing::packed_rows;
    use crate::encoding::ziplist::Entries;

    const SERVER: &str = include_str!("../../../testdata/ziplist/redis-6.2.5.tsv");

    #[test]
    fn writes_what_a_server_wrote() {
        let mut reused = Writer::new(Encodings::All);
        let mut out = Vec::new();
        for (blob, elements) in packed_rows(SERVER) {
            let mut writer = Writer::new(Encodings::All);
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
        assert_eq!(Writer::new(Encodings::All).finish(), b"\x0b\0\0\0\x0a\0\0\0\0\0\xff");
    }

    #[test]
    fn old_readers_get_the_encodings_they_know() {
        let table: &[(&[u8], &[u8])] = &[
            (b"0", b"\0\xc0\0\0"),
            (b"12", b"\0\xc0\x0c\0"),
            (b"-128", b"\0\xc0\x80\xff"),
            (b"8388607", b"\0\xd0\xff\xff\x7f\0"),
            (b"-8388608", b"\0\xd0\0\0\x80\xff"),
            (b"2147483648", b"\0\xe0\0\0\0\x80\0\0\0\0"),
        ];
        for (text, bytes) in table {
            let mut writer = Writer::new(Encodings::Old);
            writer.push(text);
            let blob = writer.finish();
            assert_eq!(blob.get(HEADER..blob.len() - 1), Some(*bytes));
        }
    }

    #[test]
    fn a_count_that_does_not_fit_is_not_stated() {
        for (count, stated) in [(65_534, Some(65_534)), (65_535, None), (65_536, None)] {
            let mut writer = Writer::new(Encodings::All);
            (0..count).for_each(|_| writer.push(b"1"));
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
                    (16_300..16_500usize).prop_map(|len| vec![b'y'; len]),
                ],
                0..20,
            ),
            old: bool,
        ) {
            let mut writer = Writer::new(if old { Encodings::Old } else { Encodings::All });
            elements.iter().for_each(|element| writer.push(element));
            let blob = writer.finish();
            let mut entries = Entries::new(&blob).unwrap();
            for element in &elements {
                let entry = entries.next_entry().unwrap().unwrap();
                prop_assert_eq!(entry, Entry::from_text(element));
            }
            prop_assert!(entries.next_entry().unwrap().is_none());
        }
    }
}
