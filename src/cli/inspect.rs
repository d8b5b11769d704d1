//! `rdbtool inspect`: what is in a file?

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::Exit;
use super::args::{Common, LimitArgs, NowArgs};
use super::filter::FilterArgs;
use super::help::{FAILED, Page};
use super::output::Output;
use super::session::{Format, Log, Opened, Session};
use crate::job::inspect::{Options, inspect_rdb};
use crate::job::inspect_aof::{self as job, Inspected};
use crate::report::facts::File;
use crate::report::inspect_aof_json::{self, InspectAofJson};
use crate::report::inspect_json::{self, InspectJson};
use crate::report::{facts_json, inspect, inspect_aof, json};

/// Examples and exit status.
pub(crate) const PAGE: Page = Page {
    examples: &[
        ("rdbtool inspect dump.rdb", "Everything about it, on one screen or two."),
        (
            "rdbtool inspect --type hash --min-size 1mb --top 50 dump.rdb",
            "The fifty biggest hashes.",
        ),
        (
            "rdbtool inspect --ttl none --depth 2 dump.rdb",
            "Which keys never expire, by their first two parts?",
        ),
        (
            "rdbtool inspect /var/lib/redis/appendonlydir",
            "An AOF: which commands, how many, how fast, and would a rewrite be worth it?",
        ),
        ("rdbtool inspect --json dump.rdb | jq .types.hash", "For a program."),
    ],
    exit: &[
        ("0", "The file was read to its end."),
        ("1", "It is damaged; what could be read is told. rdbtool-check(1) says more."),
        FAILED,
    ],
    json: &[facts_json::FIELDS, inspect_json::FIELDS, inspect_aof_json::FIELDS],
};

/// Tell what is in a file
///
/// Reads every file once, in constant memory. Of an RDB it tells who wrote it and when, how many keys of
/// which type and encoding it holds in which database and what they take in the file, when they expire,
/// which are the biggest, what their prefixes are, and what functions and consumer groups there are.
/// Sizes are bytes in the file; in memory most keys take more. Median and p99 are exact to two digits.
///
/// Of an AOF it tells which commands there are, how many and of how many bytes, on which databases and
/// keys, which commands are the biggest and which keys the busiest, how many there were over time where
/// the file has timestamps, and how much a rewrite would drop. The last is an estimate, made without
/// running a command; that of keys is within two percent. The files of an AOF that a manifest names
/// are taken together. Of an RDB that an AOF begins with it tells what it tells of any RDB.
///
/// The conditions on keys choose the commands that have such a key; a command without a key passes if no
/// key is asked for. The size is that of the command; commands have neither type nor expire, so --type
/// chooses none of them.
#[derive(Debug, Args)]
#[command(after_help = PAGE.after_help())]
pub(crate) struct InspectArgs {
    /// Files, folders, or - for standard input.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// How many of the biggest keys, prefixes, streams and commands to list.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(..=100_000))]
    top: u32,

    /// What separates the parts of a key's name.
    #[arg(long, value_name = "TEXT", default_value = ":")]
    prefix_separator: String,

    /// How many parts make a prefix.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    depth: u16,

    #[command(flatten)]
    now: NowArgs,

    #[command(flatten)]
    filter: FilterArgs,

    #[command(flatten)]
    limits: LimitArgs,

    #[command(flatten)]
    common: Common,
}

impl InspectArgs {
    /// Inspects every file as what it is.
    pub(crate) fn run(self, log: &Log) -> anyhow::Result<Exit> {
        self.run_as(Format::Detect, log)
    }

    /// Inspects.
    pub(crate) fn run_as(self, format: Format, log: &Log) -> anyhow::Result<Exit> {
        let options = Options {
            limits: self.limits.limits(),
            jobs: self.common.jobs(),
            filter: self.filter.filter(),
            now_ms: self.now.ms(),
            top: usize::try_from(self.top).unwrap_or(usize::MAX),
            separator: self.prefix_separator.clone().into_bytes(),
            depth: usize::from(self.depth),
        };
        let filtered = !options.filter.is_open();
        let mut session = Session::new(&self.common, log, &self.paths)?;
        let mut first = true;
        session.each(
            format,
            |opened| inspected(opened, format, &options),
            |session, file, found| {
                let file = File { filtered, ..*file };
                if self.common.json {
                    line(&mut session.out, &file, &found, options.top)?;
                } else {
                    if !std::mem::take(&mut first) {
                        writeln!(session.out)?;
                    }
                    text(session, &file, &found, &options)?;
                }
                let is_damaged = match &found {
                    Inspected::Rdb(report) => inspect::is_damaged(report),
                    Inspected::Aof(report) => inspect_aof::is_damaged(report),
                };
                Ok(if is_damaged { Exit::Look } else { Exit::Clean })
            },
        )?;
        session.close()
    }
}

fn inspected(
    opened: Opened<'_>,
    format: Format,
    options: &Options,
) -> crate::error::Result<Inspected> {
    let aof = |report| Inspected::Aof(Box::new(report));
    match opened {
        Opened::Set(set, watch) => job::inspect_set(set, options, move |read| watch(read)).map(aof),
        Opened::File(source, input) => match format {
            Format::Detect => job::inspect_detected(source, input, options),
            Format::Aof => job::inspect_aof(source, input, options).map(aof),
            Format::Rdb => {
                let report = inspect_rdb(source, input, options)?;
                Ok(Inspected::Rdb(Box::new(report)))
            }
        },
    }
}

fn text(
    session: &mut Session<'_>,
    file: &File<'_>,
    found: &Inspected,
    options: &Options,
) -> std::io::Result<()> {
    let (out, screen) = (&mut session.out, &session.screen);
    let Options { now_ms, top, .. } = *options;
    match found {
        Inspected::Rdb(report) => inspect::text(out, file, report, now_ms, top, screen),
        Inspected::Aof(report) => inspect_aof::text(out, file, report, now_ms, top, screen),
    }
}

fn line(out: &mut Output, file: &File<'_>, found: &Inspected, top: usize) -> std::io::Result<()> {
    match found {
        Inspected::Rdb(report) => json::line(out, &InspectJson::new(file, report, top)),
        Inspected::Aof(report) => json::line(out, &InspectAofJson::new(file, report, top)),
    }
}
