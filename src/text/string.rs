//! Strings and numbers as JSON. A string is a JSON string where it is UTF-8, and `{"base64": "…"}` where it is
//! not. Characters that a terminal or a log would act upon are written as `\u` escapes, so that a file can be
//! looked at; to a JSON reader that is the same string.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::element::StreamId;
use crate::encoding::number::{double_grisu, whole, write_i64};

/// Bytes looked at together.
const RUN: usize = 32;

/// Appends a string.
#[inline]
pub fn string(bytes: &[u8], out: &mut Vec<u8>) {
    let plain = plain_len(bytes);
    if plain == bytes.len() {
        out.reserve(bytes.len() + 2);
        out.push(b'"');
        out.extend_from_slice(bytes);
        out.push(b'"');
        return;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            out.push(b'"');
            escape(text, plain, out);
            out.push(b'"');
        }
        Err(_) => {
            out.extend_from_slice(b"{\"base64\":");
            base64(bytes, out);
            out.push(b'}');
        }
    }
}

/// Appends a string slice by slice; `full` is called behind each.
pub fn long(bytes: &[u8], out: &mut Vec<u8>, full: &mut dyn FnMut(&mut Vec<u8>)) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        out.extend_from_slice(b"{\"base64\":\"");
        for slice in bytes.chunks(SLICE) {
            base64_text(slice, out);
            full(out);
        }
        return out.extend_from_slice(b"\"}");
    };
    out.push(b'"');
    for slice in slices(text) {
        escape(slice, 0, out);
        full(out);
    }
    out.push(b'"');
}

/// Bytes of a slice, whose base64 needs no padding.
const SLICE: usize = 3 << 16;

/// Text in slices.
pub(super) fn slices(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (slice, rest) = text.split_at(text.floor_char_boundary(SLICE));
        text = rest;
        (!slice.is_empty()).then_some(slice)
    })
}

/// Appends bytes in base64, in quotes.
pub fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    base64_text(bytes, out);
    out.push(b'"');
}

fn base64_text(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let len = bytes.len().div_ceil(3).saturating_mul(4);
    out.resize(start + len, b'=');
    if let Some(room) = out.get_mut(start..) {
        // The room is what base64 takes.
        let _ = STANDARD.encode_slice(bytes, room);
    }
}

/// Appends text without quotes; the first `plain` bytes need no escape.
pub(super) fn escape(text: &str, plain: usize, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let (mut done, mut at) = (0, plain);
    while let Some(&byte) = bytes.get(at) {
        let escaped = match class(byte) {
            PLAIN => 0,
            ESCAPE => 1,
            _ => hidden_len(text, at),
        };
        if escaped == 0 {
            at += 1;
            continue;
        }
        out.extend_from_slice(bytes.get(done..at).unwrap_or_default());
        let next = at + escaped;
        text.get(at..next).unwrap_or_default().chars().for_each(|c| escape_one(c, out));
        (done, at) = (next, next);
    }
    out.extend_from_slice(bytes.get(done..).unwrap_or_default());
}

#[cold]
fn escape_one(c: char, out: &mut Vec<u8>) {
    let short = match c {
        '"' | '\\' => c as u8,
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        '\u{8}' => b'b',
        '\u{c}' => b'f',
        _ => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.extend_from_slice(b"\\u");
                let digit = |shift: u16| b"0123456789abcdef"[usize::from(*unit >> shift & 15)];
                out.extend([12, 8, 4, 0].map(digit));
            }
            return;
        }
    };
    out.extend([b'\\', short]);
}

const PLAIN: u8 = 0;
const ESCAPE: u8 = 1;
/// It may begin a character that a terminal acts upon.
const SUSPECT: u8 = 2;

#[inline]
fn class(byte: u8) -> u8 {
    CLASS[usize::from(byte)]
}

static CLASS: [u8; 256] = {
    let mut class = [PLAIN; 256];
    let mut byte = 0;
    while byte < 256 {
        class[byte] = match byte as u8 {
            0..=0x1f | b'"' | b'\\' | 0x7f => ESCAPE,
            0xc2 | 0xd8 | 0xe1 | 0xe2 | 0xef | 0xf3 => SUSPECT,
            _ => PLAIN,
        };
        byte += 1;
    }
    class
};

/// Bytes of the character at `at` if a terminal acts upon it or shows nothing of it, else 0.
fn hidden_len(text: &str, at: usize) -> usize {
    let c = text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or(' ');
    let hidden = matches!(c,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}');
    if hidden { c.len_utf8() } else { 0 }
}

