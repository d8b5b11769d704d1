//! `rdbtool aof log` on AOFs that servers wrote, on hostile ones, and on ones that grow while it reads.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, dead_code)]

#[path = "support/program.rs"]
mod program;
#[path = "support/resp.rs"]
mod resp;

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use program::{rdbtool, rdbtool_reading, testdata};
use resp::command;
use serde_json::Value;

const FOLDERS: [&str; 5] = [
    "aof/redis-2.4.18-plain",
    "aof/redis-4.0.14-preamble",
    "aof/redis-7.0.15-preamble",
    "aof/redis-7.0.15-timestamps",
    "aof/valkey-9.1.2-preamble",
];

/// Bytes of a JSON value.
fn bytes(value: &Value) -> Vec<u8> {
    match value.as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => STANDARD.decode(value["base64"].as_str().unwrap()).unwrap(),
    }
}

fn resp(args: &[Vec<u8>]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        out.extend(format!("${}\r\n", arg.len()).into_bytes());
        out.extend(arg);
        out.extend(b"\r\n");
    }
    out
}

/// Preamble, annotations and commands are the file, byte for byte, in its order.
#[test]
fn a_log_is_all_of_the_file() {
    for folder in FOLDERS {
        let ran = rdbtool(["aof", "log", "--json", &testdata(folder).to_string_lossy()]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{folder}");
        let (mut commands, mut at, mut file) = (0, 0, Vec::new());
        let mut name = String::new();
        for event in ran.json() {
            if event["file"] != name.as_str() {
                assert_eq!(at, file.len(), "{name}");
                name = event["file"].as_str().unwrap().to_owned();
                file = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(&name)).unwrap();
                at = 0;
            }
            let offset = event["offset"].as_u64().unwrap() as usize;
            let end = offset + event["len"].as_u64().unwrap() as usize;
            let between = &file[at..offset];
            assert!(between.is_empty() || between.starts_with(b"#TS:"), "{name} at {at}");
            at = end;
            if event["event"] == "preamble" {
                assert!(file.starts_with(b"REDIS") || file.starts_with(b"VALKEY"));
                continue;
            }
            let args: Vec<_> = event["args"].as_array().unwrap().iter().map(bytes).collect();
            assert_eq!(resp(&args), &file[offset..end], "{name} at {offset}");
            commands += 1;
        }
        assert_eq!(at, file.len(), "{name}");
        assert!(commands > 1000, "{folder}: {commands}");
    }
}

#[test]
fn one_line_a_command() {
    for folder in FOLDERS {
        let path = testdata(folder).to_string_lossy().into_owned();
        let text = rdbtool(["aof", "log", &path]).stdout;
        let json = rdbtool(["aof", "log", "--json", &path]).json();
        let lines = text.lines().filter(|line| !line.ends_with(':')).count();
        assert_eq!(lines, json.len(), "{folder}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{folder}");
    }
    let ran = rdbtool(["aof", "log", "--from", "0x8a60", &testdata(TIMES).to_string_lossy()]);
    let first = ran.stdout.lines().next().unwrap();
    assert_eq!(first.split_whitespace().nth(2), Some("2026-11-22T14:22:33Z"), "{first}");
}

const TIMES: &str = "aof/redis-7.0.15-timestamps/appendonlydir/appendonly.aof.1.incr.aof";

