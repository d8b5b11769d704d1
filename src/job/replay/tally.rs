//! What was run, and what came of it: counts by name, and a finding for everything that did not go as a
//! log should.

use std::collections::BTreeMap;
use std::ops::Range;

use hashbrown::HashMap;

use crate::engine::{Command, Failure, Reply};
use crate::finding::{Code, Finding, Findings, KeyPlace, shown};

/// How often a command was run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ran {
    /// With an answer that is no error.
    pub applied: u64,
    /// With an error.
    pub failed: u64,
}

/// What one thread has run.
#[derive(Debug)]
pub(super) struct Tally {
    /// By the address of the row: cheaper than its name.
    ran: HashMap<usize, (&'static Command, Ran)>,
    /// In the order in which they were found.
    pub(super) findings: Findings,
    /// A command was refused for want of memory.
    pub(super) full: bool,
}

/// A command and its place.
#[derive(Debug, Clone)]
pub(super) struct At<'a> {
    pub(super) command: &'static Command,
    pub(super) db: u64,
    pub(super) span: Range<u64>,
    pub(super) argv: &'a [&'a [u8]],
}

impl Tally {
    /// Nothing yet, and room for so many findings.
    pub(super) fn new(limit: usize) -> Tally {
        Tally { ran: HashMap::new(), findings: Findings::new(limit), full: false }
    }

    /// Takes note of a command that went well.
    #[inline]
    pub(super) fn applied(&mut self, command: &'static Command) {
        self.of(command).applied += 1;
    }

    /// Takes note of a command that was refused, of which a finding tells.
    pub(super) fn refused(&mut self, command: &'static Command) {
        self.of(command).failed += 1;
    }

    fn of(&mut self, command: &'static Command) -> &mut Ran {
        let address = std::ptr::from_ref(command).addr();
        &mut self.ran.entry(address).or_insert((command, Ran::default())).1
    }

    /// Takes note of what a command answered.
    #[inline]
    pub(super) fn note(&mut self, at: &At<'_>, reply: &Reply, guessed: bool) {
        match reply {
            Reply::Error(failure) => self.failed(at, failure),
            _ if guessed => {
                self.applied(at.command);
                let expected = "a command that says what it changes";
                let found = format!("{}, which leaves it to chance", at.command.name);
                self.about(at, Code::ReplayChance, expected, found);
            }
            _ => self.applied(at.command),
        }
    }

    #[cold]
    fn failed(&mut self, at: &At<'_>, failure: &Failure) {
        if *failure == Failure::OUT_OF_MEMORY {
            self.full = true;
            return;
        }
        self.of(at.command).failed += 1;
        let code = match failure.is_unsupported() {
            true => Code::ReplayNotBuilt,
            false => Code::ReplayFailed,
        };
        let found = format!("{}: {failure}", at.command.name);
        self.about(at, code, "a command that succeeds", found);
    }

    /// Adds a finding about a command, and the key it is about if that is certain.
    pub(super) fn about(&mut self, at: &At<'_>, code: Code, expected: &str, found: String) {
        let mut finding = Finding::new(code, at.span.clone(), expected, found);
        let positions = at.command.key_positions(at.argv);
        finding.key = positions.first().and_then(|pos| at.argv.get(*pos)).map(|key| KeyPlace {
            db: at.db,
            key: key.to_vec(),
            type_name: "",
            elements: None,
        });
        self.findings.add(finding);
    }

    /// Takes in what another thread has run.
    pub(super) fn merge(&mut self, other: Tally) {
        for (address, (command, ran)) in other.ran {
            let own = &mut self.ran.entry(address).or_insert((command, Ran::default())).1;
            own.applied += ran.applied;
            own.failed += ran.failed;
        }
        self.findings.merge(other.findings);
        self.full |= other.full;
    }

    /// Adds the counts to those by name.
    pub(super) fn count_into(&self, names: &mut BTreeMap<&'static str, Ran>) {
        for (command, ran) in self.ran.values() {
            let sum = names.entry(command.name).or_default();
            sum.applied += ran.applied;
            sum.failed += ran.failed;
        }
    }
}

/// A name from a file that is no known command's, for counting.
pub(super) fn name_of(argv: &[&[u8]]) -> String {
    shown(&argv.first().copied().unwrap_or_default().to_ascii_lowercase())
}
