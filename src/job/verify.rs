//! Do two stores hold the same data? Every key of the one is looked for in the other: its type, its value,
//! its time to live, its access mark, and what streams and arrays keep beside their elements.

use super::look::{Row, rows, state};
use crate::engine::KeyRef;
use crate::engine::shards::Look;
use crate::value::Value;
use crate::value::digest::{Style, of_value};

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
    },
    /// A key that is not the same on both sides.
    Key {
        /// Its database.
        db: u64,
        /// Its name.
        key: Vec<u8>,
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
    /// Its value: how many elements (bytes of a string) on each side, and the first that differ.
    Value {
        /// On both sides.
        elements: (u64, u64),
        /// The first row that the other side has not there.
        first: (Option<Row>, Option<Row>),
    },
    /// Its expire times, in ms since 1970.
    Ttl(Option<i64>, Option<i64>),
    /// LRU or LFU marks.
    Access(String, String),
    /// What it keeps beside its elements: the first rows that differ.
    State(Option<Row>, Option<Row>),
}

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
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
    /// The first differences, by database and name: as many as were asked for.
    pub differences: Vec<Difference>,
}

impl Report {
    /// Is there no difference?
    pub fn is_same(&self) -> bool {
        self.only == (0, 0) && self.differ == 0 && self.functions == 0
    }
}

/// Compares two stores; at most `limit` differences are told.
pub fn verify(a: &Look<'_>, b: &Look<'_>, ignore: Ignore, limit: usize) -> Report {
    let mut report = Report::default();
    let mut found = Vec::new();
    for db in a.dbs() {
        for key in a.keys(db) {
            report.keys.0 += 1;
            let Some(other) = b.get(db, key.key) else {
                report.only.0 += 1;
                keep(&mut found, only(Side::A, db, &key), limit);
                continue;
            };
            let why = compare(&key, &other, ignore);
            if why.is_empty() {
                report.same += 1;
            } else {
                report.differ += 1;
                keep(&mut found, Difference::Key { db, key: key.key.to_vec(), why }, limit);
            }
        }
    }
    for db in b.dbs() {
        for key in b.keys(db) {
            report.keys.1 += 1;
            if a.get(db, key.key).is_none() {
                report.only.1 += 1;
                keep(&mut found, only(Side::B, db, &key), limit);
            }
        }
    }
    if !ignore.functions {
        let functions = functions(a, b);
        report.functions = functions.len() as u64;
        found.extend(functions);
    }
    first(&mut found, limit);
    report.differences = found;
    report
}

/// Keeps the first differences: more than are wanted for a while, so that sorting is rare.
fn keep(found: &mut Vec<Difference>, difference: Difference, limit: usize) {
    found.push(difference);
    if found.len() >= limit.saturating_mul(2).saturating_add(1000) {
        first(found, limit);
    }
}

fn first(found: &mut Vec<Difference>, limit: usize) {
    found.sort_by(|a, b| place(a).cmp(&place(b)));
    found.truncate(limit);
}

fn place(difference: &Difference) -> (u64, &[u8]) {
    match difference {
        Difference::Only { db, key, .. } | Difference::Key { db, key, .. } => (*db, key),
        Difference::Function { name, .. } => (u64::MAX, name),
    }
}

fn only(side: Side, db: u64, key: &KeyRef<'_>) -> Difference {
    let type_name = key.value.type_name().to_owned();
    Difference::Only { side, db, key: key.key.to_vec(), type_name }
}

fn functions(a: &Look<'_>, b: &Look<'_>) -> Vec<Difference> {
    let (a, b): (std::collections::BTreeMap<_, _>, std::collections::BTreeMap<_, _>) =
        (a.functions().collect(), b.functions().collect());
    let mut found = Vec::new();
    for (name, code) in &a {
        let side = match b.get(name) {
            Some(other) if other == code => continue,
            Some(_) => None,
            None => Some(Side::A),
        };
        found.push(Difference::Function { side, name: name.to_vec() });
    }
    let only_b = b.keys().filter(|name| !a.contains_key(*name));
    found.extend(
        only_b.map(|name| Difference::Function { side: Some(Side::B), name: name.to_vec() }),
    );
    found
}

fn compare(a: &KeyRef<'_>, b: &KeyRef<'_>, ignore: Ignore) -> Vec<Why> {
    let mut why = Vec::new();
    let (a_type, b_type) = (a.value.type_name(), b.value.type_name());
    if a_type != b_type {
        why.push(Why::Type(a_type.to_owned(), b_type.to_owned()));
        return why;
    }
    if !same_value(a.value, b.value, ignore) {
        why.extend(value(a.value, b.value, ignore));
    }
    if !ignore.groups {
        let (a, b) = (state(a.value, !ignore.gone), state(b.value, !ignore.gone));
        let (a, b) = unlike(a, b);
        if (&a, &b) != (&None, &None) {
            why.push(Why::State(a, b));
        }
    }
    if !ignore.ttl && a.expire_at_ms != b.expire_at_ms {
        why.push(Why::Ttl(a.expire_at_ms, b.expire_at_ms));
    }
    if !ignore.access && a.access != b.access {
        let text = |key: &KeyRef<'_>| match key.access {
            None => "none".to_owned(),
            Some(crate::engine::Access::Idle(idle)) => format!("idle for {idle} s"),
            Some(crate::engine::Access::Freq(freq)) => format!("used {freq}"),
        };
        why.push(Why::Access(text(a), text(b)));
    }
    why
}

/// By digest, and by the expire times of fields, which a digest does not take in.
fn same_value(a: &Value, b: &Value, ignore: Ignore) -> bool {
    match (a, b) {
        (Value::Module(a), Value::Module(b)) => a.payload() == b.payload(),
        (Value::Hash(x), Value::Hash(y))
            if x.min_expire().is_some() || y.min_expire().is_some() =>
        {
            trimmed(a, ignore) == trimmed(b, ignore)
        }
        _ => of_value(a, false, Style::default()) == of_value(b, false, Style::default()),
    }
}

fn trimmed(value: &Value, ignore: Ignore) -> Vec<Row> {
    let mut rows = rows(value);
    if let (Value::Hash(_), true) = (value, ignore.ttl) {
        rows.iter_mut().for_each(|row| row.truncate(2));
    }
    rows
}

fn value(a: &Value, b: &Value, ignore: Ignore) -> Option<Why> {
    let elements = (a.len() as u64, b.len() as u64);
    let first = unlike(trimmed(a, ignore), trimmed(b, ignore));
    Some(Why::Value { elements, first })
}

/// The first rows that are not the same.
fn unlike(a: Vec<Row>, b: Vec<Row>) -> (Option<Row>, Option<Row>) {
    let at = a.iter().zip(&b).position(|(a, b)| a != b);
    let at = at.unwrap_or(a.len().min(b.len()));
    (a.into_iter().nth(at), b.into_iter().nth(at))
}
