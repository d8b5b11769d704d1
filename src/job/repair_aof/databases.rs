//! Which database the commands behind a gap are on, where the gap may have hidden a SELECT.
//!
//! A server writes a command only if it changed something: a DEL of a key that is not there is never in an AOF, an
//! HSET of what is a list neither, and most commands come back to keys of their own database. How much each of
//! that says differs from file to file, so it is counted in the sure part of the same file: how often the key of a
//! command is known, of its type, in the database it is on, and how often it is so in one it is not on. The
//! commands behind a gap are on the database for which that speaks, as do later commands that need a key that only
//! they have made; together with how likely a gap of its length
//! hides a SELECT, the next SELECT, which servers write only to change the database, and what can be read of a
//! damaged one in the gap.
//!
//! Where a length was changed to mend a command, bytes may be missing instead, and a SELECT with them. That is
//! assumed only if what follows speaks clearly for another database, or is a SELECT of the same one again.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::chain::step;
use super::found::Found;
use super::habits::{ABSENT, Habits, MAKING, NEEDING, OTHER_TYPE, THERE, Tally};
use crate::aof::reader::Reader;
use crate::aof::skim::{Chunks, Spare};
use crate::aof::state::State;
use crate::encoding::number::parse_i64;
use crate::encoding::resp::{Forms, write_command};
use crate::engine::command::flag;
use crate::job::commands::{Known, look};
use crate::job::pieces::Piece;
use crate::limits::Limits;
use crate::persist::fs::{File, FileReader, read_full_at};
use crate::record::Event;

/// Bytes of the shortest SELECT.
const SELECT_MIN: usize = 23;

/// A gap is taken to be at least so long: bytes may be gone of which nothing is left.
const GAP_MIN: u64 = 512;

/// Databases that are compared.
const DATABASES: usize = 32;

/// Keys that are told apart; further ones say nothing.
const KEYS_MAX: usize = 1 << 20;

/// Keys of one command that are looked at.
const KEYS_OF_ONE: usize = 4;

/// What a SELECT says that can be read in the gap in a damaged form.
const READ_SAYS: f64 = 6.0;

/// How much more must speak for another database where no gap is.
const CLEARLY: f64 = 5.0;

/// A file selects a database again so seldom that it means something.
const SELDOM: f64 = 0.1;

/// Bytes of a gap in which one is looked for, at its end.
const GAP_MAX: u64 = 64 << 10;

/// What a SELECT begins with, and how much of it must be there, of all of it and of its name.
const SELECT: &[u8] = b"*2\r\n$6\r\nSELECT\r\n$1\r\n";
const SELECT_NAME: Range<usize> = 8..14;
const ALIKE: usize = 11;
const ALIKE_NAME: usize = 3;

/// Commands that write nothing unless their key is there.
const NEED_A_KEY: &[&str] = &[
    "del",
    "unlink",
    "expire",
    "pexpire",
    "expireat",
    "pexpireat",
    "persist",
    "rename",
    "lpop",
    "rpop",
    "lset",
    "lrem",
    "ltrim",
    "linsert",
    "lpushx",
    "rpushx",
    "spop",
    "srem",
    "smove",
    "hdel",
    "hpexpireat",
    "zrem",
    "zremrangebyrank",
    "zremrangebyscore",
    "zremrangebylex",
    "zpopmin",
    "zpopmax",
    "xdel",
    "xtrim",
    "xack",
    "xsetid",
    "getdel",
    "move",
];

/// Names that begin commands of one type, and the type.
const TYPES: &[(&str, u8)] = &[
    ("set", b's'),
    ("append", b's'),
    ("incr", b's'),
    ("decr", b's'),
    ("pset", b's'),
    ("mset", b's'),
    ("getset", b's'),
    ("bit", b's'),
    ("pf", b's'),
    ("h", b'h'),
    ("lpush", b'l'),
    ("rpush", b'l'),
    ("lset", b'l'),
    ("lrem", b'l'),
    ("ltrim", b'l'),
    ("linsert", b'l'),
    ("lpop", b'l'),
    ("rpop", b'l'),
    ("sadd", b'S'),
    ("srem", b'S'),
    ("spop", b'S'),
    ("z", b'z'),
    ("x", b'x'),
    ("geoadd", b'z'),
];

