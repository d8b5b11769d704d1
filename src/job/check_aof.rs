//! Is an AOF sound? Its preamble is checked as the RDB it is; every command is framed, placed in its
//! transaction and database, and looked up in the table of commands. Findings do not stop the check
//! unless nothing behind them can be framed: then the report says from where on nothing was read.

mod chunk;

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;

use self::chunk::{Checker, Out};
use super::aof_file::AofFile;
use super::check::{self, Verdict, check_part};
use super::commands::torn_multi;
use super::pipeline;
use super::rdb_facts::Met;
use super::rdb_file::Extent;
use crate::aof::damage::Kind;
use crate::aof::skim::{Chunks, Outcome};
use crate::aof::state::{Multi, State};
use crate::encoding::resp::Forms;
use crate::engine::command::Command as Row;
use crate::error::{Error, Result};
use crate::finding::{Code, Finding, Findings, Severity};
use crate::input::detect::FileKind;
use crate::input::source::{Input, Source};
use crate::limits::CHUNK;

/// How to check.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bounds, workers, and how to check a preamble.
    pub rdb: check::Options,
    /// What is taken for a command.
    pub forms: Forms,
    /// Findings behind which nothing counts as valid.
    pub ends: fn(Code) -> bool,
    /// Bytes of a chunk.
    pub chunk: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            rdb: check::Options::default(),
            forms: Forms::Tolerant,
            ends: |code| code.severity() == Severity::Error,
            chunk: CHUNK,
        }
    }
}

/// What a check found in one file.
#[derive(Debug)]
pub struct Report {
    /// The preamble, when there is one, as the RDB it would be by itself.
    pub preamble: Option<check::Report>,
    /// Bytes of the file.
    pub size: u64,
    /// Where the file may be cut to leave what is sound: behind the last sound command that is in no
    /// open transaction.
    pub valid_up_to: u64,
    /// Lines up to there, as check-aof counts them: a header and two for each argument of a command.
    pub valid_lines: u64,
    /// Commands, those of transactions and MULTI, EXEC and SELECT counted.
    pub commands: u64,
    /// Transactions that end.
    pub transactions: u64,
    /// Annotations.
    pub annotations: u64,
    /// Commands on each database, MULTI, EXEC and SELECT not counted.
    pub databases: BTreeMap<u64, u64>,
    /// Which commands there are, by their names in the table.
    pub names: BTreeMap<&'static str, Named>,
    /// The first timestamp and the last, in Unix seconds.
    pub timestamps: Option<(i64, i64)>,
    /// Findings in the order of their offsets, those of the preamble not repeated.
    pub findings: Findings,
    /// How reading the commands ended; `None` when a damaged preamble hides them.
    pub outcome: Option<Outcome>,
}

impl Report {
    /// The outcome in a word. Commands carry no checksum, and are not called unverified for that.
    pub fn verdict(&self) -> Verdict {
        let verdict = |finding: &Finding| match finding.severity() {
            Severity::Error => Verdict::Damaged,
            Severity::Warning => Verdict::Warnings,
            Severity::Note => Verdict::Ok,
        };
        let commands = self.findings.iter().map(verdict).max().unwrap_or(Verdict::Ok);
        commands.max(self.preamble.as_ref().map_or(Verdict::Ok, check::Report::verdict))
    }

    /// The transaction that does not end.
    pub fn open_multi(&self) -> Option<Multi> {
        self.outcome.as_ref().and_then(|outcome| outcome.state.multi)
    }

    /// What kind of damage stopped the reading of commands.
    pub fn damage(&self) -> Option<&Kind> {
        self.outcome.as_ref()?.damage.as_ref().map(|damage| &damage.kind)
    }

    /// Whether the file ends inside a command or transaction, and a server would cut it.
    pub fn ends_early(&self) -> bool {
        let cut = matches!(self.damage(), Some(Kind::Cut { .. }));
        cut || (self.damage().is_none() && self.open_multi().is_some())
    }

    /// Whether what cannot be read is a cut command or NULs, up to the end of the file.
    pub fn ends_in_damage(&self) -> bool {
        matches!(self.damage(), Some(Kind::Cut { .. } | Kind::NulTail(_)))
    }

    /// Bytes that were not looked at, because nothing in them can be placed.
    pub fn unread(&self) -> Option<Range<u64>> {
        let from = match &self.outcome {
            None => self.preamble.as_ref().map_or(0, |preamble| preamble.outcome.end),
            Some(outcome) => outcome.end,
        };
        (from < self.size).then_some(from..self.size)
    }
}

/// What a check found in a file that is one or the other.
#[derive(Debug)]
pub enum Checked {
    /// An RDB.
    Rdb(Box<check::Report>),
    /// An AOF.
    Aof(Box<Report>),
}

impl Checked {
    /// The outcome in a word.
    pub fn verdict(&self) -> Verdict {
        match self {
            Checked::Rdb(report) => report.verdict(),
            Checked::Aof(report) => report.verdict(),
        }
    }
}

/// Checks a file as what it is. Where its bytes do not tell, its name does.
///
/// # Errors
/// When the source cannot be read.
pub fn check_detected(source: Source, input: &Input, options: &Options) -> Result<Checked> {
    if source.is_aof(input) {
        return check_aof(source, input, options).map(|report| Checked::Aof(Box::new(report)));
    }
    let (rdb, rest) = check_part(source.reader, input, &options.rdb, Extent::Detect)?;
    match rest {
        Some(rest) => {
            let report = commands(rest, input, options, Some(rdb))?;
            Ok(Checked::Aof(Box::new(report)))
        }
        None => Ok(Checked::Rdb(Box::new(rdb))),
    }
}

