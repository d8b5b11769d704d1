//! Folders that the store leaves are started by redis-server 7.0.15, and the other way round: the same keys,
//! by DEBUG DIGEST.

use std::path::Path;
use std::sync::Arc;

use rdbtool::engine::{Reply, Session, resolve};
use rdbtool::persist::real::RealFs;
use rdbtool::store::{Fsync, Options, Store, Threads};

use crate::servers::{self, Server, ServerBinary, Setup};

const SERVER: &str = "redis-7.0.15";

pub(crate) fn server() -> Option<&'static ServerBinary> {
    let found = servers::named(SERVER);
    if found.is_none() {
        eprintln!("SKIP: no {SERVER}");
    }
    found
}

pub(crate) fn now_ms() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

pub(crate) fn options(dir: &Path, aof: bool) -> Options {
    let mut options = Options::default();
    options.files.dir = Some(dir.to_owned());
    options.files.append_only = aof;
    options.fsync = Fsync::EverySecond;
    options
}

pub(crate) fn open(dir: &Path, aof: bool) -> Store {
    open_with(options(dir, aof))
}

pub(crate) fn open_with(options: Options) -> Store {
    Store::open(Arc::new(RealFs), Box::new(Threads::start()), options, now_ms()).unwrap().0
}

pub(crate) fn digest(store: &Store) -> String {
    let style = store.engine().config().release.digest_style(now_ms());
    store.engine().digest(style, 1).to_string()
}

/// Everything in a folder, as a server gets it.
pub(crate) fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() {
            let inside = self::files(&entry.path());
            files.extend(inside.into_iter().map(|(path, bytes)| (format!("{name}/{path}"), bytes)));
        } else if let Ok(bytes) = std::fs::read(entry.path()) {
            // What is gone by now was history of the AOF.
            files.push((name, bytes));
        }
    }
    files
}

/// Commands of every type, on several databases.
pub(crate) fn commands(seed: u64, count: u64) -> Vec<Vec<String>> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut all = Vec::new();
    for _ in 0..count {
        let n = rng.u32(..40);
        let value = match rng.u32(..10) {
            0 => "long ".repeat(100),
            1 => rng.i64(..).to_string(),
            _ => format!("value {}", rng.u32(..)),
        };
        let text = match rng.u32(..17) {
            0 => format!("SELECT {}", rng.u32(..3)),
            1 => format!("RPUSH list{n} a b {}", rng.u32(..)),
            2 => format!("LPOP list{n}"),
            3 => format!("SADD set{n} {} x", rng.u32(..)),
            4 => format!("SPOP set{n}"),
            5 => format!("ZADD zset{n} {} m{}", rng.f64(), rng.u32(..200)),
            6 => format!("HSET hash{n} f{} v", rng.u32(..200)),
            7 => format!("XADD stream{} * f v{}", n % 4, rng.u32(..)),
            8 => format!("PEXPIRE key{n} 100000000"),
            9 => format!("INCRBYFLOAT float{n} 0.5"),
            10 => format!("DEL key{n}"),
            11 => format!("SET key{n} v EX 100000"),
            12 => "EVAL redis.call('INCR','s1');return(redis.call('INCR','s2')) 0".to_owned(),
            13 if rng.u32(..20) == 0 => "SWAPDB 0 1".to_owned(),
            _ => {
                all.push(vec!["SET".to_owned(), format!("key{n}"), value]);
                continue;
            }
        };
        all.push(text.split(' ').map(str::to_owned).collect());
    }
    all
}

fn run(store: &mut Store, session: &mut Session, argv: &[String]) -> Reply {
    let argv: Vec<&[u8]> = argv.iter().map(String::as_bytes).collect();
    store.execute(session, resolve(&argv).unwrap(), &argv)
}

