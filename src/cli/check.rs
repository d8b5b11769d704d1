//! `rdbtool check`: is a file sound?

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Exit;
use super::args::{Common, LimitArgs, NowArgs};
use super::filter::FilterArgs;
use super::fix::FixArgs;
use super::help::{FAILED, Page};
use super::output::Output;
use super::session::{Format, Log, Opened, Session};
use super::start::StartArgs;
use crate::error::Error;
use crate::finding::Findings;
use crate::input::source::Input;
use crate::job::check::{self, Verdict, check_rdb};
use crate::job::check_aof::{self, Checked, Options, check_aof, check_detected};
use crate::job::check_set::{self, check_set};
use crate::job::repair_aof::plan::Plan as AofPlan;
use crate::job::repair_aof::prospect::{prospect as aof_prospect, set_prospect};
use crate::job::repair_rdb::plan::Plan;
use crate::job::repair_rdb::prospect::prospect;
use crate::job::seal::find::findings;
use crate::job::startup::Settings;
use crate::job::target::{Target, judge};
use crate::job::target_aof::{judge_aof, judge_set};
use crate::limits::DATABASES;
use crate::persist::real::RealFs;
use crate::rdb::versions::{RELEASES, Release};
use crate::report;
use crate::report::check::{Detail, Summary};
use crate::report::check_aof_json::{self, AofJson, SetJson};
use crate::report::check_json::{self, CheckJson};
use crate::report::facts::File;
use crate::report::screen::Screen;
use crate::report::{facts_json, json, startup};

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
            "rdbtool check /var/lib/redis/appendonlydir",
            "An AOF of several files, with its manifest.",
        ),
        (
            "rdbtool check --config /etc/redis/redis.conf",
            "All that this server has, and what it would load.",
        ),
        (
            "rdbtool check --fix --dry-run /var/lib/redis/appendonlydir",
            "What would a repair do, and what would be lost? Without --dry-run: do it.",
        ),
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
    json: &[facts_json::FIELDS, check_json::FIELDS, check_aof_json::FIELDS, startup::FIELDS],
};

/// Say whether a file is sound, and if not, where and why
///
/// Reads every record and every value of an RDB, every command of an AOF, and the manifest and folder of
/// an AOF of several files, and reports what is wrong, each finding with a stable code, its offset, its
/// key, and the bytes around it. It goes on past damage inside values, and finds what servers' own check
/// tools do not look at: keys that come twice, databases out of range, bytes behind the end, commands
/// that no server knows, transactions that a crash tore, files that no manifest names.
///
/// A file whose checksum was switched off is never called OK, but UNVERIFIED. A seal (rdbtool-seal(1)) that lies
/// beside a file that is not compressed is read too, and what is not as it was sealed is named.
///
/// With --config or --appendonly it also says which of the files a server would load when it starts, in
/// which order, and what it would pass over.
#[derive(Debug, Args)]
#[command(after_help = PAGE.after_help())]
pub(crate) struct CheckArgs {
    /// Files, folders, manifests of AOFs, or - for standard input.
    #[arg(value_name = "PATH", required_unless_present = "config")]
    paths: Vec<PathBuf>,

    /// Would this server load the file? Such as redis-7.2 or valkey-9.1; all for every known one. May
    /// be repeated.
    #[arg(long, value_name = "SERVER", value_parser = releases)]
    target: Vec<Releases>,

    /// How many databases the server has (its `databases` setting). The default is that of --config, or
    /// 16.
    #[arg(long, value_name = "N")]
    databases: Option<u64>,

    /// List every finding, notes too.
    #[arg(long, short, conflicts_with = "quiet")]
    verbose: bool,

    /// Repair in place, as rdbtool-repair(1) does: heal an RDB by its checksum, mend the one byte that makes
    /// commands of what is none in an AOF, or cut a damaged end off. What goes is saved beside the file. Nothing changes in a file that is sound.
    #[arg(long, conflicts_with_all = ["target", "databases", "verbose", "config", "appendonly"])]
    fix: bool,

    #[command(flatten)]
    repair: FixArgs,

