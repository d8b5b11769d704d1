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
mod chain;
pub mod find;
pub mod kept;
pub mod loss;
mod mend;
pub mod plan;
mod resync;
pub mod run;
pub mod survey;
pub mod until;

use std::ffi::OsStr;
use std::io::Read;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::loss::{Counting, Loss};
use self::plan::{Consent, CutAt, Part, Plan, Reason, Refusal, Role};
use self::until::{Later, first_later};
use super::behind::is_marked;
use super::check;
use super::check_aof::{self, Report, check_aof};
use super::heal::Healing;
use super::heal::preamble::heal_preamble;
use crate::aof::manifest::{self, Entry, Kind, Manifest};
use crate::error::{Error, Result};
use crate::finding::{Code, Finding, Severity};
use crate::input::detect::{Compression, ENOUGH, FileKind};
use crate::input::source::{Input, Source};
use crate::persist::fs::{self, Access, File, FileReader, Fs, Stat, stat_if_there};

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
    for (path, role) in &set.files {
        let looked = look(fs, path, *role, options)?;
        refusals.extend(looked.limit.map(Refusal::Limit));
        has_times |= looked.has_times;
        parts.push(looked.part);
    }
    let counting = options.counting();
    let mut plan = Plan::of(parts, options.consent, |part| whole(fs, part, &counting))?;
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
    ends_reading(code) || matches!(code, Code::AofUnknownCommand | Code::AofArity)
}

/// Whether a cut before it is made only when nothing sound is lost by it, or any loss is agreed to.
pub fn is_cut_on_request(code: Code) -> bool {
    ends_knowing(code) && !ends_reading(code)
}

/// What stops us and not the file.
fn is_limit(code: Code) -> bool {
    matches!(code, Code::RecordLimit | Code::StringLimit)
}

/// A part and what it says beside that.
struct Looked {
    part: Part,
    limit: Option<Finding>,
    has_times: bool,
}

fn look(fs: &dyn Fs, path: &Path, role: Role, options: &Options) -> Result<Looked> {
    let (dir, name) = fs::open_parent(fs, path)?;
    let mut part = Part {
        path: path.to_owned(),
        name: name.clone(),
        role,
        seen: None,
        commands: 0,
        keys: 0,
        start: 0,
        is_rdb: false,
        healing: None,
        cut: None,
        left: Vec::new(),
    };
    if role != Role::Whole && stat_if_there(&*dir, &name)?.is_none() {
        part.cut = Some(CutAt { offset: 0, reason: Reason::Missing, lost: Loss::default() });
        return Ok(Looked { part, limit: None, has_times: false });
    }
    let failed = |doing| move |err| Error::io(path, doing, err);
    let file = dir.open(&name, Access::Read).map_err(failed("open"))?;
    let seen = file.stat().map_err(failed("look at"))?;
    if seen.kind != fs::Kind::File {
        return Err(Error::refused(path, "it is no regular file"));
    }
    part.seen = Some(seen);
    Look { path, file, options, part, limit: None, has_times: false }.look()
}

/// A part that is being looked at.
struct Look<'a> {
    path: &'a Path,
    file: Arc<dyn File>,
    options: &'a Options,
    part: Part,
    limit: Option<Finding>,
    has_times: bool,
}

