//! `DEBUG DIGEST`: one fingerprint of all data (FORMATS D).
//!
//! ```text
//! for each db with keys, ascending:  final = mix(db, u32 big endian)
//!   for each key:                    final = xor(mix(key) and the value's part)
//! ```
//! (`mix` and `xor` as in [`crate::value::digest`].) A key's part depends on nothing but the key, and
//! parts are xored: workers share the walk of one
//! database, and the result is the same for any number of them.

use std::collections::BTreeMap;

use super::{Engine, Keyspace};
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
    let mut dbs: BTreeMap<u64, Vec<&Keyspace>> = BTreeMap::new();
    for (db, space) in engines.iter().flat_map(|engine| engine.keyspaces()) {
        dbs.entry(db).or_default().push(space);
    }
    let mut total = Fold::new(style);
    for (db, spaces) in dbs {
        // The servers take 32 bits of the number in.
        total.mix(&(db as u32).to_be_bytes());
        for space in spaces {
            total.merge(all_keys(space, style, jobs));
        }
    }
    total.sum()
}

/// The xor of every key's digest.
fn all_keys(space: &Keyspace, style: Style, jobs: usize) -> Digest {
    // A thread costs more than hashing a thousand small keys.
    let jobs = jobs.clamp(1, 1 + space.len() / 1000);
    let part = |part| {
        let mut sum = Fold::new(style);
        for key in space.part(part, jobs) {
            let mut fold = Fold::new(style);
            fold.mix(key.key);
            fold_value(&mut fold, key.value, key.expire_at_ms.is_some());
            sum.xor(&fold.sum().0);
        }
        sum.sum()
    };
    let mut sum = Fold::new(style);
    join::all((0..jobs).map(|n| move || part(n))).into_iter().for_each(|part| sum.merge(part));
    sum.sum()
}
