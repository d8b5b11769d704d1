//! Who a client is, what it speaks, and how it or all of it goes: AUTH, HELLO, RESET, QUIT, SHUTDOWN.

use super::super::Server;
use super::super::client::{Client, End};
use super::client::set_name;
use super::lower;
use crate::encoding::number::parse_i64;
use crate::engine::{Failure, Family, Outcome, Reply, Resp};

/// The only user there is.
const USER: &[u8] = b"default";

/// `AUTH [user] password`
pub(super) fn auth(server: &mut Server, client: &mut Client, argv: &[&[u8]]) -> Outcome {
    let (user, password) = match argv {
        [_, password] => (USER, *password),
        [_, user, password] => (*user, *password),
        _ => return Err(Failure::SYNTAX),
    };
    if server.settings.password.is_none() && argv.len() == 2 {
        return Err(Failure::new(
            "ERR AUTH <password> called without any password configured for the default user. \
             Are you sure your configuration is correct?",
        ));
    }
    log_in(server, client, user, password)?;
    Ok(Reply::OK)
}

fn log_in(
    server: &Server,
    client: &mut Client,
    user: &[u8],
    password: &[u8],
) -> Result<(), Failure> {
    if user != USER || !server.settings.is_password(password) {
        return Err(Failure::new("WRONGPASS invalid username-password pair or user is disabled."));
    }
    client.trusted = true;
    Ok(())
}

/// `HELLO [protover [AUTH user password] [SETNAME name]]`
pub(super) fn hello(server: &mut Server, client: &mut Client, argv: &[&[u8]]) -> Outcome {
    let mut rest = argv.get(1..).unwrap_or_default();
    let mut resp = None;
    if let Some((version, options)) = rest.split_first() {
        let version = parse_i64(version).ok_or_else(|| {
            Failure::new("ERR Protocol version is not an integer or out of range")
        })?;
        resp = Some(match version {
            2 => Resp::V2,
            3 => Resp::V3,
            _ => return Err(Failure::new("NOPROTO unsupported protocol version")),
        });
        rest = options;
    }
    let mut name = None;
    let mut login = None;
    while let Some((option, values)) = rest.split_first() {
        rest = match values {
            [user, password, more @ ..] if option.eq_ignore_ascii_case(b"auth") => {
                login = Some((*user, *password));
                more
            }
            [value, more @ ..] if option.eq_ignore_ascii_case(b"setname") => {
                name = Some(*value);
                more
            }
            _ => return Err(Failure::format("ERR Syntax error in HELLO option '%s'", &[option])),
        };
    }
    if let Some((user, password)) = login {
        log_in(server, client, user, password)?;
    }
    if !client.trusted {
        return Err(Failure::new(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO \
             <proto> AUTH <user> <pass> option can be used to authenticate the client and select the \
             RESP protocol version at the same time",
        ));
    }
    if let Some(name) = name {
        set_name(client, name)?;
    }
    if let Some(resp) = resp {
        client.session.resp = resp;
    }
    let release = server.store.engine().config().release;
    let family = match release.family {
        Family::Redis => "redis",
        Family::Valkey => "valkey",
    };
    let (major, minor) = release.version;
    let pair = |name: &str, value: Reply| (Reply::bulk(name), value);
    Ok(Reply::Map(vec![
        pair("server", Reply::bulk(family)),
        pair("version", Reply::bulk(format!("{major}.{minor}.0"))),
        pair("proto", Reply::Int(if client.session.resp == Resp::V3 { 3 } else { 2 })),
        pair("id", Reply::Int(i64::try_from(client.id).unwrap_or(i64::MAX))),
        pair("mode", Reply::bulk("standalone")),
        pair("role", Reply::bulk("master")),
        pair("modules", Reply::Array(Vec::new())),
    ]))
}

/// As if the client had just come.
pub(super) fn reset(server: &mut Server, client: &mut Client, _: &[&[u8]]) -> Outcome {
    server.let_go(&mut client.session);
    client.queued.clear();
    client.forget();
    client.trusted = server.settings.password.is_none();
    Ok(Reply::Simple("RESET"))
}

pub(super) fn quit(_: &mut Server, client: &mut Client, _: &[&[u8]]) -> Outcome {
    client.end = End::Answered;
    Ok(Reply::OK)
}

/// `SHUTDOWN [NOSAVE|SAVE] [NOW] [FORCE] [ABORT]`: there is no answer if it is done.
pub(super) fn shutdown(server: &mut Server, client: &mut Client, argv: &[&[u8]]) -> Outcome {
    let (mut save, mut force) = (None, false);
    for word in argv.iter().skip(1) {
        match (lower(word).as_str(), save) {
            ("save", None) => save = Some(true),
            ("nosave", None) => save = Some(false),
            // There are no replicas to wait for.
            ("now", _) => {}
            ("force", _) => force = true,
            ("abort", _) => return Err(Failure::new("ERR No shutdown in progress.")),
            _ => return Err(Failure::SYNTAX),
        }
    }
    let done = server.store.shutdown(save);
    if let Err(err) = &done {
        (server.log)(&format!("SHUTDOWN: {err}"));
    }
    if done.is_err() && !force {
        return Err(Failure::new("ERR Errors trying to SHUTDOWN. Check logs."));
    }
    server.ended = true;
    client.end = End::Now;
    Ok(Reply::OK)
}
