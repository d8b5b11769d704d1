//! `rdbtool rdb check` and `rdbtool rdb inspect`: the same jobs with the format named, as scripts know
//! them. What is named an RDB is read as one, whatever its first bytes say.

use clap::{Args, Subcommand};

use super::Exit;
use super::check::CheckArgs;
use super::help::{FAILED, Page};
use super::inspect::InspectArgs;
use super::session::{Format, Log};

/// Examples and exit status.
pub(crate) const PAGE: Page = Page {
    examples: &[
        (
            "rdbtool rdb check /var/lib/redis/dump.rdb",
            "Check it as an RDB, even if it looks like none.",
        ),
        ("rdbtool rdb inspect --json dump.rdb", "What is in it, for a program."),
    ],
    exit: &[
        ("0", "Done, and all is well."),
        ("1", "Done, and there is something to look at."),
        FAILED,
    ],
    json: &[],
};

/// Check or inspect a file as an RDB, whatever it looks like
///
/// Options are those of the verbs: see rdbtool-check(1) and rdbtool-inspect(1). The only difference is
/// that a file which does not begin like an RDB is reported as a damaged RDB instead of being told from
/// an AOF.
#[derive(Debug, Args)]
#[command(after_help = PAGE.after_help())]
pub(crate) struct RdbArgs {
    #[command(subcommand)]
    verb: RdbVerb,
}

#[derive(Debug, Subcommand)]
enum RdbVerb {
    Check(CheckArgs),
    Inspect(InspectArgs),
}

impl RdbArgs {
    /// Runs the verb.
    pub(crate) fn run(self, log: &Log) -> anyhow::Result<Exit> {
        match self.verb {
            RdbVerb::Check(args) => args.run_as(Format::Rdb, log),
            RdbVerb::Inspect(args) => args.run_as(Format::Rdb, log),
        }
    }
}
