//! The program from outside: exit statuses, where output goes, and that the way a file comes in makes no
//! difference to what is said of it.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[allow(dead_code)]
#[path = "support/made.rs"]
mod made;
#[allow(dead_code)]
#[path = "support/program.rs"]
mod program;

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::Path;

use program::{Ran, rdbtool, rdbtool_reading, testdata};
use serde_json::Value;

const SOUND: &str = "testdata/dump.rdb";
const DAMAGED: &str = "testdata/damaged/rdb-badcrc.rdb";
const UNVERIFIED: &str = "testdata/damaged/rdb-zerocrc.rdb";
const AOF: &str = "testdata/damaged/aof-ok.aof";
const CUT: &str = "testdata/damaged/aof-trunc-midcmd.aof";
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
        (&["check", AOF], 0),
        (&["aof", "check", AOF], 0),
        (&["check", AOF, CUT], 1),
        (&["check", "testdata/damaged/aof-unknown-cmd.aof"], 1),
        (&["check", "testdata/damaged/mp-trunc-notlast"], 1),
        (&["check", "testdata/damaged/mp-missing-manifest"], 1),
        (&["check", "testdata/aof"], 0),
        (&["aof", "check", "Cargo.toml"], 1),
        (&["aof", "check", "--target", "redis-7.0", AOF], 0),
        (&["check", "--target", "redis-7.0", "testdata/damaged/aof-unknown-cmd.aof"], 1),
        (&["check", "--appendonly", "yes", "testdata/aof/redis-7.0.15-preamble"], 0),
        (&["check", "--appendonly", "yes", "testdata/damaged/mp-trunc-incr"], 1),
        (&["check", "--fix", "--dry-run", AOF], 0),
        (&["check", "--fix", "--dry-run", CUT], 1),
        (&["check", "--fix", "--dry-run", SOUND], 0),
        (&["check", "--fix", "--dry-run", DAMAGED], 1),
        (&["check", "--fix", "--dry-run", "--recovery", "much", DAMAGED], 2),
        (&["check", "--salvage", DAMAGED], 2),
        (&["check", "--fix", "-"], 2),
        (&["check", "--fix", "--key", "a*", AOF], 2),
        (&["check", "--fix", "--target", "redis-7.0", AOF], 2),
        (&["rdb", "check", "--fix", "--dry-run", SOUND], 0),
        (&["check", "--accept-loss", AOF], 2),
        (&["check", "--dry-run", AOF], 2),
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
    assert_eq!(
        first(PREAMBLE).split_once(": ").unwrap().1,
        "DAMAGED — 1 error; AOF, redis RDB 10 by redis 7.0.15 with 45 keys, 119 commands in 1 db, 3 \
         transactions, 38.2 KiB, valid up to 0x988a (39050), 24 bytes behind that"
    );
    assert_eq!(
        first(AOF),
        format!("{AOF}: OK — AOF, 120 commands in 2 dbs, 3 transactions, 3.56 KiB")
    );
    assert_eq!(
        first("testdata/aof/redis-7.0.15-preamble").split_once(": ").unwrap().1,
        "OK — AOF of 2 files, 1,734 commands, 107 KiB"
    );
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
fn a_folder_of_rdbs_and_aofs_is_checked_as_what_each_file_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(testdata("dump.rdb"), folder.path().join("a.rdb")).unwrap();
    fs::copy(testdata("damaged/aof-ok.aof"), folder.path().join("b.aof")).unwrap();
    let parts = folder.path().join("c/appendonlydir");
    fs::create_dir_all(&parts).unwrap();
    for entry in fs::read_dir(testdata("aof/redis-7.0.15-preamble/appendonlydir")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), parts.join(entry.file_name())).unwrap();
    }
    fs::write(folder.path().join("notes.txt"), "not a dump").unwrap();
    let ran = rdbtool([Path::new("check"), folder.path()]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    let heads: Vec<_> = ran.stdout.lines().filter(|line| line.contains(": OK — ")).collect();
    // The manifest's parts come below it, and not by themselves.
    let names = ["a.rdb", "b.aof", "appendonly.aof.manifest", ".2.base.rdb", ".2.incr.aof"];
    assert_eq!(heads.len(), names.len(), "{}", ran.stdout);
    for (head, name) in heads.iter().zip(names) {
        assert!(head.split_once(": OK").unwrap().0.ends_with(name), "{head}");
    }
    assert_eq!(ran.stdout.lines().last(), Some("3 files: 3 ok"));
    // Named an RDB, an AOF is a damaged one, and a folder's AOF of several files is passed over.
    let rdb = rdbtool([Path::new("rdb"), Path::new("check"), folder.path()]);
    assert_eq!(rdb.code, Some(1));
    assert!(rdb.stderr.starts_with("note: ") && rdb.stderr.contains("manifest"), "{}", rdb.stderr);
    let quiet = rdbtool(["rdb", "check", "--quiet", &folder.path().to_string_lossy()]);
    assert_eq!(quiet.stderr, "");
}

