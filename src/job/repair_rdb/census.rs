//! What of a survey is kept: every sound record byte for byte, each key once, with the number of its database
//! and a count of its keys before them.

use std::collections::{HashMap, HashSet};
use std::io;
use std::ops::Range;

use super::survey::{Bad, Gap, Run, Subject, Survey};
use crate::error::{Error, Result};
use crate::finding::{Code, Finding, KeyPlace};
use crate::job::pieces::Piece;
use crate::job::pipeline::Cutter;
use crate::job::rdb_file::place_of;
use crate::rdb::length::write_length;
use crate::rdb::reader::Reader;
use crate::rdb::skim::Start;
use crate::rdb::writer::{RESIZEDB, select_db};
use crate::record::{Event, KeyRecord, Record};

/// Keys that are named in each list; the rest are counted.
pub const NAMED: usize = 10_000;

/// Keys that come twice, at most.
const TWICE_MAX: usize = 1 << 20;

/// First version with sizes of databases.
const SINCE_RESIZEDB: u16 = 7;

/// Keys, the first of them by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keys {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub named: Vec<KeyPlace>,
}

impl Keys {
    fn add(&mut self, key: impl FnOnce() -> KeyPlace) {
        self.count += 1;
        if self.named.len() < NAMED {
            self.named.push(key());
        }
    }
}

/// A record that is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Its bytes.
    pub span: Range<u64>,
    /// Why; with the key, if it is one.
    pub why: Finding,
}

/// What is kept and what is not.
#[derive(Debug, Clone)]
pub struct Census {
    /// The new file but for header and end.
    pub pieces: Vec<Piece>,
    /// Keys that are kept.
    pub kept: u64,
    /// Those of them that may not be what they were.
    pub suspect: Keys,
    /// Records that are left out, though their neighbours are not.
    pub lost: Vec<Lost>,
    /// Bytes that cannot be read.
    pub gaps: Vec<Gap>,
    /// How many keys the file says it has, where it does for each of its databases.
    pub stated: Option<u64>,
    /// Databases whose number was lost, and where their keys begin: the number is a guess.
    pub assumed: Vec<(u64, u64)>,
    /// Whether the end of the file was reached as it must be.
    pub reaches_end: bool,
}

impl Census {
    /// Nothing.
    pub const EMPTY: Census = Census {
        pieces: Vec::new(),
        kept: 0,
        suspect: Keys { count: 0, named: Vec::new() },
        lost: Vec::new(),
        gaps: Vec::new(),
        stated: None,
        assumed: Vec::new(),
        reaches_end: false,
    };

    /// Bytes that are lost: in gaps and in records that are left out.
    pub fn bytes_lost(&self) -> u64 {
        let gaps = self.gaps.iter().map(|gap| gap.span.end - gap.span.start);
        let lost = self.lost.iter().map(|lost| lost.span.end - lost.span.start);
        gaps.sum::<u64>() + lost.sum::<u64>()
    }

    /// Bytes of the pieces.
    pub fn len(&self) -> u64 {
        self.pieces.iter().map(Piece::size).sum()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.kept == 0
    }
}

/// Counts what is kept.
///
/// # Errors
/// When the file cannot be read, or more than a million keys come twice.
pub fn census(subject: &Subject<'_>, survey: Survey) -> Result<Census> {
    let Survey { runs, gaps, bad, reaches_end, keys } = survey;
    let failed = |err| Error::io(std::env::temp_dir(), "keep key hashes in", err);
    let mut again: HashMap<u64, Vec<u64>> = HashMap::new();
    let mut count = 0;
    keys.finish(subject.options.jobs, |first, second| {
        count += 1;
        if count <= TWICE_MAX {
            again.entry(first).or_default().push(second);
        }
    })
    .map_err(failed)?;
    if count > TWICE_MAX {
        let why = "more than a million of its keys come twice, so it is not what a server wrote";
        return Err(Error::refused(subject.path, why));
    }
    let mut counting = Counting {
        subject,
        drop: superfluous(&runs, again),
        bad: bad.into_iter(),
        next_bad: None,
        sections: Vec::new(),
        marks: Vec::new(),
        assumed: Vec::new(),
        out: Census { gaps, reaches_end, ..Census::EMPTY },
    };
    counting.next_bad = counting.bad.next();
    for (index, run) in runs.iter().enumerate() {
        counting.run(run, index > 0).map_err(|err| Error::io(subject.path, "read", err))?;
    }
    Ok(counting.finish())
}

