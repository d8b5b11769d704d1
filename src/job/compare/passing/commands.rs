//! Commands, those of one key after those of another. A worker runs the commands of a chunk in an engine
//! of its own, which holds the key at hand and nothing else. Where chunks meet, one more engine takes over:
//!
//! ```text
//! chunk   a a a   the first key may have begun in the chunk before: its commands are put aside, and run in
//!                 that engine when all before them has been
//!         b b c   the worker's own, compared as soon as the next key begins
//!         d d     the last key may go on in the next chunk: what it holds so far goes into that engine
//! ```

use std::io::{self, Read};

use super::{Against, Options};
use crate::aof::reader::{Means, Reader};
use crate::aof::skim::{Chunk, Chunks};
use crate::aof::state::{State, Step};
use crate::encoding::resp::{Forms, Framer, write_command};
use crate::engine::shards::Call;
use crate::engine::{Command, Engine, Item, Session, resolve};
use crate::job::aof_file::AofFile;
use crate::job::pipeline::{self, Parts, Worker};
use crate::record::Event;

/// Compares the commands in `reader`, in parts.
///
/// # Errors
/// When they cannot be read.
pub(super) fn compare<'a>(
    reader: Box<dyn Read + Send>,
    options: &'a Options<'a>,
    against: impl Fn() -> Against<'a>,
) -> io::Result<Vec<Against<'a>>> {
    let chunks = Chunks::new(reader, 0, State::default(), Forms::Strict, options.limits);
    let mut file = AofFile::new(chunks);
    let runner = || Runner::new(against(), options);
    let mut edges = runner();
    let each = |ends: Ends| edges.go_on(ends, options);
    let workers = pipeline::run(&mut file, options.jobs, runner, each)?;
    let runners = workers.into_iter().chain([edges]);
    Ok(runners.map(Runner::end).collect())
}

/// What of a chunk others may have a part of.
#[derive(Debug, Default)]
struct Ends {
    /// The database and the commands of the first key.
    first: (u64, Vec<u8>),
    /// What the last key holds, if that is another.
    last: Option<(u64, Vec<u8>, Item)>,
}

/// Runs commands, and compares each key when the next one begins.
struct Runner<'a> {
    against: Against<'a>,
    engine: Engine,
    session: Session,
    /// The key at hand.
    at: Option<(u64, Vec<u8>)>,
}

impl<'a> Runner<'a> {
    fn new(against: Against<'a>, options: &Options<'_>) -> Runner<'a> {
        let mut engine = Engine::new(options.engine.clone());
        engine.set_clock(options.now_ms);
        Runner { against, engine, session: Session::new(), at: None }
    }

    /// Runs a command.
    fn run(&mut self, command: Option<&'static Command>, db: u64, argv: &[&[u8]]) {
        let name = command.and_then(|command| key_of(command, argv));
        let is_same = match (&self.at, name) {
            (Some((at, key)), Some(name)) => (*at, &key[..]) == (db, name),
            _ => false,
        };
        if !is_same {
            self.end_key();
            self.at = name.map(|name| (db, name.to_vec()));
        }
        let fails = command.is_none_or(|command| {
            let (reply, guessed) =
                self.engine.run(&mut self.session, &Call { command, db, seed: 0 }, argv);
            guessed || reply.is_error()
        });
        if fails {
            self.against.differs(db, name.or(argv.first().copied()).unwrap_or_default());
        }
    }

    /// Compares the key at hand.
    fn end_key(&mut self) {
        let Some((db, name)) = self.at.take() else { return };
        let Some(item) = self.engine.take(db, &name) else {
            return self.against.differs(db, &name);
        };
        self.against.take(db, &name, &item);
    }

    /// Goes on with what the workers could not end.
    fn go_on(&mut self, ends: Ends, options: &Options<'_>) {
        let Ends { first: (db, commands), last } = ends;
        let mut framer = Framer::new(Forms::Strict, options.limits.string);
        framer.last = true;
        let (mut rest, mut argv) = (&commands[..], Vec::new());
        while !rest.is_empty() {
            argv.clear();
            // They were framed before.
            let Ok(len) = framer.command(rest, |arg| argv.push(arg)) else { break };
            self.run(resolve(&argv).ok(), db, &argv);
            rest = rest.get(len..).unwrap_or_default();
        }
        if let Some((db, name, item)) = last {
            self.end_key();
            if self.engine.put(db, &name, item).is_err() {
                self.against.differs(db, &name);
            }
            self.at = Some((db, name));
        }
    }

    fn end(mut self) -> Against<'a> {
        self.end_key();
        let functions = self.engine.functions().map(|(name, code)| (name.to_vec(), code.to_vec()));
        self.against.libraries.extend(functions);
        self.against
    }
}

