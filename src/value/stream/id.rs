//! Ids of stream entries: how they follow each other, and their text.
//!
//! ```text
//! 1526919030474-55     ms and seq
//! 1526919030474        only ms: the command says which seq that means
//! 1526919030474-*      only ms, seq to be found (XADD)
//! -  +                 the lowest and the highest id (ranges)
//! ```

use crate::element::StreamId;
use crate::encoding::number::parse_i64;

/// Longest text of an id that a server looks at.
const MAX_TEXT: usize = 127;

/// The sequence part of an id as a client wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seq {
    /// `ms-seq`
    Given(u64),
    /// `ms-*`
    Any,
    /// `ms`
    Missing,
}

impl StreamId {
    /// The lowest id. No entry has it.
    pub const MIN: StreamId = StreamId { ms: 0, seq: 0 };
    /// The highest id.
    pub const MAX: StreamId = StreamId { ms: u64::MAX, seq: u64::MAX };

    /// An id.
    pub const fn new(ms: u64, seq: u64) -> StreamId {
        StreamId { ms, seq }
    }

    /// The id after this one; `None` after the highest.
    pub fn next(self) -> Option<StreamId> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(StreamId { seq, ..self }),
            None => Some(StreamId { ms: self.ms.checked_add(1)?, seq: 0 }),
        }
    }

    /// The id before this one; `None` before the lowest.
    pub fn prev(self) -> Option<StreamId> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(StreamId { seq, ..self }),
            None => Some(StreamId { ms: self.ms.checked_sub(1)?, seq: u64::MAX }),
        }
    }

    /// The id as it stands in an RDB: two big endian numbers.
    pub fn to_bytes(self) -> [u8; 16] {
        ((u128::from(self.ms) << 64) | u128::from(self.seq)).to_be_bytes()
    }

    /// The id that stands in an RDB as these bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> StreamId {
        let number = u128::from_be_bytes(bytes);
        StreamId { ms: (number >> 64) as u64, seq: number as u64 }
    }

    /// Its text.
    pub fn text(self) -> Vec<u8> {
        self.to_string().into_bytes()
    }

    /// `ms-seq` or `ms`, the latter with `missing` for its sequence; never `-` or `+`.
    pub fn parse_strict(text: &[u8], missing: u64) -> Option<StreamId> {
        match StreamId::parse_parts(text)? {
            (ms, Seq::Given(seq)) => Some(StreamId { ms, seq }),
            (ms, Seq::Missing) => Some(StreamId { ms, seq: missing }),
            (_, Seq::Any) => None,
        }
    }

    /// The same, or `-` or `+`.
    pub fn parse(text: &[u8], missing: u64) -> Option<StreamId> {
        match c_string(text) {
            b"-" => Some(StreamId::MIN),
            b"+" => Some(StreamId::MAX),
            _ => StreamId::parse_strict(text, missing),
        }
    }

    /// The two parts of an id. Numbers are read as the servers read them, which is generously.
    pub fn parse_parts(text: &[u8]) -> Option<(u64, Seq)> {
        if text.len() > MAX_TEXT {
            return None;
        }
        let text = c_string(text);
        match text.iter().position(|byte| *byte == b'-') {
            None => Some((parse_u64(text)?, Seq::Missing)),
            Some(at) => {
                let ms = parse_u64(text.get(..at)?)?;
                match text.get(at + 1..)? {
                    b"*" => Some((ms, Seq::Any)),
                    seq => Some((ms, Seq::Given(parse_u64(seq)?))),
                }
            }
        }
    }
}

/// `text` up to its first NUL, which is where C sees its end.
pub(crate) fn c_string(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    text.get(..end).unwrap_or(text)
}

/// A u64 as the servers read one (`string2ull`): a canonical integer that is not negative, or else
/// whatever `strtoull` takes in full, with leading blanks, zeros and a sign. A minus negates, so that
/// "-01" is 2^64-1, though "-1" is refused.
pub(crate) fn parse_u64(text: &[u8]) -> Option<u64> {
    let text = c_string(text);
    if let Some(number) = parse_i64(text) {
        return u64::try_from(number).ok();
    }
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    let (negative, digits) = match text.get(blanks..)? {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let mut number = 0u64;
    for digit in digits {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        number = number.checked_mul(10)?.checked_add(digit.into())?;
    }
    let some = !digits.is_empty();
    some.then_some(if negative { number.wrapping_neg() } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let id = |ms, seq| Some(StreamId { ms, seq });
        let cases: &[(&[u8], Option<StreamId>)] = &[
            (b"5-1", id(5, 1)),
            (b"5", id(5, 9)),
            (b"0", id(0, 9)),
            (b"18446744073709551615-18446744073709551615", Some(StreamId::MAX)),
            (b"18446744073709551616-1", None),
            (b"-", None),
            (b"+", None),
            (b"", None),
            (b"5-", None),
            (b"-5", None),
            (b"5-*", None),
            (b"*", None),
            (b"5-1-1", None),
            (b"5--1", None),
            // What strtoull makes of it.
            (b"005-01", id(5, 1)),
            (b" 5-+1", id(5, 1)),
            (b"5--01", id(5, u64::MAX)),
            (b"5- -1", id(5, u64::MAX)),
            (b"5 -1", None),
            (b"5\0-1", id(5, 9)),
        ];
        for (text, want) in cases {
            assert_eq!(StreamId::parse_strict(text, 9), *want, "{}", text.escape_ascii());
        }
        assert_eq!(StreamId::parse(b"-", 9), Some(StreamId::MIN));
        assert_eq!(StreamId::parse(b"+", 9), Some(StreamId::MAX));
        assert_eq!(StreamId::parse(b"(5", 9), None);
        assert_eq!(StreamId::parse_parts(b"7-*"), Some((7, Seq::Any)));
        assert_eq!(StreamId::parse_parts(&[b'0'; 127]), Some((0, Seq::Missing)));
        assert_eq!(StreamId::parse_parts(&[b'0'; 128]), None);
    }

    #[test]
    fn neighbours_and_bytes() {
        let edge = StreamId::new(5, u64::MAX);
        assert_eq!(edge.next(), Some(StreamId::new(6, 0)));
        assert_eq!(StreamId::new(6, 0).prev(), Some(edge));
        assert_eq!(StreamId::MAX.next(), None);
        assert_eq!(StreamId::MIN.prev(), None);
        assert_eq!(StreamId::from_bytes(edge.to_bytes()), edge);
        assert_eq!(StreamId::new(1, 2).to_bytes(), *b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02");
    }
}
