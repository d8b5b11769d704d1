//! What a rewrite says to people, and to programs.
//!
//! ```text
//! appendonlydir/appendonly.aof.manifest: REWRITTEN for redis-7.2 (RDB preamble) — 1.21 GiB to 48.3 MiB (3%);
//! 12,345 keys in 2 databases; 9,876,543 commands, now 0
//!   verified: read back, it holds the same; digest 6e23…
//!   written: appendonlydir/appendonly.aof.2.base.rdb, …
//!   old: 3 files, which the server removes when it starts
//! ```

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::check::Detail;
use super::convert::details;
use super::convert_json::LossesJson;
use super::escape::path;
use super::facts::share;
use super::json::Bytes;
use super::screen::Screen;
use super::size::{bytes, count, counted};
use crate::job::convert::Form;
use crate::job::rewrite::{Old, Rewritten};

/// Fields of `--json`, for the manual.
pub(crate) const FIELDS: &[(&str, &str)] = &[
    ("file", "What was rewritten: a file, or a manifest."),
    (
        "outcome",
        "rewritten, not written (for a loss that was not agreed to) or damaged (the source).",
    ),
    ("target", "The server it is for."),
    ("target_is_guess", "Whether the file does not say who wrote it."),
    ("form", "rdb, preamble (an AOF that begins with an RDB), or commands."),
    ("size_before", "Bytes of the files that were read."),
    ("size_after", "Bytes of the files that were written, the manifest aside."),
    ("keys", "Keys written."),
    ("databases", "Array of the databases written to."),
    ("expired", "Keys left out by --drop-expired."),
    ("commands_before", "Commands that were read."),
    ("commands_after", "Commands that were written."),
    ("kept", "Keys whose history was carried over by --keep-unknown."),
    ("digest", "What both files hold, as DEBUG DIGEST tells it; null without verification."),
    ("written", "Array of the new files."),
    ("old", "Array of the files that are no longer part of the AOF."),
];

/// A rewrite, and what became of the old files.
#[derive(Debug)]
pub(crate) struct Told<'a> {
    /// What was rewritten.
    pub(crate) path: &'a Path,
    /// What was done.
    pub(crate) done: &'a Rewritten,
    /// What became of the old files.
    pub(crate) old: Old,
}

impl Told<'_> {
    fn word(&self) -> &'static str {
        match (self.done.written.is_empty(), self.done.report.damage.is_empty()) {
            (false, _) => "rewritten",
            (true, true) => "not written",
            (true, false) => "damaged",
        }
    }
}

fn form(form: Form) -> (&'static str, &'static str) {
    match form {
        Form::Rdb => ("rdb", "RDB"),
        Form::Preamble => ("preamble", "RDB preamble"),
        _ => ("commands", "commands"),
    }
}

/// Writes it as text.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn text(
    out: &mut dyn Write,
    told: &Told<'_>,
    detail: Detail,
    screen: &Screen,
) -> io::Result<()> {
    let done = told.done;
    let is_written = !done.written.is_empty();
    let word = told.word().to_ascii_uppercase();
    let style = if is_written { screen.strong } else { screen.error };
    write!(out, "{}: {style}{word}{style:#}", path(told.path))?;
    writeln!(out, " for {} ({}){}", done.target.release.name, form(done.form).1, summary(done))?;
    details(out, &done.report, is_written, detail, screen)?;
    if !is_written || detail == Detail::Quiet {
        return Ok(());
    }
    if let Some(digest) = &done.verified {
        writeln!(out, "  verified: read back, it holds the same; digest {digest}")?;
    }
    let names = |paths: &[std::path::PathBuf]| {
        paths.iter().map(|at| path(at).to_string()).collect::<Vec<_>>().join(", ")
    };
    writeln!(out, "  written: {}", names(&done.written))?;
    if !done.old.is_empty() {
        let what = match told.old {
            Old::Mark => "which the server removes when it starts",
            Old::Keep => "which nothing names any more",
            Old::Remove => "which were removed",
        };
        let files = counted(done.old.len() as u64, "file");
        writeln!(out, "  old: {files}, {what}: {}", names(&done.old))?;
    }
    Ok(())
}

fn summary(done: &Rewritten) -> String {
    let counts = done.report.counts;
    let mut parts = Vec::new();
    if !done.written.is_empty() {
        let part = share(done.after, done.before);
        parts.push(format!("{} to {} ({part})", bytes(done.before), bytes(done.after)));
        let databases = counted(done.report.databases.len() as u64, "database");
        parts.push(format!("{} in {databases}", counted(counts.written(), "key")));
    }
    if done.form != Form::Rdb || done.commands.0 > 0 {
        let now = match done.written.is_empty() {
            true => String::new(),
            false => format!(", now {}", count(done.commands.1)),
        };
        parts.push(format!("{}{now}", counted(done.commands.0, "command")));
    }
    let more = [
        (counts.expired, "expired and left out"),
        (counts.lost, "lost"),
        (done.kept, "with their history carried over"),
    ];
    let more = more.into_iter().filter(|(n, _)| *n > 0);
    parts.extend(more.map(|(n, what)| format!("{} {what}", count(n))));
    format!(" — {}", parts.join("; "))
}

/// One object.
#[derive(Debug, Serialize)]
pub(crate) struct RewriteJson<'a> {
    file: Bytes<'a>,
    outcome: &'static str,
    target: &'static str,
    target_is_guess: bool,
    form: &'static str,
    size_before: u64,
    size_after: u64,
    keys: u64,
    databases: Vec<u64>,
    expired: u64,
    commands_before: u64,
    commands_after: u64,
    kept: u64,
    digest: Option<String>,
    written: Vec<Bytes<'a>>,
    old: Vec<Bytes<'a>>,
    #[serde(flatten)]
    losses: LossesJson<'a>,
}

impl<'a> RewriteJson<'a> {
    /// Of a rewrite.
    pub(crate) fn new(told: &Told<'a>) -> RewriteJson<'a> {
        let done = told.done;
        let is_written = !done.written.is_empty();
        let names = |paths: &'a [std::path::PathBuf]| {
            paths.iter().map(|at| Bytes(at.as_os_str().as_encoded_bytes())).collect()
        };
        RewriteJson {
            file: Bytes(told.path.as_os_str().as_encoded_bytes()),
            outcome: told.word(),
            target: done.target.release.name,
            target_is_guess: done.is_guess,
            form: form(done.form).0,
            size_before: done.before,
            size_after: if is_written { done.after } else { 0 },
            keys: done.report.counts.written(),
            databases: done.report.databases.iter().copied().collect(),
            expired: done.report.counts.expired,
            commands_before: done.commands.0,
            commands_after: done.commands.1,
            kept: done.kept,
            digest: done.verified.as_ref().map(ToString::to_string),
            written: names(&done.written),
            old: names(&done.old),
            losses: LossesJson::new(&done.report),
        }
    }
}
