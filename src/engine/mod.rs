//! The store: executes what an AOF can contain, holds what an RDB can contain, and says so with the
//! server's own fingerprint. Knows no files and no clock but the one it is given.
//!
//! ```
//! use rdbtool::engine::{Config, Engine, Mode, Reply, Session};
//!
//! let mut engine = Engine::new(Config::default());
//! let mut session = Session::new();
//! assert_eq!(engine.execute(&mut session, &[b"SET", b"k", b"1", b"EX", b"10"]), Reply::OK);
//! assert_eq!(engine.execute(&mut session, &[b"INCR", b"k"]), Reply::Int(2));
//! engine.set_mode(Mode::Serving);
//! engine.set_clock(1_000_000);
//! assert_eq!(engine.execute(&mut session, &[b"GET", b"k"]), Reply::Nil);
//! ```
//!
//! A command runs through [`command`] (the table), [`ctx`] (what its code works with) and `cmd/` (the
//! code, one file a data type); [`keyspace`] holds the keys, [`crate::value`] what they hold.

use std::collections::BTreeMap;

pub mod args;
mod budget;
mod cmd;
pub mod command;
pub mod ctx;
pub mod digest;
mod effects;
pub mod failure;
pub mod functions;
pub mod geohash;
pub mod keyspace;
pub mod longdouble;
mod payload;
mod point;
mod release;
mod reply;
pub mod script;
mod session;
pub mod shards;
pub mod syntax;
mod watch;

pub use command::{Command, resolve};
pub use ctx::Ctx;
pub use effects::Effect;
pub use failure::{Failure, Outcome};
pub use keyspace::{Access, Item, KeyRef, Keyspace};
pub use payload::{NoPayloads, Payloads};
pub use point::Section;
pub use release::{Family, Origin, Release};
pub use reply::{Reply, Resp};
pub use session::Session;

use crate::limits;
use crate::value::dict::Slot;
use crate::value::{DataType, PackedLimits, Value};
use session::Multi;

/// Settings of an engine.
#[derive(Debug, Clone)]
pub struct Config {
    /// `databases`: SELECT goes below this number.
    pub databases: u64,
    /// Bytes the data may take, that of all engines of a store together; commands that may need more are
    /// refused beyond.
    pub max_memory: Option<usize>,
    /// Longest string, `proto-max-bulk-len`.
    pub max_string: usize,
    /// Where packed collections unfold.
    pub packed: PackedLimits,
    /// The server to behave as, where servers differ.
    pub release: Release,
    /// Whose commands are run.
    pub origin: Origin,
    /// What reads and writes the payloads of DUMP.
    pub payloads: &'static dyn Payloads,
    /// Seed of what is random (RANDOMKEY, SPOP …), so that a run can be repeated.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            databases: limits::DATABASES,
            max_memory: None,
            max_string: 512 << 20,
            packed: PackedLimits::DEFAULT,
            release: Release::NEWEST,
            origin: Origin::default(),
            payloads: &NoPayloads,
            seed: 0,
        }
    }
}

/// What the engine is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Replaying: nothing expires, and between MULTI and EXEC everything is queued (FORMATS B.1).
    Loading,
    /// Answering clients: what has expired is gone as soon as it is asked for.
    Serving,
}

/// What has happened so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Commands run, those inside transactions each.
    pub commands: u64,
    /// Keys removed because their time had come.
    pub expired: u64,
    /// Fields of hashes, likewise.
    pub expired_fields: u64,
    /// Changes left to chance: where a log has such a command, the server may have changed something
    /// else than we did.
    pub guessed: u64,
    /// What commands stated that streams keep beside their entries, as the RDB version with which it came:
    /// 0 where they stated nothing.
    pub streams_since: u16,
}

/// The store.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    dbs: BTreeMap<u64, Keyspace>,
    /// Databases that were flushed while a point in time of them was not walked to the end.
    put_away: Vec<Keyspace>,
    /// Function libraries: name and code. They belong to no database, and FLUSHALL leaves them.
    functions: BTreeMap<Vec<u8>, Vec<u8>>,
    scripts: script::Scripts,
    mode: Mode,
    now_ms: i64,
    /// Changes since the beginning.
    dirty: u64,
    stats: Stats,
    rng: fastrand::Rng,
    watch: watch::Watch,
    effects: Option<effects::Effects>,
    part: budget::Part,
}

impl Engine {
    /// An empty store, loading, at time 0.
    pub fn new(config: Config) -> Engine {
        Engine {
            rng: fastrand::Rng::with_seed(config.seed),
            config,
            dbs: BTreeMap::new(),
            put_away: Vec::new(),
            functions: BTreeMap::new(),
            scripts: script::Scripts::default(),
            mode: Mode::Loading,
            now_ms: 0,
            dirty: 0,
            stats: Stats::default(),
            watch: watch::Watch::default(),
            effects: None,
            part: budget::Part::default(),
        }
    }

