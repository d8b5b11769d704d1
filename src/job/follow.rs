//! Reading on where an AOF grows. A file that is written anew gets a new file of its name, an AOF of several
//! files another incr file in its manifest, and a server that starts with a torn end cuts it off: all
//! three are noticed, told, and read on from.

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rustix::fs::OFlags;

use super::log::{Line, Logger, Options, Seen};
use super::parts::open_set;
use super::rdb_file::RdbFile;
use super::subject::SetPath;
use crate::aof::manifest::Kind;
use crate::aof::set::{Part, Set};
use crate::aof::state::State;
use crate::error::{Error, Result};
use crate::input::detect::FileKind;
use crate::input::source::{Input, opened};

/// How often a file that grows is looked at.
pub const POLL: Duration = Duration::from_millis(200);

/// Like [`log_file`](super::log::log_file), and goes on when the file grows. At its end `wait` is asked
/// whether to look again: it returns after a while, and says so as long as somebody wants more.
///
/// # Errors
/// When the file cannot be read, or is compressed.
pub fn follow_file(
    path: &Path,
    options: &Options,
    wait: &mut dyn FnMut() -> bool,
    each: impl FnMut(Line<'_>) -> ControlFlow<()>,
) -> Result<Seen> {
    let failed = |err| Error::io(path, "read", err);
    let mut logger = Logger::new(options, each);
    loop {
        let file = File::open(path).map_err(|err| Error::io(path, "open", err))?;
        let look = |file: &File| is_replaced(file, path);
        match one(&mut logger, file, path, wait, &look).map_err(failed)? {
            Why::Replaced if logger.tell(Line::Replaced).is_continue() => {}
            _ => return Ok(logger.seen),
        }
    }
}

/// The same for the files of a multi-part AOF: the last one grows, until another takes its place.
///
/// # Errors
/// When there is no manifest, or a file cannot be read.
pub fn follow_set(
    path: &SetPath,
    options: &Options,
    wait: &mut dyn FnMut() -> bool,
    each: impl FnMut(Line<'_>) -> ControlFlow<()>,
) -> Result<Seen> {
    options.fits_a_set(path)?;
    let mut logger = Logger::new(options, each);
    let mut done = None;
    loop {
        let set = open_set(path)?;
        let mut parts: Vec<&Part> = set.parts.iter().filter(|part| is_after(part, done)).collect();
        let last = parts.pop_if(|part| part.entry.kind == Kind::Incr);
        for part in parts {
            if logger.part(&set, part)?.is_break() {
                return Ok(logger.seen);
            }
        }
        // A base alone is followed by the first incr file.
        let why = match last {
            Some(last) => last_part(&mut logger, &set, last, wait)?,
            None if wait() => Why::Replaced,
            None => Why::Stopped,
        };
        if why == Why::Stopped {
            return Ok(logger.seen);
        }
        done = Some(last.map(|last| last.entry.seq).or(done).unwrap_or(0));
    }
}

/// Whether a file is still to come when those up to this incr file are done.
fn is_after(part: &Part, done: Option<i64>) -> bool {
    match part.entry.kind {
        Kind::History => false,
        Kind::Base => done.is_none(),
        Kind::Incr => done.is_none_or(|done| part.entry.seq > done),
    }
}

fn last_part<E: FnMut(Line<'_>) -> ControlFlow<()>>(
    logger: &mut Logger<'_, E>,
    set: &Set,
    part: &Part,
    wait: &mut dyn FnMut() -> bool,
) -> Result<Why> {
    let path = set.folder.path.join(part.name());
    if logger.tell(Line::File(&path)).is_break() {
        return Ok(Why::Stopped);
    }
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(&path);
    let file = file.map_err(|err| Error::io(&path, "open", err))?;
    let place = SetPath { folder: set.folder.path.clone(), stem: set.stem.clone() };
    let seq = part.entry.seq;
    // A manifest that cannot be read just now is on its way to its place.
    let look = |_: &File| {
        let set = open_set(&place).ok();
        set.is_some_and(|set| set.parts.iter().any(|part| is_after(part, Some(seq))))
    };
    one(logger, file, &path, wait, &look).map_err(|err| Error::io(&path, "read", err))
}

/// Whether another file has the name by now.
fn is_replaced(file: &File, path: &Path) -> bool {
    let id = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(named)) => id(ours) != id(named),
        // Where none has, one is on its way.
        _ => false,
    }
}

