//! `rdbtool seal`: checksums of a file's blocks beside it, and the file held against them.

use std::path::{Path, PathBuf};

use clap::Args;

use super::args::{Common, LimitArgs};
use super::help::Page;
use super::output::Output;
use super::session::Log;
use super::{Exit, is_closed_pipe};
use crate::error::Error;
use crate::input::source::Input;
use crate::job::seal::find::survey;
use crate::job::seal::{Beside, EXTENSION, Subject, files, seal};
use crate::persist::real::RealFs;
use crate::persist::signals;
use crate::report::json;
use crate::report::screen::Screen;
use crate::report::seal::{self as report, FIELDS, SealJson};

/// Examples and exit status.
pub(crate) const PAGE: Page = Page {
    examples: &[
        ("rdbtool check dump.rdb && rdbtool seal dump.rdb", "It is sound: seal it as it is."),
        (
            "rdbtool seal /var/lib/redis/appendonlydir",
            "Every file of an AOF, each with a seal beside it.",
        ),
        ("rdbtool seal --verify /backups", "Is all of it as it was sealed?"),
        ("rdbtool repair --dry-run appendonly.aof", "What can its seal heal?"),
        (
            "rdbtool seal --verify --json /backups | jq -r 'select(.verdict == \"damaged\").path'",
            "For a program.",
        ),
    ],
    exit: &[
        ("0", "All are sealed; with --verify, all that was sealed is as it was."),
        (
            "1",
            "With --verify: damage, a file without a seal, a seal that is not to be believed, or a file that \
             was written anew since.",
        ),
        (
            "2",
            "Wrong usage, or a file could not be read or its seal not written, or the seal it has says that \
             it is damaged; the others were sealed.",
        ),
    ],
    json: &[FIELDS],
};

/// Write checksums of a file's blocks beside it, or hold it against them
///
/// An AOF has no checksum, and about half of all flipped bits in it are seen by nobody. A seal,
/// FILE.seal, has one for every 16 KiB: it takes less than a thousandth of any file of more than 80 KiB. Any
/// file can be sealed, an RDB, an AOF, a compressed backup; of a folder its RDBs and AOFs, of an AOF of several files
/// those that its manifest names.
///
/// With it rdbtool-check(1) sees every damage, down to a bit, and names the keys and commands in it, and
/// rdbtool-repair(1) undoes it, if it is one burst of at most 4 bytes in a block, in as many blocks as there are; often
/// longer ones too. A file that has grown since, as an AOF does, is held against its seal up to where it was
/// sealed.
///
/// A seal says what a file was when it was sealed, not that it was sound: check it first. It does not
/// protect against somebody who writes a file and its seal. A file that is damaged by its old seal is not
/// sealed again without --force.
#[derive(Debug, Args)]
#[command(after_help = PAGE.after_help())]
pub(crate) struct SealArgs {
    /// Files, folders or manifests of AOFs.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// Write nothing; say whether each file is as it was sealed, and if not, where.
    #[arg(long)]
    verify: bool,

    /// Seal a file as it is now, although it is damaged by the seal that it has.
    #[arg(long, conflicts_with = "verify")]
    force: bool,

    #[command(flatten)]
    limits: LimitArgs,

    #[command(flatten)]
    common: Common,
}

impl SealArgs {
    /// Seals, or verifies.
    pub(crate) fn run(self, log: &Log) -> anyhow::Result<Exit> {
        if !self.verify {
            let failed = |err| Error::io(Path::new("signals"), "catch", err);
            signals::install().map_err(failed)?;
        }
        let inputs: Vec<_> = self.paths.iter().cloned().map(Input::File).collect();
        let mut out = Output::open(self.common.output.as_deref(), &inputs)?;
        let screen = out.screen(self.common.color);
        let mut exit = Exit::Clean;
        for path in &self.paths {
            let files = match files(path) {
                Ok(files) => files,
                Err(err) => {
                    log.error(&err.into());
                    exit = Exit::Failed;
                    continue;
                }
            };
            for file in files {
                if file.extension().is_some_and(|end| end == EXTENSION) {
                    if !self.common.quiet {
                        log.note(&format!("{} is a seal itself; skipped", file.display()));
                    }
                    continue;
                }
                exit = exit.max(match self.one(&file, &mut out, &screen) {
                    Ok(exit) => exit,
                    Err(err) if is_closed_pipe(&err) => return Err(err),
                    Err(err) => {
                        log.error(&err);
                        Exit::Failed
                    }
                });
            }
        }
        out.finish()?;
        Ok(exit)
    }

    fn one(&self, path: &Path, out: &mut Output, screen: &Screen) -> anyhow::Result<Exit> {
        let jobs = self.common.jobs();
        let subject = Subject::open(&RealFs, path)?;
        if !self.verify {
            let made = seal(&RealFs, &subject, jobs, self.force)?;
            if self.common.json {
                json::line(out, &SealJson::made(path, &made))?;
            } else if !self.common.quiet {
                report::made(out, path, &made, screen)?;
            }
            return Ok(Exit::Clean);
        }
        let survey = survey(&RealFs, &subject, self.limits.limits(), jobs)?;
        let is_good = match &survey.beside {
            Beside::Seal(standing) => standing.verdict().is_good(),
            Beside::Nothing | Beside::Unusable(_) => false,
        };
        if self.common.json {
            let insides = report::insides(&survey);
            json::line(out, &SealJson::standing(path, &survey, &insides))?;
        } else if !(is_good && self.common.quiet) {
            report::standing(out, path, &survey, self.common.quiet, screen)?;
        }
        Ok(if is_good { Exit::Clean } else { Exit::Look })
    }
}