    /// Its settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Sets the bound of the memory that the data may take.
    pub fn set_max_memory(&mut self, bytes: Option<usize>) {
        self.config.max_memory = bytes;
    }

    /// From now on it behaves as this server, and what it runs comes from there.
    pub fn set_release(&mut self, release: Release, origin: Origin) {
        (self.config.release, self.config.origin) = (release, origin);
    }

    /// From now on it loads, or serves.
    pub fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
    }

    /// Sets the clock, in milliseconds since 1970.
    pub fn set_clock(&mut self, now_ms: i64) {
        self.now_ms = now_ms;
    }

    /// Changes since the beginning, counted as servers count what a save point waits for.
    pub fn dirty(&self) -> u64 {
        self.dirty
    }

    /// What has happened so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Starts (or stops) keeping a log of effects.
    pub fn keep_effects(&mut self, on: bool) {
        self.effects = on.then(Default::default);
    }

    /// The effects since the last time.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        self.effects.as_mut().map(|effects| effects.take()).unwrap_or_default()
    }

    /// Runs a command, or queues it if the session has an open MULTI.
    pub fn execute(&mut self, session: &mut Session, argv: &[&[u8]]) -> Reply {
        match resolve(argv) {
            Ok(command) => self.dispatch(session, command, argv),
            Err(failure) => {
                session.spoil();
                Reply::Error(failure)
            }
        }
    }

    /// The same for a command already looked up with [`resolve`].
    pub fn dispatch(
        &mut self,
        session: &mut Session,
        command: &'static Command,
        argv: &[&[u8]],
    ) -> Reply {
        if let Multi::Queuing(queue) = &mut session.multi {
            let at_once = match self.mode {
                Mode::Loading => command.name == "exec",
                Mode::Serving => command.is(command::flag::IMMEDIATE),
            };
            if !at_once {
                queue.push(argv);
                return Reply::Simple("QUEUED");
            }
        }
        self.call(session, command, argv)
    }

    /// Does not run a command. A transaction that was to have it will not run either.
    pub fn refuse(&mut self, session: &mut Session, failure: Failure) -> Reply {
        session.spoil();
        Reply::Error(failure)
    }

    /// Runs a command now.
    fn call(&mut self, session: &mut Session, command: &'static Command, argv: &[&[u8]]) -> Reply {
        if command.is(command::flag::DENYOOM)
            && let Err(failure) = self.check_memory(0)
        {
            return Reply::Error(failure);
        }
        let (db, dirty) = (session.db, self.dirty);
        let reply = (command.run)(&mut Ctx { engine: self, session, command }, argv);
        self.stats.commands += 1;
        let changed = self.dirty != dirty;
        if let Some(effects) = &mut self.effects {
            effects.close(db, argv, changed);
        }
        reply.into()
    }

    /// Puts a key in, as a loader does, whatever was there before.
    pub fn put(&mut self, db: u64, key: &[u8], item: Item) -> Result<(), Failure> {
        self.check_memory(0)?;
        let space = self.dbs.entry(db).or_default();
        if space.is_full() {
            return Err(Failure::OUT_OF_MEMORY);
        }
        space.put(key, item);
        Ok(())
    }

    /// Takes a key out, expired or not.
    pub fn take(&mut self, db: u64, key: &[u8]) -> Option<Item> {
        self.dbs.get_mut(&db)?.take(key)
    }

    /// Puts a function library in; the answer is the code that had its name.
    pub fn put_function(&mut self, name: &[u8], code: &[u8]) -> Option<Vec<u8>> {
        self.functions.insert(name.to_vec(), code.to_vec())
    }

    /// The code of the function library of this name.
    pub fn function(&self, name: &[u8]) -> Option<&[u8]> {
        self.functions.get(name).map(Vec::as_slice)
    }

    /// Takes a function library out; the answer is its code.
    pub fn remove_function(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        self.functions.remove(name)
    }

    /// Takes every function library out.
    pub fn clear_functions(&mut self) {
        self.functions.clear();
    }

    /// The function libraries by name, each with its code.
    pub fn functions(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.functions.iter().map(|(name, code)| (&name[..], &code[..]))
    }

    /// One database, if anything was ever in it.
    pub fn keyspace(&self, db: u64) -> Option<&Keyspace> {
        self.dbs.get(&db)
    }

    /// One database, to fill it.
    pub fn keyspace_mut(&mut self, db: u64) -> &mut Keyspace {
        self.dbs.entry(db).or_default()
    }

    /// The databases that hold keys, in ascending order.
    pub fn keyspaces(&self) -> impl Iterator<Item = (u64, &Keyspace)> {
        self.dbs.iter().filter(|(_, space)| !space.is_empty()).map(|(db, space)| (*db, space))
    }

    /// Every key, by database.
    pub fn iter(&self) -> impl Iterator<Item = (u64, KeyRef<'_>)> {
        self.keyspaces().flat_map(|(db, space)| space.iter().map(move |key| (db, key)))
    }

    /// Bytes held, near enough.
    pub fn memory(&self) -> usize {
        self.dbs.values().map(Keyspace::memory).sum::<usize>() + self.scripts.memory()
    }

    /// Removes every key whose time has come, and every such field of a hash, as a server does by and by.
    /// How many keys were there?
    pub fn remove_expired(&mut self) -> usize {
        let (now_ms, mut removed) = (self.now_ms, 0);
        for db in self.dbs.keys().copied().collect::<Vec<_>>() {
            let slots = self.dbs.get(&db).map(|space| space.expired(now_ms)).unwrap_or_default();
            removed += slots.len();
            slots.into_iter().for_each(|slot| self.remove_dead(db, slot));
            let slots = self.dbs.get(&db).map(|space| space.with_expired_fields(now_ms));
            for slot in slots.unwrap_or_default() {
                removed += usize::from(!self.remove_dead_fields(db, slot));
            }
        }
        removed
    }

    /// The slot of a key that has not expired. One that has is removed.
    fn find(&mut self, db: u64, key: &[u8]) -> Option<Slot> {
        let space = self.dbs.get(&db)?;
        let slot = space.find(key)?;
        if self.mode == Mode::Serving && space.expire(slot).is_some_and(|at| at < self.now_ms) {
            self.remove_dead(db, slot);
            return None;
        }
        if self.mode == Mode::Serving
            && let Some(Value::Hash(hash)) = space.value(slot)
            && hash.min_expire().is_some_and(|at| at < self.now_ms)
        {
            return self.remove_dead_fields(db, slot).then_some(slot);
        }
        Some(slot)
    }

    /// Removes the fields of a hash whose time has come, and the hash if it has no others. Is it there
    /// still?
    #[cold]
    fn remove_dead_fields(&mut self, db: u64, slot: Slot) -> bool {
        let Some(space) = self.dbs.get_mut(&db) else { return false };
        let Some(key) = space.key(slot).cloned() else { return false };
        let Some(Value::Hash(hash)) = space.value_mut(slot) else { return true };
        let names = hash.remove_expired(self.now_ms);
        let emptied = hash.is_empty();
        if emptied {
            space.take_at(slot);
        }
        self.stats.expired_fields += names.len() as u64;
        self.watch.touch(db, &key);
        let word = self.removal_word();
        let family = self.config.release.family;
        if let Some(effects) = &mut self.effects {
            match family {
                Family::Redis => {
                    names.iter().for_each(|name| effects.also(db, &[b"HDEL", &key, name]));
                }
                Family::Valkey => {
                    let mut argv = vec![&b"HDEL"[..], &key];
                    argv.extend(names.iter().map(Vec::as_slice));
                    effects.also(db, &argv);
                    if emptied {
                        effects.also(db, &[word, &key]);
                    }
                }
            }
        }
        !emptied
    }

    /// Removes an expired key.
    #[cold]
    fn remove_dead(&mut self, db: u64, slot: Slot) {
        let Some(space) = self.dbs.get_mut(&db) else { return };
        let Some(key) = space.key(slot).cloned() else { return };
        space.take_at(slot);
        self.stats.expired += 1;
        self.watch.touch(db, &key);
        let word = self.removal_word();
        if let Some(effects) = &mut self.effects {
            effects.also(db, &[word, &key]);
        }
    }

    /// How a server with default settings logs that a key is gone: Valkey frees lazily.
    fn removal_word(&self) -> &'static [u8] {
        match self.config.release.family {
            Family::Redis => b"DEL",
            Family::Valkey => b"UNLINK",
        }
    }

    /// Notes that a key was changed.
    fn changed(&mut self, db: u64, key: &[u8], count: usize) {
        self.dirty = self.dirty.saturating_add(count as u64);
        self.watch.touch(db, key);
    }

    fn check_memory(&self, more: usize) -> Result<(), Failure> {
        match self.config.max_memory {
            Some(max) if !self.part.allows(self.memory(), more, max) => Err(Failure::OUT_OF_MEMORY),
            _ => Ok(()),
        }
    }

    /// Tells the engines of the same store what this one holds, when it did not grow by commands.
    fn settle(&self) {
        if self.config.max_memory.is_some() {
            self.part.tell(self.memory());
        }
    }
}

/// A look at a value of one key, for tests and tools that know what they want.
impl Engine {
    /// The value of a key, expired or not.
    pub fn value(&self, db: u64, key: &[u8]) -> Option<&Value> {
        self.dbs.get(&db)?.get(key)
    }
}

#[cfg(test)]
mod tests;
