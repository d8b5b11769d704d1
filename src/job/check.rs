//! Is a file sound? Every record is read, every value walked deeply; findings are collected and do not
//! stop the check, unless nothing after them can be framed.

pub(super) mod whole_file;

use std::io::Read;
use std::ops::Range;

use super::behind::Behind;
use super::duplicates::{Duplicates, KeyHasher};
use super::filter::{Filter, Subject, type_name};
use super::pipeline::{self, Parts, Worker};
use super::rdb_facts::{Fact, Facts, Library};
use super::rdb_file::{self, End, Extent, RdbFile, Rest, named};
use super::records::{self, Records};
use crate::element::{Ignore, Str};
use crate::encoding::lzf::LzfError;
use crate::engine::functions::Shebang;
use crate::error::{Error, Result};
use crate::finding::{Code, Excerpt, Finding, Findings, Severity};
use crate::input::source::{Input, Source};
use crate::limits::{DATABASES, DATABASES_MAX, Limits};
use crate::rdb::length::is_longer_than_needed;
use crate::rdb::shape::Shape;
use crate::rdb::skim::{Chunk, Outcome};
use crate::rdb::walk::Walker;
use crate::record::{Event, KeyRecord, Record};

/// The year 9999, in ms: no clock of a server goes further.
const EXPIRE_FAR_MS: i64 = 253_402_300_800_000;

/// Slots of a cluster.
const SLOTS: u64 = 16384;

/// How to check.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bounds.
    pub limits: Limits,
    /// Workers.
    pub jobs: usize,
    /// The server's `databases` setting.
    pub databases: u64,
    /// Which keys' values to check.
    pub filter: Filter,
    /// Unix time in ms.
    pub now_ms: i64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            limits: Limits::default(),
            jobs: 1,
            databases: DATABASES,
            filter: Filter::default(),
            now_ms: 0,
        }
    }
}

/// The outcome in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Sound, and its checksum says so too.
    Ok,
    /// Sound as far as it can be read, but nothing vouches for its bytes.
    Unverified,
    /// It loads, but something in it needs a look.
    Warnings,
    /// Damaged.
    Damaged,
}

impl Verdict {
    /// The word used in text and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Unverified => "unverified",
            Verdict::Warnings => "warnings",
            Verdict::Damaged => "damaged",
        }
    }
}

/// What a check found in one RDB.
#[derive(Debug)]
pub struct Report {
    /// What the file is and holds.
    pub facts: Facts,
    /// How cutting it ended.
    pub outcome: Outcome,
    /// Findings in the order of their offsets.
    pub findings: Findings,
    /// First bytes after the end of the RDB.
    pub tail: Vec<u8>,
}

impl Report {
    /// What lies behind the end of the RDB.
    pub fn behind(&self) -> Behind {
        Behind::of(&self.facts, &self.outcome, &self.tail)
    }

    /// The outcome in a word. Of an AOF with an RDB preamble only the preamble was read, so nothing can be
    /// said of the whole.
    pub fn verdict(&self) -> Verdict {
        let verdict = |finding: &Finding| match finding.severity() {
            Severity::Error => Verdict::Damaged,
            Severity::Warning if finding.code.is_of_no_checksum() => Verdict::Unverified,
            Severity::Warning => Verdict::Warnings,
            Severity::Note => Verdict::Ok,
        };
        let whole = match self.behind() {
            Behind::Commands(_) => Verdict::Unverified,
            Behind::Nothing | Behind::Garbage(_) => Verdict::Ok,
        };
        self.findings.iter().map(verdict).fold(whole, Verdict::max)
    }
}

/// Checks an RDB. `again` is the same input to be read a second time, to name duplicate keys.
///
/// # Errors
/// When the source cannot be read.
pub fn check_rdb(source: Source, input: &Input, options: &Options) -> Result<Report> {
    check_part(source.reader, input, options, Extent::Whole).map(|(report, _)| report)
}

