//! What ends a wait, what those who waited are told, and what a transaction may have: all as Redis 7.0 does it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::servers::{self, Client, Server, Setup};
use crate::{Serve, request, text};

/// What there is, what is waited for, and what is done then.
type Case = (&'static [&'static str], &'static str, &'static [&'static str]);

const GROUP: &[&str] =
    &["XADD x 1-1 a b", "XGROUP CREATE x g $", "XGROUP CREATE x h $", "XADD y 1-1 a b"];
const READ: &str = "XREADGROUP GROUP g c BLOCK 0 STREAMS x >";

const CASES: &[Case] = &[
    (GROUP, READ, &["DEL x"]),
    (GROUP, READ, &["SET x 1"]),
    (GROUP, READ, &["RENAME x z"]),
    (GROUP, READ, &["RENAME y x"]),
    (GROUP, READ, &["XGROUP DESTROY x g"]),
    (GROUP, READ, &["XGROUP DESTROY x h"]),
    (GROUP, READ, &["FLUSHDB"]),
    (GROUP, READ, &["SWAPDB 0 1"]),
    (GROUP, READ, &["PEXPIRE x -1"]),
    (GROUP, READ, &["MULTI", "DEL x", "SET x 1", "EXEC"]),
    (GROUP, READ, &["MULTI", "DEL x", "XGROUP CREATE x g $ MKSTREAM", "EXEC"]),
    (GROUP, READ, &["MULTI", "XGROUP DESTROY x g", "XGROUP CREATE x g $", "EXEC"]),
    (GROUP, READ, &["XADD x 2-1 c d"]),
    (GROUP, "XREADGROUP GROUP g c BLOCK 50 STREAMS x >", &[]),
    (GROUP, "XREAD BLOCK 0 STREAMS x $", &["DEL x"]),
    (GROUP, "XREAD BLOCK 0 STREAMS x $", &["SET x 1"]),
    (&[], "XREAD BLOCK 0 STREAMS x $", &["LPUSH x 1"]),
    (&[], "BLPOP x 0", &["SET x 1"]),
    (&[], "BZPOPMIN x 0", &["LPUSH x 1"]),
    (&[], "BLMOVE x d LEFT LEFT 0", &["SET x 1"]),
    (&["SET d 1"], "BLMOVE x d LEFT LEFT 0", &["LPUSH x 1"]),
    (&["SET d 1"], "BRPOPLPUSH x d 0", &["LPUSH x 1"]),
    (&[], "BLMOVE x d LEFT LEFT 0.05", &[]),
    (&[], "BRPOPLPUSH x d 0.05", &[]),
    (&[], "BLPOP x 0.05", &[]),
    (&[], "BLMPOP 0.05 1 x LEFT", &[]),
    (&[], "BZMPOP 0.05 1 x MIN", &[]),
    (&[], "XREAD BLOCK 50 STREAMS x $", &[]),
];

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// What a waiting client is told.
fn told(client: &mut Client, mut waiter: TcpStream, case: &Case) -> String {
    let (before, wait, then) = case;
    let mut run = |line: &str| client.command(&words(line)).unwrap();
    run("FLUSHALL");
    before.iter().for_each(|line| drop(run(line)));
    waiter.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
    waiter.write_all(&request(&words(wait))).unwrap();
    let since = Instant::now();
    while !then.is_empty() && text(run("INFO clients")).contains("blocked_clients:0\r\n") {
        assert!(since.elapsed() < Duration::from_secs(20), "{wait} does not wait");
        sleep(Duration::from_millis(5));
    }
    then.iter().for_each(|line| drop(run(line)));
    let mut answer = [0; 500];
    let answer = match waiter.read(&mut answer) {
        Ok(len) => answer[..len].escape_ascii().to_string(),
        Err(_) => "it waits on".to_owned(),
    };
    drop(waiter);
    while !text(run("INFO clients")).contains("blocked_clients:0\r\n") {
        sleep(Duration::from_millis(5));
    }
    answer
}

#[test]
fn waits_end_as_those_of_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::store(folder.path());
    let Some(binary) = servers::named("redis-7.0.15") else { return };
    let server = Server::start(binary, &Setup::default()).unwrap();
    for case in CASES {
        let socket = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        let theirs = told(&mut server.connect(), socket, case);
        let ours = told(&mut serve.client(), serve.socket(), case);
        assert_eq!(ours, theirs, "{case:?}");
    }
}

/// Commands about the server are queued behind MULTI, and answered in their places.
#[test]
fn transactions_with_commands_about_the_server() {
    let cases: &[&[&str]] = &[
        &["MULTI", "SET a 1", "CLIENT GETNAME", "INCR a", "SLOWLOG LEN", "GET a", "EXEC", "GET a"],
        &["MULTI", "CLIENT SETNAME me", "CLIENT GETNAME", "EXEC", "CLIENT GETNAME"],
        &["MULTI", "AUTH x", "CONFIG GET maxmemory", "PING", "EXEC"],
        &["MULTI", "SET a 2", "SAVE", "EXEC", "GET a"],
        &["MULTI", "SHUTDOWN NOSAVE", "EXEC"],
        &["MULTI", "CLIENT GETNAME", "DISCARD", "MULTI", "PING", "EXEC"],
        &["MULTI", "CLIENT GETNAME", "RESET", "MULTI", "PING", "EXEC"],
        &["MULTI", "CLIENT", "EXEC"],
        &["WATCH a", "MULTI", "CLIENT GETNAME", "EXEC"],
    ];
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::store(folder.path());
    let binary = servers::named("redis-7.0.15");
    let server = binary.map(|binary| Server::start(binary, &Setup::default()).unwrap());
    for case in cases {
        let talk = |mut client: Client| -> Vec<String> {
            let answers = case.iter().map(|line| client.command(&words(line)).unwrap());
            answers.map(|answer| format!("{answer:?}")).collect()
        };
        let ours = talk(serve.client());
        let Some(server) = &server else { continue };
        assert_eq!(ours, talk(server.connect()), "{case:?}");
    }
}
