//! A drill on somebody's own AOF: what every crash would leave of the file that is being written, what a
//! server would make of it, what it would cost at worst, and how long it takes to come back.
//!
//! Only the last file of an AOF is ever torn: the others are whole before a manifest names them (FORMATS
//! B.3). Nothing is written; the crashes are views of the file.

pub mod crash;
pub mod places;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::crash::Server;
pub use self::crash::{Crash, Remains};
pub use self::places::{Busiest, Survey};
use self::places::{Place, Seat, survey};
use crate::aof::folder::{Folder, Node};
use crate::aof::set::stems;
use crate::aof::settings::Settings;
use crate::aof::startup::What;
use crate::encoding::resp::Forms;
use crate::error::{Error, Result};
use crate::input::source::{self, Input, Source};
use crate::job::compare::{Comparison, Counts};
use crate::job::fate::Fate;
use crate::job::look::count;
use crate::job::parts::open_set;
use crate::job::replay::{self, Report as Replayed, Stop, replay, replay_parts};
use crate::job::startup::startup;
use crate::job::subject::SetPath;
use crate::persist::fs::{Access, File, Fs, open_parent};
use crate::persist::sim::crash::Random;
use crate::rdb::target::Target;
use crate::rdb::versions::Release;

/// Seconds of writes that a power cut takes with it, at worst: `appendfsync always`, `everysec` on a disk
/// that keeps up and on one that lags (FORMATS F), `no` with a kernel that writes after 30 s.
pub const SPANS: [i64; 3] = [1, 2, 30];

/// How to drill.
#[derive(Debug, Clone)]
pub struct Options {
    /// Places in the log, at most; the last and the worst come on top.
    pub places: usize,
    /// Recoveries from the start, besides that of all there is.
    pub recoveries: usize,
    /// What chance begins with.
    pub seed: u64,
    /// The server that starts; `None` is the one that wrote the file.
    pub release: Option<&'static Release>,
    /// Its settings.
    pub settings: Settings,
    /// How to replay. What is not as servers write it is damage here: NULs inside an argument are seen by
    /// nothing but the bytes behind it.
    pub replay: replay::Options,
}

/// What a kind of crash does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Which.
    pub crash: Crash,
    /// How often it was tried.
    pub tried: u64,
    /// The server starts with all of it.
    pub whole: u64,
    /// The server starts and cuts off what is no whole command or transaction.
    pub cut: u64,
    /// The server starts, but with a NUL inside a value, which nobody notices.
    pub unnoticed: u64,
    /// The server starts, but loses what is written from then on.
    pub trap: u64,
    /// The server does not start.
    pub refused: u64,
    /// What it cost at worst.
    pub worst: Option<Worst>,
}

/// The worst that a crash did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worst {
    /// Commands that were in the file, whole or in part, and are not kept.
    pub commands: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The size of the file after that crash.
    pub at: u64,
}

/// A recovery from the start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recovery {
    /// What the crash left of the last file.
    pub remains: Remains,
    /// Up to where of it was recovered.
    pub kept: u64,
    /// Whether that is what reading had foretold.
    pub as_foretold: bool,
    /// Commands that were run, of all files.
    pub commands: u64,
    /// Keys.
    pub keys: u64,
    /// Bytes they take in memory, near enough.
    pub memory: u64,
    /// How long it took.
    pub took: Duration,
}

/// What a start from the RDB alone would give.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Where it is.
    pub path: PathBuf,
    /// When it was made, in Unix time, if it says so.
    pub created: Option<i64>,
    /// It against the AOF: keys that are the same, that only one of them has, that differ.
    pub counts: Counts,
    /// How long loading it took.
    pub took: Duration,
}

/// What a drill found.
#[derive(Debug)]
pub struct Report {
    /// The files of the AOF and their sizes, in the order in which they are loaded.
    pub files: Vec<(PathBuf, u64)>,
    /// The first command of the last one.
    pub start: u64,
    /// Its commands, places and busiest seconds.
    pub survey: Survey,
    /// The server that starts.
    pub release: &'static Release,
    /// The crashes.
    pub rows: Vec<Row>,
    /// Recoveries, the last one of all there is.
    pub recoveries: Vec<Recovery>,
    /// The RDB beside the AOF.
    pub snapshot: Option<Snapshot>,
}

