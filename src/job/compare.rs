//! Do two stores hold the same data? Every key of the one is looked for in the other: its type, its value,
//! its time to live, its access mark, and what streams and arrays keep beside their elements.
//!
//! ```text
//! Comparison::new      which keys differ: counts, and a place for each, in the order of names
//! differences          one by one, how they differ, with up to so many edits of each value   [`edits`]
//! passing              a store and a file, which is compared while it is read               [`passing`]
//! ```
//!
//! Beside the two stores the first takes some words a key that differs, and the second the rows of the key at
//! hand: of a large value that changed about what that value takes in the stores, for each of them.

pub mod edits;
pub mod passing;

use std::collections::BTreeMap;

use self::edits::{Edits, Span, elements, states};
use super::filter::{Filter, Subject};
use super::look::{state, trimmed};
use super::payload::PAYLOADS;
use crate::engine::shards::Look;
use crate::engine::{Access, Engine, KeyRef, Release};
use crate::join;
use crate::value::Value;

/// What is not compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ignore {
    /// Expire times of keys and fields.
    pub ttl: bool,
    /// LRU and LFU marks.
    pub access: bool,
    /// Ids, groups and producers of streams, cursors of arrays.
    pub groups: bool,
    /// Pending entries that the stream no longer holds.
    pub gone: bool,
    /// Function libraries.
    pub functions: bool,
}

/// What is compared of which keys.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What is not compared.
    pub ignore: Ignore,
    /// Which keys: those that it takes on one of the two sides. Function libraries have no part in it.
    pub filter: Filter,
    /// The moment at which the filter judges times to live.
    pub now_ms: i64,
}

/// Where a key or library is that only one side has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// In the first store.
    A,
    /// In the second.
    B,
}

/// A difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// A key that only one side has.
    Only {
        /// Which.
        side: Side,
        /// Its database.
        db: u64,
        /// Its name.
        key: Vec<u8>,
        /// `TYPE`
        type_name: String,
        /// Elements; bytes of a string.
        elements: u64,
    },
    /// A key that is not the same on both sides.
    Key {
        /// Its database.
        db: u64,
        /// Its name.
        key: Vec<u8>,
        /// `TYPE`, on the first side.
        type_name: String,
        /// Why.
        why: Vec<Why>,
    },
    /// A function library that only one side has, or another code under its name.
    Function {
        /// Which side has it; `None` for both.
        side: Option<Side>,
        /// Its name.
        name: Vec<u8>,
    },
}

/// Why a key is not the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Its types.
    Type(String, String),
    /// The bytes of a string, or of a value of a module.
    Bytes(Span),
    /// Its elements: how many on each side, and what was edited.
    Value {
        /// On both sides.
        elements: (u64, u64),
        /// From the first to the second. None of them where what differs is not shown, such as the graph of
        /// a vector set.
        edits: Edits,
    },
    /// Its expire times, in ms since 1970.
    Ttl(Option<i64>, Option<i64>),
    /// LRU or LFU marks.
    Access(String, String),
    /// What it keeps beside its elements.
    State(Edits),
}

/// How much is the same, and how much is not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Keys on each side.
    pub keys: (u64, u64),
    /// Keys that are the same.
    pub same: u64,
    /// Keys only in the first, only in the second.
    pub only: (u64, u64),
    /// Keys that are in both and differ.
    pub differ: u64,
    /// Function libraries that are not the same.
    pub functions: u64,
}

impl Counts {
    /// Is there no difference?
    pub fn is_same(&self) -> bool {
        self.differences() == 0
    }

    /// Adds what was counted elsewhere.
    fn add(&mut self, other: Counts) {
        let Counts { keys, same, only, differ, functions } = other;
        self.keys = (self.keys.0 + keys.0, self.keys.1 + keys.1);
        self.only = (self.only.0 + only.0, self.only.1 + only.1);
        self.same += same;
        self.differ += differ;
        self.functions += functions;
    }

    /// Keys and libraries that are not the same.
    pub fn differences(&self) -> u64 {
        self.only.0 + self.only.1 + self.differ + self.functions
    }
}

/// Two stores, compared.
#[derive(Debug)]
pub struct Comparison<'a> {
    a: &'a Look<'a>,
    b: &'a Look<'a>,
    ignore: Ignore,
    /// How much is the same, and how much is not.
    pub counts: Counts,
    found: Vec<Found<'a>>,
}

