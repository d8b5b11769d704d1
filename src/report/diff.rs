//! What `diff` says: one line that tells how much changed, then key by key what.
//!
//! ```text
//! old.rdb → new.rdb: DIFFERENT — 1 key removed, 2 keys changed, 1,822 keys the same
//! - db0 "user:17"  hash, 3 elements
//! ~ db0 "counter"  string
//!     "5" → "6"
//! ~ db0 "session:1"  hash, 4 elements: 1 added, 1 changed
//!     ~ "name": "Ann" → "Anna"
//!     + "city": "Bern"
//!     expires 2026-11-22 14:02:06 UTC → never
//! ```

use std::io::{self, Write};

use super::compare::{Compared, Of, moment, span};
use super::escape::{name, path, quoted};
use super::screen::Screen;
use super::size::{count, counted};
use crate::job::compare::edits::{Edits, Span};
use crate::job::compare::{Difference, Side, Why};

/// How much to tell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Detail {
    /// Only whether there is a difference.
    pub(crate) quiet: bool,
    /// The names of keys, and nothing else.
    pub(crate) names_only: bool,
    /// How many keys.
    pub(crate) differences: usize,
}

/// The text.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn text(
    out: &mut dyn Write,
    compared: &Compared<'_>,
    differences: impl Iterator<Item = Difference>,
    detail: Detail,
    screen: &Screen,
) -> io::Result<()> {
    if !detail.names_only {
        screen.prose(out, 2, &headline(compared, screen))?;
    }
    if detail.quiet && !detail.names_only {
        return Ok(());
    }
    let mut told = 0;
    for difference in differences.take(detail.differences) {
        told += 1;
        one(out, &difference, detail.names_only, screen)?;
    }
    let more = compared.counts.differences().saturating_sub(told);
    if more > 0 {
        writeln!(out, "… and {} more (--max-differences)", counted(more, "difference"))?;
    }
    Ok(())
}

fn headline(compared: &Compared<'_>, screen: &Screen) -> String {
    let Compared { a, b, counts, whole } = compared;
    let (word, style) = match (counts.is_same(), whole) {
        (true, true) => ("SAME", screen.good),
        (true, false) => ("SAME, as far as they could be replayed", screen.warning),
        (false, _) => ("DIFFERENT", screen.error),
    };
    let all = [(counts.only.0, "removed"), (counts.only.1, "added"), (counts.differ, "changed")];
    let parts = all.iter().filter(|(keys, _)| *keys > 0);
    let mut parts: Vec<_> =
        parts.map(|(keys, what)| format!("{} {what}", counted(*keys, "key"))).collect();
    if counts.functions > 0 {
        parts.push(format!("{} not the same", counted(counts.functions, "function library")));
    }
    parts.push(format!("{} the same", counted(counts.same, "key")));
    format!("{} → {}: {style}{word}{style:#} — {}", path(a), path(b), parts.join(", "))
}

/// What a sign is shown in.
fn signed(sign: char, screen: &Screen) -> String {
    let style = match sign {
        '-' => screen.error,
        '+' => screen.good,
        _ => screen.warning,
    };
    format!("{style}{sign}{style:#}")
}

fn sign(side: Option<Side>) -> char {
    match side {
        Some(Side::A) => '-',
        Some(Side::B) => '+',
        None => '~',
    }
}

