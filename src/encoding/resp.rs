//! One command in RESP, the form in which an AOF holds commands (FORMATS B.1).
//!
//! ```text
//! *3\r\n                  how many arguments
//! $3\r\n SET \r\n         each: its length, its bytes, CRLF
//! $1\r\n k \r\n
//! $5\r\n hello \r\n
//! #TS:1700000000\r\n      between commands: an annotation
//! ```
//!
//! Servers read this loosely: they take the number at the start of a line for whatever follows it, NULs too,
//! a length without a digit for 0, and do not look at the two bytes behind an argument. The same reader takes
//! it both ways: [`Forms::Strict`] stops where a line is not as servers write it, [`Forms::Tolerant`] goes on
//! where servers do; both tell what it was. What no server reads stops both: if there is no whole command in
//! the end, the first thing that made it doubtful is what is wrong.
//!
//! This is a bare cursor and no nom parser, alone among the grammars here: framing is most of what
//! checking an AOF costs, and a cursor does it in two thirds of the time. Nothing is allocated by a claimed
//! length or count: an argument is a slice of bytes that are there, and is handed out as soon as it is.

mod stop;

use super::number::{MAX_I64_TEXT, write_i64};
use crate::finding::{Code, shown};

pub use stop::{Line, Place, Stop, Why, Words};

/// Longest line of a server's reader, in bytes; a longer one is read in pieces.
pub const LINE: usize = 1024;

/// Bytes of the longest line that is written: a mark, a number and CRLF.
const LONGEST_LINE: usize = 1 + MAX_I64_TEXT + 2;

/// Longest line that is looked at to find its end.
const LINE_SEEN: usize = 64 << 10;

/// Most arguments: the count is a C int in all servers.
const ARGC: i64 = i32::MAX as i64;

/// What is taken for a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forms {
    /// What servers write.
    Strict,
    /// What servers read.
    Tolerant,
}

/// Something that is not as servers write it, though they read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Odd {
    /// What kind of thing.
    pub code: Code,
    /// Where it is in the slice.
    pub pos: usize,
    /// Bytes it is about.
    pub len: usize,
    /// What should have been there.
    pub expected: &'static str,
    /// What is there.
    pub found: String,
}

type Framed<T> = std::result::Result<T, Box<Stop>>;

/// Takes commands from slices.
#[derive(Debug)]
pub struct Framer {
    /// What is taken.
    pub forms: Forms,
    /// Longest argument, in bytes.
    pub string_limit: u64,
    /// The slice ends where the file does: nothing more will come.
    pub last: bool,
    /// What was odd in the command taken last.
    pub odd: Vec<Odd>,
    /// What is wrong if the command at hand turns out to be none.
    doubt: Option<Box<Stop>>,
}

impl Framer {
    /// A reader of such forms.
    pub fn new(forms: Forms, string_limit: u64) -> Framer {
        Framer { forms, string_limit, last: false, odd: Vec::new(), doubt: None }
    }

    /// Takes the command at the start of `i`, handing its arguments to `each`. Returns how many bytes it
    /// takes. A line of no arguments, `*0`, is taken by itself: odd, and for servers an error.
    ///
    /// # Errors
    /// When there is none, or not all of it.
    #[inline]
    pub fn command<'a>(&mut self, i: &'a [u8], each: impl FnMut(&'a [u8])) -> Framed<usize> {
        self.odd.clear();
        let framed = self.framed(i, each);
        let doubt = self.doubt.take();
        framed.map_err(|stop| match *stop {
            Stop::Bad(_) => doubt.unwrap_or(stop),
            Stop::Short { .. } => stop,
        })
    }

    #[inline]
    fn framed<'a>(&mut self, i: &'a [u8], mut each: impl FnMut(&'a [u8])) -> Framed<usize> {
        let (argc, mut pos) = self.line(i, 0, b'*', Line::Argc)?;
        if argc <= 0 {
            self.no_arguments(argc, pos);
            return Ok(pos);
        }
        for index in 0..argc {
            let (len, start) = self.line(i, pos, b'$', Line::Len(Place { index, argc }))?;
            let end = usize::try_from(len).ok().and_then(|len| start.checked_add(len));
            let Some((end, bytes)) = end.and_then(|end| Some((end, i.get(start..end)?))) else {
                return Err(self.no_argument(i, pos, start, len, Place { index, argc }));
            };
            if i.get(end..end.saturating_add(2)) != Some(b"\r\n") {
                self.argument_end(i, end, Place { index, argc })?;
            }
            each(bytes);
            pos = end + 2;
        }
        Ok(pos)
    }

