//! What a worker makes of a chunk of commands: each is looked up in the table and placed in its
//! transaction and database; where the file may be cut is noted.

use std::collections::BTreeMap;
use std::ops::Range;

use hashbrown::HashMap;

use super::{Named, Options};
use crate::aof::reader::{Item, Means, Reader};
use crate::aof::skim::Chunk;
use crate::aof::state::{Multi, Stamp, Step};
use crate::finding::{Code, Excerpt, Finding, shown};
use crate::job::commands::Known;
use crate::job::pipeline::Worker;
use crate::job::rdb_facts::Met;
use crate::record::{Command, Event};

/// What a worker makes of a chunk.
#[derive(Default)]
pub(super) struct Out {
    pub(super) findings: Vec<Finding>,
    pub(super) dropped: u64,
    pub(super) commands: u64,
    pub(super) transactions: u64,
    pub(super) annotations: u64,
    pub(super) timestamps: Option<(i64, i64)>,
    /// Lines of commands.
    pub(super) lines: u64,
    /// Behind the last record in no transaction and before the first finding that ends what is valid, and
    /// the lines up to there.
    pub(super) sound: Option<(u64, u64)>,
    pub(super) ended: bool,
}

/// A worker, and what it has counted so far.
pub(super) struct Checker<'o> {
    options: &'o Options,
    pub(super) databases: BTreeMap<u64, u64>,
    /// By the address of the row: cheaper than its name.
    pub(super) names: HashMap<usize, Named>,
}

impl<'o> Checker<'o> {
    pub(super) fn new(options: &'o Options) -> Self {
        Checker { options, databases: BTreeMap::new(), names: HashMap::new() }
    }
}

impl Worker<Chunk> for Checker<'_> {
    type Out = Out;

    fn chunk(&mut self, chunk: &Chunk) -> Out {
        let mut out = Out::default();
        let mut reader = Reader::new(chunk);
        let (mut db, mut on_db) = (chunk.start.db, 0);
        while let Some(item) = reader.next_record() {
            let known = out.findings.len();
            if !item.odd.is_empty() {
                out.findings.extend(item.findings());
            }
            match (&item.record.event, item.means) {
                (Event::Command(command), Means::Command(step)) => {
                    out.commands += 1;
                    out.lines += 1 + 2 * command.args.len() as u64;
                    if command.db != db {
                        *self.databases.entry(db).or_insert(0) += std::mem::take(&mut on_db);
                        db = command.db;
                    }
                    on_db += u64::from(step == Step::Plain);
                    self.command(command, step, &item, &mut out);
                }
                (_, means) => annotation(means, &item, &mut out),
            }
            self.after(known, &item, chunk, &mut out);
        }
        *self.databases.entry(db).or_insert(0) += on_db;
        self.databases.retain(|_, count| *count > 0);
        out
    }
}

