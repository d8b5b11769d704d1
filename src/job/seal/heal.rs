//! Which short bursts explain the blocks that are others than were sealed.
//!
//! In each such block the bursts are looked for that leave its syndrome ([`crate::encoding::syndrome`]): the
//! true one, if the damage is one, and by chance 2^-16 others of at most 4 bytes. Where every block has one,
//! they are put together, and the checksum of the whole, which is of another polynomial, must fit: that a
//! wrong choice passes has a chance of 2^-64. Where a block has none, the others are judged one by one, and
//! only those count of which fewer than one in a million is to be expected by chance.

use std::io;
use std::sync::Arc;

use super::{Standing, Subject};
use crate::encoding::crc64::{combine, crc64};
use crate::encoding::polynomial::XZ;
use crate::encoding::seal::sum;
use crate::encoding::syndrome::{Burst, bursts, expected, longest};
use crate::job::heal::{CERTAIN, Patch};
use crate::join;
use crate::persist::fs::{File, read_full_at};

/// Bits of a burst that is looked for in every block, and bursts to be expected by chance where longer ones
/// are looked for.
const BITS: u32 = 32;
const SOUGHT: f64 = 1.0;

/// Choices of bursts that are tried, where blocks have several.
const CHOICES_MAX: u64 = 1 << 16;

/// A block that can be healed.
#[derive(Debug, Clone, PartialEq)]
pub struct Mended {
    /// Its number.
    pub block: u64,
    /// The change.
    pub patch: Patch,
    /// Bits from the first that changes to the last.
    pub bits: u32,
    /// Bits that change.
    pub flipped: u32,
}

/// What can be healed, and what cannot.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cure {
    /// What can be.
    pub mended: Vec<Mended>,
    /// The numbers of the blocks that cannot be.
    pub beyond: Vec<u64>,
    /// The checksum of the whole fits then: all that was sealed is as it was.
    pub is_proven: bool,
}

/// A damaged block.
struct Block {
    number: u64,
    offset: u64,
    len: u64,
    found: Vec<Burst>,
}

/// Looks for the bursts that heal a file.
///
/// # Errors
/// When it cannot be read.
pub fn cure(subject: &Subject, standing: &Standing, jobs: usize) -> io::Result<Cure> {
    let blocks = search_all(&subject.file, standing, jobs)?;
    let is_all_there = standing.size >= standing.seal.len;
    let wanted = standing.whole ^ standing.seal.whole;
    let choice = match is_all_there {
        true => choose(&blocks, wanted, standing.seal.len),
        false => None,
    };
    let mut cure = Cure { is_proven: choice.is_some() && !blocks.is_empty(), ..Cure::default() };
    let count = blocks.len() as f64;
    for (at, block) in blocks.iter().enumerate() {
        let burst = match &choice {
            Some(choice) => block.found.get(choice.get(at).copied().unwrap_or_default()),
            None => likely(block, count),
        };
        match burst {
            Some(burst) => cure.mended.push(mended(&subject.file, block, *burst)?),
            None => cure.beyond.push(block.number),
        }
    }
    Ok(cure)
}

fn mended(file: &Arc<dyn File>, block: &Block, burst: Burst) -> io::Result<Mended> {
    let patch = Patch::of_burst(file, burst, block.offset)?;
    Ok(Mended { block: block.number, patch, bits: burst.bits(), flipped: burst.flipped() })
}

/// The burst of a block that stands by itself.
fn likely(block: &Block, blocks: f64) -> Option<&Burst> {
    let (first, others) = block.found.split_first()?;
    let is_certain = |burst: &Burst| expected(block.len, burst.bits()) * blocks <= CERTAIN;
    (is_certain(first) && !others.iter().any(is_certain)).then_some(first)
}

fn search_all(file: &Arc<dyn File>, standing: &Standing, jobs: usize) -> io::Result<Vec<Block>> {
    let share = standing.damaged.len().div_ceil(jobs.max(1)).max(64);
    let search = |numbers: &[u64]| {
        let blocks = numbers.iter().map(|number| search(&**file, standing, *number));
        blocks.collect::<io::Result<Vec<Block>>>()
    };
    let found = join::all(standing.damaged.chunks(share).map(|numbers| move || search(numbers)));
    Ok(found.into_iter().collect::<io::Result<Vec<_>>>()?.into_iter().flatten().collect())
}

fn search(file: &dyn File, standing: &Standing, number: u64) -> io::Result<Block> {
    let span = standing.span(number);
    let len = span.end.saturating_sub(span.start);
    let mut bytes = vec![0; usize::try_from(len).unwrap_or_default()];
    let read = read_full_at(file, &mut bytes, span.start)?;
    let then = usize::try_from(number).ok().and_then(|at| standing.seal.sums.get(at));
    // What is the same at the start and at the end of both sums goes when one is xored into the other.
    let syndrome = sum(bytes.get(..read).unwrap_or_default()) ^ then.copied().unwrap_or_default();
    let mut found = bursts(&XZ, syndrome, len, BITS, 1);
    if found.is_empty() {
        found = bursts(&XZ, syndrome, len, longest(len, SOUGHT), 1);
    }
    Ok(Block { number, offset: span.start, len, found })
}

/// One burst of each block, so that what they change of the checksum of the whole is what is wanted.
fn choose(blocks: &[Block], wanted: u64, sealed: u64) -> Option<Vec<usize>> {
    if blocks.iter().any(|block| block.found.is_empty()) {
        return None;
    }
    let share = |block: &Block, burst: &Burst| {
        let xor = burst.bytes();
        let behind = sealed.saturating_sub(block.offset + burst.offset + xor.len() as u64);
        combine(crc64(&xor), 0, behind)
    };
    let shares: Vec<Vec<u64>> = blocks
        .iter()
        .map(|block| block.found.iter().map(|burst| share(block, burst)).collect())
        .collect();
    let mut choice = vec![0; blocks.len()];
    for _ in 0..CHOICES_MAX {
        let sum = shares.iter().zip(&choice).filter_map(|(shares, at)| shares.get(*at));
        if sum.fold(0, |sum, share| sum ^ share) == wanted {
            return Some(choice);
        }
        // The next choice, as a number is counted up.
        let next = choice.iter_mut().zip(&shares).find_map(|(at, shares)| {
            *at = if *at + 1 < shares.len() { *at + 1 } else { 0 };
            (*at > 0).then_some(())
        });
        next?;
    }
    None
}
