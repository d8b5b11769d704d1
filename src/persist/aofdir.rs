//! Changing which files make a multi-part AOF, so that at every moment, a power cut included, the
//! manifest names either the old files or the new ones, and all that it names are there (RELIABILITY 3.5):
//!
//! ```text
//! 1 look at the manifest      as for a replacement
//! 2 write every new part      by the protocol of [`super::replace`]: on the disk, and its name too
//! 3 replace the manifest      by the same protocol: this is the moment
//! 4 remove old parts          if asked: only now nothing names them
//! ```
//!
//! A crash before 3 leaves parts that no manifest names. A server ignores such files until it comes to
//! their number: then it *appends* to them, and their old content is back at the next start (FORMATS B.4).
//! So a new part never has a name that a server would choose: see [`part_name`].

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::fs::{Access, FileReader, Fs, open_parent, stat_if_there};
use super::replace::{Replaced, Replacement};
use super::target::{Options, Target};
use crate::error::{Error, Result};

/// A change of a multi-part AOF. Dropped before it is committed, it never was.
#[derive(Debug)]
pub struct Edit<'a> {
    fs: &'a dyn Fs,
    manifest: PathBuf,
    options: Options,
    target: Target,
    parts: Vec<OsString>,
}

impl<'a> Edit<'a> {
    /// Looks at the manifest.
    ///
    /// # Errors
    /// When it may not be replaced.
    pub fn begin(fs: &'a dyn Fs, manifest: &Path, options: Options) -> Result<Edit<'a>> {
        let target = Target::open(fs, manifest, &options)?;
        let manifest = target.path.clone();
        Ok(Edit { fs, manifest, options, target, parts: Vec::new() })
    }

    /// Starts a new part.
    ///
    /// # Errors
    /// When there is such a file already, or it cannot be made.
    pub fn part(&self, name: &OsStr, size: u64) -> Result<Replacement<'a>> {
        let mode = self.target.before.map(|before| before.mode);
        let options = Options { mode, size, must_be_new: true, ..Options::default() };
        Replacement::begin(self.fs, &self.manifest.with_file_name(name), options)
    }

    /// Finishes a new part, which is on the disk then, and not yet part of the AOF.
    ///
    /// # Errors
    /// As [`Replacement::commit`].
    pub fn add(
        &mut self,
        part: Replacement<'_>,
        verify: impl FnOnce(Box<dyn Read + Send>) -> Result<()>,
    ) -> Result<Replaced> {
        let name = part.name().to_owned();
        let added = part.commit(verify)?;
        self.parts.push(name);
        Ok(added)
    }

    /// Replaces the manifest: from here on the AOF is the new one.
    ///
    /// # Errors
    /// When that fails. The manifest is the old one then, except if the very last step failed.
    pub fn commit(mut self, manifest: &[u8]) -> Result<Replaced> {
        let mut options = std::mem::take(&mut self.options);
        options.expected = self.target.before;
        let file = Replacement::begin(self.fs, &self.manifest, options)?.with(manifest)?;
        let replaced = file.commit(|_| Ok(()))?;
        self.parts.clear();
        Ok(replaced)
    }
}

impl Drop for Edit<'_> {
    /// Removes the new parts if the manifest does not name them.
    fn drop(&mut self) {
        if !self.parts.is_empty() && self.target.must_be_unchanged().is_ok() {
            for name in &self.parts {
                self.target.dir.unlink(name).unwrap_or_default();
            }
        }
    }
}

/// Why a manifest is not the new one, or not for certain.
#[derive(Debug)]
pub enum NotPut {
    /// It is the old one.
    Old(Error),
    /// It is the new one, but a crash may bring the old one back: nothing that hangs on either may be done.
    Unsure(Error),
}

/// Replaces the manifest of an AOF that this process keeps; all that it names must be on the disk already.
///
/// # Errors
/// When that fails.
pub fn put_manifest(fs: &dyn Fs, path: &Path, text: &[u8]) -> std::result::Result<(), NotPut> {
    let options = Options { ours: true, ..Options::default() };
    let put = Replacement::begin(fs, path, options)
        .and_then(|file| file.with(text))
        .and_then(|file| file.commit(|_| Ok(())));
    put.map(|_| ()).map_err(|error| match read(fs, path) {
        Some(found) if found != text => NotPut::Old(error),
        _ => NotPut::Unsure(error),
    })
}

fn read(fs: &dyn Fs, path: &Path) -> Option<Vec<u8>> {
    let (dir, name) = open_parent(fs, path).ok()?;
    let file = dir.open(&name, Access::Read).ok()?;
    let mut text = Vec::new();
    FileReader::new(file, 0, u64::MAX).read_to_end(&mut text).ok()?;
    Some(text)
}

/// Removes parts that the manifest does not name any more.
///
/// # Errors
/// When that fails; some may be gone then, which harms nobody.
pub fn remove_parts(fs: &dyn Fs, manifest: &Path, names: &[OsString]) -> Result<()> {
    let target = Target::open(fs, manifest, &Options::default())?;
    for name in names {
        if stat_if_there(&*target.dir, name)?.is_some() {
            target.dir.unlink(name).map_err(target.failed("remove an old part of"))?;
        }
    }
    target.dir.sync().map_err(target.failed("make durable the removal of old parts of"))
}

/// A name for the repaired form of a part: `appendonly.aof.2.incr.aof` becomes
/// `appendonly.aof.2.incr.fixed-1.aof`. Servers take any name that a manifest gives, and choose none
/// like it.
pub fn part_name(old: &str, number: u32) -> String {
    let (stem, extension) = old.rsplit_once('.').unwrap_or((old, "aof"));
    let stem = stem.rsplit_once(".fixed-").map_or(stem, |(stem, _)| stem);
    format!("{stem}.fixed-{number}.{extension}")
}
