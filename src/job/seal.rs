//! Seals: making one, and holding a file against the one that lies beside it ([`crate::encoding::seal`]).
//!
//! ```text
//! dump.rdb ──► sums of its blocks ──► dump.rdb.seal                       [`seal`]
//! dump.rdb, dump.rdb.seal ──► which blocks are others                     [`stand`]
//!                          ──► which short bursts explain that            [`heal`]
//!                          ──► the keys and commands in them              [`place`], [`find`]
//! ```
//!
//! Memory is 8 bytes for every block of 16 KiB, and a buffer for each thread.

pub mod find;
pub mod heal;
pub mod mend;
pub mod place;

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::parts::open_set;
use super::subject::{self, subjects};
use crate::aof::folder::Node;
use crate::encoding::crc64::{Crc64, combine, crc64};
use crate::encoding::seal::{BLOCK, SIZE_MAX, Seal, Unusable, sum};
use crate::error::{Error, Result};
use crate::input::detect::{ENOUGH, FileKind};
use crate::input::source::Input;
use crate::join;
use crate::persist::fs::{self, Access, File, Fs, Kind, Stat, read_full_at, stat_if_there};
use crate::persist::replace::{Replaced, Replacement};
use crate::persist::target;

/// Bytes that a thread reads at a time; small enough to be at hand for both sums.
const BUFFER: usize = 64 << 10;

/// A buffer begins at a multiple of this: the kernel copies into one that does not at a third of the speed
/// (measured: 0.35 s instead of 0.12 s for 512 MiB, and large allocations begin 16 bytes into a page).
const LINE: usize = 64;

/// What the name of a seal ends with.
pub const EXTENSION: &str = "seal";

/// The seal of a file.
pub fn seal_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".");
    name.push(EXTENSION);
    PathBuf::from(name)
}

/// A file that is or is to be sealed.
#[derive(Debug)]
pub struct Subject {
    /// Its path.
    pub path: PathBuf,
    /// The file.
    pub file: Arc<dyn File>,
    /// As it was when it was opened.
    pub seen: Stat,
}

impl Subject {
    /// Opens it, where a symbolic link points: the seal is beside the file itself.
    ///
    /// # Errors
    /// When it cannot be read or is no regular file.
    pub fn open(fs: &dyn Fs, path: &Path) -> Result<Subject> {
        let failed = |doing| move |err| Error::io(path, doing, err);
        let real = fs.canonicalize(path).map_err(failed("open"))?;
        let (dir, name) = fs::open_parent(fs, &real)?;
        let file = dir.open(&name, Access::Read).map_err(failed("open"))?;
        let seen = file.stat().map_err(failed("look at"))?;
        if seen.kind != Kind::File {
            return Err(Error::refused(path, "it is no regular file"));
        }
        Ok(Subject { path: real, file, seen })
    }

    /// Opens it if a seal lies beside it. One that cannot be looked for is none.
    pub fn if_sealed(fs: &dyn Fs, path: &Path) -> Option<Subject> {
        let real = fs.canonicalize(path).ok()?;
        let (dir, name) = fs::open_parent(fs, &seal_path(&real)).ok()?;
        dir.stat(&name).ok()?;
        Subject::open(fs, &real).ok()
    }

    fn is_rdb(&self) -> io::Result<bool> {
        let mut head = [0; ENOUGH];
        let len = read_full_at(&*self.file, &mut head, 0)?;
        Ok(FileKind::of(head.get(..len).unwrap_or_default()) == FileKind::Rdb)
    }
}

/// The sums of some bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sums {
    /// CRC-64/XZ of each block.
    blocks: Vec<u64>,
    /// CRC-64, as RDB files have it, of all of it.
    whole: u64,
    len: u64,
}

/// Sums a part of a file, from the beginning of a block on, by several threads.
fn measure(file: &Arc<dyn File>, span: Range<u64>, block: u32, jobs: usize) -> io::Result<Sums> {
    let blocks = Seal::blocks(span.end.saturating_sub(span.start), block);
    let share = blocks.div_ceil(jobs.max(1) as u64).max(1) * u64::from(block);
    let starts = (span.start..span.end).step_by(usize::try_from(share).unwrap_or(usize::MAX));
    let parts: Vec<_> = starts.map(|start| start..(start + share).min(span.end)).collect();
    let sums = join::all(parts.into_iter().map(|part| || measure_part(&**file, part, block)));
    let mut all = Sums { blocks: Vec::new(), whole: 0, len: 0 };
    for part in sums {
        let part = part?;
        all.whole = combine(all.whole, part.whole, part.len);
        all.len += part.len;
        all.blocks.extend(part.blocks);
    }
    Ok(all)
}

