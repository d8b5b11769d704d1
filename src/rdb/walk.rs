//! Walking a value: hand its elements to a visitor and report what is wrong with it, in one pass.
//! There is no second checker: decoding is validating. A walk goes on past what it can, so one bad
//! listpack node does not hide the next.

use std::hash::BuildHasher;
use std::ops::Range;

use hashbrown::{DefaultHashBuilder, HashSet};

use super::types::{DataType, RdbType};
use crate::element::{Element, Str, StreamId, Visit};
use crate::encoding::lzf;
use crate::error::{Fault, Parse, fault_of};
use crate::finding::{Code, Findings};
use crate::limits::Limits;
use crate::repeats::Repeats;

/// The walk of a row: takes the value's bytes, hands out elements, returns what is left over.
pub type Walk = for<'a> fn(&'a [u8], &mut Walker, &mut dyn Visit) -> Parse<'a, ()>;

/// A step that could not go on; its fault is reported by whoever knows where the slice lies.
pub type Step = Result<(), nom::Err<Fault>>;

/// What walks share: settings, findings, and scratch space that is used again for every value.
#[derive(Debug)]
pub struct Walker {
    /// Look for duplicates, orphans and everything else that takes more than reading.
    pub deep: bool,
    /// What was found since the caller last took it.
    pub findings: Findings,
    /// Bounds.
    pub limits: Limits,
    /// Whether an entry of one of the ambiguous sizes was met, and with which back length (A.6).
    pub backlen: BacklenSeen,
    /// Whether the value walked last is a collection of no elements, which servers take for no key.
    pub is_empty: bool,
    in_stream: bool,
    end: u64,
    inside: Option<Inside>,
    locating: Option<HashSet<Vec<u8>>>,
    quiet: bool,
    seen: Vec<u64>,
    repeats: Repeats,
    hasher: DefaultHashBuilder,
    blob: Vec<u8>,
    text: Vec<u8>,
}

/// Which back lengths were met on entries of exactly 16383, 2097151 or 268435455 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BacklenSeen {
    /// The wider one, of Redis up to 8.6 and Valkey up to 8.1.
    pub wide: bool,
    /// The wider one in a stream, whose nodes every server reads entry by entry.
    pub wide_in_stream: bool,
    /// The one of Redis 8.8 and Valkey 9.1.
    pub narrow: bool,
}

/// A compressed string whose expanded bytes are being walked.
#[derive(Debug, Clone)]
struct Inside {
    span: Range<u64>,
    len: u64,
}

impl Walker {
    /// A walker with nothing found yet.
    pub fn new(deep: bool, limits: Limits) -> Walker {
        Walker {
            deep,
            findings: Findings::new(limits.findings),
            limits,
            backlen: BacklenSeen::default(),
            is_empty: false,
            in_stream: false,
            end: 0,
            inside: None,
            locating: None,
            quiet: false,
            seen: Vec::new(),
            repeats: Repeats::default(),
            hasher: DefaultHashBuilder::default(),
            blob: Vec::new(),
            text: Vec::new(),
        }
    }

    /// Walks a value of the given row. `offset` is where the payload lies in the file.
    pub fn value(
        &mut self,
        row: &'static RdbType,
        payload: &[u8],
        offset: u64,
        visit: &mut dyn Visit,
    ) {
        self.end = offset + payload.len() as u64;
        self.in_stream = row.data == DataType::Stream;
        self.is_empty = false;
        self.seen.clear();
        self.run(row, payload, visit);
        if self.deep {
            self.name_duplicates(row, payload);
        }
    }

    fn run(&mut self, row: &'static RdbType, payload: &[u8], visit: &mut dyn Visit) {
        match (row.walk)(payload, self, visit) {
            Ok(([], ())) => {}
            Ok((rest, ())) => {
                let found = format!("{} bytes more", rest.len());
                let fault =
                    Fault::new(Code::ValueTrailing, rest, rest.len(), "the value's end", found);
                self.report(fault);
            }
            Err(err) => self.report(fault_of(err)),
        }
    }

