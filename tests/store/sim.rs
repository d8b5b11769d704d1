//! The live store in a simulation: a workload that a seed decides, on a disk that loses what was not synced,
//! tears writes, fills up and fails. After every crash the store starts from what is left, and what it has
//! then must be what its policy promises:
//!
//! | policy | killed | power lost |
//! |---|---|---|
//! | always | nothing acknowledged is lost | the same |
//! | everysec | at most 2 s of acknowledged writes | the same |
//! | no | nothing, unless the disk was full | a prefix |
//! | snapshots only | the last one or the one under way, whole | the same |
//!
//! and in every case the state after some command, a transaction counting as one: a prefix of what was
//! executed. `STORE_SEEDS=10000` tries more than the 2,000 of every day, `STORE_SEED=7` one alone.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rdbtool::engine::{Reply, Session, resolve};
use rdbtool::error::Result;
use rdbtool::persist::fs::Fs;
use rdbtool::persist::sim::MemFs;
use rdbtool::persist::sim::crash::Random;
use rdbtool::persist::sim::fault::{Fault, FaultKind, Repeat};
use rdbtool::store::background::Job;
use rdbtool::store::{Background, Fatal, Fsync, Lane, Options, SavePoint, Store};
use rdbtool::value::digest::Digest;

/// Jobs that run when the simulation says so.
#[derive(Debug, Clone, Default)]
pub(crate) struct Queue {
    lanes: Arc<Mutex<[LaneState; 2]>>,
}

#[derive(Default)]
struct LaneState {
    jobs: VecDeque<Job>,
    ended: VecDeque<Result<()>>,
}

impl std::fmt::Debug for LaneState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} jobs", self.jobs.len())
    }
}

fn number(lane: Lane) -> usize {
    Lane::ALL.iter().position(|one| *one == lane).unwrap()
}

impl Queue {
    /// Runs the next job of a lane. Was there one?
    fn run(&self, lane: Lane) -> bool {
        let Some(job) = self.lanes.lock().unwrap()[number(lane)].jobs.pop_front() else {
            return false;
        };
        let ended = job();
        self.lanes.lock().unwrap()[number(lane)].ended.push_back(ended);
        true
    }
}

impl Background for Queue {
    fn start(&mut self, lane: Lane, job: Job) {
        self.lanes.lock().unwrap()[number(lane)].jobs.push_back(job);
    }

    fn ended(&mut self, lane: Lane) -> Option<Result<()>> {
        self.lanes.lock().unwrap()[number(lane)].ended.pop_front()
    }

    fn wait(&mut self, lane: Lane) -> Result<()> {
        loop {
            if let Some(ended) = self.ended(lane) {
                return ended;
            }
            assert!(self.run(lane), "waits for a job that nobody gave");
        }
    }
}

/// A state that was there, and when.
struct State {
    digest: Digest,
    at_ms: i64,
}

/// A run of a store from its start to its crash.
struct Run<'s> {
    seed: u64,
    fs: MemFs,
    queue: Queue,
    store: Store,
    session: Session,
    random: &'s mut Random,
    now_ms: i64,
    /// After every command; the first one is that of the start.
    states: Vec<State>,
    /// States up to this one were acknowledged.
    acked: usize,
    /// States that snapshots were made of, and the last one that was done.
    points: Vec<usize>,
    saved: usize,
    /// The operation at which the plan strikes.
    strikes: Option<(u64, FaultKind)>,
    /// Of 8 chances that a job in the background gets on in a turn.
    speed: u64,
    full: bool,
    /// Rewrites that were done.
    rewrites: u64,
}

const DIR: &str = "/data";

fn options(policy: Option<Fsync>, random: &mut Random) -> Options {
    let mut options = Options::default();
    options.files.dir = Some(DIR.into());
    options.files.append_only = policy.is_some();
    options.fsync = policy.unwrap_or(Fsync::No);
    options.save = match random.below(2) {
        0 => Vec::new(),
        _ => vec![SavePoint { seconds: 1, changes: 5 }],
    };
    // Refused writes tell nothing new, and a workload without writes nothing at all.
    options.stop_on_save_error = false;
    options.rewrite_min_size = 500 + random.below(4000);
    options.timestamps = random.below(3) == 0;
    options.preamble = random.below(4) > 0;
    options
}

