//! Keys as text ([`crate::text`]): whatever the source, their elements go straight into the form's buffer,
//! which is the piece of the new file. JSON Lines have lines for what stands beside the keys as well; the
//! other forms show keys only.

use super::Form;
use super::key::{Held, Key};
use super::parts::Parted;
use super::worker::{Converter, Out};
use crate::element::ModuleId;
use crate::job::pipeline::Parts;
use crate::limits::Limits;
use crate::loss::Loss;
use crate::rdb::header::{Dialect, Header};
use crate::rdb::length::length;
use crate::record::Event;
use crate::text::csv::Csv;
use crate::text::json::Json;
use crate::text::lines::Lines;
use crate::text::read::{LineReader, Records};
use crate::text::{self, Head, beside};

/// The writer of a form, if it is one of text.
pub(super) fn writer(form: Form, shift_ttl_ms: i64) -> Option<Box<dyn text::Form + Send>> {
    match form {
        Form::JsonLines => Some(Box::new(Lines::new(shift_ttl_ms))),
        Form::Json => Some(Box::new(Json::default())),
        Form::Csv => Some(Box::new(Csv::default())),
        Form::Rdb | Form::Preamble | Form::Commands | Form::Restore => None,
    }
}

impl Converter<'_> {
    /// Writes a key that was selected.
    pub(super) fn text(&mut self, key: &Key<'_>, out: &mut Out, hand_in: Parts<'_, Out>) {
        let Some(mut writer) = self.text.take() else { return };
        match key.held {
            // It is framed, and nobody knows what is in it.
            Held::Record(record) if record.rdb_type.provisional => {
                out.lose_key(Loss::Opaque, key);
            }
            _ => self.write_text(key, &mut *writer, out, hand_in),
        }
        self.text = Some(writer);
    }

    fn write_text(
        &mut self,
        key: &Key<'_>,
        writer: &mut dyn text::Form,
        out: &mut Out,
        hand_in: Parts<'_, Out>,
    ) {
        let type_name = key.type_name();
        let head = Head {
            db: self.db(key),
            key: key.name,
            data: key.data(),
            type_name: &type_name,
            encoding: key.encoding(self.version),
            expire_at_ms: self.expire_at_ms(key),
            idle_s: key.head.idle_s,
            freq: key.head.freq,
            meta: key.head.meta,
            size: key.size,
        };
        // The piece's own buffer is written to. Of a value that turns out to be damaged some may be handed in
        // by then: nothing is put in place in that case.
        let piece = self.piece_for(key, out);
        std::mem::swap(writer.buffer(), &mut piece.bytes);
        writer.begin(&head);
        let mut damage = Vec::new();
        if self.below.as_ref().is_some_and(|below| below.judges) {
            return self.write_judged(key, writer, out);
        }
        let mut parted = Parted { writer: &mut *writer, out: &mut *out, hand_in };
        key.walk(&mut self.walker, &mut parted, None, &mut damage);
        writer.end();
        std::mem::swap(writer.buffer(), &mut out.last_piece().bytes);
        out.damage.append(&mut damage);
    }

    /// Writes the rest of a key's line, and reads it.
    fn write_judged(&mut self, key: &Key<'_>, writer: &mut dyn text::Form, out: &mut Out) {
        let mut damage = Vec::new();
        key.walk(&mut self.walker, writer, None, &mut damage);
        writer.end();
        let piece = out.last_piece();
        std::mem::swap(writer.buffer(), &mut piece.bytes);
        let line = piece.bytes.trim_ascii_end().rsplit(|byte| *byte == b'\n').next();
        if let (Some(below), true) = (&mut self.below, damage.is_empty()) {
            let wrong = below.judge(line.unwrap_or_default());
            let named = |why| format!("the key \"{}\" ({why})", key.name.escape_ascii());
            out.unreadable = out.unreadable.take().or(wrong.map(named));
        }
        out.damage.append(&mut damage);
    }

    /// Writes a record that is no key, nor a function.
    pub(super) fn text_beside(&mut self, event: &Event<'_>, out: &mut Out) {
        match event {
            _ if self.options.form != Form::JsonLines => {}
            // Of several inputs the first one's are true of the new file, if any.
            Event::Header(_) | Event::Aux { .. } if !self.is_first => {}
            event => {
                let mut line = Vec::new();
                beside::line(event, &mut line);
                if let (Some(below), false) = (&mut self.below, line.is_empty()) {
                    let wrong = below.judge(line.trim_ascii_end());
                    let named = |why| format!("what is beside the keys ({why})");
                    out.unreadable = out.unreadable.take().or(wrong.map(named));
                }
                out.beside().append(&mut line);
            }
        }
    }
}

/// Reads lines as they will be read below the first line of another input.
pub(super) struct Below {
    dialect: Dialect,
    reader: LineReader,
    records: Records,
    /// Whether it matters: what its own dialect has, the newest version of that holds.
    judges: bool,
}

impl Below {
    pub(super) fn new(header: Header, limits: Limits) -> Below {
        let reader = LineReader::new(header, limits);
        Below { dialect: header.dialect, reader, records: Records::default(), judges: true }
    }

    /// Takes in what the source begins with.
    pub(super) fn source_is(&mut self, header: Header) {
        self.judges = header.dialect != self.dialect;
    }

    /// Why a line would not be read.
    fn judge(&mut self, line: &[u8]) -> Option<String> {
        self.records = Records::default();
        if !self.judges {
            return None;
        }
        self.reader.line(line, &mut self.records).err().map(|wrong| wrong.what)
    }
}

/// The line of a record of what a module keeps beside the keys.
pub(super) fn text_module_aux(bytes: &[u8], form: Form, out: &mut Out) {
    let after_opcode = bytes.get(1..).unwrap_or_default();
    if let (Form::JsonLines, Ok((data, id))) = (form, length(after_opcode)) {
        let event = Event::ModuleAux { id: ModuleId(id), when: None, data };
        beside::line(&event, out.beside());
    }
}
