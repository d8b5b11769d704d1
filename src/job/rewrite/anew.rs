//! The maker of the new file: it writes the data, and when it is read back compares it with what it was
//! made of.

use std::collections::HashSet;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::Options;
use super::keep::History;
use crate::engine::Config;
use crate::engine::shards::Shards;
use crate::error::{Error, Result};
use crate::input::detect::FileKind;
use crate::input::source::{Input, Source, open};
use crate::job::compare::passing::{self, passing};
use crate::job::compare::{self, Comparison, Difference, Ignore};
use crate::job::convert::write::Make;
use crate::job::convert::{self, Conversion, Form, Given, Report, Sink, convert};
use crate::job::replay::{self, Expired, Whose, replay};
use crate::join::join;
use crate::loss::Loss;
use crate::persist::fs::Stat;
use crate::value::digest::{Digest, Style};

/// Bytes that are handed on at a time.
const BLOCK: usize = 1 << 18;

/// What is written anew.
#[derive(Debug)]
pub enum Data {
    /// An RDB, which passes by.
    Rdb(PathBuf),
    /// The data of a log, and where that is.
    Log(PathBuf, Box<History>),
}

impl Data {
    /// Settings of the store that the log was replayed into, or else `given`: what was written is compared
    /// by the rules by which it was read.
    pub fn config(&mut self, given: &Config) -> Config {
        match self {
            Data::Rdb(_) => given.clone(),
            Data::Log(_, history) => history.replayed.config(),
        }
    }

    /// The store as it was read; an RDB, which passed by, is read into `again` for that.
    fn before<'s>(
        &'s mut self,
        again: &'s mut Option<replay::Report>,
        options: &replay::Options,
    ) -> Result<&'s mut Shards> {
        match self {
            Data::Log(_, history) => history.whole(),
            Data::Rdb(path) => {
                let input = Input::File(path.clone());
                let source = open(&input, |_| {})?;
                Ok(&mut again.insert(replay(source, &input, options)?).store)
            }
        }
    }

    /// Commands that were read.
    pub fn commands(&self) -> u64 {
        match self {
            Data::Rdb(_) => 0,
            Data::Log(_, history) => {
                let (applied, failed, skipped) = history.replayed.commands();
                applied + failed + skipped
            }
        }
    }
}

/// Writes data anew.
#[derive(Debug)]
pub struct Anew<'o> {
    data: Data,
    inputs: Vec<Stat>,
    size: u64,
    /// The history goes into the same file, behind the data.
    is_one_file: bool,
    convert: &'o convert::Options,
    options: &'o Options,
    /// Commands that were written, once it was checked.
    pub commands: u64,
    /// The digest of what was read and of what was written, once they were compared.
    pub verified: Option<Digest>,
}

