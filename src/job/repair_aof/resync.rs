//! Finding where commands go on behind damage, without taking for commands what lies inside a value.
//!
//! A place counts when two known commands can be read from it as servers write them, or one up to the end of
//! the file. A block of a file system that overwrote another one is stepped over: its commands were run
//! before. What lies inside values is told by how it ends, which only who reads on can see
//! ([`super::survey`]).
//!
//! What all this costs is bounded ([`crate::job::effort`]).

use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::chain::{No, begins_well, cost, star, step};
use crate::job::effort::Effort;
use crate::job::heal::preamble::ends_before_commands;
use crate::job::window::{WINDOW, WINDOW_MAX, Window};
use crate::limits::Limits;
use crate::periodic::repeating;
use crate::persist::fs::File;

/// Commands in a row that make a place certain.
const CHAIN: usize = 2;

/// What a look at a place costs beside its bytes.
const PLACE: u64 = 32;

/// Bytes in which two lines and a name are.
const HEAD: usize = 128;

/// Bytes that a record is first looked for in.
const RECORD: usize = 64 << 10;

/// Where no command begins in one period of so many bytes that repeat after so few, none begins in the others.
const SAME: usize = 1024;
const PERIOD: usize = 64;

/// Blocks of file systems are of such sizes and begin at multiples of them; copies are looked for so far back.
const BLOCK: usize = 512;
const HISTORY: usize = 64 << 10;

/// Bytes by which a copy is recognized.
const PROBE: usize = 64;

/// A search for commands.
#[derive(Debug)]
pub(super) struct Resync {
    effort: Effort,
    /// For trying changes, for looking at what is lost, and for reading on behind places that were found.
    pub(super) mending: Effort,
    pub(super) losing: Effort,
    pub(super) reading: Effort,
    limits: Limits,
    /// A copy of a block was stepped over on the way to what was found last.
    pub(super) is_over_block: bool,
    /// The search for it was given up, or left places out.
    pub(super) gave_up: bool,
}

impl Resync {
    /// A search in a file of so many bytes.
    pub(super) fn new(size: u64, limits: Limits) -> Resync {
        Resync::with(|| Effort::new(size), limits)
    }

    /// One in a gap of so many bytes.
    pub(super) fn within(len: u64, limits: Limits) -> Resync {
        Resync::with(|| Effort::within(len), limits)
    }

    fn with(effort: impl Fn() -> Effort, limits: Limits) -> Resync {
        Resync {
            effort: effort(),
            mending: effort(),
            losing: effort(),
            reading: effort(),
            limits,
            is_over_block: false,
            gave_up: false,
        }
    }

