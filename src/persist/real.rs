//! The machine's own file system.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, RawMode};
use rustix::io::Errno;

use super::fs::{Access, Dir, File, Fs, Holder, Kind, Stat};

/// The machine's own file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealFs;

#[derive(Debug)]
struct RealDir {
    fd: OwnedFd,
    path: PathBuf,
}

#[derive(Debug)]
struct RealFile {
    file: fs::File,
}

/// A link is never followed, no terminal taken over, no descriptor passed on, no FIFO waited for
/// (the last means nothing to a regular file).
const FILE: OFlags =
    OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

const DIR: OFlags = OFlags::DIRECTORY.union(OFlags::RDONLY).union(OFlags::CLOEXEC);

/// The largest access list Linux keeps in an extended attribute.
#[cfg(target_os = "linux")]
const XATTR_MAX: usize = 64 << 10;

#[cfg(target_os = "linux")]
const ACL: &str = "system.posix_acl_access";

impl Fs for RealFs {
    fn open_dir(&self, path: &Path) -> io::Result<Arc<dyn Dir>> {
        let fd = rustix::fs::openat(CWD, path, DIR, Mode::empty())?;
        Ok(Arc::new(RealDir { fd, path: path.to_owned() }))
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }

    fn random(&self) -> u64 {
        // SipHash with keys from the system's random source.
        RandomState::new().hash_one(0u8)
    }

    fn holders(&self, files: &[Stat]) -> Vec<Holder> {
        holders(files).unwrap_or_default()
    }
}

impl Dir for RealDir {
    fn path(&self) -> &Path {
        &self.path
    }

    fn open(&self, name: &OsStr, access: Access) -> io::Result<Arc<dyn File>> {
        let (flags, mode) = match access {
            Access::Read => (OFlags::RDONLY, Mode::empty()),
            Access::Update => (OFlags::RDWR, Mode::empty()),
            Access::Create(mode) => (OFlags::RDWR | OFlags::CREATE | OFlags::EXCL, bits(mode)),
        };
        let fd = rustix::fs::openat(&self.fd, name, flags | FILE, mode)?;
        Ok(Arc::new(RealFile { file: fd.into() }))
    }

    fn open_dir(&self, name: &OsStr) -> io::Result<Arc<dyn Dir>> {
        let fd = rustix::fs::openat(&self.fd, name, DIR | OFlags::NOFOLLOW, Mode::empty())?;
        Ok(Arc::new(RealDir { fd, path: self.path.join(name) }))
    }

    fn make_dir(&self, name: &OsStr, mode: u32) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(&self.fd, name, bits(mode))?)
    }

    fn stat(&self, name: &OsStr) -> io::Result<Stat> {
        Ok(stat_of(&rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)?))
    }

    fn list(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name));
            }
        }
        names.sort();
        Ok(names)
    }

    fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.fd, from, &self.fd, to)?)
    }

    fn rename_new(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        use rustix::fs::RenameFlags;
        let flags = RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(&self.fd, from, &self.fd, to, flags) {
            // File systems without this rename. A second name cannot replace anything either, and a
            // folder replaces nothing but an empty folder.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => match self.stat(from)?.kind {
                Kind::Dir => self.rename(from, to),
                _ => {
                    self.link(from, to)?;
                    self.unlink(from)
                }
            },
            other => Ok(other?),
        }
    }

    fn link(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::linkat(&self.fd, from, &self.fd, to, AtFlags::empty())?)
    }

    fn unlink(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.fd, name, AtFlags::empty())?)
    }

    fn remove_dir(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR)?)
    }

    fn sync(&self) -> io::Result<()> {
        match rustix::fs::fsync(&self.fd) {
            // File systems that have no such thing for folders; every database lets that pass.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(()),
            other => Ok(other?),
        }
    }

    fn space_left(&self) -> io::Result<u64> {
        let stat = rustix::fs::fstatvfs(&self.fd)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn lock(&self) -> io::Result<bool> {
        match rustix::fs::flock(&self.fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(err) => Err(err.into()),
        }
    }
}

impl File for RealFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(buf, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn stat(&self) -> io::Result<Stat> {
        Ok(stat_of(&rustix::fs::fstat(self.file.as_fd())?))
    }

    fn set_owner(&self, uid: u32, gid: u32) -> io::Result<()> {
        std::os::unix::fs::fchown(&self.file, Some(uid), Some(gid))
    }

    fn set_mode(&self, mode: u32) -> io::Result<()> {
        Ok(rustix::fs::fchmod(self.file.as_fd(), bits(mode))?)
    }

    #[cfg(target_os = "linux")]
    fn acl(&self) -> io::Result<Option<Vec<u8>>> {
        let mut acl = vec![0; XATTR_MAX];
        match rustix::fs::fgetxattr(self.file.as_fd(), ACL, acl.as_mut_slice()) {
            Ok(len) => {
                acl.truncate(len);
                Ok(Some(acl))
            }
            Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(None),
            Err(err) => Err(err.into()),
        }
    }

    #[cfg(target_os = "linux")]
    fn set_acl(&self, acl: &[u8]) -> io::Result<()> {
        let flags = rustix::fs::XattrFlags::empty();
        Ok(rustix::fs::fsetxattr(self.file.as_fd(), ACL, acl, flags)?)
    }

    #[cfg(not(target_os = "linux"))]
    fn acl(&self) -> io::Result<Option<Vec<u8>>> {
        Ok(None)
    }

    #[cfg(not(target_os = "linux"))]
    fn set_acl(&self, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn lock(&self) -> io::Result<bool> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(fs::TryLockError::WouldBlock) => Ok(false),
            Err(fs::TryLockError::Error(err)) => Err(err),
        }
    }
}

fn bits(mode: u32) -> Mode {
    Mode::from_bits_truncate((mode & 0o777) as RawMode)
}

/// The casts are none on this machine, and widen on others.
#[allow(clippy::unnecessary_cast)]
fn stat_of(stat: &rustix::fs::Stat) -> Stat {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Dir,
        FileType::Symlink => Kind::Symlink,
        _ => Kind::Other,
    };
    Stat {
        dev: stat.st_dev as u64,
        ino: stat.st_ino as u64,
        kind,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        allocated: u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512),
        links: stat.st_nlink as u64,
        mode: stat.st_mode as u32 & 0o777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        modified_ns: i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec),
    }
}

/// Looks through the descriptors of all processes that we may look at: our own user's, or everybody's
/// as root. Processes outside our PID namespace, or on another machine, are not seen.
fn holders(files: &[Stat]) -> io::Result<Vec<Holder>> {
    let mut holders = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if pid != process::id() && holds(&entry.path(), files) {
            let mut name = String::new();
            if let Ok(comm) = fs::File::open(entry.path().join("comm")) {
                comm.take(64).read_to_string(&mut name).unwrap_or_default();
            }
            holders.push(Holder { pid, name: name.trim_end().to_owned() });
        }
    }
    holders.sort_by_key(|holder| holder.pid);
    Ok(holders)
}

fn holds(process: &Path, files: &[Stat]) -> bool {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else { return false };
    descriptors.flatten().any(|descriptor| {
        // Sockets and pipes have no path, and need no stat.
        let path = descriptor.path();
        let is_file = fs::read_link(&path).is_ok_and(|target| target.is_absolute());
        let Some(held) = is_file.then(|| fs::metadata(&path).ok()).flatten() else { return false };
        files.iter().any(|file| (file.dev, file.ino) == (held.dev(), held.ino()))
    })
}
