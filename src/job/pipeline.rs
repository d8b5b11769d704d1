//! Chunks to workers and their results back in the order of the file: output and first error are the
//! same for every number of jobs.
//!
//! ```text
//! every thread:   take a turn ─► cut the next chunk ─► work on it ─► hand in the result, and again
//!                                (one at a time)
//! the first one, in between:     each result whose turn has come, in order
//! ```
//! Whoever cuts a chunk works on it, so its bytes are still in that core's cache. Nobody gets far ahead of
//! the slowest: memory is a chunk a worker, and a few results. A worker that makes much of little hands it in
//! by parts, of which a few may wait: it goes on when they are taken.

use crate::join::join;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Results that may wait for an earlier one, for each worker.
const AHEAD: u64 = 3;

/// Parts of one result that may wait, besides the last.
const PARTS: usize = 2;

/// Looks at a lock before a thread sleeps over it; between two of them others may run.
const PATIENCE: usize = 2000;

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

/// Takes parts of what is made of a piece.
pub type Parts<'a, O> = &'a mut dyn FnMut(O);

/// What is done with each piece.
pub trait Worker<C>: Send {
    /// What it makes of a piece.
    type Out: Send;

    /// Does it. What is made may be handed in by parts; the rest is what it returns.
    fn chunk(&mut self, chunk: &C, hand_in: Parts<'_, Self::Out>) -> Self::Out;
}

/// Runs all chunks through `jobs` workers. `each` gets the results in the order of the file; the workers
/// come back at the end with what they have gathered themselves.
///
/// # Errors
/// When the source cannot be read.
pub fn run<S: Cutter + Send, W: Worker<S::Chunk>>(
    source: &mut S,
    jobs: usize,
    make: impl Fn() -> W,
    mut each: impl FnMut(W::Out),
) -> io::Result<Vec<W>> {
    if jobs <= 1 {
        let mut worker = make();
        let mut used = None;
        while let Some(chunk) = source.cut(used.take())? {
            let rest = worker.chunk(&chunk, &mut each);
            each(rest);
            used = Some(chunk);
        }
        return Ok(vec![worker]);
    }
    // Small inputs are done before a thread has started.
    let mut first_worker = make();
    let Some(first) = source.cut(None)? else { return Ok(vec![first_worker]) };
    let Some(second) = source.cut(None)? else {
        let rest = first_worker.chunk(&first, &mut each);
        each(rest);
        return Ok(vec![first_worker]);
    };
    let line = Line { source, next: 0, ready: vec![second, first], ended: false };
    let shop = Shop {
        line: Mutex::new(line),
        state: Mutex::new(State::new(jobs - 1)),
        turn: Condvar::new(),
        ahead: jobs as u64 * AHEAD,
    };
    thread::scope(|scope| {
        let mut handles = Vec::new();
        for _ in 1..jobs {
            let mut worker = make();
            let shop = &shop;
            handles.push(scope.spawn(move || {
                let _leave = Leave(shop);
                let mut used = None;
                let mut hand_in = |index, part| shop.hand_in(index, part, false);
                while shop.take_turn() && shop.work(&mut worker, &mut used, &mut hand_in)? {}
                Ok(worker)
            }));
        }
        // Should `each` panic, nobody waits for it in vain.
        let stop = Stop(&shop);
        let mut outcome = Ok(true);
        let mut used = None;
        while shop.hand_out(&mut each) && matches!(outcome, Ok(true)) {
            let mut hand_out = |index, part| shop.hand_out_own(index, part, &mut each);
            outcome = shop.work(&mut first_worker, &mut used, &mut hand_out);
        }
        let mut workers = vec![first_worker];
        shop.hand_out_rest(&mut each);
        drop(stop);
        for handle in handles {
            match join(handle) {
                Ok(worker) => workers.push(worker),
                Err(err) => outcome = Err(err),
            }
        }
        outcome.map(|_| workers)
    })
}

/// The source, and what was cut from it.
struct Line<'s, S: Cutter> {
    source: &'s mut S,
    /// The number of the next chunk.
    next: u64,
    /// The first chunks, the last one first.
    ready: Vec<S::Chunk>,
    ended: bool,
}

/// What was made of a chunk, as far as it was not handed out.
struct Made<O> {
    parts: VecDeque<O>,
    /// There will be no more.
    is_whole: bool,
}

/// What was worked on.
struct State<O> {
    /// Turns that were taken.
    taken: u64,
    /// The number of the chunk whose result comes next.
    next: u64,
    /// Results, by the number of their chunk.
    waiting: BTreeMap<u64, Made<O>>,
    /// Threads at work, but for the first.
    others: usize,
    stopped: bool,
}

impl<O> State<O> {
    fn new(others: usize) -> Self {
        State { taken: 0, next: 0, waiting: BTreeMap::new(), others, stopped: false }
    }
}

