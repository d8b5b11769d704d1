//! What kind of damage stopped the reading of an AOF (RELIABILITY 3.2 a): a cut, NUL bytes up to the end or
//! a hole of them, a block that comes twice, or bytes that are simply no command.
//!
//! Only what is certain is said. Nothing behind the damage is read: where commands begin again is a
//! question of its own.

use std::ops::Range;

use crate::encoding::resp::{Forms, Framer};
use crate::finding::{Code, Excerpt, Finding};

/// A shorter run of NULs with something behind it is not called a hole.
const HOLE: u64 = 16;

/// Bytes by which an earlier copy of a block is looked for: the shortest block that is found.
const PROBE: usize = 32;

/// Places where the probe was found that are looked at.
const PROBES: usize = 256;

/// Damage that stops the reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// What is wrong, and where.
    pub finding: Finding,
    /// What it looks like.
    pub kind: Kind,
    /// The first bytes from the damaged record on.
    pub head: Vec<u8>,
}

/// Bytes of the damaged record that are kept.
const HEAD: usize = 64 << 10;

impl Damage {
    fn new(finding: Finding, kind: Kind, bytes: &[u8]) -> Damage {
        Damage { finding, kind, head: bytes.get(..HEAD).unwrap_or(bytes).to_vec() }
    }
}

/// Kinds of damage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The file ends too early. Its last bytes may be NULs, so many.
    Cut {
        /// NULs at the very end.
        nuls: u64,
    },
    /// NULs to the end.
    NulTail(Range<u64>),
    /// NULs with something behind them.
    NulHole(Range<u64>),
    /// A block of bytes and the same bytes again, which this range is.
    DupBlock(Range<u64>),
    /// Anything else.
    Garbage,
}

/// A file that ends inside a record, `rest` being what there is of it.
pub(super) fn cut(mut finding: Finding, rest: &[u8]) -> Damage {
    let nuls = rest.iter().rev().take_while(|byte| **byte == 0).count() as u64;
    if nuls >= HOLE {
        finding.found.push_str(&format!("; the last {nuls} bytes are NULs"));
    }
    Damage::new(finding, Kind::Cut { nuls }, rest)
}

/// The run of NULs that a fault lies in or directly behind, as far as `window` goes. The run may begin
/// before the fault, inside an argument, but not before the damaged record.
pub(super) fn nuls(window: &[u8], base: u64, record: u64, fault: u64) -> Option<Range<u64>> {
    let pos = |offset: u64| usize::try_from(offset.saturating_sub(base)).unwrap_or(usize::MAX);
    let (before, behind) = window.split_at_checked(pos(fault))?;
    let room = before.len().saturating_sub(pos(record));
    let lead = before.iter().rev().take(room).take_while(|byte| **byte == 0).count() as u64;
    let run = behind.iter().take_while(|byte| **byte == 0).count() as u64;
    (run > 0).then(|| fault - lead..fault + run)
}

/// Says what kind of damage it is. `window` lies at `base`.
pub(super) fn classify(
    mut finding: Finding,
    window: &[u8],
    base: u64,
    record: u64,
    nuls: Option<Range<u64>>,
    size: u64,
) -> Damage {
    let fault = finding.span.start;
    let bytes = usize::try_from(record - base).ok().and_then(|pos| window.get(pos..));
    let bytes = bytes.unwrap_or_default();
    finding.excerpt = Excerpt::around(window, base, fault);
    if let Some(nuls) = nuls {
        let len = nuls.end - nuls.start;
        if nuls.end == size {
            finding.code = Code::AofNulTail;
            finding.found = format!("{} and nothing else", counted(len));
            finding.span = nuls.clone();
            return Damage::new(finding, Kind::NulTail(nuls), bytes);
        }
        if len >= HOLE {
            finding.code = Code::AofNulHole;
            let behind = size - nuls.end;
            finding.found = format!("{}, {behind} bytes more behind them", counted(len));
            finding.span = nuls.clone();
            return Damage::new(finding, Kind::NulHole(nuls), bytes);
        }
    }
    if let Some(block) = twice(window, base, record, fault) {
        let len = block.end - block.start;
        finding.code = Code::AofDupBlock;
        finding.expected = "every block of bytes once".to_owned();
        finding.found = format!("the {len} bytes before {:#x} again", block.start);
        finding.span = block.clone();
        return Damage::new(finding, Kind::DupBlock(block), bytes);
    }
    Damage::new(finding, Kind::Garbage, bytes)
}

fn counted(nuls: u64) -> String {
    if nuls == 1 { "1 NUL byte".to_owned() } else { format!("{nuls} NUL bytes") }
}

/// A block around the fault that repeats the bytes directly before it, the damaged record being whole
/// without it. What lies at the fault is looked for in what comes before; an earlier copy at a
/// distance `d` makes a block if all the `d` bytes up to its end repeat those before them. Honest data
/// repeats itself too, so it is the record that decides.
fn twice(window: &[u8], base: u64, record: u64, fault: u64) -> Option<Range<u64>> {
    let pos = |offset: u64| usize::try_from(offset.checked_sub(base)?).ok();
    let (record, at) = (pos(record)?, pos(fault)?);
    let probe = window.get(at..at.checked_add(PROBE)?)?;
    let mut tries = PROBES;
    let mut end = at;
    while let Some(copy) = window.get(..end)?.iter().rposition(|byte| *byte == probe[0]) {
        end = copy;
        if window.get(copy..copy + PROBE) != Some(probe) {
            continue;
        }
        tries = tries.checked_sub(1)?;
        let distance = at - copy;
        let back = same_backwards(window, at, distance).min(distance).min(at - record);
        let forth = window.get(at..)?.iter().zip(window.get(copy..)?);
        let forth = forth.take(distance).take_while(|(a, b)| a == b).count();
        let start = at - back;
        if back + forth >= distance && whole_without(window, record, start, distance) {
            let start = base + start as u64;
            return Some(start..start + distance as u64);
        }
    }
    None
}

/// Whether there is a whole record once a block is taken out, and another begins behind it.
fn whole_without(window: &[u8], record: usize, start: usize, len: usize) -> bool {
    let parts = window.get(record..start).zip(window.get(start + len..));
    let Some((before, behind)) = parts else { return false };
    let bytes = [before, behind].concat();
    let taken = Framer::new(Forms::Strict, u64::MAX).command(&bytes, |_| {});
    taken.is_ok_and(|len| len > before.len() && matches!(bytes.get(len), None | Some(b'*' | b'#')))
}

fn same_backwards(window: &[u8], at: usize, distance: usize) -> usize {
    let (Some(here), Some(there)) = (window.get(..at), window.get(..at - distance)) else {
        return 0;
    };
    here.iter().rev().zip(there.iter().rev()).take_while(|(a, b)| a == b).count()
}
