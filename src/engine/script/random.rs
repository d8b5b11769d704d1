//! The numbers that `math.random` gives to scripts, which are the same in every run: a linear congruential
//! generator of 48 bits, as POSIX describes lrand48. Up to 6.2 it begins anew, from 0, with each script; later
//! servers let it run on from where they started.

use std::cell::Cell;

/// The state before any seed.
const UNSEEDED: u64 = 0x1234_abcd_330e;

/// The generator's state.
#[derive(Debug)]
pub(super) struct Random(Cell<u64>);

impl Random {
    /// As it is when a server starts.
    pub(super) fn new() -> Random {
        Random(Cell::new(UNSEEDED))
    }

    /// As it is when a script begins.
    pub(super) fn begin(&self, seeded: bool) {
        if seeded { self.seed(0) } else { self.0.set(UNSEEDED) }
    }

    /// `math.randomseed`
    pub(super) fn seed(&self, seed: i32) {
        self.0.set(u64::from(seed as u32) << 16 | 0x330e);
    }

    /// The next number, from 0 to almost 1.
    pub(super) fn next(&self) -> f64 {
        let state = self.0.get().wrapping_mul(0x5_deec_e66d).wrapping_add(0xb) & 0xffff_ffff_ffff;
        self.0.set(state);
        let number = (state >> 17) as i32;
        f64::from(number % i32::MAX) / f64::from(i32::MAX)
    }
}
