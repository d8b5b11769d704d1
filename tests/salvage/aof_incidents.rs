//! Damage to AOFs that happened to somebody, one test each (RELIABILITY 0, 3.1 and 4.4).

use std::path::Path;

use rdbtool::finding::Code;
use rdbtool::job::check::Verdict;
use rdbtool::job::repair_aof::found::Depth;
use rdbtool::job::repair_aof::kept::Doubt;
use rdbtool::job::repair_aof::plan::Fate;
use rdbtool::job::repair_aof::run::{Writing, run};
use rdbtool::job::repair_aof::{Set, plan};
use rdbtool::persist::sim::MemFs;

use crate::aof_lab::{
    Told, checked, commands, judge, log, options, part, planned, repair, repair_with, salvage,
};
use crate::damage::KINDS;
use crate::lab::{is_full, sample};
use crate::resp::command;
use crate::servers::{self, Server, Setup};

fn set(n: usize) -> Vec<u8> {
    command(&["SET", &format!("key:{n}"), &format!("value {n}")])
}

fn sets(range: std::ops::Range<usize>) -> Vec<u8> {
    [command(&["SELECT", "0"]), range.flat_map(set).collect()].concat()
}

fn told(bytes: &[u8]) -> Vec<Told> {
    commands(bytes).into_iter().map(|(_, told)| told).collect()
}

/// Where a text is.
fn find(bytes: &[u8], text: &[u8]) -> usize {
    bytes.windows(text.len()).position(|at| at == text).expect("it is there")
}

/// One bit made HQET of HSET: redis-check-aof --fix would have cut 7 GB off (RELIABILITY 0.4).
#[test]
fn one_bit_of_a_name() {
    let hset = command(&["HSET", "h", "field", "value"]);
    let bytes = [sets(0..20), hset, sets(20..900)].concat();
    let mut damaged = bytes.clone();
    let at = find(&damaged, b"HSET") + 1;
    damaged[at] ^= 2;
    assert_eq!(&damaged[at - 1..at + 3], b"HQET");
    let (plan, found) = repair(&damaged, Depth::Mend);
    assert!(found == bytes);
    let [mend] = part(&plan).mends.as_slice() else { panic!("{:?}", part(&plan).mends) };
    assert_eq!((mend.patch.offset, mend.patch.new.as_slice()), (at as u64, &b"S"[..]));
    assert_eq!(
        (mend.command.name.as_slice(), mend.command.key.as_deref()),
        (&b"HSET"[..], Some(&b"h"[..]))
    );
    assert!(plan.lost().is_nothing());
}

/// A name that could be two: nothing is changed, and both are shown; a salvage leaves it out.
#[test]
fn a_name_that_could_be_two() {
    let bytes = [sets(0..9), command(&["XADD", "k", "1", "m"]), sets(9..20)].concat();
    let bytes = String::from_utf8(bytes).unwrap().replace("XADD", "?ADD").into_bytes();
    let plan = planned(&bytes, Depth::Mend);
    assert!(part(&plan).mends.is_empty());
    let new: Vec<_> = part(&plan).several[0].changes.iter().map(|change| change.new[0]).collect();
    assert_eq!(new, b"SZ");
    let (plan, found) = repair(&bytes, Depth::Salvage);
    assert_eq!(told(&found).len(), 20);
    assert_eq!(salvage(&plan).gaps[0].0.why.code, Code::AofUnknownCommand);
}

/// A transaction that a crash tore, and the writes of the next run behind it: Redis drops them all at the start
/// after that (RELIABILITY 0.1).
#[test]
fn a_torn_transaction_with_the_writes_of_the_next_run() {
    let torn = [command(&["MULTI"]), set(900), set(901)].concat();
    let bytes = [sets(0..200), torn.clone(), sets(200..700)].concat();
    let (plan, found) = repair(&bytes, Depth::Salvage);
    assert_eq!(found, [sets(0..200), sets(200..700)].concat());
    let (gap, lost) = &salvage(&plan).gaps[0];
    assert_eq!(
        (gap.why.code, gap.span.end - gap.span.start),
        (Code::AofMultiTorn, torn.len() as u64)
    );
    assert_eq!(lost.commands, 3);
}

