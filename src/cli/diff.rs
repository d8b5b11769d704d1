//! `rdbtool diff`: what changed between two files?

use clap::Args;

use super::Exit;
use super::compare::{CompareArgs, EXIT};
use super::help::Page;
use super::session::Log;
use crate::report::diff::{Detail, text};
use crate::report::diff_json::{FIELDS, lines};

/// Keys and edits of a key that are listed in text, unless something else is asked for.
const DIFFERENCES: usize = 100;
const EDITS: usize = 10;

/// Examples and exit status.
pub(crate) const PAGE: Page = Page {
    examples: &[
        ("rdbtool diff yesterday.rdb today.rdb", "What changed since yesterday?"),
        (
            "rdbtool diff --ignore ttl,access backup.rdb salvaged.rdb",
            "What did the salvage lose, against the last backup?",
        ),
        (
            "rdbtool diff --names-only --key 'session:*' a.rdb appendonlydir",
            "Only the names of keys, and only of some.",
        ),
        (
            "rdbtool diff --json a.rdb b.rdb | jq -r 'select(.change == \"removed\").key'",
            "For a program.",
        ),
    ],
    exit: EXIT,
    json: &[FIELDS],
};

/// Show what changed between two files: keys, and in them fields, members, items and entries
///
/// From A to B: keys that were removed (-), added (+) and changed (~), and of a key that changed what did:
/// fields of a hash, members of a set, members of a sorted set with their scores, items of a list with
/// their indexes, entries of a stream with its groups, consumers and pending entries, the bytes of a
/// string from before the first that differs, and when it expires. What counts as a difference, and which
/// files may be compared, is the same as in rdbtool-verify(1).
///
/// Of a list the fewest edits are shown, or nearly the fewest. Where more than 200,000 items are left
/// between the beginning and the end that both lists share, positions are compared one by one instead,
/// and that is said.
///
/// Both files are held in memory as a server would hold them, about 50 bytes more for every key that
/// differs, and while a large value that changed is told of some 150 bytes more for each of its elements.
/// What is beyond --max-differences and --max-edits is counted, and how much that is comes last.
#[derive(Debug, Args)]
#[command(after_help = PAGE.after_help())]
pub(crate) struct DiffArgs {
    /// Only the names of keys, each with what happened to it: - removed, + added, ~ changed.
    #[arg(long)]
    names_only: bool,

    /// Keys to list. The default is 100; with --json or --names-only, all.
    #[arg(long, value_name = "N")]
    max_differences: Option<usize>,

    /// Edits to list of each value. The default is 10; with --json, all.
    #[arg(long, value_name = "N")]
    max_edits: Option<usize>,

    #[command(flatten)]
    compare: CompareArgs,
}

impl DiffArgs {
    /// Compares.
    pub(crate) fn run(self, log: &Log) -> anyhow::Result<Exit> {
        let common = &self.compare.common;
        let or_all = |given: Option<usize>, default, all: bool| {
            given.unwrap_or(if all { usize::MAX } else { default })
        };
        let names_only = self.names_only;
        let detail = Detail {
            quiet: common.quiet,
            names_only,
            differences: or_all(self.max_differences, DIFFERENCES, common.json || names_only),
        };
        let edits = if names_only { 0 } else { or_all(self.max_edits, EDITS, common.json) };
        self.compare.run(log, |session, compared, comparison| {
            let differences = comparison.differences(edits);
            if common.json {
                lines(&mut session.out, compared, differences, detail)?;
            } else {
                text(&mut session.out, compared, differences, detail, &session.screen)?;
            }
            Ok(())
        })
    }
}
