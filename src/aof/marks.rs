//! What cutting has found in a chunk: where each record ends and where its arguments lie. Commands carry no
//! length of their own, so to find the end of one is to read all of its lines; who reads the chunk need not
//! do that again.

use crate::encoding::resp::Odd;

/// Where some bytes lie in a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Position of the first.
    pub start: usize,
    /// How many.
    pub len: usize,
}

impl Place {
    /// The place of `part` in `whole`, of which it is a slice.
    #[inline]
    pub fn of(part: &[u8], whole: &[u8]) -> Place {
        let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
        Place { start, len: part.len() }
    }

    /// The bytes that lie there.
    #[inline]
    pub fn in_bytes(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start..self.start.wrapping_add(self.len)).unwrap_or_default()
    }
}

/// A record that was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// Position behind it.
    pub(super) end: usize,
    /// Places of arguments up to its last one.
    pub(super) args: usize,
    /// An annotation, whose text is its one argument.
    pub(super) is_annotation: bool,
}

/// The records of a chunk.
#[derive(Debug, Default)]
pub(super) struct Marks {
    pub(super) records: Vec<Mark>,
    pub(super) args: Vec<Place>,
    /// What is odd, by the number of its record.
    pub(super) odd: Vec<(usize, Vec<Odd>)>,
}

impl Marks {
    /// Forgets them.
    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.args.clear();
        self.odd.clear();
    }

    /// Forgets the arguments of a record that has no end.
    pub(super) fn undo(&mut self) {
        self.args.truncate(self.records.last().map_or(0, |mark| mark.args));
    }

    /// The record whose arguments were added ends here.
    #[inline]
    pub(super) fn close(&mut self, end: usize, is_annotation: bool, odd: &mut Vec<Odd>) {
        if !odd.is_empty() {
            self.odd.push((self.records.len(), std::mem::take(odd)));
        }
        self.records.push(Mark { end, args: self.args.len(), is_annotation });
    }
}
