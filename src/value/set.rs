//! Sets (`OBJECT ENCODING`: intset, listpack, hashtable).

use super::dict::Dict;
use super::digest::Fold;
use super::{Bytes, DataType, Intset, Packed, PackedLimits, Type, block};
use crate::encoding::Entry;
use crate::encoding::number::MAX_I64_TEXT;

/// A set.
#[derive(Debug, Clone)]
pub struct Set(Repr);

#[derive(Debug, Clone)]
enum Repr {
    Intset(Intset),
    Packed(Packed),
    Table(Box<Table>),
}

#[derive(Debug, Clone, Default)]
struct Table {
    members: Dict<Bytes>,
    /// What the members hold on the heap.
    memory: usize,
}

/// How a set is kept, for saving.
#[derive(Debug, Clone, Copy)]
pub enum SetRef<'a> {
    /// Integers only.
    Intset(&'a Intset),
    /// Few and short members.
    Packed(&'a Packed),
    /// Anything else.
    Table(&'a Dict<Bytes>),
}

impl Set {
    /// A set that lay in a file as an intset, unfolded if it is larger than the limits have it.
    pub fn from_intset(intset: Intset, limits: &PackedLimits) -> Set {
        let mut set = Set(Repr::Intset(intset));
        if set.len() > limits.set_intset {
            set.unfold();
        }
        set
    }

    /// A set that lay in a file as a listpack (its members distinct), unfolded if it is larger than the
    /// limits have it.
    pub fn from_packed(packed: Packed, limits: &PackedLimits) -> Set {
        let mut set = Set(Repr::Packed(packed));
        if set.len() > limits.set_entries {
            set.unfold();
        }
        set
    }

    /// How it is kept.
    pub fn as_ref(&self) -> SetRef<'_> {
        match &self.0 {
            Repr::Intset(intset) => SetRef::Intset(intset),
            Repr::Packed(packed) => SetRef::Packed(packed),
            Repr::Table(table) => SetRef::Table(&table.members),
        }
    }

    /// The members, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        let (mut ints, mut packed, mut table) = (None, None, None);
        match &self.0 {
            Repr::Intset(set) => ints = Some(set.iter().map(Entry::Int)),
            Repr::Packed(set) => packed = Some(set.iter()),
            Repr::Table(set) => table = Some(set.members.iter().map(|(_, text)| Entry::Str(text))),
        }
        let (ints, packed) = (ints.into_iter().flatten(), packed.into_iter().flatten());
        ints.chain(packed).chain(table.into_iter().flatten())
    }

    /// Is it a member?
    pub fn contains(&self, text: &[u8]) -> bool {
        match (&self.0, Entry::from_text(text)) {
            (Repr::Intset(set), Entry::Int(number)) => set.contains(number),
            (Repr::Intset(_), Entry::Str(_)) => false,
            (Repr::Packed(set), _) => set.find::<1>(text).is_some(),
            (Repr::Table(set), _) => set.members.contains(text),
        }
    }

    /// Adds a member. Was it new?
    pub fn insert(&mut self, text: &[u8], limits: &PackedLimits) -> bool {
        let short = text.len() <= limits.set_value;
        match (&mut self.0, Entry::from_text(text)) {
            (Repr::Intset(set), Entry::Int(number)) => {
                let new = set.insert(number);
                if set.len() > limits.set_intset {
                    self.unfold();
                }
                new
            }
            (Repr::Intset(set), Entry::Str(_)) => {
                if short && set.len() < limits.set_entries {
                    self.0 = Repr::Packed(Packed::of(set.iter().map(Entry::Int)));
                } else {
                    self.unfold();
                }
                self.insert(text, limits)
            }
            (Repr::Packed(set), _) if set.find::<1>(text).is_some() => false,
            (Repr::Packed(set), entry) if short && set.len() < limits.set_entries => {
                set.push(entry);
                true
            }
            (Repr::Packed(_), _) => {
                self.unfold();
                self.insert(text, limits)
            }
            (Repr::Table(set), _) => set.insert(text),
        }
    }

    /// Takes a member out. Was it one?
    pub fn remove(&mut self, text: &[u8]) -> bool {
        match (&mut self.0, Entry::from_text(text)) {
            (Repr::Intset(set), Entry::Int(number)) => set.remove(number),
            (Repr::Intset(_), Entry::Str(_)) => false,
            (Repr::Packed(set), _) => match set.find::<1>(text) {
                Some(pos) => {
                    set.remove(pos, 1);
                    true
                }
                None => false,
            },
            (Repr::Table(set), _) => match set.members.remove(text) {
                Some((_, member)) => {
                    set.memory -= member.heap();
                    true
                }
                None => false,
            },
        }
    }

    /// Makes this set a table, whatever it was.
    fn unfold(&mut self) {
        let mut table = Box::<Table>::default();
        table.members.reserve(self.len());
        for member in self.iter() {
            table.insert(member.text(&mut [0; MAX_I64_TEXT]));
        }
        self.0 = Repr::Table(table);
    }
}

impl Table {
    fn insert(&mut self, text: &[u8]) -> bool {
        let (slot, new) = self.members.find_or_insert(text, || Bytes::new(text));
        if new {
            self.memory += self.members.at(slot).map_or(0, Bytes::heap);
        }
        new
    }
}

impl Default for Set {
    fn default() -> Self {
        Set(Repr::Intset(Intset::default()))
    }
}

impl DataType for Set {
    const TYPE: Type = Type::Set;
    super::arm!(Set);

    fn len(&self) -> usize {
        match &self.0 {
            Repr::Intset(set) => set.len(),
            Repr::Packed(set) => set.len(),
            Repr::Table(set) => set.members.len(),
        }
    }

    fn memory(&self) -> usize {
        match &self.0 {
            Repr::Intset(set) => set.memory(),
            Repr::Packed(set) => set.memory(),
            Repr::Table(set) => block(size_of::<Table>()) + set.members.memory() + set.memory,
        }
    }

    fn encoding(&self) -> &'static str {
        match &self.0 {
            Repr::Intset(_) => "intset",
            Repr::Packed(_) => "listpack",
            Repr::Table(_) => "hashtable",
        }
    }

    fn digest(&self, fold: &mut Fold) {
        self.iter().for_each(|member| fold.xor_entry(member));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_form_holds_the_same() {
        let limits = PackedLimits {
            set_intset: 20,
            set_entries: 30,
            set_value: 40,
            ..PackedLimits::DEFAULT
        };
        let mut seen = BTreeSet::new();
        for seed in 0..40 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (mut set, mut model) = (Set::default(), BTreeSet::<Vec<u8>>::new());
            for _ in 0..200 {
                let text = match rng.u64(..10 + seed) {
                    0 => vec![b'x'; rng.usize(..50)],
                    1 | 2 if seed % 2 == 0 => format!("m{}", rng.u8(..20)).into_bytes(),
                    _ => rng.i64(-30..30).to_string().into_bytes(),
                };
                match rng.u8(..3) {
                    0 => assert_eq!(set.remove(&text), model.remove(&text)),
                    _ => assert_eq!(set.insert(&text, &limits), model.insert(text.clone())),
                }
                assert_eq!(set.contains(&text), model.contains(&text));
                assert_eq!(set.len(), model.len());
                seen.insert(set.encoding());
            }
            let members: BTreeSet<Vec<u8>> =
                set.iter().map(|m| m.text(&mut [0; MAX_I64_TEXT]).to_vec()).collect();
            assert_eq!(members, model);
        }
        assert_eq!(seen.len(), 3, "every encoding came up: {seen:?}");
    }
}
