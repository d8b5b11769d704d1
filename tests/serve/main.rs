//! `rdbtool serve` through real sockets: the wire, the commands about connections, the clients that people
//! use, and what is left when it is killed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout
)]

mod clients;
mod kill;
mod limits;
mod measures;
#[path = "../support/servers.rs"]
mod servers;
mod session;
mod wait;
mod wire;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use servers::{Client, Reply};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program at work; dropping it ends it.
pub(crate) struct Serve {
    child: Child,
    pub(crate) address: SocketAddr,
    /// What it said on its way up.
    pub(crate) said: String,
}

impl Serve {
    /// Starts it with these arguments on any port, and waits until it listens.
    pub(crate) fn start<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Serve {
        let mut serve = Serve {
            child: Command::new(env!("CARGO_BIN_EXE_rdbtool"))
                .args(["serve", "--port", "0"])
                .args(args)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("it starts"),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            said: String::new(),
        };
        // The pipe stays open as long as the program runs: what it says there later must not end it.
        let mut stdout = BufReader::new(serve.child.stdout.as_mut().unwrap());
        loop {
            let mut line = String::new();
            if stdout.read_line(&mut line).unwrap() == 0 {
                let said = std::mem::take(&mut serve.said);
                let (status, errors) = serve.ended();
                panic!("it ended: {status}\n{said}{errors}");
            }
            serve.said.push_str(&line);
            if let Some(rest) = line.strip_prefix("listening on ") {
                serve.address = rest.split(' ').next().unwrap().parse().unwrap();
                return serve;
            }
        }
    }

    /// On a dump with keys of every type.
    pub(crate) fn dump() -> Serve {
        Serve::start([testdata("dump.rdb")])
    }

    /// A store in this folder with nothing that saves by itself.
    pub(crate) fn store(dir: &Path) -> Serve {
        Serve::start([OsStr::new("--dir"), dir.as_os_str(), "--save".as_ref(), "".as_ref()])
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address.port()).unwrap()
    }

    /// A bare connection.
    pub(crate) fn socket(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end; what it said on stderr.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        let mut errors = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut errors).unwrap();
        }
        (status, errors)
    }

    /// Is it still there, and answers?
    pub(crate) fn is_well(&self) -> bool {
        self.client().command(&["PING"]).is_ok_and(|reply| reply == Reply::Status("PONG".into()))
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

/// Sends bytes, says that no more come, and gives everything that is answered.
pub(crate) fn exchange(mut socket: TcpStream, bytes: &[u8]) -> Vec<u8> {
    // It may close before it has read everything.
    let _ = socket.write_all(bytes);
    let _ = socket.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    answer
}

/// A request as clients send it.
pub(crate) fn request(args: &[&str]) -> Vec<u8> {
    let args: Vec<String> = args.iter().map(|arg| format!("${}\r\n{arg}\r\n", arg.len())).collect();
    format!("*{}\r\n{}", args.len(), args.concat()).into_bytes()
}

pub(crate) fn text(reply: Reply) -> String {
    match reply {
        Reply::Error(text) => text,
        other => other.text(),
    }
}
