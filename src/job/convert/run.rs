//! The inputs of a conversion, one after the other: an RDB is cut into chunks, an AOF replayed and its
//! store walked. Both end in the same pieces, which are put together in their order.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};

use super::assembly::{Assembly, Piece};
use super::beside::module_aux;
use super::merge::{Seen, Winner};
use super::store::Walk;
use super::twice::{Names, Twice};
use super::worker::{Converter, Out};
use super::{Counts, Form, Given, Options, Read, Report, Sink, What};
use crate::engine::shards::Look;
use crate::error::{Error, Result};
use crate::finding::{Code, Finding, Findings, shown};
use crate::input::detect::FileKind;
use crate::input::source::{Input, Source};
use crate::job::behind::{Behind, is_marked};
use crate::job::lines_file;
use crate::job::pipeline::{self, Cutter};
use crate::job::rdb_facts::Facts;
use crate::job::rdb_file::RdbFile;
use crate::job::replay::{self, Beside, Expired, Stop, replay, replay_set};
use crate::job::target::keeps_out;
use crate::limits::Limits;
use crate::loss::Loss;
use crate::rdb::header::Header;
use crate::rdb::reader::Reader;
use crate::rdb::skim::{Checksum, Outcome};
use crate::text::beside;
use crate::text::read::first_line;

/// Bytes of a file in which the mark of a preamble is looked for.
const HEAD: u64 = 4096;

/// Converts inputs into one output.
///
/// # Errors
/// When one cannot be read or the sink not written.
pub fn convert(mut given: Vec<Given>, sink: &mut dyn Sink, options: &Options) -> Result<Report> {
    if options.winner == Some(Winner::Last) {
        given.reverse();
    }
    let mut conversion = Conversion::new(sink, options, given.len() > 1);
    for input in given {
        conversion.add(input)?;
    }
    conversion.end()
}

/// A conversion under way.
pub struct Conversion<'s, 'o> {
    options: &'o Options,
    assembly: Assembly<'s>,
    /// The new file, for errors.
    out: PathBuf,
    /// The first write that failed.
    failed: Option<std::io::Error>,
    report: Report,
    /// What the inputs before had, if there are several.
    seen: Option<Seen>,
    /// Function libraries that were written.
    loaded: HashSet<Vec<u8>>,
}

impl std::fmt::Debug for Conversion<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conversion").field("report", &self.report).finish_non_exhaustive()
    }
}

impl<'s, 'o> Conversion<'s, 'o> {
    /// Begins the new file; `several`: of more than one input.
    pub fn new(sink: &'s mut dyn Sink, options: &'o Options, several: bool) -> Self {
        let out = sink.path().to_path_buf();
        let assembly = Assembly::new(sink, options.form, options.target);
        let report = Report {
            read: Vec::new(),
            damage: Findings::new(options.limits.findings),
            counts: Counts::default(),
            databases: BTreeSet::new(),
            lost: Vec::new(),
            losses: BTreeMap::new(),
            usual: BTreeSet::new(),
            aux_left_out: BTreeSet::new(),
            size: 0,
            crc: 0,
        };
        Conversion {
            options,
            assembly,
            out,
            failed: None,
            report,
            seen: several.then(Seen::default),
            loaded: HashSet::new(),
        }
    }

    /// Adds an input.
    ///
    /// # Errors
    /// When it cannot be read, or does not fit the memory allowed.
    pub fn add(&mut self, given: Given) -> Result<()> {
        let log = replay::Options {
            limits: self.options.limits,
            jobs: self.options.jobs,
            engine: self.options.engine.clone(),
            whose: self.options.whose,
            now_ms: self.options.now_ms,
            // Whether they go is for the conversion to say.
            expired: Some(Expired::Keep),
            ..replay::Options::default()
        };
        match given {
            Given::Set(set) => {
                let mut replayed = replay_set(&set.folder, &set.stem, &log, |_| {})?;
                self.replayed(&set.manifest(), &mut replayed)
            }
            Given::File(source, input) if source.kind == FileKind::JsonLines => {
                self.lines(source, &input)
            }
            Given::File(source, input) => match is_log(source, &input)? {
                (source, false) => self.rdb(source, &input),
                (source, true) => self.replayed(input.path(), &mut replay(source, &input, &log)?),
            },
        }
    }

