//! Repairing an RDB from the command line.

use std::path::{Path, PathBuf};

use super::Exit;
use super::fix::FixArgs;
use crate::job::check;
use crate::job::repair_rdb::plan::{Damaged, Options};
use crate::job::repair_rdb::run::{Writing, run};
use crate::persist::real::RealFs;
use crate::report::repair::Outcome;
use crate::report::repair_rdb::RdbRepair;

/// Repairs an RDB, or says what would be done.
///
/// # Errors
/// When it cannot be read or written.
pub(super) fn repair(
    fix: &FixArgs,
    damaged: &Damaged,
    out: Option<&Path>,
    check: &check::Options,
) -> crate::error::Result<(RdbRepair, Exit)> {
    let options = options(fix, check);
    let plan = damaged.plan(&options)?;
    let outcome = match (fix.dry_run, plan.is_agreed()) {
        (_, false) => Outcome::Refused,
        (true, true) => Outcome::Planned,
        (false, true) => Outcome::Done(run(&RealFs, damaged, &plan, &options, &writing(fix, out))?),
    };
    let repair = RdbRepair { plan, outcome };
    let exit = match &repair.outcome {
        Outcome::Refused => Exit::Failed,
        _ if repair.is_worth_a_look() => Exit::Look,
        _ => Exit::Clean,
    };
    Ok((repair, exit))
}

/// How to repair.
pub(super) fn options(fix: &FixArgs, check: &check::Options) -> Options {
    Options {
        check: check.clone(),
        recovery: fix.recovery(),
        accept_doubt: fix.accept_doubt,
        accept_loss: fix.accept_loss,
        unknown_dbs: fix.unknown_db.clone(),
    }
}

fn writing(fix: &FixArgs, out: Option<&Path>) -> Writing {
    // Of an RDB that is replaced the whole old file stays.
    let (_, how) = fix.how(out.is_none());
    Writing { out: out.map(PathBuf::from), lost: fix.lost.clone(), how }
}
