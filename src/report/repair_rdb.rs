//! What a repair of an RDB says to people: what became of it in one line, then which bytes change or which are
//! left out, and what is kept.
//!
//! ```text
//! dump.rdb: REPAIRED — by its own checksum: 1 bit
//!   change 0x3f21 (16161) from 4a to 4b, in the value of string "user:17" in db 0
//!   written: dump.rdb, 34.6 KiB
//!   backup: dump.rdb.bak-1764201600000
//! ```

use std::io::{self, Write};

use super::check::{Detail, findings};
use super::escape::{path, quoted};
use super::facts::{self, expected_found};
use super::repair::{Outcome, warnings};
use super::screen::Screen;
use super::size::{bytes, count, counted};
use crate::finding::{Finding, KeyPlace};
use crate::job::heal::place::Place;
use crate::job::heal::{Healing, Patch};
use crate::job::repair_rdb::census::{Census, Lost};
use crate::job::repair_rdb::plan::{Action, Plan, Rebuild, Refusal};
use crate::job::repair_rdb::run::Done;
use crate::job::repair_rdb::survey::Gap;

/// Lines of one kind that are shown, unless all are asked for.
const LINES: usize = 10;

/// A repair of one RDB.
#[derive(Debug)]
pub(crate) struct RdbRepair {
    /// What was to be done.
    pub(crate) plan: Plan,
    /// What was.
    pub(crate) outcome: Outcome<Done>,
}

impl RdbRepair {
    /// The outcome in a word.
    pub(crate) fn word(&self) -> &'static str {
        match (&self.outcome, &self.plan.action) {
            (Outcome::Refused, _) => "refused",
            (_, Action::Nothing) => "sound",
            (Outcome::Planned, _) => "planned",
            (Outcome::Done(_), Action::Rebuild(rebuild)) if !rebuild.is_as_written => "salvaged",
            (Outcome::Done(_), _) => "repaired",
        }
    }

    /// Whether there is something to look at: anything but a file that is sound, or whole again.
    pub(crate) fn is_worth_a_look(&self) -> bool {
        let ended = (&self.outcome, &self.plan.action);
        !matches!(ended, (_, Action::Nothing) | (Outcome::Done(_), Action::Heal(_)))
    }
}

/// Why a repair is not done, in a sentence, and the option that allows it.
pub(crate) fn refusal(refusal: &Refusal) -> (String, Option<&'static str>) {
    match refusal {
        Refusal::NotProven => {
            let text = "no change of a few bits makes its checksum right";
            (text.to_owned(), Some("--recovery tail or salvage"))
        }
        Refusal::Doubtful => {
            let text = "the change that makes its checksum right may be one that does so by chance";
            (text.to_owned(), Some("--accept-doubt"))
        }
        Refusal::NeedsSalvage => {
            ("the damage is not only at its end".to_owned(), Some("--recovery salvage"))
        }
        Refusal::Everything => ("not a key would be left of it".to_owned(), Some("--accept-loss")),
        Refusal::Limit(finding) => {
            let at = facts::offset(finding.span.start);
            let found = expected_found(&finding.expected, &finding.found);
            let text = format!("what is at {at} may well be sound, but is beyond a limit: {found}");
            (text, Some("--max-string or --max-record"))
        }
    }
}

