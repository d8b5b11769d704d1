//! A new AOF: a folder with a base of the data that is there, an empty incr file and the manifest, all of it
//! or nothing.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::dump::Dump;
use super::record::Form;
use super::{Opened, Options};
use crate::aof::manifest::{Entry, Kind, Manifest};
use crate::aof::set::{base_name, incr_name};
use crate::aof::startup::Plan;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::persist::folder::NewFolder;
use crate::persist::fs::{Fs, open_parent};
use crate::persist::replace::Replacement;
use crate::persist::temp::sweep;

/// Bytes that are made at a time.
const BLOCK: usize = 1 << 20;

/// Makes one of what the engine holds.
///
/// # Errors
/// When it cannot be written, or there is a folder of that name with something in it.
pub(super) fn create(
    fs: &dyn Fs,
    options: &Options,
    plan: &Plan,
    engine: &mut Engine,
    opened: &mut Opened,
) -> Result<Manifest> {
    let path = options.dir().join(&options.files.append_dir_name);
    if plan.set.is_some() {
        // One that was begun at run time and had no base yet.
        sweep(fs, &path);
        let (dir, name) = open_parent(fs, &path)?;
        dir.remove_dir(&name).map_err(|err| Error::io(&path, "remove the empty", err))?;
    }
    let folder = NewFolder::begin(fs, &path, 0)?;
    let manifest = match fill(&folder, options, engine) {
        Ok(manifest) => manifest,
        Err(error) => return Err(folder.abandon(error)),
    };
    folder.commit()?;
    opened.notes.push(format!("{}: a new AOF", path.display()));
    Ok(manifest)
}

fn fill(folder: &NewFolder<'_>, options: &Options, engine: &mut Engine) -> Result<Manifest> {
    let name = |name: &[u8]| OsString::from_vec(name.to_vec());
    let stem = options.files.append_file_name.as_bytes();
    let form = options.base_form();
    let (base, incr) = (base_name(stem, 1, !form.is_rdb()), incr_name(stem, 1));
    let file = write(folder.file(&name(&base), None)?, form, options, engine)?;
    file.commit(|_| Ok(()))?;
    folder.file(&name(&incr), None)?.commit(|_| Ok(()))?;
    let entries = vec![Entry::new(&base, 1, Kind::Base), Entry::new(&incr, 1, Kind::Incr)];
    let manifest = Manifest { entries };
    let file = folder.file(&name(&[stem, b".manifest"].concat()), None)?;
    file.with(&manifest.write())?.commit(|_| Ok(()))?;
    Ok(manifest)
}

fn write<'f>(
    mut file: Replacement<'f>,
    form: Form,
    options: &Options,
    engine: &mut Engine,
) -> Result<Replacement<'f>> {
    let mut block = Vec::new();
    let mut dump = Dump::begin(engine, form, options.compress, None, &mut block);
    loop {
        let more = dump.step(engine, BLOCK, &mut block);
        let failed = |err| Error::io(options.dir(), "write the AOF in", err);
        let written = match dump.fault() {
            Some(why) => Err(Error::Usage(why)),
            None => file.write_all(&block).map_err(failed),
        };
        if let Err(error) = written {
            engine.end_point();
            return Err(file.abandon(error));
        }
        block.clear();
        if !more {
            return Ok(file);
        }
    }
}
