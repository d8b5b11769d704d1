//! The commands of an AOF one by one, for people to read: where each is, on which database, when, and what
//! it says. Of a file that still grows they keep coming.

use std::io::{self, Read};
use std::time::Duration;

use super::commands::{Known, look};
use super::filter::{Filter, Subject};
use super::rdb_facts::Facts;
use super::rdb_file::{Extent, RdbFile, Rest};
use crate::aof::reader::Reader;
use crate::aof::skim::{Chunk, Chunks, Outcome};
use crate::aof::state::State;
use crate::encoding::resp::Forms;
use crate::error::{Error, Result};
use crate::glob;
use crate::input::detect::FileKind;
use crate::input::source::{Input, Source};
use crate::limits::Limits;
use crate::record::{Command, Event};

/// Which commands, and how long to wait for more.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// The RDB that the file begins with, so many bytes.
    Preamble(u64),
    /// A command.
    Command(Entry<'a>),
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
    /// Whether it is inside a transaction, MULTI and EXEC counted.
    pub in_transaction: bool,
    /// Name and arguments.
    pub args: &'a [&'a [u8]],
}

/// How often a file that grows is looked at.
pub const POLL: Duration = Duration::from_millis(200);

/// Calls `each` with every command that is asked for. `wait` is asked at the end of a file whether to look
/// again: it returns after a while, and says so as long as somebody wants more; for a file that does
/// not grow it is `|| false`.
///
/// # Errors
/// When the source cannot be read or `each` fails.
pub fn log(
    source: Source,
    input: &Input,
    options: &Options,
    wait: impl FnMut() -> bool,
    mut each: impl FnMut(Line<'_>) -> io::Result<()>,
) -> Result<Option<Outcome>> {
    let failed = |err| Error::io(input.path(), "read", err);
    let (reader, start) = match source.kind {
        FileKind::Rdb => match behind_preamble(source.reader, options).map_err(failed)? {
            (rest, end) => match rest {
                Some(rest) => {
                    each(Line::Preamble(end)).map_err(failed)?;
                    (rest, end)
                }
                None => return Ok(None),
            },
        },
        _ => (source.reader, 0),
    };
    let growing = Growing { inner: reader, wait, is_new: false };
    let limits = options.limits;
    let mut chunks =
        Chunks::new(growing, start, State::default(), Forms::Tolerant, limits).growing();
    let mut used = Vec::new();
    while let Some(chunk) = chunks.next_chunk(used).map_err(failed)? {
        if !one_chunk(&chunk, options, &mut each).map_err(failed)? {
            return Ok(None);
        }
        used = chunk.recycle();
    }
    chunks.finish().map(Some).map_err(failed)
}

/// The stream behind the RDB that a file begins with, and where that ends.
fn behind_preamble(
    reader: Box<dyn Read + Send>,
    options: &Options,
) -> io::Result<(Option<Rest>, u64)> {
    use super::pipeline::Cutter;
    let mut file = RdbFile::new(reader, options.limits);
    let mut used = None;
    while let Some(chunk) = file.cut(used)? {
        used = Some(chunk);
    }
    let end = file.end(Extent::Start, &Facts::default())?;
    Ok((end.rest, end.outcome.end))
}

/// The commands of a chunk; false when what follows is not wanted any more.
fn one_chunk(
    chunk: &Chunk,
    options: &Options,
    each: &mut impl FnMut(Line<'_>) -> io::Result<()>,
) -> io::Result<bool> {
    let mut reader = Reader::new(chunk);
    let mut was_open = chunk.start.multi.is_some();
    while let Some(item) = reader.next_record() {
        let (offset, end) = (item.record.span.start, item.record.span.end);
        let seconds = item.state.timestamp;
        let reached = |place: Place| match place {
            Place::Offset(at) => offset >= at,
            Place::Time(at) => seconds.is_some_and(|now| now >= at),
        };
        let is_open = item.state.multi.is_some();
        if options.to.is_some_and(reached) {
            return Ok(false);
        }
        if let Event::Command(command) = &item.record.event
            && options.from.is_none_or(reached)
            && wanted(command, options, end - offset)
        {
            each(Line::Command(Entry {
                offset,
                len: end - offset,
                db: command.db,
                seconds,
                in_transaction: was_open || is_open,
                args: command.args,
            }))?;
        }
        was_open = is_open;
    }
    Ok(true)
}

fn wanted(command: &Command<'_>, options: &Options, size: u64) -> bool {
    let Options { filter, commands, .. } = options;
    let named = |glob: &Vec<u8>| glob::matches_nocase(glob, command.name());
    if !commands.is_empty() && !commands.iter().any(named) {
        return false;
    }
    if filter.is_open() {
        return true;
    }
    let takes = |key: &[u8]| {
        let subject = Subject { db: command.db, key, type_name: "", size, expire_at_ms: None };
        filter.takes(subject, 0)
    };
    keys(command).into_iter().any(takes)
}

/// The keys of a command. Of one that is not known its first argument is taken for one.
fn keys<'a>(command: &Command<'a>) -> Vec<&'a [u8]> {
    let positions = match look(command.args) {
        Known::Yes(row) | Known::Arity(row) => row.key_positions(command.args),
        Known::Module | Known::No => vec![1],
    };
    positions.into_iter().filter_map(|at| command.args.get(at).copied()).collect()
}

