//! Which server the engine stands for, where servers differ.

use crate::value::digest::{FieldTtl, ScoreText, Style};
use crate::value::{Type, Value};

/// The two families of servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// Redis.
    Redis,
    /// Valkey, which parted from Redis at 7.2.
    Valkey,
}

/// A server release: the family and (major, minor).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Release {
    /// Redis or Valkey.
    pub family: Family,
    /// (major, minor)
    pub version: (u8, u8),
}

/// Where commands come from: what was in a log, a server had taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// From clients: what this release refuses is refused.
    #[default]
    Clients,
    /// From a log, of a server of this release as far as is known. A payload that RESTORE took there is
    /// taken, whichever server made it: servers are upgraded in the middle of a log.
    Log,
    /// From a log of which nobody knows the server. Besides, a number that a command states is kept as it
    /// is stated where servers differ.
    UnknownLog,
    /// The same of a log in a folder, which servers have since 7.0.
    UnknownSet,
}

impl Origin {
    /// Whether nobody knows the server.
    pub fn is_unknown(self) -> bool {
        matches!(self, Origin::UnknownLog | Origin::UnknownSet)
    }
}

impl Release {
    /// The newest Redis whose behaviour is known.
    pub const NEWEST: Release = Release::redis(8, 8);

    /// The newest Valkey whose behaviour is known.
    pub const NEWEST_VALKEY: Release = Release::valkey(9, 1);

    /// A Redis.
    pub const fn redis(major: u8, minor: u8) -> Release {
        Release { family: Family::Redis, version: (major, minor) }
    }

    /// A Valkey.
    pub const fn valkey(major: u8, minor: u8) -> Release {
        Release { family: Family::Valkey, version: (major, minor) }
    }

    /// By its name, `redis-7.2` or `valkey-9.1`.
    pub fn named(name: &str) -> Option<Release> {
        let (family, version) = name.split_once('-')?;
        let (major, minor) = version.split_once('.')?;
        let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
        match family {
            "redis" => Some(Release::redis(major, minor)),
            "valkey" => Some(Release::valkey(major, minor)),
            _ => None,
        }
    }

    /// Is it a Redis of at least this version, or a Valkey that began from one?
    pub fn has_redis(self, major: u8, minor: u8) -> bool {
        match self.family {
            Family::Redis => self.version >= (major, minor),
            Family::Valkey => (7, 2) >= (major, minor),
        }
    }

    /// Is it a Valkey of at least this version?
    pub fn has_valkey(self, major: u8, minor: u8) -> bool {
        self.family == Family::Valkey && self.version >= (major, minor)
    }

    /// Is it a Redis of at least the first version, or a Valkey of at least the second?
    pub fn has(self, redis: (u8, u8), valkey: (u8, u8)) -> bool {
        match self.family {
            Family::Redis => self.version >= redis,
            Family::Valkey => self.version >= valkey,
        }
    }

    /// What it answers to `OBJECT ENCODING`: not every release packs what newer ones pack, nor calls it
    /// a listpack.
    pub fn encoding_of(self, value: &Value) -> &'static str {
        match (value.data_type(), value.encoding()) {
            (Type::List, "listpack") if !self.has_redis(7, 2) => "quicklist",
            (Type::Set, "listpack") if !self.has_redis(7, 2) => "hashtable",
            (_, "listpack") if !self.has_redis(7, 0) => "ziplist",
            (_, name) => name,
        }
    }

    /// How it writes a score.
    pub fn score_text(self) -> ScoreText {
        if self.has_redis(7, 2) { ScoreText::Grisu } else { ScoreText::Legacy17g }
    }

    /// The RDB version that it writes, which is the newest it reads (FORMATS A.1).
    pub fn rdb_version(self) -> u16 {
        match (self.family, self.version) {
            (Family::Valkey, version) if version >= (9, 0) => 80,
            (Family::Valkey, _) => 11,
            (Family::Redis, version) if version >= (8, 8) => 14,
            (Family::Redis, version) if version >= (8, 6) => 13,
            (Family::Redis, version) if version >= (7, 4) => 12,
            (Family::Redis, version) if version >= (7, 2) => 11,
            (Family::Redis, version) if version >= (7, 0) => 10,
            (Family::Redis, _) => 9,
        }
    }

    /// How it writes a digest at the time `now_ms` (FORMATS D).
    pub fn digest_style(self, now_ms: i64) -> Style {
        Style {
            score_text: self.score_text(),
            field_ttl: match self.family {
                Family::Redis => FieldTtl::Marked,
                Family::Valkey => FieldTtl::SkipExpired { now_ms },
            },
        }
    }
}

impl std::fmt::Display for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let family = match self.family {
            Family::Redis => "redis",
            Family::Valkey => "valkey",
        };
        write!(f, "{family}-{}.{}", self.version.0, self.version.1)
    }
}

impl Default for Release {
    fn default() -> Self {
        Release::NEWEST
    }
}
