//! The commands that make a key anew, as servers write them when they rewrite their AOF (FORMATS E.3):
//!
//! ```text
//! string   SET k v
//! list     RPUSH k item … (64)                 set     SADD k member … (64)
//! zset     ZADD k score member … (64 pairs)    hash    HMSET k field value … (64 pairs)
//!   a field with an expire time: HMSET k f v, HPEXPIREAT k ms FIELDS 1 f; Valkey: HSETEX k PXAT ms FIELDS 1 f v
//! array    ARMSET k index value … (32 pairs), ARSEEK k next-index
//! stream   XADD k id field value … for each entry; without any: XADD k MAXLEN 0 0-1 x y
//!          XSETID k last [ENTRIESADDED n MAXDELETEDID id]
//!          XCFGSET k IDMP-DURATION s IDMP-MAXSIZE n, XIDMPRECORD k pid iid id
//!   group  XGROUP CREATE k g last [ENTRIESREAD n]
//!          XCLAIM k g c 0 id TIME ms RETRYCOUNT n JUSTID FORCE for each entry that a consumer owns;
//!          of one that owns nothing XGROUP CREATECONSUMER k g c
//!          XNACK k g FAIL IDS n id … RETRYCOUNT c FORCE for those given back, 64 of one count at most
//! vector set that commands built, for which servers have no such form ([`vectors`]):
//!          VADD k FP32 vector element NOQUANT|Q8|BIN [SETATTR attributes] M links
//! ```
//!
//! Values of modules have no commands that are known: whoever calls this restores them from a payload.

mod vectors;

use self::vectors::Vectors;
use crate::element::{Cell, Element, Str, StreamId, StreamInfo, Visit};
use crate::encoding::number::{double_17g, double_grisu, double_text, whole, write_i64};
use crate::encoding::resp::{write_arg, write_argc, write_command};
use crate::limits::FIELD_EXPIRE_MAX_MS;
use crate::loss::Loss;

/// Elements of one command.
const BATCH: usize = 64;

/// Cells of one command.
const CELLS: usize = 32;

/// Whose commands they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server {
    /// A Valkey, which began as Redis 7.2.
    pub valkey: bool,
    /// Major and minor number.
    pub version: (u8, u8),
}

impl Server {
    /// A Redis from this version on, or a Valkey that began from one.
    pub fn has_redis(self, major: u8, minor: u8) -> bool {
        if self.valkey { (7, 2) >= (major, minor) } else { self.version >= (major, minor) }
    }

    /// A Valkey from this version on.
    fn has_valkey(self, major: u8, minor: u8) -> bool {
        self.valkey && self.version >= (major, minor)
    }

    /// Whether the server has what Redis got with one version and Valkey with another.
    fn has(self, redis: (u8, u8), valkey: (u8, u8)) -> bool {
        self.version >= if self.valkey { valkey } else { redis }
    }
}

/// A Redis version that no Valkey followed.
const NEVER: (u8, u8) = (u8::MAX, u8::MAX);

/// Makes the commands of one key after the other.
#[derive(Debug)]
pub struct Rebuild {
    server: Server,
    key: Vec<u8>,
    out: Vec<u8>,
    shift_ttl_ms: i64,
    /// What the server has no command for.
    losses: Vec<Loss>,
    batch: Batch,
    stream: Stream,
    vectors: Vectors,
    /// Where an array goes on.
    seek: Option<u64>,
    scratch: Vec<u8>,
    /// The text of a score.
    number: Vec<u8>,
}

/// A command that is being filled: its name, and the arguments behind the key as they are written.
#[derive(Debug, Default)]
struct Batch {
    name: &'static [u8],
    args: Vec<u8>,
    count: usize,
}

/// What is known of the stream at hand.
#[derive(Debug, Default)]
struct Stream {
    /// Ids of its entries, ascending.
    entries: Vec<StreamId>,
    group: Option<Vec<u8>>,
    pending: Vec<(StreamId, i64, u64)>,
    consumer: Option<Consumer>,
    nacked: Vec<StreamId>,
    producer: Vec<u8>,
}

/// A consumer: its name, and whether it has claimed something.
type Consumer = (Vec<u8>, bool);

impl Rebuild {
    /// For a server.
    pub fn new(server: Server) -> Rebuild {
        Rebuild {
            server,
            key: Vec::new(),
            out: Vec::new(),
            shift_ttl_ms: 0,
            losses: Vec::new(),
            batch: Batch::default(),
            stream: Stream::default(),
            vectors: Vectors::default(),
            seek: None,
            scratch: Vec::new(),
            number: Vec::new(),
        }
    }

