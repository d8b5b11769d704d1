//! `rdbtool diff`, as a user runs it: what changed between two logs that are known, word by word.

#![allow(clippy::unwrap_used, dead_code, missing_docs)]

#[path = "support/program.rs"]
mod program;

use std::fs;

use program::{Ran, rdbtool};
use rdbtool::encoding::resp::write_command;

const OLD: &[&str] = &[
    "SET same 1",
    "SET counter 5",
    "SET gone xyz",
    "HSET h name Ann age 7 city Bern",
    "HSET h2 f v",
    "SADD s 1 2 3",
    "ZADD z 1 a 2 b 3.5 c",
    "RPUSH l a b c d e f",
    "XADD x 1-1 f v",
    "XGROUP CREATE x g 0",
    "XADD x 2-1 f v",
    "SET t 1",
    "SET typ 1",
];

const NEW: &[&str] = &[
    "SET same 1",
    "SET counter 6",
    "SET new 1",
    "HSET h name Anna city Bern zip 3000",
    "HSET h2 f v",
    "HPEXPIREAT h2 4102444800000 FIELDS 1 f",
    "SADD s 2 3 4",
    "ZADD z 1 a 2.5 b 9 d",
    "RPUSH l b c X d e f g",
    "XADD x 1-1 f v",
    "XGROUP CREATE x g 0",
    "XREADGROUP GROUP g c1 STREAMS x >",
    "XADD x 3-1 f w",
    "SET t 1",
    "PEXPIREAT t 4102444800000",
    "LPUSH typ 1",
];

const TEXT: &str = r#"DIFFERENT — 1 key removed, 1 key added, 9 keys changed, 1 key the same
~ db0 "counter"  string
    "5" → "6"
- db0 "gone"  string, 3 bytes
~ db0 "h"  hash, 3 elements: 1 removed, 1 added, 1 changed
    - "age": "7"
    ~ "name": "Ann" → "Anna"
    + "zip": "3000"
~ db0 "h2"  hash, 1 element: 1 changed
    ~ "f": expires never → expires 2100-01-01 00:00:00 UTC (4102444800000)
~ db0 "l"  list, 6 → 7 elements: 1 removed, 2 added
    - [0]: "a"
    + [2]: "X"
    + [6]: "g"
+ db0 "new"  string, 1 byte
~ db0 "s"  set, 3 elements: 1 removed, 1 added
    - "1"
    + "4"
~ db0 "t"  string
    expires never → 2100-01-01 00:00:00 UTC (4102444800000)
~ db0 "typ"  string
    type string → list
~ db0 "x"  stream, 2 elements: 1 removed, 1 added
    - 2-1: "f" "v"
    + 3-1: "f" "w"
    + consumer "g" "c1"
    ~ group "g": last-id 0-0 → last-id 1-1, entries-read ? → entries-read 1
    ~ last-id: 2-1 → 3-1
    + pending "g" "1-1": consumer c1 deliveries 1 delivered-at 
~ db0 "z"  zset, 3 elements: 1 removed, 1 added, 1 changed
    ~ "b": 2 → 2.5
    - "c": 3.5
    + "d": 9
"#;

/// Two logs in a folder.
struct Two {
    _folder: tempfile::TempDir,
    a: String,
    b: String,
}