/// What the threads share.
struct Shop<'s, S: Cutter, O> {
    line: Mutex<Line<'s, S>>,
    state: Mutex<State<O>>,
    /// A result was handed in or out, or a thread has left.
    turn: Condvar,
    ahead: u64,
}

impl<'s, S: Cutter, O> Shop<'s, S, O> {
    /// Waits until one more chunk may be cut; `false` if there is to be no more.
    fn take_turn(&self) -> bool {
        let mut state = lock(&self.state);
        while !state.stopped && state.taken >= state.next + self.ahead {
            state = self.wait(state);
        }
        state.taken += 1;
        !state.stopped
    }

    /// The line, as soon as whoever cuts from it is done: that is soon, and to fall asleep and be woken takes
    /// nearly as long again.
    fn line(&self) -> MutexGuard<'_, Line<'s, S>> {
        for _ in 0..PATIENCE {
            if let Ok(line) = self.line.try_lock() {
                return line;
            }
            thread::yield_now();
        }
        lock(&self.line)
    }

    /// Cuts a chunk and works on it; `false` if there was none. `by_part` gets parts of the result.
    fn work<W: Worker<S::Chunk, Out = O>>(
        &self,
        worker: &mut W,
        used: &mut Option<S::Chunk>,
        by_part: &mut dyn FnMut(u64, O),
    ) -> io::Result<bool> {
        let (index, chunk) = {
            let mut line = self.line();
            if line.ended {
                return Ok(false);
            }
            let chunk = match line.ready.pop() {
                Some(chunk) => Ok(Some(chunk)),
                None => line.source.cut(used.take()),
            };
            let Ok(Some(chunk)) = chunk else {
                line.ended = true;
                return chunk.map(|_| false);
            };
            line.next += 1;
            (line.next - 1, chunk)
        };
        let rest = worker.chunk(&chunk, &mut |part| by_part(index, part));
        *used = Some(chunk);
        self.hand_in(index, rest, true);
        Ok(true)
    }

    /// Hands in what was made of a chunk, once it is among the few parts that may wait. Of the last there is
    /// nothing more to come, so it may.
    fn hand_in(&self, index: u64, out: O, is_last: bool) {
        let mut state = lock(&self.state);
        let waiting = |state: &State<O>| state.waiting.get(&index).map_or(0, |at| at.parts.len());
        while !state.stopped && !is_last && waiting(&state) >= PARTS {
            state = self.wait(state);
        }
        let none = || Made { parts: VecDeque::new(), is_whole: false };
        let made = state.waiting.entry(index).or_insert_with(none);
        made.parts.push_back(out);
        made.is_whole = is_last;
        drop(state);
        self.turn.notify_all();
    }

    /// Hands out a part of what this thread makes itself, when all before it was.
    fn hand_out_own(&self, index: u64, part: O, each: &mut impl FnMut(O)) {
        let mut state = lock(&self.state);
        loop {
            state = self.hand_out_ready(state, each);
            if state.next == index {
                drop(state);
                return each(part);
            }
            if state.stopped {
                return;
            }
            state = self.wait(state);
        }
    }

    /// Hands out the results whose turn has come, and more until this thread may cut a chunk again.
    fn hand_out(&self, each: &mut impl FnMut(O)) -> bool {
        let mut state = lock(&self.state);
        loop {
            state = self.hand_out_ready(state, each);
            if state.stopped || state.taken < state.next + self.ahead {
                state.taken += 1;
                return !state.stopped;
            }
            state = self.wait(state);
        }
    }

    /// The same until all other threads have left.
    fn hand_out_rest(&self, each: &mut impl FnMut(O)) {
        let mut state = lock(&self.state);
        loop {
            state = self.hand_out_ready(state, each);
            if state.others == 0 {
                return;
            }
            state = self.wait(state);
        }
    }

    fn hand_out_ready<'g>(
        &'g self,
        mut state: MutexGuard<'g, State<O>>,
        each: &mut impl FnMut(O),
    ) -> MutexGuard<'g, State<O>> {
        while let next = state.next
            && let Some(made) = state.waiting.get_mut(&next)
        {
            if let Some(part) = made.parts.pop_front() {
                drop(state);
                each(part);
                state = lock(&self.state);
            } else if made.is_whole {
                state.waiting.remove(&next);
                state.next = next + 1;
            } else {
                break;
            }
            self.turn.notify_all();
        }
        state
    }

    fn wait<'g>(&self, state: MutexGuard<'g, State<O>>) -> MutexGuard<'g, State<O>> {
        self.turn.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

/// A panic elsewhere does not make what is locked wrong: it ends the run by itself.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A thread that leaves, whatever the reason.
struct Leave<'a, 's, S: Cutter, O>(&'a Shop<'s, S, O>);

