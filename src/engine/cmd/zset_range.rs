//! Sorted sets: ranges by rank, by score and by member, to show, to count, to store and to remove.

use std::ops::Range;

use crate::encoding::Entry;
use crate::encoding::number::{MAX_I64_TEXT, parse_double};
use crate::engine::args::{self, Args};
use crate::engine::command::flag::{DENYOOM, READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome, c_text};
use crate::engine::release::Release;
use crate::engine::reply::Reply;
use crate::value::{DataType, Zset};

pub(super) const COMMANDS: &[Command] = &[
    cmd("zrange", -4, READONLY, Keys::ONE, Since::both(1, 2), zrange),
    cmd("zrevrange", -4, READONLY, Keys::ONE, Since::both(1, 2), zrevrange),
    cmd("zrangebyscore", -4, READONLY, Keys::ONE, Since::both(1, 2), zrangebyscore),
    cmd("zrevrangebyscore", -4, READONLY, Keys::ONE, Since::both(2, 2), zrevrangebyscore),
    cmd("zrangebylex", -4, READONLY, Keys::ONE, Since::both(2, 8), zrangebylex),
    cmd("zrevrangebylex", -4, READONLY, Keys::ONE, Since::both(2, 8), zrevrangebylex),
    cmd("zrangestore", -5, WRITE | DENYOOM, Keys::TWO, Since::both(6, 2), zrangestore),
    cmd("zcount", 4, READONLY, Keys::ONE, Since::both(2, 0), zcount),
    cmd("zlexcount", 4, READONLY, Keys::ONE, Since::both(2, 8), zlexcount),
    cmd("zremrangebyrank", 4, WRITE, Keys::ONE, Since::both(2, 0), zremrangebyrank),
    cmd("zremrangebyscore", 4, WRITE, Keys::ONE, Since::both(1, 2), zremrangebyscore),
    cmd("zremrangebylex", 4, WRITE, Keys::ONE, Since::both(2, 8), zremrangebylex),
];

/// What a range is a range of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

/// The lower and the upper end of a range.
#[derive(Debug, Clone, Copy)]
enum Bounds<'a> {
    Rank(i64, i64),
    Score(Bound<f64>, Bound<f64>),
    Lex(LexBound<'a>, LexBound<'a>),
}

#[derive(Debug, Clone, Copy)]
struct Bound<T> {
    value: T,
    open: bool,
}

/// `-`, `+`, `[member` or `(member`. Derived order: `-` first, `+` last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lex<'a> {
    Lowest,
    Member(&'a [u8]),
    Highest,
}

type LexBound<'a> = Bound<Lex<'a>>;

impl<'a> Bounds<'a> {
    fn parse(by: By, min: &'a [u8], max: &'a [u8], release: Release) -> Result<Self, Failure> {
        Ok(match by {
            By::Rank => Bounds::Rank(args::int(min)?, args::int(max)?),
            By::Score => {
                let bound = |text| score_bound(text, release);
                let both = bound(min).zip(bound(max));
                let (min, max) =
                    both.ok_or_else(|| Failure::new("ERR min or max is not a float"))?;
                Bounds::Score(min, max)
            }
            By::Lex => {
                let both = lex_bound(min).zip(lex_bound(max));
                let text = "ERR min or max not valid string range item";
                let (min, max) = both.ok_or_else(|| Failure::new(text))?;
                Bounds::Lex(min, max)
            }
        })
    }

    /// The ranks of the members inside. Ranks given as bounds count from the end if `backwards`.
    fn ranks(&self, zset: &mut Zset, backwards: bool) -> Range<usize> {
        let len = zset.len();
        match *self {
            Bounds::Rank(start, end) => {
                let ranks = args::range(start, end, len).unwrap_or(0..0);
                if backwards { len - ranks.end..len - ranks.start } else { ranks }
            }
            Bounds::Score(min, max) => {
                let least = |_: Entry<'_>, score: f64| {
                    if min.open { score > min.value } else { score >= min.value }
                };
                let most = |_: Entry<'_>, score: f64| {
                    if max.open { score < max.value } else { score <= max.value }
                };
                zset.between(least, most, backwards)
            }
            Bounds::Lex(min, max) if min.value == max.value && (min.open || max.open) => 0..0,
            Bounds::Lex(min, max) if min.value > max.value => 0..0,
            Bounds::Lex(min, max) => {
                let least = |member: Entry<'_>, _: f64| {
                    let mut text = [0; MAX_I64_TEXT];
                    let member = Lex::Member(member.text(&mut text));
                    if min.open { member > min.value } else { member >= min.value }
                };
                let most = |member: Entry<'_>, _: f64| {
                    let mut text = [0; MAX_I64_TEXT];
                    let member = Lex::Member(member.text(&mut text));
                    if max.open { member < max.value } else { member <= max.value }
                };
                zset.between(least, most, backwards)
            }
        }
    }
}

