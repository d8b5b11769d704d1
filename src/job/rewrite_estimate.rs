//! How much of an AOF a rewrite would drop: an estimate, in one pass and bounded memory, without running
//! a command. Of a sample of the keys it is followed what they hold, as far as commands say it (`SET`
//! replaces, `HSET` and `ZADD` put elements by their names, `RPUSH` adds, `LPOP` takes away, `DEL` removes),
//! and at the end the commands are measured that a rewrite writes for that.
//!
//! Not followed is what depends on the data: which elements a `ZREMRANGEBYSCORE` removes, how many a
//! `SINTERSTORE` leaves. Elements of hashes and sets are known by hashes of their names.
//!
//! The sample is of all keys until there are too many; then every second one is let go, by its hash, and so
//! on; the same for the elements of a key. The result depends on the order of the file alone.

mod ops;

use hashbrown::HashMap;

pub use ops::Ops;
use ops::{Effect, FUNCTIONS, Op, bulk};

/// Databases that are emptied each by itself; those beyond are together.
const DATABASES: usize = 64;

/// Keys that are followed.
const KEYS: usize = 1 << 16;

/// Elements that are followed, of all keys together and of one.
const ELEMENTS: usize = 1 << 18;
const ELEMENTS_OF_ONE: usize = 1 << 12;

/// Elements that a rewrite puts into one command (`AOF_REWRITE_ITEMS_PER_CMD`).
const PER_COMMAND: u64 = 64;

/// Bytes of a command without its key and elements: `*3\r\n$4\r\nSADD\r\n`.
const COMMAND: u64 = 14;

/// Bytes of `PEXPIREAT key 1795357326000` without the key.
const EXPIRE: u64 = 39;

/// Bytes of a string that was not seen whole, such as a counter.
const NUMBER: u64 = 7;

/// What a key holds.
#[derive(Debug, Clone, Default)]
enum Live {
    /// It is not there.
    #[default]
    Nothing,
    /// A string of so many bytes.
    Whole(u64),
    /// Elements in an order: how many, and their bytes.
    Row { count: u64, bytes: u64 },
    /// Elements by name: the bytes of a sample, of which so many bits of the hash are zero, and how many
    /// were taken out without saying which.
    Named { bytes: HashMap<u64, u64>, level: u32, popped: u64 },
}

impl Live {
    /// Bytes of the commands that make it.
    fn rewritten(&self, name: u64) -> u64 {
        let elements =
            |count: u64, bytes: u64| bytes + count.div_ceil(PER_COMMAND) * (COMMAND + name);
        match self {
            Live::Nothing => 0,
            Live::Whole(bytes) => COMMAND + name + bytes,
            Live::Row { count, bytes } => elements(*count, *bytes),
            Live::Named { bytes, level, popped } => {
                let sampled = (bytes.len() as u64) << level;
                let left = sampled.saturating_sub(*popped);
                let all: u64 = bytes.values().sum::<u64>() << level;
                let share = left as f64 / sampled.max(1) as f64;
                elements(left, (all as f64 * share) as u64)
            }
        }
    }

    fn elements(&self) -> usize {
        match self {
            Live::Named { bytes, .. } => bytes.len(),
            _ => 0,
        }
    }

    /// Puts elements by name.
    fn set(&mut self, elements: &[(u64, u64)]) {
        if !matches!(self, Live::Named { .. }) {
            *self = Live::Named { bytes: HashMap::new(), level: 0, popped: 0 };
        }
        let Live::Named { bytes, level, popped } = self else { return };
        for (hash, len) in elements {
            if is_sampled(*hash, *level) && bytes.insert(*hash, *len).is_none() && *popped > 0 {
                // As well one of those that had been taken out.
                *popped -= (1 << *level).min(*popped);
            }
        }
        while bytes.len() > ELEMENTS_OF_ONE {
            *level += 1;
            bytes.retain(|hash, _| is_sampled(*hash, *level));
        }
    }

    fn unset(&mut self, elements: &[(u64, u64)]) {
        if let Live::Named { bytes, .. } = self {
            for (hash, _) in elements {
                bytes.remove(hash);
            }
        }
    }