/// Checks the RDB that a file begins with. Returns the stream of commands behind it as well, if there is one.
///
/// # Errors
/// When the source cannot be read.
pub fn check_part(
    reader: Box<dyn Read + Send>,
    input: &Input,
    options: &Options,
    extent: Extent,
) -> Result<(Report, Option<Rest>)> {
    let failed = |err| Error::io(input.path(), "read", err);
    let hasher = KeyHasher::new();
    let mut file = RdbFile::new(reader, options.limits);
    let mut facts = Facts::default();
    let mut findings = Findings::new(options.limits.findings);
    let mut duplicates = Duplicates::default();
    let mut spilled = Ok(());
    let workers = pipeline::run(
        &mut file,
        options.jobs,
        || Checker::new(options, hasher),
        |mut out: Out| {
            out.once.into_iter().for_each(|fact| facts.keep(fact));
            findings.append(&mut out.findings);
            if spilled.is_ok() {
                spilled = duplicates.add(&out.rows);
            }
        },
    )
    .map_err(failed)?;
    for worker in workers {
        let mut counted = worker.facts;
        counted.backlen = worker.walker.backlen;
        facts.merge(counted);
    }
    let End { outcome, tail, rest } = file.end(extent, &facts).map_err(failed)?;
    spilled
        .and_then(|()| duplicates.first_pairs(options.jobs, options.limits.findings.max(1)))
        .map_err(|err| Error::io(std::env::temp_dir(), "keep key hashes in", err))
        .and_then(|(pairs, more)| {
            findings.count_more(more);
            name_duplicates(&pairs, input, options.limits, &mut findings)
        })?;
    whole_file::check(&facts, &outcome, &tail, options, &mut findings);
    findings.sort();
    Ok((Report { facts, outcome, findings, tail }, rest))
}

/// What a worker makes of a chunk.
struct Out {
    once: Vec<Fact>,
    findings: Findings,
    rows: Vec<u128>,
}

struct Checker<'o> {
    options: &'o Options,
    walker: Walker,
    hasher: KeyHasher,
    facts: Facts,
    open: bool,
    name: Vec<u8>,
}

impl<'o> Checker<'o> {
    fn new(options: &'o Options, hasher: KeyHasher) -> Checker<'o> {
        Checker {
            options,
            walker: Walker::new(true, options.limits),
            hasher,
            facts: Facts::default(),
            open: options.filter.is_open(),
            name: Vec::new(),
        }
    }

    fn wanted(&self, key: &KeyRecord<'_>, name: &[u8], span: &Range<u64>) -> bool {
        let subject = Subject {
            db: key.db,
            key: name,
            type_name: &type_name(key.rdb_type, key.payload),
            size: span.end - span.start,
            expire_at_ms: key.expire_at_ms,
        };
        self.options.filter.takes(subject, self.options.now_ms)
    }

    fn value(
        &mut self,
        key: &KeyRecord<'_>,
        name: &[u8],
        span: &Range<u64>,
        bytes: &[u8],
        out: &mut Out,
    ) {
        let findings = &mut self.walker.findings;
        attributes(key, span, findings);
        lengths(key, bytes, findings);
        self.walker.value(key.rdb_type, key.payload, key.offset, &mut Ignore);
        for finding in self.walker.findings.iter_mut() {
            finding.key = Some(named(key, name));
        }
        out.findings.append(&mut self.walker.findings);
    }
}

impl Records for Checker<'_> {
    type Out = Out;

    #[inline]
    fn key(&mut self, key: &KeyRecord<'_>, span: &Range<u64>, bytes: &[u8], out: &mut Out) {
        let mut name = std::mem::take(&mut self.name);
        match key.key.bytes(&mut name) {
            Ok(text) => {
                if self.open || self.wanted(key, text, span) {
                    self.facts.key(key, self.options.now_ms);
                    out.rows.push(self.hasher.row(key.db, text, key.key_offset));
                    self.value(key, text, span, bytes, out);
                }
            }
            Err(err) => out.findings.add(nameless(key, &err)),
        }
        self.name = name;
    }

