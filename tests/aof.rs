//! AOFs that servers wrote are clean, cut ones are valid up to where a slow reader of our own says, and
//! every kind of damage is called what it is.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, missing_docs)]

#[path = "support/resp.rs"]
mod resp;

use std::collections::BTreeSet;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use rdbtool::encoding::resp::Forms;
use rdbtool::finding::{Code, Severity};
use rdbtool::input::detect::FileKind;
use rdbtool::input::source::{Input, Source, open};
use rdbtool::job::check::Verdict;
use rdbtool::job::check_aof::{Options, Report, check_aof};
use resp::{command, slow_valid_up_to};

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

fn options() -> Options {
    Options::default()
}

fn check_bytes(bytes: &[u8], options: &Options) -> Report {
    let kind = FileKind::of(&bytes[..bytes.len().min(16)]);
    let reader = Box::new(Cursor::new(bytes.to_vec()));
    let source = Source { reader, kind, compression: None, size: Some(bytes.len() as u64) };
    check_aof(source, &Input::Stdin, options).unwrap()
}

fn check(path: &Path, options: &Options) -> Report {
    let input = Input::File(path.to_path_buf());
    check_aof(open(&input, |_| {}).unwrap(), &input, options).unwrap()
}

fn codes(report: &Report) -> BTreeSet<&'static str> {
    report.findings.iter().map(|finding| finding.code.as_str()).collect()
}

