//! Healing: the smallest change that makes an RDB's own checksum right.
//!
//! ```text
//! sum      the checksum of all bytes, the stored one included: 0 if nothing is damaged
//! search   which short bursts leave such a syndrome?                [`crate::encoding::syndrome`], all cores
//! verify   with each put right: is the checksum, and every value?   [`super::check`]
//! tell     which record, key and element the change is in           [`place`]
//! ```
//!
//! A checksum of 64 bits explains many a damage by many a short burst, the more the longer the file. A find is
//! certain enough to be used unasked if less than one in a million files with other damage would have one
//! as short; one that is not is only shown, and taken when somebody agrees.

pub mod payload;
pub mod place;
pub mod preamble;

use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use self::place::{Place, place};
use super::check::{self, Report, check_part};
use super::rdb_file::Extent;
use crate::encoding::crc64::Crc64;
use crate::encoding::polynomial::REDIS;
use crate::encoding::syndrome::{Burst, bursts, expected, longest};
use crate::error::{Error, Result};
use crate::finding::{Code, Severity};
use crate::input::source::Input;
use crate::persist::fs::{File, FileReader, read_full_at};
use crate::persist::overlay::Overlay;
use crate::rdb::skim::Checksum;

/// Changes as short to be expected by chance, at most, for one that is made unasked.
pub const CERTAIN: f64 = 1e-6;

/// The same for one that is looked for at all.
const SOUGHT: f64 = 1.0;

/// Changes that are verified, each by reading the whole file.
const VERIFIED_MAX: usize = 12;

/// Bytes of the stored checksum.
const FOOTER: u64 = 8;

const BLOCK: usize = 1 << 20;

/// Some bytes of a file, and what they are to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Where the first of them is.
    pub offset: u64,
    /// What they are.
    pub old: Vec<u8>,
    /// What they are to be.
    pub new: Vec<u8>,
}

/// A change that makes the checksum right and the file sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Healing {
    /// The change.
    pub patch: Patch,
    /// Bits from the first that changes to the last.
    pub bits: u32,
    /// Bits that change.
    pub flipped: u32,
    /// How many changes as short are to be expected by chance.
    pub by_chance: f64,
    /// Where in the data it is, once it is healed.
    pub place: Place,
}

impl Healing {
    /// Whether it is certain enough to be made unasked.
    pub fn is_certain(&self) -> bool {
        self.by_chance <= CERTAIN
    }
}

/// What a search came to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Healed {
    /// The checksum is right, or there is none.
    pub has_no_syndrome: bool,
    /// Every change that heals the file, the most certain first.
    pub found: Vec<Healing>,
}

impl Healed {
    /// The one that is certain; none if there are two.
    pub fn certain(&self) -> Option<&Healing> {
        match self.found.as_slice() {
            [first, second, ..] if first.is_certain() && second.is_certain() => None,
            [first, ..] if first.is_certain() => Some(first),
            _ => None,
        }
    }

    /// The one to take if doubt is accepted: the most certain.
    pub fn likeliest(&self) -> Option<&Healing> {
        match self.found.as_slice() {
            [first, second, ..] if first.bits == second.bits => None,
            [first, ..] => Some(first),
            [] => None,
        }
    }
}

/// Looks for what heals the RDB in some bytes of a file.
///
/// # Errors
/// When the file cannot be read.
pub fn heal(
    file: &Arc<dyn File>,
    path: &Path,
    span: Range<u64>,
    options: &check::Options,
) -> Result<Healed> {
    let failed = |err| Error::io(path, "read", err);
    let len = span.end.saturating_sub(span.start);
    let Some(syndrome) = syndrome(file, &span).map_err(failed)? else {
        return Ok(Healed { has_no_syndrome: true, found: Vec::new() });
    };
    let mut found = Vec::new();
    let bits = longest(len, SOUGHT);
    for burst in bursts(&REDIS, syndrome, len, bits, options.jobs).into_iter().take(VERIFIED_MAX) {
        let patch = Patch::of_burst(file, burst, span.start).map_err(failed)?;
        if !is_sound(file, path, &span, &patch, options)? {
            continue;
        }
        let place = place(file, &span, &patch, options.limits).map_err(failed)?;
        let by_chance = expected(len, burst.bits());
        let (bits, flipped) = (burst.bits(), burst.flipped());
        found.push(Healing { patch, bits, flipped, by_chance, place });
    }
    Ok(Healed { has_no_syndrome: false, found })
}

/// What the damage leaves of the checksum; `None` if there is nothing to be learned of it.
fn syndrome(file: &Arc<dyn File>, span: &Range<u64>) -> io::Result<Option<u64>> {
    let Some(footer) = span.end.checked_sub(FOOTER).filter(|footer| *footer > span.start) else {
        return Ok(None);
    };
    let mut stored = [0; FOOTER as usize];
    read_full_at(&**file, &mut stored, footer)?;
    let mut reader = FileReader::new(file.clone(), span.start, span.end);
    let (mut crc, mut block) = (Crc64::new(), vec![0; BLOCK]);
    loop {
        let len = reader.read(&mut block)?;
        if len == 0 {
            break;
        }
        crc.update(block.get(..len).unwrap_or_default());
    }
    Ok(Some(crc.value()).filter(|sum| *sum != 0 && stored != [0; 8]))
}

/// Whether the file with a change is as a server wrote it: its checksum right, and all of its values.
fn is_sound(
    file: &Arc<dyn File>,
    path: &Path,
    span: &Range<u64>,
    patch: &Patch,
    options: &check::Options,
) -> Result<bool> {
    let reader = FileReader::new(patch.over(file), span.start, span.end);
    let report = check_once(Box::new(reader), path, options)?;
    let is_wrong = |code: Code| code.severity() == Severity::Error || code == Code::TrailingBytes;
    let sound = !report.findings.iter().any(|finding| is_wrong(finding.code));
    Ok(sound && report.outcome.checksum == Checksum::Ok)
}

/// Checks an RDB that cannot be read a second time under its name, to name keys that come twice.
///
/// # Errors
/// When it cannot be read.
pub(super) fn check_once(
    reader: Box<dyn Read + Send>,
    path: &Path,
    options: &check::Options,
) -> Result<Report> {
    match check_part(reader, &Input::Stdin, options, Extent::Whole) {
        Ok((report, _)) => Ok(report),
        Err(Error::Io { doing: "read", source, .. }) => Err(Error::io(path, "read", source)),
        Err(error) => Err(error),
    }
}

impl Patch {
    /// Of a burst in the bytes of a file that begin at `base`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn of_burst(file: &Arc<dyn File>, burst: Burst, base: u64) -> io::Result<Patch> {
        let xor = burst.bytes();
        let offset = base + burst.offset;
        let mut old = vec![0; xor.len()];
        read_full_at(&**file, &mut old, offset)?;
        let new = old.iter().zip(&xor).map(|(old, xor)| old ^ xor).collect();
        Ok(Patch { offset, old, new })
    }

    /// A file with the change.
    pub fn over(&self, file: &Arc<dyn File>) -> Arc<dyn File> {
        Overlay::over(file.clone(), vec![(self.offset, self.new.clone())])
    }

    /// Makes the change in bytes that lie at `base`, as far as it is in them.
    pub fn put_into(&self, bytes: &mut [u8], base: u64) {
        for (offset, new) in (self.offset..).zip(&self.new) {
            let pos = offset.checked_sub(base).and_then(|pos| usize::try_from(pos).ok());
            if let Some(byte) = pos.and_then(|pos| bytes.get_mut(pos)) {
                *byte = *new;
            }
        }
    }
}
