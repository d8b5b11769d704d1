//! DUMP and RESTORE. The payloads themselves are not the engine's: see [`crate::engine::Payloads`].

use crate::engine::args::{self, Args};
use crate::engine::command::flag::{DENYOOM, READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::keyspace::{Access, Item};
use crate::engine::reply::Reply;
use crate::engine::{Origin, Release};
use crate::value::Value;

pub(super) const COMMANDS: &[Command] = &[
    cmd("dump", 2, READONLY, Keys::ONE, Since::both(2, 6), dump),
    cmd("restore", -4, WRITE | DENYOOM, Keys::ONE, Since::both(2, 6), restore),
    cmd("restore-asking", -4, WRITE | DENYOOM, Keys::ONE, Since::both(3, 0), restore),
];

/// `DUMP key`
fn dump(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (payloads, release) = (ctx.engine.config().payloads, ctx.release());
    let Some(value) = ctx.value(argv[1]) else { return Ok(Reply::Nil) };
    payloads.dump(value, release).map(Reply::Bulk)
}

/// What may follow the payload.
#[derive(Debug, Default)]
struct Options {
    replace: bool,
    absolute: bool,
    access: Option<Access>,
}

impl Options {
    fn parse(argv: &[&[u8]]) -> Result<Options, Failure> {
        let mut options = Options::default();
        let mut args = Args::from(argv, 4);
        while let Some(word) = args.next() {
            if args::is(word, "replace") {
                options.replace = true;
            } else if args::is(word, "absttl") {
                options.absolute = true;
            } else if args::is(word, "idletime") && !matches!(options.access, Some(Access::Freq(_)))
            {
                let idle = args::int(args.next().ok_or(Failure::SYNTAX)?)?;
                let wrong = |_| Failure::new("ERR Invalid IDLETIME value, must be >= 0");
                options.access = Some(Access::Idle(u64::try_from(idle).map_err(wrong)?));
            } else if args::is(word, "freq") && !matches!(options.access, Some(Access::Idle(_))) {
                let freq = args::int(args.next().ok_or(Failure::SYNTAX)?)?;
                let wrong = |_| Failure::new("ERR Invalid FREQ value, must be >= 0 and <= 255");
                options.access = Some(Access::Freq(u8::try_from(freq).map_err(wrong)?));
            } else {
                return Err(Failure::SYNTAX);
            }
        }
        Ok(options)
    }
}

/// The value in a payload. The server whose log this is took it, and which server that was is known from the
/// start of the log at best: what any server takes is taken.
fn value_of(ctx: &Ctx<'_>, payload: &[u8]) -> Result<Value, Failure> {
    let config = ctx.engine.config();
    let read = |release| config.payloads.restore(payload, release, &ctx.limits());
    let own = read(config.release);
    if own.is_ok() || config.origin == Origin::Clients {
        return own;
    }
    let others = [Release::NEWEST, Release::NEWEST_VALKEY];
    others.into_iter().find_map(|other| read(other).ok()).map_or(own, Ok)
}

/// `RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds | FREQ frequency]`
fn restore(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (key, payload) = (argv[1], argv[3]);
    let options = Options::parse(argv)?;
    if !options.replace && ctx.find(key).is_some() {
        return Err(Failure::new("BUSYKEY Target key name already exists."));
    }
    let ttl = args::int(argv[2])?;
    if ttl < 0 {
        return Err(Failure::new("ERR Invalid TTL value, must be >= 0"));
    }
    let value = value_of(ctx, payload)?;
    ctx.check_memory(value.memory())?;
    if matches!(value, Value::Stream(_)) {
        ctx.states_stream(ctx.engine.config().payloads.version(payload));
    }
    let deleted = options.replace && ctx.delete(key);
    let expire_at_ms = match ttl {
        0 => None,
        at if options.absolute => Some(at),
        // Servers let the sum wrap around: what is too far away is long past.
        ttl => Some(ttl.wrapping_add(ctx.now_ms())),
    };
    if expire_at_ms.is_some_and(|at| ctx.is_past(at)) {
        if deleted {
            ctx.log_removal(key);
            ctx.changed(key, 1);
        }
        return Ok(Reply::OK);
    }
    ctx.put(key, Item { value, expire_at_ms, access: options.access });
    if let Some(at) = expire_at_ms.filter(|_| !options.absolute && ctx.logs()) {
        let at = at.to_string();
        let mut log = argv.to_vec();
        log[2] = at.as_bytes();
        log.push(b"ABSTTL");
        ctx.log_as(&log);
    }
    ctx.changed(key, 1);
    Ok(Reply::OK)
}
