//! An AOF into its minimal form, or an RDB written anew: what a server's BGREWRITEAOF does, without one.
//!
//! ```text
//! find     the files that make it                                      [`super::repair_aof::find`]
//! replay   what they stand for (an RDB is not held, but passes by)
//! write    a new file, or a new base                                   [`anew`]
//! verify   what was written is loaded as well, key by key: is it the same?   [`super::compare::passing`]
//!          What has more in it than the data as a whole                [`super::compare`]
//! place    one file is replaced; of several the manifest, which then names the new ones   [`place`]
//! ```

pub mod anew;
pub mod keep;
pub mod place;

use std::path::{Path, PathBuf};

use self::anew::{Anew, Data};
use self::keep::History;
use super::convert::run::head_facts;
use super::convert::write::{Made, Make, to_file, to_folder};
use super::convert::{self, Form, Report};
use super::payload::target_of;
use super::repair_aof::Set;
use super::replay::{self, Expired, Whose, replay, replay_set, written_by};
use crate::aof::set::role;
use crate::error::{Error, Result};
use crate::input::detect::FileKind;
use crate::input::source::{Input, open};
use crate::join::drop_aside;
use crate::persist::folder;
use crate::persist::fs::{Fs, Stat, open_parent};
use crate::persist::target;
use crate::rdb::target::Target;
use crate::value::digest::Digest;

/// How to rewrite.
#[derive(Debug, Clone)]
pub struct Options {
    /// How to write; form and target are what is asked for below.
    pub convert: convert::Options,
    /// Whom it is for; without one, for the server that wrote it.
    pub target: Option<Target>,
    /// Begin an AOF with an RDB; `None`: as it was.
    pub preamble: Option<bool>,
    /// Make an RDB.
    pub to_rdb: bool,
    /// Leave out what the target cannot hold.
    pub lossy: bool,
    /// Load what was written, and compare.
    pub verify: bool,
    /// Carry over the history of keys that unknown commands touch.
    pub keep_unknown: bool,
    /// What becomes of the old files of an AOF that is rewritten in place.
    pub old: Old,
}

/// What becomes of old files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Old {
    /// They are history: the server removes them when it starts.
    Mark,
    /// They stay, and nothing names them.
    Keep,
    /// They are removed.
    Remove,
}

/// What was done.
#[derive(Debug)]
pub struct Rewritten {
    /// Bytes that were read.
    pub before: u64,
    /// Bytes that were written, the manifest aside.
    pub after: u64,
    /// Commands that were read, and that were written.
    pub commands: (u64, u64),
    /// Whom it is for.
    pub target: Target,
    /// Whether that is a guess, since the file does not say who wrote it.
    pub is_guess: bool,
    /// What was written.
    pub form: Form,
    /// What was made, and what would be lost.
    pub report: Report,
    /// The digest of both, if they were compared.
    pub verified: Option<Digest>,
    /// Keys whose history was carried over.
    pub kept: u64,
    /// The new files; none when it was not written.
    pub written: Vec<PathBuf>,
    /// The old ones that are no longer part of it, and still there unless they were removed.
    pub old: Vec<PathBuf>,
}

/// Rewrites an AOF or RDB into `out`, or in place.
///
/// # Errors
/// When something cannot be read or written, or what was written is not the same.
pub fn rewrite(
    fs: &dyn Fs,
    set: &Set,
    out: Option<&Path>,
    options: &Options,
    how: &target::Options,
) -> Result<Rewritten> {
    let files = files(fs, set)?;
    let before = files.iter().map(|(_, stat)| stat.size).sum();
    let inputs: Vec<Stat> = files.iter().map(|(_, stat)| *stat).collect();
    if let Some(out) = out {
        // Before all the work, although it is looked at again behind it.
        match &set.manifest {
            Some(_) if !options.to_rdb => folder::place(fs, out, before)?,
            _ => {
                let inputs = inputs.clone();
                let how = target::Options { size: before, inputs, ..how.clone() };
                target::Target::open(fs, out, &how)?
            }
        };
    }
    let (mut data, has_rdb, writer) = load(set, options)?;
    let known = options.target.or(writer);
    let target = known.unwrap_or_else(Target::newest);
    let is_rdb = matches!(data, Data::Rdb(_)) || options.to_rdb;
    let convert = convert::Options {
        target,
        form: form(options, target, is_rdb, has_rdb)?,
        tolerate_unknown: options.keep_unknown,
        // The comparison must know every key that is not what it was.
        losses: usize::MAX,
        engine: data.config(&options.convert.engine),
        ..options.convert.clone()
    };
    let read = data.commands();
    let stem = set.manifest.as_ref().and_then(|(path, ..)| stem(path));
    let mut maker = Anew::new(data, (inputs, before), stem.is_none(), &convert, options)?;
    let mut old = Vec::new();
    let Made { report, written } = match (out, &set.manifest, stem) {
        (Some(out), _, None) => to_file(fs, &mut maker, out, how.clone())?,
        (Some(out), ..) if is_rdb => to_file(fs, &mut maker, out, how.clone())?,
        (Some(out), _, Some(stem)) => to_folder(fs, &mut maker, out, &stem)?,
        (None, _, _) if options.to_rdb => {
            let why =
                "an RDB in the place of an AOF is what no server looks for; name a file with -o";
            return Err(Error::Usage(why.to_owned()));
        }
        (None, Some((path, seen, manifest)), Some(stem)) => {
            let place = place::Place { fs, path, seen, manifest, stem: &stem, files: &files };
            let (made, gone) = place.rewrite(&mut maker, options.old, how)?;
            old = gone;
            made
        }
        (None, ..) => {
            let Some((path, seen)) = files.first() else {
                return Err(Error::Usage("nothing to rewrite".to_owned()));
            };
            let how = target::Options { expected: Some(*seen), ..how.clone() };
            to_file(fs, &mut maker, path, how)?
        }
    };
    let kept = maker.kept_keys();
    let after = report.size + if is_rdb { 0 } else { maker.history().len() as u64 };
    let (written_commands, verified) = (maker.commands, maker.verified);
    drop_aside(maker.into_data());
    Ok(Rewritten {
        before,
        after,
        commands: (read, written_commands),
        target,
        is_guess: known.is_none(),
        form: convert.form,
        report,
        verified,
        kept,
        written,
        old,
    })
}

