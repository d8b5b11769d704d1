//! What `aof log` says: a line a command for people, an object a command for programs.
//!
//! ```text
//!          0  db0  2026-11-22T14:02:06Z  SELECT 0
//!         23  db0  2026-11-22T14:02:06Z  MULTI
//!         38  db0  2026-11-22T14:02:06Z    SET user:1 "a name"
//!         77  db0  2026-11-22T14:02:06Z    INCR users
//!        100  db0  2026-11-22T14:02:06Z  EXEC
//! ```

use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::escape::{self, message, name, quoted};
use super::facts;
use super::json::{self, Bytes};
use super::screen::Screen;
use super::size::{bytes, count};
use crate::job::log::{Entry, Line};

/// Characters of an argument that are shown.
const ARG: usize = 60;

/// Arguments that are shown.
const ARGS: usize = 24;

/// Fields of the objects, for the manual.
pub(crate) const FIELDS: &[(&str, &str)] = &[
    ("file", "Its name: of an AOF of several files that of the file the command is in."),
    (
        "event",
        "command; preamble, an RDB of len bytes that the file begins with; damage, at offset, behind \
         which nothing is read; unreadable, a file of the AOF that could not be read; replaced, another \
         file has this name now and comes from its start; cut, at offset, and what follows comes from \
         there.",
    ),
    ("offset", "Where it begins in the file."),
    ("len", "Its bytes."),
    ("db", "Of a command: the database it is run on."),
    ("time", "Of a command: the last timestamp before it, in Unix seconds, or null."),
    (
        "multi",
        "Of a command: the offset of the MULTI of the transaction that it belongs to, or null. MULTI \
         and EXEC belong to it.",
    ),
    ("args", "Of a command: array of its name and arguments, all of them whole."),
    ("code, expected, found", "Of damage: what is wrong, as check says it."),
    ("error", "Of what is unreadable: why."),
];

/// How to write the lines.
#[derive(Debug)]
pub(crate) struct Style<'s> {
    /// Objects instead of lines.
    pub(crate) json: bool,
    /// Arguments whole, however long.
    pub(crate) full: bool,
    /// Colours.
    pub(crate) screen: &'s Screen,
}

/// Writes lines about a file.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn line(
    out: &mut dyn Write,
    file: &Path,
    line: &Line<'_>,
    style: &Style<'_>,
) -> io::Result<()> {
    if style.json {
        return match event(line) {
            Some(event) => {
                json::line(out, &Object { file: Bytes(file.as_os_str().as_encoded_bytes()), event })
            }
            None => Ok(()),
        };
    }
    let Screen { strong, error, note, .. } = style.screen;
    match line {
        Line::File(path) => writeln!(out, "{strong}{}:{strong:#}", escape::path(path)),
        Line::Command(entry) => command(out, entry, style),
        Line::Preamble(len) => {
            let told = format!("an RDB of {}; rdbtool inspect tells what is in it", bytes(*len));
            writeln!(out, "{:>10}  {note}preamble:{note:#} {told}", 0)
        }
        Line::Damage(finding) => {
            let (at, code) = (finding.span.start, finding.code);
            let found = facts::expected_found(&finding.expected, &finding.found);
            writeln!(out, "{at:>10}  {error}damaged:{error:#} reading stops here: {code}: {found}")
        }
        Line::Unreadable(err) => {
            writeln!(out, "            {error}error:{error:#} {}", message(&err.to_string()))
        }
        Line::Replaced => {
            let told = "the file has been written anew, and is logged from its start";
            writeln!(out, "         0  {note}replaced:{note:#} {told}")
        }
        Line::Cut(at) => {
            let told = "the file has been cut here; what was behind it is gone";
            writeln!(out, "{at:>10}  {note}cut:{note:#} {told}")
        }
    }
}

