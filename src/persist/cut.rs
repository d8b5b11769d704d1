//! Cutting the tail off a file that is too large to be written anew. It is the one change in place, and
//! nothing is lost by it (RELIABILITY 3.5):
//!
//! ```text
//! 1 look at the target       as for a replacement
//! 2 save the tail            as <name>.tail-<offset>, by the protocol of [`super::replace`]: on the
//!                            disk, and its name too, before anything changes
//! 3 look at the target       unchanged?
//! 4 cut it, fsync it         only now it is done
//! ```
//!
//! Killed or without power at any moment, the file has its old length or its new one, and what is not in
//! it is in the saved tail: both together are the old file, byte for byte.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fs::{Access, File, Fs, read_full_at};
use super::replace::{back_up_copy, copy_beside, free_name};
use super::target::{Options, Target, Warning};
use crate::error::Result;

/// Bytes that are compared at a time.
const BLOCK: usize = 64 << 10;

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The file that is shorter now.
    pub path: PathBuf,
    /// Its length.
    pub size: u64,
    /// Where the bytes are that were cut off.
    pub tail: PathBuf,
    /// How many they are.
    pub tail_len: u64,
    /// Where a copy of the whole old file is.
    pub backup: Option<PathBuf>,
    /// What the user should know.
    pub warnings: Vec<Warning>,
}

/// Cuts a file at an offset.
///
/// # Errors
/// When it may not be written to, is not that long, or something fails. It has its old length then,
/// except if the very last step failed: nobody knows then whether a power cut would bring the tail back.
pub fn cut_tail(fs: &dyn Fs, path: &Path, offset: u64, options: &Options) -> Result<Cut> {
    let target = Target::open(fs, path, options)?;
    let failed = |doing| target.failed(doing);
    let file = target.dir.open(&target.name, Access::Update).map_err(failed("open"))?;
    let before = file.stat().map_err(failed("look at"))?;
    if offset >= before.size {
        return Err(target.refuse(format!("it has {} bytes, no tail at {offset}", before.size)));
    }
    let backup = match options.backup_at_ms {
        Some(at_ms) => Some(back_up_copy(fs, &target, at_ms)?),
        None => None,
    };
    let forget = |names: [Option<&OsStr>; 2]| {
        for name in names.into_iter().flatten() {
            target.dir.unlink(name).unwrap_or_default();
        }
    };
    let (tail, is_new) = match save_tail(fs, &target, &file, offset..before.size) {
        Ok(saved) => saved,
        Err(err) => {
            forget([backup.as_deref(), None]);
            return Err(err);
        }
    };
    let cut = target
        .must_be_unchanged()
        .and_then(|()| file.set_len(offset).map_err(failed("cut the tail off")));
    if let Err(err) = cut {
        // Nothing happened, so nothing needs to be kept; but an error may come from a cut that was made.
        if target.must_be_unchanged().is_ok() {
            forget([backup.as_deref(), is_new.then_some(tail.as_os_str())]);
        }
        return Err(err);
    }
    file.sync().map_err(failed("make durable the cut of"))?;
    Ok(Cut {
        size: offset,
        tail: target.path.with_file_name(tail),
        tail_len: before.size - offset,
        backup: backup.map(|name| target.path.with_file_name(name)),
        path: target.path,
        warnings: target.warnings,
    })
}

/// Saves the tail, unless a run that died did so already. Says under which name, and whether it is new.
fn save_tail(
    fs: &dyn Fs,
    target: &Target,
    file: &Arc<dyn File>,
    part: std::ops::Range<u64>,
) -> Result<(OsString, bool)> {
    let name = tail_name(&target.name, part.start, 0);
    if let Ok(saved) = target.dir.open(&name, Access::Read)
        && same_bytes(&*saved, &**file, part.start).unwrap_or(false)
    {
        let failed = |err| target.failed("make durable the tail of")(err);
        saved.sync().map_err(failed)?;
        target.dir.sync().map_err(failed)?;
        return Ok((name, false));
    }
    let name = free_name(target, |number| tail_name(&target.name, part.start, number))?;
    copy_beside(fs, target, &name, part)?;
    Ok((name, true))
}

/// Whether one file is the other from an offset on.
fn same_bytes(tail: &dyn File, whole: &dyn File, offset: u64) -> std::io::Result<bool> {
    let (mut a, mut b) = (vec![0; BLOCK], vec![0; BLOCK]);
    let mut pos = 0;
    loop {
        let len = read_full_at(tail, &mut a, pos)?;
        let same =
            len == read_full_at(whole, &mut b, offset + pos)? && a.get(..len) == b.get(..len);
        if len == 0 || !same {
            return Ok(same);
        }
        pos += len as u64;
    }
}

/// `<name>.tail-<offset>`, with a number for the second one.
fn tail_name(name: &OsStr, offset: u64, number: u32) -> OsString {
    let mut tail = name.to_owned();
    tail.push(format!(".tail-{offset}"));
    if number > 0 {
        tail.push(format!("-{number}"));
    }
    tail
}
