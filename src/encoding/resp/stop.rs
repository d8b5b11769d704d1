//! Why there is no command, and how that is said.

use std::borrow::Cow;
use std::fmt;

use crate::error::{Fault, left};
use crate::finding::Code;

/// Why no command could be taken from the start of a slice.
#[derive(Debug)]
pub enum Stop {
    /// The slice ends first.
    Short {
        /// So many bytes of it are needed to get any further.
        need: usize,
        /// What to say where there are no more.
        why: Why,
    },
    /// The bytes are no command.
    Bad(Why),
}

impl Stop {
    /// The slice `at`, which goes on to the end of all there is, ends first.
    #[cold]
    pub fn short(code: Code, at: &[u8], need: usize, expected: Words) -> Box<Stop> {
        let rest = at.len();
        let why = Why { code, rest, len: rest, expected, found: Words::Left(rest) };
        Box::new(Stop::Short { need, why })
    }

    /// The first `len` bytes of `at`, which goes on to the end of all there is, are not what they must be.
    #[cold]
    pub fn bad(code: Code, at: &[u8], len: usize, expected: Words, found: Words) -> Box<Stop> {
        Box::new(Stop::Bad(Why { code, rest: at.len(), len: len.min(at.len()), expected, found }))
    }

    /// What is wrong.
    pub fn fault(self) -> Fault {
        match self {
            Stop::Short { why, .. } | Stop::Bad(why) => why.fault(),
        }
    }
}

/// A [`Fault`] that is put in words only if somebody asks: whoever looks for commands in damaged bytes is stopped
/// at nearly every place.
#[derive(Debug)]
pub struct Why {
    code: Code,
    rest: usize,
    len: usize,
    expected: Words,
    found: Words,
}

impl Why {
    /// It in words.
    pub fn fault(self) -> Fault {
        let (expected, found) = (self.expected.say(), self.found.say());
        Fault::of(self.code, self.rest, self.len, expected, found)
    }
}

/// What is expected or found.
#[derive(Debug)]
pub enum Words {
    /// Just that.
    Said(Cow<'static, str>),
    /// This line.
    Line(Line),
    /// This line, which begins with this byte.
    Marked(Line, u8),
    /// An argument of so many bytes, and its line end.
    Argument(Place, i64),
    /// The line end of an argument.
    ArgumentEnd(Place),
    /// A byte.
    Byte(u8),
    /// So many bytes, and nothing behind them.
    Left(usize),
}

/// A line of a command.
#[derive(Debug, Clone, Copy)]
pub enum Line {
    /// The first, with the number of arguments.
    Argc,
    /// The one with the length of an argument.
    Len(Place),
}

/// An argument of a command.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// How many are before it.
    pub index: i64,
    /// How many there are.
    pub argc: i64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.index.saturating_add(1), self.argc)
    }
}

impl<T: Into<Cow<'static, str>>> From<T> for Words {
    fn from(text: T) -> Words {
        Words::Said(text.into())
    }
}

impl Words {
    fn say(self) -> Cow<'static, str> {
        match self {
            Words::Said(text) => text,
            Words::Line(line) => line.say(),
            Words::Marked(line, mark) => {
                format!("{}, which begins with {}", line.say(), char::from(mark)).into()
            }
            Words::Argument(place, len) => format!("argument {place}, {len} bytes and CRLF").into(),
            Words::ArgumentEnd(place) => format!("CRLF behind argument {place}").into(),
            Words::Byte(byte) => describe(byte).into(),
            Words::Left(bytes) => left(bytes),
        }
    }
}

impl Line {
    fn say(self) -> Cow<'static, str> {
        match self {
            Line::Argc => "a line with the number of arguments".into(),
            Line::Len(place) => format!("a line with the length of argument {place}").into(),
        }
    }
}

/// A byte for a message.
fn describe(byte: u8) -> String {
    match byte {
        0 => "NUL".to_owned(),
        b' '..=b'~' => format!("'{}'", char::from(byte)),
        _ => format!("byte {byte:#04x}"),
    }
}
