//! `--target` against what five real servers did with every hand-made file (`testdata/made/loads.tsv`,
//! itself proved against the servers by `live`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "support/servers.rs"]
mod servers;

use std::path::{Path, PathBuf};

use rdbtool::input::source::{Input, open};
use rdbtool::job::check::{Options, Report, check_rdb};
use rdbtool::job::target::judge;
use rdbtool::rdb::versions::{RELEASES, Release};

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

fn check(path: &Path) -> Report {
    let input = Input::File(path.to_path_buf());
    check_rdb(open(&input, |_| {}).unwrap(), &input, &Options::default()).unwrap()
}

/// Where a server loads what it should not, and we advise against it.
const EXCUSED: &[(&str, &str, &str)] = &[
    ("bad/pel-shared-two.rdb", "redis-6.2", "this patch level lacks the fix and frees it twice"),
    ("bad/pel-shared-two.rdb", "redis-8.2", "this patch level lacks the fix and frees it twice"),
    ("bad/pel-shared-two.rdb", "valkey-8.1", "this patch level lacks the fix and frees it twice"),
    ("bad/rdb-version-valkey-11.rdb", "valkey-8.1", "a header that no server writes"),
    ("cases/valkey011.rdb", "valkey-8.1", "a header that no server writes"),
    ("bad/zipmap-count-empty.rdb", "redis-6.2", "an empty hash in memory"),
    ("bad/vectorset-matrix.rdb", "redis-8.2", "reads the matrix beyond its end"),
];

/// `redis-7.0.15` is of the release line `redis-7.0`.
fn release_of(server: &str) -> &'static Release {
    let line = server.rsplit_once('.').unwrap().0;
    Release::by_name(line).unwrap_or_else(|| panic!("no release line {line}"))
}

#[test]
fn verdicts_are_those_of_real_servers() {
    let table = std::fs::read_to_string(testdata().join("made/loads.tsv")).unwrap();
    let mut lines = table.lines();
    let servers: Vec<_> = lines.next().unwrap().split('\t').skip(1).map(release_of).collect();
    let (mut asked, mut wrong) = (0, Vec::new());
    for line in lines {
        let (file, answers) = line.split_once('\t').unwrap();
        let report = check(&testdata().join("made").join(file));
        for (release, answer) in servers.iter().zip(answers.split('\t')) {
            let loads = answer.starts_with("loads");
            let target = judge(&report, release);
            asked += 1;
            let excused =
                EXCUSED.iter().any(|(known, line, _)| *known == file && *line == release.name);
            if target.loads() != loads && !excused {
                let ours = target.reasons.join("; ");
                wrong.push(format!("{file}: {} {answer}; we say {ours:?}", release.name));
            }
        }
    }
    assert!(asked > 1500);
    assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Files of real servers load into the server that wrote them and into every later one of its family.
#[test]
fn servers_read_their_own_files_and_older_ones() {
    let mut asked = 0;
    for folder in std::fs::read_dir(testdata().join("rdb")).unwrap() {
        let folder = folder.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().replace("-dev", ".0");
        let Some(written_by) = RELEASES.iter().position(|r| name.starts_with(r.name)) else {
            continue;
        };
        for file in std::fs::read_dir(&folder).unwrap() {
            let file = file.unwrap().path();
            if file.extension().is_none_or(|ext| ext != "rdb") {
                continue;
            }
            let report = check(&file);
            let own = &RELEASES[written_by];
            let later = RELEASES[written_by..].iter().filter(|r| r.dialect == own.dialect);
            for release in later {
                let target = judge(&report, release);
                assert!(
                    target.loads(),
                    "{}: {} {:?}",
                    file.display(),
                    release.name,
                    target.reasons
                );
                asked += 1;
            }
        }
    }
    assert!(asked > 100, "only {asked}");
}

/// Redis knows one engine; those of Valkey come with modules.
#[test]
fn libraries_of_other_engines() {
    let dir = tempfile::tempdir().unwrap();
    let rdb = |code: &str| {
        let len = u8::try_from(code.len()).unwrap();
        [b"REDIS0010\xf5", &[len][..], code.as_bytes(), b"\xff\0\0\0\0\0\0\0\0"].concat()
    };
    for (code, lua) in [
        ("#!lua name=a\nredis.register_function('f', function() end)", true),
        ("#!js name=a\ncode", false),
    ] {
        let file = dir.path().join("dump.rdb");
        std::fs::write(&file, rdb(code)).unwrap();
        let report = check(&file);
        for (release, certain) in
            [("redis-7.0", true), ("redis-8.2", true), ("valkey-8.0", true), ("valkey-9.1", false)]
        {
            let target = judge(&report, Release::by_name(release).unwrap());
            assert_eq!(target.loads(), lua, "{release}: {:?}", target.reasons);
            assert_eq!(target.certain_reasons().next().is_some(), certain && !lua, "{release}");
        }
        for binary in servers::all().iter().filter(|binary| binary.version >= (7, 0, 0)) {
            let loaded = servers::Server::start(binary, &servers::Setup::dump(&rdb(code))).is_ok();
            assert_eq!(loaded, lua, "{}", binary.name);
        }
    }
}
