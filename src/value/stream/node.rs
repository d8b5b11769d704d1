//! One node of a stream: a listpack of entries, as servers pack them and RDB files carry them
//! (FORMATS A.7).
//!
//! ```text
//! count | deleted | num-fields | field … | 0                                the master entry
//! flags | ms-delta | seq-delta | [ num-fields | field | value … ] | lp-count    an entry with its own fields
//! flags | ms-delta | seq-delta | [ value … ] | lp-count                     one with the master's fields
//! ```
//! Flag 1: deleted (a tombstone). Flag 2: the fields are the master's. Deltas are from the node's id, its
//! key. `count` and `deleted` say how many entries live and how many do not; `lp-count` how many elements
//! of the listpack are before it in its entry.
//!
//! A node from a file should have been walked by [`crate::rdb::object::stream_node`]'s rules; where it was
//! not, entries end where none can be read.

use crate::element::StreamId;
use crate::encoding::Entry;
use crate::value::Packed;

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;

/// A node. Its id is its key in [`super::Log`].
#[derive(Debug, Clone)]
pub struct Node {
    packed: Packed,
}

/// What stands at the head of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Master {
    count: u64,
    deleted: u64,
    fields: u64,
    /// Position of the first field.
    fields_at: usize,
    /// Position of the first entry.
    entries_at: usize,
}

/// An entry, tombstone or not.
#[derive(Debug, Clone, Copy)]
pub struct EntryRef<'a> {
    /// Its id.
    pub id: StreamId,
    /// A tombstone?
    pub deleted: bool,
    node: &'a Node,
    /// Position of its flags.
    pos: usize,
    /// Position of its first field (or value, if the fields are the master's).
    data_at: usize,
    /// Position of the master's first field, if the fields are those.
    master_at: Option<usize>,
    fields: u64,
    /// Position of the next entry.
    end: usize,
}

impl Node {
    /// A node of one entry, whose id is the node's. `fields`: field, value, field, value …
    pub(super) fn new(fields: &[&[u8]]) -> Node {
        let count = (fields.len() / 2) as i64;
        let mut entries = vec![Entry::Int(1), Entry::Int(0), Entry::Int(count)];
        entries.extend(fields.iter().step_by(2).map(|field| Entry::from_text(field)));
        entries.push(Entry::Int(0));
        push_entry(&mut entries, (0, 0), fields, true);
        Node { packed: Packed::of(entries) }
    }

    /// A node that lay in a file; `None` if it does not even begin like one.
    pub fn from_blob(blob: impl Into<Box<[u8]>>) -> Option<Node> {
        let node = Node { packed: Packed::from_blob(blob) };
        node.master()?;
        Some(node)
    }

    /// The listpack, for saving.
    pub fn as_bytes(&self) -> &[u8] {
        self.packed.as_bytes()
    }

    /// Bytes of the listpack.
    pub fn byte_len(&self) -> usize {
        self.packed.byte_len()
    }

    /// Bytes on the heap.
    pub fn memory(&self) -> usize {
        self.packed.memory()
    }

    /// Live entries, as the node states them.
    pub fn live(&self) -> u64 {
        self.master().map_or(0, |master| master.count)
    }

    /// Live entries and tombstones, as the node states them.
    pub fn slots(&self) -> u64 {
        self.master().map_or(0, |master| master.count.saturating_add(master.deleted))
    }

    fn count_at(&self, pos: usize) -> Option<(u64, usize)> {
        let (entry, next) = self.packed.at(pos)?;
        Some((u64::try_from(entry.as_int()?).ok()?, next))
    }

    fn skip(&self, pos: usize, count: u64) -> Option<usize> {
        // A count that the listpack cannot hold ends the loop at its end.
        let mut pos = pos;
        for _ in 0..count {
            pos = self.packed.at(pos)?.1;
        }
        Some(pos)
    }

    fn master(&self) -> Option<Master> {
        let (count, at) = self.count_at(self.packed.first())?;
        let (deleted, at) = self.count_at(at)?;
        let (fields, fields_at) = self.count_at(at)?;
        let entries_at = self.skip(self.skip(fields_at, fields)?, 1)?;
        Some(Master { count, deleted, fields, fields_at, entries_at })
    }

