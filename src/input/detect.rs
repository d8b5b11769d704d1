//! What kind of file some first bytes belong to.

/// Bytes that are enough to tell.
pub const ENOUGH: usize = 16;

/// How a file is compressed as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// gzip, one member or several.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Compression {
    /// The word used in text and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        }
    }

    /// By the first bytes.
    pub fn of(head: &[u8]) -> Option<Compression> {
        match head {
            [0x1f, 0x8b, ..] => Some(Compression::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Compression::Zstd),
            _ => None,
        }
    }
}

/// Kinds of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// No bytes.
    Empty,
    /// An RDB, or an AOF with an RDB preamble: the end of the RDB tells.
    Rdb,
    /// An AOF in RESP form.
    Aof,
    /// Keys as JSON Lines, as convert writes them.
    JsonLines,
    /// The manifest of a multi-part AOF.
    Manifest,
    /// Something else.
    Unknown,
}

impl FileKind {
    /// By the first bytes.
    pub fn of(head: &[u8]) -> FileKind {
        match head {
            [] => FileKind::Empty,
            _ if crate::rdb::header::is_rdb(head) => FileKind::Rdb,
            [b'*', ..] | [b'#', b'T', b'S', b':', ..] => FileKind::Aof,
            [b'{', b'"', ..] => FileKind::JsonLines,
            _ if head.starts_with(b"file ") => FileKind::Manifest,
            _ => FileKind::Unknown,
        }
    }
}
