//! Reports in the words of redis-check-aof 7 (FORMATS C.1), line by line as scripts expect them.

use std::io::{self, Write};
use std::path::Path;

use super::escape::path;
use super::facts::expected_found;
use super::redis_check_rdb;
use super::repair::refusal;
use crate::finding::{Finding, Severity};
use crate::job::check_aof::Report;
use crate::job::check_set;
use crate::job::repair_aof::plan::{CutAt, Fate, Plan};
use crate::job::repair_aof::run::Done;

/// What is said of a file by itself. Returns whether it is good; `hint`: say that --fix cuts it if not.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn file(
    out: &mut dyn Write,
    name: &Path,
    report: &Report,
    hint: bool,
) -> io::Result<bool> {
    writeln!(out, "Start checking Old-Style AOF")?;
    one(out, name, "AOF", report, hint)
}

/// The same for an AOF of several files.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn set(out: &mut dyn Write, report: &check_set::Report, hint: bool) -> io::Result<bool> {
    writeln!(out, "Start checking Multi Part AOF")?;
    let mut good = true;
    for finding in report.own_findings() {
        let is_error = finding.severity() == Severity::Error;
        let style = if is_error { "" } else { "[warning] " };
        let message = expected_found(&finding.expected, &finding.found);
        writeln!(out, "{style}{}: {message}", finding.code)?;
        good &= !is_error;
    }
    let mut incr = false;
    for part in &report.parts {
        let name = Path::new(&part.name);
        match part.kind.as_str() {
            "base" => {
                let form = if part.report.preamble.is_some() { "RDB" } else { "RESP" };
                writeln!(out, "Start to check BASE AOF ({form} format).")?;
                good &= one(out, name, "BASE AOF", &part.report, hint)?;
            }
            _ => {
                if !std::mem::replace(&mut incr, true) {
                    writeln!(out, "Start to check INCR files.")?;
                }
                good &= one(out, name, "INCR AOF", &part.report, hint)?;
            }
        }
    }
    if good {
        writeln!(out, "All AOF files and manifest are valid")?;
    }
    Ok(good)
}

fn one(
    out: &mut dyn Write,
    name: &Path,
    kind: &str,
    report: &Report,
    hint: bool,
) -> io::Result<bool> {
    let shown = path(name);
    if report.size == 0 {
        writeln!(out, "{kind} {shown} is empty")?;
        return Ok(true);
    }
    if let Some(preamble) = &report.preamble {
        redis_check_rdb::start(out, name)?;
        if !redis_check_rdb::text(out, preamble)? {
            writeln!(out, "RDB preamble of AOF file is not sane, aborting.")?;
            return Ok(false);
        }
        writeln!(out, "RDB preamble is OK, proceeding with AOF tail...")?;
    }
    let is_error = |finding: &&Finding| finding.severity() == Severity::Error;
    let mut errors = report.findings.iter().filter(is_error);
    let first = errors.next();
    let warnings = report.findings.iter().filter(|f| f.severity() == Severity::Warning);
    for (word, finding) in
        warnings.map(|finding| ("[warning] ", finding)).chain(first.map(|finding| ("", finding)))
    {
        let message = expected_found(&finding.expected, &finding.found);
        writeln!(out, "{word}0x{:>16x}: {}: {message}", finding.span.start, finding.code)?;
    }
    let more = errors.count() as u64 + report.findings.dropped();
    if more > 0 {
        writeln!(out, "{more} more errors: rdbtool check lists them")?;
    }
    writeln!(
        out,
        "AOF analyzed: filename={shown}, size={}, ok_up_to={}, ok_up_to_line={}, diff={}",
        report.size,
        report.valid_up_to,
        report.valid_lines + 1,
        report.size - report.valid_up_to
    )?;
    match first {
        None => writeln!(out, "{kind} {shown} is valid")?,
        Some(_) if !hint => writeln!(out, "{kind} {shown} is not valid.")?,
        Some(_) => writeln!(out, "{kind} {shown} is not valid. Use the --fix option to cut it.")?,
    }
    Ok(first.is_none())
}

/// What a cut would take away.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn shrinks(out: &mut dyn Write, plan: &Plan) -> io::Result<()> {
    for planned in &plan.parts {
        let (name, size) = (path(&planned.part.path), planned.part.size());
        match &planned.fate {
            Fate::Stays => {}
            Fate::IsHealed => writeln!(out, "This will heal the RDB in {name} by its checksum")?,
            // Nobody asks for that by this name.
            Fate::IsSalvaged => {}
            Fate::IsCut(CutAt { offset, .. }) => {
                let less = size - offset;
                writeln!(
                    out,
                    "This will shrink the AOF {name} from {size} bytes, with {less} bytes, to \
                     {offset} bytes"
                )?;
            }
            Fate::IsDropped(..) => {
                writeln!(out, "This will leave out the AOF {name}, {size} bytes")?
            }
        }
    }
    Ok(())
}

/// What was cut.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn truncated(
    out: &mut dyn Write,
    done: &Done,
    timestamp: Option<i64>,
) -> io::Result<()> {
    let to = timestamp.map(|seconds| format!(" to timestamp {seconds}")).unwrap_or_default();
    for cut in &done.cuts {
        let (name, tail) = (path(&cut.path), path(&cut.tail));
        writeln!(out, "Successfully truncated AOF {name}{to}")?;
        writeln!(out, "What was cut off is in {tail}, {} bytes", cut.tail_len)?;
    }
    for written in &done.written {
        writeln!(out, "Wrote {}, {} bytes", path(&written.path), written.size)?;
    }
    Ok(())
}

/// There is nothing from after a time.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn nothing_later(out: &mut dyn Write, file: &Path, seconds: i64) -> io::Result<()> {
    writeln!(out, "Truncate nothing in AOF {} to timestamp {seconds}", path(file))
}

/// Why nothing is cut.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn refused(out: &mut dyn Write, plan: &Plan) -> io::Result<()> {
    for reason in &plan.refusals {
        let (why, option) = refusal(reason);
        writeln!(out, "Failed to truncate: {why}")?;
        if let Some(option) = option {
            writeln!(out, "rdbtool repair --in-place has an option for that: {option}")?;
        }
    }
    for (part, left) in plan.left() {
        let name = path(&part.path);
        writeln!(out, "No cut helps {name}: {} at {}", left.code, left.span.start)?;
    }
    Ok(())
}
