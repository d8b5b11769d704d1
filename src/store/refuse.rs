//! Commands that are not run: writes to a store that is only looked at or whose disk fails, and commands
//! that the release behind its files does not have.

use super::Store;
use crate::engine::command::{Command, flag};
use crate::engine::{Failure, Session};

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
        None
    }
}
