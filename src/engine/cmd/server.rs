//! Commands about the connection and the server.

use crate::engine::args;
use crate::engine::command::flag::READONLY;
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::release::Family;
use crate::engine::reply::{Reply, Resp};

pub(super) const COMMANDS: &[Command] = &[
    cmd("ping", -1, 0, Keys::None, Since::both(1, 0), ping),
    cmd("echo", 2, 0, Keys::None, Since::both(1, 0), echo),
    cmd("time", 1, 0, Keys::None, Since::both(2, 6), time),
    cmd("publish", 3, 0, Keys::None, Since::both(2, 0), publish),
    cmd("spublish", 3, 0, Keys::None, Since::both(7, 0), publish),
    cmd("info", -1, READONLY, Keys::None, Since::both(1, 0), info),
];

fn ping(_: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    match argv {
        [_] => Ok(Reply::Simple("PONG")),
        [_, text] => Ok(Reply::bulk(text)),
        _ => Err(Failure::arity("ping")),
    }
}

fn echo(_: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    Ok(Reply::bulk(argv[1]))
}

/// Nobody listens.
fn publish(_: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    Ok(Reply::Int(0))
}

fn time(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let ms = ctx.now_ms();
    let parts = [ms.div_euclid(1000), ms.rem_euclid(1000) * 1000];
    Ok(Reply::bulks(parts.map(|part| part.to_string())))
}

/// `INFO [section …]`: server, memory, keyspace.
fn info(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let asked = |section: &str| {
        let sections = argv.get(1..).unwrap_or_default();
        sections.is_empty()
            || sections.iter().any(|arg| {
                [section, "all", "default", "everything"].iter().any(|name| args::is(arg, name))
            })
    };
    let mut parts = Vec::new();
    if asked("server") {
        let (major, minor) = ctx.engine.config().release.version;
        let name = match ctx.engine.config().release.family {
            Family::Redis => "redis",
            Family::Valkey => "valkey",
        };
        parts.push(format!("# Server\r\n{name}_version:{major}.{minor}.0\r\n"));
    }
    if asked("memory") {
        parts.push(format!("# Memory\r\nused_memory:{}\r\n", ctx.engine.memory()));
    }
    if asked("keyspace") {
        let lines = ctx.engine.keyspaces().map(|(db, space)| {
            format!("db{db}:keys={},expires={},avg_ttl=0\r\n", space.len(), space.expires_len())
        });
        parts.push(format!("# Keyspace\r\n{}", lines.collect::<String>()));
    }
    let text = parts.join("\r\n").into_bytes();
    Ok(match ctx.session.resp {
        Resp::V2 => Reply::Bulk(text),
        Resp::V3 => Reply::Verbatim(text),
    })
}
