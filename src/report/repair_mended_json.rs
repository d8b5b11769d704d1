//! What a repair says to programs of the bytes that it changes in commands, and of a salvage.

use serde::Serialize;

use super::check_json::FindingJson;
use super::json::Bytes;
use super::repair_json::LossJson;
use super::repair_rdb_json::RebuildJson;
use crate::job::heal::Patch;
use crate::job::repair_aof::found::{Mend, Several};
use crate::job::repair_aof::kept::{Doubt, Suspect};
use crate::job::repair_aof::salvage::Salvage;

/// A change of bytes.
#[derive(Debug, Serialize)]
pub(crate) struct ChangeJson {
    offset: u64,
    old: String,
    new: String,
}

/// A change that is made, and its command.
#[derive(Debug, Serialize)]
pub(crate) struct MendJson<'a> {
    #[serde(flatten)]
    change: ChangeJson,
    command: Bytes<'a>,
    key: Option<Bytes<'a>>,
    db: u64,
}

/// Changes of which none is made.
#[derive(Debug, Serialize)]
pub(crate) struct SeveralJson {
    offset: u64,
    changes: Vec<ChangeJson>,
}

#[derive(Debug, Serialize)]
struct SuspectJson<'a> {
    offset: u64,
    db: u64,
    command: Bytes<'a>,
    key: Option<Bytes<'a>>,
    why: &'static str,
}

#[derive(Debug, Serialize)]
struct AssumedJson {
    offset: u64,
    db: u64,
    before: u64,
    commands: u64,
}

#[derive(Debug, Serialize)]
struct GapJson<'a> {
    offset: u64,
    len: u64,
    finding: FindingJson<'a>,
    lost: LossJson,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    given_up: bool,
}

/// What a salvage makes of a part.
#[derive(Debug, Serialize)]
pub(crate) struct SalvageJson<'a> {
    kept_commands: u64,
    suspect_commands: u64,
    suspects: Vec<SuspectJson<'a>>,
    assumed: Vec<AssumedJson>,
    gaps: Vec<GapJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rdb: Option<RebuildJson<'a>>,
}

impl ChangeJson {
    /// Of a patch.
    pub(crate) fn new(patch: &Patch) -> ChangeJson {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        ChangeJson { offset: patch.offset, old: hex(&patch.old), new: hex(&patch.new) }
    }
}

impl<'a> MendJson<'a> {
    /// Of a change.
    pub(crate) fn new(mend: &'a Mend) -> MendJson<'a> {
        let Suspect { name, key, db, .. } = &mend.command;
        let key = key.as_deref().map(Bytes);
        MendJson { change: ChangeJson::new(&mend.patch), command: Bytes(name), key, db: *db }
    }
}

impl SeveralJson {
    /// Of changes.
    pub(crate) fn new(several: &Several) -> SeveralJson {
        let changes = several.changes.iter().map(ChangeJson::new).collect();
        SeveralJson { offset: several.at, changes }
    }
}

impl<'a> SalvageJson<'a> {
    /// Of a salvage.
    pub(crate) fn new(salvage: &'a Salvage) -> SalvageJson<'a> {
        let kept = &salvage.kept;
        let suspect = |suspect: &'a Suspect| SuspectJson {
            offset: suspect.offset,
            db: suspect.db,
            command: Bytes(&suspect.name),
            key: suspect.key.as_deref().map(Bytes),
            why: match suspect.doubt {
                Doubt::Beside => "beside-gap",
                Doubt::Affected => "affected-key",
                Doubt::Odd => "odd",
            },
        };
        let assumed = kept.assumed.iter().filter(|assumed| assumed.commands > 0);
        let gaps = salvage.gaps.iter().map(|(gap, lost)| GapJson {
            offset: gap.span.start,
            len: gap.span.end - gap.span.start,
            finding: FindingJson::new(&gap.why),
            lost: LossJson::new(lost),
            given_up: gap.is_given_up,
        });
        SalvageJson {
            kept_commands: kept.commands,
            suspect_commands: kept.suspects,
            suspects: kept.named.iter().map(suspect).collect(),
            assumed: assumed
                .map(|a| AssumedJson {
                    offset: a.span.start,
                    db: a.db,
                    before: a.before,
                    commands: a.commands,
                })
                .collect(),
            gaps: gaps.collect(),
            rdb: salvage.rdb.as_ref().map(RebuildJson::new),
        }
    }
}
