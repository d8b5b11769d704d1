//! What lies in some blocks of a file: the keys of an RDB, the commands of an AOF, of both in an AOF with a
//! preamble. Of a damaged file it is what can be read: reading ends where the framing does.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use crate::aof::reader::Reader as Commands;
use crate::aof::skim::Chunks;
use crate::aof::state::State;
use crate::encoding::resp::Forms;
use crate::engine::command;
use crate::finding::KeyPlace;
use crate::input::detect::{ENOUGH, FileKind};
use crate::job::aof_file::AofFile;
use crate::job::pipeline::Cutter;
use crate::job::rdb_facts::Facts;
use crate::job::rdb_file::{Extent, RdbFile, place_of};
use crate::limits::Limits;
use crate::persist::fs::{File, FileReader, read_full_at};
use crate::rdb::reader::Reader;
use crate::record::{Event, Record};

/// Things that are named of each block.
const NAMED: usize = 8;

/// What lies in a block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inside {
    /// The first keys and commands.
    pub first: Vec<Thing>,
    /// How many there are.
    pub count: u64,
}

/// A key or a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// A key of an RDB.
    Key(KeyPlace),
    /// A command: its name, the database it is run on, and its first key.
    Command(Vec<u8>, u64, Option<Vec<u8>>),
}

/// Which things lie in each of some spans, which are in ascending order.
struct Spans<'s> {
    spans: &'s [Range<u64>],
    inside: Vec<Inside>,
}

impl Spans<'_> {
    fn add(&mut self, span: &Range<u64>, thing: impl Fn() -> Thing) {
        let first = self.spans.partition_point(|known| known.end <= span.start);
        let hit = self.spans.iter().zip(&mut self.inside).skip(first);
        for (_, inside) in hit.take_while(|(known, _)| known.start < span.end) {
            inside.count += 1;
            if inside.first.len() < NAMED {
                inside.first.push(thing());
            }
        }
    }

    fn is_done(&self, offset: u64) -> bool {
        self.spans.last().is_none_or(|last| last.end <= offset)
    }
}

/// Finds what lies in some spans of a file.
///
/// # Errors
/// When it cannot be read.
pub fn inside(
    file: &Arc<dyn File>,
    size: u64,
    spans: &[Range<u64>],
    limits: Limits,
) -> io::Result<Vec<Inside>> {
    let mut head = [0; ENOUGH];
    let len = read_full_at(&**file, &mut head, 0)?;
    let kind = FileKind::of(head.get(..len).unwrap_or_default());
    let mut found = Spans { spans, inside: vec![Inside::default(); spans.len()] };
    let reader: Box<dyn Read + Send> = Box::new(FileReader::new(file.clone(), 0, size));
    match kind {
        FileKind::Rdb => {
            if let Some((start, rest)) = keys(reader, &mut found, limits)? {
                commands(rest, start, &mut found, limits)?;
            }
        }
        FileKind::Aof => commands(reader, 0, &mut found, limits)?,
        _ => {}
    }
    Ok(found.inside)
}

/// The keys of an RDB; where it ends, and what follows.
fn keys(
    reader: Box<dyn Read + Send>,
    found: &mut Spans<'_>,
    limits: Limits,
) -> io::Result<Option<(u64, Box<dyn Read + Send>)>> {
    let mut rdb = RdbFile::new(reader, limits);
    let mut used = None;
    while let Some(chunk) = rdb.cut(used.take())? {
        if found.is_done(chunk.offset) {
            return Ok(None);
        }
        for record in Reader::new(&chunk) {
            if let Ok(Record { span, event: Event::Key(key) }) = record {
                found.add(&span, || Thing::Key(place_of(&key)));
            }
        }
        used = Some(chunk);
    }
    let end = rdb.end(Extent::Start, &Facts::default())?;
    Ok(end.rest.map(|rest| (end.outcome.end, rest)))
}

fn commands(
    reader: Box<dyn Read + Send>,
    start: u64,
    found: &mut Spans<'_>,
    limits: Limits,
) -> io::Result<()> {
    let chunks = Chunks::new(reader, start, State::default(), Forms::Tolerant, limits);
    let mut aof = AofFile::new(chunks);
    let mut used = None;
    while let Some(chunk) = aof.cut(used.take())? {
        if found.is_done(chunk.offset) {
            break;
        }
        let mut reader = Commands::new(&chunk);
        while let Some(item) = reader.next_record() {
            if let Event::Command(command) = &item.record.event {
                found.add(&item.record.span, || thing(command.db, command.args));
            }
        }
        used = Some(chunk);
    }
    Ok(())
}

fn thing(db: u64, args: &[&[u8]]) -> Thing {
    let name = args.first().copied().unwrap_or_default().to_vec();
    let positions = command::resolve(args).map(|row| row.key_positions(args)).unwrap_or_default();
    let key = positions.first().and_then(|at| args.get(*at)).map(|key| key.to_vec());
    Thing::Command(name, db, key)
}
