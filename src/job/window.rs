//! Some bytes of a file, read where they are needed: what looks for records behind damage goes back and forth.

use std::io;
use std::sync::Arc;

use crate::persist::fs::{File, read_full_at};

/// Bytes read at a time.
pub const WINDOW: usize = 1 << 20;

/// Most bytes that are held for one record.
pub const WINDOW_MAX: usize = 64 << 20;

/// Some bytes of a file.
#[derive(Debug)]
pub struct Window {
    file: Arc<dyn File>,
    size: u64,
    bytes: Vec<u8>,
    base: u64,
}

impl Window {
    /// Of a file of which so many bytes matter.
    pub fn new(file: &Arc<dyn File>, size: u64) -> Window {
        Window { file: file.clone(), size, bytes: Vec::new(), base: 0 }
    }

    /// The file.
    pub fn file(&self) -> &Arc<dyn File> {
        &self.file
    }

    /// Bytes of it.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// At least `len` bytes from an offset on, or all that there are.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn at(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let offset = offset.min(self.size);
        let have = self.base..self.base + self.bytes.len() as u64;
        let wanted = offset.saturating_add(len as u64).min(self.size);
        if offset < have.start || wanted > have.end {
            let len = len.max(WINDOW).min(usize::try_from(self.size - offset).unwrap_or(len));
            if self.bytes.capacity() < len {
                // What it held goes first: it need not be there twice, nor be copied.
                self.bytes = Vec::new();
            }
            self.bytes.resize(len, 0);
            let read = read_full_at(&*self.file, &mut self.bytes, offset)?;
            self.bytes.truncate(read);
            self.base = offset;
        }
        let pos = usize::try_from(offset - self.base).unwrap_or(usize::MAX);
        Ok(self.bytes.get(pos..).unwrap_or_default())
    }
}
