//! What live servers log, replayed. A server with an AOF gets random commands; at every step its file, as it
//! lies there, replays to the digest that DEBUG DIGEST gives: plain, with an RDB preamble, in several
//! parts, rewritten. What a rewrite wrote is the same data as what it replaced. And `--until` an offset
//! or a time in the last file gives what the server had then.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rdbtool::encoding::resp::write_command;
use rdbtool::engine::{Config, Release};
use rdbtool::input::source::open;
use rdbtool::job::compare::{Ignore, verify};
use rdbtool::job::log::Place;
use rdbtool::job::replay::{Options, Report, replay, replay_set};
use rdbtool::job::subject::{Subject, subjects};

use crate::dice::{Cmd, Dice, Kind, knows};
use crate::servers::{self, Client, Reply, Server, ServerBinary, Setup};
use crate::{KINDS, now_ms, release_of};

type Keys = BTreeMap<(u8, String), String>;

/// A server that logs.
struct Logging {
    server: Server,
    client: Client,
    release: Release,
    preamble: bool,
    dice: Dice,
    /// The last file and how long it was when the server had this digest.
    past: Vec<(PathBuf, u64, String)>,
    /// How often the server itself made something else of its file than it had.
    reloads: usize,
    /// Commands of its files that it refuses itself: Valkey 9.1.2 logs a MSETEX with EXAT twice so that it is
    /// a syntax error.
    refused: u64,
}

