//! The manifest of a multi-part AOF (FORMATS B.4).
//!
//! ```text
//! file appendonly.aof.2.base.rdb seq 2 type b
//! file appendonly.aof.1.incr.aof seq 1 type h             history: to be deleted
//! file appendonly.aof.2.incr.aof seq 2 type i startoffset 1024
//! # a comment
//! ```
//!
//! Read as servers read it, with every fault as a finding and what can be read kept, and written exactly
//! as a server writes it. Names are judged after unquoting, and more strictly than by servers, which only
//! look for `/` and `\`: nothing here ever opens a file outside the folder.

use std::ops::Range;

use super::words::{quote, split};
use crate::encoding::number::{parse_i64, write_i64};
use crate::finding::{Code, Finding, shown};

/// Longest line with its LF, in bytes.
pub const LINE: usize = 1024;

/// Longest name of a file.
const NAME: usize = 255;

/// Words of the shortest line that names a file.
const WORDS: usize = 6;

/// A manifest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manifest {
    /// The files, in the order of their lines.
    pub entries: Vec<Entry>,
}

/// What a file of the AOF is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The data set at the last rewrite.
    Base,
    /// Replaced by a later base, to be deleted.
    History,
    /// Commands since.
    Incr,
}

impl Kind {
    /// The letter in a manifest.
    pub fn letter(self) -> char {
        match self {
            Kind::Base => 'b',
            Kind::History => 'h',
            Kind::Incr => 'i',
        }
    }

    /// The word used in text and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Base => "base",
            Kind::History => "history",
            Kind::Incr => "incr",
        }
    }
}

/// A file that a manifest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, unquoted.
    pub name: Vec<u8>,
    /// Its number; those of incr files increase.
    pub seq: i64,
    /// What it is.
    pub kind: Kind,
    /// Replication offset at its start (Redis 8.0 on).
    pub start_offset: Option<i64>,
    /// Replication offset at its end, after a clean stop (Redis 8.0 on).
    pub end_offset: Option<i64>,
    /// Pairs that are not known. Servers drop them when they write the manifest; here they are kept.
    pub unknown: Vec<(Vec<u8>, Vec<u8>)>,
    /// Its line, counted from 1.
    pub line: usize,
    /// Bytes of its line.
    pub span: Range<u64>,
}

impl Entry {
    /// A file as a server would name it, of a manifest to be written.
    pub fn new(name: &[u8], seq: i64, kind: Kind) -> Entry {
        Entry {
            name: name.to_vec(),
            seq,
            kind,
            start_offset: None,
            end_offset: None,
            unknown: Vec::new(),
            line: 0,
            span: 0..0,
        }
    }
}

impl Manifest {
    /// The base.
    pub fn base(&self) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.kind == Kind::Base)
    }

    /// The files a server loads, in its order: the base wherever it stands, then the incr files.
    pub fn loaded(&self) -> impl Iterator<Item = &Entry> {
        let incr = self.entries.iter().filter(|entry| entry.kind == Kind::Incr);
        self.base().into_iter().chain(incr)
    }

    /// The text as a server writes it: base, history, incr.
    pub fn write(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for kind in [Kind::Base, Kind::History, Kind::Incr] {
            self.entries.iter().filter(|e| e.kind == kind).for_each(|e| write_entry(e, &mut text));
        }
        text
    }
}

fn write_entry(entry: &Entry, out: &mut Vec<u8>) {
    out.extend(b"file ");
    quote(&entry.name, out);
    out.extend(b" seq ");
    write_i64(entry.seq, out);
    out.extend(format!(" type {}", entry.kind.letter()).bytes());
    let offsets = [("startoffset", entry.start_offset), ("endoffset", entry.end_offset)];
    for (key, offset) in offsets {
        let Some(offset) = offset else { continue };
        out.extend(format!(" {key} {offset}").bytes());
    }
    for (key, value) in &entry.unknown {
        for word in [key, value] {
            out.push(b' ');
            quote(word, out);
        }
    }
    out.push(b'\n');
}

