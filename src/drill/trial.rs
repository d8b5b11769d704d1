//! One run of one scenario: what all of them have in common.

use std::path::Path;

use super::habits::Habits;
use super::judge::{Crash, Known, Policy, Promise};
use super::life::{DIR, End, Life, digest, start};
use super::scenario::{Plan, Scenario};
use super::{Loss, Tally};
use crate::engine::{Session, resolve};
use crate::persist::fs::Fs;
use crate::persist::sim::MemFs;
use crate::persist::sim::crash::Random;
use crate::persist::sim::fault::Fault;
use crate::store::{Options, Store};
use crate::value::digest::Digest;

/// When simulated time begins, in ms since 1970.
pub(super) const BEGIN_MS: i64 = 1_700_000_000_000;

/// How a promise was broken.
pub(super) type Broken = String;

/// A run of a scenario.
#[derive(Debug, Clone)]
pub(super) struct Trial {
    pub(super) scenario: &'static Scenario,
    pub(super) policy: Policy,
    seed: u64,
    disk_lies: bool,
    pub(super) random: Random,
    pub(super) tally: Tally,
}

/// What is left of a life.
#[derive(Debug)]
pub(super) struct Lived {
    pub(super) fs: MemFs,
    pub(super) known: Known,
    pub(super) now_ms: i64,
    pub(super) end: End,
}

impl Trial {
    /// The seed decides all of it.
    pub(super) fn new(
        scenario: &'static Scenario,
        policy: Policy,
        seed: u64,
        disk_lies: bool,
    ) -> Trial {
        // Another stream of numbers for each row.
        let names = scenario.name.bytes().chain(policy.as_str().bytes());
        let mixed = names
            .fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        let (random, tally) = (Random::new(mixed), Tally::default());
        Trial { scenario, policy, seed, disk_lies, random, tally }
    }

    /// The seed.
    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// Runs it: the numbers, and how the promise was broken, if it was.
    pub(super) fn run(mut self) -> (Tally, Option<Broken>) {
        self.tally.runs = 1;
        let kept = match self.scenario.plan {
            Plan::Anything => self.anything(),
            Plan::Strike { at, faults, each, disks } => self.strike(at, faults, each, disks),
            Plan::Life => self.life(),
            Plan::Idle { before } => self.idle(before),
            Plan::Tail(tail) => self.tail(tail),
            Plan::Start(from) => self.starts(from),
            Plan::Shutdown => self.shutdown(),
        };
        (self.tally, kept.err())
    }

    /// An empty disk with the folder.
    pub(super) fn new_disk(&self) -> Result<MemFs, Broken> {
        let fs = MemFs::new(self.seed);
        let made = fs.open_dir(Path::new("/")).and_then(|root| {
            root.make_dir(DIR.trim_start_matches('/').as_ref(), 0o755)?;
            root.sync()
        });
        made.map_err(|error| format!("there is no folder: {error}"))?;
        Ok(self.like_it(fs))
    }

    /// A copy of a disk, which is as all disks of this run are.
    pub(super) fn copy(&self, fs: &MemFs) -> MemFs {
        self.like_it(MemFs::on(fs.disk(), self.seed))
    }

    fn like_it(&self, fs: MemFs) -> MemFs {
        if self.disk_lies {
            fs.ignore_syncs();
        }
        fs
    }

