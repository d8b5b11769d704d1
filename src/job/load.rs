//! An RDB into the store: each value is walked deeply and built from what the walk hands out, packed
//! bytes as they are. A value that is damaged does not get in; its findings say why.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::pipeline::{Parts, Worker};
use super::rdb_facts::{Fact, Facts, Library};
use super::rdb_file::named;
use super::records::{self, Records};
use super::target::keeps_out;
use crate::element::{Cell, Element, Packing, Scale, Str, Visit};
use crate::encoding::ziplist;
use crate::engine::{Access, Item};
use crate::finding::{Finding, Findings};
use crate::limits::Limits;
use crate::loss::Loss;
use crate::rdb::skim::Chunk;
use crate::rdb::types::{DataType, RdbType};
use crate::rdb::versions::Release;
use crate::rdb::walk::Walker;
use crate::record::{Event, KeyRecord, Record};
use crate::room::Room;
use crate::value::array::double_text;
use crate::value::stream::Loader as StreamLoader;
use crate::value::vectorset::Shape;
use crate::value::{
    Array, Bytes, End, Hash, Intset, List, Module, Node, Packed, PackedLimits, Set, Str as Text,
    Value, VectorSet, Zset,
};

/// A key ready to be put into the store.
#[derive(Debug)]
pub struct Loaded {
    /// Database.
    pub db: u64,
    /// Name.
    pub key: Bytes,
    /// Value and what belongs to it.
    pub item: Item,
    /// Absolute offset of its name in the file.
    pub offset: u64,
    /// The row of its type.
    pub type_name: &'static str,
}

/// Room for keys that were put into the store, to be used again: given back to the kernel and asked for anew
/// with every chunk, it would be cleared as often.
#[derive(Debug, Default)]
pub struct Spare(Mutex<Vec<Vec<Loaded>>>);

impl Spare {
    fn take(&self) -> Vec<Loaded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Takes the room of keys that are gone.
    pub fn give(&self, mut keys: Vec<Loaded>) {
        keys.clear();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(keys);
    }
}

/// What a worker makes of a chunk.
#[derive(Debug)]
pub struct Out {
    /// Keys, in order.
    pub keys: Vec<Loaded>,
    /// Function libraries: name and code.
    pub functions: Vec<(Vec<u8>, Vec<u8>)>,
    /// What comes once in a file.
    pub once: Vec<Fact>,
    /// What is wrong.
    pub findings: Findings,
    /// Keys that are left out because they are damaged or of no known form.
    pub left_out: u64,
    /// What no store holds.
    pub beside: Vec<Beside>,
}

impl Out {
    /// Nothing yet: room for keys, and for so many findings.
    fn new(keys: Vec<Loaded>, limit: usize) -> Out {
        Out {
            keys,
            functions: Vec::new(),
            once: Vec::new(),
            findings: Findings::new(limit),
            left_out: 0,
            beside: Vec::new(),
        }
    }
}

/// Something in an RDB that no store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beside {
    /// Data of a module beside the keys: the record's bytes, and where they are.
    ModuleAux(Vec<u8>, u64),
    /// Something else, at an offset, and what it is to whoever writes the store anew.
    Lost(Loss, u64),
}

/// Turns the records of chunks into keys.
#[derive(Debug)]
pub struct Builder<'s> {
    spare: &'s Spare,
    room: Room,
    walker: Walker,
    limits: PackedLimits,
    server: Option<&'static Release>,
    /// Counts by database and type.
    pub facts: Facts,
    name: Vec<u8>,
    texts: Texts,
}

