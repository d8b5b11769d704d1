//! What would be lost: the commands that can still be read in a part of a file, and the keys they are
//! about. Behind damage, known commands are looked for again wherever they may begin, each by itself, so that a
//! flipped byte in the middle of a file is not taken for the loss of three bytes. Nothing here is kept or repaired: it only
//! counts, and says when it stopped counting.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::resync::Resync;
use crate::aof::reader::Reader;
use crate::aof::skim::{Chunks, Spare};
use crate::aof::state::State;
use crate::encoding::resp::Forms;
use crate::job::commands::{Known, look};
use crate::job::window::{WINDOW, Window};
use crate::limits::Limits;
use crate::persist::fs::{File, FileReader, read_full_at};
use crate::record::Event;

/// Times that commands are looked for again behind damage.
const RUNS_MAX: usize = 64;

/// Different keys that are counted.
const KEYS_MAX: usize = 1 << 20;

/// Keys that are named.
const NAMES_MAX: usize = 10;

/// What is in some bytes that will not be there any more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loss {
    /// Bytes.
    pub bytes: u64,
    /// Whether they are all NULs, which no server wrote.
    pub only_nuls: bool,
    /// Keys of a preamble, as many as can be read of it.
    pub preamble_keys: u64,
    /// Whole commands that can be read in them.
    pub commands: u64,
    /// Those of them before the first byte that cannot be read.
    pub before_damage: u64,
    /// Different keys that these commands name.
    pub keys: u64,
    /// The first of these keys.
    pub names: Vec<Vec<u8>>,
    /// There is more than was counted.
    pub at_least: bool,
}

impl Loss {
    /// Whether anything is lost that a client may have written.
    pub fn is_nothing(&self) -> bool {
        self.bytes == 0 || self.only_nuls
    }

    /// Adds another loss. A key in both counts twice.
    pub fn add(&mut self, other: &Loss) {
        self.only_nuls = (self.bytes == 0 || self.only_nuls) && other.only_nuls;
        self.bytes += other.bytes;
        self.preamble_keys += other.preamble_keys;
        self.commands += other.commands;
        self.keys += other.keys;
        let room = NAMES_MAX.saturating_sub(self.names.len());
        let new = other.names.iter().filter(|name| !self.names.contains(name));
        let new: Vec<_> = new.take(room).cloned().collect();
        self.names.extend(new);
        self.at_least |= other.at_least;
    }
}

/// How to count.
#[derive(Debug, Clone, Copy)]
pub struct Counting {
    /// Bounds.
    pub limits: Limits,
}

impl Counting {
    /// Counts what is in some bytes of a file, the first of which begin a command unless they are damaged.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn count(&self, file: &Arc<dyn File>, bytes: Range<u64>) -> io::Result<Loss> {
        let mut seen =
            Seen { hasher: RandomState::new(), keys: HashSet::new(), loss: Loss::default() };
        seen.loss.bytes = bytes.end.saturating_sub(bytes.start);
        seen.loss.only_nuls = seen.loss.bytes > 0;
        // Nothing is a command of these bytes that goes on behind them.
        let mut window = Window::new(file, bytes.end);
        let mut resync = Resync::within(seen.loss.bytes, self.limits);
        let mut forms = Forms::Tolerant;
        let mut pos = bytes.start;
        for run in 0..RUNS_MAX {
            let end = self.run(file, pos..bytes.end, forms, &mut seen)?;
            if run == 0 {
                seen.loss.before_damage = seen.loss.commands;
                seen.loss.only_nuls &= end == pos && are_nuls(&**file, pos..bytes.end)?;
            }
            if seen.loss.only_nuls || end >= bytes.end {
                return Ok(seen.loss);
            }
            let Some(next) = resync.one(&mut window, end + 1)? else {
                seen.loss.at_least |= resync.gave_up;
                return Ok(seen.loss);
            };
            forms = Forms::Strict;
            pos = next;
        }
        seen.loss.at_least = true;
        Ok(seen.loss)
    }

    /// Counts whole commands up to the first that is not, and says where that is.
    fn run(
        &self,
        file: &Arc<dyn File>,
        bytes: Range<u64>,
        forms: Forms,
        seen: &mut Seen,
    ) -> io::Result<u64> {
        let source = FileReader::new(file.clone(), bytes.start, bytes.end);
        let mut chunks = Chunks::new(source, bytes.start, State::default(), forms, self.limits);
        let (mut end, mut spare) = (bytes.start, Spare::default());
        while let Some(chunk) = chunks.next_chunk(spare)? {
            let mut reader = Reader::new(&chunk);
            while let Some(item) = reader.next_record() {
                if let Event::Command(command) = &item.record.event {
                    seen.loss.commands += 1;
                    self.keys(command.args, seen);
                }
            }
            end = chunk.offset + chunk.bytes().len() as u64;
            spare = chunk.recycle();
        }
        Ok(end)
    }

    fn keys(&self, args: &[&[u8]], seen: &mut Seen) {
        let Known::Yes(row) = look(args) else { return };
        for at in row.key_positions(args) {
            args.get(at).into_iter().for_each(|key| seen.key(key));
        }
    }
}

struct Seen {
    hasher: RandomState,
    keys: HashSet<u64>,
    loss: Loss,
}

impl Seen {
    fn key(&mut self, key: &[u8]) {
        if self.keys.len() >= KEYS_MAX {
            self.loss.at_least = true;
        } else if self.keys.insert(self.hasher.hash_one(key)) {
            self.loss.keys += 1;
            if self.loss.names.len() < NAMES_MAX {
                self.loss.names.push(key.to_vec());
            }
        }
    }
}

fn are_nuls(file: &dyn File, bytes: Range<u64>) -> io::Result<bool> {
    let mut block = vec![0; WINDOW];
    let mut pos = bytes.start;
    while pos < bytes.end {
        let len = read_full_at(file, &mut block, pos)?;
        if len == 0 || block.get(..len).unwrap_or_default().iter().any(|byte| *byte != 0) {
            return Ok(len == 0);
        }
        pos += len as u64;
    }
    Ok(true)
}
