//! Sorted sets (`OBJECT ENCODING`: listpack, skiplist).
//!
//! Small ones are listpacks of member, score, in ascending order of score and then of member. Large ones
//! map members to scores and know no order: it is made when somebody asks for it (`order`), which
//! replaying a file hardly ever does (measured: 3–5 times faster and 40 % smaller than keeping it).
//!
//! Positions are ranks, counted from the lowest score. What asks for ranks takes `&mut self` since it
//! may have to make the order first.

mod order;
mod range;

use std::cmp::Ordering;

use self::order::Order;
use super::dict::{Dict, Keyed, Slot};
use super::digest::Fold;
use super::{Bytes, DataType, Packed, PackedLimits, Type, block};
use crate::encoding::Entry;
use crate::encoding::number::{MAX_I64_TEXT, double_grisu, parse_double};

pub use crate::encoding::number::whole;

/// A sorted set.
#[derive(Debug, Clone)]
pub struct Zset(Repr);

#[derive(Debug, Clone)]
enum Repr {
    Packed(Packed),
    Table(Box<Table>),
}

#[derive(Debug, Clone, Default)]
struct Table {
    members: Dict<Scored>,
    order: Option<Order>,
    /// What the members hold on the heap.
    memory: usize,
}

#[derive(Debug, Clone)]
struct Scored {
    member: Bytes,
    score: f64,
}

impl Scored {
    fn as_pair(&self) -> (Entry<'_>, f64) {
        (Entry::Str(&self.member), self.score)
    }

    fn sort_key(&self) -> (f64, &[u8]) {
        (self.score, &self.member)
    }
}

impl Keyed for Scored {
    fn key(&self) -> &[u8] {
        &self.member
    }
}

/// The order of a sorted set: by score, then by member. −0 and 0 are the same score.
pub fn order(a: (f64, &[u8]), b: (f64, &[u8])) -> Ordering {
    (a.0 + 0.0).total_cmp(&(b.0 + 0.0)).then_with(|| a.1.cmp(b.1))
}

/// A score as a listpack holds it: an integer if it is one (and then −0 becomes 0), else its text.
fn score_entry<'a>(score: f64, limits: &PackedLimits, text: &'a mut Vec<u8>) -> Entry<'a> {
    let keeps_sign = limits.zset_minus_zero && score == 0.0 && score.is_sign_negative();
    if let Some(whole) = whole(score).filter(|_| !keeps_sign) {
        return Entry::Int(whole);
    }
    text.clear();
    double_grisu(score, text);
    Entry::from_text(text)
}

/// The score that a listpack's entry states; what is no number counts as 0, as servers read it.
pub fn entry_score(entry: Entry<'_>) -> f64 {
    match entry {
        Entry::Int(score) => score as f64,
        Entry::Str(text) => parse_double(text).unwrap_or(0.0),
    }
}

impl Zset {
    /// A sorted set that lay in a file as a listpack (its members distinct), unfolded if it is larger
    /// than the limits have it.
    pub fn from_packed(packed: Packed, limits: &PackedLimits) -> Zset {
        let mut zset = Zset(Repr::Packed(packed));
        if zset.len() > limits.zset_entries {
            zset.unfold();
        }
        zset
    }

    /// An empty sorted set that will get so many members: a table from the start if they are too many for
    /// a listpack. There must be bytes behind the count: room is made for it.
    pub fn for_count(count: usize, limits: &PackedLimits) -> Zset {
        if count <= limits.zset_entries {
            return Zset::default();
        }
        let mut table = Box::<Table>::default();
        table.members.reserve(count);
        Zset(Repr::Table(table))
    }

    /// The listpack it is kept as, if it is, for saving.
    pub fn as_packed(&self) -> Option<&Packed> {
        match &self.0 {
            Repr::Packed(packed) => Some(packed),
            Repr::Table(_) => None,
        }
    }

