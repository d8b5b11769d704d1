//! A deque of nodes, each a listpack or one large element: what a list is once it has outgrown one node
//! (RDB type 18, FORMATS A.5).
//!
//! ```text
//! [ listpack up to 8 KB ] [ one large element ] [ listpack ] …
//! ```
//! Both ends grow and shrink in constant time, and no change moves more than a node. Where an element
//! goes, where a full node is parted and when neighbours are joined follows the servers, so that a list
//! is saved in the nodes that they would save.

use std::collections::VecDeque;
use std::ops::Range;

use super::{End, NodeRef, Place};
use crate::encoding::Entry;
use crate::value::{Packed, PackedLimits, block};

/// Bytes that servers reckon for an element's encoding and back length.
const OVERHEAD: usize = 8;
/// How many times larger than now configured a node from a file may be: the range of the setting.
const GIANT: usize = 8;
/// What a listpack loses when its entries go into another one: header and end byte.
const FRAME: usize = 7;

/// A node of a long list.
#[derive(Debug, Clone)]
pub enum Node {
    /// Elements in a listpack.
    Packed(Packed),
    /// One large element.
    Plain(Box<[u8]>),
}

#[derive(Debug, Clone, Default)]
pub(super) struct Quicklist {
    /// None is empty.
    nodes: VecDeque<Node>,
    /// Elements. (Nodes that nobody checked may hold fewer than their headers say; so nothing relies on
    /// the sum being right.)
    len: usize,
    /// What the nodes hold on the heap.
    held: usize,
}

fn is_large(text: &[u8], limits: &PackedLimits) -> bool {
    text.len() > limits.list_node
}

impl Node {
    /// The smallest node for one element.
    fn of(text: &[u8], limits: &PackedLimits) -> Node {
        match is_large(text, limits) {
            true => Node::Plain(text.into()),
            false => Node::Packed(Packed::of([Entry::from_text(text)])),
        }
    }

    pub(super) fn as_ref(&self) -> NodeRef<'_> {
        match self {
            Node::Packed(packed) => NodeRef::Packed(packed),
            Node::Plain(text) => NodeRef::Plain(text),
        }
    }

    fn len(&self) -> usize {
        self.as_ref().len()
    }

    fn memory(&self) -> usize {
        match self {
            Node::Packed(packed) => packed.memory(),
            Node::Plain(text) => block(text.len()),
        }
    }

    /// May this element go in here?
    fn takes(&self, text: &[u8], limits: &PackedLimits) -> bool {
        let Node::Packed(packed) = self else { return false };
        let sum = packed.byte_len().saturating_add(text.len()).saturating_add(OVERHEAD);
        !is_large(text, limits) && sum <= limits.list_node
    }
}

pub(super) fn push_packed(packed: &mut Packed, end: End, text: &[u8]) {
    let pos = if end == End::Front { packed.first() } else { packed.end() };
    packed.insert(pos, &[Entry::from_text(text)]);
}

/// Puts an element beside the one at `pos`.
pub(super) fn insert_packed(packed: &mut Packed, pos: usize, side: End, text: &[u8]) {
    let behind = packed.at(pos).map_or(packed.end(), |(_, next)| next);
    let pos = if side == End::Front { pos } else { behind };
    packed.insert(pos, &[Entry::from_text(text)]);
}

/// Takes up to `most` elements out that are `text`; how many were there?
pub(super) fn remove_equal(packed: &mut Packed, text: &[u8], most: usize, from: End) -> usize {
    let is_wanted = Entry::matcher(text);
    // Seen from the tail, the first ones stay if there are too many.
    let mut stay = match from {
        End::Front => 0,
        End::Back => packed.iter().filter(&is_wanted).count().saturating_sub(most),
    };
    let mut left = most;
    packed.retain(|entry| {
        if left == 0 || !is_wanted(&entry) {
            return true;
        }
        if stay > 0 {
            stay -= 1;
            return true;
        }
        left -= 1;
        false
    })
}

