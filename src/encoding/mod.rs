//! Packed bytes: reader, writer and validator of each encoding side by side. Knows no files.

pub mod crc64;
mod entry;
pub mod intset;
pub mod listpack;
pub mod lzf;
pub mod number;
pub mod polynomial;
pub mod resp;
pub mod seal;
pub mod slot;
pub mod syndrome;
pub mod ziplist;
pub mod zipmap;

#[cfg(test)]
mod testing;

pub use entry::Entry;