impl Run<'_> {
    fn digest(&self) -> Digest {
        let style = self.store.engine().config().release.digest_style(self.now_ms);
        self.store.engine().digest(style, 1)
    }

    fn command(&mut self, argv: &[&[u8]]) -> Reply {
        let command = resolve(argv).unwrap();
        self.store.execute(&mut self.session, command, argv)
    }

    fn random_command(&mut self) {
        let key = format!("k{}", self.random.below(12));
        let other = format!("k{}", self.random.below(12));
        let value = match self.random.below(12) {
            // Longer than a sector of the disk.
            0 => "x".repeat(400 + self.random.below(900) as usize),
            _ => format!("v{}", self.random.below(1_000_000)),
        };
        let (key, other, value) = (key.as_bytes(), other.as_bytes(), value.as_bytes());
        let list = [b"l", key].concat();
        let hash = [b"h", key].concat();
        let zset = [b"z", key].concat();
        match self.random.below(40) {
            0 => self.both(&[b"FLUSHALL"]),
            1 => self.both(&[b"SWAPDB", b"0", b"1"]),
            2 | 3 => {
                let db = [b'0' + self.random.below(3) as u8];
                self.both(&[b"SELECT", &db]);
            }
            4..7 => self.both(&[b"DEL", key, other]),
            7..10 => self.both(&[b"RPUSH", &list, value, b"x"]),
            10 => self.both(&[b"LPOP", &list]),
            11..14 => self.both(&[b"HSET", &hash, other, value]),
            14..16 => self.both(&[b"ZADD", &zset, b"1.5", value]),
            16 => self.both(&[b"XADD", b"stream", b"*", b"f", value]),
            17 => self.both(&[b"SPOP", b"set"]),
            18..20 => self.both(&[b"SADD", b"set", key, value]),
            20 => self.both(&[b"RENAME", key, other]),
            21 => self.both(&[b"PEXPIRE", key, b"100000000"]),
            22..25 => self.both(&[b"INCR", b"counter"]),
            25 => {
                let script = "redis.call('SET', KEYS[1], ARGV[1]) redis.call('INCR', 'counter')";
                self.both(&[b"EVAL", script.as_bytes(), b"1", key, value]);
            }
            26..29 => {
                self.command(&[b"MULTI"]);
                self.command(&[b"SET", key, value]);
                self.command(&[b"SELECT", b"2"]);
                self.command(&[b"INCR", b"counter"]);
                self.command(&[b"RPUSH", &list, value]);
                self.both(&[b"EXEC"]);
            }
            _ => self.both(&[b"SET", key, value]),
        }
    }

    /// Runs a command, and notes the state behind it.
    fn both(&mut self, argv: &[&[u8]]) {
        self.command(argv);
        let digest = self.digest();
        // What was refused, or changed nothing, is no write.
        if self.states.last().is_none_or(|state| state.digest != digest) {
            self.states.push(State { digest, at_ms: self.now_ms });
        }
    }

    /// Did the power go?
    fn is_dark(&self) -> bool {
        let struck = |at| self.fs.operations() > at;
        matches!(self.strikes, Some((at, FaultKind::PowerOff)) if struck(at))
    }

    fn own(&mut self, name: &[u8]) {
        let was = self.info("rdb_bgsave_in_progress");
        self.store.own_command(&[name]).unwrap();
        self.note_points(&was);
    }

    fn info(&self, name: &str) -> String {
        let lines = self.store.info();
        lines
            .into_iter()
            .find(|(line, _)| *line == name)
            .map(|(_, value)| value)
            .unwrap_or_default()
    }

    /// Notes the moments of snapshots.
    fn note_points(&mut self, was: &str) {
        let is = self.info("rdb_bgsave_in_progress");
        if was == "0" && is == "1" {
            self.points.push(self.states.len() - 1);
        }
        let ended = was == "1" && is == "0";
        if ended && self.info("rdb_last_bgsave_status") == "ok" {
            self.saved = *self.points.last().unwrap();
        }
    }

    /// One turn of the event loop.
    fn turn(&mut self) -> std::result::Result<(), Fatal> {
        self.now_ms += 1 + self.random.below(150) as i64;
        self.store.set_clock(self.now_ms);
        for _ in 0..self.random.below(4) {
            self.random_command();
        }
        match self.random.below(60) {
            0 | 1 => self.own(b"BGREWRITEAOF"),
            2 => self.own(b"BGSAVE"),
            3 if self.full => {
                self.fs.set_capacity(None);
                self.full = false;
            }
            4 => {
                let used: usize = self.fs.files().values().map(Vec::len).sum();
                self.fs.set_capacity(Some(used as u64 + self.random.below(300)));
                self.full = true;
            }
            _ => {}
        }
        self.store.before_replies(self.now_ms)?;
        if self.is_dark() {
            return Ok(());
        }
        self.acked = self.states.len() - 1;
        for lane in Lane::ALL {
            while self.random.below(8) < self.speed && self.queue.run(lane) {}
        }
        let was = self.info("rdb_bgsave_in_progress");
        let rewriting = self.info("aof_rewrite_in_progress") == "1";
        self.store.tick(self.now_ms)?;
        if self.is_dark() {
            return Ok(());
        }
        self.note_points(&was);
        let ok = self.info("aof_last_bgrewrite_status") == "ok";
        self.rewrites += u64::from(rewriting && ok && self.info("aof_rewrite_in_progress") == "0");
        Ok(())
    }
}

