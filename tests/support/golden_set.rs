//! Golden files: what real servers wrote, and what they said of it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, dead_code)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rdbtool::engine::{Config, Release};
use rdbtool::finding::Severity;
use rdbtool::input::source::{Input, open};
use rdbtool::job::look::Row;
use rdbtool::job::replay::{Options, Report, replay as replay_file, replay_set};
use rdbtool::job::subject::{Subject, subjects};
use rdbtool::value::PackedLimits;
use serde_json::Value;

/// A file or folder and what its server said of it.
pub(crate) struct Golden {
    /// What to replay: an RDB, an AOF, or the folder of one.
    pub(crate) path: PathBuf,
    /// `meta.json`
    pub(crate) meta: Value,
    beside: PathBuf,
    keys: PathBuf,
}

/// The full set where it lies beside the repository, or what of it is in `testdata/`.
pub(crate) fn goldens() -> Vec<Golden> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = root.join("../shared/golden");
    let mut folders = if shared.is_dir() {
        vec![shared]
    } else {
        println!("SKIP: the full golden set is not beside the repository; using testdata/ alone");
        vec![root.join("testdata/rdb"), root.join("testdata/aof")]
    };
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        let mut paths: Vec<PathBuf> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            let file = path.file_name().unwrap().to_str().unwrap().to_owned();
            let meta = match file.as_str() {
                "appendonlydir" | "appendonly.aof" | "dump.rdb" => folder.join("meta.json"),
                _ if path.is_dir() => {
                    folders.push(path);
                    continue;
                }
                _ if file.ends_with(".rdb") => path.with_extension("meta.json"),
                _ => continue,
            };
            // Of a server with an AOF, that is what it loads.
            let second = file == "dump.rdb" && !aof_of(&folder).as_os_str().is_empty();
            let modules = folder.to_str().unwrap().contains("modules-");
            if !meta.is_file() || (second && !modules) {
                continue;
            }
            let keys = match file.strip_suffix(".rdb").filter(|stem| *stem != "dump") {
                Some(stem) => folder.join(format!("{stem}.keys.jsonl.gz")),
                None => folder.join("keys.jsonl"),
            };
            let meta = serde_json::from_str(&fs::read_to_string(meta).unwrap()).unwrap();
            found.push(Golden { path, meta, beside: folder.clone(), keys });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 15);
    found
}

fn aof_of(folder: &Path) -> PathBuf {
    let names = ["appendonlydir", "appendonly.aof"].map(|name| folder.join(name));
    names.into_iter().find(|path| path.exists()).unwrap_or_default()
}

impl Golden {
    pub(crate) fn name(&self) -> String {
        let text = self.path.display().to_string();
        text.rsplit("golden/").next().unwrap().to_owned()
    }

    /// What the file means to its server. Before 2.6 an RDB lost what an AOF keeps, times beyond 2038, and
    /// it was an RDB by which the server was asked.
    pub(crate) fn digest(&self) -> Option<&str> {
        let old = self.release().version < (2, 6) && self.prefixes().is_some();
        let reloaded = self.meta["digest_after_reload"].as_str().filter(|_| !old);
        reloaded.or(self.meta["digest"].as_str())
    }

    /// The server that wrote it.
    pub(crate) fn release(&self) -> Release {
        let path = self.path.display().to_string();
        let version = match self.meta["server_version"].as_str() {
            Some(version) => version.to_owned(),
            None => path.split("redis-").last().unwrap().to_owned(),
        };
        let mut parts = version.split(['.', '-', '/']).map(|part| part.parse().unwrap_or(0));
        let (major, minor) = (parts.next().unwrap(), parts.next().unwrap_or(0));
        match path.contains("valkey") {
            true => Release::valkey(major, minor),
            false => Release::redis(major, minor),
        }
    }

    /// As that server would load it. (Golden files hold keys that expired long before this moment.)
    pub(crate) fn options(&self, jobs: usize) -> Options {
        // Servers told to pack nothing keep what a packed sorted set loses: the sign of -0.
        let packed = match self.path.to_str().unwrap().contains("big-encodings") {
            true => PackedLimits { zset_entries: 0, ..PackedLimits::DEFAULT },
            false => PackedLimits::DEFAULT,
        };
        let engine = Config { packed, release: self.release(), ..Config::default() };
        Options { jobs, engine, now_ms: 1_795_500_000_000, chunk: 4096, ..Options::default() }
    }

