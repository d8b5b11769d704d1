//! What a value has: elements, and of a stream its groups.

use super::{GroupSums, StreamSums};
use crate::element::{Element, Str, StreamId, Visit};
use crate::job::tally::Name;

/// Counts the elements of one value after the other.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// None of what has no elements, as strings.
    pub(super) elements: Option<u64>,
    /// Fields with an expire of their own.
    pub(super) field_expires: u64,
    /// Of a stream: its groups, and what they have together.
    pub(super) stream: StreamSums,
    /// The first groups, one by one.
    pub(super) groups: Vec<GroupSums>,
    /// How many are kept of them.
    limit: usize,
    added: Option<u64>,
}

impl Counts {
    /// Keeps so many groups of a stream.
    pub(super) fn new(limit: usize) -> Counts {
        Counts { limit, ..Counts::default() }
    }

    /// The next value begins.
    pub(super) fn begin(&mut self) {
        self.elements = None;
        self.field_expires = 0;
        self.added = None;
        self.stream = StreamSums::default();
        self.groups.clear();
    }

    fn group(&mut self, name: Str<'_>, last_id: StreamId, read: Option<i64>) {
        self.stream.groups += 1;
        if self.groups.len() >= self.limit {
            return;
        }
        let read = read.and_then(|read| u64::try_from(read).ok());
        let lag = self.added.zip(read).and_then(|(added, read)| added.checked_sub(read));
        let name = Name::of(name.bytes(&mut Vec::new()).unwrap_or_default());
        self.groups.push(GroupSums { name, consumers: 0, pending: 0, last_id, lag });
    }

    fn of_group(&mut self, count: impl FnOnce(&mut GroupSums)) {
        if self.stream.groups == self.groups.len() as u64 {
            self.groups.last_mut().map(count);
        }
    }
}

impl Visit for Counts {
    fn element(&mut self, element: Element<'_>) {
        match element {
            Element::Field { expire_at_ms, .. } => {
                self.field_expires += u64::from(expire_at_ms.is_some());
                *self.elements.get_or_insert(0) += 1;
            }
            Element::Item(_)
            | Element::Member(_)
            | Element::Scored { .. }
            | Element::StreamEntry { .. }
            | Element::Cell { .. }
            | Element::Vector { .. } => *self.elements.get_or_insert(0) += 1,
            Element::Stream(info) => {
                self.elements.get_or_insert(0);
                self.added = info.more.map(|more| more.entries_added);
            }
            Element::Group { name, last_id, entries_read } => {
                self.group(name, last_id, entries_read);
            }
            Element::Consumer { .. } => {
                self.stream.consumers += 1;
                self.of_group(|group| group.consumers += 1);
            }
            Element::Pending { .. } => {
                self.stream.pending += 1;
                self.of_group(|group| group.pending += 1);
            }
            _ => {}
        }
    }
}
