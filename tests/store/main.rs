//! The live store: [`sim`] crashes it in a simulation, [`live`] exchanges its folders with real servers,
//! [`drill_path`] has servers start from what crashes leave of a log, [`start`] starts it from what is no good.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    missing_docs
)]

#[allow(dead_code)]
#[path = "../support/program.rs"]
mod program;
#[path = "../support/servers.rs"]
mod servers;

mod drill_path;
mod live;
mod sim;
mod start;
