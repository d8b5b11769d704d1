//! Strings: SET and GET with all their kin. Counting is in `incr`, LCS in `lcs`.

use super::expire::{Ttl, TtlOption};
use crate::encoding::number::{MAX_I64_TEXT, i64_text};
use crate::engine::args::{self, Args};
use crate::engine::command::flag::{DENYOOM, OPTIONS, READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::keyspace::Item;
use crate::engine::reply::Reply;
use crate::value::{DataType, Str};

pub(super) const COMMANDS: &[Command] = &[
    cmd("set", -3, WRITE | DENYOOM | OPTIONS, Keys::ONE, Since::both(1, 0), set),
    cmd("setnx", 3, WRITE | DENYOOM, Keys::ONE, Since::both(1, 0), setnx),
    cmd("setex", 4, WRITE | DENYOOM, Keys::ONE, Since::both(2, 0), setex),
    cmd("psetex", 4, WRITE | DENYOOM, Keys::ONE, Since::both(2, 6), psetex),
    cmd("get", 2, READONLY, Keys::ONE, Since::both(1, 0), get),
    cmd("getset", 3, WRITE | DENYOOM, Keys::ONE, Since::both(1, 0), getset),
    cmd("getdel", 2, WRITE, Keys::ONE, Since::both(6, 2), getdel),
    cmd("getex", -2, WRITE | OPTIONS, Keys::ONE, Since::both(6, 2), getex),
    cmd("mget", -2, READONLY, Keys::ALL, Since::both(1, 0), mget),
    cmd("mset", -3, WRITE | DENYOOM, Keys::PAIRS, Since::both(1, 0), mset),
    cmd("msetnx", -3, WRITE | DENYOOM, Keys::PAIRS, Since::both(1, 0), msetnx),
    cmd("msetex", -4, WRITE | DENYOOM, MSETEX_KEYS, Since::each((8, 4), (9, 1)), msetex),
    cmd("delex", -2, WRITE, Keys::ONE, Since::redis(8, 4), delex),
    cmd("delifeq", 3, WRITE, Keys::ONE, Since::valkey(9, 0), delifeq),
    cmd("digest", 2, READONLY, Keys::ONE, Since::redis(8, 4), digest),
    cmd("append", 3, WRITE | DENYOOM, Keys::ONE, Since::both(2, 0), append),
    cmd("setrange", 4, WRITE | DENYOOM, Keys::ONE, Since::both(2, 2), setrange),
    cmd("getrange", 4, READONLY, Keys::ONE, Since::both(2, 4), getrange),
    cmd("substr", 4, READONLY, Keys::ONE, Since::both(1, 0), getrange),
    cmd("strlen", 2, READONLY, Keys::ONE, Since::both(2, 2), strlen),
];

/// When a value is to be set or removed.
#[derive(Debug, Clone, Copy)]
enum Condition<'a> {
    /// NX: there is no such key.
    Absent,
    /// XX: there is one.
    Present,
    /// IFEQ: it holds this text.
    Equal(&'a [u8]),
    /// IFNE: it holds another text, or there is none.
    Unequal(&'a [u8]),
    /// IFDEQ: its text has this digest.
    DigestEqual(&'a [u8]),
    /// IFDNE: its text has another digest, or there is none.
    DigestUnequal(&'a [u8]),
}

impl<'a> Condition<'a> {
    /// The condition that `word` begins, if it does; its value comes from `args`.
    fn parse(word: &[u8], args: &mut Args<'a>) -> Result<Option<Condition<'a>>, Failure> {
        type Make<'a> = fn(&'a [u8]) -> Condition<'a>;
        let with_value: [(&str, Make<'a>); 4] = [
            ("ifeq", Condition::Equal),
            ("ifne", Condition::Unequal),
            ("ifdeq", Condition::DigestEqual),
            ("ifdne", Condition::DigestUnequal),
        ];
        match with_value.into_iter().find(|(name, _)| args::is(word, name)) {
            Some((_, make)) => Ok(Some(make(args.value()?))),
            None if args::is(word, "nx") => Ok(Some(Condition::Absent)),
            None if args::is(word, "xx") => Ok(Some(Condition::Present)),
            None => Ok(None),
        }
    }

    /// Does it hold? Comparing needs a string.
    fn holds(self, ctx: &mut Ctx<'_>, key: &[u8]) -> Result<bool, Failure> {
        match self {
            Condition::Absent => return Ok(!ctx.exists(key)),
            Condition::Present => return Ok(ctx.exists(key)),
            _ => {}
        }
        let value = ctx.read::<Str>(key)?.map(Str::bytes);
        let value = value.as_deref();
        Ok(match self {
            Condition::Equal(text) => value == Some(text),
            Condition::Unequal(text) => value != Some(text),
            Condition::DigestEqual(digest) => {
                let digest = check_digest(digest)?;
                value.is_some_and(|value| digest.eq_ignore_ascii_case(&text_digest(value)))
            }
            Condition::DigestUnequal(digest) => {
                let digest = check_digest(digest)?;
                !value.is_some_and(|value| digest.eq_ignore_ascii_case(&text_digest(value)))
            }
            Condition::Absent | Condition::Present => true,
        })
    }
}

/// The digest of a text, as `DIGEST` answers: XXH3, 64 bits, in hexadecimal.
fn text_digest(text: &[u8]) -> [u8; 16] {
    let hash = twox_hash::XxHash3_64::oneshot(text);
    let mut digits = [0; 16];
    for (place, digit) in digits.iter_mut().zip((0..16).rev().map(|n| hash >> (n * 4) & 15)) {
        *place = b"0123456789abcdef".get(digit as usize).copied().unwrap_or(b'0');
    }
    digits
}

fn check_digest(digest: &[u8]) -> Result<&[u8], Failure> {
    match digest.len() {
        16 => Ok(digest),
        _ => Err(Failure::new("ERR must be exactly 16 hexadecimal characters")),
    }
}

fn get_string(ctx: &mut Ctx<'_>, key: &[u8]) -> Outcome {
    Ok(ctx.read::<Str>(key)?.map_or(Reply::Nil, |text| Reply::Bulk(text.bytes().into_owned())))
}

fn get(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    get_string(ctx, argv[1])
}

fn set(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (key, value) = (argv[1], argv[2]);
    let (mut condition, mut get, mut ttl) = (None, false, None);
    let mut args = Args::from(argv, 3);
    while let Some(word) = args.next() {
        if args::is(word, "get") {
            get = true;
        } else if let Some(option) = TtlOption::parse(word, &mut args, ttl, "keepttl")? {
            ttl = Some(option);
        } else if let Some(wanted) = Condition::parse(word, &mut args)? {
            let again = matches!(
                (condition, wanted),
                (None, _)
                    | (Some(Condition::Absent), Condition::Absent)
                    | (Some(Condition::Present), Condition::Present)
            );
            condition = Some(if again { wanted } else { return Err(Failure::SYNTAX) });
        } else {
            return Err(Failure::SYNTAX);
        }
    }
    let ttl = ttl.map_or(Ok(Ttl::Clear), |option: TtlOption<'_>| option.resolve(ctx))?;
    let old = if get { Some(get_string(ctx, key)?) } else { None };
    let wanted = condition.map_or(Ok(true), |condition| condition.holds(ctx, key))?;
    if !wanted {
        return Ok(old.unwrap_or(Reply::Nil));
    }
    if let Ttl::At(at) = ttl
        && ctx.is_past(at)
        && ctx.release().has((8, 8), (8, 1))
    {
        remove(ctx, key);
        return Ok(old.unwrap_or(Reply::OK));
    }
    store(ctx, key, value, ttl);
    match ttl {
        Ttl::At(at) => log_set_at(ctx, key, value, at),
        _ if get && ctx.logs() => {
            let rest = argv.iter().enumerate();
            let kept = rest.filter(|(at, arg)| *at < 3 || !args::is(arg, "get"));
            ctx.log_as(&kept.map(|(_, arg)| *arg).collect::<Vec<_>>());
        }
        _ => {}
    }
    Ok(old.unwrap_or(Reply::OK))
}

/// Newer servers do not even store what would be gone at once; only the key's old value goes.
fn remove(ctx: &mut Ctx<'_>, key: &[u8]) {
    if ctx.delete(key) {
        ctx.changed(key, 1);
        ctx.log_removal(key);
    }
}

/// Gives a key a text and an expire time.
fn store(ctx: &mut Ctx<'_>, key: &[u8], text: &[u8], ttl: Ttl) {
    match ttl {
        Ttl::Keep => ctx.set_keep_ttl(key, Str::new(text)),
        Ttl::At(at) => ctx.put(key, Item { expire_at_ms: Some(at), ..Item::new(Str::new(text)) }),
        Ttl::Clear => ctx.set(key, Str::new(text)),
    }
    ctx.changed(key, 1);
}

fn log_set_at(ctx: &mut Ctx<'_>, key: &[u8], value: &[u8], at: i64) {
    ctx.log_as(&[b"SET", key, value, b"PXAT", i64_text(at, &mut [0; MAX_I64_TEXT])]);
}

fn setnx(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    if ctx.exists(argv[1]) {
        return Ok(Reply::Int(0));
    }
    store(ctx, argv[1], argv[2], Ttl::Clear);
    Ok(Reply::Int(1))
}

fn setex(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    set_with(ctx, argv[1], argv[3], TtlOption::Seconds(argv[2]))
}

fn psetex(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    set_with(ctx, argv[1], argv[3], TtlOption::Milliseconds(argv[2]))
}

fn set_with(ctx: &mut Ctx<'_>, key: &[u8], value: &[u8], option: TtlOption<'_>) -> Outcome {
    let ttl = option.resolve(ctx)?;
    store(ctx, key, value, ttl);
    if let Ttl::At(at) = ttl {
        log_set_at(ctx, key, value, at);
    }
    Ok(Reply::OK)
}

fn getset(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let old = get_string(ctx, argv[1])?;
    store(ctx, argv[1], argv[2], Ttl::Clear);
    ctx.log_as(&[b"SET", argv[1], argv[2]]);
    Ok(old)
}

fn getdel(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let old = get_string(ctx, argv[1])?;
    if ctx.delete(argv[1]) {
        ctx.changed(argv[1], 1);
        ctx.log_as(&[b"DEL", argv[1]]);
    }
    Ok(old)
}

fn getex(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let key = argv[1];
    let mut args = Args::from(argv, 2);
    let mut option = None;
    while let Some(word) = args.next() {
        let parsed = TtlOption::parse(word, &mut args, option, "persist")?;
        option = Some(parsed.ok_or(Failure::SYNTAX)?);
    }
    let resolve = |ctx: &Ctx<'_>| option.map(|option| option.resolve(ctx)).transpose();
    if ctx.release().has_valkey(9, 0) {
        resolve(ctx)?;
    }
    let text = get_string(ctx, key)?;
    let Some(slot) = ctx.find(key) else { return Ok(text) };
    match resolve(ctx)? {
        None => {}
        Some(Ttl::At(at)) if ctx.is_past(at) => remove(ctx, key),
        Some(Ttl::At(at)) => {
            ctx.set_expire(slot, Some(at));
            ctx.changed(key, 1);
            ctx.log_as(&[b"PEXPIREAT", key, i64_text(at, &mut [0; MAX_I64_TEXT])]);
        }
        Some(Ttl::Keep | Ttl::Clear) if ctx.set_expire(slot, None).is_some() => {
            ctx.changed(key, 1);
            ctx.log_as(&[b"PERSIST", key]);
        }
        Some(Ttl::Keep | Ttl::Clear) => {}
    }
    Ok(text)
}

/// A key of another type answers nothing here, unlike in GET.
fn mget(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let keys = argv.iter().skip(1);
    Ok(Reply::Array(keys.map(|key| get_string(ctx, key).unwrap_or(Reply::Nil)).collect()))
}

/// The key-value pairs that are all of a command's arguments.
fn pairs<'a>(ctx: &Ctx<'_>, argv: &'a [&'a [u8]]) -> Result<&'a [[&'a [u8]; 2]], Failure> {
    match argv.get(1..).unwrap_or_default().as_chunks() {
        (pairs, []) => Ok(pairs),
        _ => Err(Failure::arity(ctx.command.name)),
    }
}

fn mset(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    for [key, value] in pairs(ctx, argv)? {
        store(ctx, key, value, Ttl::Clear);
    }
    Ok(Reply::OK)
}

fn msetnx(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let pairs = pairs(ctx, argv)?;
    if pairs.iter().any(|[key, _]| ctx.exists(key)) {
        return Ok(Reply::Int(0));
    }
    pairs.iter().for_each(|[key, value]| store(ctx, key, value, Ttl::Clear));
    Ok(Reply::Int(1))
}

/// `MSETEX numkeys key value … [NX|XX] [EX …|KEEPTTL]`
fn msetex(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let count = args::int(argv[1]).ok().and_then(|count| usize::try_from(count).ok());
    let count = count.filter(|count| *count > 0);
    let count = count.ok_or_else(|| Failure::new("ERR invalid numkeys value"))?;
    let mut args = Args::from(argv, 2);
    let words = count.checked_mul(2).and_then(|words| args.several(words).ok());
    let (pairs, _) = words.ok_or_else(|| Failure::arity(ctx.command.name))?.as_chunks::<2>();
    let (mut condition, mut option) = (None, None);
    while let Some(word) = args.next() {
        if let Some(parsed) = TtlOption::parse(word, &mut args, option, "keepttl")? {
            option = Some(parsed);
            continue;
        }
        let absent = args::is(word, "nx");
        if (!absent && !args::is(word, "xx")) || condition.is_some_and(|is| is != absent) {
            return Err(Failure::SYNTAX);
        }
        condition = Some(absent);
    }
    let ttl = option.map_or(Ok(Ttl::Clear), |option: TtlOption<'_>| option.resolve(ctx))?;
    if condition.is_some_and(|absent| pairs.iter().any(|[key, _]| ctx.exists(key) == absent)) {
        return Ok(Reply::Int(0));
    }
    pairs.iter().for_each(|[key, value]| store(ctx, key, value, ttl));
    if let (Ttl::At(at), true) = (ttl, ctx.logs()) {
        let mut logged = argv[..2 + count * 2].to_vec();
        logged.extend(condition.map(|absent| if absent { &b"NX"[..] } else { b"XX" }));
        let mut buffer = [0; MAX_I64_TEXT];
        logged.extend([&b"PXAT"[..], i64_text(at, &mut buffer)]);
        ctx.log_as(&logged);
    }
    Ok(Reply::Int(1))
}

/// Every second argument, as many as the first one says.
const MSETEX_KEYS: Keys = Keys::Find(|argv| {
    let count = argv.get(1).and_then(|count| args::int(count).ok()).unwrap_or(0);
    (2..argv.len()).step_by(2).take(usize::try_from(count).unwrap_or(0)).collect()
});

fn delex(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let key = argv[1];
    let mut args = Args::from(argv, 2);
    let Some(word) = args.next() else {
        let gone = ctx.delete(key);
        ctx.changed(key, gone.into());
        return Ok(Reply::flag(gone));
    };
    if argv.len() != 4 {
        return Err(Failure::arity(ctx.command.name));
    }
    let condition = match Condition::parse(word, &mut args)? {
        Some(condition) if args.is_empty() => condition,
        _ => return Err(Failure::new("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE")),
    };
    if !ctx.exists(key) {
        return Ok(Reply::Int(0));
    }
    if ctx.read::<Str>(key).is_err() {
        let text = "ERR Key should be of string type if conditions are specified";
        return Err(Failure::new(text));
    }
    let holds = condition.holds(ctx, key)?;
    delete_if(ctx, key, holds)
}

fn delifeq(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let holds = Condition::Equal(argv[2]).holds(ctx, argv[1])?;
    delete_if(ctx, argv[1], holds)
}

fn delete_if(ctx: &mut Ctx<'_>, key: &[u8], holds: bool) -> Outcome {
    if holds && ctx.delete(key) {
        ctx.changed(key, 1);
        ctx.log_as(&[b"DEL", key]);
        return Ok(Reply::Int(1));
    }
    Ok(Reply::Int(0))
}

fn digest(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let value = ctx.read::<Str>(argv[1])?;
    Ok(value.map_or(Reply::Nil, |value| Reply::bulk(text_digest(&value.bytes()))))
}

fn append(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (key, more) = (argv[1], argv[2]);
    let old = ctx.read::<Str>(key)?.map(Str::len);
    let len = match old {
        None => {
            ctx.set(key, Str::new(more));
            more.len()
        }
        Some(len) => {
            let len = len.saturating_add(more.len());
            if len > ctx.engine.config().max_string {
                return Err(Failure::STRING_TOO_LONG);
            }
            if let Some(value) = ctx.write::<Str>(key)? {
                value.edit(|text| text.extend_from_slice(more));
            }
            len
        }
    };
    ctx.changed(key, 1);
    Ok(Reply::count(len))
}

fn setrange(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (key, part) = (argv[1], argv[3]);
    let offset = usize::try_from(args::int(argv[2])?).map_err(|_| Failure::OFFSET_RANGE)?;
    let old = ctx.read::<Str>(key)?.map(Str::len);
    if part.is_empty() {
        return Ok(Reply::count(old.unwrap_or(0)));
    }
    let end = offset.saturating_add(part.len());
    let len = end.max(old.unwrap_or(0));
    ctx.check_string(len)?;
    if old.is_none() {
        ctx.set(key, Str::raw(Vec::new()));
    }
    if let Some(value) = ctx.write::<Str>(key)? {
        value.edit(|text| {
            text.resize(len, 0);
            if let Some(place) = text.get_mut(offset..end) {
                place.copy_from_slice(part);
            }
        });
    }
    ctx.changed(key, 1);
    Ok(Reply::count(len))
}

fn getrange(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (start, end) = (args::int(argv[2])?, args::int(argv[3])?);
    let Some(value) = ctx.read::<Str>(argv[1])? else { return Ok(Reply::bulk("")) };
    let text = value.bytes();
    // Both behind the end of the text, in the wrong order: nothing, even where clamping would meet.
    let part =
        if start < 0 && end < 0 && start > end { None } else { range(start, end, text.len()) };
    Ok(Reply::bulk(part.and_then(|part| text.get(part)).unwrap_or_default()))
}

/// Unlike in lists, an end before the beginning means the first byte.
fn range(start: i64, end: i64, len: usize) -> Option<std::ops::Range<usize>> {
    let before = i64::try_from(len).is_ok_and(|len| end < -len);
    args::range(start, if before { 0 } else { end }, len)
}

fn strlen(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    Ok(Reply::count(ctx.read::<Str>(argv[1])?.map_or(0, Str::len)))
}
