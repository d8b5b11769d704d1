//! Reading the records of a chunk. Cutting has already found where each ends ([`super::skim`]), so a
//! record is read inside its own bytes.

use nom::Parser;
use nom::combinator::map;
use nom::number::complete::{le_i32, le_i64, le_u64, u8};

use super::header::{Header, header};
use super::length::length;
use super::opcodes::{Kind, Opcode};
use super::shape::skip;
use super::skim::Chunk;
use super::string::string;
use super::types::{Op, RdbType, Table};
use crate::element::ModuleId;
use crate::error::{Fault, Parse, fault_of};
use crate::finding::{Code, Finding};
use crate::record::{Event, KeyRecord, Record};

/// The records of a chunk, in order.
#[derive(Debug)]
pub struct Reader<'a> {
    chunk: &'a Chunk,
    index: usize,
    pos: usize,
    header: Option<Header>,
    db: u64,
    attributes: Attributes<'a>,
}

/// What attribute opcodes said of the next key.
#[derive(Debug, Clone, Copy, Default)]
struct Attributes<'a> {
    expire_at_ms: Option<i64>,
    idle_s: Option<u64>,
    freq: Option<u8>,
    meta: Option<&'a [u8]>,
    twice: bool,
}

impl<'a> Reader<'a> {
    /// A reader at the start of a chunk.
    pub fn new(chunk: &'a Chunk) -> Reader<'a> {
        Reader {
            chunk,
            index: 0,
            pos: 0,
            header: chunk.start.header,
            db: chunk.start.db,
            attributes: Attributes::default(),
        }
    }

    /// Reads attributes, up to the type of the key they belong to, or to where anything else begins.
    #[inline]
    fn row(&mut self, i: &'a [u8]) -> Parse<'a, Option<&'static RdbType>> {
        let Some(head) = self.header else { return Ok((i, None)) };
        let table = Table::of(head.dialect);
        let mut at = i;
        loop {
            let Some((&code, rest)) = at.split_first() else { return Ok((at, None)) };
            match table.get(code) {
                Some(Op::Type(row)) => return Ok((rest, Some(row))),
                Some(Op::Opcode(op)) if op.kind.is_attribute() => {
                    at = self.attributes.read(op, rest)?.0;
                }
                _ => return Ok((at, None)),
            }
        }
    }

    #[inline(always)]
    fn key(
        &mut self,
        row: &'static RdbType,
        i: &'a [u8],
        end: u64,
    ) -> Result<KeyRecord<'a>, nom::Err<Fault>> {
        let (payload, key) = string(i)?;
        let attributes = std::mem::take(&mut self.attributes);
        Ok(KeyRecord {
            db: self.db,
            key,
            expire_at_ms: attributes.expire_at_ms,
            idle_s: attributes.idle_s,
            freq: attributes.freq,
            meta: attributes.meta,
            attribute_twice: attributes.twice,
            rdb_type: row,
            payload,
            key_offset: end - i.len() as u64,
            offset: end - payload.len() as u64,
        })
    }

    /// Whatever is not a key.
    fn other(&mut self, i: &'a [u8]) -> Parse<'a, Event<'a>> {
        let Some(head) = self.header else {
            let (rest, head) = header(i)?;
            self.header = Some(head);
            return Ok((rest, Event::Header(head)));
        };
        match i.split_first().map(|(&code, rest)| (Table::of(head.dialect).get(code), rest)) {
            Some((Some(Op::Opcode(op)), rest)) => self.opcode(op, rest, head),
            // Attributes alone: another opcode follows before their key.
            None => Ok((i, Event::StrayAttributes)),
            Some(_) => Fault::err(Code::RdbOpcode, i, 1, "a type or opcode", "another byte"),
        }
    }

    fn opcode(&mut self, op: &Opcode, i: &'a [u8], head: Header) -> Parse<'a, Event<'a>> {
        match op.kind {
            Kind::Eof if head.has_checksum() => {
                map(le_u64, |checksum| Event::Eof { checksum: Some(checksum) }).parse(i)
            }
            Kind::Eof => Ok((i, Event::Eof { checksum: None })),
            Kind::SelectDb => {
                let (rest, db) = length(i)?;
                self.db = db;
                Ok((rest, Event::SelectDb(db)))
            }
            Kind::ResizeDb => {
                map((length, length), |(keys, expires)| Event::ResizeDb { keys, expires }).parse(i)
            }
            Kind::Aux => map((string, string), |(key, value)| Event::Aux { key, value }).parse(i),
            Kind::ModuleAux => module_aux(i),
            Kind::Function => map(string, |code| Event::Function { code }).parse(i),
            Kind::FunctionPreGa => function_pre_ga(i),
            Kind::SlotInfo => map((length, length, length), |(slot, keys, expires)| {
                Event::SlotInfo { slot, keys, expires }
            })
            .parse(i),
            Kind::SlotImport => slot_import(i),
            Kind::Opaque => Ok((&[], Event::Opaque { code: op.code, data: i })),
            Kind::ExpireTime | Kind::ExpireTimeMs | Kind::Idle | Kind::Freq | Kind::KeyMeta => {
                self.attributes.read(op, i).map(|(rest, ())| (rest, Event::StrayAttributes))
            }
        }
    }
}

