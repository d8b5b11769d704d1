//! The server's own fingerprint: every golden RDB loaded into the store has the DEBUG DIGEST that the
//! server which wrote it gave after loading it again, and each key its DEBUG DIGEST-VALUE.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs
)]

#[path = "support/golden.rs"]
mod golden;

use golden::{LONG_AFTER_MS, goldens, load, meta_of};
use rdbtool::engine::{Engine, Mode, Release};
use rdbtool::input::source::{Input, open};
use rdbtool::job::replay::written_by;
use serde_json::Value;

/// As a primary does when it loads: what has expired is dropped.
fn drop_expired(engine: &mut Engine, saved_at_ms: i64) {
    engine.set_mode(Mode::Serving);
    engine.set_clock(saved_at_ms);
    engine.remove_expired();
}

#[test]
fn digests_are_the_servers() {
    let (mut asked, mut wrong) = (0, Vec::new());
    for dump in goldens() {
        let meta: Value =
            serde_json::from_str(&std::fs::read_to_string(meta_of(&dump)).unwrap()).unwrap();
        let want = meta["digest_after_reload"].as_str().or(meta["digest"].as_str());
        let Some(want) = want else { continue };
        let mut loaded = load(&dump);
        let release = written_by(&loaded.facts).unwrap_or(Release::redis(2, 8));
        // Golden files hold keys that expired long before they were read back.
        drop_expired(&mut loaded.engine, LONG_AFTER_MS);
        let digest = loaded.engine.digest(release.digest_style(0), 2).to_string();
        asked += 1;
        if digest != want {
            wrong.push(format!(
                "{}: {digest}, not {want}; {} left out, {:?}",
                dump.display(),
                loaded.left_out,
                loaded.findings.first()
            ));
        }
    }
    assert!(asked > 10);
    assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
}

/// One key's name and database as the list has them.
fn key_of(row: &Value) -> (u64, Vec<u8>) {
    let key = match &row["key"] {
        Value::String(text) => text.clone().into_bytes(),
        other => {
            let hex = other["hex"].as_str().unwrap();
            (0..hex.len())
                .step_by(2)
                .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap())
                .collect()
        }
    };
    (row["db"].as_u64().unwrap(), key)
}

#[test]
fn digests_of_single_keys_are_the_servers() {
    let (mut asked, mut wrong) = (0, Vec::new());
    for dump in goldens() {
        let keys = match dump.file_stem().unwrap().to_str().unwrap() {
            "dump" => dump.with_file_name("keys.jsonl"),
            stem => dump.with_file_name(format!("{stem}.keys.jsonl.gz")),
        };
        if !keys.is_file() {
            continue;
        }
        let mut text = String::new();
        let source = open(&Input::File(keys), |_| {}).unwrap();
        std::io::Read::read_to_string(&mut { source.reader }, &mut text).unwrap();
        let loaded = load(&dump);
        let release = written_by(&loaded.facts).unwrap_or(Release::redis(2, 8));
        for line in text.lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            let Some(want) = row["digest"].as_str() else { continue };
            let (db, key) = key_of(&row);
            let digest = loaded.engine.digest_value(db, &key, release.digest_style(0)).to_string();
            asked += 1;
            if digest != want {
                let name = dump.display();
                wrong.push(format!(
                    "{name}: db {db} \"{}\" {}: {digest}, not {want}",
                    key.escape_ascii(),
                    row["type"]
                ));
            }
        }
    }
    assert!(asked > 1000, "only {asked}");
    assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
}
