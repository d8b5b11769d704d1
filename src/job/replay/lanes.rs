//! Threads that run commands, one for each shard of the store.
//!
//! ```text
//!                    ┌─► lane 0: its shard, its commands in order
//! commands in order ─┤
//!                    └─► lane 1: …                    until one comes that needs several shards:
//! then every lane runs dry, and the commands run here, one by one, up to the end of the chunk
//! ```
//! So a log full of such commands is as fast as with one thread, and one with few of them hardly slower
//! than without. With a single shard there are no lanes, and every command runs here.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::tally::{At, Tally};
use crate::aof::marks::Place as Bytes;
use crate::aof::skim::{Chunk, Spare};
use crate::engine::shards::{Call, Place, parts, place, run};
use crate::engine::{Command, Engine, Session};
use crate::error::Result;
use crate::join::join;
use crate::room::Room;

/// Batches that wait for a lane.
const WAITING: usize = 2;

/// Commands of a chunk, their arguments being places in its bytes.
#[derive(Debug, Default)]
pub(super) struct List {
    calls: Vec<Listed>,
    args: Vec<Bytes>,
}

#[derive(Debug, Clone, Copy)]
struct Listed {
    command: &'static Command,
    db: u64,
    start: u64,
    len: u64,
    args: usize,
    /// Not the first part of a command in several parts, which is counted once.
    again: bool,
}