/// A MULTI without an EXEC, and a transaction inside another: what is in the first goes as a whole.
#[test]
fn transactions_only_as_a_whole() {
    let (multi, exec) = (command(&["MULTI"]), command(&["EXEC"]));
    let whole = [multi.clone(), set(8), set(9), exec.clone()].concat();
    let cases: [(Vec<u8>, Vec<u8>); 4] = [
        // Nested: the first has no EXEC.
        (
            [sets(0..5), multi.clone(), set(5), set(6), whole.clone(), set(7)].concat(),
            [sets(0..5), whole.clone(), set(7)].concat(),
        ),
        // An EXEC alone.
        (
            [sets(0..5), exec.clone(), whole.clone(), set(7)].concat(),
            [sets(0..5), whole.clone(), set(7)].concat(),
        ),
        // A gap inside a transaction: what is before and behind it goes with it.
        (
            [sets(0..5), multi.clone(), set(5), vec![0; 512], set(6), exec.clone(), set(7)]
                .concat(),
            [sets(0..5), set(7)].concat(),
        ),
        // A gap that hides the MULTI: what is up to the EXEC may be its.
        (
            [sets(0..5), vec![0; 512], set(5), set(6), exec, set(7), whole.clone()].concat(),
            [sets(0..5), set(7), whole].concat(),
        ),
    ];
    for (number, (bytes, want)) in cases.into_iter().enumerate() {
        let (plan, found) = repair(&bytes, Depth::Salvage);
        assert!(found == want, "{number}: {}\n{:?}", found.escape_ascii(), salvage(&plan).gaps);
    }
    // To the very end: as any cut.
    let bytes = [sets(0..5), multi, set(5)].concat();
    assert!(repair(&bytes, Depth::Salvage).1 == sets(0..5));
}

/// NULs at the end, as many as were seen (RELIABILITY 0.2): nothing is lost but they, and nothing is suspect.
#[test]
fn nuls_at_the_end() {
    for nuls in [1, 12, 595, 736, 4096, 5 << 20] {
        for depth in [Depth::Mend, Depth::Salvage] {
            let bytes = sets(0..50);
            let (plan, found) = repair(&[bytes.clone(), vec![0; nuls]].concat(), depth);
            assert!(found == bytes, "{nuls}");
            assert!(plan.lost().is_nothing() && plan.suspects() == 0, "{nuls}");
        }
    }
}

/// A header, NULs, and 500 acknowledged writes behind: check-aof --fix cuts these (RELIABILITY 0.3).
#[test]
fn nuls_inside_a_command() {
    let torn = b"*3\r\n$3\r\nSET\r\n$5\r\nk0199\r\n$4\r".to_vec();
    let bytes = [sets(0..200), torn, vec![0; 40], sets(200..700)].concat();
    let (plan, found) = repair(&bytes, Depth::Salvage);
    assert_eq!(found, [sets(0..200), sets(200..700)].concat());
    assert_eq!(salvage(&plan).gaps.len(), 1);
}

/// A block of a file system twice: its commands do not run a second time unseen.
#[test]
fn a_block_that_is_there_twice() {
    let bytes = log(400, 5);
    for at in [4096, 8192, 12_288] {
        let mut damaged = bytes.clone();
        let block = bytes[at..at + 4096].to_vec();
        damaged.splice(at + 4096..at + 4096, block);
        let seen = judge(&bytes, "a block twice", &damaged);
        assert_eq!(seen.unlabelled, 0, "{at}: {seen:?}");
    }
}

/// A block that was written to the wrong place: its commands do not run a second time.
#[test]
fn a_block_over_another() {
    let bytes = log(400, 6);
    let mut damaged = bytes.clone();
    damaged.copy_within(4096..8192, 16_384);
    let (plan, found) = repair(&damaged, Depth::Salvage);
    let truth = told(&bytes);
    let found = told(&found);
    let mut rest = truth.iter();
    let in_order = found.iter().all(|told| rest.any(|true_one| true_one == told));
    assert!(in_order, "{:?}", salvage(&plan).gaps);
    assert!(found.len() + 50 > truth.len(), "{} of {}", found.len(), truth.len());
}

