//! What DUMP should say of a value, where the packed bytes alone decide that: that ours are those of the
//! server.

use rdbtool::value::{NodeRef, SetRef, Value};

/// RDB version and checksum behind a payload.
pub(crate) const FOOTER: usize = 10;

/// The payload without its footer of [`FOOTER`] bytes, with rdbcompression off.
pub(crate) fn expected(value: &Value) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    match value {
        Value::List(list) => {
            out.push(18);
            push_len(list.nodes().count(), &mut out);
            for node in list.nodes() {
                let (container, bytes) = match node {
                    NodeRef::Plain(text) => (1, text),
                    NodeRef::Packed(packed) => (2, packed.as_bytes()),
                };
                push_len(container, &mut out);
                push_string(bytes, &mut out);
            }
        }
        Value::Set(set) => match set.as_ref() {
            SetRef::Intset(intset) => {
                out.push(11);
                push_string(intset.as_bytes(), &mut out);
            }
            // Their order may come from a table.
            SetRef::Packed(_) | SetRef::Table(_) => return None,
        },
        _ => return None,
    }
    Some(out)
}

fn push_len(len: usize, out: &mut Vec<u8>) {
    match len {
        0..0x40 => out.push(len as u8),
        0x40..0x4000 => out.extend((len as u16 | 0x4000).to_be_bytes()),
        _ => {
            out.push(0x80);
            out.extend((len as u32).to_be_bytes());
        }
    }
}

fn push_string(text: &[u8], out: &mut Vec<u8>) {
    push_len(text.len(), out);
    out.extend_from_slice(text);
}