impl<'s> Builder<'s> {
    /// A builder that packs small collections by these limits. What `server` refuses does not get in; without
    /// one, what no server could have written.
    pub fn new(
        limits: Limits,
        packed: PackedLimits,
        server: Option<&'static Release>,
        spare: &'s Spare,
    ) -> Builder<'s> {
        Builder {
            spare,
            room: Room::new(),
            walker: Walker::new(true, limits),
            limits: packed,
            server,
            facts: Facts::default(),
            name: Vec::new(),
            texts: Texts::default(),
        }
    }

    /// The keys of a chunk.
    pub fn build(&mut self, chunk: &Chunk) -> Out {
        self.room.ahead();
        let mut out = Out::new(self.spare.take(), self.walker.limits.findings);
        out.once = records::each(chunk, self, &mut out);
        out
    }

    /// The value; none if it is damaged, or a collection without elements, which servers skip.
    fn value(&mut self, key: &KeyRecord<'_>, name: &[u8], out: &mut Out) -> Option<Value> {
        let mut build = Build::new(key.rdb_type, self.limits, &mut self.texts);
        if let Some(count) = key.stated_count() {
            // An element takes two bytes at least: a count alone makes no room.
            let most = key.payload.len() / 2;
            build.expect(usize::try_from(count).unwrap_or(usize::MAX).min(most));
        }
        self.walker.value(key.rdb_type, key.payload, key.offset, &mut build);
        let damaged = self.walker.findings.iter().any(|f| keeps_out(self.server, f));
        for finding in self.walker.findings.iter_mut() {
            finding.key = Some(named(key, name));
        }
        out.findings.append(&mut self.walker.findings);
        if damaged {
            out.left_out += 1;
            return None;
        }
        build.finish()
    }
}

/// LRU and LFU marks as the file has them.
fn access(key: &KeyRecord<'_>) -> Option<Access> {
    match (key.idle_s, key.freq) {
        (_, Some(freq)) => Some(Access::Freq(freq)),
        (Some(idle), None) => Some(Access::Idle(idle)),
        (None, None) => None,
    }
}

impl Records for Builder<'_> {
    type Out = Out;

    #[inline]
    fn key(&mut self, key: &KeyRecord<'_>, _: &Range<u64>, _: &[u8], out: &mut Out) {
        self.facts.key(key, 0);
        if key.meta.is_some() {
            out.beside.push(Beside::Lost(Loss::KeyMeta, key.key_offset));
        }
        let mut name = std::mem::take(&mut self.name);
        match key.key.bytes(&mut name) {
            Ok(text) => {
                if let Some(value) = self.value(key, text, out) {
                    out.keys.push(Loaded {
                        db: key.db,
                        key: Bytes::new(text),
                        item: Item { value, expire_at_ms: key.expire_at_ms, access: access(key) },
                        offset: key.key_offset,
                        type_name: key.rdb_type.name,
                    });
                }
            }
            Err(_) => out.left_out += 1,
        }
        self.name = name;
    }

    fn beside(&mut self, record: &Record<'_>, bytes: &[u8], out: &mut Out) {
        match record.event {
            Event::Function { code } => out.functions.extend(function(code)),
            Event::ModuleAux { .. } => {
                out.beside.push(Beside::ModuleAux(bytes.to_vec(), record.span.start));
            }
            _ => out.beside.extend(unheld(record)),
        }
    }

    fn damaged(&mut self, finding: Finding, out: &mut Out) {
        out.findings.add(finding);
    }

    fn facts(&mut self) -> &mut Facts {
        &mut self.facts
    }
}

impl Worker<Chunk> for Builder<'_> {
    type Out = Out;

    fn chunk(&mut self, chunk: &Chunk, _: Parts<'_, Out>) -> Out {
        self.build(chunk)
    }
}

fn unheld(record: &Record<'_>) -> Option<Beside> {
    let loss = match record.event {
        Event::FunctionPreGa { .. } => Loss::Function,
        Event::SlotImport { .. } => Loss::SlotImport,
        Event::Opaque { .. } => Loss::Opaque,
        _ => return None,
    };
    Some(Beside::Lost(loss, record.span.start))
}

fn function(code: Str<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut text = Vec::new();
    let code = code.bytes(&mut text).ok()?;
    Some((Library::of(code, 0).name?, code.to_vec()))
}

/// Room for strings that are not in the file as such.
#[derive(Debug, Default)]
pub(super) struct Texts {
    left: Vec<u8>,
    right: Vec<u8>,
}

/// A value being built.
pub(super) struct Build<'t> {
    kind: Kind,
    limits: PackedLimits,
    /// A packed hash has expire times between its fields.
    triples: bool,
    /// Packed bytes were taken as they are: the elements in them are passed over.
    taken: bool,
    texts: &'t mut Texts,
}

