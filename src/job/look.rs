//! What a store holds, to look at: counts by type, keys, and values as rows of texts.

use std::collections::BTreeMap;

use crate::encoding::Entry;
use crate::encoding::number::{MAX_I64_TEXT, double_grisu};
use crate::engine::shards::Look;
use crate::engine::{KeyRef, Release};
use crate::glob;
use crate::value::digest::{Digest, Style, of_value};
use crate::value::stream::Stream;
use crate::value::{Hash, Value};

/// What is counted of keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// Keys.
    pub keys: u64,
    /// Keys with an expire time.
    pub expires: u64,
    /// Elements; bytes of strings.
    pub elements: u64,
    /// Bytes held by names and values, near enough.
    pub memory: u64,
}

impl Sum {
    fn add(&mut self, key: &KeyRef<'_>) {
        self.keys += 1;
        self.expires += u64::from(key.expire_at_ms.is_some());
        self.elements += key.value.len() as u64;
        self.memory += (key.key.len() + key.value.memory()) as u64;
    }
}

/// Keys by database and type.
pub fn count(look: &Look<'_>) -> BTreeMap<u64, BTreeMap<String, Sum>> {
    let mut dbs = BTreeMap::new();
    for db in look.dbs() {
        let types: &mut BTreeMap<String, Sum> = dbs.entry(db).or_default();
        for key in look.keys(db) {
            let name = key.value.type_name();
            match types.get_mut(name) {
                Some(sum) => sum.add(&key),
                None => types.entry(name.to_owned()).or_default().add(&key),
            }
        }
    }
    dbs
}

/// A key, to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its database.
    pub db: u64,
    /// Its name.
    pub key: Vec<u8>,
    /// `TYPE`.
    pub type_name: String,
    /// `OBJECT ENCODING` by the newest servers.
    pub encoding: &'static str,
    /// Elements; bytes of a string.
    pub elements: u64,
    /// When it expires, in ms since 1970.
    pub expire_at_ms: Option<i64>,
    /// Seconds since it was last used, under an LRU policy.
    pub idle_s: Option<u64>,
    /// Its use counter, under an LFU policy.
    pub freq: Option<u8>,
    /// `DEBUG DIGEST-VALUE`.
    pub digest: Digest,
}

impl KeyInfo {
    /// Of a key.
    pub fn new(db: u64, key: &KeyRef<'_>, style: Style) -> KeyInfo {
        let (idle_s, freq) = key.idle_and_freq();
        KeyInfo {
            db,
            key: key.key.to_vec(),
            type_name: key.value.type_name().to_owned(),
            encoding: Release::NEWEST.encoding_of(key.value),
            elements: key.value.len() as u64,
            expire_at_ms: key.expire_at_ms,
            idle_s,
            freq,
            digest: of_value(key.value, key.expire_at_ms.is_some(), style),
        }
    }
}

/// The keys whose names match a glob, by database and name.
pub fn matching(look: &Look<'_>, pattern: &[u8], style: Style) -> Vec<KeyInfo> {
    let mut found = Vec::new();
    for db in look.dbs() {
        let keys = look.keys(db).filter(|key| glob::matches(pattern, key.key));
        found.extend(keys.map(|key| KeyInfo::new(db, &key, style)));
    }
    found.sort_by(|a, b| (a.db, &a.key).cmp(&(b.db, &b.key)));
    found
}

/// A key in every database that has it, with its value.
pub fn get(look: &Look<'_>, key: &[u8], style: Style) -> Vec<(KeyInfo, Vec<Row>)> {
    let found = look.dbs().into_iter().filter_map(|db| Some((db, look.get(db, key)?)));
    found
        .map(|(db, key)| {
            let mut rows = rows(key.value);
            rows.extend(state(key.value, true));
            (KeyInfo::new(db, &key, style), rows)
        })
        .collect()
}

/// A piece of a value: an element, a field with its value, a member with its score.
pub type Row = Vec<Vec<u8>>;

