//! JSON Lines as a source: blocks of whole lines go to workers, which make of each the records of an RDB
//! that it describes ([`crate::text::read`]) and hand these to whoever reads RDB files. A line that is not
//! as it should be ends the job, and so does a key that comes twice.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::duplicates::{Duplicates, KeyHasher};
use super::pipeline::{self, Cutter, Parts, Worker};
use crate::error::{Error, Result};
use crate::fill::fill;
use crate::input::source::Input;
use crate::limits::{CHUNK, Limits};
use crate::rdb::reader::Reader;
use crate::rdb::skim::{Checksum, Chunk, Outcome, Start};
use crate::record::{Event, Record};
use crate::text::read::{First, LineReader, Records, Wrong, first_line};

/// Runs all lines through workers that read RDB files. `each` gets what they make, in the order of the file;
/// they come back at the end, with how reading ended.
///
/// # Errors
/// When the source cannot be read, a line is not as it should be, or a key comes twice.
pub fn run<W: Worker<Chunk>>(
    reader: Box<dyn Read + Send>,
    input: &Input,
    (limits, jobs): (Limits, usize),
    make: impl Fn() -> W,
    mut each: impl FnMut(W::Out),
) -> Result<(Vec<W>, Outcome)> {
    let failed = |err| Error::io(input.path(), "read", err);
    let mut lines = Lines::open(reader, limits).map_err(failed)?;
    let first = first_line(lines.first()).map_err(|wrong| at(input, 1, wrong))?;
    let stop = Arc::clone(&lines.stop);
    let hasher = KeyHasher::new();
    let make =
        || Lined { inner: make(), first, reader: LineReader::new(first.header, limits), hasher };
    let (mut wrong, mut duplicates, mut spilled) = (None, Duplicates::default(), Ok(()));
    let workers = pipeline::run(&mut lines, jobs, make, |lined: Out<W::Out>| {
        if wrong.is_some() {
            return;
        }
        match lined.out {
            Ok(out) => {
                if spilled.is_ok() {
                    spilled = duplicates.add(&lined.rows);
                }
                each(out);
            }
            Err(line) => {
                stop.store(true, Ordering::Relaxed);
                wrong = Some(line);
            }
        }
    })
    .map_err(failed)?;
    if let Some((line, wrong)) = wrong {
        return Err(at(input, line, wrong));
    }
    if lines.too_long {
        let what = format!("expected a line of at most {} bytes", limits.record);
        return Err(at(input, lines.line, Wrong { column: None, what }));
    }
    let mut twice = BTreeMap::new();
    spilled
        .and_then(|()| {
            duplicates.finish(jobs, |first, second| {
                twice.insert(second, first);
            })
        })
        .map_err(|err| Error::io(std::env::temp_dir(), "keep key hashes in", err))?;
    if let Some((line, first)) = twice.first_key_value() {
        let what = format!("expected each key once, found that of line {first} again");
        return Err(at(input, *line, Wrong { column: None, what }));
    }
    let outcome = Outcome {
        header: first.is_told.then_some(first.header),
        end: lines.offset,
        size: lines.offset,
        checksum: Checksum::Absent,
        computed: 0,
        damage: None,
        damaged_record: Vec::new(),
        db: 0,
    };
    Ok((workers.into_iter().map(|lined| lined.inner).collect(), outcome))
}

fn at(input: &Input, line: u64, wrong: Wrong) -> Error {
    let Wrong { column, what } = wrong;
    Error::Line { path: input.path().to_path_buf(), line, column, what }
}

/// Blocks of whole lines.
struct Lines {
    reader: Box<dyn Read + Send>,
    /// What was read and not yet handed out; blocks end with a line.
    ahead: Vec<u8>,
    ended: bool,
    /// The number of the next line, and its offset.
    line: u64,
    offset: u64,
    most: usize,
    too_long: bool,
    /// There is no use in going on.
    stop: Arc<AtomicBool>,
}

impl Lines {
    fn open(reader: Box<dyn Read + Send>, limits: Limits) -> io::Result<Lines> {
        let most = usize::try_from(limits.record).unwrap_or(usize::MAX);
        let mut lines = Lines {
            reader,
            ahead: Vec::new(),
            ended: false,
            line: 1,
            offset: 0,
            most,
            too_long: false,
            stop: Arc::default(),
        };
        lines.fill()?;
        Ok(lines)
    }

