//! What `verify` and `diff` both say of differences: names of sides, moments, elements and how they changed.

use std::path::Path;

use super::escape::{SHOWN, name, quoted};
use super::size::count;
use super::time::moment_s;
use crate::job::compare::Counts;
use crate::job::compare::edits::{Edit, Span};
use crate::job::look::{Row, name_width};

/// Two files that were compared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compared<'a> {
    /// The first.
    pub(crate) a: &'a Path,
    /// The second.
    pub(crate) b: &'a Path,
    /// How much is the same.
    pub(crate) counts: Counts,
    /// Whether all of both could be replayed.
    pub(crate) whole: bool,
}

/// When a key expires.
pub(super) fn moment(ms: Option<i64>) -> String {
    ms.map_or_else(|| "never".to_owned(), |ms| format!("{} ({ms})", moment_s(ms.div_euclid(1000))))
}

/// Both sides of a string that changed: whole if they are short, else from a little before the first byte that
/// differs.
pub(super) fn span(span: &Span) -> (String, String) {
    let side = |shown: &[u8], len: u64| {
        let end = span.from + shown.len() as u64;
        let (before, after) =
            (if span.from > 0 { "…" } else { "" }, if end < len { "…" } else { "" });
        format!("{before}{}{after}", quoted(shown))
    };
    (side(&span.a, span.len.0), side(&span.b, span.len.1))
}

/// What edits are of: the word of TYPE, or what a value keeps beside its elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of<'a> {
    /// Elements of a value of this type.
    Type(&'a str),
    /// What it keeps beside them.
    State,
}

impl Of<'_> {
    /// An edit: its sign, and what it is.
    pub(super) fn edit(self, edit: &Edit) -> (char, String) {
        match (&edit.a, &edit.b) {
            (Some(a), Some(b)) => ('~', self.labelled(a, self.changes(a, b))),
            (Some(row), None) => ('-', self.labelled(row, self.contents(row))),
            (None, Some(row)) => ('+', self.labelled(row, self.contents(row))),
            (None, None) => ('~', String::new()),
        }
    }

    fn labelled(self, row: &Row, text: String) -> String {
        let label = self.label(row);
        if text.is_empty() { label } else { format!("{label}: {text}") }
    }

    fn width(self, row: &Row) -> usize {
        match self {
            Of::Type(_) => 1,
            Of::State => name_width(row),
        }
    }

    fn label(self, row: &Row) -> String {
        let mut texts = row.iter().take(self.width(row));
        let first = texts.next().map(Vec::as_slice).unwrap_or_default();
        match self {
            Of::Type("list" | "array") => format!("[{}]", name(first)),
            Of::Type("stream") => name(first).to_string(),
            Of::Type(_) => quoted(first).to_string(),
            Of::State => {
                let others = texts.map(|text| format!(" {}", quoted(text)));
                std::iter::once(name(first).to_string()).chain(others).collect()
            }
        }
    }

    fn contents(self, row: &Row) -> String {
        let width = self.width(row);
        let mut texts = Vec::new();
        for (at, text) in row.iter().enumerate().skip(width) {
            if texts.len() == SHOWN_TEXTS {
                texts.push(format!("… ({} in all)", count((row.len() - width) as u64)));
                break;
            }
            texts.push(self.text(row, at, Some(text)));
        }
        texts.join(" ")
    }

    /// What is not the same in two rows of the same name.
    fn changes(self, a: &Row, b: &Row) -> String {
        let mut texts = Vec::new();
        let mut places =
            (self.width(a)..a.len().max(b.len())).filter(|at| a.get(*at) != b.get(*at));
        for at in places.by_ref().take(SHOWN_TEXTS) {
            let (old, new) = match (a.get(at), b.get(at)) {
                (Some(old), Some(new)) if old.len().max(new.len()) > SHOWN => {
                    let (old_text, new_text) = span(&Span::new(old, new));
                    let bytes = |len: usize| count(len as u64);
                    (
                        format!("{old_text} ({} bytes)", bytes(old.len())),
                        format!("{new_text} ({} bytes)", bytes(new.len())),
                    )
                }
                (old, new) => (self.text(a, at, old), self.text(a, at, new)),
            };
            texts.push(format!("{old} → {new}"));
        }
        if places.next().is_some() {
            texts.push("…".to_owned());
        }
        texts.join(", ")
    }

    /// One of the texts behind a row's name, or that there is none.
    fn text(self, row: &Row, at: usize, text: Option<&Vec<u8>>) -> String {
        match (self, at, text) {
            (Of::Type("hash"), 2, text) => {
                let ms = text.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
                format!("expires {}", moment(ms))
            }
            (_, _, None) => "nothing".to_owned(),
            (Of::Type("zset"), _, Some(score)) => name(score).to_string(),
            (Of::Type(_), _, Some(text)) => quoted(text).to_string(),
            (Of::State, _, Some(text)) => {
                let what = row.first().and_then(|word| {
                    STATE_TEXTS.iter().find(|(of, _)| of.as_bytes() == word.as_slice())
                });
                let what = what.and_then(|(_, texts)| texts.get(at - name_width(row)));
                let what = what.map(|what| format!("{what} ")).unwrap_or_default();
                format!("{what}{}", name(text).short(SHOWN))
            }
        }
    }
}

/// Texts of a row that are shown.
const SHOWN_TEXTS: usize = 6;

/// What the texts behind the name of a row of state are.
const STATE_TEXTS: &[(&str, &[&str])] = &[
    ("group", &["last-id", "entries-read"]),
    ("pending", &["consumer", "deliveries", "delivered-at"]),
    ("producer", &["id"]),
];