    #[command(flatten)]
    start: StartArgs,

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

/// What a check says of an input.
enum Found {
    Rdb(Box<check::Report>, Option<Box<Plan>>),
    Aof(Box<check_aof::Report>, Option<Box<AofPlan>>),
    Set(Box<check_set::Report>, Option<Box<AofPlan>>),
}

impl Found {
    fn verdict(&self) -> Verdict {
        match self {
            Found::Rdb(report, _) => report.verdict(),
            Found::Aof(report, _) => report.verdict(),
            Found::Set(report, _) => report.verdict(),
        }
    }

    fn judge(&self, release: &'static Release, settings: &Settings) -> Target {
        match self {
            Found::Rdb(report, _) => judge(report, release),
            Found::Aof(report, _) => judge_aof(report, release, settings, true),
            Found::Set(report, _) => judge_set(report, release, settings),
        }
    }
}

/// An RDB, and what a repair could do about its damage.
fn rdb(report: Box<check::Report>, path: Option<&Path>, options: &Options) -> Found {
    let plan = path.and_then(|path| prospect(&RealFs, path, &report, &options.rdb));
    Found::Rdb(report, plan.map(Box::new))
}

/// The same of an AOF.
fn aof(report: Box<check_aof::Report>, path: Option<&Path>, options: &Options) -> Found {
    let plan = path.and_then(|path| aof_prospect(&RealFs, path, &report, options));
    Found::Aof(report, plan.map(Box::new))
}

/// Checks an input, and holds its files against the seals that lie beside them.
fn check(opened: Opened<'_>, format: Format, options: &Options) -> crate::error::Result<Found> {
    let (limits, jobs) = (options.rdb.limits, options.rdb.jobs);
    let plain = match &opened {
        Opened::File(source, input) if **input != Input::Stdin && source.compression.is_none() => {
            Some(input.path().to_owned())
        }
        Opened::File(..) | Opened::Set(..) => None,
    };
    let mut found = check_inside(opened, format, options)?;
    let add = |to: &mut Findings, path: &Path| {
        to.extend(findings(&RealFs, path, limits, jobs)?);
        to.sort();
        crate::error::Result::Ok(())
    };
    match (&mut found, plain) {
        (Found::Rdb(report, _), Some(path)) => add(&mut report.findings, &path)?,
        (Found::Aof(report, _), Some(path)) => add(&mut report.findings, &path)?,
        (Found::Set(report, _), _) => {
            for part in &mut report.parts {
                add(&mut part.report.findings, &report.set.folder.path.join(&part.name))?;
            }
        }
        _ => {}
    }
    Ok(found)
}

fn check_inside(
    opened: Opened<'_>,
    format: Format,
    options: &Options,
) -> crate::error::Result<Found> {
    match opened {
        Opened::Set(set, watch) => {
            let watch = move |bytes| watch(bytes);
            let report = check_set(&set.folder, &set.stem, options, watch)?;
            let plan = set_prospect(&RealFs, &report, options);
            Ok(Found::Set(Box::new(report), plan.map(Box::new)))
        }
        Opened::File(source, input) => {
            let is_plain = *input != Input::Stdin && source.compression.is_none();
            let path = is_plain.then(|| input.path());
            match format {
                Format::Detect => check_detected(source, input, options).map(|found| match found {
                    Checked::Rdb(report) => rdb(report, path, options),
                    Checked::Aof(report) => aof(report, path, options),
                }),
                Format::Rdb => check_rdb(source, input, &options.rdb)
                    .map(|report| rdb(Box::new(report), path, options)),
                Format::Aof => check_aof(source, input, options)
                    .map(|report| aof(Box::new(report), path, options)),
            }
        }
    }
}

impl CheckArgs {
    /// Checks every file as what it is.
    pub(crate) fn run(self, log: &Log) -> anyhow::Result<Exit> {
        self.run_as(Format::Detect, log)
    }

