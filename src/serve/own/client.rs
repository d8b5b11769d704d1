//! CLIENT: who is connected, what they are called, and who has to go.

use super::super::Server;
use super::super::client::{Client, End, Replies};
use super::{lower, no_subcommand};
use crate::encoding::number::parse_i64;
use crate::engine::{Failure, Outcome, Reply, Resp};

/// `CLIENT ID|GETNAME|SETNAME|SETINFO|LIST|INFO|KILL|UNBLOCK|NO-EVICT|NO-TOUCH|REPLY|GETREDIR`
pub(super) fn client(server: &mut Server, client: &mut Client, argv: &[&[u8]]) -> Outcome {
    let [_, sub, args @ ..] = argv else { return Err(Failure::SYNTAX) };
    match (lower(sub).as_str(), args) {
        ("id", []) => Ok(number(client.id)),
        ("getname", []) if client.labels.name.is_empty() => Ok(Reply::Nil),
        ("getname", []) => Ok(Reply::bulk(&client.labels.name)),
        ("setname", [name]) => set_name(client, name).map(|()| Reply::OK),
        ("setinfo", [attribute, value]) => set_info(client, attribute, value),
        ("info", []) => Ok(text(client, client.line(server.up_ms))),
        ("list", args) => list(server, client, args),
        ("kill", args) => kill(server, client, args),
        ("unblock", [id, how @ ..]) => unblock(server, id, how),
        // Nothing is evicted, and nothing is told of what was touched.
        ("no-evict" | "no-touch", [state]) => on(state).map(|_| Reply::OK).ok_or(Failure::SYNTAX),
        ("reply", [how]) => reply(client, how),
        ("getredir", []) => Ok(Reply::Int(-1)),
        ("tracking" | "caching" | "trackinginfo" | "pause" | "unpause", _) => {
            Err(Failure::unsupported(&format!("CLIENT {}", lower(sub).to_ascii_uppercase())))
        }
        _ => Err(no_subcommand("client", argv)),
    }
}

fn number(id: u64) -> Reply {
    Reply::Int(i64::try_from(id).unwrap_or(i64::MAX))
}

fn on(state: &[u8]) -> Option<bool> {
    match lower(state).as_str() {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

/// A text for people.
fn text(client: &Client, text: Vec<u8>) -> Reply {
    match client.session.resp {
        Resp::V2 => Reply::Bulk(text),
        Resp::V3 => Reply::Verbatim(text),
    }
}

fn is_label(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_graphic)
}

/// Names a client; an empty name takes its name away.
pub(super) fn set_name(client: &mut Client, name: &[u8]) -> Result<(), Failure> {
    if !is_label(name) {
        return Err(Failure::new(
            "ERR Client names cannot contain spaces, newlines or special characters.",
        ));
    }
    client.labels.name = name.to_vec();
    Ok(())
}

fn set_info(client: &mut Client, attribute: &[u8], value: &[u8]) -> Outcome {
    let name = lower(attribute);
    let label = match name.as_str() {
        "lib-name" => &mut client.labels.lib_name,
        "lib-ver" => &mut client.labels.lib_version,
        _ => return Err(Failure::format("ERR Unrecognized option '%s'", &[attribute])),
    };
    if !is_label(value) {
        let text = format!("ERR {name} cannot contain spaces, newlines or special characters.");
        return Err(Failure::new(text));
    }
    *label = value.to_vec();
    Ok(Reply::OK)
}

/// `CLIENT LIST [TYPE normal|master|replica|pubsub] [ID id …]`
fn list(server: &Server, own: &Client, args: &[&[u8]]) -> Outcome {
    let wanted: Option<Vec<u64>> = match args {
        [] => None,
        [word, kind] if word.eq_ignore_ascii_case(b"type") => match lower(kind).as_str() {
            "normal" => None,
            "master" | "replica" | "slave" | "pubsub" => Some(Vec::new()),
            _ => return Err(Failure::format("ERR Unknown client type '%s'", &[kind])),
        },
        [word, ids @ ..] if word.eq_ignore_ascii_case(b"id") && !ids.is_empty() => {
            Some(ids.iter().map(|id| client_id(id)).collect::<Result<_, _>>()?)
        }
        _ => return Err(Failure::SYNTAX),
    };
    let others = server.clients.iter();
    let mut all: Vec<&Client> = others.chain([own]).collect();
    all.retain(|client| wanted.as_ref().is_none_or(|ids| ids.contains(&client.id)));
    all.sort_by_key(|client| client.id);
    let lines = all.iter().flat_map(|client| client.line(server.up_ms));
    Ok(text(own, lines.collect()))
}

fn client_id(arg: &[u8]) -> Result<u64, Failure> {
    let id = parse_i64(arg).and_then(|id| u64::try_from(id).ok()).filter(|id| *id > 0);
    id.ok_or_else(|| Failure::new("ERR Invalid client ID"))
}

/// Which clients KILL is about.
#[derive(Debug, Default)]
struct Victims<'a> {
    id: Option<u64>,
    peer: Option<&'a [u8]>,
    local: Option<&'a [u8]>,
    /// A kind of clients that there is none of here, or a user.
    nobody: bool,
    skip_me: bool,
}

