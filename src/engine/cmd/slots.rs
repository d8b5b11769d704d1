//! Commands of a cluster's servers that delete the keys of slots. A store is no cluster, so a client is told
//! so; but a log of such a server holds them, and then they do what they say.

use crate::encoding::slot::{SLOTS, slot};
use crate::engine::args::{self, Args};
use crate::engine::command::flag::{NOSCRIPT, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd, container};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::keyspace::Keyspace;
use crate::engine::reply::Reply;

pub(super) const COMMANDS: &[Command] = &[
    cmd("sflush", -3, WRITE | NOSCRIPT, Keys::None, Since::redis(8, 0), sflush),
    cmd("trimslots", -5, WRITE | NOSCRIPT, Keys::None, Since::redis(8, 4), trimslots),
    container("cluster", Since::both(3, 0), CLUSTER),
];

const CLUSTER: &[Command] =
    &[cmd("cluster|flushslot", -3, WRITE | NOSCRIPT, Keys::None, Since::valkey(9, 0), flushslot)];

fn number(arg: &[u8]) -> Result<i64, Failure> {
    let slot = args::int(arg).ok().filter(|slot| (0..i64::from(SLOTS)).contains(slot));
    slot.ok_or_else(|| Failure::new("ERR Invalid or out of range slot"))
}

/// First and last slots, one after the other.
fn ranges(args: &[&[u8]]) -> Result<Vec<(i64, i64)>, Failure> {
    let (pairs, rest) = args.as_chunks::<2>();
    if !rest.is_empty() || pairs.is_empty() {
        return Err(Failure::SYNTAX);
    }
    pairs.iter().map(|[first, last]| Ok((number(first)?, number(last)?))).collect()
}

/// `SFLUSH first last [first last …] [ASYNC | SYNC]`
fn sflush(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let mut rest = argv.get(1..).unwrap_or_default();
    if let Some((mode, before)) = rest.split_last()
        && (args::is(mode, "async") || args::is(mode, "sync"))
    {
        rest = before;
    }
    let ranges = ranges(rest)?;
    delete(ctx, &ranges)
}

/// `TRIMSLOTS RANGES count first last [first last …]`
fn trimslots(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let mut args = Args::from(argv, 1);
    if !args.accept("ranges") {
        return Err(Failure::SYNTAX);
    }
    let count = args::count(args.value()?)?;
    let words = args.several(count.saturating_mul(2))?;
    args.end()?;
    let ranges = ranges(words)?;
    delete(ctx, &ranges)
}

/// `CLUSTER FLUSHSLOT slot [ASYNC | SYNC]`
fn flushslot(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let slot = number(argv[2])?;
    match argv.get(3..).unwrap_or_default() {
        [] => {}
        [mode] if args::is(mode, "async") || args::is(mode, "sync") => {}
        _ => return Err(Failure::SYNTAX),
    }
    delete(ctx, &[(slot, slot)])
}

/// Deletes the keys whose slot is in one of the ranges.
fn delete(ctx: &mut Ctx<'_>, ranges: &[(i64, i64)]) -> Outcome {
    if !ctx.is_loading() {
        return Err(Failure::new("ERR This instance has cluster support disabled"));
    }
    let within = |key: &[u8]| {
        let slot = i64::from(slot(key));
        ranges.iter().any(|(first, last)| (*first..=*last).contains(&slot))
    };
    let keys = ctx.keyspace().into_iter().flat_map(Keyspace::iter).map(|key| key.key);
    let keys: Vec<Vec<u8>> = keys.filter(|key| within(key)).map(<[u8]>::to_vec).collect();
    for key in keys {
        ctx.delete(&key);
        ctx.changed(&key, 1);
    }
    Ok(Reply::OK)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::engine::{Config, Engine, Mode, Session};

    #[test]
    fn a_log_deletes_slots() {
        let at = slot(b"{a}").to_string();
        for line in [
            format!("SFLUSH {at} {at} SYNC"),
            format!("TRIMSLOTS RANGES 1 {at} {at}"),
            format!("CLUSTER FLUSHSLOT {at}"),
        ] {
            let (mut engine, mut session) = (Engine::new(Config::default()), Session::new());
            let mut run = |engine: &mut Engine, line: &str| {
                let argv: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
                engine.execute(&mut session, &argv)
            };
            run(&mut engine, "MSET a 1 x{a} 2 b 3");
            assert_eq!(run(&mut engine, &line), Reply::OK, "{line}");
            assert_eq!(engine.keyspace(0).unwrap().len(), 1, "{line}");
            engine.set_mode(Mode::Serving);
            assert!(run(&mut engine, &line).is_error());
        }
    }
}
