//! What is in an AOF: commands by name and database, the keys they touch, the biggest, how busy it was, and
//! how much of it a rewrite would drop; and of its preamble what any RDB is asked.

use std::collections::BTreeMap;
use std::io::Read;

use hashbrown::HashMap;

use super::aof_file::AofFile;
use super::commands::{Known, look};
use super::distinct::{Distinct, key_hash};
use super::filter::Subject;
use super::inspect::{self, inspect_part};
use super::pipeline::{self, Worker};
use super::rate::{Moment, Rate};
use super::rdb_file::Extent;
use super::rewrite_estimate::{Effect, Estimate, Op, effect, is_followed};
use super::tally::{Amount, Bounded, Name, Top};
use crate::aof::reader::{Means, Reader};
use crate::aof::skim::{Chunk, Chunks, Outcome};
use crate::aof::state::{State, Step};
use crate::encoding::resp::Forms;
use crate::engine::command::Command as Row;
use crate::error::{Error, Result};
use crate::input::detect::FileKind;
use crate::input::source::{Input, Source};
use crate::record::{Command, Event};

/// Bytes of a key's name by which keys are told apart in the list of busy ones.
const KEY_LEN: usize = 1024;

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
    /// Where it is.
    pub offset: u64,
}

/// What an AOF holds.
#[derive(Debug)]
pub struct Report {
    /// The preamble, when there is one, as the RDB it would be by itself.
    pub preamble: Option<inspect::Report>,
    /// How reading the commands ended; `None` when a damaged preamble hides them.
    pub outcome: Option<Outcome>,
    /// Bytes of the file.
    pub size: u64,
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
    /// The keys with the most bytes of commands, of a file with very many those that stand out.
    pub busy_keys: Bounded<CommandTally>,
    /// Most bytes first.
    pub biggest: Top<BigCommand>,
    /// Commands over time.
    pub rate: Rate,
    /// The share of the bytes of commands that a rewrite would drop, estimated.
    pub dropped: Option<f64>,
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
    match rest {
        Some(rest) => {
            let report = commands(rest, input, options, Some(rdb))?;
            Ok(Inspected::Aof(Box::new(report)))
        }
        None => Ok(Inspected::Rdb(Box::new(rdb))),
    }
}

/// Inspects an AOF, with or without a preamble.
///
/// # Errors
/// When the source cannot be read.
pub fn inspect_aof(source: Source, input: &Input, options: &inspect::Options) -> Result<Report> {
    if source.kind != FileKind::Rdb {
        return commands(source.reader, input, options, None);
    }
    let (preamble, rest) = inspect_part(source.reader, input, options, Extent::Start)?;
    match rest {
        Some(rest) => commands(rest, input, options, Some(preamble)),
        None => {
            let size = preamble.outcome.size;
            Ok(Sums::default().report(Some(preamble), None, size, Tallies::new(options.top)))
        }
    }
}

fn commands(
    reader: Box<dyn Read + Send>,
    input: &Input,
    options: &inspect::Options,
    preamble: Option<inspect::Report>,
) -> Result<Report> {
    let failed = |err| Error::io(input.path(), "read", err);
    let start = preamble.as_ref().map_or(0, |preamble| preamble.outcome.end);
    let forms = Forms::Tolerant;
    let mut file =
        AofFile::new(Chunks::new(reader, start, State::default(), forms, options.limits));
    let mut sums = Sums::default();
    let make = || Inspector {
        options,
        open: options.filter.is_open(),
        tallies: Tallies::new(options.top),
    };
    let workers =
        pipeline::run(&mut file, options.jobs, make, |out: Out| sums.add(out)).map_err(failed)?;
    let mut tallies = Tallies::new(options.top);
    workers.into_iter().for_each(|worker| tallies.merge(worker.tallies));
    let outcome = file.finish().map_err(failed)?;
    let size = outcome.size;
    Ok(sums.report(preamble, Some(outcome), size, tallies))
}

/// Sums that depend on the order of the file, or are pruned in it.
#[derive(Default)]
struct Sums {
    names: Bounded<CommandTally>,
    busy_keys: Bounded<CommandTally>,
    rate: Rate,
    estimate: Estimate,
    keyless: u64,
}

impl Sums {
    fn add(&mut self, out: Out) {
        self.names.merge(out.names);
        self.busy_keys.merge(out.keys);
        out.moments.into_iter().for_each(|moment| self.rate.add(moment));
        out.ops.into_iter().for_each(|op| self.estimate.add(op));
        self.keyless += out.keyless;
    }

    fn report(
        self,
        preamble: Option<inspect::Report>,
        outcome: Option<Outcome>,
        size: u64,
        tallies: Tallies,
    ) -> Report {
        let mut names = self.names;
        for (row, tally) in tallies.names.into_values() {
            names.add(row.name.as_bytes(), &tally);
        }
        // MULTI, EXEC and SELECT are gone as well.
        let all = tallies.commands.bytes.max(1) as f64;
        let keyless = self.keyless as f64 / all;
        let dropped = self.estimate.dropped().map(|share| keyless + (1.0 - keyless) * share);
        Report {
            preamble,
            outcome,
            size,
            commands: tallies.commands,
            transactions: tallies.transactions,
            annotations: tallies.annotations,
            names,
            databases: tallies.databases,
            keys: tallies.keys.count(),
            busy_keys: self.busy_keys,
            biggest: tallies.biggest,
            rate: self.rate,
            dropped,
        }
    }
}

