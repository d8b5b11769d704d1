//! The graph of a vector set (HNSW): every node is linked to near ones, and a few nodes are in upper layers
//! too, thinner ones, by which a search comes near quickly. What servers ask of one that they load: each link
//! goes both ways, there are no more than the node has room for, and none leads to itself (FORMATS A.5).
//!
//! Nodes come one after the other. A new one searches for those nearest to it, layer by layer from the top
//! down, and is linked to some of them, first to those that lie in different directions. Who has no room
//! gives up the farthest for a nearer one. Which layers a node is in is drawn by its number, so that
//! the same set always has the same graph.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Nodes that a search keeps while it looks for neighbours: what VADD takes where no EF is given.
const BREADTH: usize = 200;

/// Layers above the lowest, at most. Each has a quarter of the nodes of the one below.
const LEVELS: usize = 15;

/// A graph.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// The links of each node, for each of its layers from the lowest on.
    nodes: Vec<Vec<Vec<u32>>>,
    /// Where searches begin: a node of the topmost layer.
    entry: u32,
    /// Links that a node has room for, in an upper layer.
    m: usize,
}

/// A node, and how far it is.
#[derive(Debug, Clone, Copy)]
struct Near {
    distance: f32,
    node: u32,
}

impl Ord for Near {
    fn cmp(&self, other: &Near) -> Ordering {
        self.distance.total_cmp(&other.distance).then(self.node.cmp(&other.node))
    }
}