/// Where a difference is.
#[derive(Debug, Clone, Copy)]
struct Found<'a> {
    /// Function libraries come behind all databases.
    db: Option<u64>,
    name: &'a [u8],
    /// The only side that has it.
    side: Option<Side>,
}

impl<'a> Comparison<'a> {
    /// Finds the keys and libraries that are not the same.
    pub fn new(a: &'a Look<'a>, b: &'a Look<'a>, options: &Options) -> Comparison<'a> {
        let (mut counts, mut found) = (Counts::default(), Vec::new());
        let (of_a, of_b) =
            (a.shards().map(|shard| (shard, true)), b.shards().map(|shard| (shard, false)));
        let part = |(shard, is_of_a)| {
            move || if is_of_a { side_a(shard, b, options) } else { side_b(a, shard, options) }
        };
        for (part, places) in join::all(of_a.chain(of_b).map(part)) {
            counts.add(part);
            found.extend(places);
        }
        if !options.ignore.functions {
            let functions = functions(a, b);
            counts.functions = functions.len() as u64;
            found.extend(functions);
        }
        found.sort_unstable_by_key(|found| (found.db.is_none(), found.db, found.name));
        Comparison { a, b, ignore: options.ignore, counts, found }
    }

    /// The differences by database and name, then those of libraries; of each value at most so many edits.
    pub fn differences(&self, edits: usize) -> impl Iterator<Item = Difference> {
        self.found.iter().filter_map(move |found| self.explain(found, edits))
    }

    fn explain(&self, found: &Found<'a>, edits: usize) -> Option<Difference> {
        let key = found.name.to_vec();
        let Some(db) = found.db else {
            return Some(Difference::Function { side: found.side, name: key });
        };
        let (a, b) = (self.a.get(db, found.name), self.b.get(db, found.name));
        let first = a.as_ref().or(b.as_ref())?;
        let type_name = first.value.type_name().to_owned();
        Some(match found.side {
            Some(side) => {
                let elements = first.value.len() as u64;
                Difference::Only { side, db, key, type_name, elements }
            }
            None => {
                let (a, b) = (a?, b?);
                let why = Unlike::new(&a, &b, self.ignore).why(&a, &b, self.ignore, edits);
                Difference::Key { db, key, type_name, why }
            }
        })
    }
}

/// What a comparison found, with the first differences and one edit of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How much is the same, and how much is not.
    pub counts: Counts,
    /// The first differences, by database and name: as many as were asked for.
    pub differences: Vec<Difference>,
}

/// Compares two stores, all of them; at most `limit` differences are told, with one edit of each value.
pub fn verify(a: &Look<'_>, b: &Look<'_>, ignore: Ignore, limit: usize) -> Report {
    let comparison = Comparison::new(a, b, &Options { ignore, ..Options::default() });
    let differences = comparison.differences(1).take(limit).collect();
    Report { counts: comparison.counts, differences }
}

/// Looks for the keys of a shard of the first store in the second.
fn side_a<'a>(shard: &'a Engine, b: &Look<'_>, options: &Options) -> (Counts, Vec<Found<'a>>) {
    let (mut counts, mut found) = (Counts::default(), Vec::new());
    let takes = |db, key: &KeyRef<'_>| takes(&options.filter, db, key, options.now_ms);
    for (db, key) in shard.iter() {
        let other = b.get(db, key.key);
        if !takes(db, &key) && !other.as_ref().is_some_and(|other| takes(db, other)) {
            continue;
        }
        counts.keys.0 += 1;
        counts.keys.1 += u64::from(other.is_some());
        let side = match other {
            None => {
                counts.only.0 += 1;
                Some(Side::A)
            }
            Some(other) if Unlike::new(&key, &other, options.ignore).is_none() => {
                counts.same += 1;
                continue;
            }
            Some(_) => {
                counts.differ += 1;
                None
            }
        };
        found.push(Found { db: Some(db), name: key.key, side });
    }
    (counts, found)
}

/// The keys of a shard of the second store that the first has not.
fn side_b<'a>(a: &Look<'_>, shard: &'a Engine, options: &Options) -> (Counts, Vec<Found<'a>>) {
    let (mut counts, mut found) = (Counts::default(), Vec::new());
    for (db, key) in shard.iter().filter(|(db, key)| a.get(*db, key.key).is_none()) {
        if takes(&options.filter, db, &key, options.now_ms) {
            counts.keys.1 += 1;
            counts.only.1 += 1;
            found.push(Found { db: Some(db), name: key.key, side: Some(Side::B) });
        }
    }
    (counts, found)
}

