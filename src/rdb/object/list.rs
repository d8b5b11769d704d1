//! Lists (RDB types 1, 10, 14, 18).

use std::ops::Range;

use super::super::encode::{Pen, Texts};
use super::super::length::{length, write_length};
use super::super::string::string;
use super::super::types::RdbType;
use super::super::walk::{Step, Walker};
use super::packed::{self, LISTPACK_MIN, Packed, ZIPLIST_MIN};
use crate::element::{Element, Visit};
use crate::encoding::{listpack, ziplist};
use crate::error::{Fault, Parse};
use crate::finding::Code;
use crate::loss::Loss;

/// Containers of a quicklist's nodes: the element itself, and a listpack.
const PLAIN: u64 = 1;
const PACKED: u64 = 2;

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
    let (mut count, before) = (0, walker.findings.count());
    for _ in 0..nodes {
        let at = rest;
        let (after, packed) = string(at)?;
        walker.packed(packed, ZIPLIST_MIN, at, after, visit, |walker, blob, visit| {
            items::<ziplist::Entries>(blob, walker, visit, &mut count)
        });
        rest = after;
    }
    if count == 0 && walker.findings.count() == before {
        walker.empty(i);
    }
    Ok((rest, ()))
}

/// Type 18: `len n, n x { len container, str }`.
pub fn quicklist_2<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    let (mut rest, nodes) = length(i)?;
    let (mut count, before) = (0u64, walker.findings.count());
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
    if count == 0 && walker.findings.count() == before {
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

/// Elements up to which servers before 3.2 packed a list, and bytes of each.
const ZIPLIST_ENTRIES: usize = 512;
const ZIPLIST_VALUE: usize = 64;

/// A list being gathered, with the packed nodes it comes in.
#[derive(Debug, Default)]
pub struct Draft {
    items: Texts,
    /// Where packed nodes lie among the items; what lies between them came one by one.
    packed: Vec<Range<usize>>,
    start: usize,
}

/// A node to be written: its container, and where it ends among the items.
type Node = (u64, usize);

impl Draft {
    /// Forgets it.
    pub fn clear(&mut self) {
        self.items.clear();
        self.packed.clear();
        self.start = 0;
    }

    /// Appends it: a quicklist; before 3.2 a ziplist if it is small, else element by element.
    ///
    /// # Errors
    /// None: the result is that of all drafts.
    pub fn write(&mut self, pen: &mut Pen, out: &mut Vec<u8>) -> Result<&'static RdbType, Loss> {
        if let Some(row) = pen.target.row(&[18, 14]) {
            let nodes = self.nodes(pen);
            write_length(nodes.len() as u64, out);
            let mut start = 0;
            for (container, end) in nodes {
                if row.code == 18 {
                    write_length(container, out);
                }
                match container {
                    PLAIN if row.code == 18 => pen.strings.write(self.items.get(start), out),
                    _ => {
                        let items = (start..end).map(|index| self.items.get(index));
                        pen.put_packed(row.code == 14, items, out);
                    }
                }
                start = end;
            }
            return Ok(row);
        }
        let small = self.items.len() <= ZIPLIST_ENTRIES
            && self.items.iter().all(|item| item.len() <= ZIPLIST_VALUE);
        if let Some(row) = pen.target.row(&[10]).filter(|_| small) {
            pen.put_packed(true, self.items.iter(), out);
            return Ok(row);
        }
        let row = pen.target.row(&[1]).ok_or(Loss::Type)?;
        write_length(self.items.len() as u64, out);
        self.items.iter().for_each(|item| pen.strings.write(item, out));
        Ok(row)
    }

    /// The nodes: packed ones as they came, what came one by one put together up to a node's size.
    fn nodes(&self, pen: &Pen) -> Vec<Node> {
        /// Bytes of an entry beside its text, at most.
        const ENTRY: usize = 10;
        /// Before 7.2 every element short of a GiB was packed, if alone.
        const GIANT: usize = 1 << 30;
        if self.packed.is_empty() && pen.is_packed() && !self.items.is_empty() {
            return vec![(PACKED, self.items.len())];
        }
        let room = pen.limits.list_node;
        let plain_from = if pen.target.release.has_redis(7, 2) { room } else { GIANT };
        let mut nodes: Vec<Node> = Vec::new();
        let mut packed = self.packed.iter().peekable();
        let (mut index, mut size) = (0, usize::MAX);
        while index < self.items.len() {
            if let Some(span) = packed.next_if(|span| span.start == index) {
                nodes.push((PACKED, span.end));
                (index, size) = (span.end, usize::MAX);
                continue;
            }
            let len = self.items.get(index).len();
            size = size.saturating_add(len).saturating_add(ENTRY);
            index += 1;
            match nodes.last_mut().filter(|_| size <= room) {
                Some((_, end)) => *end = index,
                None => {
                    nodes.push((if len > plain_from { PLAIN } else { PACKED }, index));
                    size = len.saturating_add(ENTRY);
                }
            }
        }
        nodes
    }
}

impl Visit for Draft {
    fn element(&mut self, element: Element<'_>) {
        match element {
            Element::Packed { .. } => self.start = self.items.len(),
            // As servers do: an empty node is passed over.
            Element::Unpacked if self.items.len() > self.start => {
                self.packed.push(self.start..self.items.len());
            }
            Element::Item(item) => self.items.push(item),
            _ => {}
        }
    }
}
