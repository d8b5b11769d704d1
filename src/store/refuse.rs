//! Commands that are not run: writes to a store that is only looked at or whose disk fails, and commands
//! that the release behind its files does not have.

use super::Store;
use crate::engine::command::{Command, flag};
use crate::engine::{Failure, Session};

/// What clients of servers are told when the last snapshot failed.
const SAVE_FAILED: &str = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to \
    persist to disk. Commands that may modify the data set are disabled, because this instance is configured \
    to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please \
    check the Redis logs for details about the RDB error.";

impl Store {
    /// Why a command is not run, if it is not.
    pub(super) fn refusal(
        &self,
        session: &Session,
        command: &'static Command,
        argv: &[&[u8]],
    ) -> Option<Failure> {
        // What another release would hold, this one's files could not.
        if !command.since.is_in(self.engine.config().release) {
            return Some(Failure::unknown_command(argv));
        }
        let writes = command.is(flag::WRITE) || (command.name == "exec" && session.queues_writes());
        if !writes {
            return None;
        }
        if self.is_read_only() {
            return Some(Failure::new("READONLY You can't write against a read only replica."));
        }
        let disk = self.disk.as_ref()?;
        if let Some(why) = disk.aof.as_ref().and_then(|aof| aof.failing()) {
            return Some(Failure::new(format!("MISCONF Errors writing to the AOF file: {why}")));
        }
        let stops = self.options.stop_on_save_error && !self.options.save.is_empty();
        (stops && !disk.saves.ok).then(|| Failure::new(SAVE_FAILED))
    }
}
