//! rdbtool: read, check, repair, compact and convert Redis and Valkey RDB and AOF files.

pub mod aof;
pub mod cli;
pub mod element;
pub mod encoding;
pub mod engine;
pub mod error;
pub mod finding;
pub mod glob;
pub mod input;
pub mod job;
pub mod limits;
pub mod persist;
pub mod rdb;
pub mod record;
mod report;
pub mod value;
