//! What the servers themselves said of their files: every key with its database, type and expire time,
//! as they read it back. `inspect` and `check` must agree. The full set lies beside the repository;
//! where it is missing, the part of it in `testdata/` is used and a line says so.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs
)]

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use rdbtool::finding::Severity;
use rdbtool::input::source::{Input, open};
use rdbtool::job::check::{self, check_rdb};
use rdbtool::job::inspect::{self, inspect_rdb};
use rdbtool::rdb::skim::Checksum;
use serde_json::Value;

/// A dump and the server's own list of its keys.
struct Golden {
    dump: PathBuf,
    keys: PathBuf,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn goldens() -> Vec<Golden> {
    let shared = root().join("../shared/golden");
    let (folder, least) = if shared.is_dir() {
        (shared, 80)
    } else {
        println!("SKIP: the full golden set is not beside the repository; using testdata/ alone");
        (root().join("testdata"), 10)
    };
    let mut found = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rdb") {
                found.extend(keys_of(&path).map(|keys| Golden { dump: path, keys }));
            }
        }
    }
    found.sort_by(|a, b| a.dump.cmp(&b.dump));
    assert!(found.len() >= least, "only {} dumps with keys", found.len());
    found
}

/// The list beside a dump: `keys.jsonl` for `dump.rdb`, `NAME.keys.jsonl.gz` for `NAME.rdb`.
fn keys_of(dump: &Path) -> Option<PathBuf> {
    let stem = dump.file_stem()?.to_str()?;
    let names = [format!("{stem}.keys.jsonl.gz"), format!("{stem}.keys.jsonl")];
    let mut candidates: Vec<_> = names.iter().map(|name| dump.with_file_name(name)).collect();
    if stem == "dump" {
        candidates.push(dump.with_file_name("keys.jsonl"));
    }
    candidates.into_iter().find(|path| path.is_file())
}

/// Number of keys by database, type and expire time: -1 for none, `None` where the server could not
/// say (before 7.0).
type Count = BTreeMap<(u64, String, Option<i64>), u64>;

fn told(keys: &Path) -> Count {
    let source = open(&Input::File(keys.to_path_buf()), |_| {}).unwrap();
    let mut text = String::new();
    let mut reader = source.reader;
    reader.read_to_string(&mut text).unwrap();
    let mut count = Count::new();
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let db = row["db"].as_u64().unwrap();
        let kind = row["type"].as_str().unwrap().to_owned();
        *count.entry((db, kind, row["expire_at_ms"].as_i64())).or_default() += 1;
    }
    count
}

fn by_type(count: &Count) -> BTreeMap<&str, u64> {
    let mut sums = BTreeMap::new();
    for ((_, kind, _), n) in count {
        *sums.entry(kind.as_str()).or_default() += n;
    }
    sums
}

#[test]
fn inspect_agrees_with_the_server() {
    for golden in goldens() {
        let name = golden.dump.display();
        let told = told(&golden.keys);
        let input = Input::File(golden.dump.clone());
        let source = open(&input, |_| {}).unwrap();
        let report = inspect_rdb(source, &input, &inspect::Options::default()).unwrap();
        let keys = report.facts.keys();
        let expired_kept = name.to_string().contains("expired");
        let types: BTreeMap<_, _> = report
            .types
            .iter()
            .map(|(kind, encodings)| {
                (kind.as_str(), encodings.values().map(|t| t.keys).sum::<u64>())
            })
            .collect();
        if expired_kept {
            // The server's list leaves out what it would drop at the next load.
            assert!(keys.keys >= told.values().sum(), "{name}");
            continue;
        }
        assert_eq!(types, by_type(&told), "{name}");
        let tells_expire = told.keys().all(|(_, _, expire)| expire.is_some());
        let mut databases = BTreeMap::new();
        for ((db, _, expire), n) in &told {
            let sums: &mut (u64, u64) = databases.entry(*db).or_default();
            sums.0 += n;
            sums.1 += if expire.is_some_and(|at| at != -1) { *n } else { 0 };
        }
        let expires = |count: u64| if tells_expire { count } else { 0 };
        let ours = report.facts.databases.iter().map(|(db, c)| (*db, (c.keys, expires(c.expires))));
        assert_eq!(ours.collect::<BTreeMap<_, _>>(), databases, "{name}");
        assert_eq!(report.ttl.none, keys.keys - keys.expires, "{name}");
        assert!(report.findings.iter().all(|f| f.severity() != Severity::Error), "{name}");
    }
}

#[test]
fn check_passes_what_servers_wrote() {
    for golden in goldens() {
        let name = golden.dump.display();
        let input = Input::File(golden.dump.clone());
        let options = check::Options { jobs: 2, ..check::Options::default() };
        let report = check_rdb(open(&input, |_| {}).unwrap(), &input, &options).unwrap();
        assert_ne!(report.verdict(), check::Verdict::Damaged, "{name}: {:?}", report.findings);
        assert!(!matches!(report.outcome.checksum, Checksum::Bad { .. } | Checksum::Unknown));
    }
}
