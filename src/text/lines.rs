//! JSON Lines that lose nothing, one key a line (`rdbtool-jsonl(5)` is their description):
//!
//! ```text
//! {"db":0,"key":"k","type":"hash","encoding":"listpack","expire_at_ms":…,"idle_s":…,"freq":…,"meta":…,"value":…}
//!
//! string   "text"                          list     ["item", …], behind it "nodes":[3,"plain",2]
//! set      ["member", …]                   zset     [["member", 1.5], …]
//! hash     [["field", "value"], ["field", "value", expire ms], …]
//! array    {"insert_index":7,"cells":[[0,"text"],[1,5],[2,1.5],[3,{"double":"inf"}]]}
//! stream   see `stream`                    module   {"encver":3,"data":"base64"}
//! vectorset {"dimension":3,"quantization":"f32","m":16,"elements":[{"element":…,"vector":"base64"}],"encver":0,"data":…}
//! ```

mod stream;

use self::stream::Place;
use super::string::{self, base64, number, score, string};
use super::{Form, Head};
use crate::element::{Cell, Element, Packing, Str, Visit};
use crate::encoding::number::{double_text, write_i64};
use crate::rdb::types::DataType;

/// The version of the form, which is in its first line.
pub const VERSION: u64 = 1;

/// Writes keys as JSON Lines.
#[derive(Debug)]
pub struct Lines {
    out: Vec<u8>,
    scratch: Vec<u8>,
    data: DataType,
    /// Elements of the list at hand, of a collection or a part of a stream.
    count: u64,
    /// Where in a stream the next element goes.
    place: Place,
    nodes: Nodes,
    /// Added to expire times of fields, in ms.
    shift_ttl_ms: i64,
}

/// How the items of a list lie in its nodes.
#[derive(Debug, Default)]
struct Nodes {
    /// Items of each packed node, `None` of an item that is a node of its own.
    nodes: Vec<Option<u64>>,
    /// Items before the packed node at hand.
    start: Option<u64>,
    /// It is a quicklist: others are one node, or have none.
    told: bool,
}

impl Default for Lines {
    fn default() -> Self {
        Lines {
            out: Vec::new(),
            scratch: Vec::new(),
            data: DataType::String,
            count: 0,
            place: Place::Entries,
            nodes: Nodes::default(),
            shift_ttl_ms: 0,
        }
    }
}

impl Lines {
    /// Moves the expire times of fields by so many ms; that of a key is its head's.
    pub fn new(shift_ttl_ms: i64) -> Lines {
        Lines { shift_ttl_ms, ..Lines::default() }
    }

    fn put(&mut self, text: &[u8]) {
        self.out.extend_from_slice(text);
    }

    /// A name and its colon, behind a comma.
    fn name(&mut self, name: &[u8]) {
        self.put(b",\"");
        self.put(name);
        self.put(b"\":");
    }

    /// A string.
    fn text(&mut self, text: Str<'_>) {
        match text {
            Str::Raw(bytes) => string(bytes, &mut self.out),
            Str::Int(number) => {
                self.out.push(b'"');
                write_i64(number, &mut self.out);
                self.out.push(b'"');
            }
            // What does not expand was told of by the walk, and such a key is not written.
            Str::Lzf { .. } => {
                string(text.bytes(&mut self.scratch).unwrap_or_default(), &mut self.out);
            }
        }
    }

    /// A comma, if something was before.
    fn next(&mut self) {
        if self.count > 0 {
            self.out.push(b',');
        }
        self.count += 1;
    }

    fn cell(&mut self, value: Cell<'_>) {
        match value {
            Cell::Text(text) => self.text(text),
            Cell::Int(number) => write_i64(number, &mut self.out),
            Cell::Double(number) if number.is_finite() => self.put(&double_text(number)),
            Cell::Double(number) => {
                self.put(b"{\"double\":");
                score(number, &mut self.out);
                self.put(b"}");
            }
        }
    }

    fn vector(
        &mut self,
        element: Str<'_>,
        attributes: Option<Str<'_>>,
        vector: Str<'_>,
        given: Option<&[u8]>,
    ) {
        self.next();
        self.put(b"{\"element\":");
        self.text(element);
        if let Some(attributes) = attributes {
            self.name(b"attributes");
            self.text(attributes);
        }
        self.name(b"vector");
        base64(vector.bytes(&mut self.scratch).unwrap_or_default(), &mut self.out);
        if let Some(given) = given {
            self.name(b"given");
            base64(given, &mut self.out);
        }
        self.put(b"}");
    }

    /// How a quicklist lies in its nodes.
    fn list_nodes(&mut self) {
        if !self.nodes.told {
            return;
        }
        let nodes = std::mem::take(&mut self.nodes.nodes);
        self.name(b"nodes");
        self.put(b"[");
        for (at, node) in nodes.iter().enumerate() {
            if at > 0 {
                self.put(b",");
            }
            match node {
                Some(items) => number(*items, &mut self.out),
                None => self.put(b"\"plain\""),
            }
        }
        self.put(b"]");
        self.nodes.nodes = nodes;
    }
}

