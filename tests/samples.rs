//! Every RDB of the test data, good, odd or damaged: `check` finds what the ledger says, and nothing else.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rdbtool::finding::{Code, Severity};
use rdbtool::input::source::{Input, open};
use rdbtool::job::check::{Options, Report, Verdict, check_rdb};
use rdbtool::rdb::header::Dialect;
use rdbtool::rdb::opcodes::OPCODES;
use rdbtool::rdb::types::TYPES;

struct Row {
    file: String,
    format: String,
    verdict: String,
    codes: BTreeSet<String>,
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

fn ledger() -> Vec<Row> {
    let text = std::fs::read_to_string(testdata().join("ledger.tsv")).unwrap();
    let rows = text.lines().skip(1).map(|line| {
        let cells: Vec<_> = line.split('\t').collect();
        Row {
            file: cells[0].to_owned(),
            format: cells[4].to_owned(),
            verdict: cells[6].to_owned(),
            codes: cells[7].split(',').filter(|c| *c != "-").map(str::to_owned).collect(),
        }
    });
    // AOFs and manifests are for tests/ledger.rs.
    let is_rdb = |row: &Row| !row.format.starts_with("aof") && row.format != "manifest";
    rows.filter(|row| row.verdict != "-" && is_rdb(row)).collect()
}

fn check(path: &Path, jobs: usize) -> Report {
    let input = Input::File(path.to_path_buf());
    let options = Options { jobs, ..Options::default() };
    check_rdb(open(&input, |_| {}).unwrap(), &input, &options).unwrap()
}

fn codes(report: &Report) -> BTreeSet<String> {
    report.findings.iter().map(|finding| finding.code.as_str().to_owned()).collect()
}

/// Notes that a ledger row need not name: they come with honest data of old or clustered servers.
const COMMON: &[Code] = &[Code::PelDangling, Code::ModuleUnknown, Code::ResizeDbHint];

#[test]
fn check_finds_what_the_ledger_says() {
    let rows = ledger();
    assert!(rows.len() > 400, "only {} rows", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        let report = check(&testdata().join(&row.file), 1);
        let verdict = match report.verdict() {
            Verdict::Warnings => "warned",
            other => other.as_str(),
        };
        let found = codes(&report);
        let known = |code: &str| COMMON.iter().any(|common| common.as_str() == code);
        let extra: Vec<_> =
            found.difference(&row.codes).filter(|code| !known(code)).cloned().collect();
        let missing: Vec<_> = row.codes.difference(&found).collect();
        if verdict != row.verdict || !extra.is_empty() || !missing.is_empty() {
            let file = &row.file;
            wrong.push(format!(
                "{file}: {verdict} for {}, extra {extra:?}, missing {missing:?}",
                row.verdict
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn every_row_of_the_tables_has_a_sample() {
    let mut met = BTreeSet::new();
    for row in ledger() {
        let report = check(&testdata().join(&row.file), 1);
        let dialect = report.facts.header().map_or(Dialect::Redis, |header| header.dialect);
        met.extend(report.facts.bytes_met().map(|(code, _)| (dialect, code)));
        if row.codes.contains(Code::ModulePreGa.as_str()) {
            met.insert((dialect, 6));
        }
    }
    let attribute = |code: u8| matches!(code, 243 | 248 | 249 | 252 | 253);
    for (code, dialects, name, provisional) in TYPES
        .iter()
        .map(|row| (row.code, row.dialects, row.name, row.provisional))
        .chain(OPCODES.iter().map(|row| (row.code, row.dialects, row.name, row.provisional)))
    {
        let has = [Dialect::Redis, Dialect::Valkey]
            .into_iter()
            .any(|dialect| dialects.has(dialect) && met.contains(&(dialect, code)));
        assert!(has || provisional || attribute(code), "no sample of {name} ({code})");
    }
}

#[test]
fn jobs_do_not_change_what_is_found() {
    for row in ledger() {
        let path = testdata().join(&row.file);
        let (one, many) = (check(&path, 1), check(&path, 8));
        assert_eq!(one.findings[..], many.findings[..], "{}", row.file);
        assert!(one.facts.bytes_met().eq(many.facts.bytes_met()), "{}", row.file);
    }
}

#[test]
fn damage_is_an_error_and_notes_are_harmless() {
    for row in
        ledger().iter().filter(|row| row.format.contains("redis") || row.format.contains("valkey"))
    {
        let report = check(&testdata().join(&row.file), 1);
        let errors = report.findings.iter().any(|f| f.severity() == Severity::Error);
        assert_eq!(errors, row.verdict == "damaged", "{}", row.file);
    }
}
