//! Commands on whole databases, and those that walk them.

use crate::engine::args::{self, Args};
use crate::engine::command::flag::{OPTIONS, RANDOM, READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::reply::Reply;
use crate::engine::{Mode, keyspace::Keyspace};
use crate::glob;

pub(super) const COMMANDS: &[Command] = &[
    cmd("select", 2, 0, Keys::None, Since::both(1, 0), select),
    cmd("swapdb", 3, WRITE, Keys::None, Since::both(4, 0), swapdb),
    cmd("flushdb", -1, WRITE | OPTIONS, Keys::None, Since::both(1, 0), flushdb),
    cmd("flushall", -1, WRITE | OPTIONS, Keys::None, Since::both(1, 0), flushall),
    cmd("dbsize", 1, READONLY, Keys::None, Since::both(1, 0), dbsize),
    cmd("keys", 2, READONLY, Keys::None, Since::both(1, 0), keys),
    cmd("scan", -2, READONLY, Keys::None, Since::both(2, 8), scan),
    cmd("randomkey", 1, READONLY | RANDOM, Keys::None, Since::both(1, 0), randomkey),
];

fn select(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let db = u64::try_from(args::int32(argv[1])?).map_err(|_| Failure::DB_RANGE)?;
    if db >= ctx.engine.config.databases {
        return Err(Failure::DB_RANGE);
    }
    ctx.session.db = db;
    Ok(Reply::OK)
}

fn swapdb(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let number = |arg: &[u8], which: &str| {
        args::int32(arg).map_err(|_| Failure::new(format!("ERR invalid {which} DB index")))
    };
    let (a, b) = (number(argv[1], "first")?, number(argv[2], "second")?);
    let in_range = |db| u64::try_from(db).ok().filter(|db| *db < ctx.engine.config.databases);
    let (a, b) = (in_range(a).ok_or(Failure::DB_RANGE)?, in_range(b).ok_or(Failure::DB_RANGE)?);
    let engine = &mut *ctx.engine;
    if a != b {
        let [first, second] = [a, b].map(|db| engine.dbs.remove(&db).unwrap_or_default());
        for db in [a, b] {
            engine
                .watch
                .touch_db(db, |key| [&first, &second].iter().any(|s| s.find(key).is_some()));
        }
        engine.dbs.extend([(a, second), (b, first)]);
    }
    engine.dirty += 1;
    Ok(Reply::OK)
}

/// `FLUSHDB [ASYNC|SYNC]`: the same to us.
fn flush_mode(argv: &[&[u8]]) -> Result<(), Failure> {
    match argv.get(1..).unwrap_or_default() {
        [] => Ok(()),
        [mode] if args::is(mode, "async") || args::is(mode, "sync") => Ok(()),
        _ => Err(Failure::SYNTAX),
    }
}

fn flushdb(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    flush_mode(argv)?;
    let db = ctx.session.db;
    flush(ctx, db);
    ctx.engine.dirty += 1;
    Ok(Reply::OK)
}

fn flushall(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    flush_mode(argv)?;
    for db in ctx.engine.dbs.keys().copied().collect::<Vec<_>>() {
        flush(ctx, db);
    }
    ctx.engine.dirty += 1;
    Ok(Reply::OK)
}

fn flush(ctx: &mut Ctx<'_>, db: u64) {
    if let Some(space) = ctx.engine.dbs.remove(&db) {
        ctx.engine.watch.touch_db(db, |key| space.find(key).is_some());
        ctx.engine.dirty += space.len() as u64;
        ctx.engine.put_away(space);
    }
}

fn dbsize(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    Ok(Reply::count(ctx.keyspace().map_or(0, Keyspace::len)))
}

/// Is a key or a field with this expire time to be left out of what is shown?
pub(super) fn hidden(ctx: &Ctx<'_>, expire_at_ms: Option<i64>) -> bool {
    ctx.engine.mode == Mode::Serving && expire_at_ms.is_some_and(|at| at < ctx.now_ms())
}

fn keys(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let Some(space) = ctx.keyspace() else { return Ok(Reply::Array(Vec::new())) };
    let shown = space.iter().filter(|key| !hidden(ctx, key.expire_at_ms));
    Ok(Reply::bulks(shown.filter(|key| glob::matches(argv[1], key.key)).map(|key| key.key)))
}

/// `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`
fn scan(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let cursor = scan_cursor(argv[1])?;
    let mut args = Args::from(argv, 2);
    let mut wanted = ScanOptions::default();
    let mut type_name = None;
    while let Some(word) = args.next() {
        match args::is(word, "type") {
            true => type_name = Some(args.value()?.to_ascii_lowercase()),
            false => wanted.parse(word, &mut args)?,
        }
    }
    let (mut found, mut dead) = (Vec::new(), Vec::new());
    let next = ctx.keyspace().map_or(0, |space| {
        space.scan(cursor, wanted.count, |slot, key, value| {
            let type_name_fits =
                || type_name.as_ref().is_none_or(|name| value.type_name().as_bytes() == name);
            if !wanted.fits(key) {
            } else if hidden(ctx, space.expire(slot)) {
                dead.push(slot);
            } else if type_name_fits() {
                found.push(Reply::bulk(key));
            }
        })
    });
    let db = ctx.session.db;
    dead.into_iter().for_each(|slot| ctx.engine.remove_dead(db, slot));
    Ok(scan_reply(next, found))
}

/// The cursor of SCAN and its kin: an unsigned number, of which C also reads negative ones.
pub(super) fn scan_cursor(arg: &[u8]) -> Result<u64, Failure> {
    let (negative, digits) = match arg {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let text = std::str::from_utf8(digits).ok().filter(|text| !negative || !text.starts_with('+'));
    let cursor = text.and_then(|text| text.parse::<u64>().ok());
    let cursor = cursor.ok_or_else(|| Failure::new("ERR invalid cursor"))?;
    Ok(if negative { cursor.wrapping_neg() } else { cursor })
}

/// MATCH and COUNT, which SCAN and its kin share.
#[derive(Debug)]
pub(super) struct ScanOptions<'a> {
    pattern: Option<&'a [u8]>,
    /// COUNT
    pub(super) count: usize,
}

impl Default for ScanOptions<'_> {
    fn default() -> Self {
        ScanOptions { pattern: None, count: 10 }
    }
}

