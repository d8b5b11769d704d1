//! Unions, intersections and differences of sorted sets and sets, to show and to store.

use super::zset_range::store;
use crate::encoding::Entry;
use crate::encoding::number::MAX_I64_TEXT;
use crate::engine::args::{self, Args};
use crate::engine::command::flag::{DENYOOM, READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::reply::Reply;
use crate::value::dict::{Dict, Keyed};
use crate::value::{Bytes, DataType, Set, Value, Zset};

const STORE: Keys = Keys::Counted { count: 2, more: &[1] };
const SHOW: Keys = Keys::Counted { count: 1, more: &[] };

pub(super) const COMMANDS: &[Command] = &[
    cmd("zunionstore", -4, WRITE | DENYOOM, STORE, Since::both(2, 0), zunionstore),
    cmd("zinterstore", -4, WRITE | DENYOOM, STORE, Since::both(2, 0), zinterstore),
    cmd("zdiffstore", -4, WRITE | DENYOOM, STORE, Since::both(6, 2), zdiffstore),
    cmd("zunion", -3, READONLY, SHOW, Since::both(6, 2), zunion),
    cmd("zinter", -3, READONLY, SHOW, Since::both(6, 2), zinter),
    cmd("zdiff", -3, READONLY, SHOW, Since::both(6, 2), zdiff),
    cmd("zintercard", -3, READONLY, SHOW, Since::both(7, 0), zintercard),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Union,
    Inter,
    Diff,
}

/// What becomes of scores that meet.
#[derive(Debug, Clone, Copy)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    /// Infinities that cancel out give 0. What is not a number is never less nor more.
    fn apply(self, score: f64, other: f64) -> f64 {
        match self {
            Aggregate::Sum => zero_if_nan(score + other),
            Aggregate::Min if other < score => other,
            Aggregate::Max if other > score => other,
            Aggregate::Min | Aggregate::Max => score,
        }
    }
}

fn zero_if_nan(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// A collection that takes part. The members of a set have score 1.
#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    Missing,
    Set(&'a Set),
    Zset(&'a Zset),
}

impl<'a> Source<'a> {
    fn of(value: Option<&'a Value>) -> Result<Source<'a>, Failure> {
        match value {
            None => Ok(Source::Missing),
            Some(Value::Set(set)) => Ok(Source::Set(set)),
            Some(Value::Zset(zset)) => Ok(Source::Zset(zset)),
            Some(_) => Err(Failure::WRONG_TYPE),
        }
    }

    fn len(self) -> usize {
        match self {
            Source::Missing => 0,
            Source::Set(set) => set.len(),
            Source::Zset(zset) => zset.len(),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Source::Missing => None,
            Source::Set(set) => set.contains(member).then_some(1.0),
            Source::Zset(zset) => zset.score(member),
        }
    }

    fn visit(self, mut visit: impl FnMut(&[u8], f64)) {
        let mut one = |member: Entry<'_>, score| visit(member.text(&mut [0; MAX_I64_TEXT]), score);
        match self {
            Source::Missing => {}
            Source::Set(set) => set.iter().for_each(|member| one(member, 1.0)),
            Source::Zset(zset) => zset.iter().for_each(|(member, score)| one(member, score)),
        }
    }
}

/// A command of this kind, its arguments read.
#[derive(Debug)]
struct Wanted<'a> {
    op: Op,
    keys: &'a [&'a [u8]],
    weights: Vec<f64>,
    aggregate: Aggregate,
    with_scores: bool,
    limit: usize,
}

/// What else a command takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Store,
    Show,
    Card,
}

