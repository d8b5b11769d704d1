//! The checksum at the end of an RDB file and of a DUMP payload (FORMATS A.1, "Checksum").
//!
//! CRC-64 "Jones": polynomial 0xad93d23594c935a9, bits reflected, starts at 0, nothing xored in at the
//! end. Those two zeros make it linear, which [`combine`] uses.
//!
//! The bytes go through crc-fast's vector code, which is slower than a table on a few bytes and ten
//! times faster on many: feed it whole buffers, never single fields.

use std::fmt;

use crc_fast::{CrcAlgorithm, Digest};

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
/// As polynomials, crc(AB) = crc(A)·x^(8·len B) + crc(B): 64 table entries hold x to the power 8·2^i, and
/// those that the length is made of are multiplied.
pub fn combine(a: u64, b: u64, len_b: u64) -> u64 {
    let shifts = BYTE_SHIFTS.iter().enumerate().filter(|&(bit, _)| len_b >> bit & 1 == 1);
    shifts.fold(a, |crc, (_, &shift)| multiply(crc, shift)) ^ b
}

/// The checksum that a file had before `count` bytes of 0 were appended to it: [`combine`] undone.
pub fn before_zeros(crc: u64, count: u64) -> u64 {
    let shifts = BYTE_UNSHIFTS.iter().enumerate().filter(|&(bit, _)| count >> bit & 1 == 1);
    shifts.fold(crc, |crc, (_, &shift)| multiply(crc, shift))
}

/// The polynomial with its bits reflected: bit 63 is x^0, bit 0 is x^63, and x^64 is implied.
const POLYNOMIAL: u64 = 0xad93_d235_94c9_35a9_u64.reverse_bits();

/// x^(8·2^i) modulo the polynomial.
static BYTE_SHIFTS: [u64; 64] = squares(1 << (63 - 8));

/// x^(-8·2^i) modulo the polynomial, which has an inverse of x since its last term is 1.
static BYTE_UNSHIFTS: [u64; 64] = squares(unshift_byte(1 << 63));

/// The checksum before one byte of 0 was appended.
pub(super) const fn unshift_byte(mut crc: u64) -> u64 {
    let mut bit = 0;
    while bit < 8 {
        crc = if crc >> 63 == 1 { (crc ^ POLYNOMIAL) << 1 | 1 } else { crc << 1 };
        bit += 1;
    }
    crc
}

/// A power of x, its square, the square of that, and so on.
const fn squares(mut power: u64) -> [u64; 64] {
    let mut shifts = [0; 64];
    let mut i = 0;
    while i < 64 {
        shifts[i] = power;
        power = multiply(power, power);
        i += 1;
    }
    shifts
}

/// The product of two polynomials modulo [`POLYNOMIAL`], all reflected.
const fn multiply(a: u64, mut b: u64) -> u64 {
    let mut product = 0;
    let mut bit = 64;
    while bit > 0 {
        bit -= 1;
        // b is now b·x^(63-bit); bit 63 of a stands for x^0.
        if a >> bit & 1 == 1 {
            product ^= b;
        }
        b = b >> 1 ^ if b & 1 == 1 { POLYNOMIAL } else { 0 };
    }
    product
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

    #[test]
    fn combining_zeros_of_absurd_lengths_is_defined() {
        // x^(8·2^63) in two steps is x^(8·2^64 - 8) times x^8.
        let once = combine(combine(1, 0, u64::MAX), 0, 1);
        let twice = combine(combine(1, 0, 1 << 63), 0, 1 << 63);
        assert_eq!(once, twice);
        assert_eq!(combine(0, 5, u64::MAX), 5);
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
            let count = b.len() as u64;
            prop_assert_eq!(before_zeros(combine(whole, 0, count), count), whole);
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
