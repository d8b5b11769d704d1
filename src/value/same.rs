//! Do two values hold the same? Element by element, whatever the order of what has none and however each
//! is kept: what equal digests say (FORMATS D), at the price of a look. Expire times of fields, and what
//! streams and arrays keep beside their elements, are not looked at.

use super::{Array, DataType, Hash, List, Set, Str, Stream, Value, VectorSet, Zset};
use crate::element::StreamId;
use crate::encoding::Entry;
use crate::encoding::number::MAX_I64_TEXT;

impl Value {
    /// Whether they are of the same type and have the same elements.
    pub fn has_same_elements(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Str(a), Value::Str(b)) => strings(a, b),
            (Value::List(a), Value::List(b)) => lists(a, b),
            (Value::Set(a), Value::Set(b)) => sets(a, b),
            (Value::Zset(a), Value::Zset(b)) => zsets(a, b),
            (Value::Hash(a), Value::Hash(b)) => hashes(a, b),
            (Value::Stream(a), Value::Stream(b)) => streams(a, b),
            (Value::Array(a), Value::Array(b)) => arrays(a, b),
            (Value::Module(a), Value::Module(b)) => (a.id(), a.payload()) == (b.id(), b.payload()),
            (Value::VectorSet(a), Value::VectorSet(b)) => vector_sets(a, b),
            _ => false,
        }
    }
}

fn strings(a: &Str, b: &Str) -> bool {
    match (a.as_int(), b.as_int()) {
        (Some(a), Some(b)) => a == b,
        _ => a.bytes() == b.bytes(),
    }
}

fn lists(a: &List, b: &List) -> bool {
    a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.same_text(&b))
}

fn sets(a: &Set, b: &Set) -> bool {
    let has = |member: Entry<'_>| b.contains(member.text(&mut [0; MAX_I64_TEXT]));
    a.len() == b.len() && a.iter().all(has)
}

fn zsets(a: &Zset, b: &Zset) -> bool {
    if a.len() != b.len() {
        return false;
    }
    // Packed ones lie in their order: as a rule no member must be looked for.
    let mut beside = b.as_packed().map(|_| b.iter());
    a.iter().all(|(member, score)| {
        let next = beside.as_mut().and_then(Iterator::next);
        let other = match next.filter(|(other, _)| other.same_text(&member)) {
            Some((_, score)) => Some(score),
            None => b.score(member.text(&mut [0; MAX_I64_TEXT])),
        };
        // 0 and -0 have texts of their own.
        other.is_some_and(|other| other.to_bits() == score.to_bits())
    })
}

fn hashes(a: &Hash, b: &Hash) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut beside = b.iter();
    a.iter().all(|field| {
        let next = beside.next().filter(|other| other.name.same_text(&field.name));
        let other = next.or_else(|| b.get(field.name.text(&mut [0; MAX_I64_TEXT])));
        other.is_some_and(|other| other.value.same_text(&field.value))
    })
}

fn streams(a: &Stream, b: &Stream) -> bool {
    let mut others = b.log.range(StreamId::MIN, StreamId::MAX);
    a.len() == b.len()
        && a.log.range(StreamId::MIN, StreamId::MAX).all(|entry| {
            others.next().is_some_and(|other| {
                let (mut fields, mut theirs) = (entry.fields(), other.fields());
                let all = fields.all(|(name, value)| {
                    theirs.next().is_some_and(|(n, v)| n.same_text(&name) && v.same_text(&value))
                });
                entry.id == other.id && all && theirs.next().is_none()
            })
        })
}

fn arrays(a: &Array, b: &Array) -> bool {
    a.iter().eq(b.iter())
}

fn vector_sets(a: &VectorSet, b: &VectorSet) -> bool {
    let same = |name: &[u8], stored: &[u8], attributes: Option<&[u8]>| {
        b.get(name).is_some_and(|other| {
            // Empty attributes, which a new element may have, are none once it was saved.
            let theirs = other.attributes().unwrap_or_default();
            (other.stored(), theirs) == (stored, attributes.unwrap_or_default())
        })
    };
    (a.len(), a.shape().dimension) == (b.len(), b.shape().dimension)
        && a.iter().all(|one| same(one.name(), one.stored(), one.attributes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::PackedLimits;
    use crate::value::digest::{Style, of_value};

    /// Collections of a few elements, packed and not, some of them the same.
    fn value() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            Just("1"),
            Just("01"),
            Just("-0"),
            Just(""),
            Just("b"),
            Just("long enough")
        ];
        let items = proptest::collection::vec((text.clone(), text, -1i8..2), 0..4);
        (items, 0u8..5, any::<bool>()).prop_map(|(items, kind, unfolded)| {
            let limits = &PackedLimits::DEFAULT;
            match kind {
                0 => Str::new(items.first().map_or("", |item| item.0).as_bytes()).into(),
                1 => List::of(items.iter().map(|item| item.0.as_bytes()), limits).into(),
                2 => {
                    let mut set = Set::default();
                    for item in &items {
                        set.insert(item.0.as_bytes(), limits);
                    }
                    set.into()
                }
                3 => {
                    let mut zset = Zset::default();
                    for (member, _, score) in &items {
                        let score = if *score < 0 { -0.0 } else { f64::from(*score) };
                        zset.insert(member.as_bytes(), score, limits);
                    }
                    if unfolded {
                        zset.unfold();
                    }
                    zset.into()
                }
                _ => {
                    let mut hash = Hash::default();
                    for (name, value, _) in &items {
                        hash.set(name.as_bytes(), value.as_bytes(), limits);
                    }
                    if unfolded {
                        hash.unfold();
                    }
                    hash.into()
                }
            }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn says_what_digests_say((a, b) in (value(), value())) {
            let digest = |value| of_value(value, false, Style::default());
            let both = a.data_type() == b.data_type() && digest(&a) == digest(&b);
            prop_assert_eq!(a.has_same_elements(&b), both, "{:?} {:?}", a, b);
            prop_assert!(a.has_same_elements(&a.clone()));
        }
    }
}
