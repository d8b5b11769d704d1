//! What every writing job must withstand: a crash after any operation, in every way a journaling file
//! system may, and an error of any operation. Jobs run on a file system in memory.

#![allow(dead_code, reason = "every test file uses a part of it")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rdbtool::error::{Error, Result};
use rdbtool::persist::sim::MemFs;
use rdbtool::persist::sim::fault::{Fault, FaultKind, Repeat};
use rdbtool::persist::temp::is_temp_name;

/// States of one crash that are tried: all, if there are no more.
pub(crate) const STATES: u64 = 1 << 12;

pub(crate) const SEED: u64 = 0x5eed;

pub(crate) type Files = BTreeMap<PathBuf, Vec<u8>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    Old,
    New,
}

/// A protocol and what it is to do.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) setup: fn() -> MemFs,
    pub(crate) run: fn(&MemFs) -> Result<()>,
    /// Whether the files are the old ones or the new ones; a text says why they are neither.
    pub(crate) judge: fn(&Files) -> std::result::Result<Seen, String>,
}

pub(crate) fn get<'a>(files: &'a Files, path: &str) -> Option<&'a [u8]> {
    files.get(Path::new(path)).map(Vec::as_slice)
}

pub(crate) fn one_of(
    found: Option<&[u8]>,
    old: Option<&[u8]>,
    new: &[u8],
) -> std::result::Result<Seen, String> {
    match found {
        found if found == old => Ok(Seen::Old),
        Some(found) if found == new => Ok(Seen::New),
        found => {
            Err(format!("{:?} bytes, first {:?}", found.map(<[u8]>::len), found.map(|f| f.first())))
        }
    }
}

/// What a run whose power goes at some operation may leave, with every wrong state found.
#[derive(Debug, Default)]
pub(crate) struct Crashed {
    pub(crate) states: u64,
    pub(crate) sampled: u64,
    pub(crate) wrong: Vec<String>,
}

pub(crate) fn crash_everywhere(scenario: &Scenario) -> Crashed {
    let fs = (scenario.setup)();
    fs.plan(None);
    (scenario.run)(&fs).expect(scenario.name);
    let trace = fs.trace();
    let mut crashed = Crashed::default();
    for at in 0..=trace.len() as u64 {
        let fs = (scenario.setup)();
        fs.plan(Some(Fault { at, kind: FaultKind::PowerOff, repeat: Repeat::Once }));
        let done = (scenario.run)(&fs).is_ok();
        assert_eq!(done, at == trace.len() as u64, "{} at {at}", scenario.name);
        let mut states = fs.crashes(STATES, SEED ^ at);
        crashed.sampled += u64::from(states.len() as u64 == STATES);
        // Killed without a power cut: what programs saw is what is there.
        states.push(fs);
        for state in states {
            crashed.states += 1;
            let before = trace.get(at as usize).map(|op| op.name);
            match (scenario.judge)(&state.files()) {
                Err(why) => crashed.wrong.push(format!("before {before:?} ({at}): {why}")),
                Ok(Seen::Old) if done => crashed.wrong.push("old again after it was done".into()),
                Ok(_) => {}
            }
        }
    }
    crashed
}

/// The power goes at every moment, and everything it may leave is looked at.
pub(crate) fn must_survive_power_cuts(scenario: &Scenario) {
    let crashed = crash_everywhere(scenario);
    let first: Vec<_> = crashed.wrong.iter().take(5).collect();
    assert_eq!(crashed.wrong.len(), 0, "{}: {first:#?}", scenario.name);
    assert!(crashed.states > 100, "{}: only {} states", scenario.name, crashed.states);
    assert_eq!(crashed.sampled, 0, "{}: not all states were tried", scenario.name);
}

pub(crate) const EIO: i32 = 5;
const EINTR: i32 = 4;
const ENOSPC: i32 = 28;
const EDQUOT: i32 = 122;

/// Errors that a caller must be told of name the file or its folder, and the system's reason.
fn assert_told(error: &Error, errno: Option<i32>, context: &str) {
    let text = error.to_string();
    assert!(text.contains("/data"), "no path: {text} ({context})");
    let reason = errno.is_none_or(|errno| text.contains(&format!("os error {errno}")));
    let refused = matches!(error, Error::Refused { .. });
    assert!(reason || refused, "no reason: {text} ({context})");
}

/// Every operation fails in every way, once and for good, and the power may go on top of it.
pub(crate) fn must_survive_errors(scenario: &Scenario) {
    let fs = (scenario.setup)();
    fs.plan(None);
    (scenario.run)(&fs).expect(scenario.name);
    let trace = fs.trace();
    let kinds = [EIO, EINTR, ENOSPC, EDQUOT].map(FaultKind::Fails);
    let kinds = kinds.into_iter().chain([FaultKind::FailsAfter(EIO), FaultKind::ShortWrite]);
    for kind in kinds {
        for repeat in [Repeat::Once, Repeat::SameName, Repeat::Forever] {
            for (at, op) in trace.iter().enumerate() {
                let context = format!("{}: {kind:?} {repeat:?} at {at}, {op:?}", scenario.name);
                fail_at(scenario, Fault { at: at as u64, kind, repeat }, &context);
            }
        }
    }
}

fn fail_at(scenario: &Scenario, fault: Fault, context: &str) {
    let fs = (scenario.setup)();
    let before = fs.files();
    fs.plan(Some(fault));
    let result = (scenario.run)(&fs);
    let files = fs.files();
    let seen = (scenario.judge)(&files).unwrap_or_else(|why| panic!("{why} ({context})"));
    let errno = match fault.kind {
        FaultKind::Fails(errno) | FaultKind::FailsAfter(errno) => Some(errno),
        _ => None,
    };
    match &result {
        Ok(()) => assert_eq!(seen, Seen::New, "{context}"),
        Err(error) => assert_told(error, errno, context),
    }
    let new: Vec<_> = files.keys().filter(|path| !before.contains_key(*path)).collect();
    for path in &new {
        let is_temp = path.file_name().is_some_and(is_temp_name);
        // When nothing works any more, removing does not either; then the message must name the file.
        let told = result.as_ref().err().is_some_and(|error| {
            fault.repeat != Repeat::Once && error.to_string().contains(&*path.to_string_lossy())
        });
        assert!(!is_temp || told, "{} is left ({context}): {result:?}", path.display());
    }
    if seen == Seen::Old && fault.repeat == Repeat::Once {
        assert_eq!(files, before, "{context}");
    }
    // And a power cut on top of it.
    for crashed in fs.crashes(64, SEED) {
        (scenario.judge)(&crashed.files()).unwrap_or_else(|why| panic!("cut: {why} ({context})"));
    }
}