    /// Adds what was replayed.
    ///
    /// # Errors
    /// None but those of the workers.
    pub fn replayed(&mut self, path: &Path, replayed: &mut replay::Report) -> Result<()> {
        let damage = log_damage(replayed, self.options);
        self.report.damage.extend(damage);
        if self.report.read.is_empty() && self.options.form == Form::JsonLines {
            let mut piece = Piece::default();
            beside::first(None, &mut piece.bytes);
            self.put(piece);
        }
        let (applied, failed, skipped) = replayed.commands();
        let what = What::Log { applied, failed, skipped };
        self.report.read.push(Read { path: path.to_path_buf(), what });
        let mut out = Out::default();
        for beside in &replayed.beside {
            match beside {
                Beside::ModuleAux(bytes, offset) => {
                    module_aux(bytes, *offset, self.options, &mut out);
                }
                Beside::Lost(loss, offset) => out.lose(*loss, None, *offset, false),
            }
        }
        self.take(out);
        // What streams keep beside their entries and nothing states, since the server did not have it: it
        // comes from counting here, and nobody loses it. RDB 10 is that of 7.0, RDB 11 that of 7.2.
        let is_set = path.extension().is_some_and(|extension| extension == "manifest");
        let counters = (!is_set && !replayed.states_streams_of(10)).then_some(Loss::StreamCounters);
        let active = (!replayed.states_streams_of(11)).then_some(Loss::ConsumerActive);
        let unstated: Vec<Loss> = counters.into_iter().chain(active).collect();
        self.store(path, &replayed.store.look(), &unstated)
    }

    fn store(&mut self, path: &Path, look: &Look<'_>, unstated: &[Loss]) -> Result<()> {
        let mut walk = Walk::new(look, self.options.jobs);
        let mut twice = Twice::new(self.options, false);
        let jobs = self.options.jobs;
        self.run(path, &mut twice, unstated, |make, each| {
            pipeline::run(&mut walk, jobs, make, each)
                .map_err(|err| Error::io("the store", "read", err))
        })?;
        twice.judge(&Names::Store(look), self.options, &mut self.report.damage)
    }

    fn rdb(&mut self, source: Source, input: &Input) -> Result<()> {
        let failed = |err| Error::io(input.path(), "read", err);
        let mut file = RdbFile::new(source.reader, self.options.limits);
        let mut twice = Twice::new(self.options, true);
        let jobs = self.options.jobs;
        let facts = self.run(input.path(), &mut twice, &[], |make, each| {
            pipeline::run(&mut file, jobs, make, each).map_err(failed)
        })?;
        let (outcome, tail) = file.finish().map_err(failed)?;
        if let Behind::Commands(_) = Behind::of(&facts, &outcome, &tail) {
            let why = "an AOF, of which the RDB is only the start and does not say so; give it a name \
                       with .aof in it";
            return Err(Error::Usage(format!("{} is {why}", input.path().display())));
        }
        self.report.damage.extend(rdb_damage(&outcome, self.options));
        twice.judge(&Names::Rdb(input), self.options, &mut self.report.damage)?;
        let what = What::Rdb(Box::new((facts, outcome)));
        self.report.read.push(Read { path: input.path().to_path_buf(), what });
        Ok(())
    }

    fn lines(&mut self, source: Source, input: &Input) -> Result<()> {
        let mut twice = Twice::new(self.options, false);
        let bounds = (self.options.limits, self.options.jobs);
        let mut ended = None;
        let facts = self.run(input.path(), &mut twice, &[], |make, each| {
            let (workers, outcome) = lines_file::run(source.reader, input, bounds, make, each)?;
            ended = Some(outcome);
            Ok(workers)
        })?;
        twice.judge(&Names::None, self.options, &mut self.report.damage)?;
        let what = ended.map(|outcome| What::Lines(Box::new((facts, outcome))));
        let path = input.path().to_path_buf();
        self.report.read.extend(what.map(|what| Read { path, what }));
        Ok(())
    }

