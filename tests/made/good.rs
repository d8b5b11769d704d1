//! Sound files: one for every row of the type table and every opcode, in their plainest form and with
//! the edges that servers write rarely or no longer.

use crate::made::*;
use crate::modules::module_id;
use crate::sample::Sample;

/// Some day in 2100, in ms: no test outlives it.
pub(crate) const FAR: i64 = 4_102_444_800_000;

/// A library that every server with functions compiles.
pub(crate) const LIBRARY: &str =
    "#!lua name=greet\nredis.register_function('hello', function() return 'hello' end)";

fn one(version: u32, rdb_type: u8, value: Bytes) -> Vec<u8> {
    Rdb::redis(version).db(0).key(rdb_type, "key", value).end()
}

fn packed(version: u32, rdb_type: u8, blob: Vec<u8>) -> Vec<u8> {
    Rdb::redis(version).db(0).packed(rdb_type, "key", blob).end()
}

/// A key metadata class: four characters of six bits, five bits of version, three of flags.
pub(crate) fn meta_class(name: &str, version: u32, flags: u32) -> u32 {
    ((module_id(name, 0) >> 10) as u32) << 8 | version << 3 | flags
}

pub(crate) fn samples() -> Vec<Sample> {
    [plain_types(), ziplists(), listpacks(), hash_ttl(), newest(), opcodes(), strings(), frame()]
        .into_iter()
        .flatten()
        .map(|(name, what, codes, bytes)| Sample::good(name, what, codes, bytes))
        .collect()
}

