//! `rdbtool convert`: another file, for another server.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::Exit;
use super::args::{Common, LimitArgs, NowArgs, duration_ms};
use super::filter::FilterArgs;
use super::help::Page;
use super::load::StoreArgs;
use super::output::Output;
use super::session::Log;
use crate::error::Error;
use crate::input::source::open;
use crate::job::convert::inputs::Inputs;
use crate::job::convert::write::{Made, to_file, to_folder, to_stream};
use crate::job::convert::{Form, Given, Options, Winner};
use crate::job::replay::Whose;
use crate::job::subject::{Subject, subjects};
use crate::persist::real::RealFs;
use crate::persist::{signals, target};
use crate::rdb::header::Dialect;
use crate::rdb::target::Target;
use crate::rdb::versions::{RELEASES, Release};
use crate::report::convert::{Conversion, text};
use crate::report::convert_json::{self, ConvertJson};
use crate::report::facts::File;
use crate::report::{facts_json, json};

/// Examples and exit status.
pub(crate) const PAGE: Page = Page {
    examples: &[
        (
            "rdbtool convert dump.rdb -o valkey.rdb --target valkey-9.1",
            "From Redis 8 to Valkey 9, which would refuse the file as it is.",
        ),
        (
            "rdbtool convert dump.rdb -o old.rdb --target redis-6.2 --lossy",
            "Down to an old server, without what that does not know.",
        ),
        (
            "rdbtool convert dump.rdb -o part.rdb --target redis-7.2 --key 'user:*' --map-db 0=3",
            "A part of it, into another database.",
        ),
        (
            "rdbtool convert dump.rdb --to resp -o - --target redis-7.0 --lossy | redis-cli --pipe",
            "Send what is in it to a running server.",
        ),
        (
            "rdbtool convert appendonlydir -o dump.rdb --target redis-7.2",
            "From an AOF to an RDB: what a server holds that starts with it.",
        ),
        (
            "rdbtool convert dump.rdb -o /restore/appendonlydir --to aofdir --target redis-7.2",
            "What a server with appendonly yes starts from.",
        ),
        (
            "rdbtool convert a.rdb b.rdb -o all.rdb --target redis-7.2 --duplicates last",
            "Two into one; of a key that both have, the last counts.",
        ),
        (
            "rdbtool convert dump.rdb --to jsonl -o - | jq -c 'select(.type==\"hash\")'",
            "As text, a line a key; rdbtool-jsonl(5) has every field.",
        ),
        (
            "rdbtool convert edited.jsonl -o dump.rdb --target redis-7.2",
            "And back: nothing is lost on the way.",
        ),
        ("rdbtool convert dump.rdb --to csv -o keys.csv", "A row a key, for a spreadsheet."),
        ("zcat dump.rdb.gz | rdbtool convert - -o - --target redis-7.0 >new.rdb", "Through pipes."),
    ],
    exit: &[
        ("0", "Done: the new file holds all that was selected."),
        (
            "1",
            "Something the target cannot hold: nothing was written, or with --lossy all but that.",
        ),
        ("2", "Nothing was written: wrong usage, an error, or a damaged source."),
    ],
    json: &[facts_json::FIELDS, convert_json::FIELDS, convert_json::LOSSES],
};

