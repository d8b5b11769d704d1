//! Repairing AOFs: what a cut leaves, judged by a slow reader that shares nothing with the crate and by
//! servers that load it; what is refused; and what crashes and errors leave.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

#[path = "support/crash.rs"]
mod crash;
#[path = "support/servers.rs"]
mod servers;

use std::fs;
use std::path::{Path, PathBuf};

use crash::{
    Files, SEED, Scenario, Seen, get, must_survive_errors, must_survive_power_cuts, one_of,
};
use rdbtool::error::{Error, Result};
use rdbtool::finding::Code;
use rdbtool::job::check_aof;
use rdbtool::job::repair_aof::plan::{Consent, Fate, Plan, Reason, Refusal};
use rdbtool::job::repair_aof::run::{Done, Writing, run};
use rdbtool::job::repair_aof::{Options, Set, plan};
use rdbtool::persist::fs::Holder;
use rdbtool::persist::sim::MemFs;
use rdbtool::persist::sim::crash::Random;
use servers::{Server, Setup};

fn testdata(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(path)
}

fn read(path: &str) -> Vec<u8> {
    fs::read(testdata(path)).unwrap()
}

fn options() -> Options {
    Options {
        check: check_aof::Options::default(),
        until: None,
        consent: Consent::default(),
        depth: None,
        unknown_dbs: Vec::new(),
    }
}

fn accepting_loss() -> Options {
    Options { consent: Consent { accept_loss: true, keep_later: false }, ..options() }
}

const AOF: &str = "/data/appendonly.aof";

fn with_file(bytes: &[u8]) -> MemFs {
    let fs = MemFs::new(SEED);
    fs.put(Path::new(AOF), bytes, 0o640);
    fs
}

fn repair(fs: &MemFs, set: &Set, options: &Options, writing: &Writing) -> Result<(Plan, Done)> {
    let plan = plan(fs, set, options)?;
    let done = run(fs, set, &plan, options, writing)?;
    Ok((plan, done))
}

fn in_place(fs: &MemFs, options: &Options) -> Result<(Plan, Done)> {
    repair(fs, &Set::file(Path::new(AOF)), options, &Writing::default())
}

fn refusals(fs: &MemFs, set: &Set, options: &Options) -> Vec<Refusal> {
    let before = fs.files();
    let plan = plan(fs, set, options).unwrap();
    assert!(matches!(
        run(fs, set, &plan, options, &Writing::default()),
        Err(Error::Refused { .. }) | Ok(_)
    ));
    assert!(plan.refusals.is_empty() || fs.files() == before);
    plan.refusals
}

// The oracle: byte by byte, by the grammar that servers write.

/// The number in a header line and where the next line begins.
fn header(bytes: &[u8], at: usize, sign: u8) -> Option<(usize, usize)> {
    if *bytes.get(at)? != sign {
        return None;
    }
    let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let end = at + 1 + digits;
    let number = std::str::from_utf8(&bytes[at + 1..end]).unwrap().parse().ok()?;
    (bytes.get(end..end + 2)? == b"\r\n").then_some((number, end + 2))
}

/// The arguments of the command at a place, and where the next record begins.
fn command(bytes: &[u8], at: usize) -> Option<(Vec<&[u8]>, usize)> {
    let (count, mut at) = header(bytes, at, b'*')?;
    let mut args = Vec::new();
    for _ in 0..count {
        let (len, start) = header(bytes, at, b'$')?;
        args.push(bytes.get(start..start + len)?);
        at = start + len + 2;
        if bytes.get(at - 2..at)? != b"\r\n" {
            return None;
        }
    }
    (count > 0).then_some((args, at))
}

/// Where the bytes of an RDB end: at an EOF opcode and a checksum that is right.
fn preamble(bytes: &[u8]) -> usize {
    if !bytes.starts_with(b"REDIS") {
        return 0;
    }
    let crc = crc::Crc::<u64>::new(&crc::Algorithm {
        width: 64,
        poly: 0xad93_d235_94c9_35a9,
        init: 0,
        refin: true,
        refout: true,
        xorout: 0,
        check: 0xe9c6_d914_c4b8_d9ca,
        residue: 0,
    });
    let mut digest = crc.digest();
    for (at, byte) in bytes.iter().enumerate() {
        digest.update(&[*byte]);
        let sum = digest.clone().finalize().to_le_bytes();
        if *byte == 0xff && bytes.get(at + 1..at + 9) == Some(&sum) {
            return at + 9;
        }
    }
    bytes.len()
}

