//! The face of `redis-check-aof`: called by that name (a link or a copy), rdbtool takes its arguments and
//! prints its lines with its exit statuses, 0 for good and 1 for everything else (FORMATS C.1). It fails
//! for everything `check` calls an error, which is more than the original looks at; it asks before it
//! cuts only on a terminal, saves what it cuts off, and never leaves nothing of a file.

use std::ffi::OsString;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use jiff::Timestamp;

use super::is_closed_pipe;
use super::session::Log;
use crate::error::Error;
use crate::input::detect::FileKind;
use crate::input::source::{Input, open};
use crate::job::check;
use crate::job::check_aof::{self, check_aof};
use crate::job::check_set::check_set;
use crate::job::repair_aof::find::find;
use crate::job::repair_aof::plan::{Consent, Plan, Refusal};
use crate::job::repair_aof::run::{Writing, run};
use crate::job::repair_aof::{Options, Set, plan};
use crate::job::subject::SetPath;
use crate::persist::real::RealFs;
use crate::persist::signals;
use crate::report::redis_check_aof::{file, nothing_later, refused, set, shrinks, truncated};

/// What the manual says of it.
pub(crate) const ABOUT: &str = "\
Called as redis-check-aof (or any name with check-aof in it), it takes that tool's arguments, --fix and \
--truncate-to-timestamp, on a file or a manifest, prints its lines and exits with its statuses. It fails \
for every error that rdbtool check knows, which is more than the original looks at. It asks before it cuts \
only when a person can answer: in a script --fix goes ahead. What is cut off is saved beside the file as \
FILE.tail-OFFSET, a damaged file that is not the last of its AOF is not left with a gap behind it, and a \
cut that would leave nothing is refused.";

const USAGE: &str =
    "Usage: redis-check-aof [--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>";

/// Whether a program's name asks for this face: `redis-check-aof`, `valkey-check-aof` and the like.
pub(crate) fn is_called(program: &Path) -> bool {
    let name = program.file_stem().unwrap_or_default().to_string_lossy();
    name.contains("check-aof")
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    Check,
    Fix,
    /// Seconds.
    Until(i64),
}

fn task(args: &[OsString]) -> Option<(Task, &Path)> {
    match args {
        [path] => Some((Task::Check, Path::new(path))),
        [fix, path] if fix == "--fix" => Some((Task::Fix, Path::new(path))),
        [until, seconds, path] if until == "--truncate-to-timestamp" => {
            let seconds = seconds.to_str()?.parse().ok().filter(|seconds| *seconds >= 0)?;
            // To the original, too, 0 is no time to go back to.
            let task = if seconds == 0 { Task::Check } else { Task::Until(seconds) };
            Some((task, Path::new(path)))
        }
        _ => None,
    }
}

/// Runs as redis-check-aof.
pub(crate) fn main(args: &[OsString]) -> ExitCode {
    let log = Log::new();
    let mut out = BufWriter::new(io::stdout());
    let result = match (args, task(args)) {
        ([flag], _) if flag == "-v" || flag == "--version" => {
            let version = env!("CARGO_PKG_VERSION");
            writeln!(out, "redis-check-aof (rdbtool {version})").map(|()| true).map_err(Into::into)
        }
        (_, Some((task, path))) => face(task, path, &mut out),
        (_, None) => writeln!(out, "{USAGE}").map(|()| false).map_err(Into::into),
    };
    match result.and_then(|good| Ok(out.flush().map(|()| good)?)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(err) if is_closed_pipe(&err) => ExitCode::SUCCESS,
        Err(err) => {
            log.error(&err);
            ExitCode::FAILURE
        }
    }
}

fn face(task: Task, path: &Path, out: &mut dyn Write) -> anyhow::Result<bool> {
    let rdb = check::Options {
        jobs: std::thread::available_parallelism().map_or(1, |cores| cores.get()),
        now_ms: Timestamp::now().as_millisecond(),
        ..check::Options::default()
    };
    let options = check_aof::Options { rdb, ..check_aof::Options::default() };
    let good = look(path, &options, task != Task::Fix, out)?;
    out.flush()?;
    match task {
        Task::Check => Ok(good),
        Task::Fix if good => Ok(true),
        Task::Fix => Repair { path, options, until: None }.cut(out),
        Task::Until(seconds) if good => Repair { path, options, until: Some(seconds) }.cut(out),
        Task::Until(_) => {
            writeln!(out, "It is to be sound before it goes back to a time: --fix first")?;
            Ok(false)
        }
    }
}

fn look(
    path: &Path,
    options: &check_aof::Options,
    hint: bool,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    // The original knows no `-`: that is a file's name to it.
    let input = Input::File(path.to_path_buf());
    let source = open(&input, |_| {})?;
    if let Some(aof) = SetPath::of_manifest(path) {
        let report = check_set(&aof.folder, &aof.stem, options, |_| {})?;
        return Ok(set(out, &report, hint)?);
    }
    if source.kind == FileKind::Manifest {
        let why = "a manifest has a name that ends with .manifest, beside its files";
        anyhow::bail!(Error::Usage(format!("{}: {why}", path.display())));
    }
    Ok(file(out, path, &check_aof(source, &input, options)?, hint)?)
}

/// A cut.
struct Repair<'a> {
    path: &'a Path,
    options: check_aof::Options,
    until: Option<i64>,
}

impl Repair<'_> {
    /// Cuts, if that is agreed to. Returns whether the AOF is as it was asked for.
    fn cut(self, out: &mut dyn Write) -> anyhow::Result<bool> {
        signals::install()
            .map_err(|err| Error::io(self.path, "catch signals while writing", err))?;
        let options = Options {
            check: self.options,
            until: self.until,
            consent: Consent::default(),
            depth: None,
            unknown_dbs: Vec::new(),
        };
        let sets = find(&RealFs, self.path)?;
        let mut good = true;
        for aof in &sets {
            let plan = plan(&RealFs, aof, &options)?;
            good &= carry_out(self.path, aof, &plan, &options, out)?;
        }
        Ok(good)
    }
}

fn carry_out(
    path: &Path,
    aof: &Set,
    plan: &Plan,
    options: &Options,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    let untimed = plan.refusals == [Refusal::NoTimes];
    if let Some(seconds) = options.until.filter(|_| plan.has_nothing_to_do() || untimed) {
        nothing_later(out, aof.path().unwrap_or(path), seconds)?;
        return Ok(true);
    }
    if !plan.is_agreed() || plan.has_nothing_to_do() {
        refused(out, plan)?;
        return Ok(false);
    }
    if options.until.is_none() {
        shrinks(out, plan)?;
        out.flush()?;
        if io::stdin().is_terminal() && !confirmed(out)? {
            writeln!(out, "Aborting...")?;
            return Ok(false);
        }
    }
    let done = run(&RealFs, aof, plan, options, &Writing::default())?;
    truncated(out, &done, options.until)?;
    if plan.left().next().is_some() {
        refused(out, plan)?;
        return Ok(false);
    }
    Ok(true)
}

/// Asks as the original asks.
fn confirmed(out: &mut dyn Write) -> io::Result<bool> {
    write!(out, "Continue? [y/N]: ")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer.trim_start().to_ascii_lowercase().starts_with('y'))
}
