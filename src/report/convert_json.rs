//! What `convert --json` says of a file.

use serde::Serialize;

use super::check_json::FindingJson;
use super::convert::Conversion;
use super::facts_json::FileJson;
use super::json::Bytes;
use crate::job::behind::Behind;
use crate::job::convert::{Lost, Read, Report, What};

/// Fields beside those of every report, for the manual.
pub(crate) const FIELDS: &[(&str, &str)] = &[
    (
        "inputs",
        "Array of {file, format}: rdb, jsonl, or aof with its commands {applied, failed, skipped}. Where there is one \
         input and it is an RDB, the fields above tell of it.",
    ),
    ("output", "The new file or folder."),
    (
        "outcome",
        "converted, not written (for a loss that was not agreed to) or damaged (the source).",
    ),
    ("target", "The server it is for; absent of text."),
    ("target_rdb_version", "Its RDB version; absent of text."),
    ("keys", "Keys written."),
    ("expires", "Of them, with an expire time."),
    ("databases", "Array of the databases written to."),
    ("encoded", "Keys whose value was encoded anew; the others' bytes are as they were."),
    ("expired", "Keys left out by --drop-expired."),
    ("filtered", "Keys not selected."),
    ("twice", "Keys left out because another input has them too."),
    (
        "empty",
        "Keys left out of commands because they are collections of no elements, which servers pass over in an \
         RDB.",
    ),
    ("lost", "Keys left out because the target cannot hold them."),
    ("output_size", "Bytes of the new file."),
    ("aux_left_out", "Array of AUX fields that were not carried over."),
];

/// What is lost or in the way, for the manual.
pub(crate) const LOSSES: &[(&str, &str)] = &[
    (
        "losses",
        "Array of {loss, offset, whole}, with {db, key, type} of the key it is about: what the target \
         cannot hold, and whether the whole key is left out. Of JSON Lines the offset is not exact.",
    ),
    ("loss_counts", "Object of loss and how often it was met, those beyond --max-findings too."),
    (
        "usual",
        "Array of those losses that the server's own rewrite has too: they need no consent, and the exit \
         status does not tell of them.",
    ),
    ("damage", "Array of findings, as check has them: what keeps the source from being converted."),
];

/// One object a file.
#[derive(Debug, Serialize)]
pub(crate) struct ConvertJson<'a> {
    #[serde(flatten)]
    file: Option<FileJson<'a>>,
    inputs: Vec<InputJson<'a>>,
    output: Bytes<'a>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_rdb_version: Option<u16>,
    keys: u64,
    expires: u64,
    databases: Vec<u64>,
    encoded: u64,
    expired: u64,
    filtered: u64,
    twice: u64,
    empty: u64,
    lost: u64,
    output_size: u64,
    #[serde(flatten)]
    losses: LossesJson<'a>,
    aux_left_out: Vec<Bytes<'a>>,
}

/// What is lost or in the way.
#[derive(Debug, Serialize)]
pub(crate) struct LossesJson<'a> {
    losses: Vec<LostJson<'a>>,
    loss_counts: std::collections::BTreeMap<&'static str, u64>,
    usual: Vec<&'static str>,
    damage: Vec<FindingJson<'a>>,
}

impl<'a> LossesJson<'a> {
    /// Of a conversion.
    pub(crate) fn new(report: &'a Report) -> LossesJson<'a> {
        LossesJson {
            losses: report.lost.iter().map(LostJson::new).collect(),
            loss_counts: report.losses.iter().map(|(loss, n)| (loss.as_str(), *n)).collect(),
            usual: report.usual.iter().map(|loss| loss.as_str()).collect(),
            damage: report.damage.iter().map(FindingJson::new).collect(),
        }
    }
}

#[derive(Debug, Serialize)]
struct InputJson<'a> {
    file: Bytes<'a>,
    format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    commands: Option<CommandsJson>,
}

#[derive(Debug, Serialize)]
struct CommandsJson {
    applied: u64,
    failed: u64,
    skipped: u64,
}

impl<'a> InputJson<'a> {
    fn new(read: &'a Read) -> InputJson<'a> {
        let (format, commands) = match read.what {
            What::Rdb(..) => ("rdb", None),
            What::Lines(..) => ("jsonl", None),
            What::Log { applied, failed, skipped } => {
                ("aof", Some(CommandsJson { applied, failed, skipped }))
            }
        };
        InputJson { file: Bytes(read.path.as_os_str().as_encoded_bytes()), format, commands }
    }
}

#[derive(Debug, Serialize)]
struct LostJson<'a> {
    loss: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    db: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Bytes<'a>>,
    /// The row of the RDB's type table.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    type_name: Option<&'static str>,
    offset: u64,
    whole: bool,
}

impl<'a> LostJson<'a> {
    fn new(lost: &'a Lost) -> LostJson<'a> {
        let place = lost.key.as_ref();
        LostJson {
            loss: lost.loss.as_str(),
            db: place.map(|place| place.db),
            key: place.map(|place| Bytes(&place.key)),
            type_name: place.map(|place| place.type_name),
            offset: lost.offset,
            whole: lost.whole,
        }
    }
}

impl<'a> ConvertJson<'a> {
    /// Of a conversion.
    pub(crate) fn new(conversion: &'a Conversion<'a>) -> ConvertJson<'a> {
        let report = conversion.report;
        let counts = report.counts;
        let file = match report.read.as_slice() {
            [Read { what: What::Rdb(rdb), .. }] => {
                let (facts, outcome) = &**rdb;
                Some(FileJson::new(&conversion.file, facts, outcome, Behind::Nothing))
            }
            _ => None,
        };
        ConvertJson {
            file,
            inputs: report.read.iter().map(InputJson::new).collect(),
            output: Bytes(conversion.to.as_os_str().as_encoded_bytes()),
            outcome: conversion.word(),
            target: conversion.target.map(|target| target.release.name),
            target_rdb_version: conversion.target.map(|target| target.version),
            keys: counts.written(),
            expires: counts.expires,
            databases: report.databases.iter().copied().collect(),
            encoded: counts.encoded,
            expired: counts.expired,
            filtered: counts.filtered,
            twice: counts.twice,
            empty: counts.empty,
            lost: counts.lost,
            output_size: if conversion.written { report.size } else { 0 },
            losses: LossesJson::new(report),
            aux_left_out: report.aux_left_out.iter().map(|name| Bytes(name)).collect(),
        }
    }
}