impl<'o> Anew<'o> {
    /// Of data from these files.
    ///
    /// # Errors
    /// When commands are to be carried over into something that has none.
    pub fn new(
        data: Data,
        (inputs, size): (Vec<Stat>, u64),
        is_one_file: bool,
        convert: &'o convert::Options,
        options: &'o Options,
    ) -> Result<Anew<'o>> {
        if let (Data::Log(path, history), Form::Rdb) = (&data, convert.form)
            && !history.commands.is_empty()
        {
            let why = "an RDB cannot carry the commands that are not known";
            return Err(Error::refused(path, why));
        }
        let (commands, verified) = (0, None);
        Ok(Anew { data, inputs, size, is_one_file, convert, options, commands, verified })
    }

    /// The data, when it is done.
    pub fn into_data(self) -> Data {
        self.data
    }

    /// Keys whose history is carried over.
    pub fn kept_keys(&self) -> u64 {
        match &self.data {
            Data::Rdb(_) => 0,
            Data::Log(_, history) => history.keys,
        }
    }

    fn replay_options(&self) -> replay::Options {
        replay::Options {
            limits: self.convert.limits,
            jobs: self.convert.jobs,
            engine: self.convert.engine.clone(),
            // An RDB comes from its writer, and what was made of a log from the engine of that.
            whose: match self.data {
                Data::Rdb(_) => Whose::Writer(None),
                Data::Log(..) => Whose::Engine,
            },
            now_ms: self.convert.now_ms,
            expired: Some(Expired::Keep),
            ..replay::Options::default()
        }
    }

    /// What was written, if that is nothing but the data as it is in the store, in one form.
    fn is_plain(&self, report: &Report) -> Option<passing::Form> {
        // What is expired by now is in the store still.
        let is_plain =
            report.counts.behind == 0 && self.history().is_empty() && !self.convert.drop_expired;
        is_plain.then_some(match self.convert.form.is_commands() {
            true => passing::Form::Commands,
            false => passing::Form::Rdb,
        })
    }

    /// Compares what was read with what is written, as `back` reads that.
    fn pass(
        &mut self,
        back: Box<dyn Read + Send>,
        form: passing::Form,
        out: &Path,
        report: &Report,
        check: impl FnOnce(Box<dyn Read + Send>) -> Result<u64>,
    ) -> Result<()> {
        let replay = self.replay_options();
        let (ignore, except) = (self.ignored(report), lost(report));
        let mut again = None;
        let store = self.data.before(&mut again, &replay)?.look();
        let options = passing::Options {
            ignore,
            except: &except,
            limits: replay.limits,
            engine: replay.whose.config(&replay.engine),
            now_ms: replay.now_ms,
            server: replay.whose.server(&replay.engine),
            jobs: replay.jobs,
        };
        let (commands, passed) = both(back, check, |back| passing(back, form, &store, &options))?;
        self.commands = commands;
        let passed = passed.map_err(|err| Error::io(out, "read back", err))?;
        self.verified = Some(passed.map_err(|unequal| unequal_to(out, &unequal.to_string()))?);
        Ok(())
    }

    /// Compares what was read with what was written.
    fn compare(&mut self, mut after: replay::Report, out: &Path, report: &Report) -> Result<()> {
        let options = self.replay_options();
        let (ignore, lost) = (self.ignored(report), lost(report));
        let mut again = None;
        let before = self.data.before(&mut again, &options)?;
        for store in [&mut *before, &mut after.store] {
            if self.convert.drop_expired {
                remove_expired(store, self.convert.now_ms);
            }
        }
        let is_lost = |difference: &Difference| match difference {
            Difference::Only { db, key, .. } | Difference::Key { db, key, .. } => {
                lost.contains(&(*db, &key[..]))
            }
            Difference::Function { .. } => false,
        };
        let (a, b) = (before.look(), after.store.look());
        let options = compare::Options { ignore, ..compare::Options::default() };
        let compared = Comparison::new(&a, &b, &options);
        let difference = compared.differences(1).find(|other| !is_lost(other));
        if let Some(difference) = difference {
            let what = match &difference {
                Difference::Only { key, .. } | Difference::Key { key, .. } => key,
                Difference::Function { name, .. } => name,
            };
            return Err(unequal_to(out, &format!("\"{}\"", what.escape_ascii())));
        }
        self.verified = Some(b.digest(Style::default(), self.convert.jobs));
        Ok(())
    }

    /// What is not the same, and need not be.
    fn ignored(&self, report: &Report) -> Ignore {
        Ignore {
            access: report.losses.contains_key(&Loss::Access),
            functions: report.losses.contains_key(&Loss::Function),
            gone: report.losses.contains_key(&Loss::PendingGone),
            // Before 7.0 streams had no counters; we count all the same, from what there is.
            groups: !self.convert.target.release.has_redis(7, 0),
            ..Ignore::default()
        }
    }
}

/// The keys of which something is lost that was agreed to.
fn lost(report: &Report) -> HashSet<(u64, &[u8])> {
    let lost = report.lost.iter().filter(|lost| !report.usual.contains(&lost.loss));
    lost.filter_map(|lost| lost.key.as_ref()).map(|at| (at.db, &at.key[..])).collect()
}

fn unequal_to(out: &Path, what: &str) -> Error {
    let why = format!("what was written is not what was read ({what}): a bug, please tell");
    Error::refused(out, why)
}

