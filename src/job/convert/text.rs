//! Keys as text ([`crate::text`]): whatever the source, their elements go straight into the form's buffer,
//! which is the piece of the new file. JSON Lines have lines for what stands beside the keys as well; the
//! other forms show keys only.

use super::Form;
use super::beside::translated;
use super::key::{Held, Key};
use super::worker::{Converter, Out};
use crate::element::ModuleId;
use crate::finding::{Code, Finding};
use crate::loss::Loss;
use crate::rdb::length::length;
use crate::record::{Event, Record};
use crate::text::csv::Csv;
use crate::text::json::Json;
use crate::text::lines::Lines;
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
    pub(super) fn text(&mut self, key: &Key<'_>, out: &mut Out) {
        let Some(mut writer) = self.text.take() else { return };
        match key.held {
            // It is framed, and nobody knows what is in it.
            Held::Record(record) if record.rdb_type.provisional => {
                out.lose_key(Loss::Opaque, key);
            }
            _ => self.write_text(key, &mut *writer, out),
        }
        self.text = Some(writer);
    }

    fn write_text(&mut self, key: &Key<'_>, writer: &mut dyn text::Form, out: &mut Out) {
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
        // The piece's own buffer is written to, and taken back if the value turns out to be damaged.
        let piece = self.piece_for(key, out);
        let before = piece.bytes.len();
        std::mem::swap(writer.buffer(), &mut piece.bytes);
        writer.begin(&head);
        let mut damage = Vec::new();
        let whole = key.walk(&mut self.walker, writer, None, &mut damage);
        writer.end();
        let piece = out.last_piece();
        std::mem::swap(writer.buffer(), &mut piece.bytes);
        if !whole {
            piece.bytes.truncate(before);
            out.damage.append(&mut damage);
        }
    }

    /// Writes a record that is no key.
    pub(super) fn text_beside(&mut self, record: &Record<'_>, out: &mut Out) {
        if !expands(&record.event) {
            let expected = "a sound compressed string";
            let finding = Finding::new(Code::StringLzf, record.span.clone(), expected, "another");
            return out.damage.push(finding);
        }
        let offset = record.span.start;
        match &record.event {
            Event::Function { code } => return self.function(*code, offset, out),
            Event::FunctionPreGa { name, engine, code, .. } => {
                let whole = translated(*name, *engine, *code);
                let is_new = self.is_new_library(&whole, offset, out);
                if !is_new || !self.is_sound_library(&whole, offset, out) {
                    return;
                }
            }
            _ => {}
        }
        if self.options.form != Form::JsonLines {
            return;
        }
        match &record.event {
            // Of several inputs the first one's are true of the new file, if any.
            Event::Header(_) | Event::Aux { .. } if !self.is_first => {}
            event => beside::line(event, out.beside()),
        }
    }
}

/// Whether the strings beside the keys are what they claim.
fn expands(event: &Event<'_>) -> bool {
    let texts = match event {
        Event::Aux { key, value } => [Some(key), Some(value), None, None],
        Event::FunctionPreGa { name, engine, description, code } => {
            [Some(name), Some(engine), description.as_ref(), Some(code)]
        }
        Event::SlotImport { job, .. } => [Some(job), None, None, None],
        _ => [None; 4],
    };
    texts.into_iter().flatten().all(|text| text.bytes(&mut Vec::new()).is_ok())
}

/// The line of a record of what a module keeps beside the keys.
pub(super) fn text_module_aux(bytes: &[u8], form: Form, out: &mut Out) {
    let after_opcode = bytes.get(1..).unwrap_or_default();
    if let (Form::JsonLines, Ok((data, id))) = (form, length(after_opcode)) {
        let event = Event::ModuleAux { id: ModuleId(id), when: None, data };
        beside::line(&event, out.beside());
    }
}