#[test]
fn from_to_and_filters() {
    let path = testdata(TIMES).to_string_lossy().into_owned();
    let log = |args: &[&str]| {
        let ran = rdbtool(["aof", "log", "--json", &path].iter().chain(args));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.json()
    };
    let all = log(&[]);
    let expect = |args: &[&str], keep: &dyn Fn(&Value) -> bool| {
        let want: Vec<_> = all.iter().filter(|event| keep(event)).cloned().collect();
        assert!(!want.is_empty() && want.len() < all.len(), "{args:?}");
        assert_eq!(log(args), want, "{args:?}");
    };
    // Its first commands are of the second that the base was written in, and have no time of their own.
    let time = |event: &Value| event["time"].as_i64().unwrap_or(0);
    assert_eq!((time(&all[0]), time(&all[20])), (0, 1_795_357_352));
    let (from, to) = (1_795_357_353, 1_795_357_356);
    let span = |event: &Value| (from..to).contains(&time(event));
    expect(&["--from", &format!("@{from}"), "--to", &format!("@{to}")], &span);
    expect(&["--from", "2026-11-22T14:22:33Z", "--to", "2026-11-22T15:22:36+01:00"], &span);
    let offsets = |event: &Value| (1314..5000).contains(&event["offset"].as_u64().unwrap());
    expect(&["--from", "1314", "--to", "5000"], &offsets);
    expect(&["--db", "1"], &|event| event["db"] == 1);
    let name = |event: &Value| event["args"][0].as_str().unwrap().to_ascii_lowercase();
    expect(&["--command", "z*"], &|event| name(event).starts_with('z'));
    expect(&["--command", "exec", "-c", "MULTI"], &|e| matches!(&*name(e), "exec" | "multi"));
    expect(&["--command", "set", "--key", "s1?"], &|event| {
        let key = event["args"][1].as_str().unwrap_or("").to_owned();
        name(event) == "set" && key.len() == 3 && key.starts_with("s1")
    });
    // Of both files together all are known.
    let folder = testdata(FOLDERS[3]).to_string_lossy().into_owned();
    let ran = rdbtool(["aof", "log", "--json", "--to", "@1795357352", &folder]);
    assert_eq!(ran.json().len(), all.iter().filter(|event| time(event) == 0).count());
    assert!(ran.json().iter().all(|event| event["time"] == 1_795_357_351));
    // Without timestamps there is no time to go by.
    let plain = testdata("aof/redis-2.4.18-plain/appendonly.aof");
    let ran = rdbtool(["aof", "log", "--from", "@5", &plain.to_string_lossy()]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""));
    assert!(ran.stderr.contains("no timestamps"), "{}", ran.stderr);
    let ran = rdbtool(["aof", "log", "--from", "7", &folder]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
}

#[test]
fn hostile_bytes_do_not_reach_a_terminal() {
    let evil = "\x1b]0;pwned\x07\r\n\u{202e}0  db0  -  FLUSHALL\u{9b}2J";
    let file = [
        command(&[evil, evil, "v"]),
        command(&["SET", evil, evil]),
        command(&["JSON.SET", evil, ""]),
        b"#TS:9223372036854775807\r\n".to_vec(),
        command(&["SET", "k", &"x".repeat(100_000)]),
        command(&["RPUSH", "k"].into_iter().chain(["v"; 500]).collect::<Vec<_>>()),
        b"*3\r\n$3\r\nSET\r\n$\x1b[31m".to_vec(),
    ]
    .concat();
    for args in [&["aof", "log", "-"][..], &["aof", "log", "--full", "-"], &["aof", "inspect", "-"]]
    {
        let ran = rdbtool_reading(args, &file);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""), "{args:?}");
        let bad = ran.stdout.chars().find(|c| *c != '\n' && (c.is_control() || *c == '\u{202e}'));
        assert_eq!(bad, None, "{args:?}");
        let forged = ran.stdout.lines().find(|line| line.starts_with("0  db0"));
        assert_eq!(forged, None, "{args:?}");
    }
    let ran = rdbtool_reading(&["aof", "log", "-"], &file);
    assert_eq!(ran.stdout.lines().count(), 6, "{}", ran.stdout);
    assert!(ran.stdout.lines().all(|line| line.len() < 2500));
    assert!(ran.stdout.contains("(478 more arguments)"), "{}", ran.stdout);
    let ran = rdbtool_reading(&["aof", "log", "--json", "-"], &file);
    let json = ran.json();
    assert_eq!(json[0]["args"][1], evil);
    assert_eq!(json[5]["event"], "damage");
    assert!(ran.stdout.chars().all(|c| c == '\n' || !c.is_control()));
}

