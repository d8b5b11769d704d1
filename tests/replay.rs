//! `rdbtool replay`, `digest` and `verify`, as a user runs them; and that what comes out is the same for
//! every number of threads and size of chunks, for logs made at random.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    dead_code,
    missing_docs
)]

#[path = "support/program.rs"]
mod program;

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use program::{Ran, rdbtool, rdbtool_reading, testdata};
use proptest::prelude::*;
use rdbtool::encoding::resp::write_command;
use rdbtool::input::detect::FileKind;
use rdbtool::input::source::{Input, Source};
use rdbtool::job::look;
use rdbtool::job::replay::{Options, Report, Stop, replay};
use rdbtool::value::Value;

/// An AOF of commands, words between blanks.
fn aof(commands: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for command in commands {
        if command.starts_with('#') {
            bytes.extend_from_slice(command.as_bytes());
            bytes.extend_from_slice(b"\r\n");
            continue;
        }
        let words: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        write_command(words.iter().copied(), &mut bytes);
    }
    bytes
}

fn run(bytes: &[u8], options: &Options) -> Report {
    let kind = FileKind::of(bytes);
    let reader = Box::new(Cursor::new(bytes.to_vec()));
    let source = Source { reader, kind, compression: None, size: None };
    replay(source, &Input::File("test.aof".into()), options).unwrap()
}

/// Everything that can be asked of a replay, in order.
fn everything(mut report: Report) -> String {
    let (style, mut text) = (Default::default(), String::new());
    let findings: Vec<_> = report.parts.iter().flat_map(|part| part.findings.to_vec()).collect();
    let (ran, skipped) = (report.ran.clone(), report.skipped.clone());
    text += &format!("{ran:?} {skipped:?} {findings:#?} {:?} {}\n", report.stop, report.unfinished);
    let store = report.store.look();
    text += &format!("{} {:?}\n", store.digest(style, 3), store.functions().collect::<Vec<_>>());
    for info in look::matching(&store, b"*", style) {
        let rows = look::get(&store, &info.key, style);
        let row = rows.iter().find(|(found, _)| found.db == info.db);
        text += &format!("{row:?}\n");
    }
    text
}

fn same_for_every_jobs(bytes: &[u8]) {
    let of = |jobs, chunk| everything(run(bytes, &Options { jobs, chunk, ..Options::default() }));
    let one = of(1, 1 << 20);
    for (jobs, chunk) in [(1, 100), (2, 1 << 20), (2, 300), (8, 100), (3, 1)] {
        let other = of(jobs, chunk);
        if one != other {
            let at = one.lines().zip(other.lines()).find(|(a, b)| a != b);
            panic!("jobs {jobs}, chunks of {chunk}: {at:?}");
        }
    }
}

