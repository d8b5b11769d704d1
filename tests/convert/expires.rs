//! Expire times at the ends of what files and commands hold: none becomes eternal, or another one, untold.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::made::{self, Rdb, b};
use crate::program::{Ran, rdbtool};

fn put(folder: &TempDir, name: &str, bytes: Vec<u8>) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn convert(path: &Path, out: &Path, args: &[&str]) -> Ran {
    let paths = ["-o", out.to_str().unwrap(), path.to_str().unwrap()];
    rdbtool(["convert"].iter().chain(args).copied().chain(paths))
}

/// Keys with their expire times, and fields with theirs.
fn lines(path: &Path) -> Vec<Value> {
    let ran = rdbtool(["convert", "--to", "jsonl", "-o", "-", path.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.json().into_iter().filter(|line| line.get("key").is_some()).collect()
}

#[test]
fn keys_that_expired_before_1970_stay_so() {
    let folder = TempDir::new().unwrap();
    let times = [i64::MIN, -5, -1, 0, 1, i64::MAX];
    let mut rdb = Rdb::redis(10).db(0);
    for (n, at) in times.iter().enumerate() {
        rdb = rdb.expire_ms(*at).string(&format!("k{n}"), "v");
    }
    let path = put(&folder, "a.rdb", rdb.end());
    let forms: [&[&str]; 3] = [&["aof"], &["aof", "--restore"], &["rdb"]];
    for form in forms {
        let out = folder.path().join("out");
        let ran = convert(&path, &out, &[&["--target", "redis-7.0", "--to"], form].concat());
        assert_eq!(ran.code, Some(0), "{form:?}: {}", ran.stderr);
        let found: Vec<_> =
            lines(&out).iter().map(|line| line["expire_at_ms"].as_i64().unwrap()).collect();
        assert_eq!(found, times, "{form:?}");
        fs::remove_file(out).unwrap();
    }
    // Seconds do not hold the first, which is told.
    let out = folder.path().join("old.aof");
    let ran = convert(&path, &out, &["--target=redis-2.4", "--to=aof", "--lossy"]);
    assert!(ran.code == Some(1) && ran.stdout.contains("expire-time"), "{}", ran.stdout);
}

/// Servers pass over such a mark in a file; RESTORE refuses it, and the key with it.
#[test]
fn an_idle_time_of_64_bits_costs_no_key() {
    let folder = TempDir::new().unwrap();
    let rdb = Rdb::redis(10).db(0).raw(b().u8(248).len64((1 << 63) + 5).0).string("k", "v");
    let path = put(&folder, "a.rdb", rdb.end());
    let out = folder.path().join("out.aof");
    let ran = convert(&path, &out, &["--to=aof", "--restore", "--target=redis-7.0"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let text = fs::read(&out).unwrap();
    assert!(!String::from_utf8_lossy(&text).contains("IDLETIME"));
}

/// A hash of Valkey with fields that expire at these times.
fn volatile(times: &[i64]) -> Vec<u8> {
    let mut value = b().len(times.len() as u64);
    for (n, at) in times.iter().enumerate() {
        value = value.str(format!("f{n}")).str("v").i64le(*at);
    }
    made::Rdb::valkey(80).db(0).key(22, "h", value).end()
}

fn field_times(path: &Path) -> Vec<i64> {
    let line = lines(path).remove(0);
    let fields = line["value"].as_array().unwrap().clone();
    fields.iter().map(|field| field[2].as_i64().unwrap_or(-1)).collect()
}

#[test]
fn expire_times_of_fields_that_only_valkey_holds() {
    let folder = TempDir::new().unwrap();
    let times = [0, 1, (1 << 46) - 1, 1 << 46, (1 << 48) - 1, 1 << 48, 1 << 50];
    let path = put(&folder, "a.rdb", volatile(&times));
    assert_eq!(field_times(&path), times);
    let out = folder.path().join("back.rdb");
    let json = folder.path().join("a.jsonl");
    assert_eq!(convert(&path, &json, &["--to", "jsonl"]).code, Some(0));
    assert_eq!(convert(&json, &out, &["--target", "valkey-9.1"]).code, Some(0));
    assert_eq!(field_times(&out), times);
    let bounded = |last: i64| times.map(|at| at.clamp(1, last));
    for (to, last) in [("rdb", (1 << 48) - 1), ("aof", (1 << 46) - 1)] {
        let out = folder.path().join(to);
        let args = ["--target", "redis-8.2", "--to", to];
        let ran = convert(&path, &out, &args);
        assert!(ran.code == Some(1) && ran.stdout.contains("field-time"), "{}", ran.stdout);
        assert!(!out.exists());
        let ran = convert(&path, &out, &[&args[..], &["--lossy"]].concat());
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert_eq!(field_times(&out), bounded(last), "{to}");
    }
}

/// What is moved to before 1970 has expired, and is not eternal.
#[test]
fn fields_moved_far_back_have_expired() {
    let folder = TempDir::new().unwrap();
    let path = put(&folder, "a.rdb", volatile(&[1_800_000_000_000]));
    for to in ["rdb", "aof"] {
        let out = folder.path().join(to);
        let args = ["--target=redis-8.2", "--shift-ttl=-100000d", "--to", to];
        let ran = convert(&path, &out, &args);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(field_times(&out), [1], "{to}");
    }
}

/// Which of two keys counts does not depend on whether it is written then.
#[test]
fn the_last_one_counts_though_it_has_expired() {
    let folder = TempDir::new().unwrap();
    let old = put(&folder, "a.rdb", Rdb::redis(10).db(0).string("k", "old").end());
    let new = Rdb::redis(10).db(0).expire_ms(1_000_000_000_000).string("k", "new");
    let new = put(&folder, "b.rdb", new.end());
    for (more, want) in [(&["--drop-expired"][..], 0), (&["--ttl", "none"], 0), (&[], 1)] {
        let args = ["convert", "--to=jsonl", "-o", "-", "--duplicates=last"];
        let paths = [old.to_str().unwrap(), new.to_str().unwrap()];
        let ran = rdbtool(args.iter().chain(more).copied().chain(paths));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let keys = ran.json().iter().filter(|line| line.get("key").is_some()).count();
        assert_eq!(keys, want, "{more:?}: {}", ran.stdout);
        assert!(!ran.stdout.contains("old"));
    }
}
