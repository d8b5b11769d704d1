//! The program from outside: exit statuses, where output goes, and that the way a file comes in makes no
//! difference to what is said of it.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[allow(dead_code)]
#[path = "support/made.rs"]
mod made;
#[allow(dead_code)]
#[path = "support/program.rs"]
mod program;

use std::fs;
use std::io::Write;
use std::path::Path;

use program::{Ran, rdbtool, rdbtool_reading, testdata};
use serde_json::Value;

const SOUND: &str = "testdata/dump.rdb";
const DAMAGED: &str = "testdata/damaged/rdb-badcrc.rdb";
const UNVERIFIED: &str = "testdata/damaged/rdb-zerocrc.rdb";
const AOF: &str = "testdata/damaged/aof-ok.aof";
const PREAMBLE: &str = "testdata/damaged/rdb-dump-as-aofpreamble-trunc.aof";

#[test]
fn exit_status() {
    let rows: &[(&[&str], i32)] = &[
        (&["check", SOUND], 0),
        (&["check", DAMAGED], 1),
        (&["check", UNVERIFIED], 1),
        (&["check", "testdata/damaged/rdb-garbage-tail.rdb"], 1),
        (&["check", "testdata/damaged/rdb-empty.rdb"], 1),
        (&["check", "Cargo.toml"], 1),
        (&["check", PREAMBLE], 1),
        (&["check", "/no/such/file"], 2),
        (&["check", "/proc/self/mem"], 2), // opens, and cannot be read
        (&["check", SOUND, "/no/such/file", DAMAGED], 2),
        (&["check", "src/cli"], 2),
        (&["check", AOF], 2),
        (&["rdb", "check", AOF], 1),
        (&["rdb", "check", SOUND], 0),
        (&["check", "--target", "redis-8.2", SOUND], 0),
        (&["check", "--target", "redis-7.0", SOUND], 1),
        (&["check", "--target", "all", SOUND], 1),
        (&["check", "--target", "redis-9.9", SOUND], 2),
        (&["inspect", SOUND], 0),
        (&["inspect", UNVERIFIED], 0),
        (&["inspect", DAMAGED], 1),
        (&["inspect", "testdata/damaged/rdb-trunc-half.rdb"], 1),
        (&["inspect", "Cargo.toml"], 1),
        (&["inspect", AOF], 2),
        (&["inspect", "/no/such/file"], 2),
        (&["inspect", "--type", "sorted-set", SOUND], 2),
        (&["inspect", "--ttl", "soon", SOUND], 2),
        (&["inspect", "--jobs", "0", SOUND], 2),
        (&["check"], 2),
        (&["frobnicate"], 2),
        (&["--version"], 0),
        (&["check", "--help"], 0),
    ];
    for (args, code) in rows {
        let ran = rdbtool(*args);
        assert_eq!(ran.code, Some(*code), "{args:?}: {ran:?}");
        let told = if *code == 2 { &ran.stderr } else { &ran.stdout };
        assert!(!told.is_empty(), "{args:?} says nothing");
        assert_eq!(*code == 2, ran.stderr.contains("error: "), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn the_verdict_comes_first_and_in_plain_words() {
    let first = |path: &str| {
        let ran = rdbtool(["check", path]);
        ran.stdout.lines().next().unwrap_or_default().to_owned()
    };
    assert!(
        first(SOUND).starts_with("testdata/dump.rdb: OK — redis RDB 12 by redis 8.2.3, 1,825 keys")
    );
    assert!(first(DAMAGED).contains(": DAMAGED — 1 error; "));
    assert!(first(UNVERIFIED).contains(": UNVERIFIED — "));
    assert!(first(UNVERIFIED).contains("nothing vouches for these bytes"));
    assert!(first(PREAMBLE).contains(": UNVERIFIED — "), "{}", first(PREAMBLE));
    let old = first("testdata/rdb/redis-2.4.18/one-set.rdb");
    assert!(
        old.contains(": UNVERIFIED — ") && old.contains("no checksum in this version"),
        "{old}"
    );
}

#[test]
fn quiet_and_verbose() {
    let normal = rdbtool(["check", DAMAGED]);
    let quiet = rdbtool(["check", "--quiet", DAMAGED]);
    assert!(normal.stdout.contains("advice: ") && !quiet.stdout.contains("advice: "));
    assert!(quiet.stdout.contains("error rdb-crc at 0x8a60 (35424)"), "{}", quiet.stdout);
    let many = "testdata/damaged/rdb-zerofill-mid.rdb";
    let count = |args: &[&str]| rdbtool(args).stdout.matches("error dup-field at ").count();
    assert_eq!(count(&["check", many]), 5);
    assert!(count(&["check", "--verbose", many]) > 100);
}

#[test]
fn aof_files_are_told_and_in_folders_skipped() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(testdata("dump.rdb"), folder.path().join("a.rdb")).unwrap();
    fs::copy(testdata("damaged/aof-ok.aof"), folder.path().join("b.aof")).unwrap();
    fs::write(folder.path().join("notes.txt"), "not a dump").unwrap();
    let ran = rdbtool([Path::new("check"), folder.path()]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stdout.matches(".rdb: OK").count(), 1, "{}", ran.stdout);
    assert!(ran.stderr.starts_with("note: ") && ran.stderr.contains("b.aof"), "{}", ran.stderr);
    let quiet = rdbtool(["check", "--quiet", &folder.path().to_string_lossy()]);
    assert_eq!(quiet.stderr, "");
    let named = rdbtool(["check", AOF]);
    assert!(named.stderr.contains("AOF files are not read yet by this version"), "{named:?}");
}

#[test]
fn several_files_end_with_a_summary() {
    let ran = rdbtool(["check", SOUND, DAMAGED, UNVERIFIED]);
    assert_eq!(ran.stdout.lines().last(), Some("3 files: 1 ok, 1 unverified, 1 damaged"));
    let lines = rdbtool(["check", "--json", SOUND, DAMAGED, UNVERIFIED]).json();
    let verdicts: Vec<_> = lines.iter().map(|file| file["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["ok", "damaged", "unverified"]);
}

/// JSON without what may differ between ways to read a file.
fn facts(ran: &Ran) -> Vec<Value> {
    let mut files = ran.json();
    for file in &mut files {
        let object = file.as_object_mut().unwrap();
        object.remove("file").unwrap();
        object.remove("compression").unwrap();
    }
    files
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// Many small keys and a few of everything else, over several chunks.
fn large() -> Vec<u8> {
    let mut rdb = made::Rdb::redis(11).aux("redis-ver", "7.2.6").aux("ctime", "1795357326").db(0);
    for n in 0..60_000u32 {
        let key = format!("user:{}:{n}", n % 17);
        rdb = match n % 5 {
            0 => rdb.expire_ms(1_795_357_326_000 + i64::from(n) * 1000).string(&key, "x"),
            1 => rdb.key(2, &key, made::b().len(2).str("a").str(format!("b{n}"))),
            2 => rdb.packed(16, &key, made::lp_texts(&["field", &"v".repeat(n as usize % 90)])),
            // Every tenth of these has a member twice.
            3 if n % 50 == 3 => rdb.key(2, &key, made::b().len(2).str("a").str("a")),
            _ => rdb.string(&key, &"y".repeat(n as usize % 200)),
        };
    }
    rdb.end()
}

const NOW: &str = "--now=1795400000";

#[test]
fn the_way_in_makes_no_difference() {
    let folder = tempfile::tempdir().unwrap();
    let large = large();
    let samples = ["dump.rdb", "damaged/rdb-badcrc.rdb", "damaged/rdb-trunc-half.rdb"];
    let mut files: Vec<Vec<u8>> = samples.map(|name| fs::read(testdata(name)).unwrap()).into();
    files.push(large);
    for data in &files {
        let plain = folder.path().join("plain.rdb");
        let gz = folder.path().join("dump.gz");
        let zst = folder.path().join("dump.zst");
        fs::write(&plain, data).unwrap();
        fs::write(&gz, gzip(data)).unwrap();
        fs::write(&zst, zstd::encode_all(data.as_slice(), 1).unwrap()).unwrap();
        for verb in ["check", "inspect"] {
            let by_name = |path: &Path| rdbtool([verb, "--json", NOW, &path.to_string_lossy()]);
            let want = by_name(&plain);
            assert!(!want.json().is_empty());
            for (way, got) in [
                ("gzip", by_name(&gz)),
                ("zstd", by_name(&zst)),
                ("stdin", rdbtool_reading(&[verb, "--json", NOW, "-"], data)),
                ("gzip on stdin", rdbtool_reading(&[verb, "--json", NOW, "-"], &gzip(data))),
            ] {
                assert_eq!(got.code, want.code, "{verb} {way}");
                assert_eq!(facts(&got), facts(&want), "{verb} {way}");
            }
        }
    }
}

#[test]
fn the_number_of_jobs_makes_no_difference() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.rdb");
    let mut data = large();
    fs::write(&path, &data).unwrap();
    // Damage that stops the reading half-way.
    let half = data.len() / 2;
    data.splice(half..half + 4, [0xff; 4]);
    let broken = folder.path().join("broken.rdb");
    fs::write(&broken, &data).unwrap();
    let paths = [path.to_string_lossy(), broken.to_string_lossy(), SOUND.into()];
    for verb in [
        &["check", "--verbose"][..],
        &["inspect", "--top=50"],
        &["check", "--json"],
        &["inspect", "--json"],
    ] {
        let with = |jobs: &str| {
            let paths = paths.iter().map(|path| path.as_ref());
            rdbtool(verb.iter().copied().chain([NOW, "--jobs", jobs]).chain(paths))
        };
        let one = with("1");
        assert_eq!(one.code, Some(1), "{}", one.stderr);
        for jobs in ["2", "3", "8"] {
            assert_eq!(with(jobs), one, "{verb:?} with {jobs} jobs");
        }
    }
}

#[test]
fn damaged_compression_is_no_verdict_on_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.rdb.gz");
    let mut data = gzip(&fs::read(testdata("dump.rdb")).unwrap());
    data.truncate(data.len() / 2);
    fs::write(&path, &data).unwrap();
    let ran = rdbtool([Path::new("check"), &path]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    assert!(ran.stderr.contains("error: cannot decompress"), "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
}

#[test]
fn output_goes_to_a_file_when_it_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report.json");
    let out_arg = out.to_string_lossy();
    fs::write(&out, "before").unwrap();
    let ran = rdbtool(["check", "--json", "--output", &out_arg, SOUND]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""));
    let want = rdbtool(["check", "--json", SOUND]).stdout;
    assert_eq!(fs::read_to_string(&out).unwrap(), want);
    // An unreadable input is told; what could be read is written.
    let ran = rdbtool(["check", "--json", "-o", &out_arg, SOUND, "/no/such/file"]);
    assert_eq!(ran.code, Some(2));
    assert_eq!(fs::read_to_string(&out).unwrap(), want);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    assert_eq!(rdbtool(["check", "-o", "/dev/null", SOUND]).code, Some(0));
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn an_input_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("dump.rdb");
    let link = folder.path().join("link.rdb");
    fs::copy(testdata("dump.rdb"), &dump).unwrap();
    std::os::unix::fs::symlink(&dump, &link).unwrap();
    let before = fs::read(&dump).unwrap();
    for (input, output) in [(&dump, &dump), (&link, &dump), (&dump, &link)] {
        let ran = rdbtool([Path::new("check"), input, Path::new("-o"), output]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains("is an input"), "{}", ran.stderr);
    }
    let ran = rdbtool([Path::new("check"), folder.path(), Path::new("-o"), &dump]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert_eq!(fs::read(&dump).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_closed_pipe_is_quiet() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_rdbtool"))
        .args(["check", "--json", "testdata/made", "testdata/rdb"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn filters_choose_keys() {
    let keys = |args: &[&str]| {
        let args = ["inspect", "--json", SOUND].into_iter().chain(args.iter().copied());
        rdbtool(args).json()[0]["keys"].as_u64().unwrap()
    };
    let all = keys(&[]);
    assert_eq!(keys(&["--db", "0"]) + keys(&["--db", "1"]), all);
    assert_eq!(keys(&["--key", "user:*"]) + keys(&["--not-key", "user:*"]), all);
    assert_eq!(keys(&["--ttl", "none"]) + keys(&["--ttl", "any"]), all);
    assert_eq!(keys(&["--min-size", "100"]) + keys(&["--max-size", "99"]), all);
    let types = ["string", "list", "set", "zset", "hash", "stream", "vectorset"];
    assert_eq!(types.iter().map(|name| keys(&["--type", name])).sum::<u64>(), all);
}

#[test]
fn colours_only_where_wanted() {
    let plain = rdbtool(["check", DAMAGED]);
    assert!(!plain.stdout.contains('\x1b'));
    let coloured = rdbtool(["check", "--color", "always", DAMAGED]);
    let stripped = anstream::adapter::strip_str(&coloured.stdout).to_string();
    assert!(coloured.stdout.contains("\x1b[1m\x1b[31mDAMAGED\x1b[0m"), "{}", coloured.stdout);
    assert_eq!(stripped, plain.stdout);
}
