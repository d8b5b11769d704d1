//! Incidents that happened to people (RELIABILITY 0, 3.1 and 4.4; PEERS 3.A), each by its name.

use rdbtool::finding::Code;
use rdbtool::job::recovery::Recovery;
use rdbtool::job::repair_rdb::plan::{Action, Options, Refusal};

use crate::lab::{census, checked, keys, options, plan, repair, repair_with, sample};
use crate::made::{Rdb, b, lp_texts};

/// HDT3213/rdb#15, redis#12037: months of backups in each of which one value is bad, with a right checksum.
#[test]
fn one_bad_value_in_a_file_with_a_right_checksum() {
    let mut bad = lp_texts(&["a", "1", "b", "2"]);
    bad[6] = 0xf7;
    let bytes = Rdb::redis(10).db(0).resize(3, 0).string("one", "1");
    let bytes = bytes.packed(16, "broken", bad).string("two", "2").end();
    let tail = plan(&bytes, Recovery::Tail);
    assert_eq!(tail.refusals, [Refusal::NeedsSalvage]);
    let (plan, found) = repair(&bytes, Recovery::Salvage);
    let census = census(&plan);
    assert_eq!((census.kept, census.suspect.count, census.gaps.len()), (2, 0, 0));
    let lost = census.lost[0].why.key.as_ref().unwrap();
    assert_eq!((lost.key.as_slice(), lost.type_name), (&b"broken"[..], "hash-listpack"));
    let Action::Rebuild(rebuild) = &plan.action else { panic!() };
    assert!(rebuild.is_as_written, "the checksum vouches for the others");
    let want = Rdb::redis(10).db(0).resize(2, 0).string("one", "1").string("two", "2").end();
    assert!(found == want);
}

/// A type that is not known in a file with a right checksum: what is behind it is as sound as what is before it.
#[test]
fn an_unknown_record_in_a_file_with_a_right_checksum() {
    let all = |rdb: Rdb, name: &str| {
        (0..1000).fold(rdb, |rdb, n| rdb.string(&format!("{name}:{n}"), "some text"))
    };
    let before = || all(Rdb::redis(10).db(0), "before");
    let unknown = b().u8(0x63).str("newtype").str("payload").0;
    let at = before().cut().len() as u64;
    let bytes = all(before().raw(&unknown), "behind").end();
    let (plan, found) = repair(&bytes, Recovery::Salvage);
    assert!(keys(&found) == keys(&all(before(), "behind").end()));
    let census = census(&plan);
    let [gap] = &census.gaps[..] else { panic!("{:?}", census.gaps) };
    assert_eq!(gap.span, at..at + unknown.len() as u64);
    assert_eq!((census.kept, census.bytes_lost()), (2000, unknown.len() as u64));
    let Action::Rebuild(rebuild) = &plan.action else { panic!() };
    assert!(rebuild.is_as_written);
}

/// redis#6195, RedisShake#372: a compressed string that does not expand costs its key and no other.
#[test]
fn a_compressed_string_that_does_not_expand() {
    let broken = b().lzf(&[0x20, 0xff, 0xff], 40);
    let bytes = Rdb::redis(9).db(0).string("a", "1").key(0, "broken", broken).string("z", "2");
    let (plan, found) = repair(&bytes.end_with(0), Recovery::Salvage);
    assert_eq!(census(&plan).lost[0].why.code, Code::StringLzf);
    assert_eq!(keys(&found).len(), 2);
}

/// redis#1991, #1642, #1273, #511: the same key twice, at which the server stops with a panic.
#[test]
fn the_same_key_twice() {
    let bytes = Rdb::redis(11).db(0).resize(3, 0).string("a", "first").string("b", "x");
    let bytes = bytes.string("a", "second").db(1).resize(1, 0).string("a", "other").end();
    let (plan, found) = repair(&bytes, Recovery::Salvage);
    assert_eq!(census(&plan).lost[0].why.code, Code::DupKey);
    let want = Rdb::redis(11).db(0).resize(2, 0).string("a", "first").string("b", "x");
    assert!(found == want.db(1).resize(1, 0).string("a", "other").end());
}