impl Logging {
    fn start(binary: &ServerBinary, preamble: bool, seed: u64) -> Logging {
        let release = release_of(binary);
        let yes_no = |yes| if yes { "yes" } else { "no" };
        let mut setup = Setup::default()
            .line("appendonly yes")
            .line("appendfsync no")
            .line("auto-aof-rewrite-percentage 0")
            .line(&format!("aof-use-rdb-preamble {}", yes_no(preamble)));
        if release.has_redis(7, 0) {
            setup = setup.line("aof-timestamp-enabled yes");
        }
        let server =
            Server::start(binary, &setup).unwrap_or_else(|refused| panic!("{}", refused.log));
        let mut client = server.connect();
        client.command(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"]).unwrap();
        let dice = Dice::new(seed, now_ms(), release);
        Logging {
            server,
            client,
            release,
            preamble,
            dice,
            past: Vec::new(),
            reloads: 0,
            refused: 0,
        }
    }

    /// All but vector sets, which Redis 8.2.3 does not bring back from its own AOF: it does not log a VADD
    /// that changes an element, fails an assertion when it loads one with CAS, and a rewrite in commands
    /// ends with a signal (FORMATS E.3).
    fn kinds() -> Vec<Kind> {
        KINDS.iter().filter(|kind| kind.name != "vectorset").copied().collect()
    }

    fn is_wanted(&self, cmd: &Cmd) -> bool {
        let name = cmd.argv[0].to_ascii_lowercase();
        // 6.2.5 does not survive counts like i64::MIN here.
        let deadly = [&b"hrandfield"[..], b"zrandmember", b"srandmember"].contains(&&name[..]);
        knows(self.release, &cmd.argv) && (!deadly || self.release.has_redis(7, 0))
    }

    fn fill(&mut self, count: usize) {
        let kinds = Logging::kinds();
        let mut batch = Vec::new();
        while batch.len() < count {
            let kind = self.dice.pick(&kinds);
            let cmd = (kind.draw)(&mut self.dice);
            if self.is_wanted(&cmd) {
                batch.push(cmd.argv);
            }
        }
        // Inside MULTI the question for the digest would only be queued.
        batch.push(vec![b"EXEC".to_vec()]);
        self.client.pipeline(&batch).unwrap();
        let digest = self.server.digest();
        let (file, size) = self.last_file();
        self.past.push((file, size, digest));
    }

    fn path(&self) -> PathBuf {
        let name = if self.release.has_redis(7, 0) { "appendonlydir" } else { "appendonly.aof" };
        self.server.folder().join(name)
    }

    /// The file that is written to, and its size.
    fn last_file(&self) -> (PathBuf, u64) {
        let path = self.path();
        let file = match path.is_dir() {
            false => path,
            true => {
                let files = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
                let is_incr = |path: &PathBuf| path.to_str().unwrap().ends_with(".incr.aof");
                let number = |path: &PathBuf| {
                    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                    name.split('.').nth(2).unwrap().parse::<u64>().unwrap()
                };
                files.filter(is_incr).max_by_key(number).unwrap()
            }
        };
        let size = file.metadata().unwrap().len();
        (file, size)
    }

    fn options(&self, jobs: usize) -> Options {
        let engine = Config { release: self.release, ..Config::default() };
        Options { jobs, engine, now_ms: now_ms(), chunk: 20_000, ..Options::default() }
    }

    fn compare(&mut self, what: &str) {
        let want = self.server.digest();
        let mut report = load(&self.path(), &self.options(2));
        let as_it_is = digest(&mut report, self.release) == want && report.is_clean();
        let want = if as_it_is { want } else { self.reload(what) };
        for jobs in [1, 3] {
            let mut report = load(&self.path(), &self.options(jobs));
            self.same(&mut report, &want, what);
        }
    }

    /// Not all that a server does it logs so that it does the same again (a BITFIELD that only lengthens a
    /// string is not logged). What counts is what it makes of its own file: it loads it, and says which
    /// keys are others than before.
    fn reload(&mut self, what: &str) -> String {
        let before = self.keys();
        let complained = self.server.log().matches("CRITICAL").count();
        if self.client.command(&["DEBUG", "LOADAOF"]).is_err() {
            let saved = tempfile::tempdir().unwrap().keep().join("appendonlydir");
            copy(&self.path(), &saved);
            panic!("{what}: the file is in {}: {}", saved.display(), self.server.log());
        }
        let after = self.keys();
        let of = |keys: &Keys, others: &Keys| {
            let unlike = keys.iter().filter(|(key, found)| others.get(*key) != Some(*found));
            unlike.map(|(key, found)| format!("{key:?} {found:?}")).collect::<Vec<_>>()
        };
        println!(
            "{} preamble {}, {what}: the server itself makes {:?} of {:?}",
            self.release,
            self.preamble,
            of(&after, &before),
            of(&before, &after)
        );
        self.reloads += 1;
        self.refused = (self.server.log().matches("CRITICAL").count() - complained) as u64;
        self.past.clear();
        self.server.digest()
    }

    /// Database, name and digest of every key.
    fn keys(&mut self) -> Keys {
        let mut found = Keys::new();
        for db in 0..16 {
            self.server.command(&["SELECT", &db.to_string()]);
            for key in self.server.command(&["KEYS", "*"]).items() {
                let key = key.text();
                let digest = self.server.command(&["DEBUG", "DIGEST-VALUE", &key]);
                let kind = self.server.command(&["TYPE", &key]).text();
                found.insert((db, key), format!("{kind} {digest:?}"));
            }
        }
        self.server.command(&["SELECT", "0"]);
        found
    }

    fn same(&self, report: &mut Report, want: &str, what: &str) {
        let digest = digest(report, self.release);
        let (_, failed, skipped) = report.commands();
        let findings: Vec<_> =
            report.parts.iter().flat_map(|part| &part.findings).take(3).collect();
        let name = format!("{} preamble {}: {what}", self.release, self.preamble);
        if digest != want || failed + skipped != self.refused {
            let saved = tempfile::tempdir().unwrap().keep().join("appendonlydir");
            copy(&self.path(), &saved);
            let saved = saved.display();
            panic!("{name}: {digest}, not {want}; {findings:#?}; the file is in {saved}");
        }
    }

    fn rewrite(&mut self) {
        let before = tempfile::tempdir().unwrap();
        copy(&self.path(), &before.path().join("appendonlydir"));
        self.server.command(&["BGREWRITEAOF"]);
        let since = Instant::now();
        loop {
            let info = self.server.command(&["INFO", "persistence"]).text();
            let has = |line: &str| info.lines().any(|found| found.trim() == line);
            if has("aof_rewrite_in_progress:0") && has("aof_rewrite_scheduled:0") {
                assert!(has("aof_last_bgrewrite_status:ok"), "{info}");
                break;
            }
            assert!(since.elapsed() < Duration::from_secs(20), "{info}");
            sleep(Duration::from_millis(5));
        }
        self.past.clear();
        self.refused = 0;
        self.compare("rewritten");
        let mut old = load(&before.path().join("appendonlydir"), &self.options(2));
        let mut new = load(&self.path(), &self.options(2));
        // Not all that a group keeps is logged: not how much it has read before 7.4, nor a consumer that got
        // nothing before 8.8. Access marks are in no log.
        let ignore = Ignore { groups: true, access: true, ..Ignore::default() };
        let report = verify(&old.store.look(), &new.store.look(), ignore, 5);
        if !report.counts.is_same() {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rdbtool"));
            command.arg("verify").arg(before.path().join("appendonlydir")).arg(self.path());
            let told = String::from_utf8(command.output().unwrap().stdout).unwrap();
            panic!("{} preamble {}: {told}", self.release, self.preamble);
        }
        assert!(report.counts.same > 20, "{report:?}");
    }

    /// Cut at an offset where the server told its digest, or at a time, it is what the server had then.
    fn look_back(&mut self) {
        let past: Vec<_> = self.past.iter().rev().take(4).cloned().collect();
        for (file, size, digest) in past.iter().filter(|(file, ..)| *file == past[0].0) {
            let mut options = self.options(2);
            options.until = Some(Place::Offset(*size));
            let mut report = load(&self.path(), &options);
            self.same(&mut report, digest, &format!("until {size} of {}", file.display()));
        }
        if !self.release.has_redis(7, 0) {
            return;
        }
        let then = (self.server.digest(), now_ms() / 1000);
        sleep(Duration::from_millis(1100));
        self.fill(200);
        let mut options = self.options(2);
        options.until = Some(Place::Time(then.1));
        let mut report = load(&self.path(), &options);
        self.same(&mut report, &then.0, "until a time");
    }
}

fn digest(report: &mut Report, release: Release) -> String {
    report.store.look().digest(release.digest_style(now_ms()), 2).to_string()
}

fn load(path: &Path, options: &Options) -> Report {
    let mut found = subjects(path).unwrap();
    assert_eq!(found.len(), 1, "{}", path.display());
    match found.remove(0) {
        Subject::File(input) => replay(open(&input, |_| {}).unwrap(), &input, options),
        Subject::Set(set) => replay_set(&set.folder, &set.stem, options, |_| {}),
    }
    .unwrap()
}

/// A file, or a folder of files.
fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        std::fs::copy(from, to).unwrap();
        return;
    }
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn what_servers_log_replays() {
    let seeds = std::env::var("RDBTOOL_TEST_SEEDS").unwrap_or("1".into());
    let steps = crate::env("RDBTOOL_TEST_STEPS").unwrap_or(8);
    let asked = std::env::var("RDBTOOL_TEST_SERVERS").ok();
    let is_asked = |server: &&ServerBinary| {
        asked.as_ref().is_none_or(|names| names.split(',').any(|name| name == server.name))
    };
    for binary in servers::all().iter().filter(is_asked) {
        for seed in seeds.split(',').map(|seed| seed.parse::<u64>().unwrap()) {
            for preamble in [false, true] {
                let mut logging = Logging::start(binary, preamble, seed);
                for step in 0..steps {
                    logging.fill(500);
                    logging.compare(&format!("seed {seed}, step {step}"));
                    if step % 3 == 2 {
                        logging.rewrite();
                    }
                }
                logging.look_back();
                assert!(logging.reloads * 3 < steps, "{} of {steps}", logging.reloads);
                assert_eq!(logging.server.command(&["PING"]), Reply::Status("PONG".into()));
            }
        }
    }
}

