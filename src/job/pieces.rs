//! A new file put together of pieces of the old one, and what is left out of it saved in a folder of its own.

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::persist::folder::NewFolder;
use crate::persist::fs::{File, Fs};
use crate::persist::replace::Replacement;

/// Files of a folder of what is lost.
const LOST_FILES_MAX: usize = 10_000;

/// A part of the new file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// These bytes of the old one.
    Copy(Range<u64>),
    /// Other bytes.
    New(Vec<u8>),
}

impl Piece {
    /// Bytes of it.
    pub fn size(&self) -> u64 {
        match self {
            Piece::Copy(span) => span.end.saturating_sub(span.start),
            Piece::New(bytes) => bytes.len() as u64,
        }
    }
}

/// Writes them.
///
/// # Errors
/// When the old file cannot be read or the new one not written.
pub fn write(
    pieces: &[Piece],
    to: &mut Replacement<'_>,
    from: &Arc<dyn File>,
    path: &Path,
) -> Result<()> {
    for piece in pieces {
        match piece {
            Piece::Copy(span) => to.copy(from, path, span.start, span.end)?,
            Piece::New(bytes) => {
                to.write_all(bytes).map_err(|err| Error::io(path, "write the new", err))?;
            }
        }
    }
    Ok(())
}

/// Some bytes that are lost.
#[derive(Debug)]
pub struct LostBytes {
    /// The file that they become.
    pub name: String,
    /// Where they are.
    pub from: Arc<dyn File>,
    /// Its path, for messages.
    pub path: PathBuf,
    /// The bytes.
    pub span: Range<u64>,
}

impl LostBytes {
    /// Some bytes of one file, and what they are: `OFFSET-LENGTH.gap`, behind a prefix.
    pub fn all(
        from: &Arc<dyn File>,
        path: &Path,
        prefix: &str,
        spans: Vec<(Range<u64>, &'static str)>,
    ) -> Vec<LostBytes> {
        let one = |(span, kind): (Range<u64>, &str)| {
            let name = format!("{prefix}{}-{}.{kind}", span.start, span.end - span.start);
            LostBytes { name, from: from.clone(), path: path.to_owned(), span }
        };
        spans.into_iter().filter(|(span, _)| !span.is_empty()).map(one).collect()
    }
}

/// Copies what is lost into files of a new folder. `None` if there is nothing.
///
/// # Errors
/// When there are too many, or one cannot be read or written. There is no folder then.
pub fn save_lost(
    fs: &dyn Fs,
    folder: &Path,
    lost: &[LostBytes],
) -> Result<Option<(PathBuf, usize)>> {
    if lost.is_empty() {
        return Ok(None);
    }
    if lost.len() > LOST_FILES_MAX {
        let why = format!("{} pieces are too many for a folder; leave out --lost", lost.len());
        return Err(Error::refused(folder, why));
    }
    let size = lost.iter().map(|lost| lost.span.end - lost.span.start).sum();
    let new = NewFolder::begin(fs, folder, size)?;
    for LostBytes { name, from, path, span } in lost {
        let mut file = match new.file(name.as_ref(), None) {
            Ok(file) => file,
            Err(error) => return Err(new.abandon(error)),
        };
        let copied = match file.copy(from, path, span.start, span.end) {
            Ok(()) => file.commit(|_| Ok(())).map(|_| ()),
            Err(error) => Err(file.abandon(error)),
        };
        if let Err(error) = copied {
            return Err(new.abandon(error));
        }
    }
    new.commit().map(|folder| Some((folder, lost.len())))
}
