//! The commands of a chunk, counted on a core of its own.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::{BigCommand, CommandTally};
use crate::aof::reader::{Means, Reader};
use crate::aof::skim::Chunk;
use crate::aof::state::Step;
use crate::engine::command::Command as Row;
use crate::job::commands::{Known, look};
use crate::job::distinct::{Distinct, key_hash};
use crate::job::inspect;
use crate::job::pipeline::{Parts, Worker};
use crate::job::rate::Moment;
use crate::job::rewrite_estimate::Ops;
use crate::job::tally::{Amount, Bounded, Name, Top};
use crate::record::{Command, Event};

/// Bytes of a key's name by which keys are told apart in the list of busy ones.
const KEY_LEN: usize = 1024;

/// A database and a key as one name, in a buffer that is used again.
fn key_id<'b>(db: u64, key: &[u8], buf: &'b mut Vec<u8>) -> &'b [u8] {
    buf.clear();
    buf.extend_from_slice(&db.to_be_bytes());
    buf.extend_from_slice(key.get(..KEY_LEN).unwrap_or(key));
    buf
}

/// The database and key of such a name.
pub(super) fn key_of(id: &[u8]) -> (u64, &[u8]) {
    id.split_first_chunk().map_or((0, id), |(db, key)| (u64::from_be_bytes(*db), key))
}

/// Sums that are the same in every order.
pub(super) struct Tallies {
    pub(super) commands: CommandTally,
    pub(super) transactions: u64,
    pub(super) annotations: u64,
    /// By the address of the row.
    pub(super) names: HashMap<usize, (&'static Row, CommandTally)>,
    pub(super) databases: BTreeMap<u64, CommandTally>,
    pub(super) keys: Distinct,
    pub(super) biggest: Top<BigCommand>,
}

impl Tallies {
    pub(super) fn new(top: usize) -> Tallies {
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

    pub(super) fn merge(&mut self, other: Tallies) {
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
pub(super) struct Out {
    pub(super) names: Bounded<CommandTally>,
    pub(super) keys: Bounded<CommandTally>,
    pub(super) moments: Vec<Moment>,
    pub(super) ops: Ops,
}

/// Counts commands.
pub(super) struct Inspector<'o> {
    options: &'o inspect::Options,
    open: bool,
    part: usize,
    /// Bytes of the files before.
    before: u64,
    id: Vec<u8>,
    pub(super) tallies: Tallies,
}

impl<'o> Inspector<'o> {
    pub(super) fn new(options: &'o inspect::Options, part: usize, before: u64) -> Self {
        let open = options.filter.is_open();
        let tallies = Tallies::new(options.top);
        Inspector { options, open, part, before, id: Vec::new(), tallies }
    }
}

impl Worker<Chunk> for Inspector<'_> {
    type Out = Out;

    fn chunk(&mut self, chunk: &Chunk, _: Parts<'_, Out>) -> Out {
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
            Known::Yes(row) | Known::Idle(row) | Known::Stray(row) | Known::Arity(row) => Some(row),
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
        if !self.open && !self.options.filter.takes_command(command.db, keys(), bytes) {
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
        self.tallies.biggest.offer(bytes, self.before + offset, || BigCommand {
            db: command.db,
            name: Name::of(command.name()),
            key: keys().next().map(Name::of),
            args: command.args.len() as u64,
            bytes,
            part: self.part,
            offset,
        });
        out.ops.command(command.db, row, command.args, positions, bytes);
        self.keys(command.db, keys(), bytes, out);
        true
    }

    fn keys<'k>(
        &mut self,
        db: u64,
        keys: impl Iterator<Item = &'k [u8]> + Clone,
        bytes: u64,
        out: &mut Out,
    ) {
        let share = CommandTally::one(bytes / keys.clone().count().max(1) as u64);
        for key in keys {
            self.tallies.keys.add(key_hash(db, key));
            out.keys.add(key_id(db, key, &mut self.id), &share);
        }
    }
}
