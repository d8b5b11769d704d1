//! Streams (RDB types 15, 19, 21, 26, 27; FORMATS A.7):
//!
//! ```text
//! len nodes, nodes x { str of the 16-byte node id, str(listpack) }
//! len length, len last.ms, len last.seq
//! v2+: len first.ms, len first.seq, len maxdel.ms, len maxdel.seq, len entries-added
//! len groups, each:
//!   str name, len last.ms, len last.seq, v2+: len entries-read (2^64-1 = unknown)
//!   len pending, each: id16, i64le delivered ms, len deliveries
//!   len consumers, each: str name, i64le seen ms, v3+: i64le active ms (-1 = never), len k, k x id16
//!   v5: len nacked, nacked x id16
//! v4+: len duration s, len max size, len producers, each: str pid, len m, m x { str iid, len ms, len seq }
//!      len iids-added, len iids-duplicates
//! ```
//!
//! The listpacks are [`super::stream_node`]'s.

use std::collections::HashSet;

use nom::Parser;
use nom::combinator::map;
use nom::number::complete::le_i64;

use super::super::length::length;
use super::super::string::string;
use super::super::types::RdbType;
use super::super::walk::{Walker, id16};
use super::packed::LISTPACK_MIN;
use super::stream_node::{Totals, walk_node};
use crate::element::{Element, StreamId, StreamInfo, StreamInfoMore, Visit};
use crate::error::{Fault, Parse};
use crate::finding::Code;

/// What a version of the type has beyond the first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// First id, highest deleted id, entries added and read.
    pub(super) counters: bool,
    /// A consumer's active time.
    pub(super) active: bool,
    /// Idempotent producers.
    pub(super) idmp: bool,
    /// Pending entries nobody owns.
    pub(super) nacks: bool,
}

impl Layout {
    /// That of a row.
    pub(super) fn of(row: &RdbType) -> Layout {
        match row.code {
            15 => V1,
            19 => V2,
            21 => V3,
            26 => V4,
            _ => V5,
        }
    }
}

const V1: Layout = Layout { counters: false, active: false, idmp: false, nacks: false };
const V2: Layout = Layout { counters: true, ..V1 };
const V3: Layout = Layout { active: true, ..V2 };
const V4: Layout = Layout { idmp: true, ..V3 };
const V5: Layout = Layout { nacks: true, ..V4 };

/// Type 15.
pub fn v1<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    walk(i, V1, walker, visit)
}

/// Type 19.
pub fn v2<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    walk(i, V2, walker, visit)
}

/// Type 21.
pub fn v3<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    walk(i, V3, walker, visit)
}

/// Type 26.
pub fn v4<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    walk(i, V4, walker, visit)
}

/// Type 27.
pub fn v5<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    walk(i, V5, walker, visit)
}

fn walk<'a>(
    i: &'a [u8],
    layout: Layout,
    walker: &mut Walker,
    visit: &mut dyn Visit,
) -> Parse<'a, ()> {
    let before = walker.findings.count();
    let (info_at, totals) = nodes(i, walker, visit)?;
    // Counts mean nothing where a node could not be read.
    let nodes_are_sound = walker.findings.count() == before;
    let (rest, info) = info(info_at, layout)?;
    visit.element(Element::Stream(info));
    if nodes_are_sound {
        check_info(info, &totals, info_at, walker);
    }
    let (mut rest, groups) = length(rest)?;
    let mut pending = Vec::new();
    let mut names = HashSet::new();
    for _ in 0..groups {
        rest = group(rest, layout, info, &mut names, &mut pending, walker, visit)?.0;
    }
    if layout.idmp {
        rest = idmp(rest, walker, visit)?.0;
    }
    if walker.deep && nodes_are_sound && !pending.is_empty() {
        dangling(i, info_at, pending, walker)?;
    }
    Ok((rest, ()))
}

fn nodes<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, Totals> {
    let (mut rest, count) = length(i)?;
    let mut totals = Totals::default();
    let mut last: Option<StreamId> = None;
    for _ in 0..count {
        let at = rest;
        let (pack_at, key) = string(at)?;
        let (after, packed) = string(pack_at)?;
        let mut text = Vec::new();
        let id = match key.bytes(&mut text).map(id16) {
            Ok(Ok(([], id))) => id,
            _ => {
                let found = format!("{} bytes", key.len());
                walker.note(Code::StreamNodeKey, at, 1, "a node id of 16 bytes", found);
                rest = after;
                continue;
            }
        };
        if last == Some(id) {
            walker.note(Code::StreamNodeKey, at, 17, "each node once", format!("{id} again"));
        } else if last.is_some_and(|last| last > id) {
            let found = format!("{id} after {}", last.unwrap_or_default());
            walker.note(Code::StreamOrder, at, 17, "nodes in ascending order", found);
        }
        last = Some(id);
        walker.packed(packed, LISTPACK_MIN, pack_at, after, visit, |walker, blob, visit| {
            visit.element(Element::StreamNode { id, blob });
            let done = walk_node(blob, id, &mut totals, walker, visit);
            visit.element(Element::Unpacked);
            done
        });
        rest = after;
    }
    Ok((rest, totals))
}

