//! A conversion into a file: written beside its name, read back and checked for the target, and only
//! then put in its place (see [`crate::persist::replace`]). Into a stream: the same by way of a temporary
//! file, so that nothing is sent that was not checked.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::{Options, Report, Sink, convert_rdb};
use crate::error::{Error, Result};
use crate::finding::{Code, Severity};
use crate::input::detect::FileKind;
use crate::input::source::{Input, Source};
use crate::job::check::{self, check_rdb};
use crate::job::target::judge;
use crate::limits::DATABASES_MAX;
use crate::persist::fs::{Fs, open_parent};
use crate::persist::replace::{Replaced, Replacement};
use crate::persist::target;

/// What came of a conversion.
#[derive(Debug)]
pub struct Converted {
    /// What was converted, and what would be lost.
    pub report: Report,
    /// The new file, unless it was not put in place.
    pub written: Option<Replaced>,
}

impl Report {
    /// Whether the new file may be put in place: the source is sound, and what is lost was agreed to.
    pub fn is_agreed(&self, lossy: bool) -> bool {
        self.damage.is_empty() && (lossy || self.losses.is_empty())
    }
}

/// Converts into a file. Where there is damage, or a loss that was not agreed to, nothing is written.
///
/// # Errors
/// When something cannot be read or written, or the new file is not as it should be.
pub fn to_file(
    fs: &dyn Fs,
    (source, input): (Source, &Input),
    out: &Path,
    options: &Options,
    lossy: bool,
    how: target::Options,
) -> Result<Converted> {
    let mut how = target::Options { size: source.size.unwrap_or(0), ..how };
    if let Input::File(path) = input {
        let real = fs.canonicalize(path).map_err(|err| Error::io(path, "open", err))?;
        let (dir, name) = open_parent(fs, &real)?;
        how.inputs.push(dir.stat(&name).map_err(|err| Error::io(path, "look at", err))?);
    }
    let mut file = Replacement::begin(fs, out, how)?;
    let report = match convert_rdb(source, input, &mut file, options) {
        Ok(report) => report,
        Err(error) => return Err(file.abandon(error)),
    };
    if !report.is_agreed(lossy) {
        // Dropped, the file never was.
        drop(file);
        return Ok(Converted { report, written: None });
    }
    let written = file.commit(|reader| verify(reader, out, &report, options))?;
    Ok(Converted { report, written: Some(written) })
}

/// Converts into a stream.
///
/// # Errors
/// The same.
pub fn to_stream(
    (source, input): (Source, &Input),
    out: &mut dyn Write,
    options: &Options,
    lossy: bool,
) -> Result<Report> {
    let folder = std::env::temp_dir();
    let failed = |doing| {
        let folder = folder.clone();
        move |err| Error::io(folder, doing, err)
    };
    let mut spool = Spool(tempfile::tempfile().map_err(failed("make a temporary file in"))?);
    let report = convert_rdb(source, input, &mut spool, options)?;
    if !report.is_agreed(lossy) {
        return Ok(report);
    }
    let mut file = spool.0;
    file.rewind().map_err(failed("read a temporary file in"))?;
    let reader = Box::new(file.try_clone().map_err(failed("read a temporary file in"))?);
    verify(reader, Path::new("-"), &report, options)?;
    file.rewind().map_err(failed("read a temporary file in"))?;
    io::copy(&mut file, out)
        .and_then(|_| out.flush())
        .map_err(|err| Error::io("-", "write", err))?;
    Ok(report)
}

/// Whether what was written is sound, holds as many keys, and would be loaded by the target.
fn verify(
    reader: Box<dyn Read + Send>,
    out: &Path,
    report: &Report,
    options: &Options,
) -> Result<()> {
    let refuse = |why: String| Err(Error::refused(out, why));
    let size = Some(report.size);
    let source = Source { reader, kind: FileKind::Rdb, compression: None, size };
    let check = check::Options {
        limits: options.limits,
        jobs: options.jobs,
        databases: DATABASES_MAX + 1,
        now_ms: options.now_ms,
        ..check::Options::default()
    };
    // It has no name yet under which it could be read once more.
    let checked = check_rdb(source, &Input::Stdin, &check)?;
    if let Some(finding) = checked.findings.iter().find(|f| f.severity() == Severity::Error) {
        if finding.code == Code::DupKey && !options.map_db.is_empty() {
            return refuse("databases that are put together have a key in common".to_owned());
        }
        let key = finding.key.as_ref().map(|place| place.key.escape_ascii().to_string());
        let of = key.map_or(String::new(), |key| format!(" in \"{key}\""));
        return refuse(format!(
            "the new file would be damaged, as the source is ({}{of}): repair that first",
            finding.code
        ));
    }
    let (keys, counts) = (checked.facts.keys(), report.counts);
    if (keys.keys, keys.expires) != (counts.keys, counts.expires) {
        return refuse(format!(
            "read back, it has {} keys, {} with an expire, and should have {} and {}",
            keys.keys, keys.expires, counts.keys, counts.expires
        ));
    }
    let judged = judge(&checked, options.target.release);
    match judged.certain_reasons().next() {
        Some(reason) => refuse(format!("{} would not load it: {reason}", judged.release.name)),
        None => Ok(()),
    }
}

impl Sink for Replacement<'_> {
    fn patch(&mut self, offset: u64, old: &[u8], new: &[u8]) -> io::Result<()> {
        Replacement::patch(self, offset, old, new)
    }
}

/// A file without a name.
struct Spool(File);

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Sink for Spool {
    fn patch(&mut self, offset: u64, _: &[u8], new: &[u8]) -> io::Result<()> {
        self.0.seek(SeekFrom::Start(offset))?;
        self.0.write_all(new)?;
        self.0.seek(SeekFrom::End(0)).map(|_| ())
    }
}
