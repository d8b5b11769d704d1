//! What `replay` says to people: one line that tells how it went, then what the store holds.
//!
//! ```text
//! appendonly.aof: 5,326 commands applied, 2 failed; 234 keys in 4 dbs, 1.20 MiB, 12 ms
//! digest e940180d5095b370dfc06b0953b2057c0e6f0588 (as redis-7.0)
//!
//! type    keys  expire  elements  memory
//! ```

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use super::check::{Detail, findings as list_findings};
use super::escape::{name, path, quoted};
use super::facts::{File, offset};
use super::screen::Screen;
use super::size::{bytes, count, counted, short};
use super::table;
use super::time::{duration_ms, moment_s};
use crate::finding::Finding;
use crate::job::look::{self, KeyInfo, Row, Sum};
use crate::job::replay::{Release, Report, Stop};

/// Commands of a kind that are listed unless all are wanted.
const COMMANDS: usize = 12;

/// Rows of a value that are shown, and texts of a row.
const ROWS: usize = 100;
const TEXTS: usize = 16;

/// What the user wants to look at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// Names of keys.
    pub(crate) get: Vec<String>,
    /// Globs.
    pub(crate) keys: Vec<String>,
}

/// A replay, and what is told of it.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) report: Report,
    pub(crate) took: Duration,
    pub(crate) dbs: BTreeMap<u64, BTreeMap<String, Sum>>,
    pub(crate) memory: u64,
    pub(crate) functions: u64,
    pub(crate) digest: String,
    /// The server whose digest it is.
    pub(crate) server: Release,
    /// Keys that were asked for by name, with their values.
    pub(crate) got: Vec<(String, Vec<(KeyInfo, Vec<Row>)>)>,
    /// Keys that match what was asked for.
    pub(crate) listed: Option<Vec<KeyInfo>>,
}

impl Replayed {
    /// Of a report.
    pub(crate) fn new(
        mut report: Report,
        took: Duration,
        asked: &Asked,
        now_ms: i64,
        jobs: usize,
    ) -> Replayed {
        let server = report.written_by().unwrap_or_default();
        let style = server.digest_style(now_ms);
        let memory = report.store.memory() as u64;
        let look = report.store.look();
        let got =
            asked.get.iter().map(|key| (key.clone(), look::get(&look, key.as_bytes(), style)));
        let listed = || {
            let globs =
                asked.keys.iter().flat_map(|glob| look::matching(&look, glob.as_bytes(), style));
            let mut keys: Vec<KeyInfo> = globs.collect();
            keys.sort_by(|a, b| (a.db, &a.key).cmp(&(b.db, &b.key)));
            keys.dedup();
            keys
        };
        Replayed {
            took,
            dbs: look::count(&look),
            memory,
            functions: look.functions().count() as u64,
            digest: look.digest(style, jobs).to_string(),
            server,
            got: got.collect(),
            listed: (!asked.keys.is_empty()).then(listed),
            report,
        }
    }

    /// All keys.
    pub(crate) fn sum(&self) -> u64 {
        self.dbs.values().flat_map(BTreeMap::values).map(|sum| sum.keys).sum()
    }
}

/// The text for one file.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn text(
    out: &mut dyn Write,
    file: &File<'_>,
    replayed: &Replayed,
    detail: Detail,
    screen: &Screen,
) -> io::Result<()> {
    headline(out, file, replayed, screen)?;
    writeln!(out, "digest {} (as {})", replayed.digest, replayed.server)?;
    findings(out, replayed, detail, screen)?;
    if detail > Detail::Quiet {
        commands(out, &replayed.report, detail, screen)?;
        types(out, replayed, screen)?;
    }
    for (asked, found) in &replayed.got {
        if found.is_empty() {
            writeln!(out, "\n{}: no such key", quoted(asked.as_bytes()))?;
        }
        for (info, rows) in found {
            one_key(out, info, rows)?;
        }
    }
    match &replayed.listed {
        Some(keys) => list(out, keys, screen),
        None => Ok(()),
    }
}

fn headline(
    out: &mut dyn Write,
    file: &File<'_>,
    replayed: &Replayed,
    screen: &Screen,
) -> io::Result<()> {
    let report = &replayed.report;
    let (applied, failed, skipped) = report.commands();
    let mut parts = Vec::new();
    if applied + failed + skipped > 0 {
        parts.push(format!("{} applied", counted(applied, "command")));
    }
    for (n, what) in [
        (failed, "failed"),
        (skipped, "skipped"),
        (report.unfinished, "of a transaction without an EXEC dropped"),
    ] {
        if n > 0 {
            parts.push(format!("{} {what}", count(n)));
        }
    }
    if report.left_out > 0 {
        parts.push(format!("{} left out", counted(report.left_out, "damaged key")));
    }
    if report.expired > 0 {
        parts.push(format!("{} dropped", counted(report.expired, "expired key")));
    }
    parts.push(match report.stop {
        Some(Stop::Until(at)) => format!("stopped at {} as asked", offset(at)),
        Some(Stop::Strict(at)) => format!("stopped at {}", offset(at)),
        Some(Stop::Damage(at)) => format!("nothing read from {} on", offset(at)),
        Some(Stop::Memory) | None => String::new(),
    });
    parts.retain(|part| !part.is_empty());
    let told = parts.join(", ");
    let dbs = match replayed.dbs.len() as u64 {
        0 => String::new(),
        dbs => format!(" in {}", counted(dbs, "db")),
    };
    let mut held = vec![format!("{}{dbs}", counted(replayed.sum(), "key"))];
    if replayed.functions > 0 {
        held.push(counted(replayed.functions, "function library"));
    }
    held.push(bytes(replayed.memory));
    held.push(duration_ms(u64::try_from(replayed.took.as_millis()).unwrap_or(u64::MAX)));
    if let Some(seconds) = report.timestamp {
        held.push(format!("as of {}", moment_s(seconds)));
    }
    let semicolon = if told.is_empty() { "" } else { "; " };
    let style = if report.is_clean() { screen.good } else { screen.warning };
    let line = format!("{style}{}{style:#}: {told}{semicolon}{}", path(file.path), held.join(", "));
    screen.prose(out, 2, &line)
}

