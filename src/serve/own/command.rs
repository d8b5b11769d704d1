//! COMMAND: what commands there are, from the tables that run them.

use super::super::Server;
use super::super::client::Client;
use super::{Own, all as own_commands, find, lower, no_subcommand};
use crate::engine::command::{self, Keys, flag};
use crate::engine::{Command, Failure, Outcome, Release, Reply, resolve};
use crate::glob;

/// `COMMAND [COUNT|INFO|LIST|DOCS|GETKEYS …]`
pub(super) fn command(server: &mut Server, _: &mut Client, argv: &[&[u8]]) -> Outcome {
    let release = server.store.engine().config().release;
    let rows = || rows(release);
    let Some((sub, args)) = argv.get(1..).and_then(<[&[u8]]>::split_first) else {
        return Ok(Reply::Array(rows().map(|row| row.reply()).collect()));
    };
    match (lower(sub).as_str(), args) {
        ("count", []) => Ok(Reply::count(rows().count())),
        ("info", []) => Ok(Reply::Array(rows().map(|row| row.reply()).collect())),
        ("info", names) => {
            let row = |name: &&[u8]| rows().find(|row| row.is_called(name));
            let reply = |name| row(name).map_or(Reply::NilArray, |row| row.reply());
            Ok(Reply::Array(names.iter().map(reply).collect()))
        }
        ("list", []) => Ok(Reply::bulks(rows().map(|row| row.name()))),
        ("list", [filter, by, pattern])
            if filter.eq_ignore_ascii_case(b"filterby") && by.eq_ignore_ascii_case(b"pattern") =>
        {
            let fits = |row: &Row| glob::matches_nocase(pattern, row.name().as_bytes());
            Ok(Reply::bulks(rows().filter(fits).map(|row| row.name())))
        }
        // What there is to say of each is in the servers' documentation.
        ("docs", _) => Ok(Reply::Map(Vec::new())),
        ("getkeys", asked @ [_, ..]) => keys(asked, release),
        _ => Err(no_subcommand("command", argv)),
    }
}

fn keys(argv: &[&[u8]], release: Release) -> Outcome {
    let name = argv.first().copied().unwrap_or_default();
    let none = || Failure::new("ERR The command has no key arguments");
    if find(name).is_some() {
        return Err(none());
    }
    let row = rows(release).find(|row| row.is_called(name));
    row.ok_or_else(|| Failure::new("ERR Invalid command specified"))?;
    let command = resolve(argv)
        .map_err(|_| Failure::new("ERR Invalid number of arguments specified for command"))?;
    let keys = command.key_positions(argv).into_iter().filter_map(|at| argv.get(at));
    let keys: Vec<&&[u8]> = keys.collect();
    if keys.is_empty() { Err(none()) } else { Ok(Reply::bulks(keys)) }
}

/// A command of the engine, or of this server.
enum Row {
    Engine(&'static Command),
    Own(&'static Own),
}

/// Those that this release has, as the store refuses others.
fn rows(release: Release) -> impl Iterator<Item = Row> {
    let known = command::all().filter(move |command| command.since.is_in(release));
    let engine = known.filter(|command| find(command.name.as_bytes()).is_none());
    engine.map(Row::Engine).chain(own_commands().map(Row::Own))
}

impl Row {
    fn name(&self) -> &'static str {
        match self {
            Row::Engine(command) => command.name,
            Row::Own(own) => own.name,
        }
    }

    fn is_called(&self, name: &[u8]) -> bool {
        self.name().as_bytes().eq_ignore_ascii_case(name)
    }

    fn reply(&self) -> Reply {
        match self {
            Row::Engine(command) => engine_row(command),
            Row::Own(own) => {
                row(own.name, own.arity, &["noscript", "loading", "stale"], (0, 0, 0), &[])
            }
        }
    }
}

/// The words for the flags, as servers have them.
const FLAGS: &[(u16, &str)] = &[
    (flag::WRITE, "write"),
    (flag::READONLY, "readonly"),
    (flag::DENYOOM, "denyoom"),
    (flag::NOSCRIPT, "noscript"),
];

fn engine_row(command: &Command) -> Reply {
    let flags = FLAGS.iter().filter(|(flag, _)| command.is(*flag)).map(|(_, word)| *word);
    let mut flags: Vec<&str> = flags.collect();
    let int = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let keys = match command.keys {
        Keys::None => (0, 0, 0),
        Keys::Range { first, last, step } => (int(first), last as i64, int(step)),
        Keys::Counted { more, .. } => {
            flags.push("movablekeys");
            let at = more.first().map_or(0, |at| int(*at));
            (at, at, i64::from(at > 0))
        }
        Keys::Find(_) => {
            flags.push("movablekeys");
            (0, 0, 0)
        }
    };
    row(command.name, command.arity, &flags, keys, command.subcommands)
}

fn row(
    name: &str,
    arity: i16,
    flags: &[&str],
    (first, last, step): (i64, i64, i64),
    subcommands: &[Command],
) -> Reply {
    let none = || Reply::Array(Vec::new());
    Reply::Array(vec![
        Reply::bulk(name),
        Reply::Int(arity.into()),
        Reply::Set(flags.iter().map(|flag| Reply::word(flag)).collect()),
        Reply::Int(first),
        Reply::Int(last),
        Reply::Int(step),
        // Categories of users' rights, tips and key specifications: nothing here goes by them.
        Reply::Set(Vec::new()),
        none(),
        none(),
        Reply::Array(subcommands.iter().map(engine_row).collect()),
    ])
}
