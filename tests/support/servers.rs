//! Real servers for tests: finds them, starts one on 127.0.0.1 with a folder of its own, talks to it,
//! ends it. `.ci/servers.sh` installs them; a test without its server says so loudly, and fails in CI.
//!
//! Looked for in two places: `redis-server` on the PATH, and every
//! `$RDBTOOL_SERVERS/<name>/{redis,valkey}-server` (default `target/servers`).

#![allow(dead_code, reason = "every test file uses a part of it")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The servers that `.ci/servers.sh` installs beside the one on the PATH.
const INSTALLED: [&str; 4] = ["redis-6.2.5", "redis-8.2.3", "valkey-8.1.8", "valkey-9.1.2"];

/// How long a server may take to load its files and answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whose server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    Redis,
    Valkey,
}

/// A server program.
#[derive(Debug, Clone)]
pub(crate) struct ServerBinary {
    /// `redis-7.0.15`, `valkey-9.1.2`.
    pub(crate) name: String,
    pub(crate) family: Family,
    pub(crate) version: (u32, u32, u32),
    pub(crate) path: PathBuf,
}

impl ServerBinary {
    /// Asks the program for its version.
    fn at(path: PathBuf) -> Option<ServerBinary> {
        let output = Command::new(&path).arg("--version").stdin(Stdio::null()).output().ok()?;
        let line = String::from_utf8(output.stdout).ok()?;
        let family = if line.starts_with("Valkey") { Family::Valkey } else { Family::Redis };
        let number = line.split_whitespace().find_map(|word| word.strip_prefix("v="))?;
        let mut parts = number.split('.').map(|part| part.parse().ok());
        let version = (parts.next()??, parts.next()??, parts.next()??);
        let word = if family == Family::Valkey { "valkey" } else { "redis" };
        Some(ServerBinary { name: format!("{word}-{number}"), family, version, path })
    }

    /// The newest RDB version it writes.
    pub(crate) fn rdb_version(&self) -> u32 {
        match (self.family, self.version) {
            (Family::Valkey, (9.., ..)) => 80,
            (Family::Valkey, _) => 11,
            (Family::Redis, version) => match version {
                (8, 8.., _) => 14,
                (8, 6.., _) => 13,
                (8, ..) | (7, 4.., _) => 12,
                (7, 2.., _) => 11,
                (7, ..) => 10,
                (5 | 6, ..) => 9,
                (4, ..) => 8,
                (3, 2.., _) => 7,
                _ => 6,
            },
        }
    }

    /// Whether it has the switch that allows DEBUG.
    fn has_debug_switch(&self) -> bool {
        self.family == Family::Valkey || self.version >= (7, 0, 0)
    }

    /// The same program under the name of a check tool: it goes by the name it is called.
    fn called(&self, name: &str) -> Command {
        let mut command = Command::new(&self.path);
        let family = if self.family == Family::Valkey { "valkey" } else { "redis" };
        command.arg0(format!("{family}-{name}")).stdin(Stdio::null());
        command
    }

    /// Runs its check-rdb. One that does not come to an end is ended, and gives no answer.
    pub(crate) fn check_rdb(&self, file: &Path) -> Option<Output> {
        within(self.called("check-rdb").arg(file), Duration::from_secs(10))
    }

    /// Runs its check-aof with these arguments.
    pub(crate) fn check_aof(&self, args: &[&OsStr]) -> Option<Output> {
        within(self.called("check-aof").args(args), Duration::from_secs(10))
    }
}

/// Runs a program to its end, or ends it.
fn within(command: &mut Command, patience: Duration) -> Option<Output> {
    let out = tempfile::tempfile().expect("a temporary file");
    let both = || out.try_clone().expect("a second handle");
    let child = command.stdout(both()).stderr(both()).spawn().expect("the program starts");
    let mut process = Process(child);
    let since = Instant::now();
    while !process.has_ended() {
        if since.elapsed() > patience {
            return None;
        }
        sleep(Duration::from_millis(2));
    }
    let status = process.0.wait().expect("its state");
    let mut stdout = Vec::new();
    let mut out = out;
    io::Seek::rewind(&mut out).expect("from the start");
    out.read_to_end(&mut stdout).expect("its output");
    Some(Output { status, stdout, stderr: Vec::new() })
}

