//! What of a damaged RDB can be read: runs of records, the gaps between them, and values that are bad
//! although their neighbours can be told from them.
//!
//! ```text
//!  header │ run ………………… │ gap │ run … [bad value] …… │ gap │ run ………… │ EOF
//!                  last 4 ┘     └ first 4, suspect         suspect ┘
//! ```

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::resync::{Goal, LARGE, Resync};
use super::sections::SINCE_RESIZEDB;
use crate::element::Ignore;
use crate::error::{Error, Result};
use crate::finding::{Code, Finding, KeyPlace, Severity};
use crate::job::check;
use crate::job::duplicates::{Duplicates, KeyHasher};
use crate::job::pipeline::{self, Cutter, Parts, Worker};
use crate::job::rdb_file::{RdbFile, place_of};
use crate::persist::fs::{File, FileReader, read_full_at};
use crate::rdb::header::Header;
use crate::rdb::reader::{Reader, describe_damaged};
use crate::rdb::skim::{Chunk, Outcome, Start};
use crate::rdb::walk::Walker;
use crate::record::{Event, Record};

/// Bytes of a damaged record in which its key's name is looked for.
const NAME_MAX: usize = 4096;

/// Records on either side of a gap that are suspect.
const BESIDE: usize = 4;

/// Gaps after which a file is given up: what is behind them is one more.
const GAPS_MAX: usize = 10_000;

/// Bad values that are too many to tell of.
const BAD_MAX: usize = 1 << 20;

/// Highest database number that is believed.
const DB_MAX: u64 = 0xffff;

/// Records one behind the other that can be read.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its bytes, without the EOF record.
    pub span: Range<u64>,
    /// What was known before it.
    pub start: Start,
    /// Records that begin before are suspect.
    pub sound_from: u64,
    /// Records that begin at or after it are suspect.
    pub sound_to: u64,
}

impl Run {
    /// Whether what begins at an offset may not be what it was.
    pub fn is_suspect(&self, offset: u64) -> bool {
        !(self.sound_from..self.sound_to).contains(&offset)
    }
}

/// A record that is framed, with a value that is not what it should be.
#[derive(Debug, Clone)]
pub struct Bad {
    /// The record.
    pub span: Range<u64>,
    /// What is wrong with it first.
    pub finding: Finding,
}

/// Bytes that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The bytes.
    pub span: Range<u64>,
    /// What is wrong where it begins; with the key, where its name can be read.
    pub why: Finding,
    /// The search for records in it was given up: there may be more.
    pub is_given_up: bool,
}

/// What there is.
#[derive(Debug)]
pub struct Survey {
    /// Runs in the order of the file.
    pub runs: Vec<Run>,
    /// Gaps in the order of the file.
    pub gaps: Vec<Gap>,
    /// Bad records in the order of the file.
    pub bad: Vec<Bad>,
    /// Whether the end of the file is its EOF record.
    pub reaches_end: bool,
    /// Places of all keys.
    pub keys: Duplicates,
    /// Whether the sizes of each database follow its number, as servers write them.
    pub has_sizes: bool,
}

/// A file to look at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The file.
    pub file: &'a Arc<dyn File>,
    /// Its path, for messages.
    pub path: &'a Path,
    /// Bytes of it that matter.
    pub size: u64,
    /// Its header, or what it must have been.
    pub header: Header,
    /// How to check.
    pub options: &'a check::Options,
    /// Numbers of databases that the user knows of those that are lost, in the order of the file.
    pub unknown_dbs: &'a [u64],
    /// Its checksum says that the bytes are as they were written.
    pub is_as_written: bool,
}

impl Subject<'_> {
    /// The records from a place on.
    pub fn records(&self, span: Range<u64>, start: Start) -> RdbFile {
        let source = FileReader::new(self.file.clone(), span.start, span.end);
        RdbFile::resume(Box::new(source), span.start, start, self.options.limits)
    }

    /// Adds the key of the record at an offset to a finding.
    fn name(&self, offset: u64, mut why: Finding) -> Result<Finding> {
        let mut record = vec![0; NAME_MAX];
        let len = read_full_at(&**self.file, &mut record, offset).map_err(|e| self.failed(e))?;
        let record = record.get(..len).unwrap_or_default();
        if let Some((key, row)) = describe_damaged(record, self.header) {
            let db = why.key.map_or(0, |key| key.db);
            why.key = Some(KeyPlace { db, key, type_name: row.name, elements: None });
        }
        Ok(why)
    }

    fn failed(&self, err: io::Error) -> Error {
        Error::io(self.path, "read", err)
    }
}