    /// A line at `pos`: its number, and where the next line begins.
    #[inline]
    fn line(&mut self, i: &[u8], pos: usize, mark: u8, line: Line) -> Framed<(i64, usize)> {
        match i.get(pos..) {
            // Nearly all lengths and counts have one or two digits.
            Some([m, d @ b'0'..=b'9', b'\r', b'\n', ..]) if *m == mark => {
                return Ok((i64::from(d - b'0'), pos + 4));
            }
            Some([m, t @ b'1'..=b'9', d @ b'0'..=b'9', b'\r', b'\n', ..]) if *m == mark => {
                return Ok((i64::from(t - b'0') * 10 + i64::from(d - b'0'), pos + 5));
            }
            Some([m, d @ b'1'..=b'9', rest @ ..]) if *m == mark => {
                let mut number = i64::from(d - b'0');
                for (at, byte) in rest.iter().enumerate().take(17) {
                    match byte {
                        b'0'..=b'9' => number = number * 10 + i64::from(byte - b'0'),
                        b'\r' if rest.get(at + 1) == Some(&b'\n') => {
                            return self.in_range(i, pos, number, line).map(|n| (n, pos + at + 4));
                        }
                        _ => break,
                    }
                }
            }
            _ => {}
        }
        self.odd_line(i, pos, mark, line)
    }

    /// A line that is not as servers write it, or not all there.
    #[cold]
    fn odd_line(&mut self, i: &[u8], pos: usize, mark: u8, line: Line) -> Framed<(i64, usize)> {
        let at = i.get(pos..).unwrap_or_default();
        let start = match at.split_first() {
            None => return Err(short(i, i.len() + 1, at, Words::Line(line))),
            Some((first, rest)) if *first == mark => rest,
            Some((first, _)) => {
                return Err(bad(at, 1, Words::Marked(line, mark), Words::Byte(*first)));
            }
        };
        let end = start.iter().take(LINE - 1).position(|byte| *byte == b'\n');
        let text = start.get(..end.unwrap_or(start.len().min(LINE))).unwrap_or_default();
        let nul = nul_in(i, pos + 1, text.len());
        let Some(len) = end else {
            if let Some(stop) = nul {
                return Err(stop);
            }
            if start.len() < LINE - 1 {
                return Err(short(i, i.len() + 1, at, Words::Line(line)));
            }
            return Err(bad(at, 1, Words::Line(line), "a line without an end".into()));
        };
        let next = pos + 1 + len + 1;
        let (crlf, text) = match text.split_last() {
            Some((b'\r', text)) => (true, text),
            _ => (false, text),
        };
        if let Some(stop) = nul {
            self.doubt(stop)?;
        }
        let number = Number::of(text);
        let found = shown(text);
        let value = match (number.value, line) {
            (Some(value), _) => value,
            (None, Line::Argc) => {
                return Err(bad(at, text.len() + 1, Words::Line(line), found.into()));
            }
            (None, Line::Len(_)) => {
                self.doubt(bad(at, text.len() + 1, Words::Line(line), found.clone().into()))?;
                0
            }
        };
        if !number.plain {
            self.tolerate(at, Code::AofNumber, pos + 1, text.len(), "plain digits", found)?;
        }
        if !crlf {
            let end = start.get(text.len()..).unwrap_or_default();
            let found = "LF alone".to_owned();
            self.tolerate(end, Code::AofLineEnd, pos + 1 + text.len(), 1, "CRLF", found)?;
        }
        self.in_range(i, pos, value, line).map(|value| (value, next))
    }

    /// The number of a line, if any server could mean it.
    #[inline]
    fn in_range(&self, i: &[u8], pos: usize, value: i64, line: Line) -> Framed<i64> {
        let fits = match line {
            Line::Argc => value <= ARGC,
            Line::Len(_) => u64::try_from(value).is_ok_and(|len| len <= self.string_limit),
        };
        if fits { Ok(value) } else { Err(self.out_of_range(i, pos, value, line)) }
    }

