//! Requests out of the bytes of a client: RESP arrays of bulk strings, and lines for people.
//!
//! ```text
//! *2\r\n $3\r\n GET \r\n $1\r\n k \r\n       what programs send
//! GET k\r\n                                    what somebody types: words, quoted as in redis.conf
//! ```
//!
//! Bytes come in pieces of any size. The reader keeps what it knows of a request that is not all there, so
//! that no byte is looked at twice but for the line at the end. A claimed length or count allocates
//! nothing: an argument is noted when it is there. What is malformed is answered in the words of a server
//! (asked live: `tests/serve.rs`), and the client is closed.
//!
//! [`crate::encoding::resp`] reads the same form out of files, where other things matter: there, framing is
//! what gets checked, and places are reported. On a socket there is only right and wrong, and waiting.

use super::client::give_back;
use crate::aof::words;
use crate::encoding::number::parse_i64;
use crate::engine::Failure;
use crate::limits::serve as limits;

/// What the bytes at hand give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A request of so many bytes; its arguments are [`Reader::args`].
    Request(usize),
    /// A line of so many bytes, and its words.
    Line(usize, Vec<Vec<u8>>),
    /// So many bytes that ask for nothing: an empty line, an array of nothing.
    Nothing(usize),
    /// More bytes are needed.
    More,
}

/// Bounds on a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Arguments, at most.
    pub(super) args: usize,
    /// Bytes of an argument, at most.
    pub(super) bulk: usize,
    /// The bounds are those for somebody who has not said the password yet.
    pub(super) stranger: bool,
}

/// Reads the requests of one client.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// Arguments the request has; 0 between requests.
    wanted: usize,
    /// Where those that are there lie, from the start of the request.
    spans: Vec<(usize, usize)>,
    /// How far the request is read.
    at: usize,
    /// Length of the argument at `at`, once its line is read.
    bulk: Option<usize>,
}

impl Reader {
    /// Takes the request at the start of `bytes`, which is the same as at the last call, and perhaps more,
    /// as long as the answer is [`Step::More`].
    ///
    /// # Errors
    /// What to tell the client before it is closed.
    #[inline]
    pub(super) fn next(&mut self, bytes: &[u8], bounds: Bounds) -> Result<Step, Failure> {
        if self.wanted == 0 {
            match bytes.first() {
                None => return Ok(Step::More),
                Some(b'*') => {
                    let Some((number, next)) = line(bytes, 0, "mbulk")? else {
                        return Ok(Step::More);
                    };
                    self.wanted = count(number, bounds)?;
                    if self.wanted == 0 {
                        return Ok(Step::Nothing(next));
                    }
                    self.at = next;
                    give_back(&mut self.spans);
                }
                Some(_) => return self.inline(bytes),
            }
        }
        while self.spans.len() < self.wanted {
            let len = match self.bulk {
                Some(len) => len,
                None => {
                    let Some((number, next)) = line(bytes, self.at, "bulk")? else {
                        return Ok(Step::More);
                    };
                    self.at = next;
                    *self.bulk.insert(length(number, bounds)?)
                }
            };
            let end = self.at.saturating_add(len);
            // The two bytes behind an argument are not looked at, as servers do not.
            if bytes.len() < end.saturating_add(2) {
                return Ok(Step::More);
            }
            self.spans.push((self.at, end));
            self.at = end + 2;
            self.bulk = None;
        }
        self.wanted = 0;
        Ok(Step::Request(self.at))
    }

    /// A line. To servers it ends at a NUL, so that no line feed behind one is seen.
    fn inline(&self, bytes: &[u8]) -> Result<Step, Failure> {
        let seen = bytes.iter().take(limits::LINE + 1).take_while(|byte| **byte != 0);
        let Some(end) = seen.into_iter().position(|byte| *byte == b'\n') else {
            return match bytes.len() > limits::LINE {
                true => Err(malformed("too big inline request")),
                false => Ok(Step::More),
            };
        };
        let text = bytes.get(..end).unwrap_or_default();
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let words = words::split(text).ok_or_else(|| malformed("unbalanced quotes in request"))?;
        match words.is_empty() {
            true => Ok(Step::Nothing(end + 1)),
            false => Ok(Step::Line(end + 1, words)),
        }
    }

    /// The arguments of the request that was taken from the start of `bytes`.
    #[inline]
    pub(super) fn args<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let spans = self.spans.iter();
        spans.map(|(start, end)| bytes.get(*start..*end).unwrap_or_default())
    }

    /// Bytes that the request at hand needs before it can be whole, as far as that is known.
    pub(super) fn needs(&self) -> usize {
        self.bulk.map_or(0, |len| self.at.saturating_add(len).saturating_add(2))
    }

    /// Bytes that it needs for the request at hand, beside the request itself.
    pub(super) fn held(&self) -> usize {
        if self.wanted == 0 { 0 } else { self.spans.len() * size_of::<(usize, usize)>() }
    }

    /// Bytes it holds of its own.
    pub(super) fn memory(&self) -> usize {
        self.spans.capacity() * size_of::<(usize, usize)>()
    }
}

