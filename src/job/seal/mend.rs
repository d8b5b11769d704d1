//! Healing a file by its seal: a new file with the bytes as they were sealed, which is held against the seal
//! before it counts.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::find::Survey;
use super::{Beside, Standing, Subject, Verdict};
use crate::encoding::crc64::Crc64;
use crate::encoding::seal::sum;
use crate::error::{Error, Result};
use crate::persist::fs::Fs;
use crate::persist::replace::{Replaced, Replacement};
use crate::persist::target;

/// Whether a seal has something to heal: damage, of which some blocks can be healed.
pub fn can_mend(survey: &Survey) -> bool {
    !survey.cure.mended.is_empty() && standing(survey).is_some()
}

fn standing(survey: &Survey) -> Option<&Standing> {
    match &survey.beside {
        Beside::Seal(standing) if standing.verdict() == Verdict::Damaged => Some(standing),
        _ => None,
    }
}

/// Writes the healed file, in place or to `out`.
///
/// # Errors
/// When something fails, or what was written does not fit the seal. The file is as it was then.
pub fn mend(
    fs: &dyn Fs,
    subject: &Subject,
    survey: &Survey,
    out: Option<&Path>,
    mut how: target::Options,
) -> Result<Replaced> {
    let Some(standing) = standing(survey) else {
        return Err(Error::refused(&subject.path, "its seal has nothing to heal"));
    };
    let size = subject.seen.size;
    how.inputs.push(subject.seen);
    if out.is_none() {
        how.expected = Some(subject.seen);
    }
    how.size = size;
    let path: PathBuf = out.unwrap_or(&subject.path).to_owned();
    let mut new = Replacement::begin(fs, &path, how)?;
    let mut written = new.copy(&subject.file, &subject.path, 0, size);
    for mended in &survey.cure.mended {
        let patch = &mended.patch;
        written = written.and_then(|()| {
            let patched = new.patch(patch.offset, &patch.old, &patch.new);
            patched.map_err(|err| Error::io(&path, "write the new", err))
        });
    }
    if let Err(error) = written {
        return Err(new.abandon(error));
    }
    new.commit(|reader| fits(reader, &path, standing, survey))
}

/// Whether the blocks that were healed, and with them the whole where that is proven, are as they were sealed.
fn fits(
    mut reader: Box<dyn Read + Send>,
    path: &Path,
    standing: &Standing,
    survey: &Survey,
) -> Result<()> {
    let failed = |err| Error::io(path, "read back the new", err);
    let seal = &standing.seal;
    let mut whole = Crc64::new();
    let mut buffer = Vec::new();
    for (number, then) in (0..).zip(&seal.sums) {
        let span = standing.span(number);
        buffer.clear();
        (&mut reader).take(span.end - span.start).read_to_end(&mut buffer).map_err(failed)?;
        whole.update(&buffer);
        let is_beyond = survey.cure.beyond.binary_search(&number).is_ok();
        let is_cut = span.end > standing.size;
        if !is_beyond && !is_cut && sum(&buffer) != *then {
            let why = format!("the block at {:#x} would not be as it was sealed", span.start);
            return Err(Error::refused(path, why));
        }
    }
    if survey.cure.is_proven && whole.value() != seal.whole {
        return Err(Error::refused(path, "it would not be as it was sealed"));
    }
    Ok(())
}
