//! A file with some of its bytes changed, to be read as if they were: what a change would make of it is seen
//! before anything is written.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use super::fs::{File, Stat};

/// A file that cannot be written to, and some bytes that are other ones.
#[derive(Debug)]
pub struct Overlay {
    file: Arc<dyn File>,
    /// Where they begin, in ascending order; no two overlap.
    pieces: Vec<(u64, Vec<u8>)>,
}

impl Overlay {
    /// The file with these bytes from each of these offsets on.
    pub fn over(file: Arc<dyn File>, mut pieces: Vec<(u64, Vec<u8>)>) -> Arc<dyn File> {
        pieces.sort_unstable_by_key(|(offset, _)| *offset);
        Arc::new(Overlay { file, pieces })
    }
}

fn read_only<T>() -> io::Result<T> {
    Err(ErrorKind::ReadOnlyFilesystem.into())
}

impl File for Overlay {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let len = self.file.read_at(buf, offset)?;
        let end = offset.saturating_add(len as u64);
        let first = self.pieces.partition_point(|(at, new)| at + new.len() as u64 <= offset);
        let pieces = self.pieces.iter().skip(first).take_while(|(at, _)| *at < end);
        for (at, new) in pieces.flat_map(|(at, new)| (*at..).zip(new)) {
            let pos = at.checked_sub(offset).and_then(|pos| usize::try_from(pos).ok());
            if let Some(byte) = pos.filter(|pos| *pos < len).and_then(|pos| buf.get_mut(pos)) {
                *byte = *new;
            }
        }
        Ok(len)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        read_only()
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        read_only()
    }

    fn sync(&self) -> io::Result<()> {
        read_only()
    }

    fn sync_data(&self) -> io::Result<()> {
        read_only()
    }

    fn stat(&self) -> io::Result<Stat> {
        self.file.stat()
    }

    fn set_owner(&self, _: u32, _: u32) -> io::Result<()> {
        read_only()
    }

    fn set_mode(&self, _: u32) -> io::Result<()> {
        read_only()
    }

    fn acl(&self) -> io::Result<Option<Vec<u8>>> {
        self.file.acl()
    }

    fn set_acl(&self, _: &[u8]) -> io::Result<()> {
        read_only()
    }

    fn lock(&self) -> io::Result<bool> {
        read_only()
    }
}
