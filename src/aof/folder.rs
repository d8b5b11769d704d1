//! A folder that may be hostile or in use: its names are listed once, symbolic links are not followed, and
//! only regular files are opened, so that a FIFO cannot hang a check and no name leads elsewhere
//! (RELIABILITY 2.2, guard 12).

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, openat};

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

    fn of(meta: &fs::Metadata) -> Node {
        let kind = meta.file_type();
        match () {
            () if kind.is_file() => Node::File(meta.len()),
            () if kind.is_dir() => Node::Folder,
            () if kind.is_symlink() => Node::Link,
            () => Node::Other,
        }
    }
}

/// An opened folder and what is in it.
#[derive(Debug)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    handle: OwnedFd,
    nodes: BTreeMap<OsString, Node>,
}

impl Folder {
    /// Opens and lists a folder.
    ///
    /// # Errors
    /// When it is none, or cannot be listed.
    pub fn open(path: &Path) -> io::Result<Folder> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::fs::open(path, flags, Mode::empty())?;
        let mut nodes = BTreeMap::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            // What is gone by now was being replaced.
            if let Ok(meta) = entry.metadata() {
                nodes.insert(entry.file_name(), Node::of(&meta));
            }
        }
        Ok(Folder { path: path.to_path_buf(), handle, nodes })
    }

    /// What a name is; `None` where there is none.
    pub fn node(&self, name: &OsStr) -> Option<Node> {
        self.nodes.get(name).copied()
    }

    /// All names, sorted.
    pub fn nodes(&self) -> impl Iterator<Item = (&OsStr, Node)> {
        self.nodes.iter().map(|(name, node)| (name.as_os_str(), *node))
    }

    /// Opens a regular file directly in the folder.
    ///
    /// # Errors
    /// When it cannot be opened, or is anything else.
    pub fn file(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(openat(&self.handle, name, flags, Mode::empty())?);
        match Node::of(&file.metadata()?) {
            Node::File(_) => Ok(file),
            other => Err(io::Error::new(io::ErrorKind::InvalidInput, other.as_str())),
        }
    }
}
