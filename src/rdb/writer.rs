//! Writing the records of an RDB file (FORMATS A.1, A.4): each function appends one. The bytes of values
//! are [`super::encode`]'s.

use super::length::write_length;
use super::string::Strings;
use super::target::Target;
use crate::element::Str;
use crate::loss::Loss;

const EOF: u8 = 255;
/// Opcode of the number of a database.
pub const SELECTDB: u8 = 254;
const EXPIRETIME: u8 = 253;
const EXPIRETIME_MS: u8 = 252;
/// Opcode of the sizes of a database.
pub const RESIZEDB: u8 = 251;
const AUX: u8 = 250;
const FREQ: u8 = 249;
const IDLE: u8 = 248;
const FUNCTION2: u8 = 245;
const KEY_META: u8 = 243;

/// The first RDB version with function libraries.
pub const SINCE_FUNCTION2: u16 = 10;

/// The first RDB version with data of modules beside the keys.
pub const SINCE_MODULE_AUX: u16 = 9;

/// First versions with these records.
const SINCE_EXPIRETIME_MS: u16 = 3;
const SINCE_CHECKSUM: u16 = 5;
const SINCE_AUX: u16 = 7;
const SINCE_ACCESS: u16 = 9;
const SINCE_KEY_META: u16 = 13;

/// What is known of a key beside its value.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeyHead<'a> {
    /// Unix time in ms at which it expires.
    pub expire_at_ms: Option<i64>,
    /// Seconds since the last access.
    pub idle_s: Option<u64>,
    /// The LFU counter.
    pub freq: Option<u8>,
    /// Module metadata.
    pub meta: Option<&'a [u8]>,
}

impl KeyHead<'_> {
    /// Appends it, as far as the target knows it; what it does not goes to `lose`.
    pub fn write(&self, target: Target, out: &mut Vec<u8>, mut lose: impl FnMut(Loss)) {
        if let Some(at) = self.expire_at_ms {
            if target.version >= SINCE_EXPIRETIME_MS {
                out.push(EXPIRETIME_MS);
                out.extend_from_slice(&at.to_le_bytes());
            } else {
                let seconds = at.div_euclid(1000);
                let stored =
                    i32::try_from(seconds).unwrap_or(if seconds < 0 { i32::MIN } else { i32::MAX });
                if i64::from(stored) * 1000 != at {
                    lose(Loss::ExpireTime);
                }
                out.push(EXPIRETIME);
                out.extend_from_slice(&stored.to_le_bytes());
            }
        }
        match (self.idle_s, self.freq) {
            (None, None) => {}
            _ if target.version < SINCE_ACCESS => lose(Loss::Access),
            (idle, freq) => {
                if let Some(seconds) = idle {
                    out.push(IDLE);
                    write_length(seconds, out);
                }
                out.extend(freq.into_iter().flat_map(|freq| [FREQ, freq]));
            }
        }
        if let Some(meta) = self.meta {
            if target.version >= SINCE_KEY_META && target.is_redis() {
                out.push(KEY_META);
                out.extend_from_slice(meta);
            } else {
                lose(Loss::KeyMeta);
            }
        }
    }
}

/// Appends magic and version, and what a server of the target would say of itself: `said`, if its version is
/// known.
pub fn begin(target: Target, said: Option<&[u8]>, strings: &mut Strings, out: &mut Vec<u8>) {
    out.extend_from_slice(target.magic().as_bytes());
    let (name, version) = target.server_version();
    let version = said.unwrap_or(version.as_bytes());
    aux(target, strings, Str::Raw(name.as_bytes()), Str::Raw(version), out);
    aux(target, strings, Str::Raw(b"redis-bits"), Str::Int(64), out);
}

/// Appends the mark of an RDB that an AOF begins with.
pub fn mark_preamble(target: Target, strings: &mut Strings, out: &mut Vec<u8>) {
    let name = if target.version >= SINCE_FUNCTION2 { "aof-base" } else { "aof-preamble" };
    aux(target, strings, Str::Raw(name.as_bytes()), Str::Int(1), out);
}

/// Appends a fact about the file, which are known since RDB 7.
pub fn aux(target: Target, strings: &mut Strings, key: Str<'_>, value: Str<'_>, out: &mut Vec<u8>) {
    if target.version >= SINCE_AUX {
        out.push(AUX);
        strings.write_stored(key, out);
        strings.write_stored(value, out);
    }
}

/// Appends the choice of a database.
pub fn select_db(db: u64, out: &mut Vec<u8>) {
    out.push(SELECTDB);
    write_length(db, out);
}

/// Bytes of a RESIZEDB with lengths of 32 bits, which can be filled in later.
pub const RESIZEDB_LEN: usize = 11;

/// A RESIZEDB of always the same length; `None` before RDB 7. Counts beyond 32 bits are cut: it is a hint.
pub fn resize_db(target: Target, keys: u64, expires: u64) -> Option<[u8; RESIZEDB_LEN]> {
    if target.version < SINCE_AUX {
        return None;
    }
    let number = |count: u64| u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes();
    let ([a, b, c, d], [e, f, g, h]) = (number(keys), number(expires));
    Some([RESIZEDB, 0x80, a, b, c, d, 0x80, e, f, g, h])
}

/// Appends a function library, which are known since [`SINCE_FUNCTION2`].
pub fn function(strings: &mut Strings, code: Str<'_>, out: &mut Vec<u8>) {
    out.push(FUNCTION2);
    strings.write_stored(code, out);
}

/// The end. Where the version has a checksum, it follows.
pub const END: [u8; 1] = [EOF];

/// Whether files for this target end with a checksum.
pub fn has_checksum(target: Target) -> bool {
    target.version >= SINCE_CHECKSUM
}
