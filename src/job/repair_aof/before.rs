//! What is known at a place of a part, to go back there.

use super::kept::Mark;
use crate::aof::state::State;

/// A stretch behind a gap.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    pub(super) mark: Mark,
    pub(super) db: u64,
    /// It is inside an argument that goes on to the end of the file.
    pub(super) is_claimed: bool,
}

/// What comes before a record, to go back there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    pub(super) mark: Mark,
    pub(super) state: State,
    pub(super) undecided: Option<Mark>,
    pub(super) transaction: Option<Mark>,
    pub(super) beside: usize,
}
