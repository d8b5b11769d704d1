//! What a repair could do about an AOF that a check found damaged.

use std::path::Path;

use super::found::Depth;
use super::plan::{Consent, Plan};
use super::{Options, Set, plan};
use crate::job::check::Verdict;
use crate::job::repair_rdb::prospect::LOOKED_MAX;
use crate::job::{check_aof, check_set};
use crate::persist::fs::Fs;

/// The plan of a repair of one file that goes as far as it can; `None` for a file that needs none or is too
/// large, and where none can be made: a check does not fail for that.
pub fn prospect(
    fs: &dyn Fs,
    path: &Path,
    report: &check_aof::Report,
    check: &check_aof::Options,
) -> Option<Plan> {
    of(fs, || Some(Set::file(path)), report.verdict(), report.size, check)
}

/// The same of an AOF of several files.
pub fn set_prospect(
    fs: &dyn Fs,
    report: &check_set::Report,
    check: &check_aof::Options,
) -> Option<Plan> {
    let size = report.parts.iter().map(|part| part.report.size).sum();
    let path = report.set.manifest_path();
    of(fs, || Set::read(fs, &path).ok(), report.verdict(), size, check)
}

fn of(
    fs: &dyn Fs,
    set: impl FnOnce() -> Option<Set>,
    verdict: Verdict,
    size: u64,
    check: &check_aof::Options,
) -> Option<Plan> {
    if verdict != Verdict::Damaged || size > LOOKED_MAX || !check.rdb.filter.is_open() {
        return None;
    }
    let depth = Some(Depth::Salvage);
    let options = Options {
        check: check.clone(),
        until: None,
        consent: Consent::default(),
        depth,
        unknown_dbs: Vec::new(),
    };
    let plan = plan(fs, &set()?, &options).ok()?;
    (plan.is_agreed() && !plan.has_nothing_to_do()).then_some(plan)
}