/// `*0` and `*-1`, which check-aof lets pass and no server does.
#[test]
fn commands_of_no_arguments() {
    for odd in ["*0\r\n", "*-1\r\n"] {
        let bytes = [sets(0..9), odd.as_bytes().to_vec(), set(9)].concat();
        let (plan, found) = repair(&bytes, Depth::Salvage);
        assert_eq!(found, [sets(0..9), set(9)].concat(), "{odd:?} {:?}", part(&plan));
    }
    // What servers read is left as it is.
    for odd in ["*03\r\n", "* 3\r\n"] {
        let bytes = String::from_utf8(sets(0..9)).unwrap().replacen("*3\r\n", odd, 1).into_bytes();
        assert!(planned(&bytes, Depth::Mend).has_nothing_to_do(), "{odd:?}");
    }
}

/// Commands inside a value are none of the file's, wherever the damage is.
#[test]
fn commands_inside_a_value() {
    let inner: Vec<u8> =
        (0..40).flat_map(|n| command(&["SET", &format!("inner:{n}"), "x"])).collect();
    let inner = String::from_utf8(inner).unwrap();
    let backup = command(&["SET", "backup", &inner]);
    let bytes = [sets(0..9), backup, sets(9..20)].concat();
    let value = find(&bytes, b"backup") + 8;
    let is_inner = |told: &Told| told.1[1].starts_with(b"inner");
    // One digit of its length: mended.
    let mut damaged = bytes.clone();
    damaged[value + 2] ^= 1;
    assert!(repair(&damaged, Depth::Mend).1 == bytes);
    // Several bytes of its framing, or its beginning: lost, and nothing of it is taken for commands.
    for (from, len) in [(value, 5), (value - 20, 22), (value + 1, 3), (value + 1, 60)] {
        for byte in [0, b'7', 0xee] {
            let mut damaged = bytes.clone();
            damaged[from..from + len].fill(byte);
            let (plan, found) = repair(&damaged, Depth::Salvage);
            let found = told(&found);
            assert!(!found.iter().any(is_inner), "{len} at {from}: {:?}", salvage(&plan).gaps);
            assert!(found.len() >= 19, "{len} at {from}: {}", found.len());
        }
    }
    // A file that ends inside it.
    for cut in [value + 100, value + 500, value + 7 + inner.len() - 3] {
        let (_, found) = repair(&bytes[..cut], Depth::Salvage);
        assert!(found == sets(0..9), "{cut}");
    }
}

/// A command that the end of the file cuts is not mended into one with an argument less.
#[test]
fn a_cut_is_no_mend() {
    let bytes = [sets(0..5), command(&["RPUSH", "l", "a", "b", "c"])].concat();
    for cut in sets(0..5).len() + 1..bytes.len() {
        let (plan, found) = repair(&bytes[..cut], Depth::Salvage);
        assert!(found == sets(0..5), "{cut}: {:?}", part(&plan).mends);
    }
}

/// The database behind a gap: assumed until a SELECT, and what a torn transaction selected is not forgotten.
#[test]
fn the_database_behind_a_gap() {
    let select = |db: &str| command(&["SELECT", db]);
    let gap = vec![0xee; 100];
    let bytes = [sets(0..5), gap.clone(), set(5), set(6), select("3"), set(7)].concat();
    let (plan, found) = repair(&bytes, Depth::Salvage);
    assert_eq!(
        told(&found).iter().map(|told| told.0).collect::<Vec<_>>(),
        [0, 0, 0, 0, 0, 0, 0, 3]
    );
    let assumed = &salvage(&plan).kept.assumed;
    assert_eq!((assumed.len(), assumed[0].db, assumed[0].commands), (1, 0, 2));
    let torn = [command(&["MULTI"]), select("3"), set(8)].concat();
    let bytes = [sets(0..5), torn, gap, command(&["MULTI"]), set(9), command(&["EXEC"])].concat();
    let (_, found) = repair(&bytes, Depth::Salvage);
    let databases: Vec<_> = told(&found).iter().map(|told| told.0).collect();
    // MULTI and EXEC are on none.
    assert_eq!(databases, [0, 0, 0, 0, 0, 0, 3, 0], "{}", found.escape_ascii());
}

