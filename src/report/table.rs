//! Plain tables: aligned columns, two spaces between them, no lines.

use std::io::{self, Write};

use comfy_table::{CellAlignment, Table};

use super::screen::Screen;

/// Spaces between columns.
const GAP: u16 = 2;

/// Writes a table. A head that begins with `>` stands over a column of numbers.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write(
    out: &mut dyn Write,
    heads: &[&str],
    rows: Vec<Vec<String>>,
    screen: &Screen,
) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(heads.iter().map(|head| head.trim_start_matches('>')));
    table.add_rows(rows);
    for (column, head) in table.column_iter_mut().zip(heads) {
        column.set_padding((0, GAP));
        if head.starts_with('>') {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let style = screen.strong;
    for (at, line) in table.lines().enumerate() {
        let line = line.trim_end();
        match at {
            0 => writeln!(out, "{style}{line}{style:#}")?,
            _ => writeln!(out, "{line}")?,
        }
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
