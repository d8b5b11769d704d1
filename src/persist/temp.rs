//! Temporary files, which never outlive the run that made them: they are removed when dropped, and by
//! [`remove_all`] when a signal ends the run. What a killed run left can be told from what a live one is
//! writing, since a live one holds the file's lock.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::fs::{Access, Dir, File, Fs, Kind};
use crate::error::{Error, Result};

/// What every temporary name begins with.
const PREFIX: &str = ".rdbtool.";

/// And ends with.
const SUFFIX: &str = ".tmp";

/// Hexadecimal digits between them.
const DIGITS: usize = 16;

/// Names that are tried before giving up; the second one is never needed on an honest system.
const TRIES: usize = 8;

/// The temporary files of this process.
static TEMPS: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct Entry {
    dir: Arc<dyn Dir>,
    name: OsString,
}

fn temps() -> MutexGuard<'static, Vec<Entry>> {
    TEMPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A temporary file, or a folder of files.
#[derive(Debug)]
pub struct Temp {
    dir: Arc<dyn Dir>,
    name: OsString,
    there: bool,
}

impl Temp {
    /// Makes a file that nobody else can open, and locks it.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn file(fs: &dyn Fs, dir: &Arc<dyn Dir>) -> Result<(Temp, Arc<dyn File>)> {
        let (temp, file) = Temp::make(fs, dir, |name| dir.open(name, Access::Create(0o600)))?;
        // Only who lists stale files asks for the lock; a system without locks goes without.
        file.lock().unwrap_or_default();
        Ok((temp, file))
    }

    /// Makes a folder that nobody else can enter.
    ///
    /// # Errors
    /// When the folder around it cannot be written to.
    pub fn folder(fs: &dyn Fs, dir: &Arc<dyn Dir>) -> Result<(Temp, Arc<dyn Dir>)> {
        let (temp, folder) = Temp::make(fs, dir, |name| {
            dir.make_dir(name, 0o700)?;
            dir.open_dir(name)
        })?;
        folder.lock().unwrap_or_default();
        Ok((temp, folder))
    }

    fn make<T>(
        fs: &dyn Fs,
        dir: &Arc<dyn Dir>,
        make: impl Fn(&OsStr) -> std::io::Result<T>,
    ) -> Result<(Temp, T)> {
        // Under the lock, so that a signal cannot come between making the file and knowing of it.
        let mut temps = temps();
        for _ in 0..TRIES {
            let name = OsString::from(format!("{PREFIX}{:016x}{SUFFIX}", fs.random()));
            match make(&name) {
                Ok(made) => {
                    temps.push(Entry { dir: dir.clone(), name: name.clone() });
                    return Ok((Temp { dir: dir.clone(), name, there: true }, made));
                }
                Err(err) if err.kind() == ErrorKind::AlreadyExists => {}
                Err(err) => {
                    // It may be there all the same.
                    if err.kind() != ErrorKind::NotFound {
                        remove(&**dir, &name).unwrap_or_default();
                    }
                    return Err(Error::io(dir.path(), "create a file in", err));
                }
            }
        }
        Err(Error::io(dir.path(), "create a file in", ErrorKind::AlreadyExists.into()))
    }

    /// Its name.
    pub fn name(&self) -> &OsStr {
        &self.name
    }

    /// Its path.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join(&self.name)
    }

    /// It has its final name now.
    pub fn renamed(mut self) {
        self.there = false;
    }

    /// Removes it after an error, which says so if that fails too.
    #[cold]
    pub fn discard(mut self, error: Error) -> Error {
        self.there = false;
        match remove(&*self.dir, &self.name) {
            Ok(()) => error,
            Err(err) if err.kind() == ErrorKind::NotFound => error,
            Err(_) => Error::Leftover { error: Box::new(error), temp: self.path() },
        }
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if self.there {
            remove(&*self.dir, &self.name).unwrap_or_default();
        }
        let mine = |entry: &Entry| Arc::ptr_eq(&entry.dir, &self.dir) && entry.name == self.name;
        temps().retain(|entry| !mine(entry));
    }
}

/// Removes a file, or a folder with the files in it.
fn remove(dir: &dyn Dir, name: &OsStr) -> std::io::Result<()> {
    let removed = dir.unlink(name);
    let Ok(folder) = (if removed.is_err() { dir.open_dir(name) } else { return Ok(()) }) else {
        return removed;
    };
    for name in folder.list()? {
        folder.unlink(&name)?;
    }
    dir.remove_dir(name)
}

/// Removes all temporary files of this process, which must end now: whoever wants to make another waits
/// for ever.
pub fn remove_all(end: impl FnOnce()) {
    let temps = temps();
    for Entry { dir, name } in &*temps {
        remove(&**dir, name).unwrap_or_default();
    }
    end();
}

/// A temporary file that a killed run left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
}

/// The temporary files in a folder that no run is writing any more. Only [`sweep`] removes
/// them.
///
/// # Errors
/// When the folder cannot be listed.
pub fn stale(fs: &dyn Fs, dir: &Path) -> Result<Vec<Stale>> {
    let failed = |err| Error::io(dir, "list", err);
    let folder = fs.open_dir(dir).map_err(failed)?;
    let mut stale = Vec::new();
    for name in folder.list().map_err(failed)? {
        let Some(stat) = is_temp_name(&name).then(|| folder.stat(&name).ok()).flatten() else {
            continue;
        };
        let locked = match stat.kind {
            Kind::File => folder.open(&name, Access::Read).and_then(|file| file.lock()),
            Kind::Dir => folder.open_dir(&name).and_then(|folder| folder.lock()),
            _ => Ok(false),
        };
        // Who cannot ask for the lock cannot tell, and says nothing.
        if locked.unwrap_or(false) {
            stale.push(Stale { path: dir.join(name), size: stat.size });
        }
    }
    Ok(stale)
}

/// Removes the temporary files that killed runs left in a folder which is this process's own. One that
/// stays harms nobody.
pub fn sweep(fs: &dyn Fs, dir: &Path) {
    let Ok(folder) = fs.open_dir(dir) else { return };
    for stale in stale(fs, dir).unwrap_or_default() {
        if let Some(name) = stale.path.file_name() {
            remove(&*folder, name).unwrap_or_default();
        }
    }
}

/// Whether a name is one of ours.
pub fn is_temp_name(name: &OsStr) -> bool {
    let digits = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
    digits.is_some_and(|digits| {
        digits.len() == DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}
