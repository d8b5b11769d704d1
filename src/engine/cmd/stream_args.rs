//! What the stream commands have in common: ids and intervals, the options of XADD and XTRIM, of XDELEX
//! and XACKDEL, and the replies that entries make.

use crate::element::StreamId;
use crate::encoding::number::parse_i64;
use crate::engine::args;
use crate::engine::ctx::Ctx;
use crate::engine::failure::Failure;
use crate::engine::reply::Reply;
use crate::value::Stream;
use crate::value::stream::{Counting, EntryRef, Group, References, Seq, Trim, TrimTo, c_string};

/// The entry ids that a client gave, `-` and `+` not among them.
pub(super) fn id(arg: &[u8]) -> Result<StreamId, Failure> {
    StreamId::parse_strict(arg, 0).ok_or_else(bad_id)
}

/// Each of them an id, or none is taken.
pub(super) fn ids(args: &[&[u8]]) -> Result<Vec<StreamId>, Failure> {
    args.iter().map(|arg| id(arg)).collect()
}

/// An id, or `-` or `+`.
pub(super) fn any_id(arg: &[u8]) -> Result<StreamId, Failure> {
    StreamId::parse(arg, 0).ok_or_else(bad_id)
}

#[cold]
pub(super) fn bad_id() -> Failure {
    Failure::new("ERR Invalid stream ID specified as stream command argument")
}

/// One end of an interval: `(` in front means that the id itself is not in it.
fn bound(arg: &[u8], missing: u64) -> Result<(StreamId, bool), Failure> {
    match arg {
        [b'(', _, ..] => {
            let id = arg.get(1..).and_then(|id| StreamId::parse_strict(id, missing));
            Ok((id.ok_or_else(bad_id)?, true))
        }
        _ => Ok((StreamId::parse(arg, missing).ok_or_else(bad_id)?, false)),
    }
}

/// Where an interval begins.
pub(super) fn start(arg: &[u8]) -> Result<StreamId, Failure> {
    let (id, open) = bound(arg, 0)?;
    let id = if open { id.next() } else { Some(id) };
    id.ok_or_else(|| Failure::new("ERR invalid start ID for the interval"))
}

/// Where an interval ends.
pub(super) fn end(arg: &[u8]) -> Result<StreamId, Failure> {
    let (id, open) = bound(arg, u64::MAX)?;
    let id = if open { id.prev() } else { Some(id) };
    id.ok_or_else(|| Failure::new("ERR invalid end ID for the interval"))
}

/// An integer with an error text of its own.
pub(super) fn int_or(arg: &[u8], error: &'static str) -> Result<i64, Failure> {
    parse_i64(arg).ok_or_else(|| Failure::new(error))
}

/// The stream of a command with a group that must exist.
pub(super) fn with_group<'a>(
    ctx: &'a mut Ctx<'_>,
    key: &[u8],
    group: &[u8],
    error: &str,
) -> Result<&'a mut Stream, Failure> {
    let stream = ctx.write::<Stream>(key)?.filter(|stream| stream.groups.get(group).is_some());
    stream.ok_or_else(|| Failure::format(error, &[key, group]))
}

/// No such key or group.
pub(super) const NO_GROUP: &str = "NOGROUP No such key '%s' or consumer group '%s'";

/// Runs `edit` on a group that [`with_group`] has found.
pub(super) fn edit<R: Default>(
    stream: &mut Stream,
    group: &[u8],
    edit: impl FnOnce(&mut Group) -> R,
) -> R {
    stream.groups.edit(group, edit).unwrap_or_default()
}

/// The RDB version with which the counters of streams and groups came, and the words that state them.
pub(super) const COUNTERS_SINCE: u16 = 10;

/// How the server counts what groups have read.
pub(super) fn counting(ctx: &Ctx<'_>) -> Counting {
    let release = ctx.release();
    Counting {
        sound: release.has_redis(7, 2),
        all_ahead: release.has_redis(7, 4),
        bounded: release.has_redis(7, 4),
    }
}

/// An entry as the commands show it: its id, and fields and values.
pub(super) fn entry(entry: &EntryRef<'_>) -> Reply {
    Reply::Array(vec![id_reply(entry.id), fields(entry)])
}

/// Fields and values.
pub(super) fn fields(entry: &EntryRef<'_>) -> Reply {
    let mut texts = Vec::new();
    for (field, value) in entry.fields() {
        for part in [field, value] {
            let mut text = Vec::with_capacity(part.text_len());
            part.write_text(&mut text);
            texts.push(Reply::Bulk(text));
        }
    }
    Reply::Array(texts)
}

