//! Records one behind the other, as servers write them and of commands that servers know: what only looks like
//! a record rarely is all of that.

use crate::encoding::resp::{Forms, Framer, Stop};
use crate::job::commands::{Known, look};

/// A record.
#[derive(Debug)]
pub(super) struct Step<'a> {
    /// Bytes it takes.
    pub(super) len: usize,
    /// Its arguments; of an annotation none.
    pub(super) args: Vec<&'a [u8]>,
}

/// Why there is none, and how many arguments were read before that was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum No {
    /// More bytes may make one.
    Short(u64),
    /// These do not.
    Bad(u64),
}

/// What an argument costs that is read, in bytes looked at.
const ARGUMENT: u64 = 4;

/// The work of reading what is a record, or is none.
pub(super) fn cost(stepped: &Result<Step<'_>, No>) -> u64 {
    let args = match stepped {
        Ok(step) => step.args.len() as u64,
        Err(No::Short(args) | No::Bad(args)) => *args,
    };
    ARGUMENT * args
}

/// The record at the start of some bytes.
pub(super) fn step(bytes: &[u8], string_limit: u64) -> Result<Step<'_>, No> {
    let mut framer = Framer::new(Forms::Strict, string_limit);
    let no = |stop: Box<Stop>, args: u64| match *stop {
        Stop::Short { .. } => No::Short(args),
        Stop::Bad(_) => No::Bad(args),
    };
    match bytes.first() {
        Some(b'#') => {
            let (_, len) = framer.annotation(bytes).map_err(|stop| no(stop, 0))?;
            Ok(Step { len, args: Vec::new() })
        }
        Some(b'*') => {
            let mut args = Vec::new();
            let framed = framer.command(bytes, |arg| args.push(arg));
            let count = args.len() as u64;
            let len = framed.map_err(|stop| no(stop, count))?;
            match look(&args) {
                Known::Yes(_) | Known::Idle(_) | Known::Module => Ok(Step { len, args }),
                Known::No | Known::Stray(_) | Known::Arity(_) => Err(No::Bad(count)),
            }
        }
        Some(_) => Err(No::Bad(0)),
        None => Err(No::Short(0)),
    }
}

/// A line as it may have been: its number if it has one, and where the next begins. Damage is what is looked at
/// here, so nothing but the mark and the first digits must be right.
pub(super) fn loose_line(bytes: &[u8], pos: usize, mark: u8) -> Option<(usize, usize)> {
    let line = bytes.get(pos..)?.get(..LINE.min(bytes.len() - pos))?;
    let (first, rest) = line.split_first()?;
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let digits = rest.get(..end)?;
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(digits.get(..count)?).ok()?.parse().ok()?;
    (*first == mark).then_some((number, pos + 1 + end + 1))
}

/// Bytes of a record in which its name and key are looked for.
pub(super) const HEAD: usize = 64 << 10;

/// Longest line with a number that is looked at.
pub(super) const LINE: usize = 24;

/// The arguments that can be read of a record that is damaged, from its start on.
pub(super) fn readable(bytes: &[u8]) -> Vec<&[u8]> {
    let mut args = Vec::new();
    let Some((argc, mut pos)) = loose_line(bytes, 0, b'*') else { return args };
    for _ in 0..argc {
        let Some((len, start)) = loose_line(bytes, pos, b'$') else { break };
        let Some(arg) = start.checked_add(len).and_then(|end| bytes.get(start..end)) else { break };
        args.push(arg);
        pos = start + len + 2;
    }
    args
}

/// Where in some bytes a command may begin: at a mark with a digit behind it.
pub(super) fn star(bytes: &[u8]) -> Option<usize> {
    let found = bytes.windows(2).position(|pair| matches!(pair, [b'*', b'1'..=b'9']));
    found.or_else(|| (bytes.last() == Some(&b'*')).then(|| bytes.len() - 1))
}

/// Whether a line ends here where a record should begin, and something goes on behind it: so does a value that
/// holds commands.
pub(super) fn ends_a_value(bytes: &[u8]) -> bool {
    matches!(bytes, [b'\r', b'\n'] | [b'\r', b'\n', b'*' | b'$' | b'#', ..])
}

/// Whether a record may begin here: two lines with numbers and the name of a command.
pub(super) fn begins_well(bytes: &[u8]) -> bool {
    let name = || {
        let (argc, pos) = loose_line(bytes, 0, b'*')?;
        let (len, start) = loose_line(bytes, pos, b'$')?;
        let name = bytes.get(start..start.checked_add(len)?)?;
        (argc > 0 && bytes.get(start + len..start + len + 2)? == b"\r\n").then_some(name)
    };
    name().is_some_and(|name| !matches!(look(&[name]), Known::No))
}
