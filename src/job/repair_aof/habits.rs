//! What the sure part of a file says of who wrote it: how commands meet the keys of their own database and of the
//! others, and how often another is selected.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What one key can say at most, either way, as a natural logarithm: commands are not as independent of each other
/// as the counting takes them.
const SAYS_MAX: f64 = 3.0;

/// What a database knows of a key: nothing, that it is there, or that it is of another type.
pub(super) const ABSENT: usize = 0;
pub(super) const THERE: usize = 1;
pub(super) const OTHER_TYPE: usize = 2;
const STATES: usize = 3;

/// Commands that make their key, and those that need it.
pub(super) const MAKING: usize = 0;
pub(super) const NEEDING: usize = 1;
const CLASSES: usize = 2;

/// How often which class of command met a key in which state.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally([[f64; STATES]; CLASSES]);

impl Tally {
    fn share(&self, class: usize, state: usize) -> f64 {
        let of = self.0.get(class).copied().unwrap_or_default();
        let met = of.get(state).copied().unwrap_or_default();
        (met + 0.5) / (of.iter().sum::<f64>() + 0.5 * STATES as f64)
    }

    pub(super) fn meet(&mut self, class: usize, state: usize) {
        if let Some(met) = self.0.get_mut(class).and_then(|of| of.get_mut(state)) {
            *met += 1.0;
        }
    }
}

/// What the sure part of a file says.
#[derive(Debug, Default)]
pub(super) struct Habits {
    /// Of the database a command is on, and of the others.
    pub(super) own: Tally,
    pub(super) cross: Tally,
    pub(super) databases: BTreeSet<u64>,
    pub(super) bytes: u64,
    /// SELECTs, and those of the database that was selected already.
    pub(super) selects: f64,
    pub(super) again: f64,
    /// By the number of a stretch: what commands behind it say of their databases, by keys that these do not
    /// have unless they are those of the stretch.
    pub(super) later: HashMap<usize, BTreeMap<u64, Tally>>,
}

impl Habits {
    /// What it says for a database that its keys are in such states.
    pub(super) fn says(&self, tally: &Tally) -> f64 {
        let mut sum = 0.0;
        for (class, of) in tally.0.iter().enumerate() {
            for (state, times) in of.iter().enumerate() {
                let says = (self.own.share(class, state) / self.cross.share(class, state)).ln();
                sum += times * says.clamp(-SAYS_MAX, SAYS_MAX);
            }
        }
        sum
    }

    /// What later commands say for a database that keys are there which a stretch has made.
    pub(super) fn says_later(&self, tally: &Tally) -> f64 {
        let met =
            |class: usize| tally.0.get(class).and_then(|of| of.get(THERE)).copied().unwrap_or(0.0);
        let makes = (self.own.share(MAKING, THERE) / self.cross.share(MAKING, THERE)).ln().max(0.0);
        let needs =
            (self.own.share(NEEDING, THERE) / self.own.share(NEEDING, ABSENT)).ln().max(0.0);
        met(MAKING) * makes.min(SAYS_MAX) + met(NEEDING) * needs.min(SAYS_MAX)
    }

    /// How often a SELECT is of the database that is selected already.
    pub(super) fn again(&self) -> f64 {
        (self.again + 0.5) / (self.selects + 1.0)
    }

    /// How likely so many bytes have a SELECT in them; in a small file, not enough to say so without more.
    pub(super) fn is_hidden(&self, gap: u64) -> f64 {
        let each = (self.selects + 0.5) / (self.bytes + 1) as f64;
        (1.0 - (-each * gap as f64).exp()).clamp(1e-6, 0.4)
    }
}
