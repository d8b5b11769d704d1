//! Replacing a file so that at every moment, a power cut included, either the old or the new one is
//! there, whole (RELIABILITY 3.5; the table of 1.4 shows what happens to those who leave out a step):
//!
//! ```text
//!  1 open the folder          all names are looked up in it
//!  2 look at the target       a regular file, none of the inputs, not held open; its owner and mode
//!  3 is there room?
//!  4 create a temporary file  same folder, new, mode 0600
//!  5 write it
//!  6 owner and mode           those of the target; never wider
//!  7 read it back             the same bytes? and what the caller knows to verify
//!  8 fsync it                 an error is the end: never asked twice; at the same time as 7 if it is large
//!  9 look at the target       unchanged?
//! 10 backup, if asked         a second name for the old file, fsync of the folder
//! 11 rename                   a new file never over another
//! 12 fsync of the folder      only now it is done
//! ```
//!
//! A close that fails after a successful fsync has no news, and is not asked.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::fs::{Access, File, FileReader, Fs, Stat, patiently, stat_if_there, write_all_at};
use super::target::{Options, Target, Warning};
use super::temp::Temp;
use crate::encoding::crc64::{self, Crc64};
use crate::error::{Error, Result};
use crate::join::join;

/// Bytes that are copied and read back at a time.
const BLOCK: usize = 1 << 20;

/// Bytes from which on a file is read back while the disk writes it: each takes as long as the other.
const LARGE: u64 = 8 << 20;

/// Names that are told apart by a number.
const NAMES_MAX: u32 = 1000;

/// A file that is being written and is not there yet. Dropped, it never was.
#[derive(Debug)]
pub struct Replacement<'a> {
    fs: &'a dyn Fs,
    target: Target,
    options: Options,
    temp: Temp,
    file: Arc<dyn File>,
    written: Tally,
    /// The first write that failed: what came after it is worth nothing.
    failed: Option<io::Error>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// The file that is new.
    pub path: PathBuf,
    /// Its bytes.
    pub size: u64,
    /// Where the old one is kept.
    pub backup: Option<PathBuf>,
    /// What the user should know.
    pub warnings: Vec<Warning>,
}

/// Bytes seen and their checksum.
#[derive(Debug, Clone)]
struct Tally {
    len: u64,
    crc: Crc64,
}

impl Tally {
    fn new() -> Tally {
        Tally { len: 0, crc: Crc64::new() }
    }

    fn add(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        self.crc.update(bytes);
    }

    fn is(&self, other: &Tally) -> bool {
        (self.len, self.crc.value()) == (other.len, other.crc.value())
    }
}