/// The text for one RDB.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn text(
    out: &mut dyn Write,
    repair: &RdbRepair,
    detail: Detail,
    screen: &Screen,
) -> io::Result<()> {
    let plan = &repair.plan;
    headline(out, repair, screen)?;
    match &plan.action {
        Action::Nothing => {}
        Action::CutBehind(at) => {
            let at = facts::offset(*at);
            screen.prose(out, 4, &format!("  cut at {at}: what is behind the end of the RDB"))?;
        }
        Action::Heal(healing) => one_healing(out, "", healing, screen)?,
        Action::Rebuild(rebuild) => {
            for healing in &plan.healed.found {
                one_healing(out, "", healing, screen)?;
            }
            one_rebuild(out, rebuild, detail, screen)?;
        }
    }
    if let Outcome::Done(done) = &repair.outcome {
        what_is_where(out, done, screen)?;
    }
    for reason in &plan.refusals {
        let (why, option) = refusal(reason);
        let style = screen.error;
        screen.prose(out, 4, &format!("  {style}not done:{style:#} {why}"))?;
        if let Some(option) = option.filter(|_| detail > Detail::Quiet) {
            let style = screen.strong;
            screen.prose(out, 4, &format!("  {style}advice:{style:#} {option} allows it"))?;
        }
    }
    if plan.has_nothing_to_do() && !plan.damage.is_empty() {
        let damage: Vec<&Finding> = plan.damage.iter().collect();
        findings(out, &damage, 0, detail, screen)?;
    }
    Ok(())
}

fn headline(out: &mut dyn Write, repair: &RdbRepair, screen: &Screen) -> io::Result<()> {
    let (word, style) = match repair.word() {
        "refused" => ("REFUSED", screen.error),
        "sound" => ("NOTHING TO REPAIR", screen.good),
        "planned" => ("TO BE REPAIRED", screen.warning),
        "salvaged" => ("SALVAGED, SUSPECT", screen.warning),
        _ => ("REPAIRED", screen.good),
    };
    let is_done = matches!(repair.outcome, Outcome::Done(_));
    let what = summary(&repair.plan, is_done);
    let name = path(&repair.plan.path);
    screen.prose(out, 2, &format!("{name}: {style}{word}{style:#} — {what}"))?;
    if matches!(repair.outcome, Outcome::Refused) {
        writeln!(out, "  nothing was changed")?;
    }
    Ok(())
}

/// What a plan comes to, in a few words: `48,112 keys kept; 1 key lost, 4.00 KiB`.
pub(crate) fn summary(plan: &Plan, is_done: bool) -> String {
    let (kept, lost) = if is_done { ("kept", "lost") } else { ("would stay", "would be lost") };
    match &plan.action {
        Action::Nothing => counted(plan.keys, "key"),
        Action::CutBehind(at) => {
            let len = bytes(plan.seen.size.saturating_sub(*at));
            format!("all {} {kept}; {len} behind the end {lost}", counted(plan.keys, "key"))
        }
        Action::Heal(healing) => {
            let bits = counted(u64::from(healing.flipped), "bit");
            format!("nothing lost: its own checksum tells the {bits} to change")
        }
        Action::Rebuild(rebuild) => {
            let census = &rebuild.census;
            let mut text = format!("{} {kept}", counted(census.kept, "key"));
            if census.suspect.count > 0 {
                text.push_str(&format!(", {} of them suspect", count(census.suspect.count)));
            }
            let keys = census.keys_lost();
            // A file that only lacks its end has a gap of no bytes.
            let gaps = census.gaps.iter().filter(|gap| !gap.span.is_empty()).count() as u64;
            let mut parts = Vec::new();
            if keys > 0 {
                parts.push(counted(keys, "key"));
            }
            if gaps > 0 {
                parts.push(format!("what was in {}", counted(gaps, "gap")));
            }
            if !parts.is_empty() {
                let size = bytes(census.bytes_lost());
                text.push_str(&format!("; {} {lost}, {size}", parts.join(" and ")));
            }
            text
        }
    }
}

/// `change 0x3f21 (16161) from 4a to 4b, in the value of string "user:17" in db 0`.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn one_healing(
    out: &mut dyn Write,
    of: &str,
    healing: &Healing,
    screen: &Screen,
) -> io::Result<()> {
    let strong = screen.strong;
    let change = change(&healing.patch);
    let place = place(&healing.place);
    screen.prose(out, 4, &format!("  {of}{strong}change{strong:#} {change}, in {place}"))?;
    let chance = chance(healing.by_chance);
    screen.prose(out, 4, &format!("    by chance, {chance} would have a change as short"))
}

