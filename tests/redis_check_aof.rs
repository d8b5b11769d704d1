//! Called as redis-check-aof, the program says of every AOF of the test data what the originals say, or
//! more where they look away; and cuts as `--fix` and `--truncate-to-timestamp` cut.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[allow(dead_code)]
#[path = "support/program.rs"]
mod program;
#[path = "support/servers.rs"]
mod servers;

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use program::{Ran, testdata};
use servers::{Family, ServerBinary};

/// The program under the other name.
struct Face(tempfile::TempDir);

impl Face {
    fn new() -> Face {
        let folder = tempfile::tempdir().unwrap();
        symlink(env!("CARGO_BIN_EXE_rdbtool"), folder.path().join("redis-check-aof")).unwrap();
        Face(folder)
    }

    fn run(&self, args: &[&OsStr]) -> Ran {
        program::run(&self.0.path().join("redis-check-aof"), args, &[])
    }

    fn check(&self, path: &Path) -> Ran {
        self.run(&[path.as_os_str()])
    }

    fn fix(&self, path: &Path) -> Ran {
        self.run(&["--fix".as_ref(), path.as_os_str()])
    }

    fn until(&self, seconds: i64, path: &Path) -> Ran {
        let seconds = seconds.to_string();
        self.run(&["--truncate-to-timestamp".as_ref(), seconds.as_ref(), path.as_os_str()])
    }
}

/// What the originals pass over or give up on, and ours tells: (file, why).
const STRICTER: [(&str, &str); 2] = [
    ("aof-stray.aof", "servers end at some of these commands, or leave their data"),
    ("aof-unknown-cmd.aof", "no server loads a command that it does not know"),
];

/// Lines of facts, the same in all versions from 7.0 on: what was analyzed, and the last word.
fn facts(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.trim_end());
    let told = lines.filter(|line| {
        line.starts_with("AOF analyzed: ")
            || line.ends_with(" is valid")
            || line.ends_with(" is empty")
            || line.starts_with("Start ")
            || *line == "All AOF files and manifest are valid"
    });
    told.map(str::to_owned).collect()
}

/// The numbers of the lines that analyze, but for that of lines: the originals count to where they
/// stopped, and not to what is sound.
fn analyzed(text: &str) -> Vec<String> {
    let lines = facts(text).into_iter().filter(|line| line.starts_with("AOF analyzed: "));
    let field = |line: &str, name: &str| {
        let found = line.split(", ").find_map(|part| part.strip_prefix(&format!("{name}=")));
        found.unwrap_or_else(|| panic!("no {name} in {line}")).to_owned()
    };
    let numbers = |line: String| {
        let of = |name: &str| format!("{name}={}", field(&line, name));
        ["size", "ok_up_to", "diff"].map(of).join(" ")
    };
    lines.map(numbers).collect()
}

