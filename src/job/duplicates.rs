//! Keys that come twice, over a file of any size in bounded memory.
//!
//! Each key leaves 16 bytes: 80 bits of a keyed hash of database and name, and 48 bits of its offset.
//! Rows gather in memory; when that is full they are sorted and put aside in an unnamed temporary
//! file, and at the end the sorted runs are merged. Equal hashes are equal keys: with a billion keys
//! the chance of one false alarm is below one in a million.

use std::collections::BinaryHeap;
use std::fs::File;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use twox_hash::XxHash3_128;

use crate::join;
use crate::repeats::Repeats;

/// Rows held in memory before they are put aside: 16 MiB.
const ROWS: usize = 1 << 20;

/// Bits of the offset in a row: files of up to 256 TiB.
const OFFSET_BITS: u32 = 48;

/// The bits of a database's number, all over a hash. In the seed they would meet those of short keys, and two
/// different keys of two databases would have the same hash.
fn spread(db: u64) -> u128 {
    u128::from(db).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
}

/// Makes the rows; the same for all workers of a run, and different in each run, so that nobody can
/// prepare a file whose keys collide.
#[derive(Debug, Clone, Copy)]
pub struct KeyHasher {
    seed: u64,
}

impl KeyHasher {
    /// A hasher with keys of its own.
    pub fn new() -> KeyHasher {
        KeyHasher { seed: RandomState::new().hash_one(0u8) }
    }

    /// The row of a key.
    #[inline]
    pub fn row(&self, db: u64, key: &[u8], offset: u64) -> u128 {
        let hash = XxHash3_128::oneshot_with_seed(self.seed, key) ^ spread(db);
        hash & (u128::MAX << OFFSET_BITS) | u128::from(offset) & ((1 << OFFSET_BITS) - 1)
    }
}

impl Default for KeyHasher {
    fn default() -> Self {
        KeyHasher::new()
    }
}

/// Parts that rows are kept in, by the first bits of their hash: each fits a core's cache when it is
/// sorted, and cores can sort different ones.
const PARTS: usize = 32;

/// Rows of a block.
const BLOCK: usize = 1 << 10;

/// Rows whose hashes begin alike, in blocks: nothing is copied when more come.
type Part = Vec<Vec<u128>>;

/// Gathers rows and finds the duplicates among them.
#[derive(Debug, Default)]
pub struct Duplicates {
    parts: [Part; PARTS],
    count: usize,
    runs: Vec<u64>,
    spill: Option<BufWriter<File>>,
}

impl Duplicates {
    /// Takes the rows of some keys.
    ///
    /// # Errors
    /// When the temporary file cannot be written.
    pub fn add(&mut self, rows: &[u128]) -> io::Result<()> {
        if self.count + rows.len() > ROWS {
            self.put_aside(1)?;
        }
        self.count += rows.len();
        for row in rows {
            if let Some(part) = self.parts.get_mut((row >> (128 - PARTS.ilog2())) as usize) {
                match part.last_mut() {
                    Some(block) if block.len() < BLOCK => block.push(*row),
                    _ => {
                        let mut block = Vec::with_capacity(BLOCK);
                        block.push(*row);
                        part.push(block);
                    }
                }
            }
        }
        Ok(())
    }

    /// Does something with every part, on some cores.
    fn each_part(&mut self, jobs: usize, work: impl Fn(&mut Part) + Copy + Send) {
        let each = PARTS.div_ceil(jobs.clamp(1, PARTS));
        join::all(self.parts.chunks_mut(each).map(|parts| move || parts.iter_mut().for_each(work)));
    }

    fn put_aside(&mut self, jobs: usize) -> io::Result<()> {
        if self.count == 0 {
            return Ok(());
        }
        self.each_part(jobs, |part| {
            let mut rows = part.concat();
            rows.sort_unstable();
            *part = vec![rows];
        });
        let spill = match &mut self.spill {
            Some(spill) => spill,
            none => none.insert(BufWriter::with_capacity(1 << 16, tempfile::tempfile()?)),
        };
        for row in self.parts.iter().flatten().flatten() {
            spill.write_all(&row.to_le_bytes())?;
        }
        self.runs.push(self.count as u64);
        self.parts.iter_mut().for_each(Vec::clear);
        self.count = 0;
        Ok(())
    }

    /// The first pairs of equal keys in the order of the file, up to a limit, each with the offset of its second
    /// key and that of its first; and how many there are beyond.
    ///
    /// # Errors
    /// When the temporary file cannot be read.
    pub fn first_pairs(self, jobs: usize, limit: usize) -> io::Result<(Vec<(u64, u64)>, u64)> {
        // They come in the order of their hashes.
        let (mut pairs, mut more) = (BinaryHeap::new(), 0);
        self.finish(jobs, |first, second| {
            pairs.push((second, first));
            if pairs.len() > limit {
                pairs.pop();
                more += 1;
            }
        })?;
        Ok((pairs.into_sorted_vec(), more))
    }

