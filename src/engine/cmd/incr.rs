//! Strings that count: INCR and its kin, INCRBYFLOAT, INCREX.

use crate::engine::args;
use crate::engine::command::flag::{DENYOOM, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::longdouble::LongDouble;
use crate::engine::reply::Reply;
use crate::value::Str;

pub(super) const COMMANDS: &[Command] = &[
    cmd("incr", 2, WRITE | DENYOOM, Keys::ONE, Since::both(1, 0), incr),
    cmd("decr", 2, WRITE | DENYOOM, Keys::ONE, Since::both(1, 0), decr),
    cmd("incrby", 3, WRITE | DENYOOM, Keys::ONE, Since::both(1, 0), incrby),
    cmd("decrby", 3, WRITE | DENYOOM, Keys::ONE, Since::both(1, 0), decrby),
    cmd("incrbyfloat", 3, WRITE | DENYOOM, Keys::ONE, Since::both(2, 6), incrbyfloat),
];

fn incr(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    add(ctx, argv[1], 1)
}

fn decr(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    add(ctx, argv[1], -1)
}

fn incrby(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    add(ctx, argv[1], args::int(argv[2])?)
}

fn decrby(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let by = args::int(argv[2])?.checked_neg();
    add(ctx, argv[1], by.ok_or_else(|| Failure::new("ERR decrement would overflow"))?)
}

fn add(ctx: &mut Ctx<'_>, key: &[u8], by: i64) -> Outcome {
    let slot = ctx.find(key);
    let sum = match slot {
        None => by,
        Some(slot) => {
            let value = ctx.write_at::<Str>(slot)?.ok_or(Failure::NO_KEY)?;
            let sum = integer(value)?.checked_add(by).ok_or(Failure::OVERFLOW)?;
            *value = Str::int(sum);
            sum
        }
    };
    if slot.is_none() {
        ctx.set(key, Str::int(sum));
    }
    ctx.changed(key, 1);
    Ok(Reply::Int(sum))
}

/// The integer that a string spells.
pub(super) fn integer(value: &Str) -> Result<i64, Failure> {
    value.as_int().map_or_else(|| args::int(&value.bytes()), Ok)
}

fn incrbyfloat(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let key = argv[1];
    let old = ctx.read::<Str>(key)?.map_or(Ok(LongDouble::from_int(0)), long_double)?;
    let by = LongDouble::parse(argv[2]).ok_or(Failure::NOT_FLOAT)?;
    let text = old.plus(by).ok_or(Failure::NAN_OR_INF)?.text();
    ctx.set_keep_ttl(key, Str::text(&text));
    ctx.changed(key, 1);
    ctx.log_as(&[b"SET", key, &text, b"KEEPTTL"]);
    Ok(Reply::Bulk(text))
}

pub(super) fn long_double(value: &Str) -> Result<LongDouble, Failure> {
    match value.as_int() {
        Some(number) => Ok(LongDouble::from_int(number)),
        None => LongDouble::parse(&value.bytes()).ok_or(Failure::NOT_FLOAT),
    }
}
