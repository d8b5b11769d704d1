//! Findings, up to a limit.

use std::collections::HashSet;
use std::ops::Deref;

use super::{Code, Finding};
use crate::limits::HASH_PACKED;

/// Findings up to a limit; those beyond it are counted. Of each kind the first is kept whatever the limit: who
/// judges a file by what was found in it, misses nothing for that.
#[derive(Debug, Clone)]
pub struct Findings {
    list: Vec<Finding>,
    kinds: HashSet<Kind>,
    limit: usize,
    dropped: u64,
}

impl Findings {
    /// None yet, and room for so many.
    pub fn new(limit: usize) -> Findings {
        Findings { list: Vec::new(), kinds: HashSet::new(), limit, dropped: 0 }
    }

    /// Adds one, if there is room for it or it is the first of its kind.
    #[cold]
    pub fn add(&mut self, finding: Finding) {
        let is_first = self.kinds.insert(Kind::of(&finding));
        if is_first || self.list.len() < self.limit {
            self.list.push(finding);
        } else {
            self.dropped += 1;
        }
    }

    /// Moves all of `other`, which come behind those that are here.
    #[inline]
    pub fn append(&mut self, other: &mut Findings) {
        if other.count() > 0 {
            self.append_some(other);
        }
    }

    #[cold]
    fn append_some(&mut self, other: &mut Findings) {
        self.dropped += std::mem::take(&mut other.dropped);
        other.kinds.clear();
        other.list.drain(..).for_each(|finding| self.add(finding));
    }

    /// Counts so many that were found and are not at hand.
    pub fn count_more(&mut self, count: u64) {
        self.dropped += count;
    }

    /// Takes in those of another thread, up to [`Findings::sort`] without a limit: they come before, behind and
    /// between those that are here.
    pub fn merge(&mut self, other: Findings) {
        self.dropped += other.dropped;
        self.list.extend(other.list);
    }

    /// Puts them in the order of their places, of which the first ones stay: each thread has its own first ones,
    /// so they are there.
    pub fn sort(&mut self) {
        let mut sorted = Findings { dropped: self.dropped, ..Findings::new(self.limit) };
        self.list.sort_by_key(|finding| finding.span.start);
        self.list.drain(..).for_each(|finding| sorted.add(finding));
        *self = sorted;
    }

    /// None again.
    #[inline]
    pub fn clear(&mut self) {
        if self.count() > 0 {
            *self = Findings::new(self.limit);
        }
    }

    /// How many were found.
    #[inline]
    pub fn count(&self) -> u64 {
        self.list.len() as u64 + self.dropped
    }

    /// How many of them are not kept.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Those that are kept, to add to what they say.
    #[inline]
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Finding> {
        self.list.iter_mut()
    }
}

/// What servers tell apart: the code, the type of the value, and whether they build it packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Kind {
    code: Code,
    type_name: &'static str,
    packs: bool,
}

impl Kind {
    fn of(finding: &Finding) -> Kind {
        let key = finding.key.as_ref();
        let packs = key.and_then(|key| key.elements).is_some_and(|n| n <= HASH_PACKED);
        Kind { code: finding.code, type_name: key.map_or("", |key| key.type_name), packs }
    }
}

/// Those that are kept.
impl Deref for Findings {
    type Target = [Finding];

    #[inline]
    fn deref(&self) -> &[Finding] {
        &self.list
    }
}

impl<'a> IntoIterator for &'a Findings {
    type Item = &'a Finding;
    type IntoIter = std::slice::Iter<'a, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl Extend<Finding> for Findings {
    fn extend<I: IntoIterator<Item = Finding>>(&mut self, findings: I) {
        findings.into_iter().for_each(|finding| self.add(finding));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::KeyPlace;

    fn finding(code: Code, at: u64, type_name: &'static str) -> Finding {
        let key = KeyPlace { db: 0, key: Vec::new(), type_name, elements: None };
        Finding { key: Some(key), ..Finding::new(code, at..at + 1, "", "") }
    }

    fn places(findings: &Findings) -> Vec<u64> {
        findings.iter().map(|finding| finding.span.start).collect()
    }

    #[test]
    fn the_first_of_each_kind_is_kept_whatever_the_limit() {
        for (limit, kept) in [(0, vec![0, 4, 5]), (1, vec![0, 4, 5]), (3, vec![0, 1, 2, 4, 5])] {
            let mut findings = Findings::new(limit);
            findings.extend((0..4).map(|at| finding(Code::EmptyCollection, at, "set")));
            findings.extend((4..5).map(|at| finding(Code::LpEntry, at, "set")));
            findings.extend((5..9).map(|at| finding(Code::LpEntry, at, "hash")));
            assert_eq!(places(&findings), kept, "limit {limit}");
            assert_eq!((findings.count(), findings.dropped()), (9, 9 - kept.len() as u64));
        }
    }

    /// However they were shared out, the same are kept as where one after the other was found.
    #[test]
    fn those_of_threads_put_together_are_those_of_one() {
        let all: Vec<Finding> = (0..60)
            .map(|at| finding(if at % 7 == 5 { Code::LpEntry } else { Code::PelDangling }, at, ""))
            .collect();
        for limit in [0, 1, 5, 100] {
            let mut alone = Findings::new(limit);
            alone.extend(all.iter().cloned());
            let (mut together, mut other) = (Findings::new(limit), Findings::new(limit));
            for (at, finding) in all.iter().enumerate() {
                let of = if at % 3 == 0 { &mut together } else { &mut other };
                of.add(finding.clone());
            }
            together.merge(other);
            together.sort();
            assert_eq!(places(&together), places(&alone), "limit {limit}");
            assert_eq!(together.dropped(), alone.dropped());
        }
    }
}
