//! What a value is made of: the elements that a walk hands to a visitor, and strings as they are stored.

use crate::encoding::{lzf, number};

/// A string as it is stored (FORMATS A.3): it expands only when somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Str<'a> {
    /// The bytes themselves.
    Raw(&'a [u8]),
    /// A number whose decimal text is the string.
    Int(i64),
    /// LZF-compressed bytes.
    Lzf {
        /// The compressed bytes.
        compressed: &'a [u8],
        /// Length of the string in bytes, as the file claims it.
        len: u64,
    },
}

impl<'a> Str<'a> {
    /// The string's bytes; `scratch` holds them where they are not in the file as such.
    ///
    /// # Errors
    /// When compressed bytes do not expand to the claimed length.
    pub fn bytes<'s>(&self, scratch: &'s mut Vec<u8>) -> Result<&'s [u8], lzf::LzfError>
    where
        'a: 's,
    {
        match *self {
            Str::Raw(bytes) => Ok(bytes),
            Str::Int(value) => {
                scratch.clear();
                number::write_i64(value, scratch);
                Ok(scratch)
            }
            Str::Lzf { compressed, len } => {
                let len = usize::try_from(len).unwrap_or(usize::MAX);
                lzf::expand(compressed, len, scratch)?;
                Ok(scratch)
            }
        }
    }

    /// Length of the string in bytes, without expanding it.
    pub fn len(&self) -> u64 {
        match *self {
            Str::Raw(bytes) => bytes.len() as u64,
            Str::Int(value) => number::i64_text_len(value) as u64,
            Str::Lzf { len, .. } => len,
        }
    }

    /// Whether the string has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A stream entry's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StreamId {
    /// Milliseconds of the Unix time, usually.
    pub ms: u64,
    /// Sequence number within the millisecond.
    pub seq: u64,
}

impl std::fmt::Display for StreamId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// One cell of an array (type 28).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// A string.
    Text(Str<'a>),
    /// A 64-bit integer.
    Int(i64),
    /// A double.
    Double(f64),
}

/// A part of a value. The order in which a walk hands them out is the file's own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Element<'a> {
    /// Packed bytes, for whoever can use them as they are. The elements in them follow, up to
    /// [`Element::Unpacked`]; what is wrong with them is reported meanwhile.
    Packed {
        /// How they are packed.
        packing: Packing,
        /// The bytes.
        blob: &'a [u8],
    },
    /// The end of the elements of the last packed bytes.
    Unpacked,
    /// A node of a stream, packed; its entries follow, up to [`Element::Unpacked`].
    StreamNode {
        /// The id to which the entries' ids are relative.
        id: StreamId,
        /// The listpack.
        blob: &'a [u8],
    },
    /// The value of a string key.
    Text(Str<'a>),
    /// An element of a list, head first.
    Item(Str<'a>),
    /// A member of a set.
    Member(Str<'a>),
    /// A member of a sorted set.
    Scored {
        /// The member.
        member: Str<'a>,
        /// Its score; NaN only in a damaged file.
        score: f64,
    },
    /// A field of a hash.
    Field {
        /// The field's name.
        field: Str<'a>,
        /// Its value.
        value: Str<'a>,
        /// Unix time in ms at which the field expires.
        expire_at_ms: Option<i64>,
    },
    /// A live entry of a stream.
    StreamEntry {
        /// Its id.
        id: StreamId,
        /// Field and value, in order.
        fields: &'a [(Str<'a>, Str<'a>)],
    },
    /// What a stream says of itself; after its entries, before its groups.
    Stream(StreamInfo),
    /// A consumer group; its pending entries and consumers follow.
    Group {
        /// The group's name.
        name: Str<'a>,
        /// Last id delivered.
        last_id: StreamId,
        /// Entries read so far: -1 when the server does not know, `None` before stream v2.
        entries_read: Option<i64>,
    },
    /// An entry of the last group's pending list.
    Pending {
        /// The entry.
        id: StreamId,
        /// Unix time in ms of the last delivery.
        delivered_at_ms: i64,
        /// Deliveries so far.
        delivery_count: u64,
    },
    /// A consumer of the last group; the ids it owns follow.
    Consumer {
        /// The consumer's name.
        name: Str<'a>,
        /// Unix time in ms of its last attempt to read.
        seen_at_ms: i64,
        /// Unix time in ms of its last successful read: -1 for never, `None` before stream v3.
        active_at_ms: Option<i64>,
    },
    /// A pending id that the last consumer owns.
    Owned(StreamId),
    /// A pending id of the last group that nobody owns (stream v5).
    Nacked(StreamId),
    /// Idempotence settings of a stream (v4); its producers follow.
    Idmp {
        /// How long an id is remembered, in seconds.
        duration_s: u64,
        /// How many ids are remembered per producer.
        max_size: u64,
    },
    /// An idempotent producer; the ids it used follow.
    Producer(Str<'a>),
    /// An idempotence id of the last producer, and the entry it made.
    ProducerId {
        /// The producer's own id.
        iid: Str<'a>,
        /// The entry.
        id: StreamId,
    },
    /// Idempotence counters of a stream (v4), after its producers.
    IdmpCounts {
        /// Ids added so far.
        added: u64,
        /// Duplicates refused so far.
        duplicates: u64,
    },
    /// The head of an array.
    Array {
        /// Cells that hold something.
        count: u64,
        /// Last index used by ARINSERT.
        insert_index: Option<u64>,
    },
    /// A cell of an array, in ascending order of its index.
    Cell {
        /// Its index.
        index: u64,
        /// What it holds.
        value: Cell<'a>,
    },
    /// The value of a module key, kept as it is.
    Module {
        /// The module type's id.
        id: ModuleId,
        /// Its data from the first opcode to the closing zero.
        data: &'a [u8],
    },
    /// The head of a vector set (module type `vectorset`); its elements follow, then `Module`.
    VectorSet {
        /// Dimensions of the stored vectors.
        dimension: u64,
        /// Elements.
        count: u64,
        /// How vectors are stored.
        quantization: Quantization,
        /// Links of a node of the graph (HNSW's M).
        m: u64,
        /// Dimensions before the projection, if there is one.
        input_dimension: Option<u64>,
    },
    /// An element of a vector set.
    Vector {
        /// The element's name.
        element: Str<'a>,
        /// Its attributes, JSON as a rule; `None` when it has none.
        attributes: Option<Str<'a>>,
        /// The vector as stored.
        vector: Str<'a>,
        /// The vector as a command gave it, f32le; `None` of one from a file.
        given: Option<&'a [u8]>,
        /// What storing it took from it.
        scale: Scale,
    },
}

/// An encoding of a whole small collection in one run of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// A listpack.
    Listpack,
    /// A ziplist, which servers since 7.0 turn into a listpack entry by entry.
    Ziplist,
    /// An intset.
    Intset,
}

/// What a stream says of itself (FORMATS A.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamInfo {
    /// Live entries.
    pub length: u64,
    /// Last id ever added.
    pub last_id: StreamId,
    /// What stream v2 added.
    pub more: Option<StreamInfoMore>,
}

/// Facts about a stream since v2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamInfoMore {
    /// Id of the first live entry.
    pub first_id: StreamId,
    /// Highest id ever deleted.
    pub max_deleted_id: StreamId,
    /// Entries ever added.
    pub entries_added: u64,
}

