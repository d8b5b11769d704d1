//! What a repair would do, as data: made from what checks found, printed by `--dry-run`, carried out by
//! [`super::run`]. Nothing here touches a file.
//!
//! An AOF is a prefix of what a server wrote, over all of its parts. A repair makes that prefix end where
//! it is still sound: it cuts one part, and what follows that part goes too, or stays on request, with a
//! gap before it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use super::found::{Mend, Several};
use super::loss::Loss;
use super::salvage::Salvage;
use crate::finding::Finding;
use crate::job::heal::Healing;
use crate::persist::fs::{File, Stat};
use crate::persist::overlay::Overlay;

/// What a part is to its AOF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The whole AOF is this one file.
    Whole,
    /// The base of a multi-part AOF.
    Base,
    /// Commands since.
    Incr,
}

/// Why a part is cut or left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// This is wrong with it.
    Damage(Finding),
    /// What is behind a time is not wanted: this one, in Unix seconds.
    Later(i64),
    /// There is no such file.
    Missing,
    /// A part before it is cut.
    AfterCut,
}

/// A place where a part may be cut, and why it must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutAt {
    /// Bytes that stay.
    pub offset: u64,
    /// Why.
    pub reason: Reason,
    /// What goes.
    pub lost: Loss,
}

/// A part of an AOF, and what was found in it.
#[derive(Debug, Clone)]
pub struct Part {
    /// The file.
    pub path: PathBuf,
    /// Its name in its folder.
    pub name: OsString,
    /// What it is.
    pub role: Role,
    /// The file as it was when it was read; `None` if there is none.
    pub seen: Option<Stat>,
    /// Commands that can be read in it before any damage.
    pub commands: u64,
    /// Keys of its preamble.
    pub keys: u64,
    /// Where its commands begin.
    pub start: u64,
    /// It is an RDB, with nothing behind it that could be a command.
    pub is_rdb: bool,
    /// What makes the checksum of the RDB that it begins with right. All else is of the healed file.
    pub healing: Option<Healing>,
    /// Bytes that are changed. All else is of the mended file.
    pub mends: Vec<Mend>,
    /// Faults that several changes would mend, so that none is made.
    pub several: Vec<Several>,
    /// What is left of it without what is damaged, if that is asked for.
    pub salvage: Option<Box<Salvage>>,
    /// Where it must be cut.
    pub cut: Option<CutAt>,
    /// What is wrong with it that cutting does not help, or only at a loss that nobody agreed to.
    pub left: Vec<Finding>,
}

impl Part {
    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.seen.map_or(0, |seen| seen.size)
    }

    /// The file with the bytes that are changed.
    pub fn mended(&self, file: &Arc<dyn File>) -> Arc<dyn File> {
        let healing = self.healing.iter().map(|healing| &healing.patch);
        let all = healing.chain(self.mends.iter().map(|mend| &mend.patch));
        Overlay::over(file.clone(), all.map(|patch| (patch.offset, patch.new.clone())).collect())
    }

    /// Commands in it once it is repaired.
    fn kept_commands(&self) -> u64 {
        if let Some(salvage) = &self.salvage {
            return salvage.kept.commands;
        }
        let lost = self.cut.as_ref().map_or(0, |cut| cut.lost.before_damage);
        self.commands.saturating_sub(lost)
    }

    /// Whether it holds no data once it is cut.
    fn kept_is_nothing(&self) -> bool {
        let cut_preamble = self.cut.as_ref().is_some_and(|cut| cut.offset < self.start);
        self.kept_commands() == 0 && (self.keys == 0 || cut_preamble)
    }
}

/// What becomes of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It stays as it is.
    Stays,
    /// Some bytes are put right.
    IsHealed,
    /// What is damaged is left out.
    IsSalvaged,
    /// It is cut.
    IsCut(CutAt),
    /// It is no longer part of the AOF; the file itself stays where it is.
    IsDropped(Reason, Loss),
}

/// A part and what becomes of it.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The part.
    pub part: Part,
    /// What becomes of it.
    pub fate: Fate,
}

