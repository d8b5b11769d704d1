//! What a seal says of its file, as findings of a check.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::heal::{Cure, Mended, cure};
use super::place::{Inside, Thing, inside};
use super::{Beside, Standing, Subject, Verdict, stand};
use crate::encoding::seal::Seal;
use crate::error::{Error, Result};
use crate::finding::{Code, Excerpt, Finding, plural, shown};
use crate::limits::Limits;
use crate::persist::fs::{File, Fs, read_full_at};
use crate::persist::overlay::Overlay;

/// Bytes around a finding that are read for its excerpt.
const AROUND: u64 = 256;

/// A damaged block, what heals it, and what lies in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Damage {
    /// Where it lies.
    pub span: Range<u64>,
    /// What heals it.
    pub mended: Option<Mended>,
    /// What lies in it, or with what heals it in the bytes that change.
    pub inside: Inside,
}

/// Everything there is to say of a file and its seal.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    /// The seal.
    pub beside: Beside,
    /// Damaged blocks.
    pub damage: Vec<Damage>,
    /// What can be healed of it.
    pub cure: Cure,
}

/// Holds a file against its seal, if it has one.
///
/// # Errors
/// When one of the two cannot be read.
pub fn survey(fs: &dyn Fs, subject: &Subject, limits: Limits, jobs: usize) -> Result<Survey> {
    let beside = stand(fs, subject, jobs)?;
    let mut survey = Survey { beside, damage: Vec::new(), cure: Cure::default() };
    if let Beside::Seal(standing) = &survey.beside
        && standing.verdict() == Verdict::Damaged
    {
        let failed = |err| Error::io(&subject.path, "read", err);
        let cure = cure(subject, standing, jobs).map_err(failed)?;
        survey.damage = damage(subject, standing, &cure, limits).map_err(failed)?;
        survey.cure = cure;
    }
    Ok(survey)
}

fn damage(
    subject: &Subject,
    standing: &Standing,
    cure: &Cure,
    limits: Limits,
) -> std::io::Result<Vec<Damage>> {
    let healed = healed(&subject.file, cure);
    let mended = |number: &u64| {
        let at = cure.mended.binary_search_by_key(number, |mended| mended.block).ok()?;
        cure.mended.get(at)
    };
    let shown = standing.damaged.iter().take(limits.findings.max(1));
    let mut damage: Vec<Damage> = shown
        .map(|number| {
            let mended = mended(number).cloned();
            Damage { span: standing.span(*number), mended, inside: Inside::default() }
        })
        .collect();
    let spans: Vec<_> = damage.iter().map(Damage::exactly).collect();
    let found = inside(&healed, standing.size, &spans, limits)?;
    damage.iter_mut().zip(found).for_each(|(damage, inside)| damage.inside = inside);
    Ok(damage)
}

/// The file as it would be.
pub(super) fn healed(file: &Arc<dyn File>, cure: &Cure) -> Arc<dyn File> {
    let pieces = cure.mended.iter().map(|mended| (mended.patch.offset, mended.patch.new.clone()));
    Overlay::over(file.clone(), pieces.collect())
}

impl Damage {
    /// The bytes that are known to be others, or the block.
    pub fn exactly(&self) -> Range<u64> {
        match &self.mended {
            Some(Mended { patch, .. }) => patch.offset..patch.offset + patch.new.len() as u64,
            None => self.span.clone(),
        }
    }
}

/// What a check says of the seal beside a file: nothing if there is none, or if all is as it was sealed.
///
/// # Errors
/// When the file or its seal cannot be read.
pub fn findings(fs: &dyn Fs, path: &Path, limits: Limits, jobs: usize) -> Result<Vec<Finding>> {
    let Some(subject) = Subject::if_sealed(fs, path) else { return Ok(Vec::new()) };
    let survey = survey(fs, &subject, limits, jobs)?;
    let standing = match &survey.beside {
        Beside::Nothing => return Ok(Vec::new()),
        Beside::Unusable(why) => {
            let found = format!("a seal that is not believed: {why}");
            return Ok(vec![Finding::new(Code::SealUnusable, 0..0, "a seal", found)]);
        }
        Beside::Seal(standing) => standing,
    };
    let (seal, size) = (&standing.seal, standing.size);
    let sealed = format!("{} bytes as they were sealed", seal.len);
    Ok(match standing.verdict() {
        Verdict::Same | Verdict::Grown => Vec::new(),
        Verdict::Shorter => {
            vec![Finding::new(Code::SealShort, size..seal.len, sealed, format!("{size} bytes"))]
        }
        Verdict::Other => {
            let of = Seal::blocks(size.min(seal.len), seal.block);
            let found =
                format!("{} of {of} blocks are others, written since", standing.damaged.len());
            vec![Finding::new(Code::SealOther, 0..size, sealed, found)]
        }
        Verdict::Damaged => {
            survey.damage.iter().map(|damage| finding(damage, seal, &subject)).collect()
        }
    })
}

fn finding(damage: &Damage, seal: &Seal, subject: &Subject) -> Finding {
    let number = damage.span.start / u64::from(seal.block);
    let sum = usize::try_from(number).ok().and_then(|at| seal.sums.get(at)).copied();
    let expected = format!("a block of CRC-64/XZ {:016x}, as sealed", sum.unwrap_or_default());
    let what = match &damage.mended {
        Some(mended) => {
            let (bits, at) = (mended.flipped, mended.patch.offset);
            let bits = format!("{bits} flipped {} at {at:#x}", plural(u64::from(bits), "bit"));
            format!("{bits}: rdbtool repair heals it")
        }
        None => "other bytes, more than a short burst".to_owned(),
    };
    let span = damage.exactly();
    let found = format!("{what}{}", things(&damage.inside));
    let mut finding = Finding::new(Code::SealBlock, span.clone(), expected, found);
    finding.key = damage.inside.first.iter().find_map(|thing| match thing {
        Thing::Key(place) => Some(place.clone()),
        Thing::Command(..) => None,
    });
    let base = span.start.saturating_sub(AROUND);
    let mut bytes = vec![0; 2 * AROUND as usize];
    // An excerpt is a help, and what it is of was read a moment ago.
    let len = read_full_at(&*subject.file, &mut bytes, base).unwrap_or_default();
    finding.excerpt = Excerpt::around(bytes.get(..len).unwrap_or_default(), base, span.start);
    finding
}

/// The things in a block, for a sentence.
pub fn things(inside: &Inside) -> String {
    if inside.first.is_empty() {
        return String::new();
    }
    let names: Vec<String> = inside.first.iter().map(thing).collect();
    let more = inside.count.saturating_sub(names.len() as u64);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(", in {}{more}", names.join(", "))
}

fn thing(thing: &Thing) -> String {
    match thing {
        Thing::Key(place) => format!("key {}", shown(&place.key)),
        Thing::Command(name, db, key) => {
            let name = name.escape_ascii();
            let key = key.as_ref().map(|key| format!(" {}", shown(key))).unwrap_or_default();
            let db = if *db > 0 { format!(" of db {db}") } else { String::new() };
            format!("{name}{key}{db}")
        }
    }
}
