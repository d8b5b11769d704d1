//! Arrays (Redis 8.8). What the propagation records do not show (replies, errors) follows the published
//! source of the release. Left out: ARGREP, AROP and ARINFO, which no file contains.

use crate::engine::args;
use crate::engine::command::flag::{DENYOOM, READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::reply::Reply;
use crate::value::Array;
use crate::value::array::MAX_INDEX;
use crate::value::stream::parse_u64;

const S: Since = Since::redis(8, 8);

pub(super) const COMMANDS: &[Command] = &[
    cmd("arset", -4, WRITE | DENYOOM, Keys::ONE, S, arset),
    cmd("armset", -4, WRITE | DENYOOM, Keys::ONE, S, armset),
    cmd("arinsert", -3, WRITE | DENYOOM, Keys::ONE, S, arinsert),
    cmd("arring", -4, WRITE | DENYOOM, Keys::ONE, S, arring),
    cmd("arseek", 3, WRITE, Keys::ONE, S, arseek),
    cmd("ardel", -3, WRITE, Keys::ONE, S, ardel),
    cmd("ardelrange", -4, WRITE, Keys::ONE, S, ardelrange),
    cmd("arget", 3, READONLY, Keys::ONE, S, arget),
    cmd("armget", -3, READONLY, Keys::ONE, S, armget),
    cmd("argetrange", 4, READONLY, Keys::ONE, S, argetrange),
    cmd("arscan", -4, READONLY, Keys::ONE, S, arscan),
    cmd("arlen", 2, READONLY, Keys::ONE, S, arlen),
    cmd("arcount", 2, READONLY, Keys::ONE, S, arcount),
    cmd("arnext", 2, READONLY, Keys::ONE, S, arnext),
    cmd("arlastitems", -3, READONLY, Keys::ONE, S, arlastitems),
];

/// Cells that one reply may show, empty ones counted.
const MAX_SHOWN: u64 = 1_000_000;

fn index(arg: &[u8]) -> Result<u64, Failure> {
    let index = parse_u64(arg).filter(|index| *index <= MAX_INDEX);
    index.ok_or_else(|| Failure::new("ERR invalid array index"))
}

fn int(number: u64) -> Reply {
    match i64::try_from(number) {
        Ok(number) => Reply::Int(number),
        // An integer of the protocol ends there.
        Err(_) => Reply::bulk(number.to_string()),
    }
}

fn cell(text: Option<&[u8]>) -> Reply {
    text.map_or(Reply::Nil, Reply::bulk)
}

/// The index of the last of `count` cells from `first` on.
fn last(first: u64, count: usize, error: &'static str) -> Result<u64, Failure> {
    let last = first.checked_add((count as u64).saturating_sub(1));
    last.filter(|last| *last <= MAX_INDEX).ok_or_else(|| Failure::new(error))
}

/// ARSET key index value …
fn arset(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (first, values) = (index(argv[2])?, &argv[3..]);
    last(first, values.len(), "ERR array index overflow")?;
    let array = ctx.write_or_create::<Array>(argv[1])?;
    let new = (first..).zip(values).filter(|(index, value)| array.set(*index, value)).count();
    ctx.changed(argv[1], values.len());
    Ok(Reply::count(new))
}

/// ARMSET key index value …
fn armset(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let pairs = argv[2..].chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(Failure::arity("armset"));
    }
    let pairs: Vec<(u64, &[u8])> =
        pairs.map(|pair| Ok((index(pair[0])?, pair[1]))).collect::<Result<_, Failure>>()?;
    let array = ctx.write_or_create::<Array>(argv[1])?;
    let new = pairs.iter().filter(|(index, value)| array.set(*index, value)).count();
    ctx.changed(argv[1], pairs.len());
    Ok(Reply::count(new))
}

/// ARINSERT key value …
fn arinsert(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let values = &argv[2..];
    let at = ctx.read::<Array>(argv[1])?.and_then(|array| array.insert_index);
    let first = at.map_or(0, |at| at.saturating_add(1));
    let end = last(first, values.len(), "ERR insert index overflow")?;
    let array = ctx.write_or_create::<Array>(argv[1])?;
    (first..).zip(values).for_each(|(index, value)| {
        array.set(index, value);
    });
    array.insert_index = Some(end);
    ctx.changed(argv[1], values.len());
    Ok(int(end))
}

/// ARRING key size value …
fn arring(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let size = args::int(argv[2]).map_err(|_| Failure::new("ERR invalid size"))?;
    let size = u64::try_from(size).ok().filter(|size| *size > 0);
    let size = size.ok_or_else(|| Failure::new("ERR size must be positive"))?;
    let values = &argv[3..];
    let last = ctx.write_or_create::<Array>(argv[1])?.write_ring(size, values);
    ctx.changed(argv[1], values.len());
    Ok(int(last))
}

/// ARSEEK key index
fn arseek(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let index = parse_u64(argv[2]).ok_or_else(|| Failure::new("ERR invalid array index"))?;
    let Some(array) = ctx.write::<Array>(argv[1])? else { return Ok(Reply::Int(0)) };
    array.insert_index = index.checked_sub(1);
    ctx.changed(argv[1], 1);
    Ok(Reply::Int(1))
}

