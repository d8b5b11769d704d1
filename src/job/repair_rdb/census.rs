//! What of a survey is kept: every sound record byte for byte, each key once, with the number of its database
//! and a count of its keys before them.

use std::collections::{HashMap, HashSet};
use std::io;
use std::ops::Range;

use super::sections::{Assumed, Begin, Fate, Nameless, Section, settle};
use super::survey::{Bad, Gap, Run, Subject, Survey};
use crate::error::{Error, Result};
use crate::finding::{Code, Finding, KeyPlace};
use crate::job::pieces::Piece;
use crate::job::pipeline::Cutter;
use crate::job::rdb_file::place_of;
use crate::persist::fs::read_full_at;
use crate::rdb::reader::Reader;
use crate::rdb::skim::Start;
use crate::record::{Event, KeyRecord, Record};

/// Keys that are named in each list; the rest are counted.
pub const NAMED: usize = 10_000;

/// Keys that come twice, at most.
const TWICE_MAX: usize = 1 << 20;

/// Bytes of a gap in which the number of a database is looked for, at its end.
const GAP_MAX: u64 = 64 << 10;

/// Names that are no text, if there are so few, and one of so many keys at most, are suspect.
const ODD_MAX: usize = 64;
const ODD_SHARE: u64 = 100;

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
    /// How many of these are so for their names, which are no text as others are.
    pub odd: u64,
    /// Records that are left out, though their neighbours are not.
    pub lost: Vec<Lost>,
    /// Bytes that cannot be read.
    pub gaps: Vec<Gap>,
    /// How many keys the file says it has, where it does for each of its databases.
    pub stated: Option<u64>,
    /// Keys that may be of another database.
    pub assumed: Vec<Assumed>,
    /// Keys that are left out, as nobody knows of which database they are.
    pub nameless: Vec<Nameless>,
    /// Whether the end of the file was reached as it must be.
    pub reaches_end: bool,
}

impl Census {
    /// Nothing.
    pub const EMPTY: Census = Census {
        pieces: Vec::new(),
        kept: 0,
        suspect: Keys { count: 0, named: Vec::new() },
        odd: 0,
        lost: Vec::new(),
        gaps: Vec::new(),
        stated: None,
        assumed: Vec::new(),
        nameless: Vec::new(),
        reaches_end: false,
    };

    /// Bytes that are lost: in gaps and in records that are left out.
    pub fn bytes_lost(&self) -> u64 {
        let gaps = self.gaps.iter().map(|gap| &gap.span);
        let lost = self.lost.iter().map(|lost| &lost.span);
        let nameless = self.nameless.iter().map(|keys| &keys.span);
        gaps.chain(lost).chain(nameless).map(|span| span.end - span.start).sum()
    }

    /// Keys that can be read: those that are kept, and those that are left out for want of their database.
    pub fn found(&self) -> u64 {
        self.kept + self.nameless.iter().map(|nameless| nameless.keys).sum::<u64>()
    }

    /// Keys that can be told, and are not kept.
    pub fn keys_lost(&self) -> u64 {
        let lost = self.lost.iter().filter(|lost| lost.why.key.is_some()).count() as u64;
        lost + self.found() - self.kept
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
    let Survey { runs, gaps, bad, reaches_end, keys, has_sizes } = survey;
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
        has_sizes,
        sections: Vec::new(),
        marks: Vec::new(),
        suspects: Vec::new(),
        odd: Vec::new(),
        out: Census { gaps, reaches_end, ..Census::EMPTY },
    };
    counting.next_bad = counting.bad.next();
    let mut end = None;
    for run in &runs {
        let gap = end.map(|end: u64| end.min(run.span.start)..run.span.start);
        counting.run(run, gap).map_err(|err| Error::io(subject.path, "read", err))?;
        end = Some(run.span.end);
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
    /// Behind the number of a database its sizes follow.
    has_sizes: bool,
    sections: Vec<Section>,
    marks: Vec<Mark>,
    /// The section of each suspect that is named.
    suspects: Vec<usize>,
    /// Keys whose names are no text, and their sections.
    odd: Vec<(usize, KeyPlace)>,
    out: Census,
}

impl Counting<'_> {
    fn run(&mut self, run: &Run, gap: Option<Range<u64>>) -> io::Result<()> {
        let db = self.sections.last().map_or(0, |section| section.db);
        let start = Start { db, ..run.start };
        let mut rdb = self.subject.records(run.span.clone(), start);
        if let Some(gap) = gap {
            self.behind(gap);
        }
        let mut used = None;
        while let Some(chunk) = rdb.cut(used.take())? {
            let mut at = chunk.offset;
            for (record, end) in Reader::new(&chunk).zip(&chunk.ends) {
                let span = at..chunk.offset + *end as u64;
                at = span.end;
                self.record(record.ok(), span, run);
            }
            used = Some(chunk);
        }
        Ok(())
    }