impl Worker<Chunk> for Runner<'_> {
    type Out = Ends;

    fn chunk(&mut self, chunk: &Chunk, _: Parts<'_, Ends>) -> Ends {
        let mut ends = Ends::default();
        // The first key, as long as no other has come.
        let (mut first, mut is_first) = (None::<Vec<u8>>, true);
        let mut reader = Reader::new(chunk);
        while let Some(item) = reader.next_record() {
            let (Event::Command(command), Means::Command(step)) = (&item.record.event, item.means)
            else {
                continue;
            };
            let (db, argv) = (command.db, command.args);
            match step {
                Step::Plain => {}
                Step::Select(_) => continue,
                _ => self.against.differs(db, argv.first().copied().unwrap_or_default()),
            }
            let command = resolve(argv).ok();
            let key = command.and_then(|command| key_of(command, argv)).filter(|_| is_first);
            let (of, bytes) = &mut ends.first;
            match key {
                Some(key) if first.as_ref().is_none_or(|first| (*of, &first[..]) == (db, key)) => {
                    first.get_or_insert_with(|| key.to_vec());
                    *of = db;
                    write_command(argv.iter().copied(), bytes);
                }
                key => {
                    is_first &= key.is_none();
                    self.run(command, db, argv);
                }
            }
        }
        if let Some((db, name)) = self.at.take() {
            match self.engine.take(db, &name) {
                Some(item) => ends.last = Some((db, name, item)),
                None => self.against.differs(db, &name),
            }
        }
        ends
    }
}

