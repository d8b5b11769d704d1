//! A store split by key, so that several threads can work on it. Which shard a key belongs to depends on
//! its name alone, and a shard is a whole [`Engine`], with every database.
//!
//! ```text
//! SET a 1      a's shard               any thread that holds this shard
//! DEL a b c    one part a key          as above, each part
//! RENAME a b   a's and b's shards      whoever holds all shards: b comes to a's shard, the
//!                                      command runs there, and b goes home
//! FLUSHALL     every shard             whoever holds all shards
//! EVAL …       nobody knows            whoever holds all shards: from then on there is only one
//! ```
//! That gives what a single engine gives: each shard sees the commands on its keys in their order, a
//! command finds every key that it can reach, and what chance decides hangs on a number that comes with
//! the command, not on what was run before it elsewhere.

use std::ops::DerefMut;
use std::sync::{Mutex, PoisonError};

use twox_hash::XxHash3_64;

use super::budget::Part;
use super::command::flag::{RANDOM, WRITE};
use super::command::{Command, Keys};
use super::digest::digest_of;
use super::{Config, Engine, Failure, Item, KeyRef, Mode, Reply, Session};
use crate::value::digest::{Digest, Style};

/// A store in shards.
#[derive(Debug)]
pub struct Shards {
    /// Each in the hands of one thread at a time.
    pub engines: Vec<Mutex<Engine>>,
    /// Shards in use: all, or only the first since a command was met that might reach any key.
    pub used: usize,
}

/// Where a command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In this shard.
    One(usize),
    /// In parts: each takes so many arguments behind the name, the first of them a key.
    Parts(usize),
    /// In one shard, once all of its keys are there.
    Gathered,
    /// In every shard.
    Every,
    /// Anywhere: it may reach keys that it does not name.
    Anywhere,
}

/// The shard of a key.
#[inline]
pub fn shard_of(key: &[u8], used: usize) -> usize {
    if used <= 1 {
        return 0;
    }
    // The high bits of the product: even for any number of shards.
    let hash = XxHash3_64::oneshot(key);
    usize::try_from((u128::from(hash) * used as u128) >> 64).unwrap_or(0)
}

/// Where a command runs when so many shards are in use.
#[inline]
pub fn place(command: &Command, argv: &[&[u8]], used: usize) -> Place {
    if used <= 1 {
        return Place::One(0);
    }
    if let Some(at) = command.only_key() {
        return Place::One(argv.get(at).map_or(0, |key| shard_of(key, used)));
    }
    several(command, argv, used)
}

fn several(command: &Command, argv: &[&[u8]], used: usize) -> Place {
    let step = match command.name {
        "del" | "unlink" | "touch" => 1,
        "mset" => 2,
        "flushall" | "flushdb" | "swapdb" => return Place::Every,
        "eval" | "evalsha" | "fcall" => return Place::Anywhere,
        "sort" if argv.iter().skip(2).any(|arg| arg.contains(&b'*')) => return Place::Anywhere,
        // Libraries and scripts belong to no key: the first shard keeps them.
        name if name.starts_with("function") || name.starts_with("script") => return Place::One(0),
        _ => 0,
    };
    if step > 0 && argv.len() > 1 && (argv.len() - 1).is_multiple_of(step) {
        return Place::Parts(step);
    }
    if let (Keys::None, true) = (command.keys, command.is(WRITE)) {
        return Place::Anywhere;
    }
    let positions = command.key_positions(argv);
    let mut shards = positions.iter().filter_map(|at| argv.get(*at)).map(|key| shard_of(key, used));
    let first = shards.next().unwrap_or(0);
    if shards.all(|shard| shard == first) { Place::One(first) } else { Place::Gathered }
}

/// The parts of a command: the shard of each, and its arguments.
pub fn parts<'a>(
    argv: &'a [&'a [u8]],
    step: usize,
    used: usize,
) -> impl Iterator<Item = (usize, Vec<&'a [u8]>)> {
    let name = argv.first().copied().unwrap_or_default();
    argv.get(1..).unwrap_or_default().chunks(step.max(1)).map(move |part| {
        let shard = part.first().map_or(0, |key| shard_of(key, used));
        (shard, [&[name], part].concat())
    })
}

/// A command to run: `db` is the selected database, and `seed` stands for chance.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// Its row.
    pub command: &'static Command,
    /// The database.
    pub db: u64,
    /// Of the random numbers: another one for every command.
    pub seed: u64,
}

impl Engine {
    /// Runs a command whose keys are all here. Was it left to chance what it changed?
    #[inline]
    pub fn run(&mut self, session: &mut Session, call: &Call, argv: &[&[u8]]) -> (Reply, bool) {
        session.select(call.db);
        if call.command.is(RANDOM) {
            self.rng.seed(self.config.seed ^ call.seed);
        }
        let guessed = self.stats.guessed;
        let reply = self.dispatch(session, call.command, argv);
        (reply, self.stats.guessed != guessed)
    }

