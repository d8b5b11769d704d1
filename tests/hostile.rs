//! Names that try to do something to a terminal, a log or a JSON reader: none of them gets through, and
//! none is lost.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[allow(dead_code)]
#[path = "support/made.rs"]
mod made;
#[allow(dead_code)]
#[path = "support/program.rs"]
mod program;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use made::{Rdb, b};
use program::{Ran, rdbtool};
use serde_json::Value;

/// Two hundred names and more, no two alike.
fn names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = Vec::new();
    // Every control character of ASCII, and DEL, in the middle of a word.
    names.extend((0..32).chain([127]).map(|byte| vec![b'a', byte, b'z']));
    // C1 controls, as characters and as bytes.
    names.extend((0x80..=0x9f).map(|c| format!("c1{}z", char::from_u32(c).unwrap()).into_bytes()));
    names.extend((0x80..=0x9f).map(|byte| vec![b'r', byte, b'z']));
    // What cannot be UTF-8: lone bytes, surrogates, overlong forms, beyond U+10FFFF, cut short.
    names.extend((0xc0..=0xff).map(|byte| vec![b'x', byte]));
    for bytes in [&b"\xed\xa0\x80"[..], b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\xe2\x80", b"\xc2\x9b"]
    {
        names.push(bytes.to_vec());
    }
    // Marks that turn text round, hide it or break lines.
    let marks = "\u{61c}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\
        \u{202c}\u{202d}\u{202e}\u{2060}\u{2061}\u{2066}\u{2067}\u{2068}\u{2069}\u{feff}\u{fff9}\
        \u{ad}\u{e0001}\u{e0041}\u{3164}\u{115f}\u{34f}\u{fe0f}\u{e000}";
    names.extend(marks.chars().map(|c| format!("user{c}:1").into_bytes()));
    for text in [
        "\x1b]0;title\x07",
        "\x1b[2J\x1b[H",
        "\x1b[31mred",
        "\x1bP+q\x1b\\",
        "\x1b]8;;http://x\x1b\\",
        "\u{9b}2J",
        "\nerror: forged",
        "\r\ndump.rdb: OK",
        "a\"b",
        "back\\slash",
        "\\x1b",
        "\\u001b",
        "{\"a\":1}",
        "</script>",
        "'; DROP",
        "`id`",
        "$(id)",
        "%s%n",
        "\0",
        "",
        " ",
        "\t",
        "東京",
        "🙂",
        "e\u{301}",
        "..",
        "/etc/passwd",
        "-o",
        "--fix",
        "{base64}",
    ] {
        names.push(text.as_bytes().to_vec());
    }
    names.push(b"long\x1b".repeat(3000));
    names
}

/// What must never be seen in output, but for the newline.
fn is_dangerous(c: char) -> bool {
    matches!(c,
        '\0'..='\x09' | '\x0b'..='\x1f' | '\x7f'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}'
        | '\u{115f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{effff}')
}

fn assert_safe(ran: &Ran, what: &str) {
    for text in [&ran.stdout, &ran.stderr] {
        if let Some(at) = text.find(is_dangerous) {
            panic!(
                "{what}: {:?} in {:?}",
                &text[at..].chars().next(),
                text.get(at.saturating_sub(40)..)
            );
        }
        let forged = |line: &str| line.starts_with("error: forged") || line == "dump.rdb: OK";
        assert!(!text.lines().any(forged), "{what}: a forged line");
    }
}

/// All names in every place a name can have, each key twice so that `check` has to name it.
fn write_dump(folder: &Path) -> PathBuf {
    let names = names();
    let mut rdb = Rdb::redis(11);
    for name in &names {
        rdb = rdb.raw(b().u8(250).str(name).str(name).0);
    }
    rdb = rdb.raw(b().u8(245).str("#!lua name=\x1b[2J\n").0);
    rdb = rdb.raw(b().u8(245).str("#!l\u{9b}ua name=a\u{202e}\n").0);
    rdb = rdb.raw(b().u8(245).str("#!l\u{9b}ua name=a\u{202e}\n").0).db(0);
    for (n, name) in names.iter().chain(&names).enumerate() {
        // A set with a member twice, a hash of fields, or a string: whatever names its parts.
        rdb = match n % 3 {
            0 => rdb.raw(b().u8(2).str(name).len(2).str(name).str(name).0),
            1 => rdb.raw(b().u8(4).str(name).len(2).str(name).str(name).str(name).str(name).0),
            _ => rdb.raw(b().u8(0).str(name).str(name).0),
        };
    }
    for name in &names {
        rdb = rdb.raw(stream_with_groups(name));
    }
    let path = folder.join(OsStr::from_bytes(b"dump\x1b[2J\n\xff.rdb"));
    fs::write(&path, rdb.end()).unwrap();
    path
}

