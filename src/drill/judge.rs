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

impl Promise {
    /// What is promised of a policy.
    pub fn words(policy: Policy, crashes: &[Crash], span_ms: i64) -> String {
        match (policy, crashes) {
            (Policy::Always, _) => "none lost".to_owned(),
            (Policy::EverySecond, _) => format!("at most {} s", span_ms / 1000),
            (Policy::No, [Crash::Power]) => "what was on the disk".to_owned(),
            (Policy::No, [Crash::Kill]) => "what was written".to_owned(),
            (Policy::No, _) => "what was on the disk; killed: written".to_owned(),
            (Policy::Snapshots, _) => "the last one, or a newer".to_owned(),
        }
    }
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

impl Loss {
    /// The worse of each of two.
    #[must_use]
    pub fn or_worse(self, other: Loss) -> Loss {
        let Loss { writes, span_ms } = other;
        Loss { writes: self.writes.max(writes), span_ms: self.span_ms.max(span_ms) }
    }
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

    /// What was lost, when this came back; and how that breaks the promise, if it does.
    pub(super) fn judge(&self, promise: Promise, came: &Digest) -> (Loss, Option<String>) {
        let is_it = |at: &usize| self.states.get(*at).is_some_and(|state| state.digest == *came);
        let (at, else_) = match promise.policy {
            Policy::Snapshots => {
                let at = self.points.iter().copied().rfind(is_it);
                (at, "what came back is not what any snapshot was made of")
            }
            _ => ((0..self.states.len()).rfind(is_it), "what came back was there at no time"),
        };
        let Some(at) = at else { return (self.loss(0), Some(else_.to_owned())) };
        let loss = self.loss(at);
        let (floor, what) = match (promise.policy, promise.crash) {
            (Policy::Snapshots, _) => (self.saved, "in the last snapshot"),
            (Policy::Always, _) => (self.acked, "acknowledged"),
            (_, Crash::Kill) => (self.written, "given to the kernel"),
            (_, Crash::Power) => (self.settled, "on the disk"),
        };
        let broken = if at < floor {
            Some(format!("{} writes are gone that were {what}", floor - at))
        } else if promise.policy == Policy::EverySecond && loss.span_ms > promise.span_ms {
            Some(format!("{} writes of {} ms are gone", loss.writes, loss.span_ms))
        } else {
            None
        };
        (loss, broken)
    }

    fn loss(&self, at: usize) -> Loss {
        let writes = self.acked.saturating_sub(at);
        let when = |at: usize| self.states.get(at).map_or(0, |state| state.at_ms);
        let span_ms = if writes > 0 { when(self.acked) - when(at + 1) } else { 0 };
        Loss { writes: writes as u64, span_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store whose states came to be at these times, all of them acknowledged.
    fn known(times: &[i64]) -> (Known, Vec<Digest>) {
        let digest = |at: usize| Digest([u8::try_from(at).unwrap_or(0); 20]);
        let digests: Vec<Digest> = (0..times.len()).map(digest).collect();
        let states = times.iter().zip(&digests);
        let states = states.map(|(at_ms, digest)| State { digest: *digest, at_ms: *at_ms });
        let last = times.len() - 1;
        let (written, settled) = (last, 0);
        let states = states.collect();
        (Known { states, acked: last, written, settled, points: vec![0], saved: 0 }, digests)
    }

    fn broken(known: &Known, policy: Policy, crash: Crash, came: &Digest) -> Option<String> {
        known.judge(Promise { policy, crash, span_ms: 1000 }, came).1
    }

    #[test]
    fn what_is_lost_breaks_the_promise_that_it_breaks() {
        let (mut known, came) = known(&[0, 100, 1100, 1200]);
        let power =
            |known: &Known, policy, at: usize| broken(known, policy, Crash::Power, &came[at]);
        assert_eq!(power(&known, Policy::Always, 3), None);
        assert!(power(&known, Policy::Always, 2).is_some_and(|why| why.starts_with("1 writes")));
        assert_eq!(power(&known, Policy::EverySecond, 1), None);
        assert!(power(&known, Policy::EverySecond, 0).is_some_and(|why| why.contains("1100 ms")));
        assert_eq!(power(&known, Policy::No, 0), None);
        known.settled = 1;
        assert!(power(&known, Policy::No, 0).is_some_and(|why| why.contains("on the disk")));
        let why = broken(&known, Policy::No, Crash::Kill, &came[2]);
        assert!(why.is_some_and(|why| why.contains("given to the kernel")));
    }

    #[test]
    fn what_was_never_there_breaks_every_promise() {
        let (mut known, came) = known(&[0, 100, 200]);
        let never = Digest([99; 20]);
        for policy in Policy::ALL {
            for crash in [Crash::Power, Crash::Kill] {
                assert!(broken(&known, policy, crash, &never).is_some());
            }
        }
        // A state of no snapshot, and that of one before the last.
        let snapshot = |known: &Known, at: usize| {
            broken(known, Policy::Snapshots, Crash::Power, &came[at]).is_some()
        };
        assert!(!snapshot(&known, 0) && snapshot(&known, 1));
        (known.points, known.saved) = (vec![0, 1, 2], 1);
        assert!(snapshot(&known, 0) && !snapshot(&known, 1) && !snapshot(&known, 2));
    }
}