/// The number of the line at `at`, and where the next one begins; nothing if its end is not there yet.
#[inline]
fn line(bytes: &[u8], at: usize, what: &str) -> Result<Option<(i64, usize)>, Failure> {
    let rest = bytes.get(at..).unwrap_or_default();
    let Some(end) = rest.iter().take(limits::LINE + 1).position(|byte| *byte == b'\r') else {
        return match rest.len() > limits::LINE {
            true => Err(malformed(&format!("too big {what} count string"))),
            false => Ok(None),
        };
    };
    // The byte behind CR is taken for LF.
    if rest.len() < end + 2 {
        return Ok(None);
    }
    let (mark, number) = match rest.get(..end).and_then(<[u8]>::split_first) {
        Some((mark, number)) => (*mark, number),
        None => (b'\r', &b""[..]),
    };
    if at > 0 && mark != b'$' {
        return Err(malformed(&format!("expected '$', got '{}'", char::from(mark))));
    }
    // What is no number is as wrong as one that is too large.
    Ok(Some((parse_i64(number).unwrap_or(i64::MAX), at + end + 2)))
}

fn count(number: i64, bounds: Bounds) -> Result<usize, Failure> {
    let Ok(count) = usize::try_from(number) else { return Ok(0) };
    if count > bounds.args {
        return Err(malformed("invalid multibulk length"));
    }
    if bounds.stranger && count > limits::STRANGER_ARGS {
        return Err(malformed("unauthenticated multibulk length"));
    }
    Ok(count)
}

fn length(number: i64, bounds: Bounds) -> Result<usize, Failure> {
    let len = usize::try_from(number).ok().filter(|len| *len <= bounds.bulk);
    let len = len.ok_or_else(|| malformed("invalid bulk length"))?;
    if bounds.stranger && len > limits::STRANGER_BULK {
        return Err(malformed("unauthenticated bulk length"));
    }
    Ok(len)
}

#[cold]
fn malformed(what: &str) -> Failure {
    Failure::new(format!("ERR Protocol error: {what}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const BOUNDS: Bounds = Bounds { args: 1000, bulk: 1 << 20, stranger: false };

    /// All requests in `bytes`, which come in pieces that end at these places.
    fn requests(bytes: &[u8], cuts: &[usize]) -> Result<Vec<Vec<Vec<u8>>>, Failure> {
        let (mut reader, mut start, mut found) = (Reader::default(), 0, Vec::new());
        for cut in cuts.iter().copied().chain([bytes.len()]) {
            loop {
                let at_hand = &bytes[start..cut];
                match reader.next(at_hand, BOUNDS)? {
                    Step::Request(len) => {
                        found.push(reader.args(at_hand).map(<[u8]>::to_vec).collect());
                        start += len;
                    }
                    Step::Line(len, words) => {
                        found.push(words);
                        start += len;
                    }
                    Step::Nothing(len) => start += len,
                    Step::More => break,
                }
            }
        }
        Ok(found)
    }

    #[test]
    fn cut_anywhere_it_is_the_same() {
        let bytes = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*0\r\n*-1\r\nset  a 'b c'\r\n\r\n\n*3\r\n$3\r\nSET\r\n$0\r\n\r\n$12\r\n\r\n*1\r\n$4\r\nx\r\n\r\nPING\n*1\r\n$4\r\nPING\r\n";
        let whole = requests(bytes, &[]).unwrap();
        let want: &[&[&[u8]]] =
            &[&[b"GET", b"k"], &[b"set", b"a", b"b c"], &[b"SET", b"", b"\r\n*1\r\n$4\r\nx\r"]];
        assert_eq!(whole.get(..3).unwrap(), want);
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                assert_eq!(requests(bytes, &[first, second]).unwrap(), whole);
            }
        }
        let every: Vec<usize> = (0..bytes.len()).collect();
        assert_eq!(requests(bytes, &every).unwrap(), whole);
    }

    #[test]
    fn claimed_sizes_allocate_nothing() {
        let mut reader = Reader::default();
        assert_eq!(reader.next(b"*1000\r\n$1048576\r\nabc", BOUNDS), Ok(Step::More));
        assert!(reader.memory() < 1024);
        assert_eq!(reader.needs(), 7 + 10 + 1048576 + 2);
    }

    #[test]
    fn bounds() {
        let stranger = Bounds { stranger: true, ..BOUNDS };
        let cases: &[(&[u8], Bounds, &str)] = &[
            (b"*1001\r\n", BOUNDS, "invalid multibulk length"),
            (b"*1\r\n$1048577\r\n", BOUNDS, "invalid bulk length"),
            (b"*11\r\n", stranger, "unauthenticated multibulk length"),
            (b"*1\r\n$16385\r\n", stranger, "unauthenticated bulk length"),
            (b"*1\r\n$-1\r\n", BOUNDS, "invalid bulk length"),
            (b"*1\r\n:1\r\n", BOUNDS, "expected '$', got ':'"),
        ];
        assert_eq!(Reader::default().next(b"PING\0\r\n", BOUNDS), Ok(Step::More));
        for (bytes, bounds, want) in cases {
            let failure = Reader::default().next(bytes, *bounds).unwrap_err();
            assert_eq!(failure.to_string(), format!("ERR Protocol error: {want}"));
        }
        for (head, what) in [
            ("*", "too big mbulk count string"),
            ("*1\r\n$", "too big bulk count string"),
            ("x", "too big inline request"),
            ("PING\0\r\n", "too big inline request"),
        ] {
            let bytes = [head.as_bytes(), &[b'1'; limits::LINE + 1]].concat();
            let failure = Reader::default().next(&bytes, BOUNDS).unwrap_err();
            assert_eq!(failure.to_string(), format!("ERR Protocol error: {what}"));
        }
    }
}
