//! What stands for each incident and each kind of file that RELIABILITY 0, 2.1 and 4.4 name: a test by its name, or a
//! sample with its finding. A test that goes or is renamed, or a sample that is gone or found sound, fails here.

use std::fs;
use std::path::Path;

use rdbtool::finding::Code;
use rdbtool::job::check::Verdict;

use crate::lab::{checked, read, sample};
use crate::made::{Rdb, b};

/// Where it is told of, what happened, and what stands for it.
const INCIDENTS: [(&str, &str, &[&str]); 39] = [
    (
        "0.1",
        "writes that were acknowledged, lost behind a torn MULTI",
        &[
            "tests/salvage/aof_incidents.rs::a_torn_transaction_with_the_writes_of_the_next_run",
            "tests/nul_tails.rs::nuls_inside_a_command_of_a_multi",
        ],
    ),
    ("0.2, 4.4", "a NUL at the end", &["tests/nul_tails.rs::one_nul"]),
    ("0.2, 4.4", "12 NULs (cf-redis#71)", &["tests/nul_tails.rs::twelve_nuls"]),
    (
        "0.2, 4.4",
        "595 NULs (redis#5177)",
        &["tests/nul_tails.rs::five_hundred_and_ninety_five_nuls"],
    ),
    ("0.2, 4.4", "736 NULs", &["tests/nul_tails.rs::seven_hundred_and_thirty_six_nuls"]),
    ("0.2, 4.4", "a page of NULs", &["tests/nul_tails.rs::a_page_of_nuls"]),
    ("0.2, 4.4", "5 MiB of NULs", &["tests/nul_tails.rs::five_mebibytes_of_nuls"]),
    ("0.2", "NULs at the end of an RDB", &["tests/salvage/incidents.rs::nuls_at_the_end"]),
    (
        "0.3, 4.4",
        "a header and NULs, and sound writes behind them",
        &[
            "tests/salvage/aof_incidents.rs::nuls_inside_a_command",
            "tests/nul_tails.rs::nuls_instead_of_the_end_of_a_line",
            "tests/nul_tails.rs::nuls_with_sound_commands_behind_them",
        ],
    ),
    ("0.4, 4.4", "HQET for HSET", &["tests/salvage/aof_incidents.rs::one_bit_of_a_name"]),
    ("0.4", "a bad byte in an AOF", &["tests/salvage/aof_yields.rs::what_is_had_back_of_an_aof"]),
    (
        "0.5",
        "one bad value in every backup",
        &["tests/salvage/incidents.rs::one_bad_value_in_a_file_with_a_right_checksum"],
    ),
    ("0.6", "a flipped bit", &["tests/salvage/heal.rs::every_flipped_bit_is_found_and_restored"]),
    ("0.7", "a byte of the framing", &["tests/salvage/aof_yields.rs::one_byte_of_the_framing"]),
    (
        "0.8",
        "a hole of zeros, of which three in a row are no keys",
        &[
            "tests/salvage/incidents.rs::a_hole_of_zeros_is_no_keys",
            "tests/salvage/hostile.rs::what_repeats_is_one_thing",
            "made/bad/rdb-repeats-nuls.rdb",
        ],
    ),
    (
        "0.9, 4.4",
        "names that write to a terminal",
        &["tests/hostile.rs::nothing_gets_through_to_a_terminal"],
    ),
    (
        "0.10",
        "a rename that was not synced",
        &[
            "tests/persist_crash.rs::a_power_cut_at_any_moment_leaves_old_or_new",
            "tests/persist_crash.rs::the_model_catches_a_step_left_out",
        ],
    ),
    ("4.4", "a MULTI cut at a command", &["damaged/aof-trunc-in-multi.aof"]),
    ("4.4", "a MULTI cut inside one", &["damaged/aof-trunc-in-exec.aof"]),
    (
        "4.4",
        "MULTI to the end, EXEC alone",
        &["tests/salvage/aof_incidents.rs::transactions_only_as_a_whole"],
    ),
    (
        "4.4",
        "`*0`, `*-1`, `*03`, `* 3`",
        &["tests/salvage/aof_incidents.rs::commands_of_no_arguments"],
    ),
    (
        "4.4",
        "a block of 4 KiB twice",
        &[
            "tests/salvage/aof_incidents.rs::a_block_that_is_there_twice",
            "tests/salvage/incidents.rs::a_block_that_is_there_twice",
        ],
    ),
    (
        "4.4",
        "a damaged preamble and sound commands",
        &["tests/salvage/aof_incidents.rs::sound_commands_behind_a_damaged_rdb"],
    ),
    ("4.4", "a checksum of 0", &["made/bad/rdb-crc-disabled-zero.rdb", "damaged/rdb-zerocrc.rdb"]),
    ("4.4", "the last 8 bytes zeroed", &["tests/salvage/table.rs::a_checksum_that_is_wiped"]),
    (
        "4.4",
        "the same key twice",
        &["tests/salvage/incidents.rs::the_same_key_twice", "made/bad/dup-key-same-db.rdb"],
    ),
    (
        "4.4",
        "SELECTDB 2^40",
        &[
            "tests/salvage/incidents.rs::a_database_number_beyond_all",
            "made/bad/db-invalid-2-31.rdb",
        ],
    ),
    ("4.4", "trailing bytes", &["made/bad/trailing-bytes-text.rdb"]),
    ("4.4", "a score that is no number", &["made/bad/zset-nan-binary.rdb"]),
    ("4.4", "empty collections", &["made/bad/empty-collection-hash.rdb"]),
    (
        "4.4",
        "fields and consumers twice",
        &["made/bad/dup-field-hash.rdb", "made/bad/consumer-dup-name.rdb"],
    ),
    ("4.4", "pending entries of no consumer", &["made/bad/pel-orphan-one.rdb"]),
    (
        "4.4",
        "a prevlen outside, numbers of no width, no entries",
        &[
            "made/bad/zl-prevlen-value.rdb",
            "made/bad/lp-entry-outside.rdb",
            "tests/salvage/table.rs::listpacks_that_end_before_they_begin",
        ],
    ),
    (
        "4.4",
        "times of fields too far, out of order, missing",
        &[
            "made/bad/hash-ttl-limit.rdb",
            "made/bad/hash-ttl-order-descending.rdb",
            "made/bad/pair-odd-hash-listpack-ex.rdb",
        ],
    ),
    ("4.4", "an empty intset", &["made/bad/intset-header-empty.rdb"]),
    (
        "4.4",
        "manifests with `../`, `\\x2f`, files twice, numbers that go back",
        &["src/aof/manifest.rs::faults", "damaged/mp-bad-manifest/appendonly.aof.manifest"],
    ),
    ("4.4", "links and pipes", &["tests/aof_set.rs::only_regular_files_are_opened"]),
    ("2.1", "claims of everything", &["tests/salvage/hostile.rs::lengths_that_claim_everything"]),
    (
        "3.2",
        "two commands that became one",
        &["tests/salvage/aof_incidents.rs::a_set_of_two_commands", "damaged/aof-syntax.aof"],
    ),
];