/// A SELECT that is lost: its commands are on the database that has their keys.
#[test]
fn the_database_of_a_lost_select() {
    let select = |db: &str| command(&["SELECT", db]);
    let set = |name: &str, n: u64| command(&["SET", &format!("{name}{n}"), "some value"]);
    let del = |name: &str, n: u64| command(&["DEL", &format!("{name}{n}")]);
    let all = |make: &dyn Fn(u64) -> Vec<u8>, n: std::ops::Range<u64>| {
        n.flat_map(make).collect::<Vec<_>>()
    };
    let before = [
        select("0"),
        all(&|n| set("zero", n), 0..60),
        select("3"),
        all(&|n| set("three", n), 0..60),
        select("0"),
        all(&|n| del("zero", n), 0..20),
    ]
    .concat();
    let behind =
        [all(&|n| del("three", n), 0..9), select("0"), all(&|n| del("zero", n), 20..30)].concat();
    let truth = [before.clone(), select("3"), behind.clone()].concat();
    // Nothing of it is there; it can be read, although damaged; it is there, and there is a gap before it.
    let mut alike = select("3");
    alike[..9].fill(0xee);
    for gap in [vec![0xee; 100], vec![0; 512], alike, [vec![0xee; 100], select("3")].concat()] {
        let (plan, found) = repair(&[before.clone(), gap, behind.clone()].concat(), Depth::Salvage);
        assert!(told(&found) == told(&truth), "{:?}", salvage(&plan).kept.assumed);
    }
    // Bytes that are gone leave no long gap.
    let short = [before, vec![0xee; 4], behind].concat();
    let (plan, found) = repair(&short, Depth::Salvage);
    assert!(told(&found) == told(&truth), "{:?}", salvage(&plan).kept.assumed);
}

/// What later commands make of a key whose command is lost is suspect, until one replaces it.
#[test]
fn commands_on_keys_of_lost_ones() {
    let incr = |key: &str| command(&["INCR", key]);
    let calm = || [sets(0..4), sets(4..8)].concat();
    let mut lost = command(&["INCRBY", "n", "7"]);
    let len = lost.len();
    lost[len - 6..].fill(0xee);
    let bytes = [
        calm(),
        lost,
        calm(),
        incr("n"),
        incr("other"),
        command(&["COPY", "n", "copy"]),
        incr("copy"),
        command(&["SET", "n", "1"]),
        incr("n"),
    ]
    .concat();
    let (plan, _) = repair(&bytes, Depth::Salvage);
    let named = &salvage(&plan).kept.named;
    let affected = named.iter().filter(|suspect| suspect.doubt == Doubt::Affected);
    let affected: Vec<_> = affected
        .map(|suspect| {
            format!(
                "{} {}",
                suspect.name.escape_ascii(),
                suspect.key.as_deref().unwrap_or_default().escape_ascii()
            )
        })
        .collect();
    assert_eq!(affected, ["INCR n", "COPY n", "INCR copy"]);
    assert_eq!(named.len(), 3 + 4, "{named:?}");
}

/// A damaged RDB before sound commands: redis-check-aof gives up (RELIABILITY 3.1). What can be read of its keys is
/// kept, and every command.
#[test]
fn sound_commands_behind_a_damaged_rdb() {
    let tail = log(300, 7);
    let rdb = sample(400, 9).end();
    let whole = [rdb.clone(), tail.clone()].concat();
    let mut damaged = whole.clone();
    damaged[9000..9600].fill(0xee);
    let (plan, found) = repair(&damaged, Depth::Salvage);
    let salvaged = salvage(&plan);
    let kept = salvaged.rdb.as_ref().expect("its keys").census.kept;
    assert!(kept > 380, "{kept}");
    assert!(found.starts_with(b"REDIS") && found.ends_with(&tail));
    assert_eq!(
        salvaged.kept.commands as usize,
        told(&tail).len() + tail.windows(10).filter(|at| *at == b"\r\nSELECT\r\n").count()
    );
}