    /// Calls `each` with the offsets of the first and the second of every pair of equal keys.
    ///
    /// # Errors
    /// When the temporary file cannot be read.
    pub fn finish(mut self, jobs: usize, mut each: impl FnMut(u64, u64)) -> io::Result<()> {
        let mut pairs = Pairs { last: None, each: &mut each };
        if self.spill.is_none() {
            self.each_part(jobs, keep_repeats);
            self.parts.iter().flatten().flatten().for_each(|row| pairs.row(*row));
            return Ok(());
        }
        self.put_aside(jobs)?;
        let Some(spill) = self.spill else { return Ok(()) };
        let file = spill.into_inner().map_err(io::IntoInnerError::into_error)?;
        let mut runs = Runs::open(&file, &self.runs)?;
        let mut heap = BinaryHeap::new();
        for run in 0..self.runs.len() {
            heap.extend(runs.next(run)?.map(|row| std::cmp::Reverse((row, run))));
        }
        while let Some(std::cmp::Reverse((row, run))) = heap.pop() {
            pairs.row(row);
            heap.extend(runs.next(run)?.map(|row| std::cmp::Reverse((row, run))));
        }
        Ok(())
    }
}

/// Leaves the rows whose hash another row has too, sorted.
fn keep_repeats(part: &mut Part) {
    // All hashes of a part begin alike.
    let hash = |row: u128| (row << PARTS.ilog2() >> 64) as u64;
    let rows = part.iter().flatten().copied();
    let count = part.iter().map(Vec::len).sum();
    let repeats = Repeats::default().among(rows, count, hash, is_same_key);
    *part = vec![repeats];
}

fn is_same_key(a: u128, b: u128) -> bool {
    a >> OFFSET_BITS == b >> OFFSET_BITS
}

/// Compares each row with the one before it.
struct Pairs<'a> {
    last: Option<u128>,
    each: &'a mut dyn FnMut(u64, u64),
}

impl Pairs<'_> {
    fn row(&mut self, row: u128) {
        let offset = |row: u128| (row & ((1 << OFFSET_BITS) - 1)) as u64;
        match self.last {
            Some(first) if is_same_key(first, row) => {
                (self.each)(offset(first), offset(row));
            }
            _ => self.last = Some(row),
        }
    }
}

/// The sorted runs of the temporary file, each read by a small buffer.
struct Runs<'f> {
    file: &'f File,
    runs: Vec<Run>,
}

struct Run {
    offset: u64,
    left: u64,
    buffer: std::vec::IntoIter<u128>,
}

/// Rows of a run read at a time.
const READ_ROWS: u64 = 256;

impl<'f> Runs<'f> {
    fn open(file: &'f File, lens: &[u64]) -> io::Result<Runs<'f>> {
        let mut offset = 0;
        let mut runs = Vec::new();
        for &len in lens {
            runs.push(Run { offset, left: len, buffer: Vec::new().into_iter() });
            offset += len * 16;
        }
        Ok(Runs { file, runs })
    }

    fn next(&mut self, index: usize) -> io::Result<Option<u128>> {
        let Some(run) = self.runs.get_mut(index) else { return Ok(None) };
        if let Some(row) = run.buffer.next() {
            return Ok(Some(row));
        }
        let count = run.left.min(READ_ROWS);
        let mut file = self.file;
        file.seek(SeekFrom::Start(run.offset))?;
        let mut bytes = Vec::new();
        BufReader::with_capacity(16 * READ_ROWS as usize, file)
            .take(count * 16)
            .read_to_end(&mut bytes)?;
        run.offset += count * 16;
        run.left -= count;
        let rows = bytes.as_chunks::<16>().0.iter().map(|row| u128::from_le_bytes(*row));
        run.buffer = rows.collect::<Vec<_>>().into_iter();
        Ok(run.buffer.next())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn found(keys: impl Iterator<Item = (u64, Vec<u8>)>) -> Vec<(u64, u64)> {
        let hasher = KeyHasher::new();
        let mut duplicates = Duplicates::default();
        for (offset, (db, key)) in keys.enumerate() {
            duplicates.add(&[hasher.row(db, &key, offset as u64)]).unwrap();
        }
        let mut pairs = Vec::new();
        duplicates.finish(2, |first, second| pairs.push((first, second))).unwrap();
        pairs.sort_unstable();
        pairs
    }

    #[test]
    fn the_same_key_in_two_databases_is_two_keys() {
        let keys = [(0, "a"), (1, "a"), (0, "b"), (0, "a"), (0, "a")];
        let keys = keys.into_iter().map(|(db, key)| (db, key.as_bytes().to_vec()));
        assert_eq!(found(keys), [(0, 3), (0, 4)]);
    }

    #[test]
    fn short_keys_of_many_databases_are_different_keys() {
        let keys = (0..16u64).flat_map(|db| (0..4096u64).map(move |n| (db, n)));
        assert_eq!(found(keys.clone().map(|(db, n)| (db, n.to_le_bytes().to_vec()))), []);
        assert_eq!(found(keys.map(|(db, n)| (db, n.to_string().into_bytes()))), []);
    }

    #[test]
    fn more_keys_than_memory_holds() {
        let count = 2 * ROWS as u64 + 77;
        let number = |n: u64| if n == count - 1 { 5 } else { n };
        let keys = (0..count).map(|n| (0, number(n).to_le_bytes().to_vec()));
        assert_eq!(found(keys), [(5, count - 1)]);
    }
}
