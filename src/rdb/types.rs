//! THE TABLE: one row a value type (FORMATS A.5), keyed by dialect and byte. Reading, skipping, checking,
//! the format page `rdb.5` and the tests all read the row; a new encoding of a known type is one row here
//! and a walk in `object/`.

use std::sync::LazyLock;

use super::header::Dialect;
use super::object::{array, hash, list, module, set, stream, string, zset};
use super::opcodes::{OPCODES, Opcode};
use super::shape::{MODULE_DATA, Shape};
use super::walk::Walk;
use crate::finding::Code;
use Dialects::{Both, Redis, Valkey};
use Shape::{Bin, Dbl, Len, Rep, RepAfter, Str, Tag, Unframed};

/// Which dialects a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialects {
    /// Redis and Valkey alike.
    Both,
    /// Files with the magic `REDIS`.
    Redis,
    /// Files with the magic `VALKEY`.
    Valkey,
}

impl Dialects {
    /// Whether a file of this dialect uses the row.
    pub fn has(self, dialect: Dialect) -> bool {
        match self {
            Dialects::Both => true,
            Dialects::Redis => dialect == Dialect::Redis,
            Dialects::Valkey => dialect == Dialect::Valkey,
        }
    }
}

/// The data type of a value, in the words of the TYPE command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DataType {
    /// `string`
    String,
    /// `list`
    List,
    /// `set`
    Set,
    /// `zset`
    Zset,
    /// `hash`
    Hash,
    /// `stream`
    Stream,
    /// `array`
    Array,
    /// A module's type: TYPE answers with the module's own name for it.
    Module,
}

impl DataType {
    /// The word TYPE answers; `module` stands for all module types.
    pub fn as_str(self) -> &'static str {
        match self {
            DataType::String => "string",
            DataType::List => "list",
            DataType::Set => "set",
            DataType::Zset => "zset",
            DataType::Hash => "hash",
            DataType::Stream => "stream",
            DataType::Array => "array",
            DataType::Module => "module",
        }
    }
}

/// A row: all that is known of one value type.
#[derive(Debug)]
pub struct RdbType {
    /// The byte in the file.
    pub code: u8,
    /// Whose files have it.
    pub dialects: Dialects,
    /// The name redis-check-rdb gives it, or ours where it has none.
    pub name: &'static str,
    /// The constant in the servers' sources.
    pub constant: &'static str,
    /// Data type.
    pub data: DataType,
    /// OBJECT ENCODING's word for a value loaded from it, or the row's own.
    pub encoding: &'static str,
    /// First RDB version that has it.
    pub since: u16,
    /// Not seen in a file: read by its published description.
    pub provisional: bool,
    /// How the bytes lie, in the notation of `rdb.5`.
    pub layout: &'static str,
    /// Who writes it, and what is worth knowing.
    pub about: &'static str,
    /// How to step over it.
    pub shape: &'static [Shape],
    /// How to read and check it.
    pub walk: Walk,
}

impl PartialEq for RdbType {
    fn eq(&self, other: &Self) -> bool {
        self.code == other.code && self.dialects == other.dialects
    }
}

macro_rules! types {
    ($($code:literal $dialects:ident $name:literal $constant:ident $data:ident $encoding:literal
       $since:literal $walk:expr, $shape:expr, $layout:literal, $about:literal;)*) => {
        /// Every value type that is known.
        pub static TYPES: &[RdbType] = &[$(RdbType {
            code: $code,
            dialects: $dialects,
            name: $name,
            constant: stringify!($constant),
            data: DataType::$data,
            encoding: $encoding,
            since: $since,
            provisional: $since == 15 || $since == 81,
            layout: $layout,
            about: $about,
            shape: $shape,
            walk: $walk,
        },)*];
    };
}

const PENDING: Shape = Rep(&[Bin(16), Bin(8), Len]);
const OWNED: Shape = Rep(&[Bin(16)]);
const CONSUMER_V1: Shape = Rep(&[Str, Bin(8), OWNED]);
const CONSUMER_V3: Shape = Rep(&[Str, Bin(8), Bin(8), OWNED]);
const NODES: Shape = Rep(&[Str, Str]);
const IDMP: Shape = Rep(&[Str, Rep(&[Str, Len, Len])]);

