//! How stores and disks behave in a drill.

use super::judge::Policy;
use super::life::DIR;
use super::scenario::{Scenario, Traits};
use crate::persist::sim::crash::Random;
use crate::store::{Options, SavePoint};

/// How a store and its disk behave. Chances are of 1000, in a turn.
#[derive(Debug, Clone)]
pub(super) struct Habits {
    pub(super) options: Options,
    /// Turns of the event loop …
    pub(super) turns: u64,
    /// … and how long one takes at most, in ms.
    pub(super) turn_ms: u64,
    /// Bytes of a value, at most.
    pub(super) longest: u64,
    /// That a sync of the AOF gets done, and a step of what is written beside the work.
    pub(super) syncs: u64,
    pub(super) files: u64,
    /// That BGREWRITEAOF or BGSAVE comes.
    pub(super) rewrites: u64,
    pub(super) saves: u64,
    /// That the disk fills up; and that there is room again.
    pub(super) fills: u64,
    pub(super) heals: u64,
    /// That the kernel writes to the disk what nobody asked it to.
    pub(super) writes_back: u64,
}

/// A healthy disk has done a sync before the next turn.
const AT_ONCE: u64 = 1000;

/// Some 2 s are a sync's share of a slow disk: 40 turns of 50 ms.
const SLOWLY: u64 = 25;

/// A store that serves is woken after this, if by nobody else.
const TURN_MS: u64 = 100;

/// Bytes of a value: more than a sector of the disk …
const LONG: u64 = 1300;

/// … and few, where a disk may leave a hole in the middle of a write, or one that was done in two pieces.
/// NULs inside a value are a value to every loader, as the AOF has no checksum, so that nothing is promised
/// of a value that is long enough for a hole.
const SHORT: u64 = 8;

/// Settings of a store.
pub(super) fn options(policy: Policy, store: Traits, random: &mut Random) -> Options {
    let mut options = Options::default();
    options.files.dir = Some(DIR.into());
    options.files.append_only = policy.fsync().is_some();
    options.fsync = policy.fsync().unwrap_or(options.fsync);
    let saves = policy == Policy::Snapshots || store.snapshots;
    let point = SavePoint { seconds: 1, changes: 5 };
    options.save = if saves { vec![point] } else { Vec::new() };
    // Refused writes tell nothing new, and a workload without writes nothing at all.
    options.stop_on_save_error = false;
    options.rewrite_min_size = 500 + random.below(4000);
    options.rewrite_percentage = if store.rewrites { 100 } else { 0 };
    options.timestamps = random.below(3) == 0;
    options.preamble = random.below(4) > 0;
    options
}

impl Habits {
    /// Whether a write may be done in pieces.
    pub(super) fn has_pieces(&self) -> bool {
        self.longest == SHORT
    }

    /// Those of one life of a scenario.
    pub(super) fn of(scenario: &Scenario, policy: Policy, random: &mut Random) -> Habits {
        let store = scenario.store;
        let options = options(policy, store, random);
        let saves = !options.save.is_empty();
        let when = |yes: bool, chance: u64| if yes { chance } else { 0 };
        let turns =
            if scenario.tries_each() { 15 + random.below(15) } else { 20 + random.below(60) };
        Habits {
            options,
            turns,
            turn_ms: TURN_MS,
            longest: if scenario.leaves_holes() { SHORT } else { LONG },
            syncs: if store.slow { SLOWLY } else { AT_ONCE },
            files: 125 * (2 + random.below(7)),
            rewrites: when(store.rewrites, 60),
            saves: when(saves, 30),
            fills: when(store.fills, 40),
            heals: 60,
            writes_back: when(policy == Policy::No, 30),
        }
    }

    /// Those of a life in which anything may happen.
    pub(super) fn of_anything(policy: Policy, store: Traits, random: &mut Random) -> Habits {
        let snapshots = random.below(2) == 1;
        // Disks that never take a part of a write have no holes in the middle of one.
        let in_pieces = random.below(2) == 1;
        let speed = 125 * (1 + random.below(8));
        Habits {
            options: options(policy, Traits { snapshots, ..store }, random),
            turns: 20 + random.below(80),
            turn_ms: 150,
            longest: if in_pieces { SHORT } else { LONG },
            syncs: speed,
            files: speed,
            rewrites: 33,
            saves: 17,
            fills: if in_pieces { 34 } else { 0 },
            heals: 17,
            writes_back: 10,
        }
    }
}
