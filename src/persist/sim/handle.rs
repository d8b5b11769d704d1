//! Open folders and files of a [`MemFs`].

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::disk::{Body, Change, Ino, Node, Scope};
use super::{MemFs, State};
use crate::persist::fs::{Access, Dir, File, Stat};

/// An open folder.
#[derive(Debug)]
pub(super) struct MemDir {
    fs: MemFs,
    ino: Ino,
    path: PathBuf,
    locks: AtomicBool,
}

/// An open file.
#[derive(Debug)]
struct MemFile {
    fs: MemFs,
    ino: Ino,
    path: PathBuf,
    writable: bool,
    locks: AtomicBool,
}

impl MemDir {
    pub(super) fn new(fs: MemFs, ino: Ino, path: PathBuf) -> MemDir {
        MemDir { fs, ino, path, locks: AtomicBool::new(false) }
    }

    fn find(&self, state: &State, name: &OsStr) -> io::Result<Ino> {
        state.disk.live.find(self.ino, name).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn must_be_free(&self, state: &State, name: &OsStr) -> io::Result<()> {
        match state.disk.live.find(self.ino, name) {
            Some(_) => Err(ErrorKind::AlreadyExists.into()),
            None => Ok(()),
        }
    }

    /// Makes a node under a name.
    fn make(&self, state: &mut State, name: &OsStr, body: Body, mode: u32) -> Ino {
        let node = Node { body, mode, owner: (0, 0), modified: state.now };
        let ino = state.disk.add(node);
        state.name(self.ino, name, Some(ino));
        ino
    }
}

impl Dir for MemDir {
    fn path(&self) -> &Path {
        &self.path
    }

    fn open(&self, name: &OsStr, access: Access) -> io::Result<Arc<dyn File>> {
        let path = self.path.join(name);
        let mut state = self.fs.state();
        let operation = if matches!(access, Access::Create(_)) { "create" } else { "open" };
        let done = state.begin(operation, &path)?;
        let ino = match access {
            Access::Create(mode) => {
                self.must_be_free(&state, name)?;
                self.make(&mut state, name, Body::File(Arc::default()), mode)
            }
            _ => self.find(&state, name)?,
        };
        if state.disk.live.bytes(ino).is_none() {
            return Err(ErrorKind::InvalidInput.into());
        }
        drop(state);
        let writable = access != Access::Read;
        let locks = AtomicBool::new(false);
        done.answer(Arc::new(MemFile { fs: self.fs.clone(), ino, path, writable, locks }))
    }

    fn open_dir(&self, name: &OsStr) -> io::Result<Arc<dyn Dir>> {
        let path = self.path.join(name);
        let mut state = self.fs.state();
        let done = state.begin("open_dir", &path)?;
        let ino = self.find(&state, name)?;
        if state.disk.live.names(ino).is_none() {
            return Err(ErrorKind::NotADirectory.into());
        }
        done.answer(Arc::new(MemDir::new(self.fs.clone(), ino, path)))
    }

    fn make_dir(&self, name: &OsStr, mode: u32) -> io::Result<()> {
        let mut state = self.fs.state();
        let done = state.begin("make_dir", &self.path.join(name))?;
        self.must_be_free(&state, name)?;
        self.make(&mut state, name, Body::Dir(BTreeMap::new()), mode);
        done.answer(())
    }

    fn stat(&self, name: &OsStr) -> io::Result<Stat> {
        let mut state = self.fs.state();
        let done = state.begin("stat", &self.path.join(name))?;
        done.answer(state.stat(self.find(&state, name)?)?)
    }

    fn list(&self) -> io::Result<Vec<OsString>> {
        let mut state = self.fs.state();
        let done = state.begin("list", &self.path)?;
        let names = state.disk.live.names(self.ino).ok_or(ErrorKind::NotFound)?;
        done.answer(names.keys().cloned().collect())
    }

    fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let mut state = self.fs.state();
        let done = state.begin("rename", &self.path.join(to))?;
        let ino = self.find(&state, from)?;
        state.change(self.ino, Change::Rename(from.to_owned(), to.to_owned(), ino));
        done.answer(())
    }

    fn rename_new(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let mut state = self.fs.state();
        let done = state.begin("rename_new", &self.path.join(to))?;
        let ino = self.find(&state, from)?;
        self.must_be_free(&state, to)?;
        state.change(self.ino, Change::Rename(from.to_owned(), to.to_owned(), ino));
        done.answer(())
    }

