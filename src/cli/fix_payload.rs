//! `rdbtool repair --payload`: what DUMP gave for a key, in a file.

use std::io::Read;
use std::path::Path;

use super::Exit;
use super::args::Common;
use super::fix::FixArgs;
use super::output::Output;
use crate::error::{Error, Result};
use crate::input::source::{Input, open};
use crate::job::heal::payload::{Standing, look};
use crate::limits::Limits;
use crate::persist::real::RealFs;
use crate::persist::replace::{Replaced, Replacement};
use crate::persist::signals;
use crate::report::json;
use crate::report::payload::Mended;

/// Heals a payload, or says what would be done.
///
/// # Errors
/// When it cannot be read or written.
pub(super) fn repair(
    fix: &FixArgs,
    path: &Path,
    out: Option<&Path>,
    limits: Limits,
    common: &Common,
) -> anyhow::Result<Exit> {
    let payload = read(path, limits)?;
    // redis-cli ends its output with a line feed, which is none of DUMP's.
    let (mut payload, mut standing) = (payload.as_slice(), look(&payload));
    if let (Standing::Beyond, Some((b'\n', less))) = (&standing, payload.split_last()) {
        let of_less = look(less);
        if of_less != Standing::Beyond {
            (payload, standing) = (less, of_less);
        }
    }
    let written = match &standing {
        Standing::Heals(patch) if !fix.dry_run => {
            signals::install().map_err(|err| Error::io(Path::new("signals"), "catch", err))?;
            let mut healed = payload.to_vec();
            patch.put_into(&mut healed, 0);
            Some(write(fix, path, out, &healed)?)
        }
        _ => None,
    };
    let exit = match &standing {
        Standing::Sound => Exit::Clean,
        Standing::Heals(_) if written.is_some() => Exit::Clean,
        Standing::Heals(_) | Standing::NoChecksum => Exit::Look,
        Standing::Beyond | Standing::Short => Exit::Failed,
    };
    let size = payload.len() as u64;
    let mended = Mended { path, size, standing: &standing, written: written.as_ref() };
    let mut to = Output::open(None, &[])?;
    if common.json {
        json::line(&mut to, &mended.json())?;
    } else if !(common.quiet && exit == Exit::Clean) {
        let screen = to.screen(common.color);
        mended.text(&mut to, &screen)?;
    }
    to.finish()?;
    Ok(exit)
}

/// The whole file, if that is no longer than a string may be.
fn read(path: &Path, limits: Limits) -> Result<Vec<u8>> {
    let failed = |err| Error::io(path, "read", err);
    let source = open(&Input::File(path.to_owned()), |_| {})?;
    let mut payload = Vec::new();
    let mut reader = source.reader.take(limits.string.saturating_add(1));
    reader.read_to_end(&mut payload).map_err(failed)?;
    if payload.len() as u64 > limits.string {
        let why = "longer than any string may be (--max-string), so it is no payload";
        return Err(Error::Usage(format!("{}: {why}", path.display())));
    }
    Ok(payload)
}

fn write(fix: &FixArgs, path: &Path, out: Option<&Path>, healed: &[u8]) -> Result<Replaced> {
    let (_, how) = fix.how(out.is_none());
    let new = Replacement::begin(&RealFs, out.unwrap_or(path), how)?.with(healed)?;
    new.commit(|mut reader| {
        let mut read = Vec::new();
        let failed = |err| Error::io(path, "read back", err);
        reader.read_to_end(&mut read).map_err(failed)?;
        match look(&read) {
            Standing::Sound => Ok(()),
            _ => Err(Error::refused(path, "what was written is not what was meant")),
        }
    })
}
