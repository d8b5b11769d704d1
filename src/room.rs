//! Room on the heap, taken ahead of need.
//!
//! glibc makes the heap of a thread larger by single pages, each with a system call, and for each of these the
//! page faults of all other threads wait: 115,000 times while an AOF of 742 MB is loaded. A block that is asked
//! for and given back at once makes the heap grow by all of it. Nobody touches it, so it takes no memory.
//! With other allocators this does nothing, and costs as little.

use std::hint::black_box;

/// Asked for at first: what is given back so large makes glibc take blocks below it from the heap, too.
const FIRST: usize = 16 << 20;

/// Asked for ahead: what a thread needs for the next few chunks.
const AHEAD: usize = 1 << 20;

/// Room for a thread that fills the store.
#[derive(Debug)]
pub(crate) struct Room(());

impl Room {
    /// For the heap of this thread.
    pub(crate) fn new() -> Room {
        ask(FIRST);
        Room(())
    }

    /// Sees to it that there is some, until the next call.
    pub(crate) fn ahead(&self) {
        ask(AHEAD);
    }
}

fn ask(bytes: usize) {
    // Else the compiler would see that nobody uses it.
    drop(black_box(Vec::<u8>::with_capacity(bytes)));
}
