//! What commands did, as the commands a server would log (FORMATS E): most as they came, some rewritten
//! so that replaying them needs no clock and no luck (`SET k v EX 10` becomes `SET k v PXAT …`).
//!
//! Off unless asked for: replaying a file needs no log of it.

/// One command to log, with the database it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// The database it acts on.
    pub db: u64,
    /// The command and its arguments.
    pub argv: Vec<Vec<u8>>,
}

impl Effect {
    fn new(db: u64, argv: &[&[u8]]) -> Effect {
        Effect { db, argv: argv.iter().map(|arg| arg.to_vec()).collect() }
    }
}

/// The log of effects, taken by whoever writes them down. What one [`super::Engine::execute`] leaves
/// here is one unit: if it is more than one command, MULTI and EXEC belong around it.
#[derive(Debug, Default)]
pub(super) struct Effects {
    done: Vec<Effect>,
    /// What the running command asked to be logged in its place.
    instead: Option<Vec<Effect>>,
}

impl Effects {
    /// Logs something besides the running command: a key that turned out to be expired.
    pub(super) fn also(&mut self, db: u64, argv: &[&[u8]]) {
        self.done.push(Effect::new(db, argv));
    }

    /// The running command is not to be logged as it came.
    pub(super) fn drop_verbatim(&mut self) {
        self.instead.get_or_insert_default();
    }

    /// Logs this in place of the running command.
    pub(super) fn instead(&mut self, db: u64, argv: &[&[u8]]) {
        self.instead.get_or_insert_default().push(Effect::new(db, argv));
    }

    /// The running command is over.
    pub(super) fn close(&mut self, db: u64, argv: &[&[u8]], changed: bool) {
        match self.instead.take() {
            Some(effects) => self.done.extend(effects),
            None if changed => self.done.push(Effect::new(db, argv)),
            None => {}
        }
    }

    /// What has been logged since the last time.
    pub(super) fn take(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.done)
    }
}
