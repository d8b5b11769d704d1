//! Starting from what is no good: torn ends are cut off, traps and damage refused, with advice, and nothing
//! on the disk is changed by a start that is refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rdbtool::drill::queue::Queue;
use rdbtool::engine::{Session, resolve};
use rdbtool::persist::fs::Fs;
use rdbtool::persist::sim::MemFs;
use rdbtool::store::{Opened, Options, Store};

const INCR: &str = "/d/appendonlydir/appendonly.aof.1.incr.aof";
const MANIFEST: &str = "/d/appendonlydir/appendonly.aof.manifest";
const DUMP: &str = "/d/dump.rdb";

fn options(aof: bool) -> Options {
    let mut options = Options::default();
    options.files.dir = Some("/d".into());
    options.files.append_only = aof;
    options
}

fn open(fs: &MemFs, aof: bool) -> rdbtool::error::Result<(Store, Opened)> {
    open_with(fs, options(aof))
}

fn open_with(fs: &MemFs, options: Options) -> rdbtool::error::Result<(Store, Opened)> {
    let arc: Arc<dyn Fs> = Arc::new(fs.clone());
    Store::open(arc, Box::new(Queue::default()), options, 1_700_000_000_000)
}

fn run(store: &mut Store, text: &str) {
    let argv: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
    let reply = store.execute(&mut Session::new(), resolve(&argv).unwrap(), &argv);
    assert!(!reply.is_error(), "{text}: {reply:?}");
    store.before_replies(1_700_000_000_000).unwrap();
}

/// A folder with one key, `a`.
fn folder(aof: bool) -> MemFs {
    let fs = MemFs::new(1);
    fs.put(Path::new("/d/readme"), b"mine", 0o644);
    let (mut store, _) = open(&fs, aof).unwrap();
    run(&mut store, "SET a 1");
    store.shutdown(Some(!aof)).unwrap();
    fs
}

fn names(fs: &MemFs) -> BTreeMap<PathBuf, Vec<u8>> {
    fs.files()
}

/// Whether it starts, with these keys, and what it says.
fn starts(fs: &MemFs, aof: bool) -> (u64, String) {
    let (store, opened) = open(fs, aof).unwrap();
    assert_eq!(opened.keys, store.engine().iter().count() as u64);
    (opened.keys, opened.notes.join("\n"))
}

fn refuses(fs: &MemFs, aof: bool, why: &str) {
    let before = names(fs);
    let error = open(fs, aof).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains(why), "{error}");
    assert_eq!(names(fs), before, "a start that is refused changes nothing");
}

fn append(fs: &MemFs, path: &str, bytes: &[u8]) {
    let old = fs.get(Path::new(path)).unwrap();
    fs.put(Path::new(path), &[&old[..], bytes].concat(), 0o600);
}

/// A copy of some files.
fn with(files: &[(&str, &[u8])]) -> MemFs {
    let fs = MemFs::new(2);
    files.iter().for_each(|(path, bytes)| fs.put(Path::new(path), bytes, 0o600));
    fs
}

#[test]
fn a_first_start_makes_a_folder_and_the_next_one_finds_it() {
    let fs = folder(true);
    let manifest = String::from_utf8(fs.get(Path::new(MANIFEST)).unwrap()).unwrap();
    let want = "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n";
    assert_eq!(manifest, want);
    assert_eq!(starts(&fs, true).0, 1);
}

