//! Lists (`OBJECT ENCODING`: listpack, quicklist).
//!
//! A list is one listpack as long as it fits into a node (`list-max-listpack-size`), then a
//! [quicklist], a deque of such nodes. It becomes a quicklist when what comes in may be too
//! much ([`List::make_room`]) and a listpack again when what is left fits half a node
//! ([`List::settle`]): exactly when servers since 7.2 do it, so that `OBJECT ENCODING` answers the same
//! and a saved list has the same nodes.

mod quicklist;
#[cfg(test)]
mod tests;

use std::ops::Range;

use self::quicklist::Quicklist;
use super::digest::Fold;
use super::{DataType, Packed, PackedLimits, Type, block};
use crate::encoding::Entry;
use crate::encoding::number::{MAX_I64_TEXT, parse_i64};

pub use self::quicklist::Node;

/// A list.
#[derive(Debug, Clone)]
pub struct List(Repr);

#[derive(Debug, Clone)]
enum Repr {
    Packed(Packed),
    Quick(Box<Quicklist>),
}

/// An end of a list; as a direction, where it goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The head.
    Front,
    /// The tail.
    Back,
}

/// A node of a list, for those who look.
#[derive(Debug, Clone, Copy)]
pub enum NodeRef<'a> {
    /// Elements in a listpack.
    Packed(&'a Packed),
    /// One large element.
    Plain(&'a [u8]),
}

/// Where an element is: its node, and its position in there. Valid until the list is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    node: usize,
    pos: usize,
}

impl List {
    /// A list of nodes as an RDB's quicklist has them. Empty ones are left out; giant ones, which no
    /// server makes, are cut to size so that no change has to move that much.
    pub fn from_nodes(nodes: impl IntoIterator<Item = Node>, limits: &PackedLimits) -> List {
        let mut quick = Quicklist::default();
        nodes.into_iter().for_each(|node| quick.push_node(node, limits));
        List::of_quicklist(quick, limits)
    }

