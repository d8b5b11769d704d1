//! One file a data type: walking and writing the values of all its RDB types.

pub mod array;
pub mod hash;
pub mod list;
pub mod module;
pub mod packed;
pub mod set;
pub mod stream;
pub mod stream_node;
pub mod stream_write;
pub mod string;
pub mod vectorset;
pub mod zset;
