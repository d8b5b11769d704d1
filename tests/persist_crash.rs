//! Writing on a file system in memory that crashes after every operation, in every way a journaling file
//! system may, and whose every operation fails in turn: the old file or the new one, never neither.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

#[path = "support/crash.rs"]
mod crash;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Instant;

use crash::{
    EIO, Files, SEED, STATES, Scenario, Seen, crash_everywhere, get, must_survive_errors,
    must_survive_power_cuts, one_of,
};
use rdbtool::error::{Error, Result};
use rdbtool::persist::aofdir::{Edit, remove_parts};
use rdbtool::persist::cut::cut_tail;
use rdbtool::persist::folder::NewFolder;
use rdbtool::persist::fs::{Access, Fs, write_all_at};
use rdbtool::persist::replace::Replacement;
use rdbtool::persist::sim::MemFs;
use rdbtool::persist::sim::fault::{Fault, FaultKind, Repeat};
use rdbtool::persist::target::Options;

/// 2026-11-30T12:00:00Z
const NOW_MS: i64 = 1_796_040_000_000;

fn bytes(seed: u8, len: usize) -> Vec<u8> {
    (0..len).map(|n| (n as u8).wrapping_mul(31).wrapping_add(seed) | 1).collect()
}

const TARGET: &str = "/data/dump.rdb";

fn with_target() -> MemFs {
    let fs = MemFs::new(SEED);
    fs.put(Path::new(TARGET), &bytes(1, 1500), 0o640);
    fs
}

fn replace(fs: &MemFs, options: Options) -> Result<()> {
    let options = Options { size: 1300, ..options };
    let mut new = Replacement::begin(fs, Path::new(TARGET), options)?;
    for part in bytes(2, 1300).chunks(700) {
        if let Err(err) = new.write_all(part) {
            return Err(new.abandon(Error::io(TARGET, "write", err)));
        }
    }
    new.commit(|mut reader| {
        let mut read = Vec::new();
        reader.read_to_end(&mut read).map_err(|err| Error::io(TARGET, "read", err))?;
        assert_eq!(read, bytes(2, 1300));
        Ok(())
    })
    .map(drop)
}

fn judge_replaced(files: &Files) -> std::result::Result<Seen, String> {
    one_of(get(files, TARGET), Some(&bytes(1, 1500)), &bytes(2, 1300))
}

fn judge_created(files: &Files) -> std::result::Result<Seen, String> {
    one_of(get(files, TARGET), None, &bytes(2, 1300))
}

/// With a backup: the old bytes are somewhere at every moment, and beside the new ones in the end.
fn judge_backed_up(files: &Files) -> std::result::Result<Seen, String> {
    let seen = judge_replaced(files)?;
    let backup = get(files, "/data/dump.rdb.bak-20261130T120000Z");
    match (seen, backup) {
        (Seen::New, None) => Err("the backup is not there".into()),
        (Seen::New, Some(backup)) if backup != bytes(1, 1500) => {
            Err("the backup is another".into())
        }
        _ => Ok(seen),
    }
}

const AOF: &str = "/data/appendonly.aof";
const CUT_AT: u64 = 1000;

fn with_aof() -> MemFs {
    let fs = MemFs::new(SEED);
    fs.put(Path::new(AOF), &bytes(3, 2200), 0o644);
    fs
}

/// Cut: the file is whole or cut, and if it is cut, the tail is beside it.
fn judge_cut(files: &Files) -> std::result::Result<Seen, String> {
    let whole = bytes(3, 2200);
    let (head, tail) = whole.split_at(CUT_AT as usize);
    let seen = one_of(get(files, AOF), Some(&whole), head)?;
    match (seen, get(files, "/data/appendonly.aof.tail-1000")) {
        (Seen::New, None) => Err("the tail is lost".into()),
        (Seen::New, Some(saved)) if saved != tail => Err("the saved tail is another".into()),
        _ => Ok(seen),
    }
}