    /// Starts a key; its elements follow. `shift_ttl_ms` is added to the expire times of fields.
    pub fn begin(&mut self, key: &[u8], shift_ttl_ms: i64) {
        self.shift_ttl_ms = shift_ttl_ms;
        self.key.clear();
        self.key.extend_from_slice(key);
        self.out.clear();
        self.losses.clear();
        // Of a damaged key something may be left.
        self.batch.args.clear();
        self.batch.count = 0;
        self.stream = Stream::default();
        self.seek = None;
    }

    /// Ends the key.
    pub fn finish(&mut self) {
        self.flush();
        self.end_group();
        if let Some(next) = self.seek.take() {
            self.on_key(b"ARSEEK", &[next.to_string().as_bytes()]);
        }
        if self.losses.iter().any(|loss| loss.is_of_whole_keys()) {
            self.out.clear();
        }
    }

    /// Its commands; a key that is lost as a whole has none.
    pub fn commands(&self) -> &[u8] {
        &self.out
    }

    /// What they lose.
    pub fn losses(&self) -> &[Loss] {
        &self.losses
    }

    fn lose(&mut self, loss: Loss) {
        if !self.losses.contains(&loss) {
            self.losses.push(loss);
        }
    }

    fn command(&mut self, args: &[&[u8]]) {
        self.flush();
        write_command(args.iter().copied(), &mut self.out);
    }

    /// A command on the key.
    fn on_key(&mut self, name: &[u8], more: &[&[u8]]) {
        // What is still to be written is on this key too.
        self.flush();
        let key = std::mem::take(&mut self.key);
        self.command(&[&[name, &key], more].concat());
        self.key = key;
    }

