//! Several inputs into one output.

use std::fs;
use std::path::{Path, PathBuf};

use rdbtool::encoding::resp::write_command;
use tempfile::TempDir;

use crate::program::{Ran, rdbtool};

/// An AOF of commands, words between blanks.
fn log(folder: &TempDir, name: &str, commands: &[&str]) -> PathBuf {
    let mut bytes = Vec::new();
    for command in commands {
        let words: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        write_command(words.iter().copied(), &mut bytes);
    }
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
