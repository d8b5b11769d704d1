//! Vector sets, which Redis has built in as a module type since 8.0.
//!
//! Kept is what the data are: elements with their vectors and attributes. The graph over them, which
//! searches use and RDB files carry, is made only when one is written (`rdb/object/vectorset`). So
//! - a set that lay in a file keeps its payload with the graph as long as nothing changes it
//!   ([`VectorSet::payload`]); its digest is the server's;
//! - a set that commands built has its vectors as given, and quantized as servers do it: divided by their
//!   length, then each part rounded. With Q8, the default, and BIN the digest is the server's nearly
//!   always; with NOQUANT it often is not from eight dimensions on, since the length is a sum of floats,
//!   and the order in which a server adds is its compiler's. (Measured on 2,500 random vectors against
//!   Redis 8.2.3: Q8 differed once, NOQUANT in a quarter of those of 8 dimensions.) With REDUCE it is
//!   not: a server draws the matrix at random.
//!
//! ```text
//! F32     dim × f32le                       of length 1
//! Int8    dim × i8                          127 for the part furthest from 0
//! Binary  dim bits in u64le                 1 where the part is positive
//! ```

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::digest::Fold;
use super::{Bytes, DataType, Type, block};
use crate::element::{Quantization, Scale};

/// What is the same for all elements of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Dimensions of the stored vectors.
    pub dimension: usize,
    /// How they are stored.
    pub quantization: Quantization,
    /// Links of a node in the graph.
    pub m: u16,
    /// Dimensions of vectors as they are given, if a projection (REDUCE) makes them fewer.
    pub reduced_from: Option<usize>,
}

/// A vector set.
#[derive(Debug, Clone)]
pub struct VectorSet {
    shape: Shape,
    /// By number, in the order in which they came.
    elements: BTreeMap<u64, Element>,
    numbers: HashMap<Bytes, u64>,
    next: u64,
    payload: Option<Box<[u8]>>,
    /// Bytes of names, vectors and attributes on the heap.
    text: usize,
}

/// An element of a vector set.
#[derive(Debug, Clone)]
pub struct Element {
    name: Bytes,
    /// As a server keeps it. Under a projection: as given, f32le.
    stored: Box<[u8]>,
    /// As a command gave it, f32le; not known of one from a file.
    given: Option<Box<[u8]>>,
    scale: Scale,
    /// JSON as a rule. Empty ones are none, but for a new element that was given empty ones: it has them
    /// until it is saved.
    attributes: Option<Bytes>,
}

/// Bytes of an element beside its texts.
const ELEMENT: usize = size_of::<(u64, Element)>() + size_of::<(Bytes, u64)>() + 16;

impl Default for VectorSet {
    fn default() -> Self {
        let quantization = Quantization::Int8;
        VectorSet::new(Shape { dimension: 0, quantization, m: 16, reduced_from: None })
    }
}

impl Element {
    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Its vector as a server keeps it.
    pub fn stored(&self) -> &[u8] {
        &self.stored
    }

    /// Its vector as a command gave it, f32le.
    pub fn given(&self) -> Option<&[u8]> {
        self.given.as_deref()
    }

    /// What storing its vector took from it.
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// Its attributes, if it has any.
    pub fn attributes(&self) -> Option<&[u8]> {
        self.attributes.as_deref()
    }

    fn heap(&self) -> usize {
        2 * self.name.heap()
            + block(self.stored.len())
            + self.given.as_ref().map_or(0, |given| block(given.len()))
            + self.attributes.as_ref().map_or(0, Bytes::heap)
    }
}

impl VectorSet {
    /// An empty set of this shape.
    pub fn new(shape: Shape) -> VectorSet {
        VectorSet {
            shape,
            elements: BTreeMap::new(),
            numbers: HashMap::new(),
            next: 0,
            payload: None,
            text: 0,
        }
    }

    /// What is the same for all elements.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Elements in the order in which they came.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Element> {
        self.elements.values()
    }

    /// The element of this name.
    pub fn get(&self, name: &[u8]) -> Option<&Element> {
        self.elements.get(self.numbers.get(name)?)
    }

    /// What the file had for this set, graph and all, if nothing has changed since.
    pub fn payload(&self) -> Option<&[u8]> {
        self.payload.as_deref()
    }

    /// Says what the file had for this set: after the elements.
    pub fn set_payload(&mut self, payload: impl Into<Box<[u8]>>) {
        self.payload = Some(payload.into());
    }

    /// Puts an element in as it lay in a file.
    pub fn put_stored(&mut self, name: &[u8], stored: &[u8], attributes: &[u8], scale: Scale) {
        let attributes = non_empty(attributes);
        self.put(Element {
            name: Bytes::new(name),
            stored: stored.into(),
            given: None,
            scale,
            attributes,
        });
    }

    /// Adds an element, or gives one another vector, and other attributes if there are any here. Was it
    /// new?
    pub fn add(&mut self, name: &[u8], vector: &[f32], attributes: Option<&[u8]>) -> bool {
        let given: Box<[u8]> = vector.iter().flat_map(|part| part.to_le_bytes()).collect();
        let (stored, scale) = match self.shape.reduced_from {
            Some(_) => (given.clone(), Scale::default()),
            None => quantize(vector, self.shape.quantization),
        };
        let old = self.get(name);
        let new = old.is_none();
        let attributes = match (old, attributes) {
            (None, attributes) => attributes.map(Bytes::new),
            (Some(_), Some(attributes)) => non_empty(attributes),
            (Some(old), None) => old.attributes.clone(),
        };
        let given = Some(given);
        self.put(Element { name: Bytes::new(name), stored, given, scale, attributes });
        new
    }

    fn put(&mut self, element: Element) {
        self.payload = None;
        let number = *self.numbers.entry(element.name.clone()).or_insert_with(|| {
            self.next += 1;
            self.next
        });
        self.text += element.heap();
        let old = self.elements.insert(number, element);
        self.text = self.text.saturating_sub(old.as_ref().map_or(0, Element::heap));
    }

    /// Gives an element attributes, or none. Is there such an element?
    pub fn set_attributes(&mut self, name: &[u8], attributes: &[u8]) -> bool {
        let number = self.numbers.get(name).copied();
        let Some(element) = number.and_then(|number| self.elements.get_mut(&number)) else {
            return false;
        };
        self.payload = None;
        let before = element.heap();
        element.attributes = non_empty(attributes);
        self.text = (self.text + element.heap()).saturating_sub(before);
        true
    }

    /// Removes an element. Was it there?
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let Some(number) = self.numbers.remove(name) else { return false };
        let old = self.elements.remove(&number);
        self.text = self.text.saturating_sub(old.as_ref().map_or(0, Element::heap));
        self.payload = None;
        true
    }
}

