//! Chunks to workers and their results back in the order of the file: output and first error are the
//! same for every number of jobs. Memory is bounded: a chunk a worker, and as many waiting.

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread;

/// Something that can be cut into pieces which workers can take on their own.
pub trait Cutter {
    /// A piece.
    type Chunk: Send;

    /// The next piece, in buffers that may be used again.
    ///
    /// # Errors
    /// When the source cannot be read.
    fn cut(&mut self, used: Option<Self::Chunk>) -> io::Result<Option<Self::Chunk>>;
}

/// What is done with each piece.
pub trait Worker<C>: Send {
    /// What it makes of a piece.
    type Out: Send;

    /// Does it.
    fn chunk(&mut self, chunk: &C) -> Self::Out;
}

/// Runs all chunks through `jobs` workers. `each` gets the results in the order of the file; the workers
/// come back at the end with what they have gathered themselves.
///
/// # Errors
/// When the source cannot be read.
pub fn run<S: Cutter, W: Worker<S::Chunk>>(
    source: &mut S,
    jobs: usize,
    make: impl Fn() -> W,
    mut each: impl FnMut(W::Out),
) -> io::Result<Vec<W>> {
    if jobs <= 1 {
        let mut worker = make();
        let mut used = None;
        while let Some(chunk) = source.cut(used.take())? {
            each(worker.chunk(&chunk));
            used = Some(chunk);
        }
        return Ok(vec![worker]);
    }
    // Small inputs are done before a thread has started.
    let mut first_worker = make();
    let Some(first) = source.cut(None)? else { return Ok(vec![first_worker]) };
    let Some(second) = source.cut(None)? else {
        each(first_worker.chunk(&first));
        return Ok(vec![first_worker]);
    };
    let (to_workers, work) = sync_channel::<(u64, S::Chunk)>(jobs);
    let work = &Mutex::new(work);
    thread::scope(|scope| {
        let (to_main, results) = channel();
        let mut handles = Vec::new();
        let mut workers = vec![first_worker];
        workers.extend((1..jobs).map(|_| make()));
        for worker in workers {
            let to_main = to_main.clone();
            handles.push(scope.spawn(move || toil(worker, work, &to_main)));
        }
        drop(to_main);
        let mut order = Order { next: 0, waiting: BTreeMap::new(), spare: Vec::new() };
        let mut index = 0;
        let mut outcome = Ok(());
        let mut ahead = vec![second, first];
        loop {
            let chunk = match ahead.pop() {
                Some(chunk) => chunk,
                None => match source.cut(order.spare.pop()) {
                    Ok(Some(chunk)) => chunk,
                    Ok(None) => break,
                    Err(err) => {
                        outcome = Err(err);
                        break;
                    }
                },
            };
            if to_workers.send((index, chunk)).is_err() {
                break;
            }
            index += 1;
            while let Ok(done) = results.try_recv() {
                order.take(done, &mut each);
            }
        }
        drop(to_workers);
        while let Ok(done) = results.recv() {
            order.take(done, &mut each);
        }
        let mut finished = Vec::new();
        for handle in handles {
            match handle.join() {
                Ok(worker) => finished.push(worker),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        outcome.map(|()| finished)
    })
}

type Done<C, O> = (u64, C, O);

fn toil<C: Send, W: Worker<C>>(
    mut worker: W,
    work: &Mutex<Receiver<(u64, C)>>,
    results: &Sender<Done<C, W::Out>>,
) -> W {
    loop {
        let next = match work.lock() {
            Ok(work) => work.recv(),
            Err(_) => return worker,
        };
        let Ok((index, chunk)) = next else { return worker };
        let out = worker.chunk(&chunk);
        if results.send((index, chunk, out)).is_err() {
            return worker;
        }
    }
}

/// Puts results back in order and collects used buffers.
struct Order<C, O> {
    next: u64,
    waiting: BTreeMap<u64, O>,
    spare: Vec<C>,
}

impl<C, O> Order<C, O> {
    fn take(&mut self, (index, chunk, out): Done<C, O>, each: &mut impl FnMut(O)) {
        self.spare.push(chunk);
        self.waiting.insert(index, out);
        while let Some(out) = self.waiting.remove(&self.next) {
            self.next += 1;
            each(out);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Numbers(u64);
    impl Cutter for Numbers {
        type Chunk = u64;
        fn cut(&mut self, _: Option<u64>) -> io::Result<Option<u64>> {
            self.0 += 1;
            Ok((self.0 <= 1000).then_some(self.0))
        }
    }
    struct Slow;
    impl Worker<u64> for Slow {
        type Out = u64;
        fn chunk(&mut self, chunk: &u64) -> u64 {
            if chunk.is_multiple_of(7) {
                thread::yield_now();
            }
            *chunk
        }
    }

    #[test]
    fn results_come_in_order_for_every_number_of_jobs() {
        for jobs in [1, 2, 8] {
            let mut seen = Vec::new();
            let workers = run(&mut Numbers(0), jobs, || Slow, |n| seen.push(n)).unwrap();
            assert_eq!(workers.len(), jobs);
            assert_eq!(seen, (1..=1000).collect::<Vec<_>>());
        }
    }
}
