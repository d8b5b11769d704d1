//! A JSON document, values as people expect them:
//!
//! ```text
//! [{"db":0,"keys":{
//! "page:1":"<html>",
//! "queue":["a","b"],                                list, set
//! "user:1":{"name":"Ann","age":"7"},                hash
//! "scores":{"ann":1.5,"bob":"inf"},                 zset
//! "events":[{"id":"1-0","fields":{"k":"v"}}],       stream
//! "board":{"0":"a","7":5},                          array
//! "doc":{"base64":"…"},                             a module's value
//! "points":{"a":[0.5,1]}                            vectorset
//! }},
//! {"db":3,"keys":{ … }}]
//! ```
//!
//! It shows keys and their data, and nothing else: no expire times, groups, functions. Bytes that are not
//! UTF-8 are written as `\xff`, as redis-cli shows them. [`super::lines`] loses nothing.

use super::string::{self, base64, escape, id, number, score, slices, string};
use super::{Form, Head};
use crate::element::{Cell, Element, Quantization, Str, Visit};
use crate::encoding::number::{double_text, write_i64};
use crate::rdb::types::DataType;

/// Before everything.
pub const BEGIN: &[u8] = b"[";

/// Behind everything.
pub const END: &[u8] = b"]\n";

/// Before the keys of a database.
pub fn open_db(db: u64, first: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if first { b"{\"db\":" } else { b",\n{\"db\":" });
    number(db, out);
    out.extend_from_slice(b",\"keys\":{");
}

/// Behind the keys of a database.
pub const CLOSE_DB: &[u8] = b"\n}}";

/// What a key begins with, which the first of a database goes without.
pub const COMMA: u8 = b',';

/// Writes keys as members of an object, each with a comma before it.
#[derive(Debug)]
pub struct Json {
    out: Vec<u8>,
    scratch: Vec<u8>,
    data: DataType,
    count: u64,
    quantization: Option<Quantization>,
}

impl Default for Json {
    fn default() -> Self {
        let data = DataType::String;
        Json { out: Vec::new(), scratch: Vec::new(), data, count: 0, quantization: None }
    }
}

impl Json {
    fn put(&mut self, text: &[u8]) {
        self.out.extend_from_slice(text);
    }

    fn text(&mut self, value: Str<'_>) {
        text(value.bytes(&mut self.scratch).unwrap_or_default(), &mut self.out);
    }

    fn next(&mut self) {
        if self.count > 0 {
            self.out.push(b',');
        }
        self.count += 1;
    }

    fn member(&mut self, name: Str<'_>) {
        self.next();
        self.text(name);
        self.put(b":");
    }

    fn cell(&mut self, value: Cell<'_>) {
        match value {
            Cell::Text(value) => self.text(value),
            Cell::Int(number) => write_i64(number, &mut self.out),
            Cell::Double(number) if number.is_finite() => self.put(&double_text(number)),
            Cell::Double(number) => score(number, &mut self.out),
        }
    }

    fn vector(&mut self, vector: Str<'_>) {
        let mut scratch = std::mem::take(&mut self.scratch);
        let bytes = vector.bytes(&mut scratch).unwrap_or_default();
        let out = &mut self.out;
        match self.quantization {
            Some(Quantization::F32) => {
                let values = bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four));
                numbers(values, out, |value, out| match value.is_finite() {
                    true => out.extend_from_slice(value.to_string().as_bytes()),
                    false => score(f64::from(value), out),
                });
            }
            Some(Quantization::Int8) => {
                let values = bytes.iter().map(|byte| i64::from(*byte as i8));
                numbers(values, out, write_i64);
            }
            _ => base64(bytes, out),
        }
        self.scratch = scratch;
    }
}

fn numbers<T>(values: impl Iterator<Item = T>, out: &mut Vec<u8>, one: impl Fn(T, &mut Vec<u8>)) {
    out.push(b'[');
    for (at, value) in values.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        one(value, out);
    }
    out.push(b']');
}

/// Text for people: what is not UTF-8 as `\xff`, and then backslashes doubled.
fn text(text: &[u8], out: &mut Vec<u8>) {
    match std::str::from_utf8(text) {
        Ok(_) => string(text, out),
        Err(_) => bytes(text, out, &mut |_| ()),
    }
}

/// The same of what is not UTF-8, slice by slice.
fn bytes(bytes: &[u8], out: &mut Vec<u8>, full: &mut dyn FnMut(&mut Vec<u8>)) {
    out.push(b'"');
    for chunk in bytes.utf8_chunks() {
        for slice in slices(chunk.valid()) {
            escape(&slice.replace('\\', "\\\\"), 0, out);
            full(out);
        }
        for byte in chunk.invalid() {
            out.extend_from_slice(format!("\\\\x{byte:02x}").as_bytes());
        }
        full(out);
    }
    out.push(b'"');
}

impl Form for Json {
    fn begin(&mut self, head: &Head<'_>) {
        self.out.push(COMMA);
        self.put(b"\n");
        text(head.key, &mut self.out);
        self.put(b":");
        (self.data, self.count, self.quantization) = (head.data, 0, None);
        match head.data {
            DataType::String | DataType::Module => {}
            DataType::List | DataType::Set | DataType::Stream => self.put(b"["),
            DataType::Zset | DataType::Hash | DataType::Array => self.put(b"{"),
        }
    }

    fn end(&mut self) {
        match self.data {
            DataType::String => {}
            DataType::Module if self.quantization.is_none() => {}
            DataType::List | DataType::Set | DataType::Stream => self.put(b"]"),
            DataType::Zset | DataType::Hash | DataType::Array | DataType::Module => self.put(b"}"),
        }
    }

    fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    fn long(&mut self, text: &[u8], full: &mut dyn FnMut(&mut Vec<u8>)) {
        match std::str::from_utf8(text) {
            Ok(_) => string::long(text, &mut self.out, full),
            Err(_) => bytes(text, &mut self.out, full),
        }
    }
}

impl Visit for Json {
    fn element(&mut self, element: Element<'_>) {
        match element {
            Element::Text(value) => self.text(value),
            Element::Item(value) | Element::Member(value) => {
                self.next();
                self.text(value);
            }
            Element::Scored { member, score: value } => {
                self.member(member);
                score(value, &mut self.out);
            }
            Element::Field { field, value, .. } => {
                self.member(field);
                self.text(value);
            }
            Element::StreamEntry { id: entry, fields } => {
                self.next();
                self.put(b"{\"id\":");
                id(entry, &mut self.out);
                self.put(b",\"fields\":{");
                for (at, (field, value)) in fields.iter().enumerate() {
                    if at > 0 {
                        self.put(b",");
                    }
                    self.text(*field);
                    self.put(b":");
                    self.text(*value);
                }
                self.put(b"}}");
            }
            Element::Cell { index, value } => {
                self.next();
                self.put(b"\"");
                number(index, &mut self.out);
                self.put(b"\":");
                self.cell(value);
            }
            Element::VectorSet { quantization, .. } => {
                self.put(b"{");
                self.quantization = Some(quantization);
            }
            Element::Vector { element, vector, .. } => {
                self.member(element);
                self.vector(vector);
            }
            Element::Module { data, .. } if self.quantization.is_none() => {
                self.put(b"{\"base64\":");
                base64(data, &mut self.out);
                self.put(b"}");
            }
            _ => {}
        }
    }
}