#[test]
fn json_of_aofs() {
    let set = &rdbtool(["check", "--json", "testdata/damaged/mp-trunc-notlast"]).json()[0];
    assert_eq!((&set["format"], &set["verdict"]), (&"aof-set".into(), &"damaged".into()));
    assert_eq!(set["findings"][0]["code"], "aof-not-last");
    let parts = set["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 3);
    assert_eq!(parts[0]["preamble"]["keys"], 45);
    assert_eq!((&parts[1]["valid_up_to"], &parts[1]["size"]), (&1801.into(), &1830.into()));
    let plain = &rdbtool(["check", "--json", AOF]).json()[0];
    assert_eq!((&plain["format"], &plain["commands"]), (&"aof".into(), &120.into()));
    let folder = tempfile::tempdir().unwrap();
    fs::copy(testdata("dump.rdb"), folder.path().join("dump.rdb")).unwrap();
    let data = folder.path().to_string_lossy();
    let lines = rdbtool(["check", "--json", "--appendonly", "yes", &data]).json();
    let startup = lines.last().unwrap();
    assert_eq!(startup["format"], "startup");
    assert_eq!(startup["loads"].as_array().unwrap().len(), 0);
    assert_eq!(startup["findings"][0]["code"], "start-ignores-rdb");
}

#[test]
fn a_configuration_says_which_files_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::copy(testdata("dump.rdb"), data.join("dump.rdb")).unwrap();
    let config = folder.path().join("redis.conf");
    let check = |text: &str| {
        fs::write(&config, text).unwrap();
        rdbtool([Path::new("check"), Path::new("--config"), &config])
    };
    let plain = check("dir data\nappendonly no\n");
    assert_eq!(plain.code, Some(0), "{plain:?}");
    assert!(plain.stdout.contains("dump.rdb: OK — "), "{}", plain.stdout);
    assert!(plain.stdout.contains("with `appendonly no` a server loads 1 file\n"));
    // The trap: the data is there, and the server would start without it.
    let trap = check("dir data\nappendonly yes\n");
    assert_eq!(trap.code, Some(1), "{trap:?}");
    assert!(trap.stdout.contains("a server starts without data"), "{}", trap.stdout);
    assert!(trap.stdout.contains("start-ignores-rdb"), "{}", trap.stdout);
    let odd = check("dir \"data\n");
    assert_eq!(odd.code, Some(2));
    assert!(odd.stderr.contains("line 1"), "{}", odd.stderr);
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
        // Only a file that can be read again is asked what a repair could do.
        object.remove("repair");
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

/// More than the findings that are kept, all harmless, and behind them damage under a sound checksum: whatever
/// is kept, it is called damaged, and nothing is made of it.
#[test]
fn what_is_harmless_hides_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let (rdb, aof) = (folder.path().join("a.rdb"), folder.path().join("a.aof"));
    let empty = |rdb: made::Rdb, n| rdb.key(2, &format!("k{n}"), made::b().len(0));
    let many = (0..1100).fold(made::Rdb::redis(11).db(0), empty);
    fs::write(&rdb, many.packed(16, "bad", b"abcd".to_vec()).end()).unwrap();
    let lines = "*1\n$4\r\nPING\r\n".repeat(1100) + "*1\r\n$7\r\nUNKNOWN\r\n";
    fs::write(&aof, lines).unwrap();
    let out = folder.path().join("out");
    // Inspecting an AOF asks what is in it, not whether servers know it.
    for (file, inspected) in [(&rdb, 1), (&aof, 0)] {
        for limit in ["0", "1", "1000", "5000"] {
            let ran = |args: &[&str]| {
                let limit = format!("--max-findings={limit}");
                let paths = [file.as_os_str(), limit.as_ref()];
                rdbtool(args.iter().map(|arg| OsStr::new(*arg)).chain(paths))
            };
            let check = ran(&["check", "--json"]);
            let said = &check.json()[0];
            let counted = said["findings"].as_array().unwrap().len() as u64
                + said["dropped"].as_u64().unwrap();
            assert_eq!((check.code, &said["verdict"]), (Some(1), &"damaged".into()), "{limit}");
            assert!(counted >= 1101, "{counted} with {limit}");
            let to = out.to_str().unwrap();
            let convert = ran(&["convert", "--target=redis-7.2", "-o", to]);
            assert_eq!(convert.code, Some(2), "{limit}: {}", convert.stdout);
            assert!(!out.exists());
            assert_ne!(ran(&["repair", "--dry-run"]).code, Some(0), "{limit}");
            assert_eq!(ran(&["replay"]).code, Some(1), "{limit}");
            assert_eq!(ran(&["inspect"]).code, Some(inspected), "{limit}");
        }
    }
}