/// How much of a file is sound: whole commands, whole annotations, no open transaction.
fn sound(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut sound, mut open) = (start, start, false);
    loop {
        if bytes.get(at) == Some(&b'#') {
            let Some(len) = bytes[at..].windows(2).position(|pair| pair == b"\r\n") else { break };
            at += len + 2;
        } else if let Some((args, next)) = command(bytes, at) {
            match args[0].to_ascii_uppercase().as_slice() {
                b"MULTI" => open = true,
                b"EXEC" => open = false,
                _ => {}
            }
            at = next;
        } else {
            break;
        }
        if !open {
            sound = at;
        }
    }
    sound
}

fn encode(args: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        bytes.extend(format!("${}\r\n{arg}\r\n", arg.len()).bytes());
    }
    bytes
}

/// Transactions of some length, annotations inside and between them, values that look like commands.
fn multi_heavy() -> Vec<u8> {
    let mut random = Random::new(7);
    let mut bytes = encode(&["SELECT", "0"]);
    for n in 0..30 {
        if random.below(3) == 0 {
            bytes.extend(format!("#TS:{}\r\n", 1_700_000_000 + n).bytes());
        }
        let transaction = random.below(2) == 0;
        if transaction {
            bytes.extend(encode(&["MULTI"]));
        }
        for m in 0..random.below(4) + 1 {
            let value = "*1\r\n$4\r\nEXEC\r\n".repeat(random.below(3) as usize);
            bytes.extend(encode(&["set", &format!("key:{n}:{m}"), &value]));
            if random.below(8) == 0 {
                bytes.extend(format!("#TS:{}\r\n", 1_700_000_000 + n).bytes());
            }
        }
        if transaction {
            bytes.extend(encode(&["exec"]));
        }
    }
    bytes
}

/// Whole AOFs and where their commands begin. Real ones are cut short, so that every byte can be tried.
fn samples() -> Vec<(&'static str, Vec<u8>, usize)> {
    let short = |path: &str, len: usize| {
        let bytes = read(path);
        let start = preamble(&bytes);
        let end = sound(&bytes[..(start + len).min(bytes.len())], start);
        (bytes[..end].to_vec(), start)
    };
    let (plain, _) = short("aof/redis-2.4.18-plain/appendonly.aof", 4000);
    let (mixed, start) = short("aof/redis-4.0.14-preamble/appendonly.aof", 3000);
    let times = "aof/redis-7.0.15-timestamps/appendonlydir/appendonly.aof.1.incr.aof";
    let (times, _) = short(times, 4000);
    let whole = read("damaged/aof-ok.aof");
    assert!(start > 1000);
    vec![
        ("plain", plain, 0),
        ("preamble", mixed, start),
        ("timestamps", times, 0),
        ("kitchen sink", whole, 0),
        ("transactions", multi_heavy(), 0),
    ]
}

#[test]
fn the_oracle_agrees_with_the_server_on_command_boundaries() {
    for (sample, file) in
        [("redis-7.0.15-timestamps", "1.incr.aof"), ("redis-7.0.15-preamble", "2.incr.aof")]
    {
        let bytes = read(&format!("aof/{sample}/appendonlydir/appendonly.aof.{file}"));
        for (size, _) in digests(sample, file) {
            assert_eq!(sound(&bytes[..size], 0), size, "{sample}");
        }
    }
}

#[test]
fn a_file_cut_at_any_byte_keeps_its_longest_sound_prefix() {
    for (name, whole, start) in samples() {
        // Inside the preamble nothing can be kept: a few of its bytes will do.
        let cuts = (0..start).step_by(101).chain(start..=whole.len());
        for at in cuts {
            let bytes = &whole[..at];
            let want = if at < start { 0 } else { sound(bytes, start) };
            let fs = with_file(bytes);
            let context = format!("{name} cut at {at}");
            if want == 0 && at > 0 {
                let set = Set::file(Path::new(AOF));
                assert_eq!(refusals(&fs, &set, &options()), [Refusal::Everything], "{context}");
                in_place(&fs, &accepting_loss()).expect(&context);
            } else {
                in_place(&fs, &options()).expect(&context);
            }
            let files = fs.files();
            assert_eq!(get(&files, AOF).map(<[u8]>::len), Some(want), "{context}");
            assert_eq!(get(&files, AOF), Some(&bytes[..want]), "{context}");
            let tail = get(&files, &format!("{AOF}.tail-{want}"));
            assert_eq!(tail, (want < at).then_some(&bytes[want..]), "{context}");
            assert_eq!(files.len(), 1 + usize::from(want < at), "{context}: {:?}", files.keys());
            // Nothing is left to do.
            let (again, done) = in_place(&fs, &options()).expect(&context);
            assert!(again.has_nothing_to_do() && done == Done::default(), "{context}");
            assert_eq!(fs.files(), files, "{context}");
        }
    }
}

