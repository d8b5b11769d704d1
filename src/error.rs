//! Errors. Two kinds, because two different things go wrong:
//!
//! * [`Fault`]: bytes that are not what a format demands, found by a parser inside some slice. It knows
//!   its place only as the distance to the end of that slice, which is what a nom parser knows; whoever
//!   knows where the slice lies in the file turns it into a [`Finding`].
//! * [`Error`]: why a whole job could not be done (the file cannot be opened, read, or is no such file).

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use nom::error::{ErrorKind, ParseError};

use crate::finding::{Code, Finding};

/// Result of a whole job or step.
pub type Result<T> = std::result::Result<T, Error>;

/// Result of a parser over a slice: the rest and the value, or a [`Fault`].
pub type Parse<'a, T> = nom::IResult<&'a [u8], T, Fault>;

/// Bytes that are not what the format demands.
#[derive(Debug)]
pub struct Fault(Box<FaultKind>);

#[derive(Debug)]
struct FaultKind {
    code: Code,
    rest: usize,
    len: usize,
    expected: Cow<'static, str>,
    found: Cow<'static, str>,
}

impl Fault {
    /// A fault at the start of `at`, a suffix of the slice being parsed, about its first `len` bytes.
    #[cold]
    pub fn new(
        code: Code,
        at: &[u8],
        len: usize,
        expected: impl Into<Cow<'static, str>>,
        found: impl Into<Cow<'static, str>>,
    ) -> Fault {
        Fault::of(code, at.len(), len.min(at.len()), expected.into(), found.into())
    }

    /// A fault so many bytes before the end of the slice that was parsed, about `len` of them.
    #[cold]
    pub(crate) fn of(
        code: Code,
        rest: usize,
        len: usize,
        expected: Cow<'static, str>,
        found: Cow<'static, str>,
    ) -> Fault {
        Fault(Box::new(FaultKind { code, rest, len, expected, found }))
    }

    /// The same, as the error a nom parser returns.
    #[cold]
    pub fn err<T>(
        code: Code,
        at: &[u8],
        len: usize,
        expected: impl Into<Cow<'static, str>>,
        found: impl Into<Cow<'static, str>>,
    ) -> std::result::Result<T, nom::Err<Fault>> {
        Err(nom::Err::Error(Fault::new(code, at, len, expected, found)))
    }

    /// The slice ends before what is expected there.
    #[cold]
    pub fn truncated<T>(
        at: &[u8],
        expected: impl Into<Cow<'static, str>>,
    ) -> std::result::Result<T, nom::Err<Fault>> {
        Fault::err(Code::RdbTruncated, at, at.len(), expected, left(at.len()))
    }

    /// What is wrong.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// Bytes from the fault to the end of the slice that was parsed.
    pub fn rest(&self) -> usize {
        self.0.rest
    }

    /// Bytes it is about.
    pub fn len(&self) -> usize {
        self.0.len
    }

    /// A fault about no byte in particular.
    pub fn is_empty(&self) -> bool {
        self.0.len == 0
    }

    /// What should have been there.
    pub fn expected(&self) -> &str {
        &self.0.expected
    }

    /// What is there.
    pub fn found(&self) -> &str {
        &self.0.found
    }

    /// The same fault under another code: a listpack inside a stream is a damaged stream node.
    #[cold]
    pub fn recode(mut self, code: Code) -> Fault {
        self.0.code = code;
        self
    }

    /// The same fault with the slice it was found in put inside a longer one, which goes on for
    /// `after` bytes behind it.
    #[cold]
    pub fn followed_by(mut self, after: usize) -> Fault {
        self.0.rest = self.0.rest.saturating_add(after);
        self
    }

    /// The finding this is, when the slice ends at the absolute offset `end`.
    #[cold]
    pub fn finding(self, end: u64) -> Finding {
        let start = end.saturating_sub(self.0.rest as u64);
        let span = start..start.saturating_add(self.0.len as u64);
        let FaultKind { code, expected, found, .. } = *self.0;
        Finding::new(code, span, expected, found)
    }
}

