//! Sets (RDB types 2, 11, 20).

use super::super::length::length;
use super::super::string::string;
use super::super::walk::{Step, Walker};
use super::packed::{self, INTSET_MIN, LISTPACK_MIN, Packed};
use crate::element::{Element, Packing, Str, Visit};
use crate::encoding::{intset, listpack};
use crate::error::Parse;
use crate::finding::Code;

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