/// Commands behind a gap, up to the next SELECT or gap.
#[derive(Debug, Default)]
struct Stretch {
    /// What the keys are in each database.
    met: BTreeMap<u64, Tally>,
    /// The database of the SELECT behind it.
    next: Option<u64>,
    /// What becomes of its keys, once the database is known.
    writes: HashMap<u64, Change>,
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Is(u8),
    Gone,
}

/// Decides on which databases stretches behind gaps are, and selects them in what is kept.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn settle(file: &Arc<dyn File>, limits: Limits, found: &mut Found) -> io::Result<()> {
    if found.kept.assumed.iter().all(|assumed| assumed.commands == 0) {
        return Ok(());
    }
    let Some(habits) = Walk::new(file, limits, found, None).walk()?.map(|walk| walk.habits) else {
        return Ok(());
    };
    let Some(walk) = Walk::new(file, limits, found, Some(&habits)).walk()? else { return Ok(()) };
    let decided = walk.decided;
    for Decided { index, db, before, is_doubtful } in decided {
        let Some(assumed) = found.kept.assumed.get_mut(index) else { continue };
        if assumed.is_mended && !is_doubtful {
            assumed.commands = 0;
            continue;
        }
        let span = assumed.span.clone();
        (assumed.db, assumed.before) = (db, before);
        if db != before {
            select(&mut found.kept.pieces, span.start, db);
        }
        let of_it = found.kept.named.iter_mut().filter(|suspect| span.contains(&suspect.offset));
        of_it.for_each(|suspect| suspect.db = db);
    }
    Ok(())
}

/// Selects a database before the piece of these bytes.
fn select(pieces: &mut Vec<Piece>, at: u64, db: u64) {
    let holds = |piece: &Piece| matches!(piece, Piece::Copy(span) if span.contains(&at));
    let Some(index) = pieces.iter().position(holds) else { return };
    let mut bytes = Vec::new();
    write_command([&b"SELECT"[..], db.to_string().as_bytes()].into_iter(), &mut bytes);
    let Some(Piece::Copy(span)) = pieces.get_mut(index) else { return };
    let before = span.start..at;
    span.start = at;
    let new = (!before.is_empty()).then_some(Piece::Copy(before)).into_iter();
    pieces.splice(index..index, new.chain([Piece::New(bytes)]));
}

/// A way through what is kept.
struct Walk<'a> {
    file: &'a Arc<dyn File>,
    limits: Limits,
    found: &'a Found,
    /// What was counted on the first way.
    known: Option<&'a Habits>,
    habits: Habits,
    keys: HashMap<(u64, u64), u8>,
    hasher: RandomState,
    /// The database that is selected in the new file, and in the old one.
    db: u64,
    /// The stretch that commands are of, and which it is.
    stretch: Option<(usize, Stretch)>,
    next_stretch: usize,
    /// Keys that stretches have made, and the last stretch that did.
    made: HashMap<u64, usize>,
    decided: Vec<Decided>,
}

/// What was found of a stretch.
struct Decided {
    /// Which it is.
    index: usize,
    /// Its database, and the one that is selected where it begins.
    db: u64,
    before: u64,
    /// Something speaks for another one, or against the one that was selected.
    is_doubtful: bool,
}

