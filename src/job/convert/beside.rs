//! What stands beside the keys: AUX fields, functions, data of modules, slot imports.

use super::{Converter, Out};
use crate::element::Str;
use crate::rdb::loss::Loss;
use crate::rdb::writer;
use crate::record::{Event, Record};

impl Converter<'_> {
    /// Writes a record that is no key, if it is one that goes along.
    pub(super) fn record(&mut self, record: &Record<'_>, bytes: &[u8], out: &mut Out) {
        let target = self.options.target;
        let pen = &mut self.encoder.pen;
        let offset = record.span.start;
        let lost = match &record.event {
            Event::Aux { key, value } => {
                let mut text = Vec::new();
                let name = key.bytes(&mut text).unwrap_or_default();
                match aux_fate(name) {
                    AuxFate::Goes => {
                        writer::aux(target, &mut pen.strings, *key, *value, out.beside())
                    }
                    AuxFate::IsNewlySaid => {}
                    AuxFate::Stays => drop(out.aux_left_out.insert(name.to_vec())),
                }
                None
            }
            Event::Function { code } => {
                writer::function(target, &mut pen.strings, *code, out.beside()).err()
            }
            Event::FunctionPreGa { name, engine, code, .. } => {
                let whole = translated(*name, *engine, *code);
                writer::function(target, &mut pen.strings, Str::Raw(&whole), out.beside()).err()
            }
            Event::ModuleAux { .. } if target.version >= 9 => {
                out.beside().extend_from_slice(bytes);
                None
            }
            Event::ModuleAux { .. } => Some(Loss::ModuleAux),
            Event::SlotImport { .. } if !target.is_redis() && target.version >= 80 => {
                out.beside().extend_from_slice(bytes);
                None
            }
            Event::SlotImport { .. } => Some(Loss::SlotImport),
            Event::Opaque { .. } => Some(Loss::Opaque),
            _ => None,
        };
        lost.into_iter().for_each(|loss| out.lose(loss, None, offset, true));
    }
}

/// What becomes of an AUX field.
enum AuxFate {
    /// It is as true of the new file.
    Goes,
    /// The new file says it itself.
    IsNewlySaid,
    /// It was true of the source only.
    Stays,
}

fn aux_fate(name: &[u8]) -> AuxFate {
    match name {
        b"redis-ver" | b"valkey-ver" | b"redis-bits" => AuxFate::IsNewlySaid,
        // The new file is not the start of an AOF, its place in a replication stream is not known, and
        // what a cluster's slots hold may be something else.
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

/// A function of the 7.0 release candidates as the library that 7.0 makes of it.
fn translated(name: Str<'_>, engine: Str<'_>, code: Str<'_>) -> Vec<u8> {
    let text = |text: Str<'_>| text.bytes(&mut Vec::new()).map(<[u8]>::to_vec).unwrap_or_default();
    let (engine, name, code) = (text(engine).to_ascii_lowercase(), text(name), text(code));
    [b"#!", &engine[..], b" name=", &name, b"\n", &code].concat()
}
