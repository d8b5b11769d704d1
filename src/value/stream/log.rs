//! The entries of a stream: its nodes by id, and the counters kept beside them.

use std::collections::BTreeMap;

use super::node::{EntryRef, Node};
use crate::element::StreamId;
use crate::encoding::listpack;
use crate::value::{PackedLimits, block};

/// Bytes that a node takes in the tree beside its listpack.
const NODE: usize = size_of::<(StreamId, Node)>() + 8;

/// The entries of a stream.
#[derive(Debug, Clone, Default)]
pub struct Log {
    nodes: BTreeMap<StreamId, Node>,
    /// Live entries.
    pub length: u64,
    /// The id of the first live entry, 0-0 if there is none.
    pub first_id: StreamId,
    /// The highest id ever given: a new entry's is higher.
    pub last_id: StreamId,
    /// The highest id of an entry that was deleted one by one (not trimmed away).
    pub max_deleted_id: StreamId,
    /// Entries ever added.
    pub entries_added: u64,
    /// Bytes that the nodes take.
    memory: usize,
}

/// Why an entry was not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAdded {
    /// Its id is not higher than the last.
    Id,
    /// It is longer than a listpack may be.
    TooLarge,
}

/// The id that a new entry is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewId {
    /// `*`, at this time.
    Auto {
        /// The clock, in milliseconds.
        now_ms: u64,
    },
    /// `ms-*`
    Ms(u64),
    /// All of it.
    Exact(StreamId),
}

