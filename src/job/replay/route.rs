//! The commands of a file on their way to the lanes: what a session keeps (database, transaction) is kept
//! here, as a server's loader keeps it (FORMATS B.1).
//!
//! Between MULTI and EXEC commands wait. They go on their way when EXEC comes, each as if it stood there,
//! so a transaction that never ends leaves nothing behind. SELECT is no command to the lanes: every command
//! carries its database.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::lanes::{Lanes, List};
use super::tally::{At, name_of};
use super::{Options, Stop};
use crate::aof::reader::{Item, Means, Reader};
use crate::aof::skim::{Chunk, Spare};
use crate::aof::state::{Stamp, Step};
use crate::engine::{Command as Row, resolve};
use crate::error::{Error, Result};
use crate::finding::{Code, Finding, Severity};
use crate::job::commands::{Known, look, misplaced, unknown};
use crate::job::log::Place;
use crate::record::Event;

/// A file's commands, one chunk after the other.
pub(super) struct Route<'r, 's> {
    lanes: &'r mut Lanes<'s>,
    options: &'r Options,
    /// Nothing behind this place.
    until: Option<Place>,
    db: u64,
    open: Option<Open>,
    skipped: BTreeMap<String, u64>,
    timestamp: Option<i64>,
    stop: Option<Stop>,
}

/// What is known at the end.
pub(super) struct Routed {
    /// Commands that could not be run at all, by name.
    pub(super) skipped: BTreeMap<String, u64>,
    /// Commands of a transaction that did not end.
    pub(super) dropped: u64,
    /// The last timestamp, in seconds.
    pub(super) timestamp: Option<i64>,
    /// Where it stopped, and why.
    pub(super) stop: Option<Stop>,
}

/// An open transaction.
#[derive(Default)]
struct Open {
    start: u64,
    /// Its commands in chunks that are over …
    before: Vec<(Arc<Chunk>, List)>,
    /// … and in this one.
    list: List,
    commands: u64,
    /// The database at its DISCARD: nothing behind that is run.
    discarded: Option<u64>,
}

impl<'r, 's> Route<'r, 's> {
    pub(super) fn new(
        lanes: &'r mut Lanes<'s>,
        options: &'r Options,
        until: Option<Place>,
    ) -> Route<'r, 's> {
        Route {
            lanes,
            options,
            until,
            db: 0,
            open: None,
            skipped: BTreeMap::new(),
            timestamp: None,
            stop: None,
        }
    }

    /// Sends the commands of a chunk on their way. Is more wanted?
    ///
    /// # Errors
    /// When a transaction is larger than what may be held.
    pub(super) fn chunk(&mut self, chunk: &Arc<Chunk>) -> Result<bool> {
        let mut reader = Reader::new(chunk);
        while self.stop.is_none()
            && let Some(item) = reader.next_record()
        {
            if self.is_behind(&item) {
                self.stop = Some(Stop::Until(item.record.span.start));
                break;
            }
            self.record(chunk, &item);
            if self.options.strict && self.has_failed() {
                self.stop = Some(Stop::Strict(item.record.span.start));
            }
        }
        if let Some(open) = self.open.as_mut().filter(|open| !open.list.is_empty()) {
            open.before.push((Arc::clone(chunk), std::mem::take(&mut open.list)));
            let end = chunk.offset + chunk.bytes().len() as u64;
            if end - open.start > self.options.limits.record {
                let at = open.start;
                return Err(Error::Usage(format!(
                    "the transaction at {at:#x} is larger than what may be held (see --max-record)"
                )));
            }
        }
        if !self.lanes.end_chunk(chunk, self.options.engine.max_memory) {
            self.stop = Some(Stop::Memory);
        }
        Ok(self.stop.is_none())
    }

    /// A buffer for the next chunk.
    pub(super) fn spare(&mut self) -> Spare {
        self.lanes.spare()
    }

    /// The chunk is done with here.
    pub(super) fn recycle(&mut self, chunk: Arc<Chunk>) {
        self.lanes.recycle(chunk);
    }

    /// At the end, what is in an open transaction is dropped.
    pub(super) fn end(self) -> Routed {
        let dropped = self.open.map_or(0, |open| open.commands);
        Routed { skipped: self.skipped, dropped, timestamp: self.timestamp, stop: self.stop }
    }

