//! Hashes (RDB types 4, 9, 13, 16, 22 to 25).

use nom::number::complete::le_i64;

use super::super::encode::{Pen, Texts};
use super::super::length::{length, write_length};
use super::super::string::string;
use super::super::types::RdbType;
use super::super::walk::{Step, Walker};
use super::packed::{self, LISTPACK_MIN, Packed, ZIPLIST_MIN, ZIPMAP_MIN};
use crate::element::{Element, Packing, Str, Visit};
use crate::encoding::{listpack, ziplist, zipmap};
use crate::error::{Fault, Parse};
use crate::finding::Code;
use crate::limits::PackedLimits;
use crate::loss::Loss;

/// What is found where a field's expire time is no integer.
pub const TTL_TEXT: &str = "a string";

/// Latest expire time of a field: 48 bits of ms (FORMATS A.5).
pub const EXPIRE_MAX_MS: i64 = (1 << 48) - 1;

/// Type 4: `len n, n x { str field, str value }`.
pub fn hashtable<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    let (rest, count) = length(i)?;
    fields(i, rest, count, walker, visit, |at, _| {
        let (rest, (field, value)) = pair(at)?;
        Ok((rest, (at, field, value, None)))
    })
}

/// Type 22 of Redis: `len n, n x { len expire ms (0 = none), str field, str value }`.
pub fn metadata_pre_ga<'a>(
    i: &'a [u8],
    walker: &mut Walker,
    visit: &mut dyn Visit,
) -> Parse<'a, ()> {
    let (rest, count) = length(i)?;
    fields(i, rest, count, walker, visit, |at, walker| {
        let (name_at, expire) = length(at)?;
        let (rest, (field, value)) = pair(name_at)?;
        let expire = (expire != 0).then(|| in_range(expire, at, walker)).flatten();
        Ok((rest, (name_at, field, value, expire)))
    })
}

/// Type 24: `i64le min-expire, len n, n x { len t, str field, str value }`.
pub fn metadata<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    let (after_min, min) = le_i64(i)?;
    let (rest, count) = length(after_min)?;
    fields(after_min, rest, count, walker, visit, |at, walker| {
        let (name_at, t) = length(at)?;
        let (rest, (field, value)) = pair(name_at)?;
        let expire = (t != 0)
            .then(|| match u64::try_from(min).ok().and_then(|min| min.checked_add(t - 1)) {
                Some(expire) => in_range(expire, at, walker),
                None => in_range(u64::MAX, at, walker),
            })
            .flatten();
        Ok((rest, (name_at, field, value, expire)))
    })
}

/// Type 22 of Valkey: `len n, n x { str field, str value, i64le expire ms (-1 = none) }`.
pub fn volatile<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    let (rest, count) = length(i)?;
    fields(i, rest, count, walker, visit, |at, walker| {
        let (expire_at, (field, value)) = pair(at)?;
        let (rest, expire) = le_i64(expire_at)?;
        if expire < -1 {
            let found = expire.to_string();
            walker.note(Code::HashTtl, expire_at, 8, "-1 or a time in ms", found);
        }
        Ok((rest, (at, field, value, (expire >= 0).then_some(expire))))
    })
}

/// A field and its value.
#[inline(always)]
fn pair(i: &[u8]) -> Parse<'_, (Str<'_>, Str<'_>)> {
    let (rest, field) = string(i)?;
    let (rest, value) = string(rest)?;
    Ok((rest, (field, value)))
}

type OneField<'a> = (&'a [u8], Str<'a>, Str<'a>, Option<i64>);

fn fields<'a>(
    start: &'a [u8],
    mut i: &'a [u8],
    count: u64,
    walker: &mut Walker,
    visit: &mut dyn Visit,
    one: impl Fn(&'a [u8], &mut Walker) -> Parse<'a, OneField<'a>>,
) -> Parse<'a, ()> {
    for _ in 0..count {
        let (rest, (name_at, field, value, expire_at_ms)) = one(i, walker)?;
        walker.unique(field, name_at, Code::DupField);
        walker.check_text(value, name_at);
        visit.element(Element::Field { field, value, expire_at_ms });
        i = rest;
    }
    if count == 0 {
        walker.empty(start);
    }
    Ok((i, ()))
}

/// Type 9: `str(zipmap)`.
pub fn zipmap<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    let (rest, packed) = string(i)?;
    walker.packed(packed, ZIPMAP_MIN, i, rest, visit, |walker, blob, visit| {
        let mut pairs = zipmap::Pairs::new(blob)?;
        let mut empty = true;
        loop {
            let at = pairs.remaining();
            let Some((field, value)) = pairs.next_pair()? else { break };
            empty = false;
            let (field, value) = (Str::Raw(field), Str::Raw(value));
            walker.unique(field, at, Code::DupField);
            visit.element(Element::Field { field, value, expire_at_ms: None });
        }
        if empty {
            walker.empty(blob);
        }
        Ok(())
    });
    Ok((rest, ()))
}

