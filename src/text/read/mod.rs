//! JSON Lines back into records of an RDB: each line becomes the record that it describes, so that whatever
//! reads RDB files takes them, and what a walk checks is checked here too. Nothing is held but a line.
//!
//! A key is encoded as the RDB version of the first line has it; what that version cannot hold (somebody
//! may have added an expire time to a field), as the newest has it.

mod beside;
mod part;
mod stream;
#[cfg(test)]
mod tests;
mod value;

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use self::part::{Base64, NodeLen, Text, kind_of};
use super::lines::VERSION;
use crate::element::{Ignore, ModuleId, Str};
use crate::finding::{Finding, Severity};
use crate::limits::{DATABASES_MAX, Limits, PackedLimits};
use crate::rdb::encode::{Encoder, Form};
use crate::rdb::header::{Dialect, Header, header};
use crate::rdb::opcodes;
use crate::rdb::shape::skip;
use crate::rdb::string::Strings;
use crate::rdb::target::Target;
use crate::rdb::types::{DataType, Op, RdbType, Table};
use crate::rdb::versions::{RELEASES, newest};
use crate::rdb::walk::Walker;
use crate::rdb::writer::{self, KeyHead};

/// Bytes of a value beyond which it is not packed, whatever its line says.
const PACKED_MAX: usize = 64 << 20;

/// Why a line is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Bytes from the start of the line to the place, and one more; `None` when it is about all of it.
    pub column: Option<usize>,
    /// What was expected there, and what is there.
    pub what: String,
}

impl Wrong {
    fn new(what: impl Into<String>) -> Wrong {
        Wrong { column: None, what: what.into() }
    }

    /// Of a piece of the line that begins behind so many bytes.
    fn of(err: &serde_json::Error, before: usize) -> Wrong {
        let text = err.to_string();
        let what = text.rsplit_once(" at line ").map_or(&text[..], |(what, _)| what);
        Wrong { column: Some(before + err.column().max(1)), what: what.to_owned() }
    }
}

/// Records of an RDB, one behind the other.
#[derive(Debug, Default)]
pub struct Records {
    /// Their bytes.
    pub bytes: Vec<u8>,
    /// Position behind each.
    pub ends: Vec<usize>,
    /// The database that is selected behind the last.
    pub db: u64,
}

/// Reads lines.
#[derive(Debug)]
pub struct LineReader {
    /// As the first line has it.
    own: Encoder,
    /// The newest of the same dialect.
    newest: Encoder,
    strings: Strings,
    walker: Walker,
    payload: Vec<u8>,
}

/// What the first line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct First {
    /// Whether there is one: lines may have been picked out of a file.
    pub is_there: bool,
    /// Whether it states a header.
    pub is_told: bool,
    /// That header, or that of the newest Redis.
    pub header: Header,
}

