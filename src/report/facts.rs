//! What is said of a file in every report: dialect, version, writer, size, checksum.

use std::path::Path;

use super::escape::{name, sentence};
use super::size::{bytes, count, counted};
use crate::input::detect::Compression;
use crate::job::rdb_facts::Facts;
use crate::rdb::skim::{Checksum, Outcome};

/// AUX fields that name the writer, and the writer's name.
const WRITERS: [(&[u8], &str); 2] = [(b"valkey-ver", "valkey"), (b"redis-ver", "redis")];

/// Characters of a version that are shown: `7.2.6`, `255.255.255`.
const VERSION: usize = 20;

/// The file that a report is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct File<'a> {
    /// What the user named, or what was found in a folder.
    pub(crate) path: &'a Path,
    /// How it is compressed.
    pub(crate) compression: Option<Compression>,
    /// Bytes on disk, when it is a regular file.
    pub(crate) disk_size: Option<u64>,
    /// Whether only some keys were asked for.
    pub(crate) filtered: bool,
}

/// `redis RDB 11 by redis 7.2.6`.
pub(crate) fn kind(facts: &Facts) -> String {
    let Some(header) = facts.header() else { return "no RDB header".to_owned() };
    let mut text = format!("{} RDB {}", header.dialect.as_str(), header.version);
    let writer = WRITERS.iter().find_map(|(aux, name)| Some((name, facts.aux_value(aux)?)));
    if let Some((server, version)) = writer {
        text.push_str(&format!(" by {server} {}", name(version).short(VERSION)));
    }
    text
}

/// `1,234 keys in 2 dbs`.
pub(crate) fn keys(facts: &Facts, file: &File<'_>) -> String {
    let keys = facts.keys().keys;
    let noun = if file.filtered { "selected key" } else { "key" };
    match facts.databases.len() as u64 {
        0 => counted(keys, noun),
        dbs => format!("{} in {}", counted(keys, noun), counted(dbs, "db")),
    }
}

/// `checksum ok`.
pub(crate) fn checksum(outcome: &Outcome) -> &'static str {
    match outcome.checksum {
        Checksum::Ok => "checksum ok",
        Checksum::Bad { .. } => "checksum wrong",
        Checksum::Disabled => "checksum disabled: nothing vouches for these bytes",
        Checksum::Absent => "no checksum in this version: nothing vouches for these bytes",
        Checksum::Unknown => "checksum not reached",
    }
}

/// `34.6 KiB`, and how much of it is on disk when it is compressed.
pub(crate) fn size(size: u64, file: &File<'_>) -> String {
    let whole = bytes(size);
    match (file.compression, file.disk_size) {
        (Some(compression), Some(size)) => {
            format!("{whole} ({} in {})", bytes(size), compression.as_str())
        }
        (Some(compression), None) => format!("{whole} (in {})", compression.as_str()),
        (None, _) => whole,
    }
}

/// `0x8a60 (35424)`.
pub(crate) fn offset(offset: u64) -> String {
    format!("{offset:#x} ({offset})")
}

/// `expected …, found …`, as text may show it.
pub(crate) fn expected_found(expected: &str, found: &str) -> String {
    format!("expected {}, found {}", sentence(expected), sentence(found))
}

/// `3 errors, 1 warning`, without what there is none of.
pub(crate) fn severities(counts: [(u64, &str); 3]) -> String {
    let parts = counts.iter().filter(|(n, _)| *n > 0);
    let parts: Vec<String> = parts.map(|(n, noun)| counted(*n, noun)).collect();
    parts.join(", ")
}

/// Percent of a whole, `<1%` for a little of it.
pub(crate) fn share(part: u64, whole: u64) -> String {
    match (u128::from(part) * 100).checked_div(u128::from(whole)) {
        None | Some(0) if part == 0 => "-".to_owned(),
        None | Some(0) => "<1%".to_owned(),
        Some(percent) => format!("{}%", count(u64::try_from(percent).unwrap_or(100))),
    }
}
