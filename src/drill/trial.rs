//! One run of one scenario.

use std::path::Path;

use super::Tally;
use super::judge::{Crash, Known, Policy, Promise};
use super::life::{DIR, End, Habits, Life, digest, start};
use super::scenario::Scenario;
use crate::persist::fs::Fs;
use crate::persist::sim::MemFs;
use crate::persist::sim::crash::Random;
use crate::persist::sim::fault::{Fault, FaultKind, Repeat};
use crate::store::{Options, SavePoint};
use crate::value::digest::Digest;

/// When simulated time begins, in ms since 1970.
const BEGIN_MS: i64 = 1_700_000_000_000;

/// Lives of a store in a run of anything.
const LIVES: u64 = 3;

/// Disks that are tried after a crash.
const DISKS: u64 = 4;

/// A run of a scenario.
#[derive(Debug, Clone)]
pub(super) struct Trial {
    policy: Policy,
    seed: u64,
    disk_lies: bool,
    random: Random,
    tally: Tally,
}

impl Trial {
    /// The seed decides all of it.
    pub(super) fn new(scenario: &Scenario, policy: Policy, seed: u64, disk_lies: bool) -> Trial {
        // Another stream of numbers for each row.
        let names = scenario.name.bytes().chain(policy.as_str().bytes());
        let mixed = names
            .fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        Trial { policy, seed, disk_lies, random: Random::new(mixed), tally: Tally::default() }
    }

    /// The seed.
    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// Runs it: the numbers, and how the promise was broken, if it was.
    pub(super) fn run(mut self) -> (Tally, Option<String>) {
        self.tally.runs = 1;
        let broken = self.anything().err();
        (self.tally, broken)
    }

    fn anything(&mut self) -> Result<(), String> {
        let mut habits = habits(self.policy, &mut self.random);
        let mut fs = self.new_disk()?;
        let mut now_ms = BEGIN_MS;
        let mut known = Known::new(Digest::default(), now_ms);
        for number in 0..LIVES {
            // Starting may be cut short as well, and must work the next time.
            if self.random.below(if number > 0 { 4 } else { 20 }) == 0 {
                let at = self.random.below(60);
                fs.plan(Some(Fault { at, kind: FaultKind::PowerOff, repeat: Repeat::Once }));
                let _ = start(&fs, &habits.options, now_ms);
                self.crash(&fs, Crash::Power, &habits.options, &known, now_ms)?;
                return Ok(());
            }
            let speed = 125 * (1 + self.random.below(8));
            (habits.syncs, habits.files) = (speed, speed);
            habits.turns = 20 + self.random.below(80);
            let fault = self.any_fault();
            let mut random = Random::new(self.random.bits());
            let mut life = Life::begin(&fs, &habits, &mut random, now_ms)
                .map_err(|error| format!("it does not start: {error}"))?;
            life.plan(fault);
            let end = life.live();
            self.note(&life, &end)?;
            let killed = !matches!(end, End::Dark) && self.random.below(3) == 0;
            let crash = if killed { Crash::Kill } else { Crash::Power };
            now_ms = life.now_ms + 1;
            known = life.known;
            let left = self.crash(&fs, crash, &habits.options, &known, now_ms)?;
            fs = left;
        }
        Ok(())
    }

    fn any_fault(&mut self) -> Option<Fault> {
        let kind = match self.random.below(12) {
            0..6 => FaultKind::PowerOff,
            6 => FaultKind::Fails(28),
            7 => FaultKind::Fails(5),
            8 => FaultKind::FailsAfter(5),
            9 => FaultKind::ShortWrite,
            _ => return None,
        };
        let at = self.random.below(700);
        let repeat = if self.random.below(2) == 0 { Repeat::Once } else { Repeat::SameName };
        Some(Fault { at, kind, repeat })
    }

    /// Counts what a life had in it.
    fn note(&mut self, life: &Life<'_>, end: &End) -> Result<(), String> {
        self.tally.rewrites += life.rewrites;
        self.tally.snapshots += life.snapshots;
        match end {
            End::Fatal(why) if !life.was_struck() => {
                Err(format!("the store stopped, and nothing had gone wrong: {why}"))
            }
            End::Fatal(_) => {
                self.tally.stopped += 1;
                Ok(())
            }
            End::Over | End::Dark => Ok(()),
        }
    }

    /// An empty disk with the folder.
    fn new_disk(&self) -> Result<MemFs, String> {
        let fs = MemFs::new(self.seed);
        let made = fs.open_dir(Path::new("/")).and_then(|root| {
            root.make_dir(DIR.trim_start_matches('/').as_ref(), 0o755)?;
            root.sync()
        });
        made.map_err(|error| format!("there is no folder: {error}"))?;
        Ok(self.like_it(fs))
    }

    /// A disk that behaves as all of this run do.
    fn like_it(&self, fs: MemFs) -> MemFs {
        if self.disk_lies {
            fs.ignore_syncs();
        }
        fs
    }

    /// Ends the life of a store, and starts another from every disk that is left, or a sample. One of these
    /// disks, as it was left.
    fn crash(
        &mut self,
        fs: &MemFs,
        crash: Crash,
        options: &Options,
        known: &Known,
        now_ms: i64,
    ) -> Result<MemFs, String> {
        let mut left = match crash {
            Crash::Kill => {
                let mut disk = fs.disk();
                disk.settle();
                vec![MemFs::on(disk, self.seed)]
            }
            Crash::Power => fs.crashes(DISKS, self.seed),
        };
        for fs in &left {
            let copy = MemFs::on(fs.disk(), self.seed);
            let (store, _) = start(&copy, options, now_ms)
                .map_err(|error| format!("after the crash it does not start: {error}"))?;
            let came = digest(&store, now_ms);
            let promise = Promise { policy: self.policy, crash, span_ms: 2000 };
            let loss = known.judge(promise, &came)?;
            self.tally.crashes += 1;
            self.tally.acknowledged += known.acked as u64;
            self.tally.lost += loss.writes;
            self.tally.worst.writes = self.tally.worst.writes.max(loss.writes);
            self.tally.worst.span_ms = self.tally.worst.span_ms.max(loss.span_ms);
        }
        let at = usize::try_from(self.random.below(left.len() as u64)).unwrap_or(0);
        match left.is_empty() {
            true => Err("there is no disk any more".to_owned()),
            false => Ok(self.like_it(left.swap_remove(at))),
        }
    }
}

fn habits(policy: Policy, random: &mut Random) -> Habits {
    let point = SavePoint { seconds: 1, changes: 5 };
    let mut options = Options::default();
    options.files.dir = Some(DIR.into());
    options.files.append_only = policy.fsync().is_some();
    options.fsync = policy.fsync().unwrap_or(options.fsync);
    let saves = policy == Policy::Snapshots || random.below(2) == 1;
    options.save = if saves { vec![point] } else { Vec::new() };
    // Refused writes tell nothing new, and a workload without writes nothing at all.
    options.stop_on_save_error = false;
    options.rewrite_min_size = 500 + random.below(4000);
    options.timestamps = random.below(3) == 0;
    options.preamble = random.below(4) > 0;
    Habits {
        options,
        turns: 0,
        turn_ms: 150,
        longest: 1300,
        syncs: 0,
        files: 0,
        rewrites: 33,
        saves: 17,
        fills: 17,
        heals: 17,
        writes_back: 10,
    }
}
