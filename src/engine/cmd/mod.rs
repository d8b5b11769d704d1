//! The commands, one file a data type. A file contributes its rows as `COMMANDS`; [`GROUPS`] names it.

use super::command::Command;

mod debug;
mod expire;
mod generic;
mod geo;
mod geo_search;
mod hash;
mod hash_ttl;
mod hsetex;
mod incr;
mod keyspace;
mod lcs;
mod sample;
mod server;
mod string;
mod transaction;
mod zset;
mod zset_pop;
mod zset_range;
mod zset_store;

/// The rows of every file.
pub(super) const GROUPS: &[&[Command]] = &[
    debug::COMMANDS,
    expire::COMMANDS,
    generic::COMMANDS,
    geo::COMMANDS,
    geo_search::COMMANDS,
    hash::COMMANDS,
    hash_ttl::COMMANDS,
    hsetex::COMMANDS,
    incr::COMMANDS,
    keyspace::COMMANDS,
    lcs::COMMANDS,
    server::COMMANDS,
    string::COMMANDS,
    transaction::COMMANDS,
    zset::COMMANDS,
    zset_pop::COMMANDS,
    zset_range::COMMANDS,
    zset_store::COMMANDS,
];
