//! What a server does with the end of an AOF when it starts (FORMATS B.1, B.4): one rule for whoever foretells
//! it, be it for the file at hand or for what a crash would leave of it.

use crate::aof::loader::{Ending, Tail};
use crate::aof::settings::Settings;
use crate::aof::skim::Outcome;
use crate::finding::Code;
use crate::rdb::header::Dialect;
use crate::rdb::versions::Release;

/// What becomes of the end of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// There is nothing wrong with it.
    Whole,
    /// Bytes that the server does not look at, such as NULs that it takes for the end of an argument.
    Unnoticed,
    /// The server starts and cuts off all from here on.
    Cut(u64),
    /// Redis from 8.6 on starts and cuts off damage that is short enough, from here on.
    CutDamage(u64),
    /// The server starts, but an annotation without its end stays: it writes on behind it, and does not start
    /// again.
    TornAnnotation,
    /// The server starts and runs nothing of this transaction, but its MULTI stays: all that is written
    /// until the next start is lost then.
    OpenMulti(u64),
    /// It does not start.
    Refused(Why),
}

/// Why a server does not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Bytes that are no command.
    Damage,
    /// It came before annotations.
    Annotation,
    /// The file ends too early, and others follow.
    NotLast,
    /// The file ends too early, and `aof-load-truncated` is `no`, or came later.
    Truncated,
}

impl Fate {
    /// Of the end of a file of so many bytes, by how reading it ended. `last`: no other file follows.
    pub fn of(outcome: &Outcome, release: &Release, settings: &Settings, last: bool) -> Fate {
        let line = if release.has_redis(7, 0) { 1024 } else { 128 };
        let Some(damage) = &outcome.damage else {
            return match outcome.state.multi {
                None => Fate::Whole,
                Some(multi) => early(Fate::Cut(multi.offset), release, settings, last),
            };
        };
        if damage.finding.code == Code::AofAnnotationTorn {
            return match release.has_redis(7, 0) {
                true => Fate::TornAnnotation,
                false => Fate::Refused(Why::Annotation),
            };
        }
        let left = outcome.size - outcome.end;
        let tail = Tail { head: &damage.head, len: left, line };
        match tail.read() {
            Ending::Short => {
                let mends = release.dialect == Dialect::Valkey && release.version() >= (9, 1);
                let fate = match outcome.state.multi {
                    None => Fate::Cut(outcome.end),
                    Some(multi) if mends => Fate::Cut(multi.offset),
                    Some(multi) => Fate::OpenMulti(multi.offset),
                };
                early(fate, release, settings, last)
            }
            // NULs behind the mark of an annotation are its text.
            Ending::Clean if damage.head.starts_with(b"#") => Fate::TornAnnotation,
            Ending::Clean => Fate::Unnoticed,
            Ending::Format => {
                let cuts = release.dialect == Dialect::Redis && release.version() >= (8, 6);
                match cuts && left < settings.corrupt_tail_max {
                    true => Fate::CutDamage(outcome.end),
                    false => Fate::Refused(Why::Damage),
                }
            }
        }
    }

    /// Whether the server starts.
    pub fn starts(self) -> bool {
        !matches!(self, Fate::Refused(_))
    }
}

/// A file that ends inside a command or transaction.
fn early(fate: Fate, release: &Release, settings: &Settings, last: bool) -> Fate {
    if !last {
        return Fate::Refused(Why::NotLast);
    }
    match settings.load_truncated && release.has_redis(2, 8) {
        true => fate,
        false => Fate::Refused(Why::Truncated),
    }
}
