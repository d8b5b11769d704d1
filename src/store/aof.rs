//! The AOF of a running store: what waits to be written, the file it goes to, when it reaches the disk, and
//! the manifest that names the files (FORMATS B.4, F).
//!
//! ```text
//! always    written and synced before the replies of the turn go out; an error ends the process
//! everysec  written every turn, synced beside it before a second is over: on a disk that does that at once
//!           no more than 1 s of writes can be lost. While a sync runs nothing is written; when what it
//!           covers is 2 s old, replies wait for it: no more than 2 s of writes can be lost
//! no        written every turn
//! ```
//! A failed sync ends the process under every policy: nobody knows what it left behind, and asking again
//! may be answered with a lie. A failed write is tried again every second, and as long as it fails writes
//! of clients are refused; the file ends with a whole command all the while.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::sync::Arc;

use super::background::{Background, Lane};
use super::log::Log;
use super::{Fatal, Fsync};
use crate::aof::manifest::{Entry, Kind, Manifest};
use crate::aof::set::{base_name, incr_name};
use crate::engine::Effect;
use crate::error::{Error, Result};
use crate::persist::aofdir::{NotPut, put_manifest};
use crate::persist::append::Append;
use crate::persist::fs::{Access, Dir, Fs, stat_if_there};
use crate::persist::temp::Temp;

/// Milliseconds between tries of a failed write. (A clock may be set back: distances are what is looked at.)
const SECOND: u64 = 1000;

/// Milliseconds between the beginnings of syncs, and the age at which a write calls for one. A look later
/// would be too late for that no more than a second of writes is lost.
const EVERY: u64 = SECOND - super::CRON.unsigned_abs();

/// How old what a running sync covers may get before replies wait for it, in ms.
const DELAY: u64 = 2000;

/// Names that are tried for a new part.
const NAMES: i64 = 1000;

/// The files of an AOF that grows.
#[derive(Debug)]
pub(super) struct Aof {
    fs: Arc<dyn Fs>,
    pub(super) dir: Arc<dyn Dir>,
    /// Where the folder is.
    folder: PathBuf,
    stem: Vec<u8>,
    manifest: Manifest,
    append: Append,
    /// The last incr file as long as no manifest names it, and it has not its name: see [`Aof::begin`].
    begun: Option<Temp>,
    log: Log,
    /// When the oldest of what waits to be written was logged …
    logged_ms: Option<i64>,
    /// … of what was written and no sync covers …
    written_ms: Option<i64>,
    /// … and of what the running sync covers.
    syncing_ms: Option<i64>,
    /// When the last sync began.
    sync_began_ms: i64,
    /// Why nothing can be written, and when that was tried last.
    failing: Option<(String, i64)>,
    /// Bytes of the files before the last one.
    before: u64,
    /// Bytes of all of them at the last rewrite.
    pub(super) base_size: u64,
    /// Times that replies had to wait for a sync.
    pub(super) delayed: u64,
}

/// The files of an AOF, as they lie there.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) fs: Arc<dyn Fs>,
    /// Their folder.
    pub(super) folder: PathBuf,
    pub(super) stem: Vec<u8>,
    pub(super) manifest: Manifest,
}

