//! Lists (RDB types 1, 10, 14, 18).

use super::super::length::length;
use super::super::string::string;
use super::super::walk::{Step, Walker};
use super::packed::{self, LISTPACK_MIN, Packed, ZIPLIST_MIN};
use crate::element::{Element, Visit};
use crate::encoding::{listpack, ziplist};
use crate::error::{Fault, Parse};
use crate::finding::Code;

/// Type 1: `len n, n x str`.
pub fn linked<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    let (mut rest, count) = length(i)?;
    for _ in 0..count {
        let at = rest;
        let (after, item) = string(at)?;
        walker.check_text(item, at);
        visit.element(Element::Item(item));
        rest = after;
    }
    if count == 0 {
        walker.empty(i);
    }
    Ok((rest, ()))
}

/// Type 10: `str(ziplist)`.
pub fn ziplist<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    let (rest, packed) = string(i)?;
    let mut count = 0;
    walker.packed(packed, ZIPLIST_MIN, i, rest, visit, |walker, blob, visit| {
        items::<ziplist::Entries>(blob, walker, visit, &mut count)?;
        if count == 0 {
            walker.empty(blob);
        }
        Ok(())
    });
    Ok((rest, ()))
}

/// Type 14: `len n, n x str(ziplist)`.
pub fn quicklist<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    let (mut rest, nodes) = length(i)?;
    let (mut count, before) = (0, walker.findings.len());
    for _ in 0..nodes {
        let at = rest;
        let (after, packed) = string(at)?;
        walker.packed(packed, ZIPLIST_MIN, at, after, visit, |walker, blob, visit| {
            items::<ziplist::Entries>(blob, walker, visit, &mut count)
        });
        rest = after;
    }
    if count == 0 && walker.findings.len() == before {
        walker.empty(i);
    }
    Ok((rest, ()))
}

/// Type 18: `len n, n x { len container, str }`.
pub fn quicklist_2<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    const PLAIN: u64 = 1;
    const PACKED: u64 = 2;
    let (mut rest, nodes) = length(i)?;
    let (mut count, before) = (0u64, walker.findings.len());
    for _ in 0..nodes {
        let at = rest;
        let (node, container) = length(at)?;
        let (after, value) = string(node)?;
        match container {
            PLAIN if value.is_empty() => {
                let expected = "an element of at least one byte in a plain node";
                walker.note(Code::ListNodeEmpty, node, 1, expected, "no bytes");
            }
            PLAIN => {
                walker.check_text(value, node);
                count += 1;
                visit.element(Element::Item(value));
            }
            PACKED => {
                walker.packed(value, LISTPACK_MIN, node, after, visit, |walker, blob, visit| {
                    items::<listpack::Entries>(blob, walker, visit, &mut count)
                })
            }
            other => {
                let found = format!("container {other}");
                walker.report(Fault::new(
                    Code::ListContainer,
                    at,
                    1,
                    "1 (plain) or 2 (packed)",
                    found,
                ));
            }
        }
        rest = after;
    }
    if count == 0 && walker.findings.len() == before {
        walker.empty(i);
    }
    Ok((rest, ()))
}

fn items<'b, P: Packed<'b>>(
    blob: &'b [u8],
    walker: &mut Walker,
    visit: &mut dyn Visit,
    count: &mut u64,
) -> Step {
    packed::whole(P::PACKING, blob, walker, visit, |walker, visit| {
        let mut entries = P::open(blob)?;
        while let Some((item, _)) = entries.next(walker)? {
            *count += 1;
            visit.element(Element::Item(item));
        }
        Ok(())
    })
}

/// Whether servers since 7.2 hold the list as a single listpack: one node, and that packed.
pub fn is_one_listpack(payload: &[u8]) -> bool {
    matches!(payload, [1, 2, ..])
}
