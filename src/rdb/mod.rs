//! RDB files: the table of types and opcodes, cutting a file into whole records, reading and walking them.

pub mod encode;
pub mod header;
pub mod length;
pub mod object;
pub mod opcodes;
pub mod reader;
pub mod shape;
pub mod skim;
pub mod step;
pub mod string;
pub mod target;
pub mod types;
pub mod versions;
pub mod walk;
pub mod writer;