/// AOFs below `folder`, base files included.
fn aofs(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(aofs(&path));
        } else if path.to_string_lossy().contains(".aof")
            && !path.ends_with("appendonly.aof.manifest")
        {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn golden() -> Vec<PathBuf> {
    let mut files = aofs(&testdata("aof"));
    files.extend(aofs(&testdata("modules/appendonlydir")));
    assert!(files.len() >= 10, "{}", files.len());
    files
}

#[test]
fn what_servers_wrote_is_clean() {
    for path in golden() {
        let report = check(&path, &options());
        let size = fs::metadata(&path).unwrap().len();
        let bad: Vec<_> =
            report.findings.iter().filter(|f| f.severity() > Severity::Note).collect();
        assert_eq!(bad, Vec::<&rdbtool::finding::Finding>::new(), "{}", path.display());
        assert_eq!((report.size, report.valid_up_to), (size, size), "{}", path.display());
        assert_eq!(report.verdict(), Verdict::Ok, "{}", path.display());
        assert_eq!(report.unread(), None, "{}", path.display());
        let commands = report.preamble.is_some() || report.annotations > 0 || report.commands > 100;
        assert!(commands, "{}: {} commands", path.display(), report.commands);
    }
}

/// Sizes at which a server's file was measured. Before its last rewrite it was another file.
fn recorded(folder: &Path) -> Vec<(PathBuf, usize)> {
    let Ok(table) = fs::read_to_string(folder.join("prefixes.tsv")) else { return Vec::new() };
    let mut rows: Vec<(PathBuf, usize)> = Vec::new();
    for row in table.lines() {
        let mut cells = row.split('\t');
        let (file, size) = (cells.next().unwrap(), cells.next().unwrap().parse().unwrap());
        if rows.last().is_some_and(|(_, last)| size < *last) {
            rows.clear();
        }
        let single = folder.join(file);
        let part = folder.join("appendonlydir").join(file);
        rows.push((if single.exists() { single } else { part }, size));
    }
    rows
}

#[test]
fn recorded_prefixes_end_at_commands() {
    let folders = fs::read_dir(testdata("aof")).unwrap().map(|folder| folder.unwrap().path());
    let rows: Vec<_> = folders.flat_map(|folder| recorded(&folder)).collect();
    assert!(rows.len() > 100, "{} prefixes", rows.len());
    for (path, size) in rows {
        let bytes = fs::read(&path).unwrap();
        let report = check_bytes(&bytes[..size], &options());
        assert_eq!(report.valid_up_to, size as u64, "{} at {size}", path.display());
        assert!(report.verdict() < Verdict::Damaged);
    }
}

/// A transaction in every tenth place, databases that change, annotations, empty arguments.
fn transactions() -> Vec<u8> {
    let mut bytes = Vec::new();
    for n in 0..60u32 {
        let number = n.to_string();
        if n % 10 == 3 {
            bytes.extend(format!("#TS:{}\r\n", 1_700_000_000 + n).bytes());
            bytes.extend(command(&["MULTI"]));
            bytes.extend(command(&["SELECT", &(n / 10).to_string()]));
            bytes.extend(command(&["RPUSH", &number, "", "\r\n*1\r\n$4\r\nEXEC\r\n", "x"]));
            bytes.extend(command(&["exec"]));
        }
        bytes.extend(command(&["SET", &number, &"v".repeat(n as usize)]));
    }
    bytes
}

fn every_cut(bytes: &[u8], from: usize) {
    let options = Options { chunk: 1 << 12, ..options() };
    let whole = check_bytes(bytes, &options);
    for len in from..bytes.len() {
        let cut = &bytes[..len];
        let report = check_bytes(cut, &options);
        assert_eq!(report.size, len as u64);
        assert_eq!(report.valid_up_to, slow_valid_up_to(cut, from), "cut at {len}");
        let clean = report.valid_up_to == len as u64;
        let note = [Code::AofEmpty];
        let quiet = report.findings.iter().all(|finding| note.contains(&finding.code));
        assert_eq!(clean, quiet, "cut at {len}: {:?}", codes(&report));
        assert!(report.commands <= whole.commands);
    }
}

#[test]
fn cut_at_every_byte_plain() {
    let bytes = fs::read(testdata("damaged/aof-ok.aof")).unwrap();
    every_cut(&bytes, 0);
}

#[test]
fn cut_at_every_byte_with_transactions() {
    every_cut(&transactions(), 0);
}

#[test]
fn cut_at_every_byte_behind_a_preamble() {
    let rdb = fs::read(testdata("made/type-04-hash.rdb")).unwrap();
    let bytes = [rdb.as_slice(), &transactions()].concat();
    every_cut(&bytes, rdb.len());
    for len in 9..rdb.len() {
        let report = check_bytes(&bytes[..len], &options());
        assert_eq!((report.valid_up_to, report.verdict()), (0, Verdict::Damaged), "{len}");
    }
}

#[test]
fn chunks_and_jobs_change_nothing() {
    let mut files: Vec<_> = golden().into_iter().map(|path| fs::read(path).unwrap()).collect();
    files.extend(aofs(&testdata("damaged")).into_iter().map(|path| fs::read(path).unwrap()));
    files.push(transactions());
    for bytes in files {
        let whole = check_bytes(&bytes, &options());
        for (chunk, jobs) in [(1, 1), (50, 1), (777, 8), (1 << 20, 8)] {
            let mut options = options();
            options.chunk = chunk;
            options.rdb.jobs = jobs;
            let report = check_bytes(&bytes, &options);
            let of = |report: &Report| {
                let findings: Vec<_> = report
                    .findings
                    .iter()
                    .map(|finding| (finding.code, finding.span.clone(), finding.found.clone()))
                    .collect();
                let Report { size, valid_up_to, commands, transactions, annotations, .. } = *report;
                let sums = (size, valid_up_to, commands, transactions, annotations);
                (findings, sums, report.databases.clone(), report.timestamps)
            };
            assert_eq!(of(&report), of(&whole), "chunks of {chunk}, {jobs} jobs");
        }
    }
}

/// What redis-check-aof 8.6.3 says of the damaged samples (VERDICTS.tsv), and where ours differs why.
#[test]
fn damaged_samples() {
    let cases: &[(&str, &[&str], u64, Verdict)] = &[
        ("aof-ok.aof", &[], 3649, Verdict::Ok),
        ("aof-trunc-midcmd.aof", &["aof-truncated"], 3618, Verdict::Damaged),
        ("aof-trunc-in-multi.aof", &["aof-multi-open", "aof-truncated"], 3103, Verdict::Damaged),
        ("aof-trunc-in-exec.aof", &["aof-multi-open", "aof-truncated"], 3103, Verdict::Damaged),
        ("aof-garbage-mid.aof", &["aof-format"], 1863, Verdict::Damaged),
        ("aof-zerofill-mid.aof", &["aof-nul-hole"], 1863, Verdict::Damaged),
        ("aof-zerofill-tail.aof", &["aof-nul-tail"], 3649, Verdict::Damaged),
        ("aof-badlen-mid.aof", &["aof-format"], 1863, Verdict::Damaged),
        ("aof-badargc.aof", &["aof-format"], 1863, Verdict::Damaged),
        ("aof-nested-multi.aof", &["aof-multi-nested"], 1863, Verdict::Damaged),
        // The arguments too end with LF alone, which no server reads.
        ("aof-lf-only.aof", &["aof-format"], 0, Verdict::Damaged),
        ("aof-flushall.aof", &[], 3667, Verdict::Ok),
        ("rdb-dump-as-aofpreamble-trunc.aof", &["aof-truncated"], 39050, Verdict::Damaged),
    ];
    for (name, want, valid_up_to, verdict) in cases {
        let report = check(&testdata("damaged").join(name), &options());
        let found: Vec<_> = codes(&report).into_iter().collect();
        assert_eq!((found.as_slice(), report.valid_up_to), (*want, *valid_up_to), "{name}");
        assert_eq!(report.verdict(), *verdict, "{name}");
    }
    let report = check(&testdata("damaged/aof-unknown-cmd.aof"), &options());
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.findings[0].code, Code::AofUnknownCommand);
    assert_eq!(report.valid_up_to, report.findings[0].span.start);
}