    /// A list of these elements, in nodes as full as can be.
    pub fn of<'a>(elements: impl IntoIterator<Item = &'a [u8]>, limits: &PackedLimits) -> List {
        let mut quick = Quicklist::default();
        elements.into_iter().for_each(|text| quick.push(End::Back, text, limits));
        List::of_quicklist(quick, limits)
    }

    fn of_quicklist(quick: Quicklist, limits: &PackedLimits) -> List {
        let mut list = List(Repr::Quick(Box::new(quick)));
        list.fold_up(limits.list_node);
        list
    }

    /// The nodes, for saving: of each, the listpack or the one large element.
    pub fn nodes(&self) -> impl Iterator<Item = NodeRef<'_>> {
        (0..).map_while(|index| self.node(index)).filter(|node| !node.is_empty())
    }

    fn node(&self, index: usize) -> Option<NodeRef<'_>> {
        match &self.0 {
            Repr::Packed(packed) => (index == 0).then_some(NodeRef::Packed(packed)),
            Repr::Quick(quick) => quick.node(index).map(Node::as_ref),
        }
    }

    /// The elements, head first.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        self.iter_from(0, End::Back)
    }

    /// The elements from number `index` on, towards an end.
    pub fn iter_from(&self, index: usize, towards: End) -> impl Iterator<Item = Entry<'_>> {
        self.walk(index, towards).map(|(_, entry)| entry)
    }

    /// The element number `index`.
    pub fn get(&self, index: usize) -> Option<Entry<'_>> {
        self.iter_from(index, End::Back).next()
    }

    fn seek(&self, index: usize) -> Option<Place> {
        match &self.0 {
            Repr::Packed(packed) => packed.seek(index).map(|pos| Place { node: 0, pos }),
            Repr::Quick(quick) => quick.seek(index),
        }
    }

    fn walk(&self, index: usize, towards: End) -> Walk<'_> {
        let mut walk = Walk { list: self, place: self.seek(index), towards };
        // Towards the front, a place stands for what lies before it.
        if let (End::Front, Some(place)) = (towards, &mut walk.place)
            && let Some((_, next)) = self.node(place.node).and_then(|node| node.at(place.pos))
        {
            place.pos = next;
        }
        walk
    }

    /// Unfolds a listpack for which `more` bytes may be too much. To be asked for before elements come
    /// in, by the sum of their texts.
    pub fn make_room(&mut self, more: usize, limits: &PackedLimits) {
        if let Repr::Packed(packed) = &mut self.0
            && packed.byte_len().saturating_add(more) > limits.list_node
        {
            self.0 = Repr::Quick(Box::new(Quicklist::of(std::mem::take(packed))));
        }
    }

    /// Makes a quicklist a listpack again if what is left fits half a node. To be asked for when
    /// elements have gone.
    pub fn settle(&mut self, limits: &PackedLimits) {
        self.fold_up(limits.list_node / 2);
    }

    fn fold_up(&mut self, max: usize) {
        if let Repr::Quick(quick) = &mut self.0
            && let Some(packed) = quick.take_only_node(max)
        {
            self.0 = Repr::Packed(packed);
        }
    }

    /// Puts elements at an end, one after the other.
    pub fn push_all(&mut self, end: End, texts: &[&[u8]], limits: &PackedLimits) {
        let more = texts.iter().fold(0usize, |sum, text| sum.saturating_add(text.len()));
        self.make_room(more, limits);
        texts.iter().for_each(|text| self.put(end, text, limits));
    }

    /// Puts an element at an end that comes from another list: there a number counts for nothing when
    /// room is made, as servers hold it as one.
    pub fn push(&mut self, end: End, text: &[u8], limits: &PackedLimits) {
        self.make_room(if parse_i64(text).is_some() { 0 } else { text.len() }, limits);
        self.put(end, text, limits);
    }

    fn put(&mut self, end: End, text: &[u8], limits: &PackedLimits) {
        match &mut self.0 {
            Repr::Packed(packed) => quicklist::push_packed(packed, end, text),
            Repr::Quick(quick) => quick.push(end, text, limits),
        }
    }

    /// Takes up to `count` elements out at an end, the outermost first.
    pub fn pop(&mut self, end: End, count: usize, limits: &PackedLimits) -> Vec<Vec<u8>> {
        let (len, mut out) = (self.len(), Vec::new());
        let count = count.min(len);
        let (first, towards) = match end {
            End::Front => (0, End::Back),
            End::Back => (len.saturating_sub(1), End::Front),
        };
        for entry in self.iter_from(first, towards).take(count) {
            out.push(entry.text(&mut [0; MAX_I64_TEXT]).to_vec());
        }
        self.remove_range(if end == End::Front { 0..count } else { len - count..len });
        self.settle(limits);
        out
    }

    /// Takes the element at an end out. The list does not [settle](List::settle) by itself, as it may get
    /// another one at once.
    pub fn pop_one(&mut self, end: End) -> Option<Vec<u8>> {
        let index = if end == End::Front { 0 } else { self.len().checked_sub(1)? };
        let text = self.get(index)?.text(&mut [0; MAX_I64_TEXT]).to_vec();
        self.remove_range(index..index + 1);
        Some(text)
    }

    /// Keeps the elements in `range` only; how many are gone?
    pub fn trim(&mut self, range: Range<usize>, limits: &PackedLimits) -> usize {
        let len = self.len();
        let (start, end) = (range.start.min(len), range.end.min(len).max(range.start.min(len)));
        self.remove_range(end..len);
        self.remove_range(0..start);
        self.settle(limits);
        len - (end - start)
    }

    fn remove_range(&mut self, range: Range<usize>) {
        match &mut self.0 {
            Repr::Packed(packed) => {
                if let Some(pos) = packed.seek(range.start) {
                    packed.remove(pos, range.len());
                }
            }
            Repr::Quick(quick) => quick.remove(range),
        }
    }

    /// Replaces the element number `index`. Is there one?
    pub fn set(&mut self, index: usize, text: &[u8], limits: &PackedLimits) -> bool {
        self.make_room(text.len(), limits);
        let Some(place) = self.seek(index) else { return false };
        match &mut self.0 {
            Repr::Packed(packed) => {
                packed.replace(place.pos, 1, &[Entry::from_text(text)]);
            }
            Repr::Quick(quick) => quick.replace(place, text, limits),
        }
        self.settle(limits);
        true
    }

    /// Puts an element beside the first one that is `pivot`, on its side towards `side`. Is there one?
    pub fn insert(&mut self, pivot: &[u8], side: End, text: &[u8], limits: &PackedLimits) -> bool {
        self.make_room(text.len(), limits);
        let is_pivot = Entry::matcher(pivot);
        let Some((place, _)) = self.walk(0, End::Back).find(|(_, entry)| is_pivot(entry)) else {
            return false;
        };
        match &mut self.0 {
            Repr::Packed(packed) => quicklist::insert_packed(packed, place.pos, side, text),
            Repr::Quick(quick) => quick.insert(place, side, text, limits),
        }
        true
    }

    /// Takes up to `most` elements out that are `text`, starting at an end; how many were there?
    pub fn remove(&mut self, text: &[u8], most: usize, from: End, limits: &PackedLimits) -> usize {
        let gone = match &mut self.0 {
            Repr::Packed(packed) => quicklist::remove_equal(packed, text, most, from),
            Repr::Quick(quick) => quick.remove_equal(text, most, from),
        };
        if gone > 0 {
            self.settle(limits);
        }
        gone
    }
}

