//! What `seal`, its `--verify`, and a repair by a seal say.
//!
//! ```text
//! dump.rdb: SEALED — 209 KiB in 14 blocks, dump.rdb.seal of 152 B
//! dump.rdb: OK — 209 KiB as they were sealed; 12 B were written behind since
//! dump.rdb: DAMAGED — 1 of 14 blocks is not as it was sealed
//!   1 flipped bit at 0x2e22 (11810), in key "hash:ht": rdbtool repair heals it
//!   16 KiB at 0x4000 (16384): other bytes, more than a short burst
//! ```

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::escape::{path, sentence};
use super::facts::offset;
use super::json::Bytes;
use super::repair::warnings;
use super::repair_rdb::{change, hex};
use super::screen::Screen;
use super::size::{bytes, count, counted};
use crate::finding::plural;
use crate::job::seal::find::{Damage, Survey, things};
use crate::job::seal::{Beside, Made, Standing, Verdict};
use crate::persist::replace::Replaced;

/// Fields of `--json`.
pub(crate) const FIELDS: &[(&str, &str)] = &[
    ("path", "The file."),
    (
        "verdict",
        "Of seal: sealed. Of --verify: same; grown, if more was written behind; damaged; shorter; other, if the \
         file was written anew since; unusable, if the seal is not to be believed; unsealed.",
    ),
    (
        "size, sealed, block_size, blocks",
        "Bytes of the file, of them sealed, of a block, and how many blocks.",
    ),
    ("seal_size", "Bytes of the seal that was written."),
    (
        "damaged",
        "Array of {offset, length, heals, in}: a block that is not as it was sealed; heals, where a short burst \
         explains that, is {offset, old, new, flipped}, bytes in hexadecimal; in is what lies there.",
    ),
    ("repaired", "Of a repair by a seal: whether it was done; else it is a plan."),
    ("proven", "The checksum of the whole fits, once all of damaged is healed."),
    ("why", "Why a seal is unusable."),
];

/// What became of a file that was to be healed by its seal.
#[derive(Debug)]
pub(crate) struct Mending<'a> {
    pub(crate) path: &'a Path,
    pub(crate) survey: &'a Survey,
    /// The file that was written; none if only the plan was asked for.
    pub(crate) written: Option<&'a Replaced>,
}

/// Says what was sealed.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn made(out: &mut dyn Write, of: &Path, made: &Made, screen: &Screen) -> io::Result<()> {
    let Made { size, blocks, written } = made;
    let style = screen.good;
    let (len, blocks) = (bytes(*size), counted(*blocks, "block"));
    let seal = format!("{} of {}", path(&written.path), bytes(written.size));
    screen.prose(
        out,
        2,
        &format!("{}: {style}SEALED{style:#} — {len} in {blocks}, {seal}", path(of)),
    )
}

/// Says how a file stands to its seal.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn standing(
    out: &mut dyn Write,
    of: &Path,
    survey: &Survey,
    quiet: bool,
    screen: &Screen,
) -> io::Result<()> {
    let (word, style, what) = match &survey.beside {
        Beside::Nothing => ("NOT SEALED", screen.warning, "no seal lies beside it".to_owned()),
        Beside::Unusable(why) => ("UNVERIFIED", screen.error, format!("its seal: {why}")),
        Beside::Seal(standing) => verdict(standing, screen),
    };
    screen.prose(out, 2, &format!("{}: {style}{word}{style:#} — {what}", path(of)))?;
    if quiet {
        return Ok(());
    }
    blocks(out, survey, screen)
}

fn verdict(standing: &Standing, screen: &Screen) -> (&'static str, anstyle::Style, String) {
    let (sealed, size) = (standing.seal.len, standing.size);
    let differ = standing.damaged.len() as u64;
    let all = count(standing.seal.sums.len() as u64);
    let is = if differ == 1 { "is not as it was" } else { "are not as they were" };
    let touched = match standing.is_newer {
        true => "; the file was written to after it was sealed",
        false => "",
    };
    match standing.verdict() {
        Verdict::Same => ("OK", screen.good, format!("{} as they were sealed", bytes(sealed))),
        Verdict::Grown => {
            let more = bytes(size - sealed);
            let text =
                format!("{} as they were sealed; {more} were written behind since", bytes(sealed));
            ("OK", screen.good, text)
        }
        Verdict::Shorter => {
            let gone = bytes(sealed - size);
            let text =
                format!("{gone} of {} that were sealed are gone from its end", bytes(sealed));
            ("DAMAGED", screen.error, text)
        }
        Verdict::Damaged => (
            "DAMAGED",
            screen.error,
            format!("{} of {all} blocks {is} sealed{touched}", count(differ)),
        ),
        Verdict::Other => {
            let text = "it was written anew since; this seal says nothing of it";
            ("UNVERIFIED", screen.warning, text.to_owned())
        }
    }
}

/// Blocks that are told one by one.
const SHOWN: usize = 20;

fn blocks(out: &mut dyn Write, survey: &Survey, screen: &Screen) -> io::Result<()> {
    for damage in survey.damage.iter().take(SHOWN) {
        screen.prose(out, 4, &format!("  {}", block(damage)))?;
    }
    let all = survey.cure.mended.len() + survey.cure.beyond.len();
    let more = all.saturating_sub(survey.damage.len().min(SHOWN));
    if more > 0 {
        writeln!(out, "  … and {} more", counted(more as u64, "block"))?;
    }
    Ok(())
}

