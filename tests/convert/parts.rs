//! Text that is much more than what it is made of: it is handed on by parts, and little is held.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rdbtool::job::convert::{Form, Options};
use rdbtool::rdb::target::Target;
use rdbtool::value::digest::Style;
use tempfile::TempDir;

use crate::made::{Bytes, Rdb, b};
use crate::{convert, options};

/// So many zeros, as LZF has them in a few bytes: one of them, and the one before again and again.
fn zeros(len: usize) -> Bytes {
    let (mut text, mut left) = (vec![0, 0], len - 1);
    while left > 0 {
        // Runs of at most 264 bytes, and of three at least.
        let run = if left <= 264 { left } else { 264.min(left - 3) };
        match run {
            3..=8 => text.extend([(run as u8 - 2) << 5, 0]),
            _ => text.extend([7 << 5, (run - 9) as u8, 0]),
        }
        left -= run;
    }
    b().lzf(&text, len as u64)
}

/// Small values, one that is large, and a collection of many elements.
fn file() -> Vec<u8> {
    let mut rdb = Rdb::redis(11).db(0);
    for n in 0..500 {
        rdb = rdb.key(0, &format!("small:{n}"), zeros(4000));
    }
    let items = (0..1000).fold(b().len(1000), |items, _| items.raw(zeros(2000).0));
    rdb = rdb.key(0, "large", zeros(3 << 20)).key(1, "items", items);
    rdb = rdb.db(3);
    for n in 0..500 {
        rdb = rdb.key(0, &format!("other:{n}"), zeros(4000));
    }
    rdb.end()
}

#[test]
fn parts_make_the_same_whole() {
    let file = file();
    let target = Target::version(14).unwrap();
    for form in [Form::JsonLines, Form::Json, Form::Csv] {
        let of = |jobs| convert(&file, &Options { form, jobs, ..options(target) });
        let (one, report) = of(1);
        assert_eq!((report.counts.keys, report.databases.len()), (1002, 2));
        assert!(report.damage.is_empty());
        assert!(one == of(2).0 && one == of(5).0, "{form:?}");
        if form == Form::Json {
            let all: serde_json::Value = serde_json::from_slice(&one).unwrap();
            assert_eq!(all[0]["keys"]["large"].as_str().unwrap().len(), 3 << 20);
            assert_eq!(all[0]["keys"]["items"].as_array().unwrap().len(), 1000);
            assert_eq!(all[1]["keys"].as_object().unwrap().len(), 500);
        }
        if form == Form::JsonLines {
            let back = convert(&one, &options(target)).0;
            let (a, b) = (crate::load(&file), crate::load(&back));
            assert_eq!(a.engine.digest(Style::default(), 1), b.engine.digest(Style::default(), 1));
        }
    }
}

/// KiB of memory that a conversion takes at most.
#[cfg(target_os = "linux")]
fn memory(source: &Path, to: &str) -> u64 {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rdbtool"))
        .args([
            "convert",
            source.to_str().unwrap(),
            "--to",
            to,
            "-o",
            "-",
            "--jobs",
            "2",
            "--quiet",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It has made everything when it begins to write, and cannot end before that is read.
    let mut out = child.stdout.take().unwrap();
    std::io::Read::read_exact(&mut out, &mut [0]).unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    std::io::copy(&mut out, &mut std::io::sink()).unwrap();
    assert!(child.wait().unwrap().success());
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn little_is_held() {
    let folder = TempDir::new().unwrap();
    let (small, large) = (folder.path().join("small.rdb"), folder.path().join("large.rdb"));
    let mut rdb = Rdb::redis(11).db(0);
    for n in 0..6000 {
        rdb = rdb.key(0, &format!("small:{n}"), zeros(4000));
    }
    fs::write(&small, rdb.end()).unwrap();
    let mut rdb = Rdb::redis(11).db(0);
    for n in 0..2 {
        rdb = rdb.key(0, &format!("large:{n}"), zeros(8 << 20));
    }
    fs::write(&large, rdb.end()).unwrap();
    // All of one is six times as long in JSON.
    let (of_small, of_large) = (memory(&small, "jsonl"), memory(&large, "json"));
    println!("{of_small} KiB for small values, {of_large} KiB for values of 8 MiB");
    assert!(of_small < 64 << 10, "{of_small} KiB");
    assert!(of_large < 64 << 10, "{of_large} KiB");
}
