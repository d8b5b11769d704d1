//! Intset, a small set of integers (FORMATS A.6).
//!
//! ```text
//! u32le width (2, 4 or 8) | u32le count | count × signed le integer, strictly ascending
//! ```
//!
//! The width is that of the widest integer the set ever held, so it may be more than is needed now.

use crate::error::Fault;
use crate::finding::Code;

/// Bytes before the first integer.
const HEADER: usize = 8;

/// The integers of an intset, in the order they are stored.
#[derive(Debug, Clone)]
pub struct Ints<'a> {
    rest: &'a [u8],
    width: usize,
}

/// The integers of the intset that fills `blob`, whose header must be right.
pub fn ints(blob: &[u8]) -> Result<Ints<'_>, nom::Err<Fault>> {
    let bad = |expected: &'static str, found: String| {
        Fault::err(Code::IntsetHeader, blob, HEADER, expected, found)
    };
    let Some((&[a, b, c, d, e, f, g, h], rest)) = blob.split_first_chunk::<HEADER>() else {
        return bad("8 bytes or more", format!("{} bytes", blob.len()));
    };
    let (width, count) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
    if !matches!(width, 2 | 4 | 8) {
        return bad("a width of 2, 4 or 8", format!("{width}"));
    }
    if count == 0 {
        return bad("an integer or more", "a count of 0".into());
    }
    if u64::from(width) * u64::from(count) != rest.len() as u64 {
        let found = format!("{count} of {width} bytes for {} bytes", rest.len());
        return bad("as many integers as there are bytes for", found);
    }
    Ok(Ints { rest, width: width as usize })
}

impl<'a> Ints<'a> {
    /// Whether the integers from here on are strictly ascending. Servers that validate deeply refuse a
    /// set that is not; others search it by halves and miss members.
    pub fn check_order(&self) -> Result<(), nom::Err<Fault>> {
        let mut ints = self.clone();
        let mut before = None;
        loop {
            let at = ints.rest;
            match (before, ints.next()) {
                (_, None) => return Ok(()),
                (Some(low), Some(value)) if low >= value => {
                    let expected = format!("an integer above {low}");
                    let found = format!("{value}");
                    return Fault::err(Code::IntsetOrder, at, self.width, expected, found);
                }
                (_, value) => before = value,
            }
        }
    }

    /// What has not been read: a suffix of the intset.
    pub fn remaining(&self) -> &'a [u8] {
        self.rest
    }
}

impl Iterator for Ints<'_> {
    type Item = i64;

    #[inline]
    fn next(&mut self) -> Option<i64> {
        let (bytes, rest) = self.rest.split_at_checked(self.width)?;
        self.rest = rest;
        match *bytes {
            [a, b] => Some(i16::from_le_bytes([a, b]).into()),
            [a, b, c, d] => Some(i32::from_le_bytes([a, b, c, d]).into()),
            [a, b, c, d, e, f, g, h] => Some(i64::from_le_bytes([a, b, c, d, e, f, g, h])),
            _ => None,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = self.rest.len() / self.width;
        (count, Some(count))
    }
}

impl ExactSizeIterator for Ints<'_> {}

