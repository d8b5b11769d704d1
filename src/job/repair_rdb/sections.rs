//! Which database keys are of that have a gap before them.
//!
//! A gap may hide a SELECTDB. What tells is RESIZEDB, in which servers say behind it how many keys the database
//! has: with more keys behind the gap than are missing, there was another; with more missing than the gap has
//! room for, there was none. Numbers ascend, so one that is lost lies between two others. Where it cannot be told
//! the keys are left out: in a database that is guessed nobody would look for them.

use std::ops::Range;

use crate::job::pieces::Piece;
use crate::rdb::length::write_length;
use crate::rdb::writer::{RESIZEDB, SELECTDB, select_db};

/// First version with sizes of databases.
pub(super) const SINCE_RESIZEDB: u16 = 7;

/// Bytes of the smallest key: type, length and a letter of its name, an empty value.
const KEY_MIN: u64 = 4;

/// Highest number in one byte.
const SHORT_MAX: u64 = 0x3f;

/// How a section begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// With the number of its database, or with the file.
    Sure,
    /// Behind a gap in which that number may have been.
    Gap,
    /// With a number that is lost.
    Lost,
}

/// What becomes of a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is written under the number of its database.
    Own,
    /// It goes on with the database of this one.
    Joins(usize),
    /// It is left out: nobody knows its database.
    Out,
}

/// Records of one database, up to the next gap.
#[derive(Debug, Clone)]
pub(super) struct Section {
    pub(super) begin: Begin,
    pub(super) fate: Fate,
    pub(super) db: u64,
    /// A number that is read before it, and not sure.
    pub(super) hint: Option<u64>,
    /// The choice of the database, and its sizes, in the file.
    pub(super) select: Option<Range<u64>>,
    pub(super) resize: Option<Range<u64>>,
    pub(super) stated: Option<u64>,
    /// From its first record to the end of its last.
    pub(super) span: Range<u64>,
    /// The bytes before it that cannot be read.
    pub(super) gap: Range<u64>,
    pub(super) keys: u64,
    pub(super) expires: u64,
    pub(super) suspects: u64,
    /// Keys that are left out though they can be told from their neighbours, and bytes of all such records.
    pub(super) lost: u64,
    pub(super) lost_bytes: u64,
    /// Something in it is lost.
    pub(super) is_changed: bool,
}

/// Keys whose database is taken to be one, and may be another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assumed {
    /// The database.
    pub db: u64,
    /// Where they are.
    pub span: Range<u64>,
    /// How many.
    pub keys: u64,
}

/// Keys that are left out, as the number of their database is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nameless {
    /// The least that it can be.
    pub from: u64,
    /// What it is below, where that is known.
    pub below: Option<u64>,
    /// Where they are.
    pub span: Range<u64>,
    /// How many.
    pub keys: u64,
}

impl Section {
    pub(super) fn new(begin: Begin, db: u64, at: u64) -> Section {
        Section {
            begin,
            fate: Fate::Own,
            db,
            hint: None,
            select: None,
            resize: None,
            stated: None,
            span: at..at,
            gap: at..at,
            keys: 0,
            expires: 0,
            suspects: 0,
            lost: 0,
            lost_bytes: 0,
            is_changed: begin != Begin::Sure,
        }
    }

    /// Whether there is no key in it, nor was.
    pub(super) fn is_empty(&self) -> bool {
        self.keys == 0 && self.lost == 0
    }

    fn assumed(&self) -> Assumed {
        Assumed { db: self.db, span: self.span.clone(), keys: self.keys }
    }

    fn nameless(&self, of: &Current) -> Nameless {
        Nameless { from: of.from, below: of.below, span: self.span.clone(), keys: self.keys }
    }

