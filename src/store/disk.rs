//! What of a store touches the disk: the AOF, and one file at a time that is written beside the work.
//!
//! ```text
//! snapshot   point in time · temporary file · sync · rename · sync of the folder
//! rewrite    AOF written and synced · new incr file · manifest · point in time · base as above ·
//!            manifest: base, new incr, the others history · history removed · manifest without it
//! ```
//! After each step a start finds the old files or the new ones, whole. The event loop waits for the disk
//! at the beginning of a rewrite (one sync of the AOF, the new file, the manifest) and at its end (the
//! manifest, twice), and for SAVE.

use std::sync::Arc;

use super::aof::Aof;
use super::background::{Background, Lane};
use super::dump::Dump;
use super::record::Form;
use super::task::{Goal, Place, Task};
use super::{Fatal, Options};
use crate::aof::manifest::Entry;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::persist::fs::{Dir, Fs};

/// After a failed snapshot none is made by itself for so long, in ms.
const AFTER_FAILURE: i64 = 5000;

/// Failed rewrites in a row before the next one waits, and how long at first and at most, in ms.
const FAILURES: u32 = 3;
const MINUTE: i64 = 60_000;

/// Files and what becomes of them.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) fs: Arc<dyn Fs>,
    pub(super) background: Box<dyn Background>,
    /// The data folder; it is locked as long as this lives.
    pub(super) dir: Arc<dyn Dir>,
    pub(super) aof: Option<Aof>,
    pub(super) task: Option<Task>,
    /// Old parts of the AOF are being removed.
    pub(super) cleaning: bool,
    pub(super) saves: Saves,
    pub(super) rewrites: Rewrites,
}

/// What is known of snapshots.
#[derive(Debug)]
pub(super) struct Saves {
    /// When the last one was done.
    pub(super) last_ms: i64,
    /// [`Engine::dirty`] at its moment.
    pub(super) dirty: u64,
    /// Did the last one succeed?
    pub(super) ok: bool,
    pub(super) tried_ms: i64,
    /// One is to be made as soon as nothing else is under way.
    pub(super) scheduled: bool,
}

/// What is known of rewrites.
#[derive(Debug)]
pub(super) struct Rewrites {
    pub(super) ok: bool,
    pub(super) scheduled: bool,
    failures: u32,
    failed_ms: i64,
}

impl Rewrites {
    /// The next one by itself is not before this time.
    fn not_before_ms(&self) -> i64 {
        let Some(more) = self.failures.checked_sub(FAILURES) else { return i64::MIN };
        self.failed_ms.saturating_add((MINUTE << more.min(6)).min(60 * MINUTE))
    }
}

impl Disk {
    pub(super) fn new(
        fs: Arc<dyn Fs>,
        background: Box<dyn Background>,
        dir: Arc<dyn Dir>,
        aof: Option<Aof>,
        engine: &Engine,
        now_ms: i64,
    ) -> Disk {
        Disk {
            fs,
            background,
            dir,
            aof,
            task: None,
            cleaning: false,
            saves: Saves {
                last_ms: now_ms,
                dirty: engine.dirty(),
                ok: true,
                tried_ms: i64::MIN,
                scheduled: false,
            },
            rewrites: Rewrites { ok: true, scheduled: false, failures: 0, failed_ms: 0 },
        }
    }

    /// Is a snapshot under way?
    pub(super) fn is_saving(&self) -> bool {
        matches!(&self.task, Some(Task { goal: Goal::Save { .. }, .. }))
    }

    /// Is a rewrite under way?
    pub(super) fn is_rewriting(&self) -> bool {
        matches!(&self.task, Some(Task { goal: Goal::Rewrite { .. }, .. }))
    }

    /// Is something under way that the lane of files works for?
    pub(super) fn is_busy(&self) -> bool {
        self.task.is_some() || self.cleaning
    }

    /// Writes the AOF.
    pub(super) fn flush(
        &mut self,
        options: &Options,
        now_ms: i64,
    ) -> std::result::Result<(), Fatal> {
        let quiet = options.no_fsync_on_rewrite && self.task.is_some();
        match &mut self.aof {
            Some(aof) => aof.flush(now_ms, options.fsync, quiet, &mut *self.background),
            None => Ok(()),
        }
    }

