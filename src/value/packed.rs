//! A listpack that is changed in place: what small collections and the nodes of lists are.
//!
//! The bytes are those of an RDB's listpack (see [`crate::encoding::listpack`]), so loading one and
//! saving it is a copy. Behind them there may be room to grow; the header says where the listpack ends.
//! ```text
//! [ total u32 | count u16 | entry … | FF ] room …
//! ```
//! Positions are byte offsets of entries; a change makes those behind it invalid. Bytes that nobody
//! checked do no harm: where no entry can be read, the listpack ends.

use std::ops::Range;

use super::block;
use crate::encoding::Entry;
use crate::encoding::listpack::{
    BacklenWidth, append_entry, entry, entry_room, stored_as, stored_len,
};

/// Bytes before the first entry.
const HEADER: usize = 6;
/// The listpack without entries.
const EMPTY: [u8; 7] = [7, 0, 0, 0, 0, 0, 0xff];
/// A count in the header that says nothing.
const UNKNOWN: u16 = u16::MAX;

/// A listpack.
#[derive(Clone)]
pub struct Packed(Box<[u8]>);

impl Default for Packed {
    fn default() -> Self {
        Packed(EMPTY.into())
    }
}

impl Packed {
    /// An empty one.
    pub fn new() -> Packed {
        Packed::default()
    }

    /// One that lay in a file. Its header must state its size, or it is taken as empty; the entries
    /// should have been walked.
    pub fn from_blob(blob: impl Into<Box<[u8]>>) -> Packed {
        let blob = blob.into();
        let right = crate::encoding::listpack::header(&blob).is_ok();
        if right { Packed(blob) } else { Packed::default() }
    }

