//! Trimming: taking entries off the beginning, whole nodes first. `~` takes off nothing but whole nodes.

use super::log::Log;
use super::{Groups, Stream};
use crate::element::StreamId;

/// Up to where to trim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrimTo {
    /// MAXLEN: to this many entries.
    Len(u64),
    /// MINID: to the first entry with this id or a higher one.
    Id(StreamId),
}

/// What becomes of pending lists that name an entry which is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum References {
    /// KEEPREF: they go on naming it.
    #[default]
    Keep,
    /// DELREF: it is taken out of them.
    Delete,
    /// ACKED: the entry stays as long as a group has not read and acknowledged it.
    Acked,
}

/// How to trim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trim {
    /// Up to where.
    pub to: TrimTo,
    /// `~`: whole nodes only.
    pub approximate: bool,
    /// Entries that may go at most; 0 is no limit.
    pub limit: u64,
    /// What becomes of pending lists.
    pub references: References,
    /// `~` with DELREF or ACKED looks at every entry of the nodes that may go (Redis since 8.4); otherwise
    /// it takes nothing, since these options have to look at entries and `~` does not.
    pub looks_inside: bool,
}

impl Trim {
    fn is_reached(&self, log: &Log) -> bool {
        matches!(self.to, TrimTo::Len(len) if log.length <= len)
    }

    /// May a node of so many live entries, the last of this id, go as a whole?
    fn takes_node(&self, log: &Log, live: u64, last_id: StreamId) -> bool {
        match self.to {
            TrimTo::Len(len) => log.length.saturating_sub(live) >= len,
            TrimTo::Id(id) => last_id < id,
        }
    }
}

impl Stream {
    /// Trims; how many entries that took off.
    pub fn trim(&mut self, trim: &Trim) -> u64 {
        let mut deleted = 0u64;
        let mut at = self.log.head();
        while let Some((node, live, last_id)) = at {
            let over = trim.limit != 0 && deleted.saturating_add(live) > trim.limit;
            if trim.is_reached(&self.log) || over {
                break;
            }
            let whole = trim.takes_node(&self.log, live, last_id);
            if whole && trim.references == References::Keep {
                self.log.remove_node(node);
                self.log.length = self.log.length.saturating_sub(live);
                deleted = deleted.saturating_add(live);
                at = self.log.head();
                continue;
            }
            let looks = trim.looks_inside && trim.references != References::Keep;
            if trim.approximate && !looks {
                break;
            }
            let gone = trim_node(&mut self.log, &mut self.groups, node, trim);
            deleted += gone;
            if !whole {
                break;
            }
            if gone == live {
                self.log.remove_node(node);
            }
            at = self.log.node_after(Some(node));
        }
        if deleted > 0 || self.log.length == 0 {
            self.log.find_first();
        }
        deleted
    }
}

/// Trims inside one node.
fn trim_node(log: &mut Log, groups: &mut Groups, node: StreamId, trim: &Trim) -> u64 {
    let mut length = log.length;
    let mut gone = Vec::new();
    for entry in log.node_entries(node) {
        let end = match trim.to {
            TrimTo::Len(len) => length <= len,
            TrimTo::Id(id) => entry.id >= id,
        };
        if end {
            break;
        }
        if entry.deleted {
            continue;
        }
        match trim.references {
            References::Acked if groups.has_references(entry.id) => continue,
            References::Delete => groups.drop_references(entry.id),
            _ => {}
        }
        gone.push(entry.id);
        length = length.saturating_sub(1);
    }
    log.length = length;
    log.bury(node, &gone)
}
