//! `rdbtool rewrite`: what it leaves is small, the same, and whole whenever it is killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rdbtool::engine::KeyRef;
use rdbtool::job::compare::{Ignore, verify};
use rdbtool::job::replay::{Expired, Options, Report};
use tempfile::TempDir;

use crate::commands::resp;
use crate::golden;
use crate::golden_set::{self, Golden, is_of_modules};
use crate::kills::{Killer, kills};
use crate::live::target;
use crate::program::{Ran, copy, rdbtool};
use crate::servers::{self, Server, Setup};

/// A copy of a log, to be changed.
fn copy_of(golden: &Golden) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join(golden.path.file_name().unwrap());
    copy(&golden.path, &to);
    (dir, to)
}

fn logs() -> Vec<Golden> {
    let mut logs = golden_set::goldens();
    logs.retain(|golden| !golden.name().ends_with(".rdb") && !is_of_modules(golden));
    logs
}

fn run(args: &[&str], path: &Path) -> Ran {
    let mut all = vec!["rewrite"];
    all.extend(args);
    all.push(path.to_str().unwrap());
    rdbtool(all)
}

fn size(path: &Path) -> u64 {
    match path.is_dir() {
        true => fs::read_dir(path).unwrap().map(|entry| size(&entry.unwrap().path())).sum(),
        false => fs::metadata(path).unwrap().len(),
    }
}

fn assert_same(before: &mut Report, after: &mut Report, name: &str) {
    let ignore = Ignore { access: true, groups: true, ..Ignore::default() };
    let compared = verify(&before.store.look(), &after.store.look(), ignore, 3);
    assert!(compared.counts.is_same(), "{name}: {:?}", compared.differences);
    assert!(compared.counts.keys.0 > 0);
}

/// Every log in place, both with an RDB and as commands; a second time there is nothing more to gain.
#[test]
fn in_place_every_log_stays_the_same() {
    for golden in logs() {
        let mut before = golden_set::replay(&golden.path, &golden.options(1));
        for preamble in ["yes", "no"] {
            let (_dir, path) = copy_of(&golden);
            let name = format!("{} {preamble}", golden.name());
            let old = golden.release().version < (4, 0);
            if old && preamble == "yes" {
                continue;
            }
            let own = golden.release();
            let own = if own.version.0 == 255 { "redis-8.8".to_owned() } else { own.to_string() };
            let args = ["--in-place", "--preamble", preamble, "--history", "remove", "--lossy"];
            let more = ["--tolerate", "failed", "--target", &own, "--json"];
            let ran = run(&[&args[..], &more].concat(), &path);
            assert!(matches!(ran.code, Some(0 | 1)), "{name}: {}{}", ran.stdout, ran.stderr);
            let told = &ran.json()[0];
            assert_eq!(told["outcome"], "rewritten", "{name}");
            assert!(told["digest"].is_string(), "{name}");
            let mut after = golden_set::replay(&path, &golden.options(1));
            if told["loss_counts"].get("vector-length").is_none() {
                assert_same(&mut before, &mut after, &name);
            }
            if path.is_dir() {
                assert_eq!(fs::read_dir(&path).unwrap().count(), 3, "{name}");
            }
        }
    }
}

/// Servers start from a folder that was rewritten, and hold what they held before.
#[test]
fn servers_start_from_what_was_rewritten() {
    for binary in servers::all() {
        let (_, release) = target(binary);
        let family = golden_set::goldens();
        let wanted = format!("-{}.{}", binary.version.0, binary.version.1);
        let own = family.iter().find(|golden| {
            golden.name().contains(&wanted)
                && golden.name().contains("aof-plain/")
                && golden.release().family == release.family
        });
        let Some(golden) = own else {
            println!("SKIP: no log of {} here", binary.name);
            continue;
        };
        let (dir, path) = copy_of(golden);
        let server = |what: &str| {
            let mut files = Vec::new();
            let mut folders = vec![dir.path().to_path_buf()];
            while let Some(folder) = folders.pop() {
                for entry in fs::read_dir(folder).unwrap() {
                    let at = entry.unwrap().path();
                    if at.is_dir() {
                        folders.push(at);
                        continue;
                    }
                    let name = at.strip_prefix(dir.path()).unwrap().to_str().unwrap().to_owned();
                    files.push((name, fs::read(at).unwrap()));
                }
            }
            let setup = Setup { lines: Vec::new(), files }.line("appendonly yes");
            let server = Server::start(binary, &setup);
            let mut server =
                server.unwrap_or_else(|no| panic!("{} {what}: {}", binary.name, no.log));
            // What had expired goes bit by bit, fields of hashes last.
            sleep(Duration::from_secs(2));
            (server.digest(), server.dbsize())
        };
        let before = server("before");
        for preamble in ["no", "yes"] {
            let args = ["--in-place", "--preamble", preamble, "--tolerate", "failed", "--target"];
            let name = format!("{}-{}.{}", family_word(binary), binary.version.0, binary.version.1);
            let ran = run(&[&args[..], &[&name]].concat(), &path);
            assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
            assert_eq!(server(preamble), before, "{} {preamble}", binary.name);
        }
    }
}

