//! XGROUP: the groups of a stream and their consumers.

use super::stream_args as parse;
use crate::element::StreamId;
use crate::engine::args::{self, Args};
use crate::engine::command::flag::{DENYOOM, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd, container};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::reply::Reply;
use crate::value::Stream;
use crate::value::stream::{Counting, Group, c_string};

pub(super) const COMMANDS: &[Command] = &[container("xgroup", Since::both(5, 0), XGROUP)];

const KEY: Keys = Keys::Range { first: 2, last: 2, step: 1 };
const S5: Since = Since::both(5, 0);
const S6_2: Since = Since::both(6, 2);

const XGROUP: &[Command] = &[
    cmd("xgroup|create", -5, WRITE | DENYOOM, KEY, S5, create),
    cmd("xgroup|setid", -5, WRITE, KEY, S5, setid),
    cmd("xgroup|destroy", 4, WRITE, KEY, S5, destroy),
    cmd("xgroup|createconsumer", 5, WRITE | DENYOOM, KEY, S6_2, createconsumer),
    cmd("xgroup|delconsumer", 5, WRITE, KEY, S5, delconsumer),
];

const NO_SUCH_GROUP: &str = "NOGROUP No such consumer group '%s' for key name '%s'";

/// What CREATE and SETID have behind the id.
#[derive(Debug, Default)]
struct Options {
    mkstream: bool,
    entries_read: Option<u64>,
}

impl Options {
    fn entries_read(&self, stream: &Stream, counting: Counting) -> Option<u64> {
        let added = stream.log.entries_added;
        self.entries_read.map(|read| if counting.bounded { read.min(added) } else { read })
    }

    /// How a counter that a command states is taken. Who knows no server does not know that it bounds it.
    fn counting(&self, ctx: &mut Ctx<'_>) -> Counting {
        if self.entries_read.is_some() {
            ctx.states_stream(parse::COUNTERS_SINCE);
        }
        let counting = parse::counting(ctx);
        let known = !ctx.engine.config().origin.is_unknown();
        Counting { bounded: counting.bounded && known, ..counting }
    }
}

fn options(argv: &[&[u8]], create: bool) -> Result<Options, Failure> {
    let mut options = Options::default();
    let mut args = Args::from(argv, 5);
    while let Some(word) = args.next() {
        if create && args::is(word, "mkstream") {
            options.mkstream = true;
        } else if args::is(word, "entriesread") && !args.is_empty() {
            let read = args::int(args.value()?)?;
            if read < -1 {
                let text = "ERR value for ENTRIESREAD must be positive or -1";
                return Err(Failure::new(text));
            }
            options.entries_read = u64::try_from(read).ok();
        } else {
            return Err(Failure::subcommand_syntax("xgroup", argv[1]));
        }
    }
    Ok(options)
}

fn no_key() -> Failure {
    Failure::new(
        "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want \
         to use the MKSTREAM option to create an empty stream automatically.",
    )
}

/// The stream of a command whose group must exist.
fn find<'a>(ctx: &'a mut Ctx<'_>, argv: &[&[u8]]) -> Result<&'a mut Stream, Failure> {
    let (key, group) = (argv[2], argv[3]);
    let stream = ctx.write::<Stream>(key)?.ok_or_else(no_key)?;
    match stream.groups.get(group) {
        Some(_) => Ok(stream),
        None => Err(Failure::format(NO_SUCH_GROUP, &[group, key])),
    }
}

/// `XGROUP CREATE key group id|$ [MKSTREAM] [ENTRIESREAD n]`
fn create(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (key, name) = (argv[2], argv[3]);
    let options = options(argv, true)?;
    let exists = ctx.read::<Stream>(key)?.is_some();
    if !exists && !options.mkstream {
        return Err(no_key());
    }
    if argv.len() > 8 {
        return Err(Failure::subcommand_syntax("xgroup", argv[1]));
    }
    let id = match c_string(argv[4]) {
        b"$" => None,
        _ => Some(parse::id(argv[4])?),
    };
    let counting = options.counting(ctx);
    let stream = ctx.write_or_create::<Stream>(key)?;
    let id = id.unwrap_or(stream.log.last_id);
    let read = options.entries_read(stream, counting);
    if !stream.groups.add(name, Group::new(id, read)) {
        return Err(Failure::new("BUSYGROUP Consumer Group name already exists"));
    }
    match exists {
        true => ctx.changed_beside(1),
        false => ctx.changed(key, 1),
    }
    Ok(Reply::OK)
}

/// `XGROUP SETID key group id|$ [ENTRIESREAD n]`
fn setid(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let options = options(argv, false)?;
    let counting = options.counting(ctx);
    let stream = find(ctx, argv)?;
    if !matches!(argv.len(), 5 | 7) {
        return Err(Failure::subcommand_syntax("xgroup", argv[1]));
    }
    let id = match c_string(argv[4]) {
        b"$" => stream.log.last_id,
        _ => parse::any_id(argv[4])?,
    };
    let read = options.entries_read(stream, counting);
    parse::edit(stream, argv[3], |group| {
        group.last_id = id;
        group.entries_read = read;
    });
    ctx.changed_beside(1);
    Ok(Reply::OK)
}

fn destroy(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let stream = ctx.write::<Stream>(argv[2])?.ok_or_else(no_key)?;
    let gone = stream.groups.remove(argv[3]);
    if gone {
        ctx.changed_beside(1);
    }
    Ok(Reply::flag(gone))
}

fn createconsumer(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let now_ms = ctx.now_ms();
    let stream = find(ctx, argv)?;
    let add = |group: &mut Group| group.add_consumer(argv[4], now_ms).1;
    let new = parse::edit(stream, argv[3], add);
    if new {
        ctx.changed_beside(1);
    }
    Ok(Reply::flag(new))
}

fn delconsumer(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let stream = find(ctx, argv)?;
    let gone = parse::edit(stream, argv[3], |group| group.remove_consumer(argv[4]));
    if gone.is_some() {
        ctx.changed_beside(1);
    }
    Ok(Reply::count(gone.unwrap_or(0)))
}

/// XGROUP SETID as it is logged when something was read.
pub(super) fn log_setid(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    group: &[u8],
    state: (StreamId, Option<u64>),
) {
    let (id, read) = (state.0.text(), state.1.map_or("-1".to_owned(), |read| read.to_string()));
    ctx.log_as(&[b"XGROUP", b"SETID", key, group, &id, b"ENTRIESREAD", read.as_bytes()]);
}
