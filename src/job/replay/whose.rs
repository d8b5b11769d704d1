//! Whose rules a log is replayed by, where servers differ: those of the server that wrote it, since what
//! that server held is what a replay is to say. That is, in this order:
//!
//! ```text
//! 1. the server that the first RDB in it names (AUX valkey-ver, redis-ver), before the first command is run
//! 2. the server that the user names for something else: the target of a rewrite or conversion, the server
//!    whose digest is asked for. Not one before 7.0 for a folder with a manifest, which came with 7.0
//! 3. the newest Redis, and numbers that servers bound differently stay as commands state them
//! ```
//! No guess refuses what the writer had taken: in 1 to 3 RESTORE takes the payloads of every server that is
//! known. The writer may be named rightly and the payload be newer all the same, for servers are
//! upgraded in the middle of a log.

use super::{Report, Run};
use crate::engine::{Config, Origin, Release};
use crate::job::payload::{PAYLOADS, target_of};
use crate::rdb::target::Target;
use crate::rdb::versions;

/// Whose rules a log is replayed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Whose {
    /// Those of the engine as it is set up: of a server that starts from whatever there is.
    #[default]
    Engine,
    /// Those of the server that wrote the log; of this one where the log does not name it.
    Writer(Option<Release>),
}

impl Whose {
    /// The rules of the writer, which may be whom something is made for.
    pub fn writer_or(target: Target) -> Whose {
        Whose::Writer(Release::named(target.release.name))
    }

    /// The server that must take an RDB, if it is not the one that wrote it.
    pub fn server(self, engine: &Config) -> Option<&'static versions::Release> {
        (self == Whose::Engine).then(|| target_of(engine.release).release)
    }

    /// Settings of an engine for a file that does not name its writer.
    pub fn config(self, engine: &Config) -> Config {
        let (release, origin) = self.rules(None, false, engine);
        Config { release, origin, payloads: PAYLOADS, ..engine.clone() }
    }

    /// Whom the engine stands for. `stated` is whom the log names; `is_set`: it is a folder with a manifest.
    fn rules(self, stated: Option<Release>, is_set: bool, engine: &Config) -> (Release, Origin) {
        let Whose::Writer(named) = self else { return (engine.release, engine.origin) };
        let named = named.filter(|named| !is_set || named.has_redis(7, 0));
        match stated.or(named) {
            Some(release) => (release, Origin::Log),
            None if is_set => (Release::NEWEST, Origin::UnknownSet),
            None => (Release::NEWEST, Origin::UnknownLog),
        }
    }
}

impl Run<'_> {
    /// Makes the engines behave as the writer, as far as that is known by now.
    pub(super) fn follow_writer(&mut self) {
        let stated = self.report.written_by();
        let options = self.options;
        let (release, origin) = options.whose.rules(stated, self.is_set, &options.engine);
        self.report.store.each_mut().for_each(|engine| engine.set_release(release, origin));
    }
}

impl Report {
    /// Settings of an engine that behaves as the one into which this was replayed.
    pub fn config(&mut self) -> Config {
        let first = self.store.each_mut().next();
        first.map(|engine| engine.config().clone()).unwrap_or_default()
    }

    /// Whether the log has what streams keep beside their entries since this RDB version: its writer is new
    /// enough, or commands in it state such numbers.
    pub fn states_streams_of(&mut self, version: u16) -> bool {
        let by_writer = self.written_by().is_some_and(|writer| writer.rdb_version() >= version);
        let mut engines = self.store.each_mut();
        by_writer || engines.any(|engine| engine.stats().streams_since >= version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order() {
        let engine = Config { release: Release::redis(5, 0), ..Config::default() };
        let (old, new) = (Release::redis(6, 2), Release::valkey(9, 1));
        let rules = |whose: Whose, stated, is_set| whose.rules(stated, is_set, &engine);
        assert_eq!(rules(Whose::Engine, Some(new), true), (engine.release, Origin::Clients));
        for named in [None, Some(old), Some(Release::NEWEST)] {
            assert_eq!(rules(Whose::Writer(named), Some(new), true), (new, Origin::Log));
        }
        assert_eq!(rules(Whose::Writer(Some(old)), None, false), (old, Origin::Log));
        let unknown = |origin| (Release::NEWEST, origin);
        let set = unknown(Origin::UnknownSet);
        assert_eq!(rules(Whose::Writer(Some(old)), None, true), set, "6.2 had no folders");
        assert_eq!(rules(Whose::Writer(None), None, true), set);
        assert_eq!(rules(Whose::Writer(None), None, false), unknown(Origin::UnknownLog));
        assert_eq!(rules(Whose::Writer(Some(new)), None, true), (new, Origin::Log));
    }
}
