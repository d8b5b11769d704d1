//! What verbs share that compare two files: which two, what counts, and the comparison itself.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Exit;
use super::args::{Common, LimitArgs, NowArgs};
use super::filter::FilterArgs;
use super::help::FAILED;
use super::load::{LoadArgs, load};
use super::session::{Format, Log, Session};
use crate::error::Error;
use crate::job::compare::{Comparison, Ignore, Options};
use crate::report::compare::Compared;

/// Exit status of what compares two files.
pub(super) const EXIT: &[(&str, &str)] = &[
    ("0", "They hold the same."),
    (
        "1",
        "They do not; or they do as far as they could be replayed, but one of them is damaged or has \
         commands that fail. rdbtool-replay(1) says which.",
    ),
    FAILED,
];

/// Two files, and what is compared of them.
#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// A file, a manifest or folder of an AOF, or - for standard input.
    #[arg(value_name = "A")]
    a: PathBuf,

    /// The other.
    #[arg(value_name = "B")]
    b: PathBuf,

    /// What is not compared. May be repeated, or a list with commas.
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    ignore: Vec<What>,

    #[command(flatten)]
    filter: FilterArgs,

    #[command(flatten)]
    load: LoadArgs,

    #[command(flatten)]
    now: NowArgs,

    #[command(flatten)]
    limits: LimitArgs,

    #[command(flatten)]
    pub(super) common: Common,
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

impl CompareArgs {
    fn options(&self) -> Options {
        let ignores = |what| self.ignore.contains(&what);
        let ignore = Ignore {
            ttl: ignores(What::Ttl),
            access: ignores(What::Access),
            groups: ignores(What::Groups),
            gone: false,
            functions: ignores(What::Functions),
        };
        Options { ignore, filter: self.filter.filter(), now_ms: self.now.ms() }
    }

    /// Replays both and compares what came of it; `report` tells of it.
    pub(super) fn run(
        &self,
        log: &Log,
        report: impl FnOnce(&mut Session<'_>, &Compared<'_>, &Comparison<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<Exit> {
        let options = self.load.options(&self.now, &self.limits, self.common.jobs());
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
                let clean = report.is_whole();
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
        let (left, right) = (left.store.look(), right.store.look());
        let comparison = Comparison::new(&left, &right, &self.options());
        let whole = *a_clean && *b_clean;
        let compared = Compared { a, b, counts: comparison.counts, whole };
        report(&mut session, &compared, &comparison)?;
        session.note(if comparison.counts.is_same() { Exit::Clean } else { Exit::Look });
        session.close()
    }
}
