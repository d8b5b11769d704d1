//! Finding the next record behind damage, without taking for records what only looks like them.
//!
//! Nearly every byte can begin a record, so one that can be read says little. A place counts when `CHAIN`
//! keys in a row can be read from it and walked deeply, or fewer and then the end of the file exactly where
//! it must be; and what honest files never have rules a place out (RELIABILITY 3.3):
//!
//! * lengths in a longer form than needed, counts and lengths beyond the bytes that are left;
//! * a key without a name, or the same key twice in the chain;
//! * a string with a run of NULs in it: a hole reads as many small strings;
//! * an expire time before 2001 or after 2286;
//! * a database number that goes back or leaps, or, in a file that has them, without its sizes behind it.
//!
//! A whole RDB inside the gap, with its own magic and end, is data inside a value, and is stepped over.
//! What all this costs is bounded (`job::effort`).

use std::io;
use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashSet;

use super::sections::SINCE_RESIZEDB;
use super::unit::{Rules, Step, step};
use crate::element::Ignore;
use crate::finding::Severity;
use crate::job::effort::Effort;
use crate::job::rdb_file::RdbFile;
use crate::job::window::{WINDOW, WINDOW_MAX, Window};
use crate::limits::Limits;
use crate::periodic::repeating;
use crate::persist::fs::{File, FileReader};
use crate::rdb::header::{Dialect, Header, is_rdb};
use crate::rdb::skim::{Checksum, Start};
use crate::rdb::walk::Walker;
use crate::rdb::writer::RESIZEDB;

/// Keys in a row that make a place certain, and the bytes they must take at least.
const CHAIN: usize = 4;
const CHAIN_BYTES: u64 = 32;

/// What a look at a record costs beside its bytes, a deep one, and each part of its value.
const STEP: u64 = 32;
const DEEP_STEP: u64 = 256;
const PART: u64 = 16;

/// Bytes of a string that are looked at for holes as fast as one is walked.
const SCAN: u64 = 32;

/// No record begins with so many bytes that repeat after so few: of a hole most places need no closer look.
const SAME: usize = 1024;
const PERIOD: usize = 32;

/// Places that are remembered to lead nowhere.
const FAILED_MAX: usize = 1 << 20;

/// A search for records.
#[derive(Debug)]
pub struct Resync {
    window: Window,
    header: Header,
    /// Whether a record, or an RDB, may begin with each byte.
    begins: [bool; 256],
    walker: Walker,
    limits: Limits,
    effort: Effort,
    /// The last gap was not searched all through.
    pub(super) gave_up: bool,
    /// Where chains lead to nothing; asked about at every byte, so with a quick hash.
    failed: HashSet<u64>,
    /// Whether the sizes of each database follow its number.
    pub(super) has_sizes: bool,
}

/// How far a chain must lead, beside being long enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Nowhere in particular.
    Any,
    /// Beyond this offset, and no record may begin there.
    Over(u64),
    /// To this offset or beyond it, with `MANY` keys, none of them large: what is looked for inside a record.
    To(u64),
}

impl Goal {
    fn is_reached(self, at: u64, keys: usize) -> bool {
        match self {
            Goal::Any => true,
            Goal::Over(offset) => at > offset,
            Goal::To(offset) => at >= offset && keys >= MANY,
        }
    }
}

/// Bytes of the smallest record in which others are looked for, and how many of these there must be.
pub const LARGE: u64 = 2048;
const MANY: usize = 12;

impl Resync {
    /// A search in a file of so many bytes.
    pub fn new(file: &Arc<dyn File>, size: u64, header: Header, limits: Limits) -> Resync {
        let rules = Rules { header, left: size };
        let magics = [Dialect::Redis, Dialect::Valkey].map(|dialect| dialect.magic().first());
        let begins = std::array::from_fn(|byte| {
            let byte = u8::try_from(byte).unwrap_or_default();
            rules.may_begin(byte) || magics.contains(&Some(&byte))
        });
        Resync {
            window: Window::new(file, size),
            header,
            begins,
            walker: Walker::new(true, Limits { findings: 1, ..limits }),
            limits,
            effort: Effort::new(size),
            gave_up: false,
            failed: HashSet::new(),
            has_sizes: header.version >= SINCE_RESIZEDB,
        }
    }