/// Of keys that come twice, those that go: one beside a gap rather than one that is not, else the later.
fn superfluous(runs: &[Run], again: HashMap<u64, Vec<u64>>) -> HashSet<u64> {
    let run_of = |offset: u64| {
        let index = runs.partition_point(|run| run.span.end <= offset);
        runs.get(index).filter(|run| run.span.contains(&offset))
    };
    let mut drop = HashSet::new();
    for (first, others) in again {
        let mut live: Vec<_> = others.into_iter().chain([first]).collect();
        live.retain(|offset| run_of(*offset).is_some());
        live.sort_unstable();
        let is_sound =
            |offset: &&u64| run_of(**offset).is_some_and(|run| !run.is_suspect(**offset));
        let keep = live.iter().find(is_sound).or(live.first()).copied();
        drop.extend(live.into_iter().filter(|offset| Some(*offset) != keep));
    }
    drop
}

/// Records of one database.
struct Section {
    db: u64,
    /// Its choice, and its sizes, in the file.
    select: Option<Range<u64>>,
    resize: Option<Range<u64>>,
    stated: Option<u64>,
    keys: u64,
    expires: u64,
    /// Something in it is lost.
    is_changed: bool,
}

/// A piece that may have to wait for its section to be counted.
enum Mark {
    Copy(Range<u64>),
    Section(usize),
}

struct Counting<'a> {
    subject: &'a Subject<'a>,
    drop: HashSet<u64>,
    bad: std::vec::IntoIter<Bad>,
    next_bad: Option<Bad>,
    sections: Vec<Section>,
    marks: Vec<Mark>,
    /// Databases whose number may have been lost: how many there were then, the number, the place.
    assumed: Vec<(usize, u64, u64)>,
    out: Census,
}

