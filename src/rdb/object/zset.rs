//! Sorted sets (RDB types 3, 5, 12, 17).

use std::cmp::Ordering;

use nom::number::complete::le_f64;

use super::super::encode::{Pen, Texts};
use super::super::length::{length, write_length};
use super::super::string::{TextDouble, string, text_double, write_text_double};
use super::super::types::RdbType;
use super::super::walk::{Step, Walker};
use super::packed::{self, LISTPACK_MIN, Packed, ZIPLIST_MIN};
use crate::element::{Element, Str, Visit};
use crate::encoding::{listpack, number, ziplist};
use crate::error::{Fault, Parse};
use crate::finding::Code;
use crate::limits::PackedLimits;
use crate::loss::Loss;

/// Type 3: `len n, n x { str member, text score }`.
pub fn text<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    members(i, walker, visit, |at, walker| {
        let (rest, double) = text_double(at)?;
        let score = match double {
            TextDouble::Special(score) => score,
            TextDouble::Text(text) => number::parse_double(text).unwrap_or_else(|| {
                let found = format!("\"{}\"", text.escape_ascii());
                walker.note(Code::DoubleText, at, text.len() + 1, "a number", found);
                0.0
            }),
        };
        Ok((rest, score))
    })
}

/// Type 5: `len n, n x { str member, f64le score }`.
pub fn binary<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    members(i, walker, visit, |at, _| le_f64(at))
}

fn members<'a>(
    i: &'a [u8],
    walker: &mut Walker,
    visit: &mut dyn Visit,
    score: impl Fn(&'a [u8], &mut Walker) -> Parse<'a, f64>,
) -> Parse<'a, ()> {
    let (mut rest, count) = length(i)?;
    for _ in 0..count {
        let at = rest;
        let (score_at, member) = string(at)?;
        let (after, score) = score(score_at, walker)?;
        walker.unique(member, at, Code::DupMember);
        if score.is_nan() {
            nan(walker, score_at, score_at.len() - after.len());
        }
        visit.element(Element::Scored { member, score });
        rest = after;
    }
    if count == 0 {
        walker.empty(i);
    }
    Ok((rest, ()))
}

/// Type 12: `str(ziplist)` of member, score pairs.
pub fn ziplist<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    let (rest, packed) = string(i)?;
    walker.packed(packed, ZIPLIST_MIN, i, rest, visit, |walker, blob, visit| {
        pairs::<ziplist::Entries>(blob, walker, visit)
    });
    Ok((rest, ()))
}

/// Type 17: `str(listpack)` of member, score pairs.
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
    let mut last: Option<(f64, Str<'b>)> = None;
    let mut in_order = true;
    while let Some((member, at)) = entries.next(walker)? {
        let Some((text, score_at)) = entries.next(walker)? else {
            return Fault::err(Code::PairOdd, at, 1, "a score after each member", "the end");
        };
        walker.unique(member, at, Code::DupMember);
        let score = packed_score(text, score_at, walker);
        if walker.deep && in_order && last.is_some_and(|last| !ascending(last, (score, member))) {
            in_order = false;
            walker.note(
                Code::ZsetOrder,
                at,
                1,
                "members in ascending order of score, then of their bytes",
                format!("score {score} out of order"),
            );
        }
        last = Some((score, member));
        visit.element(Element::Scored { member, score });
    }
    if last.is_none() {
        walker.empty(blob);
    }
    Ok(())
}

fn packed_score(text: Str<'_>, at: &[u8], walker: &mut Walker) -> f64 {
    match text {
        Str::Int(value) => value as f64,
        Str::Raw(text) => match number::parse_double(text) {
            Some(score) => {
                if score.is_nan() {
                    nan(walker, at, text.len());
                }
                score
            }
            None => {
                let found = format!("\"{}\"", text.escape_ascii());
                walker.note(Code::ZsetScore, at, text.len(), "a number", found);
                0.0
            }
        },
        // Packed entries are never compressed one by one.
        Str::Lzf { .. } => 0.0,
    }
}

fn ascending(a: (f64, Str<'_>), b: (f64, Str<'_>)) -> bool {
    if a.0 != b.0 {
        // NaN is reported by itself.
        return a.0 < b.0 || a.0.is_nan() || b.0.is_nan();
    }
    let (mut left, mut right) = (Vec::new(), Vec::new());
    match (a.1.bytes(&mut left), b.1.bytes(&mut right)) {
        (Ok(left), Ok(right)) => left <= right,
        _ => true,
    }
}

#[cold]
fn nan(walker: &mut Walker, at: &[u8], len: usize) {
    walker.note(Code::ZsetNan, at, len, "a number", "NaN");
}

/// A sorted set being gathered.
#[derive(Debug, Default)]
pub struct Draft {
    members: Texts,
    scores: Vec<f64>,
}

impl Draft {
    /// Forgets it.
    pub fn clear(&mut self) {
        self.members.clear();
        self.scores.clear();
    }

    /// Appends it: a listpack or ziplist in ascending order, else member by member from the highest score
    /// down, before RDB 8 in any order.
    ///
    /// # Errors
    /// None: the result is that of all drafts.
    pub fn write(&mut self, pen: &mut Pen, out: &mut Vec<u8>) -> Result<&'static RdbType, Loss> {
        let order = self.order();
        let fits = |limits: &PackedLimits| {
            self.members.len() <= limits.zset_entries
                && self.members.iter().all(|member| member.len() <= limits.zset_value)
        };
        let packed = pen.packs(fits);
        if let Some(row) = pen.target.row(&[17, 12]).filter(|_| packed) {
            let target = pen.target;
            let mut texts = Texts::default();
            let mut score_text = Vec::new();
            for &index in &order {
                score_text.clear();
                target.score_text(self.score(index), &mut score_text);
                texts.push(Str::Raw(self.members.get(index)));
                texts.push(Str::Raw(&score_text));
            }
            pen.put_packed(row.code == 12, texts.iter(), out);
            return Ok(row);
        }
        let row = pen.target.row(&[5, 3]).ok_or(Loss::Type)?;
        write_length(self.members.len() as u64, out);
        if row.code == 3 {
            // Servers wrote it in no order: it stays as it came.
            for (index, member) in self.members.iter().enumerate() {
                pen.strings.write(member, out);
                write_text_double(self.score(index), out);
            }
            return Ok(row);
        }
        for &index in order.iter().rev() {
            pen.strings.write(self.members.get(index), out);
            out.extend_from_slice(&self.score(index).to_le_bytes());
        }
        Ok(row)
    }

    fn score(&self, index: usize) -> f64 {
        self.scores.get(index).copied().unwrap_or_default()
    }

    /// Positions in ascending order of score, then of member. They come so, or the other way round.
    fn order(&self) -> Vec<usize> {
        let compare = |a: usize, b: usize| {
            let scores = (self.score(a) + 0.0).total_cmp(&(self.score(b) + 0.0));
            scores.then_with(|| self.members.get(a).cmp(self.members.get(b)))
        };
        let mut order: Vec<usize> = (0..self.scores.len()).collect();
        let first_two = order.first().zip(order.get(1)).map(|(a, b)| compare(*a, *b));
        if first_two == Some(Ordering::Greater) {
            order.reverse();
        }
        order.sort_by(|a, b| compare(*a, *b));
        order
    }
}

impl Visit for Draft {
    fn element(&mut self, element: Element<'_>) {
        if let Element::Scored { member, score } = element {
            self.members.push(member);
            self.scores.push(score);
        }
    }
}
