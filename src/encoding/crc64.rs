//! The checksum at the end of an RDB file and of a DUMP payload (FORMATS A.1, "Checksum").
//!
//! CRC-64 "Jones": polynomial 0xad93d23594c935a9, bits reflected, starts at 0, nothing xored in at the
//! end. Those two zeros make it linear, which [`combine`] uses.
//!
//! The bytes go through crc-fast's vector code, which is slower than a table on a few bytes and ten
//! times faster on many: feed it whole buffers, never single fields.

use std::fmt;

use crc_fast::{CrcAlgorithm, Digest};

use super::polynomial::REDIS;

/// A checksum being taken.
#[derive(Clone)]
pub struct Crc64(Digest);

impl Default for Crc64 {
    fn default() -> Self {
        Crc64::new()
    }
}

impl fmt::Debug for Crc64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crc64({:#018x})", self.value())
    }
}

impl Crc64 {
    /// The checksum of no bytes, 0.
    pub fn new() -> Self {
        Crc64::resume(0)
    }

    /// A checksum that goes on from `value`.
    pub fn resume(value: u64) -> Self {
        Crc64(Digest::new_with_init_state(CrcAlgorithm::Crc64Redis, value))
    }

    /// Takes in `bytes`.
    #[inline]
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of all bytes taken in so far.
    pub fn value(&self) -> u64 {
        self.0.finalize()
    }
}

/// The checksum of `bytes`.
pub fn crc64(bytes: &[u8]) -> u64 {
    crc_fast::checksum(CrcAlgorithm::Crc64Redis, bytes)
}

/// The checksum of bytes whose beginning has the checksum `crc` and which end with `bytes`.
pub fn extend(crc: u64, bytes: &[u8]) -> u64 {
    let mut sum = Crc64::resume(crc);
    sum.update(bytes);
    sum.value()
}

/// The checksum after `new` was put in the place of `old`, of the same length, with `after` bytes behind
/// them: that of the difference is xored in.
pub fn patched(crc: u64, old: &[u8], new: &[u8], after: u64) -> u64 {
    crc ^ combine(crc64(old) ^ crc64(new), 0, after)
}

/// The checksum of A followed by B, from the checksum of each and the length of B.
///
/// As polynomials, crc(AB) = crc(A)·x^(8·len B) + crc(B).
pub fn combine(a: u64, b: u64, len_b: u64) -> u64 {
    REDIS.after_zeros(a, len_b) ^ b
}

#[cfg(test)]
mod tests {
    use crc::{CRC_64_REDIS, Crc};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn oracle(bytes: &[u8]) -> u64 {
        Crc::<u64>::new(&CRC_64_REDIS).checksum(bytes)
    }

    #[test]
    fn check_value() {
        assert_eq!(crc64(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(crc64(b""), 0);
        assert_eq!(Crc64::new().value(), 0);
    }

    #[test]
    fn every_length_and_alignment_up_to_many_vectors() {
        let bytes: Vec<u8> = (0..5000u32).map(|i| (i.wrapping_mul(i) >> 3) as u8).collect();
        for len in (0..700).chain([1023, 1024, 1025, 4095, 4096, 4990]) {
            for start in [0, 1, 7] {
                let part = &bytes[start..start + len];
                assert_eq!(crc64(part), oracle(part), "{len} bytes from {start}");
            }
        }
    }

    proptest! {
        #[test]
        fn parts_add_up(a in vec(any::<u8>(), 0..3000), b in vec(any::<u8>(), 0..3000)) {
            let whole = oracle(&[&a[..], &b[..]].concat());
            let mut crc = Crc64::new();
            crc.update(&a);
            prop_assert_eq!(crc.value(), oracle(&a));
            crc.update(&b);
            prop_assert_eq!(crc.value(), whole);
            let mut resumed = Crc64::resume(oracle(&a));
            resumed.update(&b);
            prop_assert_eq!(resumed.value(), whole);
            prop_assert_eq!(combine(oracle(&a), oracle(&b), b.len() as u64), whole);
        }
    }

    #[test]
    fn a_patch_changes_the_checksum_as_the_bytes() {
        let mut bytes: Vec<u8> = (0..=255).cycle().take(5000).collect();
        let before = crc64(&bytes);
        assert_eq!(extend(crc64(&bytes[..777]), &bytes[777..]), before);
        for (at, new) in [(0, &b"hello"[..]), (2500, b"x"), (4990, b"0123456789")] {
            let old = bytes[at..at + new.len()].to_vec();
            let sum = crc64(&bytes);
            bytes[at..at + new.len()].copy_from_slice(new);
            let after = (bytes.len() - at - new.len()) as u64;
            assert_eq!(patched(sum, &old, new, after), crc64(&bytes), "at {at}");
        }
    }
}
