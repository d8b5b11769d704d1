//! What a file system holds, what of it is on the disk, and what is still on its way there.
//!
//! Every change is made at once to the *live* image, which programs see, and is noted as pending. Only a
//! sync moves pending changes into the *durable* image: that of a file its bytes, size, owner and mode,
//! that of a folder its names, and neither the other's. A crash leaves the durable image with any of the
//! pending changes that [`super::crash`] chooses.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;

/// Number of a file or folder.
pub type Ino = u64;

/// The root folder's number.
pub const ROOT: Ino = 1;

/// What a node is.
#[derive(Debug, Clone)]
pub enum Body {
    /// A file's bytes.
    File(Arc<Vec<u8>>),
    /// A folder's names.
    Dir(BTreeMap<OsString, Ino>),
    /// Where a symbolic link points.
    Symlink(PathBuf),
}

/// A file, folder or link.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it is.
    pub body: Body,
    /// Permission bits.
    pub mode: u32,
    /// Owner and group.
    pub owner: (u32, u32),
    /// Operation number of its last change of bytes.
    pub modified: u64,
}

/// A whole file system at one moment.
#[derive(Debug, Clone, Default)]
pub struct Image {
    nodes: BTreeMap<Ino, Node>,
}

/// One change to one file or folder.
#[derive(Debug, Clone)]
pub enum Change {
    /// Bytes at an offset; those beyond the size are nowhere.
    Data(u64, Vec<u8>),
    /// A new size; what is new are NULs.
    Size(u64),
    /// Owner and group.
    Owner(u32, u32),
    /// Permission bits.
    Mode(u32),
    /// A name for a file, or none any more.
    Name(OsString, Option<Ino>),
    /// A file under another name. Journals keep the two halves together.
    Rename(OsString, OsString, Ino),
}

impl Change {
    /// Whether it is about names in a folder.
    pub fn is_name(&self) -> bool {
        matches!(self, Change::Name(..) | Change::Rename(..))
    }
}

/// A change that is not on the disk yet.
#[derive(Debug, Clone)]
pub struct Pending {
    /// What it changes.
    pub ino: Ino,
    /// How.
    pub change: Change,
    /// A sync failed on it: its pages count as clean now, and no later sync will write them.
    pub doomed: bool,
}

/// Which of a file's changes a sync is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All.
    All,
    /// Bytes and size.
    Data,
}

impl Scope {
    fn covers(self, change: &Change) -> bool {
        self == Scope::All || matches!(change, Change::Data(..) | Change::Size(_))
    }
}

/// A disk and the system's cache above it.
#[derive(Debug, Clone)]
pub struct Disk {
    /// What programs see.
    pub live: Image,
    /// What a crash cannot take.
    pub durable: Image,
    /// What it can, in the order it happened.
    pub pending: Vec<Pending>,
    /// It says that it has synced, and has not.
    pub lies: bool,
    next: Ino,
}

impl Image {
    /// A node by its number.
    pub fn node(&self, ino: Ino) -> Option<&Node> {
        self.nodes.get(&ino)
    }