    /// Reads until a block is full and holds the end of a line, or the source ends.
    fn fill(&mut self) -> io::Result<()> {
        let mut wanted = CHUNK;
        while !self.ended {
            let mut filled = self.ahead.len();
            self.ahead.resize(wanted.max(filled), 0);
            let ended = fill(&mut self.reader, &mut self.ahead, &mut filled);
            self.ahead.truncate(filled);
            self.ended = ended?;
            if self.ahead.contains(&b'\n') {
                return Ok(());
            }
            if filled > self.most {
                (self.too_long, self.ended) = (true, true);
            }
            wanted = filled.saturating_mul(2);
        }
        Ok(())
    }

    fn first(&self) -> &[u8] {
        self.ahead.split(|byte| *byte == b'\n').next().unwrap_or_default()
    }
}

impl Cutter for Lines {
    type Chunk = Block;

    fn cut(&mut self, used: Option<Block>) -> io::Result<Option<Block>> {
        if self.stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        self.fill()?;
        if self.ahead.is_empty() || self.too_long {
            return Ok(None);
        }
        let end = self.ahead.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let end = if self.ended { self.ahead.len() } else { end };
        let mut spare = used.map(|block| block.text).unwrap_or_default();
        spare.clear();
        spare.extend_from_slice(self.ahead.get(end..).unwrap_or_default());
        let mut text = std::mem::replace(&mut self.ahead, spare);
        text.truncate(end);
        let block = Block { line: self.line, offset: self.offset, text };
        self.line += block.text.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.offset += block.text.len() as u64;
        Ok(Some(block))
    }
}

/// Whole lines.
struct Block {
    /// The number of the first, counted from 1.
    line: u64,
    /// Where it begins in the file.
    offset: u64,
    text: Vec<u8>,
}

/// A worker that reads RDB files, reading lines.
struct Lined<W> {
    inner: W,
    first: First,
    reader: LineReader,
    hasher: KeyHasher,
}

/// What is made of a block: what the worker makes of its records, or the line that is none; and rows of its
/// keys, with lines where offsets would be.
struct Out<O> {
    out: std::result::Result<O, (u64, Wrong)>,
    rows: Vec<u128>,
}

impl<W: Worker<Chunk>> Lined<W> {
    /// The records that a block describes.
    fn records(
        &mut self,
        block: &Block,
        rows: &mut Vec<u128>,
    ) -> std::result::Result<Chunk, (u64, Wrong)> {
        let mut records = Records::default();
        let mut lines_of = Vec::new();
        let mut start = Start { header: Some(self.first.header), db: 0 };
        if block.line == 1 && self.first.is_told {
            start.header = None;
            records.bytes.extend_from_slice(&self.first.header.bytes);
            records.ends.push(records.bytes.len());
            lines_of.push(1);
        }
        for (line, text) in (block.line..).zip(block.text.split(|byte| *byte == b'\n')) {
            let is_first = line == 1 && self.first.is_there;
            if is_first || text.trim_ascii().is_empty() {
                continue;
            }
            self.reader.line(text, &mut records).map_err(|wrong| (line, wrong))?;
            lines_of.resize(records.ends.len(), line);
        }
        let chunk = Chunk::of(records.bytes, records.ends, block.offset, start);
        for (record, line) in Reader::new(&chunk).zip(lines_of) {
            if let Ok(Record { event: Event::Key(key), .. }) = record
                && let Ok(name) = key.key.bytes(&mut Vec::new())
            {
                rows.push(self.hasher.row(key.db, name, line));
            }
        }
        Ok(chunk)
    }
}

impl<W: Worker<Chunk>> Worker<Block> for Lined<W> {
    type Out = Out<W::Out>;

    fn chunk(&mut self, block: &Block, hand_in: Parts<'_, Out<W::Out>>) -> Out<W::Out> {
        let mut rows = Vec::new();
        let mut part = |part| hand_in(Out { out: Ok(part), rows: Vec::new() });
        let out = self.records(block, &mut rows).map(|chunk| self.inner.chunk(&chunk, &mut part));
        Out { out, rows }
    }
}