    /// A gap, which may hide the number of a database.
    fn behind(&mut self, gap: Range<u64>) {
        self.doubt_number();
        match self.sections.last_mut() {
            Some(last) if last.begin == Begin::Gap && last.is_empty() => {
                last.span = gap.end..gap.end;
                last.gap = gap;
            }
            last => {
                let db = last.map_or(0, |last| {
                    last.is_changed = true;
                    last.db
                });
                self.push(Section { gap: gap.clone(), ..Section::new(Begin::Gap, db, gap.end) });
            }
        }
    }

    /// A number without the sizes that follow it in this file may be no number.
    fn doubt_number(&mut self) {
        let has_sizes = self.has_sizes;
        let is_doubtful = |last: &&mut Section| {
            has_sizes && last.select.is_some() && last.resize.is_none() && last.is_empty()
        };
        if let Some(last) = self.sections.last_mut().filter(is_doubtful) {
            let (hint, end) = (Some(last.db), last.span.end);
            *last = Section { hint, ..Section::new(Begin::Gap, last.db, end) };
        }
    }

    fn record(&mut self, record: Option<Record<'_>>, span: Range<u64>, run: &Run) {
        while self.next_bad.as_ref().is_some_and(|bad| bad.span.start < span.start) {
            self.next_bad = self.bad.next();
        }
        let event = record.map(|record| record.event);
        if !matches!(event, Some(Event::ResizeDb { .. })) {
            self.doubt_number();
        }
        if let Some(bad) = self.next_bad.take_if(|bad| bad.span == span) {
            self.next_bad = self.bad.next();
            let (is_key, is_number) = match event {
                Some(Event::Key(_)) => (true, false),
                Some(Event::SelectDb(_)) => (false, true),
                _ => (false, false),
            };
            if is_number {
                let db = self.sections.last().map_or(0, |section| section.db);
                self.push(Section::new(Begin::Lost, db, span.end));
            }
            return self.lose(span, is_key, bad.finding);
        }
        match event {
            Some(Event::SelectDb(db)) => {
                let section = Section::new(Begin::Sure, db, span.end);
                self.push(Section { select: Some(span), ..section });
            }
            Some(Event::ResizeDb { keys, .. }) => {
                self.begin(span.start);
                let Some(section) = self.sections.last_mut() else { return };
                // Sizes follow the number of their database: if that is missing, it was in the gap.
                if section.begin == Begin::Gap && section.is_empty() {
                    section.begin = Begin::Lost;
                }
                section.span.end = span.end;
                (section.resize, section.stated) = (Some(span), Some(keys));
            }
            Some(Event::Key(key)) => self.key(&key, span, run),
            _ => self.copy(span),
        }
    }

    fn key(&mut self, key: &KeyRecord<'_>, span: Range<u64>, run: &Run) {
        self.begin(span.start);
        let index = self.sections.len() - 1;
        let Some(section) = self.sections.last_mut() else { return };
        let place = KeyPlace { db: section.db, ..place_of(key) };
        if self.drop.contains(&key.key_offset) {
            let found = "the key again";
            let mut why = Finding::new(Code::DupKey, span.clone(), "each key once", found);
            why.key = Some(place);
            return self.lose(span, false, why);
        }
        let is_suspect = run.is_suspect(span.start);
        section.keys += 1;
        section.expires += u64::from(key.expire_at_ms.is_some());
        section.suspects += u64::from(is_suspect);
        section.span.end = span.end;
        self.out.kept += 1;
        if is_suspect {
            self.suspect(index, place);
        } else if self.odd.len() <= ODD_MAX && is_no_text(&place.key) {
            self.odd.push((index, place));
        }
        self.copy(span);
    }

    fn suspect(&mut self, section: usize, place: KeyPlace) {
        self.out.suspect.add(|| place);
        self.suspects.push(section);
        self.suspects.truncate(self.out.suspect.named.len());
    }

