//! Hashes (`OBJECT ENCODING`: listpack, listpackex, hashtable).
//!
//! Small ones are listpacks: pairs of field and value, or, once a field has an expire time, triples of
//! field, value and time in milliseconds (0 for none), those with a time first, the earliest first
//! (FORMATS A.5, type 25). Valkey knows no triples: there, the first expire time makes a table.

mod table;

use self::table::Table;
use super::digest::{FieldTtl, Fold};
use super::sieve::Sieve;
use super::{DataType, Packed, PackedLimits, Type};
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

    /// An empty hash that will get so many fields: a table from the start if they are too many for a
    /// listpack. There must be bytes behind the count: room is made for it.
    pub fn for_count(count: usize, limits: &PackedLimits) -> Hash {
        match count > limits.hash_entries {
            true => Hash(Repr::Table(Box::new(Table::with_room_for(count)))),
            false => Hash::default(),
        }
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
            Repr::Table(all) => table = Some(all.iter()),
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
            Repr::Triples(packed) => triple_at(packed, packed.find::<3>(name)?),
            Repr::Table(table) => table.get(name),
        }
    }

    /// Any field, each as likely as the other.
    pub fn random(&self, rng: &mut fastrand::Rng) -> Option<FieldRef<'_>> {
        match &self.0 {
            Repr::Table(table) => table.random(rng),
            _ if self.len() == 0 => None,
            _ => self.iter().nth(rng.usize(..self.len())),
        }
    }

    /// Visits the next fields from `cursor` on (all of them, where they are few) and returns the cursor
    /// to go on with, 0 at the end.
    pub fn scan(&self, cursor: u64, count: usize, visit: impl FnMut(FieldRef<'_>)) -> u64 {
        match &self.0 {
            Repr::Table(table) => table.scan(cursor, count, visit),
            _ => {
                self.iter().for_each(visit);
                0
            }
        }
    }

    /// Gives a field a value; an expire time it had is gone. Was it new?
    pub fn set(&mut self, name: &[u8], value: &[u8], limits: &PackedLimits) -> bool {
        self.set_value(name, value, false, limits)
    }

    /// Gives a field a value; an expire time it has stays. Was it new?
    pub fn set_keep_ttl(&mut self, name: &[u8], value: &[u8], limits: &PackedLimits) -> bool {
        self.set_value(name, value, true, limits)
    }

    /// Gives fields their values, as [`Hash::set`] does one after the other. How many were new?
    pub fn set_all(&mut self, pairs: &[[&[u8]; 2]], limits: &PackedLimits) -> usize {
        let mut sieve = self.sieve(pairs.len());
        if let (Repr::Pairs(packed), Some(_)) = (&mut self.0, &sieve) {
            // Short entries have an encoding byte and a back length of one.
            let room = |[name, value]: &[&[u8]; 2]| name.len() + value.len() + 4;
            packed.reserve(pairs.iter().take(limits.hash_entries).map(room).sum());
        }
        let is_new = |[name, value]: &&[&[u8]; 2]| {
            let unmet = sieve.as_mut().is_some_and(|sieve| sieve.add(name));
            match &mut self.0 {
                Repr::Pairs(packed)
                    if unmet
                        && name.len().max(value.len()) <= limits.hash_value
                        && packed.len() / 2 < limits.hash_entries =>
                {
                    let pair = [Entry::from_text(name), Entry::from_text(value)];
                    packed.insert(packed.end(), &pair);
                    true
                }
                _ => self.set(name, value, limits),
            }
        };
        pairs.iter().filter(is_new).count()
    }

    /// The names there are, if that is of use for so many more.
    fn sieve(&self, more: usize) -> Option<Sieve> {
        let Repr::Pairs(packed) = &self.0 else { return None };
        if more < 4 || packed.len() > 4 * more {
            return None;
        }
        let mut sieve = Sieve::new();
        for (_, [name, _]) in packed.groups() {
            sieve.add(name.text(&mut [0; MAX_I64_TEXT]));
        }
        Some(sieve)
    }

    fn set_value(
        &mut self,
        name: &[u8],
        value: &[u8],
        keep_ttl: bool,
        limits: &PackedLimits,
    ) -> bool {
        if name.len().max(value.len()) > limits.hash_value {
            self.unfold();
        }
        let entry = Entry::from_text(value);
        let new = match &mut self.0 {
            Repr::Pairs(packed) => set_packed::<2>(packed, name, &[entry]),
            Repr::Triples(packed) => {
                let found = packed.find::<3>(name).and_then(|pos| triple_at(packed, pos));
                match found.is_some_and(|field| field.expire_at_ms.is_some()) && !keep_ttl {
                    // Without its time it belongs behind all those that have one.
                    true => {
                        remove_triple(packed, name);
                        insert_triple(packed, name, value, None);
                        false
                    }
                    false => set_packed::<3>(packed, name, &[entry, Entry::Int(0)]),
                }
            }
            Repr::Table(table) => {
                let (slot, new) = table.set(name, value);
                if !new && !keep_ttl {
                    table.set_expire_at(slot, None);
                }
                return new;
            }
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
        if expire_at_ms.is_some() {
            self.make_room_for_expire();
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
            Repr::Table(table) => table.set_expire(name, expire_at_ms),
        }
    }

    /// Makes pairs triples, as Redis does when a command sets out to give fields expire times.
    pub fn make_room_for_expire(&mut self) {
        if let Repr::Pairs(packed) = &self.0 {
            let pairs: Vec<_> = packed.groups::<2>().map(|(_, pair)| pair).collect();
            let triples = pairs.iter().flat_map(|[name, value]| [*name, *value, Entry::Int(0)]);
            self.0 = Repr::Triples(Packed::of(triples));
        }
    }

    /// Takes a field out. Was there one?
    pub fn remove(&mut self, name: &[u8]) -> bool {
        match &mut self.0 {
            Repr::Pairs(packed) => {
                let pos = packed.find::<2>(name);
                pos.inspect(|pos| packed.remove(*pos, 2)).is_some()
            }
            Repr::Triples(packed) => {
                let pos = packed.find::<3>(name);
                pos.inspect(|pos| packed.remove(*pos, 3)).is_some()
            }
            Repr::Table(table) => table.remove(name),
        }
    }

    /// The earliest expire time of a field.
    pub fn min_expire(&self) -> Option<i64> {
        match &self.0 {
            Repr::Pairs(_) => None,
            Repr::Triples(packed) => triple_at(packed, packed.first())?.expire_at_ms,
            Repr::Table(table) => table.min_expire(),
        }
    }

    /// Takes the fields out whose time is before `now_ms`; their names are the answer.
    pub fn remove_expired(&mut self, now_ms: i64) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| match &mut self.0 {
            Repr::Pairs(_) => None,
            Repr::Triples(packed) => {
                let first = triple_at(packed, packed.first())?;
                let name = first.name.text(&mut [0; MAX_I64_TEXT]).to_vec();
                let expired = first.expire_at_ms.is_some_and(|at| at < now_ms);
                expired.then(|| packed.remove(packed.first(), 3)).map(|()| name)
            }
            Repr::Table(table) => table.take_expired(now_ms),
        })
        .collect()
    }

    /// Makes this hash a table, whatever it was.
    pub fn unfold(&mut self) {
        if let Repr::Table(_) = self.0 {
            return;
        }
        let mut table = Box::new(Table::with_room_for(self.len()));
        for field in self.iter() {
            let (mut name, mut value) = ([0; MAX_I64_TEXT], [0; MAX_I64_TEXT]);
            let (slot, _) = table.set(field.name.text(&mut name), field.value.text(&mut value));
            table.set_expire_at(slot, field.expire_at_ms);
        }
        self.0 = Repr::Table(table);
    }
}

