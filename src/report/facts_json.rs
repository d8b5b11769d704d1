//! What every JSON report says of its file first.

use serde::Serialize;

use super::facts::File;
use super::json::{AuxFields, Bytes};
use crate::job::behind::Behind;
use crate::job::rdb_facts::Facts;
use crate::rdb::skim::Outcome;

/// Fields and their meaning, for the manual.
pub(crate) const FIELDS: &[(&str, &str)] = &[
    ("file", "Its name, as given or as found in a folder; - for standard input."),
    ("format", "rdb, or aof."),
    ("compression", "gzip, zstd or null."),
    ("dialect", "redis or valkey, by the first bytes; null where they are unreadable."),
    ("rdb_version", "The version in the header, or null."),
    ("size", "Bytes, decompressed."),
    ("commands", "Of an RDB: bytes of AOF commands behind it, which were not read."),
    (
        "checksum",
        "ok; disabled (stored as 0); absent (versions below 5); bad (wrong, or not reached because \
         of damage before it).",
    ),
    ("aux", "AUX fields by name; one that comes more than once has an array of its values."),
];

/// The file and its header.
#[derive(Debug, Serialize)]
pub(crate) struct FileJson<'a> {
    file: Bytes<'a>,
    format: &'static str,
    compression: Option<&'static str>,
    dialect: Option<&'static str>,
    rdb_version: Option<u16>,
    /// Bytes, decompressed.
    size: u64,
    /// Bytes of AOF commands behind the RDB.
    commands: u64,
    checksum: &'static str,
    aux: AuxFields<'a>,
}

impl<'a> FileJson<'a> {
    /// Of the facts of any job.
    pub(crate) fn new(
        file: &File<'a>,
        facts: &'a Facts,
        outcome: &Outcome,
        behind: Behind,
    ) -> Self {
        let header = facts.header();
        let (format, commands) = match behind {
            Behind::Commands(len) => ("aof", len),
            Behind::Nothing | Behind::Garbage(_) => ("rdb", 0),
        };
        FileJson {
            file: Bytes(file.path.as_os_str().as_encoded_bytes()),
            format,
            compression: file.compression.map(|compression| compression.as_str()),
            dialect: header.map(|header| header.dialect.as_str()),
            rdb_version: header.map(|header| header.version),
            size: outcome.size,
            commands,
            checksum: outcome.checksum.as_str(),
            aux: AuxFields(facts.aux().collect()),
        }
    }
}

/// Keys of a database.
#[derive(Debug, Serialize)]
pub(crate) struct DbJson {
    db: u64,
    keys: u64,
    expires: u64,
    expired: u64,
}

/// Keys by database.
pub(crate) fn databases(facts: &Facts) -> Vec<DbJson> {
    let row = |(&db, count): (&u64, &crate::job::rdb_facts::DbCount)| DbJson {
        db,
        keys: count.keys,
        expires: count.expires,
        expired: count.expired,
    };
    facts.databases.iter().map(row).collect()
}
