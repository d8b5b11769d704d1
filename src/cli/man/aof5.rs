//! aof(5), the format and what servers do with it: prose by hand in `aof.5.in`, a paragraph for every
//! finding about AOFs.

use roff::{Roff, bold, italic, roman};

use crate::finding::Code;

const TEMPLATE: &str = include_str!("aof.5.in");

/// The page.
pub(super) fn page() -> String {
    let version = concat!("rdbtool ", env!("CARGO_PKG_VERSION"));
    TEMPLATE.replace("@VERSION@", version).replace("@FINDINGS@", findings().trim_end())
}

fn findings() -> String {
    let mut roff = Roff::new();
    for code in Code::ALL.iter().filter(|code| code.is_about_aof()) {
        roff.control("TP", []);
        let severity = code.severity().as_str();
        roff.text([bold(code.as_str()), roman(" ("), italic(severity), roman(")")]);
        roff.text([roman(code.about())]);
    }
    roff.to_roff()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A finding that the page tells of is one there is.
    #[test]
    fn findings_are_named_as_they_are() {
        let names: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        let words = TEMPLATE.split(|c: char| !(c.is_ascii_lowercase() || c == '-'));
        let starts = ["aof-", "manifest-", "start-"];
        let settings = [
            "aof-load-truncated",
            "aof-use-rdb-preamble",
            "aof-timestamp-enabled",
            "aof-load-corrupt-tail-max-size",
        ];
        for word in words.filter(|word| starts.iter().any(|start| word.starts_with(start))) {
            assert!(names.contains(&word) || settings.contains(&word), "{word}");
        }
    }
}
