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

mod aof;
pub mod background;
mod commands;
mod create;
mod disk;
mod dump;
mod log;
pub mod options;
mod record;
mod refuse;
mod startup;
mod switch;
mod task;

use std::sync::Arc;

use self::aof::Aof;
pub use self::background::{Background, Lane, Threads};
use self::disk::Disk;
pub use self::options::{Fsync, Options, SavePoint};
use crate::engine::{Command, Engine, Failure, Mode, Reply, Session};
use crate::error::{Error, Result};
use crate::persist::fs::Fs;

/// Milliseconds between looks at what is due, at least.
const CRON: i64 = 100;

/// Slots of each database that are searched for expired keys at a time.
const EXPIRY: usize = 2000;

/// An engine with its files.
#[derive(Debug)]
pub struct Store {
    engine: Engine,
    options: Options,
    now_ms: i64,
    /// When it was looked last for what is due.
    cron_ms: i64,
    /// `None`: no files, and no writes.
    disk: Option<Disk>,
    /// What a command met, which ends the process before its reply goes out.
    fatal: Option<Fatal>,
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
    /// When files are damaged, cannot be read or written, another process uses the folder, or the start
    /// would be a trap.
    pub fn open(
        fs: Arc<dyn Fs>,
        background: Box<dyn Background>,
        options: Options,
        now_ms: i64,
    ) -> Result<(Store, Opened)> {
        let path = options.dir();
        let dir = fs.open_dir(&path).map_err(|err| Error::io(&path, "open", err))?;
        if !dir.lock().unwrap_or(true) {
            let text = format!("{}: another store uses this folder", path.display());
            return Err(Error::Usage(text));
        }
        let startup::Started { mut engine, aof, opened } = startup::start(&fs, &options, now_ms)?;
        engine.set_mode(Mode::Serving);
        engine.keep_effects(aof.is_some());
        let mut disk = Disk::new(fs, background, dir, aof, &engine, now_ms);
        disk.clean();
        let mut store =
            Store { engine, options, now_ms, cron_ms: now_ms, disk: Some(disk), fatal: None };
        store.set_clock(now_ms);
        Ok((store, opened))
    }

    /// A look at data that is there already: no files, and write commands are refused.
    pub fn read_only(mut engine: Engine) -> Store {
        engine.set_mode(Mode::Serving);
        let options = Options { engine: engine.config().clone(), ..Options::default() };
        Store { engine, options, now_ms: 0, cron_ms: 0, disk: None, fatal: None }
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
        let reply = self.engine.dispatch(session, command, argv);
        self.log();
        reply
    }

    /// Logs what was changed, and sets aside what a point in time awaited.
    fn log(&mut self) {
        let Some(disk) = &mut self.disk else { return };
        if let Some(aof) = &mut disk.aof {
            let effects = self.engine.take_effects();
            if !effects.is_empty() {
                aof.log(&effects, self.now_ms, self.options.timestamps);
            }
        }
        if let Some(task) = &mut disk.task {
            task.set_aside(&mut self.engine);
        }
    }

    /// Once a turn, before its replies go out: the AOF is written, and under `always` is on the disk.
    ///
    /// # Errors
    /// When what was executed can no more be made durable.
    pub fn before_replies(&mut self, now_ms: i64) -> std::result::Result<(), Fatal> {
        self.set_clock(now_ms);
        if let Some(fatal) = self.fatal.take() {
            return Err(fatal);
        }
        match &mut self.disk {
            Some(disk) => disk.flush(&self.options, now_ms),
            None => Ok(()),
        }
    }

    /// What is due from time to time: save points, fsyncs, another try after a failed write, rewrites,
    /// expiry, and the next slice of a running snapshot.
    ///
    /// # Errors
    /// As for [`Store::before_replies`].
    pub fn tick(&mut self, now_ms: i64) -> std::result::Result<(), Fatal> {
        self.set_clock(now_ms);
        if self.disk.is_none() {
            return Ok(());
        }
        let is_due = now_ms.saturating_sub(self.cron_ms) >= CRON || now_ms < self.cron_ms;
        if is_due {
            self.cron_ms = now_ms;
            self.engine.expire_some(EXPIRY);
            self.log();
        }
        let Some(disk) = &mut self.disk else { return Ok(()) };
        disk.advance(&mut self.engine, now_ms)?;
        if is_due {
            disk.flush(&self.options, now_ms)?;
            disk.due(&mut self.engine, &self.options, now_ms)?;
        }
        Ok(())
    }

    /// Whether a snapshot or rewrite has work left, so that [`Store::tick`] should be called in every turn.
    pub fn wants_tick(&self) -> bool {
        let task = self.disk.as_ref().and_then(|disk| disk.task.as_ref());
        task.is_some_and(task::Task::wants_turn)
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
        let failed = |why: &str| {
            let what = format!("ERR CONFIG SET failed (possibly related to argument '{name}')");
            Some(Err(Failure::new(format!("{what} - {why}"))))
        };
        let is_aof = name.eq_ignore_ascii_case("appendonly");
        if !mutable || (is_aof && self.is_read_only()) {
            return failed("can't set immutable config");
        }
        if self.options.set(name, value).is_none() {
            return failed("argument couldn't be parsed");
        }
        self.engine.set_max_memory(self.options.engine.max_memory);
        if is_aof && let Err(error) = self.switch_aof() {
            return failed(&format!("Unable to turn on AOF: {error}"));
        }
        Some(Ok(()))
    }

    /// Makes everything durable before the process ends; `save`: whether to make a snapshot, `None`: if
    /// there are save points.
    ///
    /// # Errors
    /// When that fails: the process should go on then, unless it is told to end all the same.
    pub fn shutdown(&mut self, save: Option<bool>) -> Result<()> {
        let Some(disk) = &mut self.disk else { return Ok(()) };
        if disk.aof.as_ref().is_some_and(Aof::is_beginning) {
            // Without its base the next start would see nothing of it.
            disk.finish(&mut self.engine, self.now_ms).map_err(|Fatal(error)| error)?;
            if disk.aof.is_none() {
                return Err(Error::Usage("the new AOF could not be written".to_owned()));
            }
        }
        disk.cancel(&mut self.engine);
        if let Some(aof) = &mut disk.aof {
            let settled = aof.settle(self.now_ms, &mut *disk.background);
            settled.map_err(|Fatal(error)| error)??;
        }
        if save.unwrap_or(!self.options.save.is_empty()) {
            self.save_now()?;
        }
        Ok(())
    }

    /// Makes a snapshot and waits for it.
    fn save_now(&mut self) -> Result<()> {
        let Some(disk) = &mut self.disk else { return Ok(()) };
        disk.begin_save(&mut self.engine, &self.options, self.now_ms)?;
        // Of a snapshot nothing is fatal.
        disk.finish(&mut self.engine, self.now_ms).map_err(|Fatal(error)| error)?;
        match disk.saves.ok {
            true => Ok(()),
            false => Err(Error::Usage("the snapshot could not be written".to_owned())),
        }
    }
}
