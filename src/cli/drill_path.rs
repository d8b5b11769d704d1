//! `rdbtool drill PATH`: crashes of an AOF that is there.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Args;

use super::Exit;
use super::args::{Common, LimitArgs, NowArgs};
use super::load::StoreArgs;
use super::output::Output;
use crate::drill::files::{Options, drill};
use crate::input::source::Input;
use crate::job::replay;
use crate::job::startup::read_config;
use crate::persist::real::RealFs;
use crate::rdb::versions::{RELEASES, Release};
use crate::report::drill_path::text;
use crate::report::drill_path_json::DrillJson;
use crate::report::json;
use crate::report::progress::Progress;

/// Places in a log, unless it is told how many.
const PLACES: usize = 10_000;

/// What is only for a path.
#[derive(Debug, Args)]
#[command(next_help_heading = "With PATH")]
pub(crate) struct PathArgs {
    /// The server that starts, such as redis-7.2 or valkey-9.1. The default is the one that wrote the RDB in the
    /// AOF, or the newest Redis.
    #[arg(long, value_name = "SERVER", value_parser = release, requires = "path")]
    target: Option<&'static Release>,

    /// Its redis.conf, for aof-load-truncated and aof-load-corrupt-tail-max-size.
    #[arg(long, value_name = "FILE", requires = "path")]
    config: Option<PathBuf>,

    /// Starts that are timed, each with the last file torn at another place, besides one of all there is.
    #[arg(long, value_name = "N", default_value_t = 3, requires = "path")]
    recoveries: usize,

    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    now: NowArgs,

    #[command(flatten)]
    limits: LimitArgs,
}

fn release(name: &str) -> Result<&'static Release, String> {
    Release::by_name(name).ok_or_else(|| {
        let names: Vec<_> = RELEASES.iter().map(|release| release.name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

impl PathArgs {
    /// Drills what is there.
    pub(super) fn run(
        &self,
        path: &Path,
        runs: Option<u64>,
        seed: u64,
        common: &Common,
    ) -> anyhow::Result<Exit> {
        let settings = self.config.as_deref().map(read_config).transpose()?;
        let named = self.target.and_then(|server| replay::Release::named(server.name));
        let replay = replay::Options {
            limits: self.limits.limits(),
            jobs: common.jobs(),
            engine: self.store.config(),
            whose: replay::Whose::Writer(named),
            now_ms: self.now.ms(),
            ..replay::Options::default()
        };
        let options = Options {
            places: runs.and_then(|runs| usize::try_from(runs).ok()).unwrap_or(PLACES),
            recoveries: self.recoveries,
            seed,
            release: self.target,
            settings: settings.unwrap_or_default(),
            replay,
        };
        let mut out = Output::open(common.output.as_deref(), &[Input::File(path.to_path_buf())])?;
        let screen = out.screen(common.color);
        let progress = Progress::new(!common.quiet && io::stderr().is_terminal(), path, None);
        let report = drill(&RealFs, path, &options, progress.watch())?;
        drop(progress);
        if common.json {
            json::line(&mut out, &DrillJson::new(path, &report))?;
        } else {
            text(&mut out, path, &report, common.quiet, &screen)?;
        }
        out.finish()?;
        Ok(if report.is_as_foretold() { Exit::Clean } else { Exit::Look })
    }
}