/// Reads the first line of a file.
///
/// # Errors
/// When it is one of a version that is not known.
pub fn first_line(line: &[u8]) -> Result<First, Wrong> {
    #[derive(Deserialize)]
    struct Told<'a> {
        rdbtool_jsonl: u64,
        #[serde(borrow)]
        magic: Option<Cow<'a, str>>,
        rdb_version: Option<u16>,
    }
    let newest = || ("REDIS".into(), newest(Dialect::Redis));
    let told = serde_json::from_slice::<Told<'_>>(line).ok();
    if let Some(version) = told.as_ref().map(|told| told.rdbtool_jsonl).filter(|v| *v != VERSION) {
        let what = format!("expected version {VERSION} of this form, found {version}");
        return Err(Wrong::new(what));
    }
    let is_there = told.is_some();
    let told = told.and_then(|told| Some((told.magic?, told.rdb_version?)));
    let is_told = told.is_some();
    let (magic, version): (Cow<'_, str>, _) = told.unwrap_or_else(newest);
    let width = Header::LEN.saturating_sub(magic.len());
    let text = format!("{magic}{version:0width$}");
    match header(text.as_bytes()) {
        Ok(([], header)) => Ok(First { is_there, is_told, header }),
        _ => Err(Wrong::new(format!("no RDB begins with {text:?}"))),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyLine<'a> {
    db: u64,
    #[serde(borrow)]
    key: Text<'a>,
    #[serde(borrow, rename = "type")]
    type_name: Cow<'a, str>,
    #[serde(borrow)]
    encoding: Option<Cow<'a, str>>,
    expire_at_ms: Option<i64>,
    idle_s: Option<u64>,
    freq: Option<u8>,
    meta: Option<Base64>,
    #[serde(borrow)]
    value: &'a RawValue,
    nodes: Option<Vec<NodeLen>>,
}

impl LineReader {
    /// For lines below this first one.
    pub fn new(header: Header, limits: Limits) -> LineReader {
        let newest = target(header.dialect, newest(header.dialect));
        let own = target(header.dialect, header.version);
        let encoder = |target| Encoder::new(target, true, PackedLimits::DEFAULT);
        LineReader {
            own: encoder(own),
            newest: encoder(newest),
            strings: Strings::new(true),
            walker: Walker::new(true, limits),
            payload: Vec::new(),
        }
    }

    /// Appends the record of a line. The first line of a file has none.
    ///
    /// # Errors
    /// When it is not as it should be; nothing is to be made of the records then.
    pub fn line(&mut self, line: &[u8], out: &mut Records) -> Result<(), Wrong> {
        let text = std::str::from_utf8(line).map_err(|err| Wrong {
            column: Some(err.valid_up_to() + 1),
            what: "expected UTF-8, found another byte".to_owned(),
        })?;
        if text.starts_with("{\"db\":") {
            return self.key(text, out);
        }
        let wrong = |err| Wrong::of(&err, 0);
        match kind_of(text).map_err(wrong)? {
            "key" => self.key(text, out),
            "rdbtool_jsonl" => Err(Wrong::new("expected the first line to be first")),
            kind => self.beside(kind, text, out),
        }
    }

    fn target(&self) -> Target {
        self.newest.pen.target
    }

    fn key(&mut self, text: &str, out: &mut Records) -> Result<(), Wrong> {
        let line: KeyLine<'_> = serde_json::from_str(text).map_err(|err| Wrong::of(&err, 0))?;
        if line.db > DATABASES_MAX {
            return Err(Wrong::new(format!(
                "expected a database of at most {DATABASES_MAX}, found {}",
                line.db
            )));
        }
        let kind = Kind::of(&line.type_name)?;
        let row = self.value(&line, kind, text)?;
        if line.db != out.db {
            writer::select_db(line.db, &mut out.bytes);
            out.ends.push(out.bytes.len());
            out.db = line.db;
        }
        let head = KeyHead {
            expire_at_ms: line.expire_at_ms,
            idle_s: line.idle_s,
            freq: line.freq,
            meta: line.meta.as_ref().map(|meta| &meta.0[..]),
        };
        if let Some(meta) = head.meta {
            self.framed(opcodes::Kind::KeyMeta, KEY_META, meta)?;
        }
        let mut lost = None;
        head.write(self.target(), &mut out.bytes, |loss| lost = Some(loss));
        if let Some(loss) = lost {
            return Err(Wrong::new(format!("{}: {}", self.target().magic(), loss.about())));
        }
        out.bytes.push(row.code);
        self.strings.write(&line.key.0, &mut out.bytes);
        out.bytes.extend_from_slice(&self.payload);
        out.ends.push(out.bytes.len());
        Ok(())
    }

    /// Makes the payload of a key's value; its row.
    fn value(
        &mut self,
        line: &KeyLine<'_>,
        kind: Kind,
        text: &str,
    ) -> Result<&'static RdbType, Wrong> {
        let form = form(line.encoding.as_deref().unwrap_or_default(), line.value.get().len())?;
        // Where the value begins in the line.
        let before = (line.value.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        let mut row = None;
        for encoder in [&mut self.own, &mut self.newest] {
            value::read(encoder, line, kind, form, before)?;
            self.payload.clear();
            row = encoder.finish(&mut self.payload).ok();
            if row.is_some() && encoder.pen.losses.is_empty() {
                break;
            }
        }
        let lost = self.newest.pen.losses.first().filter(|_| row.is_some());
        let (Some(row), None) = (row, lost) else {
            let why = lost.map_or("has no such type", |loss| loss.about());
            return Err(Wrong::new(format!("{}: {why}", self.target().magic())));
        };
        self.walker.value(row, &self.payload, 0, &mut Ignore);
        let findings = &self.walker.findings;
        let error = findings.iter().find(|finding| {
            finding.severity() == Severity::Error && !finding.code.is_of_counters()
        });
        let read = match error {
            None => Ok(row),
            Some(Finding { code, expected, found, .. }) => {
                Err(Wrong::new(format!("{code}: expected {expected}, found {found}")))
            }
        };
        self.walker.findings.clear();
        read
    }

    /// Checks that there is such an opcode, and that its data ends where it should.
    fn framed(&self, kind: opcodes::Kind, code: u8, data: &[u8]) -> Result<(), Wrong> {
        let table = Table::of(self.target().release.magic);
        let Some(Op::Opcode(row)) =
            table.get(code).filter(|op| matches!(op, Op::Opcode(row) if row.kind == kind))
        else {
            let what = format!("{}: no file of it has such a record", self.target().magic());
            return Err(Wrong::new(what));
        };
        match skip(row.shape, data, u64::MAX) {
            Ok(([], ())) => Ok(()),
            _ => {
                Err(Wrong::new(format!("expected {}: {}, found other bytes", row.name, row.layout)))
            }
        }
    }
}

const KEY_META: u8 = 243;

/// The release that writes this version, the last one if there are several; else the newest.
fn target(dialect: Dialect, version: u16) -> Target {
    let own = |release: &&_| {
        let release: &crate::rdb::versions::Release = release;
        (release.dialect, release.magic, release.rdb_version) == (dialect, dialect, version)
    };
    let mut newest = RELEASES
        .iter()
        .rev()
        .filter(|release| release.magic == dialect && release.dialect == dialect);
    match (RELEASES.iter().rfind(own), Target::version(version), newest.next()) {
        (Some(release), ..) => Target::of(release),
        (None, Some(target), _) if target.release.dialect == dialect => target,
        (None, _, Some(release)) => Target::of(release),
        // Both dialects have rows.
        (None, _, None) => Target::of(&RELEASES[0]),
    }
}

/// What a value is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain(DataType),
    Module([u8; 9]),
}