    fn push(&mut self, elements: &[(u64, u64)]) {
        let (mut count, mut bytes) = match self {
            Live::Row { count, bytes } => (*count, *bytes),
            _ => (0, 0),
        };
        count += elements.len() as u64;
        bytes += elements.iter().map(|(_, len)| len).sum::<u64>();
        *self = Live::Row { count, bytes };
    }

    /// Takes elements away, of average size.
    fn keep(&mut self, left: impl Fn(u64) -> u64) {
        match self {
            Live::Row { count, bytes } => {
                let left = left(*count).min(*count);
                *bytes = (*bytes as f64 * (left as f64 / (*count).max(1) as f64)) as u64;
                *count = left;
            }
            Live::Named { bytes, level, popped } => {
                let there = ((bytes.len() as u64) << *level).saturating_sub(*popped);
                *popped += there - left(there).min(there);
            }
            Live::Nothing | Live::Whole(_) => {}
        }
    }

    /// Bytes of a string; 0 of anything else.
    fn string(&self) -> u64 {
        if let Live::Whole(bytes) = self { *bytes } else { 0 }
    }
}

/// Whether a hash is in a sample.
fn is_sampled(hash: u64, level: u32) -> bool {
    hash.trailing_zeros() >= level
}

/// A key that is followed.
#[derive(Debug, Clone, Default)]
struct Key {
    /// Its database, as far as they are told apart; `None` of function libraries, which are in none.
    db: Option<usize>,
    /// How many times databases had been emptied when it was last touched.
    time: u64,
    /// Bytes of its name in a command.
    name: u64,
    live: Live,
    expires: bool,
    /// Bytes of its commands.
    seen: u64,
}

/// Follows a sample of the keys.
#[derive(Debug, Clone, Default)]
pub struct Estimate {
    keys: HashMap<u64, Key>,
    level: u32,
    /// Elements of all keys.
    elements: usize,
    /// How many times databases were emptied, and when each was last: keys find out when they are touched.
    time: u64,
    emptied: Vec<u64>,
    /// Bytes of commands without a key, and of all.
    keyless: u64,
    bytes: u64,
}

impl Estimate {
    /// Takes commands, in the order of the file.
    pub fn add(&mut self, ops: &Ops) {
        self.keyless += ops.keyless;
        self.bytes += ops.bytes;
        let mut elements = ops.elements.as_slice();
        for op in &ops.ops {
            let (own, rest) = elements.split_at_checked(op.elements).unwrap_or((elements, &[]));
            elements = rest;
            self.one(op, own);
        }
    }

    fn one(&mut self, op: &Op, elements: &[(u64, u64)]) {
        if let Effect::RemovesAll(db) = op.effect {
            self.empty(db);
            self.keyless += op.bytes;
            return;
        }
        let source = match op.effect {
            Effect::Becomes(from, moved) => self.source(from, moved),
            _ => None,
        };
        if !is_sampled(op.key, self.level) {
            return;
        }
        let key = self.keys.entry(op.key).or_default();
        let before = key.live.elements();
        key.find_out(&self.emptied);
        (key.db, key.name, key.time) = (database(op.db), op.name, self.time);
        key.seen += op.bytes;
        key.change(op.effect, elements, source);
        self.elements = self.elements + key.live.elements() - before;
        while self.keys.len() > KEYS || self.elements > ELEMENTS {
            self.level += 1;
            self.keys.retain(|key, _| is_sampled(*key, self.level));
            self.keys.values_mut().for_each(|key| key.find_out(&self.emptied));
            self.elements = self.keys.values().map(|key| key.live.elements()).sum();
        }
    }

    /// Empties a database, or all.
    fn empty(&mut self, db: Option<u64>) {
        self.time += 1;
        self.emptied.resize(DATABASES, 0);
        match db.map(database) {
            Some(db) => {
                let emptied = db.and_then(|db| self.emptied.get_mut(db));
                emptied.into_iter().for_each(|time| *time = self.time);
            }
            None => self.emptied.fill(self.time),
        }
    }

