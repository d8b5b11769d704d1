//! Commands on keys of any type.

use crate::engine::args::{self, Args};
use crate::engine::command::flag::{DENYOOM, OPTIONS, READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd, container};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::keyspace::{Access, Item};
use crate::engine::reply::Reply;
use crate::value::{Bytes, Value};

pub(super) const COMMANDS: &[Command] = &[
    cmd("del", -2, WRITE, Keys::ALL, Since::both(1, 0), del),
    cmd("unlink", -2, WRITE, Keys::ALL, Since::both(4, 0), del),
    cmd("exists", -2, READONLY, Keys::ALL, Since::both(1, 0), exists),
    cmd("touch", -2, READONLY, Keys::ALL, Since::both(3, 2), exists),
    cmd("type", 2, READONLY, Keys::ONE, Since::both(1, 0), type_of),
    cmd("rename", 3, WRITE, Keys::TWO, Since::both(1, 0), rename),
    cmd("renamenx", 3, WRITE, Keys::TWO, Since::both(1, 0), renamenx),
    cmd("move", 3, WRITE, Keys::ONE, Since::both(1, 0), move_key),
    cmd("copy", -3, WRITE | DENYOOM | OPTIONS, Keys::TWO, Since::both(6, 2), copy),
    container("object", Since::both(2, 2), OBJECT),
    container("memory", Since::both(4, 0), MEMORY),
];

const OBJECT: &[Command] = &[
    cmd("object|encoding", 3, READONLY, OBJECT_KEY, Since::both(2, 2), object_encoding),
    cmd("object|refcount", 3, READONLY, OBJECT_KEY, Since::both(2, 2), object_refcount),
    cmd("object|idletime", 3, READONLY, OBJECT_KEY, Since::both(2, 2), object_idletime),
    cmd("object|freq", 3, READONLY, OBJECT_KEY, Since::both(4, 0), object_freq),
];

const MEMORY: &[Command] =
    &[cmd("memory|usage", -3, READONLY, OBJECT_KEY, Since::both(4, 0), memory_usage)];

const OBJECT_KEY: Keys = Keys::Range { first: 2, last: 2, step: 1 };

fn del(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let mut gone = 0;
    for key in argv.iter().skip(1) {
        if ctx.delete(key) {
            ctx.changed(key, 1);
            gone += 1;
        }
    }
    Ok(Reply::count(gone))
}

fn exists(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    Ok(Reply::count(argv.iter().skip(1).filter(|key| ctx.exists(key)).count()))
}

fn type_of(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    Ok(match ctx.value(argv[1]) {
        None => Reply::Simple("none"),
        Some(value) => Reply::word(value.type_name()),
    })
}

fn rename(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    rename_to(ctx, argv[1], argv[2])?;
    Ok(Reply::OK)
}

fn renamenx(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (from, to) = (argv[1], argv[2]);
    if !ctx.exists(from) {
        return Err(Failure::NO_KEY);
    }
    if ctx.exists(to) {
        return Ok(Reply::Int(0));
    }
    rename_to(ctx, from, to)?;
    Ok(Reply::Int(1))
}

fn rename_to(ctx: &mut Ctx<'_>, from: &[u8], to: &[u8]) -> Result<(), Failure> {
    if from == to {
        return if ctx.exists(from) { Ok(()) } else { Err(Failure::NO_KEY) };
    }
    let item = ctx.take(from).ok_or(Failure::NO_KEY)?;
    ctx.put(to, item);
    ctx.changed(from, 1);
    ctx.changed(to, 0);
    Ok(())
}

/// A database number that this server has.
fn db_number(ctx: &Ctx<'_>, arg: &[u8]) -> Result<u64, Failure> {
    let db = u64::try_from(args::int32(arg)?).map_err(|_| Failure::DB_RANGE)?;
    if db < ctx.engine.config().databases { Ok(db) } else { Err(Failure::DB_RANGE) }
}

/// Does what `work` says with another database selected.
fn in_db<R>(ctx: &mut Ctx<'_>, db: u64, work: impl FnOnce(&mut Ctx<'_>) -> R) -> R {
    let here = std::mem::replace(&mut ctx.session.db, db);
    let result = work(ctx);
    ctx.session.db = here;
    result
}

