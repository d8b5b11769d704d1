//! `CONFIG SET appendonly` while a store runs.
//!
//! ```text
//! yes   an incr file without a name · point in time · base as in a rewrite ·
//!       the incr file gets its name · manifest: base, incr, what it named before is history
//! no    a base that is under way is given up · the AOF is written and synced, and left as it is
//! ```
//! A start sees nothing of a new AOF before its manifest is there, so until then what it promises does not
//! count: `aof_rewrite_in_progress` says so, as a server's does. If it fails it is begun anew, at first at
//! once, later after minutes.

use super::aof::{Aof, Files};
use super::disk::Disk;
use super::{Fatal, Options, Store};
use crate::aof::folder::Folder;
use crate::aof::manifest::Manifest;
use crate::aof::set::Set;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::persist::fs::stat_if_there;

impl Store {
    /// Follows a change of `appendonly`.
    ///
    /// # Errors
    /// Why no AOF can be kept: then `appendonly` is `no`.
    pub(super) fn switch_aof(&mut self) -> Result<()> {
        let now_ms = self.now_ms;
        let Some(disk) = &mut self.disk else { return Ok(()) };
        if !self.options.files.append_only {
            self.fatal = disk.end_aof(&mut self.engine, now_ms).err();
        } else if disk.aof.is_none() && !disk.is_busy() {
            let begun = disk.begin_aof(&mut self.engine, &self.options, now_ms);
            self.options.files.append_only = begun.is_ok();
            return begun;
        }
        // What is busy is a snapshot, behind which the AOF begins by itself.
        Ok(())
    }
}

impl Disk {
    /// Begins an AOF of the data as they are at this moment.
    ///
    /// # Errors
    /// When files cannot be made, or what lies there must not be gone on with.
    pub(super) fn begin_aof(
        &mut self,
        engine: &mut Engine,
        options: &Options,
        now_ms: i64,
    ) -> Result<()> {
        let begun = self.try_begin_aof(engine, options, now_ms);
        if begun.is_err() {
            self.rewrite_failed(engine, now_ms);
        }
        begun
    }

    fn try_begin_aof(&mut self, engine: &mut Engine, options: &Options, now_ms: i64) -> Result<()> {
        use std::os::unix::ffi::OsStrExt;
        let stem = options.files.append_file_name.as_bytes().to_vec();
        let folder = options.dir().join(&options.files.append_dir_name);
        let manifest = self.manifest(options, &stem)?;
        let files = Files { fs: self.fs.clone(), folder, stem, manifest };
        let aof = Aof::begin(files, now_ms)?;
        let base = aof.new_base(!options.base_form().is_rdb())?;
        let dir = aof.dir.clone();
        self.aof = Some(aof);
        engine.keep_effects(true);
        self.begin_base(dir, base, engine, options, now_ms)
    }

    /// What the manifest in the folder says, if there is one; the folder is made if there is none.
    fn manifest(&self, options: &Options, stem: &[u8]) -> Result<Manifest> {
        let name = &options.files.append_dir_name;
        let path = options.dir().join(name);
        if stat_if_there(&*self.dir, name)?.is_none() {
            let made = self.dir.make_dir(name, 0o755).and_then(|()| self.dir.sync());
            made.map_err(|err| Error::io(&path, "make", err))?;
        }
        let read = Folder::open_in(&*self.fs, &path).and_then(|folder| Set::open(folder, stem));
        let set = read.map_err(|err| Error::io(&path, "read", err))?;
        match set.manifest {
            Some(manifest) => Ok(manifest),
            None if set.orphans.is_empty() && set.findings.is_empty() => Ok(Manifest::default()),
            None => Err(Error::Usage(format!(
                "{}: there are parts of an AOF and no manifest that says which of them are the data",
                path.display()
            ))),
        }
    }

    /// Ends the AOF: what was logged is on the disk then, as far as the disk takes it.
    pub(super) fn end_aof(
        &mut self,
        engine: &mut Engine,
        now_ms: i64,
    ) -> std::result::Result<(), Fatal> {
        self.rewrites.scheduled = false;
        if self.is_rewriting()
            && let Some(task) = &mut self.task
        {
            task.stop();
        }
        self.drop_begun(engine);
        let Some(mut aof) = self.aof.take() else { return Ok(()) };
        engine.keep_effects(false);
        // A disk that takes no writes is a reason to end it.
        aof.settle(now_ms, &mut *self.background)?.unwrap_or_default();
        Ok(())
    }

    /// An AOF that no start would see is no more.
    pub(super) fn drop_begun(&mut self, engine: &mut Engine) {
        if let Some(aof) = self.aof.take_if(|aof| aof.is_beginning()) {
            engine.keep_effects(false);
            if aof.is_syncing() {
                // Of a file that goes.
                self.background.wait(super::Lane::Sync).unwrap_or_default();
            }
        }
    }
}
