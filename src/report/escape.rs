//! Text from a file, made safe to show. A key, an AUX value or a file name can hold anything: escape
//! sequences that rename a terminal's window or clear it, newlines that forge a line of a log, bidirectional
//! marks that make one name look like another. Here all of that becomes visible:
//!
//! ```text
//! printable characters     themselves, of any script
//! \n \r \t                 as written
//! other control bytes      \x1b
//! bytes that are not UTF-8 \xff
//! anything else invisible  \u{202e}    (C1, bidi and zero-width marks, private use, unassigned)
//! ```
//!
//! In names a quote and a backslash get a backslash before them, so that every name reads back to exactly
//! one string of bytes; in sentences of our own they stay as they are.

use std::fmt::{self, Write};
use std::path::Path;

use super::size::count;

/// Characters of a name or value that are shown in text; the length of the rest is told.
pub(crate) const SHOWN: usize = 80;

/// Characters of a sentence of our own that are shown; it may quote a value.
const SHOWN_SENTENCE: usize = 240;

/// Bytes that are shown escaped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Escaped<'a> {
    bytes: &'a [u8],
    name: bool,
    quotes: bool,
    shown: usize,
    len: usize,
}

/// A name: quotes and backslashes are escaped too.
pub(crate) fn name(bytes: &[u8]) -> Escaped<'_> {
    Escaped { bytes, name: true, quotes: false, shown: usize::MAX, len: bytes.len() }
}

/// A name in quotes, shortened when it is long: `"user:1"`.
pub(crate) fn quoted(bytes: &[u8]) -> Escaped<'_> {
    Escaped { quotes: true, shown: SHOWN, ..name(bytes) }
}

/// A sentence of our own that may hold pieces of a file.
pub(crate) fn sentence(text: &str) -> Escaped<'_> {
    Escaped { shown: SHOWN_SENTENCE, ..message(text) }
}

/// A message to the user, whole, that may hold a file's name.
pub(crate) fn message(text: &str) -> Escaped<'_> {
    Escaped { name: false, ..name(text.as_bytes()) }
}

/// A file's name.
pub(crate) fn path(path: &Path) -> Escaped<'_> {
    name(path.as_os_str().as_encoded_bytes())
}

impl Escaped<'_> {
    /// At most so many characters of it.
    pub(crate) fn short(self, shown: usize) -> Self {
        Escaped { shown, ..self }
    }

    /// The first bytes of something that is `len` bytes long.
    pub(crate) fn whole(self, len: usize) -> Self {
        Escaped { len, ..self }
    }

    fn cut(&self, f: &mut fmt::Formatter<'_>, quote: &str) -> fmt::Result {
        write!(f, "{quote}… ({} bytes)", count(self.len as u64))
    }

    fn one(&self, c: char, out: &mut String) {
        match c {
            '"' | '\\' if self.name => {
                out.push('\\');
                out.push(c);
            }
            ' '..='~' => out.push(c),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\x7f' => push(out, format_args!("\\x{:02x}", u32::from(c))),
            c if is_visible(c) => out.push(c),
            c => push(out, format_args!("\\u{{{:x}}}", u32::from(c))),
        }
    }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = 0;
        let mut piece = String::new();
        let quote = if self.quotes { "\"" } else { "" };
        f.write_str(quote)?;
        for chunk in self.bytes.utf8_chunks() {
            let valid = chunk.valid().chars().map(Ok);
            for next in valid.chain(chunk.invalid().iter().map(|&byte| Err(byte))) {
                piece.clear();
                match next {
                    Ok(c) => self.one(c, &mut piece),
                    Err(byte) => push(&mut piece, format_args!("\\x{byte:02x}")),
                }
                shown += piece.chars().count();
                if shown > self.shown {
                    return self.cut(f, quote);
                }
                f.write_str(&piece)?;
            }
        }
        if self.len > self.bytes.len() { self.cut(f, quote) } else { f.write_str(quote) }
    }
}

fn push(out: &mut String, args: fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(args);
}

/// Whether a character shows up as itself and changes nothing around it.
pub(crate) fn is_visible(c: char) -> bool {
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    // The standard library knows what is printable: no control, format (bidi, zero-width), private,
    // unassigned or line-breaking character is. It escapes combining marks only at the start of a string.
    let mut behind_a_letter = ['\0'; 2];
    behind_a_letter[0] = 'a';
    behind_a_letter[1] = c;
    let text = String::from_iter(behind_a_letter);
    let mut escaped = text.escape_debug().skip(1);
    escaped.next() == Some(c) && !is_blank_letter(c)
}

/// Letters and marks that Unicode counts as printable although nothing is to be seen of them.
fn is_blank_letter(c: char) -> bool {
    matches!(c,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dangerous_becomes_visible() {
        let cases: &[(&[u8], &str)] = &[
            (b"user:1", "user:1"),
            ("Größe 東京 🙂 e\u{301}".as_bytes(), "Größe 東京 🙂 e\u{301}"),
            (b"\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
            (b"a\nerror b\r\tc", "a\\nerror b\\r\\tc"),
            (b"\x00\x7f", "\\x00\\x7f"),
            (b"\xff\xc3", "\\xff\\xc3"),
            ("\u{85}\u{9b}31m".as_bytes(), "\\u{85}\\u{9b}31m"),
            ("gpj.\u{202e}exe".as_bytes(), "gpj.\\u{202e}exe"),
            (
                "a\u{200b}b\u{2066}\u{feff}\u{2028}".as_bytes(),
                "a\\u{200b}b\\u{2066}\\u{feff}\\u{2028}",
            ),
            ("\u{3164}\u{e0041}\u{e000}\u{a0}".as_bytes(), "\\u{3164}\\u{e0041}\\u{e000}\\u{a0}"),
            (b"say \"hi\" \\n", "say \\\"hi\\\" \\\\n"),
        ];
        for (bytes, want) in cases {
            assert_eq!(name(bytes).to_string(), *want);
        }
        assert_eq!(sentence("key \"\\x1b\"\u{1b}").to_string(), "key \"\\x1b\"\\x1b");
    }

    #[test]
    fn long_names_are_shortened_and_their_length_told() {
        assert_eq!(quoted(b"k").to_string(), "\"k\"");
        assert_eq!(quoted(&[b'k'; 80]).to_string(), format!("\"{}\"", "k".repeat(80)));
        let long = quoted(&[b'k'; 1234]).to_string();
        assert_eq!(long, format!("\"{}\"… (1,234 bytes)", "k".repeat(80)));
        // An escape is never cut in two.
        assert_eq!(name(b"abc\x1b").short(6).to_string(), "abc… (4 bytes)");
    }
}