impl Look<'_> {
    fn look(mut self) -> Result<Looked> {
        let mut report = self.check(ends_reading)?;
        let role = self.part.role;
        if let Some(healing) = self.healing(&report)? {
            self.file = healing.patch.over(&self.file);
            self.part.healing = Some(healing);
            report = self.check(ends_reading)?;
        }
        self.part.commands = report.commands;
        if let Some(preamble) = &report.preamble {
            self.part.keys = preamble.facts.keys().keys;
            self.part.start = preamble.outcome.end;
            self.part.is_rdb = role == Role::Whole && self.is_rdb(preamble, &report)?;
        }
        let damaged = self.damaged(&report)?;
        self.limit = damaged.as_ref().and_then(|cut| match &cut.reason {
            Reason::Damage(why) if is_limit(why.code) => Some(why.clone()),
            _ => None,
        });
        let unknown = self.unknown(&report)?;
        let later = self.later(&report)?;
        let cuts = [damaged, unknown, later].into_iter().flatten();
        self.part.cut = cuts.min_by_key(|cut| cut.offset);
        let cut_at = self.part.cut.as_ref().map_or(u64::MAX, |cut| cut.offset);
        let is_left = |f: &&Finding| f.severity() == Severity::Error && f.span.start < cut_at;
        self.part.left = findings(&report).filter(is_left).cloned().collect();
        Ok(Looked { part: self.part, limit: self.limit, has_times: self.has_times })
    }

    /// What heals the RDB that it begins with, if that is damaged.
    fn healing(&self, report: &Report) -> Result<Option<Healing>> {
        let Some(preamble) = &report.preamble else { return Ok(None) };
        let is_damaged = preamble.findings.iter().any(|f| f.severity() == Severity::Error);
        if !is_damaged || (self.part.role == Role::Whole && self.is_rdb(preamble, report)?) {
            return Ok(None);
        }
        let is_all = self.part.role == Role::Base;
        let options = &self.options.check.rdb;
        heal_preamble(&self.file, self.path, self.part.size(), preamble, is_all, options)
    }

    fn check(&self, ends: fn(Code) -> bool) -> Result<Report> {
        let source = source(self.file.clone(), self.part.size()).map_err(self.failed())?;
        if source.compression.is_some() {
            return Err(Error::refused(self.path, "it is compressed; unpack it first"));
        }
        let check = check_aof::Options { ends, ..self.options.check.clone() };
        check_aof(source, &Input::File(self.path.to_owned()), &check)
    }

    /// Whether a file that begins like an RDB is one, and not an AOF: unless it says that it is one, by
    /// what is behind it, or by its name where that cannot be reached.
    fn is_rdb(&self, preamble: &check::Report, report: &Report) -> Result<bool> {
        if is_marked(&preamble.facts) {
            return Ok(false);
        }
        if report.outcome.is_none() {
            let name = self.path.file_name().unwrap_or_default();
            return Ok(!name.to_string_lossy().contains(".aof"));
        }
        let mut next = [0];
        let start = preamble.outcome.end;
        let len = fs::read_full_at(&*self.file, &mut next, start).map_err(self.failed())?;
        Ok(len == 0 || !b"*#".contains(&next[0]))
    }

    fn failed(&self) -> impl Fn(std::io::Error) -> Error {
        let path = self.path.to_owned();
        move |err| Error::io(&path, "read", err)
    }

    fn cut(&self, offset: u64, reason: Reason) -> Result<Option<CutAt>> {
        let bytes = offset..self.part.size();
        if bytes.is_empty() {
            return Ok(None);
        }
        let counting = self.options.counting();
        let lost = lost(&counting, &self.file, &self.part, bytes).map_err(self.failed())?;
        Ok(Some(CutAt { offset, reason, lost }))
    }

    /// Where bytes end that servers can read.
    fn damaged(&self, report: &Report) -> Result<Option<CutAt>> {
        let at = report.valid_up_to;
        let is_why = |f: &&Finding| f.severity() == Severity::Error && f.span.end > at;
        let why = findings(report).find(is_why).cloned();
        let why = why.unwrap_or_else(|| {
            let span = at..report.size;
            Finding::new(Code::AofFormat, span, "commands", "bytes that are none")
        });
        self.cut(at, Reason::Damage(why))
    }

    /// Where commands end that we know, if nothing is lost behind that or the loss is agreed to.
    fn unknown(&self, report: &Report) -> Result<Option<CutAt>> {
        let is_unknown = |f: &&Finding| is_cut_on_request(f.code);
        let Some(why) = findings(report).find(is_unknown).cloned() else { return Ok(None) };
        let at = self.check(ends_knowing)?.valid_up_to;
        let cut = self.cut(at, Reason::Damage(why))?;
        let agreed = |cut: &CutAt| self.options.consent.accept_loss || cut.lost.commands <= 1;
        Ok(cut.filter(agreed))
    }

    /// Where what is wanted ends, if only what is from before a time is wanted.
    fn later(&mut self, report: &Report) -> Result<Option<CutAt>> {
        let Some(seconds) = self.options.until else { return Ok(None) };
        let made = report.preamble.as_ref().and_then(|preamble| {
            let ctime = preamble.facts.aux_value(b"ctime")?;
            std::str::from_utf8(ctime).ok()?.parse::<i64>().ok()
        });
        if made.is_some_and(|made| made > seconds) {
            self.has_times = true;
            return self.cut(0, Reason::Later(seconds));
        }
        let limits = self.options.check.rdb.limits;
        let commands = self.part.start..report.size;
        let found = first_later(&self.file, commands, seconds, limits).map_err(self.failed())?;
        self.has_times = found != Later::NoTimes;
        match found {
            Later::From(offset) => self.cut(offset, Reason::Later(seconds)),
            Later::None | Later::NoTimes => Ok(None),
        }
    }
}

/// The findings of a preamble and of what is behind it.
fn findings(report: &Report) -> impl Iterator<Item = &Finding> {
    let preamble = report.preamble.iter().flat_map(|preamble| &preamble.findings);
    preamble.chain(&report.findings)
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
