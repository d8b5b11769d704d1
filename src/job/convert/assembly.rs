//! Pieces of the new file put together: the choice of a database before its keys, counts filled in when
//! they are known, the checksum on the way.

use std::collections::BTreeSet;
use std::io;

use super::{Form, Sink};
use crate::encoding::crc64;
use crate::encoding::resp::write_command;
use crate::rdb::string::Strings;
use crate::rdb::target::Target;
use crate::rdb::writer;
use crate::text::{csv, json};

/// Bytes of the new file.
#[derive(Debug, Default)]
pub(super) struct Piece {
    /// The database of the keys; `None` for what stands beside them.
    pub(super) db: Option<u64>,
    pub(super) bytes: Vec<u8>,
    pub(super) keys: u64,
    pub(super) expires: u64,
}

/// What was made.
pub(super) struct Made {
    pub(super) size: u64,
    /// CRC-64 of all of it, where nothing was filled in.
    pub(super) crc: u64,
    pub(super) databases: BTreeSet<u64>,
}

/// Puts the pieces together.
pub(super) struct Assembly<'s> {
    sink: &'s mut dyn Sink,
    form: Form,
    target: Target,
    begun: bool,
    len: u64,
    crc: u64,
    /// The database at hand.
    section: Option<Section>,
    databases: BTreeSet<u64>,
    /// RESIZEDB records to be filled in: offset, keys, expires.
    counts: Vec<(u64, u64, u64)>,
    pending: Vec<u8>,
    /// Commands behind an RDB.
    behind: Vec<Piece>,
}

/// A run of keys of one database.
struct Section {
    db: u64,
    /// Where its RESIZEDB is, if it has one.
    offset: u64,
    keys: u64,
    expires: u64,
}

impl<'s> Assembly<'s> {
    /// Nothing yet.
    pub(super) fn new(sink: &'s mut dyn Sink, form: Form, target: Target) -> Assembly<'s> {
        Assembly {
            sink,
            form,
            target,
            begun: false,
            len: 0,
            crc: 0,
            section: None,
            databases: BTreeSet::new(),
            counts: Vec::new(),
            pending: Vec::new(),
            behind: Vec::new(),
        }
    }

    /// Begins the file, if it is not begun; `said` is the version that the source's server stated.
    pub(super) fn begin(&mut self, said: Option<&[u8]>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        match self.form {
            Form::Rdb | Form::Preamble => {}
            Form::Json => return self.pending.extend_from_slice(json::BEGIN),
            Form::Csv => return self.pending.extend_from_slice(csv::HEADER),
            Form::Commands | Form::Restore | Form::JsonLines => return,
        }
        let mut strings = Strings::new(false);
        writer::begin(self.target, said, &mut strings, &mut self.pending);
        if self.form == Form::Preamble {
            writer::mark_preamble(self.target, &mut strings, &mut self.pending);
        }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sink.write_all(bytes)?;
        self.crc = crc64::extend(self.crc, bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let pending = std::mem::take(&mut self.pending);
        self.put(&pending)?;
        self.pending = pending;
        self.pending.clear();
        Ok(())
    }

    /// Appends a piece.
    pub(super) fn piece(&mut self, piece: Piece) -> io::Result<()> {
        if let Some(db) = piece.db
            && self.section.as_ref().is_none_or(|section| section.db != db)
        {
            self.close_section();
            self.open_section(db);
        }
        self.flush()?;
        let mut bytes = &piece.bytes[..];
        if let (Form::Json, Some(0)) = (self.form, self.section.as_ref().map(|s| s.keys)) {
            bytes = bytes.strip_prefix(&[json::COMMA]).unwrap_or(bytes);
        }
        self.put(bytes)?;
        if let Some(section) = &mut self.section {
            section.keys += piece.keys;
            section.expires += piece.expires;
        }
        Ok(())
    }

    /// Keeps commands for the end.
    pub(super) fn behind(&mut self, pieces: Vec<Piece>) {
        self.behind.extend(pieces);
    }

    fn open_section(&mut self, db: u64) {
        let is_first = self.databases.is_empty();
        self.databases.insert(db);
        let mut section = Section { db, offset: 0, keys: 0, expires: 0 };
        match self.form {
            Form::Rdb | Form::Preamble => {
                writer::select_db(db, &mut self.pending);
                section.offset = self.len + self.pending.len() as u64;
                self.pending.extend(writer::resize_db(self.target, 0, 0).into_iter().flatten());
            }
            Form::Commands | Form::Restore => select(db, &mut self.pending),
            Form::Json => json::open_db(db, is_first, &mut self.pending),
            Form::JsonLines | Form::Csv => {}
        }
        self.section = Some(section);
    }

    fn close_section(&mut self) {
        let Some(section) = self.section.take() else { return };
        match self.form {
            Form::Rdb | Form::Preamble => {
                self.counts.push((section.offset, section.keys, section.expires));
            }
            Form::Json => self.pending.extend_from_slice(json::CLOSE_DB),
            Form::Commands | Form::Restore | Form::JsonLines | Form::Csv => {}
        }
    }

    /// Ends the file.
    pub(super) fn end(mut self) -> io::Result<Made> {
        self.close_section();
        match self.form {
            Form::Rdb | Form::Preamble => self.pending.extend_from_slice(&writer::END),
            Form::Json => self.pending.extend_from_slice(json::END),
            Form::Commands | Form::Restore | Form::JsonLines | Form::Csv => {}
        }
        self.flush()?;
        if !matches!(self.form, Form::Rdb | Form::Preamble) {
            return Ok(Made { size: self.len, crc: self.crc, databases: self.databases });
        }
        for (offset, keys, expires) in std::mem::take(&mut self.counts) {
            let records = writer::resize_db(self.target, 0, 0);
            let records = records.zip(writer::resize_db(self.target, keys, expires));
            if let Some((old, new)) = records {
                self.sink.patch(offset, &old, &new)?;
                let after = self.len - offset - new.len() as u64;
                self.crc = crc64::patched(self.crc, &old, &new, after);
            }
        }
        if writer::has_checksum(self.target) {
            let crc = self.crc;
            self.put(&crc.to_le_bytes())?;
        }
        let mut selected = None;
        for piece in std::mem::take(&mut self.behind) {
            let db = piece.db.unwrap_or(0);
            if selected.replace(db) != Some(db) {
                select(db, &mut self.pending);
                self.databases.insert(db);
            }
            self.flush()?;
            self.put(&piece.bytes)?;
        }
        Ok(Made { size: self.len, crc: self.crc, databases: self.databases })
    }
}

/// Appends the command that chooses a database.
fn select(db: u64, out: &mut Vec<u8>) {
    let number = db.to_string();
    let args: [&[u8]; 2] = [b"SELECT", number.as_bytes()];
    write_command(args.into_iter(), out);
}