/// Make another file of RDBs and AOFs, for any server, newer or older, Redis or Valkey
///
/// Values of an RDB are taken as they are where the target reads them, and encoded anew where not. An AOF
/// is replayed, as rdbtool-replay(1) does it, and what the server would hold then is written. It is replayed
/// by the rules of the server that wrote it, where its RDB names that one, else by those of --target (but no
/// server before 7.0 wrote a folder with a manifest), else by those of the newest Redis. What the target
/// cannot hold is listed key by key, each loss with a stable code, and nothing is written unless --lossy is
/// given.
///
/// With --to aof or --to resp it writes the commands that make every key anew, as the server's own rewrite
/// of its AOF does; a module's value is restored from its payload. With --restore every key is. Only
/// RESTORE sets LRU and LFU marks and the times of consumers: without it these are left out, as by
/// the server's own rewrite, which is told and needs no consent. With --to aofdir it makes a new folder
/// such as a server keeps: a base, an empty incr file and their manifest.
///
/// With --to jsonl it writes text that loses nothing, a line a key; such lines are read wherever an RDB is.
/// --to json and --to csv show keys to people and their programs, and less of them. rdbtool-jsonl(5)
/// describes all three. Text is for no server and needs no --target.
///
/// The new file is read back and checked before it gets its name: an interrupted run leaves the old file
/// or none. Keys' expire times stay what they are, and keys of an AOF whose time has come are kept, as
/// servers keep them when they start. RESIZEDB counts, checksum and the server's version are written anew;
/// AUX fields about replication and clusters are left out.
///
/// Several inputs become one output, one after the other. A key that two of them have is damage unless
/// --duplicates says which counts. A key that comes twice in one input, or that databases put together by
/// --map-db have in common, is damage in any case. JSON Lines of several inputs are read by the rules of the
/// first one's family, Redis or Valkey: what only the other has cannot be among them.
#[derive(Debug, Args)]
#[command(after_help = PAGE.after_help())]
pub(crate) struct ConvertArgs {
    /// RDBs, AOFs and JSON Lines: files, the manifest or folder of an AOF, or - for standard input.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// What to make.
    #[arg(long, value_name = "FORM", default_value = "rdb")]
    to: To,

    /// The server it is for, such as redis-6.2 or valkey-9.1. Text is for none.
    #[arg(long, value_name = "SERVER", value_parser = release)]
    target: Option<&'static Release>,

    /// An RDB version instead: 1 to 14, or 80.
    #[arg(long, value_name = "N", value_parser = version, conflicts_with = "target")]
    rdb_version: Option<Target>,

    /// Leave out what the target cannot hold.
    #[arg(long)]
    lossy: bool,

    /// Begin an AOF with an RDB (`aof-use-rdb-preamble`): yes or no. The default is yes with --to aofdir, and
    /// no with --to aof.
    #[arg(long, value_name = "BOOL", value_parser = yes_or_no)]
    preamble: Option<bool>,

    /// Of commands, one RESTORE a key.
    #[arg(long, conflicts_with = "preamble")]
    restore: bool,

    /// What the names of the files in a new folder begin with (`appendfilename`).
    #[arg(long, value_name = "NAME", default_value = "appendonly.aof", value_parser = file_name)]
    appendfilename: String,

    /// Which of several inputs counts that have a key in common.
    #[arg(long, value_name = "WHICH")]
    duplicates: Option<Which>,

    /// Do not compress what is encoded anew.
    #[arg(long)]
    no_compression: bool,

    /// Damage to accept: tail, a file that is cut short: what it holds up to there is taken; failed,
    /// commands of an AOF that fail: they are passed over, as by servers. May be repeated.
    #[arg(long, value_name = "WHAT", value_delimiter = ',', hide_possible_values = true)]
    tolerate: Vec<Tolerate>,

    /// Put the keys of one database into another: 0=3. May be repeated.
    #[arg(long, value_name = "FROM=TO", value_parser = pair)]
    map_db: Vec<(u64, u64)>,

    /// Leave out keys whose time has come.
    #[arg(long)]
    drop_expired: bool,

    /// Move every expire time, those of hash fields too: 7d, -90m, 250ms.
    #[arg(long, value_name = "TIME", value_parser = duration_ms, allow_hyphen_values = true)]
    shift_ttl: Option<i64>,

    /// List every loss.
    #[arg(long, short, conflicts_with = "quiet")]
    verbose: bool,

    #[command(flatten)]
    now: NowArgs,

    #[command(flatten)]
    filter: FilterArgs,

    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    limits: LimitArgs,

    #[command(flatten)]
    common: Common,
}

/// Forms of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum To {
    /// An RDB file.
    Rdb,
    /// An AOF of one file.
    Aof,
    /// The folder of an AOF, as servers since 7.0 have it.
    Aofdir,
    /// Commands for redis-cli --pipe.
    Resp,
    /// Text, a line a key, which loses nothing and is read back.
    Jsonl,
    /// A JSON document: keys and their data, and nothing else.
    Json,
    /// A table: a row a key, without its data.
    Csv,
}

/// Inputs that have a key in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// The one named first.
    First,
    /// The one named last.
    Last,
}

/// What damage to accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tolerate {
    /// A file that ends too early.
    Tail,
    /// Commands that fail.
    Failed,
}

pub(super) fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("expected yes or no".to_owned()),
    }
}

