//! Reading the records of a chunk: commands with their arguments and the database they are run on, and the
//! annotations between them.

use super::marks::Mark;
use super::skim::Chunk;
use super::state::{Stamp, State, Step};
use crate::encoding::resp::Odd;
use crate::finding::Finding;
use crate::record::{Command, Event, Record};

/// The records of a chunk, in order.
#[derive(Debug)]
pub struct Reader<'a> {
    chunk: &'a Chunk,
    /// Records, odd ones among them, and arguments that were read.
    index: usize,
    odd: usize,
    first: usize,
    pos: usize,
    state: State,
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
        let (index, odd, first, pos) = (0, 0, 0, 0);
        Reader { chunk, index, odd, first, pos, state: chunk.start, args: Vec::new() }
    }

    /// The next record. Cutting has found its parts, so there is nothing here to fail.
    pub fn next_record(&mut self) -> Option<Item<'_>> {
        let (bytes, marks) = (self.chunk.bytes(), &self.chunk.marks);
        let &Mark { end, args, is_annotation } = marks.records.get(self.index)?;
        let start = self.chunk.offset + self.pos as u64;
        let places = marks.args.get(self.first..args).unwrap_or_default();
        self.args.clear();
        self.args.extend(places.iter().map(|place| place.in_bytes(bytes)));
        let odd = match marks.odd.get(self.odd) {
            Some((index, odd)) if *index == self.index => {
                self.odd += 1;
                odd.as_slice()
            }
            _ => &[],
        };
        (self.index, self.first, self.pos) = (self.index + 1, args, end);
        let arg = |index: usize| self.args.get(index).copied().unwrap_or_default();
        let (event, means) = if is_annotation {
            let text = arg(0);
            (Event::Annotation(text), Means::Annotation(self.state.annotation(text)))
        } else {
            let db = self.state.db;
            let step = self.state.command(arg(0), arg(1), start);
            (Event::Command(Command { db, args: &self.args }), Means::Command(step))
        };
        let record = Record { span: start..self.chunk.offset + end as u64, event };
        Some(Item { record, means, state: &self.state, odd })
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
