//! Killed at random moments under load, as a crash of the program would end it, and started again: what was
//! acknowledged is there, what comes back is a beginning of what was sent, and no transaction is torn.
//!
//! A program that is killed loses nothing that it gave to the kernel, and a run here is too short for an
//! fsync beside it, behind which writes may wait: so with an AOF no acknowledged write may be missing under any
//! `appendfsync`. (What a power cut takes is for the simulation.) Without an AOF what comes back is the last
//! snapshot that was acknowledged, or a later one, whole.
//!
//! `RDBTOOL_KILLS` says how often for each policy, `RDBTOOL_SEED` begins with another seed.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::servers::{self, Reply, Server, Setup};
use crate::{Serve, request};

/// How often each policy is killed.
const KILLS: u64 = 200;

/// Keys that are written in turn.
const KEYS: u64 = 20;

/// What a client knows.
#[derive(Debug, Default, Clone, Copy)]
struct Known {
    /// Transactions sent.
    sent: u64,
    /// Transactions acknowledged.
    acked: u64,
    /// Transactions that were in the last snapshot that SAVE acknowledged.
    saved: u64,
}

/// Commands of the `n`th transaction: a count, a log of counts, a key and a field.
fn transaction(n: u64, out: &mut Vec<u8>) {
    let text = n.to_string();
    let key = format!("key:{}", n % KEYS);
    let field = format!("f{}", n % 7);
    let commands: [&[&str]; 6] = [
        &["MULTI"],
        &["INCR", "count"],
        &["RPUSH", "log", &text],
        &["SET", &key, &text],
        &["HSET", "hash", &field, &text],
        &["EXEC"],
    ];
    commands.iter().for_each(|args| out.extend(request(args)));
}

/// Writes until the server is gone. `beside` is asked for now and then.
fn load(serve: &Serve, from: u64, seed: u64, beside: &[&str]) -> Known {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut known = Known { sent: from, acked: from, saved: 0 };
    let Ok(mut client) = servers::Client::connect(serve.address.port()) else { return known };
    loop {
        let count = rng.u64(1..=8);
        let mut bytes = Vec::new();
        (1..=count).for_each(|n| transaction(known.sent + n, &mut bytes));
        let also =
            (!beside.is_empty() && rng.u8(..) < 16).then(|| beside[rng.usize(..beside.len())]);
        if let Some(command) = also {
            bytes.extend(request(&[command]));
        }
        known.sent += count;
        if client.send(&bytes).is_err() {
            return known;
        }
        for _ in 0..count {
            for _ in 0..5 {
                if client.receive().is_err() {
                    return known;
                }
            }
            let Ok(exec) = client.receive() else { return known };
            let items = exec.items();
            assert_eq!(items[0], Reply::Int(known.acked as i64 + 1));
            known.acked += 1;
        }
        if let Some(command) = also {
            match client.receive() {
                Ok(Reply::Status(_)) if command == "SAVE" => known.saved = known.acked,
                // One of these may be under way already.
                Ok(Reply::Status(_) | Reply::Error(_)) => {}
                Ok(other) => panic!("{other:?}"),
                Err(_) => return known,
            }
        }
    }
}

/// How many transactions the server holds. All that they wrote must be there, and nothing else.
fn held(client: &mut servers::Client) -> u64 {
    let mut ask = |args: &[&str]| client.command(args).unwrap();
    let count = match ask(&["GET", "count"]) {
        Reply::Bulk(None) => 0,
        other => other.text().parse().unwrap(),
    };
    let log = ask(&["LRANGE", "log", "0", "-1"]).items();
    assert_eq!(log.len() as u64, count, "the log and the count of one transaction differ");
    for (n, entry) in (1..).zip(log) {
        assert_eq!(entry.text(), n.to_string());
    }
    let last = |modulus: u64, rest: u64| {
        (1..=count).rev().take(modulus as usize).find(|n| n % modulus == rest)
    };
    for rest in 0..KEYS {
        let want = last(KEYS, rest).map(|n| n.to_string().into_bytes());
        assert_eq!(ask(&["GET", &format!("key:{rest}")]), Reply::Bulk(want), "of {count}");
    }
    for rest in 0..7 {
        let want = last(7, rest).map(|n| n.to_string().into_bytes());
        assert_eq!(ask(&["HGET", "hash", &format!("f{rest}")]), Reply::Bulk(want), "of {count}");
    }
    count
}

/// A policy: how the server is started, what is asked for while clients write, and what of a client's
/// knowledge must come back.
struct Policy {
    name: &'static str,
    args: &'static [&'static str],
    beside: &'static [&'static str],
    least: fn(Known) -> u64,
}

const AOF: fn(Known) -> u64 = |known| known.acked;