fn pair_ref([name, value]: [Entry<'_>; 2]) -> FieldRef<'_> {
    FieldRef { name, value, expire_at_ms: None }
}

fn triple_ref([name, value, expire]: [Entry<'_>; 3]) -> FieldRef<'_> {
    FieldRef { name, value, expire_at_ms: expire.as_int().filter(|at| *at != 0) }
}

/// The triple at a position.
fn triple_at(packed: &Packed, pos: usize) -> Option<FieldRef<'_>> {
    let (name, pos) = packed.at(pos)?;
    let (value, pos) = packed.at(pos)?;
    let (expire, _) = packed.at(pos)?;
    Some(triple_ref([name, value, expire]))
}

/// Gives a field its value where it is, or puts it at the end with all that `rest` has. Was it new?
fn set_packed<const N: usize>(packed: &mut Packed, name: &[u8], rest: &[Entry<'_>]) -> bool {
    match packed.find::<N>(name).and_then(|pos| packed.at(pos)) {
        Some((_, pos)) => {
            packed.replace(pos, 1, rest.get(..1).unwrap_or_default());
            false
        }
        None => {
            let mut all = [Entry::Int(0); N];
            let entries = std::iter::once(Entry::from_text(name)).chain(rest.iter().copied());
            all.iter_mut().zip(entries).for_each(|(place, entry)| *place = entry);
            packed.insert(packed.end(), &all);
            true
        }
    }
}

/// Takes a triple out; its value is the answer.
fn remove_triple(packed: &mut Packed, name: &[u8]) -> Option<Vec<u8>> {
    let pos = packed.find::<3>(name)?;
    let value = triple_at(packed, pos)?.value.text(&mut [0; MAX_I64_TEXT]).to_vec();
    packed.remove(pos, 3);
    Some(value)
}

/// Puts a triple in its place: before those that expire at that time, later or never.
fn insert_triple(packed: &mut Packed, name: &[u8], value: &[u8], expire_at_ms: Option<i64>) {
    let behind = |other: Option<i64>| match (other, expire_at_ms) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(other), Some(at)) => other >= at,
    };
    let place = packed.groups::<3>().find(|(_, triple)| behind(triple_ref(*triple).expire_at_ms));
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
            Repr::Table(table) => table.len(),
        }
    }

    fn memory(&self) -> usize {
        match &self.0 {
            Repr::Pairs(packed) | Repr::Triples(packed) => packed.memory(),
            Repr::Table(table) => table.memory(),
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
                match rng.u8(..7) {
                    0 => assert_eq!(hash.remove(&name), model.remove(&name).is_some()),
                    2 => {
                        let expire = model.get(&name).and_then(|field| field.1);
                        let new = model.insert(name.clone(), (value.clone(), expire)).is_none();
                        assert_eq!(hash.set_keep_ttl(&name, &value, &limits), new);
                    }
                    3 if rng.u8(..20) == 0 => {
                        let now_ms = rng.i64(..50);
                        let mut gone = hash.remove_expired(now_ms);
                        gone.sort();
                        let dead =
                            |field: &(Vec<u8>, Option<i64>)| field.1.is_some_and(|at| at < now_ms);
                        let mut want = model.iter().filter(|(_, field)| dead(field));
                        assert!(gone.iter().eq(want.by_ref().map(|(name, _)| name)));
                        model.retain(|_, field| !dead(field));
                    }
                    1 if seed % 2 == 0 => {
                        let expire = rng.bool().then(|| rng.i64(1..50));
                        let there = model.get_mut(&name).map(|field| field.1 = expire).is_some();
                        assert_eq!(hash.set_expire(&name, expire), there);
                    }
                    4 => {
                        let names: Vec<_> =
                            (0..rng.usize(..9)).map(|_| rng.u64(..8 + seed).to_string()).collect();
                        let pairs: Vec<_> =
                            names.iter().map(|name| [name.as_bytes(), &value[..]]).collect();
                        let fill = |name: &String| {
                            model.insert(name.clone().into_bytes(), (value.clone(), None)).is_none()
                        };
                        let new = names.iter().map(fill).filter(|new| *new).count();
                        assert_eq!(hash.set_all(&pairs, &limits), new);
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
