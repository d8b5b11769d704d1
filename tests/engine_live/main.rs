//! The engine against live servers: the same random commands to both, every reply compared, and
//! DEBUG DIGEST every few hundred commands.
//!
//! A data type adds a file here with `pub(crate) const KIND: Kind`, and a line in `KINDS`. Compared are
//! all servers from 7.0 on that tests/support/servers.rs finds, all types, a few seeds; others when asked
//! (of older ones [`logged`] compares what they log):
//! `$RDBTOOL_TEST_SERVERS` ("redis-8.2.3"), `$RDBTOOL_TEST_KINDS` ("hash,zset"), `$RDBTOOL_TEST_SEEDS`
//! ("4,5,6"), `$RDBTOOL_TEST_COMMANDS`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout
)]

mod bits;
mod dice;
mod generic;
mod geo;
mod hash;
mod hll;
mod hostile;
mod list;
mod logged;
mod packed;
mod payload;
mod script;
#[path = "../support/servers.rs"]
mod servers;
mod set;
mod sort;
mod stream;
mod string;
mod vectorset;
mod zset;

use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

use dice::{Cmd, Compare, Dice, Kind, show};
use rdbtool::engine::{Config, Engine, Item, Mode, Release, Session};
use rdbtool::job::payload::PLAIN_PAYLOADS;
use rdbtool::value::{End, Hash, List, PackedLimits, Set, Value, Zset};
use servers::{Client, Reply, Server, ServerBinary, Setup};

/// Every data type's commands.
const KINDS: &[Kind] = &[
    string::KIND,
    bits::KIND,
    list::KIND,
    set::KIND,
    sort::KIND,
    hll::KIND,
    stream::KIND,
    hash::KIND,
    zset::KIND,
    geo::KIND,
    vectorset::KIND,
    generic::KIND,
];

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

/// Every server whose commands and answers are those that the engine has, from 7.0 on, or those asked for.
fn servers() -> impl Iterator<Item = &'static ServerBinary> {
    let asked = std::env::var("RDBTOOL_TEST_SERVERS").ok();
    let is_asked = move |server: &&ServerBinary| match &asked {
        Some(names) => names.split(',').any(|name| name == server.name),
        None => server.version >= (7, 0, 0),
    };
    servers::all().iter().filter(is_asked)
}

fn release_of(binary: &ServerBinary) -> Release {
    let (major, minor, _) = binary.version;
    match binary.family {
        servers::Family::Redis => Release::redis(major as u8, minor as u8),
        servers::Family::Valkey => Release::valkey(major as u8, minor as u8),
    }
}

fn start(binary: &ServerBinary) -> (Server, Release) {
    let server = Server::start(binary, &Setup::default());
    (server.unwrap_or_else(|refused| panic!("{}", refused.log)), release_of(binary))
}

struct Pair {
    client: Client,
    engine: Engine,
    session: Session,
    /// How the replies of an open transaction are to be compared.
    queued: Vec<Compare>,
    /// The last commands with their replies, to show when something differs.
    past: VecDeque<(Cmd, Reply)>,
    done: usize,
}

impl Pair {
    fn new(server: &Server, release: Release) -> Pair {
        let mut client = server.connect();
        let settings: [&[&str]; 3] = [
            &["FLUSHALL"],
            &["DEBUG", "SET-ACTIVE-EXPIRE", "0"],
            &["CONFIG", "SET", "rdbcompression", "no"],
        ];
        for setting in settings {
            assert_eq!(client.command(setting).unwrap(), Reply::Status("OK".into()));
        }
        let payloads = PLAIN_PAYLOADS;
        let mut engine = Engine::new(Config { release, payloads, ..Config::default() });
        engine.set_mode(Mode::Serving);
        let session = Session::new();
        Pair { client, engine, session, queued: Vec::new(), past: VecDeque::new(), done: 0 }
    }

