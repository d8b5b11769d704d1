//! The store behind a socket: what redis-cli and every other client of Redis speaks to.
//!
//! ```text
//! turn:  wait ─► read ─► requests ─► store.execute ─► answers collected
//!                                        │
//!                                        store.before_replies (the AOF is written, and with `always`
//!                                                              is on the disk) ─► answers sent
//!                                                              ─► tick (save points, fsync, expiry,
//!                                                                       a slice of a snapshot)
//! ```
//! One thread runs all of that, as in the servers: commands are atomic because nothing runs beside them. No
//! answer leaves before [`Store::before_replies`] has returned, so that what a client was told is as safe as
//! `appendfsync` promises.
//!
//! Clients are not trusted. What they send is bounded ([`crate::limits::serve`]), what is malformed closes
//! only the one that sent it, and no command takes a path.

mod blocked;
mod client;
mod clients;
mod conf;
mod own;
mod request;
mod run;
mod settings;
mod turn;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use mio::net::{TcpListener, UnixStream};
use mio::{Events, Interest, Poll, Token};

use self::clients::Clients;
pub use self::conf::Conf;
pub use self::settings::Settings;
use crate::persist::signals;
use crate::store::{Fatal, Store};

/// What has happened so far, for INFO.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    accepted: u64,
    rejected: u64,
    /// Commands that are not the engine's, which counts its own.
    commands: u64,
    bytes_in: u64,
    bytes_out: u64,
    /// Clients closed because they did not take their answers, or sent too much.
    closed_for_limits: u64,
}

/// Why a server has ended.
#[derive(Debug)]
pub enum End {
    /// A signal or SHUTDOWN asked for it.
    Asked,
    /// What was written cannot be made safe: nothing that is not safe was answered.
    Fatal(Fatal),
    /// The system does not let it go on.
    System(io::Error),
}

/// What time it is for the data, in ms since 1970: nothing else here goes by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// That of the system.
    System,
    /// Always this: what would have expired later does not.
    Still(i64),
}

impl Clock {
    fn now_ms(self) -> i64 {
        match self {
            Clock::Still(ms) => ms,
            Clock::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            }
        }
    }
}

/// A server: sockets around a store.
#[derive(Debug)]
pub struct Server {
    store: Store,
    settings: Settings,
    poll: Poll,
    events: Events,
    listeners: Vec<TcpListener>,
    /// Readable when a signal asks for the end.
    signal: Option<UnixStream>,
    clients: Clients,
    /// Clients that may have something to read or to run.
    busy: Vec<usize>,
    /// Clients with answers to be sent, or to be closed.
    answered: Vec<usize>,
    /// Clients that wait, in the order in which they came.
    waiting: Vec<usize>,
    /// What is read goes here first.
    scratch: Vec<u8>,
    counts: Counts,
    slow_log: own::SlowLog,
    started: Instant,
    /// Time since the start in ms, which no clock that is set can turn back, as of this turn …
    up_ms: i64,
    /// … and of the last tick.
    ticked_ms: i64,
    /// There were requests in this turn.
    served: bool,
    /// The time for the data, as of this turn.
    now_ms: i64,
    /// It ends after this turn.
    ended: bool,
    /// Whoever wants to know what goes on.
    log: fn(&str),
    clock: Clock,
}

/// How the events of a socket are told apart: listeners, the signal, then clients by their place.
const SIGNAL: Token = Token(usize::MAX - 1);
const FIRST_LISTENER: usize = usize::MAX / 2;

impl Server {
    /// Listens on every address. `log` is told what an operator should know while it serves.
    ///
    /// # Errors
    /// The address that cannot be listened on, and why.
    pub fn bind(
        store: Store,
        settings: Settings,
        addresses: &[SocketAddr],
        clock: Clock,
        log: fn(&str),
    ) -> Result<Server, (SocketAddr, io::Error)> {
        allow_files(settings.max_clients);
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let poll = Poll::new().map_err(|err| (nowhere, err))?;
        let mut listeners = Vec::new();
        for address in addresses {
            let failed = |err| (*address, err);
            let mut listener = TcpListener::bind(*address).map_err(failed)?;
            let token = Token(FIRST_LISTENER + listeners.len());
            poll.registry().register(&mut listener, token, Interest::READABLE).map_err(failed)?;
            listeners.push(listener);
        }
        Ok(Server {
            store,
            settings,
            poll,
            events: Events::with_capacity(1024),
            listeners,
            signal: None,
            clients: Clients::default(),
            busy: Vec::new(),
            answered: Vec::new(),
            waiting: Vec::new(),
            scratch: vec![0; crate::limits::serve::READ],
            counts: Counts::default(),
            slow_log: own::SlowLog::default(),
            started: Instant::now(),
            up_ms: 0,
            ticked_ms: 0,
            served: false,
            now_ms: clock.now_ms(),
            ended: false,
            log,
            clock,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(TcpListener::local_addr).collect()
    }

    /// SIGINT, SIGTERM and SIGHUP end it from now on, as SHUTDOWN does.
    ///
    /// # Errors
    /// When the system does not allow handlers.
    pub fn end_on_signals(&mut self) -> io::Result<()> {
        let mut signal = UnixStream::from_std(signals::stream()?);
        self.poll.registry().register(&mut signal, SIGNAL, Interest::READABLE)?;
        self.signal = Some(signal);
        Ok(())
    }

    /// Time since the start.
    fn up_ms(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// Is this an address that only programs of this machine reach?
    pub fn is_private(address: &IpAddr) -> bool {
        address.to_canonical().is_loopback()
    }
}

/// Lets the process have a file for every client, as far as the system allows. Who comes when there are no
/// more waits.
fn allow_files(clients: usize) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = (clients as u64).saturating_add(OWN_FILES);
    let most = limit.maximum.map_or(wanted, |most| most.min(wanted));
    if limit.current.is_some_and(|now| now < most) {
        limit.current = Some(most);
        // What there is will do.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

/// Files beside those of clients.
const OWN_FILES: u64 = 64;
