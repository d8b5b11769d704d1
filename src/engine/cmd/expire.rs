//! Expire times: EXPIRE and its kin, TTL and its kin, PERSIST; and the time options of SET, GETEX and
//! other commands.

use crate::encoding::number::{MAX_I64_TEXT, i64_text};
use crate::engine::args::{self, Args};
use crate::engine::command::flag::{OPTIONS, READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::reply::Reply;

pub(super) const COMMANDS: &[Command] = &[
    cmd("expire", -3, WRITE | OPTIONS, Keys::ONE, Since::both(1, 0), expire),
    cmd("pexpire", -3, WRITE | OPTIONS, Keys::ONE, Since::both(2, 6), pexpire),
    cmd("expireat", -3, WRITE | OPTIONS, Keys::ONE, Since::both(1, 2), expireat),
    cmd("pexpireat", -3, WRITE | OPTIONS, Keys::ONE, Since::both(2, 6), pexpireat),
    cmd("persist", 2, WRITE, Keys::ONE, Since::both(2, 2), persist),
    cmd("ttl", 2, READONLY, Keys::ONE, Since::both(1, 0), ttl),
    cmd("pttl", 2, READONLY, Keys::ONE, Since::both(2, 6), pttl),
    cmd("expiretime", 2, READONLY, Keys::ONE, Since::both(7, 0), expiretime),
    cmd("pexpiretime", 2, READONLY, Keys::ONE, Since::both(7, 0), pexpiretime),
];

/// EX, PX, EXAT, PXAT, KEEPTTL, PERSIST as a client gave them.
#[derive(Debug, Clone, Copy)]
pub(super) enum TtlOption<'a> {
    /// EX
    Seconds(&'a [u8]),
    /// PX
    Milliseconds(&'a [u8]),
    /// EXAT
    AtSecond(&'a [u8]),
    /// PXAT
    AtMillisecond(&'a [u8]),
    /// KEEPTTL or PERSIST, whichever the command has.
    Word,
}

/// What a command does to the expire time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ttl {
    /// Removes it.
    Clear,
    /// Leaves it (KEEPTTL; for GETEX the word is PERSIST, and means the opposite).
    Keep,
    /// Sets it, in milliseconds since 1970.
    At(i64),
}

impl<'a> TtlOption<'a> {
    /// The option that `word` begins, if it does; its value comes from `args`. `before` is what was
    /// given already: the same option may come again, another may not. `plain` is the option without a
    /// value that this command has.
    pub(super) fn parse(
        word: &[u8],
        args: &mut Args<'a>,
        before: Option<TtlOption<'a>>,
        plain: &str,
    ) -> Result<Option<TtlOption<'a>>, Failure> {
        type Make<'a> = fn(&'a [u8]) -> TtlOption<'a>;
        let with_value: [(&str, Make<'a>); 4] = [
            ("ex", TtlOption::Seconds),
            ("px", TtlOption::Milliseconds),
            ("exat", TtlOption::AtSecond),
            ("pxat", TtlOption::AtMillisecond),
        ];
        let option = match with_value.into_iter().find(|(name, _)| args::is(word, name)) {
            Some((_, make)) => make(args.value()?),
            None if args::is(word, plain) => TtlOption::Word,
            None => return Ok(None),
        };
        let kind = std::mem::discriminant::<TtlOption<'_>>;
        match before {
            Some(before) if kind(&before) != kind(&option) => Err(Failure::SYNTAX),
            _ => Ok(Some(option)),
        }
    }

    /// What it means now. Times must be positive, and reachable.
    pub(super) fn resolve(self, ctx: &Ctx<'_>) -> Result<Ttl, Failure> {
        let (text, unit, base) = match self {
            TtlOption::Seconds(text) => (text, 1000, ctx.now_ms()),
            TtlOption::Milliseconds(text) => (text, 1, ctx.now_ms()),
            TtlOption::AtSecond(text) => (text, 1000, 0),
            TtlOption::AtMillisecond(text) => (text, 1, 0),
            TtlOption::Word => return Ok(Ttl::Keep),
        };
        let number = args::int(text)?;
        let at = number.checked_mul(unit).and_then(|ms| ms.checked_add(base));
        match at {
            Some(at) if number > 0 && at > 0 => Ok(Ttl::At(at)),
            _ => Err(Failure::expire_time(ctx.command.name)),
        }
    }
}

fn expire(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    set_expire(ctx, argv, 1000, ctx.now_ms())
}

fn pexpire(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    set_expire(ctx, argv, 1, ctx.now_ms())
}

fn expireat(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    set_expire(ctx, argv, 1000, 0)
}

fn pexpireat(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    set_expire(ctx, argv, 1, 0)
}

/// NX, XX, GT, LT of the EXPIRE commands.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ExpireFlags {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl ExpireFlags {
    pub(super) fn parse(words: &[&[u8]]) -> Result<ExpireFlags, Failure> {
        let mut flags = ExpireFlags::default();
        for word in words {
            match word.to_ascii_lowercase().as_slice() {
                b"nx" => flags.nx = true,
                b"xx" => flags.xx = true,
                b"gt" => flags.gt = true,
                b"lt" => flags.lt = true,
                _ => return Err(Failure::new([b"ERR Unsupported option ", *word].concat())),
            }
        }
        if flags.nx && (flags.xx || flags.gt || flags.lt) {
            let text = "ERR NX and XX, GT or LT options at the same time are not compatible";
            return Err(Failure::new(text));
        }
        if flags.gt && flags.lt {
            return Err(Failure::new("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(flags)
    }

    /// Do they let `old` become `at`? Without an expire time a key lives for ever.
    pub(super) fn allow(self, old: Option<i64>, at: i64) -> bool {
        !(self.nx && old.is_some()
            || self.xx && old.is_none()
            || self.gt && old.is_none_or(|old| at <= old)
            || self.lt && old.is_some_and(|old| at >= old))
    }

    fn words(self) -> impl Iterator<Item = &'static [u8]> {
        let words: [(bool, &[u8]); 4] =
            [(self.nx, b"NX"), (self.xx, b"XX"), (self.gt, b"GT"), (self.lt, b"LT")];
        words.into_iter().filter(|(on, _)| *on).map(|(_, word)| word)
    }
}

fn set_expire(ctx: &mut Ctx<'_>, argv: &[&[u8]], unit: i64, base: i64) -> Outcome {
    let key = argv[1];
    let flags = ExpireFlags::parse(&argv[3..])?;
    let at = args::int(argv[2])?.checked_mul(unit).and_then(|ms| ms.checked_add(base));
    let at = at.ok_or_else(|| Failure::expire_time(ctx.command.name))?;
    let slot = match ctx.find(key) {
        Some(slot) if flags.allow(ctx.expire_of(slot), at) => slot,
        _ => return Ok(Reply::Int(0)),
    };
    if ctx.is_past(at) {
        ctx.delete(key);
        ctx.log_removal(key);
    } else {
        ctx.set_expire(slot, Some(at));
        if ctx.logs() {
            let mut buffer = [0; MAX_I64_TEXT];
            let mut logged = vec![&b"PEXPIREAT"[..], key, i64_text(at, &mut buffer)];
            flags.words().for_each(|word| logged.push(word));
            ctx.log_as(&logged);
        }
    }
    ctx.changed(key, 1);
    Ok(Reply::Int(1))
}

fn persist(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let slot = ctx.find(argv[1]);
    let had = slot.and_then(|slot| ctx.set_expire(slot, None)).is_some();
    if had {
        ctx.changed(argv[1], 1);
    }
    Ok(Reply::flag(had))
}

fn ttl(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let now_ms = ctx.now_ms();
    time(ctx, argv[1], |at| seconds(at.saturating_sub(now_ms).max(0)))
}

fn pttl(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let now_ms = ctx.now_ms();
    time(ctx, argv[1], |at| at.saturating_sub(now_ms).max(0))
}

fn expiretime(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    time(ctx, argv[1], seconds)
}

fn pexpiretime(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    time(ctx, argv[1], |at| at)
}

/// Rounded to the nearest second.
fn seconds(ms: i64) -> i64 {
    (ms / 1000).saturating_add(i64::from(ms % 1000 >= 500))
}

/// −2 without a key, −1 without an expire time.
fn time(ctx: &mut Ctx<'_>, key: &[u8], show: impl FnOnce(i64) -> i64) -> Outcome {
    let Some(slot) = ctx.find(key) else { return Ok(Reply::Int(-2)) };
    Ok(Reply::Int(ctx.expire_of(slot).map_or(-1, show)))
}