    /// Begins a snapshot.
    pub(super) fn begin_save(
        &mut self,
        engine: &mut Engine,
        options: &Options,
        now_ms: i64,
    ) -> Result<()> {
        self.saves.scheduled = false;
        self.saves.tried_ms = now_ms;
        let name = options.files.db_file_name.clone();
        let place = Place { dir: self.dir.clone(), name, replaces: true };
        let goal = Goal::Save { dirty: engine.dirty() };
        let dump = |out: &mut Vec<u8>| Dump::begin(engine, Form::Rdb, options.compress, None, out);
        match Task::begin(&*self.fs, place, goal, dump) {
            Ok(task) => {
                self.task = Some(task);
                Ok(())
            }
            Err(error) => {
                self.saves.ok = false;
                Err(error)
            }
        }
    }

    /// Begins a rewrite.
    pub(super) fn begin_rewrite(
        &mut self,
        engine: &mut Engine,
        options: &Options,
        now_ms: i64,
    ) -> std::result::Result<Result<()>, Fatal> {
        self.rewrites.scheduled = false;
        let begun = self.try_begin_rewrite(engine, options, now_ms)?;
        if begun.is_err() {
            self.rewrite_failed(engine, now_ms);
        }
        Ok(begun)
    }

    fn try_begin_rewrite(
        &mut self,
        engine: &mut Engine,
        options: &Options,
        now_ms: i64,
    ) -> std::result::Result<Result<()>, Fatal> {
        let Some(aof) = &mut self.aof else {
            return Ok(Err(Error::Usage("no AOF is kept".to_owned())));
        };
        let base = match aof.new_base(!options.base_form().is_rdb()) {
            Ok(base) => base,
            Err(error) => return Ok(Err(error)),
        };
        if let Err(error) = aof.rotate(now_ms, &mut *self.background)? {
            return Ok(Err(error));
        }
        let dir = aof.dir.clone();
        Ok(self.begin_base(dir, base, engine, options, now_ms))
    }

    /// Begins a base of this moment.
    pub(super) fn begin_base(
        &mut self,
        dir: Arc<dyn Dir>,
        base: Entry,
        engine: &mut Engine,
        options: &Options,
        now_ms: i64,
    ) -> Result<()> {
        use std::os::unix::ffi::OsStringExt;
        let name = std::ffi::OsString::from_vec(base.name.clone());
        let place = Place { dir, name, replaces: false };
        let form = options.base_form();
        let stamp = options.timestamps.then(|| now_ms.div_euclid(1000));
        let dump = |out: &mut Vec<u8>| Dump::begin(engine, form, options.compress, stamp, out);
        self.task = Some(Task::begin(&*self.fs, place, Goal::Rewrite { base }, dump)?);
        Ok(())
    }

    /// The next slice of what is under way.
    pub(super) fn advance(
        &mut self,
        engine: &mut Engine,
        now_ms: i64,
    ) -> std::result::Result<(), Fatal> {
        if self.cleaning
            && let Some(ended) = self.background.ended(Lane::Files)
        {
            self.cleaned(ended)?;
        }
        let Some(task) = &mut self.task else { return Ok(()) };
        match task.advance(engine, &mut *self.background) {
            Some(done) => self.done(done, engine, now_ms),
            None => Ok(()),
        }
    }

    /// Waits for what is under way to end.
    pub(super) fn finish(
        &mut self,
        engine: &mut Engine,
        now_ms: i64,
    ) -> std::result::Result<(), Fatal> {
        if let Some(task) = &mut self.task {
            let done = task.finish(engine, &mut *self.background);
            self.done(done, engine, now_ms)?;
        }
        Ok(())
    }

    /// Gives up what is under way.
    pub(super) fn cancel(&mut self, engine: &mut Engine) {
        if let Some(task) = self.task.take() {
            task.cancel(engine, &mut *self.background);
        }
    }

