//! What a repair of an AOF says to people: first one line that tells what became of it, then part by part
//! what is cut, why, and what is lost by it.
//!
//! ```text
//! appendonly.aof: REPAIRED — 3.03 KiB kept, 101 commands; 120 B lost: 2 commands on 1 key
//!   cut at 0xc1f (3103): aof-multi-open at 0xc1f (3103): expected EXEC, found a damaged end after …
//!     keys: "user:17"
//!   saved: what was cut off is appendonly.aof.tail-3103, 120 B
//! ```

use std::io::{self, Write};
use std::path::Path;

use super::check::{Detail, findings};
use super::escape::{path, quoted};
use super::facts;
use super::repair_mended::{mends, salvage};
use super::repair_rdb::one_healing;
use super::screen::Screen;
use super::size::{bytes, count, counted};
use super::time::moment_s;
use crate::finding::Finding;
use crate::job::repair_aof::is_cut_on_request;
use crate::job::repair_aof::loss::Loss;
use crate::job::repair_aof::plan::{CutAt, Fate, Part, Plan, Planned, Reason, Refusal, Role};
use crate::job::repair_aof::run::Done;
use crate::persist::target::Warning;

/// How far a repair came.
#[derive(Debug)]
pub(crate) enum Outcome<D = Done> {
    /// It was only asked for.
    Planned,
    /// It was not done, for the reasons in the plan.
    Refused,
    /// It was done.
    Done(D),
}

/// A repair of one AOF.
#[derive(Debug)]
pub(crate) struct Repair<'a> {
    /// The file or manifest.
    pub(crate) path: &'a Path,
    /// What was to be done.
    pub(crate) plan: &'a Plan,
    /// What was.
    pub(crate) outcome: Outcome,
}

impl Repair<'_> {
    /// The outcome in a word.
    pub(crate) fn word(&self) -> &'static str {
        match &self.outcome {
            Outcome::Refused => "refused",
            _ if self.plan.has_nothing_to_do() && self.is_worth_a_look() => "unrepaired",
            _ if self.plan.has_nothing_to_do() => "sound",
            Outcome::Planned => "planned",
            Outcome::Done(_) if self.plan.is_salvage() => "salvaged",
            Outcome::Done(_) => "repaired",
        }
    }

    /// Whether there is something to look at: a loss, a file of which nobody knows what was in it, or
    /// something wrong that is still there.
    pub(crate) fn is_worth_a_look(&self) -> bool {
        let planned = matches!(self.outcome, Outcome::Planned) && !self.plan.has_nothing_to_do();
        let lost = self.plan.drops_parts() || !self.plan.lost().is_nothing();
        let is_mended = self.plan.parts.iter().any(|planned| !planned.part.mends.is_empty());
        planned || lost || is_mended || self.plan.left().next().is_some()
    }
}

/// Why a repair is not done, in a sentence, and the option that allows it.
pub(crate) fn refusal(refusal: &Refusal) -> (String, Option<&'static str>) {
    const LOSS: Option<&str> = Some("--accept-loss");
    match refusal {
        Refusal::Everything => ("nothing would be left of it".to_owned(), LOSS),
        Refusal::WholePart(part) => {
            let text = format!(
                "nothing would be left of {}, in which there are sound commands behind the damage",
                path(part)
            );
            (text, LOSS)
        }
        Refusal::LaterParts(parts, lost) => {
            let parts = counted(*parts as u64, "whole part");
            let text = format!("{parts} behind the damage would be lost, with {}", commands(lost));
            (text, LOSS)
        }
        Refusal::Base(part) => {
            let text = format!(
                "its base {} is damaged or missing, and nothing behind it means anything without it: \
                 bring it back, from a copy",
                path(part)
            );
            (text, None)
        }
        Refusal::NothingBefore => ("nothing in it is from before that time".to_owned(), None),
        Refusal::NoTimes => {
            let text =
                "it has no timestamps: the server writes them with aof-timestamp-enabled yes";
            (text.to_owned(), None)
        }
        Refusal::Strict => {
            ("it needs a cut, which no checksum proves right".to_owned(), Some("--recovery tail"))
        }
        Refusal::Limit(finding) => {
            let at = facts::offset(finding.span.start);
            let found = facts::expected_found(&finding.expected, &finding.found);
            let text = format!("what is at {at} may well be sound, but is beyond a limit: {found}");
            (text, Some("--max-string or --max-record"))
        }
    }
}