/// Reads a manifest. Lines with a fault that servers do not forgive are left out.
pub fn parse(text: &[u8]) -> (Manifest, Vec<Finding>) {
    let mut parser = Parser { manifest: Manifest::default(), findings: Vec::new() };
    let mut offset = 0;
    for (index, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let span = offset..offset + line.len() as u64;
        offset = span.end;
        if line.first() != Some(&b'#') || line.len() > LINE {
            Line { parser: &mut parser, number: index + 1, span }.read(line);
        }
    }
    if parser.manifest.entries.is_empty() && parser.findings.is_empty() {
        let (code, found) = match text {
            [] => (Code::ManifestEmpty, "no bytes"),
            _ => (Code::ManifestNoFiles, "comments only"),
        };
        parser.findings.push(Finding::new(code, 0..offset, "a file", found));
    }
    order(&parser.manifest, &mut parser.findings);
    (parser.manifest, parser.findings)
}

struct Parser {
    manifest: Manifest,
    findings: Vec<Finding>,
}

/// The line being read.
struct Line<'p> {
    parser: &'p mut Parser,
    number: usize,
    span: Range<u64>,
}

impl Line<'_> {
    fn note(&mut self, code: Code, expected: impl Into<String>, found: impl std::fmt::Display) {
        let found = format!("{found} (line {})", self.number);
        self.parser.findings.push(Finding::new(code, self.span.clone(), expected, found));
    }

    fn read(&mut self, line: &[u8]) {
        if line.len() > LINE {
            return self.note(Code::ManifestLine, "a line of at most 1024 bytes", line.len());
        }
        if line.last() != Some(&b'\n') {
            return self.note(Code::ManifestLine, "LF at the end of the line", "none");
        }
        if line.trim_ascii().is_empty() {
            return self.note(Code::ManifestLine, "no empty lines", "one");
        }
        let Some(words) = split(line.trim_ascii()) else {
            return self.note(Code::ManifestLine, "words, quotes closed", "an open quote");
        };
        if words.len() < WORDS || words.len() % 2 != 0 {
            let expected = "file NAME seq N type LETTER and further pairs";
            return self.note(Code::ManifestLine, expected, format!("{} words", words.len()));
        }
        if let Some(entry) = self.entry(&words) {
            self.parser.manifest.entries.push(entry);
        }
    }

    fn entry(&mut self, words: &[Vec<u8>]) -> Option<Entry> {
        let mut fields = Fields::default();
        for (key, value) in words.iter().zip(words.iter().skip(1)).step_by(2) {
            let known = match key.to_ascii_lowercase().as_slice() {
                b"file" => &mut fields.name,
                b"seq" => &mut fields.seq,
                b"type" => &mut fields.kind,
                b"startoffset" => &mut fields.start_offset,
                b"endoffset" => &mut fields.end_offset,
                _ => {
                    self.note(Code::ManifestUnknown, "known pairs", shown(key));
                    fields.unknown.push((key.clone(), value.clone()));
                    continue;
                }
            };
            if known.replace(value).is_some() {
                self.note(Code::ManifestLoose, "each pair once", format!("{} again", shown(key)));
            }
        }
        let (name, seq, kind) = (self.name(&fields), self.seq(&fields), self.kind(&fields));
        let [start_offset, end_offset] =
            [fields.start_offset, fields.end_offset].map(|text| self.offset(text));
        if let (Some(start), Some(end)) = (start_offset, end_offset)
            && start > end
        {
            let expected = format!("an endoffset from {start} on");
            self.note(Code::ManifestOffsets, expected, end);
        }
        Some(Entry {
            name: name?,
            seq: seq?,
            kind: kind?,
            start_offset,
            end_offset,
            unknown: fields.unknown,
            line: self.number,
            span: self.span.clone(),
        })
    }

    fn name(&mut self, fields: &Fields<'_>) -> Option<Vec<u8>> {
        let Some(name) = fields.name else {
            self.note(Code::ManifestField, "a file", "none");
            return None;
        };
        if let Err(why) = plain_name(name) {
            self.note(Code::ManifestName, "the name of a file in the folder", why(name));
            return None;
        }
        Some(name.to_vec())
    }

    fn seq(&mut self, fields: &Fields<'_>) -> Option<i64> {
        let text = fields.seq.unwrap_or_default();
        let value = loose_number(text).filter(|seq| *seq != 0);
        match value {
            None => self.note(Code::ManifestField, "a seq other than 0", shown(text)),
            Some(_) if parse_i64(text) == value => {}
            Some(seq) => self.note(Code::ManifestLoose, seq.to_string(), shown(text)),
        }
        value
    }

    fn kind(&mut self, fields: &Fields<'_>) -> Option<Kind> {
        let text = fields.kind.unwrap_or_default();
        let kind = match text.first() {
            Some(b'b') => Kind::Base,
            Some(b'h') => Kind::History,
            Some(b'i') => Kind::Incr,
            _ => {
                self.note(Code::ManifestField, "type b, h or i", shown(text));
                return None;
            }
        };
        if text.len() > 1 {
            self.note(Code::ManifestLoose, kind.letter().to_string(), shown(text));
        }
        Some(kind)
    }

    fn offset(&mut self, text: Option<&[u8]>) -> Option<i64> {
        let text = text?;
        let offset = parse_i64(text).filter(|offset| *offset >= 0);
        if offset.is_none() {
            self.note(Code::ManifestOffsets, "a replication offset", shown(text));
        }
        offset
    }
}

