//! WATCH: which keys have changed since somebody began to look.
//!
//! Every watched key has a version that each change raises; a session remembers the version it saw.

use hashbrown::HashMap;

/// Watched keys.
#[derive(Debug, Default)]
pub(super) struct Watch {
    keys: HashMap<(u64, Vec<u8>), Watched>,
}

#[derive(Debug, Default)]
struct Watched {
    version: u64,
    watchers: usize,
}

impl Watch {
    /// Begins to watch a key; the answer is its version now.
    pub(super) fn begin(&mut self, db: u64, key: &[u8]) -> u64 {
        let watched = self.keys.entry((db, key.to_vec())).or_default();
        watched.watchers += 1;
        watched.version
    }

    /// Ends one watch of a key. Had it the version `seen` until now?
    pub(super) fn end(&mut self, db: u64, key: Vec<u8>, seen: u64) -> bool {
        let place = (db, key);
        let Some(watched) = self.keys.get_mut(&place) else { return false };
        let same = watched.version == seen;
        watched.watchers = watched.watchers.saturating_sub(1);
        if watched.watchers == 0 {
            self.keys.remove(&place);
        }
        same
    }

    /// A key has changed.
    pub(super) fn touch(&mut self, db: u64, key: &[u8]) {
        if !self.keys.is_empty()
            && let Some(watched) = self.keys.get_mut(&(db, key.to_vec()))
        {
            watched.version += 1;
        }
    }

    /// Every watched key of a database for which `changed` says so has changed.
    pub(super) fn touch_db(&mut self, db: u64, mut changed: impl FnMut(&[u8]) -> bool) {
        for ((at, key), watched) in &mut self.keys {
            watched.version += u64::from(*at == db && changed(key));
        }
    }
}
