//! CONFIG: the settings of the network side, one row each; those of the store are the store's.

use super::super::Server;
use super::super::client::Client;
use super::super::settings::NotSet;
use super::{lower, no_subcommand};
use crate::engine::{Failure, Outcome, Reply};
use crate::glob;

/// `CONFIG GET pattern … | SET name value … | RESETSTAT | REWRITE`
pub(super) fn config(server: &mut Server, _: &mut Client, argv: &[&[u8]]) -> Outcome {
    let [_, sub, args @ ..] = argv else { return Err(Failure::SYNTAX) };
    match (lower(sub).as_str(), args) {
        ("get", patterns @ [_, ..]) => Ok(get(server, patterns)),
        ("set", [_, _, ..]) if args.len().is_multiple_of(2) => set(server, args),
        ("resetstat", []) => {
            server.counts = Default::default();
            Ok(Reply::OK)
        }
        ("rewrite", []) => Err(Failure::new("ERR The server is running without a config file")),
        _ => Err(no_subcommand("config", argv)),
    }
}

fn get(server: &Server, patterns: &[&[u8]]) -> Reply {
    let addresses = server.addresses().unwrap_or_default();
    let hosts: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    let port = addresses.first().map_or(0, |address| address.port());
    let fixed = [("bind", hosts.join(" ").into_bytes()), ("port", port.to_string().into_bytes())];
    let own = server.settings.all().into_iter().chain(fixed);
    let mut all: Vec<(&str, Vec<u8>)> = own.chain(server.store.config_get(b"*")).collect();
    all.retain(|(name, _)| {
        patterns.iter().any(|pattern| glob::matches_nocase(pattern, name.as_bytes()))
    });
    all.sort();
    let pair = |(name, value): (&str, Vec<u8>)| (Reply::bulk(name), Reply::Bulk(value));
    Reply::Map(all.into_iter().map(pair).collect())
}

/// All of them are set, or none.
fn set(server: &mut Server, args: &[&[u8]]) -> Outcome {
    let before = server.settings.clone();
    for pair in args.chunks_exact(2) {
        let [name, value] = pair else { continue };
        let done = set_one(server, &lower(name), value);
        if let Err(failure) = done {
            server.settings = before;
            return Err(failure);
        }
    }
    Ok(Reply::OK)
}

fn set_one(server: &mut Server, name: &str, value: &[u8]) -> Result<(), Failure> {
    let refused = |why: &str| {
        let text = format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {why}");
        Err(Failure::new(text))
    };
    if ["bind", "port"].contains(&name) {
        return refused("can't set immutable config");
    }
    match server.settings.set(name, value) {
        Ok(()) => Ok(()),
        Err(NotSet::Value) => refused("argument is none of its values"),
        Err(NotSet::Unknown) => server.store.config_set(name, value).unwrap_or_else(|| {
            let text = "ERR Unknown option or number of arguments for CONFIG SET - '%s'";
            Err(Failure::format(text, &[name.as_bytes()]))
        }),
    }
}
