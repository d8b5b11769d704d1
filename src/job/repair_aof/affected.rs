//! Keys that are not what they were, because a command on them is lost: what later commands make of them is
//! suspect, until one replaces them.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::ops::Range;

use super::chain::{HEAD, cost, readable, star, step};
use super::resync::Resync;
use crate::engine::command::flag;
use crate::job::commands::{Known, look};
use crate::job::window::Window;

/// Keys that are told apart; with more of them, all are taken to be affected.
const KEYS_MAX: usize = 1 << 20;

/// Commands after which their keys are what they say, whatever was there.
const REPLACING: [&str; 7] = ["set", "setex", "psetex", "mset", "restore", "del", "unlink"];

/// Words of them that make that depend on what was there.
const CONDITIONS: [&[u8]; 4] = [b"nx", b"xx", b"ifeq", b"ifne"];

/// Keys that are affected.
#[derive(Debug, Default)]
pub struct Affected {
    /// All are, but for those in `keys`.
    is_all: bool,
    keys: HashSet<(u64, u64)>,
    hasher: RandomState,
}

impl Affected {
    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        !self.is_all && self.keys.is_empty()
    }

    /// Every key is.
    pub fn all(&mut self) {
        self.is_all = true;
        self.keys.clear();
    }

    /// The keys of a command are.
    pub fn add(&mut self, db: u64, args: &[&[u8]]) {
        match look(args) {
            Known::Yes(row) => {
                let places = row.key_positions(args);
                places.into_iter().filter_map(|at| args.get(at)).for_each(|key| self.put(db, key));
            }
            Known::Idle(_) | Known::Stray(_) => {}
            // Of nearly all commands the first argument is a key.
            Known::No | Known::Module | Known::Arity(_) => {
                args.get(1).into_iter().for_each(|key| self.put(db, key));
            }
        }
    }

    /// Keys of commands that can be read in some bytes are affected by their loss.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) fn lose(
        &mut self,
        window: &mut Window,
        resync: &mut Resync,
        span: Range<u64>,
        mut db: u64,
    ) -> io::Result<()> {
        let mut at = span.start;
        resync.losing.begin_gap();
        while at < span.end {
            let bytes = window.at(at, HEAD)?;
            let left = usize::try_from(span.end - at).unwrap_or(usize::MAX).min(HEAD);
            let bytes = bytes.get(..left).unwrap_or(bytes);
            let args = readable(bytes);
            if let [name, first, ..] = args.as_slice() {
                if name.eq_ignore_ascii_case(b"select") {
                    db = std::str::from_utf8(first).ok().and_then(|n| n.parse().ok()).unwrap_or(db);
                } else if !matches!(look(&args), Known::No) {
                    self.add(db, &args);
                }
            }
            let stepped = step(bytes, u64::MAX);
            // Its arguments were read twice.
            if !resync.losing.charge(2 * cost(&stepped) + 1) {
                self.all();
                break;
            }
            let skipped = stepped.map_or(1, |step| step.len);
            let rest = bytes.get(skipped..).unwrap_or_default();
            let next = star(rest).unwrap_or(rest.len());
            at += (skipped + next).max(1) as u64;
        }
        resync.losing.end_gap();
        Ok(())
    }

    fn name(&self, db: u64, key: &[u8]) -> (u64, u64) {
        (db, self.hasher.hash_one(key))
    }

    fn put(&mut self, db: u64, key: &[u8]) {
        let name = self.name(db, key);
        if self.is_all {
            self.keys.remove(&name);
        } else if self.keys.len() < KEYS_MAX {
            self.keys.insert(name);
        } else {
            self.all();
        }
    }

    fn clear(&mut self, db: u64, key: &[u8]) {
        let name = self.name(db, key);
        if !self.is_all {
            self.keys.remove(&name);
        } else if self.keys.len() < KEYS_MAX {
            self.keys.insert(name);
        }
    }

    fn has(&self, db: u64, key: &[u8]) -> bool {
        self.keys.contains(&self.name(db, key)) != self.is_all
    }

    /// A command is run: whether it is on an affected key. All keys of it are then.
    pub fn meet(&mut self, db: u64, args: &[&[u8]]) -> bool {
        if self.is_empty() {
            return false;
        }
        let Known::Yes(row) = look(args) else { return false };
        match row.name {
            "flushall" => *self = Affected::default(),
            "flushdb" if !self.is_all => self.keys.retain(|(at, _)| *at != db),
            _ => {}
        }
        if !row.is(flag::WRITE) {
            return false;
        }
        let keys: Vec<&[u8]> =
            row.key_positions(args).into_iter().filter_map(|at| args.get(at).copied()).collect();
        let is_condition =
            |arg: &&[u8]| CONDITIONS.iter().any(|word| arg.eq_ignore_ascii_case(word));
        if REPLACING.contains(&row.name) && !args.iter().skip(3).any(is_condition) {
            keys.iter().for_each(|key| self.clear(db, key));
            return false;
        }
        let is_affected = keys.iter().any(|key| self.has(db, key));
        if is_affected {
            keys.iter().for_each(|key| self.put(db, key));
        }
        is_affected
    }
}
