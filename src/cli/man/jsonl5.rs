//! rdbtool-jsonl(5), the forms of text: prose by hand in `jsonl.5.in`, the columns of CSV from their table.

use roff::{Roff, bold, roman};

use crate::text::csv::COLUMNS;

const TEMPLATE: &str = include_str!("jsonl.5.in");

/// The page.
pub(super) fn page() -> String {
    let version = concat!("rdbtool ", env!("CARGO_PKG_VERSION"));
    TEMPLATE.replace("@VERSION@", version).replace("@COLUMNS@", columns().trim_end())
}

fn columns() -> String {
    let mut roff = Roff::new();
    for (name, about) in COLUMNS {
        roff.control("TP", []);
        roff.text([bold(*name)]);
        roff.text([roman(*about)]);
    }
    roff.to_roff()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::limits::Limits;
    use crate::text::read::{LineReader, Records, first_line};

    /// Every line that the page shows is one, and together they show every field there is.
    #[test]
    fn what_it_shows_is_read() {
        let page = TEMPLATE.replace("\\e", "\\");
        let lines: Vec<_> = page.lines().filter(|line| line.starts_with("{\"")).collect();
        let first = first_line(lines[0].as_bytes()).unwrap();
        assert!(first.is_there && first.is_told);
        // Functions and arrays came with later versions than the first line has.
        let newest = first_line(b"{}").unwrap();
        let mut reader = LineReader::new(newest.header, Limits::default());
        let mut records = Records::default();
        for line in &lines[1..] {
            reader.line(line.as_bytes(), &mut records).unwrap_or_else(|err| {
                panic!("{line}: {err:?}");
            });
        }
        assert!(lines.len() > 12 && records.ends.len() + 1 >= lines.len());
    }

    #[test]
    fn the_columns_are_those_of_the_table() {
        let names: Vec<_> = COLUMNS.iter().map(|(name, _)| *name).collect();
        let header = String::from_utf8(crate::text::csv::HEADER.to_vec()).unwrap();
        assert_eq!(header.trim_end(), names.join(","));
    }
}
