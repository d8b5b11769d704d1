//! The commands on lists that wait until there is something to pop. Here they do not wait: they answer
//! as between MULTI and EXEC, where servers do not wait either. What a client waited for is in an AOF as
//! the pop that ended the wait.

use super::list::{MultiPop, end_of, log_pop, move_element, take};
use crate::engine::args;
use crate::engine::command::flag::{DENYOOM, NOSCRIPT, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::reply::Reply;
use crate::value::End;

pub(super) const COMMANDS: &[Command] = &[
    cmd("blpop", -3, WRITE | NOSCRIPT, BUT_LAST, Since::both(2, 0), blpop),
    cmd("brpop", -3, WRITE | NOSCRIPT, BUT_LAST, Since::both(2, 0), brpop),
    cmd("brpoplpush", 4, WRITE | NOSCRIPT | DENYOOM, Keys::TWO, Since::both(2, 2), brpoplpush),
    cmd("blmove", 6, WRITE | NOSCRIPT | DENYOOM, Keys::TWO, Since::both(6, 2), blmove),
    cmd(
        "blmpop",
        -5,
        WRITE | NOSCRIPT,
        Keys::Counted { count: 2, more: &[] },
        Since::both(7, 0),
        blmpop,
    ),
];

/// The keys of a command whose last argument is how long it waits.
const BUT_LAST: Keys = Keys::Range { first: 1, last: -2, step: 1 };

/// How long to wait: seconds, with a fraction. Checked, as it would be an error.
pub(super) fn check_timeout(arg: &[u8]) -> Result<(), Failure> {
    let seconds =
        args::float(arg).map_err(|_| Failure::new("ERR timeout is not a float or out of range"))?;
    let ms = (seconds * 1000.0).ceil();
    if ms < 0.0 {
        return Err(Failure::new("ERR timeout is negative"));
    }
    if ms >= i64::MAX as f64 {
        return Err(Failure::new("ERR timeout is out of range"));
    }
    Ok(())
}

fn blpop(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    pop_first(ctx, argv, End::Front)
}

fn brpop(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    pop_first(ctx, argv, End::Back)
}

/// BLPOP key … timeout
fn pop_first(ctx: &mut Ctx<'_>, argv: &[&[u8]], end: End) -> Outcome {
    let (timeout, keys) = argv.split_last().ok_or(Failure::SYNTAX)?;
    check_timeout(timeout)?;
    for key in keys.iter().skip(1) {
        if let Some(text) = take(ctx, key, end, 1)?.and_then(|mut popped| popped.pop()) {
            log_pop(ctx, key, end, None);
            return Ok(Reply::Array(vec![Reply::bulk(key), Reply::Bulk(text)]));
        }
    }
    Ok(Reply::NilArray)
}

fn brpoplpush(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    check_timeout(argv[3])?;
    let moved = move_element(ctx, argv[1], argv[2], End::Back, End::Front)?;
    if moved.is_some() {
        ctx.log_as(&[b"RPOPLPUSH", argv[1], argv[2]]);
    }
    Ok(moved.unwrap_or(Reply::Nil))
}

/// BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout
fn blmove(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (from, to) = (end_of(argv[3])?, end_of(argv[4])?);
    check_timeout(argv[5])?;
    let moved = move_element(ctx, argv[1], argv[2], from, to)?;
    if moved.is_some() {
        ctx.log_as(&[b"LMOVE", argv[1], argv[2], argv[3], argv[4]]);
    }
    Ok(moved.unwrap_or(Reply::Nil))
}

/// `BLMPOP timeout numkeys key … LEFT|RIGHT [COUNT count]`
fn blmpop(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let wanted = MultiPop::parse(argv, 2)?;
    check_timeout(argv[1])?;
    wanted.run(ctx)
}
