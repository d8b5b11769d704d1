//! What can be had of the commands of a part: every record from its start to its end, with one byte mended where
//! that is certain, and gaps where nothing helps.
//!
//! ```text
//! run       records as far as they go                              [`Survey::run`]
//! mend      the one byte that lets them go on                      [`super::mend`]
//! resync    behind a gap, where they go on                         [`super::resync`]
//! settle    on which database those are                            [`super::databases`]
//! ```
//!
//! Nothing is kept that did not happen as a whole: a transaction without its EXEC goes from its MULTI on, and
//! an EXEC whose MULTI is in a gap takes what is between with it. A stretch behind a gap that ends as a value
//! does, at a line end where a command should begin, was inside one, and is no stretch of commands; so is
//! one inside an argument that claims all the rest of the file, unless it leads to the very end.

use std::collections::HashSet;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::affected::Affected;
use super::before::{Before, Stretch};
use super::chain::{HEAD, ends_a_value, readable, step};
use super::databases;
use super::found::{Depth, Found, Mend, Several, Subject, told};
use super::kept::{BESIDE, Doubt, Mark, Suspect};
use super::mend::{Fault, mends};
use super::resync::Resync;
use crate::aof::damage::{Damage, Kind};
use crate::aof::reader::{Item, Means, Reader};
use crate::aof::skim::{Chunks, Outcome, Spare};
use crate::aof::state::{Multi, State, Step};
use crate::encoding::resp::Forms;
use crate::engine::syntax::Syntax;
use crate::error::{Error, Result};
use crate::finding::{Code, Finding};
use crate::job::commands::{Known, look, misplaced, torn_multi, unknown};
use crate::job::heal::Patch;
use crate::job::window::Window;
use crate::limits::DATABASES;
use crate::persist::fs::{File, FileReader};
use crate::persist::overlay::Overlay;
use crate::record::Event;

/// Changes that are made in one part.
const MENDS_MAX: usize = 256;

/// Gaps after which a part is given up: what is behind them is one more.
const GAPS_MAX: usize = 10_000;

/// Odd records that are looked at in vain before they are taken for the habit of who wrote the file, and unknown
/// commands.
const VAIN_MAX: usize = 64;

/// Bytes of a chunk: a run may be short.
const CHUNK: usize = 64 << 10;

/// Looks at them. `affected` knows of what was lost before them.
///
/// # Errors
/// When the file cannot be read.
pub fn survey(subject: Subject<'_>, depth: Depth, affected: &mut Affected) -> Result<Found> {
    let Subject { file, path, size, start, limits } = subject;
    let survey = Survey {
        subject,
        depth,
        window: Window::new(file, size),
        resync: Resync::new(size, limits),
        patched: file.clone(),
        state: State::default(),
        undecided: None,
        transaction: None,
        stretch: None,
        previous: None,
        beside: 0,
        vain: 0,
        unknown: HashSet::new(),
        syntax: Syntax::new(),
        affected,
        found: Found::default(),
    };
    survey.walk(start).map_err(|err| Error::io(path, "read", err))
}

/// How a run ended.
enum Ended {
    /// At the end of the file.
    Whole,
    /// It goes on here, with what is known now.
    Again(u64),
    /// Something is wrong.
    At(Box<(Outcome, Damage)>),
}

struct Survey<'a> {
    subject: Subject<'a>,
    depth: Depth,
    window: Window,
    resync: Resync,
    patched: Arc<dyn File>,
    state: State,
    /// Behind a gap: whether it is inside a transaction whose MULTI is gone.
    undecided: Option<Mark>,
    transaction: Option<Mark>,
    stretch: Option<Stretch>,
    previous: Option<Before>,
    beside: usize,
    vain: usize,
    unknown: HashSet<Vec<u8>>,
    syntax: Syntax,
    affected: &'a mut Affected,
    found: Found,
}

