//! What a repair says to programs: one object an AOF.

use std::path::Path;

use serde::Serialize;

use super::check_json::FindingJson;
use super::json::Bytes;
use super::repair::{Outcome, Repair, refusal, role, warning_text};
use super::repair_mended_json::{MendJson, SalvageJson, SeveralJson};
use super::repair_rdb_json::HealingJson;
use crate::job::repair_aof::loss::Loss;
use crate::job::repair_aof::plan::{CutAt, Fate, Planned, Reason};
use crate::job::repair_aof::run::Done;

/// Fields, for the manual.
pub(crate) const FIELDS: &[(&str, &str)] = &[
    ("file", "The AOF, or its manifest."),
    (
        "outcome",
        "sound (nothing to repair), unrepaired (something is wrong, and no cut helps), planned \
         (--dry-run), repaired, salvaged (what is damaged is left out, and nothing vouches for the rest) \
         or refused.",
    ),
    (
        "parts",
        "Array of {file, role (whole, base, incr), size, fate (stays, healed, salvaged, cut, left-out)}; \
         of one whose RDB is healed {healing}, as those of an RDB; of one whose commands are mended \
         {changes}, an array of {offset, old, new, command, key, db}, old and new in hex, the command \
         being the mended one; of one with faults that more than one change would mend, so that none \
         is made, {several}, an array of {offset, changes}; of one that is cut {offset}; and of one that \
         is cut or left out {reason (damage, later, missing, after-cut), finding, lost}.",
    ),
    (
        "salvage",
        "Of a part that is salvaged: {kept_commands, suspect_commands, suspects, assumed, gaps, rdb}. \
         suspects are the first of them, {offset, db, command, key, why (beside-gap, affected-key, odd)}; \
         assumed, {offset, db, before, commands}, are commands whose database a gap has hidden, before \
         being the one before the gap; gaps are {offset, len, finding, lost, given_up where not all of them could be searched for \
         commands}; rdb is what is kept of a damaged RDB before the commands, with kept_keys, stated_keys, suspect, lost, assumed_dbs and unknown_dbs as those of an RDB. Offsets are those \
         of the damaged file.",
    ),
    ("kept_commands", "Commands that stay."),
    ("suspect_commands", "Those of them that may not be, or not do, what they did."),
    (
        "lost",
        "{bytes, only_nuls, preamble_keys, commands, keys, names, at_least}: what goes, over all \
         parts: keys of an RDB that an AOF begins with, commands, and the keys that they name, the \
         first of them in names. at_least says that there may be more than was counted.",
    ),
    ("left", "Findings that a repair does not help, or only at a loss that was not agreed to."),
    ("refusals", "Array of {why, allowed_by}: why it is not done, and the option that allows it."),
    ("tails", "Files that hold what was cut off."),
    ("written", "Files that were written."),
    ("kept", "Files that are no part of the AOF any more."),
    ("lost_folder", "The folder with the bytes that are left out."),
    ("backups", "Files that hold the old ones."),
    ("warnings", "Sentences."),
];

/// One object an AOF.
#[derive(Debug, Serialize)]
pub(crate) struct RepairJson<'a> {
    file: Bytes<'a>,
    outcome: &'static str,
    parts: Vec<PartJson<'a>>,
    kept_commands: u64,
    suspect_commands: u64,
    lost: LossJson,
    left: Vec<FindingJson<'a>>,
    refusals: Vec<RefusalJson>,
    tails: Vec<Bytes<'a>>,
    written: Vec<Bytes<'a>>,
    kept: Vec<Bytes<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost_folder: Option<Bytes<'a>>,
    backups: Vec<Bytes<'a>>,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct PartJson<'a> {
    file: Bytes<'a>,
    role: &'static str,
    size: u64,
    fate: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finding: Option<FindingJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<LossJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    healing: Option<HealingJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<MendJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    several: Vec<SeveralJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    salvage: Option<SalvageJson<'a>>,
}

/// What is lost.
#[derive(Debug, Serialize)]
pub(crate) struct LossJson {
    bytes: u64,
    only_nuls: bool,
    preamble_keys: u64,
    commands: u64,
    keys: u64,
    names: Vec<NameJson>,
    at_least: bool,
}