/// Runs commands in turns, with the clock of this machine.
pub(crate) fn work(store: &mut Store, session: &mut Session, commands: &[Vec<String>]) {
    for turn in commands.chunks(7) {
        store.set_clock(now_ms());
        for argv in turn {
            let reply = run(store, session, argv);
            assert!(
                !matches!(&reply, Reply::Error(f) if !f.as_bytes().starts_with(b"WRONGTYPE")),
                "{argv:?}: {reply:?}"
            );
        }
        store.before_replies(now_ms()).unwrap();
        store.tick(now_ms()).unwrap();
    }
}

pub(crate) fn info(store: &Store, name: &str) -> String {
    store.info().into_iter().find(|(line, _)| *line == name).map(|(_, v)| v).unwrap_or_default()
}

fn own(store: &mut Store, name: &str) {
    let reply = store.own_command(&[name.as_bytes()]).unwrap();
    assert!(!reply.is_error(), "{name}: {reply:?}");
}

/// Goes on until nothing is under way.
pub(crate) fn rest(store: &mut Store) {
    let busy = ["rdb_bgsave_in_progress", "aof_rewrite_in_progress"];
    while busy.iter().any(|name| info(store, name) == "1") {
        store.tick(now_ms()).unwrap();
    }
}

pub(crate) fn server_digest(
    binary: &ServerBinary,
    files: Vec<(String, Vec<u8>)>,
    aof: bool,
) -> String {
    let line = if aof { "appendonly yes" } else { "appendonly no" };
    let setup = Setup { files, ..Setup::default() }.line(line);
    let mut server =
        Server::start(binary, &setup).unwrap_or_else(|refused| panic!("{}", refused.log));
    server.digest()
}

#[test]
fn a_server_starts_from_what_the_store_left_at_any_point() {
    let Some(binary) = server() else { return };
    for preamble in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let mut with = options(dir.path(), true);
        with.preamble = preamble;
        with.timestamps = true;
        let mut store = open_with(with);
        let mut session = Session::new();
        let check = |store: &Store, what: &str| {
            let got = server_digest(binary, files(dir.path()), true);
            assert_eq!(got, digest(store), "{what}, preamble {preamble}");
        };
        work(&mut store, &mut session, &commands(1, 1500));
        check(&store, "after commands");
        own(&mut store, "BGREWRITEAOF");
        work(&mut store, &mut session, &commands(2, 300));
        check(&store, "in a rewrite");
        rest(&mut store);
        work(&mut store, &mut session, &commands(3, 300));
        check(&store, "after a rewrite");
        store.shutdown(Some(true)).unwrap();
        check(&store, "after the end");
    }
}

#[test]
fn a_server_loads_the_snapshots_of_the_store() {
    let Some(binary) = server() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path(), false);
    let mut session = Session::new();
    work(&mut store, &mut session, &commands(4, 2000));
    let want = digest(&store);
    own(&mut store, "BGSAVE");
    // What comes after its moment is not in it.
    work(&mut store, &mut session, &commands(5, 500));
    rest(&mut store);
    assert_ne!(digest(&store), want);
    assert_eq!(server_digest(binary, files(dir.path()), false), want);
    drop(store);
    assert_eq!(digest(&open(dir.path(), false)), want);
}

#[test]
fn the_store_starts_from_what_a_server_left() {
    let Some(binary) = server() else { return };
    for aof in [true, false] {
        let line = if aof { "appendonly yes" } else { "appendonly no" };
        let mut server = Server::start(binary, &Setup::default().line(line)).unwrap();
        for (at, argv) in commands(6, 800).iter().enumerate() {
            server.command(argv);
            if aof && at == 400 {
                server.command(&["BGREWRITEAOF"]);
            }
        }
        let want = server.digest();
        if !aof {
            server.command(&["SAVE"]);
        }
        let left = files(server.folder());
        drop(server);
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in left {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let mut store = open(dir.path(), aof);
        assert_eq!(digest(&store), want, "{line}");
        // It goes on where the server was, and the server where it was.
        work(&mut store, &mut Session::new(), &commands(7, 300));
        if !aof {
            own(&mut store, "SAVE");
        }
        let want = digest(&store);
        drop(store);
        assert_eq!(server_digest(binary, files(dir.path()), aof), want, "{line}, back");
    }
}
