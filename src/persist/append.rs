//! A file that only grows, by whole pieces: after a write that failed, or took but a part, the file is cut
//! back to where it was, so that what is in it is always whole commands.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fs::{File, write_all_at};
use crate::error::{Error, Result};

/// The end of a file.
#[derive(Debug)]
pub struct Append {
    file: Arc<dyn File>,
    path: PathBuf,
    len: u64,
    /// There may be a part of a piece behind the end.
    torn: bool,
}

impl Append {
    /// A file, opened to be written, that is sound up to `len`; there is nothing behind it.
    pub fn new(file: Arc<dyn File>, path: PathBuf, len: u64) -> Append {
        Append { file, path, len, torn: false }
    }

    /// Appends a piece: all of it, or nothing.
    ///
    /// # Errors
    /// When it cannot be written now. It may be tried again.
    pub fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.len)?;
            self.torn = false;
        }
        match write_all_at(&*self.file, piece, self.len) {
            Ok(()) => {
                self.len += piece.len() as u64;
                Ok(())
            }
            Err(err) => {
                self.torn = self.file.set_len(self.len).is_err();
                Err(err)
            }
        }
    }

    /// What makes its bytes durable, for another thread. After an error it must not be asked again (see
    /// [`File::sync`]).
    pub fn syncer(&self) -> impl FnOnce() -> Result<()> + Send + 'static {
        let (file, path) = (self.file.clone(), self.path.clone());
        move || file.sync_data().map_err(|err| Error::io(path, "sync", err))
    }

    /// Its bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// No bytes?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
