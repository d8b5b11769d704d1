//! `rdbtool drill`: does the data survive?

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};

use super::Exit;
use super::args::Common;
use super::help::Page;
use super::session::{Log, Session};
use crate::drill::{Options, Policy, SCENARIOS, run};
use crate::error::Error;
use crate::report::drill::text;
use crate::report::drill_json::{FIELDS, line};

/// Examples and exit status.
pub(crate) const PAGE: Page = Page {
    examples: &[
        ("rdbtool drill", "Does the store keep what it promises?"),
        ("rdbtool drill --runs 10000 --policy always,everysec", "The same, for longer."),
        ("rdbtool drill --seed 17 --runs 1 --scenario anything --policy no", "One run again."),
    ],
    exit: &[
        ("0", "Every promise was kept."),
        ("1", "One was broken; the run that shows it is named."),
        ("2", "Wrong usage."),
    ],
    json: &[FIELDS],
};

/// Drill crashes of the store
///
/// The store of serve --dir is run in a simulation in which the clock, the order of work and the disk are
/// what a seed makes of them: power that goes while commands, snapshots and rewrites are written, disks that
/// tear writes, fill up or fail. After each crash it starts from what is left, and what came back is held
/// against what clients had been told. Nothing is written to the disk of this machine.
///
/// Promised are: with always, that nothing acknowledged is lost; with everysec, that no more than 2 seconds
/// of writes are; with no, nothing that the kernel had written; with snapshots, the last one or the one that
/// was on its way, whole. And that in all cases the data is that after some command: nothing in between is
/// missing, no transaction is there in part.
#[derive(Debug, Args)]
#[command(after_help = PAGE.after_help())]
pub(crate) struct DrillArgs {
    /// The first seed. The same seed gives the same runs.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Runs of each row of the table, each with the next seed.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    runs: u64,

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
    common: Common,
}

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
        let is_named = |policy: &Policy| self.policy.iter().any(|name| name == policy.as_str());
        let options = Options {
            seed: self.seed,
            runs: self.runs,
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