    fn entry(&self, id: StreamId, master: &Master, pos: usize) -> Option<EntryRef<'_>> {
        let (flags, at) = self.packed.at(pos)?;
        let (ms, at) = self.packed.at(at)?;
        let (seq, mut data_at) = self.packed.at(at)?;
        let flags = flags.as_int()?;
        let id = StreamId {
            ms: id.ms.wrapping_add_signed(ms.as_int()?),
            seq: id.seq.wrapping_add_signed(seq.as_int()?),
        };
        let same = flags & SAME_FIELDS != 0;
        let mut fields = master.fields;
        if !same {
            (fields, data_at) = self.count_at(data_at)?;
        }
        let elements = if same { fields } else { fields.checked_mul(2)? };
        let end = self.skip(self.skip(data_at, elements)?, 1)?;
        let master_at = same.then_some(master.fields_at);
        let deleted = flags & DELETED != 0;
        Some(EntryRef { id, deleted, node: self, pos, data_at, master_at, fields, end })
    }

    /// Every entry, tombstones too, of the node with this id.
    pub fn entries(&self, id: StreamId) -> impl Iterator<Item = EntryRef<'_>> {
        let master = self.master();
        let mut pos = master.map_or(0, |master| master.entries_at);
        std::iter::from_fn(move || {
            let entry = self.entry(id, master.as_ref()?, pos)?;
            pos = entry.end;
            Some(entry)
        })
    }

    /// The id of the last entry, tombstone or not.
    pub(super) fn last_id(&self, id: StreamId) -> Option<StreamId> {
        let last = self.packed.before(self.packed.end())?;
        let (elements, _) = self.count_at(last)?;
        let mut pos = last;
        for _ in 0..elements {
            pos = self.packed.before(pos)?;
        }
        let (ms, next) = self.packed.at(self.packed.at(pos)?.1)?;
        let (seq, _) = self.packed.at(next)?;
        let (ms, seq) = (ms.as_int()?, seq.as_int()?);
        let last = (id.ms.wrapping_add_signed(ms), id.seq.wrapping_add_signed(seq));
        (elements > 0).then_some(StreamId::new(last.0, last.1))
    }

    /// Appends an entry to the node with the id `node`.
    pub(super) fn push(&mut self, node: StreamId, id: StreamId, fields: &[&[u8]]) {
        let Some(master) = self.master() else { return };
        let same = self.has_master_fields(&master, fields);
        let mut entries = Vec::with_capacity(fields.len() + 5);
        let delta = (id.ms.wrapping_sub(node.ms) as i64, id.seq.wrapping_sub(node.seq) as i64);
        push_entry(&mut entries, delta, fields, same);
        self.packed.insert(self.packed.end(), &entries);
        self.set_counts(master.count.saturating_add(1), None);
    }

    fn has_master_fields(&self, master: &Master, fields: &[&[u8]]) -> bool {
        if usize::try_from(master.fields) != Ok(fields.len() / 2) {
            return false;
        }
        let mut pos = master.fields_at;
        fields.iter().step_by(2).all(|field| match self.packed.at(pos) {
            Some((name, next)) => {
                pos = next;
                name == Entry::from_text(field)
            }
            None => false,
        })
    }

    /// Makes the entry whose flags are at `pos` a tombstone. The counts stay.
    fn bury(&mut self, pos: usize) {
        if let Some(flags) = self.packed.at(pos).and_then(|(flags, _)| flags.as_int()) {
            self.packed.replace(pos, 1, &[Entry::Int(flags | DELETED)]);
        }
    }

    /// Makes entries tombstones: those of the node with this id that `choose` returns true for, up to
    /// where it returns `None`. How many that were.
    pub(super) fn delete(
        &mut self,
        id: StreamId,
        mut choose: impl FnMut(&EntryRef<'_>) -> Option<bool>,
    ) -> u64 {
        let Some(master) = self.master() else { return 0 };
        let (mut pos, mut buried) = (master.entries_at, 0u64);
        while let Some(entry) = self.entry(id, &master, pos) {
            let Some(chosen) = choose(&entry) else { break };
            // Flags of a tombstone take no more room than before: `end` stays right.
            let (at, end) = (entry.pos, entry.end);
            let before = self.packed.byte_len();
            if chosen && !entry.deleted {
                self.bury(at);
                buried += 1;
            }
            pos = (end + self.packed.byte_len()).saturating_sub(before);
        }
        if buried > 0 {
            let deleted = master.deleted.saturating_add(buried);
            self.set_counts(master.count.saturating_sub(buried), Some(deleted));
        }
        buried
    }

    fn set_counts(&mut self, count: u64, deleted: Option<u64>) {
        let int = |number: u64| Entry::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let first = self.packed.first();
        match deleted {
            Some(deleted) => self.packed.replace(first, 2, &[int(count), int(deleted)]),
            None => self.packed.replace(first, 1, &[int(count)]),
        };
    }
}

