//! `drill --json`: one object.

use std::io::{self, Write};

use serde::Serialize;

use super::json;
use crate::drill::{Report, Row};

/// Fields of `--json`, for the manual.
pub(crate) const FIELDS: &[(&str, &str)] = &[
    ("seed", "That of the first runs."),
    ("disk_lies", "Whether the disk said that it had synced, and had not."),
    ("kept", "Whether every promise was."),
    (
        "scenarios",
        "Array of {scenario, what, policy, promise, runs, crashes, acknowledged, came_back, lost, \
         worst_lost_writes, worst_lost_ms, rewrites, snapshots, refused, stopped, kept, broken_runs, broken}. \
         crashes are disks that stores were started from, and writes are counted for each of them; \
         worst_lost_ms is the time from the first write that was lost to the last; refused are starts, and \
         stopped stores that ended by themselves. broken is null, or {seed, why} of the first such run.",
    ),
];

#[derive(Debug, Serialize)]
struct ReportJson<'a> {
    seed: u64,
    disk_lies: bool,
    kept: bool,
    scenarios: Vec<RowJson<'a>>,
}

#[derive(Debug, Serialize)]
struct RowJson<'a> {
    scenario: &'static str,
    what: &'static str,
    policy: &'static str,
    promise: String,
    runs: u64,
    crashes: u64,
    acknowledged: u64,
    came_back: u64,
    lost: u64,
    worst_lost_writes: u64,
    worst_lost_ms: i64,
    rewrites: u64,
    snapshots: u64,
    refused: u64,
    stopped: u64,
    kept: bool,
    broken_runs: u64,
    broken: Option<BrokenJson<'a>>,
}

#[derive(Debug, Serialize)]
struct BrokenJson<'a> {
    seed: u64,
    why: &'a str,
}

/// The object.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn line(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let scenarios = report.rows.iter().map(row).collect();
    let Report { seed, disk_lies, .. } = *report;
    json::line(out, &ReportJson { seed, disk_lies, kept: report.is_kept(), scenarios })
}

fn row(row: &Row) -> RowJson<'_> {
    let tally = &row.tally;
    let broken = row.broken.as_ref();
    RowJson {
        scenario: row.scenario.name,
        what: row.scenario.what,
        policy: row.policy.as_str(),
        promise: row.scenario.promise(row.policy),
        runs: tally.runs,
        crashes: tally.crashes,
        acknowledged: tally.acknowledged,
        came_back: tally.acknowledged - tally.lost,
        lost: tally.lost,
        worst_lost_writes: tally.worst.writes,
        worst_lost_ms: tally.worst.span_ms,
        rewrites: tally.rewrites,
        snapshots: tally.snapshots,
        refused: tally.refused,
        stopped: tally.stopped,
        kept: row.breaks == 0,
        broken_runs: row.breaks,
        broken: broken.map(|broken| BrokenJson { seed: broken.seed, why: &broken.why }),
    }
}