    fn run(&mut self, commands: Vec<Cmd>, seed: u64) {
        let argvs: Vec<_> = commands.iter().map(|cmd| cmd.argv.clone()).collect();
        for (cmd, theirs) in commands.into_iter().zip(self.client.pipeline(&argvs).unwrap()) {
            self.engine.set_clock(now_ms());
            let argv: Vec<&[u8]> = cmd.argv.iter().map(Vec::as_slice).collect();
            let reply = self.engine.execute(&mut self.session, &argv).to_resp2();
            let ours = Reply::read(&mut &reply[..]).unwrap();
            let (ours, theirs) = (self.told(&cmd, ours), self.told(&cmd, theirs));
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

    /// A reply as it is compared. In Valkey since 8.1 and Redis since 8.2 the length of the key, and whether
    /// it had an expire time when the string was made, have their part in whether a string is embstr or
    /// raw: to OBJECT ENCODING they are one there.
    fn told(&self, cmd: &Cmd, reply: Reply) -> Reply {
        let asks =
            [&b"OBJECT"[..], b"EXEC"].iter().any(|name| cmd.argv[0].eq_ignore_ascii_case(name));
        match reply {
            Reply::Bulk(Some(name)) if asks && name == b"raw" && self.blurs_strings() => {
                Reply::Bulk(Some(b"embstr".to_vec()))
            }
            Reply::Array(Some(items)) if asks => {
                Reply::Array(Some(items.into_iter().map(|item| self.told(cmd, item)).collect()))
            }
            reply => reply,
        }
    }

    fn blurs_strings(&self) -> bool {
        self.engine.config().release.has((8, 2), (8, 1))
    }

    fn same(&mut self, cmd: &Cmd, ours: &Reply, theirs: &Reply) -> bool {
        if *theirs == Reply::Status("QUEUED".into()) {
            self.queued.push(cmd.compare);
            return ours == theirs;
        }
        let ends =
            [&b"EXEC"[..], b"DISCARD"].iter().any(|end| cmd.argv[0].eq_ignore_ascii_case(end));
        let queued = if ends { std::mem::take(&mut self.queued) } else { Vec::new() };
        // The engine's errors have the words of 7.0, those of some commands every server's own.
        let name = cmd.argv[0].to_ascii_lowercase();
        let own_words = [&b"h"[..], b"z", b"bz", b"geo"].iter().any(|part| name.starts_with(part));
        let texts = own_words || self.engine.config().release == Release::redis(7, 0);
        match (ours, theirs) {
            (Reply::Array(Some(ours)), Reply::Array(Some(theirs))) if ends => {
                let mut all = queued.iter().zip(ours.iter().zip(theirs));
                let same = all.all(|(compare, (a, b))| compare.same(a, b, texts));
                same && ours.len() == theirs.len()
            }
            _ => cmd.compare.same(ours, theirs, texts),
        }
    }

    /// What was done to the keys of a command that went wrong.
    fn show_past(&self, cmd: &Cmd) {
        let everywhere: &[&[u8]] = &[b"flushall", b"flushdb", b"swapdb", b"select"];
        let about = |old: &&(Cmd, Reply)| {
            old.0.argv.iter().skip(1).any(|arg| cmd.argv[1..].contains(arg) && Dice::is_key(arg))
                || everywhere.contains(&&*old.0.argv[0].to_ascii_lowercase())
        };
        let lines: Vec<_> = self.past.iter().filter(about).collect();
        for (cmd, reply) in lines.iter().skip(lines.len().saturating_sub(25)) {
            eprintln!("    {}  ->  {}", show(&cmd.argv), dice::show_reply(reply));
        }
    }

    /// DEBUG DIGEST of both; on a difference, which keys differ.
    fn compare_digests(&mut self, seed: u64) {
        let theirs = self.client.command(&["DEBUG", "DIGEST"]).unwrap();
        let style = self.engine.config().release.digest_style(now_ms());
        let ours = self.engine.digest(style, 2);
        if theirs == Reply::Status(ours.to_string()) {
            return;
        }
        eprintln!("digests differ; the keys that do, but for those beyond their time:");
        for db in 0..16u64 {
            self.client.command(&["SELECT", &db.to_string()]).unwrap();
            let names = self.client.command(&["KEYS", "*"]).unwrap().items();
            let mut names: Vec<_> = names.iter().map(|name| name.text().into_bytes()).collect();
            let space = self.engine.keyspace(db);
            names.extend(space.iter().flat_map(|space| space.iter()).map(|key| key.key.to_vec()));
            names.sort();
            names.dedup();
            for name in names {
                let argv: [&[u8]; 3] = [b"DEBUG", b"DIGEST-VALUE", &name];
                let theirs = self.client.command(&argv).unwrap();
                let ours = self.engine.digest_value(db, &name, style).to_string();
                if theirs != Reply::Array(Some(vec![Reply::Status(ours)])) {
                    eprintln!("  db {db} key {} differs", name.escape_ascii());
                    self.show_past(&Cmd::new(&[b"x", &name[..]]));
                }
            }
        }
        panic!("seed {seed}: digests differ after {} commands", self.done);
    }
}

fn env<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

/// Sends `count` commands of the kinds to both and compares.
fn stream((server, release): &(Server, Release), kinds: &[Kind], seed: u64, count: usize) {
    // Shown only if the test fails.
    let names: Vec<_> = kinds.iter().map(|kind| kind.name).collect();
    println!("{release:?}, {}: seed {seed}", names.join(", "));
    let mut pair = Pair::new(server, *release);
    let mut dice = Dice::new(seed, now_ms(), *release);
    while pair.done < count {
        let mut batch = Vec::new();
        for _ in 0..10 * BATCH {
            if batch.len() < BATCH {
                dice.commands(kinds, &mut batch);
            }
        }
        if batch.is_empty() {
            // A data type that this server does not have.
            return;
        }
        pair.run(batch, seed);
        if pair.session.in_multi() {
            // Inside MULTI the question for the digest would only be queued.
            pair.run(vec![Cmd::new(&["EXEC"])], seed);
        }
        pair.compare_digests(seed);
        pair.compare_payloads(seed);
    }
}

#[test]
fn random_commands_of_every_kind() {
    let seeds = std::env::var("RDBTOOL_TEST_SEEDS").unwrap_or("1".into());
    let count = env("RDBTOOL_TEST_COMMANDS").unwrap_or(10_000);
    for server in servers().map(start) {
        for seed in seeds.split(',').map(|seed| seed.parse().unwrap()) {
            // Each kind for itself, where its keys meet most often, and then all together.
            for kind in &kinds() {
                stream(&server, std::slice::from_ref(kind), seed, count / 2);
            }
            stream(&server, &kinds(), seed, count);
        }
    }
}

/// Commands written down rather than drawn: what the dice would hardly hit.
#[test]
fn chosen_commands() {
    for (server, release) in servers().map(start) {
        for kind in kinds() {
            let mut pair = Pair::new(&server, release);
            println!("{release:?}, {}", kind.name);
            for line in kind.chosen {
                let argv: Vec<Vec<u8>> = line.split(' ').map(dice::unescape).collect();
                let encoding = argv[0].eq_ignore_ascii_case(b"OBJECT");
                let own = ["hash", "zset", "geo"].contains(&kind.name);
                let differs = encoding && !own && release != Release::redis(7, 0);
                let compare = if differs { Compare::Any } else { Compare::Exact };
                if dice::knows(release, &argv) {
                    pair.run(vec![Cmd { argv, compare }], 0);
                }
            }
            pair.compare_digests(0);
        }
    }
}

/// Scripts run, answer and fail as the server's own do.
#[test]
fn scripts() {
    for (server, release) in servers().map(start) {
        let mut pair = Pair::new(&server, release);
        for cmd in script::commands() {
            if dice::knows(release, &cmd.argv) {
                pair.run(vec![cmd], 0);
            }
            if !pair.session.in_multi() {
                pair.compare_digests(0);
            }
        }
    }
}

/// After random commands, small hashes and sorted sets are the server's byte for byte.
#[test]
fn packed_bytes() {
    // Before 7.2 servers put other digits into a sorted set's listpack.
    for (server, release) in servers().map(start).filter(|(_, release)| release.has_redis(7, 2)) {
        for kind in [hash::KIND, zset::KIND] {
            let mut pair = Pair::new(&server, release);
            pair.client.command(&["CONFIG", "SET", "rdbcompression", "no"]).unwrap();
            let mut dice = Dice::new(4, now_ms(), release);
            let mut compared = 0;
            for _ in 0..20 {
                let mut batch = Vec::new();
                while batch.len() < BATCH {
                    dice.commands(&[kind], &mut batch);
                }
                pair.run(batch, 4);
                compared += packed::compare(&pair.engine, &mut pair.client);
            }
            assert!(compared > 50, "{compared} of {}", kind.name);
        }
    }
}

/// Values built by their constructors have the digests that the server gives its own.
#[test]
fn values_built_by_loaders() {
    for (server, release) in servers().map(start) {
        let mut pair = Pair::new(&server, release);
        let mut dice = Dice::new(1, now_ms(), release);
        for round in 0..200 {
            let (argv, value) = built(&mut dice, round);
            let reply = pair.client.command(&argv).unwrap();
            assert!(matches!(reply, Reply::Int(_)), "{}", show(&argv));
            pair.engine.put(0, b"k", Item::new(value)).unwrap();
            pair.compare_digests(round as u64);
            pair.client.command(&["DEL", "k"]).unwrap();
        }
    }
}

/// A command that makes a random collection, and the same one built here.
fn built(dice: &mut Dice, round: usize) -> (Vec<Vec<u8>>, Value) {
    let count = 1 + dice.below(if round.is_multiple_of(10) { 700 } else { 20 });
    let limits = PackedLimits::DEFAULT;
    let (mut list, mut set) = (List::default(), Set::default());
    let (mut hash, mut zset) = (Hash::default(), Zset::default());
    let names = ["RPUSH", "SADD", "HSET", "ZADD"];
    let mut argv: Vec<Vec<u8>> = vec![names[round % 4].into(), b"k".to_vec()];
    for n in 0..count {
        let name = match round % 3 {
            0 => dice.int().to_string().into_bytes(),
            _ => [dice.value(), vec![b'0' + (n % 60) as u8]].concat(),
        };
        let (value, score) = (dice.value(), dice.below(1000) as f64 / 7.0);
        match round % 4 {
            0 => list.push_all(End::Back, &[&value], &limits),
            1 => drop(set.insert(&name, &limits)),
            2 => drop(hash.set(&name, &value, &limits)),
            _ => drop(zset.insert(&name, score, &limits)),
        }
        match round % 4 {
            0 => argv.push(value),
            1 => argv.push(name),
            2 => argv.extend([name, value]),
            _ => argv.extend([score.to_string().into_bytes(), name]),
        }
    }
    let value = match round % 4 {
        0 => list.into(),
        1 => set.into(),
        2 => hash.into(),
        _ => zset.into(),
    };
    (argv, value)
}
