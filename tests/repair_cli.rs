//! Repairing from the command line: exit statuses, what is said, what is left of the files; kills and
//! failing system calls from outside.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[path = "support/kills.rs"]
mod kills;
#[allow(dead_code)]
#[path = "support/program.rs"]
mod program;

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kills::{Killer, kills};
use program::{Ran, copy, rdbtool, testdata};
use tempfile::TempDir;

/// A copy of a file or folder of the test data, to be changed.
fn copy_of(name: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::Builder::new().prefix("repair").tempdir().unwrap();
    let from = testdata(name);
    let to = dir.path().join(from.file_name().unwrap());
    copy(&from, &to);
    (dir, to)
}

fn run(args: &[&str], path: &Path) -> Ran {
    rdbtool(args.iter().map(OsStr::new).chain([path.as_os_str()]))
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn exit_status() {
    // (sample, arguments, status)
    let rows: &[(&str, &[&str], i32)] = &[
        ("damaged/aof-ok.aof", &["repair", "--in-place"], 0),
        ("damaged/aof-ok.aof", &["repair", "--dry-run"], 0),
        ("damaged/aof-trunc-midcmd.aof", &["repair", "--in-place"], 1),
        ("damaged/aof-trunc-midcmd.aof", &["repair", "--dry-run"], 1),
        ("damaged/aof-trunc-midcmd.aof", &["repair"], 2),
        ("damaged/aof-zerofill-tail.aof", &["repair", "--in-place"], 0),
        ("damaged/aof-zerofill-mid.aof", &["repair", "--in-place"], 1),
        ("damaged/mp-trunc-incr", &["repair", "--in-place"], 1),
        ("damaged/mp-trunc-notlast", &["repair", "--in-place"], 2),
        ("damaged/mp-trunc-notlast", &["repair", "--in-place", "--accept-loss"], 1),
        ("damaged/mp-trunc-notlast", &["repair", "--in-place", "--keep-later"], 1),
        ("damaged/mp-missing-incr", &["repair", "--in-place"], 2),
        ("damaged/mp-missing-incr", &["repair", "--in-place", "--accept-loss"], 1),
        ("damaged/mp-missing-base", &["repair", "--in-place", "--accept-loss"], 2),
        ("damaged/mp-missing-manifest", &["repair", "--in-place"], 2),
        ("damaged/mp-bad-manifest", &["repair", "--in-place"], 2),
        ("damaged/mp-base-badcrc", &["repair", "--in-place"], 0),
        ("damaged/mp-base-badcrc", &["repair", "--dry-run"], 1),
        ("damaged/rdb-badcrc.rdb", &["repair", "--in-place"], 0),
        ("damaged/rdb-badcrc.rdb", &["repair", "--dry-run"], 1),
        ("damaged/rdb-bitflip-mid.rdb", &["check", "--fix"], 0),
        ("damaged/rdb-badmagic.rdb", &["repair", "--in-place", "--recovery", "strict"], 0),
        ("damaged/rdb-trunc-half.rdb", &["repair", "--in-place"], 1),
        ("damaged/rdb-trunc-half.rdb", &["repair", "--in-place", "--recovery", "strict"], 2),
        ("damaged/rdb-garbage-tail.rdb", &["repair", "--in-place", "--recovery", "strict"], 1),
        ("damaged/rdb-zerofill-mid.rdb", &["repair", "--in-place"], 2),
        ("damaged/rdb-zerofill-mid.rdb", &["repair", "--in-place", "--salvage"], 1),
        ("damaged/rdb-dupkey.rdb", &["check", "--fix"], 2),
        ("damaged/rdb-dupkey.rdb", &["check", "--fix", "--salvage"], 1),
        ("damaged/rdb-zerocrc.rdb", &["repair", "--in-place"], 0),
        ("damaged/rdb-trunc-half.rdb", &["repair", "--in-place", "--until", "1"], 2),
        ("damaged/aof-trunc-midcmd.aof", &["repair", "--in-place", "--recovery", "strict"], 2),
        ("damaged/aof-trunc-midcmd.aof", &["repair", "--in-place", "--salvage"], 1),
        ("damaged/aof-zerofill-mid.aof", &["repair", "--in-place", "--salvage"], 1),
        ("damaged/aof-zerofill-mid.aof", &["repair", "--salvage", "--dry-run"], 1),
        ("damaged/aof-badargc.aof", &["repair", "--in-place"], 1),
        ("damaged/aof-ok.aof", &["repair", "--in-place", "--salvage"], 0),
        ("damaged/aof-ok.aof", &["repair", "--in-place", "--salvage", "--until", "1"], 2),
        ("damaged/mp-trunc-notlast", &["repair", "--in-place", "--salvage"], 1),
        ("damaged/rdb-dump-as-aofpreamble-trunc.aof", &["repair", "--in-place"], 1),
        ("aof/redis-7.0.15-timestamps", &["repair", "--in-place", "--until", "1"], 2),
    ];
    for (sample, args, want) in rows {
        let (_dir, path) = copy_of(sample);
        let ran = run(args, &path);
        assert_eq!(ran.code, Some(*want), "{args:?} {sample}\n{}{}", ran.stdout, ran.stderr);
        // What is not done changes nothing.
        if *want == 2 || args.contains(&"--dry-run") {
            assert_same(&path, &testdata(sample));
        }
    }
}

fn assert_same(a: &Path, b: &Path) {
    if b.is_dir() {
        assert_eq!(names(a), names(b));
        for name in names(b) {
            assert_same(&a.join(&name), &b.join(&name));
        }
    } else {
        assert!(fs::read(a).unwrap() == fs::read(b).unwrap(), "{} changed", a.display());
    }
}

/// A healed RDB is as it was written; the damaged one stays as a backup.
#[test]
fn an_rdb_is_healed_in_place() {
    let (dir, path) = copy_of("damaged/rdb-bitflip-mid.rdb");
    let old = fs::read(&path).unwrap();
    let said = run(&["check"], &path).stdout;
    let advice = "repair: a single flipped bit at 0x2e22 (11810), in the value of hash-hashtable \
                  \"hash:ht\" in db 0, at \"field74\": rdbtool repair heals it, and nothing is lost";
    assert!(said.replace("\n  ", " ").contains(advice), "{said}");
    let json = &run(&["check", "--json"], &path).json()[0]["repair"];
    assert_eq!((&json["recovery"], &json["healing"]["offset"]), (&"strict".into(), &11810.into()));
    let ran = run(&["repair", "--in-place", "--json"], &path);
    let json = &ran.json()[0];
    assert_eq!((&json["outcome"], &json["action"]), (&"repaired".into(), &"heal".into()));
    let healing = &json["healings"][0];
    assert_eq!((&healing["old"], &healing["new"]), (&"2c".into(), &"6c".into()), "{healing}");
    assert_eq!(run(&["check"], &path).code, Some(0), "{}", run(&["check"], &path).stdout);
    let names = names(dir.path());
    let backup = names.iter().find(|name| name.contains(".bak-")).expect("a backup");
    assert!(fs::read(dir.path().join(backup)).unwrap() == old);
    let new = fs::read(&path).unwrap();
    let changed: Vec<_> = (0..old.len()).filter(|at| old[*at] != new[*at]).collect();
    assert_eq!(changed, [11810]);
}

/// One byte of an AOF is put right, and the damaged file stays as a backup; `check` says that it can be done.
#[test]
fn an_aof_is_mended_in_place() {
    let (dir, path) = copy_of("damaged/aof-ok.aof");
    let whole = fs::read(&path).unwrap();
    let at = whole.windows(4).position(|at| at == b"INCR").unwrap() + 2;
    let mut damaged = whole.clone();
    damaged[at] = b'Q';
    fs::write(&path, &damaged).unwrap();
    let said = run(&["check"], &path).stdout.replace("\n  ", " ");
    let change = format!("change {at:#x} ({at}) from 51 to 43, in INCR ");
    assert!(said.contains(&format!("repair: {change}")), "{said}");
    assert!(said.contains("nothing would be lost: rdbtool repair does it"), "{said}");
    let json = &run(&["check", "--json"], &path).json()[0]["repair"];
    assert_eq!((&json["recovery"], &json["changes"][0]["offset"]), (&"tail".into(), &at.into()));
    let ran = run(&["repair", "--in-place"], &path);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let said = ran.stdout.replace("\n    ", " ");
    assert!(said.contains("REPAIRED") && said.contains(&change), "{said}");
    assert!(fs::read(&path).unwrap() == whole);
    let names = names(dir.path());
    let backup = names.iter().find(|name| name.contains(".bak-")).expect("a backup");
    assert!(fs::read(dir.path().join(backup)).unwrap() == damaged);
    assert_eq!(run(&["repair", "--in-place"], &path).code, Some(0));
}

/// A hole in the middle of an AOF: what is behind it is kept, what is in it saved, and the result called suspect.
#[test]
fn an_aof_is_salvaged() {
    let (dir, path) = copy_of("damaged/aof-zerofill-mid.aof");
    let old = fs::read(&path).unwrap();
    let said = run(&["check"], &path).stdout.replace("\n  ", " ");
    assert!(
        said.contains("of them suspect") && said.contains("rdbtool repair --salvage does it"),
        "{said}"
    );
    let (out, lost) = (dir.path().join("found.aof"), dir.path().join("lost"));
    let more = ["-o", out.to_str().unwrap(), "--lost", lost.to_str().unwrap()];
    let plan = &run(&["repair", "--salvage", "--dry-run", "--json"], &path).json()[0];
    assert_eq!(plan["outcome"], "planned");
    let ran = run(&[&["repair", "--salvage"][..], &more[..]].concat(), &path);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for word in ["SALVAGED, SUSPECT", "gap: ", "aof-nul-hole", "suspect, beside a gap", "saved: "] {
        assert!(ran.stdout.contains(word), "{word}: {}", ran.stdout);
    }
    assert!(fs::read(&path).unwrap() == old);
    let gap = &plan["parts"][0]["salvage"]["gaps"][0];
    let (start, len) = (gap["offset"].as_u64().unwrap(), gap["len"].as_u64().unwrap());
    let saved = fs::read(lost.join(format!("{start}-{len}.gap"))).unwrap();
    assert!(saved == old[start as usize..(start + len) as usize]);
    assert_eq!(run(&["aof", "check"], &out).code, Some(0), "{}", run(&["check"], &out).stdout);
    assert_eq!(run(&["repair", "--in-place", "--salvage"], &out).code, Some(0));
}

/// The base of a multi-part AOF and the preamble of an old one are healed where they are.
#[test]
fn the_rdb_of_an_aof_is_healed_in_place() {
    let (_dir, path) = copy_of("damaged/mp-base-badcrc");
    let ran = run(&["repair", "--in-place"], &path);
    assert!(ran.stdout.contains("REPAIRED") && ran.stdout.contains("change 0x"), "{}", ran.stdout);
    let manifest = path.join("appendonly.aof.manifest");
    assert_eq!(run(&["check"], &manifest).code, Some(0), "{}", run(&["check"], &manifest).stdout);
    let (_dir, path) = copy_of("aof/redis-4.0.14-preamble");
    let path = path.join("appendonly.aof");
    let whole = fs::read(&path).unwrap();
    for at in [10, 40, 100] {
        let mut damaged = whole.clone();
        damaged[at] ^= 4;
        fs::write(&path, &damaged).unwrap();
        let ran = run(&["repair", "--in-place"], &path);
        assert!(fs::read(&path).unwrap() == whole, "at {at}: {}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    }
}

/// What is lost is told before anything is written, and saved piece by piece.
#[test]
fn an_rdb_is_salvaged_into_a_new_file() {
    let (dir, path) = copy_of("damaged/rdb-zerofill-mid.rdb");
    let old = fs::read(&path).unwrap();
    let plan = run(&["repair", "--salvage", "--dry-run"], &path).stdout;
    for part in ["TO BE REPAIRED", "44 keys would stay", "gap: ", "\"hash:ht\"", "suspect, beside"]
    {
        assert!(plan.contains(part), "{part} is not in\n{plan}");
    }
    let (out, lost) = (dir.path().join("new.rdb"), dir.path().join("lost"));
    let (out_text, lost_text) = (out.display().to_string(), lost.display().to_string());
    let args = ["repair", "--salvage", "-o", &out_text, "--lost", &lost_text];
    let ran = run(&args, &path);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stdout.contains("SALVAGED, SUSPECT"), "{}", ran.stdout);
    assert!(ran.stdout.contains("nothing vouches for any value"), "{}", ran.stdout);
    assert!(fs::read(&path).unwrap() == old, "the source is as it was");
    assert_eq!(run(&["check"], &out).code, Some(0));
    for name in names(&lost) {
        let (offset, len) = name.strip_suffix(".gap").unwrap().split_once('-').unwrap();
        let (offset, len): (usize, usize) = (offset.parse().unwrap(), len.parse().unwrap());
        assert!(fs::read(lost.join(&name)).unwrap() == old[offset..offset + len], "{name}");
    }
    assert_eq!(names(&lost).len(), 1);
    // Neither is written over.
    assert_eq!(run(&args, &path).code, Some(2));
    let advice = run(&["check"], &path).stdout;
    assert!(advice.contains("rdbtool repair --salvage does it"), "{advice}");
}

#[test]
fn what_is_said_of_a_cut() {
    let (dir, path) = copy_of("damaged/aof-trunc-in-multi.aof");
    let ran = run(&["repair", "--in-place"], &path);
    let said = ran.stdout.replace(&dir.path().display().to_string(), "DIR");
    for part in [
        "DIR/aof-trunc-in-multi.aof: REPAIRED — 3.03 KiB kept",
        "cut at 0xc1f (3103): aof-multi-open",
        "saved: what was cut off is DIR/aof-trunc-in-multi.aof.tail-3103, 120 B",
        "keys: \"",
    ] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
    assert!(!said.contains("would"), "{said}");
    assert_eq!(ran.stderr, "");
    let again = run(&["repair", "--in-place"], &path);
    assert!(again.stdout.contains("NOTHING TO REPAIR"), "{}", again.stdout);
    assert_eq!(again.code, Some(0));
}

/// `check --fix` does in place what `repair --in-place` does, and says the same of it.
#[test]
fn check_fix_is_repair_in_place() {
    let samples = [
        "damaged/aof-ok.aof",
        "damaged/aof-trunc-midcmd.aof",
        "damaged/aof-trunc-in-multi.aof",
        "damaged/aof-zerofill-tail.aof",
        "damaged/aof-unknown-cmd.aof",
        "damaged/mp-trunc-incr",
        "damaged/mp-trunc-notlast",
        "damaged/mp-missing-incr",
    ];
    for sample in samples {
        for more in [&[][..], &["--dry-run"], &["--accept-loss"], &["--json"]] {
            let of = |verb: &[&str]| {
                let (dir, path) = copy_of(sample);
                let ran = run(&[verb, more].concat(), &path);
                let here = dir.path().display().to_string();
                let left = if path.is_dir() { names(&path) } else { names(dir.path()) };
                (ran.code, ran.stdout.replace(&here, "DIR"), ran.stderr, left)
            };
            let want = of(&["repair", "--in-place"]);
            assert_eq!(of(&["check", "--fix"]), want, "{sample} {more:?}");
            assert_eq!(of(&["aof", "check", "--fix"]), want, "{sample} {more:?}");
        }
    }
    let (dir, path) = copy_of("damaged/aof-trunc-midcmd.aof");
    let old = fs::read(&path).unwrap();
    let ran = run(&["check", "--fix", "--backup"], &path);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(fs::read(&path).unwrap() == old[..3618]);
    let tail = fs::read(dir.path().join("aof-trunc-midcmd.aof.tail-3618")).unwrap();
    assert!(tail == old[3618..]);
    assert!(names(dir.path()).iter().any(|name| name.contains(".bak-")));
    // One file that cannot be repaired does not keep another from it.
    let (_dir, second) = copy_of("damaged/aof-trunc-midcmd.aof");
    let ran = run(&["check", "--fix", "/no/such/file"], &second);
    assert_eq!((ran.code, fs::metadata(&second).unwrap().len()), (Some(2), 3618), "{ran:?}");
}

#[test]
fn a_repair_to_a_time() {
    let sample = "aof/redis-7.0.15-timestamps/appendonlydir";
    let incr = "appendonly.aof.1.incr.aof";
    let bytes = fs::read(testdata(sample).join(incr)).unwrap();
    let starts = bytes.windows(4).enumerate().filter(|(_, four)| *four == b"#TS:");
    let starts: Vec<_> = starts.map(|(at, _)| at).collect();
    assert!(starts.len() > 3);
    let at = starts[starts.len() / 2];
    let digits = bytes[at + 4..].iter().take_while(|byte| byte.is_ascii_digit());
    let seconds = digits.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    for args in [["repair", "--in-place"], ["check", "--fix"]] {
        let (_dir, folder) = copy_of(sample);
        let until = format!("--truncate-to-timestamp={}", seconds - 1);
        let ran = run(&[args[0], args[1], &until], &folder);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        // This one begins outside of any transaction.
        assert!(fs::read(folder.join(incr)).unwrap() == bytes[..at], "{}", ran.stdout);
        let again = run(&[args[0], args[1], &until], &folder);
        assert_eq!(again.code, Some(0), "{again:?}");
    }
}

/// What no cut helps against is told, file by file, and is not called repaired.
#[test]
fn what_no_cut_helps_against() {
    let (_dir, path) = copy_of("damaged/aof-nested-multi.aof");
    let before = fs::read(&path).unwrap();
    let ran = run(&["check", "--fix"], &path);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains(": NOT REPAIRED — "), "{}", ran.stdout);
    assert!(ran.stdout.contains("error aof-multi-nested at 0x756 (1878)"), "{}", ran.stdout);
    assert!(fs::read(&path).unwrap() == before);
    let json = &run(&["check", "--fix", "--json"], &path).json()[0];
    assert_eq!(json["outcome"], "unrepaired");
}

/// Everything is lost only on request, the keys of a preamble told.
#[test]
fn nothing_is_left_only_on_request() {
    let whole = fs::read(testdata("aof/redis-4.0.14-preamble/appendonly.aof")).unwrap();
    let dir = tempfile::Builder::new().prefix("repair").tempdir().unwrap();
    let cases: [(&str, &[u8], &str); 4] = [
        ("no-command.aof", b"*3\r\n$3\r\nSET\r\n$1", "no whole command"),
        (
            "open.aof",
            b"*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n",
            "2 commands on 1 key",
        ),
        ("nuls.aof", &[0; 4096], "only NULs"),
        ("preamble.aof", &whole[..4000], "keys of the RDB part and no whole command"),
    ];
    for (name, bytes, lost) in cases {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        let refused = run(&["check", "--fix"], &path);
        assert_eq!(refused.code, Some(2), "{name}: {refused:?}");
        assert!(refused.stdout.contains("nothing would be left of it"), "{}", refused.stdout);
        assert!(refused.stdout.contains(lost), "{}", refused.stdout);
        assert!(fs::read(&path).unwrap() == bytes, "{name}");
        let done = run(&["check", "--fix", "--accept-loss"], &path);
        assert!(matches!(done.code, Some(0 | 1)), "{name}: {done:?}");
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
        let tail = fs::read(dir.path().join(format!("{name}.tail-0"))).unwrap();
        assert!(tail == bytes, "{name}");
    }
}

#[test]
fn what_is_said_to_programs() {
    let (dir, path) = copy_of("damaged/mp-trunc-notlast");
    let ran = run(&["repair", "--in-place", "--json"], &path);
    let json = &ran.json()[0];
    assert_eq!((ran.code, json["outcome"].as_str()), (Some(2), Some("refused")));
    assert_eq!(json["refusals"][0]["allowed_by"], "--accept-loss");
    let ran = run(&["repair", "--in-place", "--json", "--accept-loss"], &path);
    let json = &ran.json()[0];
    assert_eq!(json["outcome"], "repaired");
    let fates: Vec<_> =
        json["parts"].as_array().unwrap().iter().map(|p| p["fate"].clone()).collect();
    assert_eq!(fates, ["stays", "cut", "left-out"]);
    assert!(json["lost"]["commands"].as_u64() > Some(0));
    let written = json["written"].as_array().unwrap();
    assert!(written.iter().all(|name| Path::new(name.as_str().unwrap()).starts_with(dir.path())));
    assert_eq!(written.len(), 2);
}

#[test]
fn a_copy_and_a_backup() {
    let (dir, path) = copy_of("damaged/aof-trunc-midcmd.aof");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let old = fs::read(&path).unwrap();
    let out = dir.path().join("fixed.aof");
    let ran = run(&["repair", "-o", out.to_str().unwrap()], &path);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(fs::read(&path).unwrap() == old);
    assert_eq!(fs::read(&out).unwrap(), old[..3618]);
    let same = run(&["repair", "-o", path.to_str().unwrap()], &path);
    assert_eq!(same.code, Some(2));
    assert!(same.stderr.contains("input"), "{}", same.stderr);
    run(&["repair", "--in-place", "--backup"], &path);
    let there = names(dir.path());
    assert_eq!(there.len(), 4, "{there:?}");
    let backup = there.iter().find(|name| name.contains(".bak-")).unwrap();
    assert!(fs::read(dir.path().join(backup)).unwrap() == old);
    for name in there.iter().filter(|name| *name != "fixed.aof") {
        let mode = fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o640, "{name}");
    }
}

