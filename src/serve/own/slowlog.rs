//! SLOWLOG: the last commands of the engine that took long, with their arguments, cut as a server cuts them.

use std::collections::VecDeque;

use super::super::Server;
use super::super::client::Client;
use super::{lower, no_subcommand};
use crate::encoding::number::parse_i64;
use crate::engine::{Failure, Outcome, Reply};

/// Arguments of a command that are kept, and bytes of each.
const ARGS: usize = 32;
const BYTES: usize = 128;

/// Entries that are told when nobody says how many.
const TOLD: i64 = 10;

/// The commands, the last one first.
#[derive(Debug, Default)]
pub(in super::super) struct SlowLog {
    next: i64,
    entries: VecDeque<Entry>,
}

#[derive(Debug)]
struct Entry {
    id: i64,
    second: i64,
    took_us: i64,
    argv: Vec<Vec<u8>>,
    peer: String,
    name: Vec<u8>,
}

impl SlowLog {
    /// Keeps a command that took so long, and no more than `most` of them.
    pub(in super::super) fn note(
        &mut self,
        client: &Client,
        argv: &[&[u8]],
        took_us: i64,
        now_ms: i64,
        most: usize,
    ) {
        let (peer, name) = (client.peer.to_string(), client.labels.name.clone());
        let (id, second) = (self.next, now_ms.div_euclid(1000));
        self.next += 1;
        self.entries.push_front(Entry { id, second, took_us, argv: cut(argv), peer, name });
        self.entries.truncate(most);
    }

    fn told(&self, count: usize) -> Reply {
        let entry = |entry: &Entry| {
            Reply::Array(vec![
                Reply::Int(entry.id),
                Reply::Int(entry.second),
                Reply::Int(entry.took_us),
                Reply::Array(entry.argv.iter().map(Reply::bulk).collect()),
                Reply::bulk(&entry.peer),
                Reply::bulk(&entry.name),
            ])
        };
        Reply::Array(self.entries.iter().take(count).map(entry).collect())
    }
}

fn cut(argv: &[&[u8]]) -> Vec<Vec<u8>> {
    let shown = if argv.len() > ARGS { ARGS - 1 } else { argv.len() };
    let arg = |arg: &&[u8]| match arg.split_at_checked(BYTES) {
        Some((head, rest @ [_, ..])) => {
            [head, format!("... ({} more bytes)", rest.len()).as_bytes()].concat()
        }
        _ => arg.to_vec(),
    };
    let mut all: Vec<Vec<u8>> = argv.iter().take(shown).map(arg).collect();
    if shown < argv.len() {
        all.push(format!("... ({} more arguments)", argv.len() - shown).into_bytes());
    }
    all
}

/// `SLOWLOG GET [count] | LEN | RESET`
pub(super) fn slowlog(server: &mut Server, _: &mut Client, argv: &[&[u8]]) -> Outcome {
    let [_, sub, args @ ..] = argv else { return Err(Failure::SYNTAX) };
    let log = &mut server.slow_log;
    match (lower(sub).as_str(), args) {
        ("get", []) => Ok(log.told(usize::try_from(TOLD).unwrap_or(0))),
        ("get", [count]) => {
            let count = parse_i64(count)
                .filter(|count| *count >= -1)
                .ok_or_else(|| Failure::new("ERR count should be greater than or equal to -1"))?;
            // -1 is all of them.
            Ok(log.told(usize::try_from(count).unwrap_or(usize::MAX)))
        }
        ("len", []) => Ok(Reply::count(log.entries.len())),
        ("reset", []) => {
            log.entries.clear();
            Ok(Reply::OK)
        }
        _ => Err(no_subcommand("slowlog", argv)),
    }
}
