//! A vector set that commands built, as the module data that a server would write of it: with the graph over
//! its vectors, which is made here.

use super::graph::Graph;
use super::{STRING, UINT};
use crate::element::{Element, Quantization, Scale, Str};
use crate::rdb::encode::Texts;
use crate::rdb::length::write_length;
use crate::rdb::string::Strings;

/// How servers of today write the graph, in the byte above the level.
const SERIALIZED: u64 = 1;

/// What all elements share.
#[derive(Debug, Clone, Copy)]
struct Head {
    dimension: u64,
    quantization: Quantization,
    m: u64,
}

/// The elements of a set being gathered.
#[derive(Debug, Default)]
pub struct Draft {
    head: Option<Head>,
    names: Texts,
    attributes: Texts,
    vectors: Texts,
    scales: Vec<Scale>,
}

impl Draft {
    /// Forgets them.
    pub fn clear(&mut self) {
        self.head = None;
        self.names.clear();
        self.attributes.clear();
        self.vectors.clear();
        self.scales.clear();
    }

    /// Takes the head of a set, or an element of it.
    pub fn element(&mut self, element: Element<'_>) {
        match element {
            // The projection is the server's: it draws one.
            Element::VectorSet { dimension, quantization, m, input_dimension: None, .. } => {
                self.head = Some(Head { dimension, quantization, m });
            }
            Element::Vector { element, attributes, vector, scale, .. } => {
                self.names.push(element);
                self.attributes.push(attributes.unwrap_or(Str::Raw(b"")));
                self.vectors.push(vector);
                self.scales.push(scale);
            }
            _ => {}
        }
    }

    /// Appends the data. False where that cannot be made: of a set with a projection, or of more links than
    /// servers allow; nothing is appended then.
    pub fn write(&self, strings: &mut Strings, out: &mut Vec<u8>) -> bool {
        /// Links of a node, at most (the server's HNSW_MAX_M).
        const MOST_LINKS: u64 = 4096;
        let Some(Head { dimension, quantization, m }) = self.head else { return false };
        let (Ok(count), Ok(links)) = (u32::try_from(self.names.len()), usize::try_from(m)) else {
            return false;
        };
        if m > MOST_LINKS {
            return false;
        }
        let distances = Distances { quantization, dimension, draft: self };
        let graph = Graph::of(count, links, |a, b| distances.between(a, b));
        let has_attributes = self.attributes.iter().any(|text| !text.is_empty());
        let config = u64::from(quantization as u8) | m << 8;
        for number in [dimension, u64::from(count), config, u64::from(has_attributes) << 1] {
            uint(number, out);
        }
        // As a server has them in its list: the last one first.
        for node in (0..count).rev() {
            let at = node as usize;
            text(self.names.get(at), strings, out);
            if has_attributes {
                text(self.attributes.get(at), strings, out);
            }
            text(self.vectors.get(at), strings, out);
            self.node(node, &graph, &distances, out);
        }
        write_length(0, out);
        true
    }

    /// What the graph knows of a node, as [`super::node`] reads it. Nodes have numbers from 1 on.
    fn node(&self, node: u32, graph: &Graph, distances: &Distances<'_>, out: &mut Vec<u8>) {
        let layers = graph.layers(node);
        let level = layers.len().saturating_sub(1) as u64;
        let links: usize = layers.iter().map(|links| links.len() + 3).sum();
        uint(links as u64 + 3, out);
        uint(u64::from(node) + 1, out);
        uint(SERIALIZED << 24 | level, out);
        for (layer, links) in layers.iter().enumerate() {
            uint(links.len() as u64, out);
            uint(links.len().max(graph.room(layer)) as u64, out);
            links.iter().for_each(|link| uint(u64::from(*link) + 1, out));
            let far = links.iter().map(|link| distances.between(node, *link)).enumerate();
            let (index, far) = far.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default();
            uint(u64::from(far.to_bits()) << 32 | index as u64, out);
        }
        let scale = self.scales.get(node as usize).copied().unwrap_or_default();
        uint(scale.to_bits(), out);
    }
}

