//! Repairing a file by the seal that lies beside it, before anything else is tried.

use std::path::Path;

use super::Exit;
use super::fix::FixArgs;
use crate::error::{Error, Result};
use crate::job::check;
use crate::job::seal::Subject;
use crate::job::seal::find::{Survey, survey};
use crate::job::seal::mend::{can_mend, mend};
use crate::persist::real::RealFs;
use crate::persist::replace::Replaced;

/// What became of a file.
#[derive(Debug)]
pub(super) struct Sealed {
    /// What its seal says.
    pub(super) survey: Survey,
    /// The file that was written.
    pub(super) written: Option<Replaced>,
    /// How it ended.
    pub(super) exit: Exit,
}

/// Repairs a file as far as its seal can; `None` if there is nothing for it to heal. `alone` if the file is
/// not one of several.
///
/// # Errors
/// When it cannot be read or written.
pub(super) fn repair(
    fix: &FixArgs,
    path: &Path,
    alone: bool,
    out: Option<&Path>,
    check: &check::Options,
) -> Result<Option<Sealed>> {
    let Some(subject) = Subject::if_sealed(&RealFs, path) else { return Ok(None) };
    let survey = survey(&RealFs, &subject, check.limits, check.jobs)?;
    if !can_mend(&survey) {
        return Ok(None);
    }
    if out.is_some() && !alone {
        let why = "its seal heals it, in place; for a copy name this file alone";
        return Err(Error::refused(path, why));
    }
    let (_, how) = fix.how(out.is_none());
    let written = match fix.dry_run {
        true => None,
        false => Some(mend(&RealFs, &subject, &survey, out, how)?),
    };
    let exit = if survey.cure.is_proven && written.is_some() { Exit::Clean } else { Exit::Look };
    Ok(Some(Sealed { survey, written, exit }))
}
