//! Opening what the user named: read-only, decompressed on the way, its kind told by its first bytes.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use super::detect::{Compression, ENOUGH, FileKind};
use crate::error::{Error, Result};

/// Something to read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// Standard input, `-`.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl Input {
    /// What the user wrote.
    pub fn path(&self) -> &Path {
        match self {
            Input::Stdin => Path::new("-"),
            Input::File(path) => path,
        }
    }
}

/// An opened input.
pub struct Source {
    /// The (decompressed) bytes.
    pub reader: Box<dyn Read + Send>,
    /// What the first bytes say.
    pub kind: FileKind,
    /// How the file is compressed.
    pub compression: Option<Compression>,
    /// Bytes on disk, when it is a regular file.
    pub size: Option<u64>,
}

impl Source {
    /// Whether it is an AOF without a preamble, by its first bytes, or by its name where they say nothing.
    pub fn is_aof(&self, input: &Input) -> bool {
        match self.kind {
            FileKind::Aof => true,
            FileKind::Rdb | FileKind::JsonLines | FileKind::Manifest => false,
            FileKind::Empty | FileKind::Unknown => {
                let name = input.path().file_name().unwrap_or_default().to_string_lossy();
                name.contains(".aof")
            }
        }
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("kind", &self.kind)
            .field("compression", &self.compression)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// Opens an input. `watch` is told how many bytes were read from the file itself, now and then.
///
/// # Errors
/// When it cannot be opened or read, or is neither a regular file nor a pipe.
pub fn open(input: &Input, watch: impl Fn(u64) + Send + 'static) -> Result<Source> {
    match input {
        Input::Stdin => read(input, Box::new(io::stdin()), None, watch),
        Input::File(path) => {
            let file = File::open(path).map_err(|err| Error::io(path, "open", err))?;
            opened(input, file, watch)
        }
    }
}

/// The same for a file that is open already; `input` says where it lies.
///
/// # Errors
/// When it cannot be read, or is a folder.
pub fn opened(input: &Input, file: File, watch: impl Fn(u64) + Send + 'static) -> Result<Source> {
    let fail = |err| Error::io(input.path(), "read", err);
    let meta = file.metadata().map_err(fail)?;
    if meta.is_dir() {
        return Err(fail(io::Error::from(io::ErrorKind::IsADirectory)));
    }
    let size = meta.is_file().then_some(meta.len());
    read(input, Box::new(file), size, watch)
}

/// The same for any stream; `size` are its bytes, if it is a file's.
///
/// # Errors
/// When it cannot be read.
pub fn read(
    input: &Input,
    raw: Box<dyn Read + Send>,
    size: Option<u64>,
    watch: impl Fn(u64) + Send + 'static,
) -> Result<Source> {
    let fail = |doing| move |source| Error::io(input.path(), doing, source);
    let mut raw = Watched { inner: raw, count: 0, watch };
    let head = first_bytes(&mut raw).map_err(fail("read"))?;
    let compression = Compression::of(&head);
    let raw: Box<dyn Read + Send> = Box::new(Cursor::new(head.clone()).chain(raw));
    let (reader, head): (Box<dyn Read + Send>, _) = match compression {
        None => (raw, head),
        Some(compression) => {
            let mut plain: Box<dyn Read + Send> = match compression {
                Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(raw)),
                Compression::Zstd => {
                    Box::new(zstd::stream::read::Decoder::new(raw).map_err(fail("decompress"))?)
                }
            };
            let head = first_bytes(&mut plain).map_err(fail("decompress"))?;
            (Box::new(Cursor::new(head.clone()).chain(plain)), head)
        }
    };
    Ok(Source { reader, kind: FileKind::of(&head), compression, size })
}

/// The first bytes of a stream, enough to tell what it is.
///
/// # Errors
/// When it cannot be read.
pub fn first_bytes(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    reader.take(ENOUGH as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Counts what is read.
struct Watched<F> {
    inner: Box<dyn Read + Send>,
    count: u64,
    watch: F,
}

impl<F: Fn(u64)> Read for Watched<F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buf)?;
        self.count += count as u64;
        (self.watch)(self.count);
        Ok(count)
    }
}