#[test]
fn a_part_stands_for_its_aof_and_a_data_folder_for_what_is_in_it() {
    let (dir, folder) = copy_of("damaged/mp-trunc-notlast");
    // The second part is damaged, the third one named: cutting only what is named would do nothing.
    let ran = run(&["repair", "--dry-run"], &folder.join("appendonly.aof.3.incr.aof"));
    assert!(ran.stdout.contains("\n  nothing was changed\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("--keep-later keeps them"), "{}", ran.stdout);
    assert!(ran.stdout.contains("appendonly.aof.manifest: REFUSED"), "{}", ran.stdout);
    let ran = run(&["repair", "--dry-run"], dir.path());
    assert!(ran.stdout.contains("appendonly.aof.manifest: REFUSED"), "{}", ran.stdout);
}

#[test]
fn links_are_followed_only_on_request() {
    let (dir, path) = copy_of("damaged/aof-trunc-midcmd.aof");
    let link = dir.path().join("link.aof");
    symlink(&path, &link).unwrap();
    let ran = run(&["repair", "--in-place"], &link);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("symbolic link"), "{}", ran.stderr);
    assert_eq!(run(&["repair", "--in-place", "--follow"], &link).code, Some(1));
    assert_eq!(fs::metadata(&path).unwrap().len(), 3618);
}

#[test]
fn what_a_killed_run_left_is_told_of() {
    let (dir, path) = copy_of("damaged/aof-ok.aof");
    fs::write(dir.path().join(".rdbtool.0123456789abcdef.tmp"), b"left").unwrap();
    let ran = run(&["repair", "--in-place"], &path);
    assert!(ran.stderr.contains(".rdbtool.0123456789abcdef.tmp was left"), "{}", ran.stderr);
    assert_eq!(names(dir.path()).len(), 2);
}

// Kills and errors from outside.

/// An AOF of some megabytes with as much damaged tail, which takes a while to save.
fn large() -> (Vec<u8>, usize) {
    let mut bytes = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n".to_vec();
    for n in 0..20_000 {
        let (key, value) = (format!("key:{n:06}"), "x".repeat(90));
        bytes.extend(format!("*3\r\n$3\r\nSET\r\n$10\r\n{key}\r\n$90\r\n{value}\r\n").bytes());
    }
    let sound = bytes.len();
    bytes.extend(vec![b'?'; 2 << 20]);
    (bytes, sound)
}

/// Both ways to ask for it, in turn.
fn spawn(path: &Path, round: u64) -> Command {
    let args = if round.is_multiple_of(2) { ["check", "--fix"] } else { ["repair", "--in-place"] };
    let mut command = Command::new(env!("CARGO_BIN_EXE_rdbtool"));
    command.args(args).arg(path);
    command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
    command
}

#[test]
fn killed_at_any_moment_it_leaves_the_whole_file_or_both_parts() {
    let (whole, sound) = large();
    let dir = tempfile::Builder::new().prefix("repair").tempdir().unwrap();
    let path = dir.path().join("a.aof");
    fs::write(&path, &whole).unwrap();
    let since = std::time::Instant::now();
    assert!(spawn(&path, 0).status().unwrap().code() == Some(1));
    let mut killer = Killer::new(5, since.elapsed());
    let (mut old, mut new) = (0, 0);
    for round in 0..kills() {
        for name in names(dir.path()) {
            fs::remove_file(dir.path().join(name)).unwrap();
        }
        fs::write(&path, &whole).unwrap();
        killer.kill(spawn(&path, round).spawn().unwrap());
        let found = fs::read(&path).unwrap();
        if found == whole {
            old += 1;
        } else {
            new += 1;
            let tail = fs::read(dir.path().join(format!("a.aof.tail-{sound}"))).unwrap_or_default();
            assert!(found == whole[..sound] && tail == whole[sound..], "{round}: neither");
        }
    }
    let killed = killer.killed;
    assert!(killed * 2 > kills() && old > 0 && new > 0, "{killed} killed, {old} old, {new} new");
}

/// Every write, fsync, rename and cut fails in turn, in the system and not in a model of it.
#[test]
fn a_failing_system_call_leaves_the_file_as_it_was() {
    if Command::new("strace").arg("-V").output().is_err() {
        let told = "SKIP: no strace, so no system call was made to fail\n";
        let _ = io::stderr().write_all(told.as_bytes());
        return;
    }
    let old = fs::read(testdata("damaged/aof-trunc-midcmd.aof")).unwrap();
    let calls = "openat,pwrite64,fsync,ftruncate,renameat,renameat2,fchmod";
    let mut failed = 0;
    for errno in ["ENOSPC", "EIO"] {
        for call in calls.split(',') {
            for when in 1..=60 {
                let (dir, path) = copy_of("damaged/aof-trunc-midcmd.aof");
                let output = Command::new("strace")
                    .args(["-f", "-o", "/dev/null", "-e"])
                    .arg(format!("inject={call}:error={errno}:when={when}"))
                    .arg(env!("CARGO_BIN_EXE_rdbtool"))
                    .args(["repair", "--in-place"])
                    .arg(&path)
                    .output()
                    .unwrap();
                let left = names(dir.path());
                let found = fs::read(&path).unwrap();
                let context = format!("{call} {when} {errno}: {output:?}\n{left:?}");
                assert!(!left.iter().any(|name| name.starts_with(".rdbtool.")), "{context}");
                match output.status.code() {
                    // Beyond the last such call, or in one that nothing depends on.
                    Some(1) => assert!(found == old[..3618], "{context}"),
                    Some(2) => {
                        failed += 1;
                        let untouched = found == old && left.len() == 1;
                        let cut = found == old[..3618] && left.len() == 2;
                        assert!(untouched || cut, "{context}");
                        let told = String::from_utf8_lossy(&output.stderr);
                        assert!(told.contains("os error") && told.contains("/"), "{context}");
                    }
                    // The loader of programs fails before we begin.
                    Some(127) | Some(101) if call == "openat" => assert!(found == old, "{context}"),
                    _ => panic!("{context}"),
                }
                if output.status.code() == Some(1) && call != "openat" {
                    break;
                }
            }
        }
    }
    assert!(failed > 10, "only {failed} calls failed");
}