impl<'a> NodeRef<'a> {
    /// Elements.
    pub fn len(&self) -> usize {
        match self {
            NodeRef::Packed(packed) => packed.len(),
            NodeRef::Plain(_) => 1,
        }
    }

    /// No elements?
    pub fn is_empty(&self) -> bool {
        match self {
            NodeRef::Packed(packed) => packed.is_empty(),
            NodeRef::Plain(_) => false,
        }
    }

    fn first(&self) -> usize {
        match self {
            NodeRef::Packed(packed) => packed.first(),
            NodeRef::Plain(_) => 0,
        }
    }

    fn end(&self) -> usize {
        match self {
            NodeRef::Packed(packed) => packed.end(),
            NodeRef::Plain(_) => 1,
        }
    }

    /// The element at `pos`, and the position behind it.
    fn at(&self, pos: usize) -> Option<(Entry<'a>, usize)> {
        match self {
            NodeRef::Packed(packed) => packed.at(pos),
            NodeRef::Plain(text) => (pos == 0).then_some((Entry::Str(text), 1)),
        }
    }

    /// The element before `pos`, and its position.
    fn before(&self, pos: usize) -> Option<(Entry<'a>, usize)> {
        let pos = match self {
            NodeRef::Packed(packed) => packed.before(pos)?,
            NodeRef::Plain(_) => pos.checked_sub(1)?,
        };
        self.at(pos).map(|(entry, _)| (entry, pos))
    }
}

/// A walk over elements, with their places.
#[derive(Debug)]
struct Walk<'a> {
    list: &'a List,
    /// The next one; towards the front, the place behind it.
    place: Option<Place>,
    towards: End,
}

impl<'a> Iterator for Walk<'a> {
    type Item = (Place, Entry<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Place { node, pos } = self.place?;
            let here = self.list.node(node)?;
            let found = match self.towards {
                End::Back => here.at(pos).map(|(entry, next)| (pos, entry, next)),
                End::Front => here.before(pos).map(|(entry, pos)| (pos, entry, pos)),
            };
            if let Some((pos, entry, next)) = found {
                self.place = Some(Place { node, pos: next });
                return Some((Place { node, pos }, entry));
            }
            self.place = match self.towards {
                End::Back => {
                    self.list.node(node + 1).map(|next| Place { node: node + 1, pos: next.first() })
                }
                End::Front => node
                    .checked_sub(1)
                    .and_then(|node| Some(Place { node, pos: self.list.node(node)?.end() })),
            };
        }
    }
}

impl Default for List {
    fn default() -> Self {
        List(Repr::Packed(Packed::new()))
    }
}

impl DataType for List {
    const TYPE: Type = Type::List;
    super::arm!(List);

    fn len(&self) -> usize {
        match &self.0 {
            Repr::Packed(packed) => packed.len(),
            Repr::Quick(quick) => quick.len(),
        }
    }

    fn memory(&self) -> usize {
        match &self.0 {
            Repr::Packed(packed) => packed.memory(),
            Repr::Quick(quick) => block(size_of::<Quicklist>()) + quick.memory(),
        }
    }

    fn encoding(&self) -> &'static str {
        match &self.0 {
            Repr::Packed(_) => "listpack",
            Repr::Quick(_) => "quicklist",
        }
    }

    fn digest(&self, fold: &mut Fold) {
        self.iter().for_each(|element| fold.mix_entry(element));
    }
}
