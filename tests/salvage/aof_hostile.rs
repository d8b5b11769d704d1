//! AOFs made to mislead or to tire: one byte over and over, data inside data, claims of everything. Time and memory stay
//! bounded, and no commands come out that never were.

use std::time::{Duration, Instant};

use rdbtool::job::repair_aof::found::Depth;

use crate::aof_lab::{part, planned};
use crate::lab::is_full;
use crate::resp::command;

/// Ample for the megabytes that are tried here, on a busy machine and without optimization.
const PATIENCE: Duration = Duration::from_secs(60);

fn head() -> Vec<u8> {
    (0..20).flat_map(|n| command(&["SET", &format!("key:{n}"), "text"])).collect()
}

/// Commands that are kept of some bytes between sound ones.
fn kept(middle: &[u8]) -> u64 {
    let bytes = [head(), middle.to_vec(), head()].concat();
    let since = Instant::now();
    let plan = planned(&bytes, Depth::Salvage);
    let shown = middle.get(..60).unwrap_or(middle).escape_ascii().to_string();
    assert!(since.elapsed() < PATIENCE, "{shown} took {:?}", since.elapsed());
    let part = part(&plan);
    match &part.salvage {
        Some(salvage) => salvage.kept.commands,
        None => part.commands - part.cut.as_ref().map_or(0, |cut| cut.lost.before_damage),
    }
}

#[test]
fn one_byte_over_and_over_in_an_aof() {
    let size = if is_full() { 64 << 20 } else { 256 << 10 };
    for byte in if is_full() {
        b"*$1\r\n\0#x".to_vec()
    } else {
        (0..=255).step_by(3).chain(*b"*$1#\r\n").collect()
    } {
        let kept = kept(&vec![byte; size]);
        assert!((20..=40).contains(&kept), "{kept} of {byte:#x}");
        if !b"#*".contains(&byte) {
            assert_eq!(kept, 40, "{byte:#x}");
        }
    }
}

#[test]
fn patterns_that_read_as_commands() {
    let size = if is_full() { 8 << 20 } else { 256 << 10 };
    let patterns: [&[u8]; 9] = [
        b"*1\r\n$",
        b"*3\r\n",
        b"*999999999\r\n$1\r\na\r\n",
        b"*1000000\r\n$3\r\nDEL\r\n$1\r\na\r\n",
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870911\r\n",
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$999999999999\r\n",
        b"*2\r\n$3\r\nNOT\r\n$1\r\nk\r\n",
        b"*1\r\n$5\r\nMULTI\r\n",
        b"\r\n*1\r\n$4\r\nEXEC\r\n",
    ];
    for pattern in patterns {
        let mut noise = pattern.repeat(size / pattern.len());
        // Something broken now and then, so that there is much to look for.
        noise.iter_mut().step_by(997).for_each(|byte| *byte = 0xee);
        let kept = kept(&noise);
        assert!((20..=40 + size as u64 / 997).contains(&kept), "{} {kept}", pattern.escape_ascii());
    }
}

/// The same lines over and over, with nothing else between: looked at once.
#[test]
fn lines_that_repeat() {
    let size = if is_full() { 64 << 20 } else { 1 << 20 };
    for lines in [&b"*1\r\n"[..], b"*2\r\n$3\r\n", b"*1\r\n$1\r\n*\r\n"] {
        let kept = kept(&lines.repeat(size / lines.len()));
        assert!((20..=40).contains(&kept), "{} {kept}", lines.escape_ascii());
    }
    // What begins inside a command that repeats: the commands behind it are sound.
    let sound = command(&["INCR", "*"]).repeat(1000);
    assert_eq!(kept(&[b"?*\r\n", &sound[..]].concat()), 1040);
}

/// Random bytes, and random lines of what framing is made of.
#[test]
fn noise_in_an_aof() {
    let mut random = fastrand::Rng::with_seed(2);
    for trial in 0..if is_full() { 200 } else { 8 } {
        let bytes: Vec<u8> = (0..100_000).map(|_| random.u8(..)).collect();
        assert_eq!(kept(&bytes), 40, "{trial}");
        let framing = b"*$#\r\n0123456789";
        let bytes: Vec<u8> = (0..100_000).map(|_| framing[random.usize(..framing.len())]).collect();
        let kept = kept(&bytes);
        assert!((20..=40).contains(&kept), "{trial}: {kept}");
    }
}
