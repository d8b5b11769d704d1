//! What the tests share: files with known contents, damage with seeds, and a repair of bytes in memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rdbtool::input::source::Input;
use rdbtool::job::check;
use rdbtool::job::pieces::Piece;
use rdbtool::job::pipeline::Cutter;
use rdbtool::job::rdb_file::{Extent, RdbFile};
use rdbtool::job::recovery::Recovery;
use rdbtool::job::repair_rdb::census::Census;
use rdbtool::job::repair_rdb::plan::{Action, Damaged, Options, Plan};
use rdbtool::job::repair_rdb::run::{Writing, run};
use rdbtool::limits::Limits;
use rdbtool::persist::fs::{Access, Dir, File, Fs};
use rdbtool::persist::sim::MemFs;
use rdbtool::rdb::reader::Reader;
use rdbtool::record::Event;

use crate::made::{Rdb, b, intset, lp_texts};

pub(crate) const RDB: &str = "/data/dump.rdb";

/// Whether all trials are run.
pub(crate) fn is_full() -> bool {
    std::env::var_os("RDBTOOL_FULL").is_some_and(|full| full != "0")
}

pub(crate) fn testdata(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(path)
}

pub(crate) fn read(path: &str) -> Vec<u8> {
    fs::read(testdata(path)).unwrap_or_else(|err| panic!("{path}: {err}"))
}

/// A file system with these bytes as its RDB.
pub(crate) fn with_rdb(bytes: &[u8]) -> MemFs {
    let fs = MemFs::new(1);
    fs.put(Path::new(RDB), bytes, 0o600);
    fs
}

pub(crate) fn open(fs: &MemFs) -> Arc<dyn File> {
    let dir: Arc<dyn Dir> = fs.open_dir(Path::new("/data")).unwrap();
    dir.open("dump.rdb".as_ref(), Access::Read).unwrap()
}

pub(crate) fn options(recovery: Recovery) -> Options {
    let check = check::Options { jobs: 1, ..check::Options::default() };
    Options { check, recovery, ..Options::default() }
}

/// What a check says of some bytes.
pub(crate) fn checked(bytes: &[u8]) -> check::Report {
    let input = Input::Stdin;
    let reader = Box::new(std::io::Cursor::new(bytes.to_vec()));
    let options = options(Recovery::Strict).check;
    check::check_part(reader, &input, &options, Extent::Whole).unwrap().0
}

/// The plan for some bytes.
pub(crate) fn plan(bytes: &[u8], recovery: Recovery) -> Plan {
    let fs = with_rdb(bytes);
    Damaged::open(&fs, Path::new(RDB)).unwrap().plan(&options(recovery)).unwrap()
}

/// Some bytes repaired, and the plan for it. Bytes that need none come back as they are.
pub(crate) fn repair(bytes: &[u8], recovery: Recovery) -> (Plan, Vec<u8>) {
    repair_with(bytes, &options(recovery))
}

pub(crate) fn repair_with(bytes: &[u8], options: &Options) -> (Plan, Vec<u8>) {
    let fs = with_rdb(bytes);
    let damaged = Damaged::open(&fs, Path::new(RDB)).unwrap();
    let plan = damaged.plan(options).unwrap();
    assert!(plan.is_agreed(), "{:?}", plan.refusals);
    run(&fs, &damaged, &plan, options, &Writing::default()).unwrap();
    (plan, fs.get(Path::new(RDB)).unwrap())
}

/// What a plan keeps and loses.
pub(crate) fn census(plan: &Plan) -> &Census {
    match &plan.action {
        Action::Rebuild(rebuild) => &rebuild.census,
        other => panic!("no rebuild: {other:?}"),
    }
}

/// Database and name.
pub(crate) type Key = (u64, Vec<u8>);

/// The record of every key of a sound file.
pub(crate) fn keys(bytes: &[u8]) -> BTreeMap<Key, Vec<u8>> {
    keys_at(bytes).into_iter().map(|(_, key, record)| (key, record)).collect()
}

