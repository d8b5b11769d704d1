//! Healing: every flipped bit of files that have a checksum is found and put right, and bursts of some bytes are.

use std::ffi::OsStr;
use std::path::Path;

use rdbtool::encoding::crc64::crc64;
use rdbtool::engine::Release;
use rdbtool::job::heal::payload::heal_payload;
use rdbtool::job::heal::{CERTAIN, heal};
use rdbtool::job::recovery::Recovery;
use rdbtool::job::repair_rdb::plan::{Action, Refusal};
use rdbtool::limits::PackedLimits;

use crate::lab::{RDB, is_full, open, options, plan, read, repair, sample, with_rdb};
use crate::program::rdbtool;
use crate::servers::{self, Reply, Server, Setup};

/// Files of many writers, all with a checksum and of at most 64 KiB.
const FILES: [&str; 9] = [
    "rdb/redis-2.8.24/one-set.rdb",
    "rdb/redis-3.2.13/one-set.rdb",
    "rdb/redis-4.0.14/one-set.rdb",
    "rdb/redis-6.2.16/one-set.rdb",
    "rdb/redis-7.0.15/one-set.rdb",
    "rdb/redis-7.4.1/one-set.rdb",
    "rdb/redis-8.6.3/one-set.rdb",
    "rdb/redis-8.8-dev/one-set.rdb",
    "rdb/valkey-9.1.2/one-set.rdb",
];

/// Flips of each file, unless all are tried; and those at its beginning and end.
const SAMPLED: usize = 60;
const EDGES: usize = 16;

#[test]
fn every_flipped_bit_is_found_and_restored() {
    let (mut flips, mut restored) = (0u64, 0u64);
    for (number, name) in FILES.into_iter().enumerate() {
        let bytes = read(name);
        assert!(bytes.len() <= 64 << 10, "{name}");
        let bits = bytes.len() * 8;
        let step = if is_full() { 1 } else { bits / SAMPLED };
        let edges = (0..EDGES * 8).chain(bits - EDGES * 8..bits);
        let edges = edges.skip(number % 4).step_by(if is_full() { bits } else { 4 });
        for bit in (number % step..bits).step_by(step).chain(edges) {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let fs = with_rdb(&damaged);
            let options = options(Recovery::Strict).check;
            let span = 0..damaged.len() as u64;
            let healed = heal(&open(&fs), Path::new(RDB), span, &options).unwrap();
            assert!(!healed.has_no_syndrome, "{name} bit {bit} is not found");
            flips += 1;
            let Some(healing) = healed.certain() else { continue };
            healing.patch.put_into(&mut damaged, 0);
            assert!(damaged == bytes, "{name} bit {bit} is healed to something else");
            restored += 1;
        }
    }
    println!("{restored} of {flips} flipped bits restored");
    assert_eq!(restored, flips);
}

/// What the whole repair makes of it, and what it says of the place.
#[test]
fn a_flipped_bit_in_each_part_of_a_record() {
    let bytes = sample(50, 1).end();
    let find = |text: &[u8]| bytes.windows(text.len()).position(|at| at == text).unwrap();
    // (place, the part named, whether a key is)
    let rows: [(usize, &str, bool); 7] = [
        (0, "the header", false),
        (8, "the header", false),
        (find(b"redis-bits"), "an AUX field", false),
        (find(b"order:line:"), "the key's name", true),
        (find(b"field0") + 2, "the value", true),
        (bytes.len() - 9, "the EOF opcode", false),
        (bytes.len() - 3, "the stored checksum", false),
    ];
    for (at, part, has_key) in rows {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        let (plan, healed) = repair(&damaged, Recovery::Strict);
        assert!(healed == bytes, "{part}");
        let Action::Heal(healing) = plan.action else { panic!("{part}: {:?}", plan.action) };
        assert_eq!(healing.place.part, part);
        assert_eq!(healing.place.key.is_some(), has_key, "{part}");
        assert_eq!((healing.patch.offset, healing.flipped), (at as u64, 1));
        assert_eq!(
            (&healing.patch.old[..], &healing.patch.new[..]),
            (&damaged[at..=at], &bytes[at..=at])
        );
    }
}

/// Bursts that are short enough are put right; longer ones are shown, and only made when asked.
#[test]
fn bursts_are_healed_as_far_as_they_are_certain() {
    let bytes = sample(200, 2).end();
    let len = bytes.len() as u64;
    let mut random = fastrand::Rng::with_seed(9);
    let trials = if is_full() { 2000 } else { 60 };
    let mut seen = [0u32; 2];
    for _ in 0..trials {
        let width = random.usize(1..=4);
        let at = random.usize(..bytes.len() - width);
        let mut damaged = bytes.clone();
        damaged[at..at + width].iter_mut().for_each(|byte| *byte ^= random.u8(1..));
        let plan = plan(&damaged, Recovery::Strict);
        let found = plan.healed.found.iter().any(|healing| {
            let mut healed = damaged.clone();
            healing.patch.put_into(&mut healed, 0);
            healed == bytes
        });
        assert!(found, "{width} bytes at {at}: not among {:?}", plan.healed.found);
        match &plan.action {
            Action::Heal(healing) => {
                assert!(healing.by_chance <= CERTAIN);
                let (_, healed) = repair(&damaged, Recovery::Strict);
                assert!(healed == bytes, "{width} bytes at {at}");
                seen[0] += 1;
            }
            _ => {
                assert!(plan.refusals.contains(&Refusal::Doubtful), "{:?}", plan.refusals);
                assert!(plan.healed.found[0].by_chance > CERTAIN);
                seen[1] += 1;
            }
        }
        assert!(len < 1 << 16);
    }
    assert!(seen.iter().all(|n| *n > 0), "{seen:?}");
}

