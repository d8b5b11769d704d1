//! Where results go: standard output, or a file that appears when it is complete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anstream::ColorChoice;

use super::args::Color;
use crate::error::{Error, Result};
use crate::input::source::Input;
use crate::persist::real::RealFs;
use crate::persist::replace::Replacement;
use crate::persist::signals;
use crate::persist::target::Options;
use crate::report::screen::Screen;

/// An open output. A file that is dropped before [`Output::finish`] leaves no trace.
#[derive(Debug)]
pub(crate) enum Output {
    /// Standard output.
    Stdout(BufWriter<io::Stdout>),
    /// A new file on its way to its name.
    New { file: Box<BufWriter<Replacement<'static>>>, path: PathBuf },
    /// A device or pipe.
    Device(BufWriter<File>),
}

impl Output {
    /// Opens `path`, or standard output. Refuses to write to one of the inputs.
    pub(crate) fn open(path: Option<&Path>, inputs: &[Input]) -> Result<Output> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            return Ok(Output::Stdout(BufWriter::new(io::stdout())));
        };
        let failed = |err| Error::io(path, "write", err);
        // What a symbolic link points to is replaced, not the link.
        let path = match fs::canonicalize(path) {
            Ok(path) => path,
            Err(_) => path.to_path_buf(),
        };
        if let Ok(meta) = fs::metadata(&path) {
            if meta.is_dir() {
                return Err(failed(io::Error::from(io::ErrorKind::IsADirectory)));
            }
            if !meta.is_file() {
                let device = OpenOptions::new().write(true).open(&path).map_err(failed)?;
                return Ok(Output::Device(BufWriter::new(device)));
            }
            if inputs.iter().any(|input| is_same_file(input.path(), &path)) {
                let name = path.display();
                return Err(Error::Usage(format!("{name} is an input, and is not overwritten")));
            }
        }
        signals::install().map_err(failed)?;
        let how = Options { force: true, ..Options::default() };
        let file = Box::new(BufWriter::new(Replacement::begin(&RealFs, &path, how)?));
        Ok(Output::New { file, path })
    }

    /// Colours, if they are wanted and fit, and the width of a terminal.
    pub(crate) fn screen(&self, color: Color) -> Screen {
        let stdout = match self {
            Output::Stdout(out) => Some(out.get_ref()),
            Output::New { .. } | Output::Device(_) => None,
        };
        let coloured = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => stdout.is_some_and(is_coloured),
        };
        let size = stdout.and_then(terminal_size::terminal_size_of);
        Screen::new(coloured, size.map(|(width, _)| usize::from(width.0)))
    }

    /// Puts a new file in its place.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        match self {
            Output::Stdout(mut out) => out.flush()?,
            Output::Device(mut out) => out.flush()?,
            Output::New { file, path } => {
                let failed = |err| Error::io(&path, "write", err);
                let file = file.into_inner().map_err(|err| failed(err.into_error()))?;
                file.commit(|_| Ok(()))?;
            }
        }
        Ok(())
    }

    /// Whether anybody can still read what is written: a pipe may have been closed at its other end.
    pub(crate) fn is_read(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let Output::Stdout(out) = self else { return true };
        let mut polled = [PollFd::new(out.get_ref(), PollFlags::empty())];
        let at_once = Timespec::default();
        let told = poll(&mut polled, Some(&at_once));
        let closed = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
        told.is_err() || !polled.iter().any(|fd| fd.revents().intersects(closed))
    }

    fn inner(&mut self) -> &mut dyn Write {
        match self {
            Output::Stdout(out) => out,
            Output::New { file, .. } => &mut **file,
            Output::Device(out) => out,
        }
    }
}

impl Write for Output {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.inner().write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner().flush()
    }
}

/// Whether `auto` means colours here: a terminal that has them, and neither NO_COLOR nor its kin.
pub(crate) fn is_coloured(stream: &(impl IsTerminal + anstream::stream::RawStream)) -> bool {
    anstream::AutoStream::choice(stream) != ColorChoice::Never
}

#[cfg(unix)]
fn is_same_file(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |path: &Path| fs::metadata(path).map(|meta| (meta.dev(), meta.ino())).ok();
    id(a).is_some_and(|a| id(b) == Some(a))
}

#[cfg(not(unix))]
fn is_same_file(a: &Path, b: &Path) -> bool {
    fs::canonicalize(a).is_ok_and(|a| fs::canonicalize(b).is_ok_and(|b| a == b))
}
