//! Filling a buffer from a stream: where the cutting of every file begins.

use std::io::{self, ErrorKind, Read};

/// Reads until the buffer, of which the first `filled` bytes are taken, is full. Returns whether the stream
/// ended before that. What was read counts even if reading fails then.
///
/// # Errors
/// When the stream cannot be read, or has nothing for now (`WouldBlock`).
pub fn fill(source: &mut impl Read, buf: &mut [u8], filled: &mut usize) -> io::Result<bool> {
    while let Some(space) = buf.get_mut(*filled..).filter(|space| !space.is_empty()) {
        match source.read(space) {
            Ok(0) => return Ok(true),
            Ok(count) => *filled += count,
            Err(err) if err.kind() == ErrorKind::Interrupted => {}
            Err(err) => return Err(err),
        }
    }
    Ok(false)
}
