//! A consumer group: how far it has read, what it has delivered and not seen acknowledged (its pending
//! list, PEL), and who it delivered that to.
//!
//! An entry of the list that nobody owns was given back (XNACK, Redis 8.8): such entries come before all
//! others when somebody claims, in the order in which they were given back.

use std::collections::{BTreeMap, BTreeSet};

use crate::element::StreamId;
use crate::value::Bytes;

/// A consumer's place in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumerNumber(usize);

/// A delivered entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// When it was delivered last, in milliseconds since 1970; 0 once given back.
    pub delivered_at_ms: i64,
    /// How often it was delivered.
    pub deliveries: u64,
    /// Who has it; nobody once it was given back.
    pub owner: Option<ConsumerNumber>,
    /// Grows with every delivery in the group: tells which of two was first where the times do not.
    turn: u64,
}

/// A consumer.
#[derive(Debug, Clone)]
pub struct Consumer {
    name: Bytes,
    /// When it last asked for something, in milliseconds since 1970.
    pub seen_at_ms: i64,
    /// When it last got something; -1 if never.
    pub active_at_ms: i64,
    pending: BTreeSet<StreamId>,
}

/// Highest count of deliveries: there it stays.
pub const DELIVERIES_MAX: u64 = i64::MAX as u64;

/// Bytes of a pending entry in the group's tree and in its owner's.
const PENDING: usize = size_of::<(StreamId, Pending)>() + size_of::<StreamId>() + 16;
/// Bytes of a consumer.
const CONSUMER: usize = size_of::<Option<Consumer>>() + size_of::<(Bytes, ConsumerNumber)>() + 16;

/// A consumer group.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// The last id delivered.
    pub last_id: StreamId,
    /// Entries read, if that is known.
    pub entries_read: Option<u64>,
    pending: BTreeMap<StreamId, Pending>,
    consumers: Vec<Option<Consumer>>,
    names: BTreeMap<Bytes, ConsumerNumber>,
    /// Places in `consumers` that are free.
    free: Vec<ConsumerNumber>,
    turn: u64,
    /// Bytes of the consumers' names.
    text: usize,
}

impl Consumer {
    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The entries it owns, in order.
    pub fn pending(&self) -> impl ExactSizeIterator<Item = StreamId> {
        self.pending.iter().copied()
    }

    /// The first entry it owns from this id on.
    pub fn pending_from(&self, id: StreamId) -> Option<StreamId> {
        self.pending.range(id..).next().copied()
    }
}

impl Group {
    /// A group that stands at `last_id`.
    pub fn new(last_id: StreamId, entries_read: Option<u64>) -> Group {
        Group { last_id, entries_read, ..Group::default() }
    }

    /// Bytes on the heap.
    pub fn memory(&self) -> usize {
        self.pending.len() * PENDING + self.consumers.len() * CONSUMER + self.text
    }

    /// The pending list in order of its ids.
    pub fn pending(&self) -> impl ExactSizeIterator<Item = (StreamId, &Pending)> {
        self.pending.iter().map(|(id, pending)| (*id, pending))
    }

    /// The pending list from this id on.
    pub fn pending_from(&self, id: StreamId) -> impl Iterator<Item = (StreamId, &Pending)> {
        self.pending.range(id..).map(|(id, pending)| (*id, pending))
    }

    /// The first and the last pending id.
    pub fn pending_ends(&self) -> Option<(StreamId, StreamId)> {
        Some((*self.pending.first_key_value()?.0, *self.pending.last_key_value()?.0))
    }

    /// The pending entry with this id.
    pub fn get(&self, id: StreamId) -> Option<&Pending> {
        self.pending.get(&id)
    }

    /// Entries given back and owned by nobody, in the order in which that happened.
    pub fn nacked(&self) -> Vec<StreamId> {
        let mut nacked: Vec<_> =
            self.pending.iter().filter(|(_, entry)| entry.owner.is_none()).collect();
        nacked.sort_by_key(|(_, entry)| entry.turn);
        nacked.into_iter().map(|(id, _)| *id).collect()
    }

    /// The pending list in the order of claiming: those given back, then the others by age.
    pub fn by_age(&self) -> Vec<StreamId> {
        let mut all: Vec<_> = self.pending.iter().collect();
        all.sort_by_key(|(_, entry)| match entry.owner {
            None => (false, 0, entry.turn),
            Some(_) => (true, entry.delivered_at_ms, entry.turn),
        });
        all.into_iter().map(|(id, _)| *id).collect()
    }

