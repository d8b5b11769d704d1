//! One file for each finding about a value: collections, packed encodings, hash TTLs, arrays.

use crate::good::FAR;
use crate::made::*;
use crate::sample::Sample;

fn value(version: u32, rdb_type: u8, value: Bytes) -> Vec<u8> {
    Rdb::redis(version).db(0).key(rdb_type, "key", value).end()
}

fn packed(version: u32, rdb_type: u8, blob: Vec<u8>) -> Vec<u8> {
    Rdb::redis(version).db(0).packed(rdb_type, "key", blob).end()
}

fn bad(codes: &str, name: &str, what: &str, bytes: Vec<u8>) -> Sample {
    Sample::bad(codes, name, what, bytes)
}

pub(crate) fn samples() -> Vec<Sample> {
    [
        empty(),
        duplicates(),
        zsets(),
        hash_ttl(),
        lists(),
        listpacks(),
        backlens(),
        ziplists(),
        others(),
        arrays(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn empty() -> Vec<Sample> {
    let none = |name: &str, rdb_type: u8, v: Bytes| {
        let version = match rdb_type {
            0..=14 => 8,
            15..=19 => 10,
            20 | 21 => 11,
            _ => 12,
        };
        bad("empty-collection", name, "no elements", value(version, rdb_type, v))
    };
    vec![
        none("list", 1, b().len(0)),
        none("set", 2, b().len(0)),
        none("zset", 3, b().len(0)),
        none("hash", 4, b().len(0)),
        none("zset-2", 5, b().len(0)),
        none("list-ziplist", 10, b().str(zl(&[]))),
        none("zset-ziplist", 12, b().str(zl(&[]))),
        none("hash-ziplist", 13, b().str(zl(&[]))),
        none("quicklist", 14, b().len(0)),
        none("hash-listpack", 16, b().str(lp(&[]))),
        none("zset-listpack", 17, b().str(lp(&[]))),
        none("quicklist-2", 18, b().len(0)),
        none("quicklist-2-node", 18, b().len(1).len(2).str(lp(&[]))),
        none("set-listpack", 20, b().str(lp(&[]))),
        none("hash-metadata", 24, b().i64le(0).len(0)),
        none("hash-listpack-ex", 25, b().i64le(0).str(lp(&[]))),
    ]
}

fn duplicates() -> Vec<Sample> {
    let f64s = b().len(2).str("a").f64le(1.0).str("a").f64le(2.0);
    let metadata = b().i64le(FAR).len(2).len(1).str("f").str("1").len(0).str("f").str("2");
    let valkey = b().len(2).str("f").str("1").i64le(FAR).str("f").str("2").i64le(-1);
    let mixed = lp(&[lpe::int(5), lpe::text("a"), lpe::s6("5")]);
    let fields = ["f", "1", "f", "2"];
    let ex = lp(&[
        lpe::text("f"),
        lpe::text("1"),
        lpe::i64(FAR),
        lpe::text("f"),
        lpe::text("2"),
        lpe::u7(0),
    ]);
    vec![
        bad("dup-member", "set", "a set", value(6, 2, b().len(2).str("a").str("a"))),
        bad(
            "dup-member",
            "set-listpack",
            "a listpack set",
            packed(11, 20, lp_texts(&["a", "b", "a"])),
        ),
        bad("dup-member", "set-listpack-forms", "5 as integer and as text", packed(11, 20, mixed)),
        bad("dup-member", "zset-2", "a sorted set", value(8, 5, f64s)),
        bad(
            "dup-member",
            "zset-listpack",
            "a listpack sorted set",
            packed(10, 17, lp_texts(&["a", "1", "a", "2"])),
        ),
        bad(
            "dup-field",
            "hash",
            "a hash",
            value(6, 4, b().len(2).str("f").str("1").str("f").str("2")),
        ),
        bad(
            "dup-field",
            "hash-zipmap",
            "a zipmap",
            packed(6, 9, zipmap(2, &[("f", "1"), ("f", "2")], 0)),
        ),
        bad("dup-field", "hash-ziplist", "a ziplist", packed(9, 13, zl_texts(&fields))),
        bad("dup-field", "hash-listpack", "a listpack", packed(10, 16, lp_texts(&fields))),
        bad("dup-field", "hash-metadata", "a hash with TTLs", value(12, 24, metadata)),
        bad(
            "dup-field",
            "hash-listpack-ex",
            "a listpack with TTLs",
            value(12, 25, b().i64le(FAR).str(ex)),
        ),
        bad("dup-field", "valkey-hash-2", "Valkey's hash with expire times", {
            Rdb::valkey(80).db(0).key(22, "key", valkey).end()
        }),
        bad(
            "pair-odd",
            "hash-listpack",
            "three entries",
            packed(10, 16, lp_texts(&["f", "1", "g"])),
        ),
        bad("pair-odd", "hash-ziplist", "three entries", packed(9, 13, zl_texts(&["f", "1", "g"]))),
        bad(
            "pair-odd",
            "zset-listpack",
            "three entries",
            packed(10, 17, lp_texts(&["a", "1", "b"])),
        ),
        bad("pair-odd", "zset-ziplist", "three entries", packed(9, 12, zl_texts(&["a", "1", "b"]))),
        bad("pair-odd", "hash-listpack-ex", "four entries, no triples", {
            value(
                12,
                25,
                b().i64le(FAR).str(lp(&[
                    lpe::text("f"),
                    lpe::text("1"),
                    lpe::i64(FAR),
                    lpe::text("g"),
                ])),
            )
        }),
    ]
}

fn zsets() -> Vec<Sample> {
    vec![
        bad("zset-nan", "binary", "a binary NaN", value(8, 5, b().len(1).str("m").f64le(f64::NAN))),
        bad(
            "zset-nan",
            "text",
            "the NaN of the text form",
            value(6, 3, b().len(1).str("m").u8(253)),
        ),
        bad("zset-nan", "listpack", "the score `nan`", packed(10, 17, lp_texts(&["m", "nan"]))),
        bad("zset-score", "listpack", "the score `high`", packed(10, 17, lp_texts(&["m", "high"]))),
        bad("zset-score", "ziplist", "the score `high`", packed(9, 12, zl_texts(&["m", "high"]))),
        bad(
            "zset-order",
            "listpack",
            "5 before 3",
            packed(10, 17, lp_texts(&["a", "5", "b", "3"])),
        ),
        bad("zset-order", "ziplist", "5 before 3", packed(9, 12, zl_texts(&["a", "5", "b", "3"]))),
        bad(
            "zset-order",
            "members",
            "same score, b before a",
            packed(10, 17, lp_texts(&["b", "1", "a", "1"])),
        ),
    ]
}

fn hash_ttl() -> Vec<Sample> {
    let ex = |ttls: &[Vec<u8>]| {
        let names = ["f", "g", "h"];
        let entries =
            ttls.iter().zip(names).flat_map(|(t, n)| [lpe::text(n), lpe::text("v"), t.clone()]);
        value(12, 25, b().i64le(FAR).str(lp(&entries.collect::<Vec<_>>())))
    };
    let pre_ga = lp(&[lpe::text("f"), lpe::text("v"), lpe::text("soon")]);
    let valkey = |ms: i64| {
        Rdb::valkey(80).db(0).key(22, "key", b().len(1).str("f").str("v").i64le(ms)).end()
    };
    vec![
        bad("hash-ttl", "text", "an expire time that is a word", ex(&[lpe::text("soon")])),
        bad("hash-ttl", "negative", "an expire time below zero", ex(&[lpe::int(-1)])),
        bad("hash-ttl", "limit", "an expire time of 2^48", ex(&[lpe::i64(1 << 48)])),
        bad(
            "hash-ttl",
            "pre-ga",
            "a word, in the release candidates' type",
            packed(12, 23, pre_ga),
        ),
        bad("hash-ttl", "metadata", "a time that overflows", {
            value(12, 24, b().i64le(FAR).len(1).len(u64::MAX).str("f").str("v"))
        }),
        bad("hash-ttl", "valkey", "Valkey's -2", valkey(-2)),
        bad(
            "hash-ttl-order",
            "descending",
            "the later field first",
            ex(&[lpe::i64(FAR + 1), lpe::i64(FAR)]),
        ),
        bad(
            "hash-ttl-order",
            "none-first",
            "the field without expire time first",
            ex(&[lpe::u7(0), lpe::i64(FAR)]),
        ),
    ]
}

fn lists() -> Vec<Sample> {
    vec![
        bad("list-container", "3", "container 3", value(10, 18, b().len(1).len(3).str("a"))),
        bad("list-container", "0", "container 0", value(10, 18, b().len(1).len(0).str("a"))),
        bad(
            "list-node-empty",
            "plain",
            "a plain node of no bytes",
            value(10, 18, b().len(2).len(1).str("a").len(1).str("")),
        ),
        bad(
            "packed-type",
            "listpack",
            "a listpack of two bytes",
            packed(10, 16, b"\x07\x00".to_vec()),
        ),
        bad(
            "packed-type",
            "int",
            "an integer where a listpack is due",
            value(10, 16, b().raw([0xc0, 5])),
        ),
        bad("packed-type", "ziplist", "a ziplist of no bytes", packed(9, 13, vec![])),
        bad("packed-type", "intset", "an intset of three bytes", packed(6, 11, vec![2, 0, 0])),
        bad("packed-type", "zipmap", "a zipmap of one byte", packed(6, 9, vec![0xff])),
    ]
}

fn listpacks() -> Vec<Sample> {
    let entries = lp_entries(&[lpe::text("f"), lpe::text("v")]);
    let total = entries.len() as u32 + 7;
    let hash = |blob: Vec<u8>| packed(10, 16, blob);
    let entry = |bytes: &[u8]| hash(lp_raw(bytes.len() as u32 + 7, 2, bytes, 0xff));
    vec![
        bad(
            "lp-header",
            "total",
            "a total of one byte too many",
            hash(lp_raw(total + 1, 2, &entries, 0xff)),
        ),
        bad("lp-header", "end", "no end byte", hash(lp_raw(total, 2, &entries, 0xfe))),
        bad(
            "lp-entry",
            "early-end",
            "an end byte before the end",
            entry(&[&entries[..], &[0xff], &entries[..]].concat()),
        ),
        bad(
            "lp-entry",
            "f5",
            "an encoding byte that does not exist",
            entry(&[0x81, b'f', 2, 0xf5, 1]),
        ),
        bad(
            "lp-entry",
            "outside",
            "a string that reaches outside",
            entry(&[0x81, b'f', 2, 0xbf, b'v', 2]),
        ),
        bad(
            "lp-entry",
            "outside-32",
            "a string of 2 GiB",
            entry(&[0x81, b'f', 2, 0xf0, 0xff, 0xff, 0xff, 0x7f, 5]),
        ),
        bad(
            "lp-entry",
            "cut-int",
            "an integer without all its bytes",
            entry(&[0x81, b'f', 2, 0xf4, 1, 2, 3]),
        ),
        bad(
            "lp-backlen",
            "value",
            "a back length of one too many",
            entry(&[0x81, b'f', 2, 0x81, b'v', 3]),
        ),
        bad("lp-backlen", "zero", "a back length of zero", entry(&[0x81, b'f', 0, 0x81, b'v', 2])),
        bad(
            "lp-backlen",
            "width",
            "two bytes where one is due",
            entry(&[0x81, b'f', 2, 0x81, b'v', 0, 0x82]),
        ),
        bad("lp-backlen", "marks", "two bytes, the marks on the wrong one", {
            let long = [lpe::s12("x".repeat(200)), vec![0x81, 0x4a]].concat();
            entry(&[&[0x81, b'f', 2][..], &long].concat())
        }),
        bad("lp-count", "more", "a count of four for two", hash(lp_raw(total, 4, &entries, 0xff))),
        bad("lp-count", "fewer", "a count of none for two", hash(lp_raw(total, 0, &entries, 0xff))),
    ]
}

/// Entries of exactly 16383 bytes, where servers disagree about the width of the back length.
fn backlens() -> Vec<Sample> {
    let big = lpe::s32("x".repeat(16_378));
    let list = |width: usize| {
        let body =
            [&big[..], &backlen(big.len(), width), &lp_entries(&[lpe::text("after")])].concat();
        let blob = lp_raw(body.len() as u32 + 7, 2, &body, 0xff);
        value(10, 18, b().len(1).len(2).str(blob))
    };
    vec![
        bad(
            "lp-backlen-wide",
            "list",
            "three bytes, as servers before Redis 8.8 and Valkey 9.1 write",
            list(3),
        ),
        bad("lp-backlen-narrow", "list", "two bytes, as Redis 8.8 and Valkey 9.1 write", list(2)),
    ]
}

fn ziplists() -> Vec<Sample> {
    let (entries, tail) = zl_entries(&[zle::s6("f"), zle::s6("v")]);
    let total = entries.len() as u32 + 11;
    let hash = |blob: Vec<u8>| packed(9, 13, blob);
    let entry =
        |bytes: &[u8], tail: u32| hash(zl_raw(bytes.len() as u32 + 11, tail, 2, bytes, 0xff));
    vec![
        bad(
            "zl-header",
            "total",
            "a total of one byte too many",
            hash(zl_raw(total + 1, tail, 2, &entries, 0xff)),
        ),
        bad("zl-header", "end", "no end byte", hash(zl_raw(total, tail, 2, &entries, 0xfe))),
        bad(
            "zl-entry",
            "c1",
            "an encoding byte that does not exist",
            entry(&[0, 1, b'f', 3, 0xc1, 0], 13),
        ),
        bad(
            "zl-entry",
            "outside",
            "a string that reaches outside",
            entry(&[0, 1, b'f', 3, 0x3f, b'v'], 13),
        ),
        bad("zl-entry", "prevlen-ff", "a prevlen of 255", entry(&[0, 1, b'f', 0xff, 1, b'v'], 13)),
        bad(
            "zl-prevlen",
            "value",
            "an entry before of four bytes, said to be five",
            entry(&[0, 2, b'f', b'g', 5, 1, b'v'], 14),
        ),
        bad(
            "zl-prevlen",
            "first",
            "something before the first entry",
            entry(&[9, 1, b'f', 3, 1, b'v'], 13),
        ),
        bad(
            "zl-tail",
            "first",
            "the first entry as the last",
            hash(zl_raw(total, 10, 2, &entries, 0xff)),
        ),
        bad(
            "zl-header",
            "tail-outside",
            "a last entry far outside",
            hash(zl_raw(total, 1 << 30, 2, &entries, 0xff)),
        ),
        bad(
            "zl-count",
            "more",
            "a count of four for two",
            hash(zl_raw(total, tail, 4, &entries, 0xff)),
        ),
        bad(
            "zl-count",
            "fewer",
            "a count of none for two",
            hash(zl_raw(total, tail, 0, &entries, 0xff)),
        ),
    ]
}

fn others() -> Vec<Sample> {
    let set = |blob: Vec<u8>| packed(6, 11, blob);
    let map = |blob: Vec<u8>| packed(6, 9, blob);
    let mut behind = zipmap(1, &[("f", "v")], 0);
    behind.extend(b"rest\xff");
    vec![
        bad("intset-header", "width", "numbers of three bytes", set(intset_raw(3, 2, &[1, 2]))),
        bad("intset-header", "count", "a count of five for two", set(intset_raw(2, 5, &[1, 2]))),
        bad(
            "intset-header",
            "overflow",
            "a count whose size overflows 32 bits",
            set(intset_raw(8, 0x2000_0001, &[1])),
        ),
        bad("intset-header", "empty", "no number", set(intset(2, &[]))),
        bad("intset-order", "descending", "2 before 1", set(intset(2, &[2, 1]))),
        bad("intset-order", "same", "one number twice", set(intset(4, &[1, 1]))),
        bad(
            "zipmap-entry",
            "outside",
            "a value that reaches outside",
            map(b"\x01\x01f\x09\x00v\xff".to_vec()),
        ),
        bad("zipmap-entry", "no-value", "a field without a value", map(b"\x01\x01f\xff".to_vec())),
        bad(
            "zipmap-entry",
            "long-form",
            "a short length in the long form",
            map(b"\x01\xfe\x01\x00\x00\x00f\x01\x00v\xff".to_vec()),
        ),
        bad("zipmap-count", "more", "a count of three for one", map(zipmap(3, &[("f", "v")], 0))),
        bad("zipmap-count", "empty", "no pair", map(zipmap(0, &[], 0))),
        bad("value-trailing", "zipmap", "bytes behind the zipmap's end", map(behind)),
    ]
}

fn arrays() -> Vec<Sample> {
    let array = |v: Bytes| value(14, 28, v);
    let two = |first: u64, second: u64| {
        b().len(2).len(0).len(first).len(3).str("a").len(second).len(3).str("b")
    };
    vec![
        bad("array-invalid", "empty", "no element", array(b().len(0).len(0))),
        bad("array-invalid", "flag", "flag 2", array(b().len(1).len(2).len(0).len(3).str("a"))),
        bad("array-invalid", "tag", "tag 4", array(b().len(1).len(0).len(0).len(4).str("a"))),
        bad(
            "array-invalid",
            "short",
            "a short string of eight bytes",
            array(b().len(1).len(0).len(0).len(3).str("12345678")),
        ),
        bad(
            "array-invalid",
            "index",
            "the index 2^64-1",
            array(b().len(1).len(0).len(u64::MAX).len(3).str("a")),
        ),
        bad("array-invalid", "insert", "the insert position 2^64-1", {
            array(b().len(1).len(1).len(u64::MAX).len(0).len(3).str("a"))
        }),
        bad("array-invalid", "order", "index 5 before 3", array(two(5, 3))),
        bad("array-invalid", "same", "index 5 twice", array(two(5, 5))),
    ]
}
