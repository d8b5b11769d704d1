//! Healing the RDB that an AOF begins with, or that is the base of one of several files.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::{Healing, heal};
use crate::error::{Error, Result};
use crate::job::check::{self, Report};
use crate::persist::fs::{File, read_full_at};

/// Ends that are tried where damage hides the true one.
const ENDS_MAX: usize = 8;

/// EOF opcode and checksum.
const FOOTER: usize = 9;
const EOF: u8 = 0xff;

/// Bytes searched at a time, and those of them that the next ones begin with.
const WINDOW: usize = 1 << 20;
const OVERLAP: usize = 64;

/// The certain healing of a damaged preamble of a file of so many bytes; `is_all` if nothing follows it.
///
/// # Errors
/// When the file cannot be read.
pub fn heal_preamble(
    file: &Arc<dyn File>,
    path: &Path,
    size: u64,
    preamble: &Report,
    is_all: bool,
    options: &check::Options,
) -> Result<Option<Healing>> {
    let mut ends = Vec::new();
    if preamble.outcome.damage.is_none() {
        ends.push(preamble.outcome.end);
    }
    if is_all {
        ends.push(size);
    } else {
        let found = ends_before_commands(&**file, size);
        ends.extend(found.map_err(|err| Error::io(path, "read", err))?);
    }
    for end in ends {
        if let Some(healing) = heal(file, path, 0..end, options)?.certain() {
            return Ok(Some(healing.clone()));
        }
    }
    Ok(None)
}

/// Where an RDB may end: an EOF record, and a command behind it.
///
/// # Errors
/// When the file cannot be read.
pub fn ends_before_commands(file: &dyn File, size: u64) -> io::Result<Vec<u64>> {
    let (mut ends, mut base) = (Vec::new(), 0);
    let mut window = vec![0; WINDOW];
    while base < size && ends.len() < ENDS_MAX {
        let len = read_full_at(file, &mut window, base)?;
        let read = window.get(..len).unwrap_or_default();
        let is_last = base + len as u64 >= size;
        let searched = if is_last { len } else { len.saturating_sub(OVERLAP) };
        for (pos, bytes) in read.windows(FOOTER + 4).enumerate().take(searched) {
            if matches!(bytes, [EOF, .., b'*', b'1'..=b'9', b'\r' | b'0'..=b'9', _])
                && ends.len() < ENDS_MAX
            {
                ends.push(base + (pos + FOOTER) as u64);
            }
        }
        if is_last {
            break;
        }
        base += searched as u64;
    }
    Ok(ends)
}
