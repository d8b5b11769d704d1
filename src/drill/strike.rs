//! Something goes wrong at one operation of a life, or at each of them in turn. A life is lived once to see
//! which operations there are; up to the one that is struck the next life is the same.

use std::ops::Range;
use std::path::PathBuf;

use super::habits::Habits;
use super::judge::Crash;
use super::life::{Phase, start};
use super::scenario::{At, Tail};
use super::trial::{BEGIN_MS, Broken, Lived, Trial};
use crate::persist::sim::MemFs;
use crate::persist::sim::crash::Random;
use crate::persist::sim::fault::{Fault, FaultKind, Op, Repeat};

/// Lives that are looked at for what is to be struck.
const LIVES: u64 = 30;

/// Disks that are tried after the end in a turn.
const DISKS: u64 = 4;

/// Operations that change what is on the disk, or what a crash may leave of it. Before any other one a crash
/// leaves what it leaves before the next of these.
const CHANGES: &[&str] = &[
    "create",
    "write",
    "set_len",
    "sync",
    "sync_data",
    "sync_dir",
    "rename",
    "rename_new",
    "link",
    "unlink",
    "make_dir",
    "remove_dir",
    "set_mode",
    "set_owner",
];

/// Whether the power going before an operation is worth a try of its own.
pub(super) fn changes(op: &Op) -> bool {
    CHANGES.contains(&op.name)
}

/// A life that nothing disturbed, to see what is in it.
struct Rehearsal {
    habits: Habits,
    seed: u64,
    phases: Vec<(u64, Phase)>,
    turns: Vec<(Phase, usize)>,
    trace: Vec<Op>,
}

/// A life that could be struck.
#[derive(Debug)]
struct Seen {
    habits: Habits,
    seed: u64,
    /// At these operations.
    places: Vec<u64>,
}

impl Trial {
    /// Something at one operation, or at each.
    pub(super) fn strike(
        &mut self,
        at: At,
        faults: &[FaultKind],
        each: bool,
        disks: u64,
    ) -> Result<(), Broken> {
        let Some(Seen { habits, seed, mut places }) = self.seen(at, each, faults)? else {
            return Ok(());
        };
        if !each {
            places = self.one_of(&places).into_iter().collect();
        }
        for at in places {
            let kind = self.one_of(faults).unwrap_or(FaultKind::PowerOff);
            let fault = Fault { at, kind, repeat: Repeat::Once };
            let fs = self.new_disk()?;
            let mut random = Random::new(seed);
            let lived = self.lived(fs, &habits, &mut random, Some(fault), BEGIN_MS)?;
            for crash in self.scenario.crashes {
                self.crash(&lived, *crash, &habits.options, disks)?;
            }
        }
        Ok(())
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        let at = usize::try_from(self.random.below(all.len() as u64)).ok()?;
        all.get(at).copied()
    }

    /// A life that is no run of its own: what it had in it is not counted.
    fn rehearsal(&mut self) -> Result<Rehearsal, Broken> {
        let seed = self.random.bits();
        let habits = Habits::of(self.scenario, self.policy, &mut self.random);
        let fs = self.new_disk()?;
        let mut random = Random::new(seed);
        let mut life = Trial::begin(&fs, &habits, &mut random, BEGIN_MS)?;
        let tally = self.tally;
        self.end(&mut life)?;
        self.tally = tally;
        // Before it goes: a store that is dropped removes what it had not finished.
        let trace = fs.trace();
        let (phases, turns) = (std::mem::take(&mut life.phases), std::mem::take(&mut life.turns));
        drop(life);
        Ok(Rehearsal { habits, seed, phases, turns, trace })
    }

    /// Lives until there is something to strike at.
    fn seen(&mut self, at: At, each: bool, faults: &[FaultKind]) -> Result<Option<Seen>, Broken> {
        for _ in 0..LIVES {
            let Rehearsal { habits, seed, phases, trace, .. } = self.rehearsal()?;
            let mut places = places(at, each, &phases, &trace);
            if each && faults == [FaultKind::PowerOff] {
                let op = |at: &u64| trace.get(usize::try_from(*at).ok()?);
                places.retain(|at| op(at).is_some_and(changes));
            }
            if !places.is_empty() {
                return Ok(Some(Seen { habits, seed, places }));
            }
        }
        Ok(None)
    }