/// `one of 12,345,678 files with other damage`.
fn chance(by_chance: f64) -> String {
    // A small file's chance has more digits than anybody reads.
    match 1.0 / by_chance {
        files if files >= 1e12 => "fewer than one of 10^12 files damaged otherwise".to_owned(),
        files if files >= 2.0 => format!("one of {} files damaged otherwise", count(files as u64)),
        _ => "nearly every file damaged otherwise".to_owned(),
    }
}

/// `0x3f21 (16161) from 4a to 4b`.
pub(crate) fn change(patch: &Patch) -> String {
    format!("{} from {} to {}", facts::offset(patch.offset), hex(&patch.old), hex(&patch.new))
}

/// `4a 4b`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}

/// `the value of string "user:17" in db 0, at "name"`.
pub(crate) fn place(place: &Place) -> String {
    let mut text = place.part.to_owned();
    if let Some(key) = &place.key {
        text.push_str(&format!(" of {}", key_text(key)));
    }
    if let Some(element) = &place.element {
        text.push_str(&format!(", at {}", quoted(element)));
    }
    text
}

fn key_text(key: &KeyPlace) -> String {
    format!("{} {} in db {}", key.type_name, quoted(&key.key), key.db)
}

/// What is left out of an RDB that is written anew, and what is uncertain.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn one_rebuild(
    out: &mut dyn Write,
    rebuild: &Rebuild,
    detail: Detail,
    screen: &Screen,
) -> io::Result<()> {
    let census = &rebuild.census;
    if rebuild.is_header_new {
        let header = String::from_utf8_lossy(&rebuild.header.bytes);
        screen.prose(out, 4, &format!("  its first bytes are damaged, and become {header}"))?;
    }
    let shown = if detail == Detail::Verbose { usize::MAX } else { LINES };
    for lost in census.lost.iter().take(shown) {
        one_lost(out, lost, screen)?;
    }
    rest(out, census.lost.len(), shown, "record left out", screen)?;
    let gaps = told(&census.gaps, shown, |gap| gap.is_given_up);
    for gap in &gaps {
        one_gap(out, gap, screen)?;
    }
    rest(out, census.gaps.len(), gaps.len(), "gap", screen)?;
    if let Some(missing) = census.stated.and_then(|stated| stated.checked_sub(census.kept)) {
        let stated = counted(census.stated.unwrap_or(0), "key");
        if missing > 0 {
            let text = format!("  it says that it had {stated}: {} missing", count(missing));
            screen.prose(out, 4, &text)?;
        }
    } else if let Some(stated) = census.stated {
        let text = format!(
            "  it says that it had {}: some of those that were found are none of its own",
            counted(stated, "key")
        );
        screen.prose(out, 4, &text)?;
    }
    databases(out, census, shown, screen)?;
    suspects(out, census, detail, screen)?;
    if !rebuild.is_as_written {
        let text =
            "  nothing vouches for any value: the checksum is lost, or not that of these bytes";
        screen.prose(out, 4, text)?;
    }
    Ok(())
}

/// Keys whose database is not certain, or not known.
fn databases(
    out: &mut dyn Write,
    census: &Census,
    shown: usize,
    screen: &Screen,
) -> io::Result<()> {
    for assumed in census.assumed.iter().take(shown) {
        let (at, end) = (facts::offset(assumed.span.start), facts::offset(assumed.span.end));
        let (keys, db) = (counted(assumed.keys, "key"), assumed.db);
        let text = format!("  {keys} from {at} to {end} taken to be of db {db}: a gap is before");
        screen.prose(out, 4, &text)?;
    }
    rest(out, census.assumed.len(), shown, "stretch of keys behind a gap", screen)?;
    for nameless in census.nameless.iter().take(shown) {
        let at = facts::offset(nameless.span.start);
        let below = nameless.below.map_or(String::new(), |below| format!(" and below {below}"));
        let (strong, keys) = (screen.strong, counted(nameless.keys, "key"));
        let text = format!(
            "  left out: {strong}{keys}{strong:#} from {at} on, of a database whose number is lost: at least \
             {}{below}; --unknown-db N keeps them in db N",
            nameless.from
        );
        screen.prose(out, 4, &text)?;
    }
    rest(out, census.nameless.len(), shown, "stretch without a database", screen)
}

