//! Sets (`OBJECT ENCODING`: intset, listpack, hashtable).
//!
//! Integers only make an intset, few and short members a listpack, anything else a table. When one
//! becomes the other is as servers since 7.2 have it: a set never goes back by losing members, and
//! [`Set::insert_all`] goes by how many members are announced, known ones among them.

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

    /// An empty set in the form that suits `count` members of which `first` is one.
    fn suited(first: &[u8], count: usize, limits: &PackedLimits) -> Set {
        Set(match Entry::from_text(first) {
            Entry::Int(_) if count <= limits.set_intset => Repr::Intset(Intset::default()),
            _ if count <= limits.set_entries => Repr::Packed(Packed::new()),
            _ => Repr::Table(Box::default()),
        })
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

    /// An empty set that will get so many members: a table from the start if they are too many for
    /// anything else. There must be bytes behind the count: room is made for it.
    pub fn for_count(count: usize, limits: &PackedLimits) -> Set {
        if count <= limits.set_entries.max(limits.set_intset) {
            return Set::default();
        }
        let mut table = Box::<Table>::default();
        table.members.reserve(count);
        Set(Repr::Table(table))
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
                if short && set.len() < limits.set_entries && set.is_short(limits.set_value) {
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

    /// Adds members. How many were new?
    pub fn insert_all(&mut self, texts: &[&[u8]], limits: &PackedLimits) -> usize {
        let too_many = match &self.0 {
            Repr::Intset(_) => texts.len() > limits.set_intset,
            Repr::Packed(_) => texts.len() > limits.set_entries,
            Repr::Table(_) => false,
        };
        match texts.first() {
            Some(first) if self.is_empty() => *self = Set::suited(first, texts.len(), limits),
            _ if too_many => self.unfold(),
            _ => {}
        }
        texts.iter().filter(|text| self.insert(text, limits)).count()
    }

    /// Makes a set of integers an intset, whatever it became on the way, if they are not too many.
    pub fn fold_integers(&mut self, limits: &PackedLimits) {
        if self.len() > limits.set_intset || matches!(self.0, Repr::Intset(_)) {
            return;
        }
        let integers: Option<Vec<i64>> = self.iter().map(|member| member.as_int()).collect();
        if let Some(mut integers) = integers {
            integers.sort_unstable();
            self.0 = Repr::Intset(Intset::of(&integers));
        }
    }

    /// Visits about `count` members from `cursor` on; the answer is the cursor to go on with, 0 at the
    /// end. What is packed is visited at once.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(Entry<'_>)) -> u64 {
        match &self.0 {
            Repr::Table(table) => {
                table.members.scan(cursor, count, |_, member| visit(Entry::Str(member)))
            }
            _ => {
                self.iter().for_each(visit);
                0
            }
        }
    }

    /// Any member, each as likely as the other.
    pub fn random(&self, rng: &mut fastrand::Rng) -> Option<Entry<'_>> {
        if self.is_empty() {
            return None;
        }
        match &self.0 {
            Repr::Intset(set) => set.get(rng.usize(..set.len())).map(Entry::Int),
            Repr::Packed(set) => {
                let pos = set.seek(rng.usize(..set.len()))?;
                set.at(pos).map(|(member, _)| member)
            }
            Repr::Table(set) => {
                set.members.at(set.members.random(rng)?).map(|text| Entry::Str(text))
            }
        }
    }

    /// `count` different members, any; all there are if there are not so many.
    pub fn sample(&self, count: usize, rng: &mut fastrand::Rng) -> Vec<Entry<'_>> {
        if let Repr::Table(table) = &self.0
            && count < self.len() / 4
        {
            let mut slots = hashbrown::HashSet::new();
            // Three of four tries hit, or more.
            while slots.len() < count {
                slots.extend(table.members.random(rng));
            }
            let members = slots.into_iter().filter_map(|slot| table.members.at(slot));
            return members.map(|text| Entry::Str(text)).collect();
        }
        let mut all: Vec<_> = self.iter().collect();
        if count < all.len() {
            rng.shuffle(&mut all);
            all.truncate(count);
        }
        all
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

    fn texts<'a>(members: impl Iterator<Item = Entry<'a>>) -> BTreeSet<Vec<u8>> {
        members.map(|member| member.text(&mut [0; MAX_I64_TEXT]).to_vec()).collect()
    }

    /// How many members are announced decides, as in servers.
    #[test]
    fn forms() {
        let limits =
            PackedLimits { set_intset: 4, set_entries: 3, set_value: 5, ..PackedLimits::DEFAULT };
        let cases: &[(&[&[&str]], &str)] = &[
            (&[&["1"]], "intset"),
            (&[&["1", "2", "3", "4"]], "intset"),
            (&[&["1", "1", "1", "1", "1"]], "hashtable"),
            (&[&["1", "2", "3", "4"], &["5"]], "hashtable"),
            (&[&["1", "a"]], "listpack"),
            (&[&["a"]], "listpack"),
            (&[&["a", "a", "a", "a"]], "hashtable"),
            (&[&["a"], &["a", "a", "a", "a"]], "hashtable"),
            (&[&["a"], &["b", "c"], &["d"]], "hashtable"),
            (&[&["a", "123456"]], "hashtable"),
            (&[&["123456", "a"]], "hashtable"),
            (&[&["-12345"], &["a"]], "hashtable"),
            (&[&["1", "2", "3"], &["a"]], "hashtable"),
        ];
        for (steps, encoding) in cases {
            let mut set = Set::default();
            for step in *steps {
                let texts: Vec<&[u8]> = step.iter().map(|text| text.as_bytes()).collect();
                set.insert_all(&texts, &limits);
            }
            assert_eq!(set.encoding(), *encoding, "{steps:?}");
        }
    }

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
                match rng.u8(..4) {
                    0 => assert_eq!(set.remove(&text), model.remove(&text)),
                    1 => {
                        let new = [&text[..], b"7", &text].map(|text| model.insert(text.into()));
                        let new = new.into_iter().filter(|new| *new).count();
                        assert_eq!(set.insert_all(&[&text, b"7", &text], &limits), new);
                    }
                    _ => assert_eq!(set.insert(&text, &limits), model.insert(text.clone())),
                }
                assert_eq!(set.contains(&text), model.contains(&text));
                assert_eq!(set.len(), model.len());
                seen.insert(set.encoding());
            }
            assert_eq!(texts(set.iter()), model);
            for count in 0..model.len() + 2 {
                let sample = set.sample(count, &mut rng);
                assert_eq!(sample.len(), count.min(model.len()));
                let different = texts(sample.into_iter());
                assert_eq!(different.len(), count.min(model.len()));
                assert!(different.is_subset(&model));
            }
            let mut drawn = BTreeSet::new();
            for _ in 0..model.len() * 20 {
                drawn.append(&mut texts(set.random(&mut rng).into_iter()));
            }
            assert_eq!(drawn, model);
            set.fold_integers(&limits);
            assert_eq!(texts(set.iter()), model);
        }
        assert_eq!(seen.len(), 3, "every encoding came up: {seen:?}");
    }
}