/// redis#12521, #617, #522, #4050: a full disk, or a copy that stopped.
#[test]
fn a_file_that_was_cut_short() {
    let whole = sample(40, 1).end();
    let (plan, found) = repair(&whole[..whole.len() / 2], Recovery::Tail);
    let census = census(&plan);
    assert_eq!(census.stated, Some(36), "of the database that was reached");
    assert!(census.kept > 10 && keys(&found).len() as u64 == census.kept);
    assert!(census.lost.is_empty() && census.suspect.count == 0);
}

/// A power cut on ext4: NULs where the end should be (redis#5177 had 595, others 12 and 736).
#[test]
fn nuls_at_the_end() {
    let whole = sample(40, 2).end();
    for nuls in [1, 12, 595, 736, 4096] {
        // Behind the end they are nothing; instead of it they are all that is left.
        let behind = [&whole[..], &vec![0; nuls]].concat();
        assert!(repair(&behind, Recovery::Strict).1 == whole, "{nuls} behind the end");
        let cut = whole.len() - nuls.clamp(10, 2000);
        let instead = [&whole[..cut], &vec![0; nuls]].concat();
        let (plan, found) = repair(&instead, Recovery::Salvage);
        let truth = keys(&whole);
        let found = keys(&found);
        let wrong: Vec<_> =
            found.iter().filter(|(key, record)| truth.get(*key) != Some(record)).collect();
        // The last record may end with some of the NULs: one is not seen, more are, and it is marked.
        let suspect = &census(&plan).suspect.named;
        for (key, _) in wrong {
            let is_marked = suspect.iter().any(|named| named.key == key.1);
            assert!(is_marked || nuls == 1, "{nuls}: {key:?} {:?}", census(&plan).gaps);
        }
        assert!(found.len() >= keys(&repair(&whole[..cut], Recovery::Tail).1).len() - 1, "{nuls}");
    }
}

/// A hole in the middle: the rule of three entries of redis-check-dump made 1,199 keys of one (RELIABILITY 0.8).
#[test]
fn a_hole_of_zeros_is_no_keys() {
    let whole = sample(400, 3).end_with(0);
    let mut damaged = whole.clone();
    damaged[9000..13096].fill(0);
    let (plan, found) = repair(&damaged, Recovery::Salvage);
    let (truth, found) = (keys(&whole), keys(&found));
    assert!(found.iter().all(|(key, record)| truth.get(key) == Some(record)));
    assert_eq!(census(&plan).gaps.len(), 1);
    assert!(found.len() > 340, "{}", found.len());
}

/// A block of a file system that is there twice.
#[test]
fn a_block_that_is_there_twice() {
    let whole = sample(400, 4).end_with(0);
    let mut damaged = whole.clone();
    let block = whole[8192..12288].to_vec();
    damaged.splice(12288..12288, block);
    let (_, found) = repair(&damaged, Recovery::Salvage);
    let (truth, found) = (keys(&whole), keys(&found));
    assert!(found.keys().all(|key| truth.contains_key(key)));
    assert!(found.len() >= 398, "{}", found.len());
}

/// A database number that no server takes: nobody knows where its keys were, so they are left out, and that is
/// said; who knows can say so.
#[test]
fn a_database_number_beyond_all() {
    let bytes = Rdb::redis(11).db(0).resize(1, 0).string("a", "1");
    let bytes = bytes.db(1 << 40).resize(1, 0).string("b", "2").end();
    let (plan, found) = repair(&bytes, Recovery::Salvage);
    assert_eq!(keys(&found).into_keys().collect::<Vec<_>>(), [(0, b"a".to_vec())]);
    let nameless = &census(&plan).nameless;
    assert_eq!((nameless.len(), nameless[0].from, nameless[0].keys), (1, 1, 1));
    let known = Options { unknown_dbs: vec![7], ..options(Recovery::Salvage) };
    let (plan, found) = repair_with(&bytes, &known);
    let databases: Vec<_> = keys(&found).into_keys().collect();
    assert_eq!(databases, [(0, b"a".to_vec()), (7, b"b".to_vec())]);
    assert_eq!((census(&plan).nameless.len(), census(&plan).assumed.len()), (0, 1));
}

/// `zero` keys of database 0 and `nine` of database 9, and where the number of the second is.
fn two_databases(zero: u64, nine: u64) -> (Vec<u8>, usize) {
    let all = |rdb: Rdb, name: &str, count: u64| {
        (0..count).fold(rdb, |rdb, n| rdb.string(&format!("{name}{n}"), "some text"))
    };
    let start = || all(Rdb::redis(11).db(0).resize(zero, 0), "zero", zero);
    let at = start().cut().len();
    (all(start().db(9).resize(nine, 0), "nine", nine).end_with(0), at)
}