    /// Values in which two hashes are equal are walked once more, to name the duplicates and to be
    /// certain of them: it is rare, so a first pass need not keep the bytes.
    fn name_duplicates(&mut self, row: &'static RdbType, payload: &[u8]) {
        let seen = self.seen.iter().copied();
        let repeats = self.repeats.among(seen, self.seen.len(), |hash| hash, |a, b| a == b);
        if repeats.is_empty() {
            return;
        }
        self.seen = repeats;
        self.locating = Some(HashSet::new());
        self.run(row, payload, &mut crate::element::Ignore);
        self.locating = None;
    }

    /// Reports a fault found in the slice that is being walked.
    #[cold]
    pub fn report(&mut self, fault: Fault) {
        let wanted = matches!(fault.code(), Code::DupMember | Code::DupField);
        if self.quiet || (self.locating.is_some() && !wanted) {
            return;
        }
        let finding = match &self.inside {
            None => fault.finding(self.end),
            Some(inside) => {
                let pos = inside.len.saturating_sub(fault.rest() as u64);
                let mut finding = fault.finding(0);
                finding.span = inside.span.clone();
                finding.inside = Some(pos);
                finding
            }
        };
        self.findings.add(finding);
    }

    /// Reports at `at`, a suffix of the slice being walked.
    #[cold]
    pub fn note(
        &mut self,
        code: Code,
        at: &[u8],
        len: usize,
        expected: impl Into<std::borrow::Cow<'static, str>>,
        found: impl Into<std::borrow::Cow<'static, str>>,
    ) {
        self.report(Fault::new(code, at, len, expected, found));
    }

    /// Reports a collection of no elements.
    #[cold]
    pub fn empty(&mut self, at: &[u8]) {
        self.is_empty = true;
        self.note(Code::EmptyCollection, at, at.len(), "at least one element", "none");
    }

    /// Checks a string that is not looked into otherwise: `at` begins where it does.
    #[inline]
    pub fn check_text(&mut self, string: Str<'_>, at: &[u8]) {
        if let Str::Lzf { compressed, len } = string {
            self.check_lzf(compressed, len, at);
        }
    }

    /// Hands out the value of a string key: `at` begins where it does.
    pub fn text(&mut self, string: Str<'_>, at: &[u8], visit: &mut dyn Visit) {
        let Str::Lzf { compressed, .. } = string else {
            return visit.element(Element::Text(string));
        };
        if !visit.expands() {
            self.check_text(string, at);
            return visit.element(Element::Text(string));
        }
        let mut text = std::mem::take(&mut self.text);
        match string.bytes(&mut text) {
            Ok(bytes) => visit.element(Element::Text(Str::Raw(bytes))),
            Err(err) => self.lzf_fault(&err, compressed, at),
        }
        self.text = text;
    }

    fn check_lzf(&mut self, compressed: &[u8], len: u64, at: &[u8]) {
        if let Err(err) = lzf::check(compressed, len) {
            self.lzf_fault(&err, compressed, at);
        }
    }

    #[cold]
    fn lzf_fault(&mut self, err: &lzf::LzfError, compressed: &[u8], at: &[u8]) {
        let found = format!("{} at byte {} of {}", err.what, err.pos, compressed.len());
        let len = at.len().min(compressed.len().saturating_add(10));
        self.note(Code::StringLzf, at, len, "a sound compressed string", found);
    }

    /// A member or field that must not come twice: `at` begins where it does.
    #[inline]
    pub fn unique(&mut self, string: Str<'_>, at: &[u8], code: Code) {
        match string {
            _ if !self.deep => {}
            Str::Raw(bytes) => self.unique_bytes(bytes, at, code),
            _ => self.unique_stored(string, at, code),
        }
    }

    fn unique_stored(&mut self, string: Str<'_>, at: &[u8], code: Code) {
        let mut text = std::mem::take(&mut self.text);
        match string.bytes(&mut text) {
            Ok(bytes) => self.unique_bytes(bytes, at, code),
            Err(err) => {
                if let Str::Lzf { compressed, .. } = string {
                    self.lzf_fault(&err, compressed, at);
                }
            }
        }
        self.text = text;
    }

