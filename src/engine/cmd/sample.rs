//! Random elements of a collection, as `HRANDFIELD` and `ZRANDMEMBER` pick them.

use crate::engine::args;
use crate::engine::failure::Failure;
use crate::engine::reply::Reply;

/// Most elements of one answer to a negative count. Servers go on until memory ends.
const MAX_PICKS: u64 = 1 << 22;

/// How many are asked for, and how they are to be shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// `None`: one, not in an array.
    count: Option<i64>,
    /// WITHVALUES, WITHSCORES
    with: bool,
}

impl Sample {
    /// What stands behind the key: `[count [word]]`.
    pub(super) fn parse(argv: &[&[u8]], word: &str) -> Result<Sample, Failure> {
        let Some(count) = argv.get(2) else { return Ok(Sample { count: None, with: false }) };
        let count = args::int_in(count, -i64::MAX, i64::MAX)?;
        let with = match argv.get(3..).unwrap_or_default() {
            [] => false,
            [last] if args::is(last, word) => true,
            _ => return Err(Failure::SYNTAX),
        };
        if with && count.unsigned_abs() > (i64::MAX / 2).unsigned_abs() {
            return Err(Failure::new("ERR value is out of range"));
        }
        Ok(Sample { count: Some(count), with })
    }

    /// The answer: elements, and what belongs to each if that was asked for.
    pub(super) fn reply<F: FnOnce() -> Reply>(
        self,
        mut picked: impl Iterator<Item = (Reply, F)>,
    ) -> Reply {
        match (self.count, self.with) {
            (None, _) => picked.next().map_or(Reply::Nil, |(element, _)| element),
            (Some(_), false) => Reply::Array(picked.map(|(element, _)| element).collect()),
            (Some(_), true) => {
                Reply::Pairs(picked.map(|(element, with)| (element, with())).collect())
            }
        }
    }
}

/// Picks elements: distinct ones for a positive count (all, if there are no more), any for a negative.
pub(super) fn sample<T, I: Iterator<Item = T>>(
    wanted: Sample,
    len: usize,
    rng: &mut fastrand::Rng,
    all: impl FnOnce() -> I,
    mut one: impl FnMut(&mut fastrand::Rng) -> Option<T>,
) -> Result<Vec<T>, Failure> {
    let count = wanted.count.unwrap_or(1);
    let picks = count.unsigned_abs();
    if count < 0 || count == 1 {
        if picks > MAX_PICKS && len > 0 {
            return Err(Failure::new("ERR value is out of range"));
        }
        return Ok((0..picks).map_while(|_| one(rng)).collect());
    }
    let mut all: Vec<T> = if count == 0 { Vec::new() } else { all().collect() };
    let picks = usize::try_from(picks).unwrap_or(usize::MAX);
    if picks < all.len() {
        for at in 0..picks {
            let other = rng.usize(at..all.len());
            all.swap(at, other);
        }
        all.truncate(picks);
    }
    Ok(all)
}
