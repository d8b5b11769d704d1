//! The store that a log was replayed into, as a source: its function libraries, then database by database
//! its keys in the order of their names, so that the output is the same for every number of threads.

use std::io;

use crate::engine::shards::Look;
use crate::engine::{Engine, KeyRef};
use crate::job::pipeline::Cutter;
use crate::join;
use crate::limits::CHUNK;

/// Keys of a batch, at most.
const KEYS: usize = 4096;

/// Keys from which on several threads look for them.
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
    /// The database at hand.
    db: u64,
    /// Its keys in some runs, each with its last key first.
    runs: Vec<Vec<KeyRef<'a>>>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(look: &'a Look<'a>, jobs: usize) -> Walk<'a> {
        let mut dbs = look.dbs();
        dbs.reverse();
        let functions = look.functions().map(|(_, code)| code).collect();
        Walk { look, dbs, jobs, functions, db: 0, runs: Vec::new() }
    }

    /// The next key of the database at hand.
    fn next_key(&mut self) -> Option<KeyRef<'a>> {
        let last = |run: &mut Vec<KeyRef<'a>>| run.last().map(|key| key.key);
        let runs = self.runs.iter_mut().map(|run| (last(run), run));
        let (_, run) = runs.filter(|(key, _)| key.is_some()).min_by_key(|(key, _)| *key)?;
        run.pop()
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
        while self.runs.iter().all(Vec::is_empty) {
            let Some(db) = self.dbs.pop() else { return Ok(None) };
            self.db = db;
            self.runs = runs(self.look, db, self.jobs);
        }
        batch.db = self.db;
        let mut size = 0;
        while size < CHUNK && batch.keys.len() < KEYS {
            let Some(key) = self.next_key() else { break };
            size += key.key.len() + key.value.memory();
            batch.keys.push(key);
        }
        Ok(Some(batch))
    }
}

/// The keys of a database in as many runs as threads look for them, each by name, the last one first.
fn runs<'a>(look: &Look<'a>, db: u64, jobs: usize) -> Vec<Vec<KeyRef<'a>>> {
    let shards: Vec<&'a Engine> = look.shards().collect();
    let jobs = if look.len(db) < MANY { 1 } else { jobs };
    let share = shards.len().div_ceil(jobs).max(1);
    join::all(shards.chunks(share).map(|part| {
        move || {
            let spaces = part.iter().filter_map(|engine| engine.keyspace(db));
            let mut keys: Vec<_> = spaces.flat_map(|space| space.iter()).collect();
            keys.sort_unstable_by(|a: &KeyRef<'a>, b| b.key.cmp(a.key));
            keys
        }
    }))
}