/// The files as they are before they are read.
fn files(fs: &dyn Fs, set: &Set) -> Result<Vec<(PathBuf, Stat)>> {
    let stat = |path: &PathBuf| {
        let (dir, name) = open_parent(fs, path)?;
        dir.stat(&name).map_err(|err| Error::io(path, "look at", err))
    };
    set.files.iter().map(|(path, _)| Ok((path.clone(), stat(path)?))).collect()
}

/// What the names of the files begin with.
fn stem(manifest: &Path) -> Option<Vec<u8>> {
    role(manifest.file_name()?.as_encoded_bytes()).map(|(stem, _)| stem.to_vec())
}

/// Reads what is to be rewritten: the data, whether it begins with an RDB (`None`: it need not have), and
/// whose it is.
fn load(set: &Set, options: &Options) -> Result<(Data, Option<bool>, Option<Target>)> {
    let convert = &options.convert;
    let log = replay::Options {
        limits: convert.limits,
        jobs: convert.jobs,
        engine: convert.engine.clone(),
        whose: options.target.map_or(Whose::Writer(None), Whose::writer_or),
        now_ms: convert.now_ms,
        expired: Some(Expired::Keep),
        ..replay::Options::default()
    };
    let keep = options.keep_unknown;
    if let Some((path, ..)) = &set.manifest {
        let folder = path.parent().filter(|parent| *parent != Path::new(""));
        let stem = stem(path).unwrap_or_default();
        let report = replay_set(folder.unwrap_or(Path::new(".")), &stem, &log, |_| {})?;
        let writer = report.written_by().map(target_of);
        let has_base = set.manifest.as_ref().is_some_and(|(.., m)| m.base().is_some());
        let first = report.parts.first().map(|part| part.rdb.is_some());
        let history = if keep { History::of(set, report, &log)? } else { History::none(report) };
        return Ok((
            Data::Log(path.clone(), Box::new(history)),
            first.filter(|_| has_base),
            writer,
        ));
    }
    let Some((path, _)) = set.files.first() else {
        return Err(Error::Usage("nothing to rewrite".to_owned()));
    };
    let input = Input::File(path.clone());
    let source = open(&input, |_| {})?;
    if source.compression.is_some() {
        return Err(Error::refused(path, "it is compressed; unpack it first, or convert it"));
    }
    if source.kind == FileKind::Manifest {
        return Err(Error::refused(path, "a manifest under another name than the server's"));
    }
    let (source, is_log) = convert::run::is_log(source, &input)?;
    if !is_log {
        let (facts, _) = head_facts(source, &input)?;
        let own = facts.header().and_then(|header| Target::version(header.version));
        let writer = written_by(&facts).map(target_of).or(own);
        return Ok((Data::Rdb(path.clone()), Some(true), writer));
    }
    let report = replay(source, &input, &log)?;
    let writer = report.written_by().map(target_of);
    let has_rdb = report.parts.first().map(|part| part.rdb.is_some());
    let history = if keep { History::of(set, report, &log)? } else { History::none(report) };
    Ok((Data::Log(path.clone(), Box::new(history)), has_rdb, writer))
}

fn form(options: &Options, target: Target, is_rdb: bool, has_rdb: Option<bool>) -> Result<Form> {
    if is_rdb {
        return Ok(Form::Rdb);
    }
    let knows = target.release.has_redis(4, 0);
    if options.preamble == Some(true) && !knows {
        let why = "an RDB at the start of an AOF came with 4.0";
        return Err(Error::Usage(why.to_owned()));
    }
    let preamble = options.preamble.or(has_rdb).unwrap_or(true) && knows;
    Ok(if preamble { Form::Preamble } else { Form::Commands })
}
