//! Several inputs into one output: which keys and function libraries the inputs before have. Every key
//! leaves 80 bits of a keyed hash, in 16 bytes: that is all that is held of an RDB.

use std::collections::BTreeMap;

use hashbrown::HashSet;

use super::key::Key;
use super::worker::{Converter, Out};
use crate::finding::{Code, Finding, shown};
use crate::job::duplicates::KeyHasher;
use crate::job::rdb_facts::Library;

/// Which of two inputs gives a key that both have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Winner {
    /// The one named first.
    First,
    /// The one named last.
    Last,
}

/// What the inputs before had.
#[derive(Debug, Default)]
pub(super) struct Seen {
    hasher: KeyHasher,
    keys: HashSet<u128>,
    libraries: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Seen {
    /// Takes in what a worker has met.
    pub(super) fn add(&mut self, keys: &[u128], libraries: Vec<(Vec<u8>, Vec<u8>)>) {
        self.keys.extend(keys);
        self.libraries.extend(libraries);
    }
}

impl Converter<'_> {
    /// Whether a key is to be written, as far as other inputs go: not if one before has it too.
    pub(super) fn is_new(&self, key: &Key<'_>, out: &mut Out) -> bool {
        let Some(seen) = self.seen else { return true };
        let row = seen.hasher.row(self.db(key), key.name, 0);
        if !seen.keys.contains(&row) {
            out.met.push(row);
            return true;
        }
        match self.options.winner {
            Some(_) => out.counts.twice += 1,
            None => {
                let at = key.offset()..key.offset();
                let mut finding =
                    Finding::new(Code::DupKey, at, "each key in one input", "a key of two");
                finding.key = Some(key.place());
                out.damage.push(finding);
            }
        }
        false
    }

    /// The same for a function library.
    pub(super) fn is_new_library(&self, code: &[u8], offset: u64, out: &mut Out) -> bool {
        let (Some(seen), Some(name)) = (self.seen, Library::of(code, 0).name) else { return true };
        let Some(other) = seen.libraries.get(&name) else {
            out.libraries.push((name, code.to_vec()));
            return true;
        };
        if other != code && self.options.winner.is_none() {
            let found = format!("library {} with other code", shown(&name));
            let expected = "each function library in one input";
            out.damage.push(Finding::new(Code::DupFunction, offset..offset, expected, found));
        }
        false
    }
}
