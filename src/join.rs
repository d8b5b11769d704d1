//! The end of a thread that works on a part of something.

use std::panic::resume_unwind;
use std::thread::ScopedJoinHandle;

/// What a thread came to. Its panic goes on in the one that waits for it: a bug is told once, where it is.
pub fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}
