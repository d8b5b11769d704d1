//! A report in the words of redis-check-rdb 8 (FORMATS C.2), line by line as scripts expect them.

use std::io::{self, Write};
use std::path::Path;

use super::escape::{SHOWN, name, path};
use super::facts::expected_found;
use crate::finding::{Code, Finding, Severity};
use crate::job::check::Report;
use crate::job::rdb_facts::Fact;
use crate::rdb::skim::Checksum;
use crate::rdb::types::TYPES;

/// Rows of the type table whose hashes have fields that expire.
const SUBEXPIRES: [&str; 5] = [
    "hash-metadata-pre-release",
    "hash-listpack-ex-pre-release",
    "hash-hashtable-md",
    "hash-listpack-md",
    "hash-volatile-items",
];

/// The first line, written before the file is opened.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn start(out: &mut dyn Write, file: &Path) -> io::Result<()> {
    writeln!(out, "[offset 0] Checking RDB file {}", path(file))
}

/// The rest. Returns whether the file is good.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn text(out: &mut dyn Write, report: &Report) -> io::Result<bool> {
    for fact in &report.facts.once {
        fact_line(out, fact)?;
    }
    for finding in report.findings.iter().filter(|f| is_warning(f)) {
        if !finding.code.is_of_no_checksum() {
            let message = expected_found(&finding.expected, &finding.found);
            writeln!(out, "[warning] [offset {}] {}: {message}", finding.span.start, finding.code)?;
        }
    }
    let mut errors = report.findings.iter().filter(|f| is_error(f));
    let first = errors.next();
    match first {
        None => good(out, report)?,
        Some(finding) => bad(out, finding, errors.count())?,
    }
    let keys = report.facts.keys();
    let types = report.facts.types().filter(|(row, _)| SUBEXPIRES.contains(&row.name));
    let subexpires: u64 = types.map(|(_, met)| met.count).sum();
    writeln!(out, "[info] {} keys read", keys.keys)?;
    writeln!(out, "[info] {} expires", keys.expires)?;
    writeln!(out, "[info] {} already expired", keys.expired)?;
    writeln!(out, "[info] {subexpires} subexpires")?;
    Ok(first.is_none())
}

/// What makes the file bad: our errors, and what servers of the original's version refuse.
fn is_error(finding: &Finding) -> bool {
    finding.severity() == Severity::Error || finding.code == Code::FunctionPreGa
}

fn is_warning(finding: &Finding) -> bool {
    finding.severity() == Severity::Warning && !is_error(finding)
}

fn fact_line(out: &mut dyn Write, fact: &Fact) -> io::Result<()> {
    match fact {
        Fact::Aux(key, value, end) => {
            let (key, value) = (name(key).short(SHOWN), name(value).short(SHOWN));
            writeln!(out, "[offset {end}] AUX FIELD {key} = '{value}'")
        }
        Fact::SelectDb(db, end) => writeln!(out, "[offset {end}] Selecting DB ID {db}"),
        Fact::ModuleAux(id, _, end) => {
            writeln!(out, "[offset {end}] MODULE AUX for: {}", id.name())
        }
        _ => Ok(()),
    }
}

fn good(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let end = report.outcome.end;
    match report.outcome.checksum {
        Checksum::Ok => writeln!(out, "[offset {end}] Checksum OK")?,
        Checksum::Disabled => {
            let told = "RDB file was saved with checksum disabled: no check performed.";
            writeln!(out, "[offset {end}] {told}")?;
        }
        Checksum::Absent | Checksum::Bad { .. } | Checksum::Unknown => {}
    }
    writeln!(out, "[offset {end}] \\o/ RDB looks OK! \\o/")
}

fn bad(out: &mut dyn Write, finding: &Finding, more: usize) -> io::Result<()> {
    let message = expected_found(&finding.expected, &finding.found);
    writeln!(out, "--- RDB ERROR DETECTED ---")?;
    writeln!(out, "[offset {}] {}: {message}", finding.span.start, finding.code)?;
    writeln!(out, "[additional info] {}", finding.code.about())?;
    writeln!(out, "[additional info] While doing: {}", doing(finding))?;
    if let Some(place) = &finding.key {
        writeln!(out, "[additional info] Reading key '{}'", name(&place.key).short(SHOWN))?;
        if let Some(row) = TYPES.iter().find(|row| row.name == place.type_name) {
            writeln!(out, "[additional info] Reading type {} ({})", row.code, row.name)?;
        }
    }
    if more > 0 {
        writeln!(out, "[additional info] {more} more errors: rdbtool check lists them")?;
    }
    Ok(())
}

/// The original's word for what was going on.
fn doing(finding: &Finding) -> &'static str {
    use Code::{
        AuxValue, DupFunction, FunctionCode, FunctionPreGa, LengthEncoding, RdbCrc, RdbEmptyFile,
        RdbMagic, RdbVersion, SlotJob, SlotRange, StringLzf,
    };
    match finding.code {
        RdbMagic | RdbVersion | RdbEmptyFile => "start",
        RdbCrc => "check-sum",
        AuxValue => "read-aux",
        FunctionCode | FunctionPreGa | DupFunction => "read-functions",
        SlotRange | SlotJob => "read-len",
        _ if finding.key.is_some() => "read-object-value",
        LengthEncoding => "read-len",
        StringLzf => "read-key",
        _ => "read-type",
    }
}
