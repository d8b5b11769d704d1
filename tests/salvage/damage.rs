//! Kinds of damage, made with seeds.

use std::ops::Range;

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

/// What became of the data of one trial.
#[derive(Default, Clone, Copy, Debug)]
pub(crate) struct Yield {
    pub(crate) kept: u64,
    pub(crate) phantoms: u64,
    pub(crate) unlabelled: u64,
    pub(crate) suspect: u64,
}

/// How many trials there are of each kind, `few` of them by default.
pub(crate) fn trials(few: u64) -> u64 {
    let asked = std::env::var("RDBTOOL_TRIALS").ok().and_then(|count| count.parse().ok());
    asked.unwrap_or(if crate::lab::is_full() { 1000 } else { few })
}

/// What is damaged, and how it is asked what is left.
pub(crate) struct Trials<'a> {
    /// What is counted, and how much of it there is.
    pub(crate) what: &'a str,
    pub(crate) all: u64,
    pub(crate) sound: &'a [u8],
    /// Where each of it is.
    pub(crate) spans: &'a [Range<usize>],
    /// How many there are of each kind.
    pub(crate) count: u64,
    pub(crate) judge: &'a dyn Fn(&str, &[u8]) -> Yield,
    /// The tool beside, and what it keeps, where it is installed.
    pub(crate) tool: &'a str,
    pub(crate) kept_by_tool: fn(&[u8]) -> Option<u64>,
}

/// How many of some spans have not a byte changed: what can be had back at best where nothing tells which bytes
/// those were.
fn untouched(spans: &[Range<usize>], sound: &[u8], damaged: &[u8]) -> u64 {
    let same = |(a, b): &(&u8, &u8)| a == b;
    let before = sound.iter().zip(damaged).take_while(same).count();
    let behind = sound.iter().rev().zip(damaged.iter().rev()).take_while(same).count();
    let is_whole = |span: &&Range<usize>| match sound.len() == damaged.len() {
        true => sound[(*span).clone()] == damaged[(*span).clone()],
        false => span.end <= before || span.start >= sound.len() - behind,
    };
    spans.iter().filter(is_whole).count() as u64
}

impl Trials<'_> {
    /// Every kind of damage: what was kept on average is at least so many percent, phantoms are few and all of
    /// them labelled.
    pub(crate) fn must_keep(&self, least: [f64; KINDS.len()]) {
        let Trials { what, all, sound, spans, count, judge, tool, kept_by_tool } = *self;
        println!(
            "{} bytes, {all} {what}, {count} trials a kind; {what} kept exactly, on average",
            sound.len()
        );
        let tool = format!("{tool} %");
        println!(
            "{:>14} {:>11} {:>9} {:>9} {:>9} {:>10} {tool:>18}",
            "damage", "untouched %", "kept %", "phantoms", "unmarked", "suspect"
        );
        let mut failed = Vec::new();
        for (number, (kind, least)) in KINDS.iter().zip(least).enumerate() {
            if std::env::var("RDBTOOL_KIND").is_ok_and(|only| only != kind.name) {
                continue;
            }
            let (mut sum, mut whole, mut others, mut asked) = (Yield::default(), 0, 0, 0);
            for trial in 0..count {
                if std::env::var("RDBTOOL_TRIAL").is_ok_and(|only| only != trial.to_string()) {
                    continue;
                }
                let mut random = Random::with_seed(number as u64 * 100_000 + trial);
                let mut damaged = sound.to_vec();
                (kind.damage)(&mut damaged, &mut random);
                let seen = judge(&format!("{} trial {trial}", kind.name), &damaged);
                if seen.kept * 100 < all * 97 || seen.unlabelled > 0 {
                    println!("{} trial {trial}: {seen:?} of {all}", kind.name);
                    if let Some(folder) = std::env::var_os("RDBTOOL_KEEP") {
                        let name = format!("{}-{trial}-{what}", kind.name.replace(' ', "-"));
                        std::fs::write(std::path::Path::new(&folder).join(name), &damaged).unwrap();
                    }
                }
                whole += untouched(spans, sound, &damaged);
                sum.kept += seen.kept;
                sum.phantoms += seen.phantoms;
                sum.unlabelled += seen.unlabelled;
                sum.suspect += seen.suspect;
                if trial < 100
                    && let Some(kept) = kept_by_tool(&damaged)
                {
                    others += kept;
                    asked += 1;
                }
            }
            let share = |kept: u64, trials: u64| 100.0 * kept as f64 / (trials * all) as f64;
            let each = |n: u64| n as f64 / count as f64;
            let beside = match asked {
                0 => "SKIP: not installed".into(),
                _ => format!("{:.1}", share(others, asked)),
            };
            println!(
                "{:>14} {:>11.3} {:>9.3} {:>9.3} {:>9.3} {:>10.1} {beside:>18}",
                kind.name,
                share(whole, count),
                share(sum.kept, count),
                each(sum.phantoms),
                each(sum.unlabelled),
                each(sum.suspect),
            );
            let kept = share(sum.kept, count);
            let is_good = kept >= least && each(sum.phantoms) <= 0.3 && sum.unlabelled == 0;
            failed.extend((!is_good).then_some(kind.name));
        }
        assert!(failed.is_empty(), "{failed:?}");
    }
}
