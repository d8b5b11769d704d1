//! Files made to mislead or to tire: data inside data, holes, blocks that repeat, one byte over and over. Time and
//! memory stay bounded, and no keys come out that never were.

use std::time::{Duration, Instant};

use rdbtool::finding::Code;
use rdbtool::job::recovery::Recovery;
use rdbtool::job::repair_rdb::plan::Action;

use crate::lab::{census, checked, is_full, keys, plan, repair, sample};
use crate::made::{Rdb, b};

/// Ample for the megabytes that are tried here, on a busy machine and without optimization.
const PATIENCE: Duration = Duration::from_secs(60);

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let since = Instant::now();
    let done = work();
    assert!(since.elapsed() < PATIENCE, "{what} took {:?}", since.elapsed());
    done
}

/// A value that is a whole RDB: when the length before it is damaged, its keys are not taken for the outer file's.
#[test]
fn an_rdb_inside_a_value() {
    let inner = sample(300, 1).end();
    let rdb = |value: &[u8]| {
        let rdb = (0..20)
            .fold(Rdb::redis(11).db(0), |rdb, n| rdb.string(&format!("outer:{n}"), "some text"));
        let rdb = rdb.key(0, "backup", b().str(value));
        (20..40).fold(rdb, |rdb, n| rdb.string(&format!("outer:{n}"), "some text"))
    };
    let bytes = rdb(&inner).end_with(0);
    let at = bytes.windows(6).position(|at| at == b"backup").unwrap();
    for (place, byte) in [(at + 6, 0xbf), (at + 6, 0x05), (at - 2, 0xee)] {
        let mut damaged = bytes.clone();
        damaged[place] = byte;
        let (plan, found) = repair(&damaged, Recovery::Salvage);
        let found = keys(&found);
        let inner = found.keys().filter(|(_, key)| !key.starts_with(b"outer:") && key != b"backup");
        assert_eq!(inner.count(), 0, "{byte:#x} at {place}: {:?}", census(&plan).gaps);
        assert!(found.len() >= 38, "{} keys", found.len());
    }
}

/// A part of an RDB in a value, without its end: what is taken for keys is marked.
#[test]
fn a_part_of_an_rdb_inside_a_value() {
    let inner = sample(50, 2).cut();
    let rdb =
        (0..20).fold(Rdb::redis(11).db(0), |rdb, n| rdb.string(&format!("outer:{n}"), "some text"));
    let rdb = rdb.key(0, "part", b().str(&inner[100..])).raw([0xee; 3]);
    let bytes =
        (20..40).fold(rdb, |rdb, n| rdb.string(&format!("outer:{n}"), "some text")).end_with(0);
    let at = bytes.windows(4).position(|at| at == b"part").unwrap();
    let mut damaged = bytes.clone();
    damaged[at + 4] = 0xbf;
    let (plan, found) = repair(&damaged, Recovery::Salvage);
    let suspect = &census(&plan).suspect;
    for (_, key) in keys(&found).keys().filter(|(_, key)| !key.starts_with(b"outer:")) {
        assert!(suspect.named.iter().any(|named| named.key == *key), "{}", key.escape_ascii());
    }
}

/// One byte over and over, every byte there is.
#[test]
fn one_byte_over_and_over() {
    let size = if is_full() { 4 << 20 } else { 256 << 10 };
    for byte in 0..=255u8 {
        if !is_full() && byte % 5 != 0 && byte > 32 && byte < 240 {
            continue;
        }
        let bytes = (0..10)
            .fold(Rdb::redis(11).db(0), |rdb, n| rdb.string(&format!("key{n}"), "text"))
            .raw(vec![byte; size]);
        let plan = timed("one byte", || plan(&bytes.cut(), Recovery::Salvage));
        let Action::Rebuild(rebuild) = &plan.action else { continue };
        let kept = rebuild.census.kept;
        assert!((10..=11).contains(&kept), "{kept} keys of {byte:#x}");
    }
}

