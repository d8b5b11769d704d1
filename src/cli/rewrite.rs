//! `rdbtool rewrite`: an AOF into its minimal form, without a server.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::Exit;
use super::args::{Common, LimitArgs, NowArgs};
use super::convert::{Tolerate, release, yes_or_no};
use super::help::Page;
use super::load::StoreArgs;
use super::output::Output;
use super::session::Log;
use crate::error::Error;
use crate::job::convert::{self, Form};
use crate::job::repair_aof::find::find;
use crate::job::rewrite::{Old, Options, Rewritten, rewrite};
use crate::persist::real::RealFs;
use crate::persist::{signals, target};
use crate::rdb::target::Target;
use crate::rdb::versions::Release;
use crate::report::rewrite::{FIELDS, RewriteJson, Told, text};
use crate::report::{convert_json, json};

/// Examples and exit status.
pub(crate) const PAGE: Page = Page {
    examples: &[
        (
            "rdbtool rewrite --in-place /var/lib/redis/appendonlydir",
            "What BGREWRITEAOF does, while no server runs.",
        ),
        (
            "rdbtool rewrite -o small.aof appendonly.aof",
            "Into a new file; the old one stays as it is.",
        ),
        ("rdbtool rewrite --to-rdb -o dump.rdb appendonlydir", "Into an RDB."),
        ("rdbtool rewrite --drop-expired -o new.rdb dump.rdb", "An RDB without what has expired."),
        (
            "rdbtool rewrite --in-place --keep-unknown appendonlydir",
            "An AOF with commands of modules: what is known is rewritten, the rest carried over.",
        ),
    ],
    exit: &[
        ("0", "Done: what was written holds the same."),
        (
            "1",
            "Something the target cannot hold: nothing was written, or with --lossy all but that.",
        ),
        ("2", "Nothing was changed: wrong usage, an error, or a damaged source."),
    ],
    json: &[FIELDS, convert_json::LOSSES],
};

/// Rewrite an AOF to its minimal form, or write an RDB anew, without a server
///
/// An AOF of any form, one file or several, is replayed, and what it stands for written as a server's
/// BGREWRITEAOF writes it: as an RDB that the AOF begins with, or as commands. Of several files there are two
/// afterwards, a new base and an empty incr file, named by a new manifest at one moment: interrupted at any
/// moment, the AOF is the old one or the new one. Vector sets, on which the servers' own rewrite as
/// commands ends with a crash, are written too.
///
/// It is replayed by the rules of the server that wrote it, where its RDB names that one, else by those of
/// --target (but no server before 7.0 wrote a folder with a manifest), else by those of the newest Redis. The payloads of every server that is known are taken all the same.
///
/// Before anything gets its name what was written is read back, checked for the target, and compared with
/// what was read, key by key, while it is read. With --drop-expired or a kept history it is loaded as a whole
/// for that, which holds the data twice in memory (see --no-verify).
///
/// Commands that are not known here, such as those of modules, are never dropped: the rewrite stops and
/// names them. With --keep-unknown the keys that they touch keep their whole history, unchanged.
#[derive(Debug, Args)]
#[command(after_help = PAGE.after_help())]
pub(crate) struct RewriteArgs {
    /// An AOF, the manifest of a multi-part one, its folder, a server's data folder with one AOF, or an RDB.
    #[arg(value_name = "PATH")]
    path: PathBuf,

    /// Change the file or folder itself. Otherwise name a new one with -o.
    #[arg(long, conflicts_with = "output")]
    in_place: bool,

    /// Make an RDB of an AOF.
    #[arg(long, conflicts_with_all = ["in_place", "keep_unknown", "preamble"])]
    to_rdb: bool,

    /// The server it is for, such as redis-6.2 or valkey-9.1. The default is the one that wrote the file, by
    /// what its RDB says, or the newest Redis.
    #[arg(long, value_name = "SERVER", value_parser = release)]
    target: Option<&'static Release>,

    /// Begin the AOF with an RDB (`aof-use-rdb-preamble`): yes or no. The default is as it was.
    #[arg(long, value_name = "BOOL", value_parser = yes_or_no)]
    preamble: Option<bool>,

    /// What becomes of the old files of an AOF of several: mark names them in the manifest as history,
    /// which servers remove when they start; keep leaves them, named by nothing; remove removes them.
    #[arg(long, value_name = "WHAT", default_value = "mark", hide_possible_values = true)]
    history: HistoryArg,

    /// Carry over the history of keys that unknown commands touch.
    #[arg(long)]
    keep_unknown: bool,

