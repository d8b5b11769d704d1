//! HyperLogLog: how many different elements a set has had, in the text of a string value.
//!
//! ```text
//! "HYLL" | encoding u8 | 0 0 0 | cached cardinality u64le, its top bit set: out of date | registers
//!
//! dense (0): 16384 registers of 6 bits, the first in the lowest bits of the first byte
//! sparse (1): 00llllll            ZERO   l+1 registers are 0
//!             01llllll llllllll   XZERO  l+1 registers are 0
//!             1vvvvvll            VAL    l+1 registers are v+1
//! ```
//! An element's hash names a register by its low 14 bits; the register keeps the longest run of zeros,
//! plus one, that followed. Sparse ones are changed as servers change them, byte for byte, and become
//! dense where theirs do. The text may come from anywhere (SET makes one too): whatever does not add up
//! to 16384 registers is [`Corrupt`].

mod estimate;

pub use estimate::estimate;

/// Registers of each.
pub const REGISTERS: usize = 1 << 14;

const HEADER: usize = 16;
const MAGIC: &[u8; 4] = b"HYLL";
const ENCODING: usize = 4;
const CACHE: usize = 8;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
/// Length of a dense one.
const DENSE_LEN: usize = HEADER + REGISTERS * 6 / 8;
/// Bits of the hash that zeros are counted in.
const HASH_BITS: usize = 50;
/// Highest value and longest run that VAL can say.
const MAX_VAL: u8 = 32;
const MAX_VAL_LEN: usize = 4;
/// Longest run that ZERO can say.
const MAX_ZERO_LEN: usize = 64;
/// Instructions looked at for ones to join, from the one before a change on.
const JOIN_WITHIN: usize = 5;

/// The registers' text makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corrupt;

/// A sparse one's registers of the same value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// 0 for ZERO and XZERO.
    pub value: u8,
    /// How many registers.
    pub len: usize,
    /// How many bytes say so: 2 for XZERO.
    pub width: usize,
}

/// Is this text one, as far as its header and its length say?
pub fn is_valid(text: &[u8]) -> bool {
    text.len() >= HEADER
        && text.starts_with(MAGIC)
        && match text.get(ENCODING) {
            Some(&DENSE) => text.len() == DENSE_LEN,
            Some(&SPARSE) => true,
            _ => false,
        }
}

/// Is it a sparse one?
pub fn is_sparse(text: &[u8]) -> bool {
    text.get(ENCODING) == Some(&SPARSE)
}

/// One that nothing was added to.
pub fn empty() -> Vec<u8> {
    let mut text = MAGIC.to_vec();
    text.resize(HEADER, 0);
    if let Some(encoding) = text.get_mut(ENCODING) {
        *encoding = SPARSE;
    }
    push_zeros(REGISTERS, &mut text);
    text
}

/// The cardinality, if it is known and up to date.
pub fn cached(text: &[u8]) -> Option<u64> {
    let bytes = text.get(CACHE..)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes)).filter(|count| count >> 63 == 0)
}

/// Notes the cardinality.
pub fn set_cached(text: &mut [u8], count: u64) {
    if let Some(place) = text.get_mut(CACHE..HEADER) {
        place.copy_from_slice(&count.to_le_bytes());
    }
}

/// Says that the cardinality noted is out of date.
pub fn invalidate(text: &mut [u8]) {
    if let Some(last) = text.get_mut(HEADER - 1) {
        *last |= 0x80;
    }
}

/// Adds an element. Did a register change? A sparse one of more than `max_sparse` bytes becomes dense.
pub fn add(text: &mut Vec<u8>, element: &[u8], max_sparse: usize) -> Result<bool, Corrupt> {
    let hash = murmur64a(element, 0xadc8_3b19);
    let index = hash as usize % REGISTERS;
    let zeros = (hash >> 14 | 1 << HASH_BITS).trailing_zeros() as u8;
    raise(text, index, zeros + 1, max_sparse)
}

/// Raises a register to `value`, if it was lower. Was it?
pub fn raise(
    text: &mut Vec<u8>,
    index: usize,
    value: u8,
    max_sparse: usize,
) -> Result<bool, Corrupt> {
    let changed = match is_sparse(text) {
        true => raise_sparse(text, index, value, max_sparse)?,
        false => raise_dense(text, index, value),
    };
    if changed {
        invalidate(text);
    }
    Ok(changed)
}