#[test]
fn damage_ends_a_file_but_not_the_log() {
    let cases: &[(&str, i32, &str)] = &[
        ("damaged/aof-garbage-mid.aof", 1, "reading stops here: aof-format"),
        ("damaged/aof-trunc-in-multi.aof", 1, "reading stops here: aof-truncated"),
        ("damaged/rdb-dump-as-aofpreamble-trunc.aof", 1, "reading stops here: aof-truncated"),
        ("damaged/mp-missing-incr", 1, "error: cannot open"),
        ("damaged/mp-base-badcrc", 0, "db0"),
    ];
    for (name, code, told) in cases {
        let ran = rdbtool(["aof", "log", &testdata(name).to_string_lossy()]);
        assert_eq!(ran.code, Some(*code), "{name}: {}", ran.stderr);
        assert!(ran.stdout.contains(told), "{name}: {}", ran.stdout);
    }
    // Damage in one of several files: those behind it are logged all the same.
    let ran = rdbtool(["aof", "log", &testdata("damaged/mp-trunc-notlast").to_string_lossy()]);
    let (_, behind) = ran.stdout.split_once("damaged:").unwrap();
    assert!(behind.lines().filter(|line| line.contains(" db0 ")).count() > 0, "{behind}");
    let ran = rdbtool(["aof", "log", &testdata("damaged/mp-missing-manifest").to_string_lossy()]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
    // An RDB beside AOFs is none.
    let folder = tempfile::tempdir().unwrap();
    fs::copy(testdata("dump.rdb"), folder.path().join("dump.rdb")).unwrap();
    fs::write(folder.path().join("appendonly.aof"), command(&["SET", "k", "v"])).unwrap();
    let ran = rdbtool(["aof", "log", "--json", &folder.path().to_string_lossy()]);
    assert_eq!((ran.code, ran.json().len()), (Some(0), 1), "{}", ran.stdout);
}

#[test]
fn into_a_file_and_into_a_closed_pipe() {
    let path = testdata(TIMES);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("log.txt");
    let (path, out_arg) = (path.to_string_lossy(), out.to_string_lossy());
    let ran = rdbtool(["aof", "log", "-o", &out_arg, &path]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""));
    assert_eq!(fs::read_to_string(&out).unwrap(), rdbtool(["aof", "log", &path]).stdout);
    for args in [&["aof", "log"][..], &["aof", "log", "--json"], &["aof", "log", "--follow"]] {
        let mut child = spawn(args, Path::new(&*path));
        drop(child.0.stdout.take());
        let status = child.0.wait().unwrap();
        assert!(status.success(), "{args:?}");
        let mut stderr = String::new();
        use std::io::Read;
        child.0.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(stderr, "", "{args:?}");
    }
}

/// A program that does not outlive the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spawn(args: &[&str], path: &Path) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rdbtool"));
    command.args(args).arg(path).stdin(Stdio::null());
    Running(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// What a program that follows a file says, as it says it.
struct Following {
    _program: Running,
    lines: Receiver<String>,
}

impl Following {
    fn start(path: &Path) -> Following {
        let mut program = spawn(&["aof", "log", "--follow"], path);
        let stdout = BufReader::new(program.0.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines() {
                let Ok(()) = send.send(line.unwrap()) else { return };
            }
        });
        Following { _program: program, lines }
    }

    /// The next line, without offset, db and time if it is a command.
    fn next(&self) -> String {
        let line = self.lines.recv_timeout(Duration::from_secs(60)).expect("a line");
        line.split_once(" -  ").map_or(line.clone(), |(_, command)| command.to_owned())
    }

    fn is_quiet(&self) -> bool {
        self.lines.recv_timeout(Duration::from_millis(700)).is_err()
    }
}

