//! What a value is made of, as the elements that a walk of its RDB form would hand out: for whoever
//! writes values, in whatever form.

use super::stream::{Group, Stream};
use super::{Array, Hash, HashRef, List, NodeRef, Set, SetRef, Value, VectorSet, Zset};
use crate::element::{Cell, Element, ModuleId, Packing, Str, StreamInfo, StreamInfoMore, Visit};
use crate::encoding::Entry;
use crate::encoding::number::parse_i64;

impl Value {
    /// Hands out its elements, packed bytes first where it is packed.
    pub fn elements(&self, visit: &mut dyn Visit) {
        match self {
            Value::Str(text) => match text.as_int() {
                Some(number) => visit.element(Element::Text(Str::Int(number))),
                None => visit.element(Element::Text(Str::Raw(&text.bytes()))),
            },
            Value::List(list) => items(list, visit),
            Value::Set(set) => members(set, visit),
            Value::Zset(zset) => scored(zset, visit),
            Value::Hash(hash) => fields(hash, visit),
            Value::Stream(stream) => entries(stream, visit),
            Value::Array(array) => cells(array, visit),
            Value::Module(module) => {
                let id = ModuleId(module.id());
                visit.element(Element::Module { id, data: module.payload() });
            }
            Value::VectorSet(set) => vectors(set, visit),
        }
    }
}

fn text(entry: Entry<'_>) -> Str<'_> {
    match entry {
        Entry::Int(number) => Str::Int(number),
        Entry::Str(text) => Str::Raw(text),
    }
}

/// Packed bytes, and what is in them.
fn packed(
    packing: Packing,
    blob: &[u8],
    visit: &mut dyn Visit,
    inside: impl FnOnce(&mut dyn Visit),
) {
    visit.element(Element::Packed { packing, blob });
    inside(visit);
    visit.element(Element::Unpacked);
}

fn items(list: &List, visit: &mut dyn Visit) {
    for node in list.nodes() {
        match node {
            NodeRef::Plain(item) => visit.element(Element::Item(Str::Raw(item))),
            NodeRef::Packed(node) => packed(Packing::Listpack, node.as_bytes(), visit, |visit| {
                node.iter().for_each(|item| visit.element(Element::Item(text(item))));
            }),
        }
    }
}

fn members(set: &Set, visit: &mut dyn Visit) {
    let all = |visit: &mut dyn Visit| {
        set.iter().for_each(|member| visit.element(Element::Member(text(member))));
    };
    match set.as_ref() {
        SetRef::Intset(intset) => packed(Packing::Intset, intset.as_bytes(), visit, all),
        SetRef::Packed(listpack) => packed(Packing::Listpack, listpack.as_bytes(), visit, all),
        SetRef::Table(_) => all(visit),
    }
}

fn scored(zset: &Zset, visit: &mut dyn Visit) {
    let one = |visit: &mut dyn Visit, (member, score)| {
        visit.element(Element::Scored { member: text(member), score });
    };
    match zset.as_packed() {
        Some(listpack) => packed(Packing::Listpack, listpack.as_bytes(), visit, |visit| {
            zset.iter().for_each(|pair| one(visit, pair));
        }),
        // As servers save a table: from the highest score down.
        None => zset.ordered().into_iter().rev().for_each(|pair| one(visit, pair)),
    }
}

fn fields(hash: &Hash, visit: &mut dyn Visit) {
    let all = |visit: &mut dyn Visit| {
        for field in hash.iter() {
            let expire_at_ms = field.expire_at_ms;
            let (field, value) = (text(field.name), text(field.value));
            visit.element(Element::Field { field, value, expire_at_ms });
        }
    };
    match hash.as_ref() {
        HashRef::Pairs(blob) | HashRef::Triples(blob) => {
            packed(Packing::Listpack, blob.as_bytes(), visit, all);
        }
        HashRef::Table => all(visit),
    }
}

fn entries(stream: &Stream, visit: &mut dyn Visit) {
    let log = &stream.log;
    for (id, node) in log.nodes() {
        visit.element(Element::StreamNode { id, blob: node.as_bytes() });
        for entry in node.entries(id).filter(|entry| !entry.deleted) {
            let fields: Vec<_> = entry.fields().map(|(f, v)| (text(f), text(v))).collect();
            visit.element(Element::StreamEntry { id: entry.id, fields: &fields });
        }
        visit.element(Element::Unpacked);
    }
    visit.element(Element::Stream(StreamInfo {
        length: log.length,
        last_id: log.last_id,
        more: Some(StreamInfoMore {
            first_id: log.first_id,
            max_deleted_id: log.max_deleted_id,
            entries_added: log.entries_added,
        }),
    }));
    stream.groups.iter().for_each(|(name, group)| read_by(name, group, visit));
    let idmp = &stream.idmp;
    visit.element(Element::Idmp { duration_s: idmp.duration_s, max_size: idmp.max_size });
    for (name, producer) in idmp.producers() {
        visit.element(Element::Producer(Str::Raw(name)));
        for (iid, id) in producer.ids() {
            visit.element(Element::ProducerId { iid: Str::Raw(iid), id });
        }
    }
    visit.element(Element::IdmpCounts { added: idmp.added, duplicates: idmp.duplicates });
}

fn read_by(name: &[u8], group: &Group, visit: &mut dyn Visit) {
    let entries_read = group.entries_read.map_or(-1, |read| i64::try_from(read).unwrap_or(-1));
    visit.element(Element::Group {
        name: Str::Raw(name),
        last_id: group.last_id,
        entries_read: Some(entries_read),
    });
    for (id, pending) in group.pending() {
        let (delivered_at_ms, delivery_count) = (pending.delivered_at_ms, pending.deliveries);
        visit.element(Element::Pending { id, delivered_at_ms, delivery_count });
    }
    for (_, consumer) in group.consumers() {
        let (seen_at_ms, active_at_ms) = (consumer.seen_at_ms, Some(consumer.active_at_ms));
        let name = Str::Raw(consumer.name());
        visit.element(Element::Consumer { name, seen_at_ms, active_at_ms });
        consumer.pending().for_each(|id| visit.element(Element::Owned(id)));
    }
    group.nacked().into_iter().for_each(|id| visit.element(Element::Nacked(id)));
}

fn cells(array: &Array, visit: &mut dyn Visit) {
    let (count, insert_index) = (array.count() as u64, array.insert_index);
    visit.element(Element::Array { count, insert_index });
    for (index, text) in array.iter() {
        let value = match parse_i64(text) {
            Some(number) => Cell::Int(number),
            None => Cell::Text(Str::Raw(text)),
        };
        visit.element(Element::Cell { index, value });
    }
}

fn vectors(set: &VectorSet, visit: &mut dyn Visit) {
    let shape = set.shape();
    visit.element(Element::VectorSet {
        dimension: shape.dimension as u64,
        count: set.iter().len() as u64,
        quantization: shape.quantization,
        m: u64::from(shape.m),
        input_dimension: shape.reduced_from.map(|dimension| dimension as u64),
    });
    for element in set.iter() {
        visit.element(Element::Vector {
            element: Str::Raw(element.name()),
            attributes: element.attributes().map(Str::Raw),
            vector: Str::Raw(element.stored()),
            given: element.given(),
            scale: element.scale(),
        });
    }
    // Without it the graph is not known: see the head of the type's file.
    if let Some(data) = set.payload() {
        visit.element(Element::Module { id: ModuleId::VECTORSET, data });
    }
}
