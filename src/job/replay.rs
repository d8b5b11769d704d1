//! A file into the store: what a server would recover from it, and what it would stumble over.
//!
//! An RDB is loaded; the commands of an AOF are run, in the order of its files, as a server runs them when it
//! starts (FORMATS B): what fails is skipped, a transaction that does not end leaves nothing, a damaged
//! end ends the replay. Nothing behind damage is run.

mod lanes;
mod rdb;
mod route;
mod tally;
mod whose;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::route::Route;
pub use self::tally::Ran;
pub use self::whose::Whose;
use super::check_aof::ending;
pub use super::load::Beside;
use super::log::Place;
use super::parts::open_part;
use super::payload::PAYLOADS;
use super::rdb_facts::Facts;
use super::rdb_file::{Extent, Rest};
use crate::aof::folder::{Folder, Node};
use crate::aof::set::Set;
use crate::aof::skim::{Chunks, Outcome};
use crate::aof::state::State;
use crate::encoding::resp::Forms;
pub use crate::engine::Config;
pub use crate::engine::Engine;
use crate::engine::shards::Shards;
pub use crate::engine::{Origin, Release};
use crate::error::{Error, Result};
use crate::finding::{Code, Finding, Findings, Severity};
use crate::input::detect::FileKind;
use crate::input::source::{Input, Source};
use crate::limits::{CHUNK, Limits};
use crate::rdb::skim::Outcome as RdbOutcome;
pub use crate::value::digest::Style;

/// How to replay.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bounds.
    pub limits: Limits,
    /// Threads that run commands.
    pub jobs: usize,
    /// The store's settings.
    pub engine: Config,
    /// By whose rules commands are run.
    pub whose: Whose,
    /// Unix time in ms.
    pub now_ms: i64,
    /// What becomes of keys whose time has come; `None` is what a primary does: it drops those of an RDB
    /// that is no part of an AOF.
    pub expired: Option<Expired>,
    /// Nothing behind this place. An offset is one of the last file.
    pub until: Option<Place>,
    /// Stop at the first finding that is more than a note.
    pub strict: bool,
    /// Bytes of a chunk of commands.
    pub chunk: usize,
    /// What of commands that are not as servers write them is read all the same.
    pub forms: Forms,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            limits: Limits::default(),
            jobs: 1,
            engine: Config::default(),
            whose: Whose::default(),
            now_ms: 0,
            expired: None,
            until: None,
            strict: false,
            chunk: CHUNK,
            forms: Forms::Tolerant,
        }
    }
}

/// What becomes of keys, and fields of hashes, whose time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expired {
    /// They stay.
    Keep,
    /// They go.
    Drop,
}

/// Why a replay stopped before the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The place asked for was reached: this offset.
    Until(u64),
    /// `strict`, and something is wrong at this offset.
    Strict(u64),
    /// Nothing can be read from this offset on.
    Damage(u64),
    /// The data does not fit the memory allowed.
    Memory,
}

/// One file of what was replayed.
#[derive(Debug)]
pub struct Part {
    /// Where it is.
    pub path: PathBuf,
    /// The RDB that it is or begins with.
    pub rdb: Option<(Facts, RdbOutcome)>,
    /// How reading its commands ended; `None` where there are none or reading stopped before.
    pub commands: Option<Outcome>,
    /// What is wrong in it, in the order of the file.
    pub findings: Findings,
}

/// A store filled from a file, and what was met on the way.
#[derive(Debug)]
pub struct Report {
    /// The store.
    pub store: Shards,
    /// The files, in the order in which they were read.
    pub parts: Vec<Part>,
    /// What is wrong with manifest and folder.
    pub findings: Vec<Finding>,
    /// Commands that were run, by name.
    pub ran: BTreeMap<&'static str, Ran>,
    /// Commands that nobody could run, by name.
    pub skipped: BTreeMap<String, u64>,
    /// Commands of transactions that did not end.
    pub unfinished: u64,
    /// Keys of RDBs that were left out because they are damaged or of no known form.
    pub left_out: u64,
    /// What of RDBs no store holds.
    pub beside: Vec<Beside>,
    /// Keys that were dropped because their time had come.
    pub expired: u64,
    /// The last timestamp, in seconds.
    pub timestamp: Option<i64>,
    /// Why it stopped before the end.
    pub stop: Option<Stop>,
}

impl Report {
    /// The server that wrote the first RDB, by what that says of itself.
    pub fn written_by(&self) -> Option<Release> {
        self.parts
            .iter()
            .find_map(|part| part.rdb.as_ref().and_then(|(facts, _)| written_by(facts)))
    }

    /// Whether there is anything worse than a note.
    pub fn is_clean(&self) -> bool {
        self.is_whole_but_for(|_| false)
    }

