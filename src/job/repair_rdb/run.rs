//! Carrying out a plan: what is lost into a folder of its own first, then a new file, which is read back and
//! checked before it counts.

use std::io::{Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::plan::{Action, Damaged, Options, Plan, Rebuild};
use crate::error::{Error, Result};
use crate::finding::Severity;
use crate::job::check::Report;
use crate::job::heal::check_once;
use crate::job::pieces::{self, LostBytes, save_lost};
use crate::persist::fs::{File, Fs};
use crate::persist::replace::{Replaced, Replacement};
use crate::persist::target;
use crate::rdb::skim::Checksum;
use crate::rdb::writer::END;

/// Where to, and what of the old file is kept.
#[derive(Debug, Clone, Default)]
pub struct Writing {
    /// A new file; without one, in place.
    pub out: Option<PathBuf>,
    /// A new folder for the bytes that are lost.
    pub lost: Option<PathBuf>,
    /// How to write: mode, backup, force, follow.
    pub how: target::Options,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// The file that was written.
    pub written: Option<Replaced>,
    /// The folder with the bytes that are lost, and how many files are in it.
    pub lost: Option<(PathBuf, usize)>,
}

/// Carries out a plan.
///
/// # Errors
/// When it is refused, or something fails. The file is as it was then.
pub fn run(
    fs: &dyn Fs,
    damaged: &Damaged,
    plan: &Plan,
    options: &Options,
    writing: &Writing,
) -> Result<Done> {
    if !plan.is_agreed() {
        return Err(Error::refused(&plan.path, "the repair was not agreed to"));
    }
    if plan.has_nothing_to_do() && writing.out.is_none() {
        return Ok(Done::default());
    }
    let lost = match &writing.lost {
        Some(folder) => save_lost(fs, folder, &lost(damaged.file(), plan))?,
        None => None,
    };
    let mut how = writing.how.clone();
    how.inputs.push(plan.seen);
    if writing.out.is_none() {
        how.expected = Some(plan.seen);
    }
    how.size = plan.seen.size;
    let path = writing.out.as_deref().unwrap_or(&plan.path);
    let new = Replacement::begin(fs, path, how)?;
    let written = write(new, damaged.file(), plan)?;
    let written = written.commit(|reader| verify(reader, path, plan, options))?;
    Ok(Done { written: Some(written), lost })
}

/// Writes the new file.
fn write<'a>(
    mut to: Replacement<'a>,
    from: &Arc<dyn File>,
    plan: &Plan,
) -> Result<Replacement<'a>> {
    let (path, size) = (&plan.path, plan.seen.size);
    let written = match &plan.action {
        Action::Nothing => to.copy(from, path, 0, size),
        Action::CutBehind(end) => to.copy(from, path, 0, *end),
        Action::Heal(healing) => to.copy(from, path, 0, size).and_then(|()| {
            let patch = &healing.patch;
            let patched = to.patch(patch.offset, &patch.old, &patch.new);
            patched.map_err(|err| Error::io(path, "write the new", err))
        }),
        Action::Rebuild(rebuild) => rebuilt(&mut to, from, path, rebuild),
    };
    match written {
        Ok(()) => Ok(to),
        Err(error) => Err(to.abandon(error)),
    }
}

/// Writes what can be read of an RDB as a new one, at the start of a file.
///
/// # Errors
/// When the old file cannot be read or the new one not written.
pub fn rebuilt(
    to: &mut Replacement<'_>,
    from: &Arc<dyn File>,
    path: &Path,
    rebuild: &Rebuild,
) -> Result<()> {
    let failed = |err| Error::io(path, "write the new", err);
    to.write_all(&rebuild.header.bytes).map_err(failed)?;
    pieces::write(&rebuild.census.pieces, to, from, path)?;
    to.write_all(&END).map_err(failed)?;
    if rebuild.header.has_checksum() {
        let sum = to.checksum();
        to.write_all(&sum.to_le_bytes()).map_err(failed)?;
    }
    Ok(())
}

/// Whether what was written is what was planned, and sound.
fn verify(reader: Box<dyn Read + Send>, path: &Path, plan: &Plan, options: &Options) -> Result<()> {
    let report = check_once(reader, path, &options.check)?;
    let keys = match &plan.action {
        Action::Rebuild(rebuild) => rebuild.census.kept,
        _ => report.facts.keys().keys,
    };
    let found = report.facts.keys().keys;
    let wrong = wrong(&report);
    match wrong {
        Some(why) => Err(Error::refused(path, format!("the new file would not be sound: {why}"))),
        None if found != keys => {
            let why = format!("the new file would have {found} keys instead of {keys}");
            Err(Error::refused(path, why))
        }
        None => Ok(()),
    }
}

fn wrong(report: &Report) -> Option<String> {
    let error = report.findings.iter().find(|f| f.severity() == Severity::Error);
    if let Some(error) = error {
        return Some(format!("{} at {:#x}", error.code, error.span.start));
    }
    match report.outcome.checksum {
        Checksum::Ok | Checksum::Absent | Checksum::Disabled => None,
        Checksum::Bad { .. } | Checksum::Unknown => Some("its checksum".to_owned()),
    }
}

/// What is lost, each piece as a file.
fn lost(from: &Arc<dyn File>, plan: &Plan) -> Vec<LostBytes> {
    let spans = match &plan.action {
        Action::Nothing | Action::Heal(_) => Vec::new(),
        Action::CutBehind(end) => vec![(*end..plan.seen.size, "behind")],
        Action::Rebuild(rebuild) => lost_spans(rebuild),
    };
    LostBytes::all(from, &plan.path, "", spans)
}

/// What is lost of an RDB, and what each piece is.
pub fn lost_spans(rebuild: &Rebuild) -> Vec<(Range<u64>, &'static str)> {
    let census = &rebuild.census;
    let gaps = census.gaps.iter().map(|gap| (gap.span.clone(), "gap"));
    let records = census.lost.iter().map(|lost| (lost.span.clone(), "record"));
    let nameless = census.nameless.iter().map(|keys| (keys.span.clone(), "database"));
    gaps.chain(records).chain(nameless).collect()
}
