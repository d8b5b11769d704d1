//! Carrying out a plan: what is lost into a folder of its own first, then a new file, which is read back and
//! checked before it counts.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::census::Piece;
use super::plan::{Action, Damaged, Options, Plan, Rebuild};
use crate::error::{Error, Result};
use crate::finding::Severity;
use crate::job::check::Report;
use crate::job::heal::check_once;
use crate::persist::folder::NewFolder;
use crate::persist::fs::{File, Fs};
use crate::persist::replace::{Replaced, Replacement};
use crate::persist::target;
use crate::rdb::skim::Checksum;
use crate::rdb::writer::END;

/// Pieces that are put into files of their own.
const LOST_FILES_MAX: usize = 10_000;

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
    let lost = match (&writing.lost, &plan.action) {
        (Some(folder), Action::Rebuild(rebuild)) => {
            save_lost(fs, folder, damaged.file(), plan, rebuild)?
        }
        (Some(folder), Action::CutBehind(end)) => {
            let name = format!("{end}-{}.behind", plan.seen.size - end);
            Some(save(fs, folder, damaged.file(), &plan.path, vec![(name, *end, plan.seen.size)])?)
        }
        _ => None,
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

fn rebuilt(
    to: &mut Replacement<'_>,
    from: &Arc<dyn File>,
    path: &Path,
    rebuild: &Rebuild,
) -> Result<()> {
    let failed = |err| Error::io(path, "write the new", err);
    to.write_all(&rebuild.header.bytes).map_err(failed)?;
    for piece in &rebuild.census.pieces {
        match piece {
            Piece::Copy(span) => to.copy(from, path, span.start, span.end)?,
            Piece::New(bytes) => to.write_all(bytes).map_err(failed)?,
        }
    }
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

fn save_lost(
    fs: &dyn Fs,
    folder: &Path,
    from: &Arc<dyn File>,
    plan: &Plan,
    rebuild: &Rebuild,
) -> Result<Option<(PathBuf, usize)>> {
    let census = &rebuild.census;
    let gaps = census.gaps.iter().map(|gap| (&gap.span, "gap"));
    let records = census.lost.iter().map(|lost| (&lost.span, "record"));
    let files: Vec<_> = gaps
        .chain(records)
        .filter(|(span, _)| !span.is_empty())
        .map(|(span, kind)| {
            let name = format!("{}-{}.{kind}", span.start, span.end - span.start);
            (name, span.start, span.end)
        })
        .collect();
    if files.is_empty() {
        return Ok(None);
    }
    save(fs, folder, from, &plan.path, files).map(Some)
}

/// Copies some bytes into files of a new folder.
fn save(
    fs: &dyn Fs,
    folder: &Path,
    from: &Arc<dyn File>,
    path: &Path,
    files: Vec<(String, u64, u64)>,
) -> Result<(PathBuf, usize)> {
    if files.len() > LOST_FILES_MAX {
        let why = format!("{} pieces are too many for a folder; leave out --lost", files.len());
        return Err(Error::refused(folder, why));
    }
    let size = files.iter().map(|(_, start, end)| end - start).sum();
    let new = NewFolder::begin(fs, folder, size)?;
    let count = files.len();
    for (name, start, end) in files {
        let mut file = match new.file(name.as_ref(), None) {
            Ok(file) => file,
            Err(error) => return Err(new.abandon(error)),
        };
        let copied = match file.copy(from, path, start, end) {
            Ok(()) => file.commit(|_| Ok(())).map(|_| ()),
            Err(error) => Err(file.abandon(error)),
        };
        if let Err(error) = copied {
            return Err(new.abandon(error));
        }
    }
    new.commit().map(|folder| (folder, count))
}
