//! XINFO.

use super::stream_args::{counting, entry, id_reply};
use crate::element::StreamId;
use crate::engine::args;
use crate::engine::command::flag::READONLY;
use crate::engine::command::{Command, Keys, Since, cmd, container};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::release::Release;
use crate::engine::reply::Reply;
use crate::value::Stream;
use crate::value::stream::{Consumer, Counting, Group, Log};

pub(super) const COMMANDS: &[Command] = &[container("xinfo", Since::both(5, 0), XINFO)];

const KEY: Keys = Keys::Range { first: 2, last: 2, step: 1 };

const XINFO: &[Command] = &[
    cmd("xinfo|stream", -3, READONLY, KEY, Since::both(5, 0), stream),
    cmd("xinfo|groups", 3, READONLY, KEY, Since::both(5, 0), groups),
    cmd("xinfo|consumers", 4, READONLY, KEY, Since::both(5, 0), consumers),
];

fn int(number: u64) -> Reply {
    Reply::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn maybe(number: Option<i64>) -> Reply {
    number.map_or(Reply::Nil, Reply::Int)
}

fn read(group: &Group) -> Reply {
    maybe(group.entries_read.map(|read| i64::try_from(read).unwrap_or(i64::MAX)))
}

/// Names to replies.
fn map<const N: usize>(rows: [(&str, Reply); N]) -> Vec<(Reply, Reply)> {
    rows.map(|(name, value)| (Reply::bulk(name), value)).to_vec()
}

fn groups(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let counting = counting(ctx);
    let stream = ctx.read::<Stream>(argv[2])?.ok_or(Failure::NO_KEY)?;
    let one = |(name, group): (&crate::value::Bytes, &Group)| {
        Reply::Map(map([
            ("name", Reply::bulk(&name[..])),
            ("consumers", Reply::count(group.consumer_count())),
            ("pending", Reply::count(group.pending().len())),
            ("last-delivered-id", id_reply(group.last_id)),
            ("entries-read", read(group)),
            ("lag", maybe(stream.log.lag(group.last_id, group.entries_read, counting))),
        ]))
    };
    Ok(Reply::Array(stream.groups.iter().map(one).collect()))
}

fn consumers(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (key, name, now_ms, release) = (argv[2], argv[3], ctx.now_ms(), ctx.release());
    let stream = ctx.read::<Stream>(key)?.ok_or(Failure::NO_KEY)?;
    let text = "NOGROUP No such consumer group '%s' for key name '%s'";
    let group = stream.groups.get(name).ok_or_else(|| Failure::format(text, &[name, key]))?;
    let one = |consumer: &Consumer| {
        let since = |at: i64| now_ms.wrapping_sub(at);
        let mut rows = map([
            ("name", Reply::bulk(consumer.name())),
            ("pending", Reply::count(consumer.pending().len())),
            ("idle", Reply::Int(since(consumer.seen_at_ms).max(0))),
        ]);
        if release.has_redis(7, 2) {
            let active = consumer.active_at_ms;
            let inactive = if active == -1 { -1 } else { since(active) };
            rows.push((Reply::bulk("inactive"), Reply::Int(inactive)));
        }
        Reply::Map(rows)
    };
    Ok(Reply::Array(group.consumers().map(|(_, consumer)| one(consumer)).collect()))
}

/// `XINFO STREAM key [FULL [COUNT n]]`
fn stream(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (release, counting) = (ctx.release(), counting(ctx));
    let stream = ctx.read::<Stream>(argv[2])?.ok_or(Failure::NO_KEY)?;
    let full = match argv.get(3..).unwrap_or_default() {
        [] => None,
        [full] if args::is(full, "full") => Some(10),
        [full, count, number] if args::is(full, "full") && args::is(count, "count") => {
            let number = args::int(number)?;
            Some(usize::try_from(number).unwrap_or(10))
        }
        _ => return Err(Failure::subcommand_syntax("xinfo", argv[1])),
    };
    let mut rows = head(stream, release);
    let log = &stream.log;
    match full {
        None => {
            let all = (StreamId::MIN, StreamId::MAX);
            let first = log.range(all.0, all.1).next().map(|found| entry(&found));
            let last = log.range_back(all.0, all.1).next().map(|found| entry(&found));
            rows.extend(map([
                ("groups", Reply::count(stream.groups.len())),
                ("first-entry", first.unwrap_or(Reply::Nil)),
                ("last-entry", last.unwrap_or(Reply::Nil)),
            ]));
        }
        Some(count) => {
            let count = if count == 0 { usize::MAX } else { count };
            let entries = log.range(StreamId::MIN, StreamId::MAX).take(count);
            let groups = stream.groups.iter();
            let groups = groups.map(|(name, group)| {
                full_group(log, (&name[..], group), count, (release, counting))
            });
            rows.extend(map([
                ("entries", Reply::Array(entries.map(|found| entry(&found)).collect())),
                ("groups", Reply::Array(groups.collect())),
            ]));
        }
    }
    Ok(Reply::Map(rows))
}

fn head(stream: &Stream, release: Release) -> Vec<(Reply, Reply)> {
    let Stream { log, idmp, .. } = stream;
    let mut rows = map([
        ("length", int(log.length)),
        ("radix-tree-keys", Reply::count(log.node_count())),
        ("radix-tree-nodes", Reply::count(radix_nodes(log))),
        ("last-generated-id", id_reply(log.last_id)),
        ("max-deleted-entry-id", id_reply(log.max_deleted_id)),
        ("entries-added", int(log.entries_added)),
        ("recorded-first-entry-id", id_reply(log.first_id)),
    ]);
    if release.has_redis(8, 6) {
        rows.extend(map([
            ("idmp-duration", int(idmp.duration_s)),
            ("idmp-maxsize", int(idmp.max_size)),
            ("pids-tracked", Reply::count(idmp.producers().len())),
            ("iids-tracked", Reply::count(idmp.tracked())),
            ("iids-added", int(idmp.added)),
            ("iids-duplicates", int(idmp.duplicates)),
        ]));
    }
    rows
}

fn full_group(
    log: &Log,
    (name, group): (&[u8], &Group),
    count: usize,
    (release, counting): (Release, Counting),
) -> Reply {
    let mut rows = map([
        ("name", Reply::bulk(name)),
        ("last-delivered-id", id_reply(group.last_id)),
        ("entries-read", read(group)),
        ("lag", maybe(log.lag(group.last_id, group.entries_read, counting))),
        ("pel-count", Reply::count(group.pending().len())),
    ]);
    if release.has_redis(8, 8) {
        rows.push((Reply::bulk("nacked-count"), Reply::count(group.nacked().len())));
    }
    let pending = group.pending().take(count).map(|(id, pending)| {
        let owner = group.owner(pending);
        Reply::Array(vec![
            id_reply(id),
            Reply::bulk(owner.map_or(&b""[..], |consumer| consumer.name())),
            Reply::Int(pending.delivered_at_ms),
            int(pending.deliveries),
        ])
    });
    let consumers =
        group.consumers().map(|(_, consumer)| full_consumer(group, consumer, count, release));
    rows.extend(map([
        ("pending", Reply::Array(pending.collect())),
        ("consumers", Reply::Array(consumers.collect())),
    ]));
    Reply::Map(rows)
}

fn full_consumer(group: &Group, consumer: &Consumer, count: usize, release: Release) -> Reply {
    let mut rows = map([
        ("name", Reply::bulk(consumer.name())),
        ("seen-time", Reply::Int(consumer.seen_at_ms)),
    ]);
    if release.has_redis(7, 2) {
        rows.push((Reply::bulk("active-time"), Reply::Int(consumer.active_at_ms)));
    }
    let pending = consumer.pending().take(count).filter_map(|id| {
        let pending = group.get(id)?;
        let (at, deliveries) = (pending.delivered_at_ms, pending.deliveries);
        Some(Reply::Array(vec![id_reply(id), Reply::Int(at), int(deliveries)]))
    });
    rows.extend(map([
        ("pel-count", Reply::count(consumer.pending().len())),
        ("pending", Reply::Array(pending.collect())),
    ]));
    Reply::Map(rows)
}

/// How many nodes the servers' radix tree has for these keys of sixteen bytes: where keys part there is
/// one, a run of bytes without parting is one, and so is each key's end.
fn radix_nodes(log: &Log) -> usize {
    let keys: Vec<[u8; 16]> = log.nodes().map(|(id, _)| id.to_bytes()).collect();
    if keys.is_empty() {
        return 1;
    }
    // Ranges of keys that share their first `depth` bytes.
    let (mut nodes, mut open) = (0, vec![(keys.as_slice(), 0usize)]);
    while let Some((keys, depth)) = open.pop() {
        let (Some(first), Some(last)) = (keys.first(), keys.last()) else { continue };
        let same = first.iter().zip(last).skip(depth).take_while(|(a, b)| a == b).count();
        // The run, if there is one, and the node behind it: a parting or an end.
        nodes += usize::from(same > 0) + 1;
        let parting = depth + same;
        if parting < first.len() {
            let by_byte = keys.chunk_by(|a, b| a.get(parting) == b.get(parting));
            open.extend(by_byte.map(|keys| (keys, parting + 1)));
        }
    }
    nodes
}
