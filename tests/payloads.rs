//! DUMP payloads of every key of the golden files, made by us, restored into live servers: each answers
//! the DEBUG DIGEST-VALUE that we compute.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs
)]

#[path = "support/golden.rs"]
mod golden;
#[path = "support/servers.rs"]
mod servers;

use golden::{goldens, load};
use rdbtool::engine::Release;
use rdbtool::job::payload::PAYLOADS;
use rdbtool::value::digest::of_value;
use rdbtool::value::{DataType, Value};
use servers::{Client, Family, Reply, Server, Setup};

/// What a server of this release has no form for.
fn is_foreign(value: &Value, release: Release) -> bool {
    match value {
        Value::Array(_) => !release.has((8, 8), (255, 0)),
        Value::VectorSet(_) => !release.has((8, 0), (255, 0)),
        Value::Hash(hash) => hash.min_expire().is_some() && !release.has((7, 4), (9, 0)),
        Value::Module(_) => true,
        _ => false,
    }
}

/// Restores and asks; what differs.
fn compare(client: &mut Client, payload: &[u8], want: &str) -> Option<String> {
    let argv: [&[u8]; 5] = [b"RESTORE", b"k", b"0", payload, b"REPLACE"];
    match client.command(&argv).unwrap() {
        Reply::Status(ok) if ok == "OK" => {}
        other => return Some(format!("RESTORE: {other:?}")),
    }
    match client.command(&["DEBUG", "DIGEST-VALUE", "k"]).unwrap() {
        Reply::Array(Some(items)) if items == [Reply::Status(want.to_owned())] => None,
        other => Some(format!("{other:?}, not {want}")),
    }
}

#[test]
fn restored_by_servers() {
    let files: Vec<_> = goldens().into_iter().map(|path| (load(&path), path)).collect();
    for binary in servers::all() {
        let (major, minor) = (binary.version.0 as u8, binary.version.1 as u8);
        let release = match binary.family {
            Family::Redis => Release::redis(major, minor),
            Family::Valkey => Release::valkey(major, minor),
        };
        let server = Server::start(binary, &Setup::default());
        let server = server.unwrap_or_else(|refused| panic!("{}", refused.log));
        let mut client = server.connect();
        client.command(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"]).unwrap();
        let (mut asked, mut foreign, mut wrong) = (0, 0, Vec::new());
        for (loaded, path) in &files {
            for (db, key) in loaded.engine.iter() {
                if is_foreign(key.value, release) || minus_zero(key.value) {
                    foreign += 1;
                    continue;
                }
                let style = release.digest_style(golden::LONG_AFTER_MS);
                let want = of_value(key.value, false, style).to_string();
                let Ok(payload) = PAYLOADS.dump(key.value, release) else {
                    let kind = key.value.encoding();
                    wrong.push(format!("{}: no payload of {kind}", path.display()));
                    continue;
                };
                asked += 1;
                if let Some(what) = compare(&mut client, &payload, &want) {
                    let (name, kind) = (key.key.escape_ascii(), key.value.encoding());
                    wrong.push(format!("{}: db {db} \"{name}\" {kind}: {what}", path.display()));
                }
            }
        }
        println!("{}: {asked} restored, {foreign} that it does not have", binary.name);
        assert!(asked > 1000, "only {asked} for {}", binary.name);
        let shown = wrong.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
        assert!(wrong.is_empty(), "{}: {} of {asked}:\n{shown}", binary.name, wrong.len());
    }
}

/// A small sorted set is packed when it is restored, and loses the sign of -0.
fn minus_zero(value: &Value) -> bool {
    let Value::Zset(zset) = value else { return false };
    zset.len() <= 128 && zset.iter().any(|(_, score)| score == 0.0 && score.is_sign_negative())
}
