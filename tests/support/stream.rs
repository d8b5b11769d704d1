//! Stream values by hand, of all five versions (FORMATS.md A.7). A sample starts from [`Stream::one`],
//! a sound stream of one entry, and changes what it is about.

use crate::made::{Bytes, b, lp, lpe};

/// A stream id.
pub(crate) type Id = (u64, u64);

/// `entries_read` of a group that does not know.
pub(crate) const UNKNOWN: u64 = u64::MAX;

/// A moment in 2023, for pending entries and consumers.
pub(crate) const THEN: i64 = 1_700_000_000_000;

/// A consumer: name, seen, active, pending ids.
pub(crate) type Consumer = (&'static str, i64, i64, Vec<Id>);

/// A consumer group.
#[derive(Clone)]
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) last: Id,
    pub(crate) read: u64,
    /// Pending id, delivery time, delivery count.
    pub(crate) pel: Vec<(Id, i64, u64)>,
    pub(crate) consumers: Vec<Consumer>,
    pub(crate) nack: Vec<Id>,
}

impl Group {
    /// A group that has read nothing and has no consumer.
    pub(crate) fn new(name: &'static str) -> Group {
        let (pel, consumers, nack) = (vec![], vec![], vec![]);
        Group { name, last: (0, 0), read: 0, pel, consumers, nack }
    }

    /// A group whose one consumer has these ids pending.
    pub(crate) fn pending(name: &'static str, ids: &[Id]) -> Group {
        Group {
            last: ids.last().copied().unwrap_or_default(),
            read: ids.len() as u64,
            pel: ids.iter().map(|id| (*id, THEN, 1)).collect(),
            consumers: vec![("alice", THEN, THEN, ids.to_vec())],
            ..Group::new(name)
        }
    }
}

/// An idempotent producer: its name, and each message's name with the id it got.
pub(crate) type Producer = (&'static str, Vec<(&'static str, Id)>);

/// The idempotence part of version 4.
#[derive(Clone)]
pub(crate) struct Idmp {
    pub(crate) duration: u64,
    pub(crate) maxsize: u64,
    pub(crate) producers: Vec<Producer>,
    pub(crate) added: u64,
    pub(crate) duplicates: u64,
}

/// A stream value.
#[derive(Clone)]
pub(crate) struct Stream {
    /// Key and listpack of each node.
    pub(crate) nodes: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) length: u64,
    pub(crate) last: Id,
    pub(crate) first: Id,
    pub(crate) max_deleted: Id,
    pub(crate) added: u64,
    pub(crate) groups: Vec<Group>,
    pub(crate) idmp: Idmp,
}

impl Stream {
    /// No entry, never had one.
    pub(crate) fn empty() -> Stream {
        let idmp = Idmp { duration: 100, maxsize: 100, producers: vec![], added: 0, duplicates: 0 };
        Stream {
            nodes: vec![],
            length: 0,
            last: (0, 0),
            first: (0, 0),
            max_deleted: (0, 0),
            added: 0,
            groups: vec![],
            idmp,
        }
    }

    /// One entry `1-1 f v`.
    pub(crate) fn one() -> Stream {
        let node = node(&["f"], &[same(0, 0, &["v"])]);
        Stream { nodes: vec![((key(1, 1)), node)], ..Stream::counts(1, (1, 1), (1, 1)) }
    }

    /// Three entries `1-1`, `1-2`, `2-0`, in one node.
    pub(crate) fn three() -> Stream {
        let entries = [same(0, 0, &["v1"]), same(0, 1, &["v2"]), same(1, -1, &["v3"])];
        let nodes = vec![(key(1, 1), node(&["f"], &entries))];
        Stream { nodes, ..Stream::counts(3, (1, 1), (2, 0)) }
    }

    /// Everything but the nodes, for `length` entries that nobody deleted.
    pub(crate) fn counts(length: u64, first: Id, last: Id) -> Stream {
        Stream { length, first, last, added: length, ..Stream::empty() }
    }

    /// The same with one group.
    pub(crate) fn group(mut self, group: Group) -> Stream {
        self.groups.push(group);
        self
    }

