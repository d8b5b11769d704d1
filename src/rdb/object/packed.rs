//! What ziplists and listpacks have in common for a walk: strings one after the other.

use super::super::walk::{Step, Walker};
use crate::element::{Element, Packing, Str, Visit};
use crate::encoding::listpack::Backlen;
use crate::encoding::{Entry, listpack, ziplist};
use crate::error::Fault;

/// Bytes of an empty listpack.
pub const LISTPACK_MIN: u64 = 7;

/// Bytes of an empty ziplist.
pub const ZIPLIST_MIN: u64 = 11;

/// Bytes of an intset's header.
pub const INTSET_MIN: u64 = 8;

/// Bytes of an empty zipmap.
pub const ZIPMAP_MIN: u64 = 2;

/// The entries of a packed encoding, checked as they are read.
pub trait Packed<'b>: Sized {
    /// Which encoding it is.
    const PACKING: Packing;

    /// Checks the header.
    fn open(blob: &'b [u8]) -> Result<Self, nom::Err<Fault>>;

    /// The next entry and the bytes from it on; the last call also checks the end.
    fn next(&mut self, walker: &mut Walker)
    -> Result<Option<(Str<'b>, &'b [u8])>, nom::Err<Fault>>;
}

impl<'b> Packed<'b> for ziplist::Entries<'b> {
    const PACKING: Packing = Packing::Ziplist;

    fn open(blob: &'b [u8]) -> Result<Self, nom::Err<Fault>> {
        ziplist::Entries::new(blob)
    }

    #[inline(always)]
    fn next(&mut self, _: &mut Walker) -> Result<Option<(Str<'b>, &'b [u8])>, nom::Err<Fault>> {
        let at = self.remaining();
        Ok(self.next_entry()?.map(|entry| (stored(entry), at)))
    }
}

impl<'b> Packed<'b> for listpack::Entries<'b> {
    const PACKING: Packing = Packing::Listpack;

    fn open(blob: &'b [u8]) -> Result<Self, nom::Err<Fault>> {
        listpack::Entries::new(blob)
    }

    #[inline(always)]
    fn next(
        &mut self,
        walker: &mut Walker,
    ) -> Result<Option<(Str<'b>, &'b [u8])>, nom::Err<Fault>> {
        let at = self.remaining();
        match self.next_entry()? {
            None => Ok(None),
            Some((entry, Backlen::Exact)) => Ok(Some((stored(entry), at))),
            Some((entry, backlen)) => {
                walker.backlen(backlen == Backlen::Wide, at);
                Ok(Some((stored(entry), at)))
            }
        }
    }
}

/// Hands out packed bytes as they are, then what `walk` finds in them.
pub fn whole(
    packing: Packing,
    blob: &[u8],
    walker: &mut Walker,
    visit: &mut dyn Visit,
    walk: impl FnOnce(&mut Walker, &mut dyn Visit) -> Step,
) -> Step {
    visit.element(Element::Packed { packing, blob });
    let done = walk(walker, visit);
    visit.element(Element::Unpacked);
    done
}

/// A packed entry as a string.
#[inline]
pub fn stored(entry: Entry<'_>) -> Str<'_> {
    match entry {
        Entry::Int(value) => Str::Int(value),
        Entry::Str(bytes) => Str::Raw(bytes),
    }
}
