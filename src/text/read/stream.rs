//! Streams, whose entries are packed into nodes as servers pack them.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::part::{Each, Id, Text};
use super::{Wrong, raw};
use crate::element::{Element, Str, StreamInfo, StreamInfoMore, Visit};
use crate::encoding::Entry;
use crate::limits::PackedLimits;
use crate::rdb::encode::Encoder;
use crate::rdb::types::{DataType, RdbType, TYPES};
use crate::value::stream::{Log, NewId};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stream<'a> {
    #[serde(borrow)]
    entries: &'a RawValue,
    last_id: Id,
    first_id: Option<Id>,
    max_deleted_id: Option<Id>,
    entries_added: Option<u64>,
    #[serde(borrow, default)]
    groups: Vec<Group<'a>>,
    #[serde(borrow)]
    idmp: Option<Idmp<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    last_id: Id,
    entries_read: Option<i64>,
    #[serde(default)]
    pending: Vec<(Id, i64, u64)>,
    #[serde(borrow, default)]
    consumers: Vec<Consumer<'a>>,
    #[serde(default)]
    nacked: Vec<Id>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Consumer<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    seen_at_ms: i64,
    active_at_ms: Option<i64>,
    #[serde(default)]
    pending: Vec<Id>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Idmp<'a> {
    duration_s: u64,
    max_size: u64,
    #[serde(borrow, default)]
    producers: Vec<Producer<'a>>,
    added: u64,
    duplicates: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Producer<'a> {
    #[serde(borrow)]
    producer: Text<'a>,
    #[serde(borrow)]
    ids: Vec<(Text<'a>, Id)>,
}

#[derive(Deserialize)]
struct StreamEntry<'a>(Id, #[serde(borrow)] Vec<Text<'a>>);

/// Hands a stream's elements to an encoder.
pub(super) fn read(encoder: &mut Encoder, text: &str, before: usize) -> Result<(), Wrong> {
    let stream: Stream<'_> = serde_json::from_str(text).map_err(|err| Wrong::of(&err, before))?;
    let entries = stream.entries.get();
    let before = before + (entries.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    let mut log = Log::default();
    Each::of(entries, |StreamEntry(Id(id), fields)| {
        if fields.is_empty() || fields.len() % 2 != 0 {
            return Err("expected a value for each field, and at least one".to_owned());
        }
        let fields: Vec<&[u8]> = fields.iter().map(|text| &text.0[..]).collect();
        let added = log.add(NewId::Exact(id), &fields, &PackedLimits::DEFAULT);
        added
            .map(drop)
            .map_err(|_| format!("expected ids in ascending order from 0-1 on, found {id}"))
    })
    .map_err(|err| Wrong::of(&err, before))?;
    let info = info(&stream, &log)?;
    if let Some(row) = layout(&stream) {
        encoder.begin_from(row);
    }
    nodes(&log, encoder);
    encoder.element(Element::Stream(info));
    stream.groups.iter().for_each(|group| read_by(group, encoder));
    stream.idmp.iter().for_each(|idmp| producers(idmp, encoder));
    Ok(())
}

fn info(stream: &Stream<'_>, log: &Log) -> Result<StreamInfo, Wrong> {
    let Stream { last_id, first_id, max_deleted_id, entries_added, .. } = stream;
    let more = match (first_id, max_deleted_id, entries_added) {
        (None, None, None) => None,
        (Some(first), Some(deleted), Some(added)) => {
            let (first_id, max_deleted_id, entries_added) = (first.0, deleted.0, *added);
            Some(StreamInfoMore { first_id, max_deleted_id, entries_added })
        }
        _ => {
            let what =
                "expected first_id, max_deleted_id and entries_added together, or none of them";
            return Err(Wrong::new(what));
        }
    };
    Ok(StreamInfo { length: log.length, last_id: last_id.0, more })
}

/// The row that holds what is told and nothing else, so that nothing has to be made up.
fn layout(stream: &Stream<'_>) -> Option<&'static RdbType> {
    let mut consumers = stream.groups.iter().flat_map(|group| &group.consumers).peekable();
    let has_consumers = consumers.peek().is_some();
    let code = if stream.entries_added.is_none() {
        15
    } else if has_consumers && consumers.all(|consumer| consumer.active_at_ms.is_none()) {
        19
    } else if stream.idmp.is_none() {
        21
    } else if stream.groups.iter().all(|group| group.nacked.is_empty()) {
        26
    } else {
        27
    };
    TYPES.iter().find(|row| row.data == DataType::Stream && row.code == code)
}

fn nodes(log: &Log, visit: &mut dyn Visit) {
    let text = |entry| match entry {
        Entry::Int(number) => Str::Int(number),
        Entry::Str(text) => Str::Raw(text),
    };
    for (id, node) in log.nodes() {
        visit.element(Element::StreamNode { id, blob: node.as_bytes() });
        for entry in node.entries(id) {
            let fields: Vec<_> = entry.fields().map(|(f, v)| (text(f), text(v))).collect();
            visit.element(Element::StreamEntry { id: entry.id, fields: &fields });
        }
        visit.element(Element::Unpacked);
    }
}

fn read_by(group: &Group<'_>, visit: &mut dyn Visit) {
    let (name, entries_read) = (raw(&group.name), group.entries_read);
    visit.element(Element::Group { name, last_id: group.last_id.0, entries_read });
    for (Id(id), delivered_at_ms, delivery_count) in &group.pending {
        let (id, delivered_at_ms, delivery_count) = (*id, *delivered_at_ms, *delivery_count);
        visit.element(Element::Pending { id, delivered_at_ms, delivery_count });
    }
    for consumer in &group.consumers {
        let Consumer { name, seen_at_ms, active_at_ms, pending } = consumer;
        let (name, seen_at_ms, active_at_ms) = (raw(name), *seen_at_ms, *active_at_ms);
        visit.element(Element::Consumer { name, seen_at_ms, active_at_ms });
        pending.iter().for_each(|id| visit.element(Element::Owned(id.0)));
    }
    group.nacked.iter().for_each(|id| visit.element(Element::Nacked(id.0)));
}

fn producers(idmp: &Idmp<'_>, visit: &mut dyn Visit) {
    let (duration_s, max_size) = (idmp.duration_s, idmp.max_size);
    visit.element(Element::Idmp { duration_s, max_size });
    for producer in &idmp.producers {
        visit.element(Element::Producer(raw(&producer.producer)));
        for (iid, id) in &producer.ids {
            visit.element(Element::ProducerId { iid: raw(iid), id: id.0 });
        }
    }
    visit.element(Element::IdmpCounts { added: idmp.added, duplicates: idmp.duplicates });
}