/// What became of a seed.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    crashes: u64,
    acked: u64,
    lost: u64,
    longest_ms: i64,
    rewrites: u64,
    snapshots: u64,
    fatal: u64,
}

fn one_seed(seed: u64) -> Tally {
    let mut random = Random::new(seed);
    let policy = match random.below(8) {
        0..3 => Some(Fsync::Always),
        3..6 => Some(Fsync::EverySecond),
        6 => Some(Fsync::No),
        _ => None,
    };
    let mut options = options(policy, &mut random);
    if policy.is_none() {
        options.save = vec![SavePoint { seconds: 1, changes: 5 }];
    }
    let mut fs = MemFs::new(seed);
    let root = fs.open_dir(Path::new("/")).unwrap();
    root.make_dir(DIR.trim_start_matches('/').as_ref(), 0o755).unwrap();
    root.sync().unwrap();
    let mut tally = Tally::default();
    let mut now_ms = 1_700_000_000_000;
    let mut before: Option<Before> = None;
    for epoch in 0..3 {
        let queue = Queue::default();
        let arc: Arc<dyn Fs> = Arc::new(fs.clone());
        // Starting may be cut short as well, and must work the next time.
        if random.below(if epoch > 0 { 4 } else { 20 }) == 0 {
            let at = random.below(60);
            let plan = Fault { at, kind: FaultKind::PowerOff, repeat: Repeat::Once };
            fs.plan(Some(plan));
            let _ = Store::open(arc, Box::new(queue), options.clone(), now_ms);
            fs = fs.crashes(1 + random.below(3), seed).pop().unwrap();
            break;
        }
        let opened = Store::open(arc, Box::new(queue.clone()), options.clone(), now_ms);
        let (store, _) = opened.unwrap_or_else(|error| {
            panic!("seed {seed}, {policy:?}: does not start: {error}\n{:#?}", shown(&fs))
        });
        let mut run = Run {
            seed,
            fs,
            queue,
            store,
            session: Session::new(),
            random: &mut random,
            now_ms,
            states: Vec::new(),
            acked: 0,
            points: vec![0],
            saved: 0,
            strikes: None,
            speed: 0,
            full: false,
            rewrites: 0,
        };
        let digest = run.digest();
        if let Some(before) = &before {
            before.judge(seed, policy, &digest, &mut tally);
        }
        run.states.push(State { digest, at_ms: now_ms });
        let (seen, mut left) = live(run, &mut tally);
        now_ms = seen.now_ms + 1;
        before = Some(seen);
        // One of the disks that the crash may have left.
        let at = random.below(left.len() as u64) as usize;
        fs = left.swap_remove(at);
    }
    one_start(seed, fs, &options, now_ms, before.as_ref(), tally)
}

/// Only starts, and looks at what came back.
fn one_start(
    seed: u64,
    fs: MemFs,
    options: &Options,
    now_ms: i64,
    before: Option<&Before>,
    mut tally: Tally,
) -> Tally {
    let arc: Arc<dyn Fs> = Arc::new(fs.clone());
    let opened = Store::open(arc, Box::new(Queue::default()), options.clone(), now_ms);
    let (store, _) = opened
        .unwrap_or_else(|error| panic!("seed {seed}: does not start: {error}\n{:#?}", shown(&fs)));
    let style = store.engine().config().release.digest_style(now_ms);
    let digest = store.engine().digest(style, 1);
    let policy = options.files.append_only.then_some(options.fsync);
    if let Some(before) = before {
        before.judge(seed, policy, &digest, &mut tally);
    }
    tally
}

fn shown(fs: &MemFs) -> Vec<String> {
    let files = fs.files().into_iter();
    files.map(|(path, bytes)| format!("{}: {}", path.display(), bytes.escape_ascii())).collect()
}

/// What was known when a run ended.
struct Before {
    states: Vec<State>,
    acked: usize,
    points: Vec<usize>,
    saved: usize,
    now_ms: i64,
    /// The process was killed, but the machine lives.
    killed: bool,
    /// A write had failed.
    failing: bool,
}

