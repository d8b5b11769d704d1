//! Sums over keys: by type and encoding, by time to live, by prefix, and the biggest.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use hashbrown::HashMap;
use hdrhistogram::Histogram;

use crate::rdb::types::DataType;

/// Bytes of a key's name that a report keeps.
const NAME_KEPT: usize = 4096;

/// Prefixes kept; beyond twice as many, the smallest are put together.
const PREFIXES: usize = 20_000;

/// Bytes of a prefix that are told apart.
const PREFIX_LEN: usize = 256;

/// A key's name, cut short where it is absurdly long.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// The first bytes, all of them as a rule.
    pub bytes: Vec<u8>,
    /// Bytes of the whole name.
    pub len: usize,
}

impl Name {
    /// Of a name's bytes.
    pub fn of(bytes: &[u8]) -> Name {
        let kept = bytes.get(..NAME_KEPT).unwrap_or(bytes);
        Name { bytes: kept.to_vec(), len: bytes.len() }
    }
}

/// How a number is spread: exact ends, and percentiles to two digits.
#[derive(Debug, Clone, Default)]
pub struct Spread {
    min: u64,
    max: u64,
    /// How many there are.
    count: u64,
    /// None as long as all are alike, as the elements of strings are.
    histogram: Option<Histogram<u64>>,
}

impl Spread {
    /// Adds a number that is there so many times.
    #[inline]
    fn add(&mut self, value: u64, count: u64) {
        if self.histogram.is_none() && (self.count == 0 || value == self.min) {
            (self.min, self.max) = (value, value);
            self.count += count;
        } else {
            self.add_to_others(value, count);
        }
    }

    fn add_to_others(&mut self, value: u64, count: u64) {
        if let Some(histogram) = self.histogram() {
            // Values beyond what a histogram can grow to do not occur: they are sizes of what was read.
            let _ = histogram.record_n(value, count);
        }
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.count += count;
    }

    /// All there are so far, in a histogram.
    fn histogram(&mut self) -> Option<&mut Histogram<u64>> {
        if self.histogram.is_none() {
            let mut histogram = Histogram::new(2).ok()?;
            let _ = histogram.record_n(self.min, self.count);
            self.histogram = Some(histogram);
        }
        self.histogram.as_mut()
    }

    fn merge(&mut self, other: &Spread) {
        match &other.histogram {
            _ if other.count == 0 => {}
            _ if self.count == 0 => *self = other.clone(),
            None => self.add(other.min, other.count),
            Some(theirs) => {
                if let Some(mine) = self.histogram() {
                    let _ = mine.add(theirs);
                }
                self.min = self.min.min(other.min);
                self.max = self.max.max(other.max);
                self.count += other.count;
            }
        }
    }

    /// The smallest.
    pub fn min(&self) -> u64 {
        self.min
    }

    /// The largest.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The value that a share of all (0.5 = the median) do not exceed.
    pub fn quantile(&self, share: f64) -> u64 {
        let value = self.histogram.as_ref().map_or(self.min, |all| all.value_at_quantile(share));
        value.clamp(self.min, self.max)
    }
}

/// Keys of one type and encoding.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Keys.
    pub keys: u64,
    /// Elements: fields, members, entries, cells; a string has one.
    pub elements: u64,
    /// Bytes in the file.
    pub bytes: u64,
    /// Bytes of a key, when there is any.
    pub size: Option<Spread>,
    /// Elements of a key, when there is any.
    pub count: Option<Spread>,
}

impl Tally {
    /// Counts a key.
    pub fn add(&mut self, elements: u64, bytes: u64) {
        self.keys += 1;
        self.elements = self.elements.saturating_add(elements);
        self.bytes += bytes;
        self.size.get_or_insert_default().add(bytes, 1);
        self.count.get_or_insert_default().add(elements, 1);
    }

    /// Adds another tally.
    pub fn merge(&mut self, other: &Tally) {
        self.keys += other.keys;
        self.elements = self.elements.saturating_add(other.elements);
        self.bytes += other.bytes;
        for (mine, theirs) in [(&mut self.size, &other.size), (&mut self.count, &other.count)] {
            match (mine, theirs) {
                (Some(mine), Some(theirs)) => mine.merge(theirs),
                (mine @ None, Some(theirs)) => *mine = Some(theirs.clone()),
                (_, None) => {}
            }
        }
    }
}

