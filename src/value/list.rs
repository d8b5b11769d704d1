//! Lists (`OBJECT ENCODING`: listpack, quicklist).
//!
//! One packed node as long as it fits; then a deque of nodes, each a listpack of up to
//! `list-max-listpack-size` bytes or one large element as it is. Both ends grow and shrink in constant
//! time; the middle is found by counting nodes.

use std::collections::VecDeque;

use super::digest::Fold;
use super::{DataType, Packed, PackedLimits, Type, block};
use crate::encoding::Entry;
use crate::encoding::number::MAX_I64_TEXT;

/// A list.
#[derive(Debug, Clone)]
pub struct List(Repr);

#[derive(Debug, Clone)]
enum Repr {
    Packed(Packed),
    Nodes(Box<Nodes>),
}

#[derive(Debug, Clone, Default)]
struct Nodes {
    nodes: VecDeque<Node>,
    /// Elements.
    len: usize,
    /// What the nodes hold on the heap.
    memory: usize,
}

/// A node of a long list.
#[derive(Debug, Clone)]
pub enum Node {
    /// Elements in a listpack; never empty.
    Packed(Packed),
    /// One large element.
    Plain(Box<[u8]>),
}

impl Node {
    /// The smallest node for one element.
    fn of(text: &[u8], limits: &PackedLimits) -> Node {
        match text.len() > limits.list_node {
            true => Node::Plain(text.into()),
            false => Node::Packed(Packed::of([Entry::from_text(text)])),
        }
    }

    fn len(&self) -> usize {
        match self {
            Node::Packed(packed) => packed.len(),
            Node::Plain(_) => 1,
        }
    }

    fn memory(&self) -> usize {
        match self {
            Node::Packed(packed) => packed.memory(),
            Node::Plain(text) => block(text.len()),
        }
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = Entry<'_>> {
        // A node is small: collecting its entries is cheaper than an iterator that can do both ends.
        match self {
            Node::Packed(packed) => packed.iter().collect::<Vec<_>>(),
            Node::Plain(text) => vec![Entry::Str(text)],
        }
        .into_iter()
    }
}

/// Does an element of `more` bytes fit into this listpack?
fn fits(packed: &Packed, more: usize, limits: &PackedLimits) -> bool {
    // Eleven bytes of encoding and back length at most.
    packed.byte_len().saturating_add(more).saturating_add(11) <= limits.list_node.max(32)
}

/// An end of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The head.
    Front,
    /// The tail.
    Back,
}

impl List {
    /// A list of nodes as an RDB's quicklist has them. Empty ones are left out.
    pub fn from_nodes(nodes: impl IntoIterator<Item = Node>) -> List {
        let mut all = Nodes::default();
        for node in nodes {
            if node.len() > 0 {
                all.len += node.len();
                all.memory += node.memory();
                all.nodes.push_back(node);
            }
        }
        match (all.nodes.len(), all.nodes.pop_front()) {
            (1, Some(Node::Packed(packed))) => List(Repr::Packed(packed)),
            (_, Some(node)) => {
                all.nodes.push_front(node);
                List(Repr::Nodes(Box::new(all)))
            }
            (_, None) => List::default(),
        }
    }

    /// The nodes, for saving: of each, the listpack or the one large element.
    pub fn nodes(&self) -> impl Iterator<Item = NodeRef<'_>> {
        let (one, many) = match &self.0 {
            Repr::Packed(packed) => {
                (Some(NodeRef::Packed(packed)).filter(|_| !packed.is_empty()), None)
            }
            Repr::Nodes(nodes) => (None, Some(nodes.nodes.iter())),
        };
        one.into_iter().chain(many.into_iter().flatten().map(|node| match node {
            Node::Packed(packed) => NodeRef::Packed(packed),
            Node::Plain(text) => NodeRef::Plain(text),
        }))
    }

    /// The elements, head first.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        let (one, many) = match &self.0 {
            Repr::Packed(packed) => (Some(packed.iter()), None),
            Repr::Nodes(nodes) => (None, Some(nodes.nodes.iter().flat_map(Node::iter))),
        };
        one.into_iter().flatten().chain(many.into_iter().flatten())
    }

    /// Puts an element at an end.
    pub fn push(&mut self, end: End, text: &[u8], limits: &PackedLimits) {
        match &mut self.0 {
            Repr::Packed(packed) if fits(packed, text.len(), limits) => {
                push_packed(packed, end, text);
            }
            Repr::Packed(packed) => {
                self.0 = Repr::Nodes(Box::new(Nodes::of(std::mem::take(packed))));
                self.push(end, text, limits);
            }
            Repr::Nodes(nodes) => nodes.push(end, text, limits),
        }
    }

    /// Takes the element at an end out.
    pub fn pop(&mut self, end: End) -> Option<Vec<u8>> {
        match &mut self.0 {
            Repr::Packed(packed) => pop_packed(packed, end),
            Repr::Nodes(nodes) => nodes.pop(end),
        }
    }
}

