//! The hand-made samples in `testdata/made`: rebuilt here byte by byte and compared with the files in
//! the repository. `BLESS=1 cargo test --test made` writes them, and their rows of the ledger, anew.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod bad_frame;
mod bad_streams;
mod bad_values;
mod cases;
mod good;
#[path = "../support/made.rs"]
mod made;
mod modules;
mod sample;
#[path = "../support/stream.rs"]
mod stream;
mod streams;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use sample::Sample;

fn samples() -> Vec<Sample> {
    [
        good::samples(),
        streams::samples(),
        modules::samples(),
        bad_frame::samples(),
        bad_values::samples(),
        bad_streams::samples(),
        cases::samples(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/made")
}

fn bless() -> bool {
    env::var_os("BLESS").is_some()
}

/// Every `.rdb` below `folder`, by its path from there.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for below in ["", "bad", "cases"] {
        for entry in fs::read_dir(folder.join(below)).expect("a folder of samples") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "rdb") {
                let name = path.strip_prefix(folder).expect("below").to_string_lossy().into_owned();
                found.insert(name, fs::read(&path).expect("a sample"));
            }
        }
    }
    found
}

#[test]
fn files_are_what_the_builder_makes() {
    let folder = folder();
    let made: BTreeMap<_, _> = samples().into_iter().map(|s| (s.file, s.bytes)).collect();
    if bless() {
        for below in ["bad", "cases"] {
            fs::create_dir_all(folder.join(below)).expect("a folder");
        }
        for (name, bytes) in &made {
            fs::write(folder.join(name), bytes).expect("written");
        }
    }
    let kept = files(&folder);
    let names = |map: &BTreeMap<String, Vec<u8>>| map.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&made), names(&kept), "the samples made and the files kept");
    for (name, bytes) in &made {
        assert!(bytes == &kept[name], "{name} is not what the builder makes");
    }
}

#[test]
fn names_are_unique() {
    let mut names: Vec<_> = samples().into_iter().map(|sample| sample.file).collect();
    names.sort();
    let double = names.windows(2).find(|pair| pair[0] == pair[1]);
    assert_eq!(double, None);
}
