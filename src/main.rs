//! The command line: see [`rdbtool`].
fn main() {}
