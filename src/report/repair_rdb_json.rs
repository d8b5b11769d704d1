//! What a repair of an RDB says to programs: one object a file.

use serde::Serialize;

use super::check_json::FindingJson;
use super::json::Bytes;
use super::repair::{Outcome, warning_text};
use super::repair_json::RefusalJson;
use super::repair_rdb::{RdbRepair, refusal};
use crate::finding::KeyPlace;
use crate::job::heal::Healing;
use crate::job::repair_rdb::census::{Census, NAMED};
use crate::job::repair_rdb::plan::{Action, Rebuild};
use crate::job::repair_rdb::run::Done;
use crate::job::repair_rdb::sections::{Assumed, Nameless};
use crate::job::repair_rdb::survey::Gap;

/// Fields, for the manual.
pub(crate) const FIELDS: &[(&str, &str)] = &[
    ("format", "Of an RDB: rdb. The object has the fields that follow then."),
    (
        "action",
        "none, heal (bytes are changed as the checksum tells), cut-behind (what is behind its end goes) \
         or rebuild (a new file of what can be read).",
    ),
    (
        "healings",
        "Array of {offset, old, new, bits, flipped, by_chance, certain, part, key, db, rdb_type, \
         element}: changes that make the checksum right, old and new in hex; bits from the first that \
         changes to the last; by_chance, how many changes as short are to be expected in a file \
         damaged otherwise; and where in the data it is.",
    ),
    ("kept_keys", "Keys that stay."),
    ("stated_keys", "Keys that the file says it had, where it does."),
    (
        "suspect",
        "{count, keys}: keys that may not be what they were, being beside a gap, or of a name that is no text \
         where nearly all others are.",
    ),
    (
        "lost",
        "{bytes, keys, records, gaps}: what goes; records, an array of {offset, len, finding} of those \
         that are left out while their neighbours stay; gaps, the same of bytes that cannot be read, with \
         given_up where not all of them could be searched for records.",
    ),
    (
        "assumed_dbs",
        "Array of {db, offset, keys}: so many keys from there on may be of another database.",
    ),
    (
        "unknown_dbs",
        "Array of {offset, len, keys, from, below}: keys that are left out, as the number of their \
         database is lost. It is from or above it, and below below. --unknown-db N keeps them.",
    ),
    ("new_header", "The first nine bytes, where they had to be made up."),
    (
        "vouched_for",
        "Whether a checksum vouches for what stays. Where none does, outcome is salvaged and the file \
         suspect.",
    ),
    ("damage", "Findings in the file as it is."),
    ("lost_folder", "The folder with the bytes that are lost."),
];

/// One object an RDB.
#[derive(Debug, Serialize)]
pub(crate) struct RdbRepairJson<'a> {
    file: Bytes<'a>,
    format: &'static str,
    outcome: &'static str,
    action: &'static str,
    healings: Vec<HealingJson<'a>>,
    #[serde(flatten)]
    rebuild: RebuildJson<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_header: Option<Bytes<'a>>,
    vouched_for: bool,
    damage: Vec<FindingJson<'a>>,
    refusals: Vec<RefusalJson>,
    written: Vec<Bytes<'a>>,
    backups: Vec<Bytes<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost_folder: Option<Bytes<'a>>,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct HealingJson<'a> {
    offset: u64,
    old: String,
    new: String,
    bits: u32,
    flipped: u32,
    by_chance: f64,
    certain: bool,
    part: &'static str,
    #[serde(flatten)]
    key: Option<KeyJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    element: Option<Bytes<'a>>,
}

#[derive(Debug, Serialize)]
struct KeyJson<'a> {
    key: Bytes<'a>,
    db: u64,
    rdb_type: &'static str,
}

#[derive(Debug, Serialize)]
struct KeysJson<'a> {
    count: u64,
    keys: Vec<KeyJson<'a>>,
}

#[derive(Debug, Serialize)]
struct LostJson<'a> {
    bytes: u64,
    keys: u64,
    records: Vec<SpanJson<'a>>,
    gaps: Vec<SpanJson<'a>>,
}

#[derive(Debug, Serialize)]
struct SpanJson<'a> {
    offset: u64,
    len: u64,
    finding: FindingJson<'a>,
    /// Of a gap: it may have more records, as the search in it was given up.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    given_up: bool,
}

#[derive(Debug, Serialize)]
struct AssumedJson {
    db: u64,
    offset: u64,
    keys: u64,
}

#[derive(Debug, Serialize)]
struct NamelessJson {
    offset: u64,
    len: u64,
    keys: u64,
    from: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    below: Option<u64>,
}

/// What is kept of an RDB that is written anew.
#[derive(Debug, Serialize)]
pub(crate) struct RebuildJson<'a> {
    kept_keys: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    stated_keys: Option<u64>,
    suspect: KeysJson<'a>,
    lost: LostJson<'a>,
    assumed_dbs: Vec<AssumedJson>,
    unknown_dbs: Vec<NamelessJson>,
}

