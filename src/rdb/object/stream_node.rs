//! A node of a stream, one listpack (FORMATS A.7):
//!
//! ```text
//! count, deleted, num-fields, field..., 0                        the master entry
//! flags, ms-delta, seq-delta, [num-fields, field, value ... | value ...], lp-count      each entry
//! ```
//!
//! Flag 1: deleted (a tombstone); flag 2: the fields are the master's. lp-count is values + 3, or
//! 2 x fields + 4 when they are spelled out. Deltas are relative to the node's id.

use super::super::walk::{Step, Walker};
use super::packed::Packed;
use crate::element::{Element, Str, StreamId, Visit};
use crate::encoding::listpack;
use crate::error::Fault;
use crate::finding::Code;

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;

/// What all nodes of a stream add up to.
#[derive(Debug, Default)]
pub struct Totals {
    /// Live entries.
    pub live: u64,
    /// Highest id of a live entry.
    pub highest: Option<StreamId>,
    /// Whether an entry out of order was told of.
    out_of_order: bool,
}

struct Node<'b, 'w> {
    entries: listpack::Entries<'b>,
    walker: &'w mut Walker,
}

type Read<T> = Result<T, nom::Err<Fault>>;

impl<'b> Node<'b, '_> {
    fn at(&self) -> &'b [u8] {
        self.entries.remaining()
    }

    fn text(&mut self, what: &'static str) -> Read<Str<'b>> {
        let at = self.at();
        match Packed::next(&mut self.entries, self.walker)? {
            Some((text, _)) => Ok(text),
            None => Fault::err(Code::StreamNode, at, 1, what, "the end of the node"),
        }
    }

    fn int(&mut self, what: &'static str) -> Read<i64> {
        let at = self.at();
        match self.text(what)? {
            Str::Int(value) => Ok(value),
            _ => Fault::err(Code::StreamNode, at, 1, what, "a string"),
        }
    }

    fn count(&mut self, code: Code, what: &'static str) -> Read<u64> {
        let at = self.at();
        let value = self.int(what)?;
        match u64::try_from(value) {
            Ok(count) => Ok(count),
            Err(_) => Fault::err(code, at, 1, what, value.to_string()),
        }
    }
}

/// Walks one node, adding up what it holds.
pub fn walk_node(
    blob: &[u8],
    id: StreamId,
    totals: &mut Totals,
    walker: &mut Walker,
    visit: &mut dyn Visit,
) -> Step {
    let entries = listpack::Entries::open(blob)?;
    let mut node = Node { entries, walker };
    let counts_at = node.at();
    if counts_at.len() <= 1 {
        let expected = "a master entry";
        return Fault::err(Code::StreamNodeEmpty, counts_at, 1, expected, "an empty listpack");
    }
    let count = node.count(Code::StreamCounts, "the number of live entries")?;
    let deleted = node.count(Code::StreamCounts, "the number of deleted entries")?;
    let num_fields = node.count(Code::StreamNode, "the number of fields")?;
    let mut names = Vec::new();
    for _ in 0..num_fields {
        names.push(node.text("a field")?);
    }
    let zero_at = node.at();
    if node.int("0 at the end of the master entry")? != 0 {
        return Fault::err(
            Code::StreamNode,
            zero_at,
            1,
            "0 after the master fields",
            "another number",
        );
    }
    let (mut live, mut tombstones) = (0u64, 0u64);
    let mut fields = Vec::new();
    while node.at().len() > 1 {
        let at = node.at();
        let (entry, is_deleted) = entry(&mut node, id, &names, &mut fields)?;
        if is_deleted {
            tombstones += 1;
            continue;
        }
        live += 1;
        if !totals.out_of_order && totals.highest.is_some_and(|highest| highest >= entry) {
            totals.out_of_order = true;
            let found = format!("{entry} after {}", totals.highest.unwrap_or_default());
            node.walker.note(Code::StreamOrder, at, 1, "entries in ascending order", found);
        }
        totals.highest = totals.highest.max(Some(entry));
        visit.element(Element::StreamEntry { id: entry, fields: &fields });
    }
    // Reading once more checks the listpack's end.
    Packed::next(&mut node.entries, node.walker)?;
    totals.live = totals.live.saturating_add(live);
    if (live, tombstones) != (count, deleted) {
        let expected = format!("{count} live and {deleted} deleted entries, as the node states");
        let found = format!("{live} and {tombstones}");
        node.walker.note(Code::StreamCounts, counts_at, 1, expected, found);
    }
    Ok(())
}

fn entry<'b>(
    node: &mut Node<'b, '_>,
    base: StreamId,
    names: &[Str<'b>],
    fields: &mut Vec<(Str<'b>, Str<'b>)>,
) -> Read<(StreamId, bool)> {
    let at = node.at();
    let flags = node.int("an entry's flags")?;
    let ms = node.int("an entry's ms delta")?;
    let seq = node.int("an entry's seq delta")?;
    let id =
        StreamId { ms: base.ms.wrapping_add_signed(ms), seq: base.seq.wrapping_add_signed(seq) };
    fields.clear();
    let expected = if flags & SAME_FIELDS != 0 {
        for &name in names {
            fields.push((name, node.text("a value")?));
        }
        (names.len() as u64).saturating_add(3)
    } else {
        let count = node.count(Code::StreamNode, "the number of fields")?;
        for _ in 0..count {
            let name = node.text("a field")?;
            fields.push((name, node.text("a value")?));
        }
        count.saturating_mul(2).saturating_add(4)
    };
    let count_at = node.at();
    let lp_count = node.count(Code::StreamNode, "an entry's count of listpack entries")?;
    if lp_count != expected {
        let expected = format!("{expected} listpack entries");
        return Fault::err(Code::StreamNode, count_at, 1, expected, lp_count.to_string());
    }
    if id < base && node.walker.deep {
        let found = format!("{id} in node {base}");
        node.walker.note(Code::StreamOrder, at, 1, "ids from the node's id on", found);
    }
    Ok((id, flags & DELETED != 0))
}
