//! What would be lost: the commands that can still be read in a part of a file, and the keys they are
//! about. Behind damage, commands are looked for again at line starts, so that a flipped byte in the
//! middle of a file is not taken for the loss of three bytes. Nothing here is kept or repaired: it only
//! counts, and says when it stopped counting.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::aof::reader::Reader;
use crate::aof::skim::{Chunks, Spare};
use crate::aof::state::State;
use crate::encoding::resp::{Forms, Framer, Stop};
use crate::job::commands::{Known, look};
use crate::limits::Limits;
use crate::persist::fs::{File, FileReader, read_full_at};
use crate::record::Event;

/// Times that commands are looked for again behind damage.
const RUNS_MAX: usize = 64;

/// Different keys that are counted.
const KEYS_MAX: usize = 1 << 20;

/// Keys that are named.
const NAMES_MAX: usize = 10;

/// Bytes that are searched at a time, half of them only to see where a command ends.
const WINDOW: usize = 1 << 20;

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
        let mut budget = seen.loss.bytes;
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
            let Some(next) = self.next_command(&**file, end + 1..bytes.end, &mut budget)? else {
                seen.loss.at_least |= budget == 0;
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

    /// Where the next known command begins at the start of a line, with another, an annotation or the end
    /// behind it. The budget bounds what hostile bytes can make of that search.
    fn next_command(
        &self,
        file: &dyn File,
        bytes: Range<u64>,
        budget: &mut u64,
    ) -> io::Result<Option<u64>> {
        let mut window = vec![0; WINDOW];
        // One byte more in front, to see the end of the line before.
        let mut base = bytes.start.saturating_sub(1);
        loop {
            let len = read_full_at(file, &mut window, base)?;
            let read = window.get(..len).unwrap_or_default();
            let last = base + len as u64 >= bytes.end;
            let searched = if last { len } else { len / 2 };
            let starts = read.windows(2).take(searched).enumerate();
            for (pos, _) in starts.filter(|(_, pair)| *pair == b"\n*") {
                let at = read.get(pos + 1..).unwrap_or_default();
                if self.is_command(at, last, budget) {
                    return Ok(Some(base + pos as u64 + 1));
                }
                if *budget == 0 {
                    return Ok(None);
                }
            }
            if last {
                return Ok(None);
            }
            base += searched as u64;
        }
    }

    fn is_command(&self, at: &[u8], last: bool, budget: &mut u64) -> bool {
        let mut args: Vec<&[u8]> = Vec::new();
        let mut framer = Framer::new(Forms::Strict, self.limits.string);
        framer.last = last;
        let framed = framer.command(at, |arg| args.push(arg));
        // An argument takes at least four bytes.
        *budget = budget.saturating_sub(args.len() as u64 + 1);
        match framed.map_err(|stop| *stop) {
            Ok(len) => {
                let sound_behind = matches!(at.get(len), None | Some(b'*' | b'#'));
                sound_behind && !matches!(look(&args), Known::No)
            }
            Err(Stop::Short { .. } | Stop::Bad(_)) => false,
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
