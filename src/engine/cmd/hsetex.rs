//! HSETEX: sets fields, with a condition and an expire time (Redis 8.0, Valkey 9.0).
//! ```text
//! HSETEX key [FNX|FXX] [EX …|PX …|EXAT …|PXAT …|KEEPTTL] FIELDS count field value …      Redis
//! HSETEX key [NX|XX] [FNX|FXX] [EX …|…|KEEPTTL] FIELDS count field value …               Valkey
//! ```

use super::expire::TtlOption;
use super::hash::outgrow;
use super::hash_ttl::{is_redis, log_deleted, option_at, valkey_options};
use crate::encoding::number::{MAX_I64_TEXT, i64_text};
use crate::engine::args::{self, Args};
use crate::engine::command::flag::{DENYOOM, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::reply::Reply;
use crate::value::Hash;

pub(super) const COMMANDS: &[Command] =
    &[cmd("hsetex", -6, WRITE | DENYOOM, Keys::ONE, Since::each((8, 0), (9, 0)), hsetex)];

/// What stands before FIELDS.
#[derive(Debug, Default)]
struct Options<'a> {
    /// NX (`false`) or XX (`true`): must the key be there?
    key: Option<bool>,
    /// FNX (`false`) or FXX (`true`): must the fields be there?
    fields: Option<bool>,
    ttl: Option<TtlOption<'a>>,
}

/// Notes a condition. The same may come again, its opposite may not.
fn condition(noted: &mut Option<bool>, wanted: bool) -> Result<(), Failure> {
    match noted.replace(wanted) {
        Some(before) if before != wanted => Err(Failure::SYNTAX),
        _ => Ok(()),
    }
}

fn valkey_args<'a>(argv: &'a [&'a [u8]]) -> Result<(Options<'a>, &'a [&'a [u8]]), Failure> {
    valkey_options(argv, (0, 2), 2, |words| {
        let mut args = Args::from(words, 0);
        let mut options = Options::default();
        while let Some(word) = args.next() {
            let is = |name| args::is(word, name);
            if is("nx") || is("xx") {
                condition(&mut options.key, is("xx"))?;
            } else if is("fnx") || is("fxx") {
                condition(&mut options.fields, is("fxx"))?;
            } else {
                let parsed = TtlOption::parse(word, &mut args, options.ttl, "keepttl")?;
                options.ttl = Some(parsed.ok_or(Failure::SYNTAX)?);
            }
        }
        Ok(options)
    })
}

