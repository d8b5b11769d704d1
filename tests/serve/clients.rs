//! The clients that people use: redis-cli, redis-py, redis-benchmark.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Serve;

/// Says that something is not tested, past what the test runner keeps back; in CI that is a failure.
fn skip(why: &str) {
    let _ = writeln!(io::stderr(), "SKIP: {why}: bash .ci/servers.sh");
    assert!(std::env::var_os("CI").is_none(), "{why}");
}

/// redis-cli with commands on its standard input.
fn redis_cli(serve: &Serve, args: &[&str], commands: &str) -> Option<String> {
    let port = serve.address.port().to_string();
    let mut child = Command::new("redis-cli")
        .args(["-p", &port])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_session_of_redis_cli() {
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::store(folder.path());
    let commands = "SET k 'a b'\nGET k\nMULTI\nINCR n\nINCRBY n 4\nEXEC\nZADD z 1.5 m 2 n\n\
        ZRANGE z 0 -1 WITHSCORES\nHSET h f v\nHGETALL h\nTYPE h\nOBJECT ENCODING z\nSELECT 1\nDBSIZE\n\
        GET\nNOSUCH\nSCAN 0\n";
    let Some(said) = redis_cli(&serve, &[], commands) else { return skip("no redis-cli") };
    let want = "OK\na b\nOK\nQUEUED\nQUEUED\n1\n5\n2\nm\n1.5\nn\n2\n1\nf\nv\nhash\nlistpack\nOK\n0\n\
        ERR wrong number of arguments for 'get' command\n\n\
        ERR unknown command 'NOSUCH', with args beginning with: \n\n0\n\n";
    assert_eq!(said, want);
    // RESP3, where redis-cli shows a map a pair a line, and its options that ask for more than one command.
    let said = redis_cli(&serve, &["-3"], "HGETALL h\nZSCORE z m\n").unwrap();
    assert_eq!(said, "f v\n1.5\n");
    let mut piped = Vec::new();
    for n in 0..5000 {
        piped.extend(crate::request(&["SET", &format!("pipe:{n}"), &n.to_string()]));
    }
    let said = redis_cli(&serve, &["--pipe"], &String::from_utf8(piped).unwrap()).unwrap();
    assert!(said.contains("errors: 0, replies: 5000"), "{said}");
    let said = redis_cli(&serve, &["--scan", "--pattern", "pipe:1234*"], "").unwrap();
    assert_eq!(said, "pipe:1234\n");
    let said = redis_cli(&serve, &["--bigkeys"], "").unwrap();
    assert!(said.contains("Sampled 5004 keys in the keyspace!"), "{said}");
}

fn redis_py() -> PathBuf {
    let servers = std::env::var_os("RDBTOOL_SERVERS").map(PathBuf::from);
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers");
    servers.unwrap_or_else(default).join("packages/redis-py")
}

#[test]
fn a_script_with_redis_py() {
    let path = redis_py();
    if !path.is_dir() {
        return skip("no redis-py");
    }
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::store(folder.path());
    for protocol in ["2", "3"] {
        let output = Command::new("python3")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serve/session.py"))
            .args([serve.address.port().to_string(), protocol.to_owned()])
            .env("PYTHONPATH", &path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(said.trim_end(), "all as it should be", "{errors}");
    }
    assert!(serve.is_well());
}

#[test]
fn redis_benchmark_runs() {
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::store(folder.path());
    let port = serve.address.port().to_string();
    let output = Command::new("redis-benchmark")
        .args(["-p", &port, "-n", "2000", "-P", "16", "-q", "-t", "set,get,incr,lpush,hset,zadd"])
        .output();
    let Ok(output) = output else { return skip("no redis-benchmark") };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(said.matches("requests per second").count(), 6, "{said}");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