/// How a vector set stores its vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantization {
    /// 32-bit floats.
    F32,
    /// 8-bit integers.
    Int8,
    /// One bit a dimension.
    Binary,
}

/// What is known of a vector beside what is stored, which has length 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// The part of it that is furthest from 0, if it is stored as integers: what 127 stands for.
    pub range: f32,
    /// The length that it was given with; 1 of one that is all zeros.
    pub length: f32,
}

impl Default for Scale {
    fn default() -> Self {
        Scale { range: 0.0, length: 1.0 }
    }
}

impl Scale {
    /// The length of a vector: a sum of floats, in their order.
    pub fn length_of(parts: &[f32]) -> f32 {
        parts.iter().fold(0f32, |sum, part| sum + part * part).sqrt()
    }

    /// As a file has it (FORMATS A.5): `range << 32 | length`, the bits of both.
    pub fn to_bits(self) -> u64 {
        u64::from(self.range.to_bits()) << 32 | u64::from(self.length.to_bits())
    }

    /// From a file.
    pub fn from_bits(bits: u64) -> Scale {
        let (range, length) = (f32::from_bits((bits >> 32) as u32), f32::from_bits(bits as u32));
        Scale { range, length }
    }
}

impl Quantization {
    /// The word VINFO uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Quantization::F32 => "f32",
            Quantization::Int8 => "int8",
            Quantization::Binary => "bin",
        }
    }
}

/// A module type's id: nine characters of six bits, and ten bits of encoding version (FORMATS A.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleId(pub u64);

impl ModuleId {
    /// The id of the vector sets that Redis has built in since 8.0.
    pub const VECTORSET: ModuleId = ModuleId::new(*b"vectorset", 0);

    /// The id of a name and an encoding version.
    pub const fn new(name: [u8; 9], encver: u16) -> ModuleId {
        let mut id = 0u64;
        let mut at = 0;
        while at < 9 {
            let six = match name[at] {
                c @ b'A'..=b'Z' => c - b'A',
                c @ b'a'..=b'z' => c - b'a' + 26,
                c @ b'0'..=b'9' => c - b'0' + 52,
                b'-' => 62,
                _ => 63,
            };
            id = id << 6 | six as u64;
            at += 1;
        }
        ModuleId(id << 10 | (encver & 0x3ff) as u64)
    }

    /// The type's name, nine characters of `A-Za-z0-9-_`.
    pub fn name(self) -> String {
        const SET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        (0..9)
            .rev()
            .map(|at| SET.get((self.0 >> (10 + at * 6) & 63) as usize).map_or('?', |&c| c as char))
            .collect()
    }

    /// The encoding version, 0..1023.
    pub fn encver(self) -> u16 {
        (self.0 & 0x3ff) as u16
    }
}

/// Takes the elements of a value as a walk finds them.
pub trait Visit {
    /// One element. What it borrows is gone after the call.
    fn element(&mut self, element: Element<'_>);

    /// Whether it takes every string's own bytes: long ones come expanded then, which also checks them.
    fn expands(&self) -> bool {
        false
    }
}

/// Takes nothing: a walk for the sake of its findings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ignore;

impl Visit for Ignore {
    fn element(&mut self, _: Element<'_>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_id_is_the_servers() {
        // The id that `check-rdb-cases` shows the servers decode as EjRWeJASN.
        assert_eq!(ModuleId(0x1234_5678_9012_3456).name(), "EjRWeJASN");
        assert_eq!(ModuleId::VECTORSET.name(), "vectorset");
        assert_eq!(ModuleId::new(*b"ReJSON-RL", 3).encver(), 3);
    }
}
