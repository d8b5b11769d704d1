//! Sets (RDB types 2, 11, 20).

use super::super::encode::{Pen, Texts};
use super::super::length::{length, write_length};
use super::super::string::string;
use super::super::types::RdbType;
use super::super::walk::{Step, Walker};
use super::packed::{self, INTSET_MIN, LISTPACK_MIN, Packed};
use crate::element::{Element, Packing, Str, Visit};
use crate::encoding::number::parse_i64;
use crate::encoding::{intset, listpack};
use crate::error::Parse;
use crate::finding::Code;
use crate::limits::PackedLimits;
use crate::loss::Loss;

/// Type 2: `len n, n x str`.
pub fn hashtable<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    let (mut rest, count) = length(i)?;
    for _ in 0..count {
        let at = rest;
        let (after, member) = string(at)?;
        walker.unique(member, at, Code::DupMember);
        visit.element(Element::Member(member));
        rest = after;
    }
    if count == 0 {
        walker.empty(i);
    }
    Ok((rest, ()))
}

/// Type 11: `str(intset)`.
pub fn intset<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    let (rest, packed) = string(i)?;
    walker.packed(packed, INTSET_MIN, i, rest, visit, |walker, blob, visit| {
        let ints = intset::ints(blob)?;
        if walker.deep
            && let Err(err) = ints.check_order()
        {
            walker.report(crate::error::fault_of(err));
        }
        visit.element(Element::Packed { packing: Packing::Intset, blob });
        for value in ints {
            visit.element(Element::Member(Str::Int(value)));
        }
        visit.element(Element::Unpacked);
        Ok(())
    });
    Ok((rest, ()))
}

/// Type 20: `str(listpack)`.
pub fn listpack<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    let (rest, packed) = string(i)?;
    walker.packed(packed, LISTPACK_MIN, i, rest, visit, |walker, blob, visit| {
        packed::whole(Packing::Listpack, blob, walker, visit, |walker, visit| {
            members(blob, walker, visit)
        })
    });
    Ok((rest, ()))
}

fn members(blob: &[u8], walker: &mut Walker, visit: &mut dyn Visit) -> Step {
    let mut entries = listpack::Entries::open(blob)?;
    let mut empty = true;
    while let Some((member, at)) = entries.next(walker)? {
        empty = false;
        walker.unique(member, at, Code::DupMember);
        visit.element(Element::Member(member));
    }
    if empty {
        walker.empty(blob);
    }
    Ok(())
}

/// A set being gathered.
#[derive(Debug, Default)]
pub struct Draft {
    members: Texts,
    /// It came as an intset.
    intset: bool,
}

impl Draft {
    /// Forgets it.
    pub fn clear(&mut self) {
        self.members.clear();
        self.intset = false;
    }

    /// Appends it: an intset, a listpack (7.2 on), else member by member.
    ///
    /// # Errors
    /// None: the result is that of all drafts.
    pub fn write(&mut self, pen: &mut Pen, out: &mut Vec<u8>) -> Result<&'static RdbType, Loss> {
        if let Some((row, numbers)) = self.as_intset(pen) {
            let mut blob = Vec::new();
            intset::write(&numbers, &mut blob);
            pen.strings.write(&blob, out);
            return Ok(row);
        }
        let fits = |limits: &PackedLimits| {
            self.members.len() <= limits.set_entries
                && self.members.iter().all(|member| member.len() <= limits.set_value)
        };
        let packed = !self.intset && pen.packs(fits);
        if let Some(row) = pen.target.row(&[20]).filter(|_| packed) {
            pen.put_packed(false, self.members.iter(), out);
            return Ok(row);
        }
        let row = pen.target.row(&[2]).ok_or(Loss::Type)?;
        write_length(self.members.len() as u64, out);
        self.members.iter().for_each(|member| pen.strings.write(member, out));
        Ok(row)
    }

    /// The numbers of a set of numbers only that is an intset or may become one.
    fn as_intset(&self, pen: &Pen) -> Option<(&'static RdbType, Vec<i64>)> {
        let row = pen.target.row(&[11])?;
        let wanted = self.intset
            || pen.is_intset()
            || !pen.is_packed() && pen.packs(|limits| self.members.len() <= limits.set_intset);
        if !wanted || self.members.is_empty() {
            return None;
        }
        let mut numbers = self.members.iter().map(parse_i64).collect::<Option<Vec<_>>>()?;
        numbers.sort_unstable();
        Some((row, numbers))
    }
}

impl Visit for Draft {
    fn element(&mut self, element: Element<'_>) {
        match element {
            Element::Packed { packing, .. } => self.intset = packing == Packing::Intset,
            Element::Member(member) => self.members.push(member),
            _ => {}
        }
    }
}
