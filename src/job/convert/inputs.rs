//! What the user named, as the maker of a new file.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::check::check;
use super::write::Make;
use super::{Form, Given, Options, Report, Sink, convert};
use crate::aof::folder::Folder;
use crate::aof::set::Set;
use crate::error::{Error, Result};
use crate::input::detect::FileKind;
use crate::input::source::Input;
use crate::persist::fs::{Fs, Stat, open_parent};

/// Inputs that are to be converted.
#[derive(Debug)]
pub struct Inputs<'o> {
    given: Vec<Given>,
    stats: Vec<Stat>,
    size: u64,
    options: &'o Options,
    lossy: bool,
}

impl<'o> Inputs<'o> {
    /// Looks at them. `lossy`: what the target cannot hold may be left out.
    ///
    /// # Errors
    /// When one cannot be looked at.
    pub fn new(
        fs: &dyn Fs,
        given: Vec<Given>,
        options: &'o Options,
        lossy: bool,
    ) -> Result<Inputs<'o>> {
        let mut paths = Vec::new();
        for input in &given {
            match input {
                Given::File(_, Input::Stdin) => {}
                // A pipe is written to by nobody else than whoever made it.
                Given::File(_, Input::File(path)) if !path.is_file() => {}
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
        let size = |input: &Given| match input {
            Given::File(source, _) if source.kind != FileKind::Aof => source.size.unwrap_or(0),
            _ => 0,
        };
        let size = given.iter().map(size).sum();
        let stats = paths.iter().map(|path| stat(fs, path)).collect::<Result<_>>()?;
        Ok(Inputs { given, stats, size, options, lossy })
    }
}

fn stat(fs: &dyn Fs, path: &PathBuf) -> Result<Stat> {
    let real = fs.canonicalize(path).map_err(|err| Error::io(path, "open", err))?;
    let (dir, name) = open_parent(fs, &real)?;
    dir.stat(&name).map_err(|err| Error::io(path, "look at", err))
}

impl Make for Inputs<'_> {
    fn form(&self) -> Form {
        self.options.form
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn inputs(&self) -> &[Stat] {
        &self.stats
    }

    fn make(&mut self, sink: &mut dyn Sink) -> Result<Report> {
        convert(std::mem::take(&mut self.given), sink, self.options)
    }

    fn is_agreed(&self, report: &Report) -> bool {
        report.is_agreed(self.lossy)
    }

    fn check(&mut self, back: Box<dyn Read + Send>, out: &Path, report: &Report) -> Result<()> {
        check(back, out, report, self.options).map(|_| ())
    }
}