    fn link(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let mut state = self.fs.state();
        let done = state.begin("link", &self.path.join(to))?;
        if !state.hard_links {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let ino = self.find(&state, from)?;
        self.must_be_free(&state, to)?;
        state.name(self.ino, to, Some(ino));
        done.answer(())
    }

    fn unlink(&self, name: &OsStr) -> io::Result<()> {
        let mut state = self.fs.state();
        let done = state.begin("unlink", &self.path.join(name))?;
        let ino = self.find(&state, name)?;
        if state.disk.live.names(ino).is_some() {
            return Err(ErrorKind::IsADirectory.into());
        }
        state.name(self.ino, name, None);
        done.answer(())
    }

    fn remove_dir(&self, name: &OsStr) -> io::Result<()> {
        let mut state = self.fs.state();
        let done = state.begin("remove_dir", &self.path.join(name))?;
        let ino = self.find(&state, name)?;
        match state.disk.live.names(ino) {
            Some(names) if names.is_empty() => {}
            Some(_) => return Err(ErrorKind::DirectoryNotEmpty.into()),
            None => return Err(ErrorKind::NotADirectory.into()),
        }
        state.name(self.ino, name, None);
        done.answer(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.fs.state();
        let done = state.begin("sync_dir", &self.path)?;
        let now = state.now;
        state.disk.sync(self.ino, Scope::All, now);
        done.answer(())
    }

    fn space_left(&self) -> io::Result<u64> {
        let mut state = self.fs.state();
        let done = state.begin("space_left", &self.path)?;
        done.answer(state.space_left())
    }

    fn lock(&self) -> io::Result<bool> {
        lock(&self.fs, self.ino, &self.path, &self.locks)
    }
}

impl MemFile {
    fn sync_as(&self, name: &'static str, scope: Scope) -> io::Result<()> {
        let mut state = self.fs.state();
        match state.begin(name, &self.path) {
            Ok(done) => {
                let now = state.now;
                state.disk.sync(self.ino, scope, now);
                done.answer(())
            }
            Err(err) => {
                state.disk.fail_sync(self.ino);
                Err(err)
            }
        }
    }

    fn must_be_writable(&self) -> io::Result<()> {
        if self.writable { Ok(()) } else { Err(ErrorKind::PermissionDenied.into()) }
    }
}

impl File for MemFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.fs.state();
        let done = state.begin("read", &self.path)?;
        let bytes = state.disk.live.bytes(self.ino).ok_or(ErrorKind::NotFound)?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let mut count = 0;
        for (to, from) in buf.iter_mut().zip(bytes.get(from..).unwrap_or_default()) {
            *to = *from;
            count += 1;
        }
        done.answer(count)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.must_be_writable()?;
        let mut state = self.fs.state();
        let done = state.begin("write", &self.path)?;
        let len = done.writable(buf.len()) as u64;
        let size = state.disk.live.bytes(self.ino).map_or(0, |bytes| bytes.len() as u64);
        let growth = (offset + len).saturating_sub(size);
        let end = offset + len - growth.saturating_sub(state.space_left());
        if end <= offset && len > 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        let count = usize::try_from(end - offset).unwrap_or(usize::MAX);
        let bytes = buf.get(..count).unwrap_or(buf).to_vec();
        if end > size {
            state.change(self.ino, Change::Size(end));
        }
        state.change(self.ino, Change::Data(offset, bytes));
        done.answer(count)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.must_be_writable()?;
        let mut state = self.fs.state();
        let done = state.begin("set_len", &self.path)?;
        state.change(self.ino, Change::Size(len));
        done.answer(())
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_as("sync", Scope::All)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync_as("sync_data", Scope::Data)
    }

    fn stat(&self) -> io::Result<Stat> {
        let mut state = self.fs.state();
        let done = state.begin("fstat", &self.path)?;
        done.answer(state.stat(self.ino)?)
    }

    fn set_owner(&self, uid: u32, gid: u32) -> io::Result<()> {
        let mut state = self.fs.state();
        let done = state.begin("set_owner", &self.path)?;
        state.change(self.ino, Change::Owner(uid, gid));
        done.answer(())
    }

    fn set_mode(&self, mode: u32) -> io::Result<()> {
        let mut state = self.fs.state();
        let done = state.begin("set_mode", &self.path)?;
        state.change(self.ino, Change::Mode(mode));
        done.answer(())
    }

    fn acl(&self) -> io::Result<Option<Vec<u8>>> {
        self.fs.state().begin("acl", &self.path)?.answer(None)
    }

    fn set_acl(&self, _: &[u8]) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn lock(&self) -> io::Result<bool> {
        lock(&self.fs, self.ino, &self.path, &self.locks)
    }
}

fn lock(fs: &MemFs, ino: Ino, path: &Path, locks: &AtomicBool) -> io::Result<bool> {
    let mut state = fs.state();
    let done = state.begin("lock", path)?;
    let got = state.locked.insert(ino);
    if got {
        locks.store(true, Ordering::Relaxed);
    }
    done.answer(got)
}

fn unlock(fs: &MemFs, ino: Ino, locks: &AtomicBool) {
    if locks.load(Ordering::Relaxed) {
        fs.state().locked.remove(&ino);
    }
}

impl Drop for MemDir {
    fn drop(&mut self) {
        unlock(&self.fs, self.ino, &self.locks);
    }
}

impl Drop for MemFile {
    fn drop(&mut self) {
        unlock(&self.fs, self.ino, &self.locks);
    }
}
