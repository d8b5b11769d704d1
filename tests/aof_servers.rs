//! What real servers make of damaged AOFs, against what `check --target` says of them: whether they load
//! the file, what is left of it, and what becomes of the writes that follow at the start after that.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, missing_docs)]

#[path = "support/resp.rs"]
mod resp;
#[path = "support/servers.rs"]
mod servers;

use std::io::Cursor;

use rdbtool::aof::settings::Settings;
use rdbtool::finding::Code;
use rdbtool::input::detect::FileKind;
use rdbtool::input::source::{Input, Source};
use rdbtool::job::check_aof::{Options, Report, check_aof};
use rdbtool::job::target::Target;
use rdbtool::job::target_aof::judge_aof;
use rdbtool::rdb::versions::{RELEASES, Release};
use resp::command;
use servers::{Family, Server, ServerBinary, Setup};

fn check(bytes: &[u8]) -> Report {
    let kind = FileKind::of(&bytes[..bytes.len().min(16)]);
    let reader = Box::new(Cursor::new(bytes.to_vec()));
    let source = Source { reader, kind, compression: None, size: Some(bytes.len() as u64) };
    check_aof(source, &Input::Stdin, &Options::default()).unwrap()
}

/// The release line that a server belongs to.
fn release(server: &ServerBinary) -> &'static Release {
    let family = if server.family == Family::Valkey { "valkey" } else { "redis" };
    let name = format!("{family}-{}.{}", server.version.0, server.version.1);
    RELEASES.iter().find(|release| release.name == name).unwrap()
}

const PART: &str = "appendonlydir/appendonly.aof.1.incr.aof";

/// A server whose AOF this is.
fn setup(server: &ServerBinary, aof: &[u8]) -> Setup {
    let setup = Setup::default().line("appendonly yes").line("save \"\"");
    let files = if server.family == Family::Valkey || server.version >= (7, 0, 0) {
        let manifest = b"file appendonly.aof.1.incr.aof seq 1 type i\n".to_vec();
        vec![
            (PART.into(), aof.to_vec()),
            ("appendonlydir/appendonly.aof.manifest".into(), manifest),
        ]
    } else {
        vec![("appendonly.aof".into(), aof.to_vec())]
    };
    Setup { files, ..setup }
}

/// What became of a file.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Refused,
    /// It was loaded, but the start after that is refused.
    RefusedNext,
    /// It was loaded with so many keys; what was written then is lost at the next start.
    LosesLater(u64),
    /// It was loaded with so many keys.
    Keeps(u64),
}

fn lives_through(server: &'static ServerBinary, aof: &[u8]) -> Outcome {
    let Ok(mut first) = Server::start(server, &setup(server, aof)) else { return Outcome::Refused };
    let keys = first.dbsize();
    first.command(&["SET", "later", "1"]);
    let files = first.shut_down().unwrap().into_iter();
    let files: Vec<_> = files.filter(|(name, _)| name.starts_with("appendonly")).collect();
    assert!(!files.is_empty(), "{} left no AOF", server.name);
    let again = Setup { files, ..setup(server, b"") };
    let Ok(mut second) = Server::start(server, &again) else { return Outcome::RefusedNext };
    match second.command(&["EXISTS", "later"]) {
        servers::Reply::Int(1) => Outcome::Keeps(keys),
        _ => Outcome::LosesLater(keys),
    }
}

fn foretold(target: &Target, keys: u64) -> Outcome {
    let says = |text: &str| target.doubts.iter().any(|doubt| doubt.contains(text));
    match () {
        () if !target.loads() => Outcome::Refused,
        () if says("the start after that is refused") => Outcome::RefusedNext,
        () if says("is lost then") => Outcome::LosesLater(keys),
        () => Outcome::Keeps(keys),
    }
}