fn family_word(binary: &servers::ServerBinary) -> &'static str {
    if binary.family == servers::Family::Valkey { "valkey" } else { "redis" }
}

#[test]
fn into_a_new_file_or_folder_and_what_is_refused() {
    let logs = logs();
    let set = logs.iter().find(|golden| golden.path.is_dir()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("new");
    let to = out.to_str().unwrap();
    let ran = run(&["-o", to], &set.path);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("REWRITTEN") && ran.stdout.contains("verified: read back"));
    assert_eq!(fs::read_dir(&out).unwrap().count(), 3);
    let ran = run(&["-o", to], &set.path);
    assert!(ran.code == Some(2) && ran.stderr.contains("exists already"), "{}", ran.stderr);
    let rdb = dir.path().join("new.rdb");
    let ran = run(&["--to-rdb", "--lossy", "-o", rdb.to_str().unwrap()], &set.path);
    assert!(matches!(ran.code, Some(0 | 1)), "{}{}", ran.stdout, ran.stderr);
    let again = dir.path().join("again.rdb");
    let ran = run(&["-o", again.to_str().unwrap()], &rdb);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(run(&[], &set.path).code, Some(2), "neither -o nor --in-place");
    let ran = run(&["--in-place"], Path::new("-"));
    assert_eq!(ran.code, Some(2));
}

fn replayed(path: &Path) -> Report {
    golden_set::replay(path, &Options { expired: Some(Expired::Keep), ..Options::default() })
}

/// Every RDB written anew for the server that wrote it: nothing is lost, and the data is the same.
#[test]
fn rdbs_stay_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("new.rdb");
    for path in golden::goldens() {
        let ran = run(&["--json", "-o", out.to_str().unwrap()], &path);
        assert_eq!(ran.code, Some(0), "{}: {}{}", path.display(), ran.stdout, ran.stderr);
        assert!(ran.json()[0]["digest"].is_string(), "{}", ran.stdout);
        let (mut before, mut after) = (replayed(&path), replayed(&out));
        let (a, b) = (before.store.look(), after.store.look());
        let compared = verify(&a, &b, Ignore::default(), 3);
        assert!(compared.counts.is_same(), "{}: {:?}", path.display(), compared.differences);
        fs::remove_file(&out).unwrap();
    }
}

