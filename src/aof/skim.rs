//! Cutting: find where each command of an AOF ends and cut the stream into chunks of whole records, each
//! with what must be known to start there. One pass over a stream, a bounded buffer.
//!
//! Commands carry no length of their own, so cutting frames every argument, and leaves marks of what it
//! found for who reads the chunk (`marks`).

use std::io::{self, Read};

use super::damage::{self, Damage};
use super::marks::{Marks, Place};
use super::state::State;
use crate::encoding::resp::{Forms, Framer, Stop, Words};
use crate::error::Fault;
use crate::fill::fill;
use crate::finding::Code;
use crate::limits::{CHUNK, Limits};

/// Bytes before a place that are kept to recognise a block that comes twice.
const HISTORY: usize = 64 << 10;

/// Whole records of an AOF, in order.
#[derive(Debug)]
pub struct Chunk {
    bytes: Vec<u8>,
    len: usize,
    /// Absolute offset of the first byte.
    pub offset: u64,
    /// What was known before the first record.
    pub start: State,
    pub(super) marks: Marks,
}

/// Buffers of a chunk, to be used again.
#[derive(Debug, Default)]
pub struct Spare {
    bytes: Vec<u8>,
    marks: Marks,
}

impl Chunk {
    /// The bytes of the records.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Gives the buffers back for another chunk.
    pub fn recycle(self) -> Spare {
        Spare { bytes: self.bytes, marks: self.marks }
    }
}

/// What is known at the end.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Absolute offset after the last record that was cut.
    pub end: u64,
    /// Bytes of the whole file.
    pub size: u64,
    /// What was known there: a transaction may be open.
    pub state: State,
    /// Where cutting had to stop, and why.
    pub damage: Option<Damage>,
}

/// Takes a record from the start of `i`.
///
/// # Errors
/// When there is none, or not all of it.
#[inline]
fn record<'a>(
    framer: &mut Framer,
    i: &'a [u8],
    each: impl FnMut(&'a [u8]),
) -> Result<(usize, Option<&'a [u8]>), Box<Stop>> {
    match i.first() {
        Some(b'*') => Ok((framer.command(i, each)?, None)),
        Some(b'#') => {
            let (text, len) = framer.annotation(i)?;
            Ok((len, Some(text)))
        }
        Some(&other) => {
            let expected = "a command (*) or an annotation (#)";
            Err(Stop::bad(Code::AofFormat, i, 1, expected.into(), Words::Byte(other)))
        }
        None => Err(Stop::short(Code::AofTruncated, i, 1, "a command".into())),
    }
}

/// Cuts a stream into chunks.
#[derive(Debug)]
pub struct Chunks<R> {
    source: R,
    framer: Framer,
    state: State,
    limits: Limits,
    chunk: usize,
    buf: Vec<u8>,
    filled: usize,
    offset: u64,
    history: Vec<u8>,
    source_ended: bool,
    growing: bool,
    stopped: Option<Stopped>,
}

/// Why cutting stopped, `fault` being about a slice that ends at `end`.
#[derive(Debug)]
struct Stopped {
    fault: Fault,
    end: u64,
    at_end: bool,
}

impl<R: Read> Chunks<R> {
    /// A cutter of the commands that begin at `offset` of a file, with what is known there.
    pub fn new(source: R, offset: u64, state: State, forms: Forms, limits: Limits) -> Chunks<R> {
        Chunks {
            source,
            framer: Framer::new(forms, limits.string),
            state,
            limits,
            chunk: CHUNK,
            buf: Vec::new(),
            filled: 0,
            offset,
            history: Vec::new(),
            source_ended: false,
            growing: false,
            stopped: None,
        }
    }

    /// A source that may say `WouldBlock` where there is nothing more for now: what is there is cut then,
    /// and the source asked again only when the next chunk is.
    pub fn growing(mut self) -> Chunks<R> {
        self.growing = true;
        self
    }

    /// Chunks of another size than usual, at least one record each.
    pub fn with_chunk(mut self, bytes: usize) -> Chunks<R> {
        self.chunk = bytes.max(1);
        self
    }