impl<'a> ScanOptions<'a> {
    /// Takes the option that `word` begins; any other word is a syntax error.
    pub(super) fn parse(&mut self, word: &[u8], args: &mut Args<'a>) -> Result<(), Failure> {
        if args::is(word, "match") {
            self.pattern = Some(args.value()?);
        } else if args::is(word, "count") {
            let count = args::int(args.value()?)?;
            self.count = usize::try_from(count).ok().filter(|n| *n > 0).ok_or(Failure::SYNTAX)?;
        } else {
            return Err(Failure::SYNTAX);
        }
        Ok(())
    }

    /// Does MATCH let this name through?
    pub(super) fn fits(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name))
    }
}

/// What SCAN and its kin answer.
pub(super) fn scan_reply(next: u64, found: Vec<Reply>) -> Reply {
    Reply::Array(vec![Reply::bulk(next.to_string()), Reply::Array(found)])
}

fn randomkey(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    loop {
        let engine = &mut *ctx.engine;
        let space = engine.dbs.get(&ctx.session.db);
        let picked = space.and_then(|space| space.key(space.random(&mut engine.rng)?).cloned());
        match picked {
            None => return Ok(Reply::Nil),
            // One that has expired goes, and another is picked.
            Some(key) if ctx.exists(&key) => return Ok(Reply::bulk(key.as_slice())),
            Some(_) => {}
        }
    }
}
