//! Payloads: what DUMP gives and RESTORE takes is written in the format of dump files, which the store
//! does not know. Whoever makes an engine brings the code that does ([`super::Config::payloads`]).

use std::fmt::Debug;

use super::Release;
use super::failure::Failure;
use crate::value::{PackedLimits, Value};

/// Reads and writes payloads (FORMATS A.9).
pub trait Payloads: Debug + Send + Sync {
    /// The codes of the libraries in a payload of FUNCTION DUMP. `newest` is the newest RDB version that
    /// is accepted.
    ///
    /// # Errors
    /// When version or checksum are wrong, or it holds something else; as a server words them.
    fn unpack_functions(&self, payload: &[u8], newest: u16) -> Result<Vec<Vec<u8>>, Failure>;

    /// The payload that holds these codes, for servers of this RDB version.
    fn pack_functions(&self, codes: &[&[u8]], version: u16) -> Vec<u8>;

    /// The RDB version that a payload states.
    fn version(&self, payload: &[u8]) -> u16;

    /// The payload that a server of this release makes of a value, which leaves out what that server does
    /// not know of values of the type.
    ///
    /// # Errors
    /// For a type that it does not have.
    fn dump(&self, value: &Value, release: Release) -> Result<Vec<u8>, Failure>;

    /// The value in a payload, for a server of this release.
    ///
    /// # Errors
    /// When version or checksum are wrong, or the value is damaged or unknown; as a server words them.
    fn restore(
        &self,
        payload: &[u8],
        release: Release,
        limits: &PackedLimits,
    ) -> Result<Value, Failure>;
}

/// No payloads: what an engine has that nobody gave anything else.
#[derive(Debug, Clone, Copy)]
pub struct NoPayloads;

impl NoPayloads {
    /// The error of commands that need to read one.
    pub const REFUSED: &str = "ERR this store was made without payloads";
}

impl Payloads for NoPayloads {
    fn unpack_functions(&self, _: &[u8], _: u16) -> Result<Vec<Vec<u8>>, Failure> {
        Err(Failure::new(NoPayloads::REFUSED))
    }

    fn pack_functions(&self, _: &[&[u8]], _: u16) -> Vec<u8> {
        Vec::new()
    }

    fn version(&self, _: &[u8]) -> u16 {
        0
    }

    fn dump(&self, _: &Value, _: Release) -> Result<Vec<u8>, Failure> {
        Err(Failure::new(NoPayloads::REFUSED))
    }

    fn restore(&self, _: &[u8], _: Release, _: &PackedLimits) -> Result<Value, Failure> {
        Err(Failure::new(NoPayloads::REFUSED))
    }
}
