//! Whose log it is: each is replayed by the rules of the server that wrote it, and what that server had
//! taken is not refused.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::commands::resp;
use crate::golden_set::{self, is_of_modules};
use crate::program::{Ran, rdbtool};

/// A plain log of these commands, which names no server.
fn log(dir: &TempDir, name: &str, commands: &[&str]) -> PathBuf {
    let bytes: Vec<u8> = [&["SELECT 0"], commands].concat().into_iter().flat_map(resp).collect();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn ran(args: &[&str], code: i32) -> Ran {
    let ran = rdbtool(args);
    assert_eq!(ran.code, Some(code), "{args:?}: {}{}", ran.stdout, ran.stderr);
    ran
}

/// The lines that a file is as text.
fn lines(path: &Path) -> String {
    ran(&["convert", text(path), "--to", "jsonl", "-o", "-"], 0).stdout
}

/// More was read than was ever added: servers before 7.4 and Valkey keep that as it is stated.
const READ: [&str; 2] = ["XADD s 1-1 a b", "XGROUP CREATE s g $ ENTRIESREAD 1000"];

/// Every log that a Valkey wrote, and one of Redis for servers of other families and versions.
#[test]
fn logs_of_other_servers_are_whole() {
    let dir = TempDir::new().unwrap();
    let mut logs = golden_set::goldens();
    logs.retain(|golden| golden.path.is_dir() && !is_of_modules(golden));
    let mut count = 0;
    for golden in &logs {
        let (name, path) = (golden.name(), text(&golden.path));
        let targets: &[&str] = match () {
            () if name.contains("valkey-9.1") => &["valkey-9.1"],
            () if name.contains("redis-8.6.3/aof-plain") => {
                &["valkey-9.1", "redis-7.0", "redis-6.2"]
            }
            () => continue,
        };
        for target in targets {
            count += 1;
            let out = dir.path().join(format!("{count}.rdb"));
            let how = ["--target", target, "--lossy", "-o", text(&out)];
            for verb in [&["convert"][..], &["rewrite", "--to-rdb"]] {
                let told = rdbtool([verb, &how[..], &[path]].concat());
                assert!(
                    matches!(told.code, Some(0 | 1)),
                    "{name} {verb:?} {target}: {}",
                    told.stdout
                );
                assert!(out.is_file(), "{name} {verb:?} {target}: {}{}", told.stdout, told.stderr);
                fs::remove_file(&out).unwrap();
            }
        }
        let out = dir.path().join(format!("{count}.aof"));
        ran(&["rewrite", "-o", text(&out), path], 0);
    }
    if count == 0 {
        println!("SKIP: no logs of Valkey 9.1 and Redis 8.6 here (../shared/golden)");
    }
}

/// Payloads that this tool wrote for any server come back, whether or not the server is named.
#[test]
fn payloads_of_every_server_are_taken() {
    let dir = TempDir::new().unwrap();
    let from = crate::program::testdata("dump.rdb");
    for target in ["valkey-9.1", "redis-8.8", "redis-7.0"] {
        let (aof, rdb) = (dir.path().join("r.aof"), dir.path().join("r.rdb"));
        let make = ["convert", text(&from), "--to", "aof", "--restore", "--lossy"];
        let made = rdbtool([&make[..], &["--target", target, "-o", text(&aof)]].concat());
        assert!(matches!(made.code, Some(0 | 1)), "{target}: {}{}", made.stdout, made.stderr);
        ran(&["convert", text(&aof), "--target", target, "-o", text(&rdb)], 0);
        ran(&["replay", text(&aof)], 0);
        let old = dir.path().join("old.rdb");
        let make = ["convert", text(&aof), "--target", "redis-6.2", "--lossy", "-o", text(&old)];
        let told = rdbtool(make);
        assert!(matches!(told.code, Some(0 | 1)), "{target}: {}{}", told.stdout, told.stderr);
        for name in fs::read_dir(dir.path()).unwrap() {
            fs::remove_file(name.unwrap().path()).unwrap();
        }
    }
}

/// The preamble names the server, whatever the target is.
#[test]
fn what_the_preamble_names_counts() {
    let dir = TempDir::new().unwrap();
    let plain = log(&dir, "plain.aof", &["SET k 1"]);
    let path = dir.path().join("named.aof");
    let make = ["convert", text(&plain), "--to", "aof", "--preamble", "yes"];
    ran(&[&make[..], &["--target", "redis-7.0", "-o", text(&path)]].concat(), 0);
    let behind = fs::read(log(&dir, "behind.aof", &READ)).unwrap();
    let whole = [fs::read(&path).unwrap(), behind].concat();
    fs::write(&path, whole).unwrap();
    for target in ["redis-7.2", "redis-7.4"] {
        let out = dir.path().join(format!("{target}.rdb"));
        ran(&["convert", text(&path), "--target", target, "-o", text(&out)], 0);
        assert!(lines(&out).contains("1000"), "{}", lines(&out));
    }
    ran(&["rewrite", "--in-place", text(&path)], 0);
    assert!(lines(&path).contains("1000"), "{}", lines(&path));
}

/// Where no server is named the target is the best guess; without one what is stated is kept.
#[test]
fn a_log_that_names_no_server() {
    let dir = TempDir::new().unwrap();
    for target in [None, Some("redis-7.0"), Some("valkey-9.1")] {
        let path = log(&dir, "in.aof", &READ);
        let mut args = vec!["rewrite", "--in-place", text(&path)];
        target.into_iter().for_each(|target| args.extend(["--target", target]));
        ran(&args, 0);
        let bytes = fs::read(&path).unwrap();
        assert!(bytes.ends_with(b"ENTRIESREAD\r\n$4\r\n1000\r\n"), "{target:?}");
    }
    let path = log(&dir, "zero.aof", &["ZADD z -0 m"]);
    for (target, zero) in [("redis-6.2", "-0.0"), ("redis-7.0", "0")] {
        let out = dir.path().join(format!("{target}.rdb"));
        ran(&["convert", text(&path), "--target", target, "-o", text(&out)], 0);
        assert!(lines(&out).contains(&format!("[\"m\",{zero}]")), "{}", lines(&out));
    }
}

/// What commands state and the target cannot hold is lost and told; what nobody stated is not.
#[test]
fn counters_that_commands_state_are_told() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("out.rdb");
    let convert = |path: &Path, code| {
        let args = ["convert", text(path), "--target", "redis-6.2", "-o", text(&out)];
        ran(&args, code).stdout
    };
    let add = "XADD s 1-1 a b";
    for stated in
        ["XSETID s 1-1 ENTRIESADDED 500 MAXDELETEDID 0-1", "XGROUP CREATE s g 1-1 ENTRIESREAD 1"]
    {
        let told = convert(&log(&dir, "stated.aof", &[add, stated]), 1);
        assert!(told.contains("stream-counters"), "{stated}: {told}");
    }
    convert(&log(&dir, "unstated.aof", &[add, "XGROUP CREATE s g 1-1"]), 0);
    fs::remove_file(&out).unwrap();

    // A payload states them as well.
    let plain = log(&dir, "plain.aof", &[add, "XSETID s 1-1 ENTRIESADDED 500"]);
    let restore = dir.path().join("restore.aof");
    let make = ["convert", text(&plain), "--to", "aof", "--restore", "--target", "redis-7.0"];
    ran(&[&make[..], &["-o", text(&restore)]].concat(), 0);
    assert!(convert(&restore, 1).contains("stream-counters"));
}

