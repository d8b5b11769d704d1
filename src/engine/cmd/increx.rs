//! INCREX (Redis 8.8): an increment with bounds and an expire time.
//!
//! Servers log its outcome as `SET k v PXAT …` or `SET k v KEEPTTL`, so it is not met in an AOF; its
//! semantics here are those of the published description, the texts of its own errors are a guess.

use super::expire::{Ttl, TtlOption};
use super::incr::{integer, long_double};
use crate::encoding::number::{MAX_I64_TEXT, i64_text, parse_double};
use crate::engine::args::{self, Args};
use crate::engine::command::flag::{DENYOOM, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::keyspace::Item;
use crate::engine::longdouble::LongDouble;
use crate::engine::reply::{Reply, Resp};
use crate::value::Str;

pub(super) const COMMANDS: &[Command] =
    &[cmd("increx", -2, WRITE | DENYOOM, Keys::ONE, Since::redis(8, 8), increx)];

/// What INCREX counts in: 64-bit integers or long doubles.
trait Number: Copy + PartialOrd {
    const ZERO: Self;
    const ONE: Self;
    const MIN: Self;
    const MAX: Self;
    fn parse(arg: &[u8]) -> Result<Self, Failure>;
    fn of(value: &Str) -> Result<Self, Failure>;
    fn plus(self, other: Self) -> Option<Self>;
    fn minus(self, other: Self) -> Option<Self>;
    fn text(self) -> Vec<u8>;
    fn stored(self) -> Str;
    fn reply(self, resp: Resp) -> Reply;
}

impl Number for i64 {
    const ZERO: i64 = 0;
    const ONE: i64 = 1;
    const MIN: i64 = i64::MIN;
    const MAX: i64 = i64::MAX;

    fn parse(arg: &[u8]) -> Result<i64, Failure> {
        args::int(arg)
    }

    fn of(value: &Str) -> Result<i64, Failure> {
        integer(value)
    }

    fn plus(self, other: i64) -> Option<i64> {
        self.checked_add(other)
    }

    fn minus(self, other: i64) -> Option<i64> {
        self.checked_sub(other)
    }

    fn text(self) -> Vec<u8> {
        i64_text(self, &mut [0; MAX_I64_TEXT]).to_vec()
    }

    fn stored(self) -> Str {
        Str::int(self)
    }

    fn reply(self, _: Resp) -> Reply {
        Reply::Int(self)
    }
}

impl Number for LongDouble {
    const ZERO: LongDouble = LongDouble::ZERO;
    const ONE: LongDouble = LongDouble::ONE;
    const MIN: LongDouble = LongDouble::MAX.negated();
    const MAX: LongDouble = LongDouble::MAX;

    fn parse(arg: &[u8]) -> Result<LongDouble, Failure> {
        LongDouble::parse(arg).ok_or(Failure::NOT_FLOAT)
    }

    fn of(value: &Str) -> Result<LongDouble, Failure> {
        long_double(value)
    }

    fn plus(self, other: LongDouble) -> Option<LongDouble> {
        self.plus(other)
    }

    fn minus(self, other: LongDouble) -> Option<LongDouble> {
        self.plus(other.negated())
    }

    fn text(self) -> Vec<u8> {
        self.text()
    }

    fn stored(self) -> Str {
        Str::text(&self.text())
    }

    fn reply(self, resp: Resp) -> Reply {
        match resp {
            Resp::V2 => Reply::Bulk(self.text()),
            Resp::V3 => Reply::Double(parse_double(&self.text()).unwrap_or(0.0)),
        }
    }
}

/// `INCREX key [BYFLOAT n | BYINT n] [LBOUND n] [UBOUND n] [SATURATE] [EX … | PERSIST] [ENX]`, as given.
#[derive(Default)]
struct Options<'a> {
    by: Option<(bool, &'a [u8])>,
    low: Option<&'a [u8]>,
    high: Option<&'a [u8]>,
    saturate: bool,
    ttl: Option<TtlOption<'a>>,
    enx: bool,
}

fn increx(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let mut options = Options::default();
    let mut args = Args::from(argv, 2);
    while let Some(word) = args.next() {
        if args::is(word, "saturate") {
            options.saturate = true;
        } else if args::is(word, "enx") {
            options.enx = true;
        } else if args::is(word, "lbound") {
            options.low = Some(args.value()?);
        } else if args::is(word, "ubound") {
            options.high = Some(args.value()?);
        } else if let Some(ttl) = TtlOption::parse(word, &mut args, options.ttl, "persist")? {
            options.ttl = Some(ttl);
        } else if options.by.is_none() && (args::is(word, "byint") || args::is(word, "byfloat")) {
            options.by = Some((args::is(word, "byfloat"), args.value()?));
        } else {
            return Err(Failure::SYNTAX);
        }
    }
    match (options.enx, options.ttl) {
        (true, None) => return Err(Failure::new("ERR ENX flag requires an expiration")),
        (true, Some(TtlOption::Word)) => return Err(Failure::SYNTAX),
        _ => {}
    }
    match options.by {
        Some((true, _)) => run::<LongDouble>(ctx, argv[1], &options),
        _ => run::<i64>(ctx, argv[1], &options),
    }
}

fn run<N: Number>(ctx: &mut Ctx<'_>, key: &[u8], options: &Options<'_>) -> Outcome {
    let number = |arg: Option<&[u8]>, or| arg.map_or(Ok(or), N::parse);
    let by = number(options.by.map(|(_, by)| by), N::ONE)?;
    let (low, high) = (number(options.low, N::MIN)?, number(options.high, N::MAX)?);
    if low > high {
        return Err(Failure::new("ERR LBOUND can't be greater than UBOUND"));
    }
    let ttl = options.ttl.map(|ttl| ttl.resolve(ctx)).transpose()?;
    let old = ctx.read::<Str>(key)?.map_or(Ok(N::ZERO), N::of)?;
    let resp = ctx.session.resp;
    // Beyond what the type holds is beyond a bound too.
    let up = by > N::ZERO;
    let sum = old.plus(by);
    let above = sum.map_or(up, |sum| sum > high);
    let below = sum.map_or(!up, |sum| sum < low);
    let new = match sum {
        Some(sum) if !above && !below => sum,
        _ if !options.saturate => {
            return Ok(Reply::Array(vec![old.reply(resp), N::ZERO.reply(resp)]));
        }
        _ if above => high,
        _ => low,
    };
    let applied = new.minus(old).ok_or(Failure::OVERFLOW)?;
    let had = ctx.find(key).and_then(|slot| ctx.expire_of(slot));
    let expire_at_ms = match ttl {
        Some(Ttl::At(at)) if !options.enx || had.is_none() => Some(at),
        Some(Ttl::Keep | Ttl::Clear) => None,
        Some(Ttl::At(_)) | None => had,
    };
    ctx.put(key, Item { expire_at_ms, ..Item::new(new.stored()) });
    ctx.changed(key, 1);
    let mut buffer = [0; MAX_I64_TEXT];
    match expire_at_ms {
        Some(at) if had != expire_at_ms => {
            ctx.log_as(&[b"SET", key, &new.text(), b"PXAT", i64_text(at, &mut buffer)]);
        }
        None if had.is_some() => ctx.log_as(&[b"SET", key, &new.text()]),
        _ => ctx.log_as(&[b"SET", key, &new.text(), b"KEEPTTL"]),
    }
    Ok(Reply::Array(vec![new.reply(resp), applied.reply(resp)]))
}

#[cfg(test)]
mod tests {
    use crate::engine::{Config, Engine, Session};

    #[test]
    fn counts_within_bounds() {
        let cases = [
            ("INCREX k", ":1 :1"),
            ("INCREX k BYINT 5", ":6 :5"),
            ("INCREX k BYINT 5 UBOUND 10", ":6 :0"),
            ("INCREX k BYINT 5 UBOUND 10 SATURATE", ":10 :4"),
            ("INCREX k BYINT -100 LBOUND 0 SATURATE", ":0 :-10"),
            ("INCREX k BYFLOAT 1.5", "$1.5 $1.5"),
            ("INCREX k", "-ERR value is not an integer or out of range"),
            ("INCREX k BYFLOAT 2 UBOUND 3", "$1.5 $0"),
            ("INCREX k ENX", "-ERR ENX flag requires an expiration"),
            ("INCREX k BYINT 1 BYINT 2", "-ERR syntax error"),
            ("SET k 9223372036854775807", "+OK"),
            ("INCREX k", ":9223372036854775807 :0"),
            ("INCREX k SATURATE", ":9223372036854775807 :0"),
            ("INCREX k EX 10 ENX BYINT -1", ":9223372036854775806 :-1"),
            ("TTL k", ":10"),
            ("INCREX k EX 99 ENX", ":9223372036854775807 :1"),
            ("TTL k", ":10"),
            ("INCREX k PERSIST BYINT -7", ":9223372036854775800 :-7"),
            ("TTL k", ":-1"),
            ("INCREX none BYINT 5 UBOUND 1", ":0 :0"),
            ("EXISTS none", ":0"),
        ];
        let (mut engine, mut session) = (Engine::new(Config::default()), Session::new());
        for (command, want) in cases {
            let argv: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
            let reply = engine.execute(&mut session, &argv).to_resp2();
            let text = String::from_utf8_lossy(&reply);
            let lines = text.lines().filter(|line| !line.starts_with(['*']));
            let mut words = Vec::new();
            let mut bulk = false;
            for line in lines {
                match (bulk, line.starts_with('$')) {
                    (true, _) => words.push(format!("${line}")),
                    (false, false) => words.push(line.to_owned()),
                    _ => {}
                }
                bulk = !bulk && line.starts_with('$');
            }
            assert_eq!(words.join(" "), want, "{command}");
        }
    }
}
