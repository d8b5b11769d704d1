//! The records of a chunk, one by one, to whoever works on them.

use std::ops::Range;

use super::rdb_facts::{Fact, Facts};
use crate::finding::Finding;
use crate::rdb::reader::Reader;
use crate::rdb::skim::Chunk;
use crate::record::{Event, KeyRecord, Record};

/// Works on records.
pub(super) trait Records {
    /// What it makes of a chunk.
    type Out;

    /// Takes a key; `bytes`, which lie at `span` in the file, are all of its record.
    fn key(&mut self, key: &KeyRecord<'_>, span: &Range<u64>, bytes: &[u8], out: &mut Self::Out);

    /// Takes what stands beside the keys.
    fn beside(&mut self, record: &Record<'_>, bytes: &[u8], out: &mut Self::Out);

    /// Takes note of a record that cannot be read.
    fn damaged(&mut self, finding: Finding, out: &mut Self::Out);

    /// What it has counted.
    fn facts(&mut self) -> &mut Facts;
}

/// Hands out all records of a chunk, in their order. Returns the facts that come once in a file.
#[inline]
pub(super) fn each<R: Records>(chunk: &Chunk, to: &mut R, out: &mut R::Out) -> Vec<Fact> {
    let mut once = Vec::new();
    let mut db = chunk.start.db;
    let mut reader = Reader::new(chunk);
    loop {
        // Looked at where it was read: a record is large.
        match reader.next() {
            None => return once,
            Some(Err(finding)) => to.damaged(finding, out),
            Some(Ok(Record { ref span, event: Event::Key(ref key) })) => {
                to.key(key, span, chunk.slice(span), out);
            }
            Some(Ok(ref record)) => {
                if let Event::SelectDb(selected) = record.event {
                    db = selected;
                }
                let bytes = chunk.slice(&record.span);
                let opcode = bytes.first().copied().unwrap_or(0);
                once.extend(to.facts().record(record, opcode, db));
                to.beside(record, bytes, out);
            }
        }
    }
}