/// A part in the middle of an AOF of several files: those behind it stay, and what is lost is in a folder.
#[test]
fn a_part_in_the_middle() {
    let fs = MemFs::new(1);
    let mut damaged = sets(5..100);
    damaged[700..900].fill(0);
    let old = damaged.clone();
    let manifest = b"file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i\n\
                     file a.2.incr.aof seq 2 type i\n";
    let put = |name: &str, bytes: &[u8]| fs.put(&Path::new("/data").join(name), bytes, 0o600);
    put("a.manifest", manifest);
    put("a.1.base.rdb", &sample(20, 1).end());
    put("a.1.incr.aof", &damaged);
    put("a.2.incr.aof", &[sets(100..150), vec![0; 64]].concat());
    let set = Set::read(&fs, Path::new("/data/a.manifest")).unwrap();
    let options = options(Depth::Salvage);
    let plan = plan(&fs, &set, &options).unwrap();
    assert!(plan.is_agreed(), "{:?}", plan.refusals);
    let lost = Some("/data/lost".into());
    let writing = Writing { lost, ..Writing::default() };
    let done = run(&fs, &set, &plan, &options, &writing).unwrap();
    let get = |name: &str| fs.get(&Path::new("/data").join(name)).unwrap();
    assert_eq!(get("a.manifest"), manifest);
    assert!(told(&get("a.1.incr.aof")).len() > 85 && get("a.2.incr.aof") == sets(100..150));
    let gap = &plan.parts[1].part.salvage.as_ref().unwrap().gaps[0].0.span;
    let name = format!("lost/a.1.incr.aof.{}-{}.gap", gap.start, gap.end - gap.start);
    assert!(get(&name) == old[gap.start as usize..gap.end as usize]);
    assert_eq!(done.lost.unwrap().1, 2);
    // A second repair finds nothing to do.
    let again = rdbtool::job::repair_aof::plan(&fs, &set, &options).unwrap();
    assert!(again.has_nothing_to_do(), "{:?}", again.parts);
    let fates: Vec<_> = plan.parts.iter().map(|planned| planned.fate.clone()).collect();
    assert_eq!(fates[..2], [Fate::Stays, Fate::IsSalvaged]);
}

/// Every byte of the damaged file is in the new one, or in the folder of what is lost.
#[test]
fn nothing_is_thrown_away() {
    let truth = log(300, 8);
    for (number, kind) in KINDS.iter().enumerate() {
        let mut damaged = truth.clone();
        (kind.damage)(&mut damaged, &mut fastrand::Rng::with_seed(number as u64));
        let writing = Writing { lost: Some("/data/lost".into()), ..Writing::default() };
        let (plan, done, fs) = repair_with(&damaged, Depth::Salvage, &writing);
        let Some((folder, files)) = done.lost else { continue };
        let saved = fs.files().into_iter().filter(|(path, _)| path.starts_with(&folder));
        let saved: Vec<_> = saved.map(|(path, bytes)| (path, bytes.len() as u64)).collect();
        assert_eq!(saved.len(), files, "{}", kind.name);
        let bytes: u64 = saved.iter().map(|(_, len)| len).sum();
        let same: u64 = match &part(&plan).salvage {
            Some(salvage) => salvage.lost().bytes,
            None => plan.lost().bytes,
        };
        assert_eq!(bytes, same, "{}: {saved:?}", kind.name);
    }
}

