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

impl Release {
    /// The newest Redis whose behaviour is known.
    pub const NEWEST: Release = Release::redis(8, 8);

    /// A Redis.
    pub const fn redis(major: u8, minor: u8) -> Release {
        Release { family: Family::Redis, version: (major, minor) }
    }

    /// A Valkey.
    pub const fn valkey(major: u8, minor: u8) -> Release {
        Release { family: Family::Valkey, version: (major, minor) }
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

impl Default for Release {
    fn default() -> Self {
        Release::NEWEST
    }
}
