//! What `diff --json` says: a line with the counts, then a line for every key that is not the same.

use std::io::{self, Write};

use serde::Serialize;

use super::compare::Compared;
use super::diff::Detail;
use super::json::{self, Bytes};
use crate::job::compare::edits::{Edits, Span};
use crate::job::compare::{Difference, Side, Why};
use crate::job::look::Row;

/// Fields, for the manual.
pub(crate) const FIELDS: &[(&str, &str)] = &[
    (
        "a, b, same, whole, keys, functions",
        "The first line: the files; whether they hold the same; whether all of both could be replayed; {a, b, \
         same, removed, added, changed}: counts of keys; and function libraries that are not the same.",
    ),
    (
        "change, db, key, type, elements",
        "Every other line is of a key, by database and name: removed, added or changed; its type, and, of one \
         that was removed or added, its elements. Of a function library it has function instead of a key.",
    ),
    (
        "why",
        "Of a changed key an array of {what, a, b}. Of what = type, ttl (ms since 1970, null for never) and \
         access, a and b are old and new. Of value and state they are {elements} where these are counted, and \
         beside them stand removed, added, changed, by_position and edits: an array of {a, b}, each null or the \
         texts of the element: its name, or its index in that list, then what it holds. Edits beyond \
         --max-edits are only counted. Of what = bytes (a string, or a value of a module) they are \
         {bytes, shown}, beside {at, removed, added, shown_from}: at which byte how many became how many.",
    ),
];

/// The first line.
#[derive(Debug, Serialize)]
struct HeadJson<'a> {
    a: Bytes<'a>,
    b: Bytes<'a>,
    same: bool,
    whole: bool,
    keys: KeysJson,
    functions: u64,
}

#[derive(Debug, Serialize)]
struct KeysJson {
    a: u64,
    b: u64,
    same: u64,
    removed: u64,
    added: u64,
    changed: u64,
}

#[derive(Debug, Serialize)]
struct LineJson<'a> {
    change: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    db: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Bytes<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<Bytes<'a>>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    type_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    elements: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    why: Vec<WhyJson<'a>>,
}

#[derive(Debug, Serialize)]
struct WhyJson<'a> {
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<SideJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    b: Option<SideJson<'a>>,
    #[serde(flatten)]
    how: Option<HowJson<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum SideJson<'a> {
    Text(&'a str),
    Time(Option<i64>),
    Elements { elements: u64 },
    Bytes { bytes: u64, shown: Bytes<'a> },
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum HowJson<'a> {
    Edits { removed: u64, added: u64, changed: u64, by_position: bool, edits: Vec<EditJson<'a>> },
    Span { at: u64, removed: u64, added: u64, shown_from: u64 },
}

#[derive(Debug, Serialize)]
struct EditJson<'a> {
    a: Option<Vec<Bytes<'a>>>,
    b: Option<Vec<Bytes<'a>>>,
}

/// Writes all lines.
///
/// # Errors
/// When they cannot be written.
pub(crate) fn lines(
    out: &mut dyn Write,
    compared: &Compared<'_>,
    differences: impl Iterator<Item = Difference>,
    detail: Detail,
) -> io::Result<()> {
    let counts = compared.counts;
    let head = HeadJson {
        a: Bytes(compared.a.as_os_str().as_encoded_bytes()),
        b: Bytes(compared.b.as_os_str().as_encoded_bytes()),
        same: counts.is_same(),
        whole: compared.whole,
        keys: KeysJson {
            a: counts.keys.0,
            b: counts.keys.1,
            same: counts.same,
            removed: counts.only.0,
            added: counts.only.1,
            changed: counts.differ,
        },
        functions: counts.functions,
    };
    json::line(out, &head)?;
    if detail.quiet {
        return Ok(());
    }
    for difference in differences.take(detail.differences) {
        json::line(out, &line(&difference, detail.names_only))?;
    }
    Ok(())
}

fn change(side: Option<Side>) -> &'static str {
    match side {
        Some(Side::A) => "removed",
        Some(Side::B) => "added",
        None => "changed",
    }
}

fn line(difference: &Difference, names_only: bool) -> LineJson<'_> {
    let none = LineJson {
        change: change(None),
        db: None,
        key: None,
        function: None,
        type_name: None,
        elements: None,
        why: Vec::new(),
    };
    match difference {
        Difference::Only { side, db, key, type_name, elements } => LineJson {
            change: change(Some(*side)),
            db: Some(*db),
            key: Some(Bytes(key)),
            type_name: Some(type_name),
            elements: (!names_only).then_some(*elements),
            ..none
        },
        Difference::Key { db, key, type_name, why } => LineJson {
            db: Some(*db),
            key: Some(Bytes(key)),
            type_name: Some(type_name),
            why: if names_only { Vec::new() } else { why.iter().map(reason).collect() },
            ..none
        },
        Difference::Function { side, name } => {
            LineJson { change: change(*side), function: Some(Bytes(name)), ..none }
        }
    }
}

fn reason(why: &Why) -> WhyJson<'_> {
    let (what, a, b, how) = match why {
        Why::Type(a, b) => ("type", SideJson::Text(a), SideJson::Text(b), None),
        Why::Access(a, b) => ("access", SideJson::Text(a), SideJson::Text(b), None),
        Why::Ttl(a, b) => ("ttl", SideJson::Time(*a), SideJson::Time(*b), None),
        Why::Value { elements: (a, b), edits: how } => {
            let side = |elements| SideJson::Elements { elements };
            ("value", side(*a), side(*b), Some(edits(how)))
        }
        Why::Bytes(Span { len, at, changed, from, a, b }) => {
            let side = |bytes, shown| SideJson::Bytes { bytes, shown: Bytes(shown) };
            let (removed, added) = *changed;
            let how = HowJson::Span { at: *at, removed, added, shown_from: *from };
            ("bytes", side(len.0, a), side(len.1, b), Some(how))
        }
        Why::State(how) => {
            return WhyJson { what: "state", a: None, b: None, how: Some(edits(how)) };
        }
    };
    WhyJson { what, a: Some(a), b: Some(b), how }
}

fn edits(edits: &Edits) -> HowJson<'_> {
    fn texts(row: &Option<Row>) -> Option<Vec<Bytes<'_>>> {
        row.as_ref().map(|row| row.iter().map(|text| Bytes(text)).collect())
    }
    let Edits { removed, added, changed, by_position, first } = edits;
    HowJson::Edits {
        removed: *removed,
        added: *added,
        changed: *changed,
        by_position: *by_position,
        edits: first.iter().map(|edit| EditJson { a: texts(&edit.a), b: texts(&edit.b) }).collect(),
    }
}
