//! What is in a file: keys by type, encoding, database, time to live and prefix, and the biggest, in one
//! pass and constant memory.

mod counts;

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;

use self::counts::Counts;
use super::behind::Behind;
use super::filter::{Filter, Subject, type_name};
use super::pipeline::{self, Parts, Worker};
use super::rdb_facts::{Fact, Facts};
use super::rdb_file::{End, Extent, RdbFile, Rest};
use super::records::{self, Records};
use super::tally::{Name, PrefixTally, Prefixes, Tallies, Tally, Top, TtlTally};
use crate::element::Str;
use crate::encoding::number::parse_i64;
use crate::error::{Error, Result};
use crate::finding::{Finding, Findings};
use crate::input::source::{Input, Source};
use crate::limits::Limits;
use crate::rdb::object::list;
use crate::rdb::skim::{Chunk, Outcome};
use crate::rdb::string::string;
use crate::rdb::types::{DataType, RdbType};
use crate::rdb::walk::Walker;
use crate::record::{Event, KeyRecord, Record};

/// RDB version from which servers hold a list of one packed node as a listpack.
const LIST_LISTPACK_SINCE: u16 = 11;

/// Longest string that servers hold as `embstr`, in bytes.
const EMBSTR: u64 = 44;

/// Longest text that servers turn into an integer, in bytes.
const INT_TEXT: usize = 20;

/// How to inspect.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bounds.
    pub limits: Limits,
    /// Workers.
    pub jobs: usize,
    /// Which keys to look at.
    pub filter: Filter,
    /// Unix time in ms.
    pub now_ms: i64,
    /// How many of the biggest to keep.
    pub top: usize,
    /// What separates the parts of a name.
    pub separator: Vec<u8>,
    /// How many parts make a prefix.
    pub depth: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            limits: Limits::default(),
            jobs: 1,
            filter: Filter::default(),
            now_ms: 0,
            top: 10,
            separator: b":".to_vec(),
            depth: 1,
        }
    }
}

/// What a file holds.
#[derive(Debug)]
pub struct Report {
    /// Facts about the file, and keys by database.
    pub facts: Facts,
    /// How reading it ended; damage, if any, is in here.
    pub outcome: Outcome,
    /// First bytes after the end of the RDB.
    pub tail: Vec<u8>,
    /// By TYPE's word, then by encoding.
    pub types: BTreeMap<String, BTreeMap<String, Tally>>,
    /// By time to live.
    pub ttl: TtlTally,
    /// Most bytes first.
    pub biggest: Top<BigKey>,
    /// Most elements first.
    pub longest: Top<BigKey>,
    /// By prefix.
    pub prefixes: Prefixes,
    /// Sums over all streams.
    pub streams: StreamSums,
    /// Streams with groups, most pending entries first.
    pub groups: Top<StreamGroups>,
    /// Fields of hashes that have an expire of their own.
    pub field_expires: u64,
    /// The first things found wrong inside values; `check` lists them all.
    pub findings: Findings,
}

impl Report {
    /// What lies behind the end of the RDB.
    pub fn behind(&self) -> Behind {
        Behind::of(&self.facts, &self.outcome, &self.tail)
    }
}

/// One of the biggest keys.
#[derive(Debug, Clone)]
pub struct BigKey {
    /// Database.
    pub db: u64,
    /// Name.
    pub key: Name,
    /// TYPE's word.
    pub type_name: String,
    /// Encoding.
    pub encoding: &'static str,
    /// Bytes in the file.
    pub bytes: u64,
    /// Elements.
    pub elements: u64,
    /// Unix time in ms.
    pub expire_at_ms: Option<i64>,
}

/// Sums over streams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamSums {
    /// Streams.
    pub streams: u64,
    /// Their live entries.
    pub entries: u64,
    /// Their groups.
    pub groups: u64,
    /// The groups' consumers.
    pub consumers: u64,
    /// The groups' pending entries.
    pub pending: u64,
}

impl StreamSums {
    fn merge(&mut self, other: &StreamSums) {
        self.streams += other.streams;
        self.entries += other.entries;
        self.groups += other.groups;
        self.consumers += other.consumers;
        self.pending += other.pending;
    }
}

/// A stream and its groups.
#[derive(Debug, Clone)]
pub struct StreamGroups {
    /// Database.
    pub db: u64,
    /// Name.
    pub key: Name,
    /// Live entries.
    pub entries: u64,
    /// Its groups, at most as many as biggest keys are asked for.
    pub groups: Vec<GroupSums>,
}

