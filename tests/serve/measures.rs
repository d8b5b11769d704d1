//! What operators measure with: SLOWLOG beside redis-server 7.0.15, MEMORY USAGE, and the AOF that is switched
//! on by a client.

use std::time::{Duration, Instant};

use crate::servers::{self, Client, Reply, Server, Setup};
use crate::{Serve, text};

/// The arguments of the entries of these commands, the last one first.
fn slow(client: &mut Client, count: &str) -> Vec<Vec<String>> {
    let entries = client.command(&["SLOWLOG", "GET", count]).unwrap().items();
    let mut all = Vec::new();
    for entry in entries {
        let fields = entry.items();
        assert_eq!(fields.len(), 6, "{fields:?}");
        assert!(matches!(fields[..3], [Reply::Int(_), Reply::Int(1..), Reply::Int(0..)]));
        assert!(fields[4].text().starts_with("127.0.0.1:"), "{fields:?}");
        assert_eq!(fields[5].text(), "me");
        let argv: Vec<String> = fields[3].clone().items().iter().map(Reply::text).collect();
        if ["SET", "RPUSH", "GET"].contains(&argv[0].as_str()) {
            all.push(argv);
        }
    }
    all
}

fn talk(client: &mut Client) -> Vec<String> {
    let mut said = Vec::new();
    let mut ask = |client: &mut Client, args: &[&str]| {
        let reply = client.command(args).unwrap();
        said.push(format!("{} {}: {}", args[0], args.get(1).unwrap_or(&""), text(reply)));
    };
    let long = "x".repeat(200);
    let many: Vec<String> = (0..40).map(|at| format!("e{at}")).collect();
    let many: Vec<&str> =
        ["RPUSH", "l"].into_iter().chain(many.iter().map(String::as_str)).collect();
    ask(client, &["CLIENT", "SETNAME", "me"]);
    ask(client, &["CONFIG", "SET", "slowlog-log-slower-than", "-1"]);
    ask(client, &["SLOWLOG", "RESET"]);
    ask(client, &["SET", "a", "1"]);
    ask(client, &["SLOWLOG", "LEN"]);
    ask(client, &["CONFIG", "SET", "slowlog-log-slower-than", "0"]);
    ask(client, &["SET", "a", &long]);
    ask(client, &["SET", "a", &long[..128]]);
    ask(client, &many);
    ask(client, &many[..32]);
    ask(client, &["GET", "a"]);
    ask(client, &["CONFIG", "SET", "slowlog-log-slower-than", "-1"]);
    ask(client, &["SLOWLOG", "GET", "-2"]);
    ask(client, &["SLOWLOG", "GET", "x"]);
    ask(client, &["SLOWLOG"]);
    said.extend(slow(client, "-1").iter().map(|argv| argv.join(" ")));
    said.push(slow(client, "2").len().min(1).to_string());
    // The last one stays, whatever it is.
    client
        .command(&["CONFIG", "SET", "slowlog-max-len", "1", "slowlog-log-slower-than", "0"])
        .unwrap();
    client.command(&["GET", "a"]).unwrap();
    client.command(&["CONFIG", "SET", "slowlog-log-slower-than", "-1"]).unwrap();
    said.push(client.command(&["SLOWLOG", "LEN"]).unwrap().text());
    said
}

#[test]
fn slow_commands_are_told_as_a_server_tells_them() {
    let dir = tempfile::tempdir().unwrap();
    let serve = Serve::store(dir.path());
    let ours = talk(&mut serve.client());
    assert!(ours.iter().any(|line| line.contains("... (72 more bytes)")), "{ours:#?}");
    assert!(ours.iter().any(|line| line.contains("... (11 more arguments)")), "{ours:#?}");
    let Some(binary) = servers::named("redis-7.0.15") else {
        eprintln!("SKIP: no redis-7.0.15");
        return;
    };
    let server = Server::start(binary, &Setup::default()).unwrap();
    assert_eq!(ours, talk(&mut server.connect()));
}

#[test]
fn memory_of_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let serve = Serve::store(dir.path());
    let mut client = serve.client();
    let mut ask = |args: &[&str]| client.command(args).unwrap();
    ask(&["SET", "a", &"x".repeat(1000)]);
    let Reply::Int(bytes) = ask(&["MEMORY", "USAGE", "a", "SAMPLES", "0"]) else { panic!() };
    assert!((1000..1200).contains(&bytes), "{bytes}");
    assert_eq!(ask(&["MEMORY", "USAGE", "none"]), Reply::Bulk(None));
    for bad in [&["SAMPLES"][..], &["SAMPLES", "-1"], &["WORDS", "1"]] {
        let args: Vec<&str> = ["MEMORY", "USAGE", "a"].iter().chain(bad).copied().collect();
        assert_eq!(text(ask(&args)), "ERR syntax error", "{bad:?}");
    }
}

#[test]
fn a_client_switches_the_aof_on_and_off() {
    let dir = tempfile::tempdir().unwrap();
    let serve = Serve::store(dir.path());
    let mut client = serve.client();
    let mut ask = |args: &[&str]| client.command(args).unwrap();
    ask(&["SET", "before", "1"]);
    assert_eq!(text(ask(&["CONFIG", "SET", "appendonly", "yes", "appendfsync", "always"])), "OK");
    ask(&["SET", "after", "1"]);
    let until = Instant::now() + Duration::from_secs(30);
    while text(ask(&["INFO", "persistence"])).contains("aof_rewrite_in_progress:1") {
        assert!(Instant::now() < until, "the base is not there");
        std::thread::sleep(Duration::from_millis(20));
    }
    ask(&["SET", "kept", "1"]);
    serve.kill();
    let again = |lines: &[&str]| {
        let args = ["--dir", dir.path().to_str().unwrap(), "--save", ""];
        Serve::start(args.iter().chain(lines).copied().collect::<Vec<_>>())
    };
    let serve = again(&["--appendonly", "yes"]);
    let mut client = serve.client();
    let mut ask = |args: &[&str]| client.command(args).unwrap();
    assert_eq!(ask(&["EXISTS", "before", "after", "kept"]), Reply::Int(3));
    assert_eq!(text(ask(&["CONFIG", "SET", "appendonly", "no"])), "OK");
    ask(&["SET", "left", "1"]);
    assert!(text(ask(&["INFO", "persistence"])).contains("aof_enabled:0"));
    serve.kill();
    let serve = again(&["--appendonly", "yes"]);
    assert_eq!(
        serve.client().command(&["EXISTS", "before", "after", "kept", "left"]).unwrap(),
        Reply::Int(3)
    );
}