    fn beside(&mut self, record: &Record<'_>, _: &[u8], out: &mut Out) {
        check_event(record, self.options, &mut out.findings);
    }

    fn damaged(&mut self, finding: Finding, out: &mut Out) {
        out.findings.add(finding);
    }

    fn facts(&mut self) -> &mut Facts {
        &mut self.facts
    }
}

impl Worker<Chunk> for Checker<'_> {
    type Out = Out;

    fn chunk(&mut self, chunk: &Chunk, _: Parts<'_, Out>) -> Out {
        let findings = Findings::new(self.options.limits.findings);
        let mut out = Out { once: Vec::new(), findings, rows: Vec::new() };
        out.once = records::each(chunk, self, &mut out);
        for finding in out.findings.iter_mut() {
            finding.excerpt = chunk_excerpt(chunk, finding.span.start);
        }
        out
    }
}

fn chunk_excerpt(chunk: &Chunk, offset: u64) -> Option<Excerpt> {
    Excerpt::around(chunk.bytes(), chunk.offset, offset)
}

/// What is wrong with a key whose name does not expand.
pub(super) fn nameless(key: &KeyRecord<'_>, err: &LzfError) -> Finding {
    let found = format!("{} at byte {} of the key's name", err.what, err.pos);
    let at = key.key_offset..key.offset;
    Finding::new(Code::StringLzf, at, "a sound compressed string", found)
}

pub(super) fn attributes(key: &KeyRecord<'_>, span: &Range<u64>, findings: &mut Findings) {
    let place = span.start..key.key_offset;
    let mut add = |code, expected: &str, found: String| {
        findings.add(Finding::new(code, place.clone(), expected, found));
    };
    if let Some(at) = key.expire_at_ms.filter(|at| !(0..EXPIRE_FAR_MS).contains(at)) {
        add(Code::ExpireRange, "an expire from 1970 to the year 9999", format!("{at} ms"));
    }
    if key.attribute_twice {
        add(Code::AttrTwice, "each attribute once", "one of them twice".to_owned());
    }
    if let (Some(freq), Some(idle)) = (key.freq, key.idle_s) {
        let found = format!("frequency {freq} and {idle} s idle");
        add(Code::FreqIdle, "an LFU counter or an idle time", found);
    }
    if let Some([classes @ (0 | 8..=0x3f), ..]) = key.meta {
        add(Code::KeyMeta, "1 to 7 classes of metadata", classes.to_string());
    }
}

fn lengths(key: &KeyRecord<'_>, bytes: &[u8], findings: &mut Findings) {
    let mut look = |at: &[u8], offset: u64| {
        if is_longer_than_needed(at) {
            let span = offset..offset + 1;
            findings.add(Finding::new(
                Code::LengthLong,
                span,
                "the shortest form of a length",
                "a longer one",
            ));
        }
    };
    let name_len = usize::try_from(key.offset - key.key_offset).unwrap_or(0) + key.payload.len();
    if let Some(name) = bytes.get(bytes.len().saturating_sub(name_len)..) {
        look(name, key.key_offset);
    }
    if !matches!(key.rdb_type.shape, [Shape::Bin(_), ..]) {
        look(key.payload, key.offset);
    }
}

