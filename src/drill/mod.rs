//! Crash drills: does the data survive what a policy says it does?
//!
//! [`run`] drills the live store ([`crate::store`]) in a simulation: the code that serves, with a clock, an
//! order of work and a disk that a seed decides. The disk is in memory ([`crate::persist::sim`]): what was
//! not synced may be there after a crash, in any order, in part or not at all, the last write torn. A run is
//! a life of a store, or several, with clients that write; at its end comes the crash of a [`Scenario`], the
//! store starts from every disk that is left (or from a sample of them), and what it holds then is held
//! against what clients were told: see [`judge`] for what is promised.
//!
//! The same seed gives the same run, on any machine and with any number of threads.
//!
//! [`files::drill`] drills what is there: the AOF of a user, and what crashes would leave of it.
//!
//! | module | what |
//! |---|---|
//! | [`scenario`] | what happens: the rows of the table |
//! | [`judge`] | what is promised, and whether it was kept |
//! | `trial` | one run of one row: `strike`, `starts`, `anything` |
//! | `habits` | how stores and disks behave |
//! | `life` | a store, its clients and its disk, turn by turn |
//! | `workload` | what clients send |
//! | [`queue`] | work beside the event loop, done when the seed says so |
//! | [`files`] | crashes of an AOF that is there |

mod anything;
pub mod files;
mod habits;
pub mod judge;
mod life;
pub mod queue;
pub mod scenario;
mod starts;
mod strike;
mod trial;
mod workload;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::join;

pub use self::judge::{Crash, Loss, Policy, Promise};
pub use self::scenario::{SCENARIOS, Scenario};
use self::trial::Trial;

/// What is drilled.
#[derive(Debug, Clone)]
pub struct Options {
    /// The seed of the first run of every row; the next run has the next one.
    pub seed: u64,
    /// Runs of every row; fewer where a run tries each of many steps.
    pub runs: u64,
    /// Threads. They change nothing but the time it takes.
    pub jobs: usize,
    /// Names of scenarios; none: all.
    pub scenarios: Vec<String>,
    /// Policies; none: all.
    pub policies: Vec<Policy>,
    /// Whether the disk says that it has synced, and has not. A drill must see that.
    pub disk_lies: bool,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Report {
    /// The seed of the first runs.
    pub seed: u64,
    /// Whether the disk said that it had synced, and had not.
    pub disk_lies: bool,
    /// A row for each scenario and policy.
    pub rows: Vec<Row>,
}

/// A scenario under a policy.
#[derive(Debug, Clone)]
pub struct Row {
    /// What happened.
    pub scenario: &'static Scenario,
    /// How the data is kept.
    pub policy: Policy,
    /// What came of its runs.
    pub tally: Tally,
    /// Runs that broke the promise.
    pub breaks: u64,
    /// The first of them.
    pub broken: Option<Broken>,
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The seed of the run.
    pub seed: u64,
    /// How.
    pub why: String,
}

/// Numbers of some runs. Writes are counted for every disk that a crash left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Runs.
    pub runs: u64,
    /// Disks that crashes left, and stores were started from.
    pub crashes: u64,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Those of them that were gone.
    pub lost: u64,
    /// The worst of all crashes.
    pub worst: Loss,
    /// Rewrites that were done.
    pub rewrites: u64,
    /// Snapshots that were done.
    pub snapshots: u64,
    /// Starts that were refused, with advice.
    pub refused: u64,
    /// Stores that ended by themselves, as they must when a sync fails.
    pub stopped: u64,
}

impl Tally {
    /// Adds those of other runs.
    pub fn add(&mut self, other: &Tally) {
        self.runs += other.runs;
        self.crashes += other.crashes;
        self.acknowledged += other.acknowledged;
        self.lost += other.lost;
        self.worst = self.worst.or_worse(other.worst);
        self.rewrites += other.rewrites;
        self.snapshots += other.snapshots;
        self.refused += other.refused;
        self.stopped += other.stopped;
    }
}

impl Report {
    /// Whether every promise was kept.
    pub fn is_kept(&self) -> bool {
        self.rows.iter().all(|row| row.breaks == 0)
    }
}

/// Drills.
pub fn run(options: &Options) -> Report {
    let mut rows = rows(options);
    let trials: Vec<(usize, Trial)> =
        rows.iter().enumerate().flat_map(|(at, row)| trials(options, at, row)).collect();
    let mut ended: Vec<_> = in_threads(&trials, options.jobs);
    // In the order of the seeds, whoever was first.
    ended.sort_by_key(|(number, _)| *number);
    for (number, (tally, broken)) in ended {
        let Some((at, trial)) = trials.get(number) else { continue };
        let Some(row) = rows.get_mut(*at) else { continue };
        row.tally.add(&tally);
        if let Some(why) = broken {
            row.breaks += 1;
            row.broken.get_or_insert(Broken { seed: trial.seed(), why });
        }
    }
    Report { seed: options.seed, disk_lies: options.disk_lies, rows }
}

fn trials(options: &Options, at: usize, row: &Row) -> Vec<(usize, Trial)> {
    let Row { scenario, policy, .. } = *row;
    let seeds = (0..scenario.runs(options.runs)).map(|number| options.seed.wrapping_add(number));
    seeds.map(|seed| (at, Trial::new(scenario, policy, seed, options.disk_lies))).collect()
}

fn rows(options: &Options) -> Vec<Row> {
    let is_asked = |scenario: &&Scenario| {
        options.scenarios.is_empty() || options.scenarios.iter().any(|name| name == scenario.name)
    };
    let policies = |scenario: &'static Scenario| {
        let is_asked =
            |policy: &&Policy| options.policies.is_empty() || options.policies.contains(policy);
        let row = move |policy: &Policy| Row {
            scenario,
            policy: *policy,
            tally: Tally::default(),
            breaks: 0,
            broken: None,
        };
        scenario.policies.iter().filter(is_asked).map(row).collect::<Vec<_>>()
    };
    SCENARIOS.iter().filter(is_asked).flat_map(policies).collect()
}

/// What came of every trial, by its number, in no order.
fn in_threads(trials: &[(usize, Trial)], jobs: usize) -> Vec<(usize, (Tally, Option<String>))> {
    let next = AtomicUsize::new(0);
    let ended = Mutex::new(Vec::new());
    let worker = || {
        while let number = next.fetch_add(1, Ordering::Relaxed)
            && let Some((_, trial)) = trials.get(number)
        {
            let came = trial.clone().run();
            ended.lock().unwrap_or_else(PoisonError::into_inner).push((number, came));
        }
    };
    join::all((0..jobs.max(1)).map(|_| worker));
    ended.into_inner().unwrap_or_else(PoisonError::into_inner)
}
