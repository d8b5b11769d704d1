//! A file into the store: what a server would recover from it.

use super::load::{Builder, Out};
use super::pipeline;
use super::rdb_facts::Facts;
use super::rdb_file::RdbFile;
use crate::engine::{Config, Engine, Failure, Release};
use crate::error::{Error, Result};
use crate::finding::Finding;
use crate::input::source::{Input, Source};
use crate::limits::Limits;
use crate::rdb::skim::Outcome;

/// How to load.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bounds.
    pub limits: Limits,
    /// Workers.
    pub jobs: usize,
    /// The store's settings.
    pub engine: Config,
    /// Unix time in ms.
    pub now_ms: i64,
}

/// A store filled from an RDB, and what was met on the way.
#[derive(Debug)]
pub struct Loaded {
    /// The store.
    pub engine: Engine,
    /// Facts about the file.
    pub facts: Facts,
    /// How reading it ended.
    pub outcome: Outcome,
    /// What is wrong with values, in the order of the file.
    pub findings: Vec<Finding>,
    /// Keys left out because they are damaged or of no known form.
    pub left_out: u64,
}

/// Loads an RDB into a store of its own.
///
/// # Errors
/// When the source cannot be read, or the data does not fit the memory allowed.
pub fn load_rdb(source: Source, input: &Input, options: &Options) -> Result<Loaded> {
    let failed = |err| Error::io(input.path(), "read", err);
    let mut file = RdbFile::new(source.reader, options.limits);
    let mut engine = Engine::new(options.engine.clone());
    let mut facts = Facts::default();
    let (mut findings, mut left_out, mut refused) = (Vec::new(), 0, None);
    let make = || Builder::new(options.limits, options.engine.packed);
    let workers = pipeline::run(&mut file, options.jobs, make, |out: Out| {
        out.once.into_iter().for_each(|fact| facts.keep(fact));
        let room = options.limits.findings.saturating_sub(findings.len());
        findings.extend(out.findings.into_iter().take(room));
        left_out += out.left_out;
        for (name, code) in out.functions {
            engine.put_function(&name, &code);
        }
        for key in out.keys {
            if refused.is_none() {
                refused = engine.put(key.db, &key.key, key.item).err();
            }
        }
    })
    .map_err(failed)?;
    if let Some(failure) = refused {
        return Err(too_large(input, &failure));
    }
    for worker in workers {
        facts.merge(worker.facts);
    }
    let (outcome, _) = file.finish().map_err(failed)?;
    Ok(Loaded { engine, facts, outcome, findings, left_out })
}

fn too_large(input: &Input, failure: &Failure) -> Error {
    let why = String::from_utf8_lossy(failure.as_bytes()).into_owned();
    Error::Usage(format!("{}: does not fit: {why}", input.path().display()))
}

/// The release that wrote a file, by what it says of itself.
pub fn written_by(facts: &Facts) -> Option<Release> {
    let version = |text: &[u8]| {
        let text = std::str::from_utf8(text).ok()?;
        let mut parts = text.split('.').map(|part| part.parse::<u8>());
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    };
    if let Some((major, minor)) = facts.aux_value(b"valkey-ver").and_then(version) {
        return Some(Release::valkey(major, minor));
    }
    let (major, minor) = facts.aux_value(b"redis-ver").and_then(version)?;
    Some(Release::redis(major, minor))
}
