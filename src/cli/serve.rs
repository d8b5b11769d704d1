//! `rdbtool serve`: a file behind a socket, or a store that keeps its data.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use clap::Args;

use super::Exit;
use super::args::{LimitArgs, NowArgs};
use super::help::{FAILED, Page};
use super::load::load_path;
use super::output::is_coloured;
use super::session::Log;
use crate::error::{Error, Result};
use crate::job::replay::{Config, Options, Origin, Release, Whose};
use crate::job::startup::data_folder;
use crate::persist::real::RealFs;
use crate::report::screen::Screen;
use crate::report::serve::{Loaded, listening, loaded};
use crate::serve::{Clock, Conf, End, Server};
use crate::store::{Store, Threads};

/// Examples and exit status.
pub(crate) const PAGE: Page = Page {
    examples: &[
        ("rdbtool serve dump.rdb", "Look into a backup with redis-cli -p 6380, or any client."),
        (
            "rdbtool serve appendonlydir --now 2026-11-22T14:00:00Z",
            "An AOF as of that moment: nothing expires that had not expired then.",
        ),
        (
            "rdbtool serve --dir data --appendonly yes --appendfsync always",
            "A store that keeps what it is told, in files that a server reads too.",
        ),
        (
            "rdbtool serve --config redis.conf --port 7000",
            "With the settings and in the folder of that server, which must not be running.",
        ),
    ],
    exit: &[
        ("0", "It was asked to end, by a signal or SHUTDOWN, and everything is on the disk."),
        FAILED,
    ],
    json: &[],
};

/// Answer clients: look into a file with redis-cli, or keep data
///
/// With PATH: loads a dump or an AOF as replay does, and answers any client of Redis and Valkey, over RESP2
/// and RESP3, until SIGINT, SIGTERM or SHUTDOWN ends it. The file is read once and never changed: commands
/// that write are refused, and EVAL, which may (EVAL_RO runs). With --now the clock stands still, and nothing expires that had not expired then.
///
/// With --dir: a store that loads what is in that folder as a server does when it starts, and keeps there
/// what clients write: snapshots, an AOF or both, in the files that servers read and write. A start that
/// would lose data is refused, with advice.
///
/// Only programs on this machine reach it, unless --bind and --remote say otherwise. The port is not that of
/// a server, so that no program takes a backup for the real thing by mistake.
#[derive(Debug, Args)]
#[command(after_help = PAGE.after_help())]
pub(crate) struct ServeArgs {
    /// An RDB, an AOF, the manifest or folder of one of several files, or - for standard input.
    #[arg(value_name = "PATH", required_unless_present_any = ["dir", "config"])]
    path: Option<PathBuf>,

    /// Keep the data in this folder.
    #[arg(long, value_name = "DIR", conflicts_with = "path")]
    dir: Option<PathBuf>,

    #[command(flatten)]
    settings: SettingArgs,

    #[command(flatten)]
    net: NetArgs,

    #[command(flatten)]
    now: NowArgs,

    #[command(flatten)]
    limits: LimitArgs,

    /// Say nothing but errors.
    #[arg(long, short)]
    quiet: bool,
}

/// Settings, as redis.conf has them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
struct SettingArgs {
    /// Read settings from a redis.conf: port, bind, requirepass, those about memory and databases, and those
    /// about files. What is not here is passed over. Other arguments count more.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Whether there is an AOF.
    #[arg(long, value_name = "yes|no")]
    appendonly: Option<String>,

    /// When the AOF reaches the disk: before the answer, every second, or when the system likes.
    #[arg(long, value_name = "always|everysec|no")]
    appendfsync: Option<String>,

    /// When a snapshot is made: after so many seconds, if there were so many changes. "" is never.
    #[arg(long, value_name = "SECONDS CHANGES ...")]
    save: Option<String>,

    /// Any other setting by its name in redis.conf, such as --set maxmemory=1gb. May be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
}

/// Who may come, and where.
#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
struct NetArgs {
    /// Port to listen on; 0 is any that is free. The default is 6380.
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,

    /// Address to listen on. May be repeated. The default is 127.0.0.1.
    #[arg(long, value_name = "ADDRESS")]
    bind: Vec<IpAddr>,

    /// Allow addresses that other hosts reach. That takes a password too.
    #[arg(long)]
    remote: bool,

    /// The password that clients have to say, with AUTH or HELLO. Other users of this machine can see
    /// arguments; they cannot see what a file says that --config names.
    #[arg(long, value_name = "PASSWORD")]
    requirepass: Option<String>,

    /// With --remote: no password is needed. Whoever reaches the port can read everything, and write.
    #[arg(long, requires = "remote")]
    no_password: bool,
}

/// Where it listens unless it is told.
const PORT: u16 = 6380;

impl ServeArgs {
    /// Serves until it is told to end.
    pub(crate) fn run(self, log: &Log) -> anyhow::Result<Exit> {
        let conf = self.conf()?;
        let addresses = self.net.addresses(&conf)?;
        let told = Told { quiet: self.quiet };
        let (store, clock) = match &self.path {
            Some(path) => {
                let clock = self.now.given().map_or(Clock::System, Clock::Still);
                (self.load(path, &conf, &told, log)?, clock)
            }
            None => (open(&conf, self.now.ms(), &told, log)?, Clock::System),
        };
        let server = Server::bind(store, conf.net, &addresses, clock, tell);
        serve(server.map_err(cannot_listen)?, &told)
    }