fn append(path: &Path, bytes: &[u8]) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn a_file_that_grows_is_cut_and_is_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("appendonly.aof");
    fs::write(&path, command(&["SET", "a", "1"])).unwrap();
    let log = Following::start(&path);
    assert_eq!(log.next(), "SET a 1");
    // Byte by byte, and a command is told only when it is whole.
    let whole = command(&["SET", "b", "2"]);
    for byte in &whole[..whole.len() - 1] {
        append(&path, &[*byte]);
    }
    assert!(log.is_quiet());
    append(&path, b"\n");
    assert_eq!(log.next(), "SET b 2");
    append(&path, &[command(&["MULTI"]), command(&["INCR", "c"]), command(&["EXEC"])].concat());
    assert_eq!([log.next(), log.next(), log.next()], ["MULTI", "  INCR c", "EXEC"]);
    // A crash, and a start that cuts what is no whole command.
    let size = fs::metadata(&path).unwrap().len();
    append(&path, b"*3\r\n$3\r\nSE");
    assert!(log.is_quiet());
    OpenOptions::new().write(true).open(&path).unwrap().set_len(size).unwrap();
    let told = log.next();
    assert!(told.contains("cut:") && told.trim_start().starts_with(&size.to_string()), "{told}");
    append(&path, &command(&["SET", "d", "4"]));
    assert_eq!(log.next(), "SET d 4");
    // A rewrite, as servers before 7.0 do it: what is written to the old file until then is told.
    let new = folder.path().join("temp-rewriteaof-1.aof");
    let rdb = fs::read(testdata("made/type-04-hash.rdb")).unwrap();
    fs::write(&new, [rdb, command(&["SET", "a", "1"])].concat()).unwrap();
    append(&path, &command(&["SET", "e", "5"]));
    fs::rename(&new, &path).unwrap();
    append(&path, &command(&["SET", "f", "6"]));
    assert_eq!(log.next(), "SET e 5");
    assert!(log.next().contains("replaced:"));
    assert!(log.next().contains("preamble:"));
    assert_eq!([log.next(), log.next()], ["SET a 1", "SET f 6"]);
}

#[test]
fn a_rewrite_goes_on_with_another_incr_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| -> PathBuf { folder.path().join(name) };
    let manifest = |text: &str| {
        fs::write(at("temp-a.manifest"), text).unwrap();
        fs::rename(at("temp-a.manifest"), at("a.manifest")).unwrap();
    };
    fs::copy(testdata("made/type-04-hash.rdb"), at("a.1.base.rdb")).unwrap();
    fs::write(at("a.1.incr.aof"), command(&["SET", "a", "1"])).unwrap();
    manifest("file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i\n");
    let log = Following::start(&at("a.manifest"));
    assert!(log.next().ends_with("a.1.base.rdb:"));
    assert!(log.next().contains("preamble:"));
    assert!(log.next().ends_with("a.1.incr.aof:"));
    assert_eq!(log.next(), "SET a 1");
    assert!(log.is_quiet());
    // The server opens the next file first, and is done with the base later.
    fs::write(at("a.2.incr.aof"), b"").unwrap();
    append(&at("a.1.incr.aof"), &command(&["SET", "b", "2"]));
    manifest(
        "file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i\n\
         file a.2.incr.aof seq 2 type i\n",
    );
    append(&at("a.2.incr.aof"), &command(&["SET", "c", "3"]));
    assert_eq!(log.next(), "SET b 2");
    assert!(log.next().ends_with("a.2.incr.aof:"));
    assert_eq!(log.next(), "SET c 3");
    fs::copy(testdata("made/type-04-hash.rdb"), at("a.2.base.rdb")).unwrap();
    manifest("file a.2.base.rdb seq 2 type b\nfile a.2.incr.aof seq 2 type i\n");
    fs::remove_file(at("a.1.incr.aof")).unwrap();
    append(&at("a.2.incr.aof"), &command(&["SET", "d", "4"]));
    assert_eq!(log.next(), "SET d 4");
    assert!(log.is_quiet());
}