/// The text for one AOF.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn text(
    out: &mut dyn Write,
    repair: &Repair<'_>,
    detail: Detail,
    screen: &Screen,
) -> io::Result<()> {
    headline(out, repair, screen)?;
    for planned in &repair.plan.parts {
        one_part(out, planned, detail, screen)?;
    }
    if let Outcome::Done(done) = &repair.outcome {
        what_is_where(out, done, screen)?;
    }
    for planned in &repair.plan.parts {
        what_stays(out, planned, detail, screen)?;
    }
    for reason in &repair.plan.refusals {
        let (why, option) = refusal(reason);
        let style = screen.error;
        screen.prose(out, 4, &format!("  {style}not done:{style:#} {why}"))?;
        let Some(option) = option.filter(|_| detail > Detail::Quiet) else { continue };
        let style = screen.strong;
        let other = match reason {
            Refusal::LaterParts(..) => "; --keep-later keeps them, with a gap before them",
            _ => "",
        };
        screen.prose(out, 4, &format!("  {style}advice:{style:#} {option} allows it{other}"))?;
    }
    Ok(())
}

/// What is wrong with a part and no cut helps, or only one that nobody agreed to.
fn what_stays(
    out: &mut dyn Write,
    planned: &Planned,
    detail: Detail,
    screen: &Screen,
) -> io::Result<()> {
    let left: Vec<&Finding> = planned.part.left.iter().collect();
    if left.is_empty() || matches!(planned.fate, Fate::IsDropped(..)) {
        return Ok(());
    }
    let name = path(&planned.part.path);
    screen.prose(out, 4, &format!("  cutting {name} does not help against what follows"))?;
    findings(out, &left, 0, detail, screen)?;
    if left.iter().any(|finding| is_cut_on_request(finding.code)) && detail > Detail::Quiet {
        let style = screen.strong;
        let text = "it may be the command of a newer server, with sound ones behind it; \
                    --accept-loss cuts the file before it";
        screen.prose(out, 4, &format!("  {style}advice:{style:#} {text}"))?;
    }
    Ok(())
}

fn headline(out: &mut dyn Write, repair: &Repair<'_>, screen: &Screen) -> io::Result<()> {
    let plan = repair.plan;
    let (word, style) = match repair.word() {
        "refused" => ("REFUSED", screen.error),
        "sound" => ("NOTHING TO REPAIR", screen.good),
        "unrepaired" => ("NOT REPAIRED", screen.warning),
        "planned" => ("TO BE REPAIRED", screen.warning),
        "salvaged" => ("SALVAGED, SUSPECT", screen.warning),
        _ => ("REPAIRED", screen.good),
    };
    let kept = plan.parts.iter().map(Planned::kept).sum();
    let commands_kept = counted(plan.kept_commands(), "command");
    let (stays, goes) = match repair.outcome {
        Outcome::Done(_) => ("kept", "lost"),
        Outcome::Planned | Outcome::Refused => ("would stay", "would be lost"),
    };
    let name = path(repair.path);
    let kept = bytes(kept);
    let mut line = format!("{name}: {style}{word}{style:#} — {kept} {stays}, {commands_kept}");
    let suspects = plan.suspects();
    if suspects > 0 {
        line.push_str(&format!(", {} of them suspect", count(suspects)));
    }
    let lost = plan.lost();
    if lost.bytes > 0 {
        let lost_text = if lost.only_nuls { "only NULs".to_owned() } else { commands(&lost) };
        line.push_str(&format!("; {} {goes}: {lost_text}", bytes(lost.bytes)));
    }
    screen.prose(out, 2, &line)?;
    if matches!(repair.outcome, Outcome::Refused) {
        writeln!(out, "  nothing was changed")?;
    }
    Ok(())
}

fn one_part(
    out: &mut dyn Write,
    planned: &Planned,
    detail: Detail,
    screen: &Screen,
) -> io::Result<()> {
    let Planned { part, fate } = planned;
    let of =
        if part.role == Role::Whole { String::new() } else { format!("{}: ", path(&part.path)) };
    if let Some(healing) = part.healing.as_ref().filter(|_| *fate != Fate::Stays) {
        one_healing(out, &of, healing, screen)?;
    }
    if !matches!(fate, Fate::IsDropped(..)) {
        mends(out, &of, part, detail, screen)?;
    }
    if let (Some(found), Fate::Stays | Fate::IsHealed | Fate::IsSalvaged) = (&part.salvage, fate) {
        salvage(out, &of, found, detail, screen)?;
    }
    match fate {
        Fate::IsHealed | Fate::IsSalvaged => Ok(()),
        Fate::Stays if part.role == Role::Whole || detail < Detail::Verbose => Ok(()),
        Fate::Stays => screen.prose(out, 4, &format!("  {of}stays as it is")),
        Fate::IsCut(CutAt { offset, reason, lost }) => {
            let at = facts::offset(*offset);
            let why = why(reason, screen);
            screen.prose(out, 4, &format!("  {of}cut at {at}: {why}"))?;
            names(out, lost, detail, screen)
        }
        Fate::IsDropped(reason, lost) => {
            let why = why(reason, screen);
            screen.prose(out, 4, &format!("  {of}left out: {why}"))?;
            names(out, lost, detail, screen)
        }
    }
}

