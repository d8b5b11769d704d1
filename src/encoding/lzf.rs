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
//! The decoder and the check share one walk over the control bytes ([`Walk`]), so they cannot disagree.
//! The encoder makes byte for byte what servers store: the same hash, the same table size and the same
//! moments of giving up. It keeps its table between strings instead of clearing 256 KiB for each.

use std::fmt;

use crate::limits::LZF_RATIO;

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
enum Token {
    /// `len` bytes at `pos` of the compressed bytes.
    Literal { pos: usize, len: usize },
    /// `len` bytes from `distance` back.
    Match { distance: usize, len: usize },
}

/// The control bytes of a stream, each checked against both ends.
struct Walk<'a> {
    compressed: &'a [u8],
    pos: usize,
    /// Bytes made so far.
    made: u64,
    /// Bytes to make.
    len: u64,
}

impl<'a> Walk<'a> {
    fn new(compressed: &'a [u8], len: u64) -> Result<Self, LzfError> {
        // Bounds what the caller reserves by what is there, before a byte is looked at.
        if len > (compressed.len() as u64).saturating_mul(LZF_RATIO) {
            return Err(LzfError { pos: 0, what: "a length that so few bytes cannot expand to" });
        }
        Ok(Walk { compressed, pos: 0, made: 0, len })
    }

    #[inline(always)]
    fn next_token(&mut self) -> Result<Option<Token>, LzfError> {
        let Some(&control) = self.compressed.get(self.pos) else {
            return if self.made == self.len {
                Ok(None)
            } else {
                Err(self.fault("an end before the stated length is reached"))
            };
        };
        let high = usize::from(control & 0x1f);
        let (token, len, next) = if control < 0x20 {
            let (pos, len) = (self.pos + 1, high + 1);
            if self.compressed.len() - pos < len {
                return Err(self.fault("a literal run that reaches past the end"));
            }
            (Token::Literal { pos, len }, len, pos + len)
        } else {
            let (extra, low, next) = if control < 0xe0 {
                (Some(&0), self.compressed.get(self.pos + 1), self.pos + 2)
            } else {
                let extra = self.compressed.get(self.pos + 1);
                (extra, self.compressed.get(self.pos + 2), self.pos + 3)
            };
            let (Some(&extra), Some(&low)) = (extra, low) else {
                return Err(self.fault("a match cut off by the end"));
            };
            let len = usize::from(control >> 5) + usize::from(extra) + 2;
            let distance = (high << 8 | usize::from(low)) + 1;
            if distance as u64 > self.made {
                return Err(self.fault("a match that reaches back before the start"));
            }
            (Token::Match { distance, len }, len, next)
        };
        if self.len - self.made < len as u64 {
            return Err(self.fault("more bytes than the stated length"));
        }
        self.made += len as u64;
        self.pos = next;
        Ok(Some(token))
    }