/// The one finding of bytes that have one.
fn only(bytes: &[u8]) -> (Code, std::ops::Range<u64>, u64) {
    let report = check_bytes(bytes, &options());
    let [finding] = &*report.findings else { panic!("{:?}", report.findings) };
    (finding.code, finding.span.clone(), report.valid_up_to)
}

#[test]
fn nul_tails() {
    let sound = transactions();
    let end = sound.len();
    for nuls in [1, 12, 595, 736, 4096, 5 << 20] {
        let tail = vec![0; nuls];
        let bytes = [sound.as_slice(), &tail].concat();
        let span = end as u64..(end + nuls) as u64;
        assert_eq!(only(&bytes), (Code::AofNulTail, span.clone(), end as u64), "{nuls}");
        // The last command loses its end to them: an argument, a line, the bytes behind an argument.
        for lost in [1, 2, 5, 12, 66] {
            let bytes = [&sound[..end - lost], &tail].concat();
            let (code, span, valid) = only(&bytes);
            if code == Code::AofArgumentEnd {
                // As many as are missing: servers do not look at the two bytes behind an argument.
                assert!(nuls <= lost && span.end == bytes.len() as u64, "{nuls} for {lost}");
                continue;
            }
            if code == Code::AofTruncated {
                // So few that they are no more than the missing bytes of an argument.
                assert!(nuls < lost, "{nuls} for {lost}");
            } else {
                let nuls_from = (end - lost) as u64;
                assert_eq!((code, span.end), (Code::AofNulTail, bytes.len() as u64));
                assert_eq!(span.start, nuls_from, "{nuls} NULs for {lost} bytes");
            }
            assert!(valid < end as u64 && valid > end as u64 - 200, "{valid} of {end}");
        }
    }
    // An argument's length, and then NULs where its line should end.
    for nuls in [1, 100, 2000] {
        let bytes = [&sound[..], b"*3\r\n$3\r\nSET\r\n$4\r", &vec![0; nuls]].concat();
        let span = (end + 16) as u64..bytes.len() as u64;
        assert_eq!(only(&bytes), (Code::AofNulTail, span, end as u64));
    }
}

