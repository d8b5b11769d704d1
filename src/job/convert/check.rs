//! What was written, read back before it gets its name: sound, with as many keys as it should have, and
//! something that the target would load.

use std::io::Read;
use std::path::Path;

use super::{Form, Options, Report};
use crate::aof::settings::Settings;
use crate::encoding::crc64;
use crate::error::{Error, Result};
use crate::fill::fill;
use crate::finding::{Code, Severity};
use crate::input::detect::FileKind;
use crate::input::source::{Input, Source};
use crate::job::check::{self, check_rdb};
use crate::job::check_aof::{self, check_aof};
use crate::job::target::{judge, keeps_out};
use crate::job::target_aof::judge_aof;
use crate::limits::{CHUNK, DATABASES_MAX};

/// Whether what was written is sound, holds as many keys, and would be loaded by the target. Says how many
/// commands there are in it.
///
/// # Errors
/// Why not.
pub fn check(
    reader: Box<dyn Read + Send>,
    out: &Path,
    report: &Report,
    options: &Options,
) -> Result<u64> {
    if options.form.is_text() {
        return is_as_made(reader, out, report).map(|()| 0);
    }
    let kind = if options.form.is_commands() { FileKind::Aof } else { FileKind::Rdb };
    let source = Source { reader, kind, compression: None, size: Some(report.size) };
    let rdb = check::Options {
        limits: options.limits,
        jobs: options.jobs,
        databases: DATABASES_MAX + 1,
        now_ms: options.now_ms,
        ..check::Options::default()
    };
    // It has no name yet under which it could be read once more.
    let input = &Input::Stdin;
    let refuse = |why: String| Err(Error::refused(out, why));
    let mut commands = 0;
    // Whether counters that do not add up are in the way is looked at by target.
    let ends = |code: Code| code.severity() == Severity::Error && !code.is_of_counters();
    let judged = if options.form == Form::Rdb {
        let checked = check_rdb(source, input, &rdb).map_err(|err| err.of_reading_back(out))?;
        holds(&checked, out, report, options)?;
        judge(&checked, options.target.release)
    } else {
        let checked =
            check_aof(source, input, &check_aof::Options { rdb, ends, ..Default::default() })
                .map_err(|err| err.of_reading_back(out))?;
        commands = checked.commands;
        if let Some(preamble) = &checked.preamble {
            holds(preamble, out, report, options)?;
        }
        let damage = checked.findings.iter().find(|finding| finding.severity() == Severity::Error);
        if let Some(finding) = damage {
            return refuse(format!("the new file is damaged ({})", finding.code));
        }
        if checked.valid_up_to != report.size {
            let (sound, size) = (checked.valid_up_to, report.size);
            return refuse(format!("read back, it is sound up to {sound} of {size}"));
        }
        judge_aof(&checked, options.target.release, &Settings::default(), true)
    };
    match judged.certain_reasons().next() {
        Some(reason) => refuse(format!("{} would not load it: {reason}", judged.release.name)),
        None => Ok(commands),
    }
}

/// Whether the bytes of a text are those that were made.
fn is_as_made(mut reader: Box<dyn Read + Send>, out: &Path, report: &Report) -> Result<()> {
    let (mut crc, mut size, mut buffer) = (0, 0u64, vec![0; CHUNK]);
    loop {
        let mut filled = 0;
        let ended = fill(&mut reader, &mut buffer, &mut filled)
            .map_err(|err| Error::io(out, "read back", err))?;
        crc = crc64::extend(crc, buffer.get(..filled).unwrap_or_default());
        size += filled as u64;
        if ended {
            break;
        }
    }
    match (size, crc) == (report.size, report.crc) {
        true => Ok(()),
        false => Err(Error::refused(out, "read back, it has other bytes than were written")),
    }
}

/// Whether an RDB is sound and has the keys that it should have.
fn holds(checked: &check::Report, out: &Path, report: &Report, options: &Options) -> Result<()> {
    let refuse = |why: String| Err(Error::refused(out, why));
    if let Some(finding) = checked.findings.iter().find(|f| keeps_out(options.server(), f)) {
        if finding.code == Code::DupKey && !options.map_db.is_empty() {
            return refuse("databases that are put together have a key in common".to_owned());
        }
        let key = finding.key.as_ref().map(|place| place.key.escape_ascii().to_string());
        let of = key.map_or(String::new(), |key| format!(" in \"{key}\""));
        if finding.code.is_of_counters() {
            let (server, code) = (options.target.release.name, finding.code);
            return refuse(format!(
                "{server} would not load it ({code}{of}): other servers count like that and load it, name \
                 the one it is for with --target"
            ));
        }
        return refuse(format!(
            "the new file would be damaged, as the source is ({}{of}): repair that first",
            finding.code
        ));
    }
    let (keys, counts) = (checked.facts.keys(), report.counts);
    if (keys.keys, keys.expires) != (counts.keys, counts.expires) {
        return refuse(format!(
            "read back, it has {} keys, {} with an expire, and should have {} and {}",
            keys.keys, keys.expires, counts.keys, counts.expires
        ));
    }
    Ok(())
}