impl Two {
    fn new(a: &[&str], b: &[&str]) -> Two {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, commands: &[&str]| {
            let mut bytes = Vec::new();
            for command in commands {
                let words: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
                write_command(words.iter().copied(), &mut bytes);
            }
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (a, b) = (put("a.aof", a), put("b.aof", b));
        Two { _folder: folder, a, b }
    }

    fn diff(&self, args: &[&str]) -> Ran {
        rdbtool([&["diff", &self.a, &self.b], args].concat())
    }
}

#[test]
fn word_by_word() {
    let two = Two::new(OLD, NEW);
    let ran = two.diff(&[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""), "{ran:?}");
    let (sides, text) = ran.stdout.split_once(": ").unwrap();
    assert_eq!(sides, format!("{} → {}", two.a, two.b));
    // Nothing in the log says when an entry was delivered: it is the moment of the replay.
    let (before, at) = text.split_once("delivered-at ").unwrap();
    let text =
        format!("{before}delivered-at {}", at.trim_start_matches(|c: char| c.is_ascii_digit()));
    assert_eq!(text, TEXT);
}

#[test]
fn for_programs() {
    let two = Two::new(OLD, NEW);
    let lines = two.diff(&["--json"]).json();
    assert_eq!(lines[0]["keys"]["changed"], 9);
    let removed: Vec<_> = lines.iter().filter(|line| line["change"] == "removed").collect();
    assert_eq!((removed.len(), &removed[0]["key"]), (1, &"gone".into()));
    let list = lines.iter().find(|line| line["key"] == "l").unwrap();
    let edits: serde_json::Value = serde_json::from_str(
        r#"[{"a":["0","a"],"b":null},{"a":null,"b":["2","X"]},{"a":null,"b":["6","g"]}]"#,
    )
    .unwrap();
    assert_eq!(list["why"][0]["edits"], edits);
    let names = two.diff(&["--json", "--names-only"]).json();
    assert_eq!(names.len(), lines.len());
    assert!(names.iter().all(|line| line.get("why").is_none()));
}

#[test]
fn names_filters_and_bounds() {
    let two = Two::new(OLD, NEW);
    let names = two.diff(&["--names-only", "--type", "hash", "--key", "h*"]);
    assert_eq!((names.code, names.stdout.as_str()), (Some(1), "~ db0 \"h\"\n~ db0 \"h2\"\n"));
    // A key counts if the filter takes it on either side.
    assert_eq!(
        two.diff(&["--names-only", "--type", "list"]).stdout,
        "~ db0 \"l\"\n~ db0 \"typ\"\n"
    );
    assert_eq!(two.diff(&["--key", "same"]).code, Some(0));
    assert_eq!(two.diff(&["--min-size", "1mb"]).code, Some(0));
    let bounded = two.diff(&["--max-differences", "3", "--max-edits", "1"]).stdout;
    let end: Vec<&str> = bounded.lines().rev().take(3).collect();
    assert_eq!(
        end,
        [
            "… and 8 differences more (--max-differences)",
            "    … and 2 edits more (--max-edits)",
            "    - \"age\": \"7\"",
        ]
    );
    let quiet = two.diff(&["--quiet"]);
    assert_eq!((quiet.code, quiet.stdout.lines().count()), (Some(1), 1));
}

#[test]
fn exit_statuses() {
    let same = Two::new(&["RPUSH l a b", "HSET h a 1 b 2"], &["HSET h b 2 a 1", "RPUSH l a b"]);
    let ran = same.diff(&[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.ends_with("SAME — 2 keys the same\n"), "{}", ran.stdout);
    assert_eq!(same.diff(&["--names-only"]).stdout, "");
    assert_eq!(rdbtool(["diff", &same.a, "/no/such"]).code, Some(2));
    assert_eq!(rdbtool(["diff", &same.a]).code, Some(2));
    let failing = Two::new(&["SET a 1"], &["SET a 1", "LPUSH a 1"]);
    assert_eq!(failing.diff(&["--quiet"]).code, Some(1), "not all of it could be replayed");
}

#[test]
fn long_strings_are_shown_where_they_differ() {
    let set = |middle: &str| format!("SET big {}{middle}{}", "x".repeat(500), "y".repeat(500));
    let two = Two::new(&[&set("A")], &[&set("BB")]);
    let text = two.diff(&[]).stdout;
    assert!(
        text.contains("1,001 → 1,002 bytes; at 500, 1 → 2 bytes: …\"xxxxxxxxxxxxxxxxA"),
        "{text}"
    );
}

#[test]
fn nothing_reaches_a_terminal_unescaped() {
    let two =
        Two::new(&["HSET h\u{1b}[2J f\u{202e} a\u{7}"], &["HSET h\u{1b}[2J f\u{202e} \u{9b}b"]);
    for args in [&[][..], &["--json"], &["--names-only"]] {
        let ran = two.diff(args);
        assert_eq!(ran.code, Some(1));
        let harmless = |c: char| c == '\n' || (c >= ' ' && !('\u{7f}'..='\u{9f}').contains(&c));
        assert!(ran.stdout.chars().all(|c| harmless(c) && c != '\u{202e}'), "{}", ran.stdout);
    }
}
