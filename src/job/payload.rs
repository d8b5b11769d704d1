//! DUMP payloads (FORMATS A.9), for the engine's DUMP and RESTORE, and for whoever sends keys one by one:
//!
//! ```text
//! [key metadata, Redis 8.6 on] | u8 type | value | u16le RDB version | u64le CRC-64     DUMP, RESTORE
//! { F5 | str code } …                            | u16le RDB version | u64le CRC-64     FUNCTION …
//! ```
//!
//! Here and not in the engine, which knows no file formats, and not in `rdb`, which knows no values.

use super::load::{Build, Texts};
use super::target::keeps_out;
use crate::aof::rebuild::Server;
use crate::encoding::crc64::crc64;
use crate::engine::{Failure, Family, Payloads, Release};
use crate::limits::Limits;
use crate::rdb::encode::{Encoder, Form};
use crate::rdb::header::Dialect;
use crate::rdb::opcodes::Kind;
use crate::rdb::shape::skip;
use crate::rdb::string::string;
use crate::rdb::target::Target;
use crate::rdb::types::{DataType, Op, RdbType, Table};
use crate::rdb::versions::{self, RELEASES, SHARED_LAST, VALKEY_FIRST};
use crate::rdb::walk::Walker;
use crate::value::{PackedLimits, Type, Value};

/// The opcode before each library of a payload.
const FUNCTION2: u8 = 0xf5;

/// Version and checksum.
const FOOTER: usize = 10;

/// Payloads as servers with default settings write them.
pub static PAYLOADS: &dyn Payloads = &RdbPayloads { compress: true };

/// Payloads as servers with `rdbcompression no` write them.
pub static PLAIN_PAYLOADS: &dyn Payloads = &RdbPayloads { compress: false };

/// Payloads as servers write them: bytes of an RDB.
#[derive(Debug)]
struct RdbPayloads {
    compress: bool,
}

impl Payloads for RdbPayloads {
    fn unpack_functions(&self, payload: &[u8], newest: u16) -> Result<Vec<Vec<u8>>, Failure> {
        let (mut rest, footer) = payload
            .len()
            .checked_sub(FOOTER)
            .map(|at| payload.split_at(at))
            .ok_or_else(wrong_footer)?;
        let Some((&version, checksum)) = footer.split_first_chunk::<2>() else {
            return Err(wrong_footer());
        };
        let body = payload.get(..rest.len() + 2).unwrap_or_default();
        if u16::from_le_bytes(version) > newest || checksum != crc64(body).to_le_bytes() {
            return Err(wrong_footer());
        }
        let mut codes = Vec::new();
        while let Some((&opcode, code_at)) = rest.split_first() {
            if opcode != FUNCTION2 {
                return Err(Failure::new("ERR given type is not a function"));
            }
            let bad = || Failure::new("ERR Failed loading library code");
            let (after, code) = string(code_at).map_err(|_| bad())?;
            codes.push(code.bytes(&mut Vec::new()).map_err(|_| bad())?.to_vec());
            rest = after;
        }
        Ok(codes)
    }

    fn pack_functions(&self, codes: &[&[u8]], version: u16) -> Vec<u8> {
        let mut payload = Vec::new();
        for code in codes {
            payload.push(FUNCTION2);
            // The 32-bit form of a length is right for every length that a command can have.
            payload.push(0x80);
            payload.extend_from_slice(&u32::try_from(code.len()).unwrap_or(u32::MAX).to_be_bytes());
            payload.extend_from_slice(code);
        }
        seal(&mut payload, version);
        payload
    }

    fn version(&self, payload: &[u8]) -> u16 {
        let at = payload.len().saturating_sub(FOOTER);
        let stated = payload.get(at..).and_then(<[u8]>::first_chunk);
        stated.map_or(0, |bytes| u16::from_le_bytes(*bytes))
    }

    fn dump(&self, value: &Value, release: Release) -> Result<Vec<u8>, Failure> {
        let target = target_of(release);
        let mut encoder = Encoder::new(target, self.compress, PackedLimits::DEFAULT);
        encoder.begin(data_type(value), Form::Table);
        value.elements(&mut encoder);
        let mut payload = vec![0];
        let none = |_| Failure::new("ERR this release has no payload for such a value");
        let row = encoder.finish(&mut payload).map_err(none)?;
        // What the release's form leaves out is what the release itself does not know.
        if let Some(code) = payload.first_mut() {
            *code = row.code;
        }
        seal(&mut payload, target.version);
        Ok(payload)
    }

    fn restore(
        &self,
        payload: &[u8],
        release: Release,
        limits: &PackedLimits,
    ) -> Result<Value, Failure> {
        let target = target_of(release);
        let body = check_footer(payload, target.release).ok_or_else(wrong_footer)?;
        let (row, value) = split(body, target).ok_or_else(bad_data)?;
        let mut walker = Walker::new(true, Limits::default());
        let mut texts = Texts::default();
        let mut build = Build::new(row, *limits, &mut texts);
        walker.value(row, value, 0, &mut build);
        if walker.findings.iter().any(|finding| keeps_out(Some(target.release), finding)) {
            return Err(bad_data());
        }
        build.finish().ok_or_else(bad_data)
    }
}

/// Appends what a payload ends with: the RDB version of its value, and its checksum.
pub fn seal(payload: &mut Vec<u8>, version: u16) {
    payload.extend_from_slice(&version.to_le_bytes());
    payload.extend_from_slice(&crc64(payload).to_le_bytes());
}

fn wrong_footer() -> Failure {
    Failure::new("ERR DUMP payload version or checksum are wrong")
}

fn bad_data() -> Failure {
    Failure::new("ERR Bad data format")
}

