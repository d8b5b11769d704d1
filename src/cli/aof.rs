//! `rdbtool aof check`, `inspect` and `rewrite`: the same jobs with the format named, as scripts know
//! them; and what there is for AOFs alone. What is named an AOF is read as one, whatever its first bytes
//! say.

use clap::{Args, Subcommand};

use super::Exit;
use super::aof_log::AofLogArgs;
use super::check::CheckArgs;
use super::help::{FAILED, Page};
use super::inspect::InspectArgs;
use super::rewrite::RewriteArgs;
use super::session::{Format, Log};

/// Examples and exit status.
pub(crate) const PAGE: Page = Page {
    examples: &[
        ("rdbtool aof check /var/lib/redis/appendonly.aof", "Check it as an AOF."),
        (
            "rdbtool aof check --json appendonlydir",
            "An AOF of several files, with its manifest; for a program.",
        ),
        ("rdbtool aof inspect appendonlydir", "What is in it?"),
        ("rdbtool aof log appendonlydir", "All its commands, one a line."),
    ],
    exit: &[
        ("0", "Done, and all is well."),
        ("1", "Done, and there is something to look at."),
        FAILED,
    ],
    json: &[],
};

/// Check, inspect, rewrite or list a file as an AOF, whatever it looks like
///
/// For what the verbs do see rdbtool-check(1), rdbtool-inspect(1), rdbtool-rewrite(1) and rdbtool-aof-log(1). With these names a
/// file which does not begin like an AOF is reported as a damaged AOF instead of being told from an RDB; an
/// RDB is the preamble of an AOF without commands.
#[derive(Debug, Args)]
#[command(after_help = PAGE.after_help())]
pub(crate) struct AofArgs {
    #[command(subcommand)]
    verb: AofVerb,
}

#[derive(Debug, Subcommand)]
enum AofVerb {
    Check(CheckArgs),
    Inspect(InspectArgs),
    Rewrite(RewriteArgs),
    Log(AofLogArgs),
}

impl AofArgs {
    /// Runs the verb.
    pub(crate) fn run(self, log: &Log) -> anyhow::Result<Exit> {
        match self.verb {
            AofVerb::Check(args) => args.run_as(Format::Aof, log),
            AofVerb::Inspect(args) => args.run_as(Format::Aof, log),
            AofVerb::Rewrite(args) => args.run(log),
            AofVerb::Log(args) => args.run(log),
        }
    }
}
