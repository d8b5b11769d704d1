//! Writing streams, the other half of [`super::stream`], where the layout is.
//!
//! A stream keeps its row where the target reads it, so that nothing has to be made up; else it gets the
//! newest one that the target has, which holds less. What an older layout left out and a newer one asks
//! for is filled in as servers do when they load it.

use super::super::encode::Pen;
use super::super::length::write_length;
use super::super::loss::Loss;
use super::super::types::RdbType;
use super::stream::Layout;
use crate::element::{Element, Str, StreamId, StreamInfo, StreamInfoMore, Visit};

/// Every type, the newest first.
const TYPES: &[u8] = &[27, 26, 21, 19, 15];

/// A text, as a range of the draft's bytes.
type Text = std::ops::Range<usize>;

/// A stream being gathered.
#[derive(Debug, Default)]
pub struct Draft {
    /// Listpacks and names, one behind the other.
    bytes: Vec<u8>,
    scratch: Vec<u8>,
    nodes: Vec<(StreamId, Text)>,
    first_entry: Option<StreamId>,
    info: Option<StreamInfo>,
    groups: Vec<Group>,
    idmp: Option<Idmp>,
}

#[derive(Debug)]
struct Group {
    name: Text,
    last_id: StreamId,
    entries_read: Option<i64>,
    pending: Vec<(StreamId, i64, u64)>,
    consumers: Vec<Consumer>,
    nacked: Vec<StreamId>,
}

#[derive(Debug)]
struct Consumer {
    name: Text,
    seen_at_ms: i64,
    active_at_ms: Option<i64>,
    owned: Vec<StreamId>,
}

#[derive(Debug)]
struct Idmp {
    duration_s: u64,
    max_size: u64,
    producers: Vec<(Text, Vec<(Text, StreamId)>)>,
    added: u64,
    duplicates: u64,
}

/// Settings of a stream that no producer has used, as servers begin.
const IDMP_DURATION_S: u64 = 100;
const IDMP_MAX_SIZE: u64 = 100;

impl Idmp {
    fn unused() -> Idmp {
        let (duration_s, max_size) = (IDMP_DURATION_S, IDMP_MAX_SIZE);
        Idmp { duration_s, max_size, producers: Vec::new(), added: 0, duplicates: 0 }
    }

    fn is_unused(&self) -> bool {
        (self.duration_s, self.max_size) == (IDMP_DURATION_S, IDMP_MAX_SIZE)
            && self.producers.is_empty()
            && (self.added, self.duplicates) == (0, 0)
    }
}

impl Draft {
    /// Forgets it.
    pub fn clear(&mut self) {
        let (bytes, scratch) = (std::mem::take(&mut self.bytes), std::mem::take(&mut self.scratch));
        *self = Draft { bytes, scratch, ..Draft::default() };
        self.bytes.clear();
    }

    /// Appends it.
    ///
    /// # Errors
    /// When the target has no streams.
    pub fn write(&mut self, pen: &mut Pen, out: &mut Vec<u8>) -> Result<&'static RdbType, Loss> {
        let row = pen.kept().or_else(|| pen.target.row(TYPES)).ok_or(Loss::Type)?;
        let layout = Layout::of(row);
        write_length(self.nodes.len() as u64, out);
        for (id, blob) in &self.nodes {
            pen.strings.write(&raw(*id), out);
            pen.put_listpack(self.text(blob), out);
        }
        let length = self.info.map_or(0, |info| info.length);
        let last_id = self.info.map(|info| info.last_id).unwrap_or_default();
        write_length(length, out);
        write_id(last_id, out);
        let known = self.info.and_then(|info| info.more);
        let filled_in = StreamInfoMore {
            first_id: self.first_entry.unwrap_or_default(),
            max_deleted_id: StreamId::default(),
            entries_added: length,
        };
        let more = known.unwrap_or(filled_in);
        if layout.counters {
            write_id(more.first_id, out);
            write_id(more.max_deleted_id, out);
            write_length(more.entries_added, out);
        } else if (more.max_deleted_id, more.entries_added) != (StreamId::default(), length) {
            pen.lose(Loss::StreamCounters);
        }
        write_length(self.groups.len() as u64, out);
        self.groups.iter().for_each(|group| self.group(group, layout, pen, out));
        match &self.idmp {
            Some(idmp) if layout.idmp => self.producers(idmp, pen, out),
            None if layout.idmp => self.producers(&Idmp::unused(), pen, out),
            Some(idmp) if !idmp.is_unused() => pen.lose(Loss::Idmp),
            _ => {}
        }
        Ok(row)
    }

    fn group(&self, group: &Group, layout: Layout, pen: &mut Pen, out: &mut Vec<u8>) {
        pen.strings.write(self.text(&group.name), out);
        write_id(group.last_id, out);
        if layout.counters {
            // -1, which is unknown, is written as 2^64-1.
            write_length(group.entries_read.unwrap_or(-1) as u64, out);
        } else if group.entries_read.is_some() {
            pen.lose(Loss::StreamCounters);
        }
        let owned = self.pending(group, layout, pen);
        write_length(owned.len() as u64, out);
        for (id, delivered_at_ms, deliveries) in owned {
            out.extend_from_slice(&raw(id));
            out.extend_from_slice(&delivered_at_ms.to_le_bytes());
            write_length(deliveries, out);
        }
        write_length(group.consumers.len() as u64, out);
        for consumer in &group.consumers {
            pen.strings.write(self.text(&consumer.name), out);
            out.extend_from_slice(&consumer.seen_at_ms.to_le_bytes());
            let active_at_ms = consumer.active_at_ms.unwrap_or(consumer.seen_at_ms);
            if layout.active {
                out.extend_from_slice(&active_at_ms.to_le_bytes());
            } else if active_at_ms != consumer.seen_at_ms {
                pen.lose(Loss::ConsumerActive);
            }
            write_ids(&consumer.owned, out);
        }
        if layout.nacks {
            write_ids(&group.nacked, out);
        }
    }

    /// The pending list. Without a list of those given back no server knows an entry without an owner.
    fn pending(&self, group: &Group, layout: Layout, pen: &mut Pen) -> Vec<(StreamId, i64, u64)> {
        if layout.nacks || group.nacked.is_empty() {
            return group.pending.clone();
        }
        pen.lose(Loss::Nacked);
        let nacked: std::collections::HashSet<_> = group.nacked.iter().copied().collect();
        group.pending.iter().filter(|(id, ..)| !nacked.contains(id)).copied().collect()
    }

    fn producers(&self, idmp: &Idmp, pen: &mut Pen, out: &mut Vec<u8>) {
        write_length(idmp.duration_s, out);
        write_length(idmp.max_size, out);
        write_length(idmp.producers.len() as u64, out);
        for (name, ids) in &idmp.producers {
            pen.strings.write(self.text(name), out);
            write_length(ids.len() as u64, out);
            for (iid, id) in ids {
                pen.strings.write(self.text(iid), out);
                write_id(*id, out);
            }
        }
        write_length(idmp.added, out);
        write_length(idmp.duplicates, out);
    }

    fn text(&self, text: &Text) -> &[u8] {
        self.bytes.get(text.clone()).unwrap_or_default()
    }

    fn keep(&mut self, text: Str<'_>) -> Text {
        let start = self.bytes.len();
        // What does not expand was told of by the walk, and such a value is not written.
        self.bytes.extend_from_slice(text.bytes(&mut self.scratch).unwrap_or_default());
        start..self.bytes.len()
    }
}

