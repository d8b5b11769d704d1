//! An RDB into another one, for another server. The workers take chunks and make bytes of them: a value
//! passes through untouched where the target reads its row, else it is walked and encoded anew. The bytes
//! are put together in the order of the file, so nothing but chunks is ever held.
//!
//! What the target cannot hold is a loss with a code and a key's name. The counts of RESIZEDB are known
//! only after the keys: they are filled in afterwards ([`Sink::patch`]). [`mod@write`] puts the file in its
//! place once it was read back.

mod assembly;
mod beside;
mod commands;
pub mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use assembly::{Assembly, Piece};

use super::behind::Behind;
use super::filter::{Filter, Subject, type_name};
use super::pipeline::{self, Worker};
use super::rdb_facts::Facts;
use super::rdb_file::RdbFile;
use crate::aof::rebuild::Rebuild;
use crate::element::Ignore;
use crate::error::{Error, Result};
use crate::finding::{Code, Finding, KeyPlace, Severity};
use crate::input::source::{Input, Source};
use crate::limits::{Limits, PackedLimits};
use crate::loss::Loss;
use crate::rdb::encode::{Encoder, longest_listpack};
use crate::rdb::reader::Reader;
use crate::rdb::skim::{Checksum, Chunk, Outcome};
use crate::rdb::target::Target;
use crate::rdb::walk::{BacklenSeen, Walker};
use crate::rdb::writer::KeyHead;
use crate::record::{Event, KeyRecord, Record};

/// What a conversion makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An RDB.
    Rdb,
    /// Commands: an AOF without a preamble, and what `redis-cli --pipe` takes.
    Commands,
}

/// How to convert.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bounds.
    pub limits: Limits,
    /// Workers.
    pub jobs: usize,
    /// What to make.
    pub form: Form,
    /// Whom it is for.
    pub target: Target,
    /// `rdbcompression` of what is encoded anew.
    pub compress: bool,
    /// Which keys are taken.
    pub filter: Filter,
    /// Databases that get another number.
    pub map_db: BTreeMap<u64, u64>,
    /// Leave out keys whose time has come.
    pub drop_expired: bool,
    /// Added to every expire time, of fields too, in ms.
    pub shift_ttl_ms: i64,
    /// Unix time in ms.
    pub now_ms: i64,
    /// Take what a file holds that is cut short.
    pub tolerate_tail: bool,
}

/// Where the new file goes.
pub trait Sink: Write {
    /// Puts `new` in the place of `old` at an offset.
    ///
    /// # Errors
    /// When it cannot be written.
    fn patch(&mut self, offset: u64, old: &[u8], new: &[u8]) -> io::Result<()>;
}

/// Something that the target cannot hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// What it is.
    pub loss: Loss,
    /// The key it belongs to, if it does.
    pub key: Option<KeyPlace>,
    /// Where it is in the source.
    pub offset: u64,
    /// The whole key is left out.
    pub whole: bool,
}

/// What became of keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Written.
    pub keys: u64,
    /// Of them, with an expire time.
    pub expires: u64,
    /// Of those written, encoded anew.
    pub encoded: u64,
    /// Left out because they had expired.
    pub expired: u64,
    /// Left out by the filter.
    pub filtered: u64,
    /// Left out because the target cannot hold them.
    pub lost: u64,
}

/// What was done.
#[derive(Debug)]
pub struct Report {
    /// What the source is.
    pub facts: Facts,
    /// How reading it ended.
    pub outcome: Outcome,
    /// What keeps it from being converted.
    pub damage: Vec<Finding>,
    /// Keys.
    pub counts: Counts,
    /// Databases written to.
    pub databases: BTreeSet<u64>,
    /// What the target cannot hold, in the order of the file, up to the limit of findings.
    pub lost: Vec<Lost>,
    /// How much there is of each.
    pub losses: BTreeMap<Loss, u64>,
    /// AUX fields that were true of the source and would not be of the new file.
    pub aux_left_out: BTreeSet<Vec<u8>>,
    /// Bytes of the new file.
    pub size: u64,
}

