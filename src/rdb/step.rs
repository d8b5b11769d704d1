//! One step: where does a record end? And where are they no records at all, but the same bytes over and over?

use super::header::{Header, header};
use super::length::length;
use super::opcodes::Kind;
use super::shape::{skip, skip_string};
use super::skim::Start;
use super::types::{Op, Table};
use crate::error::{Fault, Parse};
use crate::finding::Code;
use crate::periodic::period;

/// Attributes before a key: there are four kinds, and some come twice in odd files.
pub const ATTRIBUTES_MAX: usize = 8;

/// Two empty strings without a name, as a hole reads: no server writes the same key twice.
const NULS: [u8; 5] = [0; 5];

/// Records between two looks for some that repeat.
pub(super) const LOOK: usize = 64;

/// Records of the part that repeats, at most.
const PART: usize = 16;

/// Records in parts that repeat: fewer are keys that come twice, which others tell of.
const REPEATING: usize = 32;

/// Steps over records.
#[derive(Debug)]
pub(super) struct Skim {
    pub(super) start: Start,
    string_limit: u64,
    /// Attributes were read whose key has not come yet.
    pub(super) carried: bool,
    pub(super) ended: bool,
}

impl Skim {
    pub(super) fn new(start: Start, string_limit: u64) -> Skim {
        Skim { start, string_limit, carried: false, ended: false }
    }

    /// Steps over the record at the start of `i`.
    pub(super) fn record<'a>(&mut self, i: &'a [u8]) -> Parse<'a, ()> {
        let Some(head) = self.start.header else {
            let (rest, head) = header(i)?;
            self.start.header = Some(head);
            return Ok((rest, ()));
        };
        if i.starts_with(&NULS) {
            return Fault::err(Code::RdbRepeats, i, 1, "a record", "NUL bytes");
        }
        let table = Table::of(head.dialect);
        let mut at = i;
        let mut attributes = 0;
        loop {
            let Some((&code, rest)) = at.split_first() else {
                return Fault::truncated(at, "a key or an opcode");
            };
            match table.get(code) {
                Some(Op::Type(row)) => {
                    let (rest, ()) = skip_string(rest, self.string_limit)?;
                    let done = skip(row.shape, rest, self.string_limit)?;
                    self.carried = false;
                    return Ok(done);
                }
                Some(Op::Opcode(op)) if op.kind.is_attribute() => {
                    at = skip(op.shape, rest, self.string_limit)?.0;
                    attributes += 1;
                    if attributes > ATTRIBUTES_MAX {
                        return only_attributes(i, attributes, i.len() - at.len());
                    }
                }
                Some(Op::Opcode(_)) if at.len() < i.len() => {
                    self.carried = true;
                    return Ok((at, ()));
                }
                Some(Op::Opcode(op)) if op.kind == Kind::Eof => {
                    let crc = if head.has_checksum() { 8 } else { 0 };
                    let Some(rest) = rest.get(crc..) else {
                        return Fault::truncated(rest, "a checksum of 8 bytes");
                    };
                    self.ended = true;
                    return Ok((rest, ()));
                }
                Some(Op::Opcode(op)) => {
                    if op.kind == Kind::SelectDb {
                        self.start.db = length(rest)?.1;
                    }
                    return skip(op.shape, rest, self.string_limit);
                }
                None => return unknown(code, at, head),
            }
        }
    }

    /// What it knows behind some records that it can step over.
    pub(super) fn over(mut self, bytes: &[u8], ends: &[usize]) -> Skim {
        let mut pos = 0;
        for end in ends {
            // They were read before.
            let _ = self.record(bytes.get(pos..*end).unwrap_or_default());
            pos = *end;
        }
        self
    }
}

#[cold]
fn unknown<'a>(code: u8, at: &[u8], head: Header) -> Parse<'a, ()> {
    let dialect = head.dialect.as_str();
    let expected = format!("a type or opcode of a {dialect} RDB of version {}", head.version);
    Fault::err(Code::RdbOpcode, at, 1, expected, format!("byte {code} ({code:#04x})"))
}

#[cold]
fn only_attributes<'a>(i: &[u8], count: usize, len: usize) -> Parse<'a, ()> {
    let unit = period(i, len / 2, len).unwrap_or(len);
    let expected = format!("a key behind {ATTRIBUTES_MAX} attributes at most");
    Fault::err(Code::RdbRepeats, i, unit, expected, format!("{count} attributes"))
}

/// Whether the last records, which end where `ends` says, are one part over and over. Says how many records are
/// before it, where it begins, and what is wrong there: as many bytes as the part has.
pub(super) fn repeats(bytes: &[u8], ends: &[usize]) -> Option<(usize, usize, Fault)> {
    let (&end, before) = ends.split_last()?;
    let part = before.iter().rev().take(PART).find_map(|start| {
        let part = bytes.get(*start..end)?;
        let is_again = bytes.get(..*start)?.ends_with(part);
        is_again.then_some(part.len())
    })?;
    found(bytes, ends, part, end)
}

#[cold]
fn found(bytes: &[u8], ends: &[usize], part: usize, end: usize) -> Option<(usize, usize, Fault)> {
    let (first, again) = (bytes.get(..end - part)?, bytes.get(part..end)?);
    let pairs = first.iter().rev().zip(again.iter().rev());
    let from = end - part - pairs.take_while(|(a, b)| a == b).count();
    let (sound, at) = match from {
        0 => (0, 0),
        _ => {
            let before = ends.partition_point(|end| *end < from);
            (before + 1, *ends.get(before)?)
        }
    };
    if ends.len() - sound.min(ends.len()) < REPEATING {
        return None;
    }
    let run = bytes.get(at..)?;
    let unit = period(run, part, 2 * part).unwrap_or(part);
    Some((sound, at, Fault::new(Code::RdbRepeats, run, unit, "a record", "others over and over")))
}
