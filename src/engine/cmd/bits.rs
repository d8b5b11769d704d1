//! Bits of strings. Bit 0 is the highest of the first byte. BITFIELD is in `bitfield`.

use crate::engine::args;
use crate::engine::command::flag::{DENYOOM, READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::reply::Reply;
use crate::value::{DataType, Str};

pub(super) const COMMANDS: &[Command] = &[
    cmd("setbit", 4, WRITE | DENYOOM, Keys::ONE, Since::both(2, 2), setbit),
    cmd("getbit", 3, READONLY, Keys::ONE, Since::both(2, 2), getbit),
    cmd("bitcount", -2, READONLY, Keys::ONE, Since::both(2, 6), bitcount),
    cmd("bitpos", -3, READONLY, Keys::ONE, Since::both(2, 8), bitpos),
    cmd("bitop", -4, WRITE | DENYOOM, BITOP_KEYS, Since::both(2, 6), bitop),
];

const BITOP_KEYS: Keys = Keys::Range { first: 2, last: -1, step: 1 };

/// The number of a bit within the longest string there may be.
pub(super) fn check_offset(ctx: &Ctx<'_>, offset: Option<i64>) -> Result<u64, Failure> {
    let max = ctx.engine.config().max_string as u64;
    let offset = offset.and_then(|offset| u64::try_from(offset).ok());
    offset
        .filter(|offset| offset / 8 < max)
        .ok_or_else(|| Failure::new("ERR bit offset is not an integer or out of range"))
}

/// Place of a bit: its byte, and how far that is to be shifted down.
fn place(bit: u64) -> (usize, u32) {
    (usize::try_from(bit / 8).unwrap_or(usize::MAX), 7 - (bit % 8) as u32)
}

/// The text of a key as something to change, at least so long as to hold this bit, and whether it had to
/// be made or to grow. Its error comes before anything is done.
pub(super) fn room_for<'a>(
    ctx: &'a mut Ctx<'_>,
    key: &[u8],
    last_bit: u64,
) -> Result<(bool, &'a mut Str), Failure> {
    let (byte, _) = place(last_bit);
    let wanted = byte.saturating_add(1);
    let held = ctx.read::<Str>(key)?.map(Str::len);
    if held.is_none_or(|held| held < wanted) {
        ctx.check_memory(wanted)?;
    }
    if held.is_none() {
        ctx.set(key, Str::raw(Vec::new()));
    }
    let text = ctx.write::<Str>(key)?.ok_or(Failure::OUT_OF_MEMORY)?;
    let grown = text.edit(|text| {
        let grown = text.len() < wanted;
        if grown {
            text.resize(wanted, 0);
        }
        grown
    });
    Ok((grown, text))
}

fn setbit(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let key = argv[1];
    let offset = check_offset(ctx, args::int(argv[2]).ok())?;
    let bit = args::int(argv[3]).ok().filter(|bit| matches!(bit, 0 | 1));
    let bit = bit.ok_or_else(|| Failure::new("ERR bit is not an integer or out of range"))? as u8;
    let (byte, shift) = place(offset);
    let (grown, text) = room_for(ctx, key, offset)?;
    let old = text.edit(|text| {
        let place = text.get_mut(byte)?;
        let old = *place >> shift & 1;
        *place = *place & !(1 << shift) | bit << shift;
        Some(old)
    });
    let old = old.unwrap_or(0);
    if grown || old != bit {
        ctx.changed(key, 1);
    }
    Ok(Reply::Int(old.into()))
}

fn getbit(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (byte, shift) = place(check_offset(ctx, args::int(argv[2]).ok())?);
    let text = ctx.read::<Str>(argv[1])?.map(Str::bytes);
    let byte = text.and_then(|text| text.get(byte).copied());
    Ok(Reply::Int(byte.map_or(0, |byte| byte >> shift & 1).into()))
}

/// What BITCOUNT and BITPOS look at.
#[derive(Debug, Clone, Copy)]
struct Part {
    start: i64,
    end: i64,
    /// BIT: the bounds are bits, not bytes.
    bits: bool,
}

