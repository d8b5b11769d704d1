//! INFO: what goes on, in the sections and names of a server, as far as there is something to say.

use std::fmt::Write as _;

use super::super::Server;
use super::super::client::Client;
use super::lower;
use crate::engine::{Family, Outcome, Reply, Resp};

/// A section: its name, whether it is among those shown unasked, and its lines.
type Section = (&'static str, fn(&Server, &mut String));

const SECTIONS: &[Section] = &[
    ("Server", server),
    ("Clients", clients),
    ("Memory", memory),
    ("Persistence", persistence),
    ("Stats", stats),
    ("Replication", replication),
    ("Keyspace", keyspace),
];

/// `INFO [section …]`
pub(super) fn info(server: &mut Server, client: &mut Client, argv: &[&[u8]]) -> Outcome {
    let asked: Vec<String> = argv.iter().skip(1).map(|arg| lower(arg)).collect();
    let all = asked.iter().any(|name| ["all", "default", "everything"].contains(&name.as_str()));
    let mut text = String::new();
    for (name, lines) in SECTIONS {
        if asked.is_empty() || all || asked.contains(&name.to_ascii_lowercase()) {
            let gap = if text.is_empty() { "" } else { "\r\n" };
            let _ = write!(text, "{gap}# {name}\r\n");
            lines(server, &mut text);
        }
    }
    Ok(match client.session.resp {
        Resp::V2 => Reply::Bulk(text.into_bytes()),
        Resp::V3 => Reply::Verbatim(text.into_bytes()),
    })
}

fn line(out: &mut String, name: &str, value: impl std::fmt::Display) {
    let _ = write!(out, "{name}:{value}\r\n");
}

fn server(server: &Server, out: &mut String) {
    let release = server.store.engine().config().release;
    let (major, minor) = release.version;
    let family = match release.family {
        Family::Redis => "redis",
        Family::Valkey => "valkey",
    };
    line(out, &format!("{family}_version"), format_args!("{major}.{minor}.0"));
    line(out, "redis_mode", "standalone");
    line(out, "rdbtool_version", env!("CARGO_PKG_VERSION"));
    line(out, "arch_bits", usize::BITS);
    line(out, "multiplexing_api", "mio");
    line(out, "process_id", std::process::id());
    let port = server.addresses().ok().and_then(|all| all.first().map(|address| address.port()));
    line(out, "tcp_port", port.unwrap_or(0));
    line(out, "server_time_usec", server.now_ms.saturating_mul(1000));
    let uptime_s = server.up_ms / 1000;
    line(out, "uptime_in_seconds", uptime_s);
    line(out, "uptime_in_days", uptime_s / 86_400);
}

fn clients(server: &Server, out: &mut String) {
    // The one that asks is taken out of the table, and counts.
    line(out, "connected_clients", server.clients.len());
    line(out, "maxclients", server.settings.max_clients);
    line(out, "blocked_clients", server.waiting.len());
}

fn memory(server: &Server, out: &mut String) {
    let engine = server.store.engine();
    let clients: usize = server.clients.iter().map(Client::memory).sum();
    let dataset = engine.memory();
    line(out, "used_memory", dataset + clients);
    line(out, "used_memory_dataset", dataset);
    line(out, "mem_clients_normal", clients);
    line(out, "maxmemory", engine.config().max_memory.unwrap_or(0));
    line(out, "maxmemory_policy", "noeviction");
}

fn persistence(server: &Server, out: &mut String) {
    for (name, value) in server.store.info() {
        line(out, name, value);
    }
}

fn stats(server: &Server, out: &mut String) {
    let (engine, counts) = (server.store.engine().stats(), server.counts);
    line(out, "total_connections_received", counts.accepted);
    line(out, "total_commands_processed", engine.commands + counts.commands);
    line(out, "total_net_input_bytes", counts.bytes_in);
    line(out, "total_net_output_bytes", counts.bytes_out);
    line(out, "rejected_connections", counts.rejected);
    line(out, "client_limit_disconnections", counts.closed_for_limits);
    line(out, "expired_keys", engine.expired);
    line(out, "evicted_keys", 0);
}

fn replication(_: &Server, out: &mut String) {
    line(out, "role", "master");
    line(out, "connected_slaves", 0);
}

fn keyspace(server: &Server, out: &mut String) {
    for (db, space) in server.store.engine().keyspaces() {
        let (keys, expires) = (space.len(), space.expires_len());
        line(out, &format!("db{db}"), format_args!("keys={keys},expires={expires},avg_ttl=0"));
    }
}
