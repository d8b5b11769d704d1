//! How much of an AOF a rewrite would drop: an estimate, in one pass and bounded memory, without running
//! a command.
//!
//! For a sample of the keys the bytes are counted that still matter: a command that replaces a value
//! (SET) makes all before it count for nothing, one that removes the key (DEL) counts for nothing itself,
//! one that adds to it (RPUSH, HSET) counts, one that takes from it (SREM, LPOP) takes its own size off,
//! and one that changes it in place (INCR, PEXPIREAT) counts once. What is overwritten inside a
//! collection is not seen, so the truth is rather more than the estimate.
//!
//! The sample is of all keys until there are too many; then every second one is let go, by its hash, and so
//! on. The result depends on the order of the file alone.

use hashbrown::HashMap;

use crate::engine::command::{Command, flag};

/// Keys that are followed.
const KEYS: usize = 1 << 16;

/// What a command does to the bytes of its key that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Replaces the value.
    Replaces,
    /// Removes the key.
    Removes,
    /// Adds to the value.
    Grows,
    /// Takes from the value.
    Shrinks,
    /// Changes the value in place, or only something about the key.
    Changes,
    /// Removes all keys of all databases.
    RemovesAll,
}

/// One command on one key.
#[derive(Debug, Clone, Copy)]
pub struct Op {
    /// Hash of database and key.
    pub key: u64,
    /// What it does.
    pub effect: Effect,
    /// Its bytes, or its part of them where it is on several keys.
    pub bytes: u64,
}

/// What a command does, by its name.
pub fn effect(row: &Command) -> Effect {
    match row.name {
        "del" | "unlink" | "getdel" | "move" => Effect::Removes,
        "flushall" | "flushdb" | "swapdb" => Effect::RemovesAll,
        "set" | "setnx" | "getset" | "setex" | "psetex" | "mset" | "msetnx" | "msetex"
        | "restore" | "restore-asking" | "sort" | "copy" | "bitop" | "sunionstore"
        | "sinterstore" | "sdiffstore" | "zunionstore" | "zinterstore" | "zdiffstore"
        | "zrangestore" | "geosearchstore" | "rename" | "renamenx" => Effect::Replaces,
        "lpop" | "rpop" | "srem" | "hdel" | "zrem" | "spop" | "xdel" | "ltrim" | "xtrim"
        | "lrem" | "zpopmin" | "zpopmax" | "zremrangebyrank" | "zremrangebyscore"
        | "zremrangebylex" | "lmpop" | "zmpop" | "xackdel" | "xdelex" | "ardel" | "ardelrange" => {
            Effect::Shrinks
        }
        "append" | "rpush" | "lpush" | "rpushx" | "lpushx" | "linsert" | "sadd" | "zadd"
        | "hset" | "hmset" | "hsetnx" | "hsetex" | "xadd" | "pfadd" | "geoadd" | "arset"
        | "armset" | "arinsert" => Effect::Grows,
        _ => Effect::Changes,
    }
}

/// Whether a command is of the kind that is followed.
pub fn is_followed(row: &Command) -> bool {
    row.is(flag::WRITE)
}

/// Follows a sample of the keys.
#[derive(Debug, Clone, Default)]
pub struct Estimate {
    /// Bytes that still matter, of each key.
    live: HashMap<u64, u64>,
    /// Low bits of a hash that must be zero for a key to be followed.
    level: u32,
    /// All bytes of the keys that are followed now, since they are.
    seen: HashMap<u64, u64>,
}

impl Estimate {
    /// Takes a command on one key, in the order of the file.
    pub fn add(&mut self, op: Op) {
        if op.effect == Effect::RemovesAll {
            self.live.values_mut().for_each(|live| *live = 0);
            return;
        }
        if op.key.trailing_zeros() < self.level {
            return;
        }
        *self.seen.entry(op.key).or_insert(0) += op.bytes;
        let live = self.live.entry(op.key).or_insert(0);
        *live = match op.effect {
            Effect::Replaces => op.bytes,
            Effect::Removes | Effect::RemovesAll => 0,
            Effect::Grows => *live + op.bytes,
            Effect::Shrinks => live.saturating_sub(op.bytes),
            Effect::Changes => op.bytes.max(*live),
        };
        while self.live.len() > KEYS {
            self.level += 1;
            let followed = |key: &u64| key.trailing_zeros() >= self.level;
            self.live.retain(|key, _| followed(key));
            self.seen.retain(|key, _| followed(key));
        }
    }

    /// The share of the bytes of commands on keys that a rewrite would drop; `None` without any.
    pub fn dropped(&self) -> Option<f64> {
        let seen: u64 = self.seen.values().sum();
        let live: u64 = self.live.values().sum();
        (seen > 0).then(|| 1.0 - live.min(seen) as f64 / seen as f64)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::job::distinct::key_hash;

    fn dropped(ops: impl Iterator<Item = (u64, Effect, u64)>) -> f64 {
        let mut estimate = Estimate::default();
        let hash = |key: u64| key_hash(0, &key.to_le_bytes());
        ops.for_each(|(key, effect, bytes)| estimate.add(Op { key: hash(key), effect, bytes }));
        estimate.dropped().unwrap()
    }

    #[test]
    fn what_is_overwritten_is_dropped() {
        use Effect::{Changes, Grows, Removes, RemovesAll, Replaces, Shrinks};
        let cases: &[(&[(u64, Effect, u64)], f64)] = &[
            (&[(1, Replaces, 30)], 0.0),
            (&[(1, Replaces, 30), (1, Replaces, 30)], 0.5),
            (&[(1, Replaces, 30), (1, Removes, 10)], 1.0),
            (&[(1, Grows, 30), (1, Grows, 30), (1, Shrinks, 20)], 0.5),
            (&[(1, Changes, 20), (1, Changes, 20), (1, Changes, 20), (1, Changes, 20)], 0.75),
            (&[(1, Replaces, 30), (2, Replaces, 30), (3, RemovesAll, 0)], 1.0),
        ];
        for (ops, want) in cases {
            assert!((dropped(ops.iter().copied()) - want).abs() < 1e-9, "{ops:?}");
        }
    }

    #[test]
    fn a_sample_is_enough() {
        // A million keys, every fourth of them overwritten: a fifth of the bytes.
        let sets = (0..1_000_000).map(|key| (key, Effect::Replaces, 40));
        let again = (0..1_000_000).step_by(4).map(|key| (key, Effect::Replaces, 40));
        let share = dropped(sets.chain(again));
        assert!((share - 0.2).abs() < 0.01, "{share}");
    }
}
