//! An RDB as a source of chunks, and a second look at some of its keys.

use std::collections::{HashMap, HashSet};
use std::io::{self, Cursor, Read};

use super::pipeline::Cutter;
use crate::error::{Error, Result};
use crate::finding::KeyPlace;
use crate::input::source::{Input, open};
use crate::limits::Limits;
use crate::rdb::reader::Reader;
use crate::rdb::skim::{Chunk, Chunks, Outcome};
use crate::record::{Event, Record};

/// First bytes after the end that are kept, to tell what follows.
const TAIL: usize = 64;

/// The stream behind the end of an RDB.
pub type Rest = Box<dyn Read + Send>;

/// Bytes of an RDB, to be cut into chunks.
pub struct RdbFile {
    chunks: Chunks<Box<dyn Read + Send>>,
}

impl std::fmt::Debug for RdbFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RdbFile").finish_non_exhaustive()
    }
}

impl RdbFile {
    /// An RDB at the start of a stream.
    pub fn new(reader: Box<dyn Read + Send>, limits: Limits) -> RdbFile {
        RdbFile { chunks: Chunks::new(reader, 0, limits) }
    }

    /// How it ended, and the first bytes after the end.
    ///
    /// # Errors
    /// When the stream cannot be read.
    pub fn finish(self) -> io::Result<(Outcome, Vec<u8>)> {
        let tail = self.chunks.tail(TAIL);
        Ok((self.chunks.finish()?, tail))
    }

    /// How it ended, and the stream behind its end, if that was reached.
    ///
    /// # Errors
    /// When the stream cannot be read.
    pub fn into_rest(self) -> io::Result<(Outcome, Option<Rest>)> {
        if !self.chunks.ended() {
            return Ok((self.chunks.finish()?, None));
        }
        let (outcome, read, source) = self.chunks.into_rest();
        Ok((outcome, Some(Box::new(Cursor::new(read).chain(source)))))
    }
}

impl Cutter for RdbFile {
    type Chunk = Chunk;

    fn cut(&mut self, used: Option<Chunk>) -> io::Result<Option<Chunk>> {
        self.chunks.next_chunk(used.map(Chunk::recycle).unwrap_or_default())
    }
}

/// Names the keys at some offsets of a file. Empty for stdin, which cannot be read again.
///
/// # Errors
/// When the file cannot be read.
pub fn keys_at(
    input: &Input,
    offsets: &HashSet<u64>,
    limits: Limits,
) -> Result<HashMap<u64, KeyPlace>> {
    let mut places = HashMap::new();
    if *input == Input::Stdin {
        return Ok(places);
    }
    let failed = |err| Error::io(input.path(), "read", err);
    let mut file = RdbFile::new(open(input, |_| {})?.reader, limits);
    let mut used = None;
    while let Some(chunk) = file.cut(used.take()).map_err(failed)? {
        for record in Reader::new(&chunk) {
            let Ok(Record { event: Event::Key(key), .. }) = record else { continue };
            if offsets.contains(&key.key_offset) {
                let name = key.key.bytes(&mut Vec::new()).map(<[u8]>::to_vec).unwrap_or_default();
                let place = KeyPlace {
                    db: key.db,
                    key: name,
                    type_name: key.rdb_type.name,
                    elements: key.stated_count(),
                };
                places.insert(key.key_offset, place);
            }
        }
        used = Some(chunk);
    }
    Ok(places)
}