/// The key of a command, if it has one.
fn key_of<'v>(command: &Command, argv: &[&'v [u8]]) -> Option<&'v [u8]> {
    let at = command.only_key().or_else(|| command.key_positions(argv).first().copied());
    argv.get(at?).copied()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashSet;
    use std::io::Cursor;

    use super::super::{Form, Ignore, Options, Unequal, passing};
    use crate::encoding::resp::write_command;
    use crate::engine::Config;
    use crate::engine::shards::Shards;
    use crate::input::detect::FileKind;
    use crate::input::source::{Input, Source};
    use crate::job::payload::PAYLOADS;
    use crate::job::replay::{self, replay};
    use crate::limits::{CHUNK, Limits};
    use crate::value::digest::{Digest, Style};

    fn log(commands: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for command in commands {
            write_command(
                command.split(' ').map(str::as_bytes).collect::<Vec<_>>().into_iter(),
                &mut bytes,
            );
        }
        bytes
    }

    fn store(log: &[u8]) -> Shards {
        let reader = Box::new(Cursor::new(log.to_vec()));
        let source = Source { reader, kind: FileKind::Aof, compression: None, size: None };
        replay(source, &Input::File("a.aof".into()), &replay::Options::default()).unwrap().store
    }

    fn compared(log: Vec<u8>, store: &mut Shards) -> Result<Digest, Unequal> {
        let options = Options {
            ignore: Ignore::default(),
            except: &HashSet::new(),
            limits: Limits::default(),
            engine: Config { payloads: PAYLOADS, ..Config::default() },
            now_ms: 0,
            server: None,
            jobs: 2,
        };
        passing(Box::new(Cursor::new(log)), Form::Commands, &store.look(), &options).unwrap()
    }

    const SMALL: [&str; 9] = [
        "SELECT 0",
        "SET a 1",
        "PEXPIREAT a 4102444800000",
        "RPUSH b 1 2 3",
        "RPUSH b 4",
        "SELECT 7",
        "RPUSH b 5",
        "XADD s 1-1 f v",
        "XGROUP CREATE s g 0",
    ];

    fn differs(name: &str) -> Result<Digest, Unequal> {
        Err(Unequal::Key(name.as_bytes().to_vec()))
    }

    #[test]
    fn the_same_has_the_digest_of_the_store() {
        let mut store = store(&log(&SMALL));
        let digest = store.look().digest(Style::default(), 1);
        assert_eq!(compared(log(&SMALL), &mut store), Ok(digest));
    }

    #[test]
    fn another_command_makes_another_key() {
        let mut store = store(&log(&SMALL));
        for (at, other, key) in [
            (1, "SET a 2", "a"),
            (2, "PEXPIREAT a 4102444800001", "a"),
            (2, "PERSIST a", "a"),
            (4, "RPUSH b 5", "b"),
            (4, "SADD b 4", "b"),
            (4, "NOSUCHCOMMAND b 4", "b"),
            (0, "NOSUCHCOMMAND b 4", "NOSUCHCOMMAND"),
            (6, "DEL b", "b"),
            (8, "XGROUP CREATE s h 0", "s"),
        ] {
            let mut commands = SMALL;
            commands[at] = other;
            assert_eq!(compared(log(&commands), &mut store), differs(key), "{other}");
        }
    }

    #[test]
    fn keys_that_are_missing_come_twice_or_are_new() {
        let mut store = store(&log(&SMALL));
        let missing = [&SMALL[..1], &SMALL[3..]].concat();
        assert_eq!(compared(log(&missing), &mut store), Err(Unequal::Names));
        let twice = [&SMALL[..], &["SELECT 0", "RPUSH b 1 2 3 4"]].concat();
        assert_eq!(compared(log(&twice), &mut store), Err(Unequal::Names));
        let new = [&SMALL[..], &["SET c 1"]].concat();
        assert_eq!(compared(log(&new), &mut store), differs("c"));
    }

    #[test]
    fn libraries_and_transactions() {
        let mut store = store(&log(&SMALL));
        let code = "#!lua\tname=mine\nredis.register_function('f',function()\tend)";
        let load = format!("FUNCTION LOAD {code}");
        let with = [&[&load[..]], &SMALL[..]].concat();
        assert_eq!(compared(log(&with), &mut store), Err(Unequal::Library(b"mine".to_vec())));
        let multi = [&SMALL[..], &["MULTI", "SET c 1", "EXEC"]].concat();
        assert_eq!(compared(log(&multi), &mut store), differs("MULTI"));
    }

    /// Keys that begin in one chunk and end in another: large ones, and any that lies there by chance.
    #[test]
    fn keys_that_go_on_in_the_next_chunk() {
        let item = "x".repeat(CHUNK / 100);
        let mut commands = Vec::new();
        for key in 0..30 {
            let pushes = if key % 10 == 9 { 250 } else { 7 };
            commands.extend((0..pushes).map(|n| format!("RPUSH list:{key} {n} {item}")));
            commands.push(format!("PEXPIREAT list:{key} 410244480000{}", key % 10));
        }
        let all: Vec<&str> = commands.iter().map(String::as_str).collect();
        let bytes = log(&all);
        assert!(bytes.len() > 8 * CHUNK);
        let mut store = store(&bytes);
        let digest = store.look().digest(Style::default(), 1);
        assert_eq!(compared(bytes, &mut store), Ok(digest));
        // Any of them left out is missed, wherever it lies.
        for at in (0..all.len()).step_by(37) {
            let name = all[at].split(' ').nth(1).unwrap();
            let without = [&all[..at], &all[at + 1..]].concat();
            assert_eq!(compared(log(&without), &mut store), differs(name), "without {at}");
        }
    }
}
