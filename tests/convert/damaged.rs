//! Damage that is refused whatever is made of it: commands and text would not show it any more.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::commands::resp;
use crate::made::{Rdb, b, intset, lp_texts};
use crate::program::{Ran, rdbtool, rdbtool_reading, testdata};
use crate::servers::{self, Reply, Server, Setup, loads_with};

/// All that can be made.
const FORMS: &[&[&str]] = &[
    &["--to", "rdb"],
    &["--to", "aof"],
    &["--to", "aof", "--restore"],
    &["--to", "aof", "--preamble", "yes"],
    &["--to", "resp"],
    &["--to", "resp", "--restore"],
    &["--to", "aofdir"],
    &["--to", "aofdir", "--preamble", "no"],
    &["--to", "aofdir", "--restore"],
    &["--to", "jsonl"],
    &["--to", "json"],
    &["--to", "csv"],
];

fn convert(source: &Path, out: &Path, more: &[&[&str]]) -> Ran {
    let mut args = vec!["convert", source.to_str().unwrap(), "-o", out.to_str().unwrap()];
    args.extend(more.iter().copied().flatten());
    if !args.contains(&"--target") {
        args.extend(["--target", "redis-7.2"]);
    }
    rdbtool(args)
}

/// Those that do not end so, or leave a file behind where they must not.
fn not_ended(name: &str, bytes: &[u8], forms: &[&[&str]], more: &[&str], code: i32) -> Vec<String> {
    let folder = TempDir::new().unwrap();
    let (source, out) = (folder.path().join("source"), folder.path().join("out"));
    fs::write(&source, bytes).unwrap();
    let mut wrong = Vec::new();
    for form in forms {
        let ran = convert(&source, &out, &[form, more]);
        if ran.code != Some(code) || out.exists() != (code == 0) {
            let said = format!("{}{}", ran.stdout, ran.stderr);
            wrong.push(format!("{name} {form:?}: {:?}: {said}", ran.code));
        }
        let _ = fs::remove_file(&out);
        let _ = fs::remove_dir_all(&out);
    }
    wrong
}

fn rdb() -> Rdb {
    Rdb::redis(11).db(0)
}

fn function(code: &str) -> Vec<u8> {
    b().u8(245).str(code).0
}

/// Sources that are refused, each by what is wrong with it.
fn samples() -> Vec<(&'static str, Rdb)> {
    let pair = |a: &str, b_: &str| b().len(1).str(a).str(b_);
    let twice = |text: &str| b().len(2).str(text).str(text);
    let member = |score: f64| b().len(1).str("m").f64le(score);
    let library = "#!lua name=one\nredis.register_function('f', function() return 1 end)";
    vec![
        ("string-lzf", rdb().key(0, "k", b().lzf(&[0xff, 0xff, 0xff], 100))),
        ("list node", rdb().key(18, "k", b().len(1).len(2).str("no listpack"))),
        ("hash of 3 entries", rdb().packed(16, "k", lp_texts(&["a", "b", "c"]))),
        ("packed score", rdb().packed(17, "k", lp_texts(&["m", "nan"]))),
        ("plain score", rdb().key(5, "k", member(f64::NAN))),
        ("old score", rdb().key(3, "k", b().len(1).str("m").u8(253))),
        ("field twice", rdb().key(4, "k", b().len(2).str("f").str("1").str("f").str("2"))),
        ("packed field twice", rdb().packed(16, "k", lp_texts(&["f", "1", "f", "2"]))),
        ("member twice", rdb().key(2, "k", twice("m"))),
        ("packed member twice", rdb().packed(20, "k", lp_texts(&["m", "m"]))),
        (
            "scored member twice",
            rdb().key(5, "k", b().len(2).str("m").f64le(1.0).str("m").f64le(2.0)),
        ),
        ("intset", rdb().packed(11, "k", intset(2, &[2, 1]))),
        ("order of scores", rdb().packed(17, "k", lp_texts(&["a", "2", "b", "1"]))),
        ("database", Rdb::redis(11).db(1 << 40).string("k", "v")),
        ("aux", Rdb::redis(11).raw(b().u8(250).lzf(&[0xff, 0xff], 100).str("v").0).db(0)),
        ("function", Rdb::redis(11).raw(function("garbage")).db(0).key(4, "k", pair("f", "v"))),
        ("function without a name", Rdb::redis(11).raw(function("#!lua\nx")).db(0)),
        ("function of a bad name", Rdb::redis(11).raw(function("#!lua name=a-b\nx")).db(0)),
        ("function of two names", Rdb::redis(11).raw(function("#!lua name=a name=a\nx")).db(0)),
        ("function with more", Rdb::redis(11).raw(function("#!lua name=a flags=b\nx")).db(0)),
        ("function of one line", Rdb::redis(11).raw(function("#!lua name=a")).db(0)),
        ("functions", Rdb::redis(11).raw(function(library)).raw(function(library)).db(0)),
        ("key twice", rdb().string("k", "1").string("other", "2").string("k", "3")),
        ("list twice", rdb().key(1, "k", twice("a")).key(1, "k", twice("b"))),
    ]
}