fn raise_dense(text: &mut [u8], index: usize, value: u8) -> bool {
    let (at, shift) = (HEADER + index * 6 / 8, index * 6 % 8);
    // A register lies in two bytes at most; the last one's second byte is not there, nor needed.
    let (low, high) = (text.get(at).copied(), text.get(at + 1).copied());
    let both = u16::from_le_bytes([low.unwrap_or(0), high.unwrap_or(0)]);
    if both >> shift & 0x3f >= value.into() {
        return false;
    }
    let both = both & !(0x3f << shift) | u16::from(value) << shift;
    for (place, byte) in text.get_mut(at..).unwrap_or_default().iter_mut().zip(both.to_le_bytes()) {
        *place = byte;
    }
    true
}

fn raise_sparse(
    text: &mut Vec<u8>,
    index: usize,
    value: u8,
    max_sparse: usize,
) -> Result<bool, Corrupt> {
    if value > MAX_VAL {
        return raise_as_dense(text, index, value);
    }
    let (mut pos, mut first, mut before) = (HEADER, 0, HEADER);
    let run = loop {
        let run = run_at(text, pos).ok_or(Corrupt)?;
        if index < first + run.len {
            break run;
        }
        (before, first, pos) = (pos, first + run.len, pos + run.width);
    };
    if run.value >= value {
        return Ok(false);
    }
    // What the run is parted into: some before, the register, some behind.
    let mut parts = Vec::with_capacity(5);
    push_run(run.value, index - first, &mut parts);
    push_run(value, 1, &mut parts);
    push_run(run.value, first + run.len - index - 1, &mut parts);
    if parts.len() > run.width && text.len() + parts.len() - run.width > max_sparse {
        return raise_as_dense(text, index, value);
    }
    text.splice(pos..pos + run.width, parts);
    join_equal(text, before);
    Ok(true)
}

fn raise_as_dense(text: &mut Vec<u8>, index: usize, value: u8) -> Result<bool, Corrupt> {
    make_dense(text)?;
    Ok(raise_dense(text, index, value))
}

/// Joins neighbouring VALs of one value near `pos`, as far as servers look.
fn join_equal(text: &mut Vec<u8>, mut pos: usize) {
    for _ in 0..JOIN_WITHIN {
        let Some(run) = run_at(text, pos) else { return };
        let next = run_at(text, pos + run.width);
        match next {
            Some(next)
                if run.value != 0
                    && next.value == run.value
                    && run.len + next.len <= MAX_VAL_LEN =>
            {
                let mut joined = Vec::with_capacity(1);
                push_run(run.value, run.len + next.len, &mut joined);
                text.splice(pos..pos + run.width + next.width, joined);
            }
            _ => pos += run.width,
        }
    }
}

/// The run that is said at `pos`; `None` at the end, and for an XZERO of which half is missing.
fn run_at(text: &[u8], pos: usize) -> Option<Run> {
    let byte = *text.get(pos)?;
    let low = usize::from(byte & 0x3f);
    Some(match byte >> 6 {
        0 => Run { value: 0, len: low + 1, width: 1 },
        1 => Run { value: 0, len: (low << 8 | usize::from(*text.get(pos + 1)?)) + 1, width: 2 },
        _ => Run { value: (byte >> 2 & 0x1f) + 1, len: usize::from(byte & 3) + 1, width: 1 },
    })
}

fn push_run(value: u8, len: usize, out: &mut Vec<u8>) {
    match (value, len) {
        (_, 0) => {}
        (0, _) => push_zeros(len, out),
        _ => out.push(0x80 | (value - 1) << 2 | (len - 1) as u8),
    }
}

fn push_zeros(len: usize, out: &mut Vec<u8>) {
    let [low, high, ..] = (len - 1).to_le_bytes();
    match len {
        ..=MAX_ZERO_LEN => out.push(low),
        _ => out.extend([0x40 | high, low]),
    }
}

