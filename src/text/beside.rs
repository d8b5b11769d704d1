//! What stands beside the keys, a line each:
//!
//! ```text
//! {"rdbtool_jsonl":1,"magic":"REDIS","rdb_version":11}          the first line
//! {"aux":"redis-ver","value":"7.2.6"}
//! {"function":"#!lua name=…"}
//! {"function_pre_ga":"name","engine":"LUA","description":"…","code":"…"}
//! {"module_aux":"scdtype00","encver":1,"data":"base64"}
//! {"slot_info":7,"keys":3,"expires":0}
//! {"slot_import":"job","slots":[[0,99], …]}
//! {"opaque":242,"data":"base64"}
//! ```

use super::lines::VERSION;
use super::string::{base64, number, string};
use crate::element::Str;
use crate::rdb::header::Header;
use crate::record::Event;

/// Appends the first line: of what RDB the keys are, if they are of one.
pub fn first(header: Option<Header>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"rdbtool_jsonl\":");
    number(VERSION, out);
    if let Some(header) = header {
        name("magic", out);
        string(header.dialect.as_str().to_ascii_uppercase().as_bytes(), out);
        name("rdb_version", out);
        number(u64::from(header.version), out);
    }
    out.extend_from_slice(b"}\n");
}

/// Appends the line of a record that is no key; nothing for one that says nothing of the data, as the sizes
/// of databases.
pub fn line(event: &Event<'_>, out: &mut Vec<u8>) {
    match event {
        Event::Header(header) => return first(Some(*header), out),
        Event::Aux { key, value } => {
            begin("aux", out);
            text(*key, out);
            name("value", out);
            text(*value, out);
        }
        Event::Function { code } => {
            begin("function", out);
            text(*code, out);
        }
        Event::FunctionPreGa { name: function, engine, description, code } => {
            begin("function_pre_ga", out);
            text(*function, out);
            name("engine", out);
            text(*engine, out);
            if let Some(description) = description {
                name("description", out);
                text(*description, out);
            }
            name("code", out);
            text(*code, out);
        }
        Event::ModuleAux { id, data, .. } => {
            begin("module_aux", out);
            string(id.name().as_bytes(), out);
            name("encver", out);
            number(u64::from(id.encver()), out);
            name("data", out);
            base64(data, out);
        }
        Event::SlotInfo { slot, keys, expires } => {
            begin("slot_info", out);
            number(*slot, out);
            name("keys", out);
            number(*keys, out);
            name("expires", out);
            number(*expires, out);
        }
        Event::SlotImport { job, slots } => {
            begin("slot_import", out);
            text(*job, out);
            name("slots", out);
            for (at, (first, last)) in slots.iter().enumerate() {
                out.extend_from_slice(if at == 0 { b"[[" } else { b",[" });
                number(*first, out);
                out.push(b',');
                number(*last, out);
                out.push(b']');
            }
            out.extend_from_slice(if slots.is_empty() { b"[]" } else { b"]" });
        }
        Event::Opaque { code, data } => {
            begin("opaque", out);
            number(u64::from(*code), out);
            name("data", out);
            base64(data, out);
        }
        _ => return,
    }
    out.extend_from_slice(b"}\n");
}

fn begin(name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn name(name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn text(text: Str<'_>, out: &mut Vec<u8>) {
    // What does not expand is damage, of which the reader of the file tells.
    string(text.bytes(&mut Vec::new()).unwrap_or_default(), out);
}
