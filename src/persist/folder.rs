//! A new folder of files that is there as a whole or not at all: written under a temporary name, every
//! file and the folder itself synced, then renamed.
//!
//! A multi-part AOF is such a folder: one without its manifest is worse than none, since a server starts
//! empty with it and appends to what lies there (FORMATS B.4).

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fs::{Dir, Fs, open_parent, stat_if_there};
use super::replace::Replacement;
use super::target::{Options, Target};
use super::temp::Temp;
use crate::error::{Error, Result};

/// A folder that is being written and is not there yet. Dropped, it never was.
#[derive(Debug)]
pub struct NewFolder<'a> {
    fs: &'a dyn Fs,
    target: Target,
    temp: Temp,
    folder: Arc<dyn Dir>,
}

/// The place of a folder that must not exist yet and will hold so many bytes.
///
/// # Errors
/// When there is such a name, or not enough space.
pub fn place(fs: &dyn Fs, path: &Path, size: u64) -> Result<Target> {
    let (dir, name) = open_parent(fs, path)?;
    let before = stat_if_there(&*dir, &name)?;
    let target =
        Target { dir, name, path: path.to_owned(), before, acl: None, warnings: Vec::new() };
    if target.before.is_some() {
        return Err(target.refuse("it exists already"));
    }
    target.must_fit(size)?;
    Ok(target)
}

impl<'a> NewFolder<'a> {
    /// Starts a folder that must not exist yet and will hold so many bytes.
    ///
    /// # Errors
    /// When there is such a name, not enough space, or the folder cannot be made.
    pub fn begin(fs: &'a dyn Fs, path: &Path, size: u64) -> Result<NewFolder<'a>> {
        let target = place(fs, path, size)?;
        let (temp, folder) = Temp::folder(fs, &target.dir)?;
        Ok(NewFolder { fs, target, temp, folder })
    }

    /// Starts a file in it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn file(&self, name: &OsStr, mode: Option<u32>) -> Result<Replacement<'a>> {
        let options = Options { mode, must_be_new: true, ..Options::default() };
        Replacement::begin(self.fs, &self.temp.path().join(name), options)
    }

    /// Puts the folder in place.
    ///
    /// # Errors
    /// When that fails; there is no folder then, except if the very last step failed.
    pub fn commit(self) -> Result<PathBuf> {
        let NewFolder { target, temp, folder, .. } = self;
        let put = folder
            .sync()
            .map_err(target.failed("sync the new"))
            .and_then(|()| target.must_be_unchanged())
            .and_then(|()| {
                let renamed = target.dir.rename_new(temp.name(), &target.name);
                renamed.map_err(target.failed("put in place"))
            });
        match put {
            Ok(()) => temp.renamed(),
            Err(error) => return Err(temp.discard(error)),
        }
        target.dir.sync().map_err(target.failed("make durable the new"))?;
        Ok(target.path)
    }

    /// Gives up after an error, which then also tells of files that cannot be removed.
    #[cold]
    pub fn abandon(self, error: Error) -> Error {
        self.temp.discard(error)
    }
}
