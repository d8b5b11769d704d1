//! Arrays (Redis 8.8): cells by index, most of 2^64 of them empty, and a cursor at which ARINSERT and
//! ARRING go on (FORMATS A.5, type 28).
//!
//! A cell's value is its text. That a file states numbers as numbers is only a shorter form of it.

use std::collections::BTreeMap;

pub use crate::encoding::number::double_text;

use super::digest::Fold;
use super::{Bytes, DataType, Type, block};

/// An array.
#[derive(Debug, Clone, Default)]
pub struct Array {
    cells: BTreeMap<u64, Bytes>,
    /// The index last written through the cursor; `None` before that, and after ARSEEK 0.
    pub insert_index: Option<u64>,
    /// Bytes of the cells' texts on the heap.
    text: usize,
}

/// Highest index a cell can have.
pub const MAX_INDEX: u64 = u64::MAX - 1;

/// Empty cells that a digest counts one by one. The servers do so without end, and theirs cannot be had
/// of an array with more of them in any time worth waiting for.
const DIGEST_HOLES: u64 = 1 << 26;

/// Bytes that a cell takes in the tree.
const CELL: usize = size_of::<(u64, Bytes)>() + 8;

impl Array {
    /// Cells that hold something.
    pub fn count(&self) -> usize {
        self.cells.len()
    }

    /// The highest index in use, and one.
    pub fn span(&self) -> u64 {
        self.cells.last_key_value().map_or(0, |(index, _)| index.saturating_add(1))
    }

    /// What a cell holds.
    pub fn get(&self, index: u64) -> Option<&[u8]> {
        self.cells.get(&index).map(|text| &text[..])
    }

    /// The cells that hold something, in order: what an RDB carries, with [`Array::insert_index`].
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &[u8])> {
        self.cells.iter().map(|(index, text)| (*index, &text[..]))
    }

    /// The same from `low` to `high`, both included.
    pub fn range(&self, low: u64, high: u64) -> impl DoubleEndedIterator<Item = (u64, &[u8])> {
        let cells = (low <= high).then(|| self.cells.range(low..=high));
        cells.into_iter().flatten().map(|(index, text)| (*index, &text[..]))
    }

    /// Gives a cell a value. Was it empty? Beyond [`MAX_INDEX`] there is none.
    pub fn set(&mut self, index: u64, text: &[u8]) -> bool {
        if index > MAX_INDEX {
            return false;
        }
        let text = Bytes::new(text);
        self.text += text.heap();
        let old = self.cells.insert(index, text);
        self.text = self.text.saturating_sub(old.as_ref().map_or(0, Bytes::heap));
        old.is_none()
    }

    /// Empties a cell. Did it hold something?
    pub fn remove(&mut self, index: u64) -> bool {
        let old = self.cells.remove(&index);
        self.text = self.text.saturating_sub(old.as_ref().map_or(0, Bytes::heap));
        old.is_some()
    }

    /// Empties cells from `low` to `high`, both included; how many held something.
    pub fn remove_range(&mut self, low: u64, high: u64) -> usize {
        let indexes: Vec<u64> = self.range(low, high).map(|(index, _)| index).collect();
        indexes.iter().filter(|index| self.remove(**index)).count()
    }

    /// Writes values one after the other into a ring of `size` cells, the last of which is the answer. If
    /// the ring had another size, its latest values are moved so that they are its latest again.
    pub fn write_ring(&mut self, size: u64, values: &[&[u8]]) -> u64 {
        let span = self.span();
        let has_wrapped = self.insert_index.is_some_and(|last| last.saturating_add(1) < span);
        if span > 0 && (size < span || (size > span && has_wrapped)) {
            self.rebuild_ring(span, size.min(span));
        }
        let mut at = 0;
        for value in values {
            at = self.insert_index.map_or(0, |last| last.saturating_add(1));
            at = at.checked_rem(size).unwrap_or(0);
            self.set(at, value);
            self.insert_index = Some(at);
        }
        at
    }

    /// Moves the latest values of a ring of `span` cells, up to `keep` and to the first empty cell, to
    /// the beginning.
    fn rebuild_ring(&mut self, span: u64, keep: u64) {
        let mut at = self.insert_index.map_or(span - 1, |last| last % span);
        let mut values = Vec::new();
        while (values.len() as u64) < keep
            && let Some(text) = self.cells.get(&at)
        {
            values.push(text.clone());
            at = at.checked_sub(1).unwrap_or(span - 1);
        }
        *self = Array::default();
        for (index, text) in (0..).zip(values.into_iter().rev()) {
            self.text += text.heap();
            self.cells.insert(index, text);
            self.insert_index = Some(index);
        }
    }
}

impl DataType for Array {
    const TYPE: Type = Type::Array;
    super::arm!(Array);

    fn len(&self) -> usize {
        self.count()
    }

    fn memory(&self) -> usize {
        block(size_of::<Array>()) + self.cells.len() * CELL + self.text
    }

    fn encoding(&self) -> &'static str {
        "sliced-array"
    }

    /// Every cell from the first to the last, the empty ones as `(null)`.
    fn digest(&self, fold: &mut Fold) {
        let holes = self.span().saturating_sub(self.cells.len() as u64);
        let mut next = 0;
        for (index, text) in self.iter() {
            if holes <= DIGEST_HOLES {
                (next..index).for_each(|_| fold.mix(b"(null)"));
            } else {
                fold.mix(&index.to_be_bytes());
            }
            fold.mix(text);
            next = index.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles() {
        let cases = [
            (2.5, "2.5"),
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.0, "0.0"),
            (1e15, "1000000000000000.0"),
            (1e20, "1e+20"),
            (1e-7, "1e-7"),
            (f64::INFINITY, "inf"),
        ];
        for (value, want) in cases {
            assert_eq!(double_text(value), want.as_bytes(), "{want}");
        }
    }

    fn texts(array: &Array) -> String {
        let cells = array.iter().map(|(n, text)| format!("{n}={}", text.escape_ascii()));
        cells.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_ring_keeps_the_latest() {
        let mut array = Array::default();
        let write = |array: &mut Array, size, text: &str| {
            let values: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
            array.write_ring(size, &values)
        };
        assert_eq!(write(&mut array, 3, "a b c d"), 0);
        assert_eq!(texts(&array), "0=d 1=b 2=c");
        // Larger: b c d, then on.
        assert_eq!(write(&mut array, 5, "e"), 3);
        assert_eq!(texts(&array), "0=b 1=c 2=d 3=e");
        // Smaller: the latest two, then over the oldest.
        assert_eq!(write(&mut array, 2, "f"), 0);
        assert_eq!(texts(&array), "0=f 1=e");
        // A hole ends what is kept.
        let mut array = Array::default();
        for index in [0, 1, 3, 4] {
            array.set(index, b"x");
        }
        array.insert_index = Some(4);
        assert_eq!(write(&mut array, 4, "y"), 2);
        assert_eq!(texts(&array), "0=x 1=x 2=y");
    }

    #[test]
    fn the_last_index_is_none() {
        let mut array = Array::default();
        assert!(!array.set(u64::MAX, b"x"));
        assert!(array.set(MAX_INDEX, b"x") && !array.set(MAX_INDEX, b"y"));
        assert_eq!((array.span(), array.count()), (u64::MAX, 1));
        assert_eq!(array.remove_range(0, u64::MAX), 1);
        let before = Array::default().memory();
        assert_eq!(array.memory(), before);
        // Would take for ever if it counted.
        array.set(MAX_INDEX, b"x");
        array.digest(&mut Fold::new(Default::default()));
    }
}