/// In place, without what has expired, and with the old file kept under another name.
#[test]
fn an_rdb_without_what_has_expired() {
    let goldens = golden::goldens();
    let names = |path: &Path| path.to_str().unwrap().to_owned();
    let expired =
        |path: &&PathBuf| names(path).contains("expired") && names(path).contains("7.2.6");
    let Some(golden) = goldens.iter().find(expired) else {
        println!("SKIP: no RDB here with keys whose time had come");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dump.rdb");
    copy(golden, &path);
    let now_ms = golden::LONG_AFTER_MS;
    let now = now_ms.to_string();
    let mut before = replayed(&path);
    let all: usize = before.store.each_mut().flat_map(|engine| engine.iter()).count();
    let is_dead = |key: &KeyRef<'_>| key.expire_at_ms.is_some_and(|at| at < now_ms);
    let keys = before.store.each_mut().flat_map(|engine| engine.iter());
    let dead = keys.filter(|(_, key)| is_dead(key)).count();
    assert!(dead > 0 && dead < all, "{dead} of {all}");
    let ran = run(&["--in-place", "--drop-expired", "--backup", "--now", &now, "--json"], &path);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let mut after = replayed(&path);
    let left: Vec<_> = after.store.each_mut().flat_map(|engine| engine.iter()).collect();
    assert_eq!(left.len(), all - dead);
    assert!(!left.iter().any(|(_, key)| is_dead(key)));
    let names = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let backups: Vec<_> = names.filter(|name| name.to_str().unwrap().contains(".bak-")).collect();
    assert_eq!(backups.len(), 1, "{backups:?}");
    assert!(fs::read(&backups[0]).unwrap() == fs::read(golden).unwrap());
}

/// Messages that were deleted while a consumer had them: no command makes them pending again, a
/// server's own rewrite loses them, and so does ours. That is told for each kind, holds nothing up, and is
/// the only difference, in more streams than findings are listed.
#[test]
fn pending_messages_that_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (path, out) = (dir.path().join("a.aof"), dir.path().join("new.aof"));
    let streams = 300;
    let mut bytes = Vec::new();
    for n in 0..streams {
        let key = format!("stream:{n}");
        for text in [
            "XADD KEY 1-1 f v",
            "XADD KEY 2-1 f v",
            "XGROUP CREATE KEY g 2-1 ENTRIESREAD 2",
            "XCLAIM KEY g c 0 1-1 TIME 1600000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 2-1",
            "XCLAIM KEY g c 0 2-1 TIME 1600000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 2-1",
            "XDEL KEY 1-1",
        ] {
            let text = text.replace("KEY", &key);
            bytes.extend(resp(&text));
        }
    }
    fs::write(&path, bytes).unwrap();
    let ran = run(&["--json", "--preamble", "no", "-o", out.to_str().unwrap()], &path);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.json()[0]["usual"], serde_json::json!(["consumer-times", "pending-gone"]));
    let (mut before, mut after) = (replayed(&path), replayed(&out));
    let (a, b) = (before.store.look(), after.store.look());
    let all = verify(&a, &b, Ignore::default(), 1);
    assert_eq!((all.counts.differ, all.counts.same), (streams, 0));
    let but_gone = verify(&a, &b, Ignore { gone: true, ..Ignore::default() }, 1);
    assert!(but_gone.counts.is_same(), "{:?}", but_gone.differences);
}

/// What commands of modules do is not known: nothing of it is lost.
#[test]
fn unknown_commands_are_never_dropped() {
    let all = golden_set::goldens();
    let Some(golden) = all.iter().find(|golden| is_of_modules(golden)) else {
        println!("SKIP: no log with commands of modules here");
        return;
    };
    let (dir, path) = copy_of(golden);
    let read = |path: &Path| {
        let mut files: Vec<_> =
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.into_iter().map(|at| (at.clone(), fs::read(at).unwrap())).collect::<Vec<_>>()
    };
    let old = read(&path);
    let ran = run(&["--in-place"], &path);
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    assert!(ran.stdout.contains("replay-module"), "{}", ran.stdout);
    assert!(read(&path) == old, "nothing was changed");
    let out = dir.path().join("kept");
    let ran = run(&["--keep-unknown", "-o", out.to_str().unwrap(), "--json"], &path);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.json()[0]["kept"].as_u64() > Some(5), "{}", ran.stdout);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let was = text(fs::read(path.join("appendonly.aof.1.incr.aof")).unwrap());
    let is = text(fs::read(out.join("appendonly.aof.1.incr.aof")).unwrap());
    for word in ["JSON.SET", "BF.RESERVE", "CMS.INCRBY", "TS.ADD", "TDIGEST.ADD", "TOPK.ADD"] {
        let count = |log: &str| log.matches(word).count();
        assert!(count(&was) > 0 && count(&was) == count(&is), "{word}");
    }
}

/// An AOF of some megabytes, in one base and one incr file.
fn large(folder: &Path) {
    let mut bytes = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n".to_vec();
    for n in 0..6000 {
        let (key, value) = (format!("key:{:06}", n % 3000), "x".repeat(90));
        bytes.extend(format!("*3\r\n$3\r\nSET\r\n$10\r\n{key}\r\n$90\r\n{value}\r\n").bytes());
    }
    fs::write(folder.join("a.aof.1.incr.aof"), bytes).unwrap();
    fs::write(folder.join("a.aof.manifest"), "file a.aof.1.incr.aof seq 1 type i\n").unwrap();
}

