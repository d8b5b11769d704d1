//! LZF, the compression of long strings in an RDB (FORMATS A.3).
//!
//! ```text
//! 000nnnnn  bytes                  literal run: n+1 bytes follow
//! lllddddd  dddddddd               match: copy l+2 bytes from d+1 bytes back   (l = 1..6)
//! 111ddddd  llllllll  dddddddd     match: copy l+9 bytes from d+1 bytes back
//! ```
//!
//! A match may overlap what it produces. The stream does not state its length: the RDB does, and a
//! stream that makes any other number of bytes is damaged.
//!
//! The decoder and the check share one walk over the control bytes (`Walk`), so they cannot disagree.

mod encoder;

use std::fmt;

use crate::limits::LZF_RATIO;

pub use encoder::Encoder;

/// Longest literal run.
const MAX_LITERAL: usize = 1 << 5;
/// Furthest distance a match reaches back.
const MAX_DISTANCE: usize = 1 << 13;
/// Longest match.
const MAX_MATCH: usize = (1 << 8) + (1 << 3);
/// Bytes a copy may write past its end: runs are copied in whole pieces of this size.
const PIECE: usize = 32;

/// Why compressed bytes do not expand to the length stated for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LzfError {
    /// Position in the compressed bytes: the control byte at fault, or the end.
    pub pos: usize,
    /// What is wrong there.
    pub what: &'static str,
}

impl fmt::Display for LzfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at compressed byte {})", self.what, self.pos)
    }
}

impl std::error::Error for LzfError {}

/// One step of a stream.
enum Token<'a> {
    /// The first `len` of these bytes, which go on to the end of the stream.
    Literal { bytes: &'a [u8], len: usize },
    /// `len` bytes from `distance` back.
    Match { distance: usize, len: usize },
}

/// The control bytes of a stream, each checked against both ends.
struct Walk<'a> {
    compressed: &'a [u8],
    rest: &'a [u8],
    /// Bytes to make.
    len: u64,
    /// Bytes of these still to make.
    left: u64,
}

impl<'a> Walk<'a> {
    fn new(compressed: &'a [u8], len: u64) -> Result<Self, LzfError> {
        // Bounds what the caller reserves by what is there, before a byte is looked at.
        if len > (compressed.len() as u64).saturating_mul(LZF_RATIO) {
            return Err(LzfError { pos: 0, what: "a length that so few bytes cannot expand to" });
        }
        Ok(Walk { compressed, rest: compressed, len, left: len })
    }

    #[inline(always)]
    fn next_token(&mut self) -> Result<Option<Token<'a>>, LzfError> {
        let (token, len, rest) = match *self.rest {
            [] if self.left == 0 => return Ok(None),
            [] => return Err(self.fault("an end before the stated length is reached")),
            [control @ ..0x20, ref bytes @ ..] => {
                let len = usize::from(control) + 1;
                let Some(rest) = bytes.get(len..) else {
                    return Err(self.fault("a literal run that reaches past the end"));
                };
                (Token::Literal { bytes, len }, len, rest)
            }
            [control @ 0x20..0xe0, low, ref rest @ ..] => {
                let len = usize::from(control >> 5) + 2;
                (Token::Match { distance: distance(control, low), len }, len, rest)
            }
            [control @ 0xe0..=0xff, more, low, ref rest @ ..] => {
                let len = usize::from(more) + 9;
                (Token::Match { distance: distance(control, low), len }, len, rest)
            }
            _ => return Err(self.fault("a match cut off by the end")),
        };
        if let Token::Match { distance, .. } = token
            && distance as u64 > self.len - self.left
        {
            return Err(self.fault("a match that reaches back before the start"));
        }
        let Some(left) = self.left.checked_sub(len as u64) else {
            return Err(self.fault("more bytes than the stated length"));
        };
        self.left = left;
        self.rest = rest;
        Ok(Some(token))
    }

    #[cold]
    fn fault(&self, what: &'static str) -> LzfError {
        LzfError { pos: self.compressed.len() - self.rest.len(), what }
    }
}

#[inline(always)]
fn distance(control: u8, low: u8) -> usize {
    (usize::from(control & 0x1f) << 8 | usize::from(low)) + 1
}

/// Whether `compressed` expands to exactly `len` bytes, found without expanding it.
pub fn check(compressed: &[u8], len: u64) -> Result<(), LzfError> {
    let mut walk = Walk::new(compressed, len)?;
    while walk.next_token()?.is_some() {}
    Ok(())
}