#[test]
fn no_form_is_made_of_damage() {
    let samples = samples().into_iter().map(|(name, made)| (name, made.end()));
    let wrong: Vec<_> =
        samples.flat_map(|(name, bytes)| not_ended(name, &bytes, FORMS, &[], 2)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_form_is_made_of_the_same_without_damage() {
    let library = "#!lua name=one\nredis.register_function('f', function() return 1 end)";
    let sound = Rdb::redis(11)
        .aux("other", "v")
        .raw(function(library))
        .db(0)
        .key(0, "string", b().lzf(&[0, b'a', 0xe0, 90, 0], 100))
        .packed(16, "hash", lp_texts(&["a", "b", "c", "d"]))
        .packed(17, "zset", lp_texts(&["a", "1", "b", "2"]))
        .key(5, "plain zset", b().len(1).str("m").f64le(1.5))
        .key(2, "set", b().len(2).str("m").str("n"))
        .packed(11, "numbers", intset(2, &[1, 2]))
        .db(1)
        .string("string", "in another database")
        .end();
    let wrong = not_ended("sound", &sound, FORMS, &[], 0);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What was not selected is of no concern, as it is not for an RDB.
#[test]
fn damage_that_is_left_out() {
    let made = rdb().string("sound", "v").key(2, "k", b().len(2).str("m").str("m")).end();
    let wrong = not_ended("left out", &made, FORMS, &["--not-key", "k"], 0);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let made = rdb().key(2, "k", b().len(2).str("m").str("m")).end();
    let told = not_ended("told", &made, &[&["--to", "aof", "--restore"]], &[], 0);
    assert!(told[0].contains("dup-member") && told[0].contains("in db 0 \"k\""), "{}", told[0]);
}

#[test]
fn functions_of_lines() {
    let lines = |codes: &[&str]| {
        let line = |code: &&str| format!("{{\"function\":{code:?}}}\n");
        let text: String = codes.iter().map(line).collect();
        format!("{{\"rdbtool_jsonl\":1}}\n{text}").into_bytes()
    };
    let (one, two) = ("#!lua name=one\nreturn 1", "#!lua name=one\nreturn 2");
    for (name, codes) in [("garbage", &["garbage"][..]), ("twice", &[one, two])] {
        let wrong = not_ended(name, &lines(codes), FORMS, &[], 2);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
    let wrong = not_ended("sound", &lines(&[one]), FORMS, &[], 0);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_key_twice_in_a_file_of_a_server() {
    let bytes = fs::read(testdata("damaged/rdb-dupkey-crc0.rdb")).unwrap();
    let wrong = not_ended("rdb-dupkey-crc0", &bytes, FORMS, &[], 2);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // It is told which, as far as the file can be read again.
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    let file = testdata("damaged/rdb-dupkey-crc0.rdb");
    let ran = convert(&file, &out, &[&["--to", "jsonl", "--json"]]);
    let finding = &ran.json()[0]["damage"][0];
    assert_eq!((&finding["code"], finding["key"].is_string()), (&"dup-key".into(), true));
    let to = out.to_str().unwrap();
    let ran = rdbtool_reading(&["convert", "-", "-o", to, "--to", "jsonl"], &bytes);
    assert_eq!((ran.code, out.exists()), (Some(2), false), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("dup-key"), "{}", ran.stdout);
}

/// An AOF of commands, words between blanks.
fn log(commands: &[&str]) -> Vec<u8> {
    commands.iter().flat_map(|command| resp(command)).collect()
}

#[test]
fn databases_that_are_put_together() {
    let list = |items: &[&str]| {
        items.iter().fold(b().len(items.len() as u64), |list, item| list.str(item))
    };
    let rdb = rdb().key(1, "k", list(&["a", "b"])).db(1).key(1, "k", list(&["c"])).end();
    let aof = log(&["RPUSH k a b", "SET other v", "SELECT 1", "RPUSH k c"]);
    let lines =
        b"{\"rdbtool_jsonl\":1}\n{\"db\":0,\"key\":\"k\",\"type\":\"list\",\"value\":[\"a\"]}\n\
        {\"db\":1,\"key\":\"k\",\"type\":\"list\",\"value\":[\"b\"]}\n";
    let mut wrong = Vec::new();
    for (name, bytes) in [("rdb", &rdb[..]), ("aof", &aof), ("lines", lines)] {
        wrong.extend(not_ended(name, bytes, FORMS, &["--map-db", "1=0"], 2));
        // It is no harm where they change places, or only one of the two is taken.
        wrong.extend(not_ended(name, bytes, FORMS, &["--map-db", "1=0", "--map-db", "0=1"], 0));
        wrong.extend(not_ended(name, bytes, FORMS, &["--map-db", "1=0", "--db", "1"], 0));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for bytes in [&rdb, &aof] {
        let told = not_ended("told", bytes, &[&["--to", "aof"]], &["--map-db", "1=0"], 0);
        assert!(told[0].contains("databases put together have in common"), "{}", told[0]);
        assert!(told[0].contains("dup-key") && told[0].contains("\"k\""), "{}", told[0]);
    }
}

/// Vector sets that commands made stand behind the preamble, as commands.
#[test]
fn keys_behind_a_preamble() {
    let form: &[&[&str]] = &[&["--to", "aof", "--preamble", "yes"], &["--to", "aof"]];
    let vadd = "VADD k VALUES 2 1 1 a";
    for other in [vadd, "SET k v"] {
        let aof = log(&[vadd, "SELECT 1", other]);
        let more = ["--map-db", "1=0", "--target", "redis-8.2"];
        let wrong = not_ended(other, &aof, form, &more, 2);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let wrong = not_ended(other, &aof, form, &more[2..], 0);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// --duplicates is about keys of two inputs, and says nothing of one that has a key twice.
#[test]
fn twice_in_one_of_two_inputs() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, made: Rdb| {
        let path = folder.path().join(name);
        fs::write(&path, made.end()).unwrap();
        path
    };
    let sound = write("a.rdb", rdb().string("a", "1").string("both", "1"));
    let twice = write("b.rdb", rdb().string("k", "1").string("k", "2").string("both", "2"));
    let out = folder.path().join("out");
    for form in FORMS {
        let more = ["--duplicates", "first", sound.to_str().unwrap()];
        let ran = convert(&twice, &out, &[form, &more]);
        assert_eq!((ran.code, out.exists()), (Some(2), false), "{form:?}: {}", ran.stdout);
    }
}

/// Headers of libraries that real servers refuse, whether they are asked to load them or have them in a file.
#[test]
fn headers_of_libraries_that_servers_refuse() {
    let register = "redis.register_function('f', function() return 1 end)";
    for header in ["#!lua name=a-b", "#!lua name=a name=b", "#!lua name=a flags=b", "#!lua"] {
        let code = format!("{header}\n{register}");
        let file = Rdb::redis(10).raw(function(&code)).db(0).string("k", "v").end();
        let check = crate::checked(&file);
        let told = check.findings.iter().find(|finding| finding.code.as_str() == "function-code");
        assert!(told.is_some(), "{header}: {:?}", check.findings);
        for binary in servers::all().iter().filter(|binary| binary.version >= (7, 0, 0)) {
            let mut server = Server::start(binary, &Setup::default()).unwrap();
            let said = server.command(&["FUNCTION", "LOAD", &code]);
            assert!(matches!(said, Reply::Error(_)), "{} takes {header}: {said:?}", binary.name);
            let files = vec![("dump.rdb".into(), file.clone())];
            let load = loads_with(binary, &Setup { lines: Vec::new(), files });
            assert!(!load.up, "{} loads {header}", binary.name);
        }
    }
}
