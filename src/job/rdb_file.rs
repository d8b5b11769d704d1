//! An RDB as a source of chunks, and a second look at some of its keys.

use std::collections::{HashMap, HashSet};
use std::io::{self, Cursor, Read};

use super::behind::Behind;
use super::pipeline::Cutter;
use super::rdb_facts::Facts;
use crate::error::{Error, Result};
use crate::finding::KeyPlace;
use crate::input::source::{Input, open};
use crate::limits::Limits;
use crate::rdb::reader::Reader;
use crate::rdb::skim::{Chunk, Chunks, Outcome, Start};
use crate::record::{Event, KeyRecord, Record};

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

    /// The records from somewhere in the middle of a damaged RDB on.
    pub fn resume(
        reader: Box<dyn Read + Send>,
        offset: u64,
        start: Start,
        limits: Limits,
    ) -> RdbFile {
        RdbFile { chunks: Chunks::resume(reader, offset, start, limits) }
    }

    /// How it ended, if the rest of the stream does not matter, and whether that was by its EOF record.
    pub fn stop(self) -> (Outcome, bool) {
        let ended = self.chunks.ended();
        (self.chunks.into_rest().0, ended)
    }

    /// Reads over it, as the preamble that a file begins with: how it ended, and the stream behind it.
    ///
    /// # Errors
    /// When the stream cannot be read.
    pub fn skip(mut self) -> io::Result<End> {
        let mut used = None;
        while let Some(chunk) = self.cut(used)? {
            used = Some(chunk);
        }
        self.end(Extent::Start, &Facts::default())
    }

    /// How it ended, and the first bytes after the end.
    ///
    /// # Errors
    /// When the stream cannot be read.
    pub fn finish(self) -> io::Result<(Outcome, Vec<u8>)> {
        let tail = self.chunks.tail(TAIL);
        Ok((self.chunks.finish()?, tail))
    }

    /// How it ended, and what lies behind the end.
    ///
    /// # Errors
    /// When the stream cannot be read.
    pub fn end(self, extent: Extent, facts: &Facts) -> io::Result<End> {
        if extent == Extent::Whole || !self.chunks.ended() {
            let (outcome, tail) = self.finish()?;
            return Ok(End { outcome, tail, rest: None });
        }
        let (mut outcome, read, source) = self.chunks.into_rest();
        let mut rest: Rest = Box::new(Cursor::new(read).chain(source));
        if extent == Extent::Start {
            return Ok(End { outcome, tail: Vec::new(), rest: Some(rest) });
        }
        let mut tail = Vec::new();
        (&mut rest).take(TAIL as u64).read_to_end(&mut tail)?;
        outcome.size += tail.len() as u64;
        if let Behind::Commands(_) = Behind::of(facts, &outcome, &tail) {
            outcome.size = outcome.end;
            rest = Box::new(Cursor::new(tail).chain(rest));
            return Ok(End { outcome, tail: Vec::new(), rest: Some(rest) });
        }
        outcome.size += io::copy(&mut rest, &mut io::sink())?;
        Ok(End { outcome, tail, rest: None })
    }
}

/// How much of a file is the RDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All of it: what lies behind the end does not belong there.
    Whole,
    /// The start: commands follow.
    Start,
    /// The start if commands follow, else all of it.
    Detect,
}

/// The end of an RDB.
pub struct End {
    /// How it ended. The size is that of the RDB if something belongs behind it.
    pub outcome: Outcome,
    /// The first bytes behind the end that do not belong there.
    pub tail: Vec<u8>,
    /// The stream of commands behind the end.
    pub rest: Option<Rest>,
}

impl std::fmt::Debug for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("End").field("outcome", &self.outcome).finish_non_exhaustive()
    }
}

impl Cutter for RdbFile {
    type Chunk = Chunk;

    fn cut(&mut self, used: Option<Chunk>) -> io::Result<Option<Chunk>> {
        self.chunks.next_chunk(used.map(Chunk::recycle).unwrap_or_default())
    }
}

/// The key of a record, for findings about it. Without a name if that does not expand.
pub fn place_of(key: &KeyRecord<'_>) -> KeyPlace {
    named(key, key.key.bytes(&mut Vec::new()).unwrap_or_default())
}

/// The same where the name is at hand.
pub fn named(key: &KeyRecord<'_>, name: &[u8]) -> KeyPlace {
    KeyPlace {
        db: key.db,
        key: name.to_vec(),
        type_name: key.rdb_type.name,
        elements: key.stated_count(),
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
    // Nothing comes out of a pipe again: whoever opens one waits for somebody to write.
    if *input == Input::Stdin || !input.path().is_file() {
        return Ok(places);
    }
    let failed = |err| Error::io(input.path(), "read", err);
    let mut file = RdbFile::new(open(input, |_| {})?.reader, limits);
    let mut used = None;
    while let Some(chunk) = file.cut(used.take()).map_err(failed)? {
        for record in Reader::new(&chunk) {
            let Ok(Record { event: Event::Key(key), .. }) = record else { continue };
            if offsets.contains(&key.key_offset) {
                places.insert(key.key_offset, place_of(&key));
            }
        }
        used = Some(chunk);
    }
    Ok(places)
}
