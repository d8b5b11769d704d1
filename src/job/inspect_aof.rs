//! What is in an AOF: commands by name and database, the keys they touch, the biggest, how busy it was, and
//! how much of it a rewrite would drop; and of an RDB that it begins with what any RDB is asked. The files
//! of a multi-part AOF are one AOF.

mod worker;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read;

use super::aof_file::AofFile;
use super::inspect::{self, inspect_part};
use super::parts::{open_part, open_set};
use super::pipeline;
use super::rate::Rate;
use super::rdb_file::{Extent, Rest};
use super::rewrite_estimate::Estimate;
use super::subject::SetPath;
use super::tally::{Amount, Bounded, Name, Top};
use crate::aof::manifest::Kind;
use crate::aof::skim::{Chunks, Outcome};
use crate::aof::state::State;
use crate::encoding::resp::Forms;
use crate::error::{Error, Result};
use crate::input::detect::FileKind;
use crate::input::source::{Input, Source};
use worker::{Inspector, Out, Tallies, key_of};

/// Commands that have the same name, or are on the same key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CommandTally {
    /// How many.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The bytes of the biggest.
    pub biggest: u64,
}

impl CommandTally {
    fn one(bytes: u64) -> CommandTally {
        CommandTally { count: 1, bytes, biggest: bytes }
    }
}

impl Amount for CommandTally {
    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.bytes += other.bytes;
        self.biggest = self.biggest.max(other.biggest);
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// One of the biggest commands.
#[derive(Debug, Clone)]
pub struct BigCommand {
    /// Database.
    pub db: u64,
    /// Its name.
    pub name: Name,
    /// Its first key, when it has one.
    pub key: Option<Name>,
    /// Arguments, the name counted.
    pub args: u64,
    /// Bytes.
    pub bytes: u64,
    /// In which of the files it is.
    pub part: usize,
    /// Where in that file.
    pub offset: u64,
}

/// What an AOF holds.
#[derive(Debug)]
pub struct Report {
    /// Its files, in the order in which a server loads them: one, or those of a manifest.
    pub parts: Vec<Part>,
    /// Commands that were counted.
    pub commands: CommandTally,
    /// Transactions that end.
    pub transactions: u64,
    /// Annotations.
    pub annotations: u64,
    /// Commands by their names in the table, and those that are not in it by their own.
    pub names: Bounded<CommandTally>,
    /// Commands by database.
    pub databases: BTreeMap<u64, CommandTally>,
    /// Different keys, estimated within one or two percent.
    pub keys: u64,
    busy_keys: Bounded<CommandTally>,
    /// Most bytes first.
    pub biggest: Top<BigCommand>,
    /// Commands over time.
    pub rate: Rate,
    /// The share of the bytes of commands that a rewrite would drop, estimated.
    pub dropped: Option<f64>,
}

impl Report {
    /// Bytes of all files.
    pub fn size(&self) -> u64 {
        self.parts.iter().map(|part| part.size).sum()
    }

    /// The keys with the most bytes of commands, and their databases; in a file with very many keys
    /// those that stand out. Of names beyond 1024 bytes there is only the beginning.
    pub fn busy_keys(&self, top: usize) -> Vec<(u64, &[u8], CommandTally)> {
        let sorted = self.busy_keys.sorted().into_iter().take(top);
        sorted.map(|(id, tally)| (key_of(id), tally)).map(|((db, key), t)| (db, key, t)).collect()
    }
}

/// A file of an AOF.
#[derive(Debug)]
pub struct Part {
    /// Its name in the manifest, and what it is there; `None` for an AOF of one file.
    pub entry: Option<(OsString, Kind)>,
    /// The RDB that it begins with.
    pub preamble: Option<inspect::Report>,
    /// How reading the commands ended; `None` when a damaged preamble hides them.
    pub outcome: Option<Outcome>,
    /// Bytes.
    pub size: u64,
    /// Commands that were counted.
    pub commands: CommandTally,
}

/// What a file holds that is one or the other.
#[derive(Debug)]
pub enum Inspected {
    /// An RDB.
    Rdb(Box<inspect::Report>),
    /// An AOF.
    Aof(Box<Report>),
}

/// Inspects a file as what it is. Where its bytes do not tell, its name does.
///
/// # Errors
/// When the source cannot be read.
pub fn inspect_detected(
    source: Source,
    input: &Input,
    options: &inspect::Options,
) -> Result<Inspected> {
    if source.is_aof(input) {
        return inspect_aof(source, input, options).map(|report| Inspected::Aof(Box::new(report)));
    }
    let (rdb, rest) = inspect_part(source.reader, input, options, Extent::Detect)?;
    let Some(rest) = rest else { return Ok(Inspected::Rdb(Box::new(rdb))) };
    let mut totals = Totals::new(options);
    totals.behind(rdb, Some(rest), input, None)?;
    Ok(Inspected::Aof(Box::new(totals.report())))
}

/// Inspects an AOF of one file, with or without a preamble.
///
/// # Errors
/// When the source cannot be read.
pub fn inspect_aof(source: Source, input: &Input, options: &inspect::Options) -> Result<Report> {
    let mut totals = Totals::new(options);
    totals.file(source, input, None)?;
    Ok(totals.report())
}

/// Inspects the files of a multi-part AOF that a server loads. `watch` is told how many bytes were read,
/// of all files.
///
/// # Errors
/// When there is no manifest, or a file is missing or cannot be read.
pub fn inspect_set(
    set: &SetPath,
    options: &inspect::Options,
    watch: impl Fn(u64) + Clone + Send + 'static,
) -> Result<Report> {
    let set = open_set(set)?;
    let mut totals = Totals::new(options);
    for part in set.parts.iter().filter(|part| part.is_loaded()) {
        let (watch, before) = (watch.clone(), totals.before);
        let (source, input) = open_part(&set, part, move |read| watch(before + read))?;
        totals.file(source, &input, Some((part.name().to_owned(), part.entry.kind)))?;
    }
    Ok(totals.report())
}

/// What is known of the files so far.
struct Totals<'o> {
    options: &'o inspect::Options,
    parts: Vec<Part>,
    /// Bytes of the files before.
    before: u64,
    /// The last timestamp in them: time goes on in the next.
    seconds: Option<i64>,
    tallies: Tallies,
    sums: Sums,
}