types! {
    0 Both "string" RDB_TYPE_STRING String "raw" 1 string::text, &[Str],
        "str",
        "Every version. OBJECT ENCODING shows it as int, embstr or raw, by its content.";
    1 Both "list-linked" RDB_TYPE_LIST List "linkedlist" 1 list::linked, &[Rep(&[Str])],
        "len n, n x str",
        "Written up to 3.0 for lists beyond the ziplist limits.";
    2 Both "set-hashtable" RDB_TYPE_SET Set "hashtable" 1 set::hashtable, &[Rep(&[Str])],
        "len n, n x str",
        "Every version, for sets that are not packed.";
    3 Both "zset-v1" RDB_TYPE_ZSET Zset "skiplist" 1 zset::text, &[Rep(&[Str, Dbl])],
        "len n, n x { str member, u8 length, text of the score }; length 253 is NaN, 254 +inf, 255 -inf",
        "Written up to 3.2.";
    4 Both "hash-hashtable" RDB_TYPE_HASH Hash "hashtable" 1 hash::hashtable, &[Rep(&[Str, Str])],
        "len n, n x { str field, str value }",
        "Every version, for hashes that are not packed and have no field TTL.";
    5 Both "zset-v2" RDB_TYPE_ZSET_2 Zset "skiplist" 8 zset::binary, &[Rep(&[Str, Bin(8)])],
        "len n, n x { str member, f64le score }",
        "Since 4.0; written from the highest score to the lowest.";
    6 Both "module-pre-release" RDB_TYPE_MODULE_PRE_GA Module "module" 8 module::pre_ga, &[Len, Unframed],
        "len module-id, then data without any framing",
        "4.0 release candidates only. No server reads it, and nobody can tell where it ends.";
    7 Both "module-value" RDB_TYPE_MODULE_2 Module "raw" 8 module::value, &[Len, MODULE_DATA],
        "len module-id, { len opcode, data }*, len 0; opcodes 1 SINT len, 2 UINT len, 3 FLOAT f32le, 4 DOUBLE f64le, 5 STRING str",
        "Since 4.0. The id holds a name of nine 6-bit characters and a 10-bit encoding version. Vector sets (Redis 8.0) are the module type vectorset.";
    9 Both "hash-zipmap" RDB_TYPE_HASH_ZIPMAP Hash "zipmap" 2 hash::zipmap, &[Str],
        "str holding a zipmap",
        "Written by 2.4 for small hashes.";
    10 Both "list-ziplist" RDB_TYPE_LIST_ZIPLIST List "ziplist" 2 list::ziplist, &[Str],
        "str holding a ziplist of elements",
        "Written by 2.4 to 3.0 for small lists.";
    11 Both "set-intset" RDB_TYPE_SET_INTSET Set "intset" 2 set::intset, &[Str],
        "str holding an intset",
        "Since 2.4, for small sets of integers.";
    12 Both "zset-ziplist" RDB_TYPE_ZSET_ZIPLIST Zset "ziplist" 2 zset::ziplist, &[Str],
        "str holding a ziplist of member, score pairs in ascending order of score",
        "Written by 2.4 to 6.2 for small sorted sets.";
    13 Both "hash-ziplist" RDB_TYPE_HASH_ZIPLIST Hash "ziplist" 4 hash::ziplist, &[Str],
        "str holding a ziplist of field, value pairs",
        "Written by 2.6 to 6.2 for small hashes.";
    14 Both "quicklist" RDB_TYPE_LIST_QUICKLIST List "quicklist" 7 list::quicklist, &[Rep(&[Str])],
        "len n, n x str holding a ziplist of elements",
        "Written by 3.2 to 6.2.";
    15 Both "stream" RDB_TYPE_STREAM_LISTPACKS Stream "stream" 9 stream::v1,
        &[NODES, Len, Len, Len, Rep(&[Str, Len, Len, PENDING, CONSUMER_V1])],
        "len nodes, nodes x { str of the 16-byte node id, str listpack }, len length, len last.ms, len last.seq, len groups, groups x { str name, len last.ms, len last.seq, len pending, pending x { id16, i64le delivered ms, len deliveries }, len consumers, consumers x { str name, i64le seen ms, len k, k x id16 } }",
        "Written by 5.0 to 6.2.";
    16 Both "hash-listpack" RDB_TYPE_HASH_LISTPACK Hash "listpack" 10 hash::listpack, &[Str],
        "str holding a listpack of field, value pairs",
        "Since 7.0, for small hashes.";
    17 Both "zset-listpack" RDB_TYPE_ZSET_LISTPACK Zset "listpack" 10 zset::listpack, &[Str],
        "str holding a listpack of member, score pairs in ascending order of score",
        "Since 7.0, for small sorted sets.";
    18 Both "quicklist-v2" RDB_TYPE_LIST_QUICKLIST_2 List "quicklist" 10 list::quicklist_2, &[Rep(&[Len, Str])],
        "len n, n x { len container, str }; container 1 = the element itself, 2 = a listpack of elements",
        "Since 7.0, for every list. A list of a single packed node is a listpack in memory from 7.2 on.";
    19 Both "stream-v2" RDB_TYPE_STREAM_LISTPACKS_2 Stream "stream" 10 stream::v2,
        &[NODES, Len, Len, Len, Len, Len, Len, Len, Len, Rep(&[Str, Len, Len, Len, PENDING, CONSUMER_V1])],
        "as stream, with len first.ms, len first.seq, len maxdel.ms, len maxdel.seq, len entries-added after the last id, and len entries-read after a group's last id",
        "Written by 7.0.";
    20 Both "set-listpack" RDB_TYPE_SET_LISTPACK Set "listpack" 11 set::listpack, &[Str],
        "str holding a listpack of members",
        "Since 7.2, for small sets.";
    21 Both "stream-v3" RDB_TYPE_STREAM_LISTPACKS_3 Stream "stream" 11 stream::v3,
        &[NODES, Len, Len, Len, Len, Len, Len, Len, Len, Rep(&[Str, Len, Len, Len, PENDING, CONSUMER_V3])],
        "as stream-v2, with i64le active ms (-1 = never) after a consumer's seen time",
        "Written by Redis 7.2 to 8.4 and by every Valkey from 7.2 on.";
    22 Redis "hash-metadata-pre-release" RDB_TYPE_HASH_METADATA_PRE_GA Hash "hashtable" 12 hash::metadata_pre_ga,
        &[Rep(&[Len, Str, Str])],
        "len n, n x { len expire ms (0 = none), str field, str value }",
        "7.4 release candidates only.";
    23 Redis "hash-listpack-ex-pre-release" RDB_TYPE_HASH_LISTPACK_EX_PRE_GA Hash "listpackex" 12 hash::listpack_ex_pre_ga,
        &[Str],
        "str holding a listpack of field, value, expire ms triples (0 = none)",
        "7.4 release candidates only.";
    24 Redis "hash-hashtable-md" RDB_TYPE_HASH_METADATA Hash "hashtable" 12 hash::metadata,
        &[Bin(8), Rep(&[Len, Str, Str])],
        "i64le min-expire ms, len n, n x { len t, str field, str value }; t = 0 for none, else the field expires at min-expire + t - 1",
        "Redis 7.4 on, for hashes with a field TTL that are not packed.";
    25 Redis "hash-listpack-md" RDB_TYPE_HASH_LISTPACK_EX Hash "listpackex" 12 hash::listpack_ex,
        &[Bin(8), Str],
        "i64le min-expire ms, str holding a listpack of field, value, expire ms triples; those with an expire first, ascending, then those without (0)",
        "Redis 7.4 on, for small hashes with a field TTL.";
    26 Redis "stream-v4" RDB_TYPE_STREAM_LISTPACKS_4 Stream "stream" 13 stream::v4,
        &[NODES, Len, Len, Len, Len, Len, Len, Len, Len, Rep(&[Str, Len, Len, Len, PENDING, CONSUMER_V3]),
          Len, Len, IDMP, Len, Len],
        "as stream-v3, then len idmp-duration s, len idmp-maxsize, len producers, producers x { str pid, len m, m x { str iid, len ms, len seq } }, len iids-added, len iids-duplicates",
        "Written by Redis 8.6.";
    27 Redis "stream-v5" RDB_TYPE_STREAM_LISTPACKS_5 Stream "stream" 14 stream::v5,
        &[NODES, Len, Len, Len, Len, Len, Len, Len, Len,
          Rep(&[Str, Len, Len, Len, PENDING, CONSUMER_V3, OWNED]), Len, Len, IDMP, Len, Len],
        "as stream-v4, with len nacked, nacked x id16 after a group's consumers",
        "Written by Redis 8.8, for every stream.";
    28 Redis "array" RDB_TYPE_ARRAY Array "sliced-array" 14 array::cells,
        &[RepAfter(&[Tag(Code::ArrayInvalid, &[(0, &[]), (1, &[Len])])],
                   &[Len, Tag(Code::ArrayInvalid, &[(0, &[Str]), (1, &[Bin(8)]), (2, &[Bin(8)]), (3, &[Str])])])],
        "len count, len flag, [len insert-index if flag is 1], count x { len index, len tag, value } in ascending order of index; tag 0 str, 1 i64le, 2 f64le, 3 str of at most 7 bytes",
        "Redis 8.8 on.";
    30 Redis "hash-template-listpack" RDB_TYPE_HASH_TEMPLATE_LISTPACK Hash "listpack" 15 module::provisional, &[Str],
        "str holding a listpack: an integer template id, then the values in the order of the template's fields",
        "Redis 8.10, from its public description.";
    22 Valkey "hash-volatile-items" RDB_TYPE_HASH_2 Hash "hashtable" 80 hash::volatile, &[Rep(&[Str, Str, Bin(8)])],
        "len n, n x { str field, str value, i64le expire ms (-1 = none) }",
        "Valkey 9.0 on, for every hash with a field TTL.";
}

