//! SORT: the elements of a list, set or sorted set by number or text, or by what other keys hold for them.
//!
//! ```text
//! SORT key [BY pattern] [LIMIT offset count] [GET pattern …] [ASC|DESC] [ALPHA] [STORE destination]
//!           "weight_*"                         "obj_*->name", "#"
//! ```
//! Texts are compared as bytes, which is the C locale: a server in another one orders its answers (but
//! not what it stores) by that.

use std::cmp::Ordering;

use super::keyspace::hidden;
use crate::encoding::Entry;
use crate::encoding::number::{MAX_I64_TEXT, parse_double};
use crate::engine::args::{self, Args};
use crate::engine::command::flag::{DENYOOM, READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome, c_text};
use crate::engine::release::{Family, Release};
use crate::engine::reply::Reply;
use crate::value::{Bytes, DataType, List, Value};

pub(super) const COMMANDS: &[Command] = &[
    cmd("sort", -2, WRITE | DENYOOM, Keys::Find(sort_keys), Since::both(1, 0), sort),
    cmd("sort_ro", -2, READONLY, Keys::ONE, Since::both(7, 0), sort_ro),
];

fn sort(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let job = Job::parse(argv, true)?;
    job.run(ctx, argv[1])
}

fn sort_ro(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let job = Job::parse(argv, false)?;
    job.run(ctx, argv[1])
}

/// The key, and the destination. (Those that patterns lead to cannot be told from the arguments.)
fn sort_keys(argv: &[&[u8]]) -> Vec<usize> {
    let mut at = 2;
    let mut store = None;
    while let Some(word) = argv.get(at) {
        at += match word.to_ascii_lowercase().as_slice() {
            b"limit" => 3,
            b"by" | b"get" => 2,
            b"store" => {
                store = Some(at + 1).filter(|at| *at < argv.len()).or(store);
                2
            }
            _ => 1,
        };
    }
    std::iter::once(1).chain(store).collect()
}

/// What is asked for.
#[derive(Debug, Default)]
struct Job<'a> {
    desc: bool,
    alpha: bool,
    by: Option<&'a [u8]>,
    /// BY without a `*`: the order that is there.
    keep_order: bool,
    limit: Option<(i64, i64)>,
    get: Vec<&'a [u8]>,
    store: Option<&'a [u8]>,
}

/// What an element is sorted by.
#[derive(Debug)]
enum Weight {
    Number(f64),
    /// The text that BY led to, if it led anywhere.
    Text(Option<Vec<u8>>),
    /// The element itself.
    Own,
}

