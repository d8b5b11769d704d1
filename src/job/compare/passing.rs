//! What was written compared with a store while it is read: each key is built as it would be loaded, looked
//! for in the store, compared and gone. There is never a second store, and what is compared is still in the
//! cache.
//!
//! ```text
//! an RDB     every record is a key                                              [`rdb`]
//! commands   those of a key stand together, as whoever rewrites writes them     [`commands`]
//! ```
//! A key of the store that the file lacks is not looked for: the names of both sides are added up, each as a
//! hash of 128 bits, and the sums must be the same. So a key that comes twice is found as well.

mod commands;
mod rdb;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::io::{self, Read};

use super::{Ignore, Unlike};
use crate::engine::digest::Sums;
use crate::engine::shards::Look;
use crate::engine::{Config, Item, KeyRef};
use crate::job::duplicates::KeyHasher;
use crate::join;
use crate::limits::Limits;
use crate::rdb::versions::Release;
use crate::value::digest::{Digest, Style};

/// How to compare.
#[derive(Debug)]
pub struct Options<'a> {
    /// What is not compared.
    pub ignore: Ignore,
    /// Keys that need not be the same, nor there: database and name.
    pub except: &'a HashSet<(u64, &'a [u8])>,
    /// Limits of reading.
    pub limits: Limits,
    /// Settings of the store.
    pub engine: Config,
    /// Unix time in ms.
    pub now_ms: i64,
    /// Whose rules say what of an RDB is loaded; `None`: whatever some server could have written.
    pub server: Option<&'static Release>,
    /// Threads.
    pub jobs: usize,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An RDB.
    Rdb,
    /// Commands that make one key after the other.
    Commands,
}

/// Why a file does not hold what a store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unequal {
    /// This key is not the same, or only the file has it.
    Key(Vec<u8>),
    /// This function library is not the same, or only one of both has it.
    Library(Vec<u8>),
    /// Keys are missing, or come twice.
    Names,
}

impl fmt::Display for Unequal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unequal::Key(name) | Unequal::Library(name) => {
                write!(f, "\"{}\"", name.escape_ascii())
            }
            Unequal::Names => write!(f, "keys are missing, or come twice"),
        }
    }
}

/// Compares the file in `reader` with a store. The digest of all that it holds, if it holds the same
/// (`DEBUG DIGEST`, as the newest Redis has it). Whether it is sound is not looked at.
///
/// # Errors
/// When it cannot be read.
pub fn passing(
    reader: Box<dyn Read + Send>,
    form: Form,
    store: &Look<'_>,
    options: &Options<'_>,
) -> io::Result<Result<Digest, Unequal>> {
    let hasher = KeyHasher::new();
    let names = expected(store, options, hasher);
    let none = || Against {
        store,
        options,
        hasher,
        names: Names::default(),
        sums: Sums::new(Style::default()),
        libraries: BTreeMap::new(),
        unequal: None,
    };
    let parts = match form {
        Form::Rdb => rdb::compare(reader, options, none)?,
        Form::Commands => commands::compare(reader, options, none)?,
    };
    let mut all = none();
    parts.into_iter().for_each(|part| all.add(part));
    Ok(match all.unequal() {
        Some(unequal) => Err(unequal),
        None if all.names != names => Err(Unequal::Names),
        None => Ok(all.sums.digest()),
    })
}

/// The store that keys are compared with, and what came of it.
struct Against<'a> {
    store: &'a Look<'a>,
    options: &'a Options<'a>,
    hasher: KeyHasher,
    names: Names,
    sums: Sums,
    /// Function libraries that were met.
    libraries: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The first key that is not the same.
    unequal: Option<Vec<u8>>,
}

impl Against<'_> {
    /// Compares a key.
    fn take(&mut self, db: u64, name: &[u8], item: &Item) {
        let Item { value, expire_at_ms, access } = item;
        let key = KeyRef { key: name, value, expire_at_ms: *expire_at_ms, access: *access };
        self.sums.take(db, &key);
        if self.options.excepts(db, key.key) {
            return;
        }
        self.names.take(self.hasher.row(db, key.key, 0));
        let held = self.store.get(db, key.key);
        if !held.is_some_and(|held| Unlike::new(&held, &key, self.options.ignore).is_none()) {
            self.differs(db, key.key);
        }
    }

    /// Takes note of a key that is not the same, if it should be.
    #[cold]
    fn differs(&mut self, db: u64, name: &[u8]) {
        if !self.options.excepts(db, name) {
            self.unequal.get_or_insert_with(|| name.to_vec());
        }
    }

    /// Takes in what came of another part of the file.
    fn add(&mut self, part: Against<'_>) {
        self.names.add(part.names);
        self.sums.add(&part.sums);
        self.libraries.extend(part.libraries);
        self.unequal = self.unequal.take().or(part.unequal);
    }

    /// A key or library that is not the same.
    fn unequal(&self) -> Option<Unequal> {
        if let Some(name) = &self.unequal {
            return Some(Unequal::Key(name.clone()));
        }
        let held: BTreeMap<_, _> = self.store.functions().collect();
        let differs =
            |name: &[u8]| held.get(name).copied() != self.libraries.get(name).map(Vec::as_slice);
        let mut names = held.keys().copied().chain(self.libraries.keys().map(Vec::as_slice));
        let other = names.find(|name| differs(name)).filter(|_| !self.options.ignore.functions)?;
        Some(Unequal::Library(other.to_vec()))
    }
}

/// How many names there are, and their sum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Names {
    count: u64,
    sum: u128,
}

impl Names {
    fn take(&mut self, row: u128) {
        self.add(Names { count: 1, sum: row });
    }

