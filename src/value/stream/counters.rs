//! How far a group has read: its counter of entries read, and its lag, the entries still to come. Both
//! are numbers a server can only give while nothing in between was deleted one by one.

use std::cmp::Ordering;

use super::log::Log;
use crate::element::StreamId;

/// How a server counts: each of these is a mistake that was mended at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counting {
    /// Since Redis 7.2 and in Valkey. Before, reading on from before the first entry only counted up, holes
    /// before the first entry were none, and a stream without entries could have a lag.
    pub sound: bool,
    /// A group that stands before the first entry lags by all there are, if none behind it is gone.
    pub all_ahead: bool,
    /// The counter a group is given is not higher than what was ever added.
    pub bounded: bool,
}

impl Counting {
    /// As the newest server counts.
    pub const NEWEST: Counting = Counting { sound: true, all_ahead: true, bounded: true };
}

impl Log {
    /// Is there, in a stream that holds something, an entry deleted one by one at or behind `from`?
    fn has_hole_from(&self, from: StreamId, counting: Counting) -> bool {
        self.length > 0
            && self.max_deleted_id != StreamId::MIN
            && from <= self.max_deleted_id
            && (counting.sound || self.max_deleted_id >= self.first_id)
    }

    /// How many entries were added up to and with `id`; `None` where that cannot be told.
    pub fn read_up_to(&self, id: StreamId, counting: Counting) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        if self.length == 0 && id <= self.last_id {
            return Some(self.entries_added);
        }
        if counting.sound && id != StreamId::MIN && id < self.max_deleted_id {
            return None;
        }
        if id >= self.last_id {
            return (id == self.last_id).then_some(self.entries_added);
        }
        let whole = self.max_deleted_id == StreamId::MIN || self.max_deleted_id < self.first_id;
        let before_first = self.entries_added.checked_sub(self.length);
        match id.cmp(&self.first_id) {
            Ordering::Less if whole => before_first,
            Ordering::Equal if whole => before_first?.checked_add(1),
            _ => None,
        }
    }

    /// The counter of a group that stood at `last_id`, having read `read`, and now reads `id`.
    pub fn read_on(
        &self,
        (last_id, read): (StreamId, Option<u64>),
        id: StreamId,
        counting: Counting,
    ) -> Option<u64> {
        let whole = match counting.sound {
            true => last_id >= self.first_id && !self.has_hole_from(last_id, counting),
            false => !self.has_hole_from(id, counting),
        };
        match read {
            Some(read) if whole => Some(read.saturating_add(1)),
            _ if self.entries_added > 0 => self.read_up_to(id, counting),
            read => read,
        }
    }

    /// How many entries a group that stands at `last_id`, having read `read`, has not read yet.
    pub fn lag(&self, last_id: StreamId, read: Option<u64>, counting: Counting) -> Option<i64> {
        if self.entries_added == 0 || (counting.sound && self.length == 0) {
            return Some(0);
        }
        let is_behind = last_id < self.first_id && self.max_deleted_id < self.first_id;
        if counting.all_ahead && is_behind {
            return i64::try_from(self.length).ok();
        }
        let read = match read {
            Some(read) if !self.has_hole_from(last_id, counting) => read,
            _ => self.read_up_to(last_id, counting)?,
        };
        // The servers subtract as signed numbers.
        Some((self.entries_added as i64).wrapping_sub(read as i64))
    }
}
