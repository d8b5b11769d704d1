//! Sorted sets: taking members from the ends. What would block answers at once, as inside MULTI.

use crate::encoding::number::{MAX_I64_TEXT, i64_text};
use crate::engine::args::{self, Args};
use crate::engine::command::flag::{NOSCRIPT, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::reply::Reply;
use crate::value::{DataType, Zset};

/// All but the last argument.
const BUT_LAST: Keys = Keys::Range { first: 1, last: -2, step: 1 };

pub(super) const COMMANDS: &[Command] = &[
    cmd("zpopmin", -2, WRITE, Keys::ONE, Since::both(5, 0), zpopmin),
    cmd("zpopmax", -2, WRITE, Keys::ONE, Since::both(5, 0), zpopmax),
    cmd("zmpop", -4, WRITE, Keys::Counted { count: 1, more: &[] }, Since::both(7, 0), zmpop),
    cmd("bzpopmin", -3, WRITE | NOSCRIPT, BUT_LAST, Since::both(5, 0), bzpopmin),
    cmd("bzpopmax", -3, WRITE | NOSCRIPT, BUT_LAST, Since::both(5, 0), bzpopmax),
    cmd(
        "bzmpop",
        -5,
        WRITE | NOSCRIPT,
        Keys::Counted { count: 2, more: &[] },
        Since::both(7, 0),
        bzmpop,
    ),
];

/// The end to take from.
#[derive(Debug, Clone, Copy)]
enum End {
    Min,
    Max,
}

impl End {
    /// The command that does nothing else.
    fn command(self) -> &'static [u8] {
        match self {
            End::Min => b"ZPOPMIN",
            End::Max => b"ZPOPMAX",
        }
    }
}

/// Takes up to `count` members out.
fn pop(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    end: End,
    count: usize,
) -> Result<Vec<(Reply, Reply)>, Failure> {
    let Some(zset) = ctx.write::<Zset>(key)? else { return Ok(Vec::new()) };
    let (len, mut popped) = (zset.len(), Vec::new());
    let ranks = match end {
        End::Min => 0..count.min(len),
        End::Max => len - count.min(len)..len,
    };
    zset.visit(ranks.clone(), matches!(end, End::Max), |member, score| {
        popped.push((Reply::entry(member), score));
        true
    });
    zset.remove_ranks(ranks);
    if !popped.is_empty() {
        ctx.drop_if_empty(key);
        ctx.changed(key, popped.len());
    }
    Ok(popped.into_iter().map(|(member, score)| (member, ctx.score(score))).collect())
}

fn zpopmin(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    pop_one_key(ctx, argv, End::Min)
}

fn zpopmax(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    pop_one_key(ctx, argv, End::Max)
}

/// `ZPOPMIN key [count]`
fn pop_one_key(ctx: &mut Ctx<'_>, argv: &[&[u8]], end: End) -> Outcome {
    match argv.get(2..).unwrap_or_default() {
        [] => {
            let one = pop(ctx, argv[1], end, 1)?;
            Ok(Reply::Array(one.into_iter().flat_map(|(member, score)| [member, score]).collect()))
        }
        [count] => {
            let count = args::count(count)?;
            pop(ctx, argv[1], end, count).map(Reply::Pairs)
        }
        _ => Err(Failure::SYNTAX),
    }
}

/// The first of these keys that holds a sorted set.
fn first_key<'a>(ctx: &mut Ctx<'_>, keys: &[&'a [u8]]) -> Result<Option<&'a [u8]>, Failure> {
    for key in keys {
        if ctx.read::<Zset>(key)?.is_some() {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

fn bzpopmin(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    pop_or_nothing(ctx, argv, End::Min)
}

fn bzpopmax(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    pop_or_nothing(ctx, argv, End::Max)
}

/// BZPOPMIN key … timeout
fn pop_or_nothing(ctx: &mut Ctx<'_>, argv: &[&[u8]], end: End) -> Outcome {
    let (timeout, keys) = argv[1..].split_last().ok_or(Failure::SYNTAX)?;
    args::timeout(timeout, ctx.release())?;
    let Some(key) = first_key(ctx, keys)? else { return Ok(Reply::NilArray) };
    let popped = pop(ctx, key, end, 1)?;
    ctx.log_as(&[end.command(), key]);
    let members = popped.into_iter().flat_map(|(member, score)| [member, score]);
    Ok(Reply::Array(std::iter::once(Reply::bulk(key)).chain(members).collect()))
}

fn zmpop(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    pop_of_many(ctx, argv, 1, None)
}

fn bzmpop(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    pop_of_many(ctx, argv, 2, Some(argv[1]))
}

/// `[timeout] numkeys key … MIN|MAX [COUNT count]`
fn pop_of_many(ctx: &mut Ctx<'_>, argv: &[&[u8]], first: usize, timeout: Option<&[u8]>) -> Outcome {
    let positive = |arg: &[u8], text: &str| {
        let number = args::int_in(arg, 1, i64::MAX).ok().and_then(|n| usize::try_from(n).ok());
        number.ok_or_else(|| Failure::new(text))
    };
    let numkeys = positive(argv[first], "ERR numkeys should be greater than 0")?;
    let mut args = Args::from(argv, first + 1);
    let keys = args.several(numkeys)?;
    let end = match args.value()? {
        word if args::is(word, "min") => End::Min,
        word if args::is(word, "max") => End::Max,
        _ => return Err(Failure::SYNTAX),
    };
    let mut count = None;
    while let Some(word) = args.next() {
        if count.is_some() || !args::is(word, "count") {
            return Err(Failure::SYNTAX);
        }
        count = Some(positive(args.value()?, "ERR count should be greater than 0")?);
    }
    timeout.map(|timeout| args::timeout(timeout, ctx.release())).transpose()?;
    let Some(key) = first_key(ctx, keys)? else { return Ok(Reply::NilArray) };
    let popped = pop(ctx, key, end, count.unwrap_or(1))?;
    let mut buffer = [0; MAX_I64_TEXT];
    ctx.log_as(&[end.command(), key, i64_text(popped.len() as i64, &mut buffer)]);
    let popped = popped.into_iter().map(|(member, score)| Reply::Array(vec![member, score]));
    Ok(Reply::Array(vec![Reply::bulk(key), Reply::Array(popped.collect())]))
}