    /// Runs an input through workers, in a way that makes them and hands on what they make; the facts that
    /// they have gathered. `unstated`: losses that are none.
    fn run(
        &mut self,
        path: &Path,
        twice: &mut Twice,
        unstated: &[Loss],
        way: impl for<'c> FnOnce(
            &dyn Fn() -> Converter<'c>,
            &mut dyn FnMut(Out),
        ) -> Result<Vec<Converter<'c>>>,
    ) -> Result<Facts> {
        let (options, below) = (self.options, self.first_line()?);
        let is_first = self.report.read.is_empty();
        let (mut facts, mut met, mut unreadable) =
            (Facts::default(), (Vec::new(), Vec::new()), None);
        let (seen, hasher) = (self.seen.take(), twice.hasher());
        let make = || Converter::new(options, seen.as_ref(), is_first, below, hasher);
        let workers = way(&make, &mut |mut out: Out| {
            std::mem::take(&mut out.once).into_iter().for_each(|fact| facts.keep(fact));
            out.losses.retain(|loss, _| !unstated.contains(loss));
            out.lost.retain(|lost| !unstated.contains(&lost.loss));
            twice.add(&out.rows);
            met.0.append(&mut out.met);
            met.1.append(&mut out.libraries);
            unreadable = unreadable.take().or(out.unreadable.take());
            self.take(out);
        })?;
        workers.into_iter().for_each(|worker| facts.merge(worker.facts));
        self.seen = seen;
        if let Some(seen) = &mut self.seen {
            seen.add(&met.0, met.1);
        }
        match (unreadable, below) {
            (Some(what), Some(below)) => {
                let (path, magic) = (path.display(), below.bytes.escape_ascii());
                let why = format!("{path}: JSON Lines that begin with {magic} cannot hold {what}");
                let advice = "make JSON Lines of each file alone, or convert one for the other's server first";
                Err(Error::Usage(format!("{why}; {advice}")))
            }
            _ => Ok(facts),
        }
    }

    /// What JSON Lines begin with, if an input was before: the lines of those to come are read below that.
    fn first_line(&self) -> Result<Option<Header>> {
        let Some(read) = self.report.read.first() else { return Ok(None) };
        if self.options.form != Form::JsonLines {
            return Ok(None);
        }
        let header = match &read.what {
            What::Rdb(read) | What::Lines(read) => read.1.header,
            What::Log { .. } => None,
        };
        let mut line = Vec::new();
        beside::first(header, &mut line);
        let first = first_line(&line).map_err(|wrong| Error::Usage(wrong.what))?;
        Ok(Some(first.header))
    }

    /// Takes what a worker has made.
    fn take(&mut self, out: Out) {
        self.report.add(&out, self.options);
        for (name, offset) in out.loaded {
            let found = format!("library {} again", shown(&name));
            if !self.loaded.insert(name) {
                let at = offset..offset + 1;
                let finding = Finding::new(Code::DupFunction, at, "each library once", found);
                self.report.damage.add(finding);
            }
        }
        self.assembly.begin(out.said.as_deref());
        out.pieces.into_iter().for_each(|piece| self.put(piece));
        self.assembly.behind(out.behind);
    }

    fn put(&mut self, piece: Piece) {
        if self.failed.is_none() {
            self.failed = self.assembly.piece(piece).err();
        }
    }

    /// Ends the new file.
    ///
    /// # Errors
    /// When it could not be written.
    pub fn end(self) -> Result<Report> {
        let Conversion { options, mut assembly, out, failed, mut report, .. } = self;
        assembly.begin(None);
        let ended = match failed {
            Some(err) => Err(err),
            None => assembly.end(),
        };
        let made = ended.map_err(|err| Error::io(out, "write", err))?;
        (report.size, report.crc, report.databases) = (made.size, made.crc, made.databases);
        let usual = report.losses.keys().filter(|loss| options.form.is_usual(**loss));
        report.usual = usual.copied().collect();
        Ok(report)
    }
}

