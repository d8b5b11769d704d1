//! What `inspect --json` says of a file.

use std::collections::BTreeMap;

use serde::Serialize;

use super::facts::File;
use super::facts_json::{DbJson, FileJson, databases};
use super::json::Bytes;
use crate::finding::{Finding, Severity};
use crate::job::inspect::{BigKey, GroupSums, Report, StreamGroups};
use crate::job::rdb_facts::Library;
use crate::job::tally::{Name, PrefixTally, Spread, Tally};

/// Fields beside those of every report, for the manual.
pub(crate) const FIELDS: &[(&str, &str)] = &[
    ("keys", "Keys, of those that were asked for."),
    ("expires", "Keys with an expire."),
    ("expired", "Keys whose expire has passed."),
    ("databases", "Array of {db, keys, expires, expired}."),
    (
        "types",
        "By TYPE's word: {keys, elements, bytes, encodings: {name: keys}, key_bytes, key_elements}; \
         the last two are {min, median, p99, max} of a key.",
    ),
    (
        "ttl",
        "Keys by the time they have left: {expired, below_1h, below_1d, below_30d, later, none}.",
    ),
    ("field_expires", "Hash fields with an expire of their own."),
    (
        "biggest",
        "Array of {db, key, type, encoding, bytes, elements, expire_at_ms}, most bytes first. Of \
         names beyond 4096 bytes there is only the beginning, and key_len.",
    ),
    ("longest", "The same, most elements first."),
    ("prefixes", "Array of {prefix, keys, expires, bytes}, most bytes first."),
    ("other_prefixes", "{keys, expires, bytes} of the prefixes that are not listed."),
    ("no_prefix", "The same of keys without a separator."),
    ("functions", "Array of {name, engine, bytes, pre_ga}."),
    (
        "streams",
        "{streams, entries, groups, consumers, pending, most_pending: array of {db, key, entries, \
         groups: array of {group, consumers, pending, last_id, lag}}}.",
    ),
    ("damage", "{code, offset} of where reading had to stop, or null."),
    ("errors", "Errors inside values."),
];

/// One object a file.
#[derive(Debug, Serialize)]
pub(crate) struct InspectJson<'a> {
    #[serde(flatten)]
    file: FileJson<'a>,
    keys: u64,
    expires: u64,
    expired: u64,
    databases: Vec<DbJson>,
    types: BTreeMap<&'a str, TypeJson<'a>>,
    /// Keys by the time they have left.
    ttl: TtlJson,
    /// Hash fields with an expire of their own.
    field_expires: u64,
    biggest: Vec<KeyJson<'a>>,
    longest: Vec<KeyJson<'a>>,
    prefixes: Vec<PrefixJson<'a>>,
    other_prefixes: SumJson,
    no_prefix: SumJson,
    functions: Vec<FunctionJson<'a>>,
    streams: StreamsJson<'a>,
    /// Where reading had to stop.
    damage: Option<DamageJson>,
    /// Errors inside values; `check` lists them.
    errors: u64,
}

impl<'a> InspectJson<'a> {
    /// Of a report; `top` prefixes are listed.
    pub(crate) fn new(file: &File<'a>, report: &'a Report, top: usize) -> Self {
        let sum = report.facts.keys();
        let types =
            report.types.iter().map(|(name, encodings)| (name.as_str(), type_json(encodings)));
        let sorted = report.prefixes.sorted();
        let mut others = report.prefixes.others();
        for (_, tally) in sorted.iter().skip(top) {
            others.keys += tally.keys;
            others.expires += tally.expires;
            others.bytes += tally.bytes;
        }
        let prefix = |(prefix, tally): &(&'a [u8], PrefixTally)| PrefixJson {
            prefix: Bytes(prefix),
            sum: SumJson::new(tally),
        };
        let errors = report.findings.iter().filter(|f| f.severity() == Severity::Error);
        InspectJson {
            file: FileJson::new(file, &report.facts, &report.outcome, report.behind()),
            keys: sum.keys,
            expires: sum.expires,
            expired: sum.expired,
            databases: databases(&report.facts),
            types: types.collect(),
            ttl: TtlJson::new(report),
            field_expires: report.field_expires,
            biggest: report.biggest.iter().map(KeyJson::new).collect(),
            longest: report.longest.iter().map(KeyJson::new).collect(),
            prefixes: sorted.iter().take(top).map(prefix).collect(),
            other_prefixes: SumJson::new(&others),
            no_prefix: SumJson::new(&report.prefixes.without),
            functions: report.facts.functions().map(FunctionJson::new).collect(),
            streams: StreamsJson::new(report),
            damage: report.outcome.damage.as_ref().map(DamageJson::new),
            errors: errors.count() as u64,
        }
    }
}

/// Keys of one type.
#[derive(Debug, Serialize)]
struct TypeJson<'a> {
    keys: u64,
    elements: u64,
    bytes: u64,
    encodings: BTreeMap<&'a str, u64>,
    /// Bytes of a key in the file.
    key_bytes: Option<SpreadJson>,
    /// Elements of a key.
    key_elements: Option<SpreadJson>,
}

fn type_json(encodings: &BTreeMap<String, Tally>) -> TypeJson<'_> {
    let mut whole = Tally::default();
    encodings.values().for_each(|tally| whole.merge(tally));
    TypeJson {
        keys: whole.keys,
        elements: whole.elements,
        bytes: whole.bytes,
        encodings: encodings.iter().map(|(name, tally)| (name.as_str(), tally.keys)).collect(),
        key_bytes: whole.size.as_ref().map(SpreadJson::new),
        key_elements: whole.count.as_ref().map(SpreadJson::new),
    }
}