impl<'a> Walk<'a> {
    fn new(
        file: &'a Arc<dyn File>,
        limits: Limits,
        found: &'a Found,
        known: Option<&'a Habits>,
    ) -> Walk<'a> {
        Walk {
            file,
            limits,
            found,
            known,
            habits: Habits::default(),
            keys: HashMap::new(),
            hasher: RandomState::new(),
            db: 0,
            stretch: None,
            next_stretch: 0,
            made: HashMap::new(),
            decided: Vec::new(),
        }
    }

    /// Goes it; `None` if something in the way is not whole, so that databases cannot be told.
    fn walk(mut self) -> io::Result<Option<Walk<'a>>> {
        for piece in &self.found.kept.pieces {
            match piece {
                Piece::New(bytes) => {
                    let Ok(step) = step(bytes, self.limits.string) else { return Ok(None) };
                    self.command(None, &step.args)?;
                }
                Piece::Copy(span) => {
                    if !self.copied(span)? {
                        return Ok(None);
                    }
                }
            }
        }
        self.end_stretch(None)?;
        Ok(Some(self))
    }

    fn copied(&mut self, span: &Range<u64>) -> io::Result<bool> {
        let source = FileReader::new(self.file.clone(), span.start, span.end);
        let state = State::default();
        let mut chunks = Chunks::new(source, span.start, state, Forms::Tolerant, self.limits);
        let mut spare = Spare::default();
        while let Some(chunk) = chunks.next_chunk(spare)? {
            let mut reader = Reader::new(&chunk);
            while let Some(item) = reader.next_record() {
                if let Event::Command(command) = &item.record.event {
                    self.command(Some(item.record.span.clone()), command.args)?;
                }
            }
            spare = chunk.recycle();
        }
        Ok(chunks.finish_sized(span.end)?.damage.is_none())
    }

    fn command(&mut self, span: Option<Range<u64>>, args: &[&[u8]]) -> io::Result<()> {
        let at = span.as_ref().map(|span| span.start);
        while let (Some(next), Some(at)) = (self.found.kept.assumed.get(self.next_stretch), at)
            && at >= next.span.start
        {
            self.end_stretch(None)?;
            let is_in = next.commands > 0 && at < next.span.end;
            self.stretch = is_in.then(|| (self.next_stretch, Stretch::default()));
            self.next_stretch += 1;
        }
        let len = span.map_or(0, |span| span.end - span.start);
        if self.stretch.is_none() {
            self.habits.bytes += len;
        }
        if let [name, number] = args
            && name.eq_ignore_ascii_case(b"select")
        {
            let Some(db) = parse_i64(number).and_then(|db| u64::try_from(db).ok()) else {
                return Ok(());
            };
            // One that was put in is no server's, and behind a gap nobody knows what it changes.
            if at.is_some() && self.stretch.is_none() {
                let is_again = self.db == db && self.habits.selects > 0.0;
                self.habits.again += if is_again { 1.0 } else { 0.0 };
                self.habits.selects += 1.0;
            }
            self.end_stretch(at.and(Some(db)))?;
            self.db = db;
            return Ok(());
        }
        self.write(args);
        Ok(())
    }

    fn write(&mut self, args: &[&[u8]]) {
        let Known::Yes(row) = look(args) else { return };
        if !row.is(flag::WRITE) {
            return;
        }
        if matches!(row.name, "flushall" | "flushdb") {
            let (is_all, db) = (row.name == "flushall", self.db);
            let is_known = is_all || self.stretch.is_none();
            self.keys.retain(|(of, _), _| !is_all && (*of != db || !is_known));
            return;
        }
        if self.stretch.is_none() && self.habits.databases.len() < DATABASES {
            self.habits.databases.insert(self.db);
        }
        let class = if NEED_A_KEY.contains(&row.name) { NEEDING } else { MAKING };
        let kind =
            TYPES.iter().find(|(start, _)| row.name.starts_with(start)).map_or(0, |kind| kind.1);
        for at in row.key_positions(args).into_iter().take(KEYS_OF_ONE) {
            let Some(key) = args.get(at) else { continue };
            let name = self.hasher.hash_one(key);
            let change = match row.name {
                "del" | "unlink" | "getdel" => Change::Gone,
                "rename" | "move" if at == 1 => Change::Gone,
                _ => Change::Is(kind),
            };
            self.meet(name, class, kind, change);
        }
    }

    /// A command of a class and type on a key.
    fn meet(&mut self, key: u64, class: usize, kind: u8, change: Change) {
        let Walk { habits, known, keys, stretch, made, db: here, .. } = self;
        let Habits { own, cross, databases, later, .. } = habits;
        let databases = known.map_or(&*databases, |known| &known.databases);
        let other = (!databases.contains(here)).then_some(&*here);
        // What a stretch has made itself says nothing of where that was.
        let is_own_key =
            stretch.as_ref().is_some_and(|(_, stretch)| stretch.writes.contains_key(&key));
        for db in databases.iter().chain(other).filter(|_| !is_own_key) {
            let state = match keys.get(&(*db, key)) {
                None => ABSENT,
                Some(other) if *other != kind && *other != 0 && kind != 0 => OTHER_TYPE,
                Some(_) => THERE,
            };
            let tally = match stretch {
                Some((_, stretch)) => stretch.met.entry(*db).or_default(),
                None if db == here => &mut *own,
                None => &mut *cross,
            };
            tally.meet(class, state);
            if let (None, ABSENT, true, Some(made)) = (&stretch, state, db == here, made.get(&key))
            {
                later.entry(*made).or_default().entry(*db).or_default().meet(class, THERE);
            }
        }
        match stretch {
            Some((_, stretch)) if stretch.writes.len() < KEYS_MAX => {
                stretch.writes.insert(key, change);
            }
            Some(_) => {}
            None => self.change(key, change),
        }
    }

    fn change(&mut self, key: u64, change: Change) {
        let name = (self.db, key);
        match change {
            Change::Gone => _ = self.keys.remove(&name),
            Change::Is(kind) if self.keys.len() < KEYS_MAX => {
                let is = self.keys.entry(name).or_insert(kind);
                *is = if kind == 0 { *is } else { kind };
            }
            Change::Is(_) => {}
        }
    }

    /// The stretch ends, before a SELECT of this database or before a gap.
    fn end_stretch(&mut self, next: Option<u64>) -> io::Result<()> {
        let Some((index, mut stretch)) = self.stretch.take() else { return Ok(()) };
        let Some(habits) = self.known else {
            for (key, change) in stretch.writes {
                if matches!(change, Change::Is(_)) && self.made.len() < KEYS_MAX {
                    self.made.insert(key, index);
                }
            }
            return Ok(());
        };
        stretch.next = next;
        let before = self.db;
        let db = self.decide(index, &stretch, habits)?;
        let is_again = next == Some(before) && habits.again() < SELDOM;
        self.decided.push(Decided { index, db, before, is_doubtful: db != before || is_again });
        self.db = db;
        for (key, change) in stretch.writes {
            self.change(key, change);
        }
        Ok(())
    }

    /// The database that most speaks for.
    fn decide(&self, index: usize, stretch: &Stretch, habits: &Habits) -> io::Result<u64> {
        let Some(assumed) = self.found.kept.assumed.get(index) else { return Ok(self.db) };
        let gap = self.found.gaps.iter().rfind(|gap| gap.span.end <= assumed.span.start);
        let gap = gap.filter(|_| !assumed.is_mended).map_or(0..0, |gap| gap.span.clone());
        let read = self.read_in(gap.clone())?;
        let others = habits.databases.len().saturating_sub(1).max(1) as f64;
        let hidden = habits.is_hidden((gap.end - gap.start).max(GAP_MIN));
        let says = |db: u64| {
            let prior = if db == self.db { 1.0 - hidden } else { hidden / others };
            let next = stretch.next.map_or(1.0, |next| match next == db {
                true => habits.again(),
                false => (1.0 - habits.again()) / others,
            });
            let keys = stretch.met.get(&db).map_or(0.0, |met| habits.says(met));
            let later = habits.later.get(&index).and_then(|later| later.get(&db));
            let later = later.map_or(0.0, |later| habits.says_later(later));
            let is_read = if read == Some(db) { READ_SAYS } else { 0.0 };
            prior.ln() + next.ln() + keys + later + is_read
        };
        let all = habits.databases.iter().copied().chain(read);
        let best = all.map(|db| (says(db), db)).max_by(|a, b| a.0.total_cmp(&b.0));
        // What is only as good changes nothing.
        let least = says(self.db) + if assumed.is_mended { CLEARLY } else { 0.0 };
        Ok(best.filter(|(best, _)| *best > least).map_or(self.db, |(_, db)| db))
    }

    /// The database of the last SELECT that can be read in a gap, in a damaged form too.
    fn read_in(&self, gap: Range<u64>) -> io::Result<Option<u64>> {
        let start = gap.start.max(gap.end.saturating_sub(GAP_MAX));
        let mut bytes = vec![0; usize::try_from(gap.end - start).unwrap_or(0)];
        let len = read_full_at(&**self.file, &mut bytes, start)?;
        let bytes = bytes.get(..len).unwrap_or_default();
        let alike = |at: &[u8], part: Range<usize>| {
            let pairs = at
                .get(part.clone())
                .into_iter()
                .flatten()
                .zip(SELECT.get(part).into_iter().flatten());
            pairs.filter(|(a, b)| a == b).count()
        };
        let read = |at: &[u8]| {
            let is_alike =
                alike(at, 0..SELECT.len()) >= ALIKE && alike(at, SELECT_NAME) >= ALIKE_NAME;
            let number = at.get(SELECT.len()..).filter(|_| is_alike)?;
            let digits = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
            parse_i64(number.get(..digits)?).and_then(|db| u64::try_from(db).ok())
        };
        Ok(bytes.windows(SELECT_MIN).rev().find_map(read))
    }
}