/// The payload without its footer, if that is right.
fn check_footer<'a>(payload: &'a [u8], server: &versions::Release) -> Option<&'a [u8]> {
    let (body, footer) = payload.split_at_checked(payload.len().checked_sub(FOOTER)?)?;
    let (version, checksum) = footer.split_first_chunk::<2>()?;
    let version = u16::from_le_bytes(*version);
    let foreign =
        server.dialect == Dialect::Valkey && (SHARED_LAST + 1..VALKEY_FIRST).contains(&version);
    if version > server.rdb_version || foreign {
        return None;
    }
    // Since 8.6 Redis takes 0 for "not taken".
    let untaken =
        *checksum == [0; 8] && server.dialect == Dialect::Redis && server.rdb_version >= 13;
    let sum = crc64(payload.get(..body.len() + 2)?).to_le_bytes();
    (untaken || *checksum == sum).then_some(body)
}

/// The row and the bytes of the value; metadata before them is passed over.
fn split(body: &[u8], target: Target) -> Option<(&'static RdbType, &[u8])> {
    let table = Table::of(target.release.magic);
    let (code, mut rest) = body.split_first()?;
    let mut op = table.get(*code)?;
    if let Op::Opcode(opcode) = op {
        if opcode.kind != Kind::KeyMeta || !target.knows(opcode.since, opcode.dialects) {
            return None;
        }
        let after = skip(opcode.shape, rest, Limits::default().string).ok()?.0;
        let (code, value) = after.split_first()?;
        (op, rest) = (table.get(*code)?, value);
    }
    match op {
        Op::Type(row) if target.takes(row) => Some((row, rest)),
        _ => None,
    }
}

/// What a release of the engine reads and writes: that release's row, or the last one before it.
pub fn target_of(release: Release) -> Target {
    let dialect = match release.family {
        Family::Redis => Dialect::Redis,
        Family::Valkey => Dialect::Valkey,
    };
    let own = || RELEASES.iter().filter(|row| row.dialect == dialect);
    let row = own().rfind(|row| row.version() <= release.version).or(own().next());
    // Both families have rows.
    row.map_or(Target { release: &RELEASES[0], version: 1 }, Target::of)
}

/// Whose commands a target takes.
pub fn server_of(target: Target) -> Server {
    Server { valkey: !target.is_redis(), version: target.release.version() }
}

/// The data type of a value, in the words of RDB.
pub fn data_type(value: &Value) -> DataType {
    match value.data_type() {
        Type::String => DataType::String,
        Type::List => DataType::List,
        Type::Set => DataType::Set,
        Type::Zset => DataType::Zset,
        Type::Hash => DataType::Hash,
        Type::Stream => DataType::Stream,
        Type::Array => DataType::Array,
        Type::Module => DataType::Module,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::engine::functions::Shebang;
    use crate::value::Str;

    #[test]
    fn a_damaged_payload_is_refused() {
        let value = Value::from(Str::new(b"some text"));
        let newest = Release::NEWEST;
        let payload = PAYLOADS.dump(&value, newest).unwrap();
        let restore = |payload: &[u8], release| {
            PAYLOADS.restore(payload, release, &PackedLimits::DEFAULT).map(|value| value.len())
        };
        assert_eq!(restore(&payload, newest), Ok(9));
        assert_eq!(restore(&payload, Release::redis(7, 0)), Err(wrong_footer()), "too new");
        assert_eq!(restore(&payload, Release::valkey(9, 1)), Err(wrong_footer()), "foreign");
        for at in 0..payload.len() {
            let mut damaged = payload.clone();
            damaged[at] ^= 1;
            assert_eq!(restore(&damaged, newest), Err(wrong_footer()), "byte {at}");
            assert_eq!(restore(&payload[..at], newest), Err(wrong_footer()), "cut at {at}");
        }
        let mut untaken = payload.clone();
        let end = untaken.len() - 8;
        untaken[end..].fill(0);
        assert_eq!(restore(&untaken, newest), Ok(9));
        let old = PAYLOADS.dump(&value, Release::redis(7, 0)).unwrap();
        let mut untaken = old.clone();
        let end = untaken.len() - 8;
        untaken[end..].fill(0);
        assert_eq!(restore(&untaken, Release::redis(7, 0)), Err(wrong_footer()));
        assert_eq!(restore(&old, Release::valkey(9, 1)), Ok(9));
    }

    /// The payload that Redis 8.8 logged.
    #[test]
    fn a_servers_payload() {
        let hex = "f5c3405f40641f23216c7561206e616d653d6d796c69620a72656469732e72656769737465725f0e\
                   66756e6374696f6e28276631272c20e0000e0a6b2c61292072657475726e200640321063616c6c2827\
                   736574272c6b5b315d2c612004052920656e64290e009e7bf9a54a31c2a4";
        let payload: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect();
        let codes = PAYLOADS.unpack_functions(&payload, 14).unwrap();
        assert_eq!(Shebang::parse(&codes[0]).unwrap().name, b"mylib");
        assert!(PAYLOADS.unpack_functions(&payload, 13).is_err(), "too new");
        for at in 0..payload.len() {
            let mut damaged = payload.clone();
            damaged[at] ^= 1;
            assert!(PAYLOADS.unpack_functions(&damaged, 14).is_err(), "byte {at}");
            assert!(PAYLOADS.unpack_functions(&payload[..at], 14).is_err(), "cut at {at}");
        }
        let ours =
            PAYLOADS.pack_functions(&codes.iter().map(Vec::as_slice).collect::<Vec<_>>(), 14);
        assert_eq!(PAYLOADS.unpack_functions(&ours, 14).unwrap(), codes);
    }
}