    /// Members and scores, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = (Entry<'_>, f64)> {
        let (mut packed, mut table) = (None, None);
        match &self.0 {
            Repr::Packed(all) => {
                packed =
                    Some(all.groups().map(|(_, [member, score])| (member, entry_score(score))));
            }
            Repr::Table(all) => {
                let members = all.members.iter();
                table = Some(members.map(|(_, scored)| scored.as_pair()));
            }
        }
        packed.into_iter().flatten().chain(table.into_iter().flatten())
    }

    /// Members and scores in ascending order, for saving.
    pub fn ordered(&self) -> Vec<(Entry<'_>, f64)> {
        let Repr::Table(table) = &self.0 else {
            // A listpack from a file may be out of order, which servers do not notice; then so be it.
            return self.iter().collect();
        };
        let mut all = Vec::with_capacity(table.members.len());
        let made = table.order.is_none().then(|| Order::of(&table.members));
        if let Some(order) = table.order.as_ref().or(made.as_ref()) {
            order.visit(0..table.members.len(), false, |slot| {
                all.extend(table.members.at(slot).map(Scored::as_pair));
                true
            });
        }
        all
    }

    /// Any member, each as likely as the other.
    pub fn random(&self, rng: &mut fastrand::Rng) -> Option<(Entry<'_>, f64)> {
        match &self.0 {
            Repr::Table(table) => table.members.at(table.members.random(rng)?).map(Scored::as_pair),
            _ if self.len() == 0 => None,
            _ => self.iter().nth(rng.usize(..self.len())),
        }
    }

    /// Visits the next members from `cursor` on (all of them, where they are few) and returns the cursor
    /// to go on with, 0 at the end.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(Entry<'_>, f64)) -> u64 {
        match &self.0 {
            Repr::Table(table) => table.members.scan(cursor, count, |_, scored| {
                visit(Entry::Str(&scored.member), scored.score);
            }),
            Repr::Packed(_) => {
                self.iter().for_each(|(member, score)| visit(member, score));
                0
            }
        }
    }

    /// A member's score.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.0 {
            Repr::Packed(packed) => {
                let (_, pos) = packed.at(packed.find::<2>(member)?)?;
                packed.at(pos).map(|(score, _)| entry_score(score))
            }
            Repr::Table(table) => table.members.get(member).map(|scored| scored.score),
        }
    }

    /// Gives a member a score; the answer is the one it had.
    pub fn insert(&mut self, member: &[u8], score: f64, limits: &PackedLimits) -> Option<f64> {
        let packed = match &mut self.0 {
            Repr::Table(table) => return table.insert(member, score),
            Repr::Packed(packed) => packed,
        };
        let pos = packed.find::<2>(member);
        let old =
            pos.and_then(|pos| packed.at(packed.at(pos)?.1)).map(|(score, _)| entry_score(score));
        match pos {
            Some(_) if old == Some(score) => {}
            Some(pos) => {
                packed.remove(pos, 2);
                insert_packed(packed, member, score, limits);
            }
            None if packed.len() / 2 < limits.zset_entries && member.len() <= limits.zset_value => {
                insert_packed(packed, member, score, limits);
            }
            None => {
                self.unfold();
                return self.insert(member, score, limits);
            }
        }
        old
    }

    /// Takes a member out; the answer is its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match &mut self.0 {
            Repr::Packed(packed) => {
                let pos = packed.find::<2>(member)?;
                let (score, _) = packed.at(packed.at(pos)?.1)?;
                let score = entry_score(score);
                packed.remove(pos, 2);
                Some(score)
            }
            Repr::Table(table) => table.remove(table.members.find(member)?),
        }
    }

    /// Makes this sorted set a table, whatever it was.
    pub fn unfold(&mut self) {
        if let Repr::Table(_) = self.0 {
            return;
        }
        let mut table = Box::<Table>::default();
        table.members.reserve(self.len());
        for (member, score) in self.iter() {
            table.insert(member.text(&mut [0; MAX_I64_TEXT]), score);
        }
        self.0 = Repr::Table(table);
    }

    /// Makes this sorted set a listpack if it is within the limits: what servers do with what ZUNIONSTORE
    /// and its like put together.
    pub fn fold(&mut self, limits: &PackedLimits) {
        let Repr::Table(table) = &self.0 else { return };
        let short = |(_, scored): (_, &Scored)| scored.member.len() <= limits.zset_value;
        if table.members.len() > limits.zset_entries || !table.members.iter().all(short) {
            return;
        }
        let mut packed = Packed::new();
        let mut text = Vec::new();
        for (member, score) in self.ordered() {
            let mut digits = [0; MAX_I64_TEXT];
            let member = Entry::from_text(member.text(&mut digits));
            packed.insert(packed.end(), &[member, score_entry(score, limits, &mut text)]);
        }
        self.0 = Repr::Packed(packed);
    }
}

impl Table {
    /// Gives a member a score; the answer is the one it had.
    fn insert(&mut self, member: &[u8], score: f64) -> Option<f64> {
        let make = || Scored { member: Bytes::new(member), score };
        let (slot, new) = self.members.find_or_insert(member, make);
        let old = self.members.at(slot).filter(|_| !new).map(|scored| scored.score);
        if old == Some(score) {
            return old;
        }
        if let (Some(order), false) = (&mut self.order, new) {
            order.remove(&self.members, slot);
        }
        if let Some(scored) = self.members.at_mut(slot) {
            scored.score = score;
            self.memory += if new { scored.member.heap() } else { 0 };
        }
        if let Some(order) = &mut self.order {
            order.insert(&self.members, slot);
        }
        self.forget_order();
        old
    }

