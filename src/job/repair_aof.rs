//! Repairing an AOF: cutting it where it is still sound, so that servers load it, and load it again.
//!
//! ```text
//! look   every part is checked: where is it sound up to, outside any transaction?      [`plan`]
//! plan   what becomes of each part, what is lost, and who must agree to that           [`plan::Plan`]
//! run    in place, the tail saved first; or into a new file or folder                  [`run`]
//! ```
//!
//! What needs a cut: bytes that are no command, a command or annotation that the file's end cuts off, and a
//! transaction without its EXEC. A command that no table knows, or with arguments it does not take, only
//! if nothing sound is behind it or loss is accepted: it may be a newer server's. What servers skip with
//! a word in their log needs none.
//!
//! A second repair finds nothing to do.

pub mod affected;
mod before;
mod chain;
mod databases;
pub mod find;
pub mod found;
mod habits;
pub mod kept;
mod look;
pub mod loss;
mod mend;
pub mod plan;
pub mod prospect;
mod resync;
pub mod run;
pub mod salvage;
pub mod survey;
pub mod until;

use std::ffi::OsStr;
use std::io::Read;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::affected::Affected;
use self::found::Depth;
use self::look::look;
use self::loss::{Counting, Loss};
use self::plan::{Consent, Part, Plan, Refusal, Role};
use super::check_aof;
use crate::aof::manifest::{self, Entry, Kind, Manifest};
use crate::error::{Error, Result};
use crate::finding::{Code, Severity};
use crate::input::detect::{Compression, ENOUGH, FileKind};
use crate::input::source::Source;
use crate::persist::fs::{self, Access, File, FileReader, Fs, Stat};

/// Largest manifest that is read, in bytes: some ten thousand files.
const MANIFEST_MAX: u64 = 1 << 20;

/// How to repair.
#[derive(Debug, Clone)]
pub struct Options {
    /// How to check.
    pub check: check_aof::Options,
    /// Go back to this time, in Unix seconds.
    pub until: Option<i64>,
    /// What loss is agreed to.
    pub consent: Consent,
    /// What is done beside cutting; nothing if it goes back to a time.
    pub depth: Option<Depth>,
    /// Numbers of databases that the user knows of those that an RDB has lost, in the order of the file.
    pub unknown_dbs: Vec<u64>,
}

/// The files of an AOF.
#[derive(Debug, Clone, Default)]
pub struct Set {
    /// The manifest of a multi-part one, as it was when it was read.
    pub manifest: Option<(PathBuf, Stat, Manifest)>,
    /// Its parts in the order of loading.
    pub files: Vec<(PathBuf, Role)>,
}

impl Set {
    /// An AOF of one file.
    pub fn file(path: &Path) -> Set {
        Set { manifest: None, files: vec![(path.to_owned(), Role::Whole)] }
    }

    /// The file, or the manifest.
    pub fn path(&self) -> Option<&Path> {
        match &self.manifest {
            Some((path, ..)) => Some(path),
            None => self.files.first().map(|(path, _)| path.as_path()),
        }
    }

    /// The files that a manifest names.
    ///
    /// # Errors
    /// When the manifest cannot be read, or is itself damaged: which files make the AOF is not known then.
    pub fn read(fs: &dyn Fs, path: &Path) -> Result<Set> {
        let (dir, name) = fs::open_parent(fs, path)?;
        let failed = |err| Error::io(path, "read", err);
        let file = dir.open(&name, Access::Read).map_err(failed)?;
        let stat = file.stat().map_err(failed)?;
        if stat.kind != fs::Kind::File {
            return Err(Error::refused(path, "it is no regular file"));
        }
        let mut text = Vec::new();
        FileReader::new(file, 0, MANIFEST_MAX).read_to_end(&mut text).map_err(failed)?;
        let (manifest, findings) = manifest::parse(&text);
        if let Some(finding) = findings.into_iter().find(|f| f.severity() == Severity::Error) {
            return Err(Error::Format { path: path.to_owned(), finding: Box::new(finding) });
        }
        let part = |entry: &Entry| {
            let role = if entry.kind == Kind::Base { Role::Base } else { Role::Incr };
            (path.with_file_name(OsStr::from_bytes(&entry.name)), role)
        };
        let files = manifest.loaded().map(part).collect();
        Ok(Set { manifest: Some((path.to_owned(), stat, manifest)), files })
    }
}

