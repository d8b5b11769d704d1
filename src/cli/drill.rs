//! `rdbtool drill`: does the data survive?

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};

use super::Exit;
use super::args::Common;
use super::drill_path::PathArgs;
use super::help::Page;
use super::session::{Log, Session};
use crate::drill::{Options, Policy, SCENARIOS, run};
use crate::error::Error;
use crate::report::drill::text;
use crate::report::drill_json::{FIELDS, line};
use crate::report::drill_path_json as path_json;

/// Examples and exit status.
pub(crate) const PAGE: Page = Page {
    examples: &[
        ("rdbtool drill", "Does the store keep what it promises?"),
        ("rdbtool drill --runs 10000 --policy always,everysec", "The same, for longer."),
        ("rdbtool drill --seed 17 --runs 1 --scenario anything --policy no", "One run again."),
        (
            "rdbtool drill /var/lib/redis",
            "What would a crash of this server cost, and how long does it take to come back?",
        ),
        (
            "rdbtool drill appendonlydir --json | jq '.crashes[] | select(.refuses > 0)'",
            "After which crashes does the server not start?",
        ),
    ],
    exit: &[
        ("0", "Every promise was kept; with PATH, every recovery gave what was foretold."),
        ("1", "One was broken; the run that shows it is named."),
        (
            "2",
            "Wrong usage, or the files of PATH cannot be read, hold no AOF, or are damaged already.",
        ),
    ],
    json: &[FIELDS, path_json::FIELDS],
};

/// Drill crashes of a store, or of the AOF at hand
///
/// Without PATH, the store of serve --dir is run in a simulation in which the clock, the order of work and the
/// disk are what a seed makes of them: power that goes while commands, snapshots and rewrites are written, at
/// each of their steps if that is what is drilled, disks that tear writes, fill up, fail or lag, processes that
/// are killed. After each crash it starts from every disk that may be left, or a sample, and what came back is
/// held against what clients had been told. Nothing is written to the disk of this machine.
///
/// Promised are: with always, that nothing acknowledged is lost; with everysec, no more than the writes of one
/// second, or of two on a disk that takes seconds for a sync; with no, nothing that was on the disk, or of a
/// process that is killed, that was written; with snapshots, not the last one that was done. And always that
/// the data is that after some command: nothing in between is missing, no transaction is there in part. Only
/// of NULs that a disk leaves in the middle of one long value nothing is promised: an AOF has no checksum, and
/// to every loader they are part of the value (rdbtool-seal(1) sees them).
///
/// The table counts writes for every disk that a crash left. The worst loss is that of one crash, in time from
/// the first write that is gone to the last that was acknowledged.
///
/// With PATH, an AOF or the data folder of a server: the file that is being written is the only one that a
/// crash tears. It is cut behind every command and inside of it (or at --runs places of it, and always at the
/// last and the worst), with and without the NULs that a power cut leaves, and told is what a server would make
/// of each, what is lost at worst, how long recoveries take, and, by the timestamps in the log, what each
/// policy of fsync may lose. Nothing is written.
#[derive(Debug, Args)]
#[command(after_help = PAGE.after_help())]
pub(crate) struct DrillArgs {
    /// An AOF, its manifest or folder, or the data folder of a server. Without, the store is drilled.
    #[arg(value_name = "PATH", conflicts_with_all = ["scenario", "policy", "disk_lies"])]
    path: Option<PathBuf>,

    /// The first seed. The same seed gives the same runs.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Runs of each row of the table, each with the next seed: 50, unless this says otherwise. With PATH, how
    /// many places of the log: 10000.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    runs: Option<u64>,

    /// What happens. May be repeated, or a list with commas; the default is all of it.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = scenarios())]
    scenario: Vec<String>,

    /// How the data is kept: appendfsync of an AOF, or snapshots alone. May be repeated, or a list with commas.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = policies())]
    policy: Vec<String>,

    /// Let the disk say that it has synced when it has not: promises are broken then, and it is seen.
    #[arg(long)]
    disk_lies: bool,

    #[command(flatten)]
    of: PathArgs,

    #[command(flatten)]
    common: Common,
}

/// Runs of a row, unless it is told how many.
const RUNS: u64 = 50;

fn scenarios() -> PossibleValuesParser {
    let values = SCENARIOS.iter();
    PossibleValuesParser::new(
        values.map(|scenario| PossibleValue::new(scenario.name).help(scenario.what)),
    )
}

fn policies() -> PossibleValuesParser {
    PossibleValuesParser::new(Policy::ALL.map(Policy::as_str))
}

impl DrillArgs {
    /// Drills.
    pub(crate) fn run(self, log: &Log) -> anyhow::Result<Exit> {
        if let Some(path) = &self.path {
            return self.of.run(path, self.runs, self.seed, &self.common);
        }
        let is_named = |policy: &Policy| self.policy.iter().any(|name| name == policy.as_str());
        let options = Options {
            seed: self.seed,
            runs: self.runs.unwrap_or(RUNS),
            jobs: self.common.jobs(),
            scenarios: self.scenario,
            policies: Policy::ALL.into_iter().filter(is_named).collect(),
            disk_lies: self.disk_lies,
        };
        let mut session = Session::new(&self.common, log, &[])?;
        let report = run(&options);
        if report.rows.is_empty() {
            let text = "none of these scenarios is about one of these policies";
            anyhow::bail!(Error::Usage(text.to_owned()));
        }
        if self.common.json {
            line(&mut session.out, &report)?;
        } else {
            text(&mut session.out, &report, self.common.quiet, &session.screen)?;
        }
        session.note(if report.is_kept() { Exit::Clean } else { Exit::Look });
        session.close()
    }
}
