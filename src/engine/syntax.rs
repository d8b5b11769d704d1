//! Whether a command takes the options that it is given: its own code is asked, in a store with nothing in it.
//!
//! ```text
//! SET key value PXAT 1700000000000      is the same question as
//! SET 1   2     PXAT 1700000000000      and is asked once for all numbers
//! ```

use super::command::{Command, flag};
use super::{Config, Engine, Reply, Session};

/// Answers that are remembered: real files ask a handful of questions.
const ANSWERS_MAX: usize = 32;

/// Longest word of a question that is remembered: options are short.
const WORD_MAX: usize = 16;

/// Stand for the arguments before the options, which no answer depends on.
const FIXED: [&[u8]; 4] = [b"1", b"2", b"3", b"4"];

/// Asks, and remembers answers.
#[derive(Debug)]
pub struct Syntax {
    store: Engine,
    answers: Vec<Answer>,
}

/// What was answered.
#[derive(Debug)]
struct Answer {
    command: &'static str,
    /// The options; `None` is any number.
    words: Vec<Option<Vec<u8>>>,
    takes: bool,
}

impl Syntax {
    /// Nothing was asked yet.
    pub fn new() -> Syntax {
        Syntax { store: empty(), answers: Vec::new() }
    }

    /// Whether some server takes these arguments of a command in its table, as far as they are options: those of
    /// rows with [`flag::OPTIONS`], beyond what the arity asks for.
    #[inline]
    pub fn takes(&mut self, row: &'static Command, argv: &[&[u8]]) -> bool {
        let fixed = usize::from(row.arity.unsigned_abs());
        !row.is(flag::OPTIONS) || argv.len() <= fixed || self.answer(row, argv, fixed)
    }

    fn answer(&mut self, row: &'static Command, argv: &[&[u8]], fixed: usize) -> bool {
        let options = argv.get(fixed..).unwrap_or_default();
        let known = self.answers.iter().find(|answer| answer.is_to(row, options));
        known.map(|answer| answer.takes).unwrap_or_else(|| self.ask(row, argv, fixed))
    }

    #[cold]
    fn ask(&mut self, row: &'static Command, argv: &[&[u8]], fixed: usize) -> bool {
        let name = argv.iter().take(1);
        let stand_ins = FIXED.iter().take(fixed.saturating_sub(1));
        let options = argv.get(fixed..).unwrap_or_default();
        let asked: Vec<&[u8]> = name.chain(stand_ins).chain(options).copied().collect();
        let reply = self.store.dispatch(&mut Session::new(), row, &asked);
        if self.store.dirty() > 0 {
            self.store = empty();
        }
        let takes = !matches!(reply, Reply::Error(_));
        let is_short = options.iter().all(|word| word.len() <= WORD_MAX);
        if is_short && self.answers.len() < ANSWERS_MAX {
            let word = |word: &&[u8]| (!is_number(word)).then(|| word.to_vec());
            let words = options.iter().map(word).collect();
            self.answers.push(Answer { command: row.name, words, takes });
        }
        takes
    }
}

impl Default for Syntax {
    fn default() -> Self {
        Syntax::new()
    }
}

impl Answer {
    fn is_to(&self, row: &Command, options: &[&[u8]]) -> bool {
        let is_same = |(known, word): (&Option<Vec<u8>>, &&[u8])| match known {
            Some(known) => known == word,
            None => is_number(word),
        };
        self.words.len() == options.len()
            && self.command == row.name
            && self.words.iter().zip(options).all(is_same)
    }
}

/// A number above zero that nobody finds too large.
fn is_number(word: &[u8]) -> bool {
    matches!(word, [b'1'..=b'9', rest @ ..] if rest.len() < 15 && rest.iter().all(u8::is_ascii_digit))
}

fn empty() -> Engine {
    Engine::new(Config { databases: u64::MAX, ..Config::default() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::engine::resolve;

    #[test]
    fn options() {
        let cases = [
            ("SET k v", true),
            ("SET k v PXAT 1700000000000", true),
            ("SET k v pxat 1", true),
            ("SET k v PX soon", false),
            ("SET k v PX -1", false),
            ("SET k v NX GET KEEPTTL", true),
            ("SET k v NX XX", false),
            ("SET k v IFEQ other", true),
            ("SET k v SET", false),
            ("SET k v k w", false),
            ("PEXPIREAT k 5 GT", true),
            ("PEXPIREAT k 5 $3", false),
            ("COPY a b DB 70000 REPLACE", true),
            ("COPY a b c", false),
            ("GETEX k PERSIST", true),
            ("GETEX k NEVER", false),
            ("FLUSHALL ASYNC", true),
            ("FLUSHALL k", false),
            ("LPOP k 3", true),
            ("LPOP k v", false),
            ("RPUSH k a b c d", true),
            ("HSET k a b c d", true),
        ];
        let mut syntax = Syntax::new();
        // What is remembered is what was said.
        for _ in 0..2 {
            for (line, want) in cases {
                let argv: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
                assert_eq!(syntax.takes(resolve(&argv).unwrap(), &argv), want, "{line}");
            }
        }
    }

    #[test]
    fn much_is_asked_and_little_remembered() {
        let mut syntax = Syntax::new();
        for n in 0..1000 {
            let word = format!("x{n}");
            let argv: [&[u8]; 5] = [b"SET", b"k", b"v", b"IFEQ", word.as_bytes()];
            assert!(syntax.takes(resolve(&argv).unwrap(), &argv));
        }
        assert_eq!(syntax.answers.len(), ANSWERS_MAX);
    }
}
