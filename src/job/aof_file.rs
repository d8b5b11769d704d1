//! The commands of an AOF as a source of chunks.

use std::io::{self, Read};

use super::pipeline::Cutter;
use crate::aof::skim::{Chunk, Chunks, Outcome};

/// The commands of an AOF, to be cut into chunks.
pub struct AofFile {
    chunks: Chunks<Box<dyn Read + Send>>,
}

impl std::fmt::Debug for AofFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AofFile").finish_non_exhaustive()
    }
}

impl AofFile {
    /// What such a cutter cuts.
    pub fn new(chunks: Chunks<Box<dyn Read + Send>>) -> AofFile {
        AofFile { chunks }
    }

    /// How it ended.
    ///
    /// # Errors
    /// When the stream cannot be read.
    pub fn finish(self) -> io::Result<Outcome> {
        self.chunks.finish()
    }
}

impl Cutter for AofFile {
    type Chunk = Chunk;

    fn cut(&mut self, used: Option<Chunk>) -> io::Result<Option<Chunk>> {
        self.chunks.next_chunk(used.map(Chunk::recycle).unwrap_or_default())
    }
}
