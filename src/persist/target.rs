//! What a run may write to, and what it must not: guards 15 and 16 of RELIABILITY 2.2.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fs::{Access, Dir, Fs, Holder, Kind, Stat, open_parent, stat_if_there};
use crate::error::{Error, Result};

/// How to write.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The files that are read: none of them may be written to, except as `expected`.
    pub inputs: Vec<Stat>,
    /// For work in place: the target as it was when it was read.
    pub expected: Option<Stat>,
    /// Permission bits of a new file, instead of 0600. A replaced file keeps its own.
    pub mode: Option<u32>,
    /// Bytes that will be written, as far as known: they must fit.
    pub size: u64,
    /// Keep what is replaced under a name with this time (ms since 1970).
    pub backup_at_ms: Option<i64>,
    /// Never replace anything.
    pub must_be_new: bool,
    /// Write to where a symbolic link points.
    pub follow: bool,
    /// Write although a process holds the file open.
    pub force: bool,
    /// The file is this process's own: who else may hold it is not asked, which takes a while.
    pub ours: bool,
}

/// Worth knowing about what was written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The file has other names (how many), which still are the old file.
    HardLinks(u64),
    /// Some process held the file open.
    Held(Vec<Holder>),
}

/// A file that may be written to, as it was when that was decided.
#[derive(Debug)]
pub struct Target {
    /// The folder it is in.
    pub dir: Arc<dyn Dir>,
    /// Its name there.
    pub name: OsString,
    /// Its path.
    pub path: PathBuf,
    /// What is there already.
    pub before: Option<Stat>,
    /// Its access list, if it has one.
    pub acl: Option<Vec<u8>>,
    /// What the user should know.
    pub warnings: Vec<Warning>,
}

impl Target {
    /// Decides whether a path may be written to.
    ///
    /// # Errors
    /// When it may not.
    pub fn open(fs: &dyn Fs, path: &Path, options: &Options) -> Result<Target> {
        let mut path = path.to_owned();
        let (mut dir, mut name) = open_parent(fs, &path)?;
        let mut before = stat_if_there(&*dir, &name)?;
        if options.follow && before.is_some_and(|stat| stat.kind == Kind::Symlink) {
            path = fs.canonicalize(&path).map_err(|err| Error::io(&path, "follow", err))?;
            (dir, name) = open_parent(fs, &path)?;
            before = stat_if_there(&*dir, &name)?;
        }
        let mut target = Target { dir, name, path, before, acl: None, warnings: Vec::new() };
        if let Some(before) = target.before {
            target.must_be_ours(fs, &before, options)?;
        } else if options.expected.is_some() {
            return Err(target.refuse("it is gone"));
        }
        target.must_fit(options.size)?;
        Ok(target)
    }

    fn must_be_ours(&mut self, fs: &dyn Fs, before: &Stat, options: &Options) -> Result<()> {
        match before.kind {
            Kind::File => {}
            Kind::Symlink => {
                return Err(self.refuse("it is a symbolic link; name the file it points to"));
            }
            _ => return Err(self.refuse("it is no regular file")),
        }
        if options.must_be_new {
            return Err(self.refuse("it exists already"));
        }
        match options.expected {
            Some(expected) if !expected.unchanged(before) => return Err(self.changed()),
            Some(_) => {}
            None if options.inputs.iter().any(|input| input.same_file(before)) => {
                return Err(self.refuse("it is the input itself; to change it, ask for that"));
            }
            None => {}
        }
        let holders = if options.ours { Vec::new() } else { fs.holders(&[*before]) };
        if !holders.is_empty() {
            if !options.force {
                return Err(self.refuse(held(&holders)));
            }
            self.warnings.push(Warning::Held(holders));
        }
        let failed = |err| Error::io(&self.path, "read the access list of", err);
        self.acl = self.dir.open(&self.name, Access::Read).and_then(|f| f.acl()).map_err(failed)?;
        if before.links > 1 {
            self.warnings.push(Warning::HardLinks(before.links - 1));
        }
        Ok(())
    }

    /// Whether this many bytes fit on the disk.
    ///
    /// # Errors
    /// When they do not.
    pub fn must_fit(&self, size: u64) -> Result<()> {
        let failed = |err| Error::io(self.dir.path(), "find out the space left in", err);
        let left = if size > 0 { self.dir.space_left().map_err(failed)? } else { 0 };
        if size > left {
            let why = format!("{size} bytes do not fit into the {left} that are left on its disk");
            return Err(self.refuse(why));
        }
        Ok(())
    }

    /// Whether it still is as it was.
    ///
    /// # Errors
    /// When it is not.
    pub fn must_be_unchanged(&self) -> Result<()> {
        let same = match (self.before, stat_if_there(&*self.dir, &self.name)?) {
            (None, None) => true,
            (Some(before), Some(now)) => now.kind == Kind::File && before.unchanged(&now),
            _ => false,
        };
        if same { Ok(()) } else { Err(self.changed()) }
    }

    /// An error that says why the target is not touched.
    #[cold]
    pub fn refuse(&self, why: impl Into<String>) -> Error {
        Error::refused(&self.path, why)
    }

    #[cold]
    fn changed(&self) -> Error {
        self.refuse("it changed since it was looked at")
    }

    /// An error of the system about the target.
    #[cold]
    pub fn failed(&self, doing: &'static str) -> impl FnOnce(std::io::Error) -> Error {
        let path = self.path.clone();
        move |err| Error::io(path, doing, err)
    }
}

/// Why a file that is held open is not touched.
pub fn held(holders: &[Holder]) -> String {
    let names = holders.iter().map(|holder| format!("{} ({})", holder.name, holder.pid));
    let names = names.collect::<Vec<_>>().join(", ");
    format!("it is held open by {names}; stop that first")
}
