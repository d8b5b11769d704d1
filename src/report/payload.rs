//! What `repair --payload` says.
//!
//! ```text
//! user.dump: HEALED — 1.2 KiB; 1 byte changed at 0x3f (63) from 4a to 4b: its checksum is right now
//! ```

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::escape::path;
use super::json::Bytes;
use super::repair::warnings;
use super::repair_mended_json::ChangeJson;
use super::repair_rdb::change;
use super::screen::Screen;
use super::size::{bytes, counted};
use crate::job::heal::payload::Standing;
use crate::persist::replace::Replaced;

/// Fields of `--json`.
pub(crate) const FIELDS: &[(&str, &str)] = &[
    ("path", "With --payload: the file."),
    (
        "verdict",
        "sound, healed, planned with --dry-run, refused, or unverified without a checksum.",
    ),
    ("size", "Its bytes."),
    ("change", "{offset, old, new}, bytes in hexadecimal, or null."),
];

/// A payload, and what became of it.
#[derive(Debug)]
pub(crate) struct Mended<'a> {
    pub(crate) path: &'a Path,
    pub(crate) size: u64,
    pub(crate) standing: &'a Standing,
    /// The file that was written.
    pub(crate) written: Option<&'a Replaced>,
}

#[derive(Debug, Serialize)]
pub(crate) struct PayloadJson<'a> {
    path: Bytes<'a>,
    verdict: &'static str,
    size: u64,
    change: Option<ChangeJson>,
}

impl Mended<'_> {
    fn verdict(&self) -> &'static str {
        match (self.standing, self.written) {
            (Standing::Sound, _) => "sound",
            (Standing::Heals(_), Some(_)) => "healed",
            (Standing::Heals(_), None) => "planned",
            (Standing::NoChecksum, _) => "unverified",
            (Standing::Beyond | Standing::Short, _) => "refused",
        }
    }

    /// As JSON.
    pub(crate) fn json(&self) -> PayloadJson<'_> {
        let change = match self.standing {
            Standing::Heals(patch) => Some(ChangeJson::new(patch)),
            _ => None,
        };
        let path = Bytes(self.path.as_os_str().as_encoded_bytes());
        PayloadJson { path, verdict: self.verdict(), size: self.size, change }
    }

    /// As text.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn text(&self, out: &mut dyn Write, screen: &Screen) -> io::Result<()> {
        let (style, what) = match self.standing {
            Standing::Sound => (screen.good, "its checksum is right".to_owned()),
            Standing::Heals(patch) => {
                let count = counted(patch.old.len() as u64, "byte");
                let done = if self.written.is_some() {
                    "its checksum is right now"
                } else {
                    "that makes its checksum right"
                };
                (screen.good, format!("{count} changed at {}; {done}", change(patch)))
            }
            Standing::Beyond => {
                let why = "no one short change makes its checksum right and a value that servers take of it";
                (screen.error, why.to_owned())
            }
            Standing::NoChecksum => {
                (screen.warning, "its checksum is switched off: nothing vouches for it".to_owned())
            }
            Standing::Short => (screen.error, "too short for a payload of DUMP".to_owned()),
        };
        let word = self.verdict().to_uppercase();
        let line =
            format!("{}: {style}{word}{style:#} — {}; {what}", path(self.path), bytes(self.size));
        screen.prose(out, 2, &line)?;
        if let Some(written) = self.written {
            if let Some(backup) = &written.backup {
                screen.prose(out, 4, &format!("  the old one is {}", path(backup)))?;
            }
            warnings(out, &written.warnings, screen)?;
        }
        Ok(())
    }
}