/// Damage beyond what a checksum explains heals nothing, whatever it hits.
#[test]
fn other_damage_is_not_healed() {
    let bytes = sample(200, 3).end();
    let mut random = fastrand::Rng::with_seed(4);
    let trials = if is_full() { 2000 } else { 40 };
    for _ in 0..trials {
        let mut damaged = bytes.clone();
        for _ in 0..random.usize(2..20) {
            let at = random.usize(..bytes.len());
            damaged[at] ^= random.u8(1..);
        }
        let plan = plan(&damaged, Recovery::Strict);
        assert!(!matches!(plan.action, Action::Heal(_)), "{:?}", plan.action);
    }
}

/// A file without a checksum, whole or not, has nothing to be healed by.
#[test]
fn a_checksum_that_was_switched_off_heals_nothing() {
    let mut bytes = sample(50, 5).end_with(0);
    assert!(plan(&bytes, Recovery::Strict).has_nothing_to_do());
    bytes[200] ^= 1;
    assert!(plan(&bytes, Recovery::Strict).healed.found.is_empty());
}

/// The RDB that an AOF begins with is healed by its own checksum, wherever it ends.
#[test]
fn the_bytes_of_a_preamble() {
    let rdb = sample(50, 6).end();
    let aof = [&rdb[..], b"*1\r\n$4\r\nPING\r\n"].concat();
    let span = 0..rdb.len() as u64;
    for bit in (0..rdb.len() * 8).step_by(1499) {
        let mut damaged = aof.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let fs = with_rdb(&damaged);
        let options = options(Recovery::Strict).check;
        let healed = heal(&open(&fs), Path::new(RDB), span.clone(), &options).unwrap();
        healed.certain().unwrap().patch.put_into(&mut damaged, 0);
        assert!(damaged == aof, "bit {bit}");
    }
}

/// Every bit of DUMP payloads.
#[test]
fn every_bit_of_payloads() {
    let value = b"\x05hello\x05world";
    for (code, version) in [(2u8, 7u16), (2, 11)] {
        let mut payload = [&[code, 2][..], value].concat();
        payload.extend(version.to_le_bytes());
        payload.extend(crc64(&payload).to_le_bytes());
        let restore = |payload: &[u8]| {
            let limits = PackedLimits::DEFAULT;
            rdbtool::job::payload::PAYLOADS.restore(payload, Release::NEWEST, &limits)
        };
        assert!(restore(&payload).is_ok());
        assert_eq!(heal_payload(&payload), None, "nothing to heal");
        for bit in 0..payload.len() * 8 {
            let mut damaged = payload.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let patch = heal_payload(&damaged).unwrap_or_else(|| panic!("bit {bit}"));
            patch.put_into(&mut damaged, 0);
            assert_eq!(damaged, payload, "bit {bit}");
        }
    }
}

/// A payload of a server, damaged, is one that it refuses; healed, it takes it.
#[test]
fn a_server_takes_the_payload_again() {
    let Some(binary) = servers::named("redis-7.0.15") else {
        return println!("SKIP: no redis-7.0.15");
    };
    let mut server = Server::start(binary, &Setup::default()).unwrap();
    let fields: Vec<String> = (0..60).map(|n| format!("field-{n}")).collect();
    let mut hset = vec!["HSET", "key"];
    hset.extend(fields.iter().map(String::as_str));
    server.command(&hset);
    let digest = server.digest();
    let Reply::Bulk(Some(payload)) = server.command(&["DUMP", "key"]) else { panic!("no payload") };
    let dir = tempfile::tempdir().unwrap();
    let [path, out] = ["damaged", "healed"].map(|name| dir.path().join(name));
    let mut restore = |payload: &[u8]| {
        server.command(&["DEL", "key"]);
        let reply = server.command(&[b"RESTORE" as &[u8], b"key", b"0", payload]);
        (!matches!(reply, Reply::Error(_))).then(|| server.digest())
    };
    for (at, end) in
        [(0, &b""[..]), (9, b"\n"), (payload.len() / 2, b""), (payload.len() - 3, b"\n")]
    {
        let mut damaged = payload.clone();
        damaged[at] ^= 0x10;
        assert_eq!(restore(&damaged), None, "{at}");
        let file = [&damaged[..], end].concat();
        std::fs::write(&path, &file).unwrap();
        let [of, to] = [&path, &out].map(|path| path.as_os_str());
        let planned =
            rdbtool([OsStr::new("repair"), "--payload".as_ref(), "--dry-run".as_ref(), of]);
        assert!(planned.code == Some(1) && planned.stdout.contains("PLANNED"), "{planned:?}");
        let ran = rdbtool([OsStr::new("repair"), "--payload".as_ref(), of, "-o".as_ref(), to]);
        assert!(ran.code == Some(0) && ran.stdout.contains("HEALED"), "{ran:?}");
        let healed = std::fs::read(&out).unwrap();
        assert_eq!(restore(&healed), Some(digest.clone()), "{at}");
        assert_eq!(std::fs::read(&path).unwrap(), file, "the old one was touched");
        std::fs::remove_file(&out).unwrap();
    }
    // Two bursts far apart are beyond it, and nothing is written.
    let mut damaged = payload.clone();
    damaged[2] ^= 1;
    damaged[payload.len() / 2] ^= 1;
    std::fs::write(&path, &damaged).unwrap();
    let ran = rdbtool([
        OsStr::new("repair"),
        "--payload".as_ref(),
        "--in-place".as_ref(),
        path.as_os_str(),
    ]);
    assert!(ran.code == Some(2) && ran.stdout.contains("REFUSED"), "{ran:?}");
    assert_eq!(std::fs::read(&path).unwrap(), damaged);
}
