//! What `check --json` says of AOFs.

use serde::Serialize;

use super::aof_prospect::AofProspectJson;
use super::check_json::{CheckJson, FindingJson, TargetJson};
use super::facts::File;
use super::json::Bytes;
use crate::finding::Finding;
use crate::job::check_aof::Report;
use crate::job::check_set;
use crate::job::repair_aof::plan::Plan;
use crate::job::target::Target;

/// Fields of the objects for AOFs, for the manual.
pub(crate) const FIELDS: &[(&str, &str)] = &[
    ("format", "aof; aof-set for an AOF of several files, whose file is the manifest."),
    (
        "valid_up_to",
        "Of an AOF: the offset behind its last sound command that is in no open transaction.",
    ),
    (
        "commands, transactions, annotations",
        "Of an AOF: how many there are. MULTI, EXEC and SELECT are commands too.",
    ),
    ("first_time, last_time", "Of an AOF: its first and last timestamp, Unix seconds, or null."),
    ("databases", "Of an AOF: array of {db, commands}, MULTI, EXEC and SELECT not counted."),
    (
        "names",
        "Of an AOF: array of {name, count, offset}, which commands there are, and where first.",
    ),
    ("open_transaction", "Of an AOF: {offset, commands} of one that does not end, or null."),
    ("unread", "Of an AOF: {offset, len} of bytes that cannot be placed, or null."),
    ("preamble", "Of an AOF: the RDB it begins with, as an object of its own, or null."),
    (
        "parts",
        "Of an AOF of several files: an object as for an AOF for each file that a server loads, with \
         {kind, seq} from the manifest.",
    ),
    (
        "repair",
        "Of a damaged AOF {recovery, summary, changes, kept_commands, suspect_commands, lost}: what \
         rdbtool-repair(1) could do, and with which --recovery; for at most 256 MiB.",
    ),
    ("orphans, temps", "Of an AOF of several files: array of {file, size}, files of no use."),
];

/// One object a file.
#[derive(Debug, Serialize)]
pub(crate) struct AofJson<'a> {
    file: Bytes<'a>,
    format: &'static str,
    compression: Option<&'static str>,
    #[serde(flatten)]
    body: Body<'a>,
    /// What the servers asked for would do.
    targets: Vec<TargetJson<'a>>,
    /// What a repair could do.
    #[serde(skip_serializing_if = "Option::is_none")]
    repair: Option<AofProspectJson<'a>>,
}

#[derive(Debug, Serialize)]
struct Body<'a> {
    size: u64,
    verdict: &'static str,
    valid_up_to: u64,
    commands: u64,
    transactions: u64,
    annotations: u64,
    first_time: Option<i64>,
    last_time: Option<i64>,
    databases: Vec<DbJson>,
    names: Vec<NameJson>,
    open_transaction: Option<MultiJson>,
    unread: Option<SpanJson>,
    preamble: Option<CheckJson<'a>>,
    findings: Vec<FindingJson<'a>>,
    dropped: u64,
}

#[derive(Debug, Serialize)]
struct DbJson {
    db: u64,
    commands: u64,
}

#[derive(Debug, Serialize)]
struct NameJson {
    name: &'static str,
    count: u64,
    offset: u64,
}

#[derive(Debug, Serialize)]
struct MultiJson {
    offset: u64,
    commands: u64,
}

#[derive(Debug, Serialize)]
struct SpanJson {
    offset: u64,
    len: u64,
}

impl<'a> AofJson<'a> {
    /// Of a report.
    pub(crate) fn new(
        file: &File<'a>,
        report: &'a Report,
        targets: &'a [Target],
        prospect: Option<&'a Plan>,
    ) -> Self {
        AofJson {
            file: Bytes(file.path.as_os_str().as_encoded_bytes()),
            format: "aof",
            compression: file.compression.map(|compression| compression.as_str()),
            body: Body::new(file, report),
            targets: targets.iter().map(TargetJson::new).collect(),
            repair: prospect.map(AofProspectJson::new),
        }
    }
}

impl<'a> Body<'a> {
    fn new(file: &File<'a>, report: &'a Report) -> Self {
        let databases = report.databases.iter();
        let names = report.names.iter().map(|(name, named)| NameJson {
            name,
            count: named.met.count,
            offset: named.met.first,
        });
        let open = report.open_multi();
        let unread = report.unread();
        Body {
            size: report.size,
            verdict: report.verdict().as_str(),
            valid_up_to: report.valid_up_to,
            commands: report.commands,
            transactions: report.transactions,
            annotations: report.annotations,
            first_time: report.timestamps.map(|(first, _)| first),
            last_time: report.timestamps.map(|(_, last)| last),
            databases: databases.map(|(&db, &commands)| DbJson { db, commands }).collect(),
            names: names.collect(),
            open_transaction: open
                .map(|multi| MultiJson { offset: multi.offset, commands: multi.commands }),
            unread: unread.map(|span| SpanJson { offset: span.start, len: span.end - span.start }),
            preamble: report.preamble.as_ref().map(|rdb| CheckJson::new(file, rdb, &[], None)),
            findings: report.findings.iter().map(FindingJson::new).collect(),
            dropped: report.findings.dropped(),
        }
    }
}

/// One object an AOF of several files.
#[derive(Debug, Serialize)]
pub(crate) struct SetJson<'a> {
    file: Bytes<'a>,
    format: &'static str,
    verdict: &'static str,
    parts: Vec<PartJson<'a>>,
    orphans: Vec<LooseJson<'a>>,
    temps: Vec<LooseJson<'a>>,
    findings: Vec<FindingJson<'a>>,
    targets: Vec<TargetJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repair: Option<AofProspectJson<'a>>,
}

#[derive(Debug, Serialize)]
struct PartJson<'a> {
    file: Bytes<'a>,
    kind: &'static str,
    seq: i64,
    #[serde(flatten)]
    body: Body<'a>,
}

#[derive(Debug, Serialize)]
struct LooseJson<'a> {
    file: Bytes<'a>,
    size: u64,
}

impl<'a> SetJson<'a> {
    /// Of a report.
    pub(crate) fn new(
        file: &File<'a>,
        report: &'a check_set::Report,
        targets: &'a [Target],
        prospect: Option<&'a Plan>,
    ) -> Self {
        let loose = |list: &'a [(std::ffi::OsString, u64)]| -> Vec<LooseJson<'a>> {
            let one = |(name, size): &'a (std::ffi::OsString, u64)| LooseJson {
                file: Bytes(name.as_encoded_bytes()),
                size: *size,
            };
            list.iter().map(one).collect()
        };
        let parts = report.parts.iter().map(|part| PartJson {
            file: Bytes(part.name.as_encoded_bytes()),
            kind: part.kind.as_str(),
            seq: part.seq,
            body: Body::new(&File { path: part.name.as_ref(), ..*file }, &part.report),
        });
        let findings: Vec<&'a Finding> = report.own_findings().collect();
        SetJson {
            file: Bytes(file.path.as_os_str().as_encoded_bytes()),
            format: "aof-set",
            verdict: report.verdict().as_str(),
            parts: parts.collect(),
            orphans: loose(&report.set.orphans),
            temps: loose(&report.set.temps),
            findings: findings.into_iter().map(FindingJson::new).collect(),
            targets: targets.iter().map(TargetJson::new).collect(),
            repair: prospect.map(AofProspectJson::new),
        }
    }
}
