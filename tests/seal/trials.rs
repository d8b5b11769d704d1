//! Damage made with seeds, in files of every kind.

use std::fs;
use std::path::{Path, PathBuf};

use fastrand::Rng;
use rdbtool::encoding::resp::write_command;
use rdbtool::encoding::seal::BLOCK;
use rdbtool::job::seal::find::{Survey, survey};
use rdbtool::job::seal::mend::mend;
use rdbtool::job::seal::{Subject, seal};
use rdbtool::limits::Limits;
use rdbtool::persist::real::RealFs;
use rdbtool::persist::target;

use crate::program::testdata;

fn is_full() -> bool {
    std::env::var_os("RDBTOOL_FULL").is_some_and(|value| value == "1")
}

/// A sealed file, and what it was.
struct Lab {
    _folder: tempfile::TempDir,
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Lab {
    fn new(name: &str, bytes: Vec<u8>) -> Lab {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, &bytes).unwrap();
        let lab = Lab { _folder: folder, path, bytes };
        seal(&RealFs, &lab.subject(), 2, false).unwrap();
        lab
    }

    fn subject(&self) -> Subject {
        Subject::open(&RealFs, &self.path).unwrap()
    }

    fn survey(&self, damaged: &[u8]) -> Survey {
        fs::write(&self.path, damaged).unwrap();
        survey(&RealFs, &self.subject(), Limits::default(), 2).unwrap()
    }

    /// What the cure makes of the damaged bytes.
    fn cured(&self, damaged: &[u8], survey: &Survey) -> Vec<u8> {
        let mut cured = damaged.to_vec();
        survey.cure.mended.iter().for_each(|mended| mended.patch.put_into(&mut cured, 0));
        cured
    }
}

fn aof(commands: usize, seed: u64) -> Vec<u8> {
    let mut random = Rng::with_seed(seed);
    let mut bytes = Vec::new();
    for n in 0..commands {
        let key = format!("key:{}", random.u32(..1000));
        let value: Vec<u8> = (0..random.usize(..200)).map(|_| random.u8(..)).collect();
        let words: &[&[u8]] = match n % 3 {
            0 => &[b"INCR", b"counter"],
            1 => &[b"SET", key.as_bytes(), &value],
            _ => &[b"RPUSH", b"list", &value],
        };
        write_command(words.iter().copied(), &mut bytes);
    }
    bytes
}

fn labs() -> Vec<Lab> {
    let mut random = Rng::with_seed(5);
    let noise = (0..300_001).map(|_| random.u8(..)).collect();
    vec![
        Lab::new("appendonly.aof", aof(3000, 1)),
        Lab::new("dump.rdb", fs::read(testdata("dump.rdb")).unwrap()),
        Lab::new("noise.bin", noise),
        Lab::new("zeros.bin", vec![0; 100_000]),
        Lab::new("small.aof", aof(10, 2)),
    ]
}

/// A burst of 1 to 4 bytes in some blocks, wholly inside each.
fn burst(bytes: &mut [u8], block: usize, random: &mut Rng) {
    let start = block * BLOCK as usize;
    let end = (start + BLOCK as usize).min(bytes.len());
    let len = random.usize(1..=4).min(end - start);
    let at = random.usize(start..=end - len);
    let before = bytes[at..at + len].to_vec();
    while bytes[at..at + len] == before {
        bytes[at..at + len].iter_mut().for_each(|byte| *byte = random.u8(..));
    }
}

#[test]
fn every_bit_of_an_aof() {
    let lab = Lab::new("a.aof", aof(20, 3));
    let step = if is_full() { 1 } else { 11 };
    let bits = (0..lab.bytes.len() * 8).step_by(step);
    let mut tried = 0;
    for bit in bits {
        let mut damaged = lab.bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let survey = lab.survey(&damaged);
        assert!(survey.cure.is_proven, "bit {bit}");
        assert!(lab.cured(&damaged, &survey) == lab.bytes, "bit {bit}");
        tried += 1;
    }
    println!("{tried} flipped bits, all found and healed exactly");
}

