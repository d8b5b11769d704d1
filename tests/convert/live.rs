//! Servers load what was made for them.

use std::path::{Path, PathBuf};

use rdbtool::engine::{Engine, Mode, Release};
use rdbtool::rdb::target::Target;
use rdbtool::rdb::versions;
use rdbtool::value::PackedLimits;

use crate::golden::goldens;
use crate::servers::{self, Family, Load, ServerBinary, loads};
use crate::{checked, convert, load_packing, options};

pub(crate) fn target(binary: &ServerBinary) -> (Target, Release) {
    let (major, minor, _) = binary.version;
    let (word, release) = match binary.family {
        Family::Redis => ("redis", Release::redis(major as u8, minor as u8)),
        Family::Valkey => ("valkey", Release::valkey(major as u8, minor as u8)),
    };
    let row = versions::Release::by_name(&format!("{word}-{major}.{minor}"));
    (Target::of(row.unwrap_or_else(|| panic!("no row for {}", binary.name))), release)
}

pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_millis() as i64
}

/// What the server must answer: the digest of what we load, without what has expired.
fn expected(made: &[u8], release: Release) -> (String, u64) {
    // What 7.0 and later pack when they load it loses the sign of -0.
    let zset_entries = if release.has_redis(7, 0) { PackedLimits::DEFAULT.zset_entries } else { 0 };
    expected_of(load_packing(made, zset_entries).engine, release)
}

/// The same of data that is loaded.
pub(crate) fn expected_of(mut engine: Engine, release: Release) -> (String, u64) {
    engine.set_mode(Mode::Serving);
    engine.set_clock(now_ms());
    engine.remove_expired();
    let keys = engine.keyspaces().map(|(_, space)| space.len() as u64).sum();
    (engine.digest(release.digest_style(now_ms()), 1).to_string(), keys)
}

/// Converts for the server and has it load that; what is wrong.
fn wrong(path: &Path, binary: &ServerBinary) -> Option<String> {
    let (target, release) = target(binary);
    let bytes = std::fs::read(path).unwrap();
    let (made, _) = convert(&bytes, &options(target));
    let (digest, keys) = expected(&made, release);
    let Load { up, dbsize, digest: told, log } = loads(binary, &made);
    if !up {
        let tail: Vec<_> = log.lines().rev().take(5).collect();
        return Some(format!("does not start:\n{}", tail.join("\n")));
    }
    if told.as_deref() != Some(&digest) || dbsize != Some(keys) {
        return Some(format!("{told:?} and {dbsize:?} keys, not {digest} and {keys}"));
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("made.rdb");
    std::fs::write(&file, &made).unwrap();
    let tool = binary.check_rdb(&file)?;
    let said = String::from_utf8_lossy(&tool.stdout).into_owned();
    (!tool.status.success()).then(|| format!("its check-rdb: {said}"))
}

/// Modules that no server here has.
pub(crate) fn has_foreign_modules(path: &Path) -> bool {
    let report = checked(&std::fs::read(path).unwrap());
    let vectorset = rdbtool::element::ModuleId::VECTORSET;
    report.facts.modules.keys().any(|id| *id != vectorset)
}

fn compare(files: &[PathBuf]) {
    for binary in servers::all() {
        let (mut count, mut bad) = (0, Vec::new());
        for path in files {
            if has_foreign_modules(path) {
                println!("SKIP {}: no server here has its modules", path.display());
                continue;
            }
            count += 1;
            if let Some(what) = wrong(path, binary) {
                bad.push(format!("{}: {what}", path.display()));
            }
        }
        println!("{}: {count} files loaded", binary.name);
        let shown = bad.iter().take(8).cloned().collect::<Vec<_>>().join("\n");
        assert!(bad.is_empty(), "{}: {} of {count}:\n{shown}", binary.name, bad.len());
    }
}

/// Every file of every server, by each of those that are here.
#[test]
fn golden_files_are_loaded_and_the_same() {
    compare(&goldens());
}

/// Files whose listpack entries have the back length that half of the servers refuse (FORMATS A.6).
#[test]
fn back_lengths_are_as_the_server_wants_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [root.join("../shared/golden/backlen"), root.join("testdata/backlen")];
    let folder = folders.iter().find(|folder| folder.is_dir()).unwrap();
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = entries.filter(|p| p.extension().is_some_and(|e| e == "rdb")).collect();
    assert!(!files.is_empty());
    compare(&files);
}

/// The engine's word for a release.
pub(crate) fn engine_release(release: &versions::Release) -> Release {
    let (major, minor) = release.version();
    match release.dialect {
        rdbtool::rdb::header::Dialect::Redis => Release::redis(major, minor),
        rdbtool::rdb::header::Dialect::Valkey => Release::valkey(major, minor),
    }
}