impl Log {
    /// The nodes in order, for saving.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (StreamId, &Node)> {
        self.nodes.iter().map(|(id, node)| (*id, node))
    }

    /// How many nodes there are.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Bytes on the heap.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// Puts a node in that lay in a file, without counting its entries: the file does that. `false` if
    /// there is one with its id already.
    pub fn put_node(&mut self, id: StreamId, node: Node) -> bool {
        let new = !self.nodes.contains_key(&id);
        if new {
            self.memory += block(NODE) + node.memory();
            self.nodes.insert(id, node);
        }
        new
    }

    /// Adds an entry: `fields` are field, value, field, value …
    pub fn add(
        &mut self,
        id: NewId,
        fields: &[&[u8]],
        limits: &PackedLimits,
    ) -> Result<StreamId, NotAdded> {
        let id = self.new_id(id).filter(|id| *id > self.last_id).ok_or(NotAdded::Id)?;
        let len = fields.iter().fold(0usize, |len, text| len.saturating_add(text.len()));
        if len > listpack::MAX_LEN {
            return Err(NotAdded::TooLarge);
        }
        match self.nodes.last_entry() {
            Some(mut node) if has_room(node.get(), len, limits) => {
                let (base, node) = (*node.key(), node.get_mut());
                self.memory -= node.memory();
                node.push(base, id, fields);
                self.memory += node.memory();
            }
            _ => {
                self.put_node(id, Node::new(fields));
            }
        }
        self.length += 1;
        self.entries_added = self.entries_added.saturating_add(1);
        self.last_id = id;
        if self.length == 1 {
            self.first_id = id;
        }
        Ok(id)
    }

    fn new_id(&self, id: NewId) -> Option<StreamId> {
        match id {
            NewId::Exact(id) => Some(id),
            NewId::Auto { now_ms } if now_ms > self.last_id.ms => Some(StreamId::new(now_ms, 0)),
            NewId::Auto { .. } => self.last_id.next(),
            NewId::Ms(ms) if ms == self.last_id.ms => {
                Some(StreamId::new(ms, self.last_id.seq.checked_add(1)?))
            }
            NewId::Ms(ms) => Some(StreamId::new(ms, 0)),
        }
    }

    /// Live entries from `start` to `end`, both included.
    pub fn range(&self, start: StreamId, end: StreamId) -> impl Iterator<Item = EntryRef<'_>> {
        self.slots(start, end).filter(|entry| !entry.deleted)
    }

    /// The same with tombstones.
    fn slots(&self, start: StreamId, end: StreamId) -> impl Iterator<Item = EntryRef<'_>> {
        // The node that `start` would be in begins at or before it.
        let first = self.nodes.range(..=start).next_back().map_or(start, |(id, _)| *id);
        let nodes = (first <= end).then(|| self.nodes.range(first..=end));
        let entries = nodes.into_iter().flatten().flat_map(|(id, node)| node.entries(*id));
        entries.skip_while(move |entry| entry.id < start).take_while(move |entry| entry.id <= end)
    }

    /// Live entries from `end` down to `start`, both included.
    pub fn range_back(&self, start: StreamId, end: StreamId) -> impl Iterator<Item = EntryRef<'_>> {
        let nodes = self.nodes.range(..=end).rev();
        let entries = nodes.flat_map(|(id, node)| {
            let mut entries: Vec<_> = node.entries(*id).collect();
            entries.reverse();
            entries
        });
        entries
            .skip_while(move |entry| entry.id > end)
            .take_while(move |entry| entry.id >= start)
            .filter(|entry| !entry.deleted)
    }

    /// The live entry with this id.
    pub fn get(&self, id: StreamId) -> Option<EntryRef<'_>> {
        self.range(id, id).next()
    }

    /// Is there a live entry with this id?
    pub fn contains(&self, id: StreamId) -> bool {
        self.get(id).is_some()
    }

    /// The id of the last live entry.
    pub fn last_live_id(&self) -> Option<StreamId> {
        self.range_back(StreamId::MIN, StreamId::MAX).next().map(|entry| entry.id)
    }

    /// The id of the first entry, tombstone or not: what a server logs when it has trimmed by id.
    pub fn first_slot_id(&self) -> StreamId {
        self.slots(StreamId::MIN, StreamId::MAX).next().map_or(StreamId::MAX, |entry| entry.id)
    }

    /// Deletes an entry. Was it there?
    pub fn delete(&mut self, id: StreamId) -> bool {
        let Some((base, node)) = self.nodes.range_mut(..=id).next_back() else { return false };
        let (base, before) = (*base, node.memory());
        let live = node.live();
        let choose = |entry: &EntryRef<'_>| (entry.id <= id).then_some(entry.id == id);
        if node.delete(base, choose) == 0 {
            return false;
        }
        self.memory = (self.memory + node.memory()).saturating_sub(before);
        if live <= 1 {
            self.remove_node(base);
        }
        self.length = self.length.saturating_sub(1);
        self.max_deleted_id = self.max_deleted_id.max(id);
        if self.length == 0 || id == self.first_id {
            self.find_first();
        }
        true
    }

    /// The first node: its id, live entries and the id of its last entry.
    pub(super) fn head(&self) -> Option<(StreamId, u64, StreamId)> {
        self.node_after(None)
    }

    /// The same for the node behind the one with this id.
    pub(super) fn node_after(&self, id: Option<StreamId>) -> Option<(StreamId, u64, StreamId)> {
        let from = match id {
            Some(id) => id.next()?,
            None => StreamId::MIN,
        };
        let (id, node) = self.nodes.range(from..).next()?;
        Some((*id, node.live(), node.last_id(*id).unwrap_or(*id)))
    }

    /// Entries of one node, tombstones too.
    pub(super) fn node_entries(&self, id: StreamId) -> impl Iterator<Item = EntryRef<'_>> {
        self.nodes.get(&id).into_iter().flat_map(move |node| node.entries(id))
    }

    /// Takes a whole node out. Its entries are still counted.
    pub(super) fn remove_node(&mut self, id: StreamId) {
        if let Some(node) = self.nodes.remove(&id) {
            self.memory = self.memory.saturating_sub(block(NODE) + node.memory());
        }
    }

    /// Makes entries of one node tombstones (`ids` ascending). They are still counted in the length.
    pub(super) fn bury(&mut self, node: StreamId, ids: &[StreamId]) -> u64 {
        let Some(held) = self.nodes.get_mut(&node) else { return 0 };
        let before = held.memory();
        let mut rest = ids.iter().peekable();
        let buried = held.delete(node, |entry| {
            let next = **rest.peek()?;
            let chosen = !entry.deleted && entry.id == next;
            if chosen {
                rest.next();
            }
            Some(chosen)
        });
        self.memory = (self.memory + held.memory()).saturating_sub(before);
        buried
    }

    /// Looks for the first live entry.
    pub(super) fn find_first(&mut self) {
        let first = self.range(StreamId::MIN, StreamId::MAX).next().map(|entry| entry.id);
        self.first_id = match first {
            Some(id) if self.length > 0 => id,
            _ => StreamId::MIN,
        };
    }

    /// Sets length, first id and entries ever added from the entries, as servers do for files that do
    /// not state them (before stream v2).
    pub fn count(&mut self) {
        self.find_first();
        self.entries_added = self.length;
    }
}

/// Does an entry of `len` bytes of text still go into this node?
fn has_room(node: &Node, len: usize, limits: &PackedLimits) -> bool {
    let bytes = match limits.stream_node_bytes {
        0 => listpack::MAX_LEN,
        bytes => bytes.min(listpack::MAX_LEN),
    };
    let entries = limits.stream_node_entries;
    node.byte_len().saturating_add(len) < bytes
        && (entries == 0 || usize::try_from(node.slots()).is_ok_and(|slots| slots < entries))
}
