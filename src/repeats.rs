//! Which of many hashes come more than once, found without sorting them all.
//!
//! Each hash has a bit of its own among sixteen times as many, by its upper bits. One pass finds the bits that
//! are met twice, a second one collects the items behind these, one in sixteen by chance, and only those
//! are sorted. That takes two steps an item where a sort takes one for each doubling of their number.

/// Up to so many hashes one look is nearly always enough.
const FEW: usize = 40;

/// Bits for few hashes: they fit the stack.
const FEW_BITS: usize = 1 << 12;

/// Bits a hash, when they are many.
const BITS_EACH: usize = 16;

/// Bits that are used again for every question.
#[derive(Debug, Default)]
pub struct Repeats {
    /// Bits met once, and those of the same places met twice.
    bits: Vec<[u64; 2]>,
}

impl Repeats {
    /// Those of `count` items whose hash another item has too, sorted. `hash` must spread its upper 32 bits well, and
    /// items that are equal, or that the caller takes for equal, must be neighbours in their order.
    pub fn among<T: Copy + Ord>(
        &mut self,
        items: impl Iterator<Item = T> + Clone,
        count: usize,
        hash: impl Fn(T) -> u64,
        is_same: impl Fn(T, T) -> bool,
    ) -> Vec<T> {
        if count < 2 || (count <= FEW && all_different(items.clone(), &hash)) {
            return Vec::new();
        }
        let mut suspects = self.suspects(items, count, &hash);
        suspects.sort_unstable();
        let mut repeats = Vec::new();
        for group in suspects.chunk_by(|a, b| is_same(*a, *b)) {
            if group.len() > 1 {
                repeats.extend_from_slice(group);
            }
        }
        repeats
    }

    fn suspects<T: Copy>(
        &mut self,
        items: impl Iterator<Item = T> + Clone,
        count: usize,
        hash: impl Fn(T) -> u64,
    ) -> Vec<T> {
        let bits = count.saturating_mul(BITS_EACH).next_power_of_two().clamp(64, 1 << 32);
        let shift = 64 - bits.trailing_zeros();
        self.bits.clear();
        self.bits.resize(bits / 64, [0; 2]);
        let place = |item: T| {
            let bit = hash(item) >> shift;
            ((bit / 64) as usize, 1u64 << (bit % 64))
        };
        let mut any = 0;
        for item in items.clone() {
            let (index, bit) = place(item);
            if let Some([once, twice]) = self.bits.get_mut(index) {
                let again = *once & bit;
                *once |= bit;
                *twice |= again;
                any |= again;
            }
        }
        if any == 0 {
            return Vec::new();
        }
        let is_suspect = |item: &T| {
            let (index, bit) = place(*item);
            self.bits.get(index).is_some_and(|[_, twice]| twice & bit != 0)
        };
        items.filter(is_suspect).collect()
    }
}

/// A cheap look that is certain when it says yes.
#[inline]
fn all_different<T: Copy>(mut items: impl Iterator<Item = T>, hash: impl Fn(T) -> u64) -> bool {
    let mut bits = [0u64; FEW_BITS / 64];
    items.all(|item| {
        let place = hash(item) >> (64 - FEW_BITS.ilog2());
        let bit = 1u64 << (place % 64);
        let Some(word) = bits.get_mut((place / 64) as usize) else { return false };
        let new = *word & bit == 0;
        *word |= bit;
        new
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn by_sorting(items: &[u64]) -> Vec<u64> {
        let mut sorted = items.to_vec();
        sorted.sort_unstable();
        let groups = sorted.chunk_by(|a, b| a == b).filter(|group| group.len() > 1);
        groups.flatten().copied().collect()
    }

    proptest! {
        #[test]
        fn the_same_as_by_sorting(
            count in 0..3000u64,
            spread in 1..5000u64,
            seed in any::<u64>(),
        ) {
            let mut random = fastrand::Rng::with_seed(seed);
            let items: Vec<u64> = (0..count)
                .map(|_| random.u64(..spread).wrapping_mul(0x9e37_79b9_7f4a_7c15))
                .collect();
            let found = Repeats::default().among(items.iter().copied(), items.len(), |hash| hash, |a, b| a == b);
            prop_assert_eq!(found, by_sorting(&items));
        }
    }

    #[test]
    fn hashes_that_share_all_their_upper_bits() {
        let items: Vec<u64> = (0..1000).chain([7]).collect();
        assert_eq!(
            Repeats::default().among(
                items.iter().copied(),
                items.len(),
                |hash| hash,
                |a, b| a == b
            ),
            [7, 7]
        );
    }
}