impl Make for Anew<'_> {
    fn form(&self) -> Form {
        self.convert.form
    }

    fn size(&self) -> u64 {
        // It is smaller than what it was, as a rule; that there is room for as much is no harm.
        self.size
    }

    fn inputs(&self) -> &[Stat] {
        &self.inputs
    }

    fn make(&mut self, sink: &mut dyn Sink) -> Result<Report> {
        match &mut self.data {
            Data::Rdb(path) => {
                let input = Input::File(path.clone());
                convert(vec![Given::File(open(&input, |_| {})?, input)], sink, self.convert)
            }
            Data::Log(path, history) => {
                let (mut options, mut expired) = (self.convert.clone(), 0);
                if history.keys > 0 && options.drop_expired {
                    // What a key with a history begins with may be expired, and the key not.
                    expired = remove_expired(&mut history.replayed.store, options.now_ms);
                    options.drop_expired = false;
                }
                let mut conversion = Conversion::new(sink, &options, false);
                history.apart()?;
                conversion.replayed(path, &mut history.replayed)?;
                let mut report = conversion.end()?;
                report.counts.expired += expired;
                Ok(report)
            }
        }
    }

    fn is_agreed(&self, report: &Report) -> bool {
        report.is_agreed(self.options.lossy)
    }

    fn check(&mut self, back: Box<dyn Read + Send>, out: &Path, report: &Report) -> Result<()> {
        let convert = self.convert;
        // What follows the data is compared as bytes, and with all the rest.
        let check = |back: Box<dyn Read + Send>| {
            convert::check::check(Box::new(back.take(report.size)), out, report, convert)
        };
        if !self.options.verify {
            self.commands = check(back)?;
            return Ok(());
        }
        if let Some(form) = self.is_plain(report) {
            return self.pass(back, form, out, report, check);
        }
        let options = self.replay_options();
        let elsewhere = if self.is_one_file { &[] } else { self.history() };
        let history = Cursor::new(elsewhere.to_vec());
        let replayed = |back: Box<dyn Read + Send>| {
            let kind = if convert.form.is_commands() { FileKind::Aof } else { FileKind::Rdb };
            let reader = Box::new(back.chain(history));
            let source = Source { reader, kind, compression: None, size: None };
            let name = if convert.form == Form::Rdb { "new.rdb" } else { "new.aof" };
            replay(source, &Input::File(name.into()), &options)
        };
        let (commands, after) = both(back, check, replayed)?;
        self.commands = commands;
        self.compare(after.map_err(|err| err.of_reading_back(out))?, out, report)
    }

    fn history(&self) -> &[u8] {
        match &self.data {
            Data::Rdb(_) => &[],
            Data::Log(_, history) => &history.commands,
        }
    }
}

/// Removes what has expired by then; says how many keys.
fn remove_expired(store: &mut Shards, now_ms: i64) -> u64 {
    store.each_mut().for_each(|engine| engine.set_clock(now_ms));
    store.remove_expired()
}

/// Reads a file once for two readers: `first` in this thread, `second` in another one, which gets what the
/// first has read, and the rest.
fn both<A, B: Send>(
    back: Box<dyn Read + Send>,
    first: impl FnOnce(Box<dyn Read + Send>) -> Result<A>,
    second: impl FnOnce(Box<dyn Read + Send>) -> B + Send,
) -> Result<(A, B)> {
    let back = Arc::new(Mutex::new(back));
    let (to, from) = sync_channel(4);
    thread::scope(|scope| {
        let other =
            scope.spawn(move || second(Box::new(Handed { from, block: Cursor::new(Vec::new()) })));
        let tee = || Tee { back: back.clone(), to: to.clone() };
        let done = first(Box::new(tee()));
        let mut rest = tee();
        drop(to);
        let mut block = vec![0; BLOCK];
        while done.is_ok() && rest.read(&mut block).is_ok_and(|len| len > 0) {}
        drop(rest);
        let second = join(other);
        Ok((done?, second))
    })
}

/// Hands on what it reads.
struct Tee {
    back: Arc<Mutex<Box<dyn Read + Send>>>,
    to: SyncSender<Vec<u8>>,
}

impl Read for Tee {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let len = self.back.lock().unwrap_or_else(PoisonError::into_inner).read(buf)?;
        // Who does not listen any more has an error to tell.
        let _ = self.to.send(buf.get(..len).unwrap_or_default().to_vec());
        Ok(len)
    }
}

/// What was handed on.
struct Handed {
    from: Receiver<Vec<u8>>,
    block: Cursor<Vec<u8>>,
}

impl Read for Handed {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let len = self.block.read(buf)?;
            if len > 0 || buf.is_empty() {
                return Ok(len);
            }
            match self.from.recv() {
                Ok(block) => self.block = Cursor::new(block),
                Err(_) => return Ok(0),
            }
        }
    }
}
