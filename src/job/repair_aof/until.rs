//! Going back to a time: where the first annotation later than it is, and where the file may be cut
//! before that without cutting into a transaction.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::aof::reader::{Means, Reader};
use crate::aof::skim::{Chunks, Spare};
use crate::aof::state::{Stamp, State};
use crate::encoding::resp::Forms;
use crate::limits::Limits;
use crate::persist::fs::{File, FileReader};

/// What the timestamps of a part say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Later {
    /// There are none.
    NoTimes,
    /// None is later.
    None,
    /// One is, and to be without what follows it the file is to be cut here.
    From(u64),
}

/// Looks for the first timestamp later than `seconds` in the commands of a file.
///
/// # Errors
/// When the file cannot be read.
pub fn first_later(
    file: &Arc<dyn File>,
    commands: Range<u64>,
    seconds: i64,
    limits: Limits,
) -> io::Result<Later> {
    let start = commands.start;
    let source = FileReader::new(file.clone(), start, commands.end);
    let mut chunks = Chunks::new(source, start, State::default(), Forms::Tolerant, limits);
    let (mut found, mut sound, mut spare) = (Later::NoTimes, start, Spare::default());
    while let Some(chunk) = chunks.next_chunk(spare)? {
        let mut reader = Reader::new(&chunk);
        while let Some(item) = reader.next_record() {
            if let Means::Annotation(Some(Stamp::At { seconds: at, .. })) = item.means {
                if at > seconds {
                    return Ok(Later::From(sound));
                }
                found = Later::None;
            }
            if item.state.multi.is_none() {
                sound = item.record.span.end;
            }
        }
        spare = chunk.recycle();
    }
    Ok(found)
}