impl Survey<'_> {
    fn walk(mut self, start: u64) -> io::Result<Found> {
        let mut pos = start;
        loop {
            match self.run(pos)? {
                Ended::Again(at) if self.resync.reading.is_spent() => {
                    self.lose(at..self.subject.size)?;
                    self.found.give_up_rest(at..self.subject.size);
                    break;
                }
                Ended::Again(at) => pos = at,
                Ended::Whole => {
                    self.end_open(self.subject.size)?;
                    break;
                }
                Ended::At(stopped) => match self.damage(&stopped.0, stopped.1)? {
                    Some(next) => pos = next,
                    None => break,
                },
            }
        }
        databases::settle(&self.patched, self.subject.limits, &mut self.found)?;
        Ok(self.found)
    }

    /// Reads records from a place on.
    fn run(&mut self, pos: u64) -> io::Result<Ended> {
        let Subject { size, limits, .. } = self.subject;
        let source = FileReader::new(self.patched.clone(), pos, size);
        let mut chunks =
            Chunks::new(source, pos, self.state, Forms::Tolerant, limits).with_chunk(CHUNK);
        self.previous = None;
        let mut spare = Spare::default();
        while let Some(chunk) = chunks.next_chunk(spare)? {
            let mut reader = Reader::new(&chunk);
            let mut state = chunk.start;
            while let Some(item) = reader.next_record() {
                let after = *item.state;
                if let Some(at) = self.record(&item, state)? {
                    self.resync.reading.charge(chunk.bytes().len() as u64);
                    self.resync.reading.charge_read(chunks.seen() - pos);
                    return Ok(Ended::Again(at));
                }
                state = after;
            }
            spare = chunk.recycle();
        }
        self.resync.reading.charge_read(chunks.seen() - pos);
        let mut outcome = chunks.finish_sized(size)?;
        self.state = outcome.state;
        Ok(match outcome.damage.take() {
            None => Ended::Whole,
            Some(damage) => Ended::At(Box::new((outcome, damage))),
        })
    }

    /// Takes a record, `state` being what is known before it. Where to go on, if not behind it.
    fn record(&mut self, item: &Item<'_>, state: State) -> io::Result<Option<u64>> {
        let span = item.record.span.clone();
        let here = Before {
            mark: self.found.kept.mark(span.start),
            state,
            undecided: self.undecided,
            transaction: self.transaction,
            beside: self.beside,
        };
        let is_odd = !item.odd.is_empty() && self.vain < VAIN_MAX;
        if is_odd {
            let first = item.odd.iter().map(|odd| odd.pos).min().unwrap_or(0).saturating_sub(1);
            let last = item.odd.iter().map(|odd| odd.pos + odd.len).max().unwrap_or(0);
            let odd = span.start + first as u64..span.start + last as u64;
            if let Some(at) = self.mend(here, false, Some(odd))? {
                return Ok(Some(at));
            }
            self.vain += 1;
        }
        let Event::Command(command) = &item.record.event else {
            self.found.kept.copy(span);
            self.previous = Some(here);
            return Ok(None);
        };
        let known = look(command.args);
        let is_known = matches!(known, Known::Yes(_) | Known::Idle(_) | Known::Module);
        let name = command.args.first().copied().unwrap_or_default();
        let is_new = !is_known && self.unknown.len() < VAIN_MAX && !self.unknown.contains(name);
        if is_new && !is_odd {
            if let Some(at) = self.mend(here, false, None)? {
                return Ok(Some(at));
            }
            self.unknown.insert(name.to_vec());
        }
        if self.depth == Depth::Mend {
            self.previous = Some(here);
            return Ok(None);
        }
        if !is_known {
            self.affected.add(command.db, command.args);
            self.found.leave_out(span.clone(), unknown(command.args, known, span));
            return Ok(None);
        }
        let Means::Command(step) = item.means else { return Ok(None) };
        let next = self.command(
            step,
            command.db,
            command.args,
            std::slice::from_ref(&span),
            item.state,
            here,
        )?;
        if is_odd {
            self.found.kept.rewrite(&span, command.args);
        }
        let (at, db) = (span.start, command.db);
        let is_told = self.found.kept.named.last().is_some_and(|last| last.offset == at);
        // The beginning of one command, perhaps, and the end of another.
        let is_none = matches!(known, Known::Yes(row) if !self.syntax.takes(row, command.args));
        if next.is_none() && !is_told && (is_odd || is_none) {
            self.found.kept.suspect(|| told(at, db, command.args, Doubt::Odd));
        }
        Ok(next)
    }

    /// Takes a known command that lies in these bytes.
    fn command(
        &mut self,
        step: Step,
        db: u64,
        args: &[&[u8]],
        spans: &[Range<u64>],
        after: &State,
        here: Before,
    ) -> io::Result<Option<u64>> {
        let at = here.mark.at;
        let end = spans.last().map_or(at, |span| span.end);
        let torn = after.multi.filter(|multi| multi.torn_at == Some(at));
        let nested = (step == Step::MultiNested).then_some(here.state.multi).flatten();
        if let Some(multi) = torn.or(nested) {
            self.state = State { multi: None, selected: false, ..here.state };
            self.tear(multi, at, "the writes of another run")?;
            return Ok(Some(at));
        }
        match step {
            Step::ExecAlone => {
                let why = misplaced(step, args, after, DATABASES, at..end);
                let mut start = at;
                if let Some(mark) = self.undecided.take() {
                    self.found.kept.back(&mark);
                    self.found.kept.assume(db, end);
                    start = mark.at;
                    self.lose(start..at)?;
                }
                why.into_iter().for_each(|why| self.found.leave_out(start..end, why));
                return Ok(None);
            }
            Step::SelectInvalid => {
                let why = misplaced(step, args, after, DATABASES, at..end);
                why.into_iter().for_each(|why| self.found.leave_out(at..end, why));
                self.found.kept.assume(db, end);
                return Ok(None);
            }
            Step::Multi => {
                self.transaction = Some(here.mark);
                self.undecided = None;
            }
            Step::Exec(_) => self.transaction = None,
            Step::Plain | Step::Select(_) | Step::MultiNested => {}
        }
        match step {
            Step::Select(db) => self.found.kept.select(spans, db),
            _ => self.found.kept.command(spans, db),
        }
        let is_affected = self.affected.meet(db, args);
        let doubt = (self.beside > 0).then_some(Doubt::Beside);
        self.beside = self.beside.saturating_sub(1);
        if let Some(doubt) = doubt.or(is_affected.then_some(Doubt::Affected)) {
            self.found.kept.suspect(|| told(at, db, args, doubt));
        }
        self.previous = Some(here);
        Ok(None)
    }

    /// Changes one byte if there is only one that mends what is wrong behind `here`. Where to go on then.
    fn mend(
        &mut self,
        here: Before,
        is_cut: bool,
        odd: Option<Range<u64>>,
    ) -> io::Result<Option<u64>> {
        if self.found.mends.len() >= MENDS_MAX {
            return Ok(None);
        }
        let record = here.mark.at;
        let next = self.resync.find(&mut self.window, record, record + 1)?;
        if self.resync.is_over_block {
            return Ok(None);
        }
        let previous = self.previous.filter(|before| before.mark.at < record);
        let start = previous.map(|before| before.mark.at);
        let fault = Fault { previous: start, record, is_cut, next, odd };
        let mut changes = mends(&mut self.window, fault, &mut self.resync, self.subject.limits)?;
        let Some(patch) = changes.pop() else { return Ok(None) };
        if !changes.is_empty() {
            changes.push(patch);
            self.found.several.push(Several { at: record, changes });
            return Ok(None);
        }
        let back = previous.filter(|_| patch.offset < record).unwrap_or(here);
        self.found.kept.back(&back.mark);
        self.state = back.state;
        self.undecided = back.undecided;
        self.transaction = back.transaction;
        self.beside = back.beside;
        let at = back.mark.at;
        self.patch(&patch);
        let command = self.told_at(at, back.state.db, Doubt::Beside)?;
        // Bytes that are gone make a length wrong, too, a SELECT perhaps among them.
        if self.depth == Depth::Salvage && patch.new.iter().all(u8::is_ascii_digit) {
            self.found.kept.assume_mended(back.state.db, at);
        }
        self.found.mends.push(Mend { patch, command });
        Ok(Some(at))
    }

    fn patch(&mut self, patch: &Patch) {
        let made = self.found.mends.iter().map(|mend| &mend.patch).chain([patch]);
        let all = made.map(|patch| (patch.offset, patch.new.clone())).collect();
        self.patched = Overlay::over(self.subject.file.clone(), all);
        self.window = Window::new(&self.patched, self.subject.size);
    }

    /// Where to go on behind damage.
    fn damage(&mut self, outcome: &Outcome, damage: Damage) -> io::Result<Option<u64>> {
        let (at, size) = (outcome.end, self.subject.size);
        let is_cut = matches!(damage.kind, Kind::Cut { .. });
        let here = Before {
            mark: self.found.kept.mark(at),
            state: outcome.state,
            undecided: self.undecided,
            transaction: self.transaction,
            beside: self.beside,
        };
        let is_limit = matches!(damage.finding.code, Code::RecordLimit | Code::StringLimit);
        let is_mendable = match &damage.kind {
            Kind::Garbage | Kind::Cut { .. } => !is_limit,
            Kind::NulTail(nuls) => nuls.end - nuls.start == 1,
            Kind::NulHole(_) | Kind::DupBlock(_) => false,
        };
        let stretch = self.stretch.take();
        let no_stretch = match stretch.filter(|stretch| at > stretch.mark.at) {
            Some(stretch) if stretch.is_claimed => Some(stretch),
            Some(stretch) if ends_a_value(self.window.at(at, 3)?) => Some(stretch),
            _ => None,
        };
        if is_mendable
            && no_stretch.is_none()
            && let Some(at) = self.mend(here, is_cut, None)?
        {
            self.stretch = stretch;
            return Ok(Some(at));
        }
        if self.depth == Depth::Mend {
            return Ok(None);
        }
        if let Kind::DupBlock(block) = &damage.kind
            && let Some(next) = self.without(block.clone(), &damage.finding, here)?
        {
            return Ok(Some(next));
        }
        let mut start = at;
        let mut is_claimed = is_cut;
        if let Some(stretch) = no_stretch {
            self.found.kept.back(&stretch.mark);
            start = stretch.mark.at;
            is_claimed |= stretch.is_claimed;
            self.transaction = None;
            self.state.db = stretch.db;
        }
        if let Some(mark) = self.transaction.take() {
            self.found.kept.back(&mark);
            start = start.min(mark.at);
        }
        self.suspect_before(start)?;
        let is_full = self.found.gaps.len() >= GAPS_MAX || self.resync.reading.is_spent();
        let (next, gave_up) = match is_full || is_limit {
            true => (None, is_full),
            false => (self.resync.find(&mut self.window, at, at + 1)?, self.resync.gave_up),
        };
        let end = next.unwrap_or(size);
        self.lose(start..end)?;
        match gave_up {
            true => self.found.give_up(start..end, damage.finding),
            false => self.found.leave_out(start..end, damage.finding),
        }
        let Some(next) = next else { return Ok(None) };
        let db = self.state.db;
        self.state = State { db, ..State::default() };
        let mark = self.found.kept.mark(next);
        self.undecided = Some(mark);
        self.stretch = Some(Stretch { mark, db, is_claimed });
        // However short it is: of bytes that are gone nothing is left to see.
        self.found.kept.assume(db, next);
        self.beside = BESIDE;
        Ok(Some(next))
    }

    /// The record that a block was put into a second time, without that block. Where the next begins.
    fn without(
        &mut self,
        block: Range<u64>,
        why: &Finding,
        here: Before,
    ) -> io::Result<Option<u64>> {
        let at = here.mark.at;
        let Ok(before) = usize::try_from(block.start.saturating_sub(at)) else { return Ok(None) };
        let mut bytes = self.window.at(at, before)?.get(..before).unwrap_or_default().to_vec();
        bytes.extend_from_slice(self.window.at(block.end, HEAD)?);
        let Ok(whole) = step(&bytes, self.subject.limits.string) else { return Ok(None) };
        let Some(rest) = whole.len.checked_sub(before) else { return Ok(None) };
        let end = block.end + rest as u64;
        let mut state = here.state;
        let arg = |index: usize| whole.args.get(index).copied().unwrap_or_default();
        let step = state.command(arg(0), arg(1), at);
        self.found.leave_out(block.clone(), why.clone());
        let spans = [at..block.start, block.end..end];
        self.beside = self.beside.max(1);
        let next = self.command(step, here.state.db, &whole.args, &spans, &state, here)?;
        Ok(Some(next.unwrap_or_else(|| {
            self.state = state;
            end
        })))
    }

    /// A transaction that ends at `end` without an EXEC goes.
    fn tear(&mut self, multi: Multi, end: u64, by: &str) -> io::Result<()> {
        if let Some(mark) = self.transaction.take() {
            self.found.kept.back(&mark);
        }
        self.lose(multi.offset..end)?;
        let why = match multi.torn_at {
            Some(torn) => torn_multi(multi, torn, by),
            None => {
                let found = format!("{by} after {} commands of it", multi.commands);
                Finding::new(Code::AofMultiOpen, multi.offset..end, "EXEC", found)
            }
        };
        self.found.leave_out(multi.offset..end, why);
        Ok(())
    }

    fn end_open(&mut self, size: u64) -> io::Result<()> {
        if self.depth == Depth::Mend {
            return Ok(());
        }
        match self.state.multi {
            Some(multi) => self.tear(multi, size, "the end of the file"),
            None => Ok(()),
        }
    }

    /// Keys of commands in some bytes are affected by their loss.
    fn lose(&mut self, span: Range<u64>) -> io::Result<()> {
        self.affected.lose(&mut self.window, &mut self.resync, span, self.state.db)
    }

    /// The commands before a gap are suspect.
    fn suspect_before(&mut self, gap: u64) -> io::Result<()> {
        let last: Vec<_> = self.found.kept.last.iter().filter(|s| s.end <= gap).cloned().collect();
        let db = self.state.db;
        for span in last {
            let told = self.told_at(span.start, db, Doubt::Beside)?;
            let named = self.found.kept.named.iter().rev().take(2 * BESIDE);
            if !named.into_iter().any(|old| old.offset == told.offset) {
                self.found.kept.suspect(|| told);
            }
        }
        Ok(())
    }

    /// What can be said of the record at an offset.
    fn told_at(&mut self, at: u64, db: u64, doubt: Doubt) -> io::Result<Suspect> {
        let args = readable(self.window.at(at, HEAD)?);
        Ok(told(at, db, &args, doubt))
    }
}
