//! A file system in memory that can crash and fail: [`disk`] keeps what is durable apart from what is
//! only cached, [`crash`] says what a power cut may leave, [`fault`] makes chosen operations fail.
//!
//! Tests run a protocol on it once to count its operations, then again for each of them with the power
//! going, or an error coming, just there.

pub mod crash;
pub mod disk;
pub mod fault;
mod handle;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::crash::{Crashes, Random};
use self::disk::{Body, Change, Disk, Ino, Node, ROOT};
use self::fault::{Fault, FaultKind, Faults, Op};
use super::fs::{Dir, Fs, Holder, Kind, Stat};

/// Links in a row that are followed.
const LINKS_MAX: usize = 8;

/// A file system in memory. Clones are the same one.
#[derive(Debug, Clone)]
pub struct MemFs {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    disk: Disk,
    faults: Faults,
    random: Random,
    now: u64,
    /// Bytes that fit, if there is a limit.
    capacity: Option<u64>,
    hard_links: bool,
    locked: BTreeSet<Ino>,
    holders: Vec<(Ino, Holder)>,
}

impl MemFs {
    /// An empty one. The seed decides the names of temporary files.
    pub fn new(seed: u64) -> MemFs {
        MemFs::on(Disk::default(), seed)
    }

    /// One on a disk that another left behind.
    pub fn on(disk: Disk, seed: u64) -> MemFs {
        let state = State {
            disk,
            faults: Faults::default(),
            random: Random::new(seed),
            now: 1,
            capacity: None,
            hard_links: true,
            locked: BTreeSet::new(),
            holders: Vec::new(),
        };
        MemFs { state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The disk as it is now, to be looked at or crashed.
    pub fn disk(&self) -> Disk {
        self.state().disk.clone()
    }

    /// What a crash now may leave: everything possible if that is at most `limit` states, else a sample.
    pub fn crashes(&self, limit: u64, seed: u64) -> Vec<MemFs> {
        let disk = self.disk();
        Crashes::of(&disk, limit, seed).map(|disk| MemFs::on(disk, seed)).collect()
    }

    /// Plans a fault; operations are counted and traced from now on.
    pub fn plan(&self, fault: Option<Fault>) {
        self.state().faults.plan(fault);
    }

    /// The operations since the last plan.
    pub fn trace(&self) -> Vec<Op> {
        self.state().faults.trace().to_vec()
    }

    /// How many they were.
    pub fn operations(&self) -> u64 {
        self.state().faults.trace().len() as u64
    }

    /// Gives the disk a size.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// Puts on the disk what is pending, as a kernel does that has nothing else to do.
    pub fn write_back(&self) {
        let mut state = self.state();
        let now = state.now;
        state.disk.write_back(now);
    }

    /// Whether the power could go, and nothing be lost.
    pub fn is_settled(&self) -> bool {
        self.state().disk.pending.is_empty()
    }

    /// Makes the disk one that says it has synced, and has not.
    pub fn ignore_syncs(&self) {
        self.state().disk.lies = true;
    }

    /// Makes it a file system without hard links.
    pub fn forbid_links(&self) {
        self.state().hard_links = false;
    }

    /// Says that some process holds a file open.
    pub fn hold(&self, path: &Path, holder: Holder) {
        let mut state = self.state();
        if let Some(ino) = state.find(path) {
            state.holders.push((ino, holder));
        }
    }

    /// Puts a file on the disk, with the folders it needs.
    pub fn put(&self, path: &Path, bytes: &[u8], mode: u32) {
        let body = Body::File(Arc::new(bytes.to_vec()));
        self.state().put(path, Node { body, mode, owner: (0, 0), modified: 0 });
    }

    /// Puts a symbolic link on the disk.
    pub fn put_link(&self, path: &Path, target: &Path) {
        let body = Body::Symlink(target.to_owned());
        self.state().put(path, Node { body, mode: 0o777, owner: (0, 0), modified: 0 });
    }

    /// The bytes that programs see in a file.
    pub fn get(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        Some(state.disk.live.bytes(state.find(path)?)?.to_vec())
    }

    /// What programs see of a name.
    pub fn look(&self, path: &Path) -> Option<Stat> {
        let state = self.state();
        state.stat(state.find(path)?).ok()
    }

    /// All files and what programs see in them.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let live = &self.state().disk.live;
        let bytes = |ino| live.bytes(ino).map(|bytes| bytes.to_vec()).unwrap_or_default();
        live.files().into_iter().map(|(path, ino)| (path, bytes(ino))).collect()
    }
}

impl Fs for MemFs {
    fn open_dir(&self, path: &Path) -> io::Result<Arc<dyn Dir>> {
        let mut state = self.state();
        state.begin("open_dir", path)?;
        let ino = state.find(path).ok_or(ErrorKind::NotFound)?;
        if state.disk.live.names(ino).is_none() {
            return Err(ErrorKind::NotADirectory.into());
        }
        Ok(Arc::new(handle::MemDir::new(self.clone(), ino, path.to_owned())))
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        let mut state = self.state();
        state.begin("canonicalize", path)?;
        let mut path = path.to_owned();
        for _ in 0..LINKS_MAX {
            let ino = state.find(&path).ok_or(ErrorKind::NotFound)?;
            match state.disk.live.node(ino).map(|node| &node.body) {
                Some(Body::Symlink(target)) => {
                    path = path.parent().unwrap_or(Path::new("/")).join(target);
                }
                _ => return Ok(path),
            }
        }
        Err(io::Error::other("too many symbolic links"))
    }

