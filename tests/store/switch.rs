//! `CONFIG SET appendonly` while a store runs: what it leaves is started by redis-server, and a crash at any
//! step leaves what the settings of before would start with.

use std::path::Path;
use std::sync::Arc;

use rdbtool::drill::queue::Queue;
use rdbtool::engine::Session;
use rdbtool::persist::fs::Fs;
use rdbtool::persist::sim::MemFs;
use rdbtool::store::{Lane, Options, Store};

use crate::live::{commands, digest, files, info, now_ms, open, rest, server, server_digest, work};

fn switch(store: &mut Store, to: &str) {
    store.set_clock(now_ms());
    let done = store.config_set("appendonly", to.as_bytes());
    assert!(matches!(done, Some(Ok(()))), "{to}: {done:?}");
    assert_eq!(store.config_get(b"appendonly"), [("appendonly", to.as_bytes().to_vec())]);
    assert_eq!(info(store, "aof_enabled"), if to == "yes" { "1" } else { "0" });
}

#[test]
fn a_server_starts_from_an_aof_that_was_begun_and_left_at_run_time() {
    let Some(binary) = server() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path(), false);
    let mut session = Session::new();
    let parts = || {
        let mut names: Vec<String> = files(dir.path()).into_iter().map(|(name, _)| name).collect();
        names.sort();
        names
    };
    work(&mut store, &mut session, &commands(11, 800));
    switch(&mut store, "yes");
    // What comes after its moment is in the incr file, some of it before there is a base.
    assert_eq!(info(&store, "aof_rewrite_in_progress"), "1");
    work(&mut store, &mut session, &commands(12, 300));
    rest(&mut store);
    work(&mut store, &mut session, &commands(13, 300));
    let left = digest(&store);
    assert_eq!(server_digest(binary, files(dir.path()), true), left, "while it is kept");
    let first = ["1.base.rdb", "1.incr.aof", "manifest"];
    assert_eq!(parts(), first.map(|part| format!("appendonlydir/appendonly.aof.{part}")));

    switch(&mut store, "no");
    work(&mut store, &mut session, &commands(14, 300));
    assert_ne!(digest(&store), left);
    assert_eq!(server_digest(binary, files(dir.path()), true), left, "as it was when it was left");

    switch(&mut store, "yes");
    work(&mut store, &mut session, &commands(15, 300));
    rest(&mut store);
    work(&mut store, &mut session, &commands(16, 300));
    while parts().len() > 3 {
        std::thread::sleep(std::time::Duration::from_millis(100));
        store.tick(now_ms()).unwrap();
    }
    assert_eq!(server_digest(binary, files(dir.path()), true), digest(&store), "begun again");
    let second = ["2.base.rdb", "2.incr.aof", "manifest"];
    assert_eq!(parts(), second.map(|part| format!("appendonlydir/appendonly.aof.{part}")));

    // Given up in the middle: what was there is what a start finds.
    switch(&mut store, "no");
    let left = digest(&store);
    work(&mut store, &mut session, &commands(17, 300));
    switch(&mut store, "yes");
    switch(&mut store, "no");
    rest(&mut store);
    assert_eq!(parts(), second.map(|part| format!("appendonlydir/appendonly.aof.{part}")));
    assert_eq!(server_digest(binary, files(dir.path()), true), left, "given up");
}

#[test]
fn an_end_waits_for_the_base_of_a_new_aof() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path(), false);
    let mut session = Session::new();
    work(&mut store, &mut session, &commands(18, 500));
    switch(&mut store, "yes");
    work(&mut store, &mut session, &commands(19, 1)[..1]);
    let want = digest(&store);
    store.shutdown(Some(false)).unwrap();
    drop(store);
    assert_eq!(digest(&open(dir.path(), true)), want);
}

fn options(aof: bool) -> Options {
    let mut options = Options::default();
    options.files.dir = Some("/d".into());
    options.files.append_only = aof;
    options
}

const NOW: i64 = 1_700_000_000_000;