/// A consumer group.
#[derive(Debug, Clone)]
pub struct GroupSums {
    /// Name.
    pub name: Name,
    /// Consumers.
    pub consumers: u64,
    /// Pending entries.
    pub pending: u64,
    /// Last id delivered.
    pub last_id: crate::element::StreamId,
    /// Entries added but not read yet, where the file tells.
    pub lag: Option<u64>,
}

/// Inspects an RDB.
///
/// # Errors
/// When the source cannot be read.
pub fn inspect_rdb(source: Source, input: &Input, options: &Options) -> Result<Report> {
    inspect_part(source.reader, input, options, Extent::Whole).map(|(report, _)| report)
}

/// Inspects the RDB that a file begins with. Returns the stream of commands behind it as well, if there is
/// one.
///
/// # Errors
/// When the source cannot be read.
pub fn inspect_part(
    reader: Box<dyn Read + Send>,
    input: &Input,
    options: &Options,
    extent: Extent,
) -> Result<(Report, Option<Rest>)> {
    let failed = |err| Error::io(input.path(), "read", err);
    let mut file = RdbFile::new(reader, options.limits);
    let mut facts = Facts::default();
    let mut prefixes = Prefixes::default();
    let mut findings = Findings::new(options.limits.findings);
    let make = || Inspector::new(options);
    let workers = pipeline::run(&mut file, options.jobs, make, |mut out: Out| {
        out.once.into_iter().for_each(|fact| facts.keep(fact));
        prefixes.merge(out.prefixes);
        findings.append(&mut out.findings);
    })
    .map_err(failed)?;
    let mut sums = Sums::new(options.top);
    for worker in workers {
        facts.merge(worker.facts);
        sums.merge(worker.sums);
    }
    let End { outcome, tail, rest } = file.end(extent, &facts).map_err(failed)?;
    let types = sums.by_type();
    let Sums { ttl, biggest, longest, streams, groups, field_expires, .. } = sums;
    let report = Report {
        facts,
        outcome,
        tail,
        types,
        ttl,
        biggest,
        longest,
        prefixes,
        streams,
        groups,
        field_expires,
        findings,
    };
    Ok((report, rest))
}

/// What a worker makes of a chunk.
struct Out {
    once: Vec<Fact>,
    prefixes: Prefixes,
    findings: Findings,
}

/// Sums that do not depend on the order.
struct Sums {
    tallies: Tallies,
    ttl: TtlTally,
    biggest: Top<BigKey>,
    longest: Top<BigKey>,
    streams: StreamSums,
    groups: Top<StreamGroups>,
    field_expires: u64,
}

impl Sums {
    fn new(top: usize) -> Sums {
        Sums {
            tallies: Tallies::default(),
            ttl: TtlTally::default(),
            biggest: Top::new(top),
            longest: Top::new(top),
            streams: StreamSums::default(),
            groups: Top::new(top),
            field_expires: 0,
        }
    }

    fn merge(&mut self, other: Sums) {
        self.tallies.merge(other.tallies);
        self.ttl.merge(&other.ttl);
        self.biggest.merge(other.biggest);
        self.longest.merge(other.longest);
        self.streams.merge(&other.streams);
        self.groups.merge(other.groups);
        self.field_expires += other.field_expires;
    }

    fn by_type(&self) -> BTreeMap<String, BTreeMap<String, Tally>> {
        let mut types: BTreeMap<String, BTreeMap<String, Tally>> = BTreeMap::new();
        for (name, encoding, tally) in self.tallies.iter() {
            let encodings = types.entry(name.to_owned()).or_default();
            encodings.entry(encoding.to_owned()).or_default().merge(tally);
        }
        types
    }
}

struct Inspector<'o> {
    options: &'o Options,
    walker: Walker,
    facts: Facts,
    sums: Sums,
    counts: Counts,
    version: u16,
    name: Vec<u8>,
    takes_all: bool,
}