fn why(reason: &Reason, screen: &Screen) -> String {
    match reason {
        Reason::Damage(finding) => one_finding(finding, screen),
        Reason::Later(seconds) => {
            format!("what follows was written after {}", moment_s(*seconds))
        }
        Reason::Missing => "there is no such file".to_owned(),
        Reason::AfterCut => "it is behind the cut".to_owned(),
    }
}

/// `aof-format at 0x3f (63): expected …, found …`.
pub(crate) fn one_finding(finding: &Finding, screen: &Screen) -> String {
    let strong = screen.strong;
    let at = facts::offset(finding.span.start);
    let found = facts::expected_found(&finding.expected, &finding.found);
    format!("{strong}{}{strong:#} at {at}: {found}", finding.code)
}

/// `21 commands on 20 keys`, `97 keys of the RDB part and no whole command`.
pub(crate) fn commands(lost: &Loss) -> String {
    let least = if lost.at_least { "at least " } else { "" };
    let preamble = match lost.preamble_keys {
        0 => String::new(),
        keys => format!("{} of the RDB part and ", counted(keys, "key")),
    };
    match (lost.commands, lost.at_least) {
        (0, false) => return format!("{preamble}no whole command"),
        (0, true) => return format!("{preamble}commands that were not counted to the end"),
        _ => {}
    }
    let keys = counted(lost.keys, "key");
    format!("{preamble}{least}{} on {keys}", counted(lost.commands, "command"))
}

/// The keys that are lost, the first of them.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn names(
    out: &mut dyn Write,
    lost: &Loss,
    detail: Detail,
    screen: &Screen,
) -> io::Result<()> {
    if lost.names.is_empty() || detail == Detail::Quiet {
        return Ok(());
    }
    let shown: Vec<_> = lost.names.iter().map(|name| quoted(name).to_string()).collect();
    let rest = lost.keys.saturating_sub(shown.len() as u64);
    let more = if rest > 0 { format!(" and {} more", count(rest)) } else { String::new() };
    screen.prose(out, 4, &format!("    keys: {}{more}", shown.join(", ")))
}

fn what_is_where(out: &mut dyn Write, done: &Done, screen: &Screen) -> io::Result<()> {
    for cut in &done.cuts {
        let (tail, len) = (path(&cut.tail), bytes(cut.tail_len));
        screen.prose(out, 4, &format!("  saved: what was cut off is {tail}, {len}"))?;
    }
    for file in &done.written {
        let (name, size) = (path(&file.path), bytes(file.size));
        screen.prose(out, 4, &format!("  written: {name}, {size}"))?;
    }
    if let Some((folder, files)) = &done.lost {
        let files = counted(*files as u64, "file");
        screen.prose(out, 4, &format!("  saved: what is lost is in {}, {files}", path(folder)))?;
    }
    for name in &done.kept {
        let line = format!("  kept, and no longer part of the AOF: {}", path(name));
        screen.prose(out, 4, &line)?;
    }
    let backups = done.cuts.iter().filter_map(|cut| cut.backup.as_deref());
    let backups = backups.chain(done.written.iter().filter_map(|file| file.backup.as_deref()));
    for name in backups {
        screen.prose(out, 4, &format!("  backup: {}", path(name)))?;
    }
    let cut = done.cuts.iter().flat_map(|cut| &cut.warnings);
    warnings(out, cut.chain(done.written.iter().flat_map(|file| &file.warnings)), screen)
}

/// Says what an operator should know about a file that was written.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn warnings<'a>(
    out: &mut dyn Write,
    warnings: impl IntoIterator<Item = &'a Warning>,
    screen: &Screen,
) -> io::Result<()> {
    let style = screen.warning;
    for warning in warnings {
        let text = warning_text(warning);
        screen.prose(out, 4, &format!("  {style}warning:{style:#} {text}"))?;
    }
    Ok(())
}

/// A warning in a sentence.
pub(crate) fn warning_text(warning: &Warning) -> String {
    match warning {
        Warning::HardLinks(links) => {
            format!("the file has {}, which still are the old one", counted(*links, "other name"))
        }
        Warning::Held(holders) => {
            let name = |holder: &crate::persist::fs::Holder| {
                format!("{} ({})", quoted(holder.name.as_bytes()), holder.pid)
            };
            let names: Vec<_> = holders.iter().map(name).collect();
            format!("held open by {}", names.join(", "))
        }
    }
}

/// The word for what a part is.
pub(crate) fn role(part: &Part) -> &'static str {
    match part.role {
        Role::Whole => "whole",
        Role::Base => "base",
        Role::Incr => "incr",
    }
}
