//! What happens in a drill: one row a scenario.

use super::judge::{Crash, Policy, Promise};
use crate::persist::sim::fault::FaultKind;

/// Something that can befall a store.
#[derive(Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What happens, in a line.
    pub what: &'static str,
    /// For whom.
    pub policies: &'static [Policy],
    /// How the store ends; of several each is tried.
    pub crashes: &'static [Crash],
    pub(super) store: Traits,
    pub(super) plan: Plan,
    /// What is promised, if it is not what the policy promises.
    pub(super) promise: Option<&'static str>,
}

/// How the store and its disk are, beside what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Traits {
    /// Snapshots are made, whatever keeps the data.
    pub(super) snapshots: bool,
    /// The AOF is rewritten.
    pub(super) rewrites: bool,
    /// A sync takes seconds, not less than a turn of the event loop.
    pub(super) slow: bool,
    /// The disk fills up, and there is room again.
    pub(super) fills: bool,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Lives one after the other, and anything in them.
    Anything,
    /// Something at an operation of a life, or at each of them, one life after the other.
    Strike {
        at: At,
        /// One of these.
        faults: &'static [FaultKind],
        each: bool,
        /// Disks that are tried after each.
        disks: u64,
    },
    /// Nothing but what the disk does by itself.
    Life,
    /// Its end in a turn without a snapshot: before the first of them, or behind it.
    Idle { before: bool },
    /// The power goes, and what was not synced of the AOF is something else.
    Tail(Tail),
    /// The power goes at each operation of a start.
    Start(From),
    /// The store is told to end.
    Shutdown,
}

/// Operations of a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// All.
    Any,
    /// While nothing is under way beside the work.
    Idle,
    /// In a snapshot.
    Saving,
    /// In a rewrite.
    Rewriting,
    /// Those that write.
    Write,
    /// Those that sync.
    Sync,
}

/// What is where the disk should hold what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    Nul,
    Garbage,
}

/// What a start finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// Nothing.
    Nothing,
    /// A dump, of a time when there was no AOF.
    Dump,
    /// What a crash left.
    Crash,
}

const AOF: &[Policy] = &[Policy::Always, Policy::EverySecond, Policy::No];
const SNAPSHOTS: &[Policy] = &[Policy::Snapshots];
const ALL: &[Policy] = &Policy::ALL;
const POWER: &[Crash] = &[Crash::Power];
const KILL: &[Crash] = &[Crash::Kill];
const BOTH: &[Crash] = &[Crash::Power, Crash::Kill];

const PLAIN: Traits = Traits { snapshots: false, rewrites: false, slow: false, fills: false };
const REWRITES: Traits = Traits { rewrites: true, ..PLAIN };

const OFF: &[FaultKind] = &[FaultKind::PowerOff];
/// EIO, said of what was not done or of what was.
const EIO: &[FaultKind] = &[FaultKind::Fails(5), FaultKind::FailsAfter(5)];
/// EIO and ENOSPC.
const ERRORS: &[FaultKind] =
    &[FaultKind::Fails(5), FaultKind::FailsAfter(5), FaultKind::Fails(28), FaultKind::ShortWrite];

/// Disks that are tried after a crash, of which there may be thousands …
const SOME: u64 = 4;
/// … and when they are what it is about.
const MANY: u64 = 20;

/// The end of a store at some operation.
const fn crash(at: At, disks: u64) -> Plan {
    Plan::Strike { at, faults: OFF, each: false, disks }
}

/// The end of a store at each operation, each in a life of its own.
const fn crashes(at: At) -> Plan {
    Plan::Strike { at, faults: OFF, each: true, disks: SOME }
}

/// Something else that goes wrong at some operation.
const fn fault(at: At, faults: &'static [FaultKind], each: bool) -> Plan {
    Plan::Strike { at, faults, each, disks: SOME }
}

const fn row(
    (name, what): (&'static str, &'static str),
    policies: &'static [Policy],
    crashes: &'static [Crash],
    store: Traits,
    plan: Plan,
) -> Scenario {
    Scenario { name, what, policies, crashes, store, plan, promise: None }
}

impl Scenario {
    const fn promising(mut self, promise: &'static str) -> Scenario {
        self.promise = Some(promise);
        self
    }

    /// How many ms of writes `everysec` may lose.
    pub(super) fn span_ms(&self) -> i64 {
        if self.store.slow { 2000 } else { 1000 }
    }

    /// What is promised of it under a policy.
    pub fn promise(&self, policy: Policy) -> String {
        let words = || Promise::words(policy, self.crashes, self.span_ms());
        match (self.promise, self.plan) {
            (Some(promise), _) => promise.to_owned(),
            (None, Plan::Tail(Tail::Garbage)) => format!("refused; cut off: {}", words()),
            (None, _) => words(),
        }
    }

    /// Whether the disk may leave a hole where one write was.
    pub(super) fn leaves_holes(&self) -> bool {
        let in_pieces = match self.plan {
            Plan::Strike { faults, .. } => faults.contains(&FaultKind::ShortWrite),
            Plan::Tail(_) => true,
            _ => false,
        };
        in_pieces || self.store.fills
    }