/// Every server there is, oldest first. Each one missing is named on stderr; in CI that is a failure.
pub(crate) fn all() -> &'static [ServerBinary] {
    static ALL: OnceLock<Vec<ServerBinary>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut found: BTreeMap<String, ServerBinary> = BTreeMap::new();
        let on_path = ServerBinary::at("redis-server".into());
        let missing_on_path = on_path.is_none().then_some("redis-server on the PATH");
        let installed = programs(&folder()).into_iter().filter_map(ServerBinary::at);
        for server in installed.chain(on_path) {
            found.insert(server.name.clone(), server);
        }
        let lost = INSTALLED.into_iter().filter(|name| !found.contains_key(*name));
        let lost: Vec<_> = missing_on_path.into_iter().chain(lost).collect();
        for name in &lost {
            // Straight to stderr: what the print macros write is kept back when a test passes.
            let line =
                format!("SKIP: no {name}, so nothing is tested against it: bash .ci/servers.sh\n");
            let _ = io::stderr().write_all(line.as_bytes());
        }
        assert!(lost.is_empty() || std::env::var_os("CI").is_none(), "servers missing: {lost:?}");
        found.into_values().collect()
    })
}

/// The server of this name, if it is there.
pub(crate) fn named(name: &str) -> Option<&'static ServerBinary> {
    all().iter().find(|server| server.name == name)
}

fn folder() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers");
    std::env::var_os("RDBTOOL_SERVERS").map_or_else(default, PathBuf::from)
}

fn programs(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let folders: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    let named = |name: &'static str| folders.iter().map(move |folder| folder.join(name));
    named("redis-server").chain(named("valkey-server")).filter(|path| path.exists()).collect()
}

/// What a server is started with.
#[derive(Debug, Default, Clone)]
pub(crate) struct Setup {
    /// Lines of the configuration, after those that every server gets.
    pub(crate) lines: Vec<String>,
    /// Files in its folder, by their path from there.
    pub(crate) files: Vec<(String, Vec<u8>)>,
}

impl Setup {
    /// A server that starts from this dump and saves nothing by itself.
    pub(crate) fn dump(rdb: &[u8]) -> Setup {
        Setup { lines: Vec::new(), files: vec![("dump.rdb".into(), rdb.to_vec())] }
    }

    /// The same with one more line.
    pub(crate) fn line(mut self, line: &str) -> Setup {
        self.lines.push(line.into());
        self
    }
}

/// A running server; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Server {
    process: Process,
    folder: TempDir,
    client: Client,
    /// Where it listens.
    pub(crate) port: u16,
}

/// A server that ended before it answered, with what it wrote to its log.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) log: String,
}

impl Server {
    /// Starts a server and waits until it has loaded its files, or has ended.
    pub(crate) fn start(binary: &ServerBinary, setup: &Setup) -> Result<Server, Refused> {
        for _ in 0..5 {
            match Server::try_start(binary, setup) {
                // Between finding a free port and using it another test may have taken it.
                Err(refused) if refused.log.contains("Address already in use") => continue,
                done => return done,
            }
        }
        panic!("no free port for {}", binary.name)
    }