impl Checker<'_> {
    #[inline]
    fn command(&mut self, command: &Command<'_>, step: Step, item: &Item<'_>, out: &mut Out) {
        let span = &item.record.span;
        match (self.options.commands)(command.args) {
            Known::Yes(row) => {
                let new = Named { row, met: Met::NONE };
                let named = self.names.entry(std::ptr::from_ref(row).addr()).or_insert(new);
                named.met = named.met.merge(Met { count: 1, first: span.start });
            }
            // `*0` is odd enough.
            _ if command.args.is_empty() => {}
            other => out.findings.push(unknown(command, other, span.clone())),
        }
        if step != Step::Plain {
            self.step(command, step, item, out);
        }
    }

    /// What transactions and databases say.
    fn step(&self, command: &Command<'_>, step: Step, item: &Item<'_>, out: &mut Out) {
        let span = item.record.span.clone();
        let databases = self.options.rdb.databases;
        let finding = match step {
            Step::Plain | Step::Multi => return,
            Step::Select(db) if db < databases => return,
            Step::Select(db) => {
                let expected = format!("a database below {databases}, the `databases` setting");
                Finding::new(Code::AofDbRange, span, expected, db.to_string())
            }
            Step::SelectInvalid => {
                let found = shown(command.args.get(1).copied().unwrap_or_default());
                Finding::new(Code::AofDbInvalid, span, "a database number below 2^31", found)
            }
            Step::MultiNested => {
                let open = item.state.multi.map_or(0, |multi| multi.offset);
                let expected = format!("EXEC for the MULTI at {open:#x}");
                Finding::new(Code::AofMultiNested, span, expected, "another MULTI")
            }
            Step::ExecAlone => {
                Finding::new(Code::AofExecAlone, span, "EXEC only after MULTI", "EXEC alone")
            }
            Step::Exec(multi) => {
                out.transactions += 1;
                match multi.torn_at {
                    None => return,
                    Some(torn) => {
                        let end = format!("the EXEC of another transaction at {:#x}", span.start);
                        torn_multi(multi, torn, &end)
                    }
                }
            }
        };
        out.findings.push(finding);
    }

    /// Notes where the file may be cut, and bounds what is kept.
    #[inline]
    fn after(&self, known: usize, item: &Item<'_>, chunk: &Chunk, out: &mut Out) {
        if out.findings.len() > known {
            let new = out.findings.get_mut(known..).unwrap_or_default();
            for finding in new {
                out.ended |= (self.options.ends)(finding.code);
                finding.excerpt = Excerpt::around(chunk.bytes(), chunk.offset, finding.span.start);
            }
            let limit = self.options.rdb.limits.findings;
            if out.findings.len() > limit {
                out.dropped += (out.findings.len() - limit) as u64;
                out.findings.truncate(limit);
            }
        }
        if !out.ended && item.state.multi.is_none() {
            out.sound = Some((item.record.span.end, out.lines));
        }
    }
}

fn annotation(means: Means, item: &Item<'_>, out: &mut Out) {
    out.annotations += 1;
    let span = item.record.span.clone();
    match means {
        Means::Annotation(Some(Stamp::At { seconds, before })) => {
            let first = out.timestamps.map_or(seconds, |(first, _)| first);
            out.timestamps = Some((first, seconds));
            if let Some(before) = before.filter(|before| *before > seconds) {
                let expected = format!("a time from {before} on");
                out.findings.push(Finding::new(
                    Code::AofTimestampOrder,
                    span,
                    expected,
                    seconds.to_string(),
                ));
            }
        }
        Means::Annotation(Some(Stamp::Invalid)) => {
            let found = match &item.record.event {
                Event::Annotation(text) => shown(text),
                _ => String::new(),
            };
            out.findings.push(Finding::new(Code::AofTimestamp, span, "TS:<seconds>", found));
        }
        _ => {}
    }
}

#[cold]
fn unknown(command: &Command<'_>, known: Known, span: Range<u64>) -> Finding {
    let name = shown(command.name());
    match known {
        Known::Arity(row) => {
            let least = if row.arity < 0 { "at least " } else { "" };
            let wanted = row.arity.unsigned_abs();
            let expected = format!("{least}{wanted} arguments, the name counted");
            let found = format!("{} with {}", row.name, command.args.len());
            Finding::new(Code::AofArity, span, expected, found)
        }
        Known::Module => {
            let expected = "commands that every server knows";
            Finding::new(Code::AofModuleCommand, span, expected, name)
        }
        _ => Finding::new(Code::AofUnknownCommand, span, "the name of a command", name),
    }
}

/// A transaction that a crash tore, and that later writes went into.
pub(super) fn torn_multi(multi: Multi, torn: u64, end: &str) -> Finding {
    let found = format!(
        "the writes of another run of the server from {torn:#x} on, and then {end}; {} commands in all",
        multi.commands
    );
    Finding::new(Code::AofMultiTorn, multi.offset..torn, "EXEC", found)
}
