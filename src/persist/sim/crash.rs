//! What a disk may hold after its power went: the durable image, and of the pending changes any choice
//! that a journaling file system could leave (RELIABILITY 4.2):
//!
//! * of a folder, each making, renaming and removing of a name by itself, there or not;
//! * of a file, its sizes, owners and modes in the order they were set, up to some point;
//! * of a file's bytes, each write by itself; a size whose bytes are missing reads as NULs, bytes beyond
//!   the size are lost; the last write of a file may be torn at any 512 bytes.
//!
//! All choices when they are few, else a sample that a seed decides.

use super::disk::{Change, Disk, Ino, Pending};

/// Bytes that a disk writes as one.
const SECTOR: u64 = 512;

/// Places at which the last write of a file is torn: more do not show more.
const TEARS: u64 = 8;

/// Something that a crash decides.
#[derive(Debug)]
enum Question {
    /// How many of these size, owner and mode changes of a file are there?
    Metadata(Vec<usize>),
    /// Is this change of a name there?
    Name(usize),
    /// Which of these parts of a write are there?
    Data(usize, Vec<(u64, u64)>),
}

impl Question {
    fn answers(&self) -> u64 {
        match self {
            Question::Metadata(changes) => changes.len() as u64 + 1,
            Question::Name(_) => 2,
            Question::Data(_, parts) => parts.len() as u64,
        }
    }
}

/// The disks that a crash may leave.
#[derive(Debug)]
pub struct Crashes<'a> {
    disk: &'a Disk,
    questions: Vec<Question>,
    states: Option<u64>,
    next: u64,
    last: u64,
    seed: u64,
}

impl<'a> Crashes<'a> {
    /// All of them if they are at most `limit`, else `limit` of them.
    pub fn of(disk: &'a Disk, limit: u64, seed: u64) -> Crashes<'a> {
        let questions = questions(&disk.pending);
        let states = questions
            .iter()
            .try_fold(1u64, |states, question| states.checked_mul(question.answers()))
            .filter(|states| *states <= limit);
        Crashes { disk, questions, states, next: 0, last: states.unwrap_or(limit), seed }
    }

    /// Whether these are all there are.
    pub fn is_exhaustive(&self) -> bool {
        self.states.is_some()
    }

    /// The answers that make the state of this number: its digits, or random ones. The first state of a
    /// sample lost everything, the second one nothing.
    fn answers(&self, number: u64) -> Vec<u64> {
        let mut digits = number;
        let mut random = Random::new(self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let answer = |question: &Question| match (self.states, number) {
            (Some(_), _) => {
                let answer = digits % question.answers();
                digits /= question.answers();
                answer
            }
            (None, 0) => 0,
            (None, 1) => question.answers() - 1,
            (None, _) => random.below(question.answers()),
        };
        self.questions.iter().map(answer).collect()
    }

    fn state(&self, number: u64) -> Disk {
        // What is left of each pending change, in their order.
        let mut left: Vec<Option<Change>> = vec![None; self.disk.pending.len()];
        let change_of = |index: usize| Some(self.disk.pending.get(index)?.change.clone());
        for (question, answer) in self.questions.iter().zip(self.answers(number)) {
            let kept: Vec<(usize, Option<Change>)> = match question {
                Question::Metadata(changes) => {
                    let kept = changes.iter().take(usize::try_from(answer).unwrap_or(usize::MAX));
                    kept.map(|index| (*index, change_of(*index))).collect()
                }
                Question::Name(index) if answer == 1 => vec![(*index, change_of(*index))],
                Question::Name(_) => Vec::new(),
                Question::Data(index, parts) => {
                    let part = usize::try_from(answer).ok().and_then(|answer| parts.get(answer));
                    let kept = part.and_then(|part| cut(&change_of(*index)?, *part));
                    vec![(*index, kept)]
                }
            };
            for (index, change) in kept {
                if let Some(place) = left.get_mut(index) {
                    *place = change;
                }
            }
        }
        let mut image = self.disk.durable.clone();
        for (pending, change) in self.disk.pending.iter().zip(&left) {
            if let Some(change) = change {
                image.apply(pending.ino, change, 0);
            }
        }
        Disk::of(image, self.disk.next())
    }
}

impl Iterator for Crashes<'_> {
    type Item = Disk;

    fn next(&mut self) -> Option<Disk> {
        let number = self.next;
        (number < self.last).then(|| {
            self.next += 1;
            self.state(number)
        })
    }
}

/// What is left of a write when only the bytes from `start` to `end` of the file arrived.
fn cut(change: &Change, (start, end): (u64, u64)) -> Option<Change> {
    let Change::Data(offset, bytes) = change else { return None };
    let from = usize::try_from(start.checked_sub(*offset)?).ok()?;
    let to = usize::try_from(end.checked_sub(*offset)?).ok()?;
    Some(Change::Data(start, bytes.get(from..to)?.to_vec()))
}

fn questions(pending: &[Pending]) -> Vec<Question> {
    let mut questions = Vec::new();
    let mut files: Vec<(Ino, Vec<usize>)> = Vec::new();
    for (index, Pending { ino, change, .. }) in pending.iter().enumerate() {
        match change {
            change if change.is_name() => questions.push(Question::Name(index)),
            Change::Data(offset, bytes) => {
                let later = pending.iter().skip(index + 1);
                let is_last = !later
                    .filter(|later| later.ino == *ino)
                    .any(|later| matches!(later.change, Change::Data(..)));
                let parts = parts(*offset, *offset + bytes.len() as u64, is_last);
                questions.push(Question::Data(index, parts));
            }
            _ => match files.iter_mut().find(|(file, _)| file == ino) {
                Some((_, changes)) => changes.push(index),
                None => files.push((*ino, vec![index])),
            },
        }
    }
    questions.extend(files.into_iter().map(|(_, changes)| Question::Metadata(changes)));
    questions
}

/// The parts of a write that may arrive: nothing (first), all of it (last), and between them, for a
/// write that may be torn, what lies before and what lies behind some of its sector boundaries.
fn parts(start: u64, end: u64, torn: bool) -> Vec<(u64, u64)> {
    let mut parts = vec![(start, start)];
    if torn {
        let first = (start / SECTOR + 1) * SECTOR;
        let tears = (first..end).step_by(512);
        let step = (tears.clone().count() as u64).div_ceil(TEARS).max(1);
        for tear in tears.step_by(usize::try_from(step).unwrap_or(1)) {
            parts.extend([(start, tear), (tear, end)]);
        }
    }
    parts.push((start, end));
    parts
}

/// Random numbers that a seed decides (SplitMix64): the same run for the same seed, everywhere.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below a bound; 0 for a bound of 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.bits().checked_rem(bound).unwrap_or(0)
    }
}
