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

/// 64 random bytes every 2 KiB: what each of them costs is not taken from those behind it.
#[test]
fn random_bytes_cost_nothing_behind_them() {
    let mut random = fastrand::Rng::with_seed(3);
    let write = |n: usize| command(&["SET", &format!("key:{n}"), &"some text ".repeat(n % 17)]);
    let all: Vec<Vec<u8>> = (0..12_000).map(write).collect();
    let mut bytes = all.concat();
    let mut hit = Vec::new();
    for at in (4096..bytes.len() - 64).step_by(2048) {
        bytes[at..at + 64].iter_mut().for_each(|byte| *byte = random.u8(..));
        hit.push(at..at + 64);
    }
    let plan = planned(&bytes, Depth::Salvage);
    let mut start = 0;
    let whole = all.iter().filter(|command| {
        let span = start..start + command.len();
        start = span.end;
        !hit.iter().any(|hit| hit.start < span.end && span.start < hit.end)
    });
    let (whole, salvage) = (whole.count() as u64, part(&plan).salvage.as_ref().unwrap());
    let kept = salvage.kept.commands;
    assert!(hit.len() > 600 && kept + whole / 100 >= whole, "{kept} of {whole}");
    assert!(salvage.gaps.iter().all(|(gap, _)| !gap.is_given_up));
}

/// Commands that begin inside the arguments of others, thousands deep: the search ends, and it is told that it did,
/// and that nobody knows what is in there.
#[test]
fn a_search_for_commands_that_is_given_up() {
    let mut random = fastrand::Rng::with_seed(4);
    let mut nested = |end: &str| {
        format!("$15\r\n*{}\r\n$3\r\nDEL{end}\n", random.u32(10_000..100_000)).into_bytes()
    };
    let middle = |n| nested(if n % 2600 == 2599 { "?" } else { "\r" });
    let middle: Vec<u8> = (0..80_000).flat_map(middle).collect();
    let bytes = [head(), middle, head()].concat();
    let plan = planned(&bytes, Depth::Salvage);
    let [(gap, lost)] = &part(&plan).salvage.as_ref().unwrap().gaps[..] else { panic!() };
    assert!(gap.is_given_up && lost.at_least && lost.commands == 0, "{gap:?} {lost:?}");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("appendonly.aof");
    // Behind more gaps than are told of one by one: this one is all the same.
    let others = [head(), b"noise".to_vec()].concat().repeat(12);
    std::fs::write(&path, [others, bytes].concat()).unwrap();
    let path = path.to_string_lossy();
    let said = |more: &[&str]| {
        let args = ["repair", "--salvage", "--dry-run", &*path];
        let out = crate::program::rdbtool(args.iter().chain(more)).stdout;
        out.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let text = said(&[]);
    for words in [
        "would be lost: commands that were not counted to the end",
        "the search in it was given up: it may have more commands",
        "and 2 more gaps",
    ] {
        assert!(text.contains(words), "{text}");
    }
    assert!(said(&["--json"]).contains("\"given_up\":true"));
}

/// Each MULTI ends the one before, and is begun with again: so many times, then that is told.
#[test]
fn transactions_that_are_torn_over_and_over() {
    let mut middle = command(&["MULTI"]).repeat((8 << 20) / 15);
    middle.iter_mut().step_by(997).for_each(|byte| *byte = 0xee);
    let bytes = [head(), middle, head()].concat();
    let since = Instant::now();
    let plan = planned(&bytes, Depth::Salvage);
    assert!(since.elapsed() < PATIENCE, "{:?}", since.elapsed());
    let salvage = part(&plan).salvage.as_ref().unwrap();
    assert!(salvage.gaps.iter().any(|(gap, _)| gap.is_given_up));
}
