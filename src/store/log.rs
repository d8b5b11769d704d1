//! What commands did, as bytes of an AOF that wait to be written.
//!
//! ```text
//! #TS:1700000000         when the second has changed, if asked for
//! SELECT 3               when the database has
//! MULTI … EXEC           around a unit of several commands
//! ```

use crate::encoding::resp::write_command;
use crate::engine::Effect;

/// Bytes for the end of an AOF: whole units, in order.
#[derive(Debug, Default)]
pub(super) struct Log {
    bytes: Vec<u8>,
    /// The database of the last command.
    db: Option<u64>,
    /// The second that was said last.
    second: Option<i64>,
}

impl Log {
    /// Appends a unit. `stamp` is the time, if it is to be said.
    pub(super) fn unit(&mut self, effects: &[Effect], stamp: Option<i64>) {
        if let Some(second) = stamp.filter(|second| self.second != Some(*second)) {
            self.second = Some(second);
            self.bytes.extend_from_slice(format!("#TS:{second}\r\n").as_bytes());
        }
        let several = effects.len() > 1;
        if several && let Some(first) = effects.first() {
            self.select(first.db);
            write_command([&b"MULTI"[..]].into_iter(), &mut self.bytes);
        }
        for effect in effects {
            self.select(effect.db);
            write_command(effect.argv.iter().map(Vec::as_slice), &mut self.bytes);
        }
        if several {
            write_command([&b"EXEC"[..]].into_iter(), &mut self.bytes);
        }
    }

    fn select(&mut self, db: u64) {
        if self.db != Some(db) {
            self.db = Some(db);
            let number = db.to_string();
            write_command([&b"SELECT"[..], number.as_bytes()].into_iter(), &mut self.bytes);
        }
    }

    /// What waits.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// It was written.
    pub(super) fn written(&mut self) {
        self.bytes.clear();
        // One huge command should not hold memory for ever.
        self.bytes.shrink_to(1 << 20);
    }

    /// What follows goes to the start of another file.
    pub(super) fn begin_file(&mut self) {
        (self.db, self.second) = (None, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        let effect = |db, text: &str| {
            let argv = text.split(' ').map(|word| word.as_bytes().to_vec()).collect();
            Effect { db, argv }
        };
        let mut log = Log::default();
        log.unit(&[effect(0, "SET a 1")], Some(7));
        log.unit(&[effect(0, "SET b 1"), effect(2, "DEL c")], Some(7));
        log.unit(&[effect(2, "DEL d")], Some(8));
        let text = String::from_utf8_lossy(log.bytes()).into_owned();
        let words: Vec<&str> =
            text.split("\r\n").filter(|line| !line.starts_with(['*', '$'])).collect();
        let want = "#TS:7 SELECT 0 SET a 1 MULTI SET b 1 SELECT 2 DEL c EXEC #TS:8 DEL d ";
        assert_eq!(words.join(" "), want);
    }
}