pub(crate) type Row = (&'static str, &'static str, &'static str, Vec<u8>);

fn plain_types() -> Vec<Row> {
    let three = || b().len(3).str("one").str("two").str("three");
    let scores = [("a", "-2.5"), ("b", "1"), ("c", "17.25"), ("d", "1e+100")];
    let ascii = scores.iter().fold(b().len(6), |out, (m, s)| out.str(m).str(s));
    let ascii = ascii.str("low").u8(255).str("high").u8(254);
    let binary = b().len(4).str("high").f64le(f64::INFINITY).str("b").f64le(0.1);
    let binary = binary.str("zero").f64le(-0.0).str("low").f64le(f64::NEG_INFINITY);
    let fields = b().len(2).str("f1").str("v1").str("f2").str("");
    vec![
        ("type-00-string", "a string", "", one(6, 0, b().str("value"))),
        ("type-01-list", "a linked list of three", "", one(6, 1, three())),
        ("type-02-set", "a set of three", "", one(6, 2, three())),
        ("type-03-zset", "scores as text, and both infinities", "", one(6, 3, ascii)),
        ("type-04-hash", "a hash, one value empty", "", one(6, 4, fields)),
        ("type-05-zset-2", "binary scores: infinities, -0, 0.1", "", one(8, 5, binary)),
        (
            "type-09-zipmap",
            "a zipmap with unused bytes behind its values",
            "",
            packed(6, 9, zipmap(2, &[("f1", "v1"), ("f2", "")], 3)),
        ),
        (
            "type-09-zipmap-long",
            "a zipmap with long lengths and an unknown count",
            "",
            packed(6, 9, zipmap(254, &[("f1", &"v".repeat(300)), (&"k".repeat(254), "v2")], 0)),
        ),
        (
            "type-11-intset-16",
            "16-bit numbers",
            "",
            packed(6, 11, intset(2, &[-32_768, -1, 0, 32_767])),
        ),
        (
            "type-11-intset-32",
            "32-bit numbers",
            "",
            packed(6, 11, intset(4, &[-70_000, 5, 70_000])),
        ),
        (
            "type-11-intset-64",
            "64-bit numbers, both ends",
            "",
            packed(6, 11, intset(8, &[i64::MIN, 0, i64::MAX])),
        ),
        (
            "type-11-intset-wide",
            "small numbers stored wide",
            "",
            packed(6, 11, intset(8, &[1, 2, 3])),
        ),
    ]
}

fn ziplists() -> Vec<Row> {
    let every = zl(&[
        zle::s6("short"),
        zle::s6(""),
        zle::s14("m".repeat(64)),
        zle::s14("l".repeat(300)),
        zle::i16(-300),
        zle::i24(8_388_607),
        zle::i24(-8_388_608),
        zle::i32(i32::MIN),
        zle::i64(i64::MIN),
        zle::i8(-128),
        zle::immediate(0),
        zle::immediate(12),
        zle::s32("x".repeat(16_384)),
        zle::i8(13),
    ]);
    let old = zl(&[zle::s6("old"), zle::i16(7), zle::i32(100_000), zle::i64(1 << 40)]);
    // Every prevlen after the first in five bytes, which readers accept for small sizes too.
    let long = [&[0][..], &zle::s6("a"), &prevlen_long(3), &zle::s6("b")].concat();
    let long = zl_raw(long.len() as u32 + 11, 13, 2, &long, 0xff);
    let scored = zl(&[
        zle::s6("a"),
        zle::s6("-1.5"),
        zle::s6("b"),
        zle::immediate(1),
        zle::s6("c"),
        zle::s6("inf"),
    ]);
    let nodes = b().len(2).str(zl_texts(&["a", "b"])).str(zl(&[zle::immediate(3)]));
    vec![
        ("type-10-list-ziplist", "a ziplist with every entry encoding", "", packed(6, 10, every)),
        (
            "type-10-list-ziplist-old",
            "only the entry encodings before RDB 6",
            "",
            packed(5, 10, old),
        ),
        (
            "type-10-list-ziplist-prevlen",
            "a five-byte prevlen for a small size",
            "",
            packed(6, 10, long),
        ),
        ("type-12-zset-ziplist", "scores as integer and text", "", packed(6, 12, scored)),
        ("type-13-hash-ziplist", "a hash", "", packed(6, 13, zl_texts(&["f1", "v1", "f2", "v2"]))),
        (
            "type-13-hash-ziplist-uncounted",
            "a ziplist whose count is 65535, unknown",
            "",
            packed(6, 13, zl_count(65_535, &[zle::s6("f"), zle::s6("v")])),
        ),
        ("type-14-quicklist", "two ziplist nodes", "", one(7, 14, nodes)),
    ]
}

fn listpacks() -> Vec<Row> {
    let every = lp(&[
        lpe::u7(0),
        lpe::u7(127),
        lpe::s6(""),
        lpe::s6("s".repeat(63)),
        lpe::i13(-4096),
        lpe::i13(4095),
        lpe::s12("m".repeat(64)),
        lpe::s12("m".repeat(4095)),
        lpe::i16(i16::MIN),
        lpe::i24(-8_388_608),
        lpe::i32(i32::MIN),
        lpe::i64(i64::MIN),
        lpe::i64(i64::MAX),
        lpe::s32("x".repeat(4096)),
        lpe::s32("y".repeat(16_384)),
        lpe::i24(8_388_607),
    ]);
    let node = |kind: u64, blob: Vec<u8>| b().len(kind).str(blob).0;
    let list = |nodes: &[Vec<u8>]| b().len(nodes.len() as u64).raw(nodes.concat());
    let scored = lp(&[
        lpe::text("b"),
        lpe::text("-0.5"),
        lpe::text("a"),
        lpe::int(1),
        lpe::text("c"),
        lpe::text("inf"),
    ]);
    // 70000 times the number 7: the count says 65535, "walk me". Compressed, as a server would.
    let many = lp(&vec![lpe::u7(7); 70_000]);
    let many = b().len(1).len(2).raw(lzf_runs(&many).0);
    vec![
        (
            "type-16-hash-listpack",
            "a hash",
            "",
            packed(10, 16, lp_texts(&["f1", "v1", "f2", "v2"])),
        ),
        (
            "type-16-hash-listpack-uncounted",
            "a listpack whose count is 65535, unknown",
            "",
            packed(10, 16, lp_count(65_535, &[lpe::text("f"), lpe::text("v")])),
        ),
        ("type-17-zset-listpack", "scores as integer and text", "", packed(10, 17, scored)),
        (
            "type-18-quicklist-2",
            "a packed node with every entry encoding and a plain one",
            "",
            one(10, 18, list(&[node(2, every), node(1, b"plain".to_vec())])),
        ),
        (
            "type-18-quicklist-2-many",
            "a node of 70000 entries: more than its count can say",
            "",
            one(10, 18, many),
        ),
        (
            "type-20-set-listpack",
            "strings and integers",
            "",
            packed(11, 20, lp(&[lpe::text("a"), lpe::int(5), lpe::int(-1000)])),
        ),
    ]
}

/// LZF by hand for bytes that repeat with period two: everything up to the first repetition as
/// literals, then runs at distance two, then the rest as literals.
fn lzf_runs(bytes: &[u8]) -> Bytes {
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let run = bytes[at..]
            .iter()
            .zip(&bytes[at.saturating_sub(2)..])
            .take_while(|(a, b)| a == b)
            .count();
        if at >= 2 && run >= 9 {
            let run = run.min(264);
            out.extend([7 << 5, (run - 9) as u8, 1]);
            at += run;
        } else {
            out.extend([0, bytes[at]]);
            at += 1;
        }
    }
    b().lzf(&out, bytes.len() as u64)
}