/// Converts an RDB.
///
/// # Errors
/// When the source cannot be read or the sink not written.
pub fn convert_rdb(
    source: Source,
    input: &Input,
    sink: &mut dyn Sink,
    options: &Options,
) -> Result<Report> {
    let failed = |err| Error::io(input.path(), "read", err);
    let mut file = RdbFile::new(source.reader, options.limits);
    let mut facts = Facts::default();
    let mut all = Out::default();
    let mut assembly = Assembly::new(sink, options.form, options.target);
    assembly.begin();
    let mut write_error = None;
    let make = || Converter::new(options);
    let workers = pipeline::run(&mut file, options.jobs, make, |out: Out| {
        all.add(&out, options.limits.findings);
        out.once.into_iter().for_each(|fact| facts.keep(fact));
        for piece in out.pieces {
            if write_error.is_none() {
                write_error = assembly.piece(piece).err();
            }
        }
    })
    .map_err(failed)?;
    for worker in workers {
        facts.merge(worker.facts);
    }
    let (outcome, tail) = file.finish().map_err(failed)?;
    if let Behind::Commands(_) = Behind::of(&facts, &outcome, &tail) {
        let name = input.path().display();
        let why = "an AOF, of which the RDB is only the start; this version converts RDB files";
        return Err(Error::Usage(format!("{name} is {why}")));
    }
    let finished = match write_error {
        Some(err) => Err(err),
        None => assembly.end(),
    };
    let (size, databases) = finished.map_err(|err| Error::io("the output", "write", err))?;
    all.damage.extend(source_damage(&outcome, options));
    Ok(Report {
        facts,
        outcome,
        damage: all.damage,
        counts: all.counts,
        databases,
        lost: all.lost,
        losses: all.losses,
        aux_left_out: all.aux_left_out,
        size,
    })
}

/// What is wrong with the source as a whole.
fn source_damage(outcome: &Outcome, options: &Options) -> Vec<Finding> {
    let cut = |finding: &Finding| matches!(finding.code, Code::RdbTruncated | Code::RdbNoEof);
    let damage = outcome.damage.clone().filter(|finding| !(options.tolerate_tail && cut(finding)));
    let wrong = matches!(outcome.checksum, Checksum::Bad { .. }).then(|| {
        let span = outcome.end.saturating_sub(8)..outcome.end;
        Finding::new(Code::RdbCrc, span, format!("{:#018x}", outcome.computed), "another checksum")
    });
    damage.into_iter().chain(wrong).collect()
}

/// What a worker makes of a chunk.
#[derive(Debug, Default)]
struct Out {
    once: Vec<super::rdb_facts::Fact>,
    pieces: Vec<Piece>,
    counts: Counts,
    damage: Vec<Finding>,
    lost: Vec<Lost>,
    losses: BTreeMap<Loss, u64>,
    aux_left_out: BTreeSet<Vec<u8>>,
}

impl Out {
    fn lose(&mut self, loss: Loss, key: Option<KeyPlace>, offset: u64, whole: bool) {
        *self.losses.entry(loss).or_default() += 1;
        self.lost.push(Lost { loss, key, offset, whole });
    }

    /// Adds what came out of the next chunk, but for its bytes.
    fn add(&mut self, next: &Out, limit: usize) {
        let Counts { keys, expires, encoded, expired, filtered, lost } = next.counts;
        self.counts.keys += keys;
        self.counts.expires += expires;
        self.counts.encoded += encoded;
        self.counts.expired += expired;
        self.counts.filtered += filtered;
        self.counts.lost += lost;
        let room = limit.saturating_sub(self.lost.len());
        self.lost.extend(next.lost.iter().take(room).cloned());
        let room = limit.saturating_sub(self.damage.len());
        self.damage.extend(next.damage.iter().take(room).cloned());
        for (loss, count) in &next.losses {
            *self.losses.entry(*loss).or_default() += count;
        }
        self.aux_left_out.extend(next.aux_left_out.iter().cloned());
    }

