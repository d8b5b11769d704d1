//! What a worker makes of a chunk of commands: each is looked up in the table and placed in its
//! transaction and database; where the file may be cut is noted.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::{Named, Options};
use crate::aof::reader::{Item, Means, Reader};
use crate::aof::skim::Chunk;
use crate::aof::state::{Stamp, Step};
use crate::engine::syntax::Syntax;
use crate::finding::{Code, Excerpt, Finding, Findings, shown};
use crate::job::commands::{Known, look, misplaced, no_options, unknown};
use crate::job::pipeline::{Parts, Worker};
use crate::job::rdb_facts::Met;
use crate::record::{Command, Event};

/// What a worker makes of a chunk.
pub(super) struct Out {
    pub(super) findings: Findings,
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

impl Out {
    fn new(limit: usize) -> Out {
        Out {
            findings: Findings::new(limit),
            commands: 0,
            transactions: 0,
            annotations: 0,
            timestamps: None,
            lines: 0,
            sound: None,
            ended: false,
        }
    }
}

/// A worker, and what it has counted so far.
pub(super) struct Checker<'o> {
    options: &'o Options,
    pub(super) databases: BTreeMap<u64, u64>,
    /// By the address of the row: cheaper than its name.
    pub(super) names: HashMap<usize, Named>,
    syntax: Syntax,
    /// About the record at hand.
    new: Vec<Finding>,
}

impl<'o> Checker<'o> {
    pub(super) fn new(options: &'o Options) -> Self {
        let (databases, names) = (BTreeMap::new(), HashMap::new());
        Checker { options, databases, names, syntax: Syntax::new(), new: Vec::new() }
    }
}

impl Worker<Chunk> for Checker<'_> {
    type Out = Out;

    fn chunk(&mut self, chunk: &Chunk, _: Parts<'_, Out>) -> Out {
        let mut out = Out::new(self.options.rdb.limits.findings);
        let mut reader = Reader::new(chunk);
        let (mut db, mut on_db) = (chunk.start.db, 0);
        while let Some(item) = reader.next_record() {
            if !item.odd.is_empty() {
                self.new.extend(item.findings());
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
                (_, means) => self.annotation(means, &item, &mut out),
            }
            self.after(&item, chunk, &mut out);
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
        match look(command.args) {
            known @ (Known::Yes(row) | Known::Idle(row) | Known::Stray(row)) => {
                if matches!(known, Known::Stray(_)) {
                    self.new.push(unknown(command.args, known, span.clone()));
                }
                let new = Named { row, met: Met::NONE };
                let named = self.names.entry(std::ptr::from_ref(row).addr()).or_insert(new);
                named.met = named.met.merge(Met { count: 1, first: span.start });
                if !self.syntax.takes(row, command.args) {
                    self.new.push(no_options(row, command.args, span.clone()));
                }
            }
            // `*0` is odd enough.
            _ if command.args.is_empty() => {}
            other => self.new.push(unknown(command.args, other, span.clone())),
        }
        if step != Step::Plain {
            self.step(command, step, item, out);
        }
    }

    /// What transactions and databases say.
    fn step(&mut self, command: &Command<'_>, step: Step, item: &Item<'_>, out: &mut Out) {
        let span = item.record.span.clone();
        out.transactions += u64::from(matches!(step, Step::Exec(_)));
        let databases = self.options.rdb.databases;
        self.new.extend(misplaced(step, command.args, item.state, databases, span));
    }

    /// Notes what was found, and where the file may be cut.
    #[inline]
    fn after(&mut self, item: &Item<'_>, chunk: &Chunk, out: &mut Out) {
        for mut finding in self.new.drain(..) {
            out.ended |= (self.options.ends)(finding.code);
            finding.excerpt = Excerpt::around(chunk.bytes(), chunk.offset, finding.span.start);
            out.findings.add(finding);
        }
        if !out.ended && item.state.multi.is_none() {
            out.sound = Some((item.record.span.end, out.lines));
        }
    }

    fn annotation(&mut self, means: Means, item: &Item<'_>, out: &mut Out) {
        out.annotations += 1;
        let span = item.record.span.clone();
        match means {
            Means::Annotation(Some(Stamp::At { seconds, before })) => {
                let first = out.timestamps.map_or(seconds, |(first, _)| first);
                out.timestamps = Some((first, seconds));
                if let Some(before) = before.filter(|before| *before > seconds) {
                    let expected = format!("a time from {before} on");
                    self.new.push(Finding::new(
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
                self.new.push(Finding::new(Code::AofTimestamp, span, "TS:<seconds>", found));
            }
            _ => {}
        }
    }
}