fn hash_ttl() -> Vec<Row> {
    let far = FAR as u64;
    let metadata = b().len(2).len(far).str("f1").str("v1").len(0).str("f2").str("v2");
    let ex = lp(&[
        lpe::text("f1"),
        lpe::text("v1"),
        lpe::i64(FAR),
        lpe::text("f2"),
        lpe::text("v2"),
        lpe::i64(FAR + 1),
        lpe::text("f3"),
        lpe::int(3),
        lpe::u7(0),
    ]);
    let relative = b().i64le(FAR).len(3).len(1).str("f1").str("v1").len(0).str("f2").str("v2");
    let relative = relative.len(5000).str("f3").str("v3");
    let valkey = b().len(2).str("f1").str("v1").i64le(FAR).str("f2").str("v2").i64le(-1);
    vec![
        (
            "type-22-hash-metadata-pre-ga",
            "Redis 7.4 release candidates, hashtable with TTLs",
            "",
            one(12, 22, metadata),
        ),
        (
            "type-23-hash-listpack-ex-pre-ga",
            "Redis 7.4 release candidates, listpack with TTLs",
            "",
            packed(12, 23, ex.clone()),
        ),
        ("type-24-hash-metadata", "TTLs relative to the lowest", "", one(12, 24, relative)),
        (
            "type-25-hash-listpack-ex",
            "two fields with TTL and one without",
            "",
            one(12, 25, b().i64le(FAR).str(ex)),
        ),
        (
            "valkey-type-22-hash-2",
            "Valkey's own type 22: fields with expire times",
            "",
            Rdb::valkey(80).db(0).key(22, "key", valkey).end(),
        ),
    ]
}

fn newest() -> Vec<Row> {
    let array = b().len(6).len(1).len(1_000_000);
    let array = array.len(0).len(0).str("a longer string");
    let array = array.len(1).len(1).i64le(-5).len(70).len(2).f64le(0.25);
    let array = array.len(5000).len(3).str("short").len(1_000_000).len(1).i64le(i64::MAX);
    let array = array.len(u64::MAX - 1).len(3).str("");
    let plain = b().len(1).len(0).len(7).len(3).str("x");
    vec![
        (
            "type-28-array",
            "all four tags, sparse, up to the last index, with an insert position",
            "",
            one(14, 28, array),
        ),
        ("type-28-array-plain", "one element, no insert position", "", one(14, 28, plain)),
    ]
}

fn opcodes() -> Vec<Row> {
    let with = |version: u32, opcode: Bytes| {
        Rdb::redis(version).db(0).raw(opcode.0).string("key", "value").end()
    };
    let before = |rdb: Rdb, opcode: Bytes| rdb.raw(opcode.0).db(0).string("key", "value").end();
    let meta = |flags: u32| {
        b().u8(243)
            .len(1)
            .u32le(meta_class("demo", 1, flags))
            .len(2)
            .len(42)
            .len(5)
            .str("note")
            .len(0)
    };
    let aux = |when: u64, number: u64| {
        b().u8(247).len(module_id("rdb-tools", 3)).len(2).len(when).len(2).len(number).len(0)
    };
    let job = "0123456789abcdef0123456789abcdef01234567";
    let import = b().u8(243).str(job).len(2).len(0).len(99).len(16_383).len(16_383);
    let body = |name| format!("redis.register_function('{name}', function() return 1 end)");
    let pre_ga = b().u8(246).str("old").str("LUA").len(1).str("a description").str(body("old"));
    let pre_ga = pre_ga.u8(246).str("older").str("LUA").len(0).str(body("older"));
    let both = Rdb::redis(9).raw(aux(1, 5).0).db(0).string("key", "value").raw(aux(2, 6).0).end();
    vec![
        (
            "opcode-243-key-meta",
            "a key with metadata that may be ignored",
            "module-unknown",
            with(13, meta(1)),
        ),
        (
            "opcode-243-key-meta-required",
            "metadata whose class must be known",
            "module-unknown",
            with(13, meta(0)),
        ),
        (
            "opcode-243-valkey-slot-import",
            "a slot import of two ranges",
            "",
            before(Rdb::valkey(80), import),
        ),
        (
            "opcode-244-slot-info",
            "a slot's counts",
            "",
            with(12, b().u8(244).len(12_539).len(1).len(0)),
        ),
        (
            "opcode-245-function",
            "a function library",
            "",
            before(Rdb::redis(10), b().u8(245).str(LIBRARY)),
        ),
        (
            "opcode-246-function-pre-ga",
            "two functions of the 7.0 release candidates",
            "function-pre-ga",
            before(Rdb::redis(10), pre_ga),
        ),
        (
            "opcode-247-module-aux",
            "a module's data before and after the keys",
            "module-unknown",
            both,
        ),
        ("opcode-248-idle", "an idle time", "", with(9, b().u8(248).len(86_400))),
        ("opcode-249-freq", "an LFU counter", "", with(9, b().u8(249).u8(255))),
        ("opcode-252-expire-ms", "an expire time in ms", "", with(6, b().u8(252).i64le(FAR))),
        (
            "opcode-253-expire",
            "an expire time in seconds",
            "",
            with(6, b().u8(253).i32le(2_000_000_000)),
        ),
        ("opcode-251-resizedb", "counts that are right", "", with(7, b().u8(251).len(1).len(0))),
        (
            "opcode-254-db-15",
            "the last database of a default server",
            "",
            Rdb::redis(6).db(15).string("key", "value").end(),
        ),
        ("opcode-250-aux", "the AUX fields of a 7.x server and unknown ones", "", aux_fields()),
    ]
}

