//! Cutting: find where each record of an RDB ends, without looking into it, and cut the file into
//! chunks of whole records that workers can read on their own.
//!
//! One pass over a stream (file, pipe or decompressor), a bounded buffer, the checksum on the way.

use std::io::{self, Read};
use std::ops::Range;

use super::header::Header;
use super::length::length;
use super::step::{LOOK, Skim, repeats};
use crate::encoding::crc64::Crc64;
use crate::error::{Fault, fault_of};
use crate::fill::fill;
use crate::finding::{Code, Excerpt, Finding};
use crate::limits::{CHUNK, Limits};
use crate::periodic::Run;

/// What a reader must know to start in the middle of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The file's header; `None` before it was read.
    pub header: Option<Header>,
    /// The selected database.
    pub db: u64,
}

/// Whole records of a file, in order.
#[derive(Debug)]
pub struct Chunk {
    bytes: Vec<u8>,
    /// Absolute offset of the first byte.
    pub offset: u64,
    /// Position after each record.
    pub ends: Vec<usize>,
    /// What was known before the first record.
    pub start: Start,
}

impl Chunk {
    /// The bytes of the records.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.ends.last().copied().unwrap_or(0)).unwrap_or_default()
    }

    /// The bytes of an absolute span inside it.
    pub fn slice(&self, span: &Range<u64>) -> &[u8] {
        let pos = |offset: u64| usize::try_from(offset.saturating_sub(self.offset)).ok();
        let range = pos(span.start).zip(pos(span.end));
        range.and_then(|(start, end)| self.bytes.get(start..end)).unwrap_or_default()
    }

    /// Records that lie in memory, with the position behind each.
    pub fn of(bytes: Vec<u8>, ends: Vec<usize>, offset: u64, start: Start) -> Chunk {
        Chunk { bytes, offset, ends, start }
    }

    /// Gives the buffers back for another chunk.
    pub fn recycle(self) -> Spare {
        Spare { bytes: self.bytes, ends: self.ends }
    }
}

/// Buffers to use again.
#[derive(Debug, Default)]
pub struct Spare {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// What the checksum says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// It matches.
    Ok,
    /// It does not.
    Bad {
        /// In the file.
        stored: u64,
        /// Of the bytes before it.
        computed: u64,
    },
    /// Stored as 0: switched off.
    Disabled,
    /// The version has none.
    Absent,
    /// The file ends before it, or is damaged so that its end is not known.
    Unknown,
}

impl Checksum {
    /// The word used in text and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Checksum::Ok => "ok",
            Checksum::Bad { .. } | Checksum::Unknown => "bad",
            Checksum::Disabled => "disabled",
            Checksum::Absent => "absent",
        }
    }
}

/// What is known at the end of the file.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Header, when there was one.
    pub header: Option<Header>,
    /// Absolute offset after the last record that was cut.
    pub end: u64,
    /// Bytes of the whole input.
    pub size: u64,
    /// What the checksum says.
    pub checksum: Checksum,
    /// The checksum of all records, as far as they were cut.
    pub computed: u64,
    /// Where cutting had to stop, and why.
    pub damage: Option<Finding>,
    /// The record in which it stopped, as far as it could be read.
    pub damaged_record: Vec<u8>,
    /// Database at that place.
    pub db: u64,
}

/// Cuts a stream into chunks.
#[derive(Debug)]
pub struct Chunks<R> {
    source: R,
    skim: Skim,
    limits: Limits,
    buf: Vec<u8>,
    filled: usize,
    offset: u64,
    crc: Crc64,
    checksum: Checksum,
    source_ended: bool,
    damage: Option<Finding>,
    damaged_record: Vec<u8>,
    /// The end of the string that was too long, if it were there.
    claimed_end: Option<u64>,
    /// What repeats where it stopped.
    run: Option<Run>,
}

impl<R: Read> Chunks<R> {
    /// A cutter at the start of an RDB that lies at `offset` of its file.
    pub fn new(source: R, offset: u64, limits: Limits) -> Chunks<R> {
        Chunks::resume(source, offset, Start { header: None, db: 0 }, limits)
    }

    /// A cutter at the start of a record in the middle of an RDB. What it says of the checksum is of the bytes
    /// from there on.
    pub fn resume(source: R, offset: u64, start: Start, limits: Limits) -> Chunks<R> {
        Chunks {
            source,
            skim: Skim::new(start, limits.string),
            limits,
            buf: Vec::new(),
            filled: 0,
            offset,
            crc: Crc64::new(),
            checksum: Checksum::Unknown,
            source_ended: false,
            damage: None,
            damaged_record: Vec::new(),
            claimed_end: None,
            run: None,
        }
    }