/// A stream whose end may not be the end.
struct Growing<R, W> {
    inner: R,
    wait: W,
    /// Something was read since the last wait: that comes first.
    is_new: bool,
}

impl<R: Read, W: FnMut() -> bool> Read for Growing<R, W> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buf)?;
        if count > 0 || buf.is_empty() {
            self.is_new = true;
            return Ok(count);
        }
        match std::mem::take(&mut self.is_new) || (self.wait)() {
            true => Err(io::Error::from(io::ErrorKind::WouldBlock)),
            false => Ok(0),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::encoding::resp::write_command;
    use std::collections::VecDeque;

    /// Gives its pieces one after the other, and between them nothing.
    struct Pieces(VecDeque<Vec<u8>>);

    impl Read for Pieces {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let Some(mut piece) = self.0.pop_front() else { return Ok(0) };
            let count = piece.len().min(buf.len());
            buf[..count].copy_from_slice(&piece[..count]);
            let rest = piece.split_off(count);
            if !rest.is_empty() {
                self.0.push_front(rest);
            }
            Ok(count)
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

    fn lines(
        bytes: &[u8],
        options: &Options,
        wait: impl FnMut() -> bool,
        piece: usize,
    ) -> Vec<String> {
        let pieces = bytes.chunks(piece).flat_map(|piece| [piece.to_vec(), Vec::new()]).collect();
        let reader = Box::new(Pieces(pieces));
        let source = Source { reader, kind: FileKind::Aof, compression: None, size: None };
        let mut lines = Vec::new();
        log(source, &Input::Stdin, options, wait, |line| {
            if let Line::Command(entry) = line {
                let args = entry.args.join(&b' ');
                let open = if entry.in_transaction { "+" } else { "" };
                let seconds = entry.seconds.unwrap_or(0);
                lines.push(format!(
                    "{} {seconds}{open} {}",
                    entry.db,
                    String::from_utf8_lossy(&args)
                ));
            }
            Ok(())
        })
        .unwrap();
        lines
    }

    const ALL: [&str; 6] = [
        "0 100 SET a 1",
        "0 100+ MULTI",
        "0 100+ SELECT 3",
        "3 100+ DEL b c",
        "3 100+ EXEC",
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
                &[3, 5],
            ),
        ];
        for (options, want) in cases {
            let want: Vec<_> = want.iter().map(|index| ALL[*index]).collect();
            assert_eq!(lines(&sample(), &options, || false, 1 << 20), want, "{options:?}");
        }
    }

    #[test]
    fn a_file_that_grows() {
        for piece in [1, 7, 40] {
            let mut left = 10_000;
            let wait = || {
                left -= 1;
                left > 0
            };
            assert_eq!(lines(&sample(), &Options::default(), wait, piece), ALL, "by {piece}");
        }
    }
}