/// Type 13: `str(ziplist)` of field, value pairs.
pub fn ziplist<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    let (rest, packed) = string(i)?;
    walker.packed(packed, ZIPLIST_MIN, i, rest, visit, |walker, blob, visit| {
        pairs::<ziplist::Entries>(blob, walker, visit)
    });
    Ok((rest, ()))
}

/// Type 16: `str(listpack)` of field, value pairs.
pub fn listpack<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    let (rest, packed) = string(i)?;
    walker.packed(packed, LISTPACK_MIN, i, rest, visit, |walker, blob, visit| {
        pairs::<listpack::Entries>(blob, walker, visit)
    });
    Ok((rest, ()))
}

fn pairs<'b, P: Packed<'b>>(blob: &'b [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Step {
    packed::whole(P::PACKING, blob, walker, visit, |walker, visit| {
        each_pair::<P>(blob, walker, visit)
    })
}

fn each_pair<'b, P: Packed<'b>>(
    blob: &'b [u8],
    walker: &mut Walker,
    visit: &mut dyn Visit,
) -> Step {
    let mut entries = P::open(blob)?;
    let mut empty = true;
    while let Some((field, at)) = entries.next(walker)? {
        let Some((value, _)) = entries.next(walker)? else {
            return Fault::err(Code::PairOdd, at, 1, "a value after each field", "the end");
        };
        empty = false;
        walker.unique(field, at, Code::DupField);
        visit.element(Element::Field { field, value, expire_at_ms: None });
    }
    if empty {
        walker.empty(blob);
    }
    Ok(())
}

/// Type 25: `i64le min-expire, str(listpack)` of field, value, expire triples.
pub fn listpack_ex<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    let (i, _min) = le_i64(i)?;
    listpack_ex_pre_ga(i, walker, visit)
}

/// Type 23: the same without the expire in front.
pub fn listpack_ex_pre_ga<'a>(
    i: &'a [u8],
    walker: &mut Walker,
    visit: &mut dyn Visit,
) -> Parse<'a, ()> {
    let (rest, packed) = string(i)?;
    walker.packed(packed, LISTPACK_MIN, i, rest, visit, |walker, blob, visit| {
        triples(blob, walker, visit)
    });
    Ok((rest, ()))
}

fn triples(blob: &[u8], walker: &mut Walker, visit: &mut dyn Visit) -> Step {
    packed::whole(Packing::Listpack, blob, walker, visit, |walker, visit| {
        each_triple(blob, walker, visit)
    })
}

fn each_triple(blob: &[u8], walker: &mut Walker, visit: &mut dyn Visit) -> Step {
    let mut entries = listpack::Entries::open(blob)?;
    let mut order = TtlOrder::default();
    while let Some((field, at)) = entries.next(walker)? {
        let value = entries.next(walker)?;
        let expire = entries.next(walker)?;
        let (Some((value, _)), Some((expire, expire_at))) = (value, expire) else {
            let expected = "a value and an expire time after each field";
            return Fault::err(Code::PairOdd, at, 1, expected, "the end");
        };
        walker.unique(field, at, Code::DupField);
        let expire_at_ms = match expire {
            Str::Int(0) => None,
            Str::Int(ms) => in_range(u64::try_from(ms).unwrap_or(u64::MAX), expire_at, walker),
            _ => {
                walker.note(Code::HashTtl, expire_at, 1, "an integer", TTL_TEXT);
                None
            }
        };
        order.next(expire_at_ms, expire_at, walker);
        visit.element(Element::Field { field, value, expire_at_ms });
    }
    if order.empty {
        walker.empty(blob);
    }
    Ok(())
}

/// Fields with an expire come first, the earliest at the head; those without follow.
struct TtlOrder {
    last: Option<i64>,
    empty: bool,
    told: bool,
}

impl Default for TtlOrder {
    fn default() -> Self {
        TtlOrder { last: Some(i64::MIN), empty: true, told: false }
    }
}

impl TtlOrder {
    fn next(&mut self, expire: Option<i64>, at: &[u8], walker: &mut Walker) {
        let sound = match (self.last, expire) {
            (Some(last), Some(expire)) => last <= expire,
            (None, Some(_)) => false,
            (_, None) => true,
        };
        if !sound && !self.told {
            self.told = true;
            let found = expire.map_or(String::new(), |ms| format!("{ms} out of order"));
            walker.note(Code::HashTtlOrder, at, 1, "expire times in ascending order", found);
        }
        (self.last, self.empty) = (expire, false);
    }
}