    /// The next chunk; `None` after the EOF record, or where damage stops the cutting.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn next_chunk(&mut self, spare: Spare) -> io::Result<Option<Chunk>> {
        if self.skim.ended || self.damage.is_some() {
            return Ok(None);
        }
        let Spare { bytes: next_buf, mut ends } = spare;
        ends.clear();
        let start = self.skim.start;
        let safe = self.cut(&mut ends)?;
        if ends.is_empty() {
            return Ok(None);
        }
        let rest = self.buf.get(safe..self.filled).unwrap_or_default();
        let mut buf = next_buf;
        let needed = rest.len().max(CHUNK);
        if buf.len() < needed || buf.len() > 2 * needed {
            // A chunk that held one large record does not keep its memory.
            buf = vec![0; needed];
        }
        if let Some(head) = buf.get_mut(..rest.len()) {
            head.copy_from_slice(rest);
        }
        let filled = rest.len();
        let bytes = std::mem::replace(&mut self.buf, buf);
        self.filled = filled;
        let chunk = Chunk { bytes, offset: self.offset, ends, start };
        self.sum(&chunk);
        self.offset += safe as u64;
        Ok(Some(chunk))
    }

    /// Finds the ends of as many records as the buffer takes. Returns where the last one ends up to
    /// which no attribute is waiting for its key.
    fn cut(&mut self, ends: &mut Vec<usize>) -> io::Result<usize> {
        let (mut pos, mut safe, mut safe_count) = (0, 0, 0);
        let start = self.skim.start;
        let mut safe_db = start.db;
        loop {
            self.fill()?;
            let buf = self.buf.get(..self.filled).unwrap_or_default();
            let stopped = loop {
                let at = buf.get(pos..).unwrap_or_default();
                match self.skim.record(at) {
                    Ok((rest, ())) => {
                        pos = buf.len() - rest.len();
                        ends.push(pos);
                        if !self.skim.carried || self.skim.ended {
                            (safe, safe_count, safe_db) = (pos, ends.len(), self.skim.start.db);
                        }
                        if self.skim.ended {
                            return Ok(safe);
                        }
                        if ends.len().is_multiple_of(LOOK)
                            && let Some((sound, at, fault)) = repeats(buf, ends)
                        {
                            ends.truncate(sound);
                            pos = at;
                            self.skim = Skim::new(start, self.limits.string).over(buf, ends);
                            break fault;
                        }
                    }
                    Err(err) => break fault_of(err),
                }
            };
            let short = stopped.code() == Code::RdbTruncated && !self.source_ended;
            if short && safe_count > 0 {
                // The rest, and a record still waiting for its key, come with the next chunk.
                ends.truncate(safe_count);
                self.skim.start.db = safe_db;
                self.skim.carried = false;
                return Ok(safe);
            }
            if short && (buf.len() as u64) < self.limits.record {
                self.grow();
                continue;
            }
            self.stop(stopped, pos, short);
            return Ok(pos);
        }
    }

    fn grow(&mut self) {
        let limit = usize::try_from(self.limits.record).unwrap_or(usize::MAX);
        let len = self.buf.len().saturating_mul(2).max(CHUNK).min(limit);
        self.buf.resize(len, 0);
    }

    /// Records why cutting stops at `pos` of the buffer.
    fn stop(&mut self, fault: Fault, pos: usize, too_large: bool) {
        let at = self.offset + pos as u64;
        let end = self.offset + self.filled as u64;
        let record = self.buf.get(pos..self.filled).unwrap_or_default();
        let (fault_rest, fault_len) = (fault.rest(), fault.len());
        let mut finding = if too_large {
            let expected = format!("a record of at most {} bytes", self.limits.record);
            Finding::new(Code::RecordLimit, at..end, expected, "a longer one")
        } else if end == 0 {
            Finding::new(Code::RdbEmptyFile, 0..0, "an RDB file", "no bytes")
        } else if record.is_empty() {
            Finding::new(Code::RdbNoEof, at..at, "the EOF opcode (0xff)", "the end of the file")
        } else {
            fault.finding(end)
        };
        if finding.code == Code::StringLimit {
            let string = record.get(record.len().saturating_sub(fault_rest)..).unwrap_or_default();
            let len = length(string).map(|(_, len)| len).ok();
            self.claimed_end = len.map(|len| finding.span.start.saturating_add(len));
        }
        let is_run = finding.code == Code::RdbRepeats;
        if is_run {
            let mut run = Run::of(record.get(..fault_len).unwrap_or_default());
            run.follow(record);
            self.run = Some(run);
        }
        let read = self.buf.get(..self.filled).unwrap_or_default();
        finding.excerpt = Excerpt::around(read, self.offset, finding.span.start);
        // What repeats is no record, so nothing in it is a name.
        let shown = if is_run { 0 } else { record.len().min(4096) };
        self.damaged_record = record.get(..shown).unwrap_or_default().to_vec();
        self.damage = Some(finding);
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.buf.is_empty() {
            self.buf = vec![0; CHUNK];
        }
        if !self.source_ended {
            self.source_ended = fill(&mut self.source, &mut self.buf, &mut self.filled)?;
        }
        Ok(())
    }

    fn sum(&mut self, chunk: &Chunk) {
        let bytes = chunk.bytes();
        let Some(head) = self.skim.start.header.filter(|_| self.skim.ended) else {
            return self.crc.update(bytes);
        };
        if !head.has_checksum() {
            self.crc.update(bytes);
            self.checksum = Checksum::Absent;
        } else if let Some((body, stored)) = bytes.split_last_chunk::<8>() {
            self.crc.update(body);
            self.checksum = verdict(u64::from_le_bytes(*stored), self.crc.value());
        }
    }

    /// The first bytes after what was cut so far, as far as they are in the buffer.
    pub fn tail(&self, count: usize) -> Vec<u8> {
        self.buf.get(..self.filled.min(count)).unwrap_or_default().to_vec()
    }

    /// Whether the EOF record was reached.
    pub fn ended(&self) -> bool {
        self.skim.ended
    }

    /// Reads what is left and says what is known. After damage the last eight bytes are taken for the
    /// checksum: where it matches, the file is as it was written and only unknown to us.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn finish(mut self) -> io::Result<Outcome> {
        let mut size = self.offset + self.filled as u64;
        let head = self.skim.start.header;
        let summing = self.damage.is_some() && head.is_some_and(|head| head.has_checksum());
        let mut last = self.filled;
        loop {
            if summing {
                last = self.sum_all_but_8(last);
            } else {
                last = 0;
            }
            self.filled = last;
            self.fill()?;
            size += (self.filled - last) as u64;
            if let Some(run) = &mut self.run {
                run.follow(self.buf.get(last..self.filled).unwrap_or_default());
            }
            if self.filled == last {
                break;
            }
            last = self.filled;
        }
        if let (true, Some(stored)) = (summing, self.buf.first_chunk::<8>().filter(|_| last == 8))
            && let Checksum::Ok = verdict(u64::from_le_bytes(*stored), self.crc.value())
        {
            self.checksum = Checksum::Ok;
        }
        if let (Some(damage), Some(run)) = (&mut self.damage, &self.run) {
            tell(run, damage);
        }
        if let (Some(damage), Some(claimed)) = (&mut self.damage, self.claimed_end) {
            // Not a long string but a wrong length: the file is not even that long.
            if claimed > size {
                damage.code = Code::RdbTruncated;
                damage.expected = format!("a string of {} bytes", claimed - damage.span.start);
                damage.found = format!("{} bytes, then the end", size - damage.span.start);
            }
        }
        Ok(Outcome {
            header: head,
            end: self.offset,
            size,
            checksum: self.checksum,
            computed: self.crc.value(),
            damage: self.damage,
            damaged_record: self.damaged_record,
            db: self.skim.start.db,
        })
    }

    fn sum_all_but_8(&mut self, filled: usize) -> usize {
        let keep = filled.min(8);
        let summed = filled - keep;
        self.crc.update(self.buf.get(..summed).unwrap_or_default());
        self.buf.copy_within(summed..filled, 0);
        keep
    }

    /// What is known where an RDB ended that may be the preamble of something longer, what was read
    /// after it, and the source at the place behind that. The size is that of the RDB.
    pub fn into_rest(self) -> (Outcome, Vec<u8>, R) {
        let mut buf = self.buf;
        buf.truncate(self.filled);
        let outcome = Outcome {
            header: self.skim.start.header,
            end: self.offset,
            size: self.offset,
            checksum: self.checksum,
            computed: self.crc.value(),
            damage: self.damage,
            damaged_record: self.damaged_record,
            db: self.skim.start.db,
        };
        (outcome, buf, self.source)
    }
}

/// How long it goes on where the same bytes repeat.
fn tell(run: &Run, damage: &mut Finding) {
    let span = &mut damage.span;
    if run.repeats() {
        span.end = span.start.saturating_add(run.len());
        damage.found = run.describe();
    }
}

fn verdict(stored: u64, computed: u64) -> Checksum {
    match stored {
        0 => Checksum::Disabled,
        _ if stored == computed => Checksum::Ok,
        _ => Checksum::Bad { stored, computed },
    }
}