    /// A damaged length can make a key of a part of another one, in step with the next: its name is unlike others.
    fn suspect_odd(&mut self) {
        let odd = std::mem::take(&mut self.odd);
        let are_few = odd.len() <= ODD_MAX && odd.len() as u64 * ODD_SHARE <= self.out.kept;
        if self.subject.is_as_written || !are_few {
            return;
        }
        self.out.odd = odd.len() as u64;
        for (index, place) in odd {
            if let Some(section) = self.sections.get_mut(index) {
                section.suspects += 1;
            }
            self.suspect(index, place);
        }
    }

    /// There is a section that records are of.
    fn begin(&mut self, at: u64) {
        if self.sections.is_empty() {
            let is_changed = !self.out.gaps.is_empty();
            self.push(Section { is_changed, ..Section::new(Begin::Sure, 0, at) });
        }
    }

    fn push(&mut self, section: Section) {
        let last = self.sections.len().wrapping_sub(1);
        // Of one number behind the other only the last says something.
        let is_nothing = matches!(self.marks.last(), Some(Mark::Section(index)) if *index == last);
        let is_nothing = is_nothing
            && self.sections.last().is_some_and(|s| s.begin == Begin::Sure && s.is_empty());
        if is_nothing && section.begin == Begin::Sure {
            self.marks.pop();
            self.sections.pop();
        }
        self.marks.push(Mark::Section(self.sections.len()));
        self.sections.push(section);
    }

    fn lose(&mut self, span: Range<u64>, is_key: bool, why: Finding) {
        if let Some(section) = self.sections.last_mut() {
            section.is_changed = true;
            section.lost += u64::from(is_key);
            section.lost_bytes += span.end - span.start;
        }
        self.out.lost.push(Lost { span, why });
    }

    fn copy(&mut self, span: Range<u64>) {
        match self.marks.last_mut() {
            Some(Mark::Copy(last)) if last.end == span.start => last.end = span.end,
            _ => self.marks.push(Mark::Copy(span)),
        }
    }

    fn finish(mut self) -> Census {
        self.doubt_number();
        self.suspect_odd();
        if let Some(section) = self.sections.last_mut().filter(|_| !self.out.reaches_end) {
            section.is_changed = true;
        }
        let read = |section: &Section| {
            let gap = &section.gap;
            let start = gap.start.max(gap.end.saturating_sub(GAP_MAX));
            let mut bytes = vec![0; usize::try_from(gap.end - start).unwrap_or(0)];
            let len = read_full_at(&**self.subject.file, &mut bytes, start).unwrap_or(0);
            bytes.truncate(len);
            bytes
        };
        let given = self.subject.unknown_dbs;
        (self.out.assumed, self.out.nameless) = settle(&mut self.sections, given, read);
        let sections = &self.sections;
        let is_out = |index: usize| match sections.get(index).map(|section| section.fate) {
            Some(Fate::Joins(first)) => sections.get(first).is_some_and(|s| s.fate == Fate::Out),
            fate => fate == Some(Fate::Out),
        };
        // A section's own count includes by now the keys of those that joined it; here each is told of once.
        self.out.kept -= self.out.nameless.iter().map(|nameless| nameless.keys).sum::<u64>();
        for (_, section) in sections.iter().enumerate().filter(|(index, _)| is_out(*index)) {
            self.out.suspect.count -= section.suspects;
        }
        let named = std::mem::take(&mut self.out.suspect.named);
        let named = named.into_iter().zip(&self.suspects).filter(|(_, index)| !is_out(**index));
        let db = |index: usize| sections.get(index).map_or(0, |section| section.db);
        self.out.suspect.named =
            named.map(|(place, index)| KeyPlace { db: db(*index), ..place }).collect();
        let version = self.subject.header.version;
        let mut is_left = false;
        for mark in self.marks {
            match mark {
                Mark::Copy(span) if !is_left => self.out.pieces.push(Piece::Copy(span)),
                Mark::Copy(_) => {}
                Mark::Section(index) => {
                    is_left = is_out(index);
                    let section = sections.get(index).filter(|_| !is_left);
                    self.out.pieces.extend(section.into_iter().flat_map(|s| s.head(version)));
                }
            }
        }
        let is_own = |section: &&Section| match section.fate {
            Fate::Own => section.begin == Begin::Sure || !section.is_empty(),
            Fate::Out => !section.is_empty(),
            Fate::Joins(_) => false,
        };
        let stated: Option<u64> = sections.iter().filter(is_own).map(|s| s.stated).sum();
        self.out.stated = stated.filter(|_| !sections.is_empty());
        join(&mut self.out);
        self.out
    }
}

fn is_no_text(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_err() || name.iter().any(u8::is_ascii_control)
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