/// Short patterns that read as records of their own.
#[test]
fn patterns_that_read_as_records() {
    let size = if is_full() { 8 << 20 } else { 512 << 10 };
    let patterns: [&[u8]; 6] = [
        b"\0\x01a\x01b",
        b"\0\x01a\x01b\0\x01c\x01d",
        b"\xfe\0",
        b"\xfb\0\0",
        b"\xfa\x01a\x01b",
        b"\xfc\0\0\0\0\0\0\0\0",
    ];
    for pattern in patterns {
        let mut noise = pattern.repeat(size / pattern.len());
        // Something broken now and then, so that there is much to look for.
        noise.iter_mut().step_by(997).for_each(|byte| *byte = 0xee);
        let bytes = Rdb::redis(11).db(0).string("key", "text").raw(&noise).end_with(0);
        let plan = timed("a pattern", || plan(&bytes, Recovery::Salvage));
        // Each key once, and all of them marked.
        let (kept, suspect) = (census(&plan).kept, census(&plan).suspect.count);
        assert!(kept <= 64 && suspect + 1 >= kept, "{pattern:?}: {kept}, {suspect} suspect");
    }
}

/// Records that repeat are told of as one thing, with its place and its length, and are no keys: however long it is,
/// as many of them are read. What is behind is had back.
#[test]
fn what_repeats_is_one_thing() {
    let patterns: [(&[u8], &str); 9] = [
        (b"\0", "NUL bytes"),
        (b"\x01", "times the byte 0x01"),
        (b"\x05", "times the byte 0x05"),
        (b"\xfe\0", "the same 2 repeat"),
        (b"\xfb\0\0", "the same 3 repeat"),
        (b"\0\x01a\x01b", "the same 5 repeat"),
        (b"\0\x01a\x01b\0\x02cc\x01d", "the same 11 repeat"),
        (b"\xfa\x01a\x01b", "the same 5 repeat"),
        (b"\xfc\0\0\0\0\0\x01\0\0", "the same 9 repeat"),
    ];
    let write = |rdb: Rdb, from: u64| {
        (from..from + 20).fold(rdb, |rdb, n| rdb.string(&format!("key:{n}"), "some text"))
    };
    for (pattern, words) in patterns {
        for len in [9000, 100_000, 2_500_000] {
            let len = len / pattern.len() * pattern.len();
            let head = || write(Rdb::redis(11).db(0), 0);
            let start = head().cut().len() as u64;
            let run = pattern.iter().copied().cycle().take(len).collect::<Vec<_>>();
            let bytes = write(head().raw(run).raw([0xee]), 20).end_with(0);
            let report = checked(&bytes);
            let shown = pattern.escape_ascii();
            let told: Vec<_> =
                report.findings.iter().filter(|f| f.code == Code::RdbRepeats).collect();
            let [told] = told[..] else { panic!("{shown}: {len} bytes, {told:.3?}") };
            assert_eq!(told.span, start..start + len as u64, "{shown}");
            assert!(told.found.contains(words), "{shown}: {}", told.found);
            assert_eq!((report.facts.keys().keys, report.findings.len()), (20, 1), "{shown}");
            let (plan, found) = repair(&bytes, Recovery::Salvage);
            let (truth, found) = (keys(&write(head(), 20).end()), keys(&found));
            let [gap] = &census(&plan).gaps[..] else {
                panic!("{shown}: {:?}", census(&plan).gaps)
            };
            assert_eq!(gap.span.start, start, "{shown}");
            let wrong = found.iter().filter(|(key, record)| truth.get(*key) != Some(record));
            assert!(wrong.count() <= 1 && found.len() >= 39, "{shown}: {} keys", found.len());
        }
    }
}

/// A few records that come twice are that, not something that repeats; nor is a value in which bytes do.
#[test]
fn what_comes_twice_does_not_repeat() {
    let inside = b().u8(0).str("key").str("text").0.repeat(1000);
    let rdb = (0..200).fold(Rdb::redis(11).db(0), |rdb, n| rdb.string(&format!("key:{n}"), "x"));
    let rdb = rdb.key(0, "inside", b().str(&inside)).string("twice", "1").string("twice", "1");
    let rdb = (200..400).fold(rdb, |rdb, n| rdb.string(&format!("key:{n}"), "x"));
    let report = checked(&rdb.end());
    let codes: Vec<_> = report.findings.iter().map(|finding| finding.code).collect();
    assert_eq!((codes, report.facts.keys().keys), (vec![Code::DupKey], 403));
}