fn one_lost(out: &mut dyn Write, lost: &Lost, screen: &Screen) -> io::Result<()> {
    let strong = screen.strong;
    let what = lost.why.key.as_ref().map_or("a record without a key".to_owned(), key_text);
    let at = facts::offset(lost.span.start);
    let size = bytes(lost.span.end - lost.span.start);
    let why = &lost.why;
    let found = expected_found(&why.expected, &why.found);
    let text =
        format!("  left out: {what}, {size} at {at}: {strong}{}{strong:#}: {found}", why.code);
    screen.prose(out, 4, &text)
}

/// The gaps that are told of one by one: the first, and of the others those whose search was given up.
pub(crate) fn told<T>(gaps: &[T], shown: usize, is_given_up: impl Fn(&T) -> bool) -> Vec<&T> {
    let (first, others) = gaps.split_at(gaps.len().min(shown));
    first.iter().chain(others.iter().filter(|gap| is_given_up(gap)).take(shown)).collect()
}

/// What else is to be said of a gap that was not searched all through.
pub(crate) fn given_up(is_given_up: bool, what: &str) -> String {
    match is_given_up {
        true => format!("; the search in it was given up: it may have more {what}"),
        false => String::new(),
    }
}

fn one_gap(out: &mut dyn Write, gap: &Gap, screen: &Screen) -> io::Result<()> {
    let strong = screen.strong;
    let at = facts::offset(gap.span.start);
    let size = bytes(gap.span.end - gap.span.start);
    let why = &gap.why;
    let found = expected_found(&why.expected, &why.found);
    let key = why
        .key
        .as_ref()
        .map_or(String::new(), |key| format!(", with {} {}", key.type_name, quoted(&key.key)));
    let more = given_up(gap.is_given_up, "keys");
    let text = format!("  gap: {size} at {at}{key}: {strong}{}{strong:#}: {found}{more}", why.code);
    screen.prose(out, 4, &text)
}

fn rest(
    out: &mut dyn Write,
    all: usize,
    shown: usize,
    noun: &str,
    screen: &Screen,
) -> io::Result<()> {
    match all.checked_sub(shown) {
        None | Some(0) => Ok(()),
        Some(more) => {
            let text = format!("  and {} more, of the kind: {noun}", count(more as u64));
            screen.prose(out, 4, &text)
        }
    }
}

fn suspects(
    out: &mut dyn Write,
    census: &Census,
    detail: Detail,
    screen: &Screen,
) -> io::Result<()> {
    let suspect = &census.suspect;
    if suspect.count == 0 || detail == Detail::Quiet {
        return Ok(());
    }
    let shown = if detail == Detail::Verbose { usize::MAX } else { LINES };
    let names: Vec<_> =
        suspect.named.iter().take(shown).map(|key| quoted(&key.key).to_string()).collect();
    let more = suspect.count.saturating_sub(names.len() as u64);
    let more = if more > 0 { format!(" and {} more", count(more)) } else { String::new() };
    let why = match census.odd {
        0 => "beside a gap",
        _ => "beside a gap or of a name that is no text as those of others are",
    };
    screen.prose(out, 4, &format!("  suspect, {why}: {}{more}", names.join(", ")))
}

fn what_is_where(out: &mut dyn Write, done: &Done, screen: &Screen) -> io::Result<()> {
    if let Some((folder, files)) = &done.lost {
        let files = counted(*files as u64, "file");
        screen.prose(out, 4, &format!("  saved: what is lost is in {}, {files}", path(folder)))?;
    }
    let Some(file) = &done.written else { return Ok(()) };
    let (name, size) = (path(&file.path), bytes(file.size));
    screen.prose(out, 4, &format!("  written: {name}, {size}"))?;
    if let Some(name) = &file.backup {
        screen.prose(out, 4, &format!("  backup: {}", path(name)))?;
    }
    warnings(out, &file.warnings, screen)
}
