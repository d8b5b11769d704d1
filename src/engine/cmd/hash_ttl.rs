//! Expire times of hash fields: HEXPIRE, HTTL and their kin, HPERSIST, HGETEX, HGETDEL. HSETEX is in
//! `hsetex`. Redis (7.4, 8.0) and Valkey (9.0) have them under the same names, but read their arguments
//! in another order, with other errors, and log other commands (FORMATS E.2).

use super::expire::{ExpireFlags, TtlOption};
use super::hash::value_or_nil;
use crate::encoding::number::{MAX_I64_TEXT, i64_text};
use crate::engine::args::{self, Args};
use crate::engine::command::flag::{READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::release::Family;
use crate::engine::reply::Reply;
use crate::limits::FIELD_EXPIRE_MAX_MS;
use crate::value::Hash;

const SINCE: Since = Since::each((7, 4), (9, 0));

pub(super) const COMMANDS: &[Command] = &[
    cmd("hexpire", -6, WRITE, Keys::ONE, SINCE, hexpire),
    cmd("hpexpire", -6, WRITE, Keys::ONE, SINCE, hpexpire),
    cmd("hexpireat", -6, WRITE, Keys::ONE, SINCE, hexpireat),
    cmd("hpexpireat", -6, WRITE, Keys::ONE, SINCE, hpexpireat),
    cmd("httl", -5, READONLY, Keys::ONE, SINCE, httl),
    cmd("hpttl", -5, READONLY, Keys::ONE, SINCE, hpttl),
    cmd("hexpiretime", -5, READONLY, Keys::ONE, SINCE, hexpiretime),
    cmd("hpexpiretime", -5, READONLY, Keys::ONE, SINCE, hpexpiretime),
    cmd("hpersist", -5, WRITE, Keys::ONE, SINCE, hpersist),
    cmd("hgetex", -5, WRITE, Keys::ONE, Since::each((8, 0), (9, 0)), hgetex),
    cmd("hgetdel", -5, WRITE, Keys::ONE, Since::each((8, 0), (9, 1)), hgetdel),
];

const NO_FIELDS: &str = "ERR Mandatory argument FIELDS is missing or not at the right position";
const MISMATCH: &str = "ERR The `numfields` parameter must match the number of arguments";
const BAD_COUNT: &str = "ERR Number of fields must be a positive integer";
const VALKEY_MISMATCH: &str =
    "ERR numfields should be greater than 0 and match the provided number of fields";

pub(super) fn is_redis(ctx: &Ctx<'_>) -> bool {
    ctx.release().family == Family::Redis
}

/// The expire time that a number means.
pub(super) fn expire_at(
    ctx: &Ctx<'_>,
    text: &[u8],
    unit_ms: i64,
    base_ms: i64,
) -> Result<i64, Failure> {
    let number = args::int(text)?;
    if number < 0 && is_redis(ctx) {
        return Err(Failure::new("ERR invalid expire time, must be >= 0"));
    }
    let max = if is_redis(ctx) { FIELD_EXPIRE_MAX_MS } else { i64::MAX };
    let at = number.checked_mul(unit_ms).and_then(|ms| ms.checked_add(base_ms));
    at.filter(|at| number >= 0 && *at <= max).ok_or_else(|| Failure::expire_time(ctx.command.name))
}

/// The same for EX, PX, EXAT, PXAT.
pub(super) fn option_at(ctx: &Ctx<'_>, option: TtlOption<'_>) -> Result<Option<i64>, Failure> {
    let now_ms = ctx.now_ms();
    match option {
        TtlOption::Seconds(text) => expire_at(ctx, text, 1000, now_ms).map(Some),
        TtlOption::Milliseconds(text) => expire_at(ctx, text, 1, now_ms).map(Some),
        TtlOption::AtSecond(text) => expire_at(ctx, text, 1000, 0).map(Some),
        TtlOption::AtMillisecond(text) => expire_at(ctx, text, 1, 0).map(Some),
        TtlOption::Word => Ok(None),
    }
}

/// `FIELDS count field …`, all that is left from `at` on, as Redis reads it.
fn redis_fields<'a>(
    argv: &'a [&'a [u8]],
    at: usize,
    bad_count: &str,
) -> Result<&'a [&'a [u8]], Failure> {
    match argv.get(at..) {
        Some([word, count, names @ ..]) if args::is(word, "fields") => {
            let count = args::int_in(count, 1, i64::MAX).map_err(|_| Failure::new(bad_count))?;
            let same = i64::try_from(names.len()) == Ok(count);
            if same { Ok(names) } else { Err(Failure::new(MISMATCH)) }
        }
        _ => Err(Failure::new(NO_FIELDS)),
    }
}