/// A stream without entries whose group and consumer have this name, twice each.
fn stream_with_groups(name: &[u8]) -> Vec<u8> {
    let key = [b"stream:", name].concat();
    let consumer = |bytes: made::Bytes| bytes.str(name).i64le(1).i64le(-1).len(0);
    let group = |bytes: made::Bytes| {
        let head = bytes.str(name).len(0).len(0).len(0).len(0).len(2);
        consumer(consumer(head))
    };
    let head = b().u8(21).str(key).len(0).len(0).len(0).len(0);
    let head = head.len(0).len(0).len(0).len(0).len(0).len(2);
    group(group(head)).0
}

#[test]
fn nothing_gets_through_to_a_terminal() {
    assert!(names().len() > 200);
    let folder = tempfile::tempdir().unwrap();
    let dump = write_dump(folder.path());
    let arg = dump.as_os_str();
    let runs: &[&[&str]] = &[
        &["check"],
        &["check", "--verbose", "--max-findings=100000"],
        &["check", "--quiet", "--target=all"],
        &["check", "--json", "--max-findings=100000", "--target=all"],
        &["inspect", "--top=10000"],
        &["inspect", "--top=10000", "--json"],
        &["inspect", "--top=10000", "--prefix-separator=\x1b"],
        &["rdb", "check"],
    ];
    for args in runs {
        let ran = rdbtool(args.iter().map(OsStr::new).chain([arg]));
        assert_eq!(ran.code, Some(1), "{args:?}: {}", ran.stderr);
        assert!(ran.stdout.len() > 1000, "{args:?}");
        assert_safe(&ran, &format!("{args:?}"));
    }
    let link = folder.path().join("redis-check-rdb");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_rdbtool"), &link).unwrap();
    assert_safe(&program::run(&link, [arg], &[]), "redis-check-rdb");
    // Messages about files, and about arguments.
    for args in [
        &[OsStr::new("check"), OsStr::from_bytes(b"no\x1b[2J\nsuch\xff")][..],
        &[OsStr::new("check"), OsStr::from_bytes(b"--\x1b[2J\xff")],
        &[OsStr::new("inspect"), OsStr::new("--type"), OsStr::new("\u{9b}2J"), arg],
        &[OsStr::new("check"), arg, OsStr::new("-o"), arg],
    ] {
        let ran = rdbtool(args);
        assert_eq!(ran.code, Some(2), "{args:?}");
        assert_safe(&ran, &format!("{args:?}"));
    }
}

/// A name as JSON has it.
fn bytes_of(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.clone().into_bytes(),
        value => {
            let text = value["base64"].as_str().expect("a string or base64");
            base64::engine::general_purpose::STANDARD.decode(text).unwrap()
        }
    }
}

#[test]
fn json_gives_every_name_back() {
    let folder = tempfile::tempdir().unwrap();
    let dump = write_dump(folder.path());
    let names: BTreeSet<Vec<u8>> = names().into_iter().collect();
    let args = ["check", "--json", "--max-findings=100000"].map(OsStr::new);
    let report = &rdbtool(args.into_iter().chain([dump.as_os_str()])).json()[0];
    assert_eq!(bytes_of(&report["file"]), dump.as_os_str().as_bytes());
    let findings = report["findings"].as_array().unwrap();
    let twice = findings.iter().filter(|finding| finding["code"] == "dup-key");
    let found: BTreeSet<Vec<u8>> = twice.map(|finding| bytes_of(&finding["key"])).collect();
    assert_eq!(found, names);
    // AUX names that are no UTF-8 are object keys, which have no such form: they are shown as text.
    let aux = report["aux"].as_object().unwrap();
    assert_eq!(aux.len(), names.len());
    for name in names.iter().filter(|name| std::str::from_utf8(name).is_ok()) {
        let text = String::from_utf8(name.clone()).unwrap();
        assert_eq!(bytes_of(&aux[&text]), *name);
    }

    let args = ["inspect", "--json", "--top=100000"].map(OsStr::new);
    let report = &rdbtool(args.into_iter().chain([dump.as_os_str()])).json()[0];
    let is_whole = |key: &&Value| key["key_len"].is_null();
    let biggest = report["biggest"].as_array().unwrap();
    let found: BTreeSet<Vec<u8>> =
        biggest.iter().filter(is_whole).map(|key| bytes_of(&key["key"])).collect();
    for name in names.iter().filter(|name| name.len() < 4096) {
        assert!(found.contains(name), "{}", name.escape_ascii());
    }
}
