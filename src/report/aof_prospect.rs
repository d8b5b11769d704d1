//! What a repair of an AOF could do, in a line behind the report of a check.

use std::io::{self, Write};

use serde::Serialize;

use super::repair::commands;
use super::repair_json::LossJson;
use super::repair_mended::mend_text;
use super::repair_mended_json::MendJson;
use super::screen::Screen;
use super::size::{bytes, count, counted};
use crate::job::recovery::Recovery;
use crate::job::repair_aof::found::Mend;
use crate::job::repair_aof::plan::Plan;

/// `repair: 3,100 commands would stay, 9 of them suspect; …: rdbtool repair --salvage does it`.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn text(out: &mut dyn Write, plan: &Plan, screen: &Screen) -> io::Result<()> {
    let style = screen.strong;
    let verb = match needs(plan) {
        Recovery::Salvage => "rdbtool repair --salvage does it",
        Recovery::Strict | Recovery::Tail => "rdbtool repair does it",
    };
    screen.prose(out, 2, &format!("{style}repair:{style:#} {}: {verb}", summary(plan)))
}

fn needs(plan: &Plan) -> Recovery {
    if plan.is_salvage() { Recovery::Salvage } else { Recovery::Tail }
}

fn mends(plan: &Plan) -> impl Iterator<Item = &Mend> {
    plan.parts.iter().flat_map(|planned| &planned.part.mends)
}

fn summary(plan: &Plan) -> String {
    let lost = plan.lost();
    let mut parts = Vec::new();
    match mends(plan).count() {
        0 => {}
        1 => parts.extend(mends(plan).map(|mend| format!("change {}", mend_text(mend)))),
        changes => parts.push(format!("{} of one byte", counted(changes as u64, "change"))),
    }
    if lost.bytes == 0 {
        parts.push("nothing would be lost".to_owned());
        return parts.join("; ");
    }
    let mut kept = format!("{} would stay", counted(plan.kept_commands(), "command"));
    if plan.suspects() > 0 {
        kept.push_str(&format!(", {} of them suspect", count(plan.suspects())));
    }
    let what = if lost.only_nuls { "only NULs".to_owned() } else { commands(&lost) };
    parts.push(kept);
    parts.push(format!("{} would be lost: {what}", bytes(lost.bytes)));
    parts.join("; ")
}

/// The same for programs.
#[derive(Debug, Serialize)]
pub(crate) struct AofProspectJson<'a> {
    recovery: &'static str,
    summary: String,
    changes: Vec<MendJson<'a>>,
    kept_commands: u64,
    suspect_commands: u64,
    lost: LossJson,
}

impl<'a> AofProspectJson<'a> {
    /// Of a plan.
    pub(crate) fn new(plan: &'a Plan) -> Self {
        AofProspectJson {
            recovery: needs(plan).as_str(),
            summary: summary(plan),
            changes: mends(plan).map(MendJson::new).collect(),
            kept_commands: plan.kept_commands(),
            suspect_commands: plan.suspects(),
            lost: LossJson::new(&plan.lost()),
        }
    }
}
