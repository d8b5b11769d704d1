//! Bytes: requests in pieces, together, inline, malformed; answers in both protocols.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::servers::{self, Server, Setup};
use crate::{Serve, exchange, request};

/// Requests of every form, and their answers.
fn conversation() -> (Vec<u8>, Vec<u8>) {
    let dir: &[(&[u8], &str)] = &[
        (&request(&["PING"]), "+PONG\r\n"),
        (b"PING\r\n", "+PONG\r\n"),
        (b"  echo 'a b'\n", "$3\r\na b\r\n"),
        (b"*0\r\n*-1\r\n\r\n\n", ""),
        (&request(&["SET", "wire", "a\r\nb"]), "+OK\r\n"),
        (&request(&["GET", "wire"]), "$4\r\na\r\nb\r\n"),
        (&request(&["STRLEN", "wire"]), ":4\r\n"),
        (&request(&["GET", "no such key"]), "$-1\r\n"),
        (&request(&["MULTI"]), "+OK\r\n"),
        (&request(&["INCR", "count"]), "+QUEUED\r\n"),
        (&request(&["GET", "count"]), "+QUEUED\r\n"),
        (&request(&["EXEC"]), "*2\r\n:1\r\n$1\r\n1\r\n"),
        (&request(&["DEL", "count"]), ":1\r\n"),
        (&request(&["ECHO", ""]), "$0\r\n\r\n"),
    ];
    let (mut asked, mut answers) = (Vec::new(), String::new());
    for (bytes, answer) in dir {
        asked.extend_from_slice(bytes);
        answers.push_str(answer);
    }
    (asked, answers.into_bytes())
}

#[test]
fn requests_cut_at_every_byte() {
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::store(folder.path());
    let (asked, answers) = conversation();
    let mut socket = serve.socket();
    for cut in 0..=asked.len() {
        let (first, second) = asked.split_at(cut);
        socket.write_all(first).unwrap();
        // What is asked for in the first piece is answered before the second comes.
        if cut % 16 == 0 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        socket.write_all(second).unwrap();
        let mut answer = vec![0; answers.len()];
        socket.read_exact(&mut answer).unwrap();
        assert_eq!(answer, answers, "cut at {cut}: {}", answer.escape_ascii());
    }
    // And byte by byte.
    for byte in &asked {
        socket.write_all(&[*byte]).unwrap();
    }
    let mut answer = vec![0; answers.len()];
    socket.read_exact(&mut answer).unwrap();
    assert_eq!(answer, answers);
}

#[test]
fn a_long_pipeline_to_a_slow_reader() {
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::store(folder.path());
    let value = "v".repeat(10_000);
    let mut client = serve.client();
    client.command(&["SET", "big", &value]).unwrap();
    // 100 MB of answers that nobody reads while the requests are sent.
    let mut socket = serve.socket();
    let requests = request(&["GET", "big"]).repeat(10_000);
    socket.write_all(&requests).unwrap();
    // Others are served meanwhile.
    assert!(serve.is_well());
    let one = format!("$10000\r\n{value}\r\n").into_bytes();
    let mut answer = vec![0; one.len()];
    for n in 0..10_000 {
        socket.read_exact(&mut answer).unwrap();
        assert!(answer == one, "answer {n}");
    }
}

