//! Sorted sets: members and scores. Ranges are in `zset_range`, pops in `zset_pop`, unions and their like
//! in `zset_store`.

use super::hash::has_novalues;
use super::keyspace::{ScanOptions, scan_cursor, scan_reply};
use super::sample::{Sample, sample};
use crate::encoding::number::{MAX_I64_TEXT, double_17g, double_grisu, write_i64};
use crate::engine::args::{self, Args};
use crate::engine::command::flag::{DENYOOM, RANDOM, READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::reply::Reply;
use crate::value::digest::ScoreText;
use crate::value::zset::whole;
use crate::value::{DataType, PackedLimits, Zset};

pub(super) const COMMANDS: &[Command] = &[
    cmd("zadd", -4, WRITE | DENYOOM, Keys::ONE, Since::both(1, 2), zadd),
    cmd("zincrby", 4, WRITE | DENYOOM, Keys::ONE, Since::both(1, 2), zincrby),
    cmd("zrem", -3, WRITE, Keys::ONE, Since::both(1, 2), zrem),
    cmd("zcard", 2, READONLY, Keys::ONE, Since::both(1, 2), zcard),
    cmd("zscore", 3, READONLY, Keys::ONE, Since::both(1, 2), zscore),
    cmd("zmscore", -3, READONLY, Keys::ONE, Since::both(6, 2), zmscore),
    cmd("zrank", -3, READONLY, Keys::ONE, Since::both(2, 0), zrank),
    cmd("zrevrank", -3, READONLY, Keys::ONE, Since::both(2, 0), zrevrank),
    cmd("zrandmember", -2, READONLY | RANDOM, Keys::ONE, Since::both(6, 2), zrandmember),
    cmd("zscan", -3, READONLY, Keys::ONE, Since::both(2, 8), zscan),
];

/// The options of ZADD.
#[derive(Debug, Clone, Copy, Default)]
struct AddOptions {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
    ch: bool,
    incr: bool,
}

impl AddOptions {
    /// Takes the options at the beginning.
    fn parse(args: &mut Args<'_>) -> AddOptions {
        let mut options = AddOptions::default();
        loop {
            if args.accept("nx") {
                options.nx = true;
            } else if args.accept("xx") {
                options.xx = true;
            } else if args.accept("gt") {
                options.gt = true;
            } else if args.accept("lt") {
                options.lt = true;
            } else if args.accept("ch") {
                options.ch = true;
            } else if args.accept("incr") {
                options.incr = true;
            } else {
                return options;
            }
        }
    }

    fn check(self, pairs: usize) -> Result<(), Failure> {
        let error = if self.nx && self.xx {
            "ERR XX and NX options at the same time are not compatible"
        } else if u8::from(self.gt) + u8::from(self.lt) + u8::from(self.nx) > 1 {
            "ERR GT, LT, and/or NX options at the same time are not compatible"
        } else if self.incr && pairs > 1 {
            "ERR INCR option supports a single increment-element pair"
        } else {
            return Ok(());
        };
        Err(Failure::new(error))
    }

    /// The score that a member which has `old` is to get, if any.
    fn score(self, old: Option<f64>, score: f64) -> Result<Option<f64>, Failure> {
        let Some(old) = old else { return Ok((!self.xx).then_some(score)) };
        let score = if self.incr { old + score } else { score };
        if score.is_nan() {
            return Err(Failure::new("ERR resulting score is not a number (NaN)"));
        }
        let refused = self.nx || self.gt && score <= old || self.lt && score >= old;
        Ok((!refused).then_some(score))
    }
}

pub(super) fn zadd(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let mut args = Args::from(argv, 2);
    let options = AddOptions::parse(&mut args);
    let (pairs, []) = args.rest().as_chunks::<2>() else { return Err(Failure::SYNTAX) };
    if pairs.is_empty() {
        return Err(Failure::SYNTAX);
    }
    options.check(pairs.len())?;
    add(ctx, argv[1], pairs, options)
}

fn zincrby(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let options = AddOptions { incr: true, ..AddOptions::default() };
    add(ctx, argv[1], &[[argv[2], argv[3]]], options)
}

fn add(ctx: &mut Ctx<'_>, key: &[u8], pairs: &[[&[u8]; 2]], options: AddOptions) -> Outcome {
    let scores: Result<Vec<f64>, Failure> = pairs.iter().map(|[text, _]| ctx.float(text)).collect();
    let scores = scores?;
    if options.xx && ctx.read::<Zset>(key)?.is_none() {
        return Ok(if options.incr { Reply::Nil } else { Reply::Int(0) });
    }
    let (limits, release) = (ctx.limits(), ctx.release());
    // Servers look before they begin, and take every member for a new one.
    let outgrow = release.has_redis(7, 2) && pairs.len() > limits.zset_entries
        || release.has_valkey(8, 0)
            && pairs.iter().any(|[_, member]| member.len() > limits.zset_value);
    let zset = ctx.write_or_create::<Zset>(key)?;
    if outgrow {
        zset.unfold();
    }
    let (mut added, mut updated, mut last) = (0, 0, None);
    for ([_, member], score) in pairs.iter().zip(scores) {
        let (old, new) = add_member(zset, member, score, options, &limits)?;
        added += usize::from(old.is_none() && new.is_some());
        updated += usize::from(old.is_some() && new.is_some() && old != new);
        last = new;
    }
    if added + updated > 0 {
        ctx.changed(key, added + updated);
    }
    Ok(match (options.incr, last) {
        (true, None) => Reply::Nil,
        (true, Some(score)) => ctx.score(score),
        (false, _) => Reply::count(if options.ch { added + updated } else { added }),
    })
}

/// Adds one member, or gives it another score, if the options let it: the score before and after (`None`
/// if they do not).
fn add_member(
    zset: &mut Zset,
    member: &[u8],
    score: f64,
    options: AddOptions,
    limits: &PackedLimits,
) -> Result<(Option<f64>, Option<f64>), Failure> {
    let AddOptions { nx, xx, gt, lt, incr, .. } = options;
    if !(nx || xx || gt || lt || incr) {
        return Ok((zset.insert(member, score, limits), Some(score)));
    }
    let old = zset.score(member);
    let new = options.score(old, score)?;
    if let Some(score) = new {
        zset.insert(member, score, limits);
    }
    Ok((old, new))
}

fn zrem(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let key = argv[1];
    let Some(zset) = ctx.write::<Zset>(key)? else { return Ok(Reply::Int(0)) };
    let gone = argv.iter().skip(2).filter(|member| zset.remove(member).is_some()).count();
    if gone > 0 {
        ctx.drop_if_empty(key);
        ctx.changed(key, gone);
    }
    Ok(Reply::count(gone))
}

fn zcard(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    Ok(Reply::count(ctx.read::<Zset>(argv[1])?.map_or(0, Zset::len)))
}

fn zscore(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let score = ctx.read::<Zset>(argv[1])?.and_then(|zset| zset.score(argv[2]));
    Ok(score.map_or(Reply::Nil, |score| ctx.score(score)))
}

fn zmscore(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let zset = ctx.read::<Zset>(argv[1])?;
    let members = argv.iter().skip(2);
    let scores: Vec<_> = members.map(|member| zset.and_then(|zset| zset.score(member))).collect();
    let replies =
        scores.into_iter().map(|score| score.map_or(Reply::Nil, |score| ctx.score(score)));
    Ok(Reply::Array(replies.collect()))
}

fn zrank(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    rank(ctx, argv, |rank, _| rank)
}

fn zrevrank(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    rank(ctx, argv, |rank, len| len - 1 - rank)
}

/// `ZRANK key member [WITHSCORE]`
fn rank(ctx: &mut Ctx<'_>, argv: &[&[u8]], show: fn(usize, usize) -> usize) -> Outcome {
    let with_score = match argv.get(3..).unwrap_or_default() {
        [] => false,
        [_, _, ..] => return Err(Failure::arity(ctx.command.name)),
        [word] if args::is(word, "withscore") => true,
        [_] => return Err(Failure::SYNTAX),
    };
    let found = match ctx.write::<Zset>(argv[1])? {
        Some(zset) => zset.rank(argv[2]).map(|(rank, score)| (show(rank, zset.len()), score)),
        None => None,
    };
    Ok(match (found, with_score) {
        (None, false) => Reply::Nil,
        (None, true) => Reply::NilArray,
        (Some((rank, _)), false) => Reply::count(rank),
        (Some((rank, score)), true) => Reply::Array(vec![Reply::count(rank), ctx.score(score)]),
    })
}

/// `ZRANDMEMBER key [count [WITHSCORES]]`
fn zrandmember(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let wanted = Sample::parse(argv, "withscores")?;
    let mut rng = ctx.engine.rng.fork();
    let zset = ctx.read::<Zset>(argv[1])?;
    let (all, one) = (|| zset.into_iter().flat_map(Zset::iter), |rng: &mut _| zset?.random(rng));
    let members = sample(wanted, zset.map_or(0, Zset::len), &mut rng, all, one)?;
    let members = members.into_iter().map(|(member, score)| (Reply::entry(member), score));
    let members: Vec<_> = members.collect();
    let ctx = &*ctx;
    Ok(wanted.reply(members.into_iter().map(|(member, score)| (member, move || ctx.score(score)))))
}

/// `ZSCAN key cursor [MATCH pattern] [COUNT count] [NOSCORES]`
fn zscan(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let cursor = scan_cursor(argv[2])?;
    let release = ctx.release();
    let Some(zset) = ctx.read::<Zset>(argv[1])? else { return Ok(scan_reply(0, Vec::new())) };
    let (packed, style) = (zset.as_packed().is_some(), release.score_text());
    let mut args = Args::from(argv, 3);
    let (mut wanted, mut scores) = (ScanOptions::default(), true);
    while let Some(word) = args.next() {
        if args::is(word, "noscores") && release.has_valkey(9, 1) {
            scores = false;
        } else if args::is(word, "novalues") && has_novalues(release) {
            return Err(Failure::new("ERR NOVALUES option can only be used in HSCAN"));
        } else {
            wanted.parse(word, &mut args)?;
        }
    }
    let mut found = Vec::new();
    let next = zset.scan(cursor, wanted.count, |member, score| {
        if wanted.fits(member.text(&mut [0; MAX_I64_TEXT])) {
            found.push((Reply::entry(member), score));
        }
    });
    let found = found.into_iter().flat_map(|(member, score)| {
        std::iter::once(member).chain(scores.then(|| Reply::Bulk(scan_score(score, packed, style))))
    });
    Ok(scan_reply(next, found.collect()))
}

/// A score as ZSCAN shows it: what a listpack holds, or with all its digits.
fn scan_score(score: f64, packed: bool, style: ScoreText) -> Vec<u8> {
    let mut text = Vec::new();
    match (whole(score), style) {
        (Some(whole), _) if packed => write_i64(whole, &mut text),
        (None, ScoreText::Grisu) if packed => double_grisu(score, &mut text),
        _ => double_17g(score, &mut text),
    }
    text
}