pub(super) fn id_reply(id: StreamId) -> Reply {
    Reply::Bulk(id.text())
}

/// The id that XADD was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdArg {
    /// `*`
    Auto,
    /// `ms-*`
    Ms(u64),
    /// All of it.
    Exact(StreamId),
}

/// The options of XADD and XTRIM.
#[derive(Debug)]
pub(super) struct Options<'a> {
    /// Where the first argument behind them is: for XADD the id.
    pub(super) end: usize,
    pub(super) id: IdArg,
    pub(super) trim: Option<Trim>,
    /// Where the threshold of MAXLEN or MINID is.
    pub(super) threshold_at: usize,
    pub(super) no_mkstream: bool,
    /// IDMP: producer, and the message's id if it is not to be made from its fields.
    pub(super) idmp: Option<(&'a [u8], Option<&'a [u8]>)>,
}

/// What has been read of the options.
struct Reading<'a> {
    options: Options<'a>,
    to: Option<TrimTo>,
    approximate: bool,
    limit: Option<i64>,
    references: Option<References>,
}

impl<'a> Options<'a> {
    /// Reads the options of XADD (`xadd`) or XTRIM from the third argument on.
    pub(super) fn parse(
        ctx: &Ctx<'_>,
        argv: &'a [&'a [u8]],
        xadd: bool,
    ) -> Result<Options<'a>, Failure> {
        let options = Options {
            end: 2,
            id: IdArg::Auto,
            trim: None,
            threshold_at: 0,
            no_mkstream: false,
            idmp: None,
        };
        let (approximate, limit) = (false, None);
        let mut reading = Reading { options, to: None, approximate, limit, references: None };
        let mut at = 2;
        while let Some(word) = argv.get(at) {
            let rest = argv.get(at + 1..).unwrap_or_default();
            if xadd && c_string(word) == b"*" {
                break;
            }
            match reading.option(word, rest, at, xadd)? {
                Some(taken) => at += 1 + taken,
                None if xadd => {
                    reading.options.id = reading.id(ctx, word)?;
                    break;
                }
                None => return Err(Failure::SYNTAX),
            }
        }
        reading.options.end = at;
        reading.finish(ctx, xadd)
    }
}

