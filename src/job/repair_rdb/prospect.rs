//! What a repair could do about a file that a check found damaged.

use std::path::Path;

use super::plan::{Damaged, Options, Plan};
use crate::finding::{Code, Severity};
use crate::job::check::{self, Report};
use crate::job::recovery::Recovery;
use crate::persist::fs::Fs;

/// Bytes of a file for which a check takes the time to find out: a plan reads it a few times more.
pub const LOOKED_MAX: u64 = 256 << 20;

/// The plan of a repair that goes as far as it can; `None` for a file that needs none or is too large, and
/// where none can be made: a check does not fail for that.
pub fn prospect(fs: &dyn Fs, path: &Path, report: &Report, check: &check::Options) -> Option<Plan> {
    let is_damage = |code: Code| code.severity() == Severity::Error || code == Code::TrailingBytes;
    let damaged = report.findings.iter().any(|finding| is_damage(finding.code));
    if !damaged || report.outcome.size > LOOKED_MAX || !check.filter.is_open() {
        return None;
    }
    let options =
        Options { check: check.clone(), recovery: Recovery::Salvage, ..Options::default() };
    let plan = Damaged::open(fs, path).and_then(|file| file.plan(&options)).ok()?;
    (plan.is_agreed() && !plan.has_nothing_to_do()).then_some(plan)
}
