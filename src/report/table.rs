//! Plain tables: aligned columns, two spaces between them, no lines.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::screen::Screen;

/// Spaces between columns.
const GAP: usize = 2;

/// Writes a table. A head that begins with `>` stands over a column of numbers. The rows are gone through
/// twice, for the widths first, so that many need not be held at once.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write<R>(
    out: &mut dyn Write,
    heads: &[&str],
    rows: R,
    screen: &Screen,
) -> io::Result<()>
where
    R: IntoIterator<Item = Vec<String>, IntoIter: Clone>,
{
    let rows = rows.into_iter();
    let names: Vec<String> = heads.iter().map(|h| h.trim_start_matches('>').to_owned()).collect();
    let mut widths: Vec<usize> = names.iter().map(|name| name.width()).collect();
    for row in rows.clone() {
        for (width, cell) in widths.iter_mut().zip(&row) {
            *width = cell.width().max(*width);
        }
    }
    let line = |cells: &[String]| {
        let mut line = String::new();
        for ((cell, width), head) in cells.iter().zip(&widths).zip(heads) {
            let room = " ".repeat(width.saturating_sub(cell.width()));
            match head.starts_with('>') {
                true => line.extend([&room, cell.as_str()]),
                false => line.extend([cell.as_str(), &room]),
            }
            line.extend([' '; GAP]);
        }
        line
    };
    let style = screen.strong;
    writeln!(out, "{style}{}{style:#}", line(&names).trim_end())?;
    for row in rows {
        writeln!(out, "{}", line(&row).trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn aligns_by_width_on_screen() {
        let rows = vec![
            vec!["東京".to_owned(), "1".to_owned(), "a".to_owned()],
            vec!["x".to_owned(), "1,000".to_owned(), "b c".to_owned()],
        ];
        let mut out = Vec::new();
        write(&mut out, &["name", ">keys", "what"], rows, &Screen::default()).unwrap();
        let want = "name   keys  what\n東京      1  a\nx     1,000  b c\n";
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }
}
