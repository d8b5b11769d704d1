//! A point in time of the data, to be written down while commands go on: copy on write of single keys.
//!
//! The keys are walked in the order of their slots. A key that a command is about to change, remove or
//! replace is set aside as it was first, unless the walk is past it; a key that is new gets no place in the
//! walk. So what is walked and set aside together is the data at the moment the point was begun, each key
//! once.
//!
//! ```text
//! slots   [ walked ……… | next ……………… end | new since ]
//! done      (behind)     1 bit a slot: set aside, or filled since
//! ```
//! Slots are stable: growing the table moves none of them. A database that is flushed is put away as a
//! whole until it is walked, and one that is swapped takes its point along.
//!
//! What it costs: a bit a slot; a copy of each key that changes before it was walked, until the next
//! [`Engine::take_kept`]; the flushed databases. The longest pause is that of copying the largest single
//! key. There is one point at a time.

use super::keyspace::{Item, KeyRef, Keyspace};
use super::{Engine, Mode};
use crate::value::dict::Slot;
use crate::value::{Bytes, Value};

/// Slots of a step.
const STEP: usize = 16;

/// What a keyspace knows of the point.
#[derive(Debug)]
pub(super) struct Point {
    /// The database it was then.
    db: u64,
    next: usize,
    end: usize,
    done: Vec<u64>,
    kept: Vec<(Bytes, Item)>,
}

impl Point {
    fn is_done(&self, index: usize) -> bool {
        self.done.get(index / 64).is_none_or(|word| word >> (index % 64) & 1 == 1)
    }

    /// Is the entry in this slot, if any, still to be walked?
    pub(super) fn awaits(&self, slot: Slot) -> bool {
        let index = slot.index();
        (self.next..self.end).contains(&index) && !self.is_done(index)
    }

    /// The entry that is in this slot from now on is not to be walked.
    pub(super) fn pass(&mut self, slot: Slot) {
        let index = slot.index();
        if let Some(word) = self.done.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    /// Sets a key aside.
    pub(super) fn keep(&mut self, slot: Slot, key: Bytes, item: Item) {
        self.pass(slot);
        self.kept.push((key, item));
    }
}

/// A database at the moment of the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// Its number.
    pub db: u64,
    /// Keys.
    pub keys: u64,
    /// Those with an expire time.
    pub expires: u64,
}

impl Keyspace {
    fn begin_point(&mut self, db: u64) -> Section {
        let end = self.slots();
        let done = vec![0; end.div_ceil(64)];
        self.point = Some(Box::new(Point { db, next: 0, end, done, kept: Vec::new() }));
        Section { db, keys: self.len() as u64, expires: self.expires_len() as u64 }
    }

    fn is_of(&self, db: u64) -> bool {
        self.point.as_ref().is_some_and(|point| point.db == db)
    }

    /// Walks the next few slots; false when there are no more.
    fn walk(&mut self, visit: &mut dyn FnMut(KeyRef<'_>)) -> bool {
        let Some(mut point) = self.point.take() else { return false };
        let stop = point.next.saturating_add(STEP).min(point.end);
        for index in point.next..stop {
            if let (false, Some(slot)) = (point.is_done(index), self.slot(index)) {
                self.look(slot).into_iter().for_each(&mut *visit);
            }
        }
        point.next = stop;
        let more = stop < point.end.min(self.slots());
        if !more {
            point.next = point.end;
        }
        self.point = Some(point);
        more
    }
}

impl Engine {
    /// Begins a point in time: what is walked from now on is the data as it is at this moment. The
    /// databases that hold keys, ascending.
    pub fn begin_point(&mut self) -> Vec<Section> {
        self.end_point();
        let spaces = self.dbs.iter_mut().filter(|(_, space)| !space.is_empty());
        spaces.map(|(db, space)| space.begin_point(*db)).collect()
    }