impl Report {
    /// Whether every recovery gave what was foretold.
    pub fn is_as_foretold(&self) -> bool {
        self.recoveries.iter().all(|recovery| recovery.as_foretold)
    }

    /// The file that is being written.
    pub fn last(&self) -> Option<&(PathBuf, u64)> {
        self.files.last()
    }
}

/// The files of an AOF, and the RDB beside it.
#[derive(Debug)]
struct Found {
    folder: PathBuf,
    files: Vec<PathBuf>,
    rdb: Option<PathBuf>,
}

/// Drills an AOF: a file, a manifest, a folder of parts, or the data folder of a server. `watch` is told how
/// many bytes were read.
///
/// # Errors
/// When there is no such AOF, it cannot be read, or is damaged already.
pub fn drill(
    fs: &dyn Fs,
    path: &Path,
    options: &Options,
    watch: impl Fn(u64) + Clone + Send + 'static,
) -> Result<Report> {
    let found = find(path)?;
    let mut files = Vec::new();
    for path in &found.files {
        let (file, size) = open(fs, path)?;
        files.push((path.clone(), file, size));
    }
    let Some((last, file, size)) = files.last().cloned() else {
        return Err(Error::Usage(format!("{}: there is no AOF in it", path.display())));
    };
    let how = replay::Options { forms: Forms::Strict, ..options.replay.clone() };
    let run = Recoverer { found: &found, files: &files, how, watch };
    let all = Remains { cut: size, size };
    let (whole, mut replayed) = run.recover(all)?;
    let part = replayed.parts.last().filter(|part| part.path == last);
    let outcome = part.and_then(|part| part.commands.as_ref());
    if let Some(Stop::Damage(at)) = replayed.stop {
        let part = replayed.parts.last().map_or(last, |part| part.path.clone());
        return Err(Error::Usage(format!(
            "{}: it is damaged already, at offset {at}; rdbtool check says how, rdbtool repair mends it",
            part.display()
        )));
    }
    let rdb = part.and_then(|part| part.rdb.as_ref()).map_or(0, |(_, rdb)| rdb.end);
    let says_aof = |name: &[u8]| {
        let facts = part.and_then(|part| part.rdb.as_ref());
        facts.is_some_and(|(facts, _)| facts.aux_value(name) == Some(b"1"))
    };
    if rdb > 0 && outcome.is_none() && !says_aof(b"aof-preamble") && !says_aof(b"aof-base") {
        return Err(no_aof(&last));
    }
    // A file without commands has no reader of them.
    let start = if outcome.is_some() { rdb } else { size };
    let release = options.release.unwrap_or_else(|| written_by(&replayed));
    let reading = |err| Error::io(&last, "read", err);
    let reader = all.read(&file, start);
    let limits = options.replay.limits;
    let survey =
        survey(reader, start, options.places, options.seed, &SPANS, limits).map_err(reading)?;
    let server = Server { release, settings: &options.settings, limits };
    let mut rows = Vec::new();
    for crash in Crash::ALL {
        rows.push(row(crash, &server, &file, start, &survey, options.seed).map_err(reading)?);
    }
    let mut recoveries = Vec::new();
    let mut random = Random::new(options.seed);
    for place in spread(&survey.places, options.recoveries, start, size) {
        let remains = Crash::Inside.leaves(place, start, &mut random);
        let fall = server.fall(&file, seat(place), remains).map_err(reading)?;
        let (mut recovery, _) = run.recover(remains)?;
        recovery.as_foretold = recovery.kept == fall.kept;
        recoveries.push(recovery);
    }
    recoveries.push(whole);
    let snapshot = run.snapshot(&found, &mut replayed, fs)?;
    let files = files.into_iter().map(|(path, _, size)| (path, size)).collect();
    Ok(Report { files, start, survey, release, rows, recoveries, snapshot })
}