fn in_range(expire: u64, at: &[u8], walker: &mut Walker) -> Option<i64> {
    let ms = i64::try_from(expire).ok().filter(|ms| *ms <= EXPIRE_MAX_MS);
    if ms.is_none() {
        walker.note(Code::HashTtl, at, 1, "an expire time of at most 2^48-1 ms", "one beyond");
    }
    ms
}

/// A hash being gathered.
#[derive(Debug, Default)]
pub struct Draft {
    /// Field, value, field, value …
    texts: Texts,
    expires: Vec<Option<i64>>,
}

impl Draft {
    /// Forgets it.
    pub fn clear(&mut self) {
        self.texts.clear();
        self.expires.clear();
    }

    /// Appends it: packed or field by field, with expire times where there are any.
    ///
    /// # Errors
    /// None: the result is that of all drafts.
    pub fn write(&mut self, pen: &mut Pen, out: &mut Vec<u8>) -> Result<&'static RdbType, Loss> {
        let fits = |limits: &PackedLimits| {
            self.expires.len() <= limits.hash_entries
                && self.texts.iter().all(|text| text.len() <= limits.hash_value)
        };
        let packed = pen.packs(fits);
        if self.expires.iter().any(Option::is_some) || (packed && pen.is_triples()) {
            // Valkey (22) has no packed hash with expire times.
            let rows: &[u8] = if packed { &[25, 22] } else { &[24, 22] };
            if let Some(row) = pen.target.row(rows) {
                self.bound_expires(row, pen);
                let min = self.expires.iter().flatten().min().copied().unwrap_or(0);
                self.write_expiring(row, min, pen, out);
                return Ok(row);
            }
            pen.lose(Loss::FieldTtl);
        }
        if packed {
            if let Some(row) = pen.target.row(&[16, 13]) {
                pen.put_packed(row.code == 13, self.texts.iter(), out);
                return Ok(row);
            }
            if let Some(row) = pen.target.row(&[9]) {
                let mut zipmap = zipmap::Writer::new();
                self.pairs().for_each(|(field, value)| zipmap.push(field, value));
                pen.strings.write(&zipmap.finish(), out);
                return Ok(row);
            }
        }
        let row = pen.target.row(&[4]).ok_or(Loss::Type)?;
        write_length(self.expires.len() as u64, out);
        self.texts.iter().for_each(|text| pen.strings.write(text, out));
        Ok(row)
    }

    /// Moves the expire times, and keeps them within what a row holds: for Redis 0 stands for none.
    fn bound_expires(&mut self, row: &RdbType, pen: &mut Pen) {
        let (first, last) = if row.code == 22 { (0, i64::MAX) } else { (1, EXPIRE_MAX_MS) };
        for at in self.expires.iter_mut().flatten() {
            let moved = at.saturating_add(pen.shift_ttl_ms);
            *at = moved.clamp(first, last);
            if moved > last {
                pen.lose(Loss::FieldTime);
            }
        }
    }

    fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        (0..self.expires.len()).map(|at| (self.texts.get(2 * at), self.texts.get(2 * at + 1)))
    }

    /// Types 25 and 24 of Redis, 22 of Valkey.
    fn write_expiring(&self, row: &RdbType, min: i64, pen: &mut Pen, out: &mut Vec<u8>) {
        let fields = || self.pairs().zip(self.expires.iter().copied());
        match row.code {
            25 => {
                out.extend_from_slice(&min.to_le_bytes());
                let mut order: Vec<_> = fields().collect();
                order.sort_by_key(|(_, expire)| expire.unwrap_or(i64::MAX));
                let mut texts = Texts::default();
                for ((field, value), expire) in order {
                    texts.push(Str::Raw(field));
                    texts.push(Str::Raw(value));
                    texts.push(Str::Int(expire.unwrap_or(0)));
                }
                pen.put_packed(false, texts.iter(), out);
            }
            24 => {
                out.extend_from_slice(&min.to_le_bytes());
                write_length(self.expires.len() as u64, out);
                for ((field, value), expire) in fields() {
                    // Times lie in 0 … 2^48.
                    let since = expire.map_or(0, |at| at.abs_diff(min).saturating_add(1));
                    write_length(since, out);
                    pen.strings.write(field, out);
                    pen.strings.write(value, out);
                }
            }
            _ => {
                write_length(self.expires.len() as u64, out);
                for ((field, value), expire) in fields() {
                    pen.strings.write(field, out);
                    pen.strings.write(value, out);
                    out.extend_from_slice(&expire.unwrap_or(-1).to_le_bytes());
                }
            }
        }
    }
}

impl Visit for Draft {
    fn element(&mut self, element: Element<'_>) {
        if let Element::Field { field, value, expire_at_ms } = element {
            self.texts.push(field);
            self.texts.push(value);
            self.expires.push(expire_at_ms);
        }
    }
}
