//! What to do about an AOF, for whoever reads the report in the middle of the night.

use std::collections::BTreeSet;

use crate::finding::Code;
use crate::job::check_aof::Report;
use crate::job::check_set;

const NULS: &str = "a power cut or crash left NULs where commands should be: what the server had not yet \
     synced is lost. No server starts with them; rdbtool repair --in-place cuts them off.";
const TORN: &str = "before any server starts with it, cut this file before its open MULTI, as rdbtool repair \
     --in-place does: a server would leave the MULTI in the file and lose later writes.";
const OPEN: &str = "the last transaction has no end, and no server runs it: it cuts the file there, as rdbtool \
     repair --in-place does, which saves what it cuts off.";
const STAMP: &str = "before any server starts with it, cut off the last, unfinished annotation, as rdbtool \
     repair --in-place does: a server would write on behind it, on the same line, and not start again.";
const CUT_OFF: &str = "the end is missing: a crash, a full disk, or a copy made while the server wrote. A server \
     cuts the rest off by itself (aof-load-truncated yes); rdbtool repair --in-place does so and saves it.";
const STOPS: &str = "servers stop at the damage, and redis-check-aof --fix would cut off all that is behind it: \
     keep this file as it is, and ask rdbtool repair --salvage --dry-run what can be had back.";
const COMMANDS: &str = "servers refuse this file, although redis-check-aof passes it: a damaged name, or a command \
     of a newer server or a module.";
const OPTIONS: &str = "servers load this file, log an error where a command has options that none takes, and go on \
     without it: it may be two commands, with what was between them gone. rdbtool repair --salvage \
     --dry-run lists what is suspect.";
const NOT_LAST: &str = "do not start a server with this: it would cut the damaged file on the disk, and then refuse \
     to start, because other files follow. rdbtool repair --dry-run tells what there is to choose.";
const NO_MANIFEST: &str = "do not start a server with this: it would start empty, and append to files that are \
     there. Bring the manifest back, from a copy or by hand: a line for the base, then one for each \
     incr file in the order of their numbers, as aof(5) shows.";
const MISSING: &str = "bring the missing files back, from a copy; no server starts without them.";

/// What to do about an AOF, the most important first.
pub(crate) fn aof_advice(report: &Report) -> Vec<String> {
    one(report).map(str::to_owned).into_iter().collect()
}

/// What to do about an AOF of several files.
pub(crate) fn set_advice(report: &check_set::Report) -> Vec<String> {
    let codes: BTreeSet<Code> = report.own_findings().map(|finding| finding.code).collect();
    let own = [
        (Code::AofNoManifest, NO_MANIFEST),
        (Code::AofFileMissing, MISSING),
        (Code::AofNotLast, NOT_LAST),
    ];
    let mut advice: Vec<&str> = Vec::new();
    advice.extend(own.into_iter().filter(|(code, _)| codes.contains(code)).map(|(_, text)| text));
    if !codes.contains(&Code::AofNotLast) {
        let parts = report.parts.iter().filter_map(|part| one(&part.report));
        parts.for_each(|text| {
            if !advice.contains(&text) {
                advice.push(text);
            }
        });
    }
    advice.into_iter().map(str::to_owned).collect()
}

fn one(report: &Report) -> Option<&'static str> {
    let codes: BTreeSet<Code> = report.findings.iter().map(|finding| finding.code).collect();
    let has = |wanted: &[Code]| wanted.iter().any(|code| codes.contains(code));
    let torn = has(&[Code::AofMultiOpen]) && has(&[Code::AofTruncated]);
    let ends = [Code::AofFormat, Code::AofLength, Code::AofNulHole, Code::AofDupBlock];
    let rows = [
        (has(&[Code::AofNulTail]), NULS),
        (has(&ends), STOPS),
        (torn || has(&[Code::AofMultiTorn]), TORN),
        (has(&[Code::AofMultiOpen]), OPEN),
        (has(&[Code::AofAnnotationTorn]), STAMP),
        (has(&[Code::AofTruncated]), CUT_OFF),
        (has(&[Code::AofUnknownCommand, Code::AofArgc]), COMMANDS),
        (has(&[Code::AofSyntax]), OPTIONS),
    ];
    rows.into_iter().find_map(|(is_so, text)| is_so.then_some(text))
}
