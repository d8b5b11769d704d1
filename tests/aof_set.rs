//! Multi-part AOFs and what servers do with them: manifests that servers wrote, damaged folders, and
//! hostile ones.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, missing_docs)]

#[path = "support/resp.rs"]
mod resp;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rdbtool::aof::folder::Folder;
use rdbtool::aof::manifest;
use rdbtool::aof::set::stems;
use rdbtool::aof::settings::Settings;
use rdbtool::aof::startup::{Plan, plan};
use rdbtool::job::check::Verdict;
use rdbtool::job::check_aof::Options;
use rdbtool::job::check_set::{Report, check_set};
use resp::command;

const STEM: &[u8] = b"appendonly.aof";

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

fn check(folder: &Path) -> Report {
    check_set(folder, STEM, &Options::default(), |_| {}).unwrap()
}

fn own_codes(report: &Report) -> Vec<&'static str> {
    let codes: BTreeSet<_> = report.own_findings().map(|finding| finding.code.as_str()).collect();
    codes.into_iter().collect()
}

fn part_codes(report: &Report) -> Vec<(String, &'static str)> {
    let of = |part: &rdbtool::job::check_set::PartReport| {
        let preamble = part.report.preamble.iter().flat_map(|preamble| &preamble.findings);
        let findings = preamble.chain(&part.report.findings);
        let name = part.name.to_string_lossy().into_owned();
        findings.map(move |finding| (name.clone(), finding.code.as_str())).collect::<Vec<_>>()
    };
    report.parts.iter().flat_map(of).collect()
}

#[test]
fn manifests_of_servers_are_read_and_written_as_they_are() {
    let mut count = 0;
    for folder in [
        "aof/redis-7.0.15-preamble",
        "aof/redis-7.0.15-timestamps",
        "aof/valkey-9.1.2-preamble",
        "modules",
    ] {
        let folder = testdata(folder).join("appendonlydir");
        let text = fs::read(folder.join("appendonly.aof.manifest")).unwrap();
        let (manifest, findings) = manifest::parse(&text);
        assert_eq!((findings.len(), manifest.write()), (0, text), "{}", folder.display());
        assert_eq!(stems(&Folder::open(&folder).unwrap()), [STEM]);
        let report = check(&folder);
        assert_eq!(own_codes(&report), Vec::<&str>::new(), "{}", folder.display());
        assert_eq!(report.verdict(), Verdict::Ok, "{}", folder.display());
        assert_eq!(report.parts.len(), 2);
        count += 1;
    }
    assert_eq!(count, 4);
}

/// As redis-check-aof 8.6.3 (VERDICTS.tsv), and what it does not see.
#[test]
fn damaged_folders() {
    let incr = "appendonly.aof.2.incr.aof".to_owned();
    let base = "appendonly.aof.2.base.rdb".to_owned();
    let cases: &[(&str, &[&str], &[(String, &str)])] = &[
        ("mp-missing-base", &["aof-file-missing"], &[]),
        ("mp-missing-incr", &["aof-file-missing"], &[]),
        ("mp-missing-manifest", &["aof-no-manifest"], &[]),
        ("mp-bad-manifest", &["manifest-line"], &[]),
        ("mp-trunc-incr", &[], &[(incr.clone(), "aof-truncated")]),
        ("mp-trunc-notlast", &["aof-not-last"], &[(incr, "aof-truncated")]),
        ("mp-base-badcrc", &[], &[(base, "rdb-crc")]),
    ];
    for (name, own, parts) in cases {
        let report = check(&testdata("damaged").join(name));
        assert_eq!(own_codes(&report), *own, "{name}");
        assert_eq!(part_codes(&report), *parts, "{name}");
        assert_eq!(report.verdict(), Verdict::Damaged, "{name}");
    }
}

fn sample() -> Vec<u8> {
    [command(&["SELECT", "0"]), command(&["SET", "k", "v"])].concat()
}

/// A folder with these files; the manifest's name stands for itself.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

const MANIFEST: &str = "appendonly.aof.manifest";

#[test]
fn what_lies_in_a_folder() {
    let sample = sample();
    let cases: &[(&[(&str, &[u8])], &[&str])] = &[
        (&[(MANIFEST, b"file a seq 1 type i\n"), ("a", &sample)], &[]),
        (&[(MANIFEST, b"")], &["manifest-empty"]),
        (&[(MANIFEST, b"# none\n")], &["manifest-no-files"]),
        // History may be gone, and is not read if it is there.
        (
            &[(MANIFEST, b"file a seq 1 type i\nfile b seq 1 type h\n"), ("a", &sample)],
            &["aof-history-missing"],
        ),
        (
            &[
                (MANIFEST, b"file a seq 1 type i\nfile b seq 1 type h\n"),
                ("a", &sample),
                ("b", b"?"),
            ],
            &[],
        ),
        (
            &[
                (MANIFEST, b"file a seq 1 type i\n"),
                ("a", &sample),
                ("appendonly.aof.7.incr.aof", &sample),
                ("temp-appendonly.aof.manifest", b"x"),
                ("other.aof.7.incr.aof", &sample),
                ("notes.txt", b""),
            ],
            &["aof-orphan", "aof-temp-file"],
        ),
        // Without an incr file the server takes number 1, and appends to what is there.
        (
            &[
                (MANIFEST, b"file a seq 1 type b\n"),
                ("a", &sample),
                ("appendonly.aof.1.incr.aof", &sample),
            ],
            &["aof-same-name"],
        ),
        (
            &[("appendonly.aof.1.base.rdb", &sample), ("appendonly.aof.1.incr.aof", &sample)],
            &["aof-no-manifest", "aof-same-name"],
        ),
        (&[(MANIFEST, b"file ../a seq 1 type i\n")], &["manifest-name"]),
        (&[(MANIFEST, b"file \"\\x2e\\x2e\\x2fa\" seq 1 type i\n")], &["manifest-name"]),
    ];
    for (index, (files, want)) in cases.iter().enumerate() {
        let folder = folder(files);
        assert_eq!(own_codes(&check(folder.path())), *want, "case {index}");
    }
}

