//! One database: keys with their values, expire times and access marks.
//!
//! Expire times and marks lie in side tables named by slot number, as few keys have them: eight bytes
//! saved on every other key. The memory that values hold is counted as they change: [`Keyspace::value_mut`]
//! remembers what the value held before it was lent out, and the next call settles the difference.
//! (Only one value can be lent at a time: the borrow checker sees to that.)

use hashbrown::HashMap;

use super::point::Point;
use crate::value::dict::{Dict, Keyed, Slot};
use crate::value::{Bytes, Value};

/// What an LRU or LFU policy knows of a key (opcodes IDLE and FREQ of an RDB).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Seconds since the key was last used.
    Idle(u64),
    /// The logarithmic use counter.
    Freq(u8),
}

/// A key taken out of, or to be put into, a keyspace, with all that belongs to it.
#[derive(Debug, Clone)]
pub struct Item {
    /// What it holds.
    pub value: Value,
    /// When it expires, if it does.
    pub expire_at_ms: Option<i64>,
    /// Its access mark, if it has one.
    pub access: Option<Access>,
}

impl Item {
    /// A value that never expires.
    pub fn new(value: impl Into<Value>) -> Item {
        Item { value: value.into(), expire_at_ms: None, access: None }
    }
}

#[derive(Debug)]
struct Entry {
    key: Bytes,
    value: Value,
}

impl Keyed for Entry {
    fn key(&self) -> &[u8] {
        &self.key
    }
}

/// One database.
#[derive(Debug, Default)]
pub struct Keyspace {
    keys: Dict<Entry>,
    expires: HashMap<Slot, i64>,
    access: HashMap<Slot, Access>,
    /// Bytes that keys and values hold on the heap, but for the value lent out last …
    held: usize,
    /// … which held this much when it was lent.
    lent: Option<(Slot, usize)>,
    /// A point in time that is being walked.
    pub(super) point: Option<Box<Point>>,
    /// The slot at which the search for what has expired goes on.
    pub(super) expiry_at: usize,
}

impl Keyspace {
    /// Keys, logically expired ones among them.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// No keys?
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Keys with an expire time.
    pub fn expires_len(&self) -> usize {
        self.expires.len()
    }

    /// Bytes held, near enough.
    pub fn memory(&self) -> usize {
        let lent = self.lent.map_or(0, |(slot, _)| self.value(slot).map_or(0, Value::memory));
        self.keys.memory()
            + self.expires.allocation_size()
            + self.access.allocation_size()
            + self.held
            + lent
    }

    /// No room for one more key?
    pub fn is_full(&self) -> bool {
        self.keys.is_full()
    }

    /// Room for `count` more keys, which must be backed by bytes at hand (not by a RESIZEDB hint alone).
    pub fn reserve(&mut self, count: usize) {
        self.keys.reserve(count);
    }

    /// Where `key` is. Expired or not: that is for the engine to judge.
    pub fn find(&self, key: &[u8]) -> Option<Slot> {
        self.keys.find(key)
    }

    /// The key in a slot.
    pub fn key(&self, slot: Slot) -> Option<&Bytes> {
        self.keys.at(slot).map(|entry| &entry.key)
    }

    /// The value in a slot.
    pub fn value(&self, slot: Slot) -> Option<&Value> {
        self.keys.at(slot).map(|entry| &entry.value)
    }

    /// The value in a slot, to change it.
    pub fn value_mut(&mut self, slot: Slot) -> Option<&mut Value> {
        self.settle();
        self.preserve(slot);
        let value = &mut self.keys.at_mut(slot)?.value;
        let memory = value.memory();
        self.held = self.held.saturating_sub(memory);
        self.lent = Some((slot, memory));
        Some(value)
    }

    /// The value of `key`.
    pub fn get(&self, key: &[u8]) -> Option<&Value> {
        self.value(self.find(key)?)
    }

    /// The slot of `key`; a new key gets `make()` for a value and no expire time.
    pub fn find_or_insert(&mut self, key: &[u8], make: impl FnOnce() -> Value) -> Slot {
        self.settle();
        let (slot, new) =
            self.keys.find_or_insert(key, || Entry { key: Bytes::new(key), value: make() });
        if new {
            self.hold(slot);
            self.pass(slot);
        }
        slot
    }

