//! Streams as JSON:
//!
//! ```text
//! {"entries":[["1-0",["field","value"]], …],
//!  "last_id":"5-0","first_id":"1-0","max_deleted_id":"0-0","entries_added":5,
//!  "groups":[{"name":"g","last_id":"3-0","entries_read":3,
//!             "pending":[["1-0",delivered at ms,deliveries], …],
//!             "consumers":[{"name":"c","seen_at_ms":…,"active_at_ms":…,"pending":["1-0", …]}],
//!             "nacked":["2-0", …]}],
//!  "idmp":{"duration_s":100,"max_size":100,"producers":[{"producer":"p","ids":[["iid","1-0"], …]}],
//!          "added":0,"duplicates":0}}
//! ```
//!
//! What an older layout does not hold is left out: the counters before stream v2, the time of activity before
//! v3, `idmp` before v4, and `nacked` where there is none.

use super::super::string::{id, number};
use super::Lines;
use crate::element::{Element, StreamInfo};
use crate::encoding::number::write_i64;

/// What is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The entries.
    Entries,
    /// The value itself, behind what the stream says of itself.
    Value,
    /// A group's pending list.
    Pending,
    /// What a consumer owns.
    Consumer,
    /// What nobody owns.
    Nacked,
    /// Idempotence, before the first producer.
    Producers,
    /// A producer's ids.
    Ids,
    /// Elements of a vector set.
    Vectors,
    /// A module's data, and nothing behind it.
    Data,
}

impl Lines {
    pub(super) fn stream(&mut self, element: Element<'_>) {
        match element {
            Element::StreamEntry { id: entry, fields } => {
                self.next();
                self.put(b"[");
                id(entry, &mut self.out);
                self.put(b",[");
                for (at, (field, value)) in fields.iter().enumerate() {
                    if at > 0 {
                        self.put(b",");
                    }
                    self.text(*field);
                    self.put(b",");
                    self.text(*value);
                }
                self.put(b"]]");
            }
            Element::Stream(info) => self.info(info),
            Element::Group { name, last_id, entries_read } => {
                let first = self.place == Place::Value;
                self.close();
                self.put(if first { b",\"groups\":[" } else { b"," });
                self.put(b"{\"name\":");
                self.text(name);
                self.name(b"last_id");
                id(last_id, &mut self.out);
                if let Some(read) = entries_read {
                    self.name(b"entries_read");
                    write_i64(read, &mut self.out);
                }
                self.open(b",\"pending\":[", Place::Pending);
            }
            Element::Pending { id: entry, delivered_at_ms, delivery_count } => {
                self.next();
                self.put(b"[");
                id(entry, &mut self.out);
                self.put(b",");
                write_i64(delivered_at_ms, &mut self.out);
                self.put(b",");
                number(delivery_count, &mut self.out);
                self.put(b"]");
            }
            Element::Consumer { name, seen_at_ms, active_at_ms } => {
                let first = self.place == Place::Pending;
                self.put(if first { b"],\"consumers\":[" } else { b"]}," });
                self.put(b"{\"name\":");
                self.text(name);
                self.name(b"seen_at_ms");
                write_i64(seen_at_ms, &mut self.out);
                if let Some(active) = active_at_ms {
                    self.name(b"active_at_ms");
                    write_i64(active, &mut self.out);
                }
                self.open(b",\"pending\":[", Place::Consumer);
            }
            Element::Nacked(entry) => {
                match self.place {
                    Place::Pending => self.open(b"],\"nacked\":[", Place::Nacked),
                    Place::Consumer => self.open(b"]}],\"nacked\":[", Place::Nacked),
                    _ => {}
                }
                self.next();
                id(entry, &mut self.out);
            }
            Element::Owned(entry) => {
                self.next();
                id(entry, &mut self.out);
            }
            Element::Idmp { duration_s, max_size } => {
                self.close_groups();
                self.put(b",\"idmp\":{\"duration_s\":");
                number(duration_s, &mut self.out);
                self.name(b"max_size");
                number(max_size, &mut self.out);
                self.open(b",\"producers\":[", Place::Producers);
            }
            Element::Producer(name) => {
                self.put(if self.place == Place::Ids { b"]}," } else { b"" });
                self.put(b"{\"producer\":");
                self.text(name);
                self.open(b",\"ids\":[", Place::Ids);
            }
            Element::ProducerId { iid, id: entry } => {
                self.next();
                self.put(b"[");
                self.text(iid);
                self.put(b",");
                id(entry, &mut self.out);
                self.put(b"]");
            }
            Element::IdmpCounts { added, duplicates } => {
                self.put(if self.place == Place::Ids { b"]}]" } else { b"]" });
                self.name(b"added");
                number(added, &mut self.out);
                self.name(b"duplicates");
                number(duplicates, &mut self.out);
                self.put(b"}");
                self.place = Place::Data;
            }
            _ => {}
        }
    }

    pub(super) fn end_stream(&mut self) {
        self.close_groups();
        self.put(b"}");
    }

    /// Opens a list.
    fn open(&mut self, text: &[u8], place: Place) {
        self.put(text);
        self.place = place;
        self.count = 0;
    }

    fn info(&mut self, info: StreamInfo) {
        self.put(b"]");
        self.name(b"last_id");
        id(info.last_id, &mut self.out);
        if let Some(more) = info.more {
            self.name(b"first_id");
            id(more.first_id, &mut self.out);
            self.name(b"max_deleted_id");
            id(more.max_deleted_id, &mut self.out);
            self.name(b"entries_added");
            number(more.entries_added, &mut self.out);
        }
        self.place = Place::Value;
    }

    /// Closes the group at hand, if there is one.
    fn close(&mut self) {
        match self.place {
            Place::Pending | Place::Nacked => self.put(b"]}"),
            Place::Consumer => self.put(b"]}]}"),
            _ => {}
        }
    }

    fn close_groups(&mut self) {
        self.close();
        if let Place::Pending | Place::Nacked | Place::Consumer = self.place {
            self.put(b"]");
            self.place = Place::Value;
        }
    }
}
