//! `rdbtool digest`: the fingerprint that a server would give of a file's data.

use std::path::PathBuf;

use clap::Args;

use super::Exit;
use super::args::{Common, LimitArgs, NowArgs};
use super::help::{FAILED, Page};
use super::load::{LoadArgs, load};
use super::session::{Format, Log, Session};
use crate::job::replay::{Release, Whose};
use crate::report::digest::{self, FIELDS, every_key, line};

/// Examples and exit status.
pub(crate) const PAGE: Page = Page {
    examples: &[
        ("rdbtool digest dump.rdb appendonlydir", "Do these hold the same data?"),
        (
            "test \"$(rdbtool digest - < dump.rdb | cut -c1-40)\" = \"$(redis-cli DEBUG DIGEST)\"",
            "Is this what the server holds?",
        ),
        ("rdbtool digest --as redis-7.0 dump.rdb", "As that server would give it."),
        ("rdbtool digest --per-key dump.rdb | jq -r .digest", "DEBUG DIGEST-VALUE of each key."),
    ],
    exit: &[
        ("0", "The digest is that of the whole file."),
        (
            "1",
            "It is that of what could be replayed: commands failed, or the file is damaged. \
             rdbtool-replay(1) says more.",
        ),
        FAILED,
    ],
    json: &[FIELDS],
};

/// Print the fingerprint of a file's data, as DEBUG DIGEST does
///
/// A line for each file, like those of sha1sum: forty hexadecimal digits and the name. They are those that
/// DEBUG DIGEST gives on a server that holds the data, whatever the order of keys, their encodings, or the
/// kind of file. Times to live count by whether there is one, LRU, LFU and the groups of streams not at
/// all; rdbtool-verify(1) compares these too. Keys that have expired count as long as they are there: see
/// --expired.
///
/// Servers do not all write a score with the same digits: from Redis 7.2 on and in every Valkey they are
/// shorter than before. The server whose digest is printed is the one that wrote the file, by what an RDB
/// says of itself, else the newest. That one's rules are also those by which an AOF is replayed; of an AOF
/// that names no server they are those of --as.
#[derive(Debug, Args)]
#[command(after_help = PAGE.after_help())]
pub(crate) struct DigestArgs {
    /// RDBs, AOFs and JSON Lines: files, folders, manifests of AOFs, or - for standard input.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// The digest of this server, such as redis-7.0 or valkey-9.1.
    #[arg(long = "as", value_name = "SERVER", value_parser = release)]
    server: Option<Release>,

    /// A JSON object for each key, with its DEBUG DIGEST-VALUE, by database and name.
    #[arg(long)]
    per_key: bool,

    #[command(flatten)]
    load: LoadArgs,

    #[command(flatten)]
    now: NowArgs,

    #[command(flatten)]
    limits: LimitArgs,

    #[command(flatten)]
    common: Common,
}

fn release(name: &str) -> Result<Release, String> {
    Release::named(name).ok_or_else(|| "expected a server such as redis-7.0 or valkey-9.1".into())
}

impl DigestArgs {
    /// Prints the digest of every file.
    pub(crate) fn run(self, log: &Log) -> anyhow::Result<Exit> {
        let mut options = self.load.options(&self.now, &self.limits, self.common.jobs());
        options.whose = Whose::Writer(self.server);
        let jobs = self.common.jobs();
        let mut session = Session::new(&self.common, log, &self.paths)?;
        session.each(
            Format::Detect,
            |opened| load(opened, &options),
            |session, file, mut report| {
                let clean = report.is_whole();
                let server = self.server.or(report.written_by()).unwrap_or_default();
                let style = server.digest_style(options.now_ms);
                let out = &mut session.out;
                if self.per_key {
                    every_key(out, file, &mut report, style)?;
                } else {
                    let digest = digest::Digest { file, server, style, clean };
                    line(out, &digest, &mut report, jobs, self.common.json)?;
                }
                if !clean && !self.common.quiet {
                    let name = file.path.display();
                    log.note(&format!(
                        "{name}: not all of it could be replayed; `rdbtool replay` says why"
                    ));
                }
                Ok(if clean { Exit::Clean } else { Exit::Look })
            },
        )?;
        session.close()
    }
}