fn command(out: &mut dyn Write, entry: &Entry<'_>, style: &Style<'_>) -> io::Result<()> {
    let dim = style.screen.dim;
    let time = entry.seconds.map_or_else(|| "-".to_owned(), time);
    let indent = if entry.is_inner { "  " } else { "" };
    write!(out, "{dim}{:>10}  db{}  {time}{dim:#}  {indent}", entry.offset, entry.db)?;
    let shown = if style.full { usize::MAX } else { ARGS };
    let chars = if style.full { usize::MAX } else { ARG };
    for (at, bytes) in entry.args.iter().take(shown).enumerate() {
        let gap = if at > 0 { " " } else { "" };
        write!(out, "{gap}{}", Arg { bytes, chars })?;
    }
    if entry.args.is_empty() {
        write!(out, "(no arguments)")?;
    }
    match entry.args.len().saturating_sub(shown) {
        0 => writeln!(out),
        more => writeln!(out, " … ({} more arguments)", count(more as u64)),
    }
}

/// A time as `--from` and `--to` take it.
fn time(seconds: i64) -> String {
    match Timestamp::from_second(seconds) {
        Ok(time) => time.to_string(),
        Err(_) => format!("@{seconds}"),
    }
}

/// An argument: bare where it is a word that no shell and no reader would take for anything else.
struct Arg<'a> {
    bytes: &'a [u8],
    chars: usize,
}

impl fmt::Display for Arg<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"'\\".contains(byte);
        let is_word = !self.bytes.is_empty() && self.bytes.iter().all(plain);
        match is_word && self.bytes.len() <= self.chars {
            true => write!(f, "{}", name(self.bytes)),
            false => write!(f, "{}", quoted(self.bytes).short(self.chars)),
        }
    }
}

#[derive(Debug, Serialize)]
struct Object<'a> {
    file: Bytes<'a>,
    #[serde(flatten)]
    event: Event<'a>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Event<'a> {
    Command {
        offset: u64,
        len: u64,
        db: u64,
        time: Option<i64>,
        multi: Option<u64>,
        args: Vec<Bytes<'a>>,
    },
    Preamble {
        offset: u64,
        len: u64,
    },
    Damage {
        offset: u64,
        code: &'static str,
        expected: &'a str,
        found: &'a str,
    },
    Unreadable {
        error: String,
    },
    Replaced,
    Cut {
        offset: u64,
    },
}

/// The object of a line; every object has its file, so a heading has none.
fn event<'a>(line: &Line<'a>) -> Option<Event<'a>> {
    Some(match line {
        Line::File(_) => return None,
        Line::Command(entry) => Event::Command {
            offset: entry.offset,
            len: entry.len,
            db: entry.db,
            time: entry.seconds,
            multi: entry.multi,
            args: entry.args.iter().map(|arg| Bytes(arg)).collect(),
        },
        Line::Preamble(len) => Event::Preamble { offset: 0, len: *len },
        Line::Damage(finding) => Event::Damage {
            offset: finding.span.start,
            code: finding.code.as_str(),
            expected: &finding.expected,
            found: &finding.found,
        },
        Line::Unreadable(err) => Event::Unreadable { error: err.to_string() },
        Line::Replaced => Event::Replaced,
        Line::Cut(at) => Event::Cut { offset: *at },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let show = |bytes: &[u8]| Arg { bytes, chars: 10 }.to_string();
        let cases: &[(&[u8], &str)] = &[
            (b"user:1", "user:1"),
            (b"", "\"\""),
            (b"a b", "\"a b\""),
            (b"it's", "\"it's\""),
            (b"\x1b[2J\xff", "\"\\x1b[2J\"… (5 bytes)"),
            (b"\x1b]0;", "\"\\x1b]0;\""),
            ("é".as_bytes(), "\"é\""),
            (&[b'x'; 11], "\"xxxxxxxxxx\"… (11 bytes)"),
        ];
        for (bytes, want) in cases {
            assert_eq!(show(bytes), *want);
        }
    }

    #[test]
    fn times_read_back() {
        assert_eq!(time(1_795_357_326), "2026-11-22T14:22:06Z");
        assert_eq!(time(i64::MAX), "@9223372036854775807");
    }
}
