//! XREAD and XREADGROUP. Nothing blocks: a command that would have to wait answers as if its time was up.

use super::stream_args::{self as parse, entry, fields, id_reply};
use super::stream_claim::{Claim, log_claims};
use super::stream_group::log_setid;
use crate::element::StreamId;
use crate::encoding::number::parse_i64;
use crate::engine::args::{self, Args};
use crate::engine::command::flag::{READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::release::Release;
use crate::engine::reply::{Reply, Resp};
use crate::value::Stream;
use crate::value::stream::{ConsumerNumber, Counting, DELIVERIES_MAX, Group, Log, c_string};

pub(super) const COMMANDS: &[Command] = &[
    cmd("xread", -4, READONLY, Keys::Find(keys), Since::both(5, 0), xread),
    cmd("xreadgroup", -7, WRITE, Keys::Find(keys), Since::both(5, 0), xreadgroup),
];

/// The first half of what follows STREAMS.
fn keys(argv: &[&[u8]]) -> Vec<usize> {
    let Some(word) = argv.iter().position(|arg| args::is(arg, "streams")) else {
        return Vec::new();
    };
    let first = word + 1;
    (first..first + argv.len().saturating_sub(first) / 2).collect()
}

/// What the options said.
#[derive(Debug, Default)]
struct Options<'a> {
    /// 0 is no limit.
    count: usize,
    group: Option<(&'a [u8], &'a [u8])>,
    noack: bool,
    /// CLAIM: take over what has been pending for so long.
    min_idle: Option<u64>,
    keys: &'a [&'a [u8]],
    ids: &'a [&'a [u8]],
}

fn options<'a>(
    argv: &'a [&'a [u8]],
    release: Release,
    in_group: bool,
) -> Result<Options<'a>, Failure> {
    let fail = |text: String| Err(Failure::new(text));
    let only_group = |option: &str| {
        let text = format!(
            "ERR The {option} option is only supported by XREADGROUP. \
                            You called XREAD instead."
        );
        if in_group { Ok(()) } else { Err(Failure::new(text)) }
    };
    let mut options = Options::default();
    let mut args = Args::from(argv, 1);
    while let Some(word) = args.next() {
        let is = |name| args::is(word, name);
        if is("claim") && !args.is_empty() && release.has_redis(8, 4) {
            only_group("CLAIM")?;
            let text = "ERR min-idle-time is not an integer or out of range";
            let idle = parse::int_or(args.value()?, text)?;
            let positive = u64::try_from(idle)
                .map_err(|_| Failure::new("ERR min-idle-time must be a positive integer"))?;
            options.min_idle = Some(positive);
        } else if is("block") && !args.is_empty() {
            match parse_i64(args.value()?) {
                None => return fail("ERR timeout is not an integer or out of range".into()),
                Some(..0) => return fail("ERR timeout is negative".into()),
                Some(_) => {}
            }
        } else if is("count") && !args.is_empty() {
            options.count = usize::try_from(args::int(args.value()?)?).unwrap_or(0);
        } else if is("streams") && !args.is_empty() {
            let rest = args.rest();
            if !rest.len().is_multiple_of(2) {
                return Err(unbalanced(release, in_group));
            }
            (options.keys, options.ids) = rest.split_at(rest.len() / 2);
            break;
        } else if is("group") && args.len() >= 2 {
            only_group("GROUP")?;
            options.group = Some((args.value()?, args.value()?));
        } else if is("noack") {
            only_group("NOACK")?;
            options.noack = true;
        } else {
            return Err(Failure::SYNTAX);
        }
    }
    if options.keys.is_empty() {
        return Err(Failure::SYNTAX);
    }
    Ok(options)
}

/// Does the server know `+`, the last entry?
fn has_plus(release: Release) -> bool {
    release.has((7, 4), (8, 0))
}

fn unbalanced(release: Release, in_group: bool) -> Failure {
    let (name, wanted) = match in_group {
        _ if !release.has_redis(7, 2) => ("XREAD", "ID or '$'"),
        true => ("'xreadgroup'", "ID or '>'"),
        false if release.has_redis(7, 4) => ("'xread'", "ID, '+', or '$'"),
        false => ("'xread'", "ID or '$'"),
    };
    Failure::new(format!(
        "ERR Unbalanced {name} list of streams: for each stream key an {wanted} must be specified."
    ))
}

/// An array of two for each stream, or a map of RESP3.
fn streams_reply(ctx: &Ctx<'_>, streams: Vec<(Reply, Reply)>) -> Outcome {
    if streams.is_empty() {
        return Ok(Reply::NilArray);
    }
    Ok(match ctx.session.resp {
        Resp::V3 => Reply::Map(streams),
        Resp::V2 => {
            let pair = |(key, entries)| Reply::Array(vec![key, entries]);
            Reply::Array(streams.into_iter().map(pair).collect())
        }
    })
}