    fn add(&mut self, other: Names) {
        self.count += other.count;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

/// The names of the store.
fn expected(store: &Look<'_>, options: &Options<'_>, hasher: KeyHasher) -> Names {
    let parts = join::all(store.shards().map(|shard| {
        move || {
            let mut names = Names::default();
            for (db, key) in shard.iter().filter(|(db, key)| !options.excepts(*db, key.key)) {
                names.take(hasher.row(db, key.key, 0));
            }
            names
        }
    }));
    let mut names = Names::default();
    parts.into_iter().for_each(|part| names.add(part));
    names
}

impl Options<'_> {
    fn excepts(&self, db: u64, key: &[u8]) -> bool {
        !self.except.is_empty() && self.except.contains(&(db, key))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::encoding::crc64;
    use crate::engine::Access;
    use crate::engine::shards::Shards;
    use crate::input::source::{Input, open};
    use crate::job::replay::{self, Expired, replay};
    use crate::value::Str;

    const DUMP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/dump.rdb");

    fn store() -> Shards {
        let input = Input::File(DUMP.into());
        let options = replay::Options { expired: Some(Expired::Keep), ..Default::default() };
        replay(open(&input, |_| {}).unwrap(), &input, &options).unwrap().store
    }

    /// Compares these bytes with the store.
    fn compared(
        rdb: Vec<u8>,
        store: &mut Shards,
        except: &[(u64, &[u8])],
    ) -> Result<Digest, Unequal> {
        let except = except.iter().copied().collect();
        let options = Options {
            ignore: Ignore::default(),
            except: &except,
            limits: Limits::default(),
            engine: Config::default(),
            now_ms: 0,
            server: None,
            jobs: 2,
        };
        passing(Box::new(io::Cursor::new(rdb)), Form::Rdb, &store.look(), &options).unwrap()
    }

    fn dump() -> Vec<u8> {
        std::fs::read(DUMP).unwrap()
    }

    /// The dump with these bytes before its end.
    fn dump_with(more: &[u8]) -> Vec<u8> {
        let mut rdb = dump();
        rdb.truncate(rdb.len() - 9);
        rdb.extend_from_slice(more);
        rdb.push(255);
        let sum = crc64::extend(0, &rdb);
        rdb.extend_from_slice(&sum.to_le_bytes());
        rdb
    }

    fn first(store: &mut Shards) -> (u64, Vec<u8>, Item) {
        let look = store.look();
        let db = look.dbs()[0];
        let key = look.keys(db).min_by_key(|key| key.key).unwrap();
        let (value, expire_at_ms, access) = (key.value.clone(), key.expire_at_ms, key.access);
        (db, key.key.to_vec(), Item { value, expire_at_ms, access })
    }

    #[test]
    fn the_same_has_the_digest_of_the_store() {
        let mut store = store();
        let digest = store.look().digest(Style::default(), 1);
        assert_eq!(compared(dump(), &mut store, &[]), Ok(digest));
    }

    #[test]
    fn a_key_that_only_the_store_has() {
        let mut store = store();
        let (db, _, item) = first(&mut store);
        store.put(db, b"no such key", item).unwrap();
        assert_eq!(compared(dump(), &mut store, &[]), Err(Unequal::Names));
        assert!(compared(dump(), &mut store, &[(db, b"no such key")]).is_ok());
    }

    #[test]
    fn a_key_that_only_the_file_has() {
        let mut store = store();
        let more = dump_with(b"\xfe\x00\x00\x07another\x01v");
        assert_eq!(compared(more.clone(), &mut store, &[]), Err(Unequal::Key(b"another".to_vec())));
        assert!(compared(more, &mut store, &[(0, b"another")]).is_ok());
    }

    #[test]
    fn a_key_that_comes_twice_while_another_is_missing() {
        let mut store = store();
        let value = || Item { value: Str::new(b"v").into(), expire_at_ms: None, access: None };
        store.put(0, b"one", value()).unwrap();
        store.put(0, b"two", value()).unwrap();
        let both = dump_with(b"\xfe\x00\x00\x03one\x01v\x00\x03two\x01v");
        assert!(compared(both, &mut store, &[]).is_ok());
        let twice = dump_with(b"\xfe\x00\x00\x03one\x01v\x00\x03one\x01v");
        assert_eq!(compared(twice, &mut store, &[]), Err(Unequal::Names));
    }

    #[test]
    fn another_value_expire_time_or_mark() {
        let change: [fn(&mut Item); 3] = [
            |item| item.value = Str::new(b"something else").into(),
            |item| item.expire_at_ms = Some(item.expire_at_ms.unwrap_or(0) + 1),
            |item| item.access = Some(Access::Idle(77)),
        ];
        for change in change {
            let mut store = store();
            let (db, name, mut item) = first(&mut store);
            change(&mut item);
            store.put(db, &name, item).unwrap();
            let unequal = compared(dump(), &mut store, &[]);
            assert_eq!(unequal, Err(Unequal::Key(name.clone())));
            assert!(compared(dump(), &mut store, &[(db, &name)]).is_ok());
        }
    }

    #[test]
    fn a_library_that_only_one_has() {
        let mut store = store();
        let code = b"#!lua name=mine\nredis.register_function('f', function() end)";
        let len = u8::try_from(code.len()).unwrap();
        assert!(len < 64, "a length of one byte");
        let record = [&[245, len], &code[..]].concat();
        let missing = Err(Unequal::Library(b"mine".to_vec()));
        assert_eq!(compared(dump_with(&record), &mut store, &[]), missing);
        store.each_mut().next().unwrap().put_function(b"mine", code);
        assert!(compared(dump_with(&record), &mut store, &[]).is_ok());
        assert_eq!(compared(dump(), &mut store, &[]), missing);
    }
}
