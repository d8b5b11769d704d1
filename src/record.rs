//! What a file is made of. The spans of the records of a file tile it: every byte belongs to exactly one.

use std::ops::Range;

use crate::element::{ModuleId, Str};
use crate::rdb::header::Header;
use crate::rdb::length::length;
use crate::rdb::shape::Shape;
use crate::rdb::types::RdbType;

/// One record and where it lies.
#[derive(Debug, Clone, PartialEq)]
pub struct Record<'a> {
    /// Absolute bytes of the (decompressed) file.
    pub span: Range<u64>,
    /// What it is.
    pub event: Event<'a>,
}

/// What a record is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Magic and version.
    Header(Header),
    /// A fact about the file.
    Aux {
        /// Its name.
        key: Str<'a>,
        /// Its value.
        value: Str<'a>,
    },
    /// The keys that follow are in this database.
    SelectDb(u64),
    /// How many keys the database has: a hint.
    ResizeDb {
        /// Keys.
        keys: u64,
        /// Keys with an expire.
        expires: u64,
    },
    /// How many keys a cluster slot has: a hint.
    SlotInfo {
        /// Slot, 0..16383.
        slot: u64,
        /// Keys.
        keys: u64,
        /// Keys with an expire.
        expires: u64,
    },
    /// A slot import in progress (Valkey).
    SlotImport {
        /// The job's name, 40 characters.
        job: Str<'a>,
        /// First and last slot of each range.
        slots: Vec<(u64, u64)>,
    },
    /// A function library.
    Function {
        /// Its code; the first line names engine and library.
        code: Str<'a>,
    },
    /// A function of the 7.0 release candidates.
    FunctionPreGa {
        /// The function's name.
        name: Str<'a>,
        /// The engine's name.
        engine: Str<'a>,
        /// What it says of itself.
        description: Option<Str<'a>>,
        /// Its code.
        code: Str<'a>,
    },
    /// Data that a module keeps beside the keys.
    ModuleAux {
        /// The module type.
        id: ModuleId,
        /// 1 = before the keys, 2 = after them; `None` when its data does not begin with that.
        when: Option<u64>,
        /// Opcodes and values, up to the closing zero.
        data: &'a [u8],
    },
    /// A record that is framed but not understood (rows of releases not at hand).
    Opaque {
        /// Its opcode.
        code: u8,
        /// Everything after the opcode.
        data: &'a [u8],
    },
    /// A key with its value.
    Key(KeyRecord<'a>),
    /// Attribute opcodes that are not directly before a key.
    StrayAttributes,
    /// A command of an AOF.
    Command(Command<'a>),
    /// A line between the commands of an AOF, without its `#` and its end.
    Annotation(&'a [u8]),
    /// The end of an RDB.
    Eof {
        /// The stored checksum; `None` where the version has none.
        checksum: Option<u64>,
    },
}

/// A command and its place among others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command<'a> {
    /// The database it is run on.
    pub db: u64,
    /// Its name and arguments; empty for the `*0` that no server takes.
    pub args: &'a [&'a [u8]],
}

impl<'a> Command<'a> {
    /// Its name, as the file has it.
    pub fn name(&self) -> &'a [u8] {
        self.args.first().copied().unwrap_or_default()
    }
}

/// A key, what is known of it, and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyRecord<'a> {
    /// Database number.
    pub db: u64,
    /// The key's name.
    pub key: Str<'a>,
    /// Unix time in ms at which it expires.
    pub expire_at_ms: Option<i64>,
    /// Seconds since the last access, under an LRU policy.
    pub idle_s: Option<u64>,
    /// The LFU counter, under an LFU policy.
    pub freq: Option<u8>,
    /// Module metadata of the key, framed but not decoded.
    pub meta: Option<&'a [u8]>,
    /// Whether an attribute came more than once.
    pub attribute_twice: bool,
    /// The row of the table that says what the value is.
    pub rdb_type: &'static RdbType,
    /// The value's bytes: what RESTORE takes, without type and footer.
    pub payload: &'a [u8],
    /// Absolute offset of the first byte of the key's name.
    pub key_offset: u64,
    /// Absolute offset of the payload.
    pub offset: u64,
}

impl KeyRecord<'_> {
    /// How many elements the value states in front of it, where its type does.
    pub fn stated_count(&self) -> Option<u64> {
        let at = match self.rdb_type.shape {
            [Shape::Rep(_) | Shape::RepAfter(..), ..] => self.payload,
            [Shape::Bin(skip), Shape::Rep(_), ..] => self.payload.get(*skip..)?,
            _ => return None,
        };
        length(at).ok().map(|(_, count)| count)
    }
}
