//! Server releases: which RDB each writes and which files each takes (FORMATS A.1, A.6, A.8). A new
//! release is one row.

use super::header::{Dialect, Header};
use super::types::Dialects;

/// How much of a value a server checks while it loads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sanitize {
    /// Hardly anything: packed values go into memory as they are.
    None,
    /// Headers of packed values (`sanitize-dump-payload no`, the default, in 6.2).
    Headers,
    /// The same, and all of what is converted element by element: since 7.0 ziplists too.
    Converted,
    /// As before, and the counts of streams.
    Counts,
    /// Everything.
    Deep,
}

/// A release line of a server.
#[derive(Debug, PartialEq, Eq)]
pub struct Release {
    /// `redis-7.2`, as `--target` takes it.
    pub name: &'static str,
    /// Whose server it is.
    pub dialect: Dialect,
    /// The RDB version it writes, and the highest it reads.
    pub rdb_version: u16,
    /// The magic it writes.
    pub magic: Dialect,
    /// What it checks while loading.
    pub sanitize: Sanitize,
    /// Whether it demands the shorter back length of A.6.
    pub narrow_backlen: bool,
    /// Whether it loads functions of the 7.0 release candidates.
    pub functions_pre_ga: bool,
    /// Whether vector sets are built in.
    pub vectorset: bool,
}

macro_rules! releases {
    ($($name:literal $dialect:ident $version:literal $magic:ident $sanitize:ident $flags:expr;)*) => {
        /// Every known release, oldest first, Redis before Valkey.
        pub static RELEASES: &[Release] = &[$(Release {
            name: $name,
            dialect: Dialect::$dialect,
            rdb_version: $version,
            magic: Dialect::$magic,
            sanitize: Sanitize::$sanitize,
            narrow_backlen: $flags & NARROW != 0,
            functions_pre_ga: $flags & PRE_GA != 0,
            vectorset: $flags & VECTORSET != 0,
        },)*];
    };
}

const NARROW: u8 = 1;
const PRE_GA: u8 = 2;
const VECTORSET: u8 = 4;

releases! {
    "redis-2.4"  Redis   2 Redis  None    0;
    "redis-2.6"  Redis   6 Redis  None    0;
    "redis-2.8"  Redis   6 Redis  None    0;
    "redis-3.0"  Redis   6 Redis  None    0;
    "redis-3.2"  Redis   7 Redis  None    0;
    "redis-4.0"  Redis   8 Redis  None    0;
    "redis-5.0"  Redis   9 Redis  None    0;
    "redis-6.0"  Redis   9 Redis  None    0;
    "redis-6.2"  Redis   9 Redis  Headers 0;
    "redis-7.0"  Redis  10 Redis  Converted PRE_GA;
    "redis-7.2"  Redis  11 Redis  Converted 0;
    "redis-7.4"  Redis  12 Redis  Converted 0;
    "redis-8.0"  Redis  12 Redis  Converted VECTORSET;
    "redis-8.2"  Redis  12 Redis  Converted VECTORSET;
    "redis-8.4"  Redis  12 Redis  Converted VECTORSET;
    "redis-8.6"  Redis  13 Redis  Converted VECTORSET;
    "redis-8.8"  Redis  14 Redis  Counts  VECTORSET | NARROW;
    "valkey-7.2" Valkey 11 Redis  Converted 0;
    "valkey-8.0" Valkey 11 Redis  Converted 0;
    "valkey-8.1" Valkey 11 Redis  Converted 0;
    "valkey-9.0" Valkey 80 Valkey Deep    0;
    "valkey-9.1" Valkey 80 Valkey Deep    NARROW;
}

/// The lowest RDB version that is Valkey's own; 12 to 79 are left to Redis.
pub const VALKEY_FIRST: u16 = 80;

/// The last RDB version that Redis and Valkey share.
pub const SHARED_LAST: u16 = 11;

impl Release {
    /// Major and minor number.
    pub fn version(&self) -> (u8, u8) {
        let digits = self.name.rsplit_once('-').map_or(self.name, |(_, digits)| digits);
        let (major, minor) = digits.split_once('.').unwrap_or((digits, "0"));
        (major.parse().unwrap_or(0), minor.parse().unwrap_or(0))
    }

    /// Whether it is a Redis of that version or a later one, or a Valkey that came from one.
    pub fn has_redis(&self, major: u8, minor: u8) -> bool {
        match self.dialect {
            Dialect::Redis => self.version() >= (major, minor),
            Dialect::Valkey => (7, 2) >= (major, minor),
        }
    }

    /// The release of that name.
    pub fn by_name(name: &str) -> Option<&'static Release> {
        RELEASES.iter().find(|release| release.name == name)
    }

    /// Why this server does not take a file with that header.
    ///
    /// # Errors
    /// The reason, in a few words.
    pub fn takes_header(&self, header: Header) -> Result<(), String> {
        let version = header.version;
        match (self.dialect, header.dialect) {
            (Dialect::Redis, Dialect::Valkey) => Err("the magic VALKEY".to_owned()),
            (Dialect::Valkey, Dialect::Valkey) if self.magic == Dialect::Redis => {
                Err("the magic VALKEY, which came with 9.0".to_owned())
            }
            (Dialect::Valkey, Dialect::Redis) if version > SHARED_LAST => {
                Err(format!("RDB version {version} of Redis; Valkey takes up to {SHARED_LAST}"))
            }
            _ if version > self.rdb_version => {
                let own = self.rdb_version;
                Err(format!("RDB version {version}; this server takes up to {own}"))
            }
            _ => Ok(()),
        }
    }

    /// Whether this server knows a row of the tables, for a file of the given dialect.
    pub fn knows(&self, since: u16, dialects: Dialects) -> bool {
        match (self.dialect, dialects) {
            (Dialect::Redis, Dialects::Valkey) => false,
            (Dialect::Valkey, Dialects::Redis) => false,
            (Dialect::Valkey, Dialects::Valkey) => since <= self.rdb_version,
            // What both have came with the versions they share.
            _ => since <= self.rdb_version || since <= SHARED_LAST.min(self.rdb_version),
        }
    }
}

/// The newest version of each dialect that is known from real files.
pub fn newest(dialect: Dialect) -> u16 {
    let own = RELEASES.iter().filter(|release| release.magic == dialect);
    own.map(|release| release.rdb_version).max().unwrap_or(0)
}

/// The first release of a dialect's server that writes this RDB version or a later one.
pub fn first_with(dialect: Dialect, version: u16) -> Option<&'static Release> {
    RELEASES.iter().find(|release| release.dialect == dialect && release.rdb_version >= version)
}
