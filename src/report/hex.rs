//! The bytes around a finding, sixteen a line, the finding's own marked:
//!
//! ```text
//!   00008a50  6c 74 00 ff 4d 2f 1c 85  10 6e 9a 02 fe 09 00 01  lt..M/...n......
//!                         ^^ ^^ ^^ ^^  ^^ ^^ ^^ ^^
//! ```

use std::fmt::Write as _;
use std::ops::Range;

use super::screen::Screen;
use crate::finding::Excerpt;

/// Bytes a line.
const LINE: u64 = 16;

/// The lines of an excerpt; `span` is marked where it begins, with `…` when it goes on.
pub(crate) fn lines(excerpt: &Excerpt, span: &Range<u64>, screen: &Screen) -> Vec<String> {
    let end = excerpt.offset.saturating_add(excerpt.bytes.len() as u64);
    let mut lines = Vec::new();
    let mut line = excerpt.offset - excerpt.offset % LINE;
    while line < end {
        let cells: Vec<Option<u8>> = (line..line + LINE).map(|at| byte(excerpt, at)).collect();
        lines.push(one(line, &cells, screen));
        if (line..line + LINE).contains(&span.start) {
            lines.push(carets(line, &cells, span, screen));
        }
        line += LINE;
    }
    lines
}

fn byte(excerpt: &Excerpt, offset: u64) -> Option<u8> {
    let pos = usize::try_from(offset.checked_sub(excerpt.offset)?).ok()?;
    excerpt.bytes.get(pos).copied()
}

fn one(offset: u64, cells: &[Option<u8>], screen: &Screen) -> String {
    let dim = screen.dim;
    let mut text = format!("{dim}{offset:08x}{dim:#} ");
    for (column, cell) in cells.iter().enumerate() {
        text.push_str(gap(column));
        let _ = match cell {
            Some(byte) => write!(text, "{byte:02x}"),
            None => write!(text, "  "),
        };
    }
    text.push_str("  ");
    for cell in cells.iter().copied() {
        text.push(match cell {
            Some(byte @ b' '..=b'~') => char::from(byte),
            Some(_) => '.',
            None => ' ',
        });
    }
    text.truncate(text.trim_end().len());
    text
}

fn carets(line: u64, cells: &[Option<u8>], span: &Range<u64>, screen: &Screen) -> String {
    let style = screen.error;
    // A span without bytes marks the place where something is missing.
    let end = span.end.max(span.start.saturating_add(1));
    let mut text = String::from("         ");
    for (column, at) in (line..line + LINE).enumerate() {
        text.push_str(gap(column));
        text.push_str(if (span.start..end).contains(&at) { "^^" } else { "  " });
    }
    text.truncate(text.trim_end().len());
    let goes_on = end > line + LINE && cells.iter().all(Option::is_some);
    format!("{style}{text}{}{style:#}", if goes_on { " …" } else { "" })
}

fn gap(column: usize) -> &'static str {
    if column == 8 { "  " } else { " " }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(offset: u64, bytes: &[u8], span: Range<u64>) -> String {
        let excerpt = Excerpt { offset, bytes: bytes.to_vec() };
        lines(&excerpt, &span, &Screen::default()).join("\n")
    }

    #[test]
    fn marks_the_bytes_of_the_span() {
        let got = plain(0x20, b"REDIS0011\xfa\x09redis", 0x29..0x2a);
        let want = "\
00000020  52 45 44 49 53 30 30 31  31 fa 09 72 65 64 69 73  REDIS0011..redis
                                      ^^";
        assert_eq!(got, want);
    }

    #[test]
    fn starts_anywhere_and_goes_on() {
        let got = plain(14, b"abcdefghijklmnopqrst", 17..100);
        let want = "\
00000000                                             61 62                ab
00000010  63 64 65 66 67 68 69 6a  6b 6c 6d 6e 6f 70 71 72  cdefghijklmnopqr
             ^^ ^^ ^^ ^^ ^^ ^^ ^^  ^^ ^^ ^^ ^^ ^^ ^^ ^^ ^^ …
00000020  73 74                                             st";
        assert_eq!(got, want);
    }

    #[test]
    fn a_missing_byte_is_marked_where_it_should_be() {
        let got = plain(0, b"RED", 3..3);
        let want = "\
00000000  52 45 44                                          RED
                   ^^";
        assert_eq!(got, want);
    }
}
