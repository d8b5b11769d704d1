//! Builds RDB files by hand, byte by byte: a slow, clear second implementation of FORMATS.md A that
//! shares no line with the crate, so that a mistake in one does not hide in the other.
//!
//! [`Bytes`] appends the primitive forms, [`lp`], [`zl`], [`intset`] and [`zipmap`] make the packed
//! blobs, and [`Rdb`] puts records into a file and closes it with EOF and CRC-64. Nothing is checked
//! or corrected here: the damaged samples are made with the same functions.

use crc::{CRC_64_REDIS, Crc};

const CRC64: Crc<u64> = Crc::<u64>::new(&CRC_64_REDIS);

/// Bytes in the making; every method appends one thing and hands itself on.
#[derive(Default, Clone)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

/// An empty beginning.
pub(crate) fn b() -> Bytes {
    Bytes::default()
}

impl Bytes {
    pub(crate) fn raw(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.extend_from_slice(bytes.as_ref());
        self
    }

    pub(crate) fn u8(self, n: u8) -> Self {
        self.raw([n])
    }

    pub(crate) fn u32le(self, n: u32) -> Self {
        self.raw(n.to_le_bytes())
    }

    pub(crate) fn i32le(self, n: i32) -> Self {
        self.raw(n.to_le_bytes())
    }

    pub(crate) fn i64le(self, n: i64) -> Self {
        self.raw(n.to_le_bytes())
    }

    pub(crate) fn f32le(self, n: f32) -> Self {
        self.raw(n.to_le_bytes())
    }

    pub(crate) fn f64le(self, n: f64) -> Self {
        self.raw(n.to_le_bytes())
    }

    /// A length in the shortest of its four forms.
    pub(crate) fn len(self, n: u64) -> Self {
        match n {
            0..=0x3f => self.u8(n as u8),
            0x40..=0x3fff => self.len14(n as u16),
            0x4000..=0xffff_ffff => self.len32(n as u32),
            _ => self.len64(n),
        }
    }

    pub(crate) fn len14(self, n: u16) -> Self {
        self.raw((0x4000 | n).to_be_bytes())
    }

    pub(crate) fn len32(self, n: u32) -> Self {
        self.u8(0x80).raw(n.to_be_bytes())
    }

    pub(crate) fn len64(self, n: u64) -> Self {
        self.u8(0x81).raw(n.to_be_bytes())
    }

    /// A plain string: length and bytes, never an integer or compressed form.
    pub(crate) fn str(self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.len(bytes.len() as u64).raw(bytes)
    }

    /// A compressed string: the LZF stream as given, and the length it is said to expand to.
    pub(crate) fn lzf(self, compressed: &[u8], len: u64) -> Self {
        self.u8(0xc3).len(compressed.len() as u64).len(len).raw(compressed)
    }

    /// The 16 raw bytes of a stream id: two big-endian numbers.
    pub(crate) fn id(self, ms: u64, seq: u64) -> Self {
        self.raw(ms.to_be_bytes()).raw(seq.to_be_bytes())
    }

    /// A stream id as two lengths.
    pub(crate) fn id_len(self, ms: u64, seq: u64) -> Self {
        self.len(ms).len(seq)
    }
}

/// A file in the making.
pub(crate) struct Rdb(Bytes);

impl Rdb {
    /// Nine bytes of magic and version, as given.
    pub(crate) fn magic(nine: &str) -> Rdb {
        Rdb(b().raw(nine))
    }

    /// `REDIS` and four digits.
    pub(crate) fn redis(version: u32) -> Rdb {
        Rdb::magic(&format!("REDIS{version:04}"))
    }

    /// `VALKEY` and three digits.
    pub(crate) fn valkey(version: u32) -> Rdb {
        Rdb::magic(&format!("VALKEY{version:03}"))
    }

    /// Any bytes: an opcode with its payload, or nonsense.
    pub(crate) fn raw(self, bytes: impl AsRef<[u8]>) -> Rdb {
        Rdb(self.0.raw(bytes))
    }

    pub(crate) fn aux(self, key: &str, value: &str) -> Rdb {
        Rdb(self.0.u8(250).str(key).str(value))
    }

    pub(crate) fn db(self, db: u64) -> Rdb {
        Rdb(self.0.u8(254).len(db))
    }

    pub(crate) fn resize(self, keys: u64, expires: u64) -> Rdb {
        Rdb(self.0.u8(251).len(keys).len(expires))
    }

    pub(crate) fn expire_ms(self, ms: i64) -> Rdb {
        Rdb(self.0.u8(252).i64le(ms))
    }

    /// A key of some type, its value's bytes as given.
    pub(crate) fn key(self, rdb_type: u8, key: &str, value: Bytes) -> Rdb {
        Rdb(self.0.u8(rdb_type).str(key).raw(value.0))
    }

    /// A string key.
    pub(crate) fn string(self, key: &str, value: &str) -> Rdb {
        self.key(0, key, b().str(value))
    }

