//! What the workers do: they take chunks of an RDB, or runs of keys of the store, and make bytes of them. A
//! value passes through untouched where the target reads its row, else it is walked and encoded anew.

use std::collections::{BTreeMap, BTreeSet};

use super::assembly::Piece;
use super::key::{Held, Key};
use super::merge::Seen;
use super::text::{self, Below};
use super::{Counts, Form, Lost, Options, twice};
use crate::aof::rebuild::Rebuild;
use crate::element::{Ignore, ModuleId};
use crate::finding::{Finding, KeyPlace};
use crate::job::duplicates::KeyHasher;
use crate::job::filter::{Subject, type_name};
use crate::job::payload::{data_type, server_of};
use crate::job::pipeline::Parts;
use crate::job::rdb_facts::{Fact, Facts};
use crate::limits::{CHUNK, PackedLimits};
use crate::loss::Loss;
use crate::rdb::encode::{self, Encoder, longest_listpack};
use crate::rdb::header::Header;
use crate::rdb::target::Target;
use crate::rdb::walk::{BacklenSeen, Walker};
use crate::record::KeyRecord;

/// What a worker makes of a chunk.
#[derive(Debug, Default)]
pub(super) struct Out {
    pub(super) once: Vec<Fact>,
    pub(super) pieces: Vec<Piece>,
    pub(super) counts: Counts,
    pub(super) damage: Vec<Finding>,
    pub(super) lost: Vec<Lost>,
    pub(super) losses: BTreeMap<Loss, u64>,
    pub(super) aux_left_out: BTreeSet<Vec<u8>>,
    /// The version of the server that wrote the source, if it is of the target's release.
    pub(super) said: Option<Vec<u8>>,
    /// Commands behind an RDB.
    pub(super) behind: Vec<Piece>,
    /// Keys and libraries that the inputs before have not.
    pub(super) met: Vec<u128>,
    pub(super) libraries: Vec<(Vec<u8>, Vec<u8>)>,
    /// Rows of the keys written, where one must not come twice.
    pub(super) rows: Vec<u128>,
    /// Names of the libraries written, and where they are in the source.
    pub(super) loaded: Vec<(Vec<u8>, u64)>,
    /// Something whose line would not be read back, and why.
    pub(super) unreadable: Option<String>,
}

impl Out {
    pub(super) fn lose(&mut self, loss: Loss, key: Option<KeyPlace>, offset: u64, whole: bool) {
        *self.losses.entry(loss).or_default() += 1;
        self.lost.push(Lost { loss, key, offset, whole });
    }

    /// A key that is left out.
    pub(super) fn lose_key(&mut self, loss: Loss, key: &Key<'_>) {
        self.lose(loss, Some(key.place()), key.offset(), true);
        self.counts.lost += 1;
    }

    /// A part of a key.
    pub(super) fn lose_of(&mut self, loss: Loss, key: &Key<'_>) {
        self.lose(loss, Some(key.place()), key.offset(), false);
    }

    /// The piece that was written to last.
    pub(super) fn last_piece(&mut self) -> &mut Piece {
        if self.pieces.is_empty() {
            self.pieces.push(Piece::default());
        }
        let last = self.pieces.len() - 1;
        &mut self.pieces[last]
    }

    pub(super) fn beside(&mut self) -> &mut Vec<u8> {
        let at_hand = matches!(self.pieces.last(), Some(piece) if piece.db.is_none());
        if !at_hand {
            self.pieces.push(Piece::default());
        }
        &mut self.last_piece().bytes
    }
}

/// The piece that the next bytes for a database belong to.
fn piece_of(pieces: &mut Vec<Piece>, db: u64) -> &mut Piece {
    let at_hand = matches!(pieces.last(), Some(piece) if piece.db == Some(db));
    if !at_hand {
        // Room for all of a chunk, so that it need not grow, where it is the only piece, as nearly always.
        let room = if pieces.is_empty() { CHUNK + CHUNK / 2 } else { 0 };
        let bytes = Vec::with_capacity(room);
        pieces.push(Piece { db: Some(db), bytes, ..Piece::default() });
    }
    let last = pieces.len() - 1;
    &mut pieces[last]
}

