//! The live store: [`sim`] crashes it in a simulation, [`live`] exchanges its folders with real servers,
//! [`start`] starts it from what is no good, and [`drill`] is the verb that runs the simulation.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    missing_docs
)]

#[path = "../support/servers.rs"]
mod servers;

#[path = "../support/program.rs"]
#[allow(dead_code)]
mod program;

mod drill;
mod live;
mod sim;
mod start;
