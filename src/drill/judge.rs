//! What a policy promises, and whether a start after a crash gave it.
//!
//! | policy | the power goes | the process is killed |
//! |---|---|---|
//! | always | nothing acknowledged is lost | the same |
//! | everysec | at most 1 s of acknowledged writes, 2 s when the disk lags | the same, and nothing that was written |
//! | no | nothing that the kernel had put on the disk | nothing that was written |
//! | snapshots | the last snapshot, or one begun after it, whole | the same |
//!
//! And in every case the state after some command, a transaction counting as one: a prefix of what was
//! executed, which is what was acknowledged and at most the commands under way.

use crate::store::Fsync;
use crate::value::digest::Digest;

/// Which files keep the data, and when they reach the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// An AOF, `appendfsync always`.
    Always,
    /// An AOF, `appendfsync everysec`.
    EverySecond,
    /// An AOF, `appendfsync no`.
    No,
    /// Snapshots, and no AOF.
    Snapshots,
}

impl Policy {
    /// All of them.
    pub const ALL: [Policy; 4] =
        [Policy::Always, Policy::EverySecond, Policy::No, Policy::Snapshots];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self.fsync() {
            Some(fsync) => fsync.as_str(),
            None => "snapshots",
        }
    }

    /// When the AOF reaches the disk, if there is one.
    pub fn fsync(self) -> Option<Fsync> {
        match self {
            Policy::Always => Some(Fsync::Always),
            Policy::EverySecond => Some(Fsync::EverySecond),
            Policy::No => Some(Fsync::No),
            Policy::Snapshots => None,
        }
    }
}

/// How a life of a store ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// The power goes: what was not synced may be there, in part, or not.
    Power,
    /// The process is killed, and the machine lives: what was written is there.
    Kill,
}

/// What is promised of a crash.
#[derive(Debug, Clone, Copy)]
pub struct Promise {
    /// By what the data is kept.
    pub policy: Policy,
    /// How the store ends.
    pub crash: Crash,
    /// Acknowledged writes of how many ms may be lost; only of [`Policy::EverySecond`].
    pub span_ms: i64,
}

/// A state of the data, and when it came to be.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) digest: Digest,
    pub(super) at_ms: i64,
}

/// What is known of a store when it ends.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// What it started with, and the state after every write.
    pub(super) states: Vec<State>,
    /// Up to which state clients were told that their writes are done.
    pub(super) acked: usize,
    /// Up to which the AOF was given to the kernel …
    pub(super) written: usize,
    /// … and was on the disk.
    pub(super) settled: usize,
    /// Of which states snapshots were begun.
    pub(super) points: Vec<usize>,
    /// Of which the last one was that was done.
    pub(super) saved: usize,
}

/// What a crash cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Loss {
    /// Acknowledged writes that are gone.
    pub writes: u64,
    /// From the first of them to the last, in ms.
    pub span_ms: i64,
}

impl Known {
    /// Of a store that started with this.
    pub(super) fn new(digest: Digest, at_ms: i64) -> Known {
        let states = vec![State { digest, at_ms }];
        Known { states, acked: 0, written: 0, settled: 0, points: vec![0], saved: 0 }
    }

    /// The last state.
    pub(super) fn last(&self) -> usize {
        self.states.len().saturating_sub(1)
    }

    /// What was lost, when this came back.
    ///
    /// # Errors
    /// How that breaks the promise.
    pub(super) fn judge(&self, promise: Promise, came: &Digest) -> Result<Loss, String> {
        let at = match promise.policy {
            Policy::Snapshots => {
                let is_one = |at: &&usize| self.states.get(**at).is_some_and(|s| s.digest == *came);
                let at = self.points.iter().rfind(is_one).copied();
                at.ok_or("what came back is not what any snapshot was made of")?
            }
            _ => {
                let at = self.states.iter().rposition(|state| state.digest == *came);
                at.ok_or("what came back was there at no time")?
            }
        };
        let loss = self.loss(at);
        let (floor, what) = match (promise.policy, promise.crash) {
            (Policy::Snapshots, _) => (self.saved, "in the last snapshot"),
            (Policy::Always, _) => (self.acked, "acknowledged"),
            (_, Crash::Kill) => (self.written, "given to the kernel"),
            (_, Crash::Power) => (self.settled, "on the disk"),
        };
        if at < floor {
            return Err(format!("writes were lost that were {what}: {} of them", floor - at));
        }
        if promise.policy == Policy::EverySecond && loss.span_ms > promise.span_ms {
            let Loss { writes, span_ms } = loss;
            return Err(format!("{writes} writes of {span_ms} ms were lost"));
        }
        Ok(loss)
    }

    fn loss(&self, at: usize) -> Loss {
        let writes = self.acked.saturating_sub(at);
        let when = |at: usize| self.states.get(at).map_or(0, |state| state.at_ms);
        let span_ms = if writes > 0 { when(self.acked) - when(at + 1) } else { 0 };
        Loss { writes: writes as u64, span_ms }
    }
}
