//! What the generators draw from: keys from small pools so that commands meet, values at the edges.

use crate::servers::Reply;
use rdbtool::engine::{Command, Family, Release, command, resolve};

/// A command to send to both, and how their replies are to be compared.
#[derive(Debug, Clone)]
pub(crate) struct Cmd {
    pub(crate) argv: Vec<Vec<u8>>,
    pub(crate) compare: Compare,
}

/// When two replies are the same.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Compare {
    /// Byte for byte.
    Exact,
    /// In any order, at every level.
    Unordered,
    /// Integers this far apart at most, also in an array: times to live.
    Near(i64),
    /// As a function says: replies with times in them.
    With(fn(&Reply, &Reply) -> bool),
    /// Not at all: asked for what it does, or because servers differ.
    Any,
}

/// One data type's commands.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    /// Shown when something goes wrong.
    pub(crate) name: &'static str,
    /// Draws one command.
    pub(crate) draw: fn(&mut Dice) -> Cmd,
    /// Commands to send as they are, one a line, words parted by one blank, `\x00` escapes.
    pub(crate) chosen: &'static [&'static str],
}

impl Cmd {
    pub(crate) fn new<T: AsRef<[u8]>>(argv: &[T]) -> Cmd {
        let argv = argv.iter().map(|arg| arg.as_ref().to_vec()).collect();
        Cmd { argv, compare: Compare::Exact }
    }
}

impl Compare {
    pub(crate) fn same(self, ours: &Reply, theirs: &Reply, texts: bool) -> bool {
        match (self, ours, theirs) {
            // The words of errors change from release to release.
            (_, Reply::Error(_), Reply::Error(_)) if !texts => true,
            (Compare::Near(range), Reply::Int(a), Reply::Int(b)) => (a - b).abs() <= range,
            (Compare::Near(_), Reply::Array(Some(a)), Reply::Array(Some(b))) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| self.same(a, b, texts))
            }
            (Compare::With(same), _, _) => same(ours, theirs),
            (Compare::Any, _, _) => true,
            (Compare::Unordered, _, _) => sorted(ours) == sorted(theirs),
            _ => ours == theirs,
        }
    }
}

fn sorted(reply: &Reply) -> Reply {
    match reply {
        Reply::Array(Some(items)) => {
            let mut items: Vec<_> = items.iter().map(sorted).collect();
            items.sort();
            Reply::Array(Some(items))
        }
        other => other.clone(),
    }
}

/// Seeded chance.
pub(crate) struct Dice {
    rng: fastrand::Rng,
    pub(crate) now_ms: i64,
    /// The server that the commands are for.
    pub(crate) release: Release,
    /// Grows with each [`Dice::tick`].
    ticks: u64,
}

/// Does this server have the command? (Whether it has the options is for the generator to know.)
pub(crate) fn knows(release: Release, argv: &[Vec<u8>]) -> bool {
    let argv: Vec<&[u8]> = argv.iter().map(Vec::as_slice).collect();
    // With the wrong number of arguments it is still that command.
    let is_named = |command: &&Command| command.name.as_bytes().eq_ignore_ascii_case(argv[0]);
    let Some(command) = resolve(&argv).ok().or_else(|| command::all().find(is_named)) else {
        return true;
    };
    let since = match release.family {
        Family::Redis => command.since.redis,
        Family::Valkey => command.since.valkey,
    };
    since.is_some_and(|since| release.version >= since)
}

/// Letters that keys begin with, one a data type: a few keys of each, so that types meet too.
const POOLS: &[u8] = b"slzehxagvp";
const POOL: u32 = 8;

impl Dice {
    pub(crate) fn new(seed: u64, now_ms: i64, release: Release) -> Dice {
        Dice { rng: fastrand::Rng::with_seed(seed), now_ms, release, ticks: 0 }
    }

    /// A number that grows.
    pub(crate) fn tick(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }

    /// A number of about the last ticks.
    pub(crate) fn recent(&mut self, back: usize) -> u64 {
        (self.ticks + 2).saturating_sub(self.rng.usize(..back) as u64)
    }

    /// Is it Redis 7.0, whose words and encodings the engine has?
    pub(crate) fn is_70(&self) -> bool {
        self.release == Release::redis(7, 0)
    }

    pub(crate) fn commands(&mut self, kinds: &[Kind], out: &mut Vec<Cmd>) {
        let kind = kinds[self.below(kinds.len())];
        let cmd = (kind.draw)(self);
        if knows(self.release, &cmd.argv) {
            out.push(cmd);
        }
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.rng.usize(..n)
    }

    /// One time in `n`.
    pub(crate) fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// A key, nearly always of the pool that this letter names.
    pub(crate) fn key(&mut self, pool: u8) -> Vec<u8> {
        let pool = if self.once_in(30) { self.pick(POOLS) } else { pool };
        format!("{}:{}", char::from(pool), self.rng.u32(..POOL)).into_bytes()
    }

    pub(crate) fn any_key(&mut self) -> Vec<u8> {
        let pool = self.pick(POOLS);
        self.key(pool)
    }

    /// Does it look like one of our keys?
    pub(crate) fn is_key(arg: &[u8]) -> bool {
        arg.len() == 3 && arg[1] == b':' && POOLS.contains(&arg[0])
    }

    /// An integer: small, or at an edge.
    pub(crate) fn int(&mut self) -> i64 {
        match self.below(8) {
            0 => self.pick(&[0, 1, -1, 127, 128, 255, 256, 4095, 4096, 32767, 32768, 65536]),
            1 => self.pick(&[
                i64::MAX,
                i64::MIN,
                i64::MAX - 1,
                i64::MIN + 1,
                1 << 31,
                1 << 53,
                -1 << 31,
            ]),
            2 => self.rng.i64(..) >> self.rng.u32(..63),
            _ => self.rng.i64(-10..20),
        }
    }

