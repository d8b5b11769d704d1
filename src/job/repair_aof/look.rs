//! Looking at one part of an AOF: what is wrong with it, what can be mended, and where it would be cut.

use std::path::Path;
use std::sync::Arc;

use super::affected::Affected;
use super::found::{Depth, Gap, Subject};
use super::loss::Loss;
use super::plan::{CutAt, Part, Reason, Role};
use super::resync::commands_behind;
use super::salvage::Salvage;
use super::survey::survey;
use super::until::{Later, first_later};
use super::{Options, ends_knowing, ends_reading, is_cut_on_request, is_limit, lost, source};
use crate::error::{Error, Result};
use crate::finding::{Code, Finding, Severity};
use crate::input::source::Input;
use crate::job::behind::is_marked;
use crate::job::check;
use crate::job::check_aof::{self, Report, check_aof};
use crate::job::heal::Healing;
use crate::job::heal::preamble::heal_preamble;
use crate::job::pieces::Piece;
use crate::job::repair_rdb::plan::{Damaged, Rebuild};
use crate::persist::fs::{self, Access, File, Fs, stat_if_there};

/// A part and what it says beside that.
pub(super) struct Looked {
    pub(super) part: Part,
    /// What stops us and not the file.
    pub(super) limit: Option<Finding>,
    pub(super) has_times: bool,
}

/// Looks at a part.
///
/// # Errors
/// When it cannot be read.
pub(super) fn look(
    fs: &dyn Fs,
    path: &Path,
    role: Role,
    is_last: bool,
    options: &Options,
    affected: &mut Affected,
) -> Result<Looked> {
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
        mends: Vec::new(),
        several: Vec::new(),
        salvage: None,
        cut: None,
        left: Vec::new(),
    };
    if role != Role::Whole && stat_if_there(&*dir, &name)?.is_none() {
        part.cut = Some(CutAt { offset: 0, reason: Reason::Missing, lost: Loss::default() });
        affected.all();
        return Ok(Looked { part, limit: None, has_times: false });
    }
    let failed = |doing| move |err| Error::io(path, doing, err);
    let file = dir.open(&name, Access::Read).map_err(failed("open"))?;
    let seen = file.stat().map_err(failed("look at"))?;
    if seen.kind != fs::Kind::File {
        return Err(Error::refused(path, "it is no regular file"));
    }
    part.seen = Some(seen);
    Look { path, file, options, part, is_last, limit: None, has_times: false }.look(affected)
}

/// A part that is being looked at.
struct Look<'a> {
    path: &'a Path,
    file: Arc<dyn File>,
    options: &'a Options,
    part: Part,
    is_last: bool,
    limit: Option<Finding>,
    has_times: bool,
}

impl Look<'_> {
    fn look(mut self, affected: &mut Affected) -> Result<Looked> {
        let mut report = self.check(ends_reading)?;
        let role = self.part.role;
        if let Some(healing) = self.healing(&report)? {
            self.file = healing.patch.over(&self.file);
            self.part.healing = Some(healing);
            report = self.check(ends_reading)?;
        }
        if let Some(depth) = self.options.depth.filter(|_| self.options.until.is_none()) {
            let is_done = self.survey(&report, depth, affected)?;
            if is_done {
                return Ok(Looked { part: self.part, limit: self.limit, has_times: false });
            }
            if !self.part.mends.is_empty() {
                report = self.check(ends_reading)?;
            }
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

    /// Mends and salvages, as far as it is to go. Whether that is all there is to do.
    fn survey(&mut self, report: &Report, depth: Depth, affected: &mut Affected) -> Result<bool> {
        let preamble = report.preamble.as_ref();
        if let Some(preamble) = preamble
            && self.part.role == Role::Whole
            && self.is_rdb(preamble, report)?
        {
            return Ok(false);
        }
        let damaged = preamble.filter(|rdb| rdb.findings.iter().any(is_error));
        let is_known = affected.is_empty();
        let is_sound = !report.findings.iter().any(|f| f.severity() > Severity::Note);
        if damaged.is_some() && depth == Depth::Mend
            || damaged.is_none() && is_sound && (depth == Depth::Mend || is_known)
        {
            return Ok(false);
        }
        let size = self.part.size();
        let limits = self.options.check.rdb.limits;
        let start = match (&report.outcome, preamble) {
            (None, _) => commands_behind(&self.file, size, limits).map_err(self.failed())?,
            (Some(_), preamble) => preamble.map(|preamble| preamble.outcome.end),
        };
        let start = start.unwrap_or(if report.outcome.is_none() { size } else { 0 });
        self.limit = findings(report).find(|finding| is_limit(finding.code)).cloned();
        let rdb = match damaged {
            Some(damaged) => self.rebuild(damaged, start, affected)?,
            None => None,
        };
        let subject = Subject { file: &self.file, path: self.path, size, start, limits };
        let mut found = survey(subject, depth, affected)?;
        let old = self.file.clone();
        self.part.mends = std::mem::take(&mut found.mends);
        self.part.several = std::mem::take(&mut found.several);
        self.file = self.part.mended(&old);
        let is_cut =
            matches!(found.gaps.as_slice(), [gap] if gap.span.end == size && !gap.is_given_up);
        let is_tail = damaged.is_none() && is_known && self.is_last && is_cut;
        if depth == Depth::Mend || is_tail {
            return Ok(false);
        }
        match damaged {
            None if start > 0 => found.kept.pieces.insert(0, Piece::Copy(0..start)),
            Some(damaged) if rdb.is_none() => {
                let why = damaged.findings.iter().find(|f| is_error(f)).cloned();
                let gap = why.map(|why| Gap { span: 0..start, why, is_given_up: false });
                found.gaps.splice(0..0, gap);
            }
            Some(_) | None => {}
        }
        self.part.start = start;
        self.part.keys = match (&rdb, damaged, preamble) {
            (Some(rdb), ..) => rdb.census.kept,
            (None, None, Some(preamble)) => preamble.facts.keys().keys,
            _ => 0,
        };
        let counting = self.options.counting();
        let salvage = Salvage::of(found, rdb, &self.file, self.path, &counting)?;
        self.part.salvage = Some(Box::new(salvage));
        Ok(true)
    }

    /// What can be read of the damaged RDB before the commands, if anything.
    fn rebuild(
        &self,
        damaged: &check::Report,
        end: u64,
        affected: &mut Affected,
    ) -> Result<Option<Rebuild>> {
        let Some(seen) = self.part.seen else { return Ok(None) };
        let rdb = Damaged::beginning(&self.file, self.path, seen, end);
        let options = self.options;
        let rebuild = rdb.rebuild(damaged, &options.check.rdb, &options.unknown_dbs)?;
        if rebuild.census.is_empty() {
            affected.all();
            return Ok(None);
        }
        Salvage::lose_keys(&rebuild, affected);
        Ok(Some(rebuild))
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

fn is_error(finding: &Finding) -> bool {
    finding.severity() == Severity::Error
}
