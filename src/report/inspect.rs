//! What `inspect` says to people: one line on the file, then tables, the most asked for first.

use std::io::{self, Write};

use super::escape::{self, SHOWN, quoted};
use super::facts::{self, File, share};
use super::screen::Screen;
use super::size::{bytes, count, counted, short};
use super::table;
use super::time::{duration_ms, moment_s};
use crate::finding::{Finding, Severity};
use crate::job::behind::Behind;
use crate::job::inspect::{BigKey, Report};
use crate::job::rdb_facts::Facts;
use crate::job::tally::{Name, Prefixes, Spread, Tally, Top};
use crate::rdb::skim::Checksum;

/// Characters of a key's name in a table.
const KEY: usize = 40;

/// Function libraries that are listed.
const LIBRARIES: usize = 20;

/// AUX fields that the lines above have told of, or that come too often.
const TOLD: [&[u8]; 7] =
    [b"redis-ver", b"valkey-ver", b"redis-bits", b"ctime", b"used-mem", b"slot-info", b"lua"];

/// Whether something about the file needs a look: damage, as far as `inspect` can tell.
pub(crate) fn is_damaged(report: &Report) -> bool {
    let errors = report.findings.iter().any(|finding| finding.severity() == Severity::Error);
    errors || report.outcome.damage.is_some() || is_changed(report)
}

fn is_changed(report: &Report) -> bool {
    matches!(report.outcome.checksum, Checksum::Bad { .. })
}

/// The text for one file.
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
    named(out, &name, file, report, now_ms, top, screen)
}

/// The same under another name.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn named(
    out: &mut dyn Write,
    name: &str,
    file: &File<'_>,
    report: &Report,
    now_ms: i64,
    top: usize,
    screen: &Screen,
) -> io::Result<()> {
    let facts = &report.facts;
    let strong = screen.strong;
    write!(out, "{strong}{name}:{strong:#} {}", facts::kind(facts))?;
    if facts.header().is_some() {
        write!(out, ", {}", facts::keys(facts, file))?;
        write!(out, ", {}", facts::checksum(&report.outcome))?;
    }
    writeln!(out, ", {}", facts::size(report.outcome.size, file))?;
    saved(out, facts, now_ms)?;
    aux(out, facts)?;
    damage(out, report, screen)?;
    if facts.keys().keys > 0 {
        databases(out, facts, screen)?;
        types(out, report, screen)?;
        ttl(out, report, screen)?;
        biggest(out, "Biggest keys, by bytes in the file", &report.biggest, screen)?;
        if report.longest.iter().any(|key| key.elements > 1) {
            biggest(out, "Longest keys, by elements", &report.longest, screen)?;
        }
        prefixes(out, &report.prefixes, top, screen)?;
        streams(out, report, screen)?;
    }
    functions(out, facts, screen)
}

/// The heading of a table.
pub(super) fn title(out: &mut dyn Write, title: &str, screen: &Screen) -> io::Result<()> {
    let style = screen.note;
    writeln!(out, "\n{style}{title}{style:#}")
}

/// When and where it was written.
fn saved(out: &mut dyn Write, facts: &Facts, now_ms: i64) -> io::Result<()> {
    let number =
        |name: &[u8]| std::str::from_utf8(facts.aux_value(name)?).ok()?.parse::<i64>().ok();
    let mut parts = Vec::new();
    if let Some(ctime) = number(b"ctime") {
        let ago = ctime.checked_mul(1000).and_then(|at| now_ms.checked_sub(at));
        let ago = ago.and_then(|ago| u64::try_from(ago).ok());
        let ago = ago.map(|ago| format!(" ({} ago)", duration_ms(ago - ago % 1000)));
        parts.push(format!("saved {}{}", moment_s(ctime), ago.unwrap_or_default()));
    }
    if let Some(used) = number(b"used-mem").and_then(|used| u64::try_from(used).ok()) {
        parts.push(format!("{} of memory then", bytes(used)));
    }
    if let Some(bits) = number(b"redis-bits") {
        parts.push(format!("{bits}-bit server"));
    }
    if parts.is_empty() { Ok(()) } else { writeln!(out, "{}", parts.join(", ")) }
}

fn aux(out: &mut dyn Write, facts: &Facts) -> io::Result<()> {
    let rest: Vec<String> = facts
        .aux()
        .filter(|(name, _)| !TOLD.contains(name))
        .take(SHOWN)
        .map(|(name, value)| {
            format!("{}={}", escape::name(name).short(KEY), escape::name(value).short(KEY))
        })
        .collect();
    let slots = facts.aux().filter(|(name, _)| *name == b"slot-info").count();
    if slots > 0 {
        writeln!(out, "cluster node with {}", counted(slots as u64, "slot"))?;
    }
    if rest.is_empty() { Ok(()) } else { writeln!(out, "{}", rest.join(", ")) }
}

