//! Settings of a store, by the names that a redis.conf has for them.

use std::path::PathBuf;

use super::record::Form;
use crate::aof::settings::{Settings, memory, yes};
use crate::encoding::number::parse_i64;
use crate::engine::{Config, Release};
use crate::glob;
use crate::job::payload::PAYLOADS;

/// Settings of a store, each the server's default unless it is given.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the files are, and how they are loaded.
    pub files: Settings,
    /// When a snapshot is made by itself; none: never.
    pub save: Vec<SavePoint>,
    /// When the AOF reaches the disk.
    pub fsync: Fsync,
    /// No fsync while a snapshot or rewrite runs.
    pub no_fsync_on_rewrite: bool,
    /// Growth of the AOF in percent since the last rewrite that calls for another; 0: none does.
    pub rewrite_percentage: u64,
    /// Bytes below which it does not.
    pub rewrite_min_size: u64,
    /// Whether the AOF says what time it is.
    pub timestamps: bool,
    /// Whether a base is an RDB, or else commands.
    pub preamble: bool,
    /// Whether strings of an RDB are compressed.
    pub compress: bool,
    /// Whether writes are refused when the last snapshot failed.
    pub stop_on_save_error: bool,
    /// Settings of the engine. Its release says which form the files have.
    pub engine: Config,
    /// Threads that load.
    pub jobs: usize,
}

impl Default for Options {
    fn default() -> Self {
        let point = |seconds, changes| SavePoint { seconds, changes };
        Options {
            files: Settings::default(),
            save: vec![point(3600, 1), point(300, 100), point(60, 10_000)],
            fsync: Fsync::EverySecond,
            no_fsync_on_rewrite: false,
            rewrite_percentage: 100,
            rewrite_min_size: 64 << 20,
            timestamps: false,
            preamble: true,
            compress: true,
            stop_on_save_error: true,
            // What every server of today reads.
            engine: Config {
                release: Release::redis(7, 0),
                payloads: PAYLOADS,
                databases: 16,
                ..Config::default()
            },
            jobs: 1,
        }
    }
}

/// A snapshot is due when so many seconds have passed and so many changes were made since the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavePoint {
    /// Seconds.
    pub seconds: u64,
    /// Changes.
    pub changes: u64,
}

/// `appendfsync`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fsync {
    /// Before a reply goes out.
    Always,
    /// Every second, beside the work.
    EverySecond,
    /// When the kernel likes.
    No,
}

impl Fsync {
    /// The word of redis.conf.
    pub fn as_str(self) -> &'static str {
        match self {
            Fsync::Always => "always",
            Fsync::EverySecond => "everysec",
            Fsync::No => "no",
        }
    }
}

/// The settings that [`Options::get`] tells, and whether they can be set while the store runs.
const NAMES: &[(&str, bool)] = &[
    ("appenddirname", false),
    ("appendfilename", false),
    ("appendfsync", true),
    ("appendonly", true),
    ("aof-load-corrupt-tail-max-size", true),
    ("aof-load-truncated", true),
    ("aof-timestamp-enabled", true),
    ("aof-use-rdb-preamble", true),
    ("auto-aof-rewrite-min-size", true),
    ("auto-aof-rewrite-percentage", true),
    ("databases", false),
    ("dbfilename", false),
    ("dir", false),
    ("maxmemory", true),
    ("no-appendfsync-on-rewrite", true),
    ("rdbchecksum", false),
    ("rdbcompression", true),
    ("save", true),
    ("stop-writes-on-bgsave-error", true),
];

