//! What a server would load from its folder when it starts.
//!
//! ```text
//! /var/lib/redis: with `appendonly yes` a server loads 2 files and ignores 1
//!   1. appendonlydir/appendonly.aof.2.base.rdb (base)
//!   2. appendonlydir/appendonly.aof.2.incr.aof (incr)
//!   not dump.rdb: `appendonly yes`
//! ```

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::check::Detail;
use super::check_aof::about_files;
use super::check_json::FindingJson;
use super::escape::{path, sentence};
use super::json::Bytes;
use super::screen::Screen;
use super::size::counted;
use crate::job::startup::Startup;

/// The text for one folder.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn text(
    out: &mut dyn Write,
    folder: &Path,
    startup: &Startup,
    screen: &Screen,
) -> io::Result<()> {
    let Startup { settings, plan } = startup;
    let setting = if settings.append_only { "yes" } else { "no" };
    let (what, style) = match (plan.refuses.is_empty(), plan.loads.len()) {
        (false, _) => ("refuses to start".to_owned(), screen.error),
        (true, 0) => ("starts without data".to_owned(), screen.warning),
        (true, files) => (format!("loads {}", counted(files as u64, "file")), screen.good),
    };
    let name = path(folder);
    let head = format!("{name}: with `appendonly {setting}` a server {style}{what}{style:#}");
    screen.prose(out, 2, &head)?;
    let inside = |file: &Path| path(file.strip_prefix(folder).unwrap_or(file)).to_string();
    for reason in &plan.refuses {
        screen.prose(out, 4, &format!("  {}", sentence(reason)))?;
    }
    for (index, load) in plan.loads.iter().enumerate() {
        writeln!(out, "  {}. {} ({})", index + 1, inside(&load.path), load.what.as_str())?;
    }
    for change in &plan.changes {
        screen.prose(out, 4, &format!("  {}", sentence(change)))?;
    }
    for (file, why) in &plan.ignores {
        screen.prose(out, 4, &format!("  not {}: {}", inside(file), sentence(why)))?;
    }
    about_files(out, plan.findings.iter(), Detail::Normal, screen)
}

/// Fields, for the manual.
pub(crate) const FIELDS: &[(&str, &str)] = &[
    ("format", "startup for a server's folder, with --config or --appendonly."),
    ("append_only", "Of a server's folder: whether the server has `appendonly yes`."),
    ("loads", "Of a server's folder: array of {file, as}, what a server loads, in order."),
    ("ignores", "Of a server's folder: array of {file, why}."),
    ("refuses", "Of a server's folder: why the server does not start; empty when it does."),
    ("changes", "Of a server's folder: what the server changes there before it answers."),
];

/// One object a folder.
#[derive(Debug, Serialize)]
pub(crate) struct StartupJson<'a> {
    file: Bytes<'a>,
    format: &'static str,
    append_only: bool,
    loads: Vec<LoadJson<'a>>,
    ignores: Vec<IgnoredJson<'a>>,
    refuses: &'a [String],
    changes: &'a [String],
    findings: Vec<FindingJson<'a>>,
}

#[derive(Debug, Serialize)]
struct LoadJson<'a> {
    file: Bytes<'a>,
    #[serde(rename = "as")]
    what: &'static str,
}

#[derive(Debug, Serialize)]
struct IgnoredJson<'a> {
    file: Bytes<'a>,
    why: &'a str,
}

impl<'a> StartupJson<'a> {
    /// Of a folder.
    pub(crate) fn new(folder: &'a Path, startup: &'a Startup) -> Self {
        let Startup { settings, plan } = startup;
        let bytes = |file: &'a Path| Bytes(file.as_os_str().as_encoded_bytes());
        let loads = plan.loads.iter();
        let ignores = plan.ignores.iter();
        StartupJson {
            file: bytes(folder),
            format: "startup",
            append_only: settings.append_only,
            loads: loads
                .map(|load| LoadJson { file: bytes(&load.path), what: load.what.as_str() })
                .collect(),
            ignores: ignores.map(|(file, why)| IgnoredJson { file: bytes(file), why }).collect(),
            refuses: &plan.refuses,
            changes: &plan.changes,
            findings: plan.findings.iter().map(FindingJson::new).collect(),
        }
    }
}