/// AOFs and manifests below a folder.
fn aofs(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let extension = path.extension().and_then(OsStr::to_str);
            match extension {
                _ if path.is_dir() => folders.push(path),
                Some("aof" | "manifest") => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

/// Those whose tool knows manifests and names the file it analyzes.
fn originals() -> impl Iterator<Item = &'static ServerBinary> {
    servers::all().iter().filter(|server| server.version >= (7, 0, 0))
}

fn theirs(server: &ServerBinary, args: &[&OsStr]) -> (Option<i32>, String) {
    let output = server.check_aof(args).expect("it comes to an end");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn says_of_sound_files_what_the_originals_say() {
    let face = Face::new();
    let files = aofs(&testdata("aof"));
    assert!(files.len() >= 8, "{files:?}");
    for server in originals() {
        for path in &files {
            let of_valkey_9 = path.display().to_string().contains("valkey-9");
            if of_valkey_9 && path.extension() == Some("manifest".as_ref()) {
                // None of them, that of Valkey 9.1 itself included, reads a VALKEY base (FORMATS C.1).
                assert_eq!(face.check(path).code, Some(0));
                assert_eq!(theirs(server, &[path.as_os_str()]).0, Some(1), "{}", server.name);
                continue;
            }
            let (code, text) = theirs(server, &[path.as_os_str()]);
            let ours = face.check(path);
            let name = path.display();
            assert_eq!(
                (ours.code, code),
                (Some(0), Some(0)),
                "{} on {name}: {ours:?}",
                server.name
            );
            assert_eq!(facts(&ours.stdout), facts(&text), "{} on {name}", server.name);
        }
    }
}

#[test]
fn says_of_damaged_files_what_the_originals_say_or_more() {
    let face = Face::new();
    let mut same = 0;
    for server in originals() {
        for path in aofs(&testdata("damaged")) {
            let (code, text) = theirs(server, &[path.as_os_str()]);
            let ours = face.check(&path);
            let name = path.strip_prefix(testdata("damaged")).unwrap().display().to_string();
            let context = format!("{} on {name}: {text}\n{}", server.name, ours.stdout);
            if STRICTER.iter().any(|(file, _)| *file == name) {
                assert_eq!((ours.code, code), (Some(1), Some(0)), "{context}");
                continue;
            }
            assert_eq!(ours.code, code, "{context}");
            // They stop at the first file that is not sound, ours looks at all of them.
            let (ours, theirs) = (analyzed(&ours.stdout), analyzed(&text));
            let known = ours.iter().take(theirs.len()).cloned().collect::<Vec<_>>();
            assert_eq!(known, theirs, "{context}");
            same += 1;
        }
    }
    let servers = originals().count();
    assert!(same >= servers * 15, "only {same} comparisons with {servers} servers");
}

/// The same for Redis 8.6.3, which wrote and judged the damaged files: `rdbtool check` exits as it did,
/// and what is valid ends where it ended, but for what servers refuse and it passed.
#[test]
fn says_what_the_verdicts_of_8_6_3_say() {
    let table = fs::read_to_string(testdata("damaged/VERDICTS.tsv")).unwrap();
    let mut seen = 0;
    for row in table.lines().skip(1) {
        let [name, _, rc, output] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("a row of four cells: {row}");
        };
        if name.starts_with("rdb-") && !name.ends_with(".aof") {
            continue;
        }
        seen += 1;
        let path = testdata("damaged").join(name.trim_end_matches('/'));
        let ran = program::rdbtool([OsStr::new("check"), OsStr::new("--json"), path.as_os_str()]);
        let stricter = STRICTER.iter().any(|(file, _)| *file == name);
        let want = if stricter { 1 } else { rc.parse().unwrap() };
        assert_eq!(ran.code, Some(want), "{name}: {}", ran.stdout);
        let ok_up_to = output.split("ok_up_to=").nth(1).and_then(|rest| rest.split(',').next());
        if let Some(ok_up_to) = ok_up_to.filter(|_| !stricter && !path.is_dir()) {
            let valid = &ran.json()[0]["valid_up_to"];
            assert_eq!(*valid, ok_up_to.parse::<u64>().unwrap(), "{name}");
        }
    }
    assert!(seen >= 21, "{seen} files");
}

/// A copy of a file of the test data, to be cut.
fn copy_of(name: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let from = testdata(name);
    let to = dir.path().join(from.file_name().unwrap());
    if from.is_dir() {
        fs::create_dir(&to).unwrap();
        for entry in fs::read_dir(&from).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    } else {
        fs::copy(&from, &to).unwrap();
    }
    (dir, to)
}

/// What is damaged at its end is cut where the originals cut it, without a question and with the tail
/// saved, and is sound to them afterwards.
#[test]
fn cuts_where_the_originals_cut() {
    let face = Face::new();
    let samples = [
        "aof-trunc-midcmd.aof",
        "aof-trunc-in-multi.aof",
        "aof-trunc-in-exec.aof",
        "aof-zerofill-tail.aof",
        "aof-zerofill-mid.aof",
        "aof-garbage-mid.aof",
        "aof-badlen-mid.aof",
        "aof-badargc.aof",
        "rdb-dump-as-aofpreamble-trunc.aof",
    ];
    for sample in samples {
        let (dir, path) = copy_of(&format!("damaged/{sample}"));
        let old = fs::read(&path).unwrap();
        let found = analyzed(&face.check(&path).stdout);
        let ran = face.fix(&path);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{sample}: {ran:?}");
        assert!(!ran.stdout.contains("Continue?"), "{}", ran.stdout);
        assert!(ran.stdout.contains("Successfully truncated AOF "), "{}", ran.stdout);
        let new = fs::read(&path).unwrap();
        assert!(found[0].contains(&format!("ok_up_to={} ", new.len())), "{found:?}");
        let tail = dir.path().join(format!("{sample}.tail-{}", new.len()));
        assert!([new, fs::read(tail).unwrap()].concat() == old, "{sample}");
        for server in originals() {
            assert_eq!(theirs(server, &[path.as_os_str()]).0, Some(0), "{} {sample}", server.name);
        }
        let again = face.fix(&path);
        assert_eq!(
            (again.code, fs::metadata(&path).unwrap().len() < old.len() as u64),
            (Some(0), true)
        );
    }
}

/// Where a person can answer, it asks, and takes nothing but a yes for one.
#[test]
fn asks_on_a_terminal() {
    if Command::new("script").arg("--version").output().is_err() {
        let told = "SKIP: no script(1), so no terminal to ask on\n";
        let _ = io::stderr().write_all(told.as_bytes());
        return;
    }
    let face = Face::new();
    let program = face.0.path().join("redis-check-aof");
    for (answer, code, len) in [("n\n", 1, 3644), ("\n", 1, 3644), ("y\n", 0, 3618)] {
        let (_dir, path) = copy_of("damaged/aof-trunc-midcmd.aof");
        let line = format!("{} --fix {}", program.display(), path.display());
        let args = ["-qec", &line, "/dev/null"];
        let ran = program::run(Path::new("script"), args, answer.as_bytes());
        assert!(ran.stdout.contains("Continue? [y/N]: "), "{ran:?}");
        assert_eq!((ran.code, fs::metadata(&path).unwrap().len()), (Some(code), len), "{ran:?}");
        assert_eq!(ran.stdout.contains("Aborting..."), code == 1, "{ran:?}");
    }
}

#[test]
fn does_not_cut_what_it_should_not() {
    let face = Face::new();
    // Nothing would be left: the originals leave a file of no bytes.
    let (dir, path) = copy_of("damaged/aof-ok.aof");
    fs::write(&path, b"?").unwrap();
    let ran = face.fix(&path);
    assert_eq!((ran.code, fs::read(&path).unwrap()), (Some(1), b"?".to_vec()), "{ran:?}");
    assert!(ran.stdout.contains("--accept-loss"), "{}", ran.stdout);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    // A file that is not the last: the originals refuse the manifest, but cut the file by its own name.
    let (_dir, folder) = copy_of("damaged/mp-trunc-notlast");
    for name in ["appendonly.aof.manifest", "appendonly.aof.2.incr.aof"] {
        let ran = face.fix(&folder.join(name));
        assert_eq!(ran.code, Some(1), "{name}: {ran:?}");
        let same = fs::read(testdata("damaged/mp-trunc-notlast").join("appendonly.aof.2.incr.aof"));
        assert!(fs::read(folder.join("appendonly.aof.2.incr.aof")).unwrap() == same.unwrap());
    }
    // Cutting does not help.
    let (_dir, path) = copy_of("damaged/aof-nested-multi.aof");
    let ran = face.fix(&path);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(fs::metadata(&path).unwrap().len(), 3679);
    // The last file of several.
    let (_dir, folder) = copy_of("damaged/mp-trunc-incr");
    let ran = face.fix(&folder.join("appendonly.aof.manifest"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(fs::metadata(folder.join("appendonly.aof.2.incr.aof")).unwrap().len(), 3618);
    assert_eq!(face.check(&folder.join("appendonly.aof.manifest")).code, Some(0));
}

#[test]
fn goes_back_to_a_time_as_the_originals_do() {
    let face = Face::new();
    let sample = "aof/redis-7.0.15-timestamps/appendonlydir";
    let name = "appendonly.aof.1.incr.aof";
    let bytes = fs::read(testdata(sample).join(name)).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    let stamps = text.match_indices("#TS:").map(|(at, _)| {
        let line = text[at + 4..].lines().next().unwrap();
        line.trim_end().parse::<i64>().unwrap()
    });
    let stamps: Vec<_> = stamps.collect();
    let Some(server) = originals().find(|server| server.family == Family::Redis) else { return };
    let last = *stamps.last().unwrap();
    for seconds in stamps.iter().step_by(stamps.len() / 4 + 1).copied().chain([last, last + 100]) {
        let ((_a, ours), (_b, original)) = (copy_of(sample), copy_of(sample));
        let ran = face.until(seconds, &ours.join(name));
        let seconds_arg = seconds.to_string();
        let original = original.join(name);
        let args =
            ["--truncate-to-timestamp".as_ref(), OsStr::new(&seconds_arg), original.as_os_str()];
        let (code, said) = theirs(server, &args);
        assert_eq!(ran.code, code, "{seconds}: {ran:?}\n{said}");
        let (cut, theirs) = (fs::read(ours.join(name)).unwrap(), fs::read(&original).unwrap());
        assert_eq!(cut.len(), theirs.len(), "{seconds}: {}\n{said}", ran.stdout);
        for word in ["Successfully truncated AOF", "Truncate nothing in AOF"] {
            assert_eq!(ran.stdout.contains(word), said.contains(word), "{}\n{said}", ran.stdout);
        }
    }
    // To a time before everything: neither leaves nothing.
    let (_dir, folder) = copy_of(sample);
    let ran = face.until(1, &folder.join("appendonly.aof.manifest"));
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(fs::read(folder.join(name)).unwrap() == bytes);
}

#[test]
fn takes_its_arguments() {
    let face = Face::new();
    let usage = "Usage: redis-check-aof [--fix|--truncate-to-timestamp $timestamp] \
                 <file.manifest|file.aof>\n";
    let wrong: [&[&str]; 4] =
        [&[], &["a", "b"], &["--truncate-to-timestamp", "soon", "a"], &["--fix", "a", "b"]];
    for args in wrong {
        let args: Vec<_> = args.iter().map(OsStr::new).collect();
        let ran = face.run(&args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), usage), "{args:?}");
    }
    let missing = face.check(Path::new("/no/such/file"));
    assert!(missing.code == Some(1) && missing.stderr.contains("/no/such/file"), "{missing:?}");
    let version = face.run(&["--version".as_ref()]);
    assert!(version.code == Some(0) && version.stdout.starts_with("redis-check-aof "));
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty.aof");
    fs::write(&empty, b"").unwrap();
    let ran = face.check(&empty);
    assert_eq!(ran.code, Some(0));
    assert!(ran.stdout.ends_with("empty.aof is empty\n"), "{}", ran.stdout);
}

/// What comes from a file or its name reaches a terminal escaped.
#[test]
fn escapes() {
    let face = Face::new();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a\x1b[2Jb.aof");
    fs::write(&path, b"*1\r\n$7\r\nX\x1b]0;y\x07\r\n*1\r\n$4\r\nPING\r\n").unwrap();
    let ran = face.fix(&path);
    assert_eq!(ran.code, Some(1));
    assert!(!ran.stdout.contains('\x1b') && !ran.stderr.contains('\x1b'), "{ran:?}");
}
