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
mod stream;
mod stream_args;
mod stream_claim;
mod stream_group;
mod stream_info;
mod stream_pending;
mod stream_read;
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
    stream::COMMANDS,
    stream_claim::COMMANDS,
    stream_group::COMMANDS,
    stream_info::COMMANDS,
    stream_pending::COMMANDS,
    stream_read::COMMANDS,
    string::COMMANDS,
    transaction::COMMANDS,
];
