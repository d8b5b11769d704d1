//! The life of a store in a drill: turns of the event loop, with clients that write, a clock that the seed
//! moves, and a disk that does its work when the seed says so. All the while it is noted what clients were
//! told, and which operations on files belong to what.

use std::path::Path;

use super::habits::Habits;
use super::judge::{Known, State};
use super::queue::Queue;
use super::workload;
use crate::engine::{Session, resolve};
use crate::error::Result;
use crate::persist::fs::Fs;
use crate::persist::sim::MemFs;
use crate::persist::sim::crash::Random;
use crate::persist::sim::fault::{Fault, FaultKind, Op};
use crate::store::{Fatal, Lane, Options, Store};
use crate::value::digest::Digest;

/// Where the data is.
pub(super) const DIR: &str = "/data";

/// What is under way beside the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing.
    Idle,
    /// A snapshot.
    Saving,
    /// A rewrite of the AOF, until its old files are gone.
    Rewriting,
}

/// How a life ended.
#[derive(Debug)]
pub(super) enum End {
    /// Its turns were over.
    Over,
    /// The power went.
    Dark,
    /// The store itself said that it must end.
    Fatal(Fatal),
}

/// A store that lives.
#[derive(Debug)]
pub(super) struct Life<'a> {
    fs: MemFs,
    queue: Queue,
    store: Store,
    session: Session,
    random: &'a mut Random,
    habits: &'a Habits,
    pub(super) now_ms: i64,
    pub(super) known: Known,
    /// From which operation on which phase was.
    pub(super) phases: Vec<(u64, Phase)>,
    /// What is to go wrong.
    fault: Option<Fault>,
    full: bool,
    /// It was full once.
    was_full: bool,
    /// What was under way after each turn, and how many snapshots had been begun.
    pub(super) turns: Vec<(Phase, usize)>,
    /// Operations that were done when the last replies went out.
    pub(super) replied_at: u64,
    /// Rewrites and snapshots that were done.
    pub(super) rewrites: u64,
    pub(super) snapshots: u64,
}

/// The digest of what a store holds.
pub(super) fn digest(store: &Store, now_ms: i64) -> Digest {
    let style = store.engine().config().release.digest_style(now_ms);
    store.engine().digest(style, 1)
}

/// Starts a store from what is in the folder.
///
/// # Errors
/// When it does not start.
pub(super) fn start(fs: &MemFs, options: &Options, now_ms: i64) -> Result<(Store, Queue)> {
    let queue = Queue::default();
    let fs: std::sync::Arc<dyn Fs> = std::sync::Arc::new(fs.clone());
    let (store, _) = Store::open(fs, Box::new(queue.clone()), options.clone(), now_ms)?;
    Ok((store, queue))
}

