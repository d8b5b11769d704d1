//! Where bytes come from: files, stdin, compressed files, folders.

pub mod detect;
pub mod source;