    /// Gives `key` a value. What was there is dropped; expire time and access mark of the key stay.
    pub fn set(&mut self, key: &[u8], value: Value) -> Slot {
        self.set_value(key, value).0
    }

    /// Where `key` is with its new value, and whether it is new itself.
    fn set_value(&mut self, key: &[u8], value: Value) -> (Slot, bool) {
        self.settle();
        let mut value = Some(value);
        let make = || Entry { key: Bytes::new(key), value: value.take().unwrap_or_default() };
        let (slot, new) = self.keys.find_or_insert(key, make);
        if let (Some(value), Some(entry)) = (value, self.keys.at_mut(slot)) {
            let old = std::mem::replace(&mut entry.value, value);
            let freed = entry.key.heap() + old.memory();
            self.held = self.held.saturating_sub(freed);
            if let Some(point) = self.point.as_mut().filter(|point| point.awaits(slot)) {
                let expire_at_ms = self.expires.get(&slot).copied();
                let access = self.access.get(&slot).copied();
                point.keep(slot, entry.key.clone(), Item { value: old, expire_at_ms, access });
            }
        }
        if new {
            self.pass(slot);
        }
        self.hold(slot);
        (slot, new)
    }

    /// Gives `key` everything that an item carries; nothing of what was there remains.
    pub fn put(&mut self, key: &[u8], item: Item) -> Slot {
        let (slot, new) = self.set_value(key, item.value);
        // A new key has neither, and its place in these tables need not be looked for.
        if !new || item.expire_at_ms.is_some() {
            self.set_expire(slot, item.expire_at_ms);
        }
        if !new || item.access.is_some() {
            self.set_access(slot, item.access);
        }
        slot
    }

    /// Takes `key` out with everything that belongs to it.
    pub fn take(&mut self, key: &[u8]) -> Option<Item> {
        let slot = self.find(key)?;
        self.take_at(slot)
    }

    /// Takes the key in `slot` out.
    pub fn take_at(&mut self, slot: Slot) -> Option<Item> {
        self.settle();
        self.preserve(slot);
        let entry = self.keys.remove_at(slot)?;
        self.held = self.held.saturating_sub(entry.key.heap() + entry.value.memory());
        Some(Item {
            value: entry.value,
            expire_at_ms: self.set_expire(slot, None),
            access: self.set_access(slot, None),
        })
    }

    /// When the key in `slot` expires.
    pub fn expire(&self, slot: Slot) -> Option<i64> {
        if self.expires.is_empty() { None } else { self.expires.get(&slot).copied() }
    }

    /// Sets or removes the expire time of the key in `slot`; gives back what it was.
    pub fn set_expire(&mut self, slot: Slot, expire_at_ms: Option<i64>) -> Option<i64> {
        self.preserve(slot);
        match expire_at_ms {
            Some(at) => self.expires.insert(slot, at),
            None if self.expires.is_empty() => None,
            None => self.expires.remove(&slot),
        }
    }

    /// The access mark of the key in `slot`.
    pub fn access(&self, slot: Slot) -> Option<Access> {
        self.access.get(&slot).copied()
    }

    /// Sets or removes the access mark of the key in `slot`; gives back what it was.
    pub fn set_access(&mut self, slot: Slot, access: Option<Access>) -> Option<Access> {
        self.preserve(slot);
        match access {
            Some(mark) => self.access.insert(slot, mark),
            None if self.access.is_empty() => None,
            None => self.access.remove(&slot),
        }
    }

    /// Slots, used or not.
    pub(super) fn slots(&self) -> usize {
        self.keys.slots()
    }

    /// The slot of this number, if a key is in it.
    pub(super) fn slot(&self, index: usize) -> Option<Slot> {
        self.keys.slot(index)
    }

    /// Sets aside what is in a slot before it changes, if a point in time awaits it.
    #[inline]
    fn preserve(&mut self, slot: Slot) {
        if self.point.as_ref().is_some_and(|point| point.awaits(slot)) {
            self.set_aside(slot);
        }
    }

