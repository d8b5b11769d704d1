//! Which server the engine stands for, where servers differ.

use crate::value::digest::{FieldTtl, ScoreText, Style};

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

    /// How it writes a digest at the time `now_ms` (FORMATS D).
    pub fn digest_style(self, now_ms: i64) -> Style {
        Style {
            score_text: match self.has_redis(7, 2) {
                true => ScoreText::Grisu,
                false => ScoreText::Legacy17g,
            },
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
