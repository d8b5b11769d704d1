//! What a salvage keeps of a part, and can take back: whether commands are kept may be told only by what comes
//! behind them.

use std::collections::VecDeque;
use std::ops::Range;

use crate::encoding::resp::write_command;
use crate::job::pieces::Piece;

/// Suspect commands that are told one by one; the rest are counted.
pub const NAMED: usize = 10_000;

/// Commands on either side of a gap that are suspect.
pub(super) const BESIDE: usize = 2;

/// Why a command is suspect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// It is beside a gap.
    Beside,
    /// It is on a key that a lost command was on.
    Affected,
    /// It is not as servers write it.
    Odd,
}

/// A command that may not be what it was, or not do what it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// Where it is in the damaged file.
    pub offset: u64,
    /// The database that it is taken to be on.
    pub db: u64,
    /// Its name.
    pub name: Vec<u8>,
    /// Its first key, or first argument.
    pub key: Option<Vec<u8>>,
    /// Why.
    pub doubt: Doubt,
}

/// Commands whose database is not certain: a gap is before them, and no SELECT since. Or the length of an
/// argument was changed before them, and they look as if bytes were missing there instead, a SELECT among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assumed {
    /// The database.
    pub db: u64,
    /// The one before the gap.
    pub before: u64,
    /// Where they are in the damaged file.
    pub span: Range<u64>,
    /// How many; none if it turned out that there is nothing to assume.
    pub commands: u64,
    /// It is no gap that is before them, but a length that was changed.
    pub is_mended: bool,
}

/// What is kept.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// Pieces of the new file.
    pub pieces: Vec<Piece>,
    /// Commands.
    pub commands: u64,
    /// Those of them that are suspect, and the first of these.
    pub suspects: u64,
    /// The first suspects.
    pub named: Vec<Suspect>,
    /// Commands whose database is assumed.
    pub assumed: Vec<Assumed>,
    /// The last ones of the assumed go on.
    is_assumed: bool,
    /// The database that is selected in the new file.
    db: u64,
    /// The last commands.
    pub(super) last: VecDeque<Range<u64>>,
}

/// A moment to go back to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// Where in the file.
    pub(super) at: u64,
    pieces: usize,
    last_end: u64,
    commands: u64,
    suspects: u64,
    named: usize,
    assumed: usize,
    assumed_commands: u64,
    assumed_end: u64,
    is_assumed: bool,
    db: u64,
}

impl Kept {
    /// This moment.
    pub(super) fn mark(&self, at: u64) -> Mark {
        let last_end = match self.pieces.last() {
            Some(Piece::Copy(span)) => span.end,
            Some(Piece::New(_)) | None => 0,
        };
        let assumed = self.assumed.last();
        Mark {
            at,
            pieces: self.pieces.len(),
            last_end,
            commands: self.commands,
            suspects: self.suspects,
            named: self.named.len(),
            assumed: self.assumed.len(),
            assumed_commands: assumed.map_or(0, |assumed| assumed.commands),
            assumed_end: assumed.map_or(0, |assumed| assumed.span.end),
            is_assumed: self.is_assumed,
            db: self.db,
        }
    }

    /// Takes back what was kept since.
    pub(super) fn back(&mut self, mark: &Mark) {
        self.pieces.truncate(mark.pieces);
        if let Some(Piece::Copy(span)) = self.pieces.last_mut() {
            span.end = mark.last_end;
        }
        self.commands = mark.commands;
        self.suspects = mark.suspects;
        self.named.truncate(mark.named);
        self.assumed.truncate(mark.assumed);
        if let Some(assumed) = self.assumed.last_mut() {
            assumed.commands = mark.assumed_commands;
            assumed.span.end = mark.assumed_end;
        }
        self.is_assumed = mark.is_assumed;
        self.db = mark.db;
        self.last.retain(|span| span.end <= mark.at);
    }

    /// Bytes as they are.
    pub(super) fn copy(&mut self, span: Range<u64>) {
        match self.pieces.last_mut() {
            Some(Piece::Copy(last)) if last.end == span.start => last.end = span.end,
            _ => self.pieces.push(Piece::Copy(span)),
        }
    }

    /// A command on a database.
    pub(super) fn command(&mut self, spans: &[Range<u64>], db: u64) {
        if self.db != db {
            let (name, number) = (b"SELECT", db.to_string());
            let mut bytes = Vec::new();
            write_command([name, number.as_bytes()].into_iter(), &mut bytes);
            self.pieces.push(Piece::New(bytes));
            self.db = db;
        }
        self.count(spans);
        if let (true, Some(assumed), Some(span)) =
            (self.is_assumed, self.assumed.last_mut(), spans.last())
        {
            assumed.commands += 1;
            assumed.span.end = span.end;
        }
    }

    /// What was kept last, of these bytes, is written as servers write it.
    pub(super) fn rewrite(&mut self, span: &Range<u64>, args: &[&[u8]]) {
        let Some(Piece::Copy(last)) = self.pieces.last_mut() else { return };
        if last.end != span.end || args.is_empty() {
            return;
        }
        last.end = span.start;
        if last.is_empty() {
            self.pieces.pop();
        }
        let mut bytes = Vec::new();
        write_command(args.iter().copied(), &mut bytes);
        self.pieces.push(Piece::New(bytes));
    }

    /// A SELECT.
    pub(super) fn select(&mut self, spans: &[Range<u64>], db: u64) {
        self.count(spans);
        self.db = db;
        self.is_assumed = false;
    }

    fn count(&mut self, spans: &[Range<u64>]) {
        spans.iter().for_each(|span| self.copy(span.clone()));
        self.commands += 1;
        if let (Some(first), Some(last)) = (spans.first(), spans.last()) {
            self.last.push_back(first.start..last.end);
            self.last.drain(..self.last.len().saturating_sub(BESIDE));
        }
    }

    /// From here on the database is not certain.
    pub(super) fn assume(&mut self, db: u64, at: u64) {
        self.assume_behind(db, at, false);
    }

    /// The same behind a length that was changed.
    pub(super) fn assume_mended(&mut self, db: u64, at: u64) {
        if !self.is_assumed {
            self.assume_behind(db, at, true);
        }
    }

    fn assume_behind(&mut self, db: u64, at: u64, is_mended: bool) {
        self.assumed.push(Assumed { db, before: db, span: at..at, commands: 0, is_mended });
        self.is_assumed = true;
    }

    /// A command is suspect.
    pub(super) fn suspect(&mut self, suspect: impl FnOnce() -> Suspect) {
        self.suspects += 1;
        if self.named.len() < NAMED {
            self.named.push(suspect());
        }
    }

    /// Bytes of the new file.
    pub fn size(&self) -> u64 {
        self.pieces.iter().map(Piece::size).sum()
    }
}
