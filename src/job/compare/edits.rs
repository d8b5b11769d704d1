//! How one value became another: elements removed, added and changed.
//!
//! Elements that have a name, a field or a member or an id or an index, are held side by side by their names.
//! Those of a list have none: there the fewest edits are looked for, or nearly the fewest, in what is left
//! between the beginning and the end that both lists share. Where that is long too, its positions are
//! compared one by one, which is said ([`Edits::by_position`]).

use std::cmp::Ordering;
use std::ops::Range;

use imara_diff::{Algorithm, Diff, InternedInput};

use crate::job::look::{Row, name_width, state, trimmed};
use crate::value::Value;
use crate::value::vectorset::Element;

/// Items of both lists together between which the fewest edits are looked for: some hundreds of millions of
/// steps at the worst.
const SEARCHED_MAX: usize = 200_000;

/// Bytes that are shown of a string that changed, and those of them before the change.
const SHOWN: usize = 64;
const BEFORE: usize = 16;

/// An element that was removed (only `a`), added (only `b`) or changed. Its name, or its position in that
/// list, comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What it was.
    pub a: Option<Row>,
    /// What it is.
    pub b: Option<Row>,
}

/// The edits of a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edits {
    /// How many elements were removed.
    pub removed: u64,
    /// How many were added.
    pub added: u64,
    /// How many have another content, score or time.
    pub changed: u64,
    /// The first edits, as many as were asked for.
    pub first: Vec<Edit>,
    /// The positions of a list were compared one by one, as there were too many: an item put into its
    /// middle changes all behind it then.
    pub by_position: bool,
}

impl Edits {
    /// All of them.
    pub fn count(&self) -> u64 {
        self.removed + self.added + self.changed
    }

    fn push(&mut self, a: Option<Row>, b: Option<Row>, most: usize) {
        match (&a, &b) {
            (Some(_), None) => self.removed += 1,
            (None, Some(_)) => self.added += 1,
            _ => self.changed += 1,
        }
        if self.first.len() < most {
            self.first.push(Edit { a, b });
        }
    }
}

/// The elements of two values of the same type. Times of fields are left out if `ignore_ttl`.
pub fn elements(a: &Value, b: &Value, ignore_ttl: bool, most: usize) -> Edits {
    let (a_rows, b_rows) = (trimmed(a, ignore_ttl), trimmed(b, ignore_ttl));
    match a {
        Value::List(_) => sequence(a_rows, b_rows, most),
        Value::Stream(_) | Value::Array(_) => named(a_rows, b_rows, |_| 1, by_number, most),
        Value::VectorSet(_) => named(vectors(a), vectors(b), |_| 1, Ord::cmp, most),
        _ => named(a_rows, b_rows, |_| 1, Ord::cmp, most),
    }
}

/// Elements of a vector set with attributes and vectors.
fn vectors(value: &Value) -> Vec<Row> {
    let Value::VectorSet(set) = value else { return Vec::new() };
    let row = |element: &Element| {
        let attributes = element.attributes().unwrap_or_default();
        vec![element.name().to_vec(), attributes.to_vec(), element.stored().to_vec()]
    };
    set.iter().map(row).collect()
}

/// What two values keep beside their elements, with or without pending entries that are gone.
pub fn states(a: &Value, b: &Value, with_gone: bool, most: usize) -> Edits {
    named(state(a, with_gone), state(b, with_gone), name_width, Ord::cmp, most)
}

/// Rows that have a name in their first `width` texts.
fn named(
    mut a: Vec<Row>,
    mut b: Vec<Row>,
    width: impl Fn(&Row) -> usize,
    order: impl Fn(&[Vec<u8>], &[Vec<u8>]) -> Ordering,
    most: usize,
) -> Edits {
    let by_name = |a: &Row, b: &Row| {
        order(a.get(..width(a)).unwrap_or_default(), b.get(..width(b)).unwrap_or_default())
    };
    a.sort_by(by_name);
    b.sort_by(by_name);
    let (mut a, mut b) = (a.into_iter().peekable(), b.into_iter().peekable());
    let mut edits = Edits::default();
    loop {
        let order = match (a.peek(), b.peek()) {
            (None, None) => return edits,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => by_name(a, b),
        };
        let left = if order.is_le() { a.next() } else { None };
        let right = if order.is_ge() { b.next() } else { None };
        if left != right {
            edits.push(left, right, most);
        }
    }
}