/// A server loads what was salvaged, and has exactly what a replay of it gives.
#[test]
fn a_server_has_what_was_salvaged_of_an_aof() {
    let Some(server) = servers::named("redis-7.0.15") else { return };
    let truth = log(400, 9);
    for (number, kind) in KINDS.iter().enumerate().take(if is_full() { 8 } else { 4 }) {
        let mut damaged = truth.clone();
        (kind.damage)(&mut damaged, &mut fastrand::Rng::with_seed(number as u64 + 60));
        let (plan, found) = repair(&damaged, Depth::Salvage);
        must_be_what_a_replay_gives(
            server,
            &found,
            &format!("{}: {:?}", kind.name, plan.parts[0].fate),
        );
    }
    let whole = [sample(100, 9).end(), log(200, 10)].concat();
    let mut damaged = whole.clone();
    damaged[3000..3200].fill(0xee);
    let (_, found) = repair(&damaged, Depth::Salvage);
    must_be_what_a_replay_gives(server, &found, "a damaged RDB");
}

fn must_be_what_a_replay_gives(server: &'static servers::ServerBinary, aof: &[u8], what: &str) {
    let lines = vec!["appendonly yes".to_owned(), "save \"\"".to_owned()];
    let files = vec![("appendonly.aof".to_owned(), aof.to_vec())];
    let mut running = Server::start(server, &Setup { lines, files })
        .unwrap_or_else(|refused| panic!("{what}: {}", refused.log));
    let digest = running.digest();
    assert_ne!(digest, "0".repeat(40), "{what}");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("appendonly.aof");
    std::fs::write(&path, aof).unwrap();
    let ours = crate::program::rdbtool(["digest", "--as", "redis-7.0", &path.to_string_lossy()]);
    assert!(ours.stdout.contains(&digest), "{what}: {digest}\n{}{}", ours.stdout, ours.stderr);
}

/// Bytes that are gone inside a transaction make one SET of two, and all of it can be framed: servers load it with
/// an error in their log (RELIABILITY 3.2, `64 deleted`). A check tells of it, and a salvage marks it.
#[test]
fn a_set_of_two_commands() {
    let transaction = |middle: &[u8]| {
        [&command(&["MULTI"])[..], &set(20), middle, &set(21), &command(&["EXEC"])].concat()
    };
    let with_expire = command(&["SET", "key", "text", "PXAT", "1700000000000"]);
    let hash = command(&["HSET", "hash", "field", "value"]);
    let cut = find(&with_expire, b"$4\r\nPXAT");
    let rest = find(&hash, b"$5\r\nfield");
    let damaged = transaction(&[&with_expire[..cut], &hash[rest..]].concat());
    let damaged = [sets(0..20), damaged, sets(22..40)].concat();
    let at = find(&damaged, b"*5") as u64;
    let report = checked(&damaged);
    let [finding] = &*report.findings else { panic!("{:?}", report.findings) };
    assert_eq!((finding.code, finding.span.start), (Code::AofSyntax, at));
    assert_eq!(finding.found, "\"field\" \"value\"");
    assert_eq!(report.verdict(), Verdict::Warnings);
    // Nothing is left out, so the file stays as it is.
    let (plan, found) = repair(&damaged, Depth::Salvage);
    assert!(found == damaged && plan.suspects() == 1);
    let named = &part(&plan).salvage.as_ref().expect("it was looked at").kept.named;
    let told = named.iter().find(|told| told.offset == at).expect("it is marked");
    assert_eq!((told.doubt, told.key.as_deref()), (Doubt::Odd, Some(&b"key"[..])));
}

/// A command in a gap is told of wherever it begins, whatever is behind it, and however long it is.
#[test]
fn a_whole_command_in_a_gap() {
    let long = "x".repeat(1_500_000);
    let inner = [set(7), command(&["SET", "key:7", &long])];
    for inner in inner {
        for (before, behind) in [("noise", "noise"), ("\r\n", "noise"), ("noise", "*noise")] {
            let noise = [before.as_bytes(), &inner, behind.as_bytes()].concat();
            let (plan, _) = repair(&[sets(0..5), noise, sets(10..20)].concat(), Depth::Salvage);
            let [(gap, lost)] = &salvage(&plan).gaps[..] else { panic!("{before:?} {behind:?}") };
            assert_eq!(lost.bytes, gap.span.end - gap.span.start);
            assert_eq!((lost.commands, lost.keys), (1, 1), "{before:?} {behind:?}");
            assert_eq!(lost.names, [b"key:7"]);
        }
    }
}