fn one(
    out: &mut dyn Write,
    difference: &Difference,
    names_only: bool,
    screen: &Screen,
) -> io::Result<()> {
    match difference {
        Difference::Only { side, db, key, type_name, elements } => {
            let at = signed(sign(Some(*side)), screen);
            if names_only {
                return writeln!(out, "{at} db{db} \"{}\"", name(key));
            }
            let size = size(type_name, *elements);
            screen.prose(out, 4, &format!("{at} db{db} {}  {size}", quoted(key)))
        }
        Difference::Function { side, name: library } => {
            let at = signed(sign(*side), screen);
            screen.prose(out, 4, &format!("{at} function library {}", quoted(library)))
        }
        Difference::Key { db, key, .. } if names_only => {
            writeln!(out, "{} db{db} \"{}\"", signed('~', screen), name(key))
        }
        Difference::Key { db, key, type_name, why } => {
            let changed = why.iter().find_map(|why| summary(type_name, why));
            let changed = changed.unwrap_or_else(|| name(type_name.as_bytes()).to_string());
            let at = signed('~', screen);
            screen.prose(out, 4, &format!("{at} db{db} {}  {changed}", quoted(key)))?;
            why.iter().try_for_each(|why| reason(out, type_name, why, screen))
        }
    }
}

/// A type with how much there is of it.
fn size(type_name: &str, elements: u64) -> String {
    let word = name(type_name.as_bytes());
    match type_name {
        "string" => format!("{word}, {}", counted(elements, "byte")),
        _ if elements == 0 => word.to_string(),
        _ => format!("{word}, {}", counted(elements, "element")),
    }
}

/// What is told beside the name of a key that changed.
fn summary(type_name: &str, why: &Why) -> Option<String> {
    let Why::Value { elements: (a, b), edits } = why else { return None };
    let elements = match a == b {
        true => counted(*b, "element"),
        false => format!("{} → {}", count(*a), counted(*b, "element")),
    };
    let how =
        if edits.count() == 0 { "what is not shown of it differs".to_owned() } else { sums(edits) };
    Some(format!("{}, {elements}: {how}", name(type_name.as_bytes())))
}

fn sums(edits: &Edits) -> String {
    let all = [(edits.removed, "removed"), (edits.added, "added"), (edits.changed, "changed")];
    let parts = all.iter().filter(|(n, _)| *n > 0);
    let parts: Vec<_> = parts.map(|(n, what)| format!("{} {what}", count(*n))).collect();
    let how = if edits.by_position { ", position by position" } else { "" };
    format!("{}{how}", parts.join(", "))
}

fn reason(out: &mut dyn Write, type_name: &str, why: &Why, screen: &Screen) -> io::Result<()> {
    let text = match why {
        Why::Value { edits, .. } => return list(out, Of::Type(type_name), edits, screen),
        Why::State(edits) => return list(out, Of::State, edits, screen),
        Why::Type(a, b) => {
            format!("type {} → {}", name(a.as_bytes()), name(b.as_bytes()))
        }
        Why::Bytes(bytes) => changed_bytes(bytes),
        Why::Ttl(a, b) => format!("expires {} → {}", moment(*a), moment(*b)),
        Why::Access(a, b) => format!("access {a} → {b}"),
    };
    screen.prose(out, 6, &format!("    {text}"))
}

fn changed_bytes(bytes: &Span) -> String {
    let (a, b) = span(bytes);
    let whole = bytes.from == 0 && (bytes.a.len() as u64, bytes.b.len() as u64) == bytes.len;
    if whole {
        return format!("{a} → {b}");
    }
    let len = match bytes.len {
        (a, b) if a == b => counted(a, "byte"),
        (a, b) => format!("{} → {}", count(a), counted(b, "byte")),
    };
    let (gone, come) = bytes.changed;
    let at = count(bytes.at);
    format!("{len}; at {at}, {} → {}: {a} → {b}", count(gone), counted(come, "byte"))
}

fn list(out: &mut dyn Write, of: Of<'_>, edits: &Edits, screen: &Screen) -> io::Result<()> {
    for edit in &edits.first {
        let (sign, text) = of.edit(edit);
        screen.prose(out, 8, &format!("    {} {text}", signed(sign, screen)))?;
    }
    let more = edits.count().saturating_sub(edits.first.len() as u64);
    if more > 0 {
        writeln!(out, "    … and {} more (--max-edits)", counted(more, "edit"))?;
    }
    Ok(())
}
