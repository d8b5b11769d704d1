//! Called as redis-check-rdb, the program prints what the original prints and fails where it fails: both
//! read every RDB of the test data that the original's version can.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[allow(dead_code)]
#[path = "support/program.rs"]
mod program;
#[path = "support/servers.rs"]
mod servers;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use program::{Ran, testdata};
use servers::Family;

/// Sound files that the original refuses: keys without elements, which servers skip, and back lengths as
/// newer servers write them.
const FALSE_ALARMS: [&str; 2] = ["empty-", "lp-backlen-narrow-"];

/// The program under the other name.
struct Face(tempfile::TempDir);

impl Face {
    fn new() -> Face {
        let folder = tempfile::tempdir().unwrap();
        symlink(env!("CARGO_BIN_EXE_rdbtool"), folder.path().join("redis-check-rdb")).unwrap();
        Face(folder)
    }

    fn check(&self, path: &Path) -> Ran {
        program::run(&self.0.path().join("redis-check-rdb"), [path], &[])
    }
}

fn dumps(folder: &Path, version: u32) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rdb") {
                let head = fs::read(&path).unwrap();
                let digits = head.strip_prefix(b"REDIS").and_then(|rest| rest.get(..4));
                let number = digits.and_then(|d| std::str::from_utf8(d).ok()?.parse::<u32>().ok());
                if number.is_some_and(|number| (1..=version).contains(&number)) {
                    found.push(path);
                }
            }
        }
    }
    found.sort();
    found
}

/// Lines that both print: not our warnings, and not what came to the original with 7.4.
fn common(text: &str) -> Vec<&str> {
    let added = |line: &&str| line.starts_with("[warning] ") || line.ends_with(" subexpires");
    text.lines().filter(|line| !added(line)).collect()
}

#[test]
fn prints_what_the_original_prints() {
    let face = Face::new();
    for server in servers::all().iter().filter(|server| server.family == Family::Redis) {
        let files = dumps(&testdata("rdb"), server.rdb_version());
        assert!(files.len() > 20, "{}: only {} files", server.name, files.len());
        for path in &files {
            let theirs = server.check_rdb(path).expect("it comes to an end");
            let theirs_text = String::from_utf8_lossy(&theirs.stdout);
            let ours = face.check(path);
            let name = path.display();
            assert_eq!(ours.code, theirs.status.code(), "{} on {name}: {ours:?}", server.name);
            assert_eq!(common(&ours.stdout), common(&theirs_text), "{} on {name}", server.name);
            let subexpires = |text: &str| {
                let line = text.lines().find(|line| line.ends_with(" subexpires"));
                line.map(str::to_owned)
            };
            if server.version >= (7, 4, 0) {
                assert_eq!(subexpires(&ours.stdout), subexpires(&theirs_text), "{name}");
            }
        }
    }
}

#[test]
fn fails_where_the_original_fails() {
    let face = Face::new();
    let newest = servers::all().iter().filter(|server| server.family == Family::Redis);
    let Some(server) = newest.max_by_key(|server| server.version) else { return };
    let mut wrong = Vec::new();
    let mut failed = 0;
    for folder in ["made", "damaged"] {
        for path in dumps(&testdata(folder), server.rdb_version()) {
            let Some(theirs) = server.check_rdb(&path) else { continue };
            let ours = face.check(&path);
            let name = path.file_name().unwrap().to_string_lossy();
            failed += usize::from(ours.code == Some(1));
            let told = ours.stdout.contains("--- RDB ERROR DETECTED ---");
            assert_eq!(ours.code == Some(1), told, "{name}: {ours:?}");
            let false_alarm = FALSE_ALARMS.iter().any(|start| name.starts_with(start));
            if !theirs.status.success() && !told && !false_alarm {
                wrong.push(format!(
                    "{}: {}",
                    path.display(),
                    String::from_utf8_lossy(&theirs.stdout)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} passes over:\n{}", server.name, wrong.join("\n"));
    assert!(failed > 80, "only {failed} files were refused");
}

#[test]
fn fails_for_more() {
    let face = Face::new();
    let twice = face.check(&testdata("damaged/rdb-dupkey-crc0.rdb"));
    assert_eq!(twice.code, Some(1));
    assert!(twice.stdout.contains("dup-key: ") && !twice.stdout.contains("OK"), "{twice:?}");
    let tail = face.check(&testdata("damaged/rdb-garbage-tail.rdb"));
    assert_eq!(tail.code, Some(0));
    assert!(tail.stdout.contains("[warning] ") && tail.stdout.contains("RDB looks OK!"));
}

#[test]
fn takes_one_file() {
    let face = Face::new();
    let missing = face.check(Path::new("/no/such/file"));
    assert_eq!(missing.stdout, "[offset 0] Checking RDB file /no/such/file\n");
    assert_eq!(missing.code, Some(1));
    let program = face.0.path().join("redis-check-rdb");
    for args in [&[][..], &["a", "b"]] {
        let ran = program::run(&program, args, &[]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
        assert_eq!(ran.stderr, "Usage: redis-check-rdb <rdb-file-name>\n");
    }
    let version = program::run(&program, ["--version"], &[]);
    assert!(version.code == Some(0) && version.stdout.starts_with("redis-check-rdb "));
}