/// Checks an AOF, with or without a preamble.
///
/// # Errors
/// When the source cannot be read.
pub fn check_aof(source: Source, input: &Input, options: &Options) -> Result<Report> {
    if source.kind != FileKind::Rdb {
        return commands(source.reader, input, options, None);
    }
    let (preamble, rest) = check_part(source.reader, input, &options.rdb, Extent::Start)?;
    match rest {
        Some(rest) => commands(rest, input, options, Some(preamble)),
        None => Ok(hidden(preamble)),
    }
}

/// A file whose preamble is damaged so that its end is not known.
fn hidden(preamble: check::Report) -> Report {
    Report {
        size: preamble.outcome.size,
        preamble: Some(preamble),
        valid_up_to: 0,
        valid_lines: 0,
        commands: 0,
        transactions: 0,
        annotations: 0,
        databases: BTreeMap::new(),
        names: BTreeMap::new(),
        timestamps: None,
        findings: Findings::new(0),
        outcome: None,
    }
}

fn commands(
    reader: Box<dyn Read + Send>,
    input: &Input,
    options: &Options,
    preamble: Option<check::Report>,
) -> Result<Report> {
    let failed = |err| Error::io(input.path(), "read", err);
    let start = preamble.as_ref().map_or(0, |preamble| preamble.outcome.end);
    let chunks = Chunks::new(reader, start, State::default(), options.forms, options.rdb.limits)
        .with_chunk(options.chunk);
    let mut file = AofFile::new(chunks);
    let ended = |findings: &[Finding]| findings.iter().any(|finding| (options.ends)(finding.code));
    let mut sums = Sums {
        valid_up_to: start,
        ended: preamble.as_ref().is_some_and(|preamble| ended(&preamble.findings)),
        ..Sums::default()
    };
    if sums.ended {
        sums.valid_up_to = 0;
    }
    let mut findings = Findings::new(options.rdb.limits.findings);
    let make = || Checker::new(options);
    let workers = pipeline::run(&mut file, options.rdb.jobs, make, |mut out: Out| {
        sums.add(&out);
        findings.append(&mut out.findings);
    })
    .map_err(failed)?;
    let mut databases = BTreeMap::new();
    let mut names = BTreeMap::new();
    for worker in workers {
        for (db, count) in worker.databases {
            *databases.entry(db).or_insert(0) += count;
        }
        for Named { row, met } in worker.names.into_values() {
            let sum = names.entry(row.name).or_insert(Named { row, met: Met::NONE });
            sum.met = sum.met.merge(met);
        }
    }
    let outcome = file.finish().map_err(failed)?;
    whole_file(&outcome, &sums, start, &mut findings);
    findings.sort();
    Ok(Report {
        preamble,
        size: outcome.size,
        valid_up_to: sums.valid_up_to,
        valid_lines: sums.valid_lines,
        commands: sums.commands,
        transactions: sums.transactions,
        annotations: sums.annotations,
        databases,
        names,
        timestamps: sums.timestamps,
        findings,
        outcome: Some(outcome),
    })
}

/// What adds up in the order of the file.
#[derive(Default)]
struct Sums {
    valid_up_to: u64,
    valid_lines: u64,
    lines: u64,
    ended: bool,
    commands: u64,
    transactions: u64,
    annotations: u64,
    timestamps: Option<(i64, i64)>,
}

impl Sums {
    fn add(&mut self, out: &Out) {
        if !self.ended {
            if let Some((end, lines)) = out.sound {
                self.valid_up_to = end;
                self.valid_lines = self.lines + lines;
            }
            self.ended = out.ended;
        }
        self.lines += out.lines;
        self.commands += out.commands;
        self.transactions += out.transactions;
        self.annotations += out.annotations;
        if let Some((first, last)) = out.timestamps {
            let first = self.timestamps.map_or(first, |(first, _)| first);
            self.timestamps = Some((first, last));
        }
    }
}

/// What only the whole file can tell.
fn whole_file(outcome: &Outcome, sums: &Sums, start: u64, findings: &mut Findings) {
    findings.extend(ending(outcome));
    if sums.commands == 0 && start == 0 && outcome.damage.is_none() {
        let size = outcome.size;
        findings.add(Finding::new(Code::AofEmpty, 0..size, "commands", "none"));
    }
}

/// What the end of the commands tells: damage, a transaction that does not end.
pub(super) fn ending(outcome: &Outcome) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        outcome.damage.iter().map(|damage| damage.finding.clone()).collect();
    let cut = match outcome.damage.as_ref().map(|damage| &damage.kind) {
        None => Some("the end of the file"),
        Some(Kind::Cut { .. } | Kind::NulTail(_)) => Some("a damaged end"),
        // What lies behind other damage may end the transaction.
        Some(_) => None,
    };
    if let Some((multi, end)) = outcome.state.multi.zip(cut) {
        findings.push(open_multi(multi, outcome.end, end));
    }
    findings
}

fn open_multi(multi: Multi, end: u64, what: &str) -> Finding {
    let count = multi.commands;
    match multi.torn_at {
        None => {
            let found = format!("{what} after {count} commands of the transaction");
            Finding::new(Code::AofMultiOpen, multi.offset..end, "EXEC", found)
        }
        Some(torn) => torn_multi(multi, torn, &format!("{what} without an EXEC")),
    }
}

/// A command of the table, and how often it was met.
#[derive(Debug, Clone, Copy)]
pub struct Named {
    /// Its row.
    pub row: &'static Row,
    /// How often, and where first.
    pub met: Met,
}
