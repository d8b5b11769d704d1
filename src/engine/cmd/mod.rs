//! The commands, one file a data type. A file contributes its rows as `COMMANDS`; [`GROUPS`] names it.

use super::command::Command;

mod blocking;
mod debug;
mod expire;
mod generic;
mod incr;
mod keyspace;
mod lcs;
mod list;
mod server;
mod set;
mod setops;
mod sort;
mod string;
mod transaction;

/// The rows of every file.
pub(super) const GROUPS: &[&[Command]] = &[
    blocking::COMMANDS,
    debug::COMMANDS,
    expire::COMMANDS,
    generic::COMMANDS,
    incr::COMMANDS,
    keyspace::COMMANDS,
    lcs::COMMANDS,
    list::COMMANDS,
    server::COMMANDS,
    set::COMMANDS,
    setops::COMMANDS,
    sort::COMMANDS,
    string::COMMANDS,
    transaction::COMMANDS,
];
