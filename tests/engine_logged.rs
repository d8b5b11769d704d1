//! What 13 servers log replays: every logged form in the records of propagation/, which lie beside the
//! repository (FORMATS E), runs without a failed command, changes something and leaves nothing to chance.
//! Where the records are missing a line says so.
//!
//! ```text
//! ## stream                          a section: BEFORE has what its commands need
//! XDEL s 1-1                         what a client sent
//!    [error: …]                      what it was answered, if it failed
//!       -> XDEL s 1-1                what the server logged, line by line
//! ```
//! The records do not say what was there when a command ran. So each is tried on all that BEFORE makes, then
//! on ever fewer of its steps, down to nothing: one of those it must fit.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::path::{Path, PathBuf};

use rdbtool::engine::{Config, Engine, Release, Reply, Session};
use rdbtool::job::payload::PAYLOADS;

/// Steps to what the commands of a section find.
const BEFORE: &[(&str, &[&str])] = &[
    ("string", &["SET k o PXAT 9999999999999", "SET k 0"]),
    ("bitmap", &["SET d x", "SET a foo", "SET b bar"]),
    (
        "generic",
        &["SADD s a b", "RPUSH l 1 2", "SET d x", "SET a 1", "MSET b 1 k v", "PEXPIREAT k 9"],
    ),
    ("list", &["ZADD z 5 e", "RPUSH m x", "RPUSH l a b c a q w e r t y"]),
    ("set", &["SADD d x", "SADD s a b c", "SADD t c d", "SADD big m1 m2 m3 m4 m5 m6 m7 m8 m9"]),
    ("zset", &["ZADD d 9 d", "ZADD z 1 a 2 b 3 c", "ZADD y 1 a"]),
    ("hash", &["HSET h f 1 g 2", "HPEXPIREAT h 9 FIELDS 1 f"]),
    ("hll", &["PFADD g x", "PFADD h x"]),
    ("geo", &["ZADD d 1 x", "GEOADD g 13.361389 38.115556 P 15 37 Q"]),
    (
        "stream",
        &[
            "XADD s 1-1 f v",
            "XADD s 2-1 f v",
            "XGROUP CREATE s g 0",
            "XGROUP CREATECONSUMER s g c1",
            "XCLAIM s g c1 0 1-1 FORCE JUSTID LASTID 1-1",
        ],
    ),
    ("scripting", &["FUNCTION LOAD #!lua\u{a0}name=mylib\nreturn"]),
    ("array/gcra", &["ARSET a 5 x"]),
    ("eviction", &["MSET a 1 b 1"]),
    ("restore", &["SET k 1"]),
    (
        "eval",
        &[
            "XADD s 1-1 a b",
            "XGROUP CREATE s g 0",
            "DEL s",
            "SADD s a b",
            "RPUSH l 1 2",
            "PFADD d x",
            "MSET a 1 b 1 k v",
        ],
    ),
];

/// One command of a client and what came of it.
#[derive(Debug, Default)]
struct Case {
    section: String,
    sent: String,
    failed: bool,
    logged: Vec<Vec<Vec<u8>>>,
}

fn engine(release: Release) -> Engine {
    Engine::new(Config { release, payloads: PAYLOADS, ..Config::default() })
}

fn run(engine: &mut Engine, session: &mut Session, argv: &[Vec<u8>]) -> Reply {
    let argv: Vec<&[u8]> = argv.iter().map(Vec::as_slice).collect();
    engine.execute(session, &argv)
}

/// Replays the logged commands on the first `steps` of what was there before. What went wrong?
fn replay(release: Release, case: &Case, steps: usize) -> Option<String> {
    let (mut engine, mut session) = (engine(release), Session::new());
    for step in before(&case.section).iter().take(steps) {
        let argv: Vec<_> =
            step.split(' ').map(|word| word.replace('\u{a0}', " ").into_bytes()).collect();
        assert!(!run(&mut engine, &mut session, &argv).is_error(), "{step}");
    }
    let dirty = engine.dirty();
    for argv in &case.logged {
        let reply = run(&mut engine, &mut session, argv);
        let failed = match &reply {
            Reply::Array(replies) if argv[0] == b"EXEC" => replies.iter().any(Reply::is_error),
            reply => reply.is_error(),
        };
        if failed && !case.failed {
            return Some(format!("{reply:?}"));
        }
    }
    let guessed = engine.stats().guessed;
    let changed = engine.dirty() > dirty || is_idle(case);
    // Up to 4.0 a script was logged as it was, SPOP and all.
    let random = case.sent.contains("redis.call('spop'");
    (guessed > 0 && !random || !changed).then(|| format!("changed: {changed}, guessed: {guessed}"))
}

