//! What `verify` says: one line that tells whether two files hold the same, then the differences.
//!
//! ```text
//! DIFFERENT — 1 key only in a.rdb, 2 keys differ, 1,822 are the same
//! only in a.rdb: db 0 "user:17" (hash)
//! db 0 "counter": value: "5" / "6"
//! db 0 "session:1": expires 2026-11-22 14:02:06 UTC / never
//! ```

use std::io::{self, Write};

use serde::Serialize;

use super::compare::{Compared, moment, span};
use super::escape::{path, quoted};
use super::json::Bytes;
use super::screen::Screen;
use super::size::{count, counted};
use crate::job::compare::edits::Edits;
use crate::job::compare::{Difference, Side, Why};
use crate::job::look::Row;

/// Texts of a row that are shown.
const SHOWN: usize = 4;

/// Fields of `--json`, for the manual.
pub(crate) const FIELDS: &[(&str, &str)] = &[
    ("a, b", "The files."),
    ("same", "Whether they hold the same."),
    ("whole", "Whether all of both could be replayed."),
    ("keys", "{a, b, same, only_a, only_b, differ}: counts."),
    ("functions", "Function libraries that are not the same."),
    (
        "differences",
        "Array of {db, key, only: \"a\" or \"b\", type}, of {db, key, why} and of {function, only}, by \
         database and name, at most --max-differences. Each why is {what: type, value, ttl, access or state, \
         a, b}; of a value a and b are {elements, first}: of the first element that is not the same its name, or \
         its index in a list, and what it holds; of a string some bytes from before the first that differs.",
    ),
];

/// The text.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn text(
    out: &mut dyn Write,
    compared: &Compared<'_>,
    differences: &[Difference],
    quiet: bool,
    screen: &Screen,
) -> io::Result<()> {
    let Compared { a, b, counts, .. } = compared;
    let (word, style) = match (counts.is_same(), compared.whole) {
        (true, true) => ("SAME", screen.good),
        (true, false) => ("SAME, as far as they could be replayed", screen.warning),
        (false, _) => ("DIFFERENT", screen.error),
    };
    let mut parts = Vec::new();
    for (keys, side) in [(counts.only.0, a), (counts.only.1, b)] {
        if keys > 0 {
            parts.push(format!("{} only in {}", counted(keys, "key"), path(side)));
        }
    }
    if counts.differ > 0 {
        parts.push(format!("{} not the same in both", counted(counts.differ, "key")));
    }
    if counts.functions > 0 {
        parts.push(format!("{} not the same", counted(counts.functions, "function library")));
    }
    parts.push(format!("{} the same", counted(counts.same, "key")));
    screen.prose(out, 2, &format!("{style}{word}{style:#} — {}", parts.join(", ")))?;
    if quiet {
        return Ok(());
    }
    for difference in differences {
        screen.prose(out, 2, &line(difference, compared))?;
    }
    let more = counts.differences().saturating_sub(differences.len() as u64);
    if more > 0 {
        writeln!(out, "{} more (see --max-differences)", counted(more, "difference"))?;
    }
    Ok(())
}

fn line(difference: &Difference, compared: &Compared<'_>) -> String {
    let side = |side: &Side| match side {
        Side::A => path(compared.a),
        Side::B => path(compared.b),
    };
    match difference {
        Difference::Only { side: at, db, key, type_name, .. } => {
            let type_name = super::escape::name(type_name.as_bytes());
            format!("only in {}: db {db} {} ({type_name})", side(at), quoted(key))
        }
        Difference::Key { db, key, why, .. } => {
            let why: Vec<String> = why.iter().map(reason).collect();
            format!("db {db} {}: {}", quoted(key), why.join("; "))
        }
        Difference::Function { side: Some(at), name } => {
            format!("only in {}: function library {}", side(at), quoted(name))
        }
        Difference::Function { side: None, name } => {
            format!("function library {}: another code", quoted(name))
        }
    }
}

fn reason(why: &Why) -> String {
    match why {
        Why::Type(a, b) => {
            let name = |text: &str| super::escape::name(text.as_bytes()).to_string();
            format!("type {} / {}", name(a), name(b))
        }
        Why::Bytes(bytes) => {
            let (a, b) = span(bytes);
            format!("value: {a} / {b}")
        }
        Why::Value { elements, edits } => {
            let counts = match elements {
                (a, b) if a == b => String::new(),
                (a, b) => format!(" of {} / {} elements", count(*a), count(*b)),
            };
            let (a, b) = first(edits);
            format!("value{counts}: {} / {}", row(a), row(b))
        }
        Why::Ttl(a, b) => format!("expires {} / {}", moment(*a), moment(*b)),
        Why::Access(a, b) => format!("access {a} / {b}"),
        Why::State(edits) => {
            let (a, b) = first(edits);
            format!("state: {} / {}", row(a), row(b))
        }
    }
}