    /// Hands out the next few keys that database `db` had then; false when there are no more of them
    /// (but some may have been set aside).
    pub fn walk_point(&mut self, db: u64, visit: &mut dyn FnMut(KeyRef<'_>)) -> bool {
        let spaces = self.dbs.values_mut().chain(&mut self.put_away);
        spaces.into_iter().find(|space| space.is_of(db)).is_some_and(|space| space.walk(visit))
    }

    /// Hands out the keys that were set aside since the last time, with the databases they were in.
    pub fn take_kept(&mut self, visit: &mut dyn FnMut(u64, KeyRef<'_>)) {
        for space in self.dbs.values_mut().chain(&mut self.put_away) {
            let Some(point) = &mut space.point else { continue };
            for (key, item) in std::mem::take(&mut point.kept) {
                let Item { value, expire_at_ms, access } = &item;
                let (expire_at_ms, access) = (*expire_at_ms, *access);
                visit(point.db, KeyRef { key: &key, value, expire_at_ms, access });
            }
        }
    }

    /// A database that is no more: it is kept as long as it is walked.
    pub(super) fn put_away(&mut self, space: Keyspace) {
        if space.point.is_some() {
            self.put_away.push(space);
        }
    }

    /// Nobody walks any more.
    pub fn end_point(&mut self) {
        self.dbs.values_mut().for_each(|space| space.point = None);
        self.put_away.clear();
    }

    /// Removes what has expired among the next `slots` slots of every database, as a server does by and
    /// by. How many keys were that?
    pub fn expire_some(&mut self, slots: usize) -> usize {
        let (now_ms, mut removed) = (self.now_ms, 0);
        if self.mode != Mode::Serving {
            return 0;
        }
        for db in self.dbs.keys().copied().collect::<Vec<_>>() {
            let Some(space) = self.dbs.get_mut(&db) else { continue };
            let (dead, stale) = space.expired_next(slots, now_ms);
            removed += dead.len();
            dead.into_iter().for_each(|slot| self.remove_dead(db, slot));
            for slot in stale {
                removed += usize::from(!self.remove_dead_fields(db, slot));
            }
        }
        removed
    }
}

impl Keyspace {
    /// Of the next slots those whose key has expired, and those of hashes with a field that has.
    fn expired_next(&mut self, slots: usize, now_ms: i64) -> (Vec<Slot>, Vec<Slot>) {
        let from = if self.expiry_at >= self.slots() { 0 } else { self.expiry_at };
        self.expiry_at = from.saturating_add(slots);
        let (mut dead, mut stale) = (Vec::new(), Vec::new());
        for slot in (from..self.expiry_at.min(self.slots())).filter_map(|index| self.slot(index)) {
            if self.expire(slot).is_some_and(|at| at < now_ms) {
                dead.push(slot);
            } else if let Some(Value::Hash(hash)) = self.value(slot)
                && hash.min_expire().is_some_and(|at| at < now_ms)
            {
                stale.push(slot);
            }
        }
        (dead, stale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Config, Session};
    use std::collections::BTreeMap;

    type Seen = BTreeMap<(u64, Vec<u8>), Vec<u8>>;

    fn see(seen: &mut Seen, db: u64, key: KeyRef<'_>) {
        let Value::Str(text) = key.value else { return };
        let again = seen.insert((db, key.key.to_vec()), text.bytes().to_vec());
        assert_eq!(again, None, "{} comes twice", key.key.escape_ascii());
    }

    /// Whatever commands do meanwhile, the walk gives what was there at its beginning.
    #[test]
    fn a_point_in_time_stays_what_it_was() {
        for seed in 0..300u64 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut engine = Engine::new(Config { seed, ..Config::default() });
            engine.set_mode(Mode::Serving);
            let mut session = Session::new();
            let run = |engine: &mut Engine, rng: &mut fastrand::Rng, session: &mut Session| {
                let (key, value) = (format!("k{}", rng.u32(..60)), format!("v{}", rng.u32(..)));
                let other = format!("k{}", rng.u32(..60));
                let (key, value) = (key.as_bytes(), value.as_bytes());
                session.select(rng.u64(..3));
                let argv: &[&[u8]] = match rng.u32(..40) {
                    0 => &[b"FLUSHDB"],
                    1 => &[b"FLUSHALL"],
                    2 | 3 => &[b"SWAPDB", b"0", b"1"],
                    4..9 => &[b"DEL", key],
                    9..12 => &[b"APPEND", key, value],
                    12..15 => &[b"RENAME", key, other.as_bytes()],
                    15..17 => &[b"MOVE", key, b"2"],
                    17..19 => &[b"PEXPIRE", key, b"100000"],
                    _ => &[b"SET", key, value],
                };
                engine.execute(session, argv);
            };
            (0..200).for_each(|_| run(&mut engine, &mut rng, &mut session));
            let mut want = Seen::new();
            engine.iter().for_each(|(db, key)| see(&mut want, db, key));
            let mut got = Seen::new();
            for section in engine.begin_point() {
                let count = want.keys().filter(|(db, _)| *db == section.db).count() as u64;
                assert_eq!(section.keys, count);
                loop {
                    (0..rng.u32(..30)).for_each(|_| run(&mut engine, &mut rng, &mut session));
                    let more =
                        engine.walk_point(section.db, &mut |key| see(&mut got, section.db, key));
                    if rng.bool() {
                        engine.take_kept(&mut |db, key| see(&mut got, db, key));
                    }
                    if !more {
                        break;
                    }
                }
            }
            engine.take_kept(&mut |db, key| see(&mut got, db, key));
            assert_eq!(got, want, "seed {seed}");
        }
    }
}
