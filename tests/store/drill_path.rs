//! `drill PATH`: servers start from what it says that crashes leave, and do what it foretells.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use rdbtool::aof::settings::Settings;
use rdbtool::drill::files::crash::{Crash, Server};
use rdbtool::drill::files::places::{PAGE, Survey, survey};
use rdbtool::engine::Session;
use rdbtool::job::fate::Fate;
use rdbtool::job::replay::{self, replay_set};
use rdbtool::limits::Limits;
use rdbtool::persist::fs::{Access, File, Fs};
use rdbtool::persist::real::RealFs;
use rdbtool::persist::sim::crash::Random;
use rdbtool::rdb::versions::Release;
use serde_json::Value;

use crate::live::{commands, files, now_ms, open_with, options, server, work};
use crate::program::{rdbtool, testdata};
use crate::servers::{self, Setup};

const FOLDER: &str = "appendonlydir";
const LAST: &str = "appendonly.aof.1.incr.aof";

/// A log with transactions and timestamps.
fn log(dir: &Path) {
    let mut with = options(dir, true);
    with.timestamps = true;
    let mut store = open_with(with);
    work(&mut store, &mut Session::new(), &commands(8, 600));
    store.shutdown(Some(false)).unwrap();
}

fn open(dir: &Path) -> Arc<dyn File> {
    let folder = RealFs.open_dir(&dir.join(FOLDER)).unwrap();
    folder.open(OsStr::new(LAST), Access::Read).unwrap()
}

fn places(bytes: &[u8], most: usize) -> Survey {
    survey(bytes, 0, most, 3, &[1, 2, 30], Limits::default()).unwrap()
}

/// The digest of what a replay makes of the folder.
fn digest(dir: &Path) -> String {
    let how = replay::Options { now_ms: now_ms(), ..replay::Options::default() };
    let mut report = replay_set(&dir.join(FOLDER), b"appendonly.aof", &how, |_| {}).unwrap();
    assert!(report.stop.is_none());
    let style = report.written_by().unwrap_or_default().digest_style(now_ms());
    report.store.look().digest(style, 1).to_string()
}

#[test]
fn a_server_does_what_is_foretold_of_it() {
    let Some(binary) = server() else { return };
    let dir = tempfile::tempdir().unwrap();
    log(dir.path());
    let file = open(dir.path());
    let path = dir.path().join(FOLDER).join(LAST);
    let bytes = std::fs::read(&path).unwrap();
    let settings = Settings::default();
    let release = Release::by_name("redis-7.0").unwrap();
    let foretold = Server { release, settings: &settings, limits: Limits::default() };
    let seed = std::env::var("DRILL_SEED").ok().and_then(|seed| seed.parse().ok());
    let mut random = Random::new(seed.unwrap_or(5));
    let mut seen = BTreeSet::new();
    for crash in Crash::ALL {
        for place in places(&bytes, 40).places.iter().step_by(3) {
            let remains = crash.leaves(place, 0, &mut random);
            let fall = foretold.fall(&file, place.page, remains).unwrap();
            let mut left = Vec::new();
            remains.read(&file, 0).read_to_end(&mut left).unwrap();
            std::fs::write(&path, &left).unwrap();
            let setup = Setup { files: files(dir.path()), ..Setup::default() };
            let started = servers::Server::start(binary, &setup.line("appendonly yes"));
            let what = format!("{crash:?} at {remains:?}: {fall:?}");
            assert_eq!(started.is_ok(), fall.fate.starts(), "{what}");
            seen.insert((crash, started.is_ok()));
            // Of NULs in a value there is nothing to compare with.
            if let (Ok(mut server), true) = (started, fall.fate != Fate::Unnoticed) {
                left.truncate(usize::try_from(fall.kept).unwrap());
                std::fs::write(&path, &left).unwrap();
                assert_eq!(server.digest(), digest(dir.path()), "{what}");
            }
            std::fs::write(&path, &bytes).unwrap();
        }
    }
    let expected = [(Crash::Behind, true), (Crash::Inside, true), (Crash::NulsBehind, false)];
    assert!(expected.iter().all(|one| seen.contains(one)), "{seen:?}");
}

/// Commands as they are logged, and where each begins.
fn made(commands: &[(&str, usize)]) -> (Vec<u8>, Vec<u64>) {
    let (mut bytes, mut starts) = (Vec::new(), Vec::new());
    for (name, len) in commands {
        starts.push(bytes.len() as u64);
        match name.strip_prefix('#') {
            Some(second) => bytes.extend(format!("#TS:{second}\r\n").bytes()),
            None if *len == 0 => {
                bytes.extend(format!("*1\r\n${}\r\n{name}\r\n", name.len()).bytes())
            }
            None => {
                let value = "x".repeat(*len);
                bytes.extend(
                    format!(
                        "*3\r\n$3\r\nSET\r\n${}\r\n{name}\r\n${len}\r\n{value}\r\n",
                        name.len()
                    )
                    .bytes(),
                );
            }
        }
    }
    (bytes, starts)
}

#[test]
fn a_place_knows_the_record_in_which_its_page_begins() {
    let lens = [10, 3000, 20, 9000, 1, 4096 * 3, 5, 5, 700, 700, 700, 2000];
    let commands: Vec<(&str, usize)> = lens.iter().map(|len| ("k", *len)).collect();
    let (bytes, starts) = made(&commands);
    let survey = places(&bytes, 100);
    assert!(survey.is_all && survey.places.len() == lens.len());
    for place in &survey.places {
        let page = (place.end - 1) / PAGE * PAGE;
        let holder = starts.iter().rposition(|start| *start <= page).unwrap();
        assert_eq!((place.page.start, place.page.before), (starts[holder], holder as u64));
    }
}

