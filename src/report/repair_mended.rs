//! What a repair says of the bytes that it changes in the commands of an AOF, and of what a salvage leaves out
//! of them and keeps.
//!
//! ```text
//!   change 0x3f21 (16161) from 51 to 53, in HSET "user:17" of db 0: the one byte that makes commands of it
//!   gap: 4.00 KiB at 0x1000 (4096): aof-nul-hole at …; 3 commands on 2 keys can be read in it
//!   from 0x2044 (8260) on 210 commands are taken to be on db 3: a gap is before them, and no SELECT
//!   suspect, beside a gap: SET "a", INCR "b" and 2 more
//! ```

use std::io::{self, Write};

use super::check::Detail;
use super::escape::quoted;
use super::facts;
use super::repair::{commands, names, one_finding};
use super::repair_rdb::{change, given_up, one_rebuild, told};
use super::screen::Screen;
use super::size::{bytes, count, counted};
use crate::job::repair_aof::found::{Mend, Several};
use crate::job::repair_aof::kept::{Doubt, Kept, Suspect};
use crate::job::repair_aof::plan::Part;
use crate::job::repair_aof::salvage::Salvage;

/// Lines of one kind that are shown, unless all are asked for.
const LINES: usize = 10;

fn shown(detail: Detail) -> usize {
    if detail == Detail::Verbose { usize::MAX } else { LINES }
}

fn more(
    out: &mut dyn Write,
    all: usize,
    detail: Detail,
    noun: &str,
    screen: &Screen,
) -> io::Result<()> {
    rest(out, all.saturating_sub(shown(detail)), noun, screen)
}

fn rest(out: &mut dyn Write, rest: usize, noun: &str, screen: &Screen) -> io::Result<()> {
    match rest {
        0 => Ok(()),
        rest => screen.prose(out, 4, &format!("  and {} more {noun}", count(rest as u64))),
    }
}

/// The bytes that are changed in a part, and those that are not because nobody knows which it is.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn mends(
    out: &mut dyn Write,
    of: &str,
    part: &Part,
    detail: Detail,
    screen: &Screen,
) -> io::Result<()> {
    let strong = screen.strong;
    for mend in part.mends.iter().take(shown(detail)) {
        let text = mend_text(mend);
        screen.prose(out, 4, &format!("  {of}{strong}change{strong:#} {text}"))?;
    }
    more(out, part.mends.len(), detail, "changes of one byte", screen)?;
    for several in part.several.iter().take(shown(detail)) {
        let Several { at, changes } = several;
        let at = facts::offset(*at);
        let all: Vec<_> = changes.iter().map(change).collect();
        let text = format!(
            "  {of}not changed: more than one byte would mend what is at {at}: {}",
            all.join("; or ")
        );
        screen.prose(out, 4, &text)?;
    }
    more(out, part.several.len(), detail, "places that several changes would mend", screen)
}

/// `0x3f21 (16161) from 51 to 53, in HSET "user:17" of db 0: the one byte that makes commands of it`.
pub(crate) fn mend_text(mend: &Mend) -> String {
    let (change, command) = (change(&mend.patch), command_text(&mend.command));
    let db = mend.command.db;
    format!("{change}, in {command} of db {db}: the one byte that makes commands of it")
}

fn command_text(command: &Suspect) -> String {
    let name = quoted(&command.name).to_string();
    let name = name.trim_matches('"');
    match &command.key {
        Some(key) => format!("{name} {}", quoted(key)),
        None => name.to_owned(),
    }
}

/// What a salvage leaves out of a part, and what of the rest is uncertain.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn salvage(
    out: &mut dyn Write,
    of: &str,
    salvage: &Salvage,
    detail: Detail,
    screen: &Screen,
) -> io::Result<()> {
    if let Some(rebuild) = &salvage.rdb {
        let kept = counted(rebuild.census.kept, "key");
        screen.prose(out, 4, &format!("  {of}its RDB is written anew, with {kept}"))?;
        one_rebuild(out, rebuild, detail, screen)?;
    }
    let gaps = told(&salvage.gaps, shown(detail), |(gap, _)| gap.is_given_up);
    for (gap, lost) in &gaps {
        let at = facts::offset(gap.span.start);
        let size = bytes(gap.span.end - gap.span.start);
        let why = one_finding(&gap.why, screen);
        let inside = match lost.commands {
            0 => String::new(),
            _ => format!("; {} can be read in it", commands(lost)),
        };
        let more = given_up(gap.is_given_up, "commands");
        screen.prose(out, 4, &format!("  {of}gap: {size} at {at}: {why}{inside}{more}"))?;
        names(out, lost, detail, screen)?;
    }
    rest(out, salvage.gaps.len() - gaps.len(), "gaps", screen)?;
    uncertain(out, &salvage.kept, detail, screen)
}

fn uncertain(out: &mut dyn Write, kept: &Kept, detail: Detail, screen: &Screen) -> io::Result<()> {
    if detail == Detail::Quiet {
        return Ok(());
    }
    let assumed: Vec<_> = kept.assumed.iter().filter(|assumed| assumed.commands > 0).collect();
    for assumed in assumed.iter().take(shown(detail)) {
        let at = facts::offset(assumed.span.start);
        let commands = counted(assumed.commands, "command");
        let are = if assumed.commands == 1 { "is" } else { "are" };
        let (db, before) = (assumed.db, assumed.before);
        let why = match db == before {
            true if assumed.is_mended => {
                "a length before was changed, but bytes may be missing there, a SELECT among them"
                    .to_owned()
            }
            true => "a gap is before, and no SELECT between".to_owned(),
            false => {
                format!("their keys and the SELECTs around speak for it, and not for db {before}")
            }
        };
        let text = format!("  from {at} on {commands} {are} taken to be on db {db}: {why}");
        screen.prose(out, 4, &text)?;
    }
    more(out, assumed.len(), detail, "such stretches", screen)?;
    for (doubt, why) in [
        (Doubt::Beside, "beside a gap"),
        (Doubt::Affected, "on keys of commands that are lost"),
        (Doubt::Odd, "not as servers write it"),
    ] {
        let all: Vec<_> = kept.named.iter().filter(|suspect| suspect.doubt == doubt).collect();
        if all.is_empty() {
            continue;
        }
        let named: Vec<_> =
            all.iter().take(shown(detail)).map(|suspect| command_text(suspect)).collect();
        let rest = all.len() - named.len();
        let rest =
            if rest > 0 { format!(" and {} more", count(rest as u64)) } else { String::new() };
        screen.prose(out, 4, &format!("  suspect, {why}: {}{rest}", named.join(", ")))?;
    }
    let unnamed = kept.suspects.saturating_sub(kept.named.len() as u64);
    if unnamed > 0 {
        let unnamed = counted(unnamed, "more suspect command");
        screen.prose(out, 4, &format!("  and {unnamed}, too many to be named"))?;
    }
    Ok(())
}