/// A value as rows: those of lists, sorted sets, streams and arrays in their order, others by their
/// texts. A field that expires has its time behind its value. Of a module's value the bytes are not
/// shown: what they mean is for the module to say.
pub fn rows(value: &Value) -> Vec<Row> {
    match value {
        Value::Str(text) => vec![vec![text.bytes().into_owned()]],
        Value::List(list) => list.iter().map(|item| vec![text(item)]).collect(),
        Value::Set(set) => sorted(set.iter().map(|item| vec![text(item)])),
        Value::Zset(zset) => {
            let pairs = zset.ordered().into_iter();
            pairs.map(|(member, score)| vec![text(member), score_text(score)]).collect()
        }
        Value::Hash(hash) => fields(hash),
        Value::Stream(stream) => entries(stream),
        Value::Array(array) => {
            array.iter().map(|(at, cell)| vec![number(at), cell.to_vec()]).collect()
        }
        Value::VectorSet(set) => sorted(set.iter().map(|element| {
            let attributes = element.attributes().map(<[u8]>::to_vec);
            [Some(element.name().to_vec()), attributes].into_iter().flatten().collect()
        })),
        Value::Module(_) => Vec::new(),
    }
}

fn text(entry: Entry<'_>) -> Vec<u8> {
    entry.text(&mut [0; MAX_I64_TEXT]).to_vec()
}

fn score_text(score: f64) -> Vec<u8> {
    let mut text = Vec::new();
    double_grisu(score, &mut text);
    text
}

fn number(number: impl ToString) -> Vec<u8> {
    number.to_string().into_bytes()
}

fn sorted(rows: impl Iterator<Item = Row>) -> Vec<Row> {
    let mut rows: Vec<Row> = rows.collect();
    rows.sort();
    rows
}

fn fields(hash: &Hash) -> Vec<Row> {
    sorted(hash.iter().map(|field| {
        let expire = field.expire_at_ms.map(number);
        [Some(text(field.name)), Some(text(field.value)), expire].into_iter().flatten().collect()
    }))
}

fn entries(stream: &Stream) -> Vec<Row> {
    use crate::element::StreamId;
    let range = stream.log.range(StreamId::MIN, StreamId::MAX);
    range
        .map(|entry| {
            let fields = entry.fields().flat_map(|(field, value)| [text(field), text(value)]);
            std::iter::once(entry.id.text()).chain(fields).collect()
        })
        .collect()
}

/// A value as [`rows`]; of a hash without the times of its fields, if `ignore_ttl`.
pub fn trimmed(value: &Value, ignore_ttl: bool) -> Vec<Row> {
    let mut rows = rows(value);
    if let (Value::Hash(_), true) = (value, ignore_ttl) {
        rows.iter_mut().for_each(|row| row.truncate(2));
    }
    rows
}

/// What a value keeps beside its elements, and a digest does not take in: the ids, groups and producers
/// of a stream, with or without pending entries that it no longer holds; the cursor of an array.
pub fn state(value: &Value, with_gone: bool) -> Vec<Row> {
    match value {
        Value::Stream(stream) => stream_state(stream, with_gone),
        Value::Array(array) => {
            let next = array.insert_index.map(|at| vec![b"insert-index".to_vec(), number(at)]);
            next.into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// How many of the first texts of a row of [`state`] say what it is of; the others say how that is.
pub fn name_width(row: &Row) -> usize {
    match row.first().map(Vec::as_slice) {
        Some(b"group") => 2,
        Some(b"consumer" | b"pending" | b"producer") => 3,
        _ => 1,
    }
}

fn stream_state(stream: &Stream, with_gone: bool) -> Vec<Row> {
    let Stream { log, groups, idmp } = stream;
    let word = |word: &str| word.as_bytes().to_vec();
    let mut rows = vec![
        vec![word("last-id"), log.last_id.text()],
        vec![word("max-deleted-id"), log.max_deleted_id.text()],
        vec![word("entries-added"), number(log.entries_added)],
    ];
    for (name, group) in groups.iter() {
        let read = group.entries_read.map_or_else(|| word("?"), number);
        rows.push(vec![word("group"), name.to_vec(), group.last_id.text(), read]);
        for (_, consumer) in group.consumers() {
            rows.push(vec![word("consumer"), name.to_vec(), consumer.name().to_vec()]);
        }
        let told = group.pending().filter(|(id, _)| with_gone || log.contains(*id));
        for (id, pending) in told {
            let owner = group.owner(pending).map(|owner| owner.name().to_vec());
            let (times, at) = (number(pending.deliveries), number(pending.delivered_at_ms));
            let owner = owner.unwrap_or_default();
            rows.push(vec![word("pending"), name.to_vec(), id.text(), owner, times, at]);
        }
    }
    for (name, producer) in idmp.producers() {
        for (iid, id) in producer.ids() {
            rows.push(vec![word("producer"), name.to_vec(), iid.to_vec(), id.text()]);
        }
    }
    rows
}