impl Part {
    const ALL: Part = Part { start: 0, end: -1, bits: false };

    fn unit(arg: Option<&&[u8]>) -> Result<bool, Failure> {
        match arg {
            None => Ok(false),
            Some(word) if args::is(word, "byte") => Ok(false),
            Some(word) if args::is(word, "bit") => Ok(true),
            Some(_) => Err(Failure::SYNTAX),
        }
    }

    /// First and last bit of it in a text of `len` bytes. Unlike in lists, an end before the beginning
    /// is the beginning.
    fn of(self, len: usize) -> Option<(u64, u64)> {
        let total = i64::try_from(len).ok()?.checked_mul(if self.bits { 8 } else { 1 })?;
        let from_end = |at: i64| if at < 0 { (total + at).max(0) } else { at };
        let (start, end) = (from_end(self.start), from_end(self.end).min(total - 1));
        let (start, end) = match start > end {
            true => return None,
            false => (u64::try_from(start).ok()?, u64::try_from(end).ok()?),
        };
        Some(if self.bits { (start, end) } else { (start * 8, end * 8 + 7) })
    }
}

/// BITCOUNT key [start end [BYTE|BIT]]; Valkey also takes a start alone.
fn bitcount(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let valkey = ctx.engine.config().release.has((u8::MAX, 0), (8, 0));
    let part = match argv.get(2..).unwrap_or_default() {
        [] => Part::ALL,
        [start] if valkey => Part { start: args::int(start)?, ..Part::ALL },
        [start, end, unit @ ..] if unit.len() < 2 => {
            let (start, end) = (args::int(start)?, args::int(end)?);
            Part { start, end, bits: Part::unit(unit.first())? }
        }
        _ => return Err(Failure::SYNTAX),
    };
    let Some(text) = ctx.read::<Str>(argv[1])?.map(Str::bytes) else { return Ok(Reply::Int(0)) };
    let backwards = part.start < 0 && part.end < 0 && part.start > part.end;
    let span = if backwards { None } else { part.of(text.len()) };
    Ok(Reply::Int(span.map_or(0, |(first, last)| count_ones(&text, first, last))))
}

fn count_ones(text: &[u8], first: u64, last: u64) -> i64 {
    let ((from, _), (to, shift)) = (place(first), place(last));
    let bytes = text.get(from..=to).unwrap_or_default();
    let (words, rest) = bytes.as_chunks::<8>();
    let words = words.iter().map(|word| i64::from(u64::from_le_bytes(*word).count_ones()));
    let all: i64 = words.sum::<i64>() + ones(rest, 0xff);
    // What lies before the first and behind the last bit in their bytes.
    let before = (0xff00u16 >> (first % 8)) as u8;
    all - ones(&bytes[..1.min(bytes.len())], before)
        - ones(text.get(to..=to).unwrap_or_default(), (1u8 << shift) - 1)
}

fn ones(bytes: &[u8], mask: u8) -> i64 {
    bytes.iter().map(|byte| i64::from((byte & mask).count_ones())).sum()
}

/// BITPOS key bit [start [end [BYTE|BIT]]]
fn bitpos(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let bit = args::int(argv[2])?;
    if !matches!(bit, 0 | 1) {
        return Err(Failure::new("ERR The bit argument must be 1 or 0."));
    }
    let rest = argv.get(3..).unwrap_or_default();
    let part = match rest {
        [] => Part::ALL,
        [start] => Part { start: args::int(start)?, ..Part::ALL },
        [start, end, unit @ ..] if unit.len() < 2 => {
            let (start, bits) = (args::int(start)?, Part::unit(unit.first())?);
            Part { start, end: args::int(end)?, bits }
        }
        _ => return Err(Failure::SYNTAX),
    };
    let Some(text) = ctx.read::<Str>(argv[1])?.map(Str::bytes) else {
        return Ok(Reply::Int(-bit));
    };
    let Some((first, last)) = part.of(text.len()) else { return Ok(Reply::Int(-1)) };
    let found = find_bit(&text, bit == 1, first, last);
    // A text goes on with zeros for ever, unless it was said where to stop.
    let endless = bit == 0 && rest.len() < 2;
    let found = found.or(endless.then_some(text.len() as u64 * 8));
    Ok(Reply::Int(found.and_then(|found| i64::try_from(found).ok()).unwrap_or(-1)))
}