impl<'a> Reading<'a> {
    /// Reads the option that `word` is, and says how many of `rest` it took.
    fn option(
        &mut self,
        word: &[u8],
        rest: &[&'a [u8]],
        at: usize,
        xadd: bool,
    ) -> Result<Option<usize>, Failure> {
        let is = |name| args::is(word, name);
        let references = [
            ("keepref", References::Keep),
            ("delref", References::Delete),
            ("acked", References::Acked),
        ];
        Ok(match rest {
            [_, ..] if is("maxlen") || is("minid") => Some(self.threshold(word, rest, at)?),
            [limit, ..] if is("limit") => {
                let limit = args::int(limit)?;
                if limit < 0 {
                    return Err(Failure::new("ERR The LIMIT argument must be >= 0."));
                }
                self.limit = Some(limit);
                Some(1)
            }
            _ if self.references.is_none() && references.iter().any(|(name, _)| is(name)) => {
                self.references = references.into_iter().find(|(name, _)| is(name)).map(|r| r.1);
                Some(0)
            }
            _ if xadd && is("nomkstream") => {
                self.options.no_mkstream = true;
                Some(0)
            }
            [pid, ..] if xadd && is("idmpauto") => {
                self.idmp("IDMPAUTO", pid, None)?;
                Some(1)
            }
            [pid, iid, ..] if xadd && is("idmp") => {
                self.idmp("IDMP", pid, Some(iid))?;
                Some(2)
            }
            _ => None,
        })
    }

    fn threshold(&mut self, word: &[u8], rest: &[&[u8]], at: usize) -> Result<usize, Failure> {
        if self.to.is_some() {
            let text = "ERR syntax error, MAXLEN and MINID options at the same time are not \
                        compatible";
            return Err(Failure::new(text));
        }
        let (sign, number) = match rest {
            [sign, number, ..] if matches!(c_string(sign), b"~" | b"=") => (Some(*sign), *number),
            [number, ..] => (None, *number),
            [] => return Err(Failure::SYNTAX),
        };
        self.approximate = sign.is_some_and(|sign| sign.first() == Some(&b'~'));
        self.to = Some(if args::is(word, "maxlen") {
            let len = args::int(number)?;
            let len = u64::try_from(len)
                .map_err(|_| Failure::new("ERR The MAXLEN argument must be >= 0."))?;
            TrimTo::Len(len)
        } else {
            TrimTo::Id(id(number)?)
        });
        let taken = 1 + usize::from(sign.is_some());
        self.options.threshold_at = at + taken;
        Ok(taken)
    }

    fn idmp(&mut self, name: &str, pid: &'a [u8], iid: Option<&'a [u8]>) -> Result<(), Failure> {
        let fail = |text: String| Err(Failure::new(text));
        if self.options.idmp.is_some() {
            return fail("ERR syntax error, IDMP/IDMPAUTO specified multiple times".into());
        }
        if pid.is_empty() {
            return fail(format!("ERR syntax error, {name} requires a non-empty producer ID"));
        }
        if iid.is_some_and(<[u8]>::is_empty) {
            return fail(format!("ERR syntax error, {name} requires a non-empty idempotent ID"));
        }
        self.options.idmp = Some((pid, iid));
        Ok(())
    }

    fn id(&self, ctx: &Ctx<'_>, word: &[u8]) -> Result<IdArg, Failure> {
        let (ms, seq) = StreamId::parse_parts(word).ok_or_else(bad_id)?;
        if self.options.idmp.is_some() && !ctx.is_loading() {
            let text = "ERR syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs";
            return Err(Failure::new(text));
        }
        Ok(match seq {
            Seq::Given(seq) => IdArg::Exact(StreamId { ms, seq }),
            Seq::Missing => IdArg::Exact(StreamId { ms, seq: 0 }),
            Seq::Any => IdArg::Ms(ms),
        })
    }

    fn finish(mut self, ctx: &Ctx<'_>, xadd: bool) -> Result<Options<'a>, Failure> {
        if self.limit.is_some_and(|limit| limit != 0) && self.to.is_none() {
            let text = "ERR syntax error, LIMIT cannot be used without specifying a trimming \
                        strategy";
            return Err(Failure::new(text));
        }
        if !xadd && self.to.is_none() {
            let text = "ERR syntax error, XTRIM must be called with a trimming strategy";
            return Err(Failure::new(text));
        }
        // A file's trimming was limited when it was done first.
        let limit = match self.limit {
            _ if ctx.is_loading() => 0,
            Some(_) if !self.approximate => {
                let text = "ERR syntax error, LIMIT cannot be used without the special ~ option";
                return Err(Failure::new(text));
            }
            Some(limit) => limit.unsigned_abs(),
            None if self.approximate => default_limit(ctx),
            None => 0,
        };
        let approximate = self.approximate;
        let references = self.references.unwrap_or_default();
        let looks_inside = ctx.release().has_redis(8, 4);
        let trim = |to| Trim { to, approximate, limit, references, looks_inside };
        self.options.trim = self.to.map(trim);
        Ok(self.options)
    }
}

/// Entries that approximate trimming takes off at most: those of a hundred nodes.
fn default_limit(ctx: &Ctx<'_>) -> u64 {
    match (ctx.limits().stream_node_entries as u64).saturating_mul(100) {
        0 => 10_000,
        limit => limit.min(1_000_000),
    }
}

/// The options of XDELEX and XACKDEL, from `first` on: `[KEEPREF|DELREF|ACKED] IDS n id …`, in any order.
pub(super) fn delete_options<'a>(
    argv: &'a [&'a [u8]],
    first: usize,
) -> Result<(References, &'a [&'a [u8]]), Failure> {
    let (mut references, mut ids) = (None, None);
    let mut args = args::Args::from(argv, first);
    while let Some(word) = args.next() {
        let is = |name| args::is(word, name);
        if is("keepref") && references.is_none() {
            references = Some(References::Keep);
        } else if is("delref") && references.is_none() {
            references = Some(References::Delete);
        } else if is("acked") && references.is_none() {
            references = Some(References::Acked);
        } else if is("ids") && !args.is_empty() {
            let count = parse_i64(args.value()?).filter(|count| *count >= 1);
            let count = count
                .ok_or_else(|| Failure::new("ERR Number of IDs must be a positive integer"))?;
            let fits = usize::try_from(count).ok().filter(|count| *count <= args.len());
            let count = fits.ok_or_else(|| {
                let text = "ERR The `numids` parameter must match the number of arguments";
                Failure::new(text)
            })?;
            ids = Some(args.several(count)?);
        } else {
            return Err(Failure::SYNTAX);
        }
    }
    let ids = ids.ok_or_else(|| Failure::new("ERR IDS option is required"))?;
    Ok((references.unwrap_or_default(), ids))
}
