//! What verbs share that fill a store from files: their arguments, and the replay itself.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::args::{LimitArgs, NowArgs, size};
use super::session::Opened;
use crate::error::{Error, Result};
use crate::input::source::open;
use crate::job::replay::{Config, Expired, Options, Report, Whose, replay, replay_set};
use crate::job::subject::{Subject, subjects};
use crate::report::progress::Progress;

/// How a store is filled.
#[derive(Debug, Args)]
#[command(next_help_heading = "Loading")]
pub(crate) struct LoadArgs {
    /// Keys and fields whose time has come. As servers do, those of an RDB are dropped, and those of an AOF
    /// or its RDB kept, unless this says otherwise.
    #[arg(long, value_name = "WHAT")]
    expired: Option<ExpiredArg>,

    #[command(flatten)]
    store: StoreArgs,
}

/// The store itself.
#[derive(Debug, Args)]
#[command(next_help_heading = "Loading")]
pub(crate) struct StoreArgs {
    /// How many databases the server has (its `databases` setting).
    #[arg(long, value_name = "N", default_value_t = crate::limits::DATABASES)]
    databases: u64,

    /// Stop where the data takes more memory than this.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_memory: Option<u64>,
}

impl StoreArgs {
    /// Its settings.
    pub(crate) fn config(&self) -> Config {
        let max_memory = self.max_memory.map(|most| usize::try_from(most).unwrap_or(usize::MAX));
        Config { databases: self.databases, max_memory, ..Config::default() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExpiredArg {
    Keep,
    Drop,
}

impl LoadArgs {
    /// What the arguments ask for.
    pub(crate) fn options(&self, now: &NowArgs, limits: &LimitArgs, jobs: usize) -> Options {
        Options {
            limits: limits.limits(),
            jobs,
            now_ms: now.ms(),
            expired: self.expired.map(|expired| match expired {
                ExpiredArg::Keep => Expired::Keep,
                ExpiredArg::Drop => Expired::Drop,
            }),
            engine: self.store.config(),
            whose: Whose::Writer(None),
            ..Options::default()
        }
    }
}

/// Replays an input.
pub(crate) fn load(opened: Opened<'_>, options: &Options) -> Result<Report> {
    match opened {
        Opened::File(source, input) => replay(source, input, options),
        Opened::Set(set, watch) => {
            replay_set(&set.folder, &set.stem, options, move |bytes| watch(bytes))
        }
    }
}

/// Replays the one thing that a path stands for: a file, or an AOF of several. Says what it was.
pub(crate) fn load_path(path: &Path, options: &Options, told: bool) -> Result<(PathBuf, Report)> {
    let mut found = subjects(path)?;
    let name = path.display();
    let subject = match (found.pop(), found.len()) {
        (None, _) => return Err(Error::Usage(format!("no RDB or AOF in {name}"))),
        (Some(subject), 0) => subject,
        (Some(last), others) => {
            let names = found.iter().take(3).chain([&last]).map(|other| other.path());
            let names: Vec<String> = names.map(|path| path.display().to_string()).collect();
            let text = format!("{name} holds {} files; name one: {}", others + 1, names.join(", "));
            return Err(Error::Usage(text));
        }
    };
    let path = subject.path();
    let shown = told && io::stderr().is_terminal();
    let size = path.metadata().ok().filter(|meta| meta.is_file()).map(|meta| meta.len());
    let progress = Progress::new(shown, &path, size);
    let report = match &subject {
        Subject::Set(set) => load(Opened::Set(set, Arc::new(progress.watch())), options)?,
        Subject::File(input) => load(Opened::File(open(input, progress.watch())?, input), options)?,
    };
    Ok((path, report))
}
