//! What `inspect` says to people of an AOF: of all its files together, and then of each RDB among them
//! what it says of any RDB.

use std::io::{self, Write};

use super::escape::{self, quoted};
use super::facts::{self, File, share};
use super::inspect::{self, key_name, stops, title};
use super::screen::Screen;
use super::size::{count, counted, short};
use super::table;
use super::time::{duration_ms, moment_s};
use crate::job::inspect_aof::{BigCommand, CommandTally, Part, Report};
use crate::job::rate::Rate;

/// Characters of a key's name, and of a command's that is not known.
const NAME: usize = 40;

/// Steps of time that are shown.
const TIMES: i64 = 12;

/// Whether something needs a look: damage, as far as `inspect` can tell.
pub(crate) fn is_damaged(report: &Report) -> bool {
    report.parts.iter().any(|part| {
        let commands = part.outcome.as_ref().is_some_and(|outcome| outcome.damage.is_some());
        commands || part.preamble.as_ref().is_some_and(inspect::is_damaged)
    })
}

/// The text for one AOF.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn text(
    out: &mut dyn Write,
    file: &File<'_>,
    report: &Report,
    now_ms: i64,
    top: usize,
    screen: &Screen,
) -> io::Result<()> {
    let name = escape::path(file.path).to_string();
    let strong = screen.strong;
    screen.prose(out, 2, &format!("{strong}{name}:{strong:#} {}", first_line(file, report)))?;
    written(out, report)?;
    dropped(out, report)?;
    damage(out, report, screen)?;
    files(out, report, screen)?;
    if report.commands.count > 0 {
        databases(out, report, screen)?;
        names(out, report, top, screen)?;
        busy(out, report, top, screen)?;
        biggest(out, report, screen)?;
        times(out, &report.rate, screen)?;
    }
    for part in &report.parts {
        let Some(rdb) = &part.preamble else { continue };
        let name = match &part.entry {
            Some((name, _)) => escape::path(name.as_ref()).to_string(),
            None => format!("{name}, its preamble"),
        };
        writeln!(out)?;
        let file = File { compression: None, disk_size: None, ..*file };
        inspect::named(out, &name, &file, rdb, now_ms, top, screen)?;
    }
    Ok(())
}

fn first_line(file: &File<'_>, report: &Report) -> String {
    let is_set = report.parts.iter().any(|part| part.entry.is_some());
    let kind = match report.parts.len() as u64 {
        files if is_set => format!("AOF of {}", counted(files, "file")),
        _ => "AOF".to_owned(),
    };
    let noun = if file.filtered { "selected command" } else { "command" };
    let mut told = vec![kind, counted(report.commands.count, noun)];
    if report.commands.count > 0 {
        let keys = counted(report.keys, "key");
        let dbs = counted(report.databases.len() as u64, "db");
        told.push(format!("on {}{keys} in {dbs}", if report.keys > 100 { "about " } else { "" }));
    }
    if report.transactions > 0 {
        told.push(counted(report.transactions, "transaction"));
    }
    let rdb_keys = |part: &Part| part.preamble.as_ref().map(|rdb| rdb.facts.keys().keys);
    let preambles: Vec<u64> = report.parts.iter().filter_map(rdb_keys).collect();
    if !preambles.is_empty() {
        told.push(format!("and an RDB of {}", counted(preambles.iter().sum(), "key")));
    }
    told.push(facts::size(report.size(), file));
    told.join(", ")
}

/// When, and how fast.
fn written(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let Some((first, last)) = report.rate.span() else { return Ok(()) };
    let busiest = report.rate.busiest();
    let long = u64::try_from(last.saturating_sub(first)).unwrap_or(0).saturating_mul(1000);
    let first = moment_s(first);
    let rate = format!(
        "{} a second on average, {} in the busiest, {}",
        per_second(report.rate.average()),
        count(busiest.commands),
        moment_s(busiest.seconds)
    );
    match long {
        0 => writeln!(out, "written at {first}"),
        _ => {
            let last = moment_s(last);
            writeln!(out, "written from {first} to {last} ({})", duration_ms(long))?;
            writeln!(out, "commands: {rate}")
        }
    }
}

fn per_second(rate: f64) -> String {
    if rate < 10.0 { format!("{rate:.1}") } else { count(rate.round() as u64) }
}

fn dropped(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let Some(dropped) = report.dropped else { return Ok(()) };
    let bytes = short((report.commands.bytes as f64 * dropped) as u64);
    let all = short(report.commands.bytes);
    let percent = dropped * 100.0;
    let told = format!("about {percent:.0}% of the bytes of commands, {bytes} of {all}");
    writeln!(out, "a rewrite would drop {told} (an estimate)")
}

fn damage(out: &mut dyn Write, report: &Report, screen: &Screen) -> io::Result<()> {
    for part in &report.parts {
        let finding = part.outcome.as_ref().and_then(|outcome| outcome.damage.as_ref());
        let Some(damage) = finding else { continue };
        if let Some((name, _)) = &part.entry {
            write!(out, "{}: ", escape::path(name.as_ref()))?;
        }
        stops(out, &damage.finding, screen)?;
    }
    Ok(())
}

