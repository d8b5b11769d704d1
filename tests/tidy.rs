//! House rules that no compiler keeps: which folder may know which, a head on every file, no file too long.

#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file, at most.
const LINES: usize = 500;

/// Who may use whom. What is not listed for a module is not allowed.
const ARROWS: &[(&str, &[&str])] = &[
    ("main", &[]),
    ("lib", &[]),
    (
        "cli",
        &[
            "report", "serve", "drill", "store", "loss", "job", "input", "persist", "text", "rdb",
            "finding", "limits", "error",
        ],
    ),
    ("serve", &["store", "engine", "value", "persist", "aof", "encoding", "glob", "limits"]),
    ("report", &["drill", "job", "loss", "input", "persist", "rdb", "finding", "limits"]),
    (
        "job",
        &[
            "input", "engine", "persist", "aof", "text", "fill", "value", "rdb", "record",
            "element", "encoding", "finding", "limits", "loss", "error", "glob", "periodic",
            "repeats", "join", "room",
        ],
    ),
    (
        "drill",
        &[
            "store", "engine", "job", "input", "persist", "aof", "value", "rdb", "encoding",
            "limits", "error", "join",
        ],
    ),
    (
        "store",
        &[
            "job", "input", "engine", "persist", "aof", "value", "rdb", "element", "encoding",
            "finding", "limits", "loss", "error", "glob",
        ],
    ),
    ("text", &["value", "rdb", "record", "element", "encoding", "finding", "limits"]),
    ("input", &["rdb", "error"]),
    ("persist", &["encoding", "error", "join"]),
    (
        "aof",
        &["persist", "record", "element", "encoding", "loss", "fill", "finding", "limits", "error"],
    ),
    (
        "rdb",
        &[
            "record", "loss", "element", "encoding", "fill", "periodic", "repeats", "finding",
            "limits", "error",
        ],
    ),
    ("engine", &["value", "record", "element", "encoding", "glob", "join", "limits", "error"]),
    ("value", &["element", "encoding", "limits", "error"]),
    // Records carry rows of the type table.
    ("record", &["rdb", "element"]),
    ("element", &["encoding"]),
    ("encoding", &["finding", "join", "limits", "error"]),
    ("fill", &[]),
    ("join", &[]),
    ("error", &["finding"]),
    ("finding", &["limits"]),
    ("limits", &[]),
    ("loss", &[]),
    ("glob", &[]),
    ("periodic", &[]),
    ("repeats", &[]),
    ("room", &[]),
];

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = Vec::new();
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                let text = fs::read_to_string(&path).expect("source is text");
                files.push((path, text));
            }
        }
    }
    assert!(!files.is_empty());
    files
}

/// The module of `src` that a file belongs to.
fn module(path: &Path) -> String {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// A file without comments, and without its tests, which may use what they like.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//"))
}

/// Modules that a file names with `crate::`.
fn used(text: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for line in code(text) {
        for rest in line.split("crate::").skip(1) {
            let name: String =
                rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            used.insert(name);
        }
    }
    used
}

#[test]
fn arrows_point_down() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let module = module(&path);
        let row = ARROWS.iter().find(|(name, _)| *name == module);
        let Some((_, allowed)) = row else {
            wrong.push(format!("{module} has no row in ARROWS"));
            continue;
        };
        for name in used(&text) {
            if name != module && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{} uses {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_below_report_prints() {
    for (path, text) in sources("src") {
        let module = module(&path);
        if matches!(module.as_str(), "main" | "cli" | "report") {
            continue;
        }
        for word in ["println!", "stdout()", "stderr()", "use clap", "use serde", "use indicatif"] {
            // Text is what that module is about.
            if module == "text" && word == "use serde" {
                continue;
            }
            assert!(!code(&text).any(|line| line.contains(word)), "{} has {word}", path.display());
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for folder in ["src", "tests"] {
        for (path, text) in sources(folder) {
            assert!(text.starts_with("//! "), "{} begins without //!", path.display());
        }
    }
}

#[test]
fn no_file_is_too_long() {
    for (path, text) in sources("src") {
        let lines = text.lines().count();
        assert!(lines <= LINES, "{} has {lines} lines", path.display());
    }
}