#[derive(Default)]
struct Fields<'a> {
    name: Option<&'a [u8]>,
    seq: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
    start_offset: Option<&'a [u8]>,
    end_offset: Option<&'a [u8]>,
    unknown: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Says what is wrong with a name.
type Why = fn(&[u8]) -> String;

/// A name that stays in its folder.
///
/// # Errors
/// What is wrong with it.
pub fn plain_name(name: &[u8]) -> Result<(), Why> {
    match name {
        [] => Err(|_| "an empty name".to_owned()),
        b"." | b".." => Err(shown),
        _ if name.iter().any(|byte| b"/\\\0".contains(byte)) => Err(shown),
        _ if name.len() > NAME => Err(|name| format!("a name of {} bytes", name.len())),
        _ => Ok(()),
    }
}

/// A number as C reads it: its leading digits count.
fn loose_number(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii_start();
    let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let digits = text.iter().skip(sign).take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(text.get(..sign + digits)?).ok()?.parse().ok()
}

/// What only all lines together tell.
fn order(manifest: &Manifest, findings: &mut Vec<Finding>) {
    let mut note = |code, entry: &Entry, expected: &str, found: String| {
        let found = format!("{found} (line {})", entry.line);
        findings.push(Finding::new(code, entry.span.clone(), expected, found));
    };
    let mut last_seq = 0;
    let mut base: Option<&Entry> = None;
    for (index, entry) in manifest.entries.iter().enumerate() {
        let before = manifest.entries.get(..index).unwrap_or_default();
        if before.iter().any(|other| other.name == entry.name) {
            note(Code::ManifestDupFile, entry, "each file once", shown(&entry.name));
        }
        match entry.kind {
            Kind::Base if base.is_some() => {
                note(Code::ManifestTwoBases, entry, "one base", shown(&entry.name));
            }
            Kind::Base => {
                base = Some(entry);
                if index > 0 {
                    let found = format!("{} files before it", before.len());
                    note(Code::ManifestOrder, entry, "the base first", found);
                }
            }
            Kind::Incr if entry.seq <= last_seq => {
                let expected = format!("a seq above {last_seq}");
                note(Code::ManifestSeq, entry, &expected, entry.seq.to_string());
            }
            Kind::Incr => last_seq = entry.seq,
            Kind::History => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &[u8]) -> Vec<Code> {
        parse(text).1.into_iter().map(|finding| finding.code).collect()
    }

    const SOUND: &[u8] = b"file a.2.base.rdb seq 2 type b\nfile a.1.base.rdb seq 1 type h\n\
        file a.2.incr.aof seq 2 type i startoffset 7 endoffset 9\nfile \"a b\" seq 5 type i\n";

    #[test]
    fn what_is_sound_comes_back_as_it_was() {
        let (manifest, findings) = parse(SOUND);
        assert_eq!(findings, []);
        assert_eq!(manifest.write(), SOUND);
        assert_eq!(manifest.loaded().map(|entry| entry.line).collect::<Vec<_>>(), [1, 3, 4]);
        let offsets = manifest.entries.get(2).map(|e| (e.start_offset, e.end_offset));
        assert_eq!(offsets, Some((Some(7), Some(9))));
    }

    #[test]
    fn loose_forms() {
        let text = b"# made by hand\r\n TYPE b Seq 1 FILE a\r\nfile b seq 1 type i color blue\n";
        let (manifest, findings) = parse(text);
        assert_eq!(findings.iter().map(|f| f.code).collect::<Vec<_>>(), [Code::ManifestUnknown]);
        let want = b"file a seq 1 type b\nfile b seq 1 type i color blue\n";
        assert_eq!(manifest.write(), want);
        assert_eq!(codes(b"file a seq 01 type i\n"), [Code::ManifestLoose]);
        assert_eq!(codes(b"file a seq 3x type incr\n"), [Code::ManifestLoose; 2]);
        assert_eq!(codes(b"file a file b seq 3 type i\n"), [Code::ManifestLoose]);
        assert_eq!(codes(b"file a seq 1 type i\nfile b seq 1 type b\n"), [Code::ManifestOrder]);
    }

    #[test]
    fn faults() {
        use Code::{
            ManifestDupFile, ManifestEmpty, ManifestField, ManifestLine, ManifestName,
            ManifestOffsets, ManifestSeq, ManifestTwoBases,
        };
        let cases: &[(&[u8], &[Code])] = &[
            (b"", &[ManifestEmpty]),
            (b"# nothing\n", &[Code::ManifestNoFiles]),
            (b"\n", &[ManifestLine]),
            (b"file a seq 1 type i", &[ManifestLine]),
            (b"file a seq 1 type i\n\nfile b seq 2 type i\n", &[ManifestLine]),
            (b"file a seq 1\n", &[ManifestLine]),
            (b"file a seq 1 type i more\n", &[ManifestLine]),
            (b"file \"a seq 1 type i\n", &[ManifestLine]),
            (b"file a seq 0 type i\n", &[ManifestField]),
            (b"file a seq x type i\n", &[ManifestField]),
            (b"file a seq 1 type x\n", &[ManifestField]),
            (b"name a seq 1 type i\n", &[Code::ManifestUnknown, ManifestField]),
            (b"file ../a seq 1 type i\n", &[ManifestName]),
            (b"file \"\\x2fetc\" seq 1 type i\n", &[ManifestName]),
            (b"file \"a\\\\b\" seq 1 type i\n", &[ManifestName]),
            (b"file \"a\\x00b\" seq 1 type i\n", &[ManifestName]),
            (b"file .. seq 1 type i\n", &[ManifestName]),
            (b"file \"\" seq 1 type i\n", &[ManifestName]),
            (b"file a seq 1 type b\nfile b seq 2 type b\n", &[ManifestTwoBases]),
            (b"file a seq 1 type i\nfile b seq 1 type i\n", &[ManifestSeq]),
            (b"file a seq -1 type i\n", &[ManifestSeq]),
            (b"file a seq 1 type i\nfile a seq 2 type i\n", &[ManifestDupFile]),
            (b"file a seq 1 type i startoffset x\n", &[ManifestOffsets]),
            (b"file a seq 1 type i startoffset 9 endoffset 8\n", &[ManifestOffsets]),
        ];
        for (text, want) in cases {
            assert_eq!(codes(text), *want, "{}", text.escape_ascii());
        }
        let long = format!("file {} seq 1 type i\n", "n".repeat(256));
        assert_eq!(codes(long.as_bytes()), [ManifestName]);
        let long = format!("file {} seq 1 type i\n", "n".repeat(1020));
        assert_eq!(codes(long.as_bytes()), [ManifestLine]);
    }
}
