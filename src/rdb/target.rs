//! The server that a file or a payload is written for: which rows of the tables it reads, and how it
//! wants packed bytes (FORMATS A.1, A.6).

use super::header::{Dialect, Header};
use super::types::{Dialects, RdbType, Table};
use super::versions::{RELEASES, Release, VALKEY_FIRST, first_with};
use crate::encoding::listpack::BacklenWidth;
use crate::encoding::number::{double_17g, double_grisu, whole, write_i64};
use crate::encoding::ziplist::Encodings;

/// A server to write for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The server.
    pub release: &'static Release,
    /// The RDB version to write, at most the server's own.
    pub version: u16,
}

impl Target {
    /// What a release writes itself.
    pub fn of(release: &'static Release) -> Target {
        Target { release, version: release.rdb_version }
    }

    /// The newest Redis.
    pub fn newest() -> Target {
        let redis = RELEASES.iter().rfind(|release| release.dialect == Dialect::Redis);
        // There is one.
        Target::of(redis.unwrap_or(&RELEASES[0]))
    }

    /// An RDB version as the oldest release that reads it writes it; `None` for one that is not known.
    pub fn version(version: u16) -> Option<Target> {
        let dialect = if version < VALKEY_FIRST { Dialect::Redis } else { Dialect::Valkey };
        let release = first_with(dialect, version)?;
        // Versions between those of releases were never written by any.
        let known = version == release.rdb_version || (1..=5).contains(&version);
        known.then_some(Target { release, version })
    }

    /// Magic and version, nine bytes.
    pub fn magic(self) -> String {
        let magic = self.release.magic.as_str().to_ascii_uppercase();
        format!("{magic}{:0width$}", self.version, width = Header::LEN - magic.len())
    }

    /// Whether it is a Redis.
    pub fn is_redis(self) -> bool {
        self.release.dialect == Dialect::Redis
    }

    /// Whether it reads the sizes of cluster slots as records of their own.
    pub fn takes_slot_info(self) -> bool {
        self.is_redis() && self.version >= 12
    }

    /// The AUX field in which its servers state their version, and that version.
    pub fn server_version(self) -> (&'static str, String) {
        let (major, minor) = self.release.version();
        let own = !self.is_redis() && major >= 8;
        let name = if own { "valkey-ver" } else { "redis-ver" };
        (name, format!("{major}.{minor}.0"))
    }

    /// Whether it reads something that came with an RDB version, for a dialect.
    pub fn knows(self, since: u16, dialects: Dialects) -> bool {
        since <= self.version && self.release.knows(since, dialects)
    }

    /// Whether it reads this row.
    pub fn takes(self, row: &RdbType) -> bool {
        self.knows(row.since, row.dialects)
    }

    /// The first of these types that it reads.
    pub fn row(self, codes: &[u8]) -> Option<&'static RdbType> {
        let table = Table::of(self.release.magic);
        codes.iter().filter_map(|code| table.value_type(*code)).find(|row| self.takes(row))
    }

    /// How wide it wants the back length of listpack entries where servers disagree.
    pub fn backlen(self) -> BacklenWidth {
        match self.release.narrow_backlen {
            true => BacklenWidth::Narrow,
            false => BacklenWidth::Wide,
        }
    }

    /// Which integers of ziplists it reads.
    pub fn ziplist(self) -> Encodings {
        if self.version < 6 { Encodings::Old } else { Encodings::All }
    }

    /// Appends a score as it writes it into packed sorted sets and commands: a whole number plainly, else
    /// up to 7.0 as `%.17g`, since 7.2 with the digits of Grisu2. Of -0, which 7.0 and later make 0 when
    /// they pack it themselves and read as what it is, the sign is kept.
    pub fn score_text(self, score: f64, out: &mut Vec<u8>) {
        match whole(score).filter(|_| score != 0.0 || score.is_sign_positive()) {
            Some(whole) => write_i64(whole, out),
            None if self.release.has_redis(7, 2) => double_grisu(score, out),
            None => double_17g(score, out),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rows_of_releases() {
        let row = |name: &str, codes: &[u8]| {
            let target = Target::of(Release::by_name(name).unwrap());
            target.row(codes).map(|row| row.name)
        };
        let streams = &[27, 26, 21, 19, 15];
        assert_eq!(row("redis-4.0", streams), None);
        assert_eq!(row("redis-6.2", streams), Some("stream"));
        assert_eq!(row("redis-7.0", streams), Some("stream-v2"));
        assert_eq!(row("redis-8.4", streams), Some("stream-v3"));
        assert_eq!(row("redis-8.8", streams), Some("stream-v5"));
        assert_eq!(row("valkey-9.1", streams), Some("stream-v3"));
        assert_eq!(row("valkey-9.1", &[25, 22]), Some("hash-volatile-items"));
        assert_eq!(row("redis-7.4", &[25, 22]), Some("hash-listpack-md"));
        assert_eq!(row("valkey-8.1", &[25, 22]), None);
        assert_eq!(row("redis-2.6", &[16, 13, 9]), Some("hash-ziplist"));
    }

    #[test]
    fn versions() {
        let name = |version| Target::version(version).map(|target| target.release.name);
        assert_eq!(name(1), Some("redis-2.4"));
        assert_eq!(name(9), Some("redis-5.0"));
        assert_eq!(name(11), Some("redis-7.2"));
        assert_eq!(name(80), Some("valkey-9.0"));
        for unknown in [0, 15, 79, 81, 1000] {
            assert_eq!(name(unknown), None, "{unknown}");
        }
    }
}