fn findings(
    out: &mut dyn Write,
    replayed: &Replayed,
    detail: Detail,
    screen: &Screen,
) -> io::Result<()> {
    let report = &replayed.report;
    let several = report.parts.len() > 1;
    let own: Vec<&Finding> = report.findings.iter().collect();
    list_findings(out, &own, report.dropped(), detail, screen)?;
    for part in report.parts.iter().filter(|part| !part.findings.is_empty()) {
        if several {
            writeln!(out, "in {}:", path(&part.path))?;
        }
        let listed: Vec<&Finding> = part.findings.iter().collect();
        list_findings(out, &listed, 0, detail, screen)?;
    }
    Ok(())
}

fn commands(
    out: &mut dyn Write,
    report: &Report,
    detail: Detail,
    screen: &Screen,
) -> io::Result<()> {
    let mut all: Vec<(String, u64, u64, u64)> = report
        .ran
        .iter()
        .map(|(name, ran)| (name.replace('|', " "), ran.applied, ran.failed, 0))
        .collect();
    let skipped = report.skipped.iter();
    all.extend(skipped.map(|(text, n)| (name(text.as_bytes()).short(40).to_string(), 0, 0, *n)));
    if all.is_empty() {
        return Ok(());
    }
    // Those with failures first, then by how often they were run.
    all.sort_by_key(|(name, a, f, s)| (std::cmp::Reverse((f + s, *a)), name.clone()));
    let shown = if detail == Detail::Verbose { all.len() } else { COMMANDS.min(all.len()) };
    let number = |n: u64| if n == 0 { String::new() } else { count(n) };
    let (listed, rest) = all.split_at(shown);
    let mut rows: Vec<Vec<String>> = listed
        .iter()
        .map(|(name, a, f, s)| vec![name.clone(), number(*a), number(*f), number(*s)])
        .collect();
    if !rest.is_empty() {
        let sum: u64 = rest.iter().map(|(_, applied, ..)| applied).sum();
        let more = format!("{} more", rest.len());
        rows.push(vec![more, number(sum), String::new(), String::new()]);
    }
    writeln!(out)?;
    table::write(out, &["command", ">applied", ">failed", ">skipped"], rows, screen)
}

fn types(out: &mut dyn Write, replayed: &Replayed, screen: &Screen) -> io::Result<()> {
    if replayed.dbs.is_empty() {
        return Ok(());
    }
    let rows = replayed.dbs.iter().flat_map(|(db, types)| {
        types.iter().map(move |(type_name, sum)| {
            vec![
                db.to_string(),
                name(type_name.as_bytes()).to_string(),
                count(sum.keys),
                count(sum.expires),
                count(sum.elements),
                short(sum.memory),
            ]
        })
    });
    writeln!(out)?;
    table::write(out, &["db", "type", ">keys", ">expire", ">elements", ">memory"], rows, screen)
}

fn list(out: &mut dyn Write, keys: &[KeyInfo], screen: &Screen) -> io::Result<()> {
    writeln!(out)?;
    let row = |info: &KeyInfo| {
        vec![
            info.db.to_string(),
            name(info.type_name.as_bytes()).to_string(),
            count(info.elements),
            info.expire_at_ms.map_or_else(String::new, |ms| moment_s(ms.div_euclid(1000))),
            quoted(&info.key).to_string(),
        ]
    };
    let rows = keys.iter().map(row);
    table::write(out, &["db", "type", ">elements", "expires", "key"], rows, screen)
}

fn one_key(out: &mut dyn Write, info: &KeyInfo, rows: &[Row]) -> io::Result<()> {
    let mut parts = vec![
        name(info.type_name.as_bytes()).to_string(),
        info.encoding.to_owned(),
        counted(info.elements, if info.type_name == "string" { "byte" } else { "element" }),
    ];
    if let Some(ms) = info.expire_at_ms {
        parts.push(format!("expires {} ({ms})", moment_s(ms.div_euclid(1000))));
    }
    parts.extend(info.idle_s.map(|idle| format!("idle for {idle} s")));
    parts.extend(info.freq.map(|freq| format!("used {freq}")));
    parts.push(format!("digest {}", info.digest));
    writeln!(out, "\ndb {} {}: {}", info.db, quoted(&info.key), parts.join(", "))?;
    for row in rows.iter().take(ROWS) {
        let texts: Vec<String> = row.iter().take(TEXTS).map(|t| quoted(t).to_string()).collect();
        let more = if row.len() > TEXTS { " …" } else { "" };
        writeln!(out, "  {}{more}", texts.join(" "))?;
    }
    if rows.len() > ROWS {
        writeln!(out, "  … {} more (--json has all)", count((rows.len() - ROWS) as u64))?;
    }
    Ok(())
}