impl Counting<'_> {
    fn run(&mut self, run: &Run, after_gap: bool) -> io::Result<()> {
        let db = self.sections.last().map_or(0, |section| section.db);
        let start = Start { db, ..run.start };
        let mut rdb = self.subject.records(run.span.clone(), start);
        let mut state = State { is_open: after_gap, run };
        if let Some(section) = self.sections.last_mut().filter(|_| after_gap) {
            section.is_changed = true;
        }
        let mut used = None;
        while let Some(chunk) = rdb.cut(used.take())? {
            let mut at = chunk.offset;
            for (record, end) in Reader::new(&chunk).zip(&chunk.ends) {
                let span = at..chunk.offset + *end as u64;
                at = span.end;
                self.record(record.ok(), span, &mut state);
            }
            used = Some(chunk);
        }
        Ok(())
    }

    fn record(&mut self, record: Option<Record<'_>>, span: Range<u64>, state: &mut State<'_>) {
        while self.next_bad.as_ref().is_some_and(|bad| bad.span.start < span.start) {
            self.next_bad = self.bad.next();
        }
        if let Some(bad) = self.next_bad.take_if(|bad| bad.span == span) {
            self.next_bad = self.bad.next();
            if let Some(Event::SelectDb(_)) = record.map(|record| record.event) {
                self.guess_db(span.end);
                state.is_open = false;
            }
            return self.lose(span, bad.finding);
        }
        match record.map(|record| record.event) {
            Some(Event::SelectDb(db)) => {
                state.is_open = false;
                self.begin(db, Some(span));
            }
            Some(Event::ResizeDb { keys, .. }) => {
                // Sizes follow the number of their database: if that is missing, it was in the gap.
                if state.is_open {
                    self.guess_db(span.start);
                    state.is_open = false;
                }
                if self.sections.is_empty() {
                    self.begin(0, None);
                }
                if let Some(section) = self.sections.last_mut() {
                    (section.resize, section.stated) = (Some(span), Some(keys));
                }
            }
            Some(Event::Key(key)) => self.key(&key, span, state),
            _ => self.copy(span),
        }
    }

    fn key(&mut self, key: &KeyRecord<'_>, span: Range<u64>, state: &mut State<'_>) {
        if self.sections.is_empty() {
            self.begin(0, None);
        }
        let db = self.sections.last().map_or(0, |section| section.db);
        let place = || KeyPlace { db, ..place_of(key) };
        if self.drop.contains(&key.key_offset) {
            let found = "the key again";
            let mut why = Finding::new(Code::DupKey, span.clone(), "each key once", found);
            why.key = Some(place());
            return self.lose(span, why);
        }
        if state.is_open {
            // The number of its database may have been in the gap.
            state.is_open = false;
            self.assumed.push((self.sections.len(), db, span.start));
        }
        self.out.kept += 1;
        if state.run.is_suspect(span.start) {
            self.out.suspect.add(place);
        }
        if let Some(section) = self.sections.last_mut() {
            section.keys += 1;
            section.expires += u64::from(key.expire_at_ms.is_some());
        }
        self.copy(span);
    }

    fn lose(&mut self, span: Range<u64>, why: Finding) {
        if let Some(section) = self.sections.last_mut() {
            section.is_changed = true;
        }
        self.out.lost.push(Lost { span, why });
    }

    /// A database whose number is not known: servers write them in ascending order.
    fn guess_db(&mut self, offset: u64) {
        let db = self.sections.last().map_or(0, |section| section.db + 1);
        self.begin(db, None);
        self.assumed.push((usize::MAX, db, offset));
    }

    fn begin(&mut self, db: u64, select: Option<Range<u64>>) {
        self.marks.push(Mark::Section(self.sections.len()));
        self.sections.push(Section {
            db,
            is_changed: select.is_none() && !self.out.gaps.is_empty(),
            select,
            resize: None,
            stated: None,
            keys: 0,
            expires: 0,
        });
    }

    fn copy(&mut self, span: Range<u64>) {
        match self.marks.last_mut() {
            Some(Mark::Copy(last)) if last.end == span.start => last.end = span.end,
            _ => self.marks.push(Mark::Copy(span)),
        }
    }

    fn finish(mut self) -> Census {
        if let Some(section) = self.sections.last_mut().filter(|_| !self.out.reaches_end) {
            section.is_changed = true;
        }
        let version = self.subject.header.version;
        for mark in self.marks {
            match mark {
                Mark::Copy(span) => self.out.pieces.push(Piece::Copy(span)),
                Mark::Section(index) => {
                    let section = self.sections.get(index);
                    self.out.pieces.extend(section.into_iter().flat_map(|s| s.head(version)));
                }
            }
        }
        let stated: Option<u64> = self.sections.iter().map(|section| section.stated).sum();
        self.out.stated = stated.filter(|_| !self.sections.is_empty());
        // One that says it has as many keys or more: there was no other in between.
        let is_full = |section: &Section| section.stated.is_some_and(|n| n >= section.keys);
        let is_known = |count: usize| {
            count.checked_sub(1).and_then(|i| self.sections.get(i)).is_some_and(is_full)
        };
        self.out.assumed = self
            .assumed
            .iter()
            .filter(|(count, ..)| !is_known(*count))
            .map(|&(_, db, offset)| (db, offset))
            .collect();
        join(&mut self.out);
        self.out
    }
}

/// Records that are left out directly before a gap are the beginning of that.
fn join(census: &mut Census) {
    let lost = std::mem::take(&mut census.lost);
    let mut gaps = census.gaps.iter_mut().rev().peekable();
    // Backwards, so that several in a row join one after the other.
    for lost in lost.into_iter().rev() {
        while gaps.next_if(|gap| gap.span.start > lost.span.end).is_some() {}
        match gaps.peek_mut() {
            Some(gap) if gap.span.start == lost.span.end => {
                gap.span.start = lost.span.start;
                gap.why = lost.why;
            }
            _ => census.lost.push(lost),
        }
    }
    census.lost.reverse();
}

/// Where counting is.
struct State<'a> {
    /// Behind a gap in which the number of a database may have been.
    is_open: bool,
    run: &'a Run,
}

impl Section {
    /// What goes before its keys.
    fn head(&self, version: u16) -> Vec<Piece> {
        if !self.is_changed {
            return self.select.iter().chain(&self.resize).cloned().map(Piece::Copy).collect();
        }
        if self.keys == 0 {
            return Vec::new();
        }
        let mut bytes = Vec::new();
        select_db(self.db, &mut bytes);
        if version >= SINCE_RESIZEDB {
            bytes.push(RESIZEDB);
            write_length(self.keys, &mut bytes);
            write_length(self.expires, &mut bytes);
        }
        vec![Piece::New(bytes)]
    }
}