#[test]
fn bursts_of_up_to_four_bytes_in_any_number_of_blocks() {
    let trials = if is_full() { 2000 } else { 60 };
    let (mut tried, mut blocks_hit) = (0, 0);
    for lab in labs() {
        let blocks = lab.bytes.len().div_ceil(BLOCK as usize);
        for seed in 0..trials {
            let mut random = Rng::with_seed(seed);
            let mut damaged = lab.bytes.clone();
            // Up to half of the blocks: of more, a file that is newer than its seal is another one.
            let count = random.usize(1..=(blocks / 2).max(1));
            let mut all: Vec<usize> = (0..blocks).collect();
            random.shuffle(&mut all);
            all[..count].iter().for_each(|block| burst(&mut damaged, *block, &mut random));
            let survey = lab.survey(&damaged);
            let name = lab.path.display();
            assert_eq!(survey.damage.len(), count, "{name} seed {seed}");
            assert!(survey.cure.is_proven, "{name} seed {seed}: {:?}", survey.cure.beyond);
            assert!(lab.cured(&damaged, &survey) == lab.bytes, "{name} seed {seed}");
            tried += 1;
            blocks_hit += count;
        }
    }
    println!("{tried} files with {blocks_hit} damaged blocks, all found and healed exactly");
}

#[test]
fn what_is_beyond_is_left_and_nothing_is_made_up() {
    let lab = &labs()[0];
    let trials = if is_full() { 2000 } else { 60 };
    let (mut healed, mut left, mut wrong) = (0, 0, 0);
    for seed in 0..trials {
        let mut random = Rng::with_seed(seed);
        let mut damaged = lab.bytes.clone();
        // A hole of 512 bytes in one block, a flipped bit in another.
        let block = BLOCK as usize;
        let hole = random.usize(..block - 512);
        damaged[hole..hole + 512].iter_mut().for_each(|byte| *byte = random.u8(..));
        let bit = random.usize(block * 8..block * 16);
        damaged[bit / 8] ^= 1 << (bit % 8);
        let survey = lab.survey(&damaged);
        assert!(!survey.cure.is_proven, "seed {seed}");
        healed += survey.cure.mended.len();
        left += survey.cure.beyond.len();
        let cured = lab.cured(&damaged, &survey);
        wrong += usize::from(cured[..block] != damaged[..block]);
        wrong += usize::from(cured[block..] != lab.bytes[block..]);
    }
    println!("{healed} blocks healed beside {left} left, {wrong} of them wrongly");
    assert_eq!((healed, left, wrong), (trials as usize, trials as usize, 0));
}

#[test]
fn one_byte_of_the_file_is_cut_and_one_flipped() {
    let lab = &labs()[0];
    let mut damaged = lab.bytes.clone();
    damaged.pop();
    damaged[70_000] ^= 4;
    let survey = lab.survey(&damaged);
    assert!(!survey.cure.is_proven);
    assert_eq!(lab.cured(&damaged, &survey), lab.bytes[..damaged.len()]);
}

#[test]
fn the_healed_file_is_the_old_one() {
    for lab in labs() {
        let mut random = Rng::with_seed(9);
        let mut damaged = lab.bytes.clone();
        burst(&mut damaged, 0, &mut random);
        // More was written behind, as to an AOF: that stays.
        damaged.extend_from_slice(b"*1\r\n$4\r\nPING\r\n");
        let survey = lab.survey(&damaged);
        let how = target::Options { backup_at_ms: Some(77), ..target::Options::default() };
        let done = mend(&RealFs, &lab.subject(), &survey, None, how).unwrap();
        let healed = fs::read(&lab.path).unwrap();
        assert!(healed.starts_with(&lab.bytes) && healed.ends_with(b"PING\r\n"), "{:?}", lab.path);
        assert_eq!(healed.len(), damaged.len());
        assert!(fs::read(done.backup.unwrap()).unwrap() == damaged);
        assert!(lab.survey(&healed).damage.is_empty());
    }
}

/// Damage by a disk changes no time: then every block may be damaged.
#[test]
fn most_blocks_of_a_file_that_is_older_than_its_seal() {
    let lab = Lab::new("noise.bin", labs()[2].bytes.clone());
    let mut random = Rng::with_seed(1);
    let mut damaged = lab.bytes.clone();
    let blocks = damaged.len().div_ceil(BLOCK as usize);
    (0..blocks).for_each(|block| burst(&mut damaged, block, &mut random));
    let old = fs::metadata(&lab.path).unwrap().modified().unwrap();
    fs::write(&lab.path, &damaged).unwrap();
    set_modified(&lab.path, old);
    let survey = survey(&RealFs, &lab.subject(), Limits::default(), 2).unwrap();
    assert!(survey.cure.is_proven);
    assert!(lab.cured(&damaged, &survey) == lab.bytes);
}

pub(crate) fn set_modified(path: &Path, at: std::time::SystemTime) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_modified(at).unwrap();
}