impl<'a> Replacement<'a> {
    /// Steps 1 to 4: after it the new file can be written to.
    ///
    /// # Errors
    /// When the target may not be replaced, or the temporary file cannot be made.
    pub fn begin(fs: &'a dyn Fs, path: &Path, options: Options) -> Result<Replacement<'a>> {
        let target = Target::open(fs, path, &options)?;
        Replacement::of(fs, target, options)
    }

    /// The same for a target that was looked at already.
    ///
    /// # Errors
    /// When the temporary file cannot be made.
    pub fn of(fs: &'a dyn Fs, target: Target, options: Options) -> Result<Replacement<'a>> {
        let (temp, file) = Temp::file(fs, &target.dir)?;
        Ok(Replacement { fs, target, options, temp, file, written: Tally::new(), failed: None })
    }

    /// The name that the file will have.
    pub fn name(&self) -> &OsStr {
        &self.target.name
    }

    /// The path of what is replaced.
    pub fn path(&self) -> &Path {
        &self.target.path
    }

    /// Bytes written so far.
    pub fn len(&self) -> u64 {
        self.written.len
    }

    /// Whether nothing was written so far.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The CRC-64 of what was written so far: of an RDB what it ends with.
    pub fn checksum(&self) -> u64 {
        self.written.crc.value()
    }

    /// Appends bytes of another file, or all that there are up to `end`. Runs of NULs of a block's
    /// length are skipped, and stay a hole.
    ///
    /// # Errors
    /// When one cannot be read or the other not written.
    pub fn copy(&mut self, from: &Arc<dyn File>, path: &Path, start: u64, end: u64) -> Result<()> {
        let mut reader = FileReader::new(from.clone(), start, end);
        let mut block = vec![0; BLOCK];
        loop {
            let len = reader.read(&mut block).map_err(|err| Error::io(path, "read", err))?;
            if len == 0 {
                return Ok(());
            }
            let bytes = block.get(..len).unwrap_or_default();
            let written = if bytes.iter().all(|byte| *byte == 0) {
                self.file.set_len(self.len() + len as u64)
            } else {
                write_all_at(&*self.file, bytes, self.len())
            };
            written.map_err(|err| self.write_error(err))?;
            self.written.add(bytes);
        }
    }

    /// Puts `new` in the place of `old`, which was written at this offset and is as long.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn patch(&mut self, offset: u64, old: &[u8], new: &[u8]) -> io::Result<()> {
        write_all_at(&*self.file, new, offset)?;
        let after = self.len().saturating_sub(offset.saturating_add(new.len() as u64));
        let crc = crc64::patched(self.written.crc.value(), old, new, after);
        self.written.crc = Crc64::resume(crc);
        Ok(())
    }

    /// Steps 6 to 12. `verify` reads the file as it is on the disk and says whether it is as intended.
    ///
    /// # Errors
    /// When any step fails. The target is the old one then, except if the very last step failed: the
    /// new one is in place, but nobody knows whether a power cut would leave it there.
    pub fn commit(
        self,
        verify: impl FnOnce(Box<dyn Read + Send>) -> Result<()>,
    ) -> Result<Replaced> {
        let Replacement { fs, target, options, temp, file, written, failed } = self;
        let prepared = match failed {
            Some(err) => Err(target.failed("write")(err)),
            None => prepare(&target, &options, &file, &written, verify),
        };
        let put = prepared.and_then(|()| put_in_place(fs, &target, &options, &temp));
        let backup = match put {
            Ok(backup) => backup,
            Err(error) => {
                withdraw(&target, &*file);
                return Err(temp.discard(error));
            }
        };
        temp.renamed();
        if let Err(err) = target.dir.sync() {
            withdraw(&target, &*file);
            return Err(target.failed("make durable the new")(err));
        }
        let Target { path, warnings, .. } = target;
        Ok(Replaced { path, size: written.len, backup, warnings })
    }

    /// Appends bytes, or gives up.
    ///
    /// # Errors
    /// When they cannot be written; nothing is left then.
    pub fn with(mut self, bytes: &[u8]) -> Result<Replacement<'a>> {
        match write_all_at(&*self.file, bytes, self.len()) {
            Ok(()) => {
                self.written.add(bytes);
                Ok(self)
            }
            Err(err) => {
                let error = self.write_error(err);
                Err(self.abandon(error))
            }
        }
    }

    /// Gives up after an error, which then also tells of a temporary file that cannot be removed.
    #[cold]
    pub fn abandon(self, error: Error) -> Error {
        self.temp.discard(error)
    }

    #[cold]
    fn write_error(&mut self, err: io::Error) -> Error {
        let copy = match err.raw_os_error() {
            Some(errno) => io::Error::from_raw_os_error(errno),
            None => err.kind().into(),
        };
        self.failed = Some(copy);
        self.target.failed("write")(err)
    }
}

