//! `inspect` of AOFs: its sums are those of the commands one by one, for every number of jobs, and its
//! estimate of what a rewrite drops is what a server's rewrite drops.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, dead_code)]

#[path = "support/program.rs"]
mod program;
#[path = "support/resp.rs"]
mod resp;
#[path = "support/servers.rs"]
mod servers;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use program::{rdbtool, testdata};
use resp::command;
use serde_json::Value;
use servers::{Server, Setup};

const FOLDERS: [&str; 5] = [
    "aof/redis-2.4.18-plain",
    "aof/redis-4.0.14-preamble",
    "aof/redis-7.0.15-preamble",
    "aof/redis-7.0.15-timestamps",
    "aof/valkey-9.1.2-preamble",
];

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count"))
}

/// `FUNCTION LOAD` is a command of its own in the table.
fn name(event: &Value) -> String {
    let word = |at: usize| event["args"][at].as_str().unwrap_or("").to_ascii_lowercase();
    match word(0).as_str() {
        first @ ("function" | "xgroup" | "script") => format!("{first}|{}", word(1)),
        first => first.to_owned(),
    }
}

#[test]
fn sums_are_those_of_the_commands() {
    for folder in FOLDERS {
        let path = testdata(folder).to_string_lossy().into_owned();
        let log = rdbtool(["aof", "log", "--json", &path]).json();
        let commands: Vec<_> = log.iter().filter(|event| event["event"] == "command").collect();
        let ran = rdbtool(["inspect", "--json", &path]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{folder}");
        let [report] = ran.json().try_into().unwrap();
        let len = |event: &&&Value| number(&event["len"]);
        assert_eq!(number(&report["commands"]), commands.len() as u64, "{folder}");
        assert_eq!(number(&report["command_bytes"]), commands.iter().map(|e| len(&e)).sum::<u64>());
        let (mut names, mut dbs): (BTreeMap<String, (u64, u64, u64)>, BTreeMap<u64, u64>) =
            Default::default();
        let mut seconds: BTreeMap<i64, u64> = BTreeMap::new();
        for event in &commands {
            let row = names.entry(name(event)).or_default();
            *row = (row.0 + 1, row.1 + len(&event), row.2.max(len(&event)));
            *dbs.entry(number(&event["db"])).or_default() += 1;
            if let Some(time) = event["time"].as_i64() {
                *seconds.entry(time).or_default() += 1;
            }
        }
        for row in report["names"].as_array().unwrap() {
            let got = (number(&row["count"]), number(&row["bytes"]), number(&row["biggest"]));
            let want = names.remove(row["name"].as_str().unwrap());
            assert_eq!(Some(got), want, "{folder}: {}", row["name"]);
        }
        assert_eq!(names, BTreeMap::new(), "{folder}");
        for row in report["command_databases"].as_array().unwrap() {
            assert_eq!(dbs.remove(&number(&row["db"])), Some(number(&row["count"])), "{folder}");
        }
        assert_eq!(dbs, BTreeMap::new(), "{folder}");
        let biggest = commands.iter().map(|event| len(&event)).max();
        assert_eq!(Some(number(&report["biggest_commands"][0]["bytes"])), biggest, "{folder}");
        assert_eq!(report["first_time"].as_i64(), seconds.keys().next().copied(), "{folder}");
        assert_eq!(report["last_time"].as_i64(), seconds.keys().next_back().copied());
        for step in report["over_time"]["steps"].as_array().into_iter().flatten() {
            let (time, count) = (step["time"].as_i64().unwrap(), number(&step["commands"]));
            assert_eq!(seconds.remove(&time).unwrap_or(0), count, "{folder} at {time}");
        }
        assert_eq!(seconds, BTreeMap::new(), "{folder}");
        let exec = commands.iter().filter(|event| name(event) == "exec").count() as u64;
        assert_eq!(number(&report["transactions"]), exec, "{folder}");
        let is_plain = |e: &&&Value| ["set", "rpush", "hset"].contains(&name(e).as_str());
        let keys: BTreeSet<_> =
            commands.iter().filter(is_plain).map(|e| &e["args"][1]).map(Value::to_string).collect();
        assert!(number(&report["keys_touched"]) >= keys.len() as u64, "{folder}");
    }
}

#[test]
fn a_preamble_and_a_base_are_inspected_as_the_rdb_they_are() {
    let base = testdata("aof/redis-7.0.15-preamble/appendonlydir/appendonly.aof.2.base.rdb");
    let alone = &rdbtool(["inspect", "--json", &base.to_string_lossy()]).json()[0];
    let folder = testdata("aof/redis-7.0.15-preamble").to_string_lossy().into_owned();
    let set = &rdbtool(["inspect", "--json", &folder]).json()[0];
    let within = &set["parts"][0]["preamble"];
    for field in ["keys", "types", "databases", "biggest", "aux", "checksum", "prefixes"] {
        assert_eq!(within[field], alone[field], "{field}");
    }
    assert_eq!(set["parts"][1]["preamble"], Value::Null);
    let single = testdata("aof/redis-4.0.14-preamble/appendonly.aof");
    let bytes = fs::read(&single).unwrap();
    let report = &rdbtool(["inspect", "--json", &single.to_string_lossy()]).json()[0];
    let size = number(&report["preamble"]["size"]) as usize;
    let cut = tempfile::NamedTempFile::with_suffix(".rdb").unwrap();
    fs::write(cut.path(), &bytes[..size]).unwrap();
    let alone = &rdbtool(["inspect", "--json", &cut.path().to_string_lossy()]).json()[0];
    for field in ["keys", "types", "databases", "biggest", "aux", "checksum", "prefixes"] {
        assert_eq!(report["preamble"][field], alone[field], "{field}");
    }
    let text = rdbtool(["inspect", &single.to_string_lossy()]).stdout;
    assert!(text.contains("its preamble: redis RDB 8 by redis 4.0.14, 209 keys"), "{text}");
}

/// What many servers do: sessions, counters, profiles, queues, leaderboards, tags, a capped stream.
fn workload(commands: u32) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut file = command(&["SELECT", "0"]);
    for n in 0..commands {
        let skewed = rng.u32(1..20_000).min(rng.u32(1..20_000)).min(rng.u32(1..20_000));
        let value = "x".repeat(rng.usize(5..120));
        let (id, number) = (skewed.to_string(), rng.u32(0..99_999).to_string());
        let key = |kind: &str| format!("{kind}:{id}");
        let small = |kind: &str, of: u32| format!("{kind}:{}", skewed % of);
        let args: Vec<String> = match n % 12 {
            0..3 => {
                let at = "PXAT 9795357326000".split(' ').map(str::to_owned);
                ["SET".into(), key("session"), value].into_iter().chain(at).collect()
            }
            3 | 4 => vec!["INCR".into(), small("hits", 300)],
            5 | 6 => {
                let field = format!("f{}", rng.u32(0..20));
                vec!["HSET".into(), small("user", 3000), field, value]
            }
            7 => vec!["RPUSH".into(), small("queue", 20), format!("job {n} {number}")],
            8 => vec!["LPOP".into(), small("queue", 20)],
            9 => vec!["ZADD".into(), small("board", 9), number, format!("player {id}")],
            10 if n % 24 == 10 => vec!["DEL".into(), key("session")],
            10 => vec!["SADD".into(), small("tags", 900), format!("tag{}", rng.u32(0..60))],
            _ => {
                let words = format!("XADD events MAXLEN = 500 {n}-1 user {id} what {number}");
                words.split(' ').map(str::to_owned).collect()
            }
        };
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        file.extend(command(&args));
    }
    file
}