/// The order of ids of streams and of indexes.
fn by_number(a: &[Vec<u8>], b: &[Vec<u8>]) -> Ordering {
    let numbers = |name: &[Vec<u8>]| {
        let text = name.first().map(|text| String::from_utf8_lossy(text).into_owned());
        let text = text.unwrap_or_default();
        let (ms, seq) = text.split_once('-').unwrap_or((&text, "0"));
        (ms.parse::<u64>().unwrap_or_default(), seq.parse::<u64>().unwrap_or_default())
    };
    numbers(a).cmp(&numbers(b))
}

/// The items of two lists.
fn sequence(a: Vec<Row>, b: Vec<Row>, most: usize) -> Edits {
    let before = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let rest = |rows: &[Row]| rows.len() - before;
    let behind = a.iter().rev().zip(b.iter().rev()).take(rest(&a).min(rest(&b)));
    let behind = behind.take_while(|(a, b)| a == b).count();
    let (a_end, b_end) = (a.len() - behind, b.len() - behind);
    let mut edits = Edits::default();
    let item = |rows: &[Row], at: usize| {
        let item = rows.get(at).into_iter().flatten().cloned();
        std::iter::once(at.to_string().into_bytes()).chain(item).collect::<Row>()
    };
    let mut hunk = |from: Range<usize>, to: Range<usize>| {
        for step in 0..from.len().max(to.len()) {
            let place =
                |range: &Range<usize>| Some(range.start + step).filter(|at| *at < range.end);
            let (left, right) = (place(&from), place(&to));
            if let (Some(left), Some(right)) = (left, right)
                && a.get(left) == b.get(right)
            {
                continue;
            }
            edits.push(left.map(|at| item(&a, at)), right.map(|at| item(&b, at)), most);
        }
    };
    let middle = |rows: &'_ [Row], end: usize| rows.get(before..end).unwrap_or_default().to_vec();
    let by_position = (a_end - before) + (b_end - before) > SEARCHED_MAX;
    if by_position {
        hunk(before..a_end, before..b_end);
    } else {
        let mut input = InternedInput::default();
        input.update_before(middle(&a, a_end).into_iter());
        input.update_after(middle(&b, b_end).into_iter());
        let at = |range: Range<u32>| before + range.start as usize..before + range.end as usize;
        for found in Diff::compute(Algorithm::Myers, &input).hunks() {
            hunk(at(found.before), at(found.after));
        }
    }
    edits.by_position = by_position;
    edits
}

/// How one run of bytes became another: what is between the beginning and the end that both share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Bytes of each.
    pub len: (u64, u64),
    /// Where the first byte is that differs.
    pub at: u64,
    /// How many bytes from there on became how many others.
    pub changed: (u64, u64),
    /// Where what is shown begins.
    pub from: u64,
    /// Some bytes of the first, around the change.
    pub a: Vec<u8>,
    /// And of the second.
    pub b: Vec<u8>,
}