/// Appends an intset of `sorted`, which is strictly ascending and not empty, in the least width.
pub fn write(sorted: &[i64], out: &mut Vec<u8>) {
    let fits = |low, high| sorted.iter().all(|value| (low..=high).contains(value));
    let width = if fits(i16::MIN.into(), i16::MAX.into()) {
        2
    } else if fits(i32::MIN.into(), i32::MAX.into()) {
        4
    } else {
        8
    };
    out.extend_from_slice(&(width as u32).to_le_bytes());
    out.extend_from_slice(&(sorted.len() as u32).to_le_bytes());
    for value in sorted {
        out.extend_from_slice(&value.to_le_bytes()[..width]);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::collection::btree_set;
    use proptest::prelude::*;

    use super::*;
    use crate::encoding::number::parse_i64;
    use crate::encoding::testing::{damaged, packed_rows, place};

    const SERVER: &str = include_str!("../../testdata/intset/redis-7.0.15.tsv");

    fn read(blob: &[u8]) -> Result<Vec<i64>, (Code, usize)> {
        let fault = |err| place(err, blob);
        let ints = ints(blob).map_err(fault)?;
        ints.check_order().map_err(fault)?;
        let count = ints.len();
        let all: Vec<_> = ints.collect();
        assert_eq!(all.len(), count);
        Ok(all)
    }

    #[test]
    fn reads_and_writes_what_a_server_wrote() {
        for (blob, elements) in packed_rows(SERVER) {
            let mut values: Vec<_> = elements.iter().filter_map(|text| parse_i64(text)).collect();
            assert_eq!(values.len(), elements.len());
            values.sort_unstable();
            assert_eq!(read(&blob), Ok(values.clone()));
            let mut out = Vec::new();
            write(&values, &mut out);
            assert_eq!(out, blob);
        }
    }

    #[test]
    fn a_width_beyond_need_is_read() {
        assert_eq!(read(b"\x04\0\0\0\x02\0\0\0\xff\xff\xff\xff\x01\0\0\0"), Ok(vec![-1, 1]));
        assert_eq!(read(b"\x08\0\0\0\x01\0\0\0\xfe\xff\xff\xff\xff\xff\xff\xff"), Ok(vec![-2]));
    }

    #[test]
    fn faults() {
        use Code::{IntsetHeader, IntsetOrder};
        let table: &[(&str, &[u8], Code, usize)] = &[
            ("no bytes", b"", IntsetHeader, 0),
            ("seven bytes", b"\x02\0\0\0\0\0\0", IntsetHeader, 0),
            ("empty", b"\x02\0\0\0\0\0\0\0", IntsetHeader, 0),
            ("width 0", b"\0\0\0\0\x01\0\0\0", IntsetHeader, 0),
            ("width 3", b"\x03\0\0\0\x01\0\0\0\x01\0\0", IntsetHeader, 0),
            ("width 16", b"\x10\0\0\0\x01\0\0\x000123456789abcdef", IntsetHeader, 0),
            ("too short", b"\x02\0\0\0\x02\0\0\0\x01\0\x02", IntsetHeader, 0),
            ("too long", b"\x02\0\0\0\x01\0\0\0\x01\0\x02", IntsetHeader, 0),
            ("product of 2^32", b"\x04\0\0\0\x01\0\0\x40\x01\0\0\0", IntsetHeader, 0),
            ("descending", b"\x02\0\0\0\x03\0\0\0\x01\0\x03\0\x02\0", IntsetOrder, 12),
            ("twice", b"\x02\0\0\0\x02\0\0\0\x01\0\x01\0", IntsetOrder, 10),
            ("signs", b"\x02\0\0\0\x02\0\0\0\x01\0\xff\xff", IntsetOrder, 10),
        ];
        for (name, blob, code, pos) in table {
            assert_eq!(read(blob), Err((*code, *pos)), "{name}");
        }
        // Without the deep check they are only read.
        let unsorted = ints(b"\x02\0\0\0\x03\0\0\0\x01\0\x03\0\x02\0").unwrap();
        assert_eq!(unsorted.collect::<Vec<_>>(), [1, 3, 2]);
    }

    #[test]
    fn no_damage_panics() {
        for blob in packed_rows(SERVER).map(|(blob, _)| blob).filter(|blob| blob.len() < 200) {
            for damaged in damaged(&blob) {
                let _ = read(&damaged);
            }
        }
    }

    proptest! {
        #[test]
        fn round_trips(set in btree_set((any::<i64>(), 0..64u32).prop_map(|(n, s)| n >> s), 1..50)) {
            let values: Vec<_> = set.into_iter().collect();
            let mut out = Vec::new();
            write(&values, &mut out);
            prop_assert_eq!(read(&out), Ok(values));
        }
    }
}
