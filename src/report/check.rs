//! What `check` says to people: first one line that tells what to think of the file, then the findings.
//!
//! ```text
//! dump.rdb: DAMAGED — 1 error; redis RDB 10 by redis 7.0.15, 45 keys in 2 dbs, checksum wrong, 34.6 KiB
//! error rdb-crc at 0x8a60 (35424): expected 3c9dbd1f02ce5a0a, found 3c9dbd1f02ce5aff
//!   The checksum at the end does not match the bytes before it.
//!   00008a60  ff 5a ce 02 1f bd 9d 3c                           .Z.....<
//!             ^^ ^^ ^^ ^^ ^^ ^^ ^^ ^^
//! ```

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::advice::advice;
use super::escape::{path, quoted, sentence};
use super::facts::{self, File};
use super::hex;
use super::screen::Screen;
use super::size::{bytes, count, counted};
use crate::finding::{Code, Finding, Severity};
use crate::job::behind::Behind;
use crate::job::check::{Report, Verdict};
use crate::job::target::Target;

/// Findings of one code that are shown before the rest are only counted.
const SHOWN_EACH: usize = 5;

/// Servers asked about for which every reason is told; of more, the first reason of each.
const TARGETS_IN_FULL: usize = 3;

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

/// The text for one file. Returns whether a blank line should follow: there was more to say than the
/// verdict.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn text(
    out: &mut dyn Write,
    file: &File<'_>,
    report: &Report,
    targets: &[Target],
    detail: Detail,
    screen: &Screen,
) -> io::Result<bool> {
    headline(out, file, report, screen)?;
    let listed: Vec<&Finding> = report.findings.iter().collect();
    findings(out, &listed, report.findings.dropped(), detail, screen)?;
    let brief = targets.len() > TARGETS_IN_FULL && detail < Detail::Verbose;
    for target in targets {
        one_target(out, target, brief, detail, screen)?;
    }
    let advice = if detail > Detail::Quiet { advice(report) } else { Vec::new() };
    for line in &advice {
        let style = screen.strong;
        screen.prose(out, 2, &format!("{style}advice:{style:#} {line}"))?;
    }
    let more = [report.findings.len(), targets.len(), advice.len()].iter().any(|n| *n > 0);
    Ok(more && detail > Detail::Quiet)
}

fn headline(
    out: &mut dyn Write,
    file: &File<'_>,
    report: &Report,
    screen: &Screen,
) -> io::Result<()> {
    let mut parts = vec![facts::kind(&report.facts)];
    if report.facts.header().is_some() {
        let read = if report.outcome.damage.is_some() { " before the damage" } else { "" };
        parts.push(format!("{}{read}", facts::keys(&report.facts, file)));
        parts.push(facts::checksum(&report.outcome).to_owned());
    }
    parts.push(facts::size(report.outcome.size, file));
    if let Behind::Commands(len) = report.behind() {
        parts.push(format!("then {} of AOF commands, not read", bytes(len)));
    }
    let name = path(file.path).to_string();
    first_line(out, &name, report.verdict(), report.findings.iter(), &parts, screen)
}

/// `dump.rdb: DAMAGED — 1 error; redis RDB 10 …`
///
/// # Errors
/// When it cannot be written.
pub(crate) fn first_line<'f>(
    out: &mut dyn Write,
    name: &str,
    verdict: Verdict,
    findings: impl Iterator<Item = &'f Finding>,
    parts: &[String],
    screen: &Screen,
) -> io::Result<()> {
    let (word, style) = match verdict {
        Verdict::Ok => ("OK", screen.good),
        Verdict::Unverified => ("UNVERIFIED", screen.warning),
        Verdict::Warnings => ("WARNINGS", screen.warning),
        Verdict::Damaged => ("DAMAGED", screen.error),
    };
    let (mut errors, mut warnings) = (0, 0);
    for finding in findings {
        errors += u64::from(finding.severity() == Severity::Error);
        warnings += u64::from(finding.severity() == Severity::Warning);
    }
    let counts = facts::severities([(errors, "error"), (warnings, "warning"), (0, "note")]);
    let counts = if counts.is_empty() { counts } else { format!("{counts}; ") };
    let line = format!("{name}: {style}{word}{style:#} — {counts}{}", parts.join(", "));
    screen.prose(out, 2, &line)
}

