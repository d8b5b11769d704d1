//! Repairing from the command line: the options that `repair` and `check --fix` share, and what both do
//! with an AOF.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;

use super::args::{Common, time_ms};
use super::output::Output;
use super::session::Log;
use super::{Exit, fix_rdb, fix_seal, is_closed_pipe};
use crate::error::Error;
use crate::input::source::Input;
use crate::job::check_aof;
use crate::job::recovery::Recovery;
use crate::job::repair_aof::find::find;
use crate::job::repair_aof::found::Depth;
use crate::job::repair_aof::plan::{Consent, Refusal};
use crate::job::repair_aof::run::{Writing, run};
use crate::job::repair_aof::{Options, Set, plan};
use crate::job::repair_rdb::plan::Damaged;
use crate::persist::fs::Fs;
use crate::persist::real::RealFs;
use crate::persist::{signals, target, temp};
use crate::report::json;
use crate::report::repair::{Outcome, Repair, text};
use crate::report::repair_json::RepairJson;
use crate::report::repair_rdb::{self, RdbRepair};
use crate::report::repair_rdb_json::RdbRepairJson;
use crate::report::seal::{Mending, SealJson, insides, mending};

/// How to repair.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Repair")]
pub(crate) struct FixArgs {
    /// Say what would be done and what would be lost, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// How far to go. strict: only change what a checksum proves. tail: also change one byte of an AOF where
    /// only that makes commands of what is none, and cut a damaged end off. salvage: also leave out what
    /// is damaged in the middle, and keep the rest, which is suspect then.
    #[arg(long, value_name = "POLICY", default_value = "tail", value_parser = policy,
          hide_possible_values = true)]
    recovery: Recovery,

    /// The same as --recovery salvage.
    #[arg(long, conflicts_with_all = ["recovery", "until"])]
    salvage: bool,

    /// Save the bytes that are lost in this new folder, each piece as OFFSET-LENGTH, behind the name of its
    /// file if there are several.
    #[arg(long, value_name = "DIR")]
    pub(super) lost: Option<PathBuf>,

    /// The database of keys of an RDB whose database nobody can tell, as its number is lost with what the keys
    /// have before them: without it they are left out. Of several, in the order of the file.
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(..0x8000_0000))]
    pub(super) unknown_db: Vec<u64>,

    /// Agree to a change that makes the checksum of an RDB right, but may do so by chance.
    #[arg(long)]
    pub(super) accept_doubt: bool,

    /// Agree to losing whole parts behind the damage, all there is, or sound commands behind one that is
    /// not known. Nothing is deleted even so.
    #[arg(long)]
    pub(super) accept_loss: bool,

    /// Keep whole parts behind the damage, with a gap before them: commands in them run on data that
    /// lacks what was lost.
    #[arg(long, conflicts_with_all = ["accept_loss", "until"])]
    keep_later: bool,

    /// Go back to this moment, by the timestamps in the file: Unix time in s or ms, or RFC 3339.
    #[arg(long, visible_alias = "truncate-to-timestamp", value_name = "TIME", value_parser = time_ms,
          allow_negative_numbers = true)]
    until: Option<i64>,

    /// Keep the whole old file as well, as NAME.bak-TIME.
    #[arg(long)]
    backup: bool,

    /// Write to where a symbolic link points.
    #[arg(long)]
    pub(super) follow: bool,

    /// Write although a process holds the file open.
    #[arg(long)]
    pub(super) force: bool,
}

/// Reads `--recovery`.
fn policy(name: &str) -> Result<Recovery, String> {
    let all = [Recovery::Strict, Recovery::Tail, Recovery::Salvage];
    let found = all.into_iter().find(|policy| policy.as_str() == name);
    found.ok_or_else(|| "expected strict, tail or salvage".to_owned())
}

