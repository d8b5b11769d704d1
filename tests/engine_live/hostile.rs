//! Any command with any arguments: every row of the table, and what the other files draw with a word put
//! in, left out or changed. It answers what a server could answer, in bounded time and memory; nothing
//! is half done, and what it leaves can be saved.
//!
//! Seeds and their number: `$RDBTOOL_TEST_SEEDS`, `$RDBTOOL_TEST_COMMANDS`.

use std::time::{Duration, Instant};

use rdbtool::engine::{Command, Config, Engine, Mode, Release, Session, command};
use rdbtool::job::payload::PLAIN_PAYLOADS;
use rdbtool::limits;
use rdbtool::value::{Value, digest};

use crate::dice::{Cmd, Compare, Dice, show};
use crate::servers::Reply;
use crate::{KINDS, now_ms};

/// What the data may take.
const MEMORY: usize = 48 << 20;
/// No command takes so long, on a slow and busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Words that commands know.
const WORDS: &[&str] = &[
    "NX",
    "XX",
    "GT",
    "LT",
    "CH",
    "INCR",
    "EX",
    "PX",
    "EXAT",
    "PXAT",
    "KEEPTTL",
    "PERSIST",
    "GET",
    "IFEQ",
    "IFNE",
    "IFDEQ",
    "FNX",
    "FXX",
    "FIELDS",
    "FVS",
    "COUNT",
    "MATCH",
    "TYPE",
    "LIMIT",
    "BY",
    "WITHSCORES",
    "WITHVALUES",
    "WITHSCORE",
    "BYSCORE",
    "BYLEX",
    "REV",
    "ASC",
    "DESC",
    "ALPHA",
    "STORE",
    "STOREDIST",
    "WEIGHTS",
    "AGGREGATE",
    "SUM",
    "MIN",
    "MAX",
    "LEFT",
    "RIGHT",
    "BEFORE",
    "AFTER",
    "RANK",
    "MAXLEN",
    "MINID",
    "NOMKSTREAM",
    "MKSTREAM",
    "ENTRIESREAD",
    "ENTRIESADDED",
    "MAXDELETEDID",
    "LASTID",
    "IDLE",
    "TIME",
    "RETRYCOUNT",
    "FORCE",
    "JUSTID",
    "STREAMS",
    "GROUP",
    "NOACK",
    "BLOCK",
    "KEEPREF",
    "DELREF",
    "ACKED",
    "IDS",
    "IDMP",
    "IDMPAUTO",
    "REPLACE",
    "ABSTTL",
    "FREQ",
    "IDLETIME",
    "DB",
    "ASYNC",
    "SYNC",
    "FROMMEMBER",
    "FROMLONLAT",
    "BYRADIUS",
    "BYBOX",
    "m",
    "km",
    "ft",
    "mi",
    "ANY",
    "WITHCOORD",
    "WITHDIST",
    "WITHHASH",
    "SET",
    "INCRBY",
    "OVERFLOW",
    "WRAP",
    "SAT",
    "FAIL",
    "u8",
    "i64",
    "u63",
    "u64",
    "i65",
    "#1",
    "BIT",
    "BYTE",
    "AND",
    "OR",
    "XOR",
    "NOT",
    "DIFF",
    "ONE",
    "LEN",
    "IDX",
    "MINMATCHLEN",
    "WITHMATCHLEN",
    "NOVALUES",
    "VALUES",
    "FP32",
    "REDUCE",
    "CAS",
    "NOQUANT",
    "Q8",
    "BIN",
    "EF",
    "M",
    "SETATTR",
    "RANGES",
    "BYINT",
    "BYFLOAT",
    "LBOUND",
    "UBOUND",
    "SATURATE",
    "*",
    "-",
    "+",
    "$",
    ">",
    "~",
    "=",
    "(1",
    "[a",
    "(",
    "[",
    "#",
    "nosort",
    "w*->f",
    "0-0",
    "1-1",
    "5-*",
    "-1-1",
    "18446744073709551615-18446744073709551615",
    "return 1",
    "return redis.call('set', KEYS[1], 'x')",
    "CREATE",
    "HELP",
    "FULL",
    "0-1",
];