fn damage(out: &mut dyn Write, report: &Report, screen: &Screen) -> io::Result<()> {
    let style = screen.error;
    if let Some(finding) = &report.outcome.damage {
        stops(out, finding, screen)?;
    }
    if is_changed(report) {
        writeln!(out, "{style}damaged:{style:#} bytes have changed since the checksum was made")?;
    }
    let errors = report.findings.iter().filter(|f| f.severity() == Severity::Error);
    let errors = errors.count() as u64;
    if errors > 0 {
        let told = counted(errors, "error");
        writeln!(out, "{style}damaged:{style:#} {told} inside values; rdbtool check lists them")?;
    }
    if let Behind::Commands(len) = report.behind() {
        let style = screen.warning;
        let told = bytes(len);
        writeln!(
            out,
            "{style}AOF:{style:#} {told} of commands follow; rdbtool aof inspect reads them"
        )?;
    }
    Ok(())
}

/// Where the reading of a file stops before its end.
pub(super) fn stops(out: &mut dyn Write, finding: &Finding, screen: &Screen) -> io::Result<()> {
    let style = screen.error;
    let at = facts::offset(finding.span.start);
    let message = facts::expected_found(&finding.expected, &finding.found);
    let code = finding.code;
    let line = format!("{style}damaged:{style:#} reading stops at {at}: {code}: {message}");
    screen.prose(out, 2, &line)
}

fn databases(out: &mut dyn Write, facts: &Facts, screen: &Screen) -> io::Result<()> {
    title(out, "Databases", screen)?;
    let row = |db: String, c: &crate::job::rdb_facts::DbCount| {
        vec![db, count(c.keys), count(c.expires), count(c.expired)]
    };
    let all = (facts.databases.len() > 1).then(|| row("all".to_owned(), &facts.keys()));
    let rows = facts.databases.iter().map(|(db, c)| row(db.to_string(), c)).chain(all);
    table::write(out, &["db", ">keys", ">expire", ">expired"], rows, screen)
}

fn types(out: &mut dyn Write, report: &Report, screen: &Screen) -> io::Result<()> {
    title(out, "Types and encodings, with sizes of a key in the file", screen)?;
    let all: u64 = report.types.values().flat_map(|e| e.values()).map(|tally| tally.bytes).sum();
    let mut rows = Vec::new();
    for (name, encodings) in &report.types {
        let mut whole = Tally::default();
        encodings.values().for_each(|tally| whole.merge(tally));
        rows.push(type_row(name.clone(), &whole, all));
        if encodings.len() > 1 || !encodings.contains_key(name) {
            let rest = encodings.iter().map(|(enc, t)| type_row(format!("  {enc}"), t, all));
            rows.extend(rest);
        }
    }
    let heads =
        ["type", ">keys", ">elements", ">bytes", ">share", ">min", ">median", ">p99", ">max"];
    table::write(out, &heads, rows, screen)
}

fn type_row(name: String, tally: &Tally, all: u64) -> Vec<String> {
    let size = |pick: fn(&Spread) -> u64| tally.size.as_ref().map(pick).map(short);
    let mut row = vec![
        name,
        count(tally.keys),
        count(tally.elements),
        short(tally.bytes),
        share(tally.bytes, all),
    ];
    let picks: [fn(&Spread) -> u64; 4] =
        [Spread::min, |s| s.quantile(0.5), |s| s.quantile(0.99), Spread::max];
    row.extend(picks.into_iter().map(|pick| size(pick).unwrap_or_default()));
    row
}

fn ttl(out: &mut dyn Write, report: &Report, screen: &Screen) -> io::Result<()> {
    title(out, "Time to live", screen)?;
    let ttl = &report.ttl;
    let numbers = [ttl.expired, ttl.hour, ttl.day, ttl.month, ttl.later, ttl.none];
    let all = numbers.iter().sum();
    let mut rows = vec![vec!["keys".to_owned()], vec!["share".to_owned()]];
    if let [keys, shares] = rows.as_mut_slice() {
        keys.extend(numbers.map(count));
        shares.extend(numbers.map(|n| share(n, all)));
    }
    let heads = ["", ">expired", "><1 h", "><1 day", "><30 days", ">later", ">no expire"];
    table::write(out, &heads, rows, screen)?;
    if report.field_expires > 0 {
        let fields = counted(report.field_expires, "hash field");
        writeln!(out, "{fields} with a time to live of its own")?;
    }
    Ok(())
}

