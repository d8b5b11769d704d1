//! The order of a large sorted set, which is made when somebody asks for it and then kept up to date.
//!
//! ```text
//! blocks: [ slot slot slot … ] [ slot slot … ] …     ascending, up to 1024 slots of four bytes a block
//! ```
//! A position is found by two binary searches (over the blocks, within one), a rank by adding up the
//! lengths of the blocks before: a thousand additions for a million members. Moving a member shifts at
//! most 4 KiB.
//!
//! Whoever only adds, as a file that is replayed mostly does, should not pay for an order nobody looks
//! at: after as many changes without a look as making it anew would cost, it is dropped.

use std::ops::Range;

use super::{Scored, order};
use crate::value::dict::{Dict, Slot};

/// Slots a block may have.
const BLOCK: usize = 1024;
/// Slots of a new block: room to grow on both sides of its middle.
const FILL: usize = BLOCK * 3 / 4;

/// Members in ascending order.
#[derive(Debug, Clone)]
pub(super) struct Order {
    blocks: Vec<Vec<Slot>>,
    /// Changes since somebody looked.
    unseen: usize,
}

/// A place in the order: a block, and a place in it (perhaps behind its last slot).
#[derive(Debug, Clone, Copy)]
struct Place {
    block: usize,
    at: usize,
}

impl Order {
    /// The order of all these members.
    pub(super) fn of(members: &Dict<Scored>) -> Order {
        let mut all: Vec<(&Scored, Slot)> = members.iter().map(|(slot, s)| (s, slot)).collect();
        all.sort_unstable_by(|(a, _), (b, _)| order(a.sort_key(), b.sort_key()));
        let slots = |part: &[(&Scored, Slot)]| part.iter().map(|(_, slot)| *slot).collect();
        Order { blocks: all.chunks(FILL).map(slots).collect(), unseen: 0 }
    }

    /// Bytes on the heap, near enough.
    pub(super) fn memory(&self) -> usize {
        self.blocks.capacity() * size_of::<Vec<Slot>>()
            + self.blocks.len() * BLOCK * size_of::<Slot>()
    }

    /// Somebody looks.
    pub(super) fn look(&mut self) {
        self.unseen = 0;
    }

    /// Has it been kept up to date for longer than it is worth?
    pub(super) fn is_forgotten(&self, members: &Dict<Scored>) -> bool {
        self.unseen > 64 + members.len() / 8
    }

    /// Where the members of whom `before` is true end; they must come first.
    fn place(&self, members: &Dict<Scored>, before: impl Fn(&Scored) -> bool) -> Place {
        let is_before = |slot: &Slot| members.at(*slot).is_some_and(&before);
        let behind = self.blocks.partition_point(|block| block.first().is_some_and(is_before));
        let block = behind.saturating_sub(1);
        let slots = self.blocks.get(block);
        Place { block, at: slots.map_or(0, |slots| slots.partition_point(is_before)) }
    }

    /// How many come before a place.
    fn rank_of(&self, place: Place) -> usize {
        let before = self.blocks.iter().take(place.block);
        before.map(Vec::len).sum::<usize>() + place.at
    }

    /// How many members there are of whom `before` is true; they must come first.
    pub(super) fn count(&self, members: &Dict<Scored>, before: impl Fn(&Scored) -> bool) -> usize {
        self.rank_of(self.place(members, before))
    }

    /// Takes a member in that is in the table already.
    pub(super) fn insert(&mut self, members: &Dict<Scored>, slot: Slot) {
        let Some(new) = members.at(slot) else { return };
        self.unseen += 1;
        let place = self.place(members, |other| order(other.sort_key(), new.sort_key()).is_lt());
        let Some(block) = self.blocks.get_mut(place.block) else {
            self.blocks.push(vec![slot]);
            return;
        };
        block.insert(place.at.min(block.len()), slot);
        if block.len() > BLOCK {
            let tail = block.split_off(BLOCK / 2);
            self.blocks.insert(place.block + 1, tail);
        }
    }

    /// Takes a member out that is in the table still, with the score it was put in with.
    pub(super) fn remove(&mut self, members: &Dict<Scored>, slot: Slot) {
        let Some(old) = members.at(slot) else { return };
        self.unseen += 1;
        let place = self.place(members, |other| order(other.sort_key(), old.sort_key()).is_lt());
        // The place is behind the last of a block if the member is the first of the next.
        let at_end = self.blocks.get(place.block).is_some_and(|slots| place.at >= slots.len());
        let (block, at) = if at_end { (place.block + 1, 0) } else { (place.block, place.at) };
        if let Some(slots) = self.blocks.get_mut(block).filter(|slots| slots.get(at) == Some(&slot))
        {
            slots.remove(at);
            self.tidy(block);
        }
    }

    /// Takes the members between two ranks out; these are they.
    pub(super) fn drain(&mut self, ranks: Range<usize>) -> Vec<Slot> {
        let mut gone = Vec::new();
        let (mut block, mut skip) = self.seek(ranks.start);
        while gone.len() < ranks.len() {
            let Some(slots) = self.blocks.get_mut(block) else { break };
            let end = slots.len().min(skip + ranks.len() - gone.len());
            gone.extend(slots.drain(skip.min(end)..end));
            (block, skip) = (block + 1, 0);
        }
        self.blocks.retain(|slots| !slots.is_empty());
        self.unseen += gone.len();
        self.tidy(self.seek(ranks.start).0);
        gone
    }

    /// The block a rank is in, and its place there.
    fn seek(&self, rank: usize) -> (usize, usize) {
        let mut left = rank;
        for (at, slots) in self.blocks.iter().enumerate() {
            if left < slots.len() {
                return (at, left);
            }
            left -= slots.len();
        }
        (self.blocks.len(), 0)
    }

    /// Joins a block that has become small with its neighbours if they are, so that there are never many.
    fn tidy(&mut self, block: usize) {
        if self.blocks.get(block).is_some_and(Vec::is_empty) {
            self.blocks.remove(block);
        }
        for first in [block, block.saturating_sub(1)] {
            let len = |at: usize| self.blocks.get(at).map(Vec::len);
            if let (Some(here), Some(next)) = (len(first), len(first + 1))
                && here + next < BLOCK / 2
            {
                let tail = self.blocks.remove(first + 1);
                if let Some(slots) = self.blocks.get_mut(first) {
                    slots.extend(tail);
                }
            }
        }
    }

    /// Visits the members between two ranks, in ascending or descending order, until `visit` says stop.
    pub(super) fn visit(
        &self,
        ranks: Range<usize>,
        backwards: bool,
        mut visit: impl FnMut(Slot) -> bool,
    ) {
        let (block, at) =
            self.seek(if backwards { ranks.end.saturating_sub(1) } else { ranks.start });
        let Some(slots) = self.blocks.get(block) else { return };
        let count = ranks.len();
        if backwards {
            let here = slots.get(..=at).unwrap_or_default().iter().rev();
            let before = self.blocks.get(..block).unwrap_or_default().iter().rev();
            let all = here.chain(before.flat_map(|slots| slots.iter().rev()));
            all.take(count).all(|slot| visit(*slot));
        } else {
            let here = slots.get(at..).unwrap_or_default().iter();
            let behind = self.blocks.get(block + 1..).unwrap_or_default().iter();
            here.chain(behind.flatten()).take(count).all(|slot| visit(*slot));
        }
    }
}
