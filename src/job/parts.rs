//! The files of a multi-part AOF, opened one after the other as a server does.

use super::subject::SetPath;
use crate::aof::folder::Folder;
use crate::aof::set::{Part, Set};
use crate::error::{Error, Result};
use crate::finding::Severity;
use crate::input::source::{Input, Source, read};

/// Finds the files of a multi-part AOF.
///
/// # Errors
/// When the folder or the manifest cannot be read, or there is no manifest that says which files these
/// are and in which order.
pub fn open_set(path: &SetPath) -> Result<Set> {
    let failed = |err| Error::io(&path.folder, "read", err);
    let set = Folder::open(&path.folder).and_then(|folder| Set::open(folder, &path.stem));
    let set = set.map_err(failed)?;
    let is_error = |severity| severity == Severity::Error;
    let broken = set.manifest_findings.iter().find(|finding| is_error(finding.severity()));
    let why = match (&set.manifest, broken) {
        (None, _) => "there is none, so nothing says which files are the AOF, in which order",
        (_, Some(_)) => "a server does not take it; rdbtool check says why",
        (Some(_), None) => return Ok(set),
    };
    Err(Error::Usage(format!(
        "{}: {why}; files can be named one by one",
        path.manifest().display()
    )))
}

/// Opens one of the files. `watch` is told how many of its bytes were read.
///
/// # Errors
/// When it is not there, no regular file, or cannot be read.
pub fn open_part(
    set: &Set,
    part: &Part,
    watch: impl Fn(u64) + Send + 'static,
) -> Result<(Source, Input)> {
    let input = Input::File(set.folder.path.join(part.name()));
    let opened = set.folder.file(part.name());
    let (file, size) = opened.map_err(|err| Error::io(input.path(), "open", err))?;
    Ok((read(&input, Box::new(file), Some(size), watch)?, input))
}
