//! The commands, one file a data type. A file contributes its rows as `COMMANDS`; [`GROUPS`] names it.

use super::command::Command;

mod debug;
mod expire;
mod generic;
mod incr;
mod increx;
mod keyspace;
mod lcs;
mod server;
mod string;
mod transaction;

/// The rows of every file.
pub(super) const GROUPS: &[&[Command]] = &[
    debug::COMMANDS,
    expire::COMMANDS,
    generic::COMMANDS,
    incr::COMMANDS,
    increx::COMMANDS,
    keyspace::COMMANDS,
    lcs::COMMANDS,
    server::COMMANDS,
    string::COMMANDS,
    transaction::COMMANDS,
];
