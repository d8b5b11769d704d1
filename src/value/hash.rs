//! Hashes (`OBJECT ENCODING`: listpack, listpackex, hashtable).
//!
//! Small ones are listpacks: pairs of field and value, or, once a field has an expire time, triples of
//! field, value and time in milliseconds (0 for none), those with a time first, the earliest first.

use hashbrown::HashMap;

use super::dict::{Dict, Keyed, Slot};
use super::digest::{FieldTtl, Fold};
use super::{Bytes, DataType, Packed, PackedLimits, Type, block};
use crate::encoding::Entry;
use crate::encoding::number::MAX_I64_TEXT;

/// A hash.
#[derive(Debug, Clone)]
pub struct Hash(Repr);

#[derive(Debug, Clone)]
enum Repr {
    Pairs(Packed),
    Triples(Packed),
    Table(Box<Table>),
}

#[derive(Debug, Clone, Default)]
struct Table {
    fields: Dict<Field>,
    expires: HashMap<Slot, i64>,
    /// What fields and values hold on the heap.
    memory: usize,
}

/// A field of a large hash.
#[derive(Debug, Clone)]
struct Field {
    name: Bytes,
    value: Bytes,
}

impl Field {
    fn heap(&self) -> usize {
        self.name.heap() + self.value.heap()
    }
}

impl Keyed for Field {
    fn key(&self) -> &[u8] {
        &self.name
    }
}

/// A field, for those who look.
#[derive(Debug, Clone, Copy)]
pub struct FieldRef<'a> {
    /// Its name.
    pub name: Entry<'a>,
    /// What it holds.
    pub value: Entry<'a>,
    /// When it expires, if it does.
    pub expire_at_ms: Option<i64>,
}