/// Looks at all of it. With `hunt` it also looks inside every record for others that it may have swallowed:
/// for files that miss keys although they can be read.
///
/// # Errors
/// When the file cannot be read, or more than a million of its values are bad.
pub fn survey(subject: &Subject<'_>, hunt: bool) -> Result<Survey> {
    let mut survey = Survey {
        runs: Vec::new(),
        gaps: Vec::new(),
        bad: Vec::new(),
        reaches_end: false,
        keys: Duplicates::default(),
        has_sizes: subject.header.version >= SINCE_RESIZEDB,
    };
    let Subject { file, size, header, options, .. } = *subject;
    let mut resync = Resync::new(file, size, header, options.limits);
    let hasher = KeyHasher::new();
    let mut start = Start { header: Some(header), db: 0 };
    let mut pos = (Header::LEN as u64).min(size);
    loop {
        let ran = survey.run(subject, pos, start, hasher)?;
        resync.has_sizes = survey.has_sizes;
        if survey.bad.len() > BAD_MAX {
            let why = "more than a million of its values are bad, so it is not what a server wrote";
            return Err(Error::refused(subject.path, why));
        }
        let failed = |err| subject.failed(err);
        if hunt && let Some((from, next)) = survey.hunt(subject, &mut resync).map_err(failed)? {
            let why = Finding::new(Code::RdbOpcode, from..next, "one record", "several");
            let why = subject.name(from, why)?;
            survey.gaps.push(Gap { span: from..next, why, is_given_up: false });
            survey.settle_hunted();
            pos = next;
            continue;
        }
        if ran.ended_at == Some(size) {
            survey.reaches_end = true;
            return Ok(survey);
        }
        if ran.db <= DB_MAX {
            start.db = ran.db;
        }
        let first = ran.lasts.front().map_or(ran.end, |first| first.start + 1);
        // Damage inside a value that is itself an RDB: nothing in that is a key of this one.
        let within = resync.island_over(first..ran.end).map_err(failed)?;
        let back = match within {
            None => survey.look_back(&ran, &mut resync, start.db).map_err(failed)?,
            Some(_) => None,
        };
        let (next, is_given_up) = match back {
            Some(next) => (Some(next), resync.gave_up),
            None if survey.gaps.len() >= GAPS_MAX => (None, true),
            None => {
                let from = within.unwrap_or(ran.end + 1);
                let next = resync.find(from..size, start.db, Goal::Any).map_err(failed)?;
                (next, resync.gave_up)
            }
        };
        survey.settle(&ran, next.is_none());
        let from = survey.runs.last().map_or(pos, |run| run.span.end);
        let why = if from < ran.end { subject.name(from, ran.why)? } else { ran.why };
        survey.gaps.push(Gap { span: from..next.unwrap_or(size), why, is_given_up });
        match next {
            Some(next) => pos = next,
            None => return Ok(survey),
        }
    }
}

/// How a run ended.
struct Ran {
    /// Behind its last record.
    end: u64,
    /// Behind its EOF record.
    ended_at: Option<u64>,
    /// Why it could not go on.
    why: Finding,
    /// The database at its end.
    db: u64,
    /// Its last records.
    lasts: VecDeque<Range<u64>>,
}

