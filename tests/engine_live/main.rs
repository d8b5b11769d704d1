//! The engine against a live server: the same random commands to both, every reply compared, and
//! DEBUG DIGEST every few hundred commands.
//!
//! A data type adds a file here with `pub const KIND: Kind`, and a line in `KINDS`. Which server, which
//! seeds, how many commands, which data types: `$RDBTOOL_TEST_SERVER`, `$RDBTOOL_TEST_SEEDS` ("1,2,3"),
//! `$RDBTOOL_TEST_COMMANDS`, `$RDBTOOL_TEST_KINDS` ("hash,zset").

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout
)]

mod dice;
mod generic;
mod geo;
mod hash;
#[path = "../support/server.rs"]
mod server;
mod string;
mod zset;

use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

use dice::{Cmd, Compare, Dice, Kind, show};
use rdbtool::engine::{Config, Engine, Mode, Release, Session};
use server::{Client, Resp, Server, find_server};

/// Every data type's commands.
const KINDS: &[Kind] = &[string::KIND, generic::KIND, hash::KIND, zset::KIND, geo::KIND];

/// Those asked for, or all.
fn kinds() -> Vec<Kind> {
    let asked = std::env::var("RDBTOOL_TEST_KINDS").ok();
    let is_asked =
        |kind: &&Kind| asked.as_ref().is_none_or(|names| names.split(',').any(|n| n == kind.name));
    KINDS.iter().filter(is_asked).copied().collect()
}

/// Commands sent together, and between two digests.
const BATCH: usize = 200;

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

/// The release that a server says it is.
fn release(client: &mut Client) -> Release {
    let Resp::Bulk(info) = client.command(&["INFO", "server"]) else { panic!("INFO") };
    let info = String::from_utf8(info).unwrap();
    let version = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name))?;
        let mut parts = line.split('.').map(|part| part.parse::<u8>().unwrap());
        Some((parts.next()?, parts.next()?))
    };
    match (version("valkey_version:"), version("redis_version:")) {
        (Some((major, minor)), _) => Release::valkey(major, minor),
        (None, Some((major, minor))) => Release::redis(major, minor),
        _ => panic!("no version in {info}"),
    }
}

struct Pair {
    client: Client,
    engine: Engine,
    session: Session,
    /// How the replies of an open transaction are to be compared.
    queued: Vec<Compare>,
    /// The last commands with their replies, to show when something differs.
    past: VecDeque<(Cmd, Resp)>,
    done: usize,
}

