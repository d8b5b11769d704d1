//! Work beside the event loop: jobs that touch the disk, each lane's one after the other in the order they
//! were given. A server runs a lane in a thread ([`Threads`]); a simulation runs jobs when its seed says so.

use std::fmt::Debug;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::error::{Error, Result};

/// What is to be done.
pub type Job = Box<dyn FnOnce() -> Result<()> + Send>;

/// Jobs that wait for each other, and for no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// fsyncs of the AOF, which must not wait behind anything.
    Sync,
    /// Writing snapshots, and removing old files: work that nobody waits for, behind everything else.
    Files,
}

impl Lane {
    /// All of them.
    pub const ALL: [Lane; 2] = [Lane::Sync, Lane::Files];
}

/// Whoever runs jobs.
pub trait Background: Debug + Send {
    /// Gives a job to a lane.
    fn start(&mut self, lane: Lane, job: Job);
    /// How the next job of a lane ended, if it has.
    fn ended(&mut self, lane: Lane) -> Option<Result<()>>;
    /// The same, and waits for it. A job must be under way.
    fn wait(&mut self, lane: Lane) -> Result<()>;
}

/// A thread a lane.
#[derive(Debug)]
pub struct Threads {
    lanes: [Thread; 2],
}

#[derive(Debug)]
struct Thread {
    jobs: Sender<Job>,
    ended: Receiver<Result<()>>,
}

impl Threads {
    /// Starts them. They end when this is dropped and their jobs are done.
    pub fn start() -> Threads {
        Threads { lanes: Lane::ALL.map(Thread::start) }
    }

    fn lane(&mut self, lane: Lane) -> &mut Thread {
        let [sync, files] = &mut self.lanes;
        match lane {
            Lane::Sync => sync,
            Lane::Files => files,
        }
    }
}

impl Thread {
    fn start(lane: Lane) -> Thread {
        let (jobs, work) = channel::<Job>();
        let (tell, ended) = channel();
        thread::spawn(move || {
            if lane == Lane::Files {
                step_back();
            }
            while let Ok(job) = work.recv() {
                if tell.send(job()).is_err() {
                    break;
                }
            }
        });
        Thread { jobs, ended }
    }
}

/// Lets others go first on a processor that more than one wants: woken in the middle of a turn of the event
/// loop, this thread would take the processor from it for a tick of the kernel, some milliseconds. Not as far
/// back as can be: SAVE and the end of the process wait for this thread.
fn step_back() {
    // Elsewhere it would be the whole process that steps back.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICE);
}

/// How far: of a processor that it shares with one other thread it gets a tenth.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

fn gone() -> Error {
    Error::Usage("a thread that writes files has ended".to_owned())
}

impl Background for Threads {
    fn start(&mut self, lane: Lane, job: Job) {
        // Without its thread a lane says so when it is asked.
        let _ = self.lane(lane).jobs.send(job);
    }

    fn ended(&mut self, lane: Lane) -> Option<Result<()>> {
        use std::sync::mpsc::TryRecvError;
        match self.lane(lane).ended.try_recv() {
            Ok(result) => Some(result),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(gone())),
        }
    }

    fn wait(&mut self, lane: Lane) -> Result<()> {
        self.lane(lane).ended.recv().unwrap_or_else(|_| Err(gone()))
    }
}