/// Redis checks every argument when it comes to it, the time included.
fn redis_args<'a>(
    ctx: &Ctx<'_>,
    argv: &'a [&'a [u8]],
) -> Result<(Options<'a>, &'a [&'a [u8]]), Failure> {
    let arity = || Failure::arity(ctx.command.name);
    let mut args = Args::from(argv, 2);
    let mut options = Options::default();
    while let Some(word) = args.next() {
        if args::is(word, "fields") {
            let [count, fields @ ..] = args.rest() else { return Err(arity()) };
            if fields.len() < 2 {
                return Err(arity());
            }
            let count = args::int_in(count, 1, i32::MAX.into());
            let count = count.map_err(|_| Failure::new("ERR invalid number of fields"))?;
            let there = i64::try_from(fields.len());
            return if there == Ok(count * 2) { Ok((options, fields)) } else { Err(arity()) };
        }
        if args::is(word, "fnx") || args::is(word, "fxx") {
            if options.fields.replace(args::is(word, "fxx")).is_some() {
                let text = "ERR Only one of FXX or FNX arguments can be specified";
                return Err(Failure::new(text));
            }
            continue;
        }
        let is_ttl = ["ex", "px", "exat", "pxat", "keepttl"].iter().any(|ttl| args::is(word, ttl));
        if !is_ttl {
            return Err(Failure::format("ERR unknown argument: %s", &[word]));
        }
        if options.ttl.is_some() {
            let text = "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified";
            return Err(Failure::new(text));
        }
        let parsed = TtlOption::parse(word, &mut args, None, "keepttl");
        options.ttl = parsed.map_err(|_| Failure::new("ERR missing expire time"))?;
        options.ttl.map(|option| option_at(ctx, option)).transpose()?;
    }
    Err(arity())
}

fn hsetex(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let key = argv[1];
    let redis = is_redis(ctx);
    let (options, fields) = if redis { redis_args(ctx, argv)? } else { valkey_args(argv)? };
    let (pairs, _) = fields.as_chunks::<2>();
    let there = ctx.read::<Hash>(key)?.is_some();
    if options.key.is_some_and(|wanted| wanted != there) {
        return Ok(Reply::Int(0));
    }
    let at = options.ttl.map(|option| option_at(ctx, option)).transpose()?.flatten();
    let hash = ctx.read::<Hash>(key)?;
    let has = |name: &[u8]| hash.is_some_and(|hash| hash.get(name).is_some());
    if options.fields.is_some_and(|wanted| pairs.iter().any(|[name, _]| has(name) != wanted)) {
        return Ok(Reply::Int(0));
    }
    let past = at.is_some_and(|at| ctx.is_past(at));
    if past && !redis {
        delete(ctx, key, pairs)?;
    } else {
        set(ctx, key, pairs, (options.ttl.is_some(), at.filter(|_| !past)))?;
        if past {
            // Set, and deleted at once.
            let hash = ctx.write_or_create::<Hash>(key)?;
            hash.make_room_for_expire();
            pairs.iter().for_each(|[name, _]| {
                hash.remove(name);
            });
            ctx.drop_if_empty(key);
            let names: Vec<&[u8]> = pairs.iter().map(|[name, _]| *name).collect();
            log_deleted(ctx, key, &names);
        } else {
            log(ctx, argv, argv.len() - fields.len(), &options, at);
        }
    }
    Ok(Reply::Int(1))
}

/// Sets the fields. Those that keep their expire time, or get another, do not lose it on the way.
fn set(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    pairs: &[[&[u8]; 2]],
    (keep_ttl, at): (bool, Option<i64>),
) -> Result<(), Failure> {
    let (limits, redis) = (ctx.limits(), is_redis(ctx));
    let outgrow = redis && outgrow(ctx, pairs.as_flattened());
    let hash = ctx.write_or_create::<Hash>(key)?;
    if outgrow || !redis && at.is_some() {
        hash.unfold();
    }
    for [name, value] in pairs {
        match keep_ttl {
            true => hash.set_keep_ttl(name, value, &limits),
            false => hash.set(name, value, &limits),
        };
        if at.is_some() {
            hash.set_expire(name, at);
        }
    }
    ctx.changed(key, pairs.len());
    Ok(())
}

/// Deletes the fields instead, as their time is past.
fn delete(ctx: &mut Ctx<'_>, key: &[u8], pairs: &[[&[u8]; 2]]) -> Result<(), Failure> {
    let Some(hash) = ctx.write::<Hash>(key)? else { return Ok(()) };
    let names = pairs.iter().map(|[name, _]| *name);
    let gone: Vec<&[u8]> = names.filter(|name| hash.remove(name)).collect();
    if !gone.is_empty() {
        ctx.drop_if_empty(key);
        ctx.changed(key, gone.len());
        log_deleted(ctx, key, &gone);
    }
    Ok(())
}

/// Logs the command with an absolute time; Valkey leaves its conditions out.
fn log(ctx: &mut Ctx<'_>, argv: &[&[u8]], fields: usize, options: &Options<'_>, at: Option<i64>) {
    let relative =
        !matches!(options.ttl, None | Some(TtlOption::AtMillisecond(_) | TtlOption::Word));
    let conditions = !is_redis(ctx) && (options.key.is_some() || options.fields.is_some());
    if !ctx.logs() || !relative && !conditions {
        return;
    }
    let mut time = [0; MAX_I64_TEXT];
    let time = i64_text(at.unwrap_or(0), &mut time);
    let mut logged = argv[..2].to_vec();
    let mut before = Args::from(&argv[..fields], 2);
    while let Some(word) = before.next() {
        let is = |words: &[&str]| words.iter().any(|other| args::is(word, other));
        if is(&["ex", "px", "exat", "pxat"]) {
            before.next();
            logged.extend([&b"PXAT"[..], time]);
        } else if is_redis(ctx) || !is(&["nx", "xx", "fnx", "fxx"]) {
            logged.push(word);
        }
    }
    logged.extend_from_slice(&argv[fields..]);
    ctx.log_as(&logged);
}
