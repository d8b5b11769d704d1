//! Long lines broken at spaces for a terminal; whoever reads through a pipe gets them whole.

use unicode_width::UnicodeWidthChar;

/// Breaks `text` into lines of at most `width` columns; lines after the first begin with `indent` spaces.
/// A word that is too long for a line has one to itself.
pub(crate) fn wrap(text: &str, width: usize, indent: usize) -> String {
    let mut wrapped = String::with_capacity(text.len());
    let mut column = 0;
    let mut empty = true;
    for (at, word) in text.split(' ').enumerate() {
        let len = columns(word);
        if !empty && column + 1 + len > width {
            wrapped.push('\n');
            wrapped.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else if at > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += len;
        empty = empty && len == 0;
    }
    wrapped
}

/// Columns of a word on a screen, without its colours.
fn columns(word: &str) -> usize {
    let mut columns = 0;
    let mut in_style = false;
    for c in word.chars() {
        match c {
            '\x1b' => in_style = true,
            'm' if in_style => in_style = false,
            c if !in_style => columns += c.width().unwrap_or(0),
            _ => {}
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_at_spaces() {
        let cases = [
            ("one two three", 80, "one two three"),
            ("one two three", 8, "one two\n  three"),
            ("a verylongword b", 6, "a\n  verylongword\n  b"),
            ("  indented text here", 12, "  indented\n  text here"),
            ("\x1b[1mone\x1b[0m two", 7, "\x1b[1mone\x1b[0m two"),
            ("東京 東京 東京", 9, "東京 東京\n  東京"),
        ];
        for (text, width, want) in cases {
            assert_eq!(wrap(text, width, 2), want, "{text:?}");
        }
    }
}