    /// The piece that the next bytes belong to.
    fn keys_of(&mut self, db: u64) -> &mut Piece {
        let at_hand = matches!(self.pieces.last(), Some(piece) if piece.db == Some(db));
        if !at_hand {
            self.pieces.push(Piece { db: Some(db), ..Piece::default() });
        }
        let last = self.pieces.len() - 1;
        &mut self.pieces[last]
    }

    fn beside(&mut self) -> &mut Vec<u8> {
        let at_hand = matches!(self.pieces.last(), Some(piece) if piece.db.is_none());
        if !at_hand {
            self.pieces.push(Piece::default());
        }
        let last = self.pieces.len() - 1;
        &mut self.pieces[last].bytes
    }
}

struct Converter<'o> {
    options: &'o Options,
    encoder: Encoder,
    rebuild: Rebuild,
    walker: Walker,
    facts: Facts,
    open: bool,
    name: Vec<u8>,
    head: Vec<u8>,
    body: Vec<u8>,
}

impl<'o> Converter<'o> {
    fn new(options: &'o Options) -> Converter<'o> {
        Converter {
            options,
            encoder: Encoder::new(options.target, options.compress, PackedLimits::DEFAULT),
            rebuild: Rebuild::new(commands::server(options.target)),
            walker: Walker::new(false, options.limits),
            facts: Facts::default(),
            open: options.filter.is_open(),
            name: Vec::new(),
            head: Vec::new(),
            body: Vec::new(),
        }
    }

    fn key(&mut self, key: &KeyRecord<'_>, size: u64, out: &mut Out) {
        self.facts.key(key, self.options.now_ms);
        let mut name = std::mem::take(&mut self.name);
        match key.key.bytes(&mut name) {
            Ok(text) => self.named(key, text, size, out),
            Err(err) => {
                let at = key.key_offset..key.offset;
                let expected = "a sound compressed string";
                out.damage.push(Finding::new(Code::StringLzf, at, expected, err.what));
            }
        }
        self.name = name;
    }

    fn named(&mut self, key: &KeyRecord<'_>, name: &[u8], size: u64, out: &mut Out) {
        let options = self.options;
        if !self.open {
            let type_name = &type_name(key.rdb_type, key.payload);
            let (db, expire_at_ms) = (key.db, key.expire_at_ms);
            let subject = Subject { db, key: name, type_name, size, expire_at_ms };
            if !options.filter.takes(subject, options.now_ms) {
                out.counts.filtered += 1;
                return;
            }
        }
        if options.drop_expired && key.expire_at_ms.is_some_and(|at| at < options.now_ms) {
            out.counts.expired += 1;
            return;
        }
        let place = || KeyPlace {
            db: key.db,
            key: name.to_vec(),
            type_name: key.rdb_type.name,
            elements: key.stated_count(),
        };
        if options.form == Form::Commands {
            return self.commands(key, name, out);
        }
        let row = match self.value(key, out, place) {
            Some(Ok(row)) => row,
            Some(Err(loss)) => {
                out.lose(loss, Some(place()), key.offset, true);
                out.counts.lost += 1;
                return;
            }
            None => return,
        };
        for loss in std::mem::take(&mut self.encoder.pen.losses) {
            out.lose(loss, Some(place()), key.offset, false);
        }
        let head = KeyHead {
            expire_at_ms: key.expire_at_ms.map(|at| at.saturating_add(options.shift_ttl_ms)),
            idle_s: key.idle_s,
            freq: key.freq,
            meta: key.meta,
        };
        self.head.clear();
        head.write(options.target, &mut self.head, |loss| {
            out.lose(loss, Some(place()), key.key_offset, false);
        });
        let piece = self.piece_for(key, out);
        piece.bytes.extend_from_slice(&self.head);
        piece.bytes.push(row.code);
        self.encoder.pen.strings.write_stored(key.key, &mut piece.bytes);
        match row.body {
            Body::AsItWas => piece.bytes.extend_from_slice(key.payload),
            Body::Anew => {
                piece.bytes.extend_from_slice(&self.body);
                out.counts.encoded += 1;
            }
        }
    }

    /// Counts a key, and says where its bytes go.
    fn piece_for<'p>(&self, key: &KeyRecord<'_>, out: &'p mut Out) -> &'p mut Piece {
        let db = self.options.map_db.get(&key.db).copied().unwrap_or(key.db);
        out.counts.keys += 1;
        out.counts.expires += u64::from(key.expire_at_ms.is_some());
        let piece = out.keys_of(db);
        piece.keys += 1;
        piece.expires += u64::from(key.expire_at_ms.is_some());
        piece
    }

    /// The value for the target; `None` when it is damaged.
    fn value(
        &mut self,
        key: &KeyRecord<'_>,
        out: &mut Out,
        place: impl Fn() -> KeyPlace,
    ) -> Option<std::result::Result<Written, Loss>> {
        self.encoder.pen.losses.clear();
        if self.passes(key) {
            return Some(Ok(Written { code: key.rdb_type.code, body: Body::AsItWas }));
        }
        self.encoder.begin_from(key.rdb_type);
        self.encoder.pen.shift_ttl_ms = self.options.shift_ttl_ms;
        self.walker.value(key.rdb_type, key.payload, key.offset, &mut self.encoder);
        let damage = self.walker.findings.drain(..);
        let mut damage: Vec<_> = damage.filter(|f| f.severity() == Severity::Error).collect();
        if !damage.is_empty() {
            damage.iter_mut().for_each(|finding| finding.key = Some(place()));
            out.damage.append(&mut damage);
            return None;
        }
        self.body.clear();
        let row = self.encoder.finish(&mut self.body);
        Some(row.map(|row| Written { code: row.code, body: Body::Anew }))
    }

    /// Whether the target reads the value's bytes as they are.
    fn passes(&mut self, key: &KeyRecord<'_>) -> bool {
        /// Types that hold expire times of fields.
        const WITH_FIELD_TTL: [u8; 4] = [22, 23, 24, 25];
        /// Bytes of the shortest entry of which servers disagree about the back length.
        const AMBIGUOUS: u64 = 0x3fff;
        let (target, row) = (self.options.target, key.rdb_type);
        if !target.takes(row) || is_foreign_vectorset(target, key) {
            return false;
        }
        if self.options.shift_ttl_ms != 0 && WITH_FIELD_TTL.contains(&row.code) {
            return false;
        }
        if longest_listpack(row, key.payload) < AMBIGUOUS {
            return true;
        }
        self.walker.backlen = BacklenSeen::default();
        self.walker.value(row, key.payload, key.offset, &mut Ignore);
        let seen = std::mem::take(&mut self.walker.backlen);
        self.walker.findings.clear();
        if target.release.narrow_backlen { !seen.wide } else { !seen.narrow }
    }
}

/// How a value was written.
struct Written {
    code: u8,
    body: Body,
}

enum Body {
    AsItWas,
    Anew,
}

/// A vector set for a server that has modules, but not this one.
fn is_foreign_vectorset(target: Target, key: &KeyRecord<'_>) -> bool {
    !target.release.vectorset
        && key.rdb_type.code == 7
        && type_name(key.rdb_type, key.payload) == "vectorset"
}

impl Worker<Chunk> for Converter<'_> {
    type Out = Out;

    fn chunk(&mut self, chunk: &Chunk) -> Out {
        let mut out = Out::default();
        let mut db = chunk.start.db;
        for record in Reader::new(chunk) {
            match record {
                Err(finding) => out.damage.push(finding),
                Ok(Record { ref span, event: Event::Key(ref key) }) => {
                    self.key(key, span.end - span.start, &mut out);
                }
                Ok(record) => {
                    if let Event::SelectDb(selected) = record.event {
                        db = selected;
                    }
                    let bytes = chunk.slice(&record.span);
                    self.record(&record, bytes, &mut out);
                    let opcode = bytes.first().copied().unwrap_or(0);
                    out.once.extend(self.facts.record(&record, opcode, db));
                }
            }
        }
        out
    }
}