impl Form for Lines {
    fn begin(&mut self, head: &Head<'_>) {
        self.put(b"{\"db\":");
        number(head.db, &mut self.out);
        self.name(b"key");
        string(head.key, &mut self.out);
        self.name(b"type");
        string(head.type_name.as_bytes(), &mut self.out);
        self.name(b"encoding");
        string(head.encoding.as_bytes(), &mut self.out);
        if let Some(at) = head.expire_at_ms {
            self.name(b"expire_at_ms");
            write_i64(at, &mut self.out);
        }
        let numbers = [(&b"idle_s"[..], head.idle_s), (b"freq", head.freq.map(u64::from))];
        for (name, value) in numbers {
            if let Some(value) = value {
                self.name(name);
                number(value, &mut self.out);
            }
        }
        if let Some(meta) = head.meta {
            self.name(b"meta");
            base64(meta, &mut self.out);
        }
        self.name(b"value");
        self.data = head.data;
        self.count = 0;
        self.place = Place::Entries;
        self.nodes.nodes.clear();
        self.nodes.start = None;
        self.nodes.told = head.encoding == "quicklist";
        match head.data {
            DataType::String | DataType::Array | DataType::Module => {}
            DataType::List | DataType::Set | DataType::Zset | DataType::Hash => self.put(b"["),
            DataType::Stream => self.put(b"{\"entries\":["),
        }
    }

    fn end(&mut self) {
        match self.data {
            DataType::String | DataType::Module => {}
            DataType::Set | DataType::Zset | DataType::Hash => self.put(b"]"),
            DataType::List => {
                self.put(b"]");
                self.list_nodes();
            }
            DataType::Array => self.put(b"]}"),
            DataType::Stream => self.end_stream(),
        }
        self.put(b"}\n");
    }

    fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    fn long(&mut self, text: &[u8], full: &mut dyn FnMut(&mut Vec<u8>)) {
        string::long(text, &mut self.out, full);
    }
}

impl Visit for Lines {
    fn element(&mut self, element: Element<'_>) {
        match element {
            Element::Text(text) => self.text(text),
            Element::Item(item) => {
                if self.nodes.start.is_none() {
                    self.nodes.nodes.push(None);
                }
                self.next();
                self.text(item);
            }
            Element::Member(member) => {
                self.next();
                self.text(member);
            }
            Element::Scored { member, score: value } => {
                self.next();
                self.put(b"[");
                self.text(member);
                self.put(b",");
                score(value, &mut self.out);
                self.put(b"]");
            }
            Element::Field { field, value, expire_at_ms } => {
                self.next();
                self.put(b"[");
                self.text(field);
                self.put(b",");
                self.text(value);
                if let Some(at) = expire_at_ms {
                    self.put(b",");
                    let at = at.saturating_add(self.shift_ttl_ms).max(0);
                    write_i64(at, &mut self.out);
                }
                self.put(b"]");
            }
            Element::Packed { packing, .. } if packing != Packing::Intset => {
                self.nodes.start = Some(self.count);
            }
            Element::Unpacked => {
                // As servers do: an empty node is passed over.
                let start = self.nodes.start.take().filter(|start| *start < self.count);
                self.nodes.nodes.extend(start.map(|start| Some(self.count - start)));
            }
            Element::Array { insert_index, .. } => {
                self.put(b"{");
                if let Some(index) = insert_index {
                    self.put(b"\"insert_index\":");
                    number(index, &mut self.out);
                    self.put(b",");
                }
                self.put(b"\"cells\":[");
            }
            Element::Cell { index, value } => {
                self.next();
                self.put(b"[");
                number(index, &mut self.out);
                self.put(b",");
                self.cell(value);
                self.put(b"]");
            }
            Element::VectorSet { dimension, quantization, m, input_dimension, .. } => {
                self.put(b"{\"dimension\":");
                number(dimension, &mut self.out);
                self.name(b"quantization");
                string(quantization.as_str().as_bytes(), &mut self.out);
                self.name(b"m");
                number(m, &mut self.out);
                if let Some(input) = input_dimension {
                    self.name(b"input_dimension");
                    number(input, &mut self.out);
                }
                self.put(b",\"elements\":[");
                self.place = Place::Vectors;
            }
            Element::Vector { element, attributes, vector, given, .. } => {
                self.vector(element, attributes, vector, given);
            }
            _ if self.data == DataType::Stream => self.stream(element),
            Element::Module { id, data } => {
                self.put(if self.place == Place::Vectors { b"]," } else { b"{" });
                self.place = Place::Data;
                self.put(b"\"encver\":");
                number(u64::from(id.encver()), &mut self.out);
                self.name(b"data");
                base64(data, &mut self.out);
                self.put(b"}");
            }
            _ => {}
        }
    }
}
