//! Keys that commands touch which are not known here: those of modules, as a rule. What such a command does
//! cannot be said, so nothing of such a key is left out: it keeps the value that the RDB at the start
//! had, and all commands on it follow unchanged, in their order.
//!
//! Any argument of an unknown command may be a key. A known command that has one of these keys is kept,
//! and then all of its keys belong to them, until no more are found. Names count in every database. What
//! touches keys without naming them cannot be told apart, and is refused.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::aof::reader::{Means, Reader};
use crate::aof::skim::Chunks;
use crate::aof::state::{State, Step};
use crate::encoding::resp::{Forms, write_command};
use crate::engine::shards::{Place, Shards, place};
use crate::engine::{Item, resolve};
use crate::error::{Error, Result};
use crate::finding::{Code, shown};
use crate::input::source::{Input, opened};
use crate::job::repair_aof::Set;
use crate::job::replay::{Options, Report, replay};
use crate::limits::Limits;
use crate::record::Event;

/// What was replayed, and the history that goes along with it.
#[derive(Debug)]
pub struct History {
    /// The data.
    pub replayed: Report,
    /// The commands that go along.
    pub commands: Vec<u8>,
    /// Keys that they are about, as far as that can be told.
    pub keys: u64,
    names: HashSet<Vec<u8>>,
    /// These keys as the RDB at the start had them.
    base: Vec<(u64, Vec<u8>, Item)>,
    /// These keys as they were replayed, while they are out of the store.
    aside: Option<Vec<(u64, Vec<u8>, Item)>>,
}

impl History {
    /// Nothing but the data.
    pub fn none(replayed: Report) -> History {
        let (names, base) = (HashSet::new(), Vec::new());
        History { replayed, commands: Vec::new(), keys: 0, names, base, aside: None }
    }

    /// Finds the history that is to be carried over.
    ///
    /// # Errors
    /// When the files cannot be read, or commands touch keys that they do not name.
    pub fn of(set: &Set, replayed: Report, options: &Options) -> Result<History> {
        let unknown = unknown(&replayed);
        if unknown.is_empty() {
            return Ok(History::none(replayed));
        }
        if replayed.dropped() > 0 {
            let why =
                "more findings than are kept, so not all is known of what failed (--max-findings)";
            return Err(Error::Usage(why.to_owned()));
        }
        let files: Vec<(PathBuf, u64)> = set
            .files
            .iter()
            .zip(&replayed.parts)
            .map(|((path, _), part)| (path.clone(), part.rdb.as_ref().map_or(0, |rdb| rdb.1.end)))
            .collect();
        let scan = Scan { files: &files, limits: options.limits, unknown: &unknown };
        let names = scan.names()?;
        let commands = scan.commands(&names)?;
        let mut base = Vec::new();
        for (path, end) in files.iter().filter(|(_, end)| *end > 0) {
            base.extend(items(path, *end, &names, options)?);
        }
        let keys = names.len() as u64;
        Ok(History { replayed, commands, keys, names, base, aside: None })
    }

    /// Gives the keys with a history the values that it begins with.
    ///
    /// # Errors
    /// When they do not fit the memory allowed.
    pub fn apart(&mut self) -> Result<()> {
        if self.names.is_empty() || self.aside.is_some() {
            return Ok(());
        }
        let store = &mut self.replayed.store;
        self.aside = Some(take(store, &self.names));
        put(store, &self.base)
    }

    /// The data as it was replayed.
    ///
    /// # Errors
    /// The same.
    pub fn whole(&mut self) -> Result<&mut Shards> {
        if let Some(aside) = self.aside.take() {
            take(&mut self.replayed.store, &self.names);
            put(&mut self.replayed.store, &aside)?;
        }
        Ok(&mut self.replayed.store)
    }
}

/// Names of commands that could not be run, in lower case.
fn unknown(replayed: &Report) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = replayed.skipped.keys().cloned().collect();
    let findings = replayed.parts.iter().flat_map(|part| &part.findings);
    for finding in findings.filter(|finding| finding.code == Code::ReplayNotBuilt) {
        names.extend(finding.found.split(':').next().map(str::to_owned));
    }
    names
}

fn take(store: &mut Shards, names: &HashSet<Vec<u8>>) -> Vec<(u64, Vec<u8>, Item)> {
    let mut taken = Vec::new();
    for engine in store.each_mut() {
        let dbs: Vec<u64> = engine.keyspaces().map(|(db, _)| db).collect();
        for db in dbs {
            for name in names {
                let item = engine.keyspace_mut(db).take(name);
                taken.extend(item.map(|item| (db, name.clone(), item)));
            }
        }
    }
    taken
}

