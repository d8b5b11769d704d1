//! What happens in a drill: one row a scenario.

use super::judge::Policy;

/// Something that can befall a store.
#[derive(Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What happens, in a line.
    pub what: &'static str,
    /// For whom.
    pub policies: &'static [Policy],
}

/// All of them.
pub const SCENARIOS: &[Scenario] = &[Scenario {
    name: "anything",
    what: "crash after crash, while commands, snapshots and rewrites run, on disks that fill up and fail",
    policies: &Policy::ALL,
}];
