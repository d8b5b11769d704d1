//! Bounds: what a client can make the server hold, and how many of them there can be.

use std::ffi::OsStr;
use std::io::{Read, Write};

use crate::{Serve, exchange, request, text};

/// Bytes of memory that the process has.
fn resident(serve: &Serve) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", serve.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

#[test]
fn claims_allocate_nothing() {
    let serve = Serve::dump();
    let before = resident(&serve);
    let mut sockets = Vec::new();
    for _ in 0..200 {
        let mut socket = serve.socket();
        socket.write_all(b"*1048576\r\n$536870912\r\nabc").unwrap();
        sockets.push(socket);
    }
    assert!(serve.is_well());
    let more = resident(&serve).saturating_sub(before);
    assert!(more < 16 << 20, "{more} bytes for nothing");
}

#[test]
fn one_too_many() {
    let folder = tempfile::tempdir().unwrap();
    let args =
        ["--dir".as_ref(), folder.path().as_os_str(), "--set".as_ref(), "maxclients=3".as_ref()];
    let serve = Serve::start(args);
    let mut clients: Vec<_> = (0..3).map(|_| serve.client()).collect();
    for client in &mut clients {
        client.command(&["PING"]).unwrap();
    }
    let mut answer = Vec::new();
    let _ = serve.socket().read_to_end(&mut answer);
    assert_eq!(answer, b"-ERR max number of clients reached\r\n");
    clients.pop();
    let since = std::time::Instant::now();
    while !serve.is_well() {
        assert!(since.elapsed().as_secs() < 20, "a place that is free stays taken");
    }
    let stats = text(clients[0].command(&["INFO", "stats"]).unwrap());
    assert!(!stats.contains("rejected_connections:0\r\n"), "{stats}");
}

#[test]
fn who_takes_no_answers_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let limit = "client-output-buffer-limit=normal 4mb 0 0";
    let args: [&OsStr; 4] =
        ["--dir".as_ref(), folder.path().as_os_str(), "--set".as_ref(), limit.as_ref()];
    let serve = Serve::start(args);
    let mut client = serve.client();
    client.command(&["SET", "big", &"v".repeat(1 << 20)]).unwrap();
    let mut socket = serve.socket();
    socket.write_all(&request(&["GET", "big"]).repeat(100)).unwrap();
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    assert!(answer.len() < 100 << 20, "{}", answer.len());
    assert!(serve.is_well());
    let stats = text(client.command(&["INFO", "stats"]).unwrap());
    assert!(stats.contains("client_limit_disconnections:1\r\n"), "{stats}");
}

/// As `nc` does with a file of requests: what has been asked is answered, however slowly it is read.
#[test]
fn who_has_sent_its_last_request_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::store(folder.path());
    let mut client = serve.client();
    let set = client.command(&["SET", "big", &"v".repeat(16 << 20)]).unwrap();
    assert_eq!(text(set), "OK");
    let mut socket = serve.socket();
    socket.write_all(&request(&["GET", "big"])).unwrap();
    socket.shutdown(std::net::Shutdown::Write).unwrap();
    // The answer is larger than the sockets' buffers: the server learns of the end before it has sent all.
    std::thread::sleep(std::time::Duration::from_millis(200));
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    assert_eq!(answer.len(), "$16777216\r\n".len() + (16 << 20) + 2);
    // Whoever goes for good without reading is let go.
    let mut socket = serve.socket();
    socket.write_all(&request(&["GET", "big"])).unwrap();
    drop(socket);
    let since = std::time::Instant::now();
    while !text(client.command(&["INFO", "clients"]).unwrap()).contains("connected_clients:1\r\n") {
        assert!(since.elapsed().as_secs() < 20, "a connection that is gone stays");
    }
}

#[test]
fn who_sends_too_much_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let args: [&OsStr; 4] = [
        "--dir".as_ref(),
        folder.path().as_os_str(),
        "--set".as_ref(),
        "client-query-buffer-limit=1mb".as_ref(),
    ];
    let serve = Serve::start(args);
    let request =
        [&b"*2\r\n$4\r\nECHO\r\n$3000000\r\n"[..], &vec![b'x'; 3_000_000], b"\r\n"].concat();
    assert_eq!(exchange(serve.socket(), &request), b"");
    let request = [&b"*2\r\n$4\r\nECHO\r\n$300000\r\n"[..], &vec![b'x'; 300_000], b"\r\n"].concat();
    assert_eq!(exchange(serve.socket(), &request).len(), 300_000 + 11);
    assert!(serve.is_well());
}

#[test]
fn who_says_nothing_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let args =
        ["--dir".as_ref(), folder.path().as_os_str(), "--set".as_ref(), "timeout=1".as_ref()];
    let serve = Serve::start(args);
    let since = std::time::Instant::now();
    let mut rest = Vec::new();
    let _ = serve.socket().read_to_end(&mut rest);
    assert!(rest.is_empty() && since.elapsed().as_millis() >= 1000);
}