impl Planned {
    /// What a salvage leaves out.
    pub fn salvaged(&self) -> Loss {
        self.part.salvage.as_ref().map_or_else(Loss::default, |salvage| salvage.lost())
    }

    /// Whether an RDB is at its beginning once it is repaired.
    pub fn begins_with_rdb(&self) -> bool {
        let is_left_out = |salvage: &Salvage| {
            let is_first = salvage.gaps.first().is_some_and(|(gap, _)| gap.span.start == 0);
            salvage.rdb.is_none() && is_first
        };
        let is_gone = self.part.salvage.as_ref().is_some_and(|salvage| is_left_out(salvage));
        self.part.start > 0 && !is_gone
    }

    /// Bytes that stay.
    pub fn kept(&self) -> u64 {
        let salvaged = || self.part.salvage.as_ref().map_or(0, |salvage| salvage.kept.size());
        match &self.fate {
            Fate::Stays | Fate::IsHealed => self.part.size(),
            Fate::IsSalvaged => salvaged(),
            Fate::IsCut(cut) => cut.offset,
            Fate::IsDropped(..) => 0,
        }
    }
}

/// Why a plan is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing would be left of the AOF. Agreed to by accepting loss.
    Everything,
    /// Nothing would be left of a part that has sound commands behind its damage. Agreed to by accepting
    /// loss.
    WholePart(PathBuf),
    /// Whole parts behind the damage would be lost: so many, with so much. Agreed to by accepting loss, or
    /// avoided by keeping them.
    LaterParts(usize, Loss),
    /// The base is damaged or missing, so that nothing behind it means anything.
    Base(PathBuf),
    /// There is nothing from before the time that was asked for.
    NothingBefore,
    /// No part has a timestamp.
    NoTimes,
    /// Only what a checksum proves was asked for, and that is no cut.
    Strict,
    /// A record beyond the limits, which may well be sound.
    Limit(Finding),
}

/// What loss the user agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Consent {
    /// Any.
    pub accept_loss: bool,
    /// Parts behind the damage stay, with a gap before them.
    pub keep_later: bool,
}

/// What is to be done.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The parts in the order of loading.
    pub parts: Vec<Planned>,
    /// Why it is not to be done.
    pub refusals: Vec<Refusal>,
}

impl Plan {
    /// Decides what becomes of the parts. `whole` counts what is in a part that is to be left out.
    ///
    /// # Errors
    /// Those of `whole`.
    pub fn of<E>(
        parts: Vec<Part>,
        consent: Consent,
        whole: impl Fn(&Part) -> Result<Loss, E>,
    ) -> Result<Plan, E> {
        let first = parts.iter().position(|part| part.cut.is_some()).unwrap_or(parts.len());
        let later = parts.get(first + 1..).unwrap_or_default();
        let drops_later = !consent.keep_later && later.iter().any(|part| !part.kept_is_nothing());
        let mut plan = Plan::default();
        for (index, part) in parts.into_iter().enumerate() {
            let fate = match &part.cut {
                _ if index > first && drops_later => {
                    Fate::IsDropped(Reason::AfterCut, whole(&part)?)
                }
                Some(cut) if part.seen.is_none() => {
                    Fate::IsDropped(cut.reason.clone(), cut.lost.clone())
                }
                Some(cut) => Fate::IsCut(cut.clone()),
                None if part.salvage.as_ref().is_some_and(|found| !found.is_whole()) => {
                    Fate::IsSalvaged
                }
                None if part.healing.is_some() || !part.mends.is_empty() => Fate::IsHealed,
                None => Fate::Stays,
            };
            plan.parts.push(Planned { part, fate });
        }
        plan.refuse(consent);
        Ok(plan)
    }

    fn refuse(&mut self, consent: Consent) {
        if self.has_nothing_to_do() {
            return;
        }
        let is_later = matches!(self.reason(), Some(Reason::Later(_)));
        if is_later && !self.keeps_data() {
            self.refusals = vec![Refusal::NothingBefore];
            return;
        }
        let is_lost = |planned: &&Planned| {
            let Planned { part, fate } = planned;
            part.role == Role::Base && *fate != Fate::Stays && part.kept_is_nothing()
        };
        let bases = self.parts.iter().filter(is_lost).map(|p| Refusal::Base(p.part.path.clone()));
        let mut refusals: Vec<_> = bases.collect();
        if refusals.is_empty() && !consent.accept_loss {
            refusals = self.loss_refusals(consent);
        }
        self.refusals = refusals;
    }