/// The digests of DEBUG DIGEST that the server which wrote a file had at some of its sizes.
fn digests(sample: &str, file: &str) -> Vec<(usize, String)> {
    let text = String::from_utf8(read(&format!("aof/{sample}/prefixes.tsv"))).unwrap();
    let rows = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let of_file = rows.filter(|row| row[0].ends_with(file));
    of_file.map(|row| (row[1].parse().unwrap(), row[2].to_owned())).collect()
}

/// What servers load: the data of exactly the commands kept, and after more writes and another start
/// all of those as well.
#[test]
fn a_server_loads_what_is_left_and_loses_nothing_later() {
    let sample = "redis-7.0.15-preamble";
    let folder = format!("aof/{sample}/appendonlydir");
    let base = read(&format!("{folder}/appendonly.aof.2.base.rdb"));
    let incr = read(&format!("{folder}/appendonly.aof.2.incr.aof"));
    let manifest = read(&format!("{folder}/appendonly.aof.manifest"));
    let digests = digests(sample, "2.incr.aof");
    let Some(server) = servers::named("redis-7.0.15") else { return };
    let mut random = Random::new(11);
    for _ in 0..8 {
        let (size, digest) = &digests[random.below(digests.len() as u64) as usize];
        // Torn inside the command behind that size, or full of NULs from there on.
        let (_, next) = command(&incr, *size).unwrap();
        let mut torn = incr[..*size + 1 + random.below((next - size - 1) as u64) as usize].to_vec();
        if random.below(2) == 0 {
            torn.truncate(*size);
            torn.extend([0; 4096]);
        }
        let fs = MemFs::new(SEED);
        let at = |name: &str| PathBuf::from("/data/appendonlydir").join(name);
        fs.put(&at("appendonly.aof.2.base.rdb"), &base, 0o644);
        fs.put(&at("appendonly.aof.2.incr.aof"), &torn, 0o644);
        fs.put(&at("appendonly.aof.manifest"), &manifest, 0o644);
        let set = Set::read(&fs, &at("appendonly.aof.manifest")).unwrap();
        repair(&fs, &set, &options(), &Writing::default()).unwrap();
        must_live_on(server, &fs, Some(digest));
    }
}

/// Starts a server on the files below /data, writes, starts another one on what that left.
fn must_live_on(server: &'static servers::ServerBinary, fs: &MemFs, digest: Option<&str>) {
    let files = fs.files().into_iter().map(|(path, bytes)| {
        (path.strip_prefix("/data").unwrap().to_str().unwrap().to_owned(), bytes)
    });
    let lines = vec!["appendonly yes".to_owned(), "appendfsync always".to_owned()];
    let setup = Setup { lines: lines.clone(), files: files.collect() };
    let mut first =
        Server::start(server, &setup).unwrap_or_else(|refused| panic!("{}", refused.log));
    if let Some(digest) = digest {
        assert_eq!(first.digest(), digest, "{}", first.log());
    }
    let log = first.log();
    for word in ["Revert", "truncat", "Truncat", "not the last file"] {
        assert!(!log.contains(word), "the server had to repair something itself:\n{log}");
    }
    for n in 0..20 {
        first.command(&["SET", &format!("later:{n}"), "x"]);
    }
    let digest = first.digest();
    let files = first.shut_down().unwrap();
    let mut second = Server::start(server, &Setup { lines, files }).expect("it starts again");
    assert_eq!(second.digest(), digest, "{}", second.log());
}

/// The same for files cut anywhere: plain, with a preamble, and full of transactions.
#[test]
fn a_server_lives_with_what_is_left_of_any_cut() {
    let Some(server) = servers::named("redis-7.0.15") else { return };
    let mut random = Random::new(23);
    for (name, whole, start) in samples() {
        for _ in 0..4 {
            let at = start + 200 + random.below((whole.len() - start - 200) as u64) as usize;
            let fs = with_file(&whole[..at]);
            in_place(&fs, &options()).unwrap_or_else(|err| panic!("{name} cut at {at}: {err}"));
            must_live_on(server, &fs, None);
        }
    }
}

/// The defect that this is about first of all: a transaction cut off, the server started, more written,
/// and all of that lost at the next start (RELIABILITY 0.1). With the repair in between it is not.
#[test]
fn a_torn_transaction_costs_nothing_later() {
    let Some(server) = servers::named("redis-7.0.15") else { return };
    let mut bytes = encode(&["SELECT", "0"]);
    bytes.extend(encode(&["SET", "before", "x"]));
    let sound = bytes.len();
    bytes.extend(encode(&["MULTI"]));
    bytes.extend(encode(&["SET", "inside", "x"]));
    bytes.extend(&encode(&["SET", "torn", "x"])[..20]);
    let fs = with_file(&bytes);
    let (plan, _) = in_place(&fs, &options()).unwrap();
    assert_eq!(fs.get(Path::new(AOF)).unwrap().len(), sound);
    let lost = plan.lost();
    assert_eq!(
        (lost.commands, lost.keys, lost.names.as_slice()),
        (2, 1, &[b"inside".to_vec()][..])
    );
    must_live_on(server, &fs, None);
}