/// How a hash is kept, for saving.
#[derive(Debug, Clone, Copy)]
pub enum HashRef<'a> {
    /// A listpack of field, value.
    Pairs(&'a Packed),
    /// A listpack of field, value, expire time.
    Triples(&'a Packed),
    /// A table.
    Table,
}

impl Hash {
    /// A hash that lay in a file as a listpack of pairs (its fields distinct), unfolded if it is larger
    /// than the limits have it.
    pub fn from_pairs(packed: Packed, limits: &PackedLimits) -> Hash {
        Hash(Repr::Pairs(packed)).within(limits)
    }

    /// The same of triples, in the order that servers keep.
    pub fn from_triples(packed: Packed, limits: &PackedLimits) -> Hash {
        Hash(Repr::Triples(packed)).within(limits)
    }

    fn within(mut self, limits: &PackedLimits) -> Hash {
        if self.len() > limits.hash_entries {
            self.unfold();
        }
        self
    }

    /// How it is kept.
    pub fn as_ref(&self) -> HashRef<'_> {
        match &self.0 {
            Repr::Pairs(packed) => HashRef::Pairs(packed),
            Repr::Triples(packed) => HashRef::Triples(packed),
            Repr::Table(_) => HashRef::Table,
        }
    }

    /// The fields, in no order that means anything; expired ones among them.
    pub fn iter(&self) -> impl Iterator<Item = FieldRef<'_>> {
        let (mut pairs, mut triples, mut table) = (None, None, None);
        match &self.0 {
            Repr::Pairs(packed) => pairs = Some(packed.groups().map(|(_, pair)| pair_ref(pair))),
            Repr::Triples(packed) => {
                triples = Some(packed.groups().map(|(_, triple)| triple_ref(triple)))
            }
            Repr::Table(all) => {
                table = Some(all.fields.iter().map(|(slot, field)| all.field(slot, field)))
            }
        }
        let (pairs, triples) = (pairs.into_iter().flatten(), triples.into_iter().flatten());
        pairs.chain(triples).chain(table.into_iter().flatten())
    }

    /// A field.
    pub fn get(&self, name: &[u8]) -> Option<FieldRef<'_>> {
        match &self.0 {
            Repr::Pairs(packed) => {
                let (name, pos) = packed.at(packed.find::<2>(name)?)?;
                Some(pair_ref([name, packed.at(pos)?.0]))
            }
            Repr::Triples(_) => self.iter().find(|field| field.name == Entry::from_text(name)),
            Repr::Table(table) => {
                let slot = table.fields.find(name)?;
                table.fields.at(slot).map(|field| table.field(slot, field))
            }
        }
    }

    /// Gives a field a value; an expire time it had is gone. Was it new?
    pub fn set(&mut self, name: &[u8], value: &[u8], limits: &PackedLimits) -> bool {
        if name.len().max(value.len()) > limits.hash_value {
            self.unfold();
        }
        let entry = Entry::from_text(value);
        let new = match &mut self.0 {
            Repr::Pairs(packed) => match packed.find::<2>(name).and_then(|pos| packed.at(pos)) {
                Some((_, pos)) => {
                    packed.replace(pos, 1, &[entry]);
                    false
                }
                None => {
                    packed.insert(packed.end(), &[Entry::from_text(name), entry]);
                    true
                }
            },
            Repr::Triples(packed) => {
                let new = remove_triple(packed, name).is_none();
                insert_triple(packed, name, value, None);
                new
            }
            Repr::Table(table) => return table.set(name, value, None),
        };
        if new && self.len() > limits.hash_entries {
            self.unfold();
        }
        new
    }

    /// Gives a field a value and an expire time (or none), whatever it had; for loaders.
    pub fn put(
        &mut self,
        name: &[u8],
        value: &[u8],
        expire_at_ms: Option<i64>,
        limits: &PackedLimits,
    ) {
        self.set(name, value, limits);
        if expire_at_ms.is_some() {
            self.set_expire(name, expire_at_ms);
        }
    }

    /// Sets or removes a field's expire time. Is there such a field?
    pub fn set_expire(&mut self, name: &[u8], expire_at_ms: Option<i64>) -> bool {
        if let (Repr::Pairs(packed), Some(_)) = (&self.0, expire_at_ms) {
            let pairs: Vec<_> = packed.groups::<2>().map(|(_, pair)| pair).collect();
            let triples = pairs.iter().flat_map(|[name, value]| [*name, *value, Entry::Int(0)]);
            self.0 = Repr::Triples(Packed::of(triples));
        }
        match &mut self.0 {
            Repr::Pairs(packed) => packed.find::<2>(name).is_some(),
            Repr::Triples(packed) => match remove_triple(packed, name) {
                Some(value) => {
                    insert_triple(packed, name, &value, expire_at_ms);
                    true
                }
                None => false,
            },
            Repr::Table(table) => {
                let slot = table.fields.find(name);
                match (slot, expire_at_ms) {
                    (Some(slot), Some(at)) => table.expires.insert(slot, at),
                    (Some(slot), None) => table.expires.remove(&slot),
                    (None, _) => None,
                };
                slot.is_some()
            }
        }
    }

    /// Takes a field out. Was there one?
    pub fn remove(&mut self, name: &[u8]) -> bool {
        match &mut self.0 {
            Repr::Pairs(packed) => match packed.find::<2>(name) {
                Some(pos) => {
                    packed.remove(pos, 2);
                    true
                }
                None => false,
            },
            Repr::Triples(packed) => remove_triple(packed, name).is_some(),
            Repr::Table(table) => match table.fields.remove(name) {
                Some((slot, field)) => {
                    table.memory -= field.heap();
                    table.expires.remove(&slot);
                    true
                }
                None => false,
            },
        }
    }

    /// The earliest expire time of a field.
    pub fn min_expire(&self) -> Option<i64> {
        match &self.0 {
            Repr::Pairs(_) => None,
            Repr::Triples(_) => self.iter().next().and_then(|field| field.expire_at_ms),
            Repr::Table(table) => table.expires.values().copied().min(),
        }
    }

    /// Makes this hash a table, whatever it was.
    fn unfold(&mut self) {
        if let Repr::Table(_) = self.0 {
            return;
        }
        let mut table = Box::<Table>::default();
        table.fields.reserve(self.len());
        for field in self.iter() {
            let (mut name, mut value) = ([0; MAX_I64_TEXT], [0; MAX_I64_TEXT]);
            table.set(field.name.text(&mut name), field.value.text(&mut value), field.expire_at_ms);
        }
        self.0 = Repr::Table(table);
    }
}

impl Table {
    fn field<'a>(&self, slot: Slot, field: &'a Field) -> FieldRef<'a> {
        FieldRef {
            name: Entry::Str(&field.name),
            value: Entry::Str(&field.value),
            expire_at_ms: self.expires.get(&slot).copied(),
        }
    }

    fn set(&mut self, name: &[u8], value: &[u8], expire_at_ms: Option<i64>) -> bool {
        let make = || Field { name: Bytes::new(name), value: Bytes::default() };
        let (slot, new) = self.fields.find_or_insert(name, make);
        if let Some(field) = self.fields.at_mut(slot) {
            let held = if new { 0 } else { field.heap() };
            field.value = Bytes::new(value);
            self.memory = self.memory - held + field.heap();
        }
        match expire_at_ms {
            Some(at) => self.expires.insert(slot, at),
            None => self.expires.remove(&slot),
        };
        new
    }
}