impl<'a> Job<'a> {
    fn parse(argv: &'a [&'a [u8]], may_store: bool) -> Result<Job<'a>, Failure> {
        let mut job = Job::default();
        let mut args = Args::from(argv, 2);
        while let Some(word) = args.next() {
            match word.to_ascii_lowercase().as_slice() {
                b"asc" => job.desc = false,
                b"desc" => job.desc = true,
                b"alpha" => job.alpha = true,
                b"limit" => {
                    let [start, count] = args.several(2)? else { return Err(Failure::SYNTAX) };
                    job.limit = Some((args::int(start)?, args::int(count)?));
                }
                b"store" if may_store => job.store = Some(args.value()?),
                b"by" => {
                    let pattern = args.value()?;
                    job.by = Some(pattern);
                    job.keep_order |= !c_text(pattern, usize::MAX).contains(&b'*');
                }
                b"get" => job.get.push(args.value()?),
                _ => return Err(Failure::SYNTAX),
            }
        }
        Ok(job)
    }

    fn run(mut self, ctx: &mut Ctx<'_>, key: &[u8]) -> Outcome {
        let mut elements = Vec::new();
        if let Some(value) = ctx.value(key) {
            if self.keep_order && self.store.is_some() && matches!(value, Value::Set(_)) {
                // A set has no order to keep, and what is stored must not depend on chance.
                (self.keep_order, self.alpha, self.by) = (false, true, None);
            }
            elements = self.load(value)?;
        }
        if !self.keep_order {
            self.sort(ctx, &mut elements)?;
        }
        let range = self.range(elements.len());
        let elements = elements.get(range).unwrap_or_default();
        match self.store {
            Some(target) => self.store(ctx, target, elements),
            None => self.answer(ctx, elements),
        }
    }

    /// The elements, in the order they have.
    fn load(&self, value: &Value) -> Result<Vec<Bytes>, Failure> {
        let element = |entry: Entry<'_>| Bytes::new(entry.text(&mut [0; MAX_I64_TEXT]));
        let mut elements: Vec<Bytes> = match value {
            Value::List(list) => list.iter().map(element).collect(),
            Value::Set(set) => return Ok(set.iter().map(element).collect()),
            Value::Zset(zset) if self.keep_order => {
                zset.ordered().into_iter().map(|(member, _)| element(member)).collect()
            }
            Value::Zset(zset) => zset.iter().map(|(member, _)| element(member)).collect(),
            _ => return Err(Failure::WRONG_TYPE),
        };
        if self.keep_order && self.desc {
            elements.reverse();
        }
        Ok(elements)
    }

    /// The part that LIMIT lets through.
    fn range(&self, len: usize) -> std::ops::Range<usize> {
        let (start, count) = self.limit.unwrap_or((0, -1));
        let start = usize::try_from(start.max(0)).unwrap_or(usize::MAX).min(len);
        // A negative count means all of them.
        let end = usize::try_from(count).map_or(len, |count| start.saturating_add(count).min(len));
        start..end
    }

    fn sort(&self, ctx: &mut Ctx<'_>, elements: &mut Vec<Bytes>) -> Result<(), Failure> {
        let mut weighed = Vec::with_capacity(elements.len());
        for element in elements.drain(..) {
            weighed.push((self.weigh(ctx, &element)?, element));
        }
        weighed.sort_by(|a, b| {
            let order = self.compare(a, b);
            if self.desc { order.reverse() } else { order }
        });
        let tied = |pair: &[_]| match pair {
            [a, b] => self.compare(a, b).is_eq() && a.1 != b.1,
            _ => false,
        };
        if self.store.is_some() && weighed.windows(2).any(tied) {
            // A server's order is then that of its C library's qsort.
            ctx.guessed();
        }
        elements.extend(weighed.into_iter().map(|(_, element)| element));
        Ok(())
    }

    fn weigh(&self, ctx: &mut Ctx<'_>, element: &[u8]) -> Result<Weight, Failure> {
        let found = match self.by {
            Some(pattern) => look_up(ctx, pattern, element),
            None if self.alpha => return Ok(Weight::Own),
            None => Some(element.to_vec()),
        };
        if self.alpha {
            return Ok(Weight::Text(found));
        }
        let number = found.map_or(Some(0.0), |text| number(&text, ctx.engine.config().release));
        number
            .map(Weight::Number)
            .ok_or_else(|| Failure::new("ERR One or more scores can't be converted into double"))
    }

    fn compare(&self, (a, own_a): &(Weight, Bytes), (b, own_b): &(Weight, Bytes)) -> Ordering {
        match (a, b) {
            (Weight::Number(a), Weight::Number(b)) => {
                a.partial_cmp(b).unwrap_or(Ordering::Equal).then_with(|| own_a.cmp(own_b))
            }
            (Weight::Text(Some(a)), Weight::Text(Some(b))) => self.collate(a, b),
            (Weight::Text(a), Weight::Text(b)) => a.is_some().cmp(&b.is_some()),
            _ => self.collate(own_a, own_b),
        }
    }

    /// Answers are ordered by the C library, for which a text ends at the first NUL.
    fn collate(&self, a: &[u8], b: &[u8]) -> Ordering {
        match self.store {
            Some(_) => a.cmp(b),
            None => c_text(a, usize::MAX).cmp(c_text(b, usize::MAX)),
        }
    }

    fn answer(&self, ctx: &mut Ctx<'_>, elements: &[Bytes]) -> Outcome {
        if self.get.is_empty() {
            return Ok(Reply::bulks(elements.iter().map(Bytes::as_slice)));
        }
        ctx.check_reply(elements.len().saturating_mul(self.get.len()), 0)?;
        let (mut replies, mut total) = (Vec::new(), 0usize);
        for (element, pattern) in self.wanted(elements) {
            let found = look_up(ctx, pattern, element);
            total = total.saturating_add(found.as_ref().map_or(0, Vec::len));
            ctx.check_reply(1, total)?;
            replies.push(found.map_or(Reply::Nil, Reply::Bulk));
        }
        Ok(Reply::Array(replies))
    }

    fn store(&self, ctx: &mut Ctx<'_>, target: &[u8], elements: &[Bytes]) -> Outcome {
        let limits = ctx.limits();
        let list = if self.get.is_empty() {
            List::of(elements.iter().map(Bytes::as_slice), &limits)
        } else {
            let (mut texts, mut total) = (Vec::new(), 0usize);
            for (element, pattern) in self.wanted(elements) {
                let text = look_up(ctx, pattern, element).unwrap_or_default();
                total = total.saturating_add(text.len()).saturating_add(size_of::<Vec<u8>>());
                ctx.check_memory(total)?;
                texts.push(text);
            }
            List::of(texts.iter().map(Vec::as_slice), &limits)
        };
        let len = list.len();
        if len > 0 {
            ctx.set(target, list);
            ctx.changed(target, len);
        } else if ctx.delete(target) {
            ctx.changed(target, 1);
        }
        Ok(Reply::count(len))
    }

    /// Every element with every GET.
    fn wanted<'b>(&'b self, elements: &'b [Bytes]) -> impl Iterator<Item = (&'b [u8], &'a [u8])> {
        elements
            .iter()
            .flat_map(|element| self.get.iter().map(move |pattern| (element.as_slice(), *pattern)))
    }
}

