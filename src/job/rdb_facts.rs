//! What every job wants to know of an RDB as a whole, gathered while it passes by.

use std::collections::BTreeMap;

use crate::element::{ModuleId, Str};
use crate::rdb::header::{Dialect, Header};
use crate::rdb::length::length;
use crate::rdb::opcodes::Opcode;
use crate::rdb::types::{DataType, Op, RdbType, Table};
use crate::rdb::walk::BacklenSeen;
use crate::record::{Event, KeyRecord, Record};

/// AUX fields, functions and the like that are kept; a file that has more is not an honest one.
const KEPT: usize = 10_000;

/// Facts that come once, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// Magic and version.
    Header(Header),
    /// A name, its value, and the offset behind it.
    Aux(Vec<u8>, Vec<u8>, u64),
    /// A database, and the offset behind its number.
    SelectDb(u64, u64),
    /// A function library.
    Function(Library),
    /// Data of a module beside the keys, its offset, and the offset behind id and `when`.
    ModuleAux(ModuleId, u64, u64),
    /// A hint: database, keys, keys with an expire, offset.
    ResizeDb(u64, u64, u64, u64),
}

/// A function library or a function of the 7.0 candidates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// Its name, when the code states one.
    pub name: Option<Vec<u8>>,
    /// The engine, `lua` as a rule.
    pub engine: Option<Vec<u8>>,
    /// Length of the code in bytes.
    pub code_len: u64,
    /// Where its record starts.
    pub offset: u64,
    /// In the format of the 7.0 release candidates.
    pub pre_ga: bool,
}

impl Library {
    /// Reads the first line of a library's code, `#!lua name=lib`.
    pub fn of(code: &[u8], offset: u64) -> Library {
        let line = code.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let mut words = line.split(|byte| byte.is_ascii_whitespace()).filter(|w| !w.is_empty());
        let engine = words.next().and_then(|word| word.strip_prefix(b"#!"));
        let name = words.find_map(|word| word.strip_prefix(b"name="));
        Library {
            name: name.filter(|name| !name.is_empty()).map(<[u8]>::to_vec),
            engine: engine.filter(|engine| !engine.is_empty()).map(<[u8]>::to_vec),
            code_len: code.len() as u64,
            offset,
            pre_ga: false,
        }
    }
}

/// Keys of a database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DbCount {
    /// Keys.
    pub keys: u64,
    /// Keys with an expire.
    pub expires: u64,
    /// Keys whose expire has passed.
    pub expired: u64,
}

/// How often something was met, and where first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Met {
    /// How often.
    pub count: u64,
    /// Offset of the first.
    pub first: u64,
}

impl Met {
    /// Not met.
    pub const NONE: Met = Met { count: 0, first: u64::MAX };

    pub(super) fn merge(self, other: Met) -> Met {
        Met { count: self.count + other.count, first: self.first.min(other.first) }
    }
}

/// Facts that add up, whatever the order.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Keys by database.
    pub databases: BTreeMap<u64, DbCount>,
    /// Values and opcodes by their byte.
    met: Box<[Met; 256]>,
    /// Values by module type.
    pub modules: BTreeMap<ModuleId, Met>,
    /// Keys with module metadata.
    pub key_meta: Option<Met>,
    /// Back lengths met on entries of the ambiguous sizes.
    pub backlen: BacklenSeen,
    /// What came once.
    pub once: Vec<Fact>,
    /// Of that, function libraries and data of modules, and the rest; those beyond the limit counted.
    apart: usize,
    others: usize,
    db: (u64, DbCount),
}

impl Default for Facts {
    fn default() -> Self {
        Facts {
            databases: BTreeMap::new(),
            met: Box::new([Met::NONE; 256]),
            modules: BTreeMap::new(),
            key_meta: None,
            backlen: BacklenSeen::default(),
            once: Vec::new(),
            apart: 0,
            others: 0,
            db: (0, DbCount::default()),
        }
    }
}

impl Facts {
    /// Counts a key. The database at hand is counted aside, since it seldom changes.
    #[inline]
    pub fn key(&mut self, key: &KeyRecord<'_>, now_ms: i64) {
        if self.db.0 != key.db {
            self.settle_db();
            self.db.0 = key.db;
        }
        let count = &mut self.db.1;
        count.keys += 1;
        if let Some(at) = key.expire_at_ms {
            count.expires += 1;
            count.expired += u64::from(at < now_ms);
        }
        self.met(key.rdb_type.code, key.offset);
        if key.rdb_type.data == DataType::Module {
            self.module(key);
        }
        if key.meta.is_some() {
            let met = Met { count: 1, first: key.key_offset };
            self.key_meta = Some(self.key_meta.map_or(met, |sum| sum.merge(met)));
        }
    }

    fn module(&mut self, key: &KeyRecord<'_>) {
        if let Ok((_, id)) = length(key.payload) {
            let met = Met { count: 1, first: key.offset };
            add(&mut self.modules, ModuleId(id), met);
        }
    }

    /// Notes that a type or opcode was met.
    #[inline]
    pub fn met(&mut self, code: u8, offset: u64) {
        if let Some(met) = self.met.get_mut(usize::from(code)) {
            *met = met.merge(Met { count: 1, first: offset });
        }
    }

