//! The server's own fingerprint: every golden RDB and AOF replayed has the DEBUG DIGEST that the server
//! which wrote it gave after loading it again, each key its DEBUG DIGEST-VALUE and its value; and an AOF
//! cut anywhere has the digest that its server had when it had written so much.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs
)]

#[path = "support/golden_set.rs"]
mod golden;

use std::collections::BTreeSet;

use golden::{Golden, bytes_of, goldens, replay};
use rdbtool::job::look;
use rdbtool::job::replay::{Expired, Options, Report};

/// How many threads: what comes out is the same for all, and each test takes another number.
const JOBS: [usize; 3] = [1, 2, 8];

fn digest(report: &mut Report, golden: &Golden) -> String {
    report.store.look().digest(golden.release().digest_style(0), 2).to_string()
}

#[test]
fn digests_are_the_servers() {
    let (mut asked, mut wrong) = (0, Vec::new());
    for golden in goldens() {
        let Some(want) = golden.digest().filter(|_| !golden::is_of_modules(&golden)) else {
            continue;
        };
        for jobs in JOBS {
            let mut report = replay(&golden.path, &golden.options(jobs));
            let digest = digest(&mut report, &golden);
            asked += 1;
            if digest != want {
                wrong.push(format!(
                    "{} jobs {jobs}: {digest}, not {want}; {}",
                    golden.name(),
                    golden::told(&report)
                ));
            }
        }
    }
    assert!(asked > 30, "only {asked}");
    assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn nothing_that_servers_wrote_fails() {
    let mut wrong = Vec::new();
    for golden in goldens() {
        let report = replay(&golden.path, &golden.options(2));
        let (_, failed, skipped) = report.commands();
        let left_out = report.left_out;
        let as_it_should = match golden::is_of_modules(&golden) {
            // Each is named as one that is missing, and none fails.
            true => failed + left_out == 0 && skipped > 300 && !report.is_clean(),
            false => failed + skipped + left_out == golden::refused(&golden),
        };
        if !as_it_should {
            wrong.push(format!("{}: {}", golden.name(), golden::told(&report)));
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn single_keys_are_the_servers() {
    let (mut asked, mut values, mut wrong) = (0, 0, Vec::new());
    for golden in goldens() {
        let Some(rows) = golden.keys() else { continue };
        let keep = Options { expired: Some(Expired::Keep), ..golden.options(2) };
        let mut report = replay(&golden.path, &keep);
        if golden::is_of_modules(&golden) {
            continue;
        }
        let style = golden.release().digest_style(0);
        let found = report.store.look();
        for row in &rows {
            let (db, key) = (row["db"].as_u64().unwrap(), bytes_of(&row["key"]));
            let name =
                || format!("{}: db {db} \"{}\" {}", golden.name(), key.escape_ascii(), row["type"]);
            let Some(held) = found.get(db, &key) else {
                wrong.push(format!("{}: is not there", name()));
                continue;
            };
            let info = look::KeyInfo::new(db, &held, style);
            if let Some(want) = row["digest"].as_str() {
                asked += 1;
                if info.digest.to_string() != want {
                    wrong.push(format!("{}: {}, not {want}", name(), info.digest));
                }
            }
            let expires = info.expire_at_ms.unwrap_or(-1);
            if row["expire_at_ms"].as_i64().is_some_and(|want| want != expires) {
                let want = &row["expire_at_ms"];
                wrong.push(format!("{}: expires at {expires}, not {want}", name()));
            }
            if let Some(want) = golden::rows(row, golden.release()) {
                values += 1;
                let got =
                    golden::comparable(look::rows(held.value), &info.type_name, golden.release());
                if got != want {
                    wrong.push(format!("{}: holds {got:?}, not {want:?}", name()));
                }
            }
        }
        // What the server did not list had expired.
        let listed: BTreeSet<(u64, Vec<u8>)> =
            rows.iter().map(|row| (row["db"].as_u64().unwrap(), bytes_of(&row["key"]))).collect();
        for db in found.dbs() {
            for key in found.keys(db).filter(|key| !listed.contains(&(db, key.key.to_vec()))) {
                if key.expire_at_ms.is_none_or(|at| at >= keep.now_ms) {
                    let name = key.key.escape_ascii();
                    wrong.push(format!("{}: db {db} \"{name}\" is too much", golden.name()));
                }
            }
        }
    }
    assert!(asked > 1000 && values > 1000, "only {asked} digests, {values} values");
    let first = wrong.iter().take(60).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {asked} and {values}:\n{first}", wrong.len());
}

/// Cuts the last file of an AOF at every size of which the server has told its digest then.
#[test]
fn an_aof_cut_anywhere_is_what_the_server_had_then() {
    let (mut asked, mut wrong) = (0, Vec::new());
    for golden in goldens() {
        let Some(cuts) = golden.prefixes().filter(|_| golden::refused(&golden) == 0) else {
            continue;
        };
        for (at, (file, size, want)) in cuts.iter().enumerate() {
            let folder = tempfile::tempdir().unwrap();
            let path = golden.copy_cut(folder.path(), file, *size);
            let mut report = replay(&path, &golden.options(JOBS[at % JOBS.len()]));
            let digest = digest(&mut report, &golden);
            asked += 1;
            if digest != *want {
                let told = golden::told(&report);
                wrong.push(format!(
                    "{} {file} at {size}: {digest}, not {want}; {told}",
                    golden.name()
                ));
            }
        }
    }
    assert!(asked > 10, "only {asked}");
    let first = wrong.iter().take(60).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {asked}:\n{first}", wrong.len());
}