/// Tries a kind of crash at every place.
fn row(
    crash: Crash,
    server: &Server<'_>,
    file: &Arc<dyn File>,
    start: u64,
    survey: &Survey,
    seed: u64,
) -> io::Result<Row> {
    let (whole, cut, unnoticed, trap, refused) = (0, 0, 0, 0, 0);
    let mut row = Row { crash, tried: 0, whole, cut, unnoticed, trap, refused, worst: None };
    let mut random = Random::new(seed);
    for place in &survey.places {
        let remains = crash.leaves(place, start, &mut random);
        let from = if remains.cut < place.start { place.page } else { seat(place) };
        let fall = server.fall(file, from, remains)?;
        row.tried += 1;
        *match fall.fate {
            Fate::Whole => &mut row.whole,
            Fate::Cut(_) | Fate::CutDamage(_) => &mut row.cut,
            Fate::Unnoticed => &mut row.unnoticed,
            Fate::TornAnnotation | Fate::OpenMulti(_) => &mut row.trap,
            Fate::Refused(_) => &mut row.refused,
        } += 1;
        let commands = place.behind().saturating_sub(fall.commands);
        let written = if crash == Crash::Page { remains.size } else { remains.cut };
        let bytes = written.saturating_sub(fall.kept);
        let worse = |worst: &Worst| (commands, bytes) > (worst.commands, worst.bytes);
        if commands > 0 && row.worst.as_ref().is_none_or(worse) {
            row.worst = Some(Worst { commands, bytes, at: remains.size });
        }
    }
    Ok(row)
}

fn seat(place: &Place) -> Seat {
    Seat { start: place.start, before: place.before, state: place.state }
}

/// So many places, spread evenly over the bytes of the file.
fn spread(places: &[Place], count: usize, start: u64, size: u64) -> Vec<&Place> {
    let parts = count as u64 + 1;
    let at = |n: u64| start + (size - start) / parts * n;
    let mut taken: Vec<&Place> = (1..parts)
        .filter_map(|n| places.get(places.partition_point(|place| place.end < at(n))))
        .collect();
    taken.dedup();
    taken
}

/// The server that wrote what was replayed, or the newest.
fn written_by(replayed: &Replayed) -> &'static Release {
    let named = replayed.written_by().and_then(|release| Release::by_name(&release.to_string()));
    named.unwrap_or_else(|| Target::newest().release)
}

/// What recovers the files, the last one as a crash left it.
struct Recoverer<'a, W> {
    found: &'a Found,
    files: &'a [(PathBuf, Arc<dyn File>, u64)],
    how: replay::Options,
    watch: W,
}

impl<W: Fn(u64) + Clone + Send + 'static> Recoverer<'_, W> {
    fn recover(&self, remains: Remains) -> Result<(Recovery, Replayed)> {
        let begin = Instant::now();
        let open = |path: &Path| self.open(path, remains);
        let mut report = replay_parts(&self.found.folder, &self.found.files, &self.how, open)?;
        let took = begin.elapsed();
        let outcome = report.parts.last().and_then(|part| part.commands.as_ref());
        let kept = outcome.map_or(remains.size, |outcome| {
            outcome.state.multi.map_or(outcome.end, |multi| multi.offset)
        });
        let (applied, failed, skipped) = report.commands();
        let recovery = Recovery {
            remains,
            kept,
            as_foretold: true,
            commands: applied + failed + skipped,
            keys: keys(&mut report),
            memory: report.store.memory() as u64,
            took,
        };
        Ok((recovery, report))
    }

    fn open(&self, path: &Path, remains: Remains) -> Result<Source> {
        let file = self.files.iter().enumerate().find(|(_, (name, ..))| name == path);
        let Some((at, (_, file, size))) = file else {
            return Err(Error::Usage(format!("{}: not one of the files", path.display())));
        };
        let is_last = at + 1 == self.files.len();
        let remains = if is_last { remains } else { Remains { cut: *size, size: *size } };
        let reader = Box::new(remains.read(file, 0));
        let watch = self.watch.clone();
        let before: u64 = self.files.iter().take(at).map(|(.., size)| size).sum();
        let input = Input::File(path.to_path_buf());
        source::read(&input, reader, Some(remains.size), move |bytes| watch(before + bytes))
    }

