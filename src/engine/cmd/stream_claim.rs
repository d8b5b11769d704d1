//! XCLAIM and XAUTOCLAIM: pending entries change hands. XCLAIM is also how files say that something was
//! delivered.

use super::stream_args::{self as parse, NO_GROUP, entry, id_reply};
use super::stream_group::log_setid;
use super::stream_read::once_more;
use crate::element::StreamId;
use crate::encoding::number::parse_i64;
use crate::engine::args::{self, Args};
use crate::engine::command::flag::WRITE;
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::reply::Reply;
use crate::value::stream::{ConsumerNumber, Group, Log};
use crate::value::{Bytes, Stream};

pub(super) const COMMANDS: &[Command] = &[
    cmd("xclaim", -6, WRITE, Keys::ONE, Since::both(5, 0), xclaim),
    cmd("xautoclaim", -6, WRITE, Keys::ONE, Since::both(6, 2), xautoclaim),
];

/// A change of a pending list, to be logged: what the entry is like afterwards (or was, if it was taken
/// out because the stream no longer has it).
#[derive(Debug, Clone)]
pub(super) struct Claim {
    id: StreamId,
    /// Nobody's entries go by XACK.
    owner: Option<Bytes>,
    delivered_at_ms: i64,
    deliveries: u64,
}

impl Claim {
    /// The entry with this id as it is now.
    pub(super) fn of(group: &Group, id: StreamId) -> Option<Claim> {
        let pending = group.get(id)?;
        Some(Claim {
            id,
            owner: group.owner(pending).map(|consumer| Bytes::new(consumer.name())),
            delivered_at_ms: pending.delivered_at_ms,
            deliveries: pending.deliveries,
        })
    }
}

/// Logs changes of a pending list in a form that can be replayed.
pub(super) fn log_claims(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    group: &[u8],
    last_id: StreamId,
    claims: &[Claim],
) {
    let last_id = last_id.text();
    for claim in claims {
        let id = claim.id.text();
        let Some(owner) = &claim.owner else {
            ctx.log_as(&[b"XACK", key, group, &id]);
            continue;
        };
        let (time, count) = (claim.delivered_at_ms.to_string(), claim.deliveries.to_string());
        ctx.log_as(&[
            b"XCLAIM",
            key,
            group,
            owner,
            b"0",
            &id,
            b"TIME",
            time.as_bytes(),
            b"RETRYCOUNT",
            count.as_bytes(),
            b"FORCE",
            b"JUSTID",
            b"LASTID",
            &last_id,
        ]);
    }
}

/// What XCLAIM is to do with each id.
#[derive(Debug, Default)]
struct Options {
    /// At least so long undelivered, in milliseconds.
    min_idle: i64,
    delivered_at_ms: Option<i64>,
    deliveries: Option<u64>,
    force: bool,
    just_id: bool,
    last_id: StreamId,
}

/// `XCLAIM key group consumer min-idle id … [IDLE ms] [TIME ms] [RETRYCOUNT n] [FORCE] [JUSTID] [LASTID id]`
fn xclaim(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (key, group, now_ms) = (argv[1], argv[2], ctx.now_ms());
    parse::with_group(ctx, key, group, NO_GROUP)?;
    let text = "ERR Invalid min-idle-time argument for XCLAIM";
    let min_idle = parse::int_or(argv[4], text)?.max(0);
    let ids: Vec<StreamId> = argv[5..].iter().map_while(|arg| parse::id(arg).ok()).collect();
    let options = Options { min_idle, ..claim_options(argv, 5 + ids.len(), now_ms)? };
    ctx.log_nothing();
    // A consumer that gets nothing was not seen before 7.2; a new one did not come to be.
    let keeps_idle = ctx.release().has_redis(7, 2);
    let Some(stream) = ctx.write::<Stream>(key)? else { return Ok(Reply::Nil) };
    let Stream { log, groups, .. } = stream;
    let done = groups.edit(group, |group| {
        let moved = options.last_id > group.last_id;
        group.last_id = group.last_id.max(options.last_id);
        let (number, mut created) = group.add_consumer(argv[3], now_ms);
        if keeps_idle && let Some(consumer) = group.at_mut(number) {
            consumer.seen_at_ms = now_ms;
        }
        let mut claiming = Claiming::new(log, group, number, now_ms);
        ids.into_iter().for_each(|id| claiming.claim(id, &options));
        let Claiming { replies, claims, .. } = claiming;
        if created && replies.is_empty() && !keeps_idle {
            group.remove_consumer(argv[3]);
            created = false;
        }
        (replies, claims, created, moved, (group.last_id, group.entries_read))
    });
    let Some((replies, claims, created, moved, state)) = done else { return Ok(Reply::Nil) };
    let moved = moved && claims.is_empty();
    ctx.changed_beside(claims.len() + usize::from(created) + usize::from(moved));
    if ctx.logs() {
        log_claims(ctx, key, group, state.0, &claims);
        if moved {
            log_setid(ctx, key, group, state);
        }
        if created && claims.is_empty() {
            ctx.log_as(&[b"XGROUP", b"CREATECONSUMER", key, group, argv[3]]);
        }
    }
    Ok(Reply::Array(replies))
}

