//! Writing on the machine's own file system: what is kept, what is refused, and what kills leave.

#![allow(clippy::infinite_iter, reason = "the child writes until it is killed")]
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rdbtool::error::{Error, Result};
use rdbtool::persist::aofdir::{Edit, remove_parts};
use rdbtool::persist::cut::cut_tail;
use rdbtool::persist::fs::{Stat, open_parent};
use rdbtool::persist::real::RealFs;
use rdbtool::persist::replace::{Replaced, Replacement};
use rdbtool::persist::signals;
use rdbtool::persist::sim::crash::Random;
use rdbtool::persist::target::{Options, Warning};
use rdbtool::persist::temp::{is_temp_name, stale};
use tempfile::TempDir;

/// 2026-11-30T12:00:00Z
const NOW_MS: i64 = 1_796_040_000_000;

fn folder() -> TempDir {
    tempfile::Builder::new().prefix("persist").tempdir().unwrap()
}

fn stat(path: &Path) -> Stat {
    let (dir, name) = open_parent(&RealFs, path).unwrap();
    dir.stat(&name).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn write(path: &Path, bytes: &[u8], options: Options) -> Result<Replaced> {
    let mut new = Replacement::begin(&RealFs, path, options)?;
    new.write_all(bytes).unwrap();
    new.commit(|_| Ok(()))
}

fn refusal(result: Result<Replaced>) -> String {
    match result {
        Err(Error::Refused { why, .. }) => why,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_new_file_is_private_unless_asked_otherwise() {
    let dir = folder();
    let path = dir.path().join("new.rdb");
    let done = write(&path, b"bytes", Options::default()).unwrap();
    assert_eq!((done.size, done.backup, done.warnings), (5, None, vec![]));
    assert_eq!(fs::read(&path).unwrap(), b"bytes");
    assert_eq!(mode(&path), 0o600);
    let open = dir.path().join("open.rdb");
    write(&open, b"bytes", Options { mode: Some(0o644), ..Options::default() }).unwrap();
    assert_eq!(mode(&open), 0o644);
    assert_eq!(names(dir.path()), ["new.rdb", "open.rdb"]);
}

#[test]
fn a_replaced_file_keeps_owner_mode_and_access_list() {
    let dir = folder();
    let path = dir.path().join("dump.rdb");
    fs::write(&path, b"old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).unwrap();
    // Only root may give files away.
    let is_root = std::os::unix::fs::chown(&path, Some(1234), Some(2345)).is_ok();
    write(&path, b"new", Options { mode: Some(0o666), ..Options::default() }).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(mode(&path), 0o440);
    let meta = fs::metadata(&path).unwrap();
    if is_root {
        assert_eq!((meta.uid(), meta.gid()), (1234, 2345));
    }
}

/// user::rw-, user:1001:r--, group::---, mask::r--, other::---: the mode reads 0640, but the group may
/// not read the file. Without the list it could.
#[cfg(target_os = "linux")]
#[test]
fn an_access_list_is_kept_since_the_mode_alone_is_wider() {
    let dir = folder();
    let path = dir.path().join("dump.rdb");
    fs::write(&path, b"old").unwrap();
    let entry = |tag: u16, permissions: u16, id: u32| {
        [&tag.to_le_bytes()[..], &permissions.to_le_bytes(), &id.to_le_bytes()].concat()
    };
    let nobody = u32::MAX;
    let acl = [
        2u32.to_le_bytes().to_vec(),
        entry(0x01, 6, nobody),
        entry(0x02, 4, 1001),
        entry(0x04, 0, nobody),
        entry(0x10, 4, nobody),
        entry(0x20, 0, nobody),
    ]
    .concat();
    let flags = rustix::fs::XattrFlags::empty();
    if rustix::fs::setxattr(&path, "system.posix_acl_access", &acl, flags).is_err() {
        println!("this file system has no access lists");
        return;
    }
    assert_eq!(mode(&path), 0o640);
    write(&path, b"new", Options::default()).unwrap();
    let mut kept = vec![0; 1000];
    let len = rustix::fs::getxattr(&path, "system.posix_acl_access", kept.as_mut_slice()).unwrap();
    assert_eq!(kept[..len], acl);
    assert_eq!(mode(&path), 0o640);
}

#[test]
fn while_it_is_written_it_is_a_private_file_beside_the_target() {
    let dir = folder();
    let path = dir.path().join("dump.rdb");
    fs::write(&path, b"old").unwrap();
    let mut new = Replacement::begin(&RealFs, &path, Options::default()).unwrap();
    new.write_all(b"new").unwrap();
    let there = names(dir.path());
    assert_eq!(there.len(), 2);
    assert!(is_temp_name(there[0].as_ref()), "{there:?}");
    assert_eq!(mode(&dir.path().join(&there[0])), 0o600);
    assert_eq!(fs::read(&path).unwrap(), b"old");
    drop(new);
    assert_eq!(names(dir.path()), ["dump.rdb"]);
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let dir = folder();
    let file = dir.path().join("file");
    fs::write(&file, b"old").unwrap();
    let link = dir.path().join("link");
    symlink("file", &link).unwrap();
    assert!(refusal(write(&link, b"x", Options::default())).contains("symbolic link"));
    let fifo = dir.path().join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR).unwrap();
    assert!(refusal(write(&fifo, b"x", Options::default())).contains("regular"));
    assert!(refusal(write(dir.path(), b"x", Options::default())).contains("regular"));
    assert_eq!(fs::read(&file).unwrap(), b"old");
    assert!(matches!(write(Path::new("/"), b"x", Options::default()), Err(Error::Usage(_))));
    // Told to follow, it replaces the file and leaves the link.
    write(&link, b"new", Options { follow: true, ..Options::default() }).unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"new");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn the_input_is_refused_under_any_name() {
    let dir = folder();
    let input = dir.path().join("in");
    fs::write(&input, b"old").unwrap();
    let other = dir.path().join("other");
    fs::hard_link(&input, &other).unwrap();
    let inputs = vec![stat(&input)];
    for name in [&input, &other, &dir.path().join("./in"), &dir.path().join("../in")] {
        if name.exists() {
            let options = Options { inputs: inputs.clone(), ..Options::default() };
            assert!(refusal(write(name, b"x", options)).contains("input"), "{}", name.display());
        }
    }
    let expected = Some(stat(&input));
    let done = write(&other, b"new", Options { inputs, expected, ..Options::default() }).unwrap();
    assert_eq!(done.warnings, [Warning::HardLinks(1)]);
    assert_eq!(fs::read(&input).unwrap(), b"old");
}

#[test]
fn a_target_that_changes_meanwhile_is_refused() {
    let dir = folder();
    let path = dir.path().join("a.aof");
    fs::write(&path, b"old").unwrap();
    let begin = || Replacement::begin(&RealFs, &path, Options::default()).unwrap();
    let append = || {
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b" and more").unwrap();
    };
    let new = begin();
    append();
    assert!(refusal(new.commit(|_| Ok(()))).contains("changed"));
    assert_eq!(fs::read(&path).unwrap(), b"old and more");
    // Between being read and being written.
    let expected = Some(stat(&path));
    append();
    let options = Options { expected, ..Options::default() };
    assert!(refusal(write(&path, b"x", options.clone())).contains("changed"));
    let new = begin();
    fs::remove_file(&path).unwrap();
    assert!(refusal(new.commit(|_| Ok(()))).contains("changed"));
    assert!(refusal(write(&path, b"x", options)).contains("gone"));
    // A new file that somebody else made first.
    let new = begin();
    fs::write(&path, b"theirs").unwrap();
    assert!(refusal(new.commit(|_| Ok(()))).contains("changed"));
    assert_eq!(fs::read(&path).unwrap(), b"theirs");
    let options = Options { must_be_new: true, ..Options::default() };
    assert!(refusal(write(&path, b"x", options)).contains("exists"));
    assert_eq!(names(dir.path()), ["a.aof"]);
}

#[test]
fn a_file_that_a_process_holds_open_is_refused() {
    let dir = folder();
    let path = dir.path().join("a.aof");
    fs::write(&path, b"old").unwrap();
    let mut holder = Command::new("sh")
        .args(["-c", "exec 3>>\"$0\"; echo; exec sleep 100"])
        .arg(&path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    holder.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let why = refusal(write(&path, b"x", Options::default()));
    assert!(why.contains(&format!("({})", holder.id())), "{why}");
    let done = write(&path, b"new", Options { force: true, ..Options::default() }).unwrap();
    assert!(matches!(&done.warnings[..], [Warning::Held(by)] if by[0].pid == holder.id()));
    holder.kill().unwrap();
    holder.wait().unwrap();
    write(&path, b"newer", Options::default()).unwrap();
}

#[test]
fn too_little_space_is_seen_before_anything_is_written() {
    let dir = folder();
    let path = dir.path().join("new");
    let options = Options { size: u64::MAX / 2, ..Options::default() };
    assert!(refusal(write(&path, b"x", options)).contains("do not fit"));
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn what_does_not_verify_is_not_put_in_place() {
    let dir = folder();
    let path = dir.path().join("a.aof");
    fs::write(&path, b"old").unwrap();
    let begin = || {
        let mut new = Replacement::begin(&RealFs, &path, Options::default()).unwrap();
        new.write_all(b"some bytes").unwrap();
        new
    };
    let verified = begin().commit(|mut reader| {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        Err(Error::Usage(text))
    });
    assert!(matches!(verified, Err(Error::Usage(text)) if text == "some bytes"));
    // A byte that changes between memory and disk, seen whether or not the caller reads.
    for read in [0, 3, 100] {
        let new = begin();
        let temp = names(dir.path()).into_iter().find(|name| is_temp_name(name.as_ref())).unwrap();
        fs::write(dir.path().join(temp), b"some bytez").unwrap();
        let why = refusal(new.commit(|reader| {
            reader.take(read).read_to_end(&mut Vec::new()).unwrap();
            Ok(())
        }));
        assert!(why.contains("read back"), "{why}");
    }
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(names(dir.path()), ["a.aof"]);
}

#[test]
fn a_backup_is_the_old_file_itself() {
    let dir = folder();
    let path = dir.path().join("dump.rdb");
    fs::write(&path, b"old").unwrap();
    let ino = stat(&path).ino;
    let options = Options { backup_at_ms: Some(NOW_MS), ..Options::default() };
    let first = write(&path, b"new", options.clone()).unwrap().backup.unwrap();
    let second = write(&path, b"newer", options).unwrap().backup.unwrap();
    assert_eq!(first, dir.path().join("dump.rdb.bak-20261130T120000Z"));
    assert_eq!(second, dir.path().join("dump.rdb.bak-20261130T120000Z-1"));
    assert_eq!((fs::read(&first).unwrap(), stat(&first).ino), (b"old".to_vec(), ino));
    assert_eq!(fs::read(&second).unwrap(), b"new");
}

#[test]
fn only_what_no_run_is_writing_is_stale() {
    let dir = folder();
    let left = dir.path().join(".rdbtool.0123456789abcdef.tmp");
    fs::write(&left, b"left").unwrap();
    fs::write(dir.path().join(".rdbtool.notes.tmp"), b"mine").unwrap();
    let live = Replacement::begin(&RealFs, &dir.path().join("new"), Options::default()).unwrap();
    let found = stale(&RealFs, dir.path()).unwrap();
    let found: Vec<_> = found.iter().map(|stale| (stale.path.as_path(), stale.size)).collect();
    assert_eq!(found, [(left.as_path(), 4)]);
    drop(live);
    assert!(left.exists());
}

#[test]
fn a_cut_saves_the_tail_with_the_rights_of_the_file() {
    let dir = folder();
    let path = dir.path().join("a.aof");
    fs::write(&path, b"0123456789").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let cut = cut_tail(&RealFs, &path, 4, &Options::default()).unwrap();
    assert_eq!((cut.size, cut.tail_len), (4, 6));
    assert_eq!(fs::read(&path).unwrap(), b"0123");
    assert_eq!(cut.tail, dir.path().join("a.aof.tail-4"));
    assert_eq!((fs::read(&cut.tail).unwrap(), mode(&cut.tail)), (b"456789".to_vec(), 0o640));
    // The same tail is not saved twice, another one not over it.
    fs::write(&path, b"0123456789").unwrap();
    assert_eq!(cut_tail(&RealFs, &path, 4, &Options::default()).unwrap().tail, cut.tail);
    fs::write(&path, b"0123and").unwrap();
    let other = cut_tail(&RealFs, &path, 4, &Options::default()).unwrap().tail;
    assert_eq!(other, dir.path().join("a.aof.tail-4-1"));
    assert_eq!(fs::read(&cut.tail).unwrap(), b"456789");
    assert!(cut_tail(&RealFs, &path, 4, &Options::default()).is_err());
}

#[test]
fn a_hole_stays_a_hole() {
    let dir = folder();
    let path = dir.path().join("a.aof");
    fs::write(&path, b"0123").unwrap();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(4 + (64 << 20)).unwrap();
    let cut = cut_tail(&RealFs, &path, 4, &Options::default()).unwrap();
    let tail = fs::metadata(&cut.tail).unwrap();
    assert_eq!(tail.len(), 64 << 20);
    assert!(tail.blocks() < 2048, "{} blocks", tail.blocks());
}

// What kills leave. The test binary runs itself as the process that is killed.

/// Bytes of a version of the file: enough for a kill to fall between writes.
const LEN: usize = 256 << 10;

const CUT_AT: usize = 100_000;

fn version(number: u64, len: usize) -> Vec<u8> {
    number.to_le_bytes().iter().copied().cycle().take(len).collect()
}

/// The version a file holds, if it is whole.
fn version_of(bytes: &[u8], len: usize) -> Option<u64> {
    let number = u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
    (bytes == version(number, len)).then_some(number)
}

fn start(job: &str, dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .env("RDBTOOL_TEST_JOB", job)
        .env("RDBTOOL_TEST_DIR", dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Not a test: what the tests below start, to kill it.
#[test]
#[ignore = "started by the tests that kill it"]
fn child() {
    let Ok(job) = std::env::var("RDBTOOL_TEST_JOB") else { return };
    let dir = PathBuf::from(std::env::var("RDBTOOL_TEST_DIR").unwrap());
    println!("\nready");
    match job.as_str() {
        "replace" => (1u64..).for_each(|number| {
            let options = Options { backup_at_ms: None, ..Options::default() };
            let mut new = Replacement::begin(&RealFs, &dir.join("file"), options).unwrap();
            version(number, LEN).chunks(LEN / 8).for_each(|part| new.write_all(part).unwrap());
            new.commit(|_| Ok(())).unwrap();
            println!("{number}");
        }),
        "cut" => (1u64..).for_each(|number| {
            let file = dir.join("file");
            write(&file, &version(number, LEN), Options::default()).unwrap();
            println!("whole {number}");
            let cut = cut_tail(&RealFs, &file, CUT_AT as u64, &Options::default()).unwrap();
            println!("{number}");
            fs::rename(cut.tail, dir.join("old-tail")).unwrap();
        }),
        "folder" => (1u64..).for_each(|number| {
            let manifest = dir.join("manifest");
            let mut edit = Edit::begin(&RealFs, &manifest, Options::default()).unwrap();
            let mut part = edit.part(format!("part-{number}").as_ref(), LEN as u64).unwrap();
            part.write_all(&version(number, LEN)).unwrap();
            edit.add(part, |_| Ok(())).unwrap();
            edit.commit(format!("part-{number}").as_bytes()).unwrap();
            println!("{number}");
            let old = format!("part-{}", number - 1).into();
            remove_parts(&RealFs, &manifest, &[old]).unwrap();
        }),
        "signal" => {
            signals::install().unwrap();
            let mut new =
                Replacement::begin(&RealFs, &dir.join("file"), Options::default()).unwrap();
            new.write_all(b"half").unwrap();
            println!("writing");
            thread::sleep(Duration::from_secs(60));
        }
        "too large" => {
            signals::install().unwrap();
            let mut new =
                Replacement::begin(&RealFs, &dir.join("file"), Options::default()).unwrap();
            let err = new.write_all(&vec![1; 8 << 20]).unwrap_err();
            println!("{}", new.abandon(Error::io(dir.join("file"), "write", err)));
        }
        other => panic!("no job {other}"),
    }
}

/// Starts the job, kills it -9 some time after some of its words, and returns them all.
fn kill(job: &str, dir: &Path, random: &mut Random) -> Vec<String> {
    let mut child = start(job, dir);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(|line| line.unwrap());
    assert!(lines.by_ref().any(|line| line == "ready"));
    let mut words: Vec<_> = lines.by_ref().take(random.below(4) as usize).collect();
    thread::sleep(Duration::from_micros(random.below(4000)));
    child.kill().unwrap();
    child.wait().unwrap();
    words.extend(lines);
    words
}

fn last_number(words: &[String]) -> u64 {
    words.iter().rev().find_map(|word| word.parse().ok()).unwrap_or(0)
}

fn clear(dir: &Path) {
    for name in names(dir) {
        fs::remove_file(dir.join(name)).unwrap();
    }
}

/// Kills per protocol. RDBTOOL_KILLS asks for more.
fn kills() -> u64 {
    std::env::var("RDBTOOL_KILLS").map_or(120, |kills| kills.parse().unwrap())
}

#[test]
fn killed_while_replacing_it_leaves_old_or_new() {
    let dir = folder();
    let mut random = Random::new(1);
    let mut mid_write = 0;
    for round in 0..kills() {
        clear(dir.path());
        fs::write(dir.path().join("file"), version(0, LEN)).unwrap();
        let done = last_number(&kill("replace", dir.path(), &mut random));
        let found = version_of(&fs::read(dir.path().join("file")).unwrap(), LEN);
        assert!(found == Some(done) || found == Some(done + 1), "{round}: {found:?}, {done} done");
        let left = stale(&RealFs, dir.path()).unwrap().len();
        assert_eq!(names(dir.path()).len(), 1 + left);
        mid_write += left;
    }
    assert!(mid_write > 0, "no kill came while a file was written");
}

#[test]
fn killed_while_cutting_it_leaves_the_whole_file_or_both_parts() {
    let dir = folder();
    let mut random = Random::new(2);
    let mut cut = 0;
    for round in 0..kills() {
        clear(dir.path());
        kill("cut", dir.path(), &mut random);
        let Ok(file) = fs::read(dir.path().join("file")) else { continue };
        if version_of(&file, LEN).is_none() {
            let tail = ["file.tail-100000", "old-tail"].iter().find_map(|name| {
                let tail = fs::read(dir.path().join(name)).ok()?;
                version_of(&[&file[..], &tail].concat(), LEN)
            });
            assert!(tail.is_some(), "{round}: {} bytes, {:?}", file.len(), names(dir.path()));
            cut += 1;
        }
    }
    assert!(cut > 0, "no kill came after a cut");
}

#[test]
fn killed_while_changing_the_folder_the_manifest_names_what_is_whole() {
    let dir = folder();
    let mut random = Random::new(3);
    for round in 0..kills() {
        clear(dir.path());
        fs::write(dir.path().join("manifest"), b"part-0").unwrap();
        fs::write(dir.path().join("part-0"), version(0, LEN)).unwrap();
        let done = last_number(&kill("folder", dir.path(), &mut random));
        let named = fs::read_to_string(dir.path().join("manifest")).unwrap();
        let part = fs::read(dir.path().join(&named)).unwrap();
        let found = version_of(&part, LEN);
        assert_eq!(found.map(|number| format!("part-{number}")), Some(named), "{round}");
        assert!(found == Some(done) || found == Some(done + 1), "{round}: {found:?}, {done} done");
    }
}

/// Whether a signal is ignored here, and so by every program that is started from here.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() >> (signal - 1) & 1 == 1
}

#[test]
#[allow(clippy::print_stderr, reason = "what is not tested is told")]
fn signals_remove_the_temporary_file_and_end_the_run() {
    for (signal, code) in [("-TERM", 143), ("-INT", 130), ("-HUP", 129)] {
        if is_ignored(code - 128) {
            eprintln!("SKIP {signal}: whoever runs the tests has it ignored, as nohup does");
            continue;
        }
        let dir = folder();
        let mut child = start("signal", dir.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.by_ref().any(|line| line.unwrap() == "writing"));
        assert_eq!(names(dir.path()).len(), 1);
        let sent = Command::new("kill").arg(signal).arg(child.id().to_string()).status().unwrap();
        assert!(sent.success());
        assert_eq!(child.wait().unwrap().code(), Some(code), "{signal}");
        assert_eq!(names(dir.path()), [""; 0], "{signal}");
    }
}

/// `nohup` and jobs in the background of a script rely on this.
#[test]
fn a_signal_that_is_to_be_ignored_stays_ignored() {
    let dir = folder();
    let mut child = Command::new("sh")
        .args(["-c", "trap '' HUP; exec \"$0\" --exact child --ignored --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .env("RDBTOOL_TEST_JOB", "signal")
        .env("RDBTOOL_TEST_DIR", dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.by_ref().any(|line| line.unwrap() == "writing"));
    let pid = child.id().to_string();
    let send = |signal: &str| Command::new("kill").args([signal, &pid]).status();
    send("-HUP").unwrap();
    thread::sleep(Duration::from_millis(50));
    assert_eq!(names(dir.path()).len(), 1);
    send("-TERM").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn a_file_beyond_the_limit_for_files_is_an_error_not_a_death() {
    let dir = folder();
    let output = Command::new("sh")
        .args(["-c", "ulimit -f 1024; exec \"$0\" --exact child --ignored --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .env("RDBTOOL_TEST_JOB", "too large")
        .env("RDBTOOL_TEST_DIR", dir.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("os error 27"), "{text}");
    assert!(text.contains(&dir.path().join("file").display().to_string()), "{text}");
    assert_eq!(names(dir.path()), [""; 0]);
}