/// Keys by type and encoding. There are few of these, and every key asks for one, so they are looked through and
/// not hashed; the same word of another place in the program has a tally of its own.
#[derive(Debug, Default)]
pub struct Tallies {
    rows: Vec<(DataType, &'static str, Tally)>,
    modules: HashMap<(String, &'static str), Tally>,
}

impl Tallies {
    /// That of a key.
    pub fn of(&mut self, data: DataType, encoding: &'static str, type_name: &str) -> &mut Tally {
        if data == DataType::Module {
            return self.modules.entry((type_name.to_owned(), encoding)).or_default();
        }
        let is = |row: &(DataType, &str, Tally)| row.0 == data && std::ptr::eq(row.1, encoding);
        let at = self.rows.iter().position(is).unwrap_or_else(|| {
            self.rows.push((data, encoding, Tally::default()));
            self.rows.len() - 1
        });
        &mut self.rows[at].2
    }

    /// Adds another's.
    pub fn merge(&mut self, other: Tallies) {
        for (data, encoding, tally) in other.rows {
            self.of(data, encoding, "").merge(&tally);
        }
        for (row, tally) in other.modules {
            self.modules.entry(row).or_default().merge(&tally);
        }
    }

    /// Type, encoding and tally; a row may come more than once.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &Tally)> {
        let rows =
            self.rows.iter().map(|(data, encoding, tally)| (data.as_str(), *encoding, tally));
        let modules = self.modules.iter();
        let modules = modules.map(|((name, encoding), tally)| (name.as_str(), *encoding, tally));
        rows.chain(modules)
    }
}

/// Keys by the time they have left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TtlTally {
    /// The expire has passed.
    pub expired: u64,
    /// Less than an hour.
    pub hour: u64,
    /// Less than a day.
    pub day: u64,
    /// Less than 30 days.
    pub month: u64,
    /// More.
    pub later: u64,
    /// No expire.
    pub none: u64,
}

impl TtlTally {
    /// Counts a key.
    pub fn add(&mut self, expire_at_ms: Option<i64>, now_ms: i64) {
        const HOUR: i64 = 3_600_000;
        let bucket = match expire_at_ms.map(|at| at.saturating_sub(now_ms)) {
            None => &mut self.none,
            Some(..0) => &mut self.expired,
            Some(0..HOUR) => &mut self.hour,
            Some(left) if left < 24 * HOUR => &mut self.day,
            Some(left) if left < 720 * HOUR => &mut self.month,
            Some(_) => &mut self.later,
        };
        *bucket += 1;
    }

    /// Adds another tally.
    pub fn merge(&mut self, other: &TtlTally) {
        self.expired += other.expired;
        self.hour += other.hour;
        self.day += other.day;
        self.month += other.month;
        self.later += other.later;
        self.none += other.none;
    }
}

/// The biggest of many, by a number; of equals the first in the file.
#[derive(Debug, Clone)]
pub struct Top<T> {
    limit: usize,
    rows: BTreeMap<Place, T>,
    /// The place that a row must come before, as soon as there are as many as are kept.
    last: Option<Place>,
}

/// A number, and where it was met.
type Place = (Reverse<u64>, u64);

impl<T> Top<T> {
    /// Keeps so many.
    pub fn new(limit: usize) -> Top<T> {
        Top { limit, rows: BTreeMap::new(), last: None }
    }

    /// Offers one; `make` is called only when it is big enough, which few are.
    #[inline(always)]
    pub fn offer(&mut self, value: u64, offset: u64, make: impl FnOnce() -> T) {
        let place = (Reverse(value), offset);
        if self.limit > 0 && self.last.is_none_or(|last| place < last) {
            self.keep(place, make());
        }
    }

    #[cold]
    fn keep(&mut self, place: Place, row: T) {
        self.rows.insert(place, row);
        if self.rows.len() > self.limit {
            self.rows.pop_last();
        }
        if self.rows.len() == self.limit {
            self.last = self.rows.last_key_value().map(|(place, _)| *place);
        }
    }

    /// Adds another's.
    pub fn merge(&mut self, other: Top<T>) {
        for ((Reverse(value), offset), row) in other.rows {
            self.offer(value, offset, || row);
        }
    }

    /// Biggest first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.rows.values()
    }
}

/// Keys of one prefix.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PrefixTally {
    /// Keys.
    pub keys: u64,
    /// Bytes in the file.
    pub bytes: u64,
    /// Keys with an expire.
    pub expires: u64,
}

impl PrefixTally {
    fn merge(&mut self, other: &PrefixTally) {
        self.keys += other.keys;
        self.bytes += other.bytes;
        self.expires += other.expires;
    }
}

/// Something that adds up, and how much of the file it stands for.
pub trait Amount: Default + Copy {
    /// Adds another.
    fn merge(&mut self, other: &Self);

    /// Bytes in the file.
    fn bytes(&self) -> u64;
}

