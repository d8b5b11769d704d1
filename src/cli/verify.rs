//! `rdbtool verify`: do two files hold the same data?

use clap::Args;

use super::Exit;
use super::compare::{CompareArgs, EXIT};
use super::help::Page;
use super::session::Log;
use crate::report::json;
use crate::report::verify::{FIELDS, VerifyJson, text};

/// Examples and exit status.
pub(crate) const PAGE: Page = Page {
    examples: &[
        ("rdbtool verify dump.rdb appendonlydir", "Does the AOF hold what the RDB holds?"),
        (
            "rdbtool verify --ignore access old.rdb new.rdb && rm old.rdb",
            "Use counters may differ; nothing else.",
        ),
        ("rdbtool verify --json a.rdb b.rdb | jq '.differences[]'", "For a program."),
    ],
    exit: EXIT,
    json: &[FIELDS],
};

/// Say whether two files hold the same data, and if not, which keys differ
///
/// The two may be of any kind that rdbtool-replay(1) takes. Both are replayed, and every key of the one is
/// looked for in the other: its type, its value, when it expires (fields of hashes too), its LRU or LFU
/// mark, and what a digest leaves out of streams: their ids, groups, consumers and pending entries.
/// Function libraries are compared by their code. rdbtool-diff(1) shows all that changed.
///
/// The order of keys and how values are encoded do not count, nor when consumers were last seen or
/// active, which no AOF holds.
#[derive(Debug, Args)]
#[command(after_help = PAGE.after_help())]
pub(crate) struct VerifyArgs {
    /// Differences to list.
    #[arg(long, value_name = "N", default_value_t = 20)]
    max_differences: usize,

    #[command(flatten)]
    compare: CompareArgs,
}

impl VerifyArgs {
    /// Compares.
    pub(crate) fn run(self, log: &Log) -> anyhow::Result<Exit> {
        let common = &self.compare.common;
        self.compare.run(log, |session, compared, comparison| {
            let told: Vec<_> = comparison.differences(1).take(self.max_differences).collect();
            if common.json {
                json::line(&mut session.out, &VerifyJson::new(compared, &told))?;
            } else {
                text(&mut session.out, compared, &told, common.quiet, &session.screen)?;
            }
            Ok(())
        })
    }
}