    /// The next chunk, in buffers that were used before; `None` at the end, or where damage stops the
    /// cutting.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn next_chunk(&mut self, spare: Spare) -> io::Result<Option<Chunk>> {
        if self.stopped.is_some() {
            return Ok(None);
        }
        let start = self.state;
        let Spare { bytes: mut buf, mut marks } = spare;
        marks.clear();
        let len = self.cut(&mut marks)?;
        if len == 0 {
            return Ok(None);
        }
        let rest = self.buf.get(len..self.filled).unwrap_or_default();
        let needed = rest.len().max(self.chunk);
        if buf.len() < needed || buf.len() > 2 * needed {
            // A chunk that held one large record does not keep its memory.
            buf = vec![0; needed];
        }
        if let Some(head) = buf.get_mut(..rest.len()) {
            head.copy_from_slice(rest);
        }
        self.filled = rest.len();
        let bytes = std::mem::replace(&mut self.buf, buf);
        let chunk = Chunk { bytes, len, offset: self.offset, start, marks };
        self.remember(chunk.bytes());
        self.offset += len as u64;
        Ok(Some(chunk))
    }

    /// Takes as many records as the buffer holds; returns how many bytes they are.
    fn cut(&mut self, marks: &mut Marks) -> io::Result<usize> {
        let mut pos = 0;
        loop {
            self.fill()?;
            self.framer.last = self.source_ended;
            let buf = self.buf.get(..self.filled).unwrap_or_default();
            let stop = loop {
                let at = buf.get(pos..).unwrap_or_default();
                if at.is_empty() && self.source_ended {
                    return Ok(pos);
                }
                match take(&mut self.framer, &mut self.state, buf, pos, self.offset, marks) {
                    Ok(end) => pos = end,
                    Err(stop) => {
                        marks.undo();
                        break stop;
                    }
                }
            };
            let at_end = matches!(*stop, Stop::Short { .. });
            match *stop {
                Stop::Short { .. } if !self.source_ended && pos > 0 => return Ok(pos),
                Stop::Short { need, .. } if !self.source_ended && self.more(need) => {}
                stop => {
                    let end = self.offset + self.filled as u64;
                    let too_large = at_end && !self.source_ended;
                    let fault = if too_large { self.too_large(pos) } else { stop.fault() };
                    self.stopped = Some(Stopped { fault, end, at_end: at_end && !too_large });
                    return Ok(pos);
                }
            }
        }
    }

    /// Makes room for a record of at least so many bytes, if that is not too many.
    fn more(&mut self, need: usize) -> bool {
        if self.filled < self.buf.len() {
            return true;
        }
        let limit = usize::try_from(self.limits.record).unwrap_or(usize::MAX);
        if self.buf.len() >= limit || need > limit {
            return false;
        }
        let len = self.buf.len().saturating_mul(2).max(need).max(self.chunk).min(limit);
        self.buf.resize(len, 0);
        true
    }

    fn too_large(&self, pos: usize) -> Fault {
        let at = self.buf.get(pos..self.filled).unwrap_or_default();
        let expected = format!("a command of at most {} bytes", self.limits.record);
        Fault::new(Code::RecordLimit, at, at.len(), expected, "a longer one")
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.buf.is_empty() {
            self.buf = vec![0; self.chunk];
        }
        if !self.source_ended {
            match fill(&mut self.source, &mut self.buf, &mut self.filled) {
                Ok(ended) => self.source_ended = ended,
                Err(err) if err.kind() == io::ErrorKind::WouldBlock && self.growing => {}
                Err(err) => return Err(err),
            }
        }
        Ok(())
    }

    /// Keeps the last bytes before the place where the next chunk begins.
    fn remember(&mut self, bytes: &[u8]) {
        let new = bytes.get(bytes.len().saturating_sub(HISTORY)..).unwrap_or_default();
        if self.history.len() + new.len() > 2 * HISTORY {
            let old = self.history.len().saturating_sub(HISTORY - new.len());
            self.history.drain(..old);
        }
        self.history.extend_from_slice(new);
    }

    /// Absolute offset up to which bytes were read.
    pub fn seen(&self) -> u64 {
        self.offset + self.filled as u64
    }

    /// Reads what is left and says what is known.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn finish(self) -> io::Result<Outcome> {
        self.end(None)
    }

    /// The same for a file of so many bytes, without reading all that is left to count them.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn finish_sized(self, size: u64) -> io::Result<Outcome> {
        self.end(Some(size))
    }

    fn end(mut self, known: Option<u64>) -> io::Result<Outcome> {
        let (end, state) = (self.offset, self.state);
        let Some(stopped) = self.stopped.take() else {
            let size = self.offset + self.filled as u64 + self.drain(false, true)?.1;
            return Ok(Outcome { end, size, state, damage: None });
        };
        let finding = stopped.fault.finding(stopped.end);
        if stopped.at_end {
            let rest = self.buf.get(..self.filled).unwrap_or_default();
            let damage = damage::cut(finding, rest);
            return Ok(Outcome { end, size: stopped.end, state, damage: Some(damage) });
        }
        self.look_behind(finding.span.start)?;
        let rest = self.buf.get(..self.filled).unwrap_or_default();
        let before = self.history.len();
        let window = [self.history.as_slice(), rest].concat();
        let base = self.offset - before as u64;
        let seen = self.offset + self.filled as u64;
        let nuls = damage::nuls(&window, base, self.offset, finding.span.start);
        let is_open = nuls.as_ref().is_some_and(|nuls| nuls.end == seen);
        let (more_nuls, more) = self.drain(is_open, known.is_none())?;
        let size = known.unwrap_or(seen + more);
        let nuls =
            nuls.map(|nuls| if nuls.end == seen { nuls.start..seen + more_nuls } else { nuls });
        let damage = damage::classify(finding, &window, base, end, nuls, size);
        Ok(Outcome { end, size, state, damage: Some(damage) })
    }

    /// Sees to it that some bytes behind the damage are in the buffer.
    fn look_behind(&mut self, offset: u64) -> io::Result<()> {
        let pos = usize::try_from(offset.saturating_sub(self.offset)).unwrap_or(0);
        let wanted = pos.saturating_add(2 * HISTORY);
        if self.buf.len() < wanted {
            self.buf.resize(wanted, 0);
        }
        self.fill()
    }

    /// Reads on: how many NULs come first, if anybody asks, and how many bytes there are to the end.
    fn drain(&mut self, nuls: bool, to_end: bool) -> io::Result<(u64, u64)> {
        let (mut run, mut running, mut count) = (0, nuls, 0);
        while !self.source_ended && (running || to_end) {
            self.filled = 0;
            self.fill()?;
            let bytes = self.buf.get(..self.filled).unwrap_or_default();
            if running {
                let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
                run += zeros as u64;
                running = zeros == bytes.len();
            }
            count += bytes.len() as u64;
        }
        Ok((run, count))
    }
}

/// Takes the record at `pos` of a buffer that lies at `offset` of the file, and notes where it is and what
/// it means. Returns where it ends.
#[inline]
fn take(
    framer: &mut Framer,
    state: &mut State,
    buf: &[u8],
    pos: usize,
    offset: u64,
    marks: &mut Marks,
) -> Result<usize, Box<Stop>> {
    let first = marks.args.len();
    let at = buf.get(pos..).unwrap_or_default();
    let (len, annotation) = record(framer, at, |arg| marks.args.push(Place::of(arg, buf)))?;
    match annotation {
        Some(text) => {
            marks.args.push(Place::of(text, buf));
            state.annotation(text);
        }
        None => {
            let arg = |at: usize| marks.args.get(first + at).map(|place| place.in_bytes(buf));
            let (name, first) = (arg(0).unwrap_or_default(), arg(1).unwrap_or_default());
            state.command(name, first, offset + pos as u64);
        }
    }
    marks.close(pos + len, annotation.is_some(), &mut framer.odd);
    Ok(pos + len)
}
