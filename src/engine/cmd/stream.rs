//! Streams: the commands on their entries. Those on groups are in the files beside this one.

use super::stream_args::{self as parse, IdArg, Options, delete_options, entry, id_reply};
use crate::element::StreamId;
use crate::engine::args::{self, Args};
use crate::engine::command::flag::{DENYOOM, READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::reply::Reply;
use crate::value::Stream;
use crate::value::stream::{NewId, NotAdded, References, Trim, TrimTo, automatic_iid};

const IDMP: Since = Since::redis(8, 6);

pub(super) const COMMANDS: &[Command] = &[
    cmd("xadd", -5, WRITE | DENYOOM, Keys::ONE, Since::both(5, 0), xadd),
    cmd("xtrim", -4, WRITE, Keys::ONE, Since::both(5, 0), xtrim),
    cmd("xdel", -3, WRITE, Keys::ONE, Since::both(5, 0), xdel),
    cmd("xdelex", -5, WRITE, Keys::ONE, Since::redis(8, 2), xdelex),
    cmd("xsetid", -3, WRITE | DENYOOM, Keys::ONE, Since::both(5, 0), xsetid),
    cmd("xlen", 2, READONLY, Keys::ONE, Since::both(5, 0), xlen),
    cmd("xrange", -4, READONLY, Keys::ONE, Since::both(5, 0), xrange),
    cmd("xrevrange", -4, READONLY, Keys::ONE, Since::both(5, 0), xrevrange),
    cmd("xcfgset", -2, WRITE | DENYOOM, Keys::ONE, IDMP, xcfgset),
    cmd("xidmprecord", 5, WRITE | DENYOOM, Keys::ONE, IDMP, xidmprecord),
];

/// `XADD key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [IDMPAUTO pid | IDMP pid iid]`
/// `[MAXLEN | MINID [= | ~] threshold [LIMIT n]] id field value …`
fn xadd(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let key = argv[1];
    let options = Options::parse(ctx, argv, true)?;
    let fields = argv.get(options.end + 1..).unwrap_or_default();
    if fields.is_empty() || fields.len() % 2 == 1 {
        return Err(Failure::arity("xadd"));
    }
    if options.id == IdArg::Exact(StreamId::MIN) {
        return Err(Failure::new("ERR The ID specified in XADD must be greater than 0-0"));
    }
    let (now_ms, limits, loading) = (ctx.now_ms(), ctx.limits(), ctx.is_loading());
    let stream = match options.no_mkstream {
        false => ctx.write_or_create::<Stream>(key)?,
        true => match ctx.write::<Stream>(key)? {
            Some(stream) => stream,
            None => return Ok(Reply::Nil),
        },
    };
    let idmp = options.idmp.map(|(pid, iid)| match iid {
        Some(iid) => (pid, iid.to_vec()),
        None => (pid, automatic_iid(fields).to_vec()),
    });
    if let Some((pid, iid)) = &idmp {
        if !loading {
            stream.idmp.expire(now_ms);
        }
        stream.idmp.add_producer(pid);
        if let Some(id) = stream.idmp.find(pid, iid) {
            stream.idmp.duplicates = stream.idmp.duplicates.saturating_add(1);
            ctx.changed_beside(1);
            return Ok(id_reply(id));
        }
    }
    let id = add(stream, options.id, now_ms, |stream, id| stream.log.add(id, fields, &limits))?;
    if let Some((pid, iid)) = &idmp {
        stream.idmp.record(pid, iid, id);
    }
    if let Some(trim) = &options.trim {
        stream.trim(trim);
    }
    if ctx.logs() {
        log_added(ctx, argv, &options, id);
    }
    ctx.changed(key, 1);
    Ok(id_reply(id))
}

fn add(
    stream: &mut Stream,
    id: IdArg,
    now_ms: i64,
    add: impl FnOnce(&mut Stream, NewId) -> Result<StreamId, NotAdded>,
) -> Result<StreamId, Failure> {
    if stream.log.last_id == StreamId::MAX {
        let text = "ERR The stream has exhausted the last possible ID, unable to add more items";
        return Err(Failure::new(text));
    }
    let id = match id {
        IdArg::Auto => NewId::Auto { now_ms: u64::try_from(now_ms).unwrap_or(0) },
        IdArg::Ms(ms) => NewId::Ms(ms),
        IdArg::Exact(id) => NewId::Exact(id),
    };
    add(stream, id).map_err(|error| {
        Failure::new(match error {
            NotAdded::Id => {
                "ERR The ID specified in XADD is equal or smaller than the target stream top item"
            }
            NotAdded::TooLarge => "ERR Elements are too large to be stored",
        })
    })
}

/// The command with the id that came out, and what approximate trimming came to.
fn log_added(ctx: &mut Ctx<'_>, argv: &[&[u8]], options: &Options<'_>, id: StreamId) {
    let mut logged: Vec<Vec<u8>> = argv.iter().map(|arg| arg.to_vec()).collect();
    if !matches!(options.id, IdArg::Exact(_))
        && let Some(place) = logged.get_mut(options.end)
    {
        *place = id.text();
    }
    if let Some(trim) = options.trim.filter(|trim| trim.approximate) {
        exact_threshold(ctx, argv[1], &mut logged, options.threshold_at, &trim);
    }
    let logged: Vec<&[u8]> = logged.iter().map(Vec::as_slice).collect();
    ctx.log_as(&logged);
}

/// `~ threshold` becomes `= threshold` with a threshold that comes to the same.
fn exact_threshold(ctx: &mut Ctx<'_>, key: &[u8], logged: &mut [Vec<u8>], at: usize, trim: &Trim) {
    let Ok(Some(stream)) = ctx.read::<Stream>(key) else { return };
    let threshold = match trim.to {
        TrimTo::Len(_) => stream.log.length.to_string().into_bytes(),
        TrimTo::Id(_) => stream.log.first_slot_id().text(),
    };
    if let Some([sign, place]) = at.checked_sub(1).and_then(|at| logged.get_mut(at..at + 2)) {
        *sign = b"=".to_vec();
        *place = threshold;
    }
}

fn xtrim(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let options = Options::parse(ctx, argv, false)?;
    let Some(trim) = options.trim else { return Err(Failure::SYNTAX) };
    let Some(stream) = ctx.write::<Stream>(argv[1])? else { return Ok(Reply::Int(0)) };
    let deleted = usize::try_from(stream.trim(&trim)).unwrap_or(usize::MAX);
    if deleted > 0 {
        if trim.approximate && ctx.logs() {
            let mut logged: Vec<Vec<u8>> = argv.iter().map(|arg| arg.to_vec()).collect();
            exact_threshold(ctx, argv[1], &mut logged, options.threshold_at, &trim);
            let logged: Vec<&[u8]> = logged.iter().map(Vec::as_slice).collect();
            ctx.log_as(&logged);
        }
        ctx.changed(argv[1], deleted);
    }
    Ok(Reply::count(deleted))
}

fn xdel(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let Some(stream) = ctx.write::<Stream>(argv[1])? else { return Ok(Reply::Int(0)) };
    let ids = parse::ids(&argv[2..])?;
    let deleted = ids.into_iter().filter(|id| stream.log.delete(*id)).count();
    if deleted > 0 {
        ctx.changed(argv[1], deleted);
    }
    Ok(Reply::count(deleted))
}

/// `XDELEX key [KEEPREF | DELREF | ACKED] IDS n id …`
fn xdelex(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let stream = ctx.write::<Stream>(argv[1])?;
    let (references, ids) = delete_options(argv, 2)?;
    let Some(stream) = stream else {
        return Ok(Reply::Array(ids.iter().map(|_| Reply::Int(-1)).collect()));
    };
    let ids = parse::ids(ids)?;
    let (mut deleted, mut replies) = (0, Vec::new());
    for id in ids {
        replies.push(Reply::Int(match references {
            References::Acked if stream.groups.has_references(id) => 2,
            _ => {
                if references == References::Delete {
                    stream.groups.drop_references(id);
                }
                let gone = stream.log.delete(id);
                deleted += usize::from(gone);
                if gone { 1 } else { -1 }
            }
        }));
    }
    if deleted > 0 {
        ctx.changed(argv[1], deleted);
    }
    Ok(Reply::Array(replies))
}

/// `XSETID key last-id [ENTRIESADDED n] [MAXDELETEDID id]`
fn xsetid(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let fail = |text: &str| Err(Failure::new(format!("ERR {text}")));
    let id = parse::id(argv[2])?;
    let (mut entries_added, mut max_deleted_id) = (None, StreamId::MIN);
    let mut args = Args::from(argv, 3);
    while let Some(word) = args.next() {
        if args::is(word, "entriesadded") && !args.is_empty() {
            match u64::try_from(args::int(args.value()?)?) {
                Ok(count) => entries_added = Some(count),
                Err(_) => return fail("entries_added must be positive"),
            }
        } else if args::is(word, "maxdeletedid") && !args.is_empty() {
            max_deleted_id = parse::id(args.value()?)?;
            if id < max_deleted_id {
                let text = "The ID specified in XSETID is smaller than the provided \
                            max_deleted_entry_id";
                return fail(text);
            }
        } else {
            return Err(Failure::SYNTAX);
        }
    }
    let minds_deleted = ctx.release().has_redis(7, 2);
    let log = &mut ctx.write::<Stream>(argv[1])?.ok_or(Failure::NO_KEY)?.log;
    if minds_deleted && id < log.max_deleted_id {
        return fail("The ID specified in XSETID is smaller than current max_deleted_entry_id");
    }
    if log.length > 0 {
        if log.last_live_id().is_some_and(|last| id < last) {
            return fail("The ID specified in XSETID is smaller than the target stream top item");
        }
        if entries_added.is_some_and(|count| count < log.length) {
            let text = "The entries_added specified in XSETID is smaller than the target stream \
                        length";
            return fail(text);
        }
    }
    log.last_id = id;
    log.entries_added = entries_added.unwrap_or(log.entries_added);
    if max_deleted_id != StreamId::MIN {
        log.max_deleted_id = max_deleted_id;
    }
    if argv.len() > 3 {
        ctx.states_stream(parse::COUNTERS_SINCE);
    }
    ctx.changed_beside(1);
    Ok(Reply::OK)
}

fn xlen(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let length = ctx.read::<Stream>(argv[1])?.map_or(0, |stream| stream.log.length);
    Ok(Reply::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn xrange(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    range(ctx, argv, argv[2], argv[3], false)
}

fn xrevrange(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    range(ctx, argv, argv[3], argv[2], true)
}

fn range(ctx: &mut Ctx<'_>, argv: &[&[u8]], start: &[u8], end: &[u8], back: bool) -> Outcome {
    let (start, end) = (parse::start(start)?, parse::end(end)?);
    let mut count = None;
    let mut args = Args::from(argv, 4);
    while let Some(word) = args.next() {
        if !args::is(word, "count") || args.is_empty() {
            return Err(Failure::SYNTAX);
        }
        count = Some(usize::try_from(args::int(args.value()?)?).unwrap_or(0));
    }
    let Some(stream) = ctx.read::<Stream>(argv[1])? else { return Ok(Reply::Array(Vec::new())) };
    if count == Some(0) {
        return Ok(Reply::NilArray);
    }
    let count = count.unwrap_or(usize::MAX);
    Ok(Reply::Array(match back {
        false => stream.log.range(start, end).take(count).map(|e| entry(&e)).collect(),
        true => stream.log.range_back(start, end).take(count).map(|e| entry(&e)).collect(),
    }))
}

/// `XCFGSET key [IDMP-DURATION seconds] [IDMP-MAXSIZE n]`
fn xcfgset(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    use crate::value::stream::Idmp;
    let idmp = &mut ctx.write::<Stream>(argv[1])?.ok_or(Failure::NO_KEY)?.idmp;
    let fail = |text: String| Err(Failure::new(format!("ERR {text}")));
    let (mut duration, mut max_size) = (None, None);
    let mut args = Args::from(argv, 2);
    while let Some(word) = args.next() {
        let (place, name, bounds, unit) = if args::is(word, "idmp-duration") {
            (&mut duration, "IDMP-DURATION", Idmp::DURATION, "seconds")
        } else if args::is(word, "idmp-maxsize") {
            (&mut max_size, "IDMP-MAXSIZE", Idmp::MAX_SIZE, "entries")
        } else {
            return Err(Failure::SYNTAX);
        };
        let value = args.value()?;
        if place.is_some() {
            return fail(format!("{name} specified multiple times"));
        }
        let number = args::int(value)?;
        if !bounds.contains(&number) {
            let (min, max) = bounds.into_inner();
            return fail(format!("{name} must be between {min} and {max} {unit}"));
        }
        *place = Some(number.unsigned_abs());
    }
    if duration.is_none() && max_size.is_none() {
        return fail("At least one parameter must be specified".into());
    }
    let duration = duration.unwrap_or(idmp.duration_s);
    let max_size = max_size.unwrap_or(idmp.max_size);
    if (duration, max_size) != (idmp.duration_s, idmp.max_size) {
        (idmp.duration_s, idmp.max_size) = (duration, max_size);
        idmp.clear();
        ctx.changed_beside(1);
    }
    Ok(Reply::OK)
}

/// XIDMPRECORD key pid iid id
fn xidmprecord(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let fail = |text: &str| Err(Failure::new(format!("ERR {text}")));
    let (pid, iid, id) = (argv[2], argv[3], parse::id(argv[4])?);
    if pid.is_empty() {
        return fail("producer ID must be non-empty");
    }
    if iid.is_empty() {
        return fail("idempotent ID must be non-empty");
    }
    let stream = ctx.write::<Stream>(argv[1])?.ok_or(Failure::NO_KEY)?;
    if !stream.log.contains(id) {
        return fail("No such message in stream");
    }
    stream.idmp.add_producer(pid);
    match stream.idmp.find(pid, iid) {
        Some(known) if known == id => return Ok(Reply::OK),
        Some(_) => return fail("IID already exists for this producer with a different stream ID"),
        None => stream.idmp.record(pid, iid, id),
    }
    ctx.changed_beside(1);
    Ok(Reply::OK)
}
