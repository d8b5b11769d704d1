//! Intersection, union and difference of sets, answered or stored.

use super::list::positive;
use super::set::bulk;
use crate::encoding::Entry;
use crate::encoding::number::MAX_I64_TEXT;
use crate::engine::args::{self, Args};
use crate::engine::command::flag::{DENYOOM, READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::reply::Reply;
use crate::value::dict::Slot;
use crate::value::{DataType, PackedLimits, Set};

pub(super) const COMMANDS: &[Command] = &[
    cmd("sinter", -2, READONLY, Keys::ALL, Since::both(1, 0), sinter),
    cmd("sintercard", -3, READONLY, COUNTED, Since::both(7, 0), sintercard),
    cmd("sinterstore", -3, WRITE | DENYOOM, Keys::ALL, Since::both(1, 0), sinterstore),
    cmd("sunion", -2, READONLY, Keys::ALL, Since::both(1, 0), sunion),
    cmd("sunionstore", -3, WRITE | DENYOOM, Keys::ALL, Since::both(1, 0), sunionstore),
    cmd("sdiff", -2, READONLY, Keys::ALL, Since::both(1, 0), sdiff),
    cmd("sdiffstore", -3, WRITE | DENYOOM, Keys::ALL, Since::both(1, 0), sdiffstore),
];

const COUNTED: Keys = Keys::Counted { count: 1, more: &[] };

/// Makes one set of several, `None` standing for an empty one.
type Combine = fn(&[Option<&Set>], &PackedLimits) -> Set;

fn sinter(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    answer(ctx, argv, inter)
}

fn sinterstore(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    store(ctx, argv, inter)
}

fn sunion(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    answer(ctx, argv, union)
}

fn sunionstore(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    store(ctx, argv, union)
}

fn sdiff(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    answer(ctx, argv, diff)
}

fn sdiffstore(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    store(ctx, argv, diff)
}

fn answer(ctx: &mut Ctx<'_>, argv: &[&[u8]], combine: Combine) -> Outcome {
    let slots = find_all(ctx, argv.get(1..).unwrap_or_default())?;
    let set = combine(&sets(ctx, &slots), &ctx.limits());
    Ok(Reply::Set(set.iter().map(bulk).collect()))
}

fn store(ctx: &mut Ctx<'_>, argv: &[&[u8]], combine: Combine) -> Outcome {
    let target = argv[1];
    let slots = find_all(ctx, argv.get(2..).unwrap_or_default())?;
    let set = combine(&sets(ctx, &slots), &ctx.limits());
    let len = set.len();
    if len > 0 {
        ctx.set(target, set);
        ctx.changed(target, 1);
    } else if ctx.delete(target) {
        ctx.changed(target, 1);
    }
    Ok(Reply::count(len))
}

/// `SINTERCARD numkeys key … [LIMIT limit]`
fn sintercard(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let keys = positive(argv[1], "numkeys")?;
    let mut args = Args::from(argv, 2);
    let keys = args
        .several(keys)
        .map_err(|_| Failure::new("ERR Number of keys can't be greater than number of args"))?;
    let mut limit = 0;
    while let Some(word) = args.next() {
        if !args::is(word, "limit") {
            return Err(Failure::SYNTAX);
        }
        let count = args::count(args.value()?);
        limit = count.map_err(|_| Failure::new("ERR LIMIT can't be negative"))?;
    }
    let slots = find_all(ctx, keys)?;
    let limit = if limit == 0 { usize::MAX } else { limit };
    Ok(Reply::count(common(&sets(ctx, &slots)).take(limit).count()))
}

/// Where these sets are, `None` for keys that are not there.
fn find_all(ctx: &mut Ctx<'_>, keys: &[&[u8]]) -> Result<Vec<Option<Slot>>, Failure> {
    let find = |key: &&[u8]| {
        ctx.read::<Set>(key)?;
        Ok(ctx.find(key))
    };
    keys.iter().map(find).collect()
}

fn sets<'a>(ctx: &'a Ctx<'_>, slots: &[Option<Slot>]) -> Vec<Option<&'a Set>> {
    let space = ctx.keyspace();
    slots.iter().map(|slot| Set::of(space?.value((*slot)?)?)).collect()
}

/// The members that all have: those of the smallest that the others have too.
fn common<'a>(sets: &[Option<&'a Set>]) -> impl Iterator<Item = Entry<'a>> {
    let mut all: Vec<&Set> = sets.iter().copied().collect::<Option<_>>().unwrap_or_default();
    all.sort_by_key(|set| set.len());
    let (smallest, others) = match all.split_first() {
        Some((smallest, others)) => (Some(*smallest), others.to_vec()),
        None => (None, Vec::new()),
    };
    let members = smallest.into_iter().flat_map(Set::iter);
    members.filter(move |member| others.iter().all(|set| has(set, *member)))
}

fn has(set: &Set, member: Entry<'_>) -> bool {
    set.contains(member.text(&mut [0; MAX_I64_TEXT]))
}

fn add(set: &mut Set, member: Entry<'_>, limits: &PackedLimits) {
    set.insert(member.text(&mut [0; MAX_I64_TEXT]), limits);
}

fn inter(sets: &[Option<&Set>], limits: &PackedLimits) -> Set {
    let mut result = Set::default();
    common(sets).for_each(|member| add(&mut result, member, limits));
    result.fold_integers(limits);
    result
}

fn union(sets: &[Option<&Set>], limits: &PackedLimits) -> Set {
    let mut result = Set::default();
    for set in sets.iter().flatten() {
        set.iter().for_each(|member| add(&mut result, member, limits));
    }
    result
}

/// The members of the first that no other one has. Asking the others for each of them, or taking theirs
/// out one by one: servers choose by the work, and what the result is kept as depends on it.
fn diff(sets: &[Option<&Set>], limits: &PackedLimits) -> Set {
    let mut result = Set::default();
    let Some((Some(first), others)) = sets.split_first() else { return result };
    let others: Vec<&Set> = others.iter().copied().flatten().collect();
    if others.iter().any(|set| std::ptr::eq(*set, *first)) {
        return result;
    }
    let asking = first.len().saturating_mul(others.len() + 1) / 2;
    let taking = others.iter().fold(first.len(), |sum, set| sum.saturating_add(set.len()));
    if asking <= taking {
        let kept = first.iter().filter(|member| !others.iter().any(|set| has(set, *member)));
        kept.for_each(|member| add(&mut result, member, limits));
        return result;
    }
    first.iter().for_each(|member| add(&mut result, member, limits));
    for member in others.iter().flat_map(|set| set.iter()) {
        if result.is_empty() {
            break;
        }
        result.remove(member.text(&mut [0; MAX_I64_TEXT]));
    }
    result
}