/// Exact ends; median and p99 to two digits.
#[derive(Debug, Serialize)]
struct SpreadJson {
    min: u64,
    median: u64,
    p99: u64,
    max: u64,
}

impl SpreadJson {
    fn new(spread: &Spread) -> Self {
        let (median, p99) = (spread.quantile(0.5), spread.quantile(0.99));
        SpreadJson { min: spread.min(), median, p99, max: spread.max() }
    }
}

#[derive(Debug, Serialize)]
struct TtlJson {
    expired: u64,
    below_1h: u64,
    below_1d: u64,
    below_30d: u64,
    later: u64,
    none: u64,
}

impl TtlJson {
    fn new(report: &Report) -> Self {
        let ttl = report.ttl;
        TtlJson {
            expired: ttl.expired,
            below_1h: ttl.hour,
            below_1d: ttl.day,
            below_30d: ttl.month,
            later: ttl.later,
            none: ttl.none,
        }
    }
}

/// A key's name; `key_len` only where the name is so long that the end of it was left out.
#[derive(Debug, Serialize)]
pub(super) struct NameJson<'a> {
    key: Bytes<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_len: Option<usize>,
}

impl<'a> NameJson<'a> {
    pub(super) fn new(name: &'a Name) -> Self {
        let key_len = (name.len > name.bytes.len()).then_some(name.len);
        NameJson { key: Bytes(&name.bytes), key_len }
    }
}

#[derive(Debug, Serialize)]
struct KeyJson<'a> {
    db: u64,
    #[serde(flatten)]
    name: NameJson<'a>,
    #[serde(rename = "type")]
    type_name: &'a str,
    encoding: &'static str,
    bytes: u64,
    elements: u64,
    expire_at_ms: Option<i64>,
}

impl<'a> KeyJson<'a> {
    fn new(key: &'a BigKey) -> Self {
        KeyJson {
            db: key.db,
            name: NameJson::new(&key.key),
            type_name: &key.type_name,
            encoding: key.encoding,
            bytes: key.bytes,
            elements: key.elements,
            expire_at_ms: key.expire_at_ms,
        }
    }
}

#[derive(Debug, Serialize)]
struct SumJson {
    keys: u64,
    expires: u64,
    bytes: u64,
}

impl SumJson {
    fn new(tally: &PrefixTally) -> Self {
        SumJson { keys: tally.keys, expires: tally.expires, bytes: tally.bytes }
    }
}

#[derive(Debug, Serialize)]
struct PrefixJson<'a> {
    prefix: Bytes<'a>,
    #[serde(flatten)]
    sum: SumJson,
}

#[derive(Debug, Serialize)]
struct FunctionJson<'a> {
    name: Option<Bytes<'a>>,
    engine: Option<Bytes<'a>>,
    bytes: u64,
    pre_ga: bool,
}

impl<'a> FunctionJson<'a> {
    fn new(library: &'a Library) -> Self {
        FunctionJson {
            name: library.name.as_deref().map(Bytes),
            engine: library.engine.as_deref().map(Bytes),
            bytes: library.code_len,
            pre_ga: library.pre_ga,
        }
    }
}

#[derive(Debug, Serialize)]
struct StreamsJson<'a> {
    streams: u64,
    entries: u64,
    groups: u64,
    consumers: u64,
    pending: u64,
    /// Streams with groups, most pending entries first.
    most_pending: Vec<StreamJson<'a>>,
}

impl<'a> StreamsJson<'a> {
    fn new(report: &'a Report) -> Self {
        let sums = report.streams;
        StreamsJson {
            streams: sums.streams,
            entries: sums.entries,
            groups: sums.groups,
            consumers: sums.consumers,
            pending: sums.pending,
            most_pending: report.groups.iter().map(StreamJson::new).collect(),
        }
    }
}

#[derive(Debug, Serialize)]
struct StreamJson<'a> {
    db: u64,
    #[serde(flatten)]
    name: NameJson<'a>,
    entries: u64,
    groups: Vec<GroupJson<'a>>,
}

impl<'a> StreamJson<'a> {
    fn new(stream: &'a StreamGroups) -> Self {
        StreamJson {
            db: stream.db,
            name: NameJson::new(&stream.key),
            entries: stream.entries,
            groups: stream.groups.iter().map(GroupJson::new).collect(),
        }
    }
}

#[derive(Debug, Serialize)]
struct GroupJson<'a> {
    group: Bytes<'a>,
    consumers: u64,
    pending: u64,
    last_id: String,
    lag: Option<u64>,
}

impl<'a> GroupJson<'a> {
    fn new(group: &'a GroupSums) -> Self {
        GroupJson {
            group: Bytes(&group.name.bytes),
            consumers: group.consumers,
            pending: group.pending,
            last_id: group.last_id.to_string(),
            lag: group.lag,
        }
    }
}

/// Where reading had to stop.
#[derive(Debug, Serialize)]
pub(super) struct DamageJson {
    code: &'static str,
    offset: u64,
}

impl DamageJson {
    pub(super) fn new(finding: &Finding) -> Self {
        DamageJson { code: finding.code.as_str(), offset: finding.span.start }
    }
}