/// The elements of an entry.
fn push_entry<'a>(
    entries: &mut Vec<Entry<'a>>,
    (ms, seq): (i64, i64),
    fields: &[&'a [u8]],
    same: bool,
) {
    let count = (fields.len() / 2) as i64;
    entries.extend([
        Entry::Int(if same { SAME_FIELDS } else { 0 }),
        Entry::Int(ms),
        Entry::Int(seq),
    ]);
    if same {
        entries.extend(fields.iter().skip(1).step_by(2).map(|value| Entry::from_text(value)));
        entries.push(Entry::Int(count + 3));
    } else {
        entries.push(Entry::Int(count));
        entries.extend(fields.iter().map(|text| Entry::from_text(text)));
        entries.push(Entry::Int(2 * count + 4));
    }
}

impl<'a> EntryRef<'a> {
    /// Fields and values, in order.
    pub fn fields(&self) -> impl Iterator<Item = (Entry<'a>, Entry<'a>)> + use<'a> {
        let (node, mut data_at, mut master_at) = (self.node, self.data_at, self.master_at);
        (0..self.fields).map_while(move |_| {
            let field = match &mut master_at {
                Some(at) => next(node, at)?,
                None => next(node, &mut data_at)?,
            };
            Some((field, next(node, &mut data_at)?))
        })
    }

    /// How many fields it has.
    pub fn field_count(&self) -> usize {
        // As many as were found: a count that is too high ends the node.
        usize::try_from(self.fields).unwrap_or(usize::MAX)
    }
}

fn next<'a>(node: &'a Node, pos: &mut usize) -> Option<Entry<'a>> {
    let (entry, next) = node.packed.at(*pos)?;
    *pos = next;
    Some(entry)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn texts(entry: &EntryRef<'_>) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        for (field, value) in entry.fields() {
            for part in [field, value] {
                let mut text = Vec::new();
                part.write_text(&mut text);
                out.push(text);
            }
        }
        out
    }

    #[test]
    fn entries_come_back() {
        let id = StreamId::new(100, 5);
        let mut node = Node::new(&[b"a", b"1", b"b", b"x"]);
        node.push(id, StreamId::new(101, 0), &[b"a", b"2", b"b", b"y"]);
        node.push(id, StreamId::new(101, 1), &[b"a", b"3"]);
        node.push(id, StreamId::MAX, &[b"a", b"", b"c", b"z"]);
        let all: Vec<_> = node.entries(id).map(|entry| (entry.id, texts(&entry))).collect();
        let words = |text: &str| -> Vec<Vec<u8>> {
            text.split(' ').map(|word| word.as_bytes().to_vec()).collect()
        };
        assert_eq!(
            all,
            [
                (id, words("a 1 b x")),
                (StreamId::new(101, 0), words("a 2 b y")),
                (StreamId::new(101, 1), words("a 3")),
                (StreamId::MAX, words("a  c z")),
            ]
        );
        assert_eq!(node.last_id(id), Some(StreamId::MAX));
        assert_eq!((node.live(), node.slots()), (4, 4));
        assert_eq!(node.delete(id, |entry| Some(entry.id.ms == 101)), 2);
        assert_eq!((node.live(), node.slots()), (2, 4));
        assert_eq!(node.delete(id, |entry| (entry.id == id).then_some(true)), 1);
        let dead: Vec<_> = node.entries(id).map(|entry| entry.deleted).collect();
        assert_eq!(dead, [true, true, true, false]);
    }

    /// Bytes that are no node give no entries, or few; nothing panics.
    #[test]
    fn unchecked_bytes_do_no_harm() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut good = Node::new(&[b"a", b"1", b"b", b"x"]);
        (1..9u64).for_each(|n| good.push(StreamId::MIN, StreamId::new(n, n), &[b"a", b"22"]));
        for _ in 0..20_000 {
            let mut blob = good.as_bytes().to_vec();
            for _ in 0..rng.usize(1..4) {
                let at = rng.usize(6..blob.len());
                blob[at] = rng.u8(..);
            }
            *blob.last_mut().unwrap() = 0xff;
            let Some(mut node) = Node::from_blob(blob) else { continue };
            for entry in node.entries(StreamId::MAX) {
                entry.fields().count();
            }
            node.last_id(StreamId::MAX);
            node.delete(StreamId::MIN, |entry| Some(entry.id.ms % 2 == 0));
            node.push(StreamId::MIN, StreamId::MAX, &[b"a", b"1"]);
        }
    }
}
