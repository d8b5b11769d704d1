//! A table, a row a key, for spreadsheets and databases:
//!
//! ```text
//! db,type,key,encoding,elements,largest,size,expire_at,idle_s,freq
//! 0,hash,user:1,listpack,5,12,86,2026-11-22T10:00:00Z,,
//! ```
//!
//! Values are not in it. A name is written so that nothing happens when it is looked at or opened: bytes
//! that are not UTF-8 and control characters as `\xff` and `\n`, a backslash doubled, and before `=`, `+`,
//! `-` and `@`, with which spreadsheets begin a formula, an apostrophe.

use jiff::Timestamp;

use super::string::number;
use super::{Form, Head};
use crate::element::{Cell, Element, Str, Visit};
use crate::encoding::number::write_i64;

/// The first line.
pub const HEADER: &[u8] = b"db,type,key,encoding,elements,largest,size,expire_at,idle_s,freq\r\n";

/// Columns and what they say, for the manual.
pub const COLUMNS: &[(&str, &str)] = &[
    ("db", "Database."),
    ("type", "TYPE's word."),
    ("key", "The key's name, escaped as below."),
    ("encoding", "OBJECT ENCODING's word."),
    ("elements", "How many elements it has; 1 for a string."),
    ("largest", "Bytes of the largest of them; of a field or an entry with its value."),
    ("size", "Bytes that it takes in an RDB, with its name; empty where it comes from an AOF."),
    ("expire_at", "When it expires, in UTC; empty for never."),
    ("idle_s", "Seconds since the last access, where the file has them."),
    ("freq", "The LFU counter, where the file has it."),
];

/// Writes keys as rows.
#[derive(Debug, Default)]
pub struct Csv {
    out: Vec<u8>,
    /// What comes behind the numbers.
    rest: Vec<u8>,
    elements: u64,
    largest: u64,
}

impl Csv {
    fn count(&mut self, len: u64) {
        self.elements += 1;
        self.largest = self.largest.max(len);
    }
}

/// Appends a name.
fn name(bytes: &[u8], out: &mut Vec<u8>) {
    let mut text = String::new();
    if let Some(b'=' | b'+' | b'-' | b'@') = bytes.first() {
        text.push('\'');
    }
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                c if is_control(c) => text.extend(c.escape_default()),
                c => text.push(c),
            }
        }
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    if text.contains([',', '"']) || text.starts_with(' ') || text.ends_with(' ') {
        text = format!("\"{}\"", text.replace('"', "\"\""));
    }
    out.extend_from_slice(text.as_bytes());
}

/// Whether a terminal acts upon it.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn moment(at_ms: i64, out: &mut Vec<u8>) {
    match Timestamp::from_millisecond(at_ms) {
        Ok(time) => out.extend_from_slice(time.to_string().as_bytes()),
        // Beyond the calendar.
        Err(_) => write_i64(at_ms, out),
    }
}

impl Form for Csv {
    fn begin(&mut self, head: &Head<'_>) {
        number(head.db, &mut self.out);
        self.out.push(b',');
        self.out.extend_from_slice(head.type_name.as_bytes());
        self.out.push(b',');
        name(head.key, &mut self.out);
        self.out.push(b',');
        self.out.extend_from_slice(head.encoding.as_bytes());
        self.rest.clear();
        let rest = &mut self.rest;
        rest.push(b',');
        head.size.into_iter().for_each(|size| number(size, rest));
        rest.push(b',');
        head.expire_at_ms.into_iter().for_each(|at| moment(at, rest));
        rest.push(b',');
        head.idle_s.into_iter().for_each(|idle| number(idle, rest));
        rest.push(b',');
        head.freq.into_iter().for_each(|freq| number(u64::from(freq), rest));
        (self.elements, self.largest) = (0, 0);
    }

    fn end(&mut self) {
        self.out.push(b',');
        number(self.elements, &mut self.out);
        self.out.push(b',');
        number(self.largest, &mut self.out);
        self.out.extend_from_slice(&self.rest);
        self.out.extend_from_slice(b"\r\n");
    }

    fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }
}

impl Visit for Csv {
    fn element(&mut self, element: Element<'_>) {
        let len = |text: Str<'_>| text.len();
        match element {
            Element::Text(text) | Element::Item(text) | Element::Member(text) => {
                self.count(len(text));
            }
            Element::Scored { member, .. } => self.count(len(member)),
            Element::Field { field, value, .. } => self.count(len(field) + len(value)),
            Element::StreamEntry { fields, .. } => {
                self.count(fields.iter().map(|(field, value)| len(*field) + len(*value)).sum());
            }
            Element::Cell { value: Cell::Text(text), .. } => self.count(len(text)),
            Element::Cell { .. } => self.count(8),
            Element::Vector { element, vector, .. } => self.count(len(element) + len(vector)),
            Element::Module { data, .. } if self.elements == 0 => self.count(data.len() as u64),
            _ => {}
        }
    }
}