    #[cold]
    fn out_of_range(&self, i: &[u8], pos: usize, value: i64, line: Line) -> Box<Stop> {
        let at = i.get(pos..).unwrap_or_default();
        let expected = match line {
            Line::Argc => format!("at most {ARGC} arguments"),
            Line::Len(_) => format!("a length of 0 to {} bytes", self.string_limit),
        };
        let len = at.iter().position(|byte| *byte == b'\n').unwrap_or(at.len());
        Stop::bad(Code::AofLength, at, len, expected.into(), value.to_string().into())
    }

    #[cold]
    fn no_arguments(&mut self, argc: i64, len: usize) {
        let expected = "at least one argument";
        let found = format!("a count of {argc}");
        self.odd.push(Odd { code: Code::AofArgc, pos: 0, len, expected, found });
    }

    /// The slice ends inside an argument.
    #[cold]
    fn no_argument(
        &self,
        i: &[u8],
        line: usize,
        start: usize,
        len: i64,
        place: Place,
    ) -> Box<Stop> {
        let at = i.get(start..).unwrap_or_default();
        let end = usize::try_from(len).ok().and_then(|len| start.checked_add(len)?.checked_add(2));
        match end {
            Some(need) => short(i, need, at, Words::Argument(place, len)),
            None => self.out_of_range(i, line, len, Line::Len(place)),
        }
    }

    /// The two bytes behind an argument, where they are not CRLF. A server takes any two; here they must
    /// be followed by what has to follow, or else it is the length that is wrong.
    #[cold]
    fn argument_end(&mut self, i: &[u8], end: usize, place: Place) -> Framed<()> {
        let at = i.get(end..).unwrap_or_default();
        let nul = nul_in(i, end, 2);
        let Some(what) = at.first_chunk::<2>() else {
            let need = end.saturating_add(2);
            return Err(nul.unwrap_or_else(|| short(i, need, at, Words::ArgumentEnd(place))));
        };
        let follows = match at.get(2) {
            None if !self.last => return Err(short(i, i.len() + 1, at, Words::ArgumentEnd(place))),
            None | Some(b'*' | b'#') => place.index + 1 == place.argc,
            Some(b'$') => place.index + 1 < place.argc,
            Some(_) => false,
        };
        let found = shown(what);
        if !follows {
            let found = found.into();
            return Err(nul.unwrap_or_else(|| bad(at, 2, Words::ArgumentEnd(place), found)));
        }
        if let Some(stop) = nul {
            self.doubt(stop)?;
        }
        self.tolerate(at, Code::AofArgumentEnd, end, 2, "CRLF behind an argument", found)
    }

    /// Takes note of what is wrong if no whole command comes of it; stops if only what servers write is taken.
    fn doubt(&mut self, stop: Box<Stop>) -> Framed<()> {
        match self.forms {
            Forms::Strict => Err(stop),
            Forms::Tolerant => {
                self.doubt.get_or_insert(stop);
                Ok(())
            }
        }
    }

    /// Takes note of a form; stops if it is not to be taken.
    fn tolerate(
        &mut self,
        at: &[u8],
        code: Code,
        pos: usize,
        len: usize,
        expected: &'static str,
        found: String,
    ) -> Framed<()> {
        match self.forms {
            Forms::Strict => Err(Stop::bad(code, at, len, expected.into(), found.into())),
            Forms::Tolerant => {
                self.odd.push(Odd { code, pos, len, expected, found });
                Ok(())
            }
        }
    }

