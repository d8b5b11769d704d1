//! What servers log for streams, arrays, vector sets and functions replays without an error: every logged
//! form in the records of 13 servers, which lie beside the repository. Where they are missing a line says so.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::collections::BTreeSet;
use std::path::Path;

use rdbtool::engine::{Config, Engine, Release, Reply, Session, resolve};

const LIBRARY: &str = "#!lua name=mylib\nredis.register_function('f1', function(k,a) return 1 end)";

/// What the commands that were recorded found.
const BEFORE: &[&[&str]] = &[
    &["XADD", "s", "1-1", "f", "v"],
    &["XADD", "s", "2-1", "f", "v"],
    &["XGROUP", "CREATE", "s", "g", "0"],
    &["XCLAIM", "s", "g", "c1", "0", "1-1", "FORCE", "JUSTID", "LASTID", "1-1"],
    &["ARSET", "a", "5", "x"],
    &["FUNCTION", "LOAD", LIBRARY],
];

/// A store in which the first `count` of those commands were run.
fn engine(release: Release, count: usize) -> Engine {
    let mut engine = Engine::new(Config { release, ..Config::default() });
    for command in BEFORE.iter().take(count) {
        let argv: Vec<Vec<u8>> = command.iter().map(|word| word.as_bytes().to_vec()).collect();
        assert!(!run(&mut engine, &argv).is_error(), "{command:?}");
    }
    engine
}

fn run(engine: &mut Engine, argv: &[Vec<u8>]) -> Reply {
    let argv: Vec<&[u8]> = argv.iter().map(Vec::as_slice).collect();
    engine.execute(&mut Session::new(), &argv)
}

/// The words of a logged line: blanks part them, quotes hold them together.
fn words(line: &str) -> Vec<Vec<u8>> {
    let (mut words, mut word, mut quote, mut any) = (Vec::new(), Vec::new(), None, false);
    let mut bytes = line.bytes();
    while let Some(byte) = bytes.next() {
        match (quote, byte) {
            (Some(end), byte) if byte == end => quote = None,
            (None, b'"' | b'\'') => (quote, any) = (Some(byte), true),
            (Some(_), b'\\') => word.push(match bytes.next() {
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'x') => {
                    let hex: String = bytes.by_ref().take(2).map(char::from).collect();
                    u8::from_str_radix(&hex, 16).unwrap()
                }
                other => other.unwrap(),
            }),
            (None, b' ') => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            _ => word.push(byte),
        }
    }
    if any || !word.is_empty() {
        words.push(word);
    }
    words
}

fn is_ours(name: &[u8]) -> bool {
    let upper = name.to_ascii_uppercase();
    let kinds: [&[u8]; 6] = [b"XG", b"XA", b"XC", b"XD", b"XS", b"AR"];
    let names: [&[u8]; 4] = [b"XTRIM", b"XNACK", b"XIDMPRECORD", b"FUNCTION"];
    kinds.iter().any(|kind| upper.starts_with(kind)) || names.contains(&&upper[..])
}

#[test]
fn logged_forms_replay() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/formats/propagation");
    if !folder.is_dir() {
        println!("SKIP: the records of what servers log are not beside the repository");
        return;
    }
    let mut lines = BTreeSet::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let is_valkey = path.to_str().unwrap().contains("valkey");
        let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        let logged = text.lines().filter_map(|line| line.trim().strip_prefix("-> "));
        lines.extend(logged.map(|line| (is_valkey, line.replace("<MS>", "1700000000000"))));
    }
    let (mut asked, mut wrong) = (0, Vec::new());
    for (is_valkey, line) in &lines {
        let argv = words(line);
        if !argv.first().is_some_and(|name| is_ours(name)) {
            continue;
        }
        let refs: Vec<&[u8]> = argv.iter().map(Vec::as_slice).collect();
        if let Err(failure) = resolve(&refs) {
            wrong.push(format!("{line}: {failure}"));
            continue;
        }
        asked += 1;
        // On all that was there, on one entry, or, for those that make what they need, on nothing.
        let release = if *is_valkey { Release::valkey(9, 1) } else { Release::NEWEST };
        let replies = [BEFORE.len(), 1, 0].map(|count| run(&mut engine(release, count), &argv));
        if replies.iter().all(Reply::is_error) {
            wrong.push(format!("{line}: {replies:?}"));
        }
    }
    assert!(asked > 50, "only {asked}");
    assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
}
