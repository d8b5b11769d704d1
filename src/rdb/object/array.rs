//! Arrays (RDB type 28):
//!
//! ```text
//! len count (> 0), len flag, [len insert-index if flag is 1],
//! count x { len index, len tag, value }      ascending index
//! tag 0 str | 1 i64le | 2 f64le | 3 str of at most 7 bytes
//! ```

use nom::Parser;
use nom::combinator::map;
use nom::number::complete::{le_f64, le_i64};

use super::super::encode::{Pen, Texts};
use super::super::length::{length, write_length};
use super::super::loss::Loss;
use super::super::string::string;
use super::super::types::RdbType;
use super::super::walk::Walker;
use crate::element::{Cell, Element, Visit};
use crate::error::{Fault, Parse};
use crate::finding::Code;

/// Longest string of tag 3, in bytes.
const SHORT: u64 = 7;

/// Type 28.
pub fn cells<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    let (flag_at, count) = length(i)?;
    let (rest, flag) = length(flag_at)?;
    let (mut rest, insert_index) = match flag {
        0 => (rest, None),
        1 => map(length, Some).parse(rest)?,
        _ => return invalid(flag_at, "flag 0 or 1", format!("flag {flag}")),
    };
    if insert_index == Some(u64::MAX) {
        walker.report(fault(flag_at, "an insert index below 2^64-1", "2^64-1".to_owned()));
    }
    if count == 0 {
        // Unlike other empty collections: the server refuses the file.
        walker.report(fault(i, "at least one cell", "none".to_owned()));
    }
    visit.element(Element::Array { count, insert_index });
    let mut last = None;
    for _ in 0..count {
        let at = rest;
        let (tag_at, index) = length(at)?;
        if index == u64::MAX || last.is_some_and(|last| last >= index) {
            walker.report(fault(at, "indexes in ascending order", format!("index {index}")));
        }
        last = Some(index);
        let (value_at, tag) = length(tag_at)?;
        let (after, value) = match tag {
            0 | 3 => map(string, Cell::Text).parse(value_at)?,
            1 => map(le_i64, Cell::Int).parse(value_at)?,
            2 => map(le_f64, Cell::Double).parse(value_at)?,
            _ => return invalid(tag_at, "tag 0, 1, 2 or 3", format!("tag {tag}")),
        };
        if let Cell::Text(text) = value {
            walker.check_text(text, value_at);
            if tag == 3 && text.len() > SHORT {
                let found = format!("{} bytes", text.len());
                walker.report(fault(value_at, "a short string of at most 7 bytes", found));
            }
        }
        visit.element(Element::Cell { index, value });
        rest = after;
    }
    Ok((rest, ()))
}

fn fault(at: &[u8], expected: &'static str, found: String) -> Fault {
    Fault::new(Code::ArrayInvalid, at, 1, expected, found)
}

fn invalid<'a>(at: &'a [u8], expected: &'static str, found: String) -> Parse<'a, ()> {
    Err(nom::Err::Error(fault(at, expected, found)))
}

/// An array being gathered.
#[derive(Debug, Default)]
pub struct Draft {
    texts: Texts,
    cells: Vec<(u64, Kind)>,
    insert_index: Option<u64>,
}

/// How a cell is written; a text's is the next of the texts.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Int(i64),
    Double(f64),
}

impl Draft {
    /// Forgets it.
    pub fn clear(&mut self) {
        self.texts.clear();
        self.cells.clear();
        self.insert_index = None;
    }

    /// Appends it.
    ///
    /// # Errors
    /// When the target has no arrays.
    pub fn write(&mut self, pen: &mut Pen, out: &mut Vec<u8>) -> Result<&'static RdbType, Loss> {
        let row = pen.target.row(&[28]).ok_or(Loss::Type)?;
        write_length(self.cells.len() as u64, out);
        write_length(u64::from(self.insert_index.is_some()), out);
        self.insert_index.into_iter().for_each(|index| write_length(index, out));
        let mut texts = self.texts.iter();
        for (index, kind) in &self.cells {
            write_length(*index, out);
            match kind {
                Kind::Int(value) => {
                    write_length(1, out);
                    out.extend_from_slice(&value.to_le_bytes());
                }
                Kind::Double(value) => {
                    write_length(2, out);
                    out.extend_from_slice(&value.to_le_bytes());
                }
                Kind::Text => {
                    let text = texts.next().unwrap_or_default();
                    write_length(if text.len() as u64 <= SHORT { 3 } else { 0 }, out);
                    pen.strings.write(text, out);
                }
            }
        }
        Ok(row)
    }
}

impl Visit for Draft {
    fn element(&mut self, element: Element<'_>) {
        match element {
            Element::Array { insert_index, .. } => self.insert_index = insert_index,
            Element::Cell { index, value } => {
                let kind = match value {
                    Cell::Int(value) => Kind::Int(value),
                    Cell::Double(value) => Kind::Double(value),
                    Cell::Text(text) => {
                        self.texts.push(text);
                        Kind::Text
                    }
                };
                self.cells.push((index, kind));
            }
            _ => {}
        }
    }
}
