//! The opcodes between keys (FORMATS A.4), one row each, as [`super::types`] has a row a value type.

use super::shape::{MODULE_DATA, Shape};
use super::types::Dialects::{self, Both, Redis, Valkey};
use crate::finding::Code;
use Shape::{Bin, Len, Rep, Str, Tag};

/// What an opcode does to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The end of the RDB; a checksum follows from version 5 on.
    Eof,
    /// The keys that follow are in another database.
    SelectDb,
    /// The next key expires, in seconds.
    ExpireTime,
    /// The next key expires, in ms.
    ExpireTimeMs,
    /// The next key's idle time.
    Idle,
    /// The next key's LFU counter.
    Freq,
    /// The next key's module metadata.
    KeyMeta,
    /// Sizes of the database.
    ResizeDb,
    /// A fact about the file.
    Aux,
    /// Data of a module beside the keys.
    ModuleAux,
    /// A function of the 7.0 release candidates.
    FunctionPreGa,
    /// A function library.
    Function,
    /// Sizes of a cluster slot.
    SlotInfo,
    /// A slot import in progress.
    SlotImport,
    /// Framed, not understood.
    Opaque,
}

impl Kind {
    /// Whether it is about the next key.
    pub fn is_attribute(self) -> bool {
        use Kind::{ExpireTime, ExpireTimeMs, Freq, Idle, KeyMeta};
        matches!(self, ExpireTime | ExpireTimeMs | Idle | Freq | KeyMeta)
    }
}

/// A row: all that is known of one opcode.
#[derive(Debug)]
pub struct Opcode {
    /// The byte in the file.
    pub code: u8,
    /// Whose files have it.
    pub dialects: Dialects,
    /// Its name, in lower case.
    pub name: &'static str,
    /// The constant in the servers' sources.
    pub constant: &'static str,
    /// First RDB version that has it.
    pub since: u16,
    /// Not seen in a file: read by its published description.
    pub provisional: bool,
    /// What it does.
    pub kind: Kind,
    /// How the bytes after it lie, in the notation of `rdb.5`.
    pub layout: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// How to step over them.
    pub shape: &'static [Shape],
}

macro_rules! opcodes {
    ($($code:literal $dialects:ident $name:literal $constant:ident $since:literal $kind:ident
       $shape:expr, $layout:literal, $about:literal;)*) => {
        /// Every opcode that is known.
        pub static OPCODES: &[Opcode] = &[$(Opcode {
            code: $code,
            dialects: $dialects,
            name: $name,
            constant: stringify!($constant),
            since: $since,
            provisional: $since == 15 || $since == 81,
            kind: Kind::$kind,
            layout: $layout,
            about: $about,
            shape: $shape,
        },)*];
    };
}

opcodes! {
    255 Both "eof" RDB_OPCODE_EOF 1 Eof &[],
        "[u64le CRC-64, from version 5 on]",
        "The end. The checksum covers every byte from the first to this one; 0 says it was switched off.";
    254 Both "selectdb" RDB_OPCODE_SELECTDB 1 SelectDb &[Len],
        "len db",
        "The keys that follow are in this database.";
    253 Both "expiretime" RDB_OPCODE_EXPIRETIME 1 ExpireTime &[Bin(4)],
        "i32le Unix time in seconds",
        "The next key expires then. Written up to 2.4.";
    252 Both "expiretime-ms" RDB_OPCODE_EXPIRETIME_MS 3 ExpireTimeMs &[Bin(8)],
        "i64le Unix time in milliseconds",
        "The next key expires then. Before version 9 in the byte order of the writer.";
    251 Both "resizedb" RDB_OPCODE_RESIZEDB 7 ResizeDb &[Len, Len],
        "len keys, len keys with an expire",
        "How large the database is: a hint, never checked.";
    250 Both "aux" RDB_OPCODE_AUX 7 Aux &[Str, Str],
        "str name, str value",
        "A fact about the file: redis-ver or valkey-ver, redis-bits, ctime, used-mem, repl-id and more. Unknown names are ignored.";
    249 Both "freq" RDB_OPCODE_FREQ 9 Freq &[Bin(1)],
        "u8",
        "The LFU counter of the next key; written under an LFU maxmemory policy.";
    248 Both "idle" RDB_OPCODE_IDLE 9 Idle &[Len],
        "len seconds",
        "How long the next key was idle; written under an LRU maxmemory policy.";
    247 Both "module-aux" RDB_OPCODE_MODULE_AUX 9 ModuleAux &[Len, MODULE_DATA],
        "len module-id, len 2, len when (1 = before the keys, 2 = after them), { len opcode, data }*, len 0",
        "Data that a module keeps beside the keys. A server without the module refuses the file.";
    246 Both "function-pre-release" RDB_OPCODE_FUNCTION_PRE_GA 10 FunctionPreGa
        &[Str, Str, Tag(Code::FunctionCode, &[(0, &[]), (1, &[Str])]), Str],
        "str name, str engine, len has-description, [str description], str code",
        "7.0 release candidates only; 7.0 loads it, 7.2 and later refuse the file.";
    245 Both "function" RDB_OPCODE_FUNCTION2 10 Function &[Str],
        "str code",
        "A function library; the code's first line is #!<engine> name=<name>.";
    244 Both "slot-info" RDB_OPCODE_SLOT_INFO 12 SlotInfo &[Len, Len, Len],
        "len slot, len keys, len keys with an expire",
        "How large a cluster slot is: a hint. Written by Redis in cluster mode.";
    243 Redis "key-meta" RDB_OPCODE_KEY_META 13 KeyMeta &[Rep(&[Bin(4), MODULE_DATA])],
        "len n, n x { u32le class, { len opcode, data }*, len 0 }",
        "Module metadata of the next key.";
    243 Valkey "slot-import" RDB_OPCODE_SLOT_IMPORT 80 SlotImport &[Str, Rep(&[Len, Len])],
        "str job name of 40 characters, len n, n x { len first slot, len last slot }",
        "A slot import in progress on a Valkey cluster node.";
    242 Redis "hash-template" RDB_OPCODE_HASH_TEMPLATE 15 Opaque &[Len, Rep(&[Str])],
        "len template id, len n, n x str field, ascending by length, then bytes",
        "The fields that hashes of type 30 share. Redis 8.10, from its public description.";
}
