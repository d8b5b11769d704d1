//! `rdbtool check`: is a file sound?

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::Exit;
use super::args::{Common, LimitArgs, NowArgs};
use super::filter::FilterArgs;
use super::help::{FAILED, Page};
use super::session::{Format, Log, Session};
use crate::job::check::{Options, Verdict, check_rdb};
use crate::job::target::{Target, judge};
use crate::limits::DATABASES;
use crate::rdb::versions::{RELEASES, Release};
use crate::report::check::{Detail, Summary, text};
use crate::report::check_json::{self, CheckJson};
use crate::report::facts::File;
use crate::report::json;

/// Examples and exit status.
pub(crate) const PAGE: Page = Page {
    examples: &[
        ("rdbtool check dump.rdb", "Read every byte of it and say whether it is sound."),
        (
            "rdbtool check --target redis-7.0 --target valkey-9.1 dump.rdb",
            "Would these servers load it?",
        ),
        ("rdbtool check --quiet /backups || mail -s 'bad dump' ops", "For a cron job."),
        (
            "zstd -dc dump.rdb.zst | rdbtool check -",
            "From a pipe; compressed files are read as they are, too.",
        ),
        (
            "rdbtool check --json dump.rdb | jq '.findings[] | {code, offset, key}'",
            "For a program.",
        ),
    ],
    exit: &[
        ("0", "Every file is sound, and its checksum says so too; there may be notes."),
        (
            "1",
            "Findings: damage, warnings, or a file without a checksum, which cannot be verified; or \
             a server named with --target would refuse a file.",
        ),
        FAILED,
    ],
    json: check_json::FIELDS,
};

/// Say whether a file is sound, and if not, where and why
///
/// Reads every record and every value of an RDB and reports what is wrong, each finding with a stable
/// code, its offset, its key, and the bytes around it. It goes on past damage inside values, and finds
/// what servers' own check tools do not look at: keys that come twice, databases out of range, bytes
/// behind the end, scores that are no numbers, pending entries that nobody owns.
///
/// A file whose checksum was switched off is never called OK, but UNVERIFIED.
#[derive(Debug, Args)]
#[command(after_help = PAGE.after_help())]
pub(crate) struct CheckArgs {
    /// Files, folders, or - for standard input.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// Would this server load the file? Such as redis-7.2 or valkey-9.1; all for every known one. May
    /// be repeated.
    #[arg(long, value_name = "SERVER", value_parser = releases)]
    target: Vec<Releases>,

    /// How many databases the server has (its `databases` setting).
    #[arg(long, value_name = "N", default_value_t = DATABASES)]
    databases: u64,

    /// List every finding, notes too.
    #[arg(long, short, conflicts_with = "quiet")]
    verbose: bool,

    #[command(flatten)]
    now: NowArgs,

    #[command(flatten)]
    filter: FilterArgs,

    #[command(flatten)]
    limits: LimitArgs,

    #[command(flatten)]
    common: Common,
}

/// What `--target` names.
#[derive(Debug, Clone, Copy)]
struct Releases(&'static [Release]);

/// Reads `--target`.
fn releases(name: &str) -> Result<Releases, String> {
    if name == "all" {
        return Ok(Releases(RELEASES));
    }
    match RELEASES.iter().find(|release| release.name == name) {
        Some(release) => Ok(Releases(std::slice::from_ref(release))),
        None => {
            let names: Vec<_> = RELEASES.iter().map(|release| release.name).collect();
            Err(format!("expected all, or one of {}", names.join(", ")))
        }
    }
}

impl CheckArgs {
    /// Checks what is detected to be an RDB.
    pub(crate) fn run(self, log: &Log) -> anyhow::Result<Exit> {
        self.run_as(Format::Detect, log)
    }

    /// Checks.
    pub(crate) fn run_as(self, format: Format, log: &Log) -> anyhow::Result<Exit> {
        let options = Options {
            limits: self.limits.limits(),
            jobs: self.common.jobs(),
            databases: self.databases,
            filter: self.filter.filter(),
            now_ms: self.now.ms(),
        };
        let detail = self.common.detail(self.verbose);
        let filtered = !options.filter.is_open();
        let mut summary = Summary::default();
        let mut gap = false;
        let mut session = Session::new(&self.common, log, &self.paths)?;
        session.each(
            format,
            |source, input| check_rdb(source, input, &options),
            |session, file, report| {
                let file = File { filtered, ..*file };
                let releases = self.target.iter().flat_map(|target| target.0);
                let targets: Vec<_> = releases.map(|release| judge(&report, release)).collect();
                let out = &mut session.out;
                if self.common.json {
                    json::line(out, &CheckJson::new(&file, &report, &targets))?;
                } else {
                    if gap {
                        writeln!(out)?;
                    }
                    gap = text(out, &file, &report, &targets, detail, &session.screen)?;
                }
                summary.add(report.verdict());
                let clean = report.verdict() == Verdict::Ok && targets.iter().all(Target::loads);
                Ok(if clean { Exit::Clean } else { Exit::Look })
            },
        )?;
        if let Some(line) = summary.line().filter(|_| !self.common.json && detail > Detail::Quiet) {
            writeln!(session.out, "{line}")?;
        }
        session.close()
    }
}
