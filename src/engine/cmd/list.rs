//! Lists. What blocks a client is in `blocking`.

use crate::encoding::Entry;
use crate::encoding::number::{MAX_I64_TEXT, i64_text};
use crate::engine::args::{self, Args};
use crate::engine::command::flag::{DENYOOM, OPTIONS, READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::reply::Reply;
use crate::value::{DataType, End, List};

pub(super) const COMMANDS: &[Command] = &[
    cmd("lpush", -3, WRITE | DENYOOM, Keys::ONE, Since::both(1, 0), lpush),
    cmd("rpush", -3, WRITE | DENYOOM, Keys::ONE, Since::both(1, 0), rpush),
    cmd("lpushx", -3, WRITE | DENYOOM, Keys::ONE, Since::both(2, 2), lpushx),
    cmd("rpushx", -3, WRITE | DENYOOM, Keys::ONE, Since::both(2, 2), rpushx),
    cmd("lpop", -2, WRITE | OPTIONS, Keys::ONE, Since::both(1, 0), lpop),
    cmd("rpop", -2, WRITE | OPTIONS, Keys::ONE, Since::both(1, 0), rpop),
    cmd("llen", 2, READONLY, Keys::ONE, Since::both(1, 0), llen),
    cmd("lrange", 4, READONLY, Keys::ONE, Since::both(1, 0), lrange),
    cmd("lindex", 3, READONLY, Keys::ONE, Since::both(1, 0), lindex),
    cmd("lpos", -3, READONLY, Keys::ONE, Since::both(6, 0), lpos),
    cmd("lset", 4, WRITE | DENYOOM, Keys::ONE, Since::both(1, 0), lset),
    cmd("linsert", 5, WRITE | DENYOOM, Keys::ONE, Since::both(2, 2), linsert),
    cmd("lrem", 4, WRITE, Keys::ONE, Since::both(1, 0), lrem),
    cmd("ltrim", 4, WRITE, Keys::ONE, Since::both(1, 0), ltrim),
    cmd("rpoplpush", 3, WRITE | DENYOOM, Keys::TWO, Since::both(1, 2), rpoplpush),
    cmd("lmove", 5, WRITE | DENYOOM, Keys::TWO, Since::both(6, 2), lmove),
    cmd("lmpop", -4, WRITE, Keys::Counted { count: 1, more: &[] }, Since::both(7, 0), lmpop),
];

fn lpush(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    push(ctx, argv, End::Front)
}

fn rpush(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    push(ctx, argv, End::Back)
}

fn lpushx(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    if ctx.exists(argv[1]) { push(ctx, argv, End::Front) } else { Ok(Reply::Int(0)) }
}

fn rpushx(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    if ctx.exists(argv[1]) { push(ctx, argv, End::Back) } else { Ok(Reply::Int(0)) }
}

fn push(ctx: &mut Ctx<'_>, argv: &[&[u8]], end: End) -> Outcome {
    let (key, texts, limits) = (argv[1], &argv[2..], ctx.limits());
    let list = ctx.write_or_create::<List>(key)?;
    list.push_all(end, texts, &limits);
    let len = list.len();
    ctx.changed(key, texts.len());
    Ok(Reply::count(len))
}

fn lpop(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    pop(ctx, argv, End::Front)
}

fn rpop(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    pop(ctx, argv, End::Back)
}

/// `LPOP key [count]`
fn pop(ctx: &mut Ctx<'_>, argv: &[&[u8]], end: End) -> Outcome {
    let count = match argv.get(2..).unwrap_or_default() {
        [] => None,
        [count] => Some(args::count(count)?),
        _ => return Err(Failure::arity(ctx.command.name)),
    };
    let popped = take(ctx, argv[1], end, count.unwrap_or(1))?;
    Ok(match (count, popped) {
        (None, popped) => popped.into_iter().flatten().next().map_or(Reply::Nil, Reply::Bulk),
        (Some(_), None) => Reply::NilArray,
        (Some(_), Some(popped)) => bulks(popped),
    })
}

fn bulks(texts: Vec<Vec<u8>>) -> Reply {
    Reply::Array(texts.into_iter().map(Reply::Bulk).collect())
}

/// Takes up to `count` elements out at an end of a list; `None` if there is no such key.
pub(super) fn take(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    end: End,
    count: usize,
) -> Result<Option<Vec<Vec<u8>>>, Failure> {
    let limits = ctx.limits();
    let Some(list) = ctx.write::<List>(key)? else { return Ok(None) };
    let popped = list.pop(end, count, &limits);
    if !popped.is_empty() {
        ctx.changed(key, popped.len());
        ctx.drop_if_empty(key);
    }
    Ok(Some(popped))
}

fn llen(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    Ok(Reply::count(ctx.read::<List>(argv[1])?.map_or(0, List::len)))
}

fn bulk(entry: Entry<'_>) -> Reply {
    Reply::bulk(entry.text(&mut [0; MAX_I64_TEXT]))
}

fn lrange(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (start, end) = (args::int(argv[2])?, args::int(argv[3])?);
    let list = ctx.read::<List>(argv[1])?;
    let found = list.and_then(|list| {
        let range = args::range(start, end, list.len())?;
        Some(list.iter_from(range.start, End::Back).take(range.len()).map(bulk).collect())
    });
    Ok(Reply::Array(found.unwrap_or_default()))
}

/// The element that `index` (negative: from the tail) means in a list of `len`.
fn element(index: i64, len: usize) -> Option<usize> {
    match usize::try_from(index) {
        Ok(index) => Some(index),
        Err(_) => len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}

fn lindex(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let Some(list) = ctx.read::<List>(argv[1])? else { return Ok(Reply::Nil) };
    let index = element(args::int(argv[2])?, list.len());
    Ok(index.and_then(|index| list.get(index)).map_or(Reply::Nil, bulk))
}

/// `LPOS key element [RANK rank] [COUNT matches] [MAXLEN len]`
fn lpos(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (mut rank, mut count, mut max_len) = (1, None, 0);
    let mut args = Args::from(argv, 3);
    while let Some(word) = args.next() {
        if args::is(word, "rank") {
            rank = int_but_least(ctx, args.value()?)?;
            if rank == 0 {
                return Err(Failure::new(RANK_ZERO));
            }
        } else if args::is(word, "count") {
            count = Some(not_negative(args.value()?, "COUNT")?);
        } else if args::is(word, "maxlen") {
            max_len = not_negative(args.value()?, "MAXLEN")?;
        } else {
            return Err(Failure::SYNTAX);
        }
    }
    let found = match ctx.read::<List>(argv[1])? {
        None => Vec::new(),
        Some(list) => {
            let (len, max_len) = (list.len(), if max_len == 0 { usize::MAX } else { max_len });
            let (first, towards) = match rank < 0 {
                true => (len.saturating_sub(1), End::Front),
                false => (0, End::Back),
            };
            let is_wanted = Entry::matcher(argv[2]);
            let (skip, count) = match rank.checked_abs() {
                Some(rank) => (usize::try_from(rank - 1).unwrap_or(usize::MAX), count),
                // Servers that let this pass overflow, and skip nothing and stop nowhere.
                None => (0, count.map(|_| 0)),
            };
            let most = count.map_or(1, |count| if count == 0 { usize::MAX } else { count });
            let looked_at = list.iter_from(first, towards).enumerate().take(max_len);
            let matches = looked_at.filter(|(_, entry)| is_wanted(entry)).skip(skip).take(most);
            matches.map(|(at, _)| if rank < 0 { len - 1 - at } else { at }).collect()
        }
    };
    let mut found = found.into_iter().map(Reply::count);
    Ok(match count {
        None => found.next().unwrap_or(Reply::Nil),
        Some(_) => Reply::Array(found.collect()),
    })
}

const RANK_ZERO: &str = "ERR RANK can't be zero: use 1 to start from the first match, 2 from the \
                         second ... or use negative to start from the end of the list";

fn not_negative(arg: &[u8], name: &str) -> Result<usize, Failure> {
    args::count(arg).map_err(|_| Failure::new(format!("ERR {name} can't be negative")))
}

/// A number whose opposite is one too; before 7.2, any number.
fn int_but_least(ctx: &Ctx<'_>, arg: &[u8]) -> Result<i64, Failure> {
    match ctx.engine.config().release.has_redis(7, 2) {
        true => args::int_in(arg, -i64::MAX, i64::MAX),
        false => args::int(arg),
    }
}

fn lset(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (key, limits) = (argv[1], ctx.limits());
    let short = ctx.engine.config().release.has_redis(7, 2);
    let list = ctx.write::<List>(key)?.ok_or(Failure::NO_KEY)?;
    let index = args::int(argv[2])?;
    // Since 7.2 servers keep 32 bits of it, whatever comes of that.
    let index = element(if short { (index as i32).into() } else { index }, list.len());
    if !list.set(index.unwrap_or(usize::MAX), argv[3], &limits) {
        return Err(Failure::INDEX_RANGE);
    }
    ctx.changed(key, 1);
    Ok(Reply::OK)
}

/// LINSERT key BEFORE|AFTER pivot element
fn linsert(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (key, limits) = (argv[1], ctx.limits());
    let side = match argv[2] {
        word if args::is(word, "before") => End::Front,
        word if args::is(word, "after") => End::Back,
        _ => return Err(Failure::SYNTAX),
    };
    let Some(list) = ctx.write::<List>(key)? else { return Ok(Reply::Int(0)) };
    if !list.insert(argv[3], side, argv[4], &limits) {
        return Ok(Reply::Int(-1));
    }
    let len = list.len();
    ctx.changed(key, 1);
    Ok(Reply::count(len))
}

/// LREM key count element: from the head, or from the tail if negative; all of them if 0.
fn lrem(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (key, limits) = (argv[1], ctx.limits());
    let count = int_but_least(ctx, argv[2])?;
    let from = if count < 0 { End::Back } else { End::Front };
    let most = match count {
        0 => usize::MAX,
        _ => usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX),
    };
    let Some(list) = ctx.write::<List>(key)? else { return Ok(Reply::Int(0)) };
    let gone = list.remove(argv[3], most, from, &limits);
    if gone > 0 {
        ctx.changed(key, gone);
        ctx.drop_if_empty(key);
    }
    Ok(Reply::count(gone))
}

fn ltrim(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (key, limits) = (argv[1], ctx.limits());
    let (start, end) = (args::int(argv[2])?, args::int(argv[3])?);
    let Some(list) = ctx.write::<List>(key)? else { return Ok(Reply::OK) };
    let range = args::range(start, end, list.len()).unwrap_or_default();
    let gone = list.trim(range, &limits);
    ctx.changed(key, gone);
    ctx.drop_if_empty(key);
    Ok(Reply::OK)
}

fn rpoplpush(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    Ok(move_element(ctx, argv[1], argv[2], End::Back, End::Front)?.unwrap_or(Reply::Nil))
}

/// LMOVE source destination LEFT|RIGHT LEFT|RIGHT
fn lmove(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (from, to) = (end_of(argv[3])?, end_of(argv[4])?);
    Ok(move_element(ctx, argv[1], argv[2], from, to)?.unwrap_or(Reply::Nil))
}

/// LEFT or RIGHT.
pub(super) fn end_of(arg: &[u8]) -> Result<End, Failure> {
    match arg {
        word if args::is(word, "left") => Ok(End::Front),
        word if args::is(word, "right") => Ok(End::Back),
        _ => Err(Failure::SYNTAX),
    }
}

/// Moves an element from an end of one list to an end of another, which may be the same. `None` if there
/// is nothing to move.
pub(super) fn move_element(
    ctx: &mut Ctx<'_>,
    source: &[u8],
    target: &[u8],
    from: End,
    to: End,
) -> Result<Option<Reply>, Failure> {
    if ctx.read::<List>(source)?.is_none() {
        return Ok(None);
    }
    ctx.read::<List>(target)?;
    let limits = ctx.limits();
    let popped = ctx.write::<List>(source)?.and_then(|list| list.pop_one(from));
    let Some(text) = popped else { return Ok(None) };
    ctx.write_or_create::<List>(target)?.push(to, &text, &limits);
    if let Some(list) = ctx.write::<List>(source)? {
        list.settle(&limits);
    }
    ctx.changed(target, 1);
    ctx.changed(source, 0);
    ctx.drop_if_empty(source);
    Ok(Some(Reply::Bulk(text)))
}

fn lmpop(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let wanted = MultiPop::parse(argv, 1)?;
    wanted.run(ctx)
}

/// `numkeys key … LEFT|RIGHT [COUNT count]`
#[derive(Debug)]
pub(super) struct MultiPop<'a> {
    keys: &'a [&'a [u8]],
    end: End,
    count: usize,
}