/// Lengths that claim more than there is, at every place.
#[test]
fn lengths_that_claim_everything() {
    let size = if is_full() { 4 << 20 } else { 256 << 10 };
    for head in [
        &b"\0\x01k\x80\x7f\xff\xff\xff"[..],
        b"\0\x80\0\x03\xff\xff",
        b"\x04\x01k\x80\0\xff\xff\xff",
        b"\x01\x01k\x7f\xff",
    ] {
        let noise = head.repeat(size / head.len());
        let bytes = Rdb::redis(11).db(0).string("key", "text").raw(&noise).end_with(0);
        timed("claims", || plan(&bytes, Recovery::Salvage));
    }
}

/// Random bytes claim to be long strings and large collections: that costs no more than a look at each, and nothing
/// of what is behind them.
#[test]
fn claims_cost_nothing_behind_them() {
    const KEYS: usize = 30_000;
    let value = |n: usize| format!("value {n} ").repeat(1 + n % 5);
    let rdb = (0..KEYS).fold(Rdb::redis(10).db(0).resize(KEYS as u64, 0), |rdb, n| {
        rdb.string(&format!("key:{n:07}"), &value(n))
    });
    let whole = rdb.end_with(0);
    let truth = keys(&whole);
    for seed in 0..if is_full() { 40 } else { 4 } {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut damaged = whole.clone();
        for _ in 0..10 {
            let at = random.usize(1000..whole.len() - 600);
            damaged[at..at + 512].iter_mut().for_each(|byte| *byte = random.u8(..));
        }
        let (plan, found) = timed("claims", || repair(&damaged, Recovery::Salvage));
        let found = keys(&found);
        let kept = found.iter().filter(|(key, record)| truth.get(*key) == Some(record)).count();
        // Ten times 512 bytes are some 110 records.
        assert!(kept > KEYS - 400, "{seed}: {kept} keys, {:?}", census(&plan).gaps);
        assert!(census(&plan).gaps.iter().all(|gap| !gap.is_given_up), "{seed}");
    }
}

/// Sets of too many members at every ninth byte: the search ends, and it is told that it did.
#[test]
fn a_search_that_is_given_up() {
    let units: u32 = if is_full() { 400_000 } else { 60_000 };
    let mut random = fastrand::Rng::with_seed(1);
    let claim = b().u8(0x80).raw((units + 1000).to_be_bytes()).0;
    let mut noise = Vec::new();
    for _ in 0..units {
        noise.extend([8, 2, 1, random.u8(b'a'..=b'z')]);
        noise.extend(&claim);
    }
    let rdb = Rdb::redis(11).db(0).string("key", "text").raw(&noise).raw([0xee]);
    let bytes = (0..20).fold(rdb, |rdb, n| rdb.string(&format!("key:{n}"), "text")).end_with(0);
    let found = timed("sets", || plan(&bytes, Recovery::Salvage));
    assert!(census(&found).gaps.iter().any(|gap| gap.is_given_up), "{:?}", census(&found).gaps);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dump.rdb");
    std::fs::write(&path, &bytes).unwrap();
    let path = path.to_string_lossy();
    let said = |more: &str| {
        let args = ["repair", "--salvage", "--dry-run", &*path, more];
        crate::program::rdbtool(args.iter().filter(|arg| !arg.is_empty())).stdout
    };
    let words = "the search in it was given up: it may have more keys";
    assert!(said("").split_whitespace().collect::<Vec<_>>().join(" ").contains(words));
    assert!(said("--json").contains("\"given_up\":true"));
}

/// Random bytes with and without an RDB around them.
#[test]
fn noise() {
    let mut random = fastrand::Rng::with_seed(1);
    for trial in 0..if is_full() { 200 } else { 6 } {
        let noise: Vec<u8> = (0..200_000).map(|_| random.u8(..)).collect();
        let bytes = Rdb::redis(11).db(0).string("key", "text").raw(&noise).end_with(0);
        let plan = timed("noise", || plan(&bytes, Recovery::Salvage));
        assert!(census(&plan).kept <= 3, "{trial}: {:?}", census(&plan).suspect.named);
    }
}
