//! What real servers make of the test data: the files they must load, with the digest that the server
//! which wrote them reported, and the verdict of five servers on every hand-made file.
//! `BLESS=1 cargo test --test live` writes `testdata/made/loads.tsv` anew.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::unwrap_used)]

#[path = "support/ledger.rs"]
mod ledger;
#[path = "support/servers.rs"]
mod servers;

use std::collections::BTreeMap;
use std::fs;
use std::thread;

use ledger::{Row, testdata};
use servers::{Family, Load, Server, ServerBinary, Setup, loads};

/// The RDB version that a row of the ledger gives, if this server's family writes such files.
fn readable_version(row: &Row, server: &ServerBinary) -> Option<u32> {
    let (dialect, version) = row.format.split_once(' ')?;
    let version = version.parse().ok()?;
    match dialect {
        "redis" if server.family == Family::Redis => Some(version),
        // From 12 on Redis's types are foreign to Valkey.
        "redis" if version < 12 => Some(version),
        "valkey" if server.family == Family::Valkey => Some(version),
        _ => None,
    }
}

/// What a server that knows the file's version and types says of a sound file.
fn load_sound(row: &Row, server: &ServerBinary) -> Option<Load> {
    let version = readable_version(row, server)?;
    (version <= server.rdb_version()).then(|| loads(server, &ledger::read(&row.file)))
}

/// Runs something for every server at once, two at a time being what most machines have.
fn for_each_server<T: Send>(job: impl Fn(&'static ServerBinary) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let job = &job;
        let running: Vec<_> =
            servers::all().iter().map(|server| scope.spawn(move || job(server))).collect();
        running.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    })
}

#[test]
fn servers_load_what_servers_wrote() {
    let rows = ledger::rows();
    let written = |row: &&Row| row.file.starts_with("rdb/") && row.is_rdb();
    let files: Vec<_> = rows.iter().filter(written).collect();
    let loaded = for_each_server(|server| {
        let loads = files.iter().filter_map(|row| Some((row, load_sound(row, server)?)));
        let mut count = 0;
        for (row, load) in loads {
            assert!(load.up, "{} with {}:\n{}", server.name, row.file, load.log);
            count += 1;
        }
        count
    });
    // Every server reads the files of 2.0 to 6.2, at least.
    assert!(loaded.iter().all(|count| *count >= 10), "{loaded:?}");
}

/// How DEBUG DIGEST writes scores changed with 7.2; until 7.0 it was `%.17g`.
fn score_text(family: Family, version: (u32, u32, u32)) -> &'static str {
    if family == Family::Redis && version < (7, 2, 0) { "%.17g" } else { "shortest" }
}

/// The digest that a server must have after loading a file, by the server that wrote it.
fn expected_digest(row: &Row, server: &ServerBinary) -> Option<String> {
    let meta = fs::read(testdata().join(row.file.replace(".rdb", ".meta.json"))).ok()?;
    let meta: serde_json::Value = serde_json::from_slice(&meta).expect("JSON");
    let text = |key: &str| meta[key].as_str().map(str::to_owned);
    let family = match text("server_name")?.as_str() {
        "valkey" => Family::Valkey,
        _ => Family::Redis,
    };
    let mut parts = text("server_version")?
        .split('.')
        .map(|part| part.parse().unwrap_or(0))
        .collect::<Vec<_>>();
    parts.resize(3, 0);
    let version = (parts[0], parts[1], parts[2]);
    let same = score_text(family, version) == score_text(server.family, server.version);
    same.then(|| text("digest_after_reload")).flatten()
}

#[test]
fn digests_are_those_of_the_server_that_wrote_the_file() {
    let rows = ledger::rows();
    let written = |row: &&Row| row.file.starts_with("rdb/") && row.is_rdb();
    let files: Vec<_> = rows.iter().filter(written).collect();
    let compared = for_each_server(|server| {
        let mut compared = 0;
        for row in &files {
            let Some(expected) = expected_digest(row, server) else { continue };
            let Some(load) = load_sound(row, server) else { continue };
            assert_eq!(load.digest, Some(expected), "{} with {}", server.name, row.file);
            compared += 1;
        }
        compared
    });
    assert!(compared.iter().all(|count| *count >= 3), "{compared:?}");
}

/// One server's word on one file: whether it starts with it, and whether its check tool finds fault.
fn word(server: &ServerBinary, file: &str) -> String {
    let path = testdata().join("made").join(file);
    let check = match server.check_rdb(&path).map(|output| output.status.code()) {
        Some(Some(0)) => "ok",
        Some(Some(_)) => "bad",
        Some(None) => "dies",
        None => "hangs",
    };
    let dump = Setup::dump(&fs::read(path).expect("a sample"));
    let up = Server::start(server, &dump).is_ok();
    format!("{} {check}", if up { "loads" } else { "refuses" })
}