/// ARDEL key index …
fn ardel(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let indexes: Vec<u64> = argv[2..].iter().map(|arg| index(arg)).collect::<Result<_, _>>()?;
    let Some(array) = ctx.write::<Array>(argv[1])? else { return Ok(Reply::Int(0)) };
    let gone = indexes.iter().filter(|index| array.remove(**index)).count();
    deleted(ctx, argv[1], gone)
}

/// ARDELRANGE key start end …
fn ardelrange(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let pairs = argv[2..].chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(Failure::arity("ardelrange"));
    }
    let ranges: Vec<(u64, u64)> =
        pairs.map(|pair| Ok((index(pair[0])?, index(pair[1])?))).collect::<Result<_, Failure>>()?;
    let Some(array) = ctx.write::<Array>(argv[1])? else { return Ok(Reply::Int(0)) };
    let gone = ranges.iter().map(|(a, b)| array.remove_range(*a.min(b), *a.max(b))).sum();
    deleted(ctx, argv[1], gone)
}

fn deleted(ctx: &mut Ctx<'_>, key: &[u8], gone: usize) -> Outcome {
    if gone > 0 {
        ctx.drop_if_empty(key);
        ctx.changed(key, gone);
    }
    Ok(Reply::count(gone))
}

fn arget(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let array = ctx.read::<Array>(argv[1])?;
    let index = index(argv[2])?;
    Ok(cell(array.and_then(|array| array.get(index))))
}

fn armget(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let array = ctx.read::<Array>(argv[1])?;
    let indexes: Vec<u64> = argv[2..].iter().map(|arg| index(arg)).collect::<Result<_, _>>()?;
    let cells = indexes.iter().map(|index| cell(array.and_then(|array| array.get(*index))));
    Ok(Reply::Array(cells.collect()))
}

/// ARGETRANGE key start end: backwards if start is behind end.
fn argetrange(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (start, end) = (index(argv[2])?, index(argv[3])?);
    let array = ctx.read::<Array>(argv[1])?;
    let (low, high) = (start.min(end), start.max(end));
    if high - low >= MAX_SHOWN {
        let text = format!("ERR range exceeds maximum of {MAX_SHOWN} items");
        return Err(Failure::new(text));
    }
    let get = |index| cell(array.and_then(|array| array.get(index)));
    Ok(Reply::Array(match start > end {
        false => (low..=high).map(get).collect(),
        true => (low..=high).rev().map(get).collect(),
    }))
}

/// `ARSCAN key start end [LIMIT n]`: the cells that hold something.
fn arscan(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (start, end) = (index(argv[2])?, index(argv[3])?);
    let limit = match argv.get(4..).unwrap_or_default() {
        [] => usize::MAX,
        [word, limit] => {
            if !args::is(word, "limit") {
                return Err(Failure::SYNTAX);
            }
            let limit = args::int(limit)?;
            let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0);
            limit.ok_or_else(|| Failure::new("ERR LIMIT must be positive"))?
        }
        _ => return Err(Failure::arity("arscan")),
    };
    let Some(array) = ctx.read::<Array>(argv[1])? else { return Ok(Reply::Array(Vec::new())) };
    let pair = |(index, text): (u64, &[u8])| Reply::Array(vec![int(index), Reply::bulk(text)]);
    Ok(Reply::Array(match start > end {
        false => array.range(start, end).take(limit).map(pair).collect(),
        true => array.range(end, start).rev().take(limit).map(pair).collect(),
    }))
}

fn arlen(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    Ok(int(ctx.read::<Array>(argv[1])?.map_or(0, Array::span)))
}

fn arcount(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    Ok(Reply::count(ctx.read::<Array>(argv[1])?.map_or(0, Array::count)))
}

/// ARNEXT key: the index that ARINSERT comes to next.
fn arnext(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let last = ctx.read::<Array>(argv[1])?.and_then(|array| array.insert_index);
    Ok(match last {
        None => Reply::Int(0),
        Some(last) if last >= MAX_INDEX => Reply::Nil,
        Some(last) => int(last + 1),
    })
}

/// `ARLASTITEMS key count [REV]`: what the cursor went over last, oldest first.
fn arlastitems(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let count = args::int(argv[2]).map_err(|_| Failure::new("ERR invalid COUNT"))?;
    let Some(count) = u64::try_from(count).ok().filter(|count| *count > 0) else {
        return Ok(Reply::Array(Vec::new()));
    };
    let newest_first = match argv.get(3..).unwrap_or_default() {
        [] => false,
        [word] if args::is(word, "rev") => true,
        [_] => return Err(Failure::SYNTAX),
        _ => return Err(Failure::arity("arlastitems")),
    };
    let Some(array) = ctx.read::<Array>(argv[1])? else { return Ok(Reply::Array(Vec::new())) };
    let span = array.span();
    let count = count.min(span);
    if count > array.count() as u64 && count > MAX_SHOWN {
        let text = format!("ERR count exceeds maximum of {MAX_SHOWN} items");
        return Err(Failure::new(text));
    }
    let Some(tail) = span.checked_sub(1) else { return Ok(Reply::Array(Vec::new())) };
    let mut at = array.insert_index.filter(|last| *last < span).unwrap_or(tail);
    let mut cells = Vec::new();
    for _ in 0..count {
        cells.push(cell(array.get(at)));
        at = at.checked_sub(1).unwrap_or(tail);
    }
    if !newest_first {
        cells.reverse();
    }
    Ok(Reply::Array(cells))
}
