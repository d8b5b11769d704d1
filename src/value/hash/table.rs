//! A large hash: fields in a table; expire times, which few fields have, beside it.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use super::FieldRef;
use crate::encoding::Entry;
use crate::value::dict::{Dict, Keyed, Slot};
use crate::value::{Bytes, block};

/// Fields and their expire times.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    fields: Dict<Field>,
    expires: Expires,
    /// What fields and values hold on the heap.
    memory: usize,
}

#[derive(Debug, Clone)]
struct Field {
    name: Bytes,
    value: Bytes,
}

impl Field {
    fn heap(&self) -> usize {
        self.name.heap() + self.value.heap()
    }
}

impl Keyed for Field {
    fn key(&self) -> &[u8] {
        &self.name
    }
}

impl Table {
    pub(super) fn with_room_for(count: usize) -> Table {
        let mut table = Table::default();
        table.fields.reserve(count);
        table
    }

    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    pub(super) fn memory(&self) -> usize {
        block(size_of::<Table>()) + self.fields.memory() + self.expires.memory() + self.memory
    }

    fn field<'a>(&self, slot: Slot, field: &'a Field) -> FieldRef<'a> {
        FieldRef {
            name: Entry::Str(&field.name),
            value: Entry::Str(&field.value),
            expire_at_ms: self.expires.get(slot),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = FieldRef<'_>> {
        self.fields.iter().map(|(slot, field)| self.field(slot, field))
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<FieldRef<'_>> {
        let slot = self.fields.find(name)?;
        self.fields.at(slot).map(|field| self.field(slot, field))
    }

    pub(super) fn scan(
        &self,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(FieldRef<'_>),
    ) -> u64 {
        self.fields.scan(cursor, count, |slot, field| visit(self.field(slot, field)))
    }

    pub(super) fn random(&self, rng: &mut fastrand::Rng) -> Option<FieldRef<'_>> {
        let slot = self.fields.random(rng)?;
        self.fields.at(slot).map(|field| self.field(slot, field))
    }

    /// Gives a field a value; its expire time stays. Where it is, and was it new?
    pub(super) fn set(&mut self, name: &[u8], value: &[u8]) -> (Slot, bool) {
        let make = || Field { name: Bytes::new(name), value: Bytes::default() };
        let (slot, new) = self.fields.find_or_insert(name, make);
        if let Some(field) = self.fields.at_mut(slot) {
            let held = if new { 0 } else { field.heap() };
            field.value = Bytes::new(value);
            self.memory = self.memory - held + field.heap();
        }
        (slot, new)
    }

    pub(super) fn set_expire_at(&mut self, slot: Slot, expire_at_ms: Option<i64>) {
        self.expires.set(slot, expire_at_ms);
    }

    /// Sets or removes a field's expire time. Is there such a field?
    pub(super) fn set_expire(&mut self, name: &[u8], expire_at_ms: Option<i64>) -> bool {
        let slot = self.fields.find(name);
        slot.inspect(|slot| self.expires.set(*slot, expire_at_ms)).is_some()
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> bool {
        self.fields.find(name).is_some_and(|slot| self.take(slot).is_some())
    }

    fn take(&mut self, slot: Slot) -> Option<Field> {
        let field = self.fields.remove_at(slot)?;
        self.memory -= field.heap();
        self.expires.set(slot, None);
        Some(field)
    }

    pub(super) fn min_expire(&self) -> Option<i64> {
        self.expires.first().map(|(at, _)| at)
    }

    /// Takes one field out whose time is before `now_ms`; its name is the answer.
    pub(super) fn take_expired(&mut self, now_ms: i64) -> Option<Vec<u8>> {
        let (_, slot) = self.expires.first().filter(|(at, _)| *at < now_ms)?;
        self.take(slot).map(|field| field.name.to_vec())
    }
}

/// Expire times by slot, and the slots in the order of their times.
#[derive(Debug, Clone, Default)]
struct Expires {
    times: HashMap<Slot, i64>,
    queue: BTreeSet<(i64, Slot)>,
}

impl Expires {
    fn get(&self, slot: Slot) -> Option<i64> {
        if self.times.is_empty() { None } else { self.times.get(&slot).copied() }
    }

    fn set(&mut self, slot: Slot, expire_at_ms: Option<i64>) {
        let old = match expire_at_ms {
            Some(at) => self.times.insert(slot, at),
            None if self.times.is_empty() => None,
            None => self.times.remove(&slot),
        };
        if let Some(old) = old {
            self.queue.remove(&(old, slot));
        }
        if let Some(at) = expire_at_ms {
            self.queue.insert((at, slot));
        }
    }

    fn first(&self) -> Option<(i64, Slot)> {
        self.queue.first().copied()
    }

    /// A B-tree's nodes are about three quarters full.
    fn memory(&self) -> usize {
        self.times.allocation_size() + self.queue.len() * size_of::<(i64, Slot)>() * 4 / 3
    }
}