    /// Takes a key out of every database.
    fn take_all(&mut self, key: &[u8]) -> Vec<(u64, Item)> {
        let dbs: Vec<u64> = self.dbs.keys().copied().collect();
        let taken = dbs.into_iter().filter_map(|db| Some((db, self.take(db, key)?))).collect();
        self.settle();
        taken
    }

    fn put_all(&mut self, key: &[u8], items: Vec<(u64, Item)>) {
        for (db, item) in items {
            self.keyspace_mut(db).put(key, item);
        }
        self.settle();
    }

    /// Takes everything over that another engine holds.
    pub fn absorb(&mut self, other: &mut Engine) {
        for (db, space) in std::mem::take(&mut other.dbs) {
            match self.dbs.get_mut(&db) {
                Some(own) if !own.is_empty() => {
                    own.reserve(space.len());
                    space.into_items(|key, item| {
                        own.put(key, item);
                    });
                }
                _ => {
                    self.dbs.insert(db, space);
                }
            }
        }
        self.functions.append(&mut other.functions);
        other.settle();
    }
}

/// Runs a command on shards that are all at hand, wherever its keys are.
pub fn run<E: DerefMut<Target = Engine>>(
    engines: &mut [E],
    used: &mut usize,
    session: &mut Session,
    call: &Call,
    argv: &[&[u8]],
) -> (Reply, bool) {
    let nowhere = (Reply::Error(Failure::new("ERR no shard")), false);
    match place(call.command, argv, *used) {
        Place::One(shard) => match engines.get_mut(shard) {
            Some(engine) => engine.run(session, call, argv),
            None => nowhere,
        },
        Place::Parts(step) => {
            let mut all = nowhere;
            for (shard, part) in parts(argv, step, *used) {
                let Some(engine) = engines.get_mut(shard) else { continue };
                all = engine.run(session, call, &part);
                if all.0.is_error() {
                    break;
                }
            }
            all
        }
        Place::Gathered => gathered(engines, *used, session, call, argv),
        Place::Every => {
            let mut all = nowhere;
            for engine in engines.iter_mut().take(*used) {
                all = engine.run(session, call, argv);
            }
            all
        }
        Place::Anywhere => {
            *used = 1;
            let Some((first, others)) = engines.split_first_mut() else { return nowhere };
            others.iter_mut().for_each(|other| first.absorb(other));
            first.run(session, call, argv)
        }
    }
}

/// Brings the keys of a command to one shard, of every database since some commands name two, and takes
/// them home afterwards.
fn gathered<E: DerefMut<Target = Engine>>(
    engines: &mut [E],
    used: usize,
    session: &mut Session,
    call: &Call,
    argv: &[&[u8]],
) -> (Reply, bool) {
    let positions = call.command.key_positions(argv);
    let keys: Vec<&[u8]> = positions.iter().filter_map(|at| argv.get(*at).copied()).collect();
    let host = keys.first().map_or(0, |key| shard_of(key, used));
    let guests =
        || keys.iter().map(|key| (shard_of(key, used), *key)).filter(|(at, _)| *at != host);
    for (home, key) in guests() {
        let items = engines.get_mut(home).map(|engine| engine.take_all(key)).unwrap_or_default();
        if let Some(engine) = engines.get_mut(host) {
            engine.put_all(key, items);
        }
    }
    let Some(engine) = engines.get_mut(host) else {
        return (Reply::Error(Failure::new("ERR no shard")), false);
    };
    let reply = engine.run(session, call, argv);
    for (home, key) in guests() {
        let items = engines.get_mut(host).map(|engine| engine.take_all(key)).unwrap_or_default();
        if let Some(engine) = engines.get_mut(home) {
            engine.put_all(key, items);
        }
    }
    reply
}

impl Shards {
    /// An empty store of so many shards.
    pub fn new(config: &Config, shards: usize) -> Shards {
        let used = shards.max(1);
        let budget = Part::default();
        let engine = |_| Engine { part: budget.another(), ..Engine::new(config.clone()) };
        Shards { engines: (0..used).map(engine).map(Mutex::new).collect(), used }
    }