    /// The bytes of types and opcodes that were met.
    pub fn bytes_met(&self) -> impl Iterator<Item = (u8, Met)> {
        (0..=u8::MAX).zip(*self.met).filter(|(_, met)| met.count > 0)
    }

    fn settle_db(&mut self) {
        let (db, count) = std::mem::take(&mut self.db);
        if count.keys > 0 {
            let sum = self.databases.entry(db).or_default();
            sum.keys += count.keys;
            sum.expires += count.expires;
            sum.expired += count.expired;
        }
    }

    /// Takes note of a record that is no key; returns the fact it is, if it comes once.
    pub fn record(&mut self, record: &Record<'_>, opcode: u8, db: u64) -> Option<Fact> {
        self.met(opcode, record.span.start);
        let text = |s: &Str<'_>| s.bytes(&mut Vec::new()).map(<[u8]>::to_vec).unwrap_or_default();
        match &record.event {
            Event::Header(header) => Some(Fact::Header(*header)),
            Event::Aux { key, value } => Some(Fact::Aux(text(key), text(value), record.span.end)),
            Event::SelectDb(db) => Some(Fact::SelectDb(*db, record.span.end)),
            Event::Function { code } => {
                Some(Fact::Function(Library::of(&text(code), record.span.start)))
            }
            Event::FunctionPreGa { name, engine, code, .. } => Some(Fact::Function(Library {
                name: Some(text(name)),
                engine: Some(text(engine)),
                code_len: code.len(),
                offset: record.span.start,
                pre_ga: true,
            })),
            Event::ModuleAux { id, data, .. } => {
                // The opcode UINT and `when`, a byte each.
                let when = (record.span.end - data.len() as u64).saturating_add(2);
                Some(Fact::ModuleAux(*id, record.span.start, when))
            }
            Event::ResizeDb { keys, expires } => {
                Some(Fact::ResizeDb(db, *keys, *expires, record.span.start))
            }
            _ => None,
        }
    }

    /// Keeps a fact that comes once. Call in the order of the file.
    pub fn keep(&mut self, fact: Fact) {
        // A server with thousands of databases writes more of the others.
        let is_apart = matches!(fact, Fact::Function(_) | Fact::ModuleAux(..));
        let seen = if is_apart { &mut self.apart } else { &mut self.others };
        *seen += 1;
        if *seen <= KEPT {
            self.once.push(fact);
        }
    }

    /// Function libraries and data of modules that are not kept.
    pub fn dropped(&self) -> usize {
        self.apart.saturating_sub(KEPT)
    }

    /// Adds what another worker has counted.
    pub fn merge(&mut self, mut other: Facts) {
        self.settle_db();
        other.settle_db();
        for (db, count) in other.databases {
            self.db = (db, count);
            self.settle_db();
        }
        for (sum, met) in self.met.iter_mut().zip(*other.met) {
            *sum = sum.merge(met);
        }
        for (id, met) in other.modules {
            add(&mut self.modules, id, met);
        }
        self.key_meta = match (self.key_meta, other.key_meta) {
            (Some(a), Some(b)) => Some(a.merge(b)),
            (a, b) => a.or(b),
        };
        self.backlen.wide |= other.backlen.wide;
        self.backlen.wide_in_stream |= other.backlen.wide_in_stream;
        self.backlen.narrow |= other.backlen.narrow;
    }

    /// The header, when it was read.
    pub fn header(&self) -> Option<Header> {
        self.once.iter().find_map(|fact| match fact {
            Fact::Header(header) => Some(*header),
            _ => None,
        })
    }

    /// AUX fields in order.
    pub fn aux(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.once.iter().filter_map(|fact| match fact {
            Fact::Aux(key, value, _) => Some((key.as_slice(), value.as_slice())),
            _ => None,
        })
    }

    /// The value of an AUX field.
    pub fn aux_value(&self, key: &[u8]) -> Option<&[u8]> {
        self.aux().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// Function libraries in order.
    pub fn functions(&self) -> impl Iterator<Item = &Library> {
        self.once.iter().filter_map(|fact| match fact {
            Fact::Function(library) => Some(library),
            _ => None,
        })
    }

    /// Keys of all databases.
    pub fn keys(&self) -> DbCount {
        let mut sum = DbCount::default();
        for count in self.databases.values() {
            sum.keys += count.keys;
            sum.expires += count.expires;
            sum.expired += count.expired;
        }
        sum
    }

    /// The value types that were met.
    pub fn types(&self) -> impl Iterator<Item = (&'static RdbType, Met)> {
        self.rows().filter_map(|(op, met)| match op {
            Op::Type(row) => Some((row, met)),
            Op::Opcode(_) => None,
        })
    }

    /// The opcodes that were met.
    pub fn opcodes(&self) -> impl Iterator<Item = (&'static Opcode, Met)> {
        self.rows().filter_map(|(op, met)| match op {
            Op::Opcode(row) => Some((row, met)),
            Op::Type(_) => None,
        })
    }

    fn rows(&self) -> impl Iterator<Item = (Op, Met)> {
        let dialect = self.header().map_or(Dialect::Redis, |header| header.dialect);
        let table = Table::of(dialect);
        self.bytes_met().filter_map(move |(code, met)| Some((table.get(code)?, met)))
    }
}

fn add<K: Ord>(map: &mut BTreeMap<K, Met>, key: K, met: Met) {
    map.entry(key).and_modify(|sum| *sum = sum.merge(met)).or_insert(met);
}
