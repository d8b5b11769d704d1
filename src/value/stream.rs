//! Streams: the entries, in listpack nodes as RDB files carry them; the groups that read them; the
//! producers that add them (FORMATS A.7).
//!
//! ```text
//! Stream ── Log ────── nodes by id ── Node: a listpack of up to 100 entries or 4096 bytes
//!        │             length, first, last and highest deleted id, entries added
//!        ├─ Groups ─── Group: last id, entries read, pending list ── Pending: owner, time, deliveries
//!        │                    └─ Consumer: seen and active time, what it owns
//!        └─ Idmp ───── Producer: ids of its own with the entries they made
//! ```
//! A node is loaded and saved as it is: [`Log::put_node`], [`Log::nodes`]. A [`Loader`] builds a stream
//! from what an RDB says of it.

mod counters;
mod group;
mod groups;
mod id;
mod idmp;
mod load;
mod log;
mod node;
mod trim;

pub use counters::Counting;
pub use group::{Consumer, ConsumerNumber, DELIVERIES_MAX, Group, Pending};
pub use groups::Groups;
pub use id::Seq;
pub(crate) use id::{c_string, parse_u64};
pub use idmp::{Idmp, Producer, automatic_iid};
pub use load::Loader;
pub use log::{Log, NewId, NotAdded};
pub use node::{EntryRef, Node};
pub use trim::{References, Trim, TrimTo};

use super::digest::Fold;
use super::{DataType, Type, block};
use crate::element::StreamId;

/// A stream.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    /// Its entries.
    pub log: Log,
    /// Its groups.
    pub groups: Groups,
    /// Its producers.
    pub idmp: Idmp,
}

impl DataType for Stream {
    const TYPE: Type = Type::Stream;
    super::arm!(Stream);

    fn len(&self) -> usize {
        usize::try_from(self.log.length).unwrap_or(usize::MAX)
    }

    /// Never: a stream without entries is still a key, for its last id and its groups.
    fn is_empty(&self) -> bool {
        false
    }

    fn memory(&self) -> usize {
        block(size_of::<Stream>()) + self.log.memory() + self.groups.memory() + self.idmp.memory()
    }

    fn encoding(&self) -> &'static str {
        "stream"
    }

    /// The live entries in order; groups and producers do not count.
    fn digest(&self, fold: &mut Fold) {
        for entry in self.log.range(StreamId::MIN, StreamId::MAX) {
            fold.mix(format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
            for (field, value) in entry.fields() {
                fold.mix_entry(field);
                fold.mix_entry(value);
            }
        }
    }
}