    #[cold]
    fn fault(&self, what: &'static str) -> LzfError {
        LzfError { pos: self.pos, what }
    }
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
    let mut at = 0;
    while let Some(token) = walk.next_token()? {
        match token {
            Token::Literal { pos, len } => {
                copy_literal(compressed, pos, out, at, len);
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

/// Copies a whole piece when both sides have one, which needs no call; else exactly `len` bytes.
#[inline(always)]
fn copy_literal(from: &[u8], pos: usize, out: &mut [u8], at: usize, len: usize) {
    let source = from.get(pos..pos + PIECE).and_then(<[u8]>::first_chunk::<PIECE>);
    if let (Some(source), Some(target)) = (source, out.get_mut(at..at + PIECE)) {
        target.copy_from_slice(source);
    } else if let (Some(source), Some(target)) =
        (from.get(pos..pos + len), out.get_mut(at..at + len))
    {
        target.copy_from_slice(source);
    }
}

/// Copies `len` bytes from `distance` back of `at`, in pieces when they do not overlap.
#[inline(always)]
fn copy_match(out: &mut [u8], at: usize, distance: usize, len: usize) {
    let from = at - distance;
    if distance >= PIECE {
        let mut done = 0;
        while done < len {
            out.copy_within(from + done..from + done + PIECE, at + done);
            done += PIECE;
        }
    } else {
        copy_overlapping(out, at, distance, len);
    }
}

/// A short distance repeats its bytes: each round doubles the piece that is there to copy.
fn copy_overlapping(out: &mut [u8], at: usize, distance: usize, len: usize) {
    let from = at - distance;
    if distance == 1 {
        let byte = out[from];
        out[at..at + len].fill(byte);
        return;
    }
    let mut done = 0;
    while done < len {
        let piece = (distance + done).min(len - done);
        out.copy_within(from..from + piece, at + done);
        done += piece;
    }
}

/// Bits of the hash, as servers build it.
const HASH_BITS: u32 = 16;

/// Compresses as servers do, byte for byte.
pub struct Encoder {
    /// Where each hash was last seen, as `base` plus the position; `base` or less means never.
    table: Box<[u32]>,
    /// Grows with every string, which makes older entries stale without touching them.
    base: u32,
}

impl Default for Encoder {
    fn default() -> Self {
        Encoder::new()
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Encoder {
    /// An encoder; one serves any number of strings.
    pub fn new() -> Self {
        Encoder { table: vec![0; 1 << HASH_BITS].into_boxed_slice(), base: 0 }
    }

    /// Compresses `input` in place of what `out` held. False when a server would store it plain: it has
    /// 20 bytes or fewer, or its compressed form does not fit in four bytes less. `out` is empty then.
    pub fn compress(&mut self, input: &[u8], out: &mut Vec<u8>) -> bool {
        out.clear();
        if input.len() <= 20 {
            return false;
        }
        let Ok(len) = u32::try_from(input.len()) else { return false };
        let next_base = self.base.checked_add(len).unwrap_or_else(|| {
            self.table.fill(0);
            self.base = 0;
            len
        });
        let fits = self.run(input, out, input.len() - 4).is_some();
        self.base = next_base;
        if !fits {
            out.clear();
        }
        fits
    }

    /// `None` as soon as a server would give up on `limit` bytes.
    fn run(&mut self, input: &[u8], out: &mut Vec<u8>, limit: usize) -> Option<()> {
        let end = input.len() - 2;
        let (mut pos, mut literal) = (0, 0);
        while pos < end {
            let seen = self.see(input, pos);
            let Some(from) = seen.filter(|&from| same_three(input, from, pos)) else {
                pos += 1;
                if pos - literal == MAX_LITERAL {
                    if out.len() + MAX_LITERAL >= limit {
                        return None;
                    }
                    push_literal(out, &input[literal..pos]);
                    literal = pos;
                }
                continue;
            };
            push_literal(out, &input[literal..pos]);
            if out.len() + 4 >= limit {
                return None;
            }
            let len = match_len(&input[from..], &input[pos..]);
            push_match(out, pos - from, len);
            pos += len;
            literal = pos;
            if pos >= end {
                break;
            }
            // Of the matched positions only the last two become findable.
            self.see(input, pos - 2);
            self.see(input, pos - 1);
        }
        // Servers ask here for three bytes beside the open run, needed or not.
        if out.len() + (pos - literal) + 4 > limit {
            return None;
        }
        for run in input[literal..].chunks(MAX_LITERAL) {
            push_literal(out, run);
        }
        Some(())
    }

    /// Notes that the three bytes at `pos` are there, and returns where their hash was seen before, when
    /// a match can reach it. The first position of all never counts as seen: servers cannot tell it from
    /// an unused slot.
    #[inline(always)]
    fn see(&mut self, input: &[u8], pos: usize) -> Option<usize> {
        let &[a, b, c] = input.get(pos..)?.first_chunk::<3>()?;
        let word = u32::from_be_bytes([0, a, b, c]);
        let hash = (word >> (24 - HASH_BITS)).wrapping_sub(word.wrapping_mul(5)) & 0xffff;
        let slot = self.table.get_mut(hash as usize)?;
        let before = std::mem::replace(slot, self.base + pos as u32);
        let from = before.checked_sub(self.base)? as usize;
        (from > 0 && from < pos && pos - from <= MAX_DISTANCE).then_some(from)
    }
}

#[inline(always)]
fn same_three(input: &[u8], a: usize, b: usize) -> bool {
    input.get(a..a + 3) == input.get(b..b + 3)
}

/// How far `from` and `here`, equal in their first three bytes, are taken as equal. Servers stop two
/// bytes before the end of the input, except that with more than 18 bytes left they look at the first
/// 19 without minding where they stop.
fn match_len(from: &[u8], here: &[u8]) -> usize {
    let stop = (here.len() - 2).min(MAX_MATCH);
    let stop = if stop > 16 { stop.max(19) } else { stop.max(3) };
    let same = from.iter().zip(here).take(stop).skip(3).take_while(|(a, b)| a == b).count();
    3 + same
}

fn push_literal(out: &mut Vec<u8>, run: &[u8]) {
    if !run.is_empty() {
        out.push((run.len() - 1) as u8);
        out.extend_from_slice(run);
    }
}

fn push_match(out: &mut Vec<u8>, distance: usize, len: usize) {
    let [high, low] = ((distance - 1) as u16).to_be_bytes();
    let len = len - 2;
    if len < 7 {
        out.extend_from_slice(&[(len as u8) << 5 | high, low]);
    } else {
        out.extend_from_slice(&[7 << 5 | high, (len - 7) as u8, low]);
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

    #[test]
    fn a_full_table_base_starts_over() {
        let value = b"abcabcabcabcabcabcabcabcabc";
        let (mut fresh, mut worn) = (Encoder::new(), Encoder::new());
        worn.base = u32::MAX - 10;
        worn.table.fill(u32::MAX - 11);
        let (mut a, mut b) = (Vec::new(), Vec::new());
        assert!(fresh.compress(value, &mut a) && worn.compress(value, &mut b));
        assert_eq!(a, b);
        assert_eq!(worn.base, value.len() as u32);
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
