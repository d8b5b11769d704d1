//! One file for each finding about the frame: header, opcodes, attributes, lengths, strings, modules.

use crate::good::{FAR, LIBRARY, meta_class};
use crate::made::*;
use crate::modules::module_id;
use crate::sample::Sample;

fn plain(rdb: Rdb) -> Rdb {
    rdb.db(0).string("key", "value")
}

/// An opcode before the keys of an otherwise sound file.
fn with(rdb: Rdb, opcode: Bytes) -> Vec<u8> {
    plain(rdb.raw(opcode.0)).end()
}

/// An opcode directly before the one key of a file.
fn before(version: u32, opcode: Bytes) -> Vec<u8> {
    Rdb::redis(version).db(0).raw(opcode.0).string("key", "value").end()
}

fn value(version: u32, rdb_type: u8, value: Bytes) -> Vec<u8> {
    Rdb::redis(version).db(0).key(rdb_type, "key", value).end()
}

pub(crate) fn samples() -> Vec<Sample> {
    [
        header(),
        end(),
        opcodes(),
        databases(),
        attributes(),
        cluster(),
        functions(),
        meta(),
        strings(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn bad(codes: &str, name: &str, what: &str, bytes: Vec<u8>) -> Sample {
    Sample::bad(codes, name, what, bytes)
}

fn header() -> Vec<Sample> {
    vec![
        bad("rdb-empty-file", "nothing", "no byte at all", vec![]),
        bad("rdb-magic", "word", "REDAS0011", plain(Rdb::magic("REDAS0011")).end()),
        bad("rdb-magic", "text", "not an RDB at all", b"hello, I am not a dump\n".to_vec()),
        bad("rdb-truncated", "magic", "cut inside the magic", b"REDI".to_vec()),
        bad("rdb-version", "zero", "REDIS0000", plain(Rdb::redis(0)).end()),
        bad("rdb-version", "word", "REDISabcd", plain(Rdb::magic("REDISabcd")).end()),
        bad(
            "rdb-version-unknown",
            "redis-80",
            "Valkey's number behind Redis's magic",
            plain(Rdb::redis(80)).end(),
        ),
        bad(
            "rdb-version",
            "valkey-11",
            "Redis's number behind Valkey's magic",
            plain(Rdb::valkey(11)).end(),
        ),
        bad(
            "rdb-version-unknown",
            "redis-20",
            "a Redis version of the future",
            plain(Rdb::redis(20)).end(),
        ),
        bad(
            "rdb-version-unknown",
            "valkey-99",
            "a Valkey version of the future",
            plain(Rdb::valkey(99)).end(),
        ),
    ]
}

fn end() -> Vec<Sample> {
    let whole = || plain(Rdb::redis(9));
    let mut short = whole().end();
    short.truncate(short.len() - 1);
    let in_key = [Rdb::redis(9).db(0).cut(), b().u8(0).len(10).raw("short").0].concat();
    vec![
        bad("rdb-truncated", "crc", "one byte of the checksum missing", short),
        bad("rdb-truncated", "key", "cut inside a key's name", in_key),
        bad("rdb-no-eof", "keys", "no EOF opcode after the last key", whole().cut()),
        bad("rdb-no-eof", "header", "nothing behind the header", Rdb::redis(9).cut()),
        bad("rdb-crc", "wrong", "every bit of the checksum inverted", {
            let mut bytes = whole().end();
            let len = bytes.len();
            bytes[len - 8..].iter_mut().for_each(|byte| *byte = !*byte);
            bytes
        }),
        bad("rdb-crc-disabled", "zero", "checksum 0", whole().end_with(0)),
        bad(
            "rdb-crc-absent",
            "version-4",
            "a version without checksum",
            plain(Rdb::redis(4)).eof(),
        ),
        bad(
            "trailing-bytes",
            "text",
            "bytes behind the checksum",
            [whole().end(), b"more".to_vec()].concat(),
        ),
    ]
}

fn opcodes() -> Vec<Sample> {
    let nothing = |rdb_type: u8| Rdb::redis(14).db(0).raw([rdb_type]).raw("\x01aaaaaaaaaa").end();
    let field = lp(&[lpe::text("f"), lpe::text("v"), lpe::u7(0)]);
    vec![
        bad("rdb-opcode", "type-8", "type 8, never on disk", nothing(8)),
        bad("rdb-opcode", "200", "a byte that is neither type nor opcode", nothing(200)),
        bad("rdb-opcode", "valkey-24", "Redis's type 24 in a Valkey file", {
            let value = b().i64le(FAR).len(1).len(1).str("f").str("v");
            Rdb::valkey(80).db(0).key(24, "key", value).end()
        }),
        bad("rdb-repeats", "nuls", "a page of NULs between two keys", {
            let whole = plain(Rdb::redis(9)).raw(vec![0; 4096]);
            whole.string("behind", "it").end()
        }),
        bad("rdb-repeats", "keys", "a block of two keys, a hundred times", {
            let block = b().u8(0).str("one").str("1").u8(0).str("two").str("2").0;
            plain(Rdb::redis(9)).raw(block.repeat(100)).end()
        }),
        bad(
            "rdb-type-version",
            "hash-ttl-in-11",
            "type 25 in version 11",
            value(11, 25, b().i64le(0).str(field)),
        ),
        bad("rdb-type-version", "stream-in-8", "a stream in version 8", {
            value(8, 15, crate::stream::Stream::one().bytes(1))
        }),
        bad(
            "rdb-type-version",
            "aux-in-6",
            "an AUX field in version 6",
            plain(Rdb::redis(6).aux("a", "b")).end(),
        ),
        bad("module-pre-ga", "value", "a module value of the 4.0 release candidates", {
            value(8, 6, b().len(module_id("rdb-tools", 3)).raw("whatever"))
        }),
    ]
}

fn databases() -> Vec<Sample> {
    let db = |rdb: Rdb| rdb.string("key", "value").end();
    vec![
        bad(
            "db-range",
            "16",
            "the first database a default server lacks",
            db(Rdb::redis(9).db(16)),
        ),
        bad(
            "db-invalid",
            "2-31",
            "more databases than an int counts",
            db(Rdb::redis(9).db(1 << 31)),
        ),
        bad(
            "resizedb-hint",
            "counts",
            "counts that are wrong",
            db(Rdb::redis(9).db(0).resize(99, 98)),
        ),
        bad(
            "dup-key",
            "same-db",
            "one key twice",
            plain(Rdb::redis(9)).string("key", "again").end(),
        ),
        bad("dup-key", "later", "one key twice, the database selected again in between", {
            plain(Rdb::redis(9)).db(1).string("key", "fine").db(0).string("key", "again").end()
        }),
        bad("dup-key", "forms", "one key twice, once as an integer", {
            let key = Rdb::redis(9)
                .db(0)
                .string("42", "text")
                .raw(b().u8(0).raw([0xc0, 42]).str("int").0);
            key.end()
        }),
    ]
}

fn attributes() -> Vec<Sample> {
    let ms = |ms: i64| b().u8(252).i64le(ms);
    vec![
        bad(
            "attr-stray",
            "expire-at-end",
            "an expire time before EOF",
            plain(Rdb::redis(9)).expire_ms(FAR).end(),
        ),
        bad("attr-stray", "expire-before-db", "an expire time before SELECTDB", {
            Rdb::redis(9).expire_ms(FAR).db(0).string("key", "value").end()
        }),
        bad(
            "attr-twice",
            "expire",
            "two expire times",
            before(9, b().raw(ms(FAR).0).raw(ms(FAR + 1).0)),
        ),
        bad("expire-range", "negative", "an expire time below zero", before(9, ms(-5))),
        bad(
            "expire-range",
            "minus-one",
            "minus one, which servers take for none",
            before(9, ms(-1)),
        ),
        bad("expire-range", "far", "an expire time beyond any clock", before(9, ms(i64::MAX))),
        bad(
            "freq-idle",
            "both",
            "an LFU counter and an idle time",
            before(9, b().u8(249).u8(5).u8(248).len(60)),
        ),
        bad(
            "aux-value",
            "bits",
            "redis-bits that are no number",
            with(Rdb::redis(9), b().u8(250).str("redis-bits").str("many")),
        ),
        bad("aux-value", "slot-info", "Valkey's slot-info with two numbers", {
            with(Rdb::valkey(80), b().u8(250).str("slot-info").str("5,1"))
        }),
    ]
}

fn cluster() -> Vec<Sample> {
    let job = "0123456789abcdef0123456789abcdef01234567";
    let import = |job: &str, start: u64, end: u64| {
        with(Rdb::valkey(80), b().u8(243).str(job).len(1).len(start).len(end))
    };
    let slot = |slot: u64| {
        Rdb::redis(12).db(0).raw(b().u8(244).len(slot).len(1).len(0).0).string("key", "v").end()
    };
    vec![
        bad("slot-range", "info", "the counts of slot 16384", slot(16_384)),
        bad("slot-range", "import", "an import up to slot 16384", import(job, 0, 16_384)),
        bad("slot-range", "backwards", "an import that ends before it starts", import(job, 9, 5)),
        bad("slot-job", "short", "a job name of 39 characters", import(&job[1..], 0, 5)),
    ]
}

fn functions() -> Vec<Sample> {
    let library = |code: &str| b().u8(245).str(code);
    let twice = b().raw(library(LIBRARY).0).raw(library(LIBRARY).0);
    let body = "redis.register_function('old', function() return 1 end)";
    let pre_ga = b().u8(246).str("old").str("LUA").len(0).str(body);
    vec![
        bad(
            "function-pre-ga",
            "one",
            "a function of the 7.0 release candidates",
            with(Rdb::redis(10), pre_ga),
        ),
        bad(
            "function-code",
            "no-shebang",
            "no first line",
            with(Rdb::redis(10), library("return 1")),
        ),
        bad(
            "function-code",
            "no-name",
            "no library name",
            with(Rdb::redis(10), library("#!lua\nreturn 1")),
        ),
        bad("dup-function", "twice", "one library twice", with(Rdb::redis(10), twice)),
    ]
}

fn meta() -> Vec<Sample> {
    let one = || b().u32le(meta_class("demo", 1, 1)).len(2).len(42).len(0);
    let many = (0..8).fold(b().u8(243).len(8), |out, _| out.raw(one().0));
    let unknown = b().u8(243).len(1).u32le(meta_class("demo", 1, 1)).len(9).len(42).len(0);
    vec![
        bad("key-meta", "eight", "eight classes, where seven is the most", before(13, many)),
        bad("key-meta", "none", "no class at all", before(13, b().u8(243).len(0))),
        bad("module-opcode", "key-meta", "metadata with part kind 9", before(13, unknown)),
    ]
}

fn strings() -> Vec<Sample> {
    let string = |v: Bytes| value(9, 0, v);
    let zset = |score: &str| value(7, 3, b().len(1).str("m").str(score));
    vec![
        bad(
            "length-encoding",
            "82",
            "a length that begins with 0x82",
            string(b().raw([0x82, 1, b'a'])),
        ),
        bad(
            "length-encoding",
            "int",
            "an integer where a count is due",
            value(9, 1, b().raw([0xc0, 1])),
        ),
        bad(
            "length-long",
            "14-bit",
            "a length in a longer form than needed",
            string(b().len14(1).raw("v")),
        ),
        bad("string-encoding", "c5", "string encoding 5", string(b().u8(0xc5))),
        bad(
            "string-lzf",
            "short",
            "expands to fewer bytes than it says",
            string(b().lzf(b"\x01ab", 5)),
        ),
        bad(
            "string-lzf",
            "long",
            "expands to more bytes than it says",
            string(b().lzf(b"\x03abcd", 2)),
        ),
        bad(
            "string-lzf",
            "before-start",
            "copies from before the start",
            string(b().lzf(&[0, b'a', 0x20, 5], 4)),
        ),
        bad(
            "string-lzf",
            "cut",
            "a run of literals that is not all there",
            string(b().lzf(b"\x09abc", 10)),
        ),
        bad(
            "rdb-truncated",
            "huge",
            "a string of 2^62 bytes, eleven of them there",
            string(b().len64(1 << 62).raw("ab")),
        ),
        bad(
            "string-lzf",
            "huge",
            "five bytes that are said to expand to a terabyte",
            string(b().lzf(&[0, b'a', 0xe0, 255, 0], 1 << 40)),
        ),
        bad("rdb-truncated", "count", "a set of 2^62 members, two of them there", {
            let members = b().len64(1 << 62).str("a").str("b");
            Rdb::redis(9).db(0).key(2, "key", members).cut()
        }),
        bad("rdb-truncated", "nodes", "a list of 2^32 nodes, none of them there", {
            Rdb::redis(10).db(0).key(18, "key", b().len64(1 << 32)).cut()
        }),
        bad("double-text", "word", "the score `abc`", zset("abc")),
        bad("double-text", "empty", "a score of no characters", zset("")),
    ]
}
