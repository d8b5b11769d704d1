//! DUMP payloads: what turns values into them and back. The engine knows no file format; whoever does
//! gives it this ([`super::Config::payloads`]).

use std::fmt::Debug;

use super::Release;
use crate::value::{PackedLimits, Value};

/// Writes and reads payloads.
pub trait Payloads: Debug + Sync {
    /// The payload that a server of this release makes of a value, which leaves out what that server does
    /// not know of values of the type; `None` for a type that it does not have.
    fn dump(&self, value: &Value, release: Release) -> Option<Vec<u8>>;

    /// The value in a payload, for a server of this release.
    ///
    /// # Errors
    /// Why the server refuses it.
    fn restore(
        &self,
        payload: &[u8],
        release: Release,
        limits: &PackedLimits,
    ) -> Result<Value, Refused>;
}

/// Why a payload is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Its version or its checksum is wrong.
    Footer,
    /// What is in it is damaged, or nothing that the server knows.
    Data,
}
