//! What a command's code works with: the engine and the session, through calls that take care of
//! expiry, types, empty collections, watched keys and the log of effects.
//!
//! A write command reads its arguments first (errors must leave no trace), then gets its value,
//! changes it, and says so with [`Ctx::changed`].

use super::args;
use super::command::Command;
use super::failure::Failure;
use super::keyspace::{Item, Keyspace};
use super::release::Release;
use super::reply::Reply;
use super::session::Session;
use super::{Engine, Mode, Origin};
use crate::encoding::number::double_17g;
use crate::limits;
use crate::value::dict::Slot;
use crate::value::digest::ScoreText;
use crate::value::{DataType, PackedLimits, Value};

/// A command at work.
#[derive(Debug)]
pub struct Ctx<'a> {
    /// Everything there is.
    pub engine: &'a mut Engine,
    /// Who asks.
    pub session: &'a mut Session,
    /// What is asked.
    pub command: &'static Command,
}

impl Ctx<'_> {
    /// The clock, in milliseconds since 1970. It stands still while a command runs.
    pub fn now_ms(&self) -> i64 {
        self.engine.now_ms
    }

    /// Where packed collections unfold.
    pub fn limits(&self) -> PackedLimits {
        let may_be_old = self.engine.config.origin == Origin::UnknownLog;
        let zset_minus_zero = may_be_old || !self.release().has_redis(7, 0);
        PackedLimits { zset_minus_zero, ..self.engine.config.packed }
    }

    /// The server that the engine stands for.
    pub fn release(&self) -> Release {
        self.engine.config.release
    }

    /// A floating point number, as this server reads one.
    pub fn float(&self, arg: &[u8]) -> Result<f64, Failure> {
        let digits = arg.strip_prefix(b"-").or(arg.strip_prefix(b"+")).unwrap_or(arg);
        match digits {
            [b'0', b'x' | b'X', ..] if self.release().has_valkey(9, 0) => Err(Failure::NOT_FLOAT),
            _ => args::float(arg),
        }
    }

    /// A score as this server answers it.
    pub fn score(&self, score: f64) -> Reply {
        match self.release().score_text() {
            ScoreText::Grisu => Reply::Double(score),
            ScoreText::Legacy17g => {
                let mut text = Vec::with_capacity(24);
                double_17g(score, &mut text);
                Reply::Number(text)
            }
        }
    }

    /// The selected database, if anything was ever in it.
    pub fn keyspace(&self) -> Option<&Keyspace> {
        self.engine.dbs.get(&self.session.db)
    }

    /// The slot of a key that has not expired. One that has is removed.
    pub fn find(&mut self, key: &[u8]) -> Option<Slot> {
        self.engine.find(self.session.db, key)
    }

    /// Does the command come from a file, and so has been accepted once already?
    pub fn is_loading(&self) -> bool {
        self.engine.mode == Mode::Loading
    }

    /// Is there such a key?
    pub fn exists(&mut self, key: &[u8]) -> bool {
        self.find(key).is_some()
    }

    /// The value of a key, whatever its type.
    pub fn value(&mut self, key: &[u8]) -> Option<&Value> {
        let slot = self.find(key)?;
        self.keyspace()?.value(slot)
    }

    /// The value of a key that must hold a `T`, to look at.
    pub fn read<T: DataType>(&mut self, key: &[u8]) -> Result<Option<&T>, Failure> {
        match self.value(key) {
            Some(value) => T::of(value).map(Some).ok_or(Failure::WRONG_TYPE),
            None => Ok(None),
        }
    }

    /// The value of a key that must hold a `T`, to change. Say [`Ctx::changed`] if you do, and
    /// [`Ctx::drop_if_empty`] if it may have become empty.
    pub fn write<T: DataType>(&mut self, key: &[u8]) -> Result<Option<&mut T>, Failure> {
        let Some(slot) = self.find(key) else { return Ok(None) };
        self.write_at(slot)
    }

    /// The same for a slot that [`Ctx::find`] gave.
    pub fn write_at<T: DataType>(&mut self, slot: Slot) -> Result<Option<&mut T>, Failure> {
        let space = self.engine.dbs.get_mut(&self.session.db);
        match space.and_then(|space| space.value_mut(slot)) {
            Some(value) => T::of_mut(value).map(Some).ok_or(Failure::WRONG_TYPE),
            None => Ok(None),
        }
    }

    /// The value of a key that holds a `T` or nothing: then it gets an empty one. From here on the
    /// command must put something in, or call [`Ctx::drop_if_empty`].
    pub fn write_or_create<T: DataType + Default>(
        &mut self,
        key: &[u8],
    ) -> Result<&mut T, Failure> {
        self.bury(key);
        let space = self.engine.dbs.entry(self.session.db).or_default();
        if space.is_full() {
            return Err(Failure::OUT_OF_MEMORY);
        }
        let slot = space.find_or_insert(key, || T::default().into_value());
        let value = space.value_mut(slot).ok_or(Failure::OUT_OF_MEMORY)?;
        T::of_mut(value).ok_or(Failure::WRONG_TYPE)
    }

    /// Gives `key` a value, whatever it held; an expire time it had is gone.
    pub fn set(&mut self, key: &[u8], value: impl Into<Value>) {
        self.put(key, Item::new(value));
    }

    /// Gives `key` a value, whatever it held; an expire time it had stays.
    pub fn set_keep_ttl(&mut self, key: &[u8], value: impl Into<Value>) {
        self.bury(key);
        self.engine.dbs.entry(self.session.db).or_default().set(key, value.into());
    }

    /// Gives `key` a value with all that belongs to it, whatever it held.
    pub fn put(&mut self, key: &[u8], item: Item) {
        self.bury(key);
        self.engine.dbs.entry(self.session.db).or_default().put(key, item);
    }

    /// Removes a key that has expired before it is overwritten: its end is logged of its own.
    fn bury(&mut self, key: &[u8]) {
        if self.engine.mode == Mode::Serving {
            self.find(key);
        }
    }

    /// Removes a key. Was it there?
    pub fn delete(&mut self, key: &[u8]) -> bool {
        self.take(key).is_some()
    }

    /// Takes a key out, with all that belongs to it.
    pub fn take(&mut self, key: &[u8]) -> Option<Item> {
        let slot = self.find(key)?;
        self.engine.dbs.get_mut(&self.session.db)?.take_at(slot)
    }

    /// Removes a key whose collection has no elements (left). Did it?
    pub fn drop_if_empty(&mut self, key: &[u8]) -> bool {
        let empty = self.value(key).is_some_and(|value| value.is_empty());
        empty && self.delete(key)
    }

    /// When the key in a slot that [`Ctx::find`] gave expires.
    pub fn expire_of(&self, slot: Slot) -> Option<i64> {
        self.keyspace()?.expire(slot)
    }

    /// Sets or removes its expire time; gives back what it was.
    pub fn set_expire(&mut self, slot: Slot, expire_at_ms: Option<i64>) -> Option<i64> {
        self.engine.dbs.get_mut(&self.session.db)?.set_expire(slot, expire_at_ms)
    }

    /// Would a key with this expire time be gone at once? Never while loading: there, times long past
    /// are set and kept.
    pub fn is_past(&self, expire_at_ms: i64) -> bool {
        self.engine.mode == Mode::Serving && expire_at_ms <= self.engine.now_ms
    }

    /// Says that `key` of the selected database was changed, by `count` changes: whoever watches it
    /// learns of it, and the command counts as one to be logged.
    pub fn changed(&mut self, key: &[u8], count: usize) {
        self.engine.changed(self.session.db, key, count);
    }

    /// Says that chance decided what was changed: see [`super::Stats::guessed`].
    pub fn guessed(&mut self) {
        self.engine.stats.guessed += 1;
    }

    /// Says that the command stated what streams keep beside their entries since this RDB version: see
    /// [`super::Stats::streams_since`].
    pub fn states_stream(&mut self, since: u16) {
        let known = &mut self.engine.stats.streams_since;
        *known = since.max(*known);
    }

    /// Says that something was changed which does not count as a change of the key: a group's state, say.
    /// The command counts as one to be logged, but whoever watches the key does not learn of it.
    pub fn changed_beside(&mut self, count: usize) {
        self.engine.dirty = self.engine.dirty.saturating_add(count as u64);
    }

    /// Is a log kept, so that building an entry for it is worth while?
    pub fn logs(&self) -> bool {
        self.engine.effects.is_some()
    }

    /// A command that a server logs in place of this one. Without any, the command is logged as it
    /// came, if it changed something.
    pub fn log_as(&mut self, argv: &[&[u8]]) {
        if let Some(effects) = &mut self.engine.effects {
            effects.instead(self.session.db, argv);
        }
    }

    /// This command itself is not logged.
    pub fn log_nothing(&mut self) {
        if let Some(effects) = &mut self.engine.effects {
            effects.drop_verbatim();
        }
    }

    /// Logs the removal of a key in place of this command, as a server with default settings words it.
    pub fn log_removal(&mut self, key: &[u8]) {
        let word = self.engine.removal_word();
        self.log_as(&[word, key]);
    }

    /// May a string of `len` bytes be made? Asked before it is, by commands that can turn few bytes of
    /// input into many.
    pub fn check_string(&self, len: usize) -> Result<(), Failure> {
        if len > self.engine.config.max_string {
            return Err(Failure::STRING_TOO_LONG);
        }
        self.check_memory(len)
    }

    /// May `count` items of about `len` bytes each be answered? Asked before they are collected, by
    /// commands that answer more than there is.
    pub fn check_reply(&self, count: usize, len: usize) -> Result<(), Failure> {
        let total = count.saturating_mul(len.saturating_add(size_of::<super::Reply>()));
        if total > limits::REPLY {
            return Err(Failure::OUT_OF_MEMORY);
        }
        self.check_memory(total)
    }

    /// Are `more` bytes within the memory budget?
    pub fn check_memory(&self, more: usize) -> Result<(), Failure> {
        self.engine.check_memory(more)
    }
}
