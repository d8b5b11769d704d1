//! Ranks, and the members between two of them.

use std::ops::Range;

use super::{Repr, Scored, Zset, entry_score};
use crate::encoding::Entry;
use crate::value::Packed;

impl Zset {
    /// A member's rank and score.
    pub fn rank(&mut self, member: &[u8]) -> Option<(usize, f64)> {
        match &mut self.0 {
            Repr::Packed(packed) => {
                let mut pairs = pairs(packed).enumerate();
                let wanted = Entry::from_text(member);
                let (rank, (_, score)) = pairs.find(|(_, (other, _))| *other == wanted)?;
                Some((rank, score))
            }
            Repr::Table(table) => {
                let score = table.members.get(member)?.score;
                let (order, members) = table.look();
                let before =
                    |other: &Scored| super::order(other.sort_key(), (score, member)).is_lt();
                Some((order.count(members, before), score))
            }
        }
    }

    /// The ranks of the members that are at least a lower and at most an upper bound, which must agree
    /// with the order.
    ///
    /// A listpack is walked from its beginning or from its end, as servers do, if its last member is at least
    /// the lower bound and its first at most the upper: they may find something else than we would where it is out of
    /// order, or the bounds are of members and not all scores are the same.
    pub fn between(
        &mut self,
        least: impl Fn(Entry<'_>, f64) -> bool,
        most: impl Fn(Entry<'_>, f64) -> bool,
        backwards: bool,
    ) -> Range<usize> {
        match &mut self.0 {
            Repr::Packed(packed) => {
                let all: Vec<_> = pairs(packed).collect();
                let fits =
                    |bound: &dyn Fn(Entry<'_>, f64) -> bool, (member, score)| bound(member, score);
                let reaches = all.last().is_some_and(|pair| fits(&least, *pair))
                    && all.first().is_some_and(|pair| fits(&most, *pair));
                if !reaches {
                    0..0
                } else if backwards {
                    let end =
                        all.iter().rposition(|pair| fits(&most, *pair)).map_or(0, |at| at + 1);
                    let inside = all.iter().take(end).rev().take_while(|pair| fits(&least, **pair));
                    end - inside.count()..end
                } else {
                    let start =
                        all.iter().position(|pair| fits(&least, *pair)).unwrap_or(all.len());
                    let inside = all.iter().skip(start).take_while(|pair| fits(&most, **pair));
                    start..start + inside.count()
                }
            }
            Repr::Table(table) => {
                let (order, members) = table.look();
                let fits = |bound: &dyn Fn(Entry<'_>, f64) -> bool, scored: &Scored| {
                    let (member, score) = scored.as_pair();
                    bound(member, score)
                };
                let start = order.count(members, |scored| !fits(&least, scored));
                let end = order.count(members, |scored| fits(&most, scored));
                start..end.max(start)
            }
        }
    }

    /// Is a range of members (not of scores) left to chance? That is so where a server has a skiplist and scores
    /// differ: what it finds hangs on how high its towers are.
    pub fn is_mixed_table(&mut self) -> bool {
        let Repr::Table(table) = &mut self.0 else { return false };
        let (order, members) = table.look();
        let mut scores = Vec::new();
        let len = members.len();
        for rank in [0, len.saturating_sub(1)] {
            order.visit(rank..len.min(rank + 1), false, |slot| {
                scores.extend(members.at(slot).map(|scored| scored.score));
                true
            });
        }
        matches!(scores.as_slice(), [first, last] if first != last)
    }

    /// Visits the members between two ranks, in ascending or descending order, until `visit` says stop.
    pub fn visit(
        &mut self,
        ranks: Range<usize>,
        backwards: bool,
        mut visit: impl FnMut(Entry<'_>, f64) -> bool,
    ) {
        match &mut self.0 {
            Repr::Packed(packed) => {
                let mut part: Vec<_> = pairs(packed).skip(ranks.start).take(ranks.len()).collect();
                if backwards {
                    part.reverse();
                }
                part.into_iter().all(|(member, score)| visit(member, score));
            }
            Repr::Table(table) => {
                let (order, members) = table.look();
                order.visit(ranks, backwards, |slot| {
                    let pair = members.at(slot).map(Scored::as_pair);
                    pair.is_some_and(|(member, score)| visit(member, score))
                });
            }
        }
    }

    /// Takes the members between two ranks out. How many were there?
    pub fn remove_ranks(&mut self, ranks: Range<usize>) -> usize {
        match &mut self.0 {
            Repr::Packed(packed) => {
                let before = packed.len();
                if let Some(pos) = packed.seek(ranks.start.saturating_mul(2)) {
                    packed.remove(pos, ranks.len().saturating_mul(2));
                }
                (before - packed.len()) / 2
            }
            Repr::Table(table) => {
                let gone = table.look().0.drain(ranks);
                gone.iter().for_each(|slot| {
                    table.take(*slot);
                });
                gone.len()
            }
        }
    }
}

fn pairs(packed: &Packed) -> impl Iterator<Item = (Entry<'_>, f64)> {
    packed.groups().map(|(_, [member, score])| (member, entry_score(score)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::order;
    use super::*;
    use crate::encoding::number::MAX_I64_TEXT;
    use crate::value::{DataType, PackedLimits};

    type Model = Vec<(f64, Vec<u8>)>;

    /// The place of a pair in the model, or the one it would have.
    fn seek(model: &Model, score: f64, member: &[u8]) -> Result<usize, usize> {
        model.binary_search_by(|(s, m)| order((*s, m), (score, member)))
    }

    fn visited(zset: &mut Zset, ranks: Range<usize>, backwards: bool) -> Model {
        let mut seen = Model::new();
        zset.visit(ranks, backwards, |member, score| {
            seen.push((score, member.text(&mut [0; MAX_I64_TEXT]).to_vec()));
            true
        });
        seen
    }

    /// Looks at a random part of the order and compares it with the model.
    fn compare(zset: &mut Zset, model: &Model, rng: &mut fastrand::Rng) {
        let (min, max) = (rng.i32(-60..60).into(), rng.i32(-60..60).into());
        let ranks = zset.between(|_, s| s >= min, |_, s| s < max, rng.bool());
        let start = model.partition_point(|(s, _)| *s < min);
        let want = start..model.partition_point(|(s, _)| *s < max).max(start);
        assert!(ranks == want || ranks.is_empty() && want.is_empty(), "{ranks:?} {want:?}");
        let part = rng.usize(..=model.len());
        let part = part..rng.usize(part..=model.len()).min(part + 3000);
        let want = model[part.clone()].to_vec();
        assert_eq!(visited(zset, part.clone(), false), want);
        assert_eq!(visited(zset, part, true), want.into_iter().rev().collect::<Model>());
    }

    /// Random changes with looks at the order between them, against a sorted vector: a few members (a
    /// listpack), hundreds, and so many that blocks split and join.
    #[test]
    fn behaves_like_a_sorted_vector() {
        for (seed, members) in [(1, 100), (2, 300), (3, 3000), (4, 20_000)] {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (mut zset, mut model) = (Zset::default(), Model::new());
            for step in 0..4 * members {
                let member = rng.usize(..members).to_string().into_bytes();
                let old = zset.score(&member);
                let place = old.map(|old| seek(&model, old, &member).unwrap());
                match rng.u8(..10) {
                    0 => {
                        assert_eq!(zset.remove(&member), old);
                        place.map(|at| model.remove(at));
                    }
                    1 => assert_eq!(zset.rank(&member).map(|(rank, _)| rank), place),
                    2 if rng.usize(..members) < 20 => {
                        let start = rng.usize(..=model.len());
                        let end = rng.usize(start..=model.len()).min(start + members / 3);
                        assert_eq!(zset.remove_ranks(start..end), end - start);
                        model.drain(start..end);
                    }
                    _ => {
                        let score =
                            [0.0, -0.0, 1e300, rng.i32(-50..50).into(), rng.f64()][rng.usize(..5)];
                        assert_eq!(zset.insert(&member, score, &PackedLimits::DEFAULT), old);
                        // −0 in the place of 0 is no change, and a listpack knows no −0.
                        if old != Some(score) {
                            place.map(|at| model.remove(at));
                            let at = seek(&model, score, &member).unwrap_err();
                            model.insert(at, (score, member));
                        }
                    }
                }
                assert_eq!(zset.len(), model.len());
                if step % (members / 20) == 0 {
                    compare(&mut zset, &model, &mut rng);
                }
            }
            let ordered: Model = zset
                .ordered()
                .into_iter()
                .map(|(member, score)| (score, member.text(&mut [0; MAX_I64_TEXT]).to_vec()))
                .collect();
            assert_eq!(ordered, model);
        }
    }

    /// The order is there after a look, follows changes, and is dropped when nobody looks any more.
    #[test]
    fn the_order_is_dropped_when_nobody_looks() {
        let mut zset = Zset::default();
        let add = |zset: &mut Zset, n: usize| {
            zset.insert(format!("m{n}").as_bytes(), n as f64, &PackedLimits::DEFAULT);
        };
        let has_order =
            |zset: &Zset| matches!(&zset.0, Repr::Table(table) if table.order.is_some());
        (0..2000).for_each(|n| add(&mut zset, n));
        assert!(!has_order(&zset));
        assert_eq!(zset.rank(b"m7"), Some((7, 7.0)));
        for n in 2000..10_000 {
            add(&mut zset, n);
            assert!(has_order(&zset));
            assert_eq!(zset.rank(b"m1999"), Some((1999, 1999.0)));
        }
        (10_000..12_000).for_each(|n| add(&mut zset, n));
        assert!(!has_order(&zset));
    }
}
