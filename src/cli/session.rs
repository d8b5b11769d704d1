//! What every verb does around its job: find the inputs, open them one by one, tell on stderr what went
//! wrong, show progress, and end with the worst of their exit statuses.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use super::Exit;
use super::args::Common;
use super::output::{Output, is_coloured};
use crate::error::{Error, Result};
use crate::input::detect::FileKind;
use crate::input::source::{Input, Source, expand, open};
use crate::report::escape::message;
use crate::report::facts::File;
use crate::report::progress::Progress;
use crate::report::screen::Screen;

/// Messages on stderr.
#[derive(Debug)]
pub(crate) struct Log {
    screen: Screen,
}

impl Log {
    /// With colours where stderr takes them.
    pub(crate) fn new() -> Log {
        Log { screen: Screen::new(is_coloured(&io::stderr()), None) }
    }

    /// `error: …`, and a hint where there is one.
    pub(crate) fn error(&self, err: &anyhow::Error) {
        let style = self.screen.error;
        self.line(format_args!("{style}error:{style:#} {}", message(&err.to_string())));
        if let Some(hint) = err.downcast_ref::<Error>().and_then(hint) {
            self.hint(hint);
        }
    }

    /// `hint: …`
    pub(crate) fn hint(&self, text: &str) {
        let style = self.screen.note;
        self.line(format_args!("{style}hint:{style:#} {}", message(text)));
    }

    /// `note: …`
    pub(crate) fn note(&self, text: &str) {
        let style = self.screen.note;
        self.line(format_args!("{style}note:{style:#} {}", message(text)));
    }

    fn line(&self, text: std::fmt::Arguments<'_>) {
        // Nowhere is left to tell that stderr is closed.
        let _ = writeln!(io::stderr(), "{text}");
    }
}

/// What may help with an error.
fn hint(err: &Error) -> Option<&'static str> {
    let Error::Io { source, doing, .. } = err else { return None };
    match *doing {
        "decompress" => Some(
            "the compressed file is cut short or damaged, so nothing can be said of the RDB in it",
        ),
        "open" if source.kind() == io::ErrorKind::PermissionDenied => {
            Some("dumps belong to the user the server runs as; run rdbtool as that user")
        }
        _ => None,
    }
}

/// A run of a verb over its inputs.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    common: &'a Common,
    log: &'a Log,
    inputs: Vec<Named>,
    /// Where results go.
    pub(crate) out: Output,
    /// Its colours.
    pub(crate) screen: Screen,
    worst: Exit,
}

/// An input, and whether the user named it.
#[derive(Debug)]
struct Named {
    input: Input,
    directly: bool,
}

/// Which files a verb is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Told by their first bytes.
    Detect,
    /// The user says that they are RDB files.
    Rdb,
}

impl<'a> Session<'a> {
    /// Finds the inputs and opens the output.
    pub(crate) fn new(common: &'a Common, log: &'a Log, paths: &[PathBuf]) -> anyhow::Result<Self> {
        let mut worst = Exit::Clean;
        let mut inputs: Vec<Named> = Vec::new();
        for path in paths {
            match expand(path) {
                Ok(found) if found.is_empty() => {
                    let nothing = format!("no RDB or AOF in {}", path.display());
                    log.error(&Error::Usage(nothing).into());
                    worst = Exit::Failed;
                }
                Ok(found) => {
                    let directly = !path.is_dir();
                    inputs.extend(found.into_iter().map(|input| Named { input, directly }));
                }
                Err(err) => {
                    log.error(&err.into());
                    worst = Exit::Failed;
                }
            }
        }
        let stdin = inputs.iter().filter(|named| named.input == Input::Stdin).count();
        if stdin > 1 {
            anyhow::bail!(Error::Usage("standard input can be read only once".to_owned()));
        }
        if stdin > 0 && io::stdin().is_terminal() {
            let terminal = "standard input is a terminal; name a file, or send one through a pipe";
            anyhow::bail!(Error::Usage(terminal.to_owned()));
        }
        let files: Vec<Input> = inputs.iter().map(|named| named.input.clone()).collect();
        let out = Output::open(common.output.as_deref(), &files)?;
        let screen = out.screen(common.color);
        Ok(Session { common, log, inputs, out, screen, worst })
    }

    /// Calls `job` for every input that is for it, and `report` with what comes of it.
    pub(crate) fn each<R>(
        &mut self,
        format: Format,
        job: impl Fn(Source, &Input) -> Result<R>,
        mut report: impl FnMut(&mut Self, &File<'_>, R) -> anyhow::Result<Exit>,
    ) -> anyhow::Result<()> {
        for Named { input, directly } in std::mem::take(&mut self.inputs) {
            let exit = match self.one(&input, directly, format, &job) {
                Ok(Some((file, result))) => report(self, &file, result)?,
                Ok(None) => Exit::Clean,
                Err(err) => {
                    self.log.error(&err.into());
                    Exit::Failed
                }
            };
            self.out.flush()?;
            self.worst = self.worst.max(exit);
        }
        Ok(())
    }

    /// Closes the output; the worst of all exit statuses.
    pub(crate) fn close(self) -> anyhow::Result<Exit> {
        self.out.finish()?;
        Ok(self.worst)
    }

    fn one<'i, R>(
        &self,
        input: &'i Input,
        directly: bool,
        format: Format,
        job: &impl Fn(Source, &Input) -> Result<R>,
    ) -> Result<Option<(File<'i>, R)>> {
        let shown = !self.common.quiet && io::stderr().is_terminal();
        let size =
            input.path().metadata().ok().filter(|meta| meta.is_file()).map(|meta| meta.len());
        let progress = Progress::new(shown, input.path(), size);
        let source = open(input, progress.watch())?;
        if let (Format::Detect, Some(what)) = (format, other_kind(source.kind)) {
            let name = input.path().display();
            let told = format!("{name}: {what} are not read yet by this version");
            if directly {
                return Err(Error::Usage(told));
            }
            if !self.common.quiet {
                self.log.note(&format!("{told}; skipped"));
            }
            return Ok(None);
        }
        let file = File {
            path: input.path(),
            compression: source.compression,
            disk_size: source.size,
            filtered: false,
        };
        match job(source, input) {
            Ok(result) => Ok(Some((file, result))),
            Err(Error::Io { path, doing: "read", source }) if file.compression.is_some() => {
                Err(Error::io(path, "decompress", source))
            }
            Err(err) => Err(err),
        }
    }
}

/// Files that are known, and not for this version.
fn other_kind(kind: FileKind) -> Option<&'static str> {
    match kind {
        FileKind::Aof => Some("AOF files"),
        FileKind::Manifest => Some("AOF manifests"),
        FileKind::Rdb | FileKind::Empty | FileKind::Unknown => None,
    }
}
