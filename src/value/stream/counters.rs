//! How far a group has read: its counter of entries read, and its lag, the entries still to come. Both
//! are numbers a server can only give while nothing in between was deleted one by one.

use super::log::Log;
use crate::element::StreamId;

impl Log {
    /// Is there, in a stream that holds something, an entry deleted one by one at or behind `from`?
    fn has_hole_from(&self, from: StreamId) -> bool {
        self.length > 0 && self.max_deleted_id != StreamId::MIN && from <= self.max_deleted_id
    }

    /// How many entries were added up to and with `id`; `None` where that cannot be told.
    pub fn read_up_to(&self, id: StreamId) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        if self.length == 0 && id <= self.last_id {
            return Some(self.entries_added);
        }
        if id != StreamId::MIN && id < self.max_deleted_id {
            return None;
        }
        if id >= self.last_id {
            return (id == self.last_id).then_some(self.entries_added);
        }
        let whole = self.max_deleted_id == StreamId::MIN || self.max_deleted_id < self.first_id;
        let before_first = self.entries_added.checked_sub(self.length);
        match id.cmp(&self.first_id) {
            std::cmp::Ordering::Less if whole => before_first,
            std::cmp::Ordering::Equal if whole => before_first?.checked_add(1),
            _ => None,
        }
    }

    /// The counter of a group that stood at `last_id`, having read `read`, and now reads `id`.
    pub fn read_on(&self, last_id: StreamId, read: Option<u64>, id: StreamId) -> Option<u64> {
        match read {
            Some(read) if last_id >= self.first_id && !self.has_hole_from(last_id) => {
                Some(read.saturating_add(1))
            }
            _ if self.entries_added > 0 => self.read_up_to(id),
            read => read,
        }
    }

    /// How many entries a group that stands at `last_id`, having read `read`, has not read yet.
    pub fn lag(&self, last_id: StreamId, read: Option<u64>) -> Option<i64> {
        if self.entries_added == 0 || self.length == 0 {
            return Some(0);
        }
        if last_id < self.first_id && self.max_deleted_id < self.first_id {
            return i64::try_from(self.length).ok();
        }
        let read = match read {
            Some(read) if !self.has_hole_from(last_id) => read,
            _ => self.read_up_to(last_id)?,
        };
        // The servers subtract as signed numbers.
        Some((self.entries_added as i64).wrapping_sub(read as i64))
    }
}