    /// Text of an index or a count: nearly always small.
    pub(crate) fn index(&mut self) -> Vec<u8> {
        match self.below(12) {
            0 => self.int().to_string().into_bytes(),
            _ => self.rng.i64(-12..12).to_string().into_bytes(),
        }
    }

    /// Text that is meant as an integer, rarely one that is none.
    pub(crate) fn int_text(&mut self) -> Vec<u8> {
        match self.below(12) {
            0 => self
                .pick(&["", "x", "01", "+1", " 1", "1 ", "-0", "1.0", "9223372036854775808"])
                .into(),
            _ => self.int().to_string().into_bytes(),
        }
    }

    /// Text that is meant as a floating point number, rarely one that is none.
    pub(crate) fn float_text(&mut self) -> Vec<u8> {
        match self.below(10) {
            0 => {
                self.pick(&["", "x", "nan", "1e400", "1 ", " 1", "0x10", "1e", "+", "-nan"]).into()
            }
            1 => self
                .pick(&[
                    "inf", "-inf", "+inf", "Infinity", "1e17", "1e16", "1e-7", "-0", "0.1", "3.0",
                ])
                .into(),
            2 => format!("{}e{}", self.rng.i32(-99..99), self.rng.i32(-30..30)).into_bytes(),
            3..=5 => self.rng.i64(-5..20).to_string().into_bytes(),
            6 => format!("{}", self.rng.f64() * 1e6).into_bytes(),
            _ => format!("{}", f64::from(self.rng.i32(-100..100)) / 8.0).into_bytes(),
        }
    }

    /// Any text: numbers, words, bytes, lengths around what encodings change at.
    pub(crate) fn value(&mut self) -> Vec<u8> {
        match self.below(10) {
            0 | 1 => self.int().to_string().into_bytes(),
            2 => self.float_text(),
            3 => {
                let len = self.pick(&[0, 1, 22, 23, 30, 31, 44, 45, 63, 64, 65, 127, 128, 300]);
                vec![b'a' + self.rng.u8(..26); len]
            }
            4 => (0..self.below(20)).map(|_| self.rng.u8(..)).collect(),
            _ => self
                .pick(&["", "a", "b", "foo", "bar", "hello", "Hello", "x y", "\n", "\u{e9}"])
                .into(),
        }
    }

    /// A word in any case.
    pub(crate) fn word(&mut self, words: &[&str]) -> Vec<u8> {
        let word = self.pick(words);
        if self.once_in(2) { word.to_ascii_lowercase() } else { word.to_owned() }.into_bytes()
    }

    /// An expire time in seconds or milliseconds from now: an hour and more, or past and invalid ones.
    pub(crate) fn ttl(&mut self, unit_ms: i64) -> Vec<u8> {
        match self.below(8) {
            0 => self.pick(&["0", "-1", "x", "9223372036854775807", "-9223372036854775808"]).into(),
            1 => self.int_text(),
            _ => (self.rng.i64(3_600_000..90_000_000) / unit_ms).to_string().into_bytes(),
        }
        .pipe(|text| if near(&text, unit_ms, 0) { b"100000".to_vec() } else { text })
    }

    /// A point in time: hours away, or long past, or invalid.
    pub(crate) fn time(&mut self, unit_ms: i64) -> Vec<u8> {
        match self.below(8) {
            0 => self.pick(&["0", "-1", "x", "1", "1000", "9223372036854775807"]).into(),
            1 => self.int_text(),
            _ => ((self.now_ms + self.rng.i64(3_600_000..90_000_000)) / unit_ms)
                .to_string()
                .into_bytes(),
        }
    }
}

/// Would it come true while the test runs?
fn near(text: &[u8], unit_ms: i64, now_ms: i64) -> bool {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok());
    number.is_some_and(|n| (1..600_000).contains(&(n.saturating_mul(unit_ms) - now_ms)))
}

trait Pipe: Sized {
    fn pipe<R>(self, f: impl FnOnce(Self) -> R) -> R {
        f(self)
    }
}

impl<T> Pipe for T {}

/// A command for people.
pub(crate) fn show(argv: &[Vec<u8>]) -> String {
    const WORDS: usize = 20;
    let words = argv.iter().take(WORDS).map(|arg| match arg.len() {
        0 => "\"\"".to_owned(),
        1..=60 => arg.escape_ascii().to_string(),
        len => format!("{}…({len} bytes)", arg[..20].escape_ascii()),
    });
    let more = argv.len().checked_sub(WORDS + 1).map(|more| format!("…({} more)", more + 1));
    words.chain(more).collect::<Vec<_>>().join(" ")
}

/// A reply for people.
pub(crate) fn show_reply(reply: &Reply) -> String {
    match reply {
        Reply::Bulk(Some(bytes)) => format!("\"{}\"", bytes.escape_ascii()),
        Reply::Array(Some(items)) => {
            format!("[{}]", items.iter().map(show_reply).collect::<Vec<_>>().join(", "))
        }
        other => format!("{other:?}"),
    }
}

/// `\x41` and `""` in a chosen command's word.
pub(crate) fn unescape(word: &str) -> Vec<u8> {
    if word == "\"\"" {
        return Vec::new();
    }
    let (mut out, mut rest) = (Vec::new(), word);
    while let Some(at) = rest.find("\\x") {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        out.push(u8::from_str_radix(&rest[at + 2..at + 4], 16).unwrap());
        rest = &rest[at + 4..];
    }
    out.extend_from_slice(rest.as_bytes());
    out
}
