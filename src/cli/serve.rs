//! `rdbtool serve`: a file behind a socket, or a store that keeps its data.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;

use super::Exit;
use super::args::{LimitArgs, NowArgs};
use super::help::{FAILED, Page};
use super::load::{StoreArgs, load_path};
use super::output::is_coloured;
use super::session::Log;
use crate::error::{Error, Result};
use crate::job::replay::Options;
use crate::report::screen::Screen;
use crate::report::serve::{Loaded, listening, loaded};
use crate::serve::{Clock, End, Server, Settings};
use crate::store::Store;

/// Examples and exit status.
pub(crate) const PAGE: Page = Page {
    examples: &[
        ("rdbtool serve dump.rdb", "Look into a backup with redis-cli -p 6380, or any client."),
        ("rdbtool serve appendonlydir --port 7000", "The same for an AOF, on another port."),
        (
            "rdbtool serve dump.rdb --now 2026-11-22T14:00:00Z",
            "As of that moment: nothing expires that had not expired then.",
        ),
    ],
    exit: &[("0", "It was asked to end: by a signal or SHUTDOWN."), FAILED],
    json: &[],
};

/// Let redis-cli and every other client look into a file
///
/// Loads a dump or an AOF as replay does and answers clients of Redis and Valkey, over RESP2 and RESP3, until
/// SIGINT, SIGTERM or SHUTDOWN ends it. The file is read once and never changed: commands that write are
/// refused. With --now the clock stands still there, and nothing expires that had not expired by then.
///
/// Only programs on this machine reach it, unless --bind and --remote say otherwise. The port is not that of
/// a server, so that no program takes a backup for the real thing by mistake.
#[derive(Debug, Args)]
#[command(after_help = PAGE.after_help())]
pub(crate) struct ServeArgs {
    /// An RDB, an AOF, the manifest or folder of one of several files, or - for standard input.
    #[arg(value_name = "PATH")]
    path: PathBuf,

    #[command(flatten)]
    net: NetArgs,

    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    now: NowArgs,

    #[command(flatten)]
    limits: LimitArgs,

    /// Say nothing but errors.
    #[arg(long, short)]
    quiet: bool,
}

/// Who may come, and where.
#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetArgs {
    /// Port to listen on; 0 is any that is free.
    #[arg(long, value_name = "PORT", default_value_t = 6380)]
    port: u16,

    /// Address to listen on. May be repeated.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    bind: Vec<IpAddr>,

    /// Allow addresses that other hosts reach. That takes a password too.
    #[arg(long)]
    remote: bool,

    /// The password that clients have to say, with AUTH or HELLO. Other users of this machine can see it here;
    /// --requirepass-file hides it from them.
    #[arg(long, value_name = "PASSWORD", conflicts_with = "requirepass_file")]
    requirepass: Option<String>,

    /// Read the password from the first line of this file.
    #[arg(long, value_name = "FILE")]
    requirepass_file: Option<PathBuf>,

    /// With --remote: no password is needed. Whoever reaches the port can read everything.
    #[arg(long, requires = "remote")]
    no_password: bool,

    /// Clients at a time.
    #[arg(long, value_name = "N")]
    maxclients: Option<usize>,
}

impl NetArgs {
    /// The settings that the arguments change.
    fn settings(&self) -> Result<Settings> {
        let mut settings = Settings::default();
        if let Some(password) = &self.requirepass {
            settings.password = Some(password.clone().into_bytes());
        }
        if let Some(path) = &self.requirepass_file {
            let text = std::fs::read(path).map_err(|err| Error::io(path, "read", err))?;
            let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
            if line.is_empty() {
                return Err(Error::Usage(format!("{}: its first line is empty", path.display())));
            }
            settings.password = Some(line.to_vec());
        }
        if settings.password.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::Usage("an empty password is none".to_owned()));
        }
        settings.max_clients = self.maxclients.unwrap_or(settings.max_clients).max(1);
        Ok(settings)
    }

    /// Where to listen, if that is allowed.
    fn addresses(&self, settings: &Settings) -> Result<Vec<SocketAddr>> {
        let refused = |ip: &IpAddr, what: &str| Err(Error::Usage(format!("{ip}: {what}")));
        for ip in self.bind.iter().filter(|ip| !Server::is_private(ip)) {
            if !self.remote {
                return refused(ip, "other hosts reach this address; --remote allows it");
            }
            if settings.password.is_none() && !self.no_password {
                let what = "other hosts reach this address: --requirepass-file FILE gives a password, \
                            --no-password does without";
                return refused(ip, what);
            }
        }
        Ok(self.bind.iter().map(|ip| SocketAddr::new(*ip, self.port)).collect())
    }
}

impl ServeArgs {
    /// Serves until it is told to end.
    pub(crate) fn run(self, log: &Log) -> anyhow::Result<Exit> {
        let settings = self.net.settings()?;
        let addresses = self.net.addresses(&settings)?;
        let told = Told { quiet: self.quiet };
        let store = self.load(&told, log)?;
        let clock = self.now.given().map_or(Clock::System, Clock::Still);
        let server = Server::bind(store, settings, &addresses, clock).map_err(cannot_listen)?;
        serve(server, &told)
    }

    /// Loads the file.
    fn load(&self, told: &Told, log: &Log) -> anyhow::Result<Store> {
        let options = Options {
            limits: self.limits.limits(),
            jobs: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            now_ms: self.now.ms(),
            engine: self.store.config(),
            ..Options::default()
        };
        let since = Instant::now();
        let (path, report) = load_path(&self.path, &options, !self.quiet)?;
        let clean = report.is_clean();
        let engine = report.store.into_engine();
        told.say(|out, screen| {
            let took = since.elapsed();
            loaded(out, screen, &Loaded { path: &path, engine: &engine, took })
        })?;
        if !clean && !self.quiet {
            log.note(&format!(
                "{}: not all of it could be loaded; `rdbtool replay` says why",
                path.display()
            ));
        }
        Ok(Store::read_only(engine))
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
        End::Fatal(fatal) => anyhow::bail!("{fatal:?}"),
        End::System(err) => Err(failed(err).into()),
    }
}

fn cannot_listen((address, err): (SocketAddr, io::Error)) -> Error {
    let hint = match err.kind() {
        io::ErrorKind::AddrInUse => "; --port takes another one, and 0 any that is free",
        _ => "",
    };
    Error::Usage(format!("{address}: cannot listen there: {err}{hint}"))
}

/// What it tells on stdout while it serves.
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
