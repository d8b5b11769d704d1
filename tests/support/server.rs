//! A real server for tests: started in a folder of its own on a free port of 127.0.0.1, spoken to over
//! RESP2, ended by its process id when dropped. Self-contained: `#[path = "../support/server.rs"] mod server;`

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server.
pub(crate) struct Server {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

/// A connection to one.
pub(crate) struct Client {
    input: BufReader<TcpStream>,
    output: TcpStream,
}

/// A RESP2 reply as it came.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Resp {
    Nil,
    NilArray,
    Simple(String),
    Error(String),
    Int(i64),
    Bulk(Vec<u8>),
    Array(Vec<Resp>),
}

/// The server to test against: `$RDBTOOL_TEST_SERVER`, or redis-server from PATH. Without one the test
/// is skipped, loudly; where `CI` is set that is a failure.
pub(crate) fn find_server() -> Option<PathBuf> {
    let named = std::env::var_os("RDBTOOL_TEST_SERVER").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path =
        || std::env::split_paths(&path).map(|dir| dir.join("redis-server")).find(|p| p.is_file());
    let found = named.or_else(in_path);
    if found.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "no redis-server, and CI must not skip this test"
        );
        eprintln!(
            "\n*** SKIP: no redis-server found (apt install redis-server); nothing was tested ***\n"
        );
    }
    found
}

impl Server {
    /// Starts `binary` with `options` such as `["--appendonly", "yes"]`, and waits until it answers.
    pub(crate) fn start(binary: &Path, options: &[&str]) -> Server {
        for _ in 0..10 {
            let folder = tempfile::tempdir().expect("a folder for the server");
            // Free now; should another take it before the server does, the next round has another.
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let child = Command::new(binary)
                .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
                .arg(folder.path())
                .args(options)
                .stdout(std::fs::File::create(folder.path().join("server.log")).unwrap())
                .stderr(Stdio::null())
                .spawn()
                .expect("the server can be started");
            let mut server = Server { child, port, folder };
            if server.wait_until_ready() {
                return server;
            }
        }
        panic!("{} does not start", binary.display());
    }

    fn wait_until_ready(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                let mut client = Client::new(stream);
                if client.command(&["PING"]) == Resp::Simple("PONG".into()) {
                    return true;
                }
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> Client {
        Client::new(TcpStream::connect(("127.0.0.1", self.port)).expect("the server listens"))
    }

    /// Its folder, where it leaves its files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Client {
    fn new(stream: TcpStream) -> Client {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Client { output: stream.try_clone().unwrap(), input: BufReader::new(stream) }
    }

    /// Sends one command and waits for its reply.
    pub(crate) fn command<T: AsRef<[u8]>>(&mut self, argv: &[T]) -> Resp {
        let mut out = Vec::new();
        encode(argv, &mut out);
        self.output.write_all(&out).unwrap();
        read_reply(&mut self.input)
    }

    /// Sends many commands at once and waits for all replies.
    pub(crate) fn pipeline<T: AsRef<[u8]>>(&mut self, commands: &[Vec<T>]) -> Vec<Resp> {
        let mut out = Vec::new();
        commands.iter().for_each(|argv| encode(argv, &mut out));
        std::thread::scope(|scope| {
            let output = &mut self.output;
            scope.spawn(move || output.write_all(&out).unwrap());
            commands.iter().map(|_| read_reply(&mut self.input)).collect()
        })
    }
}

/// Appends a command as RESP.
pub(crate) fn encode<T: AsRef<[u8]>>(argv: &[T], out: &mut Vec<u8>) {
    write!(out, "*{}\r\n", argv.len()).unwrap();
    for arg in argv {
        write!(out, "${}\r\n", arg.as_ref().len()).unwrap();
        out.extend_from_slice(arg.as_ref());
        out.extend_from_slice(b"\r\n");
    }
}

/// Reads one RESP2 reply.
pub(crate) fn read_reply(input: &mut impl BufRead) -> Resp {
    let mut line = Vec::new();
    input.read_until(b'\n', &mut line).expect("the server answers");
    let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
    let (kind, rest) = text.split_at(1);
    let number = || rest.parse::<i64>().unwrap();
    match kind {
        "+" => Resp::Simple(rest.to_owned()),
        "-" => Resp::Error(rest.to_owned()),
        ":" => Resp::Int(number()),
        "$" if number() < 0 => Resp::Nil,
        "$" => {
            let mut bytes = vec![0; number() as usize + 2];
            input.read_exact(&mut bytes).unwrap();
            bytes.truncate(bytes.len() - 2);
            Resp::Bulk(bytes)
        }
        "*" if number() < 0 => Resp::NilArray,
        "*" => Resp::Array((0..number()).map(|_| read_reply(input)).collect()),
        _ => panic!("not a RESP2 reply: {text:?}"),
    }
}