impl PartialOrd for Near {
    fn partial_cmp(&self, other: &Near) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Near {
    fn eq(&self, other: &Near) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Near {}

/// Which nodes a search has seen: those marked with its number.
#[derive(Debug, Default)]
struct Seen {
    marks: Vec<u32>,
    search: u32,
}

impl Seen {
    fn begin(&mut self, nodes: usize) {
        self.marks.resize(nodes, 0);
        self.search = self.search.checked_add(1).unwrap_or_else(|| {
            self.marks.fill(0);
            1
        });
    }

    /// Sees a node; was it new?
    fn see(&mut self, node: u32) -> bool {
        let mark = self.marks.get_mut(node as usize);
        mark.is_some_and(|mark| std::mem::replace(mark, self.search) != self.search)
    }
}

impl Graph {
    /// The graph of so many nodes, whose distances `distance` tells.
    pub(super) fn of(nodes: u32, m: usize, distance: impl Fn(u32, u32) -> f32) -> Graph {
        let mut graph = Graph { nodes: Vec::new(), entry: 0, m };
        let mut seen = Seen::default();
        for node in 0..nodes {
            graph.insert(node, &distance, &mut seen);
        }
        graph.join(&distance, &mut seen);
        graph
    }

    /// The links of a node, layer by layer from the lowest on.
    pub(super) fn layers(&self, node: u32) -> &[Vec<u32>] {
        self.nodes.get(node as usize).map_or(&[], Vec::as_slice)
    }

    /// Links that a node has room for in a layer.
    pub(super) fn room(&self, layer: usize) -> usize {
        if layer == 0 { 2 * self.m } else { self.m }
    }

    fn top(&self) -> usize {
        self.layers(self.entry).len().saturating_sub(1)
    }

    fn links(&self, node: u32, layer: usize) -> &[u32] {
        self.layers(node).get(layer).map_or(&[], Vec::as_slice)
    }

    fn insert(&mut self, node: u32, distance: &impl Fn(u32, u32) -> f32, seen: &mut Seen) {
        let level = level(node);
        self.nodes.push(vec![Vec::new(); level + 1]);
        if node == 0 {
            return;
        }
        let to = |other| distance(node, other);
        let mut from = vec![Near { distance: to(self.entry), node: self.entry }];
        for layer in (0..=self.top()).rev() {
            let breadth = if layer > level { 1 } else { BREADTH };
            from = self.search(&to, &from, breadth, layer, seen);
            if layer <= level {
                self.link(node, &from, layer, distance);
            }
        }
        if level > self.top() {
            self.entry = node;
        }
    }

    /// The nodes of a layer that are nearest, as far as a search from these finds them, the nearest first.
    fn search(
        &self,
        to: &impl Fn(u32) -> f32,
        from: &[Near],
        breadth: usize,
        layer: usize,
        seen: &mut Seen,
    ) -> Vec<Near> {
        seen.begin(self.nodes.len());
        let mut nearest: BinaryHeap<Near> = BinaryHeap::new();
        let mut open: BinaryHeap<Reverse<Near>> = BinaryHeap::new();
        for near in from.iter().filter(|near| seen.see(near.node)) {
            nearest.push(*near);
            open.push(Reverse(*near));
        }
        while let Some(Reverse(next)) = open.pop() {
            let full = nearest.len() >= breadth;
            if full && nearest.peek().is_some_and(|worst| next.distance > worst.distance) {
                break;
            }
            for &node in self.links(next.node, layer) {
                if !seen.see(node) {
                    continue;
                }
                let near = Near { distance: to(node), node };
                if nearest.len() < breadth || nearest.peek().is_some_and(|worst| near < *worst) {
                    nearest.push(near);
                    open.push(Reverse(near));
                    if nearest.len() > breadth {
                        nearest.pop();
                    }
                }
            }
        }
        nearest.into_sorted_vec()
    }

    /// Links a node to some of the nearest.
    fn link(
        &mut self,
        node: u32,
        nearest: &[Near],
        layer: usize,
        distance: &impl Fn(u32, u32) -> f32,
    ) {
        for near in chosen(nearest, self.m, distance) {
            self.try_link(node, near, layer, distance);
        }
        // Nobody gave up another for it: it must be found all the same.
        if self.links(node, layer).is_empty() {
            self.force(node, nearest, layer);
        }
    }

    /// Links two nodes, if the other has room or gives up a farther one, which keeps enough others.
    fn try_link(
        &mut self,
        node: u32,
        near: Near,
        layer: usize,
        distance: &impl Fn(u32, u32) -> f32,
    ) {
        let other = near.node;
        if self.links(other, layer).len() >= self.room(layer) {
            let links = self.links(other, layer).iter();
            let far = links.map(|&link| Near { distance: distance(other, link), node: link }).max();
            // Of vectors that are all alike none is nearer, and new ones must be linked too.
            let far = far.filter(|far| near.distance.total_cmp(&far.distance).is_le());
            let far = far.filter(|far| self.links(far.node, layer).len() > self.m / 2);
            let Some(far) = far else { return };
            self.cut(other, far.node, layer);
        }
        self.connect(node, other, layer);
    }

    /// Links a node to the nearest that has room, or to the nearest, which makes room.
    fn force(&mut self, node: u32, nearest: &[Near], layer: usize) {
        let has_room = |near: &&Near| self.links(near.node, layer).len() < self.room(layer);
        if let Some(near) = nearest.iter().find(has_room).or(nearest.first()) {
            self.connect(node, near.node, layer);
        }
    }

    fn connect(&mut self, a: u32, b: u32, layer: usize) {
        self.both(a, b, layer, |links, to| links.push(to));
    }

    fn cut(&mut self, a: u32, b: u32, layer: usize) {
        self.both(a, b, layer, |links, to| links.retain(|link| *link != to));
    }

    /// Changes the links of two nodes, each about the other.
    fn both(&mut self, a: u32, b: u32, layer: usize, change: impl Fn(&mut Vec<u32>, u32)) {
        for (from, to) in [(a, b), (b, a)] {
            let links = self.nodes.get_mut(from as usize).and_then(|layers| layers.get_mut(layer));
            links.into_iter().for_each(|links| change(links, to));
        }
    }

    /// Makes the lowest layer one whole: what links were given up may have left a part of it alone.
    fn join(&mut self, distance: &impl Fn(u32, u32) -> f32, seen: &mut Seen) {
        let mut reached = vec![false; self.nodes.len()];
        self.reach(self.entry, &mut reached);
        for node in 0..self.nodes.len() as u32 {
            if reached.get(node as usize).is_none_or(|reached| *reached) {
                continue;
            }
            let to = |other| distance(node, other);
            let from = [Near { distance: to(self.entry), node: self.entry }];
            let nearest = self.search(&to, &from, BREADTH, 0, seen);
            self.force(node, &nearest, 0);
            self.reach(node, &mut reached);
        }
    }

    /// Marks what can be reached from a node in the lowest layer.
    fn reach(&self, node: u32, reached: &mut [bool]) {
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            if let Some(mark) = reached.get_mut(node as usize)
                && !std::mem::replace(mark, true)
            {
                open.extend_from_slice(self.links(node, 0));
            }
        }
    }
}

/// Up to `count` of the nearest: first those that are nearer to the node than to any chosen before, so
/// that links lead to all sides, then the nearest of the others.
fn chosen(nearest: &[Near], count: usize, distance: &impl Fn(u32, u32) -> f32) -> Vec<Near> {
    let (mut chosen, mut others): (Vec<Near>, Vec<Near>) = (Vec::new(), Vec::new());
    for near in nearest {
        if chosen.len() == count {
            return chosen;
        }
        let is_beside = |other: &Near| distance(near.node, other.node) < near.distance;
        let list = if chosen.iter().any(is_beside) { &mut others } else { &mut chosen };
        list.push(*near);
    }
    let room = count.saturating_sub(chosen.len());
    chosen.extend(others.into_iter().take(room));
    chosen
}

/// The topmost layer of a node: each with a quarter of the chance of the one below.
fn level(node: u32) -> usize {
    // SplitMix64: bits that look drawn.
    let mut bits = (u64::from(node) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    (bits.trailing_zeros() as usize / 2).min(LEVELS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points on a plane, as good as drawn.
    fn points(count: u32) -> Vec<(f32, f32)> {
        let part = |number: u32| (number.wrapping_mul(2_654_435_761) >> 8) as f32 / 16_777_216.0;
        (0..count).map(|n| (part(n + 1), part((n + 1).wrapping_mul(40_503)))).collect()
    }

    fn apart(points: &[(f32, f32)]) -> impl Fn(u32, u32) -> f32 {
        move |a, b| {
            let (a, b) = (points[a as usize], points[b as usize]);
            (a.0 - b.0).hypot(a.1 - b.1)
        }
    }

    fn sound(graph: &Graph, nodes: u32) {
        for node in 0..nodes {
            for (layer, links) in graph.layers(node).iter().enumerate() {
                assert!(links.len() <= graph.room(layer) + 1, "{node}: {}", links.len());
                for link in links {
                    assert_ne!(*link, node);
                    assert!(graph.links(*link, layer).contains(&node), "{node} and {link}");
                }
                let mut once = links.clone();
                once.sort_unstable();
                once.dedup();
                assert_eq!(once.len(), links.len());
            }
        }
        let mut reached = vec![false; nodes as usize];
        graph.reach(graph.entry, &mut reached);
        assert!(reached.iter().all(|reached| *reached));
    }

    #[test]
    fn links_go_both_ways_and_reach_all() {
        for (count, m) in [(1, 4), (2, 4), (40, 4), (3000, 4), (2000, 16)] {
            let points = points(count);
            let graph = Graph::of(count, m, apart(&points));
            sound(&graph, count);
            assert!(count < 100 || graph.top() >= 2);
        }
    }

    #[test]
    fn where_all_are_alike_too() {
        sound(&Graph::of(1500, 4, |_, _| 0.0), 1500);
        sound(&Graph::of(1500, 4, |_, _| f32::NAN), 1500);
    }

    #[test]
    fn a_search_finds_the_nearest() {
        let points = points(3000);
        let distance = apart(&points);
        let graph = Graph::of(2900, 8, &distance);
        let mut seen = Seen::default();
        let mut found = 0;
        for query in 2900..3000 {
            let to = |node| distance(query, node);
            let mut from = vec![Near { distance: to(graph.entry), node: graph.entry }];
            for layer in (0..=graph.top()).rev() {
                from = graph.search(&to, &from, if layer == 0 { 50 } else { 1 }, layer, &mut seen);
            }
            let nearest = (0..2900).min_by(|a, b| to(*a).total_cmp(&to(*b))).unwrap_or_default();
            found += usize::from(from.first().is_some_and(|near| near.node == nearest));
        }
        assert!(found >= 98, "{found} of 100");
    }
}