// Folders.

const MANIFEST: &str = "/data/appendonlydir/a.manifest";

fn put(fs: &MemFs, name: &str, bytes: &[u8]) {
    fs.put(&Path::new("/data/appendonlydir").join(name), bytes, 0o640);
}

fn incr(first: usize, count: usize) -> Vec<u8> {
    let mut bytes = encode(&["SELECT", "0"]);
    for n in first..first + count {
        bytes.extend(encode(&["SET", &format!("key:{n}"), "x"]));
    }
    bytes
}

/// A base and three incr files, the second of them torn in its tenth command of twenty.
fn torn_in_the_middle() -> MemFs {
    let fs = MemFs::new(SEED);
    put(&fs, "a.1.base.aof", &incr(0, 5));
    put(&fs, "a.1.incr.aof", &incr(10, 20));
    let torn = incr(30, 20);
    put(&fs, "a.2.incr.aof", &torn[..torn.len() / 2]);
    put(&fs, "a.3.incr.aof", &incr(50, 20));
    fs.put(
        Path::new(MANIFEST),
        b"file a.1.base.aof seq 1 type b\nfile a.1.incr.aof seq 1 type i\n\
          file a.2.incr.aof seq 2 type i\nfile a.3.incr.aof seq 3 type i endoffset 900\n",
        0o640,
    );
    fs
}

fn set_of(fs: &MemFs) -> Set {
    Set::read(fs, Path::new(MANIFEST)).unwrap()
}

fn text(files: &Files, path: &str) -> String {
    String::from_utf8(get(files, path).unwrap().to_vec()).unwrap()
}

#[test]
fn whole_parts_are_not_lost_unasked() {
    let fs = torn_in_the_middle();
    let refused = refusals(&fs, &set_of(&fs), &options());
    let [Refusal::LaterParts(1, lost)] = &refused[..] else { panic!("{refused:?}") };
    // SELECT and twenty SETs.
    assert_eq!((lost.commands, lost.keys, lost.at_least), (21, 20, false));
}

#[test]
fn accepted_loss_ends_the_aof_at_the_damage() {
    let fs = torn_in_the_middle();
    let before = fs.files();
    let (plan, done) = repair(&fs, &set_of(&fs), &accepting_loss(), &Writing::default()).unwrap();
    let files = fs.files();
    // Its last part has the number of the one that went, so that no server comes to that name again.
    assert_eq!(
        text(&files, MANIFEST),
        "file a.1.base.aof seq 1 type b\nfile a.1.incr.aof seq 1 type i\n\
         file a.2.incr.fixed-1.aof seq 3 type i\n"
    );
    let torn = get(&before, "/data/appendonlydir/a.2.incr.aof").unwrap();
    let fixed = get(&files, "/data/appendonlydir/a.2.incr.fixed-1.aof").unwrap();
    assert_eq!(fixed, &torn[..sound(torn, 0)]);
    // Nothing was removed.
    for (path, bytes) in before.iter().filter(|(path, _)| *path != Path::new(MANIFEST)) {
        assert_eq!(files.get(path), Some(bytes), "{}", path.display());
    }
    let kept: Vec<_> = done.kept.iter().map(|path| path.file_name().unwrap()).collect();
    assert_eq!(kept, ["a.2.incr.aof", "a.3.incr.aof"]);
    assert_eq!(plan.kept_commands(), 6 + 21 + 10);
    let again = repair(&fs, &set_of(&fs), &options(), &Writing::default()).unwrap();
    assert!(again.0.has_nothing_to_do());
}

#[test]
fn later_parts_are_kept_on_request() {
    let fs = torn_in_the_middle();
    let before = fs.files();
    let options =
        Options { consent: Consent { accept_loss: false, keep_later: true }, ..options() };
    let (_, done) = repair(&fs, &set_of(&fs), &options, &Writing::default()).unwrap();
    let files = fs.files();
    assert_eq!(done.cuts.len(), 1);
    assert_eq!(files.get(Path::new(MANIFEST)), before.get(Path::new(MANIFEST)));
    let torn = get(&before, "/data/appendonlydir/a.2.incr.aof").unwrap();
    let cut = get(&files, "/data/appendonlydir/a.2.incr.aof").unwrap();
    assert_eq!(cut, &torn[..sound(torn, 0)]);
}