impl<'a> MultiPop<'a> {
    /// The arguments from the number of keys, at `first`, on.
    pub(super) fn parse(argv: &'a [&'a [u8]], first: usize) -> Result<MultiPop<'a>, Failure> {
        let mut args = Args::from(argv, first);
        let keys = positive(args.value()?, "numkeys")?;
        let keys = args.several(keys)?;
        let end = end_of(args.value()?)?;
        let mut count = None;
        while let Some(word) = args.next() {
            if count.is_some() || !args::is(word, "count") {
                return Err(Failure::SYNTAX);
            }
            count = Some(positive(args.value()?, "count")?);
        }
        Ok(MultiPop { keys, end, count: count.unwrap_or(1) })
    }

    /// Pops from the first list there is.
    pub(super) fn run(&self, ctx: &mut Ctx<'_>) -> Outcome {
        for key in self.keys {
            if let Some(popped) = take(ctx, key, self.end, self.count)? {
                log_pop(ctx, key, self.end, Some(popped.len()));
                return Ok(Reply::Array(vec![Reply::bulk(key), bulks(popped)]));
            }
        }
        Ok(Reply::NilArray)
    }
}

/// Logs a pop in the form that everyone knows.
pub(super) fn log_pop(ctx: &mut Ctx<'_>, key: &[u8], end: End, count: Option<usize>) {
    if ctx.logs() {
        let mut buffer = [0; MAX_I64_TEXT];
        let count = count.map(|count| i64_text(i64::try_from(count).unwrap_or(0), &mut buffer));
        let mut logged = vec![if end == End::Front { &b"LPOP"[..] } else { b"RPOP" }, key];
        logged.extend(count);
        ctx.log_as(&logged);
    }
}

/// A number that must be greater than 0; `name` is what the error calls it.
pub(super) fn positive(arg: &[u8], name: &str) -> Result<usize, Failure> {
    let number = args::int(arg).ok().filter(|number| *number > 0);
    let number = number.and_then(|number| usize::try_from(number).ok());
    number.ok_or_else(|| Failure::new(format!("ERR {name} should be greater than 0")))
}