/// A command of a log: mostly on one key, sometimes on several, on all, or one that fails.
fn command() -> impl Strategy<Value = String> {
    let key = (0u8..12).prop_map(|n| format!("k{n}"));
    let two = (key.clone(), key.clone(), 0u8..40);
    two.prop_map(|(a, b, kind)| match kind {
        0 => format!("RENAME {a} {b}"),
        1 => format!("COPY {a} {b} REPLACE"),
        2 => format!("SMOVE {a} {b} m1"),
        3 => format!("SUNIONSTORE {a} {b} k3"),
        4 => format!("ZUNIONSTORE {a} 2 {b} k4"),
        5 => format!("RPOPLPUSH {a} {b}"),
        6 => format!("MSET {a} 1 {b} two"),
        7 => format!("DEL {a} {b}"),
        8 => format!("MSETNX {a} 1 {b} 2"),
        9 => format!("MOVE {a} 3"),
        10 => "SELECT 3".to_owned(),
        11 => "SELECT 0".to_owned(),
        12 => "SWAPDB 0 3".to_owned(),
        13 => "MULTI".to_owned(),
        14 | 15 => "EXEC".to_owned(),
        16 => format!("SPOP {a} 2"),
        17 => format!("SORT {a} BY nosort STORE {b}"),
        18 => format!("BITOP OR {a} {b} k5"),
        19 => format!("PFMERGE {a} {b}"),
        20 => format!("GETDEL {a}"),
        21 => format!("PEXPIREAT {a} 4102444800000"),
        22 => format!("NOSUCH {a}"),
        23 => format!("SORT {a} BY w* GET {b}* STORE {b}"),
        24 => format!("COPY {a} {b} DB 3"),
        25 => "FLUSHDB".to_owned(),
        26..29 => format!("SADD {a} m1 m2 {b}"),
        29..31 => format!("ZADD {a} 1 m1 2.5 {b}"),
        31..33 => format!("HSET {a} f {b} g 2"),
        33..35 => format!("RPUSH {a} x {b}"),
        35 => format!("INCR {a}"),
        36 => format!("APPEND {a} {b}"),
        _ => format!("SET {a} {b}"),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_logs_are_the_same_for_every_number_of_threads(
        commands in prop::collection::vec(command(), 1..200),
    ) {
        let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
        same_for_every_jobs(&aof(&commands));
    }

    /// The digest takes in neither the order of keys nor how values are encoded.
    #[test]
    fn the_digest_depends_on_no_order_and_no_encoding(
        members in prop::collection::btree_set("[a-z0-9]{1,70}", 1..300),
        seed in any::<u64>(),
    ) {
        let mut forms = Vec::new();
        for shuffled in [false, true] {
            let mut members: Vec<&String> = members.iter().collect();
            if shuffled {
                fastrand::Rng::with_seed(seed).shuffle(&mut members);
            }
            let mut commands = Vec::new();
            for (at, member) in members.iter().enumerate() {
                let score = member.len();
                commands.push(format!("SADD s {member}"));
                commands.push(format!("ZADD z {score} {member}"));
                commands.push(format!("HSET h {member} {score}"));
                commands.push(format!("SET key:{member} {score}"));
                // Unfolds what is packed, and leaves nothing behind.
                if shuffled && at == 0 {
                    let long = "x".repeat(100);
                    for kind in ["SADD s", "ZADD z 1", "HSET h"] {
                        commands.push(format!("{kind} {long}{}", if kind == "HSET h" { " 1" } else { "" }));
                    }
                    commands.extend(["SREM s", "ZREM z", "HDEL h"].map(|kind| format!("{kind} {long}")));
                }
            }
            let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
            let mut report = run(&aof(&commands), &Options::default());
            forms.push(report.store.look().digest(Default::default(), 1).to_string());
        }
        prop_assert_eq!(&forms[0], &forms[1]);
    }
}

/// The commands of both kinds that bring a store from shards to one, and back to work.
#[test]
fn commands_that_need_several_shards() {
    let mut commands = vec!["MULTI".to_owned()];
    for n in 0..500 {
        commands.push(format!("SET k{n} {n}"));
        commands.push(format!("RENAME k{n} r{}", n * 7 % 500));
        commands.push(format!("HSET h{} f {n}", n % 40));
    }
    commands.push("EXEC".to_owned());
    commands.push("SORT h1 BY w* STORE out".to_owned());
    commands.extend((0..500).map(|n| format!("INCR c{}", n % 50)));
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    same_for_every_jobs(&aof(&commands));
}

/// Commands that servers have and no log does are nothing to the data; what servers may not get over is told.
#[test]
fn commands_about_the_server_change_nothing() {
    let log = aof(&[
        "SELECT 2",
        "SET a 1",
        "AUTH x",
        "CLIENT LIST",
        "MULTI",
        "CONFIG GET *",
        "INCR a",
        "EXEC",
        "OBJECT HELP",
        "DEBUG SLEEP 0",
        "INCR a",
    ]);
    let mut report = run(&log, &Options::default());
    assert!(report.skipped.is_empty(), "{:?}", report.skipped);
    assert!(report.parts.iter().all(|part| part.findings.is_empty()));
    let mut same = run(&aof(&["SELECT 2", "SET a 3"]), &Options::default());
    let style = Default::default();
    assert_eq!(report.store.look().digest(style, 1), same.store.look().digest(style, 1));
    let report = run(&aof(&["SET a 1", "RESET", "SET b 1"]), &Options::default());
    let findings = report.parts.iter().flat_map(|part| part.findings.to_vec());
    let codes: Vec<_> = findings.map(|finding| finding.code.to_string()).collect();
    assert_eq!(codes, ["aof-stray-command"]);
}

#[test]
fn a_transaction_that_does_not_end_leaves_nothing() {
    let bytes = aof(&["SET a 1", "MULTI", "SET a 2", "SET b 2"]);
    for jobs in [1, 4] {
        let mut report = run(&bytes, &Options { jobs, chunk: 30, ..Options::default() });
        assert_eq!(report.unfinished, 2);
        assert!(!report.is_clean());
        let look = report.store.look();
        let a = look.get(0, b"a").unwrap();
        assert_eq!(look::rows(a.value), [[b"1".to_vec()]]);
        assert!(look.get(0, b"b").is_none());
    }
}

#[test]
fn discard_ends_a_transaction_there() {
    let bytes = aof(&["MULTI", "SET a 1", "DISCARD", "SET b 1", "SELECT 3", "EXEC", "SET c 1"]);
    let mut report = run(&bytes, &Options { jobs: 2, ..Options::default() });
    let look = report.store.look();
    assert!(look.get(0, b"a").is_some() && look.get(0, b"c").is_some());
    assert_eq!(look.len(0), 2);
}

/// As servers read it, so it is replayed.
#[test]
fn nuls_that_servers_read_over() {
    let log = [
        &aof(&["SET a 1"])[..],
        b"*3\0\r\n$3\r\nSET\0\0$1\r\0\n",
        b"b\r\n$1\0\r\nv\r\0",
        &aof(&["SET c 1"]),
    ];
    let log = log.concat();
    let mut report = run(&log, &Options::default());
    assert_eq!(report.store.look().len(0), 3);
}

#[test]
fn strict_stops_at_the_first_failure() {
    let bytes = aof(&["SET a 1", "LPUSH a 1", "SET b 1"]);
    let mut report = run(&bytes, &Options { strict: true, jobs: 4, ..Options::default() });
    assert!(matches!(report.stop, Some(Stop::Strict(27))), "{:?}", report.stop);
    assert_eq!(report.store.look().len(0), 1);
    let mut lenient = run(&bytes, &Options { jobs: 4, ..Options::default() });
    assert_eq!(lenient.store.look().len(0), 2);
    assert_eq!(lenient.commands(), (2, 1, 0));
}

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Files {
        Files(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> String {
        let path: PathBuf = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

fn json(ran: &Ran) -> serde_json::Value {
    ran.json().remove(0)
}

#[test]
fn exit_codes_of_replay() {
    let files = Files::new();
    let good = files.put("good.aof", &aof(&["SET a 1", "SET b 2"]));
    let ran = rdbtool(["replay", &good]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.stdout.contains("2 commands applied; 2 keys in 1 db"), "{}", ran.stdout);
    let failing = files.put("failing.aof", &aof(&["SET a 1", "LPUSH a 1", "QQ"]));
    let ran = rdbtool(["replay", "--json", &failing]);
    assert_eq!(ran.code, Some(1));
    let report = json(&ran);
    assert_eq!(report["applied"]["set"], 1);
    assert_eq!(report["failed"]["lpush"], 1);
    let codes: Vec<_> = report["findings"].as_array().unwrap().iter().map(|f| &f["code"]).collect();
    assert_eq!(codes, ["replay-failed", "aof-unknown-command"]);
    assert_eq!(report["findings"][0]["offset"], 27);
    assert_eq!(rdbtool(["replay", "/no/such/file"]).code, Some(2));
    assert_eq!(rdbtool(["replay", "--until", "yesterday", &good]).code, Some(2));
    let cut = files.put("cut.aof", &aof(&["SET a 1", "SET b 2"])[..40]);
    let ran = rdbtool(["replay", &cut]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("aof-truncated"), "{}", ran.stdout);
    let piped = rdbtool_reading(&["replay", "-"], &aof(&["SET a 1"]));
    assert_eq!(piped.code, Some(0), "{piped:?}");
}

/// Servers skip them and start.
#[test]
fn empty_collections_are_skipped_and_are_no_damage() {
    let is_one = |name: &str| name.starts_with("empty-collection-");
    let bad = fs::read_dir("testdata/made/bad").unwrap().map(|entry| entry.unwrap());
    let ones: Vec<_> = bad.filter(|file| is_one(&file.file_name().to_string_lossy())).collect();
    assert_eq!(ones.len(), 16);
    for file in ones {
        let ran = rdbtool(["replay".as_ref(), "--json".as_ref(), file.path().as_os_str()]);
        let report = json(&ran);
        assert_eq!((&report["left_out"], &report["keys"]), (&0.into(), &0.into()), "{file:?}");
        assert_eq!(report["findings"][0]["code"], "empty-collection");
        assert_eq!(ran.code, Some(0), "{file:?}");
    }
}

#[test]
fn until_a_time_or_an_offset() {
    let files = Files::new();
    let bytes =
        aof(&["#TS:100", "SET a 1", "#TS:200", "MULTI", "SET a 2", "#TS:300", "SET b 2", "EXEC"]);
    let path = files.put("ts.aof", &bytes);
    let value = |until: &str| {
        let ran = rdbtool(["replay", "--json", "--get", "a", "--until", until, &path]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        json(&ran)["get"][0]["value"][0][0].as_str().map(str::to_owned)
    };
    assert_eq!(value("@50"), None);
    assert_eq!(value("@199").as_deref(), Some("1"));
    // The transaction of 200 goes on at 300: it is not run.
    assert_eq!(value("@200").as_deref(), Some("1"));
    assert_eq!(value("@300").as_deref(), Some("2"));
    assert_eq!(value("1970-01-01T00:05:00Z").as_deref(), Some("2"));
    let end = bytes.len().to_string();
    assert_eq!(value(&end).as_deref(), Some("2"));
    assert_eq!(value(&(bytes.len() - 1).to_string()).as_deref(), Some("1"));
    assert_eq!(value("0"), None);
    let plain = files.put("plain.aof", &aof(&["SET a 1"]));
    let ran = rdbtool(["replay", "--until", "@5", &plain]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("no timestamps"), "{}", ran.stderr);
}

#[test]
fn memory_has_a_bound_with_a_clean_error() {
    let files = Files::new();
    let big = files.put("big.aof", &aof(&["SETRANGE a 400000000 x", "SET b 1"]));
    for jobs in ["1", "4"] {
        let ran = rdbtool(["replay", "--max-memory", "1mb", "--jobs", jobs, &big]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains("does not fit the memory allowed"), "{}", ran.stderr);
    }
    let rdb = testdata("dump.rdb");
    let ran = rdbtool([Path::new("replay"), Path::new("--max-memory"), Path::new("10k"), &rdb]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
}

/// A chunk whose commands would take many times what there is ends in an error before they do: the
/// process gets no more than a part of that from the system, and would be ended for asking.
#[test]
fn memory_has_a_bound_inside_a_chunk_too() {
    let files = Files::new();
    let long: Vec<String> = (0..2000).map(|n| format!("SETRANGE k{n} 20000000 x")).collect();
    let copies: Vec<String> = (0..2000).map(|n| format!("COPY a c{n}")).collect();
    let unions: Vec<String> = (0..2000).map(|n| format!("BITOP NOT b{n} a")).collect();
    for (n, commands) in [long, copies, unions].iter().enumerate() {
        let commands: Vec<&str> = ["SETRANGE a 20000000 x"]
            .into_iter()
            .chain(commands.iter().map(String::as_str))
            .collect();
        let path = files.put("many.aof", &aof(&commands));
        for jobs in [1, 8] {
            let program = env!("CARGO_BIN_EXE_rdbtool");
            let line = format!(
                "ulimit -v 900000; exec '{program}' replay --max-memory 200mb --jobs {jobs} '{path}'"
            );
            let ran = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
            let told = String::from_utf8_lossy(&ran.stderr);
            assert_eq!(ran.status.code(), Some(2), "{n}, jobs {jobs}: {told}");
            assert!(told.contains("does not fit the memory allowed"), "{n}, jobs {jobs}: {told}");
        }
    }
}

#[test]
fn what_has_expired() {
    let files = Files::new();
    let bytes = aof(&["SET a 1 PXAT 1000", "SET b 1"]);
    let path = files.put("a.aof", &bytes);
    let keys = |args: &[&str]| {
        let all = [&["replay", "--json"], args, &[&path]].concat();
        json(&rdbtool(all))["keys"].as_u64().unwrap()
    };
    assert_eq!(keys(&[]), 2, "an AOF keeps it, as servers do");
    assert_eq!(keys(&["--expired", "drop"]), 1);
    assert_eq!(keys(&["--expired", "drop", "--now", "0"]), 2);
}

/// What commands count from now counts from the clock that the replay was given, as a server's runs on
/// while it loads; and a delivery in the past stays where it was.
#[test]
fn the_clock_runs_while_commands_do() {
    let now_ms = 1_700_000_000_000;
    let bytes = aof(&[
        "SET a 1",
        "EXPIRE a 100",
        "XADD s 1-1 f v",
        "XADD s 2-1 f v",
        "XGROUP CREATE s g 0",
        "XCLAIM s g c 0 1-1 TIME 1600000000000 RETRYCOUNT 3 FORCE JUSTID",
        "XCLAIM s g c 0 2-1 TIME 1800000000000 RETRYCOUNT 1 FORCE JUSTID",
    ]);
    let mut report = run(&bytes, &Options { now_ms, ..Options::default() });
    let store = report.store.look();
    assert_eq!(store.get(0, b"a").unwrap().expire_at_ms, Some(now_ms + 100_000));
    let Value::Stream(stream) = store.get(0, b"s").unwrap().value else { panic!("not a stream") };
    let (_, group) = stream.groups.iter().next().unwrap();
    let delivered = group.pending().map(|(_, entry)| entry.delivered_at_ms).collect::<Vec<_>>();
    assert_eq!(delivered, [1_600_000_000_000, now_ms], "the future is cut to now");
}

#[test]
fn looking_at_keys() {
    let files = Files::new();
    let nasty = "SET \u{1b}]0;x\u{7} v";
    let commands = ["HSET user:1 name x", "SELECT 2", "RPUSH user:1 a b", nasty];
    let path = files.put("a.aof", &aof(&commands));
    let ran = rdbtool(["replay", "--get", "user:1", "--get", "none", "--keys", "*", &path]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.stdout.contains("db 0 \"user:1\": hash, listpack, 1 element"), "{}", ran.stdout);
    assert!(ran.stdout.contains("  \"name\" \"x\"\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("\"none\": no such key"), "{}", ran.stdout);
    assert!(!ran.stdout.contains('\u{1b}'), "{}", ran.stdout);
    let listed = json(&rdbtool(["replay", "--json", "--keys", "user:*", &path]));
    assert_eq!(listed["matching"].as_array().unwrap().len(), 2);
}

#[test]
fn digests_in_lines() {
    let files = Files::new();
    let a = files.put("a.aof", &aof(&["SET a 1", "ZADD z 0.1 m"]));
    let b = files.put("b.aof", &aof(&["ZADD z 0.1 m", "SET x 1", "RENAME x a"]));
    let ran = rdbtool(["digest", &a, &b]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lines: Vec<_> = ran.stdout.lines().map(|line| line.split_once("  ").unwrap()).collect();
    assert_eq!(lines[0].0, lines[1].0);
    assert_eq!(lines[0].1, a);
    assert_eq!(lines[0].0.len(), 40);
    let old = rdbtool(["digest", "--as", "redis-7.0", &a]).stdout;
    assert_ne!(&old[..40], lines[0].0, "7.0 writes 0.1 with seventeen digits");
    assert_eq!(rdbtool(["digest", "--as", "redis-x", &a]).code, Some(2));
    let keys = rdbtool(["digest", "--per-key", &a]).json();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0]["key"], "a");
    let empty = files.put("empty.aof", b"");
    assert!(rdbtool(["digest", &empty]).stdout.starts_with(&"0".repeat(40)));
    let damaged = files.put("bad.aof", &aof(&["SET a 1", "SET b 1"])[..30]);
    assert_eq!(rdbtool(["digest", &damaged]).code, Some(1));
}

#[test]
fn verify_tells_the_same_from_the_different() {
    let files = Files::new();
    let commands = ["SET a 1", "SADD s 1 2 3", "XADD x 1-1 f v", "XGROUP CREATE x g 0", "SET t 1"];
    let a = files.put("a.aof", &aof(&commands));
    let verify = |others: &[&str], args: &[&str]| {
        let b = files.put("b.aof", &aof(&[&commands, others].concat()));
        rdbtool([&["verify", &a, &b], args].concat())
    };
    let same = verify(&["DEL s", "SADD s 3 2 1"], &[]);
    assert_eq!((same.code, same.stderr.as_str()), (Some(0), ""), "{same:?}");
    assert!(same.stdout.starts_with("SAME — 4 keys the same"), "{}", same.stdout);
    let cases: &[(&str, &str, Option<&str>)] = &[
        ("SET a 2", "value", None),
        ("SADD s 4", "value", None),
        ("DEL a", "", None),
        ("PEXPIREAT t 4102444800000", "ttl", Some("ttl")),
        ("XGROUP SETID x g 1-1", "state", Some("groups")),
        ("XSETID x 5-0", "state", Some("groups")),
    ];
    for (change, what, ignore) in cases {
        let ran = verify(&[change], &["--json"]);
        assert_eq!(ran.code, Some(1), "{change}: {ran:?}");
        let report = json(&ran);
        assert_eq!(report["same"], false);
        let difference = &report["differences"][0];
        if what.is_empty() {
            assert_eq!(difference["only"], "a", "{change}");
        } else {
            assert_eq!(difference["why"][0]["what"], *what, "{change}");
        }
        assert_eq!(verify(&[change], &["--quiet"]).code, Some(1));
        if let Some(ignore) = ignore {
            assert_eq!(verify(&[change], &["--ignore", ignore]).code, Some(0), "{change}");
        }
    }
    let many: Vec<String> = (0..100).map(|n| format!("SET k{n} 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let ran = verify(&many, &["--max-differences", "3"]);
    assert_eq!(ran.stdout.lines().count(), 5, "{}", ran.stdout);
    assert!(
        ran.stdout.ends_with("97 differences more (see --max-differences)\n"),
        "{}",
        ran.stdout
    );
    assert_eq!(rdbtool(["verify", &a, "/no/such"]).code, Some(2));
    assert_eq!(rdbtool(["verify", &a]).code, Some(2));
}

/// Whatever the bytes, a replay ends, says something, and does not end as a bug.
/// Before 5.0 of the format no RDB had a checksum: that is no reason to doubt that two are the same.
#[test]
fn files_without_a_checksum_can_be_the_same() {
    let old = testdata("rdb/redis-2.4.18/everything.rdb").to_str().unwrap().to_owned();
    let ran = rdbtool(["verify", &old, &old]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{}", ran.stdout);
    assert!(ran.stdout.starts_with("SAME —"), "{}", ran.stdout);
    assert_eq!(rdbtool(["digest", &old]).code, Some(0));
    assert_eq!(rdbtool(["replay", &old]).code, Some(1), "which nothing vouches for");
}

#[test]
fn damaged_files_do_not_break_it() {
    let folder = testdata("damaged");
    let mut asked = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ext| ext == "tsv") {
            continue;
        }
        for verb in ["replay", "digest"] {
            let ran =
                rdbtool([Path::new(verb), Path::new("--max-memory"), Path::new("1gb"), &path]);
            assert!(matches!(ran.code, Some(0..=2)), "{}: {ran:?}", path.display());
            assert!(!ran.stdout.is_empty() || !ran.stderr.is_empty(), "{}", path.display());
            asked += 1;
        }
    }
    assert!(asked > 60);
}