/// The same, with its offset.
pub(crate) fn keys_at(bytes: &[u8]) -> Vec<(usize, Key, Vec<u8>)> {
    let source = Box::new(std::io::Cursor::new(bytes.to_vec()));
    let mut rdb = RdbFile::new(source, Limits::default());
    let mut keys = Vec::new();
    while let Some(chunk) = rdb.cut(None).unwrap() {
        for record in Reader::new(&chunk) {
            let record = record.unwrap();
            if let Event::Key(key) = &record.event {
                let name = key.key.bytes(&mut Vec::new()).unwrap().to_vec();
                let at = usize::try_from(record.span.start).unwrap();
                keys.push((at, (key.db, name), chunk.slice(&record.span).to_vec()));
            }
        }
    }
    keys
}

/// Where a byte of a new file was in the damaged one; of bytes that are written anew, where they were.
pub(crate) fn old_offset(pieces: &[Piece], mut at: u64) -> Option<u64> {
    let mut before = None;
    for piece in pieces {
        if at < piece.size() {
            return match piece {
                Piece::Copy(span) => Some(span.start + at),
                Piece::New(_) => before,
            };
        }
        at -= piece.size();
        if let Piece::Copy(span) = piece {
            before = Some(span.end);
        }
    }
    None
}

pub(crate) fn text(random: &mut fastrand::Rng, most: usize) -> String {
    let words = ["user", "session", "cart", "blue", "42", "true", "null", "Zürich", ":", "{", "}"];
    let mut text = String::new();
    let len = random.usize(1..most);
    while text.len() < len {
        text.push_str(words[random.usize(..words.len())]);
        text.push_str(&random.u16(..).to_string());
    }
    text
}

/// An RDB of so many keys of all usual kinds in two databases, as a server would write it.
pub(crate) fn sample(keys: u64, seed: u64) -> Rdb {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut rdb = Rdb::redis(10)
        .aux("redis-ver", "7.0.15")
        .aux("redis-bits", "64")
        .aux("ctime", "1764201600")
        .aux("used-mem", "1234567")
        .aux("aof-base", "0");
    let split = keys * 9 / 10;
    let expiring = |n: u64| n.is_multiple_of(5);
    let expires = |range: std::ops::Range<u64>| range.filter(|n| expiring(*n)).count() as u64;
    rdb = rdb.db(0).resize(split, expires(0..split));
    for n in 0..keys {
        if n == split {
            rdb = rdb.db(3).resize(keys - split, expires(split..keys));
        }
        if expiring(n) {
            rdb = rdb.expire_ms(1_800_000_000_000 + random.i64(0..1_000_000_000));
        }
        let name = format!("{}:{n}", ["user", "s", "order:line", "k"][random.usize(..4)]);
        let mut one = |most| text(&mut random, most);
        rdb = match n % 10 {
            0..=4 => rdb.string(&name, &one(200)),
            5 => {
                let items: Vec<String> = (0..8).map(|_| one(20)).collect();
                let items: Vec<&str> = items.iter().map(String::as_str).collect();
                let list = b().len(1).len(2).str(lp_texts(&items));
                rdb.key(18, &name, list)
            }
            6 => {
                let items: Vec<String> = (0..6).map(|i| format!("{i}{}", one(12))).collect();
                let items: Vec<&str> = items.iter().map(String::as_str).collect();
                rdb.packed(16, &name, lp_texts(&items))
            }
            7 => {
                let numbers: Vec<i64> =
                    (0..10).map(|i| i * 1000 + i64::try_from(n).unwrap()).collect();
                rdb.packed(11, &name, intset(4, &numbers))
            }
            8 => {
                let table =
                    (0..4).fold(b().len(4), |table, i| table.str(format!("field{i}")).str(one(30)));
                rdb.key(4, &name, table)
            }
            _ => {
                let zset = (0..4).fold(b().len(4), |zset, i| {
                    zset.str(format!("{i}{}", one(10))).f64le(100.0 - f64::from(i))
                });
                rdb.key(5, &name, zset)
            }
        };
    }
    rdb
}
