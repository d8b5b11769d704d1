//! What a path stands for: a file, a multi-part AOF, or all of these in a folder.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::aof::folder::{Folder, Node};
use crate::aof::set::{Role, Set, role, stems};
use crate::error::{Error, Result};
use crate::input::detect::{Compression, FileKind};
use crate::input::source::{Input, first_bytes, open};

/// Something to work on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A file, or standard input.
    File(Input),
    /// A multi-part AOF.
    Set(SetPath),
}

impl Subject {
    /// What to call it: for an AOF of several files its manifest, whether that is there or not.
    pub fn path(&self) -> PathBuf {
        match self {
            Subject::File(input) => input.path().to_path_buf(),
            Subject::Set(set) => set.manifest(),
        }
    }
}

/// Where a multi-part AOF is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SetPath {
    /// Its folder.
    pub folder: PathBuf,
    /// What the names of its files begin with.
    pub stem: Vec<u8>,
}

impl SetPath {
    /// The set of a manifest; `None` if the name is none of a manifest.
    pub fn of_manifest(path: &Path) -> Option<SetPath> {
        let name = path.file_name()?;
        let (stem, Role::Manifest) = role(name.as_bytes())? else { return None };
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let folder = folder.unwrap_or(Path::new(".")).to_path_buf();
        Some(SetPath { folder, stem: stem.to_vec() })
    }

    /// Its manifest.
    pub fn manifest(&self) -> PathBuf {
        self.folder.join(OsString::from_vec([&self.stem[..], b".manifest"].concat()))
    }
}

/// What a path stands for: itself, a multi-part AOF if it is a manifest, stdin for `-`, or every RDB and
/// AOF in a folder and below it, sorted by name. The files of a multi-part AOF do not come one by one.
/// Symbolic links inside a folder are not followed.
///
/// # Errors
/// When the path does not exist or a folder cannot be listed.
pub fn subjects(path: &Path) -> Result<Vec<Subject>> {
    if path == Path::new("-") {
        return Ok(vec![Subject::File(Input::Stdin)]);
    }
    let meta = fs::metadata(path).map_err(|err| Error::io(path, "open", err))?;
    if !meta.is_dir() {
        let set = SetPath::of_manifest(path).map(Subject::Set);
        return Ok(vec![set.unwrap_or_else(|| Subject::File(Input::File(path.to_path_buf())))]);
    }
    let mut found = Vec::new();
    let mut folders = vec![path.to_path_buf()];
    while let Some(path) = folders.pop() {
        let list = |err| Error::io(&path, "list", err);
        let mut taken: HashSet<OsString> = HashSet::new();
        let folder = Folder::open(&path).map_err(list)?;
        for stem in stems(&folder) {
            let set = Set::open(Folder::open(&path).map_err(list)?, &stem).map_err(list)?;
            taken.extend(names(&set));
            found.push(Subject::Set(SetPath { folder: path.clone(), stem }));
        }
        for (name, node) in folder.nodes() {
            let inside = path.join(name);
            match node {
                Node::Folder => folders.push(inside),
                Node::File(_) if !taken.contains(name) && is_ours(&inside) => {
                    found.push(Subject::File(Input::File(inside)));
                }
                _ => {}
            }
        }
    }
    found.sort_by_key(Subject::path);
    Ok(found)
}

/// The files of a multi-part AOF.
fn names(set: &Set) -> Vec<OsString> {
    let entries = set.manifest.iter().flat_map(|manifest| &manifest.entries);
    let named = entries.map(|entry| OsStr::from_bytes(&entry.name).to_owned());
    let others = set.orphans.iter().chain(&set.temps).map(|(name, _)| name.clone());
    named.chain(others).collect()
}

/// Whether a file of a folder is an RDB or AOF: by its first bytes, or by its name when it cannot be
/// read or its first bytes are damaged.
fn is_ours(path: &Path) -> bool {
    let named = path.extension().is_some_and(|ext| ext == "rdb" || ext == "aof");
    let head = File::open(path).and_then(|mut file| first_bytes(&mut file)).unwrap_or_default();
    let kind = match Compression::of(&head) {
        Some(_) => match open(&Input::File(path.to_path_buf()), |_| {}) {
            Ok(source) => source.kind,
            Err(_) => FileKind::Unknown,
        },
        None => FileKind::of(&head),
    };
    named || matches!(kind, FileKind::Rdb | FileKind::Aof)
}