    /// Checks.
    pub(crate) fn run_as(self, format: Format, log: &Log) -> anyhow::Result<Exit> {
        let start = self.start.read(&self.paths)?;
        let settings = start.settings();
        let options = Options {
            rdb: check::Options {
                limits: self.limits.limits(),
                jobs: self.common.jobs(),
                databases: self.databases.or(settings.databases).unwrap_or(DATABASES),
                filter: self.filter.filter(),
                now_ms: self.now.ms(),
            },
            ..Options::default()
        };
        let filtered = !options.rdb.filter.is_open();
        if self.fix {
            return self.repair(filtered, &options, log);
        }
        if let Some(option) = self.repair.given() {
            anyhow::bail!(Error::Usage(format!("{option} is for repairs: check --fix, or repair")));
        }
        let detail = self.common.detail(self.verbose);
        let mut summary = Summary::default();
        let mut gap = false;
        let mut session = Session::new(&self.common, log, start.paths())?;
        session.each(
            format,
            |opened| check(opened, format, &options),
            |session, file, found| {
                let file = File { filtered, ..*file };
                let releases = self.target.iter().flat_map(|target| target.0);
                let targets: Vec<_> =
                    releases.map(|release| found.judge(release, &settings)).collect();
                if self.common.json {
                    line(&mut session.out, &file, &found, &targets)?;
                } else {
                    if gap {
                        writeln!(session.out)?;
                    }
                    gap = text(session, &file, &found, &targets, detail)?;
                }
                summary.add(found.verdict());
                let clean = found.verdict() == Verdict::Ok && targets.iter().all(Target::loads);
                Ok(if clean { Exit::Clean } else { Exit::Look })
            },
        )?;
        start.tell(&mut session, self.common.json, gap)?;
        if let Some(line) = summary.line().filter(|_| !self.common.json && detail > Detail::Quiet) {
            writeln!(session.out, "{line}")?;
        }
        session.close()
    }
}

impl CheckArgs {
    fn repair(&self, filtered: bool, options: &Options, log: &Log) -> anyhow::Result<Exit> {
        if filtered {
            let why = "a repair is of the whole file, and not of some of its keys";
            anyhow::bail!(Error::Usage(why.to_owned()));
        }
        let report = self.common.output.as_deref();
        self.repair.run(&self.paths, None, options, &self.common, report, log)
    }
}

fn text(
    session: &mut Session<'_>,
    file: &File<'_>,
    found: &Found,
    targets: &[Target],
    detail: Detail,
) -> std::io::Result<bool> {
    let (out, screen) = (&mut session.out, &session.screen);
    match found {
        Found::Rdb(report, prospect) => {
            let more = report::check::text(out, file, report, targets, detail, screen)?;
            match prospect.as_ref().filter(|_| detail > Detail::Quiet) {
                Some(plan) => report::prospect::text(out, plan, screen).map(|()| true),
                None => Ok(more),
            }
        }
        Found::Aof(report, prospect) => {
            let more = report::check_aof::text(out, file, report, targets, detail, screen)?;
            could_be_done(out, prospect.as_deref(), detail, screen).map(|told| told || more)
        }
        Found::Set(report, prospect) => {
            let more = report::check_aof::set_text(out, file, report, targets, detail, screen)?;
            could_be_done(out, prospect.as_deref(), detail, screen).map(|told| told || more)
        }
    }
}

/// What a repair of an AOF could do. Whether there was something to say.
fn could_be_done(
    out: &mut Output,
    plan: Option<&AofPlan>,
    detail: Detail,
    screen: &Screen,
) -> std::io::Result<bool> {
    match plan.filter(|_| detail > Detail::Quiet) {
        Some(plan) => report::aof_prospect::text(out, plan, screen).map(|()| true),
        None => Ok(false),
    }
}

fn line(
    out: &mut Output,
    file: &File<'_>,
    found: &Found,
    targets: &[Target],
) -> anyhow::Result<()> {
    match found {
        Found::Rdb(report, prospect) => {
            json::line(out, &CheckJson::new(file, report, targets, prospect.as_deref()))?;
        }
        Found::Aof(report, plan) => {
            json::line(out, &AofJson::new(file, report, targets, plan.as_deref()))?;
        }
        Found::Set(report, plan) => {
            json::line(out, &SetJson::new(file, report, targets, plan.as_deref()))?;
        }
    }
    Ok(())
}