/// What a byte at the start of a record means.
#[derive(Debug, Clone, Copy)]
pub enum Op {
    /// A key's type: the key and its value follow.
    Type(&'static RdbType),
    /// Something else.
    Opcode(&'static Opcode),
}

/// The meaning of each byte, for one dialect.
#[derive(Debug)]
pub struct Table([Option<Op>; 256]);

impl Table {
    /// The table of a dialect.
    pub fn of(dialect: Dialect) -> &'static Table {
        static REDIS: LazyLock<Table> = LazyLock::new(|| Table::build(Dialect::Redis));
        static VALKEY: LazyLock<Table> = LazyLock::new(|| Table::build(Dialect::Valkey));
        match dialect {
            Dialect::Redis => &REDIS,
            Dialect::Valkey => &VALKEY,
        }
    }

    fn build(dialect: Dialect) -> Table {
        let types = TYPES.iter().filter(|row| row.dialects.has(dialect));
        let opcodes = OPCODES.iter().filter(|row| row.dialects.has(dialect));
        let rows = types
            .map(|row| (row.code, Op::Type(row)))
            .chain(opcodes.map(|row| (row.code, Op::Opcode(row))));
        let mut table = [None; 256];
        for (code, op) in rows {
            if let Some(entry) = table.get_mut(usize::from(code)) {
                *entry = Some(op);
            }
        }
        Table(table)
    }

    /// What this byte means, if anything.
    #[inline]
    pub fn get(&self, code: u8) -> Option<Op> {
        self.0.get(usize::from(code)).copied().flatten()
    }

    /// The row of a value type by its byte.
    pub fn value_type(&self, code: u8) -> Option<&'static RdbType> {
        match self.get(code) {
            Some(Op::Type(row)) => Some(row),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_means_one_thing() {
        for dialect in [Dialect::Redis, Dialect::Valkey] {
            let mut seen = std::collections::BTreeMap::new();
            let types = TYPES.iter().filter(|r| r.dialects.has(dialect)).map(|r| (r.code, r.name));
            let opcodes =
                OPCODES.iter().filter(|r| r.dialects.has(dialect)).map(|r| (r.code, r.name));
            for (code, name) in types.chain(opcodes) {
                assert_eq!(seen.insert(code, name), None, "{dialect:?} {code}");
            }
        }
    }
}
