//! How a store starts: it loads what a server would load by its settings (FORMATS B.4), and refuses, with
//! advice, where a server would lose data by starting.
//!
//! | what lies there | a server | this store |
//! |---|---|---|
//! | parts of an AOF, no manifest | starts empty, appends to them | refuses |
//! | `appendonly yes`, only a dump or an AOF of before 7.0 | starts empty; moves it | loads it into a new AOF |
//! | `appendonly no`, only an AOF | starts empty | refuses |
//! | a torn end | cuts it off, but leaves an open MULTI | cuts before the MULTI |
//! | NULs where the power took what was not synced | refuses | saves them beside and cuts |
//! | other damage | refuses | refuses |

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::aof::{Aof, Files};
use super::create::create;
use super::{Opened, Options};
use crate::aof::damage::Kind;
use crate::aof::folder::{Folder, Node};
use crate::aof::manifest::Manifest;
use crate::aof::skim::Outcome;
use crate::aof::startup::{Load, Plan, What, plan};
use crate::encoding::resp::Forms;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::finding::{Code, Severity};
use crate::input::source::{self, Input, Source};
use crate::job::replay::{self, Report, Stop, replay, replay_parts};
use crate::persist::cut::cut_tail;
use crate::persist::fs::{Access, FileReader, Fs, open_parent};
use crate::persist::target;
use crate::persist::temp::sweep;

/// What a store starts with.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) engine: Engine,
    /// The AOF, if one is kept.
    pub(super) aof: Option<Aof>,
    pub(super) opened: Opened,
}

/// Loads what is there, and makes ready what will be written to.
///
/// # Errors
/// When files cannot be read or written, are damaged, or must not be started from.
pub(super) fn start(fs: &Arc<dyn Fs>, options: &Options, now_ms: i64) -> Result<Started> {
    let dir = options.dir();
    let failed = |err| Error::io(&dir, "read", err);
    let data = Folder::open_in(&**fs, &dir).map_err(failed)?;
    let mut plan = plan(&data, &options.files, true).map_err(failed)?;
    let mut opened = Opened::default();
    traps(&data, options, &mut plan, &mut opened)?;
    let report = replayed(&**fs, &dir, &plan.loads, options, now_ms)?;
    opened.loaded = paths(&plan.loads);
    sound_rdbs(&report)?;
    let is_part = plan.set.as_ref().is_some_and(|set| set.manifest.is_some());
    opened.notes.extend(mend(&**fs, options, &report, &plan.loads, is_part)?);
    if report.left_out > 0 {
        let what = format!("{} keys are damaged; rdbtool repair saves the others", report.left_out);
        return Err(refused(&dir, &what));
    }
    let failures = report.commands().1 + report.commands().2;
    if failures > 0 {
        opened.notes.push(format!("{failures} commands of the AOF failed, as they do in a server"));
    }
    let mut engine = report.store.into_engine();
    opened.keys = engine.keyspaces().map(|(_, space)| space.len() as u64).sum();
    engine.set_clock(now_ms);
    let aof = match options.files.append_only {
        true => Some(aof(fs, options, &plan, &mut engine, &mut opened, now_ms)?),
        false => None,
    };
    sweep(&**fs, &dir);
    if aof.is_some() {
        sweep(&**fs, &dir.join(&options.files.append_dir_name));
    }
    Ok(Started { engine, aof, opened })
}

fn refused(path: &Path, why: &str) -> Error {
    Error::Usage(format!("{}: {why}", path.display()))
}

/// Refuses what a server would do to its harm, or does better.
fn traps(data: &Folder, options: &Options, plan: &mut Plan, opened: &mut Opened) -> Result<()> {
    let has = |plan: &Plan, code| plan.findings.iter().any(|finding| finding.code == code);
    if let Some(set) = &plan.set
        && options.files.append_only
        && set.findings.iter().any(|finding| finding.code == Code::AofNoManifest)
    {
        let why = "there are parts of an AOF and no manifest that says which of them are the data. A server \
            would start empty and append to them. Bring the manifest back, or move the folder away";
        return Err(refused(&set.folder.path, why));
    }
    if let Some(why) = plan.refuses.first() {
        return Err(refused(&data.path, &format!("{why}; rdbtool check says more")));
    }
    let rdb = data.path.join(&options.files.db_file_name);
    if has(plan, Code::StartIgnoresRdb)
        && matches!(data.node(&options.files.db_file_name), Some(Node::File(1..)))
    {
        opened
            .notes
            .push(format!("{}: loaded into a new AOF; a server would start empty", rdb.display()));
        plan.loads.push(Load { path: rdb, what: What::Rdb, last: true });
    } else if has(plan, Code::StartIgnoresAof) && plan.loads.is_empty() {
        let why = "`appendonly no`, there is no RDB, but an AOF with data: a server would start empty. Start \
            with `appendonly yes`, or move the AOF away";
        return Err(refused(&data.path, why));
    }
    for (path, why) in &plan.ignores {
        opened.notes.push(format!("{}: not loaded ({why})", path.display()));
    }
    Ok(())
}

fn paths(loads: &[Load]) -> Vec<PathBuf> {
    loads.iter().map(|load| load.path.clone()).collect()
}