fn aux_fields() -> Vec<u8> {
    let rdb = Rdb::redis(11)
        .aux("redis-ver", "7.2.6")
        .raw(b().u8(250).str("redis-bits").raw([0xc0, 64]).0);
    let rdb = rdb.raw(b().u8(250).str("ctime").u8(0xc2).i32le(1_700_000_000).0);
    let rdb = rdb.raw(b().u8(250).str("used-mem").u8(0xc2).i32le(1_000_000).0);
    let rdb = rdb
        .aux("repl-stream-db", "0")
        .aux("repl-id", &"0123456789".repeat(4))
        .aux("repl-offset", "123");
    rdb.aux("aof-base", "0")
        .aux("lua", "return 1")
        .aux("%logged", "x")
        .aux("unheard-of", "y")
        .db(0)
        .string("key", "value")
        .end()
}

fn strings() -> Vec<Row> {
    let all = Rdb::redis(8)
        .db(0)
        .string("empty", "")
        .string("raw", "hello")
        .key(0, "int8", b().raw([0xc0, 0x80]))
        .key(0, "int16", b().raw([0xc1, 0x00, 0x80]))
        .key(0, "int32", b().u8(0xc2).i32le(i32::MIN))
        .key(0, "lzf", b().lzf(&[0, b'a', 0xe0, 55, 0], 65))
        .key(0, "lzf-short", b().lzf(&[1, b'a', b'b', 0x40, 1, 0, b'!'], 7))
        .string("14-bit", &"m".repeat(64))
        .string("32-bit", &"x".repeat(16_384));
    let key = b().u8(0).raw([0xc0, 42]).str("the key is the number 42").0;
    let lzf_key = b().u8(0).lzf(&[0, b'k', 0xe0, 10, 0], 20).str("a compressed key").0;
    let nasty =
        ["\x1b[31mred\x1b[0m", "two\nlines", "nul\0", "\u{202e}back", "quote\"\\", " blank "];
    let nasty = nasty.iter().fold(Rdb::redis(8).db(0), |rdb, key| rdb.string(key, key));
    let nasty = nasty.raw(b().u8(0).str([0xff, 0xfe, 0x80]).str([0xc3]).0);
    let long = b().len14(5).raw("abcde").0;
    let longer = b().len32(5).raw("abcde").0;
    let longest = b().len64(5).raw("abcde").0;
    let long = Rdb::redis(8).db(0).key(0, "a", b().raw(long)).key(0, "b", b().raw(longer)).key(
        0,
        "c",
        b().raw(longest),
    );
    vec![
        ("strings", "every form of a string", "", all.end()),
        (
            "strings-keys",
            "an integer and a compressed string as keys",
            "",
            Rdb::redis(8).db(0).raw(key).raw(lzf_key).end(),
        ),
        ("strings-nasty", "keys that would upset a terminal, a table or JSON", "", nasty.end()),
        ("lengths-long", "lengths in longer forms than needed", "length-long", long.end()),
    ]
}

fn frame() -> Vec<Row> {
    let plain = |rdb: Rdb| rdb.db(0).string("key", "value");
    vec![
        (
            "version-01",
            "the first version any server still reads, no checksum",
            "rdb-crc-absent",
            plain(Rdb::redis(1)).eof(),
        ),
        ("version-05", "the first version with a checksum", "", plain(Rdb::redis(5)).end()),
        ("version-14", "the newest Redis version known", "", plain(Rdb::redis(14)).end()),
        ("version-valkey-80", "the newest Valkey version known", "", plain(Rdb::valkey(80)).end()),
        ("empty", "no key at all", "", Rdb::redis(11).end()),
        (
            "databases",
            "the same key in three databases",
            "",
            Rdb::redis(11)
                .db(0)
                .string("key", "0")
                .db(1)
                .string("key", "1")
                .db(9)
                .string("key", "9")
                .end(),
        ),
    ]
}