fn move_key(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (key, db) = (argv[1], db_number(ctx, argv[2])?);
    if db == ctx.session.db {
        return Err(Failure::SAME_OBJECT);
    }
    if !ctx.exists(key) || in_db(ctx, db, |ctx| ctx.exists(key)) {
        return Ok(Reply::Int(0));
    }
    if let Some(mut item) = ctx.take(key) {
        // 2.4 forgets the expire time, newer servers take it along.
        if !ctx.release().has_redis(2, 8) {
            item.expire_at_ms = None;
        }
        ctx.changed(key, 1);
        in_db(ctx, db, |ctx| {
            ctx.put(key, item);
            ctx.changed(key, 0);
        });
    }
    Ok(Reply::Int(1))
}

/// `COPY source destination [DB n] [REPLACE]`
fn copy(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (from, to) = (argv[1], argv[2]);
    let (mut db, mut replace) = (ctx.session.db, false);
    let mut args = Args::from(argv, 3);
    while let Some(word) = args.next() {
        if args::is(word, "replace") {
            replace = true;
        } else if args::is(word, "db") && !args.is_empty() {
            db = db_number(ctx, args.value()?)?;
        } else {
            return Err(Failure::SYNTAX);
        }
    }
    if db == ctx.session.db && from == to {
        return Err(Failure::SAME_OBJECT);
    }
    let Some(slot) = ctx.find(from) else { return Ok(Reply::Int(0)) };
    if in_db(ctx, db, |ctx| ctx.exists(to)) && !replace {
        return Ok(Reply::Int(0));
    }
    let item = ctx.keyspace().and_then(|space| {
        let value = space.value(slot)?;
        Some((value.memory(), value, space.expire(slot)))
    });
    let Some((memory, value, expire_at_ms)) = item else { return Ok(Reply::Int(0)) };
    // No server knows how to copy these; one that learns to will log it.
    if matches!(value, Value::VectorSet(_)) && !ctx.is_loading() {
        return Err(Failure::new("ERR not supported for this module key"));
    }
    ctx.check_memory(memory)?;
    let item = Item { expire_at_ms, ..Item::new(value.clone()) };
    in_db(ctx, db, |ctx| {
        ctx.put(to, item);
        ctx.changed(to, 1);
    });
    Ok(Reply::Int(1))
}

fn object_encoding(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let release = ctx.engine.config().release;
    Ok(ctx.value(argv[2]).map_or(Reply::Nil, |value| Reply::bulk(release.encoding_of(value))))
}

fn object_refcount(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    Ok(if ctx.exists(argv[2]) { Reply::Int(1) } else { Reply::Nil })
}

fn object_idletime(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    Ok(match access(ctx, argv[2]) {
        None => Reply::Nil,
        Some(Some(Access::Idle(seconds))) => Reply::Int(i64::try_from(seconds).unwrap_or(i64::MAX)),
        Some(_) => Reply::Int(0),
    })
}

fn object_freq(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    match access(ctx, argv[2]) {
        None => Ok(Reply::Nil),
        Some(Some(Access::Freq(freq))) => Ok(Reply::Int(freq.into())),
        Some(_) => Err(Failure::new(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. \
             Please note that when switching between policies at runtime LRU and LFU data \
             will take some time to adjust.",
        )),
    }
}

fn access(ctx: &mut Ctx<'_>, key: &[u8]) -> Option<Option<Access>> {
    let slot = ctx.find(key)?;
    Some(ctx.keyspace()?.access(slot))
}

/// What this engine holds for a key, which is not what a server would.
fn memory_usage(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    match argv.get(3..).unwrap_or_default() {
        [] => {}
        // Everything is counted.
        [word, samples] if word.eq_ignore_ascii_case(b"samples") => {
            if args::int(samples)? < 0 {
                return Err(Failure::SYNTAX);
            }
        }
        _ => return Err(Failure::SYNTAX),
    }
    let key = size_of::<Bytes>() + argv[2].len();
    let value = ctx.value(argv[2]).map(|value| size_of::<Value>() + value.memory());
    Ok(value.map_or(Reply::Nil, |value| Reply::count(key + value)))
}
