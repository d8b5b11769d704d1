//! A point in time of the engine as the bytes of a file, a few keys at a time (see
//! [`crate::engine::Section`]): every database once, its keys in the order of their slots with those that
//! were set aside between them.

use std::collections::{BTreeMap, VecDeque};

use super::record::{Form, Records};
use crate::element::Str;
use crate::encoding::crc64;
use crate::encoding::resp::write_command;
use crate::engine::{Engine, KeyRef, Section};
use crate::finding::shown;
use crate::loss::Loss;
use crate::rdb::writer;

/// Steps of a walk over slots that may all be empty, before somebody else gets a turn.
const STEPS: usize = 4096;

/// A file being made of a point in time.
#[derive(Debug)]
pub(super) struct Dump {
    records: Records,
    /// Databases to come, the one at hand first.
    sections: VecDeque<Section>,
    begun: bool,
    /// Bytes of keys that were set aside, of databases to come.
    kept: BTreeMap<u64, Vec<u8>>,
    /// Checksum of the bytes handed out.
    crc: u64,
    ended: bool,
    /// The first key that cannot be written, and what of it.
    lost: Option<(u64, Vec<u8>, Loss)>,
}

impl Dump {
    /// Begins a point in time of the engine; `out` gets the head of the file.
    pub(super) fn begin(
        engine: &mut Engine,
        form: Form,
        compress: bool,
        stamp: Option<i64>,
        out: &mut Vec<u8>,
    ) -> Dump {
        let mut records = Records::new(form, engine.config().release, compress);
        let target = records.target;
        if form.is_rdb() {
            writer::begin(target, None, records.strings(), out);
            if form == Form::Preamble {
                writer::mark_preamble(target, records.strings(), out);
            }
        } else if let Some(second) = stamp {
            out.extend_from_slice(format!("#TS:{second}\r\n").as_bytes());
        }
        for (_, code) in engine.functions() {
            match form.is_rdb() {
                true => writer::function(records.strings(), Str::Raw(code), out),
                false => write_command([&b"FUNCTION"[..], b"LOAD", code].into_iter(), out),
            }
        }
        let mut dump = Dump {
            records,
            sections: engine.begin_point().into(),
            begun: false,
            kept: BTreeMap::new(),
            crc: 0,
            ended: false,
            lost: None,
        };
        dump.sum(out, 0);
        dump
    }

    fn sum(&mut self, out: &[u8], from: usize) {
        if self.records.form.is_rdb() {
            self.crc = crc64::extend(self.crc, out.get(from..).unwrap_or_default());
        }
    }

    /// Why the file would not be the data, if it would not.
    pub(super) fn fault(&self) -> Option<String> {
        let (db, key, loss) = self.lost.as_ref()?;
        let release = self.records.target.release.name;
        Some(format!(
            "key {} of db {db}: files of {release} cannot hold it: {}",
            shown(key),
            loss.about()
        ))
    }

    /// Appends the next keys to `out`, up to about `budget` bytes; false when the file has ended.
    pub(super) fn step(&mut self, engine: &mut Engine, budget: usize, out: &mut Vec<u8>) -> bool {
        let from = out.len();
        for _ in 0..STEPS {
            if self.ended || out.len() - from >= budget {
                break;
            }
            self.take_kept(engine, out);
            self.some(engine, out);
        }
        self.sum(out, from);
        if self.ended && self.records.form.is_rdb() && writer::has_checksum(self.records.target) {
            out.extend_from_slice(&self.crc.to_le_bytes());
        }
        !self.ended
    }

    /// The keys that commands are about to change: those of the database at hand are written at once.
    fn take_kept(&mut self, engine: &mut Engine, out: &mut Vec<u8>) {
        let Dump { records, sections, kept, lost, begun, .. } = self;
        let at_hand = sections.front().filter(|_| *begun).map(|section| section.db);
        engine.take_kept(&mut |db, key| {
            let to = if at_hand == Some(db) { &mut *out } else { kept.entry(db).or_default() };
            write(records, lost, db, key, to);
        });
    }

    /// The same after a command, when nothing is handed out.
    pub(super) fn set_aside(&mut self, engine: &mut Engine) {
        let Dump { records, kept, lost, .. } = self;
        engine.take_kept(&mut |db, key| {
            write(records, lost, db, key, kept.entry(db).or_default());
        });
    }

    fn some(&mut self, engine: &mut Engine, out: &mut Vec<u8>) {
        let Some(section) = self.sections.front().copied() else {
            if self.records.form.is_rdb() {
                out.extend_from_slice(&writer::END);
            }
            self.ended = true;
            engine.end_point();
            return;
        };
        if !std::mem::replace(&mut self.begun, true) {
            self.open(section, out);
        }
        if let Some(kept) = self.kept.remove(&section.db) {
            out.extend_from_slice(&kept);
        }
        let Dump { records, lost, .. } = self;
        let more = engine.walk_point(section.db, &mut |key| {
            write(records, lost, section.db, key, out);
        });
        if !more {
            self.sections.pop_front();
            self.begun = false;
        }
    }

    fn open(&mut self, section: Section, out: &mut Vec<u8>) {
        let Section { db, keys, expires } = section;
        if self.records.form.is_rdb() {
            writer::select_db(db, out);
            out.extend(writer::resize_db(self.records.target, keys, expires).into_iter().flatten());
        } else {
            let number = db.to_string();
            write_command([&b"SELECT"[..], number.as_bytes()].into_iter(), out);
        }
    }
}

fn write(
    records: &mut Records,
    lost: &mut Option<(u64, Vec<u8>, Loss)>,
    db: u64,
    key: KeyRef<'_>,
    out: &mut Vec<u8>,
) {
    if let Err(loss) = records.key(key, out) {
        lost.get_or_insert_with(|| (db, key.key.to_vec(), loss));
    }
}
