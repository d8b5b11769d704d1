//! Which AOFs a path stands for.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::Set;
use crate::aof::set::{Role, role};
use crate::error::{Error, Result};
use crate::input::detect::{ENOUGH, FileKind};
use crate::persist::fs::{self, Access, Dir, FileReader, Fs, Kind};

/// The AOFs of a path: a manifest's; the one that a file is a part of, or that a file is; those of a folder,
/// or of the folders directly in it, as a server's data folder has one.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn find(fs: &dyn Fs, path: &Path) -> Result<Vec<Set>> {
    let failed = |err| Error::io(path, "open", err);
    if let Ok(dir) = fs.open_dir(path) {
        return in_folder(fs, path, &*dir);
    }
    let (dir, name) = fs::open_parent(fs, path)?;
    let stat = dir.stat(&name).map_err(failed)?;
    match stat.kind {
        Kind::File => {}
        Kind::Symlink => {
            let why = "it is a symbolic link; name the file it points to";
            return Err(Error::refused(path, why));
        }
        _ => return Err(Error::refused(path, "it is no regular file")),
    }
    if is_manifest(&name) || first_bytes(&*dir, &name, path)? == FileKind::Manifest {
        return Ok(vec![Set::read(fs, path)?]);
    }
    // Cutting one part of an AOF without a look at the others could leave a gap in it.
    for manifest in manifests(&*dir, path)? {
        let set = Set::read(fs, &path.with_file_name(&manifest));
        match set {
            Ok(set) if set.files.iter().any(|(part, _)| part == path) => return Ok(vec![set]),
            _ => {}
        }
    }
    Ok(vec![Set::file(path)])
}

fn in_folder(fs: &dyn Fs, path: &Path, dir: &dyn Dir) -> Result<Vec<Set>> {
    let mut found = read_all(fs, path, dir)?;
    if found.is_empty() {
        let names = dir.list().map_err(|err| Error::io(path, "list", err))?;
        for name in names {
            if dir.stat(&name).is_ok_and(|stat| stat.kind == Kind::Dir) {
                let below = path.join(&name);
                let folder = dir.open_dir(&name).map_err(|err| Error::io(&below, "open", err))?;
                found.extend(read_all(fs, &below, &*folder)?);
            }
        }
    }
    if found.is_empty() {
        let why = format!("no manifest of an AOF in {}; name a file", path.display());
        return Err(Error::Usage(why));
    }
    Ok(found)
}

fn read_all(fs: &dyn Fs, path: &Path, dir: &dyn Dir) -> Result<Vec<Set>> {
    let names = manifests(dir, path)?;
    names.into_iter().map(|name| Set::read(fs, &path.join(name))).collect()
}

fn manifests(dir: &dyn Dir, path: &Path) -> Result<Vec<PathBuf>> {
    let names = dir.list().map_err(|err| Error::io(path, "list", err))?;
    let is_file = |name: &OsStr| dir.stat(name).is_ok_and(|stat| stat.kind == Kind::File);
    let manifests = names.into_iter().filter(|name| is_manifest(name) && is_file(name));
    Ok(manifests.map(PathBuf::from).collect())
}

fn is_manifest(name: &OsStr) -> bool {
    role(name.as_encoded_bytes()).is_some_and(|(_, role)| role == Role::Manifest)
}

fn first_bytes(dir: &dyn Dir, name: &OsStr, path: &Path) -> Result<FileKind> {
    let failed = |err| Error::io(path, "read", err);
    let file = dir.open(name, Access::Read).map_err(failed)?;
    let mut head = Vec::new();
    FileReader::new(file, 0, ENOUGH as u64).read_to_end(&mut head).map_err(failed)?;
    Ok(FileKind::of(&head))
}
