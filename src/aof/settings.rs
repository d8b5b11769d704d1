//! The settings that say where a server's files are and how it starts, as redis.conf has them.
//!
//! ```text
//! appendonly yes
//! dir "/var/lib/redis"
//! appenddirname appendonlydir        since 7.0
//! appendfilename "appendonly.aof"
//! dbfilename dump.rdb
//! aof-load-truncated yes
//! ```

use std::ffi::OsString;
use std::path::PathBuf;

use super::words::split;

/// Settings, each the server's default unless it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether the server keeps an AOF, and loads it.
    pub append_only: bool,
    /// The folder of its files.
    pub dir: Option<PathBuf>,
    /// The folder of a multi-part AOF in it.
    pub append_dir_name: OsString,
    /// The AOF's name, and how the names of its parts begin.
    pub append_file_name: OsString,
    /// The RDB's name.
    pub db_file_name: OsString,
    /// Whether a cut AOF is loaded up to the cut.
    pub load_truncated: bool,
    /// How many damaged bytes at the end are cut off (Redis 8.4 on); 0 is none.
    pub corrupt_tail_max: u64,
    /// Databases.
    pub databases: Option<u64>,
    /// Other files that settings are read from. They are not read here.
    pub includes: Vec<Vec<u8>>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            append_only: false,
            dir: None,
            append_dir_name: "appendonlydir".into(),
            append_file_name: "appendonly.aof".into(),
            db_file_name: "dump.rdb".into(),
            load_truncated: true,
            corrupt_tail_max: 0,
            databases: None,
            includes: Vec::new(),
        }
    }
}

impl Settings {
    /// Reads a redis.conf. What does not concern files is passed over.
    ///
    /// # Errors
    /// The line, counted from 1, that a server would not take.
    pub fn parse(text: &[u8]) -> Result<Settings, usize> {
        let mut settings = Settings::default();
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let words = split(line).ok_or(index + 1)?;
            if let [key, value] = words.as_slice() {
                settings.set(&key.to_ascii_lowercase(), value).ok_or(index + 1)?;
            }
        }
        Ok(settings)
    }

    /// Sets one, by its name in lower case; `None` when the value is not one of its values.
    pub fn set(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        match key {
            b"appendonly" => self.append_only = yes(value)?,
            b"dir" => self.dir = Some(os(value)?.into()),
            b"appenddirname" => self.append_dir_name = os(value)?,
            b"appendfilename" => self.append_file_name = os(value)?,
            b"dbfilename" => self.db_file_name = os(value)?,
            b"aof-load-truncated" => self.load_truncated = yes(value)?,
            b"aof-load-corrupt-tail-max-size" => self.corrupt_tail_max = memory(value)?,
            b"databases" => self.databases = Some(std::str::from_utf8(value).ok()?.parse().ok()?),
            b"include" => self.includes.push(value.to_vec()),
            _ => {}
        }
        Some(())
    }
}

pub(crate) fn yes(value: &[u8]) -> Option<bool> {
    match value.to_ascii_lowercase().as_slice() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}

/// A number of bytes: `k` is 1000, `kb` 1024.
pub(crate) fn memory(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?.to_ascii_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(unix)]
fn os(value: &[u8]) -> Option<OsString> {
    use std::os::unix::ffi::OsStringExt;
    Some(OsString::from_vec(value.to_vec()))
}

#[cfg(not(unix))]
fn os(value: &[u8]) -> Option<OsString> {
    Some(std::str::from_utf8(value).ok()?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration() {
        let text = b"# made by hand\n\nport 6379\nAppendOnly yes\ndir \"/var/lib/my redis\"\r\n\
            appenddirname parts\nsave 3600 1 300 100\ninclude /etc/redis/local.conf\n\
            aof-load-truncated no\naof-load-corrupt-tail-max-size 4kb\ndatabases 32\n";
        let want = Settings {
            append_only: true,
            dir: Some("/var/lib/my redis".into()),
            append_dir_name: "parts".into(),
            load_truncated: false,
            corrupt_tail_max: 4096,
            databases: Some(32),
            includes: vec![b"/etc/redis/local.conf".to_vec()],
            ..Settings::default()
        };
        assert_eq!(Settings::parse(text), Ok(want));
        assert_eq!(Settings::parse(b""), Ok(Settings::default()));
        assert_eq!(Settings::parse(b"port 1\nappendonly maybe\n"), Err(2));
        assert_eq!(Settings::parse(b"dir \"open\ndir x\n"), Err(1));
    }
}
