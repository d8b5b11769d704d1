//! What `drill PATH` says: each kind of crash with what a server makes of it and what it costs, recoveries
//! with how long they took, and what each policy of fsync may lose.
//!
//! ```text
//! appendonlydir: 2 files, 13.1 MiB; the last has 5,326 commands in 1.2 MiB
//!
//! a crash leaves      tried  starts  cuts  refuses  lost at worst
//! whole commands      5,326   5,014   312        0  41 commands, 2.1 KiB, at 0x3f21c
//! ```

use std::io::{self, Write};
use std::path::Path;

use super::escape::path;
use super::facts::{offset, share};
use super::screen::Screen;
use super::size::{bytes, count, counted};
use super::table;
use super::time::{duration_ms, moment_s};
use crate::drill::files::{Busiest, Crash, Recovery, Report, Row, Snapshot};

/// The text.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn text(
    out: &mut dyn Write,
    of: &Path,
    report: &Report,
    quiet: bool,
    screen: &Screen,
) -> io::Result<()> {
    headline(out, of, report, screen)?;
    if !report.survey.places.is_empty() {
        writeln!(out)?;
        crashes(out, report, screen)?;
    }
    writeln!(out)?;
    recoveries(out, report, screen)?;
    writeln!(out)?;
    policies(out, report, screen)?;
    if let Some(snapshot) = &report.snapshot {
        writeln!(out)?;
        rdb_alone(out, snapshot, report, screen)?;
    }
    if quiet { Ok(()) } else { advice(out, of, report, screen) }
}

fn headline(out: &mut dyn Write, of: &Path, report: &Report, screen: &Screen) -> io::Result<()> {
    let size = report.files.iter().map(|(_, size)| size).sum();
    let survey = &report.survey;
    let log = bytes(survey.outcome.end.saturating_sub(report.start));
    let in_last = if report.files.len() == 1 { "it" } else { "the last" };
    let transactions = match survey.transactions {
        0 => String::new(),
        some => format!(" and {}", counted(some, "transaction")),
    };
    let places = count(survey.places.len() as u64);
    let tried = match (survey.is_all, survey.places.is_empty()) {
        (_, true) => "no crash can tear it".to_owned(),
        (true, _) => {
            format!("a crash at each of its {places} places, in {} ways", Crash::ALL.len())
        }
        (false, _) => format!("a crash at {places} of its places, in {} ways", Crash::ALL.len()),
    };
    let style = if report.is_as_foretold() { screen.good } else { screen.error };
    let line = format!(
        "{style}{}{style:#}: {}, {}; {in_last} has {}{transactions} in {log}; {tried}, for {}",
        path(of),
        counted(report.files.len() as u64, "file"),
        bytes(size),
        counted(survey.commands, "command"),
        report.release.name,
    );
    screen.prose(out, 2, &line)
}

