//! `rdbtool repair`: a sound file from a damaged one.

use std::path::PathBuf;

use clap::Args;

use super::Exit;
use super::args::{Common, LimitArgs, NowArgs};
use super::fix::FixArgs;
use super::fix_payload;
use super::help::Page;
use super::session::Log;
use crate::error::Error;
use crate::job::{check, check_aof};
use crate::report::{payload, repair_json, repair_rdb_json, seal};

/// Examples and exit status.
pub(crate) const PAGE: Page = Page {
    examples: &[
        ("rdbtool repair --dry-run appendonlydir", "What would be done, and what would be lost?"),
        (
            "rdbtool repair --in-place appendonly.aof",
            "Cut off its damaged end, which is kept as appendonly.aof.tail-OFFSET.",
        ),
        (
            "rdbtool repair -o /restore/appendonlydir appendonlydir",
            "A sound copy; nothing changes in the old folder.",
        ),
        (
            "rdbtool repair --in-place --until 2026-11-22T14:00:00Z appendonlydir",
            "Go back to before the FLUSHALL.",
        ),
        (
            "rdbtool repair --salvage --dry-run dump.rdb",
            "Which keys of a damaged RDB can be had back, and which not?",
        ),
        (
            "rdbtool repair --salvage -o found.aof --lost pieces appendonly.aof",
            "An AOF of all commands that can be read, also behind damage; what cannot be goes into pieces.",
        ),
        (
            "rdbtool repair --salvage -o found.rdb --lost pieces dump.rdb",
            "A new RDB of all keys that can be read; what cannot be goes into the folder pieces.",
        ),
        (
            "rdbtool repair --payload -o healed.dump user.dump",
            "A payload of DUMP that RESTORE refuses for its checksum.",
        ),
    ],
    exit: &[
        (
            "0",
            "It is sound now, and nothing was lost, or nothing but NUL bytes: an RDB that its own checksum \
               healed, too.",
        ),
        (
            "1",
            "It is sound now and something was lost, or a byte of an AOF was changed, or something is \
               wrong still, or it was salvaged, which nothing vouches for; with --dry-run, there is \
               something to repair.",
        ),
        ("2", "Nothing was changed: wrong usage, an error, or a loss that was not agreed to."),
    ],
    json: &[repair_json::FIELDS, repair_rdb_json::FIELDS, seal::FIELDS, payload::FIELDS],
};

/// Make a sound file of a damaged AOF or RDB
///
/// Of an AOF it first looks for the one byte, of a count, a length, a line end or a name, that makes known
/// commands of what is none; it is changed only if there is no other, and nothing is lost then. What is
/// still damaged is cut off: behind the last whole command that is in no open transaction. Bytes that are
/// cut off in place are saved beside the file first, and nothing is ever deleted. Of a multi-part AOF the
/// damaged part is repaired wherever it is; if whole parts behind it would be lost by that, it is not done
/// unless that is agreed to.
///
/// With --salvage an AOF keeps what is behind the damage too, of all its parts and of the RDB it begins with:
/// commands that servers know, as servers write them, and transactions only as a whole. The result is
/// suspect: commands beside a gap and later ones on keys of lost commands are named. A gap may have hidden a
/// SELECT: behind it commands are taken to be on the database whose keys they fit, and it is said from where
/// on that is so.
///
/// An RDB is healed by its own checksum where that is possible: it tells which bit or which few bytes
/// changed, and nothing is lost. A change is made only if the whole file is sound with it and fewer than one
/// of a million files damaged otherwise would have a change as short; others are shown, and made with
/// --accept-doubt. An RDB that was cut short is closed behind its last whole key. With --salvage every key
/// that can be read is kept, also behind damage in the middle, and the result is suspect: nothing vouches
/// for it. Keys are left out if the counts in the file tell that they are of another database than those
/// before a gap, and its number is lost; --unknown-db names it. A repair in place keeps the old RDB as NAME.bak-TIME.
///
/// What the seal of a file can heal (rdbtool-seal(1)) is healed first, in a file of any kind.
///
/// Files are replaced so that a crash leaves the old or the new one, and not while a server has them open.
#[derive(Debug, Args)]
#[command(after_help = PAGE.after_help())]
pub(crate) struct RepairArgs {
    /// An RDB, an AOF, the manifest of a multi-part one, its folder, or a server's data folder.
    #[arg(value_name = "PATH")]
    path: PathBuf,

    /// Change the file itself. Otherwise name a new file or folder with -o.
    #[arg(long, conflicts_with = "output")]
    in_place: bool,

    /// PATH is what DUMP gave for one key, such as `redis-cli --raw DUMP key` writes it, or the argument of a
    /// RESTORE that a server refuses: heal it by the checksum that it ends with.
    #[arg(long, conflicts_with_all = ["salvage", "recovery", "until", "lost", "keep_later", "accept_loss"])]
    payload: bool,

    #[command(flatten)]
    fix: FixArgs,

    #[command(flatten)]
    now: NowArgs,

    #[command(flatten)]
    limits: LimitArgs,

    #[command(flatten)]
    common: Common,
}

impl RepairArgs {
    /// Repairs.
    pub(crate) fn run(self, log: &Log) -> anyhow::Result<Exit> {
        let out = self.common.output.as_deref();
        if out.is_none() && !self.in_place && !self.fix.dry_run {
            let why = "say where to: -o OUT for a new file or folder, or --in-place; --dry-run only \
                       tells what would be done";
            anyhow::bail!(Error::Usage(why.to_owned()));
        }
        if self.payload {
            let limits = self.limits.limits();
            return fix_payload::repair(&self.fix, &self.path, out, limits, &self.common);
        }
        let rdb = check::Options {
            limits: self.limits.limits(),
            jobs: self.common.jobs(),
            now_ms: self.now.ms(),
            ..check::Options::default()
        };
        let check = check_aof::Options { rdb, ..check_aof::Options::default() };
        self.fix.run(&[self.path], out, &check, &self.common, None, log)
    }
}