    fn has_failed(&self) -> bool {
        let bad = |finding: &Finding| finding.severity() > Severity::Note;
        self.lanes.tally.findings.iter().any(bad)
    }

    fn is_behind(&self, item: &Item<'_>) -> bool {
        match (self.until, item.means) {
            (Some(Place::Offset(offset)), _) => item.record.span.end > offset,
            (Some(Place::Time(time)), Means::Annotation(Some(Stamp::At { seconds, .. }))) => {
                seconds > time
            }
            _ => false,
        }
    }

    fn record(&mut self, chunk: &Arc<Chunk>, item: &Item<'_>) {
        if !item.odd.is_empty() {
            item.findings().for_each(|finding| self.lanes.tally.findings.add(finding));
        }
        let span = &item.record.span;
        match (&item.record.event, item.means) {
            (Event::Command(command), Means::Command(step)) => match step {
                Step::Plain => self.plain(chunk, command.args, span),
                _ => self.step(chunk, command.args, step, item),
            },
            (_, Means::Annotation(Some(Stamp::At { seconds, .. }))) => {
                self.timestamp = Some(seconds);
            }
            _ => {}
        }
    }

    #[inline]
    fn plain(&mut self, chunk: &Arc<Chunk>, argv: &[&[u8]], span: &Range<u64>) {
        let command = match resolve(argv) {
            Ok(command) => command,
            Err(_) => return self.skip(argv, span),
        };
        let at = At { command, db: self.db, span: span.clone(), argv };
        match &mut self.open {
            None => self.lanes.run(chunk, &at),
            Some(open) => {
                open.commands += 1;
                match open.discarded {
                    Some(_) => {}
                    None if command.name == "discard" => open.discarded = Some(self.db),
                    None => open.list.push(chunk.bytes(), &at, argv, false),
                }
            }
        }
    }

    /// A command that no server, or none without its module, can run, or that is nothing to the data.
    #[cold]
    fn skip(&mut self, argv: &[&[u8]], span: &Range<u64>) {
        let known = look(argv);
        if let Known::Idle(row) = known {
            return self.lanes.tally.applied(row);
        }
        *self.skipped.entry(name_of(argv)).or_default() += 1;
        // `*0` is odd enough.
        if argv.is_empty() {
            return;
        }
        let mut finding = unknown(argv, known, span.clone());
        if finding.code == Code::AofModuleCommand {
            finding.code = Code::ReplayModule;
        }
        self.lanes.tally.findings.add(finding);
    }

    /// What is for the session: MULTI, EXEC, SELECT.
    fn step(&mut self, chunk: &Arc<Chunk>, argv: &[&[u8]], step: Step, item: &Item<'_>) {
        let span = item.record.span.clone();
        let row: Option<&'static Row> = match look(argv) {
            Known::Yes(row) | Known::Arity(row) => Some(row),
            _ => None,
        };
        let databases = self.options.engine.databases;
        let torn = matches!(step, Step::Exec(multi) if multi.torn_at.is_some());
        let misplaced = misplaced(step, argv, item.state, databases, span.clone());
        if let Some(finding) = misplaced {
            self.lanes.tally.findings.add(finding);
            if !torn {
                if let Some(row) = row {
                    self.lanes.tally.refused(row);
                }
                return;
            }
        }
        match step {
            Step::Select(db) => self.db = db,
            Step::Multi => {
                self.open = Some(Open { start: span.start, ..Open::default() });
            }
            Step::Exec(_) => self.commit(chunk, span.end),
            _ => {}
        }
        if let Some(row) = row {
            self.lanes.tally.applied(row);
        }
    }

    /// Runs a transaction.
    fn commit(&mut self, chunk: &Arc<Chunk>, end: u64) {
        let Some(open) = self.open.take() else { return };
        if !open.before.is_empty() {
            self.lanes.flush(chunk);
        }
        for (earlier, list) in open.before {
            list.each(earlier.bytes(), |at, _| self.lanes.run(&earlier, at));
            self.lanes.flush(&earlier);
            self.lanes.recycle(earlier);
        }
        open.list.each(chunk.bytes(), |at, _| self.lanes.run(chunk, at));
        if let Some(db) = open.discarded {
            self.db = db;
            let (expected, found) = ("no DISCARD", "one that ends the transaction");
            let finding = Finding::new(Code::ReplayDiscarded, open.start..end, expected, found);
            self.lanes.tally.findings.add(finding);
        }
    }
}