#[test]
fn nul_holes_and_garbage() {
    let sound = transactions();
    let (half, _) = sound.split_at(slow_valid_up_to(&sound[..sound.len() / 2], 0) as usize);
    let end = half.len() as u64;
    for (nuls, code) in [(1, Code::AofFormat), (15, Code::AofFormat), (16, Code::AofNulHole)] {
        let bytes = [half, &vec![0; nuls], &sound].concat();
        let (found, span, valid) = only(&bytes);
        assert_eq!((found, span.start, valid), (code, end, end), "{nuls}");
        let want = if code == Code::AofNulHole { nuls as u64 } else { 1 };
        assert_eq!(span.end - span.start, want);
    }
    let hole = [half, &vec![0; 3 << 20], &sound].concat();
    assert_eq!(only(&hole), (Code::AofNulHole, end..end + (3 << 20), end));
    let report = check_bytes(&hole, &options());
    assert_eq!(report.unread(), Some(end..hole.len() as u64));
    let garbage = [half, b"\x01garbage\r\n", &sound].concat();
    assert_eq!(only(&garbage), (Code::AofFormat, end..end + 1, end));
}

#[test]
fn a_block_that_comes_twice() {
    let sound: Vec<u8> = (0..9000u32)
        .flat_map(|n| command(&["SET", &format!("key:{n}"), &format!("{}", n * 7919 % 10007)]))
        .collect();
    for (at, len) in [(20_000, 4096), (20_480, 4096), (100_010, 512), (200_000, 65_536)] {
        let bytes = [&sound[..at + len], &sound[at..]].concat();
        let (code, span, valid) = only(&bytes);
        assert_eq!(code, Code::AofDupBlock, "{len} bytes from {at}");
        assert_eq!(span.end - span.start, len as u64);
        let mut mended = bytes.clone();
        mended.drain(span.start as usize..span.end as usize);
        assert_eq!(mended, sound, "the file without it is the file as it was");
        assert!(valid <= span.start && valid + 100 > span.start);
    }
    // The same command over and over is honest, a wrong digit in one of them no block.
    let mut same: Vec<u8> = (0..2000).flat_map(|_| command(&["INCR", "counter"])).collect();
    assert!(check_bytes(&same, &options()).findings.is_empty());
    same[27 * 1000 + 5] = b'5';
    assert_eq!(only(&same).0, Code::AofFormat);
}

#[test]
fn transactions_that_do_not_end() {
    let (select, set) = (command(&["SELECT", "0"]), command(&["SET", "k", "v"]));
    let (multi, exec) = (command(&["MULTI"]), command(&["EXEC"]));
    let cut = &set[..set.len() - 3];
    let all = |parts: &[&[u8]]| check_bytes(&parts.concat(), &options());
    let start = (select.len() + set.len()) as u64;
    let cases: &[(&[&[u8]], &[&str])] = &[
        (&[&select, &set, &multi, &set], &["aof-multi-open"]),
        (&[&select, &set, &multi, &set, cut], &["aof-multi-open", "aof-truncated"]),
        (&[&select, &set, &multi, &set, &[0; 40]], &["aof-multi-open", "aof-nul-tail"]),
        // The next run of the server selects its database anew.
        (&[&select, &set, &multi, &set, &select, &set], &["aof-multi-torn"]),
        (
            &[&select, &set, &multi, &set, &select, &multi, &set, &exec, &set],
            &["aof-multi-nested", "aof-multi-torn"],
        ),
        (&[&select, &set, &multi, &set, &select, &set, &exec], &["aof-multi-torn"]),
        (&[&select, &set, &exec, &set], &["aof-exec-alone"]),
        (&[&select, &set, &multi, &multi, &exec], &["aof-multi-nested"]),
        // Behind garbage nobody knows.
        (&[&select, &set, &multi, &set, b"?"], &["aof-format"]),
    ];
    for (index, (parts, want)) in cases.iter().enumerate() {
        let report = all(parts);
        assert_eq!(codes(&report).into_iter().collect::<Vec<_>>(), *want, "case {index}");
        assert_eq!(report.valid_up_to, start, "case {index}");
    }
    let report = all(&[&select, &multi, &command(&["SELECT", "1"]), &set, &exec]);
    assert_eq!((report.findings.len(), report.transactions), (0, 1));
    assert_eq!(report.databases.into_iter().collect::<Vec<_>>(), [(1, 1)]);
}