fn block(damage: &Damage) -> String {
    let things = things(&damage.inside);
    let things = sentence(&things);
    match &damage.mended {
        Some(mended) => {
            let bits = u64::from(mended.flipped);
            let (at, patch) = (offset(mended.patch.offset), &mended.patch);
            let (old, new) = (hex(&patch.old), hex(&patch.new));
            format!(
                "{bits} flipped {} at {at}{things}: {old} was {new}; rdbtool repair heals it",
                plural(bits, "bit")
            )
        }
        None => {
            let (at, len) = (offset(damage.span.start), damage.span.end - damage.span.start);
            format!("{} at {at}{things}: other bytes, more than a short burst", bytes(len))
        }
    }
}

/// Says what a repair by a seal did, or would do.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn mending(
    out: &mut dyn Write,
    mending: &Mending<'_>,
    quiet: bool,
    screen: &Screen,
) -> io::Result<()> {
    let Mending { path: of, survey, written } = mending;
    let cure = &survey.cure;
    let (word, would) = match written {
        Some(_) => ("REPAIRED", "healed by the seal beside it"),
        None => ("TO BE REPAIRED", "the seal beside it heals it"),
    };
    let rest = match (cure.is_proven, cure.beyond.len() as u64) {
        (true, _) => "all is as it was sealed then".to_owned(),
        (false, beyond) => format!("{} beyond that stay as they are", counted(beyond, "block")),
    };
    let style = if cure.is_proven { screen.good } else { screen.warning };
    let blocks_healed = counted(cure.mended.len() as u64, "block");
    let text = format!("{}: {style}{word}{style:#} — {would}: {blocks_healed}; {rest}", path(of));
    screen.prose(out, 2, &text)?;
    if quiet {
        return Ok(());
    }
    for damage in survey.damage.iter().filter(|damage| damage.mended.is_some()).take(SHOWN) {
        let Some(mended) = &damage.mended else { continue };
        let things = things(&damage.inside);
        let line = format!("  change {}{}", change(&mended.patch), sentence(&things));
        screen.prose(out, 4, &line)?;
    }
    if let Some(written) = written {
        if let Some(backup) = &written.backup {
            screen.prose(out, 4, &format!("  backup: {}", path(backup)))?;
        }
        warnings(out, &written.warnings, screen)?;
    }
    if !cure.is_proven {
        screen.prose(out, 4, "  run rdbtool repair again for what is still damaged")?;
    }
    Ok(())
}

/// A line of `--json`.
#[derive(Debug, Serialize)]
pub(crate) struct SealJson<'a> {
    path: Bytes<'a>,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    block_size: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocks: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seal_size: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    damaged: Vec<DamageJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proven: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repaired: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

#[derive(Debug, Serialize)]
struct DamageJson<'a> {
    offset: u64,
    length: u64,
    heals: Option<HealsJson>,
    #[serde(rename = "in")]
    inside: Bytes<'a>,
}

#[derive(Debug, Serialize)]
struct HealsJson {
    offset: u64,
    old: String,
    new: String,
    flipped: u32,
}

impl<'a> SealJson<'a> {
    fn of(path: &'a Path, verdict: &'static str) -> SealJson<'a> {
        SealJson {
            path: Bytes(path.as_os_str().as_encoded_bytes()),
            verdict,
            size: None,
            sealed: None,
            block_size: None,
            blocks: None,
            seal_size: None,
            damaged: Vec::new(),
            proven: None,
            repaired: None,
            why: None,
        }
    }

    /// Of a file that was sealed.
    pub(crate) fn made(path: &'a Path, made: &Made) -> SealJson<'a> {
        let (size, seal_size) = (Some(made.size), Some(made.written.size));
        let blocks = Some(made.blocks);
        SealJson { size, sealed: size, blocks, seal_size, ..SealJson::of(path, "sealed") }
    }

    /// The same of a file that was or would be repaired.
    pub(crate) fn mending(mending: &Mending<'a>, insides: &'a [String]) -> SealJson<'a> {
        let Mending { path, survey, written } = mending;
        let repaired = Some(written.is_some());
        SealJson { repaired, ..SealJson::standing(path, survey, insides) }
    }

    /// Of a file and its seal. `insides` are what lies in each damaged block ([`insides`]).
    pub(crate) fn standing(path: &'a Path, survey: &Survey, insides: &'a [String]) -> SealJson<'a> {
        let standing = match &survey.beside {
            Beside::Nothing => return SealJson::of(path, "unsealed"),
            Beside::Unusable(why) => {
                return SealJson { why: Some(why.to_string()), ..SealJson::of(path, "unusable") };
            }
            Beside::Seal(standing) => standing,
        };
        let verdict = standing.verdict();
        let damaged = survey.damage.iter().zip(insides).map(|(damage, inside)| DamageJson {
            offset: damage.span.start,
            length: damage.span.end - damage.span.start,
            heals: damage.mended.as_ref().map(|mended| HealsJson {
                offset: mended.patch.offset,
                old: hex(&mended.patch.old),
                new: hex(&mended.patch.new),
                flipped: mended.flipped,
            }),
            inside: Bytes(inside.as_bytes()),
        });
        SealJson {
            size: Some(standing.size),
            sealed: Some(standing.seal.len),
            block_size: Some(standing.seal.block),
            blocks: Some(standing.seal.sums.len() as u64),
            damaged: damaged.collect(),
            proven: (verdict == Verdict::Damaged).then_some(survey.cure.is_proven),
            ..SealJson::of(path, verdict.as_str())
        }
    }
}

/// What lies in each damaged block, in words.
pub(crate) fn insides(survey: &Survey) -> Vec<String> {
    let inside = |damage: &Damage| things(&damage.inside).trim_start_matches(", in ").to_owned();
    survey.damage.iter().map(inside).collect()
}