    #[inline]
    fn unique_bytes(&mut self, bytes: &[u8], at: &[u8], code: Code) {
        let hash = self.hasher.hash_one(bytes);
        if self.locating.is_none() {
            self.seen.push(hash);
        } else {
            self.locate(hash, bytes, at, code);
        }
    }

    #[cold]
    fn locate(&mut self, hash: u64, bytes: &[u8], at: &[u8], code: Code) {
        if self.seen.binary_search(&hash).is_err() {
            return;
        }
        let Some(known) = &mut self.locating else { return };
        if known.contains(bytes) {
            let found = format!("\"{}\" again", bytes.escape_ascii());
            let len = bytes.len().saturating_add(1);
            self.note(code, at, len, "each name once", found);
        } else {
            known.insert(bytes.to_vec());
        }
    }

    /// Walks the packed bytes that a string holds, at least `min` of them. `at` begins where the string
    /// does and `after` is what follows it. A fault inside is reported and costs only this string.
    pub fn packed<'a>(
        &mut self,
        string: Str<'a>,
        min: u64,
        at: &'a [u8],
        after: &'a [u8],
        visit: &mut dyn Visit,
        walk: impl FnOnce(&mut Walker, &[u8], &mut dyn Visit) -> Step,
    ) {
        match string {
            Str::Int(_) => self.no_pack(at, after, "a number".to_owned()),
            short if short.len() < min => {
                self.no_pack(at, after, format!("a string of {} bytes", short.len()));
            }
            Str::Raw(bytes) => {
                let outer = self.end;
                self.end = outer - after.len() as u64;
                if let Err(err) = walk(self, bytes, visit) {
                    self.report(fault_of(err));
                }
                self.end = outer;
            }
            Str::Lzf { compressed, len } => {
                let mut blob = std::mem::take(&mut self.blob);
                match string.bytes(&mut blob) {
                    Ok(bytes) => {
                        let start = self.end - at.len() as u64;
                        let span = start..self.end - after.len() as u64;
                        self.inside = Some(Inside { span, len });
                        if let Err(err) = walk(self, bytes, visit) {
                            self.report(fault_of(err));
                        }
                        self.inside = None;
                    }
                    Err(err) => self.lzf_fault(&err, compressed, at),
                }
                self.blob = blob;
            }
        }
    }

    #[cold]
    fn no_pack(&mut self, at: &[u8], after: &[u8], found: String) {
        let len = at.len() - after.len();
        self.note(Code::PackedType, at, len, "packed bytes", found);
    }

    /// Remembers which back length an entry of an ambiguous size had, and notes it.
    #[cold]
    pub fn backlen(&mut self, wide: bool, at: &[u8]) {
        let (code, expected, found) = if wide {
            self.backlen.wide = true;
            self.backlen.wide_in_stream |= self.in_stream;
            (Code::LpBacklenWide, "the shorter form, for the newest servers", "the longer form")
        } else {
            self.backlen.narrow = true;
            (Code::LpBacklenNarrow, "the longer form, for older servers", "the shorter form")
        };
        self.note(code, at, 1, expected, found);
    }

    /// Runs a second pass over something already walked: nothing is reported again.
    pub fn quietly<T>(&mut self, pass: impl FnOnce(&mut Walker) -> T) -> T {
        let (quiet, deep) = (self.quiet, self.deep);
        (self.quiet, self.deep) = (true, false);
        let done = pass(self);
        (self.quiet, self.deep) = (quiet, deep);
        done
    }
}

/// Reads a stream id as 16 raw bytes, big endian, the form of node keys and pending lists.
pub fn id16(i: &[u8]) -> Parse<'_, StreamId> {
    use nom::Parser;
    use nom::number::complete::be_u64;
    nom::combinator::map((be_u64, be_u64), |(ms, seq)| StreamId { ms, seq }).parse(i)
}
