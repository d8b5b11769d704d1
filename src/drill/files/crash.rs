//! What a crash leaves of the file that is being written, and what comes back from it.

use std::io::{self, Read};
use std::sync::Arc;

use super::places::{PAGE, Place, Seat};
use crate::aof::reader::{Means, Reader};
use crate::aof::settings::Settings;
use crate::aof::skim::{Chunks, Spare};
use crate::encoding::resp::Forms;
use crate::job::fate::Fate;
use crate::limits::Limits;
use crate::persist::fs::{File, FileReader};
use crate::persist::sim::crash::Random;
use crate::rdb::versions::Release;

/// Bytes read at a time: most commands are short.
const CHUNK: usize = 16 << 10;

/// How a crash leaves the end of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Crash {
    /// Behind a whole command: the process was killed between two writes.
    Behind,
    /// Inside a command: killed within a write, or the disk was full.
    Inside,
    /// Behind a whole command, and NULs to the end of the page: the power went, and the file system had
    /// made the file longer already.
    NulsBehind,
    /// Inside a command, and NULs to the end of the page.
    NulsInside,
    /// The last page is there, and nothing but NULs is in it: the power went before its bytes were written.
    Page,
}

impl Crash {
    /// All of them.
    pub const ALL: [Crash; 5] =
        [Crash::Behind, Crash::Inside, Crash::NulsBehind, Crash::NulsInside, Crash::Page];

    /// The word used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Crash::Behind => "cut",
            Crash::Inside => "cut-inside",
            Crash::NulsBehind => "nuls",
            Crash::NulsInside => "nuls-inside",
            Crash::Page => "page-of-nuls",
        }
    }

    /// In a few words.
    pub fn about(self) -> &'static str {
        match self {
            Crash::Behind => "whole commands",
            Crash::Inside => "part of a command",
            Crash::NulsBehind => "NULs behind whole commands",
            Crash::NulsInside => "NULs behind part of one",
            Crash::Page => "NULs instead of the last page",
        }
    }

    /// What such a crash leaves where this record is the last that was written; inside of it, where is up
    /// to chance. `commands`: where the first command of the file is.
    pub fn leaves(self, place: &Place, commands: u64, random: &mut Random) -> Remains {
        let inside = |random: &mut Random| {
            let len = place.end - place.start;
            // The first byte alone and all but the last are where mistakes are made.
            place.start
                + match random.below(4) {
                    0 => 1,
                    1 => len.saturating_sub(1).max(1),
                    _ => 1 + random.below(len.saturating_sub(1).max(1)),
                }
        };
        let padded = |cut: u64| Remains { cut, size: (cut / PAGE + 1) * PAGE };
        match self {
            Crash::Behind => Remains { cut: place.end, size: place.end },
            Crash::Inside => {
                let cut = inside(random);
                Remains { cut, size: cut }
            }
            Crash::NulsBehind => padded(place.end),
            Crash::NulsInside => padded(inside(random)),
            Crash::Page => Remains { cut: place.page_start(commands), size: place.end },
        }
    }
}

/// A file after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remains {
    /// Up to here it is as it was.
    pub cut: u64,
    /// Its size: what is behind the cut are NULs.
    pub size: u64,
}

impl Remains {
    /// Its bytes from `start` on.
    pub fn read(self, file: &Arc<dyn File>, start: u64) -> impl Read + Send + use<> {
        let nuls = self.size.saturating_sub(self.cut.max(start));
        FileReader::new(file.clone(), start, self.cut).chain(io::repeat(0).take(nuls))
    }
}

/// What is recovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fall {
    /// What a server does when it starts.
    pub fate: Fate,
    /// Up to here everything is kept, by a repair if not by the server.
    pub kept: u64,
    /// Commands up to there.
    pub commands: u64,
}

/// A server that starts.
#[derive(Debug, Clone, Copy)]
pub struct Server<'a> {
    /// Its release.
    pub release: &'static Release,
    /// Its settings.
    pub settings: &'a Settings,
    /// Bounds.
    pub limits: Limits,
}

impl Server<'_> {
    /// Reads what a crash left, from a record before the damage on.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn fall(&self, file: &Arc<dyn File>, from: Seat, remains: Remains) -> io::Result<Fall> {
        let reader = remains.read(file, from.start);
        let mut chunks = Chunks::new(reader, from.start, from.state, Forms::Strict, self.limits)
            .with_chunk(CHUNK);
        let mut commands = from.before;
        let mut spare = Spare::default();
        while let Some(chunk) = chunks.next_chunk(spare)? {
            let mut reader = Reader::new(&chunk);
            while let Some(item) = reader.next_record() {
                commands += u64::from(matches!(item.means, Means::Command(_)));
            }
            spare = chunk.recycle();
        }
        let outcome = chunks.finish()?;
        let fate = Fate::of(&outcome, self.release, self.settings, true);
        let (kept, commands) = match outcome.state.multi {
            // MULTI itself is none of its commands.
            Some(multi) => (multi.offset, commands.saturating_sub(multi.commands + 1)),
            None => (outcome.end, commands),
        };
        Ok(Fall { fate, kept, commands })
    }
}