fn measure_part(file: &dyn File, span: Range<u64>, block: u32) -> io::Result<Sums> {
    let block = block as usize;
    let len = span.end - span.start;
    let mut sums = Sums { blocks: Vec::new(), whole: 0, len };
    let mut whole = Crc64::new();
    let size = BUFFER.max(block);
    let mut room: Vec<u8> = vec![0; size + LINE];
    let start = room.as_ptr().align_offset(LINE).min(LINE);
    let buffer = room.get_mut(start..start + size).unwrap_or_default();
    let mut at = span.start;
    while at < span.end {
        let left = usize::try_from(span.end - at).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let piece = buffer.get_mut(..wanted).unwrap_or_default();
        if read_full_at(file, piece, at)? < wanted {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        whole.update(piece);
        sums.blocks.extend(piece.chunks(block).map(sum));
        at += wanted as u64;
    }
    sums.whole = whole.value();
    Ok(sums)
}

/// What lies beside a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beside {
    /// No seal.
    Nothing,
    /// A seal that is not to be believed.
    Unusable(Unusable),
    /// A seal, and how the file stands to it.
    Seal(Box<Standing>),
}

/// How a file stands to its seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The seal.
    pub seal: Seal,
    /// Bytes of the file now.
    pub size: u64,
    /// The numbers of the blocks that are others than were sealed.
    pub damaged: Vec<u64>,
    /// The CRC-64 of the bytes that were sealed, as they are now.
    whole: u64,
    /// The file was written to after its seal was.
    pub is_newer: bool,
    /// It is an RDB whose own checksum fits.
    pub is_sound_itself: bool,
}

/// The same in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it was sealed.
    Same,
    /// The same, and more was written behind.
    Grown,
    /// A part of it is gone.
    Shorter,
    /// Some blocks are others.
    Damaged,
    /// It was written anew since: the seal says nothing of it.
    Other,
}

impl Verdict {
    /// The word of JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Same => "same",
            Verdict::Grown => "grown",
            Verdict::Shorter => "shorter",
            Verdict::Damaged => "damaged",
            Verdict::Other => "other",
        }
    }

    /// Whether all that was sealed is there.
    pub fn is_good(self) -> bool {
        matches!(self, Verdict::Same | Verdict::Grown)
    }
}

impl Standing {
    /// The outcome. A file that is newer than its seal is another one if most of its blocks are others, or if
    /// it is an RDB that is sound: servers do not change an RDB, they write a new one.
    pub fn verdict(&self) -> Verdict {
        let differs = !self.damaged.is_empty() || self.size < self.seal.len;
        let blocks = Seal::blocks(self.size.min(self.seal.len), self.seal.block);
        let mostly = blocks > 1 && 2 * self.damaged.len() as u64 > blocks;
        match (self.damaged.is_empty(), self.size.cmp(&self.seal.len)) {
            _ if differs && self.is_newer && (mostly || self.is_sound_itself) => Verdict::Other,
            (false, _) => Verdict::Damaged,
            (true, std::cmp::Ordering::Less) => Verdict::Shorter,
            (true, std::cmp::Ordering::Equal) => Verdict::Same,
            (true, std::cmp::Ordering::Greater) => Verdict::Grown,
        }
    }

    /// Where a block lies.
    pub fn span(&self, block: u64) -> Range<u64> {
        let len = u64::from(self.seal.block);
        let start = block.saturating_mul(len);
        start..start.saturating_add(len).min(self.seal.len)
    }
}

/// Looks beside a file.
///
/// # Errors
/// When the file or a seal that is there cannot be read.
pub fn stand(fs: &dyn Fs, subject: &Subject, jobs: usize) -> Result<Beside> {
    let path = seal_path(&subject.path);
    let (dir, name) = fs::open_parent(fs, &path)?;
    let Some(stat) = stat_if_there(&*dir, &name)? else { return Ok(Beside::Nothing) };
    let failed = |err| Error::io(&path, "read", err);
    if stat.kind != Kind::File || stat.size > SIZE_MAX {
        return Ok(Beside::Unusable(Unusable::Magic));
    }
    let file = dir.open(&name, Access::Read).map_err(failed)?;
    let mut bytes = vec![0; usize::try_from(stat.size).unwrap_or_default()];
    let len = read_full_at(&*file, &mut bytes, 0).map_err(failed)?;
    let seal = match Seal::read(bytes.get(..len).unwrap_or_default()) {
        Ok(seal) => seal,
        Err(why) => return Ok(Beside::Unusable(why)),
    };
    let is_newer = subject.seen.modified_ns > stat.modified_ns;
    let standing = compare(subject, seal, is_newer, jobs);
    let standing = standing.map_err(|err| Error::io(&subject.path, "read", err))?;
    Ok(Beside::Seal(Box::new(standing)))
}