    /// Adds arguments to a command of at most so many.
    fn add(&mut self, name: &'static [u8], most: usize, args: &[Str<'_>]) {
        if self.batch.name != name || self.batch.count + args.len() > most {
            self.flush();
            self.batch.name = name;
        }
        for arg in args {
            // What does not expand was told of by the walk, and such a value is not written.
            let text = arg.bytes(&mut self.scratch).unwrap_or_default();
            write_arg(text, &mut self.batch.args);
        }
        self.batch.count += args.len();
    }

    fn flush(&mut self) {
        let Batch { name, args, count } = &mut self.batch;
        if *count == 0 {
            return;
        }
        write_argc(2 + *count, &mut self.out);
        write_arg(name, &mut self.out);
        write_arg(&self.key, &mut self.out);
        self.out.extend_from_slice(args);
        args.clear();
        *count = 0;
    }

    /// The value of a string: it may be long, and is copied no more than it must be.
    fn text(&mut self, text: Str<'_>) {
        let text = text.bytes(&mut self.scratch).unwrap_or_default();
        write_command([&b"SET"[..], &self.key, text].into_iter(), &mut self.out);
    }

    fn scored(&mut self, member: Str<'_>, score: f64) {
        let mut text = std::mem::take(&mut self.number);
        text.clear();
        match whole(score).filter(|_| score != 0.0 || score.is_sign_positive()) {
            Some(whole) => write_i64(whole, &mut text),
            None if self.server.has_redis(7, 2) => double_grisu(score, &mut text),
            None => double_17g(score, &mut text),
        }
        self.add(b"ZADD", 2 * BATCH, &[Str::Raw(&text), member]);
        self.number = text;
    }

    fn field(&mut self, field: Str<'_>, value: Str<'_>, expire_at_ms: Option<i64>) {
        let Some(at) = expire_at_ms else {
            return self.add(b"HMSET", 2 * BATCH, &[field, value]);
        };
        let mut at = at.saturating_add(self.shift_ttl_ms).max(0);
        if !self.server.has_valkey(9, 0) {
            // 0 is an error there, and any later moment in the past the same to it.
            at = at.max(1);
            if at > FIELD_EXPIRE_MAX_MS && self.server.has((7, 4), NEVER) {
                self.lose(Loss::FieldTime);
                at = FIELD_EXPIRE_MAX_MS;
            }
        }
        let at = at.to_string();
        let (mut name, mut text) = (Vec::new(), Vec::new());
        let name = field.bytes(&mut name).unwrap_or_default();
        let text = value.bytes(&mut text).unwrap_or_default();
        if self.server.has_valkey(9, 0) {
            self.on_key(b"HSETEX", &[b"PXAT", at.as_bytes(), b"FIELDS", b"1", name, text]);
        } else if self.server.has((7, 4), NEVER) {
            self.on_key(b"HMSET", &[name, text]);
            self.on_key(b"HPEXPIREAT", &[at.as_bytes(), b"FIELDS", b"1", name]);
        } else {
            self.lose(Loss::FieldTtl);
            self.add(b"HMSET", 2 * BATCH, &[field, value]);
        }
    }

    fn cell(&mut self, index: u64, value: Cell<'_>) {
        let index = index.to_string();
        let text;
        let value = match value {
            Cell::Text(text) => text,
            Cell::Int(number) => Str::Int(number),
            Cell::Double(number) => {
                text = double_text(number);
                Str::Raw(&text)
            }
        };
        self.add(b"ARMSET", 2 * CELLS, &[Str::Raw(index.as_bytes()), value]);
    }

    fn array(&mut self, insert_index: Option<u64>) {
        if !self.server.has((8, 8), NEVER) {
            self.lose(Loss::Type);
        }
        self.seek = insert_index.and_then(|index| index.checked_add(1));
    }

    fn entry(&mut self, id: StreamId, fields: &[(Str<'_>, Str<'_>)]) {
        let id_text = id.to_string();
        let mut args = Vec::with_capacity(1 + 2 * fields.len());
        args.push(Str::Raw(id_text.as_bytes()));
        args.extend(fields.iter().flat_map(|(field, value)| [*field, *value]));
        let most = args.len();
        self.add(b"XADD", most, &args);
        self.flush();
        self.stream.entries.push(id);
    }

    fn info(&mut self, info: StreamInfo) {
        if !self.server.has_redis(5, 0) {
            return self.lose(Loss::Type);
        }
        if self.stream.entries.is_empty() {
            self.on_key(b"XADD", &[b"MAXLEN", b"0", b"0-1", b"x", b"y"]);
        }
        let last = info.last_id.to_string();
        match info.more {
            Some(more) if self.server.has_redis(7, 0) => {
                let (added, deleted) =
                    (more.entries_added.to_string(), more.max_deleted_id.to_string());
                let counts =
                    [b"ENTRIESADDED", added.as_bytes(), b"MAXDELETEDID", deleted.as_bytes()];
                self.on_key(b"XSETID", &[&[last.as_bytes()], &counts[..]].concat());
            }
            more => {
                let none = StreamId::default();
                if more.is_some_and(|m| (m.entries_added, m.max_deleted_id) != (info.length, none))
                {
                    self.lose(Loss::StreamCounters);
                }
                self.on_key(b"XSETID", &[last.as_bytes()]);
            }
        }
    }

    fn begin_group(&mut self, name: Str<'_>, last_id: StreamId, entries_read: Option<i64>) {
        self.end_group();
        let (mut text, last) = (Vec::new(), last_id.to_string());
        let name = name.bytes(&mut text).unwrap_or_default();
        let read = entries_read.map(|read| read.to_string());
        match read {
            Some(read) if self.server.has_redis(7, 0) => {
                let args = [b"CREATE", &self.key.clone()[..], name, last.as_bytes()];
                let more: [&[u8]; 2] = [b"ENTRIESREAD", read.as_bytes()];
                self.command(&[&[&b"XGROUP"[..]], &args[..], &more[..]].concat());
            }
            read => {
                if read.is_some() {
                    self.lose(Loss::StreamCounters);
                }
                self.command(&[b"XGROUP", b"CREATE", &self.key.clone(), name, last.as_bytes()]);
            }
        }
        self.stream.group = Some(name.to_vec());
    }

    fn owned(&mut self, id: StreamId) {
        // Nobody can claim what is no more: servers pass over such a claim.
        if self.stream.entries.binary_search(&id).is_err() {
            return self.lose(Loss::PendingGone);
        }
        let (Some(group), Some((consumer, claimed))) =
            (self.stream.group.clone(), &mut self.stream.consumer)
        else {
            return;
        };
        *claimed = true;
        let consumer = consumer.clone();
        let Some((_, at_ms, deliveries)) = self.find(id) else { return };
        let (id, at, count) = (id.to_string(), at_ms.to_string(), deliveries.to_string());
        self.on_key(
            b"XCLAIM",
            &[
                &group,
                &consumer,
                b"0",
                id.as_bytes(),
                b"TIME",
                at.as_bytes(),
                b"RETRYCOUNT",
                count.as_bytes(),
                b"JUSTID",
                b"FORCE",
            ],
        );
    }

    fn find(&self, id: StreamId) -> Option<(StreamId, i64, u64)> {
        let at = self.stream.pending.binary_search_by_key(&id, |(id, ..)| *id).ok()?;
        self.stream.pending.get(at).copied()
    }

    /// A consumer that has claimed nothing is made by name.
    fn end_consumer(&mut self) {
        let (Some(group), Some((consumer, false))) =
            (self.stream.group.clone(), self.stream.consumer.take())
        else {
            return;
        };
        if self.server.has_redis(6, 2) {
            self.command(&[b"XGROUP", b"CREATECONSUMER", &self.key.clone(), &group, &consumer]);
        } else {
            self.lose(Loss::Consumer);
        }
    }

    fn end_group(&mut self) {
        self.end_consumer();
        let Some(group) = self.stream.group.take() else { return };
        let nacked = std::mem::take(&mut self.stream.nacked);
        if !nacked.is_empty() && !self.server.has((8, 8), NEVER) {
            self.lose(Loss::Nacked);
        } else {
            self.give_back(&group, &nacked);
        }
        self.stream.pending.clear();
    }

    fn give_back(&mut self, group: &[u8], nacked: &[StreamId]) {
        let counts: Vec<_> =
            nacked.iter().filter_map(|id| Some((*id, self.find(*id)?.2))).collect();
        for run in counts.chunk_by(|a, b| a.1 == b.1) {
            for run in run.chunks(BATCH) {
                let ids: Vec<_> = run.iter().map(|(id, _)| id.to_string()).collect();
                let number = ids.len().to_string();
                let count = run.first().map_or(0, |(_, count)| *count).to_string();
                let mut args: Vec<&[u8]> = vec![group, b"FAIL", b"IDS", number.as_bytes()];
                args.extend(ids.iter().map(|id| id.as_bytes()));
                args.extend([&b"RETRYCOUNT"[..], count.as_bytes(), b"FORCE"]);
                self.on_key(b"XNACK", &args);
            }
        }
    }

    fn idmp(&mut self, duration_s: u64, max_size: u64) {
        self.end_group();
        if (duration_s, max_size) == (100, 100) {
            return;
        }
        if !self.server.has((8, 6), NEVER) {
            return self.lose(Loss::Idmp);
        }
        let (duration, size) = (duration_s.to_string(), max_size.to_string());
        let args: [&[u8]; 4] =
            [b"IDMP-DURATION", duration.as_bytes(), b"IDMP-MAXSIZE", size.as_bytes()];
        self.on_key(b"XCFGSET", &args);
    }

    fn producer_id(&mut self, iid: Str<'_>, id: StreamId) {
        if !self.server.has((8, 6), NEVER) {
            return self.lose(Loss::Idmp);
        }
        let (mut text, id) = (Vec::new(), id.to_string());
        let iid = iid.bytes(&mut text).unwrap_or_default();
        let producer = self.stream.producer.clone();
        self.on_key(b"XIDMPRECORD", &[&producer, iid, id.as_bytes()]);
    }
}

