//! The ledger of the test data: one row a file, with where it came from and what a check should say.

#![allow(dead_code, reason = "every test file uses a part of it")]

use std::fs;
use std::path::{Path, PathBuf};

use crc::{CRC_32_ISO_HDLC, Crc};
use rdbtool::finding::{Code, Severity};

/// First line of the file.
pub(crate) const HEAD: &str = "file\tbytes\tcrc32\torigin\tformat\tcontents\tverdict\tcodes";

/// One file of the test data.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    /// Path below `testdata`.
    pub(crate) file: String,
    /// Size of the file.
    pub(crate) bytes: usize,
    /// CRC-32 of the file, as gzip and zip count it.
    pub(crate) crc32: u32,
    /// The server that wrote it, or how it was made.
    pub(crate) origin: String,
    /// `redis 11`, `valkey 80`, `aof`, `manifest`, `keys`, `meta` …
    pub(crate) format: String,
    /// What is in it.
    pub(crate) contents: String,
    /// `ok`, `unverified`, `warned` or `damaged`; `-` for what is neither RDB nor AOF.
    pub(crate) verdict: String,
    /// The finding codes a check gives.
    pub(crate) codes: Vec<String>,
}

impl Row {
    /// A row for a file of these bytes.
    pub(crate) fn new(file: &str, data: &[u8], origin: &str, contents: &str, codes: &str) -> Row {
        let codes: Vec<_> = split(codes, ',').map(str::to_owned).collect();
        Row {
            file: file.into(),
            bytes: data.len(),
            crc32: crc32(data),
            origin: origin.into(),
            format: format_of(data),
            contents: contents.into(),
            verdict: verdict(&codes).into(),
            codes,
        }
    }

    /// Whether the file is an RDB, sound or not.
    pub(crate) fn is_rdb(&self) -> bool {
        self.verdict != "-" && !self.is_aof()
    }

    /// Whether it is an AOF or a manifest, sound or not.
    pub(crate) fn is_aof(&self) -> bool {
        self.format == "manifest" || self.format.starts_with("aof")
    }

    fn parse(line: &str) -> Row {
        let cells: Vec<_> = line.split('\t').collect();
        let [file, bytes, crc32, origin, format, contents, verdict, codes] = cells[..] else {
            panic!("a row of the ledger has eight cells: {line}");
        };
        Row {
            file: file.into(),
            bytes: bytes.parse().expect("a size"),
            crc32: u32::from_str_radix(crc32, 16).expect("a checksum"),
            origin: origin.into(),
            format: format.into(),
            contents: contents.into(),
            verdict: verdict.into(),
            codes: split(codes, ',').map(str::to_owned).collect(),
        }
    }

    fn line(&self) -> String {
        let Row { file, bytes, crc32, origin, format, contents, verdict, codes } = self;
        let codes = if codes.is_empty() { "-".into() } else { codes.join(",") };
        format!("{file}\t{bytes}\t{crc32:08x}\t{origin}\t{format}\t{contents}\t{verdict}\t{codes}")
    }
}

fn split(cell: &str, at: char) -> impl Iterator<Item = &str> {
    cell.split(at).filter(|part| !part.is_empty() && *part != "-")
}

/// The folder of the test data.
pub(crate) fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

/// The bytes of a file of the test data.
pub(crate) fn read(file: &str) -> Vec<u8> {
    fs::read(testdata().join(file)).unwrap_or_else(|error| panic!("testdata/{file}: {error}"))
}

/// All rows.
pub(crate) fn rows() -> Vec<Row> {
    let text = String::from_utf8(read("ledger.tsv")).expect("UTF-8");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some(HEAD), "the ledger's first line");
    lines.map(Row::parse).collect()
}

/// Writes the ledger, sorted by file.
pub(crate) fn write(mut rows: Vec<Row>) {
    rows.sort();
    let lines: Vec<_> = [HEAD.to_owned()].into_iter().chain(rows.iter().map(Row::line)).collect();
    fs::write(testdata().join("ledger.tsv"), lines.join("\n") + "\n").expect("written");
}

/// The CRC-32 that the ledger keeps. Not the CRC-64 of RDB files: over a whole file with its checksum
/// that is the same number for every file.
pub(crate) fn crc32(data: &[u8]) -> u32 {
    Crc::<u32>::new(&CRC_32_ISO_HDLC).checksum(data)
}

/// Dialect and version by the header, or a dash.
fn format_of(data: &[u8]) -> String {
    let digits = |at: usize| {
        let digits = data.get(at..9).and_then(|digits| std::str::from_utf8(digits).ok());
        digits.and_then(|digits| digits.parse::<u32>().ok())
    };
    match (data.starts_with(b"REDIS"), digits(5), digits(6)) {
        (true, Some(version), _) => format!("redis {version}"),
        (false, _, Some(version)) if data.starts_with(b"VALKEY") => format!("valkey {version}"),
        _ => "-".into(),
    }
}

/// The code of that name.
pub(crate) fn code(name: &str) -> Code {
    let found = Code::ALL.iter().find(|code| code.as_str() == name);
    *found.unwrap_or_else(|| panic!("no finding has the code {name}"))
}

/// What a check says of a file with these findings.
pub(crate) fn verdict(codes: &[String]) -> &'static str {
    let codes: Vec<_> = codes.iter().map(|name| code(name)).collect();
    let unverified = [Code::RdbCrcAbsent, Code::RdbCrcDisabled];
    let worse = |code: &&Code| code.severity() > Severity::Note && !unverified.contains(code);
    match codes.iter().filter(worse).map(|code| code.severity()).max() {
        Some(Severity::Error) => "damaged",
        Some(_) => "warned",
        None if codes.iter().any(|code| unverified.contains(code)) => "unverified",
        None => "ok",
    }
}