impl Victims<'_> {
    fn has(&self, client: &Client, me: u64) -> bool {
        let is = |wanted: Option<&[u8]>, address: &std::net::SocketAddr| {
            wanted.is_none_or(|wanted| wanted == address.to_string().as_bytes())
        };
        !self.nobody
            && self.id.is_none_or(|id| id == client.id)
            && is(self.peer, &client.peer)
            && is(self.local, &client.local)
            && !(self.skip_me && client.id == me)
    }
}

/// `CLIENT KILL address`, or `CLIENT KILL [ID id] [ADDR a] [LADDR a] [TYPE t] [USER u] [SKIPME yes|no]`
fn kill(server: &mut Server, own: &mut Client, args: &[&[u8]]) -> Outcome {
    if let [address] = args {
        let victims = Victims { peer: Some(address), ..Victims::default() };
        return match end(server, own, &victims) {
            0 => Err(Failure::new("ERR No such client")),
            _ => Ok(Reply::OK),
        };
    }
    let mut victims = Victims { skip_me: true, ..Victims::default() };
    if args.is_empty() || !args.len().is_multiple_of(2) {
        return Err(Failure::SYNTAX);
    }
    for pair in args.chunks_exact(2) {
        let [option, value] = pair else { continue };
        match lower(option).as_str() {
            "id" => {
                let id =
                    parse_i64(value).and_then(|id| u64::try_from(id).ok()).filter(|id| *id > 0);
                let wrong = || Failure::new("ERR client-id should be greater than 0");
                victims.id = Some(id.ok_or_else(wrong)?);
            }
            "addr" => victims.peer = Some(value),
            "laddr" => victims.local = Some(value),
            "type" => victims.nobody |= lower(value) != "normal",
            "user" => victims.nobody |= *value != b"default",
            "skipme" => {
                victims.skip_me = match lower(value).as_str() {
                    "yes" => true,
                    "no" => false,
                    _ => return Err(Failure::SYNTAX),
                }
            }
            _ => return Err(Failure::SYNTAX),
        }
    }
    Ok(Reply::count(end(server, own, &victims)))
}

/// Ends the connections that are meant; how many.
fn end(server: &mut Server, own: &mut Client, victims: &Victims<'_>) -> usize {
    let mut count = 0;
    let me = own.id;
    let mut ended = Vec::new();
    for client in server.clients.iter_mut().filter(|client| victims.has(client, me)) {
        client.end = End::Now;
        count += 1;
        if !std::mem::replace(&mut client.listed, true) {
            ended.push(client.at);
        }
    }
    server.answered.extend(ended);
    if victims.has(own, me) {
        own.end = End::Answered;
        count += 1;
    }
    count
}

/// `CLIENT UNBLOCK id [TIMEOUT|ERROR]`
fn unblock(server: &mut Server, id: &[u8], how: &[&[u8]]) -> Outcome {
    let id = parse_i64(id).ok_or(Failure::NOT_INT)?;
    let failure = match how {
        [] => None,
        [word] if word.eq_ignore_ascii_case(b"timeout") => None,
        [word] if word.eq_ignore_ascii_case(b"error") => {
            Some(Failure::new("UNBLOCKED client unblocked via CLIENT UNBLOCK"))
        }
        _ => {
            return Err(Failure::new("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"));
        }
    };
    Ok(Reply::flag(server.end_wait_of(id, failure)))
}

/// `CLIENT REPLY ON|OFF|SKIP`
fn reply(client: &mut Client, how: &[u8]) -> Outcome {
    client.replies = match (lower(how).as_str(), client.replies) {
        ("on", _) => Replies::On,
        ("off", _) => Replies::Off,
        ("skip", Replies::Off) => Replies::Off,
        ("skip", _) => Replies::SkipNext,
        _ => return Err(Failure::SYNTAX),
    };
    Ok(Reply::OK)
}
