//! Is a multi-part AOF sound, and what would a server do with it? Its manifest and folder are judged, and
//! every file that a server loads is checked as the AOF it is.

use std::ffi::OsString;
use std::path::Path;

use super::check::Verdict;
use super::check_aof::{self, check_aof};
use super::parts::open_part;
use crate::aof::folder::Folder;
use crate::aof::manifest::Kind;
use crate::aof::set::{Part, Set};
use crate::error::{Error, Result};
use crate::finding::{Code, Finding, Severity, shown};

/// What a check found in a multi-part AOF.
#[derive(Debug)]
pub struct Report {
    /// Its manifest and folder, with what is wrong with them.
    pub set: Set,
    /// The files a server loads, in its order, as far as they could be opened.
    pub parts: Vec<PartReport>,
    /// What follows from all of it.
    pub findings: Vec<Finding>,
}

/// What a check found in one of its files.
#[derive(Debug)]
pub struct PartReport {
    /// The file's name.
    pub name: OsString,
    /// What it is.
    pub kind: Kind,
    /// Its number.
    pub seq: i64,
    /// What is in it.
    pub report: check_aof::Report,
}

impl Report {
    /// The outcome in a word.
    pub fn verdict(&self) -> Verdict {
        let parts = self.parts.iter().map(|part| part.report.verdict());
        let own = self.own_findings().map(|finding| match finding.severity() {
            Severity::Error => Verdict::Damaged,
            Severity::Warning => Verdict::Warnings,
            Severity::Note => Verdict::Ok,
        });
        parts.chain(own).max().unwrap_or(Verdict::Ok)
    }

    /// What is wrong with the manifest, the folder and the whole, but not inside a file.
    pub fn own_findings(&self) -> impl Iterator<Item = &Finding> {
        self.set.manifest_findings.iter().chain(&self.set.findings).chain(&self.findings)
    }
}

/// Checks the AOF with the given `F` in a folder. `watch` is told how many bytes were read, of all files.
///
/// # Errors
/// When the folder, its manifest or one of its files cannot be read.
pub fn check_set(
    folder: &Path,
    stem: &[u8],
    options: &check_aof::Options,
    watch: impl Fn(u64) + Clone + Send + 'static,
) -> Result<Report> {
    let failed = |err| Error::io(folder, "read", err);
    let set = Folder::open(folder).and_then(|folder| Set::open(folder, stem)).map_err(failed)?;
    let mut report = Report { set, parts: Vec::new(), findings: Vec::new() };
    let mut before = 0;
    for part in report.set.parts.iter().filter(|part| part.is_loaded()) {
        let watch = watch.clone();
        let checked = check_part(&report.set, part, options, move |read| watch(before + read))?;
        before += checked.as_ref().map_or(0, |part| part.report.size);
        report.parts.extend(checked);
    }
    report.findings = not_last(&report.parts);
    Ok(report)
}

/// Checks a file, if it is one: what else it may be is a finding already.
fn check_part(
    set: &Set,
    part: &Part,
    options: &check_aof::Options,
    watch: impl Fn(u64) + Send + 'static,
) -> Result<Option<PartReport>> {
    if !matches!(part.node, Some(crate::aof::folder::Node::File(_))) {
        return Ok(None);
    }
    let (source, input) = open_part(set, part, watch)?;
    let report = check_aof(source, &input, options)?;
    let name = part.name().to_owned();
    Ok(Some(PartReport { name, kind: part.entry.kind, seq: part.entry.seq, report }))
}

/// Files that end too early though others follow.
fn not_last(parts: &[PartReport]) -> Vec<Finding> {
    let Some((_, earlier)) = parts.split_last() else { return Vec::new() };
    let ends_early = |part: &&PartReport| part.report.ends_early();
    let finding = |part: &PartReport| {
        use std::os::unix::ffi::OsStrExt;
        let found = format!(
            "{} ends early; a server cuts it at {:#x} on the disk, and then refuses to start",
            shown(part.name.as_bytes()),
            part.report.valid_up_to
        );
        let span = part.report.valid_up_to..part.report.size;
        Finding::new(Code::AofNotLast, span, "damage only in the last file", found)
    };
    earlier.iter().filter(ends_early).map(finding).collect()
}