fn id(i: &[u8]) -> Parse<'_, StreamId> {
    map((length, length), |(ms, seq)| StreamId { ms, seq }).parse(i)
}

fn info(i: &[u8], layout: Layout) -> Parse<'_, StreamInfo> {
    let (rest, (length_, last_id)) = (length, id).parse(i)?;
    let (rest, more) = if layout.counters {
        let more = |(first_id, max_deleted_id, entries_added)| {
            Some(StreamInfoMore { first_id, max_deleted_id, entries_added })
        };
        map((id, id, length), more).parse(rest)?
    } else {
        (rest, None)
    };
    Ok((rest, StreamInfo { length: length_, last_id, more }))
}

fn check_info(info: StreamInfo, totals: &Totals, at: &[u8], walker: &mut Walker) {
    if info.length != totals.live {
        let expected = format!("a length of {}, the live entries", totals.live);
        walker.note(Code::StreamCounts, at, 1, expected, info.length.to_string());
    }
    if let Some(highest) = totals.highest.filter(|highest| *highest > info.last_id) {
        let expected = format!("a last id of at least {highest}");
        walker.note(Code::StreamLastId, at, 1, expected, info.last_id.to_string());
    }
    if let Some(more) = info.more
        && (more.entries_added < info.length || more.entries_added > i64::MAX as u64)
    {
        let expected = format!("entries-added from {} to 2^63-1", info.length);
        walker.note(Code::StreamEntriesAdded, at, 1, expected, more.entries_added.to_string());
    }
}

/// A group's pending list while its consumers are read: each id with whether it has an owner.
struct Pel(Vec<(StreamId, bool)>);

impl Pel {
    fn find(&mut self, id: StreamId) -> Option<&mut bool> {
        let at = self.0.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        self.0.get_mut(at).map(|(_, owned)| owned)
    }
}

fn group<'a>(
    i: &'a [u8],
    layout: Layout,
    info: StreamInfo,
    names: &mut HashSet<Vec<u8>>,
    all_pending: &mut Vec<StreamId>,
    walker: &mut Walker,
    visit: &mut dyn Visit,
) -> Parse<'a, ()> {
    let (rest, (name, last_id)) = (string, id).parse(i)?;
    unique_name(name, i, names, Code::GroupDup, walker);
    let (pel_at, entries_read) = if layout.counters {
        let (after, read) = length(rest)?;
        let added = info.more.map_or(u64::MAX, |more| more.entries_added);
        if read != u64::MAX && read > added {
            let expected = format!("at most {added} entries read, as many as were added");
            walker.note(Code::GroupEntriesRead, rest, 1, expected, read.to_string());
        }
        (after, Some(read as i64))
    } else {
        (rest, None)
    };
    visit.element(Element::Group { name, last_id, entries_read });
    let (consumers_at, mut pel) = pending(pel_at, walker, visit)?;
    all_pending.extend(pel.0.iter().map(|(id, _)| *id));
    let mut rest = consumers(consumers_at, layout, &mut pel, walker, visit)?.0;
    if layout.nacks {
        rest = nacked(rest, &mut pel, walker, visit)?.0;
    }
    let mut orphans = pel.0.iter().filter(|(_, owned)| !owned);
    if let (true, Some((first, _))) = (walker.deep, orphans.next()) {
        let found = format!("{first} and {} more without one", orphans.count());
        walker.note(Code::PelOrphan, pel_at, 1, "an owner for each pending id", found);
    }
    Ok((rest, ()))
}

fn unique_name(
    name: crate::element::Str<'_>,
    at: &[u8],
    names: &mut HashSet<Vec<u8>>,
    code: Code,
    walker: &mut Walker,
) {
    walker.check_text(name, at);
    let mut text = Vec::new();
    if let Ok(bytes) = name.bytes(&mut text)
        && !names.insert(bytes.to_vec())
    {
        let found = format!("\"{}\" again", bytes.escape_ascii());
        walker.note(code, at, bytes.len() + 1, "each name once", found);
    }
}

