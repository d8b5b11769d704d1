//! What writing needs of a file system, as traits, so that tests and drills can put another one in its
//! place: [`super::real`] is the machine's, [`super::sim`] lives in memory, loses what was not synced
//! when its power goes, and fails where it is told to.
//!
//! All names are looked up in an open folder ([`Dir`]): a folder that is renamed or replaced by a link
//! while we work cannot make us write elsewhere (RELIABILITY 2.2, guard 12).
//!
//! Files are read and written at positions, through `&self`: one thread can write an append-only log
//! while another syncs it.

use std::ffi::{OsStr, OsString};
use std::fmt::Debug;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};

/// A file system.
pub trait Fs: Debug + Send + Sync {
    /// Opens a folder.
    fn open_dir(&self, path: &Path) -> io::Result<Arc<dyn Dir>>;
    /// The path without symbolic links, of something that exists.
    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf>;
    /// 64 bits that nobody can guess, for names of temporary files.
    fn random(&self) -> u64;
    /// Other processes that hold one of these files open, as far as can be seen.
    fn holders(&self, files: &[Stat]) -> Vec<Holder>;
}

/// An open folder. Names are names in it, never paths.
pub trait Dir: Debug + Send + Sync {
    /// The path it was opened with, for messages.
    fn path(&self) -> &Path;
    /// Opens a file; a symbolic link is not followed, a FIFO does not block.
    fn open(&self, name: &OsStr, access: Access) -> io::Result<Arc<dyn File>>;
    /// Opens a folder in this one.
    fn open_dir(&self, name: &OsStr) -> io::Result<Arc<dyn Dir>>;
    /// Makes a folder.
    fn make_dir(&self, name: &OsStr, mode: u32) -> io::Result<()>;
    /// What a name stands for; a symbolic link is itself.
    fn stat(&self, name: &OsStr) -> io::Result<Stat>;
    /// The names, sorted.
    fn list(&self) -> io::Result<Vec<OsString>>;
    /// Renames, over what may be there.
    fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()>;
    /// Renames, but fails if the new name exists.
    fn rename_new(&self, from: &OsStr, to: &OsStr) -> io::Result<()>;
    /// Gives a file a second name.
    fn link(&self, from: &OsStr, to: &OsStr) -> io::Result<()>;
    /// Removes the name of a file.
    fn unlink(&self, name: &OsStr) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_dir(&self, name: &OsStr) -> io::Result<()>;
    /// Makes names durable: those made, renamed and removed in this folder so far.
    fn sync(&self) -> io::Result<()>;
    /// Bytes that this user may still write.
    fn space_left(&self) -> io::Result<u64>;
    /// Takes the folder's advisory lock, which goes with the process. False if another has it.
    fn lock(&self) -> io::Result<bool>;
}

/// An open file.
pub trait File: Debug + Send + Sync {
    /// Reads up to `buf.len()` bytes from a position.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes up to `buf.len()` bytes at a position.
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize>;
    /// Cuts or extends.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes bytes, size, owner and mode durable; not the file's name. After an error nobody knows
    /// which bytes reached the disk, and asking again may well be answered with success (ATC'20, "Can
    /// applications recover from fsync failures?"): so never ask again.
    fn sync(&self) -> io::Result<()>;
    /// Makes bytes and size durable. The same word on errors.
    fn sync_data(&self) -> io::Result<()>;
    /// What it is.
    fn stat(&self) -> io::Result<Stat>;
    /// Changes owner and group.
    fn set_owner(&self, uid: u32, gid: u32) -> io::Result<()>;
    /// Changes the permission bits.
    fn set_mode(&self, mode: u32) -> io::Result<()>;
    /// The POSIX access list beyond the permission bits, if there is one.
    fn acl(&self) -> io::Result<Option<Vec<u8>>>;
    /// Sets the access list.
    fn set_acl(&self, acl: &[u8]) -> io::Result<()>;
    /// Takes the file's advisory lock, which goes with the process. False if another has it.
    fn lock(&self) -> io::Result<bool>;
}

/// How to open a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To read.
    Read,
    /// To read and write one that exists.
    Update,
    /// To read and write one that must not exist yet, with this mode from its first moment on.
    Create(u32),
}

