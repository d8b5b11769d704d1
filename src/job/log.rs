//! The commands of an AOF one by one, for people to read: where each is, on which database, when, and what
//! it says; of an AOF of several files, file by file. [`follow`](super::follow) goes on where a file grows.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;

use super::commands::{Known, look};
use super::filter::Filter;
use super::parts::{open_part, open_set};
use super::rdb_file::RdbFile;
use super::subject::SetPath;
use crate::aof::reader::{Means, Reader};
use crate::aof::skim::{Chunk, Chunks, Outcome, Spare};
use crate::aof::state::{State, Step};
use crate::encoding::resp::Forms;
use crate::error::{Error, Result};
use crate::finding::Finding;
use crate::glob;
use crate::input::detect::FileKind;
use crate::input::source::{Input, Source};
use crate::limits::Limits;
use crate::record::{Command, Event};

/// Which commands.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Bounds.
    pub limits: Limits,
    /// From here on.
    pub from: Option<Place>,
    /// Up to here, and not further.
    pub to: Option<Place>,
    /// Databases and keys; a command passes when one of its keys does.
    pub filter: Filter,
    /// Globs one of which the command's name must match, in either case; none stands for all.
    pub commands: Vec<Vec<u8>>,
}

/// A place in an AOF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Absolute offset in the file.
    Offset(u64),
    /// Unix time in seconds, by the timestamps.
    Time(i64),
}

/// A line of the log.
#[derive(Debug)]
pub enum Line<'a> {
    /// What follows is of this file, one of several.
    File(&'a Path),
    /// The RDB that the file begins with, so many bytes.
    Preamble(u64),
    /// A command.
    Command(Entry<'a>),
    /// Reading stops here: nothing of the file behind it can be placed.
    Damage(&'a Finding),
    /// A file of the AOF that cannot be read.
    Unreadable(&'a Error),
    /// The file has been replaced by another of its name; what follows is that one from its start.
    Replaced,
    /// The file has been cut at this offset; what follows is what comes there.
    Cut(u64),
}

/// A command and its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Absolute offset.
    pub offset: u64,
    /// Its bytes.
    pub len: u64,
    /// The database.
    pub db: u64,
    /// The last timestamp before it, in seconds.
    pub seconds: Option<i64>,
    /// Offset of the MULTI of the transaction that it belongs to, of which MULTI and EXEC are part.
    pub multi: Option<u64>,
    /// Whether it stands between MULTI and EXEC.
    pub is_inner: bool,
    /// Name and arguments.
    pub args: &'a [&'a [u8]],
}

/// What was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Something could not be read to its end.
    pub is_damaged: bool,
    /// There was a timestamp.
    pub has_timestamps: bool,
}