/// Errors first, each severity in the order of the file. Unless all are wanted, of each code the first is
/// told in full, a few more in short, and notes have a line a code.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn findings(
    out: &mut dyn Write,
    findings: &[&Finding],
    dropped: u64,
    detail: Detail,
    screen: &Screen,
) -> io::Result<()> {
    let all = detail == Detail::Verbose;
    let mut met: BTreeMap<Code, usize> = BTreeMap::new();
    for severity in [Severity::Error, Severity::Warning, Severity::Note] {
        let listed = all || severity > Severity::Note;
        for finding in findings.iter().filter(|f| listed && f.severity() == severity) {
            let met = met.entry(finding.code).or_default();
            *met += 1;
            if all || *met <= SHOWN_EACH {
                one(out, finding, *met == 1, screen)?;
            }
            if *met == 1 || all {
                hex(out, finding, screen)?;
            }
        }
    }
    for (code, met) in met.iter().filter(|(_, met)| !all && **met > SHOWN_EACH) {
        let style = screen.severity(code.severity());
        let word = code.severity().as_str();
        let more = count((met - SHOWN_EACH) as u64);
        writeln!(out, "{style}{word}{style:#} {code}: {more} more (--verbose lists them)")?;
    }
    if dropped > 0 {
        let more = counted(dropped, "finding");
        writeln!(out, "{more} more were only counted (see --max-findings)")?;
    }
    if detail == Detail::Normal { notes(out, findings, screen) } else { Ok(()) }
}

fn one(out: &mut dyn Write, finding: &Finding, about: bool, screen: &Screen) -> io::Result<()> {
    let style = screen.severity(finding.severity());
    let message = facts::expected_found(&finding.expected, &finding.found);
    let at = facts::offset(finding.span.start);
    let inside = match finding.inside {
        Some(pos) => format!(", byte {} of the expanded string", count(pos)),
        None => String::new(),
    };
    let strong = screen.strong;
    let word = finding.severity().as_str();
    let code = finding.code;
    let line =
        format!("{style}{word}{style:#} {strong}{code}{strong:#} at {at}{inside}: {message}");
    screen.prose(out, 2, &line)?;
    if about {
        screen.prose(out, 2, &format!("  {}", code.about()))?;
    }
    if let Some(place) = &finding.key {
        let name = quoted(&place.key);
        let comma = if place.type_name.is_empty() { "" } else { ", " };
        writeln!(out, "  in db {}, key {name}{comma}{}", place.db, place.type_name)?;
    }
    Ok(())
}

fn hex(out: &mut dyn Write, finding: &Finding, screen: &Screen) -> io::Result<()> {
    let Some(excerpt) = &finding.excerpt else { return Ok(()) };
    for line in hex::lines(excerpt, &finding.span, screen) {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}

/// Notes are harmless: a line for each code.
fn notes(out: &mut dyn Write, findings: &[&Finding], screen: &Screen) -> io::Result<()> {
    let mut by_code: BTreeMap<Code, (u64, &Finding)> = BTreeMap::new();
    for &finding in findings.iter().filter(|f| f.severity() == Severity::Note) {
        by_code.entry(finding.code).and_modify(|(n, _)| *n += 1).or_insert((1, finding));
    }
    let (style, strong) = (screen.note, screen.strong);
    for (code, (n, first)) in by_code {
        let times = if n > 1 { format!(" × {}, first", count(n)) } else { String::new() };
        let at = facts::offset(first.span.start);
        let about = code.about();
        let head = format!("{style}note{style:#} {strong}{code}{strong:#}");
        screen.prose(out, 2, &format!("{head}{times} at {at}: {about}"))?;
    }
    Ok(())
}

/// Whether a server would load the file, and why not.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn one_target(
    out: &mut dyn Write,
    target: &Target,
    brief: bool,
    detail: Detail,
    screen: &Screen,
) -> io::Result<()> {
    let (word, style) = match (target.loads(), target.doubts.is_empty()) {
        (true, true) => ("loads it", screen.good),
        (true, false) => ("loads it, with its damage", screen.warning),
        (false, _) => ("refuses it", screen.error),
    };
    let name = target.release.name;
    let head = format!("{name:<11} {style}{word}{style:#}");
    match target.reasons.as_slice() {
        [] => writeln!(out, "{head}")?,
        [reason] => screen.prose(out, 2, &format!("{head}: {}", sentence(reason)))?,
        [reason, more @ ..] if brief => {
            let more = counted(more.len() as u64, "more reason");
            screen.prose(out, 2, &format!("{head}: {} ({more})", sentence(reason)))?;
        }
        reasons => {
            writeln!(out, "{head}:")?;
            for reason in reasons {
                screen.prose(out, 4, &format!("  {}", sentence(reason)))?;
            }
        }
    }
    if detail == Detail::Verbose {
        for doubt in &target.doubts {
            screen.prose(out, 4, &format!("  in doubt: {}", sentence(doubt)))?;
        }
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