fn before(section: &str) -> &'static [&'static str] {
    BEFORE.iter().find(|(name, _)| *name == section).map_or(&[], |(_, steps)| *steps)
}

/// Is it logged though it changes no data?
fn is_idle(case: &Case) -> bool {
    let name = |argv: &Vec<Vec<u8>>| argv[0].to_ascii_uppercase();
    // 2.6 logs every LTRIM, and SCRIPT LOAD only makes a script known.
    case.logged.iter().all(|argv| [&b"SELECT"[..], b"SCRIPT", b"LTRIM"].contains(&&name(argv)[..]))
}

/// The words of a logged line, which are written as Python and shells write them.
fn words(line: &str) -> Vec<Vec<u8>> {
    let (mut words, mut word, mut quote, mut any) = (Vec::new(), Vec::new(), None, false);
    let mut bytes = line.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match (quote, byte) {
            (Some(end), byte) if byte == end => quote = None,
            (None, b'"' | b'\'') if word.is_empty() => (quote, any) = (Some(byte), true),
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

fn cases(text: &str) -> Vec<Case> {
    let (mut cases, mut section) = (Vec::<Case>::new(), String::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            section = name.to_owned();
        } else if let Some(logged) = line.strip_prefix("      -> ") {
            let logged = logged.replace("<MS>", "1800000000000");
            if logged != "(nothing)" {
                cases.last_mut().unwrap().logged.push(words(&logged));
            }
        } else if let Some(case) = cases.last_mut().filter(|_| line.starts_with("   [error")) {
            case.failed = true;
        } else if !line.starts_with("   !setup") {
            cases.push(Case { section: section.clone(), sent: line.into(), ..Case::default() });
        }
    }
    cases.retain(|case| !case.logged.is_empty());
    cases
}

/// The files of the records, but for those of rewrites if `rewrites` is false, and else only those.
fn records(rewrites: bool) -> Vec<(String, Release, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/formats/propagation");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("SKIP: the records of what servers log are not beside the repository");
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: &PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let server = name.strip_prefix("rewrite-").unwrap_or(&name);
        let mut parts = server.split(['-', '.']);
        let is_valkey = parts.next() == Some("valkey");
        let version = [(); 2].map(|()| parts.next().unwrap().parse().unwrap());
        let [major, minor] = version;
        let release = if is_valkey { Release::valkey } else { Release::redis }(major, minor);
        (name.starts_with("rewrite-") == rewrites).then(|| {
            (name, release, String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned())
        })
    };
    paths.iter().filter_map(read).collect()
}

#[test]
fn logged_forms_replay() {
    let (mut asked, mut wrong) = (0, Vec::new());
    let records = records(false);
    for (name, release, text) in &records {
        for case in cases(text) {
            asked += 1;
            let steps = before(&case.section).len();
            let tries: Vec<_> =
                (0..=steps).rev().map_while(|steps| replay(*release, &case, steps)).collect();
            if tries.len() > steps {
                wrong.push(format!("{name}: {}: {}", case.sent, tries.join(" | ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(asked > 1500 || records.is_empty(), "only {asked}");
}

/// What a rewrite writes in commands replays from nothing.
#[test]
fn rewritten_forms_replay() {
    for (name, release, text) in records(true) {
        let (mut engine, mut session) = (engine(release), Session::new());
        for (line, argc) in text.lines().filter_map(|line| line.split_once("  [argc=")) {
            let argv = words(line);
            // The records show long commands cut.
            if argv.len().to_string() == argc.trim_end_matches(']') {
                let reply = run(&mut engine, &mut session, &argv);
                assert!(!reply.is_error(), "{name}: {line}: {reply:?}");
            }
        }
        assert!(engine.keyspaces().count() > 1, "{name}");
    }
}