/// A score, or `(` and a score. Nothing at all is 0, as C reads it; servers that do not read it as C does
/// know no hexadecimal numbers and no blanks either.
fn score_bound(text: &[u8], release: Release) -> Option<Bound<f64>> {
    let (open, text) = match c_text(text, text.len()) {
        [b'(', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let plain = release.has((8, 0), (9, 0));
    let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    let value = match digits {
        [] if text.is_empty() => 0.0,
        [b'0', b'x' | b'X', ..] if plain => return None,
        [first, ..] if plain && (first.is_ascii_whitespace() || *first == 0x0b) => return None,
        _ => parse_double(text).filter(|value| !value.is_nan())?,
    };
    Some(Bound { value, open })
}

fn lex_bound(text: &[u8]) -> Option<LexBound<'_>> {
    match text {
        [b'-'] | [b'-', 0, ..] => Some(Bound { value: Lex::Lowest, open: true }),
        [b'+'] | [b'+', 0, ..] => Some(Bound { value: Lex::Highest, open: true }),
        [b'[', member @ ..] => Some(Bound { value: Lex::Member(member), open: false }),
        [b'(', member @ ..] => Some(Bound { value: Lex::Member(member), open: true }),
        _ => None,
    }
}

/// A range as a command asks for it.
#[derive(Debug)]
struct Wanted<'a> {
    bounds: Bounds<'a>,
    backwards: bool,
    with_scores: bool,
    /// LIMIT offset count
    limit: Option<(i64, i64)>,
    /// Is an offset below 0 one from the end (in a large sorted set), or nowhere?
    from_end: bool,
}

impl<'a> Wanted<'a> {
    /// The bounds at `first` in `argv` and the options behind them. What the command's name says of them
    /// (`by`, `backwards`) no option can say again.
    fn parse(
        ctx: &Ctx<'_>,
        argv: &'a [&'a [u8]],
        first: usize,
        (by, backwards): (Option<By>, Option<bool>),
        store: bool,
    ) -> Result<Wanted<'a>, Failure> {
        let mut args = Args::from(argv, first + 2);
        let (mut by_word, mut rev, mut with_scores, mut limit) = (None, false, false, None);
        while let Some(word) = args.next() {
            if !store && args::is(word, "withscores") {
                with_scores = true;
            } else if args::is(word, "limit") && args.len() >= 2 {
                limit = Some((args::int(args.value()?)?, args::int(args.value()?)?));
            } else if backwards.is_none() && !rev && args::is(word, "rev") {
                rev = true;
            } else if by.or(by_word).is_none() && args::is(word, "bylex") {
                by_word = Some(By::Lex);
            } else if by.or(by_word).is_none() && args::is(word, "byscore") {
                by_word = Some(By::Score);
            } else {
                return Err(Failure::SYNTAX);
            }
        }
        let by = by.or(by_word).unwrap_or(By::Rank);
        let backwards = backwards.unwrap_or(rev);
        if by == By::Rank && limit.is_some_and(|(_, count)| count != -1) {
            let text = "ERR syntax error, LIMIT is only supported in combination with either \
                        BYSCORE or BYLEX";
            return Err(Failure::new(text));
        }
        if by == By::Lex && with_scores {
            let text = "ERR syntax error, WITHSCORES not supported in combination with BYLEX";
            return Err(Failure::new(text));
        }
        let swap = backwards && by != By::Rank;
        let (min, max) = (argv[first + usize::from(swap)], argv[first + usize::from(!swap)]);
        let bounds = Bounds::parse(by, min, max, ctx.release())?;
        let limit = limit.filter(|_| by != By::Rank);
        let from_end = ctx.release().has_valkey(8, 0);
        Ok(Wanted { bounds, backwards, with_scores, limit, from_end })
    }

    /// The ranks to visit.
    fn ranks(&self, zset: &mut Zset) -> Range<usize> {
        let ranks = self.bounds.ranks(zset, self.backwards);
        let Some((offset, count)) = self.limit else { return ranks };
        let offset = match usize::try_from(offset) {
            Ok(offset) => offset.min(ranks.len()),
            Err(_) if self.from_end && zset.as_packed().is_none() => {
                let back = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
                ranks.len().checked_sub(back).unwrap_or(ranks.len())
            }
            Err(_) => ranks.len(),
        };
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(ranks.len() - offset);
        if self.backwards {
            ranks.end - offset - count..ranks.end - offset
        } else {
            ranks.start + offset..ranks.start + offset + count
        }
    }
}