#[test]
fn the_number_of_jobs_makes_no_difference() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("appendonly.aof");
    fs::write(&path, workload(80_000)).unwrap();
    let path = path.to_string_lossy();
    for form in ["--json", "--top=30"] {
        let with = |jobs: &str| rdbtool(["inspect", form, "--jobs", jobs, &path]);
        let one = with("1");
        assert_eq!(one.code, Some(0), "{}", one.stderr);
        for jobs in ["2", "8"] {
            assert_eq!(with(jobs), one, "{form} with {jobs} jobs");
        }
    }
}

#[test]
fn filters_choose_commands() {
    let path = testdata(FOLDERS[0]).to_string_lossy().into_owned();
    let inspect = |args: &[&str]| {
        let ran = rdbtool(["inspect", "--json", &path].iter().chain(args));
        let report = ran.json().remove(0);
        (number(&report["commands"]), number(&report["command_bytes"]))
    };
    let all = inspect(&[]);
    let with_keys = inspect(&["--key", "*"]);
    assert!(with_keys < all && with_keys.0 > all.0 / 2, "{with_keys:?} of {all:?}");
    let s = inspect(&["--key", "s*"]);
    assert!(s.0 > 0 && s < with_keys, "{s:?}");
    let big = inspect(&["--min-size", "100"]);
    assert!(big.0 > 0 && big.1 >= 100 * big.0, "{big:?}");
    assert_eq!(inspect(&["--type", "hash"]), (0, 0));
}

/// Bytes of a server's AOF before and after its rewrite.
fn rewritten(binary: &'static servers::ServerBinary, aof: &[u8]) -> (u64, u64) {
    let mut setup = Setup::default();
    for line in ["appendonly yes", "aof-use-rdb-preamble no", "auto-aof-rewrite-percentage 0"] {
        setup = setup.line(line);
    }
    setup.files.push(("appendonly.aof".into(), aof.to_vec()));
    let mut server = Server::start(binary, &setup).expect("the server starts");
    server.command(&["BGREWRITEAOF"]);
    loop {
        sleep(Duration::from_millis(50));
        let info = server.command(&["INFO", "persistence"]).text();
        if info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrite_scheduled:0") {
            assert!(info.contains("aof_last_bgrewrite_status:ok"), "{info}");
            break;
        }
    }
    (aof.len() as u64, size(server.folder()))
}

/// Bytes of the AOF files below a folder.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| match () {
            () if path.is_dir() => size(&path),
            () if path.extension().is_some_and(|ext| ext == "aof") => {
                fs::metadata(path).unwrap().len()
            }
            () => 0,
        })
        .sum()
}

#[test]
fn a_rewrite_drops_what_was_estimated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("appendonly.aof");
    let golden = testdata("aof/redis-7.0.15-timestamps/appendonlydir/appendonly.aof.1.incr.aof");
    // Made of random commands, many of which depend on data: there the estimate is a rough one.
    let cases = [
        ("workload", workload(120_000), 0.05),
        ("short workload", workload(5_000), 0.05),
        ("golden", fs::read(golden).unwrap(), 0.20),
    ];
    let redis = servers::all().iter().rfind(|server| server.name.starts_with("redis-7.0"));
    let redis = redis.or_else(|| servers::all().iter().find(|s| s.name.starts_with("redis")));
    // Where there is none, looking for them has said so.
    let Some(redis) = redis else { return };
    for (name, aof, off) in cases {
        fs::write(&path, &aof).unwrap();
        let report = &rdbtool(["inspect", "--json", &path.to_string_lossy()]).json()[0];
        let estimate = report["dropped_estimate"].as_f64().unwrap();
        let (before, after) = rewritten(redis, &aof);
        let truth = 1.0 - after as f64 / before as f64;
        assert!((estimate - truth).abs() < off, "{name}: {estimate} for {truth} of {}", redis.name);
    }
}
