//! Crash drills.

pub mod files;
