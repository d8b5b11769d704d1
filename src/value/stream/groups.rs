//! The groups of a stream.

use std::collections::BTreeMap;

use super::group::Group;
use crate::element::StreamId;
use crate::value::{Bytes, block};

/// Bytes that a group takes beside what it holds.
const GROUP: usize = size_of::<(Bytes, Group)>() + 8;

/// The groups of a stream, by name.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    by_name: BTreeMap<Bytes, Group>,
    memory: usize,
}

impl Groups {
    /// The groups in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Bytes, &Group)> {
        self.by_name.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// None?
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Bytes on the heap.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// The group of this name.
    pub fn get(&self, name: &[u8]) -> Option<&Group> {
        self.by_name.get(name)
    }

    /// Changes the group of this name.
    pub fn edit<R>(&mut self, name: &[u8], edit: impl FnOnce(&mut Group) -> R) -> Option<R> {
        let group = self.by_name.get_mut(name)?;
        let before = group.memory();
        let result = edit(group);
        self.memory = (self.memory + group.memory()).saturating_sub(before);
        Some(result)
    }

    /// Adds a group; `false` if there is one of this name.
    pub fn add(&mut self, name: &[u8], group: Group) -> bool {
        let new = !self.by_name.contains_key(name);
        if new {
            let name = Bytes::new(name);
            self.memory += block(GROUP) + name.heap() + group.memory();
            self.by_name.insert(name, group);
        }
        new
    }

    /// Removes a group. Was it there?
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let Some((name, group)) = self.by_name.remove_entry(name) else { return false };
        let gone = block(GROUP) + name.heap() + group.memory();
        self.memory = self.memory.saturating_sub(gone);
        true
    }

    /// Has a group yet to read this entry, or to see it acknowledged?
    pub fn has_references(&self, id: StreamId) -> bool {
        self.by_name.values().any(|group| group.last_id < id || group.get(id).is_some())
    }

    /// Takes an entry out of every pending list.
    pub fn drop_references(&mut self, id: StreamId) {
        for group in self.by_name.values_mut() {
            let before = group.memory();
            group.remove(id);
            self.memory = (self.memory + group.memory()).saturating_sub(before);
        }
    }
}
