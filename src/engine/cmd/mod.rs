//! The commands, one file a data type. A file contributes its rows as `COMMANDS`; [`GROUPS`] names it.

use super::command::Command;

mod array;
mod bitfield;
mod bits;
mod blocking;
mod debug;
mod dump;
mod expire;
mod function;
mod generic;
mod geo;
mod geo_search;
mod hash;
mod hash_ttl;
mod hll;
mod hsetex;
mod incr;
mod increx;
mod keyspace;
mod lcs;
mod list;
mod sample;
mod script;
mod server;
mod set;
mod setops;
mod slots;
mod sort;
mod stream;
mod stream_args;
mod stream_claim;
mod stream_group;
mod stream_info;
mod stream_pending;
mod stream_read;
mod string;
mod transaction;
mod vectorset;
mod zset;
mod zset_pop;
mod zset_range;
mod zset_store;

/// The rows of every file.
pub(super) const GROUPS: &[&[Command]] = &[
    array::COMMANDS,
    bitfield::COMMANDS,
    bits::COMMANDS,
    blocking::COMMANDS,
    debug::COMMANDS,
    dump::COMMANDS,
    expire::COMMANDS,
    function::COMMANDS,
    generic::COMMANDS,
    geo::COMMANDS,
    geo_search::COMMANDS,
    hash::COMMANDS,
    hash_ttl::COMMANDS,
    hll::COMMANDS,
    hsetex::COMMANDS,
    incr::COMMANDS,
    increx::COMMANDS,
    keyspace::COMMANDS,
    lcs::COMMANDS,
    list::COMMANDS,
    script::COMMANDS,
    server::COMMANDS,
    set::COMMANDS,
    setops::COMMANDS,
    slots::COMMANDS,
    sort::COMMANDS,
    stream::COMMANDS,
    stream_claim::COMMANDS,
    stream_group::COMMANDS,
    stream_info::COMMANDS,
    stream_pending::COMMANDS,
    stream_read::COMMANDS,
    string::COMMANDS,
    transaction::COMMANDS,
    vectorset::COMMANDS,
    zset::COMMANDS,
    zset_pop::COMMANDS,
    zset_range::COMMANDS,
    zset_store::COMMANDS,
];
