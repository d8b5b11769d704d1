//! A new file or folder, whoever makes it: written beside its name, read back and checked, and only then
//! put in its place (see [`crate::persist::replace`]). The folder of a multi-part AOF: all of it or nothing
//! ([`crate::persist::folder`]). A stream: by way of a temporary file, so that nothing is sent that was not
//! checked.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::{Form, Report, Sink};
use crate::aof::manifest::{Entry, Kind, Manifest};
use crate::aof::set::{base_name, incr_name};
use crate::error::{Error, Result};
use crate::limits::CHUNK;
use crate::persist::folder::NewFolder;
use crate::persist::fs::{Fs, Stat};
use crate::persist::replace::Replacement;
use crate::persist::target;

/// Who makes a new file.
pub trait Make {
    /// What is made.
    fn form(&self) -> Form;

    /// Bytes that it will have, as far as that is known.
    fn size(&self) -> u64;

    /// The files that are read, none of which is written to.
    fn inputs(&self) -> &[Stat];

    /// Makes it.
    ///
    /// # Errors
    /// When something cannot be read or written.
    fn make(&mut self, sink: &mut dyn Sink) -> Result<Report>;

    /// Whether it may be put in place: the source is sound, and what is lost was agreed to.
    fn is_agreed(&self, report: &Report) -> bool;

    /// Whether what was written is as it should be.
    ///
    /// # Errors
    /// Why not.
    fn check(&mut self, back: Box<dyn Read + Send>, out: &Path, report: &Report) -> Result<()>;

    /// Commands that follow it: in an incr file where there is one, else behind it.
    fn history(&self) -> &[u8] {
        &[]
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Made {
    /// What was made, and what would be lost.
    pub report: Report,
    /// The new files, or the new folder; none if it was not put in place.
    pub written: Vec<PathBuf>,
}

impl Report {
    /// Whether nothing is in the way but losses, and these were agreed to.
    pub fn is_agreed(&self, lossy: bool) -> bool {
        self.damage.is_empty() && (lossy || !self.has_losses())
    }
}

/// Makes a file. Where there is damage, or a loss that was not agreed to, nothing is written.
///
/// # Errors
/// When something cannot be read or written, or the new file is not as it should be.
pub fn to_file(
    fs: &dyn Fs,
    maker: &mut dyn Make,
    out: &Path,
    how: target::Options,
) -> Result<Made> {
    let how = target::Options { size: maker.size(), inputs: maker.inputs().to_vec(), ..how };
    let file = Replacement::begin(fs, out, how)?;
    let (report, file) = fill(maker, file)?;
    let Some(file) = file else { return Ok(Made { report, written: Vec::new() }) };
    let file = file.with(maker.history())?;
    let written = file.commit(|back| maker.check(back, out, &report))?.path;
    Ok(Made { report, written: vec![written] })
}

/// Fills a file, unless it is not to be written.
///
/// # Errors
/// When that fails; there is no file then.
pub fn fill<'f>(
    maker: &mut dyn Make,
    mut file: Replacement<'f>,
) -> Result<(Report, Option<Replacement<'f>>)> {
    match maker.make(&mut file) {
        Ok(report) if maker.is_agreed(&report) => Ok((report, Some(file))),
        // Dropped, the file never was.
        Ok(report) => Ok((report, None)),
        Err(error) => Err(file.abandon(error)),
    }
}

/// Makes the folder of a multi-part AOF, as a server does: a base, an incr file, and the manifest. `stem` is
/// the server's `appendfilename`.
///
/// # Errors
/// As for a file; and when there is such a folder already.
pub fn to_folder(fs: &dyn Fs, maker: &mut dyn Make, out: &Path, stem: &[u8]) -> Result<Made> {
    let folder = NewFolder::begin(fs, out, maker.size())?;
    match fill_folder(&folder, maker, out, stem) {
        Ok((report, true)) => Ok(Made { report, written: vec![folder.commit()?] }),
        Ok((report, false)) => Ok(Made { report, written: Vec::new() }),
        Err(error) => Err(folder.abandon(error)),
    }
}

fn fill_folder(
    folder: &NewFolder<'_>,
    maker: &mut dyn Make,
    out: &Path,
    stem: &[u8],
) -> Result<(Report, bool)> {
    let name = |name: &[u8]| OsString::from_vec(name.to_vec());
    let base = base_name(stem, 1, maker.form().is_commands());
    let incr = incr_name(stem, 1);
    let (report, file) = fill(maker, folder.file(&name(&base), None)?)?;
    let Some(file) = file else { return Ok((report, false)) };
    file.commit(|back| maker.check(back, out, &report))?;
    folder.file(&name(&incr), None)?.with(maker.history())?.commit(|_| Ok(()))?;
    let entries = vec![Entry::new(&base, 1, Kind::Base), Entry::new(&incr, 1, Kind::Incr)];
    let file = folder.file(&name(&[stem, b".manifest"].concat()), None)?;
    file.with(&Manifest { entries }.write())?.commit(|_| Ok(()))?;
    Ok((report, true))
}

/// Makes a stream.
///
/// # Errors
/// The same.
pub fn to_stream(maker: &mut dyn Make, out: &mut dyn Write) -> Result<Report> {
    let folder = std::env::temp_dir();
    let failed = |doing| {
        let folder = folder.clone();
        move |err| Error::io(folder, doing, err)
    };
    let mut spool = Spool(tempfile::tempfile().map_err(failed("make a temporary file in"))?);
    let report = maker.make(&mut spool)?;
    if !maker.is_agreed(&report) {
        return Ok(report);
    }
    let mut file = spool.0;
    file.rewind().map_err(failed("read a temporary file in"))?;
    let back = Box::new(file.try_clone().map_err(failed("read a temporary file in"))?);
    maker.check(back, Path::new("-"), &report)?;
    file.rewind().map_err(failed("read a temporary file in"))?;
    io::copy(&mut BufReader::with_capacity(CHUNK, file), out)
        .and_then(|_| out.flush())
        .map_err(|err| Error::io("-", "write", err))?;
    Ok(report)
}

impl Sink for Replacement<'_> {
    fn patch(&mut self, offset: u64, old: &[u8], new: &[u8]) -> io::Result<()> {
        Replacement::patch(self, offset, old, new)
    }

    fn path(&self) -> &Path {
        Replacement::path(self)
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
