//! Several inputs into one output.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::commands::resp;
use crate::made::{Rdb, b};
use crate::program::{Ran, rdbtool};

/// An AOF of commands, words between blanks.
fn log(folder: &TempDir, name: &str, commands: &[&str]) -> PathBuf {
    let bytes: Vec<u8> = commands.iter().flat_map(|command| resp(command)).collect();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn convert(inputs: &[&Path], out: &Path, more: &[&str]) -> Ran {
    let mut args = vec!["convert", "--target", "redis-7.0", "-o", out.to_str().unwrap()];
    args.extend(more);
    args.extend(inputs.iter().map(|path| path.to_str().unwrap()));
    rdbtool(args)
}

/// The values of some keys.
fn values(file: &Path, keys: &[&str]) -> Vec<String> {
    let value = |key: &&str| {
        let ran = rdbtool(["replay", "--json", "--get", key, file.to_str().unwrap()]);
        let json = ran.json().remove(0);
        json["get"][0]["value"][0][0].as_str().unwrap_or("none").to_owned()
    };
    keys.iter().map(value).collect()
}

#[test]
fn a_key_that_two_inputs_have() {
    let folder = TempDir::new().unwrap();
    let a = log(&folder, "a.aof", &["SET both 1", "SET a 1", "SELECT 2", "SET b 2"]);
    let b = log(&folder, "b.aof", &["SET both 2", "SET b 1"]);
    let (from_a, out) = (folder.path().join("a.rdb"), folder.path().join("out"));
    assert_eq!(convert(&[&a], &from_a, &[]).code, Some(0));
    // An RDB and an AOF, and two AOFs.
    for first in [&from_a, &a] {
        let ran = convert(&[first, &b], &out, &[]);
        assert_eq!(ran.code, Some(2), "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains("dup-key") && !out.exists(), "{}", ran.stdout);
        for to in [&["--to", "rdb"][..], &["--to", "aof"], &["--to", "aof", "--restore"]] {
            for (which, both) in [("first", "1"), ("last", "2")] {
                let file = folder.path().join(format!("new.{}", to[1]));
                let more = [to, &["--duplicates", which, "--json"]].concat();
                let ran = convert(&[first, &b], &file, &more);
                assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
                let told = &ran.json()[0];
                assert_eq!((&told["keys"], &told["twice"]), (&4.into(), &1.into()), "{told}");
                assert_eq!(told["inputs"].as_array().unwrap().len(), 2);
                assert_eq!(values(&file, &["both", "a"]), [both, "1"], "{to:?} {which}");
                fs::remove_file(file).unwrap();
            }
        }
        // Databases put together have one more in common.
        let ran =
            convert(&[first, &b], &out, &["--map-db", "2=0", "--duplicates", "first", "--json"]);
        assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
        fs::remove_file(&out).unwrap();
    }
}

#[test]
fn what_a_log_must_not_have() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out.rdb");
    let fails = log(&folder, "fails.aof", &["SET s 1", "LPUSH s x", "SET t 1"]);
    let ran = convert(&[&fails], &out, &[]);
    assert!(ran.code == Some(2) && ran.stdout.contains("replay-failed"), "{}", ran.stdout);
    let ran = convert(&[&fails], &out, &["--tolerate", "failed"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("2 keys") && ran.stdout.contains("3 commands replayed, 1 of"));
    fs::remove_file(&out).unwrap();

    let cut = log(&folder, "cut.aof", &["SET s 1", "SET t 1"]);
    let bytes = fs::read(&cut).unwrap();
    fs::write(&cut, &bytes[..bytes.len() - 3]).unwrap();
    let ran = convert(&[&cut], &out, &[]);
    assert!(ran.code == Some(2) && ran.stdout.contains("aof-truncated"), "{}", ran.stdout);
    let ran = convert(&[&cut], &out, &["--tolerate", "tail"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    fs::remove_file(&out).unwrap();

    let unknown = log(&folder, "unknown.aof", &["SET s 1", "NOSUCH s 2"]);
    let ran = convert(&[&unknown], &out, &["--tolerate", "failed,tail"]);
    assert!(ran.code == Some(2) && ran.stdout.contains("aof-unknown-command"), "{}", ran.stdout);
    assert!(!out.exists());
}

/// Slots are those that a server tells, and each key is in one of them.
#[test]
fn slots_are_the_servers() {
    use crate::servers::{self, Server, Setup};
    let Some(binary) = servers::all().iter().find(|binary| binary.version >= (7, 0, 0)) else {
        return;
    };
    let mut server = Server::start(binary, &Setup::default().line("cluster-enabled yes")).unwrap();
    let names: Vec<String> = (0..300)
        .map(|n| match n % 4 {
            0 => format!("key:{n}"),
            1 => format!("{{user{n}}}.x"),
            2 => format!("a{{}}b{{{n}}}"),
            _ => format!("x{{{{y{n}}}z}}"),
        })
        .collect();
    for name in &names {
        let told = server.command(&["CLUSTER", "KEYSLOT", name]).text();
        assert_eq!(rdbtool::encoding::slot::slot(name.as_bytes()).to_string(), told, "{name}");
    }
    let folder = TempDir::new().unwrap();
    let commands: Vec<String> = names.iter().map(|name| format!("SET {name} 1")).collect();
    let a = log(&folder, "a.aof", &commands.iter().map(String::as_str).collect::<Vec<_>>());
    let keys = |slots: &str| {
        let out = folder.path().join("out.rdb");
        let ran = convert(&[&a], &out, &["--slot", slots, "--json"]);
        assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
        fs::remove_file(out).unwrap();
        ran.json()[0]["keys"].as_u64().unwrap()
    };
    let parts = ["0-5460", "5461-10922", "10923-16383"].map(keys);
    assert!(parts.iter().sum::<u64>() == 300 && parts.iter().all(|n| *n > 40), "{parts:?}");
    assert_eq!(keys("0-5460,5461-10922,10923,10924-16383"), 300);
    let ran = convert(&[&a], &folder.path().join("x"), &["--slot", "16384"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("16383"), "{}", ran.stderr);
}

/// JSON Lines have one first line, below which all others are read: what its family of servers does not have
/// cannot stand there.
#[test]
fn lines_of_two_families() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, bytes: Vec<u8>| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let array = b().len(1).len(0).len(5).len(3).str("v");
    let valkey = file("valkey.rdb", Rdb::valkey(80).db(0).string("a", "1").end());
    let plain = file("plain.rdb", Rdb::redis(11).db(0).string("b", "2").end());
    let newer = file("newer.rdb", Rdb::redis(14).db(0).key(28, "cells", array).end());
    let import = b().u8(243).str("j".repeat(40)).len(1).len(0).len(9);
    let import = file("import.rdb", Rdb::valkey(80).raw(import.0).db(0).string("c", "3").end());
    let log = log(&folder, "cells.aof", &["ARSET cells 5 v"]);
    let out = folder.path().join("out.jsonl");
    for (inputs, named) in [
        (vec![&valkey, &plain], None),
        (vec![&plain, &valkey, &newer], None),
        (vec![&valkey, &newer], Some("cells")),
        (vec![&valkey, &log], Some("cells")),
        (vec![&valkey, &import], None),
        (vec![&plain, &import], Some("beside the keys")),
        (vec![&log, &plain, &newer], Some("dup-key")),
    ] {
        let inputs: Vec<&Path> = inputs.into_iter().map(PathBuf::as_path).collect();
        let ran = convert_lines(&inputs, &out);
        let said = format!("{inputs:?}: {}{}", ran.stdout, ran.stderr);
        let Some(named) = named else {
            assert_eq!(ran.code, Some(0), "{said}");
            let again = folder.path().join("again.rdb");
            let args = ["--target", "redis-8.8", "--lossy", "-o", again.to_str().unwrap()];
            let back = rdbtool([&["convert", out.to_str().unwrap()], &args[..]].concat());
            assert!(matches!(back.code, Some(0 | 1)), "{said}{}{}", back.stdout, back.stderr);
            fs::remove_file(&again).unwrap();
            fs::remove_file(&out).unwrap();
            continue;
        };
        assert!(ran.code == Some(2) && said.contains(named) && !out.exists(), "{said}");
    }
}

fn convert_lines(inputs: &[&Path], out: &Path) -> Ran {
    let mut args = vec!["convert", "--to", "jsonl", "-o", out.to_str().unwrap()];
    args.extend(inputs.iter().map(|path| path.to_str().unwrap()));
    rdbtool(args)
}

#[test]
fn one_database_goes_to_one() {
    let folder = TempDir::new().unwrap();
    let a = log(&folder, "a.aof", &["SET a 1"]);
    let out = folder.path().join("out.rdb");
    for maps in [&["--map-db", "0=1", "--map-db", "0=2"][..], &["--map-db", "0=1,0=2"]] {
        let ran = convert(&[&a], &out, maps);
        assert!(ran.code == Some(2) && !out.exists(), "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("--map-db"), "{}", ran.stderr);
    }
    let ran = convert(&[&a], &out, &["--map-db", "0=1", "--map-db", "0=1"]);
    assert_eq!(ran.code, Some(0), "the same said twice: {}", ran.stderr);
}