impl<'o> Inspector<'o> {
    fn new(options: &'o Options) -> Inspector<'o> {
        Inspector {
            options,
            walker: Walker::new(false, options.limits),
            facts: Facts::default(),
            sums: Sums::new(options.top),
            counts: Counts::new(options.top),
            version: 0,
            name: Vec::new(),
            takes_all: options.filter.is_open(),
        }
    }

    fn count(&mut self, key: &KeyRecord<'_>, subject: Subject<'_>, out: &mut Out) {
        let options = self.options;
        self.facts.key(key, options.now_ms);
        let counts = &mut self.counts;
        counts.begin();
        self.walker.value(key.rdb_type, key.payload, key.offset, counts);
        out.findings.append(&mut self.walker.findings);
        let elements = counts.elements.unwrap_or(1);
        let encoding = encoding(key.rdb_type, key.payload, self.version);
        let tally = self.sums.tallies.of(key.rdb_type.data, encoding, subject.type_name);
        tally.add(elements, subject.size);
        self.sums.ttl.add(key.expire_at_ms, options.now_ms);
        self.sums.field_expires += self.counts.field_expires;
        let big = || BigKey {
            db: key.db,
            key: Name::of(subject.key),
            type_name: subject.type_name.to_owned(),
            encoding,
            bytes: subject.size,
            elements,
            expire_at_ms: key.expire_at_ms,
        };
        self.sums.biggest.offer(subject.size, key.offset, big);
        self.sums.longest.offer(elements, key.offset, big);
        if key.rdb_type.data == DataType::Stream {
            self.stream(key, subject, elements);
        }
        let expires = u64::from(key.expire_at_ms.is_some());
        let one = PrefixTally { keys: 1, bytes: subject.size, expires };
        out.prefixes.add(subject.key, &options.separator, options.depth, one);
    }

    fn stream(&mut self, key: &KeyRecord<'_>, subject: Subject<'_>, entries: u64) {
        let StreamSums { groups, consumers, pending, .. } = self.counts.stream;
        let found = std::mem::take(&mut self.counts.groups);
        self.sums.streams.merge(&StreamSums { streams: 1, entries, groups, consumers, pending });
        if groups > 0 {
            self.sums.groups.offer(pending, key.offset, || StreamGroups {
                db: key.db,
                key: Name::of(subject.key),
                entries,
                groups: found,
            });
        }
    }
}

impl Records for Inspector<'_> {
    type Out = Out;

    #[inline]
    fn key(&mut self, key: &KeyRecord<'_>, _: &Range<u64>, bytes: &[u8], out: &mut Out) {
        let mut name = std::mem::take(&mut self.name);
        // A name that does not expand is counted without one: `check` says what is wrong with it.
        let text = key.key.bytes(&mut name).unwrap_or_default();
        let subject = Subject {
            db: key.db,
            key: text,
            type_name: &type_name(key.rdb_type, key.payload),
            size: bytes.len() as u64,
            expire_at_ms: key.expire_at_ms,
        };
        if self.takes_all || self.options.filter.takes(subject, self.options.now_ms) {
            self.count(key, subject, out);
        }
        self.name = name;
    }

    fn beside(&mut self, record: &Record<'_>, _: &[u8], _: &mut Out) {
        if let Event::Header(header) = record.event {
            self.version = header.version;
        }
    }

    fn damaged(&mut self, finding: Finding, out: &mut Out) {
        out.findings.add(finding);
    }

    fn facts(&mut self) -> &mut Facts {
        &mut self.facts
    }
}

impl Worker<Chunk> for Inspector<'_> {
    type Out = Out;

    fn chunk(&mut self, chunk: &Chunk, _: Parts<'_, Out>) -> Out {
        let findings = Findings::new(self.options.limits.findings);
        let mut out = Out { once: Vec::new(), prefixes: Prefixes::default(), findings };
        self.version = chunk.start.header.map_or(self.version, |header| header.version);
        out.once = records::each(chunk, self, &mut out);
        out
    }
}

/// OBJECT ENCODING's word for a value, as the file tells it.
pub fn encoding(row: &'static RdbType, payload: &[u8], version: u16) -> &'static str {
    match row.data {
        DataType::String => match string(payload) {
            Ok((_, Str::Int(_))) => "int",
            Ok((_, Str::Raw(text))) if text.len() <= INT_TEXT && parse_i64(text).is_some() => "int",
            Ok((_, text)) if text.len() <= EMBSTR => "embstr",
            _ => "raw",
        },
        DataType::List if version >= LIST_LISTPACK_SINCE && row.encoding == "quicklist" => {
            match list::is_one_listpack(payload) {
                true => "listpack",
                false => row.encoding,
            }
        }
        _ => row.encoding,
    }
}