    /// What another key holds, if it is followed.
    fn source(&mut self, from: u64, moved: bool) -> Option<Live> {
        let key = self.keys.get_mut(&from)?;
        let before = key.live.elements();
        key.find_out(&self.emptied);
        self.elements -= before - key.live.elements();
        if !moved {
            return Some(key.live.clone());
        }
        self.elements -= key.live.elements();
        Some(std::mem::take(&mut key.live))
    }

    /// The share of the bytes of commands that a rewrite would drop; `None` without any on keys.
    pub fn dropped(&self) -> Option<f64> {
        let seen: u64 = self.keys.values().map(|key| key.seen).sum();
        let is_there = |key: &&Key| !key.is_emptied(&self.emptied);
        let left: u64 = self.keys.values().filter(is_there).map(Key::rewritten).sum();
        let share = 1.0 - left as f64 / seen as f64;
        // What has no key (MULTI, EXEC, SELECT) is gone as well.
        let keyless = self.keyless as f64 / self.bytes.max(1) as f64;
        (seen > 0).then(|| (keyless + (1.0 - keyless) * share).clamp(0.0, 1.0))
    }
}

/// The number under which a database is told apart.
fn database(db: u64) -> Option<usize> {
    (db != FUNCTIONS).then(|| usize::try_from(db).unwrap_or(DATABASES).min(DATABASES - 1))
}

impl Key {
    /// Whether its database was emptied since it was touched.
    fn is_emptied(&self, emptied: &[u64]) -> bool {
        self.db.and_then(|db| emptied.get(db)).is_some_and(|time| *time > self.time)
    }

    fn find_out(&mut self, emptied: &[u64]) {
        if self.is_emptied(emptied) {
            self.live = Live::Nothing;
            self.expires = false;
        }
    }

    fn rewritten(&self) -> u64 {
        let expire = if self.expires { EXPIRE + self.name } else { 0 };
        match self.live {
            Live::Nothing => 0,
            _ => self.live.rewritten(self.name) + expire,
        }
    }

    fn change(&mut self, effect: Effect, elements: &[(u64, u64)], source: Option<Live>) {
        let live = &mut self.live;
        match effect {
            Effect::Replaces(bytes, expires) => {
                *live = Live::Whole(bytes);
                self.expires = expires;
            }
            Effect::Appends(bytes) => *live = Live::Whole(live.string() + bytes),
            Effect::AtLeast(bytes) => {
                let bytes = usize::try_from(bytes).map_or(0, bulk);
                *live = Live::Whole(live.string().max(bytes));
            }
            Effect::Sets => live.set(elements),
            Effect::Unsets => live.unset(elements),
            Effect::Pushes => live.push(elements),
            Effect::Pops(count) => live.keep(|there| there.saturating_sub(count)),
            Effect::Keeps(count) => live.keep(|there| there.min(count)),
            Effect::Expires(expires) => self.expires = expires,
            Effect::Becomes(..) => *live = source.unwrap_or(Live::Whole(NUMBER)),
            Effect::Changes => {
                if let Live::Nothing = live {
                    *live = Live::Whole(NUMBER);
                }
            }
            Effect::Removes | Effect::RemovesAll(_) => {
                *live = Live::Nothing;
                self.expires = false;
            }
        }
        if live.is_empty() {
            *live = Live::Nothing;
            self.expires = false;
        }
    }
}