/// `XREAD [COUNT n] [BLOCK ms] STREAMS key … id …`
fn xread(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let release = ctx.release();
    let options = options(argv, release, false)?;
    let mut after = Vec::with_capacity(options.ids.len());
    for (key, id) in options.keys.iter().zip(options.ids) {
        let stream = ctx.read::<Stream>(key)?;
        after.push(match c_string(id) {
            b"$" => stream.map_or(StreamId::MIN, |stream| stream.log.last_id),
            b"+" if has_plus(release) => {
                let last = stream.and_then(|stream| stream.log.last_live_id());
                last.and_then(StreamId::prev).unwrap_or(StreamId::MIN)
            }
            b">" => {
                let text = "ERR The > ID can be specified only when calling XREADGROUP using \
                            the GROUP <group> <consumer> option.";
                return Err(Failure::new(text));
            }
            _ => parse::id(id)?,
        });
    }
    let count = if options.count == 0 { usize::MAX } else { options.count };
    let mut streams = Vec::new();
    for (key, after) in options.keys.iter().zip(after) {
        let (Some(stream), Some(start)) = (ctx.read::<Stream>(key)?, after.next()) else {
            continue;
        };
        let entries = stream.log.range(start, StreamId::MAX).take(count);
        let entries: Vec<_> = entries.map(|found| entry(&found)).collect();
        if !entries.is_empty() {
            streams.push((Reply::bulk(key), Reply::Array(entries)));
        }
    }
    streams_reply(ctx, streams)
}

/// Which entries a consumer asks for.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    /// `>`: those that the group has not read.
    New,
    /// Those behind this id that it was given before.
    History(StreamId),
}

/// `XREADGROUP GROUP group consumer [COUNT n] [BLOCK ms] [CLAIM min-idle] [NOACK] STREAMS key … id …`
fn xreadgroup(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let release = ctx.release();
    let options = options(argv, release, true)?;
    let Some((group, consumer)) = options.group else {
        return Err(Failure::new("ERR Missing GROUP option for XREADGROUP"));
    };
    let meaningless = |id: &str| {
        Failure::new(format!(
            "ERR The {id} ID is meaningless in the context of XREADGROUP: you want to read the \
             history of this consumer by specifying a proper ID, or use the > ID to get new \
             messages. The {id} ID would just return an empty result set."
        ))
    };
    let mut wanted = Vec::with_capacity(options.ids.len());
    for (key, id) in options.keys.iter().zip(options.ids) {
        let text =
            "NOGROUP No such key '%s' or consumer group '%s' in XREADGROUP with GROUP option";
        parse::with_group(ctx, key, group, text)?;
        wanted.push(match c_string(id) {
            b"$" => return Err(meaningless("$")),
            b"+" if has_plus(release) => return Err(meaningless("+")),
            b">" => Wanted::New,
            // The servers keep `>` as the highest id.
            _ => match parse::id(id)? {
                StreamId::MAX => Wanted::New,
                id => Wanted::History(id),
            },
        });
    }
    ctx.log_nothing();
    let mut streams = Vec::new();
    for (key, wanted) in options.keys.iter().zip(wanted) {
        if let Some(entries) = read_one(ctx, key, (group, consumer), wanted, &options)? {
            streams.push((Reply::bulk(key), Reply::Array(entries)));
        }
    }
    streams_reply(ctx, streams)
}

/// What one stream has for the consumer, and the log of it.
fn read_one(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    (group_name, consumer_name): (&[u8], &[u8]),
    wanted: Wanted,
    options: &Options<'_>,
) -> Result<Option<Vec<Reply>>, Failure> {
    let (now_ms, counting) = (ctx.now_ms(), parse::counting(ctx));
    // A consumer that gets nothing was not seen before 7.2; a new one did not come to be.
    let keeps_idle = ctx.release().has_redis(7, 2);
    let Some(stream) = ctx.write::<Stream>(key)? else { return Ok(None) };
    let Stream { log, groups, .. } = stream;
    let done = groups.edit(group_name, |group| {
        let (number, mut created) = group.add_consumer(consumer_name, now_ms);
        let mut reading =
            Reading { log, group, number, now_ms, options, counting, claims: Vec::new() };
        let old_id = reading.group.last_id;
        let entries = reading.read(wanted);
        let claims = std::mem::take(&mut reading.claims);
        let moved = group.last_id != old_id;
        if entries.is_some() || keeps_idle {
            if let Some(consumer) = group.at_mut(number) {
                consumer.seen_at_ms = now_ms;
            }
        } else if created {
            group.remove_consumer(consumer_name);
            created = false;
        }
        (entries, claims, created, old_id, moved.then_some((group.last_id, group.entries_read)))
    });
    let Some((entries, claims, created, old_id, moved)) = done else { return Ok(None) };
    ctx.changed_beside(usize::from(created));
    if !claims.is_empty() || moved.is_some() {
        ctx.changed_beside(1);
    }
    if ctx.logs() {
        log_claims(ctx, key, group_name, old_id, &claims);
        if let Some(state) = moved {
            log_setid(ctx, key, group_name, state);
        }
        if created && claims.is_empty() {
            ctx.log_as(&[b"XGROUP", b"CREATECONSUMER", key, group_name, consumer_name]);
        }
    }
    Ok(entries)
}