/// What is malformed, and what comes before it.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let long = |head: &str, byte: u8| [head.as_bytes(), &[byte; (64 << 10) + 100]].concat();
    vec![
        ("a number for a length", b"*1\r\n:5\r\n".to_vec()),
        ("a letter for a mark", b"*1\r\nPING\r\n".to_vec()),
        ("letters for a count", b"*x\r\n".to_vec()),
        ("no count", b"*\r\n".to_vec()),
        ("a count with a sign", b"*+1\r\n".to_vec()),
        ("a count too large", b"*99999999999\r\n".to_vec()),
        ("letters for a length", b"*1\r\n$x\r\n".to_vec()),
        ("a length below nothing", b"*1\r\n$-1\r\n".to_vec()),
        ("a length too large", b"*1\r\n$536870913\r\n".to_vec()),
        ("a quote without an end", b"SET a \"b\r\n".to_vec()),
        ("a word behind a quote", b"SET a 'b'c\r\n".to_vec()),
        ("a line without an end", long("x", b'x')),
        ("a count without an end", long("*", b'1')),
        ("a length without an end", long("*1\r\n$", b'1')),
        ("after a sound one", [request(&["PING"]), b"*1\r\n!".to_vec(), b"\r\n".to_vec()].concat()),
        ("an empty line for a length", b"*1\r\n\r\n\r\n".to_vec()),
        ("no LF behind CR", b"*1\r_$4\r_PING\r_".to_vec()),
        ("nothing", b"".to_vec()),
        ("more arguments than once were allowed", b"*1048577\r\n".to_vec()),
        ("a NUL in a line", b"PING\0\r\nPING\r\n".to_vec()),
        ("half a request", b"*2\r\n$3\r\nGET\r\n$1\r\n".to_vec()),
    ]
}

#[test]
fn malformed_requests_are_answered_as_a_server_answers_them() {
    let serve = Serve::dump();
    let binary = servers::named("redis-7.0.15");
    let server = binary.map(|binary| Server::start(binary, &Setup::default()).unwrap());
    for (what, bytes) in malformed() {
        let answer = exchange(serve.socket(), &bytes);
        if let Some(server) = &server {
            let socket = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
            let theirs = exchange(socket, &bytes);
            let both = (answer.escape_ascii().to_string(), theirs.escape_ascii().to_string());
            assert_eq!(both.0, both.1, "{what}");
        }
        let text = answer.escape_ascii().to_string();
        let quiet = [
            "no LF behind CR",
            "nothing",
            "half a request",
            "more arguments than once were allowed",
            "a NUL in a line",
        ]
        .contains(&what);
        assert!(quiet || text.contains("-ERR Protocol error: "), "{what}: {text}");
        assert!(serve.is_well(), "{what}");
    }
}

#[test]
fn noise_closes_only_who_makes_it() {
    let serve = Serve::dump();
    let mut other = serve.client();
    let mut rng = fastrand::Rng::with_seed(7);
    for _ in 0..300 {
        let len = rng.usize(1..200);
        let marks = b"*$\r\n:-+0123456789 \"'\\xGETsetPING\0\xff";
        let noise: Vec<u8> = (0..len).map(|_| marks[rng.usize(0..marks.len())]).collect();
        exchange(serve.socket(), &noise);
    }
    assert_eq!(other.command(&["PING"]).unwrap().text(), "PONG");
}

#[test]
fn resp3_says_more() {
    let serve = Serve::dump();
    let ask = |requests: &[&[&str]]| {
        let bytes: Vec<u8> = requests.iter().flat_map(|args| request(args)).collect();
        String::from_utf8_lossy(&exchange(serve.socket(), &bytes)).into_owned()
    };
    let answer = ask(&[&["HELLO", "3"], &["GET", "no such key"], &["CONFIG", "GET", "port"]]);
    assert!(answer.starts_with("%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n"), "{answer}");
    assert!(answer.contains("$5\r\nproto\r\n:3\r\n"), "{answer}");
    let port = serve.address.port().to_string();
    let end = format!("_\r\n%1\r\n$4\r\nport\r\n${}\r\n{port}\r\n", port.len());
    assert!(answer.ends_with(&end), "{answer}");
    let answer = ask(&[&["HELLO", "3"], &["HELLO", "2"], &["GET", "no such key"]]);
    assert!(answer.ends_with("$-1\r\n"), "{answer}");
    let answer = ask(&[&["HELLO", "4"], &["HELLO", "x"], &["HELLO", "3", "NAME", "x"]]);
    assert_eq!(
        answer,
        "-NOPROTO unsupported protocol version\r\n\
         -ERR Protocol version is not an integer or out of range\r\n\
         -ERR Syntax error in HELLO option 'NAME'\r\n"
    );
}