impl FixArgs {
    /// The first option that was given, for a message where none makes sense.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let all = [
            (self.dry_run, "--dry-run"),
            (self.recovery != Recovery::default(), "--recovery"),
            (self.salvage, "--salvage"),
            (self.lost.is_some(), "--lost"),
            (!self.unknown_db.is_empty(), "--unknown-db"),
            (self.accept_doubt, "--accept-doubt"),
            (self.accept_loss, "--accept-loss"),
            (self.keep_later, "--keep-later"),
            (self.until.is_some(), "--until"),
            (self.backup, "--backup"),
            (self.follow, "--follow"),
            (self.force, "--force"),
        ];
        all.into_iter().find_map(|(given, name)| given.then_some(name))
    }

    /// The policy.
    pub(super) fn recovery(&self) -> Recovery {
        if self.salvage { Recovery::Salvage } else { self.recovery }
    }

    fn options(&self, check: check_aof::Options) -> Options {
        Options {
            check,
            until: self.until.map(|ms| ms.div_euclid(1000)),
            consent: Consent { accept_loss: self.accept_loss, keep_later: self.keep_later },
            depth: match self.recovery() {
                Recovery::Strict => None,
                Recovery::Tail => Some(Depth::Mend),
                Recovery::Salvage => Some(Depth::Salvage),
            },
            unknown_dbs: self.unknown_db.clone(),
        }
    }

    /// What time it is, in ms since 1970, and how to write; `backup`: whether to keep what is replaced.
    pub(super) fn how(&self, backup: bool) -> (i64, target::Options) {
        let now_ms = Timestamp::now().as_millisecond();
        let how = target::Options {
            backup_at_ms: backup.then_some(now_ms),
            follow: self.follow,
            force: self.force,
            ..target::Options::default()
        };
        (now_ms, how)
    }

    fn writing(&self, out: Option<&Path>) -> Writing {
        let (now_ms, how) = self.how(self.backup);
        Writing { out: out.map(Path::to_owned), lost: self.lost.clone(), now_ms, how }
    }

    /// Repairs what each path stands for, in place or into `out`, and tells of it in `report`. What cannot
    /// be done with one path does not keep it from the others.
    ///
    /// # Errors
    /// When nothing can be told any more.
    pub(crate) fn run(
        &self,
        paths: &[PathBuf],
        out: Option<&Path>,
        check: &check_aof::Options,
        common: &Common,
        report: Option<&Path>,
        log: &Log,
    ) -> anyhow::Result<Exit> {
        if !self.dry_run {
            let failed = |err| Error::io(Path::new("signals"), "catch", err);
            signals::install().map_err(failed)?;
        }
        let inputs: Vec<_> = paths.iter().cloned().map(Input::File).collect();
        let mut to = Output::open(report, &inputs)?;
        let screen = to.screen(common.color);
        let detail = common.detail(false);
        let mut exit = Exit::Clean;
        for path in paths {
            let repaired = self.repair(path, out, check, log, |repair| {
                match (repair, common.json) {
                    (Shown::Sealed(path, sealed), is_json) => {
                        let (survey, written) = (&sealed.survey, sealed.written.as_ref());
                        let mended = Mending { path, survey, written };
                        if is_json {
                            json::line(&mut to, &SealJson::mending(&mended, &insides(survey)))?;
                        } else {
                            mending(&mut to, &mended, common.quiet, &screen)?;
                        }
                    }
                    (Shown::Aof(repair), true) => json::line(&mut to, &RepairJson::new(repair))?,
                    (Shown::Aof(repair), false) => text(&mut to, repair, detail, &screen)?,
                    (Shown::Rdb(repair), true) => {
                        json::line(&mut to, &RdbRepairJson::new(repair))?;
                    }
                    (Shown::Rdb(repair), false) => {
                        repair_rdb::text(&mut to, repair, detail, &screen)?;
                    }
                }
                Ok(to.flush()?)
            });
            exit = exit.max(match repaired {
                Ok(exit) => exit,
                Err(err) if is_closed_pipe(&err) => return Err(err),
                Err(err) => {
                    log.error(&err);
                    Exit::Failed
                }
            });
        }
        to.finish()?;
        Ok(exit)
    }

    /// Options that mean nothing for an RDB.
    fn only_of_aofs(&self) -> crate::error::Result<()> {
        let given = [(self.keep_later, "--keep-later"), (self.until.is_some(), "--until")];
        match given.into_iter().find(|(given, _)| *given) {
            Some((_, name)) => Err(Error::Usage(format!("{name} is for AOFs"))),
            None => Ok(()),
        }
    }

    fn repair(
        &self,
        path: &Path,
        out: Option<&Path>,
        check: &check_aof::Options,
        log: &Log,
        mut report: impl FnMut(Shown<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<Exit> {
        if path == Path::new("-") {
            let why = "standard input cannot be repaired; name a file";
            anyhow::bail!(Error::Usage(why.to_owned()));
        }
        let options = self.options(check.clone());
        let sets = find(&RealFs, &followed(path, self.follow)?)?;
        if out.is_some() && sets.len() > 1 {
            let why = format!("{} has {} AOFs; name one for -o", path.display(), sets.len());
            anyhow::bail!(Error::Usage(why));
        }
        if self.lost.is_some() && sets.len() > 1 {
            let why = format!("{} has {} AOFs; name one for --lost", path.display(), sets.len());
            anyhow::bail!(Error::Usage(why));
        }
        if options.depth == Some(Depth::Salvage) && options.until.is_some() {
            let why = "--until goes back to a sound moment: it does not go with --recovery salvage";
            anyhow::bail!(Error::Usage(why.to_owned()));
        }
        let mut exit = Exit::Clean;
        for set in &sets {
            if let Some(ended) = self.by_seals(set, out, check, &mut report)? {
                exit = exit.max(ended);
                tell_of_stale_files(set, log);
                continue;
            }
            let mut plan = plan(&RealFs, set, &options)?;
            let shown = set.path().unwrap_or(path);
            let rdb = fix_rdb::options(self, &check.rdb);
            if let Some(damaged) = Damaged::of(&RealFs, set, &plan, &rdb)? {
                self.only_of_aofs()?;
                let (repair, ended) = fix_rdb::repair(self, &damaged, out, &check.rdb)?;
                report(Shown::Rdb(&repair))?;
                exit = exit.max(ended);
                tell_of_stale_files(set, log);
                continue;
            }
            if self.recovery() == Recovery::Strict && plan.reason().is_some() {
                plan.refusals.push(Refusal::Strict);
            }
            let outcome = match (self.dry_run, plan.is_agreed()) {
                (_, false) => Outcome::Refused,
                (true, true) => Outcome::Planned,
                (false, true) => {
                    Outcome::Done(run(&RealFs, set, &plan, &options, &self.writing(out))?)
                }
            };
            let repair = Repair { path: shown, plan: &plan, outcome };
            report(Shown::Aof(&repair))?;
            exit = exit.max(match &repair.outcome {
                Outcome::Refused => Exit::Failed,
                _ if repair.is_worth_a_look() => Exit::Look,
                _ => Exit::Clean,
            });
            tell_of_stale_files(set, log);
        }
        Ok(exit)
    }
}

impl FixArgs {
    /// Repairs what the seals of files can heal; `None` if there is nothing for them to do.
    fn by_seals(
        &self,
        set: &Set,
        out: Option<&Path>,
        check: &check_aof::Options,
        report: &mut impl FnMut(Shown<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<Option<Exit>> {
        let alone = set.manifest.is_none();
        let mut ended = None;
        for (path, _) in &set.files {
            let Some(sealed) = fix_seal::repair(self, path, alone, out, &check.rdb)? else {
                continue;
            };
            report(Shown::Sealed(path, &sealed))?;
            ended = ended.max(Some(sealed.exit));
        }
        Ok(ended)
    }
}

/// A repair to tell of.
enum Shown<'a> {
    Sealed(&'a Path, &'a fix_seal::Sealed),
    Aof(&'a Repair<'a>),
    Rdb(&'a RdbRepair),
}

/// Where a symbolic link points, if links are followed.
fn followed(path: &Path, follow: bool) -> crate::error::Result<PathBuf> {
    if !follow {
        return Ok(path.to_owned());
    }
    RealFs.canonicalize(path).map_err(|err| Error::io(path, "follow", err))
}

/// Files of runs that were killed are told of, and never removed unasked.
fn tell_of_stale_files(set: &Set, log: &Log) {
    let Some(folder) = set.path().and_then(Path::parent) else { return };
    let folder = if folder == Path::new("") { Path::new(".") } else { folder };
    for stale in temp::stale(&RealFs, folder).unwrap_or_default() {
        let name = stale.path.display();
        log.note(&format!("{name} was left by a run that was killed; nothing needs it"));
    }
}