    /// The end of the store in a turn without a snapshot: before the first, or behind it. No operation on
    /// files tells of such a turn, so it is the turns that are looked at.
    pub(super) fn idle(&mut self, before: bool) -> Result<(), Broken> {
        for _ in 0..LIVES {
            let Rehearsal { mut habits, seed, turns, .. } = self.rehearsal()?;
            let is_one = |(phase, snapshots): &(Phase, usize)| {
                *phase == Phase::Idle && (*snapshots == 0) == before
            };
            let turns = (1..).zip(&turns).filter(|(_, turn)| is_one(turn));
            let turns: Vec<u64> = turns.map(|(number, _)| number).collect();
            let Some(turns) = self.one_of(&turns) else { continue };
            habits.turns = turns;
            let fs = self.new_disk()?;
            let lived = self.lived(fs, &habits, &mut Random::new(seed), None, BEGIN_MS)?;
            for crash in self.scenario.crashes {
                self.crash(&lived, *crash, &habits.options, DISKS)?;
            }
            return Ok(());
        }
        Ok(())
    }

    /// The power goes, and what was not synced of the AOF is something else.
    pub(super) fn tail(&mut self, tail: Tail) -> Result<(), Broken> {
        for _ in 0..LIVES {
            let Some(Seen { habits, seed, places }) = self.seen(At::Any, false, &[])? else {
                break;
            };
            let Some(at) = self.one_of(&places) else { break };
            let fault = Fault { at, kind: FaultKind::PowerOff, repeat: Repeat::Once };
            let fs = self.new_disk()?;
            let mut random = Random::new(seed);
            let lived = self.lived(fs, &habits, &mut random, Some(fault), BEGIN_MS)?;
            let Some(fs) = self.spoilt(&lived, tail) else { continue };
            let mut options = habits.options;
            if let Err(error) = start(&self.copy(&fs), &options, lived.now_ms) {
                if tail == Tail::Nul {
                    return Err(format!("after the crash it does not start: {error}"));
                }
                self.tally.refused += 1;
                // What an operator does then.
                options.files.corrupt_tail_max = u64::MAX;
            }
            let lived = Lived { fs, ..lived };
            self.crash(&lived, Crash::Power, &options, 1)?;
            return Ok(());
        }
        Ok(())
    }

    /// The disk that lost all that was not synced, but for the size of the AOF: in place of some of the
    /// bytes there is something else. None if all was synced.
    fn spoilt(&mut self, lived: &Lived, tail: Tail) -> Option<MemFs> {
        let disk = lived.fs.disk();
        let is_incr = |path: &&PathBuf| path.to_string_lossy().contains(".incr.");
        let files = disk.live.files();
        let (path, ino) = files.iter().rfind(|(path, _)| is_incr(path))?;
        let (synced, written) = (disk.durable.bytes(*ino)?.len(), disk.live.bytes(*ino)?);
        let lost = written.len().checked_sub(synced)?;
        // From the first byte that was not synced, or from a sector further on; to the end, or not.
        let sectors = u64::try_from(lost / SECTOR).ok()? + 1;
        let skipped = usize::try_from(self.random.below(sectors)).ok()?;
        let from = match skipped {
            0 => synced,
            skipped => (synced / SECTOR + skipped) * SECTOR,
        };
        let to = match self.random.below(2) {
            0 => (from / SECTOR + 1) * SECTOR,
            _ => written.len(),
        };
        let mut bytes = written.to_vec();
        let end = to.min(bytes.len());
        let spoilt = bytes.get_mut(from..end)?;
        // A few bytes inside a value are a value, and no loader sees more.
        if spoilt.len() < LEAST {
            return None;
        }
        for byte in spoilt {
            *byte = match tail {
                Tail::Nul => 0,
                // Nothing that commands are made of.
                Tail::Garbage => 0x80 | u8::try_from(self.random.below(0x80)).unwrap_or(0),
            };
        }
        let fs = lived.fs.crashes(1, 0).pop()?;
        fs.put(path, &bytes, 0o600);
        Some(fs)
    }
}

