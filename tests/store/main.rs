//! The live store: [`sim`] crashes it in a simulation, which [`drill`] has as a verb, [`drill_path`] has
//! servers start from what crashes leave of a log, [`everysec`] looks at when it syncs, [`live`] exchanges folders
//! with real servers, [`switch`] has an AOF begin and end while the store runs, and
//! [`start`] starts from what is no good.

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

mod drill;
mod drill_path;
mod everysec;
mod live;
mod sim;
mod start;
mod switch;
