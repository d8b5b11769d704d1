//! The memory that the engines of a store may take together (`--max-memory`). Each tells what it has taken,
//! and asks before it takes much: so threads that work side by side do not take it once each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes. Smaller changes are told later.
const STEP: usize = 64 << 10;

/// One engine's part.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// What all have told, together.
    all: Arc<AtomicUsize>,
    /// What this one has told.
    told: AtomicUsize,
}

impl Part {
    /// A part of the same store as this one.
    pub(super) fn another(&self) -> Part {
        Part { all: Arc::clone(&self.all), told: AtomicUsize::new(0) }
    }

    /// This one holds so many bytes. May it take so many `more`? Then they count as taken.
    pub(super) fn allows(&self, held: usize, more: usize, max: usize) -> bool {
        if more > max {
            return false;
        }
        let (want, told) = (held.saturating_add(more), self.told.load(Relaxed));
        if want.abs_diff(told) < STEP {
            return self.all.load(Relaxed).wrapping_sub(told).saturating_add(want) <= max;
        }
        let fits = self.tell(want) <= max;
        if !fits {
            self.tell(held);
        }
        fits
    }

    /// It holds so many bytes. The answer is what all hold.
    pub(super) fn tell(&self, held: usize) -> usize {
        // A sum of differences, each of which may be below zero.
        let change = held.wrapping_sub(self.told.swap(held, Relaxed));
        self.all.fetch_add(change, Relaxed).wrapping_add(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_share_what_there_is() {
        const MB: usize = 1 << 20;
        let a = Part::default();
        let b = a.another();
        assert!(a.allows(0, 6 * MB, 10 * MB));
        assert!(!b.allows(0, 6 * MB, 10 * MB), "six are taken");
        assert!(b.allows(0, 4 * MB, 10 * MB));
        assert!(!a.allows(6 * MB, 1, 10 * MB - 1), "small steps count too");
        // What was asked for was not needed after all.
        assert!(b.allows(MB, 0, 10 * MB));
        assert!(a.allows(6 * MB, 3 * MB, 10 * MB));
        assert!(!b.allows(MB, usize::MAX, 10 * MB));
        a.tell(0);
        assert!(b.allows(MB, 9 * MB, 10 * MB));
    }

    #[test]
    fn threads_never_take_more_together() {
        const MAX: usize = 64 << 20;
        let first = Part::default();
        let parts: Vec<Part> = (0..4).map(|_| first.another()).collect();
        let taken: usize = std::thread::scope(|scope| {
            let take = |part: Part| {
                scope.spawn(move || {
                    let mut held = 0;
                    for _ in 0..1000 {
                        held += if part.allows(held, 1 << 20, MAX) { 1 << 20 } else { 0 };
                    }
                    held
                })
            };
            let threads: Vec<_> = parts.into_iter().map(take).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or(usize::MAX)).sum()
        });
        // One that asks while another gives back what it was refused may be refused for nothing.
        assert!(taken <= MAX && taken > MAX / 2, "{taken}");
    }
}