#[test]
fn the_worst_is_found_though_few_places_are_tried() {
    let mut commands = vec![("k", 10); 5000];
    commands[1000] = ("large", 70_000);
    commands[2000] = ("MULTI", 0);
    commands[2040] = ("EXEC", 0);
    let (bytes, starts) = made(&commands);
    let found = places(&bytes, 10);
    assert!(!found.is_all && found.places.len() < 100, "{}", found.places.len());
    assert_eq!((found.commands, found.transactions), (5000, 1));
    let has = |at: usize| found.places.iter().any(|place| place.start == starts[at]);
    assert!(has(1000) && has(2040) && has(4999));
    let other = survey(&bytes[..], 0, 10, 4, &[], Limits::default()).unwrap();
    assert_ne!(found.places, other.places, "the seed decides nothing");
}

#[test]
fn the_busiest_seconds_are_those_with_the_most_commands() {
    // Seconds and how many commands each has; the clock is set back once.
    let seconds = [(100, 3), (101, 5), (103, 9), (104, 1), (140, 2), (90, 4), (91, 4)];
    let mut commands = vec![("k", 10); 2];
    let names: Vec<String> = seconds.iter().map(|(second, _)| format!("#{second}")).collect();
    for (name, (_, count)) in names.iter().zip(&seconds) {
        commands.push((name, 0));
        commands.extend(vec![("k", 10); *count]);
    }
    let (bytes, _) = made(&commands);
    let busiest = places(&bytes, 1).busiest;
    let got: Vec<_> = busiest.iter().map(|b| (b.seconds, b.from, b.commands)).collect();
    assert_eq!(got, [(1, 103, 9), (2, 103, 10), (30, 100, 18)]);
    assert!(busiest.iter().all(|b| b.bytes > b.commands * 30));
}

fn drill(path: &Path, more: &[&str]) -> crate::program::Ran {
    let mut args = vec![OsStr::new("drill"), path.as_os_str()];
    args.extend(more.iter().map(OsStr::new));
    rdbtool(args)
}

#[test]
fn every_form_of_an_aof_is_drilled() {
    let dir = tempfile::tempdir().unwrap();
    log(dir.path());
    let folder = dir.path().join(FOLDER);
    let same = [dir.path().to_owned(), folder.clone(), folder.join("appendonly.aof.manifest")];
    let mut found = Vec::new();
    for path in same {
        let ran = drill(&path, &["--json", "--recoveries", "2"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
        let mut json = ran.json()[0].clone();
        let recoveries = json["recoveries"].as_array().unwrap();
        assert!(recoveries.len() == 3 && recoveries.iter().all(|one| one["as_foretold"] == true));
        assert_eq!(json["all_places"], true);
        let crashes = json["crashes"].as_array().unwrap();
        let whole = &crashes[0];
        assert!(whole["cuts"].as_u64() > Some(0) && whole["refuses"] == 0, "{whole}");
        assert!(crashes[2]["tried"] == crashes[2]["refuses"], "{}", crashes[2]);
        assert!(json["busiest"][0]["commands"].as_u64() > Some(0));
        json["path"] = Value::Null;
        json["files"] = Value::Null;
        json["recoveries"] = Value::Null;
        found.push(json);
    }
    assert!(found.windows(2).all(|pair| pair[0] == pair[1]));
    let text = drill(&folder.join(LAST), &[]).stdout;
    for told in ["part of a command", "recovered after", "appendfsync always", "check --fix"] {
        assert!(text.contains(told), "no {told} in {text}");
    }
}

#[test]
fn the_rdb_beside_an_aof_is_held_against_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut with = options(dir.path(), true);
    with.save = Vec::new();
    let mut store = open_with(with);
    let mut session = Session::new();
    let set = |key: &str, value: &str| ["SET", key, value].map(str::to_owned).to_vec();
    let del = vec!["DEL".to_owned(), "gone".to_owned()];
    work(&mut store, &mut session, &[set("same", "1"), set("old", "1"), set("gone", "1")]);
    assert!(!store.own_command(&[b"SAVE"]).unwrap().is_error());
    work(&mut store, &mut session, &[set("old", "2"), set("new", "1"), set("newer", "1"), del]);
    store.shutdown(Some(false)).unwrap();
    let json = &drill(dir.path(), &["--json"]).json()[0];
    let of = &json["snapshot"];
    let counts = ["keys", "missing", "differ", "deleted"].map(|name| of[name].as_u64().unwrap());
    assert_eq!(counts, [3, 2, 1, 1], "{of}");
}

#[test]
fn what_cannot_be_drilled_is_refused_with_advice() {
    let dir = tempfile::tempdir().unwrap();
    let refuses = |path: &Path, told: &str| {
        let ran = drill(path, &[]);
        assert!(ran.code == Some(2) && ran.stderr.contains(told), "{told}: {ran:?}");
    };
    refuses(&testdata("dump.rdb"), "there is no AOF in it");
    refuses(&dir.path().join("missing"), "missing");
    std::fs::copy(testdata("dump.rdb"), dir.path().join("dump.rdb")).unwrap();
    refuses(dir.path(), "there is no AOF in it");
    let (bytes, _) = made(&[("k", 100), ("k", 100)]);
    let damaged = dir.path().join("damaged.aof");
    std::fs::write(&damaged, &bytes[..bytes.len() - 7]).unwrap();
    refuses(&damaged, "damaged already");
    std::fs::write(&damaged, [&bytes[..], b"junk"].concat()).unwrap();
    refuses(&damaged, "damaged already");
    let other = tempfile::tempdir().unwrap();
    log(other.path());
    std::fs::remove_file(other.path().join(FOLDER).join("appendonly.aof.manifest")).unwrap();
    refuses(&other.path().join(FOLDER), "manifest");
}
