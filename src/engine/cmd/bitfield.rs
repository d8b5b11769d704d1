//! BITFIELD: a string as an array of integers of any width.
//!
//! ```text
//! BITFIELD key [GET type offset | [OVERFLOW WRAP|SAT|FAIL] {SET type offset value | INCRBY type offset by}] …
//!               i1 … i64, u1 … u63    bits, or #n: n times the width
//! ```

use super::bits::{check_offset, room_for};
use crate::encoding::number::parse_i64;
use crate::engine::args::{self, Args};
use crate::engine::command::flag::{DENYOOM, READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome, c_text};
use crate::engine::reply::Reply;
use crate::value::Str;

pub(super) const COMMANDS: &[Command] = &[
    cmd("bitfield", -2, WRITE | DENYOOM, Keys::ONE, Since::both(3, 2), bitfield),
    cmd("bitfield_ro", -2, READONLY, Keys::ONE, Since::both(6, 0), bitfield_ro),
];

/// Bytes that an integer of 64 bits can lie in.
const WINDOW: usize = 9;

/// Where an integer is and how it is read.
#[derive(Debug, Clone, Copy)]
struct Field {
    signed: bool,
    /// 1 to 64.
    bits: u32,
    offset: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Get,
    Set(i64),
    Increase(i64),
}

#[derive(Debug, Clone, Copy)]
struct Step {
    field: Field,
    action: Action,
    overflow: Overflow,
}

fn bitfield(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let steps = parse(ctx, argv)?;
    if steps.iter().all(|step| matches!(step.action, Action::Get)) {
        return read(ctx, argv[1], &steps);
    }
    let key = argv[1];
    let written = steps.iter().filter(|step| !matches!(step.action, Action::Get));
    let last_bit = written.map(|step| step.field.last_bit()).max().unwrap_or(0);
    let (grown, text) = room_for(ctx, key, last_bit)?;
    let (mut replies, mut changes) = (Vec::with_capacity(steps.len()), 0);
    text.edit(|text: &mut Vec<u8>| {
        for step in &steps {
            let old = step.field.read(text);
            let (new, answer) = match step.action {
                Action::Get => (Some(old), old),
                Action::Set(value) => (step.field.set_to(value, step.overflow), old),
                Action::Increase(by) => {
                    let new = step.field.fit(old + i128::from(by), step.overflow);
                    (new, new.unwrap_or(old))
                }
            };
            let Some(new) = new else {
                replies.push(Reply::Nil);
                continue;
            };
            if !matches!(step.action, Action::Get) {
                changes += usize::from(grown || new != old);
                step.field.write(text, new);
            }
            replies.push(Reply::Int(answer as i64));
        }
    });
    if changes > 0 {
        ctx.changed(key, changes);
    }
    Ok(Reply::Array(replies))
}

