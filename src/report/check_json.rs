//! What `check --json` says of a file.

use serde::Serialize;

use super::facts::File;
use super::facts_json::{DbJson, FileJson, databases};
use super::json::Bytes;
use super::prospect::ProspectJson;
use crate::finding::{Excerpt, Finding};
use crate::job::check::Report;
use crate::job::repair_rdb::plan::Plan;
use crate::job::target::Target;
use crate::rdb::types::TYPES;

/// Fields beside those of every report, for the manual.
pub(crate) const FIELDS: &[(&str, &str)] = &[
    ("verdict", "ok, unverified, warnings or damaged."),
    ("keys", "Keys that were checked."),
    ("databases", "Array of {db, keys, expires, expired}."),
    (
        "findings",
        "Array of {code, severity, offset, len, expected, found, message}, in the order of their \
         offsets. A finding about a key also has {db, key, type, rdb_type}, one inside a compressed \
         string {inside}, the position in the expanded bytes, and where they were at hand {hex: \
         {offset, bytes}}, the bytes around it.",
    ),
    ("dropped", "Findings beyond --max-findings."),
    (
        "targets",
        "Array of {target, loads, reasons, doubts}: whether a server named with --target loads the \
         file, why not, and what damage it would load.",
    ),
    (
        "repair",
        "{recovery (strict, tail, salvage), summary, healing, kept_keys, suspect_keys, lost_bytes}: what \
         rdbtool-repair(1) could do about damage, and with which --recovery; for a file of at most \
         256 MiB.",
    ),
];

/// One object a file.
#[derive(Debug, Serialize)]
pub(crate) struct CheckJson<'a> {
    #[serde(flatten)]
    file: FileJson<'a>,
    verdict: &'static str,
    keys: u64,
    databases: Vec<DbJson>,
    findings: Vec<FindingJson<'a>>,
    /// Findings beyond `--max-findings`.
    dropped: u64,
    /// What the servers asked for would do.
    targets: Vec<TargetJson<'a>>,
    /// What a repair could do.
    #[serde(skip_serializing_if = "Option::is_none")]
    repair: Option<ProspectJson<'a>>,
}

impl<'a> CheckJson<'a> {
    /// Of a report.
    pub(crate) fn new(
        file: &File<'a>,
        report: &'a Report,
        targets: &'a [Target],
        prospect: Option<&'a Plan>,
    ) -> Self {
        CheckJson {
            file: FileJson::new(file, &report.facts, &report.outcome, report.behind()),
            verdict: report.verdict().as_str(),
            keys: report.facts.keys().keys,
            databases: databases(&report.facts),
            findings: report.findings.iter().map(FindingJson::new).collect(),
            dropped: report.findings.dropped(),
            targets: targets.iter().map(TargetJson::new).collect(),
            repair: prospect.map(ProspectJson::new),
        }
    }
}

/// One finding.
#[derive(Debug, Serialize)]
pub(crate) struct FindingJson<'a> {
    code: &'static str,
    severity: &'static str,
    offset: u64,
    len: u64,
    /// Position in the expanded string, when offset and len are those of a compressed one.
    #[serde(skip_serializing_if = "Option::is_none")]
    inside: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    db: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Bytes<'a>>,
    /// TYPE's word.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    type_name: Option<&'static str>,
    /// The row of the RDB's type table.
    #[serde(skip_serializing_if = "Option::is_none")]
    rdb_type: Option<&'static str>,
    expected: &'a str,
    found: &'a str,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hex: Option<HexJson>,
}

impl<'a> FindingJson<'a> {
    /// Of a finding.
    pub(crate) fn new(finding: &'a Finding) -> Self {
        let place = finding.key.as_ref();
        let row = place.and_then(|place| TYPES.iter().find(|row| row.name == place.type_name));
        FindingJson {
            code: finding.code.as_str(),
            severity: finding.severity().as_str(),
            offset: finding.span.start,
            len: finding.span.end.saturating_sub(finding.span.start),
            inside: finding.inside,
            db: place.map(|place| place.db),
            key: place.map(|place| Bytes(&place.key)),
            type_name: row.map(|row| row.data.as_str()),
            rdb_type: row.map(|row| row.name),
            expected: &finding.expected,
            found: &finding.found,
            message: finding.code.about(),
            hex: finding.excerpt.as_ref().map(HexJson::new),
        }
    }
}

/// What a server would do.
#[derive(Debug, Serialize)]
pub(crate) struct TargetJson<'a> {
    target: &'static str,
    loads: bool,
    /// Why it would not load the file.
    reasons: &'a [String],
    /// Damage that it would load.
    doubts: &'a [String],
}

impl<'a> TargetJson<'a> {
    pub(crate) fn new(target: &'a Target) -> Self {
        let Target { release, reasons, doubts } = target;
        TargetJson { target: release.name, loads: target.loads(), reasons, doubts }
    }
}

/// Bytes around a finding.
#[derive(Debug, Serialize)]
struct HexJson {
    offset: u64,
    bytes: String,
}

impl HexJson {
    fn new(excerpt: &Excerpt) -> Self {
        let bytes = excerpt.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        HexJson { offset: excerpt.offset, bytes }
    }
}
