//! Kinds of damage, made with seeds.

type Random = fastrand::Rng;

/// A kind of damage.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) damage: fn(&mut Vec<u8>, &mut Random),
}

fn overwrite(bytes: &mut [u8], len: usize, random: &mut Random, byte: impl Fn(&mut Random) -> u8) {
    // The header and the last bytes are other tests' business.
    let at = random.usize(100..bytes.len() - len - 20);
    bytes[at..at + len].iter_mut().for_each(|old| *old = byte(random));
}

/// Those of RELIABILITY 3.2 and 3.3.
pub(crate) const KINDS: [Kind; 8] = [
    Kind {
        name: "1 bit",
        damage: |bytes, random| {
            let bit = random.usize(800..(bytes.len() - 20) * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        },
    },
    Kind { name: "1 byte", damage: |bytes, random| overwrite(bytes, 1, random, |r| r.u8(..)) },
    Kind {
        name: "10 x 1 byte",
        damage: |bytes, random| {
            (0..10).for_each(|_| overwrite(bytes, 1, random, |r| r.u8(..)));
        },
    },
    Kind { name: "zero 512", damage: |bytes, random| overwrite(bytes, 512, random, |_| 0) },
    Kind { name: "zero 4 KiB", damage: |bytes, random| overwrite(bytes, 4096, random, |_| 0) },
    Kind {
        name: "random 4 KiB",
        damage: |bytes, random| overwrite(bytes, 4096, random, |r| r.u8(..)),
    },
    Kind {
        name: "64 deleted",
        damage: |bytes, random| {
            let at = random.usize(100..bytes.len() - 100);
            bytes.drain(at..at + 64);
        },
    },
    // Last, so that the seeds of the others stay what they were.
    Kind { name: "10 bytes", damage: |bytes, random| overwrite(bytes, 10, random, |r| r.u8(..)) },
];
