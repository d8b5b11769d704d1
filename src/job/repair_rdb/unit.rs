//! One record at a place of which nobody knows whether it is one: read more strictly than servers do.

use std::ops::Range;

use super::stride::{Stop, Stride};
use crate::element::Str;
use crate::rdb::header::Header;
use crate::rdb::length::{is_longer_than_needed, length};
use crate::rdb::opcodes::{Kind, Opcode};
use crate::rdb::shape::Shape;
use crate::rdb::step::ATTRIBUTES_MAX;
use crate::rdb::string::string;
use crate::rdb::types::{Op, RdbType, Table};

/// Expire times that are believed, in ms: 2001 to 2286.
const EXPIRES_MS: Range<i64> = 978_307_200_000..10_000_000_000_000;

/// NULs in a row that are too many for a string.
const NULS: usize = 16;

/// Bytes of a record that a chain may step over.
pub(super) const LEN_MAX: u64 = 64 << 20;

/// Bytes of a name that is believed.
const NAME_MAX: u64 = 16 << 20;

/// What is known of the file.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Its header.
    pub header: Header,
    /// Bytes from the place to its end.
    pub left: u64,
}

/// What is at the place.
#[derive(Debug)]
pub enum Step {
    /// No record.
    Bad,
    /// The bytes at hand do not tell.
    Short,
    /// A key.
    Key {
        /// Its name.
        name: Vec<u8>,
        /// The type of its value.
        row: &'static RdbType,
        /// Where the value is. A single string may go on behind the bytes at hand: it was not looked at then.
        payload: Range<usize>,
        /// Bytes of the record.
        len: usize,
    },
    /// The choice of a database, and its length.
    Select(u64, usize),
    /// Another record of this length.
    Other(usize),
    /// The end, where it must be.
    End,
}

impl Rules {
    fn op(&self, code: u8) -> Option<Op> {
        // Files of a version that is not known may have all that is.
        let takes = |since: u16, provisional: bool| !provisional && since <= self.header.version;
        Table::of(self.header.dialect).get(code).filter(|op| match op {
            Op::Type(row) => takes(row.since, row.provisional),
            Op::Opcode(op) => takes(op.since, op.provisional),
        })
    }

    /// Whether a record can begin with this byte.
    pub fn may_begin(&self, first: u8) -> bool {
        self.op(first).is_some()
    }

    fn end_len(&self) -> u64 {
        if self.header.has_checksum() { 9 } else { 1 }
    }
}

/// Reads what is at the start of `i`, and says how many parts of it were looked at.
pub fn step(i: &[u8], rules: &Rules) -> (Step, u64) {
    let mut stride = Stride::new(rules.left.saturating_sub(i.len() as u64));
    let step = record(i, rules, &mut stride);
    (step, stride.parts)
}

fn record(i: &[u8], rules: &Rules, stride: &mut Stride) -> Step {
    let mut at = i;
    for _ in 0..ATTRIBUTES_MAX {
        let Some((&code, rest)) = at.split_first() else { return Step::Short };
        let used = i.len() - rest.len();
        match rules.op(code) {
            None => return Step::Bad,
            Some(Op::Type(row)) => return key(i, rest, row, rules, stride),
            Some(Op::Opcode(op)) if op.kind.is_attribute() => match attribute(op, rest, stride) {
                Ok(after) => at = after,
                Err(step) => return step,
            },
            // Attributes belong to a key.
            Some(Op::Opcode(_)) if used > 1 => return Step::Bad,
            Some(Op::Opcode(op)) if op.kind == Kind::Eof => {
                return if rules.left == rules.end_len() { Step::End } else { Step::Bad };
            }
            Some(Op::Opcode(op)) => return opcode(i, rest, op, rules, stride),
        }
    }
    Step::Bad
}

impl From<Stop> for Step {
    fn from(stop: Stop) -> Step {
        match stop {
            Stop::Bad => Step::Bad,
            Stop::Short => Step::Short,
        }
    }
}

fn attribute<'a>(op: &Opcode, i: &'a [u8], stride: &mut Stride) -> Result<&'a [u8], Step> {
    let rest = stride.over(op.shape, i)?;
    let at_ms = match (op.kind, i) {
        (Kind::ExpireTime, [a, b, c, d, ..]) => {
            i64::from(i32::from_le_bytes([*a, *b, *c, *d])) * 1000
        }
        (Kind::ExpireTimeMs, _) => i.first_chunk().map_or(0, |ms| i64::from_le_bytes(*ms)),
        (Kind::Idle, _) => return if is_longer_than_needed(i) { Err(Step::Bad) } else { Ok(rest) },
        _ => return Ok(rest),
    };
    if EXPIRES_MS.contains(&at_ms) { Ok(rest) } else { Err(Step::Bad) }
}

