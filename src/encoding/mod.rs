//! Packed bytes: reader, writer and validator of each encoding side by side. Knows no files.

pub mod crc64;
pub mod intset;
pub mod listpack;
pub mod lzf;
pub mod number;
pub mod ziplist;
pub mod zipmap;

/// An entry of a ziplist or listpack.
#[derive(Debug, Clone, Copy)]
pub enum Entry<'a> {
    /// A number.
    Int(i64),
    /// Bytes.
    Str(&'a [u8]),
}
