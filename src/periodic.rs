//! Bytes that say the same over and over: holes, and what a copy or a disk wrote many times.
//!
//! ```text
//! fe 00 fe 00 fe 00 fe 00 fe 01      period 2, 8 bytes long
//! ```

/// Bytes whose return is taken for a sign that a period is over.
const SIGN: usize = 8;

/// Bytes that are compared at a time.
const BLOCK: usize = 4096;

/// The fewest bytes, `max` at most, after which bytes begin again from their start and stay the same for
/// `enough` bytes in all.
pub fn period(bytes: &[u8], max: usize, enough: usize) -> Option<usize> {
    let bytes = bytes.get(..enough)?;
    let sign = bytes.first_chunk::<SIGN>()?;
    let mut later = bytes.windows(SIGN).take(max + 1).enumerate().skip(1);
    later.find_map(|(period, at)| {
        let again = bytes.get(period..).filter(|_| at == sign)?;
        bytes.starts_with(again).then_some(period)
    })
}

/// The period of bytes that repeat for `enough` of them at least (see [`period`]), and how many do.
pub fn repeating(bytes: &[u8], max: usize, enough: usize) -> Option<(usize, u64)> {
    let period = period(bytes, max, enough)?;
    let mut run = Run::of(bytes.get(..period)?);
    run.follow(bytes);
    Some((period, run.len()))
}

/// Bytes that are followed as long as they repeat.
#[derive(Debug, Clone)]
pub struct Run {
    /// The part that repeats, as often as fills a block and one time more.
    units: Vec<u8>,
    period: usize,
    len: u64,
    has_ended: bool,
}

impl Run {
    /// Of a part that may repeat, which comes first in what is to be followed.
    pub fn of(unit: &[u8]) -> Run {
        let units = unit.repeat(BLOCK.div_ceil(unit.len().max(1)) + 1);
        Run { units, period: unit.len().max(1), len: 0, has_ended: unit.is_empty() }
    }

    /// Goes on with the next bytes.
    pub fn follow(&mut self, bytes: &[u8]) {
        for block in bytes.chunks(BLOCK) {
            if self.has_ended {
                return;
            }
            let phase = (self.len % self.period as u64) as usize;
            let units = self.units.get(phase..).unwrap_or_default();
            let same = match units.starts_with(block) {
                true => block.len(),
                false => block.iter().zip(units).take_while(|(a, b)| a == b).count(),
            };
            self.len += same as u64;
            self.has_ended = same < block.len();
        }
    }

    /// Bytes so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the part comes twice at least.
    pub fn repeats(&self) -> bool {
        self.len >= 2 * self.period as u64
    }

    /// What they are, in words.
    pub fn describe(&self) -> String {
        match self.units.get(..self.period) {
            Some([0]) => format!("{} NUL bytes", self.len),
            Some([byte]) => format!("{} times the byte {byte:#04x}", self.len),
            _ => format!("{} bytes in which the same {} repeat", self.len, self.period),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn periods() {
        let cases: [(&[u8], usize, Option<usize>); 6] = [
            (&[0; 40], 4, Some(1)),
            (&b"ab".repeat(20), 4, Some(2)),
            (&b"abcde".repeat(8), 4, None),
            (&b"abcde".repeat(8), 5, Some(5)),
            (&[&b"ab".repeat(10)[..], b"abababababac"].concat(), 4, None),
            (&[0; 39], 4, None),
        ];
        for (bytes, max, want) in cases {
            assert_eq!(period(bytes, max, 40), want, "{}", bytes.escape_ascii());
        }
        let odd = [&b"ab".repeat(10)[..], b"abac"].concat();
        assert_eq!((period(&odd, 4, 22), repeating(&odd, 4, 22)), (Some(2), Some((2, 23))));
    }

    /// The length is the same however the bytes come, and whatever the period.
    #[test]
    fn runs() {
        for unit in [&b"\0"[..], b"\xfe\0", b"seven b", &[7; 4097]] {
            for len in [1, 5, 4095, 4096, 4097, 9000, 20_000] {
                let mut bytes: Vec<u8> = unit.iter().copied().cycle().take(len).collect();
                bytes.push(0xee);
                for piece in [1, 7, 4096, 5000, 30_000] {
                    let mut run = Run::of(unit);
                    bytes.chunks(piece).for_each(|bytes| run.follow(bytes));
                    assert_eq!(run.len(), len as u64, "{} {len} {piece}", unit.len());
                }
            }
        }
        let mut run = Run::of(b"");
        run.follow(b"abc");
        assert!(run.is_empty());
    }
}
