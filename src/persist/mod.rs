//! Writing that survives: the only place that creates, renames, cuts or removes files.

pub mod aofdir;
pub mod cut;
pub mod fs;
pub mod real;
pub mod replace;
pub mod signals;
pub mod sim;
pub mod target;
pub mod temp;
