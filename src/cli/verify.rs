//! `rdbtool verify`: do two files hold the same data?

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Exit;
use super::args::{Common, LimitArgs, NowArgs};
use super::help::{FAILED, Page};
use super::load::{LoadArgs, load};
use super::session::{Format, Log, Session};
use crate::error::Error;
use crate::job::verify::{Ignore, verify};
use crate::report::json;
use crate::report::verify::{self, FIELDS, VerifyJson, text};

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
    exit: &[
        ("0", "They hold the same."),
        (
            "1",
            "They do not; or they do as far as they could be replayed, but one of them is damaged or has \
             commands that fail. rdbtool-replay(1) says which.",
        ),
        FAILED,
    ],
    json: &[FIELDS],
};

/// Say whether two files hold the same data, and if not, which keys differ
///
/// The two may be of any kind that rdbtool-replay(1) takes. Both are replayed, and every key of the one is
/// looked for in the other: its type, its value, when it expires (fields of hashes too), its LRU or LFU
/// mark, and what a digest leaves out of streams: their ids, groups, consumers and pending entries.
/// Function libraries are compared by their code.
///
/// The order of keys and how values are encoded do not count, nor when consumers were last seen or
/// active, which no AOF holds.
#[derive(Debug, Args)]
#[command(after_help = PAGE.after_help())]
pub(crate) struct VerifyArgs {
    /// A file, a manifest or folder of an AOF, or - for standard input.
    #[arg(value_name = "A")]
    a: PathBuf,

    /// The other.
    #[arg(value_name = "B")]
    b: PathBuf,

    /// What is not compared. May be repeated, or a list with commas.
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    ignore: Vec<What>,

    /// Differences to list.
    #[arg(long, value_name = "N", default_value_t = 20)]
    max_differences: usize,

    #[command(flatten)]
    load: LoadArgs,

    #[command(flatten)]
    now: NowArgs,

    #[command(flatten)]
    limits: LimitArgs,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// When keys and fields expire.
    Ttl,
    /// LRU and LFU marks.
    Access,
    /// What streams keep beside their entries, and cursors of arrays.
    Groups,
    /// Function libraries.
    Functions,
}

impl VerifyArgs {
    /// Compares.
    pub(crate) fn run(self, log: &Log) -> anyhow::Result<Exit> {
        let options = self.load.options(&self.now, &self.limits, self.common.jobs());
        let ignores = |what| self.ignore.contains(&what);
        let ignore = Ignore {
            ttl: ignores(What::Ttl),
            access: ignores(What::Access),
            groups: ignores(What::Groups),
            gone: false,
            functions: ignores(What::Functions),
        };
        let paths = [self.a.clone(), self.b.clone()];
        let mut session = Session::new(&self.common, log, &paths)?;
        let mut sides = Vec::new();
        let tell = |name: &std::path::Path| {
            let name = name.display();
            log.note(&format!(
                "{name}: not all of it could be replayed; `rdbtool replay` says why"
            ));
        };
        session.each(
            Format::Detect,
            |opened| load(opened, &options),
            |_, file, report| {
                let clean = report.is_clean();
                if !clean && !self.common.quiet {
                    tell(file.path);
                }
                sides.push((file.path.to_path_buf(), report, clean));
                Ok(if clean { Exit::Clean } else { Exit::Look })
            },
        )?;
        let [(a, left, a_clean), (b, right, b_clean)] = sides.as_mut_slice() else {
            if session.has_failed() {
                return session.close();
            }
            let found = sides.len();
            anyhow::bail!(Error::Usage(format!(
                "two are compared, and these are {found}: name files, not folders of several"
            )));
        };
        let report = verify(&left.store.look(), &right.store.look(), ignore, self.max_differences);
        let verified = verify::Verified { a, b, report: &report, whole: *a_clean && *b_clean };
        if self.common.json {
            json::line(&mut session.out, &VerifyJson::new(&verified))?;
        } else {
            text(&mut session.out, &verified, self.common.quiet, &session.screen)?;
        }
        session.note(if report.is_same() { Exit::Clean } else { Exit::Look });
        session.close()
    }
}