#[test]
fn only_regular_files_are_opened() {
    let secret = folder(&[("secret", b"not an AOF")]);
    for kind in ["fifo", "link", "folder"] {
        let folder = folder(&[(MANIFEST, b"file a seq 1 type i\n")]);
        let path = folder.path().join("a");
        match kind {
            "fifo" => {
                let (kind, mode) = (rustix::fs::FileType::Fifo, 0o600.into());
                rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).unwrap();
            }
            "link" => std::os::unix::fs::symlink(secret.path().join("secret"), &path).unwrap(),
            _ => fs::create_dir(&path).unwrap(),
        }
        let report = check(folder.path());
        assert_eq!(own_codes(&report), ["aof-file-kind"], "{kind}");
        assert!(report.parts.is_empty());
        assert!(report.set.folder.file("a".as_ref()).is_err(), "{kind}");
    }
    // A manifest that is no file is not read either.
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(secret.path().join("secret"), folder.path().join(MANIFEST)).unwrap();
    assert_eq!(own_codes(&check(folder.path())), ["aof-file-kind"]);
}

fn planned(
    folder: &Path,
    append_only: bool,
    multi_part: bool,
) -> (Vec<String>, Vec<&'static str>, Plan) {
    let settings = Settings { append_only, ..Settings::default() };
    let plan = plan(&Folder::open(folder).unwrap(), &settings, multi_part).unwrap();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let loads = plan.loads.iter().map(|load| name(&load.path)).collect();
    let codes = plan.findings.iter().map(|finding| finding.code.as_str()).collect();
    (loads, codes, plan)
}

/// As Redis 7.0.15 was seen to start (FORMATS B.4).
#[test]
fn what_a_server_starts_with() {
    let sample = sample();
    let rdb = fs::read(testdata("made/type-00-string.rdb")).unwrap();
    let aof = ("appendonlydir/appendonly.aof.1.incr.aof", sample.as_slice());
    let text: &[u8] = b"file appendonly.aof.1.incr.aof seq 1 type i\n";
    let manifest = ("appendonlydir/appendonly.aof.manifest", text);
    let dump = ("dump.rdb", rdb.as_slice());
    let old = ("appendonly.aof", sample.as_slice());
    let empty: (&str, &[u8]) = ("appendonlydir/appendonly.aof.manifest", b"# empty\n");
    let only_old: (&str, &[u8]) =
        ("appendonlydir/appendonly.aof.manifest", b"file appendonly.aof seq 1 type b\n");
    let incr = "appendonly.aof.1.incr.aof";
    type Case<'a> = (&'a [(&'a str, &'a [u8])], bool, &'a [&'a str], &'a [&'a str]);
    let cases: &[Case<'_>] = &[
        (&[dump], false, &["dump.rdb"], &[]),
        (&[dump], true, &[], &["start-ignores-rdb"]),
        (&[], true, &[], &[]),
        (&[dump, aof, manifest], true, &[incr], &[]),
        (&[dump, aof, manifest], false, &["dump.rdb"], &["start-ignores-aof"]),
        (&[aof, manifest, old], true, &[incr], &["start-old-aof"]),
        (&[old, dump], true, &["appendonly.aof"], &["start-upgrades"]),
        (&[old, empty], true, &["appendonly.aof"], &["start-upgrades"]),
        (&[old, only_old], true, &["appendonly.aof"], &["start-upgrades"]),
        (&[aof, dump], true, &[], &["start-ignores-rdb"]),
        (&[empty, dump], true, &[], &["start-ignores-rdb"]),
    ];
    for (index, (files, append_only, loads, codes)) in cases.iter().enumerate() {
        let folder = folder(files);
        let (got, found, plan) = planned(folder.path(), *append_only, true);
        assert_eq!(
            (got.as_slice(), found.as_slice()),
            (&loads.map_strings()[..], *codes),
            "case {index}"
        );
        assert!(plan.refuses.is_empty(), "case {index}: {:?}", plan.refuses);
        assert_eq!(plan.loads.iter().filter(|load| load.last).count(), plan.loads.len().min(1));
    }
    let refused: &[&[(&str, &[u8])]] = &[
        &[manifest],
        &[aof, ("appendonlydir/appendonly.aof.manifest", b"")],
        &[aof, ("appendonlydir/appendonly.aof.manifest", b"file x\n")],
        &[("appendonlydir", b"a file")],
    ];
    for (index, files) in refused.iter().enumerate() {
        let folder = folder(files);
        assert!(!planned(folder.path(), true, true).2.refuses.is_empty(), "case {index}");
    }
    let zero = folder(&[("dump.rdb", b"")]);
    assert!(!planned(zero.path(), false, true).2.refuses.is_empty());
    // Before 7.0: one file.
    let both = folder(&[old, aof, manifest, dump]);
    assert_eq!(planned(both.path(), true, false).0, ["appendonly.aof"]);
    let none = folder(&[dump]);
    assert_eq!(planned(none.path(), true, false).1, ["start-ignores-rdb"]);
}

trait MapStrings {
    fn map_strings(&self) -> Vec<String>;
}

impl MapStrings for &[&str] {
    fn map_strings(&self) -> Vec<String> {
        self.iter().map(|text| (*text).to_owned()).collect()
    }
}