impl<'a> Life<'a> {
    /// Begins one; operations are counted from here on.
    ///
    /// # Errors
    /// When the store does not start.
    pub(super) fn begin(
        fs: &MemFs,
        habits: &'a Habits,
        random: &'a mut Random,
        now_ms: i64,
    ) -> Result<Life<'a>> {
        let (store, queue) = start(fs, &habits.options, now_ms)?;
        let known = Known::new(digest(&store, now_ms), now_ms);
        fs.plan(None);
        Ok(Life {
            fs: fs.clone(),
            queue,
            store,
            session: Session::new(),
            random,
            habits,
            now_ms,
            known,
            phases: vec![(0, Phase::Idle)],
            fault: None,
            full: false,
            was_full: false,
            turns: Vec::new(),
            replied_at: 0,
            rewrites: 0,
            snapshots: 0,
        })
    }

    /// Plans what is to go wrong, at an operation counted from now.
    pub(super) fn plan(&mut self, fault: Option<Fault>) {
        self.fs.plan(fault);
        self.fault = fault;
    }

    /// Has anything gone wrong that a store may end for?
    pub(super) fn was_struck(&self) -> bool {
        self.was_full || self.fault.is_some_and(|fault| self.fs.operations() > fault.at)
    }

    /// Whether replies went out after a sync of the AOF had said that it failed.
    pub(super) fn replied_after_failed_sync(&self) -> bool {
        let Some(Fault { at, kind: FaultKind::Fails(_) | FaultKind::FailsAfter(_), .. }) =
            self.fault
        else {
            return false;
        };
        let struck = usize::try_from(at).ok().and_then(|at| self.fs.trace().into_iter().nth(at));
        let is_of_aof =
            |op: Op| op.name == "sync_data" && op.path.to_string_lossy().contains(".incr.");
        struck.is_some_and(is_of_aof) && self.replied_at > at
    }

    /// Lives until its end.
    pub(super) fn live(&mut self) -> End {
        for _ in 0..self.habits.turns {
            let ended = self.turn();
            if self.is_dark() {
                return End::Dark;
            }
            if let Err(fatal) = ended {
                return End::Fatal(fatal);
            }
            self.turns.push((self.phase(), self.known.points.len() - 1));
        }
        End::Over
    }

    /// Ends it as it should end. Whether all that was acknowledged is safe now.
    pub(super) fn shut_down(&mut self) -> bool {
        self.store.set_clock(self.now_ms);
        let is_safe = self.store.shutdown(None).is_ok();
        if is_safe {
            let last = self.known.acked;
            (self.known.written, self.known.settled, self.known.saved) = (last, last, last);
            self.known.points.push(last);
        }
        is_safe
    }

    fn is_dark(&self) -> bool {
        let goes = |fault: &Fault| fault.kind == FaultKind::PowerOff;
        self.fault.filter(goes).is_some_and(|fault| self.fs.operations() > fault.at)
    }

    fn chance(&mut self, of_1000: u64) -> bool {
        self.random.below(1000) < of_1000
    }

    /// A turn of the event loop.
    fn turn(&mut self) -> std::result::Result<(), Fatal> {
        self.now_ms += i64::try_from(1 + self.random.below(self.habits.turn_ms)).unwrap_or(1);
        self.store.set_clock(self.now_ms);
        for _ in 0..self.random.below(4) {
            self.write();
        }
        if self.chance(self.habits.rewrites) {
            self.watched(|life| life.own(b"BGREWRITEAOF"));
        }
        if self.chance(self.habits.saves) {
            self.watched(|life| life.own(b"BGSAVE"));
        }
        self.fill_or_heal();
        self.store.before_replies(self.now_ms)?;
        if self.is_dark() {
            return Ok(());
        }
        self.note_acknowledged();
        for (lane, chance) in [(Lane::Sync, self.habits.syncs), (Lane::Files, self.habits.files)] {
            while self.chance(chance) && self.queue.run(lane) {}
        }
        if self.chance(self.habits.writes_back) {
            self.fs.write_back();
        }
        self.watched(|life| life.store.tick(life.now_ms))?;
        if !self.is_dark() {
            self.note_settled();
        }
        Ok(())
    }

    /// Runs the next commands, and notes the state behind them.
    fn write(&mut self) {
        for argv in workload::next(self.random, self.habits.longest) {
            let argv: Vec<&[u8]> = argv.iter().map(Vec::as_slice).collect();
            if let Ok(command) = resolve(&argv) {
                self.store.execute(&mut self.session, command, &argv);
            }
        }
        let digest = digest(&self.store, self.now_ms);
        // What was refused, or changed nothing, is no write.
        if self.known.states.last().is_none_or(|state| state.digest != digest) {
            self.known.states.push(State { digest, at_ms: self.now_ms });
        }
    }

    fn own(&mut self, name: &[u8]) {
        self.store.own_command(&[name]);
    }

    fn fill_or_heal(&mut self) {
        if !self.full && self.chance(self.habits.fills) {
            let used: usize = self.fs.files().values().map(Vec::len).sum();
            self.fs.set_capacity(Some(used as u64 + self.random.below(300)));
            (self.full, self.was_full) = (true, true);
        } else if self.full && self.chance(self.habits.heals) {
            self.fs.set_capacity(None);
            self.full = false;
        }
    }

    /// The replies of the turn are out.
    fn note_acknowledged(&mut self) {
        self.known.acked = self.known.last();
        self.replied_at = self.fs.operations();
        if self.info("aof_buffer_length") == "0" {
            self.known.written = self.known.acked;
        }
        self.note_settled();
    }

    fn note_settled(&mut self) {
        if self.fs.is_settled() {
            self.known.settled = self.known.written;
        }
    }

    /// Does what may begin or end a snapshot or a rewrite, and notes whether it did.
    fn watched<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        let (was, began_at) = (self.phase(), self.fs.operations());
        let saved = self.info("rdb_bgsave_in_progress");
        let rewritten = self.info("aof_rewrite_in_progress");
        let done = act(self);
        if self.is_dark() {
            return done;
        }
        let is = self.phase();
        if was != is {
            let at = if was == Phase::Idle { began_at } else { self.fs.operations() };
            self.phases.push((at, is));
        }
        match (saved.as_str(), self.info("rdb_bgsave_in_progress").as_str()) {
            ("0", "1") => self.known.points.push(self.known.last()),
            ("1", "0") if self.info("rdb_last_bgsave_status") == "ok" => {
                self.known.saved = self.known.points.last().copied().unwrap_or(0);
                self.snapshots += 1;
            }
            _ => {}
        }
        let ended = rewritten == "1" && self.info("aof_rewrite_in_progress") == "0";
        self.rewrites += u64::from(ended && self.info("aof_last_bgrewrite_status") == "ok");
        done
    }

    fn phase(&self) -> Phase {
        if self.info("rdb_bgsave_in_progress") == "1" {
            return Phase::Saving;
        }
        let path = Path::new(DIR).join("appendonlydir/appendonly.aof.manifest");
        let has_history = || {
            let manifest = self.fs.get(&path).unwrap_or_default();
            manifest.windows(7).any(|word| word == b"type h\n")
        };
        match self.info("aof_rewrite_in_progress") == "1" || has_history() {
            true => Phase::Rewriting,
            false => Phase::Idle,
        }
    }

    /// A line of INFO.
    fn info(&self, name: &str) -> String {
        let mut lines = self.store.info().into_iter();
        lines.find(|(line, _)| *line == name).map(|(_, value)| value).unwrap_or_default()
    }
}