/// Numbers at the edges of what they are read into.
const NUMBERS: &[&str] = &[
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "-9223372036854775807",
    "9223372036854775806",
    "18446744073709551615",
    "18446744073709551616",
    "4611686018427387904",
    "-4611686018427387904",
    "4294967295",
    "4294967296",
    "-4294967296",
    "2147483647",
    "2147483648",
    "-2147483648",
    "-2147483649",
    "536870911",
    "536870912",
    "536870913",
    "4294967288",
    "1000000000",
    "-1000000000",
    "99999999999999",
    "0",
    "-0",
    "1",
    "-1",
    "2",
    "1.7976931348623157e308",
    "-1e308",
    "4.9e-324",
    "inf",
    "-inf",
    "nan",
    "1e",
    "0x7fffffffffffffff",
    "1e18",
    "-1e19",
    "9007199254740993",
    "",
];

fn bytes(dice: &mut Dice) -> Vec<u8> {
    match dice.below(8) {
        0 => vec![0; 1 + dice.below(5)],
        1 => b"\r\n+OK\r\n".to_vec(),
        2 => vec![0xff; dice.below(40)],
        3 => vec![b'x'; 20_000],
        _ => dice.value(),
    }
}

/// An argument at an edge.
fn argument(dice: &mut Dice) -> Vec<u8> {
    match dice.below(20) {
        0..=6 => dice.any_key(),
        7..=10 => dice.pick(NUMBERS).into(),
        11 => dice.int_text(),
        12 => dice.float_text(),
        13..=16 => dice.word(WORDS),
        17 => bytes(dice),
        _ => dice.value(),
    }
}

/// Every row, those of subcommands in place of their command's.
fn rows() -> Vec<&'static Command> {
    let of = |row: &'static Command| match row.subcommands {
        [] => vec![row],
        rows => rows.iter().collect(),
    };
    command::all().flat_map(of).collect()
}

/// One of any arguments, nearly always as many as it takes.
fn any(dice: &mut Dice, row: &Command) -> Cmd {
    let mut argv: Vec<Vec<u8>> = row.name.split('|').map(|word| word.as_bytes().to_vec()).collect();
    let least = usize::from(row.arity.unsigned_abs());
    let count = match dice.below(20) {
        0 => 1 + dice.below(8),
        _ if row.arity > 0 => least,
        _ => least + dice.pick(&[0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 7, 30]),
    };
    while argv.len() < count {
        argv.push(argument(dice));
    }
    let positions = row.key_positions(&argv.iter().map(Vec::as_slice).collect::<Vec<_>>());
    for at in positions {
        // (How many keys there are is said by an argument, which may be one that a key has replaced.)
        if at < argv.len() && !dice.once_in(20) {
            argv[at] = dice.any_key();
        }
    }
    Cmd { argv, compare: Compare::Exact }
}

/// One that the other files draw, with a word or two changed.
fn twisted(dice: &mut Dice) -> Cmd {
    let kind = dice.pick(KINDS);
    let mut cmd = (kind.draw)(dice);
    for _ in 0..1 + dice.below(2) {
        let at = 1 + dice.below(cmd.argv.len());
        let word = argument(dice);
        match dice.below(6) {
            0 => cmd.argv.insert(at, word),
            1 if at < cmd.argv.len() => drop(cmd.argv.remove(at)),
            2 if at < cmd.argv.len() => {
                let other = cmd.argv[at].clone();
                cmd.argv.insert(at, other);
            }
            _ if at < cmd.argv.len() => cmd.argv[at] = word,
            _ => {}
        }
    }
    cmd
}

struct Watched {
    engine: Engine,
    session: Session,
    slowest: (Duration, String),
}

impl Watched {
    fn new(release: Release, max_string: usize) -> Watched {
        let payloads = PLAIN_PAYLOADS;
        let max_memory = Some(MEMORY);
        let config = Config { release, payloads, max_memory, max_string, ..Config::default() };
        let mut engine = Engine::new(config);
        engine.set_mode(Mode::Serving);
        engine.set_clock(now_ms());
        let slowest = (Duration::ZERO, String::new());
        Watched { engine, session: Session::new(), slowest }
    }