impl List {
    /// Adds a command whose arguments lie in these bytes.
    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8], at: &At<'_>, argv: &[&[u8]], again: bool) {
        self.args.extend(argv.iter().map(|arg| Bytes::of(arg, bytes)));
        self.calls.push(Listed {
            command: at.command,
            db: at.db,
            start: at.span.start,
            len: at.span.end - at.span.start,
            args: argv.len(),
            again,
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    fn clear(&mut self) {
        self.calls.clear();
        self.args.clear();
    }

    /// The commands in order, and whether each is a later part of one.
    pub(super) fn each(&self, bytes: &[u8], mut each: impl FnMut(&At<'_>, bool)) {
        let mut argv = Vec::new();
        let mut rest = self.args.as_slice();
        for call in &self.calls {
            let (args, others) = rest.split_at_checked(call.args).unwrap_or_default();
            rest = others;
            argv.clear();
            argv.extend(args.iter().map(|place| place.in_bytes(bytes)));
            let span = call.start..call.start + call.len;
            let at = At { command: call.command, db: call.db, span, argv: &argv };
            each(&at, call.again);
        }
    }
}

/// Commands for a lane.
struct Batch {
    chunk: Arc<Chunk>,
    list: List,
}

/// What a lane says of a batch that is done; its buffers come back.
struct Done {
    batch: Batch,
    full: bool,
    memory: usize,
}

struct Lane {
    work: SyncSender<Batch>,
    done: Receiver<Done>,
    /// Batches under way.
    out: usize,
    /// Bytes its shard held at last.
    memory: usize,
    list: List,
}

/// Whoever runs commands.
pub(super) struct Lanes<'s> {
    engines: &'s [Mutex<Engine>],
    used: usize,
    lanes: Vec<Lane>,
    /// The shards, as long as the lanes are at rest.
    held: Vec<MutexGuard<'s, Engine>>,
    session: Session,
    /// What was run here, and what was found.
    pub(super) tally: Tally,
    spare: Vec<Spare>,
    full: bool,
}

/// Calls `body` with lanes for these shards; `used` of them are in use, and are at the end.
///
/// # Errors
/// Those of `body`.
pub(super) fn with<T>(
    engines: &[Mutex<Engine>],
    used: &mut usize,
    limit: usize,
    body: impl FnOnce(&mut Lanes<'_>) -> Result<T>,
) -> Result<(T, Tally)> {
    thread::scope(|scope| {
        let (mut lanes, mut handles) = (Vec::new(), Vec::new());
        for engine in engines.iter().filter(|_| *used > 1) {
            let (work, batches) = sync_channel(WAITING);
            let (to_main, done) = channel();
            handles.push(scope.spawn(move || toil(engine, &batches, &to_main, limit)));
            lanes.push(Lane { work, done, out: 0, memory: 0, list: List::default() });
        }
        let mut all = Lanes {
            engines,
            used: *used,
            lanes,
            held: Vec::new(),
            session: Session::new(),
            tally: Tally::new(limit),
            spare: Vec::new(),
            full: false,
        };
        if all.lanes.is_empty() {
            all.take_all();
        }
        let result = body(&mut all);
        all.rest();
        *used = all.used;
        let Lanes { mut tally, full, lanes, held, .. } = all;
        // Without senders the lanes come to an end.
        drop((lanes, held));
        for handle in handles {
            tally.merge(join(handle));
        }
        tally.full |= full;
        tally.findings.sort();
        result.map(|result| (result, tally))
    })
}

fn toil(
    engine: &Mutex<Engine>,
    work: &Receiver<Batch>,
    done: &Sender<Done>,
    limit: usize,
) -> Tally {
    let mut tally = Tally::new(limit);
    let mut session = Session::new();
    let room = Room::new();
    while let Ok(batch) = work.recv() {
        room.ahead();
        let mut engine = engine.lock().unwrap_or_else(PoisonError::into_inner);
        batch.list.each(batch.chunk.bytes(), |at, again| {
            let (reply, guessed) = engine.run(&mut session, &call(at), at.argv);
            if !again || reply.is_error() {
                tally.note(at, &reply, guessed);
            }
        });
        let memory = engine.memory();
        drop(engine);
        if done.send(Done { batch, full: tally.full, memory }).is_err() {
            break;
        }
    }
    tally
}

fn call(at: &At<'_>) -> Call {
    Call { command: at.command, db: at.db, seed: at.span.start }
}

impl<'s> Lanes<'s> {
    /// Runs a command, at once or later, after all others on its keys.
    #[inline]
    pub(super) fn run(&mut self, chunk: &Arc<Chunk>, at: &At<'_>) {
        if self.held.is_empty() {
            match place(at.command, at.argv, self.used) {
                Place::One(shard) => return self.push(shard, chunk.bytes(), at, at.argv, false),
                Place::Parts(step) => {
                    let mut again = false;
                    for (shard, part) in parts(at.argv, step, self.used) {
                        self.push(shard, chunk.bytes(), at, &part, again);
                        again = true;
                    }
                    return;
                }
                Place::Gathered | Place::Every | Place::Anywhere => {
                    self.flush(chunk);
                    self.rest();
                    self.take_all();
                }
            }
        }
        let (held, used) = (&mut self.held, &mut self.used);
        let (reply, guessed) = run(held, used, &mut self.session, &call(at), at.argv);
        self.tally.note(at, &reply, guessed);
    }

    #[inline]
    fn push(&mut self, shard: usize, bytes: &[u8], at: &At<'_>, argv: &[&[u8]], again: bool) {
        if let Some(lane) = self.lanes.get_mut(shard) {
            lane.list.push(bytes, at, argv, again);
        }
    }

    /// Sends what was collected to the lanes; it is of this chunk.
    pub(super) fn flush(&mut self, chunk: &Arc<Chunk>) {
        for at in 0..self.lanes.len() {
            self.collect(at);
            let Some(lane) = self.lanes.get_mut(at).filter(|lane| !lane.list.is_empty()) else {
                continue;
            };
            let list = std::mem::take(&mut lane.list);
            let batch = Batch { chunk: Arc::clone(chunk), list };
            // A lane that is gone has panicked; joining it says so.
            lane.out += usize::from(lane.work.send(batch).is_ok());
        }
    }

    /// Takes back what a lane has done by now.
    fn collect(&mut self, at: usize) {
        let done = |lane: &Lane| lane.done.try_recv().ok();
        while let Some(done) = self.lanes.get(at).and_then(done) {
            self.take_back(at, done);
        }
    }

    fn take_back(&mut self, at: usize, done: Done) {
        self.full |= done.full;
        self.recycle(done.batch.chunk);
        if let Some(lane) = self.lanes.get_mut(at) {
            lane.out = lane.out.saturating_sub(1);
            lane.memory = done.memory;
            if lane.list.is_empty() {
                lane.list = done.batch.list;
                lane.list.clear();
            }
        }
    }

    /// Waits until every lane has done all that it was sent.
    fn rest(&mut self) {
        for at in 0..self.lanes.len() {
            while let Some(lane) = self.lanes.get(at).filter(|lane| lane.out > 0) {
                match lane.done.recv() {
                    Ok(done) => self.take_back(at, done),
                    Err(_) => break,
                }
            }
        }
    }

    /// Takes every shard: the lanes must be at rest.
    fn take_all(&mut self) {
        let lock =
            |engine: &'s Mutex<Engine>| engine.lock().unwrap_or_else(PoisonError::into_inner);
        self.held = self.engines.iter().map(lock).collect();
    }

    /// At the end of a chunk the lanes get their shards back. Is there memory left?
    pub(super) fn end_chunk(&mut self, chunk: &Arc<Chunk>, most: Option<usize>) -> bool {
        self.flush(chunk);
        self.full |= self.tally.full;
        if let Some(most) = most {
            let here = self.held.iter().map(|engine| engine.memory());
            let there = self.lanes.iter().map(|lane| lane.memory);
            let memory: usize = if self.held.is_empty() { there.sum() } else { here.sum() };
            self.full |= memory > most;
        }
        if !self.lanes.is_empty() {
            for (lane, engine) in self.lanes.iter_mut().zip(self.held.drain(..)) {
                lane.memory = engine.memory();
            }
        }
        !self.full
    }

    /// Keeps the buffer of a chunk that nobody needs any more.
    pub(super) fn recycle(&mut self, chunk: Arc<Chunk>) {
        if let Some(chunk) = Arc::into_inner(chunk) {
            self.spare.push(chunk.recycle());
        }
    }

    /// A buffer for another chunk.
    pub(super) fn spare(&mut self) -> Spare {
        self.spare.pop().unwrap_or_default()
    }
}
