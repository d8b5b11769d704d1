//! Damage that a new RDB would be refused for when it is read back, told on the way of whatever becomes
//! something else: its commands or text would not show it any more.

use super::key::{Held, Key};
use super::worker::{Converter, Out};
use crate::element::Str;
use crate::finding::{Code, Finding, Findings, Severity};
use crate::job::check::{self, attributes, check_event};
use crate::job::rdb_facts::Library;
use crate::limits::DATABASES_MAX;
use crate::record::{Event, Record};

impl Converter<'_> {
    /// Whether what stands before a key's value is sound, as far as this must be known here. The value itself
    /// is walked when it is written.
    pub(super) fn is_sound(&mut self, key: &Key<'_>, out: &mut Out) -> bool {
        let (Held::Record(record), false) = (key.held, self.options.form.is_read_back()) else {
            return true;
        };
        let end = record.offset.saturating_add(record.payload.len() as u64);
        let begin = end.saturating_sub(key.size.unwrap_or(0)).min(record.key_offset);
        let db = self.db(key);
        if db > DATABASES_MAX {
            let chosen = Record { span: begin..record.key_offset, event: Event::SelectDb(db) };
            check_event(&chosen, &check::Options::default(), &mut self.walker.findings);
        }
        attributes(record, &(begin..end), &mut self.walker.findings);
        key.take_errors(&mut self.walker, self.options.server(), &mut out.damage)
    }

    /// The same of a record beside the keys.
    pub(super) fn is_sound_beside(&self, record: &Record<'_>, out: &mut Out) -> bool {
        if !expands(&record.event) {
            let expected = "a sound compressed string";
            let finding = Finding::new(Code::StringLzf, record.span.clone(), expected, "another");
            out.damage.push(finding);
            return false;
        }
        match record.event {
            // Others are mended, or looked at where they are written: the choice of a database with its
            // keys, a function only if the target has such.
            Event::Aux { .. }
            | Event::ModuleAux { .. }
            | Event::SlotInfo { .. }
            | Event::SlotImport { .. } => self.is_sound_event(record, out),
            _ => true,
        }
    }

    /// The same of a function library, of which the new file gets one of each name.
    pub(super) fn is_sound_library(&self, code: &[u8], offset: u64, out: &mut Out) -> bool {
        let span = offset..offset.saturating_add(1);
        let event = Event::Function { code: Str::Raw(code) };
        if !self.is_sound_event(&Record { span, event }, out) {
            return false;
        }
        if !self.options.form.is_read_back() {
            out.loaded.extend(Library::of(code, offset).name.map(|name| (name, offset)));
        }
        true
    }

    fn is_sound_event(&self, record: &Record<'_>, out: &mut Out) -> bool {
        if self.options.form.is_read_back() {
            return true;
        }
        let mut findings = Findings::new(self.options.limits.findings);
        check_event(record, &check::Options::default(), &mut findings);
        let before = out.damage.len();
        let errors = findings.iter().filter(|finding| finding.severity() == Severity::Error);
        out.damage.extend(errors.cloned());
        out.damage.len() == before
    }
}

/// Whether strings that go into something else are what they claim, as far as nobody else asks.
fn expands(event: &Event<'_>) -> bool {
    let texts = match event {
        Event::FunctionPreGa { name, engine, description, code } => {
            [Some(name), Some(engine), description.as_ref(), Some(code)]
        }
        Event::SlotImport { job, .. } => [Some(job), None, None, None],
        _ => [None; 4],
    };
    texts.into_iter().flatten().all(|text| text.bytes(&mut Vec::new()).is_ok())
}
