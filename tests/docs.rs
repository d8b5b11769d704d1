//! The manual is what the program makes of itself, says something about every row of its tables, and what
//! it and the README show is true. `BLESS=1 cargo test --test docs` writes the pages anew.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, dead_code)]

#[path = "support/program.rs"]
mod program;

use std::fs;
use std::path::{Path, PathBuf};

use program::{rdbtool, rdbtool_reading};
use rdbtool::finding::Code;
use rdbtool::rdb::opcodes::OPCODES;
use rdbtool::rdb::types::TYPES;
use rdbtool::rdb::versions::RELEASES;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(root(path)).unwrap_or_else(|err| panic!("{path}: {err}"))
}

/// A manual page without what roff needs escaped.
fn plain(page: &str) -> String {
    let mut text = read(page).replace("\\-", "-").replace("\\(aq", "'").replace("\\*(Aq", "'");
    for font in ["\\fB", "\\fI", "\\fR", "\\fP"] {
        text = text.replace(font, "");
    }
    text
}

#[test]
fn the_manual_is_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let target =
        if std::env::var_os("BLESS").is_some() { root("man") } else { folder.path().into() };
    let ran = rdbtool([Path::new("generate"), Path::new("man"), &target]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let list = |folder: &Path| {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(list(&target), list(&root("man")));
    for name in list(&target) {
        let name = name.to_string_lossy().into_owned();
        let made = fs::read_to_string(target.join(&name)).unwrap();
        assert!(made == read(&format!("man/{name}")), "man/{name} is old: BLESS=1 writes it anew");
    }
}

#[test]
fn rdb_5_has_every_row() {
    let page = plain("man/rdb.5");
    for row in TYPES {
        assert!(page.contains(&format!(".TP\n{} {}\n", row.code, row.name)), "{}", row.name);
        assert!(page.contains(row.constant), "{}", row.constant);
    }
    for row in OPCODES {
        assert!(page.contains(&format!(".TP\n{} {}\n", row.code, row.name)), "{}", row.name);
        assert!(page.contains(row.constant), "{}", row.constant);
    }
    for release in RELEASES {
        assert!(page.contains(&format!("\n{} ", release.name)), "{}", release.name);
    }
}

#[test]
fn rdb_5_shows_a_file_that_is_one() {
    let page = plain("man/rdb.5");
    let (_, example) = page.split_once(".SS An example").unwrap();
    let (_, example) = example.split_once(".EX\n").unwrap();
    let (example, _) = example.split_once(".EE").unwrap();
    let bytes: Vec<u8> = example
        .lines()
        .flat_map(|line| line.get(..26).unwrap_or(line).split_whitespace())
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect();
    assert!(page.contains(&format!("in {} bytes", bytes.len())));
    let ran = rdbtool_reading(&["check", "--verbose", "-"], &bytes);
    assert_eq!(
        ran.stdout,
        "-: OK — redis RDB 11 by redis 7.2.6, 3 keys in 1 db, checksum ok, 94 B\n"
    );
}

#[test]
fn check_1_has_every_code() {
    let page = plain("man/rdbtool-check.1");
    for code in Code::ALL {
        let head = format!(".TP\n{} ({})\n", code.as_str(), code.severity().as_str());
        assert!(page.contains(&head), "{code}");
    }
}

#[test]
fn the_manual_has_every_field_of_json() {
    const RDB: &str = "testdata/damaged/rdb-badcrc.rdb";
    const AOF: &str = "testdata/damaged/aof-ok.aof";
    const SET: &str = "testdata/damaged/mp-trunc-notlast";
    let runs: [&[&str]; 9] = [
        &["check", "--json", RDB],
        &["check", "--json", AOF],
        &["check", "--json", SET],
        &["check", "--json", "--appendonly", "yes", "testdata/aof/redis-7.0.15-preamble"],
        &["inspect", "--json", RDB],
        &["inspect", "--json", AOF],
        &["inspect", "--json", SET],
        &["repair", "--json", "--dry-run", SET],
        &["drill", "--json", "--runs", "1", "--scenario", "write"],
    ];
    for args in runs {
        let verb = args[0];
        let page = plain(&format!("man/rdbtool-{verb}.1"));
        // Fields that belong together share a row: `first_time, last_time`.
        let terms: Vec<_> = page.split(".TP\n").filter_map(|row| row.lines().next()).collect();
        let fields: Vec<_> = terms.iter().flat_map(|term| term.split(", ")).collect();
        for report in rdbtool(args).json() {
            for field in report.as_object().unwrap().keys() {
                assert!(fields.contains(&field.as_str()), "{args:?}: {field}");
            }
        }
    }
}

#[test]
fn every_verb_has_examples_and_exit_status() {
    for args in [
        &[][..],
        &["check"],
        &["inspect"],
        &["repair"],
        &["drill"],
        &["rdb"],
        &["rdb", "check"],
        &["aof"],
        &["aof", "check"],
        &["aof", "inspect"],
        &["aof", "log"],
    ] {
        let help = rdbtool(args.iter().copied().chain(["--help"])).stdout;
        let (_, after) = help.split_once("\nExamples:\n").unwrap_or_else(|| panic!("{args:?}"));
        assert!(after.contains("\nExit status:\n"), "{args:?}");
    }
}

#[test]
fn completions_know_the_verbs() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = rdbtool(["generate", "completions", shell]);
        assert!(ran.code == Some(0) && ran.stdout.contains("inspect"), "{shell}");
    }
}

/// What README shows after a `$` comes out as shown, from the line after it to the next `$` or fence; a
/// line of `…` stands for any lines.
#[test]
fn the_readme_shows_what_happens() {
    let readme = read("README.md");
    let mut shown = 0;
    for block in readme.split("```console\n").skip(1) {
        let (block, _) = block.split_once("```").unwrap();
        for session in block.split("$ ").skip(1) {
            let (command, want) = session.split_once('\n').unwrap();
            let Some(args) = command.strip_prefix("rdbtool ") else {
                panic!("README shows another program: {command}");
            };
            let args = args.split(" #").next().unwrap();
            let ran = rdbtool(args.split_whitespace());
            assert_shown(&ran.stdout, want, command);
            shown += 1;
        }
    }
    assert!(shown >= 2, "README shows {shown} commands");
    for command in ["cargo run --release -- inspect testdata/dump.rdb", "    cargo test\n"] {
        assert!(readme.contains(command), "{command}");
    }
    assert!(root("testdata/dump.rdb").exists());
}

fn assert_shown(got: &str, want: &str, command: &str) {
    let mut rest = got;
    for part in want.split("…\n") {
        let part = part.trim_end();
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => {
                panic!("README, {command}: this is not in the output:\n{part}\n\nwhich is\n{got}")
            }
        }
    }
}

#[test]
fn the_readme_names_every_release() {
    let readme = read("README.md");
    for release in RELEASES {
        let (server, version) = release.name.split_once('-').unwrap();
        let line =
            readme.lines().find(|line| line.to_lowercase().starts_with(&format!("| {server} ")));
        let named = line.is_some_and(|line| line.contains(version));
        assert!(named, "{}", release.name);
    }
}