/// A key's name that outlives what it was counted from.
#[derive(Debug)]
struct NameJson(Vec<u8>);

impl Serialize for NameJson {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Bytes(&self.0).serialize(serializer)
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct RefusalJson {
    pub(crate) why: String,
    pub(crate) allowed_by: Option<&'static str>,
}

impl<'a> RepairJson<'a> {
    /// Of a repair.
    pub(crate) fn new(repair: &'a Repair<'a>) -> Self {
        static NOTHING: Done =
            Done { cuts: Vec::new(), written: Vec::new(), kept: Vec::new(), lost: None };
        let done = match &repair.outcome {
            Outcome::Done(done) => done,
            Outcome::Planned | Outcome::Refused => &NOTHING,
        };
        let cut_backups = done.cuts.iter().filter_map(|cut| cut.backup.as_deref());
        let backups = done.written.iter().filter_map(|file| file.backup.as_deref());
        let warnings = done.cuts.iter().flat_map(|cut| &cut.warnings);
        let warnings = warnings.chain(done.written.iter().flat_map(|file| &file.warnings));
        let why = repair.plan.refusals.iter().map(refusal);
        RepairJson {
            file: name(repair.path),
            outcome: repair.word(),
            parts: repair.plan.parts.iter().map(PartJson::new).collect(),
            kept_commands: repair.plan.kept_commands(),
            suspect_commands: repair.plan.suspects(),
            lost: LossJson::new(&repair.plan.lost()),
            left: repair.plan.left().map(|(_, left)| FindingJson::new(left)).collect(),
            refusals: why.map(|(why, allowed_by)| RefusalJson { why, allowed_by }).collect(),
            tails: done.cuts.iter().map(|cut| name(&cut.tail)).collect(),
            written: done.written.iter().map(|file| name(&file.path)).collect(),
            kept: done.kept.iter().map(|path| name(path)).collect(),
            lost_folder: done.lost.as_ref().map(|(folder, _)| name(folder)),
            backups: cut_backups.chain(backups).map(name).collect(),
            warnings: warnings.map(warning_text).collect(),
        }
    }
}

fn name(path: &Path) -> Bytes<'_> {
    Bytes(path.as_os_str().as_encoded_bytes())
}

impl<'a> PartJson<'a> {
    fn new(planned: &'a Planned) -> Self {
        let Planned { part, fate } = planned;
        let (fate, offset, reason, lost) = match fate {
            Fate::Stays => ("stays", None, None, None),
            Fate::IsHealed => ("healed", None, None, None),
            Fate::IsSalvaged => ("salvaged", None, None, None),
            Fate::IsCut(CutAt { offset, reason, lost }) => {
                ("cut", Some(*offset), Some(reason), Some(lost))
            }
            Fate::IsDropped(reason, lost) => ("left-out", None, Some(reason), Some(lost)),
        };
        let finding = match reason {
            Some(Reason::Damage(finding)) => Some(FindingJson::new(finding)),
            _ => None,
        };
        PartJson {
            file: name(&part.path),
            role: role(part),
            size: part.size(),
            fate,
            offset,
            reason: reason.map(word),
            finding,
            lost: lost.map(LossJson::new),
            healing: part.healing.as_ref().map(HealingJson::new),
            changes: part.mends.iter().map(MendJson::new).collect(),
            several: part.several.iter().map(SeveralJson::new).collect(),
            salvage: part.salvage.as_deref().map(SalvageJson::new),
        }
    }
}

fn word(reason: &Reason) -> &'static str {
    match reason {
        Reason::Damage(_) => "damage",
        Reason::Later(_) => "later",
        Reason::Missing => "missing",
        Reason::AfterCut => "after-cut",
    }
}

impl LossJson {
    /// Of a loss.
    pub(crate) fn new(loss: &Loss) -> LossJson {
        LossJson {
            bytes: loss.bytes,
            only_nuls: loss.only_nuls,
            preamble_keys: loss.preamble_keys,
            commands: loss.commands,
            keys: loss.keys,
            names: loss.names.iter().cloned().map(NameJson).collect(),
            at_least: loss.at_least,
        }
    }
}