impl Visit for Rebuild {
    fn element(&mut self, element: Element<'_>) {
        match element {
            Element::Text(text) => self.text(text),
            Element::Item(item) => self.add(b"RPUSH", BATCH, &[item]),
            Element::Member(member) => self.add(b"SADD", BATCH, &[member]),
            Element::Scored { member, score } => self.scored(member, score),
            Element::Field { field, value, expire_at_ms } => self.field(field, value, expire_at_ms),
            Element::Array { insert_index, .. } => self.array(insert_index),
            Element::Cell { index, value } => self.cell(index, value),
            Element::StreamEntry { id, fields } => self.entry(id, fields),
            Element::Stream(info) => self.info(info),
            Element::Group { name, last_id, entries_read } => {
                self.begin_group(name, last_id, entries_read);
            }
            Element::Pending { id, delivered_at_ms, delivery_count } => {
                let pending = &mut self.stream.pending;
                let at = pending.partition_point(|(before, ..)| *before < id);
                pending.insert(at, (id, delivered_at_ms, delivery_count));
            }
            Element::Consumer { name, .. } => {
                self.end_consumer();
                self.lose(Loss::ConsumerTimes);
                let name = name.bytes(&mut self.scratch).unwrap_or_default().to_vec();
                self.stream.consumer = Some((name, false));
            }
            Element::Owned(id) => self.owned(id),
            Element::Nacked(id) => {
                self.end_consumer();
                self.stream.nacked.push(id);
            }
            Element::Idmp { duration_s, max_size } => self.idmp(duration_s, max_size),
            Element::Producer(name) => {
                self.stream.producer = name.bytes(&mut self.scratch).unwrap_or_default().to_vec();
            }
            Element::ProducerId { iid, id } => self.producer_id(iid, id),
            Element::VectorSet { dimension, quantization, m, input_dimension, .. } => {
                self.vectors = Vectors { dimension, quantization, m, input_dimension };
            }
            Element::Vector { element, attributes, vector, given, scale } => {
                self.vector(element, attributes, vector, given, scale);
            }
            Element::IdmpCounts { added, duplicates } if (added, duplicates) != (0, 0) => {
                self.lose(Loss::Idmp);
            }
            _ => {}
        }
    }
}