impl Options {
    /// Sets one by its name and the text behind it; `None` when the value is none of its values.
    /// Names that say nothing about persistence are passed over.
    pub fn set(&mut self, name: &str, value: &[u8]) -> Option<()> {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "save" => self.save = save_points(value)?,
            "appendfsync" => self.fsync = fsync(value)?,
            "no-appendfsync-on-rewrite" => self.no_fsync_on_rewrite = yes(value)?,
            "auto-aof-rewrite-percentage" => self.rewrite_percentage = number(value)?,
            "auto-aof-rewrite-min-size" => self.rewrite_min_size = memory(value)?,
            "aof-timestamp-enabled" => self.timestamps = yes(value)?,
            "aof-use-rdb-preamble" => self.preamble = yes(value)?,
            "rdbcompression" => self.compress = yes(value)?,
            // Files without a checksum are not written.
            "rdbchecksum" => yes(value).filter(|yes| *yes).map(|_| ())?,
            "stop-writes-on-bgsave-error" => self.stop_on_save_error = yes(value)?,
            "maxmemory" => {
                let bytes = usize::try_from(memory(value)?).ok()?;
                self.engine.max_memory = (bytes > 0).then_some(bytes);
            }
            "databases" => self.engine.databases = number(value).filter(|n| *n > 0)?,
            name => self.files.set(name.as_bytes(), value)?,
        }
        Some(())
    }

    /// Whether a setting can be changed while the store runs; `None` if it is not one of the store's.
    pub fn is_mutable(name: &str) -> Option<bool> {
        NAMES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, mutable)| *mutable)
    }

    /// The settings whose names match a glob, with their values.
    pub fn get(&self, pattern: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
        let pattern = pattern.to_ascii_lowercase();
        let named = NAMES.iter().filter(|(name, _)| glob::matches(&pattern, name.as_bytes()));
        named.map(|(name, _)| (*name, self.value(name))).collect()
    }

    fn value(&self, name: &str) -> Vec<u8> {
        let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
        let os = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
        let files = &self.files;
        let text = match name {
            "appenddirname" => os(&files.append_dir_name),
            "appendfilename" => os(&files.append_file_name),
            "appendfsync" => self.fsync.as_str().to_owned(),
            "appendonly" => yes(files.append_only),
            "aof-load-corrupt-tail-max-size" => files.corrupt_tail_max.to_string(),
            "aof-load-truncated" => yes(files.load_truncated),
            "aof-timestamp-enabled" => yes(self.timestamps),
            "aof-use-rdb-preamble" => yes(self.preamble),
            "auto-aof-rewrite-min-size" => self.rewrite_min_size.to_string(),
            "auto-aof-rewrite-percentage" => self.rewrite_percentage.to_string(),
            "databases" => self.engine.databases.to_string(),
            "dbfilename" => os(&files.db_file_name),
            "dir" => self.dir().to_string_lossy().into_owned(),
            "maxmemory" => self.engine.max_memory.unwrap_or(0).to_string(),
            "no-appendfsync-on-rewrite" => yes(self.no_fsync_on_rewrite),
            "rdbchecksum" => yes(true),
            "rdbcompression" => yes(self.compress),
            "save" => {
                let points = self.save.iter().map(|p| format!("{} {}", p.seconds, p.changes));
                points.collect::<Vec<_>>().join(" ")
            }
            "stop-writes-on-bgsave-error" => yes(self.stop_on_save_error),
            _ => String::new(),
        };
        text.into_bytes()
    }

    /// The form of a base.
    pub(super) fn base_form(&self) -> Form {
        if self.preamble { Form::Preamble } else { Form::Commands }
    }

    /// The folder of the files.
    pub fn dir(&self) -> PathBuf {
        match &self.files.dir {
            Some(dir) if !dir.as_os_str().is_empty() => dir.clone(),
            _ => PathBuf::from("."),
        }
    }
}

fn number(value: &[u8]) -> Option<u64> {
    parse_i64(value).and_then(|number| u64::try_from(number).ok())
}

fn fsync(value: &[u8]) -> Option<Fsync> {
    let word = value.to_ascii_lowercase();
    [Fsync::Always, Fsync::EverySecond, Fsync::No]
        .into_iter()
        .find(|fsync| fsync.as_str().as_bytes() == word)
}

/// `3600 1 300 100`; an empty text is no save points.
fn save_points(value: &[u8]) -> Option<Vec<SavePoint>> {
    let words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let numbers = words.map(number).collect::<Option<Vec<u64>>>()?;
    let (pairs, []) = numbers.as_chunks::<2>() else { return None };
    let points =
        pairs.iter().map(|[seconds, changes]| SavePoint { seconds: *seconds, changes: *changes });
    let points: Vec<_> = points.collect();
    points.iter().all(|point| point.seconds > 0).then_some(points)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn settings_go_in_and_come_out() {
        let mut options = Options::default();
        let texts = [
            ("save", "900 1 60 5"),
            ("appendfsync", "always"),
            ("auto-aof-rewrite-min-size", "1048576"),
            ("dbfilename", "d.rdb"),
            ("maxmemory", "1000"),
        ];
        for (name, text) in texts {
            assert_eq!(options.set(name, text.as_bytes()), Some(()), "{name}");
            let got = options.get(name.as_bytes());
            assert_eq!(got, [(name, text.as_bytes().to_vec())]);
        }
        assert_eq!(options.set("save", b""), Some(()));
        assert_eq!(options.save, []);
        for (name, text) in [("save", "1"), ("appendfsync", "often"), ("rdbchecksum", "no")] {
            assert_eq!(options.set(name, text.as_bytes()), None, "{name}");
        }
        assert_eq!(options.get(b"*").len(), NAMES.len());
    }
}