/// The same as Valkey reads it where nothing else can stand before.
fn valkey_fields<'a>(argv: &'a [&'a [u8]], mismatch: Failure) -> Result<&'a [&'a [u8]], Failure> {
    let (word, names) = (argv[2], argv.get(4..).unwrap_or_default());
    if !args::is(word, "fields") {
        return Err(Failure::SYNTAX);
    }
    let count = args::int(argv[3])?;
    if i64::try_from(names.len()) == Ok(count) { Ok(names) } else { Err(mismatch) }
}

/// The same where options can: it looks for the word FIELDS, beginning `from` somewhere, and only then
/// at the options before it. Each field takes `each` arguments.
pub(super) fn valkey_options<'a, T>(
    argv: &'a [&'a [u8]],
    (from, options): (usize, usize),
    each: i64,
    parse: impl FnOnce(&'a [&'a [u8]]) -> Result<T, Failure>,
) -> Result<(T, &'a [&'a [u8]]), Failure> {
    let mismatch = || Failure::new(VALKEY_MISMATCH);
    let last = argv.len().saturating_sub(1);
    let at = (from..last).find(|at| args::is(argv[*at], "fields")).ok_or_else(mismatch)?;
    let parsed = parse(argv.get(options..at).unwrap_or_default())?;
    let count = args::int(argv[at + 1])?;
    let fields = argv.get(at + 2..).unwrap_or_default();
    let there = i64::try_from(fields.len()).ok();
    if count == 0 || count.checked_mul(each) != there {
        Err(mismatch())
    } else {
        Ok((parsed, fields))
    }
}

/// One number for each field that was asked for.
fn ints(numbers: impl IntoIterator<Item = i64>) -> Reply {
    Reply::Array(numbers.into_iter().map(Reply::Int).collect())
}

fn hexpire(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    set_expire(ctx, argv, 1000, ctx.now_ms())
}

fn hpexpire(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    set_expire(ctx, argv, 1, ctx.now_ms())
}

fn hexpireat(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    set_expire(ctx, argv, 1000, 0)
}

fn hpexpireat(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    set_expire(ctx, argv, 1, 0)
}

/// What became of a field that was to get an expire time, as the commands answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
enum Fate {
    Missing = -2,
    Unmet = 0,
    Set = 1,
    Deleted = 2,
}

/// `HEXPIRE key seconds [NX|XX|GT|LT] FIELDS count field …`
fn set_expire(ctx: &mut Ctx<'_>, argv: &[&[u8]], unit_ms: i64, base_ms: i64) -> Outcome {
    let (key, time) = (argv[1], argv[2]);
    let (flags, names, at) = if is_redis(ctx) {
        ctx.read::<Hash>(key)?;
        let at = expire_at(ctx, time, unit_ms, base_ms)?;
        let flagged = ["nx", "xx", "gt", "lt"].iter().any(|flag| args::is(argv[3], flag));
        let first = 3 + usize::from(flagged);
        let bad_count = "ERR Parameter `numFields` should be greater than 0";
        (&argv[3..first], redis_fields(argv, first, bad_count)?, at)
    } else {
        let flags = |words| ExpireFlags::parse(words).map(|_| words);
        let (flags, names) = valkey_options(argv, (3, 3), 1, flags)?;
        (flags, names, expire_at(ctx, time, unit_ms, base_ms)?)
    };
    let fates = expire_fields(ctx, key, names, at, ExpireFlags::parse(flags)?)?;
    log_expire(ctx, (key, flags, names, &fates), at);
    Ok(ints(fates.iter().map(|fate| *fate as i64)))
}

