//! What to do about a file, for whoever reads the report in the middle of the night.

use std::collections::BTreeSet;

use super::facts;
use crate::finding::{Code, Severity};
use crate::job::behind::Behind;
use crate::job::check::Report;
use crate::rdb::skim::Checksum;

const NO_RDB: &str =
    "this is no RDB, or its first bytes are gone; look for the right file, or another copy.";
const CUT: &str = "the file is cut short: fetch it again from where it came from, or take another copy. A copy \
     that stopped half-way and a full disk are the usual reasons.";
const CUT_OR_CHANGED: &str = "bytes have changed, so that a length reaches behind the end, or the file is cut short: take \
     another copy, and check the disk and the way it came here.";
const CHANGED: &str = "bytes have changed since the server wrote the file, and servers refuse it (unless started \
     with rdbchecksum no, which loads the damage): take another copy, and check the disk and the \
     way it came here.";
const REPEATS: &str = "where records should be, the same bytes repeat: what a power cut, a disk or a copy left of them. \
     Take another copy; rdbtool repair --salvage --dry-run tells what can be had of this one.";
const WRITTEN_SO: &str = "the checksum is right, so these are the bytes that were written: the data was damaged in the \
     server's memory, or software other than a server wrote it. Another copy of the same dump \
     will not help; an older dump may.";
const NEWER: &str =
    "the checksum is right, so a newer or changed server wrote this; look for a newer rdbtool.";
const REFUSED: &str = "servers stop while loading this file, although redis-check-rdb passes it.";
const NO_CHECKSUM: &str = "switch checksums on (rdbchecksum yes) where this was written: without one, changed bytes \
     inside a value go unnoticed.";
const BACKLEN: &str = "Redis 8.8 and Valkey 9.1 refuse this file; every older server loads it.";

/// Sentences, the most important first.
pub(crate) fn advice(report: &Report) -> Vec<String> {
    let codes: BTreeSet<Code> = report.findings.iter().map(|finding| finding.code).collect();
    let has = |wanted: &[Code]| wanted.iter().any(|code| codes.contains(code));
    let mut lines: Vec<String> = damage(report, &codes).map(str::to_owned).into_iter().collect();
    let mut add = |when: bool, line: &str| when.then(|| lines.push(line.to_owned()));
    add(has(&[Code::DupKey, Code::DupFunction, Code::DbRange, Code::DbInvalid]), REFUSED);
    let errors = codes.iter().any(|code| code.severity() == Severity::Error);
    add(has(&[Code::RdbCrcDisabled]) && !errors, NO_CHECKSUM);
    add(has(&[Code::LpBacklenWide]), BACKLEN);
    if let Behind::Commands(_) = report.behind() {
        let at = facts::offset(report.outcome.end);
        lines.push(format!(
            "this is an AOF whose RDB part ends at {at}; rdbtool aof check reads the commands \
             behind it as well."
        ));
    }
    lines
}

/// How the damage came about, as far as its traces tell.
fn damage(report: &Report, codes: &BTreeSet<Code>) -> Option<&'static str> {
    let has = |wanted: &[Code]| wanted.iter().any(|code| codes.contains(code));
    let errors = codes.iter().filter(|code| code.severity() == Severity::Error).count();
    let checksum = report.outcome.checksum;
    if has(&[Code::RdbEmptyFile, Code::RdbMagic]) {
        Some(NO_RDB)
    } else if checksum == Checksum::Ok {
        match errors {
            0 => None,
            _ if has(&[Code::RdbOpcode]) => Some(NEWER),
            _ => Some(WRITTEN_SO),
        }
    } else if has(&[Code::RdbRepeats]) {
        Some(REPEATS)
    } else if has(&[Code::RdbNoEof, Code::RdbTruncated]) {
        Some(if errors == 1 { CUT } else { CUT_OR_CHANGED })
    } else if has(&[Code::RdbCrc]) || (errors > 0 && checksum == Checksum::Unknown) {
        Some(CHANGED)
    } else {
        None
    }
}