const POLICIES: [Policy; 4] = [
    Policy {
        name: "always",
        args: &["--appendonly", "yes", "--appendfsync", "always", "--save", ""],
        beside: &[],
        least: AOF,
    },
    Policy {
        name: "everysec, with rewrites and snapshots",
        args: &["--appendonly", "yes", "--appendfsync", "everysec", "--save", "1 10"],
        beside: &["BGREWRITEAOF", "BGSAVE"],
        least: AOF,
    },
    Policy {
        name: "no, with automatic rewrites",
        args: &[
            "--appendonly",
            "yes",
            "--appendfsync",
            "no",
            "--save",
            "",
            "--set",
            "auto-aof-rewrite-min-size=20kb",
        ],
        beside: &[],
        least: AOF,
    },
    Policy {
        name: "snapshots alone",
        args: &["--appendonly", "no", "--save", ""],
        beside: &["SAVE", "BGSAVE"],
        least: |known| known.saved,
    },
];

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

fn start(policy: &Policy, dir: &Path) -> Serve {
    let dir = dir.to_str().unwrap();
    Serve::start(["--dir", dir].iter().chain(policy.args))
}

fn kills(policy: &Policy) {
    let seeds = number("RDBTOOL_SEED", 1)..;
    let mut folder: Option<TempDir> = None;
    let mut least = 0;
    let (mut total, mut behind) = (0, 0);
    for seed in seeds.take(number("RDBTOOL_KILLS", KILLS) as usize) {
        let mut rng = fastrand::Rng::with_seed(seed);
        // Again and again it begins with nothing, so that it is killed there too.
        if rng.u8(..) < 32 {
            (folder, least) = (None, 0);
        }
        let dir = folder.get_or_insert_with(|| tempfile::tempdir().unwrap()).path().to_owned();
        let serve = start(policy, &dir);
        let before = held(&mut serve.client());
        assert_eq!(before, least, "{} seed {seed}: a start changed it", policy.name);
        let known = thread::scope(|scope| {
            let load = scope.spawn(|| load(&serve, before, seed, policy.beside));
            thread::sleep(Duration::from_micros(rng.u64(200..25_000)));
            serve.signal("-KILL");
            load.join().unwrap()
        });
        serve.kill();
        total += known.acked - before;
        let again = start(policy, &dir);
        let back = held(&mut again.client());
        let wanted = (policy.least)(known).max(before);
        assert!(
            (wanted..=known.sent).contains(&back),
            "{} seed {seed}: {back} came back of {known:?}, at least {wanted} had to",
            policy.name
        );
        behind += back - wanted;
        // A second crash, of one that has just started.
        again.kill();
        least = back;
        if seed % 50 == 0 {
            a_server_agrees(policy, &dir, back);
        }
    }
    println!("{}: {total} transactions acknowledged, {behind} more came back", policy.name);
    assert!(total > 0);
}

/// redis-server starts from the same files and holds the same.
fn a_server_agrees(policy: &Policy, dir: &Path, held_here: u64) {
    let Some(binary) = servers::named("redis-7.0.15") else { return };
    let files = files(dir, dir);
    let appendonly = if policy.args.contains(&"yes") { "appendonly yes" } else { "appendonly no" };
    let setup = Setup { lines: Vec::new(), files }.line(appendonly);
    let server = Server::start(binary, &setup).unwrap_or_else(|refused| {
        panic!("{}: redis-server does not start from it:\n{}", policy.name, refused.log)
    });
    assert_eq!(held(&mut server.connect()), held_here, "{}", policy.name);
}

fn files(dir: &Path, root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path, root)),
            false => {
                let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                found.push((name, std::fs::read(&path).unwrap()));
            }
        }
    }
    found
}

#[test]
fn killed_with_always() {
    kills(&POLICIES[0]);
}

#[test]
fn killed_with_everysec() {
    kills(&POLICIES[1]);
}

#[test]
fn killed_with_no() {
    kills(&POLICIES[2]);
}

#[test]
fn killed_with_snapshots_alone() {
    kills(&POLICIES[3]);
}

/// What the load writes can be told from what it should not: a log with a gap, or a torn transaction.
#[test]
fn what_is_torn_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    for tear in
        [&["INCR", "count"][..], &["LPOP", "log"], &["SET", "key:1", "0"], &["HDEL", "hash", "f3"]]
    {
        let serve = Serve::store(folder.path());
        let mut bytes = Vec::new();
        (1..=30).for_each(|n| transaction(n, &mut bytes));
        let mut client = serve.client();
        client.send(&bytes).unwrap();
        (0..30 * 6).for_each(|_| drop(client.receive().unwrap()));
        assert_eq!(held(&mut client), 30);
        client.command(tear).unwrap();
        let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| held(&mut client)));
        assert!(seen.is_err(), "{tear:?}");
    }
}