fn bitfield_ro(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let steps = parse(ctx, argv)?;
    if steps.iter().any(|step| !matches!(step.action, Action::Get)) {
        return Err(Failure::new("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    read(ctx, argv[1], &steps)
}

fn read(ctx: &mut Ctx<'_>, key: &[u8], steps: &[Step]) -> Outcome {
    let text = ctx.read::<Str>(key)?.map(Str::bytes).unwrap_or_default();
    Ok(Reply::Array(steps.iter().map(|step| Reply::Int(step.field.read(&text) as i64)).collect()))
}

fn parse(ctx: &Ctx<'_>, argv: &[&[u8]]) -> Result<Vec<Step>, Failure> {
    let (mut steps, mut overflow) = (Vec::new(), Overflow::Wrap);
    let mut args = Args::from(argv, 2);
    while let Some(word) = args.next() {
        if args::is(word, "overflow") {
            overflow = match args.value()?.to_ascii_lowercase().as_slice() {
                b"wrap" => Overflow::Wrap,
                b"sat" => Overflow::Saturate,
                b"fail" => Overflow::Fail,
                _ => return Err(Failure::new("ERR Invalid OVERFLOW type specified")),
            };
            continue;
        }
        let (make, count): (fn(i64) -> Action, usize) = match word.to_ascii_lowercase().as_slice() {
            b"get" => (|_| Action::Get, 2),
            b"set" => (Action::Set, 3),
            b"incrby" => (Action::Increase, 3),
            _ => return Err(Failure::SYNTAX),
        };
        let [kind, offset, value @ ..] = args.several(count)? else { return Err(Failure::SYNTAX) };
        let field = Field::parse(ctx, kind, offset)?;
        let value = value.first().map_or(Ok(0), |value| args::int(value))?;
        steps.push(Step { field, action: make(value), overflow });
    }
    Ok(steps)
}

impl Field {
    fn parse(ctx: &Ctx<'_>, kind: &[u8], offset: &[u8]) -> Result<Field, Failure> {
        let (signed, digits) = match kind {
            [b'i', digits @ ..] => (true, digits),
            [b'u', digits @ ..] => (false, digits),
            _ => return Err(bad_type()),
        };
        // Servers read it to the first NUL: Redis 7.0 and 8.2, Valkey 8.1, but no longer Valkey 9.1.
        let whole = ctx.release().has_valkey(9, 1);
        let digits = if whole { digits } else { c_text(digits, digits.len()) };
        let bits = parse_i64(digits).and_then(|bits| u32::try_from(bits).ok());
        let max = if signed { 64 } else { 63 };
        let bits = bits.filter(|bits| (1..=max).contains(bits)).ok_or_else(bad_type)?;
        let offset = match offset {
            // Servers let the product wrap around.
            [b'#', number @ ..] => parse_i64(number).map(|n| n.wrapping_mul(bits.into())),
            number => parse_i64(number),
        };
        Ok(Field { signed, bits, offset: check_offset(ctx, offset)? })
    }

    fn last_bit(self) -> u64 {
        self.offset + u64::from(self.bits) - 1
    }

    /// The bytes it lies in, and how far up in them.
    fn window(self) -> (std::ops::Range<usize>, u32) {
        let start = usize::try_from(self.offset / 8).unwrap_or(usize::MAX);
        let shift = WINDOW as u32 * 8 - (self.offset % 8) as u32 - self.bits;
        (start..start.saturating_add(WINDOW), shift)
    }

    /// Those bytes as one number; behind the end of the text are zeros.
    fn load(self, text: &[u8]) -> u128 {
        let bytes = text.get(self.window().0.start..).unwrap_or_default();
        let bytes = bytes.iter().copied().chain(std::iter::repeat(0)).take(WINDOW);
        bytes.fold(0, |number, byte| number << 8 | u128::from(byte))
    }

    fn mask(self) -> u128 {
        (1 << self.bits) - 1
    }

    fn read(self, text: &[u8]) -> i128 {
        let number = (self.load(text) >> self.window().1 & self.mask()) as i128;
        if self.signed { self.wrap(number) } else { number }
    }

    fn write(self, text: &mut [u8], value: i128) {
        let (window, shift) = self.window();
        let number = self.load(text) & !(self.mask() << shift);
        let number = number | (value as u128 & self.mask()) << shift;
        let bytes = number.to_be_bytes();
        let places = text.get_mut(window.start..).unwrap_or_default().iter_mut();
        let bytes = bytes.iter().skip(bytes.len() - WINDOW);
        places.zip(bytes).for_each(|(place, byte)| *place = *byte);
    }

    /// What SET was given: a negative number for an unsigned field is an enormous one.
    fn given(self, value: i64) -> i128 {
        if self.signed { value.into() } else { (value as u64).into() }
    }

    fn bounds(self) -> (i128, i128) {
        match self.signed {
            true => (-(1i128 << (self.bits - 1)), (1i128 << (self.bits - 1)) - 1),
            false => (0, self.mask() as i128),
        }
    }

    /// What SET makes of it. Of a number so low that its distance from the top has no 64 bits, servers
    /// believe that it is too high, but for a field that holds every number.
    fn set_to(self, value: i64, overflow: Overflow) -> Option<i128> {
        let (value, (_, max)) = (self.given(value), self.bounds());
        match overflow {
            Overflow::Saturate if self.bits < 64 && max - value > i64::MAX.into() => Some(max),
            _ => self.fit(value, overflow),
        }
    }

    /// The number as the field can hold it; `None` if it cannot and must not.
    fn fit(self, number: i128, overflow: Overflow) -> Option<i128> {
        let (min, max) = self.bounds();
        match overflow {
            _ if (min..=max).contains(&number) => Some(number),
            Overflow::Wrap => Some(self.wrap(number)),
            Overflow::Saturate => Some(number.clamp(min, max)),
            Overflow::Fail => None,
        }
    }

    /// The lowest bits, with their sign.
    fn wrap(self, number: i128) -> i128 {
        let low = number & self.mask() as i128;
        let negative = self.signed && low >> (self.bits - 1) == 1;
        if negative { low - (1i128 << self.bits) } else { low }
    }
}

#[cold]
fn bad_type() -> Failure {
    Failure::new(
        "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but \
         i64 is.",
    )
}