fn compare(subject: &Subject, seal: Seal, is_newer: bool, jobs: usize) -> io::Result<Standing> {
    let size = subject.seen.size;
    let both = size.min(seal.len);
    let sums = measure(&subject.file, 0..both, seal.block, jobs)?;
    let mut damaged = Vec::new();
    for (number, (now, then)) in (0..).zip(sums.blocks.iter().zip(&seal.sums)) {
        // Of a block that was cut there is nothing to compare.
        let is_whole = size >= seal.len || (number + 1) * u64::from(seal.block) <= size;
        if now != then && is_whole {
            damaged.push(number);
        }
    }
    let mut all = sums.whole;
    if size > both && !damaged.is_empty() {
        let rest = measure(&subject.file, both..size, seal.block, jobs)?;
        all = combine(all, rest.whole, rest.len);
    }
    let differs = !damaged.is_empty() || size < seal.len;
    // The checksum of bytes that end with their own checksum is 0.
    let is_sound_itself = differs && size > 0 && all == 0 && subject.is_rdb()?;
    Ok(Standing { seal, size, damaged, whole: sums.whole, is_newer, is_sound_itself })
}

/// The files that a path stands for: itself, whatever it is; those that a manifest names; of a folder its RDBs
/// and AOFs, and those that its manifests name.
///
/// # Errors
/// When there is none, or a folder or manifest cannot be read.
pub fn files(path: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for subject in subjects(path)? {
        match subject {
            subject::Subject::File(Input::Stdin) => {
                let why = "standard input has no place for a seal beside it; name a file";
                return Err(Error::Usage(why.to_owned()));
            }
            subject::Subject::File(input) => found.push(input.path().to_owned()),
            subject::Subject::Set(set) => {
                let set = open_set(&set)?;
                let parts =
                    set.parts.iter().filter(|part| matches!(part.node, Some(Node::File(_))));
                found.extend(parts.map(|part| set.folder.path.join(part.name())));
            }
        }
    }
    if found.is_empty() {
        return Err(Error::Usage(format!("no RDB or AOF in {}", path.display())));
    }
    Ok(found)
}

/// The seal of a few bytes, for the manual.
pub fn example(bytes: &[u8]) -> Vec<u8> {
    let (len, sums) = (bytes.len() as u64, bytes.chunks(BLOCK as usize).map(sum).collect());
    Seal { block: BLOCK, len, whole: crc64(bytes), sums }.write()
}

/// What was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Bytes of the file.
    pub size: u64,
    /// Blocks.
    pub blocks: u64,
    /// The seal that was written.
    pub written: Replaced,
}

/// Seals a file as it is now.
///
/// # Errors
/// When it cannot be read or the seal not written; and if the seal that is there already says that it is
/// damaged, unless `force`.
pub fn seal(fs: &dyn Fs, subject: &Subject, jobs: usize, force: bool) -> Result<Made> {
    let path = seal_path(&subject.path);
    if !force && let Beside::Seal(standing) = stand(fs, subject, jobs)? {
        let why = match standing.verdict() {
            Verdict::Damaged => "blocks are not as they were sealed",
            Verdict::Shorter => "it is shorter than when it was sealed",
            Verdict::Same | Verdict::Grown | Verdict::Other => "",
        };
        if !why.is_empty() {
            let why =
                format!("{why}; rdbtool seal --verify says more, and --force seals it as it is");
            return Err(Error::refused(&subject.path, why));
        }
    }
    let size = subject.seen.size;
    let sums = measure(&subject.file, 0..size, BLOCK, jobs);
    let sums = sums.map_err(|err| Error::io(&subject.path, "read", err))?;
    let blocks = sums.blocks.len() as u64;
    let seal = Seal { block: BLOCK, len: size, whole: sums.whole, sums: sums.blocks };
    let how = target::Options {
        mode: Some(subject.seen.mode & 0o666),
        inputs: vec![subject.seen],
        ..target::Options::default()
    };
    let new = Replacement::begin(fs, &path, how)?.with(&seal.write())?;
    let written = new.commit(|_| Ok(()))?;
    Ok(Made { size, blocks, written })
}