/// Looks at every part and plans.
///
/// # Errors
/// When a part cannot be read.
pub fn plan(fs: &dyn Fs, set: &Set, options: &Options) -> Result<Plan> {
    let mut parts = Vec::new();
    let mut refusals = Vec::new();
    let mut has_times = false;
    let mut affected = Affected::default();
    for (path, role) in &set.files {
        let is_last = set.files.last().is_some_and(|(last, _)| last == path);
        let looked = look(fs, path, *role, is_last, options, &mut affected)?;
        refusals.extend(looked.limit.map(Refusal::Limit));
        has_times |= looked.has_times;
        parts.push(looked.part);
    }
    let counting = options.counting();
    let keep_later = options.consent.keep_later || options.depth == Some(Depth::Salvage);
    let consent = Consent { keep_later, ..options.consent };
    let mut plan = Plan::of(parts, consent, |part| whole(fs, part, &counting))?;
    plan.refusals.extend(refusals);
    if options.until.is_some() && !has_times {
        plan.refusals = vec![Refusal::NoTimes];
    }
    Ok(plan)
}

impl Options {
    fn counting(&self) -> Counting {
        let limits = self.check.rdb.limits;
        Counting { limits }
    }
}

/// Codes of records that can be framed and that no server reads on behind.
fn ends_reading(code: Code) -> bool {
    matches!(code, Code::AofAnnotationLong | Code::AofAnnotationTorn)
}

/// The same, and commands that we do not know.
fn ends_knowing(code: Code) -> bool {
    ends_reading(code)
        || matches!(code, Code::AofUnknownCommand | Code::AofStrayCommand | Code::AofArity)
}

/// Whether a cut before it is made only when nothing sound is lost by it, or any loss is agreed to.
pub fn is_cut_on_request(code: Code) -> bool {
    ends_knowing(code) && !ends_reading(code)
}

/// What stops us and not the file.
fn is_limit(code: Code) -> bool {
    matches!(code, Code::RecordLimit | Code::StringLimit)
}

/// What is in a part that is to be left out.
fn whole(fs: &dyn Fs, part: &Part, counting: &Counting) -> Result<Loss> {
    let Some(seen) = part.seen else { return Ok(Loss::default()) };
    let failed = |err| Error::io(&part.path, "read", err);
    let (dir, name) = fs::open_parent(fs, &part.path)?;
    let file = dir.open(&name, Access::Read).map_err(failed)?;
    lost(counting, &file, part, 0..seen.size).map_err(failed)
}

/// What is in some bytes of a part, from somewhere to its end. A preamble is lost as a whole, all of its
/// keys: no part of it means anything to a server.
fn lost(
    counting: &Counting,
    file: &Arc<dyn File>,
    part: &Part,
    bytes: Range<u64>,
) -> std::io::Result<Loss> {
    let commands = bytes.start.max(part.start)..bytes.end;
    let lost = counting.count(file, commands)?;
    if bytes.start >= part.start {
        return Ok(lost);
    }
    let preamble_keys = part.keys;
    Ok(Loss { bytes: bytes.end - bytes.start, only_nuls: false, preamble_keys, ..lost })
}

/// A file as something to be checked.
fn source(file: Arc<dyn File>, size: u64) -> std::io::Result<Source> {
    let mut head = Vec::new();
    FileReader::new(file.clone(), 0, size.min(ENOUGH as u64)).read_to_end(&mut head)?;
    Ok(Source {
        reader: Box::new(FileReader::new(file, 0, size)),
        kind: FileKind::of(&head),
        compression: Compression::of(&head),
        size: Some(size),
    })
}
