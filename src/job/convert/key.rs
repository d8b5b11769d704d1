//! A key on its way to another form, wherever it comes from: a record of an RDB, which is walked where its
//! bytes do not pass through, or a value of the store that a log was replayed into.

use std::borrow::Cow;

use super::super::filter::type_name;
use super::super::inspect::encoding;
use super::super::payload::data_type;
use super::super::target::keeps_out;
use crate::element::{Str, Visit};
use crate::engine::{KeyRef, Release};
use crate::finding::{Finding, KeyPlace};
use crate::rdb::types::DataType;
use crate::rdb::versions;
use crate::rdb::walk::Walker;
use crate::rdb::writer::KeyHead;
use crate::record::KeyRecord;
use crate::value::Value;

/// A key with its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key<'a> {
    pub(super) db: u64,
    pub(super) name: &'a [u8],
    /// Its name as it is stored.
    pub(super) stored: Str<'a>,
    pub(super) head: KeyHead<'a>,
    /// Bytes that it takes in its file; `None` of a value of the store.
    pub(super) size: Option<u64>,
    pub(super) held: Held<'a>,
}

/// Where the value is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Held<'a> {
    /// In the payload of a record.
    Record(&'a KeyRecord<'a>),
    /// In the store.
    Live(&'a Value),
}

impl<'a> Key<'a> {
    /// Of a record that takes so many bytes.
    pub(super) fn of_record(record: &'a KeyRecord<'a>, name: &'a [u8], size: u64) -> Key<'a> {
        let KeyRecord { db, key, expire_at_ms, idle_s, freq, meta, .. } = *record;
        let head = KeyHead { expire_at_ms, idle_s, freq, meta };
        Key { db, name, stored: key, head, size: Some(size), held: Held::Record(record) }
    }

    /// Of the store.
    pub(super) fn of_store(db: u64, key: &KeyRef<'a>) -> Key<'a> {
        let (idle_s, freq) = key.idle_and_freq();
        let head = KeyHead { expire_at_ms: key.expire_at_ms, idle_s, freq, meta: None };
        let (name, held) = (key.key, Held::Live(key.value));
        Key { db, name, stored: Str::Raw(name), head, size: None, held }
    }

    pub(super) fn data(&self) -> DataType {
        match self.held {
            Held::Record(record) => record.rdb_type.data,
            Held::Live(value) => data_type(value),
        }
    }

    /// TYPE's word.
    pub(super) fn type_name(&self) -> Cow<'a, str> {
        match self.held {
            Held::Record(record) => type_name(record.rdb_type, record.payload),
            Held::Live(value) => Cow::Borrowed(value.type_name()),
        }
    }

    /// OBJECT ENCODING's word; `version` is that of the RDB it is in.
    pub(super) fn encoding(&self, version: u16) -> &'static str {
        match self.held {
            Held::Record(record) => encoding(record.rdb_type, record.payload, version),
            Held::Live(value) => Release::NEWEST.encoding_of(value),
        }
    }

    /// Where its value is in the source: 0 in a store.
    pub(super) fn offset(&self) -> u64 {
        match self.held {
            Held::Record(record) => record.offset,
            Held::Live(_) => 0,
        }
    }

    pub(super) fn place(&self) -> KeyPlace {
        let (type_name, elements) = match self.held {
            Held::Record(record) => (record.rdb_type.name, record.stated_count()),
            Held::Live(value) => (data_type(value).as_str(), Some(value.len() as u64)),
        };
        KeyPlace { db: self.db, key: self.name.to_vec(), type_name, elements }
    }

    /// Whether it is a vector set that commands built: then no payload of it is known.
    pub(super) fn is_built_vectorset(&self) -> bool {
        matches!(self.held, Held::Live(Value::VectorSet(set)) if set.payload().is_none())
    }

    /// Hands its elements to a visitor; false if it is damaged, or nothing for the server it is for, of which
    /// `damage` then tells.
    pub(super) fn walk(
        &self,
        walker: &mut Walker,
        visit: &mut dyn Visit,
        server: Option<&versions::Release>,
        damage: &mut Vec<Finding>,
    ) -> bool {
        let record = match self.held {
            Held::Live(value) => {
                value.elements(visit);
                return true;
            }
            Held::Record(record) => record,
        };
        walker.value(record.rdb_type, record.payload, record.offset, visit);
        self.take_errors(walker, server, damage)
    }

    /// Hands on the errors among a walker's findings; false if there is one.
    pub(super) fn take_errors(
        &self,
        walker: &mut Walker,
        server: Option<&versions::Release>,
        damage: &mut Vec<Finding>,
    ) -> bool {
        let before = damage.len();
        for finding in &walker.findings {
            if keeps_out(server, finding) {
                damage.push(Finding { key: Some(self.place()), ..finding.clone() });
            }
        }
        walker.findings.clear();
        damage.len() == before
    }
}