    fn try_start(binary: &ServerBinary, setup: &Setup) -> Result<Server, Refused> {
        let folder =
            tempfile::Builder::new().prefix("rdbtool-server-").tempdir().expect("a folder");
        for (name, bytes) in &setup.files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, bytes).expect("a file for the server");
        }
        let port = free_port();
        fs::write(folder.path().join("server.conf"), conf(binary, &folder, port, setup))
            .expect("the configuration");
        let log = fs::File::create(folder.path().join("server.log")).expect("a log");
        let child = Command::new(&binary.path)
            .arg("server.conf")
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("the server starts");
        await_answer(Process(child), folder, port)
    }

    /// Sends a command and waits for the answer.
    pub(crate) fn command(&mut self, args: &[impl AsRef<[u8]>]) -> Reply {
        self.client.command(args).expect("the server answers")
    }

    /// Another connection.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.port).expect("the server accepts")
    }

    /// DEBUG DIGEST: 40 hex digits of everything it holds.
    pub(crate) fn digest(&mut self) -> String {
        self.command(&["DEBUG", "DIGEST"]).text()
    }

    /// Keys in all databases.
    pub(crate) fn dbsize(&mut self) -> u64 {
        let info = self.command(&["INFO", "keyspace"]).text();
        let counts = info.split(&[',', ':']).filter_map(|part| part.strip_prefix("keys="));
        counts.map(|count| count.parse::<u64>().expect("a count")).sum()
    }

    /// The server's folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has written to its log.
    pub(crate) fn log(&self) -> String {
        read_log(&self.folder)
    }

    /// Lets it shut down by itself without saving, as an operator would. Returns what it leaves in its
    /// folder, by its path from there, but for its configuration and its log: what the next server is to
    /// start from.
    pub(crate) fn shut_down(mut self) -> io::Result<Vec<(String, Vec<u8>)>> {
        let _ = self.client.command(&["SHUTDOWN", "NOSAVE"]);
        self.process.0.wait()?;
        let mut found = files(self.folder.path())?;
        found.retain(|(name, _)| !["server.conf", "server.log"].contains(&name.as_str()));
        Ok(found)
    }
}

/// A program that does not outlive its handle, whatever becomes of the test.
#[derive(Debug)]
struct Process(Child);

impl Process {
    fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("its state").is_some()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn files(folder: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next)? {
            let path = entry?.path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let name = path.strip_prefix(folder).expect("in the folder");
                    found.push((name.to_string_lossy().into_owned(), fs::read(&path)?));
                }
            }
        }
    }
    found.sort();
    Ok(found)
}

fn conf(binary: &ServerBinary, folder: &TempDir, port: u16, setup: &Setup) -> String {
    let mut lines = vec![
        "bind 127.0.0.1".to_owned(),
        format!("port {port}"),
        format!("dir {}", folder.path().display()),
        "daemonize no".into(),
        "save \"\"".into(),
        "appendonly no".into(),
    ];
    if binary.has_debug_switch() {
        lines.push("enable-debug-command yes".into());
    }
    lines.extend(setup.lines.iter().cloned());
    lines.join("\n") + "\n"
}

/// A port nobody listens on, below the range that the system gives to connections, and another one
/// each time: tests run side by side, in several processes.
fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(131);
    let ports = std::iter::repeat_with(|| NEXT.fetch_add(1, Ordering::Relaxed)).take(1000);
    let mut ports = ports.map(|n| 12_000 + (first.wrapping_add(n) % 20_000) as u16);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}

fn read_log(folder: &TempDir) -> String {
    let log = fs::read(folder.path().join("server.log")).unwrap_or_default();
    String::from_utf8_lossy(&log).into_owned()
}

fn await_answer(mut process: Process, folder: TempDir, port: u16) -> Result<Server, Refused> {
    let since = Instant::now();
    loop {
        if process.has_ended() {
            return Err(Refused { log: read_log(&folder) });
        }
        if let Some(client) = ready(port, process.0.id()) {
            return Ok(Server { process, folder, client, port });
        }
        if since.elapsed() > PATIENCE {
            panic!("the server neither answers nor ends:\n{}", read_log(&folder));
        }
        sleep(Duration::from_millis(5));
    }
}

/// A connection to the server of this process, once it has loaded its files.
fn ready(port: u16, pid: u32) -> Option<Client> {
    let mut client = Client::connect(port).ok()?;
    let Reply::Bulk(Some(info)) = client.command(&["INFO", "server"]).ok()? else { return None };
    // Another program may have taken the port first; then ours ends with that complaint.
    let ours = format!("process_id:{pid}\r\n");
    if !String::from_utf8_lossy(&info).contains(&ours) {
        return None;
    }
    let loaded = client.command(&["PING"]).ok()?;
    matches!(loaded, Reply::Status(pong) if pong == "PONG").then_some(client)
}

/// What a server said of a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Load {
    /// It loaded the file and serves it.
    pub(crate) up: bool,
    /// Keys in all databases, if it is up.
    pub(crate) dbsize: Option<u64>,
    /// DEBUG DIGEST, if it is up and lives through it: a damaged value may end it.
    pub(crate) digest: Option<String>,
    /// Its log.
    pub(crate) log: String,
}