/// Whether the string at the start of `i` can be there at all, and is not longer than that.
fn fits(i: &[u8], most: u64) -> bool {
    !is_longer_than_needed(i) && length(i).map_or(true, |(_, len)| len <= most)
}

/// Whether there are `NULS` NULs in a row. So many cover one of the words that are looked at.
fn has_hole(bytes: &[u8]) -> bool {
    const WORD: usize = NULS / 2;
    let is_nul = |byte: &&u8| **byte == 0;
    let words = bytes.chunks_exact(WORD).enumerate();
    words.filter(|(_, word)| *word == [0; WORD]).any(|(index, _)| {
        let (before, behind) = bytes.split_at(index * WORD);
        let before = before.iter().rev().take_while(is_nul).take(NULS).count();
        before + behind.iter().take_while(is_nul).take(NULS).count() >= NULS
    })
}

fn key(i: &[u8], at: &[u8], row: &'static RdbType, rules: &Rules, stride: &mut Stride) -> Step {
    if !fits(at, rules.left.min(NAME_MAX)) {
        return Step::Bad;
    }
    let (value, name) = match string(at) {
        Ok(read) => read,
        Err(err) => return Stop::of(err).into(),
    };
    let counted = !matches!(row.shape, [Shape::Bin(_), ..]);
    if counted && !fits(value, rules.left.min(LEN_MAX)) {
        return Step::Bad;
    }
    let is_one_string = matches!(row.shape, [Shape::Str]);
    let start = i.len() - value.len();
    let len = match stride.over(row.shape, value) {
        Ok(rest) => i.len() - rest.len(),
        // Where it ends is known, and few chains come that far.
        Err(Stop::Short) if is_one_string && stride.missing > 0 => {
            i.len() + usize::try_from(stride.missing).unwrap_or(usize::MAX / 2)
        }
        Err(stop) => return stop.into(),
    };
    let Ok(name) = name.bytes(&mut Vec::new()).map(<[u8]>::to_vec) else { return Step::Bad };
    let payload = value.get(..len - start).unwrap_or_default();
    let is_empty = is_one_string && matches!(payload, [0]);
    if (name.is_empty() && is_empty) || has_hole(&name) || (row.code == 0 && has_hole(payload)) {
        return Step::Bad;
    }
    Step::Key { name, row, payload: start..len, len }
}

fn opcode(i: &[u8], at: &[u8], op: &Opcode, rules: &Rules, stride: &mut Stride) -> Step {
    let rest = match stride.over(op.shape, at) {
        Ok(rest) => rest,
        Err(stop) => return stop.into(),
    };
    let len = i.len() - rest.len();
    let number = || length(at).map_or(u64::MAX, |(_, number)| number);
    let text = |string: Str<'_>| string.bytes(&mut Vec::new()).map(<[u8]>::to_vec).ok();
    let is_name = |text: Vec<u8>| !text.is_empty() && text.iter().all(u8::is_ascii_graphic);
    let first_text = || string(at).ok().and_then(|(_, string)| text(string));
    let sound = match op.kind {
        Kind::SelectDb if is_longer_than_needed(at) => false,
        Kind::SelectDb => return Step::Select(number(), len),
        Kind::ResizeDb => number() <= rules.left,
        Kind::SlotInfo => number() < 16384,
        Kind::Aux => first_text().is_some_and(is_name),
        Kind::Function => first_text().is_some_and(|code| code.starts_with(b"#!")),
        Kind::FunctionPreGa => first_text().is_some_and(is_name),
        Kind::ModuleAux => true,
        Kind::SlotImport => first_text().is_some_and(|job| job.len() == 40),
        _ => false,
    };
    if sound { Step::Other(len) } else { Step::Bad }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes() {
        for at in 0..40 {
            let with = |nuls: usize| [vec![1; at], vec![0; nuls], vec![2; 9]].concat();
            assert!(!has_hole(&with(NULS - 1)), "{at}");
            assert!(has_hole(&with(NULS)) && has_hole(&with(5 * NULS)), "{at}");
        }
        assert!(!has_hole(&[0; NULS - 1]) && has_hole(&[0; NULS]));
    }
}