    /// How many runs do for so many of another: one that tries each of many steps is many.
    pub(super) fn runs(&self, runs: u64) -> u64 {
        match self.plan {
            Plan::Strike { at: At::Saving, each: true, .. } => runs.div_ceil(5),
            _ if self.tries_each() => runs.div_ceil(25),
            _ => runs,
        }
    }

    /// Whether a run tries each of many operations.
    pub(super) fn tries_each(&self) -> bool {
        match self.plan {
            Plan::Strike { each, .. } => each,
            // After a crash a start changes little.
            Plan::Start(from) => from != From::Crash,
            _ => false,
        }
    }
}

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    row(
        ("first-start", "the power goes at each step of the first start, in an empty folder"),
        AOF,
        BOTH,
        PLAIN,
        Plan::Start(From::Nothing),
    )
    .promising("it starts, empty"),
    row(
        ("before-snapshot", "the power goes before the first snapshot is begun"),
        SNAPSHOTS,
        BOTH,
        PLAIN,
        Plan::Idle { before: true },
    )
    .promising("it starts, empty"),
    row(
        ("between-snapshots", "the power goes, or the process is killed, between two snapshots"),
        SNAPSHOTS,
        BOTH,
        PLAIN,
        Plan::Idle { before: false },
    ),
    row(
        ("in-snapshot", "the power goes, or the process is killed, while a snapshot is written"),
        SNAPSHOTS,
        BOTH,
        PLAIN,
        crash(At::Saving, SOME),
    ),
    row(
        ("snapshot-steps", "the power goes, or the process is killed, at each step of a snapshot"),
        SNAPSHOTS,
        BOTH,
        PLAIN,
        crashes(At::Saving),
    ),
    row(
        ("write", "the power goes while commands are written"),
        AOF,
        POWER,
        PLAIN,
        crash(At::Idle, SOME),
    ),
    row(
        ("write-kill", "the process is killed while commands are written"),
        AOF,
        KILL,
        PLAIN,
        crash(At::Idle, SOME),
    ),
    row(
        ("torn-write", "the power goes at a write, and every part of it may be missing"),
        AOF,
        POWER,
        PLAIN,
        crash(At::Write, MANY),
    ),
    row(
        ("slow-disk", "a sync takes seconds; the power goes, or the process is killed"),
        &[Policy::EverySecond],
        BOTH,
        Traits { slow: true, ..PLAIN },
        crash(At::Any, SOME),
    ),
    row(
        ("rewrite", "the power goes, or the process is killed, while the AOF is rewritten"),
        AOF,
        BOTH,
        REWRITES,
        crash(At::Rewriting, SOME),
    ),
    row(
        (
            "rewrite-steps",
            "the power goes, or the process is killed, at each step of a rewrite of the AOF",
        ),
        AOF,
        BOTH,
        REWRITES,
        crashes(At::Rewriting),
    ),
    row(
        ("rewrite-errors", "each step of a rewrite fails once, and some time later the power goes"),
        AOF,
        POWER,
        REWRITES,
        fault(At::Rewriting, ERRORS, true),
    ),
    row(
        ("both", "an AOF is kept and snapshots are made, and the power goes"),
        AOF,
        POWER,
        Traits { snapshots: true, ..REWRITES },
        crash(At::Any, SOME),
    ),
    row(
        ("disk-full", "the disk is full, and there is room again; then the power goes"),
        ALL,
        BOTH,
        Traits { fills: true, ..REWRITES },
        Plan::Life,
    ),
    row(
        ("short-write", "a write takes half of what it is given; some time later the power goes"),
        ALL,
        BOTH,
        REWRITES,
        fault(At::Write, &[FaultKind::ShortWrite], false),
    ),
    row(
        ("write-error", "a write fails; some time later the power goes"),
        ALL,
        BOTH,
        REWRITES,
        fault(At::Write, EIO, false),
    ),
    row(
        ("sync-error", "a sync fails; after one of the AOF nothing may be acknowledged"),
        ALL,
        BOTH,
        REWRITES,
        fault(At::Sync, EIO, false),
    ),
    row(
        ("nul-tail", "the power goes, and NULs are where the disk should have what was not synced"),
        AOF,
        POWER,
        PLAIN,
        Plan::Tail(Tail::Nul),
    ),
    row(
        (
            "garbage-tail",
            "the power goes, and bytes of other files are where the disk should have what was not synced",
        ),
        AOF,
        POWER,
        PLAIN,
        Plan::Tail(Tail::Garbage),
    ),
    row(
        ("restart", "the power goes, and again at each step of the start after that"),
        ALL,
        BOTH,
        REWRITES,
        Plan::Start(From::Crash),
    )
    .promising("as if it had gone once"),
    row(
        (
            "switch",
            "appendonly is new, there is only a dump, and the power goes at each step of the start",
        ),
        AOF,
        BOTH,
        PLAIN,
        Plan::Start(From::Dump),
    )
    .promising("the dump, whole"),
    row(
        ("shutdown", "the store is told to end, and then the power goes"),
        ALL,
        POWER,
        Traits { snapshots: true, ..REWRITES },
        Plan::Shutdown,
    )
    .promising("none lost"),
    row(
        ("anything", "crash after crash, on disks that fill up and fail, at any moment"),
        ALL,
        BOTH,
        Traits { snapshots: true, rewrites: true, slow: true, fills: true },
        Plan::Anything,
    ),
];
