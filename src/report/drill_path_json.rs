//! What `drill PATH --json` says.

use std::path::Path;

use serde::Serialize;

use super::json::Bytes;
use crate::drill::files::{Busiest, Recovery, Report, Row};

/// Fields, for the manual.
pub(crate) const FIELDS: &[(&str, &str)] = &[
    ("path", "What was drilled."),
    (
        "files",
        "Array of {path, size}: the files of the AOF, in the order in which they are loaded.",
    ),
    ("server", "The server that starts."),
    ("commands, transactions", "Of the last file."),
    (
        "places, all_places",
        "Records at which a crash was tried, and whether these are all there are.",
    ),
    (
        "crashes",
        "Array of {leaves, tried, starts, cuts, unnoticed, traps, refuses, worst}: leaves is cut, cut-inside, nuls, \
         nuls-inside or page-of-nuls; the next are counts; worst is {commands, bytes, at} or null.",
    ),
    (
        "recoveries",
        "Array of {size, kept, as_foretold, commands, keys, memory, seconds}: the size that a crash left of the \
         last file, up to where it was recovered, and what the store holds then. The last is one without a crash.",
    ),
    (
        "busiest",
        "Array of {seconds, from, commands, bytes}: the most that was written within so many seconds, by the \
         timestamps in the file; empty without.",
    ),
    (
        "snapshot",
        "The RDB beside the AOF: {path, created, keys, missing, differ, deleted, seconds}, or null.",
    ),
];

/// One object.
#[derive(Debug, Serialize)]
pub(crate) struct DrillJson<'a> {
    path: Bytes<'a>,
    files: Vec<FileJson<'a>>,
    server: &'a str,
    commands: u64,
    transactions: u64,
    places: usize,
    all_places: bool,
    crashes: Vec<CrashJson>,
    recoveries: Vec<RecoveryJson>,
    busiest: Vec<BusiestJson>,
    snapshot: Option<SnapshotJson<'a>>,
}

#[derive(Debug, Serialize)]
struct FileJson<'a> {
    path: Bytes<'a>,
    size: u64,
}

#[derive(Debug, Serialize)]
struct CrashJson {
    leaves: &'static str,
    tried: u64,
    starts: u64,
    cuts: u64,
    unnoticed: u64,
    traps: u64,
    refuses: u64,
    worst: Option<WorstJson>,
}

#[derive(Debug, Serialize)]
struct WorstJson {
    commands: u64,
    bytes: u64,
    at: u64,
}

#[derive(Debug, Serialize)]
struct RecoveryJson {
    size: u64,
    kept: u64,
    as_foretold: bool,
    commands: u64,
    keys: u64,
    memory: u64,
    seconds: f64,
}

#[derive(Debug, Serialize)]
struct BusiestJson {
    seconds: i64,
    from: i64,
    commands: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct SnapshotJson<'a> {
    path: Bytes<'a>,
    created: Option<i64>,
    keys: u64,
    missing: u64,
    differ: u64,
    deleted: u64,
    seconds: f64,
}

fn bytes(path: &Path) -> Bytes<'_> {
    use std::os::unix::ffi::OsStrExt;
    Bytes(path.as_os_str().as_bytes())
}

impl<'a> DrillJson<'a> {
    /// Of a report.
    pub(crate) fn new(of: &'a Path, report: &'a Report) -> DrillJson<'a> {
        let crash = |row: &Row| CrashJson {
            leaves: row.crash.as_str(),
            tried: row.tried,
            starts: row.whole,
            cuts: row.cut,
            unnoticed: row.unnoticed,
            traps: row.trap,
            refuses: row.refused,
            worst: row.worst.map(|worst| WorstJson {
                commands: worst.commands,
                bytes: worst.bytes,
                at: worst.at,
            }),
        };
        let recovery = |recovery: &Recovery| RecoveryJson {
            size: recovery.remains.size,
            kept: recovery.kept,
            as_foretold: recovery.as_foretold,
            commands: recovery.commands,
            keys: recovery.keys,
            memory: recovery.memory,
            seconds: recovery.took.as_secs_f64(),
        };
        let busiest = |span: &Busiest| {
            let Busiest { seconds, from, commands, bytes } = *span;
            BusiestJson { seconds, from, commands, bytes }
        };
        let files = report.files.iter();
        DrillJson {
            path: bytes(of),
            files: files.map(|(path, size)| FileJson { path: bytes(path), size: *size }).collect(),
            server: report.release.name,
            commands: report.survey.commands,
            transactions: report.survey.transactions,
            places: report.survey.places.len(),
            all_places: report.survey.is_all,
            crashes: report.rows.iter().map(crash).collect(),
            recoveries: report.recoveries.iter().map(recovery).collect(),
            busiest: report.survey.busiest.iter().map(busiest).collect(),
            snapshot: report.snapshot.as_ref().map(|snapshot| SnapshotJson {
                path: bytes(&snapshot.path),
                created: snapshot.created,
                keys: snapshot.counts.keys.0,
                missing: snapshot.counts.only.1,
                differ: snapshot.counts.differ,
                deleted: snapshot.counts.only.0,
                seconds: snapshot.took.as_secs_f64(),
            }),
        }
    }
}