/// Writes go to the temporary file. One that failed spoils the file for good.
impl Write for Replacement<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match patiently(|| self.file.write_at(buf, self.len())) {
            Ok(count) => {
                self.written.add(buf.get(..count).unwrap_or(buf));
                Ok(count)
            }
            Err(err) => match self.write_error(err) {
                Error::Io { source, .. } => Err(source),
                other => Err(io::Error::other(other.to_string())),
            },
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Steps 6 to 8.
fn prepare(
    target: &Target,
    options: &Options,
    file: &Arc<dyn File>,
    written: &Tally,
    verify: impl FnOnce(Box<dyn Read + Send>) -> Result<()>,
) -> Result<()> {
    match &target.before {
        Some(before) => keep_owner(target, before, &**file)?,
        None => {
            let mode = options.mode.unwrap_or(0o600);
            file.set_mode(mode).map_err(target.failed("set the mode of"))?;
        }
    }
    let failed = target.failed("sync the new");
    if written.len < LARGE {
        read_back(target, file, written, verify)?;
        return file.sync().map_err(failed);
    }
    thread::scope(|scope| {
        let synced = scope.spawn(|| file.sync());
        read_back(target, file, written, verify)?;
        join(synced).map_err(failed)
    })
}

/// Gives a new file the owner, mode and access list of the old one. First the owner: until the mode is
/// set, nobody else may open it.
fn keep_owner(target: &Target, old: &Stat, file: &dyn File) -> Result<()> {
    let now = file.stat().map_err(target.failed("look at the new"))?;
    if (now.uid, now.gid) != (old.uid, old.gid) {
        let failed = target.failed("keep the owner of");
        file.set_owner(old.uid, old.gid).map_err(failed)?;
    }
    file.set_mode(old.mode).map_err(target.failed("keep the mode of"))?;
    // With an access list, the group's bits of the mode are the list's mask: alone, they are too wide.
    match &target.acl {
        Some(acl) => file.set_acl(acl).map_err(target.failed("keep the access list of")),
        None => Ok(()),
    }
}

/// Reads the file once, through `verify` and past what that leaves unread.
fn read_back(
    target: &Target,
    file: &Arc<dyn File>,
    written: &Tally,
    verify: impl FnOnce(Box<dyn Read + Send>) -> Result<()>,
) -> Result<()> {
    let seen = Arc::new(Mutex::new(Tally::new()));
    let inner = FileReader::new(file.clone(), 0, u64::MAX);
    verify(Box::new(Seen { inner, seen: seen.clone() }))?;
    let len = seen.lock().unwrap_or_else(PoisonError::into_inner).len;
    let inner = FileReader::new(file.clone(), len, u64::MAX);
    let mut rest = Seen { inner, seen: seen.clone() };
    io::copy(&mut rest, &mut io::sink()).map_err(target.failed("read back the new"))?;
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    if !seen.is(written) {
        let why = "what was read back is not what was written: the disk or memory is at fault";
        return Err(target.refuse(why));
    }
    Ok(())
}

/// Remembers what it passes on.
struct Seen {
    inner: FileReader,
    seen: Arc<Mutex<Tally>>,
}

impl Read for Seen {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buf)?;
        let bytes = buf.get(..count).unwrap_or_default();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).add(bytes);
        Ok(count)
    }
}

/// Takes back a file that is new under its name: after an error there is to be none. One that replaced
/// another stays, since the other is gone.
#[cold]
fn withdraw(target: &Target, file: &dyn File) {
    if target.before.is_none() {
        forget(target, &target.name, file.stat().ok());
    }
}

/// Removes a name beside the target if it stands for this file and no other.
#[cold]
fn forget(target: &Target, name: &OsStr, file: Option<Stat>) {
    let there = target.dir.stat(name).ok();
    if there.zip(file).is_some_and(|(there, file)| there.same_file(&file)) {
        target.dir.unlink(name).unwrap_or_default();
    }
}