    /// Takes a member out; the answer is its score.
    fn remove(&mut self, slot: Slot) -> Option<f64> {
        if let Some(order) = &mut self.order {
            order.remove(&self.members, slot);
        }
        let score = self.take(slot);
        self.forget_order();
        score
    }

    /// The same of one that is not in the order any more.
    fn take(&mut self, slot: Slot) -> Option<f64> {
        let scored = self.members.remove_at(slot)?;
        self.memory -= scored.member.heap();
        Some(scored.score)
    }

    /// Drops the order if nobody looks at it.
    fn forget_order(&mut self) {
        self.order.take_if(|order| order.is_forgotten(&self.members));
    }

    /// The order, made if need be, and the members.
    fn look(&mut self) -> (&mut Order, &Dict<Scored>) {
        let order = self.order.get_or_insert_with(|| Order::of(&self.members));
        order.look();
        (order, &self.members)
    }
}

/// Puts a new member in its place.
fn insert_packed(packed: &mut Packed, member: &[u8], score: f64, limits: &PackedLimits) {
    let pos = place(packed, member, score).unwrap_or(packed.end());
    let mut text = Vec::new();
    packed.insert(pos, &[Entry::from_text(member), score_entry(score, limits, &mut text)]);
}

/// Position of the first member that is to stand behind a new one; `None` if that comes last.
fn place(packed: &Packed, member: &[u8], score: f64) -> Option<usize> {
    let is_behind = |pos: usize| {
        let (other, score_pos) = packed.at(pos)?;
        let (other_score, next) = packed.at(score_pos)?;
        let (mut digits, other_score) = ([0; MAX_I64_TEXT], entry_score(other_score));
        // Most are told apart by their scores.
        let order = match other_score.partial_cmp(&score) {
            Some(Ordering::Equal) | None => {
                order((other_score, other.text(&mut digits)), (score, member))
            }
            Some(order) => order,
        };
        Some((order == Ordering::Greater, next))
    };
    // Many come in ascending order.
    let last = packed.before(packed.end()).and_then(|score_pos| packed.before(score_pos))?;
    if !is_behind(last)?.0 {
        return None;
    }
    let mut pos = packed.first();
    loop {
        match is_behind(pos)? {
            (true, _) => return Some(pos),
            (false, next) => pos = next,
        }
    }
}

impl Default for Zset {
    fn default() -> Self {
        Zset(Repr::Packed(Packed::new()))
    }
}

impl DataType for Zset {
    const TYPE: Type = Type::Zset;
    super::arm!(Zset);

    fn len(&self) -> usize {
        match &self.0 {
            Repr::Packed(packed) => packed.len() / 2,
            Repr::Table(table) => table.members.len(),
        }
    }

    fn memory(&self) -> usize {
        match &self.0 {
            Repr::Packed(packed) => packed.memory(),
            Repr::Table(table) => {
                let order = table.order.as_ref().map_or(0, Order::memory);
                block(size_of::<Table>()) + table.members.memory() + order + table.memory
            }
        }
    }

    fn encoding(&self) -> &'static str {
        match &self.0 {
            Repr::Packed(_) => "listpack",
            Repr::Table(_) => "skiplist",
        }
    }

    fn digest(&self, fold: &mut Fold) {
        for (member, score) in self.iter() {
            fold.element(|fold| {
                fold.mix_entry(member);
                fold.mix_score(score);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_form_holds_the_same_in_order() {
        let limits = PackedLimits { zset_entries: 20, zset_value: 40, ..PackedLimits::DEFAULT };
        let mut seen = std::collections::BTreeSet::new();
        let scores = [0.0, 1.0, 1.5, -2.25, 1e17, f64::INFINITY, f64::NEG_INFINITY, 0.1, 3e-7];
        for seed in 0..60 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (mut zset, mut model) = (Zset::default(), BTreeMap::<Vec<u8>, f64>::new());
            for _ in 0..200 {
                let member = rng.u64(..8 + seed).to_string().into_bytes();
                let score = scores[rng.usize(..scores.len())];
                match rng.u8(..4) {
                    0 => assert_eq!(zset.remove(&member), model.remove(&member)),
                    _ => assert_eq!(
                        zset.insert(&member, score, &limits),
                        model.insert(member, score)
                    ),
                }
                seen.insert(zset.encoding());
            }
            let mut want: Vec<_> = model.into_iter().collect();
            want.sort_by(|a, b| order((a.1, &a.0), (b.1, &b.0)));
            let got: Vec<_> = zset.ordered();
            let got =
                got.iter().map(|(m, score)| (m.text(&mut [0; MAX_I64_TEXT]).to_vec(), *score));
            assert_eq!(got.collect::<Vec<_>>(), want);
        }
        assert_eq!(seen.len(), 2, "every encoding came up: {seen:?}");
    }
}