/// Calls `each` with every command of a file that is asked for, until it has enough.
///
/// # Errors
/// When the source cannot be read.
pub fn log_file(
    source: Source,
    input: &Input,
    options: &Options,
    each: impl FnMut(Line<'_>) -> ControlFlow<()>,
) -> Result<Seen> {
    let failed = |err| Error::io(input.path(), "read", err);
    let mut logger = Logger::new(options, each);
    let _ = logger.source(source).map_err(failed)?;
    Ok(logger.seen)
}

/// The same for the files of a multi-part AOF that a server loads, in its order.
///
/// # Errors
/// When there is no manifest, a file cannot be read, or a place is an offset, which is one of a file.
pub fn log_set(
    set: &SetPath,
    options: &Options,
    each: impl FnMut(Line<'_>) -> ControlFlow<()>,
) -> Result<Seen> {
    let parts = open_set(set)?;
    options.fits_a_set(set)?;
    let mut logger = Logger::new(options, each);
    for part in parts.parts.iter().filter(|part| part.is_loaded()) {
        if logger.part(&parts, part)?.is_break() {
            break;
        }
    }
    Ok(logger.seen)
}

impl Options {
    /// Offsets are those of one file.
    pub(super) fn fits_a_set(&self, set: &SetPath) -> Result<()> {
        let is_offset = |place: &Place| matches!(place, Place::Offset(_));
        if self.from.iter().chain(&self.to).any(is_offset) {
            let name = set.manifest();
            let why = "an offset is one of a file, and this AOF has several; name the file";
            return Err(Error::Usage(format!("{}: {why}", name.display())));
        }
        Ok(())
    }
}

/// The commands that are asked for, of one file after the other.
pub(super) struct Logger<'o, E> {
    options: &'o Options,
    each: E,
    /// What was seen so far.
    pub(super) seen: Seen,
    /// What is known at the end of the file before: the time goes on in the next.
    seconds: Option<i64>,
    /// The place to begin at was reached.
    has_begun: bool,
}

impl<'o, E: FnMut(Line<'_>) -> ControlFlow<()>> Logger<'o, E> {
    pub(super) fn new(options: &'o Options, each: E) -> Self {
        let has_begun = options.from.is_none();
        Logger { options, each, seen: Seen::default(), seconds: None, has_begun }
    }

    /// Bounds.
    pub(super) fn limits(&self) -> Limits {
        self.options.limits
    }

    /// What is known at the start of a file.
    pub(super) fn start(&self) -> State {
        State { timestamp: self.seconds, ..State::default() }
    }

    /// Hands a line over.
    pub(super) fn tell(&mut self, line: Line<'_>) -> ControlFlow<()> {
        self.seen.is_damaged |= matches!(line, Line::Damage(_) | Line::Unreadable(_));
        (self.each)(line)
    }

    /// A file of several. One that cannot be opened is told of and passed over.
    pub(super) fn part(
        &mut self,
        set: &crate::aof::set::Set,
        part: &crate::aof::set::Part,
    ) -> Result<ControlFlow<()>> {
        let path = set.folder.path.join(part.name());
        if self.tell(Line::File(&path)).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        match open_part(set, part, |_| {}) {
            Ok((source, _)) => self.source(source).map_err(|err| Error::io(&path, "read", err)),
            Err(err) => Ok(self.tell(Line::Unreadable(&err))),
        }
    }

    /// All of a file.
    fn source(&mut self, source: Source) -> io::Result<ControlFlow<()>> {
        let (reader, offset) = match source.kind {
            FileKind::Rdb => {
                let end = RdbFile::new(source.reader, self.options.limits).skip()?;
                if let Some(damage) = &end.outcome.damage {
                    return Ok(self.tell(Line::Damage(damage)));
                }
                if self.tell(Line::Preamble(end.outcome.end)).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                let Some(rest) = end.rest else { return Ok(ControlFlow::Continue(())) };
                (rest, end.outcome.end)
            }
            _ => (source.reader, 0),
        };
        let mut chunks = self.chunks(reader, offset, self.start());
        if self.commands(&mut chunks)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let outcome = chunks.finish()?;
        Ok(self.end(&outcome))
    }

    /// The commands of a stream, to be cut into chunks.
    pub(super) fn chunks<R: Read>(&self, reader: R, offset: u64, start: State) -> Chunks<Live<R>> {
        let live = Live { inner: reader, is_short: false };
        Chunks::new(live, offset, start, Forms::Tolerant, self.options.limits).growing()
    }

    /// The commands of a stream; breaks when what follows is not wanted any more.
    pub(super) fn commands<R: Read>(
        &mut self,
        chunks: &mut Chunks<Live<R>>,
    ) -> io::Result<ControlFlow<()>> {
        let mut used = Spare::default();
        while let Some(chunk) = chunks.next_chunk(used)? {
            if self.chunk(&chunk).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            used = chunk.recycle();
        }
        Ok(ControlFlow::Continue(()))
    }

    /// How a file ended.
    pub(super) fn end(&mut self, outcome: &Outcome) -> ControlFlow<()> {
        match &outcome.damage {
            Some(damage) => self.tell(Line::Damage(&damage.finding)),
            None => ControlFlow::Continue(()),
        }
    }

    fn chunk(&mut self, chunk: &Chunk) -> ControlFlow<()> {
        let mut reader = Reader::new(chunk);
        let mut open = chunk.start.multi.map(|multi| multi.offset);
        while let Some(item) = reader.next_record() {
            let (offset, end) = (item.record.span.start, item.record.span.end);
            self.seconds = item.state.timestamp;
            self.seen.has_timestamps |= self.seconds.is_some();
            let reached = |place: Place| match place {
                Place::Offset(at) => offset >= at,
                Place::Time(at) => item.state.timestamp.is_some_and(|now| now >= at),
            };
            if self.options.to.is_some_and(reached) {
                return ControlFlow::Break(());
            }
            self.has_begun |= self.options.from.is_some_and(reached);
            let before = open;
            open = item.state.multi.map(|multi| multi.offset);
            let Event::Command(command) = &item.record.event else { continue };
            if !self.has_begun || !wanted(command, self.options, end - offset) {
                continue;
            }
            let ends = matches!(item.means, Means::Command(Step::Exec(_)));
            let entry = Entry {
                offset,
                len: end - offset,
                db: command.db,
                seconds: item.state.timestamp,
                multi: open.or(before),
                is_inner: before.is_some() && !ends,
                args: command.args,
            };
            (self.each)(Line::Command(entry))?;
        }
        ControlFlow::Continue(())
    }
}

fn wanted(command: &Command<'_>, options: &Options, size: u64) -> bool {
    let Options { filter, commands, .. } = options;
    let named = |glob: &Vec<u8>| glob::matches_nocase(glob, command.name());
    if !commands.is_empty() && !commands.iter().any(named) {
        return false;
    }
    filter.is_open() || filter.takes_command(command.db, keys(command).into_iter(), size)
}

