//! What to do about a file, for whoever reads the report in the middle of the night.

use std::collections::BTreeSet;

use super::facts;
use crate::finding::{Code, Severity};
use crate::job::behind::Behind;
use crate::job::check::Report;
use crate::rdb::skim::Checksum;

/// Sentences, the most important first.
pub(crate) fn advice(report: &Report) -> Vec<String> {
    let codes: BTreeSet<Code> = report.findings.iter().map(|finding| finding.code).collect();
    let has = |wanted: &[Code]| wanted.iter().any(|code| codes.contains(code));
    let errors = codes.iter().any(|code| code.severity() == Severity::Error);
    let mut lines = Vec::new();
    let mut add = |line: &str| lines.push(line.to_owned());
    if has(&[Code::RdbEmptyFile, Code::RdbMagic]) {
        add(
            "this is no RDB, or its first bytes are gone; look for the right file, or another copy.",
        );
    } else if has(&[Code::RdbNoEof, Code::RdbTruncated]) && !whole(report) {
        add(
            "the file is cut short: fetch it again from where it came from, or take another copy. \
             A copy that stopped half-way and a full disk are the usual reasons.",
        );
    } else if has(&[Code::RdbCrc]) || (errors && report.outcome.checksum == Checksum::Unknown) {
        add("bytes have changed since the server wrote the file, and servers refuse it (unless \
             started with rdbchecksum no, which loads the damage): take another copy, and check \
             the disk and the way it came here.");
    } else if errors && report.outcome.checksum == Checksum::Ok {
        add(
            "the checksum is right, so these bytes are what the server wrote: the data was damaged \
             in its memory, or the file comes from software other than a server. Another copy of \
             the same dump will not help; an older dump may.",
        );
    }
    if has(&[Code::DupKey, Code::DupFunction, Code::DbRange, Code::DbInvalid]) {
        add("servers stop while loading this file, although redis-check-rdb passes it.");
    }
    if has(&[Code::RdbOpcode]) && report.outcome.checksum == Checksum::Ok {
        add(
            "the checksum is right, so a newer or changed server wrote this file; look for a newer \
             rdbtool.",
        );
    }
    if has(&[Code::RdbCrcDisabled]) && !errors {
        add("switch checksums on (rdbchecksum yes) where this was written: without one, changed \
             bytes inside a value go unnoticed.");
    }
    if has(&[Code::LpBacklenWide]) {
        add("Redis 8.8 and Valkey 9.1 refuse this file; every older server loads it.");
    }
    if let Behind::Commands(_) = report.behind() {
        let at = facts::offset(report.outcome.end);
        lines.push(format!(
            "this is an AOF whose RDB part ends at {at}; the commands behind it are not read by \
             this version: redis-check-aof tells about them."
        ));
    }
    lines
}

/// Whether the checksum at the very end vouches for a file that we cannot read to its end.
fn whole(report: &Report) -> bool {
    report.outcome.checksum == Checksum::Ok
}
