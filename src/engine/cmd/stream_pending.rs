//! What was delivered: acknowledged (XACK, XACKDEL), given back (XNACK), listed (XPENDING).

use super::stream_args::{self as parse, NO_GROUP, delete_options, edit, id_reply};
use crate::element::StreamId;
use crate::engine::args::{self, Args};
use crate::engine::command::flag::{READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::reply::Reply;
use crate::value::Stream;
use crate::value::stream::{DELIVERIES_MAX, Group, References};

pub(super) const COMMANDS: &[Command] = &[
    cmd("xack", -4, WRITE, Keys::ONE, Since::both(5, 0), xack),
    cmd("xackdel", -6, WRITE, Keys::ONE, Since::redis(8, 2), xackdel),
    cmd("xnack", -7, WRITE, Keys::ONE, Since::redis(8, 8), xnack),
    cmd("xpending", -3, READONLY, Keys::ONE, Since::both(5, 0), xpending),
];

fn xack(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let stream = ctx.write::<Stream>(argv[1])?;
    let Some(stream) = stream.filter(|stream| stream.groups.get(argv[2]).is_some()) else {
        return Ok(Reply::Int(0));
    };
    let ids = parse::ids(&argv[3..])?;
    let gone = edit(stream, argv[2], |group| {
        ids.into_iter().filter(|id| group.remove(*id).is_some()).count()
    });
    ctx.changed_beside(gone);
    Ok(Reply::count(gone))
}

/// `XACKDEL key group [KEEPREF | DELREF | ACKED] IDS n id …`
fn xackdel(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    ctx.read::<Stream>(argv[1])?;
    let (references, ids) = delete_options(argv, 3)?;
    let stream = ctx.write::<Stream>(argv[1])?;
    let Some(stream) = stream.filter(|stream| stream.groups.get(argv[2]).is_some()) else {
        return Ok(Reply::Array(ids.iter().map(|_| Reply::Int(-1)).collect()));
    };
    let ids = parse::ids(ids)?;
    let (mut acked, mut deleted, mut replies) = (0, 0, Vec::new());
    for id in ids {
        if !edit(stream, argv[2], |group| group.remove(id).is_some()) {
            replies.push(Reply::Int(-1));
            continue;
        }
        acked += 1;
        let stays = references == References::Acked && stream.groups.has_references(id);
        if references == References::Delete {
            stream.groups.drop_references(id);
        }
        if !stays && stream.log.delete(id) {
            deleted += 1;
        }
        replies.push(Reply::Int(if stays { 2 } else { 1 }));
    }
    match deleted {
        0 => ctx.changed_beside(acked),
        _ => ctx.changed(argv[1], acked),
    }
    Ok(Reply::Array(replies))
}

/// What XNACK does to the count of deliveries.
#[derive(Debug, Clone, Copy)]
enum Mode {
    /// Takes the delivery back.
    Silent,
    /// Leaves it.
    Fail,
    /// The highest there is: nobody shall try again.
    Fatal,
}

impl Mode {
    fn deliveries(self, deliveries: u64) -> u64 {
        match self {
            Mode::Silent => deliveries.saturating_sub(1),
            Mode::Fail => deliveries,
            Mode::Fatal => DELIVERIES_MAX,
        }
    }
}

/// `XNACK key group SILENT|FAIL|FATAL IDS n id … [RETRYCOUNT n] [FORCE]`
fn xnack(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (key, name) = (argv[1], argv[2]);
    parse::with_group(ctx, key, name, NO_GROUP)?;
    let modes = [("silent", Mode::Silent), ("fail", Mode::Fail), ("fatal", Mode::Fatal)];
    let mode = modes.into_iter().find(|(word, _)| args::is(argv[3], word)).map(|(_, mode)| mode);
    let mode = mode.ok_or_else(|| Failure::new("ERR ERR mode must be SILENT, FAIL, or FATAL"))?;
    let (ids, force, count) = nack_options(argv)?;
    let ids = parse::ids(ids)?;
    let Some(stream) = ctx.write::<Stream>(key)? else { return Ok(Reply::Nil) };
    let Stream { log, groups, .. } = stream;
    let nacked = groups.edit(name, |group| {
        let mut nack = |id: &StreamId| {
            let before = match group.get(*id) {
                Some(pending) => pending.deliveries,
                // Never delivered, then.
                None if force && log.contains(*id) => 0,
                None => return false,
            };
            group.give_back(*id, count.unwrap_or(mode.deliveries(before)));
            true
        };
        ids.iter().filter(|id| nack(id)).count()
    });
    let nacked = nacked.unwrap_or(0);
    ctx.changed_beside(nacked);
    Ok(Reply::count(nacked))
}

type NackOptions<'a> = (&'a [&'a [u8]], bool, Option<u64>);

fn nack_options<'a>(argv: &'a [&'a [u8]]) -> Result<NackOptions<'a>, Failure> {
    let (mut ids, mut force, mut count) = (None, false, None);
    let mut args = Args::from(argv, 4);
    while let Some(word) = args.next() {
        if args::is(word, "ids") && !args.is_empty() {
            let number = args::int_in(args.value()?, 1, i32::MAX.into())
                .map_err(|_| Failure::new("ERR numids must be a positive integer"))?;
            let number = usize::try_from(number).ok().filter(|number| *number <= args.len());
            let number =
                number.ok_or_else(|| Failure::new("ERR ERR number of IDs doesn't match numids"))?;
            ids = Some(args.several(number)?);
        } else if args::is(word, "force") {
            force = true;
        } else if args::is(word, "retrycount") && !args.is_empty() {
            let number = u64::try_from(args::int(args.value()?)?)
                .map_err(|_| Failure::new("ERR ERR Invalid RETRYCOUNT value, must be >= 0"))?;
            count = Some(number);
        } else {
            return Err(Failure::format("ERR ERR Unrecognized XNACK option '%s'", &[word]));
        }
    }
    let ids = ids.ok_or_else(|| Failure::new("ERR ERR syntax error, expected IDS keyword"))?;
    Ok((ids, force, count))
}

/// `XPENDING key group [[IDLE min-idle] start end count [consumer]]`
fn xpending(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let wanted = match argv.len() {
        3 => None,
        6..=9 => Some(Wanted::parse(argv)?),
        _ => return Err(Failure::SYNTAX),
    };
    let (key, name, now_ms) = (argv[1], argv[2], ctx.now_ms());
    let stream = ctx.read::<Stream>(key)?;
    let group = stream.and_then(|stream| stream.groups.get(name));
    let group = group.ok_or_else(|| Failure::format(NO_GROUP, &[key, name]))?;
    Ok(match wanted {
        None => summary(group),
        Some(wanted) => wanted.list(group, now_ms),
    })
}

fn summary(group: &Group) -> Reply {
    let count = Reply::count(group.pending().len());
    let Some((first, last)) = group.pending_ends() else {
        return Reply::Array(vec![count, Reply::Nil, Reply::Nil, Reply::NilArray]);
    };
    let consumers = group.consumers().filter(|(_, consumer)| consumer.pending().len() > 0);
    let consumers = consumers.map(|(_, consumer)| {
        Reply::bulks([consumer.name(), consumer.pending().len().to_string().as_bytes()])
    });
    Reply::Array(vec![count, id_reply(first), id_reply(last), Reply::Array(consumers.collect())])
}

/// The long form's arguments.
#[derive(Debug)]
struct Wanted<'a> {
    min_idle: i64,
    start: StreamId,
    end: StreamId,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Wanted<'a> {
    fn parse(argv: &'a [&'a [u8]]) -> Result<Wanted<'a>, Failure> {
        let (mut first, mut min_idle) = (3, 0);
        if args::is(argv[3], "idle") {
            min_idle = args::int(argv[4])?;
            if argv.len() < 8 {
                return Err(Failure::SYNTAX);
            }
            first = 5;
        }
        let (Some(&[start, end, count]), rest) = (argv.get(first..first + 3), first + 3) else {
            return Err(Failure::SYNTAX);
        };
        let count = usize::try_from(args::int(count)?).unwrap_or(0);
        let (start, end) = (parse::start(start)?, parse::end(end)?);
        Ok(Wanted { min_idle, start, end, count, consumer: argv.get(rest).copied() })
    }

    fn list(&self, group: &Group, now_ms: i64) -> Reply {
        let owner = match self.consumer.map(|name| group.find(name)) {
            None => None,
            Some(Some(number)) => Some(number),
            Some(None) => return Reply::Array(Vec::new()),
        };
        let line = |(id, pending): (StreamId, &crate::value::stream::Pending)| {
            let idle = now_ms.wrapping_sub(pending.delivered_at_ms);
            let consumer = group.owner(pending);
            Reply::Array(vec![
                id_reply(id),
                Reply::bulk(consumer.map_or(&b""[..], |consumer| consumer.name())),
                Reply::Int(if consumer.is_some() { idle.max(0) } else { -1 }),
                Reply::Int(i64::try_from(pending.deliveries).unwrap_or(i64::MAX)),
            ])
        };
        let lines = group.pending_from(self.start).take_while(|(id, _)| *id <= self.end);
        let lines = lines.filter(|(_, pending)| owner.is_none() || pending.owner == owner);
        let lines = lines.filter(|(_, pending)| {
            let idle = now_ms.wrapping_sub(pending.delivered_at_ms);
            pending.owner.is_none() || self.min_idle == 0 || idle >= self.min_idle
        });
        Reply::Array(lines.take(self.count).map(line).collect())
    }
}
