//! What `replay --json` says of a file.

use std::collections::BTreeMap;

use serde::Serialize;

use super::check_json::FindingJson;
use super::facts::File;
use super::json::Bytes;
use super::replay::Replayed;
use crate::job::look::{KeyInfo, Row, Sum};
use crate::job::replay::Stop;

/// Fields, for the manual.
pub(crate) const FIELDS: &[(&str, &str)] = &[
    ("file", "Its name."),
    ("clean", "Whether all of it was replayed and nothing worse than a note was found."),
    ("applied", "Commands that were run: an object of counts by name."),
    ("failed", "Commands that failed: an object of counts by name."),
    ("skipped", "Commands that nobody could run: an object of counts by name, in quotes."),
    ("unfinished", "Commands of a transaction without an EXEC."),
    ("left_out", "Keys of RDBs that are damaged."),
    ("expired", "Keys that were dropped because their time had come."),
    ("stop", "Why it stopped before the end, {why: until, strict or damage, offset}; or null."),
    ("timestamp", "The last timestamp of the commands, in s; or null."),
    ("keys", "Keys that the store holds."),
    ("databases", "Array of {db, types}; types has {keys, expires, elements, memory} by type."),
    ("functions", "Function libraries."),
    ("memory", "Bytes that the data takes here."),
    ("seconds", "How long it took to replay."),
    ("digest", "DEBUG DIGEST."),
    ("server", "The server whose digest it is."),
    (
        "findings",
        "Array of {code, severity, offset, len, expected, found, message} as rdbtool-check(1) has them, and \
         the file each is in.",
    ),
    ("dropped", "Findings beyond --max-findings."),
    (
        "get",
        "With --get: array of {db, key, type, encoding, elements, expire_at_ms, digest, value}; value is \
         an array of rows, each an array of texts.",
    ),
    ("matching", "With --keys: the same without the values."),
];

/// One object a file.
#[derive(Debug, Serialize)]
pub(crate) struct ReplayJson<'a> {
    file: Bytes<'a>,
    clean: bool,
    applied: BTreeMap<&'a str, u64>,
    failed: BTreeMap<&'a str, u64>,
    skipped: &'a BTreeMap<String, u64>,
    unfinished: u64,
    left_out: u64,
    expired: u64,
    stop: Option<StopJson>,
    timestamp: Option<i64>,
    keys: u64,
    databases: Vec<DbJson<'a>>,
    functions: u64,
    memory: u64,
    seconds: f64,
    digest: &'a str,
    server: String,
    findings: Vec<PlacedJson<'a>>,
    dropped: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    get: Option<Vec<KeyJson<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    matching: Option<Vec<KeyJson<'a>>>,
}

#[derive(Debug, Serialize)]
struct StopJson {
    why: &'static str,
    offset: u64,
}

#[derive(Debug, Serialize)]
struct DbJson<'a> {
    db: u64,
    types: BTreeMap<&'a str, SumJson>,
}

#[derive(Debug, Serialize)]
struct SumJson {
    keys: u64,
    expires: u64,
    elements: u64,
    memory: u64,
}

/// A finding and the file it is in.
#[derive(Debug, Serialize)]
struct PlacedJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<Bytes<'a>>,
    #[serde(flatten)]
    finding: FindingJson<'a>,
}

#[derive(Debug, Serialize)]
struct KeyJson<'a> {
    db: u64,
    key: Bytes<'a>,
    #[serde(rename = "type")]
    type_name: &'a str,
    encoding: &'static str,
    elements: u64,
    expire_at_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    freq: Option<u8>,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Vec<Vec<Bytes<'a>>>>,
}

impl<'a> KeyJson<'a> {
    fn new(info: &'a KeyInfo, rows: Option<&'a [Row]>) -> KeyJson<'a> {
        let row = |row: &'a Row| row.iter().map(|text| Bytes(text)).collect();
        KeyJson {
            db: info.db,
            key: Bytes(&info.key),
            type_name: &info.type_name,
            encoding: info.encoding,
            elements: info.elements,
            expire_at_ms: info.expire_at_ms,
            idle_s: info.idle_s,
            freq: info.freq,
            digest: info.digest.to_string(),
            value: rows.map(|rows| rows.iter().map(row).collect()),
        }
    }
}

impl<'a> ReplayJson<'a> {
    /// Of a replay.
    pub(crate) fn new(file: &File<'a>, replayed: &'a Replayed) -> ReplayJson<'a> {
        let report = &replayed.report;
        let counts = |count: fn(&crate::job::replay::Ran) -> u64| {
            let counts = report.ran.iter().map(|(name, ran)| (*name, count(ran)));
            counts.filter(|(_, n)| *n > 0).collect()
        };
        let got = replayed.got.iter().flat_map(|(_, found)| found);
        let got = got.map(|(info, rows)| KeyJson::new(info, Some(rows))).collect();
        let listed = replayed.listed.as_ref();
        ReplayJson {
            file: Bytes(file.path.as_os_str().as_encoded_bytes()),
            clean: report.is_clean(),
            applied: counts(|ran| ran.applied),
            failed: counts(|ran| ran.failed),
            skipped: &report.skipped,
            unfinished: report.unfinished,
            left_out: report.left_out,
            expired: report.expired,
            stop: report.stop.and_then(stop),
            timestamp: report.timestamp,
            keys: replayed.sum(),
            databases: replayed.dbs.iter().map(database).collect(),
            functions: replayed.functions,
            memory: replayed.memory,
            seconds: replayed.took.as_secs_f64(),
            digest: &replayed.digest,
            server: replayed.server.to_string(),
            findings: findings(replayed),
            dropped: report.dropped(),
            get: (!replayed.got.is_empty()).then_some(got),
            matching: listed.map(|keys| keys.iter().map(|info| KeyJson::new(info, None)).collect()),
        }
    }
}

fn stop(stop: Stop) -> Option<StopJson> {
    let (why, offset) = match stop {
        Stop::Until(offset) => ("until", offset),
        Stop::Strict(offset) => ("strict", offset),
        Stop::Damage(offset) => ("damage", offset),
        Stop::Memory => return None,
    };
    Some(StopJson { why, offset })
}

fn database<'a>((db, types): (&u64, &'a BTreeMap<String, Sum>)) -> DbJson<'a> {
    let sum = |sum: &Sum| SumJson {
        keys: sum.keys,
        expires: sum.expires,
        elements: sum.elements,
        memory: sum.memory,
    };
    DbJson { db: *db, types: types.iter().map(|(name, s)| (name.as_str(), sum(s))).collect() }
}

fn findings(replayed: &Replayed) -> Vec<PlacedJson<'_>> {
    let report = &replayed.report;
    let own = report.findings.iter().map(|finding| (None, finding));
    let inside = report.parts.iter().flat_map(|part| {
        let file = Bytes(part.path.as_os_str().as_encoded_bytes());
        part.findings.iter().map(move |finding| (Some(file), finding))
    });
    let placed = |(file, finding)| PlacedJson { file, finding: FindingJson::new(finding) };
    own.chain(inside).map(placed).collect()
}