/// Expands `compressed` to exactly `len` bytes, in place of what `out` held. After an error `out` is empty.
pub fn expand(compressed: &[u8], len: usize, out: &mut Vec<u8>) -> Result<(), LzfError> {
    let done = expand_into(compressed, len, out);
    match done {
        Ok(()) => out.truncate(len),
        Err(_) => out.clear(),
    }
    done
}

fn expand_into(compressed: &[u8], len: usize, out: &mut Vec<u8>) -> Result<(), LzfError> {
    let mut walk = Walk::new(compressed, len as u64)?;
    // Room for the last copy's overhang. What an earlier use left there needs no clearing: the walk lets
    // a match read only what this stream has made.
    let room = len.saturating_add(PIECE);
    if out.len() < room {
        out.resize(room, 0);
    }
    let out = out.as_mut_slice();
    let mut at = 0;
    while let Some(token) = walk.next_token()? {
        match token {
            Token::Literal { bytes, len } => {
                copy_literal(bytes, len, out, at);
                at += len;
            }
            Token::Match { distance, len } => {
                copy_match(out, at, distance, len);
                at += len;
            }
        }
    }
    Ok(())
}

/// Copies a whole piece where there is one to copy, which needs no call; else exactly `len` bytes.
#[inline(always)]
fn copy_literal(bytes: &[u8], len: usize, out: &mut [u8], at: usize) {
    match bytes.first_chunk::<PIECE>() {
        Some(piece) => out[at..at + PIECE].copy_from_slice(piece),
        None => out[at..at + len].copy_from_slice(&bytes[..len]),
    }
}

/// Copies `len` bytes from `distance` back of `at`, in pieces that do not overlap.
#[inline(always)]
fn copy_match(out: &mut [u8], at: usize, distance: usize, len: usize) {
    match distance {
        PIECE.. => copy_pieces::<PIECE>(out, at, distance, len),
        8.. => copy_pieces::<8>(out, at, distance, len),
        _ => copy_repeating(out, at, distance, len),
    }
}

#[inline(always)]
fn copy_pieces<const N: usize>(out: &mut [u8], at: usize, distance: usize, len: usize) {
    let end = at + len;
    let mut to = at;
    while to < end {
        out.copy_within(to - distance..to - distance + N, to);
        to += N;
    }
}

