//! A multi-part AOF rewritten in place, by the protocol of [`crate::persist::aofdir`]: a new base and a new
//! incr file, under names that the server would choose and that nobody has; then a manifest that names
//! them. Until that moment the AOF is the old one, and what a crash leaves behind no server looks at: an
//! incr file of that number is empty, unless history is carried over in it, and then its number is one
//! that no server comes to.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::Old;
use crate::aof::manifest::{Entry, Kind, Manifest};
use crate::aof::set::{Role, base_name, incr_name, role};
use crate::error::{Error, Result};
use crate::job::convert::write::{Made, Make, fill};
use crate::persist::aofdir::{Edit, part_name, remove_parts};
use crate::persist::fs::{Fs, Stat, open_parent};
use crate::persist::target;

/// The AOF.
pub(super) struct Place<'a> {
    pub(super) fs: &'a dyn Fs,
    /// Its manifest, and how it was when it was read.
    pub(super) path: &'a Path,
    pub(super) seen: &'a Stat,
    pub(super) manifest: &'a Manifest,
    /// What its names begin with.
    pub(super) stem: &'a [u8],
    /// The files that are loaded, as they were.
    pub(super) files: &'a [(PathBuf, Stat)],
}

impl Place<'_> {
    /// Rewrites it; what was made, and the files that are no longer part of it.
    ///
    /// # Errors
    /// When that fails. The AOF is the old one then, except if the very last step failed.
    pub(super) fn rewrite(
        &self,
        maker: &mut dyn Make,
        old: Old,
        how: &target::Options,
    ) -> Result<(Made, Vec<PathBuf>)> {
        self.must_be_free(how)?;
        let how = target::Options { expected: Some(*self.seen), ..how.clone() };
        let mut edit = Edit::begin(self.fs, self.path, how)?;
        let (base_seq, incr_seq) = self.next()?;
        let base = base_name(self.stem, base_seq, maker.form().is_commands());
        let part = edit.part(&name(&base), maker.size())?;
        let (report, part) = fill(maker, part)?;
        let Some(part) = part else {
            return Ok((Made { report, written: Vec::new() }, Vec::new()));
        };
        let mut written = vec![edit.add(part, |back| maker.check(back, self.path, &report))?.path];
        let incr = self.incr(incr_seq, maker.history());
        let part = edit.part(&name(&incr), 0)?.with(maker.history())?;
        written.push(edit.add(part, |_| Ok(()))?.path);
        let mut entries =
            vec![Entry::new(&base, base_seq, Kind::Base), Entry::new(&incr, incr_seq, Kind::Incr)];
        let mut gone = self.manifest.entries.clone();
        if old == Old::Mark {
            // As servers write it: the newest first.
            gone.iter_mut().for_each(|entry| entry.kind = Kind::History);
            entries.extend(gone.iter().rev().cloned());
        }
        self.must_be_unchanged()?;
        written.push(edit.commit(&Manifest { entries }.write())?.path);
        let names: Vec<_> = gone.into_iter().map(|entry| OsString::from_vec(entry.name)).collect();
        if old == Old::Remove {
            remove_parts(self.fs, self.path, &names)?;
        }
        let old = names.iter().map(|name| self.path.with_file_name(name)).collect();
        Ok((Made { report, written }, old))
    }

    /// A server with any of the files open is at work on all of them.
    fn must_be_free(&self, how: &target::Options) -> Result<()> {
        let files: Vec<_> = self.files.iter().map(|(_, stat)| *stat).chain([*self.seen]).collect();
        let holders = self.fs.holders(&files);
        match holders.is_empty() || how.force {
            true => Ok(()),
            false => Err(Error::refused(self.path, target::held(&holders))),
        }
    }

    /// What was read is still what is there.
    fn must_be_unchanged(&self) -> Result<()> {
        for (path, seen) in self.files {
            let (dir, name) = open_parent(self.fs, path)?;
            let now = dir.stat(&name).map_err(|err| Error::io(path, "look at", err))?;
            if !seen.unchanged(&now) {
                return Err(Error::refused(path, "it changed since it was read"));
            }
        }
        Ok(())
    }

    /// The next numbers of a base and an incr file: above all that the manifest and the folder have.
    fn next(&self) -> Result<(i64, i64)> {
        let (dir, _) = open_parent(self.fs, self.path)?;
        let names = dir.list().map_err(|err| Error::io(dir.path(), "list", err))?;
        let there = names.iter().filter_map(|name| match role(name.as_encoded_bytes()) {
            Some((stem, Role::Part { seq, kind })) if stem == self.stem => Some((kind, seq)),
            _ => None,
        });
        let named = self.manifest.entries.iter().map(|entry| (entry.kind, entry.seq));
        let (mut base, mut incr) = (0, 0);
        for (kind, seq) in there.chain(named) {
            let highest = if kind == Kind::Base { &mut base } else { &mut incr };
            *highest = seq.max(*highest);
        }
        match (base.checked_add(1), incr.checked_add(1)) {
            (Some(base), Some(incr)) => Ok((base, incr)),
            _ => Err(Error::refused(self.path, "the numbers of its files are used up")),
        }
    }

    /// The name of the new incr file.
    fn incr(&self, seq: i64, history: &[u8]) -> Vec<u8> {
        let plain = incr_name(self.stem, seq);
        match (history, std::str::from_utf8(&plain)) {
            ([], _) | (_, Err(_)) => plain,
            (_, Ok(text)) => part_name(text, 1).into_bytes(),
        }
    }
}

fn name(name: &[u8]) -> OsString {
    OsString::from_vec(name.to_vec())
}