    /// Runs it. Was it an error?
    fn run(&mut self, argv: &[Vec<u8>]) -> bool {
        let args: Vec<&[u8]> = argv.iter().map(Vec::as_slice).collect();
        let (dirty, since) = (self.engine.dirty(), Instant::now());
        let reply = self.engine.execute(&mut self.session, &args);
        let took = since.elapsed();
        let name = argv[0].to_ascii_lowercase();
        assert!(took < PATIENCE, "{}: {took:?}", show(argv));
        if took > self.slowest.0 {
            self.slowest = (took, show(argv));
        }
        // A script and what is in a transaction may fail half way, and servers let that stand.
        let parts = [&b"exec"[..], b"eval", b"evalsha"].contains(&&name[..]);
        if reply.is_error() && !parts {
            assert_eq!(self.engine.dirty(), dirty, "{}: {reply:?}", show(argv));
        }
        let text = reply.to_resp2();
        assert!(text.len() < 2 * limits::REPLY, "{}", show(argv));
        let mut rest = &text[..];
        let read = Reply::read(&mut rest).unwrap_or_else(|e| panic!("{}: {e}", show(argv)));
        assert!(rest.is_empty(), "{}: {reply:?}", show(argv));
        if let Reply::Error(text) = &read {
            let word = text.split(' ').next().unwrap();
            let is_word = !word.is_empty() && word.bytes().all(|b| b.is_ascii_uppercase());
            assert!(is_word && text.len() > word.len(), "{}: {text}", show(argv));
        }
        let held = self.engine.memory();
        assert!(held < MEMORY * 2, "{}: {held} bytes", show(argv));
        reply.is_error()
    }

    /// What is there can be saved and loaded.
    fn look_at_all(&mut self) {
        let release = self.engine.config().release;
        let limits = self.engine.config().packed;
        let style = release.digest_style(now_ms());
        for (db, key) in self.engine.iter() {
            let name = || format!("db {db} {} {}", key.key.escape_ascii(), key.value.encoding());
            let may_be_empty = matches!(key.value, Value::Str(_) | Value::Stream(_));
            assert!(may_be_empty || !key.value.is_empty(), "{}", name());
            let loses = match key.value {
                Value::VectorSet(_) => true,
                Value::Stream(_) => !release.has_redis(5, 0),
                Value::Array(_) => !release.has((8, 8), (255, 0)),
                Value::Hash(hash) => hash.min_expire().is_some() && !release.has((7, 4), (9, 0)),
                // Packed, it loses the sign of -0.
                Value::Zset(zset) => {
                    zset.iter().any(|(_, score)| score == 0.0 && score.is_sign_negative())
                }
                _ => false,
            };
            if loses {
                continue;
            }
            let payload = PLAIN_PAYLOADS.dump(key.value, release);
            let payload = payload.unwrap_or_else(|failure| panic!("{}: {failure}", name()));
            let read = PLAIN_PAYLOADS.restore(&payload, release, &limits);
            let read = read.unwrap_or_else(|failure| panic!("{}: {failure}", name()));
            let same =
                digest::of_value(&read, false, style) == digest::of_value(key.value, false, style);
            assert!(same, "{}: {:?}\n{read:?}", name(), key.value);
        }
    }
}

/// Highest memory of this process so far, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

#[test]
fn any_command_with_any_arguments() {
    let seeds = std::env::var("RDBTOOL_TEST_SEEDS").unwrap_or("1,2".into());
    let count = crate::env("RDBTOOL_TEST_COMMANDS").unwrap_or(15_000);
    let rows = rows();
    let releases =
        [Release::NEWEST, Release::redis(7, 0), Release::valkey(9, 1), Release::redis(3, 2)];
    for seed in seeds.split(',').map(|seed| seed.parse::<u64>().unwrap()) {
        for (at, release) in releases.into_iter().enumerate() {
            let max_string = if at % 2 == 0 { 512 << 20 } else { 1 << 20 };
            let mut watched = Watched::new(release, max_string);
            let mut dice = Dice::new(seed, now_ms(), release);
            let mut done = vec![0; rows.len()];
            for n in 0..count {
                let (row, cmd) = match n % 3 {
                    0 => (None, (dice.pick(KINDS).draw)(&mut dice)),
                    1 => (None, twisted(&mut dice)),
                    _ => {
                        let row = (n / 3) % rows.len();
                        (Some(row), any(&mut dice, rows[row]))
                    }
                };
                let is_flush = cmd.argv[0].to_ascii_lowercase().starts_with(b"flush");
                if is_flush && !dice.once_in(20) {
                    continue;
                }
                let failed = watched.run(&cmd.argv);
                if let Some(row) = row {
                    done[row] += usize::from(!failed);
                }
                if n % 500 == 0 {
                    watched.look_at_all();
                }
                // What fills the memory does not go by itself.
                if watched.engine.memory() > MEMORY / 2 {
                    watched.run(&[b"FLUSHALL".to_vec()]);
                }
            }
            watched.look_at_all();
            let (took, what) = &watched.slowest;
            println!("seed {seed}, {release}: slowest {took:?}: {what}");
        }
    }
    assert!(peak() < 2 << 30, "{} bytes", peak());
}