/// What a sparse one's text says, whether it adds up or not. Of a last XZERO that is cut off servers take the
/// NUL behind every string for the missing half.
pub fn instructions(text: &[u8]) -> impl Iterator<Item = Run> {
    let mut pos = HEADER;
    std::iter::from_fn(move || {
        let cut = || run_at(&[*text.get(pos)?, 0], 0);
        let run = run_at(text, pos).or_else(cut)?;
        pos += run.width;
        Some(run)
    })
}

/// The runs of a sparse one, which are as many as its text says; then [`Corrupt`] if that is no sparse
/// one or its registers are not 16384.
pub fn runs(text: &[u8]) -> impl Iterator<Item = Result<Run, Corrupt>> {
    let (mut pos, mut left) = (HEADER, REGISTERS);
    let mut ended = false;
    std::iter::from_fn(move || {
        if ended || (left == 0 && pos == text.len()) {
            return None;
        }
        let run = run_at(text, pos).filter(|run| run.len <= left);
        let Some(run) = run else {
            ended = true;
            return Some(Err(Corrupt));
        };
        (pos, left) = (pos + run.width, left - run.len);
        Some(Ok(run))
    })
}

/// Makes it dense; was it sparse?
pub fn make_dense(text: &mut Vec<u8>) -> Result<bool, Corrupt> {
    if !is_sparse(text) {
        return Ok(false);
    }
    let mut dense = text.get(..HEADER).ok_or(Corrupt)?.to_vec();
    dense.resize(DENSE_LEN, 0);
    if let Some(encoding) = dense.get_mut(ENCODING) {
        *encoding = DENSE;
    }
    let mut index = 0;
    for run in runs(text) {
        let run = run?;
        if run.value > 0 {
            for index in index..index + run.len {
                raise_dense(&mut dense, index, run.value);
            }
        }
        index += run.len;
    }
    *text = dense;
    Ok(true)
}

/// Raises each register to what it is in `text`.
pub fn merge(registers: &mut [u8; REGISTERS], text: &[u8]) -> Result<(), Corrupt> {
    if is_sparse(text) {
        let mut rest = registers.iter_mut();
        for run in runs(text) {
            let run = run?;
            rest.by_ref().take(run.len).for_each(|register| *register = run.value.max(*register));
        }
        return Ok(());
    }
    let packed = text.get(HEADER..).filter(|_| text.len() == DENSE_LEN).ok_or(Corrupt)?;
    let (four, _) = registers.as_chunks_mut::<4>();
    for (four, three) in four.iter_mut().zip(packed.as_chunks::<3>().0) {
        let [a, b, c] = *three;
        let values = [a, a >> 6 | b << 2, b >> 4 | c << 4, c >> 2];
        for (register, value) in four.iter_mut().zip(values) {
            *register = (*register).max(value & 0x3f);
        }
    }
    Ok(())
}

/// The registers.
pub fn registers(text: &[u8]) -> Result<Box<[u8; REGISTERS]>, Corrupt> {
    let mut registers = Box::new([0; REGISTERS]);
    merge(&mut registers, text)?;
    Ok(registers)
}

/// How many elements were added, by estimate.
pub fn count(text: &[u8]) -> Result<u64, Corrupt> {
    registers(text).map(|registers| estimate(&registers))
}

