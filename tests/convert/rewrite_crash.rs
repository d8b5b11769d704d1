//! `rewrite` with the power cut before any operation, and with an error of any: what is left is the old AOF,
//! byte by byte, or the new one, whole. What it reads is read from the disk, and what it writes goes to a file
//! system in memory that has the same files under the same names.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rdbtool::encoding::resp::write_command;
use rdbtool::error::Result;
use rdbtool::job::convert::{self, Form};
use rdbtool::job::repair_aof::Set;
use rdbtool::job::replay::Options as ReplayOptions;
use rdbtool::job::rewrite::{Old, Options, rewrite};
use rdbtool::persist::sim::MemFs;
use rdbtool::persist::target;
use rdbtool::rdb::target::Target;
use rdbtool::value::digest::Style;
use tempfile::TempDir;

use crate::crash::{Files, SEED, Scenario, Seen, must_survive_errors, must_survive_power_cuts};
use crate::golden_set;

const MANIFEST: &str = "a.aof.manifest";

/// The AOFs on the disk, in a folder `data`: one of several files, and one of a single file.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = FOLDER.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap().join("data");
        fs::create_dir(&path).unwrap();
        let commands = |texts: &[&str]| {
            let mut bytes = Vec::new();
            for text in texts {
                let words: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
                write_command(words.into_iter(), &mut bytes);
            }
            bytes
        };
        let base = commands(&["SELECT 0", "SET a 1", "RPUSH l x y", "SADD s 1 2"]);
        let incr = commands(&["SELECT 1", "SET b 2", "INCR b", "SELECT 0", "DEL s", "HSET h f v"]);
        fs::write(path.join("single.aof"), [&base[..], &incr].concat()).unwrap();
        fs::write(path.join("a.aof.1.base.aof"), base).unwrap();
        fs::write(path.join("a.aof.1.incr.aof"), incr).unwrap();
        let lines = "file a.aof.1.base.aof seq 1 type b\nfile a.aof.1.incr.aof seq 1 type i\n";
        fs::write(path.join(MANIFEST), lines).unwrap();
        (dir, path)
    });
    path
}

fn before() -> Files {
    let paths = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn setup() -> MemFs {
    let fs = MemFs::new(SEED);
    before().iter().for_each(|(path, bytes)| fs.put(path, bytes, 0o640));
    fs
}

fn options(old: Old) -> Options {
    let target = Target::newest();
    Options {
        convert: convert::Options::new(Form::Preamble, target),
        target: Some(target),
        preamble: None,
        to_rdb: false,
        lossy: false,
        verify: true,
        keep_unknown: false,
        old,
    }
}

fn several(fs: &MemFs, old: Old) -> Result<()> {
    let set = Set::read(fs, &folder().join(MANIFEST))?;
    rewrite(fs, &set, None, &options(old), &target::Options::default()).map(drop)
}

fn single(fs: &MemFs) -> Result<()> {
    let set = Set::file(&folder().join("single.aof"));
    rewrite(fs, &set, None, &options(Old::Mark), &target::Options::default()).map(drop)
}

fn elsewhere(fs: &MemFs) -> Result<()> {
    let set = Set::read(fs, &folder().join(MANIFEST))?;
    let out = folder().join("new");
    rewrite(fs, &set, Some(&out), &options(Old::Mark), &target::Options::default()).map(drop)
}

/// What is there when nothing goes wrong: replayed from a disk it holds what the old AOF held.
fn after(run: fn(&MemFs) -> Result<()>, loaded: &str) -> Files {
    let mem = setup();
    run(&mem).unwrap();
    let files = mem.files();
    let dir = tempfile::tempdir().unwrap();
    for (path, bytes) in &files {
        let to = dir.path().join(path.strip_prefix(folder()).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, bytes).unwrap();
    }
    let digest = |path: &Path| {
        let mut report = golden_set::replay(path, &ReplayOptions::default());
        assert!(report.is_clean());
        report.store.look().digest(Style::default(), 1)
    };
    assert_eq!(digest(&dir.path().join(loaded)), digest(&folder().join("single.aof")), "{loaded}");
    files
}

/// Old files as they were; or else all that is there as it should be, but for files that are on their way out.
fn judge(found: &Files, new: &Files, loaded: &[&str]) -> std::result::Result<Seen, String> {
    let old = before();
    let is = |files: &Files| {
        files.iter().all(|(path, bytes)| found.get(path).is_some_and(|there| there == bytes))
    };
    if found.get(&folder().join(loaded[0])) == old.get(&folder().join(loaded[0])) {
        return if is(&old) { Ok(Seen::Old) } else { Err("the old AOF is damaged".into()) };
    }
    for name in loaded {
        let path = folder().join(name);
        if found.get(&path) != new.get(&path) {
            return Err(format!("{name} is neither old nor new"));
        }
    }
    Ok(Seen::New)
}

const NEW_SET: [&str; 3] = [MANIFEST, "a.aof.2.base.aof", "a.aof.2.incr.aof"];

fn marked() -> &'static Files {
    static NEW: OnceLock<Files> = OnceLock::new();
    NEW.get_or_init(|| after(|fs| several(fs, Old::Mark), MANIFEST))
}

fn removed() -> &'static Files {
    static NEW: OnceLock<Files> = OnceLock::new();
    NEW.get_or_init(|| after(|fs| several(fs, Old::Remove), MANIFEST))
}

fn replaced() -> &'static Files {
    static NEW: OnceLock<Files> = OnceLock::new();
    NEW.get_or_init(|| after(single, "single.aof"))
}

fn made() -> &'static Files {
    static NEW: OnceLock<Files> = OnceLock::new();
    NEW.get_or_init(|| after(elsewhere, "new"))
}

const SCENARIOS: [Scenario; 4] = [
    Scenario {
        name: "several files, the old ones marked as history",
        setup,
        run: |fs| several(fs, Old::Mark),
        judge: |found| judge(found, marked(), &NEW_SET),
    },
    Scenario {
        name: "several files, the old ones removed",
        setup,
        run: |fs| several(fs, Old::Remove),
        judge: |found| judge(found, removed(), &NEW_SET),
    },
    Scenario {
        name: "one file",
        setup,
        run: single,
        judge: |found| judge(found, replaced(), &["single.aof"]),
    },
    Scenario {
        name: "a new folder",
        setup,
        run: elsewhere,
        judge: |found| {
            let manifest = format!("new/{MANIFEST}");
            judge(found, made(), &[&manifest, "new/a.aof.1.base.aof", "new/a.aof.1.incr.aof"])
        },
    },
];

#[test]
fn the_power_may_go_at_any_moment() {
    for scenario in &SCENARIOS {
        must_survive_power_cuts(scenario);
    }
}

#[test]
fn any_operation_may_fail() {
    for scenario in &SCENARIOS {
        must_survive_errors(scenario);
    }
}