impl Quicklist {
    /// What a listpack becomes.
    pub(super) fn of(packed: Packed) -> Quicklist {
        let mut quick = Quicklist::default();
        if !packed.is_empty() {
            quick.len = packed.len();
            quick.add(0, Node::Packed(packed));
        }
        quick
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Do the sums agree with the nodes?
    #[cfg(test)]
    pub(super) fn is_sound(&self) -> bool {
        self.nodes.iter().map(Node::len).sum::<usize>() == self.len
            && self.nodes.iter().map(Node::memory).sum::<usize>() == self.held
            && self.nodes.iter().all(|node| node.len() > 0)
    }

    pub(super) fn memory(&self) -> usize {
        block(self.nodes.capacity() * size_of::<Node>()) + self.held
    }

    pub(super) fn node(&self, index: usize) -> Option<&Node> {
        self.nodes.get(index)
    }

    /// Adds a node that lay in a file.
    pub(super) fn push_node(&mut self, node: Node, limits: &PackedLimits) {
        match &node {
            Node::Packed(packed) if packed.byte_len() / GIANT > limits.list_node => {
                let mut text = Vec::new();
                for entry in packed.iter() {
                    text.clear();
                    entry.write_text(&mut text);
                    self.push(End::Back, &text, limits);
                }
            }
            _ if !node.as_ref().is_empty() => {
                self.len += node.len();
                self.add(self.nodes.len(), node);
            }
            _ => {}
        }
    }

    /// The listpack that is all there is, if it has at most `max` bytes.
    pub(super) fn take_only_node(&mut self, max: usize) -> Option<Packed> {
        match (self.nodes.pop_front(), self.nodes.is_empty()) {
            (None, _) => Some(Packed::new()),
            (Some(Node::Packed(packed)), true) if packed.byte_len() <= max => Some(packed),
            (Some(node), _) => {
                self.nodes.push_front(node);
                None
            }
        }
    }

    /// Where the element number `index` is, counted from the nearer end.
    pub(super) fn seek(&self, index: usize) -> Option<Place> {
        let (node, offset) = self.locate(index)?;
        let pos = match self.nodes.get(node)? {
            Node::Packed(packed) => packed.seek(offset)?,
            Node::Plain(_) => 0,
        };
        Some(Place { node, pos })
    }

    /// The node of the element number `index`, and its number in there.
    fn locate(&self, index: usize) -> Option<(usize, usize)> {
        let mut behind = self.len.checked_sub(index).filter(|behind| *behind > 0)?;
        if behind > index {
            let mut left = index;
            for (node, held) in self.nodes.iter().map(Node::len).enumerate() {
                match left.checked_sub(held) {
                    Some(rest) => left = rest,
                    None => return Some((node, left)),
                }
            }
        } else {
            for (node, held) in self.nodes.iter().map(Node::len).enumerate().rev() {
                match held.checked_sub(behind) {
                    Some(offset) => return Some((node, offset)),
                    None => behind -= held,
                }
            }
        }
        None
    }

    /// Puts an element at an end.
    pub(super) fn push(&mut self, end: End, text: &[u8], limits: &PackedLimits) {
        self.len += 1;
        let (index, beside) = match end {
            End::Front => (0, 0),
            End::Back => (self.nodes.len().saturating_sub(1), self.nodes.len()),
        };
        if !self.put_in(index, end, text, limits) {
            // The node that was at the end does not grow any more: it needs no room.
            self.edit(index, Packed::shrink);
            self.add(beside, Node::of(text, limits));
        }
    }

    /// Puts an element beside another one.
    pub(super) fn insert(&mut self, at: Place, side: End, text: &[u8], limits: &PackedLimits) {
        let Some(node) = self.nodes.get(at.node) else { return };
        self.len += 1;
        if node.takes(text, limits) {
            self.edit(at.node, |packed| insert_packed(packed, at.pos, side, text));
            return;
        }
        let (node, behind) = (node.as_ref(), node.as_ref().at(at.pos).map(|(_, next)| next));
        let (at_edge, beside) = match side {
            End::Front => (at.pos == node.first(), at.node),
            End::Back => (behind == Some(node.end()), at.node + 1),
        };
        if at_edge {
            let neighbour = match side {
                End::Front => at.node.checked_sub(1),
                End::Back => Some(at.node + 1),
            };
            if !neighbour.is_some_and(|node| self.put_in(node, flip(side), text, limits)) {
                self.add(beside, Node::of(text, limits));
            }
            return;
        }
        // In the middle of a full node: it is parted there.
        let cut = if side == End::Front { at.pos } else { behind.unwrap_or(at.pos) };
        self.split(at.node, cut);
        if is_large(text, limits) {
            return self.add(at.node + 1, Node::of(text, limits));
        }
        // The element goes with the part that its neighbour is not in.
        let (part, neighbour) = match side {
            End::Front => (at.node, at.node + 1),
            End::Back => (at.node + 1, at.node),
        };
        self.edit(part, |packed| push_packed(packed, flip(side), text));
        self.join_around(neighbour, limits);
    }

    /// Replaces an element.
    pub(super) fn replace(&mut self, at: Place, text: &[u8], limits: &PackedLimits) {
        let large = is_large(text, limits);
        match self.nodes.get(at.node) {
            None => {}
            Some(Node::Plain(_)) if large => {
                self.take(at.node);
                self.add(at.node, Node::of(text, limits));
            }
            Some(Node::Plain(_)) => {
                self.insert(at, End::Back, text, limits);
                self.take(at.node);
                self.len = self.len.saturating_sub(1);
            }
            Some(Node::Packed(_)) if !large => {
                self.edit(at.node, |packed| {
                    packed.replace(at.pos, 1, &[Entry::from_text(text)]);
                });
            }
            Some(Node::Packed(packed)) => {
                let behind = packed.at(at.pos).map_or(packed.end(), |(_, next)| next);
                let (is_first, is_last) = (at.pos == packed.first(), behind == packed.end());
                if !is_last {
                    self.split(at.node, behind);
                }
                self.add(at.node + 1, Node::of(text, limits));
                if is_first {
                    self.take(at.node);
                } else {
                    self.edit(at.node, |packed| packed.remove(at.pos, 1));
                    self.join_around(at.node + 1, limits);
                }
            }
        }
    }

    /// Takes elements out by their numbers.
    pub(super) fn remove(&mut self, range: Range<usize>) {
        let mut left = range.len();
        let Some((mut first, offset)) = self.locate(range.start).filter(|_| left > 0) else {
            return;
        };
        self.len = self.len.saturating_sub(left);
        if offset > 0 {
            let here = self.nodes.get(first).map_or(0, |node| node.len() - offset).min(left);
            self.edit(first, |packed| {
                if let Some(pos) = packed.seek(offset) {
                    packed.remove(pos, here);
                }
            });
            left -= here;
            first += 1;
        }
        let mut end = first;
        while let Some(node) = self.nodes.get(end).filter(|node| node.len() <= left) {
            left -= node.len();
            self.held -= node.memory();
            end += 1;
        }
        self.nodes.drain(first..end);
        if left > 0 {
            self.edit(first, |packed| packed.remove(packed.first(), left));
        }
    }

    /// Takes up to `most` elements out that are `text`; how many were there?
    pub(super) fn remove_equal(&mut self, text: &[u8], most: usize, from: End) -> usize {
        let (nodes, mut gone) = (self.nodes.len(), 0);
        for index in 0..nodes {
            let index = if from == End::Front { index } else { nodes - 1 - index };
            let is_text = |node: &Node| matches!(node, Node::Plain(all) if **all == *text);
            if gone == most {
                break;
            }
            if self.nodes.get(index).is_some_and(is_text) {
                // An empty node in its place, for now.
                self.take(index);
                self.add(index, Node::Packed(Packed::new()));
                gone += 1;
            } else {
                let here = self.edit(index, |packed| remove_equal(packed, text, most - gone, from));
                gone += here.unwrap_or(0);
            }
        }
        if gone > 0 {
            self.len = self.len.saturating_sub(gone);
            let held = &mut self.held;
            self.nodes.retain(|node| {
                let empty = node.as_ref().is_empty();
                *held -= if empty { node.memory() } else { 0 };
                !empty
            });
        }
        gone
    }

    /// Puts an element at an end of a node, if it takes it.
    fn put_in(&mut self, index: usize, end: End, text: &[u8], limits: &PackedLimits) -> bool {
        let takes = self.nodes.get(index).is_some_and(|node| node.takes(text, limits));
        takes && self.edit(index, |packed| push_packed(packed, end, text)).is_some()
    }

    /// Parts a node before the entry at `pos`.
    fn split(&mut self, index: usize, pos: usize) {
        if let Some(tail) = self.edit(index, |packed| packed.split_off(pos)) {
            self.add(index + 1, Node::Packed(tail));
        }
    }

    /// Joins nodes near this one that fit together: its neighbours with theirs, then itself with them.
    fn join_around(&mut self, mut center: usize, limits: &PackedLimits) {
        if center >= 2 && self.join(center - 2, limits) {
            center -= 1;
        }
        self.join(center + 1, limits);
        if center >= 1 && self.join(center - 1, limits) {
            center -= 1;
        }
        self.join(center, limits);
    }

    /// Joins a node with the next one, if they fit together.
    fn join(&mut self, index: usize, limits: &PackedLimits) -> bool {
        match (self.nodes.get(index), self.nodes.get(index + 1)) {
            (Some(Node::Packed(a)), Some(Node::Packed(b)))
                if a.byte_len() + b.byte_len() - FRAME <= limits.list_node => {}
            _ => return false,
        }
        if let Some(Node::Packed(next)) = self.take(index + 1) {
            self.edit(index, |packed| packed.append(&next));
        }
        true
    }

    fn add(&mut self, index: usize, node: Node) {
        self.held += node.memory();
        self.nodes.insert(index.min(self.nodes.len()), node);
    }

    fn take(&mut self, index: usize) -> Option<Node> {
        let node = self.nodes.remove(index)?;
        self.held -= node.memory();
        Some(node)
    }

    /// Changes a node that is a listpack; `None` if it is none.
    fn edit<R>(&mut self, index: usize, change: impl FnOnce(&mut Packed) -> R) -> Option<R> {
        let Some(Node::Packed(packed)) = self.nodes.get_mut(index) else { return None };
        let before = packed.memory();
        let result = change(packed);
        self.held = self.held - before + packed.memory();
        Some(result)
    }
}

fn flip(end: End) -> End {
    match end {
        End::Front => End::Back,
        End::Back => End::Front,
    }
}