/// Makes bytes of keys.
pub(super) struct Converter<'o> {
    pub(super) options: &'o Options,
    pub(super) encoder: Encoder,
    pub(super) rebuild: Rebuild,
    /// The writer of a form of text.
    pub(super) text: Option<Box<dyn crate::text::Form + Send>>,
    /// RDB version of the source.
    pub(super) version: u16,
    /// Reads the lines that it makes, where they come below those of another input.
    pub(super) below: Option<Below>,
    pub(super) walker: Walker,
    pub(super) facts: Facts,
    /// What the inputs before had, if there are several.
    pub(super) seen: Option<&'o Seen>,
    pub(super) is_first: bool,
    /// Makes the rows, if there are to be some.
    hasher: Option<KeyHasher>,
    open: bool,
    pub(super) name: Vec<u8>,
    head: Vec<u8>,
    pub(super) body: Vec<u8>,
}

impl<'o> Converter<'o> {
    pub(super) fn new(
        options: &'o Options,
        seen: Option<&'o Seen>,
        is_first: bool,
        below: Option<Header>,
        hasher: Option<KeyHasher>,
    ) -> Converter<'o> {
        let mut encoder = Encoder::new(options.target, options.compress, PackedLimits::DEFAULT);
        // Where commands can follow they make it, and the server the graph.
        encoder.pen.makes_graphs = options.form == Form::Rdb;
        Converter {
            options,
            encoder,
            rebuild: Rebuild::new(server_of(options.target)),
            text: text::writer(options.form, options.shift_ttl_ms),
            version: 0,
            below: below.map(|header| Below::new(header, options.limits)),
            // What is read back as an RDB is walked deeply then.
            walker: Walker::new(!options.form.is_read_back(), options.limits),
            facts: Facts::default(),
            seen,
            is_first,
            hasher,
            open: options.filter.is_open(),
            name: Vec::new(),
            head: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Writes a key, if it is to be written. `hand_in` takes what was written, if that is much.
    pub(super) fn write(&mut self, key: &Key<'_>, out: &mut Out, hand_in: Parts<'_, Out>) {
        let options = self.options;
        // Which of two counts does not depend on what is made of it then.
        if options.winner.is_some() && !self.is_new(key, out) {
            return;
        }
        if !self.open && !self.is_selected(key) {
            out.counts.filtered += 1;
            return;
        }
        if options.drop_expired && key.head.expire_at_ms.is_some_and(|at| at < options.now_ms) {
            out.counts.expired += 1;
            return;
        }
        if options.winner.is_none() && !self.is_new(key, out) || !self.is_sound(key, out) {
            return;
        }
        match options.form {
            // What an RDB cannot hold may follow as commands where some may follow.
            Form::Preamble if key.is_built_vectorset() => self.commands(key, out),
            Form::Rdb | Form::Preamble => self.rdb(key, out),
            Form::Restore if !key.is_built_vectorset() => self.restore(key, out),
            Form::Restore | Form::Commands => self.commands(key, out),
            Form::JsonLines | Form::Json | Form::Csv => self.text(key, out, hand_in),
        }
    }

    fn is_selected(&mut self, key: &Key<'_>) -> bool {
        let filter = &self.options.filter;
        let size = match key.size {
            None if filter.looks_at_sizes() => self.encoded_size(key),
            size => size.unwrap_or(0),
        };
        let subject = Subject {
            db: key.db,
            key: key.name,
            type_name: &key.type_name(),
            size,
            expire_at_ms: key.head.expire_at_ms,
        };
        filter.takes(subject, self.options.now_ms)
    }

    /// What a key of the store would take in an RDB of the target.
    fn encoded_size(&mut self, key: &Key<'_>) -> u64 {
        let mut damage = Vec::new();
        let written = self.value(key, &mut damage);
        let body = matches!(written, Some(Ok(_))).then_some(self.body.len());
        (key.name.len() + body.unwrap_or(0)) as u64
    }

    fn rdb(&mut self, key: &Key<'_>, out: &mut Out) {
        let row = match self.value(key, &mut out.damage) {
            Some(Ok(row)) => row,
            Some(Err(loss)) => return out.lose_key(loss, key),
            None => return,
        };
        for loss in std::mem::take(&mut self.encoder.pen.losses) {
            out.lose_of(loss, key);
        }
        let mut head = key.head;
        head.expire_at_ms = self.expire_at_ms(key);
        self.head.clear();
        head.write(self.options.target, &mut self.head, |loss| out.lose_of(loss, key));
        let piece = self.piece_for(key, out);
        piece.bytes.extend_from_slice(&self.head);
        piece.bytes.push(row.code);
        self.encoder.pen.strings.write_stored(key.stored, &mut piece.bytes);
        match row.body {
            Body::AsItWas(payload) => piece.bytes.extend_from_slice(payload),
            Body::Anew => {
                piece.bytes.extend_from_slice(&self.body);
                out.counts.encoded += 1;
            }
        }
    }

    /// When the key expires in the new file.
    pub(super) fn expire_at_ms(&self, key: &Key<'_>) -> Option<i64> {
        key.head.expire_at_ms.map(|at| at.saturating_add(self.options.shift_ttl_ms))
    }

    /// The database that it gets.
    pub(super) fn db(&self, key: &Key<'_>) -> u64 {
        self.options.map_db.get(&key.db).copied().unwrap_or(key.db)
    }

    /// Counts a key, and says where its bytes go.
    pub(super) fn piece_for<'p>(&self, key: &Key<'_>, out: &'p mut Out) -> &'p mut Piece {
        let db = self.db(key);
        out.rows.extend(self.hasher.map(|hasher| twice::row(hasher, db, key)));
        if self.options.form == Form::Preamble && key.is_built_vectorset() {
            out.counts.behind += 1;
            return piece_of(&mut out.behind, db);
        }
        let expires = u64::from(key.head.expire_at_ms.is_some());
        out.counts.keys += 1;
        out.counts.expires += expires;
        let piece = piece_of(&mut out.pieces, db);
        piece.keys += 1;
        piece.expires += expires;
        piece
    }

    /// The value for the target; `None` when it is damaged.
    pub(super) fn value<'k>(
        &mut self,
        key: &Key<'k>,
        damage: &mut Vec<Finding>,
    ) -> Option<Result<Written<'k>, Loss>> {
        self.encoder.pen.losses.clear();
        match key.held {
            Held::Record(record) if self.passes(record) => {
                let (code, body) = (record.rdb_type.code, Body::AsItWas(record.payload));
                return Some(Ok(Written { code, body }));
            }
            Held::Record(record) => self.encoder.begin_from(record.rdb_type),
            // What the store has packed stays so, and what it has not too.
            Held::Live(value) => self.encoder.begin(data_type(value), encode::Form::Table),
        }
        self.encoder.pen.shift_ttl_ms = self.options.shift_ttl_ms;
        if !key.walk(&mut self.walker, &mut self.encoder, self.options.server(), damage) {
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
pub(super) struct Written<'a> {
    pub(super) code: u8,
    pub(super) body: Body<'a>,
}

/// Its bytes.
pub(super) enum Body<'a> {
    /// Those of the source.
    AsItWas(&'a [u8]),
    /// Those in [`Converter::body`].
    Anew,
}

/// A vector set for a server that has modules, but not this one.
fn is_foreign_vectorset(target: Target, key: &KeyRecord<'_>) -> bool {
    !target.release.vectorset
        && key.rdb_type.code == 7
        && type_name(key.rdb_type, key.payload) == ModuleId::VECTORSET.name()
}
