//! Commands that are about the server and its connections, not about keys: the engine does not know them.
//!
//! Behind MULTI the engine queues a PING in the place of each, and its answer is put there when EXEC has run
//! the others.

mod client;
mod command;
mod config;
mod hello;
mod info;
mod slowlog;

pub(super) use self::slowlog::SlowLog;
use super::Server;
use super::client::Client;
use crate::engine::{Command, Failure, Outcome, Reply, resolve};

/// One row.
#[derive(Debug)]
pub(super) struct Own {
    /// Lower case.
    pub(super) name: &'static str,
    /// Number of arguments, the name counted; negative: at least so many.
    arity: i16,
    /// Who may call it, and when.
    rule: Rule,
    run: Handler,
}

type Handler = fn(&mut Server, &mut Client, &[&[u8]]) -> Outcome;

/// When a command may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// With the password; behind MULTI it is queued.
    Plain,
    /// Without a password too; behind MULTI it is queued.
    Open,
    /// With the password, outside MULTI.
    Alone,
    /// Always, and behind MULTI at once.
    Always,
}

/// What is answered to somebody who has not said the password.
pub(super) const NO_AUTH: Failure = Failure::NO_AUTH;

const fn own(name: &'static str, arity: i16, rule: Rule, run: Handler) -> Own {
    Own { name, arity, rule, run }
}

static TABLE: &[Own] = &[
    own("auth", -2, Rule::Open, hello::auth),
    own("client", -2, Rule::Plain, client::client),
    own("command", -1, Rule::Plain, command::command),
    own("config", -2, Rule::Plain, config::config),
    own("hello", -1, Rule::Open, hello::hello),
    own("info", -1, Rule::Plain, info::info),
    own("quit", -1, Rule::Always, hello::quit),
    own("reset", 1, Rule::Always, hello::reset),
    own("slowlog", -2, Rule::Plain, slowlog::slowlog),
    own("shutdown", -1, Rule::Alone, hello::shutdown),
    own("save", 1, Rule::Alone, store),
    own("bgsave", -1, Rule::Plain, store),
    own("bgrewriteaof", 1, Rule::Plain, store),
    own("lastsave", 1, Rule::Plain, store),
];

/// What servers have and this one has not, and why.
static MISSING: &[(&str, &[&str])] = &[
    (
        "messages are not passed on here",
        &[
            "subscribe",
            "unsubscribe",
            "psubscribe",
            "punsubscribe",
            "ssubscribe",
            "sunsubscribe",
            "pubsub",
            "monitor",
        ],
    ),
    (
        "there is no replication here",
        &[
            "replicaof",
            "slaveof",
            "sync",
            "psync",
            "replconf",
            "role",
            "failover",
            "wait",
            "waitaof",
        ],
    ),
    ("there is no cluster here", &["cluster", "asking", "readonly", "readwrite", "migrate"]),
    ("modules cannot be loaded here", &["module"]),
    ("there is one user here, the default one", &["acl"]),
    ("nothing is measured here for it", &["latency", "memory", "lolwut"]),
];

/// The row of this name.
pub(super) fn find(name: &[u8]) -> Option<&'static Own> {
    TABLE.iter().find(|row| row.name.as_bytes().eq_ignore_ascii_case(name))
}

/// Every row.
fn all() -> impl Iterator<Item = &'static Own> {
    TABLE.iter()
}

/// Why there is no such command, if a server has it.
pub(super) fn missing(name: &[u8]) -> Option<Failure> {
    let is = |known: &&&str| known.as_bytes().eq_ignore_ascii_case(name);
    MISSING.iter().find_map(|(why, names)| {
        let name = names.iter().find(is)?.to_ascii_uppercase();
        Some(Failure::unsupported(&format!("{name}: {why}")))
    })
}

impl Server {
    /// Runs one.
    pub(super) fn run_own(
        &mut self,
        client: &mut Client,
        own: &'static Own,
        argv: &[&[u8]],
    ) -> Outcome {
        let wanted = usize::from(own.arity.unsigned_abs());
        if argv.len() < wanted || (own.arity > 0 && argv.len() > wanted) {
            client.session.spoil();
            return Err(Failure::arity(own.name));
        }
        if !client.trusted && matches!(own.rule, Rule::Plain | Rule::Alone) {
            return Err(NO_AUTH);
        }
        match (client.session.queued(), own.rule) {
            (None, _) | (_, Rule::Always) => {}
            (Some(_), Rule::Alone) => {
                client.session.spoil();
                return Err(Failure::new("ERR Command not allowed inside a transaction"));
            }
            (Some(place), _) => {
                client.queued.push((place, argv.iter().map(|arg| arg.to_vec()).collect()));
                let ping: &[&[u8]] = &[b"PING"];
                return Ok(self.store.execute(&mut client.session, resolve(ping)?, ping));
            }
        }
        self.counts.commands += 1;
        (own.run)(self, client, argv)
    }
}

impl Server {
    /// A transaction has ended with this command and answer: those that were queued here are run, if it was.
    pub(super) fn run_queued(
        &mut self,
        client: &mut Client,
        end: &'static Command,
        reply: Reply,
    ) -> Reply {
        let queued = std::mem::take(&mut client.queued);
        let mut replies = match reply {
            Reply::Array(replies) if end.name == "exec" => replies,
            other => return other,
        };
        for (place, argv) in queued {
            let argv: Vec<&[u8]> = argv.iter().map(Vec::as_slice).collect();
            let own = argv.first().and_then(|name| find(name));
            if let (Some(own), Some(reply)) = (own, replies.get_mut(place)) {
                *reply = self.run_own(client, own, &argv).into();
            }
        }
        Reply::Array(replies)
    }
}

/// What the store answers itself.
fn store(server: &mut Server, _: &mut Client, argv: &[&[u8]]) -> Outcome {
    let name = argv.first().copied().unwrap_or_default();
    let reply = server.store.own_command(argv);
    reply.ok_or_else(|| Failure::unsupported(&lower(name).to_ascii_uppercase()))
}

/// What is said of a subcommand that is none, or has not these arguments.
#[cold]
fn no_subcommand(command: &str, argv: &[&[u8]]) -> Failure {
    Failure::subcommand_syntax(command, argv.get(1).copied().unwrap_or_default())
}

/// An argument as plain text in lower case.
fn lower(arg: &[u8]) -> String {
    String::from_utf8_lossy(arg).to_ascii_lowercase()
}