/// What Redis 5.0 writes for a stream that never had an entry, and other commands that fail: every server
/// logs as many as CRITICAL as we count, and has the same afterwards.
#[test]
fn what_servers_refuse_to_run() {
    let commands = [
        "SELECT 0",
        "SET a 1",
        "XADD x MAXLEN 0 0-0 x y",
        "XSETID x 0-0",
        "XGROUP CREATE x g 0-0",
        "LPUSH a 1",
        "XADD y 1-1 f v",
        "XADD y 1-1 f v",
        "INCR a",
    ];
    let mut aof = Vec::new();
    for command in commands {
        let words: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        write_command(words.iter().copied(), &mut aof);
    }
    for binary in servers::all() {
        let release = release_of(binary);
        let mut setup = Setup::default().line("appendonly yes");
        setup.files.push(("appendonly.aof".into(), aof.clone()));
        let mut server =
            Server::start(binary, &setup).unwrap_or_else(|refused| panic!("{}", refused.log));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("refused.aof");
        std::fs::write(&path, &aof).unwrap();
        let engine = Config { release, ..Config::default() };
        let mut report = load(&path, &Options { engine, ..Options::default() });
        assert_eq!(server.digest(), digest(&mut report, release), "{release}");
        let (_, failed, _) = report.commands();
        assert_eq!(server.log().matches("CRITICAL").count() as u64, failed, "{release}");
        assert_eq!(failed, 5, "{release}");
    }
}
