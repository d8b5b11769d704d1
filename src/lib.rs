//! rdbtool: read, check, repair, compact and convert Redis and Valkey RDB and AOF files.

pub mod encoding;
pub mod engine;
pub mod error;
pub mod finding;
pub mod glob;
pub mod limits;
pub mod value;