fn files(out: &mut dyn Write, report: &Report, screen: &Screen) -> io::Result<()> {
    let row = |part: &Part| {
        let (name, kind) = part.entry.as_ref()?;
        let rdb = part.preamble.as_ref().map(|rdb| rdb.facts.keys().keys);
        Some(vec![
            escape::path(name.as_ref()).short(NAME).to_string(),
            kind.as_str().to_owned(),
            short(part.size),
            count(part.commands.count),
            rdb.map_or_else(String::new, count),
        ])
    };
    let rows: Vec<_> = report.parts.iter().filter_map(row).collect();
    if rows.is_empty() {
        return Ok(());
    }
    title(out, "Files, in the order in which a server loads them", screen)?;
    table::write(out, &["file", "", ">bytes", ">commands", ">keys of its RDB"], rows, screen)
}

fn databases(out: &mut dyn Write, report: &Report, screen: &Screen) -> io::Result<()> {
    title(out, "Databases", screen)?;
    let all = report.commands.bytes;
    let row = |(db, tally): (&u64, &CommandTally)| {
        vec![db.to_string(), count(tally.count), short(tally.bytes), share(tally.bytes, all)]
    };
    let rows = report.databases.iter().map(row);
    table::write(out, &["db", ">commands", ">bytes", ">share"], rows, screen)
}

fn names(out: &mut dyn Write, report: &Report, top: usize, screen: &Screen) -> io::Result<()> {
    title(out, "Commands, by bytes", screen)?;
    let all = report.commands.bytes;
    let row = |name: String, tally: &CommandTally| {
        let mean = tally.bytes.checked_div(tally.count).unwrap_or(0);
        vec![
            name,
            count(tally.count),
            share(tally.count, report.commands.count),
            short(tally.bytes),
            share(tally.bytes, all),
            short(mean),
            short(tally.biggest),
        ]
    };
    // Names of servers' commands are few; those that a hostile file invents are not.
    let limit = top.max(KNOWN);
    let sorted = report.names.sorted();
    let mut rows: Vec<_> = sorted
        .iter()
        .take(limit)
        .map(|(name, tally)| row(escape::name(name).short(NAME).to_string(), tally))
        .collect();
    let mut others = report.names.others;
    for (_, tally) in sorted.iter().skip(limit) {
        others.count += tally.count;
        others.bytes += tally.bytes;
        others.biggest = others.biggest.max(tally.biggest);
    }
    if others.count > 0 {
        rows.push(row("others".to_owned(), &others));
    }
    let heads = ["command", ">count", ">share", ">bytes", ">share", ">mean", ">max"];
    table::write(out, &heads, rows, screen)
}

/// Different commands that are listed at least.
const KNOWN: usize = 20;

fn busy(out: &mut dyn Write, report: &Report, top: usize, screen: &Screen) -> io::Result<()> {
    let all = report.commands.bytes;
    let row = |(db, key, tally): &(u64, &[u8], CommandTally)| {
        vec![
            short(tally.bytes),
            share(tally.bytes, all),
            count(tally.count),
            db.to_string(),
            quoted(key).short(NAME).to_string(),
        ]
    };
    let rows: Vec<_> = report.busy_keys(top).iter().map(row).collect();
    if rows.is_empty() {
        return Ok(());
    }
    title(out, "Busiest keys, by bytes of commands", screen)?;
    table::write(out, &[">bytes", ">share", ">commands", ">db", "key"], rows, screen)
}

fn biggest(out: &mut dyn Write, report: &Report, screen: &Screen) -> io::Result<()> {
    let several = report.parts.len() > 1;
    let row = |command: &BigCommand| {
        let entry = report.parts.get(command.part).and_then(|part| part.entry.as_ref());
        let mut row = vec![
            short(command.bytes),
            count(command.args),
            escape::name(&command.name.bytes).short(NAME).to_string(),
            command.db.to_string(),
            command.key.as_ref().map_or_else(String::new, key_name),
            command.offset.to_string(),
        ];
        if let Some((name, _)) = entry.filter(|_| several) {
            row.push(escape::path(name.as_ref()).short(NAME).to_string());
        }
        row
    };
    let rows: Vec<_> = report.biggest.iter().map(row).collect();
    if rows.is_empty() {
        return Ok(());
    }
    title(out, "Biggest commands", screen)?;
    let heads = [">bytes", ">args", "command", ">db", "key", ">offset", "file"];
    let heads = heads.get(..if several { 7 } else { 6 }).unwrap_or(&heads);
    table::write(out, heads, rows, screen)
}

fn times(out: &mut dyn Write, rate: &Rate, screen: &Screen) -> io::Result<()> {
    let (step, moments) = rate.over(TIMES);
    if moments.len() < 2 {
        return Ok(());
    }
    let seconds = u64::try_from(step).unwrap_or(1).max(1);
    let length = duration_ms(seconds.saturating_mul(1000));
    title(out, &format!("Commands over time, by {length}"), screen)?;
    let rows = moments.iter().map(|moment| {
        vec![
            moment_s(moment.seconds),
            count(moment.commands),
            per_second(moment.commands as f64 / seconds as f64),
            short(moment.bytes),
        ]
    });
    table::write(out, &["from", ">commands", ">a second", ">bytes"], rows, screen)
}