/// Gives fields an expire time, or deletes them if it is past.
fn expire_fields(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    names: &[&[u8]],
    at: i64,
    flags: ExpireFlags,
) -> Result<Vec<Fate>, Failure> {
    let (past, redis) = (ctx.is_past(at), is_redis(ctx));
    let Some(hash) = ctx.write::<Hash>(key)? else { return Ok(vec![Fate::Missing; names.len()]) };
    if redis {
        hash.make_room_for_expire();
    }
    let mut expire = |name: &[u8]| match hash.get(name).map(|field| field.expire_at_ms) {
        None => Fate::Missing,
        Some(old) if !flags.allow(old, at) => Fate::Unmet,
        Some(_) if past => {
            hash.remove(name);
            Fate::Deleted
        }
        Some(_) => {
            if !redis {
                hash.unfold();
            }
            hash.set_expire(name, Some(at));
            Fate::Set
        }
    };
    let fates: Vec<Fate> = names.iter().map(|name| expire(name)).collect();
    let changes = fates.iter().filter(|fate| matches!(fate, Fate::Set | Fate::Deleted)).count();
    if changes > 0 {
        ctx.drop_if_empty(key);
        ctx.changed(key, changes);
    }
    Ok(fates)
}

type Expired<'a> = (&'a [u8], &'a [&'a [u8]], &'a [&'a [u8]], &'a [Fate]);

fn log_expire(ctx: &mut Ctx<'_>, (key, flags, names, fates): Expired<'_>, at: i64) {
    if !ctx.logs() {
        return;
    }
    let of = |wanted: Fate| {
        let both = names.iter().zip(fates);
        both.filter(move |(_, fate)| **fate == wanted).map(|(name, _)| *name)
    };
    let (set, deleted): (Vec<&[u8]>, Vec<&[u8]>) =
        (of(Fate::Set).collect(), of(Fate::Deleted).collect());
    log_deleted(ctx, key, &deleted);
    if !set.is_empty() {
        let names = if is_redis(ctx) { &set } else { names };
        log_expire_at(ctx, key, at, flags, names);
    }
}

/// Logs that fields were deleted since their time was past: one command each in Redis.
pub(super) fn log_deleted(ctx: &mut Ctx<'_>, key: &[u8], names: &[&[u8]]) {
    if is_redis(ctx) {
        names.iter().for_each(|name| ctx.log_as(&[b"HDEL", key, name]));
    } else if !names.is_empty() {
        ctx.log_as(&[&[&b"HDEL"[..], key], names].concat());
    }
}

fn log_expire_at(ctx: &mut Ctx<'_>, key: &[u8], at: i64, flags: &[&[u8]], names: &[&[u8]]) {
    let (mut time, mut count) = ([0; MAX_I64_TEXT], [0; MAX_I64_TEXT]);
    let head = [&b"HPEXPIREAT"[..], key, i64_text(at, &mut time)];
    let fields = [&b"FIELDS"[..], i64_text(names.len() as i64, &mut count)];
    ctx.log_as(&[&head, flags, &fields, names].concat());
}

fn httl(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    times(ctx, argv, 1000, ctx.now_ms())
}

fn hpttl(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    times(ctx, argv, 1, ctx.now_ms())
}

fn hexpiretime(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    times(ctx, argv, 1000, 0)
}

fn hpexpiretime(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    times(ctx, argv, 1, 0)
}

/// −2 without a field, −1 without an expire time. Redis rounds seconds up, Valkey to the nearest.
fn times(ctx: &mut Ctx<'_>, argv: &[&[u8]], unit_ms: i64, base_ms: i64) -> Outcome {
    let redis = is_redis(ctx);
    let names = if redis {
        ctx.read::<Hash>(argv[1])?;
        redis_fields(argv, 2, BAD_COUNT)?
    } else {
        valkey_fields(argv, Failure::SYNTAX)?
    };
    let hash = ctx.read::<Hash>(argv[1])?;
    let round_up = if redis { unit_ms - 1 } else { unit_ms / 2 };
    let time = |name: &&[u8]| match hash.and_then(|hash| hash.get(name)).map(|f| f.expire_at_ms) {
        None => -2,
        Some(None) => -1,
        Some(Some(at)) => at.saturating_sub(base_ms).max(0).saturating_add(round_up) / unit_ms,
    };
    Ok(ints(names.iter().map(time)))
}

/// HPERSIST key FIELDS count field …
fn hpersist(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let key = argv[1];
    let redis = is_redis(ctx);
    let names = if redis {
        ctx.read::<Hash>(key)?;
        redis_fields(argv, 2, BAD_COUNT)?
    } else {
        valkey_fields(argv, Failure::new(VALKEY_MISMATCH))?
    };
    let Some(hash) = ctx.write::<Hash>(key)? else { return Ok(ints(names.iter().map(|_| -2))) };
    let mut persist = |name: &[u8]| match hash.get(name).map(|field| field.expire_at_ms) {
        None => -2,
        Some(None) => -1,
        Some(Some(_)) => {
            hash.set_expire(name, None);
            1
        }
    };
    let answers: Vec<i64> = names.iter().map(|name| persist(name)).collect();
    let changes = answers.iter().filter(|answer| **answer == 1).count();
    if changes > 0 {
        ctx.changed(key, if redis { 1 } else { changes });
    }
    Ok(ints(answers))
}