impl Survey {
    /// Reads records as far as they go.
    fn run(
        &mut self,
        subject: &Subject<'_>,
        pos: u64,
        start: Start,
        hasher: KeyHasher,
    ) -> Result<Ran> {
        let Subject { size, options, header, .. } = *subject;
        let mut rdb = subject.records(pos..size, start);
        let (mut firsts, mut lasts) = (Vec::new(), VecDeque::new());
        let (mut spilled, mut numbers) = (Ok(()), Numbers::default());
        pipeline::run(
            &mut rdb,
            options.jobs,
            || Surveyor::new(options, hasher),
            |out: Out| {
                self.bad.extend(out.bad);
                if spilled.is_ok() {
                    spilled = self.keys.add(&out.rows);
                }
                let room = BESIDE.saturating_sub(firsts.len());
                firsts.extend(out.firsts.into_iter().take(room));
                lasts.extend(out.lasts);
                lasts.drain(..lasts.len().saturating_sub(BESIDE));
                numbers.add(out.numbers);
            },
        )
        .map_err(|err| subject.failed(err))?;
        spilled.map_err(|err| Error::io(std::env::temp_dir(), "keep key hashes in", err))?;
        let (outcome, ended) = rdb.stop();
        let eof = match (ended, header.has_checksum()) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => 9,
        };
        let end = outcome.end.saturating_sub(eof).max(pos);
        let sound_from = match self.runs.is_empty() {
            true => pos,
            false => firsts.last().map_or(end, |first: &Range<u64>| first.end),
        };
        self.runs.push(Run { span: pos..end, start, sound_from, sound_to: u64::MAX });
        let why = why(&outcome, ended, size);
        if self.runs.len() == 1 && numbers.first_is_bare == Some(true) {
            self.has_sizes = false;
        }
        let db = if self.has_sizes { numbers.sure.unwrap_or(start.db) } else { outcome.db };
        Ok(Ran { end, ended_at: ended.then_some(outcome.end), why, db, lasts })
    }

    /// A length that was damaged may have swallowed records, and what is behind it is out of step then. So
    /// the last records before a gap are searched for a chain that goes on where they do not.
    fn look_back(&mut self, ran: &Ran, resync: &mut Resync, db: u64) -> io::Result<Option<u64>> {
        let Some(first) = ran.lasts.front() else { return Ok(None) };
        let found = resync.find(first.start + 1..ran.end, db, Goal::Over(ran.end))?;
        let Some(found) = found else { return Ok(None) };
        let swallower = ran.lasts.iter().find(|record| record.contains(&found));
        let end = swallower.map_or(found, |record| record.start);
        if let Some(run) = self.runs.last_mut() {
            run.span.end = end;
        }
        self.bad.retain(|bad| bad.span.start < end);
        match swallower {
            Some(record) => resync.first_in(record.start, found, db).map(Some),
            None => resync.inside(found, db).map(Some),
        }
    }

    /// The first record of the last run that holds others, which go on where it does not; that run ends before
    /// it then. A damaged length can swallow records and leave the rest in step again by chance.
    fn hunt(
        &mut self,
        subject: &Subject<'_>,
        resync: &mut Resync,
    ) -> io::Result<Option<(u64, u64)>> {
        let Some(run) = self.runs.last().cloned() else { return Ok(None) };
        let mut rdb = subject.records(run.span.clone(), run.start);
        let (mut used, mut lasts) = (None, VecDeque::new());
        while let Some(chunk) = rdb.cut(used.take())? {
            let mut start = chunk.offset;
            for end in &chunk.ends {
                let record = start..chunk.offset + *end as u64;
                start = record.end;
                lasts.push_back(record.start);
                lasts.drain(..lasts.len().saturating_sub(BESIDE + 1));
                if record.end - record.start < LARGE {
                    continue;
                }
                let found = resync.find(
                    record.start + 1..record.end,
                    run.start.db,
                    Goal::To(record.end),
                )?;
                if let Some(found) = found {
                    let found = resync.first_in(record.start, found, run.start.db)?;
                    self.bad.retain(|bad| bad.span.start < record.start);
                    if let Some(run) = self.runs.last_mut() {
                        run.span.end = record.start;
                        run.sound_to = lasts.front().copied().unwrap_or(record.start);
                    }
                    return Ok(Some((record.start, found)));
                }
            }
            used = Some(chunk);
        }
        Ok(None)
    }

    /// All of a run is suspect that ends where others were swallowed and begins behind a gap.
    fn settle_hunted(&mut self) {
        let is_first = self.runs.len() == 1;
        if let Some(run) = self.runs.last_mut().filter(|_| !is_first) {
            run.sound_from = run.span.end;
        }
    }

    /// What of the last run is suspect, now that a gap follows it: its last records, and all of one that
    /// begins behind a gap as well. A file that is only cut short leaves those before the cut alone.
    fn settle(&mut self, ran: &Ran, is_last: bool) {
        let is_cut = matches!(ran.why.code, Code::RdbTruncated | Code::RdbNoEof) && is_last;
        let is_first = self.runs.len() == 1;
        let Some(run) = self.runs.last_mut() else { return };
        if !is_first {
            run.sound_from = run.span.end;
        } else if !is_cut {
            run.sound_to = ran.lasts.front().map_or(run.span.end, |last| last.start);
        }
    }
}

/// Why records end before the file does.
fn why(outcome: &Outcome, ended: bool, size: u64) -> Finding {
    let early = || {
        let found = format!("{} bytes more", size.saturating_sub(outcome.end));
        Finding::new(Code::TrailingBytes, outcome.end..size, "the end of the file", found)
    };
    let mut why = outcome.damage.clone().filter(|_| !ended).unwrap_or_else(early);
    let described =
        outcome.header.and_then(|header| describe_damaged(&outcome.damaged_record, header));
    if let Some((key, row)) = described.filter(|_| !ended) {
        why.key = Some(KeyPlace { db: outcome.db, key, type_name: row.name, elements: None });
    }
    why
}