fn judge_cut_with_backup(files: &Files) -> std::result::Result<Seen, String> {
    let seen = judge_cut(files)?;
    let backup = get(files, "/data/appendonly.aof.bak-20261130T120000Z");
    match seen {
        Seen::New if backup != Some(&bytes(3, 2200)) => Err("no backup".into()),
        seen => Ok(seen),
    }
}

const MANIFEST: &str = "/data/appendonlydir/a.manifest";
const OLD_MANIFEST: &[u8] = b"file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i\n";
const NEW_MANIFEST: &[u8] =
    b"file a.1.base.rdb seq 1 type b\nfile a.1.incr.fixed-1.aof seq 1 type i\n";

fn with_folder() -> MemFs {
    let fs = MemFs::new(SEED);
    let dir = Path::new("/data/appendonlydir");
    fs.put(Path::new(MANIFEST), OLD_MANIFEST, 0o644);
    fs.put(&dir.join("a.1.base.rdb"), &bytes(4, 700), 0o644);
    fs.put(&dir.join("a.1.incr.aof"), &bytes(5, 900), 0o644);
    fs
}

fn edit(fs: &MemFs, remove: bool) -> Result<()> {
    let mut edit = Edit::begin(fs, Path::new(MANIFEST), Options::default())?;
    let mut part = edit.part("a.1.incr.fixed-1.aof".as_ref(), 600)?;
    if let Err(err) = part.write_all(&bytes(5, 600)) {
        return Err(part.abandon(Error::io(MANIFEST, "write", err)));
    }
    edit.add(part, |_| Ok(()))?;
    edit.commit(NEW_MANIFEST)?;
    if remove {
        remove_parts(fs, Path::new(MANIFEST), &["a.1.incr.aof".into()])?;
    }
    Ok(())
}

/// All that the manifest names is there and whole.
fn judge_folder(files: &Files) -> std::result::Result<Seen, String> {
    let seen = one_of(get(files, MANIFEST), Some(OLD_MANIFEST), NEW_MANIFEST)?;
    let part = |name: &str, len: usize| {
        let found = get(files, &format!("/data/appendonlydir/{name}"));
        if found == Some(&bytes(5, len)) { Ok(()) } else { Err(format!("{name} is not whole")) }
    };
    match seen {
        Seen::Old => part("a.1.incr.aof", 900)?,
        Seen::New => part("a.1.incr.fixed-1.aof", 600)?,
    }
    Ok(seen)
}

const OUT: &str = "/data/out";

fn make_folder(fs: &MemFs) -> Result<()> {
    let folder = NewFolder::begin(fs, Path::new(OUT), 1400)?;
    for (name, seed) in [("a.1.base.rdb", 4), ("a.1.incr.aof", 5)] {
        let mut file = match folder.file(name.as_ref(), None) {
            Ok(file) => file,
            Err(error) => return Err(folder.abandon(error)),
        };
        let written = file.write_all(&bytes(seed, 700));
        let done = match written {
            Ok(()) => file.commit(|_| Ok(())).map(drop),
            Err(err) => Err(file.abandon(Error::io(OUT, "write", err))),
        };
        if let Err(error) = done {
            return Err(folder.abandon(error));
        }
    }
    folder.commit().map(drop)
}

fn judge_new_folder(files: &Files) -> std::result::Result<Seen, String> {
    let in_out = files.iter().filter(|(path, _)| path.starts_with(OUT)).count();
    match (in_out, get(files, "/data/out/a.1.base.rdb"), get(files, "/data/out/a.1.incr.aof")) {
        (0, ..) => Ok(Seen::Old),
        (2, Some(base), Some(incr)) if base == bytes(4, 700) && incr == bytes(5, 700) => {
            Ok(Seen::New)
        }
        (count, base, incr) => Err(format!("{count} files, {base:?}, {incr:?}")),
    }
}

fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "replace",
            setup: with_target,
            run: |fs| replace(fs, Options::default()),
            judge: judge_replaced,
        },
        Scenario {
            name: "create",
            setup: || {
                let fs = MemFs::new(SEED);
                fs.put(Path::new("/data/other"), b"x", 0o600);
                fs
            },
            run: |fs| replace(fs, Options::default()),
            judge: judge_created,
        },
        Scenario {
            name: "replace with a backup",
            setup: with_target,
            run: |fs| replace(fs, Options { backup_at_ms: Some(NOW_MS), ..Options::default() }),
            judge: judge_backed_up,
        },
        Scenario {
            name: "replace with a backup, no hard links",
            setup: || {
                let fs = with_target();
                fs.forbid_links();
                fs
            },
            run: |fs| replace(fs, Options { backup_at_ms: Some(NOW_MS), ..Options::default() }),
            judge: judge_backed_up,
        },
        Scenario {
            name: "cut",
            setup: with_aof,
            run: |fs| cut_tail(fs, Path::new(AOF), CUT_AT, &Options::default()).map(drop),
            judge: judge_cut,
        },
        Scenario {
            name: "cut with a backup",
            setup: with_aof,
            run: |fs| {
                let options = Options { backup_at_ms: Some(NOW_MS), ..Options::default() };
                cut_tail(fs, Path::new(AOF), CUT_AT, &options).map(drop)
            },
            judge: judge_cut_with_backup,
        },
        Scenario {
            name: "folder",
            setup: with_folder,
            run: |fs| edit(fs, false),
            judge: judge_folder,
        },
        Scenario {
            name: "new folder",
            setup: || {
                let fs = MemFs::new(SEED);
                fs.put(Path::new("/data/other"), b"x", 0o600);
                fs
            },
            run: make_folder,
            judge: judge_new_folder,
        },
        Scenario {
            name: "folder, old parts removed",
            setup: with_folder,
            run: |fs| edit(fs, true),
            judge: judge_folder,
        },
    ]
}

#[test]
fn a_power_cut_at_any_moment_leaves_old_or_new() {
    scenarios().iter().for_each(must_survive_power_cuts);
}

/// Protocols with a step left out, as they are found in the wild: the model must catch each.
#[test]
fn the_model_catches_a_step_left_out() {
    fn put(fs: &MemFs, sync: bool, sync_dir: bool) -> std::io::Result<()> {
        let dir = fs.open_dir(Path::new("/data"))?;
        let file = dir.open("new".as_ref(), Access::Create(0o600))?;
        write_all_at(&*file, &bytes(2, 1300), 0)?;
        if sync {
            file.sync()?;
        }
        dir.rename("new".as_ref(), "dump.rdb".as_ref())?;
        if sync_dir {
            dir.sync()?;
        }
        Ok(())
    }
    fn in_place(fs: &MemFs) -> std::io::Result<()> {
        let dir = fs.open_dir(Path::new("/data"))?;
        let file = dir.open("dump.rdb".as_ref(), Access::Update)?;
        file.set_len(0)?;
        write_all_at(&*file, &bytes(2, 1300), 0)?;
        file.sync()
    }
    fn cut_without_saving(fs: &MemFs, save_sync: bool) -> std::io::Result<()> {
        let dir = fs.open_dir(Path::new("/data"))?;
        let tail = dir.open("appendonly.aof.tail-1000".as_ref(), Access::Create(0o600))?;
        write_all_at(&*tail, &bytes(3, 2200)[1000..], 0)?;
        tail.sync()?;
        if save_sync {
            dir.sync()?;
        }
        let file = dir.open("appendonly.aof".as_ref(), Access::Update)?;
        file.set_len(CUT_AT)?;
        file.sync()
    }
    macro_rules! canary {
        ($name:literal, $setup:expr, $judge:expr, $run:expr, $wrong:expr) => {{
            let scenario = Scenario {
                name: $name,
                setup: $setup,
                run: |fs| {
                    let run: fn(&MemFs) -> std::io::Result<()> = $run;
                    run(fs).map_err(|err| Error::io("/data", "x", err))
                },
                judge: $judge,
            };
            let crashed = crash_everywhere(&scenario);
            assert_eq!(crashed.wrong.is_empty(), !$wrong, "{}: {crashed:?}", scenario.name);
        }};
    }
    canary!("written in place", with_target, judge_replaced, in_place, true);
    canary!("no fsync", with_target, judge_replaced, |fs| put(fs, false, true), true);
    canary!("no fsync of the folder", with_target, judge_replaced, |fs| put(fs, true, false), true);
    canary!("all steps", with_target, judge_replaced, |fs| put(fs, true, true), false);
    canary!("tail without its name", with_aof, judge_cut, |fs| cut_without_saving(fs, false), true);
    canary!("tail with its name", with_aof, judge_cut, |fs| cut_without_saving(fs, true), false);
}