    /// The value's bytes in stream version 1..=5 (types 15, 19, 21, 26, 27).
    pub(crate) fn bytes(&self, version: u8) -> Bytes {
        let mut out = b().len(self.nodes.len() as u64);
        for (key, listpack) in &self.nodes {
            out = out.str(key).str(listpack);
        }
        out = out.len(self.length).id_len(self.last.0, self.last.1);
        if version >= 2 {
            out = out.id_len(self.first.0, self.first.1);
            out = out.id_len(self.max_deleted.0, self.max_deleted.1).len(self.added);
        }
        out = out.len(self.groups.len() as u64);
        for group in &self.groups {
            out = group_bytes(out, group, version);
        }
        if version >= 4 { idmp_bytes(out, &self.idmp) } else { out }
    }
}

fn group_bytes(mut out: Bytes, group: &Group, version: u8) -> Bytes {
    out = out.str(group.name).id_len(group.last.0, group.last.1);
    if version >= 2 {
        out = out.len(group.read);
    }
    out = out.len(group.pel.len() as u64);
    for ((ms, seq), time, count) in &group.pel {
        out = out.id(*ms, *seq).i64le(*time).len(*count);
    }
    out = out.len(group.consumers.len() as u64);
    for (name, seen, active, ids) in &group.consumers {
        out = out.str(name).i64le(*seen);
        if version >= 3 {
            out = out.i64le(*active);
        }
        out = ids.iter().fold(out.len(ids.len() as u64), |out, id| out.id(id.0, id.1));
    }
    if version >= 5 {
        let count = out.len(group.nack.len() as u64);
        out = group.nack.iter().fold(count, |out, id| out.id(id.0, id.1));
    }
    out
}

fn idmp_bytes(mut out: Bytes, idmp: &Idmp) -> Bytes {
    out = out.len(idmp.duration).len(idmp.maxsize).len(idmp.producers.len() as u64);
    for (pid, messages) in &idmp.producers {
        out = out.str(pid).len(messages.len() as u64);
        for (iid, (ms, seq)) in messages {
            out = out.str(iid).id_len(*ms, *seq);
        }
    }
    out.len(idmp.added).len(idmp.duplicates)
}

/// A node's key: the id its entries count from.
pub(crate) fn key(ms: u64, seq: u64) -> Vec<u8> {
    b().id(ms, seq).0
}

/// A node's listpack: the master entry with live and deleted counted from the entries' flags.
pub(crate) fn node(fields: &[&str], entries: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let deleted = entries.iter().filter(|e| e[0][0] & 1 == 1).count();
    node_counts((entries.len() - deleted) as i64, deleted as i64, fields, entries)
}

/// The same with the counts given.
pub(crate) fn node_counts(
    live: i64,
    deleted: i64,
    fields: &[&str],
    entries: &[Vec<Vec<u8>>],
) -> Vec<u8> {
    let mut items = vec![lpe::int(live), lpe::int(deleted), lpe::int(fields.len() as i64)];
    items.extend(fields.iter().map(lpe::text));
    items.push(lpe::int(0));
    items.extend(entries.concat());
    lp(&items)
}

/// An entry with the master's fields.
pub(crate) fn same(ms: i64, seq: i64, values: &[&str]) -> Vec<Vec<u8>> {
    with_flags(2, ms, seq, values)
}

/// A deleted entry with the master's fields.
pub(crate) fn tombstone(ms: i64, seq: i64, values: &[&str]) -> Vec<Vec<u8>> {
    with_flags(3, ms, seq, values)
}

fn with_flags(flags: u8, ms: i64, seq: i64, values: &[&str]) -> Vec<Vec<u8>> {
    let mut items = vec![lpe::u7(flags), lpe::int(ms), lpe::int(seq)];
    items.extend(values.iter().map(lpe::text));
    items.push(lpe::int(values.len() as i64 + 3));
    items
}

/// An entry that spells its fields out: names and values in turn.
pub(crate) fn own(ms: i64, seq: i64, pairs: &[&str]) -> Vec<Vec<u8>> {
    let fields = pairs.len() as i64 / 2;
    let mut items = vec![lpe::u7(0), lpe::int(ms), lpe::int(seq), lpe::int(fields)];
    items.extend(pairs.iter().map(lpe::text));
    items.push(lpe::int(2 * fields + 4));
    items
}