/// Numbers of databases in a run, and whether their sizes follow them.
#[derive(Default)]
struct Numbers {
    /// What follows the first one is something else.
    first_is_bare: Option<bool>,
    /// The last one with its sizes.
    sure: Option<u64>,
    /// The sizes of one before these come first, and one whose sizes must come is last.
    begins_with_sizes: bool,
    last: Option<u64>,
}

impl Numbers {
    fn meet(&mut self, event: Option<&Event<'_>>, is_first: bool) {
        match (event, self.last.take()) {
            (Some(Event::SelectDb(db)), _) => self.last = Some(*db),
            (Some(Event::ResizeDb { .. }), Some(db)) => {
                self.first_is_bare.get_or_insert(false);
                self.sure = Some(db);
            }
            (Some(Event::ResizeDb { .. }), None) => self.begins_with_sizes |= is_first,
            (_, Some(_)) => _ = self.first_is_bare.get_or_insert(true),
            (_, None) => {}
        }
    }

    /// Those behind it.
    fn add(&mut self, next: Numbers) {
        if let Some(db) = self.last.take() {
            self.first_is_bare.get_or_insert(!next.begins_with_sizes);
            self.sure = if next.begins_with_sizes { Some(db) } else { self.sure };
        }
        self.first_is_bare = self.first_is_bare.or(next.first_is_bare);
        self.sure = next.sure.or(self.sure);
        self.last = next.last;
    }
}

/// What a worker makes of a chunk.
struct Out {
    numbers: Numbers,
    bad: Vec<Bad>,
    rows: Vec<u128>,
    firsts: Vec<Range<u64>>,
    lasts: VecDeque<Range<u64>>,
}

struct Surveyor<'o> {
    options: &'o check::Options,
    walker: Walker,
    hasher: KeyHasher,
    name: Vec<u8>,
}

impl Surveyor<'_> {
    fn new(options: &check::Options, hasher: KeyHasher) -> Surveyor<'_> {
        let walker = Walker::new(true, options.limits);
        Surveyor { options, walker, hasher, name: Vec::new() }
    }

    /// The first thing for which a server would not take a record, or would take it for another.
    fn look(&mut self, record: &Record<'_>, rows: &mut Vec<u128>) -> Option<Finding> {
        self.walker.findings.clear();
        let Event::Key(key) = &record.event else {
            check::check_event(record, self.options, &mut self.walker.findings);
            return worst(&self.walker.findings);
        };
        let mut name = std::mem::take(&mut self.name);
        match key.key.bytes(&mut name) {
            Ok(text) => {
                rows.push(self.hasher.row(key.db, text, key.key_offset));
                check::attributes(key, &record.span, &mut self.walker.findings);
                self.walker.value(key.rdb_type, key.payload, key.offset, &mut Ignore);
            }
            Err(err) => self.walker.findings.add(check::nameless(key, &err)),
        }
        self.name = name;
        let mut finding = worst(&self.walker.findings)?;
        finding.key = Some(place_of(key));
        Some(finding)
    }
}

fn worst(findings: &[Finding]) -> Option<Finding> {
    findings.iter().find(|finding| finding.severity() == Severity::Error).cloned()
}

impl Worker<Chunk> for Surveyor<'_> {
    type Out = Out;

    fn chunk(&mut self, chunk: &Chunk, _: Parts<'_, Out>) -> Out {
        let mut out = Out {
            numbers: Numbers::default(),
            bad: Vec::new(),
            rows: Vec::new(),
            firsts: Vec::new(),
            lasts: VecDeque::new(),
        };
        let mut start = chunk.offset;
        for (record, end) in Reader::new(chunk).zip(&chunk.ends) {
            let span = start..chunk.offset + *end as u64;
            out.numbers.meet(record.as_ref().ok().map(|r| &r.event), start == chunk.offset);
            start = span.end;
            let finding = match record {
                Ok(Record { event: Event::Eof { .. }, .. }) => continue,
                Ok(record) => self.look(&record, &mut out.rows),
                Err(finding) => Some(finding),
            };
            out.bad.extend(finding.map(|finding| Bad { span: span.clone(), finding }));
            if out.firsts.len() < BESIDE {
                out.firsts.push(span.clone());
            }
            if out.lasts.len() == BESIDE {
                out.lasts.pop_front();
            }
            out.lasts.push_back(span);
        }
        out
    }
}