/// Runs until something ends it. What was known then, and what the disk may hold.
fn live(mut run: Run<'_>, tally: &mut Tally) -> (Before, Vec<MemFs>) {
    run.speed = 1 + run.random.below(8);
    let kind = match run.random.below(12) {
        0..6 => Some(FaultKind::PowerOff),
        6 => Some(FaultKind::Fails(28)),
        7 => Some(FaultKind::Fails(5)),
        8 => Some(FaultKind::FailsAfter(5)),
        9 => Some(FaultKind::ShortWrite),
        _ => None,
    };
    run.strikes = kind.map(|kind| (run.random.below(700), kind));
    let repeat = if run.random.below(2) == 0 { Repeat::Once } else { Repeat::SameName };
    run.fs.plan(run.strikes.map(|(at, kind)| Fault { at, kind, repeat }));
    let turns = 20 + run.random.below(80);
    let mut fatal = false;
    for _ in 0..turns {
        match run.turn() {
            Ok(()) if run.is_dark() => break,
            Ok(()) => {}
            Err(Fatal(_)) => {
                fatal = true;
                break;
            }
        }
    }
    tally.fatal += u64::from(fatal && !run.is_dark());
    tally.rewrites += run.rewrites;
    tally.snapshots += run.points.len() as u64 - 1;
    let killed = !run.is_dark() && run.random.below(3) == 0;
    let failing = run.info("aof_last_write_status") == "err";
    let seed = run.seed;
    let left = match killed {
        true => {
            let mut disk = run.fs.disk();
            disk.settle();
            vec![MemFs::on(disk, seed)]
        }
        false => run.fs.crashes(4, seed),
    };
    tally.crashes += 1;
    tally.acked += run.acked as u64;
    let Run { states, acked, points, saved, now_ms, .. } = run;
    (Before { states, acked, points, saved, now_ms, killed, failing }, left)
}

impl Before {
    /// Is that what the policy promises?
    fn judge(&self, seed: u64, policy: Option<Fsync>, digest: &Digest, tally: &mut Tally) {
        let what = format!(
            "seed {seed}, {policy:?}, killed: {}, disk full: {}, {} states, {} acknowledged",
            self.killed,
            self.failing,
            self.states.len(),
            self.acked
        );
        let Some(policy) = policy else {
            let is_one = |at: &&usize| self.states.get(**at).is_some_and(|s| s.digest == *digest);
            let at = self.points.iter().rfind(is_one);
            let at = *at.unwrap_or_else(|| panic!("{what}: no state of a snapshot came back"));
            assert!(at >= self.saved, "{what}: {at} came back, {} was saved", self.saved);
            return;
        };
        let came = self.states.iter().rposition(|state| state.digest == *digest);
        let came = came.unwrap_or_else(|| panic!("{what}: what came back was never there"));
        let lost = self.acked.saturating_sub(came);
        let span = match self.states.get(came + 1) {
            Some(first) if lost > 0 => self.states[self.acked].at_ms - first.at_ms,
            _ => 0,
        };
        tally.lost += lost as u64;
        let what = format!("{what}: {lost} lost, {span} ms of writes");
        match policy {
            Fsync::Always => assert_eq!(lost, 0, "{what}"),
            Fsync::EverySecond => {
                tally.longest_ms = tally.longest_ms.max(span);
                assert!(span <= 2000, "{what}");
            }
            Fsync::No => assert!(lost == 0 || !self.killed || self.failing, "{what}"),
        }
    }
}

#[test]
fn what_a_policy_promises_is_kept_after_every_crash() {
    let read = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = read("STORE_SEED") {
        eprintln!("seed {seed}: {:?}", one_seed(seed));
        return;
    }
    let seeds = read("STORE_SEEDS").unwrap_or(2000);
    let next = std::sync::atomic::AtomicU64::new(0);
    let total = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if seed >= seeds {
                        break;
                    }
                    let one = one_seed(seed);
                    let mut all = total.lock().unwrap();
                    all.crashes += one.crashes;
                    all.acked += one.acked;
                    all.lost += one.lost;
                    all.rewrites += one.rewrites;
                    all.snapshots += one.snapshots;
                    all.fatal += one.fatal;
                    all.longest_ms = all.longest_ms.max(one.longest_ms);
                }
            });
        }
    });
    let total = *total.lock().unwrap();
    eprintln!("{seeds} seeds: {total:?}");
    // A simulation in which nothing happens proves nothing.
    assert!(total.lost > 0 && total.snapshots > seeds / 10 && total.rewrites > seeds / 10);
    assert!(total.acked > seeds * 20 && total.fatal > 0);
}