impl<'a> Attributes<'a> {
    fn read(&mut self, op: &Opcode, i: &'a [u8]) -> Parse<'a, ()> {
        match op.kind {
            Kind::ExpireTime => {
                let (rest, seconds) = le_i32(i)?;
                self.twice |= self.expire_at_ms.replace(i64::from(seconds) * 1000).is_some();
                Ok((rest, ()))
            }
            Kind::ExpireTimeMs => {
                let (rest, ms) = le_i64(i)?;
                self.twice |= self.expire_at_ms.replace(ms).is_some();
                Ok((rest, ()))
            }
            Kind::Idle => {
                let (rest, seconds) = length(i)?;
                self.twice |= self.idle_s.replace(seconds).is_some();
                Ok((rest, ()))
            }
            Kind::Freq => {
                let (rest, freq) = u8(i)?;
                self.twice |= self.freq.replace(freq).is_some();
                Ok((rest, ()))
            }
            _ => {
                let (rest, ()) = skip(op.shape, i, u64::MAX)?;
                let meta = i.get(..i.len() - rest.len());
                self.twice |= self.meta.is_some();
                self.meta = meta;
                Ok((rest, ()))
            }
        }
    }
}

fn module_aux(i: &[u8]) -> Parse<'_, Event<'_>> {
    let (data, id) = length(i)?;
    const UINT: u64 = 2;
    let when = match (length, length).parse(data) {
        Ok((_, (UINT, when))) => Some(when),
        _ => None,
    };
    Ok((&[], Event::ModuleAux { id: ModuleId(id), when, data }))
}

fn function_pre_ga(i: &[u8]) -> Parse<'_, Event<'_>> {
    let (rest, (name, engine, has_description)) = (string, string, length).parse(i)?;
    let (rest, description) =
        if has_description == 0 { (rest, None) } else { map(string, Some).parse(rest)? };
    let (rest, code) = string(rest)?;
    Ok((rest, Event::FunctionPreGa { name, engine, description, code }))
}

fn slot_import(i: &[u8]) -> Parse<'_, Event<'_>> {
    let (mut rest, (job, count)) = (string, length).parse(i)?;
    let mut slots = Vec::new();
    for _ in 0..count {
        let (after, range) = (length, length).parse(rest)?;
        slots.push(range);
        rest = after;
    }
    Ok((rest, Event::SlotImport { job, slots }))
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Record<'a>, Finding>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let end_pos = *self.chunk.ends.get(self.index)?;
        let bytes = self.chunk.bytes().get(self.pos..end_pos)?;
        let (start, end) =
            (self.chunk.offset + self.pos as u64, self.chunk.offset + end_pos as u64);
        self.index += 1;
        self.pos = end_pos;
        // A key is made where the caller wants it: it is too large to be handed on from call to call.
        let fault = match self.row(bytes) {
            Ok((rest, Some(row))) => match self.key(row, rest, end) {
                Ok(key) => return Some(Ok(Record { span: start..end, event: Event::Key(key) })),
                Err(fault) => fault,
            },
            Ok((rest, None)) => match self.other(rest) {
                Ok((_, event)) => return Some(Ok(Record { span: start..end, event })),
                Err(fault) => fault,
            },
            Err(fault) => fault,
        };
        Some(Err(fault_of(fault).finding(end)))
    }
}

/// As much of a damaged record as can be read: its key's name and type.
pub fn describe_damaged(record: &[u8], head: Header) -> Option<(Vec<u8>, &'static RdbType)> {
    let table = Table::of(head.dialect);
    let mut at = record;
    loop {
        let (&code, rest) = at.split_first()?;
        match table.get(code)? {
            Op::Type(row) => {
                let (_, key) = string(rest).ok()?;
                let mut text = Vec::new();
                return Some((key.bytes(&mut text).ok()?.to_vec(), row));
            }
            Op::Opcode(op) if op.kind.is_attribute() => {
                at = skip(op.shape, rest, u64::MAX).ok()?.0;
            }
            Op::Opcode(_) => return None,
        }
    }
}