/// A consumer at work.
struct Reading<'a> {
    log: &'a Log,
    group: &'a mut Group,
    number: ConsumerNumber,
    now_ms: i64,
    options: &'a Options<'a>,
    counting: Counting,
    /// What was delivered, for the log.
    claims: Vec<Claim>,
}

impl Reading<'_> {
    fn read(&mut self, wanted: Wanted) -> Option<Vec<Reply>> {
        let after = match wanted {
            Wanted::History(after) => return Some(self.history(after)),
            Wanted::New => self.group.last_id,
        };
        let is_new = self.log.last_live_id().is_some_and(|last| last > after);
        let mut entries = Vec::new();
        if let Some(min_idle) = self.options.min_idle {
            self.claim(min_idle, &mut entries);
        }
        if is_new && !self.is_full(entries.len()) {
            self.deliver(after, &mut entries);
        }
        (is_new || !entries.is_empty()).then_some(entries)
    }

    fn is_full(&self, len: usize) -> bool {
        self.options.count != 0 && len >= self.options.count
    }

    /// What the consumer has been given already, from behind `after`: once more.
    fn history(&mut self, after: StreamId) -> Vec<Reply> {
        let mut replies = Vec::new();
        let mut next = after.next();
        while let (Some(from), false) = (next, self.is_full(replies.len())) {
            let Some(id) = self.group.at(self.number).and_then(|c| c.pending_from(from)) else {
                break;
            };
            replies.push(match self.log.get(id) {
                None => Reply::Array(vec![id_reply(id), Reply::NilArray]),
                Some(found) => {
                    let deliveries = self.group.get(id).map_or(0, |pending| pending.deliveries);
                    let deliveries = once_more(deliveries);
                    self.group.deliver(id, self.number, self.now_ms, deliveries);
                    entry(&found)
                }
            });
            next = id.next();
        }
        replies
    }

    /// Takes over what has been pending long enough, the oldest first.
    fn claim(&mut self, min_idle: u64, entries: &mut Vec<Reply>) {
        for id in self.group.by_age() {
            let Some(pending) = self.group.get(id).copied() else { continue };
            let idle = self.now_ms.wrapping_sub(pending.delivered_at_ms);
            if (idle as u64) < min_idle || self.is_full(entries.len()) {
                break;
            }
            let Some(found) = self.log.get(id) else { continue };
            entries.push(Reply::Array(vec![
                id_reply(id),
                fields(&found),
                Reply::Int(idle),
                Reply::Int(i64::try_from(pending.deliveries).unwrap_or(i64::MAX)),
            ]));
            self.give(id, once_more(pending.deliveries));
        }
    }

    /// Reads on from behind `after`.
    fn deliver(&mut self, after: StreamId, entries: &mut Vec<Reply>) {
        let Some(start) = after.next() else { return };
        for found in self.log.range(start, StreamId::MAX) {
            let group = &mut *self.group;
            let read = (group.last_id, group.entries_read);
            group.entries_read = self.log.read_on(read, found.id, self.counting);
            group.last_id = found.id;
            entries.push(match self.options.min_idle {
                None => entry(&found),
                Some(_) => Reply::Array(vec![
                    id_reply(found.id),
                    fields(&found),
                    Reply::Int(0),
                    Reply::Int(0),
                ]),
            });
            if !self.options.noack {
                self.give(found.id, 1);
            }
            if self.is_full(entries.len()) {
                break;
            }
        }
    }

    fn give(&mut self, id: StreamId, deliveries: u64) {
        self.group.deliver(id, self.number, self.now_ms, deliveries);
        if let Some(consumer) = self.group.at_mut(self.number) {
            consumer.active_at_ms = self.now_ms;
        }
        self.claims.extend(Claim::of(self.group, id));
    }
}

/// One delivery more; at the highest count it stays.
pub(super) fn once_more(deliveries: u64) -> u64 {
    deliveries.saturating_add(u64::from(deliveries != DELIVERIES_MAX))
}