/// The opcode before the number of a database is lost: its sizes, which stay, tell that it was one.
#[test]
fn a_database_number_without_its_opcode() {
    let (bytes, at) = two_databases(5, 9);
    assert_eq!(bytes[at..at + 3], [0xfe, 9, 0xfb]);
    for byte in [0xef, 0x20] {
        let mut damaged = bytes.clone();
        damaged[at] = byte;
        let (plan, found) = repair(&damaged, Recovery::Salvage);
        assert!(keys(&found) == keys(&bytes), "{byte:#x}: {:?}", census(&plan));
        assert!(census(&plan).nameless.is_empty());
    }
}

/// The number itself is lost: its keys are told from those before, and left out.
#[test]
fn a_database_number_in_a_gap() {
    let (bytes, at) = two_databases(50, 90);
    for len in [2, 5, 40] {
        let mut damaged = bytes.clone();
        damaged[at..at + len].fill(0xef);
        let (plan, found) = repair(&damaged, Recovery::Salvage);
        let (truth, found) = (keys(&bytes), keys(&found));
        assert!(found.iter().all(|(key, record)| key.0 == 0 && truth.get(key) == Some(record)));
        assert_eq!(found.len(), 50, "{:?}", census(&plan));
        let nameless = &census(&plan).nameless;
        assert_eq!((nameless.len(), nameless[0].from, nameless[0].below), (1, 1, None));
        assert!(nameless[0].keys >= 86, "{nameless:?}");
        let known = Options { unknown_dbs: vec![9], ..options(Recovery::Salvage) };
        let (_, found) = repair_with(&damaged, &known);
        let found = keys(&found);
        assert!(found.iter().all(|(key, record)| truth.get(key) == Some(record)));
        assert!(found.len() >= 136, "{}", found.len());
    }
}

/// The numbers of two databases are lost, and nothing tells where the second begins: what is left out is told of
/// once, and the new file has what it is said to have.
#[test]
fn two_database_numbers_in_gaps() {
    let all = |rdb: Rdb, name: &str, count: u64| {
        (0..count).fold(rdb, |rdb, n| rdb.string(&format!("{name}:{n:05}"), "some text"))
    };
    for zero in [300, 3000] {
        let first = || all(Rdb::redis(11).db(0).resize(zero, 0), "a", zero);
        let second = || all(first().db(1).resize(300, 0), "b", 300);
        let bytes = all(second().db(2).resize(300, 0), "c", 300).end_with(0);
        let (one, two) = (first().cut().len(), second().cut().len());
        for byte in [0, 0x7e, 0xff] {
            let mut damaged = bytes.clone();
            damaged[one - 700..one + 300].fill(byte);
            damaged[two - 20..two + 180].fill(byte);
            checked(&damaged);
            let (plan, found) = repair(&damaged, Recovery::Salvage);
            let (truth, found, census) = (keys(&bytes), keys(&found), census(&plan));
            // The value of the last before a gap may have some of that in it.
            let wrong = found.iter().filter(|(key, record)| truth.get(*key) != Some(record));
            assert!(wrong.count() <= 1 && found.keys().all(|key| key.0 == 0));
            assert!(found.len() as u64 >= zero - 40, "{} keys", found.len());
            let nameless: Vec<u64> = census.nameless.iter().map(|nameless| nameless.keys).collect();
            assert!(matches!(nameless[..], [b, c] if b > 250 && c > 250), "{nameless:?}");
            assert_eq!(census.found(), census.kept + nameless.iter().sum::<u64>());
            assert_eq!(census.kept, found.len() as u64);
        }
    }
}

/// A gap among keys of one database: as many are missing as were in it, so it hides no other.
#[test]
fn a_gap_that_hides_no_database() {
    let (bytes, at) = two_databases(400, 3);
    let mut damaged = bytes.clone();
    damaged[at / 2..at / 2 + 60].fill(0xef);
    let (plan, found) = repair(&damaged, Recovery::Salvage);
    let (truth, found) = (keys(&bytes), keys(&found));
    assert!(found.iter().all(|(key, record)| truth.get(key) == Some(record)));
    assert!(found.len() > 395 && census(&plan).assumed.is_empty(), "{:?}", census(&plan));
}