impl Aof {
    /// Goes on at the end of the last incr file; makes one if there is none. What the manifest calls
    /// history is left for [`Aof::history`].
    ///
    /// # Errors
    /// When a file cannot be opened, made or looked at.
    pub(super) fn open(files: Files, now_ms: i64) -> Result<Aof> {
        let Files { fs, folder, stem, mut manifest } = files;
        let dir = fs.open_dir(&folder).map_err(|err| Error::io(&folder, "open", err))?;
        let size = |entry: &Entry| {
            let stat = stat_if_there(&*dir, OsStr::from_bytes(&entry.name))?;
            Ok(stat.map_or(0, |stat| stat.size))
        };
        let sizes = manifest.loaded().map(size).collect::<Result<Vec<u64>>>()?;
        let base_size = manifest.base().map_or(Ok(0), size)?;
        let last = manifest.entries.iter_mut().rfind(|entry| entry.kind == Kind::Incr);
        let is_new = last.is_none();
        // It said where the file ends, which is no more so.
        let changed = last.is_some_and(|last| last.end_offset.take().is_some());
        if is_new {
            let entry = free_part(&*dir, &stem, &manifest, Kind::Incr, true)?;
            make_part(&*dir, &entry)?;
            manifest.entries.push(entry);
        }
        let last = manifest.entries.iter().rfind(|entry| entry.kind == Kind::Incr);
        let name = last.map(|last| OsString::from_vec(last.name.clone())).unwrap_or_default();
        let path = folder.join(&name);
        let failed = |doing| {
            let path = path.clone();
            move |err| Error::io(path, doing, err)
        };
        let file = dir.open(&name, Access::Update).map_err(failed("open"))?;
        let len = file.stat().map_err(failed("look at"))?.size;
        // A run that was killed may have left bytes that only the cache holds.
        file.sync().map_err(failed("sync"))?;
        let before = sizes.iter().sum::<u64>().saturating_sub(if is_new { 0 } else { len });
        let files = Files { fs, folder, stem, manifest };
        let mut aof = Aof::of(files, dir, Append::new(file, path, len), now_ms);
        (aof.before, aof.base_size) = (before, base_size);
        if is_new || changed {
            let manifest = std::mem::take(&mut aof.manifest);
            aof.put(manifest).map_err(|not| match not {
                NotPut::Old(error) | NotPut::Unsure(error) => error,
            })?;
        }
        Ok(aof)
    }

    fn of(files: Files, dir: Arc<dyn Dir>, append: Append, now_ms: i64) -> Aof {
        let Files { fs, folder, stem, manifest } = files;
        Aof {
            fs,
            dir,
            folder,
            stem,
            manifest,
            append,
            begun: None,
            log: Log::default(),
            logged_ms: None,
            written_ms: None,
            syncing_ms: None,
            sync_began_ms: now_ms,
            failing: None,
            before: 0,
            base_size: 0,
            delayed: 0,
        }
    }

    /// A new one while a store runs, beside what lies there: a start sees none of it before a base of this
    /// moment is there and [`Aof::install`]ed. Until then it goes when this is dropped.
    ///
    /// # Errors
    /// When a file cannot be made.
    pub(super) fn begin(mut files: Files, now_ms: i64) -> Result<Aof> {
        let dir = files.fs.open_dir(&files.folder);
        let dir = dir.map_err(|err| Error::io(&files.folder, "open", err))?;
        let entry = free_part(&*dir, &files.stem, &files.manifest, Kind::Incr, true)?;
        let path = files.folder.join(OsStr::from_bytes(&entry.name));
        files.manifest.entries.push(entry);
        let (temp, file) = Temp::file(&*files.fs, &dir)?;
        let mut aof = Aof::of(files, dir, Append::new(file, path, 0), now_ms);
        aof.begun = Some(temp);
        Ok(aof)
    }

    /// Is it one that no start sees yet?
    pub(super) fn is_beginning(&self) -> bool {
        self.begun.is_some()
    }

    /// The last incr file gets its name.
    fn name_begun(&mut self) -> Result<()> {
        let last = self.manifest.entries.iter().rfind(|entry| entry.kind == Kind::Incr);
        let (Some(temp), Some(last)) = (&self.begun, last) else { return Ok(()) };
        let name = OsStr::from_bytes(&last.name);
        let renamed = self.dir.rename_new(temp.name(), name).and_then(|()| self.dir.sync());
        renamed.map_err(|err| Error::io(self.folder.join(name), "put in place", err))?;
        self.begun.take().into_iter().for_each(Temp::renamed);
        Ok(())
    }

    /// Bytes of all files, and what waits.
    pub(super) fn size(&self) -> u64 {
        self.before + self.append.len() + self.waiting()
    }

    /// Bytes that wait to be written.
    pub(super) fn waiting(&self) -> u64 {
        self.log.bytes().len() as u64
    }

    /// Why nothing can be written.
    pub(super) fn failing(&self) -> Option<&str> {
        self.failing.as_ref().map(|(why, _)| why.as_str())
    }

    /// Is a sync under way?
    pub(super) fn is_syncing(&self) -> bool {
        self.syncing_ms.is_some()
    }

    /// Logs what a command did. `stamp`: whether the time is to be said.
    pub(super) fn log(&mut self, effects: &[Effect], now_ms: i64, stamp: bool) {
        self.log.unit(effects, stamp.then(|| now_ms.div_euclid(1000)));
        self.logged_ms.get_or_insert(now_ms);
    }