impl<'a> RebuildJson<'a> {
    /// Of what is kept, and bytes behind its end that are not.
    fn of(kept_keys: u64, census: &'a Census, behind: u64) -> Self {
        let named = census.suspect.named.iter();
        RebuildJson {
            kept_keys,
            stated_keys: census.stated,
            suspect: KeysJson {
                count: census.suspect.count,
                keys: named.map(KeyJson::new).collect(),
            },
            lost: LostJson::new(census, behind),
            assumed_dbs: assumed(census),
            unknown_dbs: nameless(census),
        }
    }

    /// Of an RDB that an AOF begins with.
    pub(crate) fn new(rebuild: &'a Rebuild) -> Self {
        RebuildJson::of(rebuild.census.kept, &rebuild.census, 0)
    }
}

impl<'a> RdbRepairJson<'a> {
    /// Of a repair.
    pub(crate) fn new(repair: &'a RdbRepair) -> Self {
        static NOTHING: Done = Done { written: None, lost: None };
        static NO_CENSUS: Census = Census::EMPTY;
        let plan = &repair.plan;
        let done = match &repair.outcome {
            Outcome::Done(done) => done,
            Outcome::Planned | Outcome::Refused => &NOTHING,
        };
        let (action, rebuild, chosen) = match &plan.action {
            Action::Nothing => ("none", None, None),
            Action::CutBehind(_) => ("cut-behind", None, None),
            Action::Heal(healing) => ("heal", None, Some(healing)),
            Action::Rebuild(rebuild) => ("rebuild", Some(rebuild), None),
        };
        let census = rebuild.map_or(&NO_CENSUS, |rebuild| &rebuild.census);
        let healings: Vec<_> = match chosen {
            Some(healing) => vec![HealingJson::new(healing)],
            None => plan.healed.found.iter().map(HealingJson::new).collect(),
        };
        let behind = match plan.action {
            Action::CutBehind(at) => plan.seen.size.saturating_sub(at),
            _ => 0,
        };
        let written = done.written.iter();
        RdbRepairJson {
            file: Bytes(plan.path.as_os_str().as_encoded_bytes()),
            format: "rdb",
            outcome: repair.word(),
            action,
            healings,
            rebuild: RebuildJson::of(
                rebuild.map_or(plan.keys, |rebuild| rebuild.census.kept),
                census,
                behind,
            ),
            new_header: rebuild
                .filter(|rebuild| rebuild.is_header_new)
                .map(|rebuild| Bytes(&rebuild.header.bytes)),
            vouched_for: rebuild.is_none_or(|rebuild| rebuild.is_as_written),
            damage: plan.damage.iter().take(NAMED).map(FindingJson::new).collect(),
            refusals: plan
                .refusals
                .iter()
                .map(refusal)
                .map(|(why, allowed_by)| RefusalJson { why, allowed_by })
                .collect(),
            written: written.clone().map(|file| name(&file.path)).collect(),
            backups: written.clone().filter_map(|file| file.backup.as_deref()).map(name).collect(),
            lost_folder: done.lost.as_ref().map(|(folder, _)| name(folder)),
            warnings: written.flat_map(|file| &file.warnings).map(warning_text).collect(),
        }
    }
}

fn name(path: &std::path::Path) -> Bytes<'_> {
    Bytes(path.as_os_str().as_encoded_bytes())
}

fn assumed(census: &Census) -> Vec<AssumedJson> {
    let assumed = census.assumed.iter().take(NAMED);
    let json = |a: &Assumed| AssumedJson { db: a.db, offset: a.span.start, keys: a.keys };
    assumed.map(json).collect()
}

fn nameless(census: &Census) -> Vec<NamelessJson> {
    let nameless = census.nameless.iter().take(NAMED);
    let json = |n: &Nameless| NamelessJson {
        offset: n.span.start,
        len: n.span.end - n.span.start,
        keys: n.keys,
        from: n.from,
        below: n.below,
    };
    nameless.map(json).collect()
}

impl<'a> HealingJson<'a> {
    /// Of a healing.
    pub(crate) fn new(healing: &'a Healing) -> Self {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        HealingJson {
            offset: healing.patch.offset,
            old: hex(&healing.patch.old),
            new: hex(&healing.patch.new),
            bits: healing.bits,
            flipped: healing.flipped,
            by_chance: healing.by_chance,
            certain: healing.is_certain(),
            part: healing.place.part,
            key: healing.place.key.as_ref().map(KeyJson::new),
            element: healing.place.element.as_deref().map(Bytes),
        }
    }
}

impl<'a> KeyJson<'a> {
    fn new(key: &'a KeyPlace) -> Self {
        KeyJson { key: Bytes(&key.key), db: key.db, rdb_type: key.type_name }
    }
}

impl<'a> LostJson<'a> {
    fn new(census: &'a Census, behind: u64) -> Self {
        let span = |span: &std::ops::Range<u64>, why| SpanJson {
            offset: span.start,
            len: span.end - span.start,
            finding: FindingJson::new(why),
            given_up: false,
        };
        let gap =
            |gap: &'a Gap| SpanJson { given_up: gap.is_given_up, ..span(&gap.span, &gap.why) };
        let lost = census.lost.iter();
        LostJson {
            bytes: census.bytes_lost() + behind,
            keys: census.keys_lost(),
            records: lost.take(NAMED).map(|lost| span(&lost.span, &lost.why)).collect(),
            gaps: census.gaps.iter().take(NAMED).map(gap).collect(),
        }
    }
}