fn claim_options(argv: &[&[u8]], first: usize, now_ms: i64) -> Result<Options, Failure> {
    let mut options = Options::default();
    let mut delivered_at = -1;
    let mut args = Args::from(argv, first);
    while let Some(word) = args.next() {
        let is = |name| args::is(word, name);
        if is("force") {
            options.force = true;
        } else if is("justid") {
            options.just_id = true;
        } else if is("idle") && !args.is_empty() {
            let text = "ERR Invalid IDLE option argument for XCLAIM";
            delivered_at = now_ms.wrapping_sub(parse::int_or(args.value()?, text)?);
        } else if is("time") && !args.is_empty() {
            let text = "ERR Invalid TIME option argument for XCLAIM";
            delivered_at = parse::int_or(args.value()?, text)?;
        } else if is("retrycount") && !args.is_empty() {
            let text = "ERR Invalid RETRYCOUNT option argument for XCLAIM";
            options.deliveries = u64::try_from(parse::int_or(args.value()?, text)?).ok();
        } else if is("lastid") && !args.is_empty() {
            options.last_id = parse::id(args.value()?)?;
        } else {
            return Err(Failure::format("ERR Unrecognized XCLAIM option '%s'", &[word]));
        }
    }
    // A time that has not come yet, or never was, means now.
    options.delivered_at_ms = Some(delivered_at).filter(|at| (0..=now_ms).contains(at));
    Ok(options)
}

/// A consumer at work.
struct Claiming<'a> {
    log: &'a Log,
    group: &'a mut Group,
    number: ConsumerNumber,
    now_ms: i64,
    replies: Vec<Reply>,
    claims: Vec<Claim>,
}

impl<'a> Claiming<'a> {
    fn new(log: &'a Log, group: &'a mut Group, number: ConsumerNumber, now_ms: i64) -> Self {
        Claiming { log, group, number, now_ms, replies: Vec::new(), claims: Vec::new() }
    }

    fn claim(&mut self, id: StreamId, options: &Options) {
        if self.drop_dangling(id) {
            return;
        }
        let pending = self.group.get(id).copied();
        let deliveries = match pending {
            Some(pending) => {
                if pending.owner.is_some()
                    && self.is_too_fresh(pending.delivered_at_ms, options.min_idle)
                {
                    return;
                }
                pending.deliveries
            }
            // A new one counts as delivered once, before this delivery is counted.
            None if options.force && self.log.contains(id) => 1,
            None => return,
        };
        let deliveries = match options.deliveries {
            Some(deliveries) => deliveries,
            None if options.just_id => deliveries,
            None => once_more(deliveries),
        };
        let delivered_at_ms = options.delivered_at_ms.unwrap_or(self.now_ms);
        self.give(id, delivered_at_ms, deliveries, options.just_id);
    }

    fn is_too_fresh(&self, delivered_at_ms: i64, min_idle: i64) -> bool {
        min_idle != 0 && self.now_ms.wrapping_sub(delivered_at_ms) < min_idle
    }

    /// Takes an entry out of the list that the stream no longer has. Was it such a one?
    fn drop_dangling(&mut self, id: StreamId) -> bool {
        let dangling = self.group.get(id).is_some() && !self.log.contains(id);
        if dangling {
            self.claims.extend(Claim::of(self.group, id));
            self.group.remove(id);
        }
        dangling
    }