pub(super) fn check_event(record: &Record<'_>, options: &Options, findings: &mut Findings) {
    let mut add = |code, expected: String, found: String| {
        findings.add(Finding::new(code, record.span.clone(), expected, found));
    };
    match &record.event {
        Event::SelectDb(db) if *db > DATABASES_MAX => {
            add(Code::DbInvalid, "a database number below 2^31".to_owned(), db.to_string());
        }
        Event::SelectDb(db) if *db >= options.databases => {
            let expected =
                format!("a database below {}, the `databases` setting", options.databases);
            add(Code::DbRange, expected, db.to_string());
        }
        Event::StrayAttributes => {
            let expected = "the key right after its attributes".to_owned();
            add(Code::AttrStray, expected, "another record".to_owned());
        }
        Event::Aux { key, value } => aux(*key, *value, &mut add),
        Event::Function { code } => function(*code, &mut add),
        Event::FunctionPreGa { .. } => add(
            Code::FunctionPreGa,
            "a function library in the format of 7.0 and later".to_owned(),
            "a function of the 7.0 release candidates".to_owned(),
        ),
        Event::ModuleAux { when, .. } if !matches!(when, Some(1 | 2)) => {
            let found = when.map_or("another opcode".to_owned(), |when| when.to_string());
            add(Code::ModuleOpcode, "UINT 1 (before keys) or 2 (after)".to_owned(), found);
        }
        Event::SlotInfo { slot, .. } if *slot >= SLOTS => {
            add(Code::SlotRange, "a slot below 16384".to_owned(), slot.to_string());
        }
        Event::SlotImport { job, slots } => {
            if job.len() != 40 {
                add(Code::SlotJob, "a job name of 40 characters".to_owned(), job.len().to_string());
            }
            if let Some((first, last)) = slots.iter().find(|(a, b)| a > b || *b >= SLOTS) {
                let expected = "ranges of slots below 16384".to_owned();
                add(Code::SlotRange, expected, format!("{first} to {last}"));
            }
        }
        _ => {}
    }
}

type Add<'a> = &'a mut dyn FnMut(Code, String, String);

fn aux(key: Str<'_>, value: Str<'_>, add: Add<'_>) {
    let (mut key_text, mut value_text) = (Vec::new(), Vec::new());
    let (key, value) = match (key.bytes(&mut key_text), value.bytes(&mut value_text)) {
        (Ok(key), Ok(value)) => (key, value),
        _ => {
            let found = "one that does not expand".to_owned();
            return add(Code::StringLzf, "sound compressed strings".to_owned(), found);
        }
    };
    let number = |text: &[u8]| std::str::from_utf8(text).is_ok_and(|t| t.parse::<i64>().is_ok());
    let (sound, expected) = match key {
        b"ctime" | b"used-mem" | b"repl-offset" => (number(value), "a number"),
        b"redis-bits" => (matches!(value, b"32" | b"64"), "32 or 64"),
        b"slot-info" => {
            let numbers = value.split(|b| *b == b',').filter(|part| number(part));
            (numbers.count() >= 3, "slot,keys,expires")
        }
        _ => (true, ""),
    };
    if !sound {
        let found = format!("{}={}", key.escape_ascii(), value.escape_ascii());
        add(Code::AuxValue, expected.to_owned(), found);
    }
}

fn function(code: Str<'_>, add: Add<'_>) {
    let mut text = Vec::new();
    let Ok(code) = code.bytes(&mut text) else {
        return add(Code::StringLzf, "a sound compressed string".to_owned(), "another".to_owned());
    };
    // Other engines come with modules of Valkey.
    let engine = Library::of(code, 0).engine;
    let is_other = engine.is_some_and(|engine| !engine.eq_ignore_ascii_case(b"lua"));
    if let (Err(failure), false) = (Shebang::parse(code), is_other) {
        let expected = "code that begins with #!<engine> name=<name>".to_owned();
        add(Code::FunctionCode, expected, String::from_utf8_lossy(failure.as_bytes()).into_owned());
    }
}

/// Reads the file once more to name the duplicates, where it can be read again.
pub(super) fn name_duplicates(
    pairs: &[(u64, u64)],
    input: &Input,
    limits: Limits,
    findings: &mut Findings,
) -> Result<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    let offsets = pairs.iter().map(|(second, _)| *second).collect();
    let mut places = rdb_file::keys_at(input, &offsets, limits)?;
    for &(second, first) in pairs {
        let found = format!("the key at {first:#x} again");
        let mut finding =
            Finding::new(Code::DupKey, second..second + 1, "each key once in a database", found);
        finding.key = places.remove(&second);
        findings.add(finding);
    }
    Ok(())
}
