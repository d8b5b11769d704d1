//! Any value, through its line and the record that is made of it, has the same line again.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::element::{Cell, Element, Visit};
use crate::rdb::reader::Reader;
use crate::rdb::skim::{Chunk, Start};
use crate::record::{Event, Record};
use crate::text::lines::Lines;
use crate::text::{Form as _, Head};

fn head<'a>(data: DataType, encoding: &'a str, key: &'a [u8]) -> Head<'a> {
    Head {
        db: 0,
        key,
        data,
        type_name: data.as_str(),
        encoding,
        expire_at_ms: None,
        idle_s: None,
        freq: None,
        meta: None,
        size: None,
    }
}

/// The line of a value whose elements a function hands out.
fn line(head: &Head<'_>, elements: impl FnOnce(&mut dyn Visit)) -> String {
    let mut lines = Lines::default();
    lines.begin(head);
    elements(&mut lines);
    lines.end();
    String::from_utf8(std::mem::take(lines.buffer())).unwrap()
}

/// The line of the record that is made of a line.
fn again(text: &str, head: &Head<'_>) -> String {
    let first = first_line(b"{}").unwrap();
    let mut records = Records::default();
    LineReader::new(first.header, Limits::default())
        .line(text.trim_end().as_bytes(), &mut records)
        .unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"));
    let start = Start { header: Some(first.header), db: 0 };
    let chunk = Chunk::of(records.bytes, records.ends, 0, start);
    let record = Reader::new(&chunk).next().unwrap().unwrap();
    let Record { event: Event::Key(key), .. } = record else { panic!("{record:?}") };
    let mut walker = Walker::new(true, Limits::default());
    let name = key.key.bytes(&mut Vec::new()).unwrap().to_vec();
    let head = Head { key: &name, expire_at_ms: key.expire_at_ms, ..*head };
    let text = line(&head, |visit| walker.value(key.rdb_type, key.payload, 0, visit));
    assert!(walker.findings.is_empty(), "{:?}", walker.findings);
    text
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<Vec<u8>>(),
        any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        "[ -~é東\u{202e}]{0,30}".prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn strings(key in bytes(), value in bytes(), expire: Option<i64>) {
        let head = Head { expire_at_ms: expire, ..head(DataType::String, "raw", &key) };
        let text = line(&head, |visit| visit.element(Element::Text(Str::Raw(&value))));
        prop_assert_eq!(again(&text, &head), text);
    }

    #[test]
    fn lists(items in prop::collection::vec(bytes(), 1..20), cut in 0..20usize) {
        let head = head(DataType::List, "quicklist", b"k");
        // An item of its own node must have bytes, and some.
        let cut = cut.min(items.len());
        let text = line(&head, |visit| {
            for (packing, items) in [(true, &items[..cut]), (true, &items[cut..])] {
                if packing && !items.is_empty() {
                    let packing = crate::element::Packing::Listpack;
                    visit.element(Element::Packed { packing, blob: &[] });
                    items.iter().for_each(|item| visit.element(Element::Item(Str::Raw(item))));
                    visit.element(Element::Unpacked);
                }
            }
        });
        prop_assert_eq!(again(&text, &head), text);
    }

    #[test]
    fn hashes(fields in prop::collection::btree_map(bytes(), (bytes(), prop::option::of(1..1i64 << 48)), 1..20)) {
        let head = head(DataType::Hash, "hashtable", b"k");
        let text = line(&head, |visit| {
            for (field, (value, expire_at_ms)) in &fields {
                let (field, value) = (Str::Raw(field), Str::Raw(value));
                visit.element(Element::Field { field, value, expire_at_ms: *expire_at_ms });
            }
        });
        prop_assert_eq!(again(&text, &head), text);
    }

    #[test]
    fn zsets(members in prop::collection::btree_map(bytes(), any::<f64>(), 1..20)) {
        let members: BTreeMap<_, _> = members.into_iter().filter(|(_, score)| !score.is_nan()).collect();
        prop_assume!(!members.is_empty());
        let mut members: Vec<_> = members.into_iter().collect();
        members.sort_by(|a, b| (b.1 + 0.0).total_cmp(&(a.1 + 0.0)).then_with(|| b.0.cmp(&a.0)));
        let head = head(DataType::Zset, "skiplist", b"k");
        let text = line(&head, |visit| {
            for (member, score) in &members {
                visit.element(Element::Scored { member: Str::Raw(member), score: *score });
            }
        });
        prop_assert_eq!(again(&text, &head), text);
    }

    #[test]
    fn arrays(cells in prop::collection::btree_map(0..u64::MAX - 1, (bytes(), any::<i64>(), any::<f64>(), 0..3u8), 1..20), insert in prop::option::of(0..u64::MAX - 1)) {
        let head = head(DataType::Array, "sliced-array", b"k");
        let text = line(&head, |visit| {
            visit.element(Element::Array { count: cells.len() as u64, insert_index: insert });
            for (index, (text, int, double, kind)) in &cells {
                let value = match kind {
                    0 => Cell::Text(Str::Raw(text)),
                    1 => Cell::Int(*int),
                    _ => Cell::Double(*double),
                };
                visit.element(Element::Cell { index: *index, value });
            }
        });
        prop_assert_eq!(again(&text, &head), text);
    }

    #[test]
    fn no_text_panics(text in "(\\{\"db\":0,\"key\":\"k\",\"type\":\"(string|hash|stream)\",\"value\":)?[]\\[{}\",:a-z0-9.\\\\-]{0,60}") {
        let first = first_line(b"{}").unwrap();
        let mut records = Records::default();
        let _ = LineReader::new(first.header, Limits::default()).line(text.as_bytes(), &mut records);
    }
}
