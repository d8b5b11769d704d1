//! A folder that may be hostile or in use: its names are listed once, symbolic links are not followed, and
//! only regular files are opened, so that a FIFO cannot hang a check and no name leads elsewhere
//! (RELIABILITY 2.2, guard 12).

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::persist::fs::{Access, Dir, FileReader, Fs, Kind, Stat};
use crate::persist::real::RealFs;

/// What a name in a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// A regular file of so many bytes.
    File(u64),
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A FIFO, socket or device.
    Other,
}

impl Node {
    /// The word used in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Node::File(_) => "a file",
            Node::Folder => "a folder",
            Node::Link => "a symbolic link",
            Node::Other => "no regular file",
        }
    }

    fn of(stat: &Stat) -> Node {
        match stat.kind {
            Kind::File => Node::File(stat.size),
            Kind::Dir => Node::Folder,
            Kind::Symlink => Node::Link,
            Kind::Other => Node::Other,
        }
    }
}

/// An opened folder and what is in it.
#[derive(Debug)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    dir: Arc<dyn Dir>,
    nodes: BTreeMap<OsString, Node>,
}

impl Folder {
    /// Opens and lists a folder of this machine.
    ///
    /// # Errors
    /// When it is none, or cannot be listed.
    pub fn open(path: &Path) -> io::Result<Folder> {
        Folder::open_in(&RealFs, path)
    }

    /// The same in any file system.
    ///
    /// # Errors
    /// The same.
    pub fn open_in(fs: &dyn Fs, path: &Path) -> io::Result<Folder> {
        Folder::of(fs.open_dir(path)?)
    }

    /// A folder in this one.
    ///
    /// # Errors
    /// The same.
    pub fn folder(&self, name: &OsStr) -> io::Result<Folder> {
        Folder::of(self.dir.open_dir(name)?)
    }

    fn of(dir: Arc<dyn Dir>) -> io::Result<Folder> {
        let mut nodes = BTreeMap::new();
        for name in dir.list()? {
            // What is gone by now was being replaced.
            if let Ok(stat) = dir.stat(&name) {
                nodes.insert(name, Node::of(&stat));
            }
        }
        Ok(Folder { path: dir.path().to_owned(), dir, nodes })
    }

    /// What a name is; `None` where there is none.
    pub fn node(&self, name: &OsStr) -> Option<Node> {
        self.nodes.get(name).copied()
    }

    /// All names, sorted.
    pub fn nodes(&self) -> impl Iterator<Item = (&OsStr, Node)> {
        self.nodes.iter().map(|(name, node)| (name.as_os_str(), *node))
    }

    /// Opens a regular file directly in the folder: its bytes, and how many they are.
    ///
    /// # Errors
    /// When it cannot be opened, or is anything else.
    pub fn file(&self, name: &OsStr) -> io::Result<(FileReader, u64)> {
        let file = self.dir.open(name, Access::Read)?;
        match Node::of(&file.stat()?) {
            Node::File(size) => Ok((FileReader::new(file, 0, u64::MAX), size)),
            other => Err(io::Error::new(io::ErrorKind::InvalidInput, other.as_str())),
        }
    }
}