/// The time option of HGETEX, if there is one, and the fields.
#[allow(clippy::type_complexity)]
fn hgetex_args<'a>(
    ctx: &mut Ctx<'_>,
    argv: &'a [&'a [u8]],
) -> Result<(Option<Option<i64>>, &'a [&'a [u8]]), Failure> {
    if is_redis(ctx) {
        ctx.read::<Hash>(argv[1])?;
        let mut args = Args::from(argv, 3);
        let option = TtlOption::parse(argv[2], &mut args, None, "persist")?;
        let at = option.map(|option| option_at(ctx, option)).transpose()?;
        let first = argv.len() - args.len() - usize::from(option.is_none());
        if first + 1 >= argv.len() {
            return Err(Failure::arity(ctx.command.name));
        }
        return Ok((at, redis_fields(argv, first, BAD_COUNT)?));
    }
    let (option, names) = valkey_options(argv, (0, 2), 1, |words| {
        let mut args = Args::from(words, 0);
        let mut option = None;
        while let Some(word) = args.next() {
            let parsed = TtlOption::parse(word, &mut args, option, "persist")?;
            option = Some(parsed.ok_or(Failure::SYNTAX)?);
        }
        Ok(option)
    })?;
    ctx.read::<Hash>(argv[1])?;
    Ok((option.map(|option| option_at(ctx, option)).transpose()?, names))
}

/// `HGETEX key [EX …|PX …|EXAT …|PXAT …|PERSIST] FIELDS count field …`
fn hgetex(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let key = argv[1];
    let (option, names) = hgetex_args(ctx, argv)?;
    let (redis, past) = (is_redis(ctx), option.flatten().is_some_and(|at| ctx.is_past(at)));
    let Some(hash) = ctx.write::<Hash>(key)? else {
        return Ok(Reply::Array(vec![Reply::Nil; names.len()]));
    };
    if redis && option.is_some() {
        hash.make_room_for_expire();
    }
    let (mut values, mut changed) = (Vec::new(), Vec::new());
    for name in names {
        let field = hash.get(name);
        values.push(value_or_nil(field));
        let (Some(field), Some(at)) = (field, option) else { continue };
        match at {
            None if field.expire_at_ms.is_none() => continue,
            Some(_) if past => {
                hash.remove(name);
            }
            at => {
                if at.is_some() && !redis {
                    hash.unfold();
                }
                hash.set_expire(name, at);
            }
        }
        changed.push(*name);
    }
    if !changed.is_empty() {
        ctx.drop_if_empty(key);
        ctx.changed(key, changed.len());
        let logged = if redis { names } else { &changed };
        match option.flatten() {
            Some(_) if past => log_deleted(ctx, key, &changed),
            Some(at) => log_expire_at(ctx, key, at, &[], logged),
            None => {
                let mut count = [0; MAX_I64_TEXT];
                let count = i64_text(logged.len() as i64, &mut count);
                ctx.log_as(&[&[&b"HPERSIST"[..], key, b"FIELDS", count], logged].concat());
            }
        }
    }
    Ok(Reply::Array(values))
}

/// HGETDEL key FIELDS count field …
fn hgetdel(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let key = argv[1];
    let redis = is_redis(ctx);
    let names = if redis {
        ctx.read::<Hash>(key)?;
        redis_fields(argv, 2, BAD_COUNT)?
    } else {
        valkey_fields(argv, Failure::new(VALKEY_MISMATCH))?
    };
    let Some(hash) = ctx.write::<Hash>(key)? else {
        return Ok(Reply::Array(vec![Reply::Nil; names.len()]));
    };
    let mut gone = 0;
    let mut take = |name: &[u8]| {
        let value = value_or_nil(hash.get(name));
        gone += usize::from(hash.remove(name));
        value
    };
    let values = names.iter().map(|name| take(name)).collect();
    if gone > 0 {
        ctx.drop_if_empty(key);
        ctx.changed(key, gone);
        if redis {
            ctx.log_as(&[&[&b"HDEL"[..], key], names].concat());
        }
    }
    Ok(Reply::Array(values))
}