/// Steps 9 to 11.
fn put_in_place(
    fs: &dyn Fs,
    target: &Target,
    options: &Options,
    temp: &Temp,
) -> Result<Option<PathBuf>> {
    target.must_be_unchanged()?;
    let backup = match options.backup_at_ms {
        Some(at_ms) if target.before.is_some() => Some(back_up(fs, target, at_ms)?),
        _ => None,
    };
    let renamed = match target.before {
        Some(_) => target.dir.rename(temp.name(), &target.name),
        None => target.dir.rename_new(temp.name(), &target.name),
    };
    if let Err(err) = renamed {
        let error = target.failed("put the new file in place of")(err);
        // An error may come from a rename that was done, and then this is all there is of the old file.
        if let (Some(backup), Ok(())) = (&backup, target.must_be_unchanged()) {
            target.dir.unlink(backup).unwrap_or_default();
        }
        return Err(error);
    }
    Ok(backup.map(|name| target.path.with_file_name(name)))
}

/// Gives the old file a second name, or copies it where there are no second names.
fn back_up(fs: &dyn Fs, target: &Target, at_ms: i64) -> Result<OsString> {
    let name = free_name(target, |number| backup_name(&target.name, at_ms, number))?;
    let failed = |err| target.failed("make a backup of")(err);
    let linked = match target.dir.link(&target.name, &name) {
        Err(err) if cannot_link(&err) => return back_up_copy(fs, target, at_ms),
        linked => linked.and_then(|()| target.dir.sync()),
    };
    if let Err(err) = linked {
        forget(target, &name, target.before);
        return Err(failed(err));
    }
    Ok(name)
}

/// Copies the old file: for one that is about to change itself, or where there are no second names.
///
/// # Errors
/// When that fails; there is no backup then.
pub(super) fn back_up_copy(fs: &dyn Fs, target: &Target, at_ms: i64) -> Result<OsString> {
    let name = free_name(target, |number| backup_name(&target.name, at_ms, number))?;
    let size = target.before.map_or(0, |before| before.size);
    copy_beside(fs, target, &name, 0..size).map(|_| name)
}

/// Whether a file system or its rules know no second names (vfat, protected_hardlinks, too many).
fn cannot_link(err: &io::Error) -> bool {
    use ErrorKind::{CrossesDevices, PermissionDenied, TooManyLinks, Unsupported};
    matches!(err.kind(), PermissionDenied | Unsupported | TooManyLinks | CrossesDevices)
}

/// The first of some names beside the target that is not taken.
///
/// # Errors
/// When that cannot be found out.
pub(super) fn free_name(target: &Target, name: impl Fn(u32) -> OsString) -> Result<OsString> {
    for name in (0..NAMES_MAX).map(name) {
        if stat_if_there(&*target.dir, &name)?.is_none() {
            return Ok(name);
        }
    }
    Err(target.refuse("there are too many backups of it already"))
}

/// Copies a part of the target to a new name beside it, with its owner and mode, for good.
///
/// # Errors
/// When that fails; there is no new name then.
pub(super) fn copy_beside(
    fs: &dyn Fs,
    target: &Target,
    name: &OsStr,
    part: Range<u64>,
) -> Result<Replaced> {
    let failed = |err| target.failed("read")(err);
    let old = target.dir.open(&target.name, Access::Read).map_err(failed)?;
    let stat = old.stat().map_err(failed)?;
    let size = part.end.saturating_sub(part.start).min(stat.allocated);
    let options = Options { mode: Some(stat.mode), size, must_be_new: true, ..Options::default() };
    let mut copy = Replacement::begin(fs, &target.path.with_file_name(name), options)?;
    let copied = copy
        .copy(&old, &target.path, part.start, part.end)
        .and_then(|()| keep_owner(target, &stat, &*copy.file));
    match copied {
        Ok(()) => copy.commit(|_| Ok(())),
        Err(error) => Err(copy.abandon(error)),
    }
}

/// `<name>.bak-20261130T235959Z`, with a number for the second one in a second.
fn backup_name(name: &OsStr, at_ms: i64, number: u32) -> OsString {
    let time = jiff::Timestamp::from_millisecond(at_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let mut backup = name.to_owned();
    backup.push(format!(".bak-{}", time.strftime("%Y%m%dT%H%M%SZ")));
    if number > 0 {
        backup.push(format!("-{number}"));
    }
    backup
}