impl<'o> Totals<'o> {
    fn new(options: &'o inspect::Options) -> Self {
        let tallies = Tallies::new(options.top);
        let sums = Sums::default();
        Totals { options, parts: Vec::new(), before: 0, seconds: None, tallies, sums }
    }

    fn file(
        &mut self,
        source: Source,
        input: &Input,
        entry: Option<(OsString, Kind)>,
    ) -> Result<()> {
        if source.kind == FileKind::Rdb {
            let (rdb, rest) = inspect_part(source.reader, input, self.options, Extent::Start)?;
            return self.behind(rdb, rest, input, entry);
        }
        let (outcome, commands) = self.commands(source.reader, input, 0)?;
        let size = outcome.size;
        self.part(Part { entry, preamble: None, outcome: Some(outcome), size, commands });
        Ok(())
    }

    /// A file that begins with an RDB.
    fn behind(
        &mut self,
        rdb: inspect::Report,
        rest: Option<Rest>,
        input: &Input,
        entry: Option<(OsString, Kind)>,
    ) -> Result<()> {
        let (outcome, commands) = match rest {
            Some(rest) => {
                let (outcome, commands) = self.commands(rest, input, rdb.outcome.end)?;
                (Some(outcome), commands)
            }
            None => (None, CommandTally::default()),
        };
        let size = outcome.as_ref().map_or(rdb.outcome.size, |outcome| outcome.size);
        self.part(Part { entry, preamble: Some(rdb), outcome, size, commands });
        Ok(())
    }

    fn part(&mut self, part: Part) {
        self.before += part.size;
        self.parts.push(part);
    }

    /// The commands from `start` on.
    fn commands(
        &mut self,
        reader: Box<dyn Read + Send>,
        input: &Input,
        start: u64,
    ) -> Result<(Outcome, CommandTally)> {
        let failed = |err| Error::io(input.path(), "read", err);
        let options = self.options;
        let state = State { timestamp: self.seconds, ..State::default() };
        let chunks = Chunks::new(reader, start, state, Forms::Tolerant, options.limits);
        let mut file = AofFile::new(chunks);
        let (part, before, sums) = (self.parts.len(), self.before, &mut self.sums);
        let make = || Inspector::new(options, part, before);
        let workers = pipeline::run(&mut file, options.jobs, make, |out: Out| sums.add(out))
            .map_err(failed)?;
        let mut tallies = Tallies::new(options.top);
        workers.into_iter().for_each(|worker| tallies.merge(worker.tallies));
        let outcome = file.finish().map_err(failed)?;
        self.seconds = outcome.state.timestamp;
        let commands = tallies.commands;
        self.tallies.merge(tallies);
        Ok((outcome, commands))
    }

    fn report(self) -> Report {
        let Totals { tallies, sums, parts, .. } = self;
        let mut names = sums.names;
        for (row, tally) in tallies.names.into_values() {
            names.add(row.name.as_bytes(), &tally);
        }
        Report {
            parts,
            commands: tallies.commands,
            transactions: tallies.transactions,
            annotations: tallies.annotations,
            names,
            databases: tallies.databases,
            keys: tallies.keys.count(),
            busy_keys: sums.busy_keys,
            biggest: tallies.biggest,
            rate: sums.rate,
            dropped: sums.estimate.dropped(),
        }
    }
}

/// Sums that depend on the order of the file, or are pruned in it.
#[derive(Default)]
struct Sums {
    names: Bounded<CommandTally>,
    busy_keys: Bounded<CommandTally>,
    rate: Rate,
    estimate: Estimate,
}

impl Sums {
    fn add(&mut self, out: Out) {
        self.names.merge(out.names);
        self.busy_keys.merge(out.keys);
        out.moments.into_iter().for_each(|moment| self.rate.add(moment));
        self.estimate.add(&out.ops);
    }
}