/// A node of a list, for those who look.
#[derive(Debug, Clone, Copy)]
pub enum NodeRef<'a> {
    /// Elements in a listpack.
    Packed(&'a Packed),
    /// One large element.
    Plain(&'a [u8]),
}

fn push_packed(packed: &mut Packed, end: End, text: &[u8]) {
    let pos = if end == End::Front { packed.first() } else { packed.end() };
    packed.insert(pos, &[Entry::from_text(text)]);
}

fn pop_packed(packed: &mut Packed, end: End) -> Option<Vec<u8>> {
    let pos = match end {
        End::Front => packed.first(),
        End::Back => packed.before(packed.end())?,
    };
    let (entry, _) = packed.at(pos)?;
    let text = entry.text(&mut [0; MAX_I64_TEXT]).to_vec();
    packed.remove(pos, 1);
    Some(text)
}

impl Nodes {
    fn of(packed: Packed) -> Nodes {
        let (len, memory) = (packed.len(), packed.memory());
        let node = Some(Node::Packed(packed)).filter(|_| len > 0);
        Nodes { nodes: node.into_iter().collect(), len, memory }
    }

    fn end(&mut self, end: End) -> Option<&mut Node> {
        match end {
            End::Front => self.nodes.front_mut(),
            End::Back => self.nodes.back_mut(),
        }
    }

    fn push(&mut self, end: End, text: &[u8], limits: &PackedLimits) {
        self.len += 1;
        if let Some(Node::Packed(packed)) = self.end(end) {
            let held = packed.memory();
            let room = text.len() <= limits.list_node && fits(packed, text.len(), limits);
            // A node that is full does not grow any more: it needs no room.
            if room {
                push_packed(packed, end, text)
            } else {
                packed.shrink()
            }
            let now = packed.memory();
            self.memory = self.memory - held + now;
            if room {
                return;
            }
        }
        let node = Node::of(text, limits);
        self.memory += node.memory();
        match end {
            End::Front => self.nodes.push_front(node),
            End::Back => self.nodes.push_back(node),
        }
    }

    fn pop(&mut self, end: End) -> Option<Vec<u8>> {
        let node = self.end(end)?;
        let held = node.memory();
        let (text, left) = match node {
            Node::Packed(packed) => (pop_packed(packed, end)?, packed.len()),
            Node::Plain(text) => (std::mem::take(text).into_vec(), 0),
        };
        let now = if left == 0 { 0 } else { node.memory() };
        if left == 0 {
            match end {
                End::Front => self.nodes.pop_front(),
                End::Back => self.nodes.pop_back(),
            };
        }
        self.memory = self.memory - held + now;
        self.len -= 1;
        Some(text)
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
            Repr::Nodes(nodes) => nodes.len,
        }
    }

    fn memory(&self) -> usize {
        match &self.0 {
            Repr::Packed(packed) => packed.memory(),
            Repr::Nodes(nodes) => {
                block(size_of::<Nodes>())
                    + block(nodes.nodes.capacity() * size_of::<Node>())
                    + nodes.memory
            }
        }
    }

    fn encoding(&self) -> &'static str {
        match &self.0 {
            Repr::Packed(_) => "listpack",
            Repr::Nodes(_) => "quicklist",
        }
    }

    fn digest(&self, fold: &mut Fold) {
        self.iter().for_each(|element| fold.mix_entry(element));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behaves_like_a_deque() {
        let limits = PackedLimits { list_node: 100, ..PackedLimits::DEFAULT };
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..20 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (mut list, mut model) = (List::default(), VecDeque::<Vec<u8>>::new());
            for _ in 0..500 {
                let end = if rng.bool() { End::Front } else { End::Back };
                let text = match rng.u8(..10) {
                    0 => vec![b'x'; rng.usize(..150)],
                    n => i64::from(n).pow(rng.u32(..12)).to_string().into_bytes(),
                };
                match (rng.usize(..20) < 9 + seed as usize % 3, end) {
                    (true, End::Front) => assert_eq!(list.pop(end), model.pop_front()),
                    (true, End::Back) => assert_eq!(list.pop(end), model.pop_back()),
                    (false, _) => {
                        list.push(end, &text, &limits);
                        match end {
                            End::Front => model.push_front(text),
                            End::Back => model.push_back(text),
                        }
                    }
                }
                assert_eq!(list.len(), model.len());
                seen.insert(list.encoding());
                let held = match &list.0 {
                    Repr::Nodes(nodes) => nodes.nodes.iter().map(Node::memory).sum(),
                    Repr::Packed(packed) => packed.memory(),
                };
                assert!(list.memory() >= held);
            }
            let all = list.iter().map(|entry| entry.text(&mut [0; MAX_I64_TEXT]).to_vec());
            assert!(all.eq(model));
        }
        assert_eq!(seen.len(), 2, "every encoding came up: {seen:?}");
    }
}