/// What is behind `SELECT 0` and one key, and how many keys there are if it is loaded.
fn cases() -> Vec<(&'static str, Vec<u8>, u64)> {
    let set = |key: &str| command(&["SET", key, "v"]);
    let (multi, exec) = (command(&["MULTI"]), command(&["EXEC"]));
    let all = |parts: &[&[u8]]| parts.concat();
    let cut = |bytes: Vec<u8>, by: usize| bytes[..bytes.len() - by].to_vec();
    let quad = b"*3\r\n$3\r\nSET\r\n$4\r".as_slice();
    vec![
        ("nothing", Vec::new(), 1),
        ("one more", set("b"), 2),
        ("cut by its last byte", cut(set("b"), 1), 1),
        ("cut by its last two", cut(set("b"), 2), 1),
        ("cut inside a name", cut(set("b"), 20), 1),
        ("a star", b"*".to_vec(), 1),
        ("a count", b"*3".to_vec(), 1),
        ("a count and CR", b"*3\r".to_vec(), 1),
        ("many arguments to come", b"*1000000\r\n$1\r\na\r\n".to_vec(), 1),
        ("a transaction", all(&[&multi, &set("b"), &exec]), 2),
        ("an open transaction", all(&[&multi, &set("b")]), 1),
        ("a torn transaction", all(&[&multi, &set("b"), &cut(set("c"), 4)]), 1),
        ("a torn EXEC", all(&[&multi, &set("b"), &cut(exec.clone(), 4)]), 1),
        (
            "another run inside a transaction",
            all(&[&multi, &set("b"), &command(&["SELECT", "0"]), &set("c")]),
            1,
        ),
        ("a nested MULTI", all(&[&multi, &set("b"), &multi, &set("c"), &exec, &set("d")]), 4),
        ("EXEC alone", all(&[&exec, &set("b")]), 2),
        ("one NUL", vec![0], 1),
        ("a page of NULs", vec![0; 4096], 1),
        ("a length and few NULs", all(&[quad, &[0; 12]]), 1),
        ("a length and a line of NULs", all(&[quad, &[0; 120]]), 1),
        ("a length and many NULs", all(&[quad, &[0; 2000]]), 1),
        ("NUL for the last byte", all(&[&cut(set("b"), 1), &[0]]), 2),
        ("NULs for the last two", all(&[&cut(set("b"), 2), &[0, 0]]), 2),
        ("NULs for the last three", all(&[&cut(set("b"), 3), &[0; 3]]), 2),
        ("NULs for the last twenty", all(&[&cut(set("b"), 20), &[0; 20]]), 1),
        ("a star and NULs", all(&[b"*", &[0; 100]]), 1),
        ("a star and a line of NULs", all(&[b"*", &[0; 1022]]), 1),
        ("a mark and NULs", all(&[b"#", &[0; 254]]), 1),
        ("a hole", all(&[&[0; 512], &set("b")]), 1),
        ("garbage", all(&[b"\x01\x02\r\n", &set("b")]), 1),
        ("a blank line", all(&[b"\r\n", &set("b")]), 1),
        ("no arguments", all(&[b"*0\r\n", &set("b")]), 1),
        ("minus one arguments", all(&[b"*-1\r\n", &set("b")]), 1),
        ("LF alone", all(&[b"*3\n$3\nSET\r\n$1\nb\r\n$1\nv\r\n", &set("c")]), 3),
        ("loose numbers", all(&[b"*+3\r\n$03\r\nSET\r\n$1 x\r\nb\r\n$ 1\r\nv\r\n", &set("c")]), 3),
        ("no CRLF behind an argument", all(&[&cut(set("b"), 2), b"xx", &set("c")]), 3),
        ("NULs behind an argument", all(&[&cut(set("b"), 2), &[0, 0], &set("c")]), 3),
        ("a NUL for LF behind an argument", all(&[&cut(set("b"), 1), &[0], &set("c")]), 3),
        (
            "NULs behind numbers",
            all(&[b"*3\0\r\n$3\0\nSET\r\n$1\0\0\r\nb\r\n$1\r\nv\r\n", &set("c")]),
            3,
        ),
        ("no digit in a length", all(&[b"*3\r\n$3\r\nSET\r\n$x\r\n\r\n$\r\n\r\n", &set("c")]), 3),
        ("no digit in a count", all(&[b"*x\r\n", &set("c")]), 1),
        ("a NUL for a LF", all(&[b"*3\r\n$3\r\nSET\r\n$1\r\0b\r\n$1\r\nv\r\n", &set("c")]), 1),
        (
            "another byte for a LF",
            all(&[b"*3\rx$3\r\nSET\r\n$1\r\nb\r\n$1\r\nv\r\n", &set("c")]),
            1,
        ),
        ("NULs in an annotation", all(&[b"#TS:17\0\0\r\n", &set("b")]), 2),
        ("a command about the server", all(&[&command(&["CONFIG", "GET", "*"]), &set("b")]), 2),
        ("a command that logs in", all(&[&command(&["AUTH", "x"]), &set("b")]), 2),
        ("an unknown command", all(&[&command(&["HQET", "h", "f"]), &set("b")]), 1),
        ("a database out of range", all(&[&command(&["SELECT", "99"]), &set("b")]), 2),
        ("no database", all(&[&command(&["SELECT", "x"]), &set("b")]), 2),
        ("a timestamp", all(&[b"#TS:1700000000\r\n", &set("b")]), 2),
        ("a cut timestamp", b"#TS:17000".to_vec(), 1),
        ("a long annotation", all(&[b"#", &[b'x'; 1100], b"\r\n", &set("b")]), 1),
        ("a wrong number of arguments", all(&[&command(&["GET", "a", "b"]), &set("b")]), 2),
        ("a command of 7.0", all(&[&command(&["FUNCTION", "FLUSH"]), &set("b")]), 2),
    ]
}