fn biggest(
    out: &mut dyn Write,
    heading: &str,
    keys: &Top<BigKey>,
    screen: &Screen,
) -> io::Result<()> {
    let row = |key: &BigKey| {
        let encoding = if key.encoding == key.type_name { "" } else { key.encoding };
        vec![
            short(key.bytes),
            count(key.elements),
            key.type_name.clone(),
            encoding.to_owned(),
            key.db.to_string(),
            key_name(&key.key),
        ]
    };
    let rows: Vec<_> = keys.iter().map(row).collect();
    if rows.is_empty() {
        return Ok(());
    }
    title(out, heading, screen)?;
    table::write(out, &[">bytes", ">elements", "type", "encoding", ">db", "key"], rows, screen)
}

/// A key's name in a table.
pub(super) fn key_name(name: &Name) -> String {
    quoted(&name.bytes).whole(name.len).short(KEY).to_string()
}

fn prefixes(
    out: &mut dyn Write,
    prefixes: &Prefixes,
    top: usize,
    screen: &Screen,
) -> io::Result<()> {
    let sorted = prefixes.sorted();
    if sorted.is_empty() || top == 0 {
        return Ok(());
    }
    title(out, "Prefixes, by bytes in the file", screen)?;
    let mut others = prefixes.others();
    let mut all = prefixes.without.bytes + others.bytes;
    for (at, (_, tally)) in sorted.iter().enumerate() {
        all += tally.bytes;
        if at >= top {
            others.keys += tally.keys;
            others.expires += tally.expires;
            others.bytes += tally.bytes;
        }
    }
    let mut rows: Vec<(String, _)> =
        sorted.iter().take(top).map(|(p, t)| (quoted(p).short(KEY).to_string(), *t)).collect();
    rows.push(("other prefixes".to_owned(), others));
    rows.push(("no prefix".to_owned(), prefixes.without));
    let rows = rows.into_iter().filter(|(_, tally)| tally.keys > 0).map(|(name, tally)| {
        let numbers = [count(tally.keys), count(tally.expires), short(tally.bytes)];
        [vec![name], numbers.to_vec(), vec![share(tally.bytes, all)]].concat()
    });
    let heads = ["prefix", ">keys", ">expire", ">bytes", ">share"];
    table::write(out, &heads, rows, screen)
}

fn streams(out: &mut dyn Write, report: &Report, screen: &Screen) -> io::Result<()> {
    let sums = &report.streams;
    if sums.groups == 0 {
        return Ok(());
    }
    title(out, "Streams and their groups", screen)?;
    let told = [
        (sums.streams, "stream"),
        (sums.entries, "live entry"),
        (sums.groups, "group"),
        (sums.consumers, "consumer"),
    ];
    let told: Vec<_> = told.iter().map(|(n, noun)| counted(*n, noun)).collect();
    writeln!(out, "{}, {} pending", told.join(", "), count(sums.pending))?;
    let mut rows = Vec::new();
    for stream in report.groups.iter() {
        for group in &stream.groups {
            rows.push(vec![
                count(group.pending),
                group.lag.map_or_else(|| "?".to_owned(), count),
                count(group.consumers),
                group.last_id.to_string(),
                quoted(&group.name.bytes).whole(group.name.len).short(KEY / 2).to_string(),
                stream.db.to_string(),
                key_name(&stream.key),
            ]);
        }
    }
    let heads = [">pending", ">lag", ">consumers", "last id", "group", ">db", "key"];
    table::write(out, &heads, rows, screen)
}

fn functions(out: &mut dyn Write, facts: &Facts, screen: &Screen) -> io::Result<()> {
    let mut rows = Vec::new();
    let mut more = 0u64;
    for library in facts.functions() {
        if rows.len() >= LIBRARIES {
            more += 1;
            continue;
        }
        let text = |name: &Option<Vec<u8>>| match name {
            Some(name) => quoted(name).short(KEY).to_string(),
            None => "?".to_owned(),
        };
        let pre_ga = if library.pre_ga { "7.0 release candidate" } else { "" };
        let engine = library.engine.as_deref().unwrap_or(b"?");
        rows.push(vec![
            short(library.code_len),
            escape::name(engine).short(KEY).to_string(),
            text(&library.name),
            pre_ga.to_owned(),
        ]);
    }
    if rows.is_empty() {
        return Ok(());
    }
    title(out, "Function libraries", screen)?;
    table::write(out, &[">bytes", "engine", "name", ""], rows, screen)?;
    if more > 0 { writeln!(out, "and {} more", count(more)) } else { Ok(()) }
}