#[test]
fn everything_stands_for_an_incident_that_is_said_to() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ledger = String::from_utf8(read("ledger.tsv")).unwrap();
    for (place, what, stand) in INCIDENTS {
        assert!(!stand.is_empty(), "{place}: {what}");
        for name in stand {
            let Some((file, test)) = name.split_once("::") else {
                let row = ledger.lines().find(|row| row.starts_with(&format!("{name}\t")));
                let codes = row.and_then(|row| row.rsplit('\t').next());
                assert!(
                    codes.is_some_and(|codes| codes != "-"),
                    "{place}: {what}: {name} {codes:?}"
                );
                continue;
            };
            let text = fs::read_to_string(root.join(file)).unwrap_or_default();
            let lines: Vec<_> = text.lines().map(str::trim).collect();
            let head = format!("fn {test}() {{");
            let at = lines.iter().position(|line| *line == head);
            let is_test = at.is_some_and(|at| lines[at.saturating_sub(2)..at].contains(&"#[test]"));
            assert!(is_test, "{place}: {what}: {name}");
        }
    }
}

/// A damaged file whose checksum is wiped as well is not called sound: that nothing vouches for it is said.
#[test]
fn a_checksum_that_is_wiped() {
    let mut bytes = sample(30, 6).end();
    let at = bytes.windows(4).position(|at| at == b"text").unwrap_or(bytes.len() / 2);
    bytes[at] ^= 1;
    let end = bytes.len() - 8;
    bytes[end..].fill(0);
    let report = checked(&bytes);
    assert!(report.findings.iter().any(|finding| finding.code == Code::RdbCrcDisabled));
    assert!(report.verdict() >= Verdict::Unverified);
}

/// A listpack whose first entry is its end, or has no length behind it: themes of the servers' own tests of
/// corrupt payloads.
#[test]
fn listpacks_that_end_before_they_begin() {
    let listpack = |count: u16, entries: &[u8]| {
        let len = 6 + entries.len() as u32;
        [&len.to_le_bytes()[..], &count.to_le_bytes(), entries].concat()
    };
    for (count, entries) in [(2, &[0xff][..]), (2, &[0xff, 0xff, 0xff]), (1, &[0x80, 0, 0xff])] {
        let bytes = Rdb::redis(11).db(0);
        let bad = listpack(count, entries);
        let list = b().len(1).len(2).str(&bad);
        let report = checked(&bytes.key(18, "list", list).string("behind", "it").end());
        let codes: Vec<_> = report.findings.iter().map(|finding| finding.code).collect();
        let are_told = codes.iter().any(|code| code.as_str().starts_with("lp-"));
        assert!(are_told && report.verdict() == Verdict::Damaged, "{entries:?}: {codes:?}");
        assert_eq!(report.facts.keys().keys, 2, "the key behind it is read");
    }
}