    /// Loads the RDB beside the AOF, and holds it against that.
    fn snapshot(&self, found: &Found, aof: &mut Replayed, fs: &dyn Fs) -> Result<Option<Snapshot>> {
        let Some(path) = &found.rdb else { return Ok(None) };
        let (file, size) = open(fs, path)?;
        let reader = Box::new(Remains { cut: size, size }.read(&file, 0));
        let input = Input::File(path.clone());
        let begin = Instant::now();
        let source = source::read(&input, reader, Some(size), self.watch.clone())?;
        let mut report = replay(source, &input, &self.how)?;
        let took = begin.elapsed();
        let facts = report.parts.first().and_then(|part| part.rdb.as_ref());
        let created = facts.and_then(|(facts, _)| facts.aux_value(b"ctime"));
        let created = created.and_then(crate::encoding::number::parse_i64);
        let (rdb, aof) = (report.store.look(), aof.store.look());
        let counts = Comparison::new(&rdb, &aof, &Default::default()).counts;
        Ok(Some(Snapshot { path: path.clone(), created, counts, took }))
    }
}

fn keys(report: &mut Replayed) -> u64 {
    let dbs = count(&report.store.look());
    dbs.values().flat_map(|types| types.values()).map(|sum| sum.keys).sum()
}

fn open(fs: &dyn Fs, path: &Path) -> Result<(Arc<dyn File>, u64)> {
    let (dir, name) = open_parent(fs, path)?;
    let failed = |err| Error::io(path, "open", err);
    let file = dir.open(&name, Access::Read).map_err(failed)?;
    let size = file.stat().map_err(failed)?.size;
    Ok((file, size))
}

/// The AOF that a path stands for.
fn find(path: &Path) -> Result<Found> {
    let failed = |err| Error::io(path, "open", err);
    if !std::fs::metadata(path).map_err(failed)?.is_dir() {
        return match SetPath::of_manifest(path) {
            Some(set) => parts(&set),
            None => single(path),
        };
    }
    let folder = Folder::open(path).map_err(failed)?;
    match stems(&folder).as_slice() {
        [] => data_folder(path),
        [stem] => parts(&SetPath { folder: path.to_path_buf(), stem: stem.clone() }),
        several => {
            let text = format!("{} holds {} AOFs; name a manifest", path.display(), several.len());
            Err(Error::Usage(text))
        }
    }
}

fn parts(path: &SetPath) -> Result<Found> {
    let set = open_set(path)?;
    let mut files = Vec::new();
    for part in set.parts.iter().filter(|part| part.is_loaded()) {
        let path = set.folder.path.join(part.name());
        if !matches!(part.node, Some(Node::File(_))) {
            let text = format!("{}: the manifest names it, and it is not there", path.display());
            return Err(Error::Usage(text));
        }
        files.push(path);
    }
    Ok(Found { folder: path.folder.clone(), files, rdb: None })
}

fn single(path: &Path) -> Result<Found> {
    let input = Input::File(path.to_path_buf());
    let source = source::open(&input, |_| {})?;
    if source.compression.is_some() {
        let text = format!("{}: a compressed file; unpack it first", path.display());
        return Err(Error::Usage(text));
    }
    let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
    Ok(Found { folder, files: vec![path.to_path_buf()], rdb: None })
}

fn no_aof(path: &Path) -> Error {
    let why = "there is no AOF in it. An RDB is written beside the old one and renamed: a crash leaves the one or \
        the other, whole, and costs what was written since";
    Error::Usage(format!("{}: {why}", path.display()))
}

/// What a server with this data folder would load.
fn data_folder(path: &Path) -> Result<Found> {
    let startup = startup(path, None, None)?;
    if let Some(why) = startup.plan.refuses.first() {
        let text = format!("{}: a server does not start here: {why}", path.display());
        return Err(Error::Usage(text));
    }
    let loads = startup.plan.loads;
    if loads.iter().all(|load| load.what == What::Rdb) {
        return Err(no_aof(path));
    }
    let rdb = path.join(&startup.settings.db_file_name);
    let rdb = rdb.metadata().is_ok_and(|meta| meta.is_file() && meta.len() > 0).then_some(rdb);
    let files = loads.into_iter().map(|load| load.path).collect();
    Ok(Found { folder: path.to_path_buf(), files, rdb })
}
