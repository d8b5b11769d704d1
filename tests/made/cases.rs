//! The 67 cases that three servers and their check tools were asked about: the answers are in
//! `testdata/made/cases.tsv`. Each file is rebuilt from the case's name and size.

use crate::made::*;
use crate::sample::Sample;
use crate::stream::{Group, Stream, THEN};

/// A day in 2100, in ms: no test outlives it.
const FAR: i64 = 4_102_444_800_000;

/// `SELECTDB 0` and the string key `a` = `b`: 25 bytes once closed.
fn plain(version: u32) -> Rdb {
    Rdb::redis(version).db(0).string("a", "b")
}

fn one(version: u32, rdb_type: u8, key: &str, value: Bytes) -> Vec<u8> {
    Rdb::redis(version).db(0).key(rdb_type, key, value).end()
}

fn packed(rdb_type: u8, key: &str, blob: Vec<u8>) -> Vec<u8> {
    Rdb::redis(11).db(0).packed(rdb_type, key, blob).end()
}

fn scored(pairs: &[(&str, i64)]) -> Vec<u8> {
    lp(&pairs.iter().flat_map(|(m, s)| [lpe::text(m), lpe::int(*s)]).collect::<Vec<_>>())
}

fn stream(value: Stream) -> Vec<u8> {
    one(11, 21, "x", value.bytes(3))
}

/// Fields with their value and expire time, as type 25 packs them.
fn expiring(triples: &[(&str, &str, Vec<u8>)]) -> Bytes {
    let entries = triples.iter().flat_map(|(f, v, t)| [lpe::text(f), lpe::text(v), t.clone()]);
    b().i64le(FAR).str(lp(&entries.collect::<Vec<_>>()))
}

/// Every case, in the order of the list.
pub(crate) fn samples() -> Vec<Sample> {
    [
        frame(),
        attributes(),
        zsets(),
        hashes(),
        sets_and_lists(),
        strings(),
        carried(),
        ttl(),
        heads(),
    ]
    .into_iter()
    .flatten()
    .chain(streams())
    .map(|(case, codes, bytes)| Sample::case(case, codes, bytes))
    .collect()
}

type Case = (&'static str, &'static str, Vec<u8>);

fn frame() -> Vec<Case> {
    let crc = |rdb: Rdb, cut: usize| {
        let mut bytes = rdb.end();
        bytes.truncate(bytes.len() - cut);
        bytes
    };
    vec![
        ("valid", "", plain(11).end()),
        (
            "trailing garbage after CRC",
            "trailing-bytes",
            [plain(11).end(), b"garbage!".to_vec()].concat(),
        ),
        ("truncated CRC (4 bytes)", "rdb-truncated", crc(plain(11), 4)),
        ("no CRC at all v11", "rdb-truncated", plain(11).eof()),
        ("CRC zero", "rdb-crc-disabled", plain(11).end_with(0)),
        ("bad CRC", "rdb-crc", plain(11).end_with(0x0123_4567_89ab_cdef)),
        ("missing EOF opcode", "rdb-no-eof", plain(11).cut()),
        ("v4 with no crc", "rdb-crc-absent", plain(4).eof()),
        ("v4 with trailing 8 bytes", "rdb-crc-absent,trailing-bytes", plain(4).end()),
        ("duplicate key", "dup-key", plain(11).string("a", "c").end()),
        ("db id 99", "db-range", Rdb::redis(11).db(99).string("a", "b").end()),
    ]
}

fn attributes() -> Vec<Case> {
    let key = |rdb: Rdb| rdb.string("a", "b").end();
    let db = || Rdb::redis(11).db(0);
    vec![
        ("wrong RESIZEDB counts", "resizedb-hint", key(db().resize(50, 7))),
        ("expire opcode then EOF", "attr-stray", plain(11).expire_ms(FAR).end()),
        (
            "two expire opcodes",
            "attr-twice",
            key(db().expire_ms(1).raw(b().u8(253).i32le(2_000_000_000).0)),
        ),
        ("expire then SELECTDB then key", "attr-stray", key(db().expire_ms(1).db(1))),
        ("negative expire ms", "expire-range", key(db().expire_ms(-1000))),
        ("huge expire", "expire-range", key(db().expire_ms(i64::MAX))),
    ]
}

fn zsets() -> Vec<Case> {
    let text = lp(&[lpe::text("a"), lpe::text("xx")]);
    vec![
        ("zset lp unsorted", "zset-order", packed(17, "z", scored(&[("a", 5), ("b", 3)]))),
        ("zset lp score not a number", "zset-score", packed(17, "z", text)),
        ("zset lp dup member", "dup-member", packed(17, "z", scored(&[("a", 1), ("a", 2)]))),
        ("zset2 NaN", "zset-nan", one(11, 5, "z", b().len(1).str("a").f64le(f64::NAN))),
        ("zset1 text score", "", one(11, 3, "z", b().len(1).str("a").u8(3).raw("1.5"))),
    ]
}

fn hashes() -> Vec<Case> {
    let pair = [lpe::text("a"), lpe::text("x")];
    vec![
        ("hash lp odd", "pair-odd", packed(16, "h", lp_texts(&["a", "x", "b"]))),
        ("hash lp dup", "dup-field", packed(16, "h", lp_texts(&["a", "x", "a", "y"]))),
        ("hash lp wrong numele", "lp-count", packed(16, "h", lp_count(4, &pair))),
        ("hash lp numele 65535", "", packed(16, "h", lp_count(65_535, &pair))),
        ("empty hash", "empty-collection", one(11, 4, "h", b().len(0))),
    ]
}

