//! A conversion into a file: written beside its name, read back and checked for the target, and only
//! then put in its place (see [`crate::persist::replace`]). Into a folder, that of a multi-part AOF: all of
//! it or nothing ([`crate::persist::folder`]). Into a stream: by way of a temporary file, so that nothing is
//! sent that was not checked.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::check::check;
use super::{Form, Given, Options, Report, Sink, convert};
use crate::aof::folder::Folder;
use crate::aof::manifest::{Entry, Kind, Manifest};
use crate::aof::set::{Set, base_name, incr_name};
use crate::error::{Error, Result};
use crate::input::detect::FileKind;
use crate::input::source::Input;
use crate::persist::folder::NewFolder;
use crate::persist::fs::{Fs, Stat, open_parent};
use crate::persist::replace::Replacement;
use crate::persist::target;

/// What came of a conversion.
#[derive(Debug)]
pub struct Converted {
    /// What was converted, and what would be lost.
    pub report: Report,
    /// The new file or folder, unless it was not put in place.
    pub written: Option<PathBuf>,
}

impl Report {
    /// Whether the new file may be put in place: the source is sound, and what is lost was agreed to.
    pub fn is_agreed(&self, lossy: bool) -> bool {
        self.damage.is_empty() && (lossy || !self.has_losses())
    }
}

/// The files that are read: none of them is written to.
fn inputs(fs: &dyn Fs, given: &[Given]) -> Result<Vec<Stat>> {
    let mut paths = Vec::new();
    for input in given {
        match input {
            Given::File(_, Input::Stdin) => {}
            Given::File(_, Input::File(path)) => paths.push(path.clone()),
            Given::Set(set) => {
                let folder = Folder::open(&set.folder).and_then(|f| Set::open(f, &set.stem));
                let found = folder.map_err(|err| Error::io(&set.folder, "read", err))?;
                let parts = found.parts.iter().filter(|part| part.node.is_some());
                paths.extend(parts.map(|part| set.folder.join(part.name())));
                paths.push(set.manifest());
            }
        }
    }
    let stat = |path: PathBuf| {
        let real = fs.canonicalize(&path).map_err(|err| Error::io(&path, "open", err))?;
        let (dir, name) = open_parent(fs, &real)?;
        dir.stat(&name).map_err(|err| Error::io(&path, "look at", err))
    };
    paths.into_iter().map(stat).collect()
}

/// Bytes that the output will have, as far as that can be told.
fn size(given: &[Given]) -> u64 {
    let size = |input: &Given| match input {
        Given::File(source, _) if source.kind != FileKind::Aof => source.size.unwrap_or(0),
        _ => 0,
    };
    given.iter().map(size).sum()
}

/// Converts into a file. Where there is damage, or a loss that was not agreed to, nothing is written.
///
/// # Errors
/// When something cannot be read or written, or the new file is not as it should be.
pub fn to_file(
    fs: &dyn Fs,
    given: Vec<Given>,
    out: &Path,
    options: &Options,
    lossy: bool,
    how: target::Options,
) -> Result<Converted> {
    let how = target::Options { size: size(&given), inputs: inputs(fs, &given)?, ..how };
    let mut file = Replacement::begin(fs, out, how)?;
    let report = match convert(given, &mut file, options) {
        Ok(report) => report,
        Err(error) => return Err(file.abandon(error)),
    };
    if !report.is_agreed(lossy) {
        // Dropped, the file never was.
        drop(file);
        return Ok(Converted { report, written: None });
    }
    let written = file.commit(|reader| check(reader, out, &report, options))?;
    Ok(Converted { report, written: Some(written.path) })
}

/// Converts into the folder of a multi-part AOF, as a server makes it: a base, an empty incr file, and the
/// manifest. `stem` is the server's `appendfilename`.
///
/// # Errors
/// As for a file; and when there is such a folder already.
pub fn to_folder(
    fs: &dyn Fs,
    given: Vec<Given>,
    out: &Path,
    stem: &[u8],
    options: &Options,
    lossy: bool,
) -> Result<Converted> {
    let folder = NewFolder::begin(fs, out, size(&given))?;
    match fill(&folder, given, out, stem, options, lossy) {
        Ok(report) if report.is_agreed(lossy) => {
            let written = Some(folder.commit()?);
            Ok(Converted { report, written })
        }
        Ok(report) => Ok(Converted { report, written: None }),
        Err(error) => Err(folder.abandon(error)),
    }
}

fn fill(
    folder: &NewFolder<'_>,
    given: Vec<Given>,
    out: &Path,
    stem: &[u8],
    options: &Options,
    lossy: bool,
) -> Result<Report> {
    let manifest = first_manifest(stem, options.form);
    let [base, incr] = manifest.entries.as_slice() else {
        return Err(Error::refused(out, "a manifest of a base and an incr file"));
    };
    let name = |name: &[u8]| OsString::from_vec(name.to_vec());
    let mut file = folder.file(&name(&base.name), None)?;
    let report = match convert(given, &mut file, options) {
        Ok(report) => report,
        Err(error) => return Err(file.abandon(error)),
    };
    if !report.is_agreed(lossy) {
        return Ok(report);
    }
    file.commit(|reader| check(reader, out, &report, options))?;
    folder.file(&name(&incr.name), None)?.commit(|_| Ok(()))?;
    let file = folder.file(&name(&[stem, b".manifest"].concat()), None)?;
    file.with(&manifest.write())?.commit(|_| Ok(()))?;
    Ok(report)
}

/// The manifest of an AOF that was just begun.
fn first_manifest(stem: &[u8], form: Form) -> Manifest {
    let base = base_name(stem, 1, form.is_commands());
    let incr = incr_name(stem, 1);
    Manifest { entries: vec![Entry::new(&base, 1, Kind::Base), Entry::new(&incr, 1, Kind::Incr)] }
}

/// Converts into a stream.
///
/// # Errors
/// The same.
pub fn to_stream(
    given: Vec<Given>,
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
    let report = convert(given, &mut spool, options)?;
    if !report.is_agreed(lossy) {
        return Ok(report);
    }
    let mut file = spool.0;
    file.rewind().map_err(failed("read a temporary file in"))?;
    let reader = Box::new(file.try_clone().map_err(failed("read a temporary file in"))?);
    check(reader, Path::new("-"), &report, options)?;
    file.rewind().map_err(failed("read a temporary file in"))?;
    io::copy(&mut file, out)
        .and_then(|_| out.flush())
        .map_err(|err| Error::io("-", "write", err))?;
    Ok(report)
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
