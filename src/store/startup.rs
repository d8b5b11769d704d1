//! How a store starts: what a server would load by its settings (FORMATS B.4), with the traps refused that
//! a server walks into.

use std::path::{Path, PathBuf};

use super::{Opened, Options};
use crate::aof::folder::Folder;
use crate::aof::startup::{Load, What, plan};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::input::source::{self, Input, Source};
use crate::job::replay::{self, Report, Stop, replay, replay_parts};
use crate::persist::fs::{Access, FileReader, Fs, open_parent};

/// Loads what is there.
///
/// # Errors
/// When it cannot be read, is damaged, or must not be started from.
pub(super) fn load(fs: &dyn Fs, options: &Options, now_ms: i64) -> Result<(Engine, Opened)> {
    let dir = options.dir();
    let failed = |err| Error::io(&dir, "read", err);
    let data = Folder::open_in(fs, &dir).map_err(failed)?;
    let plan = plan(&data, &options.files, true).map_err(failed)?;
    if let Some(why) = plan.refuses.first() {
        return Err(refused(&dir, why));
    }
    let report = replayed(fs, &dir, &plan.loads, options, now_ms)?;
    if let Some(Stop::Damage(offset)) = report.stop {
        let path = report.parts.last().map_or(dir.clone(), |part| part.path.clone());
        let why = format!(
            "it is damaged at offset {offset}; rdbtool check says how, rdbtool repair mends it"
        );
        return Err(refused(&path, &why));
    }
    let mut opened = Opened { loaded: paths(&plan.loads), ..Opened::default() };
    let engine = report.store.into_engine();
    opened.keys = engine.keyspaces().map(|(_, space)| space.len() as u64).sum();
    Ok((engine, opened))
}

fn refused(path: &Path, why: &str) -> Error {
    Error::Usage(format!("{}: {why}", path.display()))
}

fn paths(loads: &[Load]) -> Vec<PathBuf> {
    loads.iter().map(|load| load.path.clone()).collect()
}

/// Replays the files.
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