    /// One of these entries.
    pub fn of<'a>(entries: impl IntoIterator<Item = Entry<'a>>) -> Packed {
        let mut packed = Packed::new();
        let mut bytes = Vec::new();
        let mut count = 0;
        for entry in entries {
            append_entry(entry, BacklenWidth::Wide, &mut bytes);
            count += 1;
        }
        packed.splice(HEADER..HEADER, &bytes, 0, count);
        packed.shrink();
        packed
    }

    /// The listpack's bytes, for saving.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.get(..self.byte_len()).unwrap_or(&EMPTY)
    }

    /// How many bytes those are.
    pub fn byte_len(&self) -> usize {
        self.0.first_chunk().map_or(EMPTY.len(), |total| u32::from_le_bytes(*total) as usize)
    }

    /// Bytes on the heap.
    pub fn memory(&self) -> usize {
        block(self.0.len())
    }

    /// Entries.
    pub fn len(&self) -> usize {
        match self.0.get(4..HEADER) {
            Some(&[low, high]) if u16::from_le_bytes([low, high]) != UNKNOWN => {
                usize::from(u16::from_le_bytes([low, high]))
            }
            _ => self.iter().count(),
        }
    }

    /// No entries?
    pub fn is_empty(&self) -> bool {
        self.byte_len() <= EMPTY.len()
    }

    /// Position of the first entry (or of the end, if there is none).
    pub fn first(&self) -> usize {
        HEADER
    }

    /// Position behind the last entry.
    pub fn end(&self) -> usize {
        self.byte_len().saturating_sub(1)
    }

    /// The entry at `pos`, and the position of the next one; `None` at the end.
    pub fn at(&self, pos: usize) -> Option<(Entry<'_>, usize)> {
        let bytes = self.as_bytes();
        let rest = bytes.get(pos..).filter(|rest| rest.len() > 1)?;
        let (after, (entry, _)) = entry(rest).ok()?;
        Some((entry, bytes.len() - after.len()))
    }

    /// Position of the entry before `pos`; `None` at the beginning.
    pub fn before(&self, pos: usize) -> Option<usize> {
        // The back length is read from its last byte on, until one without the high bit.
        let bytes = self.as_bytes();
        let (mut size, mut at) = (0usize, pos);
        for shift in (0..35).step_by(7) {
            at = at.checked_sub(1).filter(|at| *at >= HEADER)?;
            let byte = bytes.get(at)?;
            size |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return at.checked_sub(size).filter(|start| *start >= HEADER);
            }
        }
        None
    }

    /// Position of the entry number `index`, from the nearer end.
    pub fn seek(&self, index: usize) -> Option<usize> {
        let len = self.len();
        if index >= len {
            return None;
        }
        if index <= len / 2 {
            return (0..index).try_fold(self.first(), |pos, _| Some(self.at(pos)?.1));
        }
        (index..len).try_fold(self.end(), |pos, _| self.before(pos))
    }

    /// The entries with their positions.
    pub fn positions(&self) -> impl Iterator<Item = (usize, Entry<'_>)> {
        let mut pos = HEADER;
        std::iter::from_fn(move || {
            let here = pos;
            let (entry, next) = self.at(here)?;
            pos = next;
            Some((here, entry))
        })
    }

    /// The entries.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        self.positions().map(|(_, entry)| entry)
    }

    /// The entries in groups of `N`: pairs of a hash or a zset, triples of a hash with field TTLs. An
    /// incomplete group at the end is left out.
    pub fn groups<const N: usize>(&self) -> impl Iterator<Item = (usize, [Entry<'_>; N])> {
        let mut entries = self.positions();
        std::iter::from_fn(move || {
            let (pos, first) = entries.next()?;
            let mut group = [first; N];
            for place in group.iter_mut().skip(1) {
                *place = entries.next()?.1;
            }
            Some((pos, group))
        })
    }

    /// Position of the first entry of a group of `N` whose first entry is `text`.
    pub fn find<const N: usize>(&self, text: &[u8]) -> Option<usize> {
        let is_wanted = stored_as(text);
        let bytes = self.as_bytes();
        let mut pos = HEADER;
        loop {
            let rest = bytes.get(pos..)?;
            if is_wanted(rest) {
                return Some(pos);
            }
            for _ in 0..N {
                pos += stored_len(bytes.get(pos..)?)?;
            }
        }
    }

    /// Puts entries in at `pos` (a position of an entry, or the end), and gives the position behind them.
    pub fn insert(&mut self, pos: usize, entries: &[Entry<'_>]) -> usize {
        self.replace(pos, 0, entries)
    }

    /// Puts an entry at the end.
    pub fn push(&mut self, entry: Entry<'_>) {
        self.insert(self.end(), &[entry]);
    }

    /// Takes `count` entries out at `pos`; what followed them is then at `pos`.
    pub fn remove(&mut self, pos: usize, count: usize) {
        self.replace(pos, count, &[]);
    }

    /// Puts entries in the place of the `count` entries at `pos`, and gives the position behind them.
    pub fn replace(&mut self, pos: usize, count: usize, entries: &[Entry<'_>]) -> usize {
        let mut bytes = Vec::with_capacity(entries.iter().map(entry_room).sum());
        entries.iter().for_each(|entry| append_entry(*entry, BacklenWidth::Wide, &mut bytes));
        let mut end = pos.clamp(HEADER, self.end());
        let start = end;
        let mut gone = 0;
        while let (true, Some((_, next))) = (gone < count, self.at(end)) {
            (end, gone) = (next, gone + 1);
        }
        self.splice(start..end, &bytes, gone, entries.len());
        start + bytes.len()
    }

    /// Splits before the entry at `pos`: that one and all behind it are in the answer.
    pub fn split_off(&mut self, pos: usize) -> Packed {
        let (start, end) = (pos.clamp(HEADER, self.end()), self.end());
        let mut count = 0;
        let mut at = start;
        while let Some((_, next)) = self.at(at) {
            (at, count) = (next, count + 1);
        }
        let mut tail = Packed::new();
        tail.splice(HEADER..HEADER, self.0.get(start..end).unwrap_or_default(), 0, count);
        tail.shrink();
        self.splice(start..end, &[], count, 0);
        self.shrink();
        tail
    }

    /// Puts all entries of another one behind those of this one.
    pub fn append(&mut self, other: &Packed) {
        let (end, entries) = (self.end(), other.as_bytes().get(HEADER..other.end()));
        self.splice(end..end, entries.unwrap_or_default(), 0, other.len());
    }

    /// Keeps the entries of which `keep` says so, and tells how many are gone.
    pub fn retain(&mut self, mut keep: impl FnMut(Entry<'_>) -> bool) -> usize {
        let (mut kept, mut gone) = (Vec::with_capacity(self.byte_len()), 0);
        let mut pos = HEADER;
        while let Some((entry, next)) = self.at(pos) {
            match keep(entry) {
                true => kept.extend_from_slice(self.0.get(pos..next).unwrap_or_default()),
                false => gone += 1,
            }
            pos = next;
        }
        if gone > 0 {
            self.splice(HEADER..self.end(), &kept, gone, 0);
        }
        gone
    }

    /// Makes room for so many bytes of entries more, which are about to come.
    pub fn reserve(&mut self, more: usize) {
        let wanted = self.byte_len() + more;
        if wanted > self.0.len() {
            self.resize(wanted);
        }
    }

    /// Gives back the room behind the listpack.
    pub fn shrink(&mut self) {
        if self.0.len() > self.byte_len() {
            self.resize(self.byte_len());
        }
    }

    /// Replaces bytes of entries, `gone` of them by `come`.
    fn splice(&mut self, range: Range<usize>, bytes: &[u8], gone: usize, come: usize) {
        let (total, count) = (self.byte_len(), self.len());
        let new_total = total - range.len() + bytes.len();
        if new_total > self.0.len() {
            // An eighth of room, so that pushing one by one copies each byte a few times only.
            self.resize(new_total + new_total / 8);
        }
        self.0.copy_within(range.end..total, range.start + bytes.len());
        if let Some(place) = self.0.get_mut(range.start..range.start + bytes.len()) {
            place.copy_from_slice(bytes);
        }
        let count = u16::try_from(count.saturating_sub(gone) + come).unwrap_or(UNKNOWN);
        if let Some((header, _)) = self.0.split_first_chunk_mut::<HEADER>() {
            let [a, b, c, d] = u32::try_from(new_total).unwrap_or(u32::MAX).to_le_bytes();
            let [low, high] = count.to_le_bytes();
            *header = [a, b, c, d, low, high];
        }
        if bytes.len() < range.len() && new_total < self.0.len() / 2 {
            self.resize(new_total);
        }
    }

    fn resize(&mut self, len: usize) {
        let mut bytes = std::mem::take(&mut self.0).into_vec();
        bytes.reserve_exact(len.saturating_sub(bytes.len()));
        bytes.resize(len, 0);
        self.0 = bytes.into();
    }
}

impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::encoding::listpack::{Entries, Writer};

    fn texts() -> Vec<Vec<u8>> {
        let mut texts: Vec<Vec<u8>> =
            ["", "a", "0", "127", "-1", "4095", "-4097", "70000", "8388608"]
                .iter()
                .map(|text| text.as_bytes().to_vec())
                .collect();
        texts.push(i64::MIN.to_string().into_bytes());
        texts
            .extend([63, 64, 126, 127, 128, 4095, 4096, 16_378, 16_380].map(|len| vec![b'x'; len]));
        texts
    }

    /// Random edits against a vector, the bytes against the writer's and the validating reader's.
    #[test]
    fn edits_like_a_vector() {
        let mut rng = fastrand::Rng::with_seed(3);
        let texts = texts();
        let (mut packed, mut model) = (Packed::new(), Vec::<Vec<u8>>::new());
        for _ in 0..4000 {
            let text = texts[rng.usize(..texts.len())].clone();
            let index = rng.usize(..=model.len());
            let pos = packed.seek(index).unwrap_or(packed.end());
            match rng.u8(..7) {
                0 | 1 => {
                    packed.insert(pos, &[Entry::from_text(&text)]);
                    model.insert(index, text);
                }
                2 => {
                    let count = rng.usize(..3).min(model.len() - index);
                    packed.remove(pos, count);
                    model.drain(index..index + count);
                }
                3 if index < model.len() => {
                    packed.replace(pos, 1, &[Entry::from_text(&text)]);
                    model[index] = text;
                }
                4 if model.len() > 30 => {
                    let tail = packed.split_off(pos);
                    assert_eq!(tail.len(), model.split_off(index).len());
                }
                5 if model.len() < 30 => {
                    let other = Packed::of(texts.iter().take(3).map(|text| Entry::from_text(text)));
                    packed.append(&other);
                    model.extend(texts.iter().take(3).cloned());
                }
                6 => {
                    let gone = packed.retain(|entry| entry != Entry::from_text(&text));
                    let before = model.len();
                    model.retain(|other| *other != text);
                    assert_eq!(gone, before - model.len());
                }
                _ => {}
            }
            let mut writer = Writer::new(BacklenWidth::Wide);
            model.iter().for_each(|text| writer.push(text));
            assert_eq!(packed.as_bytes(), writer.finish());
            assert_eq!(packed.len(), model.len());
        }
        let mut entries = Entries::new(packed.as_bytes()).unwrap();
        while entries.next_entry().unwrap().is_some() {}
        assert_eq!(entries.seen(), model.len());
    }

    #[test]
    fn walks_backwards() {
        let texts = texts();
        let packed = Packed::of(texts.iter().map(|text| Entry::from_text(text)));
        let forward: Vec<usize> = packed.positions().map(|(pos, _)| pos).collect();
        let mut pos = packed.end();
        for want in forward.iter().rev() {
            pos = packed.before(pos).unwrap();
            assert_eq!(pos, *want);
        }
        assert_eq!(packed.before(pos), None);
    }

    /// Bytes that are no listpack end somewhere; nothing panics.
    #[test]
    fn unchecked_bytes_do_no_harm() {
        let mut rng = fastrand::Rng::with_seed(4);
        for _ in 0..20_000 {
            let mut blob: Vec<u8> = (0..rng.usize(..40)).map(|_| rng.u8(..)).collect();
            if blob.len() > 6 && rng.bool() {
                let total = (blob.len() as u32).to_le_bytes();
                blob[..4].copy_from_slice(&total);
                *blob.last_mut().unwrap() = 0xff;
            }
            let mut packed = Packed::from_blob(blob);
            packed.iter().count();
            packed.before(packed.end());
            packed.seek(rng.usize(..10));
            packed.find::<2>(b"x");
            packed.remove(rng.usize(..40), rng.usize(..4));
            let tail = packed.split_off(rng.usize(..40));
            packed.append(&tail);
            packed.retain(|entry| entry != Entry::Int(1));
            packed.push(Entry::Int(1));
        }
    }
}