impl Pair {
    fn new(server: &Server) -> Pair {
        let mut client = server.connect();
        assert_eq!(client.command(&["FLUSHALL"]), Resp::Simple("OK".into()));
        client.command(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"]);
        let release = release(&mut client);
        let mut engine = Engine::new(Config { release, ..Config::default() });
        engine.set_mode(Mode::Serving);
        Pair {
            client,
            engine,
            session: Session::new(),
            queued: Vec::new(),
            past: VecDeque::new(),
            done: 0,
        }
    }

    fn run(&mut self, commands: Vec<Cmd>, seed: u64) {
        let argvs: Vec<_> = commands.iter().map(|cmd| cmd.argv.clone()).collect();
        for (cmd, theirs) in commands.into_iter().zip(self.client.pipeline(&argvs)) {
            self.engine.set_clock(now_ms());
            let argv: Vec<&[u8]> = cmd.argv.iter().map(Vec::as_slice).collect();
            let reply = self.engine.execute(&mut self.session, &argv).to_resp2();
            let ours = server::read_reply(&mut &reply[..]);
            if !self.same(&cmd, &ours, &theirs) {
                self.show_past(&cmd);
                panic!(
                    "seed {seed}, command {}: {}\n  server: {}\n  engine: {}",
                    self.done,
                    show(&cmd.argv),
                    dice::show_reply(&theirs),
                    dice::show_reply(&ours)
                );
            }
            self.past.push_back((cmd, theirs));
            if self.past.len() > 5000 {
                self.past.pop_front();
            }
            self.done += 1;
        }
    }

    fn same(&mut self, cmd: &Cmd, ours: &Resp, theirs: &Resp) -> bool {
        if *theirs == Resp::Simple("QUEUED".into()) {
            self.queued.push(cmd.compare);
            return ours == theirs;
        }
        let ends =
            [&b"EXEC"[..], b"DISCARD"].iter().any(|end| cmd.argv[0].eq_ignore_ascii_case(end));
        let queued = if ends { std::mem::take(&mut self.queued) } else { Vec::new() };
        match (ours, theirs) {
            (Resp::Array(ours), Resp::Array(theirs)) if ends => {
                let mut all = queued.iter().zip(ours.iter().zip(theirs));
                ours.len() == theirs.len() && all.all(|(compare, (a, b))| compare.same(a, b))
            }
            _ => cmd.compare.same(ours, theirs),
        }
    }

    /// What was done to the keys of a command that went wrong.
    fn show_past(&self, cmd: &Cmd) {
        let about = |old: &&(Cmd, Resp)| {
            old.0.argv.iter().skip(1).any(|arg| cmd.argv[1..].contains(arg) && Dice::is_key(arg))
                || matches!(
                    &*old.0.argv[0].to_ascii_lowercase(),
                    b"flushall" | b"flushdb" | b"swapdb" | b"select"
                )
        };
        let lines: Vec<_> = self.past.iter().filter(about).collect();
        for (cmd, reply) in lines.iter().skip(lines.len().saturating_sub(25)) {
            eprintln!("    {}  ->  {}", show(&cmd.argv), dice::show_reply(reply));
        }
    }

    /// DEBUG DIGEST of both; on a difference, which keys differ.
    fn compare_digests(&mut self, seed: u64) {
        let theirs = self.client.command(&["DEBUG", "DIGEST"]);
        let style = self.engine.config().release.digest_style(now_ms());
        let ours = self.engine.digest(style, 2);
        if theirs == Resp::Simple(ours.to_string()) {
            return;
        }
        eprintln!(
            "digests differ; keys that do (the server hides those it holds beyond their time):"
        );
        let session_db = self.session.db();
        for db in 0..16u64 {
            self.client.command(&["SELECT", &db.to_string()]);
            let Resp::Array(names) = self.client.command(&["KEYS", "*"]) else { panic!("KEYS") };
            let mut names: Vec<_> = names
                .into_iter()
                .map(|name| if let Resp::Bulk(n) = name { n } else { vec![] })
                .collect();
            names.extend(
                self.engine.keyspace(db).iter().flat_map(|s| s.iter()).map(|k| k.key.to_vec()),
            );
            names.sort();
            names.dedup();
            for name in names {
                let argv: [&[u8]; 3] = [b"DEBUG", b"DIGEST-VALUE", &name];
                let theirs = self.client.command(&argv);
                let ours = self.engine.digest_value(db, &name, style).to_string();
                if theirs != Resp::Array(vec![Resp::Simple(ours)]) {
                    eprintln!("  db {db} key {} differs", name.escape_ascii());
                    let probe = Cmd::new(&[b"x", &name[..]]);
                    self.show_past(&probe);
                }
            }
        }
        self.client.command(&["SELECT", &session_db.to_string()]);
        panic!("seed {seed}: digests differ after {} commands", self.done);
    }
}

fn env<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

/// Does the server have this command? (If nobody has it, both say so.)
fn knows(release: Release, argv: &[Vec<u8>]) -> bool {
    let name: &[&[u8]] = &[&argv[0]];
    let command = rdbtool::engine::command::all()
        .find(|command| command.name.as_bytes().eq_ignore_ascii_case(name[0]));
    command.is_none_or(|command| release.has(command.since))
}

/// Sends `count` commands of the kinds to both and compares.
fn stream(server: &Server, kinds: &[Kind], seed: u64, count: usize) {
    // Shown only if the test fails.
    println!("{}: seed {seed}", kinds.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", "));
    let mut pair = Pair::new(server);
    let release = pair.engine.config().release;
    let mut dice = Dice::new(seed, now_ms(), release);
    while pair.done < count {
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            dice.commands(kinds, &mut batch);
            batch.retain(|cmd| knows(release, &cmd.argv));
        }
        pair.run(batch, seed);
        if pair.session.in_multi() {
            // Inside MULTI the question for the digest would only be queued.
            pair.run(vec![Cmd::new(&["EXEC"])], seed);
        }
        pair.compare_digests(seed);
    }
}

#[test]
fn random_commands_of_every_kind() {
    let Some(binary) = find_server() else { return };
    let server = Server::start(&binary, &["--enable-debug-command", "yes"]);
    let seeds = std::env::var("RDBTOOL_TEST_SEEDS").unwrap_or("1,2,3".into());
    let count = env("RDBTOOL_TEST_COMMANDS").unwrap_or(10_000);
    for seed in seeds.split(',').map(|seed| seed.parse().unwrap()) {
        // Each kind for itself, where its keys meet most often, and then all together.
        for kind in &kinds() {
            stream(&server, std::slice::from_ref(kind), seed, count / 2);
        }
        stream(&server, &kinds(), seed, count);
    }
}

/// Commands written down rather than drawn: what the dice would hardly hit.
#[test]
fn chosen_commands() {
    let Some(binary) = find_server() else { return };
    let server = Server::start(&binary, &["--enable-debug-command", "yes"]);
    for kind in kinds() {
        let mut pair = Pair::new(&server);
        for line in kind.chosen {
            let words = line.split(' ').map(dice::unescape);
            let argv: Vec<Vec<u8>> = words.collect();
            if !knows(pair.engine.config().release, &argv) {
                continue;
            }
            pair.run(vec![Cmd { argv, compare: Compare::Exact }], 0);
        }
        pair.compare_digests(0);
    }
}
