//! What stands beside the keys: AUX fields, functions, data of modules, slot imports.

use super::text::text_module_aux;
use super::worker::{Converter, Out};
use super::{Form, Options};
use crate::element::Str;
use crate::encoding::resp::write_command;
use crate::finding::{Code, Finding};
use crate::loss::Loss;
use crate::rdb::writer;
use crate::record::{Event, Record};

impl Converter<'_> {
    /// Writes a record that is no key, if it is one that goes along.
    pub(super) fn record(&mut self, record: &Record<'_>, bytes: &[u8], out: &mut Out) {
        let offset = record.span.start;
        if !self.is_sound_beside(record, out) {
            return;
        }
        match &record.event {
            Event::Function { code } => {
                return self.function(*code, &record.event, offset, out);
            }
            Event::FunctionPreGa { name, engine, code, .. } => {
                let whole = translated(*name, *engine, *code);
                return self.function(Str::Raw(&whole), &record.event, offset, out);
            }
            event if self.options.form.is_text() => return self.text_beside(event, out),
            Event::ModuleAux { .. } => return module_aux(bytes, offset, self.options, out),
            _ if self.options.form.is_commands() => return self.beside_commands(record, out),
            _ => {}
        }
        let target = self.options.target;
        // What a development build calls itself.
        let is_own = self.version == target.version;
        let pen = &mut self.encoder.pen;
        let lost = match &record.event {
            Event::Aux { key, value } => {
                let mut text = Vec::new();
                let name = key.bytes(&mut text).unwrap_or_default();
                let mut other = Vec::new();
                let value_text = value.bytes(&mut other).unwrap_or_default();
                match self.options.aux_fate(name, value_text) {
                    AuxFate::IsNewlySaid if self.is_first && is_own && value_text == UNNAMED => {
                        out.said = Some(value_text.to_vec());
                    }
                    // Of several inputs the first one's are true of the new file, if any.
                    AuxFate::Goes if self.is_first => {
                        writer::aux(target, &mut pen.strings, *key, *value, out.beside())
                    }
                    AuxFate::IsSaid if self.is_first => out.said = Some(value_text.to_vec()),
                    AuxFate::Goes | AuxFate::IsSaid | AuxFate::IsNewlySaid => {}
                    AuxFate::Stays => drop(out.aux_left_out.insert(name.to_vec())),
                }
                None
            }
            Event::SlotImport { .. } if !target.is_redis() && target.version >= 80 => {
                out.beside().extend_from_slice(bytes);
                None
            }
            Event::SlotImport { .. } => Some(Loss::SlotImport),
            // Sizes, which are those of the new file if it has all keys.
            Event::SlotInfo { .. }
                if target.takes_slot_info() && self.options.takes_all() && self.seen.is_none() =>
            {
                out.beside().extend_from_slice(bytes);
                None
            }
            Event::Opaque { .. } => Some(Loss::Opaque),
            _ => None,
        };
        lost.into_iter().for_each(|loss| out.lose(loss, None, offset, true));
    }
}

impl Converter<'_> {
    /// Writes a function library, which comes as an event that begins at an offset.
    pub(super) fn function(
        &mut self,
        stored: Str<'_>,
        event: &Event<'_>,
        offset: u64,
        out: &mut Out,
    ) {
        let mut text = Vec::new();
        let code = match stored.bytes(&mut text) {
            Ok(code) => code,
            Err(err) => {
                let expected = "a sound compressed string";
                let at = offset..offset.saturating_add(1);
                return out.damage.push(Finding::new(Code::StringLzf, at, expected, err.what));
            }
        };
        let target = self.options.target;
        if self.options.form.is_text() {
            if self.is_new_library(code, offset, out) && self.is_sound_library(code, offset, out) {
                self.text_beside(event, out);
            }
            return;
        }
        if target.version < writer::SINCE_FUNCTION2 {
            return out.lose(Loss::Function, None, offset, true);
        }
        if !self.is_new_library(code, offset, out) || !self.is_sound_library(code, offset, out) {
            return;
        }
        if self.options.form.is_commands() {
            let args: [&[u8]; 3] = [b"FUNCTION", b"LOAD", code];
            write_command(args.into_iter(), out.beside());
        } else {
            writer::function(&mut self.encoder.pen.strings, stored, out.beside());
        }
    }

    /// What stands beside the keys and is no command.
    fn beside_commands(&self, record: &Record<'_>, out: &mut Out) {
        let lost = match &record.event {
            Event::SlotImport { .. } => Loss::SlotImport,
            Event::Opaque { .. } => Loss::Opaque,
            _ => return,
        };
        out.lose(lost, None, record.span.start, true);
    }
}

/// The version of servers that were built between releases.
const UNNAMED: &[u8] = b"255.255.255";

/// Writes a record of what a module keeps beside the keys, which begins at an offset.
pub(super) fn module_aux(bytes: &[u8], offset: u64, options: &Options, out: &mut Out) {
    if options.form.is_text() {
        return text_module_aux(bytes, options.form, out);
    }
    if options.form.is_commands() || options.target.version < writer::SINCE_MODULE_AUX {
        return out.lose(Loss::ModuleAux, None, offset, true);
    }
    out.beside().extend_from_slice(bytes);
}

/// What becomes of an AUX field.
enum AuxFate {
    /// It is as true of the new file.
    Goes,
    /// It names a server of the target's own release: the new file says the same.
    IsSaid,
    /// The new file says it itself.
    IsNewlySaid,
    /// It was true of the source only.
    Stays,
}

impl Options {
    /// Whether the new file has every key of its sources, in the database where it was.
    fn takes_all(&self) -> bool {
        self.filter.is_open() && self.map_db.is_empty() && !self.drop_expired
    }

    fn aux_fate(&self, name: &[u8], value: &[u8]) -> AuxFate {
        let (own, version) = self.target.server_version();
        let line = version.strip_suffix('0').unwrap_or(&version);
        match name {
            _ if name == own.as_bytes() && value.starts_with(line.as_bytes()) => AuxFate::IsSaid,
            b"redis-ver" | b"valkey-ver" | b"redis-bits" => AuxFate::IsNewlySaid,
            // The new file is not the start of an AOF, unless it says so itself.
            b"aof-preamble" | b"aof-base" if value == b"0" && self.form == Form::Rdb => {
                AuxFate::Goes
            }
            b"slot-info" if self.takes_all() && !self.target.is_redis() => AuxFate::Goes,
            // Its place in a replication stream is not known, and what a cluster's slots hold may be
            // something else.
            b"aof-preamble"
            | b"aof-base"
            | b"repl-stream-db"
            | b"repl-id"
            | b"repl-offset"
            | b"slot-info"
            | b"cluster-asm-task"
            | b"cluster-slot-states" => AuxFate::Stays,
            _ => AuxFate::Goes,
        }
    }
}

/// A function of the 7.0 release candidates as the library that 7.0 makes of it.
fn translated(name: Str<'_>, engine: Str<'_>, code: Str<'_>) -> Vec<u8> {
    let text = |text: Str<'_>| text.bytes(&mut Vec::new()).map(<[u8]>::to_vec).unwrap_or_default();
    let (engine, name, code) = (text(engine).to_ascii_lowercase(), text(name), text(code));
    [b"#!", &engine[..], b" name=", &name, b"\n", &code].concat()
}