impl Kind {
    fn of(name: &str) -> Result<Kind, Wrong> {
        use DataType::{Array, Hash, List, Set, Stream, String, Zset};
        let plain = [String, List, Set, Zset, Hash, Stream, Array];
        if let Some(data) = plain.into_iter().find(|data| data.as_str() == name) {
            return Ok(Kind::Plain(data));
        }
        let module = <[u8; 9]>::try_from(name.as_bytes()).ok();
        let module = module.filter(|name| ModuleId::new(*name, 0).name().as_bytes() == name);
        module.map(Kind::Module).ok_or_else(|| {
            let expected = "expected string, list, set, zset, hash, stream, array or the nine characters \
                            of a module's type";
            Wrong::new(format!("{expected}, found {name:?}"))
        })
    }

    fn data(self) -> DataType {
        match self {
            Kind::Plain(data) => data,
            Kind::Module(_) => DataType::Module,
        }
    }
}

/// The form in which a value of this encoding is to be written.
fn form(encoding: &str, len: usize) -> Result<Form, Wrong> {
    Ok(match encoding {
        _ if len > PACKED_MAX => Form::Table,
        "" | "int" | "embstr" | "raw" | "stream" | "sliced-array" | "module" => Form::ByLimits,
        "listpack" | "ziplist" | "zipmap" => Form::Packed,
        "listpackex" => Form::Triples,
        "intset" => Form::Intset,
        "hashtable" | "skiplist" | "linkedlist" | "quicklist" => Form::Table,
        other => {
            return Err(Wrong::new(format!("expected a word of OBJECT ENCODING, found {other:?}")));
        }
    })
}

/// The text of a value, for an encoder.
fn raw<'a>(text: &'a Text<'_>) -> Str<'a> {
    Str::Raw(&text.0)
}

/// A field whose value does not matter.
type Anything = Option<IgnoredAny>;