/// Sums that are the same in every order.
struct Tallies {
    commands: CommandTally,
    transactions: u64,
    annotations: u64,
    /// By the address of the row.
    names: HashMap<usize, (&'static Row, CommandTally)>,
    databases: BTreeMap<u64, CommandTally>,
    keys: Distinct,
    biggest: Top<BigCommand>,
}

impl Tallies {
    fn new(top: usize) -> Tallies {
        Tallies {
            commands: CommandTally::default(),
            transactions: 0,
            annotations: 0,
            names: HashMap::new(),
            databases: BTreeMap::new(),
            keys: Distinct::default(),
            biggest: Top::new(top),
        }
    }

    fn merge(&mut self, other: Tallies) {
        self.commands.merge(&other.commands);
        self.transactions += other.transactions;
        self.annotations += other.annotations;
        for (address, (row, tally)) in other.names {
            self.names.entry(address).or_insert((row, CommandTally::default())).1.merge(&tally);
        }
        for (db, tally) in other.databases {
            self.databases.entry(db).or_default().merge(&tally);
        }
        self.keys.merge(&other.keys);
        self.biggest.merge(other.biggest);
    }
}

/// What a worker makes of a chunk.
#[derive(Default)]
struct Out {
    names: Bounded<CommandTally>,
    keys: Bounded<CommandTally>,
    moments: Vec<Moment>,
    ops: Vec<Op>,
    keyless: u64,
}

struct Inspector<'o> {
    options: &'o inspect::Options,
    open: bool,
    tallies: Tallies,
}

impl Worker<Chunk> for Inspector<'_> {
    type Out = Out;

    fn chunk(&mut self, chunk: &Chunk) -> Out {
        let mut out = Out::default();
        let mut reader = Reader::new(chunk);
        let mut moment =
            chunk.start.timestamp.map(|seconds| Moment { seconds, ..Moment::default() });
        while let Some(item) = reader.next_record() {
            let bytes = item.record.span.end - item.record.span.start;
            match (&item.record.event, item.means) {
                (Event::Command(command), Means::Command(step)) => {
                    let offset = item.record.span.start;
                    if self.command(command, step, offset, bytes, &mut out)
                        && let Some(moment) = &mut moment
                    {
                        moment.commands += 1;
                        moment.bytes += bytes;
                    }
                }
                _ => {
                    self.tallies.annotations += 1;
                    let seconds = item.state.timestamp;
                    if seconds != moment.map(|moment| moment.seconds) {
                        out.moments.extend(moment);
                        moment = seconds.map(|seconds| Moment { seconds, ..Moment::default() });
                    }
                }
            }
        }
        out.moments.extend(moment);
        out
    }
}

impl Inspector<'_> {
    /// Counts a command, if it is asked for.
    fn command(
        &mut self,
        command: &Command<'_>,
        step: Step,
        offset: u64,
        bytes: u64,
        out: &mut Out,
    ) -> bool {
        let row = match look(command.args) {
            Known::Yes(row) | Known::Arity(row) => Some(row),
            Known::Module | Known::No => None,
        };
        // Where the keys of a module's command are nobody tells: the first argument, as a rule.
        let (one, several);
        let positions: &[usize] = match row.map(|row| (row, row.only_key())) {
            Some((_, Some(only))) => {
                one = [only];
                &one
            }
            Some((row, None)) => {
                several = row.key_positions(command.args);
                &several
            }
            None => &[1],
        };
        let keys = || positions.iter().filter_map(|at| command.args.get(*at).copied());
        if !self.open && !self.wanted(command, keys(), bytes) {
            return false;
        }
        let one = CommandTally::one(bytes);
        self.tallies.commands.merge(&one);
        self.tallies.databases.entry(command.db).or_default().merge(&one);
        self.tallies.transactions += u64::from(matches!(step, Step::Exec(_)));
        match row {
            Some(row) => {
                let address = std::ptr::from_ref(row).addr();
                let named = self.tallies.names.entry(address);
                named.or_insert((row, CommandTally::default())).1.merge(&one);
            }
            None => out.names.add(&command.name().to_ascii_lowercase(), &one),
        }
        self.tallies.biggest.offer(bytes, offset, || BigCommand {
            db: command.db,
            name: Name::of(command.name()),
            key: keys().next().map(Name::of),
            args: command.args.len() as u64,
            bytes,
            offset,
        });
        self.keys(command.db, row, keys(), bytes, out);
        true
    }

    fn wanted<'k>(
        &self,
        command: &Command<'_>,
        keys: impl Iterator<Item = &'k [u8]>,
        size: u64,
    ) -> bool {
        let takes = |key: &[u8]| {
            let subject = Subject { db: command.db, key, type_name: "", size, expire_at_ms: None };
            self.options.filter.takes(subject, self.options.now_ms)
        };
        keys.map(takes).fold(false, |any, one| any | one)
    }

    fn keys<'k>(
        &mut self,
        db: u64,
        row: Option<&Row>,
        keys: impl Iterator<Item = &'k [u8]> + Clone,
        bytes: u64,
        out: &mut Out,
    ) {
        let count = keys.clone().count() as u64;
        let effect = row.filter(|row| is_followed(row)).map(effect);
        if effect == Some(Effect::RemovesAll) {
            out.ops.push(Op { key: 0, effect: Effect::RemovesAll, bytes });
        }
        if count == 0 {
            out.keyless += bytes;
            return;
        }
        let share = bytes / count;
        for key in keys {
            let hash = key_hash(db, key);
            self.tallies.keys.add(hash);
            out.keys.add(key.get(..KEY_LEN).unwrap_or(key), &CommandTally::one(share));
            if let Some(effect) = effect {
                out.ops.push(Op { key: hash, effect, bytes: share });
            }
        }
    }
}