/// How much is left of a slice, for a message.
pub(crate) fn left(bytes: usize) -> Cow<'static, str> {
    match bytes {
        0 => "the end".into(),
        1 => "1 byte, then the end".into(),
        n => format!("{n} bytes, then the end").into(),
    }
}

impl ParseError<&[u8]> for Fault {
    #[cold]
    fn from_error_kind(input: &[u8], kind: ErrorKind) -> Self {
        let expected = match kind {
            ErrorKind::Eof => Cow::Borrowed("more bytes"),
            other => Cow::Owned(format!("{other:?}")),
        };
        Fault::new(Code::RdbTruncated, input, input.len(), expected, left(input.len()))
    }

    fn append(_: &[u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// The fault inside nom's wrapper. Parsers here are complete ones, so there is always a fault.
#[cold]
pub fn fault_of(err: nom::Err<Fault>) -> Fault {
    match err {
        nom::Err::Error(fault) | nom::Err::Failure(fault) => fault,
        nom::Err::Incomplete(_) => Fault::new(Code::RdbTruncated, &[], 0, "more bytes", "the end"),
    }
}

/// Why a job could not be done.
#[derive(Debug)]
pub enum Error {
    /// Reading or writing failed.
    Io {
        /// The file, folder or stream.
        path: PathBuf,
        /// What was being done, as in "cannot {doing} {path}".
        doing: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// The file is not what the job needs; the finding says where and why.
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        finding: Box<Finding>,
    },
    /// A line of text is not what it should be.
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// Bytes of it up to the place, and one more; `None` when it is about all of it.
        column: Option<usize>,
        /// What was expected there, and what is there.
        what: String,
    },
    /// What was asked for makes no sense.
    Usage(String),
    /// It could be done, but would destroy or expose something; nothing was changed.
    Refused {
        /// The file or folder that would have been changed.
        path: PathBuf,
        /// What is in the way, and what to do about it.
        why: String,
    },
    /// Another error, after which a temporary file could not be removed.
    Leftover {
        /// Why the job failed.
        error: Box<Error>,
        /// What it left behind.
        temp: PathBuf,
    },
}

impl Error {
    /// An [`Error::Io`].
    #[cold]
    pub fn io(path: impl Into<PathBuf>, doing: &'static str, source: io::Error) -> Error {
        Error::Io { path: path.into(), doing, source }
    }

    /// An [`Error::Refused`].
    #[cold]
    pub fn refused(path: impl Into<PathBuf>, why: impl Into<String>) -> Error {
        Error::Refused { path: path.into(), why: why.into() }
    }

    /// The error of reading what was written before it has its name, which is to be `path`.
    #[must_use]
    pub fn of_reading_back(self, path: &Path) -> Error {
        match self {
            Error::Io { source, .. } => Error::io(path, "read back the new", source),
            other => other,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io { path, doing, source } => {
                write!(f, "cannot {doing} {}: {source}", path.display())
            }
            Error::Format { path, finding } => write!(
                f,
                "{}: {:#x}: {}: expected {}, found {}",
                path.display(),
                finding.span.start,
                finding.code,
                finding.expected,
                finding.found
            ),
            Error::Line { path, line, column, what } => {
                write!(f, "{}:{line}:", path.display())?;
                column.map_or(Ok(()), |column| write!(f, "{column}:"))?;
                write!(f, " {what}")
            }
            Error::Usage(what) => f.write_str(what),
            Error::Refused { path, why } => write!(f, "{} is left as it is: {why}", path.display()),
            Error::Leftover { error, temp } => {
                write!(f, "{error}; {} is left behind and may be removed", temp.display())
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            Error::Leftover { error, .. } => error.source(),
            _ => None,
        }
    }
}