    /// The consumers in the order of their names.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = (ConsumerNumber, &Consumer)> {
        // Every name has its consumer; one without would be left out.
        let all: Vec<_> =
            self.names.values().filter_map(|number| Some((*number, self.at(*number)?))).collect();
        all.into_iter()
    }

    /// How many consumers there are.
    pub fn consumer_count(&self) -> usize {
        self.names.len()
    }

    /// The consumer of this name.
    pub fn find(&self, name: &[u8]) -> Option<ConsumerNumber> {
        self.names.get(name).copied()
    }

    /// The consumer at this place.
    pub fn at(&self, number: ConsumerNumber) -> Option<&Consumer> {
        self.consumers.get(number.0)?.as_ref()
    }

    /// The consumer at this place, to change its times.
    pub fn at_mut(&mut self, number: ConsumerNumber) -> Option<&mut Consumer> {
        self.consumers.get_mut(number.0)?.as_mut()
    }

    /// The consumer that owns an entry.
    pub fn owner(&self, entry: &Pending) -> Option<&Consumer> {
        self.at(entry.owner?)
    }

    /// A new consumer, seen now and never active; if there is one of this name, that one. New?
    pub fn add_consumer(&mut self, name: &[u8], seen_at_ms: i64) -> (ConsumerNumber, bool) {
        if let Some(number) = self.find(name) {
            return (number, false);
        }
        let name = Bytes::new(name);
        self.text += 2 * name.heap();
        let (seen, pending) = (seen_at_ms, BTreeSet::new());
        let consumer = Consumer { name: name.clone(), seen_at_ms: seen, active_at_ms: -1, pending };
        let number = self.free.pop().unwrap_or_else(|| {
            self.consumers.push(None);
            ConsumerNumber(self.consumers.len() - 1)
        });
        if let Some(place) = self.consumers.get_mut(number.0) {
            *place = Some(consumer);
        }
        self.names.insert(name, number);
        (number, true)
    }

    /// Removes a consumer with everything it owns; how much that was. `None` without such a consumer.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let number = self.names.remove(name)?;
        self.free.push(number);
        let consumer = self.consumers.get_mut(number.0)?.take()?;
        self.text = self.text.saturating_sub(2 * consumer.name.heap());
        for id in &consumer.pending {
            self.pending.remove(id);
        }
        Some(consumer.pending.len())
    }

    /// Gives an entry to a consumer, whoever had it: delivered at this time, so many times.
    pub fn deliver(&mut self, id: StreamId, to: ConsumerNumber, at_ms: i64, deliveries: u64) {
        self.put(id, Some(to), at_ms, deliveries);
    }

    /// Makes an entry nobody's: it is behind those given back before. `deliveries` is its new count.
    pub fn give_back(&mut self, id: StreamId, deliveries: u64) {
        self.put(id, None, 0, deliveries);
    }

    fn put(&mut self, id: StreamId, owner: Option<ConsumerNumber>, at_ms: i64, deliveries: u64) {
        let (delivered_at_ms, turn) = (at_ms, self.turn);
        self.turn = self.turn.saturating_add(1);
        let entry = Pending { delivered_at_ms, deliveries, owner, turn };
        let old = self.pending.insert(id, entry).and_then(|old| old.owner);
        if old != owner {
            if let Some(consumer) = old.and_then(|old| self.at_mut(old)) {
                consumer.pending.remove(&id);
            }
            if let Some(consumer) = owner.and_then(|owner| self.at_mut(owner)) {
                consumer.pending.insert(id);
            }
        }
    }

    /// Takes an entry out of the list, as an acknowledgement does.
    pub fn remove(&mut self, id: StreamId) -> Option<Pending> {
        let entry = self.pending.remove(&id)?;
        if let Some(consumer) = entry.owner.and_then(|owner| self.at_mut(owner)) {
            consumer.pending.remove(&id);
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64) -> StreamId {
        StreamId::new(ms, 0)
    }

    #[test]
    fn an_entry_has_one_owner() {
        let mut group = Group::new(id(9), None);
        let (a, new) = group.add_consumer(b"a", 1);
        assert!(new && !group.add_consumer(b"a", 2).1);
        let (b, _) = group.add_consumer(b"b", 1);
        (1..=4).for_each(|n| group.deliver(id(n), a, 10 - n as i64, 1));
        group.deliver(id(2), b, 50, 2);
        let owned = |group: &Group, name: &[u8]| {
            let consumer = group.find(name).and_then(|number| group.at(number));
            consumer.map_or(0, |consumer| consumer.pending().len())
        };
        assert_eq!((owned(&group, b"a"), owned(&group, b"b")), (3, 1));
        group.give_back(id(4), 1);
        group.give_back(id(2), 1);
        assert_eq!(group.nacked(), [id(4), id(2)]);
        assert_eq!(group.by_age(), [id(4), id(2), id(3), id(1)]);
        assert!(group.remove(id(3)).is_some() && group.remove(id(3)).is_none());
        assert_eq!((owned(&group, b"a"), owned(&group, b"b")), (1, 0));
        assert_eq!(group.remove_consumer(b"a"), Some(1));
        assert_eq!(group.remove_consumer(b"a"), None);
        assert_eq!(group.pending().len(), 2);
        // A place set free is used again, and by the right one.
        let (c, _) = group.add_consumer(b"c", 1);
        assert_eq!((c, group.at(c).map(|c| &c.name[..])), (a, Some(&b"c"[..])));
    }
}
