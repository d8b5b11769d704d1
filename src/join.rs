//! Work in parts, a thread each, and the end of a thread.

use std::panic::resume_unwind;
use std::thread::{Builder, ScopedJoinHandle, scope};

/// What each part comes to, in their order. The first is done by the caller, the others by threads of their
/// own: a caller that only waits leaves a core idle, and the kernel is slow to move a thread there.
pub fn all<T: Send, F: FnOnce() -> T + Send>(parts: impl IntoIterator<Item = F>) -> Vec<T> {
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else { return Vec::new() };
    scope(|scope| {
        let others: Vec<_> = parts.map(|part| scope.spawn(part)).collect();
        let mut done = vec![first()];
        done.extend(others.into_iter().map(join));
        done
    })
}

/// Drops what is large in a thread of its own: nobody waits for that, a program that ends least of all.
pub fn drop_aside<T: Send + 'static>(value: T) {
    // Without a thread it is dropped here.
    drop(Builder::new().spawn(move || drop(value)));
}

/// What a thread came to. Its panic goes on in the one that waits for it: a bug is told once, where it is.
pub fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}