fn show(ctx: &mut Ctx<'_>, argv: &[&[u8]], by: Option<By>, backwards: Option<bool>) -> Outcome {
    let wanted = Wanted::parse(ctx, argv, 2, (by, backwards), false)?;
    let mut members = Vec::new();
    if let Some(zset) = ctx.write::<Zset>(argv[1])? {
        let ranks = wanted.ranks(zset);
        members.reserve(ranks.len());
        zset.visit(ranks, wanted.backwards, |member, score| {
            members.push((Reply::entry(member), score));
            true
        });
    }
    let members = members.into_iter();
    Ok(match wanted.with_scores {
        true => Reply::Pairs(members.map(|(member, score)| (member, ctx.score(score))).collect()),
        false => Reply::Array(members.map(|(member, _)| member).collect()),
    })
}

fn zrange(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    show(ctx, argv, None, None)
}

fn zrevrange(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    show(ctx, argv, Some(By::Rank), Some(true))
}

fn zrangebyscore(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    show(ctx, argv, Some(By::Score), Some(false))
}

fn zrevrangebyscore(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    show(ctx, argv, Some(By::Score), Some(true))
}

fn zrangebylex(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    show(ctx, argv, Some(By::Lex), Some(false))
}

fn zrevrangebylex(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    show(ctx, argv, Some(By::Lex), Some(true))
}

fn zrangestore(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let wanted = Wanted::parse(ctx, argv, 3, (None, None), true)?;
    let limits = ctx.limits();
    let mut result = Zset::default();
    let mut is_chance = false;
    if let Some(zset) = ctx.write::<Zset>(argv[2])? {
        is_chance = matches!(wanted.bounds, Bounds::Lex(..)) && zset.is_mixed_table();
        let ranks = wanted.ranks(zset);
        zset.visit(ranks, wanted.backwards, |member, score| {
            result.insert(member.text(&mut [0; MAX_I64_TEXT]), score, &limits);
            true
        });
    }
    if is_chance {
        ctx.guessed();
    }
    Ok(store(ctx, argv[1], result))
}

/// Puts a result where it belongs, or removes what was there if it is empty.
pub(super) fn store(ctx: &mut Ctx<'_>, key: &[u8], result: Zset) -> Reply {
    let len = result.len();
    let changed = if result.is_empty() {
        ctx.delete(key)
    } else {
        ctx.set(key, result);
        true
    };
    if changed {
        ctx.changed(key, 1);
    }
    Reply::count(len)
}

fn count(ctx: &mut Ctx<'_>, argv: &[&[u8]], by: By) -> Outcome {
    let bounds = Bounds::parse(by, argv[2], argv[3], ctx.release())?;
    let zset = ctx.write::<Zset>(argv[1])?;
    Ok(Reply::count(zset.map_or(0, |zset| bounds.ranks(zset, false).len())))
}

fn zcount(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    count(ctx, argv, By::Score)
}

fn zlexcount(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    count(ctx, argv, By::Lex)
}

fn remove(ctx: &mut Ctx<'_>, argv: &[&[u8]], by: By) -> Outcome {
    let bounds = Bounds::parse(by, argv[2], argv[3], ctx.release())?;
    let key = argv[1];
    let Some(zset) = ctx.write::<Zset>(key)? else { return Ok(Reply::Int(0)) };
    let is_chance = by == By::Lex && zset.is_mixed_table();
    let ranks = bounds.ranks(zset, false);
    let gone = zset.remove_ranks(ranks);
    if is_chance {
        ctx.guessed();
    }
    if gone > 0 {
        ctx.drop_if_empty(key);
        ctx.changed(key, gone);
    }
    Ok(Reply::count(gone))
}

fn zremrangebyrank(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    remove(ctx, argv, By::Rank)
}

fn zremrangebyscore(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    remove(ctx, argv, By::Score)
}

fn zremrangebylex(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    remove(ctx, argv, By::Lex)
}