    /// A key whose value is one packed blob.
    pub(crate) fn packed(self, rdb_type: u8, key: &str, blob: Vec<u8>) -> Rdb {
        self.key(rdb_type, key, b().str(blob))
    }

    /// The bytes so far, without an end.
    pub(crate) fn cut(self) -> Vec<u8> {
        self.0.0
    }

    /// EOF and no checksum, as versions below 5 end.
    pub(crate) fn eof(self) -> Vec<u8> {
        self.0.u8(255).0
    }

    /// EOF and the checksum of everything before it.
    pub(crate) fn end(self) -> Vec<u8> {
        let mut bytes = self.eof();
        let crc = CRC64.checksum(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// EOF and the checksum given.
    pub(crate) fn end_with(self, crc: u64) -> Vec<u8> {
        let mut bytes = self.eof();
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }
}

/// One entry of a listpack without its back length. The forms are spelled out, because the samples
/// choose them; [`text`] and [`int`] choose as servers do.
pub(crate) mod lpe {
    pub(crate) fn u7(n: u8) -> Vec<u8> {
        vec![n & 0x7f]
    }

    pub(crate) fn i13(n: i16) -> Vec<u8> {
        let n = n as u16 & 0x1fff;
        vec![0xc0 | (n >> 8) as u8, n as u8]
    }

    pub(crate) fn i16(n: i16) -> Vec<u8> {
        tagged(0xf1, &n.to_le_bytes())
    }

    pub(crate) fn i24(n: i32) -> Vec<u8> {
        tagged(0xf2, &n.to_le_bytes()[..3])
    }

    pub(crate) fn i32(n: i32) -> Vec<u8> {
        tagged(0xf3, &n.to_le_bytes())
    }

    pub(crate) fn i64(n: i64) -> Vec<u8> {
        tagged(0xf4, &n.to_le_bytes())
    }

    pub(crate) fn s6(text: impl AsRef<[u8]>) -> Vec<u8> {
        let text = text.as_ref();
        tagged(0x80 | text.len() as u8, text)
    }

    pub(crate) fn s12(text: impl AsRef<[u8]>) -> Vec<u8> {
        let text = text.as_ref();
        [&[0xe0 | (text.len() >> 8) as u8, text.len() as u8], text].concat()
    }

    pub(crate) fn s32(text: impl AsRef<[u8]>) -> Vec<u8> {
        let text = text.as_ref();
        [&[0xf0], &(text.len() as u32).to_le_bytes()[..], text].concat()
    }

    /// A string in the form for its length.
    pub(crate) fn text(text: impl AsRef<[u8]>) -> Vec<u8> {
        match text.as_ref().len() {
            0..=63 => s6(text),
            64..=4095 => s12(text),
            _ => s32(text),
        }
    }

    /// An integer in the smallest form.
    pub(crate) fn int(n: i64) -> Vec<u8> {
        match n {
            0..=127 => u7(n as u8),
            -4096..=4095 => i13(n as i16),
            -32768..=32767 => i16(n as i16),
            -8_388_608..=8_388_607 => i24(n as i32),
            -2_147_483_648..=2_147_483_647 => i32(n as i32),
            _ => i64(n),
        }
    }

    fn tagged(tag: u8, data: &[u8]) -> Vec<u8> {
        [&[tag], data].concat()
    }
}

/// The back length of an entry of `size` bytes in `width` bytes: groups of seven bits, the most
/// significant first, all but the first byte marked with the high bit.
pub(crate) fn backlen(size: usize, width: usize) -> Vec<u8> {
    (0..width)
        .rev()
        .map(|group| (size >> (7 * group)) as u8 & 0x7f)
        .enumerate()
        .map(|(at, bits)| if at == 0 { bits } else { bits | 0x80 })
        .collect()
}

/// How many bytes the back length takes, as Redis 8.8 and Valkey 9.1 count.
pub(crate) fn backlen_width(size: usize) -> usize {
    match size {
        0..=127 => 1,
        128..=16_383 => 2,
        16_384..=2_097_151 => 3,
        2_097_152..=268_435_455 => 4,
        _ => 5,
    }
}

/// A listpack of entries that already carry their back length, with the total and count given.
pub(crate) fn lp_raw(total: u32, count: u16, entries: &[u8], end: u8) -> Vec<u8> {
    b().u32le(total).raw(count.to_le_bytes()).raw(entries).u8(end).0
}

/// The entries of a listpack one after another, each with its back length.
pub(crate) fn lp_entries(entries: &[Vec<u8>]) -> Vec<u8> {
    entries
        .iter()
        .flat_map(|entry| [&entry[..], &backlen(entry.len(), backlen_width(entry.len()))].concat())
        .collect()
}

/// A sound listpack.
pub(crate) fn lp(entries: &[Vec<u8>]) -> Vec<u8> {
    lp_count(entries.len().min(65_535) as u16, entries)
}

/// A listpack whose header states `count`.
pub(crate) fn lp_count(count: u16, entries: &[Vec<u8>]) -> Vec<u8> {
    let body = lp_entries(entries);
    lp_raw(body.len() as u32 + 7, count, &body, 0xff)
}

/// A listpack of texts, all as strings.
pub(crate) fn lp_texts(texts: &[&str]) -> Vec<u8> {
    lp(&texts.iter().map(lpe::text).collect::<Vec<_>>())
}

/// One entry of a ziplist without the length of the entry before it.
pub(crate) mod zle {
    pub(crate) fn s6(text: impl AsRef<[u8]>) -> Vec<u8> {
        let text = text.as_ref();
        [&[text.len() as u8], text].concat()
    }

    pub(crate) fn s14(text: impl AsRef<[u8]>) -> Vec<u8> {
        let text = text.as_ref();
        [&[0x40 | (text.len() >> 8) as u8, text.len() as u8], text].concat()
    }

    pub(crate) fn s32(text: impl AsRef<[u8]>) -> Vec<u8> {
        let text = text.as_ref();
        [&[0x80], &(text.len() as u32).to_be_bytes()[..], text].concat()
    }

    pub(crate) fn i16(n: i16) -> Vec<u8> {
        [&[0xc0], &n.to_le_bytes()[..]].concat()
    }

    pub(crate) fn i32(n: i32) -> Vec<u8> {
        [&[0xd0], &n.to_le_bytes()[..]].concat()
    }

    pub(crate) fn i64(n: i64) -> Vec<u8> {
        [&[0xe0], &n.to_le_bytes()[..]].concat()
    }

    pub(crate) fn i24(n: i32) -> Vec<u8> {
        [&[0xf0], &n.to_le_bytes()[..3]].concat()
    }

    pub(crate) fn i8(n: i8) -> Vec<u8> {
        vec![0xfe, n as u8]
    }

    /// The value 0..=12 inside the encoding byte.
    pub(crate) fn immediate(n: u8) -> Vec<u8> {
        vec![0xf1 + n]
    }
}

/// The length of the entry before, one byte below 254, else five.
pub(crate) fn prevlen(size: usize) -> Vec<u8> {
    if size < 254 { vec![size as u8] } else { prevlen_long(size) }
}

/// The same in five bytes whatever the size.
pub(crate) fn prevlen_long(size: usize) -> Vec<u8> {
    [&[0xfe], &(size as u32).to_le_bytes()[..]].concat()
}

/// A ziplist of entries that already carry their prevlen, everything in the header as given.
pub(crate) fn zl_raw(total: u32, tail: u32, count: u16, entries: &[u8], end: u8) -> Vec<u8> {
    b().u32le(total).u32le(tail).raw(count.to_le_bytes()).raw(entries).u8(end).0
}

/// Entries with their prevlen, and the offset of the last one in the whole ziplist.
pub(crate) fn zl_entries(entries: &[Vec<u8>]) -> (Vec<u8>, u32) {
    let (mut body, mut before, mut tail) = (Vec::new(), 0, 10);
    for entry in entries {
        let whole = [prevlen(before), entry.clone()].concat();
        tail = 10 + body.len() as u32;
        before = whole.len();
        body.extend(whole);
    }
    (body, tail)
}

/// A ziplist whose header states `count`.
pub(crate) fn zl_count(count: u16, entries: &[Vec<u8>]) -> Vec<u8> {
    let (body, tail) = zl_entries(entries);
    zl_raw(body.len() as u32 + 11, tail, count, &body, 0xff)
}

/// A sound ziplist.
pub(crate) fn zl(entries: &[Vec<u8>]) -> Vec<u8> {
    zl_count(entries.len().min(65_535) as u16, entries)
}

/// A sound ziplist of short texts, all as strings.
pub(crate) fn zl_texts(texts: &[&str]) -> Vec<u8> {
    zl(&texts.iter().map(zle::s6).collect::<Vec<_>>())
}

/// An intset: numbers of `width` bytes, in the order given, the count as given.
pub(crate) fn intset_raw(width: u32, count: u32, numbers: &[i64]) -> Vec<u8> {
    let numbers = numbers.iter().flat_map(|n| n.to_le_bytes()[..width.min(8) as usize].to_vec());
    b().u32le(width).u32le(count).raw(numbers.collect::<Vec<_>>()).0
}

/// An intset that counts right.
pub(crate) fn intset(width: u32, numbers: &[i64]) -> Vec<u8> {
    intset_raw(width, numbers.len() as u32, numbers)
}

/// A zipmap length: one byte below 254, else five.
pub(crate) fn zipmap_len(n: usize) -> Vec<u8> {
    prevlen(n)
}

/// A zipmap with `free` unused bytes behind every value.
pub(crate) fn zipmap(count: u8, pairs: &[(&str, &str)], free: u8) -> Vec<u8> {
    let mut map = b().u8(count);
    for (key, value) in pairs {
        map = map.raw(zipmap_len(key.len())).raw(key).raw(zipmap_len(value.len())).u8(free);
        map = map.raw(value).raw(vec![0; free as usize]);
    }
    map.u8(0xff).0
}