    /// The first place from an offset on where commands begin, the damage being at `fault`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn find(
        &mut self,
        window: &mut Window,
        fault: u64,
        from: u64,
    ) -> io::Result<Option<u64>> {
        self.is_over_block = false;
        self.effort.begin_gap();
        let mut found = self.place(window, from, CHAIN)?;
        while let Some(at) = found
            && let Some(end) = block_end(window, fault, at)?
        {
            self.is_over_block = true;
            found = self.place(window, end, CHAIN)?;
        }
        self.gave_up = self.effort.end_gap();
        Ok(found)
    }

    /// The first place from an offset on from which one command can be read, of those that are lost.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn one(&mut self, window: &mut Window, from: u64) -> io::Result<Option<u64>> {
        let found = self.place(window, from, 1)?;
        self.gave_up = self.effort.is_spent();
        Ok(found)
    }

    /// The first place from an offset on where so many commands follow each other.
    fn place(&mut self, window: &mut Window, from: u64, chain: usize) -> io::Result<Option<u64>> {
        let mut at = from;
        // Places that need no look.
        let mut barren = 0..0;
        while at < window.size() {
            if barren.contains(&at) {
                at = barren.end;
            }
            let bytes = window.at(at, HEAD)?;
            let (passed, is_star) = match star(bytes) {
                Some(pos) => (pos as u64, true),
                None => (bytes.len().max(1) as u64, false),
            };
            let place = self.effort.place(from, at + passed);
            let is_tried = is_star && place == at + passed;
            at = place;
            self.effort.charge_read(passed);
            if !self.charge_look(window, PLACE) && !self.effort.coarsen() {
                return Ok(None);
            }
            if !is_tried {
                continue;
            }
            if begins_well(window.at(at, HEAD)?) && self.is_chain(window, at, chain)? {
                return Ok(Some(at));
            }
            if at >= barren.end {
                barren = places_like_those_before(window, at)?;
            }
            at += 1;
        }
        Ok(None)
    }

    fn is_chain(&mut self, window: &mut Window, start: u64, chain: usize) -> io::Result<bool> {
        let mut at = start;
        for _ in 0..chain {
            let Some(len) = self.step(window, at)? else { return Ok(false) };
            at += len;
            if at >= window.size() {
                break;
            }
        }
        Ok(true)
    }

    /// Bytes of the record at an offset.
    fn step(&mut self, window: &mut Window, at: u64) -> io::Result<Option<u64>> {
        let most = if self.effort.is_coarse() { WINDOW } else { WINDOW_MAX };
        let mut len = RECORD;
        let size = window.size();
        loop {
            let bytes = window.at(at, len)?;
            let (read, is_all) = (bytes.len(), at + bytes.len() as u64 >= size);
            let stepped = step(bytes, self.limits.string);
            let (work, stepped) = (cost(&stepped), stepped.map(|step| step.len as u64));
            let is_left = self.charge_look(window, work);
            match stepped {
                Ok(len) => return Ok(Some(len)),
                Err(No::Short(_)) if !is_all && read < most && is_left => {
                    len = read.saturating_mul(4).min(most);
                }
                Err(No::Short(_) | No::Bad(_)) => return Ok(None),
            }
        }
    }

    /// Charges work, and what was read for it. False if there was too much of it.
    fn charge_look(&mut self, window: &mut Window, work: u64) -> bool {
        self.effort.charge_read(window.take_read());
        self.effort.charge(work)
    }
}

/// The places behind one at which the bytes have repeated once, up to where they no longer do.
fn places_like_those_before(window: &mut Window, at: u64) -> io::Result<Range<u64>> {
    let found = repeating(window.at(at, 2 * SAME)?, PERIOD, SAME);
    let (period, len) = found.unwrap_or_default();
    Ok(at + period as u64..at + len.saturating_sub(SAME as u64))
}

/// Where the commands of an AOF begin that has a damaged RDB before them, if they are sound there.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn commands_behind(
    file: &Arc<dyn File>,
    size: u64,
    limits: Limits,
) -> io::Result<Option<u64>> {
    let (mut window, mut resync) = (Window::new(file, size), Resync::new(size, limits));
    for end in ends_before_commands(&**file, size)? {
        if resync.is_chain(&mut window, end, CHAIN)? {
            return Ok(Some(end));
        }
    }
    Ok(None)
}

/// Where a block ends that is at a place and came before as well, both at multiples of its size: written to
/// a wrong place, over what was there.
fn block_end(window: &mut Window, fault: u64, at: u64) -> io::Result<Option<u64>> {
    let base = fault.saturating_sub(HISTORY as u64);
    let Ok(pos) = usize::try_from(at - base.min(at)) else { return Ok(None) };
    if pos > 2 * HISTORY {
        return Ok(None);
    }
    let bytes = window.at(base, pos + HISTORY)?;
    let Some(probe) = bytes.get(pos..pos + PROBE) else { return Ok(None) };
    for distance in (BLOCK..=pos.min(HISTORY)).step_by(BLOCK) {
        let copy = pos - distance;
        if bytes.get(copy..copy + PROBE) != Some(probe) {
            continue;
        }
        let (Some(before), Some(behind)) = (bytes.get(..pos), bytes.get(pos..)) else { break };
        let (old, older) =
            (bytes.get(..copy).unwrap_or_default(), bytes.get(copy..).unwrap_or_default());
        let back =
            before.iter().rev().zip(old.iter().rev()).take_while(|(a, b)| a == b).count() as u64;
        let forth = behind.iter().zip(older).take_while(|(a, b)| a == b).count() as u64;
        let (start, end) = (at - back, at + forth);
        let is_block = |offset: u64| offset.is_multiple_of(BLOCK as u64);
        if is_block(start) && is_block(end) {
            return Ok(Some(end));
        }
    }
    Ok(None)
}
