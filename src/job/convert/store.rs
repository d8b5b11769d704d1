//! The store that a log was replayed into, as a source: its function libraries, then database by database
//! its keys in the order of their names, so that the output is the same for every number of threads.

use std::io;

use crate::engine::KeyRef;
use crate::engine::shards::Look;
use crate::job::pipeline::Cutter;
use crate::join;
use crate::limits::CHUNK;

/// Keys of a batch, at most.
const KEYS: usize = 4096;

/// Keys from which on several threads sort them.
const MANY: usize = 1 << 16;

/// A run of keys of one database.
#[derive(Debug, Default)]
pub(super) struct Batch<'a> {
    pub(super) db: u64,
    pub(super) keys: Vec<KeyRef<'a>>,
    /// Function libraries, in the first one.
    pub(super) functions: Vec<&'a [u8]>,
}

/// All keys of a store, in order.
pub(super) struct Walk<'a> {
    look: &'a Look<'a>,
    dbs: Vec<u64>,
    jobs: usize,
    functions: Vec<&'a [u8]>,
    /// The database at hand, the last key first.
    db: u64,
    keys: Vec<KeyRef<'a>>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(look: &'a Look<'a>, jobs: usize) -> Walk<'a> {
        let mut dbs = look.dbs();
        dbs.reverse();
        let functions = look.functions().map(|(_, code)| code).collect();
        Walk { look, dbs, jobs, functions, db: 0, keys: Vec::new() }
    }
}

impl<'a> Cutter for Walk<'a> {
    type Chunk = Batch<'a>;

    fn cut(&mut self, used: Option<Batch<'a>>) -> io::Result<Option<Batch<'a>>> {
        let mut batch = used.unwrap_or_default();
        batch.keys.clear();
        batch.functions = std::mem::take(&mut self.functions);
        if !batch.functions.is_empty() {
            return Ok(Some(batch));
        }
        while self.keys.is_empty() {
            let Some(db) = self.dbs.pop() else { return Ok(None) };
            self.db = db;
            self.keys = sorted(self.look.keys(db).collect(), self.jobs);
        }
        batch.db = self.db;
        let mut size = 0;
        while size < CHUNK && batch.keys.len() < KEYS {
            let Some(key) = self.keys.pop() else { break };
            size += key.key.len() + key.value.memory();
            batch.keys.push(key);
        }
        Ok(Some(batch))
    }
}

/// By name, the last one first.
fn sorted<'a>(mut keys: Vec<KeyRef<'a>>, jobs: usize) -> Vec<KeyRef<'a>> {
    let order = |a: &KeyRef<'a>, b: &KeyRef<'a>| b.key.cmp(a.key);
    if jobs > 1 && keys.len() >= MANY {
        let share = keys.len().div_ceil(jobs);
        join::all(keys.chunks_mut(share).map(|part| move || part.sort_unstable_by(order)));
    }
    // Runs that are in order already are only merged.
    keys.sort_by(order);
    keys
}