impl Report {
    /// Adds what came out of the next chunk, but for its bytes.
    fn add(&mut self, next: &Out, options: &Options) {
        let Counts { keys, expires, encoded, behind, expired, filtered, lost, twice, empty } =
            next.counts;
        let counts = &mut self.counts;
        counts.keys += keys;
        counts.expires += expires;
        counts.encoded += encoded;
        counts.behind += behind;
        counts.expired += expired;
        counts.filtered += filtered;
        counts.lost += lost;
        counts.twice += twice;
        counts.empty += empty;
        for lost in &next.lost {
            let usual = options.form.is_usual(lost.loss);
            let limit = if usual { options.limits.findings } else { options.losses };
            if self.lost.len() < limit {
                self.lost.push(lost.clone());
            }
        }
        self.damage.extend(next.damage.iter().cloned());
        for (loss, count) in &next.losses {
            *self.losses.entry(*loss).or_default() += count;
        }
        self.aux_left_out.extend(next.aux_left_out.iter().cloned());
    }
}

/// Whether a file is an AOF: by its first bytes, its name, or the mark of a preamble near its start.
///
/// # Errors
/// When it cannot be read, or is neither an RDB nor an AOF.
pub fn is_log(source: Source, input: &Input) -> Result<(Source, bool)> {
    let named = input.path().file_name().unwrap_or_default().to_string_lossy().contains(".aof");
    if source.is_aof(input) || named {
        return Ok((source, true));
    }
    if source.kind != FileKind::Rdb {
        let name = input.path().display();
        return Err(Error::Usage(format!("{name} is neither an RDB nor an AOF")));
    }
    let (facts, source) = head_facts(source, input)?;
    Ok((source, is_marked(&facts)))
}

/// What the start of an RDB says of it.
///
/// # Errors
/// When it cannot be read.
pub fn head_facts(mut source: Source, input: &Input) -> Result<(Facts, Source)> {
    let failed = |err| Error::io(input.path(), "read", err);
    let mut head = Vec::new();
    (&mut source.reader).take(HEAD).read_to_end(&mut head).map_err(failed)?;
    let mut facts = Facts::default();
    let mut file = RdbFile::new(Box::new(Cursor::new(head.clone())), Limits::default());
    if let Some(chunk) = file.cut(None).map_err(failed)? {
        for record in Reader::new(&chunk).flatten() {
            let opcode = chunk.slice(&record.span).first().copied().unwrap_or(0);
            facts.record(&record, opcode, 0).into_iter().for_each(|fact| facts.keep(fact));
        }
    }
    source.reader = Box::new(Cursor::new(head).chain(source.reader));
    Ok((facts, source))
}

/// What is wrong with an RDB as a whole.
fn rdb_damage(outcome: &Outcome, options: &Options) -> Vec<Finding> {
    let cut = |finding: &Finding| matches!(finding.code, Code::RdbTruncated | Code::RdbNoEof);
    let damage = outcome.damage.clone().filter(|finding| !(options.tolerate_tail && cut(finding)));
    let wrong = matches!(outcome.checksum, Checksum::Bad { .. }).then(|| {
        let span = outcome.end.saturating_sub(8)..outcome.end;
        Finding::new(Code::RdbCrc, span, format!("{:#018x}", outcome.computed), "another checksum")
    });
    damage.into_iter().chain(wrong).collect()
}

/// What is wrong with an AOF: all that keeps its data from being what the server had.
fn log_damage(replayed: &replay::Report, options: &Options) -> Vec<Finding> {
    let is_told = |finding: &&Finding| match finding.code {
        // An end that servers cut off.
        Code::AofTruncated | Code::AofMultiOpen => !options.tolerate_tail,
        // What they pass over with a word in their log.
        Code::ReplayFailed | Code::AofMultiNested | Code::AofExecAlone => !options.tolerate_failed,
        Code::ReplayChance => !options.tolerate_failed,
        // Commands whose effect is missing …
        Code::ReplayNotBuilt | Code::ReplayModule => !options.tolerate_unknown,
        Code::AofUnknownCommand => !options.tolerate_unknown,
        // … or is in another database.
        Code::AofDbRange => true,
        // It is about what a server would do next.
        Code::AofSameName => false,
        _ => keeps_out(options.server(), finding),
    };
    let parts = replayed.parts.iter().flat_map(|part| &part.findings);
    let mut damage: Vec<_> =
        replayed.findings.iter().chain(parts).filter(is_told).cloned().collect();
    if let (Some(Stop::Damage(at)), true) = (replayed.stop, damage.is_empty())
        && !options.tolerate_tail
    {
        damage.push(Finding::new(Code::AofFormat, at..at, "commands", "damage"));
    }
    damage
}
