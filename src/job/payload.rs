//! Payloads of DUMP, for the engine, which knows no file format.
//!
//! ```text
//! { F5 | str code } …  | u16le RDB version | u64le CRC-64     FUNCTION DUMP and RESTORE (FORMATS A.9)
//! ```

use crate::encoding::crc64::crc64;
use crate::engine::{Failure, Payloads};
use crate::rdb::string::string;

/// The opcode before each library of a payload.
const FUNCTION2: u8 = 0xf5;
/// Version and checksum behind them.
const FOOTER: usize = 10;

/// Payloads as servers write them: bytes of an RDB.
#[derive(Debug, Clone, Copy)]
pub struct RdbPayloads;

impl Payloads for RdbPayloads {
    fn unpack_functions(&self, payload: &[u8], newest: u16) -> Result<Vec<Vec<u8>>, Failure> {
        let wrong = || Failure::new("ERR DUMP payload version or checksum are wrong");
        let (mut rest, footer) =
            payload.len().checked_sub(FOOTER).map(|at| payload.split_at(at)).ok_or_else(wrong)?;
        let Some((&version, checksum)) = footer.split_first_chunk::<2>() else {
            return Err(wrong());
        };
        let body = payload.get(..rest.len() + 2).unwrap_or_default();
        if u16::from_le_bytes(version) > newest || checksum != crc64(body).to_le_bytes() {
            return Err(wrong());
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
        payload.extend_from_slice(&version.to_le_bytes());
        payload.extend_from_slice(&crc64(&payload).to_le_bytes());
        payload
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::engine::functions::Shebang;

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
        let codes = RdbPayloads.unpack_functions(&payload, 14).unwrap();
        assert_eq!(Shebang::parse(&codes[0]).unwrap().name, b"mylib");
        assert!(RdbPayloads.unpack_functions(&payload, 13).is_err(), "too new");
        for at in 0..payload.len() {
            let mut damaged = payload.clone();
            damaged[at] ^= 1;
            assert!(RdbPayloads.unpack_functions(&damaged, 14).is_err(), "byte {at}");
            assert!(RdbPayloads.unpack_functions(&payload[..at], 14).is_err(), "cut at {at}");
        }
        let ours =
            RdbPayloads.pack_functions(&codes.iter().map(Vec::as_slice).collect::<Vec<_>>(), 14);
        assert_eq!(RdbPayloads.unpack_functions(&ours, 14).unwrap(), codes);
    }
}
