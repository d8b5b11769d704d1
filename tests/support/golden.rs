//! The golden RDB files: what real servers wrote, with their own word on it.

// Each test uses a part.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

use rdbtool::engine::{Config, Engine};
use rdbtool::error::Result;
use rdbtool::input::source::{Input, Source, open};
use rdbtool::job::replay::{Expired, Options, replay};
use rdbtool::value::PackedLimits;

/// A moment at which everything in the golden files that expires has expired long since.
pub(crate) const LONG_AFTER_MS: i64 = 1_795_500_000_000;

/// Every golden RDB with the server's word beside it.
pub(crate) fn goldens() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = root.join("../shared/golden");
    let folder = if shared.is_dir() {
        shared
    } else {
        println!("SKIP: the full golden set is not beside the repository; using testdata/ alone");
        root.join("testdata/rdb")
    };
    let mut found = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rdb") && meta_of(&path).is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(found.len() > 15);
    found
}

/// `meta.json` for `dump.rdb`, `NAME.meta.json` for `NAME.rdb`.
pub(crate) fn meta_of(dump: &Path) -> PathBuf {
    match dump.file_stem().unwrap().to_str().unwrap() {
        "dump" => dump.with_file_name("meta.json"),
        stem => dump.with_file_name(format!("{stem}.meta.json")),
    }
}

/// An RDB in one engine, expired keys too.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) engine: Engine,
    pub(crate) left_out: u64,
}

/// Loads an RDB.
pub(crate) fn load_rdb(source: Source, input: &Input, options: &Options) -> Result<Loaded> {
    let options = Options { expired: Some(Expired::Keep), ..options.clone() };
    let report = replay(source, input, &options)?;
    Ok(Loaded { left_out: report.left_out, engine: report.store.into_engine() })
}

/// Loads one into the engine.
pub(crate) fn load(path: &Path) -> Loaded {
    let input = Input::File(path.to_path_buf());
    let options = Options {
        jobs: 2,
        engine: Config { packed: packed_limits(path), ..Config::default() },
        ..Options::default()
    };
    load_rdb(open(&input, |_| {}).unwrap(), &input, &options).unwrap()
}

/// Servers told to pack nothing keep what a packed sorted set loses: the sign of -0.
fn packed_limits(path: &Path) -> PackedLimits {
    match path.to_str().unwrap().contains("big-encodings") {
        true => PackedLimits { zset_entries: 0, ..PackedLimits::DEFAULT },
        false => PackedLimits::DEFAULT,
    }
}