/// What Redis 7.0 and Valkey write and read is written for them, and refused for whom it stops.
#[test]
fn more_read_than_added_is_for_servers_that_take_it() {
    let dir = TempDir::new().unwrap();
    let path = log(&dir, "in.aof", &READ);
    let dump = dir.path().join("dump.rdb");
    ran(&["convert", text(&path), "--target", "redis-7.0", "-o", text(&dump)], 0);
    for (n, target) in ["redis-7.0", "redis-7.2", "valkey-9.1"].iter().enumerate() {
        let out = dir.path().join(format!("{n}.rdb"));
        ran(&["convert", text(&dump), "--target", target, "-o", text(&out)], 0);
        assert!(lines(&out).contains("1000"), "{target}");
        for form in ["aof", "aofdir"] {
            let out = dir.path().join(format!("{n}.{form}"));
            ran(&["convert", text(&dump), "--to", form, "--target", target, "-o", text(&out)], 0);
        }
    }
    let out = dir.path().join("same.rdb");
    let told = ran(&["rewrite", "-o", text(&out), text(&dump)], 0);
    assert!(told.stdout.contains("verified"), "{}", told.stdout);
    assert!(lines(&out).contains("1000"));
    let out = dir.path().join("log.rdb");
    let to_rdb = ["rewrite", "--to-rdb", "--target", "redis-7.0", "-o", text(&out), text(&path)];
    ran(&to_rdb, 0);
    let jsonl = dir.path().join("dump.jsonl");
    fs::write(&jsonl, lines(&dump)).unwrap();
    let out = dir.path().join("again.rdb");
    ran(&["convert", text(&jsonl), "--target", "redis-7.0", "-o", text(&out)], 0);
    assert!(lines(&out).contains("1000"));
    let out = dir.path().join("refused.rdb");
    let told = ran(&["convert", text(&dump), "--target", "redis-8.8", "-o", text(&out)], 2);
    assert!(told.stderr.contains("group-entries-read") && !out.exists(), "{}", told.stderr);
}
