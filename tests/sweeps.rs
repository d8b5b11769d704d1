//! Every small sample cut at every byte and with every bit flipped: the right finding, never a panic,
//! and what the whole file is made of accounts for every byte of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::io::Cursor;
use std::path::{Path, PathBuf};

use rdbtool::finding::Severity;
use rdbtool::input::detect::FileKind;
use rdbtool::input::source::{Input, Source};
use rdbtool::job::check::{Options, Report, Verdict, check_rdb};
use rdbtool::limits::Limits;
use rdbtool::rdb::reader::Reader;
use rdbtool::rdb::skim::{Checksum, Chunks, Spare};

/// Samples up to this size are swept bit by bit.
const SMALL: u64 = 700;

fn samples(most: u64) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rdb")
                && entry.metadata().unwrap().len() <= most
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn check(bytes: &[u8]) -> Report {
    let source = Source {
        reader: Box::new(Cursor::new(bytes.to_vec())),
        kind: FileKind::of(bytes),
        compression: None,
        size: Some(bytes.len() as u64),
    };
    check_rdb(source, &Input::Stdin, &Options::default()).unwrap()
}

#[test]
fn every_byte_belongs_to_one_record() {
    let files = samples(u64::MAX);
    assert!(files.len() > 300);
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let mut chunks = Chunks::new(Cursor::new(&bytes), 0, Limits::default());
        let mut next = 0;
        while let Some(chunk) = chunks.next_chunk(Spare::default()).unwrap() {
            assert_eq!(chunk.offset, next, "{}", file.display());
            for record in Reader::new(&chunk) {
                let span = record.unwrap().span;
                assert_eq!(span.start, next, "{}", file.display());
                assert!(span.end > span.start);
                next = span.end;
            }
        }
        let outcome = chunks.finish().unwrap();
        assert_eq!(outcome.end, next, "{}", file.display());
        assert_eq!(outcome.size, bytes.len() as u64, "{}", file.display());
        assert!(outcome.damage.is_some() || outcome.checksum != Checksum::Unknown);
    }
}

#[test]
fn every_prefix_is_told_to_be_cut() {
    let mut swept = 0;
    for file in samples(SMALL) {
        let bytes = std::fs::read(&file).unwrap();
        let whole = check(&bytes);
        if whole.verdict() == Verdict::Damaged {
            // Cutting what is damaged must still not panic or hang.
            (0..bytes.len()).for_each(|len| drop(check(&bytes[..len])));
            continue;
        }
        let end = usize::try_from(whole.outcome.end).unwrap();
        for len in 0..end {
            let report = check(&bytes[..len]);
            let name = file.display();
            assert_eq!(report.verdict(), Verdict::Damaged, "{name} cut to {len}");
            let damage = report.outcome.damage.expect("a place where it stops");
            assert!(damage.span.start <= len as u64, "{name} cut to {len}: {damage:?}");
            assert!(damage.code.as_str().starts_with("rdb-"), "{name} cut to {len}: {damage:?}");
            swept += 1;
        }
    }
    assert!(swept > 10_000, "only {swept} cuts");
}

#[test]
fn every_bit_flip_under_a_checksum_is_found() {
    let mut swept = 0;
    for file in samples(SMALL) {
        let mut bytes = std::fs::read(&file).unwrap();
        let whole = check(&bytes);
        let sealed = whole.outcome.checksum == Checksum::Ok && whole.verdict() == Verdict::Ok;
        for bit in 0..usize::try_from(whole.outcome.end).unwrap() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            let report = check(&bytes);
            if sealed {
                let worst = report.findings.iter().map(|finding| finding.severity()).max();
                let name = file.display();
                assert_eq!(
                    worst,
                    Some(Severity::Error),
                    "{name}, bit {bit}: {:?}",
                    report.findings
                );
            }
            bytes[bit / 8] ^= 1 << (bit % 8);
            swept += 1;
        }
    }
    assert!(swept > 100_000, "only {swept} flips");
}

/// A claimed length costs nothing: a few bytes that promise 2^62 elements or bytes are done at once.
#[test]
fn claims_cost_nothing() {
    let claim = [0x81, 0x40, 0, 0, 0, 0, 0, 0, 0];
    for code in 0..=255u8 {
        for magic in [&b"REDIS0014"[..], b"VALKEY080"] {
            let mut bytes = magic.to_vec();
            bytes.push(code);
            bytes.extend_from_slice(b"\x01k");
            for _ in 0..4 {
                bytes.extend_from_slice(&claim);
            }
            assert_eq!(check(&bytes).verdict(), Verdict::Damaged, "type {code}");
        }
    }
}
