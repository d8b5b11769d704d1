//! JSON Lines: one object a file, on one line. Two rules hold everywhere:
//!
//! * What came from a file as bytes (keys, AUX values, file names) is a string where it is UTF-8, and
//!   `{"base64": "…"}` where it is not, so that nothing is lost.
//! * Characters that a terminal would act upon or not show are written as `\u` escapes. To a JSON reader
//!   that is the same string; to a terminal or a log it is harmless.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::ser::{CompactFormatter, Formatter};

use super::escape::is_visible;

/// Bytes from a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bytes<'a>(pub &'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("base64", &STANDARD.encode(self.0))?;
                map.end()
            }
        }
    }
}

/// AUX fields as an object: a name that comes more than once has an array of its values.
#[derive(Debug, Clone)]
pub(crate) struct AuxFields<'a>(pub Vec<(&'a [u8], &'a [u8])>);

impl Serialize for AuxFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut names: Vec<&[u8]> = Vec::new();
        let mut values: std::collections::HashMap<&[u8], Vec<Bytes<'_>>> = Default::default();
        for (name, value) in &self.0 {
            let list = values.entry(name).or_default();
            if list.is_empty() {
                names.push(name);
            }
            list.push(Bytes(value));
        }
        let mut map = serializer.serialize_map(Some(names.len()))?;
        for name in names {
            // A name must be a string; one that is not UTF-8 is shown as text shows it.
            let text = match std::str::from_utf8(name) {
                Ok(text) => text.to_owned(),
                Err(_) => super::escape::name(name).to_string(),
            };
            match values.get(name).map(Vec::as_slice) {
                Some([one]) => map.serialize_entry(&text, one)?,
                many => map.serialize_entry(&text, &many.unwrap_or_default())?,
            }
        }
        map.end()
    }
}

/// Writes one object on one line.
///
/// # Errors
/// When the line cannot be written.
pub(crate) fn line(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Safe(CompactFormatter));
    value.serialize(&mut serializer)?;
    out.write_all(b"\n")
}

/// Compact JSON without invisible characters.
struct Safe(CompactFormatter);

impl Formatter for Safe {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut plain = 0;
        for (at, c) in fragment.char_indices() {
            if is_visible(c) {
                continue;
            }
            out.write_all(fragment.get(plain..at).unwrap_or_default().as_bytes())?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            plain = at + c.len_utf8();
        }
        self.0.write_string_fragment(out, fragment.get(plain..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn text(value: &impl Serialize) -> String {
        let mut out = Vec::new();
        line(&mut out, value).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn bytes_are_strings_or_base64() {
        assert_eq!(text(&Bytes(b"user:1")), "\"user:1\"\n");
        assert_eq!(text(&Bytes(b"\xff\xfe")), "{\"base64\":\"//4=\"}\n");
    }

    #[test]
    fn the_invisible_is_escaped_and_reads_back() {
        let nasty = "a\u{1b}[2J\u{9b}\u{202e}\u{7f}\u{e0041}é\"\\\n";
        let json = text(&Bytes(nasty.as_bytes()));
        assert!(json.trim_end().chars().all(is_visible), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), nasty);
        assert!(json.contains("\\u202e") && json.contains("\\udb40\\udc41") && json.contains('é'));
    }

    #[test]
    fn aux_names_that_repeat_have_arrays() {
        let fields = AuxFields(vec![(b"a", b"1"), (b"slot-info", b"x"), (b"slot-info", b"y")]);
        assert_eq!(text(&fields), "{\"a\":\"1\",\"slot-info\":[\"x\",\"y\"]}\n");
    }
}