fn pending<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, Pel> {
    let (mut rest, count) = length(i)?;
    let mut ids = Vec::new();
    for _ in 0..count {
        let (after, (id, delivered_at_ms, delivery_count)) = (id16, le_i64, length).parse(rest)?;
        visit.element(Element::Pending { id, delivered_at_ms, delivery_count });
        ids.push((id, false));
        rest = after;
    }
    ids.sort_unstable();
    let twice = ids.windows(2).find(|pair| matches!(pair, [a, b] if a.0 == b.0));
    if let Some([(id, _), ..]) = twice {
        walker.note(Code::PelDup, i, 1, "each pending id once", format!("{id} again"));
    }
    ids.dedup();
    Ok((rest, Pel(ids)))
}

fn consumers<'a>(
    i: &'a [u8],
    layout: Layout,
    pel: &mut Pel,
    walker: &mut Walker,
    visit: &mut dyn Visit,
) -> Parse<'a, ()> {
    let (mut rest, count) = length(i)?;
    let mut names = HashSet::new();
    for _ in 0..count {
        let at = rest;
        let (after, (name, seen_at_ms)) = (string, le_i64).parse(at)?;
        let (after, active_at_ms) =
            if layout.active { map(le_i64, Some).parse(after)? } else { (after, None) };
        unique_name(name, at, &mut names, Code::ConsumerDup, walker);
        visit.element(Element::Consumer { name, seen_at_ms, active_at_ms });
        let (after, owned) = length(after)?;
        rest = after;
        for _ in 0..owned {
            let at = rest;
            let (after, id) = id16(at)?;
            visit.element(Element::Owned(id));
            match pel.find(id) {
                None => {
                    let expected = "ids of the group's pending list";
                    walker.note(Code::PelUnknown, at, 16, expected, id.to_string());
                }
                Some(owner) if *owner => {
                    let found = format!("{id} owned twice");
                    walker.note(Code::PelShared, at, 16, "one owner for each pending id", found);
                }
                Some(owner) => *owner = true,
            }
            rest = after;
        }
    }
    Ok((rest, ()))
}

fn nacked<'a>(
    i: &'a [u8],
    pel: &mut Pel,
    walker: &mut Walker,
    visit: &mut dyn Visit,
) -> Parse<'a, ()> {
    let (mut rest, count) = length(i)?;
    for _ in 0..count {
        let at = rest;
        let (after, id) = id16(at)?;
        visit.element(Element::Nacked(id));
        match pel.find(id) {
            Some(owned) if !*owned => *owned = true,
            _ => {
                let expected = "pending ids that nobody owns";
                walker.note(Code::NackInvalid, at, 16, expected, id.to_string());
            }
        }
        rest = after;
    }
    Ok((rest, ()))
}

fn idmp<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    let (rest, (duration_s, max_size)) = (length, length).parse(i)?;
    if !(1..=86400).contains(&duration_s) || !(1..=10000).contains(&max_size) {
        let found = format!("{duration_s} s, {max_size} ids");
        walker.note(Code::StreamIdmp, i, 2, "1..86400 s and 1..10000 ids", found);
    }
    visit.element(Element::Idmp { duration_s, max_size });
    let (mut rest, producers) = length(rest)?;
    let mut names = HashSet::new();
    for _ in 0..producers {
        let (after, producer) = string(rest)?;
        unique_name(producer, rest, &mut names, Code::StreamIdmp, walker);
        visit.element(Element::Producer(producer));
        let (after, count) = length(after)?;
        rest = after;
        for _ in 0..count {
            let (after, (iid, id)) = (string, id).parse(rest)?;
            walker.check_text(iid, rest);
            visit.element(Element::ProducerId { iid, id });
            rest = after;
        }
    }
    let (rest, (added, duplicates)) = (length, length).parse(rest)?;
    visit.element(Element::IdmpCounts { added, duplicates });
    Ok((rest, ()))
}

/// Pending ids whose entry is gone: the nodes are walked once more, against the sorted pending ids.
fn dangling(
    nodes_at: &[u8],
    end: &[u8],
    mut pending: Vec<StreamId>,
    walker: &mut Walker,
) -> Result<(), nom::Err<Fault>> {
    struct Present {
        pending: Vec<(StreamId, bool)>,
    }
    impl Visit for Present {
        fn element(&mut self, element: Element<'_>) {
            if let Element::StreamEntry { id, .. } = element
                && let Ok(at) = self.pending.binary_search_by_key(&id, |(id, _)| *id)
                && let Some((_, present)) = self.pending.get_mut(at)
            {
                *present = true;
            }
        }
    }
    pending.sort_unstable();
    pending.dedup();
    let mut present = Present { pending: pending.into_iter().map(|id| (id, false)).collect() };
    walker.quietly(|walker| nodes(nodes_at, walker, &mut present).map(|_| ()))?;
    let mut gone = present.pending.iter().filter(|(_, present)| !present);
    if let Some((first, _)) = gone.next() {
        let found = format!("{first} and {} more without one", gone.count());
        walker.note(Code::PelDangling, end, 1, "an entry for each pending id", found);
    }
    Ok(())
}
