//! A file that is written beside the work: a snapshot, or the new base of an AOF. The event loop hands out
//! a slice of it in every turn, a background lane writes it, syncs it and puts it in place. Until the very
//! last step the old file is the one that counts, and a temporary file is all that a failure leaves, if
//! anything.
//!
//! What is under way is bounded: when the disk is slower than the walk, the walk waits.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use super::background::{Background, Lane};
use super::dump::Dump;
use crate::aof::manifest::Entry;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::persist::fs::{Dir, File, Fs, stat_if_there, write_all_at};
use crate::persist::temp::Temp;

/// Bytes that are handed out at a time: the length of a pause, unless a single key is longer.
const SLICE: usize = 16 << 10;

/// Bytes that are written at a time: waking the background costs more than a slice should.
const BLOCK: usize = 128 << 10;

/// Blocks that wait for the disk.
const WAITING: usize = 32;

/// What a task is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Goal {
    /// A snapshot of so many changes.
    Save {
        /// [`Engine::dirty`] at its moment.
        dirty: u64,
    },
    /// A new base.
    Rewrite {
        /// Its line in the manifest.
        base: Entry,
    },
}

/// A file on its way.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) goal: Goal,
    /// Until it has ended.
    dump: Option<Dump>,
    block: Vec<u8>,
    pub(super) place: Place,
    temp: Option<Temp>,
    file: Arc<dyn File>,
    /// Bytes handed to the background.
    offset: u64,
    /// Jobs under way.
    jobs: usize,
    /// The last step is under way.
    publishing: bool,
    failed: Option<Error>,
}

/// Where the file goes.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) dir: Arc<dyn Dir>,
    pub(super) name: OsString,
    /// It takes the place of a file of that name.
    pub(super) replaces: bool,
}

impl Place {
    fn path(&self) -> PathBuf {
        self.dir.path().join(&self.name)
    }
}

impl Task {
    /// Begins a file; `dump` begins the point in time.
    ///
    /// # Errors
    /// When there can be no temporary file.
    pub(super) fn begin(
        fs: &dyn Fs,
        place: Place,
        goal: Goal,
        dump: impl FnOnce(&mut Vec<u8>) -> Dump,
    ) -> Result<Task> {
        let (temp, file) = Temp::file(fs, &place.dir)?;
        let mut block = Vec::new();
        let dump = Some(dump(&mut block));
        let temp = Some(temp);
        let (offset, jobs, publishing, failed) = (0, 0, false, None);
        Ok(Task { goal, dump, block, place, temp, file, offset, jobs, publishing, failed })
    }

    /// Keys that a command changed are set aside.
    pub(super) fn set_aside(&mut self, engine: &mut Engine) {
        if let Some(dump) = &mut self.dump {
            dump.set_aside(engine);
        }
    }

    /// Can something be done without waiting for the background?
    pub(super) fn wants_turn(&self) -> bool {
        self.dump.is_some() && self.jobs < WAITING
    }

    /// The next slice. The file's size when it is in place, or why it is not.
    pub(super) fn advance(
        &mut self,
        engine: &mut Engine,
        background: &mut dyn Background,
    ) -> Option<Result<u64>> {
        while self.jobs > 0
            && let Some(ended) = background.ended(Lane::Files)
        {
            self.ended(ended);
        }
        if self.failed.is_some() {
            return (self.jobs == 0).then(|| self.give_up(engine));
        }
        if self.jobs < WAITING {
            self.slice(engine, background);
        }
        // What is put in place must be whole: every write has succeeded, not only been asked for.
        if self.dump.is_some() || self.jobs > 0 || self.failed.is_some() {
            return None;
        }
        if !self.publishing {
            self.publishing = true;
            self.publish(background);
            return None;
        }
        self.temp.take().into_iter().for_each(Temp::renamed);
        Some(Ok(self.offset))
    }

    /// Does all that is left, and waits for it.
    ///
    /// # Errors
    /// Why the file is not in place.
    pub(super) fn finish(
        &mut self,
        engine: &mut Engine,
        background: &mut dyn Background,
    ) -> Result<u64> {
        loop {
            if let Some(done) = self.advance(engine, background) {
                return done;
            }
            if self.jobs > 0 && (!self.wants_turn() || self.failed.is_some()) {
                let ended = background.wait(Lane::Files);
                self.ended(ended);
            }
        }
    }

    /// It is not wanted any more. What is being put in place already gets there all the same.
    pub(super) fn stop(&mut self) {
        if !self.publishing {
            self.failed.get_or_insert_with(|| Error::Usage("it was stopped".to_owned()));
        }
    }

    /// Ends it before it is done.
    pub(super) fn cancel(mut self, engine: &mut Engine, background: &mut dyn Background) {
        while self.jobs > 0 {
            let ended = background.wait(Lane::Files);
            self.ended(ended);
        }
        engine.end_point();
    }

    fn ended(&mut self, ended: Result<()>) {
        self.jobs = self.jobs.saturating_sub(1);
        if let Err(error) = ended {
            self.failed.get_or_insert(error);
        }
    }

    fn give_up(&mut self, engine: &mut Engine) -> Result<u64> {
        engine.end_point();
        self.dump = None;
        let error = self.failed.take();
        let error = error.unwrap_or_else(|| Error::Usage("it was given up".to_owned()));
        Err(match self.temp.take() {
            Some(temp) => temp.discard(error),
            None => error,
        })
    }

    fn slice(&mut self, engine: &mut Engine, background: &mut dyn Background) {
        let Some(dump) = &mut self.dump else { return };
        let more = dump.step(engine, SLICE, &mut self.block);
        let fault = dump.fault();
        if let Some(why) = fault {
            let text = format!("{}: {why}", self.place.path().display());
            self.failed = Some(Error::Usage(text));
            return;
        }
        if !more {
            self.dump = None;
        }
        if !more || self.block.len() >= BLOCK {
            self.ship(background);
        }
    }

    fn ship(&mut self, background: &mut dyn Background) {
        if self.block.is_empty() {
            return;
        }
        let block = std::mem::take(&mut self.block);
        let (file, offset, path) = (self.file.clone(), self.offset, self.place.path());
        self.offset += block.len() as u64;
        self.jobs += 1;
        background.start(
            Lane::Files,
            Box::new(move || {
                write_all_at(&*file, &block, offset)
                    .map_err(|err| Error::io(path, "write the new", err))
            }),
        );
    }

    fn publish(&mut self, background: &mut dyn Background) {
        let (file, place) = (self.file.clone(), self.place.clone());
        let Some(temp) = self.temp.as_ref().map(|temp| temp.name().to_owned()) else { return };
        self.jobs += 1;
        background.start(Lane::Files, Box::new(move || put_in_place(&*file, &temp, &place)));
    }
}

/// The last steps of [`crate::persist::replace`], of a file that nobody else writes: the old file is not
/// looked at again, and what was written not read back.
fn put_in_place(file: &dyn File, temp: &OsString, place: &Place) -> Result<()> {
    let failed = |doing| move |err| Error::io(place.path(), doing, err);
    if place.replaces
        && let Some(old) = stat_if_there(&*place.dir, &place.name)?
    {
        file.set_mode(old.mode).map_err(failed("keep the mode of"))?;
    }
    file.sync().map_err(failed("sync the new"))?;
    let renamed = match place.replaces {
        true => place.dir.rename(temp, &place.name),
        false => place.dir.rename_new(temp, &place.name),
    };
    renamed.map_err(failed("put in place"))?;
    place.dir.sync().map_err(failed("make durable the new"))
}