enum Kind {
    Empty,
    Text(Text),
    Nodes(Vec<Node>),
    List(List),
    Set(Set),
    Zset(Zset),
    Hash(Hash),
    Stream(Box<StreamLoader>),
    Module(Module),
    Array(Array),
    VectorSet(Box<VectorSet>),
}

impl<'t> Build<'t> {
    pub(super) fn new(row: &RdbType, limits: PackedLimits, texts: &'t mut Texts) -> Build<'t> {
        let kind = match row.data {
            DataType::Set => Kind::Set(Set::default()),
            DataType::Zset => Kind::Zset(Zset::default()),
            DataType::Hash => Kind::Hash(Hash::default()),
            DataType::Stream => Kind::Stream(Box::new(StreamLoader::new(limits))),
            DataType::List if row.encoding == "linkedlist" => Kind::List(List::default()),
            DataType::List => Kind::Nodes(Vec::new()),
            DataType::Array => Kind::Array(Array::default()),
            DataType::String | DataType::Module => Kind::Empty,
        };
        let triples = row.encoding == "listpackex";
        Build { kind, limits, triples, taken: false, texts }
    }

    /// Makes room for so many elements, which are about to come.
    fn expect(&mut self, count: usize) {
        match &mut self.kind {
            Kind::Set(set) => *set = Set::for_count(count, &self.limits),
            Kind::Zset(zset) => *zset = Zset::for_count(count, &self.limits),
            Kind::Hash(hash) => *hash = Hash::for_count(count, &self.limits),
            _ => {}
        }
    }

    /// The value; none if nothing of it is left.
    pub(super) fn finish(self) -> Option<Value> {
        let value = match self.kind {
            Kind::Empty => return None,
            Kind::Text(text) => text.into(),
            Kind::Nodes(nodes) => List::from_nodes(nodes, &self.limits).into(),
            Kind::List(list) => list.into(),
            Kind::Set(set) => set.into(),
            Kind::Zset(zset) => zset.into(),
            Kind::Hash(hash) => hash.into(),
            Kind::Stream(stream) => return Some(stream.finish().into()),
            Kind::Module(module) => module.into(),
            Kind::Array(array) => array.into(),
            Kind::VectorSet(set) => (*set).into(),
        };
        // As servers: a collection without elements is no key.
        let value: Value = value;
        let keeps = matches!(value, Value::Str(_)) || !value.is_empty();
        keeps.then_some(value)
    }

    fn packed(&mut self, packing: Packing, blob: &[u8]) {
        let limits = &self.limits;
        if let (Kind::Set(set), Packing::Intset) = (&mut self.kind, packing) {
            *set = Set::from_intset(Intset::from_blob(blob), limits);
            self.taken = true;
            return;
        }
        let packed = match packing {
            Packing::Listpack => Packed::from_blob(blob),
            Packing::Ziplist => from_ziplist(blob),
            Packing::Intset => return,
        };
        match &mut self.kind {
            Kind::Set(set) => *set = Set::from_packed(packed, limits),
            Kind::Zset(zset) => *zset = Zset::from_packed(packed, limits),
            Kind::Hash(hash) if self.triples => *hash = Hash::from_triples(packed, limits),
            Kind::Hash(hash) => *hash = Hash::from_pairs(packed, limits),
            // As servers do: an empty node is passed over.
            Kind::Nodes(_) if packed.is_empty() => {}
            Kind::Nodes(nodes) => nodes.push(Node::Packed(packed)),
            _ => return,
        }
        self.taken = true;
    }

    fn item(&mut self, item: Str<'_>) {
        let limits = self.limits;
        let Ok(text) = item.bytes(&mut self.texts.left) else { return };
        match &mut self.kind {
            // Outside packed bytes a quicklist has only elements that are nodes of their own.
            Kind::Nodes(nodes) => nodes.push(Node::Plain(text.into())),
            Kind::List(list) => list.push(End::Back, text, &limits),
            _ => {}
        }
    }

    fn cell(&mut self, index: u64, value: Cell<'_>) {
        let Kind::Array(array) = &mut self.kind else { return };
        let number;
        let text = match value {
            Cell::Text(text) => text.bytes(&mut self.texts.left).unwrap_or_default(),
            Cell::Int(value) => {
                number = value.to_string().into_bytes();
                &number
            }
            Cell::Double(value) => {
                number = double_text(value);
                &number
            }
        };
        array.set(index, text);
    }

    fn vector(
        &mut self,
        name: Str<'_>,
        attributes: Option<Str<'_>>,
        vector: Str<'_>,
        scale: Scale,
    ) {
        let Kind::VectorSet(set) = &mut self.kind else { return };
        let mut text = Vec::new();
        let attributes = attributes.and_then(|text_| text_.bytes(&mut text).ok());
        let (Ok(name), Ok(vector)) =
            (name.bytes(&mut self.texts.left), vector.bytes(&mut self.texts.right))
        else {
            return;
        };
        set.put_stored(name, vector, attributes.unwrap_or_default(), scale);
    }

    fn field(&mut self, field: Str<'_>, value: Str<'_>, expire_at_ms: Option<i64>) {
        let (Ok(name), Ok(text)) =
            (field.bytes(&mut self.texts.left), value.bytes(&mut self.texts.right))
        else {
            return;
        };
        if let Kind::Hash(hash) = &mut self.kind {
            hash.set(name, text, &self.limits);
            if expire_at_ms.is_some() {
                hash.set_expire(name, expire_at_ms);
            }
        }
    }
}

/// The same entries in a listpack. Where the ziplist is damaged the walk tells, and nothing is kept.
fn from_ziplist(blob: &[u8]) -> Packed {
    let mut packed = Packed::new();
    if let Ok(mut entries) = ziplist::Entries::new(blob) {
        while let Ok(Some(entry)) = entries.next_entry() {
            packed.push(entry);
        }
    }
    packed
}

impl Visit for Build<'_> {
    fn expands(&self) -> bool {
        true
    }

