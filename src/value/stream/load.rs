//! Building a stream from what a file says of it: nodes as they lie there, then the elements that a walk
//! hands out, in its order ([`Element`]).
//!
//! What a file leaves out is filled in as servers do: before stream v2 the first id, the entries added and
//! the groups' counters come from the entries; before v3 a consumer was active when it was seen. What is
//! contradictory (a consumer that owns what is not pending) is left out: the walk has told of it.

use hashbrown::HashMap;

use super::group::{ConsumerNumber, Group};
use super::log::NewId;
use super::node::Node;
use super::{Counting, Stream};
use crate::element::{Element, Str, StreamId, StreamInfo, Visit};
use crate::value::{Bytes, PackedLimits};

/// A stream being built.
#[derive(Debug, Default)]
pub struct Loader {
    stream: Stream,
    limits: PackedLimits,
    /// Nodes were given, so entries are not to be added again.
    has_nodes: bool,
    group: Option<(Bytes, Group)>,
    /// Pending entries of the group, before it is known who owns them.
    pending: Vec<(StreamId, i64, u64)>,
    owners: Vec<(StreamId, ConsumerNumber)>,
    nacked: Vec<StreamId>,
    consumer: Option<ConsumerNumber>,
    producer: Bytes,
    scratch: Vec<u8>,
}

impl Loader {
    /// Nothing yet. `limits` say how entries that do not come in nodes are packed.
    pub fn new(limits: PackedLimits) -> Loader {
        Loader { limits, ..Loader::default() }
    }

    /// A node as it lies in the file. `false` if it is none, or its id came before.
    pub fn node(&mut self, id: StreamId, listpack: impl Into<Box<[u8]>>) -> bool {
        self.has_nodes = true;
        Node::from_blob(listpack).is_some_and(|node| self.stream.log.put_node(id, node))
    }

    /// The stream.
    pub fn finish(mut self) -> Stream {
        self.end_group();
        self.stream
    }

    fn text(&mut self, text: Str<'_>) -> Bytes {
        // What does not expand was told of by the walk.
        Bytes::new(text.bytes(&mut self.scratch).unwrap_or_default())
    }

    fn entry(&mut self, id: StreamId, fields: &[(Str<'_>, Str<'_>)]) {
        if self.has_nodes {
            return;
        }
        let texts: Vec<Bytes> =
            fields.iter().flat_map(|(f, v)| [*f, *v]).map(|text| self.text(text)).collect();
        let texts: Vec<&[u8]> = texts.iter().map(|text| &text[..]).collect();
        // One that is not in order is left out: the walk has told of it.
        let _ = self.stream.log.add(NewId::Exact(id), &texts, &self.limits);
    }

    fn info(&mut self, info: StreamInfo) {
        let log = &mut self.stream.log;
        log.length = info.length;
        log.last_id = info.last_id;
        match info.more {
            None => log.count(),
            Some(more) => {
                log.first_id = more.first_id;
                log.max_deleted_id = more.max_deleted_id;
                log.entries_added = more.entries_added;
            }
        }
    }

    fn begin_group(&mut self, name: Str<'_>, last_id: StreamId, entries_read: Option<i64>) {
        self.end_group();
        let entries_read = match entries_read {
            Some(read) => u64::try_from(read).ok(),
            None => self.stream.log.read_up_to(last_id, Counting::NEWEST),
        };
        self.group = Some((self.text(name), Group::new(last_id, entries_read)));
    }

    fn end_group(&mut self) {
        let Some((name, mut group)) = self.group.take() else { return };
        let mut owners = std::mem::take(&mut self.owners);
        owners.sort_by_key(|(id, _)| *id);
        let owner = |id| {
            let at = owners.binary_search_by_key(&id, |(id, _)| *id).ok()?;
            owners.get(at).map(|(_, owner)| *owner)
        };
        let mut unowned: Vec<(StreamId, u64)> = Vec::new();
        for (id, at_ms, deliveries) in std::mem::take(&mut self.pending) {
            match owner(id) {
                Some(owner) => group.deliver(id, owner, at_ms, deliveries),
                None => unowned.push((id, deliveries)),
            }
        }
        // In the order of the list of those given back; such as are not in it come last.
        let places: HashMap<StreamId, usize> =
            self.nacked.drain(..).enumerate().map(|(place, id)| (id, place)).collect();
        unowned.sort_by_key(|(id, _)| (places.get(id).copied().unwrap_or(usize::MAX), *id));
        self.consumer = None;
        unowned.into_iter().for_each(|(id, deliveries)| group.give_back(id, deliveries));
        self.stream.groups.add(&name, group);
    }

    fn consumer(&mut self, name: Str<'_>, seen_at_ms: i64, active_at_ms: Option<i64>) {
        let name = self.text(name);
        let Some((_, group)) = &mut self.group else { return };
        let (number, _) = group.add_consumer(&name, seen_at_ms);
        if let Some(consumer) = group.at_mut(number) {
            consumer.active_at_ms = active_at_ms.unwrap_or(seen_at_ms);
        }
        self.consumer = Some(number);
    }
}

impl Visit for Loader {
    fn element(&mut self, element: Element<'_>) {
        match element {
            Element::StreamEntry { id, fields } => self.entry(id, fields),
            Element::Stream(info) => self.info(info),
            Element::Group { name, last_id, entries_read } => {
                self.begin_group(name, last_id, entries_read);
            }
            Element::Pending { id, delivered_at_ms, delivery_count } => {
                self.pending.push((id, delivered_at_ms, delivery_count));
            }
            Element::Consumer { name, seen_at_ms, active_at_ms } => {
                self.consumer(name, seen_at_ms, active_at_ms);
            }
            Element::Owned(id) => self.owners.extend(self.consumer.map(|owner| (id, owner))),
            Element::Nacked(id) => self.nacked.push(id),
            Element::Idmp { duration_s, max_size } => {
                self.end_group();
                self.stream.idmp.duration_s = duration_s;
                self.stream.idmp.max_size = max_size;
            }
            Element::Producer(pid) => self.producer = self.text(pid),
            Element::ProducerId { iid, id } => {
                let iid = self.text(iid);
                self.stream.idmp.put(&self.producer, &iid, id);
            }
            Element::IdmpCounts { added, duplicates } => {
                self.stream.idmp.added = added;
                self.stream.idmp.duplicates = duplicates;
            }
            _ => {}
        }
    }
}