/// How far vectors are from each other, as servers have it: from 0, the same direction, to 2.
struct Distances<'a> {
    quantization: Quantization,
    dimension: u64,
    draft: &'a Draft,
}

impl Distances<'_> {
    fn between(&self, a: u32, b: u32) -> f32 {
        let (a, b) = (a as usize, b as usize);
        let vector = |at: usize| self.draft.vectors.get(at);
        let (x, y) = (vector(a), vector(b));
        let distance = match self.quantization {
            Quantization::F32 => 1.0 - dot(x, y),
            Quantization::Int8 => {
                let range = |at: usize| self.draft.scales.get(at).map_or(0.0, |scale| scale.range);
                let parts = x.iter().zip(y).map(|(x, y)| i32::from(*x as i8) * i32::from(*y as i8));
                let sum = parts.fold(0, i32::wrapping_add) as f32;
                1.0 - sum * (range(a) / 127.0) * (range(b) / 127.0)
            }
            Quantization::Binary => {
                let bits: u32 = x.iter().zip(y).map(|(x, y)| (x ^ y).count_ones()).sum();
                bits as f32 * 2.0 / self.dimension as f32
            }
        };
        distance.clamp(0.0, 2.0)
    }
}

/// Eight sums beside each other: a core adds them at once.
fn dot(x: &[u8], y: &[u8]) -> f32 {
    let (x, y) = (x.as_chunks::<4>().0, y.as_chunks::<4>().0);
    let product = |x: &[u8; 4], y: &[u8; 4]| f32::from_le_bytes(*x) * f32::from_le_bytes(*y);
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks::<8>(), y.as_chunks::<8>());
    let mut sums = [0f32; 8];
    for (x, y) in x.iter().zip(y) {
        for (sum, (x, y)) in sums.iter_mut().zip(x.iter().zip(y)) {
            *sum += product(x, y);
        }
    }
    let rest = x_rest.iter().zip(y_rest).map(|(x, y)| product(x, y));
    sums.into_iter().chain(rest).sum()
}

fn uint(number: u64, out: &mut Vec<u8>) {
    write_length(UINT, out);
    write_length(number, out);
}

fn text(text: &[u8], strings: &mut Strings, out: &mut Vec<u8>) {
    write_length(STRING, out);
    strings.write(text, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_as_a_server_writes_them() {
        // Of Redis 8.2.3: the worst distance between (3, -4, 0) and (1, 1, 1) in its file.
        let between = |quantization, a: &[u8], b: &[u8], ranges: [f32; 2]| {
            let mut draft = Draft::default();
            for (vector, range) in [(a, ranges[0]), (b, ranges[1])] {
                let (element, vector) = (Str::Raw(b"n"), Str::Raw(vector));
                let scale = Scale { range, length: 1.0 };
                let (attributes, given) = (None, None);
                draft.element(Element::Vector { element, attributes, vector, given, scale });
            }
            Distances { quantization, dimension: 3, draft: &draft }.between(0, 1)
        };
        let f32s = |parts: [f32; 3]| parts.iter().flat_map(|p| p.to_le_bytes()).collect::<Vec<_>>();
        let third = 0.577_350_26;
        let (a, b) = (f32s([0.6, -0.8, 0.0]), f32s([third; 3]));
        assert_eq!(between(Quantization::F32, &a, &b, [0.0; 2]), 1.115_47);
        let (a, b) = ([95, 129, 0], [127; 3]);
        assert_eq!(between(Quantization::Int8, &a, &b, [0.8, third]), 1.116_379_3);
        let (a, b) = ([1, 0, 0, 0, 0, 0, 0, 0], [7, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(between(Quantization::Binary, &a, &b, [0.0; 2]), 1.333_333_4);
    }
}