    /// The number of its database, if it can be read in the gap before it: between a damaged SELECTDB and its
    /// RESIZEDB, or in both of them.
    fn number_in(&self, gap: &[u8], is_possible: impl Fn(&u64) -> bool) -> Option<u64> {
        let short = |byte: u8| Some(u64::from(byte)).filter(|n| *n <= SHORT_MAX && is_possible(n));
        let is_beside = self.resize.as_ref().is_some_and(|resize| resize.start == self.gap.end);
        let beside = match gap {
            [.., _, number] if is_beside => short(*number),
            _ => None,
        };
        let whole = |bytes: &[u8]| match bytes {
            [SELECTDB, number, RESIZEDB] => short(*number),
            _ => None,
        };
        beside.or_else(|| gap.windows(3).rev().find_map(whole))
    }

    /// What goes before its keys.
    pub(super) fn head(&self, version: u16) -> Vec<Piece> {
        if self.fate != Fate::Own {
            return Vec::new();
        }
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

/// The database that is being counted.
struct Current {
    section: usize,
    /// Keys of it so far.
    keys: u64,
    /// Bytes of the gaps in it.
    room: u64,
    /// What its number lies between.
    from: u64,
    below: Option<u64>,
}

/// Finds out which database each section is of. `read` reads a gap, and `given` are numbers that the user
/// knows of those that are lost, in the order of the file.
pub(super) fn settle(
    sections: &mut [Section],
    given: &[u64],
    mut read: impl FnMut(&Section) -> Vec<u8>,
) -> (Vec<Assumed>, Vec<Nameless>) {
    let (mut assumed, mut nameless) = (Vec::new(), Vec::new());
    let mut given = given.iter();
    let mut from = 0u64;
    let mut current = Current { section: 0, keys: 0, room: 0, from, below: None };
    for index in 0..sections.len() {
        let (past, rest) = sections.split_at_mut(index);
        let Some((section, later)) = rest.split_first_mut() else { break };
        let keys = section.keys + section.lost;
        // Sizes of fewer keys than there are were none.
        if section.resize.is_some() && section.begin != Begin::Sure {
            section.stated = section.stated.filter(|stated| *stated >= keys);
            if section.stated.is_none() {
                section.begin = Begin::Gap;
            }
        }
        if section.begin == Begin::Gap
            && let Some(before) = past.get_mut(current.section)
        {
            current.room += section.gap.end - section.gap.start + section.lost_bytes;
            // One that says it has fewer keys than there are says nothing.
            let missing = before.stated.and_then(|stated| stated.checked_sub(current.keys));
            let has_room = missing.is_none_or(|missing| missing <= current.room / KEY_MIN);
            if missing.is_some_and(|missing| has_room && keys > missing) {
                section.begin = Begin::Lost;
            } else {
                section.fate = Fate::Joins(current.section);
                section.db = before.db;
                current.keys += keys;
                before.is_changed = true;
                before.expires += section.expires;
                before.keys += section.keys;
                match before.fate {
                    Fate::Out if section.keys > 0 => nameless.push(section.nameless(&current)),
                    Fate::Out => {}
                    _ if has_room && section.keys > 0 => assumed.push(section.assumed()),
                    _ => {}
                }
                continue;
            }
        }
        let below = later.iter().find(|later| later.begin == Begin::Sure).map(|later| later.db);
        current = Current { section: index, keys, room: section.lost_bytes, from, below };
        if section.begin == Begin::Sure {
            from = section.db.saturating_add(1);
            continue;
        }
        let is_possible = |db: &u64| *db >= from && below.is_none_or(|below| *db < below);
        let seen = section.hint.filter(is_possible);
        let seen = seen.or_else(|| section.number_in(&read(section), is_possible));
        let only = from.checked_add(1).filter(|next| Some(*next) == below).map(|_| from);
        // The first database of nearly all files is 0.
        let first = (index == 0 || from == 0).then_some(0).filter(is_possible);
        let known = seen.or(only).or_else(|| given.next().copied().filter(is_possible)).or(first);
        match known {
            Some(db) => {
                section.db = db;
                from = db.saturating_add(1);
                if section.keys > 0 {
                    assumed.push(section.assumed());
                }
            }
            None => {
                section.fate = Fate::Out;
                if section.keys > 0 {
                    nameless.push(section.nameless(&current));
                }
                from = from.saturating_add(1);
            }
        }
    }
    (assumed, nameless)
}
