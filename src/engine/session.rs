//! What a connection carries from command to command: its database, an open MULTI, watched keys. The
//! loader of an AOF is such a connection, a new one for each file.

use super::command::{flag, resolve};
use super::reply::Resp;

/// One connection's state.
#[derive(Debug, Default)]
pub struct Session {
    /// The database selected.
    pub(super) db: u64,
    /// Between MULTI and EXEC?
    pub(super) multi: Multi,
    /// A command could not be queued: EXEC will refuse.
    pub(super) spoiled: bool,
    /// Keys under WATCH, with the version each had.
    pub(super) watched: Vec<(u64, Vec<u8>, u64)>,
    /// The protocol it speaks.
    pub resp: Resp,
}

impl Session {
    /// A new connection, on database 0.
    pub fn new() -> Session {
        Session::default()
    }

    /// The database selected.
    pub fn db(&self) -> u64 {
        self.db
    }

    /// Selects a database without asking whether the server has it.
    pub fn select(&mut self, db: u64) {
        self.db = db;
    }

    /// Is a transaction open, so that commands are only queued?
    pub fn in_multi(&self) -> bool {
        matches!(self.multi, Multi::Queuing(_))
    }

    /// How many commands an open transaction has.
    pub fn queued(&self) -> Option<usize> {
        match &self.multi {
            Multi::Queuing(queue) => Some(queue.commands.len()),
            Multi::No | Multi::Running => None,
        }
    }

    /// A command could not be queued, if a transaction is open: its EXEC will refuse.
    pub fn spoil(&mut self) {
        self.spoiled |= self.in_multi();
    }

    /// Has a command been queued that may change data?
    pub fn queues_writes(&self) -> bool {
        let Multi::Queuing(queue) = &self.multi else { return false };
        let writes = |argv: Vec<&[u8]>| resolve(&argv).is_ok_and(|command| command.is(flag::WRITE));
        queue.iter().any(writes)
    }
}

/// Where a connection is with respect to MULTI.
#[derive(Debug, Default)]
pub(super) enum Multi {
    /// Outside.
    #[default]
    No,
    /// Behind MULTI, collecting.
    Queuing(Queue),
    /// In EXEC.
    Running,
}

/// The commands of an open transaction, in one buffer.
#[derive(Debug, Default)]
pub(super) struct Queue {
    bytes: Vec<u8>,
    /// End of each argument in `bytes`.
    args: Vec<usize>,
    /// End of each command in `args`.
    commands: Vec<usize>,
}

impl Queue {
    pub(super) fn push(&mut self, argv: &[&[u8]]) {
        for arg in argv {
            self.bytes.extend_from_slice(arg);
            self.args.push(self.bytes.len());
        }
        self.commands.push(self.args.len());
    }

    /// The commands, each as its arguments.
    pub(super) fn iter(&self) -> impl Iterator<Item = Vec<&[u8]>> {
        let mut first = 0;
        self.commands.iter().map(move |last| {
            let args = first..*last;
            first = *last;
            args.map(|arg| {
                let start = arg.checked_sub(1).and_then(|before| self.args.get(before));
                let end = self.args.get(arg).copied().unwrap_or_default();
                self.bytes.get(start.copied().unwrap_or_default()..end).unwrap_or_default()
            })
            .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_gives_back_what_was_put_in() {
        let commands: &[&[&[u8]]] = &[&[b"set", b"", b"v"], &[b"exec"], &[b"get", b"\x00\xff"]];
        let mut queue = Queue::default();
        commands.iter().for_each(|argv| queue.push(argv));
        assert_eq!(queue.iter().collect::<Vec<_>>(), commands);
    }
}
