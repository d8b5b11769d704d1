//! What a repair would do, as data, before a byte is written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::census::{Census, census};
use super::guess::{self, guess};
use super::survey::{Subject, survey};
use crate::error::{Error, Result};
use crate::finding::{Code, Finding, Severity};
use crate::input::detect::{Compression, FileKind};
use crate::job::check::{self, Report};
use crate::job::heal::{Healed, Healing, check_once, heal};
use crate::job::recovery::Recovery;
use crate::job::repair_aof::{self, Set};
use crate::persist::fs::{self, Access, File, FileReader, Fs, Kind, Stat, read_full_at};
use crate::rdb::header::Header;
use crate::rdb::skim::Checksum;

/// How to repair.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// How to check.
    pub check: check::Options,
    /// How far to go.
    pub recovery: Recovery,
    /// A healing that may be chance is agreed to.
    pub accept_doubt: bool,
    /// Losing every key is agreed to.
    pub accept_loss: bool,
    /// Numbers of databases that the user knows of those that are lost, in the order of the file.
    pub unknown_dbs: Vec<u64>,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub enum Action {
    /// Nothing.
    Nothing,
    /// Some bytes are changed, and the checksum is right.
    Heal(Healing),
    /// What is behind the end of the RDB goes, from here on.
    CutBehind(u64),
    /// A new file of what can be read.
    Rebuild(Box<Rebuild>),
}

/// A new file of what can be read.
#[derive(Debug, Clone)]
pub struct Rebuild {
    /// Its header.
    pub header: Header,
    /// The header is not the file's own, which is damaged.
    pub is_header_new: bool,
    /// What is kept and what is not.
    pub census: Census,
    /// The checksum said that the bytes are as they were written: only what is left out is wrong.
    pub is_as_written: bool,
}

/// Why a plan is not carried out.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// No small change makes the checksum right, and more was not asked for.
    NotProven,
    /// There are such changes, and they may be chance.
    Doubtful,
    /// The damage is not only at the end.
    NeedsSalvage,
    /// Not a key would be left.
    Everything,
    /// A record beyond the limits, which may well be sound.
    Limit(Finding),
}

/// A plan for one RDB.
#[derive(Debug)]
pub struct Plan {
    /// The file.
    pub path: PathBuf,
    /// The file as it was when it was read.
    pub seen: Stat,
    /// What is to be done, or would be if it were agreed to.
    pub action: Action,
    /// What its checksum says of the damage.
    pub healed: Healed,
    /// What is wrong with the file.
    pub damage: Vec<Finding>,
    /// Keys that a check reads in it.
    pub keys: u64,
    /// Why it is not to be done.
    pub refusals: Vec<Refusal>,
}

impl Plan {
    /// Whether it may be carried out.
    pub fn is_agreed(&self) -> bool {
        self.refusals.is_empty()
    }

    /// Whether there is nothing to do.
    pub fn has_nothing_to_do(&self) -> bool {
        matches!(self.action, Action::Nothing)
    }

    /// The policy under which it is carried out unasked.
    pub fn needs(&self) -> Recovery {
        match &self.action {
            Action::Nothing | Action::Heal(_) | Action::CutBehind(_) => Recovery::Strict,
            Action::Rebuild(rebuild) if is_tail(&rebuild.census, self.seen.size) => Recovery::Tail,
            Action::Rebuild(_) => Recovery::Salvage,
        }
    }
}

/// An RDB that is to be repaired.
#[derive(Debug)]
pub struct Damaged {
    path: PathBuf,
    file: Arc<dyn File>,
    seen: Stat,
}

impl Damaged {
    /// Opens it.
    ///
    /// # Errors
    /// When it cannot be read, is no regular file or compressed.
    pub fn open(fs: &dyn Fs, path: &Path) -> Result<Damaged> {
        let failed = |doing| move |err| Error::io(path, doing, err);
        let (dir, name) = fs::open_parent(fs, path)?;
        let file = dir.open(&name, Access::Read).map_err(failed("open"))?;
        let seen = file.stat().map_err(failed("look at"))?;
        if seen.kind != Kind::File {
            return Err(Error::refused(path, "it is no regular file"));
        }
        let damaged = Damaged { path: path.to_owned(), file, seen };
        if Compression::of(&damaged.head()?).is_some() {
            return Err(Error::refused(path, "it is compressed; unpack it first"));
        }
        Ok(damaged)
    }