    fn random(&self) -> u64 {
        self.state().random.bits()
    }

    fn holders(&self, files: &[Stat]) -> Vec<Holder> {
        let state = self.state();
        let is_one = |ino: Ino| files.iter().any(|file| file.ino == ino);
        let held = state.holders.iter().filter(|(ino, _)| is_one(*ino));
        held.map(|(_, holder)| holder.clone()).collect()
    }
}

impl State {
    /// Notes an operation, and fails if it is to fail.
    fn begin(&mut self, name: &'static str, path: &Path) -> io::Result<Done> {
        self.now += 1;
        match self.faults.begin(name, path.to_owned())? {
            Some(FaultKind::Fails(errno)) => Err(io::Error::from_raw_os_error(errno)),
            kind => Ok(Done(kind)),
        }
    }

    fn change(&mut self, ino: Ino, change: Change) {
        self.disk.change(ino, change, self.now);
    }

    fn name(&mut self, dir: Ino, name: &OsStr, ino: Option<Ino>) {
        self.change(dir, Change::Name(name.to_owned(), ino));
    }

    fn find(&self, path: &Path) -> Option<Ino> {
        path.components().try_fold(ROOT, |dir, component| match component {
            Component::RootDir | Component::CurDir => Some(dir),
            Component::Normal(name) => self.disk.live.find(dir, name),
            _ => None,
        })
    }

    fn put(&mut self, path: &Path, node: Node) {
        let ino = self.disk.add(node);
        let mut dir = ROOT;
        let mut names: Vec<OsString> = path
            .components()
            .filter_map(|component| match component {
                Component::Normal(name) => Some(name.to_owned()),
                _ => None,
            })
            .collect();
        let Some(last) = names.pop() else { return };
        for name in names {
            dir = match self.disk.live.find(dir, &name) {
                Some(below) => below,
                None => {
                    let body = Body::Dir(BTreeMap::new());
                    let folder = Node { body, mode: 0o755, owner: (0, 0), modified: 0 };
                    let below = self.disk.add(folder);
                    self.name(dir, &name, Some(below));
                    below
                }
            };
        }
        self.name(dir, &last, Some(ino));
        self.disk.settle();
    }

    fn stat(&self, ino: Ino) -> io::Result<Stat> {
        let node = self.disk.live.node(ino).ok_or(ErrorKind::NotFound)?;
        let (kind, size) = match &node.body {
            Body::File(bytes) => (Kind::File, bytes.len() as u64),
            Body::Dir(_) => (Kind::Dir, 0),
            Body::Symlink(_) => (Kind::Symlink, 0),
        };
        Ok(Stat {
            dev: 1,
            ino,
            kind,
            size,
            allocated: size,
            links: self.disk.live.links(ino),
            mode: node.mode,
            uid: node.owner.0,
            gid: node.owner.1,
            modified_ns: i128::from(node.modified),
        })
    }

    fn space_left(&self) -> u64 {
        let Some(capacity) = self.capacity else { return u64::MAX };
        let live = &self.disk.live;
        let inos: BTreeSet<Ino> = live.files().into_values().collect();
        let used = inos.iter().filter_map(|ino| live.bytes(*ino)).map(|bytes| bytes.len() as u64);
        capacity.saturating_sub(used.sum())
    }
}

/// An operation that was let through.
#[derive(Debug, Clone, Copy)]
struct Done(Option<FaultKind>);

impl Done {
    /// How many of these bytes a write may take.
    fn writable(self, len: usize) -> usize {
        if self.0 == Some(FaultKind::ShortWrite) { len.div_ceil(2) } else { len }
    }

    /// What it says after it was done.
    fn answer<T>(self, value: T) -> io::Result<T> {
        match self.0 {
            Some(FaultKind::FailsAfter(errno)) => Err(io::Error::from_raw_os_error(errno)),
            _ => Ok(value),
        }
    }
}