    /// Every shard, to change it.
    pub fn each_mut(&mut self) -> impl Iterator<Item = &mut Engine> {
        self.engines.iter_mut().map(|e| e.get_mut().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a key in, as a loader does. Was it there already?
    ///
    /// # Errors
    /// When the memory allowed is used up.
    pub fn put(&mut self, db: u64, key: &[u8], item: Item) -> Result<bool, Failure> {
        let shard = shard_of(key, self.used);
        let Some(engine) = self.engines.get_mut(shard) else { return Ok(false) };
        let engine = engine.get_mut().unwrap_or_else(PoisonError::into_inner);
        let before = engine.keyspace(db).map_or(0, |space| space.len());
        engine.put(db, key, item)?;
        Ok(engine.keyspace(db).map_or(0, |space| space.len()) == before)
    }

    /// Removes what has expired by the clocks of the shards; says how many keys.
    pub fn remove_expired(&mut self) -> u64 {
        let remove = |engine: &mut Engine| {
            engine.set_mode(Mode::Serving);
            engine.remove_expired() as u64
        };
        self.each_mut().map(remove).sum()
    }

    /// Bytes held, near enough.
    pub fn memory(&mut self) -> usize {
        self.each_mut().map(|engine| engine.memory()).sum()
    }

    /// All of it in one engine.
    pub fn into_engine(self) -> Engine {
        let mut engines = self
            .engines
            .into_iter()
            .map(|e| e.into_inner().unwrap_or_else(PoisonError::into_inner));
        let mut first = engines.next().unwrap_or_else(|| Engine::new(Config::default()));
        engines.for_each(|mut other| first.absorb(&mut other));
        first
    }

    /// A look at it, when nobody works on it any more.
    pub fn look(&mut self) -> Look<'_> {
        let used = self.used;
        Look { engines: self.each_mut().map(|engine| &*engine).collect(), used }
    }
}

/// A look at a store in shards.
#[derive(Debug)]
pub struct Look<'a> {
    engines: Vec<&'a Engine>,
    used: usize,
}

impl<'a> Look<'a> {
    /// The databases that hold keys, in ascending order.
    pub fn dbs(&self) -> Vec<u64> {
        let dbs = self.engines.iter().flat_map(|engine| engine.keyspaces().map(|(db, _)| db));
        let dbs: std::collections::BTreeSet<u64> = dbs.collect();
        dbs.into_iter().collect()
    }

    /// The keys of a database, in no order that means anything.
    pub fn keys(&self, db: u64) -> impl Iterator<Item = KeyRef<'a>> {
        let spaces = self.engines.iter().filter_map(move |engine| engine.keyspace(db));
        spaces.flat_map(|space| space.iter())
    }

    /// The shards, each with its own keys.
    pub fn shards(&self) -> impl Iterator<Item = &'a Engine> {
        self.engines.iter().copied()
    }

    /// How many keys a database has.
    pub fn len(&self, db: u64) -> usize {
        let spaces = self.engines.iter().filter_map(|engine| engine.keyspace(db));
        spaces.map(|space| space.len()).sum()
    }

    /// A key, expired or not.
    pub fn get(&self, db: u64, key: &[u8]) -> Option<KeyRef<'a>> {
        let space = self.engines.get(shard_of(key, self.used))?.keyspace(db)?;
        space.look(space.find(key)?)
    }

    /// The function libraries by name, each with its code.
    pub fn functions(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.engines.iter().flat_map(|engine| engine.functions())
    }

    /// `DEBUG DIGEST`, by up to `jobs` threads.
    pub fn digest(&self, style: Style, jobs: usize) -> Digest {
        digest_of(&self.engines, style, jobs)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::engine::resolve;

    fn place_of(text: &str, used: usize) -> Place {
        let argv: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
        place(resolve(&argv).unwrap(), &argv, used)
    }

    #[test]
    fn places() {
        let one = |key: &str| Place::One(shard_of(key.as_bytes(), 4));
        // Two keys of different shards.
        let other = (0..).map(|n| format!("k{n}")).find(|k| one(k) != one("a")).unwrap();
        assert_eq!(place_of("SET a 1", 4), one("a"));
        assert_eq!(place_of(&format!("SET {other} 1"), 4), one(&other));
        assert_eq!(place_of(&format!("RENAME a {other}"), 4), Place::Gathered);
        assert_eq!(place_of("RENAME a a", 4), one("a"));
        assert_eq!(place_of("DEL a b", 4), Place::Parts(1));
        assert_eq!(place_of("MSET a b c d", 4), Place::Parts(2));
        assert_ne!(place_of("MSET a b c", 4), Place::Parts(2), "its error is the command's");
        assert_eq!(place_of("SWAPDB 0 1", 4), Place::Every);
        assert_eq!(place_of("FUNCTION FLUSH", 4), Place::One(0));
        assert_eq!(place_of("SORT a BY w* STORE b", 4), Place::Anywhere);
        assert_eq!(place_of("EVAL return 0", 4), Place::Anywhere);
        assert_eq!(place_of("EVAL return 0", 1), Place::One(0));
    }

    #[test]
    fn shards_get_their_share() {
        for used in [1, 2, 3, 8] {
            let mut counts = vec![0; used];
            for n in 0..8000 {
                counts[shard_of(format!("key:{n}").as_bytes(), used)] += 1;
            }
            assert!(counts.iter().all(|count| (7000 / used..=9000 / used).contains(count)));
        }
    }
}