    /// Whether all of it was replayed, and soundly, though perhaps no checksum vouches for its bytes.
    pub fn is_whole(&self) -> bool {
        self.is_whole_but_for(Code::is_of_no_checksum)
    }

    fn is_whole_but_for(&self, harmless: fn(Code) -> bool) -> bool {
        let bad =
            |finding: &Finding| finding.severity() > Severity::Note && !harmless(finding.code);
        let inside = self.parts.iter().flat_map(|part| &part.findings);
        let early = matches!(self.stop, Some(Stop::Strict(_) | Stop::Damage(_)));
        !early && self.left_out == 0 && !inside.chain(&self.findings).any(bad)
    }

    /// Findings beyond the limit, which are only counted.
    pub fn dropped(&self) -> u64 {
        self.parts.iter().map(|part| part.findings.dropped()).sum()
    }

    /// Commands applied, failed and skipped.
    pub fn commands(&self) -> (u64, u64, u64) {
        let (applied, failed) =
            self.ran.values().fold((0, 0), |(a, f), ran| (a + ran.applied, f + ran.failed));
        (applied, failed, self.skipped.values().sum())
    }
}

/// Replays a file.
///
/// # Errors
/// When it cannot be read, the data does not fit the memory allowed, or the place to stop at is none.
pub fn replay(source: Source, input: &Input, options: &Options) -> Result<Report> {
    let mut run = Run::new(options, false);
    run.file(source, input, true)?;
    let alone = run.report.parts.iter().all(|part| part.rdb.is_some() && part.commands.is_none());
    run.end(input.path(), alone)
}

/// Replays the AOF with the given `F` in a folder. `watch` is told how many bytes were read, of all files.
///
/// # Errors
/// As for [`replay`].
pub fn replay_set(
    folder: &Path,
    stem: &[u8],
    options: &Options,
    watch: impl Fn(u64) + Clone + Send + 'static,
) -> Result<Report> {
    let failed = |err| Error::io(folder, "read", err);
    let set = Folder::open(folder).and_then(|folder| Set::open(folder, stem)).map_err(failed)?;
    let mut run = Run::new(options, true);
    let parts: Vec<_> = set.parts.iter().filter(|part| part.is_loaded()).collect();
    let mut before = 0;
    for (at, part) in parts.iter().enumerate() {
        // What else it may be is a finding of the set.
        let Some(Node::File(size)) = part.node else { break };
        let watch = watch.clone();
        let (source, input) = open_part(&set, part, move |read| watch(before + read))?;
        before += size;
        run.part(source, &input, at + 1 == parts.len())?;
        if run.report.stop.is_some() {
            break;
        }
    }
    run.report.findings.extend(set.manifest_findings);
    run.report.findings.extend(set.findings);
    run.end(folder, false)
}

/// Replays the files of an AOF that `open` opens, in their order, one after the other as far as they are
/// sound. `folder` is where they lie.
///
/// # Errors
/// As for [`replay`].
pub fn replay_parts(
    folder: &Path,
    files: &[PathBuf],
    options: &Options,
    mut open: impl FnMut(&Path) -> Result<Source>,
) -> Result<Report> {
    let mut run = Run::new(options, files.len() > 1);
    for (at, path) in files.iter().enumerate() {
        run.part(open(path)?, &Input::File(path.clone()), at + 1 == files.len())?;
        if run.report.stop.is_some() {
            break;
        }
    }
    run.end(folder, false)
}

/// A replay under way.
struct Run<'o> {
    options: &'o Options,
    /// It is a folder with a manifest.
    is_set: bool,
    report: Report,
}