/// A short distance repeats a few bytes: each round doubles what is there to copy.
fn copy_repeating(out: &mut [u8], at: usize, distance: usize, len: usize) {
    let from = at - distance;
    if distance == 1 {
        let byte = out[from];
        return out[at..at + len].fill(byte);
    }
    let mut done = 0;
    while done < len {
        let piece = (distance + done).min(len - done);
        out.copy_within(from..from + piece, at + done);
        done += piece;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::encoding::testing::hex;

    /// Bytes with runs, repeats near and far, and noise, in some mix.
    fn compressible() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            vec(any::<u8>(), 0..60),
            (any::<u8>(), 1..700usize).prop_map(|(byte, len)| vec![byte; len]),
            (vec(any::<u8>(), 1..40), 1..30usize).prop_map(|(word, times)| word.repeat(times)),
            vec(prop_oneof![Just(b'a'), Just(b'b')], 0..300),
            vec(any::<u8>(), 8185..8200).prop_map(|noise| [&noise[..], &noise[..]].concat()),
        ];
        vec(piece, 0..6).prop_map(|pieces| pieces.concat())
    }

    /// Bytes that often are a good stream, with a length that often is theirs.
    fn stream() -> impl Strategy<Value = (Vec<u8>, usize)> {
        let token = prop_oneof![
            vec(any::<u8>(), 1..33).prop_map(|run| {
                let mut token = vec![run.len() as u8 - 1];
                token.extend(run);
                token
            }),
            (1..7u8, any::<u8>()).prop_map(|(len, low)| vec![len << 5, low % 16]),
            (any::<u8>(), any::<u8>()).prop_map(|(len, low)| vec![7 << 5, len, low % 64]),
            vec(any::<u8>(), 1..3),
        ];
        (vec(token, 0..12).prop_map(|tokens| tokens.concat()), -1..2i64).prop_map(|(bytes, off)| {
            let made = lzf::decompress(&bytes, 1 << 16).map_or(7, |made| made.len());
            (bytes, (made as i64 + off).max(0) as usize)
        })
    }

    #[test]
    fn compresses_byte_for_byte_as_a_server_does() {
        let table = include_str!("../../testdata/lzf/redis-7.0.15.tsv");
        let mut encoder = Encoder::new();
        let mut out = Vec::new();
        for line in table.lines().skip(1) {
            let (value, stored) = line.split_once('\t').expect("two columns");
            let value = hex(value);
            let fits = encoder.compress(&value, &mut out);
            assert_eq!(fits, stored != "-", "{line}");
            if fits {
                let stored = hex(stored);
                assert_eq!(out, stored, "{line}");
                expand(&stored, value.len(), &mut out).expect("a server's own stream");
                assert_eq!(out, value, "{line}");
            }
        }
    }

    #[test]
    fn faults_name_the_control_byte() {
        let cases: &[(&[u8], usize, usize, &str)] = &[
            (b"\x02ab", 3, 0, "a literal run that reaches past the end"),
            (b"\x00a\x00", 2, 2, "a literal run that reaches past the end"),
            (b"\x00a\x20", 4, 2, "a match cut off by the end"),
            (b"\x00a\xe0\x00", 10, 2, "a match cut off by the end"),
            (b"\x20\x00", 3, 0, "a match that reaches back before the start"),
            (b"\x00a\x20\x01", 4, 2, "a match that reaches back before the start"),
            (b"\x00a\x20\x00", 3, 2, "more bytes than the stated length"),
            (b"\x01ab", 1, 0, "more bytes than the stated length"),
            (b"\x00a", 0, 0, "more bytes than the stated length"),
            (b"\x00a\x20\x00", 5, 4, "an end before the stated length is reached"),
            (b"", 1, 0, "a length that so few bytes cannot expand to"),
            (b"\x00a", 177, 0, "a length that so few bytes cannot expand to"),
            (b"\x00a", usize::MAX, 0, "a length that so few bytes cannot expand to"),
        ];
        let mut out = vec![1, 2, 3];
        for &(compressed, len, pos, what) in cases {
            let fault = Err(LzfError { pos, what });
            assert_eq!(expand(compressed, len, &mut out), fault, "{compressed:x?}");
            assert!(out.is_empty());
            assert_eq!(check(compressed, len as u64), fault, "{compressed:x?}");
        }
    }

    #[test]
    fn the_widest_match_makes_264_bytes_of_three() {
        let mut out = Vec::new();
        expand(b"\x00a\xe0\xff\x00", 265, &mut out).unwrap();
        assert_eq!(out, vec![b'a'; 265]);
    }

    #[test]
    fn a_used_buffer_shows_nothing_of_its_past() {
        let mut out = vec![0xee; 1000];
        expand(b"\x01ab\x20\x01", 5, &mut out).unwrap();
        assert_eq!(out, b"ababa");
    }

    proptest! {
        #[test]
        fn round_trips(values in vec(compressible(), 1..4)) {
            let (mut encoder, mut packed, mut back) = (Encoder::new(), Vec::new(), Vec::new());
            for value in values {
                if encoder.compress(&value, &mut packed) {
                    prop_assert!(packed.len() <= value.len() - 4);
                    prop_assert_eq!(check(&packed, value.len() as u64), Ok(()));
                    expand(&packed, value.len(), &mut back).unwrap();
                    prop_assert_eq!(&back, &value);
                    prop_assert_eq!(lzf::decompress(&packed, value.len()).ok(), Some(value));
                } else {
                    prop_assert!(packed.is_empty());
                }
            }
        }

        #[test]
        fn expands_what_the_crate_compresses(value in compressible()) {
            if let Ok(packed) = lzf::compress(&value) {
                let mut back = Vec::new();
                expand(&packed, value.len(), &mut back).unwrap();
                prop_assert_eq!(back, value);
            }
        }

        #[test]
        fn accepts_and_refuses_as_the_crate_does((bytes, len) in stream()) {
            let theirs = match bytes.is_empty() {
                true => (len == 0).then(Vec::new), // the crate refuses an empty stream
                false => lzf::decompress(&bytes, len).ok().filter(|made| made.len() == len),
            };
            let mut out = Vec::new();
            let ours = expand(&bytes, len, &mut out);
            prop_assert_eq!(check(&bytes, len as u64), ours);
            prop_assert_eq!(ours.is_ok().then_some(out), theirs);
        }
    }
}
