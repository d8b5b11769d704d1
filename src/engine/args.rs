//! Arguments as the servers read them, with their errors.

use super::failure::Failure;
use super::longdouble::LongDouble;
use super::release::Release;
use crate::encoding::number::{parse_double, parse_i64};

/// Is this argument that word, in any case? `word` is in lower case. To C, a text ends at a NUL.
pub fn is(arg: &[u8], word: &str) -> bool {
    match arg.split_at_checked(word.len()) {
        Some((text, [] | [0, ..])) => text.eq_ignore_ascii_case(word.as_bytes()),
        _ => false,
    }
}

/// A 64-bit integer in canonical text.
pub fn int(arg: &[u8]) -> Result<i64, Failure> {
    parse_i64(arg).ok_or(Failure::NOT_INT)
}

/// An integer within `min..=max`.
pub fn int_in(arg: &[u8], min: i64, max: i64) -> Result<i64, Failure> {
    let number = int(arg)?;
    if (min..=max).contains(&number) { Ok(number) } else { Err(Failure::range(min, max)) }
}

/// A C int, as database numbers are read.
pub fn int32(arg: &[u8]) -> Result<i64, Failure> {
    int_in(arg, i32::MIN.into(), i32::MAX.into())
}

/// A count that must not be negative.
pub fn count(arg: &[u8]) -> Result<usize, Failure> {
    let count = parse_i64(arg).ok_or(Failure::NOT_POSITIVE)?;
    usize::try_from(count).map_err(|_| Failure::NOT_POSITIVE)
}

/// A floating point number: infinities yes, NaN no; nor what is too large, or so small that nothing is
/// left.
pub fn float(arg: &[u8]) -> Result<f64, Failure> {
    let blank = arg.first().is_some_and(|byte| byte.is_ascii_whitespace() || *byte == 0x0b);
    let number = if blank { None } else { parse_double(arg) };
    let in_range = |number: &f64| match number {
        number if number.is_nan() => false,
        number if number.is_infinite() => arg.iter().any(|byte| matches!(byte, b'n' | b'N')),
        0.0 => {
            let hex = arg.iter().any(|byte| matches!(byte, b'x' | b'X'));
            let exponent = if hex { [b'p', b'P'] } else { [b'e', b'E'] };
            let mut digits = arg.iter().take_while(|byte| !exponent.contains(byte));
            !digits.any(|byte| *byte != b'0' && byte.is_ascii_hexdigit())
        }
        _ => true,
    };
    number.filter(in_range).ok_or(Failure::NOT_FLOAT)
}

/// How long a blocking command would wait. (None of ours does: it is only checked.)
pub fn timeout(arg: &[u8], release: Release) -> Result<(), Failure> {
    let seconds = LongDouble::parse(arg).and_then(|_| parse_double(arg));
    let text = "ERR timeout is not a float or out of range";
    let ms = (seconds.ok_or_else(|| Failure::new(text))? * 1000.0).ceil();
    let too_long = ms > i64::MAX as f64;
    if too_long && release.has_redis(7, 2) {
        return Err(Failure::new("ERR timeout is out of range"));
    }
    if too_long || ms < 0.0 { Err(Failure::new("ERR timeout is negative")) } else { Ok(()) }
}

/// The options behind a command's fixed arguments, taken one after the other.
#[derive(Debug, Clone)]
pub struct Args<'a> {
    rest: &'a [&'a [u8]],
}

impl<'a> Args<'a> {
    /// The arguments from `first` on.
    pub fn from(argv: &'a [&'a [u8]], first: usize) -> Args<'a> {
        Args { rest: argv.get(first..).unwrap_or_default() }
    }

    /// Those not yet taken.
    pub fn rest(&self) -> &'a [&'a [u8]] {
        self.rest
    }

    /// How many are left.
    pub fn len(&self) -> usize {
        self.rest.len()
    }

    /// None left?
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes the next one if it is `word`.
    pub fn accept(&mut self, word: &str) -> bool {
        match self.rest.split_first() {
            Some((arg, rest)) if is(arg, word) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// The value that an option must have: a missing one is a syntax error.
    pub fn value(&mut self) -> Result<&'a [u8], Failure> {
        self.next().ok_or(Failure::SYNTAX)
    }

    /// The next `count` arguments: a syntax error if there are fewer.
    pub fn several(&mut self, count: usize) -> Result<&'a [&'a [u8]], Failure> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Failure::SYNTAX)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Nothing may be left.
    pub fn end(&self) -> Result<(), Failure> {
        if self.is_empty() { Ok(()) } else { Err(Failure::SYNTAX) }
    }
}

impl<'a> Iterator for Args<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (next, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(next)
    }
}

/// The bounds that `start` and `end` (negative: from the end, inclusive) mean in something of `len`
/// elements, as `GETRANGE`, `LRANGE`, `ZRANGE` and the rest count them; `None` if nothing is between.
pub fn range(start: i64, end: i64, len: usize) -> Option<std::ops::Range<usize>> {
    let size = i64::try_from(len).unwrap_or(i64::MAX);
    let from_end = |at: i64| if at < 0 { size.saturating_add(at) } else { at };
    let start = from_end(start).max(0);
    let end = from_end(end).min(size.saturating_sub(1));
    if start > end || start >= size {
        return None;
    }
    Some(usize::try_from(start).ok()?..usize::try_from(end).ok()?.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats() {
        for text in
            ["0", "-0", ".0", "0x0p5", "1e-320", "inf", "-Infinity", "0x1p-3", "+1.", "00e9"]
        {
            assert!(float(text.as_bytes()).is_ok(), "{text}");
        }
        for text in
            ["", " 1", "1 ", "nan", "-nan", "1e400", "-1e400", "1e-400", "0.1e-400", "0x1p9999"]
        {
            assert!(float(text.as_bytes()).is_err(), "{text}");
        }
        assert!(float(b"0x.1p-9999").is_err());
    }

    #[test]
    fn ranges() {
        let cases = [
            (0, -1, 5, Some(0..5)),
            (1, 2, 5, Some(1..3)),
            (-2, -1, 5, Some(3..5)),
            (-100, 100, 5, Some(0..5)),
            (3, 2, 5, None),
            (5, 9, 5, None),
            (0, 0, 0, None),
            (0, -6, 5, None),
            (i64::MIN, i64::MAX, 5, Some(0..5)),
            (i64::MAX, i64::MIN, 5, None),
        ];
        for (start, end, len, want) in cases {
            assert_eq!(range(start, end, len), want, "{start} {end} of {len}");
        }
    }
}