#[test]
fn killed_at_any_moment_the_folder_is_the_old_one_or_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let (start, path) = (dir.path().join("start"), dir.path().join("appendonlydir"));
    fs::create_dir(&start).unwrap();
    large(&start);
    let options = rdbtool::job::replay::Options::default();
    let mut first = golden_set::replay(&start, &options);
    let digest =
        |report: &mut Report| report.store.look().digest(Default::default(), 1).to_string();
    let want = digest(&mut first);
    let spawn = |history: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rdbtool"));
        command.args(["rewrite", "--in-place", "--quiet", "--history", history]).arg(&path);
        command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
        command
    };
    copy(&start, &path);
    let since = Instant::now();
    assert!(spawn("mark").status().unwrap().success());
    let mut killer = Killer::new(7, since.elapsed());
    let (mut old, mut new) = (0, 0);
    for round in 0..kills() {
        // Every third one goes on with what the one before it left.
        if round % 3 != 2 {
            fs::remove_dir_all(&path).unwrap();
            copy(&start, &path);
        }
        let manifest = fs::read(path.join("a.aof.manifest")).unwrap();
        let history = ["mark", "keep", "remove"][(round % 3) as usize];
        killer.kill(spawn(history).spawn().unwrap());
        let changed = fs::read(path.join("a.aof.manifest")).unwrap() != manifest;
        if changed {
            new += 1
        } else {
            old += 1
        }
        let mut after = golden_set::replay(&path, &options);
        let manifest_is_fine =
            after.findings.iter().all(|f| f.severity() < rdbtool::finding::Severity::Error);
        assert!(manifest_is_fine, "{round}: {:?}", after.findings);
        assert_eq!(digest(&mut after), want, "{round}");
    }
    let killed = killer.killed;
    println!("{killed} killed, {old} old, {new} new");
    assert!(killed * 2 > kills() && old > 0 && new > 0, "{killed} killed, {old} old, {new} new");
    assert!(size(&path) > 0);
}

/// What a group has read may be more than was ever added: servers before 8.8 hold that, and 8.8 loads no RDB
/// with it. It is said who refuses it, and what to do.
#[test]
fn a_group_that_has_read_more_than_there_was() {
    let dir = tempfile::tempdir().unwrap();
    let (path, out) = (dir.path().join("a.aof"), dir.path().join("new.rdb"));
    let mut bytes = Vec::new();
    for text in ["XADD k 1-1 f v", "XGROUP CREATE k g 1-1 ENTRIESREAD 100"] {
        bytes.extend(resp(text));
    }
    fs::write(&path, bytes).unwrap();
    let args = ["--to-rdb", "-o", out.to_str().unwrap()];
    let ran = run(&args, &path);
    assert!(ran.code == Some(2) && !out.exists(), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("--target") && !ran.stderr.contains("repair"), "{}", ran.stderr);
    assert!(ran.stderr.contains("group-entries-read in \"k\""), "{}", ran.stderr);
    let ran = run(&[&args[..], &["--target", "redis-7.2"]].concat(), &path);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
}

/// Losses that were agreed to are the only differences, however many there are and however few are listed.
#[test]
fn more_losses_than_are_listed() {
    let dir = tempfile::tempdir().unwrap();
    let (path, out) = (dir.path().join("a.aof"), dir.path().join("new.rdb"));
    let (mut bytes, keys) = (Vec::new(), 1500);
    for n in 0..keys {
        let key = format!("hash:{n}");
        for text in ["HSET KEY f v g w", "HPEXPIREAT KEY 4000000000000 FIELDS 1 f"] {
            let text = text.replace("KEY", &key);
            bytes.extend(resp(&text));
        }
    }
    fs::write(&path, bytes).unwrap();
    for most in ["0", "1", "1000"] {
        let args =
            ["--to-rdb", "--target", "redis-7.2", "--lossy", "--json", "--max-findings", most];
        let ran = run(&[&args[..], &["-o", out.to_str().unwrap()]].concat(), &path);
        assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.json()[0]["loss_counts"]["field-ttl"], keys);
        fs::remove_file(&out).unwrap();
    }
}