fn non_empty(attributes: &[u8]) -> Option<Bytes> {
    (!attributes.is_empty()).then(|| Bytes::new(attributes))
}

/// A vector as servers keep it: of length 1, then in the form of the set.
fn quantize(vector: &[f32], quantization: Quantization) -> (Box<[u8]>, Scale) {
    let length = Scale::length_of(vector);
    let length = if length == 0.0 { 1.0 } else { length };
    let unit = vector.iter().map(|part| *part / length);
    let mut scale = Scale { range: 0.0, length };
    let stored = match quantization {
        Quantization::F32 => unit.flat_map(f32::to_le_bytes).collect(),
        Quantization::Int8 => {
            let unit: Vec<f32> = unit.collect();
            scale.range = unit.iter().fold(0f32, |max, part| max.max(part.abs()));
            let step = if scale.range == 0.0 { 0.0 } else { 127.0 / scale.range };
            // `as` keeps within i8 and makes NaN 0.
            unit.iter().map(|part| (part * step).round() as i8 as u8).collect()
        }
        Quantization::Binary => {
            let unit: Vec<f32> = unit.collect();
            let word = |parts: &[f32]| {
                let bits = parts.iter().enumerate().filter(|(_, part)| **part > 0.0);
                bits.fold(0u64, |word, (bit, _)| word | 1 << bit)
            };
            unit.chunks(64).flat_map(|parts| word(parts).to_le_bytes()).collect()
        }
    };
    (stored, scale)
}

impl DataType for VectorSet {
    const TYPE: Type = Type::Module;
    super::arm!(VectorSet);

    fn len(&self) -> usize {
        self.elements.len()
    }

    fn memory(&self) -> usize {
        let payload = self.payload.as_ref().map_or(0, |payload| block(payload.len()));
        block(size_of::<VectorSet>()) + self.elements.len() * ELEMENT + self.text + payload
    }

    fn encoding(&self) -> &'static str {
        "raw"
    }

    /// Count and dimension, and each element with its vector, in any order.
    fn digest(&self, fold: &mut Fold) {
        fold.element(|fold| {
            fold.element(|fold| {
                fold.mix_int(i64::try_from(self.elements.len()).unwrap_or(i64::MAX));
                fold.mix_int(i64::try_from(self.shape.dimension).unwrap_or(i64::MAX));
            });
            for element in self.iter() {
                fold.element(|fold| {
                    fold.mix(&element.stored);
                    fold.mix(&element.name);
                    if let Some(attributes) = element.attributes() {
                        fold.mix(attributes);
                    }
                });
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantized_as_servers_do() {
        let vector = [3.0, -4.0, 0.0];
        let f32s: Vec<u8> =
            [0.6f32, -0.8, 0.0].iter().flat_map(|part| part.to_le_bytes()).collect();
        assert_eq!(*quantize(&vector, Quantization::F32).0, *f32s);
        assert_eq!(*quantize(&vector, Quantization::Int8).0, [95, (-127i8) as u8, 0]);
        assert_eq!(*quantize(&vector, Quantization::Binary).0, [1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(*quantize(&[0.0; 2], Quantization::Int8).0, [0, 0]);
        let long = [1.0; 65];
        assert_eq!(
            quantize(&long, Quantization::Binary).0.last_chunk(),
            Some(&[1, 0, 0, 0, 0, 0, 0, 0])
        );
    }

    #[test]
    fn a_change_drops_the_graph_and_nothing_else() {
        let mut set = VectorSet::default();
        set.put_stored(b"a", b"\x01", b"", Scale::default());
        set.put_stored(b"b", b"\x02", b"{}", Scale::default());
        set.set_payload(*b"graph");
        assert!(!set.remove(b"none") && !set.set_attributes(b"none", b"x"));
        assert_eq!(set.payload(), Some(&b"graph"[..]));
        assert!(!set.add(b"b", &[1.0], None));
        assert_eq!(set.payload(), None);
        assert_eq!(set.get(b"b").and_then(Element::attributes), Some(&b"{}"[..]));
        let empty = VectorSet::default().memory();
        assert!(set.remove(b"a") && set.remove(b"b"));
        assert_eq!(set.memory(), empty);
    }
}
