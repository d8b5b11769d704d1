//! Sorted integers in one block, as small sets of integers are kept (RDB type 11, FORMATS A.6).
//!
//! ```text
//! width u32le (2, 4, 8) | count u32le | count × signed little-endian integers, strictly ascending
//! ```
//! All have the width that the widest needs. A blob from a file is kept as it is; its integers are read
//! by its own width, which may be larger than needed.

use super::block;
use crate::encoding::intset::{ints, write};
use crate::encoding::number::i64_text_len;

const HEADER: usize = 8;

/// A set of integers.
#[derive(Clone)]
pub struct Intset(Box<[u8]>);

impl Default for Intset {
    fn default() -> Self {
        Intset::of(&[])
    }
}

/// Bytes that an integer needs.
fn width_of(number: i64) -> usize {
    if i16::try_from(number).is_ok() {
        2
    } else if i32::try_from(number).is_ok() {
        4
    } else {
        8
    }
}

impl Intset {
    /// One that lay in a file; if it is not built as one, it is taken as empty. The order should have
    /// been checked: members out of order are not found.
    pub fn from_blob(blob: impl Into<Box<[u8]>>) -> Intset {
        let blob = blob.into();
        let right = ints(&blob).is_ok();
        if right { Intset(blob) } else { Intset::default() }
    }

    /// One of these integers, ascending and without duplicates.
    pub fn of(sorted: &[i64]) -> Intset {
        let mut blob = Vec::with_capacity(HEADER + size_of_val(sorted));
        write(sorted, &mut blob);
        Intset(blob.into())
    }

    /// The bytes, for saving.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Bytes on the heap.
    pub fn memory(&self) -> usize {
        block(self.0.len())
    }

    /// Members.
    pub fn len(&self) -> usize {
        self.header(4)
    }

    /// No members?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The member number `index`, in ascending order.
    pub fn get(&self, index: usize) -> Option<i64> {
        let width = self.width();
        let start = index.checked_mul(width)?.checked_add(HEADER)?;
        match *self.0.get(start..start.checked_add(width)?)? {
            [a, b] => Some(i16::from_le_bytes([a, b]).into()),
            [a, b, c, d] => Some(i32::from_le_bytes([a, b, c, d]).into()),
            [a, b, c, d, e, f, g, h] => Some(i64::from_le_bytes([a, b, c, d, e, f, g, h])),
            _ => None,
        }
    }

    /// Has every member at most this many digits, a sign counted?
    pub fn is_short(&self, digits: usize) -> bool {
        let ends = [self.get(0), self.len().checked_sub(1).and_then(|last| self.get(last))];
        ends.into_iter().flatten().all(|number| i64_text_len(number) <= digits)
    }

    /// The members, ascending.
    pub fn iter(&self) -> impl Iterator<Item = i64> {
        (0..self.len()).map_while(|index| self.get(index))
    }

    /// Is it a member?
    pub fn contains(&self, number: i64) -> bool {
        self.search(number).is_ok()
    }

    /// Adds a member. Was it new?
    pub fn insert(&mut self, number: i64) -> bool {
        let Err(index) = self.search(number) else { return false };
        if width_of(number) > self.width() {
            let mut all: Vec<i64> = self.iter().collect();
            all.insert(index, number);
            *self = Intset::of(&all);
        } else {
            let bytes = number.to_le_bytes();
            let width = self.width();
            self.splice(index, &bytes[..width], 0, self.len() + 1);
        }
        true
    }

    /// Takes a member out. Was it one?
    pub fn remove(&mut self, number: i64) -> bool {
        let Ok(index) = self.search(number) else { return false };
        self.splice(index, &[], self.width(), self.len() - 1);
        true
    }

    /// Replaces `gone` bytes at a member's place, and states the new count.
    fn splice(&mut self, index: usize, bytes: &[u8], gone: usize, count: usize) {
        let start = HEADER + index * self.width();
        let mut blob = std::mem::take(&mut self.0).into_vec();
        blob.reserve_exact(bytes.len());
        blob.splice(start..start + gone, bytes.iter().copied());
        if let Some(place) = blob.get_mut(4..HEADER) {
            place.copy_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
        }
        self.0 = blob.into();
    }

    /// Where the member is, or where it would be.
    fn search(&self, number: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle).map(|at| at.cmp(&number)) {
                Some(std::cmp::Ordering::Equal) => return Ok(middle),
                Some(std::cmp::Ordering::Less) => low = middle + 1,
                _ => high = middle,
            }
        }
        Err(low)
    }

    fn width(&self) -> usize {
        self.header(0)
    }

    fn header(&self, at: usize) -> usize {
        let bytes = self.0.get(at..).and_then(|rest| rest.first_chunk());
        bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize)
    }
}

impl std::fmt::Debug for Intset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn behaves_like_a_sorted_set() {
        let mut rng = fastrand::Rng::with_seed(5);
        let (mut set, mut model) = (Intset::default(), BTreeSet::new());
        for step in 0..5000 {
            let number = rng.i64(-40..40) << rng.u32(..(1 + step / 100));
            match rng.bool() {
                true => assert_eq!(set.insert(number), model.insert(number)),
                false => assert_eq!(set.remove(number), model.remove(&number)),
            }
            assert!(set.iter().eq(model.iter().copied()));
            assert_eq!(set.contains(number), model.contains(&number));
            assert_eq!(Intset::from_blob(set.as_bytes()).len(), model.len());
        }
    }

    #[test]
    fn other_bytes_are_empty() {
        for blob in [&b""[..], &[0; 8], &[3, 0, 0, 0, 0, 0, 0, 0], &[2, 0, 0, 0, 2, 0, 0, 0, 1, 0]]
        {
            assert!(Intset::from_blob(blob).is_empty());
        }
    }
}