/// Bytes of a gap that look like the number of a database are none without sizes behind them.
#[test]
fn a_number_that_is_none() {
    let (bytes, at) = two_databases(400, 3);
    let middle = bytes.windows(7).position(|at| at == b"zero200").unwrap() - 2;
    let mut damaged = bytes.clone();
    // Two whole records.
    damaged[middle - 38..middle].fill(0xef);
    damaged[middle - 2..middle].copy_from_slice(&[0xfe, 7]);
    assert!(middle < at);
    let (plan, found) = repair(&damaged, Recovery::Salvage);
    let (truth, found) = (keys(&bytes), keys(&found));
    assert!(
        found.iter().all(|(key, record)| truth.get(key) == Some(record)),
        "{:?}",
        census(&plan)
    );
    assert!(found.len() > 395, "{}", found.len());
}

/// A name that is no text, where all others are, in a file that nothing vouches for.
#[test]
fn a_name_that_is_no_text() {
    let (bytes, _) = two_databases(400, 3);
    let mut damaged = bytes.clone();
    let at = bytes.windows(7).position(|at| at == b"zero200").unwrap();
    damaged[at] = 1;
    // It is a key like others; that something else is wrong makes a new file of it.
    let last = damaged.len() - 9;
    let (plan, _) = repair(&damaged[..last], Recovery::Salvage);
    assert_eq!((census(&plan).odd, census(&plan).suspect.count), (1, 1));
    assert_eq!(census(&plan).suspect.named[0].key, b"\x01ero200");
}

/// A length that was damaged swallows keys, and what follows is in step again: the file looks sound. That it has
/// fewer keys than it says is what tells.
#[test]
fn keys_that_are_swallowed_unseen() {
    let (bytes, at) = two_databases(400, 3);
    let start = bytes.windows(7).position(|at| at == b"zero100").unwrap();
    let end = bytes.windows(7).position(|at| at == b"zero300").unwrap() - 2;
    let mut damaged = bytes.clone();
    let value = start + 7;
    let len = u16::try_from(end - value - 2).unwrap() | 0x4000;
    damaged[value..value + 2].copy_from_slice(&len.to_be_bytes());
    assert!(end < at);
    assert!(plan(&damaged, Recovery::Tail).has_nothing_to_do());
    let (plan, found) = repair(&damaged, Recovery::Salvage);
    let (truth, found) = (keys(&bytes), keys(&found));
    assert!(
        found.iter().all(|(key, record)| truth.get(key) == Some(record)),
        "{:?}",
        census(&plan)
    );
    assert!(found.len() >= 400, "{}: {:?}", found.len(), census(&plan));
}

/// The first nine bytes are gone; what the server says of itself behind them tells the version.
#[test]
fn first_bytes_that_are_gone() {
    let bytes = sample(30, 5).end_with(0);
    let mut damaged = bytes.clone();
    damaged[..9].fill(0);
    let (plan, found) = repair(&damaged, Recovery::Salvage);
    let Action::Rebuild(rebuild) = &plan.action else { panic!("{:?}", plan.action) };
    assert!(rebuild.is_header_new);
    assert_eq!(&found[..9], b"REDIS0010");
    assert!(keys(&found) == keys(&bytes));
}

/// A length that was damaged swallows the keys behind it: they are had back.
#[test]
fn a_length_that_swallows_its_neighbours() {
    let long = "x".repeat(50);
    let rdb = Rdb::redis(11).db(0).resize(40, 0);
    let bytes = (0..40).fold(rdb, |rdb, n| rdb.string(&format!("key:{n}"), &long)).end_with(0);
    let at = bytes.windows(7).position(|at| at == b"key:10x" || at == b"key:102").unwrap();
    assert_eq!(bytes[at + 6], 50);
    let mut damaged = bytes.clone();
    // 50 becomes 14 bits: 0x0278 = 632 bytes, more than ten records.
    damaged[at + 6] = 0x42;
    let (plan, found) = repair(&damaged, Recovery::Salvage);
    let (truth, found) = (keys(&bytes), keys(&found));
    assert_eq!(found.len(), 39, "{:?}", census(&plan));
    assert!(found.iter().all(|(key, record)| truth.get(key) == Some(record)));
    let why = &census(&plan).gaps[0].why;
    assert_eq!(why.key.as_ref().unwrap().key, b"key:10");
}