    /// What the arguments and the file they name set.
    fn conf(&self) -> Result<Conf> {
        let mut conf = Conf::default();
        let settings = &self.settings;
        if let Some(path) = &settings.config {
            let text = std::fs::read(path).map_err(|err| Error::io(path, "read", err))?;
            conf.read(&text).map_err(|(line, why)| {
                Error::Usage(format!("{}: line {line}: {why}", path.display()))
            })?;
            conf.store.files.dir = Some(data_folder(path, &conf.store.files));
        }
        let given = [
            ("appendonly", &settings.appendonly),
            ("appendfsync", &settings.appendfsync),
            ("requirepass", &self.net.requirepass),
        ];
        let given = given.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        let mut all: Vec<(&str, &str)> = given.collect();
        if let Some(points) = &settings.save {
            all.extend([("save", ""), ("save", points.as_str())]);
        }
        for text in &settings.set {
            let pair = text.split_once(['=', ' ']);
            let wrong = || Error::Usage(format!("--set {text}: expected NAME=VALUE"));
            all.push(pair.ok_or_else(wrong)?);
        }
        for (name, value) in all {
            conf.set(&name.to_ascii_lowercase(), value.as_bytes()).map_err(Error::Usage)?;
        }
        if let Some(dir) = &self.dir {
            conf.store.files.dir = Some(dir.clone());
        }
        conf.store.jobs = jobs();
        Ok(conf)
    }

    /// Loads a file to be looked at.
    fn load(&self, path: &Path, conf: &Conf, told: &Told, log: &Log) -> anyhow::Result<Store> {
        let engine = &conf.store.engine;
        let engine = Config {
            databases: engine.databases,
            max_memory: engine.max_memory,
            ..Config::default()
        };
        let now_ms = self.now.ms();
        let limits = self.limits.limits();
        let whose = Whose::Writer(None);
        let options = Options { limits, jobs: jobs(), now_ms, engine, whose, ..Options::default() };
        let since = Instant::now();
        let (path, mut report) = load_path(path, &options, !self.quiet)?;
        let clean = report.is_clean();
        // From now on it has clients.
        let each = report.store.each_mut();
        each.for_each(|engine| engine.set_release(Release::NEWEST, Origin::Clients));
        let store = Store::read_only(report.store.into_engine());
        told.say(|out, screen| {
            let (engine, took) = (store.engine(), since.elapsed());
            loaded(
                out,
                screen,
                &Loaded { from: std::slice::from_ref(&path), engine, took, how: "read-only" },
            )
        })?;
        if !clean && !self.quiet {
            let name = path.display();
            log.note(&format!("{name}: not all of it could be loaded; `rdbtool replay` says why"));
        }
        Ok(store)
    }
}

/// Opens a folder to keep data in.
fn open(conf: &Conf, now_ms: i64, told: &Told, log: &Log) -> anyhow::Result<Store> {
    let since = Instant::now();
    let background = Box::new(Threads::start());
    let (store, opened) = Store::open(Arc::new(RealFs), background, conf.store.clone(), now_ms)?;
    let options = store.options();
    let aof = match options.files.append_only {
        true => format!("AOF, fsync {}", options.fsync.as_str()),
        false => "no AOF".to_owned(),
    };
    let snapshots = if options.save.is_empty() { "no snapshots" } else { "snapshots" };
    told.say(|out, screen| {
        let how = &format!("{}: {aof}, {snapshots}", options.dir().display());
        let (engine, took) = (store.engine(), since.elapsed());
        loaded(out, screen, &Loaded { from: &opened.loaded, engine, took, how })
    })?;
    for note in &opened.notes {
        log.note(note);
    }
    Ok(store)
}

fn jobs() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

impl NetArgs {
    /// Where to listen, if that is allowed.
    fn addresses(&self, conf: &Conf) -> Result<Vec<SocketAddr>> {
        let refused = |ip: &IpAddr, what: &str| Err(Error::Usage(format!("{ip}: {what}")));
        let mut bind = if self.bind.is_empty() { conf.bind.clone() } else { self.bind.clone() };
        if bind.is_empty() {
            bind.push(Ipv4Addr::LOCALHOST.into());
        }
        for ip in bind.iter().filter(|ip| !Server::is_private(ip)) {
            if !self.remote {
                return refused(ip, "other hosts reach this address; --remote allows it");
            }
            if conf.net.password.is_none() && !self.no_password {
                let what = "other hosts reach this address: --requirepass gives a password, \
                            --no-password does without";
                return refused(ip, what);
            }
        }
        let port = self.port.or(conf.port).unwrap_or(PORT);
        Ok(bind.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }
}

/// Listens, says so, and serves.
fn serve(mut server: Server, told: &Told) -> anyhow::Result<Exit> {
    let failed = |err| Error::io(Path::new("socket"), "open", err);
    server.end_on_signals().map_err(failed)?;
    let addresses = server.addresses().map_err(failed)?;
    told.say(|out, screen| listening(out, screen, &addresses))?;
    match server.run() {
        End::Asked => Ok(Exit::Clean),
        End::Fatal(fatal) => Err(fatal.0.into()),
        End::System(err) => Err(failed(err).into()),
    }
}

/// What happens while it serves.
fn tell(text: &str) {
    Log::new().note(text);
}

fn cannot_listen((address, err): (SocketAddr, io::Error)) -> Error {
    let hint = match err.kind() {
        io::ErrorKind::AddrInUse => "; --port takes another one, and 0 any that is free",
        _ => "",
    };
    Error::Usage(format!("{address}: cannot listen there: {err}{hint}"))
}

/// What it tells on stdout on its way up.
struct Told {
    quiet: bool,
}

impl Told {
    fn say(
        &self,
        write: impl FnOnce(&mut dyn Write, &Screen) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        if self.quiet {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        let screen = Screen::new(is_coloured(&io::stdout()), None);
        write(&mut out, &screen)?;
        out.flush()?;
        Ok(())
    }
}