/// The first edit.
fn first(edits: &Edits) -> (Option<&Row>, Option<&Row>) {
    edits.first.first().map_or((None, None), |edit| (edit.a.as_ref(), edit.b.as_ref()))
}

/// The texts of a row, shortened.
fn row(row: Option<&Row>) -> String {
    let Some(row) = row else { return "nothing".to_owned() };
    let mut texts: Vec<String> = row.iter().take(SHOWN).map(|t| quoted(t).to_string()).collect();
    if row.len() > SHOWN {
        texts.push(format!("… ({} in all)", count(row.len() as u64)));
    }
    texts.join(" ")
}

/// The object of `--json`.
#[derive(Debug, Serialize)]
pub(crate) struct VerifyJson<'a> {
    a: Bytes<'a>,
    b: Bytes<'a>,
    same: bool,
    whole: bool,
    keys: KeysJson,
    functions: u64,
    differences: Vec<DifferenceJson<'a>>,
}

#[derive(Debug, Serialize)]
struct KeysJson {
    a: u64,
    b: u64,
    same: u64,
    only_a: u64,
    only_b: u64,
    differ: u64,
}

#[derive(Debug, Serialize)]
struct DifferenceJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    db: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Bytes<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<Bytes<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    only: Option<&'static str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    type_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    why: Vec<WhyJson<'a>>,
}

#[derive(Debug, Serialize)]
struct WhyJson<'a> {
    what: &'static str,
    a: ValueJson<'a>,
    b: ValueJson<'a>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ValueJson<'a> {
    Text(&'a str),
    Time(Option<i64>),
    Row(Option<Vec<Bytes<'a>>>),
    Value { elements: u64, first: Option<Vec<Bytes<'a>>> },
}

fn bytes(row: Option<&Row>) -> Option<Vec<Bytes<'_>>> {
    row.map(|row| row.iter().map(|text| Bytes(text)).collect())
}

impl<'a> VerifyJson<'a> {
    /// Of a comparison.
    pub(crate) fn new(compared: &Compared<'a>, differences: &'a [Difference]) -> VerifyJson<'a> {
        let counts = compared.counts;
        VerifyJson {
            a: Bytes(compared.a.as_os_str().as_encoded_bytes()),
            b: Bytes(compared.b.as_os_str().as_encoded_bytes()),
            same: counts.is_same(),
            whole: compared.whole,
            keys: KeysJson {
                a: counts.keys.0,
                b: counts.keys.1,
                same: counts.same,
                only_a: counts.only.0,
                only_b: counts.only.1,
                differ: counts.differ,
            },
            functions: counts.functions,
            differences: differences.iter().map(difference).collect(),
        }
    }
}

fn difference(difference: &Difference) -> DifferenceJson<'_> {
    let side = |side: &Side| match side {
        Side::A => "a",
        Side::B => "b",
    };
    let none = DifferenceJson {
        db: None,
        key: None,
        function: None,
        only: None,
        type_name: None,
        why: Vec::new(),
    };
    match difference {
        Difference::Only { side: at, db, key, type_name, .. } => DifferenceJson {
            db: Some(*db),
            key: Some(Bytes(key)),
            only: Some(side(at)),
            type_name: Some(type_name),
            ..none
        },
        Difference::Key { db, key, why, .. } => DifferenceJson {
            db: Some(*db),
            key: Some(Bytes(key)),
            why: why.iter().map(why_json).collect(),
            ..none
        },
        Difference::Function { side: at, name } => {
            DifferenceJson { function: Some(Bytes(name)), only: at.as_ref().map(side), ..none }
        }
    }
}

fn why_json(why: &Why) -> WhyJson<'_> {
    let (what, a, b) = match why {
        Why::Type(a, b) => ("type", ValueJson::Text(a), ValueJson::Text(b)),
        Why::Access(a, b) => ("access", ValueJson::Text(a), ValueJson::Text(b)),
        Why::Ttl(a, b) => ("ttl", ValueJson::Time(*a), ValueJson::Time(*b)),
        Why::State(edits) => {
            let (a, b) = first(edits);
            ("state", ValueJson::Row(bytes(a)), ValueJson::Row(bytes(b)))
        }
        Why::Bytes(span) => {
            let value =
                |elements, shown| ValueJson::Value { elements, first: Some(vec![Bytes(shown)]) };
            ("value", value(span.len.0, &span.a), value(span.len.1, &span.b))
        }
        Why::Value { elements, edits } => {
            let value = |elements, row| ValueJson::Value { elements, first: bytes(row) };
            let (a, b) = first(edits);
            ("value", value(elements.0, a), value(elements.1, b))
        }
    };
    WhyJson { what, a, b }
}
