//! What a conversion says to people: one line that tells what became of the file, then what the target
//! cannot hold, loss by loss with the keys it is about.
//!
//! ```text
//! dump.rdb -> out.rdb: CONVERTED for redis-6.2 (RDB 9) — 1,204 keys in 2 databases, 118.2 KiB; 96 encoded anew
//!   lost: stream-counters, 3 keys — A stream's count of entries ever added, …
//!     db 0 "events"
//! ```

use std::io::{self, Write};
use std::path::Path;

use super::check::Detail;
use super::escape::{path, quoted};
use super::facts::{File, expected_found, offset};
use super::screen::Screen;
use super::size::{bytes, count, counted};
use crate::job::convert::{Report, What};
use crate::loss::Loss;
use crate::rdb::target::Target;

/// Keys shown for a loss.
const SHOWN: usize = 5;

/// Inputs named before the others are only counted.
const NAMED: usize = 3;

/// A conversion.
#[derive(Debug)]
pub(crate) struct Conversion<'a> {
    /// The source, of several the first.
    pub(crate) file: File<'a>,
    /// The new file.
    pub(crate) to: &'a Path,
    /// Whom it is for; `None` of text.
    pub(crate) target: Option<Target>,
    /// What came of it.
    pub(crate) report: &'a Report,
    /// The new file is in its place.
    pub(crate) written: bool,
}

impl Conversion<'_> {
    /// The outcome in a word.
    pub(crate) fn word(&self) -> &'static str {
        match (self.written, self.report.damage.is_empty()) {
            (true, _) => "converted",
            (false, true) => "not written",
            (false, false) => "damaged",
        }
    }
}

/// Writes it.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn text(
    out: &mut dyn Write,
    conversion: &Conversion<'_>,
    detail: Detail,
    screen: &Screen,
) -> io::Result<()> {
    let Conversion { to, target, report, .. } = conversion;
    let word = conversion.word().to_ascii_uppercase();
    let style = if conversion.written { screen.strong } else { screen.error };
    write!(out, "{} -> {}: {style}{word}{style:#}", inputs(conversion), path(to))?;
    if let Some(Target { release, version }) = target {
        write!(out, " for {} (RDB {version})", release.name)?;
    }
    writeln!(out, "{}", summary(conversion))?;
    details(out, report, conversion.written, detail, screen)?;
    if detail > Detail::Normal && !report.aux_left_out.is_empty() {
        let names: Vec<_> =
            report.aux_left_out.iter().map(|name| quoted(name).to_string()).collect();
        writeln!(out, "  AUX fields not carried over: {}", names.join(", "))?;
    }
    Ok(())
}

/// What is in the way, and what is lost.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn details(
    out: &mut dyn Write,
    report: &Report,
    written: bool,
    detail: Detail,
    screen: &Screen,
) -> io::Result<()> {
    for finding in report.damage.iter().take(SHOWN) {
        let what = expected_found(&finding.expected, &finding.found);
        let (error, code) = (screen.error, finding.code);
        write!(out, "  {error}{code}{error:#} at {}", offset(finding.span.start))?;
        if let Some(place) = &finding.key {
            write!(out, " in db {} {}", place.db, quoted(&place.key))?;
        }
        writeln!(out, ": {what}")?;
    }
    for (loss, count) in &report.losses {
        lost(out, *loss, *count, report, detail, screen)?;
    }
    if !written && report.damage.is_empty() && report.has_losses() {
        writeln!(out, "  with --lossy it is written without that")?;
    }
    Ok(())
}

/// The names of the inputs.
fn inputs(conversion: &Conversion<'_>) -> String {
    let read = &conversion.report.read;
    let named = read.iter().take(NAMED).map(|read| path(&read.path).to_string());
    let mut names = named.collect::<Vec<_>>().join(", ");
    if read.len() > NAMED {
        names.push_str(&format!(" and {} more", read.len() - NAMED));
    }
    names
}

fn summary(conversion: &Conversion<'_>) -> String {
    let report = conversion.report;
    let counts = report.counts;
    let mut parts = Vec::new();
    for read in &report.read {
        let What::Log { applied, failed, .. } = read.what else { continue };
        let mut text = format!("{} replayed", counted(applied + failed, "command"));
        if failed > 0 {
            text.push_str(&format!(", {} of them in vain", count(failed)));
        }
        parts.push(text);
    }
    if conversion.written {
        let keys = counted(counts.written(), "key");
        let databases = counted(report.databases.len() as u64, "database");
        parts.push(format!("{keys} in {databases}, {}", bytes(report.size)));
    }
    let more = [
        (counts.encoded, "encoded anew"),
        (counts.expired, "expired and left out"),
        (counts.filtered, "not selected"),
        (counts.twice, "in another input and left out"),
        (counts.empty, "empty and left out, as servers do"),
        (counts.lost, "lost"),
    ];
    let more = more.into_iter().filter(|(n, _)| *n > 0);
    parts.extend(more.map(|(n, what)| format!("{} {what}", count(n))));
    match parts.is_empty() {
        true => String::new(),
        false => format!(" — {}", parts.join("; ")),
    }
}

fn lost(
    out: &mut dyn Write,
    loss: Loss,
    total: u64,
    report: &Report,
    detail: Detail,
    screen: &Screen,
) -> io::Result<()> {
    let style = screen.note;
    let places = counted(total, "place");
    let usual = match report.usual.contains(&loss) {
        true => ", as when a server rewrites its AOF",
        false => "",
    };
    write!(out, "  {style}{loss}{style:#}, {places}{usual}: ")?;
    screen.prose(out, 4, loss.about())?;
    let shown = match detail {
        Detail::Quiet => 0,
        Detail::Normal => SHOWN,
        Detail::Verbose => usize::MAX,
    };
    let mut told = 0;
    for lost in report.lost.iter().filter(|lost| lost.loss == loss).take(shown) {
        told += 1;
        let at = offset(lost.offset);
        match &lost.key {
            Some(place) => {
                let (db, key, kind) = (place.db, quoted(&place.key), place.type_name);
                let whole = if lost.whole { ", the whole key" } else { "" };
                writeln!(out, "    db {db} {key} ({kind}){whole}")?;
            }
            None => writeln!(out, "    at {at}")?,
        }
    }
    if total > told && told > 0 {
        writeln!(out, "    and {} more", count(total - told))?;
    }
    Ok(())
}
