//! What `check` says to people of AOFs: of a file first what to think of it, then the findings; of several
//! files that make one AOF the same for the whole, and then for each.
//!
//! ```text
//! appendonly.aof: DAMAGED — 1 error; AOF, 88 commands in 1 db, 3.56 KiB, valid up to 0xe22 (3618)
//! error aof-truncated at 0xe2f (3631): expected argument 2 of 3, 4 bytes and CRLF, found …
//! ```

use std::io::{self, Write};

use super::aof_advice::{aof_advice, set_advice};
use super::check::{Detail, findings, first_line, one_target};
use super::escape::path;
use super::facts::{self, File};
use super::screen::Screen;
use super::size::{bytes, count, counted};
use super::time::moment_s;
use crate::finding::{Finding, Severity};
use crate::job::check_aof::Report;
use crate::job::check_set;
use crate::job::target::Target;

/// The text for one file. Returns whether a blank line should follow.
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
    one(out, &path(file.path).to_string(), "AOF", report, detail, screen)?;
    let more = end(out, targets, &aof_advice(report), detail, screen)?;
    Ok((more || !listed(report).is_empty()) && detail > Detail::Quiet)
}

/// The text for an AOF of several files. Returns whether a blank line should follow.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn set_text(
    out: &mut dyn Write,
    file: &File<'_>,
    report: &check_set::Report,
    targets: &[Target],
    detail: Detail,
    screen: &Screen,
) -> io::Result<bool> {
    let parts = &report.parts;
    let commands: u64 = parts.iter().map(|part| part.report.commands).sum();
    let size: u64 = parts.iter().map(|part| part.report.size).sum();
    let files = counted(parts.len() as u64, "file");
    let told = [format!("AOF of {files}"), counted(commands, "command"), bytes(size)];
    let own: Vec<&Finding> = report.own_findings().collect();
    let inside = parts.iter().flat_map(|part| listed(&part.report));
    let all: Vec<&Finding> = own.iter().copied().chain(inside).collect();
    let name = path(file.path).to_string();
    first_line(out, &name, report.verdict(), all.iter().copied(), &told, screen)?;
    about_files(out, own.iter().copied(), detail, screen)?;
    for part in parts {
        let name = format!("  {}", path(part.name.as_ref()));
        let kind = format!("{} {}", part.kind.as_str(), part.seq);
        one(out, &name, &kind, &part.report, detail, screen)?;
    }
    let advice = set_advice(report);
    end(out, targets, &advice, detail, screen)?;
    Ok(detail > Detail::Quiet)
}

/// Findings about a folder or manifest: they have no place in a file worth telling, their words name it.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn about_files<'f>(
    out: &mut dyn Write,
    findings: impl Iterator<Item = &'f Finding>,
    detail: Detail,
    screen: &Screen,
) -> io::Result<()> {
    for finding in findings {
        let (severity, code) = (finding.severity(), finding.code);
        if severity == Severity::Note && detail == Detail::Quiet {
            continue;
        }
        let style = screen.severity(severity);
        let strong = screen.strong;
        let message = facts::expected_found(&finding.expected, &finding.found);
        let word = severity.as_str();
        let line = format!("{style}{word}{style:#} {strong}{code}{strong:#}: {message}");
        screen.prose(out, 2, &line)?;
        screen.prose(out, 2, &format!("  {}", code.about()))?;
    }
    Ok(())
}

/// A file's first line and its findings.
fn one(
    out: &mut dyn Write,
    name: &str,
    kind: &str,
    report: &Report,
    detail: Detail,
    screen: &Screen,
) -> io::Result<()> {
    let listed = listed(report);
    let parts = facts(report, kind);
    first_line(out, name, report.verdict(), listed.iter().copied(), &parts, screen)?;
    let dropped = report.findings.dropped()
        + report.preamble.as_ref().map_or(0, |rdb| rdb.findings.dropped());
    findings(out, &listed, dropped, detail, screen)?;
    if let Some(unread) = report.unread().filter(|_| !report.ends_in_damage()) {
        let (len, from) = (bytes(unread.end - unread.start), facts::offset(unread.start));
        let line = format!("{len} from {from} on were not looked at: nothing there can be placed");
        screen.prose(out, 2, &line)?;
    }
    Ok(())
}

/// The findings of a preamble and of what is behind it.
fn listed(report: &Report) -> Vec<&Finding> {
    let preamble = report.preamble.iter().flat_map(|preamble| &preamble.findings);
    preamble.chain(&report.findings).collect()
}

fn facts(report: &Report, kind: &str) -> Vec<String> {
    let mut parts = vec![kind.to_owned()];
    if let Some(rdb) = &report.preamble {
        let keys = counted(rdb.facts.keys().keys, "key");
        parts.push(format!("{} with {keys}", facts::kind(&rdb.facts)));
    }
    if report.preamble.is_none() || report.commands > 0 {
        let dbs = report.databases.len() as u64;
        let place = if dbs > 0 { format!(" in {}", counted(dbs, "db")) } else { String::new() };
        parts.push(format!("{}{place}", counted(report.commands, "command")));
    }
    if report.transactions > 0 {
        parts.push(counted(report.transactions, "transaction"));
    }
    if let Some((first, last)) = report.timestamps {
        let span = if first == last { String::new() } else { format!(" to {}", moment_s(last)) };
        parts.push(format!("{}{span}", moment_s(first)));
    }
    parts.push(bytes(report.size));
    if report.valid_up_to < report.size {
        let lost = count(report.size - report.valid_up_to);
        let at = facts::offset(report.valid_up_to);
        parts.push(format!("valid up to {at}, {lost} bytes behind that"));
    }
    parts
}

/// What servers would do, and what to do.
fn end(
    out: &mut dyn Write,
    targets: &[Target],
    advice: &[String],
    detail: Detail,
    screen: &Screen,
) -> io::Result<bool> {
    for target in targets {
        one_target(out, target, targets.len() > 1, detail, screen)?;
    }
    let advice = if detail > Detail::Quiet { advice } else { &[] };
    for line in advice {
        let style = screen.strong;
        screen.prose(out, 2, &format!("{style}advice:{style:#} {line}"))?;
    }
    Ok(!targets.is_empty() || !advice.is_empty())
}
