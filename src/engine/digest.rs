//! `DEBUG DIGEST`: one fingerprint of all data (FORMATS D).
//!
//! ```text
//! for each db with keys, ascending:  final = mix(db, u32 big endian)
//!   for each key:                    final = xor(mix(key) and the value's part)
//! ```
//! (`mix` and `xor` as in [`crate::value::digest`].) A key's part depends on nothing but the key, and
//! parts are xored: workers share the walk, and the result is the same for any number of them.

use std::collections::BTreeMap;

use super::{Engine, KeyRef, Keyspace};
use crate::join;
use crate::value::digest::{Digest, Fold, Style, fold_value, of_value};

impl Engine {
    /// `DEBUG DIGEST`, computed by up to `jobs` threads. Keys whose time has come count as long as they
    /// are there. A dataset without keys gives zeros.
    pub fn digest(&self, style: Style, jobs: usize) -> Digest {
        digest_of(&[self], style, jobs)
    }

    /// `DEBUG DIGEST-VALUE` of one key; zeros if there is none.
    pub fn digest_value(&self, db: u64, key: &[u8], style: Style) -> Digest {
        let Some(space) = self.keyspace(db) else { return Digest::default() };
        match space.find(key).map(|slot| (space.value(slot), space.expire(slot))) {
            Some((Some(value), expire)) => of_value(value, expire.is_some(), style),
            _ => Digest::default(),
        }
    }
}

/// `DEBUG DIGEST` of what several engines hold together.
pub(super) fn digest_of(engines: &[&Engine], style: Style, jobs: usize) -> Digest {
    let spaces: Vec<(u64, &Keyspace)> =
        engines.iter().flat_map(|engine| engine.keyspaces()).collect();
    let keys: usize = spaces.iter().map(|(_, space)| space.len()).sum();
    // A thread costs more than hashing a thousand small keys.
    let jobs = jobs.clamp(1, 1 + keys / 1000);
    let part = |part| {
        let mut sums = Sums::new(style);
        for (db, space) in &spaces {
            space.part(part, jobs).for_each(|key| sums.take(*db, &key));
        }
        sums
    };
    let mut sums = Sums::new(style);
    let part = &part;
    join::all((0..jobs).map(|n| move || part(n))).iter().for_each(|part| sums.add(part));
    sums.digest()
}

/// `DEBUG DIGEST` in the making: what the keys of each database come to.
#[derive(Debug, Clone)]
pub struct Sums {
    style: Style,
    dbs: BTreeMap<u64, Fold>,
}

impl Sums {
    /// Of no keys yet.
    pub fn new(style: Style) -> Sums {
        Sums { style, dbs: BTreeMap::new() }
    }

    /// Takes a key in.
    pub fn take(&mut self, db: u64, key: &KeyRef<'_>) {
        let mut fold = Fold::new(self.style);
        fold.mix(key.key);
        fold_value(&mut fold, key.value, key.expire_at_ms.is_some());
        self.dbs.entry(db).or_insert_with(|| Fold::new(self.style)).xor(&fold.sum().0);
    }

    /// Takes in what others came to, of other keys.
    pub fn add(&mut self, other: &Sums) {
        for (db, sum) in &other.dbs {
            self.dbs.entry(*db).or_insert_with(|| Fold::new(self.style)).merge(sum.sum());
        }
    }

    /// The digest of all.
    pub fn digest(&self) -> Digest {
        let mut total = Fold::new(self.style);
        for (db, keys) in &self.dbs {
            // The servers take 32 bits of the number in.
            total.mix(&(*db as u32).to_be_bytes());
            total.merge(keys.sum());
        }
        total.sum()
    }
}