    fn done(
        &mut self,
        done: Result<u64>,
        engine: &mut Engine,
        now_ms: i64,
    ) -> std::result::Result<(), Fatal> {
        let Some(task) = self.task.take() else { return Ok(()) };
        match (task.goal, done) {
            (Goal::Save { dirty }, Ok(_)) => {
                let tried_ms = self.saves.tried_ms;
                let scheduled = self.saves.scheduled;
                self.saves = Saves { last_ms: now_ms, dirty, ok: true, tried_ms, scheduled };
            }
            (Goal::Save { .. }, Err(_)) => self.saves.ok = false,
            // It was stopped because the AOF was.
            (Goal::Rewrite { .. }, Err(_)) if self.aof.is_none() => {}
            (Goal::Rewrite { .. }, Err(_)) => self.rewrite_failed(engine, now_ms),
            (Goal::Rewrite { base }, Ok(size)) => {
                let installed = self.aof.as_mut().map(|aof| aof.install(base, size)).transpose()?;
                if let Some(Ok(())) = installed {
                    (self.rewrites.ok, self.rewrites.failures) = (true, 0);
                    self.clean();
                    return Ok(());
                }
                task.place.dir.unlink(&task.place.name).unwrap_or_default();
                if installed.is_some() {
                    self.rewrite_failed(engine, now_ms);
                }
            }
        }
        Ok(())
    }

    pub(super) fn rewrite_failed(&mut self, engine: &mut Engine, now_ms: i64) {
        self.drop_begun(engine);
        self.rewrites.ok = false;
        self.rewrites.failures = self.rewrites.failures.saturating_add(1);
        self.rewrites.failed_ms = now_ms;
    }

    /// Removes what the manifest calls history.
    pub(super) fn clean(&mut self) {
        let Some(aof) = &self.aof else { return };
        let names = aof.history();
        if names.is_empty() || self.is_busy() {
            return;
        }
        let dir = aof.dir.clone();
        self.cleaning = true;
        let job = move || {
            for name in &names {
                match dir.unlink(name) {
                    Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
                        return Err(Error::io(dir.path().join(name), "remove", err));
                    }
                    _ => {}
                }
            }
            dir.sync().map_err(|err| Error::io(dir.path(), "sync", err))
        };
        self.background.start(Lane::Files, Box::new(job));
    }

    fn cleaned(&mut self, ended: Result<()>) -> std::result::Result<(), Fatal> {
        self.cleaning = false;
        match (&mut self.aof, ended) {
            (Some(aof), Ok(())) => aof.forget_history(),
            _ => Ok(()),
        }
    }

    /// Begins what is due by itself.
    pub(super) fn due(
        &mut self,
        engine: &mut Engine,
        options: &Options,
        now_ms: i64,
    ) -> std::result::Result<(), Fatal> {
        if self.is_busy() {
            return Ok(());
        }
        let wants_aof = options.files.append_only && self.aof.is_none();
        if wants_aof && now_ms >= self.rewrites.not_before_ms() {
            // Whether it could begin is told by INFO.
            self.begin_aof(engine, options, now_ms).unwrap_or_default();
        } else if self.rewrites.scheduled || self.rewrite_is_due(options, now_ms) {
            self.begin_rewrite(engine, options, now_ms)?.unwrap_or_default();
        } else if self.saves.scheduled || self.save_is_due(engine, options, now_ms) {
            self.begin_save(engine, options, now_ms).unwrap_or_default();
        }
        Ok(())
    }

    fn save_is_due(&self, engine: &Engine, options: &Options, now_ms: i64) -> bool {
        let Saves { last_ms, dirty, ok, tried_ms, .. } = self.saves;
        let changes = engine.dirty().saturating_sub(dirty);
        let passed = u64::try_from(now_ms.saturating_sub(last_ms)).unwrap_or(0);
        let rested = ok || now_ms.saturating_sub(tried_ms) > AFTER_FAILURE;
        let is_due = |point: &super::SavePoint| {
            changes >= point.changes && passed > point.seconds.saturating_mul(1000)
        };
        changes > 0 && rested && options.save.iter().any(is_due)
    }

    fn rewrite_is_due(&self, options: &Options, now_ms: i64) -> bool {
        let Some(aof) = &self.aof else { return false };
        if options.rewrite_percentage == 0
            || aof.failing().is_some()
            || aof.size() <= options.rewrite_min_size
            || now_ms < self.rewrites.not_before_ms()
        {
            return false;
        }
        let base = aof.base_size.max(1);
        let growth = aof.size().saturating_mul(100) / base;
        growth.saturating_sub(100) >= options.rewrite_percentage
    }
}
