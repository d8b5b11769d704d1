//! The keys of an RDB, record by record.

use std::io::{self, Read};

use super::{Against, Options};
use crate::job::load::{Builder, Out, Spare};
use crate::job::pipeline::{self, Parts, Worker};
use crate::job::rdb_file::RdbFile;
use crate::rdb::skim::Chunk;

/// Compares the RDB in `reader`, in parts.
///
/// # Errors
/// When it cannot be read.
pub(super) fn compare<'a>(
    reader: Box<dyn Read + Send>,
    options: &'a Options<'a>,
    against: impl Fn() -> Against<'a>,
) -> io::Result<Vec<Against<'a>>> {
    let spare = Spare::default();
    let make = || {
        let builder = Builder::new(options.limits, options.engine.packed, options.server, &spare);
        Comparer { builder, spare: &spare, against: against() }
    };
    let mut file = RdbFile::new(reader, options.limits);
    let workers = pipeline::run(&mut file, options.jobs, make, |()| {})?;
    Ok(workers.into_iter().map(|worker| worker.against).collect())
}

/// Compares the keys of chunks.
struct Comparer<'s, 'a> {
    builder: Builder<'s>,
    spare: &'s Spare,
    against: Against<'a>,
}

impl Worker<Chunk> for Comparer<'_, '_> {
    type Out = ();

    fn chunk(&mut self, chunk: &Chunk, _: Parts<'_, ()>) {
        let Out { keys, functions, .. } = self.builder.build(chunk);
        for loaded in &keys {
            self.against.take(loaded.db, &loaded.key, &loaded.item);
        }
        self.against.libraries.extend(functions);
        self.spare.give(keys);
    }
}