    /// A file's bytes.
    pub fn bytes(&self, ino: Ino) -> Option<&Arc<Vec<u8>>> {
        match &self.node(ino)?.body {
            Body::File(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// A folder's names.
    pub fn names(&self, ino: Ino) -> Option<&BTreeMap<OsString, Ino>> {
        match &self.node(ino)?.body {
            Body::Dir(names) => Some(names),
            _ => None,
        }
    }

    /// A name in a folder.
    pub fn find(&self, dir: Ino, name: &OsStr) -> Option<Ino> {
        self.names(dir)?.get(name).copied()
    }

    /// How many names a node has.
    pub fn links(&self, ino: Ino) -> u64 {
        let folders = self.nodes.keys().filter_map(|dir| self.names(*dir));
        folders.flat_map(BTreeMap::values).filter(|named| **named == ino).count() as u64
    }

    /// Every file that has a name, by path.
    pub fn files(&self) -> BTreeMap<PathBuf, Ino> {
        let mut files = BTreeMap::new();
        let mut folders = vec![(PathBuf::from("/"), ROOT)];
        while let Some((path, dir)) = folders.pop() {
            for (name, ino) in self.names(dir).into_iter().flatten() {
                match self.node(*ino).map(|node| &node.body) {
                    Some(Body::File(_)) => drop(files.insert(path.join(name), *ino)),
                    Some(Body::Dir(_)) => folders.push((path.join(name), *ino)),
                    _ => {}
                }
            }
        }
        files
    }

    /// Makes a change.
    pub fn apply(&mut self, ino: Ino, change: &Change, now: u64) {
        let Some(node) = self.nodes.get_mut(&ino) else { return };
        match (change, &mut node.body) {
            (Change::Data(offset, bytes), Body::File(data)) => {
                let data: &mut Vec<u8> = Arc::make_mut(data);
                overwrite(data, *offset, bytes);
                node.modified = now;
            }
            (Change::Size(size), Body::File(data)) => {
                Arc::make_mut(data).resize(usize::try_from(*size).unwrap_or(usize::MAX), 0);
                node.modified = now;
            }
            (Change::Owner(uid, gid), _) => node.owner = (*uid, *gid),
            (Change::Mode(mode), _) => node.mode = *mode,
            (Change::Name(name, Some(ino)), Body::Dir(names)) => {
                names.insert(name.clone(), *ino);
            }
            (Change::Name(name, None), Body::Dir(names)) => {
                names.remove(name);
            }
            (Change::Rename(from, to, ino), Body::Dir(names)) => {
                names.remove(from);
                names.insert(to.clone(), *ino);
            }
            _ => {}
        }
    }
}

/// Writes into what is there; what would lie beyond the end is dropped.
fn overwrite(data: &mut [u8], offset: u64, bytes: &[u8]) {
    let tail = usize::try_from(offset).ok().and_then(|offset| data.get_mut(offset..));
    for (old, new) in tail.into_iter().flatten().zip(bytes) {
        *old = *new;
    }
}

impl Default for Disk {
    fn default() -> Self {
        let root =
            Node { body: Body::Dir(BTreeMap::new()), mode: 0o755, owner: (0, 0), modified: 0 };
        let image = Image { nodes: BTreeMap::from([(ROOT, root)]) };
        Disk {
            live: image.clone(),
            durable: image,
            pending: Vec::new(),
            lies: false,
            next: ROOT + 1,
        }
    }
}

impl Disk {
    /// A disk that holds just this.
    pub fn of(image: Image, next: Ino) -> Disk {
        Disk { live: image.clone(), durable: image, pending: Vec::new(), lies: false, next }
    }

    /// The number the next node will have.
    pub fn next(&self) -> Ino {
        self.next
    }

    /// Makes a node that has no name yet. Without a name it cannot be found after a crash, so it does
    /// no harm to have it on the disk at once.
    pub fn add(&mut self, node: Node) -> Ino {
        let ino = self.next;
        self.next += 1;
        self.live.nodes.insert(ino, node.clone());
        self.durable.nodes.insert(ino, node);
        ino
    }

    /// Makes a change that programs see at once.
    pub fn change(&mut self, ino: Ino, change: Change, now: u64) {
        self.live.apply(ino, &change, now);
        self.pending.push(Pending { ino, change, doomed: false });
    }

    /// Moves the pending changes of a file or folder to the disk.
    pub fn sync(&mut self, ino: Ino, scope: Scope, now: u64) {
        if self.lies {
            return;
        }
        let durable = &mut self.durable;
        self.pending.retain(|pending| {
            let stays = pending.ino != ino || pending.doomed || !scope.covers(&pending.change);
            if !stays {
                durable.apply(ino, &pending.change, now);
            }
            stays
        });
    }

    /// A sync that failed: the bytes that were to be written may never be.
    pub fn fail_sync(&mut self, ino: Ino) {
        let data = |pending: &&mut Pending| {
            pending.ino == ino && matches!(pending.change, Change::Data(..))
        };
        self.pending.iter_mut().filter(data).for_each(|pending| pending.doomed = true);
    }

    /// Moves to the disk all that a failed sync has not doomed.
    pub fn write_back(&mut self, now: u64) {
        let inos: BTreeSet<Ino> = self.pending.iter().map(|pending| pending.ino).collect();
        inos.into_iter().for_each(|ino| self.sync(ino, Scope::All, now));
    }

    /// Makes everything durable.
    pub fn settle(&mut self) {
        self.pending.clear();
        self.durable = self.live.clone();
    }
}