    /// Whether there is data in what stays.
    fn keeps_data(&self) -> bool {
        self.parts.iter().any(|planned| {
            !matches!(planned.fate, Fate::IsDropped(..)) && !planned.part.kept_is_nothing()
        })
    }

    /// What nobody agreed to lose.
    fn loss_refusals(&self, consent: Consent) -> Vec<Refusal> {
        if !self.keeps_data() {
            return vec![Refusal::Everything];
        }
        let mut refusals = Vec::new();
        let (mut dropped, mut lost) = (0, Loss::default());
        for Planned { part, fate } in &self.parts {
            match fate {
                Fate::IsDropped(Reason::Missing, _) if consent.keep_later => {}
                Fate::IsDropped(_, loss) => {
                    dropped += 1;
                    lost.add(loss);
                }
                Fate::IsSalvaged if part.kept_is_nothing() && part.role != Role::Whole => {
                    refusals.push(Refusal::WholePart(part.path.clone()));
                }
                Fate::IsCut(cut) if part.kept_is_nothing() && cut.lost.commands > 0 => {
                    refusals.push(Refusal::WholePart(part.path.clone()));
                }
                _ => {}
            }
        }
        if dropped > 0 {
            refusals.push(Refusal::LaterParts(dropped, lost));
        }
        refusals
    }

    /// Whether all parts stay as they are.
    pub fn has_nothing_to_do(&self) -> bool {
        self.parts.iter().all(|planned| planned.fate == Fate::Stays)
    }

    /// Whether it may be carried out.
    pub fn is_agreed(&self) -> bool {
        self.refusals.is_empty()
    }

    /// Commands that stay and are suspect, over all parts.
    pub fn suspects(&self) -> u64 {
        let kept = self.parts.iter().filter(|planned| !matches!(planned.fate, Fate::IsDropped(..)));
        let salvages = kept.filter_map(|planned| planned.part.salvage.as_ref());
        salvages.map(|salvage| salvage.kept.suspects).sum()
    }

    /// Whether some part is left without what is damaged in it, so that nothing vouches for what it says.
    pub fn is_salvage(&self) -> bool {
        self.parts.iter().any(|planned| planned.fate == Fate::IsSalvaged)
    }

    /// Whether parts leave the AOF, so that its manifest changes.
    pub fn drops_parts(&self) -> bool {
        self.parts.iter().any(|planned| matches!(planned.fate, Fate::IsDropped(..)))
    }

    /// What goes, over all parts.
    pub fn lost(&self) -> Loss {
        let mut lost = Loss::default();
        for planned in &self.parts {
            match &planned.fate {
                Fate::Stays | Fate::IsHealed => {}
                Fate::IsSalvaged => lost.add(&planned.salvaged()),
                Fate::IsCut(CutAt { lost: more, .. }) | Fate::IsDropped(_, more) => lost.add(more),
            }
        }
        lost
    }

    /// Commands that stay, over all parts.
    pub fn kept_commands(&self) -> u64 {
        let kept = self.parts.iter().filter(|planned| !matches!(planned.fate, Fate::IsDropped(..)));
        kept.map(|planned| planned.part.kept_commands()).sum()
    }

    /// Why the first part that changes does.
    pub fn reason(&self) -> Option<&Reason> {
        self.parts.iter().find_map(|planned| match &planned.fate {
            Fate::Stays | Fate::IsHealed | Fate::IsSalvaged => None,
            Fate::IsCut(cut) => Some(&cut.reason),
            Fate::IsDropped(reason, _) => Some(reason),
        })
    }

    /// What is wrong and stays so.
    pub fn left(&self) -> impl Iterator<Item = (&Part, &Finding)> {
        let stays = self.parts.iter().filter(|p| !matches!(p.fate, Fate::IsDropped(..)));
        stays.flat_map(|planned| planned.part.left.iter().map(|left| (&planned.part, left)))
    }
}