/// What decides is found wherever it is, and what is told is the same in every run.
#[test]
fn no_limit_decides() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: Vec<u8>| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    // Of two libraries with one name servers refuse the second.
    let library = |rdb: made::Rdb, n| {
        rdb.raw(made::b().u8(245).str(format!("#!lua name=l{}\nx", n % 10_000)).0)
    };
    let libraries = put("a.rdb", (0..=10_000).fold(made::Rdb::redis(10), library).end());
    let ran = rdbtool(["check", &libraries]);
    assert!(ran.code == Some(1) && ran.stdout.contains("beside-limit"), "{}", ran.stdout);
    // A field twice is refused in a hash that is built as a table, of more than 512 fields.
    let hash = |rdb: made::Rdb, key: &str, len: usize| {
        let fields = (0..len).map(|n| format!("f{}", n.max(1)));
        let fields = fields.fold(made::b().len(len as u64), |to, field| to.str(field).str("v"));
        rdb.key(4, key, fields)
    };
    let small = |rdb, n| hash(rdb, &format!("k{n}"), 2);
    let hashes = (0..1000).fold(made::Rdb::redis(10).db(0), small);
    let hashes = put("b.rdb", hash(hashes, "table", 600).end());
    for limit in ["0", "1000"] {
        let limit = format!("--max-findings={limit}");
        let ran = rdbtool(["check", "--target=redis-7.0", &limit, &hashes]);
        assert!(ran.stdout.contains("refuses it: dup-field"), "{}", ran.stdout);
    }
    let twice = |rdb: made::Rdb, n| rdb.string(&format!("k{}", n % 3000), "v");
    let twice = put("c.rdb", (0..6000).fold(made::Rdb::redis(10).db(0), twice).end());
    let found = || rdbtool(["check", "--json", &twice]).json().remove(0);
    let first = found();
    assert_eq!(
        (first["findings"].as_array().unwrap().len(), &first["dropped"]),
        (1000, &2000.into())
    );
    assert_eq!(first, found());
    // Those of the first 1,000 keys that come again, which are no longer than the others.
    let last = first["findings"][999]["key"].as_str();
    assert_eq!(last, Some("k999"), "{last:?}");
}
