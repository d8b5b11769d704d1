//! A key that comes twice in one input: the input is damaged, or databases are put together that have it in
//! common. An RDB that is read back is refused for it; commands would make one key of the two.

use std::collections::{HashMap, HashSet};
use std::io;

use super::key::{Held, Key};
use super::{Form, Options};
use crate::engine::shards::Look;
use crate::error::{Error, Result};
use crate::finding::{Code, Finding, Findings, KeyPlace};
use crate::input::source::Input;
use crate::job::check::name_duplicates;
use crate::job::duplicates::{Duplicates, KeyHasher};
use crate::job::rdb_file::keys_at;

/// Pairs of keys, by what tells each one's place: the second key's, then the first one's.
type Pairs = Vec<(u64, u64)>;

/// The keys of an input that were written.
pub(super) struct Twice {
    hasher: Option<KeyHasher>,
    rows: Duplicates,
    spilled: io::Result<()>,
}

/// What names a key when its place is known.
pub(super) enum Names<'a> {
    /// An RDB, which is read once more.
    Rdb(&'a Input),
    /// The store.
    Store(&'a Look<'a>),
    /// Nothing does: offsets in lines are of records that were made of them.
    None,
}

/// The row of a key that is written to a database.
pub(super) fn row(hasher: KeyHasher, db: u64, key: &Key<'_>) -> u128 {
    let place = match key.held {
        Held::Record(record) => record.key_offset,
        Held::Live(_) => number(hasher, key.db, key.name),
    };
    hasher.row(db, key.name, place)
}

/// What stands for the place of a key of the store, which has none: 48 bits of its hash.
fn number(hasher: KeyHasher, db: u64, name: &[u8]) -> u64 {
    (hasher.row(db, name, 0) >> 80) as u64
}

impl Twice {
    /// For an input, which may be one (`is_rdb`) where a key comes twice without databases put together.
    pub(super) fn new(options: &Options, is_rdb: bool) -> Twice {
        let put_together = !options.map_db.is_empty();
        let wanted = match options.form {
            // Reading it back tells.
            Form::Rdb => false,
            // The same, but for keys whose commands are behind it.
            Form::Preamble => put_together,
            _ => put_together || is_rdb,
        };
        let hasher = wanted.then(KeyHasher::new);
        Twice { hasher, rows: Duplicates::default(), spilled: Ok(()) }
    }

    /// What makes the rows of keys, if they matter.
    pub(super) fn hasher(&self) -> Option<KeyHasher> {
        self.hasher
    }

    /// Takes the rows of some keys.
    pub(super) fn add(&mut self, rows: &[u128]) {
        if self.spilled.is_ok() {
            self.spilled = self.rows.add(rows);
        }
    }

    /// Tells of the keys that were written twice.
    ///
    /// # Errors
    /// When the rows could not be kept, or the input cannot be read again to name them.
    pub(super) fn judge(
        self,
        names: &Names<'_>,
        options: &Options,
        damage: &mut Findings,
    ) -> Result<()> {
        let Some(hasher) = self.hasher else { return Ok(()) };
        let (rows, limit) = (self.rows, options.limits.findings.max(1));
        let (pairs, more) = self
            .spilled
            .and_then(|()| rows.first_pairs(options.jobs, limit))
            .map_err(|err| Error::io(std::env::temp_dir(), "keep key hashes in", err))?;
        damage.count_more(more);
        if let (Names::Rdb(input), true) = (names, options.map_db.is_empty()) {
            return name_duplicates(&pairs, input, options.limits, damage);
        }
        let mut places = names.places(&pairs, hasher, options)?;
        for (second, _) in pairs {
            let at = if let Names::Rdb(_) = names { second } else { 0 };
            let found = "a key that databases put together have in common";
            let expected = "each key once in a database";
            let mut finding = Finding::new(Code::DupKey, at..at + 1, expected, found);
            finding.key = places.remove(&second);
            damage.add(finding);
        }
        Ok(())
    }
}

impl Names<'_> {
    /// The second keys of pairs.
    fn places(
        &self,
        pairs: &Pairs,
        hasher: KeyHasher,
        options: &Options,
    ) -> Result<HashMap<u64, KeyPlace>> {
        let wanted: HashSet<u64> = pairs.iter().map(|(second, _)| *second).collect();
        let mut places = HashMap::new();
        match self {
            _ if pairs.is_empty() => {}
            Names::Rdb(input) => return keys_at(input, &wanted, options.limits),
            Names::Store(look) => {
                for db in look.dbs() {
                    for key in look.keys(db) {
                        let number = number(hasher, db, key.key);
                        if wanted.contains(&number) {
                            places.insert(number, Key::of_store(db, &key).place());
                        }
                    }
                }
            }
            Names::None => {}
        }
        Ok(places)
    }
}
