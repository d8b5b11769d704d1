//! The store that a log was replayed into, as a source: its function libraries, then database by database
//! its keys in the order of their names, so that the output is the same for every number of threads.

use std::cmp::Ordering;
use std::io;

use crate::engine::shards::Look;
use crate::engine::{Engine, KeyRef, Keyspace};
use crate::job::pipeline::Cutter;
use crate::join;
use crate::limits::CHUNK;
use crate::value::Value;
use crate::value::dict::Slot;

/// Keys of a batch, at most.
const KEYS: usize = 4096;

/// Keys from which on several threads look for them.
const MANY: usize = 1 << 16;

/// A run of keys of one database.
#[derive(Debug, Default)]
pub(super) struct Batch<'a> {
    pub(super) db: u64,
    places: Vec<Place<'a>>,
    /// Function libraries, in the first one.
    pub(super) functions: Vec<&'a [u8]>,
}

impl<'a> Batch<'a> {
    /// The keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = KeyRef<'a>> {
        self.places.iter().filter_map(|place| place.space.look(place.slot))
    }
}

/// Where a key is, with the start of its name: to put keys in order takes few looks at them then, each of
/// which would wait for memory.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    start: [u64; 2],
    space: &'a Keyspace,
    slot: Slot,
    /// Bytes of the key, a chunk's at most.
    size: u32,
}

impl<'a> Place<'a> {
    fn new(space: &'a Keyspace, slot: Slot, key: &[u8], value: &Value) -> Place<'a> {
        let mut start = [[0; 8]; 2];
        start.as_flattened_mut().iter_mut().zip(key).for_each(|(to, byte)| *to = *byte);
        let size = (key.len() + value.memory()).min(CHUNK) as u32;
        Place { start: start.map(u64::from_be_bytes), space, slot, size }
    }

    /// By name.
    fn order(&self, other: &Place<'a>) -> Ordering {
        self.start.cmp(&other.start).then_with(|| self.name().cmp(&other.name()))
    }

    fn name(&self) -> Option<&'a [u8]> {
        self.space.key(self.slot).map(|key| key.as_slice())
    }
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
    runs: Vec<Vec<Place<'a>>>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(look: &'a Look<'a>, jobs: usize) -> Walk<'a> {
        let mut dbs = look.dbs();
        dbs.reverse();
        let functions = look.functions().map(|(_, code)| code).collect();
        Walk { look, dbs, jobs, functions, db: 0, runs: Vec::new() }
    }

    /// The next key of the database at hand.
    fn next_key(&mut self) -> Option<Place<'a>> {
        let runs = self.runs.iter_mut().filter(|run| !run.is_empty());
        let first = runs.min_by(|a, b| match (a.last(), b.last()) {
            (Some(a), Some(b)) => a.order(b),
            _ => Ordering::Equal,
        });
        first?.pop()
    }
}

impl<'a> Cutter for Walk<'a> {
    type Chunk = Batch<'a>;

    fn cut(&mut self, used: Option<Batch<'a>>) -> io::Result<Option<Batch<'a>>> {
        let mut batch = used.unwrap_or_default();
        batch.places.clear();
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
        while size < CHUNK && batch.places.len() < KEYS {
            let Some(place) = self.next_key() else { break };
            size += place.size as usize;
            batch.places.push(place);
        }
        Ok(Some(batch))
    }
}

/// The keys of a database in as many runs as threads look for them, each by name, the last one first.
fn runs<'a>(look: &Look<'a>, db: u64, jobs: usize) -> Vec<Vec<Place<'a>>> {
    let shards: Vec<&'a Engine> = look.shards().collect();
    let jobs = if look.len(db) < MANY { 1 } else { jobs };
    let share = shards.len().div_ceil(jobs).max(1);
    join::all(shards.chunks(share).map(|part| {
        move || {
            let spaces: Vec<_> = part.iter().filter_map(|engine| engine.keyspace(db)).collect();
            let mut places = Vec::with_capacity(spaces.iter().map(|space| space.len()).sum());
            for space in spaces {
                let all = space.entries();
                places.extend(all.map(|(slot, key, value)| Place::new(space, slot, key, value)));
            }
            places.sort_unstable_by(|a: &Place<'a>, b| b.order(a));
            places
        }
    }))
}