    #[cold]
    fn set_aside(&mut self, slot: Slot) {
        let Some(entry) = self.keys.at(slot) else { return };
        let (expire_at_ms, access) = (self.expire(slot), self.access(slot));
        let item = Item { value: entry.value.clone(), expire_at_ms, access };
        let key = entry.key.clone();
        if let Some(point) = &mut self.point {
            point.keep(slot, key, item);
        }
    }

    /// The key in this slot is new: no point in time awaits it.
    fn pass(&mut self, slot: Slot) {
        if let Some(point) = &mut self.point {
            point.pass(slot);
        }
    }

    /// All keys, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = KeyRef<'_>> {
        self.part(0, 1)
    }

    /// All keys with their values, in the order of their slots.
    pub fn entries(&self) -> impl Iterator<Item = (Slot, &[u8], &Value)> {
        self.keys.iter().map(|(slot, entry)| (slot, entry.key.as_slice(), &entry.value))
    }

    /// The keys of one of `of` parts, for workers that share a walk.
    pub fn part(&self, part: usize, of: usize) -> impl Iterator<Item = KeyRef<'_>> {
        self.keys.part(part, of).map(|(slot, entry)| KeyRef {
            key: &entry.key,
            value: &entry.value,
            expire_at_ms: self.expire(slot),
            access: self.access(slot),
        })
    }

    /// Visits about `count` keys from `cursor` on; the answer is the cursor to go on with, 0 at the end.
    pub fn scan(
        &self,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(Slot, &[u8], &Value),
    ) -> u64 {
        self.keys.scan(cursor, count, |slot, entry| visit(slot, &entry.key, &entry.value))
    }

    /// Any key.
    pub fn random(&self, rng: &mut fastrand::Rng) -> Option<Slot> {
        self.keys.random(rng)
    }

    /// A key with all that belongs to it.
    pub fn look(&self, slot: Slot) -> Option<KeyRef<'_>> {
        let entry = self.keys.at(slot)?;
        let (expire_at_ms, access) = (self.expire(slot), self.access(slot));
        Some(KeyRef { key: &entry.key, value: &entry.value, expire_at_ms, access })
    }

    /// Hands every key over with all that belongs to it.
    pub fn into_items(self, mut each: impl FnMut(&[u8], Item)) {
        for (slot, entry) in self.keys.into_entries() {
            let expire_at_ms = self.expires.get(&slot).copied();
            let access = self.access.get(&slot).copied();
            each(&entry.key, Item { value: entry.value, expire_at_ms, access });
        }
    }

    /// Slots of the keys whose time is before `now_ms`.
    pub fn expired(&self, now_ms: i64) -> Vec<Slot> {
        let past = self.expires.iter().filter(|(_, at)| **at < now_ms);
        past.map(|(slot, _)| *slot).collect()
    }

    /// Slots of the hashes with a field whose time is before `now_ms`.
    pub fn with_expired_fields(&self, now_ms: i64) -> Vec<Slot> {
        let past = self.keys.iter().filter(|(_, entry)| match &entry.value {
            Value::Hash(hash) => hash.min_expire().is_some_and(|at| at < now_ms),
            _ => false,
        });
        past.map(|(slot, _)| slot).collect()
    }

    /// Counts the entry in `slot` in.
    fn hold(&mut self, slot: Slot) {
        if let Some(entry) = self.keys.at(slot) {
            self.held += entry.key.heap() + entry.value.memory();
        }
    }

    /// Counts the value lent out last in again.
    fn settle(&mut self) {
        if let Some((slot, _)) = self.lent.take() {
            self.held += self.value(slot).map_or(0, Value::memory);
        }
    }
}

/// A key of a keyspace, for those who look.
#[derive(Debug, Clone, Copy)]
pub struct KeyRef<'a> {
    /// Its name.
    pub key: &'a [u8],
    /// What it holds.
    pub value: &'a Value,
    /// When it expires, if it does.
    pub expire_at_ms: Option<i64>,
    /// Its access mark, if it has one.
    pub access: Option<Access>,
}

impl KeyRef<'_> {
    /// Its LRU mark in seconds, and its LFU mark: one of them, or none.
    pub fn idle_and_freq(&self) -> (Option<u64>, Option<u8>) {
        match self.access {
            Some(Access::Idle(idle)) => (Some(idle), None),
            Some(Access::Freq(freq)) => (None, Some(freq)),
            None => (None, None),
        }
    }
}