const SECTOR: usize = 512;

/// Bytes that are no part of a value of a drill with such values.
const LEAST: usize = 150;

/// The operations of a life that something is to happen at; of `each` those of one snapshot or rewrite.
fn places(at: At, each: bool, phases: &[(u64, Phase)], trace: &[Op]) -> Vec<u64> {
    let end = trace.len() as u64;
    let ends = phases.iter().skip(1).map(|(from, _)| *from).chain([end]);
    let spans: Vec<(Phase, Range<u64>)> =
        phases.iter().zip(ends).map(|((from, phase), to)| (*phase, *from..to)).collect();
    let fits = |(phase, _): &&(Phase, Range<u64>)| match at {
        At::Any | At::Write | At::Sync => true,
        At::Idle => *phase == Phase::Idle,
        At::Saving => *phase == Phase::Saving,
        At::Rewriting => *phase == Phase::Rewriting,
    };
    let op = |at: &u64| trace.get(usize::try_from(*at).ok()?);
    // One that was over before the life was.
    let is_whole = |span: &Range<u64>| !each || span.end < end;
    let fitting = spans.iter().filter(fits).map(|(_, span)| span.clone());
    let fitting = fitting.filter(is_whole).take(if each { 1 } else { usize::MAX });
    let named = |at: &u64, names: &[&str]| op(at).is_some_and(|op| names.contains(&op.name));
    fitting
        .flatten()
        .filter(|number| match at {
            At::Write => named(number, &["write"]),
            At::Sync => named(number, &["sync", "sync_data", "sync_dir"]),
            _ => true,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::drill::{Policy, SCENARIOS};

    /// The operations of the window in which a scenario strikes at each.
    fn steps(name: &str, policy: Policy, at: At) -> Vec<(&'static str, String)> {
        let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name).unwrap();
        let mut trial = Trial::new(scenario, policy, 1, false);
        let seen = trial.seen(at, true, &[FaultKind::PowerOff]).unwrap().unwrap();
        let fs = trial.new_disk().unwrap();
        let mut random = Random::new(seen.seed);
        trial.lived(fs.clone(), &seen.habits, &mut random, None, BEGIN_MS).unwrap();
        let trace = fs.trace();
        let op = |at: u64| trace.get(usize::try_from(at).unwrap()).unwrap().clone();
        let name = |op: Op| op.path.file_name().unwrap().to_string_lossy().into_owned();
        seen.places.iter().map(|at| (op(*at).name, name(op(*at)))).collect()
    }

    #[test]
    fn each_step_of_a_rewrite_is_struck() {
        let steps = steps("rewrite-steps", Policy::EverySecond, At::Rewriting);
        let count = |name: &str, file: &str| {
            steps.iter().filter(|(op, path)| *op == name && path.contains(file)).count()
        };
        // A new incr file; the manifest with it, with the new base, and without what is gone; the base; and
        // what was there before is removed.
        assert_eq!(count("create", ".incr.aof"), 1, "{steps:?}");
        assert_eq!(count("rename", ".manifest"), 3, "{steps:?}");
        assert_eq!(count("rename_new", ".base."), 1, "{steps:?}");
        assert_eq!((count("unlink", ".base."), count("unlink", ".incr.")), (1, 1), "{steps:?}");
        assert!(count("sync_dir", "appendonlydir") >= 5, "{steps:?}");
    }

    #[test]
    fn each_step_of_a_snapshot_is_struck() {
        let steps = steps("snapshot-steps", Policy::Snapshots, At::Saving);
        let names: Vec<&str> = steps.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["create", "write", "sync", "rename", "sync_dir"], "{steps:?}");
    }
}