#[test]
fn the_last_part_is_cut_in_place_and_its_end_offset_forgotten() {
    let fs = torn_in_the_middle();
    put(&fs, "a.2.incr.aof", &incr(30, 20));
    let torn = incr(50, 20);
    put(&fs, "a.3.incr.aof", &[&torn[..], &[0; 700]].concat());
    let (plan, done) = repair(&fs, &set_of(&fs), &options(), &Writing::default()).unwrap();
    let files = fs.files();
    assert_eq!(get(&files, "/data/appendonlydir/a.3.incr.aof"), Some(&torn[..]));
    assert!(text(&files, MANIFEST).ends_with("file a.3.incr.aof seq 3 type i\n"));
    assert_eq!((done.cuts.len(), done.cuts[0].tail_len), (1, 700));
    assert!(plan.lost().is_nothing(), "{:?}", plan.lost());
}

#[test]
fn only_empty_parts_behind_the_damage_are_no_loss() {
    let fs = torn_in_the_middle();
    put(&fs, "a.3.incr.aof", b"");
    let (_, done) = repair(&fs, &set_of(&fs), &options(), &Writing::default()).unwrap();
    assert_eq!(done.cuts.len(), 1);
    assert!(text(&fs.files(), MANIFEST).contains("a.3.incr.aof"));
}

#[test]
fn a_part_that_is_missing() {
    let missing = |name: &str| {
        let fs = MemFs::new(SEED);
        for (path, bytes) in torn_in_the_middle().files() {
            if !path.ends_with(name) {
                let whole = path.ends_with("a.2.incr.aof");
                fs.put(&path, &if whole { incr(30, 20) } else { bytes }, 0o640);
            }
        }
        fs
    };
    let fs = missing("a.3.incr.aof");
    assert!(matches!(refusals(&fs, &set_of(&fs), &options())[..], [Refusal::LaterParts(1, _)]));
    repair(&fs, &set_of(&fs), &accepting_loss(), &Writing::default()).unwrap();
    assert!(text(&fs.files(), MANIFEST).ends_with("file a.2.incr.aof seq 3 type i\n"));
    let fs = missing("a.1.base.aof");
    assert!(matches!(refusals(&fs, &set_of(&fs), &accepting_loss())[..], [Refusal::Base(_)]));
    // Only the base is left, and a server must not come to the numbers of those that went.
    let fs = missing("a.1.incr.aof");
    repair(&fs, &set_of(&fs), &accepting_loss(), &Writing::default()).unwrap();
    let files = fs.files();
    assert_eq!(
        text(&files, MANIFEST),
        "file a.1.base.aof seq 1 type b\nfile a.3.incr.fixed-1.aof seq 3 type i\n"
    );
    assert_eq!(get(&files, "/data/appendonlydir/a.3.incr.fixed-1.aof"), Some(&b""[..]));
}

