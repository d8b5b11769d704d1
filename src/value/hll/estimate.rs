//! How many elements a HyperLogLog has had, from its registers.

use super::{HASH_BITS, REGISTERS};

/// 1 / (2 ln 2)
const ALPHA: f64 = 0.721_347_520_444_481_7;

/// How many elements were added to something with these registers, by the estimator of O. Ertl
/// (arXiv:1702.01284), which servers have used since 5.0.
pub fn estimate(registers: &[u8; REGISTERS]) -> u64 {
    let mut histogram = [0.0; 64];
    for register in registers {
        if let Some(place) = histogram.get_mut(usize::from(*register)) {
            *place += 1.0;
        }
    }
    let m = REGISTERS as f64;
    let full = histogram.get(HASH_BITS + 1).copied().unwrap_or(0.0);
    let mut z = m * tau((m - full) / m);
    for held in histogram.iter().take(HASH_BITS + 1).skip(1).rev() {
        z = (z + held) * 0.5;
    }
    z += m * sigma(histogram[0] / m);
    (ALPHA * m * m / z).round() as u64
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        y *= 0.5;
        let before = z;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}
