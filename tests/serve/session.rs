//! Commands about connections and the server itself, read-only stores, and waiting.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::servers::Reply;
use crate::{Serve, exchange, request, testdata, text};

/// The program, which is to end by itself at once.
fn refused(args: &[&str]) -> (Option<i32>, String) {
    let program = env!("CARGO_BIN_EXE_rdbtool");
    let output = Command::new(program).arg("serve").args(args).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_file_is_served_and_not_changed() {
    let path = testdata("dump.rdb");
    let before = std::fs::read(&path).unwrap();
    let serve = Serve::dump();
    assert!(serve.said.contains("1,825 keys in 2 dbs"), "{}", serve.said);
    assert!(serve.said.contains("(read-only)"), "{}", serve.said);
    let mut client = serve.client();
    let mut ask = |args: &[&str]| text(client.command(args).unwrap());
    // Keys with a time to live may have gone, so the digest is asked of a still clock below.
    for write in
        [&["SET", "a", "b"][..], &["FLUSHALL"], &["EVAL", "redis.call('set','a','b')", "0"]]
    {
        assert_eq!(ask(write), "READONLY You can't write against a read only replica.");
    }
    assert_eq!(ask(&["CONFIG", "SET", "dir", "/"]).split(' ').next(), Some("ERR"));
    assert_eq!(ask(&["SAVE"]).split(' ').next(), Some("ERR"));
    drop(client);
    serve.signal("-TERM");
    let (status, errors) = serve.ended();
    assert_eq!((status.code(), errors.as_str()), (Some(0), ""));
    assert!(std::fs::read(&path).unwrap() == before);
}

#[test]
fn every_kind_of_file_and_the_clock_stands_still() {
    for name in ["dump.rdb", "aof/redis-7.0.15-timestamps", "damaged/aof-trunc-in-multi.aof"] {
        let path = testdata(name);
        let now = "2026-11-22T14:22:31Z";
        let program = env!("CARGO_BIN_EXE_rdbtool");
        let digest =
            Command::new(program).args(["digest", "--now", now]).arg(&path).output().unwrap();
        let digest = String::from_utf8(digest.stdout).unwrap();
        let serve = Serve::start([path.as_os_str(), OsStr::new("--now"), OsStr::new(now)]);
        let served = serve.client().command(&["DEBUG", "DIGEST"]).unwrap().text();
        assert!(digest.starts_with(&served), "{name}: {digest}{served}");
        serve.signal("-TERM");
        assert_eq!(serve.ended().0.code(), Some(0), "{name}");
    }
}

#[test]
fn passwords() {
    let dump = testdata("dump.rdb");
    let serve = Serve::start([dump.as_os_str(), "--requirepass".as_ref(), "secret".as_ref()]);
    let mut client = serve.client();
    let mut ask = |args: &[&str]| text(client.command(args).unwrap());
    let no_auth = "NOAUTH Authentication required.";
    for args in
        [&["GET", "a"][..], &["PING"], &["INFO"], &["CONFIG", "GET", "*"], &["SHUTDOWN"], &["NONE"]]
    {
        assert_eq!(ask(args), no_auth, "{args:?}");
    }
    let wrong = "WRONGPASS invalid username-password pair or user is disabled.";
    for args in
        [&["AUTH", "secre"][..], &["AUTH", "secret1"], &["AUTH", ""], &["AUTH", "me", "secret"]]
    {
        assert_eq!(ask(args), wrong, "{args:?}");
    }
    assert!(ask(&["HELLO", "3"]).starts_with("NOAUTH HELLO must be called"));
    assert_eq!(ask(&["GET", "a"]), no_auth);
    assert_eq!(ask(&["AUTH", "secret"]), "OK");
    assert_eq!(ask(&["PING"]), "PONG");
    assert_eq!(ask(&["RESET"]), "RESET");
    assert_eq!(ask(&["PING"]), no_auth);
    assert_eq!(ask(&["AUTH", "default", "secret"]), "OK");
    assert_eq!(ask(&["CONFIG", "SET", "requirepass", "other"]), "OK");
    let mut second = serve.client();
    assert_eq!(text(second.command(&["AUTH", "secret"]).unwrap()), wrong);
    let hello =
        second.command(&["HELLO", "2", "AUTH", "default", "other", "SETNAME", "me"]).unwrap();
    assert_eq!(hello.items().len(), 14);
    assert_eq!(text(second.command(&["CLIENT", "GETNAME"]).unwrap()), "me");
    // A stranger cannot make it hold much.
    let answer = exchange(serve.socket(), b"*11\r\n");
    assert_eq!(answer, b"-ERR Protocol error: unauthenticated multibulk length\r\n");
    let answer = exchange(serve.socket(), b"*1\r\n$16385\r\n");
    assert_eq!(answer, b"-ERR Protocol error: unauthenticated bulk length\r\n");
}

#[test]
fn nobody_else_gets_in_unless_that_is_said() {
    let dump = testdata("dump.rdb");
    let dump = dump.to_str().unwrap();
    let (code, err) = refused(&[dump, "--port", "0", "--bind", "0.0.0.0"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("0.0.0.0: other hosts reach this address; --remote allows it"), "{err}");
    let (code, err) = refused(&[dump, "--port", "0", "--bind", "0.0.0.0", "--remote"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("--requirepass gives a password"), "{err}");
    let open = ["--bind", "0.0.0.0", "--remote", "--requirepass", "x"];
    let serve = Serve::start([dump].iter().chain(&open));
    let (code, err) = refused(&[dump, "--port", &serve.address.port().to_string()]);
    assert_eq!(code, Some(2));
    assert!(err.contains("cannot listen there"), "{err}");
    let (code, err) = refused(&["--dir", "/tmp", "--appendfsync", "often"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("appendfsync: often is none of its values"), "{err}");
}

#[test]
fn what_is_there_and_what_is_not() {
    let serve = Serve::dump();
    let mut client = serve.client();
    let mut ask = |args: &[&str]| client.command(args).unwrap();
    let commands = ask(&["COMMAND"]).items();
    assert_eq!(ask(&["COMMAND", "COUNT"]), Reply::Int(commands.len() as i64));
    let get = ask(&["COMMAND", "INFO", "get", "none"]).items();
    let Reply::Array(Some(fields)) = &get[0] else { panic!("{get:?}") };
    assert_eq!((fields[0].text(), fields[1].clone()), ("get".into(), Reply::Int(2)));
    assert_eq!(get[1], Reply::Array(None));
    let names = ask(&["COMMAND", "LIST"]).items();
    for name in ["get", "client", "info", "shutdown", "bgsave"] {
        assert_eq!(names.iter().filter(|known| known.text() == name).count(), 1, "{name}");
    }
    let keys = ask(&["COMMAND", "GETKEYS", "ZUNIONSTORE", "d", "2", "a", "b"]).items();
    assert_eq!(keys.iter().map(Reply::text).collect::<Vec<_>>(), ["d", "a", "b"]);
    assert_eq!(
        text(ask(&["SUBSCRIBE", "x"])),
        "ERR this engine cannot run SUBSCRIBE: messages are not passed on here"
    );
    for missing in ["REPLICAOF", "CLUSTER", "MONITOR", "MODULE", "ACL", "LATENCY", "WAIT"] {
        assert!(text(ask(&[missing, "x"])).starts_with("ERR "), "{missing}");
    }
    assert!(text(ask(&["NOSUCH", "x"])).starts_with("ERR unknown command 'NOSUCH'"));
    let info = text(ask(&["INFO"]));
    for line in ["role:master", "connected_clients:1", &format!("process_id:{}", serve.pid())] {
        assert!(info.contains(&format!("{line}\r\n")), "{line}: {info}");
    }
    assert!(!text(ask(&["INFO", "server"])).contains("# Clients"));
    // What cannot be queued in a transaction spoils it.
    assert_eq!(text(ask(&["MULTI"])), "OK");
    assert_eq!(text(ask(&["CONFIG", "GET", "port"])), "QUEUED");
    assert_eq!(text(ask(&["SAVE"])), "ERR Command not allowed inside a transaction");
    assert_eq!(text(ask(&["EXEC"])), "EXECABORT Transaction discarded because of previous errors.");
}

#[test]
fn clients_know_each_other() {
    let serve = Serve::dump();
    let mut a = serve.client();
    let mut b = serve.client();
    let Reply::Int(id_a) = a.command(&["CLIENT", "ID"]).unwrap() else { panic!() };
    let Reply::Int(id_b) = b.command(&["CLIENT", "ID"]).unwrap() else { panic!() };
    assert_eq!(id_b, id_a + 1);
    assert_eq!(
        text(a.command(&["CLIENT", "SETNAME", "with blank "]).unwrap()).split(' ').next(),
        Some("ERR")
    );
    assert_eq!(text(a.command(&["CLIENT", "SETNAME", "anna"]).unwrap()), "OK");
    a.command(&["CLIENT", "SETINFO", "LIB-NAME", "lib"]).unwrap();
    a.command(&["SELECT", "1"]).unwrap();
    let list = text(b.command(&["CLIENT", "LIST"]).unwrap());
    assert_eq!(list.lines().count(), 2);
    let line = list.lines().next().unwrap();
    for part in [&format!("id={id_a} "), " name=anna ", " db=1 ", " cmd=select ", " lib-name=lib "]
    {
        assert!(line.contains(part), "{part}: {line}");
    }
    let only = text(b.command(&["CLIENT", "LIST", "ID", &id_b.to_string()]).unwrap());
    assert_eq!(only, text(b.command(&["CLIENT", "INFO"]).unwrap()));
    // Silence, then one answer.
    let bytes: Vec<u8> = [
        &["CLIENT", "REPLY", "SKIP"][..],
        &["PING"],
        &["ECHO", "1"],
        &["CLIENT", "REPLY", "OFF"],
        &["ECHO", "2"],
        &["CLIENT", "REPLY", "ON"],
        &["ECHO", "3"],
    ]
    .iter()
    .flat_map(|args| request(args))
    .collect();
    assert_eq!(exchange(serve.socket(), &bytes), b"$1\r\n1\r\n+OK\r\n$1\r\n3\r\n");
    assert_eq!(b.command(&["CLIENT", "KILL", "ID", &id_a.to_string()]).unwrap(), Reply::Int(1));
    assert!(a.command(&["PING"]).is_err());
    assert_eq!(b.command(&["CLIENT", "KILL", "ID", &id_a.to_string()]).unwrap(), Reply::Int(0));
    assert_eq!(text(b.command(&["QUIT"]).unwrap()), "OK");
    assert!(b.command(&["PING"]).is_err());
    // What browsers can be made to send ends the connection before its body is read.
    let answer = exchange(serve.socket(), b"POST / HTTP/1.1\r\nPING\r\nPING\r\n");
    assert!(!answer.windows(4).any(|four| four == b"PONG"));
}

#[test]
fn waiting() {
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::store(folder.path());
    let mut pusher = serve.client();
    let mut push = |args: &[&str]| pusher.command(args).unwrap();
    let (mut first, mut second) = (serve.socket(), serve.socket());
    let wait_for = |count: usize, push: &mut dyn FnMut(&[&str]) -> Reply| {
        let since = Instant::now();
        while !text(push(&["INFO", "clients"])).contains(&format!("blocked_clients:{count}\r\n")) {
            assert!(since.elapsed() < Duration::from_secs(20));
        }
    };
    first.write_all(&request(&["BLPOP", "q", "0"])).unwrap();
    wait_for(1, &mut push);
    second
        .write_all(&[request(&["BRPOP", "none", "q", "0"]), request(&["PING"])].concat())
        .unwrap();
    wait_for(2, &mut push);
    // First come, first served; what the pusher asks for next finds nothing.
    assert_eq!(push(&["RPUSH", "q", "1", "2"]), Reply::Int(2));
    assert_eq!(push(&["EXISTS", "q"]), Reply::Int(0));
    assert_eq!(read(&mut first, 18), b"*2\r\n$1\r\nq\r\n$1\r\n1\r\n");
    assert_eq!(read(&mut second, 25), b"*2\r\n$1\r\nq\r\n$1\r\n2\r\n+PONG\r\n");
    // A time that runs out, after what was asked for.
    let since = Instant::now();
    first.write_all(&request(&["BLPOP", "q", "0.2"])).unwrap();
    assert_eq!(read(&mut first, 5), b"*-1\r\n");
    // Times count from the start of the turn that reads the request, in whole ms.
    assert!(since.elapsed() >= Duration::from_millis(180));
    // A stream from now on.
    push(&["XADD", "s", "1-1", "a", "b"]);
    first.write_all(&request(&["XREAD", "BLOCK", "0", "STREAMS", "s", "$"])).unwrap();
    wait_for(1, &mut push);
    push(&["XADD", "s", "1-2", "c", "d"]);
    let want = b"*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-2\r\n*2\r\n$1\r\nc\r\n$1\r\nd\r\n";
    assert_eq!(read(&mut first, want.len()), want);
    // A key of another type is waited past, and a chain ends where it began.
    first.write_all(&request(&["BLMOVE", "a", "b", "LEFT", "LEFT", "0"])).unwrap();
    wait_for(1, &mut push);
    second.write_all(&request(&["BLPOP", "b", "0"])).unwrap();
    wait_for(2, &mut push);
    push(&["SET", "a", "text"]);
    wait_for(2, &mut push);
    push(&["DEL", "a"]);
    push(&["RPUSH", "a", "x"]);
    wait_for(0, &mut push);
    assert_eq!(read(&mut first, 7), b"$1\r\nx\r\n");
    assert_eq!(read(&mut second, 18), b"*2\r\n$1\r\nb\r\n$1\r\nx\r\n");
    // Who goes away waits no more, and gets nothing.
    first.write_all(&request(&["BLPOP", "q", "0"])).unwrap();
    wait_for(1, &mut push);
    drop(first);
    wait_for(0, &mut push);
    push(&["RPUSH", "q", "kept"]);
    assert_eq!(push(&["LLEN", "q"]), Reply::Int(1));
}

/// So many bytes of answers.
fn read(socket: &mut TcpStream, len: usize) -> Vec<u8> {
    let mut answer = vec![0; len];
    socket.read_exact(&mut answer).unwrap();
    answer
}

#[test]
fn watched_keys() {
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::store(folder.path());
    let (mut a, mut b) = (serve.client(), serve.client());
    let mut ask = |args: &[&str]| a.command(args).unwrap();
    ask(&["WATCH", "k"]);
    ask(&["MULTI"]);
    ask(&["SET", "k", "1"]);
    b.command(&["SET", "k", "2"]).unwrap();
    assert_eq!(ask(&["EXEC"]), Reply::Array(None));
    assert_eq!(text(ask(&["GET", "k"])), "2");
}
