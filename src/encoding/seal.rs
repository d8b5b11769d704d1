//! A seal: checksums of a file's blocks, in a file beside it, so that damage is seen, placed and, where it is
//! short, undone. `rdbtool-seal(5)` is the description for others; all numbers are little endian:
//!
//! ```text
//!  0  8   "RDBTSEAL"
//!  8  4   version, 1
//! 12  4   bytes of a block: a power of two from 512 to 2^24
//! 16  8   bytes of the file when it was sealed
//! 24  8   the CRC-64 that RDB files end with, of all these bytes
//! 32  8·n CRC-64/XZ of each block; the last one may be short
//!     8   CRC-64/XZ of the seal up to here
//! ```
//!
//! Two polynomials: what heals every block by the one is right only if the other fits the whole then.

use crc64fast::Digest;

/// What a seal begins with.
pub const MAGIC: &[u8; 8] = b"RDBTSEAL";

/// The version that is written.
pub const VERSION: u32 = 1;

/// Bytes of a block: with it a seal takes half a thousandth of its file.
pub const BLOCK: u32 = 16 << 10;

/// Bytes before the sums of blocks, and of each sum.
const HEAD: usize = 32;
const SUM: usize = 8;

/// Bytes of a seal, at most: one of a file of 2 TiB.
pub const SIZE_MAX: u64 = 1 << 30;

/// CRC-64/XZ of some bytes.
pub fn sum(bytes: &[u8]) -> u64 {
    let mut digest = Digest::new();
    digest.write(bytes);
    digest.sum64()
}

/// What a seal says of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// Bytes of a block.
    pub block: u32,
    /// Bytes of the file.
    pub len: u64,
    /// CRC-64, as RDB files have it, of all of them.
    pub whole: u64,
    /// CRC-64/XZ of each block.
    pub sums: Vec<u64>,
}

/// Why bytes are no seal to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// They begin with something else.
    Magic,
    /// A version that is not known.
    Version(u32),
    /// Its own checksum does not fit, or its size not its numbers.
    Damaged,
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unusable::Magic => f.write_str("it does not begin as a seal"),
            Unusable::Version(version) => {
                write!(f, "it is of version {version}, which is not known")
            }
            Unusable::Damaged => f.write_str("it is damaged itself: its own checksum does not fit"),
        }
    }
}

impl Seal {
    /// How many blocks so many bytes have.
    pub fn blocks(len: u64, block: u32) -> u64 {
        len.div_ceil(u64::from(block.max(1)))
    }

    /// Its bytes.
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + SUM * (self.sums.len() + 1));
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.block.to_le_bytes());
        bytes.extend_from_slice(&self.len.to_le_bytes());
        bytes.extend_from_slice(&self.whole.to_le_bytes());
        self.sums.iter().for_each(|sum| bytes.extend_from_slice(&sum.to_le_bytes()));
        let own = sum(&bytes);
        bytes.extend_from_slice(&own.to_le_bytes());
        bytes
    }

    /// Reads one.
    ///
    /// # Errors
    /// When it is not to be believed.
    pub fn read(bytes: &[u8]) -> Result<Seal, Unusable> {
        if !bytes.starts_with(MAGIC) {
            return Err(Unusable::Magic);
        }
        let number = |at| u32_at(bytes, at).ok_or(Unusable::Damaged);
        let (version, block) = (number(8)?, number(12)?);
        let (body, own) = bytes.split_last_chunk::<SUM>().ok_or(Unusable::Damaged)?;
        if sum(body) != u64::from_le_bytes(*own) {
            return Err(Unusable::Damaged);
        }
        if version != VERSION {
            return Err(Unusable::Version(version));
        }
        let (head, sums) = body.split_at_checked(HEAD).ok_or(Unusable::Damaged)?;
        let wide = |at| u64_at(head, at).ok_or(Unusable::Damaged);
        let (len, whole) = (wide(16)?, wide(24)?);
        let (sums, rest) = sums.as_chunks::<SUM>();
        let fits = block.is_power_of_two()
            && (512..=1 << 24).contains(&block)
            && rest.is_empty()
            && sums.len() as u64 == Seal::blocks(len, block);
        if !fits {
            return Err(Unusable::Damaged);
        }
        let sums = sums.iter().map(|sum| u64::from_le_bytes(*sum)).collect();
        Ok(Seal { block, len, whole, sums })
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn seal() -> Seal {
        let sums = vec![7, u64::MAX, 0x0123_4567_89ab_cdef];
        Seal { block: 512, len: 1025, whole: 99, sums }
    }

    #[test]
    fn check_value() {
        // That of the catalogue of CRC algorithms for CRC-64/XZ.
        assert_eq!(sum(b"123456789"), 0x995d_c9bb_df19_39fa);
    }

    #[test]
    fn there_and_back() {
        let bytes = seal().write();
        assert_eq!(bytes.len(), 32 + 3 * 8 + 8);
        assert_eq!(&bytes[..24], b"RDBTSEAL\x01\0\0\0\0\x02\0\0\x01\x04\0\0\0\0\0\0");
        assert_eq!(Seal::read(&bytes), Ok(seal()));
        let empty = Seal { len: 0, sums: Vec::new(), ..seal() };
        assert_eq!(Seal::read(&empty.write()), Ok(empty));
    }

    #[test]
    fn no_damaged_seal_is_believed() {
        let bytes = seal().write();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Seal::read(&damaged).is_err(), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(Seal::read(&bytes[..len]).is_err(), "{len} bytes");
        }
        assert!(Seal::read(&[&bytes[..], b"x"].concat()).is_err());
    }

    #[test]
    fn one_that_fits_itself_and_nothing_else_is_not_believed() {
        let wrong = [
            Seal { len: 1024, ..seal() },
            Seal { block: 500, ..seal() },
            Seal { block: 0, ..seal() },
            Seal { len: u64::MAX, ..seal() },
        ];
        for wrong in wrong {
            assert_eq!(Seal::read(&wrong.write()), Err(Unusable::Damaged), "{wrong:?}");
        }
        let mut newer = seal().write();
        newer[8] = 2;
        let end = newer.len() - 8;
        let own = sum(&newer[..end]);
        newer[end..].copy_from_slice(&own.to_le_bytes());
        assert_eq!(Seal::read(&newer), Err(Unusable::Version(2)));
    }
}