    fn give(&mut self, id: StreamId, at_ms: i64, deliveries: u64, just_id: bool) {
        self.group.deliver(id, self.number, at_ms, deliveries);
        if let Some(consumer) = self.group.at_mut(self.number) {
            (consumer.seen_at_ms, consumer.active_at_ms) = (self.now_ms, self.now_ms);
        }
        self.claims.extend(Claim::of(self.group, id));
        self.replies.extend(match just_id {
            true => Some(id_reply(id)),
            false => self.log.get(id).map(|found| entry(&found)),
        });
    }
}

/// `XAUTOCLAIM key group consumer min-idle start [COUNT n] [JUSTID]`
fn xautoclaim(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (key, group, now_ms) = (argv[1], argv[2], ctx.now_ms());
    let text = "ERR Invalid min-idle-time argument for XAUTOCLAIM";
    let min_idle = parse::int_or(argv[4], text)?.max(0);
    let start = parse::start(argv[5])?;
    let (mut count, mut just_id) = (100, false);
    let mut args = Args::from(argv, 6);
    while let Some(word) = args.next() {
        if args::is(word, "count") && !args.is_empty() {
            let number = parse_i64(args.value()?).filter(|n| (1..=i64::MAX / 16).contains(n));
            count = number.ok_or_else(|| Failure::new("ERR COUNT must be > 0"))?;
        } else if args::is(word, "justid") {
            just_id = true;
        } else {
            return Err(Failure::SYNTAX);
        }
    }
    let keeps_idle = ctx.release().has_redis(7, 2);
    let stream = parse::with_group(ctx, key, group, NO_GROUP)?;
    let Stream { log, groups, .. } = stream;
    let done = groups.edit(group, |group| {
        let (number, mut created) = group.add_consumer(argv[3], now_ms);
        if keeps_idle && let Some(consumer) = group.at_mut(number) {
            consumer.seen_at_ms = now_ms;
        }
        let mut claiming = Claiming::new(log, group, number, now_ms);
        let (deleted, cursor) = claiming.claim_from(start, count, min_idle, just_id);
        let Claiming { replies, claims, .. } = claiming;
        if created && replies.is_empty() && !keeps_idle {
            group.remove_consumer(argv[3]);
            created = false;
        }
        (replies, claims, created, deleted, cursor, group.last_id)
    });
    ctx.log_nothing();
    let Some((replies, claims, created, deleted, cursor, last_id)) = done else {
        return Ok(Reply::Nil);
    };
    ctx.changed_beside(claims.len() + usize::from(created));
    if ctx.logs() {
        log_claims(ctx, key, group, last_id, &claims);
        if created && claims.is_empty() {
            ctx.log_as(&[b"XGROUP", b"CREATECONSUMER", key, group, argv[3]]);
        }
    }
    Ok(Reply::Array(vec![id_reply(cursor), Reply::Array(replies), Reply::Array(deleted)]))
}

impl Claiming<'_> {
    /// Claims up to `count` entries from `start` on, looking at ten times as many. The answer: ids that
    /// were taken out of the list, and where to go on (0-0 at the end).
    fn claim_from(
        &mut self,
        start: StreamId,
        mut count: i64,
        min_idle: i64,
        just_id: bool,
    ) -> (Vec<Reply>, StreamId) {
        let (mut attempts, mut deleted) = (count.saturating_mul(10), Vec::new());
        let mut next = Some(start);
        let seek = |this: &Self, from: Option<StreamId>| {
            this.group.pending_from(from?).next().map(|(id, pending)| (id, *pending))
        };
        while attempts > 0 && count > 0 {
            attempts -= 1;
            let Some((id, pending)) = seek(self, next) else { return (deleted, StreamId::MIN) };
            next = id.next();
            if self.drop_dangling(id) {
                deleted.push(id_reply(id));
                count -= 1;
            } else if pending.owner.is_none()
                || !self.is_too_fresh(pending.delivered_at_ms, min_idle)
            {
                let deliveries = pending.deliveries;
                let deliveries = if just_id { deliveries } else { once_more(deliveries) };
                self.give(id, self.now_ms, deliveries, just_id);
                count -= 1;
            }
        }
        (deleted, seek(self, next).map_or(StreamId::MIN, |(id, _)| id))
    }
}