fn file_name(text: &str) -> Result<String, String> {
    let is_plain = !text.is_empty() && !text.contains(['/', '\\', '\0']) && text != "..";
    is_plain.then(|| text.to_owned()).ok_or_else(|| "expected the name of a file".to_owned())
}

pub(super) fn release(name: &str) -> Result<&'static Release, String> {
    Release::by_name(name).ok_or_else(|| {
        let names: Vec<_> = RELEASES.iter().map(|release| release.name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

fn version(text: &str) -> Result<Target, String> {
    let version = text.parse().ok().and_then(Target::version);
    version.ok_or_else(|| "expected an RDB version that a server wrote: 1 to 14, or 80".to_owned())
}

fn pair(text: &str) -> Result<(u64, u64), String> {
    let numbers = text.split_once('=').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    let in_range = |(a, b): &(u64, u64)| *a.max(b) <= crate::limits::DATABASES_MAX;
    numbers.filter(in_range).ok_or_else(|| "expected two database numbers such as 0=3".to_owned())
}

impl ConvertArgs {
    /// Converts.
    pub(crate) fn run(self, log: &Log) -> anyhow::Result<Exit> {
        let Some(to) = self.common.output.clone() else {
            let why = "say where to: -o FILE, or -o - for standard output";
            anyhow::bail!(Error::Usage(why.to_owned()));
        };
        let target = match (self.target, self.rdb_version) {
            (Some(release), _) => Target::of(release),
            (None, Some(target)) => target,
            // Text is for no server: it holds what every one has.
            (None, None) if self.is_text() => Target::of(newest()),
            (None, None) => {
                let why = "say whom it is for: --target SERVER, such as redis-7.2".to_owned();
                anyhow::bail!(Error::Usage(why));
            }
        };
        let mut moved = BTreeMap::new();
        if self.map_db.iter().any(|(from, to)| moved.insert(from, to).is_some_and(|old| old != to))
        {
            let why = "--map-db: one database cannot go to two".to_owned();
            anyhow::bail!(Error::Usage(why));
        }
        let options = self.options(target)?;
        let given = given(&self.paths)?;
        let first = given.first();
        let (compression, disk_size) = match first {
            Some(Given::File(source, _)) => (source.compression, source.size),
            _ => (None, None),
        };
        let path = self.paths.first().map_or(Path::new(""), PathBuf::as_path);
        let filtered = !options.filter.is_open();
        let file = File { path, compression, disk_size, filtered };
        let mut inputs = Inputs::new(&RealFs, given, &options, self.lossy)?;
        if to == Path::new("-") {
            if self.to == To::Aofdir {
                let why = "a folder cannot go to standard output";
                anyhow::bail!(Error::Usage(why.to_owned()));
            }
            let mut out = BufWriter::new(io::stdout().lock());
            let report = to_stream(&mut inputs, &mut out)?;
            out.flush()?;
            let written = report.is_agreed(self.lossy);
            let target = Some(target).filter(|_| !self.is_text());
            let conversion = Conversion { file, to: &to, target, report: &report, written };
            return self.tell(&mut io::stderr(), &conversion, log);
        }
        signals::install().map_err(|err| Error::io(&to, "catch signals while writing", err))?;
        let Made { report, written } = match self.to {
            To::Aofdir => to_folder(&RealFs, &mut inputs, &to, self.appendfilename.as_bytes())?,
            _ => to_file(&RealFs, &mut inputs, &to, target::Options::default())?,
        };
        let mut out = Output::open(None, &[])?;
        let target = Some(target).filter(|_| !self.is_text());
        let written = !written.is_empty();
        let conversion = Conversion { file, to: &to, target, report: &report, written };
        let exit = self.tell(&mut out, &conversion, log)?;
        out.finish()?;
        Ok(exit)
    }

    fn is_text(&self) -> bool {
        matches!(self.to, To::Jsonl | To::Json | To::Csv)
    }

    /// The form that is asked for.
    fn form(&self, target: Target) -> Result<Form, Error> {
        let is_folder = self.to == To::Aofdir;
        if is_folder && !target.release.has_redis(7, 0) {
            let why = "an AOF of several files came with 7.0; --to aof makes one of a single file";
            return Err(Error::Usage(format!("{}: {why}", target.release.name)));
        }
        let is_aof = is_folder || self.to == To::Aof;
        let preamble = self.preamble.unwrap_or(is_folder && !self.restore);
        if self.preamble.is_some() && !is_aof {
            let why = "--preamble is for --to aof and --to aofdir".to_owned();
            return Err(Error::Usage(why));
        }
        if self.restore && (self.to == To::Rdb || self.is_text()) {
            let why = "--restore is for --to resp, aof and aofdir".to_owned();
            return Err(Error::Usage(why));
        }
        if self.restore && !target.release.has_redis(2, 6) {
            return Err(Error::Usage("RESTORE came with 2.6".to_owned()));
        }
        if preamble && !target.release.has_redis(4, 0) {
            let why = "an RDB at the start of an AOF came with 4.0".to_owned();
            return Err(Error::Usage(why));
        }
        Ok(match (self.to, preamble, self.restore) {
            (To::Rdb, ..) => Form::Rdb,
            (To::Jsonl, ..) => Form::JsonLines,
            (To::Json, ..) => Form::Json,
            (To::Csv, ..) => Form::Csv,
            (_, true, _) => Form::Preamble,
            (_, false, true) => Form::Restore,
            (_, false, false) => Form::Commands,
        })
    }

    fn options(&self, target: Target) -> Result<Options, Error> {
        let limits = self.limits.limits();
        Ok(Options {
            limits,
            losses: limits.findings,
            jobs: self.common.jobs(),
            form: self.form(target)?,
            target,
            compress: !self.no_compression,
            filter: self.filter.filter(),
            map_db: self.map_db.iter().copied().collect::<BTreeMap<_, _>>(),
            drop_expired: self.drop_expired,
            shift_ttl_ms: self.shift_ttl.unwrap_or(0),
            now_ms: self.now.ms(),
            winner: self.duplicates.map(|which| match which {
                Which::First => Winner::First,
                Which::Last => Winner::Last,
            }),
            tolerate_tail: self.tolerate.contains(&Tolerate::Tail),
            tolerate_failed: self.tolerate.contains(&Tolerate::Failed),
            tolerate_unknown: false,
            engine: self.store.config(),
            // An RDB version, or text, names no server that may have written the source.
            whose: match self.target {
                Some(_) => Whose::writer_or(target),
                None => Whose::Writer(None),
            },
        })
    }

    fn tell(
        &self,
        out: &mut dyn Write,
        conversion: &Conversion<'_>,
        log: &Log,
    ) -> anyhow::Result<Exit> {
        if self.common.json {
            json::line(out, &ConvertJson::new(conversion))?;
        } else if !self.common.quiet || !conversion.written {
            let screen = Output::open(None, &[])?.screen(self.common.color);
            text(out, conversion, self.common.detail(self.verbose), &screen)?;
        }
        let report = conversion.report;
        if !report.damage.is_empty() {
            log.note(
                "the source is damaged; see what check says of it, and replay of an AOF; a file that is cut \
                 short is taken with --tolerate tail, commands that fail are passed over with \
                 --tolerate failed",
            );
            return Ok(Exit::Failed);
        }
        Ok(if report.has_losses() { Exit::Look } else { Exit::Clean })
    }
}

/// The newest Redis.
fn newest() -> &'static Release {
    let redis = RELEASES.iter().rfind(|release| release.dialect == Dialect::Redis);
    redis.unwrap_or(&RELEASES[0])
}

/// Opens what paths stand for: each one file or one AOF.
fn given(paths: &[PathBuf]) -> anyhow::Result<Vec<Given>> {
    let stdin = paths.iter().filter(|path| *path == Path::new("-")).count();
    if stdin > 1 {
        anyhow::bail!(Error::Usage("standard input can be read only once".to_owned()));
    }
    let mut given = Vec::new();
    for path in paths {
        let mut found = subjects(path)?;
        let (Some(subject), true) = (found.pop(), found.is_empty()) else {
            let name = path.display();
            let why = match found.is_empty() {
                true => "no RDB or AOF in it",
                false => "several RDBs or AOFs in it; name one",
            };
            anyhow::bail!(Error::Usage(format!("{name}: {why}")));
        };
        given.push(match subject {
            Subject::Set(set) => Given::Set(set),
            Subject::File(input) => Given::File(open(&input, |_| {})?, input),
        });
    }
    Ok(given)
}