impl<'a> Wanted<'a> {
    /// Arguments from the number of keys on, which is at `first`. Types of keys are looked at before any
    /// option.
    fn parse(
        ctx: &mut Ctx<'_>,
        argv: &'a [&'a [u8]],
        first: usize,
        (op, form): (Op, Form),
    ) -> Result<Wanted<'a>, Failure> {
        let numkeys = args::int(argv[first])?;
        if numkeys < 1 {
            let name = ctx.command.name;
            let text = format!("ERR at least 1 input key is needed for '{name}' command");
            return Err(Failure::new(text));
        }
        let mut args = Args::from(argv, first + 1);
        let keys = args.several(usize::try_from(numkeys).unwrap_or(usize::MAX))?;
        for key in keys {
            Source::of(ctx.value(key))?;
        }
        let weights = vec![1.0; keys.len()];
        let mut wanted = Wanted {
            op,
            keys,
            weights,
            aggregate: Aggregate::Sum,
            with_scores: false,
            limit: usize::MAX,
        };
        while let Some(word) = args.next() {
            wanted.option(ctx, word, &mut args, form)?;
        }
        Ok(wanted)
    }

    fn option(
        &mut self,
        ctx: &Ctx<'_>,
        word: &[u8],
        args: &mut Args<'a>,
        form: Form,
    ) -> Result<(), Failure> {
        let weighs = self.op != Op::Diff && form != Form::Card;
        if weighs && args::is(word, "weights") {
            let texts = args.several(self.keys.len())?;
            for (weight, text) in self.weights.iter_mut().zip(texts) {
                let not_float = |_| Failure::new("ERR weight value is not a float");
                *weight = ctx.float(text).map_err(not_float)?;
            }
        } else if weighs && args::is(word, "aggregate") {
            self.aggregate = match args.value()? {
                word if args::is(word, "sum") => Aggregate::Sum,
                word if args::is(word, "min") => Aggregate::Min,
                word if args::is(word, "max") => Aggregate::Max,
                _ => return Err(Failure::SYNTAX),
            };
        } else if form == Form::Show && args::is(word, "withscores") {
            self.with_scores = true;
        } else if form == Form::Card && args::is(word, "limit") {
            let limit = args::count(args.value()?);
            let limit = limit.map_err(|_| Failure::new("ERR LIMIT can't be negative"))?;
            self.limit = if limit == 0 { usize::MAX } else { limit };
        } else {
            return Err(Failure::SYNTAX);
        }
        Ok(())
    }

    /// What takes part, with its weight; the smallest first where the order does not matter to the
    /// members (it does to the rounding of sums).
    fn sources<'v>(&self, ctx: &'v Ctx<'_>) -> Result<Vec<(Source<'v>, f64)>, Failure> {
        let space = ctx.keyspace();
        let source = |key: &&[u8]| Source::of(space.and_then(|space| space.get(key)));
        let sources: Result<Vec<_>, Failure> = self.keys.iter().map(source).collect();
        let mut sources: Vec<_> = sources?.into_iter().zip(self.weights.iter().copied()).collect();
        if self.op != Op::Diff {
            sources.sort_by_key(|(source, _)| source.len());
        }
        Ok(sources)
    }

    fn run(&self, ctx: &Ctx<'_>) -> Result<Zset, Failure> {
        let sources = self.sources(ctx)?;
        let mut result = Zset::default();
        result.unfold();
        let limits = ctx.limits();
        match self.op {
            Op::Union => self.union(&sources, |member, score| {
                result.insert(member, score, &limits);
            }),
            Op::Inter => self.inter(&sources, |member, score| {
                result.insert(member, score, &limits);
                true
            }),
            Op::Diff => diff(&sources, |member, score| {
                result.insert(member, score, &limits);
            }),
        }
        Ok(result)
    }

    fn union(&self, sources: &[(Source<'_>, f64)], mut each: impl FnMut(&[u8], f64)) {
        let mut sums = Dict::<Sum>::new();
        for (source, weight) in sources {
            source.visit(|member, score| {
                let score = zero_if_nan(weight * score);
                let make = || Sum { member: Bytes::new(member), score };
                let (slot, new) = sums.find_or_insert(member, make);
                if let (false, Some(sum)) = (new, sums.at_mut(slot)) {
                    sum.score = self.aggregate.apply(sum.score, score);
                }
            });
        }
        sums.iter().for_each(|(_, sum)| each(&sum.member, sum.score));
    }

    /// Until `each` says stop.
    fn inter(&self, sources: &[(Source<'_>, f64)], mut each: impl FnMut(&[u8], f64) -> bool) {
        let Some(((first, weight), others)) = sources.split_first() else { return };
        let mut go_on = true;
        first.visit(|member, score| {
            if !go_on {
                return;
            }
            let mut sum = zero_if_nan(weight * score);
            for (other, weight) in others {
                match other.score(member) {
                    Some(score) => sum = self.aggregate.apply(sum, score * weight),
                    None => return,
                }
            }
            go_on = each(member, sum);
        });
    }
}

/// A member of a union with what its scores came to.
#[derive(Debug)]
struct Sum {
    member: Bytes,
    score: f64,
}

impl Keyed for Sum {
    fn key(&self) -> &[u8] {
        &self.member
    }
}

fn diff(sources: &[(Source<'_>, f64)], mut each: impl FnMut(&[u8], f64)) {
    let Some(((first, _), others)) = sources.split_first() else { return };
    first.visit(|member, score| {
        if others.iter().all(|(other, _)| other.score(member).is_none()) {
            each(member, score);
        }
    });
}

fn run_and_store(ctx: &mut Ctx<'_>, argv: &[&[u8]], op: Op) -> Outcome {
    let wanted = Wanted::parse(ctx, argv, 2, (op, Form::Store))?;
    let mut result = wanted.run(ctx)?;
    result.fold(&ctx.limits());
    Ok(store(ctx, argv[1], result))
}

fn run_and_show(ctx: &mut Ctx<'_>, argv: &[&[u8]], op: Op) -> Outcome {
    let wanted = Wanted::parse(ctx, argv, 1, (op, Form::Show))?;
    let result = wanted.run(ctx)?;
    let members = result.ordered().into_iter();
    let pair = |(member, score)| (Reply::entry(member), ctx.score(score));
    Ok(match wanted.with_scores {
        true => Reply::Pairs(members.map(pair).collect()),
        false => Reply::Array(members.map(|(member, _)| Reply::entry(member)).collect()),
    })
}

fn zunionstore(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    run_and_store(ctx, argv, Op::Union)
}

fn zinterstore(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    run_and_store(ctx, argv, Op::Inter)
}

fn zdiffstore(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    run_and_store(ctx, argv, Op::Diff)
}

fn zunion(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    run_and_show(ctx, argv, Op::Union)
}

fn zinter(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    run_and_show(ctx, argv, Op::Inter)
}

fn zdiff(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    run_and_show(ctx, argv, Op::Diff)
}

/// `ZINTERCARD numkeys key … [LIMIT limit]`
fn zintercard(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let wanted = Wanted::parse(ctx, argv, 1, (Op::Inter, Form::Card))?;
    let mut count = 0;
    wanted.inter(&wanted.sources(ctx)?, |_, _| {
        count += 1;
        count < wanted.limit
    });
    Ok(Reply::count(count))
}
