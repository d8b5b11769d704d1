//! Reading the records of a chunk: commands with their arguments and the database they are run on, and the
//! annotations between them.

use super::skim::{Chunk, record};
use super::state::{Stamp, State, Step};
use crate::encoding::resp::{Framer, Odd};
use crate::finding::Finding;
use crate::record::{Command, Event, Record};

/// The records of a chunk, in order.
#[derive(Debug)]
pub struct Reader<'a> {
    chunk: &'a Chunk,
    pos: usize,
    state: State,
    framer: Framer,
    args: Vec<&'a [u8]>,
}

/// A record, and what comes with it. It borrows the reader, which keeps the list of arguments for the next.
#[derive(Debug)]
pub struct Item<'r> {
    /// The record.
    pub record: Record<'r>,
    /// What it means for those after it.
    pub means: Means,
    /// What is known after it.
    pub state: &'r State,
    /// What is odd in it; positions count from its start.
    pub odd: &'r [Odd],
}

/// What a record means for those after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// What a command does.
    Command(Step),
    /// What time an annotation tells.
    Annotation(Option<Stamp>),
}

impl<'a> Reader<'a> {
    /// A reader at the start of a chunk.
    pub fn new(chunk: &'a Chunk) -> Reader<'a> {
        let mut framer = Framer::new(chunk.forms, chunk.string_limit);
        // Whole records only: where the chunk ends, so does its last one.
        framer.last = true;
        Reader { chunk, pos: 0, state: chunk.start, framer, args: Vec::new() }
    }

    /// The next record. Cutting has read all of the chunk before, so there is nothing here to fail.
    pub fn next_record(&mut self) -> Option<Item<'_>> {
        let at = self.chunk.bytes().get(self.pos..).filter(|at| !at.is_empty())?;
        let start = self.chunk.offset + self.pos as u64;
        self.args.clear();
        let args = &mut self.args;
        let (len, annotation) = record(&mut self.framer, at, |arg| args.push(arg)).ok()?;
        self.pos += len;
        let (event, means) = match annotation {
            Some(text) => (Event::Annotation(text), Means::Annotation(self.state.annotation(text))),
            None => {
                let arg = |index: usize| self.args.get(index).copied().unwrap_or_default();
                let db = self.state.db;
                let step = self.state.command(arg(0), arg(1), start);
                (Event::Command(Command { db, args: &self.args }), Means::Command(step))
            }
        };
        let record = Record { span: start..start + len as u64, event };
        Some(Item { record, means, state: &self.state, odd: &self.framer.odd })
    }
}

impl Item<'_> {
    /// What is odd in it, as findings.
    pub fn findings(&self) -> impl Iterator<Item = Finding> {
        let record = self.record.span.start;
        self.odd.iter().map(move |odd| {
            let start = record + odd.pos as u64;
            let span = start..start + odd.len as u64;
            Finding::new(odd.code, span, odd.expected, odd.found.clone())
        })
    }
}
