//! Every file of the test data is in `testdata/ledger.tsv` as it is, and every finding has a sample.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

#[path = "support/ledger.rs"]
mod ledger;
#[allow(dead_code)]
#[path = "support/program.rs"]
mod program;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rdbtool::finding::Code;
use serde_json::Value;

/// The folders whose files the ledger lists.
const FOLDERS: [&str; 6] = ["rdb", "backlen", "damaged", "modules", "aof", "made"];

/// Codes without a sample in the repository.
const WITHOUT_SAMPLE: [(Code, &str); 4] = [
    (Code::StringLimit, "needs a file of megabytes: tested with a lower limit"),
    (Code::RecordLimit, "needs a file of gigabytes: tested with a lower limit"),
    (Code::BesideLimit, "needs ten thousand libraries: made when it is tested"),
    (Code::RdbTypeProvisional, "rows that no server at hand knows, so no sample can be judged"),
];

fn files_below(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder of test data") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files_below(&path, found);
        } else {
            let name = path.strip_prefix(ledger::testdata()).expect("below testdata");
            found.insert(name.to_string_lossy().into_owned());
        }
    }
}

#[test]
fn every_file_has_a_row_and_every_row_a_file() {
    let mut files = BTreeSet::new();
    for folder in FOLDERS {
        files_below(&ledger::testdata().join(folder), &mut files);
    }
    for file in fs::read_dir(ledger::testdata()).expect("testdata") {
        let name = file.expect("an entry").file_name().to_string_lossy().into_owned();
        files.extend(name.starts_with("dump.").then_some(name));
    }
    let rows: BTreeSet<_> = ledger::rows().into_iter().map(|row| row.file).collect();
    assert_eq!(files.difference(&rows).collect::<Vec<_>>(), Vec::<&String>::new(), "no row");
    assert_eq!(rows.difference(&files).collect::<Vec<_>>(), Vec::<&String>::new(), "no file");
}

#[test]
fn files_are_as_their_rows_say() {
    for row in ledger::rows() {
        let data = ledger::read(&row.file);
        assert_eq!(data.len(), row.bytes, "size of {}", row.file);
        assert_eq!(ledger::crc32(&data), row.crc32, "CRC-32 of {}", row.file);
    }
}

#[test]
fn verdicts_follow_from_the_codes() {
    for row in ledger::rows().into_iter().filter(|row| row.verdict != "-") {
        assert_eq!(row.verdict, ledger::verdict(&row.codes), "{}", row.file);
    }
}

/// What `check` says of AOFs is what the ledger says: of a manifest what is wrong with it and its folder,
/// of each file what is wrong inside.
#[test]
fn aofs_are_as_their_rows_say() {
    let rows: Vec<_> = ledger::rows().into_iter().filter(ledger::Row::is_aof).collect();
    assert!(rows.len() > 30, "only {} rows of AOFs", rows.len());
    for row in rows {
        let path = ledger::testdata().join(&row.file);
        let report =
            &program::rdbtool(["aof", "check", "--json", &path.to_string_lossy()]).json()[0];
        let findings = |report: &Value| {
            let list = report["findings"].as_array().expect("findings").clone();
            list.into_iter().map(|finding| finding["code"].as_str().expect("a code").to_owned())
        };
        let preamble = report["preamble"].is_object().then(|| findings(&report["preamble"]));
        let mut codes: BTreeSet<_> = preamble.into_iter().flatten().collect();
        codes.extend(findings(report));
        let want: BTreeSet<_> = row.codes.iter().cloned().collect();
        assert_eq!(codes, want, "{}", row.file);
    }
}

#[test]
fn every_code_has_a_sample() {
    let seen: BTreeSet<_> = ledger::rows().into_iter().flat_map(|row| row.codes).collect();
    let without: Vec<_> = WITHOUT_SAMPLE.iter().map(|(code, _)| *code).collect();
    // Findings about AOFs are provoked by their own tests: the ledger judges RDBs.
    let of_rdbs = Code::ALL.iter().take_while(|code| !code.as_str().starts_with("aof-"));
    for code in of_rdbs {
        let excused = without.contains(code);
        assert_eq!(seen.contains(code.as_str()), !excused, "a sample for {code}");
    }
}