impl Amount for PrefixTally {
    fn merge(&mut self, other: &Self) {
        PrefixTally::merge(self, other);
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Sums by name. Memory is bounded: where a file has too many, the smallest are put together, and since
/// that happens in the order of the file the result is the same for every number of jobs.
#[derive(Debug, Clone, Default)]
pub struct Bounded<T> {
    rows: HashMap<Vec<u8>, T>,
    /// What was put together.
    pub others: T,
}

impl<T: Amount> Bounded<T> {
    /// Counts one.
    pub fn add(&mut self, name: &[u8], one: &T) {
        self.rows.entry_ref(name).or_default().merge(one);
    }

    /// Adds those of the next chunk.
    pub fn merge(&mut self, other: Bounded<T>) {
        self.others.merge(&other.others);
        for (name, tally) in other.rows {
            self.rows.entry(name).or_default().merge(&tally);
        }
        if self.rows.len() > 2 * PREFIXES {
            self.prune();
        }
    }

    fn prune(&mut self) {
        let mut rows: Vec<_> = self.rows.drain().collect();
        rows.sort_by(|a, b| (Reverse(a.1.bytes()), &a.0).cmp(&(Reverse(b.1.bytes()), &b.0)));
        for (_, tally) in rows.split_off(PREFIXES) {
            self.others.merge(&tally);
        }
        self.rows = rows.into_iter().collect();
    }

    /// Most bytes first.
    pub fn sorted(&self) -> Vec<(&[u8], T)> {
        let mut rows: Vec<_> = self.rows.iter().map(|(p, t)| (p.as_slice(), *t)).collect();
        rows.sort_by(|a, b| (Reverse(a.1.bytes()), a.0).cmp(&(Reverse(b.1.bytes()), b.0)));
        rows
    }

    /// How many names are kept.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Keys by prefix.
#[derive(Debug, Clone, Default)]
pub struct Prefixes {
    rows: Bounded<PrefixTally>,
    /// Keys without a separator.
    pub without: PrefixTally,
}

impl Prefixes {
    /// Counts a key.
    pub fn add(&mut self, name: &[u8], separator: &[u8], depth: usize, one: PrefixTally) {
        match prefix(name, separator, depth) {
            None => self.without.merge(&one),
            Some(prefix) => self.rows.add(prefix, &one),
        }
    }

    /// Adds those of the next chunk.
    pub fn merge(&mut self, other: Prefixes) {
        self.without.merge(&other.without);
        self.rows.merge(other.rows);
    }

    /// Most bytes first.
    pub fn sorted(&self) -> Vec<(&[u8], PrefixTally)> {
        self.rows.sorted()
    }

    /// Those that were put together.
    pub fn others(&self) -> PrefixTally {
        self.rows.others
    }
}

/// The part of a name up to the `depth`-th separator, or to the last where there are fewer.
fn prefix<'n>(name: &'n [u8], separator: &[u8], depth: usize) -> Option<&'n [u8]> {
    if separator.is_empty() {
        return None;
    }
    let mut end = None;
    let mut from = 0;
    for _ in 0..depth {
        let rest = name.get(from..)?;
        let at = match separator {
            [byte] => memchr::memchr(*byte, rest),
            _ => memchr::memmem::find(rest, separator),
        };
        let Some(at) = at else { break };
        from += at + separator.len();
        end = Some(from);
    }
    let prefix = name.get(..end?)?;
    Some(prefix.get(..PREFIX_LEN).unwrap_or(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_names() {
        let rows: &[(&str, usize, Option<&str>)] = &[
            ("user:1:name", 1, Some("user:")),
            ("user:1:name", 2, Some("user:1:")),
            ("user:1:name", 9, Some("user:1:")),
            (":x", 1, Some(":")),
            ("plain", 1, None),
            ("", 1, None),
        ];
        for &(name, depth, want) in rows {
            let got = prefix(name.as_bytes(), b":", depth);
            assert_eq!(got, want.map(str::as_bytes), "{name} {depth}");
        }
    }

    #[test]
    fn prefixes_are_bounded_and_nothing_is_lost() {
        let mut prefixes = Prefixes::default();
        for n in 0..100_000u64 {
            let mut chunk = Prefixes::default();
            let one = PrefixTally { keys: 1, bytes: 10, expires: 0 };
            chunk.add(format!("{n}:x").as_bytes(), b":", 1, one);
            prefixes.merge(chunk);
        }
        assert!(prefixes.rows.len() <= 2 * PREFIXES);
        let kept: u64 = prefixes.sorted().iter().map(|(_, tally)| tally.keys).sum();
        assert_eq!(kept + prefixes.others().keys, 100_000);
    }

    /// However values come to be together, and whether or not they are alike, the spread is the same.
    #[test]
    fn spreads_of_parts_are_those_of_the_whole() {
        let of = |values: &[u64]| {
            let mut spread = Spread::default();
            values.iter().for_each(|value| spread.add(*value, 1));
            spread
        };
        let shown = |spread: &Spread| {
            [spread.min(), spread.quantile(0.2), spread.quantile(0.5), spread.max(), spread.count]
        };
        let lists: &[&[u64]] = &[&[], &[1, 1, 1], &[1], &[3, 3], &[1, 2, 3, 90], &[7, 1, 1, 1]];
        for a in lists {
            for b in lists {
                let mut merged = of(a);
                merged.merge(&of(b));
                assert_eq!(shown(&merged), shown(&of(&[*a, *b].concat())), "{a:?} {b:?}");
            }
        }
        assert_eq!(shown(&of(&[5, 1, 1, 1])), [1, 1, 1, 5, 4]);
        assert_eq!(shown(&of(&[4, 4])), [4, 4, 4, 4, 2]);
    }

    #[test]
    fn top_keeps_the_biggest_and_the_first_of_equals() {
        let mut top = Top::new(3);
        for (offset, value) in [5, 9, 9, 1, 9, 7].into_iter().enumerate() {
            top.offer(value, offset as u64, || (value, offset));
        }
        assert_eq!(top.iter().copied().collect::<Vec<_>>(), [(9, 1), (9, 2), (9, 4)]);
    }
}