fn takes(filter: &Filter, db: u64, key: &KeyRef<'_>, now_ms: i64) -> bool {
    if filter.is_open() {
        return true;
    }
    let size = if filter.looks_at_sizes() { size(key) } else { 0 };
    let (type_name, expire_at_ms) = (key.value.type_name(), key.expire_at_ms);
    filter.takes(Subject { db, key: key.key, type_name, size, expire_at_ms }, now_ms)
}

/// What a key takes in an RDB of the newest server.
fn size(key: &KeyRef<'_>) -> u64 {
    // Its type, version and checksum are no part of the value.
    const AROUND: usize = 11;
    let payload = PAYLOADS.dump(key.value, Release::NEWEST).unwrap_or_default();
    (key.key.len() + payload.len().saturating_sub(AROUND)) as u64
}

fn functions<'a>(a: &Look<'a>, b: &Look<'a>) -> Vec<Found<'a>> {
    let (a, b): (BTreeMap<_, _>, BTreeMap<_, _>) =
        (a.functions().collect(), b.functions().collect());
    let library = |name, side| Found { db: None, name, side };
    let mut found = Vec::new();
    for (name, code) in &a {
        match b.get(name) {
            Some(other) if other == code => {}
            Some(_) => found.push(library(name, None)),
            None => found.push(library(name, Some(Side::A))),
        }
    }
    let only_b = b.keys().filter(|name| !a.contains_key(*name));
    found.extend(only_b.map(|name| library(name, Some(Side::B))));
    found
}

/// What of two keys of the same name is not the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unlike {
    types: bool,
    value: bool,
    state: bool,
    ttl: bool,
    access: bool,
}

impl Unlike {
    fn new(a: &KeyRef<'_>, b: &KeyRef<'_>, ignore: Ignore) -> Unlike {
        let types = a.value.type_name() != b.value.type_name();
        let both = !types;
        let with_gone = !ignore.gone;
        Unlike {
            types,
            value: both && !same_value(a.value, b.value, ignore),
            state: both && !ignore.groups && state(a.value, with_gone) != state(b.value, with_gone),
            ttl: both && !ignore.ttl && a.expire_at_ms != b.expire_at_ms,
            access: both && !ignore.access && a.access != b.access,
        }
    }

    fn is_none(self) -> bool {
        let Unlike { types, value, state, ttl, access } = self;
        !(types || value || state || ttl || access)
    }

    fn why(self, a: &KeyRef<'_>, b: &KeyRef<'_>, ignore: Ignore, edits: usize) -> Vec<Why> {
        let mut why = Vec::new();
        if self.types {
            let name = |key: &KeyRef<'_>| key.value.type_name().to_owned();
            why.push(Why::Type(name(a), name(b)));
        }
        if self.value {
            why.push(value(a.value, b.value, ignore, edits));
        }
        if self.state {
            why.push(Why::State(states(a.value, b.value, !ignore.gone, edits)));
        }
        if self.ttl {
            why.push(Why::Ttl(a.expire_at_ms, b.expire_at_ms));
        }
        if self.access {
            why.push(Why::Access(access(a), access(b)));
        }
        why
    }
}

fn access(key: &KeyRef<'_>) -> String {
    match key.access {
        None => "none".to_owned(),
        Some(Access::Idle(idle)) => format!("idle for {idle} s"),
        Some(Access::Freq(freq)) => format!("used {freq}"),
    }
}

/// Element by element, with the expire times of fields.
fn same_value(a: &Value, b: &Value, ignore: Ignore) -> bool {
    match (a, b) {
        (Value::Hash(x), Value::Hash(y))
            if x.min_expire().is_some() || y.min_expire().is_some() =>
        {
            trimmed(a, ignore.ttl) == trimmed(b, ignore.ttl)
        }
        _ => a.has_same_elements(b),
    }
}

fn value(a: &Value, b: &Value, ignore: Ignore, edits: usize) -> Why {
    match (a, b) {
        (Value::Str(a), Value::Str(b)) => Why::Bytes(Span::new(&a.bytes(), &b.bytes())),
        (Value::Module(a), Value::Module(b)) => Why::Bytes(Span::new(a.payload(), b.payload())),
        _ => {
            let counts = (a.len() as u64, b.len() as u64);
            Why::Value { elements: counts, edits: elements(a, b, ignore.ttl, edits) }
        }
    }
}