    /// The first record in a gap from which a chain leads to the goal.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn find(&mut self, gap: Range<u64>, db: u64, goal: Goal) -> io::Result<Option<u64>> {
        self.gave_up = false;
        if goal != Goal::Any {
            return self.search(gap, db, goal);
        }
        self.effort.begin_gap();
        let found = self.search(gap, db, goal);
        self.gave_up = self.effort.end_gap();
        found
    }

    fn search(&mut self, gap: Range<u64>, db: u64, goal: Goal) -> io::Result<Option<u64>> {
        let mut at = gap.start;
        self.failed.clear();
        while at < gap.end {
            let barren = if self.effort.is_coarse() { 0 } else { self.barren(at)? };
            if barren > 0 {
                self.effort.charge(barren);
                at += barren;
                continue;
            }
            self.effort.charge(1);
            if goal == Goal::Any
                && let Some(end) = self.island(at)?
            {
                at = end;
                continue;
            }
            if self.begins_well(at)? && !self.failed.contains(&at) {
                let same = self.same(at)?;
                if same > 0 {
                    self.effort.charge(same / STEP);
                    at += same;
                    continue;
                }
                if let Some(starts) = self.chain(at, db, goal)? {
                    let holder = match goal {
                        Goal::Any => self.holder(db, &starts)?,
                        _ => None,
                    };
                    let Some((holder, _)) = holder else { return Ok(Some(at)) };
                    // Chains that lead nowhere in there may lead far enough for a start.
                    self.failed.clear();
                    at = holder + 1;
                    continue;
                }
                if self.effort.is_spent() && (goal != Goal::Any || !self.effort.coarsen()) {
                    return Ok(None);
                }
            }
            at = self.effort.place(gap.start, at + 1);
        }
        Ok(None)
    }

    /// Where a chain begins in truth that was found at a place.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn inside(&mut self, at: u64, db: u64) -> io::Result<u64> {
        let Some(starts) = self.chain(at, db, Goal::Any)? else { return Ok(at) };
        match self.holder(db, &starts)? {
            Some((holder, found)) => self.first_in(holder, found, db),
            None => Ok(at),
        }
    }

    /// The first record inside what is none, in which one was found that leads to its end: those before that lead
    /// to more damage.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn first_in(&mut self, holder: u64, found: u64, db: u64) -> io::Result<u64> {
        let first = self.find(holder + 1..found, db, Goal::Any)?;
        Ok(first.unwrap_or(found))
    }

    /// Among the records of a chain may be one that is none, and holds true ones: then some of them lead to where
    /// it ends as well, and are more. The first of them may lead elsewhere, if there is more damage in it.
    fn holder(&mut self, db: u64, starts: &[u64]) -> io::Result<Option<(u64, u64)>> {
        for (start, end) in starts.iter().zip(starts.iter().skip(1)) {
            if end - start >= LARGE
                && let Some(found) = self.search(start + 1..*end, db, Goal::To(*end))?
            {
                return Ok(Some((*start, found)));
            }
        }
        Ok(None)
    }

    /// Where an RDB ends that begins in some bytes and goes on behind them.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn island_over(&mut self, bytes: Range<u64>) -> io::Result<Option<u64>> {
        for at in bytes.clone() {
            self.effort.charge(1);
            if self.effort.is_spent() {
                break;
            }
            if let Some(end) = self.island(at)?.filter(|end| *end > bytes.end) {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    /// How far the same bytes repeat from here, but for the last `SAME` of them.
    fn same(&mut self, at: u64) -> io::Result<u64> {
        let bytes = self.window.at(at, 2 * SAME)?;
        Ok(repeating(bytes, PERIOD, SAME).map_or(0, |(_, len)| len.saturating_sub(SAME as u64)))
    }

    /// Bytes from here on at which neither a record nor an RDB can begin.
    fn barren(&mut self, at: u64) -> io::Result<u64> {
        let begins = &self.begins;
        let is_barren = |byte: &&u8| begins.get(usize::from(**byte)) == Some(&false);
        Ok(self.window.at(at, 1)?.iter().take_while(is_barren).count() as u64)
    }

    /// A cheap look at the first byte.
    fn begins_well(&mut self, at: u64) -> io::Result<bool> {
        let rules = Rules { header: self.header, left: self.window.size() - at };
        Ok(self.window.at(at, 1)?.first().is_some_and(|first| rules.may_begin(*first)))
    }

    /// Where an RDB ends that begins here, if it is whole.
    fn island(&mut self, at: u64) -> io::Result<Option<u64>> {
        if !is_rdb(self.window.at(at, Header::LEN)?) {
            return Ok(None);
        }
        let source = FileReader::new(self.window.file().clone(), at, self.window.size());
        let start = Start { header: None, db: 0 };
        let mut rdb = RdbFile::resume(Box::new(source), at, start, self.limits);
        let mut used = None;
        while let Some(chunk) = crate::job::pipeline::Cutter::cut(&mut rdb, used.take())? {
            self.effort.charge(chunk.bytes().len() as u64);
            used = Some(chunk);
        }
        let (outcome, ended) = rdb.stop();
        let whole = ended && matches!(outcome.checksum, Checksum::Ok | Checksum::Disabled);
        Ok(Some(outcome.end).filter(|_| whole))
    }

    /// Follows the records from a place on: where they begin, and the last one ends.
    fn chain(&mut self, first: u64, db: u64, goal: Goal) -> io::Result<Option<Vec<u64>>> {
        let (mut at, mut db) = (first, db);
        let mut keys: Vec<Vec<u8>> = Vec::new();
        let mut passed = Vec::new();
        let mut count = 0;
        let mut after_select = false;
        let mut is_walked = false;
        let sound = loop {
            let enough = keys.len() >= CHAIN && at - first >= CHAIN_BYTES;
            // Most chains end before, and to look into the values costs most.
            if enough && !is_walked {
                is_walked = true;
                if !self.is_deep(&mut passed)? {
                    break false;
                }
            }
            if enough && goal.is_reached(at, count) {
                break true;
            }
            if self.failed.contains(&at) || goal == Goal::Over(at) || self.effort.is_spent() {
                break false;
            }
            passed.push(at);
            let look = if is_walked { Look::Whole } else { Look::Frame };
            let Some((len, step)) = self.step(at, look)? else { break false };
            match step {
                Kind::Key(name) => {
                    let is_again = keys.contains(&name);
                    if is_again || (keys.is_empty() && name.is_empty()) {
                        break false;
                    }
                    if keys.len() < CHAIN {
                        keys.push(name);
                    }
                    if matches!(goal, Goal::To(_)) && count < MANY && len >= LARGE {
                        break false;
                    }
                    count += 1;
                    after_select = false;
                }
                Kind::Select(next) => {
                    if next > 0xffff || next <= db && next != 0 || after_select {
                        break false;
                    }
                    // What is behind it may be a record even so.
                    if self.has_sizes && self.window.at(at + len, 1)?.first() != Some(&RESIZEDB) {
                        return Ok(None);
                    }
                    db = next;
                    after_select = true;
                }
                Kind::Other => {}
                Kind::End => break is_walked || self.is_deep(&mut passed)?,
            }
            at += len;
        };
        if sound {
            passed.push(at);
            return Ok(Some(passed));
        }
        if self.failed.len() < FAILED_MAX {
            // A chain that joins one of these ends as this one did. Its own first key may be another.
            self.failed.extend(passed.into_iter().skip(1));
        }
        Ok(None)
    }

    /// Whether the values of the records at these places are sound; without those behind the first that is not.
    fn is_deep(&mut self, places: &mut Vec<u64>) -> io::Result<bool> {
        for (index, at) in places.iter().enumerate() {
            if self.step(*at, Look::Deep)?.is_none() {
                places.truncate(index + 1);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The record at an offset: its length, and what matters of it.
    fn step(&mut self, at: u64, look: Look) -> io::Result<Option<(u64, Kind)>> {
        let size = self.window.size();
        let rules = Rules { header: self.header, left: size - at };
        let most = if self.effort.is_coarse() { WINDOW } else { WINDOW_MAX };
        let mut len = WINDOW / 4;
        loop {
            let bytes = self.window.at(at, len)?;
            let (read, is_all) = (bytes.len(), at + bytes.len() as u64 >= size);
            let (found, parts) = step(bytes, &rules);
            let (cost, found) = match found {
                Step::Short if !is_all && read < most => {
                    len = read.saturating_mul(4).min(most);
                    self.charge_look(parts);
                    if self.effort.is_spent() {
                        return Ok(None);
                    }
                    continue;
                }
                Step::Key { payload, .. }
                    if look != Look::Frame && payload.end > read && !is_all =>
                {
                    if payload.end > most || payload.end <= len {
                        return Ok(None);
                    }
                    len = payload.end;
                    self.charge_look(parts);
                    continue;
                }
                Step::Short | Step::Bad => (0, None),
                Step::End => (0, Some((1, Kind::End))),
                Step::Select(db, len) => (0, Some((len as u64, Kind::Select(db)))),
                Step::Other(len) => (len as u64, Some((len as u64, Kind::Other))),
                Step::Key { name, row, payload, len } => {
                    let value = bytes.get(payload.clone()).unwrap_or_default();
                    if look == Look::Deep {
                        self.walker.value(row, value, 0, &mut Ignore);
                    }
                    let found = &mut self.walker.findings;
                    let bad = found.iter().any(|f| f.severity() == Severity::Error);
                    found.clear();
                    let cost = match look {
                        Look::Deep => DEEP_STEP + 2 * len as u64,
                        Look::Frame | Look::Whole => (name.len() + value.len()) as u64 / SCAN,
                    };
                    (cost, (!bad).then_some((len as u64, Kind::Key(name))))
                }
            };
            self.charge_look(parts);
            self.effort.charge(cost);
            return Ok(found);
        }
    }

    /// Charges a look at so many parts, and what was read for it. A claim to be long costs nothing by itself.
    fn charge_look(&mut self, parts: u64) {
        self.effort.charge_read(self.window.take_read());
        self.effort.charge(STEP + parts.saturating_mul(PART));
    }
}

/// How closely a record is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Where it ends; of a long string no more than that.
    Frame,
    /// All of its bytes.
    Whole,
    /// What they mean as well.
    Deep,
}

/// What a chain needs to know of a record.
enum Kind {
    Key(Vec<u8>),
    Select(u64),
    Other,
    End,
}
