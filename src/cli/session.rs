//! What every verb does around its job: find the inputs, open them one by one, tell on stderr what went
//! wrong, show progress, and end with the worst of their exit statuses.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Exit;
use super::args::Common;
use super::output::{Output, is_coloured};
use crate::error::{Error, Result};
use crate::input::detect::FileKind;
use crate::input::source::{Input, Source, open};
use crate::job::subject::{SetPath, Subject, subjects};
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
    subject: Subject,
    directly: bool,
}

/// Which files a verb is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Told by their first bytes.
    Detect,
    /// The user says that they are RDB files.
    Rdb,
    /// The user says that they are AOFs.
    Aof,
}

/// An input that is ready to be worked on.
pub(crate) enum Opened<'i> {
    /// A file.
    File(Source, &'i Input),
    /// A multi-part AOF, and whom to tell how many of its bytes were read.
    Set(&'i SetPath, Watch),
}

/// Told how many bytes were read.
pub(crate) type Watch = Arc<dyn Fn(u64) + Send + Sync>;

impl<'a> Session<'a> {
    /// Finds the inputs and opens the output.
    pub(crate) fn new(common: &'a Common, log: &'a Log, paths: &[PathBuf]) -> anyhow::Result<Self> {
        let mut worst = Exit::Clean;
        let mut inputs: Vec<Named> = Vec::new();
        for path in paths {
            match subjects(path) {
                Ok(found) if found.is_empty() => {
                    let nothing = format!("no RDB or AOF in {}", path.display());
                    log.error(&Error::Usage(nothing).into());
                    worst = Exit::Failed;
                }
                Ok(found) => {
                    let directly = !path.is_dir();
                    inputs.extend(found.into_iter().map(|subject| Named { subject, directly }));
                }
                Err(err) => {
                    log.error(&err.into());
                    worst = Exit::Failed;
                }
            }
        }
        let stdin = Subject::File(Input::Stdin);
        let stdin = inputs.iter().filter(|named| named.subject == stdin).count();
        if stdin > 1 {
            anyhow::bail!(Error::Usage("standard input can be read only once".to_owned()));
        }
        if stdin > 0 && io::stdin().is_terminal() {
            let terminal = "standard input is a terminal; name a file, or send one through a pipe";
            anyhow::bail!(Error::Usage(terminal.to_owned()));
        }
        let files: Vec<Input> =
            inputs.iter().map(|named| Input::File(named.subject.path())).collect();
        let out = Output::open(common.output.as_deref(), &files)?;
        let screen = out.screen(common.color);
        Ok(Session { common, log, inputs, out, screen, worst })
    }

    /// Calls `job` for every input that is for it, and `report` with what comes of it.
    pub(crate) fn each<R>(
        &mut self,
        format: Format,
        job: impl Fn(Opened<'_>) -> Result<R>,
        mut report: impl FnMut(&mut Self, &File<'_>, R) -> anyhow::Result<Exit>,
    ) -> anyhow::Result<()> {
        for Named { subject, directly } in std::mem::take(&mut self.inputs) {
            let path = subject.path();
            let exit = match self.one(&subject, &path, directly, format, &job) {
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

    /// Takes note of how something beside the inputs went.
    pub(crate) fn note(&mut self, exit: Exit) {
        self.worst = self.worst.max(exit);
    }

    /// Whether something could not be done.
    pub(crate) fn has_failed(&self) -> bool {
        self.worst == Exit::Failed
    }

    /// Closes the output; the worst of all exit statuses.
    pub(crate) fn close(self) -> anyhow::Result<Exit> {
        self.out.finish()?;
        Ok(self.worst)
    }

    fn one<'i, R>(
        &self,
        subject: &Subject,
        path: &'i Path,
        directly: bool,
        format: Format,
        job: &impl Fn(Opened<'_>) -> Result<R>,
    ) -> Result<Option<(File<'i>, R)>> {
        let shown = !self.common.quiet && io::stderr().is_terminal();
        let plain = File { path, compression: None, disk_size: None, filtered: false };
        let input = match subject {
            Subject::Set(_) if format == Format::Rdb => {
                return self.other(path, directly, "an AOF of several files is no RDB");
            }
            Subject::Set(set) => {
                let progress = Progress::new(shown, path, None);
                let result = job(Opened::Set(set, Arc::new(progress.watch())))?;
                return Ok(Some((plain, result)));
            }
            Subject::File(input) => input,
        };
        let size = path.metadata().ok().filter(|meta| meta.is_file()).map(|meta| meta.len());
        let progress = Progress::new(shown, path, size);
        let source = open(input, progress.watch())?;
        if format == Format::Detect && source.kind == FileKind::Manifest {
            let why =
                "the manifest of an AOF has a name that ends with .manifest, beside its files";
            return self.other(path, directly, why);
        }
        let file = File { compression: source.compression, disk_size: source.size, ..plain };
        match job(Opened::File(source, input)) {
            Ok(result) => Ok(Some((file, result))),
            Err(Error::Io { path, doing: "read", source }) if file.compression.is_some() => {
                Err(Error::io(path, "decompress", source))
            }
            Err(err) => Err(err),
        }
    }

    /// What a verb cannot do anything with: an error if the user named it.
    fn other<T>(&self, path: &Path, directly: bool, why: &str) -> Result<Option<T>> {
        let told = format!("{}: {why}", path.display());
        if directly {
            return Err(Error::Usage(told));
        }
        if !self.common.quiet {
            self.log.note(&format!("{told}; skipped"));
        }
        Ok(None)
    }
}