fn sets_and_lists() -> Vec<Case> {
    vec![
        ("empty list", "empty-collection", one(11, 18, "l", b().len(0))),
        ("empty set lp", "empty-collection", packed(20, "s", lp(&[]))),
        ("set dup", "dup-member", one(11, 2, "s", b().len(2).str("a").str("a"))),
        (
            "list quicklist2 container 3",
            "list-container",
            one(11, 18, "l", b().len(1).len(3).str("a")),
        ),
        ("list plain node empty", "list-node-empty", one(11, 18, "l", b().len(1).len(1).str(""))),
        ("intset unsorted", "intset-order", packed(11, "i", intset(2, &[2, 1]))),
        ("intset one element fits smaller enc", "", packed(11, "i", intset(8, &[5]))),
    ]
}

fn strings() -> Vec<Case> {
    let value = |value: Bytes| one(11, 0, "k", value);
    vec![
        (
            "non-canonical length (14-bit for 1)",
            "length-long",
            one(11, 0, "a", b().len14(1).raw("b")),
        ),
        ("string int-encoded", "", value(b().raw([0xc0, 5]))),
        ("string 5 stored raw (not int enc)", "", value(b().str("5"))),
        ("string LZF len mismatch", "string-lzf", value(b().lzf(b"\x01ab", 5))),
        (
            "reserved length byte 0x82",
            "length-encoding",
            Rdb::redis(11).db(0).raw([0, 0x82, b'a']).end(),
        ),
        ("string enc type 5", "string-encoding", value(b().u8(0xc5))),
    ]
}

fn carried() -> Vec<Case> {
    let module = b().len64(0x1234_5678_9012_3456);
    let aux = b().u8(247).raw(&module.0).len(2).len(2).len(0);
    let value = module.len(2).len(5).len(5).str("abc").len(0);
    vec![
        ("type 8", "rdb-opcode", one(11, 8, "a", b().str("b"))),
        ("type 6 module v1", "module-pre-ga", one(11, 6, "m", b().len(0))),
        ("unknown module type 7", "module-unknown", one(11, 7, "m", value)),
        ("module aux unknown", "module-unknown", plain(11).raw(aux.0).end()),
        ("function bad code", "function-code", plain(11).raw(b().u8(245).str("not a lib").0).end()),
        (
            "function pre-GA",
            "function-pre-ga",
            plain(11).raw(b().u8(246).str("f").str("e").len(0).str("c").0).end(),
        ),
        (
            "aux unknown + % aux",
            "",
            Rdb::redis(11).aux("foo", "x").aux("%bar", "abc").db(0).string("a", "b").end(),
        ),
        (
            "slot-info opcode in v11",
            "rdb-type-version",
            Rdb::redis(11).db(0).raw(b().u8(244).len(0).len(1).len(0).0).string("a", "b").end(),
        ),
    ]
}

fn ttl() -> Vec<Case> {
    let far = || lpe::i64(FAR);
    let mixed = b().i64le(FAR).len(2).len(1).str("a").str("1").len(0).str("b").str("2");
    let valkey = |value: Bytes| Rdb::valkey(80).db(0).key(22, "h", value).end();
    vec![
        ("v12 plain types", "", plain(12).end()),
        ("v12 type 25 hash ttl", "", one(12, 25, "h", expiring(&[("a", "1", far())]))),
        ("v12 type 24", "", one(12, 24, "h", mixed)),
        (
            "type 25 unordered ttl",
            "hash-ttl-order",
            one(12, 25, "h", expiring(&[("a", "1", lpe::u7(0)), ("b", "2", far())])),
        ),
        (
            "type 25 expired field",
            "",
            one(12, 25, "h", expiring(&[("a", "1", lpe::i13(1000)), ("b", "2", lpe::u7(0))])),
        ),
        (
            "v80 VALKEY type 22",
            "",
            valkey(b().len(2).str("a").str("1").i64le(FAR).str("b").str("2").i64le(-1)),
        ),
        ("v80 VALKEY type 22 expired field", "", valkey(b().len(1).str("a").str("1").i64le(1000))),
    ]
}

fn heads() -> Vec<Case> {
    vec![
        ("REDIS0080", "rdb-version-unknown", plain(80).end()),
        ("VALKEY011", "rdb-version", Rdb::valkey(11).db(0).string("a", "b").end()),
        ("REDIS0000", "rdb-version", Rdb::redis(0).db(0).eof()),
        (
            "REDISxyz1",
            "rdb-crc-absent,rdb-version-unknown,trailing-bytes",
            Rdb::magic("REDIS01x1").db(0).end(),
        ),
        ("0 byte file", "rdb-empty-file", vec![]),
        ("9 byte header only", "rdb-no-eof", Rdb::redis(11).cut()),
    ]
}

fn streams() -> Vec<Case> {
    let orphan = Group { consumers: vec![], ..Group::pending("g", &[(1, 1)]) };
    let missing = Group {
        pel: vec![((9, 9), THEN, 1)],
        consumers: vec![("c", THEN, THEN, vec![(9, 9)])],
        ..Group::pending("g", &[(1, 1)])
    };
    vec![
        ("stream no entries_added consistency", "", stream(Stream { added: 7, ..Stream::empty() })),
        (
            "stream length != live",
            "stream-counts",
            stream(Stream { length: 5, added: 5, ..Stream::one() }),
        ),
        ("stream ok", "", stream(Stream::one())),
        ("stream PEL entry without consumer", "pel-orphan", stream(Stream::one().group(orphan))),
        (
            "stream PEL refers to missing entry",
            "pel-dangling",
            stream(Stream::one().group(missing)),
        ),
        (
            "stream last_id < max entry",
            "stream-last-id",
            stream(Stream { last: (0, 5), ..Stream::one() }),
        ),
    ]
}