impl Span {
    /// Of two texts that differ.
    pub fn new(a: &[u8], b: &[u8]) -> Span {
        let at = a.iter().zip(b).take_while(|(a, b)| a == b).count();
        let rest = |text: &[u8]| text.len() - at;
        let behind = a.iter().rev().zip(b.iter().rev()).take(rest(a).min(rest(b)));
        let behind = behind.take_while(|(a, b)| a == b).count();
        // What is short is shown whole.
        let from = if a.len().max(b.len()) <= SHOWN { 0 } else { at.saturating_sub(BEFORE) };
        let shown = |text: &[u8]| text.iter().skip(from).take(SHOWN).copied().collect();
        Span {
            len: (a.len() as u64, b.len() as u64),
            at: at as u64,
            changed: ((rest(a) - behind) as u64, (rest(b) - behind) as u64),
            from: from as u64,
            a: shown(a),
            b: shown(b),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::PackedLimits;
    use crate::value::{End, Hash, List};
    use proptest::prelude::*;

    fn list(items: impl IntoIterator<Item = String>) -> Value {
        let mut list = List::default();
        let limits = PackedLimits::DEFAULT;
        items.into_iter().for_each(|item| list.push(End::Back, item.as_bytes(), &limits));
        list.into()
    }

    fn words(edits: &Edits) -> Vec<String> {
        let row = |row: &Row| String::from_utf8_lossy(&row.join(&b'=')).into_owned();
        let words = edits.first.iter().map(|edit| match (&edit.a, &edit.b) {
            (Some(a), None) => format!("-{}", row(a)),
            (None, Some(b)) => format!("+{}", row(b)),
            (Some(a), Some(b)) => format!("{}~{}", row(a), row(b)),
            (None, None) => "nothing".to_owned(),
        });
        words.collect()
    }

    #[test]
    fn of_a_queue_only_its_ends_change() {
        let numbers = |range: Range<u32>| list(range.map(|n| n.to_string()));
        let edits = elements(&numbers(0..5000), &numbers(2..5001), false, 10);
        assert_eq!(words(&edits), ["-0=0", "-1=1", "+4998=5000"]);
        assert_eq!((edits.removed, edits.added, edits.changed), (2, 1, 0));
    }

    #[test]
    fn items_that_have_nothing_in_common() {
        let (a, b) = (list(["a", "b", "c"].map(String::from)), list(["x", "c"].map(String::from)));
        assert_eq!(words(&elements(&a, &b, false, 10)), ["0=a~0=x", "-1=b"]);
        assert_eq!(words(&elements(&a, &b, false, 1)), ["0=a~0=x"]);
        assert_eq!(elements(&a, &b, false, 1).count(), 2);
    }

    #[test]
    fn too_many_items_are_compared_by_position() {
        let (a, b) =
            (list((0..100_001).map(|n| n.to_string())), list((1..100_001).map(|n| n.to_string())));
        let edits = elements(&a, &b, false, 0);
        // Beginning and end are shared by nothing here but the last item.
        assert!(!edits.by_position || edits.count() == 100_001, "{edits:?}");
        let c = list((0..100_001).map(|n| (n + 1).to_string()));
        let edits = elements(&a, &c, false, 2);
        assert!(edits.by_position);
        assert_eq!(edits.changed, 100_001);
    }

    #[test]
    fn fields_by_name() {
        let limits = PackedLimits::DEFAULT;
        let hash = |pairs: &[(&str, &str)]| {
            let mut hash = Hash::default();
            for (name, value) in pairs {
                hash.set(name.as_bytes(), value.as_bytes(), &limits);
            }
            hash
        };
        let a = hash(&[("name", "Ann"), ("age", "7"), ("city", "Bern")]);
        let mut b = hash(&[("city", "Bern"), ("name", "Anna"), ("zip", "3000")]);
        b.set_expire(b"city", Some(99));
        let (a, b) = (a.into(), b.into());
        let edits = elements(&a, &b, false, 10);
        assert_eq!(
            words(&edits),
            ["-age=7", "city=Bern~city=Bern=99", "name=Ann~name=Anna", "+zip=3000"]
        );
        assert_eq!(elements(&a, &b, true, 10).changed, 1);
    }

    #[test]
    fn spans() {
        let span = Span::new(b"status=ok;", b"status=failed;");
        assert_eq!((span.len, span.at, span.changed), ((10, 14), 7, (2, 6)));
        assert_eq!(
            (span.from, &span.a[..], &span.b[..]),
            (0, &b"status=ok;"[..], &b"status=failed;"[..])
        );
        let long = [b'x'; 1000];
        let mut other = long;
        other[500] = b'y';
        let span = Span::new(&long, &other);
        assert_eq!((span.at, span.changed, span.from, span.a.len()), (500, (1, 1), 484, 64));
        // The same byte again and again: it counts once.
        assert_eq!(Span::new(b"aa", b"aaa").changed, (0, 1));
    }

    proptest! {
        /// Undone from the last to the first, the edits of a list make the old one of the new one.
        #[test]
        fn edits_of_lists_are_exact(
            a in proptest::collection::vec(0..6u8, 0..40),
            b in proptest::collection::vec(0..6u8, 0..40),
        ) {
            let of = |items: &[u8]| list(items.iter().map(u8::to_string));
            let edits = elements(&of(&a), &of(&b), false, usize::MAX);
            let number = |row: &Row, at: usize| -> usize {
                String::from_utf8_lossy(&row[at]).parse().unwrap_or(usize::MAX)
            };
            let gone: Vec<usize> = edits.first.iter().filter_map(|e| e.a.as_ref()).map(|r| number(r, 0)).collect();
            let come: Vec<usize> = edits.first.iter().filter_map(|e| e.b.as_ref()).map(|r| number(r, 0)).collect();
            let keep = |items: &[u8], not: &[usize]| -> Vec<u8> {
                let kept = items.iter().enumerate().filter(|(at, _)| !not.contains(at));
                kept.map(|(_, item)| *item).collect()
            };
            prop_assert_eq!(keep(&a, &gone), keep(&b, &come));
            prop_assert_eq!(a == b, edits.count() == 0);
        }
    }
}
