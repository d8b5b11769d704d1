//! EVAL and its kin. Functions are kept, but not run ([`super::function`]).

use crate::engine::args;
use crate::engine::command::flag::{NOSCRIPT, READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd, container};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::reply::Reply;
use crate::engine::script::{self, Script};

const KEYS: Keys = Keys::Counted { count: 2, more: &[] };
const S26: Since = Since::both(2, 6);
const S70: Since = Since::both(7, 0);

pub(super) const COMMANDS: &[Command] = &[
    cmd("eval", -3, WRITE | NOSCRIPT, KEYS, S26, eval),
    cmd("evalsha", -3, WRITE | NOSCRIPT, KEYS, S26, evalsha),
    cmd("eval_ro", -3, READONLY | NOSCRIPT, KEYS, S70, eval),
    cmd("evalsha_ro", -3, READONLY | NOSCRIPT, KEYS, S70, evalsha),
    cmd("fcall", -3, WRITE | NOSCRIPT, KEYS, S70, fcall),
    cmd("fcall_ro", -3, READONLY | NOSCRIPT, KEYS, S70, fcall),
    container("script", S26, SCRIPT),
];

const SCRIPT: &[Command] = &[
    cmd("script|load", 3, NOSCRIPT, Keys::None, S26, load),
    cmd("script|exists", -3, NOSCRIPT, Keys::None, S26, exists),
    cmd("script|flush", -2, NOSCRIPT, Keys::None, S26, flush),
    cmd("script|kill", 2, NOSCRIPT, Keys::None, S26, kill),
];

fn eval(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    run(ctx, argv, None)
}

fn evalsha(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let code = ctx.engine.scripts.get(argv[1]).map(<[u8]>::to_vec);
    let code = code.ok_or_else(|| Failure::new("NOSCRIPT No matching script. Please use EVAL."))?;
    run(ctx, argv, Some(&code))
}

/// `EVAL code count key … argument …`
fn run(ctx: &mut Ctx<'_>, argv: &[&[u8]], known: Option<&[u8]>) -> Outcome {
    let count = usize::try_from(args::int(argv[2])?)
        .map_err(|_| Failure::new("ERR Number of keys can't be negative"))?;
    let (keys, rest) = argv
        .get(3..)
        .and_then(|rest| rest.split_at_checked(count))
        .ok_or_else(|| Failure::new("ERR Number of keys can't be greater than number of args"))?;
    let code = known.unwrap_or(argv[1]);
    let read_only = ctx.command.is(READONLY);
    let result = script::run(ctx, Script { code, keys, args: rest, read_only });
    if known.is_none() {
        ctx.check_memory(code.len())?;
        ctx.engine.scripts.add(code);
    }
    // What it did is logged, not that it was asked to.
    ctx.log_nothing();
    result
}

fn fcall(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    match ctx.engine.functions().next() {
        None => Err(Failure::new("ERR Function not found")),
        Some(_) => Err(Failure::unsupported("functions")),
    }
}

fn load(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    ctx.check_memory(argv[2].len())?;
    script::check(argv[2])?;
    Ok(Reply::bulk(ctx.engine.scripts.add(argv[2])))
}

fn exists(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let known = |name: &&[u8]| Reply::flag(ctx.engine.scripts.get(name).is_some());
    Ok(Reply::Array(argv.iter().skip(2).map(known).collect()))
}

/// `SCRIPT FLUSH [ASYNC | SYNC]`
fn flush(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    match argv.get(2..).unwrap_or_default() {
        [] => {}
        [mode] if args::is(mode, "async") || args::is(mode, "sync") => {}
        _ => return Err(Failure::new("ERR SCRIPT FLUSH only support SYNC|ASYNC option")),
    }
    ctx.engine.scripts.clear();
    Ok(Reply::OK)
}

fn kill(_: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    Err(Failure::new("NOTBUSY No scripts in execution right now."))
}
