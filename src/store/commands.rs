//! SAVE, BGSAVE, BGREWRITEAOF, LASTSAVE, and the lines of INFO persistence.

use super::{Fatal, Store};
use crate::engine::{Failure, Reply};

impl Store {
    /// Runs SAVE, BGSAVE, BGREWRITEAOF or LASTSAVE; `None` if it is none of these. (SHUTDOWN is the
    /// server's: see [`Store::shutdown`].) What is fatal in it [`Store::before_replies`] tells.
    pub fn own_command(&mut self, argv: &[&[u8]]) -> Option<Reply> {
        let (name, rest) = argv.split_first()?;
        let name = name.to_ascii_lowercase();
        let reply = match (name.as_slice(), rest) {
            (b"save", []) => self.save(),
            (b"bgsave", []) => self.bgsave(false),
            (b"bgsave", [word]) if word.eq_ignore_ascii_case(b"schedule") => self.bgsave(true),
            (b"bgsave", [_]) => Err(Failure::SYNTAX),
            (b"bgrewriteaof", []) => self.bgrewriteaof(),
            (b"lastsave", []) => Ok(self.lastsave()),
            (b"save" | b"bgsave" | b"bgrewriteaof" | b"lastsave", _) => {
                Err(Failure::arity(&String::from_utf8_lossy(&name)))
            }
            _ => return None,
        };
        Some(reply.into())
    }

    fn save(&mut self) -> Result<Reply, Failure> {
        let Some(disk) = &self.disk else { return Err(looked_at()) };
        if disk.is_busy() {
            return Err(Failure::new("ERR Background save already in progress"));
        }
        let saved = self.save_now();
        saved.map(|()| Reply::OK).map_err(|error| Failure::new(format!("ERR {error}")))
    }

    fn bgsave(&mut self, schedule: bool) -> Result<Reply, Failure> {
        let now_ms = self.now_ms;
        let Some(disk) = &mut self.disk else { return Err(looked_at()) };
        if disk.is_saving() {
            return Err(Failure::new("ERR Background save already in progress"));
        }
        if disk.is_busy() {
            if !schedule {
                return Err(Failure::new(
                    "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE \
                     SCHEDULE in order to schedule a BGSAVE whenever possible.",
                ));
            }
            disk.saves.scheduled = true;
            return Ok(Reply::Simple("Background saving scheduled"));
        }
        let begun = disk.begin_save(&mut self.engine, &self.options, now_ms);
        begun.map_err(|error| Failure::new(format!("ERR {error}")))?;
        Ok(Reply::Simple("Background saving started"))
    }

    fn bgrewriteaof(&mut self) -> Result<Reply, Failure> {
        let now_ms = self.now_ms;
        let Some(disk) = &mut self.disk else { return Err(looked_at()) };
        if disk.aof.is_none() {
            return Err(Failure::new("ERR no AOF is kept: appendonly is no"));
        }
        if disk.is_rewriting() {
            let text = "ERR Background append only file rewriting already in progress";
            return Err(Failure::new(text));
        }
        if disk.is_busy() {
            disk.rewrites.scheduled = true;
            return Ok(Reply::Simple("Background append only file rewriting scheduled"));
        }
        let begun = match disk.begin_rewrite(&mut self.engine, &self.options, now_ms) {
            Ok(begun) => begun,
            Err(Fatal(error)) => {
                let failure = Failure::new(format!("ERR {error}"));
                self.fatal = Some(Fatal(error));
                return Err(failure);
            }
        };
        begun.map_err(|error| Failure::new(format!("ERR {error}")))?;
        Ok(Reply::Simple("Background append only file rewriting started"))
    }

    fn lastsave(&self) -> Reply {
        let last_ms = self.disk.as_ref().map_or(0, |disk| disk.saves.last_ms);
        Reply::Int(last_ms.div_euclid(1000))
    }

    /// The lines of `INFO persistence`, names and values.
    pub fn info(&self) -> Vec<(&'static str, String)> {
        let flag = |yes: bool| u8::from(yes).to_string();
        let ok = |yes: bool| if yes { "ok" } else { "err" }.to_owned();
        let Some(disk) = &self.disk else { return vec![("loading", flag(false))] };
        let changes = self.engine.dirty().saturating_sub(disk.saves.dirty);
        let mut lines = vec![
            ("loading", flag(false)),
            ("rdb_changes_since_last_save", changes.to_string()),
            ("rdb_bgsave_in_progress", flag(disk.is_saving())),
            ("rdb_last_save_time", disk.saves.last_ms.div_euclid(1000).to_string()),
            ("rdb_last_bgsave_status", ok(disk.saves.ok)),
            ("aof_enabled", flag(self.options.files.append_only)),
            ("aof_rewrite_in_progress", flag(disk.is_rewriting())),
            ("aof_rewrite_scheduled", flag(disk.rewrites.scheduled)),
            ("aof_last_bgrewrite_status", ok(disk.rewrites.ok)),
        ];
        if let Some(aof) = &disk.aof {
            lines.extend([
                ("aof_last_write_status", ok(aof.failing().is_none())),
                ("aof_current_size", aof.size().to_string()),
                ("aof_base_size", aof.base_size.to_string()),
                ("aof_buffer_length", aof.waiting().to_string()),
                ("aof_pending_bio_fsync", flag(aof.is_syncing())),
                ("aof_delayed_fsync", aof.delayed.to_string()),
            ]);
        }
        lines
    }
}

fn looked_at() -> Failure {
    Failure::new("ERR this data is only looked at: there are no files of it")
}