    /// Writes what waits, and syncs as the policy says; `quiet`: no sync is begun.
    pub(super) fn flush(
        &mut self,
        now_ms: i64,
        policy: Fsync,
        quiet: bool,
        background: &mut dyn Background,
    ) -> std::result::Result<(), Fatal> {
        while self.syncing_ms.is_some()
            && let Some(ended) = background.ended(Lane::Sync)
        {
            self.synced(ended)?;
        }
        if let Some(oldest) = self.syncing_ms
            && policy == Fsync::EverySecond
            && !self.log.bytes().is_empty()
        {
            if now_ms.abs_diff(oldest) < DELAY {
                return Ok(());
            }
            self.delayed += 1;
            self.synced(background.wait(Lane::Sync))?;
        }
        self.write(now_ms, policy)?;
        match policy {
            Fsync::Always if self.written_ms.is_some() => self.sync_now()?,
            Fsync::EverySecond => {
                let is_old = |ms: i64| now_ms.abs_diff(ms) >= EVERY;
                let due = is_old(self.sync_began_ms) || self.written_ms.is_some_and(is_old);
                if due && !quiet && self.syncing_ms.is_none() && self.written_ms.is_some() {
                    self.syncing_ms = self.written_ms.take();
                    self.sync_began_ms = now_ms;
                    background.start(Lane::Sync, Box::new(self.append.syncer()));
                }
            }
            // What no sync covers is still known: a new file is begun only when the old one is on the disk.
            Fsync::Always | Fsync::No => {}
        }
        Ok(())
    }

    fn synced(&mut self, ended: Result<()>) -> std::result::Result<(), Fatal> {
        self.syncing_ms = None;
        ended.map_err(Fatal)
    }

    fn sync_now(&mut self) -> std::result::Result<(), Fatal> {
        self.append.syncer()().map_err(Fatal)?;
        self.written_ms = None;
        Ok(())
    }

    fn write(&mut self, now_ms: i64, policy: Fsync) -> std::result::Result<(), Fatal> {
        let tried = self.failing.as_ref().is_some_and(|(_, at)| now_ms.abs_diff(*at) < SECOND);
        if self.log.bytes().is_empty() || (tried && policy != Fsync::Always) {
            return Ok(());
        }
        match self.append.write(self.log.bytes()) {
            Ok(()) => {
                self.log.written();
                self.failing = None;
                let logged = self.logged_ms.take();
                self.written_ms = self.written_ms.or(logged);
                Ok(())
            }
            Err(err) if policy == Fsync::Always => {
                Err(Fatal(Error::io(self.append.path(), "write", err)))
            }
            Err(err) => {
                self.failing = Some((err.to_string(), now_ms));
                Ok(())
            }
        }
    }

    /// Writes and syncs all there is, whatever the policy.
    pub(super) fn settle(
        &mut self,
        now_ms: i64,
        background: &mut dyn Background,
    ) -> std::result::Result<Result<()>, Fatal> {
        if self.syncing_ms.is_some() {
            self.synced(background.wait(Lane::Sync))?;
        }
        self.failing = None;
        self.write(now_ms, Fsync::No)?;
        if let Some(why) = self.failing() {
            return Ok(Err(Error::Usage(format!("the AOF cannot be written: {why}"))));
        }
        if self.written_ms.is_some() {
            self.sync_now()?;
        }
        Ok(Ok(()))
    }

    /// Goes on in a new incr file: what was logged so far is on the disk then, in the files before it.
    pub(super) fn rotate(
        &mut self,
        now_ms: i64,
        background: &mut dyn Background,
    ) -> std::result::Result<Result<()>, Fatal> {
        if let Err(error) = self.settle(now_ms, background)? {
            return Ok(Err(error));
        }
        let made = free_part(&*self.dir, &self.stem, &self.manifest, Kind::Incr, true)
            .and_then(|entry| make_part(&*self.dir, &entry).map(|path| (entry, path)));
        let (entry, file) = match made {
            Ok(made) => made,
            Err(error) => return Ok(Err(error)),
        };
        let name = OsString::from_vec(entry.name.clone());
        let mut manifest = self.manifest.clone();
        manifest.entries.push(entry);
        match self.put(manifest) {
            Ok(()) => {}
            Err(NotPut::Unsure(error)) => return Err(Fatal(error)),
            Err(NotPut::Old(error)) => {
                self.dir.unlink(&name).unwrap_or_default();
                return Ok(Err(error));
            }
        }
        self.before += self.append.len();
        self.append = Append::new(file, self.folder.join(&name), 0);
        self.log.begin_file();
        Ok(Ok(()))
    }

