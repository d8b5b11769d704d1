//! Which keys a job is about: the same words for every verb.

use crate::encoding::slot::{SLOTS, slot};
use crate::glob;
use crate::rdb::types::{DataType, RdbType};

/// Conditions that a key must meet, all of them.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Databases; none stands for all.
    pub dbs: Vec<u64>,
    /// Data types, in the words of TYPE; none stands for all.
    pub types: Vec<String>,
    /// Globs one of which the name must match; none stands for all.
    pub keys: Vec<Vec<u8>>,
    /// Globs none of which the name may match.
    pub not_keys: Vec<Vec<u8>>,
    /// Ranges of cluster slots, first and last; none stands for all.
    pub slots: Vec<(u16, u16)>,
    /// Smallest serialized size, in bytes.
    pub min_size: Option<u64>,
    /// Largest serialized size, in bytes.
    pub max_size: Option<u64>,
    /// Time to live.
    pub ttl: Option<Ttl>,
}

/// A condition on the time a key has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ttl {
    /// No expire.
    None,
    /// Any expire.
    Any,
    /// An expire that has passed.
    Expired,
    /// Less than so many ms left.
    Below(i64),
    /// More than so many ms left.
    Above(i64),
}

/// What a filter looks at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Database.
    pub db: u64,
    /// The key's name.
    pub key: &'a [u8],
    /// TYPE's word, which for modules is the module type's name.
    pub type_name: &'a str,
    /// Serialized size of key and value, in bytes.
    pub size: u64,
    /// When it expires.
    pub expire_at_ms: Option<i64>,
}

impl Filter {
    /// Whether every key passes.
    pub fn is_open(&self) -> bool {
        let Filter { dbs, types, keys, not_keys, slots, min_size, max_size, ttl } = self;
        dbs.is_empty()
            && types.is_empty()
            && keys.is_empty()
            && not_keys.is_empty()
            && slots.is_empty()
            && min_size.is_none()
            && max_size.is_none()
            && ttl.is_none()
    }

    /// Whether it asks how large a key is.
    pub fn looks_at_sizes(&self) -> bool {
        self.min_size.is_some() || self.max_size.is_some()
    }

    /// Whether a key passes, at the given time.
    pub fn takes(&self, subject: Subject<'_>, now_ms: i64) -> bool {
        let any = |globs: &[Vec<u8>]| globs.iter().any(|glob| glob::matches(glob, subject.key));
        (self.dbs.is_empty() || self.dbs.contains(&subject.db))
            && (self.types.is_empty() || self.types.iter().any(|name| name == subject.type_name))
            && self.min_size.is_none_or(|min| subject.size >= min)
            && self.max_size.is_none_or(|max| subject.size <= max)
            && self.ttl.is_none_or(|ttl| ttl.takes(subject.expire_at_ms, now_ms))
            && (self.slots.is_empty() || self.takes_slot(slot(subject.key)))
            && (self.keys.is_empty() || any(&self.keys))
            && !any(&self.not_keys)
    }
}

impl Filter {
    fn takes_slot(&self, slot: u16) -> bool {
        self.slots.iter().any(|(first, last)| (*first..=*last).contains(&slot))
    }

    /// Whether a command passes: when one of its keys does, or, without any, if no key is asked for. It has
    /// neither type nor expire.
    pub fn takes_command<'k>(
        &self,
        db: u64,
        keys: impl Iterator<Item = &'k [u8]>,
        size: u64,
    ) -> bool {
        let takes = |key: &[u8]| {
            self.takes(Subject { db, key, type_name: "", size, expire_at_ms: None }, 0)
        };
        let mut keys = keys.peekable();
        match keys.peek() {
            Some(_) => keys.any(takes),
            None => self.keys.is_empty() && self.slots.is_empty() && takes(b""),
        }
    }
}

