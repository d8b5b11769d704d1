//! What lies behind the end of an RDB: nothing, the commands of an AOF whose preamble the RDB is, or
//! bytes that no server looks at.

use super::rdb_facts::Facts;
use crate::rdb::skim::Outcome;

/// What lies behind the EOF record, and how many bytes it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    /// Nothing.
    Nothing,
    /// Commands: the file is an AOF with an RDB preamble.
    Commands(u64),
    /// Bytes that nobody reads.
    Garbage(u64),
}

/// Whether an RDB says of itself that commands may follow.
pub fn is_marked(facts: &Facts) -> bool {
    let marks: [&[u8]; 2] = [b"aof-preamble", b"aof-base"];
    marks.iter().any(|mark| facts.aux_value(mark) == Some(b"1"))
}

impl Behind {
    /// Tells by the first bytes behind the end, or by what the RDB says of itself. Redis marks a
    /// preamble with `aof-preamble` (4.0 to 6.2) or `aof-base` (7.0 on); without the mark, a command
    /// (`*3\r\n…`) or an annotation (`#TS:…`) is one all the same.
    pub fn of(facts: &Facts, outcome: &Outcome, tail: &[u8]) -> Behind {
        let len = outcome.size.saturating_sub(outcome.end);
        if outcome.damage.is_some() || len == 0 {
            return Behind::Nothing;
        }
        let command = matches!(tail, [b'*', b'0'..=b'9', ..] | [b'#', ..]);
        if is_marked(facts) || command { Behind::Commands(len) } else { Behind::Garbage(len) }
    }
}