    fn element(&mut self, element: Element<'_>) {
        match element {
            Element::Packed { packing, blob } => return self.packed(packing, blob),
            Element::Unpacked => {
                self.taken = false;
                return;
            }
            _ if self.taken => return,
            _ => {}
        }
        if let Kind::Stream(stream) = &mut self.kind {
            match element {
                Element::StreamNode { id, blob } => {
                    stream.node(id, blob);
                }
                other => stream.element(other),
            }
            return;
        }
        match element {
            Element::Text(text) => {
                let text = text.bytes(&mut self.texts.left).map(Text::new);
                self.kind = text.map_or(Kind::Empty, Kind::Text);
            }
            Element::Item(item) => self.item(item),
            Element::Member(member) => {
                if let (Kind::Set(set), Ok(text)) =
                    (&mut self.kind, member.bytes(&mut self.texts.left))
                {
                    set.insert(text, &self.limits);
                }
            }
            Element::Scored { member, score } => {
                if let (Kind::Zset(zset), Ok(text)) =
                    (&mut self.kind, member.bytes(&mut self.texts.left))
                {
                    zset.insert(text, score, &self.limits);
                }
            }
            Element::Field { field, value, expire_at_ms } => self.field(field, value, expire_at_ms),
            Element::Module { id, data } => match &mut self.kind {
                Kind::VectorSet(set) => set.set_payload(data),
                kind => *kind = Kind::Module(Module::new(id.0, data)),
            },
            Element::Array { insert_index, .. } => {
                if let Kind::Array(array) = &mut self.kind {
                    array.insert_index = insert_index;
                }
            }
            Element::Cell { index, value } => self.cell(index, value),
            Element::VectorSet { dimension, quantization, m, input_dimension, .. } => {
                let size = |number| usize::try_from(number).unwrap_or(usize::MAX);
                let shape = Shape {
                    dimension: size(dimension),
                    quantization,
                    m: u16::try_from(m).unwrap_or(u16::MAX),
                    reduced_from: input_dimension.map(size),
                };
                self.kind = Kind::VectorSet(Box::new(VectorSet::new(shape)));
            }
            Element::Vector { element, attributes, vector, scale, .. } => {
                self.vector(element, attributes, vector, scale);
            }
            _ => {}
        }
    }
}
