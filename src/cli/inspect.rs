//! `rdbtool inspect`: what is in a file?

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::Exit;
use super::args::{Common, LimitArgs, NowArgs};
use super::filter::FilterArgs;
use super::help::{FAILED, Page};
use super::session::{Format, Log, Opened, Session};
use crate::job::inspect::{Options, inspect_rdb};
use crate::report::facts::File;
use crate::report::inspect::{is_damaged, text};
use crate::report::inspect_json::{self, InspectJson};
use crate::report::{facts_json, json};

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
        ("rdbtool inspect --json dump.rdb | jq .types.hash", "For a program."),
    ],
    exit: &[
        ("0", "The file was read to its end."),
        ("1", "It is damaged; what could be read is told. rdbtool-check(1) says more."),
        FAILED,
    ],
    json: &[facts_json::FIELDS, inspect_json::FIELDS],
};

/// Tell what is in a file
///
/// Reads an RDB once, in constant memory, and tells who wrote it and when, how many keys of which type and
/// encoding it holds in which database and what they take in the file, when they expire, which are the
/// biggest, what their prefixes are, and what functions and consumer groups there are.
///
/// Sizes are bytes in the file; in memory most keys take more. Median and p99 are exact to two digits.
#[derive(Debug, Args)]
#[command(after_help = PAGE.after_help())]
pub(crate) struct InspectArgs {
    /// Files, folders, or - for standard input.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// How many of the biggest keys, prefixes and streams to list.
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
    /// Inspects what is detected to be an RDB.
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
            |opened| match opened {
                Opened::File(source, input) => inspect_rdb(source, input, &options),
                Opened::Set(set, _) => Err(crate::error::Error::Usage(format!(
                    "{}: an AOF of several files",
                    set.manifest().display()
                ))),
            },
            |session, file, report| {
                let file = File { filtered, ..*file };
                let out = &mut session.out;
                if self.common.json {
                    json::line(out, &InspectJson::new(&file, &report, options.top))?;
                } else {
                    if !std::mem::take(&mut first) {
                        writeln!(out)?;
                    }
                    text(out, &file, &report, options.now_ms, options.top, &session.screen)?;
                }
                Ok(if is_damaged(&report) { Exit::Look } else { Exit::Clean })
            },
        )?;
        session.close()
    }
}