impl Live {
    /// Whether nothing is left of it.
    fn is_empty(&self) -> bool {
        match self {
            Live::Nothing => true,
            Live::Whole(_) => false,
            Live::Row { count, .. } => *count == 0,
            Live::Named { bytes, level, popped } => *popped >= (bytes.len() as u64) << level,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::job::commands::{Known, look};

    fn add(ops: &mut Ops, command: &str) {
        let args: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        let Known::Yes(row) = look(&args) else { unreachable!("{command}") };
        let head = format!("*{}\r\n", args.len()).len() as u64;
        let bytes = head + args.iter().map(|arg| bulk(arg.len())).sum::<u64>();
        ops.command(0, Some(row), &args, &row.key_positions(&args), bytes);
    }

    /// What is left of commands, and what must be written for these.
    fn left(commands: &[&str]) -> f64 {
        let mut ops = Ops::default();
        commands.iter().for_each(|command| add(&mut ops, command));
        let mut estimate = Estimate::default();
        estimate.add(&ops);
        (1.0 - estimate.dropped().unwrap()) * ops.bytes as f64
    }

    #[test]
    fn what_is_overwritten_is_dropped() {
        let cases: &[(&[&str], &[&str])] = &[
            (&["SET k value"], &["SET k value"]),
            (&["SET k value", "SET k v2"], &["SET k v2"]),
            (&["SET k value", "DEL k"], &[]),
            (&["SET k value", "FLUSHALL", "SET j 1"], &["SET j 1"]),
            (&["HSET h f 1", "HSET h f 2 g 3", "HDEL h g"], &["HSET h f 2"]),
            (&["SADD s a b", "SREM s b c", "SADD s a"], &["SADD s a"]),
            (&["ZADD z 1 a", "ZADD z NX 2 b", "ZINCRBY z 3 a"], &["ZADD z 3 a 2 b"]),
            (&["ZADD z 1 a 2 b 3 c", "ZPOPMIN z 2"], &["ZADD z 1 a"]),
            (&["RPUSH l a b c", "LPUSH l d", "LPOP l", "RPOP l 2"], &["RPUSH l a"]),
            (&["RPUSH l a b c d", "LTRIM l 0 1"], &["RPUSH l a b"]),
            (&["RPUSH l a b c d", "LTRIM l 1 -1", "LTRIM l 0 -3"], &["RPUSH l a"]),
            (&["RPUSH l a b", "LPOP l 2"], &[]),
            (&["SET a 12", "FLUSHDB", "APPEND a 3456", "FLUSHALL", "SET a 1"], &["SET a 1"]),
            (&["SET a 12", "FLUSHDB"], &[]),
            (&["SET a 12", "RENAME a b"], &["SET b 12"]),
            (
                // No more can be left than there was, so something goes.
                &["SET c 12345678901234567890", "DEL c", "SADD a 12 13", "COPY a b"],
                &["SADD a 12 13", "SADD b 12 13"],
            ),
            (&["MSET a 1 b 2", "SET a 3"], &["SET b 2", "SET a 3"]),
        ];
        for (commands, want) in cases {
            let mut ops = Ops::default();
            want.iter().for_each(|command| add(&mut ops, command));
            let (got, want) = (left(commands), ops.bytes as f64);
            // Names of commands are taken for four letters long.
            assert!((got - want).abs() <= 3.0, "{commands:?}: {got} for {want}");
        }
    }

    #[test]
    fn a_stream_that_is_trimmed() {
        let left = left(&["XADD x 1-1 f v", "XADD x 1-2 f v", "XTRIM x MAXLEN = 1"]);
        // Every entry is a command of its own, of 44 bytes; that the head of one more is counted for every
        // 64 of them does not matter.
        assert!((left - 44.0 - 21.0).abs() < 1.0, "{left}");
    }

    #[test]
    fn a_sample_is_enough() {
        // Many keys, every fourth of them overwritten; and one hash with many fields, likewise.
        let mut estimate = Estimate::default();
        for round in [1, 4] {
            for chunk in 0..400 {
                let mut ops = Ops::default();
                for n in (chunk * 1000..(chunk + 1) * 1000).step_by(round) {
                    add(&mut ops, &format!("SET key:{n:07} {:040}", n));
                    add(&mut ops, &format!("HSET hash field:{n:07} {:040}", n));
                }
                estimate.add(&ops);
            }
        }
        assert!(estimate.keys.len() <= KEYS && estimate.elements <= ELEMENTS);
        let strings = estimate.keys.values().filter(|key| matches!(key.live, Live::Whole(_)));
        let (seen, left) =
            strings.fold((0, 0), |(seen, left), key| (seen + key.seen, left + key.rewritten()));
        let share = 1.0 - left as f64 / seen as f64;
        assert!((share - 0.2).abs() < 0.02, "{share}");
    }
}
