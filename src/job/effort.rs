//! What looking for records behind damage may cost, so that a file made to tire takes no more than time in
//! proportion to its size.
//!
//! Work is charged where it is done, in bytes looked at: what a record claims to be costs nothing, what was read and
//! stepped over for it does. No gap gets more than half of what is left; beyond that only a few places of every 4096
//! are tried, then none, and that is told.

/// Work for each byte of the file, before a search gets coarse and before it ends.
const FINE: u64 = 32;

/// Work that any file may cause.
const FINE_MIN: u64 = 64 << 20;

/// Work of coarse searches, for each byte of the file.
const COARSE: u64 = 8;

/// Steps of the coarse search, and how many places it tries at each: more than a small record has bytes.
const STEP: u64 = 4096;
const TRIED: u64 = 256;

/// Bytes that are read as fast as one is looked at.
const READ: u64 = 8;

/// Work that is left.
#[derive(Debug)]
pub(super) struct Effort {
    left: u64,
    /// Of the gaps behind the one at hand.
    later: u64,
    coarse: u64,
    is_coarse: bool,
}

impl Effort {
    /// In a file of so many bytes.
    pub(super) fn new(size: u64) -> Effort {
        let left = size.saturating_mul(FINE).max(FINE_MIN);
        let coarse = size.saturating_mul(COARSE).max(FINE_MIN);
        Effort { left, later: 0, coarse, is_coarse: false }
    }

    /// In one of many gaps, of so many bytes.
    pub(super) fn within(len: u64) -> Effort {
        let left = len.saturating_mul(FINE).saturating_add(STEP);
        Effort { left, later: 0, coarse: 0, is_coarse: false }
    }

    /// Takes note of work. False if there was too much of it.
    pub(super) fn charge(&mut self, bytes: u64) -> bool {
        self.left = self.left.saturating_sub(bytes);
        !self.is_spent()
    }

    /// The same of bytes that were only read.
    pub(super) fn charge_read(&mut self, bytes: u64) -> bool {
        self.charge(bytes / READ)
    }

    /// Nothing is left.
    pub(super) fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// A gap begins. What misleads in it must not cost what is behind the next.
    pub(super) fn begin_gap(&mut self) {
        self.later = self.left / 2;
        self.left -= self.later;
    }

    /// The gap ends. Whether not all of it was searched.
    pub(super) fn end_gap(&mut self) -> bool {
        let gave_up = std::mem::take(&mut self.is_coarse);
        if gave_up {
            self.coarse = std::mem::take(&mut self.left);
        }
        self.left += std::mem::take(&mut self.later);
        gave_up
    }

    /// Goes on with a few places only, now that all is spent. False if that is, too.
    pub(super) fn coarsen(&mut self) -> bool {
        if self.is_coarse {
            return false;
        }
        self.is_coarse = true;
        self.left = std::mem::take(&mut self.coarse);
        !self.is_spent()
    }

    /// Only a few places are tried.
    pub(super) fn is_coarse(&self) -> bool {
        self.is_coarse
    }

    /// The first place at or behind `at` that is to be tried in a gap that begins at `start`.
    pub(super) fn place(&self, start: u64, at: u64) -> u64 {
        let step = at - start;
        match self.is_coarse && step % STEP >= TRIED {
            true => start + step.next_multiple_of(STEP),
            false => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One gap after the other takes half of what is left, and then a coarse search; there is always something for
    /// the next.
    #[test]
    fn halves() {
        let mut effort = Effort::new(0);
        for gap in 1..20 {
            effort.begin_gap();
            assert_eq!(effort.left, FINE_MIN >> gap);
            assert!(!effort.charge(FINE_MIN) && effort.is_spent());
            assert_eq!(effort.coarsen(), gap == 1);
            assert!(!effort.charge(FINE_MIN) && !effort.coarsen());
            assert!(effort.end_gap() && !effort.is_coarse());
        }
        effort.begin_gap();
        assert!(effort.charge_read(READ) && !effort.end_gap());
    }

    #[test]
    fn places() {
        let mut effort = Effort::new(0);
        assert_eq!(effort.place(100, 100 + TRIED), 100 + TRIED);
        assert!(effort.coarsen());
        for (step, wanted) in [(0, 0), (TRIED - 1, TRIED - 1), (TRIED, STEP), (STEP, STEP)] {
            assert_eq!(effort.place(100, 100 + step), 100 + wanted);
        }
    }
}