#[test]
fn torn_ends_are_cut_off_and_what_follows_survives() {
    let torn: &[(&[u8], bool)] = &[
        (b"*3\r\n$3\r\nSET\r\n$1\r\nb", false),
        (b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n", false),
        // A server leaves this MULTI open, and loses what follows at the start after that.
        (b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n*3\r\n$3\r\nSE", false),
        (b"*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$5\r\n\0\0\0\0\0\0\0", true),
        (&[0; 700], true),
        (b"*2\r\n$4\r\nINCR\r\n$7\r\ncounte\0\0\n*1\r\n$4\r\nPING\r\n", true),
        // A few bytes that were not synced, before some that were.
        (b"\0\0\0\0\0T\r\n$1\r\nb\r\n$1\r\n2\r\n", true),
    ];
    for (tail, saved) in torn {
        let fs = folder(true);
        let sound = fs.get(Path::new(INCR)).unwrap();
        append(&fs, INCR, tail);
        let (mut store, opened) = open(&fs, true).unwrap();
        assert_eq!(opened.keys, 1, "{}", tail.escape_ascii());
        assert!(opened.notes.join(" ").contains("no whole commands"), "{:?}", opened.notes);
        assert_eq!(fs.get(Path::new(INCR)).unwrap(), sound);
        let kept = fs.files().into_keys().any(|path| path.to_string_lossy().contains(".tail-"));
        assert_eq!(kept, *saved, "{}", tail.escape_ascii());
        run(&mut store, "SET after 1");
        drop(store);
        assert_eq!(starts(&fs, true).0, 2, "{}", tail.escape_ascii());
    }
}

#[test]
fn other_damage_is_refused() {
    let fs = folder(true);
    append(&fs, INCR, b"garbage, and more of it\r\n");
    refuses(&fs, true, "damaged at offset");
    let mut lenient = options(true);
    lenient.files.corrupt_tail_max = 1000;
    assert_eq!(open_with(&fs, lenient).unwrap().1.keys, 1);

    let fs = folder(true);
    append(&fs, INCR, b"*3\r\n$3\r\nSET\r\n$1\r\nb");
    let mut strict = options(true);
    strict.files.load_truncated = false;
    assert!(open_with(&fs, strict).is_err());

    let fs = folder(false);
    let mut dump = fs.get(Path::new(DUMP)).unwrap();
    *dump.last_mut().unwrap() ^= 1;
    fs.put(Path::new(DUMP), &dump, 0o600);
    refuses(&fs, false, "damaged");
}

#[test]
fn traps_are_refused_or_avoided() {
    // Parts without a manifest: a server starts empty and appends to them.
    let incr = folder(true).get(Path::new(INCR)).unwrap();
    refuses(&with(&[(INCR, &incr)]), true, "no manifest");
    // A manifest that names what is not there.
    let manifest = folder(true).get(Path::new(MANIFEST)).unwrap();
    refuses(&with(&[(MANIFEST, &manifest), (INCR, &incr)]), true, "missing");
    // Only a dump: a server starts empty.
    let dump = folder(false).get(Path::new(DUMP)).unwrap();
    let fs = with(&[(DUMP, &dump)]);
    let (keys, notes) = starts(&fs, true);
    assert_eq!(keys, 1);
    assert!(notes.contains("loaded into a new AOF"), "{notes}");
    assert_eq!(starts(&fs, true).0, 1, "and it is in the AOF now");
    // Only an AOF, and `appendonly no`: the same.
    refuses(&folder(true), false, "appendonly yes");
    // The AOF of before 7.0: it is the base now.
    let fs = with(&[("/d/appendonly.aof", &incr)]);
    assert_eq!(starts(&fs, true).0, 1);
    assert_eq!(starts(&fs, true).0, 1);
    // Nothing at all.
    assert_eq!(starts(&with(&[("/d/x", b"")]), true).0, 0);
}

#[test]
fn two_stores_do_not_share_a_folder() {
    let fs = folder(true);
    let first = open(&fs, true).unwrap();
    assert!(open(&fs, true).map(|_| ()).unwrap_err().to_string().contains("another store"));
    drop(first);
    assert_eq!(starts(&fs, true).0, 1);
}

#[test]
fn a_store_that_is_looked_at_takes_no_writes() {
    let fs = folder(true);
    let (store, _) = open(&fs, true).unwrap();
    let mut look = Store::read_only(rdbtool::engine::Engine::new(store.engine().config().clone()));
    let argv: &[&[u8]] = &[b"SET", b"a", b"1"];
    let reply = look.execute(&mut Session::new(), resolve(argv).unwrap(), argv);
    assert!(reply.to_resp2().starts_with(b"-READONLY"), "{reply:?}");
    let reply = look.own_command(&[b"BGSAVE"]).unwrap();
    assert!(reply.is_error());
}