/// `testdata/made/loads.tsv`: by file, by server, its word.
type Words = BTreeMap<String, BTreeMap<String, String>>;

fn read_words() -> Words {
    let text = fs::read_to_string(testdata().join("made/loads.tsv")).unwrap_or_default();
    let mut lines = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let Some(head) = lines.next() else { return Words::new() };
    let row = |cells: Vec<&str>| {
        let words = head.iter().zip(&cells).skip(1).map(|(s, w)| (s.to_string(), w.to_string()));
        (cells[0].to_owned(), words.collect())
    };
    lines.map(row).collect()
}

fn write_words(words: &Words) {
    let names: Vec<_> = words.values().next().expect("a file").keys().cloned().collect();
    let head = [&["file".to_owned()][..], &names].concat().join("\t");
    let line = |(file, by): (&String, &BTreeMap<String, String>)| {
        let cells = names.iter().map(|name| by.get(name).map_or("-", String::as_str));
        [&[file.as_str()][..], &cells.collect::<Vec<_>>()].concat().join("\t")
    };
    let lines = [head].into_iter().chain(words.iter().map(line)).collect::<Vec<_>>();
    fs::write(testdata().join("made/loads.tsv"), lines.join("\n") + "\n").expect("written");
}

#[test]
fn hand_made_files_load_or_not_as_the_table_says() {
    let rows = ledger::rows();
    let files = rows.iter().filter(|row| row.is_rdb()).filter_map(|r| r.file.strip_prefix("made/"));
    let files: Vec<_> = files.collect();
    let found = for_each_server(|server| {
        let words = files.iter().map(|file| (*file, word(server, file)));
        (server, words.collect::<Vec<_>>())
    });
    let mut table = read_words();
    if std::env::var_os("BLESS").is_some() {
        table.retain(|file, _| files.contains(&file.as_str()));
        for (server, words) in found {
            for (file, word) in words {
                table.entry(file.into()).or_default().insert(server.name.clone(), word);
            }
        }
        return write_words(&table);
    }
    for (server, words) in found {
        for (file, word) in words {
            let said = table.get(file).unwrap_or_else(|| panic!("{file} is not in loads.tsv"));
            // A server that is not in the table is not the one that was asked then.
            if let Some(said) = said.get(&server.name) {
                assert_eq!(word, *said, "{} on {file}", server.name);
            }
        }
    }
}

#[test]
fn sound_hand_made_files_hold_the_same_data_for_every_server() {
    let rows = ledger::rows();
    let sound = |row: &&Row| {
        let top = row.file.strip_prefix("made/").is_some_and(|file| !file.contains('/'));
        // -0 in a score is printed in four ways, and a module's data needs the module.
        let told = !row.file.contains("type-05") && !row.codes.contains(&"module-unknown".into());
        top && row.is_rdb() && told && row.verdict != "warned" && !row.file.contains("slot-import")
    };
    let files: Vec<_> = rows.iter().filter(sound).collect();
    let digests = for_each_server(|server| {
        let load = |row: &&Row| Some((row.file.clone(), load_sound(row, server)?));
        files.iter().filter_map(load).map(|(file, load)| (file, server, load)).collect::<Vec<_>>()
    });
    let mut by_file: BTreeMap<String, String> = BTreeMap::new();
    for (file, server, load) in digests.into_iter().flatten() {
        assert!(load.up, "{} with {file}:\n{}", server.name, load.log);
        let digest = load.digest.expect("a sound file ends no server");
        let first = by_file.entry(file.clone()).or_insert_with(|| digest.clone());
        assert_eq!(digest, *first, "{} with {file}", server.name);
    }
    assert!(by_file.len() > 40 || servers::all().len() < 5, "{} files", by_file.len());
}

/// The cases were asked of Valkey 9.1.2 before, by other means: the answers are the same.
#[test]
fn cases_have_the_same_answer_in_both_tables() {
    let loads = read_words();
    let cases = fs::read_to_string(testdata().join("made/cases.tsv")).expect("the table of cases");
    for line in cases.lines().skip(1) {
        let cells: Vec<_> = line.split('\t').collect();
        let [_, file, .., check, up, _dbsize] = cells[..] else { panic!("too few cells: {line}") };
        let up = if up == "yes" { "loads" } else { "refuses" };
        assert_eq!(loads[file]["valkey-9.1.2"], format!("{up} {check}"), "{file}");
    }
}