/// Austin Appleby's MurmurHash64A.
fn murmur64a(text: &[u8], seed: u64) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    let stir = |word: u64| {
        let word = word.wrapping_mul(M);
        (word ^ word >> 47).wrapping_mul(M)
    };
    let (words, rest) = text.as_chunks::<8>();
    let mut hash = seed ^ (text.len() as u64).wrapping_mul(M);
    for word in words {
        hash = (hash ^ stir(u64::from_le_bytes(*word))).wrapping_mul(M);
    }
    if !rest.is_empty() {
        let last = rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        hash = (hash ^ last).wrapping_mul(M);
    }
    hash = (hash ^ hash >> 47).wrapping_mul(M);
    hash ^ hash >> 47
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MAX: usize = 3000;

    /// Random registers raised, sparse and dense, against a plain array.
    #[test]
    fn behaves_like_an_array() {
        for seed in 0..30 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (mut text, mut model) = (empty(), Box::new([0u8; REGISTERS]));
            // Few registers come up again and again; many make it dense.
            let spread = [20, 300, REGISTERS][seed as usize % 3];
            for step in 0..3000 {
                let (index, value) = (rng.usize(..spread), rng.u8(1..12));
                let higher = value > model[index];
                assert_eq!(raise(&mut text, index, value, MAX), Ok(higher));
                model[index] = model[index].max(value);
                assert!(is_valid(&text) && (!is_sparse(&text) || text.len() <= MAX));
                if step % 100 == 0 {
                    assert_eq!(registers(&text), Ok(model.clone()));
                }
            }
            assert_eq!(registers(&text), Ok(model.clone()));
            assert_eq!(is_sparse(&text), spread < REGISTERS);
            let counted = count(&text);
            let was_sparse = is_sparse(&text);
            assert_eq!(make_dense(&mut text), Ok(was_sparse));
            assert_eq!(registers(&text), Ok(model));
            assert_eq!(count(&text), counted);
        }
    }

    /// A value that VAL cannot say makes it dense.
    #[test]
    fn great_values_need_dense_registers() {
        let mut text = empty();
        assert_eq!(raise(&mut text, 5, 32, MAX), Ok(true));
        assert!(is_sparse(&text));
        assert_eq!(raise(&mut text, 16_383, 51, MAX), Ok(true));
        assert!(!is_sparse(&text));
        let registers = registers(&text).unwrap();
        assert_eq!((registers[5], registers[16_383]), (32, 51));
    }

    /// The relative error of such an estimate is 1.04/√16384; four times that is a bad day.
    #[test]
    fn estimates_are_near() {
        let mut text = empty();
        let mut next = 1;
        for n in 1..=200_000u64 {
            add(&mut text, &n.to_le_bytes(), MAX).unwrap();
            if n == next {
                let estimate = count(&text).unwrap() as f64;
                assert!((estimate - n as f64).abs() <= (n as f64 * 0.0325).max(1.0), "{n}");
                next += next / 3 + 1;
            }
        }
    }

    #[test]
    fn a_cardinality_is_cached_until_something_changes() {
        let mut text = empty();
        assert_eq!(cached(&text), Some(0));
        assert_eq!(add(&mut text, b"a", MAX), Ok(true));
        assert_eq!(cached(&text), None);
        set_cached(&mut text, 1);
        assert_eq!(add(&mut text, b"a", MAX), Ok(false));
        assert_eq!(cached(&text), Some(1));
    }

    /// Texts that are none of these, or do not add up.
    #[test]
    fn corrupt_texts() {
        let sparse = |runs: &[u8]| [&empty()[..HEADER], runs].concat();
        let cases: &[&[u8]] = &[
            b"",
            b"\x7f",
            b"\x7f\xfe",
            b"\x7f\xff\x00",
            b"\x7f\xff\x80",
            b"\x7f\xff\x7f",
            b"\x7f\xff\x40\x00",
            b"\x00\x7f\xff",
            b"\x83\x7f\xff",
            &[0x83; 4095],
            &[0x83; 4097],
        ];
        for runs in cases {
            let mut text = sparse(runs);
            assert!(is_valid(&text));
            assert_eq!(count(&text), Err(Corrupt), "{}", runs.escape_ascii());
            assert_eq!(make_dense(&mut text), Err(Corrupt));
            for index in [0, 1, 5, 16_000, REGISTERS - 1] {
                let _ = raise(&mut text, index, 9, MAX);
                let _ = raise(&mut text, index, 40, MAX);
            }
        }
        assert!(count(&sparse(&[0x83; 4096])).is_ok());
        assert!(!is_valid(b"HYLL"));
        assert!(!is_valid(&[b"HYLL\x02".as_slice(), &[0; 20]].concat()));
        assert!(!is_valid(&[b"HYLL\x00".as_slice(), &[0; 20]].concat()));
        assert!(!is_valid(&[b"hyll\x01".as_slice(), &[0; 20]].concat()));
    }

    #[test]
    fn noise_does_no_harm() {
        let mut rng = fastrand::Rng::with_seed(6);
        for _ in 0..5000 {
            let mut text = empty();
            text.truncate(HEADER);
            text.extend((0..rng.usize(..300)).map(|_| rng.u8(..)));
            for _ in 0..10 {
                let _ = raise(&mut text, rng.usize(..REGISTERS), rng.u8(1..52), 200);
            }
            let _ = count(&text);
        }
    }
}
