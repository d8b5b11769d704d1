//! Where in the data of an RDB a change is: which record, which part of it, and of a value which element.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::Patch;
use crate::element::{Element, Str, Visit};
use crate::finding::KeyPlace;
use crate::job::pipeline::Cutter;
use crate::job::rdb_file::{RdbFile, place_of};
use crate::limits::Limits;
use crate::persist::fs::{File, FileReader};
use crate::rdb::reader::Reader;
use crate::rdb::skim::Chunk;
use crate::rdb::walk::Walker;
use crate::record::{Event, KeyRecord, Record};

/// Values up to so many bytes are compared element by element.
const COMPARED_MAX: usize = 4 << 20;

/// A place in the data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// What part of what, such as `the value` or `an AUX field`.
    pub part: &'static str,
    /// The key, where there is one.
    pub key: Option<KeyPlace>,
    /// The name of the element that is another with the change: a field, a member, an index.
    pub element: Option<Vec<u8>>,
}

/// Finds the place of a change, in the file as it is with it.
///
/// # Errors
/// When the file cannot be read.
pub fn place(
    file: &Arc<dyn File>,
    span: &Range<u64>,
    patch: &Patch,
    limits: Limits,
) -> io::Result<Place> {
    let reader = Box::new(FileReader::new(patch.over(file), span.start, span.end));
    let at = patch.offset - span.start;
    let mut rdb = RdbFile::new(reader, limits);
    let mut used = None;
    while let Some(chunk) = rdb.cut(used.take())? {
        if at < chunk.offset + chunk.bytes().len() as u64 {
            return Ok(in_chunk(&chunk, at, patch, limits));
        }
        used = Some(chunk);
    }
    Ok(Place { part: "what is behind the end", ..Place::default() })
}

fn in_chunk(chunk: &Chunk, at: u64, patch: &Patch, limits: Limits) -> Place {
    let record = Reader::new(chunk).flatten().find(|record| record.span.contains(&at));
    let Some(Record { span, event }) = record else {
        return Place { part: "a record", ..Place::default() };
    };
    let part = match &event {
        Event::Header(_) => "the header",
        Event::Aux { .. } => "an AUX field",
        Event::SelectDb(_) => "the choice of a database",
        Event::ResizeDb { .. } | Event::SlotInfo { .. } => "a count of keys",
        Event::Function { .. } | Event::FunctionPreGa { .. } => "a function library",
        Event::ModuleAux { .. } => "data of a module",
        Event::Eof { .. } if at == span.start => "the EOF opcode",
        Event::Eof { .. } => "the stored checksum",
        Event::Key(key) => return of_key(key, at, patch, limits),
        _ => "a record",
    };
    Place { part, ..Place::default() }
}

fn of_key(key: &KeyRecord<'_>, at: u64, patch: &Patch, limits: Limits) -> Place {
    let (mut part, mut element) = ("the value", None);
    if at >= key.offset {
        element = changed_element(key, at, patch, limits);
    } else if at >= key.key_offset {
        part = "the key's name";
    } else if at + 1 == key.key_offset {
        part = "the type";
    } else {
        part = "the expire time and the like";
    }
    Place { part, key: Some(place_of(key)), element }
}

/// The first element that is not the same without the change.
fn changed_element(key: &KeyRecord<'_>, at: u64, patch: &Patch, limits: Limits) -> Option<Vec<u8>> {
    if key.payload.len() > COMPARED_MAX {
        return None;
    }
    let mut damaged = key.payload.to_vec();
    let pos = at.checked_sub(key.offset)?;
    let undone = Patch { offset: pos, old: patch.new.clone(), new: patch.old.clone() };
    undone.put_into(&mut damaged, 0);
    let elements = |payload: &[u8]| {
        let mut walker = Walker::new(false, limits);
        let mut seen = Elements::default();
        walker.value(key.rdb_type, payload, 0, &mut seen);
        seen.0
    };
    let (healed, damaged) = (elements(key.payload), elements(&damaged));
    let same = healed.iter().zip(&damaged).take_while(|(a, b)| a == b).count();
    healed.into_iter().nth(same).map(|(name, _)| name).filter(|name| !name.is_empty())
}

/// The elements of a value as names and texts.
#[derive(Default)]
struct Elements(Vec<(Vec<u8>, String)>);

impl Visit for Elements {
    fn element(&mut self, element: Element<'_>) {
        let text =
            |string: Str<'_>| string.bytes(&mut Vec::new()).map(<[u8]>::to_vec).unwrap_or_default();
        let name = match element {
            Element::Packed { .. } | Element::Unpacked | Element::StreamNode { .. } => return,
            Element::Text(_) | Element::Module { .. } => Vec::new(),
            Element::Item(_) => format!("item {}", self.0.len()).into_bytes(),
            Element::Member(member) | Element::Scored { member, .. } => text(member),
            Element::Field { field, .. } => text(field),
            Element::StreamEntry { id, .. } | Element::Pending { id, .. } => {
                id.to_string().into_bytes()
            }
            Element::Group { name, .. } | Element::Consumer { name, .. } => text(name),
            Element::Vector { element, .. } => text(element),
            Element::Cell { index, .. } => index.to_string().into_bytes(),
            _ => Vec::new(),
        };
        self.0.push((name, format!("{element:?}")));
    }
}