fn put(store: &mut Shards, items: &[(u64, Vec<u8>, Item)]) -> Result<()> {
    for (db, name, item) in items {
        store
            .put(*db, name, item.clone())
            .map_err(|_| Error::Usage("the data does not fit the memory allowed".to_owned()))?;
    }
    Ok(())
}

/// Some keys of the RDB that a file begins with.
fn items(
    path: &Path,
    end: u64,
    names: &HashSet<Vec<u8>>,
    options: &Options,
) -> Result<Vec<(u64, Vec<u8>, Item)>> {
    let input = Input::File(path.to_path_buf());
    let file = File::open(path).map_err(|err| Error::io(path, "open", err))?;
    let mut source = opened(&input, file, |_| {})?;
    source.reader = Box::new(source.reader.take(end));
    let mut report = replay(source, &input, options)?;
    Ok(take(&mut report.store, names))
}

/// The commands of the files.
struct Scan<'a> {
    /// Each with the offset at which its commands begin.
    files: &'a [(PathBuf, u64)],
    limits: Limits,
    unknown: &'a BTreeSet<String>,
}

impl Scan<'_> {
    /// The names that have a history.
    fn names(&self) -> Result<HashSet<Vec<u8>>> {
        let mut names = HashSet::new();
        loop {
            let before = names.len();
            self.each(|path, offset, _, argv| {
                if self.is_unknown(argv) {
                    names.extend(argv.iter().skip(1).map(|arg| arg.to_vec()));
                    return Ok(());
                }
                let Ok(command) = resolve(argv) else { return Ok(()) };
                if matches!(place(command, argv, 2), Place::Every | Place::Anywhere)
                    && command.name != "function|load"
                {
                    let what = shown(command.name.as_bytes());
                    let why = format!(
                        "{what} at {offset:#x} touches keys that it does not name: what is not known \
                         cannot be carried over beside it"
                    );
                    return Err(Error::refused(path, why));
                }
                let keys = || command.key_positions(argv).into_iter().filter_map(|at| argv.get(at));
                if keys().any(|key| names.contains(*key)) {
                    names.extend(keys().map(|key| key.to_vec()));
                }
                Ok(())
            })?;
            if names.len() == before {
                return Ok(names);
            }
        }
    }

    /// The commands on these names.
    fn commands(&self, names: &HashSet<Vec<u8>>) -> Result<Vec<u8>> {
        let (mut out, mut selected) = (Vec::new(), None);
        self.each(|_, _, db, argv| {
            let is_kept = self.is_unknown(argv)
                || resolve(argv).is_ok_and(|command| {
                    let mut keys = command.key_positions(argv).into_iter();
                    keys.any(|at| argv.get(at).is_some_and(|key| names.contains(*key)))
                });
            if is_kept {
                if selected.replace(db) != Some(db) {
                    let number = db.to_string();
                    let select: [&[u8]; 2] = [b"SELECT", number.as_bytes()];
                    write_command(select.into_iter(), &mut out);
                }
                write_command(argv.iter().copied(), &mut out);
            }
            Ok(())
        })?;
        Ok(out)
    }

    fn is_unknown(&self, argv: &[&[u8]]) -> bool {
        resolve(argv).map_or(true, |command| self.unknown.contains(command.name))
    }

    /// Calls `visit` with file, offset, database and arguments of every command that is run, in order:
    /// those of transactions when they end.
    fn each(&self, mut visit: impl FnMut(&Path, u64, u64, &[&[u8]]) -> Result<()>) -> Result<()> {
        for (path, start) in self.files {
            let failed = |err| Error::io(path, "read", err);
            let mut file = File::open(path).map_err(failed)?;
            file.seek(SeekFrom::Start(*start)).map_err(failed)?;
            let mut chunks =
                Chunks::new(file, *start, State::default(), Forms::Tolerant, self.limits);
            let mut waiting: Option<Vec<(u64, u64, Vec<Vec<u8>>)>> = None;
            while let Some(chunk) = chunks.next_chunk(Default::default()).map_err(failed)? {
                let mut reader = Reader::new(&chunk);
                while let Some(item) = reader.next_record() {
                    let (Event::Command(command), Means::Command(step)) =
                        (&item.record.event, item.means)
                    else {
                        continue;
                    };
                    let at = item.record.span.start;
                    match (step, &mut waiting) {
                        (Step::Multi, _) => waiting = Some(Vec::new()),
                        (Step::Exec(_), _) => {
                            for (at, db, argv) in waiting.take().unwrap_or_default() {
                                let argv: Vec<&[u8]> = argv.iter().map(Vec::as_slice).collect();
                                visit(path, at, db, &argv)?;
                            }
                        }
                        (Step::Plain, Some(waiting)) => {
                            let argv = command.args.iter().map(|arg| arg.to_vec()).collect();
                            waiting.push((at, command.db, argv));
                        }
                        (Step::Plain, None) => visit(path, at, command.db, command.args)?,
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }
}