impl<'o> Run<'o> {
    fn new(options: &'o Options, is_set: bool) -> Run<'o> {
        // To stop exactly at the first failure, commands must run in their order.
        let shards = if options.strict { 1 } else { options.jobs };
        let config = Config { payloads: PAYLOADS, ..options.engine.clone() };
        let mut store = Shards::new(&config, shards);
        // A server's clock runs while it loads: what counts from now, counts from its start.
        store.each_mut().for_each(|engine| engine.set_clock(options.now_ms));
        let report = Report {
            store,
            parts: Vec::new(),
            findings: Vec::new(),
            ran: BTreeMap::new(),
            skipped: BTreeMap::new(),
            unfinished: 0,
            left_out: 0,
            beside: Vec::new(),
            expired: 0,
            timestamp: None,
            stop: None,
        };
        let mut run = Run { options, is_set, report };
        run.follow_writer();
        run
    }

    /// A file of its own: an RDB, or an AOF with or without one at its start.
    fn file(&mut self, source: Source, input: &Input, last: bool) -> Result<()> {
        let path = input.path().to_path_buf();
        self.begin(path);
        if source.kind == FileKind::JsonLines {
            return self.lines(source.reader, input);
        }
        if source.is_aof(input) {
            return self.commands(source.reader, 0, input, last);
        }
        let (rest, end) = self.rdb(source.reader, input, Extent::Detect)?;
        match rest {
            Some(rest) if self.report.stop.is_none() => self.commands(rest, end, input, last),
            _ => Ok(()),
        }
    }

    /// A file of a multi-part AOF.
    fn part(&mut self, source: Source, input: &Input, last: bool) -> Result<()> {
        if source.kind == FileKind::Empty {
            // Fine for an incr file.
            let path = input.path().to_path_buf();
            self.begin(path);
            return Ok(());
        }
        self.file(source, input, last)
    }

    /// The next file begins.
    fn begin(&mut self, path: PathBuf) {
        let findings = Findings::new(self.options.limits.findings);
        self.report.parts.push(Part { path, rdb: None, commands: None, findings });
    }

    fn commands(
        &mut self,
        reader: Box<dyn Read + Send>,
        start: u64,
        input: &Input,
        last: bool,
    ) -> Result<()> {
        let options = self.options;
        let until = match options.until {
            Some(Place::Offset(_)) if !last => None,
            Some(Place::Offset(offset)) if offset < start => {
                let name = input.path().display();
                return Err(Error::Usage(format!(
                    "{name}: {offset} is inside the RDB, whose end is at {start}; there is no way back to it"
                )));
            }
            until => until,
        };
        let failed = |err| Error::io(input.path(), "read", err);
        let mut chunks =
            Chunks::new(reader, start, State::default(), options.forms, options.limits)
                .with_chunk(options.chunk);
        let store = &mut self.report.store;
        let limit = options.limits.findings;
        let body = |lanes: &mut lanes::Lanes<'_>| {
            let mut route = Route::new(lanes, options, until);
            loop {
                let spare = route.spare();
                let Some(chunk) = chunks.next_chunk(spare).map_err(failed)? else { break };
                let chunk = Arc::new(chunk);
                let more = route.chunk(&chunk)?;
                route.recycle(chunk);
                if !more {
                    break;
                }
            }
            Ok(route.end())
        };
        let (routed, mut tally) = lanes::with(&store.engines, &mut store.used, limit, body)?;
        tally.count_into(&mut self.report.ran);
        for (name, count) in routed.skipped {
            *self.report.skipped.entry(name).or_default() += count;
        }
        self.report.unfinished += routed.dropped;
        self.report.timestamp = routed.timestamp.or(self.report.timestamp);
        self.report.stop = routed.stop;
        if tally.full || routed.stop == Some(Stop::Memory) {
            return Err(too_large(input));
        }
        let findings = &mut tally.findings;
        let mut outcome = None;
        if routed.stop.is_none() {
            let ended = chunks.finish().map_err(failed)?;
            findings.extend(ending(&ended));
            if ended.damage.is_some() {
                self.report.stop = Some(Stop::Damage(ended.end));
            }
            if !last && (ended.damage.is_some() || ended.state.multi.is_some()) {
                let found = "the end of a file that others follow";
                let expected = "damage only in the last file";
                findings.add(Finding::new(
                    Code::AofNotLast,
                    ended.end..ended.size,
                    expected,
                    found,
                ));
                self.report.stop = Some(Stop::Damage(ended.end));
            }
            outcome = Some(ended);
        }
        if let Some(part) = self.report.parts.last_mut() {
            part.findings.append(findings);
            part.commands = outcome;
        }
        Ok(())
    }

    /// What comes when all files are read.
    fn end(mut self, path: &Path, rdb_alone: bool) -> Result<Report> {
        let timeless = self.report.timestamp.is_none() && self.report.stop.is_none();
        if let (Some(Place::Time(_)), true) = (self.options.until, timeless) {
            return Err(Error::Usage(format!(
                "{}: no timestamps by which to find that moment (`aof-timestamp-enabled yes` makes the \
                 server write them); an offset works without",
                path.display()
            )));
        }
        let expired = self.options.expired.unwrap_or(match rdb_alone {
            true => Expired::Drop,
            false => Expired::Keep,
        });
        if expired == Expired::Drop {
            self.report.expired += self.report.store.remove_expired();
        }
        Ok(self.report)
    }
}

fn too_large(input: &Input) -> Error {
    Error::Usage(format!(
        "{}: the data does not fit the memory allowed; nothing is said of it",
        input.path().display()
    ))
}

/// The release that wrote a file, by what it says of itself.
pub fn written_by(facts: &Facts) -> Option<Release> {
    let version = |text: &[u8]| {
        let text = std::str::from_utf8(text).ok()?;
        let mut parts = text.split('.').map(|part| part.parse::<u8>());
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    };
    if let Some((major, minor)) = facts.aux_value(b"valkey-ver").and_then(version) {
        return Some(Release::valkey(major, minor));
    }
    let (major, minor) = facts.aux_value(b"redis-ver").and_then(version)?;
    Some(Release::redis(major, minor))
}
