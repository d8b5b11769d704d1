//! Which small change makes a checksum right.
//!
//! A CRC-64 is linear: the checksum of an RDB, which ends with its own, is 0, and after damage it is that of
//! the damage alone, its *syndrome*. So is the checksum of a damaged block with that of the sound one xored in. A burst of damage with so many untouched bytes behind it
//! leaves a syndrome that was shifted once for each of these bytes; undoing the shifts one by one, the
//! pattern of the burst appears, least byte first, at the step that is its place:
//!
//! ```text
//! syndrome ──► one byte back ──► one byte back ──► … ──► 00000000 000000b4      b4 at 19,777 bytes from the end
//! ```
//!
//! A short pattern can also appear by chance. Of 2^64 syndromes, a file of n bytes has 8·n·2^(b-1) in which
//! a burst of at most b bits is hidden: that divided by 2^64 is how many are to be expected where there is
//! none, and it says how far to trust a find.

use crate::join;

use super::polynomial::Polynomial;

/// Steps back are taken from so many places at once: each waits for the table, not for the others.
const LANES: usize = 8;

/// The longest burst that is looked for, in bits: with those before it in its first byte it must fit 64.
pub const BITS_MAX: u32 = 56;

/// Finds that are kept. There are hardly ever more than one or two.
const FOUND_MAX: usize = 64;

/// A change of some bytes next to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Burst {
    /// Where the first of them is.
    pub offset: u64,
    /// What is to be xored in, the first byte lowest; that byte is not 0.
    pub xor: u64,
}

impl Burst {
    /// Bits from the first that changes to the last.
    pub fn bits(&self) -> u32 {
        64 - self.xor.leading_zeros() - self.xor.trailing_zeros()
    }

    /// Bits that change.
    pub fn flipped(&self) -> u32 {
        self.xor.count_ones()
    }

    /// What is to be xored in, byte by byte.
    pub fn bytes(&self) -> Vec<u8> {
        let len = (64 - self.xor.leading_zeros()).div_ceil(8) as usize;
        self.xor.to_le_bytes().into_iter().take(len).collect()
    }
}

/// How many bursts of at most so many bits are to be expected by chance in so many bytes.
pub fn expected(len: u64, bits: u32) -> f64 {
    8.0 * len as f64 * 2f64.powi(bits as i32 - 1 - 64)
}

/// The longest bursts, in bits, of which no more than so many are to be expected by chance; 0 if already
/// single bits are too many.
pub fn longest(len: u64, at_most: f64) -> u32 {
    (1..=BITS_MAX).take_while(|bits| expected(len, *bits) <= at_most).last().unwrap_or(0)
}

/// Every burst of at most `bits` bits in `len` bytes that leaves a syndrome. The shortest first.
pub fn bursts(
    polynomial: &'static Polynomial,
    syndrome: u64,
    len: u64,
    bits: u32,
    jobs: usize,
) -> Vec<Burst> {
    let bits = bits.min(BITS_MAX);
    if syndrome == 0 || bits == 0 {
        return Vec::new();
    }
    let jobs = jobs.max(1) as u64;
    let each = len.div_ceil(jobs).max(1 << 16);
    let ranges = (0..jobs).map(|job| (job * each, (job + 1).saturating_mul(each).min(len)));
    let search = |(start, end)| {
        move || Search { polynomial, syndrome, len, bits, found: Vec::new() }.run(start, end)
    };
    let parts = join::all(ranges.filter(|(start, end)| start < end).map(search));
    let mut found = parts.concat();
    found.sort_by_key(|burst| (burst.bits(), burst.offset));
    found.truncate(FOUND_MAX);
    found
}

/// A search over some of the places.
struct Search {
    polynomial: &'static Polynomial,
    syndrome: u64,
    len: u64,
    bits: u32,
    found: Vec<Burst>,
}