/// The number to sort a text by. Older servers read it with C's `strtod`: blanks before it, hexadecimal,
/// nothing at all for 0, but nothing beyond the range of normal numbers. Redis since 8.0 and Valkey since
/// 9.0 read decimals only, and differ about nothing and about the range.
fn number(text: &[u8], release: Release) -> Option<f64> {
    let text = c_text(text, usize::MAX);
    let (redis, new) = match release.family {
        Family::Redis => (true, release.version >= (8, 0)),
        Family::Valkey => (false, release.version >= (9, 0)),
    };
    if text.is_empty() {
        return (redis || !new).then_some(0.0);
    }
    let digits = || text.iter().take_while(|byte| !matches!(byte, b'e' | b'E' | b'p' | b'P'));
    let hexadecimal = digits().any(|byte| matches!(byte, b'x' | b'X'));
    if new && (hexadecimal || text.first().is_some_and(|byte| byte.is_ascii_whitespace())) {
        return None;
    }
    let number = parse_double(text)?;
    let lost = number.is_infinite() && digits().any(u8::is_ascii_digit)
        || number == 0.0 && digits().any(|byte| matches!(byte, b'1'..=b'9'));
    let refused = match (new, redis) {
        (true, true) => false,
        (true, false) => lost,
        (false, _) => lost || number.is_subnormal(),
    };
    (!number.is_nan() && !refused).then_some(number)
}

/// What a pattern leads to: the string key, or the field of the hash, whose name has `element` in the
/// place of the pattern's first `*`. `#` is the element itself.
fn look_up(ctx: &mut Ctx<'_>, pattern: &[u8], element: &[u8]) -> Option<Vec<u8>> {
    let text = c_text(pattern, usize::MAX);
    if text == b"#" {
        return Some(element.to_vec());
    }
    let star = text.iter().position(|byte| *byte == b'*')?;
    let arrow = text.windows(2).enumerate().skip(star + 1).find(|(_, two)| two == b"->");
    let field_at = arrow.map(|(at, _)| at).filter(|at| at + 2 < text.len());
    let (prefix, rest) = pattern.split_at_checked(star)?;
    let end = field_at.map_or(rest.len(), |at| at - star);
    let key = [prefix, element, rest.get(1..end)?].concat();
    let slot = ctx.find(&key)?;
    match (ctx.keyspace()?.value(slot)?, field_at) {
        (Value::Str(string), None) => Some(string.bytes().into_owned()),
        (Value::Hash(hash), Some(at)) => {
            let field = hash.get(pattern.get(at + 2..)?)?;
            let gone = hidden(ctx, field.expire_at_ms);
            (!gone).then(|| field.value.text(&mut [0; MAX_I64_TEXT]).to_vec())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What three servers said when asked (`SORT` of a list of each).
    #[test]
    fn numbers_of_three_servers() {
        let servers = [Release::redis(7, 0), Release::redis(8, 2), Release::valkey(9, 1)];
        let (inf, none) = (Some(f64::INFINITY), None);
        let cases: &[(&[u8], [Option<f64>; 3])] = &[
            (b"", [Some(0.0), Some(0.0), none]),
            (b"\0", [Some(0.0), Some(0.0), none]),
            (b"  ", [none; 3]),
            (b" 1", [Some(1.0), none, none]),
            (b"1 ", [none; 3]),
            (b"+1", [Some(1.0); 3]),
            (b"1.", [Some(1.0); 3]),
            (b".5", [Some(0.5); 3]),
            (b"1\0x", [Some(1.0); 3]),
            (b"0x10", [Some(16.0), none, none]),
            (b"0x", [none; 3]),
            (b"inf", [inf; 3]),
            (b"Infinity", [inf; 3]),
            (b"nan", [none; 3]),
            (b"1e400", [none, inf, none]),
            (b"1e-400", [none, Some(0.0), none]),
            (b"1e-310", [none, Some(1e-310), Some(1e-310)]),
            (b"0e-400", [Some(0.0); 3]),
        ];
        for (text, want) in cases {
            let got = servers.map(|release| number(text, release));
            assert_eq!(got, *want, "{}", text.escape_ascii());
        }
    }
}
