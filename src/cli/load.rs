//! What verbs share that fill a store from files: their arguments, and the replay itself.

use clap::{Args, ValueEnum};

use super::args::{Common, LimitArgs, NowArgs, size};
use super::session::Opened;
use crate::error::Result;
use crate::job::replay::{Config, Expired, Options, Report, replay, replay_set};

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
    pub(crate) fn options(&self, now: &NowArgs, limits: &LimitArgs, common: &Common) -> Options {
        Options {
            limits: limits.limits(),
            jobs: common.jobs(),
            now_ms: now.ms(),
            expired: self.expired.map(|expired| match expired {
                ExpiredArg::Keep => Expired::Keep,
                ExpiredArg::Drop => Expired::Drop,
            }),
            engine: self.store.config(),
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
