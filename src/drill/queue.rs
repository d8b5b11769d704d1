//! Work beside the event loop that is done when the simulation says so.

use std::collections::VecDeque;
use std::fmt::{self, Debug, Formatter};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::store::background::{Background, Job, Lane};

/// Jobs that wait to be run. Clones are the same one: the store has one, the simulation another.
#[derive(Debug, Clone, Default)]
pub struct Queue {
    lanes: Arc<Mutex<Lanes>>,
}

#[derive(Debug, Default)]
struct Lanes {
    sync: Jobs,
    files: Jobs,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    ended: VecDeque<Result<()>>,
}

impl Debug for Jobs {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} waiting, {} ended", self.waiting.len(), self.ended.len())
    }
}

impl Lanes {
    fn of(&mut self, lane: Lane) -> &mut Jobs {
        match lane {
            Lane::Sync => &mut self.sync,
            Lane::Files => &mut self.files,
        }
    }
}

impl Queue {
    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the next job of a lane. Was there one?
    pub fn run(&self, lane: Lane) -> bool {
        let Some(job) = self.lanes().of(lane).waiting.pop_front() else { return false };
        let ended = job();
        self.lanes().of(lane).ended.push_back(ended);
        true
    }
}

impl Background for Queue {
    fn start(&mut self, lane: Lane, job: Job) {
        self.lanes().of(lane).waiting.push_back(job);
    }

    fn ended(&mut self, lane: Lane) -> Option<Result<()>> {
        self.lanes().of(lane).ended.pop_front()
    }

    fn wait(&mut self, lane: Lane) -> Result<()> {
        loop {
            if let Some(ended) = self.ended(lane) {
                return ended;
            }
            if !self.run(lane) {
                return Err(Error::Usage("waits for a job that nobody gave".to_owned()));
            }
        }
    }
}