fn find_bit(text: &[u8], set: bool, first: u64, last: u64) -> Option<u64> {
    let ((from, _), (to, _)) = (place(first), place(last));
    let nothing = if set { 0 } else { 0xff };
    for (at, byte) in text.get(from..=to)?.iter().enumerate() {
        let mut wanted = byte ^ nothing;
        if at == 0 {
            wanted &= 0xff >> (first % 8);
        }
        if wanted != 0 {
            let bit = (from + at) as u64 * 8 + u64::from(wanted.leading_zeros());
            return (bit <= last).then_some(bit);
        }
    }
    None
}

/// What BITOP makes of the bytes at one place of its sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    And,
    Or,
    Xor,
    Not,
    /// In the first, but in no other one.
    Diff,
    /// In another one, but not in the first.
    Diff1,
    /// In the first and in another one.
    AndOr,
    /// In exactly one.
    One,
}

const OPERATIONS: [(&str, Operation); 8] = [
    ("and", Operation::And),
    ("or", Operation::Or),
    ("xor", Operation::Xor),
    ("not", Operation::Not),
    ("diff", Operation::Diff),
    ("diff1", Operation::Diff1),
    ("andor", Operation::AndOr),
    ("one", Operation::One),
];

impl Operation {
    fn apply(self, first: u8, others: impl Iterator<Item = u8>) -> u8 {
        let or = |others: &mut dyn Iterator<Item = u8>| others.fold(0, |sum, byte| sum | byte);
        let mut others = others;
        match self {
            Operation::And => others.fold(first, |sum, byte| sum & byte),
            Operation::Or => first | or(&mut others),
            Operation::Xor => others.fold(first, |sum, byte| sum ^ byte),
            Operation::Not => !first,
            Operation::Diff => first & !or(&mut others),
            Operation::Diff1 => or(&mut others) & !first,
            Operation::AndOr => first & or(&mut others),
            Operation::One => {
                let (once, twice) = others
                    .fold((first, 0), |(once, twice), byte| (once | byte, twice | once & byte));
                once & !twice
            }
        }
    }
}

/// BITOP operation destination source …
fn bitop(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let found = OPERATIONS.iter().find(|(name, _)| args::is(argv[1], name));
    let (name, operation) = found.ok_or(Failure::SYNTAX)?;
    let (target, keys) = (argv[2], &argv[3..]);
    let several = matches!(operation, Operation::Diff | Operation::Diff1 | Operation::AndOr);
    if *operation == Operation::Not && keys.len() != 1 {
        return Err(Failure::new("ERR BITOP NOT must be called with a single source key."));
    }
    if several && keys.len() < 2 {
        let name = name.to_ascii_uppercase();
        let text = format!("ERR BITOP {name} must be called with at least two source keys.");
        return Err(Failure::new(text));
    }
    let mut slots = Vec::with_capacity(keys.len());
    for key in keys {
        ctx.read::<Str>(key)?;
        slots.push(ctx.find(key));
    }
    let space = ctx.keyspace();
    let texts = slots.iter().map(|slot| Some(Str::of(space?.value((*slot)?)?)?.bytes()));
    let texts: Vec<_> = texts.map(Option::unwrap_or_default).collect();
    let len = texts.iter().map(|text| text.len()).max().unwrap_or(0);
    ctx.check_memory(len)?;
    let at = |text: &[u8], index: usize| text.get(index).copied().unwrap_or(0);
    let byte = |index| {
        let mut bytes = texts.iter().map(|text| at(text, index));
        operation.apply(bytes.next().unwrap_or(0), bytes)
    };
    let result: Vec<u8> = (0..len).map(byte).collect();
    if len > 0 {
        ctx.set(target, Str::raw(result));
        ctx.changed(target, 1);
    } else if ctx.delete(target) {
        ctx.changed(target, 1);
    }
    Ok(Reply::count(len))
}
