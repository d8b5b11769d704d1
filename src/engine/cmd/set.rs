//! Sets. What combines several of them is in `setops`.

use super::keyspace::{ScanOptions, scan_cursor, scan_reply};
use crate::encoding::Entry;
use crate::encoding::number::MAX_I64_TEXT;
use crate::engine::args::{self, Args};
use crate::engine::command::flag::{DENYOOM, RANDOM, READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::reply::Reply;
use crate::value::{DataType, Set};

pub(super) const COMMANDS: &[Command] = &[
    cmd("sadd", -3, WRITE | DENYOOM, Keys::ONE, Since::both(1, 0), sadd),
    cmd("srem", -3, WRITE, Keys::ONE, Since::both(1, 0), srem),
    cmd("smove", 4, WRITE, Keys::TWO, Since::both(1, 0), smove),
    cmd("spop", -2, WRITE | RANDOM, Keys::ONE, Since::both(1, 0), spop),
    cmd("srandmember", -2, READONLY | RANDOM, Keys::ONE, Since::both(1, 0), srandmember),
    cmd("scard", 2, READONLY, Keys::ONE, Since::both(1, 0), scard),
    cmd("sismember", 3, READONLY, Keys::ONE, Since::both(1, 0), sismember),
    cmd("smismember", -3, READONLY, Keys::ONE, Since::both(6, 2), smismember),
    cmd("smembers", 2, READONLY, Keys::ONE, Since::both(1, 0), smembers),
    cmd("sscan", -3, READONLY, Keys::ONE, Since::both(2, 8), sscan),
];

/// Members that a server names in one SREM when it logs what SPOP took.
const BATCH: usize = 1024;

fn sadd(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (key, limits) = (argv[1], ctx.limits());
    let added = ctx.write_or_create::<Set>(key)?.insert_all(&argv[2..], &limits);
    if added > 0 {
        ctx.changed(key, added);
    }
    Ok(Reply::count(added))
}

fn srem(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let key = argv[1];
    let Some(set) = ctx.write::<Set>(key)? else { return Ok(Reply::Int(0)) };
    let gone = argv[2..].iter().filter(|text| set.remove(text)).count();
    if gone > 0 {
        ctx.changed(key, gone);
        ctx.drop_if_empty(key);
    }
    Ok(Reply::count(gone))
}

/// SMOVE source destination member
fn smove(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (source, target, member, limits) = (argv[1], argv[2], argv[3], ctx.limits());
    if !ctx.exists(source) {
        return Ok(Reply::Int(0));
    }
    let held = ctx.read::<Set>(source)?.is_some_and(|set| set.contains(member));
    ctx.read::<Set>(target)?;
    if source == target || !held {
        return Ok(Reply::flag(held));
    }
    if let Some(set) = ctx.write::<Set>(source)? {
        set.remove(member);
    }
    ctx.changed(source, 1);
    ctx.drop_if_empty(source);
    let new = ctx.write_or_create::<Set>(target)?.insert_all(&[member], &limits);
    ctx.changed(target, new);
    Ok(Reply::Int(1))
}

fn text(member: Entry<'_>) -> Vec<u8> {
    member.text(&mut [0; MAX_I64_TEXT]).to_vec()
}

pub(super) fn bulk(member: Entry<'_>) -> Reply {
    Reply::Bulk(text(member))
}

/// `SPOP key [count]`
fn spop(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let key = argv[1];
    let count = match argv.get(2..).unwrap_or_default() {
        [] => None,
        [count] => Some(args::count(count)?),
        _ => return Err(Failure::SYNTAX),
    };
    let Some(set) = ctx.read::<Set>(key)? else {
        return Ok(if count.is_some() { Reply::Set(Vec::new()) } else { Reply::Nil });
    };
    if count.is_some_and(|count| count >= set.len()) {
        return pop_all(ctx, key);
    }
    let (last, len) = (set.len() == 1, count.unwrap_or(1));
    if len > 0 && !last {
        ctx.guessed();
    }
    let gone = take_random(ctx, key, len)?;
    if !gone.is_empty() {
        ctx.changed(key, gone.len());
        ctx.drop_if_empty(key);
    }
    for batch in gone.chunks(BATCH) {
        let members = batch.iter().map(Vec::as_slice);
        ctx.log_as(&[&b"SREM"[..], key].into_iter().chain(members).collect::<Vec<_>>());
    }
    let mut gone = gone.into_iter().map(Reply::Bulk);
    Ok(match count {
        None => gone.next().unwrap_or(Reply::Nil),
        Some(_) => Reply::Set(gone.collect()),
    })
}

/// Takes that many members out by lot.
fn take_random(ctx: &mut Ctx<'_>, key: &[u8], count: usize) -> Result<Vec<Vec<u8>>, Failure> {
    let mut rng = ctx.engine.rng.fork();
    let Some(set) = ctx.write::<Set>(key)? else { return Ok(Vec::new()) };
    let drawn: Vec<Vec<u8>> = match count {
        1 => set.random(&mut rng).into_iter().map(text).collect(),
        _ => set.sample(count, &mut rng).into_iter().map(text).collect(),
    };
    for member in &drawn {
        set.remove(member);
    }
    Ok(drawn)
}

fn pop_all(ctx: &mut Ctx<'_>, key: &[u8]) -> Outcome {
    let members = members(ctx, key)?;
    ctx.delete(key);
    ctx.changed(key, members.len());
    ctx.log_removal(key);
    Ok(Reply::Set(members))
}

fn members(ctx: &mut Ctx<'_>, key: &[u8]) -> Result<Vec<Reply>, Failure> {
    Ok(ctx.read::<Set>(key)?.map(|set| set.iter().map(bulk).collect()).unwrap_or_default())
}

/// `SRANDMEMBER key [count]`: different members; with a negative count, any so many times.
fn srandmember(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let count = match argv.get(2..).unwrap_or_default() {
        [] => None,
        [count] => Some(args::int_in(count, -i64::MAX, i64::MAX)?),
        _ => return Err(Failure::SYNTAX),
    };
    let mut rng = ctx.engine.rng.fork();
    let Some(set) = ctx.read::<Set>(argv[1])? else {
        return Ok(if count.is_some() { Reply::Array(Vec::new()) } else { Reply::Nil });
    };
    let Some(count) = count else {
        return Ok(set.random(&mut rng).map_or(Reply::Nil, bulk));
    };
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count >= 0 {
        return Ok(Reply::Array(set.sample(wanted, &mut rng).into_iter().map(bulk).collect()));
    }
    let mean = set.memory() / set.len().max(1);
    ctx.check_reply(wanted, mean)?;
    let Some(set) = ctx.read::<Set>(argv[1])? else { return Ok(Reply::Nil) };
    let drawn = (0..wanted).map_while(|_| set.random(&mut rng).map(bulk));
    Ok(Reply::Array(drawn.collect()))
}

fn scard(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    Ok(Reply::count(ctx.read::<Set>(argv[1])?.map_or(0, Set::len)))
}

fn sismember(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    Ok(Reply::flag(ctx.read::<Set>(argv[1])?.is_some_and(|set| set.contains(argv[2]))))
}

fn smismember(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let set = ctx.read::<Set>(argv[1])?;
    let held = |text: &&[u8]| Reply::flag(set.is_some_and(|set| set.contains(text)));
    Ok(Reply::Array(argv[2..].iter().map(held).collect()))
}

fn smembers(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    Ok(Reply::Set(members(ctx, argv[1])?))
}

/// `SSCAN key cursor [MATCH pattern] [COUNT count]`
fn sscan(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let cursor = scan_cursor(argv[2])?;
    if ctx.read::<Set>(argv[1])?.is_none() {
        return Ok(scan_reply(0, Vec::new()));
    }
    let mut args = Args::from(argv, 3);
    let mut wanted = ScanOptions::default();
    while let Some(word) = args.next() {
        wanted.parse(word, &mut args)?;
    }
    let mut found = Vec::new();
    let next = ctx.read::<Set>(argv[1])?.map_or(0, |set| {
        set.scan(cursor, wanted.count, |member| {
            let text = text(member);
            if wanted.fits(&text) {
                found.push(Reply::Bulk(text));
            }
        })
    });
    Ok(scan_reply(next, found))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::engine::{Config, Engine, Session};
    use std::collections::BTreeSet;

    fn run(engine: &mut Engine, line: &str) -> Reply {
        let argv: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        engine.execute(&mut Session::new(), &argv)
    }

    fn members(reply: &Reply) -> Vec<Vec<u8>> {
        let text = |reply: &Reply| match reply {
            Reply::Bulk(text) => text.clone(),
            other => panic!("{other:?} is no member"),
        };
        match reply {
            Reply::Array(members) | Reply::Set(members) => members.iter().map(text).collect(),
            one => vec![text(one)],
        }
    }

    /// SPOP takes what it answers, and what it took is logged so that no chance is left in it.
    #[test]
    fn spop_is_logged_as_srem() {
        for (many, popped) in [(20, 1), (20, 7), (3000, 1500), (3000, 2900)] {
            let mut engine = Engine::new(Config::default());
            engine.keep_effects(true);
            let all: Vec<String> = (0..many).map(|n| format!("m{n}")).collect();
            run(&mut engine, &format!("SADD s {}", all.join(" ")));
            engine.take_effects();
            let before = engine.stats().guessed;
            let gone = members(&run(&mut engine, &format!("SPOP s {popped}")));
            assert_eq!(engine.stats().guessed, before + 1);
            assert_eq!(gone.iter().collect::<BTreeSet<_>>().len(), popped);
            assert_eq!(run(&mut engine, "SCARD s"), Reply::count(many - popped));
            let effects = engine.take_effects();
            assert_eq!(effects.len(), popped.div_ceil(BATCH));
            let logged = effects.iter().flat_map(|effect| {
                assert_eq!(effect.argv[..2], [&b"SREM"[..], b"s"]);
                effect.argv[2..].iter()
            });
            assert!(logged.eq(&gone));
        }
    }

    #[test]
    fn spop_of_everything_leaves_nothing_to_chance() {
        for (line, logged) in [("SPOP s 3", "DEL s"), ("SPOP s 1000", "DEL s")] {
            let mut engine = Engine::new(Config::default());
            engine.keep_effects(true);
            run(&mut engine, "SADD s a b c");
            assert_eq!(members(&run(&mut engine, line)).len(), 3);
            assert_eq!(run(&mut engine, "EXISTS s"), Reply::Int(0));
            assert_eq!(engine.stats().guessed, 0);
            assert_eq!(engine.take_effects()[1].argv.join(&b' '), logged.as_bytes());
        }
    }

    #[test]
    fn srandmember() {
        let mut engine = Engine::new(Config::default());
        run(&mut engine, "SADD s a b c");
        let all = BTreeSet::from([b"a".to_vec(), b"b".to_vec(), b"c".to_vec()]);
        for (line, count, different) in [
            ("SRANDMEMBER s", 1, 1),
            ("SRANDMEMBER s 2", 2, 2),
            ("SRANDMEMBER s 9", 3, 3),
            ("SRANDMEMBER s -500", 500, 3),
        ] {
            let drawn = members(&run(&mut engine, line));
            let set: BTreeSet<_> = drawn.iter().cloned().collect();
            assert_eq!((drawn.len(), set.len()), (count, different), "{line}");
            assert!(set.is_subset(&all));
        }
        assert!(run(&mut engine, "SRANDMEMBER s -9223372036854775807").is_error());
        assert_eq!(run(&mut engine, "SCARD s"), Reply::Int(3));
    }
}