fn start(fs: &MemFs, queue: &Queue, aof: bool) -> rdbtool::error::Result<Store> {
    let fs: Arc<dyn Fs> = Arc::new(fs.clone());
    Store::open(fs, Box::new(queue.clone()), options(aof), NOW).map(|(store, _)| store)
}

fn set(store: &mut Store, key: &str) {
    let argv: [&[u8]; 3] = [b"SET", key.as_bytes(), b"1"];
    let command = rdbtool::engine::resolve(&argv).unwrap();
    assert!(!store.execute(&mut Session::new(), command, &argv).is_error());
    store.before_replies(NOW).unwrap();
}

fn keys(store: &Store) -> usize {
    store.engine().iter().count()
}

/// Every state of the disk that a crash could leave, after each step: with the old setting it starts with
/// what it had, with the new one too, or is refused, or has all of it; never with less.
#[test]
fn a_crash_while_an_aof_begins_loses_nothing() {
    for had_aof in [false, true] {
        let (fs, queue) = (MemFs::new(3), Queue::default());
        fs.put(Path::new("/d/readme"), b"mine", 0o644);
        let mut store = start(&fs, &queue, had_aof).unwrap();
        set(&mut store, "a");
        // SAVE would wait for its queue.
        store.own_command(&[b"BGSAVE"]).unwrap();
        let mut now = NOW;
        let turn = |store: &mut Store, now: &mut i64| {
            *now += 100;
            store.before_replies(*now).unwrap();
            store.tick(*now).unwrap();
        };
        for _ in 0..20 {
            turn(&mut store, &mut now);
            while queue.run(Lane::Files) || queue.run(Lane::Sync) {}
        }
        assert_eq!(info(&store, "rdb_bgsave_in_progress"), "0");
        if had_aof {
            switch(&mut store, "no");
        }
        let (mut refused, mut whole) = (0, false);
        let mut look = |fs: &MemFs| {
            for crashed in fs.crashes(16, 5) {
                let old = start(&crashed, &Queue::default(), false).unwrap();
                assert_eq!(keys(&old), 1, "the snapshot");
                drop(old);
            }
            for crashed in fs.crashes(16, 5) {
                match start(&crashed, &Queue::default(), true) {
                    Ok(store) => {
                        assert!((1..=2).contains(&keys(&store)));
                        whole |= keys(&store) == 2;
                    }
                    Err(error) => {
                        assert!(error.to_string().contains("no manifest"), "{error}");
                        assert!(!had_aof, "there is a manifest: {error}");
                        refused += 1;
                    }
                }
            }
        };
        switch(&mut store, "yes");
        look(&fs);
        set(&mut store, "b");
        for _ in 0..20 {
            turn(&mut store, &mut now);
            look(&fs);
            if queue.run(Lane::Files) | queue.run(Lane::Sync) {
                look(&fs);
            }
        }
        assert_eq!(info(&store, "aof_rewrite_in_progress"), "0");
        assert!(whole, "it is in place");
        eprintln!("had an AOF: {had_aof}, refused with advice {refused} times");
        for crashed in fs.crashes(200, 6) {
            assert_eq!(keys(&start(&crashed, &Queue::default(), true).unwrap()), 2);
        }
    }
}

/// Parts without their manifest are nobody's to write beside.
#[test]
fn what_must_not_be_gone_on_with_is_refused() {
    let fs = MemFs::new(4);
    fs.put(Path::new("/d/appendonlydir/appendonly.aof.1.incr.aof"), b"", 0o600);
    let mut store = start(&fs, &Queue::default(), false).unwrap();
    let failure = store.config_set("appendonly", b"yes").unwrap().unwrap_err();
    let text = String::from_utf8_lossy(failure.as_bytes()).into_owned();
    assert!(text.contains("Unable to turn on AOF") && text.contains("no manifest"), "{text}");
    assert_eq!(store.config_get(b"appendonly"), [("appendonly", b"no".to_vec())]);
    set(&mut store, "a");
}
