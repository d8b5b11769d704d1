//! What a survey of the commands of a part finds.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::kept::{Doubt, Kept, Suspect};
use crate::finding::{Code, Finding};
use crate::job::commands::{Known, look};
use crate::job::heal::Patch;
use crate::limits::Limits;
use crate::persist::fs::File;

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Up to what cannot be mended.
    Mend,
    /// To the end.
    Salvage,
}

/// The commands of a part.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The file.
    pub file: &'a Arc<dyn File>,
    /// Its path, for messages.
    pub path: &'a Path,
    /// Bytes of it.
    pub size: u64,
    /// Where its commands begin.
    pub start: u64,
    /// Bounds.
    pub limits: Limits,
}

/// Bytes that are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The bytes.
    pub span: Range<u64>,
    /// What is wrong where it begins.
    pub why: Finding,
    /// The search for commands in it was given up: there may be more.
    pub is_given_up: bool,
}

/// A change of one byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mend {
    /// The change.
    pub patch: Patch,
    /// The command that it is in, once it is made.
    pub command: Suspect,
}

/// Changes of one byte that would each mend something: which one is right nobody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Several {
    /// What is wrong.
    pub at: u64,
    /// The changes.
    pub changes: Vec<Patch>,
}

/// What there is.
#[derive(Debug, Default)]
pub struct Found {
    /// What is kept.
    pub kept: Kept,
    /// What is not, in the order of the file.
    pub gaps: Vec<Gap>,
    /// What is changed.
    pub mends: Vec<Mend>,
    /// What might be.
    pub several: Vec<Several>,
}

impl Found {
    /// Leaves bytes out. Gaps inside them are one with it, and so is one that it goes on from.
    pub(super) fn leave_out(&mut self, mut span: Range<u64>, why: Finding) {
        let gaps = &mut self.gaps;
        let (mut first, mut is_given_up) = (why, false);
        while let Some(last) = gaps.pop_if(|last| last.span.end >= span.start) {
            span.start = span.start.min(last.span.start);
            first = last.why;
            is_given_up |= last.is_given_up;
        }
        gaps.push(Gap { span, why: first, is_given_up });
    }

    /// The same, of bytes of which not all were searched.
    pub(super) fn give_up(&mut self, span: Range<u64>, why: Finding) {
        self.leave_out(span, why);
        self.gaps.iter_mut().last().into_iter().for_each(|gap| gap.is_given_up = true);
    }

    /// The same of all that is left, where commands were begun again too often.
    pub(super) fn give_up_rest(&mut self, span: Range<u64>) {
        let found = "more beginnings of transactions than can be followed";
        let why = Finding::new(Code::AofFormat, span.clone(), "commands", found);
        self.give_up(span, why);
    }
}

/// What can be said of a command by its arguments.
pub(super) fn told(offset: u64, db: u64, args: &[&[u8]], doubt: Doubt) -> Suspect {
    let key = match look(args) {
        Known::Yes(row) => row.key_positions(args).first().copied(),
        _ => None,
    };
    let word = |at: usize| args.get(at).map(|arg| arg.to_vec());
    let name = word(0).unwrap_or_default();
    Suspect { offset, db, name, key: word(key.unwrap_or(1)), doubt }
}
