//! The first nine bytes (FORMATS A.1): `REDIS` and four digits, or `VALKEY` and three.

use crate::error::{Fault, Parse};
use crate::finding::Code;

/// Whose table of types and opcodes a file uses: bytes 22, 23, 242 and 243 differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// Magic `REDIS`.
    Redis,
    /// Magic `VALKEY`.
    Valkey,
}

impl Dialect {
    /// The word used in text and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Dialect::Redis => "redis",
            Dialect::Valkey => "valkey",
        }
    }

    /// What its files begin with; digits fill up nine bytes.
    pub fn magic(self) -> &'static [u8] {
        match self {
            Dialect::Redis => b"REDIS",
            Dialect::Valkey => b"VALKEY",
        }
    }
}

/// Magic and version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Whose tables apply.
    pub dialect: Dialect,
    /// RDB version.
    pub version: u16,
    /// The bytes themselves.
    pub bytes: [u8; Header::LEN],
}

impl Header {
    /// Bytes of a header.
    pub const LEN: usize = 9;

    /// Whether all version characters are digits: servers read `01x1` as 1.
    pub fn is_strict(&self) -> bool {
        let magic = self.dialect.magic().len();
        self.bytes.iter().skip(magic).all(u8::is_ascii_digit)
    }

    /// Whether files of this version end with a checksum.
    pub fn has_checksum(&self) -> bool {
        self.version >= 5
    }
}

/// Whether `i` begins as an RDB file does; enough bytes to tell are six.
pub fn is_rdb(i: &[u8]) -> bool {
    i.starts_with(b"REDIS") || i.starts_with(b"VALKEY")
}

/// Reads the header. The version is read as servers read it, up to the first character that is no digit.
pub fn header(i: &[u8]) -> Parse<'_, Header> {
    let Some((&bytes, rest)) = i.split_first_chunk::<{ Header::LEN }>() else {
        if is_rdb(i) || b"REDIS".starts_with(i) || b"VALKEY".starts_with(i) {
            return Fault::truncated(i, "REDIS or VALKEY and a version, 9 bytes");
        }
        return Fault::err(Code::RdbMagic, i, i.len(), "REDIS or VALKEY", "other bytes");
    };
    let dialects = [Dialect::Redis, Dialect::Valkey];
    let Some(dialect) = dialects.into_iter().find(|dialect| bytes.starts_with(dialect.magic()))
    else {
        return Fault::err(Code::RdbMagic, i, Header::LEN, "REDIS or VALKEY", "other bytes");
    };
    let magic_len = dialect.magic().len();
    let digits = bytes.iter().skip(magic_len).take_while(|b| b.is_ascii_digit());
    let version = digits.fold(0u16, |n, b| n * 10 + u16::from(b - b'0'));
    if version == 0 || (dialect == Dialect::Valkey && version < 80) {
        return Fault::err(
            Code::RdbVersion,
            i.split_at(magic_len).1,
            Header::LEN - magic_len,
            match dialect {
                Dialect::Redis => "an RDB version from 1 on",
                Dialect::Valkey => "an RDB version from 80 on, as Valkey writes with this magic",
            },
            format!("version {version}"),
        );
    }
    Ok((rest, Header { dialect, version, bytes }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::error::fault_of;

    #[test]
    fn versions_as_servers_read_them() {
        let read = |bytes: &[u8]| header(bytes).map(|(_, h)| (h.dialect, h.version, h.is_strict()));
        assert_eq!(read(b"REDIS0011").unwrap(), (Dialect::Redis, 11, true));
        assert_eq!(read(b"REDIS01x1").unwrap(), (Dialect::Redis, 1, false));
        assert_eq!(read(b"VALKEY080").unwrap(), (Dialect::Valkey, 80, true));
        for (bytes, code) in [
            (&b"REDIS0000"[..], Code::RdbVersion),
            (b"REDISabcd", Code::RdbVersion),
            (b"VALKEY011", Code::RdbVersion),
            (b"BEDIS0011", Code::RdbMagic),
            (b"BED", Code::RdbMagic),
            (b"REDIS00", Code::RdbTruncated),
            (b"", Code::RdbTruncated),
        ] {
            assert_eq!(fault_of(header(bytes).unwrap_err()).code(), code, "{bytes:?}");
        }
    }
}