/// Servers take the names and numbers that a repair chooses, append to the last part, rewrite, and do not
/// bring back what was left out.
#[test]
fn servers_go_on_with_a_repaired_folder() {
    for name in ["redis-7.0.15", "redis-8.2.3", "valkey-8.1.8", "valkey-9.1.2"] {
        let Some(server) = servers::named(name) else { continue };
        let fs = torn_in_the_middle();
        repair(&fs, &set_of(&fs), &accepting_loss(), &Writing::default()).unwrap();
        let files = fs.files().into_iter().map(|(path, bytes)| {
            (path.strip_prefix("/data").unwrap().to_str().unwrap().to_owned(), bytes)
        });
        let lines = vec!["appendonly yes".to_owned(), "appendfilename a".to_owned()];
        let setup = Setup { lines: lines.clone(), files: files.collect() };
        let mut server_1 = Server::start(server, &setup)
            .unwrap_or_else(|refused| panic!("{name}: {}", refused.log));
        assert_eq!(server_1.dbsize(), 5 + 20 + 9, "{name}");
        server_1.command(&["SET", "new", "x"]);
        for _ in 0..2 {
            server_1.command(&["BGREWRITEAOF"]);
            while server_1
                .command(&["INFO", "persistence"])
                .text()
                .contains("aof_rewrite_in_progress:1")
            {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
        server_1.command(&["SET", "newer", "x"]);
        let digest = server_1.digest();
        let left = server_1.shut_down().unwrap().into_iter();
        let files = left.filter(|(name, _)| name.contains('/')).collect();
        let mut server_2 = Server::start(server, &Setup { lines, files }).expect("it starts again");
        assert_eq!(server_2.digest(), digest, "{name}");
        assert_eq!(server_2.dbsize(), 5 + 20 + 9 + 2, "{name}");
    }
}

#[test]
fn nothing_changes_while_a_server_holds_any_part() {
    let fs = torn_in_the_middle();
    put(&fs, "a.2.incr.aof", &incr(30, 20));
    put(&fs, "a.3.incr.aof", &incr(50, 20)[..50]);
    let holder = Holder { pid: 7, name: "redis-server".into() };
    fs.hold(Path::new("/data/appendonlydir/a.1.incr.aof"), holder);
    let set = set_of(&fs);
    let plan = plan(&fs, &set, &options()).unwrap();
    let refused = run(&fs, &set, &plan, &options(), &Writing::default()).unwrap_err();
    assert!(refused.to_string().contains("redis-server (7)"), "{refused}");
    let mut writing = Writing::default();
    writing.how.force = true;
    run(&fs, &set, &plan, &options(), &writing).unwrap();
}

#[test]
fn a_folder_is_repaired_into_a_new_one() {
    let fs = torn_in_the_middle();
    let before = fs.files();
    let writing = Writing { out: Some("/data/out".into()), ..Writing::default() };
    repair(&fs, &set_of(&fs), &accepting_loss(), &writing).unwrap();
    let files = fs.files();
    assert!(before.iter().all(|(path, bytes)| files.get(path) == Some(bytes)));
    assert_eq!(
        text(&files, "/data/out/a.manifest"),
        "file a.1.base.aof seq 1 type b\nfile a.1.incr.aof seq 1 type i\nfile a.2.incr.aof seq 2 type i\n"
    );
    let torn = get(&before, "/data/appendonlydir/a.2.incr.aof").unwrap();
    assert_eq!(get(&files, "/data/out/a.2.incr.aof"), Some(&torn[..sound(torn, 0)]));
    assert_eq!(files.len(), before.len() + 4);
    // Nothing is written over.
    let again = repair(&fs, &set_of(&fs), &accepting_loss(), &writing);
    assert!(again.unwrap_err().to_string().contains("exists"));
}

#[test]
fn a_file_is_repaired_into_a_new_one() {
    let torn = &incr(0, 10)[..200];
    let fs = with_file(torn);
    let set = Set::file(Path::new(AOF));
    let writing = |out: &str| Writing { out: Some(out.into()), ..Writing::default() };
    repair(&fs, &set, &options(), &writing("/data/fixed.aof")).unwrap();
    let files = fs.files();
    assert_eq!(get(&files, "/data/fixed.aof"), Some(&torn[..sound(torn, 0)]));
    assert_eq!(get(&files, AOF), Some(torn));
    assert_eq!(fs.look(Path::new("/data/fixed.aof")).unwrap().mode, 0o600);
    let same = repair(&fs, &set, &options(), &writing(AOF));
    assert!(same.unwrap_err().to_string().contains("input"));
}

// What is damage and what is not.

#[test]
fn an_unknown_command_is_cut_only_when_nothing_sound_is_lost() {
    let last = [incr(0, 5), encode(&["HQET", "k", "v"])].concat();
    let fs = with_file(&last);
    let (plan, _) = in_place(&fs, &options()).unwrap();
    assert_eq!(fs.get(Path::new(AOF)).unwrap(), incr(0, 5));
    let Some(Reason::Damage(why)) = plan.reason() else { panic!("{plan:?}") };
    assert_eq!(why.code, Code::AofUnknownCommand);
    // It may be a command of a newer server, and behind it are sound ones.
    let middle = [last.clone(), incr(0, 50)].concat();
    let fs = with_file(&middle);
    let (plan, _) = in_place(&fs, &options()).unwrap();
    assert!(plan.has_nothing_to_do());
    assert_eq!(
        plan.left().map(|(_, left)| left.code).collect::<Vec<_>>(),
        [Code::AofUnknownCommand]
    );
    in_place(&fs, &accepting_loss()).unwrap();
    assert_eq!(fs.get(Path::new(AOF)).unwrap(), incr(0, 5));
    // Nor does it keep a torn tail from being cut.
    let fs = with_file(&middle[..middle.len() - 3]);
    in_place(&fs, &options()).unwrap();
    assert_eq!(fs.get(Path::new(AOF)).unwrap().len(), sound(&middle[..middle.len() - 3], 0));
}

#[test]
fn what_servers_read_is_not_cut() {
    let lf_only = [b"*1\n$4\nPING\r\n", &incr(0, 5)[..]].concat();
    let nested = read("damaged/aof-nested-multi.aof");
    for bytes in [lf_only, nested] {
        let fs = with_file(&bytes);
        assert!(in_place(&fs, &options()).unwrap().0.has_nothing_to_do());
    }
}

#[test]
fn what_is_lost_is_counted_behind_the_damage_too() {
    let mut bytes = incr(0, 300);
    let (_, at) = command(&bytes, 0).unwrap();
    bytes[at] = b'?';
    let fs = with_file(&bytes);
    let (plan, _) = in_place(&fs, &options()).unwrap();
    let lost = plan.lost();
    // The damaged one itself cannot be counted.
    assert_eq!((lost.commands, lost.keys, lost.at_least), (299, 299, false));
    assert_eq!(lost.bytes, (bytes.len() - at) as u64);
    assert_eq!(plan.kept_commands(), 1);
}

/// A cut inside a preamble takes all of it, however many of its keys come before the cut: its keys are
/// lost, and all commands behind it.
#[test]
fn a_cut_inside_a_preamble_loses_all_of_it() {
    let whole = read("aof/redis-4.0.14-preamble/appendonly.aof");
    let start = preamble(&whole);
    // A preamble that was written after the time asked for goes, as a whole.
    let fs = with_file(&whole);
    let plan = plan(&fs, &Set::file(Path::new(AOF)), &until(1)).unwrap();
    let lost = plan.lost();
    let counted = |bytes: &[u8]| {
        let (mut at, mut count) = (start, 0);
        while let Some((_, next)) = command(bytes, at) {
            (at, count) = (next, count + 1);
        }
        count
    };
    assert_eq!((lost.bytes, lost.only_nuls), (whole.len() as u64, false));
    assert_eq!((lost.preamble_keys, lost.commands), (209, counted(&whole)));
    assert!(!lost.is_nothing());
    // One that is cut short is lost with the keys that can be read in it.
    let fs = with_file(&whole[..start / 2]);
    let (plan, _) = in_place(&fs, &accepting_loss()).unwrap();
    let lost = plan.lost();
    assert_eq!((lost.bytes, lost.commands), (start as u64 / 2, 0));
    assert!((1..209).contains(&lost.preamble_keys), "{lost:?}");
    // NULs behind a sound preamble are still only NULs.
    let nuls = [&whole[..start], &[0; 4096]].concat();
    let (plan, _) = in_place(&with_file(&nuls), &options()).unwrap();
    let lost = plan.lost();
    assert_eq!((lost.bytes, lost.preamble_keys, lost.only_nuls), (4096, 0, true));
    assert!(lost.is_nothing());
}

#[test]
fn the_damaged_samples() {
    // (file, bytes kept); the cut files are those that servers refuse.
    let cases = [
        ("aof-ok.aof", 3649),
        ("aof-trunc-midcmd.aof", 3618),
        ("aof-trunc-in-multi.aof", 3103),
        ("aof-trunc-in-exec.aof", 3103),
        ("aof-garbage-mid.aof", 1863),
        ("aof-zerofill-mid.aof", 1863),
        ("aof-zerofill-tail.aof", 3649),
        ("aof-badlen-mid.aof", 1863),
        ("aof-badargc.aof", 1863),
        ("aof-flushall.aof", 3667),
        ("rdb-dump-as-aofpreamble-trunc.aof", 39050),
    ];
    for (name, kept) in cases {
        let bytes = read(&format!("damaged/{name}"));
        let fs = with_file(&bytes);
        in_place(&fs, &options()).expect(name);
        assert_eq!(fs.get(Path::new(AOF)).unwrap(), bytes[..kept], "{name}");
    }
}

// Going back to a time.

fn until(seconds: i64) -> Options {
    Options { until: Some(seconds), ..options() }
}

/// Three seconds, the second of which has a transaction that goes on into the third.
fn with_times() -> Vec<u8> {
    let parts: [&[u8]; 8] = [
        b"#TS:1000\r\n",
        &incr(0, 3),
        b"#TS:1001\r\n",
        &encode(&["SET", "a", "x"]),
        &encode(&["MULTI"]),
        b"#TS:1002\r\n",
        &encode(&["SET", "b", "x"]),
        &encode(&["EXEC"]),
    ];
    parts.concat()
}

#[test]
fn a_time_never_cuts_into_a_transaction() {
    let bytes = with_times();
    let before = |text: &str| bytes.windows(text.len()).position(|w| w == text.as_bytes()).unwrap();
    let cases = [
        (1000, before("#TS:1001")),
        (1001, before("*1\r\n$5\r\nMULTI")),
        (1002, bytes.len()),
        (i64::MAX, bytes.len()),
    ];
    for (seconds, kept) in cases {
        let fs = with_file(&bytes);
        in_place(&fs, &until(seconds)).unwrap();
        assert_eq!(fs.get(Path::new(AOF)).unwrap().len(), kept, "until {seconds}");
        assert!(in_place(&fs, &until(seconds)).unwrap().0.has_nothing_to_do());
    }
    let set = Set::file(Path::new(AOF));
    let accepting = Options { until: Some(999), ..accepting_loss() };
    for options in [until(999), accepting] {
        let refused = refusals(&with_file(&bytes), &set, &options);
        assert_eq!(refused, [Refusal::NothingBefore]);
    }
    assert_eq!(refusals(&with_file(&incr(0, 9)), &set, &until(999)), [Refusal::NoTimes]);
}

#[test]
fn a_time_and_a_damage_the_earlier_cut_counts() {
    let bytes = with_times();
    let torn = &bytes[..bytes.len() - 3];
    let fs = with_file(torn);
    in_place(&fs, &until(1002)).unwrap();
    assert_eq!(fs.get(Path::new(AOF)).unwrap().len(), sound(torn, 0));
    let fs = with_file(torn);
    let (plan, _) = in_place(&fs, &until(1000)).unwrap();
    assert_eq!(plan.reason(), Some(&Reason::Later(1000)));
}

#[test]
fn a_time_before_the_base_was_written_is_refused() {
    let fs = MemFs::new(SEED);
    let base = read("aof/redis-7.0.15-preamble/appendonlydir/appendonly.aof.2.base.rdb");
    put(&fs, "a.1.base.rdb", &base);
    put(&fs, "a.1.incr.aof", &with_times());
    fs.put(
        Path::new(MANIFEST),
        b"file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i\n",
        0o600,
    );
    assert_eq!(refusals(&fs, &set_of(&fs), &until(1001)), [Refusal::NothingBefore]);
}

// Crashes and errors.

fn judge_cut(files: &Files) -> std::result::Result<Seen, String> {
    let whole = with_times();
    let torn = &whole[..whole.len() - 3];
    let kept = sound(torn, 0);
    let seen = one_of(get(files, AOF), Some(torn), &torn[..kept])?;
    let tail = get(files, &format!("{AOF}.tail-{kept}"));
    if seen == Seen::New && tail != Some(&torn[kept..]) { Err("no tail".into()) } else { Ok(seen) }
}

fn judge_folder(files: &Files) -> std::result::Result<Seen, String> {
    let before = torn_in_the_middle().files();
    let old = get(&before, MANIFEST);
    let new = b"file a.1.base.aof seq 1 type b\nfile a.1.incr.aof seq 1 type i\n\
        file a.2.incr.fixed-1.aof seq 3 type i\n";
    let seen = one_of(get(files, MANIFEST), old, new)?;
    let torn = get(&before, "/data/appendonlydir/a.2.incr.aof").unwrap();
    let fixed = get(files, "/data/appendonlydir/a.2.incr.fixed-1.aof");
    if seen == Seen::New && fixed != Some(&torn[..sound(torn, 0)]) {
        return Err("the new part is not whole".into());
    }
    let gone = before
        .iter()
        .find(|(path, bytes)| **path != Path::new(MANIFEST) && files.get(*path) != Some(bytes));
    gone.map_or(Ok(seen), |(path, _)| Err(format!("{} changed", path.display())))
}

fn judge_out(files: &Files) -> std::result::Result<Seen, String> {
    let out: Vec<_> = files.keys().filter(|path| path.starts_with("/data/out")).collect();
    match out.len() {
        0 => Ok(Seen::Old),
        4 => Ok(Seen::New),
        _ => Err(format!("{out:?}")),
    }
}

fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "repair in place",
            setup: || {
                let whole = with_times();
                with_file(&whole[..whole.len() - 3])
            },
            run: |fs| in_place(fs, &options()).map(drop),
            judge: judge_cut,
        },
        Scenario {
            name: "repair of a folder",
            setup: torn_in_the_middle,
            run: |fs| {
                let set = Set::read(fs, Path::new(MANIFEST))?;
                repair(fs, &set, &accepting_loss(), &Writing::default()).map(drop)
            },
            judge: judge_folder,
        },
        Scenario {
            name: "repair into a new folder",
            setup: torn_in_the_middle,
            run: |fs| {
                let set = Set::read(fs, Path::new(MANIFEST))?;
                let writing = Writing { out: Some("/data/out".into()), ..Writing::default() };
                repair(fs, &set, &accepting_loss(), &writing).map(drop)
            },
            judge: judge_out,
        },
    ]
}

#[test]
fn a_power_cut_at_any_moment_of_a_repair_leaves_old_or_new() {
    scenarios().iter().for_each(must_survive_power_cuts);
}

#[test]
fn an_error_at_any_moment_of_a_repair_leaves_old_or_new() {
    scenarios().iter().for_each(must_survive_errors);
}

#[test]
fn a_plan_says_what_becomes_of_each_part() {
    let fs = torn_in_the_middle();
    let plan = plan(&fs, &set_of(&fs), &accepting_loss()).unwrap();
    let fates: Vec<_> = plan
        .parts
        .iter()
        .map(|planned| match &planned.fate {
            Fate::Stays => "stays",
            Fate::IsHealed => "healed",
            Fate::IsSalvaged => "salvaged",
            Fate::IsCut(_) => "cut",
            Fate::IsDropped(..) => "dropped",
        })
        .collect();
    assert_eq!(fates, ["stays", "stays", "cut", "dropped"]);
}
