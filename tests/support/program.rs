//! Runs the program as a user would, and keeps what it said.

#![allow(clippy::expect_used)]

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Objects of `--json`.
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        let lines = self.stdout.lines();
        lines.map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
    }
}

/// The program with arguments.
pub(crate) fn rdbtool<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Ran {
    run(Path::new(env!("CARGO_BIN_EXE_rdbtool")), args, &[])
}

/// The same with bytes on standard input.
pub(crate) fn rdbtool_reading(args: &[&str], stdin: &[u8]) -> Ran {
    run(Path::new(env!("CARGO_BIN_EXE_rdbtool")), args, stdin)
}

/// Any program.
pub(crate) fn run<S: AsRef<OsStr>>(
    program: &Path,
    args: impl IntoIterator<Item = S>,
    stdin: &[u8],
) -> Ran {
    let mut child = Command::new(program)
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("CLICOLOR_FORCE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    let stdin = stdin.to_vec();
    // It may end before it has read everything.
    let writer = std::thread::spawn(move || drop(pipe.write_all(&stdin)));
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("the writer ends");
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("messages are UTF-8"),
    }
}

/// A file of the test data.
pub(crate) fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

/// Copies a file, or a folder with all that is in it.
#[allow(dead_code, reason = "not every test file changes files")]
pub(crate) fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        std::fs::copy(from, to).expect("a copy");
        return;
    }
    std::fs::create_dir(to).expect("a copy");
    for entry in std::fs::read_dir(from).expect("a copy") {
        let entry = entry.expect("a copy");
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}
