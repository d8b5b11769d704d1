//! Carrying out a plan: in place, or into a new file or folder. Everything that changes goes through
//! [`crate::persist`]; what is written anew is checked again before it counts.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::plan::{Fate, Plan, Planned, Role};
use super::{Options, Set, ends_reading};
use crate::aof::manifest::{Entry, Kind, Manifest};
use crate::error::{Error, Result};
use crate::input::detect::FileKind;
use crate::input::source::{Input, Source};
use crate::job::check_aof::{self, check_aof};
use crate::job::pieces::{self, LostBytes, save_lost};
use crate::job::repair_rdb::run::rebuilt;
use crate::persist::aofdir::{Edit, part_name};
use crate::persist::cut::{Cut, cut_tail};
use crate::persist::folder::NewFolder;
use crate::persist::fs::{self, Access, Fs, Stat, stat_if_there};
use crate::persist::replace::{Replaced, Replacement};
use crate::persist::target;

/// Repairs of one part.
const PART_NAMES_MAX: u32 = 1000;

/// Where to, and what of the old files is kept.
#[derive(Debug, Clone, Default)]
pub struct Writing {
    /// A new file or folder; without one, in place.
    pub out: Option<PathBuf>,
    /// A new folder for the bytes that a salvage leaves out.
    pub lost: Option<PathBuf>,
    /// The time, in ms since 1970, for the names of backups.
    pub now_ms: i64,
    /// How to write: mode, backup, force, follow.
    pub how: target::Options,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// Tails that were cut off in place.
    pub cuts: Vec<Cut>,
    /// Files that were written: a new part, a manifest, the output.
    pub written: Vec<Replaced>,
    /// Files that are no part of the AOF any more and still there.
    pub kept: Vec<PathBuf>,
    /// The folder with the bytes that are left out, and how many files are in it.
    pub lost: Option<(PathBuf, usize)>,
}

/// Carries out a plan.
///
/// # Errors
/// When it is refused, or something fails. The AOF is as it was then, unless the error says otherwise.
pub fn run(
    fs: &dyn Fs,
    set: &Set,
    plan: &Plan,
    options: &Options,
    writing: &Writing,
) -> Result<Done> {
    if !plan.is_agreed() {
        let path = set.files.first().map(|(path, _)| path.clone()).unwrap_or_default();
        return Err(Error::refused(path, "the repair would lose more than was agreed to"));
    }
    let job = Job { fs, plan, options, writing };
    let lost = match &writing.lost {
        Some(folder) => save_lost(fs, folder, &job.lost()?)?,
        None => None,
    };
    let done = match (&writing.out, &set.manifest) {
        (Some(out), None) => job.new_file(out),
        (Some(out), Some((path, _, manifest))) => job.new_folder(out, path, manifest),
        (None, _) if plan.has_nothing_to_do() => Ok(Done::default()),
        (None, Some((path, seen, manifest))) => job.folder_in_place(path, seen, manifest),
        (None, None) => job.cut_parts(),
    }?;
    Ok(Done { lost, ..done })
}

struct Job<'a> {
    fs: &'a dyn Fs,
    plan: &'a Plan,
    options: &'a Options,
    writing: &'a Writing,
}

