//! What `drill` says: a row for each scenario and policy, then what was broken and how to see it again.

use std::io::{self, Write};

use super::screen::Screen;
use super::size::{count, counted};
use super::table;
use super::time::duration_ms;
use crate::drill::{Report, Row};

const HEADS: &[&str] = &[
    "scenario",
    "policy",
    ">crashes",
    ">acknowledged",
    ">came back",
    ">lost at worst",
    ">of",
    "promise",
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
        table::write(out, HEADS, report.rows.iter().map(row).collect(), screen)?;
        writeln!(out)?;
    }
    for row in &report.rows {
        let Some(broken) = &row.broken else { continue };
        let Screen { error, .. } = screen;
        let (scenario, policy) = (row.scenario.name, row.policy.as_str());
        let what = format!(
            "{error}BROKEN{error:#} {scenario}, {policy}, in {}: {}",
            counted(row.breaks, "run"),
            broken.why
        );
        screen.prose(out, 2, &what)?;
        let again = format!(
            "rdbtool drill --scenario {scenario} --policy {policy} --seed {} --runs 1",
            broken.seed
        );
        writeln!(out, "  again: {again}")?;
    }
    Ok(())
}

fn row(row: &Row) -> Vec<String> {
    let tally = &row.tally;
    vec![
        row.scenario.name.to_owned(),
        row.policy.as_str().to_owned(),
        count(tally.crashes),
        count(tally.acknowledged),
        count(tally.acknowledged - tally.lost),
        count(tally.worst.writes),
        duration_ms(u64::try_from(tally.worst.span_ms).unwrap_or(0)),
        if row.breaks > 0 { "BROKEN" } else { "kept" }.to_owned(),
    ]
}
