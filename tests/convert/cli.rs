//! The verb: what it writes, refuses and says.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::checked;
use crate::made::Rdb;
use crate::program::{Ran, rdbtool, rdbtool_reading, testdata};

/// The dump of the README's examples, by Redis 8.2, in which everything expires around 2035.
fn shop() -> PathBuf {
    testdata("dump.rdb")
}

fn convert(folder: &TempDir, args: &[&str]) -> (Ran, PathBuf) {
    let out = folder.path().join("out.rdb");
    let (from, to) = (shop(), out.to_string_lossy().into_owned());
    let mut all = vec!["convert", from.to_str().unwrap(), "-o", &to];
    all.extend(args);
    (rdbtool(all), out)
}

fn names(folder: &TempDir) -> usize {
    fs::read_dir(folder.path()).unwrap().count()
}

#[test]
fn a_loss_must_be_agreed_to() {
    let folder = TempDir::new().unwrap();
    let (ran, out) = convert(&folder, &["--target", "redis-6.2"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stdout.contains("NOT WRITTEN"), "{}", ran.stdout);
    assert!(ran.stdout.contains("field-ttl"), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("\"products:vectors\" (module-value), the whole key"),
        "{}",
        ran.stdout
    );
    assert!(!out.exists() && names(&folder) == 0, "nothing is left behind");

    let (ran, out) = convert(&folder, &["--target", "redis-6.2", "--lossy", "--json"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let report = &ran.json()[0];
    assert_eq!(report["outcome"], "converted");
    assert_eq!(report["target_rdb_version"], 9);
    assert_eq!(report["loss_counts"]["type"], 1);
    let losses = report["losses"].as_array().unwrap();
    assert!(losses.iter().any(|loss| loss["loss"] == "field-ttl" && loss["key"] == "cart:20"));
    let check = checked(&fs::read(out).unwrap());
    assert_eq!(check.facts.keys().keys, report["keys"].as_u64().unwrap());
    assert_eq!(check.facts.header().unwrap().version, 9);
    assert_eq!(check.facts.aux_value(b"redis-ver"), Some(&b"6.2.0"[..]));
}

#[test]
fn up_and_across_without_loss() {
    let folder = TempDir::new().unwrap();
    let (ran, out) = convert(&folder, &["--target", "redis-8.8"]);
    assert_eq!((ran.code, &ran.stderr[..]), (Some(0), ""), "{}", ran.stdout);
    assert_eq!(checked(&fs::read(&out).unwrap()).facts.header().unwrap().version, 14);
    let (ran, out) = convert(&folder, &["--target", "valkey-9.1", "--not-key", "products:vectors"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(fs::read(&out).unwrap().starts_with(b"VALKEY080"));
}

#[test]
fn keys_databases_and_times() {
    let folder = TempDir::new().unwrap();
    let args = ["--target", "redis-8.2", "--key", "session:*", "--map-db", "0=3"];
    let (ran, out) = convert(&folder, &args);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let check = checked(&fs::read(out).unwrap());
    let databases: Vec<_> = check.facts.databases.iter().map(|(db, count)| (*db, *count)).collect();
    let [(3, count)] = databases[..] else { panic!("{databases:?}") };
    assert!(count.keys > 200 && count.expires == count.keys, "{count:?}");

    let late = ["--target", "redis-8.2", "--key", "session:*", "--now", "2036-01-01T00:00:00Z"];
    let (ran, _) = convert(&folder, &[&late[..], &["--drop-expired", "--json"]].concat());
    let report = &ran.json()[0];
    assert_eq!((&report["keys"], &report["expired"]), (&0.into(), &count.keys.into()));

    let shifted = [&late[..], &["--drop-expired", "--json", "--shift-ttl", "365d"]].concat();
    let (ran, _) = convert(&folder, &shifted);
    assert_eq!(ran.json()[0]["keys"], 0, "what expired is judged by the times in the source");
}

#[test]
fn times_move_together() {
    let folder = TempDir::new().unwrap();
    let (ran, out) = convert(&folder, &["--target", "redis-8.2", "--shift-ttl", "-90m"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let (before, after) =
        (crate::load(&fs::read(shop()).unwrap()), crate::load(&fs::read(out).unwrap()));
    let mut moved = 0;
    for (db, key) in before.engine.iter() {
        let new = after.engine.keyspace(db).unwrap();
        let slot = new.find(key.key).unwrap();
        assert_eq!(new.expire(slot), key.expire_at_ms.map(|at| at - 5_400_000));
        let fields = |value: &rdbtool::value::Value| match value {
            rdbtool::value::Value::Hash(hash) => hash.min_expire(),
            _ => None,
        };
        if let Some(at) = fields(key.value) {
            moved += 1;
            assert_eq!(fields(new.value(slot).unwrap()), Some(at - 5_400_000));
        }
    }
    assert!(moved > 10, "{moved}");
}

#[test]
fn through_pipes() {
    let bytes = fs::read(shop()).unwrap();
    let folder = TempDir::new().unwrap();
    let (_, out) = convert(&folder, &["--target", "redis-8.2"]);
    let shell =
        format!("'{}' convert - -o - --target redis-8.2 --quiet", env!("CARGO_BIN_EXE_rdbtool"));
    let mut child = std::process::Command::new("sh")
        .args(["-c", &shell])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut pipe, &bytes));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    assert!(output.stdout == fs::read(out).unwrap(), "the same as into a file");
}

#[test]
fn refused() {
    let folder = TempDir::new().unwrap();
    let copy = folder.path().join("dump.rdb");
    fs::copy(shop(), &copy).unwrap();
    let name = copy.to_str().unwrap();
    let ran = rdbtool(["convert", name, "-o", name, "--target", "redis-8.2"]);
    assert_eq!(ran.code, Some(2), "a file into itself");
    assert_eq!(fs::read(&copy).unwrap(), fs::read(shop()).unwrap());
    let ran = rdbtool(["convert", name, "--target", "redis-8.2"]);
    assert_eq!(ran.code, Some(2), "no -o");
    let ran = rdbtool(["convert", name, "-o", "x", "--target", "redis-9.9"]);
    assert!(ran.stderr.contains("expected one of redis-2.4"), "{}", ran.stderr);
    let ran = rdbtool(["convert", name, "-o", "x", "--rdb-version", "15"]);
    assert_eq!(ran.code, Some(2));
    let mut aof = fs::read(shop()).unwrap();
    aof.extend_from_slice(b"*1\r\n$8\r\nFLUSHALL\r\n");
    let to = folder.path().join("x").to_string_lossy().into_owned();
    let ran = rdbtool_reading(&["convert", "-", "-o", &to, "--target", "redis-8.2"], &aof);
    assert!(ran.code == Some(2) && ran.stderr.contains("is an AOF"), "{}", ran.stderr);
    assert!(!Path::new(&to).exists());
    let ran = rdbtool(["convert", "Cargo.toml", "-o", "x", "--target", "redis-8.2"]);
    assert!(ran.stderr.contains("neither an RDB nor an AOF"), "{}", ran.stderr);
}

#[test]
fn a_damaged_source_is_refused() {
    let folder = TempDir::new().unwrap();
    let bytes = fs::read(shop()).unwrap();
    let out = folder.path().join("out.rdb");
    let to = out.to_str().unwrap();
    let try_it = |bytes: &[u8], more: &[&str]| {
        let args = [&["convert", "-", "-o", to, "--target", "redis-8.2"], more].concat();
        rdbtool_reading(&args, bytes)
    };
    let cut = &bytes[..bytes.len() / 2];
    let ran = try_it(cut, &[]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stdout.contains("rdb-truncated"), "{}", ran.stdout);
    assert!(!Path::new(to).exists());
    let ran = try_it(cut, &["--tolerate", "tail"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(checked(&fs::read(&out).unwrap()).facts.keys().keys > 100);
    fs::remove_file(&out).unwrap();

    let mut flipped = bytes.clone();
    let at = flipped.len() - 1;
    flipped[at] ^= 1;
    let ran = try_it(&flipped, &["--tolerate", "tail"]);
    assert!(ran.code == Some(2) && ran.stdout.contains("rdb-crc"), "{}", ran.stdout);
    assert!(!Path::new(to).exists());
}

/// A pipe with a name is read once, also where a file would be read again to name what is wrong.
#[test]
fn a_pipe_with_a_name() {
    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("pipe.rdb");
    let twice = Rdb::redis(11).db(0).string("k", "1").string("k", "2").end();
    let whole = fs::read(shop()).unwrap();
    for (bytes, code) in [(whole, 0), (twice, 2)] {
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let to = pipe.clone();
        let writer = std::thread::spawn(move || drop(fs::write(to, bytes)));
        let out = folder.path().join("out.jsonl");
        let args =
            ["convert", pipe.to_str().unwrap(), "-o", out.to_str().unwrap(), "--to", "jsonl"];
        let ran = rdbtool(args);
        writer.join().unwrap();
        assert_eq!(ran.code, Some(code), "{}{}", ran.stdout, ran.stderr);
        assert_eq!(out.exists(), code == 0);
        assert!(code == 0 || ran.stdout.contains("dup-key"), "{}", ran.stdout);
        fs::remove_file(&pipe).unwrap();
        let _ = fs::remove_file(&out);
    }
}