#[test]
fn an_error_at_any_moment_leaves_old_or_new_and_nothing_else() {
    scenarios().iter().for_each(must_survive_errors);
}

/// A large file is read back while it is synced: one more thread, and the same promise.
#[test]
fn an_error_at_any_moment_of_a_large_file_leaves_old_or_new() {
    let (old, new) = (bytes(1, 1500), bytes(2, 9 << 20));
    let is_synced = |fs: &MemFs| fs.trace().iter().any(|op| op.name == "sync");
    let replace = |fs: &MemFs| {
        let options = Options { size: new.len() as u64, ..Options::default() };
        let file = Replacement::begin(fs, Path::new(TARGET), options)?;
        file.with(&new)?.commit(|mut reader| {
            // Nothing is read before the disk is at work, so each run does the same in the same order.
            let since = Instant::now();
            while !is_synced(fs) {
                assert!(since.elapsed().as_secs() < 60, "it is read back first");
                std::thread::yield_now();
            }
            let mut block = vec![0; 4 << 20];
            while reader.read(&mut block).map_err(|err| Error::io(TARGET, "read", err))? > 0 {}
            Ok(())
        })
    };
    let fs = with_target();
    fs.plan(None);
    replace(&fs).unwrap();
    for (at, op) in fs.trace().iter().enumerate() {
        let fs = with_target();
        fs.plan(Some(Fault { at: at as u64, kind: FaultKind::Fails(EIO), repeat: Repeat::Once }));
        let result = replace(&fs);
        let seen = fs.get(Path::new(TARGET)).unwrap();
        assert_eq!(fs.files().len(), 1, "{at} {op:?}");
        let is_done = result.is_ok();
        match result {
            Ok(_) => assert!(seen == new && op.name != "sync", "{at} {op:?}"),
            Err(error) => {
                assert!(seen == old || seen == new, "{at} {op:?}: {error}");
                assert!(op.name != "sync" || seen == old, "{at} {op:?}: {error}");
            }
        }
        for crashed in fs.crashes(4, SEED) {
            let left = crashed.get(Path::new(TARGET)).unwrap();
            let is_right = left == new || !is_done && left == old;
            assert!(is_right, "{at} {op:?}: {} bytes after a crash", left.len());
        }
    }
}

/// All that a file may hold after a crash.
fn contents_after_crash(fs: &MemFs, path: &str) -> BTreeSet<Option<Vec<u8>>> {
    let found = |state: MemFs| state.get(Path::new(path));
    fs.crashes(STATES, SEED).into_iter().map(found).collect()
}

