//! What to do about an AOF, for whoever reads the report in the middle of the night.

use std::collections::BTreeSet;

use crate::finding::Code;
use crate::job::check_aof::Report;

const NULS: &str = "a power cut or crash left NULs where commands should be: what the server had not yet \
     synced is lost. No server starts with them.";
const TORN: &str = "cut this file before its open MULTI (that is what valid means here) before any server \
     starts with it: a server would leave the MULTI in the file and lose later writes.";
const STAMP: &str = "cut this file before its last, unfinished annotation before any server starts with it: \
     a server would write on behind it, on the same line, and not start again.";
const CUT_OFF: &str = "the end is missing: a crash, a full disk, or a copy made while the server wrote. A server \
     cuts the rest off by itself (aof-load-truncated yes).";
const STOPS: &str = "servers stop at the damage, and redis-check-aof --fix would cut off all that is behind it: \
     keep this file as it is, and look at the bytes first.";
const COMMANDS: &str = "servers refuse this file, although redis-check-aof passes it: a damaged name, or a command \
     of a newer server or a module.";

/// What to do about an AOF, the most important first.
pub(crate) fn aof_advice(report: &Report) -> Vec<String> {
    let codes: BTreeSet<Code> = report.findings.iter().map(|finding| finding.code).collect();
    let has = |wanted: &[Code]| wanted.iter().any(|code| codes.contains(code));
    let open = [Code::AofMultiOpen, Code::AofMultiTorn];
    let ends = [Code::AofFormat, Code::AofLength, Code::AofNulHole, Code::AofDupBlock];
    let advice = if has(&[Code::AofNulTail]) {
        Some(NULS)
    } else if has(&ends) {
        Some(STOPS)
    } else if has(&open) {
        Some(TORN)
    } else if has(&[Code::AofAnnotationTorn]) {
        Some(STAMP)
    } else if has(&[Code::AofTruncated]) {
        Some(CUT_OFF)
    } else if has(&[Code::AofUnknownCommand, Code::AofArgc]) {
        Some(COMMANDS)
    } else {
        None
    };
    advice.map(str::to_owned).into_iter().collect()
}