    /// Begins a life.
    pub(super) fn begin<'a>(
        fs: &MemFs,
        habits: &'a Habits,
        random: &'a mut Random,
        now_ms: i64,
    ) -> Result<Life<'a>, Broken> {
        Life::begin(fs, habits, random, now_ms)
            .map_err(|error| format!("it does not start: {error}"))
    }

    /// Lives a life to its end, and counts what was in it.
    ///
    /// # Errors
    /// When the store ended without a reason, or went on in spite of one.
    pub(super) fn end(&mut self, life: &mut Life<'_>) -> Result<End, Broken> {
        let end = life.live();
        if life.replied_after_failed_sync() {
            return Err("it went on after a sync of the AOF had failed".to_owned());
        }
        if let End::Fatal(why) = &end {
            if !life.was_struck() {
                return Err(format!("the store stopped, and nothing had gone wrong: {why}"));
            }
            self.tally.stopped += 1;
        }
        self.tally.rewrites += life.rewrites;
        self.tally.snapshots += life.snapshots;
        Ok(end)
    }

    /// Lives a life, in which something goes wrong or nothing.
    pub(super) fn lived(
        &mut self,
        fs: MemFs,
        habits: &Habits,
        random: &mut Random,
        fault: Option<Fault>,
        now_ms: i64,
    ) -> Result<Lived, Broken> {
        let mut life = Trial::begin(&fs, habits, random, now_ms)?;
        life.plan(fault);
        let end = self.end(&mut life)?;
        let now_ms = life.now_ms + 1;
        Ok(Lived { known: life.known, now_ms, end, fs })
    }

    /// The disks that a crash may leave, or a sample of them.
    pub(super) fn left(&self, fs: &MemFs, crash: Crash, disks: u64) -> Vec<MemFs> {
        match crash {
            Crash::Kill => {
                let mut disk = fs.disk();
                disk.settle();
                vec![MemFs::on(disk, self.seed)]
            }
            Crash::Power => fs.crashes(disks, self.seed),
        }
    }

    /// Ends a life, and starts the store from every disk that is left, or from a sample. One of these disks,
    /// as it was left.
    pub(super) fn crash(
        &mut self,
        lived: &Lived,
        crash: Crash,
        options: &Options,
        disks: u64,
    ) -> Result<MemFs, Broken> {
        let mut left = self.left(&lived.fs, crash, disks);
        for fs in &left {
            let (store, came) = self.restart(fs, options, lived.now_ms)?;
            self.judge(&lived.known, crash, &came)?;
            drop(store);
        }
        if left.is_empty() {
            return Err("there is no disk any more".to_owned());
        }
        let at = usize::try_from(self.random.below(left.len() as u64)).unwrap_or(0);
        let fs = left.swap_remove(at);
        self.goes_on(&fs, options, lived.now_ms)?;
        Ok(fs)
    }

    /// Starts the store from a copy of a disk.
    pub(super) fn restart(
        &self,
        fs: &MemFs,
        options: &Options,
        now_ms: i64,
    ) -> Result<(Store, Digest), Broken> {
        let (store, _) = start(&self.copy(fs), options, now_ms)
            .map_err(|error| format!("after the crash it does not start: {error}"))?;
        let came = digest(&store, now_ms);
        Ok((store, came))
    }

    /// Holds what came back against what was known.
    pub(super) fn judge(
        &mut self,
        known: &Known,
        crash: Crash,
        came: &Digest,
    ) -> Result<(), Broken> {
        let span_ms = self.scenario.span_ms();
        let (loss, broken) = known.judge(Promise { policy: self.policy, crash, span_ms }, came);
        self.count(known, loss);
        broken.map_or(Ok(()), Err)
    }

    fn count(&mut self, known: &Known, loss: Loss) {
        self.tally.crashes += 1;
        self.tally.acknowledged += known.acked as u64;
        self.tally.lost += loss.writes;
        self.tally.worst = self.tally.worst.or_worse(loss);
    }

    /// What is written after a crash must be there after the next one: nothing that a start leaves behind
    /// may spoil it.
    fn goes_on(&self, fs: &MemFs, options: &Options, now_ms: i64) -> Result<(), Broken> {
        if self.policy == Policy::Snapshots {
            return Ok(());
        }
        let fs = self.copy(fs);
        let failed = |error| format!("after the crash it does not go on: {error}");
        let (mut store, _) =
            start(&fs, options, now_ms).map_err(|error| failed(error.to_string()))?;
        let argv: &[&[u8]] = &[b"SET", b"written after the crash", b"1"];
        if let Ok(command) = resolve(argv) {
            store.execute(&mut Session::new(), command, argv);
        }
        store.before_replies(now_ms).map_err(|fatal| failed(fatal.to_string()))?;
        let written = digest(&store, now_ms);
        drop(store);
        for fs in self.left(&fs, Crash::Kill, 1) {
            if self.restart(&fs, options, now_ms)?.1 != written {
                let what = "what was written after the crash was gone at the next start";
                return Err(what.to_owned());
            }
        }
        Ok(())
    }
}