/// Replays the files. What is not as servers write it is damage: a block of NULs inside an argument may be
/// seen by nothing but the bytes behind it.
fn replayed(
    fs: &dyn Fs,
    dir: &Path,
    loads: &[Load],
    options: &Options,
    now_ms: i64,
) -> Result<Report> {
    let how = replay::Options {
        jobs: options.jobs.max(1),
        engine: options.engine.clone(),
        now_ms,
        forms: Forms::Strict,
        ..replay::Options::default()
    };
    match loads {
        [load] if load.what == What::Rdb => {
            replay(open(fs, &load.path)?, &Input::File(load.path.clone()), &how)
        }
        loads => replay_parts(dir, &paths(loads), &how, |path| open(fs, path)),
    }
}

/// Opens a file of any file system.
fn open(fs: &dyn Fs, path: &Path) -> Result<Source> {
    let (dir, name) = open_parent(fs, path)?;
    let failed = |err| Error::io(path, "open", err);
    let file = dir.open(&name, Access::Read).map_err(failed)?;
    let size = file.stat().map_err(failed)?.size;
    let reader = Box::new(FileReader::new(file, 0, u64::MAX));
    source::read(&Input::File(path.to_owned()), reader, Some(size), |_| {})
}

/// Cuts a torn end off; says so. `is_part`: the file is one that commands will be appended to or follow.
fn mend(
    fs: &dyn Fs,
    options: &Options,
    report: &Report,
    loads: &[Load],
    is_part: bool,
) -> Result<Option<String>> {
    let Some(part) = report.parts.last() else { return Ok(None) };
    let stopped = match report.stop {
        Some(Stop::Damage(offset)) => Some(offset),
        _ => None,
    };
    let is_last = report.parts.len() == loads.len();
    let Some(outcome) = part.commands.as_ref().filter(|_| is_last) else {
        return match stopped {
            Some(at) => Err(refused(&part.path, &damaged(at))),
            None => Ok(None),
        };
    };
    let Some((at, save)) =
        torn(outcome, options).map_err(|at| refused(&part.path, &damaged(at)))?
    else {
        return Ok(None);
    };
    let lost = outcome.size - at;
    let mut note = format!("{}: its last {lost} bytes are no whole commands", part.path.display());
    if !is_part {
        return Ok(Some(note));
    }
    if save {
        let how = target::Options { ours: true, ..target::Options::default() };
        let cut = cut_tail(fs, &part.path, at, &how)?;
        note.push_str(&format!("; they are in {} now", cut.tail.display()));
    } else {
        let (dir, name) = open_parent(fs, &part.path)?;
        let cut = dir.open(&name, Access::Update).and_then(|file| {
            file.set_len(at)?;
            file.sync()
        });
        cut.map_err(|err| Error::io(&part.path, "cut", err))?;
        note.push_str(" and were cut off");
    }
    Ok(Some(note))
}

/// Refuses an RDB with anything wrong in it: a checksum, a value, a key that comes twice.
fn sound_rdbs(report: &Report) -> Result<()> {
    for part in &report.parts {
        let Some((_, rdb)) = &part.rdb else { continue };
        let bad = part
            .findings
            .iter()
            .find(|finding| finding.severity() == Severity::Error && finding.span.start < rdb.end);
        if let Some(finding) = bad {
            return Err(refused(&part.path, &damaged(finding.span.start)));
        }
    }
    Ok(())
}

fn damaged(at: u64) -> String {
    format!("it is damaged at offset {at}; rdbtool check says how, rdbtool repair mends it")
}

/// Where the end is torn, and whether what is cut off is to be saved.
///
/// # Errors
/// The offset of damage that is not cut off.
fn torn(outcome: &Outcome, options: &Options) -> std::result::Result<Option<(u64, bool)>, u64> {
    let at = outcome.state.multi.map_or(outcome.end, |multi| multi.offset);
    let Some(damage) = &outcome.damage else {
        return Ok(outcome.state.multi.map(|_| (at, false)));
    };
    let rest = outcome.size.saturating_sub(outcome.end);
    let fault = damage.finding.span.start.saturating_sub(outcome.end);
    let found = usize::try_from(fault).ok().and_then(|fault| damage.head.get(fault));
    let (is_ours, save) = match damage.kind {
        Kind::Cut { .. } => (options.files.load_truncated, false),
        Kind::NulTail(_) | Kind::NulHole(_) => (options.files.load_truncated, true),
        // However few they are: a NUL where a command's syntax should be was written by no server.
        _ if found == Some(&0) => (options.files.load_truncated, true),
        Kind::DupBlock(_) | Kind::Garbage => (rest <= options.files.corrupt_tail_max, true),
    };
    if is_ours { Ok(Some((at, save))) } else { Err(outcome.end) }
}

/// The AOF that goes on, or a new one.
fn aof(
    fs: &Arc<dyn Fs>,
    options: &Options,
    plan: &Plan,
    engine: &mut Engine,
    opened: &mut Opened,
    now_ms: i64,
) -> Result<Aof> {
    let old = plan.loads.iter().any(|load| load.path.parent() == Some(&options.dir()));
    let manifest = plan.set.as_ref().and_then(|set| set.manifest.clone()).filter(|_| !old);
    let manifest = match manifest {
        Some(manifest) => manifest,
        None => create(&**fs, options, plan, engine, opened)?,
    };
    open_aof(fs, options, manifest, now_ms)
}

fn open_aof(fs: &Arc<dyn Fs>, options: &Options, manifest: Manifest, now_ms: i64) -> Result<Aof> {
    use std::os::unix::ffi::OsStrExt;
    let files = Files {
        fs: fs.clone(),
        folder: options.dir().join(&options.files.append_dir_name),
        stem: options.files.append_file_name.as_bytes().to_vec(),
        manifest,
    };
    Aof::open(files, now_ms)
}
