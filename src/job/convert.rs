//! RDBs and AOFs into another file, for another server.
//!
//! ```text
//! JSON Lines ──► records ─┐
//! RDB ──► chunks ─────────┴───────────────┐
//!                                         ├─► workers: pieces of the new file ──► in their order ──► sink
//! AOF ──► replayed ──► store ──► batches ─┘
//! ```
//!
//! Of an RDB nothing but chunks is ever held, and a value passes through untouched where the target reads
//! its row; an AOF is held as the data that it stands for. Several inputs come one after the other
//! ([`merge`]).
//!
//! What the target cannot hold is a loss with a code and a key's name. The counts of RESIZEDB are known
//! only after the keys: they are filled in afterwards ([`Sink::patch`]). [`mod@write`] puts the file in its
//! place once it was read back.

mod assembly;
mod beside;
pub mod check;
mod commands;
pub mod inputs;
mod key;
pub mod merge;
mod parts;
pub mod run;
mod sound;
mod store;
mod text;
mod twice;
mod worker;
pub mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub use self::merge::Winner;
pub use self::run::{Conversion, convert};

use super::filter::Filter;
use super::rdb_facts::Facts;
use super::replay::Whose;
use super::subject::SetPath;
use crate::engine;
use crate::finding::{Findings, KeyPlace};
use crate::input::source::{Input, Source};
use crate::limits::Limits;
use crate::loss::Loss;
use crate::rdb::skim::Outcome;
use crate::rdb::target::Target;
use crate::rdb::versions::Release;

/// What a conversion makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An RDB.
    Rdb,
    /// An RDB that an AOF begins with, and behind it commands for what only those can make.
    Preamble,
    /// Commands: an AOF without a preamble, and what `redis-cli --pipe` takes.
    Commands,
    /// The same, with a RESTORE for each key.
    Restore,
    /// JSON Lines, which hold everything.
    JsonLines,
    /// A JSON document.
    Json,
    /// A table.
    Csv,
}

impl Form {
    /// Whether it has nothing but commands.
    pub fn is_commands(self) -> bool {
        matches!(self, Form::Commands | Form::Restore)
    }

    /// Whether it is for no server.
    pub fn is_text(self) -> bool {
        matches!(self, Form::JsonLines | Form::Json | Form::Csv)
    }

    /// Whether it is read back as an RDB, and so checked as one. Of the others a value must be checked on its
    /// way, for nobody can tell afterwards what it came from.
    pub fn is_read_back(self) -> bool {
        matches!(self, Form::Rdb | Form::Preamble)
    }

    /// Whether a loss is told and needs no consent: a server's own rewrite to this form has it.
    pub fn is_usual(self, loss: Loss) -> bool {
        self != Form::Rdb && !self.is_text() && loss.is_usual_in_commands()
    }
}

/// How to convert.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bounds.
    pub limits: Limits,
    /// Workers.
    pub jobs: usize,
    /// What to make.
    pub form: Form,
    /// Whom it is for, unless it is text.
    pub target: Target,
    /// `rdbcompression` of what is encoded anew.
    pub compress: bool,
    /// Which keys are taken.
    pub filter: Filter,
    /// Databases that get another number.
    pub map_db: BTreeMap<u64, u64>,
    /// Leave out keys whose time has come.
    pub drop_expired: bool,
    /// Added to every expire time, of fields too, in ms.
    pub shift_ttl_ms: i64,
    /// Unix time in ms.
    pub now_ms: i64,
    /// Losses that are told one by one, besides usual ones up to the limit of findings.
    pub losses: usize,
    /// What of several inputs counts that have a key in common; `None`: that is damage.
    pub winner: Option<Winner>,
    /// Take what a file holds that is cut short.
    pub tolerate_tail: bool,
    /// Pass over commands of an AOF that fail, as servers do when they start.
    pub tolerate_failed: bool,
    /// Pass over commands that are not known: what they do is carried over in another way.
    pub tolerate_unknown: bool,
    /// The store that AOFs are replayed into.
    pub engine: engine::Config,
    /// By whose rules that is done.
    pub whose: Whose,
}