/// The rows of COMMAND, subcommands in the place of their containers: full names and numbers of arguments.
fn rows(reply: servers::Reply, found: &mut Vec<(String, usize)>) {
    for row in reply.items() {
        let mut fields = row.items().into_iter();
        let (Some(name), Some(servers::Reply::Int(arity))) = (fields.next(), fields.next()) else {
            panic!("a row without its name");
        };
        let before = found.len();
        rows(fields.nth(7).unwrap(), found);
        if found.len() == before {
            found.push((name.text(), arity.unsigned_abs() as usize));
        }
    }
}

/// Whatever command a server has, a log with it is loaded, and `check` says so; but for those that it
/// calls stray. (Only such as stay on this machine are tried.)
#[test]
fn a_log_may_have_any_command() {
    let Some(binary) = servers::named("redis-7.0.15") else { return };
    let mut commands = Vec::new();
    let mut server = Server::start(binary, &Setup::default()).unwrap();
    rows(server.command(&["COMMAND"]), &mut commands);
    drop(server);
    assert!(commands.len() > 300, "{} commands", commands.len());
    let log = |args: &[&str]| {
        let set = |key: &str| command(&["SET", key, "v"]);
        [command(&["SELECT", "0"]), set("a"), command(args), set("z")].concat()
    };
    let codes = |aof: &[u8]| -> Vec<Code> {
        check(aof).findings.iter().map(|finding| finding.code).collect()
    };
    let mut stray = Vec::new();
    for (name, argc) in &commands {
        let mut args: Vec<&str> = name.split('|').collect();
        args.resize(args.len().max(*argc), "1");
        let aof = log(&args);
        let codes = codes(&aof);
        let bad = [Code::AofUnknownCommand, Code::AofModuleCommand, Code::AofArity];
        assert!(!codes.iter().any(|code| bad.contains(code)), "{name}: {codes:?}");
        if codes.contains(&Code::AofStrayCommand) {
            stray.push(name.as_str());
            continue;
        }
        let loaded = Server::start(binary, &setup(binary, &aof));
        assert!(loaded.is_ok(), "{name} is more than {} loads", binary.name);
    }
    stray.sort_unstable();
    let want = ["migrate", "psync", "replicaof", "reset", "shutdown", "slaveof", "sync", "wait"];
    assert_eq!(stray, want);
    for args in [&["PSYNC", "?", "-1"][..], &["WAIT", "1", "1"], &["SHUTDOWN", "NOW"]] {
        assert!(Server::start(binary, &setup(binary, &log(args))).is_err(), "{args:?}");
    }
}

#[test]
fn servers_do_as_foretold() {
    let start = [command(&["SELECT", "0"]), command(&["SET", "a", "v"])].concat();
    let settings = Settings { append_only: true, ..Settings::default() };
    let mut wrong = Vec::new();
    for server in servers::all() {
        for (name, end, keys) in cases() {
            let aof = [start.as_slice(), &end].concat();
            let target = judge_aof(&check(&aof), release(server), &settings, true);
            let (want, got) = (foretold(&target, keys), lives_through(server, &aof));
            if want != got {
                wrong.push(format!(
                    "{} and {name}: {got:?}, foretold {want:?}: {target:?}",
                    server.name
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
