//! The LZF encoder: byte for byte what servers store, with the same hash, the same table size and the
//! same moments of giving up. It keeps its table between strings instead of clearing 256 KiB for each.

use std::fmt;

use super::{MAX_DISTANCE, MAX_LITERAL, MAX_MATCH};

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

    /// `None` if a server would give up on `limit` bytes.
    fn run(&mut self, input: &[u8], out: &mut Vec<u8>, limit: usize) -> Option<()> {
        // Before the last literal run is closed servers ask for four bytes beside it, needed or not. To
        // see that this cannot come true any more is all that giving up earlier means.
        let room = limit.checked_sub(4)?;
        let end = input.len() - 2;
        let (mut pos, mut literal) = (0, 0);
        while pos < end {
            let seen = self.see(input, pos);
            let Some(from) = seen.filter(|&from| same_three(input, from, pos)) else {
                pos += 1;
                if pos - literal == MAX_LITERAL {
                    push_literal(out, &input[literal..pos]);
                    literal = pos;
                    if out.len() > room {
                        return None;
                    }
                }
                continue;
            };
            push_literal(out, &input[literal..pos]);
            let len = match_len(&input[from..], &input[pos..]);
            push_match(out, pos - from, len);
            pos += len;
            literal = pos;
            if out.len() > room {
                return None;
            }
            if pos < end {
                // Of the matched positions only the last two become findable.
                self.see(input, pos - 2);
                self.see(input, pos - 1);
            }
        }
        if out.len() + (pos - literal) > room {
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
    use super::*;

    /// What servers make of strings is tested in [`super::super`], against theirs.
    #[test]
    fn a_base_at_its_end_starts_over() {
        let value = b"abcabcabcabcabcabcabcabcabc";
        let (mut fresh, mut worn) = (Encoder::new(), Encoder::new());
        worn.base = u32::MAX - 10;
        worn.table.fill(u32::MAX - 11);
        let (mut a, mut b) = (Vec::new(), Vec::new());
        assert!(fresh.compress(value, &mut a) && worn.compress(value, &mut b));
        assert_eq!(a, b);
        assert_eq!(worn.base, value.len() as u32);
    }

    /// The end of what redis-server 7.0.15 stores for each.
    #[test]
    fn the_furthest_match() {
        for (between, len, tail) in [
            (8184, 109, &b"\xe0\xfe\x00\xdf\xff\x01!!"[..]),
            (8185, 115, &b"\xe0\xff\x00\x09pqrstuvw!!"[..]),
        ] {
            let value = [&b"?pqrstuvw"[..], &vec![b'x'; between], b"pqrstuvw!!"].concat();
            let mut out = Vec::new();
            assert!(Encoder::new().compress(&value, &mut out));
            assert_eq!(out.len(), len);
            assert!(out.ends_with(tail), "{:x?}", &out[90..]);
        }
    }

    #[test]
    fn stale_entries_are_not_found() {
        let mut encoder = Encoder::new();
        let (mut first, mut again) = (Vec::new(), Vec::new());
        let value = b"the same bytes once more, the same bytes";
        assert!(encoder.compress(value, &mut first));
        assert!(!encoder.compress(b"the same bytes, other text", &mut again));
        assert!(again.is_empty());
        assert!(encoder.compress(value, &mut again));
        assert_eq!(first, again);
    }
}