fn raw(id: StreamId) -> [u8; 16] {
    (u128::from(id.ms) << 64 | u128::from(id.seq)).to_be_bytes()
}

fn write_id(id: StreamId, out: &mut Vec<u8>) {
    write_length(id.ms, out);
    write_length(id.seq, out);
}

fn write_ids(ids: &[StreamId], out: &mut Vec<u8>) {
    write_length(ids.len() as u64, out);
    ids.iter().for_each(|id| out.extend_from_slice(&raw(*id)));
}

impl Visit for Draft {
    fn element(&mut self, element: Element<'_>) {
        match element {
            Element::StreamNode { id, blob } => {
                let blob = self.keep(Str::Raw(blob));
                self.nodes.push((id, blob));
            }
            Element::StreamEntry { id, .. } if self.first_entry.is_none() => {
                self.first_entry = Some(id);
            }
            Element::Stream(info) => self.info = Some(info),
            Element::Group { name, last_id, entries_read } => {
                let (pending, consumers, nacked) = (Vec::new(), Vec::new(), Vec::new());
                let name = self.keep(name);
                let group = Group { name, last_id, entries_read, pending, consumers, nacked };
                self.groups.push(group);
            }
            Element::Consumer { name, seen_at_ms, active_at_ms } => {
                let name = self.keep(name);
                let consumer = Consumer { name, seen_at_ms, active_at_ms, owned: Vec::new() };
                if let Some(group) = self.groups.last_mut() {
                    group.consumers.push(consumer);
                }
            }
            Element::Pending { id, delivered_at_ms, delivery_count } => {
                if let Some(group) = self.groups.last_mut() {
                    group.pending.push((id, delivered_at_ms, delivery_count));
                }
            }
            Element::Owned(id) => {
                let consumer = self.groups.last_mut().and_then(|group| group.consumers.last_mut());
                consumer.into_iter().for_each(|consumer| consumer.owned.push(id));
            }
            Element::Nacked(id) => {
                self.groups.last_mut().into_iter().for_each(|group| group.nacked.push(id));
            }
            Element::Idmp { duration_s, max_size } => {
                self.idmp = Some(Idmp { duration_s, max_size, ..Idmp::unused() });
            }
            Element::Producer(name) => {
                let name = self.keep(name);
                self.idmp
                    .iter_mut()
                    .for_each(|idmp| idmp.producers.push((name.clone(), Vec::new())));
            }
            Element::ProducerId { iid, id } => {
                let iid = self.keep(iid);
                let producer = self.idmp.as_mut().and_then(|idmp| idmp.producers.last_mut());
                producer.into_iter().for_each(|(_, ids)| ids.push((iid.clone(), id)));
            }
            Element::IdmpCounts { added, duplicates } => {
                if let Some(idmp) = &mut self.idmp {
                    (idmp.added, idmp.duplicates) = (added, duplicates);
                }
            }
            _ => {}
        }
    }
}