    /// Takes the annotation at the start of `i`; returns its text without the `#` and the line end, and
    /// how many bytes it takes.
    ///
    /// # Errors
    /// When it has no end.
    pub fn annotation<'a>(&mut self, i: &'a [u8]) -> Framed<(&'a [u8], usize)> {
        self.odd.clear();
        let seen = i.get(..LINE_SEEN).unwrap_or(i);
        let Some(end) = seen.iter().position(|byte| *byte == b'\n') else {
            if seen.len() < LINE_SEEN {
                let expected = "an annotation that ends with CRLF";
                return Err(Stop::short(Code::AofAnnotationTorn, i, i.len() + 1, expected.into()));
            }
            return Err(bad(i, 1, "an annotation".into(), "a line without an end".into()));
        };
        let len = end + 1;
        let text = i.get(1..end).unwrap_or_default();
        if let Some(stop) = nul_in(i, 0, end) {
            // Servers pass it over, and what is behind it must be something they read.
            match i.get(len) {
                None if !self.last => {
                    let expected = "a command or an annotation behind this one";
                    return Err(Stop::short(Code::AofTruncated, i, len + 1, expected.into()));
                }
                None | Some(b'*' | b'#') if self.forms == Forms::Tolerant => {}
                _ => return Err(stop),
            }
            let found = shown(text);
            let expected = "an annotation without NULs";
            self.odd.push(Odd { code: Code::AofTimestamp, pos: 0, len, expected, found });
        }
        if len > LINE {
            let found = format!("{len} bytes");
            let expected = "an annotation of at most 1024 bytes";
            self.odd.push(Odd { code: Code::AofAnnotationLong, pos: 0, len, expected, found });
        }
        let Some((b'\r', text)) = text.split_last() else {
            let at = i.get(end..).unwrap_or_default();
            self.tolerate(at, Code::AofLineEnd, end, 1, "CRLF", "LF alone".to_owned())?;
            return Ok((text, len));
        };
        Ok((text, len))
    }
}

/// A number as C reads it: blanks, a sign, digits, and whatever follows.
struct Number {
    value: Option<i64>,
    plain: bool,
}

impl Number {
    fn of(text: &[u8]) -> Number {
        let blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
        let blanks = text.iter().take_while(|byte| blank(byte)).count();
        let rest = text.get(blanks..).unwrap_or_default();
        let (sign, digits) = match rest.split_first() {
            Some((b'-', rest)) => (-1, rest),
            Some((b'+', rest)) => (1, rest),
            _ => (1, rest),
        };
        let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let value = digits.iter().take(count).fold(0i64, |value, digit| {
            value.saturating_mul(10).saturating_add(i64::from(digit - b'0'))
        });
        let leading = count > 1 && digits.first() == Some(&b'0');
        let signed = rest.len() > digits.len() && (sign == 1 || value == 0);
        let plain = blanks == 0 && count > 0 && count == digits.len() && !leading && !signed;
        Number { value: (count > 0).then(|| value.saturating_mul(sign)), plain }
    }
}

/// Appends a command as servers write it.
pub fn write_command<'a>(args: impl ExactSizeIterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    write_argc(args.len(), out);
    args.for_each(|arg| write_arg(arg, out));
}

/// Appends what a command begins with: so many arguments follow, its name among them.
pub fn write_argc(argc: usize, out: &mut Vec<u8>) {
    write_line(b'*', argc, out);
}

/// Appends an argument.
pub fn write_arg(arg: &[u8], out: &mut Vec<u8>) {
    out.reserve(arg.len() + LONGEST_LINE + 2);
    write_line(b'$', arg.len(), out);
    out.extend_from_slice(arg);
    out.extend_from_slice(b"\r\n");
}

#[inline]
fn write_line(mark: u8, number: usize, out: &mut Vec<u8>) {
    // Nearly all lengths and counts have one or two digits.
    match number {
        0..10 => out.extend_from_slice(&[mark, b'0' + number as u8, b'\r', b'\n']),
        10..100 => {
            let [tens, ones] = [number / 10, number % 10].map(|digit| b'0' + digit as u8);
            out.extend_from_slice(&[mark, tens, ones, b'\r', b'\n']);
        }
        _ => {
            out.push(mark);
            write_i64(i64::try_from(number).unwrap_or(i64::MAX), out);
            out.extend_from_slice(b"\r\n");
        }
    }
}

fn short(i: &[u8], need: usize, at: &[u8], expected: Words) -> Box<Stop> {
    Stop::short(Code::AofTruncated, at, need.max(i.len() + 1), expected)
}

fn bad(at: &[u8], len: usize, expected: Words, found: Words) -> Box<Stop> {
    Stop::bad(Code::AofFormat, at, len, expected, found)
}

/// NUL bytes where there can be none: what a crash leaves, whatever a server makes of them.
#[cold]
fn nul_in(i: &[u8], from: usize, len: usize) -> Option<Box<Stop>> {
    let at = i.get(from..).unwrap_or_default();
    let pos = at.iter().take(len).position(|byte| *byte == 0)?;
    let at = at.get(pos..).unwrap_or_default();
    Some(bad(at, 1, "a command".into(), "NUL".into()))
}

#[cfg(test)]
mod tests;