/// Starts a server with this dump.
pub(crate) fn loads(binary: &ServerBinary, rdb: &[u8]) -> Load {
    loads_with(binary, &Setup::dump(rdb))
}

/// The same with more settings.
pub(crate) fn loads_with(binary: &ServerBinary, setup: &Setup) -> Load {
    let mut server = match Server::start(binary, setup) {
        Ok(server) => server,
        Err(Refused { log }) => return Load { up: false, dbsize: None, digest: None, log },
    };
    let dbsize = Some(server.dbsize());
    let digest = server.client.command(&["DEBUG", "DIGEST"]).ok().map(|reply| reply.text());
    Load { up: true, dbsize, digest, log: server.log() }
}

/// An answer in RESP 2.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reply {
    Status(String),
    Error(String),
    Int(i64),
    Bulk(Option<Vec<u8>>),
    Array(Option<Vec<Reply>>),
}

impl Reply {
    /// The text of a status, an integer or a bulk string.
    pub(crate) fn text(&self) -> String {
        match self {
            Reply::Status(text) => text.clone(),
            Reply::Int(number) => number.to_string(),
            Reply::Bulk(Some(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            other => panic!("no text: {other:?}"),
        }
    }

    /// Reads an answer in RESP 2.
    pub(crate) fn read(input: &mut impl BufRead) -> io::Result<Reply> {
        let mut line = Vec::new();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // An error may repeat any bytes of the command.
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches(['\r', '\n']);
        let (kind, rest) = line.split_at_checked(1).ok_or(io::ErrorKind::InvalidData)?;
        let number =
            || rest.parse::<i64>().map_err(|_| io::Error::from(io::ErrorKind::InvalidData));
        match kind {
            "+" => Ok(Reply::Status(rest.into())),
            "-" => Ok(Reply::Error(rest.into())),
            ":" => Ok(Reply::Int(number()?)),
            "$" => match usize::try_from(number()?) {
                Ok(len) => {
                    let mut bytes = vec![0; len + 2];
                    input.read_exact(&mut bytes)?;
                    bytes.truncate(len);
                    Ok(Reply::Bulk(Some(bytes)))
                }
                Err(_) => Ok(Reply::Bulk(None)),
            },
            "*" => {
                let items = |len| (0..len).map(|_| Reply::read(input)).collect::<io::Result<_>>();
                Ok(Reply::Array(usize::try_from(number()?).ok().map(items).transpose()?))
            }
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// The items of an array.
    pub(crate) fn items(self) -> Vec<Reply> {
        match self {
            Reply::Array(Some(items)) => items,
            other => panic!("no array: {other:?}"),
        }
    }
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects to a port of this machine.
    pub(crate) fn connect(port: u16) -> io::Result<Client> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Client { stream: BufReader::new(stream) })
    }

    /// Sends a command and waits for the answer.
    pub(crate) fn command(&mut self, args: &[impl AsRef<[u8]>]) -> io::Result<Reply> {
        let mut request = Vec::new();
        append_command(args, &mut request);
        self.stream.get_mut().write_all(&request)?;
        Reply::read(&mut self.stream)
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Waits for an answer.
    pub(crate) fn receive(&mut self) -> io::Result<Reply> {
        Reply::read(&mut self.stream)
    }

    /// Sends commands together and waits for all answers.
    pub(crate) fn pipeline(&mut self, commands: &[Vec<Vec<u8>>]) -> io::Result<Vec<Reply>> {
        let mut request = Vec::new();
        commands.iter().for_each(|args| append_command(args, &mut request));
        self.stream.get_mut().write_all(&request)?;
        commands.iter().map(|_| Reply::read(&mut self.stream)).collect()
    }
}

fn append_command(args: &[impl AsRef<[u8]>], out: &mut Vec<u8>) {
    out.extend(format!("*{}\r\n", args.len()).into_bytes());
    for arg in args {
        out.extend(format!("${}\r\n", arg.as_ref().len()).into_bytes());
        out.extend_from_slice(arg.as_ref());
        out.extend_from_slice(b"\r\n");
    }
}