/// The keys of a command. Of one that is not known its first argument is taken for one.
fn keys<'a>(command: &Command<'a>) -> Vec<&'a [u8]> {
    let positions = match look(command.args) {
        Known::Yes(row) | Known::Idle(row) | Known::Stray(row) | Known::Arity(row) => {
            row.key_positions(command.args)
        }
        Known::Module | Known::No => vec![1],
    };
    positions.into_iter().filter_map(|at| command.args.get(at).copied()).collect()
}

/// A stream that gives what it has: after a read that did not fill the buffer nothing more is waited for
/// until that has been looked at.
#[derive(Debug)]
pub(super) struct Live<R> {
    inner: R,
    is_short: bool,
}

impl<R: Read> Read for Live<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if std::mem::take(&mut self.is_short) {
            return Err(io::Error::from(io::ErrorKind::WouldBlock));
        }
        let count = self.inner.read(buf)?;
        self.is_short = count > 0 && count < buf.len();
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::encoding::resp::write_command;
    use std::io::Cursor;

    /// Gives a few bytes at a time, as a pipe does.
    struct Drops(Cursor<Vec<u8>>, usize);

    impl Read for Drops {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let len = buf.len().min(self.1);
            self.0.read(&mut buf[..len])
        }
    }

    fn command(args: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_command(args.iter().map(|arg| arg.as_bytes()), &mut bytes);
        bytes
    }

    fn sample() -> Vec<u8> {
        let mut bytes = b"#TS:100\r\n".to_vec();
        bytes.extend(command(&["SET", "a", "1"]));
        bytes.extend(command(&["MULTI"]));
        bytes.extend(command(&["SELECT", "3"]));
        bytes.extend(command(&["DEL", "b", "c"]));
        bytes.extend(command(&["EXEC"]));
        bytes.extend(b"#TS:200\r\n");
        bytes.extend(command(&["set", "d", "2"]));
        bytes
    }

    fn lines(bytes: &[u8], options: &Options, drop: usize) -> Vec<String> {
        let reader = Box::new(Drops(Cursor::new(bytes.to_vec()), drop));
        let source = Source { reader, kind: FileKind::Aof, compression: None, size: None };
        let mut lines = Vec::new();
        log_file(source, &Input::Stdin, options, |line| {
            if let Line::Command(entry) = line {
                let args = entry.args.join(&b' ');
                let args = String::from_utf8_lossy(&args);
                let open = entry.multi.map_or(String::new(), |multi| format!("+{multi}"));
                let inner = if entry.is_inner { " " } else { "" };
                let seconds = entry.seconds.unwrap_or(0);
                lines.push(format!("{} {seconds}{open} {inner}{args}", entry.db));
            }
            ControlFlow::Continue(())
        })
        .unwrap();
        lines
    }

    const ALL: [&str; 6] = [
        "0 100 SET a 1",
        "0 100+36 MULTI",
        "0 100+36  SELECT 3",
        "3 100+36  DEL b c",
        "3 100+36 EXEC",
        "3 200 set d 2",
    ];

    #[test]
    fn what_is_asked_for() {
        let options = Options::default;
        let filter = |keys: &str| Filter { keys: vec![keys.into()], ..Filter::default() };
        let cases: Vec<(Options, &[usize])> = vec![
            (options(), &[0, 1, 2, 3, 4, 5]),
            (Options { from: Some(Place::Time(200)), ..options() }, &[5]),
            (Options { to: Some(Place::Time(200)), ..options() }, &[0, 1, 2, 3, 4]),
            (
                Options { from: Some(Place::Offset(10)), to: Some(Place::Offset(60)), ..options() },
                &[1, 2],
            ),
            (Options { commands: vec![b"SET".to_vec()], ..options() }, &[0, 5]),
            (Options { commands: vec![b"d*".to_vec()], ..options() }, &[3]),
            (Options { filter: filter("c"), ..options() }, &[3]),
            (Options { filter: filter("?"), ..options() }, &[0, 3, 5]),
            (
                Options { filter: Filter { dbs: vec![3], ..Filter::default() }, ..options() },
                &[3, 4, 5],
            ),
        ];
        for (options, want) in cases {
            let want: Vec<_> = want.iter().map(|index| ALL[*index]).collect();
            assert_eq!(lines(&sample(), &options, 1 << 20), want, "{options:?}");
        }
    }

    #[test]
    fn however_the_bytes_come() {
        for drop in [1, 7, 40] {
            assert_eq!(lines(&sample(), &Options::default(), drop), ALL, "by {drop}");
        }
    }

    #[test]
    fn who_has_enough_gets_no_more() {
        let reader = Box::new(Cursor::new(sample()));
        let source = Source { reader, kind: FileKind::Aof, compression: None, size: None };
        let mut count = 0;
        let seen = log_file(source, &Input::Stdin, &Options::default(), |_| {
            count += 1;
            if count < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        assert_eq!((count, seen.unwrap().is_damaged), (3, false));
    }
}