    /// A line for a new base, of a name that nothing has.
    pub(super) fn new_base(&self, is_commands: bool) -> Result<Entry> {
        free_part(&*self.dir, &self.stem, &self.manifest, Kind::Base, is_commands)
    }

    /// A new base is on the disk, of what the files before the last one make: it takes their place.
    pub(super) fn install(
        &mut self,
        base: Entry,
        size: u64,
    ) -> std::result::Result<Result<()>, Fatal> {
        if let Err(error) = self.name_begun() {
            return Ok(Err(error));
        }
        let mut manifest = self.manifest.clone();
        let last = manifest.entries.iter().rposition(|entry| entry.kind == Kind::Incr);
        for (at, entry) in manifest.entries.iter_mut().enumerate() {
            if Some(at) != last {
                entry.kind = Kind::History;
            }
        }
        manifest.entries.insert(0, base);
        match self.put(manifest) {
            Ok(()) => {}
            Err(NotPut::Unsure(error)) => return Err(Fatal(error)),
            Err(NotPut::Old(error)) => return Ok(Err(error)),
        }
        self.before = size;
        self.base_size = self.size();
        Ok(Ok(()))
    }

    /// The files that are history.
    pub(super) fn history(&self) -> Vec<OsString> {
        let history = self.manifest.entries.iter().filter(|entry| entry.kind == Kind::History);
        history.map(|entry| OsString::from_vec(entry.name.clone())).collect()
    }

    /// They are gone.
    pub(super) fn forget_history(&mut self) -> std::result::Result<(), Fatal> {
        let mut manifest = self.manifest.clone();
        manifest.entries.retain(|entry| entry.kind != Kind::History);
        match self.put(manifest) {
            // Files of the history may be missing: the next rewrite tells the manifest so.
            Ok(()) | Err(NotPut::Old(_)) => Ok(()),
            Err(NotPut::Unsure(error)) => Err(Fatal(error)),
        }
    }

    fn put(&mut self, manifest: Manifest) -> std::result::Result<(), NotPut> {
        let name = [&self.stem[..], b".manifest"].concat();
        let path = self.folder.join(OsString::from_vec(name));
        put_manifest(&*self.fs, &path, &manifest.write())?;
        self.manifest = manifest;
        Ok(())
    }
}

/// The next number, and a name that no file has: what lies there under a name that no manifest names is
/// never written to.
fn free_part(
    dir: &dyn Dir,
    stem: &[u8],
    manifest: &Manifest,
    kind: Kind,
    is_commands: bool,
) -> Result<Entry> {
    let is_base = kind == Kind::Base;
    let is_older = |entry: &&Entry| match entry.kind {
        Kind::History => entry.name.windows(6).any(|word| word == b".base.") == is_base,
        own => (own == Kind::Base) == is_base,
    };
    let last = manifest.entries.iter().filter(is_older).map(|entry| entry.seq).max();
    let first = last.unwrap_or(0).saturating_add(1);
    for seq in first..first.saturating_add(NAMES) {
        let name = if is_base { base_name(stem, seq, is_commands) } else { incr_name(stem, seq) };
        if stat_if_there(dir, OsStr::from_bytes(&name))?.is_none() {
            return Ok(Entry::new(&name, seq, kind));
        }
    }
    Err(Error::Usage(format!("{}: too many files that no manifest names", dir.path().display())))
}

/// Makes an empty part whose name is on the disk before any manifest names it.
fn make_part(dir: &dyn Dir, entry: &Entry) -> Result<Arc<dyn crate::persist::fs::File>> {
    let name = OsStr::from_bytes(&entry.name);
    let failed = |err| Error::io(dir.path().join(name), "create", err);
    let file = dir.open(name, Access::Create(0o600)).map_err(failed)?;
    match dir.sync() {
        Ok(()) => Ok(file),
        Err(err) => {
            dir.unlink(name).unwrap_or_default();
            Err(failed(err))
        }
    }
}