/// Why a file is not read any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Nobody wants more, or there is damage.
    Stopped,
    /// Another file goes on.
    Replaced,
}

/// One file, as long as it grows.
fn one<E: FnMut(Line<'_>) -> ControlFlow<()>>(
    logger: &mut Logger<'_, E>,
    mut file: File,
    path: &Path,
    wait: &mut dyn FnMut() -> bool,
    look: &dyn Fn(&File) -> bool,
) -> io::Result<Why> {
    let Some(mut offset) = preamble(logger, &file, path)? else { return Ok(Why::Stopped) };
    let mut state = logger.start();
    loop {
        file.seek(SeekFrom::Start(offset))?;
        let end = Cell::new(None);
        let tail =
            Tail { file: &file, offset, wait: &mut *wait, look, is_replaced: false, end: &end };
        let mut chunks = logger.chunks(tail, offset, state);
        if logger.commands(&mut chunks)?.is_break() {
            return Ok(Why::Stopped);
        }
        let reached = end.replace(Some(end.get().unwrap_or(End::Damage)));
        let outcome = chunks.finish()?;
        match reached {
            Some(End::Replaced) => return Ok(Why::Replaced),
            Some(End::Stopped) => return Ok(Why::Stopped),
            Some(End::Cut(len)) => {
                if logger.tell(Line::Cut(len)).is_break() {
                    return Ok(Why::Stopped);
                }
                // As a rule the cut took what was no whole command, and all is known as before.
                let is_known = len == outcome.end;
                state =
                    if is_known { outcome.state } else { State { multi: None, ..outcome.state } };
                offset = len;
            }
            Some(End::Damage) | None => {
                let _ = logger.end(&outcome);
                return Ok(Why::Stopped);
            }
        }
    }
}

/// Where the commands of a file begin; `None` if nobody wants them or its preamble is damaged.
fn preamble<E: FnMut(Line<'_>) -> ControlFlow<()>>(
    logger: &mut Logger<'_, E>,
    file: &File,
    path: &Path,
) -> io::Result<Option<u64>> {
    let input = Input::File(path.to_path_buf());
    let source = opened(&input, file.try_clone()?, |_| {}).map_err(io::Error::other)?;
    if source.compression.is_some() {
        return Err(io::Error::other("a compressed file does not grow"));
    }
    if source.kind != FileKind::Rdb {
        return Ok(Some(0));
    }
    let end = RdbFile::new(source.reader, logger.limits()).skip()?;
    if let Some(damage) = &end.outcome.damage {
        let _ = logger.tell(Line::Damage(damage));
        return Ok(None);
    }
    let told = logger.tell(Line::Preamble(end.outcome.end));
    Ok(told.is_continue().then_some(end.outcome.end))
}

/// How the reading of a file came to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Stopped,
    Replaced,
    Cut(u64),
    Damage,
}

/// A file whose end may not be the end.
struct Tail<'t> {
    file: &'t File,
    /// Where the next byte is read.
    offset: u64,
    wait: &'t mut dyn FnMut() -> bool,
    look: &'t dyn Fn(&File) -> bool,
    /// Another file goes on; what was written to this one before that is read first.
    is_replaced: bool,
    end: &'t Cell<Option<End>>,
}

impl Read for Tail<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.end.get().is_some() {
            return Ok(0);
        }
        let count = self.file.read(buf)?;
        self.offset += count as u64;
        if count > 0 || buf.is_empty() {
            return Ok(count);
        }
        let len = self.file.metadata()?.len();
        let end = match () {
            () if len < self.offset => Some(End::Cut(len)),
            () if self.is_replaced => Some(End::Replaced),
            () if (self.look)(self.file) => {
                self.is_replaced = true;
                None
            }
            () => (!(self.wait)()).then_some(End::Stopped),
        };
        self.end.set(end);
        match end {
            Some(_) => Ok(0),
            None => Err(io::Error::from(io::ErrorKind::WouldBlock)),
        }
    }
}
