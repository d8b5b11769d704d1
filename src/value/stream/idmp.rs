//! Idempotent producers (Redis 8.6): a producer names each message with an id of its own, so that one
//! sent twice is added once. The stream remembers the last ids of each producer, for a while.
//!
//! Without a name of its own (IDMPAUTO) a message is named by a hash of its fields and values: XXH3-128
//! over `field, length of the field (u64 le), value` of each pair, the pairs' hashes put together so that
//! their order does not count.

use std::collections::{BTreeMap, VecDeque};

use hashbrown::HashMap;

use crate::element::StreamId;
use crate::value::{Bytes, block};

/// What a stream remembers of its producers.
#[derive(Debug, Clone)]
pub struct Idmp {
    /// How long an id is remembered, in seconds.
    pub duration_s: u64,
    /// How many ids are remembered for each producer.
    pub max_size: u64,
    /// Ids added so far.
    pub added: u64,
    /// Messages that came again.
    pub duplicates: u64,
    producers: BTreeMap<Bytes, Producer>,
    memory: usize,
}

/// The ids of one producer, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Producer {
    order: VecDeque<Bytes>,
    ids: HashMap<Bytes, StreamId>,
}

/// Bytes of an id beside its own text.
const ID: usize = 2 * size_of::<Bytes>() + size_of::<StreamId>() + 8;
/// Bytes of a producer beside its ids and its name.
const PRODUCER: usize = size_of::<(Bytes, Producer)>() + 8;

impl Default for Idmp {
    /// As a server begins: 100 seconds, 100 ids.
    fn default() -> Self {
        Idmp {
            duration_s: 100,
            max_size: 100,
            added: 0,
            duplicates: 0,
            producers: BTreeMap::new(),
            memory: 0,
        }
    }
}

impl Producer {
    /// Its ids with the entries they made, oldest first.
    pub fn ids(&self) -> impl Iterator<Item = (&Bytes, StreamId)> {
        self.order.iter().filter_map(|iid| Some((iid, *self.ids.get(iid)?)))
    }
}

impl Idmp {
    /// The shortest and the longest time an id may be remembered, in seconds.
    pub const DURATION: std::ops::RangeInclusive<i64> = 1..=86_400;
    /// The fewest and the most ids that may be remembered for a producer.
    pub const MAX_SIZE: std::ops::RangeInclusive<i64> = 1..=10_000;

    /// The producers in the order of their names.
    pub fn producers(&self) -> impl ExactSizeIterator<Item = (&Bytes, &Producer)> {
        self.producers.iter()
    }

    /// Ids remembered, of all producers.
    pub fn tracked(&self) -> usize {
        self.producers.values().map(|producer| producer.order.len()).sum()
    }

    /// Bytes on the heap.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// The entry that a producer made with this id of its own.
    pub fn find(&self, pid: &[u8], iid: &[u8]) -> Option<StreamId> {
        self.producers.get(pid)?.ids.get(iid).copied()
    }

    /// Makes a producer known, with no ids.
    pub fn add_producer(&mut self, pid: &[u8]) {
        if !self.producers.contains_key(pid) {
            let pid = Bytes::new(pid);
            self.memory += block(PRODUCER) + pid.heap();
            self.producers.insert(pid, Producer::default());
        }
    }

    /// Remembers an id, which must be new, and forgets the producer's oldest if it has too many.
    pub fn record(&mut self, pid: &[u8], iid: &[u8], id: StreamId) {
        if self.put(pid, iid, id) {
            self.added = self.added.saturating_add(1);
            let max = usize::try_from(self.max_size).unwrap_or(usize::MAX);
            if let Some(producer) = self.producers.get_mut(pid)
                && producer.order.len() > max
            {
                self.memory = self.memory.saturating_sub(forget(producer));
            }
        }
    }

    /// Remembers an id that a file names, without counting it. `false` if it is known already.
    pub fn put(&mut self, pid: &[u8], iid: &[u8], id: StreamId) -> bool {
        self.add_producer(pid);
        let Some(producer) = self.producers.get_mut(pid) else { return false };
        if producer.ids.contains_key(iid) {
            return false;
        }
        let iid = Bytes::new(iid);
        self.memory += ID + 2 * iid.heap();
        producer.order.push_back(iid.clone());
        producer.ids.insert(iid, id);
        true
    }

    /// Forgets what is older than the duration says, and producers of which nothing is left.
    pub fn expire(&mut self, now_ms: i64) {
        let age = i64::try_from(self.duration_s).unwrap_or(i64::MAX).saturating_mul(1000);
        let Ok(end) = u64::try_from(now_ms.saturating_sub(age)) else { return };
        let memory = &mut self.memory;
        self.producers.retain(|pid, producer| {
            while producer.ids().next().is_some_and(|(_, id)| id.ms <= end) {
                *memory = memory.saturating_sub(forget(producer));
            }
            let keep = !producer.order.is_empty();
            if !keep {
                *memory = memory.saturating_sub(block(PRODUCER) + pid.heap());
            }
            keep
        });
    }

    /// Forgets every producer.
    pub fn clear(&mut self) {
        self.producers.clear();
        self.memory = 0;
    }
}

/// Forgets a producer's oldest id; the bytes that sets free.
fn forget(producer: &mut Producer) -> usize {
    let Some(oldest) = producer.order.pop_front() else { return 0 };
    producer.ids.remove(&oldest);
    ID + 2 * oldest.heap()
}

/// The name of a message that has none of its own. `fields`: field, value, field, value …
pub fn automatic_iid(fields: &[&[u8]]) -> [u8; 16] {
    let (mut sum, mut xor) = ((0u64, 0u64), (0u64, 0u64));
    let mut text = Vec::new();
    for pair in fields.chunks_exact(2) {
        text.clear();
        if let [field, value] = pair {
            text.extend_from_slice(field);
            text.extend_from_slice(&(field.len() as u64).to_le_bytes());
            text.extend_from_slice(value);
        }
        let hash = twox_hash::XxHash3_128::oneshot(&text);
        let (low, high) = (hash as u64, (hash >> 64) as u64);
        sum = (sum.0.wrapping_add(low), sum.1.wrapping_add(high));
        xor = (xor.0 ^ low, xor.1 ^ high);
    }
    let low = sum.0 ^ xor.1.rotate_left(1);
    let high = sum.1 ^ xor.0.rotate_left(1);
    ((u128::from(high) << 64) | u128::from(low)).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_by_number_and_by_age() {
        let mut idmp = Idmp { max_size: 2, ..Idmp::default() };
        for (n, iid) in (1..).zip([b"a", b"b", b"c"]) {
            idmp.record(b"p", iid, StreamId::new(n * 1000, 0));
        }
        assert_eq!(idmp.find(b"p", b"a"), None);
        assert_eq!(idmp.find(b"p", b"b"), Some(StreamId::new(2000, 0)));
        assert_eq!((idmp.added, idmp.tracked()), (3, 2));
        idmp.expire(102_000);
        assert_eq!((idmp.find(b"p", b"b"), idmp.tracked()), (None, 1));
        idmp.expire(103_000);
        assert_eq!((idmp.producers().len(), idmp.memory()), (0, 0));
    }

    #[test]
    fn the_automatic_name_does_not_see_order() {
        let one = automatic_iid(&[b"a", b"1", b"b", b"2"]);
        assert_eq!(one, automatic_iid(&[b"b", b"2", b"a", b"1"]));
        assert_ne!(one, automatic_iid(&[b"a", b"2", b"b", b"1"]));
        assert_ne!(automatic_iid(&[b"ab", b"c"]), automatic_iid(&[b"a", b"bc"]));
    }
}