impl Search {
    /// Looks at bursts that begin from `start + 1` to `end` bytes before the end.
    fn run(mut self, start: u64, end: u64) -> Vec<Burst> {
        let each = (end - start) / LANES as u64;
        let mut lanes = [0; LANES];
        for (lane, crc) in lanes.iter_mut().enumerate() {
            *crc = self.polynomial.before_zeros(self.syndrome, start + lane as u64 * each);
        }
        // The first bit that changes is in the burst's first byte.
        let shift = self.bits + 7;
        for step in 1..=each {
            let mut hit = false;
            for crc in &mut lanes {
                *crc = self.polynomial.step_back(*crc);
                hit |= *crc >> shift == 0;
            }
            if hit {
                for (lane, crc) in lanes.into_iter().enumerate() {
                    self.look(crc, start + lane as u64 * each + step);
                }
            }
        }
        let rest = start + LANES as u64 * each;
        let mut crc = self.polynomial.before_zeros(self.syndrome, rest);
        for back in rest + 1..=end {
            crc = self.polynomial.step_back(crc);
            self.look(crc, back);
        }
        self.found
    }

    /// Looks at what is left of the syndrome so many bytes before the end.
    fn look(&mut self, xor: u64, back: u64) {
        let burst = Burst { offset: self.len - back, xor };
        let fits = || burst.bytes().len() as u64 <= back;
        let begins = xor.trailing_zeros() < 8;
        if begins && burst.bits() <= self.bits && fits() && self.found.len() < FOUND_MAX {
            self.found.push(burst);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::crc64::crc64;
    use super::super::polynomial::{REDIS, XZ};
    use super::super::seal::sum;
    use super::*;
    use proptest::prelude::*;

    /// Bytes with their checksum behind them.
    fn sealed(len: usize, seed: u64) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bytes: Vec<u8> = (0..len).map(|_| random.u8(..)).collect();
        bytes.extend_from_slice(&crc64(&bytes).to_le_bytes());
        bytes
    }

    #[test]
    fn every_bit_of_a_small_file() {
        let bytes = sealed(1000, 7);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let found = bursts(&REDIS, crc64(&damaged), bytes.len() as u64, 32, 1);
            let want = Burst { offset: bit as u64 / 8, xor: 1 << (bit % 8) };
            assert_eq!(found, [want], "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn bursts_of_some_bytes(
            len in 1..300_000usize,
            seed in any::<u64>(),
            jobs in 1..4usize,
            xor in proptest::collection::vec(any::<u8>(), 1..5),
            at in any::<proptest::sample::Index>(),
        ) {
            prop_assume!(xor[0] != 0);
            let bytes = sealed(len, seed);
            let at = at.index(bytes.len() - xor.len());
            let mut damaged = bytes.clone();
            damaged.iter_mut().skip(at).zip(&xor).for_each(|(byte, xor)| *byte ^= xor);
            let found = bursts(&REDIS, crc64(&damaged), bytes.len() as u64, 32, jobs);
            let mut healed = damaged.clone();
            let first = found.first().unwrap();
            let place = healed.iter_mut().skip(first.offset as usize);
            place.zip(first.bytes()).for_each(|(byte, xor)| *byte ^= xor);
            prop_assert!(healed == bytes, "{found:?}");
        }
    }

    #[test]
    fn every_bit_of_a_block_with_its_sum_elsewhere() {
        let bytes: Vec<u8> = (0..600u32).map(|at| (at * at) as u8).collect();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let found = bursts(&XZ, sum(&damaged) ^ sum(&bytes), bytes.len() as u64, 32, 1);
            let want = Burst { offset: bit as u64 / 8, xor: 1 << (bit % 8) };
            assert_eq!(found, [want], "bit {bit}");
        }
    }

    #[test]
    fn nothing_is_found_in_what_is_right() {
        assert_eq!(bursts(&REDIS, crc64(&sealed(100, 1)), 108, BITS_MAX, 2), []);
    }

    #[test]
    fn finds_by_chance_are_as_many_as_expected() {
        let (len, bits, trials) = (1 << 16, 42, 60);
        let mut random = fastrand::Rng::with_seed(3);
        let found: usize =
            (0..trials).map(|_| bursts(&REDIS, random.u64(..), len, bits, 1).len()).sum();
        let want = expected(len, bits) * f64::from(trials);
        assert!((want - found as f64).abs() < 4.0 * want.sqrt(), "{found} of {want}");
    }

    #[test]
    fn bounds() {
        assert_eq!(longest(1 << 30, 1e-6), 12);
        assert_eq!(longest(1 << 16, 1e-6), 26);
        assert_eq!(longest(1 << 30, 1e-30), 0);
        assert_eq!(longest(100, 1.0), 55);
    }
}
