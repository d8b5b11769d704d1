//! Hashes. What has to do with expire times of fields is in `hash_ttl`.

use super::keyspace::{ScanOptions, scan_cursor, scan_reply};
use super::sample::{Sample, sample};
use crate::encoding::Entry;
use crate::encoding::number::{MAX_I64_TEXT, i64_text};
use crate::engine::args::{self, Args};
use crate::engine::command::flag::{DENYOOM, RANDOM, READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::longdouble::LongDouble;
use crate::engine::release::{Family, Release};
use crate::engine::reply::Reply;
use crate::value::{DataType, FieldRef, Hash};

pub(super) const COMMANDS: &[Command] = &[
    cmd("hset", -4, WRITE | DENYOOM, Keys::ONE, Since::both(2, 0), hset),
    cmd("hmset", -4, WRITE | DENYOOM, Keys::ONE, Since::both(2, 0), hmset),
    cmd("hsetnx", 4, WRITE | DENYOOM, Keys::ONE, Since::both(2, 0), hsetnx),
    cmd("hget", 3, READONLY, Keys::ONE, Since::both(2, 0), hget),
    cmd("hmget", -3, READONLY, Keys::ONE, Since::both(2, 0), hmget),
    cmd("hgetall", 2, READONLY, Keys::ONE, Since::both(2, 0), hgetall),
    cmd("hkeys", 2, READONLY, Keys::ONE, Since::both(2, 0), hkeys),
    cmd("hvals", 2, READONLY, Keys::ONE, Since::both(2, 0), hvals),
    cmd("hlen", 2, READONLY, Keys::ONE, Since::both(2, 0), hlen),
    cmd("hexists", 3, READONLY, Keys::ONE, Since::both(2, 0), hexists),
    cmd("hstrlen", 3, READONLY, Keys::ONE, Since::both(3, 2), hstrlen),
    cmd("hdel", -3, WRITE, Keys::ONE, Since::both(2, 0), hdel),
    cmd("hincrby", 4, WRITE | DENYOOM, Keys::ONE, Since::both(2, 0), hincrby),
    cmd("hincrbyfloat", 4, WRITE | DENYOOM, Keys::ONE, Since::both(2, 6), hincrbyfloat),
    cmd("hrandfield", -2, READONLY | RANDOM, Keys::ONE, Since::both(6, 2), hrandfield),
    cmd("hscan", -3, READONLY, Keys::ONE, Since::both(2, 8), hscan),
];

/// Are these fields and values too many or too long for a listpack? Servers look before they begin.
pub(super) fn outgrow(ctx: &Ctx<'_>, texts: &[&[u8]]) -> bool {
    let limits = ctx.limits();
    ctx.release().has_redis(7, 2) && texts.len() / 2 > limits.hash_entries
        || texts.iter().any(|text| text.len() > limits.hash_value)
}

fn set_pairs(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Result<usize, Failure> {
    let key = argv[1];
    let (pairs, []) = argv.get(2..).unwrap_or_default().as_chunks::<2>() else {
        return Err(Failure::arity(ctx.command.name));
    };
    let (limits, outgrow) = (ctx.limits(), outgrow(ctx, pairs.as_flattened()));
    let hash = ctx.write_or_create::<Hash>(key)?;
    if outgrow {
        hash.unfold();
    }
    let new = hash.set_all(pairs, &limits);
    ctx.changed(key, pairs.len());
    Ok(new)
}

fn hset(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    set_pairs(ctx, argv).map(Reply::count)
}

fn hmset(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    set_pairs(ctx, argv).map(|_| Reply::OK)
}

fn hsetnx(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (key, name, value) = (argv[1], argv[2], argv[3]);
    if ctx.read::<Hash>(key)?.is_some_and(|hash| hash.get(name).is_some()) {
        return Ok(Reply::Int(0));
    }
    let (limits, outgrow) = (ctx.limits(), outgrow(ctx, &[name, value]));
    let hash = ctx.write_or_create::<Hash>(key)?;
    if outgrow {
        hash.unfold();
    }
    let volatile = hash.min_expire().is_some();
    hash.set(name, value, &limits);
    ctx.changed(key, 1);
    if volatile && ctx.release().family == Family::Valkey {
        ctx.log_as(&[b"HSET", key, name, value]);
    }
    Ok(Reply::Int(1))
}

pub(super) fn value_or_nil(field: Option<FieldRef<'_>>) -> Reply {
    field.map_or(Reply::Nil, |field| Reply::entry(field.value))
}

fn hget(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let hash = ctx.read::<Hash>(argv[1])?;
    Ok(value_or_nil(hash.and_then(|hash| hash.get(argv[2]))))
}

fn hmget(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let hash = ctx.read::<Hash>(argv[1])?;
    let names = argv.iter().skip(2);
    Ok(Reply::Array(names.map(|name| value_or_nil(hash.and_then(|hash| hash.get(name)))).collect()))
}

fn hgetall(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let fields = ctx.read::<Hash>(argv[1])?.into_iter().flat_map(Hash::iter);
    Ok(Reply::Map(fields.map(|f| (Reply::entry(f.name), Reply::entry(f.value))).collect()))
}

fn hkeys(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let fields = ctx.read::<Hash>(argv[1])?.into_iter().flat_map(Hash::iter);
    Ok(Reply::Array(fields.map(|field| Reply::entry(field.name)).collect()))
}

fn hvals(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let fields = ctx.read::<Hash>(argv[1])?.into_iter().flat_map(Hash::iter);
    Ok(Reply::Array(fields.map(|field| Reply::entry(field.value)).collect()))
}

fn hlen(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    Ok(Reply::count(ctx.read::<Hash>(argv[1])?.map_or(0, Hash::len)))
}

fn hexists(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let hash = ctx.read::<Hash>(argv[1])?;
    Ok(Reply::flag(hash.is_some_and(|hash| hash.get(argv[2]).is_some())))
}

fn hstrlen(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let hash = ctx.read::<Hash>(argv[1])?;
    let field = hash.and_then(|hash| hash.get(argv[2]));
    Ok(Reply::count(field.map_or(0, |field| field.value.text_len())))
}

fn hdel(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let key = argv[1];
    let Some(hash) = ctx.write::<Hash>(key)? else { return Ok(Reply::Int(0)) };
    let gone = argv.iter().skip(2).filter(|name| hash.remove(name)).count();
    ctx.drop_if_empty(key);
    if gone > 0 {
        ctx.changed(key, gone);
    }
    Ok(Reply::count(gone))
}

fn hincrby(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (key, name) = (argv[1], argv[2]);
    let by = args::int(argv[3])?;
    let limits = ctx.limits();
    // A key that is new cannot fail below, and so is not left empty.
    let hash = ctx.write_or_create::<Hash>(key)?;
    let (old, expire) = match hash.get(name) {
        None => (Some(0), None),
        Some(field) => (field.value.as_int(), field.expire_at_ms),
    };
    let old = old.ok_or_else(|| Failure::new("ERR hash value is not an integer"))?;
    let sum = old.checked_add(by).ok_or(Failure::OVERFLOW)?;
    let mut buffer = [0; MAX_I64_TEXT];
    let text = i64_text(sum, &mut buffer);
    let volatile = hash.min_expire().is_some();
    hash.set_keep_ttl(name, text, &limits);
    ctx.changed(key, 1);
    if volatile && ctx.release().family == Family::Valkey {
        log_value(ctx, key, name, text, expire);
    }
    Ok(Reply::Int(sum))
}

fn hincrbyfloat(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (key, name) = (argv[1], argv[2]);
    let by = LongDouble::parse(argv[3]).ok_or(Failure::NOT_FLOAT)?;
    if by.is_infinite() {
        return Err(Failure::new("ERR value is NaN or Infinity"));
    }
    let limits = ctx.limits();
    let hash = ctx.write_or_create::<Hash>(key)?;
    let (old, expire) = match hash.get(name) {
        None => (Some(LongDouble::from_int(0)), None),
        Some(field) => (long_double(field.value), field.expire_at_ms),
    };
    let old = old.ok_or_else(|| Failure::new("ERR hash value is not a float"))?;
    let text = old.plus(by).ok_or(Failure::NAN_OR_INF)?.text();
    hash.set_keep_ttl(name, &text, &limits);
    ctx.changed(key, 1);
    match ctx.release().has_redis(8, 0) {
        true => ctx.log_as(&[b"HSETEX", key, b"KEEPTTL", b"FIELDS", b"1", name, &text]),
        false => log_value(ctx, key, name, &text, expire),
    }
    Ok(Reply::Bulk(text))
}

fn long_double(value: Entry<'_>) -> Option<LongDouble> {
    match value {
        Entry::Int(number) => Some(LongDouble::from_int(number)),
        Entry::Str(text) => LongDouble::parse(text),
    }
}

/// Logs what a field came to, as servers without `HSETEX … KEEPTTL` do.
fn log_value(ctx: &mut Ctx<'_>, key: &[u8], name: &[u8], value: &[u8], expire: Option<i64>) {
    match expire {
        Some(at) if ctx.release().family == Family::Valkey => {
            let mut buffer = [0; MAX_I64_TEXT];
            let at = i64_text(at, &mut buffer);
            ctx.log_as(&[b"HSETEX", key, b"PXAT", at, b"FIELDS", b"1", name, value]);
        }
        _ => ctx.log_as(&[b"HSET", key, name, value]),
    }
}

/// `HRANDFIELD key [count [WITHVALUES]]`
fn hrandfield(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let wanted = Sample::parse(argv, "withvalues")?;
    let mut rng = ctx.engine.rng.fork();
    let hash = ctx.read::<Hash>(argv[1])?;
    let (all, one) = (|| hash.into_iter().flat_map(Hash::iter), |rng: &mut _| hash?.random(rng));
    let fields = sample(wanted, hash.map_or(0, Hash::len), &mut rng, all, one)?;
    Ok(wanted
        .reply(fields.into_iter().map(|f| (Reply::entry(f.name), move || Reply::entry(f.value)))))
}

/// Does this server know the NOVALUES of HSCAN?
pub(super) fn has_novalues(release: Release) -> bool {
    release.has((7, 4), (8, 0))
}

/// `HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]`
fn hscan(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (cursor, release) = (scan_cursor(argv[2])?, ctx.release());
    let Some(hash) = ctx.read::<Hash>(argv[1])? else { return Ok(scan_reply(0, Vec::new())) };
    let mut args = Args::from(argv, 3);
    let (mut wanted, mut values) = (ScanOptions::default(), true);
    while let Some(word) = args.next() {
        match args::is(word, "novalues") && has_novalues(release) {
            true => values = false,
            false => wanted.parse(word, &mut args)?,
        }
    }
    let mut found = Vec::new();
    let next = hash.scan(cursor, wanted.count, |field| {
        if wanted.fits(field.name.text(&mut [0; MAX_I64_TEXT])) {
            found.push(Reply::entry(field.name));
            found.extend(values.then(|| Reply::entry(field.value)));
        }
    });
    Ok(scan_reply(next, found))
}