#[test]
fn the_model_keeps_bytes_sizes_and_names_apart() {
    let fs = MemFs::new(SEED);
    fs.put(Path::new("/data/old"), b"old", 0o600);
    let dir = fs.open_dir(Path::new("/data")).unwrap();
    let file = dir.open("new".as_ref(), Access::Create(0o600)).unwrap();
    write_all_at(&*file, b"bytes", 0).unwrap();
    let some = |bytes: &[u8]| Some(bytes.to_vec());
    // No name; a name without size; a size without bytes; all of it.
    let all = BTreeSet::from([None, some(b""), some(b"\0\0\0\0\0"), some(b"bytes")]);
    assert_eq!(contents_after_crash(&fs, "/data/new"), all);
    file.sync_data().unwrap();
    assert_eq!(contents_after_crash(&fs, "/data/new"), BTreeSet::from([None, some(b"bytes")]));
    dir.sync().unwrap();
    assert_eq!(contents_after_crash(&fs, "/data/new"), BTreeSet::from([some(b"bytes")]));
    // Renamed over another: one or the other.
    dir.rename("new".as_ref(), "old".as_ref()).unwrap();
    let either = BTreeSet::from([some(b"old"), some(b"bytes")]);
    assert_eq!(contents_after_crash(&fs, "/data/old"), either);
    // Cut and written again.
    file.set_len(2).unwrap();
    write_all_at(&*file, b"XY", 2).unwrap();
    dir.sync().unwrap();
    let after = ["bytes", "by", "by\0\0", "byXY", "byXYs"].map(|text| some(text.as_bytes()));
    assert_eq!(contents_after_crash(&fs, "/data/old"), BTreeSet::from(after));
}

#[test]
fn the_model_tears_the_last_write_at_sectors() {
    let fs = MemFs::new(SEED);
    fs.put(Path::new("/file"), &[b'-'; 1500], 0o600);
    let dir = fs.open_dir(Path::new("/")).unwrap();
    let file = dir.open("file".as_ref(), Access::Update).unwrap();
    write_all_at(&*file, &[b'+'; 1400], 50).unwrap();
    let plus = |bytes: Option<Vec<u8>>| {
        let bytes = bytes.unwrap();
        let plus: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at] == b'+').collect();
        assert!(plus.windows(2).all(|pair| pair[1] == pair[0] + 1), "in one piece");
        (plus.first().copied().unwrap_or(0), plus.len())
    };
    let seen: BTreeSet<_> = contents_after_crash(&fs, "/file").into_iter().map(plus).collect();
    let want = [(0, 0), (50, 462), (50, 974), (50, 1400), (512, 938), (1024, 426)];
    assert_eq!(seen, BTreeSet::from(want));
}

/// What a failed sync was about is never written by a later one that succeeds.
#[test]
fn the_model_does_not_forgive_a_failed_sync() {
    let fs = MemFs::new(SEED);
    fs.put(Path::new("/file"), b"old", 0o600);
    let dir = fs.open_dir(Path::new("/")).unwrap();
    let file = dir.open("file".as_ref(), Access::Update).unwrap();
    write_all_at(&*file, b"new", 0).unwrap();
    fs.plan(Some(Fault { at: 0, kind: FaultKind::Fails(EIO), repeat: Repeat::Once }));
    file.sync().unwrap_err();
    file.sync().unwrap();
    let either = BTreeSet::from([Some(b"old".to_vec()), Some(b"new".to_vec())]);
    assert_eq!(contents_after_crash(&fs, "/file"), either);
}

#[test]
fn the_model_has_a_size_if_asked() {
    let fs = MemFs::new(SEED);
    fs.put(Path::new("/file"), b"12345", 0o600);
    fs.set_capacity(Some(8));
    let dir = fs.open_dir(Path::new("/")).unwrap();
    let file = dir.open("file".as_ref(), Access::Update).unwrap();
    assert_eq!(file.write_at(b"abcde", 4).unwrap(), 4);
    assert_eq!(file.write_at(b"x", 8).unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(file.write_at(b"x", 0).unwrap(), 1);
    assert_eq!(fs.get(Path::new("/file")).unwrap(), b"x234abcd");
}
