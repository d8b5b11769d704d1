//! Some bytes of a file, read where they are needed: what looks for records behind damage goes back and forth.

use std::io;
use std::sync::Arc;

use crate::persist::fs::{File, read_full_at};

/// Bytes read at a time.
pub const WINDOW: usize = 1 << 20;

/// Most bytes that are held for one record.
pub const WINDOW_MAX: usize = 64 << 20;

/// Of what is held, so much of it may lie before what is wanted: less is not worth moving the rest.
const BEFORE: usize = 4;

/// Bytes before what is wanted that are held as well: what looks back mostly does so by a few records.
const BACK: u64 = 64 << 10;

/// Some bytes of a file.
#[derive(Debug)]
pub struct Window {
    file: Arc<dyn File>,
    size: u64,
    bytes: Vec<u8>,
    base: u64,
    read: u64,
}

impl Window {
    /// Of a file of which so many bytes matter.
    pub fn new(file: &Arc<dyn File>, size: u64) -> Window {
        Window { file: file.clone(), size, bytes: Vec::new(), base: 0, read: 0 }
    }

    /// The file.
    pub fn file(&self) -> &Arc<dyn File> {
        &self.file
    }

    /// Bytes of it.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes that were read since this was asked last.
    pub fn take_read(&mut self) -> u64 {
        std::mem::take(&mut self.read)
    }

    /// At least `len` bytes from an offset on, or all that there are.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn at(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let offset = offset.min(self.size);
        let end = self.base + self.bytes.len() as u64;
        let wanted = offset.saturating_add(len as u64).min(self.size);
        if offset < self.base || offset > end {
            self.bytes.clear();
            self.base = offset.saturating_sub(BACK);
        }
        if wanted > self.base + self.bytes.len() as u64 {
            self.extend(offset, wanted)?;
        }
        let pos = usize::try_from(offset - self.base).unwrap_or(usize::MAX);
        Ok(self.bytes.get(pos..).unwrap_or_default())
    }

    /// Reads on behind what is held: of long records that begin close together most bytes are the same.
    fn extend(&mut self, offset: u64, wanted: u64) -> io::Result<()> {
        let before = (offset - self.base).saturating_sub(BACK);
        let spare = usize::try_from(before).unwrap_or(0);
        if spare > self.bytes.len() / BEFORE {
            self.bytes.drain(..spare);
            self.base += before;
        }
        let held = self.bytes.len();
        let end = wanted.max(self.base + (held + WINDOW) as u64).min(self.size);
        let len = usize::try_from(end - self.base).unwrap_or(held);
        if held == 0 && self.bytes.capacity() < len {
            // What it held goes first: it need not be there twice, nor be copied.
            self.bytes = Vec::new();
        }
        self.bytes.reserve_exact(len.saturating_sub(held));
        self.bytes.resize(len, 0);
        let room = self.bytes.get_mut(held..).unwrap_or_default();
        let read = read_full_at(&*self.file, room, self.base + held as u64);
        self.bytes.truncate(held + read.as_ref().copied().unwrap_or(0));
        self.read += read? as u64;
        Ok(())
    }
}
