//! What `drill` says: a row for each scenario and policy, then what was broken and how to see it again.

use std::io::{self, Write};

use super::screen::Screen;
use super::size::{count, counted};
use super::table;
use super::time::duration_ms;
use crate::drill::{Report, Row, Tally};

const HEADS: &[&str] = &[
    "scenario",
    "policy",
    ">crashes",
    ">acknowledged",
    ">came back",
    ">worst loss",
    ">in time",
    "promised",
    "",
];

/// The text.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn text(
    out: &mut dyn Write,
    report: &Report,
    quiet: bool,
    screen: &Screen,
) -> io::Result<()> {
    if !quiet {
        let mut last = "";
        let mut rows = Vec::new();
        for row in &report.rows {
            let name = row.scenario.name;
            rows.push(cells(row, if name == last { "" } else { name }));
            last = name;
        }
        table::write(out, HEADS, rows, screen)?;
        writeln!(out)?;
    }
    for row in report.rows.iter().filter(|row| row.breaks > 0) {
        broken(out, row, report.disk_lies, screen)?;
    }
    if quiet {
        return Ok(());
    }
    let mut total = Tally::default();
    report.rows.iter().for_each(|row| total.add(&row.tally));
    let crashes = format!("{} crashes", count(total.crashes));
    let seed = report.seed;
    let breaks = report.rows.iter().filter(|row| row.breaks > 0).count();
    let Screen { good, error, .. } = screen;
    match breaks {
        0 => writeln!(out, "{good}KEPT{good:#} — every promise, in {crashes} (seed {seed})"),
        _ => writeln!(
            out,
            "{error}BROKEN{error:#} — in {breaks} of {}, {crashes} (seed {seed})",
            counted(report.rows.len() as u64, "row")
        ),
    }
}

/// How a promise was broken first, and how to see that again.
fn broken(out: &mut dyn Write, row: &Row, lies: bool, screen: &Screen) -> io::Result<()> {
    let Some(broken) = &row.broken else { return Ok(()) };
    let Screen { error, .. } = screen;
    let (scenario, policy) = (row.scenario.name, row.policy.as_str());
    let runs = format!("{} of {}", count(row.breaks), counted(row.tally.runs, "run"));
    let what = format!(
        "{error}{scenario}, {policy}:{error:#} {}. In {runs}: {}",
        broken.why, row.scenario.what
    );
    screen.prose(out, 2, &what)?;
    let lies = if lies { " --disk-lies" } else { "" };
    let seed = broken.seed;
    writeln!(
        out,
        "  again: rdbtool drill --scenario {scenario} --policy {policy} --seed {seed} --runs 1{lies}"
    )
}

fn cells(row: &Row, name: &str) -> Vec<String> {
    let Tally { crashes, acknowledged, lost, worst, .. } = row.tally;
    let span = match worst.writes {
        0 => String::new(),
        _ => duration_ms(u64::try_from(worst.span_ms).unwrap_or(0)),
    };
    vec![
        name.to_owned(),
        row.policy.as_str().to_owned(),
        count(crashes),
        count(acknowledged),
        count(acknowledged - lost),
        count(worst.writes),
        span,
        row.scenario.promise(row.policy),
        if row.breaks > 0 { "BROKEN" } else { "kept" }.to_owned(),
    ]
}
