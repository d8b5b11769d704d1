//! Seals: what is damaged is found and healed exactly, for damage that is known; and the verbs that use them, as a
//! user runs them.
//!
//! `RDBTOOL_FULL=1` runs the trials in full: every bit of a small AOF, and thousands of files with bursts in many
//! blocks. Every seed is printed where it fails.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    missing_docs
)]

#[path = "support/program.rs"]
mod program;
#[path = "seal/trials.rs"]
mod trials;
#[path = "seal/verbs.rs"]
mod verbs;
