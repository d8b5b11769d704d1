//! Packed bytes: reader, writer and validator of each encoding side by side. Knows no files.

pub mod crc64;
pub mod lzf;
pub mod number;