impl<S: Cutter, O> Drop for Leave<'_, '_, S, O> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.others = state.others.saturating_sub(1);
        // Its result will never come: the others need not wait for it.
        state.stopped |= thread::panicking();
        self.0.turn.notify_all();
    }
}

/// The first thread is done with handing out, whatever the reason.
struct Stop<'a, 's, S: Cutter, O>(&'a Shop<'s, S, O>);

impl<S: Cutter, O> Drop for Stop<'_, '_, S, O> {
    fn drop(&mut self) {
        lock(&self.0.state).stopped = true;
        self.0.turn.notify_all();
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
        fn chunk(&mut self, chunk: &u64, _: Parts<'_, u64>) -> u64 {
            if chunk.is_multiple_of(7) {
                thread::yield_now();
            }
            *chunk
        }
    }

    /// A source that fails.
    struct Broken(u64);
    impl Cutter for Broken {
        type Chunk = u64;
        fn cut(&mut self, _: Option<u64>) -> io::Result<Option<u64>> {
            self.0 += 1;
            if self.0 > 500 { Err(io::Error::other("gone")) } else { Ok(Some(self.0)) }
        }
    }

    #[test]
    fn what_came_before_an_error_is_handed_out() {
        for jobs in [1, 2, 8] {
            let mut seen = Vec::new();
            let failed = run(&mut Broken(0), jobs, || Slow, |n| seen.push(n));
            assert_eq!(failed.map(|_| ()).unwrap_err().to_string(), "gone");
            assert_eq!(seen, (1..=500).collect::<Vec<_>>());
        }
    }

    /// One slow chunk holds up the others: no more than a few may wait for it.
    #[test]
    fn nobody_gets_far_ahead() {
        use std::sync::atomic::{AtomicU64, Ordering};
        static CUT: AtomicU64 = AtomicU64::new(0);
        struct Counted;
        impl Cutter for Counted {
            type Chunk = u64;
            fn cut(&mut self, _: Option<u64>) -> io::Result<Option<u64>> {
                let n = CUT.fetch_add(1, Ordering::SeqCst);
                Ok((n < 200).then_some(n))
            }
        }
        struct Held;
        impl Worker<u64> for Held {
            type Out = u64;
            fn chunk(&mut self, chunk: &u64, _: Parts<'_, u64>) -> u64 {
                if *chunk == 20 {
                    thread::sleep(std::time::Duration::from_millis(100));
                    assert!(CUT.load(Ordering::SeqCst) <= 20 + 8 * AHEAD + 8);
                }
                *chunk
            }
        }
        let mut seen = Vec::new();
        run(&mut Counted, 8, || Held, |n| seen.push(n)).unwrap();
        assert_eq!(seen, (0..200).collect::<Vec<_>>());
    }

    /// A panic, of a worker or of whoever takes the results, ends the run.
    #[test]
    fn a_panic_leaves_nobody_waiting() {
        struct Fragile;
        impl Worker<u64> for Fragile {
            type Out = u64;
            fn chunk(&mut self, chunk: &u64, _: Parts<'_, u64>) -> u64 {
                assert_ne!(*chunk, 77);
                *chunk
            }
        }
        for jobs in [1, 2, 8] {
            let of_worker = || run(&mut Numbers(0), jobs, || Fragile, drop).map(|_| ());
            assert!(std::panic::catch_unwind(of_worker).is_err());
            let of_taker =
                || run(&mut Numbers(0), jobs, || Slow, |n| assert_ne!(n, 77)).map(|_| ());
            assert!(std::panic::catch_unwind(of_taker).is_err());
        }
    }

    /// Parts come in order too, and whoever makes them waits until they are taken.
    #[test]
    fn parts_come_in_order_and_do_not_pile_up() {
        use std::sync::atomic::{AtomicI64, Ordering};
        static HELD: AtomicI64 = AtomicI64::new(0);
        struct ByPart;
        impl Worker<u64> for ByPart {
            type Out = (u64, u64);
            fn chunk(&mut self, chunk: &u64, hand_in: Parts<'_, (u64, u64)>) -> (u64, u64) {
                for part in (1..=chunk % 50).rev() {
                    HELD.fetch_add(1, Ordering::SeqCst);
                    hand_in((*chunk, part));
                }
                HELD.fetch_add(1, Ordering::SeqCst);
                (*chunk, 0)
            }
        }
        let wanted: Vec<_> =
            (1..=1000).flat_map(|n| (0..=n % 50).rev().map(move |part| (n, part))).collect();
        for jobs in [1, 2, 8] {
            let mut seen = Vec::new();
            let most = (jobs * (AHEAD as usize * (PARTS + 1) + 1)) as i64;
            let each = |part| {
                assert!(HELD.fetch_sub(1, Ordering::SeqCst) <= most);
                seen.push(part);
            };
            run(&mut Numbers(0), jobs, || ByPart, each).unwrap();
            assert_eq!(seen, wanted);
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