impl Options {
    /// The server that it is for; text is for none.
    pub fn server(&self) -> Option<&'static Release> {
        (!self.form.is_text()).then_some(self.target.release)
    }

    /// Everything as it is, into a form for a target.
    pub fn new(form: Form, target: Target) -> Options {
        Options {
            limits: Limits::default(),
            losses: Limits::default().findings,
            jobs: 1,
            form,
            target,
            compress: true,
            filter: Filter::default(),
            map_db: BTreeMap::new(),
            drop_expired: false,
            shift_ttl_ms: 0,
            now_ms: 0,
            winner: None,
            tolerate_tail: false,
            tolerate_failed: false,
            tolerate_unknown: false,
            engine: engine::Config::default(),
            whose: Whose::writer_or(target),
        }
    }
}

/// An input.
#[derive(Debug)]
pub enum Given {
    /// An RDB, or an AOF of one file.
    File(Source, Input),
    /// An AOF of several files.
    Set(SetPath),
}

/// Where the new file goes.
pub trait Sink: Write {
    /// Puts `new` in the place of `old` at an offset.
    ///
    /// # Errors
    /// When it cannot be written.
    fn patch(&mut self, offset: u64, old: &[u8], new: &[u8]) -> io::Result<()>;

    /// What it is called in errors.
    fn path(&self) -> &Path {
        Path::new("the output")
    }
}

/// Something that the target cannot hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// What it is.
    pub loss: Loss,
    /// The key it belongs to, if it does.
    pub key: Option<KeyPlace>,
    /// Where it is in the source: 0 of what comes from a log.
    pub offset: u64,
    /// The whole key is left out.
    pub whole: bool,
}

/// What became of keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Written.
    pub keys: u64,
    /// Of them, with an expire time.
    pub expires: u64,
    /// Of those written, encoded anew.
    pub encoded: u64,
    /// Written as commands behind an RDB; not among the others.
    pub behind: u64,
    /// Left out because they had expired.
    pub expired: u64,
    /// Left out by the filter.
    pub filtered: u64,
    /// Left out because the target cannot hold them.
    pub lost: u64,
    /// Left out because another input has them.
    pub twice: u64,
    /// Left out of commands because they have no elements: servers pass over them in a file.
    pub empty: u64,
}

impl Counts {
    /// All that were written.
    pub fn written(&self) -> u64 {
        self.keys + self.behind
    }
}

/// What an input was.
#[derive(Debug)]
pub struct Read {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub what: What,
}

/// Kinds of inputs.
#[derive(Debug)]
pub enum What {
    /// An RDB, and how reading it ended.
    Rdb(Box<(Facts, Outcome)>),
    /// JSON Lines, and what they tell of the RDB that they come from.
    Lines(Box<(Facts, Outcome)>),
    /// An AOF.
    Log {
        /// Commands that were run.
        applied: u64,
        /// Commands that failed.
        failed: u64,
        /// Commands that could not be run.
        skipped: u64,
    },
}

/// What was done.
#[derive(Debug)]
pub struct Report {
    /// What the inputs are.
    pub read: Vec<Read>,
    /// What keeps them from being converted.
    pub damage: Findings,
    /// Keys.
    pub counts: Counts,
    /// Databases written to.
    pub databases: BTreeSet<u64>,
    /// What the target cannot hold, in the order of the file, up to [`Options::losses`].
    pub lost: Vec<Lost>,
    /// How much there is of each.
    pub losses: BTreeMap<Loss, u64>,
    /// Of these losses, those that are told and need no consent: the server's own rewrite has them.
    pub usual: BTreeSet<Loss>,
    /// AUX fields that were true of the source and would not be of the new file.
    pub aux_left_out: BTreeSet<Vec<u8>>,
    /// Bytes of the new file.
    pub size: u64,
    /// Their CRC-64, of a form of text.
    pub crc: u64,
}

impl Report {
    /// Whether something is lost that must be agreed to.
    pub fn has_losses(&self) -> bool {
        self.losses.keys().any(|loss| !self.usual.contains(loss))
    }
}
