//! `rdbtool convert`: another file, for another server.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::Exit;
use super::args::{Common, LimitArgs, NowArgs, duration_ms};
use super::filter::FilterArgs;
use super::help::Page;
use super::output::Output;
use super::session::Log;
use crate::error::Error;
use crate::input::detect::FileKind;
use crate::input::source::{Input, open};
use crate::job::convert::Options;
use crate::job::convert::write::{to_file, to_stream};
use crate::persist::real::RealFs;
use crate::persist::{signals, target};
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
    json: &[facts_json::FIELDS, convert_json::FIELDS],
};

/// Make another RDB of an RDB, for any server, newer or older, Redis or Valkey
///
/// Values are taken as they are where the target reads them, and encoded anew where not. What the target
/// cannot hold is listed key by key, each loss with a stable code, and nothing is written unless --lossy is
/// given.
///
/// The new file is read back and checked before it gets its name: an interrupted run leaves the old file
/// or none. Keys' expire times stay what they are. RESIZEDB counts, checksum and the server's version
/// are written anew; AUX fields about replication and clusters are left out.
#[derive(Debug, Args)]
#[command(after_help = PAGE.after_help())]
pub(crate) struct ConvertArgs {
    /// An RDB, or - for standard input.
    #[arg(value_name = "PATH")]
    path: PathBuf,

    /// What to make.
    #[arg(long, value_name = "FORM", default_value = "rdb")]
    to: Form,

    /// The server it is for, such as redis-6.2 or valkey-9.1.
    #[arg(long, value_name = "SERVER", value_parser = release, required_unless_present = "rdb_version")]
    target: Option<&'static Release>,

    /// An RDB version instead: 1 to 14, or 80.
    #[arg(long, value_name = "N", value_parser = version, conflicts_with = "target")]
    rdb_version: Option<Target>,

    /// Leave out what the target cannot hold.
    #[arg(long)]
    lossy: bool,

    /// Do not compress what is encoded anew.
    #[arg(long)]
    no_compression: bool,

    /// Take what a file that is cut short holds up to there.
    #[arg(long, value_name = "WHAT")]
    tolerate: Option<Tolerate>,

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
    limits: LimitArgs,

    #[command(flatten)]
    common: Common,
}

/// Forms of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// An RDB file.
    Rdb,
}

/// What damage to accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tolerate {
    /// A file that ends too early.
    Tail,
}

fn release(name: &str) -> Result<&'static Release, String> {
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
            (None, None) => anyhow::bail!(Error::Usage("name a --target".to_owned())),
        };
        let options = self.options(target);
        let input = match self.path == Path::new("-") {
            true => Input::Stdin,
            false => Input::File(self.path.clone()),
        };
        let source = open(&input, |_| {})?;
        let (compression, disk_size) = (source.compression, source.size);
        let filtered = !options.filter.is_open();
        let file = File { path: &self.path, compression, disk_size, filtered };
        if source.kind != FileKind::Rdb {
            let name = self.path.display();
            anyhow::bail!(Error::Usage(format!(
                "{name} is no RDB; of AOFs this version makes none"
            )));
        }
        let Form::Rdb = self.to;
        if to == Path::new("-") {
            let mut out = BufWriter::new(io::stdout().lock());
            let report = to_stream((source, &input), &mut out, &options, self.lossy)?;
            out.flush()?;
            let written = report.is_agreed(self.lossy);
            let conversion = Conversion { file, to: &to, target, report: &report, written };
            return self.tell(&mut io::stderr(), &conversion, log);
        }
        signals::install().map_err(|err| Error::io(&to, "catch signals while writing", err))?;
        let how = target::Options::default();
        let converted = to_file(&RealFs, (source, &input), &to, &options, self.lossy, how)?;
        let mut out = Output::open(None, &[])?;
        let (report, written) = (&converted.report, converted.written.is_some());
        let conversion = Conversion { file, to: &to, target, report, written };
        let exit = self.tell(&mut out, &conversion, log)?;
        out.finish()?;
        Ok(exit)
    }

    fn options(&self, target: Target) -> Options {
        Options {
            limits: self.limits.limits(),
            jobs: self.common.jobs(),
            target,
            compress: !self.no_compression,
            filter: self.filter.filter(),
            map_db: self.map_db.iter().copied().collect::<BTreeMap<_, _>>(),
            drop_expired: self.drop_expired,
            shift_ttl_ms: self.shift_ttl.unwrap_or(0),
            now_ms: self.now.ms(),
            tolerate_tail: self.tolerate == Some(Tolerate::Tail),
        }
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
                "the source is damaged; see what check says of it, or take a file that is cut short \
                 with --tolerate tail",
            );
            return Ok(Exit::Failed);
        }
        Ok(if report.losses.is_empty() { Exit::Clean } else { Exit::Look })
    }
}
