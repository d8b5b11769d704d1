//! rdb(5), the format byte by byte: prose by hand in `rdb.5.in`, a paragraph for every row of the tables
//! of types, opcodes and releases.

use roff::{Roff, bold, italic, roman};

use crate::rdb::header::Dialect;
use crate::rdb::opcodes::OPCODES;
use crate::rdb::types::{Dialects, RdbType, TYPES};
use crate::rdb::versions::{RELEASES, Release, Sanitize};

const TEMPLATE: &str = include_str!("rdb.5.in");

/// The page.
pub(super) fn page() -> String {
    let rows = [
        ("@VERSION@", concat!("rdbtool ", env!("CARGO_PKG_VERSION")).to_owned()),
        ("@OPCODES@", opcodes()),
        ("@TYPES@", types()),
        ("@VERSIONS@", releases()),
    ];
    rows.iter().fold(TEMPLATE.to_owned(), |page, (mark, text)| page.replace(mark, text.trim_end()))
}

fn opcodes() -> String {
    let mut roff = Roff::new();
    for row in OPCODES {
        let since = since(row.dialects, row.since, row.provisional);
        let head = format!("{} {}", row.code, row.name);
        let facts = format!("{}; {since}.", row.constant);
        paragraph(&mut roff, &head, &facts, row.layout, row.about);
    }
    roff.to_roff()
}

fn types() -> String {
    let mut rows: Vec<&RdbType> = TYPES.iter().collect();
    rows.sort_by_key(|row| row.code);
    let mut roff = Roff::new();
    for row in rows {
        let since = since(row.dialects, row.since, row.provisional);
        let kind = match row.data.as_str() {
            data if data == row.encoding => data.to_owned(),
            data => format!("{data}, {}", row.encoding),
        };
        let head = format!("{} {}", row.code, row.name);
        let facts = format!("{}; {kind}; {since}.", row.constant);
        paragraph(&mut roff, &head, &facts, row.layout, row.about);
    }
    roff.to_roff()
}

fn paragraph(roff: &mut Roff, head: &str, facts: &str, layout: &str, about: &str) {
    roff.control("TP", []);
    roff.text([bold(head)]);
    roff.text([roman(facts)]);
    roff.control("br", []);
    roff.text([italic(layout)]);
    roff.control("br", []);
    roff.text([roman(about)]);
}

/// `since RDB 11`, and whose it is.
fn since(dialects: Dialects, version: u16, provisional: bool) -> String {
    let whose = match dialects {
        Dialects::Both => "",
        Dialects::Redis => "Redis only, ",
        Dialects::Valkey => "Valkey only, ",
    };
    let provisional = if provisional { ", provisional" } else { "" };
    format!("{whose}since RDB {version}{provisional}")
}

fn releases() -> String {
    let row = |release: &Release| {
        let magic = match release.magic {
            Dialect::Redis => format!("REDIS{:04}", release.rdb_version),
            Dialect::Valkey => format!("VALKEY{:03}", release.rdb_version),
        };
        let checks = match release.sanitize {
            Sanitize::None => "nothing packed",
            Sanitize::Headers => "headers of packed values",
            Sanitize::Converted => "headers, and ziplists in full",
            Sanitize::Counts => "the same, and counts of streams",
            Sanitize::Deep => "every packed value",
        };
        format!("{:<12} {magic:<10} checks {checks}", release.name)
    };
    RELEASES.iter().map(row).collect::<Vec<_>>().join("\n")
}
