//! `rdbtool replay`: what would a server recover from this file?

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use super::Exit;
use super::args::{Common, LimitArgs, NowArgs, place};
use super::help::{FAILED, Page};
use super::load::{LoadArgs, load};
use super::session::{Format, Log, Session};
use crate::job::log::Place;
use crate::report::json;
use crate::report::replay::{Asked, Replayed, text};
use crate::report::replay_json::{self, ReplayJson};

/// Examples and exit status.
pub(crate) const PAGE: Page = Page {
    examples: &[
        ("rdbtool replay appendonlydir", "What would a server hold that starts with this AOF?"),
        (
            "rdbtool replay --until 2026-11-22T14:00:00Z appendonly.aof",
            "What did it hold at two o'clock? (The AOF needs timestamps.)",
        ),
        (
            "rdbtool replay --get user:17 --keys 'session:*' dump.rdb",
            "Look at a key, and list others.",
        ),
        ("rdbtool replay --strict appendonly.aof", "Stop at the first command that fails."),
        (
            "rdbtool replay --json appendonly.aof | jq '.findings[] | {code, offset, found}'",
            "For a program.",
        ),
    ],
    exit: &[
        ("0", "All of it was replayed, and no command failed."),
        (
            "1",
            "Something did not go as it should: commands that failed or could not be run, damage, keys left \
             out. What the store holds then is told.",
        ),
        FAILED,
    ],
    json: &[replay_json::FIELDS],
};

/// Run a file and say what a server would recover from it
///
/// Loads an RDB, runs the commands of an AOF as a server runs them when it starts, and tells how many
/// commands were applied, failed or could not be run, what the store holds then, and its fingerprint: the
/// one that DEBUG DIGEST gives on the server.
///
/// Where servers differ, the one counts that wrote the file, by what an RDB in it says of itself. Where none
/// says it, that is the newest Redis; but payloads of every server are taken, and what groups of streams
/// have read is what commands state.
///
/// A command that fails is skipped, as servers skip it (their log calls it CRITICAL), and is a finding
/// with its place. A transaction without its EXEC is dropped. Nothing behind damage is run. Nothing
/// expires while a file is replayed, as in servers.
#[derive(Debug, Args)]
#[command(after_help = PAGE.after_help())]
pub(crate) struct ReplayArgs {
    /// RDBs, AOFs and JSON Lines: files, folders, manifests of AOFs, or - for standard input.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// Stop before what is behind this place: an offset in the (last) file, such as 35424 or 0x8a60, or a
    /// time, by the timestamps in the file: @ and Unix time in s, or RFC 3339. Never inside a
    /// transaction: one that ends behind the place is not run.
    #[arg(long, value_name = "PLACE", value_parser = place)]
    until: Option<Place>,

    /// Stop at the first finding that is more than a note. Commands run on one thread then.
    #[arg(long)]
    strict: bool,

    /// Show a key with its value, in every database that has it. May be repeated.
    #[arg(long, value_name = "KEY")]
    get: Vec<String>,

    /// List the keys whose names match this glob, as KEYS reads it. May be repeated.
    #[arg(long, value_name = "GLOB")]
    keys: Vec<String>,

    /// List every finding, notes too.
    #[arg(long, short, conflicts_with = "quiet")]
    verbose: bool,

    #[command(flatten)]
    load: LoadArgs,

    #[command(flatten)]
    now: NowArgs,

    #[command(flatten)]
    limits: LimitArgs,

    #[command(flatten)]
    common: Common,
}

impl ReplayArgs {
    /// Replays every file for itself.
    pub(crate) fn run(self, log: &Log) -> anyhow::Result<Exit> {
        let mut options = self.load.options(&self.now, &self.limits, self.common.jobs());
        options.until = self.until;
        options.strict = self.strict;
        let asked = Asked { get: self.get, keys: self.keys };
        let (detail, jobs) = (self.common.detail(self.verbose), self.common.jobs());
        let mut session = Session::new(&self.common, log, &self.paths)?;
        let mut first = true;
        session.each(
            Format::Detect,
            |opened| {
                let start = Instant::now();
                let report = load(opened, &options)?;
                Ok((report, start.elapsed()))
            },
            |session, file, (report, took)| {
                let clean = report.is_clean();
                let replayed = Replayed::new(report, took, &asked, options.now_ms, jobs);
                if self.common.json {
                    json::line(&mut session.out, &ReplayJson::new(file, &replayed))?;
                } else {
                    if !std::mem::take(&mut first) {
                        writeln!(session.out)?;
                    }
                    text(&mut session.out, file, &replayed, detail, &session.screen)?;
                }
                Ok(if clean { Exit::Clean } else { Exit::Look })
            },
        )?;
        session.close()
    }
}
