//! The hand-made samples in `testdata/made`: rebuilt here byte by byte and compared with the files in
//! the repository. `BLESS=1 cargo test --test made` writes them, and their rows of the ledger, anew.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod bad_frame;
mod bad_streams;
mod bad_values;
mod cases;
mod good;
#[path = "../support/ledger.rs"]
mod ledger;
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

use ledger::Row;
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

/// The rows of the ledger that are about hand-made files, as they should be.
fn rows() -> Vec<Row> {
    let mut rows: Vec<_> = samples().iter().map(row).chain(TABLES.map(table)).collect();
    rows.sort();
    rows
}

/// What servers said of the files: table, who was asked, what about.
const TABLES: [(&str, &str, &str); 2] = [
    ("cases.tsv", "redis 8.6.3, 8.8-dev, valkey 9.1.2", "what they say of each file in cases/"),
    ("loads.tsv", "five servers", "which of them loads which file, and what its check tool says"),
];

fn table((name, origin, contents): (&str, &str, &str)) -> Row {
    let bytes = fs::read(folder().join(name)).expect("a table");
    let row = Row::new(&format!("made/{name}"), &bytes, origin, contents, "");
    Row { format: "table".into(), verdict: "-".into(), ..row }
}

fn row(sample: &Sample) -> Row {
    let file = format!("made/{}", sample.file);
    Row::new(&file, &sample.bytes, "made by hand", &sample.what, &sample.codes)
}

#[test]
fn rows_of_the_ledger_are_what_the_samples_say() {
    let (made, others): (Vec<_>, Vec<_>) =
        ledger::rows().into_iter().partition(|row| row.file.starts_with("made/"));
    if bless() {
        ledger::write(others.into_iter().chain(rows()).collect());
        return;
    }
    for (kept, row) in made.iter().zip(rows()) {
        assert_eq!(*kept, row);
    }
    assert_eq!(made.len(), rows().len());
}

#[test]
fn every_case_has_a_file_of_its_size() {
    let table = fs::read_to_string(folder().join("cases.tsv")).expect("the table of cases");
    let listed: Vec<_> = table.lines().skip(1).map(|line| line.split('\t').collect()).collect();
    let samples: Vec<_> = cases::samples();
    assert_eq!((listed.len(), samples.len()), (67, 67));
    for (cells, sample) in listed.iter().zip(&samples) {
        let cells: &Vec<&str> = cells;
        assert_eq!(sample.what, format!("case: {}", cells[0]));
        assert_eq!(sample.file, cells[1]);
        assert_eq!(sample.bytes.len().to_string(), cells[2], "size of the case {}", cells[0]);
    }
}

#[test]
fn names_are_unique() {
    let mut names: Vec<_> = samples().into_iter().map(|sample| sample.file).collect();
    names.sort();
    let double = names.windows(2).find(|pair| pair[0] == pair[1]);
    assert_eq!(double, None);
}
