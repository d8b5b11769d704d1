//! How much of an AOF is had back: seven kinds of damage, many trials each, and one byte of the framing changed.
//! The goals are those of RELIABILITY 4, G3.

use std::fs;
use std::process::Command;

use rdbtool::job::repair_aof::found::Depth;
use rdbtool::job::repair_aof::plan::Fate;

use crate::aof_lab::{commands, judge, log, part, planned, repair};
use crate::damage::Trials;
use crate::lab::is_full;
use crate::resp::slow_record;

/// About 570 KB, 3,000 commands.
const WRITES: usize = 2900;

/// Percent of the commands that must be kept, on average, in the order of the kinds.
const LEAST: [f64; 8] = [99.9, 99.9, 99.0, 99.5, 99.0, 99.0, 99.0, 99.9];

/// Commands that redis-check-aof --fix leaves, where it is installed: what every tool that does not go on behind
/// damage keeps.
fn check_aof_keeps(bytes: &[u8]) -> Option<u64> {
    let file = tempfile::Builder::new().suffix(".aof").tempfile().ok()?;
    fs::write(file.path(), bytes).ok()?;
    let yes = tempfile::tempfile().ok()?;
    std::io::Write::write_all(&mut &yes, b"y\n").ok()?;
    std::io::Seek::rewind(&mut &yes).ok()?;
    let mut check = Command::new("redis-check-aof");
    check.arg("--fix").arg(file.path()).stdin(yes).output().ok()?;
    let (left, mut count) = (fs::read(file.path()).ok()?, 0);
    let mut rest = left.as_slice();
    while let Some((args, behind)) = slow_record(rest) {
        let is_select = args.first().is_some_and(|name| name.eq_ignore_ascii_case(b"select"));
        count += u64::from(!args.is_empty() && !is_select);
        rest = behind;
    }
    Some(count)
}

#[test]
fn what_is_had_back_of_an_aof() {
    let truth = log(WRITES, 11);
    let starts: Vec<usize> = commands(&truth).into_iter().map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([truth.len()]);
    let spans: Vec<_> = starts.iter().copied().zip(ends).map(|(at, end)| at..end).collect();
    let trials = Trials {
        what: "commands",
        all: spans.len() as u64,
        sound: &truth,
        spans: &spans,
        count: crate::damage::trials(12),
        judge: &|trial, damaged| judge(&truth, trial, damaged),
        tool: "redis-check-aof",
        kept_by_tool: check_aof_keeps,
    };
    trials.must_keep(LEAST);
}

/// Positions of all framing bytes, and of all letters of names.
fn framing_and_names(bytes: &[u8]) -> (Vec<usize>, Vec<usize>) {
    let (mut framing, mut names) = (Vec::new(), Vec::new());
    let mut rest = bytes;
    while let Some((args, behind)) = slow_record(rest) {
        let mut at = bytes.len() - rest.len();
        rest = behind;
        if args.is_empty() {
            continue;
        }
        let head = format!("*{}\r\n", args.len()).len();
        framing.extend(at..at + head);
        at += head;
        for (index, arg) in args.iter().enumerate() {
            let head = format!("${}\r\n", arg.len()).len();
            framing.extend(at..at + head);
            at += head;
            if index == 0 {
                names.extend(at..at + arg.len());
            }
            at += arg.len();
            framing.extend(at..at + 2);
            at += 2;
        }
    }
    (framing, names)
}

/// One byte of the framing, or of a name, is another: it is put right exactly, or nothing is made of it.
#[test]
fn one_byte_of_the_framing() {
    let truth = log(if is_full() { WRITES } else { 200 }, 12);
    let trials = if is_full() { 10_000 } else { 400 };
    let (framing, names) = framing_and_names(&truth);
    for (what, places, least) in [("framing", framing, 96.0), ("names", names, 0.0)] {
        let (mut exact, mut unseen, mut wrong, mut several, mut none) = (0, 0, 0, 0, 0);
        for trial in 0..trials {
            let mut random = fastrand::Rng::with_seed(trial);
            let at = places[random.usize(..places.len())];
            let mut damaged = truth.clone();
            while damaged[at] == truth[at] {
                damaged[at] = random.u8(..);
            }
            let plan = planned(&damaged, Depth::Mend);
            if plan.parts[0].fate == Fate::IsHealed {
                let (_, found) = repair(&damaged, Depth::Mend);
                if found == truth {
                    exact += 1;
                } else {
                    println!("{what} trial {trial} at {at}: {:?}", part(&plan).mends);
                    wrong += 1;
                }
            } else if plan.has_nothing_to_do() && plan.left().next().is_none() {
                unseen += 1;
            } else if part(&plan).several.is_empty() {
                println!(
                    "{what} trial {trial} at {at} {:#x} for {:#x}: none",
                    damaged[at], truth[at]
                );
                none += 1;
            } else {
                println!("{what} trial {trial} at {at}: {:?}", part(&plan).several);
                several += 1;
            }
        }
        let seen = trials - unseen;
        let share = 100.0 * f64::from(exact) / seen as f64;
        println!(
            "{what}: {trials} trials, {unseen} unseen; of {seen} seen {exact} put right ({share:.2} %), \
             {wrong} wrongly, {several} with several changes, {none} with none"
        );
        assert!(share >= least, "{what}: {share} %");
        assert_eq!(wrong, 0, "{what}");
    }
}
