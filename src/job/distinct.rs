//! How many different keys there are, in a few KiB: a HyperLogLog of 16384 registers. The hash is a fixed
//! one, so that a file always gives the same number; whoever writes a file to spoil an estimate may.

use twox_hash::XxHash3_64;

/// Bits of the hash that choose a register: the error is about 1.04 / sqrt(2^14) = 0.8 %.
const BITS: u32 = 14;

const REGISTERS: usize = 1 << BITS;

/// An estimate of how many different things were seen.
#[derive(Debug, Clone)]
pub struct Distinct {
    registers: Vec<u8>,
}

impl Default for Distinct {
    fn default() -> Self {
        Distinct { registers: vec![0; REGISTERS] }
    }
}

/// The hash of a key in a database.
#[inline]
pub fn key_hash(db: u64, key: &[u8]) -> u64 {
    // In the seed, the bits of the number would meet those of short keys.
    XxHash3_64::oneshot(key) ^ db.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Distinct {
    /// Sees one, by its hash.
    #[inline]
    pub fn add(&mut self, hash: u64) {
        let index = (hash >> (64 - BITS)) as usize;
        let rank = ((hash << BITS) | 1 << (BITS - 1)).leading_zeros() as u8 + 1;
        if let Some(register) = self.registers.get_mut(index) {
            *register = rank.max(*register);
        }
    }

    /// Adds what another has seen.
    pub fn merge(&mut self, other: &Distinct) {
        for (mine, theirs) in self.registers.iter_mut().zip(&other.registers) {
            *mine = (*mine).max(*theirs);
        }
    }

    /// How many there were, within one or two percent.
    pub fn count(&self) -> u64 {
        let registers = REGISTERS as f64;
        let sum: f64 = self.registers.iter().map(|rank| 2f64.powi(-i32::from(*rank))).sum();
        let raw = 0.7213 / (1.0 + 1.079 / registers) * registers * registers / sum;
        let empty = self.registers.iter().filter(|rank| **rank == 0).count();
        // Where registers are empty, how many tells more.
        let few = registers * (registers / empty.max(1) as f64).ln();
        let count = if empty > 0 && raw <= 2.5 * registers { few } else { raw };
        count.round() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_close() {
        for count in [0u64, 1, 100, 10_000, 30_000, 50_000, 1_000_000] {
            let mut distinct = Distinct::default();
            for n in 0..count {
                distinct.add(key_hash(n % 3, &n.to_le_bytes()));
                distinct.add(key_hash(n % 3, &n.to_le_bytes()));
            }
            let error = distinct.count().abs_diff(count) as f64 / count.max(1) as f64;
            assert!(error < 0.02, "{} for {count}", distinct.count());
        }
    }
}