impl Job<'_> {
    /// Cuts what is to be cut, each part in place.
    fn cut_parts(&self) -> Result<Done> {
        let mut done = Done::default();
        for planned in &self.plan.parts {
            let Planned { part, fate } = planned;
            let cut = match fate {
                Fate::IsCut(cut) if part.healing.is_none() && part.mends.is_empty() => cut,
                Fate::IsHealed | Fate::IsSalvaged | Fate::IsCut(_) => {
                    done.written.push(self.heal(planned)?);
                    continue;
                }
                Fate::Stays | Fate::IsDropped(..) => continue,
            };
            let how = target::Options { expected: part.seen, ..self.writing.how.clone() };
            done.cuts.push(cut_tail(self.fs, &part.path, cut.offset, &how)?);
        }
        Ok(done)
    }

    /// Puts a healed part in the place of the damaged one, which stays as a backup.
    fn heal(&self, planned: &Planned) -> Result<Replaced> {
        let size = planned.kept();
        let backup_at_ms = self.writing.how.backup_at_ms.or(Some(self.writing.now_ms));
        let expected = planned.part.seen;
        let how = target::Options { expected, size, backup_at_ms, ..self.writing.how.clone() };
        let file = Replacement::begin(self.fs, &planned.part.path, how)?;
        let file = self.copy(file, planned, size)?;
        let size = file.len();
        file.commit(|reader| self.verify(reader, planned, size))
    }

    /// What a salvage leaves out.
    fn lost(&self) -> Result<Vec<LostBytes>> {
        let mut all = Vec::new();
        for Planned { part, fate } in &self.plan.parts {
            let spans = match (fate, &part.salvage) {
                (Fate::IsSalvaged, Some(salvage)) => salvage.lost_spans(),
                (Fate::IsCut(cut), _) => vec![(cut.offset..part.size(), "tail")],
                _ => continue,
            };
            let (dir, name) = fs::open_parent(self.fs, &part.path)?;
            let from = dir.open(&name, Access::Read);
            let from = from.map_err(|err| Error::io(&part.path, "open", err))?;
            let prefix = match part.role {
                Role::Whole => String::new(),
                Role::Base | Role::Incr => format!("{}.", name.to_string_lossy()),
            };
            all.extend(LostBytes::all(&from, &part.path, &prefix, spans));
        }
        Ok(all)
    }

    fn folder_in_place(&self, path: &Path, seen: &Stat, manifest: &Manifest) -> Result<Done> {
        self.nothing_is_held(path, seen)?;
        if self.plan.drops_parts() {
            return self.swap_parts(path, seen, manifest);
        }
        let mut done = Done::default();
        // After a clean stop the manifest says at which replication offset the last part ends: not where
        // it is going to end. Without that it is the manifest of a server that crashed.
        let mut changed = manifest.clone();
        for planned in self.plan.parts.iter().filter(|p| ends_elsewhere(p)) {
            let entries = changed.entries.iter_mut().filter(|e| is(&e.name, planned));
            entries.for_each(|entry| entry.end_offset = None);
        }
        if changed != *manifest {
            let edit = Edit::begin(self.fs, path, self.expecting(seen))?;
            done.written.push(edit.commit(&changed.write())?);
        }
        let parts = self.cut_parts()?;
        done.cuts = parts.cuts;
        done.written.extend(parts.written);
        Ok(done)
    }

    /// A server with any of the files open is at work on all of them.
    fn nothing_is_held(&self, manifest: &Path, seen: &Stat) -> Result<()> {
        let parts = self.plan.parts.iter().filter_map(|planned| planned.part.seen);
        let files: Vec<_> = parts.chain([*seen]).collect();
        let holders = self.fs.holders(&files);
        if !holders.is_empty() && !self.writing.how.force {
            return Err(Error::refused(manifest, target::held(&holders)));
        }
        Ok(())
    }

    /// Puts a shorter part in the place of one and all that follow it, at one moment.
    fn swap_parts(&self, path: &Path, seen: &Stat, manifest: &Manifest) -> Result<Done> {
        let mut edit = Edit::begin(self.fs, path, self.expecting(seen))?;
        let (mut done, mut changed) = (Done::default(), manifest.clone());
        for planned in &self.plan.parts {
            match &planned.fate {
                Fate::Stays => continue,
                Fate::IsHealed | Fate::IsSalvaged => {
                    done.written.push(self.heal(planned)?);
                    if let Fate::IsSalvaged = planned.fate {
                        let entries = changed.entries.iter_mut().filter(|e| is(&e.name, planned));
                        entries.for_each(|entry| entry.end_offset = None);
                    }
                    continue;
                }
                Fate::IsDropped(..) => changed.entries.retain(|entry| !is(&entry.name, planned)),
                Fate::IsCut(cut) => {
                    let name = self.free_part_name(planned)?;
                    let part = edit.part(name.as_ref(), cut.offset)?;
                    let part = self.copy(part, planned, cut.offset)?;
                    done.written.push(edit.add(part, |r| self.verify(r, planned, cut.offset))?);
                    let entries = changed.entries.iter_mut().filter(|e| is(&e.name, planned));
                    entries.for_each(|entry| {
                        entry.name = name.clone().into_bytes();
                        entry.end_offset = None;
                    });
                }
            }
            if planned.part.seen.is_some() {
                done.kept.push(planned.part.path.clone());
            }
        }
        self.keep_last_seq(&mut edit, manifest, &mut changed)?;
        done.written.push(edit.commit(&changed.write())?);
        Ok(done)
    }

    /// Gives the last incr file the number of the last one that went, or makes an empty one of that
    /// number: the files that went are still there, and a server that came to their number again would
    /// append to them.
    fn keep_last_seq(&self, edit: &mut Edit<'_>, old: &Manifest, new: &mut Manifest) -> Result<()> {
        let is_incr = |entry: &&Entry| entry.kind == Kind::Incr;
        let Some(last) = old.entries.iter().rfind(is_incr) else { return Ok(()) };
        if let Some(entry) = new.entries.iter_mut().rfind(|entry| entry.kind == Kind::Incr) {
            entry.seq = last.seq;
            return Ok(());
        }
        let Some(planned) = self.plan.parts.iter().rfind(|planned| is(&last.name, planned)) else {
            return Ok(());
        };
        let name = self.free_part_name(planned)?;
        edit.add(edit.part(name.as_ref(), 0)?, |_| Ok(()))?;
        new.entries.push(Entry::new(name.as_bytes(), last.seq, Kind::Incr));
        Ok(())
    }

    fn free_part_name(&self, planned: &Planned) -> Result<String> {
        let path = &planned.part.path;
        let (dir, old) = fs::open_parent(self.fs, path)?;
        let Some(old) = old.to_str() else {
            return Err(Error::refused(path, "its name is no text"));
        };
        for name in (1..PART_NAMES_MAX).map(|number| part_name(old, number)) {
            if stat_if_there(&*dir, name.as_ref())?.is_none() {
                return Ok(name);
            }
        }
        Err(Error::refused(path, "it was repaired too often"))
    }

    fn new_file(&self, out: &Path) -> Result<Done> {
        let Some(planned) = self.plan.parts.first() else { return Ok(Done::default()) };
        let size = planned.kept();
        let inputs = planned.part.seen.into_iter().collect();
        let how = target::Options { inputs, size, ..self.writing.how.clone() };
        let file = self.copy(Replacement::begin(self.fs, out, how)?, planned, size)?;
        let size = file.len();
        let written = file.commit(|reader| self.verify(reader, planned, size))?;
        Ok(Done { written: vec![written], ..Done::default() })
    }

    fn new_folder(&self, out: &Path, path: &Path, manifest: &Manifest) -> Result<Done> {
        let size = self.plan.parts.iter().map(Planned::kept).sum();
        let folder = NewFolder::begin(self.fs, out, size)?;
        let mut changed = manifest.clone();
        changed.entries.retain(|entry| entry.kind != Kind::History);
        match self.fill(&folder, path, &mut changed) {
            Ok(written) => {
                folder.commit()?;
                Ok(Done { written, ..Done::default() })
            }
            Err(error) => Err(folder.abandon(error)),
        }
    }

    fn fill(
        &self,
        folder: &NewFolder<'_>,
        path: &Path,
        changed: &mut Manifest,
    ) -> Result<Vec<Replaced>> {
        let mode = self.writing.how.mode;
        let mut written = Vec::new();
        for planned in &self.plan.parts {
            if let Fate::IsDropped(..) = planned.fate {
                changed.entries.retain(|entry| !is(&entry.name, planned));
                continue;
            }
            let size = planned.kept();
            let file = self.copy(folder.file(&planned.part.name, mode)?, planned, size)?;
            let size = file.len();
            written.push(file.commit(|reader| self.verify(reader, planned, size))?);
            if ends_elsewhere(planned) {
                let entries = changed.entries.iter_mut().filter(|e| is(&e.name, planned));
                entries.for_each(|entry| entry.end_offset = None);
            }
        }
        let name: OsString = path.file_name().unwrap_or_default().into();
        let file = folder.file(&name, mode)?.with(&changed.write())?;
        written.push(file.commit(|_| Ok(()))?);
        Ok(written)
    }

    /// Copies what is kept of a part.
    fn copy<'f>(
        &self,
        mut to: Replacement<'f>,
        planned: &Planned,
        len: u64,
    ) -> Result<Replacement<'f>> {
        let part = &planned.part;
        let copied = fs::open_parent(self.fs, &part.path).and_then(|(dir, name)| {
            let failed = |err| Error::io(&part.path, "open", err);
            let file = dir.open(&name, Access::Read).map_err(failed)?;
            let now = file.stat().map_err(failed)?;
            if !part.seen.is_some_and(|seen| seen.unchanged(&now)) {
                return Err(Error::refused(&part.path, "it changed since it was looked at"));
            }
            let file = part.mended(&file);
            match part.salvage.as_ref().filter(|_| planned.fate == Fate::IsSalvaged) {
                Some(salvage) => {
                    if let Some(rdb) = &salvage.rdb {
                        rebuilt(&mut to, &file, &part.path, rdb)?;
                    }
                    pieces::write(&salvage.kept.pieces, &mut to, &file, &part.path)
                }
                None => to.copy(&file, &part.path, 0, len),
            }
        });
        match copied {
            Ok(()) => Ok(to),
            Err(error) => Err(to.abandon(error)),
        }
    }

    /// Whether what was written is as long as planned, and sound to its end.
    fn verify(&self, reader: Box<dyn Read + Send>, planned: &Planned, len: u64) -> Result<()> {
        let path = &planned.part.path;
        let kind = if planned.begins_with_rdb() { FileKind::Rdb } else { FileKind::Aof };
        let source = Source { reader, kind, compression: None, size: Some(len) };
        let check = check_aof::Options { ends: ends_reading, ..self.options.check.clone() };
        let report = check_aof(source, &Input::File(path.clone()), &check)?;
        if (report.size, report.valid_up_to) != (len, len) {
            let why = format!(
                "the repaired file has {} bytes, sound up to {}, and should have {len}",
                report.size, report.valid_up_to
            );
            return Err(Error::refused(path, why));
        }
        Ok(())
    }

    fn expecting(&self, seen: &Stat) -> target::Options {
        target::Options { expected: Some(*seen), ..self.writing.how.clone() }
    }
}

/// Whether a part ends somewhere else now, so that its manifest cannot say where.
fn ends_elsewhere(planned: &Planned) -> bool {
    matches!(planned.fate, Fate::IsCut(_) | Fate::IsSalvaged)
}

fn is(name: &[u8], planned: &Planned) -> bool {
    planned.part.name.as_encoded_bytes() == name
}