fn pair_ref([name, value]: [Entry<'_>; 2]) -> FieldRef<'_> {
    FieldRef { name, value, expire_at_ms: None }
}

fn triple_ref([name, value, expire]: [Entry<'_>; 3]) -> FieldRef<'_> {
    FieldRef { name, value, expire_at_ms: expire.as_int().filter(|at| *at != 0) }
}

/// Takes a triple out; its value is the answer.
fn remove_triple(packed: &mut Packed, name: &[u8]) -> Option<Vec<u8>> {
    let pos = packed.find::<3>(name)?;
    let (value, _) = packed.at(packed.at(pos)?.1)?;
    let value = value.text(&mut [0; MAX_I64_TEXT]).to_vec();
    packed.remove(pos, 3);
    Some(value)
}

/// Puts a triple in its place: behind all that expire no later, before those that expire later or never.
fn insert_triple(packed: &mut Packed, name: &[u8], value: &[u8], expire_at_ms: Option<i64>) {
    let later = |expire: Option<i64>| match (expire, expire_at_ms) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(there), Some(here)) => there > here,
    };
    let place = packed.groups::<3>().find(|(_, triple)| later(triple_ref(*triple).expire_at_ms));
    let pos = place.map_or(packed.end(), |(pos, _)| pos);
    let expire = Entry::Int(expire_at_ms.unwrap_or(0));
    packed.insert(pos, &[Entry::from_text(name), Entry::from_text(value), expire]);
}

impl Default for Hash {
    fn default() -> Self {
        Hash(Repr::Pairs(Packed::new()))
    }
}

impl DataType for Hash {
    const TYPE: Type = Type::Hash;
    super::arm!(Hash);

    fn len(&self) -> usize {
        match &self.0 {
            Repr::Pairs(packed) => packed.len() / 2,
            Repr::Triples(packed) => packed.len() / 3,
            Repr::Table(table) => table.fields.len(),
        }
    }

    fn memory(&self) -> usize {
        match &self.0 {
            Repr::Pairs(packed) | Repr::Triples(packed) => packed.memory(),
            Repr::Table(table) => {
                block(size_of::<Table>())
                    + table.fields.memory()
                    + table.expires.allocation_size()
                    + table.memory
            }
        }
    }

    fn encoding(&self) -> &'static str {
        match &self.0 {
            Repr::Pairs(_) => "listpack",
            Repr::Triples(_) => "listpackex",
            Repr::Table(_) => "hashtable",
        }
    }

    fn digest(&self, fold: &mut Fold) {
        for field in self.iter() {
            let marked = match (fold.style().field_ttl, field.expire_at_ms) {
                (_, None) => false,
                (FieldTtl::Marked, Some(_)) => true,
                (FieldTtl::SkipExpired { now_ms }, Some(at)) if at < now_ms => continue,
                (FieldTtl::SkipExpired { .. }, Some(_)) => false,
            };
            fold.element(|fold| {
                fold.mix_entry(field.name);
                fold.mix_entry(field.value);
                if marked {
                    fold.xor(b"!!hexpire!!");
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_form_holds_the_same() {
        let limits = PackedLimits { hash_entries: 20, hash_value: 40, ..PackedLimits::DEFAULT };
        let mut seen = std::collections::BTreeSet::new();
        type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;
        for seed in 0..60 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (mut hash, mut model) = (Hash::default(), Model::new());
            for _ in 0..200 {
                let name = rng.u64(..8 + seed).to_string().into_bytes();
                let value = match rng.u8(..50) {
                    0 if seed % 3 == 0 => vec![b'x'; 50],
                    n => n.to_string().into_bytes(),
                };
                match rng.u8(..5) {
                    0 => assert_eq!(hash.remove(&name), model.remove(&name).is_some()),
                    1 if seed % 2 == 0 => {
                        let expire = rng.bool().then(|| rng.i64(1..50));
                        let there = model.get_mut(&name).map(|field| field.1 = expire).is_some();
                        assert_eq!(hash.set_expire(&name, expire), there);
                    }
                    _ => {
                        let new = model.insert(name.clone(), (value.clone(), None)).is_none();
                        assert_eq!(hash.set(&name, &value, &limits), new);
                    }
                }
                let text = |entry: Entry<'_>| entry.text(&mut [0; MAX_I64_TEXT]).to_vec();
                let got = hash.get(&name).map(|field| (text(field.value), field.expire_at_ms));
                assert_eq!(got.as_ref(), model.get(&name));
                let all: Model =
                    hash.iter().map(|f| (text(f.name), (text(f.value), f.expire_at_ms))).collect();
                assert_eq!((hash.len(), &all), (model.len(), &model));
                assert_eq!(hash.min_expire(), model.values().filter_map(|field| field.1).min());
                seen.insert(hash.encoding());
            }
        }
        assert_eq!(seen.len(), 3, "every encoding came up: {seen:?}");
    }
}
