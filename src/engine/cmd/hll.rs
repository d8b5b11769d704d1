//! HyperLogLogs, which are strings to every other command.

use crate::engine::command::flag::{DENYOOM, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::reply::Reply;
use crate::value::{Str, hll};

pub(super) const COMMANDS: &[Command] = &[
    cmd("pfadd", -2, WRITE | DENYOOM, Keys::ONE, Since::both(2, 8), pfadd),
    // A write only in that it notes the cardinality in the value; that is logged all the same.
    cmd("pfcount", -2, WRITE, Keys::ALL, Since::both(2, 8), pfcount),
    cmd("pfmerge", -2, WRITE | DENYOOM, Keys::ALL, Since::both(2, 8), pfmerge),
    cmd("pfdebug", 3, WRITE | DENYOOM, DEBUG_KEY, Since::both(2, 8), pfdebug),
];

const DEBUG_KEY: Keys = Keys::Range { first: 2, last: 2, step: 1 };

impl From<hll::Corrupt> for Failure {
    #[cold]
    fn from(_: hll::Corrupt) -> Failure {
        Failure::new("INVALIDOBJ Corrupted HLL object detected")
    }
}

/// The text of a key, which must look like a HyperLogLog.
fn read<'a>(ctx: &'a mut Ctx<'_>, key: &[u8]) -> Result<Option<&'a Str>, Failure> {
    let value = ctx.read::<Str>(key)?;
    match value {
        // What is kept as a number is none, and its text is too short anyway.
        Some(text) if !hll::is_valid(&text.bytes()) => {
            Err(Failure::new("WRONGTYPE Key is not a valid HyperLogLog string value."))
        }
        value => Ok(value),
    }
}

/// Changes the text of a key that is there.
fn edit<R>(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    change: impl FnOnce(&mut Vec<u8>) -> Result<R, hll::Corrupt>,
) -> Result<R, Failure> {
    let text = ctx.write::<Str>(key)?.ok_or(Failure::NO_KEY)?;
    Ok(text.edit(change)?)
}

/// Makes an empty one if there is none. Was there?
fn create(ctx: &mut Ctx<'_>, key: &[u8]) -> Result<bool, Failure> {
    let held = read(ctx, key)?.is_some();
    if !held {
        ctx.set(key, Str::raw(hll::empty()));
    }
    Ok(held)
}

fn pfadd(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (key, max_sparse) = (argv[1], ctx.limits().hll_sparse);
    let mut updated = usize::from(!create(ctx, key)?);
    edit(ctx, key, |text| {
        for element in argv.iter().skip(2) {
            updated += usize::from(hll::add(text, element, max_sparse)?);
        }
        if updated > 0 {
            hll::invalidate(text);
        }
        Ok(())
    })?;
    if updated > 0 {
        ctx.changed(key, updated);
    }
    Ok(Reply::flag(updated > 0))
}

fn pfcount(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let key = argv[1];
    if argv.len() > 2 {
        let (registers, _) = merged(ctx, &argv[1..])?;
        return Ok(count(hll::estimate(&registers)));
    }
    if read(ctx, key)?.is_none() {
        return Ok(Reply::Int(0));
    }
    let (number, fresh) = edit(ctx, key, |text| match hll::cached(text) {
        Some(number) => Ok((number, false)),
        None => {
            let number = hll::count(text)?;
            hll::set_cached(text, number);
            Ok((number, true))
        }
    })?;
    if fresh {
        ctx.changed(key, 1);
    }
    Ok(count(number))
}

fn count(number: u64) -> Reply {
    Reply::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// The highest of each register in all of these, and whether one of them is dense.
fn merged(ctx: &mut Ctx<'_>, keys: &[&[u8]]) -> Result<(Box<[u8; hll::REGISTERS]>, bool), Failure> {
    let (mut registers, mut dense) = (Box::new([0; hll::REGISTERS]), false);
    for key in keys {
        if let Some(text) = read(ctx, key)? {
            let text = text.bytes();
            dense |= !hll::is_sparse(&text);
            hll::merge(&mut registers, &text)?;
        }
    }
    Ok((registers, dense))
}

/// PFMERGE destination [source …]
fn pfmerge(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (target, max_sparse) = (argv[1], ctx.limits().hll_sparse);
    let (registers, mut dense) = merged(ctx, &argv[1..])?;
    // Before Redis 4.0 what was merged was always dense.
    dense |= !ctx.release().has_redis(4, 0);
    create(ctx, target)?;
    edit(ctx, target, |text| {
        if dense {
            hll::make_dense(text)?;
        }
        for (index, value) in registers.iter().enumerate().filter(|(_, value)| **value > 0) {
            hll::raise(text, index, *value, max_sparse)?;
        }
        hll::invalidate(text);
        Ok(())
    })?;
    ctx.changed(target, 1);
    Ok(Reply::OK)
}

/// PFDEBUG GETREG|DECODE|ENCODING|TODENSE key
fn pfdebug(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (name, key) = (argv[1], argv[2]);
    let Some(text) = read(ctx, key)?.map(|text| text.bytes().into_owned()) else {
        return Err(Failure::new("ERR The specified key does not exist"));
    };
    match name.to_ascii_lowercase().as_slice() {
        b"getreg" => {
            make_dense(ctx, key)?;
            let registers = hll::registers(&text)?;
            Ok(Reply::Array(registers.iter().map(|value| Reply::Int((*value).into())).collect()))
        }
        b"todense" => Ok(Reply::flag(make_dense(ctx, key)?)),
        b"decode" => decode(&text),
        b"encoding" => Ok(Reply::Simple(if hll::is_sparse(&text) { "sparse" } else { "dense" })),
        _ => Err(Failure::new([b"ERR Unknown PFDEBUG subcommand '", name, b"'"].concat())),
    }
}

fn make_dense(ctx: &mut Ctx<'_>, key: &[u8]) -> Result<bool, Failure> {
    let changed = edit(ctx, key, hll::make_dense)?;
    if changed {
        ctx.changed(key, 1);
    }
    Ok(changed)
}

/// The runs of a sparse one in the servers' letters: `z:` and `Z:` for zeros, `v:` for a value.
fn decode(text: &[u8]) -> Outcome {
    if !hll::is_sparse(text) {
        return Err(Failure::new("ERR HLL encoding is not sparse"));
    }
    let words = hll::instructions(text).map(|hll::Run { value, len, width }| match value {
        0 if width == 2 => format!("Z:{len}"),
        0 => format!("z:{len}"),
        _ => format!("v:{value},{len}"),
    });
    Ok(Reply::bulk(words.collect::<Vec<_>>().join(" ")))
}