#[test]
fn what_is_said_of_single_records() {
    let set = command(&["SET", "k", "v"]);
    let long = [b"#".as_slice(), &[b'x'; 1100], b"\r\n"].concat();
    let cases: &[(&[u8], Code, bool)] = &[
        (b"*0\r\n", Code::AofArgc, true),
        (b"*-1\r\n", Code::AofArgc, true),
        (b"*+1\r\n$4\r\nPING\r\n", Code::AofNumber, false),
        (b"* 1\r\n$4\r\nPING\r\n", Code::AofNumber, false),
        (b"*01\r\n$4\r\nPING\r\n", Code::AofNumber, false),
        (b"*1\n$4\r\nPING\r\n", Code::AofLineEnd, false),
        (b"*1\r\n$4\r\nPINGxx", Code::AofArgumentEnd, false),
        (b"*1\r\n$4\r\nPING\0\0", Code::AofArgumentEnd, false),
        (b"*1\0\r\n$4\r\nPING\r\n", Code::AofNumber, false),
        (b"*1\r\n$4\0\r\nPING\r\n", Code::AofNumber, false),
        (b"*2\r\n$4\r\nPING\r\n$\r\n\r\n", Code::AofNumber, false),
        (b"*1\r\n$4\r\0PING\r\n", Code::AofFormat, true),
        (b"#TS\0\0\r\n", Code::AofTimestamp, false),
        (b"*2\r\n$6\r\nCLIENT\r\n$3\r\nFOO\r\n", Code::AofUnknownCommand, true),
        (b"*1\r\n$4\r\nAUTH\r\n", Code::AofArity, true),
        (b"*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n", Code::AofStrayCommand, true),
        (b"*1\r\n$9223372036854775000\r\n", Code::AofLength, true),
        (b"*1\r\n$-4\r\nPING\r\n", Code::AofLength, true),
        (b"\r\n", Code::AofFormat, true),
        (b"PING\r\n", Code::AofFormat, true),
        (b"#TS:soon\r\n", Code::AofTimestamp, false),
        (b"#TS:5\r\n#TS:4\r\n", Code::AofTimestampOrder, false),
        (&long, Code::AofAnnotationLong, true),
        (b"*2\r\n$6\r\nSELECT\r\n$2\r\n16\r\n", Code::AofDbRange, false),
        (b"*2\r\n$6\r\nSELECT\r\n$1\r\nx\r\n", Code::AofDbInvalid, true),
    ];
    for (middle, code, ends) in cases {
        let bytes = [set.as_slice(), middle, &set].concat();
        let (found, _, valid) = only(&bytes);
        let want = if *ends { set.len() } else { bytes.len() };
        assert_eq!((found, valid), (*code, want as u64), "{}", middle.escape_ascii());
    }
    let report = check_bytes(b"", &options());
    assert_eq!((codes(&report).len(), report.verdict()), (1, Verdict::Ok));
    // An annotation cut off at the end: servers write on behind it.
    for tail in [&b"#"[..], b"#TS:17", b"#TS:1700000000\r"] {
        let bytes = [set.as_slice(), tail].concat();
        let span = set.len() as u64..bytes.len() as u64;
        assert_eq!(only(&bytes), (Code::AofAnnotationTorn, span, set.len() as u64));
    }
}

#[test]
fn strict_reading_stops_where_redis_check_aof_does() {
    let set = command(&["SET", "k", "v"]);
    let odd = b"*1\n$4\r\nPING\r\n";
    let bytes = [set.as_slice(), odd, &set].concat();
    let strict = Options { forms: Forms::Strict, ..options() };
    let report = check_bytes(&bytes, &strict);
    assert_eq!(codes(&report).into_iter().collect::<Vec<_>>(), ["aof-line-end"]);
    assert_eq!(report.valid_up_to, set.len() as u64);
    assert_eq!(report.unread(), Some(set.len() as u64..bytes.len() as u64));
}