impl Ttl {
    fn takes(self, expire_at_ms: Option<i64>, now_ms: i64) -> bool {
        let left = expire_at_ms.map(|at| at.saturating_sub(now_ms));
        match (self, left) {
            (Ttl::None, left) => left.is_none(),
            (Ttl::Any, left) => left.is_some(),
            (Ttl::Expired, Some(left)) => left < 0,
            (Ttl::Below(ms), Some(left)) => left >= 0 && left < ms,
            (Ttl::Above(ms), Some(left)) => left > ms,
            (_, None) => false,
        }
    }

    /// Reads `none`, `any`, `expired`, `<1h` or `>7d`; units ms, s, m, h, d, w.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Ttl, String> {
        let expected =
            || format!("expected none, any, expired, <TIME or >TIME such as <1h, got {text:?}");
        match text {
            "none" => return Ok(Ttl::None),
            "any" => return Ok(Ttl::Any),
            "expired" => return Ok(Ttl::Expired),
            _ => {}
        }
        let (sign, time) = text.split_at_checked(1).ok_or_else(expected)?;
        let ms = duration_ms(time).ok_or_else(expected)?;
        match sign {
            "<" => Ok(Ttl::Below(ms)),
            ">" => Ok(Ttl::Above(ms)),
            _ => Err(expected()),
        }
    }
}

/// Reads a slot or a range of them, `5461-10922`.
///
/// # Errors
/// What was expected.
pub fn slots(text: &str) -> Result<(u16, u16), String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.parse().ok().filter(|slot| *slot < SLOTS);
    let range = number(first).zip(number(last)).filter(|(first, last)| first <= last);
    range.ok_or_else(|| format!("expected slots of 0 to {}, such as 5461-10922", SLOTS - 1))
}

/// Reads a length of time, such as 90m; without a unit it is in seconds.
pub fn duration_ms(text: &str) -> Option<i64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" | "" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(unit_ms)
}

/// The words that a type filter may use besides module type names.
pub fn type_words() -> Vec<&'static str> {
    use DataType::{Array, Hash, List, Set, Stream, String, Zset};
    let mut words: Vec<_> =
        [String, List, Set, Zset, Hash, Stream, Array].iter().map(|t| t.as_str()).collect();
    words.push("vectorset");
    words
}

/// TYPE's word for a value: its data type, or the module type's own name.
#[inline]
pub fn type_name(row: &RdbType, payload: &[u8]) -> std::borrow::Cow<'static, str> {
    match row.data {
        DataType::Module => match crate::rdb::length::length(payload) {
            Ok((_, id)) => crate::element::ModuleId(id).name().into(),
            Err(_) => "module".into(),
        },
        data => data.as_str().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_slots() {
        assert_eq!(slots("0"), Ok((0, 0)));
        assert_eq!(slots("5461-10922"), Ok((5461, 10922)));
        for text in ["", "16384", "-1", "7-6", "1-", "a-b", "1-2-3"] {
            assert!(slots(text).is_err(), "{text}");
        }
        let filter = Filter { slots: vec![(0, 99), (12182, 12182)], ..Filter::default() };
        let takes = |key: &[u8]| {
            let (type_name, size) = ("string", 1);
            filter.takes(Subject { db: 0, key, type_name, size, expire_at_ms: None }, 0)
        };
        // CLUSTER KEYSLOT foo is 12182.
        assert!(takes(b"foo") && takes(b"x{foo}y") && !takes(b"bar") && !filter.is_open());
        assert!(!filter.takes_command(0, std::iter::empty(), 1));
    }

    #[test]
    fn ttl_words() {
        assert_eq!(Ttl::parse("<90m"), Ok(Ttl::Below(5_400_000)));
        assert_eq!(Ttl::parse(">7d"), Ok(Ttl::Above(604_800_000)));
        assert_eq!(Ttl::parse("none"), Ok(Ttl::None));
        assert!(Ttl::parse("7d").is_err() && Ttl::parse("").is_err() && Ttl::parse("<1y").is_err());
        assert!(Ttl::Below(10).takes(Some(105), 100) && !Ttl::Below(10).takes(Some(95), 100));
        assert!(Ttl::Expired.takes(Some(99), 100) && !Ttl::Expired.takes(None, 100));
    }
}