    /// Leave out keys whose time has come.
    #[arg(long)]
    drop_expired: bool,

    /// Leave out what the target cannot hold.
    #[arg(long)]
    lossy: bool,

    /// Do not compress what is encoded anew.
    #[arg(long)]
    no_compression: bool,

    /// Do not compare what was written with what was read. It is still read back and checked.
    #[arg(long)]
    no_verify: bool,

    /// Damage to accept: tail, a file that is cut short; failed, commands that fail. See rdbtool-convert(1).
    #[arg(long, value_name = "WHAT", value_delimiter = ',', hide_possible_values = true)]
    tolerate: Vec<Tolerate>,

    /// Keep what is replaced as well, as NAME.bak-TIME: the file, or the manifest.
    #[arg(long)]
    backup: bool,

    /// Write although a process holds the file open.
    #[arg(long)]
    force: bool,

    /// List every loss.
    #[arg(long, short, conflicts_with = "quiet")]
    verbose: bool,

    #[command(flatten)]
    now: NowArgs,

    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    limits: LimitArgs,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum HistoryArg {
    Mark,
    Keep,
    Remove,
}

impl RewriteArgs {
    /// Rewrites.
    pub(crate) fn run(self, log: &Log) -> anyhow::Result<Exit> {
        let to = self.common.output.as_deref();
        if to.is_none() && !self.in_place {
            let why = "say where to: -o OUT for a new file or folder, or --in-place";
            anyhow::bail!(Error::Usage(why.to_owned()));
        }
        if self.path == Path::new("-") || to == Some(Path::new("-")) {
            let why = "rewrite works on files; rdbtool convert reads and writes streams";
            anyhow::bail!(Error::Usage(why.to_owned()));
        }
        let mut sets = find(&RealFs, &self.path)?;
        let (Some(set), true) = (sets.pop(), sets.is_empty()) else {
            let why = format!("{} has several AOFs; name one", self.path.display());
            anyhow::bail!(Error::Usage(why));
        };
        signals::install()
            .map_err(|err| Error::io(&self.path, "catch signals while writing", err))?;
        let how = target::Options {
            backup_at_ms: self.backup.then(|| Timestamp::now().as_millisecond()),
            force: self.force,
            ..target::Options::default()
        };
        let options = self.options();
        let done = rewrite(&RealFs, &set, to, &options, &how)?;
        let path = set.path().unwrap_or(&self.path);
        self.tell(&Told { path, done: &done, old: options.old }, log)
    }

    fn options(&self) -> Options {
        let target = self.target.map(Target::of);
        // What is written, and for whom, is known when it was read.
        let convert = convert::Options {
            limits: self.limits.limits(),
            jobs: self.common.jobs(),
            compress: !self.no_compression,
            drop_expired: self.drop_expired,
            now_ms: self.now.ms(),
            tolerate_tail: self.tolerate.contains(&Tolerate::Tail),
            tolerate_failed: self.tolerate.contains(&Tolerate::Failed),
            engine: self.store.config(),
            ..convert::Options::new(Form::Preamble, target.unwrap_or(Target::newest()))
        };
        Options {
            convert,
            target,
            preamble: self.preamble,
            to_rdb: self.to_rdb,
            lossy: self.lossy,
            verify: !self.no_verify,
            keep_unknown: self.keep_unknown,
            old: match self.history {
                HistoryArg::Mark => Old::Mark,
                HistoryArg::Keep => Old::Keep,
                HistoryArg::Remove => Old::Remove,
            },
        }
    }

    fn tell(&self, told: &Told<'_>, log: &Log) -> anyhow::Result<Exit> {
        let done: &Rewritten = told.done;
        let mut out = Output::open(None, &[])?;
        let is_written = !done.written.is_empty();
        if self.common.json {
            json::line(&mut out, &RewriteJson::new(told))?;
        } else if !self.common.quiet || !is_written {
            let screen = out.screen(self.common.color);
            text(&mut out, told, self.common.detail(self.verbose), &screen)?;
        }
        out.finish()?;
        if done.is_guess && is_written && !self.common.quiet {
            let name = done.target.release.name;
            log.note(&format!(
                "the file does not say which server wrote it, so it was written for {name}; --target names \
                 another"
            ));
        }
        if !done.report.damage.is_empty() {
            log.note(
                "rdbtool replay tells more; a file that is cut short is taken with --tolerate tail, commands \
                 that fail are passed over with --tolerate failed, and those that are not known carried \
                 over with --keep-unknown",
            );
            return Ok(Exit::Failed);
        }
        Ok(if done.report.has_losses() { Exit::Look } else { Exit::Clean })
    }
}