/// A column of the table of crashes.
type Column = (&'static str, fn(&Row) -> u64);

const COLUMNS: [Column; 5] = [
    (">starts", |row| row.whole),
    (">cuts", |row| row.cut),
    (">unnoticed", |row| row.unnoticed),
    (">traps", |row| row.trap),
    (">refuses", |row| row.refused),
];

fn crashes(out: &mut dyn Write, report: &Report, screen: &Screen) -> io::Result<()> {
    // The rare ones only where there are any.
    let shown = |(name, of): &&Column| {
        !matches!(*name, ">unnoticed" | ">traps") || report.rows.iter().any(|row| of(row) > 0)
    };
    let columns: Vec<&Column> = COLUMNS.iter().filter(shown).collect();
    let mut heads = vec!["a crash leaves", ">tried"];
    heads.extend(columns.iter().map(|(name, _)| *name));
    heads.push("lost at worst");
    let line = |row: &Row| {
        let mut cells = vec![row.crash.about().to_owned(), count(row.tried)];
        cells.extend(columns.iter().map(|(_, of)| count(of(row))));
        cells.push(row.worst.map_or("nothing".to_owned(), |worst| {
            format!(
                "{}, {}, at {}",
                counted(worst.commands, "command"),
                bytes(worst.bytes),
                offset(worst.at)
            )
        }));
        cells
    };
    table::write(out, &heads, report.rows.iter().map(line), screen)
}

fn recoveries(out: &mut dyn Write, report: &Report, screen: &Screen) -> io::Result<()> {
    let size = report.last().map_or(0, |(_, size)| *size);
    let heads = ["recovered after", ">commands", ">keys", ">memory", ">took", ""];
    let line = |recovery: &Recovery| {
        let at = recovery.remains.size;
        let what = match at == size {
            true => "no crash".to_owned(),
            false => format!("{} of the last file", share(at, size)),
        };
        let wrong = match recovery.as_foretold {
            true => String::new(),
            false => format!("WRONG: kept up to {}", offset(recovery.kept)),
        };
        vec![
            what,
            count(recovery.commands),
            count(recovery.keys),
            bytes(recovery.memory),
            duration_ms(u64::try_from(recovery.took.as_millis()).unwrap_or(u64::MAX)),
            wrong,
        ]
    };
    table::write(out, &heads, report.recoveries.iter().map(line), screen)
}

fn policies(out: &mut dyn Write, report: &Report, screen: &Screen) -> io::Result<()> {
    let busiest = &report.survey.busiest;
    if busiest.is_empty() {
        let text = "What a power cut takes with it under `appendfsync everysec` and `no` is not to be told: there \
            are no timestamps in the log. `aof-timestamp-enabled yes` (from 7.0 on) makes the server write \
            them.";
        return screen.prose(out, 0, text);
    }
    let heads = ["a power cut takes, at worst", ">commands", ">bytes", "busiest from"];
    let mut rows = vec![vec!["appendfsync always".to_owned(), "0".to_owned(), "0 B".to_owned()]];
    rows.extend(busiest.iter().map(|span| {
        let Busiest { seconds, from, commands, bytes: len } = *span;
        let policy = match seconds {
            1 => "appendfsync everysec: 1 s",
            2 => "everysec, the disk lags: 2 s",
            _ => "appendfsync no: 30 s, often",
        };
        vec![policy.to_owned(), count(commands), bytes(len), moment_s(from)]
    }));
    table::write(out, &heads, rows, screen)
}

fn rdb_alone(
    out: &mut dyn Write,
    snapshot: &Snapshot,
    report: &Report,
    screen: &Screen,
) -> io::Result<()> {
    let Snapshot { path: of, created, counts, took } = snapshot;
    let made = created.map_or_else(String::new, |at| format!(", made {}", moment_s(at)));
    let behind = match (created, report.survey.busiest.is_empty()) {
        _ if counts.is_same() => "nothing would be lost".to_owned(),
        _ => format!(
            "{} would be missing, {} old, {} back that were deleted",
            counted(counts.only.1, "key"),
            count(counts.differ),
            count(counts.only.0),
        ),
    };
    let took = duration_ms(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    let keys = counted(counts.keys.0, "key");
    let text =
        format!("{}{made}: a start from it alone gives {keys} in {took}; {behind}", path(of));
    screen.prose(out, 2, &text)
}

fn advice(out: &mut dyn Write, of: &Path, report: &Report, screen: &Screen) -> io::Result<()> {
    let sum = |of: fn(&Row) -> u64| report.rows.iter().map(of).sum::<u64>();
    let name = path(of);
    let mut told = Vec::new();
    if sum(|row| row.refused) > 0 {
        told.push(format!(
            "Where the server refuses to start, `rdbtool check --fix {name}` cuts off what is no command; what is \
             lost then is in the table."
        ));
    }
    if sum(|row| row.trap) > 0 {
        told.push(
            "A trap: the server starts, but what it writes from then on is lost at the start after that, for \
             it leaves an open MULTI or half an annotation in the file. `rdbtool check --fix` before the \
             start closes it."
                .to_owned(),
        );
    }
    if sum(|row| row.unnoticed) > 0 {
        told.push(
            "Unnoticed: NULs where a value was, which the server loads as they are. Only a seal tells, \
             rdbtool-seal(1)."
                .to_owned(),
        );
    }
    if told.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    told.iter().try_for_each(|text| screen.prose(out, 2, text))
}