/// Kinds of directory entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A FIFO, device or socket.
    Other,
}

/// What `stat` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// The device it is on.
    pub dev: u64,
    /// Its number there.
    pub ino: u64,
    /// What it is.
    pub kind: Kind,
    /// Bytes.
    pub size: u64,
    /// Bytes on the disk: less than `size` when there are holes.
    pub allocated: u64,
    /// Names it has.
    pub links: u64,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of the last change of its bytes, in ns since 1970.
    pub modified_ns: i128,
}

impl Stat {
    /// Whether two names or handles are one file.
    pub fn same_file(&self, other: &Stat) -> bool {
        (self.dev, self.ino) == (other.dev, other.ino)
    }

    /// Whether it is the same file with the same bytes, as far as `stat` can tell.
    pub fn unchanged(&self, other: &Stat) -> bool {
        self.same_file(other) && (self.size, self.modified_ns) == (other.size, other.modified_ns)
    }
}

/// A process that holds a file open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub pid: u32,
    /// Its name, as the system gives it.
    pub name: String,
}

/// A path as the folder it is in and its name there.
///
/// # Errors
/// When it has no file name (`/`, `..`) or the folder cannot be opened.
pub fn open_parent(fs: &dyn Fs, path: &Path) -> Result<(Arc<dyn Dir>, OsString)> {
    let Some(name) = path.file_name() else {
        return Err(Error::Usage(format!("{} does not name a file", path.display())));
    };
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let dir = fs.open_dir(parent).map_err(|err| Error::io(parent, "open", err))?;
    Ok((dir, name.to_owned()))
}

/// What a name stands for, or `None` if there is no such name.
///
/// # Errors
/// When the system does not tell.
pub fn stat_if_there(dir: &dyn Dir, name: &OsStr) -> Result<Option<Stat>> {
    match dir.stat(name) {
        Ok(stat) => Ok(Some(stat)),
        Err(err) if err.kind() == ErrorKind::NotFound => Ok(None),
        Err(err) => Err(Error::io(dir.path().join(name), "look at", err)),
    }
}

/// Signals in a row that may interrupt one operation.
const INTERRUPTIONS_MAX: usize = 100;

/// Asks again when a signal came between, but not for ever.
///
/// # Errors
/// Those of the operation; never one of the kind that callers would ask again for.
pub fn patiently<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..INTERRUPTIONS_MAX {
        match operation() {
            Err(err) if err.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
    operation().map_err(|err| match err.kind() {
        ErrorKind::Interrupted => io::Error::other(err),
        _ => err,
    })
}

/// Reads until the buffer is full or the file ends.
///
/// # Errors
/// Those of the file, except interruptions.
pub fn read_full_at(file: &dyn File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match patiently(|| file.read_at(rest, offset + done as u64))? {
            0 => break,
            count => done += count,
        }
    }
    Ok(done)
}

/// Writes everything, whatever pieces the system takes it in.
///
/// # Errors
/// Those of the file, except interruptions; some of the bytes may be there then.
pub fn write_all_at(file: &dyn File, buf: &[u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while let Some(rest) = buf.get(done..).filter(|rest| !rest.is_empty()) {
        match patiently(|| file.write_at(rest, offset + done as u64))? {
            0 => return Err(ErrorKind::WriteZero.into()),
            count => done += count,
        }
    }
    Ok(())
}

/// A file read from front to back, or a part of it.
#[derive(Debug)]
pub struct FileReader {
    file: Arc<dyn File>,
    offset: u64,
    end: u64,
}

impl FileReader {
    /// Reads the bytes of a file from `offset` to `end`, or to its end if that comes first.
    pub fn new(file: Arc<dyn File>, offset: u64, end: u64) -> FileReader {
        FileReader { file, offset, end }
    }
}

impl Read for FileReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.end.saturating_sub(self.offset);
        let len = usize::try_from(left).map_or(buf.len(), |left| left.min(buf.len()));
        let count = match buf.get_mut(..len) {
            Some(buf) if !buf.is_empty() => patiently(|| self.file.read_at(buf, self.offset))?,
            _ => 0,
        };
        self.offset += count as u64;
        Ok(count)
    }
}
