//! What a salvage makes of one part: what can be read of the RDB that it begins with, and of its commands.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::affected::Affected;
use super::found::{Found, Gap};
use super::kept::Kept;
use super::loss::{Counting, Loss};
use crate::error::{Error, Result};
use crate::job::repair_rdb::plan::Rebuild;
use crate::job::repair_rdb::run::lost_spans;
use crate::persist::fs::File;

/// What a salvage makes of a part.
#[derive(Debug, Clone)]
pub struct Salvage {
    /// What can be read of its RDB, if that is damaged.
    pub rdb: Option<Rebuild>,
    /// What is kept of its commands; of a sound RDB before them, all.
    pub kept: Kept,
    /// What is left out, and the commands that can be read in it.
    pub gaps: Vec<(Gap, Loss)>,
}

impl Salvage {
    /// Of what a survey found. `rdb` is the end of a sound RDB, which stays.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of(
        found: Found,
        rdb: Option<Rebuild>,
        file: &Arc<dyn File>,
        path: &Path,
        counting: &Counting,
    ) -> Result<Salvage> {
        let count = |gap: Gap| {
            let loss = counting.count(file, gap.span.clone());
            loss.map(|loss| (gap, loss)).map_err(|err| Error::io(path, "read", err))
        };
        let gaps = found.gaps.into_iter().map(count).collect::<Result<Vec<_>>>()?;
        Ok(Salvage { rdb, kept: found.kept, gaps })
    }

    /// Whether nothing is left out.
    pub fn is_whole(&self) -> bool {
        self.rdb.is_none() && self.gaps.is_empty()
    }

    /// What is left out, over all gaps.
    pub fn lost(&self) -> Loss {
        let mut lost = Loss::default();
        self.gaps.iter().for_each(|(_, gap)| lost.add(gap));
        if let Some(rebuild) = &self.rdb {
            lost.preamble_keys += rebuild.census.keys_lost();
            lost.bytes +=
                lost_spans(rebuild).iter().map(|(span, _)| span.end - span.start).sum::<u64>();
            lost.only_nuls = false;
        }
        lost
    }

    /// The bytes that are left out, and what each piece is.
    pub fn lost_spans(&self) -> Vec<(Range<u64>, &'static str)> {
        let rdb = self.rdb.iter().flat_map(lost_spans);
        rdb.chain(self.gaps.iter().map(|(gap, _)| (gap.span.clone(), "gap"))).collect()
    }

    /// Takes note of keys of the RDB that are lost by name.
    pub(super) fn lose_keys(rebuild: &Rebuild, affected: &mut Affected) {
        let census = &rebuild.census;
        let whys = census.lost.iter().map(|lost| &lost.why);
        for key in
            whys.chain(census.gaps.iter().map(|gap| &gap.why)).filter_map(|why| why.key.as_ref())
        {
            affected.add(key.db, &[b"del", &key.key]);
        }
    }
}