    /// The RDB that the first bytes of a file are.
    pub fn beginning(file: &Arc<dyn File>, path: &Path, seen: Stat, size: u64) -> Damaged {
        Damaged { path: path.to_owned(), file: file.clone(), seen: Stat { size, ..seen } }
    }

    /// The RDB that is to be repaired, if what was taken for an AOF is one: by what its beginning says, by
    /// its name where that is damaged, or because its checksum says so.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(
        fs: &dyn Fs,
        set: &Set,
        plan: &repair_aof::plan::Plan,
        options: &Options,
    ) -> Result<Option<Damaged>> {
        let (None, [(path, _)], [planned]) =
            (&set.manifest, set.files.as_slice(), plan.parts.as_slice())
        else {
            return Ok(None);
        };
        let damaged = Damaged::open(fs, path)?;
        let head = damaged.head()?;
        let kind = FileKind::of(&head);
        let is_sound = plan.has_nothing_to_do() && plan.left().next().is_none();
        let is_rdb = match kind {
            FileKind::Empty | FileKind::Aof | FileKind::JsonLines | FileKind::Manifest => false,
            _ if planned.part.is_rdb => true,
            FileKind::Rdb if is_sound => false,
            // A damaged mark can make an RDB look like a preamble.
            FileKind::Rdb => damaged.heal(options)?.certain().is_some(),
            FileKind::Unknown => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let may_be = guess(&head).is_some() && !name.contains(".aof");
                may_be || damaged.heal(options)?.certain().is_some()
            }
        };
        Ok(is_rdb.then_some(damaged))
    }

    fn head(&self) -> Result<Vec<u8>> {
        let mut head = vec![0; guess::ENOUGH];
        let len = read_full_at(&*self.file, &mut head, 0)
            .map_err(|err| Error::io(&self.path, "read", err))?;
        head.truncate(len);
        Ok(head)
    }

    /// The file.
    pub fn file(&self) -> &Arc<dyn File> {
        &self.file
    }

    /// What the checksum of the whole file says of its damage.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn heal(&self, options: &Options) -> Result<Healed> {
        heal(&self.file, &self.path, 0..self.seen.size, &options.check)
    }

    fn check(&self, options: &Options) -> Result<Report> {
        let reader = Box::new(FileReader::new(self.file.clone(), 0, self.seen.size));
        check_once(reader, &self.path, &options.check)
    }

    /// Plans.
    ///
    /// # Errors
    /// When the file cannot be read, or is no RDB at all.
    pub fn plan(&self, options: &Options) -> Result<Plan> {
        let report = self.check(options)?;
        let plan = |action, healed, refusals| Plan {
            path: self.path.clone(),
            seen: self.seen,
            action,
            healed,
            keys: report.facts.keys().keys,
            damage: report.findings.iter().filter(is_damage).cloned().collect(),
            refusals,
        };
        let is_as_written = report.outcome.checksum == Checksum::Ok;
        let codes = || report.findings.iter().filter(is_damage).map(|finding| finding.code);
        if codes().next().is_none() {
            let hidden = self.hidden(&report, options)?;
            let action =
                hidden.map_or(Action::Nothing, |rebuild| Action::Rebuild(Box::new(rebuild)));
            return Ok(plan(action, Healed::default(), Vec::new()));
        }
        if is_as_written && codes().all(|code| code == Code::TrailingBytes) {
            let action = Action::CutBehind(report.outcome.end);
            return Ok(plan(action, Healed::default(), Vec::new()));
        }
        let mut refusals = Vec::new();
        let is_limit = |f: &&Finding| matches!(f.code, Code::RecordLimit | Code::StringLimit);
        if let Some(limit) = report.findings.iter().find(is_limit).filter(|_| is_as_written) {
            refusals.push(Refusal::Limit(limit.clone()));
            return Ok(plan(Action::Nothing, Healed::default(), refusals));
        }
        let healed = if is_as_written { Healed::default() } else { self.heal(options)? };
        let doubtful = healed.likeliest().filter(|_| options.accept_doubt);
        if let Some(healing) = healed.certain().or(doubtful) {
            return Ok(plan(Action::Heal(healing.clone()), healed, refusals));
        }
        let rebuild = self.rebuild(&report, &options.check, &options.unknown_dbs)?;
        if options.recovery < Recovery::Salvage && !healed.found.is_empty() {
            refusals.push(Refusal::Doubtful);
        }
        match options.recovery {
            Recovery::Strict => refusals.push(Refusal::NotProven),
            Recovery::Tail if !is_tail(&rebuild.census, self.seen.size) => {
                refusals.push(Refusal::NeedsSalvage);
            }
            Recovery::Tail | Recovery::Salvage => {}
        }
        if rebuild.census.is_empty() && !options.accept_loss {
            refusals.push(Refusal::Everything);
        }
        Ok(plan(Action::Rebuild(Box::new(rebuild)), healed, refusals))
    }

    /// What can be read of a file that looks sound and says it has more keys than can be read, with nothing that
    /// vouches for it: a damaged length may have swallowed some, and they can be told.
    fn hidden(&self, report: &Report, options: &Options) -> Result<Option<Rebuild>> {
        let says_otherwise = report.findings.iter().any(|f| f.code == Code::ResizeDbHint);
        let is_vouched_for = report.outcome.checksum == Checksum::Ok;
        if options.recovery < Recovery::Salvage || is_vouched_for || !says_otherwise {
            return Ok(None);
        }
        let rebuild = self.rebuild(report, &options.check, &options.unknown_dbs)?;
        Ok(Some(rebuild).filter(|rebuild| rebuild.census.found() > report.facts.keys().keys))
    }

    /// What can be read of it, `report` being what a check found, and `unknown_dbs` what the user knows of
    /// numbers of databases that are lost.
    ///
    /// # Errors
    /// When the file cannot be read, or is no RDB at all.
    pub fn rebuild(
        &self,
        report: &Report,
        options: &check::Options,
        unknown_dbs: &[u64],
    ) -> Result<Rebuild> {
        let Some((header, is_header_new)) = guess(&self.head()?) else {
            let why = "it does not begin as an RDB does, and nothing else says that it is one";
            return Err(Error::refused(&self.path, why));
        };
        let is_as_written = report.outcome.checksum == Checksum::Ok;
        // Of a file whose checksum is right, only what comes before its end matters. Where reading had to stop
        // before that, the checksum is of the rest as well.
        let is_whole = is_as_written && report.outcome.damage.is_none();
        let size = if is_whole { report.outcome.end } else { self.seen.size };
        let (file, path) = (&self.file, &*self.path);
        let subject = Subject { file, path, size, header, options, unknown_dbs, is_as_written };
        let mut found = census(&subject, survey(&subject, false)?)?;
        let is_missing =
            |census: &Census| census.stated.is_none_or(|stated| stated > census.found());
        if !is_as_written && is_missing(&found) {
            let hunted = census(&subject, survey(&subject, true)?)?;
            let is_possible = hunted.stated.is_none_or(|stated| hunted.found() <= stated);
            if hunted.found() > found.found() && is_possible {
                found = hunted;
            }
        }
        Ok(Rebuild { header, is_header_new, census: found, is_as_written })
    }
}

/// Whether a finding is something to repair.
fn is_damage(finding: &&Finding) -> bool {
    finding.severity() == Severity::Error || finding.code == Code::TrailingBytes
}

/// Whether nothing but the end of the file is lost.
fn is_tail(census: &Census, size: u64) -> bool {
    let at_end = matches!(census.gaps.as_slice(), [gap] if gap.span.end == size);
    at_end && census.lost.is_empty() && census.nameless.is_empty()
}