/// Bytes up to the first that is no printable ASCII or needs an escape.
#[inline]
fn plain_len(bytes: &[u8]) -> usize {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') & (byte != b'"') & (byte != b'\\');
    let mut len = 0;
    // Without a way out in the middle the compiler looks at many bytes in one step.
    for run in bytes.chunks_exact(RUN) {
        if !run.iter().fold(true, |plain, &byte| plain & is_plain(byte)) {
            break;
        }
        len += RUN;
    }
    let rest = bytes.get(len..).unwrap_or_default();
    len + rest.iter().position(|&byte| !is_plain(byte)).unwrap_or(rest.len())
}

/// Appends a number.
#[inline]
pub fn number(number: u64, out: &mut Vec<u8>) {
    match i64::try_from(number) {
        Ok(number) => write_i64(number, out),
        Err(_) => out.extend_from_slice(number.to_string().as_bytes()),
    }
}

/// Appends a score: a number, with the digits that servers since 7.2 show, or a string where JSON has none.
/// The sign of -0 stays.
pub fn score(score: f64, out: &mut Vec<u8>) {
    match whole(score).filter(|_| score != 0.0 || score.is_sign_positive()) {
        Some(whole) => write_i64(whole, out),
        None if score == 0.0 => out.extend_from_slice(b"-0.0"),
        None if score.is_finite() => double_grisu(score, out),
        None => {
            out.push(b'"');
            double_grisu(score, out);
            out.push(b'"');
        }
    }
}

/// Appends a stream's id, `"ms-seq"`.
pub fn id(id: StreamId, out: &mut Vec<u8>) {
    out.push(b'"');
    number(id.ms, out);
    out.push(b'-');
    number(id.seq, out);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn json(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        string(bytes, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_written() {
        let rows: &[(&[u8], &str)] = &[
            (b"", r#""""#),
            (b"user:1", r#""user:1""#),
            (
                b"say \"hi\" \\n\n\r\t\x08\x0c\x00\x1b\x7f",
                r#""say \"hi\" \\n\n\r\t\b\f\u0000\u001b\u007f""#,
            ),
            ("Größe 東京 🙂".as_bytes(), "\"Größe 東京 🙂\""),
            ("\u{9b}31m\u{202e}\u{2028}\u{feff}".as_bytes(), r#""\u009b31m\u202e\u2028\ufeff""#),
            ("a\u{e0041}".as_bytes(), r#""a\udb40\udc41""#),
            (b"\xff\xfe", r#"{"base64":"//4="}"#),
            (b"\xed\xa0\x80", r#"{"base64":"7aCA"}"#),
        ];
        for (bytes, want) in rows {
            assert_eq!(json(bytes), *want);
        }
    }

    #[test]
    fn scores() {
        let text = |value| {
            let mut out = Vec::new();
            score(value, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!([text(3.0), text(-0.0), text(0.1), text(1e300)], ["3", "-0.0", "0.1", "1e+300"]);
        assert_eq!([text(f64::INFINITY), text(-f64::INFINITY)], ["\"inf\"", "\"-inf\""]);
    }

    fn back(json: &str) -> Vec<u8> {
        match serde_json::from_str(json).unwrap() {
            Value::String(text) => text.into_bytes(),
            other => STANDARD.decode(other["base64"].as_str().unwrap()).unwrap(),
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes: Vec<u8>) {
            prop_assert_eq!(back(&json(&bytes)), bytes);
        }

        #[test]
        fn slice_by_slice_it_is_the_same(bytes: Vec<u8>, text in ".{1,9}", times in 0..90_000usize) {
            for bytes in [bytes.repeat(times.min(9000)), text.repeat(times).into_bytes()] {
                let (mut out, mut taken) = (Vec::new(), Vec::new());
                long(&bytes, &mut out, &mut |out| taken.append(out));
                taken.append(&mut out);
                prop_assert!(taken == json(&bytes).into_bytes());
            }
        }

        #[test]
        fn any_text_comes_back_and_hides_nothing(text in "(\\PC|\\pC){0,40}") {
            let json = json(text.as_bytes());
            let hidden = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
            prop_assert!(!json.chars().any(hidden));
            prop_assert_eq!(back(&json), text.into_bytes());
        }

        #[test]
        fn long_plain_runs(text in "[ -~]{0,200}", at in 0..200usize, odd: u8) {
            let mut bytes = text.into_bytes();
            if let Some(byte) = bytes.get_mut(at) {
                *byte = odd;
            }
            prop_assert_eq!(back(&json(&bytes)), bytes);
        }
    }
}
