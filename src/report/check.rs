//! What `check` says to people: first one line that tells what to think of the file, then the findings.
//!
//! ```text
//! dump.rdb: DAMAGED — 1 error; redis RDB 10 by redis 7.0.15, 45 keys in 2 dbs, checksum wrong, 34.6 KiB
//! error rdb-crc at 0x8a60 (35424): expected 3c9dbd1f02ce5a0a, found 3c9dbd1f02ce5aff
//!   The checksum at the end does not match the bytes before it.
//!   00008a60  ff 5a ce 02 1f bd 9d 3c                           .Z.....<
//!             ^^ ^^ ^^ ^^ ^^ ^^ ^^ ^^
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::advice::advice;
use super::escape::{path, quoted};
use super::facts::{self, File};
use super::hex;
use super::palette::Palette;
use super::size::{bytes, count, counted};
use crate::finding::{Code, Finding, Severity};
use crate::job::behind::Behind;
use crate::job::check::{Report, Verdict};

/// Findings of one code that are shown before the rest are only counted.
const SHOWN_EACH: usize = 5;

/// How much to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Detail {
    /// The verdict, errors and warnings.
    Quiet,
    /// Also what notes there are, and what to do.
    Normal,
    /// Every finding.
    Verbose,
}

/// The text for one file.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn text(
    out: &mut dyn Write,
    file: &File<'_>,
    report: &Report,
    detail: Detail,
    palette: &Palette,
) -> io::Result<()> {
    headline(out, file, report, palette)?;
    let mut told = BTreeSet::new();
    let mut shown: BTreeMap<Code, usize> = BTreeMap::new();
    for severity in [Severity::Error, Severity::Warning, Severity::Note] {
        let listed = detail == Detail::Verbose || severity > Severity::Note;
        for finding in report.findings.iter().filter(|f| listed && f.severity() == severity) {
            let shown = shown.entry(finding.code).or_default();
            *shown += 1;
            if detail == Detail::Verbose || *shown <= SHOWN_EACH {
                one(out, finding, told.insert(finding.code), palette)?;
            }
        }
    }
    for (code, shown) in shown.iter().filter(|(_, n)| detail < Detail::Verbose && **n > SHOWN_EACH)
    {
        let style = palette.severity(code.severity());
        let more = count((shown - SHOWN_EACH) as u64);
        writeln!(
            out,
            "{style}{}{style:#} {code}: {more} more of these (--verbose lists them)",
            code.severity().as_str()
        )?;
    }
    if report.dropped > 0 {
        let more = counted(report.dropped, "finding");
        writeln!(out, "{more} more were only counted (see --max-findings)")?;
    }
    if detail == Detail::Normal {
        notes(out, report, palette)?;
    }
    if detail > Detail::Quiet {
        for line in advice(report) {
            let style = palette.strong;
            writeln!(out, "{style}advice:{style:#} {line}")?;
        }
    }
    Ok(())
}

fn headline(
    out: &mut dyn Write,
    file: &File<'_>,
    report: &Report,
    palette: &Palette,
) -> io::Result<()> {
    let (word, style) = match report.verdict() {
        Verdict::Ok => ("OK", palette.good),
        Verdict::Unverified => ("UNVERIFIED", palette.warning),
        Verdict::Warnings => ("WARNINGS", palette.warning),
        Verdict::Damaged => ("DAMAGED", palette.error),
    };
    let mut parts = Vec::new();
    parts.push(facts::kind(&report.facts));
    if report.facts.header().is_some() {
        let read = if report.outcome.damage.is_some() { " before the damage" } else { "" };
        parts.push(format!("{}{read}", facts::keys(&report.facts, file)));
        parts.push(facts::checksum(&report.outcome).to_owned());
    }
    parts.push(facts::size(&report.outcome, file));
    if let Behind::Commands(len) = report.behind() {
        parts.push(format!("then {} of AOF commands, not read", bytes(len)));
    }
    let [errors, warnings, _] = severity_counts(report);
    let counts = facts::severities([(errors, "error"), (warnings, "warning"), (0, "note")]);
    let counts = if counts.is_empty() { counts } else { format!("{counts}; ") };
    let name = path(file.path);
    writeln!(out, "{name}: {style}{word}{style:#} — {counts}{}", parts.join(", "))
}

/// Errors, warnings and notes.
pub(crate) fn severity_counts(report: &Report) -> [u64; 3] {
    [Severity::Error, Severity::Warning, Severity::Note]
        .map(|severity| report.findings.iter().filter(|f| f.severity() == severity).count() as u64)
}

fn one(out: &mut dyn Write, finding: &Finding, about: bool, palette: &Palette) -> io::Result<()> {
    let style = palette.severity(finding.severity());
    let message = facts::expected_found(&finding.expected, &finding.found);
    let at = facts::offset(finding.span.start);
    let inside = match finding.inside {
        Some(pos) => format!(", byte {} of the expanded string", count(pos)),
        None => String::new(),
    };
    let strong = palette.strong;
    let word = finding.severity().as_str();
    let code = finding.code;
    writeln!(out, "{style}{word}{style:#} {strong}{code}{strong:#} at {at}{inside}: {message}")?;
    if about {
        writeln!(out, "  {}", code.about())?;
    }
    if let Some(place) = &finding.key {
        let name = quoted(&place.key);
        let comma = if place.type_name.is_empty() { "" } else { ", " };
        writeln!(out, "  in db {}, key {name}{comma}{}", place.db, place.type_name)?;
    }
    if let Some(excerpt) = &finding.excerpt {
        for line in hex::lines(excerpt, &finding.span, palette) {
            writeln!(out, "  {line}")?;
        }
    }
    Ok(())
}

/// Notes are harmless: a line for each code.
fn notes(out: &mut dyn Write, report: &Report, palette: &Palette) -> io::Result<()> {
    let mut by_code: BTreeMap<Code, (u64, &Finding)> = BTreeMap::new();
    for finding in report.findings.iter().filter(|f| f.severity() == Severity::Note) {
        by_code.entry(finding.code).and_modify(|(n, _)| *n += 1).or_insert((1, finding));
    }
    let style = palette.note;
    for (code, (n, first)) in by_code {
        let times = if n > 1 { format!(" × {}, first", count(n)) } else { String::new() };
        let at = facts::offset(first.span.start);
        writeln!(out, "{style}note{style:#} {code}{times} at {at}: {}", code.about())?;
    }
    Ok(())
}

/// How many files got which verdict.
#[derive(Debug, Default)]
pub(crate) struct Summary(BTreeMap<Verdict, u64>);

impl Summary {
    /// Counts a file.
    pub(crate) fn add(&mut self, verdict: Verdict) {
        *self.0.entry(verdict).or_default() += 1;
    }

    /// `5 files: 3 ok, 1 unverified, 1 damaged`; `None` for one file.
    pub(crate) fn line(&self) -> Option<String> {
        let files: u64 = self.0.values().sum();
        let parts: Vec<String> =
            self.0.iter().map(|(v, n)| format!("{} {}", count(*n), v.as_str())).collect();
        (files > 1).then(|| format!("{}: {}", counted(files, "file"), parts.join(", ")))
    }
}