    /// Every key as the server told it.
    pub(crate) fn keys(&self) -> Option<Vec<Value>> {
        if !self.keys.is_file() {
            return None;
        }
        let mut text = String::new();
        let source = open(&Input::File(self.keys.clone()), |_| {}).unwrap();
        std::io::Read::read_to_string(&mut { source.reader }, &mut text).unwrap();
        Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    /// File, size and digest. Those of files that a rewrite has replaced are left out: such a file has
    /// another name, or was longer.
    pub(crate) fn prefixes(&self) -> Option<Vec<(String, u64, String)>> {
        let text = fs::read_to_string(self.beside.join("prefixes.tsv")).ok()?;
        let mut rows: Vec<(String, u64, String)> = Vec::new();
        for line in text.lines() {
            let mut words = line.split('\t').map(str::to_owned);
            let (file, size) = (words.next().unwrap(), words.next().unwrap());
            let row = (file, size.parse().unwrap(), words.next().unwrap());
            if rows.last().is_some_and(|last| last.0 != row.0 || last.1 > row.1) {
                rows.clear();
            }
            rows.push(row);
        }
        Some(rows)
    }

    /// A copy with one file cut.
    pub(crate) fn copy_cut(&self, to: &Path, file: &str, size: u64) -> PathBuf {
        let target = to.join(self.path.file_name().unwrap());
        let cut = |from: &Path, to: &Path| {
            let mut bytes = fs::read(from).unwrap();
            bytes.truncate(usize::try_from(size).unwrap());
            fs::write(to, bytes).unwrap();
        };
        if self.path.is_file() {
            cut(&self.path, &target);
            return target;
        }
        fs::create_dir(&target).unwrap();
        for entry in fs::read_dir(&self.path).unwrap() {
            let from = entry.unwrap().path();
            let name = from.file_name().unwrap().to_owned();
            if name == file {
                cut(&from, &target.join(name));
            } else {
                fs::copy(&from, target.join(name)).unwrap();
            }
        }
        target
    }
}

/// Replays what a path stands for.
pub(crate) fn replay(path: &Path, options: &Options) -> Report {
    let mut found = subjects(path).unwrap();
    assert_eq!(found.len(), 1, "{}", path.display());
    match found.remove(0) {
        Subject::File(input) => replay_file(open(&input, |_| {}).unwrap(), &input, options),
        Subject::Set(set) => replay_set(&set.folder, &set.stem, options, |_| {}),
    }
    .unwrap()
}

/// How many commands of a file no server runs. 5.0 rewrites a stream that never had an entry as
/// `XADD key MAXLEN 0 0-0 x y`, which XADD refuses; all that was said of such a stream behind it fails
/// too. So the file does not bring back what its server held when it wrote it, but the keys are
/// overwritten before its end. (Loading the file, Redis 6.2.5, 7.0.15, 8.2.3 and Valkey 9.1.2 log 13
/// commands as CRITICAL, and no more: tests/engine_live/logged.rs.)
pub(crate) fn refused(golden: &Golden) -> u64 {
    if golden.name().starts_with("redis-5.0.14/aof-rewritten-plain/") { 13 } else { 0 }
}

/// A replay of commands of modules knows that it is not whole.
pub(crate) fn is_of_modules(golden: &Golden) -> bool {
    golden.name().contains("modules-") && golden.path.is_dir()
}

/// What a replay found, in short: commands that failed, and the first findings.
pub(crate) fn told(report: &Report) -> String {
    let failed: Vec<_> = report.ran.iter().filter(|(_, ran)| ran.failed > 0).collect();
    let findings = report.parts.iter().flat_map(|part| &part.findings).chain(&report.findings);
    let errors = findings.filter(|finding| finding.severity() > Severity::Note);
    let mut codes = BTreeSet::new();
    let first: Vec<_> = errors
        .filter(|finding| codes.insert(finding.found.clone()))
        .take(4)
        .map(|f| format!("{} at {:#x}: {}", f.code, f.span.start, f.found))
        .collect();
    format!(
        "failed {failed:?}, skipped {:?}, left out {}, {first:?}",
        report.skipped, report.left_out
    )
}

/// Bytes as the list of keys has them.
pub(crate) fn bytes_of(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.clone().into_bytes(),
        other => {
            let hex = other["hex"].as_str().unwrap();
            let byte = |i: usize| u8::from_str_radix(&hex[i..i + 2], 16).unwrap();
            (0..hex.len()).step_by(2).map(byte).collect()
        }
    }
}

/// A value of the list, where it has one, in the rows of `look`.
pub(crate) fn rows(row: &Value, release: Release) -> Option<Vec<Row>> {
    let value = row.get("value").filter(|value| !value.is_null())?;
    let type_name = row["type"].as_str().unwrap();
    if row.get("info").is_some() {
        return None;
    }
    // Behind a field's value is the time at which it expires.
    let text =
        |value: &Value| value.as_u64().map_or_else(|| bytes_of(value), |n| n.to_string().into());
    let texts = |row: &Value| row.as_array().unwrap().iter().map(text).collect::<Row>();
    let list = || value.as_array().unwrap().iter();
    let rows = match type_name {
        "string" => vec![vec![bytes_of(value)]],
        "list" | "set" => list().map(|item| vec![bytes_of(item)]).collect(),
        "hash" | "zset" => list().map(texts).collect(),
        "stream" => {
            let entries = value["entries"].as_array().unwrap().iter();
            entries.map(|entry| [vec![bytes_of(&entry[0])], texts(&entry[1])].concat()).collect()
        }
        _ => return None,
    };
    Some(comparable(rows, type_name, release))
}

/// Rows with what the list tells in another way made equal: the order of what has none, the text of
/// scores.
pub(crate) fn comparable(mut rows: Vec<Row>, type_name: &str, _: Release) -> Vec<Row> {
    if type_name == "zset" {
        for row in &mut rows {
            let score: f64 = std::str::from_utf8(&row[1]).unwrap().parse().unwrap();
            // The list has them as the server's answers do, in which -0 is 0.
            row[1] = format!("{:?}", score + 0.0).into_bytes();
        }
    }
    if matches!(type_name, "hash" | "set" | "zset") {
        rows.sort();
    }
    rows
}
