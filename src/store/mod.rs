//! The live store: an engine whose data survives. It writes what commands change into an AOF, makes
//! snapshots and rewrites the AOF while commands go on, and starts from what lies in its folder, all in the
//! files and by the rules of the servers (FORMATS B.4, F).
//!
//! It is a state machine without a clock, sockets or threads of its own: who drives it says what time it
//! is, gives it a file system ([`crate::persist::fs::Fs`]) and somebody who does slow work beside it
//! ([`background`]). So a server and a simulation with crashes run the same code.
//!
//! ```text
//! every turn of the event loop:  set_clock · execute … · before_replies · the replies go out
//! ten times a second, and in every turn while wants_tick():  tick
//! ```

pub mod background;
pub mod options;
mod refuse;
mod startup;

use std::sync::Arc;

pub use self::background::{Background, Threads};
pub use self::options::{Fsync, Options, SavePoint};
use crate::engine::{Command, Engine, Failure, Mode, Reply, Session};
use crate::error::{Error, Result};
use crate::persist::fs::Fs;

/// An engine with its files.
#[derive(Debug)]
pub struct Store {
    engine: Engine,
    options: Options,
    now_ms: i64,
    /// `None`: no files, and no writes.
    disk: Option<Disk>,
}

/// What a store with files needs beside the engine.
#[allow(dead_code)]
#[derive(Debug)]
struct Disk {
    fs: Arc<dyn Fs>,
    background: Box<dyn Background>,
}

/// How a store came up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// The files that were loaded, in order.
    pub loaded: Vec<std::path::PathBuf>,
    /// Keys that are there now.
    pub keys: u64,
    /// What an operator should read: what was cut off, passed over, made or moved.
    pub notes: Vec<String>,
}

/// Nothing that was not acknowledged yet may be: the process must end without sending another reply.
#[derive(Debug)]
pub struct Fatal(pub Error);

impl std::fmt::Display for Fatal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Store {
    /// Starts from what is in the folder of `options`, as a server does, except where a server would lose
    /// data by that: such a start is refused, with advice.
    ///
    /// # Errors
    /// When files are damaged, cannot be read or written, or the start would be a trap.
    pub fn open(
        fs: Arc<dyn Fs>,
        background: Box<dyn Background>,
        options: Options,
        now_ms: i64,
    ) -> Result<(Store, Opened)> {
        let (engine, opened) = startup::load(&*fs, &options, now_ms)?;
        let disk = Some(Disk { fs, background });
        let mut store = Store { engine, options, now_ms, disk };
        store.engine.set_mode(Mode::Serving);
        store.set_clock(now_ms);
        Ok((store, opened))
    }

    /// A look at data that is there already: no files, and write commands are refused.
    pub fn read_only(mut engine: Engine) -> Store {
        engine.set_mode(Mode::Serving);
        let options = Options { engine: engine.config().clone(), ..Options::default() };
        Store { engine, options, now_ms: 0, disk: None }
    }

    /// The data.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The data, for whoever answers commands that change none (DEBUG, MEMORY, a client's own state).
    pub fn engine_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// The settings.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Whether writes are refused for good.
    pub fn is_read_only(&self) -> bool {
        self.disk.is_none()
    }

    /// What time it is, in ms since 1970. At the start of every turn.
    pub fn set_clock(&mut self, now_ms: i64) {
        self.now_ms = now_ms;
        self.engine.set_clock(now_ms);
    }

    /// Runs a command of the engine's table, and logs what it changed.
    pub fn execute(
        &mut self,
        session: &mut Session,
        command: &'static Command,
        argv: &[&[u8]],
    ) -> Reply {
        if let Some(failure) = self.refusal(session, command, argv) {
            return self.engine.refuse(session, failure);
        }
        self.engine.dispatch(session, command, argv)
    }

    /// Runs SAVE, BGSAVE, BGREWRITEAOF or LASTSAVE; `None` if it is none of these. (SHUTDOWN is the
    /// server's: see [`Store::shutdown`].)
    pub fn own_command(&mut self, argv: &[&[u8]]) -> Option<Reply> {
        let name = argv.first()?.to_ascii_lowercase();
        match name.as_slice() {
            b"save" | b"bgsave" | b"bgrewriteaof" | b"lastsave" => {
                Some(Reply::Error(Failure::new("ERR not there yet")))
            }
            _ => None,
        }
    }

    /// Once a turn, before its replies go out: the AOF is written, and under `always` is on the disk.
    ///
    /// # Errors
    /// When what was executed can no more be made durable.
    pub fn before_replies(&mut self, now_ms: i64) -> std::result::Result<(), Fatal> {
        self.set_clock(now_ms);
        Ok(())
    }

    /// What is due from time to time: save points, fsyncs, another try after a failed write, rewrites,
    /// expiry, and the next slice of a running snapshot.
    ///
    /// # Errors
    /// As for [`Store::before_replies`].
    pub fn tick(&mut self, now_ms: i64) -> std::result::Result<(), Fatal> {
        self.set_clock(now_ms);
        Ok(())
    }

    /// Whether a snapshot or rewrite has work left, so that [`Store::tick`] should be called in every turn.
    pub fn wants_tick(&self) -> bool {
        false
    }

    /// The store's settings whose names match a glob, with their values.
    pub fn config_get(&self, pattern: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
        self.options.get(pattern)
    }

    /// Changes a setting; `None` if it is none of the store's.
    pub fn config_set(
        &mut self,
        name: &str,
        value: &[u8],
    ) -> Option<std::result::Result<(), Failure>> {
        let mutable = Options::is_mutable(name)?;
        if !mutable {
            let text = format!(
                "ERR CONFIG SET failed (possibly related to argument '{name}') - can't set immutable config"
            );
            return Some(Err(Failure::new(text)));
        }
        if self.options.set(name, value).is_none() {
            let text = format!(
                "ERR CONFIG SET failed (possibly related to argument '{name}') - argument couldn't be parsed"
            );
            return Some(Err(Failure::new(text)));
        }
        self.engine.set_max_memory(self.options.engine.max_memory);
        Some(Ok(()))
    }

    /// The lines of `INFO persistence`.
    pub fn info(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Makes everything durable before the process ends; `save`: whether to make a snapshot, `None`: if
    /// there are save points.
    ///
    /// # Errors
    /// When that fails: the process should go on then, unless it is told to end all the same.
    pub fn shutdown(&mut self, save: Option<bool>) -> Result<()> {
        let _ = save;
        Ok(())
    }
}
